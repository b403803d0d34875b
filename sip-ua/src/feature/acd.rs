//! An agent of a call centre: signed in, available, in a pause, wrapping up (BroadSoft ACD).

use core::time::Duration;
use sidetone_hal::time::Instant;

/// Agents.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AcdConfig {
    /// Whether an agent becomes available by itself (Dinstar "ACD Activated Auto"). Default: no.
    pub auto_available: bool,
    /// After which time in wrap-up, or after signing in (Dinstar "ACD Activated Auto Timer", 0 to 180 s). Default 90 s.
    pub auto_available_after: Duration,
    /// Whether a call that ends leads into wrap-up. Default: yes.
    pub wrap_up: bool,
}

impl Default for AcdConfig {
    fn default() -> Self {
        Self { auto_available: false, auto_available_after: Duration::from_secs(90), wrap_up: true }
    }
}

/// What an agent is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum AgentState {
    /// Not signed in.
    #[default]
    LoggedOut,
    /// Signed in, and not given calls yet.
    LoggedIn,
    /// Given calls.
    Available,
    /// Given none, by the agent's own wish.
    Unavailable,
    /// Given none until the work after a call is done.
    WrapUp,
}

/// What the agent wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AgentCommand {
    /// Sign in.
    LogIn,
    /// Sign out.
    LogOut,
    /// Take calls.
    Available,
    /// Take none.
    Unavailable,
    /// Finish the work after a call first.
    WrapUp,
}

/// An agent on an account. What the server says counts: a command only tells what to ask it for.
#[derive(Clone, Debug, Default)]
pub struct Agent {
    state: AgentState,
    due: Option<Instant>,
}

impl Agent {
    /// Not signed in.
    #[must_use]
    pub const fn new() -> Self {
        Self { state: AgentState::LoggedOut, due: None }
    }

    /// What the agent is.
    #[must_use]
    pub const fn state(&self) -> AgentState {
        self.state
    }

    /// When to ask [`Agent::poll`] again.
    #[must_use]
    pub const fn deadline(&self) -> Option<Instant> {
        self.due
    }

    /// The state to ask the server for; `None` when the command makes no sense now.
    #[must_use]
    pub const fn request(&self, command: AgentCommand) -> Option<AgentState> {
        let signed_in = !matches!(self.state, AgentState::LoggedOut);
        match command {
            AgentCommand::LogIn if !signed_in => Some(AgentState::LoggedIn),
            AgentCommand::LogOut if signed_in => Some(AgentState::LoggedOut),
            AgentCommand::Available if signed_in && !matches!(self.state, AgentState::Available) => {
                Some(AgentState::Available)
            }
            AgentCommand::Unavailable if signed_in && !matches!(self.state, AgentState::Unavailable) => {
                Some(AgentState::Unavailable)
            }
            AgentCommand::WrapUp if matches!(self.state, AgentState::Available) => Some(AgentState::WrapUp),
            _ => None,
        }
    }

    /// The server says what the agent is. The same state again starts no timer anew.
    pub fn told(&mut self, now: Instant, config: &AcdConfig, state: AgentState) {
        if state == self.state {
            return;
        }
        self.state = state;
        let waits = matches!(state, AgentState::LoggedIn | AgentState::WrapUp);
        self.due = (waits && config.auto_available).then(|| now + config.auto_available_after);
    }

    /// A call that the centre gave has ended: the state to ask the server for.
    #[must_use]
    pub const fn call_ended(&self, config: &AcdConfig) -> Option<AgentState> {
        if config.wrap_up { self.request(AgentCommand::WrapUp) } else { None }
    }

    /// The state to ask the server for, when the agent has been given time enough.
    pub fn poll(&mut self, now: Instant) -> Option<AgentState> {
        self.due.filter(|due| *due <= now)?;
        self.due = None;
        self.request(AgentCommand::Available)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use AgentState::*;

    #[test]
    fn commands_ask_for_states_that_make_sense() {
        use AgentCommand as C;
        for (state, command, asks) in [
            (LoggedOut, C::LogIn, Some(LoggedIn)),
            (LoggedOut, C::Available, None),
            (LoggedOut, C::LogOut, None),
            (LoggedIn, C::Available, Some(Available)),
            (LoggedIn, C::LogIn, None),
            (Available, C::Unavailable, Some(Unavailable)),
            (Available, C::Available, None),
            (Available, C::WrapUp, Some(WrapUp)),
            (Unavailable, C::WrapUp, None),
            (Unavailable, C::LogOut, Some(LoggedOut)),
            (WrapUp, C::Available, Some(Available)),
        ] {
            let mut agent = Agent::new();
            agent.told(Instant::ZERO, &AcdConfig::default(), state);
            assert_eq!(agent.request(command), asks, "{state:?} {command:?}");
        }
    }

    #[test]
    fn an_agent_becomes_available_by_itself_when_set() {
        let config = AcdConfig { auto_available: true, ..AcdConfig::default() };
        let (mut agent, end) = (Agent::new(), Instant::from_millis(90_000));
        agent.told(Instant::ZERO, &config, Available);
        assert_eq!((agent.deadline(), agent.call_ended(&config)), (None, Some(WrapUp)));
        agent.told(Instant::ZERO, &config, WrapUp);
        agent.told(Instant::from_millis(80_000), &config, WrapUp);
        assert_eq!(agent.deadline(), Some(end), "told twice, and not longer for it");
        assert_eq!(agent.poll(Instant::from_millis(89_999)), None);
        assert_eq!(agent.poll(end), Some(Available));
        assert_eq!(agent.poll(end), None);
        agent.told(Instant::ZERO, &config, Unavailable);
        assert_eq!(agent.deadline(), None, "a pause ends by the agent alone");
        let off = AcdConfig { wrap_up: false, ..AcdConfig::default() };
        agent.told(Instant::ZERO, &off, WrapUp);
        assert_eq!((agent.deadline(), agent.call_ended(&off)), (None, None));
    }
}
