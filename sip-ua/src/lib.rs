#![cfg_attr(all(feature = "tokio", feature = "media"), doc = include_str!("../README.md"))]
#![cfg_attr(
    not(all(feature = "tokio", feature = "media")),
    doc = "SIP registration, dialogs and calls: the sans-I/O [`Agent`]. The README has the whole story."
)]
#![no_std]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

mod account;
mod agent;
#[cfg(feature = "media")]
mod audio_config;
mod back_off;
mod call;
mod config;
mod context;
mod deadlines;
mod dialog;
mod error;
mod event;
mod exchange;
pub mod feature;
mod focus;
mod id;
mod incoming;
mod info;
mod music;
pub mod package;
mod publication;
mod reach;
mod refusal;
mod registration;
mod request;
mod resolve;
mod session;
mod subscription;
mod transfer;

#[cfg(feature = "tokio")]
pub mod driver;

pub use agent::{Agent, Reason};
#[cfg(feature = "media")]
pub use audio_config::{AudioConfig, DtmfConfig, HoldMusic};
pub use call::CallRequest;
pub use config::{
    AccountConfig, AgentConfig, ExpiresIn, Failback, MacPlace, Outbound, Redundancy, RedundancyMode,
    ReferPolicy, RefreshRule, RegistrationConfig, RetryRule, SendMac, Server, SubscriptionRules,
};
pub use error::{CommandError, ConfigError};
pub use event::{
    AccountId, CallDialog, CallId, CallState, EarlyDialogId, EndCause, EndedBy, Event, IncomingRequest,
    Invite, RegistrationState, RemoteIdentity,
};
pub use focus::JoinOrder;
pub use music::{MusicOnHold, MusicStep};
pub use publication::{PublicationId, PublicationState, PublishRequest};
pub use refusal::Refusal;
pub use registration::Binding;
pub use request::{IncomingId, OutgoingRequest, RequestId};
pub use session::{ExtensionUse, RefreshMethod, SessionConfig, SessionTimerConfig};
pub use subscription::{
    MAX_SAID, NotifyContent, ResubscribeRule, SubscribeKind, SubscribeRequest, SubscriptionId,
    SubscriptionState, WatcherId, WatcherState,
};
pub use transfer::{ReferId, ReferProgress, ReferRequest, ReferTarget};

pub use sidetone_sip_core::locate::{Answer, LocateOptions, LookupId, Query, QueryId};

pub use sidetone_hal::audio::{AudioFormat, AudioPort};
pub use sidetone_hal::net::Protocol;
pub use sidetone_sip_core::nat::{
    DatagramPayload, Detection, FlowFailure, KeepAlive, KeepAliveKind, PublicAddress, StunServer,
};

#[cfg(feature = "tokio")]
pub use driver::{
    Account, AccountPath, BridgedEvent, BridgedMember, Call, CallEvent, CallHandle, Error, IncomingCall,
    IncomingRefer, IncomingSubscription, IntoUri, MulticastOptions, Publication, ReceivedRequest,
    RequestOutcome, Subscription, SubscriptionEvent, UserAgent, UserAgentBuilder, UserAgentEvent,
    WatchedConference, WatchedExtension, WatchedMailbox, Watcher, WatcherEvent,
};
#[cfg(all(feature = "tokio", feature = "media"))]
pub use driver::{Conference, OutgoingPage, Paging, PortPlan, PortPlanError, PortRules};
