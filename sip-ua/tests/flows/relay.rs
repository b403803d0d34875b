//! The proxy of the flows: transaction-stateful, with Record-Route (RFC 3261 §16), for users at fixed addresses.

use sidetone_hal::net::{Protocol, SocketAddr};
use sidetone_hal::time::Instant;
use sidetone_sip_core::header::{MaxForwards, RecordRoute, Route, Via};
use sidetone_sip_core::sim::Machine;
use sidetone_sip_core::{
    Endpoint, EndpointConfig, Event, Input, Method, NameAddr, Request, StatusCode, Target, TransactionId, Uri,
};
use std::collections::BTreeMap;

pub struct Relay {
    endpoint: Endpoint,
    address: SocketAddr,
    users: BTreeMap<&'static str, SocketAddr>,
    /// The server's side of each client transaction.
    servers: BTreeMap<TransactionId, TransactionId>,
    clients: BTreeMap<TransactionId, TransactionId>,
}

impl Relay {
    pub fn new(address: SocketAddr, users: BTreeMap<&'static str, SocketAddr>) -> Self {
        let mut endpoint = Endpoint::new(EndpointConfig::new([99; 32]));
        endpoint.bind(Protocol::Udp, address);
        Self { endpoint, address, users, servers: BTreeMap::new(), clients: BTreeMap::new() }
    }

    pub fn is_idle(&self) -> bool {
        self.servers.is_empty() && self.clients.is_empty() && self.endpoint.transaction_count() == 0
    }

    fn is_ours(&self, uri: &Uri) -> bool {
        uri.host().and_then(|host| host.ip()) == Some(self.address.ip())
    }

    /// Makes a request ready for its next hop, and says which that is.
    fn route(&self, request: &mut Request) -> Result<SocketAddr, StatusCode> {
        let left =
            request.headers.get::<MaxForwards>().and_then(Result::ok).map_or(70, |MaxForwards(left)| left);
        let left = left.checked_sub(1).ok_or(StatusCode::TOO_MANY_HOPS)?;
        request.headers.set(&MaxForwards(left));
        if let Some(Ok(Route(route))) = request.headers.get::<Route>()
            && self.is_ours(&route.uri)
        {
            request.headers.remove_first::<Route>();
        }
        if self.is_ours(&request.uri) {
            // The proxy maps the address of record to where the user is.
            let user = request.uri.user().unwrap_or_default();
            let (user, at) = self.users.get_key_value(&*user).ok_or(StatusCode::NOT_FOUND)?;
            request.uri = format!("sip:{user}@{at}").parse().unwrap();
        }
        let next = match request.headers.get::<Route>() {
            Some(Ok(Route(route))) => route.uri,
            _ => request.uri.clone(),
        };
        let ip = next.host().and_then(|host| host.ip()).ok_or(StatusCode::NOT_FOUND)?;
        Ok(SocketAddr::new(ip, next.port().unwrap_or(5060)))
    }

    fn forward(
        &mut self,
        now: Instant,
        server: TransactionId,
        mut request: Request,
    ) -> Result<(), StatusCode> {
        let received = request.clone();
        let next = self.route(&mut request)?;
        if matches!(request.method, Method::INVITE | Method::SUBSCRIBE | Method::REFER) {
            let uri: Uri = format!("sip:{};lr", self.address).parse().unwrap();
            request.headers.push_front(&RecordRoute(NameAddr::new(uri)));
        }
        let target = Target::new(Protocol::Udp, next);
        let client = self.endpoint.forward(now, &received, request, &target);
        let client = client.map_err(|_| StatusCode::SERVER_INTERNAL_ERROR)?;
        self.servers.insert(client, server);
        self.clients.insert(server, client);
        Ok(())
    }

    fn work(&mut self, now: Instant) {
        while let Some(event) = self.endpoint.poll_event() {
            match event {
                Event::Request { transaction, request, .. } => {
                    if let Err(status) = self.forward(now, transaction, request.clone()) {
                        let response = request.response(status, Some("relay"));
                        self.endpoint.respond(now, transaction, response).unwrap();
                    }
                }
                Event::Ack { mut request, .. } => {
                    if let Ok(next) = self.route(&mut request) {
                        self.endpoint.send_ack(now, request, &Target::new(Protocol::Udp, next)).unwrap();
                    }
                }
                // 100 says something about one hop only (RFC 3261 §16.7 step 5).
                Event::Response { transaction, mut response, .. }
                    if response.status != StatusCode::TRYING =>
                {
                    if let Some(server) = self.servers.get(&transaction) {
                        response.headers.remove_first::<Via>();
                        self.endpoint.respond(now, *server, response).unwrap();
                    }
                }
                Event::Cancelled { transaction, .. } => {
                    if let Some(client) = self.clients.get(&transaction) {
                        // An error means that its final response has come.
                        let _ = self.endpoint.cancel(now, *client);
                    }
                }
                Event::Failed { transaction, cause } => panic!("{transaction:?} failed: {cause:?}"),
                Event::Terminated { transaction } => {
                    self.servers.remove(&transaction);
                    self.clients.remove(&transaction);
                }
                _ => {}
            }
        }
    }
}

impl Machine for Relay {
    fn endpoint_mut(&mut self) -> &mut Endpoint {
        &mut self.endpoint
    }

    fn handle_input(&mut self, now: Instant, input: Input) {
        self.endpoint.handle_input(now, input);
        self.work(now);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.endpoint.handle_timeout(now);
        self.work(now);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.endpoint.poll_timeout().map(|(at, _)| at)
    }
}
