//! The library's features with linphone at the other end, Kamailio between: calls, hold, and transfers of every kind, with
//! linphone in each of the three roles of an attended one.

use crate::peers::agent::{
    Ear, HIGH, LOW, Ours, TonePort, any_port, call_event, check, ended, established, run, tone_port, within,
};
use crate::peers::kamailio::Kamailio;
use crate::peers::linphone::Linphone;
use crate::peers::{KAMAILIO, LINPHONE, Needs, Outcome, Stage, trial};
use libtest_mimic::{Failed, Trial};
use sidetone_sip_ua::{AccountConfig, Call, CallEvent, EndedBy};

pub(crate) fn trials() -> Vec<Trial> {
    const BOTH: &[Needs] = &[KAMAILIO, LINPHONE];
    vec![
        trial("we_and_linphone_call_and_hold_each_other", BOTH, |stage| run(calls(stage))),
        trial("we_transfer_linphone", BOTH, |stage| run(we_transfer(stage))),
        trial("linphone_transfers_us", BOTH, |stage| run(linphone_transfers(stage))),
        trial("linphone_follows_our_redirection", BOTH, |stage| run(redirected(stage))),
    ]
}

/// A server, linphone as Bob, Alice and Carol.
struct Scene {
    bob: Linphone,
    alice: Ours,
    carol: Ours,
    _server: Kamailio,
}

impl Scene {
    async fn set(stage: &Stage) -> Result<Self, Failed> {
        let server = Kamailio::start(stage)?;
        let bob = Linphone::start(stage, "bob", server.port)?;
        // In what linphone refers to the server's port is missing.
        let proxy = format!("sip:127.0.0.1:{};lr", server.port).parse()?;
        let by_proxy = |account: &mut AccountConfig| account.proxy = Some(proxy);
        let alice = Ours::start_with(stage, "alice", Some(server.port), |_| {}, by_proxy).await?;
        let carol = Ours::start(stage, "carol", Some(server.port)).await?;
        server.wait_until_known("bob")?;
        Ok(Self { bob, alice, carol, _server: server })
    }

    /// Alice calls Bob, who answers.
    async fn alice_calls_bob(&mut self, port: TonePort) -> Result<Call, Failed> {
        let mut call = self.alice.account.call("bob", port).await?;
        call_event(&mut call, "ringing", |event| matches!(event, CallEvent::Ringing { .. })).await?;
        self.bob.command("answer")?;
        established(&mut call).await?;
        // Until it has our ACK it can do nothing in the call.
        self.alice.has_reached("bob").await?;
        Ok(call)
    }

    async fn end(self) -> Outcome {
        self.alice.end().await?;
        self.carol.end().await
    }
}

fn ear() -> (TonePort, Ear) {
    tone_port(LOW, HIGH)
}

async fn calls(stage: &Stage) -> Outcome {
    let mut scene = Scene::set(stage).await?;
    let (port, mut alice_hears) = ear();
    let mut call = scene.alice_calls_bob(port).await?;
    scene.bob.speak()?;
    alice_hears.tone().await?;
    within("hold", call.hold()).await??;
    alice_hears.silence().await?;
    within("resume", call.resume()).await??;
    alice_hears.tone().await?;
    // Speech does not wait for the ACK, and a re-INVITE of its own does.
    scene.alice.has_reached("bob").await?;
    scene.bob.command("pause")?;
    call_event(&mut call, "hold by linphone", |event| *event == CallEvent::RemoteHold).await?;
    scene.bob.wait_for_line("is now paused")?;
    scene.bob.command("resume")?;
    call_event(&mut call, "resume by linphone", |event| *event == CallEvent::RemoteResume).await?;
    scene.alice.has_reached("bob").await?;
    scene.bob.command("terminate")?;
    check(ended(&mut call).await?.by == EndedBy::Remote, "who hung up")?;

    scene.alice.has_reached("bob").await?;
    scene.bob.command("call alice")?;
    let mut call = scene.alice.answer(any_port()).await?;
    call.hangup().await?;
    ended(&mut call).await?;
    scene.end().await
}

async fn we_transfer(stage: &Stage) -> Outcome {
    let mut scene = Scene::set(stage).await?;
    // Without asking Carol.
    let mut call = scene.alice_calls_bob(any_port()).await?;
    let handle = call.handle();
    let (transfer, answered) =
        tokio::join!(within("transfer", handle.transfer("carol")), scene.carol.answer(any_port()));
    let mut answered = answered?;
    transfer??;
    ended(&mut call).await?;
    answered.hangup().await?;
    ended(&mut answered).await?;

    // Having asked her: Bob's call to her takes the place of Alice's.
    let mut call = scene.alice_calls_bob(any_port()).await?;
    within("hold", call.hold()).await??;
    let (asking, asked) = tokio::join!(scene.alice.call("carol", any_port()), scene.carol.answer(any_port()));
    let (mut asking, mut asked) = (asking?, asked?);
    let (handle, consultation) = (call.handle(), asking.handle());
    let (transfer, answered) = tokio::join!(within("transfer", handle.transfer_to(&consultation)), async {
        let incoming = scene.carol.incoming().await?;
        check(incoming.replaces() == Some(asked.id()), "the call that is replaced")?;
        let mut call = incoming.answer(any_port()).await?;
        established(&mut call).await?;
        Ok::<_, Failed>(call)
    });
    let mut answered = answered?;
    transfer??;
    for call in [&mut call, &mut asking, &mut asked] {
        ended(call).await?;
    }
    answered.hangup().await?;
    ended(&mut answered).await?;

    // The same with Bob as the one who is asked: it is he who must know what Replaces is.
    let (call, transferred) =
        tokio::join!(scene.alice.call("carol", any_port()), scene.carol.answer(any_port()));
    let (mut call, mut transferred) = (call?, transferred?);
    within("hold", call.hold()).await??;
    let mut asking = scene.alice_calls_bob(any_port()).await?;
    let (handle, consultation) = (call.handle(), asking.handle());
    let (transfer, replacing) = tokio::join!(within("transfer", handle.transfer_to(&consultation)), async {
        let mut replacing = scene.carol.referred().await?.accept(any_port()).await?;
        established(&mut replacing).await?;
        Ok::<_, Failed>(replacing)
    });
    let mut replacing = replacing?;
    transfer??;
    for call in [&mut call, &mut asking, &mut transferred] {
        ended(call).await?;
    }
    replacing.hangup().await?;
    ended(&mut replacing).await?;
    scene.end().await
}

async fn linphone_transfers(stage: &Stage) -> Outcome {
    let mut scene = Scene::set(stage).await?;
    let mut call = scene.alice_calls_bob(any_port()).await?;
    scene.bob.command("transfer carol")?;
    let mut transferred = scene.alice.referred().await?.accept(any_port()).await?;
    let mut answered = scene.carol.answer(any_port()).await?;
    established(&mut transferred).await?;
    check(ended(&mut call).await?.by == EndedBy::Remote, "who hung up")?;
    transferred.hangup().await?;
    ended(&mut transferred).await?;
    ended(&mut answered).await?;

    // It has our 200 to its BYE: the call that was is not in its list any more.
    scene.alice.has_reached("bob").await?;
    let mut call = scene.alice_calls_bob(any_port()).await?;
    let first = number_of_the_call(&mut scene.bob, "alice")?;
    scene.bob.command("pause")?;
    call_event(&mut call, "hold by linphone", |event| *event == CallEvent::RemoteHold).await?;
    // Our 200 may still be on its way to it.
    scene.bob.wait_for_line("is now paused")?;
    scene.bob.command("call carol")?;
    let mut asked = scene.carol.answer(any_port()).await?;
    let second = number_of_the_call(&mut scene.bob, "carol")?;
    scene.bob.command(&format!("transfer {first} --to-call {second}"))?;
    let mut transferred = scene.alice.referred().await?.accept(any_port()).await?;
    let incoming = scene.carol.incoming().await?;
    check(incoming.replaces() == Some(asked.id()), "the call that is replaced")?;
    let mut answered = incoming.answer(any_port()).await?;
    established(&mut transferred).await?;
    ended(&mut asked).await?;
    check(ended(&mut call).await?.by == EndedBy::Remote, "who hung up")?;
    transferred.hangup().await?;
    ended(&mut transferred).await?;
    ended(&mut answered).await?;
    scene.end().await
}

/// The number by which linphone's commands name its call with somebody.
fn number_of_the_call(bob: &mut Linphone, peer: &str) -> Result<u32, Failed> {
    bob.command("calls")?;
    let line = bob.wait_for_line(&format!("| sip:{peer}@"))?;
    let number = line.split_whitespace().find_map(|word| word.parse().ok());
    number.ok_or_else(|| format!("no number in {line:?}").into())
}

async fn redirected(stage: &Stage) -> Outcome {
    let mut scene = Scene::set(stage).await?;
    scene.bob.command("call alice")?;
    let to = scene.carol.account.aor().clone();
    scene.alice.incoming().await?.redirect(to).await?;
    let mut call = scene.carol.answer(any_port()).await?;
    call.hangup().await?;
    ended(&mut call).await?;
    scene.end().await
}
