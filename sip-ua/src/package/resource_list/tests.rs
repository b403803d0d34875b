use super::*;
use crate::package::Merge;
use crate::package::dialog_info::tests::{ASTERISK, BROADWORKS, mutated};
use crate::package::dialog_info::{self, DialogInfo};
use alloc::vec;
use proptest::prelude::*;
use sidetone_sip_core::Rng;

/// As a BLF list comes, by RFC 4662 and not captured: a root that `start` names, and a part for each member that has a state.
fn sample() -> (ContentType, String) {
    let kind = "multipart/related;type=\"application/rlmi+xml\";start=\"<r0@as>\";boundary=\"=_b1\"";
    let rlmi = "<?xml version=\"1.0\"?>\r\n<list xmlns=\"urn:ietf:params:xml:ns:rlmi\" uri=\"sip:blf@bw.example\" \
        version=\"0\" fullState=\"true\">\r\n<name xml:lang=\"en\">Desk</name>\
        <resource uri=\"sip:5550101@bw.example\"><name>Ada</name><instance id=\"i1\" state=\"active\" cid=\"a1@as\"/>\
        </resource><resource uri=\"sip:103@bw.example\"><instance id=\"i2\" state=\"active\" cid=\"a2@as\"/></resource>\
        <resource uri=\"sip:gone@bw.example\"><instance id=\"i3\" state=\"terminated\" reason=\"noresource\"/></resource>\
        <resource uri=\"sip:quiet@bw.example\"/></list>";
    let dialog_info = "application/dialog-info+xml";
    let part = |kind: &str, id: &str, body: &str| {
        format!(
            "--=_b1\r\nContent-Transfer-Encoding: binary\r\nContent-ID: <{id}>\r\nContent-Type: {kind}\r\n\r\n{body}\r\n"
        )
    };
    let body = [
        part("application/rlmi+xml;charset=\"UTF-8\"", "r0@as", rlmi),
        part(dialog_info, "a1@as", BROADWORKS),
        part(dialog_info, "a2@as", ASTERISK),
        "--=_b1--\r\n".to_string(),
    ];
    (kind.parse().unwrap(), body.concat())
}

fn read(kind: &ContentType, body: impl Into<Bytes>) -> Result<ListDocument, PackageError> {
    ListDocument::read(&Part::new(kind, body))
}

fn active(id: &str, cid: &str) -> Instance {
    Instance::new(id, InstanceState::Active).with_cid(cid)
}

fn kinds(changes: &[ResourceChange]) -> Vec<(&str, &str, ResourceState, bool)> {
    let one = |change: &ResourceChange| change.state.clone();
    changes
        .iter()
        .map(|change| (change.uri.as_str(), change.instance.as_str(), one(change), change.body.is_some()))
        .collect()
}

#[test]
fn a_list_from_a_server_gives_each_member_its_state() {
    let (kind, body) = sample();
    let document = read(&kind, body).unwrap();
    assert_eq!((document.rlmi.version, document.rlmi.full), (Some(0), true));
    let mut list = ResourceList::new();
    let (merge, changes) = list.apply(&document);
    assert_eq!(merge, Merge::Taken);
    assert_eq!(
        kinds(&changes),
        [
            ("sip:5550101@bw.example", "i1", ResourceState::Active, true),
            ("sip:103@bw.example", "i2", ResourceState::Active, true),
            ("sip:gone@bw.example", "i3", ResourceState::Terminated(Some("noresource".into())), false),
        ]
    );
    let state = changes[1].body.as_ref().unwrap();
    assert!(state.kind.is(&dialog_info::CONTENT_TYPE));
    assert!(DialogInfo::read(&state.body).unwrap().dialogs[0].is_held());
    assert_eq!((list.uri(), list.name()), ("sip:blf@bw.example", Some("Desk")));
    assert_eq!(list.resources().count(), 4);
    assert!(list.resources().any(|known| known == ("sip:5550101@bw.example", Some("Ada"))));
    assert_eq!(list.instances("sip:gone@bw.example").count(), 0);
}

#[test]
fn parts_change_what_they_name_and_full_bodies_remove_the_rest() {
    let body = |rlmi| ListDocument::new(rlmi).with_body("c", ContentType::TEXT, "x");
    let mut list = ResourceList::new();
    let both = vec![
        Resource::new("sip:1@x").with_instance(active("a", "c")).with_instance(active("b", "none")),
        Resource::new("sip:2@x").with_instance(Instance::new("a", InstanceState::Pending)),
    ];
    assert_eq!(list.apply(&body(Rlmi::full(3, "sip:l@x", both))).0, Merge::Taken);

    let (merge, changes) = list.apply(&body(Rlmi::partial(
        4,
        "sip:l@x",
        vec![Resource::new("sip:2@x").with_instance(active("a", "c"))],
    )));
    assert_eq!(merge, Merge::Taken);
    assert_eq!(kinds(&changes), [("sip:2@x", "a", ResourceState::Active, true)]);
    assert_eq!(list.instances("sip:1@x").count(), 2);

    let old = Rlmi::full(2, "sip:l@x", vec![]);
    assert_eq!(list.apply(&body(old)), (Merge::Stale, vec![]));
    let later = Rlmi::partial(6, "sip:l@x", vec![]);
    assert_eq!(list.apply(&body(later)).0, Merge::Gap);
    assert!(!list.is_whole());

    let one = vec![Resource::new("sip:1@x").with_instance(active("b", "c"))];
    let (merge, changes) = list.apply(&body(Rlmi::full(7, "sip:l@x", one)));
    assert_eq!(merge, Merge::Taken);
    assert_eq!(
        kinds(&changes),
        [
            ("sip:1@x", "a", ResourceState::Removed, false),
            ("sip:2@x", "a", ResourceState::Removed, false),
            ("sip:1@x", "b", ResourceState::Active, true),
        ]
    );
    assert_eq!(list.resources().count(), 1);
    list.restart();
    assert_eq!(list.apply(&body(Rlmi::full(0, "sip:l@x", vec![]))).0, Merge::Taken);
    assert_eq!(list.resources().count(), 0);
}

#[test]
fn references_to_nothing_or_by_many_do_no_harm() {
    let many = (0..100).map(|id| active(&id.to_string(), "<c>")).collect();
    let rlmi = Rlmi {
        resources: vec![
            Resource { instances: many, ..Resource::new("sip:1@x") },
            Resource::new("sip:2@x").with_instance(active("a", "rlmi@sidetone.invalid")),
            Resource::new("sip:2@x").with_instance(active("b", "cid:d")),
        ],
        ..Rlmi::full(0, "sip:l@x", vec![])
    };
    let document =
        ListDocument::new(rlmi).with_body("c", ContentType::TEXT, "x").with_body("d", ContentType::TEXT, "y");
    let (kind, body) = document.write(&mut Rng::from_u64(3));
    let document = read(&kind, body).unwrap();
    let (_, changes) = ResourceList::new().apply(&document);
    assert_eq!(changes.len(), MAX_INSTANCES + 2);
    let handed_on: Vec<_> = changes.iter().filter_map(|change| change.body.as_ref()).collect();
    assert_eq!(handed_on.iter().map(|body| &body.body[..]).collect::<Vec<_>>(), [b"x", b"y"]);
}

#[test]
fn a_list_within_a_list_is_handed_on_as_it_is() {
    let mut rng = Rng::from_u64(4);
    let inner = ListDocument::new(Rlmi::full(0, "sip:inner@x", vec![Resource::new("sip:1@x")]));
    let (kind, body) = inner.write(&mut rng);
    let resource = Resource::new("sip:inner@x").with_instance(active("a", "c"));
    let outer = ListDocument::new(Rlmi::full(0, "sip:outer@x", vec![resource])).with_body("c", kind, body);
    let (kind, body) = outer.write(&mut rng);
    let (_, changes) = ResourceList::new().apply(&read(&kind, body).unwrap());
    let inside = changes[0].body.as_ref().unwrap();
    assert!(inside.kind.is(&RELATED));
    assert_eq!(read(&inside.kind, inside.body.clone()).unwrap().rlmi, inner.rlmi);
}

#[test]
fn hostile_bodies_are_refused_or_bounded() {
    let (kind, body) = sample();
    for end in (0..body.len()).step_by(7) {
        drop(read(&kind, body.get(..end).unwrap_or_default().to_string()));
    }
    let parts = "--=_b1\r\n\r\nx\r\n".repeat(MAX_PARTS + 1);
    assert!(read(&kind, format!("{parts}--=_b1--")).is_err());
    assert!(read(&kind, "--=_b1\r\nContent-Type: text/plain\r\n\r\nx\r\n--=_b1--").is_err());
    assert!(read(&RELATED, "no boundary").is_err());
    assert!(read(&CONTENT_TYPE, "<list><list>").is_err());
    let resources: String =
        (0..3_000).map(|id| format!("<resource uri='sip:{id}@x'><instance id='a'/></resource>")).collect();
    let text = format!("<list version='99999999999'>{resources}</list>");
    let document = read(&CONTENT_TYPE, text).unwrap();
    assert_eq!((document.rlmi.version, document.rlmi.resources.len()), (None, MAX_RESOURCES));
    let mut list = ResourceList::new();
    for round in 0..5_u32 {
        let resource = |id: u32| Resource::new(format!("sip:{round}.{id}@x")).with_instance(active("a", "c"));
        list.apply(&ListDocument::new(Rlmi::partial(round, "", (0..1_000).map(resource).collect())));
    }
    assert_eq!(list.resources().count(), MAX_RESOURCES);
}

#[test]
fn a_list_that_is_not_first_or_comes_alone_is_found() {
    let (_, body) = sample();
    let kind: ContentType = "multipart/related;start=\"<a1@as>\";boundary=\"=_b1\"".parse().unwrap();
    let document = read(&kind, body).unwrap();
    assert_eq!((document.rlmi.resources.len(), document.bodies.len()), (4, 2));
    let alone = read(&CONTENT_TYPE, "<list uri='sip:l@x' version='1' fullState='0'/>").unwrap();
    assert_eq!(alone.rlmi, Rlmi::partial(1, "sip:l@x", vec![]));
}

#[test]
fn mutated_bodies_never_panic() {
    let (kind, body) = sample();
    let mut rng = Rng::from_u64(2);
    let mut list = ResourceList::new();
    let mut taken = 0;
    for _ in 0..10_000 {
        if let Ok(document) = read(&kind, mutated(&body, &mut rng)) {
            taken += 1;
            let (_, changes) = list.apply(&document);
            for body in changes.iter().filter_map(|change| change.body.as_ref()) {
                drop(DialogInfo::read(&body.body));
            }
            assert!(list.resources().count() <= MAX_RESOURCES);
        }
    }
    assert!(taken > 1_000, "{taken} of 10000 were still lists");
}

fn word() -> impl Strategy<Value = String> {
    "[!-~äß€]([ -~äß€]{0,20}[!-~äß€])?"
}

fn instance() -> impl Strategy<Value = Instance> {
    let states = prop_oneof![
        Just(InstanceState::Active),
        Just(InstanceState::Pending),
        Just(InstanceState::Terminated)
    ];
    (word(), states, proptest::option::of(word()), proptest::option::of("[a-z0-9.%@=+-]{1,20}"))
        .prop_map(|(id, state, reason, cid)| Instance { id, state, reason, cid })
}

proptest! {
    #[test]
    fn what_is_written_reads_back(
        uri in word(),
        version in any::<u32>(),
        full in any::<bool>(),
        name in proptest::option::of(word()),
        resources in proptest::collection::vec(
            (word(), proptest::option::of(word()), proptest::collection::vec(instance(), 0..4)),
            0..6,
        ),
        bodies in proptest::collection::btree_map(
            "[a-z0-9.%@=+-]{1,20}",
            proptest::collection::vec(any::<u8>(), 0..40),
            0..4,
        ),
        seed in any::<u64>(),
    ) {
        let resources = resources.into_iter().map(|(uri, name, instances)| Resource { uri, name, instances });
        let rlmi = Rlmi { uri, version: Some(version), full, name, resources: resources.collect() };
        let mut document = ListDocument::new(rlmi);
        for (cid, body) in bodies {
            document = document.with_body(cid, dialog_info::CONTENT_TYPE, body);
        }
        let (kind, body) = document.write(&mut Rng::from_u64(seed));
        prop_assert!(kind.to_string().contains("type=\"application/rlmi+xml\""), "{}", kind);
        prop_assert_eq!(read(&kind, body).unwrap(), document);
    }
}
