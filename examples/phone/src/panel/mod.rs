//! The panel: a web page that draws the phones and is their handset, served on the loopback interface only.
//!
//! | path | what |
//! | --- | --- |
//! | `/`, `/1`, `/2` … | the page: all phones, or one |
//! | `/assets/…` | its style, scripts and icon, built into the program |
//! | `/phones/`, `/phones/1` … | JSON: which phones that page shows, and what can be called |
//! | `/panel/1` … | WebSocket: keys in; screen, lamps and text out |
//! | `/audio/1` … | WebSocket: 16-bit little-endian PCM, mono, 16 kHz, 20 ms a message, both ways |

mod assets;
mod audio;
mod guard;
mod socket;

use crate::audio::{BrowserEnd, RATE};
use crate::desk::{DeskPanel, PanelInput, Picture};
use crate::models::Model;
use axum::Router;
use axum::extract::ws::WebSocket;
use axum::extract::{Path, State, WebSocketUpgrade};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;
use core::net::SocketAddr;
use serde::Serialize;
use serde_json::json;
use std::io;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, Semaphore, mpsc, watch};
use tokio::task::JoinHandle;

/// How many further ports are tried when the wanted one is taken.
const FURTHER_PORTS: u16 = 50;
/// WebSockets at a time, over all pages.
const MAX_SOCKETS: usize = 64;
/// The largest message of a page, in bytes: a second of sound.
const MAX_MESSAGE: usize = 2 * RATE as usize;

/// One phone as the panel knows it.
#[derive(Debug)]
struct Seat {
    number: usize,
    title: String,
    model: &'static Model,
    pictures: watch::Receiver<Picture>,
    input: mpsc::Sender<PanelInput>,
    /// One page at a time has the handset; a newer one takes it over.
    handset: Mutex<BrowserEnd>,
    /// Counts the pages that wanted the handset.
    holder: watch::Sender<u64>,
}

/// A number worth calling.
#[derive(Clone, Debug, Serialize)]
pub struct Hint {
    /// What to dial.
    pub number: String,
    /// What it does.
    pub meaning: String,
    /// The phone of this panel that has the number, counted from 1; it is not told to call itself.
    pub phone: Option<usize>,
}

/// What all requests share.
#[derive(Debug)]
struct Panel {
    address: SocketAddr,
    seats: Vec<Arc<Seat>>,
    hints: Vec<Hint>,
    sockets: Arc<Semaphore>,
}

/// A panel that is served. Dropping it ends it.
#[derive(Debug)]
pub struct PanelServer {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl PanelServer {
    /// Serves the panel of these phones at `address`, or at the next free port when that one is taken. `hints` are numbers
    /// to call.
    ///
    /// # Errors
    /// No port can be bound.
    pub async fn start(address: SocketAddr, phones: Vec<DeskPanel>, hints: Vec<Hint>) -> io::Result<Self> {
        let listener = bind(address).await?;
        let address = listener.local_addr()?;
        let seat = |(number, phone): (usize, DeskPanel)| {
            Arc::new(Seat {
                number,
                title: phone.title,
                model: phone.model,
                pictures: phone.pictures,
                input: phone.input,
                handset: Mutex::new(phone.handset),
                holder: watch::Sender::new(0),
            })
        };
        let panel = Arc::new(Panel {
            address,
            seats: (1..).zip(phones).map(seat).collect(),
            hints,
            sockets: Arc::new(Semaphore::new(MAX_SOCKETS)),
        });
        let router = Router::new()
            .route("/", get(assets::page))
            .route("/{number}", get(numbered_page))
            .route("/assets/{name}", get(assets::asset))
            .route("/phones/", get(all_phones))
            .route("/phones/{number}", get(one_phone))
            .route("/panel/{number}", get(panel_socket))
            .route("/audio/{number}", get(audio_socket))
            .layer(axum::middleware::from_fn_with_state(panel.clone(), guard::check))
            .with_state(panel);
        let task = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                tracing::error!(%error, "the panel ended");
            }
        });
        Ok(Self { address, task })
    }

    /// Where it is served.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for PanelServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn bind(wanted: SocketAddr) -> io::Result<TcpListener> {
    let mut address = wanted;
    loop {
        match TcpListener::bind(address).await {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                let next = address.port().checked_add(1).filter(|port| port - wanted.port() <= FURTHER_PORTS);
                address.set_port(next.ok_or(error)?);
            }
            bound => return bound,
        }
    }
}

impl Panel {
    fn seat(&self, number: usize) -> Option<Arc<Seat>> {
        self.seats.get(number.checked_sub(1)?).cloned()
    }

    fn phones(&self, numbers: &[usize]) -> Json<serde_json::Value> {
        Json(json!({ "phones": numbers, "hints": self.hints }))
    }
}

async fn numbered_page(State(panel): State<Arc<Panel>>, Path(number): Path<String>) -> Response {
    match number.parse().ok().and_then(|number| panel.seat(number)) {
        Some(_) => assets::page(State(panel)).await,
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn all_phones(State(panel): State<Arc<Panel>>) -> Response {
    let numbers: Vec<_> = panel.seats.iter().map(|seat| seat.number).collect();
    panel.phones(&numbers).into_response()
}

async fn one_phone(State(panel): State<Arc<Panel>>, Path(number): Path<usize>) -> Response {
    match panel.seat(number) {
        Some(_) => panel.phones(&[number]).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn panel_socket(panel: State<Arc<Panel>>, number: Path<usize>, upgrade: WebSocketUpgrade) -> Response {
    serve_socket(&panel, *number, upgrade, |socket, seat| async move { socket::run(socket, &seat).await })
}

async fn audio_socket(panel: State<Arc<Panel>>, number: Path<usize>, upgrade: WebSocketUpgrade) -> Response {
    serve_socket(&panel, *number, upgrade, |socket, seat| async move { audio::run(socket, &seat).await })
}

/// Upgrades to a WebSocket of the phone with this number, while there is room for one more.
fn serve_socket<F, R>(panel: &Arc<Panel>, number: usize, upgrade: WebSocketUpgrade, run: F) -> Response
where
    F: FnOnce(WebSocket, Arc<Seat>) -> R + Send + 'static,
    R: Future<Output = ()> + Send,
{
    let Some(seat) = panel.seat(number) else { return StatusCode::NOT_FOUND.into_response() };
    let Ok(permit) = panel.sockets.clone().try_acquire_owned() else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    upgrade.max_message_size(MAX_MESSAGE).on_upgrade(move |socket| async move {
        run(socket, seat).await;
        drop(permit);
    })
}
