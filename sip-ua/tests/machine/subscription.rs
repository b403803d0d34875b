//! Subscriptions, both sides of the wire (RFC 6665).

use crate::net::Net;
use bytes::Bytes;
use sidetone_hal::time::Duration;
use sidetone_sip_core::header::{Accept, ContentType, Expires, SubscriptionState as StateHeader};
use sidetone_sip_core::{Method, StatusCode};
use sidetone_sip_ua::feature::plug_and_play::PlugAndPlay;
use sidetone_sip_ua::package::device::{Profile, ProfileRequest};
use sidetone_sip_ua::{
    AccountConfig, AgentConfig, Event, OutgoingRequest, ResubscribeRule, SubscribeKind, SubscribeRequest,
    SubscriptionId, SubscriptionRules, SubscriptionState, WatcherId, WatcherState,
};

fn configure(_: &'static str, config: &mut AgentConfig) {
    config.packages = vec!["dialog".into()];
    config.methods = vec![Method::MESSAGE];
    config.unsolicited = vec!["check-sync".into()];
}

fn net() -> Net {
    Net::new(&["alice", "bob"], configure)
}

fn text(body: &'static str) -> Option<(ContentType, Bytes)> {
    Some((ContentType::from_static("text", "plain"), Bytes::from_static(body.as_bytes())))
}

fn subscribe(net: &mut Net, expires: u64) -> SubscriptionId {
    let to = net.uri("bob");
    let request =
        SubscribeRequest::new(to, "dialog".parse().unwrap()).with_expires(Duration::from_secs(expires));
    net.at("alice", |now, agent, account| agent.subscribe(now, account, request).unwrap())
}

/// Bob takes what waits for him.
fn accept(net: &mut Net, body: &'static str) -> WatcherId {
    let asked = net.events("bob").into_iter().find_map(|event| match event {
        Event::Subscribe { watcher, kind: SubscribeKind::New, .. } => Some(watcher),
        _ => None,
    });
    let watcher = asked.expect("somebody subscribes");
    net.at("bob", |now, agent, _| {
        agent.accept_subscription(now, watcher, WatcherState::Active, text(body)).unwrap();
    });
    watcher
}

/// What Alice heard: states as words, bodies in quotes.
fn heard(net: &mut Net) -> Vec<String> {
    let of = |event| match event {
        Event::Subscription { state, .. } => match state {
            SubscriptionState::Subscribing => "subscribing".to_string(),
            SubscriptionState::Pending { .. } => "pending".to_string(),
            SubscriptionState::Active { .. } => "active".to_string(),
            SubscriptionState::Waiting { reason, .. } => format!("waiting: {reason}"),
            SubscriptionState::Ended { reason, .. } => format!("ended: {reason}"),
            other => format!("{other:?}"),
        },
        Event::Notify { request, .. } => format!("'{}'", String::from_utf8_lossy(&request.body)),
        other => format!("{other:?}"),
    };
    net.events("alice").into_iter().map(of).collect()
}

#[test]
fn a_state_is_told_at_once_and_with_each_change() {
    let mut net = net();
    subscribe(&mut net, 600);
    let watcher = accept(&mut net, "one");
    assert_eq!(
        net.said(),
        [
            "alice -> bob: SUBSCRIBE",
            "bob -> alice: 200 SUBSCRIBE",
            "bob -> alice: NOTIFY",
            "alice -> bob: 200 NOTIFY"
        ]
    );
    net.at("bob", |now, agent, _| agent.notify(now, watcher, text("two")).unwrap());
    assert_eq!(heard(&mut net), ["subscribing", "active", "'one'", "'two'"]);
}

/// What Bob is asked by, as it came over the wire.
fn asked_of(net: &mut Net) -> Box<sidetone_sip_core::Request> {
    let asked = net.events("bob").into_iter().find_map(|event| match event {
        Event::Subscribe { request, .. } => Some(request),
        _ => None,
    });
    asked.expect("somebody subscribes")
}

/// RFC 6665 §3.1.3. Kamailio looks at it, SIPp found that it named what calls take.
#[test]
fn a_subscription_names_what_its_bodies_may_be_and_not_what_calls_take() {
    let mut net = net();
    let kind = ContentType::from_static("application", "dialog-info+xml");
    let request = SubscribeRequest::new(net.uri("bob"), "dialog".parse().unwrap()).accepting(kind.clone());
    net.at("alice", |now, agent, account| agent.subscribe(now, account, request).unwrap());
    assert_eq!(asked_of(&mut net).headers.require::<Accept>().unwrap(), Accept(vec![kind]));
    subscribe(&mut net, 600);
    assert!(asked_of(&mut net).headers.get::<Accept>().is_none(), "the package's own type counts");
}

/// RFC 6080 as deployed: asked once, told once, and nothing is left.
#[test]
fn plug_and_play_asks_once_and_is_told_where_the_settings_are() {
    let mut net = Net::new(&["alice", "bob"], |_, config| config.packages = vec!["ua-profile".into()]);
    let asked = PlugAndPlay::new([0, 0x15, 0x65, 1, 2, 3], ProfileRequest::new("v", "m", "1"));
    let mut request = asked.subscription().unwrap();
    request.to = net.uri("bob");
    net.at("alice", |now, agent, account| agent.subscribe(now, account, request).unwrap());
    let (watcher, told) = net
        .events("bob")
        .into_iter()
        .find_map(|event| match event {
            Event::Subscribe { watcher, request, .. } => Some((watcher, request)),
            _ => None,
        })
        .unwrap();
    let event = told.headers.require().unwrap();
    assert_eq!(ProfileRequest::of(&event), Some(ProfileRequest::new("v", "m", "1")));
    let (kind, body) = Profile::new("https://192.0.2.1/000000").write();
    net.at("bob", |now, agent, _| {
        agent.accept_subscription(now, watcher, WatcherState::Active, Some((kind, body.into()))).unwrap();
    });
    let notify = net.events("alice").into_iter().find_map(|event| match event {
        Event::Notify { request, .. } => Some(request),
        _ => None,
    });
    let profile = asked.told(&notify.unwrap()).unwrap().unwrap();
    assert_eq!(profile.urls, ["https://192.0.2.1/000000"]);
    net.at("alice", |_, agent, _| assert_eq!(agent.watcher_count(), 0));
    net.at("bob", |_, agent, _| assert_eq!(agent.watcher_count(), 0));
}

#[test]
fn a_subscription_is_refreshed_before_it_runs_out_and_the_state_told_anew() {
    let mut net = net();
    subscribe(&mut net, 600);
    let watcher = accept(&mut net, "one");
    net.said();
    net.advance(Duration::from_secs(449));
    assert_eq!(net.said(), [""; 0]);
    net.advance(Duration::from_secs(92));
    assert_eq!(net.said(), ["alice -> bob: SUBSCRIBE", "bob -> alice: 200 SUBSCRIBE"]);
    let refreshed = net.events("bob").into_iter().any(|event| {
        matches!(event, Event::Subscribe { watcher: found, kind: SubscribeKind::Refresh, .. } if found == watcher)
    });
    assert!(refreshed);
    // It lives on past its first end.
    net.advance(Duration::from_secs(200));
    net.at("bob", |now, agent, _| agent.notify(now, watcher, text("later")).unwrap());
    assert_eq!(heard(&mut net).last().unwrap(), "'later'");
}

#[test]
fn unsubscribing_gets_a_last_state_and_leaves_nothing_behind() {
    let mut net = net();
    let id = subscribe(&mut net, 600);
    let watcher = accept(&mut net, "one");
    net.at("alice", |now, agent, _| agent.unsubscribe(now, id).unwrap());
    assert_eq!(net.last_request("SUBSCRIBE").headers.require::<Expires>().unwrap().0, 0);
    net.at("bob", |now, agent, _| agent.notify(now, watcher, text("last")).unwrap());
    assert!(net.last_request("NOTIFY").headers.require::<StateHeader>().unwrap().is_terminated());
    assert_eq!(heard(&mut net), ["subscribing", "active", "'one'", "'last'", "ended: timeout"]);
    net.advance(Duration::from_secs(60));
    assert!(net.parties.iter().all(|party| party.agent.is_idle()));
}

#[test]
fn unsubscribing_ends_even_if_nobody_confirms_it() {
    let mut net = net();
    let id = subscribe(&mut net, 600);
    accept(&mut net, "one");
    net.at("alice", |now, agent, _| agent.unsubscribe(now, id).unwrap());
    net.advance(Duration::from_secs(33));
    assert!(heard(&mut net).last().unwrap().starts_with("ended"));
    net.advance(Duration::from_secs(60));
    assert!(net.parties.iter().all(|party| party.agent.is_idle()));
}

#[test]
fn a_question_asked_once_gets_one_answer() {
    let mut net = net();
    subscribe(&mut net, 0);
    accept(&mut net, "now");
    assert_eq!(heard(&mut net), ["subscribing", "'now'", "ended: timeout"]);
    net.advance(Duration::from_secs(60));
    assert!(net.parties.iter().all(|party| party.agent.is_idle()));
}

#[test]
fn an_unknown_package_is_refused_for_good_with_those_that_there_are() {
    let mut net = net();
    let to = net.uri("bob");
    let request = SubscribeRequest::new(to, "presence".parse().unwrap());
    net.at("alice", |now, agent, account| agent.subscribe(now, account, request).unwrap());
    assert_eq!(heard(&mut net), ["subscribing", "ended: Bad Event"]);
}

#[test]
fn too_short_a_time_is_lengthened_to_the_other_sides_minimum() {
    let mut net = net();
    subscribe(&mut net, 30);
    accept(&mut net, "one");
    assert_eq!(net.last_request("SUBSCRIBE").headers.require::<Expires>().unwrap().0, 60);
    assert_eq!(heard(&mut net), ["subscribing", "active", "'one'"]);
}

#[test]
fn reasons_of_the_end_decide_whether_and_when_it_begins_anew() {
    let table = [
        ("deactivated", "subscribing"),
        ("timeout", "subscribing"),
        ("probation", "waiting: probation"),
        ("rejected", "ended: rejected"),
        ("noresource", "ended: noresource"),
    ];
    for (reason, expected) in table {
        let mut net = net();
        subscribe(&mut net, 600);
        let watcher = accept(&mut net, "one");
        net.advance(Duration::from_secs(60));
        net.at("bob", |now, agent, _| agent.end_subscription(now, watcher, reason, None).unwrap());
        assert_eq!(heard(&mut net).last().unwrap(), expected, "{reason}");
    }
}

#[test]
fn a_server_that_ends_what_it_has_just_begun_is_not_asked_in_a_loop() {
    let mut net = net();
    let id = subscribe(&mut net, 600);
    for _ in 0..5 {
        let watcher = accept(&mut net, "one");
        net.at("bob", |now, agent, _| agent.end_subscription(now, watcher, "deactivated", None).unwrap());
        let state = net.at("alice", |_, agent, _| agent.subscription_state(id).unwrap().clone());
        let SubscriptionState::Waiting { retry_at, .. } = state else { panic!("{state:?}") };
        assert!(retry_at >= net.now + Duration::from_secs(15), "it is not asked at once");
        net.advance(retry_at.saturating_since(net.now));
    }
}

#[test]
fn a_subscriber_that_forgot_is_forgotten() {
    let mut net = net();
    subscribe(&mut net, 600);
    let watcher = accept(&mut net, "one");
    // Alice begins anew without a word.
    let fresh = Net::new(&["alice"], configure).parties.remove(0);
    *net.party("alice") = fresh;
    net.at("bob", |now, agent, _| agent.notify(now, watcher, text("two")).unwrap());
    let over = net.events("bob").into_iter().any(|event| {
        matches!(event, Event::Unsubscribed { watcher: found, status: Some(StatusCode::CALL_DOES_NOT_EXIST) } if found == watcher)
    });
    assert!(over);
    net.advance(Duration::from_secs(60));
    assert!(net.party("bob").agent.is_idle());
}

#[test]
fn a_watcher_that_is_not_refreshed_hears_the_end() {
    let mut net = net();
    subscribe(&mut net, 600);
    let watcher = accept(&mut net, "one");
    // A subscriber that never refreshes: its machine is not woken.
    let fresh = Net::new(&["alice"], configure).parties.remove(0);
    *net.party("alice") = fresh;
    net.advance(Duration::from_secs(601));
    assert!(net.last_request("NOTIFY").headers.require::<StateHeader>().unwrap().is_terminated());
    let over = net
        .events("bob")
        .into_iter()
        .any(|event| matches!(event, Event::Unsubscribed { watcher: found, .. } if found == watcher));
    assert!(over);
}

#[test]
fn nobody_who_decides_is_a_480() {
    let mut net = net();
    subscribe(&mut net, 600);
    net.advance(Duration::from_secs(33));
    assert!(heard(&mut net).last().unwrap().starts_with("waiting: Temporarily"));
    assert_eq!(net.party("bob").agent.watcher_count(), 0);
}

#[test]
fn more_subscriptions_than_allowed_are_told_to_come_later() {
    let mut net = Net::new(&["alice", "bob"], |name, config| {
        configure(name, config);
        if name == "bob" {
            config.max_subscriptions = 1;
        }
    });
    subscribe(&mut net, 600);
    accept(&mut net, "one");
    subscribe(&mut net, 600);
    assert!(heard(&mut net).last().unwrap().starts_with("waiting: Service Unavailable"));
}

#[test]
fn a_queue_that_is_full_says_so_and_loses_nothing_before() {
    let mut net = net();
    subscribe(&mut net, 600);
    let watcher = accept(&mut net, "one");
    let mut told = 0;
    net.at("bob", |now, agent, _| {
        while agent.notify(now, watcher, text("more")).is_ok() {
            told += 1;
        }
    });
    assert!(told >= 16);
    assert_eq!(heard(&mut net).iter().filter(|line| *line == "'more'").count(), told);
}

#[test]
fn messages_are_given_to_the_user_and_answered_by_it() {
    let mut net = net();
    let to = net.uri("bob");
    let message = OutgoingRequest::new(Method::MESSAGE)
        .with_body(ContentType::from_static("text", "plain"), &b"hello"[..]);
    let sent = net.at("alice", |now, agent, account| agent.request(now, account, &to, message).unwrap());
    let event = net.events("bob").into_iter().next();
    let Some(Event::Request { id, incoming, account: Some(_), call: None, .. }) = event else {
        panic!("a request")
    };
    assert_eq!(incoming.request.body, "hello");
    assert!(!incoming.request.headers.contains(&sidetone_sip_core::header::HeaderName::CONTACT));
    net.at("bob", |now, agent, _| agent.respond(now, id, StatusCode::OK, &Default::default(), None).unwrap());
    let event = net.events("alice").into_iter().next();
    assert!(
        matches!(event, Some(Event::Response { request, status: StatusCode::OK, .. }) if request == sent)
    );
}

#[test]
fn a_request_that_nobody_answers_gets_500() {
    let mut net = net();
    let to = net.uri("bob");
    net.at("alice", |now, agent, account| {
        agent.request(now, account, &to, OutgoingRequest::new(Method::MESSAGE)).unwrap()
    });
    net.advance(Duration::from_secs(40));
    let event = net.events("alice").into_iter().next();
    assert!(matches!(event, Some(Event::Response { status: StatusCode::SERVER_INTERNAL_ERROR, .. })));
}

#[test]
fn notifications_without_subscription_are_taken_by_package() {
    for (package, delivered) in [("check-sync", true), ("dialog", false)] {
        let mut net = net();
        let to = net.uri("bob");
        let mut notify = OutgoingRequest::new(Method::NOTIFY);
        notify.headers.push(&package.parse::<sidetone_sip_core::header::Event>().unwrap());
        notify.headers.push(&StateHeader::active(60));
        net.at("alice", |now, agent, account| agent.request(now, account, &to, notify).unwrap());
        assert_eq!(matches!(net.events("bob").first(), Some(Event::Request { .. })), delivered, "{package}");
    }
}

#[test]
fn methods_with_commands_of_their_own_cannot_be_sent_as_others() {
    let mut net = net();
    let to = net.uri("bob");
    for method in [Method::INVITE, Method::BYE, Method::REGISTER, Method::SUBSCRIBE, Method::REFER] {
        let request = OutgoingRequest::new(method);
        assert!(net.at("alice", |now, agent, account| agent.request(now, account, &to, request).is_err()));
    }
}

/// An account of Alice's with these rules subscribes to Bob's state.
fn subscribe_by(net: &mut Net, rules: SubscriptionRules) -> SubscriptionId {
    let to = net.uri("bob");
    net.at("alice", |now, agent, _| {
        let mut account = AccountConfig::parse("sip:desk@192.0.2.1").unwrap().without_registration();
        account.subscriptions = rules;
        let account = agent.add_account(account).unwrap();
        agent.subscribe(now, account, SubscribeRequest::new(to, "dialog".parse().unwrap())).unwrap()
    })
}

#[test]
fn an_accounts_rules_say_how_long_a_subscription_lasts_and_when_it_is_refreshed() {
    for percent in [50, 90] {
        let mut net = net();
        let rules =
            SubscriptionRules::default().with_expires(Duration::from_secs(1000)).with_refresh(percent);
        subscribe_by(&mut net, rules);
        let asked = net.events("bob").into_iter().find_map(|event| match event {
            Event::Subscribe { watcher, request, .. } => {
                Some((watcher, request.headers.require::<Expires>().unwrap().0))
            }
            _ => None,
        });
        let (watcher, expires) = asked.expect("somebody subscribes");
        assert_eq!(expires, 1000);
        net.at("bob", |now, agent, _| {
            agent.accept_subscription(now, watcher, WatcherState::Active, text("one")).unwrap();
        });
        net.advance(Duration::from_secs(u64::from(percent) * 10 - 1));
        net.said();
        net.advance(Duration::from_secs(2));
        assert_eq!(net.said(), ["alice -> bob: SUBSCRIBE", "bob -> alice: 200 SUBSCRIBE"], "{percent}");
    }
}

#[test]
fn an_accounts_rules_say_when_a_subscription_that_failed_is_tried_again() {
    let every_ten = ResubscribeRule::every(Duration::from_secs(10));
    for (status, rule, again) in [
        (404, every_ten.stopping_on_forbidden(), true),
        (500, every_ten.stopping_on_forbidden(), true),
        (403, every_ten.stopping_on_forbidden(), false),
        (403, every_ten, true),
        (404, ResubscribeRule::DEFAULT, false),
    ] {
        let mut net = net();
        subscribe_by(&mut net, SubscriptionRules::default().with_again(rule));
        for _ in 0..3 {
            let asked = net.events("bob").into_iter().find_map(|event| match event {
                Event::Subscribe { watcher, .. } => Some(watcher),
                _ => None,
            });
            let watcher = asked.expect("somebody subscribes");
            net.at("bob", |now, agent, _| {
                let status = StatusCode::new(status).unwrap();
                agent.reject_subscription(now, watcher, status).unwrap();
            });
            net.said();
            net.advance(Duration::from_millis(9900));
            assert_eq!(net.said(), [""; 0], "{status}");
            net.advance(Duration::from_millis(200));
            let said = net.said();
            assert_eq!(
                said.first().map(String::as_str),
                again.then_some("alice -> bob: SUBSCRIBE"),
                "{status}"
            );
            if !again {
                break;
            }
        }
    }
    // Silence is a failure too.
    let mut net = net();
    subscribe_by(&mut net, SubscriptionRules::default().with_again(every_ten.stopping_on_forbidden()));
    net.events("bob");
    net.advance(Duration::from_secs(33));
    net.said();
    net.advance(Duration::from_secs(11));
    assert!(net.said().contains(&"alice -> bob: SUBSCRIBE".to_owned()));
}
