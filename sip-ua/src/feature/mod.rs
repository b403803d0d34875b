//! Telephone features as policies: settings and a message in, a decision or headers out. None of them sends anything or
//! knows the agent, so a PBX uses them as a phone does.
//!
//! Every policy has a settings struct whose fields name the settings of the telephones that it stands for, with their
//! defaults. Time comes in as [`Instant`](sidetone_hal::time::Instant) or as a [`TimeOfDay`], never from a clock.
//!
//! ```
//! use sidetone_sip_core::{HeaderName, Headers, NameAddr};
//! use sidetone_sip_ua::feature::TimeOfDay;
//! use sidetone_sip_ua::feature::forward::ForwardRule;
//! use sidetone_sip_ua::feature::identity::{CallerSource, IdentityConfig};
//! use sidetone_sip_ua::feature::screening::{IncomingCall, Screening, ScreeningConfig};
//!
//! let mut invite = Headers::new();
//! invite.push_raw(HeaderName::FROM, "\"Alice\" <sip:alice@example.com>;tag=1")?;
//! let own: NameAddr = "<sip:bob@example.com>".parse()?;
//!
//! let caller = IdentityConfig::new(CallerSource::PaiFrom).caller(&invite, true, &());
//! assert_eq!(caller.label, "Alice");
//!
//! let mut config = ScreeningConfig::default();
//! config.forward.always = ForwardRule::to("carol");
//! let call = IncomingCall {
//!     headers: &invite,
//!     request_uri: &own.uri,
//!     own: &own,
//!     caller: &caller,
//!     trusted: true,
//!     calls: 0,
//!     now: TimeOfDay::MIDNIGHT,
//! };
//! let Screening::Redirect(redirect) = config.screen(call) else { panic!("it is forwarded") };
//! assert_eq!(redirect.target.as_str(), "sip:carol@example.com");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod acd;
pub mod alert;
pub mod anonymity;
pub mod auto_answer;
pub mod call_completion;
pub mod call_return;
pub mod call_waiting;
pub mod cause;
pub mod diversion;
pub mod do_not_disturb;
pub mod emergency;
pub mod forward;
pub mod hook_flash;
pub mod hot_desking;
pub mod identity;
mod info;
pub mod number;
pub mod outbox;
pub mod plug_and_play;
pub mod recording;
pub mod redial;
pub mod redirect;
mod rejection;
mod scope;
pub mod screening;
mod server_code;
pub mod shared_line;
mod time_of_day;

pub use rejection::Rejection;
pub use scope::{Scope, Scoped};
pub use server_code::ServerCode;
pub use time_of_day::{TimeOfDay, Window};

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use sidetone_hal::rng::Rng;
    use sidetone_sip_core::{HeaderName, Headers, NameAddr, StatusCode, Uri};

    /// What the headers that the policies read are made of.
    const PIECES: [&str; 40] = [
        "<",
        ">",
        "\"",
        ";",
        ",",
        "=",
        "?",
        "@",
        ":",
        " ",
        "sip:",
        "tel:",
        "urn:alert:",
        "http://h/",
        "anonymous",
        ".invalid",
        "Bellcore-dr",
        "ringtone-",
        "MyMelody",
        "answer-after",
        "delay",
        "info",
        "alert-autoanswer",
        "Auto Answer",
        "cause",
        "text",
        "SIP",
        "Q.850",
        "reason",
        "counter",
        "limit",
        "privacy",
        "full",
        "index",
        "mp",
        "rc",
        "1.1",
        "4294967296",
        "-1",
        "%00\u{e9}",
    ];

    #[test]
    fn no_header_however_odd_breaks_a_policy() {
        let names = [
            HeaderName::FROM,
            HeaderName::TO,
            HeaderName::CONTACT,
            HeaderName::PRIVACY,
            HeaderName::P_ASSERTED_IDENTITY,
            HeaderName::REMOTE_PARTY_ID,
            HeaderName::ALERT_INFO,
            HeaderName::CALL_INFO,
            HeaderName::ANSWER_MODE,
            HeaderName::DIVERSION,
            HeaderName::HISTORY_INFO,
            HeaderName::REASON,
            HeaderName::PRIORITY,
        ];
        let own: NameAddr = "<sip:b@example.com>".parse().unwrap();
        let config = screening::ScreeningConfig {
            forward: forward::ForwardConfig {
                always: forward::ForwardRule::to("c"),
                diversion: diversion::DiversionMode::Append,
                ..forward::ForwardConfig::default()
            },
            ..screening::ScreeningConfig::default()
        };
        let identity = identity::IdentityConfig::new(identity::CallerSource::RpidPaiFrom);
        let mut rng = Rng::from_u64(7);
        let mut forwarded = 0;
        for _ in 0..20_000 {
            let mut headers = Headers::new();
            for name in &names {
                let mut value = Vec::new();
                for _ in 0..rng.below(12) {
                    let piece = usize::try_from(rng.below(40)).unwrap();
                    value.extend_from_slice(PIECES[piece].as_bytes());
                }
                headers.push_raw(name.clone(), &value).unwrap();
            }
            let caller = identity.caller(&headers, true, &());
            let call = screening::IncomingCall {
                headers: &headers,
                request_uri: &own.uri,
                own: &own,
                caller: &caller,
                trusted: true,
                calls: 0,
                now: TimeOfDay::MIDNIGHT,
            };
            forwarded += usize::from(matches!(config.screen(call), screening::Screening::Redirect(_)));
            let ring = alert::AlertConfig::default().resolve(&headers, None).ring;
            assert!(!matches!(ring, alert::Ring::BuiltIn(0 | 6..) | alert::Ring::Bellcore(_)), "{ring:?}");
            if let Some((told, _)) = cause::told(&headers) {
                assert!(!told.words().is_empty());
            }
            assert!(diversion::diversions(&headers).len() <= diversion::MAX_ENTRIES);
            let first: Uri = "sip:b@example.com".parse().unwrap();
            let mut redirection = redirect::Redirection::new(redirect::RedirectConfig::default(), &first);
            redirection.redirected(StatusCode::MOVED_TEMPORARILY, &headers);
            assert!(redirection.next_attempt().is_none_or(|attempt| attempt.target.headers().is_none()));
        }
        assert!(forwarded > 10_000, "most oddities stop no forward: {forwarded}");
    }
}
