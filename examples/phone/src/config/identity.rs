//! How calls of an account hide who we are, and how anonymous callers are refused, from the settings.

use crate::firmware::AccountPolicy;
use sidetone_provisioning::IdentitySettings;
use sidetone_sip_core::{StatusCode, Text};
use sidetone_sip_ua::feature::ServerCode;
use sidetone_sip_ua::feature::anonymity::{AnonymousFrom, AnonymousPart, TrueIdentity};

/// Sets an account up.
pub(super) fn apply(settings: &IdentitySettings, rules: &mut AccountPolicy) {
    let part = |word: &str| match word {
        "normal" => AnonymousPart::Normal,
        "none" => AnonymousPart::Absent,
        _ => AnonymousPart::Anonymous,
    };
    let anonymity = &mut rules.anonymity;
    anonymity.from =
        AnonymousFrom { name: part(settings.name), user: part(settings.user), host: part(settings.host) };
    anonymity.privacy = settings.privacy.then(|| Text::from_static("id")).into_iter().collect();
    (anonymity.identity, anonymity.always_preferred) = match settings.preferred_identity {
        "always" => (TrueIdentity::Preferred, true),
        "never" => (TrueIdentity::Nowhere, false),
        _ => (TrueIdentity::Preferred, false),
    };
    anonymity.code = ServerCode::new(&settings.on_code, &settings.off_code);
    let screening = &mut rules.screening;
    screening.anonymous.code = ServerCode::new(&settings.reject_on_code, &settings.reject_off_code);
    screening.anonymous.without_number = settings.without_number;
}

/// By which statuses anonymous callers, and those of the block list, are refused.
pub(super) fn refuse(anonymous: u16, blocked: u16, rules: &mut AccountPolicy) {
    let screening = &mut rules.screening;
    screening.anonymous.status = StatusCode::new(anonymous).unwrap_or(screening.anonymous.status);
    screening.blocked = StatusCode::new(blocked).unwrap_or(screening.blocked);
}
