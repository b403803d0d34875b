//! Errors of the async API.

use crate::{CommandError, ConfigError};
use sidetone_sip_core::{ParseError, StatusCode};
use std::io;
use std::string::String;
use thiserror::Error;

/// What the async API can answer instead of success.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// A socket could not be opened.
    #[error("cannot open {what}: {source}")]
    Io {
        /// Which one.
        what: String,
        /// The operating system's words.
        source: io::Error,
    },
    /// The settings do not make an account.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The call or account cannot do that now.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// Not a SIP address.
    #[error("not a SIP address: {0}")]
    Uri(#[from] ParseError),
    /// The registrar refused, or could not be reached.
    #[error("registration failed: {reason}")]
    Registration {
        /// Its answer, if there was one.
        status: Option<StatusCode>,
        /// In words.
        reason: String,
    },
    /// The other side's session description does not fit ours.
    #[cfg(feature = "media")]
    #[error("session description: {0}")]
    Sdp(#[from] sidetone_media::sdp::SdpError),
    /// The audio port has a rate that cannot be resampled to the codecs'.
    #[error("the audio port runs at {0} Hz: expected 8000 to 192000, a multiple of 100")]
    SampleRate(u32),
    /// Pages cannot be listened to or sent so.
    #[cfg(feature = "media")]
    #[error("paging: {0}")]
    Page(#[from] sidetone_media::page::PageError),
    /// A conference cannot be mixed so.
    #[cfg(feature = "media")]
    #[error("conference: {0}")]
    Mix(#[from] sidetone_media::mix::MixError),
    /// There is no certificate to agree on keys with.
    #[cfg(feature = "dtls")]
    #[error(transparent)]
    Dtls(#[from] sidetone_media::dtls::DtlsError),
    /// The other side refused the change of the session, or a key press.
    #[error("the other side refused: {0:?}")]
    Refused(StatusCode),
    /// Nobody on the network told where the settings are.
    #[error("no settings were told: {reason}")]
    Profile {
        /// The status that refused the question; 408 stands for silence.
        status: Option<StatusCode>,
        /// In words.
        reason: String,
    },
    /// Not a DTMF digit.
    #[error("{0:?} is no DTMF digit: expected 0-9, *, # or A-D")]
    Digit(char),
    /// The call has no audio yet, or it is on hold and sends nothing.
    #[error("the call sends no audio now")]
    NoMedia,
    /// No socket of ours reaches the other side.
    #[error("no socket is bound that reaches the other side")]
    NoRoute,
    /// The user agent was shut down.
    #[error("the user agent has ended")]
    Closed,
}
