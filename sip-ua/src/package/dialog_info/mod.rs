//! The package `dialog` (RFC 4235): the dialogs of an extension, in full or in part, with versions.
//!
//! [`DialogInfo`] is one document, [`DialogSet`] what a subscriber knows after many, and [`DialogPublisher`] what
//! tells subscribers of one's own dialogs.

mod publisher;
mod set;

pub use publisher::{DialogPublisher, MAX_ENDED, Told};
pub use set::DialogSet;

use super::{PackageError, xml};
use alloc::borrow::Cow;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use roxmltree::Node;
use sidetone_hal::time::Duration;
use sidetone_sip_core::Uri;
use sidetone_sip_core::header::{ContentType, Join, Replaces};

/// `application/dialog-info+xml`
pub const CONTENT_TYPE: ContentType = ContentType::from_static("application", "dialog-info+xml");
/// The name of the package in Event; with the parameter `sla` or `shared` it is that of a shared line.
pub const PACKAGE: &str = "dialog";
/// Dialogs of one document or one watched extension at most: more than any telephone has, enough for a queue's or
/// an orbit's. What is beyond is left out.
pub const MAX_DIALOGS: usize = 128;
/// Bytes of one text of a dialog at most: twice the longest Call-ID of deployed servers. A longer one is left out,
/// and so is a dialog with a longer `id`. With [`MAX_DIALOGS`] it bounds what a watched extension takes in memory.
pub const MAX_TEXT: usize = 512;
/// Parameters of one target at most; deployed ones have two.
pub const MAX_PARAMS: usize = 8;

const NAMESPACE: &str = "urn:ietf:params:xml:ns:dialog-info";
/// RFC 7463 §6
const SHARED_NAMESPACE: &str = "urn:ietf:params:xml:ns:sa-dialog-info";
const RENDERING: &str = "+sip.rendering";
const LINE: &str = "x-line-id";

/// A document: dialogs of one watched resource.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DialogInfo {
    /// Counts up by one in a subscription. `None` when it was missing or no number; written as 0.
    pub version: Option<u32>,
    /// Whether these are all dialogs; otherwise those that changed.
    pub full: bool,
    /// The URI of whom the dialogs are; empty when it was missing.
    pub entity: String,
    /// In the order of the document.
    pub dialogs: Vec<Dialog>,
}

/// One dialog, as the watched resource sees it: `local` is the watched one, `remote` its peer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Dialog {
    /// Tells it apart from the resource's other dialogs; not the Call-ID.
    pub id: String,
    /// Its Call-ID.
    pub call_id: Option<String>,
    /// The tag of the watched resource.
    pub local_tag: Option<String>,
    /// The tag of its peer.
    pub remote_tag: Option<String>,
    /// Who began it.
    pub direction: Option<Direction>,
    /// How far it is.
    pub state: DialogState,
    /// What brought it into the state.
    pub event: Option<StateEvent>,
    /// The status code that did, 100 to 699.
    pub code: Option<u16>,
    /// Since it was created, in whole seconds.
    pub duration: Option<Duration>,
    /// The dialog that it replaced.
    pub replaces: Option<DialogName>,
    /// Who referred to it.
    pub referred_by: Option<Identity>,
    /// The watched resource.
    pub local: Participant,
    /// Its peer.
    pub remote: Participant,
    /// The appearance of a shared line: `x-line-id` (draft-anil-sipping-bla) or `appearance` (RFC 7463), as it was
    /// sent; the former counts from 0, the latter from 1.
    pub line: Option<u32>,
    /// Whether nobody else on a shared line may join or take it (RFC 7463 `exclusive`).
    pub exclusive: Option<bool>,
}

/// Who began a dialog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The watched resource.
    Initiator,
    /// Its peer.
    Recipient,
}

/// How far a dialog is (RFC 4235 §3.7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DialogState {
    /// The INVITE was sent or came.
    Trying,
    /// A provisional response without tag.
    Proceeding,
    /// A provisional response with tag: it rings.
    Early,
    /// It was answered.
    Confirmed,
    /// It is over.
    Terminated,
}

/// What brought a dialog into its state (RFC 4235 §3.7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StateEvent {
    /// The caller gave up.
    Cancelled,
    /// A response of 300 or above.
    Rejected,
    /// Another dialog took its place.
    Replaced,
    /// The watched resource ended it.
    LocalBye,
    /// Its peer did.
    RemoteBye,
    /// Something went wrong.
    Error,
    /// Nothing came.
    Timeout,
}

/// A dialog by its three identifiers, as the watched resource has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DialogName {
    /// Its Call-ID.
    pub call_id: String,
    /// The tag of the watched resource.
    pub local_tag: String,
    /// The tag of its peer.
    pub remote_tag: String,
}

/// Who somebody is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// A URI as it was sent, which may follow no grammar.
    pub uri: String,
    /// A name to show.
    pub display: Option<String>,
}

/// One end of a dialog.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Participant {
    /// Who it is.
    pub identity: Option<Identity>,
    /// Where its requests go to.
    pub target: Option<DialogTarget>,
}

/// Where the requests of a dialog go to: the Contact, its parameters aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DialogTarget {
    /// A URI as it was sent, which may follow no grammar.
    pub uri: String,
    /// Parameters of the Contact: `+sip.rendering`, `+sip.byeless`, `x-line-id`.
    pub params: Vec<(String, String)>,
}

impl DialogInfo {
    /// A document with the full state.
    #[must_use]
    pub fn full(version: u32, entity: impl Into<String>, dialogs: Vec<Dialog>) -> Self {
        Self { version: Some(version), full: true, entity: entity.into(), dialogs }
    }

    /// A document with what changed.
    #[must_use]
    pub fn partial(version: u32, entity: impl Into<String>, dialogs: Vec<Dialog>) -> Self {
        Self { full: false, ..Self::full(version, entity, dialogs) }
    }

    /// Reads a body. Deployed servers leave out much and get namespaces wrong: without `state` it is a full one, a
    /// dialog without `id` goes by its Call-ID, and one without a state that RFC 4235 knows is left out. Of more
    /// than [`MAX_DIALOGS`] the first are kept.
    ///
    /// # Errors
    /// It is no UTF-8, no well-formed XML, or no `<dialog-info>`.
    pub fn read(body: &[u8]) -> Result<Self, PackageError> {
        let document = xml::parse(xml::utf8(body)?, "dialog-info")?;
        let root = document.root_element();
        Ok(Self {
            version: number(root, "version"),
            full: !root.attribute("state").is_some_and(|state| state.trim().eq_ignore_ascii_case("partial")),
            entity: attribute(root, "entity").unwrap_or_default(),
            dialogs: xml::children(root, "dialog").filter_map(Dialog::read).take(MAX_DIALOGS).collect(),
        })
    }

    /// The document as it is sent.
    #[must_use]
    pub fn write(&self) -> String {
        let mut out = xml::Writer::new();
        let shared = self.dialogs.iter().any(|dialog| dialog.exclusive.is_some());
        out.open("dialog-info")
            .attr("xmlns", NAMESPACE)
            .maybe_attr("xmlns:sa", shared.then_some(SHARED_NAMESPACE))
            .attr("version", self.version.unwrap_or(0))
            .attr("state", if self.full { "full" } else { "partial" })
            .attr("entity", &self.entity);
        for dialog in &self.dialogs {
            dialog.write(&mut out);
        }
        out.finish()
    }
}

impl Dialog {
    /// A dialog of which nothing more is known.
    #[must_use]
    pub fn new(id: impl Into<String>, state: DialogState) -> Self {
        Self {
            id: id.into(),
            call_id: None,
            local_tag: None,
            remote_tag: None,
            direction: None,
            state,
            event: None,
            code: None,
            duration: None,
            replaces: None,
            referred_by: None,
            local: Participant::default(),
            remote: Participant::default(),
            line: None,
            exclusive: None,
        }
    }

    /// The same with its identifiers; the remote tag is not known before a response.
    #[must_use]
    pub fn with_ids(mut self, call_id: &str, local_tag: &str, remote_tag: Option<&str>) -> Self {
        self.call_id = Some(call_id.into());
        self.local_tag = Some(local_tag.into());
        self.remote_tag = remote_tag.map(Into::into);
        self
    }

    /// The same, begun by one side.
    #[must_use]
    pub const fn with_direction(mut self, direction: Direction) -> Self {
        self.direction = Some(direction);
        self
    }

    /// The same with both ends.
    #[must_use]
    pub fn with_ends(mut self, local: Participant, remote: Participant) -> Self {
        self.local = local;
        self.remote = remote;
        self
    }

    /// The same with what brought it into its state.
    #[must_use]
    pub const fn with_event(mut self, event: StateEvent, code: Option<u16>) -> Self {
        self.event = Some(event);
        self.code = code;
        self
    }

    /// Whether an end does not render media: the call is held (RFC 3840 `sip.rendering`, RFC 4235 §3.7.1).
    #[must_use]
    pub fn is_held(&self) -> bool {
        [&self.local, &self.remote]
            .into_iter()
            .any(|end| end.target.as_ref().is_some_and(DialogTarget::is_held))
    }

    /// What an INVITE to the *peer* takes to get the call instead of the watched resource (RFC 3891 §4). `None` when
    /// an identifier is missing or could not stand in a header.
    #[must_use]
    pub fn replaces_value(&self) -> Option<Replaces> {
        let (call_id, local, remote) = self.names()?;
        let value: Replaces = alloc::format!("{call_id};to-tag={remote};from-tag={local}").parse().ok()?;
        // A text with a `;` or a line end of its own would say something else.
        let same = value.call_id.as_str() == call_id && *value.to_tag == *remote && *value.from_tag == *local;
        (same && value.params.is_empty()).then_some(value)
    }

    /// What an INVITE to the *watched resource* takes to be mixed with the call (RFC 3911 §4). `None` when an identifier is
    /// missing or could not stand in a header.
    #[must_use]
    pub fn join_value(&self) -> Option<Join> {
        let (call_id, local, remote) = self.names()?;
        let value: Join = alloc::format!("{call_id};to-tag={local};from-tag={remote}").parse().ok()?;
        let same = value.call_id.as_str() == call_id && *value.to_tag == *local && *value.from_tag == *remote;
        (same && value.params.is_empty()).then_some(value)
    }

    fn names(&self) -> Option<(&str, &str, &str)> {
        Some((self.call_id.as_deref()?, self.local_tag.as_deref()?, self.remote_tag.as_deref()?))
    }

    fn read(node: Node<'_, '_>) -> Option<Self> {
        let state = xml::child(node, "state")?;
        let mut dialog = Self::new(String::new(), DialogState::read(state.text().unwrap_or_default())?);
        dialog.call_id = attribute(node, "call-id");
        dialog.id = match node.attribute("id").map(str::trim).filter(|id| !id.is_empty()) {
            Some(id) => kept(id)?,
            None => dialog.call_id.clone().unwrap_or_default(),
        };
        dialog.local_tag = attribute(node, "local-tag");
        dialog.remote_tag = attribute(node, "remote-tag");
        dialog.direction = node.attribute("direction").and_then(Direction::read);
        dialog.event = state.attribute("event").and_then(StateEvent::read);
        dialog.code = number(state, "code").and_then(|code| u16::try_from(code).ok());
        dialog.code = dialog.code.filter(|code| (100..700).contains(code));
        dialog.duration =
            xml::child_text(node, "duration").and_then(|text| text.parse().ok()).map(Duration::from_secs);
        dialog.replaces = xml::child(node, "replaces").and_then(DialogName::read);
        dialog.referred_by = xml::child(node, "referred-by").and_then(Identity::read);
        dialog.local = xml::child(node, "local").map(Participant::read).unwrap_or_default();
        dialog.remote = xml::child(node, "remote").map(Participant::read).unwrap_or_default();
        dialog.exclusive = xml::child_text(node, "exclusive").and_then(xml::boolean);
        dialog.line = xml::child_text(node, "appearance")
            .and_then(|text| text.parse().ok())
            .or_else(|| number(node, LINE))
            .or_else(|| dialog.local.target.as_ref()?.param(LINE)?.parse().ok());
        Some(dialog)
    }

    /// In the order of the schema (RFC 4235 §4.4).
    fn write(&self, out: &mut xml::Writer) {
        out.open("dialog")
            .attr("id", &self.id)
            .maybe_attr("call-id", self.call_id.as_ref())
            .maybe_attr("local-tag", self.local_tag.as_ref())
            .maybe_attr("remote-tag", self.remote_tag.as_ref())
            .maybe_attr("direction", self.direction);
        out.open("state")
            .maybe_attr("event", self.event)
            .maybe_attr("code", self.code)
            .text(self.state)
            .close();
        if let Some(duration) = self.duration {
            out.leaf("duration", duration.as_secs());
        }
        if let Some(replaces) = &self.replaces {
            out.open("replaces")
                .attr("call-id", &replaces.call_id)
                .attr("local-tag", &replaces.local_tag)
                .attr("remote-tag", &replaces.remote_tag)
                .close();
        }
        if let Some(referred_by) = &self.referred_by {
            referred_by.write("referred-by", out);
        }
        self.local.write("local", self.line, out);
        self.remote.write("remote", None, out);
        if let Some(exclusive) = self.exclusive {
            out.leaf("sa:exclusive", exclusive);
        }
        out.close();
    }
}

impl Identity {
    /// Somebody by a URI.
    #[must_use]
    pub fn new(uri: impl Into<String>) -> Self {
        Self { uri: uri.into(), display: None }
    }

    /// The same with a name to show.
    #[must_use]
    pub fn with_display(mut self, display: impl Into<String>) -> Self {
        self.display = Some(display.into());
        self
    }

    /// The number: the user of the URI, or the URI when it has none.
    #[must_use]
    pub fn number(&self) -> Cow<'_, str> {
        let user = Uri::parse(&self.uri).ok().and_then(|uri| match uri.phone_number() {
            Some(number) => Some(number),
            None => uri.user().map(Cow::into_owned),
        });
        user.map_or(Cow::Borrowed(self.uri.as_str()), Cow::Owned)
    }

    /// What a display shows: the name, or else the number.
    #[must_use]
    pub fn label(&self) -> Cow<'_, str> {
        match &self.display {
            Some(display) => Cow::Borrowed(display),
            None => self.number(),
        }
    }

    pub(crate) fn read(node: Node<'_, '_>) -> Option<Self> {
        let uri = kept(node.text().unwrap_or_default().trim());
        // `display-name` is what older drafts and phones of shared lines write.
        let display = attribute(node, "display").or_else(|| attribute(node, "display-name"));
        (uri.is_some() || display.is_some()).then(|| Self { uri: uri.unwrap_or_default(), display })
    }

    pub(crate) fn write(&self, name: &'static str, out: &mut xml::Writer) {
        out.open(name).maybe_attr("display", self.display.as_ref()).text(&self.uri).close();
    }
}

impl Participant {
    /// An end by who it is and where its requests go to.
    #[must_use]
    pub const fn new(identity: Option<Identity>, target: Option<DialogTarget>) -> Self {
        Self { identity, target }
    }

    fn read(node: Node<'_, '_>) -> Self {
        Self {
            identity: xml::child(node, "identity").and_then(Identity::read),
            target: xml::child(node, "target").and_then(DialogTarget::read),
        }
    }

    fn write(&self, name: &'static str, line: Option<u32>, out: &mut xml::Writer) {
        if self.identity.is_none() && self.target.is_none() && line.is_none() {
            return;
        }
        out.open(name);
        if let Some(identity) = &self.identity {
            identity.write("identity", out);
        }
        // The appearance is a parameter of the target, which then needs a URI: that of the identity stands in.
        let stand_in = line.map(|_| DialogTarget::new(self.identity.as_ref().map_or("", |own| &own.uri)));
        if let Some(target) = self.target.as_ref().or(stand_in.as_ref()) {
            target.write(line, out);
        }
        out.close();
    }
}

impl DialogTarget {
    /// A target without parameters.
    #[must_use]
    pub fn new(uri: impl Into<String>) -> Self {
        Self { uri: uri.into(), params: Vec::new() }
    }

    /// The same with a parameter.
    #[must_use]
    pub fn with_param(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.params.push((name.into(), value.into()));
        self
    }

    /// The same with `+sip.rendering`: `no` says that the call is held.
    #[must_use]
    pub fn with_rendering(self, renders: bool) -> Self {
        self.with_param(RENDERING, if renders { "yes" } else { "no" })
    }

    /// A parameter by its name, whatever its case.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Whether `+sip.rendering` is `no`.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.param(RENDERING).is_some_and(|value| value.eq_ignore_ascii_case("no"))
    }

    fn read(node: Node<'_, '_>) -> Option<Self> {
        let params = xml::children(node, "param").filter_map(|param| {
            // RFC 4235 has `pval`; Asterisk and FreeSWITCH write `pvalue`.
            let value = attribute(param, "pval").or_else(|| attribute(param, "pvalue"));
            Some((attribute(param, "pname")?, value.unwrap_or_default()))
        });
        let target = Self {
            uri: attribute(node, "uri").unwrap_or_default(),
            params: params.take(MAX_PARAMS).collect(),
        };
        (!target.uri.is_empty() || !target.params.is_empty()).then_some(target)
    }

    fn write(&self, line: Option<u32>, out: &mut xml::Writer) {
        out.open("target").attr("uri", &self.uri);
        if let Some(line) = line.filter(|_| self.param(LINE).is_none()) {
            out.open("param").attr("pname", LINE).attr("pval", line).close();
        }
        for (name, value) in &self.params {
            out.open("param").attr("pname", name).attr("pval", value).close();
        }
        out.close();
    }
}

impl DialogName {
    fn read(node: Node<'_, '_>) -> Option<Self> {
        Some(Self {
            call_id: attribute(node, "call-id")?,
            local_tag: attribute(node, "local-tag")?,
            remote_tag: attribute(node, "remote-tag")?,
        })
    }
}

macro_rules! words {
    ($name:ident { $($value:ident: $word:literal),+ $(,)? }) => {
        impl $name {
            fn read(text: &str) -> Option<Self> {
                let text = text.trim();
                $(if text.eq_ignore_ascii_case($word) {
                    return Some(Self::$value);
                })+
                None
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self {
                    $(Self::$value => $word,)+
                })
            }
        }
    };
}

words!(Direction { Initiator: "initiator", Recipient: "recipient" });
words!(DialogState {
    Trying: "trying",
    Proceeding: "proceeding",
    Early: "early",
    Confirmed: "confirmed",
    Terminated: "terminated",
});
words!(StateEvent {
    Cancelled: "cancelled",
    Rejected: "rejected",
    Replaced: "replaced",
    LocalBye: "local-bye",
    RemoteBye: "remote-bye",
    Error: "error",
    Timeout: "timeout",
});

/// A text that is neither empty nor too long.
fn kept(text: &str) -> Option<String> {
    (!text.is_empty() && text.len() <= MAX_TEXT).then(|| text.to_string())
}

fn attribute(node: Node<'_, '_>, name: &str) -> Option<String> {
    node.attribute(name).map(str::trim).and_then(kept)
}

fn number(node: Node<'_, '_>, name: &str) -> Option<u32> {
    node.attribute(name).and_then(|text| text.trim().parse().ok())
}

#[cfg(test)]
pub(crate) mod tests;
