//! An endpoint with its sockets.

#![allow(dead_code, reason = "each test crate uses its part")]

use crate::support::request;
use core::net::SocketAddr;
use sidetone_hal::time::Duration;
use sidetone_sip_core::driver::{self, DriverConfig, Io, IoEvent};
use sidetone_sip_core::{
    Endpoint, EndpointConfig, Event, FlowError, Input, Method, Protocol, Request, Response, Source, Target,
    TransactionFailure, TransactionId,
};

pub(crate) const BOUND: Duration = Duration::from_secs(60);

pub(crate) async fn bounded<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(BOUND, future).await.expect("the event came within the bound")
}

pub(crate) struct Party {
    pub(crate) endpoint: Endpoint,
    pub(crate) io: Io,
}

impl Party {
    pub(crate) fn new(config: &DriverConfig) -> Self {
        let mut endpoint = Endpoint::new(EndpointConfig::new(driver::seed()));
        let mut io = Io::bind(config).unwrap();
        io.attach(&mut endpoint);
        Self { endpoint, io }
    }

    /// One wake-up: what came in, not yet handled; a time-out is.
    pub(crate) async fn input(&mut self) -> Option<Input> {
        let deadline = self.endpoint.poll_timeout().map(|(at, _)| at);
        match self.io.next(&mut self.endpoint, deadline).await {
            IoEvent::Input(input) => Some(input),
            IoEvent::Timeout => {
                self.endpoint.handle_timeout(self.io.now());
                None
            }
        }
    }

    /// One wake-up.
    pub(crate) async fn turn(&mut self) {
        if let Some(input) = self.input().await {
            self.endpoint.handle_input(self.io.now(), input);
        }
    }

    /// The next event that is not the end of a transaction.
    pub(crate) async fn event(&mut self) -> Event {
        loop {
            match self.endpoint.poll_event() {
                Some(Event::Terminated { .. }) => {}
                Some(event) => return event,
                None => self.turn().await,
            }
        }
    }

    /// Sends an OPTIONS.
    pub(crate) fn options(&mut self, protocol: Protocol, call_id: &str, to: SocketAddr) -> TransactionId {
        let target = Target::new(protocol, to);
        self.endpoint.request(self.io.now(), request(&Method::OPTIONS, call_id), &target).unwrap()
    }

    /// Sends a request, and waits for its final response.
    pub(crate) async fn ask(
        &mut self,
        request: Request,
        target: &Target,
    ) -> Result<(Response, Source), FlowError> {
        self.endpoint.request(self.io.now(), request, target).unwrap();
        loop {
            match bounded(self.event()).await {
                Event::Response { response, .. } if !response.status.is_final() => {}
                Event::Response { response, source, .. } => return Ok((response, source)),
                Event::Failed { cause: TransactionFailure::Transport(reason), .. } => return Err(reason),
                other => panic!("{other:?}"),
            }
        }
    }
}
