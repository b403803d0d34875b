//! Do not disturb and forwards that the server keeps (`as-feature-event`): the keys ask it, and what it tells is what counts.

use super::{Command, Firmware};
use core::time::Duration;
use sidetone_hal::time::Instant;
use sidetone_sip_ua::feature::Scope;
use sidetone_sip_ua::feature::forward::ForwardKind;
use sidetone_sip_ua::package::feature_sync::{
    Feature, FeatureEvent, FeatureRequest, FeatureState, Forwarding, ForwardingType,
};

/// What an account shares with its server.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Served {
    /// For how long the server is asked to tell of do not disturb and the forwards; `None` when they are the telephone's own.
    pub sync: Option<Duration>,
    /// For how long it is asked to tell of an agent, where nothing else is asked for.
    pub agent_interval: Duration,
    /// What it told; `None` while it tells nothing, and the telephone's own settings count.
    state: Option<FeatureState>,
}

/// Half an hour for an agent (DIN-085).
impl Default for Served {
    fn default() -> Self {
        Self { sync: None, agent_interval: Duration::from_secs(1800), state: None }
    }
}

impl Served {
    /// Whether the server keeps calls off; `None` when that is the telephone's to do.
    #[must_use]
    pub fn do_not_disturb(&self) -> Option<bool> {
        self.state.as_ref()?.do_not_disturb
    }

    /// The server's rule of forwarding; `None` when forwarding is the telephone's to do.
    #[must_use]
    pub fn forwarding(&self, kind: ForwardingType) -> Option<&Forwarding> {
        self.state.as_ref()?.forwarding.get(&kind)
    }

    /// Whether the server forwards calls, or would.
    #[must_use]
    pub fn forwards(&self) -> bool {
        self.state.as_ref().is_some_and(|state| !state.forwarding.is_empty())
    }
}

impl Firmware {
    /// What an account shares with its server.
    fn served(&self, account: usize) -> Option<&Served> {
        self.policy.accounts.get(account).map(|policy| &policy.served)
    }

    /// For how long an account's server is asked to tell of its features; `None`: it is not asked.
    #[must_use]
    pub fn feature_sync(&self, account: usize) -> Option<Duration> {
        let policy = self.policy.accounts.get(account)?;
        policy.served.sync.or_else(|| policy.acd.as_ref().map(|_| policy.served.agent_interval))
    }

    /// The server of an account tells how a feature stands; `None`: it does no more, and the telephone's own settings count.
    pub(super) fn server_tells(&mut self, now: Instant, account: usize, event: Option<FeatureEvent>) {
        let Some(policy) = self.policy.accounts.get_mut(account) else { return };
        let served = &mut policy.served;
        if let Some(FeatureEvent { feature: Feature::Agent(agent), .. }) = &event {
            return self.agent_told(now, account, agent);
        }
        let Some(event) = event else {
            served.state = None;
            return self.agent_lost(account);
        };
        if served.sync.is_none() {
            return;
        }
        let known = served.state.clone();
        let feature = event.feature.clone();
        served.state.get_or_insert_default().apply(event);
        if account != self.account {
            return;
        }
        let known = known.unwrap_or_default();
        match feature {
            // What is off to begin with needs no words.
            Feature::DoNotDisturb(on) if known.do_not_disturb.unwrap_or(false) != on => {
                self.notify(now, dnd_told(on).to_owned());
            }
            Feature::Forwarding(rule) => {
                let before = known.forwarding.get(&rule.kind);
                if before.is_some_and(|before| before.on) != rule.on {
                    let told =
                        forward_told(kind_of(rule.kind), rule.on, rule.to.as_deref().unwrap_or_default());
                    self.notify(now, told);
                }
            }
            _ => {}
        }
    }

    /// The accounts that a key means, whose server keeps this.
    fn served_in(&self, scope: Scope, account: usize, keeps: impl Fn(&Served) -> bool) -> Vec<usize> {
        let kept = |account: &usize| self.served(*account).is_some_and(&keeps);
        match scope {
            Scope::Custom => [account].into_iter().filter(kept).collect(),
            Scope::Phone => (0..self.accounts.len()).filter(kept).collect(),
        }
    }

    /// Asks the servers for do not disturb; false when that is the telephone's own.
    pub(super) fn ask_dnd(&mut self, now: Instant, account: usize) -> bool {
        let scope = self.policy.dnd.scope;
        let asked = self.served_in(scope, account, |served| served.do_not_disturb().is_some());
        if !asked.contains(&account) {
            return false;
        }
        let on = !self.dnd_is_on(account);
        if scope == Scope::Phone {
            // The accounts that no server serves go with the others.
            self.policy.dnd.phone.enabled = on;
        }
        for account in asked {
            self.ask_server(account, Feature::DoNotDisturb(on));
        }
        self.notify(now, "Asked the server".to_owned());
        true
    }

    /// Asks the servers to forward calls of this kind, or not; false when that is the telephone's own.
    pub(super) fn ask_forward(
        &mut self,
        now: Instant,
        account: usize,
        kind: ForwardKind,
        on: bool,
        target: Option<&str>,
    ) -> bool {
        let scope = self.policy.forward.scope;
        let asked = self.served_in(scope, account, Served::forwards);
        if !asked.contains(&account) {
            return false;
        }
        for account in asked {
            let known = self.served(account).and_then(|served| served.forwarding(type_of(kind)));
            let to = target.or_else(|| known.and_then(|rule| rule.to.as_deref())).unwrap_or_default();
            let rule = Forwarding::new(type_of(kind), on).with_to(to);
            self.ask_server(account, Feature::Forwarding(rule));
        }
        self.notify(now, "Asked the server".to_owned());
        true
    }

    pub(super) fn ask_server(&mut self, account: usize, feature: Feature) {
        self.command(Command::AskServer { account, request: Box::new(FeatureRequest::new(feature)) });
    }

    /// A forward as the account's server has it: whether it is on, and whether it has a target.
    pub(super) fn served_forward(&self, account: usize, kind: ForwardKind) -> Option<(bool, bool)> {
        let served = self.served(account).filter(|served| served.forwards())?;
        let rule = served.forwarding(type_of(kind));
        let target = rule.and_then(|rule| rule.to.as_deref()).is_some_and(|to| !to.is_empty());
        Some((rule.is_some_and(|rule| rule.on), target))
    }

    /// Whether an account is not to be disturbed as its server has it, if it does.
    pub(super) fn served_dnd(&self, account: usize) -> Option<bool> {
        self.served(account)?.do_not_disturb()
    }

    /// The same for a forward of any kind.
    pub(super) fn served_forwards(&self, account: usize) -> Option<bool> {
        let state = self.served(account)?.state.as_ref().filter(|state| !state.forwarding.is_empty())?;
        Some(state.forwarding.values().any(|rule| rule.on))
    }
}

pub(super) const fn dnd_told(on: bool) -> &'static str {
    if on { "Do not disturb is on" } else { "Do not disturb is off" }
}

pub(super) fn forward_told(kind: ForwardKind, on: bool, target: &str) -> String {
    let which = match kind {
        ForwardKind::Always => "Calls",
        ForwardKind::Busy => "Calls while busy",
        ForwardKind::NoAnswer => "Unanswered calls",
    };
    match on {
        true => format!("{which} go to {target}"),
        false => format!("{which} are not forwarded"),
    }
}

const fn type_of(kind: ForwardKind) -> ForwardingType {
    match kind {
        ForwardKind::Always => ForwardingType::Immediate,
        ForwardKind::Busy => ForwardingType::Busy,
        ForwardKind::NoAnswer => ForwardingType::NoAnswer,
    }
}

const fn kind_of(kind: ForwardingType) -> ForwardKind {
    match kind {
        ForwardingType::Immediate => ForwardKind::Always,
        ForwardingType::Busy => ForwardKind::Busy,
        ForwardingType::NoAnswer => ForwardKind::NoAnswer,
    }
}
