//! The package `conference` (RFC 4575): who is in a conference.
//!
//! ```
//! use sidetone_sip_ua::package::{Merge, conference_info::{ConferenceInfo, Roster}};
//! let body = br#"<conference-info xmlns="urn:ietf:params:xml:ns:conference-info" entity="sip:room@example.com"
//!   state="full" version="1"><users><user entity="sip:bob@example.com"><display-text>Bob</display-text>
//!   <endpoint entity="sip:bob@pc33.example.com"><status>connected</status></endpoint></user></users></conference-info>"#;
//! let mut roster = Roster::default();
//! assert_eq!(roster.merge(ConferenceInfo::parse(body).unwrap()), Merge::Taken);
//! assert_eq!(roster.present().next().unwrap().name(), "Bob");
//! ```

use super::PackageError;
use super::xml::{self, boolean, child, child_text, children, error_at};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use roxmltree::Node;
use sidetone_sip_core::header::ContentType;

mod roster;

pub use roster::Roster;

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
        let media =
            Media { id: id.into(), kind: Some(kind.into()), status: Some(status), ..Media::default() };
        self.media.push(media);
        self
    }

    /// The same with another scope.
    #[must_use]
    pub const fn with_scope(mut self, scope: Scope) -> Self {
        self.scope = scope;
        self
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

    /// Reads a body. What is beyond [`MAX_USERS`] and [`MAX_PARTS`] is left out; words that an enumeration does not
    /// have are as if they were missing.
    ///
    /// # Errors
    /// It is no such document, a `state` is none, or a count or the version is no number.
    pub fn parse(body: &[u8]) -> Result<Self, PackageError> {
        let text = xml::loose_text(body);
        let parsed = xml::parse(&text, "conference-info")?;
        let root = parsed.root_element();
        let version = match root.attribute("version").map(str::trim).filter(|text| !text.is_empty()) {
            Some(text) => Some(
                text.parse()
                    .map_err(|_| error_at(root, &format!("version is {text:?}, expected a number")))?,
            ),
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
    let endpoints =
        children(node, "endpoint").take(MAX_PARTS).map(|endpoint| read_endpoint(endpoint, entity));
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
    let value =
        text.parse().map_err(|_| error_at(element, &format!("{name} is {text:?}, expected a number")))?;
    Ok(Some(value))
}

#[cfg(test)]
mod tests;
