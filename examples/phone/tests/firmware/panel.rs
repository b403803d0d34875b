//! The demo through the panel's WebSockets, as a page uses them: dial, hear, hold, ring the other phone; and what the panel refuses.

use core::net::SocketAddr;
use core::time::Duration;
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use sidetone_hal::rng::Rng;
use sidetone_media::tone::Goertzel;
use sidetone_phone::config::Config;
use sidetone_phone::demo::Demo;
use sidetone_phone::models::{C60S, ES620};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

const BOUND: Duration = Duration::from_secs(60);

async fn demo(model: &'static sidetone_phone::models::Model) -> Demo {
    let mut config = Config::new(model);
    config.panel = SocketAddr::from(([127, 0, 0, 1], 0));
    Demo::start(&config, None).await.expect("a demo")
}

async fn connect(demo: &Demo, path: &str) -> Socket {
    connect_async(format!("ws://{}{path}", demo.address())).await.expect("a socket").0
}

/// A page that shows one phone.
struct Page {
    socket: Socket,
    hello: Value,
    state: Value,
    screen: Vec<u16>,
}

impl Page {
    async fn open(demo: &Demo, number: usize) -> Self {
        let socket = connect(demo, &format!("/panel/{number}")).await;
        let mut page = Self { socket, hello: Value::Null, state: Value::Null, screen: Vec::new() };
        while page.state.is_null() || page.screen.is_empty() {
            page.take().await;
        }
        page
    }

    async fn say(&mut self, message: Value) {
        self.socket.send(Message::text(message.to_string())).await.expect("sent");
    }

    async fn press(&mut self, keys: &[&str]) {
        for key in keys {
            self.say(json!({ "key": key, "pressed": true })).await;
            self.say(json!({ "key": key, "pressed": false })).await;
        }
    }

    /// Takes one message, and draws it if it is a picture.
    async fn take(&mut self) {
        match timeout(BOUND, self.socket.next()).await.expect("in time").expect("open").expect("sound") {
            Message::Text(text) => {
                let message: Value = serde_json::from_str(&text).expect("JSON");
                match message["type"].as_str() {
                    Some("hello") => self.hello = message["model"].clone(),
                    _ => self.state = message,
                }
            }
            Message::Binary(bytes) => {
                self.paint(&bytes);
                self.say(json!({ "painted": true })).await;
            }
            _ => {}
        }
    }

    fn paint(&mut self, bytes: &[u8]) {
        let (size, number) = (
            |name: &str| self.hello[name].as_u64().expect("a size") as usize,
            |at: usize| usize::from(u16::from_le_bytes([bytes[at], bytes[at + 1]])),
        );
        let (width, height) = (size("width"), size("height"));
        self.screen.resize(width * height, 0);
        let (x, y, columns, rows) = (number(0), number(2), number(4), number(6));
        assert_eq!(bytes.len(), 8 + 2 * columns * rows);
        for row in 0..rows {
            for column in 0..columns {
                self.screen[(y + row) * width + x + column] = number(8 + 2 * (row * columns + column)) as u16;
            }
        }
    }

    fn text(&self) -> String {
        let lines = self.state["text"].as_array().expect("lines");
        lines.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("\n")
    }

    /// Waits until the screen says `words`.
    async fn see(&mut self, words: &str) {
        let seen = timeout(BOUND, async {
            while !self.text().contains(words) {
                self.take().await;
            }
        });
        if seen.await.is_err() {
            panic!("the screen does not say {words:?} but {:?}", self.text());
        }
    }
}

/// What is said, in whole cycles of 20 ms.
const HERTZ: [u16; 4] = [500, 800, 1100, 1900];

/// A melody that nobody foresees: a steady tone is noise to the noise suppressor, and to the echo canceller no other
/// than its own echo.
struct Voice {
    rng: Rng,
    said: u32,
    note: u16,
}

impl Voice {
    fn new() -> Self {
        Self { rng: Rng::from_u64(1), said: 0, note: 0 }
    }

    /// The next 20 ms; every 100 ms another note.
    fn speak(&mut self) -> Vec<u8> {
        if self.said.is_multiple_of(5) {
            self.note = HERTZ[self.rng.below(4) as usize];
        }
        self.said += 1;
        let step = core::f64::consts::TAU * f64::from(self.note) / 16_000.0;
        (0..320).flat_map(|at| ((8000.0 * (step * f64::from(at)).sin()) as i16).to_le_bytes()).collect()
    }
}

/// Whether 20 ms are one of the notes, and loud.
fn is_note(samples: &[i16]) -> bool {
    let share = |hertz: u16| {
        let mut goertzel = Goertzel::new(16_000, hertz.into());
        goertzel.add(samples);
        goertzel.share()
    };
    samples.iter().any(|sample| sample.unsigned_abs() > 2000)
        && HERTZ.into_iter().any(|hertz| share(hertz) > 0.9)
}

/// Speaks, a message for each one heard, until a second of what is heard is that voice or silence.
async fn hear(socket: &mut Socket, wanted: bool) {
    let mut voice = Voice::new();
    let mut heard: Vec<i16> = Vec::new();
    for _ in 0..3000 {
        let message = timeout(BOUND, socket.next()).await.expect("in time").expect("open").expect("sound");
        let Message::Binary(bytes) = message else { continue };
        assert_eq!(bytes.len(), 640, "20 ms a message");
        socket.send(Message::binary(voice.speak())).await.expect("sent");
        heard.extend(bytes.as_chunks::<2>().0.iter().map(|bytes| i16::from_le_bytes(*bytes)));
        let Some(start) = heard.len().checked_sub(16_000) else { continue };
        let second = &heard[start..];
        let done = if wanted {
            // Between two notes a frame holds both.
            second.chunks(320).filter(|frame| is_note(frame)).count() >= 30
        } else {
            second.iter().all(|sample| sample.unsigned_abs() < 100)
        };
        if done {
            return;
        }
    }
    panic!("60 s of sound, and the voice is {}there", if wanted { "not " } else { "still " });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_echo_test_by_keys_and_sound() {
    let demo = demo(&ES620).await;
    let mut page = Page::open(&demo, 1).await;
    page.see("[registered]").await;
    let idle = page.screen.clone();
    let mut ear = connect(&demo, "/audio/1").await;
    page.press(&["*", "4", "3", "send"]).await;
    page.see("Talking\n*43").await;
    page.see("PCM").await;
    assert_ne!(page.screen, idle, "the pixels changed with the text");
    assert_eq!(page.state["lamps"]["speaker"]["color"], "red");
    hear(&mut ear, true).await;

    page.press(&["hold"]).await;
    page.see("On hold").await;
    hear(&mut ear, false).await;
    page.press(&["hold"]).await;
    page.see("Talking").await;
    hear(&mut ear, true).await;
    page.press(&["mute"]).await;
    page.see("[muted]").await;
    hear(&mut ear, false).await;

    // Another page takes the handset; this one is told so.
    let mut second = connect(&demo, "/audio/1").await;
    let closed = timeout(BOUND, async {
        loop {
            match ear.next().await {
                Some(Ok(Message::Close(Some(frame)))) => return u16::from(frame.code),
                Some(Ok(_)) => {}
                other => panic!("{other:?}"),
            }
        }
    });
    assert_eq!(closed.await, Ok(4001));
    assert!(matches!(timeout(BOUND, second.next()).await, Ok(Some(Ok(Message::Binary(_))))));

    page.press(&["cancel"]).await;
    page.see("<Redial>").await;
    demo.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_phone_rings_the_other() {
    let demo = demo(&C60S).await;
    let (mut alice, mut bob) = (Page::open(&demo, 1).await, Page::open(&demo, 2).await);
    alice.see("[registered]").await;
    bob.see("[registered]").await;
    alice.say(json!({ "hook": "off" })).await;
    alice.press(&["1", "0", "2", "#"]).await;
    bob.see("Incoming call\nAlice 101").await;
    assert_eq!(bob.state["ringing"], true);
    assert_eq!(bob.state["lamps"]["line1"], json!({ "color": "green", "period": 500 }));
    alice.see("Ringing\n102").await;
    bob.say(json!({ "hook": "off" })).await;
    alice.see("Talking").await;
    bob.see("Talking").await;
    alice.press(&["5"]).await;
    bob.see("Received 5").await;
    bob.press(&["hold"]).await;
    alice.see("Held by the other side").await;
    bob.press(&["hold"]).await;
    alice.see("Talking").await;
    bob.say(json!({ "hook": "on" })).await;
    alice.see("Call ended").await;
    // A call that nobody answers is missed.
    alice.say(json!({ "hook": "on" })).await;
    alice.press(&["soft1"]).await;
    bob.see("Incoming call").await;
    alice.press(&["cancel"]).await;
    bob.see("1 missed call").await;
    demo.shutdown().await;
}

#[tokio::test]
async fn other_sites_and_wrong_paths_are_refused() {
    let demo = demo(&ES620).await;
    let status = async |path: &str, origin: &str| {
        let mut request = format!("ws://{}{path}", demo.address()).into_client_request().expect("a request");
        request.headers_mut().insert("Origin", origin.parse().expect("a value"));
        match connect_async(request).await {
            Ok(_) => 101,
            Err(Error::Http(response)) => response.status().as_u16(),
            Err(other) => panic!("{other}"),
        }
    };
    let own = format!("http://{}", demo.address());
    assert_eq!(status("/panel/1", &own).await, 101);
    assert_eq!(status("/panel/1", "https://evil.example").await, 403);
    assert_eq!(status("/audio/1", "null").await, 403);
    assert_eq!(status("/panel/3", &own).await, 404);
    assert_eq!(status("/audio/0", &own).await, 404);
    demo.shutdown().await;
}

#[tokio::test]
async fn a_taken_port_moves_the_panel_to_the_next_one() {
    let first = demo(&ES620).await;
    let mut config = Config::new(&ES620);
    config.panel = first.address();
    let second = Demo::start(&config, None).await.expect("a demo");
    assert!(second.address().port() > first.address().port(), "{}", second.address());
    second.shutdown().await;
    first.shutdown().await;
}
