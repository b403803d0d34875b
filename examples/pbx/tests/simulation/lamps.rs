//! What a phone watches: lines, lists of lines, its mailbox, a room; and the call that is to be completed.

use crate::phone::{Line, Phone};
use sidetone_hal::time::{Duration, Instant};
use sidetone_sip_core::header::Supported;
use sidetone_sip_core::{Headers, Request, StatusCode};
use sidetone_sip_ua::feature::call_completion::{CallCompletion, CallCompletionConfig, CompletionStep};
use sidetone_sip_ua::package::Merge;
use sidetone_sip_ua::package::blf::Blf;
use sidetone_sip_ua::package::conference_info::{ConferenceInfo, Roster};
use sidetone_sip_ua::package::dialog_info::{DialogInfo, DialogState};
use sidetone_sip_ua::package::feature_sync::{FeatureState, read_events};
use sidetone_sip_ua::package::message_summary::{MessageClass, MessageSummary};
use sidetone_sip_ua::package::resource_list::{ListDocument, OPTION_TAG, ResourceList};
use sidetone_sip_ua::{SubscribeRequest, SubscriptionId, SubscriptionState};
use std::collections::{BTreeMap, BTreeSet};

pub struct Lamps {
    pub watched: BTreeMap<SubscriptionId, Lamp>,
    pub completion: CallCompletion,
    /// The subscription for it.
    completing: Option<SubscriptionId>,
}

impl Default for Lamps {
    fn default() -> Self {
        let mut config = CallCompletionConfig::default();
        config.enabled = true;
        Self { watched: BTreeMap::new(), completion: CallCompletion::new(config), completing: None }
    }
}

/// One subscription.
pub struct Lamp {
    pub whom: String,
    pub state: SubscriptionState,
    pub wanted: bool,
    pub shows: Shows,
    /// What was told is in `shows`.
    pub is_told: bool,
}

pub enum Shows {
    Line(Box<Blf>),
    List(ResourceList, BTreeMap<String, Blf>),
    Mailbox(u32, u32),
    Room(Roster),
    Settings(FeatureState),
}

/// A dialog of a line: Call-ID, the line's tag, the other's.
pub type Dialogs = BTreeSet<(String, String, String)>;

/// What a lamp shows; all dialogs must be confirmed when it is asked for.
fn dialogs(blf: &Blf) -> Dialogs {
    let dialog = |dialog: &sidetone_sip_ua::package::dialog_info::Dialog| {
        assert_eq!(dialog.state, DialogState::Confirmed, "{dialog:?}");
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        (text(&dialog.call_id), text(&dialog.local_tag), text(&dialog.remote_tag))
    };
    blf.dialogs().dialogs().iter().map(dialog).collect()
}

impl Lamp {
    /// What it shows of each line.
    pub fn lines(&self) -> Option<BTreeMap<String, Dialogs>> {
        match &self.shows {
            Shows::Line(blf) => Some(BTreeMap::from([(self.whom.clone(), dialogs(blf))])),
            Shows::List(_, lines) => {
                Some(lines.iter().map(|(name, blf)| (name.clone(), dialogs(blf))).collect())
            }
            Shows::Mailbox(..) | Shows::Room(_) | Shows::Settings(_) => None,
        }
    }
}

impl Lamps {
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.completion.poll_timeout()
    }
}

impl Phone {
    pub fn watch_line(&mut self, whom: &str) -> SubscriptionId {
        self.watch(whom, "dialog", Shows::Line(Box::default()))
    }

    pub fn watch_list(&mut self, name: &str) {
        self.watch(name, "dialog", Shows::List(ResourceList::new(), BTreeMap::new()));
    }

    pub fn watch_mailbox(&mut self) {
        self.watch(self.name, "message-summary", Shows::Mailbox(0, 0));
    }

    pub fn watch_room(&mut self, room: &str) {
        self.watch(room, "conference", Shows::Room(Roster::default()));
    }

    pub fn watch(&mut self, whom: &str, package: &str, shows: Shows) -> SubscriptionId {
        self.note(format!("watches {whom} ({package})"));
        let life = Duration::from_secs(u64::from(200 + self.rng.below(200)));
        let mut request = SubscribeRequest::new(self.uri(whom), package.parse().unwrap()).with_expires(life);
        if let Shows::List(..) = shows {
            let mut headers = Headers::new();
            headers.push(&Supported::from_iter([OPTION_TAG]));
            request = request.with_headers(headers);
        }
        let id = self.agent.subscribe(self.now, self.account, request).unwrap();
        let state = SubscriptionState::Subscribing;
        let lamp = Lamp { whom: whom.into(), state, wanted: true, shows, is_told: false };
        self.lamps.watched.insert(id, lamp);
        id
    }

    pub fn forget(&mut self, id: SubscriptionId) {
        let lamp = self.lamps.watched.get_mut(&id).unwrap();
        lamp.wanted = false;
        let whom = lamp.whom.clone();
        self.note(format!("forgets {whom}"));
        self.agent.unsubscribe(self.now, id).unwrap();
    }

    pub fn subscription(&mut self, id: SubscriptionId, state: SubscriptionState) {
        let lamp = self.lamps.watched.get_mut(&id).expect("it has not ended before");
        lamp.state = state;
        match &lamp.state {
            SubscriptionState::Ended { status, reason } => {
                assert!(
                    !lamp.wanted && matches!(status.map(StatusCode::code), None | Some(481)),
                    "{}: nobody wants {} to end: {status:?} {reason}",
                    self.name,
                    lamp.whom
                );
                self.lamps.watched.remove(&id);
            }
            // A dialog of its own counts from the beginning.
            SubscriptionState::Subscribing => match &mut lamp.shows {
                Shows::Line(blf) => blf.restart(),
                Shows::List(list, lines) => {
                    list.restart();
                    lines.values_mut().for_each(Blf::restart);
                }
                Shows::Mailbox(..) | Shows::Room(_) | Shows::Settings(_) => {}
            },
            _ => {}
        }
    }

    pub fn told(&mut self, id: SubscriptionId, request: &Request) {
        let lamp = self.lamps.watched.get_mut(&id).expect("it has not ended before");
        if request.body.is_empty() {
            return;
        }
        lamp.is_told = true;
        let merge = match &mut lamp.shows {
            Shows::Line(blf) => blf.apply(DialogInfo::read(&request.body).unwrap()),
            Shows::List(list, lines) => {
                let (mut merge, changes) = list.apply(&ListDocument::read(&request.content()).unwrap());
                for change in changes {
                    let name = change.uri.parse::<sidetone_sip_core::Uri>().unwrap();
                    let blf = lines.entry(name.user().unwrap().into_owned()).or_default();
                    let Some(body) = change.body else { continue };
                    if blf.apply(DialogInfo::read(&body.body).unwrap()) == Merge::Gap {
                        merge = Merge::Gap;
                    }
                }
                merge
            }
            Shows::Mailbox(new, old) => {
                let summary = MessageSummary::parse(&request.body).unwrap();
                let count = summary.count(MessageClass::Voice).unwrap();
                (*new, *old) = (count.new, count.old);
                Merge::Taken
            }
            Shows::Room(roster) => roster.merge(ConferenceInfo::parse(&request.body).unwrap()),
            Shows::Settings(state) => {
                let kind = request.headers.require().unwrap();
                for event in read_events(&kind, &request.body).unwrap() {
                    state.apply(event);
                }
                let state = state.clone();
                self.settings_told(&state);
                Merge::Taken
            }
        };
        if merge == Merge::Gap {
            self.count("gap");
            // It may be ending.
            self.agent.refresh_subscription(self.now, id).ok();
        }
        self.completion_told(id);
    }

    /// A call failed: sometimes its user wants to be told when the other is free.
    pub fn call_failed(&mut self, line: &Line, status: StatusCode) {
        let asked = self.feature == crate::Feature::Completion && !self.is_home;
        if !asked || line.incoming || self.lamps.completing.is_some() {
            return;
        }
        let failed = self.uri(&line.number);
        if self.lamps.completion.call_failed(&failed, status)
            && let Some(CompletionStep::Watch(_)) = self.lamps.completion.request(self.now)
        {
            self.note(format!("completes {}", line.number));
            let id = self.watch_line(&line.number);
            self.lamps.completing = Some(id);
        }
    }

    fn completion_told(&mut self, id: SubscriptionId) {
        if self.lamps.completing != Some(id) {
            return;
        }
        let Shows::Line(blf) = &self.lamps.watched[&id].shows else { panic!("a line") };
        let state = blf.state();
        let Some(CompletionStep::Offer(to)) = self.lamps.completion.handle_state(self.now, &state) else {
            return;
        };
        self.note(format!("offered {to}"));
        if self.calls.len() < 3
            && let Some(CompletionStep::Call(to)) = self.lamps.completion.accept()
        {
            self.stop_completion();
            self.call_uri(to, |request| request);
        }
    }

    pub fn completion_timeout(&mut self) {
        if self.lamps.completion.handle_timeout(self.now).is_some() {
            self.stop_completion();
        }
    }

    pub fn stop_completion(&mut self) {
        self.lamps.completion.cancel();
        if let Some(id) = self.lamps.completing.take() {
            self.forget(id);
        }
    }
}
