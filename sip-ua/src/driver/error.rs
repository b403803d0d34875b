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
    /// The audio port's rate is not that of the codecs; 8000 Hz is needed.
    #[error("the audio port runs at {0} Hz, the codecs at 8000 Hz")]
    SampleRate(u32),
    /// The other side refused the change of the session.
    #[error("the other side refused: {0:?}")]
    Refused(StatusCode),
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
