//! Bridged line appearances (draft-anil-sipping-bla): the same model over the package `dialog` with the parameter `sla`.
//!
//! Each telephone tells the state agent of its own dialogs on the line, in NOTIFY requests of a subscription that the agent
//! has to it, or by PUBLISH; and the agent tells each the dialogs of all. A dialog in the state `trying`, which nobody has
//! called with yet, seizes its appearance: a 2xx to the request that tells of it is a dial tone, anything else is not.
//! [`LineKeys`](super::LineKeys) has the keys and lamps; this is what it hears and says.
//!
//! ```
//! use sidetone_hal::time::Instant;
//! use sidetone_sip_ua::feature::shared_line::{BridgedLine, LineAction, LineKeys};
//! use sidetone_sip_ua::package::call_info::Seizure;
//! use sidetone_sip_ua::package::dialog_info::{DialogInfo, Told};
//! let mut keys = LineKeys::new(2).without_seizure_time();
//! let (mut line, mut told) = (BridgedLine::new("sip:500@example.com"), Told::default());
//! line.notified(DialogInfo::full(0, "sip:500@example.com", Vec::new()));
//! keys.notified(&line.appearances());
//! assert_eq!(keys.press(Instant::ZERO, 1), LineAction::Seize(1));
//! line.seize(1);
//! let publish = line.own().changes(&mut told).expect("a dialog in the state trying");
//! assert_eq!(publish.dialogs[0].line, Some(0));
//! // … 200 OK:
//! assert_eq!(keys.seizure(Instant::ZERO, 1, &Seizure::Granted(None)), LineAction::DialTone(1));
//! ```

use super::AppearanceState;
use crate::event::CallDialog;
use crate::package::Merge;
use crate::package::call_info::{Appearance, MAX_APPEARANCES};
use crate::package::dialog_info::{
    Dialog, DialogInfo, DialogPublisher, DialogSet, DialogState, DialogTarget, Direction, Identity,
    Participant,
};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use sidetone_sip_core::header::{AlertInfo, Event, Info, Join, Replaces};
use sidetone_sip_core::{Headers, Uri};

/// The Event of a subscription to a bridged line, and of what is published of it.
#[must_use]
pub fn event() -> Event {
    // It is a constant of the right grammar.
    "dialog;sla".parse().unwrap_or_else(|_| Event::new(crate::package::dialog_info::PACKAGE))
}

/// Whether an Event is that of a bridged line.
#[must_use]
pub fn is_bridged(event: &Event) -> bool {
    event.package.as_str() == crate::package::dialog_info::PACKAGE && event.params.has("sla")
}

/// What an INVITE says to a telephone for which appearance it comes: Alert-Info with `x-line-id`.
#[must_use]
pub fn alert_info(index: u16) -> Option<AlertInfo> {
    let uri = Uri::parse(ALERT).ok()?;
    Some(AlertInfo(Info::new(uri).with(LINE, &index.saturating_sub(1).to_string())))
}

/// The appearance that a call comes in for, as [`alert_info`] says; RFC 7463 §11 has `appearance` there, which counts
/// from 1.
#[must_use]
pub fn called_appearance(headers: &Headers) -> Option<u16> {
    let number = |info: &AlertInfo, name: &str| info.params.get(name)?.parse::<u16>().ok();
    let infos = headers.all::<AlertInfo>().filter_map(Result::ok);
    let named = |info: AlertInfo| match number(&info, LINE) {
        Some(line) => line.checked_add(1),
        None => number(&info, "appearance"),
    };
    infos.filter_map(named).find(|index| (1..=MAX_APPEARANCES).contains(index))
}

/// Which appearance a dialog of a bridged line is on, from 1, and what it means for that.
#[must_use]
pub fn appearance_of(dialog: &Dialog) -> Option<(u16, AppearanceState)> {
    Some((index_of(dialog)?, state_of(dialog)))
}

/// It says nothing of how the call is to ring (RFC 7462).
const ALERT: &str = "urn:alert:service:normal";
const LINE: &str = "x-line-id";

/// What is known of a bridged line, and what is told of our own dialogs on it.
#[derive(Clone, Debug)]
pub struct BridgedLine {
    entity: String,
    all: DialogSet,
    own: DialogPublisher,
}

/// What takes a held call from the telephone that holds it: an INVITE to its other side, with this (RFC 3891).
#[derive(Clone, Debug, PartialEq)]
pub struct Takeover {
    /// Where the other side is reached.
    pub target: Uri,
    /// The dialog that the INVITE takes the place of.
    pub replaces: Replaces,
}

/// What mixes a telephone with the call of another: an INVITE to who has the call, with this (RFC 3911).
#[derive(Clone, Debug, PartialEq)]
pub struct BargeIn {
    /// Where the telephone that has the call is reached.
    pub target: Uri,
    /// The dialog that the INVITE is to be mixed with.
    pub join: Join,
}

impl BridgedLine {
    /// The line of this address, of which nothing is known.
    #[must_use]
    pub fn new(entity: impl Into<String>) -> Self {
        let entity = entity.into();
        Self { own: DialogPublisher::new(entity.as_str()), all: DialogSet::new(), entity }
    }

    /// Takes a document of the state agent. After a [`Merge::Gap`] the subscription is to be refreshed.
    pub fn notified(&mut self, document: DialogInfo) -> Merge {
        self.all.apply(document)
    }

    /// The subscription begins anew; what is known stays until its first document.
    pub fn restart(&mut self) {
        self.all.restart();
    }

    /// What the documents tell of each appearance, for [`LineKeys::notified`](super::LineKeys::notified): all that are
    /// not told of are idle. `x-line-id` counts from 0, appearances from 1. O(dialogs).
    #[must_use]
    pub fn appearances(&self) -> Vec<Appearance> {
        let mut told: Vec<Appearance> = Vec::new();
        for dialog in self.all.dialogs() {
            let Some(index) = index_of(dialog) else { continue };
            let mut appearance = Appearance::new(index, state_of(dialog));
            if let Some(identity) = &dialog.remote.identity {
                appearance = appearance.with_uri(&written(identity));
            }
            // Two dialogs of one appearance are one call that moves, or two telephones in it: what asks most counts.
            match told.iter_mut().find(|known| known.index == appearance.index) {
                Some(known) if known.state < appearance.state => *known = appearance,
                Some(_) => {}
                None => told.push(appearance),
            }
        }
        told.push(Appearance::others(AppearanceState::Idle));
        told
    }

    /// What takes the held call of an appearance; `None` when nothing is held there that others may take, or its dialog
    /// is not told in full.
    #[must_use]
    pub fn takeover(&self, index: u16) -> Option<Takeover> {
        let held =
            |dialog: &&Dialog| index_of(dialog) == Some(index) && state_of(dialog) == AppearanceState::Held;
        let dialog = self.all.dialogs().iter().find(held)?;
        Some(Takeover { target: address_of(&dialog.remote)?, replaces: dialog.replaces_value()? })
    }

    /// What mixes us with the call of an appearance that somebody else has; `None` when nobody talks there, its dialog is not
    /// told in full, or nobody else may join it.
    #[must_use]
    pub fn barge_in(&self, index: u16) -> Option<BargeIn> {
        let talks = |dialog: &&Dialog| {
            index_of(dialog) == Some(index)
                && state_of(dialog) == AppearanceState::Active
                && dialog.exclusive != Some(true)
        };
        let dialog = self.all.dialogs().iter().find(talks)?;
        Some(BargeIn { target: address_of(&dialog.local)?, join: dialog.join_value()? })
    }

    /// Our own dialogs, as they are told: [`DialogPublisher::full`] in a PUBLISH, [`DialogPublisher::changes`] in the
    /// NOTIFY requests of the state agent's subscription to us.
    #[must_use]
    pub const fn own(&self) -> &DialogPublisher {
        &self.own
    }

    /// We want to dial on an appearance. Says whether there is something to tell.
    pub fn seize(&mut self, index: u16) -> bool {
        let dialog = Dialog::new(id(index), DialogState::Trying).with_direction(Direction::Initiator);
        self.tell(index, dialog, AppearanceState::Seized, None)
    }

    /// Our call on an appearance is in this state, with these identifiers where they are known, and whoever is at its other
    /// side. [`AppearanceState::Idle`] ends it. Says whether there is something to tell.
    pub fn call(
        &mut self,
        index: u16,
        state: AppearanceState,
        direction: Direction,
        dialog: Option<&CallDialog>,
        remote: Option<&Identity>,
    ) -> bool {
        let stage = match state {
            AppearanceState::Idle => DialogState::Terminated,
            AppearanceState::Seized => DialogState::Trying,
            AppearanceState::Progressing | AppearanceState::Alerting => DialogState::Early,
            _ => DialogState::Confirmed,
        };
        let mut told = Dialog::new(id(index), stage).with_direction(direction);
        if let Some(CallDialog { call_id, local_tag, remote_tag }) = dialog {
            told = told.with_ids(call_id, local_tag, remote_tag.as_deref());
        }
        self.tell(index, told, state, remote)
    }

    /// The appearance is given back, or its call is over.
    pub fn end(&mut self, index: u16) -> bool {
        self.call(index, AppearanceState::Idle, Direction::Initiator, None, None)
    }

    fn tell(
        &mut self,
        index: u16,
        mut dialog: Dialog,
        state: AppearanceState,
        remote: Option<&Identity>,
    ) -> bool {
        use AppearanceState as State;
        dialog.line = Some(u32::from(index.saturating_sub(1)));
        let own = Identity::new(self.entity.as_str());
        let target = match state {
            State::Held | State::HeldPrivate | State::BridgeHeld => {
                Some(DialogTarget::new(self.entity.as_str()).with_rendering(false))
            }
            State::Active | State::BridgeActive => {
                Some(DialogTarget::new(self.entity.as_str()).with_rendering(true))
            }
            _ => None,
        };
        dialog.local = Participant::new(Some(own), target);
        dialog.remote = Participant::new(remote.cloned(), None);
        dialog.exclusive = (state == State::HeldPrivate).then_some(true);
        self.own.update(dialog)
    }
}

/// Where an end of a dialog is reached: at its telephone, or else by its address.
fn address_of(end: &Participant) -> Option<Uri> {
    let target = end.target.as_ref().map(|target| target.uri.as_str()).filter(|uri| !uri.is_empty());
    let uri = target.or_else(|| end.identity.as_ref().map(|identity| identity.uri.as_str()))?;
    Uri::parse(uri).ok().filter(Uri::is_sip)
}

fn id(index: u16) -> String {
    format!("line{index}")
}

/// The number of a dialog's appearance; a dialog that names none is on the first.
fn index_of(dialog: &Dialog) -> Option<u16> {
    let index = u16::try_from(dialog.line.unwrap_or(0)).ok()?.checked_add(1)?;
    (index <= MAX_APPEARANCES).then_some(index)
}

/// What a dialog means for its appearance.
fn state_of(dialog: &Dialog) -> AppearanceState {
    match dialog.state {
        // Without anybody at the other side it is not called with yet.
        DialogState::Trying if dialog.remote.identity.is_none() => AppearanceState::Seized,
        DialogState::Trying | DialogState::Proceeding | DialogState::Early => match dialog.direction {
            Some(Direction::Recipient) => AppearanceState::Alerting,
            _ => AppearanceState::Progressing,
        },
        DialogState::Confirmed if dialog.is_held() && dialog.exclusive == Some(true) => {
            AppearanceState::HeldPrivate
        }
        DialogState::Confirmed if dialog.is_held() => AppearanceState::Held,
        DialogState::Confirmed => AppearanceState::Active,
        DialogState::Terminated => AppearanceState::Idle,
    }
}

fn written(identity: &Identity) -> String {
    match &identity.display {
        Some(display) => {
            let display = display.replace('\\', "\\\\").replace('"', "\\\"");
            format!("\"{display}\" <{}>", identity.uri)
        }
        None => identity.uri.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feature::shared_line::{LineAction, LineKeys, Refused};
    use crate::package::call_info::Seizure;
    use crate::package::dialog_info::Told;
    use AppearanceState as State;
    use alloc::collections::BTreeMap;
    use alloc::vec;
    use sidetone_hal::rng::Rng;
    use sidetone_hal::time::Instant;

    const AOR: &str = "sip:500@example.com";

    /// The state agent: the dialogs of each telephone, and what each telephone was told of all.
    struct Agent {
        dialogs: BTreeMap<(usize, String), Dialog>,
        versions: [u32; 2],
    }

    struct Phone {
        keys: LineKeys,
        line: BridgedLine,
        told: Told,
    }

    impl Phone {
        fn new() -> Self {
            let keys = LineKeys::new(2).without_seizure_time();
            Self { keys, line: BridgedLine::new(AOR), told: Told::default() }
        }
    }

    impl Agent {
        /// A telephone tells of its dialogs: 200, or 403 when somebody else has the appearance.
        fn published(&mut self, phone: usize, document: &str) -> bool {
            let document = DialogInfo::read(document.as_bytes()).unwrap();
            let taken = |dialog: &Dialog| {
                dialog.state == DialogState::Trying
                    && self.dialogs.iter().any(|((own, _), other)| *own != phone && other.line == dialog.line)
            };
            if document.dialogs.iter().any(taken) {
                return false;
            }
            for dialog in document.dialogs {
                let key = (phone, dialog.id.clone());
                if dialog.state == DialogState::Terminated {
                    self.dialogs.remove(&key);
                } else {
                    self.dialogs.insert(key, dialog);
                }
            }
            true
        }

        fn tell(&mut self, phones: &mut [Phone; 2]) {
            for (version, phone) in self.versions.iter_mut().zip(phones) {
                let all = self
                    .dialogs
                    .iter()
                    .map(|((phone, id), dialog)| Dialog { id: format!("{phone}{id}"), ..dialog.clone() });
                let document = DialogInfo::full(*version, AOR, all.collect()).write();
                *version += 1;
                phone.line.notified(DialogInfo::read(document.as_bytes()).unwrap());
                phone.keys.notified(&phone.line.appearances());
            }
        }
    }

    fn site() -> (Agent, [Phone; 2]) {
        let mut agent = Agent { dialogs: BTreeMap::new(), versions: [0; 2] };
        let mut phones = [Phone::new(), Phone::new()];
        agent.tell(&mut phones);
        (agent, phones)
    }

    /// What a telephone has to tell goes to the agent, whose answer decides about a seizure.
    fn publish(agent: &mut Agent, phones: &mut [Phone; 2], phone: usize) -> bool {
        let Phone { line, told, .. } = &mut phones[phone];
        let Some(document) = line.own().changes(told) else { return true };
        agent.published(phone, &document.write())
    }

    fn press(agent: &mut Agent, phones: &mut [Phone; 2], phone: usize, index: u16) -> LineAction {
        let action = phones[phone].keys.press(Instant::ZERO, index);
        if action != LineAction::Seize(index) {
            return action;
        }
        assert!(phones[phone].line.seize(index));
        let granted = publish(agent, phones, phone);
        let what = if granted { Seizure::Granted(None) } else { Seizure::Refused(None) };
        let action = phones[phone].keys.seizure(Instant::ZERO, index, &what);
        if !granted {
            phones[phone].line.end(index);
            publish(agent, phones, phone);
        }
        action
    }

    #[test]
    fn of_two_who_seize_an_appearance_at_once_one_has_a_dial_tone() {
        let (mut agent, mut phones) = site();
        assert_eq!(press(&mut agent, &mut phones, 0, 1), LineAction::DialTone(1));
        // The other has not heard of it yet.
        let refused = LineAction::Refused(1, Refused::Server(None));
        assert_eq!(press(&mut agent, &mut phones, 1, 1), refused);
        agent.tell(&mut phones);
        assert_eq!((phones[1].keys.view(1).state, phones[1].keys.view(1).here), (State::Seized, false));
        assert_eq!(press(&mut agent, &mut phones, 1, 1), LineAction::Refused(1, Refused::InUse));
        assert_eq!(phones[0].keys.poll_timeout(), None, "a bridged line is seized for as long as one likes");
        assert_eq!(press(&mut agent, &mut phones, 1, 2), LineAction::DialTone(2));
        assert_eq!(phones[0].keys.on_hook(1), LineAction::Release(1));
        assert!(phones[0].line.end(1) && publish(&mut agent, &mut phones, 0));
        agent.tell(&mut phones);
        assert_eq!(phones[1].keys.view(1).state, State::Idle);
    }

    #[test]
    fn a_held_call_is_told_with_what_takes_it_unless_it_is_private() {
        let (mut agent, mut phones) = site();
        assert_eq!(press(&mut agent, &mut phones, 0, 2), LineAction::DialTone(2));
        assert!(phones[0].keys.dial(2));
        let dialog =
            CallDialog { call_id: "c@a".into(), local_tag: "l".into(), remote_tag: Some("r".into()) };
        let carol = Identity::new("sip:carol@example.com").with_display("Carol \"C\"");
        for (state, expected) in [
            (State::Progressing, State::Progressing),
            (State::Active, State::Active),
            (State::HeldPrivate, State::HeldPrivate),
            (State::Held, State::Held),
        ] {
            let line = &mut phones[0].line;
            assert!(line.call(2, state, Direction::Initiator, Some(&dialog), Some(&carol)));
            assert!(publish(&mut agent, &mut phones, 0));
            agent.tell(&mut phones);
            let view = phones[1].keys.view(2);
            assert_eq!((view.state, view.here), (expected, false));
            assert_eq!(view.uri.as_deref(), Some("\"Carol \\\"C\\\"\" <sip:carol@example.com>"));
            assert_eq!(phones[1].line.takeover(2).is_some(), state == State::Held);
            assert_eq!(phones[1].line.barge_in(2).is_some(), state == State::Active);
            if let Some(BargeIn { target, join }) = phones[1].line.barge_in(2) {
                // The telephone that has the call sees it from its own end.
                assert_eq!(
                    (target.to_string(), join.to_string()),
                    (AOR.into(), "c@a;to-tag=l;from-tag=r".into())
                );
            }
        }
        assert_eq!(press(&mut agent, &mut phones, 1, 2), LineAction::Retrieve(2));
        let takeover = phones[1].line.takeover(2).unwrap();
        assert_eq!(takeover.target.to_string(), "sip:carol@example.com");
        assert_eq!(takeover.replaces.to_string(), "c@a;to-tag=r;from-tag=l");
        assert_eq!(phones[1].line.takeover(1), None);
    }

    #[test]
    fn lamps_agree_with_the_agent_whatever_two_telephones_do() {
        let mut rng = Rng::from_u64(7463);
        let (mut agent, mut phones) = site();
        for _ in 0..2_000 {
            let (phone, index) = (rng.below(2) as usize, 1 + rng.below(2) as u16);
            match press(&mut agent, &mut phones, phone, index) {
                LineAction::DialTone(index) if rng.below(2) == 0 => {
                    assert!(phones[phone].keys.dial(index));
                    phones[phone].keys.answered(index);
                    phones[phone].line.call(index, State::Active, Direction::Initiator, None, None);
                }
                LineAction::Release(index) => {
                    phones[phone].line.end(index);
                }
                LineAction::Show(index) => {
                    phones[phone].keys.ended(index);
                    phones[phone].line.end(index);
                }
                _ => {}
            }
            publish(&mut agent, &mut phones, phone);
            if rng.below(3) > 0 {
                agent.tell(&mut phones);
            }
            let lines = agent.dialogs.values().map(|dialog| dialog.line).collect::<Vec<_>>();
            let mut once = lines.clone();
            once.sort_unstable();
            once.dedup();
            assert_eq!(lines.len(), once.len(), "an appearance with two telephones: {lines:?}");
        }
        agent.tell(&mut phones);
        for index in 1..=2 {
            let here = phones.iter().filter(|phone| phone.keys.view(index).here).count();
            let known = agent.dialogs.values().any(|dialog| dialog.line == Some(u32::from(index) - 1));
            assert_eq!(here, usize::from(known), "appearance {index}");
        }
    }

    #[test]
    fn documents_of_others_are_read_leniently() {
        let mut line = BridgedLine::new(AOR);
        let mut odd = vec![Dialog::new("1", DialogState::Confirmed), Dialog::new("2", DialogState::Early)];
        odd[1].line = Some(u32::MAX);
        line.notified(DialogInfo::full(0, AOR, odd));
        let told = line.appearances();
        assert_eq!(told, [Appearance::new(1, State::Active), Appearance::others(State::Idle)]);
        assert_eq!(event().to_string(), "dialog;sla");
        assert!(is_bridged(&event()) && !is_bridged(&Event::new("dialog")));
    }

    #[test]
    fn an_invite_says_for_which_appearance_it_comes() {
        let mut headers = Headers::new();
        assert_eq!(called_appearance(&headers), None);
        headers.push(&alert_info(2).unwrap());
        assert_eq!(called_appearance(&headers), Some(2));
        let text = headers.get::<AlertInfo>().unwrap().unwrap().to_string();
        assert_eq!(text, "<urn:alert:service:normal>;x-line-id=1");
        let mut headers = Headers::new();
        headers.push(&"<urn:alert:service:normal>;appearance=3".parse::<AlertInfo>().unwrap());
        assert_eq!(called_appearance(&headers), Some(3));
    }
}
