use super::*;
use crate::package::Merge;

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
    assert_eq!(roster.merge(document), Merge::Taken);
    assert_eq!(names(&roster), ["Bob Hoskins", "Alice"]);
    assert_eq!(roster.present().map(User::name).collect::<Vec<_>>(), ["Alice"]);
}

#[test]
fn partial_documents_change_only_what_they_tell() {
    let mut roster = Roster::default();
    assert_eq!(roster.merge(read(FULL)), Merge::Taken);
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
    assert_eq!(roster.merge(document), Merge::Taken);
    let alice = &roster.users()[1];
    assert_eq!((alice.name(), alice.endpoints.len()), ("Alice", 1));
    assert_eq!(alice.endpoints[0].status, Some(EndpointStatus::MutedViaFocus));
    assert_eq!(alice.endpoints[0].joined, Some(Joining::DialedOut), "not told of, so as it was");
    assert_eq!(alice.endpoints[0].media[0].status, Some(MediaStatus::RecvOnly));
    assert_eq!(roster.state.user_count, Some(33));

    let carol = User::new("sip:carol@example.com").with_name("Carol");
    assert_eq!(roster.merge(change(1, carol.clone())), Merge::Stale);
    assert_eq!(roster.merge(change(4, carol)), Merge::Gap, "taken, but ask for the rest");
    let bob = User::new("sip:bob@example.com").with_scope(Scope::Deleted);
    assert_eq!(roster.merge(change(5, bob)), Merge::Taken);
    assert_eq!(names(&roster), ["Alice", "Carol"]);
    let gone = Endpoint::default().with_scope(Scope::Deleted);
    let gone = Endpoint { entity: endpoint.into(), ..gone };
    let alice = User::new("sip:alice@example.com").with_scope(Scope::Partial).with_endpoint(gone);
    assert_eq!(roster.merge(change(6, alice)), Merge::Taken);
    assert_eq!(roster.users()[0].endpoints, []);
    let full_list = ConferenceInfo::new("", 7, Scope::Partial)
        .with_users(Scope::Full, alloc::vec![User::new("sip:dave@example.com")]);
    assert_eq!(roster.merge(full_list), Merge::Taken);
    assert_eq!(
        (names(&roster), roster.entity.as_str()),
        (alloc::vec!["sip:dave@example.com"], "sips:conf233@example.com")
    );
    assert_eq!(roster.merge(ConferenceInfo::new("", 8, Scope::Deleted)), Merge::Taken);
    assert!(roster.is_over && roster.users().is_empty());
    roster.clear();
    assert_eq!(roster.merge(read(FULL)), Merge::Taken);
}

#[test]
fn servers_that_leave_out_states_and_versions_are_understood() {
    let body =
        |users: &str| format!("<conference-info entity='sip:1@b'><users>{users}</users></conference-info>");
    let mut roster = Roster::default();
    let one = read(&body("<user entity='a'><endpoint><status>Connected</status></endpoint></user>"));
    assert_eq!((one.version, one.scope), (None, Scope::Full));
    assert_eq!(roster.merge(one), Merge::Taken);
    assert_eq!(roster.users()[0].endpoints[0].entity, "a");
    assert_eq!(
        roster.merge(read(&body("<user entity='b'><endpoint><status>so-so</status></endpoint></user>"))),
        Merge::Taken
    );
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
        let text = format!(
            "<conference-info version='{version}' state='{}'><users state='partial'>{users}</users></conference-info>",
            if version == 0 { "full" } else { "partial" }
        );
        assert_eq!(roster.merge(read(&text)), Merge::Taken);
    }
    assert_eq!(roster.users().len(), MAX_USERS);
    let parts = "<endpoint entity='e'/>".repeat(100);
    let user =
        read(&format!("<conference-info><users><user entity='a'>{parts}</user></users></conference-info>"));
    assert_eq!(user.users.unwrap().1[0].endpoints.len(), MAX_PARTS);
}
