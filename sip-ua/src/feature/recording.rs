//! The server records a call because the telephone asks for it: an INFO whose header `Record` says `on` or `off`, without a
//! body (DIN-082, and Yealink's server recording).
//!
//! ```
//! use sidetone_sip_ua::feature::recording::{CallRecording, asked, header};
//! let mut recording = CallRecording::default();
//! assert_eq!(recording.press(), Some(true));
//! assert_eq!(asked(&header(true)), Some(true));
//! recording.answered(true);
//! assert!(recording.is_on());
//! ```

use sidetone_sip_core::{HeaderName, Headers};

/// The name of the header.
pub const RECORD: HeaderName = HeaderName::from_static("Record");

/// The header that asks the server to record, or to stop.
#[must_use]
pub fn header(on: bool) -> Headers {
    let mut headers = Headers::new();
    // Plain words: no line ends that a header could not take.
    let _ = headers.push_raw(RECORD, if on { "on" } else { "off" });
    headers
}

/// What a request asks for; `None` when it asks for nothing that can be read.
#[must_use]
pub fn asked(headers: &Headers) -> Option<bool> {
    let name = RECORD;
    let value = headers.raw_all(&name).next()?;
    match value.trim_ascii() {
        value if value.eq_ignore_ascii_case(b"on") => Some(true),
        value if value.eq_ignore_ascii_case(b"off") => Some(false),
        _ => None,
    }
}

/// Whether a request says anything about recording.
pub(crate) fn is_asked(headers: &Headers) -> bool {
    headers.contains(&RECORD)
}

/// Whether a call of the telephone's is recorded by the server. What the server takes counts, not what was pressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct CallRecording {
    on: bool,
    /// What was asked for and is not answered.
    asking: Option<bool>,
}

impl CallRecording {
    /// The key was pressed: what to ask for. `None` while the answer to the last press is waited for.
    pub const fn press(&mut self) -> Option<bool> {
        if self.asking.is_some() {
            return None;
        }
        self.asking = Some(!self.on);
        self.asking
    }

    /// The server took what was asked for, or refused it. Says whether the call is recorded now.
    pub const fn answered(&mut self, taken: bool) -> bool {
        if let Some(on) = self.asking
            && taken
        {
            self.on = on;
        }
        self.asking = None;
        self.on
    }

    /// Whether the call is recorded: the sign on the screen, and the key's lamp (DIN-200).
    #[must_use]
    pub const fn is_on(self) -> bool {
        self.on
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_press_counts_once_the_server_has_taken_it() {
        let mut recording = CallRecording::default();
        assert_eq!((recording.press(), recording.press()), (Some(true), None));
        assert!(!recording.answered(false));
        assert_eq!(recording.press(), Some(true));
        assert!(recording.answered(true));
        assert_eq!(recording.press(), Some(false));
        assert!(recording.answered(false), "it goes on when the server does not stop");
        assert_eq!(recording.press(), Some(false));
        assert!(!recording.answered(true));
        assert!(!recording.answered(true), "nobody asked");
    }

    #[test]
    fn the_header_is_read_in_any_case() {
        let read = |value: &str| {
            let mut headers = Headers::new();
            headers.push_raw(HeaderName::from_static("record"), value).unwrap();
            asked(&headers)
        };
        assert_eq!(
            [read("on"), read(" ON "), read("Off"), read("pause")],
            [Some(true), Some(true), Some(false), None]
        );
        assert_eq!(asked(&Headers::new()), None);
        assert_eq!((asked(&header(true)), asked(&header(false))), (Some(true), Some(false)));
    }
}
