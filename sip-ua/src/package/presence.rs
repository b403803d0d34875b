//! The package `presence` (RFC 3856): PIDF documents (RFC 3863), with the person and activities of RFC 4479 and 4480.
//!
//! ```
//! use sidetone_sip_ua::package::presence::{Presence, PresenceState};
//! let body = Presence::of_state("sip:1000@pbx.example.com", PresenceState::OnThePhone).write();
//! assert_eq!(Presence::parse(body.as_bytes()).unwrap().state(), PresenceState::OnThePhone);
//! ```

use super::PackageError;
use super::xml::{self, child, child_text, children};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use roxmltree::Node;
use sidetone_sip_core::header::ContentType;

/// The name of the package, as Event has it.
pub const EVENT: &str = "presence";
/// The type of its body.
pub const CONTENT_TYPE: ContentType = ContentType::from_static("application", "pidf+xml");
/// Tuples at most that are kept: one for each device or service of a presentity.
pub const MAX_TUPLES: usize = 64;
/// Activities and notes at most that are kept, of each.
pub const MAX_WORDS: usize = 32;

const PIDF: &str = "urn:ietf:params:xml:ns:pidf";
const DATA_MODEL: &str = "urn:ietf:params:xml:ns:pidf:data-model";
const RPID: &str = "urn:ietf:params:xml:ns:pidf:rpid";

/// The presence of somebody (RFC 3863 §4).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Presence {
    /// Whose, as `pres:` or `sip:` URI.
    pub entity: String,
    /// Ways to reach them, as the document has them.
    pub tuples: Vec<Tuple>,
    /// What the person does; of several, as RPID lets them be.
    pub activities: Vec<Activity>,
    /// Texts for people: of the document, and of the person.
    pub notes: Vec<String>,
}

/// A way to reach a presentity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tuple {
    /// Its name in this and later documents.
    pub id: String,
    /// Whether it is open; `None` when it is not said, or in a word that RFC 3863 does not have: baresip begins with `?`.
    pub open: Option<bool>,
    /// Where to.
    pub contact: Option<Contact>,
    /// Texts for people.
    pub notes: Vec<String>,
    /// When its state began, as RFC 3339 has it.
    pub timestamp: Option<String>,
}

/// Where a tuple leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    /// The URI.
    pub uri: String,
    /// How much it is preferred, in thousandths: 0 to 1000. `None` when it is not said, or is no such number.
    pub priority: Option<u16>,
}

impl Tuple {
    /// A tuple that is open or closed.
    #[must_use]
    pub fn new(id: &str, open: bool) -> Self {
        Self { id: id.into(), open: Some(open), ..Self::default() }
    }

    /// The same with where it leads, and how much that is preferred, in thousandths.
    #[must_use]
    pub fn with_contact(mut self, uri: &str, priority: Option<u16>) -> Self {
        self.contact = Some(Contact { uri: uri.into(), priority: priority.map(|value| value.min(1000)) });
        self
    }

    /// The same with a text for people.
    #[must_use]
    pub fn with_note(mut self, text: &str) -> Self {
        self.notes.push(text.into());
        self
    }

    /// The same with when its state began, as RFC 3339 has it.
    #[must_use]
    pub fn with_timestamp(mut self, time: &str) -> Self {
        self.timestamp = Some(time.into());
        self
    }
}

/// What a person does (RFC 4480 §3.2). Those that a telephone tells apart; the others keep their name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Activity {
    /// `away`
    Away,
    /// `busy`
    Busy,
    /// `on-the-phone`
    OnThePhone,
    /// Not of RFC 4480, but said by deployed servers: `dnd` or `do-not-disturb`, as an element or in `other`.
    DoNotDisturb,
    /// Another, by the name of its element, or the text of `other`.
    Other(String),
}

impl Activity {
    fn read(name: &str) -> Self {
        let plain: String =
            name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
        match plain.as_str() {
            "away" => Self::Away,
            "busy" => Self::Busy,
            "onthephone" => Self::OnThePhone,
            "dnd" | "donotdisturb" => Self::DoNotDisturb,
            _ => Self::Other(name.trim().into()),
        }
    }

    /// What it means for a telephone; `None` when it says nothing about whether to call.
    fn state(&self) -> Option<PresenceState> {
        Some(match self {
            Self::Away => PresenceState::Away,
            Self::Busy => PresenceState::Busy,
            Self::OnThePhone => PresenceState::OnThePhone,
            Self::DoNotDisturb => PresenceState::DoNotDisturb,
            Self::Other(name) => match name.as_str() {
                "appointment" | "meeting" | "performance" | "presentation" | "worship" | "steering" => {
                    PresenceState::Busy
                }
                "breakfast" | "dinner" | "holiday" | "in-transit" | "meal" | "permanent-absence"
                | "shopping" | "sleeping" | "travel" | "vacation" => PresenceState::Away,
                _ => return None,
            },
        })
    }
}

/// Presence in a word, as a lamp or a line of a directory shows it. The order is which counts when several are said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum PresenceState {
    /// Not to be reached, or nothing is known.
    #[default]
    Offline,
    /// To be reached.
    Online,
    /// Not there.
    Away,
    /// There, but busy.
    Busy,
    /// In a call.
    OnThePhone,
    /// Wants no calls.
    DoNotDisturb,
}

impl Presence {
    /// Somebody of whom nothing is said.
    #[must_use]
    pub fn new(entity: &str) -> Self {
        Self { entity: entity.into(), ..Self::default() }
    }

    /// The document that says a state, for a PUBLISH or a NOTIFY: one tuple, and what the person does.
    #[must_use]
    pub fn of_state(entity: &str, state: PresenceState) -> Self {
        let mut presence = Self::new(entity).with_tuple(Tuple::new("t1", state != PresenceState::Offline));
        let (activities, note) = match state {
            PresenceState::Offline | PresenceState::Online => return presence,
            PresenceState::Away => (vec![Activity::Away], "Away"),
            PresenceState::Busy => (vec![Activity::Busy], "Busy"),
            PresenceState::OnThePhone => (vec![Activity::Busy, Activity::OnThePhone], "On the phone"),
            PresenceState::DoNotDisturb => (vec![Activity::Busy, Activity::DoNotDisturb], "Do not disturb"),
        };
        presence.activities = activities;
        presence.notes.push(note.into());
        presence
    }

    /// The same with a way to reach them.
    #[must_use]
    pub fn with_tuple(mut self, tuple: Tuple) -> Self {
        self.tuples.push(tuple);
        self
    }

    /// The same with something that the person does.
    #[must_use]
    pub fn with_activity(mut self, activity: Activity) -> Self {
        self.activities.push(activity);
        self
    }

    /// The same with a text for people.
    #[must_use]
    pub fn with_note(mut self, text: &str) -> Self {
        self.notes.push(text.into());
        self
    }

    /// Presence in a word. Closed everywhere is offline, whatever the person does. Notes count where activities do
    /// not tell: `Do not disturb` and `On the phone`, as Asterisk and FreeSWITCH write them beside `busy`.
    #[must_use]
    pub fn state(&self) -> PresenceState {
        let is_open = self.tuples.iter().any(|tuple| tuple.open == Some(true));
        let is_closed = self.tuples.iter().any(|tuple| tuple.open == Some(false));
        let said = self.activities.iter().filter_map(Activity::state).max();
        if !is_open && (is_closed || said.is_none()) {
            return PresenceState::Offline;
        }
        let notes = self.notes.iter().chain(self.tuples.iter().flat_map(|tuple| &tuple.notes));
        let noted = notes.filter_map(|note| match Activity::read(note) {
            Activity::Other(_) => None,
            activity => activity.state(),
        });
        // A person's own words may be anything; they refine, and do not contradict.
        let refined =
            noted.filter(|noted| said.is_none_or(|said| said == PresenceState::Busy && *noted > said));
        refined.max().or(said).unwrap_or(PresenceState::Online)
    }

    /// The text to show beside the state: the first note of the person or the document, or else of an open tuple.
    #[must_use]
    pub fn note(&self) -> Option<&str> {
        let of_tuples =
            self.tuples.iter().filter(|tuple| tuple.open != Some(false)).flat_map(|tuple| &tuple.notes);
        self.notes.iter().chain(of_tuples).next().map(String::as_str)
    }

    /// Where to call: the contact of the open tuple that is preferred most.
    #[must_use]
    pub fn contact(&self) -> Option<&str> {
        let open = self.tuples.iter().filter(|tuple| tuple.open == Some(true));
        // `rev`, since of equals the last is taken, and the first is meant.
        let contacts = open.filter_map(|tuple| tuple.contact.as_ref()).rev();
        contacts
            .max_by_key(|contact| contact.priority.unwrap_or_default())
            .map(|contact| contact.uri.as_str())
    }

    /// Reads a body. Activities are found wherever they stand: in the person, in a tuple, in a status. A `basic` that is
    /// neither `open` nor `closed`, and a priority that is no number from 0 to 1, count as not said.
    ///
    /// # Errors
    /// It is no PIDF document.
    pub fn parse(body: &[u8]) -> Result<Self, PackageError> {
        let text = xml::loose_text(body);
        let parsed = xml::parse(&text, "presence")?;
        let root = parsed.root_element();
        let mut presence = Self::new(root.attribute("entity").unwrap_or_default().trim());
        for node in children(root, "tuple").take(MAX_TUPLES) {
            presence.tuples.push(read_tuple(node));
        }
        notes(root, &mut presence.notes);
        children(root, "person").for_each(|person| notes(person, &mut presence.notes));
        for node in root.descendants().filter(|node| node.is_element()) {
            match node.tag_name().name() {
                "activities" => read_activities(node, &mut presence),
                // RPID's first drafts had one activity as text.
                "activity" => {
                    presence.keep(Activity::read(node.text().unwrap_or_default()));
                }
                _ => {}
            }
        }
        Ok(presence)
    }

    fn keep(&mut self, activity: Activity) {
        let is_empty = matches!(&activity, Activity::Other(name) if name.is_empty());
        if !is_empty && self.activities.len() < MAX_WORDS && !self.activities.contains(&activity) {
            self.activities.push(activity);
        }
    }

    /// The document.
    #[must_use]
    pub fn write(&self) -> String {
        let mut writer = xml::Writer::new();
        writer.open("presence").attr("xmlns", PIDF);
        if !self.activities.is_empty() {
            writer.attr("xmlns:dm", DATA_MODEL).attr("xmlns:rpid", RPID);
        }
        writer.attr("entity", &self.entity);
        for tuple in &self.tuples {
            writer.open("tuple").attr("id", &tuple.id).open("status");
            if let Some(open) = tuple.open {
                writer.leaf("basic", if open { "open" } else { "closed" });
            }
            writer.close();
            if let Some(contact) = &tuple.contact {
                writer.open("contact");
                writer.maybe_attr("priority", contact.priority.map(thousandths)).text(&contact.uri).close();
            }
            tuple.notes.iter().for_each(|note| {
                writer.leaf("note", note);
            });
            if let Some(time) = &tuple.timestamp {
                writer.leaf("timestamp", time);
            }
            writer.close();
        }
        self.notes.iter().for_each(|note| {
            writer.leaf("note", note);
        });
        if !self.activities.is_empty() {
            writer.open("dm:person").attr("id", "p1").open("rpid:activities");
            self.activities.iter().for_each(|activity| write_activity(&mut writer, activity));
            writer.close().close();
        }
        writer.finish()
    }
}

fn write_activity(writer: &mut xml::Writer, activity: &Activity) {
    match activity {
        Activity::Away => writer.open("rpid:away").close(),
        Activity::Busy => writer.open("rpid:busy").close(),
        Activity::OnThePhone => writer.open("rpid:on-the-phone").close(),
        Activity::DoNotDisturb => writer.leaf("rpid:other", "dnd"),
        Activity::Other(name) => match NAMED.iter().find(|(plain, _)| plain == name) {
            Some((_, element)) => writer.open(element).close(),
            None => writer.leaf("rpid:other", name),
        },
    };
}

/// The other activities of RFC 4480 §3.2, which are elements of their own.
const NAMED: [(&str, &str); 21] = [
    ("appointment", "rpid:appointment"),
    ("breakfast", "rpid:breakfast"),
    ("dinner", "rpid:dinner"),
    ("holiday", "rpid:holiday"),
    ("in-transit", "rpid:in-transit"),
    ("looking-for-work", "rpid:looking-for-work"),
    ("meal", "rpid:meal"),
    ("meeting", "rpid:meeting"),
    ("performance", "rpid:performance"),
    ("permanent-absence", "rpid:permanent-absence"),
    ("playing", "rpid:playing"),
    ("presentation", "rpid:presentation"),
    ("shopping", "rpid:shopping"),
    ("sleeping", "rpid:sleeping"),
    ("spectator", "rpid:spectator"),
    ("steering", "rpid:steering"),
    ("travel", "rpid:travel"),
    ("tv", "rpid:tv"),
    ("vacation", "rpid:vacation"),
    ("working", "rpid:working"),
    ("worship", "rpid:worship"),
];

fn read_activities(node: Node<'_, '_>, presence: &mut Presence) {
    for activity in node.children().filter(Node::is_element) {
        match activity.tag_name().name() {
            "note" | "unknown" => {}
            "other" => presence.keep(Activity::read(activity.text().unwrap_or_default())),
            name => presence.keep(Activity::read(name)),
        }
    }
}

fn read_tuple(node: Node<'_, '_>) -> Tuple {
    let mut tuple = Tuple { id: node.attribute("id").unwrap_or_default().into(), ..Tuple::default() };
    if let Some(basic) = child(node, "status").and_then(|status| child(status, "basic")) {
        let word = basic.text().unwrap_or_default().trim();
        tuple.open = match word {
            open if open.eq_ignore_ascii_case("open") => Some(true),
            closed if closed.eq_ignore_ascii_case("closed") => Some(false),
            _ => None,
        };
    }
    if let (Some(element), Some(uri)) = (child(node, "contact"), child_text(node, "contact")) {
        let priority = element.attribute("priority").map(str::trim).and_then(read_thousandths);
        tuple.contact = Some(Contact { uri: uri.into(), priority });
    }
    notes(node, &mut tuple.notes);
    tuple.timestamp = child_text(node, "timestamp").map(Into::into);
    tuple
}

fn notes(node: Node<'_, '_>, into: &mut Vec<String>) {
    for note in children(node, "note") {
        let text = note.text().unwrap_or_default().trim();
        if !text.is_empty() && into.len() < MAX_WORDS {
            into.push(text.into());
        }
    }
}

/// `0.8` as 800. Asterisk's `1` and more digits than three are read too; the digits beyond are left out.
pub(super) fn read_thousandths(text: &str) -> Option<u16> {
    let (whole, digits) = text.split_once('.').unwrap_or((text, ""));
    if whole.len() + digits.len() == 0
        || !whole.bytes().chain(digits.bytes()).all(|byte| byte.is_ascii_digit())
    {
        return None;
    }
    let whole: u16 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let padded: String = digits.chars().chain("000".chars()).take(3).collect();
    let value = whole.checked_mul(1000)?.checked_add(padded.parse().ok()?)?;
    (value <= 1000).then_some(value)
}

/// 800 as `0.8`.
pub(super) fn thousandths(value: u16) -> String {
    if value >= 1000 {
        return "1".to_string();
    }
    let text = format!("0.{value:03}");
    text.trim_end_matches('0').trim_end_matches('.').into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Presence {
        Presence::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn the_example_of_the_rfc_is_read() {
        let presence = read(
            r#"<?xml version="1.0" encoding="UTF-8"?>
            <impp:presence xmlns:impp="urn:ietf:params:xml:ns:pidf" entity="pres:someone@example.com">
            <impp:tuple id="bs35r9"><impp:status><impp:basic>open</impp:basic></impp:status>
              <impp:contact priority="0.8">im:someone@mobilecarrier.net</impp:contact>
              <impp:note xml:lang="en">Don't Disturb Please!</impp:note>
              <impp:timestamp>2001-10-27T16:49:29Z</impp:timestamp></impp:tuple>
            <impp:tuple id="eg92n8"><impp:status><impp:basic>open</impp:basic></impp:status>
              <impp:contact priority="1.0">mailto:someone@example.com</impp:contact></impp:tuple>
            <impp:note>I'll be in Tokyo next week</impp:note></impp:presence>"#,
        );
        assert_eq!(presence.entity, "pres:someone@example.com");
        let first = Tuple::new("bs35r9", true)
            .with_contact("im:someone@mobilecarrier.net", Some(800))
            .with_note("Don't Disturb Please!")
            .with_timestamp("2001-10-27T16:49:29Z");
        assert_eq!(presence.tuples[0], first);
        assert_eq!(presence.contact(), Some("mailto:someone@example.com"));
        assert_eq!(
            (presence.state(), presence.note()),
            (PresenceState::Online, Some("I'll be in Tokyo next week"))
        );
    }

    /// baresip 1.0.0's, with one of its words for the status; the first has none yet.
    fn baresip(basic: &str) -> String {
        format!(
            r#"<?xml version="1.0" encoding="UTF-8" standalone="no"?>
<presence xmlns="urn:ietf:params:xml:ns:pidf"
    xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model"
    xmlns:rpid="urn:ietf:params:xml:ns:pidf:rpid"
    entity="sip:bob@127.0.0.1:30080">
  <dm:person id="p4159"><rpid:activities/></dm:person>
  <tuple id="t4109">
    <status>
      <basic>{basic}</basic>
    </status>
    <contact>sip:bob@127.0.0.1:30080</contact>
  </tuple>
</presence>
"#
        )
    }

    /// Linphonec 5.1.65's PUBLISH.
    const LINPHONE: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<presence xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model" xmlns:rpid="urn:ietf:params:xml:ns:pidf:rpid" xmlns:pidfonline="http://www.linphone.org/xsds/pidfonline.xsd" entity="sip:bob@127.0.0.1:31500" xmlns="urn:ietf:params:xml:ns:pidf">
 <tuple id="d8n4kk">
  <status>
   <basic>open</basic>
   <pidfonline:online/>
  </status>
  <contact priority="0.8">sip:bob@127.0.0.1:31500</contact>
  <timestamp>2026-11-22T12:19:53Z</timestamp>
 </tuple>
</presence>
"#;

    /// What Kamailio 5.6.3 tells of whom it has no publication of any more.
    const KAMAILIO_GONE: &str = r#"<?xml version="1.0"?>
<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="sip:alice@127.0.0.1:30208">
  <tuple xmlns="urn:ietf:params:xml:ns:pidf" id="t1">
    <status xmlns="urn:ietf:params:xml:ns:pidf">
      <basic>closed</basic>
    </status>
  </tuple>
</presence>
"#;

    /// Captured from the programs.
    #[test]
    fn what_baresip_linphone_and_kamailio_sent_comes_to_a_state() {
        assert_eq!(read(&baresip("open")).state(), PresenceState::Online);
        assert_eq!(read(&baresip("closed")).state(), PresenceState::Offline);
        let unset = read(&baresip("?"));
        assert_eq!((unset.state(), unset.activities.len()), (PresenceState::Offline, 0));
        let tuple =
            Tuple { open: None, ..Tuple::new("t4109", true).with_contact("sip:bob@127.0.0.1:30080", None) };
        assert_eq!(unset.tuples, [tuple]);
        let linphone = read(LINPHONE);
        assert_eq!(linphone.state(), PresenceState::Online);
        let tuple = Tuple::new("d8n4kk", true)
            .with_contact("sip:bob@127.0.0.1:31500", Some(800))
            .with_timestamp("2026-11-22T12:19:53Z");
        assert_eq!(linphone.tuples, [tuple]);
        assert_eq!(read(KAMAILIO_GONE).state(), PresenceState::Offline);
    }

    /// In the forms of Asterisk and FreeSWITCH, by their sources and not captured.
    #[test]
    fn documents_of_other_servers_come_to_a_state() {
        let asterisk = |activities: &str, note: &str, basic: &str| {
            read(&format!(
                r#"<?xml version="1.0" encoding="ISO-8859-1"?>
                <presence xmlns="urn:ietf:params:xml:ns:pidf" xmlns:pp="urn:ietf:params:xml:ns:pidf:person"
                xmlns:es="urn:ietf:params:xml:ns:pidf:rpid:status:rpid-status"
                xmlns:ep="urn:ietf:params:xml:ns:pidf:rpid:rpid-person" entity="sip:1001@10.0.0.1">
                <pp:person><status><ep:activities>{activities}</ep:activities></status></pp:person>
                <note>{note}</note><tuple id="1000"><contact priority="1">sip:1000@10.0.0.1</contact>
                <status><basic>{basic}</basic></status></tuple></presence>"#
            ))
            .state()
        };
        assert_eq!(asterisk("", "Ready", "open"), PresenceState::Online);
        assert_eq!(asterisk("<ep:busy/>", "On the phone", "open"), PresenceState::OnThePhone);
        assert_eq!(asterisk("<ep:busy/>", "Ringing", "open"), PresenceState::Busy);
        assert_eq!(asterisk("<ep:away/>", "Unavailable", "closed"), PresenceState::Offline);
        let freeswitch = read(
            r#"<?xml version='1.0' encoding='UTF-8'?><presence xmlns='urn:ietf:params:xml:ns:pidf'
            xmlns:dm='urn:ietf:params:xml:ns:pidf:data-model' xmlns:rpid='urn:ietf:params:xml:ns:pidf:rpid'
            xmlns:c='urn:ietf:params:xml:ns:pidf:cipid' entity='sip:1000@example.com'>
            <tuple id='t6a5ed77e'><status><basic>open</basic></status></tuple>
            <dm:person id='p06360c4a'><rpid:activities><rpid:on-the-phone/></rpid:activities>
            <dm:note>On The Phone</dm:note></dm:person></presence>"#,
        );
        assert_eq!(
            (freeswitch.state(), freeswitch.note()),
            (PresenceState::OnThePhone, Some("On The Phone"))
        );
        let other = |inner: &str| {
            read(&format!("<presence entity='a'><tuple id='t'><status><basic>open</basic></status></tuple>{inner}</presence>")).state()
        };
        assert_eq!(other("<note>Do Not Disturb</note>"), PresenceState::DoNotDisturb);
        assert_eq!(other("<note>I am busy, away and online</note>"), PresenceState::Online);
        assert_eq!(other("<person><activities><dnd/></activities></person>"), PresenceState::DoNotDisturb);
        assert_eq!(other("<person><activities><busy/><meal/></activities></person>"), PresenceState::Busy);
        assert_eq!(
            other("<person><activities><away/></activities></person><note>dnd</note>"),
            PresenceState::Away
        );
        assert_eq!(other("<activity>away</activity>"), PresenceState::Away);
        assert_eq!(other("<person><activities><tv/><unknown/></activities></person>"), PresenceState::Online);
        assert_eq!(read("<presence entity='a'/>").state(), PresenceState::Offline);
    }

    #[test]
    fn every_state_is_written_and_reads_back() {
        use PresenceState::{Away, Busy, DoNotDisturb, Offline, OnThePhone, Online};
        for state in [Offline, Online, Away, Busy, OnThePhone, DoNotDisturb] {
            let presence = Presence::of_state("sip:1000@example.com", state);
            let again = read(&presence.write());
            assert_eq!((again.state(), &again), (state, &presence));
        }
        let full = Presence::new("sip:a&b@example.com")
            .with_tuple(Tuple::new("t<1>", true).with_contact("sip:x@y", Some(5)).with_note("a\r\nb"))
            .with_activity(Activity::Other("vacation".into()))
            .with_activity(Activity::Other("juggling".into()))
            .with_note("back <soon>");
        assert_eq!(read(&full.write()), full);
        assert!(full.write().contains("<rpid:vacation/><rpid:other>juggling</rpid:other>"));
    }

    #[test]
    fn priorities_are_thousandths() {
        for (text, value) in
            [("0", 0), ("1", 1000), ("1.000", 1000), ("0.8", 800), (".5", 500), ("0.12345", 123)]
        {
            assert_eq!(read_thousandths(text), Some(value), "{text}");
        }
        for wrong in ["", ".", "1.001", "2", "-1", "x", "0.x", "99999999999"] {
            assert_eq!(read_thousandths(wrong), None, "{wrong}");
        }
        for (value, text) in [(0, "0"), (1, "0.001"), (500, "0.5"), (1000, "1"), (2000, "1")] {
            assert_eq!(thousandths(value), text);
        }
    }

    #[test]
    fn what_is_wrong_is_named_and_growth_is_bounded() {
        let error = |text: &str| Presence::parse(text.as_bytes()).unwrap_err();
        let broken = error("<presence entity='a'>\n<tuple id='t'></presence>");
        assert_eq!(broken.line, 2, "{broken}");
        // What is said beside a word that nobody knows counts.
        let ajar = read(
            "<presence entity='a'><tuple id='t'><status><basic>ajar</basic></status><contact priority='9'>a</contact></tuple>\
             <tuple id='u'><status><basic>open</basic></status><contact>b</contact></tuple></presence>",
        );
        assert_eq!((ajar.tuples.len(), ajar.tuples[0].open), (2, None));
        assert_eq!(ajar.tuples[0].contact, Some(Contact { uri: "a".into(), priority: None }));
        assert_eq!((ajar.state(), ajar.contact()), (PresenceState::Online, Some("b")));
        error("");
        error("<dialog-info/>");
        error("<!DOCTYPE p [<!ENTITY x 'y'>]><presence>&x;</presence>");
        let many = format!(
            "<presence>{}<activities>{}</activities></presence>",
            "<tuple id='t'/><note>n</note>".repeat(5000),
            (0..500).map(|number| format!("<a{number}/>")).collect::<String>()
        );
        let presence = read(&many);
        assert_eq!(presence.tuples.len(), MAX_TUPLES);
        assert_eq!((presence.notes.len(), presence.activities.len()), (MAX_WORDS, MAX_WORDS));
    }
}
