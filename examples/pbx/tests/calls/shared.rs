//! A number that two telephones share: one seizes it, the other's lamp lights; what one holds the other takes.

use super::services::incoming;
use super::*;
use sidetone_sip_core::Uri;
use sidetone_sip_core::header::SubscriptionState as StateHeader;
use sidetone_sip_ua::feature::shared_line::{AppearanceState, LineAction, LineKeys, Refused};
use sidetone_sip_ua::package::call_info::{self, Appearance, Seizure};
use sidetone_sip_ua::{CallRequest, ResubscribeRule, SubscribeRequest, Subscription, SubscriptionEvent};

/// A telephone with a key for the line.
struct Desk {
    agent: UserAgent,
    account: Account,
    line: Uri,
    keys: LineKeys,
    lamps: Subscription,
}

impl Desk {
    async fn new(site: &Site, user: &str) -> Self {
        let (agent, account) = site.phone(user, Protocol::Udp).await;
        let line: Uri = format!("sip:500@{}", site.pbx.udp_addrs()[0]).parse().unwrap();
        let request = SubscribeRequest::new(line.clone(), call_info::EVENT.parse().unwrap());
        let lamps = account.subscribe(request).await.unwrap();
        let mut desk = Self { agent, account, line, keys: LineKeys::new(2), lamps };
        desk.lamp(AppearanceState::Idle).await;
        desk
    }

    /// Waits until the lamp of the first appearance shows this.
    async fn lamp(&mut self, expected: AppearanceState) {
        let what = format!("the lamp shows {}", expected.as_str());
        soon(&what, async {
            while !self.keys.view(1).known || self.keys.view(1).state != expected {
                match self.lamps.next_event().await {
                    Some(SubscriptionEvent::Notify(request)) => {
                        self.keys.notified(&Appearance::all(&request.headers).unwrap());
                    }
                    Some(_) => {}
                    None => panic!("the subscription is over"),
                }
            }
        })
        .await;
    }

    fn now() -> sidetone_hal::time::Instant {
        sidetone_hal::time::Instant::ZERO
    }

    /// Presses the key of the first appearance and waits for the server's word.
    async fn seize(&mut self) -> (LineAction, Subscription) {
        assert_eq!(self.keys.press(Self::now(), 1), LineAction::Seize(1));
        let mut request = SubscribeRequest::new(self.line.clone(), call_info::SEIZE_EVENT.parse().unwrap())
            .with_expires(Duration::from_secs(call_info::SEIZE_EXPIRES.into()))
            .with_headers(LineKeys::seize_headers(1, &self.line));
        request.again = ResubscribeRule::NEVER;
        let mut seizure = self.account.subscribe(request).await.unwrap();
        let action = soon("the server's word", async {
            loop {
                let told = match seizure.next_event().await {
                    Some(SubscriptionEvent::Notify(request)) => {
                        let state: StateHeader = request.headers.require().unwrap();
                        Seizure::of(&state, &request.headers).unwrap()
                    }
                    Some(SubscriptionEvent::State(sidetone_sip_ua::SubscriptionState::Ended { .. })) => {
                        Seizure::Refused(None)
                    }
                    Some(_) => continue,
                    None => panic!("the subscription is over without a word"),
                };
                match self.keys.seizure(Self::now(), 1, &told) {
                    LineAction::None => {}
                    action => return action,
                }
            }
        })
        .await;
        (action, seizure)
    }

    async fn call(&mut self, to: &Uri, voice: Voice) -> Call {
        let mut request = CallRequest::new(to.clone());
        request.headers.push(&LineKeys::call_info(1, &self.line));
        self.account.call_with(request, voice).await.unwrap()
    }
}

async fn site() -> Site {
    Site::new(|builder| builder.user("carol", "c secret").shared_line("500", ["alice", "bob"], 2)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_two_seizes_a_line_and_its_held_call_is_taken_at_the_other() {
    let site = site().await;
    let (mut first, mut second) = (Desk::new(&site, "alice").await, Desk::new(&site, "bob").await);
    let (mut carols, _carol) = site.phone("carol", Protocol::Udp).await;

    // Both press at once: one of them has a dial tone.
    let ((one, seized), (other, _refused)) = tokio::join!(first.seize(), second.seize());
    let (mut winner, mut loser, seized) = match (&one, &other) {
        (LineAction::DialTone(1), LineAction::Refused(1, Refused::Server(_))) => (first, second, seized),
        (LineAction::Refused(1, Refused::Server(_)), LineAction::DialTone(1)) => (second, first, _refused),
        both => panic!("{both:?}"),
    };
    loser.lamp(AppearanceState::Seized).await;
    assert!(!loser.keys.view(1).here);

    assert!(winner.keys.dial(1));
    let carol: Uri = format!("sip:carol@{}", site.pbx.udp_addrs()[0]).parse().unwrap();
    let (low, _ear) = voice(LOW);
    let mut call = winner.call(&carol, low).await;
    let ringing = incoming(&mut carols).await;
    assert_eq!(Appearance::index_of(ringing.headers()), None);
    ringing.ring().await.unwrap();
    loser.lamp(AppearanceState::Progressing).await;
    drop(seized);
    let (high, _ear) = voice(HIGH);
    let mut carols_call = ringing.answer(high).await.unwrap();
    established(&mut call).await;
    winner.keys.answered(1);
    loser.lamp(AppearanceState::Active).await;
    assert_eq!(loser.keys.press(Desk::now(), 1), LineAction::Refused(1, Refused::InUse));

    // Held for oneself, then for all.
    let handle = call.handle();
    handle.set_offer_headers(LineKeys::hold_headers(1, &winner.line, Some(true))).await.unwrap();
    soon("a private hold", handle.hold()).await.unwrap();
    loser.lamp(AppearanceState::HeldPrivate).await;
    assert_eq!(loser.keys.press(Desk::now(), 1), LineAction::Refused(1, Refused::Private));
    handle.set_offer_headers(LineKeys::hold_headers(1, &winner.line, None)).await.unwrap();
    soon("a resume", handle.resume()).await.unwrap();
    loser.lamp(AppearanceState::Active).await;
    handle.set_offer_headers(LineKeys::hold_headers(1, &winner.line, Some(false))).await.unwrap();
    soon("a hold", handle.hold()).await.unwrap();
    winner.keys.held(1, false);
    loser.lamp(AppearanceState::Held).await;

    assert_eq!(loser.keys.press(Desk::now(), 1), LineAction::Retrieve(1));
    let (low, mut ear) = voice(LOW);
    let line = loser.line.clone();
    let mut taken = loser.call(&line, low).await;
    let moved = incoming(&mut carols).await;
    assert_eq!(moved.replaces(), Some(carols_call.handle().id()));
    let (high, _carols_ear) = voice(HIGH);
    let mut moved = moved.answer(high).await.unwrap();
    established(&mut taken).await;
    loser.keys.answered(1);
    ear.hears(1300.0).await;
    ended(&mut call).await;
    ended(&mut carols_call).await;
    winner.keys.ended(1);
    winner.lamp(AppearanceState::Active).await;
    assert!(!winner.keys.view(1).here && loser.keys.view(1).here);

    taken.hangup().await.unwrap();
    ended(&mut moved).await;
    loser.keys.ended(1);
    winner.lamp(AppearanceState::Idle).await;
    loser.lamp(AppearanceState::Idle).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_to_the_line_rings_at_both_and_shows_at_the_one_that_did_not_answer() {
    let site = site().await;
    let (mut alice, mut bob) = (Desk::new(&site, "alice").await, Desk::new(&site, "bob").await);
    let (_carols, carol) = site.phone("carol", Protocol::Udp).await;
    let (low, _ear) = voice(LOW);
    let mut call = carol.call("500", low).await.unwrap();
    let (at_alice, mut at_bob) = (incoming(&mut alice.agent).await, incoming(&mut bob.agent).await);
    assert_eq!(Appearance::index_of(at_alice.headers()), Some(1));
    assert_eq!(Appearance::index_of(at_bob.headers()), Some(1));
    alice.lamp(AppearanceState::Alerting).await;
    assert!(alice.keys.view(1).uri.is_some_and(|uri| uri.contains("sip:carol@")));
    let (high, _ear) = voice(HIGH);
    let mut answered = at_alice.answer(high).await.unwrap();
    established(&mut call).await;
    soon("it stops ringing", at_bob.ended()).await;
    bob.lamp(AppearanceState::Active).await;
    call.hangup().await.unwrap();
    ended(&mut answered).await;
    bob.lamp(AppearanceState::Idle).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_share_a_line_is_told_nothing_of_it() {
    let site = site().await;
    let (_carols, carol) = site.phone("carol", Protocol::Udp).await;
    for (number, package, status) in
        [("500", "call-info", 403), ("500", "line-seize", 403), ("alice", "call-info", 404)]
    {
        let to: Uri = format!("sip:{number}@{}", site.pbx.udp_addrs()[0]).parse().unwrap();
        let mut request = SubscribeRequest::new(to, package.parse().unwrap());
        request.again = ResubscribeRule::NEVER;
        let mut subscription = carol.subscribe(request).await.unwrap();
        let refused = soon("a refusal", async {
            loop {
                match subscription.next_event().await {
                    Some(SubscriptionEvent::State(sidetone_sip_ua::SubscriptionState::Ended {
                        status,
                        ..
                    })) => return status,
                    Some(SubscriptionEvent::Notify(_)) => panic!("told of what is not shared"),
                    Some(_) => {}
                    None => panic!("the subscription is over without a reason"),
                }
            }
        })
        .await;
        assert_eq!(refused.map(StatusCode::code), Some(status), "{number} {package}");
    }
}
