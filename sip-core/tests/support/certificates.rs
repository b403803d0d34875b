//! A certificate authority for one test: every certificate is made at run time.

#![allow(dead_code, reason = "each test crate uses its part")]

use core::sync::atomic::{AtomicU64, Ordering};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DistinguishedName,
    DnType, ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SanType,
    SerialNumber, date_time_ymd,
};
use sidetone_sip_core::driver::{Certificates, Identity, RevocationLists};

static SERIAL: AtomicU64 = AtomicU64::new(1);

pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate with its key, in every form.
pub(crate) struct Issued {
    pub(crate) pem: String,
    pub(crate) key: KeyPair,
    serial: SerialNumber,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = parameters(name, &[]);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    pub(crate) fn certificates(&self) -> Certificates {
        Certificates::parse(self.pem().as_bytes()).unwrap()
    }

    /// A certificate for names: `sip:…` is a URI, what parses as an address is one, everything else is of DNS.
    pub(crate) fn issue(&self, names: &[&str]) -> Issued {
        self.issue_with(names, |_| {})
    }

    pub(crate) fn issue_with(&self, names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> Issued {
        let key = KeyPair::generate().unwrap();
        let mut params = parameters("a leaf", names);
        change(&mut params);
        let certificate = params.signed_by(&key, &self.0).unwrap();
        Issued { pem: certificate.pem(), key, serial: params.serial_number.unwrap() }
    }

    /// A list of the revoked, which it is time for a new one of or not.
    pub(crate) fn revoke(&self, revoked: &[&Issued]) -> RevocationLists {
        let revoked = revoked.iter().map(|issued| RevokedCertParams {
            serial_number: issued.serial.clone(),
            revocation_time: date_time_ymd(2024, 1, 1),
            reason_code: None,
            invalidity_date: None,
        });
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2024, 1, 1),
            next_update: date_time_ymd(2099, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        RevocationLists::parse(list.signed_by(&self.0).unwrap().pem().unwrap().as_bytes()).unwrap()
    }
}

impl Issued {
    pub(crate) fn identity(&self) -> Identity {
        Identity::parse(self.pem.as_bytes(), self.key.serialize_pem().as_bytes()).unwrap()
    }
}

/// A certificate that nobody but its own key signed, as `openssl req -x509` makes it.
pub(crate) fn self_signed(names: &[&str]) -> Issued {
    let key = KeyPair::generate().unwrap();
    let mut params = parameters("itself", names);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let pem = params.self_signed(&key).unwrap().pem();
    Issued { pem, key, serial: params.serial_number.unwrap() }
}

fn parameters(common_name: &str, names: &[&str]) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.serial_number = Some(SerialNumber::from(SERIAL.fetch_add(1, Ordering::Relaxed)));
    params.not_before = date_time_ymd(2024, 1, 1);
    params.not_after = date_time_ymd(2099, 1, 1);
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.use_authority_key_identifier_extension = true;
    params.subject_alt_names = names.iter().map(|name| san(name)).collect();
    params
}

fn san(name: &str) -> SanType {
    match name.parse() {
        Ok(address) => SanType::IpAddress(address),
        Err(_) if name.starts_with("sip:") => SanType::URI(name.try_into().unwrap()),
        Err(_) => SanType::DnsName(name.try_into().unwrap()),
    }
}

/// For the purposes of [`Authority::issue_with`].
pub(crate) fn only_for(purpose: ExtendedKeyUsagePurpose) -> impl FnOnce(&mut CertificateParams) {
    move |params| params.extended_key_usages = vec![purpose]
}

pub(crate) fn common_name(name: &str) -> impl FnOnce(&mut CertificateParams) {
    move |params| params.distinguished_name.push(DnType::CommonName, name)
}
