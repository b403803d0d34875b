//! The package `dialog` (RFC 4235): one line, or a list of lines in one subscription (RFC 4662).

use super::{Content, States, Topic};
use crate::dialogs::{self, DialogEnd, UserDialog};
use bytes::Bytes;
use sidetone_hal::rng::Rng;
use sidetone_sip_core::{NameAddr, Uri};
use sidetone_sip_ua::package::dialog_info::{
    CONTENT_TYPE, Dialog, DialogInfo, DialogState, Direction, Identity, Participant, StateEvent, Told,
};
use sidetone_sip_ua::package::resource_list::{Instance, InstanceState, ListDocument, Resource, Rlmi};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What a subscription to one line was told.
pub(super) struct LineTeller {
    user: Arc<str>,
    entity: String,
    told: Told,
}

/// What a subscription to a list of lines was told.
pub(super) struct ListTeller {
    uri: String,
    /// Each line with its place in the list, which names its part of a body.
    lines: BTreeMap<Arc<str>, (usize, LineTeller)>,
    version: u32,
    rng: Rng,
}

impl LineTeller {
    pub(super) fn new(user: Arc<str>, like: &Uri) -> Self {
        let entity = entity(like, &user);
        Self { user, entity, told: Told::default() }
    }

    pub(super) fn full(&mut self, states: &States) -> Content {
        let document = states.with_line(&self.user, |line| line.full(&mut self.told));
        self.write(document)
    }

    pub(super) fn changes(&mut self, states: &States) -> Option<Content> {
        let document = states.with_line(&self.user, |line| line.changes(&mut self.told))?;
        Some(self.write(document))
    }

    fn write(&self, mut document: DialogInfo) -> Content {
        document.entity.clone_from(&self.entity);
        for dialog in &mut document.dialogs {
            dialog.local = Participant::new(Some(Identity::new(self.entity.as_str())), None);
        }
        (CONTENT_TYPE, Bytes::from(document.write()))
    }
}

impl ListTeller {
    pub(super) fn new(name: &str, members: &[Arc<str>], like: &Uri, rng: Rng) -> Self {
        let line = |(at, user): (usize, &Arc<str>)| {
            (Arc::clone(user), (at, LineTeller::new(Arc::clone(user), like)))
        };
        let lines = members.iter().enumerate().map(line).collect();
        Self { uri: entity(like, name), lines, version: 0, rng }
    }

    pub(super) fn topics(&self) -> Vec<Topic> {
        self.lines.keys().map(|user| Topic::Line(Arc::clone(user))).collect()
    }

    /// Every line with its whole state.
    pub(super) fn full(&mut self, states: &States) -> Content {
        let version = self.version;
        let mut parts: Vec<_> =
            self.lines.values_mut().map(|(at, line)| (*at, line.entity.clone(), line.full(states))).collect();
        parts.sort_by_key(|(at, ..)| *at);
        self.document(Rlmi::full(version, self.uri.clone(), Vec::new()), parts)
    }

    /// The lines that changed, each with what changed of it.
    pub(super) fn changes(&mut self, states: &States, changed: &BTreeSet<Arc<str>>) -> Option<Content> {
        let mut parts = Vec::new();
        for user in changed {
            let Some((at, line)) = self.lines.get_mut(user) else { continue };
            if let Some(content) = line.changes(states) {
                parts.push((*at, line.entity.clone(), content));
            }
        }
        let rlmi = Rlmi::partial(self.version, self.uri.clone(), Vec::new());
        (!parts.is_empty()).then(|| self.document(rlmi, parts))
    }

    fn document(&mut self, rlmi: Rlmi, parts: Vec<(usize, String, Content)>) -> Content {
        self.version = self.version.wrapping_add(1);
        let mut document = ListDocument::new(rlmi);
        for (at, uri, (kind, body)) in parts {
            let cid = format!("line{at}@sidetone.invalid");
            let instance = Instance::new("1", InstanceState::Active).with_cid(cid.clone());
            document.rlmi.resources.push(Resource::new(uri).with_instance(instance));
            document = document.with_body(cid, kind, body);
        }
        document.write(&mut self.rng)
    }
}

/// A dialog of the proxy's table as the package has it.
pub(super) fn dialog(row: &UserDialog) -> Dialog {
    let state = match row.state {
        dialogs::DialogState::Trying => DialogState::Trying,
        dialogs::DialogState::Early => DialogState::Early,
        dialogs::DialogState::Confirmed => DialogState::Confirmed,
        dialogs::DialogState::Terminated(_) => DialogState::Terminated,
    };
    let mut dialog = Dialog::new(format!("d{}", row.id.0), state);
    dialog.call_id = Some(row.call_id.clone());
    dialog.local_tag.clone_from(&row.local_tag);
    dialog.remote_tag.clone_from(&row.remote_tag);
    dialog.direction = Some(match row.direction {
        dialogs::Direction::Initiator => Direction::Initiator,
        dialogs::Direction::Recipient => Direction::Recipient,
    });
    if let dialogs::DialogState::Terminated(end) = row.state {
        let (event, code) = match end {
            DialogEnd::Cancelled => (Some(StateEvent::Cancelled), None),
            DialogEnd::Rejected(code) => (Some(StateEvent::Rejected), Some(code)),
            DialogEnd::TimedOut => (Some(StateEvent::Timeout), None),
            // Which side said BYE makes no difference to a lamp.
            DialogEnd::HungUp => (None, None),
        };
        (dialog.event, dialog.code) = (event, code);
    }
    dialog.remote = Participant::new(Some(identity(&row.remote)), None);
    dialog
}

fn identity(address: &NameAddr) -> Identity {
    let identity = Identity::new(address.uri.as_str());
    match &address.display_name {
        Some(name) => identity.with_display(&**name),
        None => identity,
    }
}

/// The address of a user, as the subscriber writes its host.
pub(super) fn entity(like: &Uri, user: &str) -> String {
    let mut uri = like.address_of_record();
    uri.set_user(Some(user));
    uri.to_string()
}
