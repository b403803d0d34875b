//! Codes that the telephone itself carries out, as the phone reads them.

use crate::settings::Settings;

/// What is dialled for a feature of the telephone's own; empty for nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the schema documents the settings")]
pub struct CodeSettings {
    pub dnd_on: String,
    pub dnd_off: String,
    pub forward_on: String,
    pub forward_off: String,
    pub anonymous_on: String,
    pub anonymous_off: String,
    pub call_return: String,
    pub redial: String,
    pub pickup: String,
    pub voice_mail: String,
}

impl Settings {
    pub(super) fn codes(&self) -> CodeSettings {
        let code = |name: &str| self.value(&format!("codes.{name}"), 0).text();
        CodeSettings {
            dnd_on: code("dnd_on"),
            dnd_off: code("dnd_off"),
            forward_on: code("forward_on"),
            forward_off: code("forward_off"),
            anonymous_on: code("anonymous_on"),
            anonymous_off: code("anonymous_off"),
            call_return: code("call_return"),
            redial: code("redial"),
            pickup: code("pickup"),
            voice_mail: code("voice_mail"),
        }
    }
}
