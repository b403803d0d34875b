//! Datagrams in memory, so that what runs on tokio is tested in tokio's paused time, over whatever network the test
//! likes: it takes what was sent, and decides what arrives, when and how often. With the feature `sim`.

use super::Arrival;
use super::inbox::Inbox;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::sync::Arc;
use bytes::Bytes;
use core::fmt;
use core::task::{Context, Poll, Waker};
use sidetone_hal::net::{FlowId, SocketAddr};
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// The first port that is given to who asks for any.
const FIRST_PORT: u16 = 49_152;
/// Datagrams that wait at a socket, as in a system's buffer; further ones are lost.
const MAX_WAITING: usize = 10_000;

/// A network in memory: sockets are bound in it ([`DriverConfig::network`](super::DriverConfig::network)), and its owner
/// carries the datagrams. Clones are the same network.
///
/// ```
/// use sidetone_sip_core::driver::{DriverConfig, Io, MemoryNetwork};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let network = MemoryNetwork::new();
/// let config = DriverConfig::new().network(network.clone()).udp("192.0.2.1:5060".parse().unwrap());
/// let io = Io::bind(&config)?;
/// while let Some(sent) = network.poll_sent() {
///     network.deliver(sent);
/// }
/// # drop(io);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct MemoryNetwork {
    shared: Arc<Shared>,
}

/// A datagram on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemoryDatagram {
    /// Who sent it.
    pub source: SocketAddr,
    /// Whom to.
    pub destination: SocketAddr,
    /// What it says.
    pub payload: Bytes,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    sent: Notify,
}

#[derive(Default)]
struct State {
    sockets: BTreeMap<SocketAddr, Waiting>,
    sent: VecDeque<MemoryDatagram>,
}

/// What has come in at a socket.
#[derive(Default)]
struct Waiting {
    datagrams: VecDeque<(SocketAddr, Bytes)>,
    waker: Option<Waker>,
}

impl MemoryNetwork {
    /// A network without sockets.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What a socket has sent, the oldest first.
    #[must_use]
    pub fn poll_sent(&self) -> Option<MemoryDatagram> {
        self.lock().sent.pop_front()
    }

    /// Waits until [`MemoryNetwork::poll_sent`] has something to give. For one task at a time. Cancel-safe.
    pub async fn sent(&self) {
        while self.lock().sent.is_empty() {
            self.shared.sent.notified().await;
        }
    }

    /// Brings a datagram to its destination; false when no socket is there, or too much waits at it.
    pub fn deliver(&self, datagram: MemoryDatagram) -> bool {
        let mut state = self.lock();
        let Some(waiting) = state.sockets.get_mut(&datagram.destination) else { return false };
        if waiting.datagrams.len() >= MAX_WAITING {
            return false;
        }
        waiting.datagrams.push_back((datagram.source, datagram.payload));
        let waker = waiting.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
        true
    }

    pub(super) fn bind(&self, address: SocketAddr) -> io::Result<MemorySocket> {
        let mut state = self.lock();
        let mut local = address;
        if local.port() == 0 {
            let free = |port: &u16| !state.sockets.contains_key(&SocketAddr::new(address.ip(), *port));
            let port = (FIRST_PORT..=u16::MAX).find(free).ok_or(io::ErrorKind::AddrInUse)?;
            local.set_port(port);
        } else if state.sockets.contains_key(&local) {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        state.sockets.insert(local, Waiting::default());
        drop(state);
        Ok(MemorySocket { local, network: self.clone() })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for MemoryNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.lock().sockets.keys()).finish()
    }
}

/// A socket that is bound in a [`MemoryNetwork`] until it is dropped.
pub(super) struct MemorySocket {
    local: SocketAddr,
    network: MemoryNetwork,
}

impl MemorySocket {
    pub(super) const fn local(&self) -> SocketAddr {
        self.local
    }

    pub(super) fn send(&self, destination: SocketAddr, payload: Bytes) {
        let datagram = MemoryDatagram { source: self.local, destination, payload };
        self.network.lock().sent.push_back(datagram);
        self.network.shared.sent.notify_one();
    }

    /// Takes what has come in, as much as `inbox` has room for. Ready when something was put there.
    pub(super) fn poll_read(&self, cx: &Context<'_>, flow: FlowId, inbox: &mut Inbox) -> Poll<()> {
        let mut state = self.network.lock();
        let Some(waiting) = state.sockets.get_mut(&self.local) else { return Poll::Pending };
        let mut some = false;
        while inbox.has_room()
            && let Some((source, payload)) = waiting.datagrams.pop_front()
        {
            inbox.push(Arrival::Datagram { flow, source, local: None, payload });
            some = true;
        }
        if some {
            return Poll::Ready(());
        }
        waiting.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for MemorySocket {
    fn drop(&mut self) {
        self.network.lock().sockets.remove(&self.local);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::{DriverConfig, Io, IoEvent};
    use crate::transport::Input;
    use crate::{Endpoint, EndpointConfig};
    use sidetone_hal::net::Transmit;

    #[tokio::test]
    async fn the_owner_of_the_network_decides_what_arrives() {
        let network = MemoryNetwork::new();
        let (here, any): (SocketAddr, SocketAddr) =
            ("192.0.2.1:5060".parse().unwrap(), "192.0.2.2:0".parse().unwrap());
        let config = DriverConfig::new().network(network.clone()).udp(here).udp(any);
        let mut io = Io::bind(&config).unwrap();
        let there = *io.udp_addresses().last().unwrap();
        assert_eq!(io.udp_addresses(), [here, SocketAddr::new(any.ip(), FIRST_PORT)]);
        assert_eq!(Io::bind(&config).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        let mut endpoint = Endpoint::new(EndpointConfig::new([1; 32]));
        io.attach(&mut endpoint);
        let flows = io.udp_flows();
        let payload = Bytes::from_static(b"OPTIONS");
        io.send(Transmit { flow: flows[0], destination: there, payload: payload[..].into() });
        network.sent().await;
        let sent = network.poll_sent().unwrap();
        assert_eq!(sent, MemoryDatagram { source: here, destination: there, payload: payload.clone() });
        assert_eq!(network.poll_sent(), None);
        // Twice.
        assert!(network.deliver(sent.clone()) && network.deliver(sent));
        for _ in 0..2 {
            let IoEvent::Input(Input::Datagram { flow, source, payload: got }) =
                io.next(&mut endpoint, None).await
            else {
                panic!("a datagram")
            };
            assert_eq!((flow, source, &got), (flows[1], here, &payload));
        }
        drop(io);
        assert!(!network.deliver(MemoryDatagram { source: here, destination: there, payload }));
    }
}
