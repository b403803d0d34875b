//! The library's lamps of a whole list, with Kamailio as resource list server (RFC 4662): one subscription for two extensions.

use crate::peers::agent::{Ours, any_port, check, ended, run, within};
use crate::peers::kamailio::Kamailio;
use crate::peers::{KAMAILIO, KAMAILIO_PRESENCE, Needs, Outcome, Stage, WAITING, trial_with_share};
use libtest_mimic::Trial;
use sidetone_sip_core::header::{ContentType, Supported};
use sidetone_sip_core::{Headers, Part};
use sidetone_sip_ua::package::blf::{BlfList, BlfState};
use sidetone_sip_ua::package::dialog_info;
use sidetone_sip_ua::package::resource_list::{self, ListDocument};
use sidetone_sip_ua::{SubscribeRequest, Subscription, SubscriptionEvent};

pub(crate) fn trials() -> Vec<Trial> {
    const NEEDS: &[Needs] = &[KAMAILIO, KAMAILIO_PRESENCE];
    let light = |name, run| trial_with_share(WAITING, name, NEEDS, run);
    vec![light("a_list_of_lamps_follows_calls_through_kamailio", |stage| run(list(stage)))]
}

/// Takes documents until the lamps show what is wanted.
async fn until(
    what: &str,
    subscription: &mut Subscription,
    lamps: &mut BlfList,
    wanted: impl Fn(&BlfList) -> bool,
) -> Outcome {
    within(what, async {
        while !wanted(lamps) {
            let event = subscription.next_event().await.ok_or("the subscription is over")?;
            let SubscriptionEvent::Notify(request) = event else { continue };
            if request.body.is_empty() {
                continue;
            }
            let kind = request.headers.require::<ContentType>()?;
            let document = ListDocument::read(&Part::new(&kind, request.body.clone()))?;
            let update = lamps.apply(&document);
            check(update.errors.is_empty(), format!("{:?}", update.errors))?;
        }
        Ok(())
    })
    .await?
}

async fn list(stage: &Stage) -> Outcome {
    let server = Kamailio::start_lists(stage, "carol", "team", &["alice", "bob"])?;
    let alice = Ours::start(stage, "alice", Some(server.port)).await?;
    let mut bob = Ours::start(stage, "bob", Some(server.port)).await?;
    let carol = Ours::start(stage, "carol", Some(server.port)).await?;
    let uri = |name: &str| format!("sip:{name}@127.0.0.1");
    let mut headers = Headers::new();
    headers.push(&Supported([resource_list::OPTION_TAG.into()].into()));
    let request = SubscribeRequest::new(
        format!("sip:team@127.0.0.1:{}", server.port).parse()?,
        dialog_info::PACKAGE.parse()?,
    )
    .accepting(dialog_info::CONTENT_TYPE)
    .accepting(ContentType::from_static("application", "rlmi+xml"))
    .accepting(ContentType::from_static("multipart", "related"))
    .with_headers(headers);
    let mut subscription = carol.account.subscribe(request).await?;
    let mut lamps = BlfList::new();
    let (of_alice, of_bob) = (uri("alice"), uri("bob"));
    let both = |lamps: &BlfList| lamps.state(&of_alice).is_some() && lamps.state(&of_bob).is_some();
    until("both members", &mut subscription, &mut lamps, both).await?;
    let mut call = alice.account.call("bob", any_port()).await?;
    let waiting = bob.incoming().await?;
    waiting.ring().await?;
    let rings = |lamps: &BlfList| matches!(lamps.state(&of_bob), Some(BlfState::Ringing(_)));
    until("ringing lamp", &mut subscription, &mut lamps, rings).await?;
    let mut answered = waiting.answer(any_port()).await?;
    let busy = |lamps: &BlfList, of: &str| matches!(lamps.state(of), Some(BlfState::Busy(_)));
    let talk = |lamps: &BlfList| busy(lamps, &of_alice) && busy(lamps, &of_bob);
    until("busy lamps", &mut subscription, &mut lamps, talk).await?;
    call.hangup().await?;
    ended(&mut answered).await?;
    ended(&mut call).await?;
    let idle =
        |lamps: &BlfList| [&of_alice, &of_bob].iter().all(|of| lamps.state(of) == Some(BlfState::Idle));
    until("idle lamps", &mut subscription, &mut lamps, idle).await?;
    drop(subscription);
    // Kamailio's list server takes the end with 200, and sends no last NOTIFY, for which Carol would wait 32 s.
    carol.agent.shutdown().await;
    alice.end().await?;
    bob.end().await
}
