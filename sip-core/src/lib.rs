#![doc = include_str!("../README.md")]
#![no_std]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

pub mod auth;
mod config;
#[cfg(feature = "tokio")]
pub mod driver;
mod emit;
mod endpoint;
mod error;
pub mod header;
mod leniency;
mod limits;
pub mod locate;
mod message;
mod method;
pub mod nat;
mod parse;
#[cfg(feature = "sim")]
pub mod sim;
mod status;
mod text;
pub mod trace;
pub mod transaction;
mod transport;
pub mod uri;

pub use auth::{
    Algorithm, AuthError, AuthInfo, AuthRole, Challenge, CredentialStore, Credentials, DigestCheck,
    DigestClient, DigestClientConfig, DigestConfig, DigestHash, DigestServer, Login, Qop, Rejection, Secret,
};
pub use config::EndpointConfig;
pub use emit::Emitter;
pub use endpoint::{Counters, Endpoint, Event, SendError, ViaOptions, WakeReason};
pub use error::{InvalidValue, ParseError, ParseErrorKind};
pub use header::{Header, HeaderName, HeaderValue, Headers, NameAddr, Params};
pub use leniency::{Leniency, ReadOptions};
pub use limits::Limits;
pub use message::{
    Capabilities, Essentials, Fragment, FragmentStart, Message, Multipart, Part, Refusal, Request, Response,
    rejection,
};
pub use method::Method;
pub use sidetone_hal::net::{FlowId, Protocol, Transmit};
pub use sidetone_hal::rng::Rng;
pub use sidetone_hal::time::Instant;
pub use status::StatusCode;
pub use text::Text;
pub use transaction::{TransactionFailure, TransactionId};
pub use transport::{CertificateError, Deframer, FlowError, FlowRequest, Frame, Input, Source, Target};
pub use uri::{Host, Scheme, Uri};
