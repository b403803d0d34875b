//! The person as an agent of a call centre: keys ask the server, and what it tells is what counts (DIN-083, DIN-084).

use super::entry::Entry;
use super::keys::Soft;
use super::programmable::Face;
use super::{Call, Firmware};
use sidetone_hal::time::Instant;
use sidetone_sip_ua::feature::acd::{Agent, AgentCommand, AgentState};
use sidetone_sip_ua::package::feature_sync::{self, Feature};

impl Firmware {
    /// What the agent of an account is; `None` where there is none.
    fn agent(&self, account: usize) -> Option<&Agent> {
        self.policy.accounts.get(account)?.acd.as_ref()?;
        self.agents.get(account)
    }

    /// The server says what an agent is.
    pub(super) fn agent_told(&mut self, now: Instant, account: usize, told: &feature_sync::Agent) {
        let config = self.policy.accounts.get(account).and_then(|policy| policy.acd.as_ref());
        let (Some(config), Some(agent)) = (config, self.agents.get_mut(account)) else { return };
        agent.told(now, config, state_of(told.state));
    }

    /// The server tells no more.
    pub(super) fn agent_lost(&mut self, account: usize) {
        if let Some(agent) = self.agents.get_mut(account) {
            *agent = Agent::new();
        }
    }

    /// Asks the server for what the agent wants to be; nothing where that makes no sense now.
    pub(super) fn command_agent(&mut self, account: usize, command: AgentCommand, reason: &str) {
        if let Some(state) = self.agent(account).and_then(|agent| agent.request(command)) {
            self.ask_agent(account, state, reason);
        }
    }

    fn ask_agent(&mut self, account: usize, state: AgentState, reason: &str) {
        let mut agent = feature_sync::Agent::new(match state {
            AgentState::LoggedOut => feature_sync::AgentState::LoggedOff,
            AgentState::LoggedIn => feature_sync::AgentState::LoggedOn,
            AgentState::Available => feature_sync::AgentState::Ready,
            AgentState::Unavailable => feature_sync::AgentState::NotReady,
            AgentState::WrapUp => feature_sync::AgentState::WorkingAfterCall,
        });
        if !reason.is_empty() {
            agent = agent.with_reason(reason);
        }
        self.ask_server(account, Feature::Agent(agent));
    }

    /// The key of an agent: signs in, then takes calls, and takes none for a while.
    pub(super) fn agent_key(&mut self, account: usize) {
        let command = match self.agent(account).map(Agent::state) {
            Some(AgentState::LoggedOut) => AgentCommand::LogIn,
            Some(AgentState::Available) => return self.enter(Entry::AgentReason(account)),
            Some(_) => AgentCommand::Available,
            None => return,
        };
        self.command_agent(account, command, "");
    }

    /// What the key of an agent looks like: lit while the agent takes calls.
    pub(super) fn agent_face(&self, account: usize, text: String) -> Face {
        self.lit(text, self.agent(account).map(Agent::state) == Some(AgentState::Available))
    }

    /// The soft keys of the chosen account's agent.
    pub(super) fn agent_soft_keys(&self) -> Vec<Soft> {
        match self.agent(self.account).map(Agent::state) {
            None => Vec::new(),
            Some(AgentState::LoggedOut) => vec![Soft::SignIn],
            Some(AgentState::Available) => vec![Soft::Unavailable, Soft::SignOut],
            Some(_) => vec![Soft::Available, Soft::SignOut],
        }
    }

    /// What the idle screen says of the agent.
    pub(super) fn agent_line(&self) -> Option<String> {
        let state = match self.agent(self.account)?.state() {
            AgentState::LoggedOut => return None,
            AgentState::LoggedIn => "signed in",
            AgentState::Available => "available",
            AgentState::Unavailable => "unavailable",
            AgentState::WrapUp => "wrap-up",
        };
        Some(format!("Agent: {state}"))
    }

    /// A call is over: one that came in may leave work behind.
    pub(super) fn agent_hung_up(&mut self, call: &Call) {
        let config = self.policy.accounts.get(call.account).and_then(|policy| policy.acd.as_ref());
        let state =
            config.zip(self.agents.get(call.account)).and_then(|(config, agent)| agent.call_ended(config));
        if let Some(state) = state.filter(|_| call.since.is_some() && call.waiting.came_in()) {
            self.ask_agent(call.account, state, "");
        }
    }

    /// When an agent has had time enough.
    pub(super) fn agent_deadline(&self) -> Option<Instant> {
        self.agents.iter().filter_map(Agent::deadline).min()
    }

    /// Agents that had time enough take calls again.
    pub(super) fn handle_agents(&mut self, now: Instant) {
        for account in 0..self.agents.len() {
            if let Some(state) = self.agents.get_mut(account).and_then(|agent| agent.poll(now)) {
                self.ask_agent(account, state, "");
            }
        }
    }
}

const fn state_of(told: feature_sync::AgentState) -> AgentState {
    match told {
        feature_sync::AgentState::LoggedOn => AgentState::LoggedIn,
        feature_sync::AgentState::LoggedOff => AgentState::LoggedOut,
        feature_sync::AgentState::Ready => AgentState::Available,
        feature_sync::AgentState::NotReady => AgentState::Unavailable,
        feature_sync::AgentState::WorkingAfterCall => AgentState::WrapUp,
    }
}
