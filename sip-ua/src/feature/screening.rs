//! Whether an incoming call is taken at all: block lists, anonymous callers, do not disturb, forwarding, one after the other.

use super::anonymity::AnonymousRejection;
use super::auto_answer::{self, AnswerPlan, AutoAnswer, AutoAnswerConfig, IntercomConfig};
use super::call_waiting::{CallWaitingConfig, Line};
use super::do_not_disturb::DndConfig;
use super::emergency::EmergencyConfig;
use super::forward::{ForwardConfig, ForwardKind, ForwardRefusal, ForwardedCall, Redirect};
use super::identity::PartyIdentity;
use super::number::{self, NumberList};
use super::rejection::refusing;
use super::{Rejection, TimeOfDay};
use alloc::string::String;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;
use sidetone_sip_core::{Headers, NameAddr, StatusCode, Uri};

/// The addresses of an account's servers: registrar, proxy, presence, and the outbound proxy if there is one (PAB-205).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedServers(Vec<IpAddr>);

impl TrustedServers {
    /// Addresses that are kept: four servers with all that DNS names for each.
    pub const MAX: usize = 64;

    /// None: nobody is trusted.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds an address; says whether there was room.
    pub fn push(&mut self, address: IpAddr) -> bool {
        let (address, room) = (address.to_canonical(), self.0.len() < Self::MAX);
        if room && !self.0.contains(&address) {
            self.0.push(address);
        }
        room
    }

    /// Whether a message from this address is the server's.
    #[must_use]
    pub fn trusts(&self, source: IpAddr) -> bool {
        self.0.contains(&source.to_canonical())
    }
}

impl FromIterator<IpAddr> for TrustedServers {
    /// What is beyond [`TrustedServers::MAX`] is left out.
    fn from_iter<I: IntoIterator<Item = IpAddr>>(addresses: I) -> Self {
        let mut servers = Self::new();
        for address in addresses.into_iter().take(Self::MAX) {
            servers.push(address);
        }
        servers
    }
}

/// A step of screening.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Screen {
    /// Calls from elsewhere than the own server.
    TrustedServer,
    /// The block list.
    BlockList,
    /// Anonymous callers.
    Anonymous,
    /// Do not disturb.
    DoNotDisturb,
    /// Forwarding of every call.
    ForwardAlways,
    /// Intercom and automatic answer.
    AutoAnswer,
    /// Call waiting, and forwarding while busy.
    Busy,
}

impl Screen {
    /// The steps in their default order. The manuals do not give one (Dinstar's sharp corner 48); this one follows what they say of
    /// pairs: DND before every forward (PAA-049), forwarding before ringing (PAB-071), an intercom call barges before the line
    /// counts as busy (YLA-132).
    pub const ORDER: [Self; 7] = [
        Self::TrustedServer,
        Self::BlockList,
        Self::Anonymous,
        Self::DoNotDisturb,
        Self::ForwardAlways,
        Self::AutoAnswer,
        Self::Busy,
    ];
}

/// What becomes of messages that are not the server's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Untrusted {
    /// Nothing is sent, as Panasonic has it (PAA-016): a scanner does not learn that somebody is here.
    Ignore,
    /// They are refused.
    Reject(StatusCode),
}

/// How an account takes calls.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ScreeningConfig {
    /// The steps in their order; one that is missing is not done. Default [`Screen::ORDER`].
    pub order: Vec<Screen>,
    /// Whether only the server may call (Dinstar "Trust SIP server only", Panasonic `SIP_DETECT_SSAF_n`). Default: no.
    pub trusted_only: bool,
    /// What others get then. Default: 403.
    pub untrusted: Untrusted,
    /// Callers who are refused (Dinstar "Blacklist", 100; SayHi "BanList"; Panasonic "Call rejection list", 30). Default: none.
    pub block_list: NumberList,
    /// With which status (the manuals name none; Panasonic `SIP_RESPONSE_CODE_CALL_REJECT`). Default 603.
    pub blocked: StatusCode,
    /// With which status the user's own refusal is sent (Yealink `features.normal_refuse_code`, Dinstar "Reject Response Code",
    /// both 486; Panasonic `SIP_RESPONSE_CODE_CALL_REJECT` 603). Default 486.
    pub refused: StatusCode,
    /// Anonymous callers.
    pub anonymous: AnonymousRejection,
    /// Do not disturb.
    pub dnd: DndConfig,
    /// The forwards.
    pub forward: ForwardConfig,
    /// Call waiting.
    pub call_waiting: CallWaitingConfig,
    /// Automatic answer.
    pub auto_answer: AutoAnswerConfig,
    /// Intercom.
    pub intercom: IntercomConfig,
    /// Calls back from an emergency centre, which no list, DND or forward stops.
    pub emergency: EmergencyConfig,
}

impl Default for ScreeningConfig {
    fn default() -> Self {
        Self {
            order: Screen::ORDER.to_vec(),
            trusted_only: false,
            untrusted: Untrusted::Reject(StatusCode::FORBIDDEN),
            block_list: NumberList::new(),
            blocked: StatusCode::DECLINE,
            refused: StatusCode::BUSY_HERE,
            anonymous: AnonymousRejection::default(),
            dnd: DndConfig::default(),
            forward: ForwardConfig::default(),
            call_waiting: CallWaitingConfig::default(),
            auto_answer: AutoAnswerConfig::default(),
            intercom: IntercomConfig::default(),
            emergency: EmergencyConfig::default(),
        }
    }
}

/// An incoming call.
#[derive(Clone, Copy, Debug)]
pub struct IncomingCall<'a> {
    /// The headers of the INVITE.
    pub headers: &'a Headers,
    /// Its Request-URI.
    pub request_uri: &'a Uri,
    /// The account that is called.
    pub own: &'a NameAddr,
    /// Who calls, as [`IdentityConfig::caller`](super::identity::IdentityConfig::caller) says.
    pub caller: &'a PartyIdentity,
    /// Whether the server sent it ([`TrustedServers::trusts`]).
    pub trusted: bool,
    /// How many other calls are up or ring.
    pub calls: usize,
    /// What the clock on the wall shows.
    pub now: TimeOfDay,
}

/// What becomes of a call.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Screening {
    /// It rings.
    Ring(RingPlan),
    /// It answers itself.
    Answer(AnswerPlan),
    /// It is refused, by this step.
    Reject(Screen, Rejection),
    /// It goes elsewhere.
    Redirect(Redirect),
    /// Nothing is sent.
    Ignore,
}

/// How a call rings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RingPlan {
    /// It waits beside another call.
    pub waiting: bool,
    /// The call waiting tone is played.
    pub waiting_tone: bool,
    /// After this time of ringing, [`ScreeningConfig::unanswered`] says where it goes.
    pub forward_after: Option<Duration>,
    /// Why a forward that is on is not done, for the log.
    pub forward_refused: Option<ForwardRefusal>,
}

impl ScreeningConfig {
    /// The same with the status of the user's own refusal, 400 to 699; any other is 486.
    #[must_use]
    pub const fn with_refused(mut self, status: u16) -> Self {
        self.refused = refusing(status, StatusCode::BUSY_HERE);
        self
    }

    /// How the user's own refusal is sent.
    #[must_use]
    pub const fn refusal(&self) -> Rejection {
        Rejection::new(self.refused)
    }

    /// What becomes of an incoming call: the first step that decides counts, and a call that none of them stops rings.
    ///
    /// Takes time in proportion to the lists.
    #[must_use]
    pub fn screen(&self, call: IncomingCall<'_>) -> Screening {
        let numbers = numbers_of(call.caller);
        let urgent =
            numbers.iter().any(|number| self.emergency.lets_in(Some(number), call.headers, call.trusted))
                || self.emergency.lets_in(None, call.headers, call.trusted);
        let mut ring = RingPlan::default();
        for &step in &self.order {
            if let Some(decision) = self.step(step, call, &numbers, urgent, &mut ring) {
                return decision;
            }
        }
        // DND that somebody was let through still stops the forward (YLA-075): whoever may disturb wants this telephone.
        if !self.dnd.is_active(call.now) && !urgent {
            ring.forward_after = self.forward.rings_for();
        }
        Screening::Ring(ring)
    }

    /// What becomes of a call that rang for [`RingPlan::forward_after`]; `None` lets it ring on.
    #[must_use]
    pub fn unanswered(&self, call: IncomingCall<'_>) -> Option<Redirect> {
        self.forward.forward(ForwardKind::NoAnswer, forwarded(call)).ok().flatten()
    }

    fn step(
        &self,
        step: Screen,
        call: IncomingCall<'_>,
        numbers: &[String],
        urgent: bool,
        ring: &mut RingPlan,
    ) -> Option<Screening> {
        let reject = |rejection| Screening::Reject(step, rejection);
        match step {
            Screen::TrustedServer => (self.trusted_only && !call.trusted).then(|| match self.untrusted {
                Untrusted::Ignore => Screening::Ignore,
                Untrusted::Reject(status) => reject(Rejection::new(status)),
            }),
            Screen::BlockList if !urgent => {
                let blocked = numbers.iter().any(|number| self.block_list.matches(number));
                blocked.then(|| reject(Rejection::new(self.blocked)))
            }
            Screen::Anonymous if !urgent => self.anonymous.rejects(call.headers).map(reject),
            Screen::DoNotDisturb if !urgent => {
                let mut refusals = numbers.iter().map(|number| self.dnd.rejects(call.now, Some(number)));
                // Who is allowed by any form of the number is allowed.
                let refusal = refusals.next().unwrap_or_else(|| self.dnd.rejects(call.now, None))?;
                refusals.all(|refusal| refusal.is_some()).then(|| reject(refusal))
            }
            Screen::ForwardAlways if !urgent => self.try_forward(ForwardKind::Always, call, ring),
            Screen::AutoAnswer => self.answer(call, step),
            Screen::Busy => match self.call_waiting.line(call.calls) {
                Line::Free => None,
                Line::Waiting { tone } => {
                    (ring.waiting, ring.waiting_tone) = (true, tone);
                    None
                }
                Line::Busy => {
                    let forwarded = self.try_forward(ForwardKind::Busy, call, ring);
                    Some(forwarded.unwrap_or_else(|| reject(self.call_waiting.refusal())))
                }
            },
            Screen::BlockList | Screen::Anonymous | Screen::DoNotDisturb | Screen::ForwardAlways => None,
        }
    }

    fn answer(&self, call: IncomingCall<'_>, step: Screen) -> Option<Screening> {
        let uri = Some(call.request_uri);
        match auto_answer::decide(&self.auto_answer, &self.intercom, call.headers, uri, call.calls) {
            // Where no further call fits, barging in does not make room.
            AutoAnswer::Answer(plan) => {
                (call.calls < self.call_waiting.most_calls).then_some(Screening::Answer(plan))
            }
            AutoAnswer::Reject(rejection) => Some(Screening::Reject(step, rejection)),
            AutoAnswer::Ring => None,
        }
    }

    fn try_forward(
        &self,
        kind: ForwardKind,
        call: IncomingCall<'_>,
        ring: &mut RingPlan,
    ) -> Option<Screening> {
        match self.forward.forward(kind, forwarded(call)) {
            Ok(redirect) => redirect.map(Screening::Redirect),
            Err(refusal) => {
                ring.forward_refused = Some(refusal);
                None
            }
        }
    }
}

const fn forwarded(call: IncomingCall<'_>) -> ForwardedCall<'_> {
    ForwardedCall { headers: call.headers, request_uri: call.request_uri, own: call.own }
}

/// The caller's number as it came, and as it is shown: lists have either.
fn numbers_of(caller: &PartyIdentity) -> Vec<String> {
    let mut numbers: Vec<String> = caller.uri.as_ref().and_then(number::of_uri).into_iter().collect();
    if let Some(shown) = caller.number.clone().filter(|shown| !numbers.contains(shown)) {
        numbers.push(shown);
    }
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feature::Window;
    use crate::feature::forward::ForwardRule;
    use crate::feature::identity::IdentityConfig;
    use crate::feature::number::NumberRules;
    use sidetone_sip_core::HeaderName;

    struct Phone {
        config: ScreeningConfig,
        from: &'static str,
        lines: Vec<(HeaderName, &'static str)>,
        trusted: bool,
        calls: usize,
    }

    impl Phone {
        fn new(config: ScreeningConfig) -> Self {
            Self {
                config,
                from: "<sip:+4930201@example.com>;tag=1",
                lines: Vec::new(),
                trusted: true,
                calls: 0,
            }
        }

        fn screen(&self) -> Screening {
            let mut headers = Headers::new();
            headers.push_raw(HeaderName::FROM, self.from).unwrap();
            for (name, value) in &self.lines {
                headers.push_raw(name.clone(), value).unwrap();
            }
            let identity =
                IdentityConfig { numbers: NumberRules::new("49", "00", "0"), ..IdentityConfig::default() };
            let caller = identity.caller(&headers, self.trusted, &());
            let own: NameAddr = "<sip:b@example.com>".parse().unwrap();
            self.config.screen(IncomingCall {
                headers: &headers,
                request_uri: &own.uri,
                own: &own,
                caller: &caller,
                trusted: self.trusted,
                calls: self.calls,
                now: TimeOfDay::new(12, 0).unwrap(),
            })
        }

        /// In a few words, for tables.
        fn verdict(&self) -> String {
            match self.screen() {
                Screening::Ring(plan) if plan.waiting => "waits".into(),
                Screening::Ring(_) => "rings".into(),
                Screening::Answer(plan) => alloc::format!("answers, holds {}", plan.hold_current),
                Screening::Reject(step, rejection) => alloc::format!("{step:?} {}", rejection.status),
                Screening::Redirect(redirect) => {
                    alloc::format!("to {}, 180 {}", redirect.target, redirect.ring_first)
                }
                Screening::Ignore => "ignored".into(),
            }
        }
    }

    /// Everything is on.
    fn strict() -> ScreeningConfig {
        ScreeningConfig {
            trusted_only: true,
            block_list: ["030201"].into_iter().collect(),
            anonymous: AnonymousRejection::default().enabled(true),
            dnd: DndConfig::default().enabled(true),
            forward: ForwardConfig {
                always: ForwardRule::to("301"),
                busy: ForwardRule::to("302"),
                no_answer: ForwardRule::to("303"),
                ..ForwardConfig::default()
            },
            call_waiting: CallWaitingConfig { enabled: false, ..CallWaitingConfig::default() },
            ..ScreeningConfig::default()
        }
    }

    #[test]
    fn the_steps_decide_in_their_order() {
        let mut phone = Phone::new(strict());
        phone.trusted = false;
        phone.calls = 1;
        phone.lines.push((HeaderName::PRIVACY, "none"));
        // One step after the other is switched off, and the next one decides.
        let mut told = Vec::new();
        told.push(phone.verdict());
        phone.trusted = true;
        told.push(phone.verdict());
        phone.config.block_list = NumberList::new();
        phone.from = "\"Anonymous\" <sip:+4930201@example.com>;tag=1";
        told.push(phone.verdict());
        phone.config.anonymous = AnonymousRejection::default();
        told.push(phone.verdict());
        phone.config.dnd = DndConfig::default();
        told.push(phone.verdict());
        phone.config.forward.always.enabled = false;
        told.push(phone.verdict());
        phone.config.forward.busy.enabled = false;
        told.push(phone.verdict());
        phone.config.call_waiting.enabled = true;
        told.push(phone.verdict());
        phone.calls = 0;
        told.push(phone.verdict());
        assert_eq!(
            told,
            [
                "TrustedServer 403",
                "BlockList 603",
                "Anonymous 433",
                "DoNotDisturb 480",
                "to sip:301@example.com, 180 false",
                "to sip:302@example.com, 180 true",
                "Busy 486",
                "waits",
                "rings",
            ]
        );
    }

    #[test]
    fn the_order_is_a_setting() {
        let mut phone = Phone::new(strict());
        phone.config.block_list = NumberList::new();
        phone.config.order = alloc::vec![Screen::ForwardAlways, Screen::DoNotDisturb];
        assert_eq!(phone.verdict(), "to sip:301@example.com, 180 false");
        phone.config.order = alloc::vec![Screen::Busy];
        phone.config.call_waiting.enabled = true;
        assert_eq!(phone.verdict(), "rings", "what is not in the order is not done");
    }

    #[test]
    fn scanners_get_no_answer_when_set() {
        let mut phone = Phone::new(ScreeningConfig {
            trusted_only: true,
            untrusted: Untrusted::Ignore,
            ..ScreeningConfig::default()
        });
        phone.trusted = false;
        assert_eq!(phone.verdict(), "ignored");
        let servers: TrustedServers =
            ["192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap()].into_iter().collect();
        for (source, trusted) in
            [("192.0.2.1", true), ("::ffff:192.0.2.1", true), ("2001:db8::1", true), ("192.0.2.2", false)]
        {
            assert_eq!(servers.trusts(source.parse().unwrap()), trusted, "{source}");
        }
    }

    #[test]
    fn lists_know_numbers_as_they_come_and_as_they_are_shown() {
        for (entry, blocked) in [("+4930201", true), ("030 201", true), ("0302.", true), ("201", false)] {
            let phone = Phone::new(ScreeningConfig {
                block_list: [entry].into_iter().collect(),
                ..ScreeningConfig::default()
            });
            assert_eq!(phone.verdict(), if blocked { "BlockList 603" } else { "rings" }, "{entry}");
        }
        let mut dnd = DndConfig::default().enabled(true);
        dnd.allowed = ["030201"].into_iter().collect();
        let forward = ForwardConfig { no_answer: ForwardRule::to("303"), ..ForwardConfig::default() };
        let phone = Phone::new(ScreeningConfig { dnd, forward, ..ScreeningConfig::default() });
        assert!(matches!(phone.screen(), Screening::Ring(plan) if plan.forward_after.is_none()), "YLA-075");
    }

    #[test]
    fn a_ringing_call_is_forwarded_after_its_time() {
        let forward = ForwardConfig { no_answer: ForwardRule::to("303"), ..ForwardConfig::default() };
        let mut phone = Phone::new(ScreeningConfig { forward, ..ScreeningConfig::default() });
        let plan = RingPlan { forward_after: Some(Duration::from_secs(12)), ..RingPlan::default() };
        assert_eq!(phone.screen(), Screening::Ring(plan));
        phone.config.forward.no_answer.enabled = false;
        assert_eq!(phone.screen(), Screening::Ring(RingPlan::default()));
        let (headers, own) = (Headers::new(), "<sip:b@example.com>".parse::<NameAddr>().unwrap());
        let caller = PartyIdentity::anonymous("x".into());
        let call = IncomingCall {
            headers: &headers,
            request_uri: &own.uri,
            own: &own,
            caller: &caller,
            trusted: true,
            calls: 0,
            now: TimeOfDay::MIDNIGHT,
        };
        assert_eq!(phone.config.unanswered(call), None);
        phone.config.forward.no_answer.enabled = true;
        assert_eq!(phone.config.unanswered(call).unwrap().target.as_str(), "sip:303@example.com");
    }

    #[test]
    fn intercom_barges_where_a_usual_call_is_busy() {
        let busy = CallWaitingConfig { enabled: false, most_calls: 2, ..CallWaitingConfig::default() };
        let intercom = IntercomConfig { barge: true, ..IntercomConfig::default() };
        let mut phone =
            Phone::new(ScreeningConfig { call_waiting: busy, intercom, ..ScreeningConfig::default() });
        phone.lines.push((HeaderName::CALL_INFO, "<sip:h>;answer-after=0"));
        for (calls, barge, verdict) in [
            (0, true, "answers, holds false"),
            (1, true, "answers, holds true"),
            (1, false, "Busy 486"),
            (2, true, "Busy 486"),
        ] {
            (phone.calls, phone.config.intercom.barge) = (calls, barge);
            assert_eq!(phone.verdict(), verdict, "{calls} {barge}");
        }
        phone.config.dnd = DndConfig::default().enabled(true);
        assert_eq!(phone.verdict(), "DoNotDisturb 480", "DND stops intercom too");
        (phone.config.dnd.timed, phone.calls) = (true, 0);
        phone.config.dnd.windows[1] =
            Some(Window::new(TimeOfDay::new(13, 0).unwrap(), TimeOfDay::new(14, 0).unwrap()));
        assert_eq!(phone.verdict(), "answers, holds false", "outside of the window");
    }

    #[test]
    fn an_emergency_centre_calls_back_through_everything() {
        let mut phone = Phone::new(ScreeningConfig { trusted_only: false, ..strict() });
        phone.lines.push((HeaderName::PRIORITY, "psap-callback"));
        assert!(matches!(phone.screen(), Screening::Ring(plan) if plan.forward_after.is_none()));
        phone.trusted = false;
        assert_eq!(phone.verdict(), "BlockList 603", "anybody could write it");
    }

    #[test]
    fn a_forward_that_cannot_be_done_lets_the_call_ring_and_says_why() {
        let forward = ForwardConfig {
            always: ForwardRule::to("0049301"),
            international: false,
            ..ForwardConfig::default()
        };
        let phone = Phone::new(ScreeningConfig { forward, ..ScreeningConfig::default() });
        assert!(matches!(
            phone.screen(),
            Screening::Ring(plan) if plan.forward_refused == Some(ForwardRefusal::International)
        ));
    }

    #[test]
    fn the_user_refuses_with_the_set_status() {
        for (set, sent) in [(486, 486), (404, 404), (480, 480), (603, 603), (302, 486), (200, 486)] {
            assert_eq!(ScreeningConfig::default().with_refused(set).refusal().status.code(), sent);
        }
    }
}
