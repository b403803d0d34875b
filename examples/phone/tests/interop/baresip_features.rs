//! The library's features with baresip 1.0 at the other end, Kamailio between: transfers both ways, those that fail,
//! hold, mailbox lamps and presence as notifier, redirected and refused calls, texts.
//!
//! baresip 1.0 knows no Replaces: attended transfer is linphone's (`linphone.rs`).

use crate::peers::agent::{
    HIGH, LOW, Ours, any_port, call_event, check, ended, ended_by, established, notified, run, tone_port,
    unsubscribed, within,
};
use crate::peers::baresip::{Baresip, Microphone, More};
use crate::peers::kamailio::Kamailio;
use crate::peers::{BARESIP, KAMAILIO, Needs, Outcome, SOON, Stage, trial};
use libtest_mimic::{Failed, Trial};
use sidetone_sip_core::StatusCode;
use sidetone_sip_core::header::ContentType;
use sidetone_sip_ua::package::message_summary::{self, MessageClass, MessageCount, MessageSummary};
use sidetone_sip_ua::package::presence::{self, Presence, PresenceState};
use sidetone_sip_ua::{CallEvent, EndedBy, Error, ReferProgress, SubscribeRequest, Watcher, WatcherState};

/// What baresip's microphone hears.
const TONE: Microphone = Microphone::Tone(1000.0);

pub(crate) fn trials() -> Vec<Trial> {
    const BOTH: &[Needs] = &[KAMAILIO, BARESIP];
    vec![
        trial("we_transfer_baresip", BOTH, |stage| run(we_transfer(stage))),
        trial("our_transfer_of_baresip_fails_and_the_call_stays", BOTH, |stage| {
            run(our_transfer_fails(stage))
        }),
        trial("baresip_transfers_us", BOTH, |stage| run(baresip_transfers(stage))),
        trial("a_transfer_by_baresip_fails", BOTH, |stage| run(baresips_fails(stage))),
        trial("we_and_baresip_hold_each_other", BOTH, |stage| run(holds(stage))),
        trial("baresip_watches_a_mailbox_of_ours", BOTH, |stage| run(mailbox(stage))),
        trial("we_and_baresip_watch_each_others_presence", BOTH, |stage| run(watches(stage))),
        trial("we_refuse_and_redirect_baresip_and_it_is_busy", BOTH, |stage| run(refused(stage))),
    ]
}

/// A server, baresip as Bob, Alice in a call with him that she hears, and Carol.
struct Scene {
    // Ends before the server, of which it takes its leave.
    bob: Baresip,
    alice: Ours,
    carol: Ours,
    server: Kamailio,
}

impl Scene {
    async fn set(stage: &Stage) -> Result<Self, Failed> {
        let server = Kamailio::start(stage)?;
        let bob = Baresip::start(stage, "bob", server.port, &TONE)?;
        let alice = Ours::start(stage, "alice", Some(server.port)).await?;
        let carol = Ours::start(stage, "carol", Some(server.port)).await?;
        Ok(Self { bob, alice, carol, server })
    }

    fn uri(&self, name: &str) -> String {
        format!("sip:{name}@127.0.0.1:{}", self.server.port)
    }

    async fn end(self) -> Outcome {
        self.alice.end().await?;
        self.carol.end().await?;
        self.bob.quit()
    }
}

async fn we_transfer(stage: &Stage) -> Outcome {
    let mut scene = Scene::set(stage).await?;
    let (port, mut alice_hears) = tone_port(LOW, HIGH);
    let mut call = scene.alice.call("bob", port).await?;
    alice_hears.tone().await?;
    let (port, mut carol_hears) = tone_port(LOW, HIGH);
    let handle = call.handle();
    let (transfer, answered) = tokio::join!(within("transfer", handle.transfer("carol")), async {
        let incoming = scene.carol.incoming().await?;
        check(incoming.from().uri.user().as_deref() == Some("bob"), "who calls Carol")?;
        let mut call = incoming.answer(port).await?;
        established(&mut call).await?;
        Ok::<_, Failed>(call)
    });
    let mut answered = answered?;
    transfer??;
    carol_hears.tone().await?;
    let done = |event: &CallEvent| *event == CallEvent::Transfer(ReferProgress::Done(StatusCode::OK));
    call_event(&mut call, "end of the transfer", done).await?;
    check(ended(&mut call).await?.by == EndedBy::Local, "who hung up")?;
    answered.hangup().await?;
    ended(&mut answered).await?;
    scene.end().await
}

async fn our_transfer_fails(stage: &Stage) -> Outcome {
    let mut scene = Scene::set(stage).await?;
    let (port, mut alice_hears) = tone_port(LOW, HIGH);
    let mut call = scene.alice.call("bob", port).await?;
    let handle = call.handle();
    let (transfer, refused) = tokio::join!(within("transfer", handle.transfer("carol")), async {
        Ok::<_, Failed>(scene.carol.incoming().await?.reject(StatusCode::BUSY_HERE).await?)
    });
    refused?;
    match transfer? {
        Err(Error::Refused(StatusCode::BUSY_HERE)) => {}
        other => return Err(format!("{other:?}").into()),
    }
    // It is as it was.
    alice_hears.tone().await?;
    call.hangup().await?;
    ended(&mut call).await?;
    scene.end().await
}

async fn baresip_transfers(stage: &Stage) -> Outcome {
    let mut scene = Scene::set(stage).await?;
    scene.bob.dial(&scene.uri("alice"))?;
    let (port, mut alice_hears) = tone_port(LOW, HIGH);
    let mut call = scene.alice.answer(port).await?;
    alice_hears.tone().await?;
    scene.bob.command("transfer", &scene.uri("carol"))?;
    let refer = scene.alice.referred().await?;
    check(refer.call() == Some(call.id()), "the call that is transferred")?;
    check(refer.target().to.uri.user().as_deref() == Some("carol"), &refer.target().to.uri)?;
    let (port, mut alice_hears_carol) = tone_port(HIGH, LOW);
    let mut transferred = refer.accept(port).await?;
    let (port, mut carol_hears) = tone_port(LOW, HIGH);
    let mut answered = scene.carol.answer(port).await?;
    established(&mut transferred).await?;
    alice_hears_carol.tone().await?;
    carol_hears.tone().await?;
    // A NOTIFY said that it worked, and baresip hung up for that.
    let why = scene.bob.wait_for("CALL_CLOSED", SOON)?;
    check(why == "Call transfered", why)?;
    check(ended(&mut call).await?.by == EndedBy::Remote, "who hung up")?;
    transferred.hangup().await?;
    ended(&mut answered).await?;
    ended(&mut transferred).await?;
    scene.end().await
}

async fn baresips_fails(stage: &Stage) -> Outcome {
    let mut scene = Scene::set(stage).await?;
    let (port, mut alice_hears) = tone_port(LOW, HIGH);
    let mut call = scene.alice.call("bob", port).await?;
    alice_hears.tone().await?;
    scene.bob.wait_for("CALL_ESTABLISHED", SOON)?;
    // Carol refuses: baresip is told, and hangs up.
    scene.bob.command("transfer", &scene.uri("carol"))?;
    let mut transferred = scene.alice.referred().await?.accept(any_port()).await?;
    scene.carol.incoming().await?.reject(StatusCode::BUSY_HERE).await?;
    ended_by(&mut transferred, 486).await?;
    let why = scene.bob.wait_for("TRANSFER_FAILED", SOON)?;
    check(why.starts_with("486"), why)?;
    check(ended(&mut call).await?.by == EndedBy::Remote, "who hung up")?;
    // Alice refuses to be transferred.
    let mut call = scene.alice.call("bob", any_port()).await?;
    // It has the ACK.
    scene.bob.wait_for("CALL_ESTABLISHED", SOON)?;
    scene.bob.command("transfer", &scene.uri("carol"))?;
    scene.alice.referred().await?.reject(StatusCode::DECLINE).await?;
    let why = scene.bob.wait_for("TRANSFER_FAILED", SOON)?;
    check(why.starts_with("603"), why)?;
    ended(&mut call).await?;
    scene.end().await
}

async fn holds(stage: &Stage) -> Outcome {
    let mut scene = Scene::set(stage).await?;
    let (port, mut alice_hears) = tone_port(LOW, HIGH);
    let mut call = scene.alice.call("bob", port).await?;
    alice_hears.tone().await?;
    within("hold", call.hold()).await??;
    alice_hears.silence().await?;
    within("resume", call.resume()).await??;
    alice_hears.tone().await?;
    // Speech does not wait for the ACK, and a re-INVITE of its own does.
    scene.alice.has_reached("bob").await?;
    scene.bob.command("hold", "")?;
    call_event(&mut call, "hold by baresip", |event| *event == CallEvent::RemoteHold).await?;
    alice_hears.silence().await?;
    // Both at once: what each says of itself counts.
    within("hold", call.hold()).await??;
    scene.alice.has_reached("bob").await?;
    scene.bob.command("resume", "")?;
    call_event(&mut call, "resume by baresip", |event| *event == CallEvent::RemoteResume).await?;
    within("resume", call.resume()).await??;
    alice_hears.tone().await?;
    call.hangup().await?;
    ended(&mut call).await?;
    scene.end().await
}

/// The server sends subscriptions to mailboxes to a user agent of ours, which is the notifier.
async fn mailbox(stage: &Stage) -> Outcome {
    let server = Kamailio::start_with_mailbox(stage)?;
    let offer = |config: &mut sidetone_sip_ua::AgentConfig| {
        config.packages = vec![message_summary::EVENT.to_owned()];
    };
    let mut ours = Ours::start_with(stage, "mailbox", Some(server.port), offer, |_| {}).await?;
    let more = More { modules: &["mwi"], account: ";mwi=yes", ..More::default() };
    let mut bob = Baresip::start_more(&more, stage, "bob", server.port, &TONE)?;
    let subscription = ours.subscribed().await?;
    let summary = |new: u32| {
        let count = MessageCount::new(new, 3);
        let summary = MessageSummary::new(new > 0).with_account("sip:mailbox@127.0.0.1");
        summary.with_count(MessageClass::Voice, count)
    };
    let content = Some((message_summary::CONTENT_TYPE, summary(2).write().into()));
    let watcher = subscription.accept(WatcherState::Active, content).await?;
    let told = bob.wait_for("MWI_NOTIFY", SOON)?;
    check(told.contains("Messages-Waiting: yes") && told.contains("2/3"), told)?;
    watcher.notify(message_summary::CONTENT_TYPE, summary(0).write()).await?;
    let told = bob.wait_for("MWI_NOTIFY", SOON)?;
    check(told.contains("Messages-Waiting: no") && told.contains("0/3"), told)?;
    quit(bob, watcher, summary(0).write(), message_summary::CONTENT_TYPE).await?;
    ours.end().await
}

/// baresip ends, and its subscription to us with it, for which it waits.
async fn quit(bob: Baresip, mut watcher: Watcher, body: String, kind: ContentType) -> Outcome {
    let quits = tokio::task::spawn_blocking(move || bob.quit());
    unsubscribed(&mut watcher, kind, body).await?;
    quits.await?
}

async fn watches(stage: &Stage) -> Outcome {
    let server = Kamailio::start(stage)?;
    let offer = |config: &mut sidetone_sip_ua::AgentConfig| {
        config.packages = vec![presence::EVENT.to_owned()];
    };
    let mut alice = Ours::start_with(stage, "alice", Some(server.port), offer, |_| {}).await?;
    let contact = format!("\"Alice\" <sip:alice@127.0.0.1:{}>;presence=p2p\n", server.port);
    let more = More { modules: &["contact", "presence"], contacts: &contact, ..More::default() };
    let mut bob = Baresip::start_more(&more, stage, "bob", server.port, &TONE)?;

    let subscription = alice.subscribed().await?;
    let aor = alice.account.aor().to_string();
    let body = |state| Presence::of_state(&aor, state).write();
    let content = Some((presence::CONTENT_TYPE, body(PresenceState::Online).into()));
    let watcher = subscription.accept(WatcherState::Active, content).await?;
    // The words are coloured on its console.
    for (state, word) in
        [(PresenceState::OnThePhone, "to \x1b[31mBusy"), (PresenceState::Offline, "to \x1b[31mOffline")]
    {
        watcher.notify(presence::CONTENT_TYPE, body(state)).await?;
        bob.wait_for_line(word, SOON)?;
    }

    let request = SubscribeRequest::new(
        format!("sip:bob@127.0.0.1:{}", server.port).parse()?,
        presence::EVENT.parse()?,
    );
    let mut subscription = alice.account.subscribe(request.accepting(presence::CONTENT_TYPE)).await?;
    // Its first is of no status that PIDF knows: nothing was set yet.
    let told = Presence::parse(&notified(&mut subscription).await?.1)?;
    check(told.tuples.len() == 1 && told.state() == PresenceState::Offline, format!("{told:?}"))?;
    for (command, state) in
        [("presence_online", PresenceState::Online), ("presence_offline", PresenceState::Offline)]
    {
        bob.command(command, "")?;
        let (kind, body) = notified(&mut subscription).await?;
        check(kind == "application/pidf+xml", kind)?;
        let told = Presence::parse(&body)?;
        check(told.state() == state, format!("{told:?}"))?;
    }
    drop(subscription);
    quit(bob, watcher, body(PresenceState::Offline), presence::CONTENT_TYPE).await?;
    alice.end().await
}

async fn refused(stage: &Stage) -> Outcome {
    let mut scene = Scene::set(stage).await?;
    scene.bob.dial(&scene.uri("alice"))?;
    scene.alice.incoming().await?.reject(StatusCode::BUSY_HERE).await?;
    let why = scene.bob.wait_for("CALL_CLOSED", SOON)?;
    check(why.contains("486"), why)?;
    scene.bob.dial(&scene.uri("alice"))?;
    scene.alice.incoming().await?.redirect(scene.uri("carol").parse()?).await?;
    // It goes there by itself, and keeps the Call-ID.
    let mut redirected = scene.carol.answer(any_port()).await?;
    redirected.hangup().await?;
    ended(&mut redirected).await?;
    scene.bob.wait_for("CALL_CLOSED", SOON)?;

    within("answer to a text", scene.alice.account.message("bob", "lunch?")).await??;
    scene.bob.wait_for_line("lunch?", SOON)?;

    // It takes four calls.
    let mut calls = Vec::new();
    for _ in 0..4 {
        calls.push(scene.alice.call("bob", any_port()).await?);
    }
    let mut fifth = scene.alice.account.call("bob", any_port()).await?;
    ended_by(&mut fifth, 486).await?;
    for mut call in calls {
        call.hangup().await?;
        ended(&mut call).await?;
    }
    scene.end().await
}
