//! How an account's calls and registrations are kept, as the phone reads it.

use crate::settings::Settings;
use core::time::Duration;

/// How an account's calls and registrations are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the schema documents the settings")]
pub struct SessionSettings {
    pub timer: bool,
    pub expires: Duration,
    /// Whether the phone refreshes; `None` leaves it open.
    pub phone_refreshes: Option<bool>,
    pub refresh_by: RefreshKind,
    pub reliable: bool,
    /// What calls do that are sent elsewhere by a 302 and the like.
    pub redirects: Redirects,
    pub redirect_new_call_id: bool,
    pub server2: Option<String>,
    pub concurrent: bool,
    pub outbound_proxy2: Option<String>,
}

/// How a call is refreshed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the schema documents the settings")]
pub enum RefreshKind {
    Auto,
    Invite,
    Update,
}

/// What a call does that is sent elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Redirects {
    /// It follows.
    Follow,
    /// The person is asked.
    Ask,
    /// It ends.
    Never,
}

impl Settings {
    pub(super) fn account_session(&self, number: u8) -> SessionSettings {
        let value = |name: &str| self.value(&format!("account.N.{name}"), number);
        SessionSettings {
            timer: value("session_timer").bool(),
            expires: value("session_expires").seconds(),
            phone_refreshes: match value("session_refresher").word() {
                "uac" => Some(true),
                "uas" => Some(false),
                _ => None,
            },
            refresh_by: match value("session_refresh_by").word() {
                "invite" => RefreshKind::Invite,
                "update" => RefreshKind::Update,
                _ => RefreshKind::Auto,
            },
            reliable: value("reliable").bool(),
            redirects: match value("redirect").word() {
                "ask" => Redirects::Ask,
                "never" => Redirects::Never,
                _ => Redirects::Follow,
            },
            redirect_new_call_id: value("redirect_call_id").word() == "new",
            server2: value("server2").filled(),
            concurrent: value("redundancy").word() == "concurrent",
            outbound_proxy2: value("outbound_proxy2").filled(),
        }
    }
}
