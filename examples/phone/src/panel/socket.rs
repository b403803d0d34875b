//! The WebSocket of keys and screen. A page acknowledges each picture before it gets the next, so a slow one gets fewer.

use super::Seat;
use crate::desk::{PanelInput, Picture};
use crate::models::Depth;
use axum::extract::ws::{Message, WebSocket};
use core::time::Duration;
use serde::Deserialize;
use serde_json::json;
use sidetone_hal::Event;
use sidetone_hal::display::Point;
use sidetone_hal::event::{TouchEvent, TouchPhase};
use sidetone_hal::hook::HookState;
use sidetone_hal::keypad::{Key, KeyEvent};
use tokio::time::timeout;

/// A page that takes nothing for so long is gone.
const SEND_WITHIN: Duration = Duration::from_secs(10);
/// A page that says nothing for so long is asked whether it is still there.
const PING_AFTER: Duration = Duration::from_secs(20);

/// What a page says.
#[derive(Debug, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum Said {
    Key { key: String, pressed: bool },
    Hook { hook: Hook },
    Touch { touch: Phase, x: u16, y: u16 },
    Offset { offset: i32 },
    Painted { painted: bool },
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Hook {
    On,
    Off,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Phase {
    Down,
    Move,
    Up,
}

/// Serves one page until it goes away.
pub(super) async fn run(mut socket: WebSocket, seat: &Seat) {
    let mut pictures = seat.pictures.clone();
    let mut shown: Option<Picture> = None;
    let mut painting = false;
    let mut silent = false;
    if !send(&mut socket, Message::text(hello(seat))).await {
        return;
    }
    pictures.mark_changed();
    loop {
        tokio::select! {
            changed = pictures.changed(), if !painting => {
                if changed.is_err() {
                    return;
                }
                let picture = pictures.borrow_and_update().clone();
                if !shown.as_ref().is_some_and(|shown| shown.same_state(&picture))
                    && !send(&mut socket, Message::text(state(&picture))).await
                {
                    return;
                }
                if let Some(damage) = picture.damage(shown.as_ref()) {
                    painting = true;
                    if !send(&mut socket, Message::binary(damage)).await {
                        return;
                    }
                }
                shown = Some(picture);
            }
            message = timeout(PING_AFTER, socket.recv()) => {
                let message = match message {
                    Ok(Some(Ok(message))) => message,
                    Ok(Some(Err(_)) | None) => return,
                    // Asked before, and still no word.
                    Err(_) if silent => return,
                    Err(_) => {
                        silent = true;
                        if !send(&mut socket, Message::Ping(Default::default())).await {
                            return;
                        }
                        continue;
                    }
                };
                silent = false;
                let Message::Text(text) = message else { continue };
                match serde_json::from_str(&text) {
                    Ok(Said::Painted { painted }) => painting &= !painted,
                    Ok(said) => {
                        let Some(input) = input(&said) else { continue };
                        // Waits while the phone is busy; the page waits then too.
                        if seat.input.send(input).await.is_err() {
                            return;
                        }
                    }
                    Err(error) => tracing::debug!(%error, "a page said something else than expected"),
                }
            }
        }
    }
}

async fn send(socket: &mut WebSocket, message: Message) -> bool {
    matches!(timeout(SEND_WITHIN, socket.send(message)).await, Ok(Ok(())))
}

fn input(said: &Said) -> Option<PanelInput> {
    Some(match said {
        Said::Key { key, pressed } => {
            let key: Key = key.parse().ok()?;
            PanelInput::Event(Event::Key(KeyEvent { key, pressed: *pressed }))
        }
        Said::Hook { hook } => PanelInput::Event(Event::Hook(match hook {
            Hook::On => HookState::OnHook,
            Hook::Off => HookState::OffHook,
        })),
        Said::Touch { touch, x, y } => {
            let phase = match touch {
                Phase::Down => TouchPhase::Down,
                Phase::Move => TouchPhase::Move,
                Phase::Up => TouchPhase::Up,
            };
            PanelInput::Event(Event::Touch(TouchEvent { at: Point { x: *x, y: *y }, phase }))
        }
        Said::Offset { offset } => PanelInput::Offset(*offset),
        Said::Painted { .. } => return None,
    })
}

/// What a page needs to draw the phone.
fn hello(seat: &Seat) -> String {
    let model = seat.model;
    let keys: Vec<_> = model.keys.iter().map(|(key, caption)| (key.to_string(), caption)).collect();
    let lamps: Vec<_> = model.all_lamps().map(crate::desk::lamp_name).collect();
    json!({
        "type": "hello",
        "phone": seat.number,
        "title": seat.title,
        "model": {
            "name": model.name,
            "title": model.title,
            "width": model.screen.width,
            "height": model.screen.height,
            "mono": model.depth == Depth::Mono,
            "touch": model.touch,
            "handset": model.handset,
            "lines": model.lines,
            "keys": keys,
            "lamps": lamps,
        },
    })
    .to_string()
}

fn state(picture: &Picture) -> String {
    json!({
        "type": "state",
        "text": &*picture.text,
        "hook": if picture.lifted { "off" } else { "on" },
        "ringing": picture.ringing,
        "lamps": &*picture.lamps,
        "labels": &*picture.labels,
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<PanelInput> {
        serde_json::from_str(text).ok().as_ref().and_then(input)
    }

    #[test]
    fn what_pages_say_becomes_events() {
        assert_eq!(
            read(r##"{"key":"#","pressed":true}"##),
            Some(PanelInput::Event(Event::Key(KeyEvent::down(Key::Digit('#')))))
        );
        assert_eq!(read(r#"{"hook":"off"}"#), Some(PanelInput::Event(Event::Hook(HookState::OffHook))));
        assert_eq!(read(r#"{"offset":-120}"#), Some(PanelInput::Offset(-120)));
        let at = Point { x: 3, y: 4 };
        assert_eq!(
            read(r#"{"touch":"down","x":3,"y":4}"#),
            Some(PanelInput::Event(Event::Touch(TouchEvent { at, phase: TouchPhase::Down })))
        );
    }

    #[test]
    fn anything_else_is_nothing() {
        for text in [
            "",
            "{}",
            "[]",
            r#"{"key":"5"}"#,
            r#"{"key":"nokey","pressed":true}"#,
            r#"{"hook":"half"}"#,
            r#"{"touch":"down","x":-1,"y":4}"#,
            r#"{"painted":true}"#,
            r#"{"offset":1e99}"#,
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
