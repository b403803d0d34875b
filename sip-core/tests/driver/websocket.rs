//! WebSocket in the driver (RFC 7118), on loopback: our client, our server, and both against bare tungstenite and bare
//! bytes. Every wait is for an event, with a bound.

#![cfg(all(feature = "tls", feature = "ws"))]

use crate::party::{Party, bounded};
use crate::server::Server;
use crate::support::{address, parse, peer_request, request};
use core::net::SocketAddr;
use futures_util::{SinkExt, StreamExt};
use sidetone_hal::time::Duration;
use sidetone_sip_core::driver::{DriverConfig, WebSocketConfig};
use sidetone_sip_core::header::Via;
use sidetone_sip_core::{FlowError, Message as SipMessage, Method, Protocol, StatusCode, Target};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::ClientRequestBuilder;
use tokio_tungstenite::tungstenite::handshake::server as handshake;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{self, Message};

fn listening(websocket: WebSocketConfig) -> DriverConfig {
    DriverConfig::new().ws(address("127.0.0.1:0")).websocket(websocket)
}

fn server() -> Server {
    Server::start(&listening(WebSocketConfig::new()))
}

fn client(websocket: WebSocketConfig) -> Party {
    Party::new(&DriverConfig::new().websocket(websocket))
}

/// A client that is only a WebSocket.
async fn bare(server: &Server) -> WebSocketStream<TcpStream> {
    let address = server.address(Protocol::Ws);
    let stream = TcpStream::connect(address).await.unwrap();
    let uri = format!("ws://{address}/").parse().unwrap();
    let request = ClientRequestBuilder::new(uri).with_sub_protocol("sip");
    bounded(tokio_tungstenite::client_async(request, stream)).await.unwrap().0
}

/// The head of the answer to an opening handshake with these header lines.
async fn open(address: SocketAddr, path: &str, lines: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{lines}\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        if bounded(stream.read(&mut byte)).await.unwrap() == 0 {
            break;
        }
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}

fn options(branch: &str) -> String {
    String::from_utf8(peer_request(&Method::OPTIONS, Protocol::Ws, branch, "a@b").to_bytes()).unwrap()
}

#[tokio::test]
async fn a_request_is_answered() {
    let mut server = server();
    let mut alice = client(WebSocketConfig::new());
    let target = server.target(Protocol::Ws, "");
    let mut message = request(&Method::MESSAGE, "a@b");
    message.set_body(&"text/plain".parse().unwrap(), "x".repeat(60_000));
    let (response, source) = alice.ask(message, &target).await.unwrap();
    assert_eq!((response.status.code(), source.protocol, source.remote), (200, Protocol::Ws, target.address));
    let seen = server.next().await;
    assert_eq!((seen.source.protocol, seen.request.body.len()), (Protocol::Ws, 60_000));
    let via: Via = seen.request.headers.require().unwrap();
    assert_eq!(via.protocol(), Some(Protocol::Ws));
    // The same connection again.
    let (_, again) = alice.ask(request(&Method::OPTIONS, "b@b"), &target).await.unwrap();
    assert_eq!((again.flow, server.next().await.source.flow), (source.flow, seen.source.flow));
}

#[tokio::test]
async fn the_subprotocol_is_demanded() {
    let server = server();
    let address = server.address(Protocol::Ws);
    for lines in ["", "Sec-WebSocket-Protocol: xmpp\r\n", "Sec-WebSocket-Protocol: sips, sip2\r\n"] {
        let answer = open(address, "/", lines).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{lines:?}: {answer}");
    }
    for lines in [
        "Sec-WebSocket-Protocol: sip\r\n",
        "Sec-WebSocket-Protocol: xmpp, sip\r\n",
        "Sec-WebSocket-Protocol: xmpp\r\nSec-WebSocket-Protocol: sip\r\n",
    ] {
        let answer = open(address, "/any/path", lines).await.to_lowercase();
        assert!(answer.starts_with("http/1.1 101 "), "{lines:?}: {answer}");
        assert!(answer.contains("\r\nsec-websocket-protocol: sip\r\n"), "{answer}");
        assert!(answer.contains("\r\nsec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=\r\n"), "{answer}");
    }
}

#[tokio::test]
async fn origins_and_paths_are_allowed_by_name() {
    let config = WebSocketConfig::new().path("/sip").origin("https://phone.example.com");
    let mut server = Server::start(&listening(config.clone()));
    let address = server.address(Protocol::Ws);
    for (path, origin, status) in [
        ("/sip", "Origin: https://phone.example.com\r\n", "101"),
        ("/sip?x=1", "Origin: https://PHONE.example.com\r\n", "101"),
        ("/sip", "", "101"),
        ("/sip", "Origin: https://evil.example.com\r\n", "403"),
        ("/sip", "Origin: null\r\n", "403"),
        ("/", "Origin: https://phone.example.com\r\n", "404"),
        ("/sip/x", "", "404"),
    ] {
        let answer = open(address, path, &format!("{origin}Sec-WebSocket-Protocol: sip\r\n")).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{path} {origin}: {answer}");
    }
    let target = server.target(Protocol::Ws, "localhost");
    let mut there = client(WebSocketConfig::new().path("/sip"));
    there.ask(request(&Method::OPTIONS, "a@b"), &target).await.unwrap();
    server.next().await;
    let mut elsewhere = client(WebSocketConfig::new().path("/other"));
    let answer = elsewhere.ask(request(&Method::OPTIONS, "a@b"), &target).await;
    assert_eq!(answer.unwrap_err(), FlowError::WebSocket);
    let mut nowhere = client(WebSocketConfig::new().path("no path"));
    let answer = nowhere.ask(request(&Method::OPTIONS, "a@b"), &target).await;
    assert_eq!(answer.unwrap_err(), FlowError::WebSocket);
}

#[tokio::test]
async fn text_and_binary_are_taken_and_text_is_sent_when_it_is_text() {
    let mut server = server();
    let mut alice = bare(&server).await;
    let text = options("z9hG4bKtext");
    alice.send(Message::text(text.clone())).await.unwrap();
    let Message::Text(answer) = bounded(alice.next()).await.unwrap().unwrap() else { panic!() };
    assert!(answer.starts_with("SIP/2.0 200 ") && answer.contains("z9hG4bKtext"), "{answer}");
    server.next().await;
    alice.send(Message::binary(text.replace("z9hG4bKtext", "z9hG4bKbinary"))).await.unwrap();
    let Message::Text(answer) = bounded(alice.next()).await.unwrap().unwrap() else { panic!() };
    assert!(answer.contains("z9hG4bKbinary"), "{answer}");
    server.next().await;
    // Latin-1 in a header comes back in the answer, which no text message could carry.
    let mut latin = options("z9hG4bKlatin").into_bytes();
    let from = latin.windows(7).position(|window| window == b"\r\nFrom:").unwrap();
    latin.splice(from + 7..from + 8, *b" \"J\xf6rg\" ");
    alice.send(Message::binary(latin)).await.unwrap();
    let answer = bounded(alice.next()).await.unwrap().unwrap();
    let Message::Binary(answer) = answer else { panic!("{answer:?}") };
    assert!(answer.starts_with(b"SIP/2.0 200 "), "{answer:?}");
}

#[tokio::test]
async fn keep_alives_are_answered() {
    let server = server();
    let mut alice = bare(&server).await;
    alice.send(Message::text("\r\n\r\n")).await.unwrap();
    assert_eq!(bounded(alice.next()).await.unwrap().unwrap(), Message::text("\r\n"));
    alice.send(Message::Ping("are you there?".into())).await.unwrap();
    assert_eq!(bounded(alice.next()).await.unwrap().unwrap(), Message::Pong("are you there?".into()));
    alice.send(Message::text("")).await.unwrap();
    alice.send(Message::text(options("z9hG4bKstill"))).await.unwrap();
    assert!(matches!(bounded(alice.next()).await, Some(Ok(Message::Text(_)))));
}

#[tokio::test]
async fn who_answers_no_ping_is_gone() {
    let mut config = WebSocketConfig::new();
    // Long enough for a busy machine to answer in.
    config.ping = Duration::from_secs(1);
    let server = Server::start(&listening(config));
    let mut alice = bare(&server).await;
    // As long as somebody reads, pings are answered, and the connection stays: five of them.
    for _ in 0..5 {
        let ping = bounded(alice.next()).await.unwrap().unwrap();
        assert!(matches!(ping, Message::Ping(_)), "{ping:?}");
    }
    // Bytes alone: pings come, nobody answers, and then the end comes.
    let mut silent = alice.into_inner();
    let mut rest = Vec::new();
    bounded(silent.read_to_end(&mut rest)).await.unwrap();
    assert!(rest.contains(&0x89), "{rest:?}");
    assert_eq!(rest[rest.len() - 4..], [0x88, 2, 0x03, 0xe8], "closed, 1000: {rest:?}");
}

#[tokio::test]
async fn broken_rules_close_with_their_code() {
    let mut config = WebSocketConfig::new();
    config.max_message = 2000;
    let server = Server::start(&listening(config));
    let code = async |message: Message| {
        let mut alice = bare(&server).await;
        alice.send(message).await.unwrap();
        loop {
            match bounded(alice.next()).await {
                Some(Ok(Message::Close(frame))) => return frame.unwrap().code,
                Some(Ok(_)) => {}
                other => panic!("{other:?}"),
            }
        }
    };
    assert_eq!(code(Message::text("x".repeat(2001))).await, CloseCode::Size);
    let leaving = CloseFrame { code: CloseCode::Away, reason: "".into() };
    assert_eq!(code(Message::Close(Some(leaving))).await, CloseCode::Away, "as RFC 6455 §5.5.1 has it");
    // An unmasked frame (RFC 6455 §5.1), and text that is none.
    for (bytes, expected) in
        [(&[0x81, 0x02, b'h', b'i'][..], 1002_u16), (&[0x81, 0x82, 0, 0, 0, 0, 0xff, 0xff][..], 1007)]
    {
        let mut stream = bare(&server).await.into_inner();
        stream.write_all(bytes).await.unwrap();
        let mut rest = Vec::new();
        bounded(stream.read_to_end(&mut rest)).await.unwrap();
        assert_eq!(rest[..2], [0x88, 2], "{rest:?}");
        assert_eq!(u16::from_be_bytes([rest[2], rest[3]]), expected);
    }
}

#[tokio::test]
async fn a_closed_flow_says_good_bye() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = Target::new(Protocol::Ws, listener.local_addr().unwrap());
    let serving = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        #[expect(clippy::result_large_err, reason = "the library's signature")]
        let agree = |_: &handshake::Request, mut response: handshake::Response| {
            response.headers_mut().insert("Sec-WebSocket-Protocol", "sip".parse().unwrap());
            Ok(response)
        };
        let mut socket = tokio_tungstenite::accept_hdr_async(stream, agree).await.unwrap();
        let mut seen = vec![socket.next().await.unwrap().unwrap()];
        let Message::Text(request) = &seen[0] else { panic!("{seen:?}") };
        let SipMessage::Request(request) = parse(request.as_bytes()) else { panic!("{seen:?}") };
        let answer = request.response(StatusCode::OK, Some("b")).to_bytes();
        socket.send(Message::text(String::from_utf8(answer).unwrap())).await.unwrap();
        while let Some(Ok(message)) = socket.next().await {
            seen.push(message);
        }
        seen
    });
    let mut alice = client(WebSocketConfig::new());
    let (_, source) = alice.ask(request(&Method::OPTIONS, "a@b"), &target).await.unwrap();
    alice.endpoint.request(alice.io.now(), request(&Method::MESSAGE, "b@b"), &target).unwrap();
    // What is queued still goes out.
    alice.endpoint.close(alice.io.now(), source.flow);
    alice.io.flush(&mut alice.endpoint);
    let seen = bounded(serving).await.unwrap();
    assert!(matches!(&seen[1], Message::Text(text) if text.starts_with("MESSAGE ")), "{seen:?}");
    assert!(matches!(&seen[2], Message::Close(Some(frame)) if frame.code == CloseCode::Normal), "{seen:?}");
    assert_eq!(seen.len(), 3);
}

#[tokio::test]
async fn servers_that_are_none_are_refused() {
    // No subprotocol, no WebSocket, no answer.
    for (answer, expected) in [
        (
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: KEY\r\n\r\n",
            FlowError::WebSocket,
        ),
        ("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", FlowError::WebSocket),
        ("SIP/2.0 400 Bad Request\r\n\r\n", FlowError::WebSocket),
        ("", FlowError::TimedOut),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = Target::new(Protocol::Ws, listener.local_addr().unwrap());
        let serving = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 4096];
            let length = stream.read(&mut request).await.unwrap();
            let request = String::from_utf8(request[..length].to_vec()).unwrap();
            assert!(request.contains("Sec-WebSocket-Protocol: sip\r\n"), "{request}");
            let key = request.split("Sec-WebSocket-Key: ").nth(1).unwrap().split("\r\n").next().unwrap();
            let key = tungstenite::handshake::derive_accept_key(key.as_bytes());
            stream.write_all(answer.replace("KEY", &key).as_bytes()).await.unwrap();
            let _ = stream.read(&mut [0; 16]).await;
        });
        let mut config = DriverConfig::new();
        // Only who does not answer at all is to meet it, on a busy machine too.
        config.handshake_limit = Duration::from_secs(4);
        let mut alice = Party::new(&config);
        let result = alice.ask(request(&Method::OPTIONS, "a@b"), &target).await;
        assert_eq!(result.unwrap_err(), expected, "{answer}");
        bounded(serving).await.unwrap();
    }
}
