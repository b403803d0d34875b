//! The bridged lines of a desk: one task for each has our subscription to the line and that of its state agent to us.

use super::Run;
use super::calls::Called;
use crate::firmware::{CallRef, LineTold, Signal};
use core::time::Duration;
use sidetone_sip_core::header::{Event, To};
use sidetone_sip_core::{Headers, StatusCode, Uri};
use sidetone_sip_ua::feature::shared_line::{AppearanceState, BargeIn, Takeover, is_bridged};
use sidetone_sip_ua::package::call_info::{MAX_APPEARANCES, Seizure};
use sidetone_sip_ua::package::dialog_info::{Direction, Identity};
use sidetone_sip_ua::{Account, BridgedEvent, BridgedMember, CallHandle, CallRequest, IncomingSubscription};
use std::collections::{HashMap, VecDeque};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

/// Orders that wait for a line's task, which waits for the server itself while it seizes.
const QUEUE: usize = 64;
/// How long a key waits for the state agent to subscribe, as after a restart.
const PATIENCE: Duration = Duration::from_secs(4);
/// The lifetime asked for.
const LASTS: Duration = Duration::from_secs(3600);

/// What a line's task is to do.
pub(super) enum LineOrder {
    Seize(u16),
    Release(u16),
    /// What became of a call of ours.
    Call {
        index: u16,
        state: AppearanceState,
        direction: Direction,
        handle: Option<CallHandle>,
    },
    /// The state agent subscribes to us.
    Agent(IncomingSubscription),
}

/// What an INVITE takes to come to the call of an appearance.
#[derive(Clone, Debug)]
enum Way {
    Take(Takeover),
    Mix(BargeIn),
}

/// A line's task.
pub(super) struct Bridge {
    orders: mpsc::Sender<LineOrder>,
    /// How the calls of others are come to; as of what was told last.
    ways: watch::Receiver<HashMap<u16, Way>>,
}

impl Run {
    /// Begins to watch a bridged line.
    pub(super) fn watch_bridged(&mut self, place: usize, account: Account, line: Uri) {
        let (orders, ordered) = mpsc::channel(QUEUE);
        let (publish, ways) = watch::channel(HashMap::new());
        self.bridges.insert(place, Bridge { orders, ways });
        let task = Task { place, tell: self.signals.clone(), ways: publish };
        tokio::spawn(task.run(account, line, ordered));
    }

    pub(super) fn is_bridged(&self, place: usize) -> bool {
        self.bridges.contains_key(&place)
    }

    pub(super) fn order_line(&self, place: usize, order: LineOrder) {
        if let Some(bridge) = self.bridges.get(&place)
            && bridge.orders.try_send(order).is_err()
        {
            tracing::debug!(place, "the line takes no more orders");
        }
    }

    /// What calls the line itself: the held call of an appearance is taken, or the one that somebody else has joined.
    pub(super) fn call_of_line(&self, place: usize, account: usize, index: u16) -> Option<Called> {
        let way = self.bridges.get(&place)?.ways.borrow().get(&index).cloned()?;
        let mut headers = Headers::new();
        let target = match way {
            Way::Take(Takeover { target, replaces }) => {
                headers.push(&replaces);
                target
            }
            Way::Mix(BargeIn { target, join }) => {
                headers.push(&join);
                target
            }
        };
        let presented = self.firmware.presented(account);
        let mut request = CallRequest::new(target).with_headers(headers);
        presented.headers.iter().for_each(|(name, value)| {
            // They were headers before.
            let _ = request.headers.push_raw(name, value);
        });
        request.from = presented.from;
        Some(Called::Request(Box::new(request)))
    }

    /// Somebody subscribes to us: the state agent of a bridged line, by way of the account's server.
    pub(super) fn subscribed(&self, incoming: IncomingSubscription) {
        let headers = &incoming.request().headers;
        let event = headers.get::<Event>().and_then(Result::ok);
        let to = headers.get::<To>().and_then(Result::ok);
        let asked = to.and_then(|To(to)| to.uri.user().map(|user| user.into_owned()));
        let source = incoming.source().remote.ip().to_canonical();
        let serves =
            |account: &Account| account.path().is_some_and(|path| path.remote.ip().to_canonical() == source);
        let place = self.lines.iter().enumerate().find_map(|(place, line)| {
            let account = self.accounts.get(line.account).filter(|account| serves(account))?;
            let number = match line.number.as_str() {
                "" => account.aor().user()?.into_owned(),
                number => number.to_owned(),
            };
            (self.is_bridged(place) && asked.as_deref() == Some(&*number)).then_some(place)
        });
        let bridged = event.is_some_and(|event| is_bridged(&event));
        if let Some(place) = place.filter(|_| bridged) {
            return self.order_line(place, LineOrder::Agent(incoming));
        }
        // Of other dialogs a telephone tells nothing.
        let status = if bridged { StatusCode::FORBIDDEN } else { StatusCode::BAD_EVENT };
        tokio::spawn(async move {
            // Whoever asked may be gone.
            let _ = incoming.reject(status).await;
        });
    }

    /// A bridged line is told what became of a call on it: before the firmware forgets the call, and after it knows better.
    pub(super) fn tell_line(&self, call: CallRef, signal: &Signal, on: Option<(usize, u16)>) {
        let Some((place, index)) = on.filter(|(place, _)| self.is_bridged(*place)) else { return };
        let state = match signal {
            Signal::Ended { .. } => AppearanceState::Idle,
            Signal::Ringing { .. } | Signal::Established { .. } | Signal::Held(_) | Signal::Resumed(_) => {
                match self.firmware.appearance(place, index) {
                    Some(view) if view.here => view.state,
                    _ => return,
                }
            }
            _ => return,
        };
        let came = self.ids.contains_key(&call);
        let direction = if came { Direction::Recipient } else { Direction::Initiator };
        let handle = self.handles.get(&call).cloned();
        self.order_line(place, LineOrder::Call { index, state, direction, handle });
    }
}

struct Task {
    place: usize,
    tell: mpsc::Sender<Signal>,
    ways: watch::Sender<HashMap<u16, Way>>,
}

#[expect(clippy::disallowed_methods, reason = "the driver's clock")]
fn deadline() -> Instant {
    Instant::now() + PATIENCE
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => core::future::pending().await,
    }
}

impl Task {
    async fn run(self, account: Account, line: Uri, mut orders: mpsc::Receiver<LineOrder>) {
        let Ok(mut member) = account.bridged_line(line, LASTS).await else { return };
        // What is to be seized before the state agent hears us.
        let mut early: VecDeque<(Instant, u16)> = VecDeque::new();
        loop {
            let late = early.front().map(|(until, _)| *until);
            tokio::select! {
                () = until(late) => {
                    if let Some((_, index)) = early.pop_front() {
                        self.tell(LineTold::Seizure(index, Seizure::Refused(None))).await;
                    }
                }
                event = member.next_event() => match event {
                    Some(BridgedEvent::Appearances(told)) => {
                        self.publish(&member);
                        self.tell(LineTold::Appearances(told)).await;
                    }
                    Some(BridgedEvent::Unknown) => self.tell(LineTold::Unknown).await,
                    Some(_) => {}
                    None => return,
                },
                order = orders.recv() => match order {
                    Some(LineOrder::Seize(index)) if !member.is_heard() => {
                        early.push_back((deadline(), index));
                    }
                    Some(LineOrder::Agent(incoming)) => {
                        self.obey(&mut member, LineOrder::Agent(incoming)).await;
                        for (_, index) in core::mem::take(&mut early) {
                            self.obey(&mut member, LineOrder::Seize(index)).await;
                        }
                    }
                    Some(LineOrder::Release(index)) => {
                        early.retain(|(_, own)| *own != index);
                        self.obey(&mut member, LineOrder::Release(index)).await;
                    }
                    Some(order) => self.obey(&mut member, order).await,
                    // The desk is gone.
                    None => return,
                },
            }
        }
    }

    async fn obey(&self, member: &mut BridgedMember, order: LineOrder) {
        match order {
            LineOrder::Seize(index) => {
                let granted = member.seize(index).await;
                let what = if granted { Seizure::Granted(None) } else { Seizure::Refused(None) };
                self.tell(LineTold::Seizure(index, what)).await;
            }
            LineOrder::Release(index) => member.release(index).await,
            LineOrder::Call { index, state: AppearanceState::Idle, .. } => member.release(index).await,
            LineOrder::Call { index, state, direction, handle } => {
                let dialog = match &handle {
                    Some(handle) => handle.dialog().await,
                    None => None,
                };
                let remote = handle.map(|handle| Identity::new(handle.remote().uri.to_string()));
                member.call(index, state, direction, dialog.as_ref(), remote.as_ref()).await;
            }
            LineOrder::Agent(incoming) => {
                if let Err(error) = member.accept(incoming).await {
                    tracing::debug!(%error, "the state agent of a line asks no more");
                }
            }
        }
    }

    fn publish(&self, member: &BridgedMember) {
        let way = |index| {
            let taken = member.takeover(index).map(Way::Take);
            Some((index, taken.or_else(|| member.barge_in(index).map(Way::Mix))?))
        };
        self.ways.send_replace((1..=MAX_APPEARANCES).filter_map(way).collect());
    }

    async fn tell(&self, told: LineTold) {
        let told = Box::new(told);
        // A desk that is gone needs to know nothing more.
        let _ = self.tell.send(Signal::Line { line: self.place, told }).await;
    }
}
