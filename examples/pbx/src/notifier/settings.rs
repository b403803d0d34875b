//! The package `as-feature-event`: a telephone's keys for do not disturb and forwarding, and the server's settings, are
//! the same on both sides. What a telephone wants changed it says in the body of a SUBSCRIBE.

use super::Content;
use crate::features::Features;
use core::time::Duration;
use sidetone_hal::rng::Rng;
use sidetone_sip_core::Uri;
use sidetone_sip_ua::package::feature_sync::{
    AgentState, Feature, FeatureEvent, FeatureRequest, Forwarding, ForwardingType, write_events,
};

/// The ring count of the document stands for so long each: North America's cadence.
const RING: Duration = Duration::from_secs(6);

/// All settings of a user.
pub(super) fn document(user: &str, features: &Features, rng: &mut Rng) -> Content {
    let rings =
        features.no_answer_after.map(|after| u32::try_from(after.as_secs() / RING.as_secs()).unwrap_or(0));
    let rule = |kind, target: &Option<String>| {
        let rule = Forwarding::new(kind, target.is_some()).with_to(target.as_deref().unwrap_or_default());
        match rings.filter(|_| kind == ForwardingType::NoAnswer) {
            Some(rings) => rule.with_rings(rings),
            None => rule,
        }
    };
    let all = [
        Feature::DoNotDisturb(features.do_not_disturb),
        Feature::Forwarding(rule(ForwardingType::Immediate, &features.forward_always)),
        Feature::Forwarding(rule(ForwardingType::Busy, &features.forward_busy)),
        Feature::Forwarding(rule(ForwardingType::NoAnswer, &features.forward_no_answer)),
    ];
    let agent = features.agent.clone().map(Feature::Agent);
    let events: Vec<_> =
        all.into_iter().chain(agent).map(|feature| FeatureEvent::new(user, feature)).collect();
    write_events(&events, rng)
}

/// What a telephone wants changed; false when that is nothing.
pub(super) fn change(features: &mut Features, body: &[u8]) -> bool {
    let request = match FeatureRequest::parse(body) {
        Ok(Some(request)) => request,
        Ok(None) => return false,
        Err(error) => {
            tracing::debug!(%error, "a setting that cannot be read");
            return false;
        }
    };
    match request.feature {
        Feature::DoNotDisturb(on) => features.do_not_disturb = on,
        Feature::Forwarding(rule) => {
            let target = match rule.kind {
                ForwardingType::Immediate => &mut features.forward_always,
                ForwardingType::Busy => &mut features.forward_busy,
                ForwardingType::NoAnswer => &mut features.forward_no_answer,
            };
            if !rule.on {
                *target = None;
            } else if let Some(to) = rule.to.as_deref().and_then(dialled) {
                *target = Some(to);
            }
            if let Some(rings) = rule.rings.filter(|_| rule.kind == ForwardingType::NoAnswer) {
                features.no_answer_after = Some(RING.saturating_mul(rings));
            }
        }
        Feature::Agent(agent) => {
            let is_in = features.agent.as_ref().is_some_and(|agent| agent.state != AgentState::LoggedOff);
            // Who has not signed in takes no calls, whatever is asked for.
            if !is_in && agent.state != AgentState::LoggedOn {
                return false;
            }
            features.agent = Some(agent);
        }
        _ => return false,
    }
    true
}

/// A target as it is dialled here: the user of a URI, or what was written.
fn dialled(text: &str) -> Option<String> {
    let text = text.trim();
    let user =
        Uri::parse(text).ok().filter(Uri::is_sip).and_then(|uri| uri.user().map(|user| user.into_owned()));
    Some(user.unwrap_or_else(|| text.into())).filter(|target| !target.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use sidetone_sip_ua::package::feature_sync::{Agent, read_events};

    #[test]
    fn settings_that_are_told_are_read_as_they_were() {
        let features = Features {
            forward_busy: Some("201".into()),
            no_answer_after: Some(Duration::from_secs(18)),
            do_not_disturb: true,
            ..Features::default()
        };
        let (kind, body) = document("alice", &features, &mut Rng::from_u64(1));
        let events = read_events(&kind, &body).unwrap();
        assert_eq!(events.len(), 4);
        assert!(events.iter().any(|event| event.feature == Feature::DoNotDisturb(true)));
        let busy = Forwarding::new(ForwardingType::Busy, true).with_to("201");
        assert!(events.iter().any(|event| event.feature == Feature::Forwarding(busy.clone())));
    }

    #[test]
    fn a_telephone_changes_what_it_names_and_nothing_else() {
        let mut features = Features::default();
        let set = |rule: Forwarding| FeatureRequest::new(Feature::Forwarding(rule)).write();
        let on = |kind, to: &str| set(Forwarding::new(kind, true).with_to(to));
        assert!(change(&mut features, on(ForwardingType::Immediate, "sip:bob@pbx").as_bytes()));
        assert!(change(&mut features, on(ForwardingType::Busy, "201").as_bytes()));
        assert!(change(&mut features, FeatureRequest::do_not_disturb(true).write().as_bytes()));
        assert_eq!(
            (features.forward_always.as_deref(), features.forward_busy.as_deref()),
            (Some("bob"), Some("201"))
        );
        assert!(features.do_not_disturb);
        assert!(change(&mut features, set(Forwarding::new(ForwardingType::Immediate, false)).as_bytes()));
        assert_eq!(
            (features.forward_always.as_deref(), features.forward_busy.as_deref()),
            (None, Some("201"))
        );
        let agent = |state| FeatureRequest::new(Feature::Agent(Agent::new(state))).write();
        assert!(!change(&mut features, agent(AgentState::Ready).as_bytes()), "who has not signed in");
        assert!(
            change(&mut features, agent(AgentState::LoggedOn).as_bytes()) && !features.takes_queue_calls()
        );
        assert!(change(&mut features, agent(AgentState::Ready).as_bytes()) && features.takes_queue_calls());
        assert!(
            change(&mut features, agent(AgentState::LoggedOff).as_bytes()) && !features.takes_queue_calls()
        );
        assert!(!change(&mut features, b"<Unknown/>") && !change(&mut features, b"no xml"));
    }
}
