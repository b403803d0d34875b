//! The package `conference` (RFC 4575): who is in a conference.
//!
//! ```
//! use sidetone_sip_ua::package::{Merged, conference_info::{ConferenceInfo, Roster}};
//! let body = br#"<conference-info xmlns="urn:ietf:params:xml:ns:conference-info" entity="sip:room@example.com"
//!   state="full" version="1"><users><user entity="sip:bob@example.com"><display-text>Bob</display-text>
//!   <endpoint entity="sip:bob@pc33.example.com"><status>connected</status></endpoint></user></users></conference-info>"#;
//! let mut roster = Roster::default();
//! assert_eq!(roster.merge(ConferenceInfo::parse(body).unwrap()), Merged::Applied);
//! assert_eq!(roster.present().next().unwrap().name(), "Bob");
//! ```

use super::version::judge;
use super::xml::{self, boolean, child, child_text, children, error_at};
use super::{Merged, PackageError};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use roxmltree::Node;
use sidetone_sip_core::header::ContentType;

/// The name of the package, as Event has it.
pub const EVENT: &str = "conference";
/// The type of its body.
pub const CONTENT_TYPE: ContentType = ContentType::from_static("application", "conference-info+xml");
/// Users of a roster at most; further ones are left out. No telephone shows as many.
pub const MAX_USERS: usize = 500;
/// Endpoints of a user, medias of an endpoint, roles and URIs at most, of each.
pub const MAX_PARTS: usize = 16;

const NAMESPACE: &str = "urn:ietf:params:xml:ns:conference-info";

/// How much of an element a document has (RFC 4575 §4.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Everything: it takes the place of what is known.
    #[default]
    Full,
    /// What changed.
    Partial,
    /// It is gone.
    Deleted,
}

/// A document (RFC 4575 §5.2). What it does not tell of is `None` or empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConferenceInfo {
    /// The conference's URI.
    pub entity: String,
    /// Counts the documents of a subscription; `None` when it is missing.
    pub version: Option<u32>,
    /// How much of the conference it has; [`Scope::Deleted`] when the conference is over.
    pub scope: Scope,
    /// What the conference is about.
    pub description: Option<Description>,
    /// How it stands.
    pub state: Option<State>,
    /// Who is in it, and how much of the list this is.
    pub users: Option<(Scope, Vec<User>)>,
}

/// What a conference is about (RFC 4575 §5.3).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Description {
    /// Its name.
    pub display_text: Option<String>,
    /// Its subject.
    pub subject: Option<String>,
    /// Users at most.
    pub maximum_user_count: Option<u32>,
    /// Where it is to be reached: URI and purpose, as `participation`.
    pub uris: Vec<(String, Option<String>)>,
}

/// How a conference stands (RFC 4575 §5.5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct State {
    /// How many users there are, told and not told of.
    pub user_count: Option<u32>,
    /// It goes on.
    pub active: Option<bool>,
    /// Nobody may join any more.
    pub locked: Option<bool>,
}

/// Somebody in a conference (RFC 4575 §5.6).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct User {
    /// Their URI, which tells them apart.
    pub entity: String,
    /// How much of them this is.
    pub scope: Scope,
    /// Their name.
    pub display_text: Option<String>,
    /// What they are, as `participant` or `moderator`.
    pub roles: Vec<String>,
    /// What they take part with.
    pub endpoints: Vec<Endpoint>,
}

/// A device or session by which a user takes part (RFC 4575 §5.7).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Endpoint {
    /// Its URI, which tells it apart.
    pub entity: String,
    /// How much of it this is.
    pub scope: Scope,
    /// Its name.
    pub display_text: Option<String>,
    /// How it stands.
    pub status: Option<EndpointStatus>,
    /// How it came in.
    pub joined: Option<Joining>,
    /// How it went.
    pub left: Option<Disconnection>,
    /// What it hears and says.
    pub media: Vec<Media>,
    /// The dialog with the focus.
    pub call: Option<CallIds>,
}

/// The dialog between an endpoint and the focus (RFC 4575 §5.7.8), the tags as the focus sees them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallIds {
    /// Call-ID.
    pub call_id: String,
    /// The tag of From.
    pub from_tag: String,
    /// The tag of To.
    pub to_tag: String,
}

/// A media of an endpoint (RFC 4575 §5.8).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Media {
    /// Its name in this and later documents.
    pub id: String,
    /// `audio`, `video` or another.
    pub kind: Option<String>,
    /// Its `a=label` in the focus's SDP.
    pub label: Option<String>,
    /// Its RTP source.
    pub src_id: Option<String>,
    /// Which way it goes, as the endpoint sees it.
    pub status: Option<MediaStatus>,
}

/// The names of the values of an enumeration, for reading and writing.
macro_rules! words {
    ($($(#[$doc:meta])+ $name:ident { $($(#[$variant_doc:meta])+ $variant:ident = $word:literal,)+ })+) => {$(
        $(#[$doc])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$variant_doc])+ $variant,)+
        }

        impl $name {
            /// As it is written.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }

            fn read(word: &str) -> Option<Self> {
                $(if word.eq_ignore_ascii_case($word) {
                    return Some(Self::$variant);
                })+
                None
            }
        }
    )+};
}

words! {
    /// How an endpoint stands (RFC 4575 §5.7.3).
    EndpointStatus {
        /// It is not there yet.
        Pending = "pending",
        /// The focus calls it, and it does not ring yet.
        DialingOut = "dialing-out",
        /// It calls the focus.
        DialingIn = "dialing-in",
        /// It rings.
        Alerting = "alerting",
        /// It takes part, but neither hears nor is heard.
        OnHold = "on-hold",
        /// It takes part.
        Connected = "connected",
        /// It takes part, and the focus lets nobody hear it.
        MutedViaFocus = "muted-via-focus",
        /// It is on its way out.
        Disconnecting = "disconnecting",
        /// It is gone.
        Disconnected = "disconnected",
    }
    /// How an endpoint came in (RFC 4575 §5.7.4).
    Joining {
        /// It called.
        DialedIn = "dialed-in",
        /// It was called.
        DialedOut = "dialed-out",
        /// It is the focus.
        FocusOwner = "focus-owner",
    }
    /// How an endpoint went (RFC 4575 §5.7.6).
    Disconnection {
        /// It hung up.
        Departed = "departed",
        /// It was thrown out.
        Booted = "booted",
        /// It could not be reached.
        Failed = "failed",
        /// It was busy.
        Busy = "busy",
    }
    /// Which way a media goes, as the endpoint sees it (RFC 4575 §5.8.5).
    MediaStatus {
        /// Both ways.
        SendRecv = "sendrecv",
        /// The endpoint only sends.
        SendOnly = "sendonly",
        /// The endpoint only receives.
        RecvOnly = "recvonly",
        /// Neither way.
        Inactive = "inactive",
    }
}

impl Scope {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Partial => "partial",
            Self::Deleted => "deleted",
        }
    }

    fn of(node: Node<'_, '_>) -> Result<Self, PackageError> {
        match node.attribute("state").map(str::trim) {
            None | Some("" | "full") => Ok(Self::Full),
            Some("partial") => Ok(Self::Partial),
            Some("deleted") => Ok(Self::Deleted),
            Some(other) => {
                Err(error_at(node, &format!("state is {other:?}, expected full, partial or deleted")))
            }
        }
    }
}

impl User {
    /// A user by URI.
    #[must_use]
    pub fn new(entity: &str) -> Self {
        Self { entity: entity.into(), ..Self::default() }
    }

    /// The same with a name.
    #[must_use]
    pub fn with_name(mut self, name: &str) -> Self {
        self.display_text = Some(name.into());
        self
    }

    /// The same with another scope.
    #[must_use]
    pub const fn with_scope(mut self, scope: Scope) -> Self {
        self.scope = scope;
        self
    }

    /// The same with what they take part with.
    #[must_use]
    pub fn with_endpoint(mut self, endpoint: Endpoint) -> Self {
        self.endpoints.push(endpoint);
        self
    }

    /// What to show: the name, or else an endpoint's, or else the URI.
    #[must_use]
    pub fn name(&self) -> &str {
        let of_endpoint = || self.endpoints.iter().find_map(|endpoint| endpoint.display_text.as_deref());
        self.display_text.as_deref().or_else(of_endpoint).unwrap_or(&self.entity)
    }

    /// Whether they take part: an endpoint is connected, held or muted; or none is told of.
    #[must_use]
    pub fn is_present(&self) -> bool {
        use EndpointStatus::{Connected, MutedViaFocus, OnHold};
        let takes_part = |endpoint: &Endpoint| match endpoint.status {
            Some(status) => matches!(status, Connected | MutedViaFocus | OnHold),
            None => endpoint.left.is_none(),
        };
        self.endpoints.is_empty() || self.endpoints.iter().any(takes_part)
    }

    /// What is known with what changed.
    fn merge(&mut self, change: Self) {
        merge_option(&mut self.display_text, change.display_text);
        if !change.roles.is_empty() {
            self.roles = change.roles;
        }
        for endpoint in change.endpoints {
            let known = self.endpoints.iter().position(|other| other.entity == endpoint.entity);
            match (endpoint.scope, known) {
                (Scope::Deleted, _) => self.endpoints.retain(|other| other.entity != endpoint.entity),
                (Scope::Partial, Some(index)) => {
                    if let Some(known) = self.endpoints.get_mut(index) {
                        known.merge(endpoint);
                    }
                }
                (Scope::Full, Some(index)) => {
                    if let Some(known) = self.endpoints.get_mut(index) {
                        *known = endpoint;
                    }
                }
                (_, None) if self.endpoints.len() < MAX_PARTS => self.endpoints.push(endpoint.whole()),
                (_, None) => {}
            }
        }
    }

    /// As it is kept: nothing deleted is in it, and it is all that is known.
    fn whole(mut self) -> Self {
        self.scope = Scope::Full;
        self.endpoints.retain(|endpoint| endpoint.scope != Scope::Deleted);
        self.endpoints = self.endpoints.into_iter().map(Endpoint::whole).collect();
        self
    }
}

impl Endpoint {
    /// An endpoint by URI, and how it stands.
    #[must_use]
    pub fn new(entity: &str, status: EndpointStatus) -> Self {
        Self { entity: entity.into(), status: Some(status), ..Self::default() }
    }

    /// The same with a media.
    #[must_use]
    pub fn with_media(mut self, id: &str, kind: &str, status: MediaStatus) -> Self {
        let media = Media { id: id.into(), kind: Some(kind.into()), status: Some(status), ..Media::default() };
        self.media.push(media);
        self
    }

    /// The same with another scope.
    #[must_use]
    pub const fn with_scope(mut self, scope: Scope) -> Self {
        self.scope = scope;
        self
    }

    fn merge(&mut self, change: Self) {
        merge_option(&mut self.display_text, change.display_text);
        merge_option(&mut self.status, change.status);
        merge_option(&mut self.joined, change.joined);
        merge_option(&mut self.left, change.left);
        merge_option(&mut self.call, change.call);
        for media in change.media {
            if let Some(known) = self.media.iter_mut().find(|other| other.id == media.id) {
                *known = media;
            } else if self.media.len() < MAX_PARTS {
                self.media.push(media);
            }
        }
    }

    fn whole(mut self) -> Self {
        self.scope = Scope::Full;
        self
    }
}

fn merge_option<T>(known: &mut Option<T>, change: Option<T>) {
    if change.is_some() {
        *known = change;
    }
}

impl ConferenceInfo {
    /// A document without anything in it.
    #[must_use]
    pub fn new(entity: &str, version: u32, scope: Scope) -> Self {
        Self { entity: entity.into(), version: Some(version), scope, ..Self::default() }
    }

    /// The same with users, and how much of the list they are.
    #[must_use]
    pub fn with_users(mut self, scope: Scope, users: Vec<User>) -> Self {
        self.users = Some((scope, users));
        self
    }

    /// Reads a body. What is beyond [`MAX_USERS`] and [`MAX_PARTS`] is left out; words that an enumeration does not have
    /// are as if they were missing.
    ///
    /// # Errors
    /// It is no such document, a `state` is none, or a count or the version is no number.
    pub fn parse(body: &[u8]) -> Result<Self, PackageError> {
        let text = xml::loose_text(body);
        let parsed = xml::parse(&text, "conference-info")?;
        let root = parsed.root_element();
        let version = match root.attribute("version").map(str::trim).filter(|text| !text.is_empty()) {
            Some(text) => Some(text.parse().map_err(|_| {
                error_at(root, &format!("version is {text:?}, expected a number"))
            })?),
            None => None,
        };
        let users = match child(root, "users") {
            Some(node) => {
                let users = children(node, "user").take(MAX_USERS).map(read_user);
                Some((Scope::of(node)?, users.collect::<Result<_, _>>()?))
            }
            None => None,
        };
        Ok(Self {
            entity: root.attribute("entity").unwrap_or_default().trim().into(),
            version,
            scope: Scope::of(root)?,
            description: child(root, "conference-description").map(read_description).transpose()?,
            state: child(root, "conference-state").map(read_state).transpose()?,
            users,
        })
    }

    /// The document.
    #[must_use]
    pub fn write(&self) -> String {
        let mut writer = xml::Writer::new();
        writer.open("conference-info").attr("xmlns", NAMESPACE).attr("entity", &self.entity);
        writer.attr("state", self.scope.as_str()).attr("version", self.version.unwrap_or_default());
        if let Some(description) = &self.description {
            writer.open("conference-description");
            leaf(&mut writer, "display-text", description.display_text.as_ref());
            leaf(&mut writer, "subject", description.subject.as_ref());
            if !description.uris.is_empty() {
                writer.open("conf-uris");
                for (uri, purpose) in &description.uris {
                    writer.open("entry").leaf("uri", uri);
                    leaf(&mut writer, "purpose", purpose.as_ref());
                    writer.close();
                }
                writer.close();
            }
            leaf(&mut writer, "maximum-user-count", description.maximum_user_count);
            writer.close();
        }
        if let Some(state) = &self.state {
            writer.open("conference-state");
            leaf(&mut writer, "user-count", state.user_count);
            leaf(&mut writer, "active", state.active);
            leaf(&mut writer, "locked", state.locked);
            writer.close();
        }
        if let Some((scope, users)) = &self.users {
            writer.open("users").attr("state", scope.as_str());
            users.iter().for_each(|user| write_user(&mut writer, user));
            writer.close();
        }
        writer.finish()
    }
}

/// Who is in a conference, by the documents of one subscription.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Roster {
    version: Option<u32>,
    /// The conference's URI.
    pub entity: String,
    /// What the conference is about.
    pub description: Description,
    /// How it stands.
    pub state: State,
    /// The conference is over.
    pub is_over: bool,
    /// [`MAX_USERS`] at most.
    users: Vec<User>,
}

impl Roster {
    /// Takes in a document (RFC 4575 §4.6). O(n·m) in the users that are known and those of the document.
    pub fn merge(&mut self, document: ConferenceInfo) -> Merged {
        let is_whole = document.scope != Scope::Partial;
        let merged = judge(self.version, document.version, is_whole);
        if merged != Merged::Applied {
            return merged;
        }
        let version = document.version.or_else(|| Some(self.version.map_or(0, |last| last.saturating_add(1))));
        if is_whole {
            *self = Self { is_over: document.scope == Scope::Deleted, ..Self::default() };
        }
        self.version = version;
        if !document.entity.is_empty() {
            self.entity = document.entity;
        }
        if let Some(change) = document.description {
            merge_option(&mut self.description.display_text, change.display_text);
            merge_option(&mut self.description.subject, change.subject);
            merge_option(&mut self.description.maximum_user_count, change.maximum_user_count);
            if !change.uris.is_empty() {
                self.description.uris = change.uris;
            }
        }
        if let Some(change) = document.state {
            merge_option(&mut self.state.user_count, change.user_count);
            merge_option(&mut self.state.active, change.active);
            merge_option(&mut self.state.locked, change.locked);
        }
        if let Some((scope, users)) = document.users {
            if scope != Scope::Partial {
                self.users.clear();
            }
            users.into_iter().for_each(|user| self.merge_user(user));
        }
        merged
    }

    fn merge_user(&mut self, user: User) {
        let known = self.users.iter().position(|other| other.entity == user.entity);
        match (user.scope, known) {
            (Scope::Deleted, _) => self.users.retain(|other| other.entity != user.entity),
            (Scope::Partial, Some(index)) => {
                if let Some(known) = self.users.get_mut(index) {
                    known.merge(user);
                }
            }
            (Scope::Full, Some(index)) => {
                if let Some(known) = self.users.get_mut(index) {
                    *known = user.whole();
                }
            }
            (_, None) if self.users.len() < MAX_USERS => self.users.push(user.whole()),
            (_, None) => {}
        }
    }

    /// Forgets everything, as at the beginning of a new subscription, whose versions begin anew.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Everybody who is told of, in the order in which they came up.
    #[must_use]
    pub fn users(&self) -> &[User] {
        &self.users
    }

    /// Those who take part.
    pub fn present(&self) -> impl Iterator<Item = &User> {
        self.users.iter().filter(|user| user.is_present())
    }
}

fn read_description(node: Node<'_, '_>) -> Result<Description, PackageError> {
    let mut description = Description {
        display_text: child_text(node, "display-text").map(Into::into),
        subject: child_text(node, "subject").map(Into::into),
        maximum_user_count: count(node, "maximum-user-count")?,
        uris: Vec::new(),
    };
    for entry in child(node, "conf-uris").iter().flat_map(|uris| children(*uris, "entry")).take(MAX_PARTS) {
        if let Some(uri) = child_text(entry, "uri") {
            description.uris.push((uri.into(), child_text(entry, "purpose").map(Into::into)));
        }
    }
    Ok(description)
}

fn read_state(node: Node<'_, '_>) -> Result<State, PackageError> {
    let flag = |name| child_text(node, name).and_then(boolean);
    Ok(State { user_count: count(node, "user-count")?, active: flag("active"), locked: flag("locked") })
}

fn read_user(node: Node<'_, '_>) -> Result<User, PackageError> {
    let entity = node.attribute("entity").unwrap_or_default().trim();
    let roles = child(node, "roles");
    let roles = roles.iter().flat_map(|roles| children(*roles, "entry")).take(MAX_PARTS);
    let roles = roles.filter_map(|role| role.text()).map(|role| role.trim().into()).collect();
    let endpoints = children(node, "endpoint").take(MAX_PARTS).map(|endpoint| read_endpoint(endpoint, entity));
    Ok(User {
        entity: entity.into(),
        scope: Scope::of(node)?,
        display_text: child_text(node, "display-text").map(Into::into),
        roles,
        endpoints: endpoints.collect::<Result<_, _>>()?,
    })
}

/// An endpoint without a URI of its own is by its user's.
fn read_endpoint(node: Node<'_, '_>, user: &str) -> Result<Endpoint, PackageError> {
    let sip = child(node, "call-info").and_then(|info| child(info, "sip"));
    let call = sip.map(|sip| {
        let text = |name| child_text(sip, name).unwrap_or_default().into();
        CallIds { call_id: text("call-id"), from_tag: text("from-tag"), to_tag: text("to-tag") }
    });
    let media = children(node, "media").take(MAX_PARTS).map(|media| Media {
        id: media.attribute("id").unwrap_or_default().trim().into(),
        kind: child_text(media, "type").map(Into::into),
        label: child_text(media, "label").map(Into::into),
        src_id: child_text(media, "src-id").map(Into::into),
        status: child_text(media, "status").and_then(MediaStatus::read),
    });
    Ok(Endpoint {
        entity: node.attribute("entity").map_or(user, str::trim).into(),
        scope: Scope::of(node)?,
        display_text: child_text(node, "display-text").map(Into::into),
        status: child_text(node, "status").and_then(EndpointStatus::read),
        joined: child_text(node, "joining-method").and_then(Joining::read),
        left: child_text(node, "disconnection-method").and_then(Disconnection::read),
        media: media.collect(),
        call,
    })
}

fn write_user(writer: &mut xml::Writer, user: &User) {
    writer.open("user").attr("entity", &user.entity).attr("state", user.scope.as_str());
    leaf(writer, "display-text", user.display_text.as_ref());
    if !user.roles.is_empty() {
        writer.open("roles");
        user.roles.iter().for_each(|role| leaf(writer, "entry", Some(role)));
        writer.close();
    }
    for endpoint in &user.endpoints {
        writer.open("endpoint").attr("entity", &endpoint.entity).attr("state", endpoint.scope.as_str());
        leaf(writer, "display-text", endpoint.display_text.as_ref());
        leaf(writer, "status", endpoint.status.map(EndpointStatus::as_str));
        leaf(writer, "joining-method", endpoint.joined.map(Joining::as_str));
        leaf(writer, "disconnection-method", endpoint.left.map(Disconnection::as_str));
        for media in &endpoint.media {
            writer.open("media").attr("id", &media.id);
            leaf(writer, "type", media.kind.as_ref());
            leaf(writer, "label", media.label.as_ref());
            leaf(writer, "src-id", media.src_id.as_ref());
            leaf(writer, "status", media.status.map(MediaStatus::as_str));
            writer.close();
        }
        if let Some(call) = &endpoint.call {
            writer.open("call-info").open("sip").leaf("call-id", &call.call_id);
            writer.leaf("from-tag", &call.from_tag).leaf("to-tag", &call.to_tag).close().close();
        }
        writer.close();
    }
    writer.close();
}

fn leaf(writer: &mut xml::Writer, name: &'static str, value: Option<impl core::fmt::Display>) {
    if let Some(value) = value {
        writer.leaf(name, value);
    }
}

fn count(node: Node<'_, '_>, name: &str) -> Result<Option<u32>, PackageError> {
    let (Some(element), Some(text)) = (child(node, name), child_text(node, name)) else { return Ok(None) };
    let value = text.parse().map_err(|_| error_at(element, &format!("{name} is {text:?}, expected a number")))?;
    Ok(Some(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// After the example of RFC 4575 §6.2.
    const FULL: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
        <conference-info xmlns="urn:ietf:params:xml:ns:conference-info" entity="sips:conf233@example.com"
            state="full" version="1">
          <conference-description><subject>Agenda: This month's goals</subject>
            <maximum-user-count>20</maximum-user-count>
            <service-uris><entry><uri>http://sharepoint/salesgroup/</uri><purpose>web-page</purpose></entry></service-uris>
            <conf-uris><entry><uri>tel:+18005671234</uri><purpose>participation</purpose></entry></conf-uris>
          </conference-description>
          <conference-state><user-count>33</user-count><active>true</active></conference-state>
          <users>
            <user entity="sip:bob@example.com" state="full"><display-text>Bob Hoskins</display-text>
              <roles><entry>moderator</entry></roles>
              <endpoint entity="sip:bob@pc33.example.com"><display-text>Bob's Laptop</display-text>
                <status>disconnected</status><disconnection-method>departed</disconnection-method>
                <disconnection-info><when>2005-03-04T20:00:00Z</when><by>sip:mike@example.com</by></disconnection-info>
                <media id="1"><display-text>main audio</display-text><type>audio</type><label>34567</label>
                  <src-id>432424</src-id><status>sendrecv</status></media>
              </endpoint></user>
            <user entity="sip:alice@example.com" state="full"><display-text>Alice</display-text>
              <endpoint entity="sip:4kfk4j392jsu@example.com;grid=433kj4j3u"><status>connected</status>
                <joining-method>dialed-out</joining-method>
                <media id="1"><type>audio</type><label>34567</label><status>sendrecv</status></media>
                <call-info><sip><display-text>d</display-text><call-id>hsjh8980vhsb78</call-id>
                  <from-tag>vav738dvbs</from-tag><to-tag>8954jgjg8432</to-tag></sip></call-info>
              </endpoint></user>
          </users>
        </conference-info>"#;

    fn read(text: &str) -> ConferenceInfo {
        ConferenceInfo::parse(text.as_bytes()).unwrap()
    }

    fn names(roster: &Roster) -> Vec<&str> {
        roster.users().iter().map(User::name).collect()
    }

    #[test]
    fn the_example_of_the_rfc_is_read_and_written() {
        let document = read(FULL);
        assert_eq!(document.state.unwrap().user_count, Some(33));
        let description = document.description.as_ref().unwrap();
        assert_eq!(description.uris, [("tel:+18005671234".into(), Some("participation".into()))]);
        let (_, users) = document.users.as_ref().unwrap();
        assert_eq!(users[0].roles, ["moderator"]);
        assert_eq!(users[0].endpoints[0].left, Some(Disconnection::Departed));
        assert_eq!(users[1].endpoints[0].call.as_ref().unwrap().call_id, "hsjh8980vhsb78");
        assert_eq!(users[1].endpoints[0].media[0].status, Some(MediaStatus::SendRecv));
        assert_eq!(read(&document.write()), document);
        let mut roster = Roster::default();
        assert_eq!(roster.merge(document), Merged::Applied);
        assert_eq!(names(&roster), ["Bob Hoskins", "Alice"]);
        assert_eq!(roster.present().map(User::name).collect::<Vec<_>>(), ["Alice"]);
    }

    #[test]
    fn partial_documents_change_only_what_they_tell() {
        let mut roster = Roster::default();
        assert_eq!(roster.merge(read(FULL)), Merged::Applied);
        let change = |version, user| {
            ConferenceInfo::new("sips:conf233@example.com", version, Scope::Partial)
                .with_users(Scope::Partial, alloc::vec![user])
        };
        let endpoint = "sip:4kfk4j392jsu@example.com;grid=433kj4j3u";
        let muted = Endpoint::new(endpoint, EndpointStatus::MutedViaFocus)
            .with_media("1", "audio", MediaStatus::RecvOnly)
            .with_scope(Scope::Partial);
        let alice = User::new("sip:alice@example.com").with_scope(Scope::Partial).with_endpoint(muted);
        let document = read(&change(2, alice).write());
        assert_eq!(roster.merge(document), Merged::Applied);
        let alice = &roster.users()[1];
        assert_eq!((alice.name(), alice.endpoints.len()), ("Alice", 1));
        assert_eq!(alice.endpoints[0].status, Some(EndpointStatus::MutedViaFocus));
        assert_eq!(alice.endpoints[0].joined, Some(Joining::DialedOut), "not told of, so as it was");
        assert_eq!(alice.endpoints[0].media[0].status, Some(MediaStatus::RecvOnly));
        assert_eq!(roster.state.user_count, Some(33));

        let carol = User::new("sip:carol@example.com").with_name("Carol");
        assert_eq!(roster.merge(change(4, carol.clone())), Merged::Gap);
        assert_eq!(roster.merge(change(2, carol.clone())), Merged::Stale);
        assert_eq!(roster.merge(change(3, carol)), Merged::Applied);
        let bob = User::new("sip:bob@example.com").with_scope(Scope::Deleted);
        assert_eq!(roster.merge(change(4, bob)), Merged::Applied);
        assert_eq!(names(&roster), ["Alice", "Carol"]);
        let gone = Endpoint::default().with_scope(Scope::Deleted);
        let gone = Endpoint { entity: endpoint.into(), ..gone };
        let alice = User::new("sip:alice@example.com").with_scope(Scope::Partial).with_endpoint(gone);
        assert_eq!(roster.merge(change(5, alice)), Merged::Applied);
        assert_eq!(roster.users()[0].endpoints, []);
        let full_list = ConferenceInfo::new("", 6, Scope::Partial)
            .with_users(Scope::Full, alloc::vec![User::new("sip:dave@example.com")]);
        assert_eq!(roster.merge(full_list), Merged::Applied);
        assert_eq!((names(&roster), roster.entity.as_str()), (alloc::vec!["sip:dave@example.com"], "sips:conf233@example.com"));
        assert_eq!(roster.merge(ConferenceInfo::new("", 7, Scope::Deleted)), Merged::Applied);
        assert!(roster.is_over && roster.users().is_empty());
        roster.clear();
        assert_eq!(roster.merge(read(FULL)), Merged::Applied);
    }

    #[test]
    fn servers_that_leave_out_states_and_versions_are_understood() {
        let body = |users: &str| format!("<conference-info entity='sip:1@b'><users>{users}</users></conference-info>");
        let mut roster = Roster::default();
        let one = read(&body("<user entity='a'><endpoint><status>Connected</status></endpoint></user>"));
        assert_eq!((one.version, one.scope), (None, Scope::Full));
        assert_eq!(roster.merge(one), Merged::Applied);
        assert_eq!(roster.users()[0].endpoints[0].entity, "a");
        assert_eq!(roster.merge(read(&body("<user entity='b'><endpoint><status>so-so</status></endpoint></user>"))), Merged::Applied);
        assert_eq!(names(&roster), ["b"]);
        assert!(roster.users()[0].is_present());
    }

    #[test]
    fn what_is_wrong_is_named_and_growth_is_bounded() {
        let error = |text: &str| ConferenceInfo::parse(text.as_bytes()).unwrap_err();
        let wrong = error("<conference-info>\n<users state='some'/></conference-info>");
        assert_eq!((wrong.line, wrong.column), (2, 1));
        assert!(wrong.what.contains("full, partial or deleted"), "{wrong}");
        assert!(error("<conference-info version='-1'/>").what.contains("number"));
        assert!(error("<conference-info><conference-state><user-count>many</user-count></conference-state></conference-info>")
            .what.contains("user-count"));
        error("");
        error("<reginfo/>");
        let many: String = (0..2000).map(|number| format!("<user entity='{number}'/>")).collect();
        let mut roster = Roster::default();
        for version in 0..3 {
            let users = many.replace("entity='", &format!("entity='{version}-"));
            let text = format!("<conference-info version='{version}' state='{}'><users state='partial'>{users}</users></conference-info>",
                if version == 0 { "full" } else { "partial" });
            assert_eq!(roster.merge(read(&text)), Merged::Applied);
        }
        assert_eq!(roster.users().len(), MAX_USERS);
        let parts = "<endpoint entity='e'/>".repeat(100);
        let user = read(&format!("<conference-info><users><user entity='a'>{parts}</user></users></conference-info>"));
        assert_eq!(user.users.unwrap().1[0].endpoints.len(), MAX_PARTS);
    }
}
