//! The library's user agent and what SIPp does that no good peer does: forks by the thousand, numbers out of order, storms,
//! loops, floods. It must answer rightly, take a clean call afterwards, and end with nothing left over.
//!
//! Bounds are small here, so that whatever a trial leaves behind shows: a call that is not forgotten takes the place of
//! the next one.

use crate::peers::agent::{Ours, any_port, call_event, check, ended, ended_by, notified, run, within};
use crate::peers::sipp::Sipp;
use crate::peers::{Needs, Outcome, SIPP, SOON, Stage, WAITING, free_port, trial_with_share};
use core::time::Duration;
use libtest_mimic::{Failed, Trial};
use sidetone_sip_core::StatusCode;
use sidetone_sip_ua::package::dialog_info::{self, DialogInfo};
use sidetone_sip_ua::{
    AccountConfig, AgentConfig, Call, CallEvent, EndedBy, ExtensionUse, SubscribeRequest, SubscriptionEvent,
    SubscriptionState, UserAgentEvent, Watcher, WatcherEvent, WatcherState,
};

/// Calls at once; a trial makes more than that one after the other.
const CALLS: usize = 4;
/// Subscriptions at once.
const SUBSCRIPTIONS: usize = 50;

pub(crate) fn trials() -> Vec<Trial> {
    const NEEDS: &[Needs] = &[SIPP];
    let light = |name, run| trial_with_share(WAITING, name, NEEDS, run);
    vec![
        light("a_200_that_comes_again_and_again_is_one_answer", |stage| run(double_200(stage))),
        light("a_loop_of_redirections_ends", |stage| run(redirections(stage))),
        light("a_call_rings_at_a_thousand_places", |stage| run(forks(stage))),
        light("reliable_responses_and_an_update_in_and_out_of_order", |stage| run(reliable(stage))),
        light("wrong_pracks_are_refused", |stage| run(prack(stage))),
        light("numbers_out_of_order_are_refused", |stage| run(answered(stage, "uac_cseq.xml", 6))),
        light("a_call_survives_a_storm_of_re_invites", |stage| run(answered(stage, "uac_storm.xml", 3))),
        light("a_call_survives_crossing_re_invites", |stage| run(answered(stage, "uac_glare.xml", 6))),
        light("notifies_that_nobody_asked_for_are_refused", |stage| run(unsolicited(stage))),
        light("a_notify_may_come_before_the_200", |stage| run(notify_first(stage))),
        light("refers_to_nobody_are_refused", |stage| run(answered(stage, "uac_refer_odd.xml", 6))),
        light("a_hundred_refers_in_a_call_are_declined", |stage| run(refers(stage))),
        light("a_flood_of_notifies_ends_in_the_newest_state", |stage| run(notify_flood(stage))),
        light("a_refer_to_ourselves_ends", |stage| run(refer_loop(stage))),
        light("a_chain_of_refers_goes_as_far_as_we_want", |stage| run(refer_chain(stage))),
        light("replaces_without_a_call_are_refused", |stage| run(replaces(stage))),
        light("a_flood_of_subscriptions_is_bounded", |stage| run(flood(stage))),
    ]
}

fn bounded(config: &mut AgentConfig) {
    config.max_calls = CALLS;
    config.max_subscriptions = SUBSCRIPTIONS;
    config.packages = vec![dialog_info::PACKAGE.to_owned()];
}

async fn ours(stage: &Stage) -> Result<Ours, Failed> {
    Ours::start_with(stage, "service", None, bounded, |_| {}).await
}

/// SIPp calls us.
fn caller(stage: &Stage, ours: &Ours, scenario: &str, arguments: &[&str]) -> Result<Sipp, Failed> {
    Sipp::start(stage, scenario, free_port(), Some(&ours.address.to_string()), arguments)
}

/// Until SIPp is done, what happens to our side goes to `handle`.
async fn serve(
    ours: &mut Ours,
    mut sipp: Sipp,
    mut handle: impl AsyncFnMut(UserAgentEvent) -> Outcome,
) -> Outcome {
    let mut done = tokio::task::spawn_blocking(move || sipp.expect_success(SOON));
    loop {
        tokio::select! {
            outcome = &mut done => return outcome?,
            event = ours.agent.next_event() => handle(event.ok_or("the agent ended")?).await?,
        }
    }
}

/// Answers the calls, and lets them be until the other side hangs up.
async fn answering(ours: &mut Ours, sipp: Sipp) -> Result<Vec<Call>, Failed> {
    let mut calls = Vec::new();
    serve(ours, sipp, async |event| {
        if let UserAgentEvent::Incoming(incoming) = event {
            calls.push(incoming.answer(any_port()).await?);
        }
        Ok(())
    })
    .await?;
    Ok(calls)
}

/// Waits for messages; SIPp does not say which it had.
async fn until(ours: &Ours, what: &str, condition: impl Fn(&Ours) -> bool) -> Outcome {
    within(what, async {
        let mut turn = tokio::time::interval(Duration::from_millis(20));
        while !condition(ours) {
            turn.tick().await;
        }
    })
    .await
}

/// It is as it was before.
async fn clean(mut ours: Ours, stage: &Stage) -> Outcome {
    ours.takes_a_clean_call(stage).await?;
    ours.end().await
}

/// So many calls, one after the other, each of which the scenario ends.
async fn answered(stage: &Stage, scenario: &str, count: usize) -> Outcome {
    let mut ours = ours(stage).await?;
    let sipp = caller(stage, &ours, scenario, &["-m", &count.to_string(), "-l", "1", "-r", "20"])?;
    let calls = answering(&mut ours, sipp).await?;
    check(calls.len() == count, format!("{} calls", calls.len()))?;
    for mut call in calls {
        let cause = ended(&mut call).await?;
        check(cause.by == EndedBy::Remote, cause)?;
    }
    clean(ours, stage).await
}

async fn forks(stage: &Stage) -> Outcome {
    let port = free_port();
    let sipp = Sipp::start(stage, "uas_forks.xml", port, None, &["-m", "1"])?;
    let mut ours = ours(stage).await?;
    let mut call = ours.account.call(format!("sip:forks@127.0.0.1:{port}"), any_port()).await?;
    call_event(&mut call, "answer", |event| *event == CallEvent::Established).await?;
    // Ten more answer, and are let go, while this call is up.
    // Ten BYEs and as many answers: SIPp takes the eleventh only then.
    until(&ours, "ten BYEs", |ours| ours.messages(" BYE\r\n") == 20).await?;
    check(ours.messages("\nSIP/2.0 180") == 1000, "a thousand rang")?;
    call.hangup().await?;
    ended(&mut call).await?;
    serve(&mut ours, sipp, async |_| Ok(())).await?;
    clean(ours, stage).await
}

async fn double_200(stage: &Stage) -> Outcome {
    let port = free_port();
    let sipp = Sipp::start(stage, "uas_double_200.xml", port, None, &["-m", "1"])?;
    let mut ours = ours(stage).await?;
    let mut call = ours.account.call(format!("sip:twice@127.0.0.1:{port}"), any_port()).await?;
    call_event(&mut call, "answer", |event| *event == CallEvent::Established).await?;
    until(&ours, "three ACK", |ours| ours.messages("\nACK sip:") == 3).await?;
    call.hangup().await?;
    let cause = ended(&mut call).await?;
    check(cause.by == EndedBy::Local, cause)?;
    serve(&mut ours, sipp, async |_| Ok(())).await?;
    check(ours.messages("\nBYE sip:") == 1, "the call alone was hung up")?;
    clean(ours, stage).await
}

/// Each place names one that was not called yet, and where the call began: after five of them it is enough.
async fn redirections(stage: &Stage) -> Outcome {
    const CALLED: usize = 6;
    let port = free_port();
    let sipp = Sipp::start(stage, "uas_redirect.xml", port, None, &["-m", &CALLED.to_string()])?;
    let mut ours = ours(stage).await?;
    let mut call = ours.account.call(format!("sip:redirect@127.0.0.1:{port}"), any_port()).await?;
    ended_by(&mut call, 302).await?;
    check(ours.messages("\nINVITE sip:") == CALLED, format!("{} INVITE", ours.messages("\nINVITE sip:")))?;
    serve(&mut ours, sipp, async |_| Ok(())).await?;
    clean(ours, stage).await
}

async fn reliable(stage: &Stage) -> Outcome {
    let port = free_port();
    let sipp = Sipp::start(stage, "uas_reliable.xml", port, None, &["-m", "1"])?;
    let mut ours = ours(stage).await?;
    let mut call = ours.account.call(format!("sip:reliable@127.0.0.1:{port}"), any_port()).await?;
    let early = |event: &CallEvent| *event == CallEvent::Ringing { early_media: true };
    call_event(&mut call, "early media", early).await?;
    call_event(&mut call, "answer", |event| *event == CallEvent::Established).await?;
    call.hangup().await?;
    ended(&mut call).await?;
    serve(&mut ours, sipp, async |_| Ok(())).await?;
    check(ours.messages("\nPRACK sip:") == 3, format!("{} PRACK", ours.messages("\nPRACK sip:")))?;
    clean(ours, stage).await
}

async fn prack(stage: &Stage) -> Outcome {
    let reliably = |account: &mut AccountConfig| account.session.reliable = ExtensionUse::Supported;
    let mut ours = Ours::start_with(stage, "service", None, bounded, reliably).await?;
    let sipp = caller(stage, &ours, "uac_prack.xml", &["-m", "1"])?;
    let incoming = ours.incoming().await?;
    incoming.ring().await?;
    until(&ours, "three PRACK", |ours| ours.messages("\nPRACK sip:") == 3).await?;
    let mut call = incoming.answer(any_port()).await?;
    serve(&mut ours, sipp, async |_| Ok(())).await?;
    ended(&mut call).await?;
    clean(ours, stage).await
}

async fn unsolicited(stage: &Stage) -> Outcome {
    let mut ours = ours(stage).await?;
    for scenario in ["uac_notify.xml", "uac_notify_alone.xml"] {
        let sipp = caller(stage, &ours, scenario, &["-m", "3", "-l", "1"])?;
        for mut call in answering(&mut ours, sipp).await? {
            ended(&mut call).await?;
        }
    }
    clean(ours, stage).await
}

async fn notify_first(stage: &Stage) -> Outcome {
    let port = free_port();
    let sipp = Sipp::start(stage, "uas_notify_first.xml", port, None, &["-m", "1"])?;
    let mut ours = ours(stage).await?;
    let request = SubscribeRequest::new(
        format!("sip:service@127.0.0.1:{port}").parse()?,
        dialog_info::PACKAGE.parse()?,
    );
    let mut subscription = ours.account.subscribe(request).await?;
    for body in ["first", "second", "last"] {
        let (_, told) = notified(&mut subscription).await?;
        check(told.trim_ascii() == body.as_bytes(), String::from_utf8_lossy(&told))?;
    }
    within("end of the subscription", async {
        while let Some(event) = subscription.next_event().await {
            if let SubscriptionEvent::State(SubscriptionState::Ended { reason, .. }) = event {
                return check(reason == "noresource", reason);
            }
        }
        Err("the end was not told".into())
    })
    .await??;
    serve(&mut ours, sipp, async |_| Ok(())).await?;
    clean(ours, stage).await
}

/// More than fit beside each other: none may be left over. Whoever drops a REFER declines it.
async fn refers(stage: &Stage) -> Outcome {
    let mut ours = ours(stage).await?;
    let sipp = caller(stage, &ours, "uac_refer_many.xml", &["-m", "1"])?;
    for mut call in answering(&mut ours, sipp).await? {
        ended(&mut call).await?;
    }
    clean(ours, stage).await
}

/// What a slow reader misses is asked for again.
async fn notify_flood(stage: &Stage) -> Outcome {
    const FLOOD: usize = 150;
    let port = free_port();
    // SIPp may not be where it expects our SUBSCRIBE when the first one comes: it comes again.
    let patient = ["-m", "1", "-default_behaviors", "all,-abortunexp"];
    let sipp = Sipp::start(stage, "uas_notify_flood.xml", port, None, &patient)?;
    let mut ours = ours(stage).await?;
    let request = SubscribeRequest::new(
        format!("sip:service@127.0.0.1:{port}").parse()?,
        dialog_info::PACKAGE.parse()?,
    );
    let mut subscription = ours.account.subscribe(request).await?;
    until(&ours, "flood", |ours| ours.messages("\nNOTIFY sip:") >= FLOOD).await?;
    let mut read = 0;
    while notified(&mut subscription).await?.1.trim_ascii() != b"anew" {
        read += 1;
    }
    check(read < FLOOD, format!("{read} of {FLOOD} were kept for a reader who did not read"))?;
    drop(subscription);
    serve(&mut ours, sipp, async |_| Ok(())).await?;
    clean(ours, stage).await
}

/// We are told to call ourselves, do, and are busy.
async fn refer_loop(stage: &Stage) -> Outcome {
    let mut ours = ours(stage).await?;
    let sipp = caller(stage, &ours, "uac_refer_loop.xml", &["-m", "6", "-l", "1"])?;
    let (mut calls, mut referred, mut round) = (Vec::new(), Vec::new(), 0);
    serve(&mut ours, sipp, async |event| {
        match event {
            UserAgentEvent::Incoming(incoming) if incoming.from().uri.user().as_deref() == Some("sipp") => {
                calls.push(incoming.answer(any_port()).await?);
            }
            UserAgentEvent::Incoming(incoming) => {
                round += 1;
                incoming.reject(StatusCode::BUSY_HERE).await?;
            }
            UserAgentEvent::Referred(refer) => referred.push(refer.accept(any_port()).await?),
            other => return Err(format!("{other:?}").into()),
        }
        Ok(())
    })
    .await?;
    check(calls.len() == 6 && round == 6, format!("{} calls, {round} to ourselves", calls.len()))?;
    for mut call in referred {
        ended_by(&mut call, 486).await?;
    }
    for mut call in calls {
        ended(&mut call).await?;
    }
    clean(ours, stage).await
}

/// Each call refers us to the next one; after five of them we have had enough.
async fn refer_chain(stage: &Stage) -> Outcome {
    const CHAIN: usize = 5;
    let port = free_port();
    let sipp = Sipp::start(stage, "uas_refer_chain.xml", port, None, &["-m", &(CHAIN + 1).to_string()])?;
    let mut ours = ours(stage).await?;
    let mut calls = vec![ours.account.call(format!("sip:chain@127.0.0.1:{port}"), any_port()).await?];
    serve(&mut ours, sipp, async |event| {
        match event {
            UserAgentEvent::Referred(refer) if calls.len() <= CHAIN => {
                calls.push(refer.accept(any_port()).await?);
            }
            UserAgentEvent::Referred(refer) => refer.reject(StatusCode::DECLINE).await?,
            other => return Err(format!("{other:?}").into()),
        }
        Ok(())
    })
    .await?;
    check(calls.len() == CHAIN + 1, format!("{} calls", calls.len()))?;
    for mut call in calls {
        let cause = ended(&mut call).await?;
        check(cause.by == EndedBy::Remote, cause)?;
    }
    clean(ours, stage).await
}

async fn replaces(stage: &Stage) -> Outcome {
    let mut ours = ours(stage).await?;
    for scenario in ["uac_replaces_nothing.xml", "uac_replaces_odd.xml"] {
        let sipp = caller(stage, &ours, scenario, &["-m", "6", "-l", "1"])?;
        let calls = answering(&mut ours, sipp).await?;
        check(calls.is_empty(), "a call that was to be refused")?;
    }
    clean(ours, stage).await
}

async fn flood(stage: &Stage) -> Outcome {
    const FLOOD: usize = 300;
    let mut ours = ours(stage).await?;
    let count = FLOOD.to_string();
    let sipp = caller(stage, &ours, "uac_subscribe.xml", &["-m", &count, "-r", &count, "-l", &count])?;
    let body = || {
        Some((
            dialog_info::CONTENT_TYPE,
            DialogInfo::full(0, "sip:service@127.0.0.1", Vec::new()).write().into(),
        ))
    };
    let mut watchers: Vec<tokio::task::JoinHandle<Result<Watcher, Failed>>> = Vec::new();
    serve(&mut ours, sipp, async |event| {
        if let UserAgentEvent::Subscribe(subscription) = event {
            let mut watcher = subscription.accept(WatcherState::Active, body()).await?;
            let body = body();
            watchers.push(tokio::spawn(async move {
                while let Some(event) = watcher.next_event().await {
                    if let (WatcherEvent::Refreshed(..), Some((kind, body))) = (event, body.clone()) {
                        watcher.notify(kind, body).await?;
                    }
                }
                Ok(watcher)
            }));
        }
        Ok(())
    })
    .await?;
    // Others came when the first had gone, perhaps.
    check((SUBSCRIPTIONS..FLOOD).contains(&watchers.len()), format!("{} were taken", watchers.len()))?;
    check(ours.messages("\nSIP/2.0 503") > 0, "nobody was told that there are too many")?;
    for watcher in watchers {
        within("end of a subscription", watcher).await???;
    }
    clean(ours, stage).await
}
