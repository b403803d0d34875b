//! A telephone: an agent, and a user model that knows what it should be told.

use crate::watch::Watching;
use crate::{Feature, wire::Wire};
use bytes::Bytes;
use sidetone_hal::net::{FlowId, Protocol};
use sidetone_hal::rng::Rng;
use sidetone_hal::time::Instant;
use sidetone_sip_core::sim::Machine;
use sidetone_sip_core::{Endpoint, Input, StatusCode, Uri};
use sidetone_sip_ua::{
    AccountConfig, AccountId, Agent, AgentConfig, CallId, CallRequest, CallState, CommandError, EndCause,
    EndedBy, Event, Invite, ReferId, ReferProgress, ReferTarget, WatcherId,
};
use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

/// Where the phones are.
pub const PHONES: [(&str, &str); 3] =
    [("alice", "192.0.2.1:5060"), ("bob", "192.0.2.2:5060"), ("carol", "192.0.2.3:5060")];

pub fn uri(name: &str) -> Uri {
    let address = PHONES.iter().find(|(known, _)| *known == name).unwrap().1;
    format!("sip:{name}@{address}").parse().unwrap()
}

/// Session descriptions are words: `<call> <who says it> <held by the speaker>`.
pub struct Phone {
    pub agent: Agent,
    pub account: AccountId,
    pub name: &'static str,
    pub feature: Feature,
    pub rng: Rng,
    pub now: Instant,
    pub calls: BTreeMap<CallId, Line>,
    /// REFERs of ours without a last word.
    pub transfers: BTreeMap<ReferId, CallId>,
    pub watching: Watching,
    /// What is to be done when no other call is heard.
    pub next: Option<Next>,
    pub wire: Rc<RefCell<Wire>>,
    /// What happened, for the ladder.
    pub notes: VecDeque<String>,
    /// What was done and heard, for the tally.
    pub did: BTreeMap<String, u32>,
    pub count: u32,
}

#[derive(Clone, Debug)]
pub struct Line {
    /// The caller's name for the call.
    pub token: String,
    /// Who is at the other end.
    pub peer: String,
    pub incoming: bool,
    pub answered: bool,
    pub held: bool,
    pub remote_held: bool,
    /// The hold state that our offer asks for.
    pub wanted: Option<bool>,
    /// A REFER of ours has no last word.
    pub leaving: bool,
}

#[derive(Clone, Copy, Debug)]
pub enum Next {
    Answer(CallId),
    Resume(CallId),
}

/// More lines than this are busy.
const LINES: usize = 4;

impl Phone {
    pub fn new(seed: u64, name: &'static str, feature: Feature, wire: Rc<RefCell<Wire>>) -> Self {
        let mut rng = Rng::from_u64(seed);
        let mut bytes = [0; 32];
        rng.fill(&mut bytes);
        let mut config = AgentConfig::new(bytes);
        config.packages = vec!["dialog".into()];
        let mut agent = Agent::new(config);
        let local = PHONES.iter().find(|(known, _)| *known == name).unwrap().1;
        assert_eq!(agent.endpoint_mut().bind(Protocol::Udp, local.parse().unwrap()), FlowId(0));
        let config = AccountConfig::parse(&format!("sip:{name}@{local}")).unwrap().without_registration();
        let account = agent.add_account(config).unwrap();
        Self {
            agent,
            account,
            name,
            feature,
            rng,
            now: Instant::ZERO,
            calls: BTreeMap::new(),
            transfers: BTreeMap::new(),
            watching: Watching::default(),
            next: None,
            wire,
            notes: VecDeque::new(),
            did: BTreeMap::new(),
            count: 0,
        }
    }

    pub fn note(&mut self, text: String) {
        let verb = text.split(' ').next().unwrap().to_owned();
        *self.did.entry(verb).or_default() += 1;
        self.notes.push_back(text);
    }

    pub fn body(&self, token: &str, held: bool) -> Bytes {
        Bytes::from(format!("{token} {} {held}", self.name))
    }

    fn read(body: Option<Bytes>) -> (String, String, bool) {
        let body = body.expect("every message that needs one has a body");
        let text = std::str::from_utf8(&body).unwrap().to_owned();
        let words: Vec<&str> = text.split(' ').collect();
        (words[0].into(), words[1].into(), words[2].parse().unwrap())
    }

    /// A new call of ours, with what else is to be said.
    pub fn dial(&mut self, peer: &str, request: impl FnOnce(CallRequest) -> CallRequest) -> CallId {
        self.count += 1;
        let token = format!("{}{}", self.name, self.count);
        let offer = self.body(&token, false);
        let request = request(CallRequest::new(uri(peer)).with_offer(offer));
        let call = self.agent.call_with(self.now, self.account, request).unwrap();
        self.note(format!("calls {peer} ({token})"));
        self.calls.insert(call, Line::new(token, peer.into(), false));
        call
    }

    pub fn answer(&mut self, call: CallId) {
        let line = self.calls.get_mut(&call).unwrap();
        (line.answered, line.held) = (true, false);
        let token = line.token.clone();
        let body = self.body(&token, false);
        self.note(format!("answers ({token})"));
        self.agent.answer(self.now, call, body).unwrap();
    }

    /// Wants a call held, or not held any more.
    pub fn hold(&mut self, call: CallId, wanted: bool) {
        let line = self.calls.get_mut(&call).unwrap();
        line.wanted = Some(wanted);
        let token = line.token.clone();
        self.note(format!("{} ({token})", if wanted { "holds" } else { "resumes" }));
        self.offer(call);
    }

    fn offer(&mut self, call: CallId) {
        let line = &self.calls[&call];
        let Some(wanted) = line.wanted else { return };
        let offer = self.body(&line.token.clone(), wanted);
        match self.agent.reoffer(self.now, call, offer) {
            Ok(()) | Err(CommandError::OfferPending) => {}
            Err(error) => panic!("{error}"),
        }
    }

    pub fn handle_events(&mut self) {
        while let Some(event) = self.agent.poll_event() {
            self.handle_event(event);
        }
        self.go_on();
    }

    fn handle_event(&mut self, event: Event) {
        let now = self.now;
        match event {
            Event::Incoming { call, invite, .. } => self.rings(call, *invite),
            Event::Answered { call, body } => {
                let line = self.calls.get_mut(&call).expect("only a call that there is is answered");
                let (token, peer, held) = Self::read(body);
                assert_eq!(token, line.token);
                line.answered = true;
                line.peer = peer;
                line.remote_held = held;
            }
            Event::Offer { call, body } => {
                let line = self.calls.get_mut(&call).unwrap();
                let (token, peer, held) = Self::read(body);
                assert_eq!((&token, &peer), (&line.token, &line.peer));
                line.remote_held = held;
                let held = line.held;
                let answer = self.body(&token, held);
                self.agent.answer_offer(now, call, answer).unwrap();
            }
            Event::Answer { call, body } => {
                let line = self.calls.get_mut(&call).unwrap();
                let (token, peer, held) = Self::read(body);
                assert_eq!((&token, &peer), (&line.token, &line.peer));
                line.remote_held = held;
                line.held = line.wanted.take().expect("an answer follows an offer");
            }
            Event::OfferRejected { call, status, again } => {
                let line = self.calls.get_mut(&call).unwrap();
                match status {
                    // The wish stays: `OfferDue` follows.
                    _ if again => {}
                    // A REFER or NOTIFY within the call overtook it (RFC 3261 §12.2.2).
                    StatusCode::SERVER_INTERNAL_ERROR => {
                        line.wanted = None;
                        self.next = None;
                        *self.did.entry("overtaken".into()).or_default() += 1;
                    }
                    status => panic!("{}: an offer was refused: {status:?}", self.name),
                }
            }
            Event::OfferDue { call } => {
                assert!(self.calls.contains_key(&call));
                self.offer(call);
            }
            Event::Referred { refer, call, target, .. } => self.referred(refer, call, *target),
            Event::Refer { refer, progress, .. } => self.transferred(refer, progress),
            Event::Ended { call, cause } => {
                let line = self.calls.remove(&call).expect("a call ends once");
                self.wire.borrow_mut().over.insert(line.token.clone());
                self.expect_cause(&line, &cause);
            }
            Event::Subscription { .. }
            | Event::Notify { .. }
            | Event::Subscribe { .. }
            | Event::Unsubscribed { .. } => self.watch_event(event),
            Event::Progress { call, .. } | Event::Confirmed { call } => {
                assert!(self.calls.contains_key(&call));
            }
            other => panic!("{}: nobody asked for {other:?}", self.name),
        }
    }

    /// One message in ten is lost, but no exchange may fail by that.
    fn expect_cause(&self, line: &Line, cause: &EndCause) {
        let status = cause.status.map(StatusCode::code);
        let expected = match cause.by {
            EndedBy::Timeout => cause.reason == "nobody picked up",
            // 481 answers an offer that crosses a BYE, and Replaces of what is over; 603 Replaces of what has just ended.
            EndedBy::Local | EndedBy::Remote => {
                matches!(status, None | Some(480 | 481 | 486 | 487 | 603))
            }
            _ => false,
        };
        assert!(expected, "{}: {line:?} {cause}", self.name);
    }

    fn rings(&mut self, call: CallId, invite: Invite) {
        let (token, peer, _) = Self::read(invite.offer);
        self.calls.insert(call, Line::new(token.clone(), peer, true));
        if let Some(replaced) = invite.replaces {
            assert!(self.calls.contains_key(&replaced), "{}: {token} replaces what is over", self.name);
            *self.did.entry("replaced".into()).or_default() += 1;
            // What the replaced call was to us, this one is.
            self.answer(call);
        } else if self.calls.len() > LINES {
            self.agent.reject(self.now, call, StatusCode::BUSY_HERE).unwrap();
        } else {
            self.agent.ring(self.now, call).unwrap();
        }
    }

    fn referred(&mut self, refer: WatcherId, call: Option<CallId>, target: ReferTarget) {
        let call = call.expect("a transfer is within a call");
        assert!(self.calls.contains_key(&call), "{}: a REFER within a call that is over", self.name);
        if self.calls.len() > LINES || self.rng.chance(0.1) {
            self.agent.reject_refer(self.now, refer, StatusCode::DECLINE).unwrap();
            return;
        }
        self.agent.accept_refer(self.now, refer).unwrap();
        let peer = target.to.uri.user().unwrap().into_owned();
        self.dial(&peer, |request| request.with_headers(target.headers).for_refer(refer));
    }

    fn transferred(&mut self, refer: ReferId, progress: ReferProgress) {
        assert_ne!(progress, ReferProgress::Lost, "{}: no word came of a transfer", self.name);
        let call = *self.transfers.get(&refer).expect("nothing is heard of a transfer after its last word");
        let done = matches!(progress, ReferProgress::Done(status) if status.is_success());
        let at_once = matches!(progress, ReferProgress::Accepted { .. }) && self.rng.chance(0.5);
        if progress.is_last() {
            self.transfers.remove(&refer);
            if let Some(line) = self.calls.get_mut(&call) {
                line.leaving = false;
            }
            let word = match progress {
                ReferProgress::Done(_) if done => "succeeded".into(),
                ReferProgress::Done(status) => format!("failed-{}", status.code()),
                ReferProgress::Refused(status) => format!("refused-{}", status.code()),
                _ => "lost".into(),
            };
            self.note(word);
        }
        // Some hang up as soon as the other side says yes, as the Yealink phones do.
        if (done || at_once) && self.calls.contains_key(&call) {
            self.note(format!("leaves ({})", self.calls[&call].token));
            self.agent.hangup(self.now, call).unwrap();
        }
    }

    /// Does what had to wait until no other call is heard.
    fn go_on(&mut self) {
        let Some(next) = self.next else { return };
        let (Next::Answer(call) | Next::Resume(call)) = next;
        if !self.calls.contains_key(&call) {
            self.next = None;
        } else if self.heard(Some(call)).is_none() {
            self.next = None;
            match next {
                Next::Answer(call) => self.answer(call),
                Next::Resume(call) => self.hold(call, false),
            }
        }
    }

    /// A call other than this one whose user is heard, or will be.
    pub fn heard(&self, but: Option<CallId>) -> Option<CallId> {
        let heard = |(call, line): &(&CallId, &Line)| {
            Some(**call) != but
                && (line.answered || !line.incoming)
                && (!line.held || line.wanted == Some(false))
        };
        self.calls.iter().find(heard).map(|(call, _)| *call)
    }

    /// What the phone believes of its calls with another: their state, who holds; `mirrored` as the other should see it.
    pub fn view(&self, with: &str, mirrored: bool) -> BTreeMap<String, (Option<CallState>, bool, bool)> {
        let line = |(call, line): (&CallId, &Line)| {
            let (ours, theirs) =
                if mirrored { (line.remote_held, line.held) } else { (line.held, line.remote_held) };
            (line.token.clone(), (self.agent.call_state(*call), ours, theirs))
        };
        self.calls.iter().filter(|(_, line)| line.peer == with).map(line).collect()
    }
}

impl Line {
    fn new(token: String, peer: String, incoming: bool) -> Self {
        Self {
            token,
            peer,
            incoming,
            answered: false,
            held: false,
            remote_held: false,
            wanted: None,
            leaving: false,
        }
    }
}

impl Machine for Phone {
    fn endpoint_mut(&mut self) -> &mut Endpoint {
        self.agent.endpoint_mut()
    }

    fn handle_input(&mut self, now: Instant, input: Input) {
        self.now = now;
        self.agent.handle_input(now, input);
        self.handle_events();
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.now = now;
        self.agent.handle_timeout(now);
        self.handle_events();
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.agent.poll_timeout().map(|(at, _)| at)
    }
}
