//! Settings that a telephone shares with the PBX (`as-feature-event`): do not disturb and forwarding, and what an agent of a
//! queue does.

use crate::lamps::Shows;
use crate::phone::Phone;
use core::time::Duration;
use sidetone_pbx::Features;
use sidetone_sip_ua::feature::acd::{self, AcdConfig, AgentCommand, AgentState};
use sidetone_sip_ua::package::feature_sync::{
    self as sync, CONTENT_TYPE, EVENT, Feature, FeatureRequest, FeatureState, Forwarding, ForwardingType,
};
use sidetone_sip_ua::{CallId, CommandError, SubscriptionId};
use std::collections::BTreeSet;

/// The queue, which calls those alone who take its calls.
pub const QUEUE: &str = "510";

#[derive(Default)]
pub struct Settings {
    /// The subscription.
    id: Option<SubscriptionId>,
    agent: acd::Agent,
    /// Calls that came from the queue.
    queued: BTreeSet<CallId>,
}

const KINDS: [ForwardingType; 3] =
    [ForwardingType::Immediate, ForwardingType::Busy, ForwardingType::NoAnswer];

impl Phone {
    pub fn watch_settings(&mut self) {
        let id = self.watch(self.name, EVENT, Shows::Settings(FeatureState::default()));
        self.settings.id = Some(id);
    }

    /// A key for do not disturb or forwarding; or the code, for which the PBX tells what changed.
    pub fn set(&mut self, choice: u32) -> bool {
        let to = self.somebody();
        let on = self.rng.chance(0.5);
        match choice {
            9 => {
                let code = ["*72", "*90", "*92"][self.rng.below(3) as usize];
                let number = if on {
                    format!("{code}{to}")
                } else {
                    ["*73", "*78", "*79"][self.rng.below(3) as usize].into()
                };
                self.calls.len() < 3 && {
                    self.dial(&number, |request| request);
                    true
                }
            }
            7 | 8 => {
                let rule = Forwarding::new(KINDS[self.rng.below(3) as usize], on).with_to(to);
                self.say("forwards", Feature::Forwarding(rule));
                true
            }
            _ => {
                self.say("shuts", Feature::DoNotDisturb(on));
                true
            }
        }
    }

    /// Signs in, takes calls of the queue, takes none, signs out; or calls the queue.
    pub fn attend(&mut self, choice: u32) -> bool {
        use AgentCommand::{Available, LogIn, LogOut, Unavailable};
        // An agent ends the calls of the queue, one after the other.
        let talks = |call: &CallId| self.calls.get(call).is_some_and(|line| line.answered);
        let queued = self.settings.queued.iter().copied().find(talks);
        if choice < 8
            && let Some(call) = queued
        {
            self.note(format!("hangs up ({})", self.calls[&call].token));
            self.agent.hangup(self.now, call).unwrap();
            return true;
        }
        if choice < 8 && self.settings.agent.state() == AgentState::Available {
            return false;
        }
        if choice >= 8 && self.rng.chance(0.7) {
            let free = self.calls.len() < 3;
            if free {
                self.dial(QUEUE, |request| request);
            }
            return free;
        }
        let command = match self.settings.agent.state() {
            AgentState::LoggedOut => LogIn,
            AgentState::Available => [LogOut, Unavailable][self.rng.below(2) as usize],
            _ => [Available, Available, LogOut][self.rng.below(3) as usize],
        };
        let Some(state) = self.settings.agent.request(command) else { return false };
        self.ask_for(state);
        true
    }

    fn ask_for(&mut self, state: AgentState) {
        let state = match state {
            AgentState::LoggedOut => sync::AgentState::LoggedOff,
            AgentState::LoggedIn => sync::AgentState::LoggedOn,
            AgentState::Available => sync::AgentState::Ready,
            AgentState::Unavailable => sync::AgentState::NotReady,
            AgentState::WrapUp => sync::AgentState::WorkingAfterCall,
        };
        self.say("agent", Feature::Agent(sync::Agent::new(state)));
    }

    fn say(&mut self, verb: &str, feature: Feature) {
        let Some(id) = self.settings.id else { return };
        self.note(format!("{verb} {feature:?}"));
        let body = (CONTENT_TYPE, FeatureRequest::new(feature).write().into());
        match self.agent.say_in_subscription(self.now, id, body) {
            Ok(()) => {}
            // Messages are lost, and a user presses keys faster than they come through.
            Err(CommandError::QueueFull(_)) => self.count("full"),
            Err(error) => panic!("{}: {error}", self.name),
        }
    }

    /// The PBX has told the settings.
    pub fn settings_told(&mut self, state: &FeatureState) {
        let Some(agent) = &state.agent else { return };
        let state = match agent.state {
            sync::AgentState::LoggedOff => AgentState::LoggedOut,
            sync::AgentState::LoggedOn => AgentState::LoggedIn,
            sync::AgentState::Ready => AgentState::Available,
            sync::AgentState::NotReady => AgentState::Unavailable,
            sync::AgentState::WorkingAfterCall => AgentState::WrapUp,
        };
        self.settings.agent.told(self.now, &AcdConfig::default(), state);
    }

    pub fn queue_rings(&mut self, call: CallId) {
        self.count("queued");
        self.settings.queued.insert(call);
    }

    /// After a call from the queue there is work to do.
    pub fn queue_ended(&mut self, call: CallId, answered: bool) {
        if self.settings.queued.remove(&call)
            && answered
            && !self.is_home
            && let Some(state) = self.settings.agent.call_ended(&AcdConfig::default())
        {
            self.count("wraps");
            self.ask_for(state);
        }
    }

    /// Whether the queue may call here, as the telephone knows it.
    pub fn takes_queue_calls(&self) -> bool {
        self.settings.agent.state() == AgentState::Available
    }

    /// What the telephone shows is what the PBX has.
    pub fn check_settings(&self, there: &Features) {
        let here = self.lamps.watched.values().find_map(|lamp| match &lamp.shows {
            Shows::Settings(state) => Some(state),
            _ => None,
        });
        let Some(here) = here else { return };
        let name = self.name;
        assert_eq!(here.do_not_disturb, Some(there.do_not_disturb), "{name}");
        let targets = [&there.forward_always, &there.forward_busy, &there.forward_no_answer];
        for (kind, target) in KINDS.into_iter().zip(targets) {
            let rule = &here.forwarding[&kind];
            assert_eq!(
                (rule.on, rule.to.as_ref().filter(|_| rule.on)),
                (target.is_some(), target.as_ref()),
                "{name}: {kind:?}"
            );
        }
        assert_eq!(
            here.agent.as_ref().map(|agent| agent.state),
            there.agent.as_ref().map(|agent| agent.state),
            "{name}"
        );
    }
}

/// How long the telephones have until they ring: a lost INVITE is repeated meanwhile.
pub const UNTIL_IT_RINGS: Duration = Duration::from_secs(8);
