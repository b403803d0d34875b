//! What the keys do, from the settings.

use crate::firmware::{KeyConfig, KeyFunction, LineKind, ParkBy, ParkKey};
use crate::models::Model;
use sidetone_codecs::CodecSpec;
use sidetone_hal::keypad::Key;
use sidetone_provisioning::{KeySettings, KeysSettings, Settings};
use sidetone_sip_ua::feature::auto_answer::IntercomForm;
use sidetone_sip_ua::feature::forward::ForwardKind;
use sidetone_sip_ua::package::blf::{BlfKey, BlfKind};
use sidetone_sip_ua::package::call_info::MAX_APPEARANCES;

/// What the keys do beside being lines, and what they need for it.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Keys {
    /// Those that have a function.
    pub keys: Vec<KeyConfig>,
    /// The list of extensions that each account's server keeps, in the order of the accounts.
    pub lists: Vec<Option<String>>,
    /// The codec of pages that are sent; `None` for the usual one.
    pub page_codec: Option<&'static CodecSpec>,
}

impl Keys {
    /// The keys of this telephone.
    pub(super) fn from_file(settings: &Settings, model: &Model) -> Result<Self, String> {
        let read = settings.phone().keys;
        let set = read.keys.iter().filter(|key| key.function != "line" || key.account.is_some());
        let mut keys: Vec<KeyConfig> =
            set.map(|key| key_of(key, &read, settings, model)).collect::<Result<_, String>>()?;
        share_lines(&mut keys, settings, model)?;
        let lists = settings.accounts().map(|(_, account)| account.blf_list.uri).collect();
        Ok(Self { keys, lists, page_codec: sidetone_codecs::find(read.page_codec, 8000, 1) })
    }
}

fn key_of(
    key: &KeySettings,
    keys: &KeysSettings,
    settings: &Settings,
    model: &Model,
) -> Result<KeyConfig, String> {
    let wrong = |what: &str| format!("key.{}.{what}", key.number);
    let place = model.programmable_key(key.number);
    let place = place.ok_or_else(|| wrong(&format!("type: {} has no such key", model.title)))?;
    let account = key.account.map(|account| usize::from(account) - 1);
    if account.is_some_and(|account| account >= model.accounts) {
        return Err(wrong(&format!("account: {} has {} account(s)", model.title, model.accounts)));
    }
    let function = function_of(key, keys, settings).map_err(|what| wrong(&what))?;
    let mut config = KeyConfig::new(place, function).with_label(&key.label);
    config.account = account;
    Ok(config)
}

/// The line keys of accounts whose lines their server controls (shared call): one for each appearance.
fn share_lines(keys: &mut Vec<KeyConfig>, settings: &Settings, model: &Model) -> Result<(), String> {
    let accounts: Vec<_> = settings.accounts().take(model.accounts).collect();
    let Ok(count @ 1..) = u8::try_from(accounts.len()) else { return Ok(()) };
    let everywhere = settings.phone().server.feature_sync;
    let each = (model.lines / count).min(model.lines_per_account).max(1);
    for (place, (number, account)) in (0_u8..).zip(&accounts) {
        let server = &account.server;
        let kind = match (server.shared_call, server.bridged_line) {
            (false, false) => continue,
            (true, true) => {
                return Err(format!("account.{number}.bridged_line: not together with shared_call"));
            }
            (true, false) if server.feature_sync.unwrap_or(everywhere) => {
                return Err(format!("account.{number}.shared_call: not together with feature_sync"));
            }
            (true, false) => LineKind::CallInfo,
            (false, true) => LineKind::Bridged { barge_in: server.barge_in },
        };
        for appearance in 1..=each {
            let line = place.saturating_mul(each).saturating_add(appearance);
            let key = Key::Line(line);
            if line <= model.lines && !keys.iter().any(|known| known.key == key) {
                let appearance = Some(appearance.into());
                let function = KeyFunction::SharedLine { number: String::new(), appearance, kind };
                keys.push(KeyConfig { account: Some(place.into()), ..KeyConfig::new(key, function) });
            }
        }
    }
    Ok(())
}

/// What a word of the schema means.
fn function_of(key: &KeySettings, keys: &KeysSettings, settings: &Settings) -> Result<KeyFunction, String> {
    let value = || match key.value.trim() {
        "" => Err(format!("value: {} needs one", key.function)),
        value => Ok(value.to_owned()),
    };
    let first = |own: &str, else_: &str| if own.is_empty() { else_.to_owned() } else { own.to_owned() };
    let pickup_code = || first(&key.extension, &keys.pickup_code);
    let watched = |kind| {
        let key = BlfKey::new(value()?).with_kind(kind).with_pickup_code(pickup_code());
        Ok::<_, String>(key.with_barge_in_code(&keys.barge_in_code).with_retrieve_code(&keys.retrieve_code))
    };
    Ok(match key.function {
        "line" => KeyFunction::Line,
        "blf" => KeyFunction::Blf(watched(BlfKind::NewCall)?),
        "blf-blind" => KeyFunction::Blf(watched(BlfKind::BlindTransfer)?),
        "blf-attended" => KeyFunction::Blf(watched(BlfKind::AttendedTransfer)?),
        "blf-ask" => KeyFunction::Blf(watched(BlfKind::Ask)?),
        "blf-list" => {
            let list = settings.account(key.account.unwrap_or(1)).map(|account| account.blf_list);
            let (pickup, barge_in) =
                list.map(|list| (list.pickup_code, list.barge_in_code)).unwrap_or_default();
            let key = BlfKey::new("").with_pickup_code(first(&pickup, &pickup_code()));
            KeyFunction::BlfList(key.with_barge_in_code(first(&barge_in, &keys.barge_in_code)))
        }
        "shared-line" => shared(&value()?, LineKind::CallInfo)?,
        "bridged-line" => {
            let account = settings.account(key.account.unwrap_or(1));
            let barge_in = account.is_some_and(|account| account.server.barge_in);
            shared(&value()?, LineKind::Bridged { barge_in })?
        }
        "speed-dial" => KeyFunction::SpeedDial(value()?),
        "prefix" => KeyFunction::Prefix(digits(value()?)?),
        "dtmf" => KeyFunction::Dtmf(digits(value()?)?),
        "pickup" => KeyFunction::Pickup(watched(BlfKind::NewCall)?),
        "group-pickup" => KeyFunction::GroupPickup(value()?),
        "park" => KeyFunction::Park(
            ParkKey::new(value()?).with_code(&key.extension).with_retrieve_code(&keys.retrieve_code).by(
                match keys.park {
                    "dtmf" => ParkBy::Dtmf,
                    "call" => ParkBy::Call,
                    _ => ParkBy::Transfer,
                },
            ),
        ),
        "retrieve" => KeyFunction::Retrieve(value()?),
        "intercom" => {
            KeyFunction::Intercom { number: value()?, form: form_of(&key.extension, keys.intercom) }
        }
        "paging" => {
            let address = value()?;
            KeyFunction::Paging(address.parse().map_err(|error| format!("value: {address:?}: {error}"))?)
        }
        "dnd" => KeyFunction::Dnd,
        "forward" => KeyFunction::Forward(ForwardKind::Always),
        "forward-busy" => KeyFunction::Forward(ForwardKind::Busy),
        "forward-no-answer" => KeyFunction::Forward(ForwardKind::NoAnswer),
        "transfer" => KeyFunction::Transfer,
        "conference" => KeyFunction::Conference,
        "room" => KeyFunction::Room(value()?),
        "hold" => KeyFunction::Hold,
        "redial" => KeyFunction::Redial,
        "call-return" => KeyFunction::CallReturn,
        "voice-mail" => KeyFunction::VoiceMail,
        "anonymous" => KeyFunction::Anonymous,
        "record" => KeyFunction::Record,
        "recorder" => KeyFunction::Recorder,
        "guest" => KeyFunction::Guest,
        "anonymous-rejection" => KeyFunction::AnonymousRejection,
        "hot-desking" => KeyFunction::HotDesk,
        "acd" => KeyFunction::Agent,
        "texts" => KeyFunction::Texts,
        _ => KeyFunction::Nothing,
    })
}

fn form_of(code: &str, word: &str) -> IntercomForm {
    match word {
        _ if !code.is_empty() => IntercomForm::Code(code.to_owned()),
        "alert-info" => IntercomForm::AlertInfo,
        "ring-answer" => IntercomForm::Keyword("Ring Answer".to_owned()),
        "intercom" => IntercomForm::Keyword("Intercom".to_owned()),
        "answer-mode" => IntercomForm::AnswerMode,
        "uri-param" => IntercomForm::UriParam,
        _ => IntercomForm::CallInfo,
    }
}

/// A line's number, and which of its appearances: `500`, or `500/2`.
fn shared(text: &str, kind: LineKind) -> Result<KeyFunction, String> {
    let wrong = || format!("value: {text:?}: expected a number, or a number and an appearance as 500/2");
    let (number, appearance) = match text.split_once('/') {
        Some((number, appearance)) => {
            let appearance = appearance.trim().parse().ok().filter(|at| (1..=MAX_APPEARANCES).contains(at));
            (number.trim(), Some(appearance.ok_or_else(wrong)?))
        }
        None => (text, None),
    };
    if number.is_empty() {
        return Err(wrong());
    }
    Ok(KeyFunction::SharedLine { number: number.to_owned(), appearance, kind })
}

/// Keys of the dial pad.
fn digits(text: String) -> Result<String, String> {
    if text.chars().all(|digit| Key::digit(digit).is_some()) {
        return Ok(text);
    }
    Err(format!("value: {text:?}: expected digits, * and #"))
}
