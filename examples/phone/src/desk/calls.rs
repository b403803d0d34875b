//! The task of a call: orders of the firmware in, what happens out.

use super::peer;
use crate::audio::MixerHandle;
use crate::firmware::{CallRef, Ended, EndedBy, Quality, Signal, TransferProgress};
use sidetone_media::StreamStats;
use sidetone_media::process::AudioProcessing;
use sidetone_sip_core::{Headers, StatusCode, Uri};
use sidetone_sip_ua::feature::anonymity::Presented;
use sidetone_sip_ua::feature::cause::{Cancelled, EndReason};
use sidetone_sip_ua::package::conference_info::User;
use sidetone_sip_ua::{
    Account, Call, CallEvent, CallHandle, CallRequest, EndCause, Error, IncomingCall, IncomingRefer, IntoUri,
    OutgoingPage, ReferProgress, Refusal, WatchedConference,
};
use tokio::sync::mpsc;

/// What the firmware wants of a call.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Order {
    Answer,
    Reject(Refusal),
    HangUp,
    Withdraw,
    /// Call whom the other side named instead.
    Follow,
    Hold,
    Resume,
    Dtmf(char),
    /// What re-INVITEs from now on say of the hold of a call on a shared line.
    MarkHold(Headers),
    /// What is done to the microphone's sound from now on.
    Process(AudioProcessing),
}

/// What happened to a call.
#[derive(Debug)]
pub(super) enum Report {
    /// Its handle, once it is on its way or answered.
    Handle(CallRef, CallHandle),
    /// The firmware is to know this of the call.
    Signal(CallRef, Signal),
}

/// What is called.
pub(super) enum Called {
    /// What was dialled.
    Number(String),
    /// With all that may be said of a call.
    Request(Box<CallRequest>),
    /// What the other side of another call wants us to call.
    Referred(IncomingRefer),
}

impl Called {
    /// The same with what our privacy adds. A number that makes no address stays, and fails when it is called.
    pub(super) fn presented(self, account: &Account, presented: Presented) -> Self {
        let number = match self {
            Self::Number(number) if presented.from.is_some() || !presented.headers.is_empty() => number,
            other => return other,
        };
        let Ok(to) = number.as_str().into_uri(account.aor()) else { return Self::Number(number) };
        let mut request = CallRequest::new(to).with_headers(presented.headers);
        request.from = presented.from;
        Self::Request(Box::new(request))
    }
}

/// Makes a call and attends it to its end.
pub(super) async fn outgoing(
    account: Account,
    called: Called,
    id: CallRef,
    sound: MixerHandle,
    orders: mpsc::Receiver<Order>,
    reports: mpsc::Sender<Report>,
) {
    let port = sound.port(id);
    let call = match called {
        Called::Number(number) => account.call(number, port).await,
        Called::Request(request) => account.call_with(*request, port).await,
        Called::Referred(refer) => refer.accept(port).await,
    };
    let cause = match call {
        Ok(call) => attend(call, Some(account), id, orders, &reports).await,
        Err(error) => failed(&error),
    };
    tell(&reports, id, Signal::Ended { call: id, cause }).await;
}

/// Speaks a page until it is hung up, or held for a call.
pub(super) async fn page(
    page: Result<OutgoingPage, Error>,
    id: CallRef,
    mut orders: mpsc::Receiver<Order>,
    reports: mpsc::Sender<Report>,
) {
    let cause = match page {
        Ok(page) => {
            tell(&reports, id, Signal::Established { call: id }).await;
            while let Some(order) = orders.recv().await {
                if matches!(order, Order::HangUp | Order::Hold) {
                    break;
                }
            }
            if let Err(error) = page.stop().await {
                tracing::debug!(%error, "the page is over");
            }
            local()
        }
        Err(error) => failed(&error),
    };
    tell(&reports, id, Signal::Ended { call: id, cause }).await;
}

/// Lets a call ring until it is decided, and attends it to its end.
pub(super) async fn incoming(
    call: IncomingCall,
    account: Option<Account>,
    id: CallRef,
    sound: MixerHandle,
    orders: mpsc::Receiver<Order>,
    reports: mpsc::Sender<Report>,
) {
    let cause = decide(call, account, id, &sound, orders, &reports).await;
    tell(&reports, id, Signal::Ended { call: id, cause }).await;
}

async fn decide(
    mut call: IncomingCall,
    account: Option<Account>,
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
                    Ok(call) => attend(call, account, id, orders, reports).await,
                    Err(error) => failed(&error),
                };
            }
            Some(Order::Reject(refusal)) => {
                // The caller may have given up at the same moment.
                let _ = call.reject_with(refusal).await;
                return local();
            }
            Some(Order::HangUp | Order::Withdraw) | None => {
                let _ = call.reject(StatusCode::BUSY_HERE).await;
                return local();
            }
            Some(
                Order::Follow
                | Order::Hold
                | Order::Resume
                | Order::MarkHold(_)
                | Order::Dtmf(_)
                | Order::Process(_),
            ) => {}
        }
    }
}

/// Key presses that may wait for those before them.
const PRESSED_KEYS: usize = 32;
/// People of a conference whom the screen has room for.
const MAX_PEOPLE: usize = 32;

/// Passes orders and events on until the call is over.
async fn attend(
    mut call: Call,
    account: Option<Account>,
    id: CallRef,
    mut orders: mpsc::Receiver<Order>,
    reports: &mpsc::Sender<Report>,
) -> Ended {
    let handle = call.handle();
    // A desk that is gone needs to know nothing more.
    let _ = reports.send(Report::Handle(id, handle.clone())).await;
    // Each may take seconds to be taken by the other side, in which the call goes on; they keep their order.
    let (keys, pressed) = mpsc::channel(PRESSED_KEYS);
    tokio::spawn(press(handle.clone(), pressed));
    let mut people: Option<WatchedConference> = None;
    loop {
        tokio::select! {
            names = told_people(&mut people) => {
                tell(reports, id, Signal::People { call: id, people: names }).await;
            }
            event = call.next_event() => {
                let signal = match event {
                    Some(CallEvent::Ringing { early_media }) => Signal::Ringing { call: id, early_media },
                    Some(CallEvent::Established) => {
                        if let Ok(stats) = handle.stats().await {
                            let (name, encrypted) = (stats.codec.name, stats.srtp.is_some());
                            tell(reports, id, Signal::Codec { call: id, name, encrypted }).await;
                        }
                        // Who is in a conference is asked of its focus, while the call lasts.
                        if let (Ok(Some(focus)), Some(account)) = (handle.focus().await, &account) {
                            people = account.watch_conference(focus).await.ok();
                        }
                        Signal::Established { call: id }
                    }
                    Some(CallEvent::RemoteHold) => Signal::RemoteHold(id),
                    Some(CallEvent::RemoteResume) => Signal::RemoteResume(id),
                    Some(CallEvent::Held) => Signal::Held(id),
                    Some(CallEvent::Resumed) => Signal::Resumed(id),
                    Some(CallEvent::Dtmf(digit)) => Signal::Dtmf { call: id, digit },
                    Some(CallEvent::RemoteIdentity(identity)) => Signal::Identity { call: id, identity },
                    Some(CallEvent::Redirected { targets, ask }) => {
                        match targets.into_iter().next().map(|target| peer(&target.into())) {
                            Some(to) if ask => Signal::Redirected { call: id, to },
                            Some(peer) => Signal::Peer { call: id, peer },
                            None => continue,
                        }
                    }
                    Some(CallEvent::Transfer(ReferProgress::Trying(status))) => {
                        let progress = TransferProgress::Trying(status.code());
                        Signal::Transfer { call: id, progress }
                    }
                    Some(CallEvent::Ended(cause)) => {
                        if let Some(quality) = handle.stats().await.ok().as_ref().and_then(quality_of) {
                            tell(reports, id, Signal::Quality { call: id, quality }).await;
                        }
                        return ended(&cause);
                    }
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
                    tokio::spawn(hold(handle.clone(), id, order == Order::Hold, reports.clone()));
                    continue;
                }
                let what = format!("{order:?}");
                let done = match order {
                    Order::Dtmf(digit) => {
                        if let Err(error) = keys.try_send(digit) {
                            tracing::debug!(call = %id, %error, "key press dropped");
                        }
                        Ok(())
                    }
                    Order::MarkHold(headers) => handle.set_offer_headers(headers).await,
                    Order::Process(processing) => handle.set_audio_processing(processing).await,
                    Order::Follow => handle.follow_redirect().await,
                    Order::HangUp | Order::Reject(_) => handle.hangup().await,
                    Order::Withdraw => handle.hangup_because(EndReason::CompletedElsewhere).await,
                    Order::Answer | Order::Hold | Order::Resume => Ok(()),
                };
                if let Err(error) = done {
                    tracing::debug!(call = %id, what, %error, "not done");
                    if orders.is_closed() && orders.is_empty() {
                        return local();
                    }
                }
            }
        }
    }
}

/// The next that is told of who is in the conference that a call is with; never, where it is with none.
async fn told_people(conference: &mut Option<WatchedConference>) -> Vec<String> {
    let Some(watched) = conference else { return core::future::pending().await };
    match watched.changed().await {
        Some(roster) => roster.present().take(MAX_PEOPLE).map(name_of).collect(),
        None => {
            *conference = None;
            Vec::new()
        }
    }
}

/// A name, or the number of an address.
fn name_of(user: &User) -> String {
    let number = user.name().parse::<Uri>().ok().and_then(|uri| uri.user().map(|user| user.into_owned()));
    number.unwrap_or_else(|| user.name().to_owned())
}

/// Sends key presses, one after the other, until the call is over.
async fn press(call: CallHandle, mut pressed: mpsc::Receiver<char>) {
    while let Some(digit) = pressed.recv().await {
        if let Err(error) = call.send_dtmf(digit.encode_utf8(&mut [0; 4])).await {
            tracing::info!(call = %call.id(), %error, "key press not sent");
        }
    }
}

async fn hold(call: CallHandle, id: CallRef, hold: bool, reports: mpsc::Sender<Report>) {
    let (done, otherwise) = match hold {
        true => (call.hold().await, Signal::Resumed(id)),
        false => (call.resume().await, Signal::Held(id)),
    };
    if let Err(error) = done {
        tracing::info!(call = %id, hold, %error, "the call stays as it was");
        tell(&reports, id, otherwise).await;
    }
}

async fn tell(reports: &mpsc::Sender<Report>, id: CallRef, signal: Signal) {
    // A desk that is gone needs to know nothing more.
    let _ = reports.send(Report::Signal(id, signal)).await;
}

/// How a call sounded, if anything was heard.
fn quality_of(stats: &StreamStats) -> Option<Quality> {
    let heard = stats.packets_received > 0;
    let (mos, lost) = ((stats.mos() * 10.0).round() as u8, (stats.loss_percent() * 10.0).round() as u16);
    heard.then_some(Quality { mos, lost })
}

fn local() -> Ended {
    Ended { by: EndedBy::Local, status: None, reason: String::new(), elsewhere: false }
}

fn failed(error: &Error) -> Ended {
    Ended { by: EndedBy::Network, status: None, reason: error.to_string(), elsewhere: false }
}

fn ended(cause: &EndCause) -> Ended {
    let by = match cause.by {
        sidetone_sip_ua::EndedBy::Local => EndedBy::Local,
        sidetone_sip_ua::EndedBy::Remote => EndedBy::Remote,
        _ => EndedBy::Network,
    };
    let elsewhere = matches!(cause.cancelled, Cancelled::AnsweredElsewhere | Cancelled::RefusedElsewhere);
    Ended { by, status: cause.status.map(StatusCode::code), reason: cause.reason.clone(), elsewhere }
}
