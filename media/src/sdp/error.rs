//! Why a description was refused, as a status and a Warning.

/// Why a description was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SdpError {
    /// The text is not SDP.
    #[error("malformed SDP: {0}")]
    Malformed(String),
    /// The text is longer than anything that a phone sends.
    #[error("SDP with {got} {what}, at most {most} are accepted")]
    TooLong {
        /// What there is too much of.
        what: &'static str,
        /// How many there are.
        got: usize,
        /// How many may be.
        most: usize,
    },
    /// Audio is to go over a network that is not the internet.
    #[error("network type {0}, IN was expected")]
    Network(String),
    /// Audio is to go to an address that we do not send to.
    #[error("cannot send audio there: {0}")]
    Address(String),
    /// Audio is to go to a multicast group.
    #[error("cannot send audio there: {0} is a multicast group")]
    Multicast(core::net::IpAddr),
    /// The description has no audio stream.
    #[error("no m=audio line")]
    NoAudio,
    /// The description has audio, but over no transport that we speak.
    #[error("m=audio over {got}, expected {expected}")]
    Transport {
        /// What was said.
        got: String,
        /// What we speak.
        expected: &'static str,
    },
    /// The keys of the media do not come together: none that we can use, or none where there must be some.
    #[error("media security: {0}")]
    Security(String),
    /// The description has audio, but no codec that we have too.
    #[error("no codec in common; the other side has {0}")]
    NoCommonCodec(String),
    /// The answer does not belong to our offer.
    #[error("the answer does not fit the offer: {0}")]
    AnswerMismatch(&'static str),
    /// An offer came while our own waits for its answer.
    #[error("an offer of ours is not answered yet")]
    OfferPending,
    /// An answer came, but we offered nothing.
    #[error("no offer of ours to answer")]
    NoOffer,
}

impl SdpError {
    /// The SIP status that refuses the description (RFC 3261 §21.4.26, RFC 6337 §3.4).
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::Malformed(_) | Self::TooLong { .. } | Self::NoOffer => 400,
            Self::Network(_)
            | Self::Address(_)
            | Self::Multicast(_)
            | Self::NoAudio
            | Self::Transport { .. }
            | Self::Security(_)
            | Self::NoCommonCodec(_)
            | Self::AnswerMismatch(_) => 488,
            Self::OfferPending => 491,
        }
    }

    /// The code for a Warning header that goes with the status (RFC 3261 §20.43); its text is the error's own.
    #[must_use]
    pub const fn warning(&self) -> u16 {
        match self {
            Self::Network(_) => 300,
            Self::Address(_) => 301,
            Self::Transport { .. } => 302,
            Self::NoAudio => 304,
            Self::NoCommonCodec(_) => 305,
            Self::Multicast(_) => 330,
            _ => 399,
        }
    }
}
