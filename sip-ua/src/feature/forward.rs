//! Where calls go that are not answered here: always, busy, no answer.

use super::ServerCode;
use super::diversion::{self, DiversionMode, DiversionReason};
use super::identity::mark_phone;
use super::number::{self, NumberList};
use alloc::string::String;
use core::time::Duration;
use sidetone_sip_core::header::Contact;
use sidetone_sip_core::{Headers, NameAddr, StatusCode, Uri};

/// The three forwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ForwardKind {
    /// Every call at once.
    Always,
    /// Calls while the line is busy.
    Busy,
    /// Calls that nobody answers in time.
    NoAnswer,
}

impl ForwardKind {
    /// What Diversion and History-Info say of it.
    #[must_use]
    pub const fn reason(self) -> DiversionReason {
        match self {
            Self::Always => DiversionReason::Unconditional,
            Self::Busy => DiversionReason::UserBusy,
            Self::NoAnswer => DiversionReason::NoAnswer,
        }
    }
}

/// One of the three.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ForwardRule {
    /// Whether it is on (Yealink `forward.always.enable` and so on). Default: no.
    pub enabled: bool,
    /// A number, `user@host` or a URI (Yealink `forward.always.target`, up to 32 characters). Empty: the rule does nothing.
    pub target: String,
    /// The server's codes (Yealink `forward.always.on_code`, `.off_code`).
    pub code: ServerCode,
}

impl ForwardRule {
    /// A rule that is on.
    #[must_use]
    pub fn to(target: impl Into<String>) -> Self {
        Self { enabled: true, target: target.into(), code: ServerCode::default() }
    }
}

/// The forwards of the telephone or of an account; [`Scoped`](super::Scoped) holds both (DIN-065).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ForwardConfig {
    /// Every call.
    pub always: ForwardRule,
    /// Calls while busy.
    pub busy: ForwardRule,
    /// Calls that are not answered.
    pub no_answer: ForwardRule,
    /// How long a call rings before the third. Default 12 s (Yealink `forward.no_answer.timeout`, 2 rings of 6 s).
    pub ring_time: Duration,
    /// Whether calls may go to other countries (Yealink `forward.international.enable`). Default: yes.
    pub international: bool,
    /// What numbers of other countries begin with, besides `+`. Default `00`.
    pub international_prefix: String,
    /// Where calls may go at all; empty for everywhere. Default: empty.
    pub allowed: NumberList,
    /// Whether the server has taken the forwards over: then none is done here (YLA-089). Default: no.
    pub at_server: bool,
    /// What Diversion says (Panasonic `SIP_ADD_DIVERSION_n`). Default: our own diversion.
    pub diversion: DiversionMode,
    /// Whether History-Info is written as well. Default: yes.
    pub history: bool,
    /// How often a call may have been diverted before it is not forwarded again. Default 10.
    pub most_diversions: u32,
    /// Whether the target is marked `user=phone` when it is a number. Default: no.
    pub user_phone: bool,
    /// Whether forwarding hides our own address. Default: no.
    pub hidden: bool,
}

impl Default for ForwardConfig {
    fn default() -> Self {
        Self {
            always: ForwardRule::default(),
            busy: ForwardRule::default(),
            no_answer: ForwardRule::default(),
            ring_time: Self::rings(2),
            international: true,
            international_prefix: "00".into(),
            allowed: NumberList::new(),
            at_server: false,
            diversion: DiversionMode::Own,
            history: true,
            most_diversions: 10,
            user_phone: false,
            hidden: false,
        }
    }
}

/// An incoming call, as far as forwarding asks.
#[derive(Clone, Copy, Debug)]
pub struct ForwardedCall<'a> {
    /// The headers of the INVITE.
    pub headers: &'a Headers,
    /// Its Request-URI.
    pub request_uri: &'a Uri,
    /// The account that is called: whose host a bare number gets, and who diverts.
    pub own: &'a NameAddr,
}

/// Where a call goes.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Redirect {
    /// 302.
    pub status: StatusCode,
    /// Whether a 180 goes out first, when none has: for a busy line too, as Yealink's flow has it (YLC-219).
    pub ring_first: bool,
    /// Why.
    pub reason: DiversionReason,
    /// The new target, which is in the Contact too.
    pub target: Uri,
    /// Contact, Diversion and History-Info of the response.
    pub headers: Headers,
}

/// Why a rule that is on cannot be followed. The call is then treated as if the rule were off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ForwardRefusal {
    /// The target is empty or no address.
    #[error("the forward's target is no address")]
    Target,
    /// The target is in another country.
    #[error("calls may not be forwarded to other countries")]
    International,
    /// The target is not among the allowed.
    #[error("calls may not be forwarded to this number")]
    NotAllowed,
    /// The call would go in a circle.
    #[error("the call goes in a circle")]
    Loop,
}

impl ForwardConfig {
    /// The time of so many rings of 6 s: Yealink's unit (0 to 20), and the cycle of Panasonic's ring count (0, 2 to 20).
    #[must_use]
    pub const fn rings(rings: u8) -> Duration {
        Duration::from_secs(rings as u64 * 6)
    }

    /// The rule of a kind.
    #[must_use]
    pub const fn rule(&self, kind: ForwardKind) -> &ForwardRule {
        match kind {
            ForwardKind::Always => &self.always,
            ForwardKind::Busy => &self.busy,
            ForwardKind::NoAnswer => &self.no_answer,
        }
    }

    /// After which time of ringing [`ForwardKind::NoAnswer`] is due; `None` when it is off.
    #[must_use]
    pub fn rings_for(&self) -> Option<Duration> {
        let due = self.no_answer.enabled && !self.no_answer.target.is_empty() && !self.at_server;
        due.then_some(self.ring_time)
    }

    /// What to dial when a rule is switched, so that the server switches too.
    #[must_use]
    pub fn code(&self, kind: ForwardKind, on: bool) -> Option<String> {
        let rule = self.rule(kind);
        rule.code.switched_to(on, &rule.target)
    }

    /// Where the call goes; `None` when the rule is off, or the server's.
    ///
    /// # Errors
    /// The rule is on and cannot be followed.
    pub fn forward(
        &self,
        kind: ForwardKind,
        call: ForwardedCall<'_>,
    ) -> Result<Option<Redirect>, ForwardRefusal> {
        let rule = self.rule(kind);
        if !rule.enabled || self.at_server || kind == ForwardKind::NoAnswer && rule.target.trim().is_empty() {
            return Ok(None);
        }
        self.redirect(&rule.target, kind.reason(), kind != ForwardKind::Always, call).map(Some)
    }

    /// Where a call goes that the user sends on by hand while it rings (DIN-067).
    ///
    /// # Errors
    /// It cannot go there.
    pub fn deflect(&self, target: &str, call: ForwardedCall<'_>) -> Result<Redirect, ForwardRefusal> {
        self.redirect(target, DiversionReason::Deflection, true, call)
    }

    fn redirect(
        &self,
        target: &str,
        reason: DiversionReason,
        ring_first: bool,
        call: ForwardedCall<'_>,
    ) -> Result<Redirect, ForwardRefusal> {
        let mut target = address(target, &call.own.uri).ok_or(ForwardRefusal::Target)?;
        let number = number::of_uri(&target).unwrap_or_default();
        let abroad = number.starts_with('+')
            || !self.international_prefix.is_empty()
                && number.starts_with(self.international_prefix.as_str());
        if abroad && !self.international {
            return Err(ForwardRefusal::International);
        }
        if !self.allowed.is_empty() && !self.allowed.matches(&number) {
            return Err(ForwardRefusal::NotAllowed);
        }
        let to_ourselves = target.address_of_record().as_str() == call.own.uri.address_of_record().as_str();
        if to_ourselves || diversion::is_loop(call.headers, &target, self.most_diversions) {
            return Err(ForwardRefusal::Loop);
        }
        if self.user_phone {
            mark_phone(&mut target);
        }
        let mut headers = Headers::new();
        headers.push(&Contact::new(target.clone()));
        let lines = self.diversion.write(call.headers, call.own, reason, self.hidden);
        append(&mut headers, &lines);
        if self.history {
            append(&mut headers, &diversion::write_history(call.headers, call.request_uri, reason, None));
        }
        Ok(Redirect { status: StatusCode::MOVED_TEMPORARILY, ring_first, reason, target, headers })
    }
}

fn append(headers: &mut Headers, more: &Headers) {
    for (name, value) in more.iter() {
        // A value that stood in headers has no line end.
        let _ = headers.push_raw(name, value);
    }
}

/// The address that a person or a setting means: a URI as it is; `user@host` with `sip:`; a number or name at our own host.
#[must_use]
pub fn address(text: &str, own: &Uri) -> Option<Uri> {
    let text = text.trim();
    let schemes = ["sip:", "sips:", "tel:"];
    if schemes
        .iter()
        .any(|scheme| text.get(..scheme.len()).is_some_and(|front| front.eq_ignore_ascii_case(scheme)))
    {
        let uri = Uri::parse(text).ok()?;
        return (uri.scheme() == sidetone_sip_core::Scheme::Tel || uri.is_sip())
            .then(|| uri.to_request_uri());
    }
    if text.contains('@') {
        return Uri::parse(alloc::format!("sip:{text}")).ok().map(|uri| uri.to_request_uri());
    }
    let user = if number::is_number(text) { number::bare(text) } else { text.into() };
    if user.is_empty() || !own.is_sip() {
        return None;
    }
    let build = if own.is_sips() { Uri::sips } else { Uri::sip };
    build(Some(&user), own.host_str(), own.port()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use sidetone_sip_core::HeaderName;

    fn forward(
        config: &ForwardConfig,
        kind: ForwardKind,
        headers: &Headers,
    ) -> Result<Option<Redirect>, ForwardRefusal> {
        let own: NameAddr = "<sip:b@example.com>".parse().unwrap();
        let request_uri: Uri = "sip:b@192.0.2.1:5062".parse().unwrap();
        config.forward(kind, ForwardedCall { headers, request_uri: &request_uri, own: &own })
    }

    fn target(config: &ForwardConfig, kind: ForwardKind) -> Option<String> {
        forward(config, kind, &Headers::new()).unwrap().map(|redirect| redirect.target.as_str().into())
    }

    #[test]
    fn each_kind_has_its_own_target_and_only_always_does_not_ring_first() {
        use ForwardKind::*;
        let config = ForwardConfig {
            always: ForwardRule::to("201"),
            busy: ForwardRule::to("202"),
            no_answer: ForwardRule::to("203"),
            ..ForwardConfig::default()
        };
        for (kind, to, rings, reason) in [
            (Always, "sip:201@example.com", false, "unconditional"),
            (Busy, "sip:202@example.com", true, "user-busy"),
            (NoAnswer, "sip:203@example.com", true, "no-answer"),
        ] {
            let redirect = forward(&config, kind, &Headers::new()).unwrap().unwrap();
            assert_eq!(
                (redirect.target.as_str(), redirect.ring_first, redirect.status.code()),
                (to, rings, 302)
            );
            assert_eq!(redirect.headers.require::<Contact>().unwrap().uri().unwrap().as_str(), to);
            let diversion: sidetone_sip_core::header::Diversion = redirect.headers.require().unwrap();
            assert_eq!(
                (diversion.uri.as_str(), diversion.reason().unwrap().as_ref()),
                ("sip:b@example.com", reason)
            );
            assert_eq!(redirect.headers.raw_all(&HeaderName::HISTORY_INFO).count(), 1);
        }
        assert_eq!(config.rings_for(), Some(Duration::from_secs(12)));
        let off = ForwardConfig::default();
        assert_eq!(
            (target(&off, Always), target(&off, Busy), target(&off, NoAnswer), off.rings_for()),
            (None, None, None, None)
        );
        let at_server = ForwardConfig { at_server: true, ..config };
        assert_eq!((target(&at_server, Always), at_server.rings_for()), (None, None));
    }

    #[test]
    fn targets_are_read_as_people_write_them() {
        for (text, to) in [
            ("201", Some("sip:201@example.com:5070")),
            (" 030-12 345 ", Some("sip:03012345@example.com:5070")),
            ("alice", Some("sip:alice@example.com:5070")),
            ("*98#", Some("sip:*98%23@example.com:5070")),
            ("bob@other.example", Some("sip:bob@other.example")),
            ("sip:bob@other.example;transport=tcp?X=1", Some("sip:bob@other.example;transport=tcp")),
            ("tel:+4930", Some("tel:+4930")),
            ("", None),
            ("a@b@c", None),
            ("sip:", None),
        ] {
            let own: Uri = "sip:b@example.com:5070".parse().unwrap();
            assert_eq!(address(text, &own).as_ref().map(Uri::as_str), to, "{text}");
        }
    }

    #[test]
    fn numbers_abroad_and_others_that_are_not_allowed_are_refused() {
        let always = |to: &str| ForwardConfig { always: ForwardRule::to(to), ..ForwardConfig::default() };
        for (to, international, refused) in [
            ("0049301", true, false),
            ("0049301", false, true),
            ("+49301", false, true),
            ("tel:+49301", false, true),
            ("030", false, false),
        ] {
            let config = ForwardConfig { international, ..always(to) };
            let refusal = forward(&config, ForwardKind::Always, &Headers::new()).err();
            assert_eq!(refusal, refused.then_some(ForwardRefusal::International), "{to}");
        }
        let allowed: NumberList = ["2xx"].into_iter().collect();
        for (to, refusal) in [("201", None), ("301", Some(ForwardRefusal::NotAllowed))] {
            let config = ForwardConfig { allowed: allowed.clone(), ..always(to) };
            assert_eq!(forward(&config, ForwardKind::Always, &Headers::new()).err(), refusal);
        }
        assert_eq!(forward(&always(""), ForwardKind::Always, &Headers::new()), Err(ForwardRefusal::Target));
    }

    #[test]
    fn circles_are_not_entered() {
        let config = ForwardConfig { always: ForwardRule::to("b"), ..ForwardConfig::default() };
        assert_eq!(
            forward(&config, ForwardKind::Always, &Headers::new()),
            Err(ForwardRefusal::Loop),
            "to ourselves"
        );
        let config = ForwardConfig { always: ForwardRule::to("c"), ..ForwardConfig::default() };
        for (diversion, looped) in [
            ("<sip:a@example.com>", false),
            ("<sip:c@example.com>", true),
            ("<sip:a@example.com>;counter=10", true),
        ] {
            let mut headers = Headers::new();
            headers.push_raw(HeaderName::DIVERSION, diversion).unwrap();
            let refusal = forward(&config, ForwardKind::Always, &headers).err();
            assert_eq!(refusal, looped.then_some(ForwardRefusal::Loop), "{diversion}");
        }
    }

    #[test]
    fn codes_carry_the_target() {
        let mut config = ForwardConfig { always: ForwardRule::to("201"), ..ForwardConfig::default() };
        config.always.code = ServerCode::new("*73", "*74");
        let codes: Vec<_> =
            [true, false].iter().map(|on| config.code(ForwardKind::Always, *on).unwrap()).collect();
        assert_eq!(codes, ["*73201", "*74"]);
        assert_eq!(config.code(ForwardKind::Busy, true), None);
    }

    #[test]
    fn a_ringing_call_is_sent_on_by_hand() {
        let own: NameAddr = "<sip:b@example.com>".parse().unwrap();
        let headers = Headers::new();
        let call = ForwardedCall { headers: &headers, request_uri: &own.uri, own: &own };
        let config =
            ForwardConfig { user_phone: true, diversion: DiversionMode::None, ..ForwardConfig::default() };
        let redirect = config.deflect("201", call).unwrap();
        assert_eq!(
            (redirect.target.as_str(), redirect.reason),
            ("sip:201@example.com;user=phone", DiversionReason::Deflection)
        );
        assert!(!redirect.headers.contains(&HeaderName::DIVERSION));
    }
}
