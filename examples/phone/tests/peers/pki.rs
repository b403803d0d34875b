//! An authority and one certificate of it, made for a trial.

use super::Stage;
use libtest_mimic::Failed;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

/// The files, in the trial's folder.
pub(crate) struct Pki {
    pub(crate) authority: String,
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl Pki {
    /// A certificate for these names, each of DNS or an IP address.
    pub(crate) fn new(stage: &Stage, names: &[&str]) -> Result<Self, Failed> {
        let mut authority = CertificateParams::default();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;
        let key = KeyPair::generate()?;
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let certificate = CertificateParams::new(names)?.signed_by(&key, &authority)?;
        let write = |name: &str, text: String| {
            let path = stage.path(name);
            std::fs::write(&path, text).map(|()| path.display().to_string())
        };
        Ok(Self {
            authority: write("authority.pem", authority.pem())?,
            certificate: write("certificate.pem", certificate.pem())?,
            key: write("key.pem", key.serialize_pem())?,
        })
    }
}
