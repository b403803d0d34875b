//! How certificates are judged: signatures and dates by webpki, names by RFC 5922.

use super::handshake::note;
use super::names::{NameRules, Names};
use alloc::format;
use alloc::string::ToString;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, TrustAnchor, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, SignatureScheme,
};
use webpki::{
    CertRevocationList, EndEntityCert, ExtendedKeyUsageValidator, KeyPurposeId, KeyPurposeIdIter, KeyUsage,
    RequiredEkuNotFoundContext, RevocationOptionsBuilder, UnknownStatusPolicy,
};

/// id-kp-sipDomain, 1.3.6.1.5.5.7.3.20 (RFC 5924 §4).
const SIP_DOMAIN: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 20];
/// id-kp-serverAuth and id-kp-clientAuth (RFC 5280 §4.2.1.12).
const SERVER_AUTH: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 1];
const CLIENT_AUTH: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 2];
/// anyExtendedKeyUsage.
const ANY: &[u8] = &[0x55, 0x1d, 0x25, 0];

/// Whose signatures count.
pub(super) struct Trust {
    pub(super) anchors: Vec<TrustAnchor<'static>>,
    /// Accepted as they are, whoever signed them: a server's own certificate that somebody installed.
    pub(super) pinned: Vec<CertificateDer<'static>>,
    pub(super) revoked: Vec<CertRevocationList<'static>>,
    pub(super) algorithms: WebPkiSupportedAlgorithms,
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Trust({} CA certificates, {} revocation lists)", self.anchors.len(), self.revoked.len())
    }
}

impl Trust {
    /// Whether the chain leads to somebody we trust, today, for this purpose.
    fn check(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
        purpose: &Purpose,
    ) -> Result<(), Error> {
        let parsed = EndEntityCert::try_from(certificate).map_err(refused)?;
        let lists: Vec<_> = self.revoked.iter().collect();
        // An issuer of which there is no list has revoked nothing that we know.
        let revocation = RevocationOptionsBuilder::new(&lists).ok();
        let revocation = revocation.map(|r| r.with_status_policy(UnknownStatusPolicy::Allow).build());
        let checked = parsed.verify_for_usage(
            self.algorithms.all,
            &self.anchors,
            intermediates,
            now,
            purpose,
            revocation,
            None,
        );
        match checked {
            Ok(_) => Ok(()),
            // What `openssl req -x509` makes says that it is a CA. The dates were looked at before that.
            Err(webpki::Error::CaUsedAsEndEntity | webpki::Error::UnknownIssuer)
                if self.pinned.contains(certificate) =>
            {
                Ok(())
            }
            // A CA that serves with its own certificate, and we do not know it.
            Err(webpki::Error::CaUsedAsEndEntity) => Err(CertificateError::UnknownIssuer.into()),
            Err(error) => Err(refused(error)),
        }
    }
}

/// The part that rustls's two verifier traits have in common: webpki checks the signatures of a handshake, by the
/// algorithms of the judge's `trust`.
macro_rules! handshake_signatures_by_trust {
    () => {
        fn verify_tls12_signature(
            &self,
            message: &[u8],
            certificate: &CertificateDer<'_>,
            signature: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            verify_tls12_signature(message, certificate, signature, &self.trust.algorithms)
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            certificate: &CertificateDer<'_>,
            signature: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            verify_tls13_signature(message, certificate, signature, &self.trust.algorithms)
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            self.trust.algorithms.supported_schemes()
        }
    };
}

/// Judges the certificates of servers.
#[derive(Debug)]
pub(super) struct ServerJudge {
    pub(super) trust: Arc<Trust>,
    pub(super) accept_only_trusted: bool,
    /// None: any name will do.
    pub(super) names: Option<NameRules>,
}

impl ServerJudge {
    fn check(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        wanted: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<(), Error> {
        if !self.accept_only_trusted {
            return Ok(());
        }
        self.trust.check(certificate, intermediates, now, &Purpose::SERVER)?;
        let Some(rules) = self.names else { return Ok(()) };
        let names = Names::read(certificate).unwrap_or_default();
        let is_for = match wanted {
            ServerName::DnsName(name) => names.is_for_domain(name.as_ref(), rules),
            ServerName::IpAddress(address) => names.is_for_address((*address).into(), rules),
            _ => false,
        };
        if is_for { Ok(()) } else { Err(CertificateError::NotValidForName.into()) }
    }
}

impl ServerCertVerifier for ServerJudge {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        wanted: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let checked = self.check(certificate, intermediates, wanted, now);
        checked.inspect_err(|error| explain(certificate, error)).map(|()| ServerCertVerified::assertion())
    }

    handshake_signatures_by_trust!();
}

/// Judges the certificates of clients.
#[derive(Debug)]
pub(super) struct ClientJudge {
    pub(super) trust: Trust,
    /// The names of those CAs, for the client's choice.
    pub(super) hints: Vec<DistinguishedName>,
    pub(super) required: bool,
}

impl ClientCertVerifier for ClientJudge {
    fn client_auth_mandatory(&self) -> bool {
        self.required
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.hints
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let checked = self.trust.check(certificate, intermediates, now, &Purpose::CLIENT);
        checked.inspect_err(|error| explain(certificate, error)).map(|()| ClientCertVerified::assertion())
    }

    handshake_signatures_by_trust!();
}

/// What a certificate may be for, if it says so at all: TLS as a server or client, or SIP (RFC 5924).
struct Purpose {
    oid: &'static [u8],
    usage: KeyUsage,
}

impl Purpose {
    const SERVER: Self = Self { oid: SERVER_AUTH, usage: KeyUsage::server_auth() };
    const CLIENT: Self = Self { oid: CLIENT_AUTH, usage: KeyUsage::client_auth() };
}

impl ExtendedKeyUsageValidator for Purpose {
    fn validate(&self, purposes: KeyPurposeIdIter<'_, '_>) -> Result<(), webpki::Error> {
        let good = [self.oid, SIP_DOMAIN, ANY].map(KeyPurposeId::new);
        let mut present = Vec::new();
        for purpose in purposes {
            let purpose = purpose?;
            if good.contains(&purpose) {
                return Ok(());
            }
            present.push(purpose.to_decoded_oid());
        }
        if present.is_empty() {
            return Ok(());
        }
        let context = RequiredEkuNotFoundContext { required: self.usage, present };
        Err(webpki::Error::RequiredEkuNotFoundContext(context))
    }
}

/// Leaves for the log what was wrong with which certificate.
fn explain(certificate: &CertificateDer<'_>, error: &Error) {
    let names = Names::read(certificate);
    let names = names.as_ref().map_or_else(|| "unreadable".to_string(), ToString::to_string);
    note(format!("{error}; the certificate has: {names}"));
}

/// What webpki found, as rustls tells it the other side.
fn refused(error: webpki::Error) -> Error {
    use webpki::Error as E;
    let reason = match error {
        E::BadDer | E::BadDerTime | E::TrailingData(_) => CertificateError::BadEncoding,
        E::CertExpired { time, not_after } => CertificateError::ExpiredContext { time, not_after },
        E::CertNotValidYet { time, not_before } => CertificateError::NotValidYetContext { time, not_before },
        E::InvalidCertValidity => CertificateError::Expired,
        E::UnknownIssuer => CertificateError::UnknownIssuer,
        E::CertRevoked => CertificateError::Revoked,
        E::UnknownRevocationStatus => CertificateError::UnknownRevocationStatus,
        E::InvalidSignatureForPublicKey => CertificateError::BadSignature,
        E::RequiredEkuNotFoundContext(_) | E::EmptyEkuExtension => CertificateError::InvalidPurpose,
        other => CertificateError::Other(OtherError(Arc::new(other))),
    };
    reason.into()
}
