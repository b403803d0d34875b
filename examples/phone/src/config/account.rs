//! An account of the settings as the user agent takes it.

use super::{Media, locating, registration};
use crate::models::Model;
use sidetone_hal::net::Protocol;
use sidetone_provisioning::{
    AccountSettings, KeepAliveKind as Kind, NatKind, Redirects, RefreshKind, Transport,
};
use sidetone_sip_core::header::Refresher;
use sidetone_sip_core::{ParseError, StatusCode, Uri};
use sidetone_sip_ua::feature::redirect::{Follow, RedirectConfig};
use sidetone_sip_ua::package::charge;
use sidetone_sip_ua::{
    AccountConfig, DatagramPayload, ExtensionUse, KeepAlive, KeepAliveKind, PublicAddress, RefreshMethod,
    SessionConfig, StunServer,
};

/// The account, on a telephone of this model with this hardware address; `media` counts where the account says nothing.
pub(super) fn account_of(
    settings: &AccountSettings,
    model: &Model,
    media: &Media,
    mac: Option<[u8; 6]>,
) -> Result<AccountConfig, String> {
    let mut account = AccountConfig::parse(&settings.aor).map_err(|error| error.to_string())?;
    if !settings.password.expose().is_empty() {
        account = account.with_password(settings.password.expose());
    }
    account.auth_user = settings.auth_user.clone();
    account.display_name = settings.display_name.clone();
    account.expires = settings.expires;
    // A sips: address of record is never reached over less than TLS.
    if !account.aor.is_sips() {
        set_transport(&mut account, settings.transport);
    }
    let proxy = settings.outbound_proxy.as_deref().map(proxy_of).transpose();
    account.proxy = proxy.map_err(|error| format!("outbound_proxy: {error}"))?;
    account.rport = settings.rport;
    account.new_port_on_failure = settings.new_port_on_failure;
    account.locate = locating::of(&settings.locating, model)?;
    account.locate.srv = settings.dns_srv;
    account.locate.max_targets = settings.failover.into();
    account.keep_alive = keep_alive_of(settings);
    account.public_address = public_address_of(settings)?;
    account.session = session_of(settings);
    // Who says `from-change` is told of changes by UPDATE (RFC 4916), which nobody looks at here.
    account.session.connected_identity = !matches!(settings.features.connected_id, "asserted" | "dialled");
    if settings.server.advice_of_charge {
        account.accept.push(charge::CONTENT_TYPE);
    }
    account.redirect = redirect_of(settings);
    registration::apply(&mut account, settings, model, mac)?;
    account.audio = Some(media.audio_of(settings)?);
    Ok(account)
}

pub(super) fn set_transport(account: &mut AccountConfig, transport: Transport) {
    account.transport_by_dns = transport == Transport::Dns;
    account.transport = match transport {
        Transport::Udp | Transport::Dns => Protocol::Udp,
        Transport::Tcp => Protocol::Tcp,
        Transport::Tls => Protocol::Tls,
    };
}

pub(super) fn proxy_of(text: &str) -> Result<Uri, String> {
    let uri: Uri = text.parse().map_err(|error: ParseError| error.to_string())?;
    if uri.is_sip() { Ok(uri) } else { Err("not a sip: or sips: address".to_owned()) }
}

fn session_of(settings: &AccountSettings) -> SessionConfig {
    let settings = &settings.session;
    let usage = |on| if on { ExtensionUse::Supported } else { ExtensionUse::Off };
    let mut session = SessionConfig::default();
    session.reliable = usage(settings.reliable);
    session.timer.usage = usage(settings.timer);
    session.timer.expires = settings.expires;
    session.timer.method = match settings.refresh_by {
        RefreshKind::Auto => RefreshMethod::Auto,
        RefreshKind::Invite => RefreshMethod::Invite,
        RefreshKind::Update => RefreshMethod::Update,
    };
    // Shorter than the RFC likes, where the phone asks for that itself.
    session.timer.min_se = session.timer.min_se.min(settings.expires);
    session.timer.refresher =
        settings.phone_refreshes.map(|phone| if phone { Refresher::Uac } else { Refresher::Uas });
    session
}

fn redirect_of(settings: &AccountSettings) -> RedirectConfig {
    let mut redirect = RedirectConfig::default();
    redirect.follow = match settings.session.redirects {
        Redirects::Follow => Follow::Always,
        Redirects::Ask => Follow::Ask,
        _ => Follow::Never,
    };
    redirect.new_call_id = settings.session.redirect_new_call_id;
    redirect
}

fn keep_alive_of(settings: &AccountSettings) -> KeepAlive {
    let mut keep_alive = KeepAlive::of(match settings.keep_alive {
        Kind::Off => KeepAliveKind::Off,
        Kind::Outbound => KeepAliveKind::Outbound,
        Kind::Negotiated => KeepAliveKind::Negotiated,
        Kind::Options => KeepAliveKind::Options,
        Kind::Crlf => KeepAliveKind::Datagram(DatagramPayload::Crlf),
        Kind::Empty => KeepAliveKind::Datagram(DatagramPayload::Empty),
    });
    keep_alive.interval = settings.keep_alive_interval;
    keep_alive.failing_on(settings.keep_alive_failures.iter().filter_map(|status| StatusCode::new(*status)))
}

fn public_address_of(settings: &AccountSettings) -> Result<PublicAddress, String> {
    let interval = settings.nat_interval;
    let mut address = match settings.nat {
        NatKind::Off => return Ok(PublicAddress::default()),
        NatKind::Static if settings.nat_address.is_none() => {
            return Err("nat is `static`, and nat_address says nothing: expected an IP address".to_owned());
        }
        NatKind::Static => PublicAddress::default(),
        NatKind::Stun if settings.stun_servers.is_empty() => {
            return Err("nat is `stun`, and stun_servers says nothing: expected a host".to_owned());
        }
        NatKind::Stun => {
            let servers = settings.stun_servers.iter().map(|host| {
                let server = StunServer::new(&host.name);
                let port = host.port.unwrap_or(server.port);
                server.at_port(port)
            });
            PublicAddress::stun(servers, interval)
        }
        NatKind::Sip => PublicAddress::sip(interval),
    };
    address.fixed = settings.nat_address;
    Ok(address)
}
