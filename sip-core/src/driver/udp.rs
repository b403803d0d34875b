//! UDP sockets: read in batches by [`Io::next`](super::Io::next) itself, sending is direct while the system takes it.

use super::batch::Batch;
use super::inbox::Inbox;
#[cfg(feature = "sim")]
use super::memory::{MemoryNetwork, MemorySocket};
use super::ports::Choice;
use super::system::{self, Refusal};
use super::{Arrival, at_address, flow_error, set_dscp};
use crate::transport::{FlowError, Input};
use alloc::collections::{BTreeMap, VecDeque};
use alloc::sync::Arc;
use bytes::Bytes;
use core::task::{Context, Poll};
use sidetone_hal::net::{FlowId, IpAddr, SocketAddr, Transmit};
use sidetone_hal::time::Instant;
use socket2::{Domain, Protocol, SockRef, Type};
use std::io;
use tokio::io::Interest;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};

/// A socket that fails this often in a row is broken.
const MAX_ERRORS: u32 = 1000;
/// An ICMP error of an earlier datagram makes the next system call fail, whomever that is for.
const ATTEMPTS: u32 = 3;
/// Destinations that one round of ICMP errors is about, at most.
const MAX_REFUSALS: usize = 256;

/// A bound socket.
pub(super) struct Socket {
    pub(super) local: SocketAddr,
    /// Its number, once the endpoint has given one.
    pub(super) flow: Option<FlowId>,
    /// The ports that it may change to.
    pub(super) choice: Choice,
    /// Another socket has taken its place: since when nothing came in here.
    pub(super) quiet_since: Option<Instant>,
    wire: Wire,
    /// What the system did not take at once.
    unsent: VecDeque<(Transmit, Option<IpAddr>)>,
    /// Failures of receiving in a row.
    errors: u32,
    watcher: Option<AbortHandle>,
}

/// Where datagrams go and come from.
enum Wire {
    System(Arc<UdpSocket>),
    #[cfg(feature = "sim")]
    Memory(MemorySocket),
}

/// How a socket is set up.
#[derive(Clone, Copy)]
pub(super) struct Options {
    /// Kernel buffers, each way, in bytes. The system may grant less.
    pub(super) buffer: usize,
    pub(super) dscp: u8,
}

impl Socket {
    pub(super) fn bind(address: SocketAddr, options: Options) -> io::Result<Self> {
        let open = || {
            let socket =
                socket2::Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
            if address.is_ipv6() {
                socket.set_only_v6(true)?;
            }
            // Smaller buffers work too.
            let _ = socket.set_recv_buffer_size(options.buffer);
            let _ = socket.set_send_buffer_size(options.buffer);
            set_dscp(&SockRef::from(&socket), address.is_ipv6(), options.dscp)?;
            system::prepare(&socket, address.is_ipv6(), address.ip().is_unspecified())?;
            socket.set_nonblocking(true)?;
            socket.bind(&address.into())?;
            let socket = UdpSocket::from_std(socket.into())?;
            let choice = if address.port() == 0 { Choice::Any } else { Choice::One };
            Ok(Self::new(socket.local_addr()?, choice, Wire::System(Arc::new(socket))))
        };
        open().map_err(at_address(address, "UDP"))
    }

    /// A socket of a network in memory.
    #[cfg(feature = "sim")]
    pub(super) fn in_memory(address: SocketAddr, network: &MemoryNetwork) -> io::Result<Self> {
        let socket = network.bind(address).map_err(at_address(address, "UDP in memory"))?;
        Ok(Self::new(socket.local(), Choice::One, Wire::Memory(socket)))
    }

    const fn new(local: SocketAddr, choice: Choice, wire: Wire) -> Self {
        Self {
            local,
            flow: None,
            choice,
            quiet_since: None,
            wire,
            unsent: VecDeque::new(),
            errors: 0,
            watcher: None,
        }
    }

    /// Receives, and watches for ICMP errors, from now on.
    pub(super) fn start(&mut self, flow: FlowId, inbox: &mpsc::Sender<Arrival>, tasks: &mut JoinSet<()>) {
        self.flow = Some(flow);
        match &self.wire {
            Wire::System(socket) => {
                self.watcher = Some(tasks.spawn(watch(flow, Arc::clone(socket), inbox.clone())));
            }
            #[cfg(feature = "sim")]
            Wire::Memory(_) => {}
        }
    }

    /// Takes what has come in, as much as `inbox` has room for. Ready when something was put there.
    pub(super) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        batch: &mut Batch,
        inbox: &mut Inbox,
    ) -> Poll<()> {
        let Some(flow) = self.flow else { return Poll::Pending };
        let system = match &self.wire {
            Wire::System(socket) => Arc::clone(socket),
            #[cfg(feature = "sim")]
            Wire::Memory(socket) => return socket.poll_read(cx, flow, inbox),
        };
        let mut some = false;
        while self.errors < MAX_ERRORS && inbox.has_room() {
            match system.poll_recv_ready(cx) {
                Poll::Pending => break,
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => {
                    self.failed(&error);
                    continue;
                }
            }
            let mut drained = true;
            let result = system.try_io(Interest::READABLE, || {
                drained = batch.receive(&system, |datagram| {
                    some = true;
                    inbox.push(Arrival::Datagram {
                        flow,
                        source: datagram.source,
                        local: datagram.local,
                        payload: Bytes::copy_from_slice(datagram.payload),
                    });
                })?;
                // A batch that was not full has emptied the socket: saves asking once more. What comes in after
                // it makes the socket ready again.
                if drained { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
            });
            match result {
                Ok(()) => self.errors = 0,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.errors = 0;
                    if some {
                        break;
                    }
                }
                // An earlier datagram was refused, which the watcher looks into.
                Err(error) => self.failed(&error),
            }
        }
        if some { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Sends at once, or after what waits already; drops when more than `max` wait, as a network would.
    ///
    /// # Errors
    /// The destination cannot be reached, which is known at once.
    pub(super) fn send(
        &mut self,
        transmit: Transmit,
        from: Option<IpAddr>,
        max: usize,
    ) -> Result<(), Unsent> {
        if self.unsent.is_empty() {
            match self.try_send(&transmit, from) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return judge(&transmit, &error),
                Ok(stale) => return if stale { Err(Unsent::StaleSource) } else { Ok(()) },
            }
        }
        if self.unsent.len() < max {
            self.unsent.push_back((transmit, from));
        } else {
            tracing::debug!(destination = %transmit.destination, "a datagram was dropped: too many wait");
        }
        Ok(())
    }

    /// Whether another socket has taken its place.
    pub(super) const fn is_retired(&self) -> bool {
        self.quiet_since.is_some()
    }

    /// Whether it is bound to every address.
    pub(super) fn is_wildcard(&self) -> bool {
        self.local.ip().is_unspecified()
    }

    /// Whether datagrams wait for the system.
    pub(super) fn is_congested(&self) -> bool {
        !self.unsent.is_empty()
    }

    /// Sends what waits, as far as the system takes it.
    pub(super) fn send_waiting(&mut self) {
        while let Some((transmit, from)) = self.unsent.pop_front() {
            match self.try_send(&transmit, from) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.unsent.push_front((transmit, from));
                    return;
                }
                // Its sender repeats it, and then learns of the failure.
                Err(error) => drop(judge(&transmit, &error)),
                Ok(_) => {}
            }
        }
    }

    /// Sends now or not at all. `true`: it was sent, but not from the address that was wished for.
    fn try_send(&self, transmit: &Transmit, from: Option<IpAddr>) -> io::Result<bool> {
        let Transmit { payload, destination, .. } = transmit;
        #[cfg_attr(
            not(feature = "sim"),
            expect(clippy::infallible_destructuring_match, reason = "there are two with the feature `sim`")
        )]
        let socket = match &self.wire {
            Wire::System(socket) => socket,
            #[cfg(feature = "sim")]
            Wire::Memory(socket) => {
                socket.send(*destination, Bytes::copy_from_slice(payload));
                return Ok(false);
            }
        };
        let mut source = from;
        let mut attempt = 1;
        loop {
            let sent = match source {
                Some(ip) => system::send_from(socket, payload, *destination, ip),
                None => SockRef::from(&**socket).send_to(payload, &(*destination).into()),
            };
            match sent {
                Ok(_) => return Ok(source != from),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock || attempt >= ATTEMPTS => {
                    return Err(error);
                }
                // That address is not ours any more.
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::InvalidInput | io::ErrorKind::AddrNotAvailable
                    ) && source.is_some() =>
                {
                    source = None;
                }
                Err(_) => attempt += 1,
            }
        }
    }

    fn failed(&mut self, error: &io::Error) {
        self.errors += 1;
        tracing::debug!(local = %self.local, %error, "receiving failed");
        if self.errors == MAX_ERRORS {
            tracing::error!(local = %self.local, %error, "the UDP socket is broken and is read no more");
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // The watcher holds the socket too.
        if let Some(watcher) = &self.watcher {
            watcher.abort();
        }
    }
}

/// Why a datagram did not go as it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unsent {
    /// It went, but the source address that was wished for is not ours any more.
    StaleSource,
    /// It cannot go there.
    Unreachable(FlowError),
}

/// What a failure to send means; what may pass by itself is left to retransmission.
fn judge(transmit: &Transmit, error: &io::Error) -> Result<(), Unsent> {
    tracing::debug!(destination = %transmit.destination, %error, "a datagram was not sent");
    match flow_error(error) {
        reason @ (FlowError::Refused | FlowError::Unreachable) => Err(Unsent::Unreachable(reason)),
        _ => Ok(()),
    }
}

/// Reports the destinations that ICMP errors are about.
async fn watch(flow: FlowId, socket: Arc<UdpSocket>, inbox: mpsc::Sender<Arrival>) {
    while socket.ready(Interest::ERROR).await.is_ok() {
        let mut refused = BTreeMap::new();
        let drained = socket.try_io(Interest::ERROR, || {
            while refused.len() < MAX_REFUSALS {
                let Refusal { destination, reason } = system::take_error(&socket)?;
                if let Some(reason) = reason {
                    refused.insert(destination, reason);
                }
            }
            Ok(())
        });
        if let Err(error) = drained
            && error.kind() != io::ErrorKind::WouldBlock
        {
            tracing::debug!(%flow, %error, "an ICMP error cannot be read");
        }
        for (destination, reason) in refused {
            tracing::debug!(%flow, %destination, %reason, "a datagram was refused");
            let input = Input::Unreachable { flow, destination, reason };
            if inbox.send(Arrival::Input(input)).await.is_err() {
                return;
            }
        }
    }
}
