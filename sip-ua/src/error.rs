//! Errors of the agent's commands. What a peer does wrong is never an error here: it is answered or dropped.

use sidetone_sip_core::ParseError;
use thiserror::Error;

/// An account or agent could not be made from its settings.
#[derive(Clone, Debug, PartialEq, Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// Not a URI.
    #[error("not a SIP address: {0}")]
    Uri(ParseError),
    /// Accounts and calls need a `sip:` or `sips:` URI.
    #[error("expected a URI of the form sip:user@host")]
    NotSip,
    /// The lifetime to ask for is below one second or above 2^32 - 1 seconds.
    #[error("the registration lifetime must be 1 to 4294967295 s")]
    Expires,
    /// The servers and edge proxies of an account make more bindings than that.
    #[error("more than {0} servers and edge proxies")]
    TooManyServers(usize),
    /// The session interval or the shortest one is below one second.
    #[error("session intervals must be 1 to 4294967295 s")]
    SessionTimer,
    /// [`AgentConfig::max_accounts`](crate::AgentConfig::max_accounts) is reached.
    #[error("there are already {0} accounts, the most allowed")]
    TooManyAccounts(usize),
}

/// A command on a call or an account could not be carried out.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CommandError {
    /// No such account.
    #[error("no such account")]
    NoSuchAccount,
    /// No such call, or it is over.
    #[error("no such call, or it is over")]
    NoSuchCall,
    /// The account is to register, has not, and makes no calls without
    /// ([`AccountConfig::call_unregistered`](crate::AccountConfig::call_unregistered)).
    #[error("the account is not registered")]
    NotRegistered,
    /// The call is not in a state in which the command means something.
    #[error("the call's state does not allow that")]
    WrongState,
    /// Another offer or answer is under way; [`Event::OfferDue`](crate::Event::OfferDue) tells when it is over.
    #[error("another offer is under way")]
    OfferPending,
    /// [`AgentConfig::max_calls`](crate::AgentConfig::max_calls) is reached.
    #[error("there are already {0} calls, the most allowed")]
    TooManyCalls(usize),
    /// As many requests of that kind wait for their turn as may.
    #[error("already {0} requests wait, the most allowed")]
    QueueFull(usize),
    /// No such request, or it was answered.
    #[error("no such request, or it was answered")]
    NoSuchRequest,
    /// No such subscription, or it is over.
    #[error("no such subscription, or it is over")]
    NoSuchSubscription,
    /// There are as many subscriptions as
    /// [`AgentConfig::max_subscriptions`](crate::AgentConfig::max_subscriptions) allows.
    #[error("there are already {0} subscriptions, the most allowed")]
    TooManySubscriptions(usize),
    /// The method has a command of its own.
    #[error("the method has a command of its own")]
    Method,
    /// The URI cannot be called.
    #[error("expected a URI of the form sip:user@host")]
    NotSip,
    /// The other side has not said that it takes that.
    #[error("the other side does not support that")]
    Unsupported,
    /// Not a provisional or a refusing status where one is needed.
    #[error("status {0} is not of the needed class")]
    Status(u16),
}
