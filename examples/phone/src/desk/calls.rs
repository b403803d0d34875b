//! The task of a call: orders of the firmware in, what happens out.

use crate::audio::MixerHandle;
use crate::firmware::{CallRef, Ended, EndedBy, Signal};
use sidetone_sip_core::StatusCode;
use sidetone_sip_ua::{Account, Call, CallEvent, CallHandle, EndCause, Error, IncomingCall};
use tokio::sync::mpsc;

/// What the firmware wants of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Answer,
    Reject,
    HangUp,
    Hold,
    Resume,
    Dtmf(char),
}

/// What happened to a call.
pub(super) type Report = (CallRef, Signal);

/// Makes a call and attends it to its end.
pub(super) async fn outgoing(
    account: Account,
    number: String,
    id: CallRef,
    sound: MixerHandle,
    orders: mpsc::Receiver<Order>,
    reports: mpsc::Sender<Report>,
) {
    let cause = match account.call(number, sound.port(id)).await {
        Ok(call) => attend(call, id, orders, &reports).await,
        Err(error) => failed(&error),
    };
    tell(&reports, id, Signal::Ended { call: id, cause }).await;
}

/// Lets a call ring until it is decided, and attends it to its end.
pub(super) async fn incoming(
    call: IncomingCall,
    id: CallRef,
    sound: MixerHandle,
    orders: mpsc::Receiver<Order>,
    reports: mpsc::Sender<Report>,
) {
    let cause = decide(call, id, &sound, orders, &reports).await;
    tell(&reports, id, Signal::Ended { call: id, cause }).await;
}

async fn decide(
    mut call: IncomingCall,
    id: CallRef,
    sound: &MixerHandle,
    mut orders: mpsc::Receiver<Order>,
    reports: &mpsc::Sender<Report>,
) -> Ended {
    if let Err(error) = call.ring().await {
        return failed(&error);
    }
    loop {
        let order = tokio::select! {
            cause = call.ended() => return cause.as_ref().map_or_else(local, ended),
            order = orders.recv() => order,
        };
        match order {
            Some(Order::Answer) => {
                return match call.answer(sound.port(id)).await {
                    Ok(call) => attend(call, id, orders, reports).await,
                    Err(error) => failed(&error),
                };
            }
            Some(Order::Reject | Order::HangUp) | None => {
                // The caller may have given up at the same moment.
                let _ = call.reject(StatusCode::BUSY_HERE).await;
                return local();
            }
            Some(Order::Hold | Order::Resume | Order::Dtmf(_)) => {}
        }
    }
}

/// Passes orders and events on until the call is over.
async fn attend(
    mut call: Call,
    id: CallRef,
    mut orders: mpsc::Receiver<Order>,
    reports: &mpsc::Sender<Report>,
) -> Ended {
    let handle = call.handle();
    loop {
        tokio::select! {
            event = call.next_event() => {
                let signal = match event {
                    Some(CallEvent::Ringing { early_media }) => Signal::Ringing { call: id, early_media },
                    Some(CallEvent::Established) => {
                        if let Ok(stats) = handle.stats().await {
                            let name = stats.codec.name;
                            tell(reports, id, Signal::Codec { call: id, name }).await;
                        }
                        Signal::Established { call: id }
                    }
                    Some(CallEvent::RemoteHold) => Signal::RemoteHold(id),
                    Some(CallEvent::RemoteResume) => Signal::RemoteResume(id),
                    Some(CallEvent::Held) => Signal::Held(id),
                    Some(CallEvent::Resumed) => Signal::Resumed(id),
                    Some(CallEvent::Dtmf(digit)) => Signal::Dtmf { call: id, digit },
                    Some(CallEvent::Ended(cause)) => return ended(&cause),
                    Some(_) => continue,
                    None => return local(),
                };
                tell(reports, id, signal).await;
            }
            // When the desk is gone, the call goes too.
            order = orders.recv() => {
                let order = order.unwrap_or(Order::HangUp);
                if matches!(order, Order::Hold | Order::Resume) {
                    // May take seconds, in which the call goes on.
                    tokio::spawn(hold(handle.clone(), id, order, reports.clone()));
                    continue;
                }
                let done = match order {
                    Order::Dtmf(digit) => handle.send_dtmf(digit.encode_utf8(&mut [0; 4])).await,
                    Order::HangUp | Order::Reject => handle.hangup().await,
                    Order::Answer | Order::Hold | Order::Resume => Ok(()),
                };
                if let Err(error) = done {
                    tracing::debug!(call = %id, ?order, %error, "not done");
                    if orders.is_closed() && orders.is_empty() {
                        return local();
                    }
                }
            }
        }
    }
}

async fn hold(call: CallHandle, id: CallRef, order: Order, reports: mpsc::Sender<Report>) {
    let (done, otherwise) = match order {
        Order::Hold => (call.hold().await, Signal::Resumed(id)),
        _ => (call.resume().await, Signal::Held(id)),
    };
    if let Err(error) = done {
        tracing::info!(call = %id, ?order, %error, "the call stays as it was");
        tell(&reports, id, otherwise).await;
    }
}

async fn tell(reports: &mpsc::Sender<Report>, id: CallRef, signal: Signal) {
    // A desk that is gone needs to know nothing more.
    let _ = reports.send((id, signal)).await;
}

fn local() -> Ended {
    Ended { by: EndedBy::Local, status: None, reason: String::new() }
}

fn failed(error: &Error) -> Ended {
    Ended { by: EndedBy::Network, status: None, reason: error.to_string() }
}

fn ended(cause: &EndCause) -> Ended {
    let by = match cause.by {
        sidetone_sip_ua::EndedBy::Local => EndedBy::Local,
        sidetone_sip_ua::EndedBy::Remote => EndedBy::Remote,
        _ => EndedBy::Network,
    };
    Ended { by, status: cause.status.map(StatusCode::code), reason: cause.reason.clone() }
}
