//! Why a call ended, in words: Reason (RFC 3326), Q.850 and SIP causes.

use alloc::string::ToString;
use sidetone_sip_core::header::Reason;
use sidetone_sip_core::{Headers, Params, StatusCode, Text};

/// Reasons of one message that are looked at; one of each protocol is what the RFC allows.
const MAX_REASONS: usize = 8;

/// Why a call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// A SIP status.
    Sip(StatusCode),
    /// A cause of ITU-T Q.850, 1 to 127.
    Q850(u8),
}

impl Cause {
    /// A few English words for the display, as "the number is busy". Never empty.
    #[must_use]
    pub const fn words(&self) -> &'static str {
        match self {
            Self::Sip(status) => status_words(*status),
            Self::Q850(cause) => q850_words(*cause),
        }
    }
}

/// Why a message says that the call ended: its Reason headers, of which Q.850 counts before SIP because it comes from nearer the
/// other end; and the words in it, if it has any.
#[must_use]
pub fn told(headers: &Headers) -> Option<(Cause, Option<Text>)> {
    let reasons = || headers.all::<Reason>().take(MAX_REASONS).flatten();
    let text = |reason: &Reason| {
        let text = reason.text()?;
        Some(Text::from(text.trim())).filter(|text| !text.is_empty())
    };
    let q850 = reasons().find_map(|reason| {
        let cause = u8::try_from(reason.cause()?).ok().filter(|cause| (1..=127).contains(cause))?;
        is(&reason, "Q.850").then(|| (Cause::Q850(cause), text(&reason)))
    });
    q850.or_else(|| {
        reasons().find_map(|reason| {
            let status = StatusCode::new(reason.cause()?)?;
            is(&reason, "SIP").then(|| (Cause::Sip(status), text(&reason)))
        })
    })
}

fn is(reason: &Reason, protocol: &str) -> bool {
    reason.protocol.eq_ignore_ascii_case(protocol)
}

/// What an incoming call that was cancelled while it rang is to the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cancelled {
    /// Nobody took it: a missed call.
    Missed,
    /// Somebody else took it: not missed (RFC 3326 §3.1, `SIP;cause=200`; or Q.850 26).
    AnsweredElsewhere,
    /// Somebody else refused it for all (`SIP;cause=600` or `603`): not missed, but refused.
    RefusedElsewhere,
    /// It was sent on: `SIP;cause=302`.
    Forwarded,
}

/// What a CANCEL, or a BYE before the answer, says of the call.
#[must_use]
pub fn cancelled(headers: &Headers) -> Cancelled {
    let mut verdict = Cancelled::Missed;
    for reason in headers.all::<Reason>().take(MAX_REASONS).flatten() {
        let Some(cause) = reason.cause() else { continue };
        let said = match cause {
            200..=299 if is(&reason, "SIP") => Cancelled::AnsweredElsewhere,
            600 | 603 if is(&reason, "SIP") => Cancelled::RefusedElsewhere,
            300..=399 if is(&reason, "SIP") => Cancelled::Forwarded,
            26 if is(&reason, "Q.850") => Cancelled::AnsweredElsewhere,
            _ => Cancelled::Missed,
        };
        if said != Cancelled::Missed {
            verdict = said;
        }
    }
    // Servers without Reason tell the same in Call-Info or not at all; this form is Cisco's and Asterisk's.
    if verdict == Cancelled::Missed && texts(headers).any(|text| contains(&text, "completed elsewhere")) {
        verdict = Cancelled::AnsweredElsewhere;
    }
    verdict
}

fn texts(headers: &Headers) -> impl Iterator<Item = Text> {
    let reasons = headers.all::<Reason>().take(MAX_REASONS).flatten();
    reasons.filter_map(|reason| reason.text().map(|text| Text::from(text.as_ref())))
}

fn contains(text: &str, words: &str) -> bool {
    text.as_bytes().windows(words.len()).any(|part| part.eq_ignore_ascii_case(words.as_bytes()))
}

/// Why we end or cancel a call, for the Reason that we send (RFC 3326 §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EndReason {
    /// The user hung up.
    HungUp,
    /// Another branch has answered: for the CANCEL to the others, so that they show no missed call.
    CompletedElsewhere,
    /// Another branch has refused for all.
    RefusedElsewhere,
    /// The call goes elsewhere: for the CANCEL to those that rang before a forward.
    Forwarded,
    /// Nobody answered in time.
    NoAnswer,
    /// No media for too long.
    MediaLost,
    /// The session timer ran out.
    SessionExpired,
    /// A transfer has put another call into the place of this one.
    Replaced,
}

/// The Reason headers of a CANCEL or BYE.
#[must_use]
pub fn headers(reason: EndReason) -> Headers {
    let mut headers = Headers::new();
    match reason {
        EndReason::HungUp => headers.push(&q850(16)),
        EndReason::CompletedElsewhere => headers.push(&Reason::sip(200, "Call completed elsewhere")),
        EndReason::RefusedElsewhere => headers.push(&Reason::sip(603, "Declined elsewhere")),
        EndReason::Forwarded => headers.push(&Reason::sip(302, "Call forwarded")),
        EndReason::NoAnswer => headers.push(&q850(19)),
        EndReason::MediaLost => {
            headers.push(&Reason::sip(408, "No media"));
            headers.push(&q850(38));
        }
        EndReason::SessionExpired => headers.push(&Reason::sip(408, "Session timer expired")),
        EndReason::Replaced => headers.push(&Reason::sip(200, "Call replaced")),
    }
    headers
}

/// A Reason of Q.850 with the words of the cause.
#[must_use]
pub fn q850(cause: u8) -> Reason {
    let mut params = Params::new();
    params.set("cause", &cause.to_string());
    params.set("text", q850_name(cause));
    Reason { protocol: Text::from_static("Q.850"), params }
}

/// The cause that a gateway gives the telephone network for a SIP status (RFC 3398 §8.2.6.1); 31 for those that it does not name.
#[must_use]
pub const fn q850_of(status: StatusCode) -> u8 {
    match status.code() {
        200..=299 => 16,
        401 | 402 | 403 | 407 | 603 | 607 | 608 => 21,
        404 | 604 => 1,
        405 => 63,
        406 | 415 | 501 => 79,
        408 | 504 => 102,
        410 => 22,
        413 | 414 | 416 | 420 | 421 | 423 | 505 | 513 => 127,
        480 => 18,
        400 | 481 | 500 | 503 => 41,
        482 | 483 => 25,
        484 => 28,
        485 => 1,
        486 | 600 => 17,
        488 | 606 => 65,
        502 => 38,
        _ => 31,
    }
}

/// The status that a gateway answers with for a cause of the telephone network (RFC 3398 §7.2.4.1); 500 for those it does not name.
/// Cause 16 is the usual end of a call; in place of an answer it is 480.
#[must_use]
pub const fn status_of(cause: u8) -> StatusCode {
    match cause {
        1..=3 => StatusCode::NOT_FOUND,
        16 | 19 | 20 | 31 => StatusCode::TEMPORARILY_UNAVAILABLE,
        17 => StatusCode::BUSY_HERE,
        18 => StatusCode::REQUEST_TIMEOUT,
        21 => StatusCode::FORBIDDEN,
        22 => StatusCode::GONE,
        23 => StatusCode::GONE,
        26 => StatusCode::NOT_FOUND,
        27 => StatusCode::BAD_GATEWAY,
        28 => StatusCode::ADDRESS_INCOMPLETE,
        29 | 79 => StatusCode::NOT_IMPLEMENTED,
        34 | 38 | 41 | 42 | 47 | 58 => StatusCode::SERVICE_UNAVAILABLE,
        55 | 57 | 87 => StatusCode::FORBIDDEN,
        65 | 70 => StatusCode::NOT_ACCEPTABLE_HERE,
        88 => StatusCode::SERVICE_UNAVAILABLE,
        102 => StatusCode::SERVER_TIMEOUT,
        _ => StatusCode::SERVER_INTERNAL_ERROR,
    }
}

/// What a status is to a person.
#[must_use]
pub const fn status_words(status: StatusCode) -> &'static str {
    match status.code() {
        100..=199 => "the call is on its way",
        200..=299 => "the call is over",
        300..=399 => "the number has moved",
        401 | 407 => "the server does not accept the password",
        402 => "the call must be paid for",
        403 => "the call is not allowed",
        404 | 604 => "the number does not exist",
        405 | 501 => "the other side cannot do this",
        406 | 415 | 488 | 606 => "the other side has no suitable codec",
        408 => "nobody answers",
        410 => "the number is no longer in use",
        416 => "addresses of this kind are not understood",
        422 | 423 => "the server wants longer intervals",
        428 | 436 | 437 | 438 => "the server does not trust the caller's number",
        430 | 439 => "the connection to the server is lost",
        433 => "anonymous calls are not accepted",
        480 => "nobody can be reached there now",
        481 => "the call is no longer there",
        482 | 483 | 440 => "the call goes in a circle",
        484 => "the number is not complete",
        485 => "the number is not unique",
        486 | 600 => "the number is busy",
        487 => "the call was cancelled",
        491 => "another change of the call is under way",
        493 | 494 => "the call is not secure enough",
        503 => "the server is overloaded or out of service",
        504 => "the server does not reach the other side",
        603 => "the call was declined",
        607 => "the call is unwanted",
        608 => "the call was blocked on its way",
        400..=499 => "the server does not accept the call",
        500..=599 => "the server has an error",
        _ => "the call was refused",
    }
}

/// What a cause of Q.850 is to a person.
#[must_use]
pub const fn q850_words(cause: u8) -> &'static str {
    match cause {
        1 => "the number does not exist",
        2 | 3 => "there is no way to the number",
        4 => "a special information tone was sent",
        5 => "the prefix is wrong",
        6 | 7 => "the channel cannot be used",
        8 | 9 => "a call with priority took the line",
        16 => "the call is over",
        17 => "the number is busy",
        18 | 19 => "nobody answers",
        20 => "nobody can be reached there now",
        21 => "the call was declined",
        22 => "the number has changed",
        23 => "the call goes to another number",
        24 | 87 => "the call is not allowed",
        25 => "the call goes in a circle",
        26 => "the call was answered elsewhere",
        27 => "the line is out of order",
        28 => "the number is not complete",
        34 | 42 | 44 | 46 | 47 | 49 => "all lines are busy",
        38 | 39 | 40 | 41 | 43 => "the network is disturbed",
        50..=57 => "the service is not allowed on this line",
        58 | 63 => "the service is not available now",
        65..=79 => "the network does not offer the service",
        88 => "the other side is a device of another kind",
        81..=86 | 91 | 95..=101 | 103 | 110 | 111 => "the network did not understand the call",
        102 => "the network did not answer in time",
        _ => "the call was interrupted",
    }
}

/// The name of a cause in Q.850, as it is sent in `text`.
#[must_use]
pub const fn q850_name(cause: u8) -> &'static str {
    match cause {
        1 => "Unallocated (unassigned) number",
        2 => "No route to specified transit network",
        3 => "No route to destination",
        4 => "Send special information tone",
        5 => "Misdialled trunk prefix",
        6 => "Channel unacceptable",
        7 => "Call awarded and being delivered in an established channel",
        8 => "Preemption",
        9 => "Preemption - circuit reserved for reuse",
        14 => "Query on release: ported number",
        16 => "Normal call clearing",
        17 => "User busy",
        18 => "No user responding",
        19 => "No answer from user (user alerted)",
        20 => "Subscriber absent",
        21 => "Call rejected",
        22 => "Number changed",
        23 => "Redirection to new destination",
        24 => "Call rejected due to feature at the destination",
        25 => "Exchange routing error",
        26 => "Non-selected user clearing",
        27 => "Destination out of order",
        28 => "Invalid number format (address incomplete)",
        29 => "Facility rejected",
        30 => "Response to STATUS ENQUIRY",
        31 => "Normal, unspecified",
        34 => "No circuit/channel available",
        38 => "Network out of order",
        39 => "Permanent frame mode connection out of service",
        40 => "Permanent frame mode connection operational",
        41 => "Temporary failure",
        42 => "Switching equipment congestion",
        43 => "Access information discarded",
        44 => "Requested circuit/channel not available",
        46 => "Precedence call blocked",
        47 => "Resource unavailable, unspecified",
        49 => "Quality of service not available",
        50 => "Requested facility not subscribed",
        53 => "Outgoing calls barred within CUG",
        55 => "Incoming calls barred within CUG",
        57 => "Bearer capability not authorized",
        58 => "Bearer capability not presently available",
        62 => "Inconsistency in designated outgoing access information and subscriber class",
        63 => "Service or option not available, unspecified",
        65 => "Bearer capability not implemented",
        66 => "Channel type not implemented",
        69 => "Requested facility not implemented",
        70 => "Only restricted digital information bearer capability is available",
        79 => "Service or option not implemented, unspecified",
        81 => "Invalid call reference value",
        82 => "Identified channel does not exist",
        83 => "A suspended call exists, but this call identity does not",
        84 => "Call identity in use",
        85 => "No call suspended",
        86 => "Call having the requested call identity has been cleared",
        87 => "User not member of CUG",
        88 => "Incompatible destination",
        90 => "Non-existent CUG",
        91 => "Invalid transit network selection",
        95 => "Invalid message, unspecified",
        96 => "Mandatory information element is missing",
        97 => "Message type non-existent or not implemented",
        98 => "Message not compatible with call state",
        99 => "Information element non-existent or not implemented",
        100 => "Invalid information element contents",
        101 => "Message not compatible with call state",
        102 => "Recovery on timer expiry",
        103 => "Parameter non-existent or not implemented, passed on",
        110 => "Message with unrecognized parameter discarded",
        111 => "Protocol error, unspecified",
        127 => "Interworking, unspecified",
        _ => "Unknown cause",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sidetone_sip_core::HeaderName;

    fn reason(lines: &[&str]) -> Headers {
        let mut headers = Headers::new();
        for line in lines {
            headers.push_raw(HeaderName::REASON, line).unwrap();
        }
        headers
    }

    #[test]
    fn reasons_are_read_and_told_in_words() {
        for (lines, words, text) in [
            (&["Q.850;cause=17;text=\"User busy\""][..], Some("the number is busy"), Some("User busy")),
            (&["SIP;cause=486"], Some("the number is busy"), None),
            (&["SIP;cause=503;text=\"x\", Q.850;cause=34"], Some("all lines are busy"), None),
            (&["Q.850;cause=0", "SIP;cause=404;text=\"\""], Some("the number does not exist"), None),
            (&["q.850 ;cause=16"], Some("the call is over"), None),
            (&["Q.850;cause=300"], None, None),
            (&["SIP;cause=abc"], None, None),
            (&["preemption;cause=1"], None, None),
            (&["", "SIP;cause=408"], Some("nobody answers"), None),
            (&[], None, None),
        ] {
            let told = told(&reason(lines));
            assert_eq!(told.as_ref().map(|(cause, _)| cause.words()), words, "{lines:?}");
            assert_eq!(told.and_then(|(_, text)| text).as_deref(), text, "{lines:?}");
        }
    }

    #[test]
    fn a_call_that_others_took_is_not_missed() {
        for (lines, verdict) in [
            (&[][..], Cancelled::Missed),
            (&["SIP;cause=200;text=\"Call completed elsewhere\""], Cancelled::AnsweredElsewhere),
            (&["Q.850;cause=26"], Cancelled::AnsweredElsewhere),
            (&["Q.850;cause=16, SIP;cause=200"], Cancelled::AnsweredElsewhere),
            (&["Pbx;text=\"call Completed Elsewhere\""], Cancelled::AnsweredElsewhere),
            (&["SIP;cause=603"], Cancelled::RefusedElsewhere),
            (&["SIP;cause=600"], Cancelled::RefusedElsewhere),
            (&["SIP;cause=302"], Cancelled::Forwarded),
            (&["SIP;cause=487"], Cancelled::Missed),
            (&["Q.850;cause=200"], Cancelled::Missed),
        ] {
            assert_eq!(cancelled(&reason(lines)), verdict, "{lines:?}");
        }
    }

    #[test]
    fn what_is_sent_is_understood_by_ourselves() {
        assert_eq!(cancelled(&headers(EndReason::CompletedElsewhere)), Cancelled::AnsweredElsewhere);
        assert_eq!(cancelled(&headers(EndReason::RefusedElsewhere)), Cancelled::RefusedElsewhere);
        assert_eq!(cancelled(&headers(EndReason::Forwarded)), Cancelled::Forwarded);
        assert_eq!(cancelled(&headers(EndReason::NoAnswer)), Cancelled::Missed);
        assert_eq!(told(&headers(EndReason::HungUp)).unwrap().0, Cause::Q850(16));
        assert_eq!(told(&headers(EndReason::MediaLost)).unwrap().0, Cause::Q850(38));
        assert_eq!(
            headers(EndReason::HungUp).raw(&HeaderName::REASON).unwrap(),
            b"Q.850;cause=16;text=\"Normal call clearing\""
        );
    }

    #[test]
    fn causes_and_statuses_go_over_into_each_other() {
        for (status, cause) in [
            (400, 41),
            (486, 17),
            (404, 1),
            (480, 18),
            (403, 21),
            (484, 28),
            (488, 65),
            (503, 41),
            (504, 102),
            (410, 22),
            (699, 31),
        ] {
            assert_eq!(q850_of(StatusCode::new(status).unwrap()), cause, "{status}");
        }
        for (cause, status) in [
            (1, 404),
            (17, 486),
            (18, 408),
            (19, 480),
            (21, 403),
            (28, 484),
            (34, 503),
            (102, 504),
            (65, 488),
            (255, 500),
        ] {
            assert_eq!(status_of(cause).code(), status, "{cause}");
        }
        for code in 100..700 {
            let status = StatusCode::new(code).unwrap();
            assert!(!status_words(status).is_empty());
            assert!((1..=127).contains(&q850_of(status)), "{code}");
        }
        for cause in 1..=127 {
            assert!(!q850_words(cause).is_empty() && !q850_name(cause).is_empty());
            assert!(status_of(cause).code() >= 400);
        }
    }
}
