//! What becomes of a flow that does not come up, or ends.

/// Why a flow is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum FlowError {
    /// The other side refused the connection.
    #[error("connection refused")]
    Refused,
    /// No route, or the network is down.
    #[error("host or network unreachable")]
    Unreachable,
    /// The connection did not come up, or took no bytes, in time.
    #[error("timed out")]
    TimedOut,
    /// The other side closed.
    #[error("closed by the other side")]
    Closed,
    /// The connection broke.
    #[error("connection reset")]
    Reset,
    /// More waits to be sent than the bound allows.
    #[error("too much waits to be sent")]
    Overflow,
    /// The bytes are no SIP stream any more.
    #[error("lost the message boundaries")]
    Framing,
    /// TLS could not be agreed on: no common version or cipher, or the other side speaks none.
    #[error("TLS handshake failed")]
    Handshake,
    /// A certificate was not accepted, by us or by the other side.
    #[error("{0}")]
    Certificate(#[from] CertificateError),
    /// The WebSocket was not opened, or its rules were broken.
    #[error("WebSocket refused")]
    WebSocket,
    /// The flow is not known (any more).
    #[error("no such flow")]
    Unknown,
    /// Anything else the operating system said.
    #[error("input/output error")]
    Io,
}

/// Why a certificate was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// None of the certificates that we trust signed it.
    #[error("the certificate's issuer is not trusted")]
    UnknownIssuer,
    /// Its time is over.
    #[error("the certificate has expired")]
    Expired,
    /// Its time has not begun; our clock may be wrong.
    #[error("the certificate is not valid yet")]
    NotValidYet,
    /// It is for other domains (RFC 5922 §7.2).
    #[error("the certificate is not for this domain")]
    WrongName,
    /// It was revoked.
    #[error("the certificate was revoked")]
    Revoked,
    /// It may not be used for this purpose, as a client's certificate in a server.
    #[error("the certificate is not for this purpose")]
    WrongPurpose,
    /// It cannot be read, or a signature is wrong.
    #[error("the certificate is not valid")]
    Invalid,
    /// The other side sent none and one is compulsory.
    #[error("the other side sent no certificate")]
    Missing,
    /// The other side did not accept ours, or misses it.
    #[error("the other side did not accept our certificate")]
    Refused,
}
