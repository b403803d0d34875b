//! Packages for which no server is installed, with SIPp in its place: settings shared with a server (`as-feature-event`), and the
//! quality report of a call (RFC 6035).

use crate::peers::agent::{Ours, check, notified, run};
use crate::peers::sipp::Sipp;
use crate::peers::{Needs, Outcome, SIPP, SOON, Stage, WAITING, free_port, trial_with_share};
use core::time::Duration;
use libtest_mimic::{Failed, Trial};
use sidetone_codecs::pcmu;
use sidetone_media::quality::{CallQuality, QualityReport};
use sidetone_sip_core::Method;
use sidetone_sip_core::header::ContentType;
use sidetone_sip_ua::package::feature_sync::{
    self, FeatureRequest, FeatureState, ForwardingType, read_events,
};
use sidetone_sip_ua::package::quality_report::{self, ReportedCall};
use sidetone_sip_ua::{OutgoingRequest, SubscribeRequest, Subscription};

pub(crate) fn trials() -> Vec<Trial> {
    const NEEDS: &[Needs] = &[SIPP];
    let light = |name, run| trial_with_share(WAITING, name, NEEDS, run);
    vec![
        light("settings_are_shared_with_a_server", |stage| run(features(stage))),
        light("a_quality_report_reaches_its_collector", |stage| run(quality(stage))),
    ]
}

async fn take(subscription: &mut Subscription, state: &mut FeatureState) -> Outcome {
    let (kind, body) = notified(subscription).await?;
    for event in read_events(&kind.parse::<ContentType>()?, &body.into())? {
        state.apply(event);
    }
    Ok(())
}

async fn features(stage: &Stage) -> Outcome {
    let port = free_port();
    let mut server = Sipp::start(stage, "uas_feature_event.xml", port, None, &["-m", "1"])?;
    let ours = Ours::start(stage, "alice", None).await?;
    let to = format!("sip:service@127.0.0.1:{port}").parse()?;
    let request = SubscribeRequest::new(to, feature_sync::EVENT.parse()?)
        .accepting(feature_sync::CONTENT_TYPE)
        .with_expires(Duration::from_secs(600));
    let mut subscription = ours.account.subscribe(request).await?;
    let mut state = FeatureState::default();
    take(&mut subscription, &mut state).await?;
    check(state.do_not_disturb == Some(false), format!("{state:?}"))?;
    take(&mut subscription, &mut state).await?;
    let forward = state.forwarding.get(&ForwardingType::Immediate).ok_or("no forward")?;
    check(forward.on && forward.to.as_deref() == Some("4711"), format!("{forward:?}"))?;
    // Only what the server tells back is so.
    let body = FeatureRequest::do_not_disturb(true).write();
    subscription.say(feature_sync::CONTENT_TYPE, body).await?;
    take(&mut subscription, &mut state).await?;
    check(state.do_not_disturb == Some(true), format!("{state:?}"))?;
    drop(subscription);
    let done = tokio::task::spawn_blocking(move || server.expect_success(SOON));
    done.await??;
    ours.end().await
}

async fn quality(stage: &Stage) -> Outcome {
    let port = free_port();
    let mut server = Sipp::start(stage, "uas_collector.xml", port, None, &["-m", "1"])?;
    let ours = Ours::start(stage, "alice", None).await?;
    let name = |text: &str| text.parse::<sidetone_sip_core::NameAddr>().map_err(Failed::from);
    let (local, remote) = (name("<sip:alice@127.0.0.1>")?, name("<sip:bob@127.0.0.1>")?);
    let call = ReportedCall::new("call-1@alice", "ours", local, remote, true).with_remote_tag("theirs");
    let report = call.report(&QualityReport::new(CallQuality::new(&pcmu::SPEC), None)).to_string();
    let mut request =
        OutgoingRequest::new(Method::PUBLISH).with_body(quality_report::CONTENT_TYPE, report.into_bytes());
    request.headers.push(&quality_report::event());
    let response = ours.account.request(format!("sip:collector@127.0.0.1:{port}"), request).await?;
    check(response.status.is_success(), response.status.code())?;
    let done = tokio::task::spawn_blocking(move || server.expect_success(SOON));
    done.await??;
    ours.end().await
}
