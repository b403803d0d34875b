//! AKA: a USIM makes the password of a digest from the nonce (RFC 3310; version 2, RFC 4169).
//!
//! The client's side is here. The card, or what stands for it, is the caller's: it shares a key with the
//! operator's home subscriber server, which makes the challenges.

use super::{Algorithm, Secret};
use alloc::string::String;
use alloc::vec::Vec;
use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use core::fmt;
use hmac::{Hmac, Mac};
use md5::Md5;
use zeroize::Zeroizing;

/// The smart card of a subscriber, or its software: authenticates the network and answers it (3GPP TS 33.102 §6.3).
pub trait Usim: fmt::Debug + Send + Sync {
    /// Checks AUTN against the card's key and sequence number, and answers RAND. Called once for each nonce.
    ///
    /// # Errors
    /// The card does not believe the network, or its sequence number is out of step.
    fn authenticate(&self, rand: &[u8; 16], autn: &[u8; 16]) -> Result<AkaAnswer, AkaFailure>;
}

/// What a USIM answers. `Debug` shows nothing of it; memory is overwritten with zeros when it is dropped.
#[derive(Clone)]
pub struct AkaAnswer {
    res: Zeroizing<Vec<u8>>,
    ck: Zeroizing<[u8; 16]>,
    ik: Zeroizing<[u8; 16]>,
}

impl AkaAnswer {
    /// The response RES (4 to 16 bytes), the cipher key CK and the integrity key IK.
    #[must_use]
    pub fn new(res: &[u8], ck: [u8; 16], ik: [u8; 16]) -> Self {
        Self { res: Zeroizing::new(res.to_vec()), ck: Zeroizing::new(ck), ik: Zeroizing::new(ik) }
    }
}

impl fmt::Debug for AkaAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AkaAnswer(***)")
    }
}

/// Why a USIM does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AkaFailure {
    /// AUTN is not from a network that knows the card's key.
    #[error("the network is not who it says it is")]
    Mac,
    /// The sequence number is out of range; the AUTS parameter asks the network to synchronise.
    #[error("the sequence number of the network is out of step")]
    Synchronization([u8; 14]),
}

/// What becomes of an AKA challenge.
pub(super) enum AkaOutcome {
    /// The password.
    Password(Secret),
    /// The value of `auts`; the password is empty (RFC 3310 §3.4).
    Synchronize(String),
}

/// RFC 4169 §3.
const PASSWORD_LABEL: &[u8] = b"http-digest-akav2-password";

/// Padding may be there or not: servers differ.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Has the card answer a nonce; `None` when that is not `base64(RAND || AUTN || anything)`.
pub(super) fn answer(
    usim: &dyn Usim,
    algorithm: &Algorithm,
    nonce: &str,
) -> Option<Result<AkaOutcome, AkaFailure>> {
    let bytes = BASE64.decode(nonce).ok()?;
    let (rand, rest) = bytes.split_first_chunk::<16>()?;
    let (autn, _data) = rest.split_first_chunk::<16>()?;
    Some(match usim.authenticate(rand, autn) {
        Ok(answer) => Ok(AkaOutcome::Password(password(algorithm, &answer))),
        Err(AkaFailure::Synchronization(auts)) => Ok(AkaOutcome::Synchronize(BASE64.encode(auts))),
        Err(failure @ AkaFailure::Mac) => Err(failure),
    })
}

/// RES itself in version 1; in version 2 `base64(HMAC-MD5(RES || IK || CK, label))`.
pub(super) fn password(algorithm: &Algorithm, answer: &AkaAnswer) -> Secret {
    if *algorithm != Algorithm::AkaV2Md5 {
        return Secret::from_bytes(answer.res.to_vec());
    }
    let mut key = Zeroizing::new(Vec::with_capacity(answer.res.len() + 32));
    key.extend_from_slice(&answer.res);
    key.extend_from_slice(&*answer.ik);
    key.extend_from_slice(&*answer.ck);
    // HMAC takes a key of any length; there is no error to have.
    let Ok(mut mac) = <Hmac<Md5> as Mac>::new_from_slice(&key) else { return Secret::default() };
    mac.update(PASSWORD_LABEL);
    Secret::new(BASE64.encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made with Python's `hmac` after RFC 4169 §3.
    #[test]
    fn the_password_of_version_2() {
        let answer = AkaAnswer::new(&[1, 2, 3, 4, 5, 6, 7, 8], [0x40; 16], [0x20; 16]);
        assert_eq!(password(&Algorithm::AkaV2Md5, &answer).expose(), Some("5/yqDEaqNeqjtg41pJGnrg=="));
        assert_eq!(password(&Algorithm::AkaV1Md5, &answer).password(), Some(&[1, 2, 3, 4, 5, 6, 7, 8][..]));
    }
}
