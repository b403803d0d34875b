//! Digest authentication, client and server (RFC 3261 §22, RFC 7616, RFC 8760; RFC 2069 peers too), and the
//! client's side of AKA (RFC 3310, RFC 4169).

mod aka;
mod algorithm;
mod challenge;
mod client;
mod credentials;
mod digest;
mod info;
mod nonce;
mod param;
mod role;
mod secret;
mod server;

pub use aka::{AkaAnswer, AkaFailure, Usim};
pub use algorithm::{Algorithm, DigestHash, Qop};
pub use challenge::Challenge;
pub use client::{AuthError, DigestClient, DigestClientConfig};
pub use credentials::Credentials;
pub use info::AuthInfo;
pub use role::AuthRole;
pub use secret::{CredentialStore, InvalidHash, Login, Secret, user_hash};
pub use server::{DigestCheck, DigestConfig, DigestServer, Rejection};
