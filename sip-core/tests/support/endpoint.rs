//! An endpoint by hand: what goes in, and everything that comes out.

#![allow(dead_code, reason = "each test crate uses its part")]

use crate::support::{US, address, config, describe, parse};
use bytes::Bytes;
use core::net::SocketAddr;
use sidetone_hal::time::Duration;
use sidetone_sip_core::header::Via;
use sidetone_sip_core::{
    Endpoint, EndpointConfig, Event, FlowId, FlowRequest, Input, Instant, Message, Protocol, Request, Source,
    TransactionId, Transmit,
};

pub(crate) const SECOND: Duration = Duration::from_secs(1);

pub(crate) fn at(seconds: u64) -> Instant {
    Instant::ZERO + SECOND * u32::try_from(seconds).unwrap()
}

pub(crate) fn udp() -> (Endpoint, FlowId) {
    let mut endpoint = Endpoint::new(config());
    let flow = endpoint.bind(Protocol::Udp, address(US));
    (endpoint, flow)
}

/// UDP and TCP at our address.
pub(crate) fn both(config: EndpointConfig) -> (Endpoint, FlowId) {
    let mut endpoint = Endpoint::new(config);
    let flow = endpoint.bind(Protocol::Udp, address(US));
    endpoint.listen(Protocol::Tcp, address(US));
    (endpoint, flow)
}

pub(crate) fn accept(endpoint: &mut Endpoint, now: Instant, remote: &str) -> Option<FlowId> {
    endpoint.accept(now, Protocol::Tcp, address(US), address(remote))
}

pub(crate) fn datagram(
    endpoint: &mut Endpoint,
    now: Instant,
    flow: FlowId,
    source: SocketAddr,
    bytes: impl Into<Bytes>,
) {
    endpoint.handle_input(now, Input::Datagram { flow, source, payload: bytes.into() });
}

pub(crate) fn stream(endpoint: &mut Endpoint, now: Instant, flow: FlowId, bytes: &[u8]) {
    endpoint.handle_input(now, Input::Stream { flow, bytes: Bytes::copy_from_slice(bytes) });
}

/// Everything that is to be sent: where, and what.
pub(crate) fn sent(endpoint: &mut Endpoint) -> Vec<(SocketAddr, Message)> {
    transmits(endpoint).map(|transmit| (transmit.destination, parse(&transmit.payload))).collect()
}

/// Everything that is to be sent: on which socket or connection, and what.
pub(crate) fn sent_on(endpoint: &mut Endpoint) -> Vec<(FlowId, Message)> {
    transmits(endpoint).map(|transmit| (transmit.flow, parse(&transmit.payload))).collect()
}

pub(crate) fn transmits(endpoint: &mut Endpoint) -> impl Iterator<Item = Transmit> {
    core::iter::from_fn(|| endpoint.poll_transmit())
}

pub(crate) fn via(message: &Message) -> Via {
    message.headers().require().unwrap()
}

/// The connection that is asked for.
pub(crate) fn connect(endpoint: &mut Endpoint) -> FlowId {
    match endpoint.poll_flow() {
        Some(FlowRequest::Connect { flow, .. }) => flow,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn events(endpoint: &mut Endpoint) -> Vec<Event> {
    core::iter::from_fn(|| endpoint.poll_event()).collect()
}

pub(crate) fn names(endpoint: &mut Endpoint) -> Vec<String> {
    events(endpoint).iter().map(describe).collect()
}

/// The one event there is: a request.
pub(crate) fn only_request(endpoint: &mut Endpoint) -> (TransactionId, Request, Source) {
    let mut events = events(endpoint);
    assert_eq!(events.len(), 1, "{events:?}");
    match events.remove(0) {
        Event::Request { transaction, request, source } => (transaction, request, source),
        other => panic!("{other:?}"),
    }
}
