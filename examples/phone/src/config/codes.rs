//! Codes that are dialled: those that the telephone carries out, and those that its settings say the server knows.

use crate::firmware::LocalCode;
use sidetone_dialplan::Rule;
use sidetone_provisioning::{AccountSettings, PhoneSettings};

/// The rules of the codes of one account, or, without one, of those that belong to none.
///
/// # Errors
/// Names the setting whose code nobody could dial.
pub(super) fn codes(phone: &PhoneSettings, account: Option<&AccountSettings>) -> Result<Vec<Rule>, String> {
    let local = &phone.dialling.codes;
    let local = [
        (LocalCode::DndOn, "dnd_on", &local.dnd_on),
        (LocalCode::DndOff, "dnd_off", &local.dnd_off),
        (LocalCode::ForwardOn, "forward_on", &local.forward_on),
        (LocalCode::ForwardOff, "forward_off", &local.forward_off),
        (LocalCode::AnonymousOn, "anonymous_on", &local.anonymous_on),
        (LocalCode::AnonymousOff, "anonymous_off", &local.anonymous_off),
        (LocalCode::CallReturn, "call_return", &local.call_return),
        (LocalCode::Redial, "redial", &local.redial),
        (LocalCode::Pickup, "pickup", &local.pickup),
        (LocalCode::VoiceMail, "voice_mail", &local.voice_mail),
    ];
    let mut rules = Vec::new();
    for (code, name, text) in local.into_iter().filter(|(_, _, text)| !text.is_empty()) {
        if !text.chars().all(is_key) {
            return Err(format!("codes.{name}: {text:?}: expected digits, * and #"));
        }
        let open = if code.takes_number() { "." } else { "" };
        rules.push(Rule::feature(code.id(), &format!("{text}{open}")));
    }
    rules.extend(server_codes(phone, account).map(|(code, open)| {
        let open = if open { "." } else { "" };
        Rule::server(&format!("{code}{open}"))
    }));
    Ok(rules)
}

/// The codes that the telephone itself sends to the server, and whether a number follows them. A number without `*` or `#` in front
/// is no code, and goes by the rules as any other.
fn server_codes<'a>(
    phone: &'a PhoneSettings,
    account: Option<&'a AccountSettings>,
) -> impl Iterator<Item = (&'a str, bool)> {
    let (calls, keys) = (&phone.calls, &phone.keys);
    let phones = [
        (&calls.dnd.on_code, false),
        (&calls.dnd.off_code, false),
        (&calls.forward.always_on_code, true),
        (&calls.forward.always_off_code, true),
        (&calls.several.waiting_on_code, false),
        (&calls.several.waiting_off_code, false),
        (&keys.pickup_code, true),
        (&keys.barge_in_code, true),
        (&keys.retrieve_code, true),
    ];
    // What these keys hold is not called.
    let called = keys.keys.iter().filter(|key| !matches!(key.function, "dtmf" | "prefix" | "paging"));
    let of_keys = called.flat_map(|key| [(&key.value, true), (&key.extension, true)]);
    let of_account = account.into_iter().flat_map(|account| {
        let (identity, list) = (&account.identity, &account.blf_list);
        [
            (&identity.on_code, false),
            (&identity.off_code, false),
            (&identity.reject_on_code, false),
            (&identity.reject_off_code, false),
            (&account.calls.voice_mail, false),
            (&list.pickup_code, true),
            (&list.barge_in_code, true),
        ]
    });
    let all = phones.into_iter().chain(of_keys).chain(of_account).map(|(code, open)| (code.as_str(), open));
    all.filter(|(code, _)| code.starts_with(['*', '#']) && code.chars().all(is_key))
}

const fn is_key(key: char) -> bool {
    key.is_ascii_digit() || matches!(key, '*' | '#')
}
