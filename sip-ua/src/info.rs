//! Key presses in INFO requests: `application/dtmf-relay` and `application/dtmf`, as gateways send them.

use sidetone_hal::time::Duration;
use sidetone_sip_core::Request;
use sidetone_sip_core::header::ContentType;

/// The shorter notation: the body is the digit.
pub(crate) const DTMF: ContentType = ContentType::from_static("application", "dtmf");

/// One key press.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeyPress {
    pub(crate) digit: char,
    pub(crate) duration: Option<Duration>,
}

/// The key press that an INFO carries; `None` for any other body.
pub(crate) fn key_press(request: &Request) -> Option<KeyPress> {
    let kind = request.headers.get::<ContentType>()?.ok()?;
    let text = core::str::from_utf8(&request.body).ok()?;
    if kind.is(&DTMF) {
        return Some(KeyPress { digit: digit(text)?, duration: None });
    }
    if !kind.is(&ContentType::DTMF_RELAY) {
        return None;
    }
    let value = |name: &str| {
        text.lines().find_map(|line| {
            let (key, value) = line.split_once('=')?;
            key.trim().eq_ignore_ascii_case(name).then(|| value.trim())
        })
    };
    let duration = value("Duration").and_then(|text| text.parse().ok()).map(Duration::from_millis);
    Some(KeyPress { digit: digit(value("Signal")?)?, duration })
}

/// A digit by its character, or by its number in RFC 4733 (10 is `*`, 11 `#`, 12 to 15 `A` to `D`).
fn digit(text: &str) -> Option<char> {
    match text.trim() {
        "10" => Some('*'),
        "11" => Some('#'),
        "12" => Some('A'),
        "13" => Some('B'),
        "14" => Some('C'),
        "15" => Some('D'),
        text => {
            let mut chars = text.chars();
            let digit = chars.next()?.to_ascii_uppercase();
            let known = matches!(digit, '0'..='9' | '*' | '#' | 'A'..='D') && chars.next().is_none();
            known.then_some(digit)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use sidetone_sip_core::header::HeaderName;
    use sidetone_sip_core::{Method, Uri};

    fn info(kind: &str, body: &'static str) -> Request {
        let uri: Uri = "sip:bob@192.0.2.1".parse().unwrap();
        let mut request = Request::new(Method::INFO, uri);
        request.headers.push_raw(HeaderName::CONTENT_TYPE, kind).unwrap();
        request.body = Bytes::from_static(body.as_bytes());
        request
    }

    #[test]
    fn both_notations_are_understood_and_others_are_not() {
        let ms = |ms| Some(Duration::from_millis(ms));
        let table = [
            ("application/dtmf-relay", "Signal=5\r\nDuration=160\r\n", Some(('5', ms(160)))),
            ("Application/DTMF-Relay", "signal= * \r\nDuration= x\r\n", Some(('*', None))),
            ("application/dtmf-relay", "Signal=11\n", Some(('#', None))),
            ("application/dtmf", "d", Some(('D', None))),
            ("application/dtmf", "16", None),
            ("application/dtmf-relay", "Duration=5\r\n", None),
            ("text/plain", "5", None),
        ];
        for (kind, body, expected) in table {
            let press = key_press(&info(kind, body)).map(|press| (press.digit, press.duration));
            assert_eq!(press, expected, "{kind} {body:?}");
        }
    }
}
