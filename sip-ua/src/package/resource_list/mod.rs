//! Lists of resources (RFC 4662): one subscription for many, their states in a multipart body.
//!
//! [`ListDocument`] is one body, [`ResourceList`] what a subscriber knows after many. What is in a list is written as
//! [`ResourceLists`] (RFC 4826). A body that is itself a list is handed on as it is, with its type
//! `multipart/related`: whoever watches telephones passes it over.

mod entries;
mod tracker;

pub use entries::{Entry, EntryList, MAX_ENTRIES, ResourceLists};
pub use tracker::{ResourceChange, ResourceList, ResourceState};

use super::dialog_info::MAX_TEXT;
use super::{PackageError, xml};
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use bytes::Bytes;
use core::fmt;
use roxmltree::Node;
use sidetone_sip_core::header::{ContentId, ContentType};
use sidetone_sip_core::{Limits, Multipart, Part, Rng};

/// `application/rlmi+xml`
pub const CONTENT_TYPE: ContentType = ContentType::from_static("application", "rlmi+xml");
/// `multipart/related`: with [`CONTENT_TYPE`] and that of the package, what Accept needs (RFC 4662 §4.1).
pub const RELATED: ContentType = ContentType::from_static("multipart", "related");
/// The option tag that a subscription to a list has in Supported, and its notifications in Require (RFC 4662 §4).
pub const OPTION_TAG: &str = "eventlist";
/// Resources of a list at most: the largest attendant console has 512 lamps. What is beyond is left out.
pub const MAX_RESOURCES: usize = 1_024;
/// Instances of a resource at most: the telephones of one user. What is beyond is left out.
pub const MAX_INSTANCES: usize = 8;
/// Parts of a body at most: one for each resource, some with two telephones, and the list itself.
pub const MAX_PARTS: usize = 1_537;

const NAMESPACE: &str = "urn:ietf:params:xml:ns:rlmi";
/// The Content-ID of the list within what is written.
const ROOT: &str = "rlmi@sidetone.invalid";

/// A body: the list, and the states of those of its resources that it tells of.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ListDocument {
    /// What is in the list.
    pub rlmi: Rlmi,
    /// The states by the Content-ID that instances refer to.
    pub bodies: BTreeMap<String, ListBody>,
}

/// The state of one instance: a document of the package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListBody {
    /// What it is.
    pub kind: ContentType,
    /// The document.
    pub body: Bytes,
}

/// Resource list meta-information (RFC 4662 §5.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rlmi {
    /// The URI of the list.
    pub uri: String,
    /// Counts up by one in a subscription. `None` when it was missing or no number; written as 0.
    pub version: Option<u32>,
    /// Whether it tells of all resources; otherwise of those that changed.
    pub full: bool,
    /// A name to show: the first, when it has several in several languages.
    pub name: Option<String>,
    /// In the order of the document.
    pub resources: Vec<Resource>,
}

/// One resource of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Resource {
    /// Its URI.
    pub uri: String,
    /// A name to show.
    pub name: Option<String>,
    /// The subscriptions behind the list's: none when the server knows of no state, several when there are several
    /// telephones.
    pub instances: Vec<Instance>,
}

/// One subscription behind that to the list.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Instance {
    /// Tells it apart from the resource's others.
    pub id: String,
    /// How the subscription is.
    pub state: InstanceState,
    /// Why it ended, as in Subscription-State (RFC 6665 §4.1.3).
    pub reason: Option<String>,
    /// The Content-ID of its state in the same body, without brackets.
    pub cid: Option<String>,
}

/// How the subscription behind an instance is (RFC 4662 §5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InstanceState {
    /// States come.
    Active,
    /// Not yet allowed.
    Pending,
    /// Over.
    Terminated,
}

/// Whether a body of this type is a list with its resources: `multipart/related` with the list as its root.
#[must_use]
pub fn is_list(kind: &ContentType) -> bool {
    let root = kind.params.get("type");
    kind.is(&RELATED) && root.is_some_and(|root| root.eq_ignore_ascii_case("application/rlmi+xml"))
}

impl ListDocument {
    /// A list without bodies.
    #[must_use]
    pub const fn new(rlmi: Rlmi) -> Self {
        Self { rlmi, bodies: BTreeMap::new() }
    }

    /// The same with the state that instances refer to by this Content-ID, given without brackets.
    #[must_use]
    pub fn with_body(mut self, cid: impl Into<String>, kind: ContentType, body: impl Into<Bytes>) -> Self {
        self.bodies.insert(cid.into(), ListBody { kind, body: body.into() });
        self
    }

    /// Reads the body of a NOTIFY: `multipart/related` with the list in its root, or a list alone. Parts that nothing
    /// could refer to are passed over. Takes time in proportion to the bytes, and the logarithm of the parts for each.
    ///
    /// # Errors
    /// It is no such multipart body or has more than [`MAX_PARTS`] parts, or the list is no well-formed `<list>`.
    pub fn read(content: &Part) -> Result<Self, PackageError> {
        let mut limits = Limits::default();
        limits.parts = MAX_PARTS;
        let wrong = |error: sidetone_sip_core::ParseError| PackageError::new(1, 1, error.to_string());
        let Some(parts) = content.multipart(&limits).map_err(wrong)? else {
            return Rlmi::read(&content.body).map(Self::new);
        };
        let is_list = |part: &&Part| part.kind().is_ok_and(|kind| kind.is(&CONTENT_TYPE));
        // Some servers name another part in `start`, or none where the list is not first.
        let root = parts.root().filter(is_list).or_else(|| parts.parts.iter().find(is_list));
        let Some(root) = root else {
            return Err(PackageError::new(1, 1, format!("expected a part of the type {CONTENT_TYPE}")));
        };
        let mut document = Self::new(Rlmi::read(&root.body)?);
        for part in &parts.parts {
            if let (Ok(Some(ContentId(id))), Ok(kind)) = (part.id(), part.kind())
                && !core::ptr::eq(part, root)
            {
                let body = ListBody { kind, body: part.body.clone() };
                document.bodies.entry(id.as_str().to_string()).or_insert(body);
            }
        }
        Ok(document)
    }

    /// The body as it is sent, and its type. States whose Content-ID cannot stand in a header are left out.
    #[must_use]
    pub fn write(&self, rng: &mut Rng) -> (ContentType, Bytes) {
        let root = Part::new(&CONTENT_TYPE, self.rlmi.write()).with_id(ROOT);
        let bodies = self.bodies.iter().filter_map(|(cid, body)| {
            let id: ContentId = format!("<{cid}>").parse().ok()?;
            (id.0.as_str() == cid).then(|| Part::new(&body.kind, body.body.clone()).with_id(id.0))
        });
        let mut parts = Multipart::new("related", core::iter::once(root).chain(bodies));
        parts.kind.params.set("type", &CONTENT_TYPE.to_string());
        parts.kind.params.set("start", &format!("<{ROOT}>"));
        parts.write(rng)
    }

    /// The state of an instance; `None` when it has none in this body.
    #[must_use]
    pub fn body_of(&self, instance: &Instance) -> Option<&ListBody> {
        self.bodies.get(instance.cid.as_deref()?)
    }
}

impl Rlmi {
    /// A list that tells of all its resources.
    #[must_use]
    pub fn full(version: u32, uri: impl Into<String>, resources: Vec<Resource>) -> Self {
        Self { uri: uri.into(), version: Some(version), full: true, name: None, resources }
    }

    /// A list that tells of those that changed.
    #[must_use]
    pub fn partial(version: u32, uri: impl Into<String>, resources: Vec<Resource>) -> Self {
        Self { full: false, ..Self::full(version, uri, resources) }
    }

    /// Reads `application/rlmi+xml`. Without `fullState` it is a full one; a resource without URI is left out, and so
    /// is what is beyond [`MAX_RESOURCES`] and [`MAX_INSTANCES`].
    ///
    /// # Errors
    /// It is no UTF-8, no well-formed XML, or no `<list>`.
    pub fn read(body: &[u8]) -> Result<Self, PackageError> {
        let document = xml::parse(xml::utf8(body)?, "list")?;
        let root = document.root_element();
        Ok(Self {
            uri: attribute(root, "uri").unwrap_or_default(),
            version: root.attribute("version").and_then(|text| text.trim().parse().ok()),
            full: root.attribute("fullState").and_then(xml::boolean).unwrap_or(true),
            name: xml::child_text(root, "name").and_then(kept),
            resources: xml::children(root, "resource")
                .filter_map(Resource::read)
                .take(MAX_RESOURCES)
                .collect(),
        })
    }

    /// The list as it is sent.
    #[must_use]
    pub fn write(&self) -> String {
        let mut out = xml::Writer::new();
        out.open("list")
            .attr("xmlns", NAMESPACE)
            .attr("uri", &self.uri)
            .attr("version", self.version.unwrap_or(0))
            .attr("fullState", self.full);
        if let Some(name) = &self.name {
            out.leaf("name", name);
        }
        for resource in &self.resources {
            resource.write(&mut out);
        }
        out.finish()
    }
}

impl Resource {
    /// A resource of which no state is known.
    #[must_use]
    pub fn new(uri: impl Into<String>) -> Self {
        Self { uri: uri.into(), ..Self::default() }
    }

    /// The same with a name to show.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The same with one more instance.
    #[must_use]
    pub fn with_instance(mut self, instance: Instance) -> Self {
        self.instances.push(instance);
        self
    }

    fn read(node: Node<'_, '_>) -> Option<Self> {
        Some(Self {
            uri: attribute(node, "uri")?,
            name: xml::child_text(node, "name").and_then(kept),
            instances: xml::children(node, "instance").map(Instance::read).take(MAX_INSTANCES).collect(),
        })
    }

    fn write(&self, out: &mut xml::Writer) {
        out.open("resource").attr("uri", &self.uri);
        if let Some(name) = &self.name {
            out.leaf("name", name);
        }
        for instance in &self.instances {
            out.open("instance")
                .attr("id", &instance.id)
                .attr("state", instance.state)
                .maybe_attr("reason", instance.reason.as_ref())
                .maybe_attr("cid", instance.cid.as_ref())
                .close();
        }
        out.close();
    }
}

impl Instance {
    /// An instance without a state in this body.
    #[must_use]
    pub fn new(id: impl Into<String>, state: InstanceState) -> Self {
        Self { id: id.into(), state, reason: None, cid: None }
    }

    /// The same with the Content-ID of its state, given without brackets.
    #[must_use]
    pub fn with_cid(mut self, cid: impl Into<String>) -> Self {
        self.cid = Some(cid.into());
        self
    }

    /// The same with why it ended.
    #[must_use]
    pub fn with_reason(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    /// Without `id` it is the only one; with an unknown state it is active when it has a body.
    fn read(node: Node<'_, '_>) -> Self {
        // Brackets, or the URL that names the part, are seen where the bare identifier belongs.
        let cid = node.attribute("cid").map(|cid| {
            let cid = cid.trim();
            let cid = cid.strip_prefix("cid:").unwrap_or(cid);
            cid.strip_prefix('<').and_then(|cid| cid.strip_suffix('>')).unwrap_or(cid)
        });
        let cid = cid.and_then(kept);
        let state = match node.attribute("state").map(str::trim) {
            Some(word) if word.eq_ignore_ascii_case("active") => InstanceState::Active,
            Some(word) if word.eq_ignore_ascii_case("terminated") => InstanceState::Terminated,
            Some(word) if word.eq_ignore_ascii_case("pending") => InstanceState::Pending,
            _ if cid.is_some() => InstanceState::Active,
            _ => InstanceState::Pending,
        };
        let id = attribute(node, "id").unwrap_or_default();
        Self { id, state, reason: attribute(node, "reason"), cid }
    }
}

impl fmt::Display for InstanceState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Active => "active",
            Self::Pending => "pending",
            Self::Terminated => "terminated",
        })
    }
}

fn kept(text: &str) -> Option<String> {
    (!text.is_empty() && text.len() <= MAX_TEXT).then(|| text.to_string())
}

fn attribute(node: Node<'_, '_>, name: &str) -> Option<String> {
    node.attribute(name).map(str::trim).and_then(kept)
}

#[cfg(test)]
mod tests;
