//! The package `as-feature-event` (BroadSoft): do not disturb, forwarding and agent states shared with the server.
//!
//! The phone subscribes, and learns the state of each feature by documents of CSTA (ECMA-323): one in the body of a
//! NOTIFY, or several in a multipart body. To change a feature it sends a SUBSCRIBE in the same dialog with a request
//! ([`FeatureRequest`]); the server's next NOTIFY says what came of it, and only that is the truth.
//!
//! ```
//! use sidetone_sip_ua::package::feature_sync::{FeatureEvent, FeatureRequest, FeatureState, read_events, CONTENT_TYPE};
//! let body = r#"<?xml version="1.0" encoding="ISO-8859-1"?>
//! <DoNotDisturbEvent xmlns="http://www.ecma-international.org/standards/ecma-323/csta/ed3">
//! <device>7659366</device><doNotDisturbOn>true</doNotDisturbOn></DoNotDisturbEvent>"#;
//! let mut state = FeatureState::default();
//! for event in read_events(&CONTENT_TYPE, &body.into()).unwrap() {
//!     state.apply(event);
//! }
//! assert_eq!(state.do_not_disturb, Some(true));
//! let request = FeatureRequest::do_not_disturb(false).write();
//! assert!(request.contains("<doNotDisturbOn>false</doNotDisturbOn>"));
//! ```

use super::PackageError;
use super::xml::{self, boolean, child, child_text, error_at};
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use bytes::Bytes;
use md5::{Digest, Md5};
use roxmltree::Node;
use sidetone_sip_core::header::ContentType;
use sidetone_sip_core::{Limits, Multipart, Part, Rng};

/// The name of the package, as Event has it.
pub const EVENT: &str = "as-feature-event";
/// The type of its documents.
pub const CONTENT_TYPE: ContentType = ContentType::from_static("application", "x-as-feature-event+xml");
/// The name of the package for hoteling, by which an agent takes a phone, as Event has it.
pub const HOTELING_EVENT: &str = "x-broadworks-hoteling";
/// The type of its documents.
pub const HOTELING_CONTENT_TYPE: ContentType =
    ContentType::from_static("application", "x-broadworks-hoteling+xml");

const CSTA: &str = "http://www.ecma-international.org/standards/ecma-323/csta/ed3";
const CSTA_PRIVATE: &str = "http://schema.broadsoft.com/CSTAPrivateData";
const HOTELING: &str = "http://schema.broadsoft.com/hoteling";

/// When calls are forwarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ForwardingType {
    /// `forwardImmediate`: always.
    Immediate,
    /// `forwardBusy`: when the line is busy.
    Busy,
    /// `forwardNoAns`: when nobody answers.
    NoAnswer,
}

impl ForwardingType {
    const ALL: [(Self, &'static str); 3] = [
        (Self::Immediate, "forwardImmediate"),
        (Self::Busy, "forwardBusy"),
        (Self::NoAnswer, "forwardNoAns"),
    ];
}

/// A rule of forwarding.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Forwarding {
    /// When.
    pub kind: ForwardingType,
    /// Whether it is in force.
    pub on: bool,
    /// Where to, as it is dialled or as URI.
    pub to: Option<String>,
    /// After how many rings, for [`ForwardingType::NoAnswer`].
    pub rings: Option<u32>,
}

impl Forwarding {
    /// A rule without where to.
    #[must_use]
    pub const fn new(kind: ForwardingType, on: bool) -> Self {
        Self { kind, on, to: None, rings: None }
    }

    /// The same with where to.
    #[must_use]
    pub fn with_to(mut self, to: &str) -> Self {
        self.to = Some(to.into());
        self
    }

    /// The same with after how many rings.
    #[must_use]
    pub const fn with_rings(mut self, rings: u32) -> Self {
        self.rings = Some(rings);
        self
    }
}

/// What an agent of a call centre does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AgentState {
    /// Signed in.
    LoggedOn,
    /// Signed out.
    LoggedOff,
    /// Takes calls.
    Ready,
    /// Takes none for now.
    NotReady,
    /// Still works on the last one.
    WorkingAfterCall,
}

impl AgentState {
    /// Each with the word of a request and the document that tells of it.
    const ALL: [(Self, &'static str, &'static str); 5] = [
        (Self::LoggedOn, "loggedOn", "AgentLoggedOnEvent"),
        (Self::LoggedOff, "loggedOff", "AgentLoggedOffEvent"),
        (Self::Ready, "ready", "AgentReadyEvent"),
        (Self::NotReady, "notReady", "AgentNotReadyEvent"),
        (Self::WorkingAfterCall, "workingAfterCall", "AgentWorkingAfterCallEvent"),
    ];

    fn word(self) -> &'static str {
        Self::ALL.iter().find(|(state, ..)| *state == self).map_or("notReady", |(_, word, _)| word)
    }

    fn document(self) -> &'static str {
        Self::ALL.iter().find(|(state, ..)| *state == self).map_or("AgentNotReadyEvent", |(.., name)| name)
    }
}

/// An agent and what they do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Agent {
    /// What.
    pub state: AgentState,
    /// Who, if it is said.
    pub id: Option<String>,
    /// Why not ready: a code that the server gave a name to.
    pub reason: Option<String>,
}

impl Agent {
    /// The agent of the line.
    #[must_use]
    pub const fn new(state: AgentState) -> Self {
        Self { state, id: None, reason: None }
    }

    /// The same with the code of why they are not ready.
    #[must_use]
    pub fn with_reason(mut self, code: &str) -> Self {
        self.reason = Some(code.into());
        self
    }

    /// The same with who they are.
    #[must_use]
    pub fn with_id(mut self, id: &str) -> Self {
        self.id = Some(id.into());
        self
    }
}

/// A feature, and how it stands or is to stand.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Feature {
    /// Whether calls are kept off.
    DoNotDisturb(bool),
    /// A rule of forwarding.
    Forwarding(Forwarding),
    /// What an agent does.
    Agent(Agent),
}

/// What the server tells in a NOTIFY: how a feature stands.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FeatureEvent {
    /// Whose: the extension, or empty.
    pub device: String,
    /// What.
    pub feature: Feature,
}

/// What a phone asks for in a SUBSCRIBE: how a feature is to stand.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FeatureRequest {
    /// Whose: the extension; empty for that of the subscription, which BroadWorks takes in any case.
    pub device: String,
    /// What.
    pub feature: Feature,
}

impl FeatureEvent {
    /// How a feature of an extension stands.
    #[must_use]
    pub fn new(device: &str, feature: Feature) -> Self {
        Self { device: device.into(), feature }
    }

    /// Reads one document; `None` when it is about a feature that is not known here.
    ///
    /// # Errors
    /// It is no XML, or lacks what its feature needs.
    pub fn parse(document: &[u8]) -> Result<Option<Self>, PackageError> {
        let text = xml::loose_text(document);
        let Some(name) = xml::root_name(&text) else {
            return xml::parse(&text, "DoNotDisturbEvent").map(|_| None);
        };
        let parsed = xml::parse(&text, name)?;
        let root = parsed.root_element();
        let feature = match name {
            "DoNotDisturbEvent" => Feature::DoNotDisturb(flag(root, "doNotDisturbOn")?),
            "ForwardingEvent" => Feature::Forwarding(forwarding(root, "forwardStatus", "forwardTo")?),
            _ => match AgentState::ALL.iter().find(|(.., document)| *document == name) {
                Some((state, ..)) => Feature::Agent(agent(root, *state)),
                None => return Ok(None),
            },
        };
        Ok(Some(Self { device: device(root), feature }))
    }

    /// The document.
    #[must_use]
    pub fn write(&self) -> String {
        let mut writer = xml::Writer::new();
        let name = match &self.feature {
            Feature::DoNotDisturb(_) => "DoNotDisturbEvent",
            Feature::Forwarding(_) => "ForwardingEvent",
            Feature::Agent(agent) => agent.state.document(),
        };
        writer.open(name).attr("xmlns", CSTA).leaf("device", &self.device);
        match &self.feature {
            Feature::DoNotDisturb(on) => {
                writer.leaf("doNotDisturbOn", on);
            }
            Feature::Forwarding(rule) => {
                writer.leaf("forwardingType", type_name(rule.kind)).leaf("forwardStatus", rule.on);
                maybe_leaf(&mut writer, "forwardTo", rule.to.as_ref());
                maybe_leaf(&mut writer, "ringCount", rule.rings.as_ref());
            }
            Feature::Agent(agent) => {
                write_reason(&mut writer, agent);
                maybe_leaf(&mut writer, "agentID", agent.id.as_ref());
            }
        }
        writer.finish()
    }
}

impl FeatureRequest {
    /// How a feature of the subscribed line is to stand.
    #[must_use]
    pub const fn new(feature: Feature) -> Self {
        Self { device: String::new(), feature }
    }

    /// Whether calls are to be kept off.
    #[must_use]
    pub const fn do_not_disturb(on: bool) -> Self {
        Self::new(Feature::DoNotDisturb(on))
    }

    /// The same for an extension by name.
    #[must_use]
    pub fn with_device(mut self, device: &str) -> Self {
        self.device = device.into();
        self
    }

    /// Reads the body of a SUBSCRIBE, for a server; `None` for a document that is not known here.
    ///
    /// # Errors
    /// It is no XML, or lacks what its feature needs.
    pub fn parse(document: &[u8]) -> Result<Option<Self>, PackageError> {
        let text = xml::loose_text(document);
        let Some(name) = xml::root_name(&text) else {
            return xml::parse(&text, "SetDoNotDisturb").map(|_| None);
        };
        let parsed = xml::parse(&text, name)?;
        let root = parsed.root_element();
        let feature = match name {
            "SetDoNotDisturb" => Feature::DoNotDisturb(flag(root, "doNotDisturbOn")?),
            "SetForwarding" => Feature::Forwarding(forwarding(root, "activateForward", "forwardDN")?),
            "SetAgentState" => {
                let word = child_text(root, "requestedAgentState").unwrap_or_default();
                let known = AgentState::ALL.iter().find(|(_, known, _)| known.eq_ignore_ascii_case(word));
                let what = || format!("requestedAgentState is {word:?}, expected loggedOn, ready or another");
                let (state, ..) = known.ok_or_else(|| error_at(root, &what()))?;
                Feature::Agent(agent(root, *state))
            }
            _ => return Ok(None),
        };
        Ok(Some(Self { device: device(root), feature }))
    }

    /// The document, as the phones send it.
    #[must_use]
    pub fn write(&self) -> String {
        let mut writer = xml::Writer::new();
        let name = match &self.feature {
            Feature::DoNotDisturb(_) => "SetDoNotDisturb",
            Feature::Forwarding(_) => "SetForwarding",
            Feature::Agent(_) => "SetAgentState",
        };
        writer.open(name).attr("xmlns", CSTA).leaf("device", &self.device);
        match &self.feature {
            Feature::DoNotDisturb(on) => {
                writer.leaf("doNotDisturbOn", on);
            }
            Feature::Forwarding(rule) => {
                writer.leaf("forwardingType", type_name(rule.kind));
                writer.leaf("forwardDN", rule.to.as_deref().unwrap_or_default());
                writer.leaf("activateForward", rule.on);
                maybe_leaf(&mut writer, "ringCount", rule.rings.as_ref());
            }
            Feature::Agent(agent) => {
                writer.leaf("requestedAgentState", agent.state.word());
                write_reason(&mut writer, agent);
                writer.leaf("agentID", agent.id.as_deref().unwrap_or_default()).leaf("password", "");
            }
        }
        writer.finish()
    }
}

/// Reads the body of a NOTIFY: a document, or a multipart body of several, of which those that are about something
/// else are left out. An empty body tells nothing.
///
/// # Errors
/// Nothing in it can be read, for the reason of the first document; or the multipart body is none.
pub fn read_events(kind: &ContentType, body: &Bytes) -> Result<Vec<FeatureEvent>, PackageError> {
    if xml::loose_text(body).is_empty() {
        return Ok(Vec::new());
    }
    let whole = Part::new(kind, body.clone());
    let several = whole
        .multipart(&Limits::default())
        .map_err(|error| PackageError::new(1, 1, format!("multipart body: {error}")))?;
    let documents = several.map_or_else(|| vec![body.clone()], leaves);
    let (mut events, mut first_error) = (Vec::new(), None);
    for document in documents {
        match FeatureEvent::parse(&document) {
            Ok(event) => events.extend(event),
            Err(error) => first_error = first_error.or(Some(error)),
        }
    }
    match first_error {
        Some(error) if events.is_empty() => Err(error),
        _ => Ok(events),
    }
}

/// The bodies of the parts that may be documents of features.
fn leaves(several: Multipart) -> Vec<Bytes> {
    let fits = |part: &Part| part.kind().is_ok_and(|kind| kind.subtype.to_ascii_lowercase().ends_with("xml"));
    several.parts.into_iter().filter(fits).map(|part| part.body).collect()
}

/// The body of a NOTIFY and its type: a document, or a multipart body of several.
#[must_use]
pub fn write_events(events: &[FeatureEvent], rng: &mut Rng) -> (ContentType, Bytes) {
    match events {
        [] => (CONTENT_TYPE, Bytes::new()),
        [event] => (CONTENT_TYPE, event.write().into()),
        several => {
            let parts = several.iter().map(|event| Part::new(&CONTENT_TYPE, event.write()));
            Multipart::new("mixed", parts).write(rng)
        }
    }
}

/// The features of a line as the server told them, one notification after the other. What was never told is not
/// there: the server does not have the feature, or not for this line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FeatureState {
    /// Whether calls are kept off.
    pub do_not_disturb: Option<bool>,
    /// The rules of forwarding.
    pub forwarding: BTreeMap<ForwardingType, Forwarding>,
    /// What the agent does.
    pub agent: Option<Agent>,
}

impl FeatureState {
    /// Takes in what a notification tells; says whether that changed something.
    pub fn apply(&mut self, event: FeatureEvent) -> bool {
        match event.feature {
            Feature::DoNotDisturb(on) => self.do_not_disturb.replace(on) != Some(on),
            Feature::Forwarding(rule) => self.forwarding.insert(rule.kind, rule.clone()) != Some(rule),
            Feature::Agent(agent) => self.agent.replace(agent.clone()) != Some(agent),
        }
    }
}

/// Who uses a phone as guest (`HotelingEvent`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct HotelingEvent {
    /// The guest; `None` when there is none.
    pub guest: Option<String>,
    /// The server asks for the guest's password: the request is to come again with
    /// [`SetHoteling::response`], which is made from this.
    pub nonce: Option<String>,
}

impl HotelingEvent {
    /// Reads the body of a NOTIFY.
    ///
    /// # Errors
    /// It is no XML, or another document.
    pub fn parse(document: &[u8]) -> Result<Self, PackageError> {
        let text = xml::loose_text(document);
        let parsed = xml::parse(&text, "HotelingEvent")?;
        let root = parsed.root_element();
        let challenge = child(root, "authenticationData");
        Ok(Self {
            guest: child_text(root, "guestAddress").map(Into::into),
            nonce: challenge.and_then(|data| child_text(data, "nonce")).map(Into::into),
        })
    }

    /// The document.
    #[must_use]
    pub fn write(&self) -> String {
        let mut writer = xml::Writer::new();
        writer.open("HotelingEvent").attr("xmlns", HOTELING).open("guestAddress");
        if let Some(guest) = &self.guest {
            writer.text(guest);
        }
        writer.close();
        if let Some(nonce) = &self.nonce {
            writer.open("authenticationData").leaf("nonce", nonce).leaf("algorithm", "MD5").close();
        }
        writer.finish()
    }
}

/// Takes a phone for a guest, or gives it back (`SetHoteling`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SetHoteling {
    /// The guest; `None` gives the phone back.
    pub guest: Option<String>,
    /// The answer to a challenge: its nonce, and the MD5 of `nonce:password` in lower-case hexadecimal digits.
    pub response: Option<(String, String)>,
}

impl SetHoteling {
    /// Takes the phone for a guest, or gives it back.
    #[must_use]
    pub fn new(guest: Option<&str>) -> Self {
        Self { guest: guest.map(Into::into), response: None }
    }

    /// The same with the answer to a challenge: its nonce, and the MD5 of `nonce:password`.
    #[must_use]
    pub fn with_response(mut self, nonce: &str, response: &str) -> Self {
        self.response = Some((nonce.into(), response.into()));
        self
    }

    /// Reads the body of a SUBSCRIBE, for a server.
    ///
    /// # Errors
    /// It is no XML, or another document.
    pub fn parse(document: &[u8]) -> Result<Self, PackageError> {
        let text = xml::loose_text(document);
        let parsed = xml::parse(&text, "SetHoteling")?;
        let root = parsed.root_element();
        let answer = child(root, "authenticationData").and_then(|data| {
            Some((child_text(data, "nonce")?.to_string(), child_text(data, "response")?.to_string()))
        });
        Ok(Self { guest: child_text(root, "guestAddress").map(Into::into), response: answer })
    }

    /// The document.
    #[must_use]
    pub fn write(&self) -> String {
        let mut writer = xml::Writer::new();
        writer.open("SetHoteling").attr("xmlns", HOTELING).open("guestAddress");
        if let Some(guest) = &self.guest {
            writer.text(guest);
        }
        writer.close();
        if let Some((nonce, response)) = &self.response {
            writer.open("authenticationData").leaf("nonce", nonce).leaf("algorithm", "MD5");
            writer.leaf("response", response).close();
        }
        writer.finish()
    }
}

/// What proves that a guest knows the password (BroadSoft): the MD5 of `nonce:password` in lower-case hexadecimal digits. Not
/// more than the protocol has: whoever hears it can try passwords.
#[must_use]
pub fn hoteling_response(nonce: &str, password: &str) -> String {
    let digest = Md5::new().chain_update(nonce).chain_update(":").chain_update(password).finalize();
    digest.iter().fold(String::with_capacity(32), |mut hex, byte| {
        hex.push_str(&format!("{byte:02x}"));
        hex
    })
}

fn type_name(kind: ForwardingType) -> &'static str {
    ForwardingType::ALL.iter().find(|(other, _)| *other == kind).map_or("forwardImmediate", |(_, name)| name)
}

fn maybe_leaf(writer: &mut xml::Writer, name: &'static str, value: Option<&impl core::fmt::Display>) {
    if let Some(value) = value {
        writer.leaf(name, value);
    }
}

fn write_reason(writer: &mut xml::Writer, agent: &Agent) {
    if let (AgentState::NotReady, Some(reason)) = (agent.state, &agent.reason) {
        writer.open("extensions").open("privateData").open("private").attr("xmlns:pri", CSTA_PRIVATE);
        writer.leaf("pri:AgentNotReadyReasonValue", reason).close().close().close();
    }
}

/// Whose document it is: `device`, or as CSTA has it for agents, `agentDevice` around `deviceIdentifier`.
fn device(root: Node<'_, '_>) -> String {
    let agent = || child(root, "agentDevice").and_then(|device| child_text(device, "deviceIdentifier"));
    child_text(root, "device").or_else(agent).unwrap_or_default().into()
}

fn flag(root: Node<'_, '_>, name: &str) -> Result<bool, PackageError> {
    let text = child_text(root, name).unwrap_or_default();
    let value = boolean(&text.to_ascii_lowercase());
    value.ok_or_else(|| error_at(root, &format!("<{name}> is {text:?}, expected true or false")))
}

fn forwarding(root: Node<'_, '_>, status: &str, to: &str) -> Result<Forwarding, PackageError> {
    // ECMA-269 lets the type be missing, which is forwarding at once.
    let name = child_text(root, "forwardingType").unwrap_or("forwardImmediate");
    let kind = ForwardingType::ALL.iter().find(|(_, known)| known.eq_ignore_ascii_case(name));
    let what =
        || format!("forwardingType is {name:?}, expected forwardImmediate, forwardBusy or forwardNoAns");
    let (kind, _) = kind.ok_or_else(|| error_at(root, &what()))?;
    Ok(Forwarding {
        kind: *kind,
        on: flag(root, status)?,
        // Each side has its own name for it; some phones and servers use the other's.
        to: [to, "forwardTo", "forwardDN"]
            .into_iter()
            .find_map(|name| child_text(root, name))
            .map(Into::into),
        rings: child_text(root, "ringCount").and_then(|count| count.parse().ok()),
    })
}

fn agent(root: Node<'_, '_>, state: AgentState) -> Agent {
    let reason = root
        .descendants()
        .find(|node| node.is_element() && node.tag_name().name() == "AgentNotReadyReasonValue")
        .and_then(|node| node.text())
        .map(str::trim)
        .filter(|text| !text.is_empty());
    Agent { state, id: child_text(root, "agentID").map(Into::into), reason: reason.map(Into::into) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(document: &str) -> FeatureEvent {
        FeatureEvent::parse(document.as_bytes()).unwrap().unwrap()
    }

    /// As FreeSWITCH sends it: line ends of LF, a line end before the declaration, a length that counts the NUL.
    const FREESWITCH: &str = "--boundary1\nContent-Type: application/x-as-feature-event+xml\nContent-Length: 999\n\
        Content-ID: <te8xZ@10.0.0.1>\n\n<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>\n\
        <DoNotDisturbEvent xmlns=\"http://www.ecma-international.org/standards/ecma-323/csta/ed3\">\n\
        <device>1000</device>\n<doNotDisturbOn>true</doNotDisturbOn>\n</DoNotDisturbEvent>\n\
        --boundary1\nContent-Type: application/x-as-feature-event+xml\nContent-Length: 999\n\
        Content-ID: <te8xY@10.0.0.1>\n\n<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>\n\
        <ForwardingEvent xmlns=\"http://www.ecma-international.org/standards/ecma-323/csta/ed3\">\n\
        <device>1000</device>\n<forwardingType>forwardNoAns</forwardingType>\n\
        <forwardStatus>true</forwardStatus>\n<forwardTo>1001</forwardTo>\n<ringCount>4</ringCount>\n\
        </ForwardingEvent>\n--boundary1--\n";

    #[test]
    fn several_documents_come_in_one_body() {
        let kind = "multipart/mixed;boundary=\"boundary1\"".parse().unwrap();
        let events = read_events(&kind, &Bytes::from(FREESWITCH)).unwrap();
        let rule = Forwarding::new(ForwardingType::NoAnswer, true).with_to("1001").with_rings(4);
        assert_eq!(
            events,
            [
                FeatureEvent::new("1000", Feature::DoNotDisturb(true)),
                FeatureEvent::new("1000", Feature::Forwarding(rule)),
            ]
        );
        let mut rng = Rng::from_seed([7; 32]);
        let (kind, body) = write_events(&events, &mut rng);
        assert!(kind.to_string().starts_with("multipart/mixed"));
        assert_eq!(read_events(&kind, &body).unwrap(), events);
        let (kind, body) = write_events(&events[..1], &mut rng);
        assert_eq!((kind.clone(), read_events(&kind, &body).unwrap()), (CONTENT_TYPE, events[..1].to_vec()));
        assert_eq!(read_events(&CONTENT_TYPE, &write_events(&[], &mut rng).1).unwrap(), []);
    }

    #[test]
    fn one_broken_document_does_not_hide_the_others() {
        let kind = "multipart/mixed;boundary=\"boundary1\"".parse().unwrap();
        let broken = FREESWITCH.replace("</doNotDisturbOn>", "</oops>");
        assert_eq!(read_events(&kind, &Bytes::from(broken.clone())).unwrap().len(), 1);
        let both = broken.replace("forwardNoAns", "forwardNever");
        let error = read_events(&kind, &Bytes::from(both)).unwrap_err();
        assert!(error.what.contains("not well-formed"), "{error}");
        let other = FREESWITCH.replace("x-as-feature-event+xml", "octet-stream");
        assert_eq!(read_events(&kind, &Bytes::from(other)).unwrap(), []);
    }

    #[test]
    fn agents_are_told_of_with_their_reason() {
        let unavailable = event(
            "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>\r\n<AgentNotReadyEvent \
             xmlns=\"http://www.ecma-international.org/standards/ecma-323/csta/ed3\"><agentDevice>\
             <deviceIdentifier>sip:agent@example.com</deviceIdentifier></agentDevice><extensions><privateData>\
             <private xmlns:pri=\"http://schema.broadsoft.com/CSTAPrivateData\">\
             <pri:AgentNotReadyReasonValue>1000000001</pri:AgentNotReadyReasonValue></private></privateData>\
             </extensions></AgentNotReadyEvent>",
        );
        assert_eq!(unavailable.device, "sip:agent@example.com");
        let expected = Agent::new(AgentState::NotReady).with_reason("1000000001");
        assert_eq!(unavailable.feature, Feature::Agent(expected));
        for (state, _, name) in AgentState::ALL {
            let told = event(&format!("<{name}><device>7</device><agentID>a</agentID></{name}>"));
            assert_eq!(told, FeatureEvent::new("7", Feature::Agent(Agent::new(state).with_id("a"))));
            assert_eq!(event(&told.write()), told);
        }
        assert_eq!(event(&unavailable.write()), unavailable);
    }

    #[test]
    fn requests_are_as_phones_send_them_and_read_back() {
        let forward = Forwarding::new(ForwardingType::Busy, true).with_to("+49 <30> & 1");
        let requests = [
            FeatureRequest::do_not_disturb(true).with_device("1000"),
            FeatureRequest::new(Feature::Forwarding(forward)),
            FeatureRequest::new(Feature::Forwarding(Forwarding::new(ForwardingType::Immediate, false))),
            FeatureRequest::new(Feature::Agent(Agent::new(AgentState::NotReady).with_reason("31"))),
            FeatureRequest::new(Feature::Agent(Agent::new(AgentState::LoggedOff))),
        ];
        for request in requests {
            let text = request.write();
            assert_eq!(FeatureRequest::parse(text.as_bytes()).unwrap(), Some(request), "{text}");
        }
        let panasonic = "<?xml version=\"1.0\" encoding=\"utf-8\"?><SetForwarding xmlns=\"http://www.ecma-international\
            .org/standards/ecma-323/csta/ed3\"><device></device><forwardingType>forwardImmediate</forwardingType>\
            <forwardDN>480</forwardDN><activateForward>True</activateForward></SetForwarding>";
        let read = FeatureRequest::parse(panasonic.as_bytes()).unwrap().unwrap();
        let rule = Forwarding::new(ForwardingType::Immediate, true).with_to("480");
        assert_eq!(read, FeatureRequest::new(Feature::Forwarding(rule)));
    }

    #[test]
    fn only_what_the_server_tells_is_the_state() {
        let mut state = FeatureState::default();
        let dnd = FeatureEvent::new("", Feature::DoNotDisturb(true));
        assert!(state.apply(dnd.clone()) && !state.apply(dnd));
        let rule = |kind, on| FeatureEvent::new("", Feature::Forwarding(Forwarding::new(kind, on)));
        assert!(state.apply(rule(ForwardingType::Busy, true)));
        assert!(state.apply(rule(ForwardingType::Immediate, true)));
        assert!(state.apply(rule(ForwardingType::Busy, false)));
        assert_eq!(state.forwarding.values().map(|rule| rule.on).collect::<Vec<_>>(), [true, false]);
        assert!(state.apply(FeatureEvent::new("", Feature::Agent(Agent::new(AgentState::Ready)))));
        assert_eq!(state.agent, Some(Agent::new(AgentState::Ready)));
    }

    #[test]
    fn a_guest_takes_a_phone_when_asked_for_the_password_too() {
        let free = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<HotelingEvent \
            xmlns=\"http://schema.broadsoft.com/hoteling\">\n<guestAddress/>\n</HotelingEvent>";
        assert_eq!(HotelingEvent::parse(free.as_bytes()).unwrap(), HotelingEvent::default());
        let asked = HotelingEvent { guest: None, nonce: Some("abc".into()) };
        assert_eq!(HotelingEvent::parse(asked.write().as_bytes()).unwrap(), asked);
        let taken = HotelingEvent { guest: Some("agent@example.com".into()), nonce: None };
        assert_eq!(HotelingEvent::parse(taken.write().as_bytes()).unwrap(), taken);
        for request in [
            SetHoteling::new(None),
            SetHoteling::new(Some("agent@example.com")),
            SetHoteling::new(Some("agent@example.com")).with_response("abc", "0123456789abcdef"),
        ] {
            assert_eq!(SetHoteling::parse(request.write().as_bytes()).unwrap(), request);
            // `printf abc:secret | md5sum`
            assert_eq!(hoteling_response("abc", "secret"), "618a27cae7e1aa2610a9a3637331ca2e");
        }
    }

    #[test]
    fn what_is_not_known_is_none_and_what_is_wrong_is_an_error() {
        let other = "<x:CallRecordingModeEvent xmlns:x=\"http://schema.broadsoft.com/as\"/>";
        assert_eq!(FeatureEvent::parse(other.as_bytes()).unwrap(), None);
        assert_eq!(FeatureRequest::parse(other.as_bytes()).unwrap(), None);
        let error = |text: &str| FeatureEvent::parse(text.as_bytes()).unwrap_err();
        assert!(error("<DoNotDisturbEvent/>").what.contains("expected true or false"));
        assert!(error("<ForwardingEvent><forwardStatus>1</forwardStatus><forwardingType>x</forwardingType></ForwardingEvent>")
            .what.contains("forwardNoAns"));
        for wrong in
            ["", "<", "text", "<!DOCTYPE a [<!ENTITY b \"c\">]><DoNotDisturbEvent>&b;</DoNotDisturbEvent>"]
        {
            error(wrong);
            FeatureRequest::parse(wrong.as_bytes()).unwrap_err();
        }
        error(&"<DoNotDisturbEvent>".repeat(10_000));
        let state = "<SetAgentState><requestedAgentState>asleep</requestedAgentState></SetAgentState>";
        assert!(FeatureRequest::parse(state.as_bytes()).unwrap_err().what.contains("asleep"));
        let wrong_kind = "multipart/mixed".parse().unwrap();
        assert!(
            read_events(&wrong_kind, &Bytes::from_static(b"--x")).unwrap_err().what.contains("multipart")
        );
    }
}
