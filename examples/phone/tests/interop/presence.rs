//! The library's subscriptions with Kamailio as presence server: lamps of extensions from the calls that it proxies and
//! from what is published, mailboxes, presence, and the pick-up that a lamp makes possible.

use crate::peers::agent::{
    HIGH, LOW, Ours, any_port, call_event, check, ended, established, notified, run, tone_port, within,
};
use crate::peers::kamailio::Kamailio;
use crate::peers::{KAMAILIO, KAMAILIO_PRESENCE, Needs, Outcome, Stage, WAITING, trial_with_share};
use core::time::Duration;
use libtest_mimic::{Failed, Trial};
use sidetone_sip_core::Headers;
use sidetone_sip_core::header::{ContentType, Event};
use sidetone_sip_ua::package::Merge;
use sidetone_sip_ua::package::blf::{Blf, BlfState, Ringing, Unknown};
use sidetone_sip_ua::package::dialog_info::{
    self, Dialog, DialogInfo, DialogPublisher, DialogState, Direction, Identity, Participant, Told,
};
use sidetone_sip_ua::package::message_summary::{self, MessageClass, MessageCount, MessageSummary};
use sidetone_sip_ua::package::presence::{self, Presence, PresenceState};
use sidetone_sip_ua::{
    CallEvent, CallRequest, EndedBy, Publication, PublicationState, PublishRequest, SubscribeRequest,
    Subscription, SubscriptionEvent, SubscriptionState, WatchedExtension,
};
use std::time::Instant;

pub(crate) fn trials() -> Vec<Trial> {
    const NEEDS: &[Needs] = &[KAMAILIO, KAMAILIO_PRESENCE];
    let light = |name, run| trial_with_share(WAITING, name, NEEDS, run);
    vec![
        light("a_lamp_follows_calls_through_kamailio", |stage| run(lamp(stage))),
        light("a_call_that_a_lamp_shows_is_picked_up", |stage| run(pickup(stage))),
        light("a_lamp_follows_what_another_phone_publishes", |stage| run(published_dialogs(stage))),
        light("a_subscription_is_refreshed_in_time", |stage| run(refreshed(stage))),
        light("a_mailbox_is_published_and_watched", |stage| run(mailbox(stage))),
        light("presence_is_published_and_watched", |stage| run(published_presence(stage))),
    ]
}

async fn subscribe(
    watcher: &Ours,
    server: &Kamailio,
    whose: &str,
    event: &str,
    kind: ContentType,
) -> Result<Subscription, Failed> {
    let to = format!("sip:{whose}@127.0.0.1:{}", server.port).parse()?;
    let request = SubscribeRequest::new(to, event.parse::<Event>()?).accepting(kind);
    Ok(watcher.account.subscribe(request).await?)
}

/// A lamp and the subscription that it lives on.
struct Watched {
    subscription: Subscription,
    blf: Blf,
}

impl Watched {
    async fn start(watcher: &Ours, server: &Kamailio, whose: &str) -> Result<Self, Failed> {
        let kind = dialog_info::CONTENT_TYPE;
        let subscription = subscribe(watcher, server, whose, dialog_info::PACKAGE, kind).await?;
        let mut watched = Self { subscription, blf: Blf::new() };
        // Kamailio tells of an extension that never had a call by a NOTIFY without a body.
        active(&mut watched.subscription).await?;
        check(watched.blf.state() == BlfState::Unknown(Unknown::Waiting), "a lamp before any state")?;
        Ok(watched)
    }

    /// Takes documents until the lamp shows what is wanted.
    async fn until(&mut self, what: &str, wanted: impl Fn(&BlfState) -> bool) -> Result<BlfState, Failed> {
        within(what, async {
            loop {
                let (kind, body) = notified(&mut self.subscription).await?;
                check(kind == "application/dialog-info+xml", kind)?;
                let merge = self.blf.apply(DialogInfo::read(&body)?);
                check(merge == Merge::Taken, format!("{merge:?}: {}", String::from_utf8_lossy(&body)))?;
                let state = self.blf.state();
                if wanted(&state) {
                    return Ok(state);
                }
            }
        })
        .await?
    }

    async fn ringing(&mut self) -> Result<Ringing, Failed> {
        match self.until("ringing lamp", |state| matches!(state, BlfState::Ringing(_))).await? {
            BlfState::Ringing(ringing) => Ok(ringing),
            other => Err(format!("{other:?}").into()),
        }
    }
}

async fn active(subscription: &mut Subscription) -> Outcome {
    within("active subscription", async {
        while let Some(event) = subscription.next_event().await {
            if let SubscriptionEvent::State(SubscriptionState::Active { .. }) = event {
                return Ok(());
            }
        }
        Err("the subscription is over".into())
    })
    .await?
}

/// Whom a lamp names besides its extension.
fn peer(state: &BlfState) -> Option<String> {
    state.peer().map(|peer| peer.number().into_owned())
}

/// Idle, ringing, busy, idle: an answered call to the extension, one from it, and one that nobody answers.
async fn lamp(stage: &Stage) -> Outcome {
    let server = Kamailio::start_presence(stage)?;
    let alice = Ours::start(stage, "alice", Some(server.port)).await?;
    let mut bob = Ours::start(stage, "bob", Some(server.port)).await?;
    let carol = Ours::start(stage, "carol", Some(server.port)).await?;
    let mut lamp = carol.account.watch("bob").await?;
    let is_ringing = |state: &BlfState| matches!(state, BlfState::Ringing(_));
    let is_busy = |state: &BlfState| matches!(state, BlfState::Busy(_));
    let is_idle = |state: &BlfState| *state == BlfState::Idle;

    let mut call = alice.account.call("bob", any_port()).await?;
    let waiting = bob.incoming().await?;
    waiting.ring().await?;
    let ringing = shows(&mut lamp, is_ringing).await?;
    check(peer(&ringing).as_deref() == Some("alice"), format!("{ringing:?}"))?;
    let mut answered = waiting.answer(any_port()).await?;
    let busy = shows(&mut lamp, is_busy).await?;
    check(peer(&busy).as_deref() == Some("alice"), format!("{busy:?}"))?;
    call.hangup().await?;
    ended(&mut answered).await?;
    ended(&mut call).await?;
    shows(&mut lamp, is_idle).await?;

    let mut alice = alice;
    let mut call = bob.account.call("alice", any_port()).await?;
    let mut answered = alice.answer(any_port()).await?;
    let busy = shows(&mut lamp, is_busy).await?;
    check(peer(&busy).as_deref() == Some("alice"), format!("{busy:?}"))?;
    answered.hangup().await?;
    ended(&mut call).await?;
    ended(&mut answered).await?;
    shows(&mut lamp, is_idle).await?;

    let mut call = alice.account.call("bob", any_port()).await?;
    let mut waiting = bob.incoming().await?;
    waiting.ring().await?;
    shows(&mut lamp, is_ringing).await?;
    call_event(&mut call, "ringing", |event| matches!(event, CallEvent::Ringing { .. })).await?;
    call.hangup().await?;
    let cause = within("end", waiting.ended()).await?.ok_or("no cause")?;
    check(cause.by == EndedBy::Remote, cause)?;
    ended(&mut call).await?;
    shows(&mut lamp, is_idle).await?;
    drop(lamp);
    for ours in [alice, bob, carol] {
        ours.end().await?;
    }
    Ok(())
}

/// Waits until the lamp shows what is wanted.
async fn shows(lamp: &mut WatchedExtension, wanted: impl Fn(&BlfState) -> bool) -> Result<BlfState, Failed> {
    within("change of the lamp", async {
        loop {
            let state = lamp.changed().await.ok_or("the subscription is over")?;
            if wanted(&state) {
                return Ok(state);
            }
        }
    })
    .await?
}

/// Carol's lamp of Bob rings, and she takes Alice's call away from him by Replaces (RFC 3891) from what it told.
async fn pickup(stage: &Stage) -> Outcome {
    let server = Kamailio::start_presence(stage)?;
    let mut alice = Ours::start(stage, "alice", Some(server.port)).await?;
    let mut bob = Ours::start(stage, "bob", Some(server.port)).await?;
    let carol = Ours::start(stage, "carol", Some(server.port)).await?;
    let mut lamp = Watched::start(&carol, &server, "bob").await?;
    let mut call = alice.account.call("bob", any_port()).await?;
    let mut waiting = bob.incoming().await?;
    waiting.ring().await?;
    // The lamp may be faster than the 180; Alice must know of the dialog that is to be replaced.
    call_event(&mut call, "ringing", |event| matches!(event, CallEvent::Ringing { .. })).await?;
    let ringing = lamp.ringing().await?;
    check(ringing.call.direction == Some(Direction::Recipient), "who began it")?;
    let pickup = ringing.pickup;
    let (Some(target), Some(replaces)) = (pickup.target.clone(), pickup.replaces.clone()) else {
        return Err(format!("nothing to pick up by: {pickup:?}").into());
    };
    check(target.user().as_deref() == Some("alice"), &target)?;
    let mut headers = Headers::new();
    headers.push(&replaces);
    let (port, mut carol_hears) = tone_port(LOW, HIGH);
    let mut picked = carol.account.call_with(CallRequest::new(target).with_headers(headers), port).await?;
    let taken = alice.incoming().await?;
    check(taken.replaces() == Some(call.id()), "the call that is replaced")?;
    let (port, mut alice_hears) = tone_port(HIGH, LOW);
    let mut taken = taken.answer(port).await?;
    established(&mut picked).await?;
    carol_hears.tone().await?;
    alice_hears.tone().await?;
    // It rings no more at Bob.
    ended(&mut call).await?;
    within("end", waiting.ended()).await?.ok_or("no cause")?;
    lamp.until("idle lamp", |state| *state == BlfState::Idle).await?;
    picked.hangup().await?;
    ended(&mut taken).await?;
    ended(&mut picked).await?;
    drop(lamp);
    for ours in [alice, bob, carol] {
        ours.end().await?;
    }
    Ok(())
}

/// What one of our accounts publishes (RFC 3903).
struct Published<'a> {
    publisher: &'a Ours,
    whose: String,
    event: &'static str,
    publication: Option<Publication>,
}

impl<'a> Published<'a> {
    fn new(publisher: &'a Ours, server: &Kamailio, whose: &str, event: &'static str) -> Self {
        let whose = format!("sip:{whose}@127.0.0.1:{}", server.port);
        Self { publisher, whose, event, publication: None }
    }

    async fn set(&mut self, kind: ContentType, body: String) -> Outcome {
        if let Some(publication) = &self.publication {
            return Ok(publication.set(kind, body).await?);
        }
        let request = PublishRequest::new(self.whose.parse()?, self.event.parse()?, kind, body);
        let mut publication = self.publisher.account.publish(request).await?;
        let state = within("publication", publication.changed()).await?;
        check(matches!(state, Some(PublicationState::Published { .. })), format!("{state:?}"))?;
        self.publication = Some(publication);
        Ok(())
    }
}

/// Bob's phone publishes its dialogs by itself.
async fn published_dialogs(stage: &Stage) -> Outcome {
    let server = Kamailio::start_presence(stage)?;
    let bob = Ours::start(stage, "bob", Some(server.port)).await?;
    let carol = Ours::start(stage, "carol", Some(server.port)).await?;
    let mut lamp = Watched::start(&carol, &server, "bob").await?;
    let mut publication = Published::new(&bob, &server, "bob", dialog_info::PACKAGE);
    let mut dialogs = DialogPublisher::new(publication.whose.clone());
    let ends = || {
        let of = |uri: &str| Participant::new(Some(Identity::new(uri)), None);
        (of("sip:bob@127.0.0.1"), of("sip:4711@example.org"))
    };
    for step in [DialogState::Early, DialogState::Confirmed, DialogState::Terminated] {
        let shown = |state: &BlfState| match step {
            DialogState::Early => matches!(state, BlfState::Ringing(_)),
            DialogState::Confirmed => matches!(state, BlfState::Busy(_)),
            _ => *state == BlfState::Idle,
        };
        let (local, remote) = ends();
        let dialog = Dialog::new("1", step).with_direction(Direction::Recipient).with_ends(local, remote);
        check(dialogs.update(dialog), "a change")?;
        // A publication is the whole state each time.
        let body = dialogs.full(&mut Told::default()).write();
        publication.set(dialog_info::CONTENT_TYPE, body).await?;
        let state = lamp.until(&format!("lamp of {step:?}"), shown).await?;
        if step != DialogState::Terminated {
            check(peer(&state).as_deref() == Some("4711"), format!("{state:?}"))?;
        }
    }
    drop((lamp, publication));
    bob.end().await?;
    carol.end().await
}

/// The server forgets who does not refresh: what is told after the first lifetime shows that we did.
async fn refreshed(stage: &Stage) -> Outcome {
    const LIFE: Duration = Duration::from_secs(3);
    let server = Kamailio::start_presence(stage)?;
    let voicemail = Ours::start(stage, "voicemail", Some(server.port)).await?;
    let bob = Ours::start(stage, "bob", Some(server.port)).await?;
    let to = format!("sip:bob@127.0.0.1:{}", server.port).parse()?;
    let request = SubscribeRequest::new(to, message_summary::EVENT.parse()?).with_expires(LIFE);
    let begin = Instant::now();
    let mut subscription = bob.account.subscribe(request).await?;
    active(&mut subscription).await?;
    within("refresh", async {
        let mut turn = tokio::time::interval(Duration::from_millis(50));
        while begin.elapsed() < LIFE || bob.messages("\nNOTIFY sip:") < 2 {
            turn.tick().await;
        }
    })
    .await?;
    let mut publication = Published::new(&voicemail, &server, "bob", message_summary::EVENT);
    let summary = MessageSummary::new(true).with_count(MessageClass::Voice, MessageCount::new(1, 0));
    publication.set(message_summary::CONTENT_TYPE, summary.write()).await?;
    let (_, body) = notified(&mut subscription).await?;
    check(MessageSummary::parse(&body)?.waiting, String::from_utf8_lossy(&body))?;
    drop((subscription, publication));
    voicemail.end().await?;
    bob.end().await
}

async fn mailbox(stage: &Stage) -> Outcome {
    let server = Kamailio::start_presence(stage)?;
    let voicemail = Ours::start(stage, "voicemail", Some(server.port)).await?;
    let bob = Ours::start(stage, "bob", Some(server.port)).await?;
    let mut subscription =
        subscribe(&bob, &server, "bob", message_summary::EVENT, message_summary::CONTENT_TYPE).await?;
    active(&mut subscription).await?;
    let mut publication = Published::new(&voicemail, &server, "bob", message_summary::EVENT);
    for (new, old) in [(2, 8), (0, 10)] {
        let count = MessageCount::new(new, old).with_urgent(0, 2);
        let summary = MessageSummary::new(new > 0)
            .with_account("sip:voicemail@127.0.0.1")
            .with_count(MessageClass::Voice, count);
        publication.set(message_summary::CONTENT_TYPE, summary.write()).await?;
        let (kind, body) = notified(&mut subscription).await?;
        check(kind == "application/simple-message-summary", kind)?;
        let told = MessageSummary::parse(&body)?;
        check(told == summary, format!("{told:?}"))?;
        check(told.voice_waits(true) == (new > 0), "whether messages wait")?;
    }
    drop((subscription, publication));
    voicemail.end().await?;
    bob.end().await
}

async fn published_presence(stage: &Stage) -> Outcome {
    let server = Kamailio::start_presence(stage)?;
    let alice = Ours::start(stage, "alice", Some(server.port)).await?;
    let bob = Ours::start(stage, "bob", Some(server.port)).await?;
    let kind = presence::CONTENT_TYPE;
    let mut subscription = subscribe(&bob, &server, "alice", presence::EVENT, kind.clone()).await?;
    active(&mut subscription).await?;
    let mut publication = Published::new(&alice, &server, "alice", presence::EVENT);
    for state in [
        PresenceState::Online,
        PresenceState::DoNotDisturb,
        PresenceState::OnThePhone,
        PresenceState::Away,
        PresenceState::Offline,
    ] {
        let document = Presence::of_state(&publication.whose, state);
        publication.set(kind.clone(), document.write()).await?;
        let (_, body) = notified(&mut subscription).await?;
        let told = Presence::parse(&body)?;
        check(told.state() == state, format!("{:?} of {}", told.state(), String::from_utf8_lossy(&body)))?;
    }
    // Each was taken in the place of the one before, by the tag that the server gave; the end takes the last one back.
    check(alice.messages("\r\nSIP-If-Match: ") == 4, "tags in PUBLISH requests")?;
    drop(publication);
    drop(subscription);
    alice.end().await?;
    bob.end().await
}
