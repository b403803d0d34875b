//! Calls that a 3xx sends elsewhere: whom to try next, and loops stopped (RFC 3261 §8.1.3.4).
//!
//! What the Contacts of each status mean (RFC 3261 §21.3): those of 300, 301 and 302 are called in the place of the target;
//! that of 305 is a proxy by which the same target is called once more; those of 380 are services of another kind, which its
//! body describes in no form that the RFC defines, so that nobody is called by themselves.

use alloc::vec::Vec;
use sidetone_sip_core::header::{Contact, Diversion, Header, HistoryInfo};
use sidetone_sip_core::{Headers, Host, Scheme, StatusCode, Uri};

use super::diversion::MAX_ENTRIES;

/// What redirections are followed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RedirectConfig {
    /// Whether they are followed at all, and on whose word. Default: [`Follow::Always`].
    pub follow: Follow,
    /// How many targets are tried for one call, whoever named them. Default 8.
    pub most_targets: usize,
    /// How many redirections one after the other: by a target that a redirection named, and so on. Default 5.
    pub most_depth: usize,
    /// Whether `tel` targets are taken; the call to them goes through the account's server. Default: yes.
    pub tel: bool,
    /// Whether a call to a `sips` address may go to a `sip` one. Default: no (RFC 3261 §8.1.3.4 wants the user's word).
    pub insecure: bool,
    /// To which hosts calls may be sent; empty for all. Default: empty.
    pub hosts: Vec<Host>,
    /// Whether the call to a new target has a Call-ID of its own, as Yealink's flows have it (YLC-008); else the same one with
    /// a higher CSeq, as RFC 3261 §8.1.3.4 recommends. Default: a new one.
    pub new_call_id: bool,
}

/// Who says whether a redirection is followed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Follow {
    /// Nobody: the 3xx ends the call, and its addresses are told.
    Never,
    /// The user, for each 3xx that names new targets.
    Ask,
    /// The settings.
    #[default]
    Always,
}

impl Default for RedirectConfig {
    fn default() -> Self {
        Self {
            follow: Follow::Always,
            most_targets: 8,
            most_depth: 5,
            tel: true,
            insecure: false,
            hosts: Vec::new(),
            new_call_id: true,
        }
    }
}

/// A target to try.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Attempt {
    /// Whom to call.
    pub target: Uri,
    /// By which proxy: the Contact of a 305. The INVITE has it as its Route.
    pub proxy: Option<Uri>,
    /// Diversion and History-Info of the 3xx, which the INVITE takes along.
    pub headers: Headers,
    /// Whether the INVITE begins a Call-ID of its own.
    pub new_call_id: bool,
}

/// The targets of one call that was redirected. It holds as many as [`RedirectConfig::most_targets`] says, and no more.
#[derive(Clone, Debug)]
pub struct Redirection {
    config: RedirectConfig,
    secure: bool,
    /// Whom the last attempt went to.
    current: Uri,
    /// Every target that was ever named, as addresses without what does not tell them apart, and by which proxy.
    seen: Vec<(Uri, Option<Uri>)>,
    /// The next stands last.
    waiting: Vec<(Attempt, usize)>,
    /// How many redirections led to the target that is being tried.
    depth: usize,
}

/// What a 3xx has brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Redirected {
    /// So many new targets.
    Targets(usize),
    /// No new target that may be tried: the list goes on where it was.
    Nothing,
    /// Redirections are not followed, or too many came one after the other.
    Refused,
}

impl Redirection {
    /// For a call to `first`.
    #[must_use]
    pub fn new(config: RedirectConfig, first: &Uri) -> Self {
        let current = first.to_request_uri();
        let seen = alloc::vec![(current.clone(), None)];
        Self { config, secure: first.is_sips(), current, seen, waiting: Vec::new(), depth: 0 }
    }

    /// Takes a 3xx to the last attempt. Its targets come before those that wait, the highest `q` first, and in the order of the
    /// message where `q` is the same; one without `q` counts as 1.
    ///
    /// Takes time in proportion to its contacts times the targets that were named.
    pub fn redirected(&mut self, status: StatusCode, headers: &Headers) -> Redirected {
        let depth = self.depth + 1;
        let follows = self.config.follow != Follow::Never && status.is_redirect();
        if !follows || status == StatusCode::ALTERNATIVE_SERVICE || depth > self.config.most_depth {
            return Redirected::Refused;
        }
        let by_proxy = status == StatusCode::USE_PROXY;
        let mut carried = Headers::new();
        carry::<Diversion>(headers, &mut carried);
        carry::<HistoryInfo>(headers, &mut carried);
        // One more than may be tried would not be tried; the first was not named by a redirection.
        let room = (self.config.most_targets + 1).saturating_sub(self.seen.len());
        // Of an endless list the front is read: enough that a bad start hides no good target.
        let contacts = headers.all::<Contact>().take(self.config.most_targets.saturating_mul(4).min(256));
        let mut targets: Vec<(u16, (Uri, Option<Uri>))> = Vec::new();
        for contact in contacts.flatten() {
            let Some(address) = contact.addr() else { continue };
            // What stands behind a `?` would put headers of the redirector's choice into our request.
            let uri = address.uri.to_request_uri();
            if !self.allowed(&uri) || by_proxy && !uri.is_sip() {
                continue;
            }
            let place = if by_proxy { (self.current.clone(), Some(uri)) } else { (uri, None) };
            if !self.seen.contains(&place) && !targets.iter().any(|(_, known)| *known == place) {
                targets.push((address.q().unwrap_or(1000), place));
            }
        }
        targets.sort_by_key(|(q, _)| core::cmp::Reverse(*q));
        targets.truncate(room);
        let new = targets.len();
        for (_, place) in targets.into_iter().rev() {
            self.seen.push(place.clone());
            let (target, proxy) = place;
            let new_call_id = self.config.new_call_id;
            let attempt = Attempt { target, proxy, headers: carried.clone(), new_call_id };
            self.waiting.push((attempt, depth));
        }
        if new > 0 { Redirected::Targets(new) } else { Redirected::Nothing }
    }

    /// Whom to try next; `None` when all were tried. Asked after a 3xx and after each attempt that failed, but not when a 6xx
    /// ended it, which speaks for all.
    pub fn next_attempt(&mut self) -> Option<Attempt> {
        let (attempt, depth) = self.waiting.pop()?;
        self.depth = depth;
        self.current = attempt.target.clone();
        Some(attempt)
    }

    /// Who waits to be tried, the next one first.
    pub fn targets(&self) -> impl Iterator<Item = &Uri> {
        self.waiting.iter().rev().map(|(attempt, _)| &attempt.target)
    }

    /// How many targets wait.
    #[must_use]
    pub const fn waiting(&self) -> usize {
        self.waiting.len()
    }

    fn allowed(&self, uri: &Uri) -> bool {
        let scheme = match uri.scheme() {
            Scheme::Sips => true,
            Scheme::Sip => !self.secure || self.config.insecure,
            Scheme::Tel => self.config.tel && (!self.secure || self.config.insecure),
            Scheme::Other(_) => false,
        };
        let host = || uri.host().is_none_or(|host| self.config.hosts.contains(&host));
        scheme && (self.config.hosts.is_empty() || host())
    }
}

fn carry<H: Header>(from: &Headers, to: &mut Headers) {
    for value in from.all::<H>().take(MAX_ENTRIES).flatten() {
        to.push(&value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;
    use sidetone_sip_core::HeaderName;

    fn contacts(lines: &[&str]) -> Headers {
        let mut headers = Headers::new();
        for line in lines {
            headers.push_raw(HeaderName::CONTACT, line).unwrap();
        }
        headers
    }

    fn start(config: RedirectConfig) -> Redirection {
        Redirection::new(config, &"sip:b@example.com".parse().unwrap())
    }

    fn drain(redirection: &mut Redirection) -> Vec<String> {
        core::iter::from_fn(|| redirection.next_attempt())
            .map(|attempt| attempt.target.as_str().into())
            .collect()
    }

    const MOVED: StatusCode = StatusCode::MOVED_TEMPORARILY;

    #[test]
    fn targets_are_tried_by_their_q() {
        let mut redirection = start(RedirectConfig::default());
        let list = contacts(&[
            "<sip:low@h>;q=0.1, <sip:first@h>, <sip:second@h>;q=1.0",
            "*",
            "garbage<",
            "<sip:mid@h>;q=0.5",
        ]);
        assert_eq!(redirection.redirected(MOVED, &list), Redirected::Targets(4));
        assert_eq!(drain(&mut redirection), ["sip:first@h", "sip:second@h", "sip:mid@h", "sip:low@h"]);
        assert_eq!(redirection.redirected(MOVED, &list), Redirected::Nothing, "all were tried");
        assert_eq!(redirection.next_attempt(), None);
    }

    #[test]
    fn a_target_that_redirects_is_followed_before_the_others() {
        let mut redirection = start(RedirectConfig::default());
        redirection.redirected(MOVED, &contacts(&["<sip:c@h>, <sip:d@h>;q=0.5"]));
        assert_eq!(redirection.next_attempt().unwrap().target.as_str(), "sip:c@h");
        redirection.redirected(MOVED, &contacts(&["<sip:e@h>, <sip:b@example.com>, <sip:d@h>"]));
        assert_eq!(
            drain(&mut redirection),
            ["sip:e@h", "sip:d@h"],
            "neither the first nor a known one again"
        );
    }

    #[test]
    fn an_endless_chain_and_an_endless_list_end() {
        let mut redirection = start(RedirectConfig { most_targets: 100, ..RedirectConfig::default() });
        let mut tries = 0;
        loop {
            let next = alloc::format!("<sip:n{tries}@h>");
            if redirection.redirected(MOVED, &contacts(&[&next])) != Redirected::Targets(1) {
                break;
            }
            assert!(redirection.next_attempt().is_some());
            tries += 1;
        }
        assert_eq!(tries, 5);
        let many: Vec<String> = (0..1000).map(|number| alloc::format!("<sip:n{number}@h>")).collect();
        let mut redirection = start(RedirectConfig::default());
        redirection.redirected(MOVED, &contacts(&many.iter().map(String::as_str).collect::<Vec<_>>()));
        assert_eq!(redirection.waiting(), 8);
        drain(&mut redirection);
        assert_eq!(
            redirection.redirected(MOVED, &contacts(&["<sip:other@h>"])),
            Redirected::Nothing,
            "eight in all"
        );
    }

    #[test]
    fn only_allowed_targets_are_taken() {
        let list =
            contacts(&["<http://h/>, <mailto:a@h>, <tel:+4930>, <sip:c@good>, <sip:d@bad>, <sips:e@good>"]);
        let cases = [
            (RedirectConfig::default(), &["tel:+4930", "sip:c@good", "sip:d@bad", "sips:e@good"][..]),
            (
                RedirectConfig { tel: false, ..RedirectConfig::default() },
                &["sip:c@good", "sip:d@bad", "sips:e@good"],
            ),
            (
                RedirectConfig { hosts: alloc::vec!["GOOD".parse().unwrap()], ..RedirectConfig::default() },
                &["tel:+4930", "sip:c@good", "sips:e@good"],
            ),
        ];
        for (config, taken) in cases {
            let mut redirection = start(config);
            redirection.redirected(MOVED, &list);
            assert_eq!(drain(&mut redirection), taken);
        }
        let secure: Uri = "sips:b@example.com".parse().unwrap();
        let mut redirection = Redirection::new(RedirectConfig::default(), &secure);
        redirection.redirected(MOVED, &list);
        assert_eq!(drain(&mut redirection), ["sips:e@good"]);
    }

    #[test]
    fn the_redirector_chooses_no_headers_but_its_diversion_is_kept() {
        let mut redirection = start(RedirectConfig { new_call_id: false, ..RedirectConfig::default() });
        let mut moved = contacts(&["<sip:c@h;transport=tcp?Replaces=x&Subject=y>;expires=60"]);
        moved.push_raw(HeaderName::DIVERSION, "<sip:b@example.com>;reason=user-busy").unwrap();
        moved.push_raw(HeaderName::HISTORY_INFO, "<sip:b@example.com>;index=1").unwrap();
        moved.push_raw(HeaderName::SUBJECT, "no").unwrap();
        redirection.redirected(MOVED, &moved);
        let attempt = redirection.next_attempt().unwrap();
        assert_eq!(attempt.target.as_str(), "sip:c@h;transport=tcp");
        assert_eq!((attempt.headers.len(), attempt.new_call_id), (2, false));
        assert!(RedirectConfig::default().new_call_id);
    }

    #[test]
    fn a_305_names_a_proxy_and_not_a_target() {
        let mut redirection = start(RedirectConfig::default());
        let proxies = contacts(&["<sip:p1@h;lr>;q=0.5, <tel:+4930>, <sip:p2@h>"]);
        assert_eq!(redirection.redirected(StatusCode::USE_PROXY, &proxies), Redirected::Targets(2));
        for proxy in ["sip:p2@h", "sip:p1@h;lr"] {
            let attempt = redirection.next_attempt().unwrap();
            assert_eq!(attempt.target.as_str(), "sip:b@example.com");
            assert_eq!(attempt.proxy.unwrap().as_str(), proxy);
        }
        assert_eq!(redirection.redirected(StatusCode::USE_PROXY, &proxies), Redirected::Nothing, "a loop");
    }

    #[test]
    fn what_is_no_redirection_is_refused() {
        let list = contacts(&["<sip:c@h>"]);
        assert_eq!(
            start(RedirectConfig::default()).redirected(StatusCode::BUSY_HERE, &list),
            Redirected::Refused
        );
        assert_eq!(
            start(RedirectConfig::default()).redirected(StatusCode::ALTERNATIVE_SERVICE, &list),
            Redirected::Refused
        );
        let off = RedirectConfig { follow: Follow::Never, ..RedirectConfig::default() };
        assert_eq!(start(off).redirected(MOVED, &list), Redirected::Refused);
        assert_eq!(start(RedirectConfig::default()).redirected(MOVED, &Headers::new()), Redirected::Nothing);
    }
}
