//! Transfers, subscriptions and messages between user agents on 127.0.0.1.

use crate::loopback::{HIGH, LOW, TonePort, agent, ended, expect, incoming, localhost, tone, within};
use sidetone_hal::net::Protocol;
use sidetone_sip_core::header::ContentType;
use sidetone_sip_core::{Method, StatusCode};
use sidetone_sip_ua::package::blf::BlfState;
use sidetone_sip_ua::package::message_summary::{MessageClass, MessageCount, MessageSummary};
use sidetone_sip_ua::{
    Account, AccountConfig, AgentConfig, CallEvent, Error, IncomingRefer, IncomingSubscription,
    SubscribeKind, SubscribeRequest, SubscriptionEvent, SubscriptionState, UserAgent, UserAgentEvent,
    WatcherEvent, WatcherState,
};

async fn server(name: &str, configure: impl FnOnce(&mut AgentConfig)) -> (UserAgent, Account, String) {
    let mut config = AgentConfig::new([9; 32]);
    configure(&mut config);
    let agent = UserAgent::builder().bind_udp(localhost()).config(config).build().await.unwrap();
    let address = agent.local_addr(Protocol::Udp).unwrap();
    let account = AccountConfig::parse(&format!("sip:{name}@{address}")).unwrap().without_registration();
    let account = agent.add_account(account).await.unwrap();
    (agent, account, format!("sip:{name}@{address}"))
}

async fn referred(agent: &mut UserAgent) -> IncomingRefer {
    loop {
        let event = within("REFER", agent.next_event()).await.expect("the agent runs");
        if let UserAgentEvent::Referred(refer) = event {
            return refer;
        }
    }
}

async fn subscription(agent: &mut UserAgent) -> IncomingSubscription {
    loop {
        let event = within("SUBSCRIBE", agent.next_event()).await.expect("the agent runs");
        if let UserAgentEvent::Subscribe(subscription) = event {
            return subscription;
        }
    }
}

fn target(agent: &UserAgent, name: &str) -> String {
    format!("sip:{name}@{}", agent.local_addr(Protocol::Udp).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blind_transfer_leaves_the_other_two_talking() {
    let (_alice, account) = agent("alice", Protocol::Udp).await;
    let (mut bob, _) = agent("bob", Protocol::Udp).await;
    let (mut carol, _) = agent("carol", Protocol::Udp).await;
    let (device, _) = TonePort::new(LOW, HIGH);
    let mut call = account.call(target(&bob, "bob"), device).await.unwrap();
    let (device, _) = TonePort::new(HIGH, LOW);
    let mut at_bob = incoming(&mut bob).await.answer(device).await.unwrap();
    expect(&mut call, CallEvent::Established).await;
    let (handle, to) = (call.handle(), target(&carol, "carol"));
    let transfer = tokio::spawn(async move { handle.transfer(to).await });
    let refer = referred(&mut bob).await;
    assert_eq!(refer.call(), Some(at_bob.id()));
    let (device, mut heard) = TonePort::new(HIGH, LOW);
    let mut to_carol = within("call", refer.accept(device)).await.unwrap();
    let (device, mut heard_by_carol) = TonePort::new(LOW, HIGH);
    let _at_carol = incoming(&mut carol).await.answer(device).await.unwrap();
    expect(&mut to_carol, CallEvent::Established).await;
    tone(&mut heard).await;
    tone(&mut heard_by_carol).await;
    within("transfer", transfer).await.unwrap().unwrap();
    ended(&mut at_bob).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_that_is_declined_leaves_the_call_as_it_was() {
    let (_alice, account) = agent("alice", Protocol::Udp).await;
    let (mut bob, _) = agent("bob", Protocol::Udp).await;
    let (device, mut heard) = TonePort::new(LOW, HIGH);
    let mut call = account.call(target(&bob, "bob"), device).await.unwrap();
    let (device, _) = TonePort::new(HIGH, LOW);
    let _at_bob = incoming(&mut bob).await.answer(device).await.unwrap();
    expect(&mut call, CallEvent::Established).await;
    let handle = call.handle();
    let transfer = tokio::spawn(async move { handle.transfer("sip:nobody@127.0.0.1:9").await });
    drop(referred(&mut bob).await);
    let result = within("transfer", transfer).await.unwrap();
    assert!(matches!(result, Err(Error::Refused(StatusCode::DECLINE))), "{result:?}");
    tone(&mut heard).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attended_transfer_takes_the_place_of_the_consultation() {
    let (_alice, account) = agent("alice", Protocol::Udp).await;
    let (mut bob, _) = agent("bob", Protocol::Udp).await;
    let (mut carol, _) = agent("carol", Protocol::Udp).await;
    let (device, _) = TonePort::new(LOW, HIGH);
    let mut first = account.call(target(&bob, "bob"), device).await.unwrap();
    let (device, _) = TonePort::new(HIGH, LOW);
    let _at_bob = incoming(&mut bob).await.answer(device).await.unwrap();
    expect(&mut first, CallEvent::Established).await;
    first.hold().await.unwrap();
    let (device, _) = TonePort::new(LOW, HIGH);
    let mut second = account.call(target(&carol, "carol"), device).await.unwrap();
    let (device, _) = TonePort::new(HIGH, LOW);
    let mut at_carol = incoming(&mut carol).await.answer(device).await.unwrap();
    expect(&mut second, CallEvent::Established).await;
    let (one, other) = (first.handle(), second.handle());
    let transfer = tokio::spawn(async move { one.transfer_to(&other).await });
    let (device, mut heard) = TonePort::new(HIGH, LOW);
    let mut to_carol = within("call", referred(&mut bob).await.accept(device)).await.unwrap();
    let replacing = incoming(&mut carol).await;
    assert_eq!(replacing.replaces(), Some(at_carol.id()));
    let (device, _) = TonePort::new(LOW, HIGH);
    let _instead = replacing.answer(device).await.unwrap();
    expect(&mut to_carol, CallEvent::Established).await;
    tone(&mut heard).await;
    within("transfer", transfer).await.unwrap().unwrap();
    ended(&mut at_carol).await;
    ended(&mut first).await;
    ended(&mut second).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watched_extension_rings_talks_and_is_idle_again() {
    let (mut server, _, extension) = server("202", |config| config.packages = vec!["dialog".into()]).await;
    let (_alice, account) = agent("alice", Protocol::Udp).await;
    let mut lamp = account.watch(extension.as_str()).await.unwrap();
    let kind = ContentType::from_static("application", "dialog-info+xml");
    let document = |version: u32, state: &str| {
        format!(
            "<?xml version=\"1.0\"?><dialog-info xmlns=\"urn:ietf:params:xml:ns:dialog-info\" version=\"{version}\" \
             state=\"full\" entity=\"{extension}\"><dialog id=\"1\" direction=\"recipient\"><state>{state}</state>\
             </dialog></dialog-info>"
        )
    };
    let content = Some((kind.clone(), document(0, "early").into()));
    let watcher = subscription(&mut server).await.accept(WatcherState::Active, content).await.unwrap();
    let until = async |lamp: &mut sidetone_sip_ua::WatchedExtension, wanted: fn(&BlfState) -> bool| loop {
        let state = within("lamp", lamp.changed()).await.unwrap();
        if wanted(&state) {
            return;
        }
    };
    until(&mut lamp, |state| matches!(state, BlfState::Ringing(_))).await;
    watcher.notify(kind.clone(), document(1, "confirmed")).await.unwrap();
    until(&mut lamp, |state| matches!(state, BlfState::Busy(_))).await;
    watcher.notify(kind, document(2, "terminated")).await.unwrap();
    until(&mut lamp, |state| matches!(state, BlfState::Idle)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watched_mailbox_is_counted_and_let_go() {
    let (mut server, _, mailbox) =
        server("alice", |config| config.packages = vec!["message-summary".into()]).await;
    let (alice, _) = agent("alice", Protocol::Udp).await;
    let account = AccountConfig::parse(&mailbox).unwrap().without_registration();
    let account = alice.add_account(account).await.unwrap();
    let mut lamp = account.watch_mailbox().await.unwrap();
    let mut count = MessageCount::default();
    (count.new, count.old) = (2, 8);
    let summary = MessageSummary::new(true).with_count(MessageClass::Voice, count);
    let kind = ContentType::from_static("application", "simple-message-summary");
    let content = Some((kind, summary.write().into()));
    let mut watcher = subscription(&mut server).await.accept(WatcherState::Active, content).await.unwrap();
    let told = within("summary", lamp.changed()).await.unwrap();
    assert_eq!(told.count(MessageClass::Voice).map(|count| (count.new, count.old)), Some((2, 8)));
    drop(lamp);
    let event = within("end", watcher.next_event()).await;
    assert!(matches!(event, Some(WatcherEvent::Refreshed(SubscribeKind::Final, _))), "{event:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_body_of_a_subscription_comes_before_its_end() {
    let (mut server, _, address) = server("bob", |config| config.packages = vec!["dialog".into()]).await;
    let (_alice, account) = agent("alice", Protocol::Udp).await;
    let request = SubscribeRequest::new(address.parse().unwrap(), "dialog".parse().unwrap());
    let mut heard = account.subscribe(request).await.unwrap();
    let text = |body: &'static str| Some((ContentType::from_static("text", "plain"), body.into()));
    let asked = subscription(&mut server).await;
    let mut watcher = asked.accept(WatcherState::Active, text("first")).await.unwrap();
    watcher.end("noresource", text("last")).await.unwrap();
    // Both were taken by now; nobody has looked.
    assert!(matches!(within("end", watcher.next_event()).await, Some(WatcherEvent::Ended(None))));
    for body in ["first", "last"] {
        let event = within("NOTIFY", heard.next_event()).await;
        assert!(matches!(&event, Some(SubscriptionEvent::Notify(said)) if said.body == body), "{event:?}");
    }
    let event = within("end", heard.next_event()).await;
    let is_end = matches!(event, Some(SubscriptionEvent::State(SubscriptionState::Ended { .. })));
    assert!(is_end, "{event:?}");
    assert!(within("end", heard.next_event()).await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_arrives_and_what_nobody_takes_is_refused() {
    let (mut bob, _, address) = server("bob", |config| config.methods = vec![Method::MESSAGE]).await;
    let (_alice, account) = agent("alice", Protocol::Udp).await;
    let (sender, to) = (account.clone(), address.clone());
    let sent = tokio::spawn(async move { sender.message(to.as_str(), "lunch?").await });
    let Some(UserAgentEvent::Request(request)) = within("MESSAGE", bob.next_event()).await else {
        panic!("a request")
    };
    assert_eq!(request.request().body, "lunch?");
    request.respond(StatusCode::OK).await.unwrap();
    within("200", sent).await.unwrap().unwrap();
    let sent = tokio::spawn(async move { account.message(address.as_str(), "still there?").await });
    drop(within("MESSAGE", bob.next_event()).await);
    let result = within("501", sent).await.unwrap();
    assert!(matches!(result, Err(Error::Refused(StatusCode::NOT_IMPLEMENTED))), "{result:?}");
}
