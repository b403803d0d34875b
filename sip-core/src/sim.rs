//! SIP machines as nodes of the simulated world ([`sidetone_hal::sim`]), so that a phone or a PBX made of this crate is
//! tested in virtual time, over links that lose, repeat and reorder. With the feature `sim`.

use crate::{Endpoint, FlowError, FlowId, FlowRequest, Input, Instant, Protocol, Transmit};
use bytes::Bytes;
use core::ops::{Deref, DerefMut};
use sidetone_hal::net::SocketAddr;
use sidetone_hal::sim::{Node, StreamError, StreamEvent, StreamRequest};

/// A machine with an [`Endpoint`] inside. Its user's reactions to events belong into the two `handle_` calls.
pub trait Machine: 'static {
    /// The endpoint inside.
    fn endpoint_mut(&mut self) -> &mut Endpoint;

    /// As [`Endpoint::handle_input`].
    fn handle_input(&mut self, now: Instant, input: Input);

    /// As [`Endpoint::handle_timeout`].
    fn handle_timeout(&mut self, now: Instant);

    /// When to call [`Machine::handle_timeout`].
    fn poll_timeout(&self) -> Option<Instant>;
}

/// A [`Machine`] as a [`Node`] of a world, over UDP and TCP; it dereferences to the machine.
#[derive(Debug)]
pub struct SipNode<M>(pub M);

impl<M> Deref for SipNode<M> {
    type Target = M;

    fn deref(&self) -> &M {
        &self.0
    }
}

impl<M> DerefMut for SipNode<M> {
    fn deref_mut(&mut self) -> &mut M {
        &mut self.0
    }
}

impl<M: Machine> Node for SipNode<M> {
    fn handle_datagram(&mut self, now: Instant, flow: FlowId, source: SocketAddr, payload: &[u8]) {
        self.0.handle_input(now, Input::Datagram { flow, source, payload: Bytes::copy_from_slice(payload) });
    }

    fn handle_stream(&mut self, now: Instant, flow: FlowId, event: StreamEvent<'_>) {
        let input = match event {
            StreamEvent::Up { local } => Input::FlowUp { flow, local },
            StreamEvent::Data(bytes) => Input::Stream { flow, bytes: Bytes::copy_from_slice(bytes) },
            StreamEvent::Down(error) => {
                let reason = match error {
                    StreamError::Refused => FlowError::Refused,
                    StreamError::Closed => FlowError::Closed,
                    StreamError::Reset => FlowError::Reset,
                    StreamError::TimedOut => FlowError::TimedOut,
                };
                Input::FlowDown { flow, reason }
            }
        };
        self.0.handle_input(now, input);
    }

    fn accept_stream(&mut self, now: Instant, local: SocketAddr, remote: SocketAddr) -> Option<FlowId> {
        self.0.endpoint_mut().accept(now, Protocol::Tcp, local, remote)
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.0.handle_timeout(now);
    }

    fn poll_transmit(&mut self) -> Option<Transmit> {
        self.0.endpoint_mut().poll_transmit()
    }

    fn poll_stream(&mut self) -> Option<StreamRequest> {
        Some(match self.0.endpoint_mut().poll_flow()? {
            FlowRequest::Connect { flow, remote, .. } => StreamRequest::Connect { flow, remote },
            FlowRequest::Close { flow } => StreamRequest::Close { flow },
        })
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.0.poll_timeout()
    }
}
