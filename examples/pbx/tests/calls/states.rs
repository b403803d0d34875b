//! Lamps, lists of lamps, waiting messages, settings and rooms: what the PBX tells its subscribers.

use super::*;
use sidetone_pbx::{MemoryMailboxes, RoomConfig, VoicemailConfig};
use sidetone_sip_core::header::{Require, Supported};
use sidetone_sip_core::{Headers, Request};
use sidetone_sip_ua::package::Merge;
use sidetone_sip_ua::package::conference_info::{ConferenceInfo, Roster, Scope};
use sidetone_sip_ua::package::dialog_info::{DialogInfo, DialogSet, DialogState, Direction};
use sidetone_sip_ua::package::feature_sync::{self, Feature, FeatureRequest, read_events};
use sidetone_sip_ua::package::message_summary::{MessageClass, MessageSummary};
use sidetone_sip_ua::package::resource_list::{self, ListDocument};
use sidetone_sip_ua::{SubscribeRequest, Subscription, SubscriptionEvent, SubscriptionState};

impl Site {
    fn request(&self, whom: &str, package: &str) -> SubscribeRequest {
        let to = format!("sip:{whom}@{}", self.pbx.udp_addrs()[0]).parse().unwrap();
        SubscribeRequest::new(to, package.parse().unwrap())
    }
}

/// The next NOTIFY for which `wanted` gives something.
async fn told<T>(
    what: &str,
    subscription: &mut Subscription,
    mut wanted: impl FnMut(&Request) -> Option<T>,
) -> T {
    soon(what, async {
        loop {
            match subscription.next_event().await {
                Some(SubscriptionEvent::Notify(request)) => {
                    if let Some(found) = wanted(&request) {
                        return found;
                    }
                }
                Some(_) => {}
                None => panic!("{what}: the subscription is over"),
            }
        }
    })
    .await
}

/// What a subscriber shows after each NOTIFY, until it is this.
async fn lamp(subscription: &mut Subscription, set: &mut DialogSet, expected: &[DialogState]) {
    told("a lamp", subscription, |request| {
        set.apply(DialogInfo::read(&request.body).unwrap());
        assert!(set.is_whole());
        let states: Vec<DialogState> = set.dialogs().iter().map(|dialog| dialog.state).collect();
        (states == expected).then_some(())
    })
    .await;
}

async fn refused(subscription: &mut Subscription) -> StatusCode {
    soon("a refusal", async {
        loop {
            match subscription.next_event().await {
                Some(SubscriptionEvent::State(state)) => {
                    if let SubscriptionState::Ended { status: Some(status), .. }
                    | SubscriptionState::Waiting { status: Some(status), .. } = state
                    {
                        return status;
                    }
                }
                Some(SubscriptionEvent::Notify(_)) => {
                    panic!("a NOTIFY of what is none of the subscriber's business")
                }
                Some(_) => {}
                None => panic!("the subscription is over without a reason"),
            }
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lamp_shows_a_call_from_its_ring_to_its_end_to_all_who_watch() {
    let site = Site::new(|builder| builder).await;
    let (_alices, alice) = site.phone("alice", Protocol::Udp).await;
    let (mut bobs, bob) = site.phone("bob", Protocol::Udp).await;
    let mut first = alice.subscribe(site.request("bob", "dialog")).await.unwrap();
    let mut second = bob.subscribe(site.request("bob", "dialog")).await.unwrap();
    let (mut alices, mut own) = (DialogSet::new(), DialogSet::new());
    lamp(&mut first, &mut alices, &[]).await;
    lamp(&mut second, &mut own, &[]).await;

    let (low, _ear) = voice(LOW);
    let mut call = alice.call("bob", low).await.unwrap();
    let incoming = services::incoming(&mut bobs).await;
    incoming.ring().await.unwrap();
    lamp(&mut first, &mut alices, &[DialogState::Early]).await;
    lamp(&mut second, &mut own, &[DialogState::Early]).await;
    let dialog = &alices.dialogs()[0];
    assert_eq!(dialog.direction, Some(Direction::Recipient));
    let remote = dialog.remote.identity.as_ref().unwrap();
    assert!(remote.uri.starts_with("sip:alice@"), "{remote:?}");
    // Enough to take the call by Replaces.
    assert!(dialog.replaces_value().is_some());

    let (high, _ear) = voice(HIGH);
    let _answered = incoming.answer(high).await.unwrap();
    established(&mut call).await;
    lamp(&mut first, &mut alices, &[DialogState::Confirmed]).await;
    call.hangup().await.unwrap();
    lamp(&mut first, &mut alices, &[]).await;
    lamp(&mut second, &mut own, &[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_tells_of_all_its_lamps_and_then_of_those_that_change() {
    let site = Site::new(|builder| builder.blf_list("team", ["bob", "601"])).await;
    let (_alices, alice) = site.phone("alice", Protocol::Udp).await;
    let mut headers = Headers::new();
    headers.push(&Supported::from_iter([resource_list::OPTION_TAG]));
    let request = site.request("team", "dialog").with_headers(headers);
    let mut list = alice.subscribe(request).await.unwrap();
    let read = |request: &Request| {
        let require: Require = request.headers.require().unwrap();
        assert!(require.0.iter().any(|tag| *tag == *resource_list::OPTION_TAG));
        ListDocument::read(&request.content()).unwrap()
    };
    let states = |document: &ListDocument| -> Vec<(String, Vec<DialogState>)> {
        let resources = document.rlmi.resources.iter();
        resources
            .map(|resource| {
                let body = document.body_of(&resource.instances[0]).unwrap();
                let info = DialogInfo::read(&body.body).unwrap();
                (resource.uri.clone(), info.dialogs.iter().map(|dialog| dialog.state).collect())
            })
            .collect()
    };
    let host = site.pbx.udp_addrs()[0].to_string();
    let uri = |user: &str| format!("sip:{user}@{host}");
    let first = told("the list", &mut list, |request| Some(read(request))).await;
    assert!(first.rlmi.full);
    assert_eq!(states(&first), [(uri("bob"), vec![]), (uri("601"), vec![])]);

    let (low, _ear) = voice(LOW);
    let _call = alice.call("601", low).await.unwrap();
    let next = told("a change", &mut list, |request| Some(read(request))).await;
    assert!(!next.rlmi.full && next.rlmi.version == Some(1));
    assert_eq!(states(&next), [(uri("601"), vec![DialogState::Early])]);

    // Who cannot read a list gets none.
    let mut other = alice.subscribe(site.request("team", "dialog")).await.unwrap();
    assert_eq!(refused(&mut other).await, StatusCode::EXTENSION_REQUIRED);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_waits_is_told_to_its_owner_alone() {
    let store = MemoryMailboxes::new();
    let site = Site::new(|builder| builder.voicemail("*98", "*97", VoicemailConfig::default(), store)).await;
    let (_alices, alice) = site.phone("alice", Protocol::Udp).await;
    let (_bobs, bob) = site.phone("bob", Protocol::Udp).await;
    let mut waiting = bob.subscribe(site.request("bob", "message-summary")).await.unwrap();
    let count = |request: &Request| {
        let summary = MessageSummary::parse(&request.body).unwrap();
        let voice = summary.count(MessageClass::Voice).unwrap();
        (summary.waiting, voice.new, voice.old)
    };
    let first = told("no message", &mut waiting, |request| Some(count(request))).await;
    assert_eq!(first, (false, 0, 0));
    let mut foreign = alice.subscribe(site.request("bob", "message-summary")).await.unwrap();
    assert_eq!(refused(&mut foreign).await, StatusCode::FORBIDDEN);

    let mut features = site.pbx.features("bob").await;
    features.do_not_disturb = true;
    assert!(site.pbx.set_features("bob", features).await);
    let (low, mut ear) = voice(LOW);
    let mut call = alice.call("bob", low).await.unwrap();
    established(&mut call).await;
    ear.hears(1000.0).await;
    ear.hears_silence().await;
    call.hangup().await.unwrap();
    let next = told("a message", &mut waiting, |request| Some(count(request))).await;
    assert_eq!(next, (true, 1, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_are_the_same_at_the_telephone_and_at_the_server() {
    let site = Site::new(|builder| builder).await;
    let (_alices, alice) = site.phone("alice", Protocol::Udp).await;
    let mut sync = alice.subscribe(site.request("alice", feature_sync::EVENT)).await.unwrap();
    // While the subscription is on its way, too.
    sync.say(feature_sync::CONTENT_TYPE, FeatureRequest::do_not_disturb(true).write()).await.unwrap();
    let quiet = |request: &Request| {
        let kind = request.headers.require().unwrap();
        let events = read_events(&kind, &request.body).unwrap();
        events.iter().find_map(|event| match event.feature {
            Feature::DoNotDisturb(on) => Some(on),
            _ => None,
        })
    };
    told("do not disturb", &mut sync, |request| (quiet(request) == Some(true)).then_some(())).await;
    let mut features = site.pbx.features("alice").await;
    assert!(features.do_not_disturb);
    features.do_not_disturb = false;
    assert!(site.pbx.set_features("alice", features).await);
    told("disturb", &mut sync, |request| (quiet(request) == Some(false)).then_some(())).await;
    // What was said once is not said again by what follows it.
    sync.say(feature_sync::CONTENT_TYPE, FeatureRequest::do_not_disturb(true).write()).await.unwrap();
    told("do not disturb", &mut sync, |request| (quiet(request) == Some(true)).then_some(())).await;
    assert!(site.pbx.set_features("alice", Features::default()).await);
    told("disturb", &mut sync, |request| (quiet(request) == Some(false)).then_some(())).await;
    sync.refresh().await.unwrap();
    assert!(!told("a refresh", &mut sync, quiet).await);
    // Several at once are said in their order.
    for on in [true, false, true] {
        sync.say(feature_sync::CONTENT_TYPE, FeatureRequest::do_not_disturb(on).write()).await.unwrap();
    }
    told("the last", &mut sync, |request| (quiet(request) == Some(true)).then_some(())).await;
    let mut foreign = alice.subscribe(site.request("bob", feature_sync::EVENT)).await.unwrap();
    assert_eq!(refused(&mut foreign).await, StatusCode::FORBIDDEN);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_in_a_room_is_told() {
    let site =
        Site::new(|builder| builder.extension("800", Service::Conference(RoomConfig::default()))).await;
    let (_alices, alice) = site.phone("alice", Protocol::Udp).await;
    let (_bobs, bob) = site.phone("bob", Protocol::Udp).await;
    let mut room = alice.subscribe(site.request("800", "conference")).await.unwrap();
    let mut roster = Roster::default();
    let mut users = |request: &Request| {
        let document = ConferenceInfo::parse(&request.body).unwrap();
        let scope = document.scope;
        assert_eq!(roster.merge(document), Merge::Taken);
        (scope, roster.present().map(|user| user.entity.clone()).collect::<Vec<_>>())
    };
    // All of it first, and then what changed.
    assert_eq!(told("nobody", &mut room, |request| Some(users(request))).await, (Scope::Full, Vec::new()));
    let (low, _ear) = voice(LOW);
    let mut call = bob.call("800", low).await.unwrap();
    established(&mut call).await;
    // The room is the focus, and says so.
    let focus = call.focus().await.unwrap().expect("a focus");
    assert_eq!(focus.user().as_deref(), Some("800"));
    let (scope, joined) = told("bob", &mut room, |request| Some(users(request))).await;
    assert!(scope == Scope::Partial && joined.len() == 1 && joined[0].starts_with("sip:bob@"), "{joined:?}");
    call.hangup().await.unwrap();
    assert_eq!(told("nobody", &mut room, |request| Some(users(request))).await, (Scope::Partial, Vec::new()));
    let mut none = alice.subscribe(site.request("600", "conference")).await.unwrap();
    assert_eq!(refused(&mut none).await, StatusCode::NOT_FOUND);
}
