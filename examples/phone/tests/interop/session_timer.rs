//! Session timers (RFC 4028) with programs that others wrote: SIPp refreshes, by UPDATE and by re-INVITE, has us refresh, and
//! forgets to; Kamailio's module `sst` wants a longer interval.

use crate::peers::agent::{Ours, any_port, call_event, check, ended, established, run};
use crate::peers::kamailio::Kamailio;
use crate::peers::sipp::Sipp;
use crate::peers::{KAMAILIO, Needs, Outcome, SIPP, SOON, Stage, WAITING, free_port, trial_with_share};
use core::time::Duration;
use libtest_mimic::{Failed, Trial};
use sidetone_sip_core::header::Refresher;
use sidetone_sip_ua::{AccountConfig, CallEvent, EndedBy, ExtensionUse, SessionTimerConfig};
use std::time::Instant;

pub(crate) fn trials() -> Vec<Trial> {
    const BY_SIPP: &[Needs] = &[SIPP];
    let light = |name, run| trial_with_share(WAITING, name, BY_SIPP, run);
    vec![
        light("sipp_refreshes_a_session_by_update_and_by_re_invite", |stage| run(refreshed(stage))),
        light("a_session_that_sipp_forgets_is_hung_up", |stage| run(forgotten(stage))),
        light("we_refresh_a_session_of_sipp_after_its_422", |stage| run(refreshing(stage))),
        trial_with_share(WAITING, "kamailio_sst_makes_our_session_longer", &[KAMAILIO], |stage| {
            run(longer(stage))
        }),
    ]
}

/// Session timers of so many seconds, and none under 2 s: a trial does not wait for minutes.
fn seconds(expires: u64, refresher: Option<Refresher>) -> impl FnOnce(&mut AccountConfig) {
    move |account| {
        let mut timer = SessionTimerConfig::new(ExtensionUse::Supported)
            .with_expires(Duration::from_secs(expires))
            .with_min_se(Duration::from_secs(2));
        timer.refresher = refresher;
        account.session.timer = timer;
    }
}

async fn called(stage: &Stage, scenario: &str) -> Result<(Ours, Sipp, sidetone_sip_ua::Call), Failed> {
    let mut ours = Ours::start_with(stage, "service", None, |_| {}, seconds(12, None)).await?;
    let sipp = Sipp::start(stage, scenario, free_port(), Some(&ours.address.to_string()), &["-m", "1"])?;
    let call = ours.answer(any_port()).await?;
    Ok((ours, sipp, call))
}

async fn done(mut sipp: Sipp) -> Outcome {
    tokio::task::spawn_blocking(move || sipp.expect_success(SOON)).await?
}

async fn refreshed(stage: &Stage) -> Outcome {
    let (ours, sipp, mut call) = called(stage, "uac_timer.xml").await?;
    let began = Instant::now();
    let cause = ended(&mut call).await?;
    check(cause.by == EndedBy::Remote, &cause)?;
    check(began.elapsed() > Duration::from_secs(13), "it did not outlive its first 12 s")?;
    done(sipp).await?;
    ours.end().await
}

async fn forgotten(stage: &Stage) -> Outcome {
    let (ours, sipp, mut call) = called(stage, "uac_timer_forgotten.xml").await?;
    let began = Instant::now();
    let cause = ended(&mut call).await?;
    check(cause.by == EndedBy::Timeout, &cause)?;
    // RFC 4028 section 10: the smaller of 32 s and a third of the interval before its end.
    let took = began.elapsed();
    check((Duration::from_secs(5)..Duration::from_secs(12)).contains(&took), format!("after {took:?}"))?;
    done(sipp).await?;
    ours.end().await
}

async fn refreshing(stage: &Stage) -> Outcome {
    let port = free_port();
    let sipp = Sipp::start(stage, "uas_timer.xml", port, None, &["-m", "1"])?;
    let ours = Ours::start_with(stage, "service", None, |_| {}, seconds(4, Some(Refresher::Uac))).await?;
    let mut call = ours.call(&format!("sip:timer@127.0.0.1:{port}"), any_port()).await?;
    check(ours.messages("SIP/2.0 422") == 1, "SIPp found 4 s too short")?;
    // The ACK of the re-INVITE that stands in for UPDATE is the third.
    tokio::time::timeout(SOON, async {
        let mut turn = tokio::time::interval(Duration::from_millis(50));
        while ours.messages("\nACK sip:") < 3 {
            turn.tick().await;
        }
    })
    .await
    .map_err(|_| "no refresh by re-INVITE")?;
    call.hangup().await?;
    ended(&mut call).await?;
    done(sipp).await?;
    check(ours.messages("\nUPDATE sip:") == 2, format!("{} UPDATE", ours.messages("\nUPDATE sip:")))?;
    ours.end().await
}

async fn longer(stage: &Stage) -> Outcome {
    let server = Kamailio::start_with_session_timer(stage)?;
    let alice =
        Ours::start_with(stage, "alice", Some(server.port), |_| {}, seconds(100, Some(Refresher::Uac)))
            .await?;
    let mut bob = Ours::start_with(stage, "bob", Some(server.port), |_| {}, seconds(100, None)).await?;
    let mut call = alice.account.call(format!("sip:bob@127.0.0.1:{}", server.port), any_port()).await?;
    let mut answered = bob.answer(any_port()).await?;
    established(&mut call).await?;
    check(alice.messages("SIP/2.0 422") == 1, "the server found 100 s too short")?;
    check(bob.messages("Session-Expires: 120") > 0, "what it wanted reached the other side")?;
    check(alice.messages("Session-Expires: 120;refresher=uac") > 0, "and was agreed on")?;
    call.hangup().await?;
    ended(&mut answered).await?;
    call_event(&mut call, "end", |event| matches!(event, CallEvent::Ended(_))).await?;
    bob.end().await?;
    alice.end().await
}
