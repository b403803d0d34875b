//! The end of a subscription of ours: its last NOTIFY, which may come late or never (RFC 6665 §4.1.2.3).

use crate::support::*;
use sidetone_sip_core::header::{Event as EventHeader, Expires, SubscriptionState as StateHeader};
use sidetone_sip_core::{Method, Request, Response};
use sidetone_sip_ua::{Event, SubscribeRequest, SubscriptionId, SubscriptionState};

const MOST: sidetone_hal::time::Duration = sidetone_hal::time::Duration::from_secs(1);

/// A subscription that has had its first NOTIFY, and whose end the other side has agreed to just now.
struct Ending {
    harness: Harness,
    id: SubscriptionId,
    subscribe: Request,
    ok: Response,
}

impl Ending {
    fn new() -> Self {
        let mut harness = Harness::new();
        let account = harness.account();
        let request = SubscribeRequest::new(uri("sip:bob@192.0.2.2"), "dialog".parse().unwrap());
        let id = harness.agent.subscribe(harness.now, account, request).unwrap();
        let subscribe = harness.request(Method::SUBSCRIBE);
        let ok = harness.answer(&subscribe, 200, "bob-tag");
        let mut ending = Self { harness, id, subscribe, ok };
        ending.notify(1, &StateHeader::active(600));
        ending.harness.response(200);
        while ending.harness.agent.poll_event().is_some() {}
        ending.harness.agent.unsubscribe(ending.harness.now, id).unwrap();
        let last = ending.harness.wait_request(Method::SUBSCRIBE, MOST);
        assert_eq!(last.headers.require::<Expires>().unwrap().0, 0);
        assert!(!ending.harness.agent.is_idle());
        ending.harness.answer(&last, 200, "bob-tag");
        ending
    }

    fn notify(&mut self, seq: u32, state: &StateHeader) {
        let mut notify = self.harness.callee_in_dialog(&self.subscribe, &self.ok, Method::NOTIFY, seq);
        notify.headers.push(&"dialog".parse::<EventHeader>().unwrap());
        notify.headers.push(state);
        self.harness.put(notify);
    }

    fn is_there(&self) -> bool {
        self.harness.agent.subscription_state(self.id).is_some()
    }

    /// The next event is the end.
    #[track_caller]
    fn is_over(&mut self) {
        let event = self.harness.event();
        let ended = matches!(&event, Event::Subscription { state: SubscriptionState::Ended { .. }, .. });
        assert!(ended && !self.is_there(), "{event:?}");
        self.harness.no_event();
        self.harness.ms(64_000);
        assert!(self.harness.agent.is_idle() && self.harness.agent.poll_timeout().is_none());
    }
}

#[test]
fn the_last_word_is_waited_for_two_seconds_and_taken_for_thirty_two() {
    let mut ending = Ending::new();
    ending.harness.ms(1_999);
    assert!(!ending.harness.agent.is_idle());
    ending.harness.ms(1);
    assert!(ending.harness.agent.is_idle() && ending.is_there());
    // Nobody is told before it is over.
    ending.harness.no_event();
    ending.harness.ms(28_000);
    ending.notify(2, &StateHeader::terminated("timeout"));
    ending.harness.response(200);
    assert!(matches!(ending.harness.event(), Event::Notify { .. }));
    ending.is_over();
}

#[test]
fn without_a_last_word_it_is_over_after_thirty_two_seconds() {
    let mut ending = Ending::new();
    ending.harness.ms(31_999);
    assert!(ending.is_there());
    ending.harness.no_event();
    ending.harness.ms(1);
    ending.is_over();
}

#[test]
fn the_last_word_ends_it_at_once_and_a_change_before_it_does_not() {
    let mut ending = Ending::new();
    ending.harness.ms(100);
    ending.notify(2, &StateHeader::active(500));
    ending.harness.response(200);
    assert!(ending.is_there() && !ending.harness.agent.is_idle());
    assert!(matches!(ending.harness.event(), Event::Notify { .. }));
    ending.notify(3, &StateHeader::terminated("timeout"));
    ending.harness.response(200);
    assert!(matches!(ending.harness.event(), Event::Notify { .. }));
    ending.is_over();
}
