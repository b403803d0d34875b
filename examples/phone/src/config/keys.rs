//! What the keys do, from the settings.

use crate::firmware::{KeyConfig, KeyFunction};
use crate::models::Model;
use sidetone_provisioning::{KeySettings, KeysSettings};
use sidetone_sip_ua::package::blf::{BlfKey, BlfKind};

/// The keys of this telephone that have a function.
pub(super) fn keys_of(settings: &KeysSettings, model: &Model) -> Result<Vec<KeyConfig>, String> {
    let set = settings.keys.iter().filter(|key| key.function != "line" || key.account.is_some());
    set.map(|key| {
        let wrong = |what: &str| format!("key.{}.{what}", key.number);
        let place = model.programmable_key(key.number);
        let place = place.ok_or_else(|| wrong(&format!("type: {} has no such key", model.title)))?;
        let account = key.account.map(|account| usize::from(account) - 1);
        if account.is_some_and(|account| account >= model.accounts) {
            return Err(wrong(&format!("account: {} has {} account(s)", model.title, model.accounts)));
        }
        let function = function_of(key, settings).map_err(|missing| wrong(&missing))?;
        let mut config = KeyConfig::new(place, function);
        config.account = account;
        config.label.clone_from(&key.label);
        Ok(config)
    })
    .collect()
}

/// What a word of the schema means.
fn function_of(key: &KeySettings, settings: &KeysSettings) -> Result<KeyFunction, String> {
    let value = || match key.value.trim() {
        "" => Err(format!("value: {} needs one", key.function)),
        value => Ok(value.to_owned()),
    };
    let code = if key.extension.is_empty() { &settings.pickup_code } else { &key.extension };
    let watched = |kind| {
        let extension = value()?;
        Ok::<_, String>(
            BlfKey::new(extension)
                .with_kind(kind)
                .with_pickup_code(code)
                .with_barge_in_code(&settings.barge_in_code)
                .with_retrieve_code(&settings.retrieve_code),
        )
    };
    Ok(match key.function {
        "line" => KeyFunction::Line,
        "blf" => KeyFunction::Blf(watched(BlfKind::NewCall)?),
        "blf-blind" => KeyFunction::Blf(watched(BlfKind::BlindTransfer)?),
        "blf-attended" => KeyFunction::Blf(watched(BlfKind::AttendedTransfer)?),
        "speed-dial" => KeyFunction::SpeedDial(value()?),
        "prefix" => KeyFunction::Prefix(digits(value()?)?),
        "dtmf" => KeyFunction::Dtmf(digits(value()?)?),
        "group-pickup" => KeyFunction::GroupPickup(value()?),
        "retrieve" => KeyFunction::Retrieve(value()?),
        "dnd" => KeyFunction::Dnd,
        "forward" => KeyFunction::Forward,
        "transfer" => KeyFunction::Transfer,
        "conference" => KeyFunction::Conference,
        "hold" => KeyFunction::Hold,
        "redial" => KeyFunction::Redial,
        "call-return" => KeyFunction::CallReturn,
        "voice-mail" => KeyFunction::VoiceMail,
        "anonymous" => KeyFunction::Anonymous,
        "record" => KeyFunction::Record,
        "acd" => KeyFunction::Agent,
        "texts" => KeyFunction::Texts,
        _ => KeyFunction::Nothing,
    })
}

/// Keys of the dial pad.
fn digits(text: String) -> Result<String, String> {
    if text.chars().all(|digit| sidetone_hal::keypad::Key::digit(digit).is_some()) {
        return Ok(text);
    }
    Err(format!("value: {text:?}: expected digits, * and #"))
}
