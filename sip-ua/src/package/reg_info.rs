//! The package `reg` (RFC 3680): the bindings of an address of record, with their GRUUs (RFC 5628).
//!
//! ```
//! use sidetone_sip_ua::package::{Merge, reg_info::{RegInfo, Registrations}};
//! let body = br#"<?xml version="1.0"?><reginfo xmlns="urn:ietf:params:xml:ns:reginfo" version="0" state="full">
//!   <registration aor="sip:joe@example.com" id="a7" state="active">
//!     <contact id="76" state="active" event="registered" expires="3600"><uri>sip:joe@192.0.2.1</uri></contact>
//!   </registration></reginfo>"#;
//! let mut known = Registrations::default();
//! assert_eq!(known.merge(RegInfo::parse(body).unwrap()), Merge::Taken);
//! assert_eq!(known.contacts("sip:joe@example.com").count(), 1);
//! ```

use super::presence::{read_thousandths, thousandths};
use super::version::Versions;
use super::xml::{self, child, child_text, children, error_at, required};
use super::{Merge, PackageError};
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::str::FromStr;
use roxmltree::Node;
use sidetone_sip_core::header::ContentType;

/// The name of the package, as Event has it.
pub const EVENT: &str = "reg";
/// The type of its body.
pub const CONTENT_TYPE: ContentType = ContentType::from_static("application", "reginfo+xml");
/// Addresses of record at most that are kept: a phone watches its own, and what is registered with it.
pub const MAX_REGISTRATIONS: usize = 256;
/// Contacts of an address of record at most that are kept.
pub const MAX_CONTACTS: usize = 64;

const NAMESPACE: &str = "urn:ietf:params:xml:ns:reginfo";
const GRUU_NAMESPACE: &str = "urn:ietf:params:xml:ns:gruuinfo";

/// A document: the whole state, or what changed (RFC 3680 §5.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RegInfo {
    /// Counts the documents of a subscription; `None` when it is missing.
    pub version: Option<u32>,
    /// It has everything; else only what changed.
    pub is_full: bool,
    /// The addresses of record, by the document's order.
    pub registrations: Vec<Registration>,
}

/// An address of record and its contacts.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Registration {
    /// The address of record.
    pub aor: String,
    /// Its name in this and later documents.
    pub id: String,
    /// Whether it has contacts.
    pub state: RegistrationState,
    /// Its contacts, or those that changed.
    pub contacts: Vec<Contact>,
}

/// The state of an address of record (RFC 3680 §4.7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RegistrationState {
    /// No contact was there yet.
    Init,
    /// There are contacts.
    Active,
    /// The last contact is gone.
    Terminated,
}

/// A contact that is bound to an address of record, or was.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Contact {
    /// Its name in this and later documents.
    pub id: String,
    /// The URI.
    pub uri: String,
    /// The name with the URI.
    pub display_name: Option<String>,
    /// Whether it is bound.
    pub is_active: bool,
    /// What brought it into this state.
    pub event: ContactEvent,
    /// Seconds until it ends.
    pub expires: Option<u32>,
    /// After how many seconds to register again, for [`ContactEvent::Probation`].
    pub retry_after: Option<u32>,
    /// Seconds since it was bound.
    pub duration_registered: Option<u32>,
    /// How much it is preferred, in thousandths: 0 to 1000.
    pub q: Option<u16>,
    /// The Call-ID of the REGISTER that bound it.
    pub call_id: Option<String>,
    /// The CSeq of that REGISTER.
    pub cseq: Option<u32>,
    /// The public GRUU (RFC 5628 §4).
    pub pub_gruu: Option<String>,
    /// The temporary GRUU, and the CSeq of the first REGISTER after which temporary ones are valid.
    pub temp_gruu: Option<(String, u32)>,
}

/// What brought a contact into its state (RFC 3680 §4.7.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ContactEvent {
    /// A REGISTER.
    Registered,
    /// An administrator made it.
    Created,
    /// A REGISTER made it last longer.
    Refreshed,
    /// The server made it end earlier: register again.
    Shortened,
    /// It was not refreshed in time.
    Expired,
    /// An administrator ended it: register again at once.
    Deactivated,
    /// An administrator ended it: register again later.
    Probation,
    /// A REGISTER ended it.
    Unregistered,
    /// An administrator ended it: do not register again.
    Rejected,
}

impl RegistrationState {
    const ALL: [(Self, &'static str); 3] =
        [(Self::Init, "init"), (Self::Active, "active"), (Self::Terminated, "terminated")];
}

impl ContactEvent {
    const ALL: [(Self, &'static str); 9] = [
        (Self::Registered, "registered"),
        (Self::Created, "created"),
        (Self::Refreshed, "refreshed"),
        (Self::Shortened, "shortened"),
        (Self::Expired, "expired"),
        (Self::Deactivated, "deactivated"),
        (Self::Probation, "probation"),
        (Self::Unregistered, "unregistered"),
        (Self::Rejected, "rejected"),
    ];
}

impl RegInfo {
    /// A document without registrations.
    #[must_use]
    pub const fn new(version: u32, is_full: bool) -> Self {
        Self { version: Some(version), is_full, registrations: Vec::new() }
    }

    /// The same with an address of record.
    #[must_use]
    pub fn with_registration(mut self, registration: Registration) -> Self {
        self.registrations.push(registration);
        self
    }

    /// Reads a body. What is beyond [`MAX_REGISTRATIONS`] and [`MAX_CONTACTS`] is left out. An `event` or a `state`
    /// that is missing is the one that goes with the other.
    ///
    /// # Errors
    /// It is no such document, an `aor` or a contact's URI is missing, or a value is not what its name asks for.
    pub fn parse(body: &[u8]) -> Result<Self, PackageError> {
        let text = xml::loose_text(body);
        let parsed = xml::parse(&text, "reginfo")?;
        let root = parsed.root_element();
        let is_full = match root.attribute("state").map(str::trim) {
            None | Some("full") => true,
            Some("partial") => false,
            Some(other) => {
                return Err(error_at(root, &format!("state is {other:?}, expected full or partial")));
            }
        };
        let registrations = children(root, "registration").take(MAX_REGISTRATIONS).map(read_registration);
        let registrations = registrations.collect::<Result<_, _>>()?;
        Ok(Self { version: number(root, "version")?, is_full, registrations })
    }

    /// The document.
    #[must_use]
    pub fn write(&self) -> String {
        let mut writer = xml::Writer::new();
        let contacts = || self.registrations.iter().flat_map(|registration| &registration.contacts);
        writer.open("reginfo").attr("xmlns", NAMESPACE);
        if contacts().any(|contact| contact.pub_gruu.is_some() || contact.temp_gruu.is_some()) {
            writer.attr("xmlns:gr", GRUU_NAMESPACE);
        }
        writer.attr("version", self.version.unwrap_or_default());
        writer.attr("state", if self.is_full { "full" } else { "partial" });
        for registration in &self.registrations {
            writer.open("registration").attr("aor", &registration.aor).attr("id", &registration.id);
            writer.attr("state", name_of(&RegistrationState::ALL, registration.state));
            registration.contacts.iter().for_each(|contact| write_contact(&mut writer, contact));
            writer.close();
        }
        writer.finish()
    }
}

impl Registration {
    /// An address of record without contacts.
    #[must_use]
    pub fn new(id: &str, aor: &str, state: RegistrationState) -> Self {
        Self { aor: aor.into(), id: id.into(), state, contacts: Vec::new() }
    }

    /// The same with a contact.
    #[must_use]
    pub fn with_contact(mut self, contact: Contact) -> Self {
        self.contacts.push(contact);
        self
    }
}

impl Contact {
    /// A contact that an event brought into its state.
    #[must_use]
    pub fn new(id: &str, uri: &str, event: ContactEvent) -> Self {
        Self {
            id: id.into(),
            uri: uri.into(),
            display_name: None,
            is_active: event.leaves_active(),
            event,
            expires: None,
            retry_after: None,
            duration_registered: None,
            q: None,
            call_id: None,
            cseq: None,
            pub_gruu: None,
            temp_gruu: None,
        }
    }

    /// The same with seconds until it ends.
    #[must_use]
    pub const fn with_expires(mut self, seconds: u32) -> Self {
        self.expires = Some(seconds);
        self
    }
}

impl ContactEvent {
    /// Whether a contact is bound after it.
    #[must_use]
    pub const fn leaves_active(self) -> bool {
        matches!(self, Self::Registered | Self::Created | Self::Refreshed | Self::Shortened)
    }

    /// What a phone whose own contact it is does about it: `Some` of the least seconds to wait before it registers
    /// again, `None` to leave things as they are (RFC 3680 §5.2).
    #[must_use]
    pub fn register_again(self, retry_after: Option<u32>) -> Option<u32> {
        match self {
            Self::Shortened | Self::Deactivated => Some(0),
            Self::Probation => Some(retry_after.unwrap_or_default()),
            _ => None,
        }
    }
}

/// What is registered, by the documents of one subscription.
#[derive(Clone, Debug, Default)]
pub struct Registrations {
    versions: Versions,
    /// By id; [`MAX_REGISTRATIONS`] at most, with [`MAX_CONTACTS`] each.
    known: BTreeMap<String, Registration>,
}

impl Registrations {
    /// Takes in a document (RFC 3680 §5.2). Contacts that are no longer bound, and addresses that are terminated, go.
    ///
    /// Of [`Merge::Gap`] ask for the whole state, by a refresh of the subscription. O(c) in the contacts of the
    /// document, each of them O([`MAX_CONTACTS`]).
    pub fn merge(&mut self, document: RegInfo) -> Merge {
        let merged = self.versions.take(document.version, document.is_full);
        if merged == Merge::Stale {
            return merged;
        }
        if document.is_full {
            self.known.clear();
        }
        for told in document.registrations {
            if told.state == RegistrationState::Terminated {
                self.known.remove(&told.id);
                continue;
            }
            if !self.known.contains_key(&told.id) && self.known.len() >= MAX_REGISTRATIONS {
                continue;
            }
            let fresh = || Registration::new(&told.id, &told.aor, told.state);
            let known = self.known.entry(told.id.clone()).or_insert_with(fresh);
            known.state = told.state;
            known.aor.clone_from(&told.aor);
            for contact in told.contacts {
                known.contacts.retain(|other| other.id != contact.id);
                if contact.is_active && known.contacts.len() < MAX_CONTACTS {
                    known.contacts.push(contact);
                }
            }
        }
        merged
    }

    /// Whether the whole state came, and nothing was lost since.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.versions.is_whole()
    }

    /// Forgets everything, as at the beginning of a new subscription, whose versions begin anew.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// The addresses of record.
    pub fn iter(&self) -> impl Iterator<Item = &Registration> {
        self.known.values()
    }

    /// The contacts that are bound to an address of record.
    pub fn contacts<'a>(&'a self, aor: &'a str) -> impl Iterator<Item = &'a Contact> {
        self.iter().filter(move |registration| registration.aor == aor).flat_map(|known| &known.contacts)
    }
}

fn read_registration(node: Node<'_, '_>) -> Result<Registration, PackageError> {
    let aor = required(node, "aor")?;
    // Without an id, the address itself tells it apart.
    let id = node.attribute("id").map(str::trim).filter(|id| !id.is_empty()).unwrap_or(aor);
    let contacts = children(node, "contact").take(MAX_CONTACTS).map(read_contact);
    let contacts = contacts.collect::<Result<Vec<_>, _>>()?;
    let state = match word(node, "state", &RegistrationState::ALL)? {
        Some(state) => state,
        None if contacts.iter().any(|contact| contact.is_active) => RegistrationState::Active,
        None => RegistrationState::Init,
    };
    Ok(Registration { aor: aor.into(), id: id.into(), state, contacts })
}

fn read_contact(node: Node<'_, '_>) -> Result<Contact, PackageError> {
    let uri = child_text(node, "uri").ok_or_else(|| error_at(node, "<contact> needs the element <uri>"))?;
    let event = word(node, "event", &ContactEvent::ALL)?;
    let is_active = word(node, "state", &[(true, "active"), (false, "terminated")])?;
    let is_active = is_active.unwrap_or_else(|| event.is_none_or(ContactEvent::leaves_active));
    let id = node.attribute("id").map(str::trim).filter(|id| !id.is_empty()).unwrap_or(uri);
    let usual = if is_active { ContactEvent::Registered } else { ContactEvent::Unregistered };
    let q = match node.attribute("q").map(str::trim).filter(|text| !text.is_empty()) {
        Some(text) => Some(
            read_thousandths(text)
                .ok_or_else(|| error_at(node, &format!("q is {text:?}, expected a number from 0 to 1")))?,
        ),
        None => None,
    };
    let temp_gruu = match child(node, "temp-gruu") {
        Some(gruu) => {
            let first = number(gruu, "first-cseq")?.unwrap_or_default();
            Some((required(gruu, "uri")?.into(), first))
        }
        None => None,
    };
    Ok(Contact {
        display_name: child_text(node, "display-name").map(Into::into),
        is_active,
        expires: number(node, "expires")?,
        retry_after: number(node, "retry-after")?,
        duration_registered: number(node, "duration-registered")?,
        q,
        call_id: node.attribute("callid").map(Into::into),
        cseq: number(node, "cseq")?,
        pub_gruu: match child(node, "pub-gruu") {
            Some(gruu) => Some(required(gruu, "uri")?.into()),
            None => None,
        },
        temp_gruu,
        ..Contact::new(id, uri, event.unwrap_or(usual))
    })
}

fn write_contact(writer: &mut xml::Writer, contact: &Contact) {
    writer.open("contact").attr("id", &contact.id);
    writer.attr("state", if contact.is_active { "active" } else { "terminated" });
    writer.attr("event", name_of(&ContactEvent::ALL, contact.event));
    writer.maybe_attr("duration-registered", contact.duration_registered);
    writer.maybe_attr("expires", contact.expires).maybe_attr("retry-after", contact.retry_after);
    writer.maybe_attr("q", contact.q.map(thousandths));
    writer.maybe_attr("callid", contact.call_id.as_ref()).maybe_attr("cseq", contact.cseq);
    writer.leaf("uri", &contact.uri);
    if let Some(name) = &contact.display_name {
        writer.leaf("display-name", name);
    }
    if let Some(uri) = &contact.pub_gruu {
        writer.open("gr:pub-gruu").attr("uri", uri).close();
    }
    if let Some((uri, first)) = &contact.temp_gruu {
        writer.open("gr:temp-gruu").attr("uri", uri).attr("first-cseq", first).close();
    }
    writer.close();
}

/// The value of an attribute that is one of a few words.
fn word<T: Copy>(node: Node<'_, '_>, name: &str, all: &[(T, &str)]) -> Result<Option<T>, PackageError> {
    let Some(text) = node.attribute(name).map(str::trim) else { return Ok(None) };
    let found = all.iter().find(|(_, known)| known.eq_ignore_ascii_case(text));
    match found {
        Some((value, _)) => Ok(Some(*value)),
        None => {
            let words: Vec<_> = all.iter().map(|(_, known)| *known).collect();
            Err(error_at(node, &format!("{name} is {text:?}, expected one of {}", words.join(", "))))
        }
    }
}

/// The value of an attribute that is a number; `None` when it is missing or empty.
fn number<T: FromStr>(node: Node<'_, '_>, name: &str) -> Result<Option<T>, PackageError> {
    let Some(text) = node.attribute(name).map(str::trim).filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let value =
        text.parse().map_err(|_| error_at(node, &format!("{name} is {text:?}, expected a number")))?;
    Ok(Some(value))
}

fn name_of<T: PartialEq + Copy>(all: &[(T, &'static str)], value: T) -> &'static str {
    all.iter().find(|(known, _)| *known == value).map_or("", |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 3680 §6 and RFC 5628 §6, put together.
    const FULL: &str = r#"<?xml version="1.0"?>
        <reginfo xmlns="urn:ietf:params:xml:ns:reginfo" xmlns:gr="urn:ietf:params:xml:ns:gruuinfo"
            version="1" state="full">
          <registration aor="sip:user@example.com" id="as9" state="active">
            <contact id="76" state="active" event="registered" duration-registered="7322" q="0.8" expires="27"
              callid="2779F0-A@192.0.2.1" cseq="54301">
              <uri>sip:user@pc887.example.com</uri>
              <unknown-param name="+sip.instance">"&lt;urn:uuid:f81d4fae&gt;"</unknown-param>
              <gr:pub-gruu uri="sip:user@example.com;gr=hha9s8d-999a"/>
              <gr:temp-gruu uri="sip:8ffkas08af7fasklzi9@example.com;gr" first-cseq="54301"/>
            </contact>
            <contact id="77" state="terminated" event="expired" duration-registered="3600" q="0.5">
              <uri>sip:user@university.edu</uri><display-name xml:lang="en">The user</display-name>
            </contact>
          </registration>
        </reginfo>"#;

    fn read(text: &str) -> RegInfo {
        RegInfo::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn the_examples_of_the_rfcs_are_read_and_written() {
        let document = read(FULL);
        assert_eq!((document.version, document.is_full), (Some(1), true));
        let [first, second] = document.registrations[0].contacts.as_slice() else { panic!("two contacts") };
        assert_eq!((first.q, first.expires, first.cseq), (Some(800), Some(27), Some(54301)));
        assert_eq!(first.pub_gruu.as_deref(), Some("sip:user@example.com;gr=hha9s8d-999a"));
        assert_eq!(first.temp_gruu, Some(("sip:8ffkas08af7fasklzi9@example.com;gr".into(), 54301)));
        assert_eq!((second.event, second.is_active), (ContactEvent::Expired, false));
        assert_eq!(second.display_name.as_deref(), Some("The user"));
        assert_eq!(read(&document.write()), document);
    }

    #[test]
    fn changes_merge_by_id_and_version() {
        let mut known = Registrations::default();
        assert_eq!(known.merge(RegInfo::new(0, false)), Merge::Gap, "what was before is not known");
        assert_eq!(known.merge(read(FULL)), Merge::Taken);
        let aor = "sip:user@example.com";
        assert_eq!(known.contacts(aor).map(|contact| contact.id.as_str()).collect::<Vec<_>>(), ["76"]);
        let change = |version, contact: Contact| {
            let registration = Registration::new("as9", aor, RegistrationState::Active).with_contact(contact);
            RegInfo::new(version, false).with_registration(registration)
        };
        let added = Contact::new("80", "sip:user@new.example.com", ContactEvent::Registered).with_expires(60);
        assert_eq!(known.merge(change(2, added.clone())), Merge::Taken);
        assert_eq!(known.contacts(aor).count(), 2);
        assert_eq!(known.merge(change(1, added.clone())), Merge::Stale);
        assert_eq!(known.merge(change(4, added)), Merge::Gap, "taken, but ask for the rest");
        let gone = Contact::new("76", "sip:user@pc887.example.com", ContactEvent::Deactivated);
        assert_eq!(known.merge(change(5, gone)), Merge::Taken);
        assert_eq!(known.contacts(aor).map(|contact| contact.id.as_str()).collect::<Vec<_>>(), ["80"]);
        let over = Registration::new("as9", aor, RegistrationState::Terminated);
        assert_eq!(known.merge(RegInfo::new(6, false).with_registration(over)), Merge::Taken);
        assert_eq!(known.iter().count(), 0);
        known.clear();
        assert_eq!(known.merge(read(FULL)), Merge::Taken, "versions begin anew");
    }

    #[test]
    fn what_a_server_did_to_a_contact_says_when_to_register_again() {
        assert_eq!(ContactEvent::Deactivated.register_again(Some(9)), Some(0));
        assert_eq!(ContactEvent::Shortened.register_again(None), Some(0));
        assert_eq!(ContactEvent::Probation.register_again(Some(30)), Some(30));
        for leave in [ContactEvent::Rejected, ContactEvent::Expired, ContactEvent::Unregistered] {
            assert_eq!(leave.register_again(Some(30)), None);
        }
    }

    #[test]
    fn what_servers_leave_out_is_filled_in() {
        let document = read(
            "<reginfo><registration aor='sip:a@b'><contact><uri>sip:a@1</uri></contact>\
             <contact state='terminated'><uri>sip:a@2</uri></contact><contact event='probation' retry-after=''>\
             <uri>sip:a@3</uri></contact></registration></reginfo>",
        );
        assert_eq!((document.version, document.is_full), (None, true));
        let registration = &document.registrations[0];
        assert_eq!((registration.id.as_str(), registration.state), ("sip:a@b", RegistrationState::Active));
        let events: Vec<_> =
            registration.contacts.iter().map(|contact| (contact.event, contact.is_active)).collect();
        let expected = [
            (ContactEvent::Registered, true),
            (ContactEvent::Unregistered, false),
            (ContactEvent::Probation, false),
        ];
        assert_eq!(events, expected);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        let error = |text: &str| RegInfo::parse(text.as_bytes()).unwrap_err();
        let wrong = error("<reginfo>\n <registration aor='a' state='asleep'/></reginfo>");
        assert_eq!((wrong.line, wrong.column), (2, 2));
        assert!(wrong.what.contains("init, active, terminated"), "{wrong}");
        assert!(error("<reginfo><registration/></reginfo>").what.contains("aor"));
        assert!(
            error("<reginfo><registration aor='a'><contact/></registration></reginfo>")
                .what
                .contains("<uri>")
        );
        assert!(error("<reginfo version='x'/>").what.contains("number"));
        assert!(error("<reginfo version='99999999999'/>").what.contains("number"));
        assert!(error("<reginfo state='some'/>").what.contains("partial"));
        let q =
            "<reginfo><registration aor='a'><contact q='7'><uri>u</uri></contact></registration></reginfo>";
        assert!(error(q).what.contains("0 to 1"));
        error("");
        error("<reginfo/><reginfo/>");
    }

    #[test]
    fn growth_is_bounded() {
        let many: String = (0..1000).map(|number| format!("<registration aor='{number}'/>")).collect();
        let document = read(&format!("<reginfo>{many}</reginfo>"));
        assert_eq!(document.registrations.len(), MAX_REGISTRATIONS);
        let contacts: String =
            (0..1000).map(|number| format!("<contact><uri>{number}</uri></contact>")).collect();
        let document = read(&format!("<reginfo><registration aor='a'>{contacts}</registration></reginfo>"));
        assert_eq!(document.registrations[0].contacts.len(), MAX_CONTACTS);
        let mut known = Registrations::default();
        for version in 0..20_u32 {
            let mut told = RegInfo::new(version, version == 0);
            told.registrations = (0..50)
                .map(|number| {
                    Registration::new(&format!("{version}-{number}"), "a", RegistrationState::Active)
                })
                .collect();
            assert_eq!(known.merge(told), Merge::Taken);
        }
        assert_eq!(known.iter().count(), MAX_REGISTRATIONS);
    }
}
