//! TCP: listeners, connects with a limit, and for each connection a task that reads and one that writes.

use super::{Arrival, at_address, flow_error};
use crate::transport::{FlowError, Input};
use alloc::sync::Arc;
use bytes::BytesMut;
use sidetone_hal::net::{FlowId, SocketAddr};
use sidetone_hal::time::Duration;
use socket2::{Domain, Protocol, SockRef, TcpKeepalive, Type};
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::timeout;

/// Connections that wait to be accepted.
const BACKLOG: i32 = 1024;
/// Bytes read at a time.
const CHUNK: usize = 16 * 1024;
/// A peer that vanished is noticed after this long without traffic, if the system sends probes.
const KEEP_ALIVE: Duration = Duration::from_secs(60);
/// Pause after a failed accept: as a rule the process is out of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A listening socket.
pub(super) struct Listener {
    pub(super) local: SocketAddr,
    listener: TcpListener,
}

impl Listener {
    pub(super) fn bind(address: SocketAddr) -> io::Result<Self> {
        let open = || {
            let socket =
                socket2::Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
            if address.is_ipv6() {
                socket.set_only_v6(true)?;
            }
            // A restarted server takes its port back while old connections linger; on Windows it means another thing.
            #[cfg(unix)]
            socket.set_reuse_address(true)?;
            socket.set_nonblocking(true)?;
            socket.bind(&address.into())?;
            socket.listen(BACKLOG)?;
            let listener = TcpListener::from_std(socket.into())?;
            Ok(Self { local: listener.local_addr()?, listener })
        };
        open().map_err(at_address(address, "TCP"))
    }

    /// Accepts from now on.
    pub(super) fn start(self, inbox: mpsc::Sender<Arrival>, tasks: &mut JoinSet<()>) {
        tasks.spawn(async move {
            loop {
                match self.listener.accept().await {
                    Ok((stream, remote)) => {
                        let Ok(accepted) = Accepted::new(stream, remote) else { continue };
                        if inbox.send(Arrival::Accepted(accepted)).await.is_err() {
                            return;
                        }
                    }
                    Err(error) => {
                        tracing::debug!(local = %self.local, %error, "accepting failed");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                }
            }
        });
    }
}

/// A connection that just came up, from either side.
pub(super) struct Accepted {
    pub(super) stream: TcpStream,
    pub(super) local: SocketAddr,
    pub(super) remote: SocketAddr,
}

impl Accepted {
    fn new(stream: TcpStream, remote: SocketAddr) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        // Only helps to notice a dead peer sooner.
        let _ = SockRef::from(&stream).set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEP_ALIVE));
        Ok(Self { local: stream.local_addr()?, stream, remote })
    }
}

/// What the driver holds of a connection; dropping it stops reading, sends what is queued, and closes.
pub(super) enum Connection {
    Connecting(AbortHandle),
    Up { queue: mpsc::Sender<Arc<[u8]>>, reader: AbortHandle },
}

impl Connection {
    /// Queues bytes.
    ///
    /// # Errors
    /// The queue is full, or the connection is not up.
    pub(super) fn send(&self, payload: Arc<[u8]>) -> Result<(), FlowError> {
        match self {
            Self::Connecting(_) => Err(FlowError::Unknown),
            Self::Up { queue, .. } => match queue.try_send(payload) {
                // After an error of writing, the report of it is on its way.
                Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => Ok(()),
                Err(mpsc::error::TrySendError::Full(_)) => Err(FlowError::Overflow),
            },
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        match self {
            Self::Connecting(task) | Self::Up { reader: task, .. } => task.abort(),
        }
    }
}

pub(super) async fn connect(flow: FlowId, remote: SocketAddr, limit: Duration, inbox: mpsc::Sender<Arrival>) {
    let connected = match timeout(limit, TcpStream::connect(remote)).await {
        Ok(connected) => connected.and_then(|stream| Accepted::new(stream, remote)),
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    };
    let arrival = match connected {
        Ok(connected) => Arrival::Connected(flow, connected),
        Err(error) => Arrival::Input(Input::FlowDown { flow, reason: flow_error(&error) }),
    };
    // Nobody listens any more when the driver is gone.
    let _ = inbox.send(arrival).await;
}

/// Reads and writes a connection from now on.
pub(super) fn start(
    flow: FlowId,
    stream: TcpStream,
    inbox: mpsc::Sender<Arrival>,
    write_queue: usize,
    write_limit: Duration,
    tasks: &mut JoinSet<()>,
) -> Connection {
    let (reading, writing) = stream.into_split();
    let (queue, waiting) = mpsc::channel(write_queue.max(1));
    tasks.spawn(write(flow, writing, waiting, write_limit, inbox.clone()));
    Connection::Up { queue, reader: tasks.spawn(read(flow, reading, inbox)) }
}

async fn read(flow: FlowId, mut stream: OwnedReadHalf, inbox: mpsc::Sender<Arrival>) {
    let mut buffer = BytesMut::new();
    let reason = loop {
        buffer.reserve(CHUNK);
        match stream.read_buf(&mut buffer).await {
            Ok(0) => break FlowError::Closed,
            Ok(_) => {
                let input = Input::Stream { flow, bytes: buffer.split().freeze() };
                if inbox.send(Arrival::Input(input)).await.is_err() {
                    return;
                }
            }
            Err(error) => break flow_error(&error),
        }
    };
    // Nobody listens any more when the driver is gone.
    let _ = inbox.send(Arrival::Input(Input::FlowDown { flow, reason })).await;
}

async fn write(
    flow: FlowId,
    mut stream: OwnedWriteHalf,
    mut waiting: mpsc::Receiver<Arc<[u8]>>,
    limit: Duration,
    inbox: mpsc::Sender<Arrival>,
) {
    let reason = loop {
        let Some(payload) = waiting.recv().await else {
            // Closed from our side, and everything is sent; a failure has nobody to be told.
            let _ = stream.shutdown().await;
            return;
        };
        match timeout(limit, stream.write_all(&payload)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => break flow_error(&error),
            Err(_) => break FlowError::TimedOut,
        }
    };
    // Nobody listens any more when the driver is gone.
    let _ = inbox.send(Arrival::Input(Input::FlowDown { flow, reason })).await;
}
