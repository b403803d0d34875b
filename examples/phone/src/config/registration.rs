//! How an account registers, at which servers, and how its subscriptions are kept, from the settings.

use super::account::proxy_of;
use crate::models::Model;
use sidetone_provisioning::{AccountSettings, ExpiresPlace, FailbackKind, MacSetting, SubscribingSettings};
use sidetone_sip_ua::{
    AccountConfig, ExpiresIn, Failback, Redundancy, RedundancyMode, RefreshRule, RegistrationConfig,
    ResubscribeRule, RetryRule, SendMac, Server, SubscriptionRules,
};

/// Gives the account what its settings say of registering.
pub(super) fn apply(
    account: &mut AccountConfig,
    settings: &AccountSettings,
    model: &Model,
    mac: Option<[u8; 6]>,
) -> Result<(), String> {
    account.registration = registration_of(settings, mac)?;
    account.redundancy = redundancy_of(settings, model)?;
    account.subscriptions = subscriptions_of(&settings.subscribing);
    account.server_retries = settings.registration.server_retries;
    account.call_unregistered = settings.registration.call_unregistered;
    Ok(())
}

fn registration_of(settings: &AccountSettings, mac: Option<[u8; 6]>) -> Result<RegistrationConfig, String> {
    let settings = &settings.registration;
    let mut registration = RegistrationConfig::default();
    registration.refresh = match (settings.every, settings.refresh) {
        (Some(interval), _) => RefreshRule::Every(interval),
        (None, Some(percent)) => RefreshRule::Percent(percent),
        (None, None) => RefreshRule::default(),
    };
    registration.retry = settings.retry.map_or_else(RetryRule::default, RetryRule::every);
    registration.retry.stop_on_forbidden = settings.stops_on_403;
    registration.expires_in = match settings.expires_in {
        ExpiresPlace::Header => ExpiresIn::Header,
        ExpiresPlace::Contact => ExpiresIn::Contact,
        ExpiresPlace::Both => ExpiresIn::Both,
    };
    registration.unregister_first = settings.unregister_first;
    registration.unregister_at_close = settings.unregister_at_close;
    registration.mac = match (settings.send_mac, mac) {
        (MacSetting::Off, _) => None,
        (_, None) => return Err("send_mac: takes phone.mac, the address that is sent".to_owned()),
        (MacSetting::Header, Some(mac)) => Some(SendMac::in_header(mac)),
        (MacSetting::UserAgent, Some(mac)) => Some(SendMac::in_user_agent(mac)),
    };
    Ok(registration)
}

fn subscriptions_of(settings: &SubscribingSettings) -> SubscriptionRules {
    let mut rules = SubscriptionRules::default().with_expires(settings.expires);
    rules.refresh = settings.refresh;
    let again = settings.retry.map_or(ResubscribeRule::DEFAULT, ResubscribeRule::every);
    rules.with_again(if settings.stops_on_403 { again.stopping_on_forbidden() } else { again })
}

/// The servers and the second proxy; a UT670 takes a second server only where both have numeric addresses (PAB-041).
fn redundancy_of(settings: &AccountSettings, model: &Model) -> Result<Redundancy, String> {
    let (session, own) = (&settings.session, &settings.registration);
    let uri = |name: &str, text: &Option<String>| {
        let uri = text.as_deref().map(proxy_of).transpose();
        uri.map_err(|error| format!("{name}: {error}"))
    };
    let mut first = uri("registrar", &own.registrar)?.map_or_else(Server::home, Server::new);
    first.proxy = uri("proxy", &own.proxy)?;
    let mut redundancy = Redundancy::default().probing_every(own.server_probe);
    redundancy.numeric_only = model.name == "ut670";
    redundancy.servers = vec![first];
    if let Some(server) = uri("server2", &session.server2)? {
        let mut second = Server::new(server);
        second.proxy = uri("server2_proxy", &own.server2_proxy)?;
        second.expires = own.server2_expires;
        redundancy.servers.push(second);
    }
    for server in &mut redundancy.servers {
        server.failback = match own.failback {
            FailbackKind::Avoid => Failback::Avoid,
            FailbackKind::NewRequests => Failback::NewRequests,
            FailbackKind::DnsTtl => Failback::DnsTtl,
            FailbackKind::Registration => Failback::Registration,
            FailbackKind::Duration => Failback::Duration(own.failback_time),
        };
        server.register_on_failover = own.register_on_failover;
    }
    if session.concurrent {
        redundancy = redundancy.in_mode(RedundancyMode::Concurrent);
    }
    if let Some(proxy) = uri("outbound_proxy2", &session.outbound_proxy2)? {
        redundancy = redundancy.with_backup_proxy(proxy);
    }
    Ok(redundancy)
}
