//! The package `refer` (RFC 3515): the progress of a referred request, as a fragment of a message (RFC 3420).
//!
//! ```
//! use sidetone_sip_core::StatusCode;
//! use sidetone_sip_ua::package::sipfrag::{Outcome, Progress};
//! let progress = Progress::parse(b"SIP/2.0 180 Ringing\r\n").unwrap();
//! assert_eq!((progress.status, progress.outcome()), (StatusCode::RINGING, Outcome::Proceeding));
//! assert_eq!(Progress::new(StatusCode::OK).write(), b"SIP/2.0 200 OK\r\n");
//! ```

use super::PackageError;
use super::xml::loose_text;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use bytes::Bytes;
use sidetone_sip_core::header::ContentType;
use sidetone_sip_core::{Fragment, FragmentStart, Headers, Limits, StatusCode, Text};

/// The name of the package, as Event has it.
pub const EVENT: &str = "refer";
/// A reason phrase at most, in characters; the rest is left out. A display shows less.
const MAX_REASON: usize = 256;

/// How far the referred request got: the answer to it, or the last one so far.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Progress {
    /// The answer.
    pub status: StatusCode,
    /// The answer for people, as it was sent.
    pub reason: String,
    /// Headers of the answer, if the fragment has any that can be read: `Reason`, `Warning`, `Contact`.
    pub headers: Headers,
}

/// What a transferor does about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// 100: the request is under way.
    Trying,
    /// 101 to 199: somebody is being reached.
    Proceeding,
    /// 2xx: it is done.
    Succeeded,
    /// 300 and above: it came to nothing.
    Failed(StatusCode),
}

impl Outcome {
    /// What an answer comes to.
    #[must_use]
    pub fn of(status: StatusCode) -> Self {
        match status.code() {
            ..=100 => Self::Trying,
            101..=199 => Self::Proceeding,
            200..=299 => Self::Succeeded,
            _ => Self::Failed(status),
        }
    }

    /// Whether nothing follows.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed(_))
    }
}

impl Progress {
    /// An answer with its usual reason phrase, no headers.
    #[must_use]
    pub fn new(status: StatusCode) -> Self {
        Self { status, reason: status.reason().into(), headers: Headers::new() }
    }

    /// The same with another reason phrase.
    #[must_use]
    pub fn with_reason(mut self, reason: &str) -> Self {
        self.reason = reason.chars().take(MAX_REASON).collect();
        self
    }

    /// What it comes to.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        Outcome::of(self.status)
    }

    /// Whether a body of this type is a fragment; the `version` may be missing, or be another.
    #[must_use]
    pub fn is_kind(kind: &ContentType) -> bool {
        kind.is(&ContentType::SIPFRAG)
    }

    /// Reads a body. Besides what RFC 3420 has, these are read as they are met: no line end or none but LF, no
    /// `SIP/2.0` (`200 OK`), no reason phrase (`200`), lines after the first that are no headers.
    ///
    /// # Errors
    /// The first line has no status.
    pub fn parse(body: &[u8]) -> Result<Self, PackageError> {
        let text = loose_text(body);
        let mut fragment = Vec::with_capacity(text.len() + 4);
        fragment.extend_from_slice(text.as_bytes());
        fragment.extend_from_slice(b"\r\n\r\n");
        if let Ok(Fragment { start: Some(FragmentStart::Response { status, reason }), headers, .. }) =
            Fragment::parse(&Bytes::from(fragment), &Limits::default())
        {
            return Ok(Self { status, reason: String::new(), headers }.with_reason(&reason));
        }
        let line = text.lines().next().unwrap_or_default().trim();
        let (status, reason) = status_line(line).ok_or_else(|| {
            let shown: String = line.chars().take(MAX_REASON).collect();
            PackageError::new(1, 1, format!("expected a status line as SIP/2.0 200 OK, found {shown:?}"))
        })?;
        Ok(Self { status, reason: String::new(), headers: Headers::new() }.with_reason(reason))
    }

    /// The body as it is sent, of the type [`Fragment::content_type`].
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        let mut fragment = Fragment::response(self.status);
        if let Some(FragmentStart::Response { reason, .. }) = &mut fragment.start
            && !self.reason.is_empty()
        {
            let clean: String = self.reason.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
            *reason = Text::from(clean);
        }
        fragment.headers = self.headers.clone();
        fragment.to_bytes()
    }
}

/// The status and the reason phrase of a line that is almost a status line.
fn status_line(line: &str) -> Option<(StatusCode, &str)> {
    let has_version = line.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("SIP/"));
    let rest = if has_version { line.split_once(char::is_whitespace)?.1.trim_start() } else { line };
    let (digits, reason) = rest.split_at_checked(3)?;
    // More digits, or letters right after, are another word.
    if reason.chars().next().is_some_and(|next| !next.is_whitespace()) {
        return None;
    }
    let digits = digits.bytes().all(|byte| byte.is_ascii_digit()).then_some(digits)?;
    Some((StatusCode::new(digits.parse().ok()?)?, reason.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use sidetone_sip_core::header::Reason;

    fn read(text: &str) -> Progress {
        Progress::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn what_is_written_is_a_status_line_of_its_type() {
        assert_eq!(Progress::new(StatusCode::TRYING).write(), b"SIP/2.0 100 Trying\r\n");
        let busy = Progress::new(StatusCode::BUSY_HERE).with_reason("Engaged\r\nEvil: 1");
        assert_eq!(busy.write(), b"SIP/2.0 486 Engaged  Evil: 1\r\n");
        assert_eq!(
            read("SIP/2.0 486 Engaged\r\n"),
            Progress::new(StatusCode::BUSY_HERE).with_reason("Engaged")
        );
        assert_eq!(Fragment::content_type().to_string(), "message/sipfrag;version=2.0");
        assert!(Progress::is_kind(&"message/sipfrag".parse().unwrap()));
        assert!(Progress::is_kind(&"Message/SIPfrag;version=\"2.0\"".parse().unwrap()));
        assert!(!Progress::is_kind(&"application/sdp".parse().unwrap()));
    }

    #[test]
    fn forms_of_the_wild_are_read() {
        for ok in [
            "SIP/2.0 200 OK\r\n",
            "SIP/2.0 200 OK\r\n\r\n",
            "SIP/2.0 200 OK",
            "SIP/2.0 200 OK\n",
            "SIP/2.0 200 OK\0",
            "\r\nSIP/2.0 200 OK\r\n",
            "sip/2.0 200 OK\r\n",
            "SIP/2.0  200   OK\r\n",
            "SIP/2.0 200\r\n",
            "200 OK\r\n",
            "200",
            "SIP/2.0 200 OK\r\nthis is no header\r\n",
            "SIP/2.0 200 OK\r\nVia SIP/2.0/UDP a\r\nTo: <sip:a@b>\r\n",
            "SIP/2.0 200 OK\r\nContent-Length: 999\r\n\r\nshort",
        ] {
            assert_eq!(read(ok).outcome(), Outcome::Succeeded, "{ok:?}");
        }
        let with_headers = read("SIP/2.0 603 Decline\r\nReason: Q.850;cause=21\r\nContent-Length: 0\r\n\r\n");
        assert_eq!(with_headers.reason, "Decline");
        assert!(with_headers.headers.get::<Reason>().unwrap().is_ok());
    }

    #[test]
    fn statuses_come_to_an_outcome() {
        let outcome = |code| Outcome::of(StatusCode::new(code).unwrap());
        assert_eq!(outcome(100), Outcome::Trying);
        assert_eq!(outcome(183), Outcome::Proceeding);
        assert_eq!(outcome(202), Outcome::Succeeded);
        assert_eq!(outcome(302), Outcome::Failed(StatusCode::new(302).unwrap()));
        assert!(!outcome(180).is_final() && outcome(200).is_final() && outcome(503).is_final());
    }

    #[test]
    fn what_has_no_status_is_refused_in_words() {
        for wrong in [
            "",
            "\r\n",
            "SIP/2.0",
            "SIP/2.0 OK",
            "SIP/2.0 2000 OK",
            "20",
            "099 x",
            "INVITE sip:a@b SIP/2.0",
            "ü",
        ] {
            let error = Progress::parse(wrong.as_bytes()).unwrap_err();
            assert!(error.what.contains("expected a status line"), "{wrong:?}: {error}");
        }
        assert!(Progress::parse(&[0xff; 64]).is_err());
        let long = format!("SIP/2.0 500 {}\r\n", "x".repeat(100_000));
        assert!(read(&long).reason.len() <= MAX_REASON);
    }
}
