//! A telephone: an agent, and a user model that knows what it should be told.

use crate::lamps::Lamps;
use crate::music::HoldMusic;
use crate::network::PBX;
use crate::settings::{QUEUE, Settings};
use crate::texts::Texts;
use crate::watch::Watching;
use crate::{Feature, wire::Wire};
use bytes::Bytes;
use core::cell::RefCell;
use sidetone_hal::net::{FlowId, Protocol, SocketAddr};
use sidetone_hal::rng::Rng;
use sidetone_hal::time::{Duration, Instant};
use sidetone_sip_core::header::CallInfo;
use sidetone_sip_core::{HeaderName, Input, Method, StatusCode, Uri};
use sidetone_sip_ua::{
    AccountConfig, AccountId, Agent, AgentConfig, CallId, CallRequest, CallState, CommandError, EndCause,
    EndedBy, Event, ExtensionUse, Invite, ReferId, ReferProgress, ReferTarget, RegistrationState,
    SessionConfig, SessionTimerConfig, WatcherId,
};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

/// Who calls.
pub const USERS: [&str; 3] = ["alice", "bob", "carol"];
/// Who only watches.
pub const DESK: &str = "desk";
/// At the other end of a call: one of the PBX's extensions.
pub const SERVICE: &str = "extension";
/// More lines than this are busy.
pub const LINES: usize = 4;
/// A call that nobody answers is given up after this time: later than the PBX does something about it.
const RING: Duration = Duration::from_secs(30);

/// Where a phone is.
fn address(place: u8) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 11 + place], 5060))
}

/// Session descriptions of phones have a name that says `<call> <who says it> <held by the speaker>`.
pub struct Phone {
    pub agent: Agent,
    pub account: AccountId,
    pub address: SocketAddr,
    pub name: &'static str,
    pub feature: Feature,
    pub rng: Rng,
    pub now: Instant,
    pub is_registered: bool,
    pub calls: BTreeMap<CallId, Line>,
    /// REFERs of ours without a last word.
    pub transfers: BTreeMap<ReferId, Transfer>,
    pub lamps: Lamps,
    pub texts: Texts,
    pub settings: Settings,
    pub music: HoldMusic,
    /// What is to be done when no other call is heard.
    pub next: Option<Next>,
    pub watching: Watching,
    pub wire: Rc<RefCell<Wire>>,
    /// What happened, for the ladder.
    pub notes: VecDeque<String>,
    /// What was done and heard, for the tally.
    pub did: BTreeMap<String, u32>,
    pub count: u32,
    version: u32,
    pub is_home: bool,
    /// Does not say that it knows Replaces: then a proxy cannot make it take another call in the place of one.
    pub is_plain: bool,
    /// There is no PBX: the phones call each other at their addresses.
    pub is_direct: bool,
}

#[derive(Clone, Copy, Debug)]
pub enum Next {
    Answer(CallId),
    Resume(CallId),
}

#[derive(Clone, Debug)]
pub struct Line {
    /// The caller's name for the call.
    pub token: String,
    /// Who is at the other end.
    pub peer: String,
    /// What was dialled, or who called.
    pub number: String,
    /// The Call-ID.
    pub id: String,
    pub incoming: bool,
    pub answered: bool,
    /// A provisional response had the answer to our offer.
    pub early: bool,
    pub held: bool,
    pub remote_held: bool,
    /// The hold state that our offer asks for.
    pub wanted: Option<bool>,
    /// A REFER of ours has no last word.
    pub leaving: bool,
    /// Its user lets it ring.
    pub ignored: bool,
}

/// A REFER of ours.
#[derive(Clone, Copy, Debug)]
pub struct Transfer {
    /// The call that it is within.
    pub call: CallId,
    /// The call that is to be over when it has succeeded.
    pub over: Option<CallId>,
}

/// What a session description says.
struct Said {
    token: Option<String>,
    speaker: String,
    held: bool,
}

/// Where nobody takes the sound: the PBX sends none.
const SINK: u16 = 4000;

impl Phone {
    pub fn new(rng: &mut Rng, place: u8, feature: Feature, is_direct: bool, wire: Rc<RefCell<Wire>>) -> Self {
        let mut rng = rng.fork();
        let mut bytes = [0; 32];
        rng.fill(&mut bytes);
        let name = USERS.get(usize::from(place)).copied().unwrap_or(DESK);
        let address = address(place);
        let mut config = AgentConfig::new(bytes);
        config.ring_timeout = RING;
        config.methods.push(Method::MESSAGE);
        config.replace_ringing = feature == Feature::SemiAttended;
        if is_direct {
            config.packages = vec!["dialog".into()];
        }
        let mut agent = Agent::new(config);
        assert_eq!(agent.endpoint_mut().bind(Protocol::Udp, address), FlowId(0));
        let config = match is_direct {
            true => AccountConfig::parse(&format!("sip:{name}@{address}")).unwrap().without_registration(),
            false => AccountConfig::parse(&format!("sip:{name}:secret@{PBX}")).unwrap(),
        };
        let mut session = SessionConfig::default();
        if feature == Feature::Timers {
            let timer = SessionTimerConfig::new(ExtensionUse::Supported);
            session = session.with_timer(timer.with_expires(Duration::from_secs(90)));
        }
        if feature == Feature::Reliable {
            session = session.with_reliable(ExtensionUse::Supported);
        }
        let config = config.with_session(session);
        let account = agent.add_account(config).unwrap();
        if !is_direct {
            agent.register(Instant::ZERO, account).unwrap();
        }
        Self {
            agent,
            account,
            address,
            name,
            feature,
            rng,
            now: Instant::ZERO,
            is_registered: is_direct,
            calls: BTreeMap::new(),
            transfers: BTreeMap::new(),
            lamps: Lamps::default(),
            texts: Texts::default(),
            settings: Settings::default(),
            music: HoldMusic::default(),
            next: None,
            watching: Watching::default(),
            wire,
            notes: VecDeque::new(),
            did: BTreeMap::new(),
            count: 0,
            version: 0,
            is_home: false,
            is_plain: feature == Feature::Pickup && !is_direct && name == USERS[1],
            is_direct,
        }
    }

    /// Where somebody is called.
    pub fn uri(&self, number: &str) -> Uri {
        let place = USERS.iter().position(|name| *name == number).filter(|_| self.is_direct);
        match place {
            Some(place) => format!("sip:{number}@{}", address(place as u8)).parse().unwrap(),
            None => format!("sip:{number}@{PBX}").parse().unwrap(),
        }
    }

    pub fn poll_timeout(&self) -> Option<Instant> {
        let (lamps, texts) = (self.lamps.poll_timeout(), self.texts.poll_timeout());
        [self.agent.poll_timeout().map(|(at, _)| at), lamps, texts].into_iter().flatten().min()
    }

    pub fn handle_timeout(&mut self, now: Instant) {
        self.now = now;
        self.agent.handle_timeout(now);
        self.completion_timeout();
        self.send_texts();
        self.handle_events();
    }

    pub fn handle_input(&mut self, now: Instant, input: Input) {
        self.now = now;
        self.agent.handle_input(now, input);
        self.handle_events();
    }

    pub fn note(&mut self, text: String) {
        let verb = text.split(' ').next().unwrap().to_owned();
        self.count(&verb);
        self.notes.push_back(text);
    }

    pub fn count(&mut self, verb: &str) {
        *self.did.entry(verb.to_owned()).or_default() += 1;
    }

    pub fn body(&mut self, token: &str, held: bool) -> Bytes {
        self.version += 1;
        let (name, version, port) = (self.name, self.version, SINK);
        // Calls that stay at extensions for long cost most by their sound, which nobody hears here.
        let direction = match self.feature {
            Feature::Park | Feature::Room | Feature::Conference => "inactive",
            _ if held => "sendonly",
            _ => "sendrecv",
        };
        Bytes::from(format!(
            "v=0\r\no=- 1 {version} IN IP4 127.0.0.1\r\ns={token} {name} {held}\r\nc=IN IP4 127.0.0.1\r\n\
             t=0 0\r\nm=audio {port} RTP/AVP 0\r\na={direction}\r\n"
        ))
    }

    fn read(body: Option<Bytes>) -> Said {
        let body = body.expect("every message that needs one has a body");
        let text = core::str::from_utf8(&body).unwrap();
        let name = text.lines().find_map(|line| line.strip_prefix("s=")).unwrap();
        match *name.split(' ').collect::<Vec<_>>() {
            [token, speaker, held] => {
                Said { token: Some(token.into()), speaker: speaker.into(), held: held.parse().unwrap() }
            }
            // Of whom we talk to the PBX's music is not heard but for a hold.
            _ => Said { token: None, speaker: SERVICE.into(), held: text.contains("a=sendonly") },
        }
    }

    /// A new call of ours, with what else is to be said.
    pub fn dial(&mut self, number: &str, request: impl FnOnce(CallRequest) -> CallRequest) -> CallId {
        self.call_uri(self.uri(number), request)
    }

    pub fn call_uri(&mut self, to: Uri, request: impl FnOnce(CallRequest) -> CallRequest) -> CallId {
        self.count += 1;
        let token = format!("{}{}", self.name, self.count);
        let number = to.user().unwrap().into_owned();
        let offer = self.body(&token, false);
        let request = request(CallRequest::new(to).with_offer(offer));
        let call = self.agent.call_with(self.now, self.account, request).unwrap();
        let verb = if USERS.contains(&&*number) { "calls" } else { "dials" };
        self.note(format!("{verb} {number} ({token})"));
        let line = Line::new(token, number, self.id(call), false);
        self.calls.insert(call, line);
        call
    }

    fn id(&self, call: CallId) -> String {
        self.agent.call_dialog(call).unwrap().call_id
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
        let token = line.token.clone();
        let offer = self.body(&token, wanted);
        match self.agent.reoffer(self.now, call, offer) {
            Ok(()) | Err(CommandError::OfferPending) => {}
            // It is answered, but its dialog has not begun here or is ending.
            Err(error) => panic!("{}: {error}", self.name),
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
        if self.feature == Feature::Music && self.music_event(&event) {
            return;
        }
        match event {
            Event::Registration { state, .. } => {
                assert!(
                    !matches!(state, RegistrationState::Failed { .. }) || self.is_unplugged(self.name),
                    "{}: one message in ten is lost, but no registration fails by that: {state:?}",
                    self.name
                );
                self.is_registered = state.is_registered();
                self.text_registration(&state);
            }
            Event::Incoming { call, invite, .. } => self.rings(call, *invite),
            // A reliable provisional response had it.
            Event::Answered { call, body: None } if self.calls[&call].early => {
                self.calls.get_mut(&call).unwrap().answered = true;
            }
            Event::Answered { call, body } => {
                let said = Self::read(body);
                let line = self.calls.get_mut(&call).expect("only a call that there is is answered");
                if let Some(token) = said.token {
                    assert_eq!(token, line.token);
                }
                line.answered = true;
                line.peer = said.speaker;
                line.remote_held = said.held;
            }
            Event::Offer { call, body } => {
                let said = Self::read(body);
                let line = self.calls.get_mut(&call).unwrap();
                if let Some(token) = said.token {
                    assert_eq!(token, line.token);
                }
                let is_music = self.feature == Feature::Music && said.speaker == SERVICE;
                assert!(said.speaker == line.peer || is_music, "{}: {line:?}", self.name);
                line.remote_held = said.held;
                let (held, token) = (line.held, line.token.clone());
                let answer = self.body(&token, held);
                self.agent.answer_offer(now, call, answer).unwrap();
            }
            Event::Answer { call, body } => {
                let said = Self::read(body);
                let line = self.calls.get_mut(&call).unwrap();
                if let Some(token) = said.token {
                    assert_eq!(token, line.token);
                }
                assert_eq!(said.speaker, line.peer);
                line.remote_held = said.held;
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
                        self.count("overtaken");
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
                self.wire.borrow_mut().over.insert(line.id.clone());
                self.queue_ended(call, line.answered);
                self.expect_cause(&line, &cause);
                self.note(format!("ended ({}): {cause}", line.token));
                if let Some(status) = cause.status.filter(|_| cause.by == EndedBy::Remote) {
                    self.call_failed(&line, status);
                }
            }
            Event::Subscription { .. }
            | Event::Notify { .. }
            | Event::Subscribe { .. }
            | Event::Unsubscribed { .. }
                if self.is_direct =>
            {
                self.watch_event(event);
            }
            Event::Subscription { subscription, state } => self.subscription(subscription, state),
            Event::Notify { subscription, request } => self.told(subscription, &request),
            Event::Request { id, incoming, .. } => self.text_came(id, &incoming),
            Event::Response { request, status, response } => {
                self.text_answered(request, status, response.as_deref());
            }
            Event::Progress { call, body: Some(body), .. } => {
                self.count("early");
                let said = Self::read(Some(body));
                let line = self.calls.get_mut(&call).unwrap();
                (line.early, line.peer, line.remote_held) = (true, said.speaker, said.held);
            }
            Event::Progress { call, .. } | Event::Confirmed { call } | Event::RemoteIdentity { call, .. } => {
                assert!(self.calls.contains_key(&call));
            }
            Event::EarlyDialogEnded { .. } | Event::ServerTime { .. } | Event::Binding { .. } => {}
            other => panic!("{}: nobody asked for {other:?}", self.name),
        }
    }

    /// One message in ten is lost, but no exchange may fail by that.
    fn expect_cause(&mut self, line: &Line, cause: &EndCause) {
        let status = cause.status.map(StatusCode::code);
        let expected = match cause.by {
            // Neither comes a refresh, nor an answer to an offer.
            by if (by == EndedBy::Timeout || status == Some(408))
                && [self.name, &*line.peer, &*line.number].iter().any(|name| self.is_unplugged(name)) =>
            {
                self.count("expired");
                true
            }
            EndedBy::Timeout => cause.reason == "nobody picked up",
            // 481 answers an offer that crosses a BYE, and Replaces of what is over; 603 Replaces of what has just ended;
            // 404 a pickup of what does not ring any more; 480 nobody answers, or a setting was taken; 482 a
            // forwarding in a circle.
            EndedBy::Local | EndedBy::Remote => {
                matches!(status, None | Some(404 | 480 | 481 | 482 | 486 | 487 | 603))
            }
            _ => false,
        };
        assert!(expected, "{}: {line:?} {cause}", self.name);
        if status == Some(486) && !line.incoming {
            self.count("busy");
        }
    }

    fn rings(&mut self, call: CallId, invite: Invite) {
        let said = Self::read(invite.offer);
        let number = invite.from.uri.user().unwrap().into_owned();
        self.count += 1;
        let token = said.token.unwrap_or_else(|| format!("{}{}", self.name, self.count));
        let mut line = Line::new(token.clone(), number, self.id(call), true);
        if invite.to.uri.user().is_some_and(|user| user == QUEUE) {
            self.queue_rings(call);
        }
        line.peer = said.speaker;
        line.ignored = self.rng.chance(self.patience());
        self.calls.insert(call, line);
        for history in [HeaderName::DIVERSION, HeaderName::HISTORY_INFO] {
            if invite.headers.contains(&history) {
                self.count("diverted");
                break;
            }
        }
        let at_once = invite
            .headers
            .all::<CallInfo>()
            .any(|info| info.is_ok_and(|info| info.params.get("answer-after").is_some()));
        if let Some(replaced) = invite.replaces {
            assert!(self.calls.contains_key(&replaced), "{}: {token} replaces what is over", self.name);
            self.count("replaced");
            // What the replaced call was to us, this one is.
            let replaced = &self.calls[&replaced];
            if replaced.incoming && !replaced.answered {
                self.agent.ring(self.now, call).unwrap();
            } else {
                self.answer(call);
            }
        } else if at_once {
            self.count("picked");
            self.answer(call);
        } else if self.calls.len() > LINES || self.calls[&call].peer == self.name {
            // Who has forwarded his calls to us sends us our own.
            self.agent.reject(self.now, call, StatusCode::BUSY_HERE).unwrap();
        } else {
            self.ring(call);
        }
    }

    fn ring(&mut self, call: CallId) {
        if self.feature != Feature::Reliable {
            self.agent.ring(self.now, call).unwrap();
            return;
        }
        // Each waits for the PRACK of the one before.
        for _ in 0..=self.rng.below(3) {
            let status = StatusCode::new(180 + self.rng.below(4) as u16).unwrap();
            self.agent.progress(self.now, call, status, None).unwrap();
        }
        if self.rng.chance(0.4) {
            let token = self.calls[&call].token.clone();
            let body = self.body(&token, false);
            self.agent.progress(self.now, call, StatusCode::SESSION_PROGRESS, Some(body)).unwrap();
        }
    }

    /// Whether somebody's telephone is, or was, without a network.
    fn is_unplugged(&self, name: &str) -> bool {
        self.wire.borrow().unplugged == Some(name)
    }

    /// How many calls are let ring until somebody else does something about it.
    const fn patience(&self) -> f64 {
        match self.feature {
            Feature::Pickup => 0.7,
            Feature::Voicemail => 0.8,
            Feature::Forward | Feature::Group | Feature::Park => 0.4,
            _ => 0.1,
        }
    }

    fn referred(&mut self, refer: WatcherId, call: Option<CallId>, target: ReferTarget) {
        let call = call.expect("a transfer is within a call");
        assert!(self.calls.contains_key(&call), "{}: a REFER within a call that is over", self.name);
        if self.calls.len() > LINES || self.is_home || self.rng.chance(0.1) {
            self.agent.reject_refer(self.now, refer, StatusCode::DECLINE).unwrap();
            return;
        }
        self.agent.accept_refer(self.now, refer).unwrap();
        let new = self.call_uri(target.to.uri.without_headers(), |request| {
            request.with_headers(target.headers).for_refer(refer)
        });
        if self.calls[&new].number.starts_with('7') {
            self.count("parked");
        }
    }

    fn transferred(&mut self, refer: ReferId, progress: ReferProgress) {
        assert_ne!(progress, ReferProgress::Lost, "{}: no word came of a transfer", self.name);
        let Transfer { call, over } =
            *self.transfers.get(&refer).expect("nothing is heard of a transfer after its last word");
        let done = matches!(progress, ReferProgress::Done(status) if status.is_success());
        let accepted = matches!(progress, ReferProgress::Accepted { .. }) && over == Some(call);
        let at_once = accepted && self.feature != Feature::Conference && self.rng.chance(0.5);
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
        if let Some(over) = over.filter(|over| (done || at_once) && self.calls.contains_key(over)) {
            self.note(format!("leaves ({})", self.calls[&over].token));
            self.agent.hangup(self.now, over).unwrap();
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

    /// What lamps should show of the phone: the Call-ID, our tag and the other's of each call.
    pub fn dialogs(&self) -> BTreeSet<(String, String, String)> {
        let dialog = |call: &CallId| {
            let dialog = self.agent.call_dialog(*call).unwrap();
            (dialog.call_id, dialog.local_tag, dialog.remote_tag.unwrap())
        };
        self.calls.keys().copied().chain(self.music_calls()).map(|call| dialog(&call)).collect()
    }
}

impl Line {
    fn new(token: String, number: String, id: String, incoming: bool) -> Self {
        Self {
            token,
            peer: number.clone(),
            number,
            id,
            incoming,
            answered: false,
            early: false,
            held: false,
            remote_held: false,
            wanted: None,
            leaving: false,
            ignored: false,
        }
    }
}
