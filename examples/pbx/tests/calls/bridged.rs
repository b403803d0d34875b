//! A number that two telephones share as a bridged line: the PBX subscribes to each of them, and its answer to what they
//! tell decides who dials; a held call moves, and who is let in hears the call of the other.

use super::services::incoming;
use super::*;
use sidetone_sip_core::header::CallInfo;
use sidetone_sip_core::{Headers, Uri};
use sidetone_sip_ua::feature::shared_line::{
    AppearanceState, LineAction, LineKeys, Refused, called_appearance, is_bridged,
};
use sidetone_sip_ua::package::call_info::Seizure;
use sidetone_sip_ua::package::dialog_info::{Direction, Identity, PACKAGE};
use sidetone_sip_ua::{
    AgentConfig, BridgedEvent, BridgedMember, CallHandle, CallRequest, IncomingSubscription, SubscribeRequest,
};
use tokio::sync::mpsc;

/// A telephone with a key for the line, and a task that gives what subscribes to it to the line.
struct Desk {
    account: Account,
    calls: mpsc::Receiver<sidetone_sip_ua::IncomingCall>,
    agents: mpsc::Receiver<IncomingSubscription>,
    line: BridgedMember,
    keys: LineKeys,
}

impl Desk {
    async fn new(site: &Site, user: &str) -> Self {
        let mut config = AgentConfig::new([user.as_bytes()[0]; 32]);
        config.packages.push(PACKAGE.into());
        config.join = true;
        let any = "127.0.0.1:0".parse().unwrap();
        let mut agent = UserAgent::builder().bind_udp(any).config(config).build().await.unwrap();
        let registrar = site.pbx.udp_addrs()[0];
        let config = AccountConfig::new(format!("sip:{user}@{registrar}").parse().unwrap())
            .with_password(&format!("{} secret", &user[..1]));
        let account = agent.add_account(config).await.unwrap();
        soon("registration", account.registered()).await.unwrap();
        let (call, calls) = mpsc::channel(4);
        let (subscribe, agents) = mpsc::channel(4);
        tokio::spawn(async move {
            while let Some(event) = agent.next_event().await {
                match event {
                    UserAgentEvent::Incoming(incoming) => call.send(incoming).await.unwrap(),
                    UserAgentEvent::Subscribe(incoming) => {
                        let event = incoming.request().headers.require().unwrap();
                        assert!(is_bridged(&event), "{event}");
                        subscribe.send(incoming).await.unwrap();
                    }
                    _ => {}
                }
            }
        });
        let uri: Uri = format!("sip:500@{registrar}").parse().unwrap();
        let line = account.bridged_line(uri, Duration::from_secs(3600)).await.unwrap();
        let mut desk = Self { account, calls, agents, line, keys: LineKeys::new(2).without_seizure_time() };
        let asked = soon("the state agent", desk.agents.recv()).await.unwrap();
        desk.line.accept(asked).await.unwrap();
        desk.lamp(1, AppearanceState::Idle).await;
        desk
    }

    /// Waits until the lamp of an appearance shows this.
    async fn lamp(&mut self, index: u16, expected: AppearanceState) {
        let what = format!("the lamp shows {}", expected.as_str());
        soon(&what, async {
            while !self.keys.view(index).known || self.keys.view(index).state != expected {
                match self.line.next_event().await {
                    Some(BridgedEvent::Appearances(told)) => self.keys.notified(&told),
                    event => panic!("{event:?}"),
                }
            }
        })
        .await;
    }

    fn now() -> sidetone_hal::time::Instant {
        sidetone_hal::time::Instant::ZERO
    }

    /// Presses the key of an appearance and waits for the server's word.
    async fn seize(&mut self, index: u16) -> LineAction {
        assert_eq!(self.keys.press(Self::now(), index), LineAction::Seize(index));
        let granted = soon("the server's word", self.line.seize(index)).await;
        let told = if granted { Seizure::Granted(None) } else { Seizure::Refused(None) };
        self.keys.seizure(Self::now(), index, &told)
    }

    async fn incoming(&mut self) -> sidetone_sip_ua::IncomingCall {
        soon("a call", self.calls.recv()).await.unwrap()
    }

    /// Tells what became of our call on the first appearance.
    async fn tell(&mut self, call: &CallHandle, state: AppearanceState) {
        let dialog = call.dialog().await;
        let remote = Identity::new(call.remote().uri.to_string());
        self.line.call(1, state, Direction::Initiator, dialog.as_ref(), Some(&remote)).await;
    }
}

async fn site() -> Site {
    Site::new(|builder| builder.user("carol", "c secret").shared_line("500", ["alice", "bob"], 2)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_two_seizes_a_bridged_line_and_its_held_call_is_taken_at_the_other() {
    let site = site().await;
    let (mut first, mut second) = (Desk::new(&site, "alice").await, Desk::new(&site, "bob").await);
    let (mut carols, _carol) = site.phone("carol", Protocol::Udp).await;

    // Both press at once: one of them has a dial tone.
    let (one, other) = tokio::join!(first.seize(1), second.seize(1));
    let (mut winner, mut loser) = match (&one, &other) {
        (LineAction::DialTone(1), LineAction::Refused(1, Refused::Server(_))) => (first, second),
        (LineAction::Refused(1, Refused::Server(_)), LineAction::DialTone(1)) => (second, first),
        both => panic!("{both:?}"),
    };
    loser.lamp(1, AppearanceState::Seized).await;
    assert!(!loser.keys.view(1).here);

    // Nothing in the INVITE says that it belongs to the line.
    assert!(winner.keys.dial(1));
    let (low, _ear) = voice(LOW);
    let mut call = winner.account.call("carol", low).await.unwrap();
    let ringing = incoming(&mut carols).await;
    let asserted = ringing.headers().get::<sidetone_sip_core::header::PAssertedIdentity>();
    assert!(asserted.unwrap().unwrap().to_string().contains("sip:500@"));
    assert!(ringing.headers().get::<CallInfo>().is_none());
    ringing.ring().await.unwrap();
    loser.lamp(1, AppearanceState::Progressing).await;
    assert!(loser.keys.view(1).uri.is_some_and(|uri| uri.contains("sip:carol@")));
    let (high, _ear) = voice(HIGH);
    let mut carols_call = ringing.answer(high).await.unwrap();
    established(&mut call).await;
    winner.keys.answered(1);
    winner.tell(&call.handle(), AppearanceState::Active).await;
    loser.lamp(1, AppearanceState::Active).await;
    assert_eq!(loser.keys.press(Desk::now(), 1), LineAction::Refused(1, Refused::InUse));

    // Held for oneself: nobody else may take it, even one who knows the dialog.
    let known = loser.line.barge_in(1).expect("its dialog is told");
    let handle = call.handle();
    soon("a hold", handle.hold()).await.unwrap();
    winner.tell(&handle, AppearanceState::HeldPrivate).await;
    loser.lamp(1, AppearanceState::HeldPrivate).await;
    assert_eq!(loser.keys.press(Desk::now(), 1), LineAction::Refused(1, Refused::Private));
    assert!(loser.line.takeover(1).is_none());
    let mut headers = Headers::new();
    headers.push(&known.join);
    let (low, _ear) = voice(LOW);
    let request = CallRequest::new(known.target).with_headers(headers);
    let mut refused = loser.account.call_with(request, low).await.unwrap();
    assert_eq!(ended(&mut refused).await.status.map(StatusCode::code), Some(403));
    soon("a resume", handle.resume()).await.unwrap();
    winner.tell(&handle, AppearanceState::Active).await;
    loser.lamp(1, AppearanceState::Active).await;
    soon("a hold", handle.hold()).await.unwrap();
    winner.keys.held(1, false);
    winner.tell(&handle, AppearanceState::Held).await;
    loser.lamp(1, AppearanceState::Held).await;

    // Held for all.
    assert_eq!(loser.keys.press(Desk::now(), 1), LineAction::Retrieve(1));
    let takeover = loser.line.takeover(1).expect("what takes it");
    let mut headers = Headers::new();
    headers.push(&takeover.replaces);
    let (low, mut ear) = voice(LOW);
    let request = CallRequest::new(takeover.target).with_headers(headers);
    let mut taken = loser.account.call_with(request, low).await.unwrap();
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
    winner.line.release(1).await;
    winner.lamp(1, AppearanceState::Active).await;
    assert!(!winner.keys.view(1).here && loser.keys.view(1).here);

    taken.hangup().await.unwrap();
    ended(&mut moved).await;
    loser.keys.ended(1);
    winner.lamp(1, AppearanceState::Idle).await;
    loser.lamp(1, AppearanceState::Idle).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_barges_into_a_call_of_a_bridged_line_comes_to_the_telephone_that_has_it() {
    let site = site().await;
    let (mut alice, mut bob) = (Desk::new(&site, "alice").await, Desk::new(&site, "bob").await);
    let (_carols, carol) = site.phone("carol", Protocol::Udp).await;
    // A call to the line rings at both, and says for which appearance.
    let (low, _ear) = voice(LOW);
    let mut call = carol.call("500", low).await.unwrap();
    let (at_alice, mut at_bob) = (alice.incoming().await, bob.incoming().await);
    assert_eq!(called_appearance(at_alice.headers()), Some(1));
    assert_eq!(called_appearance(at_bob.headers()), Some(1));
    alice.lamp(1, AppearanceState::Alerting).await;
    let (high, _ear) = voice(HIGH);
    let mut answered = at_alice.answer(high).await.unwrap();
    established(&mut call).await;
    soon("it stops ringing", at_bob.ended()).await;
    bob.lamp(1, AppearanceState::Active).await;

    let barge_in = bob.line.barge_in(1).expect("the dialog of the call");
    let mut headers = Headers::new();
    headers.push(&barge_in.join);
    let (low, _ear) = voice(LOW);
    let request = CallRequest::new(barge_in.target).with_headers(headers);
    let mut barges = bob.account.call_with(request, low).await.unwrap();
    let asked = alice.incoming().await;
    assert_eq!(asked.joins(), Some(answered.handle().id()));
    let (high, _ear) = voice(HIGH);
    let mut joined = asked.answer(high).await.unwrap();
    established(&mut barges).await;
    // It is one call of the line still, and no other appearance is used.
    assert_eq!(bob.keys.view(2).state, AppearanceState::Idle);
    barges.hangup().await.unwrap();
    ended(&mut joined).await;
    call.hangup().await.unwrap();
    ended(&mut answered).await;
    bob.lamp(1, AppearanceState::Idle).await;
    alice.lamp(1, AppearanceState::Idle).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_telephone_of_either_kind_sees_what_the_other_does_and_a_telephone_that_goes_gives_back() {
    let site = site().await;
    let (mut alice, mut bob) = (Desk::new(&site, "alice").await, Desk::new(&site, "bob").await);
    // The same line by call-info, at a telephone of Alice's of the other kind.
    let (_agent, other) = site.phone("alice", Protocol::Udp).await;
    let line: Uri = format!("sip:500@{}", site.pbx.udp_addrs()[0]).parse().unwrap();
    let request = SubscribeRequest::new(line, "call-info".parse().unwrap());
    let mut lamps = other.subscribe(request).await.unwrap();
    assert_eq!(alice.seize(2).await, LineAction::DialTone(2));
    bob.lamp(2, AppearanceState::Seized).await;
    soon("call-info tells it too", async {
        use sidetone_sip_ua::SubscriptionEvent;
        use sidetone_sip_ua::package::call_info::Appearance;
        loop {
            if let Some(SubscriptionEvent::Notify(request)) = lamps.next_event().await {
                let told = Appearance::all(&request.headers).unwrap();
                if told.contains(&Appearance::new(2, AppearanceState::Seized)) {
                    return;
                }
            }
        }
    })
    .await;
    drop(alice);
    bob.lamp(2, AppearanceState::Idle).await;
}
