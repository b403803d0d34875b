//! UDP sockets: a task reads each one, sending is direct while the system takes it.

use super::{Arrival, at_address};
use crate::transport::Input;
use alloc::sync::Arc;
use alloc::vec;
use bytes::Bytes;
use sidetone_hal::net::{FlowId, SocketAddr, Transmit};
use socket2::{Domain, Protocol, SockRef, Type};
use std::io;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// Kernel buffers: room for some thousand messages that come in one burst. The system may grant less.
const BUFFER: usize = 1 << 20;
/// The largest datagram there is.
const MAX_DATAGRAM: usize = 65_535;
/// A socket that fails this often in a row is broken.
const MAX_ERRORS: u32 = 1000;

/// A bound socket.
pub(super) struct Socket {
    pub(super) local: SocketAddr,
    socket: Arc<UdpSocket>,
}

impl Socket {
    pub(super) fn bind(address: SocketAddr) -> io::Result<Self> {
        let open = || {
            let socket =
                socket2::Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
            if address.is_ipv6() {
                socket.set_only_v6(true)?;
            }
            // Smaller buffers work too.
            let _ = socket.set_recv_buffer_size(BUFFER);
            let _ = socket.set_send_buffer_size(BUFFER);
            socket.set_nonblocking(true)?;
            socket.bind(&address.into())?;
            let socket = UdpSocket::from_std(socket.into())?;
            Ok(Self { local: socket.local_addr()?, socket: Arc::new(socket) })
        };
        open().map_err(at_address(address, "UDP"))
    }

    /// Reads from now on.
    pub(super) fn start(
        &self,
        flow: FlowId,
        inbox: &mpsc::Sender<Arrival>,
        write_queue: usize,
        tasks: &mut JoinSet<()>,
    ) -> Sender {
        let (queue, waiting) = mpsc::channel(write_queue.max(1));
        tasks.spawn(read(flow, Arc::clone(&self.socket), inbox.clone()));
        tasks.spawn(write(Arc::clone(&self.socket), waiting));
        Sender { socket: Arc::clone(&self.socket), queue }
    }
}

/// The sending half of a socket.
pub(super) struct Sender {
    socket: Arc<UdpSocket>,
    /// What the system did not take at once.
    queue: mpsc::Sender<Transmit>,
}

impl Sender {
    /// Sends at once, or after what waits already; drops when too much waits, as a network would.
    pub(super) fn send(&self, transmit: Transmit) {
        if self.queue.capacity() == self.queue.max_capacity() {
            let sent = SockRef::from(&*self.socket).send_to(&transmit.payload, &transmit.destination.into());
            match sent {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => {
                    tracing::debug!(destination = %transmit.destination, %error, "a datagram was not sent");
                    return;
                }
                Ok(_) => return,
            }
        }
        if let Err(error) = self.queue.try_send(transmit) {
            tracing::debug!(%error, "a datagram was dropped");
        }
    }
}

async fn read(flow: FlowId, socket: Arc<UdpSocket>, inbox: mpsc::Sender<Arrival>) {
    let mut buffer = vec![0; MAX_DATAGRAM];
    let mut errors = 0;
    while errors < MAX_ERRORS {
        match socket.recv_from(&mut buffer).await {
            Ok((length, source)) => {
                errors = 0;
                let payload = Bytes::copy_from_slice(buffer.get(..length).unwrap_or_default());
                let input = Input::Datagram { flow, source, payload };
                if inbox.send(Arrival::Input(input)).await.is_err() {
                    return;
                }
            }
            // Some systems report here that an earlier datagram was refused.
            Err(error) => {
                errors += 1;
                tracing::debug!(%flow, %error, "receiving failed");
            }
        }
    }
    tracing::error!(%flow, "the UDP socket is broken and is read no more");
}

async fn write(socket: Arc<UdpSocket>, mut waiting: mpsc::Receiver<Transmit>) {
    while let Some(transmit) = waiting.recv().await {
        if let Err(error) = socket.send_to(&transmit.payload, transmit.destination).await {
            tracing::debug!(destination = %transmit.destination, %error, "a datagram was not sent");
        }
    }
}
