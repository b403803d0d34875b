//! What a diverted INVITE says of its way: Diversion (RFC 5806), History-Info (RFC 7044), and the URI of an
//! application (RFC 4458).

use sidetone_sip_core::header::{Diversion, HistoryIndex, HistoryInfo, HistoryTarget, Reason};
use sidetone_sip_core::{Request, Uri};

/// Why a call was sent on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    Unconditional,
    Busy,
    DoNotDisturb,
    NoAnswer,
    Unavailable,
    /// The telephone answered 3xx.
    Deflection,
}

/// Somebody who sent a call on.
#[derive(Clone, Debug)]
pub(super) struct Hop {
    pub(super) user: String,
    pub(super) cause: Cause,
}

impl Cause {
    /// RFC 5806 §4.
    pub(super) const fn reason(self) -> &'static str {
        match self {
            Self::Unconditional => "unconditional",
            Self::Busy => "user-busy",
            Self::DoNotDisturb => "do-not-disturb",
            Self::NoAnswer => "no-answer",
            Self::Unavailable => "unavailable",
            Self::Deflection => "deflection",
        }
    }

    /// RFC 4458 §3.
    pub(super) const fn code(self) -> u16 {
        match self {
            Self::Unconditional => 302,
            Self::Busy | Self::DoNotDisturb => 486,
            Self::NoAnswer => 408,
            Self::Unavailable => 404,
            Self::Deflection => 480,
        }
    }

    /// The status that stands for it in a Reason.
    const fn status(self) -> (u16, &'static str) {
        match self {
            Self::Unconditional | Self::Deflection => (302, "Moved Temporarily"),
            Self::Busy | Self::DoNotDisturb => (486, "Busy Here"),
            Self::NoAnswer => (408, "Request Timeout"),
            Self::Unavailable => (480, "Temporarily Unavailable"),
        }
    }
}

impl Hop {
    /// The `target` of an application's URI: for whom the call was.
    pub(super) fn target_param(&self, like: &Uri) -> String {
        // The host tells nothing here, but the parameter is a URI.
        address(like, &self.user).to_string()
    }
}

/// Says in a diverted request where it was. `asked` is the Request-URI that it came with, and `target` where it goes now.
pub(super) fn mark(request: &mut Request, asked: &Uri, trail: &[Hop], target: &str) {
    if trail.is_empty() {
        return;
    }
    // The latest stands first.
    for hop in trail {
        let diversion = Diversion::new(address(asked, &hop.user)).with_reason(hop.cause.reason());
        request.headers.push_front(&diversion.with_counter(1));
    }
    let last = request.headers.all::<HistoryInfo>().filter_map(Result::ok).last();
    let mut index =
        last.and_then(|entry| entry.index()).map_or_else(HistoryIndex::first, |index| index.child(1));
    for (at, hop) in trail.iter().enumerate() {
        let (cause, text) = hop.cause.status();
        let mut entry = HistoryInfo::at(address(asked, &hop.user), &index);
        if at > 0
            && let Some(parent) = index.parent()
        {
            entry = entry.with_target(&HistoryTarget::Mapped(parent));
        }
        request.headers.push(&entry.with_reason(&Reason::sip(cause, text)));
        index = index.child(1);
    }
    let mut entry = HistoryInfo::at(address(asked, target), &index);
    if let Some(parent) = index.parent() {
        entry = entry.with_target(&HistoryTarget::Mapped(parent));
    }
    request.headers.push(&entry);
}

/// The address of a user of this server, as the caller wrote its host.
fn address(like: &Uri, user: &str) -> Uri {
    let mut uri = like.address_of_record();
    uri.set_user(Some(user));
    uri
}
