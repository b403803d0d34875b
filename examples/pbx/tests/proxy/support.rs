//! A proxy in virtual time with hand-written peers: each peer is an address, each message is text.

use bytes::Bytes;
use sidetone_hal::net::{FlowId, Protocol, SocketAddr};
use sidetone_hal::rng::Rng;
use sidetone_hal::time::{Duration, Instant};
use sidetone_pbx::{PbxEvent, Proxy, ProxyConfig};
use sidetone_sip_core::header::{
    Authorization, CSeq, CallId, Contact, From, Header, MaxForwards, ProxyAuthenticate, ProxyAuthorization,
    RecordRoute, Route, To, Via, WwwAuthenticate,
};
use sidetone_sip_core::{
    Challenge, Credentials, DigestClient, Input, Limits, Message, Method, NameAddr, Request, Response,
    Secret, StatusCode, Uri,
};
use std::collections::{HashMap, VecDeque};

pub(crate) const PBX: &str = "10.0.0.1:5060";

/// The proxy, its peers' inboxes, and the clock.
pub(crate) struct Bench {
    pub(crate) proxy: Proxy,
    pub(crate) now: Instant,
    pub(crate) udp: FlowId,
    inbox: HashMap<SocketAddr, VecDeque<Message>>,
    events: VecDeque<PbxEvent>,
    rng: Rng,
}

/// A phone: an account at an address.
#[derive(Clone)]
pub(crate) struct Peer {
    pub(crate) user: &'static str,
    pub(crate) password: &'static str,
    pub(crate) address: SocketAddr,
    /// The connection that it speaks over; by the UDP socket when there is none.
    pub(crate) flow: Option<FlowId>,
}

pub(crate) fn peer(user: &'static str, address: &str) -> Peer {
    Peer { user, password: "secret", address: address.parse().unwrap(), flow: None }
}

impl Peer {
    pub(crate) fn contact(&self) -> Uri {
        let transport = if self.flow.is_some() { ";transport=tcp" } else { "" };
        format!("sip:{}@{}{transport}", self.user, self.address).parse().unwrap()
    }

    /// A request outside a dialog, as this peer begins it.
    pub(crate) fn request(&self, method: Method, uri: &str, to: &str, call_id: &str, cseq: u32) -> Request {
        let mut request = Request::new(method.clone(), uri.parse().unwrap());
        let protocol = if self.flow.is_some() { "TCP" } else { "UDP" };
        let branch = format!("z9hG4bK{}{call_id}{cseq}{method}", self.user);
        let via = format!("SIP/2.0/{protocol} {};branch={branch};rport", self.address);
        request.headers.push_raw(Via::NAME, via).unwrap();
        request.headers.push(&MaxForwards(70));
        let from = format!("<sip:{}@10.0.0.1>;tag={}tag", self.user, self.user);
        request.headers.push_raw(From::NAME, from).unwrap();
        request.headers.push_raw(To::NAME, format!("<{to}>")).unwrap();
        request.headers.push_raw(CallId::NAME, call_id).unwrap();
        request.headers.push(&CSeq { seq: cseq, method });
        request.headers.push(&Contact::Addr(NameAddr::new(self.contact())));
        request
    }

    pub(crate) fn register(&self, cseq: u32, expires: &str) -> Request {
        let to = format!("sip:{}@10.0.0.1", self.user);
        let mut request =
            self.request(Method::REGISTER, "sip:10.0.0.1", &to, &format!("reg-{}", self.user), cseq);
        request.headers.push_raw(sidetone_sip_core::HeaderName::EXPIRES, expires).unwrap();
        request
    }

    pub(crate) fn invite(&self, callee: &str, call_id: &str, cseq: u32) -> Request {
        let uri = format!("sip:{callee}@10.0.0.1");
        self.request(Method::INVITE, &uri, &uri, call_id, cseq)
    }

    /// The same request again, with credentials for the challenge: a new branch, the next CSeq.
    pub(crate) fn authorize(&self, request: &Request, challenged: &Response) -> Request {
        let www: Vec<Challenge> =
            challenged.headers.all::<WwwAuthenticate>().map(|header| header.unwrap().0).collect();
        let proxy: Vec<Challenge> =
            challenged.headers.all::<ProxyAuthenticate>().map(|header| header.unwrap().0).collect();
        let mut again = request.clone();
        let cseq: CSeq = request.headers.require().unwrap();
        again.headers.set(&CSeq { seq: cseq.seq + 1, method: cseq.method });
        let protocol = if self.flow.is_some() { "TCP" } else { "UDP" };
        let challenges = if www.is_empty() { &proxy } else { &www };
        let nonce = &challenges.first().unwrap().nonce;
        let via = format!("SIP/2.0/{protocol} {};branch=z9hG4bK{nonce};rport", self.address);
        again.headers.remove(&Via::NAME);
        again.headers.push_raw(Via::NAME, via).unwrap();
        let credentials = self.credentials(challenges, &again);
        if www.is_empty() {
            again.headers.push(&ProxyAuthorization(credentials));
        } else {
            again.headers.push(&Authorization(credentials));
        }
        again
    }

    fn credentials(&self, challenges: &[Challenge], request: &Request) -> Credentials {
        let password = Secret::new(self.password);
        DigestClient::new()
            .authorize(
                challenges,
                &request.method,
                request.uri.as_str(),
                &request.body,
                self.user,
                &password,
                &mut Rng::from_u64(99),
            )
            .unwrap()
    }
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut ProxyConfig)) -> Self {
        let mut config = ProxyConfig::new([5; 32]);
        change(&mut config);
        let mut proxy = Proxy::new(config);
        let local: SocketAddr = PBX.parse().unwrap();
        let udp = proxy.endpoint_mut().bind(Protocol::Udp, local);
        proxy.endpoint_mut().listen(Protocol::Tcp, local);
        proxy.add_local(local);
        for user in ["alice", "bob", "carol"] {
            proxy.add_account(user, Secret::new("secret"));
        }
        Self {
            proxy,
            now: Instant::from_millis(1),
            udp,
            inbox: HashMap::new(),
            events: VecDeque::new(),
            rng: Rng::from_u64(3),
        }
    }

    /// A connection that a peer opened to the proxy.
    pub(crate) fn connect(&mut self, peer: &mut Peer) {
        let local = PBX.parse().unwrap();
        peer.flow = self.proxy.endpoint_mut().accept(self.now, Protocol::Tcp, local, peer.address);
        assert!(peer.flow.is_some());
    }

    pub(crate) fn send(&mut self, from: &Peer, bytes: Vec<u8>) {
        let input = match from.flow {
            Some(flow) => Input::Stream { flow, bytes: Bytes::from(bytes) },
            None => Input::Datagram { flow: self.udp, source: from.address, payload: Bytes::from(bytes) },
        };
        self.proxy.handle_input(self.now, input);
        self.drain();
    }

    pub(crate) fn request(&mut self, from: &Peer, request: &Request) {
        self.send(from, request.to_bytes());
    }

    /// Sends a request and gives the response to it, 100 passed over.
    #[track_caller]
    pub(crate) fn ask(&mut self, from: &Peer, request: &Request) -> Response {
        self.request(from, request);
        self.response(from)
    }

    /// Answers a request that a peer got.
    pub(crate) fn answer(&mut self, from: &Peer, request: &Request, status: StatusCode) {
        let response = self.reply(from, request, status);
        self.send(from, response.to_bytes());
    }

    pub(crate) fn reply(&mut self, from: &Peer, request: &Request, status: StatusCode) -> Response {
        let tag = format!("{}{}tag", from.user, from.address.port());
        let mut response = request.response(status, Some(&tag));
        response.headers.copy_all(&RecordRoute::NAME, &request.headers);
        response.headers.push(&Contact::Addr(NameAddr::new(from.contact())));
        response
    }

    /// Lets time pass, with every timer on the way.
    pub(crate) fn advance(&mut self, by: Duration) {
        let end = self.now + by;
        while let Some(at) = self.proxy.poll_timeout().filter(|at| *at <= end) {
            assert!(at >= self.now, "a deadline in the past");
            self.now = at;
            self.proxy.handle_timeout(at);
            self.drain();
            assert!(self.proxy.poll_timeout().is_none_or(|next| next > at), "a deadline that does not pass");
        }
        self.now = end;
    }

    /// The next message for a peer.
    #[track_caller]
    pub(crate) fn next(&mut self, peer: &Peer) -> Option<Message> {
        self.inbox.get_mut(&peer.address)?.pop_front()
    }

    #[track_caller]
    pub(crate) fn response(&mut self, peer: &Peer) -> Response {
        loop {
            match self.next(peer) {
                Some(Message::Response(response)) if response.status == StatusCode::TRYING => continue,
                Some(Message::Response(response)) => return response,
                other => panic!("{} expected a response, got {other:?}", peer.user),
            }
        }
    }

    #[track_caller]
    pub(crate) fn incoming(&mut self, peer: &Peer, method: Method) -> Request {
        match self.next(peer) {
            Some(Message::Request(request)) if request.method == method => request,
            other => panic!("{} expected {method}, got {other:?}", peer.user),
        }
    }

    /// The same, whatever came before it.
    #[track_caller]
    pub(crate) fn incoming_at_last(&mut self, peer: &Peer, method: Method) -> Request {
        loop {
            match self.next(peer) {
                Some(Message::Request(request)) if request.method == method => return request,
                Some(_) => continue,
                None => panic!("{} expected {method}", peer.user),
            }
        }
    }

    /// ACKs a refusal of an INVITE.
    pub(crate) fn ack(&mut self, caller: &Peer, invite: &Request, refused: &Response) {
        let mut ack = invite.clone();
        let cseq: CSeq = invite.headers.require().unwrap();
        ack.method = Method::ACK;
        ack.headers.set(&CSeq { seq: cseq.seq, method: Method::ACK });
        ack.headers.set(&refused.headers.require::<To>().unwrap());
        self.request(caller, &ack);
    }

    #[track_caller]
    pub(crate) fn silent(&mut self, peer: &Peer) {
        assert!(self.inbox.get(&peer.address).is_none_or(VecDeque::is_empty), "{} got something", peer.user);
    }

    pub(crate) fn forget_messages(&mut self) {
        self.inbox.clear();
    }

    pub(crate) fn forget(&mut self) {
        self.inbox.clear();
        self.events.clear();
    }

    pub(crate) fn event(&mut self) -> Option<PbxEvent> {
        self.events.pop_front()
    }

    /// Registers a peer with digest; panics when it is refused.
    #[track_caller]
    pub(crate) fn register(&mut self, peer: &Peer) {
        let request = peer.register(1, "600");
        let challenged = self.ask(peer, &request);
        assert_eq!(challenged.status, StatusCode::UNAUTHORIZED);
        let accepted = self.ask(peer, &peer.authorize(&request, &challenged));
        assert_eq!(accepted.status, StatusCode::OK, "{accepted:?}");
        self.events.clear();
    }

    /// Begins a call with digest; gives the INVITE that was authenticated.
    #[track_caller]
    pub(crate) fn invite(&mut self, caller: &Peer, callee: &str, call_id: &str) -> Request {
        let request = caller.invite(callee, call_id, 1);
        let challenged = self.ask(caller, &request);
        assert_eq!(challenged.status, StatusCode::PROXY_AUTHENTICATION_REQUIRED);
        self.ack(caller, &request, &challenged);
        let again = caller.authorize(&request, &challenged);
        self.request(caller, &again);
        again
    }

    /// A request of the dialog that `answered` (a 2xx) made, from the caller.
    pub(crate) fn in_dialog(
        &mut self,
        caller: &Peer,
        answered: &Response,
        method: Method,
        cseq: u32,
    ) -> Request {
        let mut request = Request::new(method.clone(), remote_target(answered));
        let branch = format!("z9hG4bK{}", self.rng.next_u64());
        let protocol = if caller.flow.is_some() { "TCP" } else { "UDP" };
        let via = format!("SIP/2.0/{protocol} {};branch={branch}", caller.address);
        request.headers.push_raw(Via::NAME, via).unwrap();
        request.headers.push(&MaxForwards(70));
        for name in [From::NAME, To::NAME, CallId::NAME] {
            request.headers.copy_all(&name, &answered.headers);
        }
        request.headers.push(&CSeq { seq: cseq, method });
        let mut routes: Vec<RecordRoute> = answered.headers.all().map(Result::unwrap).collect();
        routes.reverse();
        routes.into_iter().for_each(|route| request.headers.push(&Route(route.0)));
        request
    }

    /// The same from the callee, by the INVITE that it got.
    pub(crate) fn in_dialog_back(
        &mut self,
        callee: &Peer,
        invite: &Request,
        method: Method,
        cseq: u32,
    ) -> Request {
        let response = self.reply(callee, invite, StatusCode::OK);
        let contact = match invite.headers.require::<Contact>().unwrap() {
            Contact::Addr(address) => address.uri,
            Contact::Star => unreachable!("a Contact in an INVITE is an address"),
        };
        let mut request = Request::new(method.clone(), contact);
        let branch = format!("z9hG4bK{}", self.rng.next_u64());
        let protocol = if callee.flow.is_some() { "TCP" } else { "UDP" };
        request
            .headers
            .push_raw(Via::NAME, format!("SIP/2.0/{protocol} {};branch={branch}", callee.address))
            .unwrap();
        request.headers.push(&MaxForwards(70));
        let (from, to): (From, To) =
            (response.headers.require().unwrap(), response.headers.require().unwrap());
        request.headers.push(&From(to.0));
        request.headers.push(&To(from.0));
        request.headers.copy_all(&CallId::NAME, &response.headers);
        request.headers.push(&CSeq { seq: cseq, method });
        for route in invite.headers.all::<RecordRoute>() {
            request.headers.push(&Route(route.unwrap().0));
        }
        request
    }

    fn drain(&mut self) {
        while let Some(transmit) = self.proxy.poll_transmit() {
            let message = Message::parse(Bytes::from(transmit.payload.to_vec()), &Limits::default()).unwrap();
            self.inbox.entry(transmit.destination).or_default().push_back(message);
        }
        while self.proxy.poll_flow().is_some() {}
        while let Some(event) = self.proxy.poll_event() {
            self.events.push_back(event);
        }
    }
}

fn remote_target(answered: &Response) -> Uri {
    match answered.headers.require::<Contact>().unwrap() {
        Contact::Addr(address) => address.uri,
        Contact::Star => unreachable!("a Contact in a 2xx is an address"),
    }
}
