//! An agent with one UDP socket, a clock that only moves when told, and the peer's side of the wire.

use bytes::Bytes;
use sidetone_hal::net::{FlowId, Protocol, SocketAddr};
use sidetone_hal::time::{Duration, Instant};
use sidetone_sip_core::header::{CSeq, Contact, ContentType, From, HeaderName, To, Via};
use sidetone_sip_core::locate::{Naptr, Record, Srv};
use sidetone_sip_core::{
    Header, Input, Limits, Message, Method, NameAddr, Request, Response, StatusCode, Uri,
};
use sidetone_sip_ua::{AccountConfig, AccountId, Agent, AgentConfig, Answer, CallId, EndCause, Event};
use std::collections::{BTreeSet, VecDeque};

pub const LOCAL: &str = "192.0.2.1:5060";
pub const PEER: &str = "192.0.2.2:5060";
pub const OFFER: &str =
    "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";
pub const ANSWER: &str =
    "v=0\r\no=- 2 1 IN IP4 192.0.2.2\r\ns=-\r\nc=IN IP4 192.0.2.2\r\nt=0 0\r\nm=audio 5000 RTP/AVP 0\r\n";

pub fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

pub fn uri(text: &str) -> Uri {
    text.parse().unwrap()
}

pub fn body(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

pub struct Harness {
    pub agent: Agent,
    pub now: Instant,
    flow: FlowId,
    /// What the agent sent and no test has looked at.
    sent: VecDeque<(SocketAddr, Message)>,
    branch: u32,
    /// Branches of the transactions that a test has seen.
    pub seen: BTreeSet<String>,
    /// The peer sends rubbish, so the 400 to it may lack what the rubbish lacks.
    pub lenient: bool,
}

impl Harness {
    pub fn new() -> Self {
        Self::with(AgentConfig::new([7; 32]))
    }

    pub fn with(config: AgentConfig) -> Self {
        let mut agent = Agent::new(config);
        let flow = agent.endpoint_mut().bind(Protocol::Udp, address(LOCAL));
        Self {
            agent,
            now: Instant::from_millis(1000),
            flow,
            sent: VecDeque::new(),
            branch: 0,
            seen: BTreeSet::new(),
            lenient: false,
        }
    }

    /// The socket moves to another address, as after a new lease.
    pub fn rebind(&mut self, local: &str) {
        self.agent.endpoint_mut().unbind(self.flow);
        self.flow = self.agent.endpoint_mut().bind(Protocol::Udp, address(local));
    }

    /// An account at the peer, with a password.
    pub fn account(&mut self) -> AccountId {
        self.account_with(AccountConfig::parse("sip:alice:secret@192.0.2.2").unwrap())
    }

    pub fn account_with(&mut self, config: AccountConfig) -> AccountId {
        self.agent.add_account(config).unwrap()
    }

    /// Moves time on until the agent sends something, and gives that; it must be a request with this method.
    #[track_caller]
    pub fn wait_request(&mut self, method: Method, bound: Duration) -> Request {
        let end = self.now + bound;
        self.drain();
        while self.sent.is_empty() {
            let Some((at, _)) = self.agent.poll_timeout().filter(|(at, _)| *at <= end) else {
                panic!("no {method} within {bound:?}")
            };
            self.advance(at - self.now);
        }
        self.request(method)
    }

    /// Moves time on until the agent sends a request, and gives that. Responses are forgotten.
    #[track_caller]
    pub fn wait_request_any(&mut self, bound: Duration) -> Request {
        let end = self.now + bound;
        loop {
            self.drain();
            while let Some((_, message)) = self.sent.pop_front() {
                if let Message::Request(request) = message {
                    return request;
                }
            }
            let Some((at, _)) = self.agent.poll_timeout().filter(|(at, _)| *at <= end) else {
                panic!("no request within {bound:?}")
            };
            self.advance(at - self.now);
        }
    }

    /// Moves time on, waking the agent exactly when it asks for it.
    pub fn advance(&mut self, duration: Duration) {
        let end = self.now + duration;
        while let Some((at, _)) = self.agent.poll_timeout().filter(|(at, _)| *at <= end) {
            self.now = self.now.max(at);
            self.agent.handle_timeout(self.now);
            self.drain();
            if let Some((next, why)) = self.agent.poll_timeout() {
                assert!(next > self.now, "woken at {} for {why:?} and again at {next}", self.now);
            }
        }
        self.now = end;
    }

    pub fn ms(&mut self, millis: u64) {
        self.advance(Duration::from_millis(millis));
    }

    fn drain(&mut self) {
        while let Some(transmit) = self.agent.poll_transmit() {
            let payload = Bytes::copy_from_slice(&transmit.payload);
            let message = Message::parse(payload, &Limits::default()).expect("the agent sends what parses");
            if !self.lenient {
                message.validate().expect("the agent sends what is valid");
            }
            self.sent.push_back((transmit.destination, message));
        }
    }

    /// The next message that the agent sent.
    #[track_caller]
    pub fn sent(&mut self) -> (SocketAddr, Message) {
        self.drain();
        let Some(message) = self.sent.pop_front() else { panic!("nothing was sent by {}", self.now) };
        message
    }

    /// The next message that the agent sent, if there is one.
    pub fn try_sent(&mut self) -> Option<(SocketAddr, Message)> {
        self.drain();
        self.sent.pop_front()
    }

    #[track_caller]
    pub fn request(&mut self, method: Method) -> Request {
        match self.sent() {
            (_, Message::Request(request)) if request.method == method => request,
            (_, other) => panic!("expected {method}, the agent sent {}", line(&other)),
        }
    }

    #[track_caller]
    pub fn response(&mut self, code: u16) -> Response {
        match self.sent() {
            (_, Message::Response(response)) if response.status.code() == code => response,
            (_, other) => panic!("expected {code}, the agent sent {}", line(&other)),
        }
    }

    #[track_caller]
    pub fn silent(&mut self) {
        self.drain();
        if let Some((_, message)) = self.sent.front() {
            panic!("expected silence, the agent sent {}", line(message));
        }
    }

    /// Forgets what the agent sent so far, and says how many messages that was.
    pub fn skip(&mut self) -> usize {
        self.drain();
        self.sent.drain(..).count()
    }

    /// The peer sends this.
    pub fn put(&mut self, message: impl Into<Message>) {
        self.put_from(PEER, message);
    }

    pub fn put_from(&mut self, source: &str, message: impl Into<Message>) {
        let payload = Bytes::from(message.into().to_bytes());
        self.agent
            .handle_input(self.now, Input::Datagram { flow: self.flow, source: address(source), payload });
    }

    /// The peer sends these bytes.
    pub fn raw(&mut self, flow: FlowId, bytes: Vec<u8>) {
        let input = Input::Datagram { flow, source: address(PEER), payload: bytes.into() };
        self.agent.handle_input(self.now, input);
    }

    /// The peer answers a request with a status and the usual headers.
    pub fn answer(&mut self, request: &Request, code: u16, to_tag: &str) -> Response {
        let response = reply(request, code, to_tag);
        self.put(response.clone());
        response
    }

    #[track_caller]
    pub fn event(&mut self) -> Event {
        let Some(event) = self.agent.poll_event() else { panic!("no event by {}", self.now) };
        event
    }

    /// How the call ended, which is what the next event tells.
    #[track_caller]
    pub fn ended(&mut self) -> EndCause {
        match self.event() {
            Event::Ended { cause, .. } => cause,
            other => panic!("expected the end, got {other:?}"),
        }
    }

    #[track_caller]
    pub fn no_event(&mut self) {
        if let Some(event) = self.agent.poll_event() {
            panic!("expected no event, got {event:?}");
        }
    }

    /// Moves time on until a request goes to this server, and says how long that took. What goes to others is forgotten.
    #[track_caller]
    pub fn wait_sent_to(&mut self, to: &str, bound: Duration) -> (Duration, Request) {
        let (start, end, to) = (self.now, self.now + bound, address(to));
        loop {
            self.drain();
            while let Some((address, message)) = self.sent.pop_front() {
                if let Message::Request(request) = message
                    && address == to
                {
                    return (self.now - start, request);
                }
            }
            let Some((at, _)) = self.agent.poll_timeout().filter(|(at, _)| *at <= end) else {
                panic!("nothing went to {to} within {bound:?}")
            };
            self.advance(at - self.now);
        }
    }

    /// Answers every question of the agent by these records, and says what was asked.
    pub fn dns(&mut self, zone: &[Record]) -> Vec<String> {
        let mut asked = Vec::new();
        while let Some(query) = self.agent.poll_query() {
            let records: Vec<Record> = zone
                .iter()
                .filter(|record| *record.name == *query.name && record.data.kind() == query.kind)
                .cloned()
                .collect();
            let answer = if records.is_empty() {
                Answer::NoData { ttl: Some(Duration::from_secs(3600)) }
            } else {
                Answer::records(records)
            };
            asked.push(format!("{} {}", query.kind, query.name));
            self.agent.handle_answer(self.now, query.id, answer);
        }
        asked
    }

    /// A request of the peer, outside of any dialog.
    pub fn peer_request(&mut self, method: Method) -> Request {
        let mut request = Request::new(method.clone(), uri("sip:alice@192.0.2.1"));
        let headers = &mut request.headers;
        headers.push(&self.next_via());
        headers.push(&From(NameAddr::new(uri("sip:bob@192.0.2.2")).with_tag("bob-tag")));
        headers.push(&To(NameAddr::new(uri("sip:alice@192.0.2.2"))));
        headers.push_raw(HeaderName::CALL_ID, "peer-call").unwrap();
        headers.push(&CSeq::new(10, method));
        headers.push(&Contact::new(uri("sip:bob@192.0.2.2:5060")));
        request
    }

    pub fn next_via(&mut self) -> Via {
        self.branch += 1;
        let mut via = Via::new(Protocol::Udp, address(PEER).ip(), Some(5060));
        via.set_branch(&format!("z9hG4bKpeer{}", self.branch));
        via.set_rport(None);
        via
    }

    /// The peer's INVITE with an offer.
    pub fn peer_invite(&mut self) -> Request {
        let mut invite = self.peer_request(Method::INVITE);
        invite.set_body(&ContentType::SDP, body(ANSWER));
        invite
    }

    /// The peer's next request within the dialog that its `invite` and our `response` made.
    pub fn peer_in_dialog(
        &mut self,
        invite: &Request,
        response: &Response,
        method: Method,
        seq: u32,
    ) -> Request {
        let mut request = self.peer_request(method.clone());
        request.uri = contact(&response.headers);
        copy(&mut request, &[HeaderName::CALL_ID, HeaderName::FROM], invite);
        request.headers.set(&response.headers.require::<To>().unwrap());
        request.headers.set(&CSeq::new(seq, method));
        request
    }

    /// The peer's request within the dialog that our `invite` and its `response` made.
    pub fn callee_in_dialog(
        &mut self,
        invite: &Request,
        response: &Response,
        method: Method,
        seq: u32,
    ) -> Request {
        let mut request = self.peer_request(method.clone());
        request.uri = contact(&invite.headers);
        copy(&mut request, &[HeaderName::CALL_ID], invite);
        request.headers.set(&From(response.headers.require::<To>().unwrap().0));
        request.headers.set(&To(invite.headers.require::<From>().unwrap().0));
        request.headers.set(&CSeq::new(seq, method));
        request
    }

    /// A call of ours that the peer answered: the INVITE, its 200, and the call.
    pub fn established(&mut self) -> (CallId, Request, Response) {
        let account = self.account();
        let call = self.agent.call(self.now, account, &uri("sip:bob@192.0.2.2"), Some(body(OFFER))).unwrap();
        let invite = self.request(Method::INVITE);
        let mut ok = reply(&invite, 200, "bob-tag");
        ok.set_body(&ContentType::SDP, body(ANSWER));
        self.put(ok.clone());
        self.request(Method::ACK);
        assert!(matches!(self.event(), Event::Answered { .. }));
        (call, invite, ok)
    }

    /// A call of the peer that we answered and it acknowledged.
    pub fn answered(&mut self) -> (CallId, Request, Response) {
        self.account();
        let invite = self.peer_invite();
        self.put(invite.clone());
        let Event::Incoming { call, .. } = self.event() else { panic!("expected a call") };
        self.agent.answer(self.now, call, body(OFFER)).unwrap();
        let ok = self.response(200);
        let ack = self.peer_in_dialog(&invite, &ok, Method::ACK, 10);
        self.put(ack);
        assert!(matches!(self.event(), Event::Confirmed { .. }));
        (call, invite, ok)
    }
}

/// A response of the peer, with its Contact and the To tag.
pub fn reply(request: &Request, code: u16, to_tag: &str) -> Response {
    let mut response = request.response(StatusCode::new(code).unwrap(), Some(to_tag));
    response.headers.push(&Contact::new(uri("sip:bob@192.0.2.2:5060")));
    response
}

/// A response of the peer with one more header.
pub fn reply_with<H: Header>(request: &Request, code: u16, header: &H) -> Response {
    let mut response = request.response(StatusCode::new(code).unwrap(), Some("peer-tag"));
    response.headers.push(header);
    response
}

/// Records that hold for an hour.
pub fn a(name: &str, address: &str) -> Record {
    Record::new(name, Duration::from_secs(3600), address.parse::<std::net::Ipv4Addr>().unwrap())
}

pub fn srv(name: &str, priority: u16, port: u16, target: &str) -> Record {
    let srv = Srv { priority, weight: 1, port, target: target.into() };
    Record::new(name, Duration::from_secs(3600), srv)
}

pub fn naptr(name: &str, order: u16, service: &str, replacement: &str) -> Record {
    let naptr = Naptr {
        order,
        flags: "s".into(),
        service: service.into(),
        replacement: replacement.into(),
        ..Naptr::default()
    };
    Record::new(name, Duration::from_secs(3600), naptr)
}

pub fn contact(headers: &sidetone_sip_core::Headers) -> Uri {
    headers.require::<Contact>().unwrap().uri().unwrap().clone()
}

pub fn seq(request: &Request) -> u32 {
    request.headers.require::<CSeq>().unwrap().seq
}

fn copy(to: &mut Request, names: &[HeaderName], from: &Request) {
    for name in names {
        to.headers.remove(name);
        to.headers.copy_all(name, &from.headers);
    }
}

pub fn line(message: &Message) -> String {
    let bytes = message.to_bytes();
    String::from_utf8_lossy(&bytes).lines().next().unwrap_or_default().to_owned()
}
