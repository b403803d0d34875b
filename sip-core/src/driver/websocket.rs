//! SIP over WebSocket (RFC 7118, RFC 6455): the subprotocol `sip`, one SIP message in each WebSocket message.

use super::Arrival;
use super::stream::{WriteBounds, report_down, stream_error};
use crate::transport::{FlowError, Input};
use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use sidetone_hal::net::{FlowId, SocketAddr};
use sidetone_hal::time::Duration;
use std::sync::OnceLock;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_tungstenite::tungstenite::client::ClientRequestBuilder;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::header::{ORIGIN, SEC_WEBSOCKET_PROTOCOL};
use tokio_tungstenite::tungstenite::http::{HeaderValue, StatusCode, Uri};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig as Limits};
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};
use tokio_tungstenite::{WebSocketStream, accept_hdr_async_with_config, client_async_with_config};

/// RFC 7118 §4.1: the name of the subprotocol.
const SUBPROTOCOL: &str = "sip";
/// Bytes read at a time; a buffer of this size is held for each connection.
const CHUNK: usize = 8 * 1024;

/// How WebSocket is spoken.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WebSocketConfig {
    /// The path: a client asks for it, `/` without one; a server answers others 404, and takes any without one.
    pub path: Option<String>,
    /// The web pages whose scripts may connect to our server, as `https://phone.example.com` (RFC 6455 §10.2); others
    /// are answered 403. Empty: any. A client that names no origin is no browser, and always taken.
    pub origins: Vec<String>,
    /// The largest message taken, in bytes; the connection of a larger one is closed with 1009. Default 64 KiB.
    pub max_message: usize,
    /// How often the other side is asked whether it is still there (ping, RFC 6455 §5.5.2); when nothing came for twice as
    /// long, the connection is closed. Zero: never. Default 30 s.
    pub ping: Duration,
}

impl WebSocketConfig {
    /// Any path, any origin, default bounds.
    #[must_use]
    pub const fn new() -> Self {
        Self { path: None, origins: Vec::new(), max_message: 64 * 1024, ping: Duration::from_secs(30) }
    }

    /// The path.
    #[must_use]
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// One more origin that may connect.
    #[must_use]
    pub fn origin(mut self, origin: impl Into<String>) -> Self {
        self.origins.push(origin.into());
        self
    }

    fn limits(&self) -> Limits {
        // Every message is flushed by itself, so more than one never waits in the write buffer.
        Limits::default()
            .read_buffer_size(CHUNK)
            .write_buffer_size(0)
            .max_message_size(Some(self.max_message))
            .max_frame_size(Some(self.max_message))
    }
}

impl Default for WebSocketConfig {
    fn default() -> Self {
        Self::new()
    }
}

/// What carries the frames: TCP, or TLS over it.
pub(super) trait Carrier: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Carrier for T {}

/// An open WebSocket.
pub(super) type Stream = WebSocketStream<Box<dyn Carrier>>;

/// The opening handshake of a client.
pub(super) async fn connect(
    config: &WebSocketConfig,
    carrier: Box<dyn Carrier>,
    remote: SocketAddr,
    domain: Option<&str>,
    is_secure: bool,
) -> Result<Stream, FlowError> {
    let (scheme, default_port) = if is_secure { ("wss", 443) } else { ("ws", 80) };
    let host = match domain {
        Some(domain) if domain.contains(':') && !domain.starts_with('[') => format!("[{domain}]"),
        Some(domain) => domain.to_string(),
        None if remote.is_ipv6() => format!("[{}]", remote.ip()),
        None => remote.ip().to_string(),
    };
    let port = remote.port();
    let authority = if port == default_port { host } else { format!("{host}:{port}") };
    let path = config.path.as_deref().unwrap_or("/");
    let uri: Uri = format!("{scheme}://{authority}{path}").parse().map_err(|error| {
        tracing::warn!(%remote, domain, path, %error, "WebSocket: not a host or not a path");
        FlowError::WebSocket
    })?;
    let request = ClientRequestBuilder::new(uri).with_sub_protocol(SUBPROTOCOL);
    match client_async_with_config(request, carrier, Some(config.limits())).await {
        Ok((stream, _)) => Ok(stream),
        Err(error) => {
            tracing::warn!(%remote, authority, path, %error, "WebSocket: the server does not open it");
            Err(failure(&error))
        }
    }
}

/// The opening handshake of a server.
pub(super) async fn accept(
    config: &WebSocketConfig,
    carrier: Box<dyn Carrier>,
    remote: SocketAddr,
) -> Result<Stream, FlowError> {
    #[expect(clippy::result_large_err, reason = "the library's signature")]
    let check = |request: &Request, response: Response| judge(config, request, response);
    accept_hdr_async_with_config(carrier, check, Some(config.limits())).await.map_err(|error| {
        // Whoever scans ports must not fill the log.
        tracing::info!(%remote, %error, "WebSocket: refused");
        failure(&error)
    })
}

#[expect(clippy::result_large_err, reason = "the library's signature")]
fn judge(
    config: &WebSocketConfig,
    request: &Request,
    mut response: Response,
) -> Result<Response, ErrorResponse> {
    if config.path.as_deref().is_some_and(|path| path != request.uri().path()) {
        return Err(refusal(StatusCode::NOT_FOUND, "SIP is not spoken here"));
    }
    let origin = request.headers().get(ORIGIN);
    let is_allowed = |origin: &HeaderValue| {
        config.origins.iter().any(|allowed| origin.as_bytes().eq_ignore_ascii_case(allowed.as_bytes()))
    };
    if !config.origins.is_empty() && origin.is_some_and(|origin| !is_allowed(origin)) {
        return Err(refusal(StatusCode::FORBIDDEN, "this page may not connect"));
    }
    let offers = request.headers().get_all(SEC_WEBSOCKET_PROTOCOL);
    let mut offers = offers.iter().filter_map(|offer| offer.to_str().ok()).flat_map(|offer| offer.split(','));
    if !offers.any(|offer| offer.trim().eq_ignore_ascii_case(SUBPROTOCOL)) {
        return Err(refusal(StatusCode::BAD_REQUEST, "the subprotocol must be sip"));
    }
    response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
    Ok(response)
}

fn refusal(status: StatusCode, why: &str) -> ErrorResponse {
    let mut response = ErrorResponse::new(Some(format!("{why}\r\n")));
    *response.status_mut() = status;
    response
}

fn failure(error: &Error) -> FlowError {
    match error {
        Error::Io(error) => stream_error(error),
        _ => FlowError::WebSocket,
    }
}

/// Reads and writes from now on. Gives the reading task.
pub(super) fn start(
    flow: FlowId,
    stream: Stream,
    ping: Duration,
    waiting: mpsc::Receiver<Arc<[u8]>>,
    bounds: WriteBounds,
    inbox: &mpsc::Sender<Arrival>,
    tasks: &mut JoinSet<()>,
) -> AbortHandle {
    let (sink, stream) = stream.split();
    let code = Arc::new(OnceLock::new());
    let writer = Writer { flow, sink, waiting, limit: bounds.limit, code: Arc::clone(&code) };
    tasks.spawn(writer.run(ping, inbox.clone()));
    tasks.spawn(read(flow, stream, ping, code, inbox.clone()))
}

/// Why the connection is closed, if not as usual; the reader finds out, and the writer says it.
type Code = Arc<OnceLock<CloseCode>>;

async fn read(
    flow: FlowId,
    mut stream: SplitStream<Stream>,
    ping: Duration,
    code: Code,
    inbox: mpsc::Sender<Arrival>,
) {
    let patience = if ping.is_zero() { Duration::MAX } else { ping.saturating_mul(2) };
    let reason = loop {
        let payload: Bytes = match timeout(patience, stream.next()).await {
            Err(_) => break FlowError::TimedOut,
            Ok(None | Some(Ok(Message::Close(_)))) => break FlowError::Closed,
            Ok(Some(Ok(Message::Text(text)))) => text.into(),
            Ok(Some(Ok(Message::Binary(bytes)))) => bytes,
            // The library answers pings.
            Ok(Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)))) => continue,
            Ok(Some(Err(error))) => break broken(&error, &code),
        };
        if payload.is_empty() {
            continue;
        }
        if inbox.send(Arrival::Input(Input::Frame { flow, payload })).await.is_err() {
            return;
        }
    };
    report_down(flow, reason, &inbox).await;
}

/// RFC 6455 §7.4.1: what to close with when the other side breaks the rules.
fn broken(error: &Error, code: &Code) -> FlowError {
    let why = match error {
        Error::ConnectionClosed | Error::AlreadyClosed => return FlowError::Closed,
        Error::Io(error) => return stream_error(error),
        Error::Capacity(_) => CloseCode::Size,
        Error::Utf8(_) => CloseCode::Invalid,
        _ => CloseCode::Protocol,
    };
    tracing::debug!(%error, "WebSocket: closing");
    // Nobody else sets it.
    let _ = code.set(why);
    FlowError::WebSocket
}

struct Writer {
    flow: FlowId,
    sink: SplitSink<Stream, Message>,
    waiting: mpsc::Receiver<Arc<[u8]>>,
    limit: Duration,
    code: Code,
}

impl Writer {
    async fn run(mut self, ping: Duration, inbox: mpsc::Sender<Arrival>) {
        let mut pings = interval(if ping.is_zero() { Duration::from_secs(3600) } else { ping });
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // The first tick is now.
        pings.tick().await;
        let reason = loop {
            let message = tokio::select! {
                payload = self.waiting.recv() => match payload {
                    Some(payload) => message(payload),
                    None => return self.close().await,
                },
                _ = pings.tick(), if !ping.is_zero() => Message::Ping(Bytes::new()),
            };
            match timeout(self.limit, self.sink.send(message)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => break failure(&error),
                Err(_) => break FlowError::TimedOut,
            }
        };
        report_down(self.flow, reason, &inbox).await;
    }

    /// Everything is sent; a failure has nobody to be told.
    async fn close(mut self) {
        let frame = self.code.get().map(|code| CloseFrame { code: *code, reason: Utf8Bytes::default() });
        let frame =
            frame.unwrap_or_else(|| CloseFrame { code: CloseCode::Normal, reason: Utf8Bytes::default() });
        let closing = async {
            let _ = self.sink.send(Message::Close(Some(frame))).await;
            let _ = self.sink.close().await;
        };
        let _ = timeout(self.limit, closing).await;
    }
}

/// RFC 7118 §5: text if it is UTF-8, which SIP messages as a rule are; binary otherwise.
fn message(payload: Arc<[u8]>) -> Message {
    let bytes = Bytes::from_owner(payload);
    match Utf8Bytes::try_from(bytes.clone()) {
        Ok(text) => Message::Text(text),
        Err(_) => Message::Binary(bytes),
    }
}
