//! The WebSocket of the handset.

use super::Seat;
use axum::extract::ws::{CloseFrame, Message, WebSocket};
use core::time::Duration;
use tokio::sync::watch;
use tokio::time::timeout;

/// A page that takes no sound for so long is gone.
const SEND_WITHIN: Duration = Duration::from_secs(5);
/// Closes a socket whose handset another page took.
const TAKEN: u16 = 4001;

/// Carries sound between a page and the phone until the page goes away, or another page takes the handset.
pub(super) async fn run(mut socket: WebSocket, seat: &Seat) {
    // Whoever had the handset sees the number change and lets go.
    let mut holder = seat.holder.subscribe();
    seat.holder.send_modify(|number| *number = number.wrapping_add(1));
    let ticket = *holder.borrow_and_update();
    let mut handset = tokio::select! {
        handset = seat.handset.lock() => handset,
        () = taken(&mut holder, ticket) => return close(socket).await,
    };
    handset.flush();
    loop {
        tokio::select! {
            sound = handset.speak() => {
                if !matches!(timeout(SEND_WITHIN, socket.send(Message::binary(sound))).await, Ok(Ok(()))) {
                    return;
                }
            }
            message = socket.recv() => match message {
                Some(Ok(Message::Binary(sound))) => handset.hear(&sound),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return,
            },
            () = taken(&mut holder, ticket) => {
                drop(handset);
                return close(socket).await;
            }
        }
    }
}

/// Comes back when a later page wants the handset.
async fn taken(holder: &mut watch::Receiver<u64>, ticket: u64) {
    // The sender lives as long as the seat.
    let _ = holder.wait_for(|number| *number != ticket).await;
}

async fn close(mut socket: WebSocket) {
    let frame = CloseFrame { code: TAKEN, reason: "the handset is used by another page".into() };
    // The page may be gone, which closes it as well.
    let _ = timeout(SEND_WITHIN, socket.send(Message::Close(Some(frame)))).await;
}
