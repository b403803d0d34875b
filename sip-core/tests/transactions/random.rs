//! Anything in any order, over UDP, TCP and WebSocket: nothing panics, no deadline is left behind, and at the end every
//! transaction is gone.

use crate::support::{PEER, US, address, config, parse, peer_request, peer_response, request};
use bytes::Bytes;
use sidetone_hal::time::Duration;
use sidetone_sip_core::header::ContentType;
use sidetone_sip_core::{
    Endpoint, Event, FlowError, FlowId, FlowRequest, Input, Instant, Message, Method, Protocol, Request, Rng,
    StatusCode, Target, TransactionId,
};

const SEEDS: u64 = 1000;
const STEPS: usize = 150;
const MAX_TRANSACTIONS: usize = 40;
const MAX_FLOWS: usize = 6;
const METHODS: [Method; 5] = [Method::INVITE, Method::OPTIONS, Method::BYE, Method::ACK, Method::CANCEL];
const CODES: [u16; 7] = [100, 180, 183, 200, 302, 486, 603];

struct Chaos {
    endpoint: Endpoint,
    rng: Rng,
    now: Instant,
    udp: FlowId,
    /// What this run's requests go over.
    protocols: Vec<Protocol>,
    /// Connections that are up.
    flows: Vec<(FlowId, Protocol)>,
    /// Connections that the endpoint asked for, and that nothing is known of yet.
    rising: Vec<(FlowId, Protocol)>,
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
        let mut rng = Rng::from_u64(seed);
        let mut config = config();
        config.max_transactions = MAX_TRANSACTIONS;
        config.max_flows = MAX_FLOWS;
        config.max_flows_per_address = 4;
        config.max_pending = 3;
        config.refuse_merged = rng.chance(0.5);
        config.alias = rng.chance(0.5);
        config.max_request_rate = rng.chance(0.3).then_some(2);
        config.first_message = Duration::from_secs(20);
        config.idle = Duration::from_secs(60);
        let mut endpoint = Endpoint::new(config);
        let udp = endpoint.bind(Protocol::Udp, address(US));
        endpoint.listen(Protocol::Tcp, address(US));
        let all = [Protocol::Udp, Protocol::Tcp, Protocol::Ws];
        let protocols = match seed % 4 {
            0 => vec![Protocol::Udp],
            1 => vec![Protocol::Tcp],
            _ => all.to_vec(),
        };
        Self {
            endpoint,
            rng,
            now: Instant::ZERO,
            udp,
            protocols,
            flows: Vec::new(),
            rising: Vec::new(),
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

    fn protocol(&mut self) -> Protocol {
        let protocols = self.protocols.clone();
        self.one(&protocols).unwrap()
    }

    fn step(&mut self) {
        match self.below(14) {
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
            11 => self.connect(),
            12 => self.settle_one(),
            _ => self.break_one(),
        }
        self.drain();
        let pause = [0, 1, 200, 499, 500, 4000, 32_000][self.below(7)];
        let pause = self.rng.below(pause + 1);
        self.pass(Duration::from_millis(pause.into()));
    }

    fn request(&mut self) {
        let method = METHODS[self.below(3)].clone();
        let call = format!("{}@us", self.below(5));
        let mut request = request(&method, &call);
        if self.rng.chance(0.3) {
            // Too long for UDP.
            request.set_body(&"text/plain".parse::<ContentType>().unwrap(), "x".repeat(1200));
        }
        let mut target = Target::new(self.protocol(), address(PEER));
        if self.rng.chance(0.2) {
            target.flow = self.one(&self.flows.clone()).map(|(flow, _)| flow);
        }
        if let Ok(id) = self.endpoint.request(self.now, request, &target) {
            self.clients.push(id);
        }
    }

    fn peer_responds(&mut self) {
        let latest = self.requests_sent.len().saturating_sub(6);
        let Some(request) = self.one(&self.requests_sent.clone()[latest..]) else { return };
        let code = CODES[self.below(CODES.len())];
        let bytes = peer_response(&request, code).to_bytes();
        self.history.push(bytes.clone());
        self.input(bytes);
    }

    fn peer_requests(&mut self) {
        let method = METHODS[self.below(METHODS.len())].clone();
        let branch = format!("{}{}", ["z9hG4bK", ""][self.below(2)], self.below(4));
        let bytes = peer_request(&method, self.protocol(), &branch, "call@peer").to_bytes();
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

    /// The peer connects.
    fn connect(&mut self) {
        let protocol = [Protocol::Tcp, Protocol::Ws][self.below(2)];
        let remote = format!("192.0.2.2:{}", 40_000 + self.below(3));
        let flow = self.endpoint.accept(self.now, protocol, address(US), address(&remote));
        self.flows.extend(flow.map(|flow| (flow, protocol)));
    }

    /// A connection that the endpoint asked for comes up, or does not.
    fn settle_one(&mut self) {
        if self.rising.is_empty() {
            return;
        }
        let place = self.below(self.rising.len());
        let (flow, protocol) = self.rising.swap_remove(place);
        let input = if self.rng.chance(0.7) {
            self.flows.push((flow, protocol));
            Input::FlowUp { flow, local: address("192.0.2.1:49152") }
        } else {
            Input::FlowDown { flow, reason: FlowError::Refused }
        };
        self.endpoint.handle_input(self.now, input);
    }

    fn break_one(&mut self) {
        if self.flows.is_empty() {
            let destination = address(PEER);
            let input = Input::Unreachable { flow: self.udp, destination, reason: FlowError::Unreachable };
            return self.endpoint.handle_input(self.now, input);
        }
        let place = self.below(self.flows.len());
        let (flow, _) = self.flows.swap_remove(place);
        self.endpoint.handle_input(self.now, Input::FlowDown { flow, reason: FlowError::Reset });
    }

    /// Bytes of the peer's, over some connection of this run's transports.
    fn input(&mut self, bytes: Vec<u8>) {
        let payload = Bytes::from(bytes);
        let protocol = self.protocol();
        let flows: Vec<_> = self.flows.iter().filter(|(_, kind)| *kind == protocol).copied().collect();
        let input = match (protocol, self.one(&flows)) {
            (Protocol::Udp, _) => Input::Datagram { flow: self.udp, source: address(PEER), payload },
            (Protocol::Ws, Some((flow, _))) => Input::Frame { flow, payload },
            (_, Some((flow, _))) if !payload.is_empty() => {
                // Cut somewhere: the rest may come, or never.
                let cut = if self.rng.chance(0.3) { self.below(payload.len()).max(1) } else { payload.len() };
                let first = Input::Stream { flow, bytes: payload.slice(..cut) };
                self.endpoint.handle_input(self.now, first);
                if cut == payload.len() || self.rng.chance(0.2) {
                    return;
                }
                Input::Stream { flow, bytes: payload.slice(cut..) }
            }
            _ => return self.connect(),
        };
        self.endpoint.handle_input(self.now, input);
    }

    fn drain(&mut self) {
        loop {
            if let Some(request) = self.endpoint.poll_flow() {
                match request {
                    FlowRequest::Connect { flow, protocol, .. } => self.rising.push((flow, protocol)),
                    FlowRequest::Close { flow } => {
                        self.flows.retain(|(open, _)| *open != flow);
                        self.rising.retain(|(open, _)| *open != flow);
                    }
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
        assert!(self.endpoint.transaction_count() <= MAX_TRANSACTIONS);
        assert!(self.endpoint.flow_count() <= MAX_FLOWS);
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
    fn end(mut self, seed: u64) -> (usize, u64) {
        for id in self.clients.clone() {
            let _ = self.endpoint.cancel(self.now, id);
        }
        for (id, request) in self.servers.clone() {
            let response = request.response(StatusCode::SERVER_INTERNAL_ERROR, Some("us"));
            let _ = self.endpoint.respond(self.now, id, response);
        }
        self.drain();
        // What waits for a connection hears of it in the end, as a driver has it.
        for _ in 0..20 {
            for (flow, _) in core::mem::take(&mut self.rising) {
                self.endpoint.handle_input(self.now, Input::FlowDown { flow, reason: FlowError::TimedOut });
            }
            self.drain();
            self.pass(Duration::from_secs(40));
        }
        assert_eq!(self.endpoint.transaction_count(), 0, "seed {seed}");
        assert_eq!(self.endpoint.flow_count(), 0, "seed {seed}: idle connections close");
        assert_eq!(self.endpoint.poll_timeout(), None, "seed {seed}");
        (self.finals, self.endpoint.counters().switched_back)
    }
}

#[test]
fn any_sequence_ends_without_a_transaction_left() {
    let (mut finals, mut switched_back) = (0, 0);
    for seed in 0..SEEDS {
        let mut chaos = Chaos::new(seed);
        for _ in 0..STEPS {
            chaos.step();
        }
        let (more, back) = chaos.end(seed);
        finals += more;
        switched_back += back;
    }
    // The sequences do reach the depth of the machines.
    assert!(finals > 2000, "{finals}");
    assert!(switched_back > 100, "{switched_back}");
}
