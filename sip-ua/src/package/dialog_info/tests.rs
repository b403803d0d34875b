use super::*;
use alloc::{format, vec};
use proptest::prelude::*;
use sidetone_sip_core::Rng;

/// A held extension in the form of Asterisk, by its documentation and not captured: no identifiers, the `id` is the extension.
pub(crate) const ASTERISK: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="12" state="full" entity="sip:103@192.0.2.10:5060">
 <dialog id="103"><state>confirmed</state>
  <local><target uri="sip:103@192.0.2.10"><param pname="+sip.rendering" pvalue="no"/></target></local>
 </dialog>
</dialog-info>"#;

/// A call that rings in the form of FreeSWITCH, by its documentation and not captured: the target of the peer is what to dial for the call.
pub(crate) const FREESWITCH: &str = r#"<?xml version="1.0"?>
<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="3" state="partial" entity="sip:2122@pbx.example">
<dialog id="1b2c-77" call-id="c1@192.0.2.4" local-tag="lt8" remote-tag="rt9" direction="recipient">
 <state>early</state>
 <local>
  <identity display="2122">sip:2122@pbx.example</identity>
  <target uri="sip:2122@pbx.example"><param pname="+sip.rendering" pvalue="yes"/></target>
 </local>
 <remote>
  <identity display="Zoë &amp; Co">sip:2123@pbx.example</identity>
  <target uri="sip:**2122@pbx.example"/>
 </remote>
</dialog>
</dialog-info>"#;

/// What Kamailio 5.6.3 (`presence_dialoginfo`, `pua_dialoginfo`) sent of a user who calls, after a call to it: it keeps what is
/// over for a while.
pub(crate) const KAMAILIO: &str = r#"<?xml version="1.0"?>
<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="6" state="full" entity="sip:bob@127.0.0.1">
  <dialog id="padi-6b02ddc0-6e56-1" call-id="0778b607a7ecf320" direction="initiator">
    <state>confirmed</state>
    <remote>
      <identity>sip:alice@127.0.0.1:19328</identity>
      <target uri="sip:alice@127.0.0.1:19328"/>
    </remote>
    <local>
      <identity>sip:bob@127.0.0.1:19328</identity>
      <target uri="sip:bob@127.0.0.1:39414"/>
    </local>
  </dialog>
  <dialog id="padi-6b02ddc0-6e57-1" call-id="5a5f5b891a94f6c0" direction="recipient">
    <state>terminated</state>
    <remote>
      <identity>sip:alice@127.0.0.1:19328</identity>
      <target uri="sip:alice@127.0.0.1:36638"/>
    </remote>
    <local>
      <identity>sip:bob@127.0.0.1:19328</identity>
      <target uri="sip:bob@127.0.0.1:19328"/>
    </local>
  </dialog>
</dialog-info>
"#;

/// The same server's of a call that rings there: with the tags that a pick-up takes.
pub(crate) const KAMAILIO_RINGING: &str = r#"<?xml version="1.0"?>
<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="2" state="full" entity="sip:bob@127.0.0.1">
  <dialog id="padi-6b02ddc0-6e57-1" call-id="5a5f5b891a94f6c0" local-tag="0008f8d81aef10f3" remote-tag="0a3e007b69c746b9" direction="recipient">
    <state>early</state>
    <remote>
      <identity>sip:alice@127.0.0.1:19328</identity>
      <target uri="sip:alice@127.0.0.1:36638"/>
    </remote>
    <local>
      <identity>sip:bob@127.0.0.1:19328</identity>
      <target uri="sip:bob@127.0.0.1:39414"/>
    </local>
  </dialog>
</dialog-info>
"#;

/// The same server's of a call that is only begun: the state is a word of its own, with a capital.
const KAMAILIO_TRYING: &str = r#"<?xml version="1.0"?>
<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="5" state="full" entity="sip:bob@127.0.0.1">
  <dialog id="padi-6b02ddc0-6e56-1" call-id="0778b607a7ecf320" direction="initiator">
    <state>Trying</state>
    <remote>
      <identity>sip:alice@127.0.0.1:19328</identity>
      <target uri="sip:alice@127.0.0.1:19328"/>
    </remote>
    <local>
      <identity>sip:bob@127.0.0.1:19328</identity>
      <target uri="sip:bob@127.0.0.1:19328"/>
    </local>
  </dialog>
</dialog-info>
"#;

/// The same server's where there is no call.
pub(crate) const KAMAILIO_IDLE: &str = r#"<?xml version="1.0"?>
<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="4" state="full" entity="sip:bob@127.0.0.1"/>
"#;

/// Members of a BLF list in the form of BroadWorks, by its specification and not captured; prefixes of its own, and a state with its cause.
pub(crate) const BROADWORKS: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<di:dialog-info xmlns:di="urn:ietf:params:xml:ns:dialog-info" version="0" state="full" entity="sip:5550101@bw.example">
 <di:dialog id="Y2FsbDE6MA==" direction="recipient">
  <di:state event="cancelled" code="487">terminated</di:state>
 </di:dialog>
 <di:dialog id="Y2FsbDI6MA==" call-id="BW1@bw.example" direction="recipient">
  <di:state>early</di:state>
  <di:remote><di:identity display="Ada">sip:+15550199@bw.example;user=phone</di:identity></di:remote>
 </di:dialog>
</di:dialog-info>"#;

/// A shared line: the appearance is a parameter of the target, and the line may not be joined.
const SHARED: &str = r#"<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" xmlns:sa="urn:x" version="1"
 state="partial" entity="sip:line@pbx.example"><dialog id="s1" direction="initiator"><sa:exclusive>true</sa:exclusive>
 <state>trying</state><local><identity display-name="Line">sip:line@pbx.example</identity><target uri="sip:p1@192.0.2.9">
 <param pname="x-line-id" pval="2"/><param pname="+sip.rendering" pval="yes"/><param pname="+sip.byeless" pval="true"/>
 </target></local></dialog></dialog-info>"#;

fn read(text: &str) -> DialogInfo {
    DialogInfo::read(text.as_bytes()).unwrap()
}

#[test]
fn what_servers_write_is_read() {
    let asterisk = read(ASTERISK);
    assert_eq!(
        (asterisk.version, asterisk.full, asterisk.entity.as_str()),
        (Some(12), true, "sip:103@192.0.2.10:5060")
    );
    assert!(asterisk.dialogs[0].is_held());
    assert_eq!(asterisk.dialogs[0].replaces_value(), None);

    let ringing = &read(FREESWITCH).dialogs[0];
    assert_eq!((ringing.state, ringing.direction), (DialogState::Early, Some(Direction::Recipient)));
    assert!(!ringing.is_held());
    let caller = ringing.remote.identity.as_ref().unwrap();
    assert_eq!((&*caller.label(), &*caller.number()), ("Zoë & Co", "2123"));
    assert_eq!(ringing.replaces_value().unwrap().to_string(), "c1@192.0.2.4;to-tag=rt9;from-tag=lt8");

    let kamailio = read(KAMAILIO);
    assert_eq!((kamailio.version, kamailio.full), (Some(6), true));
    let states: Vec<DialogState> = kamailio.dialogs.iter().map(|dialog| dialog.state).collect();
    assert_eq!(states, [DialogState::Confirmed, DialogState::Terminated]);
    let target = kamailio.dialogs[0].local.target.as_ref().unwrap();
    assert_eq!(target.uri, "sip:bob@127.0.0.1:39414");
    let rings = read(KAMAILIO_RINGING).dialogs[0].replaces_value().unwrap().to_string();
    assert_eq!(rings, "5a5f5b891a94f6c0;to-tag=0a3e007b69c746b9;from-tag=0008f8d81aef10f3");
    assert_eq!(read(KAMAILIO_TRYING).dialogs[0].state, DialogState::Trying);
    assert!(read(KAMAILIO_IDLE).dialogs.is_empty());

    let broadworks = read(BROADWORKS);
    assert_eq!(broadworks.dialogs.len(), 2);
    assert_eq!(
        (broadworks.dialogs[0].event, broadworks.dialogs[0].code),
        (Some(StateEvent::Cancelled), Some(487))
    );

    let shared = &read(SHARED).dialogs[0];
    assert_eq!((shared.line, shared.exclusive), (Some(2), Some(true)));
    assert_eq!(shared.local.identity.as_ref().unwrap().display.as_deref(), Some("Line"));
    assert_eq!(shared.local.target.as_ref().unwrap().param("+SIP.byeless"), Some("true"));
}

#[test]
fn what_is_missing_or_wrong_does_no_harm() {
    let bare = read(
        "<dialog-info xmlns='x' version='-3'><dialog call-id='c'><state> Early </state></dialog></dialog-info>",
    );
    assert_eq!((bare.version, bare.full, bare.entity.as_str()), (None, true, ""));
    assert_eq!((bare.dialogs[0].id.as_str(), bare.dialogs[0].state), ("c", DialogState::Early));
    let odd = read(
        "<dialog-info state='PARTIAL'><dialog id='1'/><dialog id='2'><state>asleep</state></dialog>\
         <dialog id='3' direction='up'><state code='9999' event='rain'>confirmed</state><duration>-1</duration>\
         <replaces call-id='x'/><local><target/><identity/></local></dialog></dialog-info>",
    );
    assert!(!odd.full);
    assert_eq!(odd.dialogs, [Dialog::new("3", DialogState::Confirmed)]);
    assert!(DialogInfo::read(b"<presence/>").is_err());
    assert!(DialogInfo::read(b"\xff").is_err());
    assert!(DialogInfo::read(b"").is_err());
}

#[test]
fn hostile_documents_are_bounded() {
    let many = "<dialog id='x'><state>early</state></dialog>".repeat(5_000);
    assert_eq!(read(&format!("<dialog-info>{many}</dialog-info>")).dialogs.len(), MAX_DIALOGS);
    let long = "a".repeat(MAX_TEXT + 1);
    let params = format!("<param pname='p' pval='{long}'/>").repeat(50);
    let text = format!(
        "<dialog-info entity='{long}'><dialog id='{long}'><state>early</state></dialog>\
         <dialog id='1' call-id='{long}'><state>early</state><local><target uri='{long}'>{params}</target></local>\
         </dialog></dialog-info>"
    );
    let document = read(&text);
    assert_eq!((document.entity.as_str(), document.dialogs.len()), ("", 1));
    let dialog = &document.dialogs[0];
    assert_eq!(dialog.call_id, None);
    let target = dialog.local.target.as_ref().unwrap();
    assert_eq!((target.uri.as_str(), target.params.len()), ("", MAX_PARAMS));
}

#[test]
fn identifiers_that_would_be_other_headers_make_no_replaces() {
    let named = |call_id, remote| Dialog::new("1", DialogState::Early).with_ids(call_id, "l", remote);
    assert!(named("c@h", Some("r")).replaces_value().is_some());
    for (call_id, remote) in [
        ("c@h", None),
        ("c;to-tag=x", Some("r")),
        ("c\r\nVia: x", Some("r")),
        ("c@h", Some("r;early-only")),
        ("c@h", Some("r\r\nVia: x")),
        ("c@h, d@h", Some("r")),
        ("", Some("r")),
        ("c@h", Some("")),
    ] {
        assert_eq!(named(call_id, remote).replaces_value(), None, "{call_id:?} {remote:?}");
    }
}

#[test]
fn the_document_is_written_in_the_order_of_the_schema() {
    let local = Participant::new(
        Some(Identity::new("sip:line@pbx.example").with_display("\"L\" <1>")),
        Some(DialogTarget::new("sip:p1@192.0.2.9").with_rendering(false)),
    );
    let mut dialog = Dialog::new("1", DialogState::Confirmed)
        .with_ids("c@h", "l", Some("r"))
        .with_direction(Direction::Recipient)
        .with_event(StateEvent::Replaced, Some(200))
        .with_ends(local, Participant::default());
    dialog.duration = Some(Duration::from_secs(274));
    dialog.line = Some(1);
    dialog.exclusive = Some(false);
    let text = DialogInfo::partial(7, "sip:line@pbx.example", vec![dialog]).write();
    let body = text.split_once("\r\n").unwrap().1;
    assert_eq!(
        body,
        "<dialog-info xmlns=\"urn:ietf:params:xml:ns:dialog-info\" \
         xmlns:sa=\"urn:ietf:params:xml:ns:sa-dialog-info\" version=\"7\" state=\"partial\" \
         entity=\"sip:line@pbx.example\">\
         <dialog id=\"1\" call-id=\"c@h\" local-tag=\"l\" remote-tag=\"r\" direction=\"recipient\">\
         <state event=\"replaced\" code=\"200\">confirmed</state><duration>274</duration>\
         <local><identity display=\"&quot;L&quot; &lt;1&gt;\">sip:line@pbx.example</identity>\
         <target uri=\"sip:p1@192.0.2.9\"><param pname=\"x-line-id\" pval=\"1\"/>\
         <param pname=\"+sip.rendering\" pval=\"no\"/></target></local>\
         <sa:exclusive>false</sa:exclusive></dialog></dialog-info>\r\n"
    );
}

/// What has no white space at its ends, which reading takes off.
fn word() -> impl Strategy<Value = String> {
    "[!-~äß€]([ -~äß€]{0,20}[!-~äß€])?"
}

fn identity() -> impl Strategy<Value = Identity> {
    (word(), proptest::option::of(word())).prop_map(|(uri, display)| Identity { uri, display })
}

fn end() -> impl Strategy<Value = Participant> {
    let params = proptest::collection::vec((word(), word()), 0..4);
    let target = (word(), params).prop_map(|(uri, params)| DialogTarget { uri, params });
    (proptest::option::of(identity()), proptest::option::of(target))
        .prop_map(|(identity, target)| Participant { identity, target })
}

fn dialog() -> impl Strategy<Value = Dialog> {
    let states = prop_oneof![
        Just(DialogState::Trying),
        Just(DialogState::Proceeding),
        Just(DialogState::Early),
        Just(DialogState::Confirmed),
        Just(DialogState::Terminated),
    ];
    let event = proptest::option::of(prop_oneof![Just(StateEvent::LocalBye), Just(StateEvent::Timeout)]);
    let direction = proptest::option::of(prop_oneof![Just(Direction::Initiator), Just(Direction::Recipient)]);
    let ids = (word(), proptest::option::of(word()), proptest::option::of(word()));
    let replaces = proptest::option::of((word(), word(), word()));
    let more = (
        event,
        proptest::option::of(100_u16..700),
        proptest::option::of(any::<u32>()),
        replaces,
        proptest::option::of(identity()),
        any::<Option<bool>>(),
    );
    (ids, states, direction, more, end(), end()).prop_map(|(ids, state, direction, more, local, remote)| {
        let mut dialog = Dialog::new(ids.0, state).with_ends(local, remote);
        (dialog.call_id, dialog.remote_tag, dialog.direction) = (ids.1, ids.2, direction);
        (dialog.event, dialog.code) = (more.0, more.1);
        dialog.duration = more.2.map(|seconds| Duration::from_secs(seconds.into()));
        dialog.replaces =
            more.3.map(|(call_id, local_tag, remote_tag)| DialogName { call_id, local_tag, remote_tag });
        (dialog.referred_by, dialog.exclusive) = (more.4, more.5);
        dialog
    })
}

proptest! {
    #[test]
    fn what_is_written_reads_back(
        version in any::<u32>(),
        full in any::<bool>(),
        entity in word(),
        dialogs in proptest::collection::vec(dialog(), 0..5),
    ) {
        let document = DialogInfo { version: Some(version), full, entity, dialogs };
        prop_assert_eq!(read(&document.write()), document);
    }
}

/// One to four bytes or runs are changed, left out, doubled or swapped with another sample's.
pub(crate) fn mutated(sample: &str, rng: &mut Rng) -> Vec<u8> {
    let mut bytes = sample.as_bytes().to_vec();
    for _ in 0..=rng.below(2) {
        let length = u32::try_from(bytes.len()).unwrap();
        let (at, run) = (rng.below(length.max(1)), rng.below(5));
        let range = usize::try_from(at).unwrap()..usize::try_from((at + run).min(length)).unwrap();
        match rng.below(4) {
            0 => drop(bytes.drain(range)),
            1 => bytes.extend_from_within(range),
            2 => bytes[range].reverse(),
            _ => bytes[range].iter_mut().for_each(|byte| *byte = byte.wrapping_add(1)),
        }
    }
    bytes
}

#[test]
fn mutated_documents_never_panic() {
    let mut rng = Rng::from_u64(1);
    let mut set = DialogSet::new();
    let mut taken = 0;
    for _ in 0..4_000 {
        for sample in [ASTERISK, FREESWITCH, KAMAILIO, KAMAILIO_RINGING, BROADWORKS, SHARED] {
            if let Ok(document) = DialogInfo::read(&mutated(sample, &mut rng)) {
                taken += 1;
                assert_eq!(read(&document.write()).dialogs.len(), document.dialogs.len());
                set.apply(document);
                assert!(set.dialogs().len() <= MAX_DIALOGS);
                set.dialogs().iter().for_each(|dialog| drop(dialog.replaces_value()));
            }
        }
    }
    assert!(taken > 1_000, "{taken} of 20000 were still documents");
}
