//! Connections, whatever carries them: what the driver holds of each, a task that reads and one that writes.

#[cfg(feature = "tls")]
use super::tls::{self, TlsSession};
#[cfg(feature = "ws")]
use super::websocket;
use super::{Arrival, flow_error};
use crate::transport::{FlowError, Input};
#[cfg(any(feature = "tls", feature = "ws"))]
use alloc::boxed::Box;
use alloc::sync::Arc;
use bytes::BytesMut;
use sidetone_hal::net::{FlowId, Protocol, SocketAddr};
use sidetone_hal::time::Duration;
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::timeout;

/// Bytes read at a time.
const CHUNK: usize = 16 * 1024;

/// A connection that just came up, from either side.
pub(super) struct Established {
    pub(super) protocol: Protocol,
    pub(super) local: SocketAddr,
    pub(super) remote: SocketAddr,
    pub(super) link: Link,
    /// What the TLS handshake has found out.
    #[cfg(feature = "tls")]
    pub(super) session: Option<Arc<TlsSession>>,
}

/// What carries the bytes.
pub(super) enum Link {
    Tcp(TcpStream),
    #[cfg(feature = "tls")]
    Tls(Box<tls::Stream>),
    /// With how often the other side is asked whether it is still there.
    #[cfg(feature = "ws")]
    WebSocket(Box<websocket::Stream>, Duration),
}

/// What the driver holds of a connection; dropping it stops reading, sends what is queued, and closes.
pub(super) enum Connection {
    Connecting(AbortHandle),
    Up {
        queue: mpsc::Sender<Arc<[u8]>>,
        reader: AbortHandle,
        #[cfg(feature = "tls")]
        session: Option<Arc<TlsSession>>,
    },
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

#[cfg(feature = "tls")]
impl Connection {
    /// What the TLS handshake has found out.
    pub(super) const fn session(&self) -> Option<&Arc<TlsSession>> {
        match self {
            Self::Connecting(_) => None,
            Self::Up { session, .. } => session.as_ref(),
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

/// How much may wait on a connection, and how long the other side may take none of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct WriteBounds {
    pub(super) queue: usize,
    pub(super) limit: Duration,
}

/// Reads and writes a connection from now on.
pub(super) fn start(
    flow: FlowId,
    established: Established,
    inbox: &mpsc::Sender<Arrival>,
    bounds: WriteBounds,
    tasks: &mut JoinSet<()>,
) -> Connection {
    let (queue, waiting) = mpsc::channel(bounds.queue.max(1));
    let reader = match established.link {
        Link::Tcp(stream) => {
            let (reading, writing) = stream.into_split();
            tasks.spawn(write(flow, writing, waiting, bounds.limit, inbox.clone()));
            tasks.spawn(read(flow, reading, inbox.clone()))
        }
        #[cfg(feature = "tls")]
        Link::Tls(stream) => {
            let (reading, writing) = tokio::io::split(stream);
            tasks.spawn(write(flow, writing, waiting, bounds.limit, inbox.clone()));
            tasks.spawn(read(flow, reading, inbox.clone()))
        }
        #[cfg(feature = "ws")]
        Link::WebSocket(stream, ping) => websocket::start(flow, *stream, ping, waiting, bounds, inbox, tasks),
    };
    Connection::Up {
        queue,
        reader,
        #[cfg(feature = "tls")]
        session: established.session,
    }
}

async fn read(flow: FlowId, mut stream: impl AsyncRead + Unpin, inbox: mpsc::Sender<Arrival>) {
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
            Err(error) => break stream_error(&error),
        }
    };
    report_down(flow, reason, &inbox).await;
}

async fn write(
    flow: FlowId,
    mut stream: impl AsyncWrite + Unpin,
    mut waiting: mpsc::Receiver<Arc<[u8]>>,
    limit: Duration,
    inbox: mpsc::Sender<Arrival>,
) {
    let reason = loop {
        let Some(payload) = waiting.recv().await else {
            // Closed from our side, and everything is sent; a failure has nobody to be told.
            let _ = timeout(limit, stream.shutdown()).await;
            return;
        };
        // A link that has a buffer of its own, as TLS, sends it with the flush.
        let taken = async {
            stream.write_all(&payload).await?;
            stream.flush().await
        };
        match timeout(limit, taken).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => break stream_error(&error),
            Err(_) => break FlowError::TimedOut,
        }
    };
    report_down(flow, reason, &inbox).await;
}

/// Says that a flow has ended. Nobody listens any more when the driver is gone.
pub(super) async fn report_down(flow: FlowId, reason: FlowError, inbox: &mpsc::Sender<Arrival>) {
    let _ = inbox.send(Arrival::Input(Input::FlowDown { flow, reason })).await;
}

/// What an error of a stream means; TLS wraps its own in those of the operating system.
pub(super) fn stream_error(error: &io::Error) -> FlowError {
    #[cfg(feature = "tls")]
    if let Some(reason) = tls::refusal(error) {
        return reason;
    }
    flow_error(error)
}
