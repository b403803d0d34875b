//! Anything in any order: nothing panics, no deadline is left behind, and at the end every transaction is gone.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that meets the unexpected stops"
)]

mod support;

use bytes::Bytes;
use sidetone_hal::time::Duration;
use sidetone_sip_core::{
    Endpoint, Event, FlowError, FlowId, FlowRequest, Input, Instant, Message, Method, Protocol, Request, Rng,
    StatusCode, Target, TransactionId,
};
use support::{PEER, US, address, config, parse, peer_request, peer_response, request};

const SEEDS: u64 = 500;
const STEPS: usize = 150;
const METHODS: [Method; 5] = [Method::INVITE, Method::OPTIONS, Method::BYE, Method::ACK, Method::CANCEL];
const CODES: [u16; 7] = [100, 180, 183, 200, 302, 486, 603];

struct Chaos {
    endpoint: Endpoint,
    rng: Rng,
    now: Instant,
    protocol: Protocol,
    flow: Option<FlowId>,
    /// Transactions heard of, dead or alive.
    clients: Vec<TransactionId>,
    servers: Vec<(TransactionId, Request)>,
    requests_sent: Vec<Request>,
    /// What the peer sent, to be sent again.
    history: Vec<Vec<u8>>,
    finals: usize,
}

impl Chaos {
    fn new(seed: u64) -> Self {
        let mut config = config();
        config.max_transactions = 40;
        let mut endpoint = Endpoint::new(config);
        let protocol = if seed.is_multiple_of(2) { Protocol::Udp } else { Protocol::Tcp };
        let flow = if protocol == Protocol::Udp {
            Some(endpoint.bind(protocol, address(US)))
        } else {
            endpoint.listen(protocol, address(US));
            None
        };
        Self {
            endpoint,
            rng: Rng::from_u64(seed),
            now: Instant::ZERO,
            protocol,
            flow,
            clients: Vec::new(),
            servers: Vec::new(),
            requests_sent: Vec::new(),
            history: Vec::new(),
            finals: 0,
        }
    }

    fn below(&mut self, bound: usize) -> usize {
        self.rng.below(bound as u32) as usize
    }

    fn one<T: Clone>(&mut self, of: &[T]) -> Option<T> {
        (!of.is_empty()).then(|| of[self.below(of.len())].clone())
    }

    fn step(&mut self) {
        match self.below(12) {
            0 | 1 => self.request(),
            2 | 3 => self.peer_responds(),
            4 | 5 => self.peer_requests(),
            6 | 7 => self.respond(),
            8 => {
                if let Some(id) = self.one(&self.clients.clone()) {
                    let _ = self.endpoint.cancel(self.now, id);
                }
            }
            9 => {
                if let Some(bytes) = self.one(&self.history.clone()) {
                    self.input(bytes);
                }
            }
            10 => self.damaged(),
            _ => self.break_flow(),
        }
        self.drain();
        let pause = [0, 1, 200, 499, 500, 4000, 32_000][self.below(7)];
        let pause = self.rng.below(pause + 1);
        self.pass(Duration::from_millis(pause.into()));
    }

    fn request(&mut self) {
        let method = METHODS[self.below(3)].clone();
        let call = format!("{}@us", self.below(5));
        let target = Target::new(self.protocol, address(PEER));
        if let Ok(id) = self.endpoint.request(self.now, request(&method, &call), &target) {
            self.clients.push(id);
        }
    }

    fn peer_responds(&mut self) {
        let Some(request) = self.one(&self.requests_sent.clone()) else { return };
        let code = CODES[self.below(CODES.len())];
        let bytes = peer_response(&request, code).to_bytes();
        self.history.push(bytes.clone());
        self.input(bytes);
    }

    fn peer_requests(&mut self) {
        let method = METHODS[self.below(METHODS.len())].clone();
        let branch = format!("{}{}", ["z9hG4bK", ""][self.below(2)], self.below(4));
        let bytes = peer_request(&method, self.protocol, &branch, "call@peer").to_bytes();
        self.history.push(bytes.clone());
        self.input(bytes);
    }

    fn respond(&mut self) {
        let Some((id, request)) = self.one(&self.servers.clone()) else { return };
        let code = StatusCode::new(CODES[self.below(CODES.len())]).unwrap();
        let _ = self.endpoint.respond(self.now, id, request.response(code, Some("us")));
    }

    /// A message with one byte changed, or cut.
    fn damaged(&mut self) {
        let Some(mut bytes) = self.one(&self.history.clone()) else { return };
        let at = self.below(bytes.len());
        if self.rng.chance(0.5) {
            bytes[at] = self.rng.next_u32() as u8;
        } else {
            bytes.truncate(at);
        }
        self.input(bytes);
    }

    fn break_flow(&mut self) {
        if self.protocol == Protocol::Tcp
            && let Some(flow) = self.flow.take()
        {
            self.endpoint.handle_input(self.now, Input::FlowDown { flow, reason: FlowError::Reset });
        }
    }

    fn input(&mut self, bytes: Vec<u8>) {
        let bytes = Bytes::from(bytes);
        let input = match (self.protocol, self.flow) {
            (Protocol::Udp, Some(flow)) => Input::Datagram { flow, source: address(PEER), payload: bytes },
            (_, Some(flow)) if !bytes.is_empty() => Input::Stream { flow, bytes },
            (Protocol::Tcp, None) => {
                self.flow = self.endpoint.accept(self.now, Protocol::Tcp, address(US), address(PEER));
                return;
            }
            _ => return,
        };
        self.endpoint.handle_input(self.now, input);
    }

    fn drain(&mut self) {
        loop {
            if let Some(request) = self.endpoint.poll_flow() {
                match request {
                    FlowRequest::Connect { flow, .. } if self.rng.chance(0.8) => {
                        self.flow = Some(flow);
                        self.endpoint.handle_input(
                            self.now,
                            Input::FlowUp { flow, local: address("192.0.2.1:49152") },
                        );
                    }
                    FlowRequest::Connect { flow, .. } => {
                        self.endpoint
                            .handle_input(self.now, Input::FlowDown { flow, reason: FlowError::Refused });
                    }
                    FlowRequest::Close { flow } => self.flow = self.flow.filter(|open| *open != flow),
                    _ => {}
                }
            } else if let Some(transmit) = self.endpoint.poll_transmit() {
                if transmit.payload.len() > 2
                    && let Message::Request(request) = parse(&transmit.payload)
                {
                    self.requests_sent.push(request);
                }
            } else if let Some(event) = self.endpoint.poll_event() {
                match event {
                    Event::Request { transaction, request, .. } => self.servers.push((transaction, request)),
                    Event::Response { response, .. } if response.status.is_final() => self.finals += 1,
                    _ => {}
                }
            } else {
                break;
            }
        }
        if let Some((at, why)) = self.endpoint.poll_timeout() {
            assert!(at > self.now, "{why:?} is due and was not run");
        }
        assert!(self.endpoint.transaction_count() <= 40);
    }

    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some((at, _)) = self.endpoint.poll_timeout().filter(|(at, _)| *at <= end) {
            self.now = at;
            self.endpoint.handle_timeout(at);
            self.drain();
        }
        self.now = end;
        // Early calls are no-ops.
        self.endpoint.handle_timeout(end);
        self.drain();
    }

    /// Only the layer above may end a call that rings; it does, and the rest ends by time.
    fn end(mut self, seed: u64) -> usize {
        for id in self.clients.clone() {
            let _ = self.endpoint.cancel(self.now, id);
        }
        for (id, request) in self.servers.clone() {
            let response = request.response(StatusCode::SERVER_INTERNAL_ERROR, Some("us"));
            let _ = self.endpoint.respond(self.now, id, response);
        }
        self.drain();
        self.pass(Duration::from_secs(200));
        assert_eq!(self.endpoint.transaction_count(), 0, "seed {seed}");
        if self.protocol == Protocol::Udp {
            assert_eq!(self.endpoint.poll_timeout(), None, "seed {seed}");
        }
        self.finals
    }
}

#[test]
fn any_sequence_ends_without_a_transaction_left() {
    let mut finals = 0;
    for seed in 0..SEEDS {
        let mut chaos = Chaos::new(seed);
        for _ in 0..STEPS {
            chaos.step();
        }
        finals += chaos.end(seed);
    }
    // The sequences do reach the depth of the machines.
    assert!(finals > 1000, "{finals}");
}
