//! What a desk asks others to tell: extensions and waiting messages; and what they tell unasked.

use super::Run;
use super::calls::Called;
use crate::config::Mailbox;
use crate::firmware::{CallRef, Member, Signal};
use core::time::Duration;
use sidetone_sip_core::header::{ContentType, Event, From, Supported};
use sidetone_sip_core::{Headers, Method, NameAddr, Request, StatusCode};
use sidetone_sip_ua::package::Merge;
use sidetone_sip_ua::package::blf::{Blf, BlfList, BlfState, Pickup, Unknown, Watch};
use sidetone_sip_ua::package::device::DeviceEvent;
use sidetone_sip_ua::package::dialog_info::{self, DialogInfo, Identity};
use sidetone_sip_ua::package::message_summary::{self, MessageClass, MessageSummary};
use sidetone_sip_ua::package::resource_list::{self, ListDocument};
use sidetone_sip_ua::{
    Account, CallRequest, IntoUri, ReceivedRequest, SubscribeRequest, Subscription, SubscriptionEvent,
    SubscriptionState,
};
use tokio::sync::mpsc;

/// The most of a text that is shown, in characters.
const MAX_TEXT: usize = 160;

/// Watches an extension until nobody takes reports any more. `is_orbit` says whether whatever call it has is a parked one,
/// `tell` what is reported of its states.
pub(crate) async fn extension(
    account: Account,
    extension: String,
    is_orbit: bool,
    lasts: Option<Duration>,
    tell: impl Fn(Box<BlfState>) -> Signal,
    reports: mpsc::Sender<Signal>,
) {
    let mut lamp = if is_orbit { Blf::orbit() } else { Blf::new() };
    let Ok(to) = extension.as_str().into_uri(account.aor()) else { return };
    let mut request =
        SubscribeRequest::new(to, Event::new(dialog_info::PACKAGE)).accepting(dialog_info::CONTENT_TYPE);
    if let Some(lasts) = lasts {
        request = request.with_expires(lasts);
    }
    let Ok(mut subscription) = account.subscribe(request).await else { return };
    let mut shown = lamp.state();
    while let Some(event) = next(&mut subscription, &reports).await {
        match event {
            SubscriptionEvent::Notify(request) => match DialogInfo::read(&request.body) {
                Ok(document) => {
                    if lamp.apply(document) == Merge::Gap {
                        // It may be over already.
                        let _ = subscription.refresh().await;
                    }
                }
                Err(error) => tracing::debug!(extension, %error, "the state of the extension does not read"),
            },
            SubscriptionEvent::State(state) => match state {
                // A dialog that begins anew counts its documents anew.
                SubscriptionState::Subscribing => lamp.restart(),
                SubscriptionState::Active { .. } => {}
                SubscriptionState::Pending { .. } => lamp.watch(Watch::Inactive(Unknown::Pending)),
                SubscriptionState::Waiting { status, .. } | SubscriptionState::Ended { status, .. } => {
                    lamp.watch(Watch::Inactive(unknown(status)));
                }
                _ => {}
            },
            _ => {}
        }
        let state = lamp.state();
        if state != shown {
            shown = state.clone();
            // A desk that is gone needs to know nothing more.
            let _ = reports.send(tell(Box::new(state))).await;
        }
    }
}

/// Watches the list of extensions that the server of an account, counted from 0, keeps (RFC 4662), until the desk is gone.
pub(super) async fn list(
    account: Account,
    index: usize,
    name: String,
    lasts: Option<Duration>,
    reports: mpsc::Sender<Signal>,
) {
    let Ok(to) = name.as_str().into_uri(account.aor()) else { return };
    let mut headers = Headers::new();
    headers.push(&Supported::from_iter([resource_list::OPTION_TAG]));
    let mut request = SubscribeRequest::new(to, Event::new(dialog_info::PACKAGE))
        .accepting(resource_list::RELATED)
        .accepting(resource_list::CONTENT_TYPE)
        .accepting(dialog_info::CONTENT_TYPE)
        .with_headers(headers);
    if let Some(lasts) = lasts {
        request = request.with_expires(lasts);
    }
    let Ok(mut subscription) = account.subscribe(request).await else { return };
    let mut lamps = BlfList::new();
    // The server's order, which the keys are filled by.
    let mut order: Vec<String> = Vec::new();
    while let Some(event) = next(&mut subscription, &reports).await {
        match event {
            SubscriptionEvent::Notify(request) if request.body.is_empty() => continue,
            SubscriptionEvent::Notify(request) => match ListDocument::read(&request.content()) {
                Ok(document) => {
                    let update = lamps.apply(&document);
                    if update.merge == Merge::Gap {
                        // It may be over already.
                        let _ = subscription.refresh().await;
                    }
                    if document.rlmi.full && update.merge != Merge::Stale {
                        order = document.rlmi.resources.iter().map(|member| member.uri.clone()).collect();
                    }
                    for (uri, error) in update.errors {
                        tracing::debug!(uri, %error, "the state of a member does not read");
                    }
                }
                Err(error) => {
                    tracing::debug!(name, %error, "the list does not read");
                    continue;
                }
            },
            SubscriptionEvent::State(SubscriptionState::Subscribing) => lamps.restart(),
            SubscriptionEvent::State(
                SubscriptionState::Waiting { status, .. } | SubscriptionState::Ended { status, .. },
            ) => lamps.end(&unknown(status)),
            _ => continue,
        }
        // Members that only a part of the list told of come last.
        let place = |uri: &str| order.iter().position(|known| known == uri).unwrap_or(usize::MAX);
        let mut members: Vec<_> = lamps
            .members()
            .map(|(uri, name, state)| {
                let number = Identity::new(uri).number().into_owned();
                (place(uri), Member { number, name: name.map(str::to_owned), state })
            })
            .collect();
        members.sort_by_key(|(place, _)| *place);
        let members = members.into_iter().map(|(_, member)| member).collect();
        // A desk that is gone needs to know nothing more.
        let _ = reports.send(Signal::Members { account: index, members }).await;
    }
}

/// What a refusal, or an end without one, says of who is watched.
fn unknown(status: Option<StatusCode>) -> Unknown {
    match status {
        Some(StatusCode::REQUEST_TIMEOUT) => Unknown::Unreachable,
        Some(status) => Unknown::Refused(status.code()),
        None => Unknown::Ended(None),
    }
}

/// Asks for the waiting messages of an account, counted from 0, until the desk is gone.
pub(crate) async fn messages(
    account: Account,
    index: usize,
    lasts: Duration,
    mailbox: Mailbox,
    reports: mpsc::Sender<Signal>,
) {
    let to = match &mailbox.number {
        Some(number) => number.as_str().into_uri(account.aor()),
        None => Ok(account.aor().clone()),
    };
    let Ok(to) = to else { return };
    let request = SubscribeRequest::new(to, Event::new(message_summary::EVENT))
        .accepting(message_summary::CONTENT_TYPE)
        .with_expires(lasts);
    let Ok(mut subscription) = account.subscribe(request).await else { return };
    while let Some(event) = next(&mut subscription, &reports).await {
        if let SubscriptionEvent::Notify(request) = event
            && let Some(signal) = summary(&request, index, mailbox.voice_line)
        {
            // A desk that is gone needs to know nothing more.
            let _ = reports.send(signal).await;
        }
    }
}

pub(super) async fn next(
    subscription: &mut Subscription,
    reports: &mpsc::Sender<Signal>,
) -> Option<SubscriptionEvent> {
    tokio::select! {
        event = subscription.next_event() => event,
        () = reports.closed() => None,
    }
}

fn summary(request: &Request, account: usize, voice_line: bool) -> Option<Signal> {
    match MessageSummary::parse(&request.body) {
        Ok(summary) => {
            let new = summary.count(MessageClass::Voice).map_or(0, |count| count.new);
            Some(Signal::Messages { account, waiting: summary.voice_waits(voice_line), new })
        }
        Err(error) => {
            tracing::debug!(%error, "what waits does not read");
            None
        }
    }
}

impl Run {
    /// Somebody tells or sends something unasked.
    pub(super) fn requested(&mut self, received: ReceivedRequest) {
        let (status, signal) = self.understood(&received);
        if let Some(signal) = signal {
            self.firmware.handle_signal(self.now(), signal);
        }
        tokio::spawn(async move {
            // Whoever sent it may be gone.
            let _ = received.respond(status).await;
        });
    }

    fn understood(&self, received: &ReceivedRequest) -> (StatusCode, Option<Signal>) {
        let request = received.request();
        let account = self.accounts.iter().position(|known| Some(known.id()) == received.account());
        if request.method == Method::MESSAGE {
            let kind = request.headers.get::<ContentType>().and_then(Result::ok);
            if !kind.is_some_and(|kind| kind.is(&ContentType::TEXT)) {
                return (StatusCode::UNSUPPORTED_MEDIA_TYPE, None);
            }
            let from = request.headers.get::<From>().and_then(Result::ok);
            let from = from
                .map(|from: From| super::peer(&NameAddr::clone(&from)).title().to_owned())
                .unwrap_or_default();
            let text: String = String::from_utf8_lossy(&request.body).chars().take(MAX_TEXT).collect();
            return (StatusCode::OK, Some(Signal::Text { account: account.unwrap_or(0), from, text }));
        }
        if request.method == Method::INFO {
            return self.informed(received);
        }
        let event = request.headers.get::<Event>().and_then(Result::ok);
        let package = event.map(|event| event.package.to_string()).unwrap_or_default();
        let call = received.call().and_then(|id| self.name_of(id));
        let signal = match (package.as_str(), call) {
            ("talk", Some(call)) => Some(Signal::ClickToTalk(call)),
            ("hold", Some(call)) => Some(Signal::ClickToHold(call)),
            (message_summary::EVENT, _) => {
                let account = account.unwrap_or(0);
                summary(request, account, self.voice_line.get(account).copied().unwrap_or(false))
            }
            _ => match DeviceEvent::read(&request.headers, &request.body, None) {
                Ok(Some(DeviceEvent::Resync { reboot })) => {
                    Some(Signal::Resync { reboot: reboot.unwrap_or(false) })
                }
                Ok(Some(DeviceEvent::Reboot)) => Some(Signal::Resync { reboot: true }),
                _ => return (StatusCode::BAD_EVENT, None),
            },
        };
        (StatusCode::OK, signal)
    }

    /// Takes a call that rings elsewhere: an INVITE with Replaces.
    pub(super) fn pick_up(&mut self, call: CallRef, account: usize, pickup: Pickup) {
        let Some(target) = pickup.target else { return };
        let mut request = CallRequest::new(target);
        if let Some(replaces) = &pickup.replaces {
            request.headers.push(replaces);
        }
        self.dial(call, account, Called::Request(Box::new(request)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sidetone_sip_core::{Limits, Message};

    #[test]
    fn messages_wait_by_the_voice_line_where_that_is_set() {
        let told = |body: &str, voice_line| {
            let text = format!(
                "NOTIFY sip:alice@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.2;branch=z9hG4bK1\r\n\
                 From: <sip:alice@example.org>;tag=1\r\nTo: <sip:alice@example.org>;tag=2\r\nCall-ID: c\r\n\
                 CSeq: 1 NOTIFY\r\nEvent: message-summary\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            );
            let message = Message::parse(text.into(), &Limits::default()).expect("a message");
            let Message::Request(request) = message else { panic!("a request") };
            match summary(&request, 0, voice_line) {
                Some(Signal::Messages { waiting, new, .. }) => (waiting, new),
                other => panic!("{other:?}"),
            }
        };
        let bare = "Messages-Waiting: yes\r\n";
        let counted = "Messages-Waiting: yes\r\nVoice-Message: 2/1\r\n";
        assert_eq!((told(bare, false), told(bare, true)), ((true, 0), (false, 0)));
        assert_eq!((told(counted, false), told(counted, true)), ((true, 2), (true, 2)));
        assert_eq!(told("Messages-Waiting: no\r\nVoice-Message: 0/1\r\n", true), (false, 0));
    }
}
