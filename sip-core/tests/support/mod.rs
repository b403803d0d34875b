//! A bench for one endpoint in virtual time: a script says what happens when, to the millisecond.
//!
//! A line is `TIME VERB WHAT`. The bench does `do` and `recv`; everything that the endpoint then does must stand in
//! the script as `send` and `event`, at that very time and in that order, or the test fails.
//!
//! - `do request METHOD`, `do respond CODE`, `do refuse CODE` (must be refused), `do cancel`, `do abandon`,
//!   `do late-cancel` and `do late-abandon`
//!   (must be refused), `do break` (the connection breaks)
//! - `recv METHOD`, `recv CODE [METHOD]`: a message of the peer's; `recv ACK2` is an ACK of its own branch, for a 2xx
//! - `send METHOD`, `send CODE`
//! - `event …`: see `describe`
//! - `end`: nothing happens up to here, and no transaction is left

#![allow(dead_code, reason = "each test crate uses its part")]

use bytes::Bytes;
use core::net::SocketAddr;
use core::time::Duration;
use sidetone_sip_core::header::{CSeq, CallId, From, MaxForwards, To, Via};
use sidetone_sip_core::{
    Endpoint, EndpointConfig, Event, FlowError, FlowId, Input, Instant, Limits, Message, Method, Protocol,
    Request, Response, StatusCode, Target, TransactionFailure, TransactionId, Transmit,
};
use std::collections::VecDeque;

pub(crate) const US: &str = "192.0.2.1:5060";
pub(crate) const PEER: &str = "192.0.2.2:5060";

pub(crate) fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// The defaults, but for a peer that connects and then is silent while we call it.
pub(crate) fn config() -> EndpointConfig {
    let mut config = EndpointConfig::new([7; 32]);
    config.first_message = Duration::from_secs(3600);
    config
}

/// A request without Via, as the layer above makes it.
pub(crate) fn request(method: &Method, call_id: &str) -> Request {
    let mut request = Request::new(method.clone(), "sip:bob@192.0.2.2".parse().unwrap());
    request.headers.push(&"<sip:alice@192.0.2.1>;tag=a".parse::<From>().unwrap());
    request.headers.push(&"<sip:bob@192.0.2.2>".parse::<To>().unwrap());
    request.headers.push(&CallId::parse_str(call_id));
    request.headers.push(&CSeq { seq: 1, method: method.clone() });
    request
}

/// A request of the peer's.
pub(crate) fn peer_request(method: &Method, protocol: Protocol, branch: &str, call_id: &str) -> Request {
    let mut request = request(method, call_id);
    let mut via = Via::new(protocol, address(PEER).ip(), Some(5060));
    via.set_branch(branch);
    request.headers.push_front(&via);
    request.headers.push(&MaxForwards(70));
    request
}

/// The peer's response to a request that was sent to it.
pub(crate) fn peer_response(request: &Request, code: u16) -> Response {
    request.response(StatusCode::new(code).unwrap(), (code > 100).then_some("b"))
}

pub(crate) trait ParseStr {
    fn parse_str(text: &str) -> Self;
}

impl ParseStr for CallId {
    fn parse_str(text: &str) -> Self {
        sidetone_sip_core::Header::parse(&Bytes::copy_from_slice(text.as_bytes())).unwrap()
    }
}

pub(crate) fn parse(bytes: &[u8]) -> Message {
    Message::parse(Bytes::copy_from_slice(bytes), &Limits::default()).unwrap()
}

/// The method, or the code.
pub(crate) fn name_of(message: &Message) -> String {
    match message {
        Message::Request(request) => request.method.to_string(),
        Message::Response(response) => response.status.code().to_string(),
    }
}

pub(crate) fn describe(event: &Event) -> String {
    match event {
        Event::Request { request, .. } => format!("event request {}", request.method),
        Event::Cancelled { .. } => "event cancelled".into(),
        Event::Ack { .. } => "event ack".into(),
        Event::Response { response, .. } => format!("event response {}", response.status.code()),
        Event::Failed { cause: TransactionFailure::Timeout, .. } => "event failed timeout".into(),
        Event::Failed { cause, .. } => format!("event failed {cause}"),
        Event::StrayResponse { response, .. } => format!("event stray {}", response.status.code()),
        Event::Terminated { .. } => "event terminated".into(),
        other => format!("event {other:?}"),
    }
}

pub(crate) struct Bench {
    pub(crate) endpoint: Endpoint,
    pub(crate) now: Instant,
    pub(crate) flow: FlowId,
    protocol: Protocol,
    log: VecDeque<(u64, String)>,
    /// The latest request that we sent, of each method.
    sent: Vec<Request>,
    /// The latest request event of the peer's.
    received: Option<Request>,
    transaction: Option<TransactionId>,
}

impl Bench {
    pub(crate) fn new(protocol: Protocol) -> Self {
        Self::with(protocol, config())
    }

    pub(crate) fn with(protocol: Protocol, config: EndpointConfig) -> Self {
        let mut endpoint = Endpoint::new(config);
        let flow = if protocol.is_reliable() {
            endpoint.listen(protocol, address(US));
            endpoint.accept(Instant::ZERO, protocol, address(US), address(PEER)).unwrap()
        } else {
            endpoint.bind(protocol, address(US))
        };
        let (log, sent) = (VecDeque::new(), Vec::new());
        Self { endpoint, now: Instant::ZERO, flow, protocol, log, sent, received: None, transaction: None }
    }

    /// Runs a script.
    pub(crate) fn run(&mut self, script: &str) {
        for line in script.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let words: Vec<&str> = line.split_whitespace().collect();
            let time: u64 = words[0].parse().unwrap_or_else(|_| panic!("no time: {line}"));
            self.advance(Instant::from_millis(time));
            let rest = words[1..].join(" ");
            match (words[1], words.get(2).copied().unwrap_or_default()) {
                ("send" | "event", _) => {
                    let found = self.log.pop_front();
                    assert_eq!(found, Some((time, rest)), "at `{line}` of\n{script}");
                    continue;
                }
                ("do" | "recv" | "end", _) if !self.log.is_empty() => {
                    panic!("before `{line}`, not in the script: {:?}\n{script}", self.log)
                }
                ("do", "request") => self.request(words[3]),
                ("do", "respond") => self.respond(words[3]).unwrap(),
                ("do", "refuse") => assert!(self.respond(words[3]).is_err(), "{line}"),
                ("do", "cancel") => self.endpoint.cancel(self.now, self.transaction.unwrap()).unwrap(),
                ("do", "abandon") => self.endpoint.abandon(self.now, self.transaction.unwrap()).unwrap(),
                ("do", "late-abandon") => {
                    assert!(self.endpoint.abandon(self.now, self.transaction.unwrap()).is_err(), "{line}");
                }
                ("do", "late-cancel") => {
                    assert!(self.endpoint.cancel(self.now, self.transaction.unwrap()).is_err(), "{line}");
                }
                ("do", "break") => {
                    let input = Input::FlowDown { flow: self.flow, reason: FlowError::Reset };
                    self.endpoint.handle_input(self.now, input);
                }
                ("recv", what) => self.recv(what, words.get(3).copied()),
                ("end", _) => {
                    assert_eq!(self.endpoint.transaction_count(), 0, "transactions left after\n{script}");
                    if !self.protocol.is_reliable() {
                        assert_eq!(self.endpoint.poll_timeout(), None, "a timer left after\n{script}");
                    }
                }
                _ => panic!("not understood: {line}"),
            }
            self.drain();
        }
        assert!(self.log.is_empty(), "not in the script: {:?}\n{script}", self.log);
    }

    /// Lets time pass, running every timer at its own moment.
    fn advance(&mut self, to: Instant) {
        while let Some((at, _)) = self.endpoint.poll_timeout().filter(|(at, _)| *at <= to) {
            assert!(at > self.now, "a deadline that has passed was left after a drain");
            self.now = at;
            self.endpoint.handle_timeout(at);
            self.drain();
            // Repeated and early calls change nothing.
            self.endpoint.handle_timeout(at);
            assert!(self.endpoint.poll_transmit().is_none() && self.endpoint.poll_event().is_none());
        }
        assert!(to >= self.now, "the script goes back in time");
        self.now = to;
    }

    fn drain(&mut self) {
        let time = self.now.as_millis();
        while let Some(Transmit { destination, payload, .. }) = self.endpoint.poll_transmit() {
            assert_eq!(destination, address(PEER));
            let message = parse(&payload);
            self.log.push_back((time, format!("send {}", name_of(&message))));
            if let Message::Request(request) = message {
                self.sent.retain(|old| old.method != request.method);
                self.sent.push(request);
            }
        }
        while let Some(event) = self.endpoint.poll_event() {
            self.log.push_back((time, describe(&event)));
            if let Event::Request { transaction, request, .. } = event {
                (self.transaction, self.received) = (Some(transaction), Some(request));
            }
        }
    }

    fn request(&mut self, method: &str) {
        let request = request(&method.parse().unwrap(), "one@192.0.2.1");
        let target = Target::new(self.protocol, address(PEER)).on(self.flow);
        self.transaction = Some(self.endpoint.request(self.now, request, &target).unwrap());
    }

    fn respond(&mut self, code: &str) -> Result<(), sidetone_sip_core::SendError> {
        let request = self.received.as_ref().expect("a request was received");
        let response = request.response(StatusCode::new(code.parse().unwrap()).unwrap(), Some("us"));
        self.endpoint.respond(self.now, self.transaction.unwrap(), response)
    }

    fn recv(&mut self, what: &str, of: Option<&str>) {
        let bytes = match what.parse::<u16>() {
            Ok(code) => {
                let of = |request: &&Request| of.is_none_or(|method| request.method.as_str() == method);
                let request = self.sent.iter().find(of).expect("a request was sent");
                peer_response(request, code).to_bytes()
            }
            Err(_) => {
                let (name, branch) = match what {
                    "ACK2" => ("ACK", "z9hG4bKother"),
                    name => (name, "z9hG4bKpeer"),
                };
                let method = name.parse().unwrap();
                peer_request(&method, self.protocol, branch, "two@192.0.2.2").to_bytes()
            }
        };
        self.input(&bytes);
    }

    pub(crate) fn input(&mut self, bytes: &[u8]) {
        let bytes = Bytes::copy_from_slice(bytes);
        let input = if self.protocol.is_reliable() {
            Input::Stream { flow: self.flow, bytes }
        } else {
            Input::Datagram { flow: self.flow, source: address(PEER), payload: bytes }
        };
        self.endpoint.handle_input(self.now, input);
    }
}
