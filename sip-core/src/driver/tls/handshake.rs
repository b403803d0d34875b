//! Handshakes of both sides, what came of them, and why they failed.

use super::TlsVersion;
use super::material::Certificates;
use super::names::Names;
use super::setup::Setup;
use crate::transport::{CertificateError, FlowError};
use alloc::borrow::ToOwned;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::net::{IpAddr, SocketAddr};
use rustls::pki_types::{DnsName, ServerName};
use rustls::{AlertDescription, HandshakeKind, ProtocolVersion};
use std::io;
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

/// A connection under TLS.
pub(in super::super) type Stream = TlsStream<TcpStream>;

/// Whose rules the server's name goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Purpose {
    Sip,
    #[cfg(feature = "ws")]
    WebSocket,
}

/// How a connection is secured, and who is at its other end.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TlsSession {
    /// 1.2 or 1.3.
    pub version: TlsVersion,
    /// The cipher suite, as IANA names it.
    pub cipher_suite: &'static str,
    /// The name that the client asked for (SNI, RFC 6066 §3), on connections that came in.
    pub server_name: Option<String>,
    /// Whether the keys come from an earlier connection, without certificates being shown again.
    pub resumed: bool,
    /// The other side's certificate, if it showed one.
    pub peer: Option<PeerIdentity>,
}

/// Who the other side of a connection is, by its certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeerIdentity {
    /// The SIP domains that it speaks for, as RFC 5922 §7.1 lists them.
    pub domains: Vec<String>,
    /// Every URI in the certificate; one with a user part is of a user (RFC 5922 §7.1 leaves those to the
    /// application).
    pub uris: Vec<String>,
    /// The subject's common name.
    pub common_name: Option<String>,
    /// Whether a CA that we trust signed it. False only for servers, with
    /// [`TlsConfig::accept_only_trusted`](super::TlsConfig::accept_only_trusted) off: then all of this may be invented.
    pub trusted: bool,
    /// The certificate and what was sent with it.
    pub chain: Certificates,
}

tokio::task_local! {
    /// What the judge of this handshake had to say: it knows the certificate, and the caller the addresses.
    static NOTE: RefCell<Option<String>>;
}

/// Leaves word for the log, within a handshake.
pub(super) fn note(text: String) {
    // Outside of one there is no log line to come.
    let _ = NOTE.try_with(|note| note.replace(Some(text)));
}

/// Makes the connection secure, as the client. The other side must be `domain`, or `remote` without one.
pub(in super::super) async fn connect(
    setup: &Setup,
    purpose: Purpose,
    stream: TcpStream,
    remote: SocketAddr,
    domain: Option<&str>,
) -> Result<Stream, FlowError> {
    let Some(wanted) = server_name(remote.ip(), domain) else {
        tracing::warn!(%remote, domain, "TLS: the domain is no host name, so no certificate can be for it");
        return Err(FlowError::Certificate(CertificateError::WrongName));
    };
    let config = match purpose {
        Purpose::Sip => &setup.sip,
        #[cfg(feature = "ws")]
        Purpose::WebSocket => &setup.web,
    };
    let text = wanted.to_str().into_owned();
    let connecting = TlsConnector::from(Arc::clone(config)).connect(wanted, stream);
    let (outcome, note) = noted(connecting).await;
    outcome.map(TlsStream::Client).map_err(|error| {
        let reason = note.unwrap_or_else(|| error.to_string());
        tracing::warn!(%remote, wanted = text, reason, "TLS: the server is refused, or refuses");
        failure(&error)
    })
}

/// Makes the connection secure, as the server.
pub(in super::super) async fn accept(
    setup: &Setup,
    stream: TcpStream,
    remote: SocketAddr,
) -> Result<Stream, FlowError> {
    // A listener is not started without it, and a reload does not take it away.
    let Some(config) = &setup.server else { return Err(FlowError::Handshake) };
    let (outcome, note) = noted(TlsAcceptor::from(Arc::clone(config)).accept(stream)).await;
    outcome.map(TlsStream::Server).map_err(|error| {
        let reason = note.unwrap_or_else(|| error.to_string());
        // Whoever scans ports must not fill the log.
        tracing::info!(%remote, reason, "TLS: the client is refused, or refuses");
        failure(&error)
    })
}

async fn noted<T>(handshake: impl Future<Output = T>) -> (T, Option<String>) {
    let scope = async {
        let outcome = handshake.await;
        (outcome, NOTE.with(RefCell::take))
    };
    NOTE.scope(RefCell::default(), scope).await
}

/// RFC 6066 §3: a host name goes into SNI, an address does not.
fn server_name(remote: IpAddr, domain: Option<&str>) -> Option<ServerName<'static>> {
    let Some(domain) = domain else { return Some(ServerName::IpAddress(remote.into())) };
    let bare = domain.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(domain);
    if let Ok(address) = bare.parse::<IpAddr>() {
        return Some(ServerName::IpAddress(address.into()));
    }
    DnsName::try_from(domain.to_owned()).ok().map(ServerName::DnsName)
}

/// What is known of a connection whose handshake is done.
pub(in super::super) fn session(setup: &Setup, stream: &Stream) -> TlsSession {
    let (_, connection) = stream.get_ref();
    let (server_name, trusted) = match stream {
        TlsStream::Client(_) => (None, setup.trusts_servers),
        TlsStream::Server(server) => (server.get_ref().1.server_name().map(ToOwned::to_owned), true),
    };
    let version = match connection.protocol_version() {
        Some(ProtocolVersion::TLSv1_3) => TlsVersion::Tls13,
        // There is no third.
        _ => TlsVersion::Tls12,
    };
    let suite = connection.negotiated_cipher_suite().and_then(|suite| suite.suite().as_str());
    let peer = connection.peer_certificates().and_then(|chain| {
        let names = Names::read(chain.first()?)?;
        Some(PeerIdentity {
            domains: names.sip_domains(true),
            uris: names.uris,
            common_name: names.common_name,
            trusted,
            chain: Certificates(chain.iter().map(|certificate| certificate.clone().into_owned()).collect()),
        })
    });
    TlsSession {
        version,
        cipher_suite: suite.unwrap_or("unknown"),
        server_name,
        resumed: connection.handshake_kind() == Some(HandshakeKind::Resumed),
        peer,
    }
}

/// Why a handshake failed.
fn failure(error: &io::Error) -> FlowError {
    match error.kind() {
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => FlowError::Reset,
        // As a rule a server that speaks no TLS, or that wants other versions and does not say so.
        _ => refusal(error).unwrap_or(FlowError::Handshake),
    }
}

/// What an error of the stream means when it is one of TLS. With TLS 1.3 a server's refusal of our certificate comes
/// after the handshake.
pub(in super::super) fn refusal(error: &io::Error) -> Option<FlowError> {
    let error = error.get_ref()?.downcast_ref::<rustls::Error>()?;
    Some(match error {
        rustls::Error::InvalidCertificate(reason) => FlowError::Certificate(certificate_error(reason)),
        rustls::Error::NoCertificatesPresented => FlowError::Certificate(CertificateError::Missing),
        rustls::Error::AlertReceived(
            AlertDescription::NoCertificate
            | AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied
            | AlertDescription::CertificateRequired,
        ) => FlowError::Certificate(CertificateError::Refused),
        _ => FlowError::Handshake,
    })
}

fn certificate_error(reason: &rustls::CertificateError) -> CertificateError {
    use rustls::CertificateError as E;
    match reason {
        E::UnknownIssuer | E::UnknownRevocationStatus => CertificateError::UnknownIssuer,
        E::Expired | E::ExpiredContext { .. } => CertificateError::Expired,
        E::NotValidYet | E::NotValidYetContext { .. } => CertificateError::NotValidYet,
        E::NotValidForName | E::NotValidForNameContext { .. } => CertificateError::WrongName,
        E::Revoked => CertificateError::Revoked,
        E::InvalidPurpose | E::InvalidPurposeContext { .. } => CertificateError::WrongPurpose,
        _ => CertificateError::Invalid,
    }
}
