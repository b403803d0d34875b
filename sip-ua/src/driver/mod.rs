//! The async API on tokio: one task owns the [`Agent`](crate::Agent) and its sockets, handles talk to it by channels.
//!
//! [`UserAgent`] is made by [`UserAgent::builder`], gives out [`Account`]s, and tells of incoming calls; an [`Account`]
//! makes [`Call`]s. With the feature `media` each call has its own task, which owns the RTP and RTCP sockets, the
//! `media::Stream` and the caller's `AudioPort`, and moves 10 ms of sound at absolute deadlines.
//!
//! What dropping does:
//! - [`Call`]: hangs up. [`CallHandle`]: nothing.
//! - [`IncomingCall`]: rejects with 480.
//! - [`IncomingRefer`]: declines with 603. [`ReceivedRequest`]: answers 501, an INFO 415. [`IncomingSubscription`]: refuses with 480.
//! - [`Subscription`]: unsubscribes. [`Publication`]: takes the state back. [`Watcher`]: ends the subscription.
//! - [`Account`]: nothing; the account lives on in its user agent.
//! - [`UserAgent`]: as [`UserAgent::shutdown`], without waiting for it.

mod account;
mod account_state;
#[cfg(feature = "media")]
mod audio;
mod blf;
mod bridged;
mod call;
mod command;
#[cfg(feature = "media")]
mod conference;
#[cfg(feature = "dtls")]
mod dtls;
mod error;
mod features;
mod focus;
#[cfg(feature = "media")]
mod frame_clock;
#[cfg(feature = "media")]
mod keys;
#[cfg(feature = "media")]
mod leg_port;
#[cfg(feature = "media")]
mod media;
mod multicast;
#[cfg(feature = "media")]
mod music;
#[cfg(feature = "media")]
mod negotiation;
#[cfg(feature = "media")]
mod paging;
mod plug_and_play;
#[cfg(feature = "media")]
mod port_plan;
#[cfg(feature = "media")]
mod ports;
mod publication;
mod refer;
mod request;
mod slot;
mod subscription;
mod task;
mod uri;
mod user_agent;
mod watcher;

pub use account::{Account, AccountPath};
pub use blf::{WatchedExtension, WatchedMailbox};
pub use bridged::{BridgedEvent, BridgedMember};
pub use call::{Call, CallEvent, CallHandle, IncomingCall};
#[cfg(feature = "media")]
pub use conference::Conference;
pub use error::Error;
pub use focus::WatchedConference;
pub use multicast::MulticastOptions;
#[cfg(feature = "media")]
pub use paging::{OutgoingPage, Paging};
#[cfg(feature = "media")]
pub use port_plan::{PortPlan, PortPlanError, PortRules};
pub use publication::Publication;
pub use refer::IncomingRefer;
pub use request::{ReceivedRequest, RequestOutcome};
pub use subscription::{Subscription, SubscriptionEvent};
pub use uri::IntoUri;
pub use user_agent::{UserAgent, UserAgentBuilder, UserAgentEvent};
pub use watcher::{IncomingSubscription, Watcher, WatcherEvent};
