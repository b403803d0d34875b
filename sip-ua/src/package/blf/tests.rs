use super::*;
use crate::package::dialog_info::tests::{
    ASTERISK, BROADWORKS, FREESWITCH, KAMAILIO, KAMAILIO_IDLE, KAMAILIO_RINGING, mutated,
};
use crate::package::dialog_info::{self, DialogTarget, Participant};
use crate::package::resource_list::{Instance, InstanceState, ListDocument, Resource, Rlmi};
use alloc::string::ToString;
use alloc::{format, vec, vec::Vec};
use sidetone_sip_core::Rng;

/// As FreeSWITCH's valet parking writes an occupied place.
const VALET: &str = r#"<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="4" state="full"
 entity="sip:6000@pbx.example"><dialog id="u1" direction="recipient"><state>confirmed</state>
 <local><identity display="6000">sip:6000@pbx.example;proto=park</identity><target uri="sip:6000@pbx.example">
 <param pname="+sip.rendering" pvalue="no"/></target></local>
 <remote><identity display="park">sip:6000@pbx.example</identity><target uri="sip:park+6000"/></remote>
 </dialog></dialog-info>"#;

/// As an older one did.
const FIFO: &str = r#"<dialog-info version="2" state="full" entity="sip:park+6000@pbx.example"><dialog id="u1">
 <state>confirmed</state><local><identity display="parking">sip:parking@pbx.example;fifo=6000</identity></local>
 <remote><identity display="Ada">sip:2123@pbx.example</identity></remote></dialog></dialog-info>"#;

fn blf(text: &str) -> Blf {
    let mut blf = Blf::new();
    blf.apply(DialogInfo::read(text.as_bytes()).unwrap());
    blf
}

fn of(dialogs: Vec<Dialog>) -> Blf {
    let mut blf = Blf::new();
    blf.apply(DialogInfo::full(0, "sip:102@x", dialogs));
    blf
}

fn dialog(id: &str, state: DialogState, direction: Direction) -> Dialog {
    Dialog::new(id, state).with_direction(direction)
}

fn held(id: &str) -> Dialog {
    let target = DialogTarget::new("sip:102@x").with_rendering(false);
    Dialog::new(id, DialogState::Confirmed)
        .with_ends(Participant::new(None, Some(target)), Participant::default())
}

fn ringing(state: BlfState) -> Ringing {
    match state {
        BlfState::Ringing(ringing) => ringing,
        other => panic!("{other:?} does not ring"),
    }
}

#[test]
fn what_servers_write_lights_the_lamp() {
    assert!(matches!(blf(ASTERISK).state(), BlfState::Held(_)));
    let call = ringing(blf(FREESWITCH).state());
    assert_eq!(call.call.peer.unwrap().label(), "Zoë & Co");
    assert_eq!(call.pickup.target.unwrap().as_str(), "sip:**2122@pbx.example");
    assert_eq!(call.pickup.replaces.unwrap().to_string(), "c1@192.0.2.4;to-tag=rt9;from-tag=lt8;early-only");
    let BlfState::Busy(call) = blf(KAMAILIO).state() else { panic!("a call is busy") };
    assert_eq!((call.direction, &*call.peer.unwrap().number()), (Some(Direction::Initiator), "alice"));
    let call = ringing(blf(KAMAILIO_RINGING).state());
    assert_eq!(call.call.peer.unwrap().number(), "alice");
    assert_eq!(call.pickup.target.unwrap().as_str(), "sip:alice@127.0.0.1:36638");
    assert_eq!(blf(KAMAILIO_IDLE).state(), BlfState::Idle);
    let call = ringing(blf(BROADWORKS).state());
    assert_eq!((&*call.call.peer.as_ref().unwrap().label(), call.pickup.replaces), ("Ada", None));
    let idle = "<dialog-info version='9' state='full' entity='sip:103@x'><dialog id='103'>\
        <state>terminated</state></dialog></dialog-info>";
    assert_eq!(blf(idle).state(), BlfState::Idle);
    assert_eq!(blf("<dialog-info version='0' state='full' entity='sip:1@x'/>").state(), BlfState::Idle);
}

#[test]
fn parked_calls_are_told_apart() {
    let parked = Parked { who: None, retrieve: Some("sip:park+6000".into()) };
    assert_eq!(blf(VALET).state(), BlfState::Parked(parked));
    let BlfState::Parked(parked) = blf(FIFO).state() else { panic!("a place is occupied") };
    assert_eq!(parked.who.unwrap().label(), "Ada");
    assert_eq!(parked.retrieve.unwrap(), "sip:park+6000@pbx.example");
    let mut orbit = Blf::orbit();
    orbit.apply(DialogInfo::full(0, "sip:701@x", vec![Dialog::new("701", DialogState::Confirmed)]));
    assert_eq!(orbit.state(), BlfState::Parked(Parked { who: None, retrieve: Some("sip:701@x".into()) }));

    let mut extension = of(vec![held("1")]);
    let park = CallPark { parked: Some(Identity::new("sip:c@bw.example").with_display("C. Parked")) };
    let read = CallPark::read(park.write().as_bytes()).unwrap();
    assert_eq!(read, park);
    extension.set_parked(read.parked);
    assert_eq!(extension.state().peer().unwrap().label(), "C. Parked");
    let none = CallPark::default();
    assert_eq!(CallPark::read(none.write().as_bytes()).unwrap(), none);
    extension.set_parked(None);
    assert!(matches!(extension.state(), BlfState::Held(_)));
    assert!(CallPark::read(b"<callpark/>").is_err());
    let nameless = b"<x-broadworks-callpark-info><callpark><parked/></callpark></x-broadworks-callpark-info>";
    assert!(CallPark::read(nameless).unwrap().parked.is_some());
}

#[test]
fn of_several_calls_the_one_that_asks_most_is_shown() {
    use DialogState::{Confirmed, Early, Trying};
    let early = |id| dialog(id, Early, Direction::Recipient);
    let talking = dialog("t", Confirmed, Direction::Initiator);
    assert!(matches!(of(vec![held("h")]).state(), BlfState::Held(_)));
    assert!(matches!(of(vec![held("h"), talking.clone()]).state(), BlfState::Busy(_)));
    assert!(matches!(of(vec![dialog("o", Early, Direction::Initiator)]).state(), BlfState::Busy(_)));
    assert!(matches!(of(vec![Dialog::new("s", Trying)]).state(), BlfState::Busy(_)), "a seized line");

    let alone = ringing(of(vec![held("h"), early("b"), early("a")]).state());
    assert_eq!((alone.call.id.as_deref(), alone.is_busy), (Some("b"), false), "the one that rings longest");
    let mut blf = of(vec![talking.clone(), early("a")]);
    assert!(ringing(blf.state()).is_busy);
    blf.apply(DialogInfo::partial(1, "", vec![Dialog::new("a", DialogState::Terminated)]));
    assert!(matches!(blf.state(), BlfState::Busy(_)));
    blf.apply(DialogInfo::partial(2, "", vec![Dialog::new("t", DialogState::Terminated)]));
    assert_eq!(blf.state(), BlfState::Idle);
}

#[test]
fn what_is_not_known_says_why() {
    let mut blf = Blf::new();
    assert_eq!(blf.state(), BlfState::Unknown(Unknown::Waiting));
    assert_eq!(Watch::of(&SubscriptionState::active(600)), Watch::Active);
    blf.watch(Watch::of(&SubscriptionState::pending(600)));
    assert_eq!(blf.state(), BlfState::Unknown(Unknown::Pending));
    blf.apply(DialogInfo::full(0, "", vec![held("h")]));
    assert!(matches!(blf.state(), BlfState::Held(_)), "what tells something is active");
    let rejected = Unknown::Ended(Some("rejected".into()));
    blf.watch(Watch::of(&SubscriptionState::terminated("rejected")));
    assert_eq!(blf.state(), BlfState::Unknown(rejected));
    assert!(blf.dialogs().dialogs().is_empty());
    blf.watch(Watch::Inactive(Unknown::Refused(403)));
    assert_eq!(blf.state(), BlfState::Unknown(Unknown::Refused(403)));
    blf.watch(Watch::Active);
    assert_eq!(blf.state(), BlfState::Unknown(Unknown::Waiting));
}

#[test]
fn hints_fill_in_what_dialogs_do_not_tell() {
    let mut blf = Blf::new();
    for (word, state) in [
        ("NOT_INUSE", BlfState::Idle),
        ("Unavailable", BlfState::Offline),
        ("closed", BlfState::Offline),
        ("do-not-disturb", BlfState::DoNotDisturb),
        ("On the phone", BlfState::Busy(BlfCall::default())),
        ("ONHOLD", BlfState::Held(BlfCall::default())),
        ("Ringing", BlfState::Ringing(Ringing::default())),
    ] {
        blf.set_hint(Hint::from_word(word));
        assert_eq!(blf.state(), state, "{word}");
    }
    assert_eq!(Hint::from_word("sleeping"), None);
    assert_eq!(Hint::from_word(&"busy ".repeat(1_000)), None);

    let mut blf = of(vec![]);
    assert_eq!(blf.state(), BlfState::Idle);
    blf.set_hint(Some(Hint::Offline));
    assert_eq!(blf.state(), BlfState::Offline, "no calls, because nobody is there");
    blf.apply(DialogInfo::full(1, "", vec![held("h")]));
    assert!(matches!(blf.state(), BlfState::Held(_)), "calls are stronger");
}

#[test]
fn an_alert_is_for_each_new_call() {
    let first = of(vec![dialog("1", DialogState::Early, Direction::Recipient)]).state();
    let second = of(vec![dialog("2", DialogState::Early, Direction::Recipient)]).state();
    assert!(first.begins_ringing(&BlfState::Idle));
    assert!(!first.begins_ringing(&first));
    assert!(second.begins_ringing(&first));
    assert!(!BlfState::Idle.begins_ringing(&first));
}

#[test]
fn a_press_does_what_the_state_allows() {
    let rings = blf(FREESWITCH).state();
    let unknown_ids = blf(BROADWORKS).state();
    let busy = BlfState::Busy(BlfCall::default());
    let alone = BlfState::Busy(BlfCall { exclusive: true, ..BlfCall::default() });
    let call = BlfKey::new("102");
    let blind = BlfKey::new("102").with_kind(BlfKind::BlindTransfer);
    let attended = BlfKey::new("102").with_kind(BlfKind::AttendedTransfer);
    let coded = BlfKey::new("102").with_pickup_code("**").with_barge_in_code("*33").with_retrieve_code("*88");

    assert_eq!(call.press(&BlfState::Idle, true), BlfAction::Call("102".into()));
    assert_eq!(blind.press(&BlfState::Idle, true), BlfAction::BlindTransfer("102".into()));
    assert_eq!(attended.press(&BlfState::Idle, true), BlfAction::AttendedTransfer("102".into()));
    assert_eq!(attended.press(&BlfState::Idle, false), BlfAction::Call("102".into()));

    for state in [&busy, &BlfState::Offline, &BlfState::DoNotDisturb, &BlfState::Unknown(Unknown::Waiting)] {
        assert_eq!(call.press(state, false), BlfAction::Call("102".into()));
        assert_eq!(blind.press(state, true), BlfAction::Nothing, "a call is not lost to whoever is busy");
        assert_eq!(attended.press(state, true), BlfAction::Nothing);
    }
    assert_eq!(coded.press(&busy, false), BlfAction::BargeIn("*33102".into()));
    assert_eq!(coded.press(&alone, false), BlfAction::Call("102".into()));

    assert!(matches!(call.press(&rings, false), BlfAction::PickUp(pickup) if pickup.replaces.is_some()));
    assert_eq!(coded.press(&rings, false), BlfAction::PickUpByCode("**102".into()));
    assert_eq!(blind.press(&unknown_ids, true), BlfAction::Nothing);
    assert_eq!(call.press(&unknown_ids, false), BlfAction::Call("102".into()));
    let empty = BlfKey::new("102").with_pickup_code("");
    assert!(matches!(empty.press(&rings, false), BlfAction::PickUp(_)));

    assert_eq!(call.press(&blf(VALET).state(), false), BlfAction::Retrieve("sip:park+6000".into()));
    assert_eq!(coded.press(&blf(VALET).state(), false), BlfAction::Retrieve("*88102".into()));
    let parked = BlfState::Parked(Parked::default());
    assert_eq!(call.press(&parked, false), BlfAction::Retrieve("102".into()));
}

#[test]
fn the_lamps_of_the_sayhi_are_those_of_its_manual() {
    let table = LampTable::SAYHI_6XX;
    assert_eq!(table.lamp(&BlfState::Idle), Lamp::steady(Colour::YellowGreen));
    assert_eq!(table.lamp(&blf(KAMAILIO).state()), Lamp::steady(Colour::Red));
    assert_eq!(table.lamp(&blf(FREESWITCH).state()), Lamp::blinking(Colour::Red, Blink::Fast));
    let common = LampTable::COMMON;
    assert_eq!(common.lamp(&BlfState::Unknown(Unknown::Waiting)), Lamp::OFF);
    assert_eq!(common.lamp(&BlfState::Offline), Lamp::OFF);
    assert_eq!(common.lamp(&blf(VALET).state()), Lamp::blinking(Colour::Red, Blink::Slow));
    assert_eq!(common.lamp(&blf(ASTERISK).state()), Lamp::blinking(Colour::Red, Blink::Slow));
    assert_eq!(common.lamp(&BlfState::DoNotDisturb), Lamp::steady(Colour::Red));
}

fn active(id: &str, cid: &str) -> Instance {
    Instance::new(id, InstanceState::Active).with_cid(cid)
}

fn with(document: ListDocument, cid: &str, body: &str) -> ListDocument {
    document.with_body(cid, dialog_info::CONTENT_TYPE, body.to_string())
}

#[test]
fn a_list_lights_many_lamps() {
    let (ada, bob, eve) = ("sip:5550101@x", "sip:103@x", "sip:eve@x");
    let resources = vec![
        Resource::new(ada).with_name("Ada").with_instance(active("1", "c1")),
        Resource::new(bob).with_instance(active("1", "c2")).with_instance(active("2", "c3")),
        Resource::new(eve)
            .with_instance(Instance::new("1", InstanceState::Terminated).with_reason("noresource")),
        Resource::new("sip:quiet@x"),
    ];
    let document = ListDocument::new(Rlmi::full(0, "sip:list@x", resources));
    let document = with(with(with(document, "c1", BROADWORKS), "c2", ASTERISK), "c3", KAMAILIO);
    let mut list = BlfList::new();
    let update = list.apply(&document);
    assert_eq!((update.merge, update.changed.len(), update.errors.len()), (Merge::Taken, 4, 0));
    assert!(matches!(list.state(bob), Some(BlfState::Busy(_))), "one telephone holds, the other talks");
    assert_eq!(list.state(eve), Some(BlfState::Unknown(Unknown::Ended(Some("noresource".into())))));
    assert_eq!(list.state("sip:quiet@x"), Some(BlfState::Unknown(Unknown::Waiting)));
    assert_eq!(list.state("sip:nobody@x"), None);
    let (uri, state) = list.ringing().unwrap();
    assert_eq!((uri, ringing(state).call.peer.unwrap().label().as_ref()), (ada, "Ada"));
    assert_eq!(list.find("103"), Some(bob));
    assert!(list.members().any(|(uri, name, _)| (uri, name) == (ada, Some("Ada"))));

    // Ada's call ends in part, Bob's second telephone is switched off, and one state is no document.
    let over = "<dialog-info version='1' state='partial'><dialog id='Y2FsbDI6MA=='><state>terminated</state>\
        </dialog></dialog-info>";
    let resources = vec![
        Resource::new(ada).with_instance(active("1", "c1")),
        Resource::new(bob)
            .with_instance(Instance::new("2", InstanceState::Terminated))
            .with_instance(active("1", "c2")),
    ];
    let document = ListDocument::new(Rlmi::partial(1, "sip:list@x", resources));
    let update = list.apply(&with(with(document, "c1", over), "c2", "<html/>"));
    assert_eq!(update.changed, [bob, ada]);
    assert_eq!(update.errors.len(), 1);
    assert_eq!(list.state(ada), Some(BlfState::Idle));
    assert!(matches!(list.state(bob), Some(BlfState::Held(_))));
    assert!(list.ringing().is_none());

    // A lost part of one member asks for the list anew; a lost list too.
    let late = "<dialog-info version='9' state='partial'/>";
    let one = vec![Resource::new(ada).with_instance(active("1", "c1"))];
    let document = ListDocument::new(Rlmi::partial(2, "sip:list@x", one));
    assert_eq!(list.apply(&with(document, "c1", late)).merge, Merge::Gap);
    let document = ListDocument::new(Rlmi::partial(9, "sip:list@x", vec![]));
    assert_eq!(list.apply(&document).merge, Merge::Gap);

    let document = ListDocument::new(Rlmi::full(10, "sip:list@x", vec![Resource::new(ada)]));
    let update = list.apply(&document);
    assert_eq!(update.changed, [bob, ada, eve, "sip:quiet@x"]);
    assert_eq!(list.members().count(), 1);
    list.end(&Unknown::Unreachable);
    assert_eq!(list.state(ada), Some(BlfState::Unknown(Unknown::Unreachable)));
}

#[test]
fn mutated_states_never_panic() {
    let mut rng = Rng::from_u64(3);
    let mut lamp = Blf::new();
    let key = BlfKey::new("102");
    let mut lit = 0;
    for _ in 0..4_000 {
        for sample in [FREESWITCH, KAMAILIO, BROADWORKS, VALET, FIFO] {
            let bytes = mutated(sample, &mut rng);
            if let Ok(document) = DialogInfo::read(&bytes) {
                lamp.apply(document);
                let state = lamp.state();
                lit += usize::from(!matches!(state, BlfState::Idle));
                drop(key.press(&state, true));
                drop(state.peer().map(|peer| peer.label().into_owned()));
            }
            let text = String::from_utf8_lossy(&bytes);
            assert!(Hint::from_word(&text).is_none());
        }
    }
    assert!(lit > 1_000, "{lit} of 20000 lit the lamp");
}

#[test]
fn five_hundred_lamps_take_one_body_each_time() {
    let uri = |id: u32| format!("sip:{id}@x");
    let resource = |id: u32| Resource::new(uri(id)).with_instance(active("1", &format!("c{id}")));
    let all = (0..500).map(resource).collect();
    let mut document = ListDocument::new(Rlmi::full(0, "sip:list@x", all));
    for id in 0..500 {
        document = with(document, &format!("c{id}"), ASTERISK);
    }
    let (kind, body) = document.write(&mut Rng::from_u64(5));
    let document = ListDocument::read(&sidetone_sip_core::Part::new(&kind, body)).unwrap();
    let mut list = BlfList::new();
    assert_eq!(list.apply(&document).changed.len(), 500);
    assert!(list.members().all(|(_, _, state)| matches!(state, BlfState::Held(_))));
}
