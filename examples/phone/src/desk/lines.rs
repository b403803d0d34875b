//! What a desk asks and says about shared lines.

use super::Run;
use super::bridged::LineOrder;
use super::calls::Called;
use crate::firmware::{CallRef, LineKind, LineTold, Signal};
use core::time::Duration;
use sidetone_sip_core::header::{Event, SubscriptionState as StateHeader};
use sidetone_sip_core::{Headers, Request, Uri};
use sidetone_sip_ua::feature::shared_line::LineKeys;
use sidetone_sip_ua::package::call_info::{self, Appearance, Seizure};
use sidetone_sip_ua::{
    Account, CallRequest, IntoUri, ResubscribeRule, SubscribeRequest, SubscriptionEvent, SubscriptionState,
};
use tokio::sync::mpsc;

impl Run {
    /// Asks the servers of all shared lines what becomes of them, until the desk is gone.
    pub(super) fn watch_lines(&mut self) {
        for place in 0..self.lines.len() {
            let Some((account, line)) = self.line(place) else { continue };
            match self.lines.get(place).map(|line| line.kind) {
                Some(LineKind::Bridged { .. }) => self.watch_bridged(place, account, line),
                _ => drop(tokio::spawn(watch(account, line, place, self.signals.clone()))),
            }
        }
    }

    /// Asks for an appearance.
    pub(super) fn seize_line(&mut self, place: usize, index: u16) {
        if self.is_bridged(place) {
            return self.order_line(place, LineOrder::Seize(index));
        }
        self.release_line(place, index);
        if let Some((account, line)) = self.line(place) {
            let task = tokio::spawn(seize(account, line, place, index, self.signals.clone()));
            self.seizures.insert((place, index), task.abort_handle());
        }
    }

    /// Nobody dials on it: its subscription ends with the task that has it.
    pub(super) fn release_line(&mut self, place: usize, index: u16) {
        if self.is_bridged(place) {
            return self.order_line(place, LineOrder::Release(index));
        }
        if let Some(task) = self.seizures.remove(&(place, index)) {
            task.abort();
        }
    }

    /// Calls on an appearance.
    pub(super) fn call_on_line(
        &mut self,
        (call, account): (CallRef, usize),
        number: &str,
        place: usize,
        index: u16,
    ) {
        let Some((known, line)) = self.line(place) else { return };
        let own = self.lines.get(place).is_some_and(|line| line.number == number);
        if own && let Some(called) = self.call_of_line(place, account, index) {
            return self.dial(call, account, called);
        }
        let to = if number.is_empty() { Ok(line.clone()) } else { number.into_uri(known.aor()) };
        let called = match to {
            Ok(to) => {
                let presented = self.firmware.presented(account);
                let mut request = CallRequest::new(to).with_headers(presented.headers);
                request.from = presented.from;
                request.headers.push(&LineKeys::call_info(index, &line));
                Called::Request(Box::new(request))
            }
            // It fails when it is called, and says why.
            Err(_) => Called::Number(number.to_owned()),
        };
        self.dial(call, account, called);
    }

    /// What the re-INVITE of a hold says.
    pub(super) fn hold_headers(&self, place: usize, index: u16, private: Option<bool>) -> Option<Headers> {
        self.line(place).map(|(_, line)| LineKeys::hold_headers(index, &line, private))
    }

    fn line(&self, place: usize) -> Option<(Account, Uri)> {
        let line = self.lines.get(place)?;
        let account = self.accounts.get(line.account)?.clone();
        let uri = match line.number.as_str() {
            "" => account.aor().clone(),
            number => number.into_uri(account.aor()).ok()?,
        };
        Some((account, uri))
    }
}

async fn watch(account: Account, line: Uri, place: usize, tell: mpsc::Sender<Signal>) {
    let request = SubscribeRequest::new(line, Event::new(call_info::EVENT));
    let Ok(mut subscription) = account.subscribe(request).await else { return };
    loop {
        let event = tokio::select! {
            event = subscription.next_event() => event,
            () = tell.closed() => None,
        };
        let told = match event {
            Some(SubscriptionEvent::Notify(request)) => match Appearance::all(&request.headers) {
                Ok(told) => LineTold::Appearances(told),
                Err(error) => {
                    tracing::debug!(%error, "the state of the line does not read");
                    continue;
                }
            },
            Some(SubscriptionEvent::State(
                SubscriptionState::Waiting { .. } | SubscriptionState::Ended { .. },
            )) => LineTold::Unknown,
            Some(_) => continue,
            None => return,
        };
        // A desk that is gone needs to know nothing more.
        let _ = tell.send(Signal::Line { line: place, told: Box::new(told) }).await;
    }
}

async fn seize(account: Account, line: Uri, place: usize, index: u16, tell: mpsc::Sender<Signal>) {
    let mut request = SubscribeRequest::new(line.clone(), Event::new(call_info::SEIZE_EVENT))
        .with_expires(Duration::from_secs(call_info::SEIZE_EXPIRES.into()))
        .with_headers(LineKeys::seize_headers(index, &line));
    request.again = ResubscribeRule::NEVER;
    let says = async |what: Seizure| {
        let told = Box::new(LineTold::Seizure(index, what));
        // A desk that is gone needs to know nothing more.
        let _ = tell.send(Signal::Line { line: place, told }).await;
    };
    let Ok(mut subscription) = account.subscribe(request).await else {
        return says(Seizure::Refused(None)).await;
    };
    loop {
        match subscription.next_event().await {
            Some(SubscriptionEvent::Notify(request)) => {
                if let Some(what) = seizure(&request) {
                    says(what).await;
                }
            }
            Some(SubscriptionEvent::State(SubscriptionState::Ended { reason, .. })) => {
                return says(Seizure::Refused(Some(reason))).await;
            }
            Some(_) => {}
            None => return says(Seizure::Refused(None)).await,
        }
    }
}

fn seizure(request: &Request) -> Option<Seizure> {
    let state = request.headers.get::<StateHeader>()?.ok()?;
    Seizure::of(&state, &request.headers).ok()
}
