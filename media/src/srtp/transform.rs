//! Encryption and authentication of one packet whose index is known (RFC 3711 §3.1, §3.4, §4; RFC 7714 §8, §9).
//!
//! Behind the packet come, with counter mode, RTCP's index, the MKI and the tag; with GCM the tag, RTCP's index and
//! the MKI.

use super::aes::CounterMode;
use super::derivation::{Label, derive};
use super::hmac::HmacSha1;
use super::suite::Cipher;
use super::{MasterKey, Mki, SrtpError, Suite};
use ring::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, Tag, UnboundKey};
use subtle::ConstantTimeEq;

/// Set in RTCP's index word when the packet is encrypted (RFC 3711 §3.4).
const ENCRYPTED: u32 = 1 << 31;
/// Octets of RTCP's index word.
const INDEX: usize = 4;
/// Octets of RTCP's header that are never encrypted.
const RTCP_HEADER: usize = 8;

/// One packet's numbers.
#[derive(Clone, Copy)]
pub(super) struct Numbers {
    pub(super) ssrc: u32,
    /// RTP: roll-over counter and sequence number; RTCP: the SRTCP index.
    pub(super) index: u64,
}

/// The session keys of RTP or of RTCP.
pub(super) struct Transform {
    keys: Keys,
    /// At the place that it has in a counter block, or in a nonce.
    salt: u128,
    tag: usize,
    mki: Option<Mki>,
}

enum Keys {
    Null { auth: HmacSha1 },
    Counter { cipher: Box<CounterMode>, auth: HmacSha1 },
    Gcm(Box<LessSafeKey>),
}

impl Transform {
    /// There is always one: no cipher refuses a key of its suite's length.
    pub(super) fn rtp(master: &MasterKey) -> Option<Self> {
        let key = derive::<32>(master, Label::RtpEncryption);
        let auth = derive(master, Label::RtpAuthentication);
        let salt = derive(master, Label::RtpSalt);
        Self::new(master.suite(), master.suite().rtp_tag(), &key, &auth, &salt, master.mki())
    }

    /// There is always one, too.
    pub(super) fn rtcp(master: &MasterKey) -> Option<Self> {
        let key = derive::<32>(master, Label::RtcpEncryption);
        let auth = derive(master, Label::RtcpAuthentication);
        let salt = derive(master, Label::RtcpSalt);
        Self::new(master.suite(), master.suite().rtcp_tag(), &key, &auth, &salt, master.mki())
    }

    /// Of session keys; what is longer than the suite's is cut off.
    fn new(
        suite: Suite,
        tag: usize,
        key: &[u8; 32],
        auth: &[u8; 20],
        salt: &[u8; 14],
        mki: Option<Mki>,
    ) -> Option<Self> {
        let key = key.get(..suite.key_length())?;
        let auth = || HmacSha1::new(auth);
        let keys = match suite.cipher() {
            Cipher::Null => Keys::Null { auth: auth() },
            Cipher::CounterMode => Keys::Counter { cipher: Box::new(CounterMode::new(key)?), auth: auth() },
            Cipher::Gcm => {
                let algorithm = if suite == Suite::AEAD_AES_128_GCM { &AES_128_GCM } else { &AES_256_GCM };
                Keys::Gcm(Box::new(LessSafeKey::new(UnboundKey::new(algorithm, key).ok()?)))
            }
        };
        // 112 bits of salt above a counter of 16; 96 bits at the end, where a nonce is taken from.
        let mut octets = [0; 16];
        let place = match keys {
            Keys::Gcm(_) => octets.get_mut(4..)?,
            _ => octets.get_mut(..14)?,
        };
        place.iter_mut().zip(salt).for_each(|(octet, salt)| *octet = *salt);
        Some(Self { keys, salt: u128::from_be_bytes(octets), tag, mki })
    }

    /// What comes behind an RTP packet.
    pub(super) fn rtp_trailer(&self) -> usize {
        self.tag + self.mki.map_or(0, Mki::octets)
    }

    /// What comes behind an RTCP packet.
    pub(super) fn rtcp_trailer(&self) -> usize {
        self.rtp_trailer() + INDEX
    }

    /// Protects the RTP packet in front of `trailer` octets of room. `header` octets stay readable.
    pub(super) fn protect_rtp(
        &self,
        buffer: &mut [u8],
        header: usize,
        numbers: Numbers,
    ) -> Result<(), SrtpError> {
        let got = buffer.len();
        let buffer_error = SrtpError::Buffer { needed: got, got };
        let (packet, trailer) =
            buffer.split_at_mut_checked(got - self.rtp_trailer().min(got)).ok_or(buffer_error)?;
        match &self.keys {
            Keys::Gcm(key) => {
                let (header, payload) = packet.split_at_mut_checked(header).ok_or(buffer_error)?;
                let (tag, mki) = trailer.split_at_mut_checked(self.tag).ok_or(buffer_error)?;
                let sealed =
                    key.seal_in_place_separate_tag(self.rtp_nonce(numbers), Aad::from(&*header), payload);
                copy(tag, sealed.map_err(|_| buffer_error)?.as_ref());
                self.write_mki(mki);
            }
            Keys::Counter { auth, .. } | Keys::Null { auth } => {
                self.apply_rtp(packet.get_mut(header..).unwrap_or_default(), numbers);
                let tag_at = trailer.len() - self.tag.min(trailer.len());
                let (mki, tag) = trailer.split_at_mut_checked(tag_at).ok_or(buffer_error)?;
                self.write_mki(mki);
                copy(tag, &auth.tag(packet, &rollover(numbers)));
            }
        }
        Ok(())
    }

    /// Opens an SRTP packet. If it fails, the packet is of no use any more.
    pub(super) fn unprotect_rtp(
        &self,
        packet: &mut [u8],
        header: usize,
        numbers: Numbers,
    ) -> Result<(), SrtpError> {
        let end = packet.len() - self.rtp_trailer().min(packet.len());
        match &self.keys {
            Keys::Gcm(key) => {
                let (sealed, mki) =
                    packet.split_at_mut_checked(end + self.tag).ok_or(SrtpError::Authentication)?;
                self.check_mki(mki)?;
                let (header, sealed) =
                    sealed.split_at_mut_checked(header).ok_or(SrtpError::Authentication)?;
                key.open_in_place(self.rtp_nonce(numbers), Aad::from(&*header), sealed)
                    .map_err(|_| SrtpError::Authentication)?;
            }
            Keys::Counter { auth, .. } | Keys::Null { auth } => {
                let (packet, trailer) = packet.split_at_mut_checked(end).ok_or(SrtpError::Authentication)?;
                let (mki, tag) =
                    trailer.split_at_checked(trailer.len() - self.tag).ok_or(SrtpError::Authentication)?;
                self.check_mki(mki)?;
                check_tag(&auth.tag(packet, &rollover(numbers)), tag)?;
                self.apply_rtp(packet.get_mut(header..).unwrap_or_default(), numbers);
            }
        }
        Ok(())
    }

    /// Protects the RTCP packet in front of `trailer` octets of room.
    pub(super) fn protect_rtcp(
        &self,
        buffer: &mut [u8],
        encrypt: bool,
        numbers: Numbers,
    ) -> Result<(), SrtpError> {
        let got = buffer.len();
        let buffer_error = SrtpError::Buffer { needed: got, got };
        let end = got - self.rtcp_trailer().min(got);
        let word = numbers.index as u32 | if encrypt { ENCRYPTED } else { 0 };
        let word = word.to_be_bytes();
        match &self.keys {
            Keys::Gcm(key) => {
                let tag = if encrypt {
                    let packet = buffer.get_mut(..end).unwrap_or_default();
                    let (header, payload) = packet.split_at_mut_checked(RTCP_HEADER).ok_or(buffer_error)?;
                    let aad = rtcp_aad(header, word);
                    key.seal_in_place_separate_tag(self.rtcp_nonce(numbers), Aad::from(aad), payload)
                } else {
                    // Packet and index word are authenticated as one; the tag comes between them afterwards.
                    copy(buffer.get_mut(end..end + INDEX).unwrap_or_default(), &word);
                    let aad = Aad::from(buffer.get(..end + INDEX).unwrap_or_default());
                    key.seal_in_place_separate_tag(self.rtcp_nonce(numbers), aad, &mut [])
                };
                let tag = tag.map_err(|_| buffer_error)?;
                let trailer = buffer.get_mut(end..).unwrap_or_default();
                let (into_tag, rest) = trailer.split_at_mut_checked(self.tag).ok_or(buffer_error)?;
                let (into_word, mki) = rest.split_at_mut_checked(INDEX).ok_or(buffer_error)?;
                copy(into_tag, tag.as_ref());
                copy(into_word, &word);
                self.write_mki(mki);
            }
            Keys::Counter { auth, .. } | Keys::Null { auth } => {
                if encrypt {
                    self.apply_rtcp(buffer.get_mut(RTCP_HEADER..end).unwrap_or_default(), numbers);
                }
                let (packet, trailer) = buffer.split_at_mut_checked(end + INDEX).ok_or(buffer_error)?;
                copy(packet.get_mut(end..).unwrap_or_default(), &word);
                let tag_at = trailer.len() - self.tag.min(trailer.len());
                let (mki, tag) = trailer.split_at_mut_checked(tag_at).ok_or(buffer_error)?;
                self.write_mki(mki);
                copy(tag, &auth.tag(packet, &[]));
            }
        }
        Ok(())
    }

    /// The index that an SRTCP packet names, and whether it is encrypted.
    pub(super) fn rtcp_index(&self, packet: &[u8]) -> Option<(u64, bool)> {
        let behind = match self.keys {
            Keys::Gcm(_) => self.mki.map_or(0, Mki::octets),
            _ => self.rtp_trailer(),
        };
        let at = packet.len().checked_sub(behind + INDEX)?;
        let word = u32::from_be_bytes(*packet.get(at..)?.first_chunk()?);
        Some(((word & !ENCRYPTED).into(), word & ENCRYPTED != 0))
    }

    /// Opens an SRTCP packet. If it fails, the packet is of no use any more.
    pub(super) fn unprotect_rtcp(
        &self,
        packet: &mut [u8],
        encrypted: bool,
        numbers: Numbers,
    ) -> Result<(), SrtpError> {
        let failed = SrtpError::Authentication;
        let end = packet.len() - self.rtcp_trailer().min(packet.len());
        match &self.keys {
            Keys::Gcm(key) => {
                let (sealed, trailer) = packet.split_at_mut_checked(end + self.tag).ok_or(failed)?;
                let (word, mki) = trailer.split_first_chunk::<INDEX>().ok_or(failed)?;
                self.check_mki(mki)?;
                if encrypted {
                    let (header, sealed) = sealed.split_at_mut_checked(RTCP_HEADER).ok_or(failed)?;
                    let aad = Aad::from(rtcp_aad(header, *word));
                    key.open_in_place(self.rtcp_nonce(numbers), aad, sealed).map_err(|_| failed)?;
                } else {
                    let tag: [u8; 16] = *sealed.get(end..).and_then(<[u8]>::first_chunk).ok_or(failed)?;
                    copy(sealed.get_mut(end..end + INDEX).unwrap_or_default(), word);
                    let aad = Aad::from(sealed.get(..end + INDEX).unwrap_or_default());
                    key.open_in_place_separate_tag(
                        self.rtcp_nonce(numbers),
                        aad,
                        Tag::from(tag),
                        &mut [],
                        0..,
                    )
                    .map_err(|_| failed)?;
                }
            }
            Keys::Counter { auth, .. } | Keys::Null { auth } => {
                let (body, trailer) = packet.split_at_mut_checked(end + INDEX).ok_or(failed)?;
                let (mki, tag) = trailer.split_at_checked(trailer.len() - self.tag).ok_or(failed)?;
                self.check_mki(mki)?;
                check_tag(&auth.tag(body, &[]), tag)?;
                if encrypted {
                    self.apply_rtcp(body.get_mut(RTCP_HEADER..end).unwrap_or_default(), numbers);
                }
            }
        }
        Ok(())
    }

    /// Counter mode over an RTP payload; its own inverse. The other keys do nothing here.
    fn apply_rtp(&self, payload: &mut [u8], Numbers { ssrc, index }: Numbers) {
        if let Keys::Counter { cipher, .. } = &self.keys {
            cipher.apply(self.salt ^ (u128::from(ssrc) << 64) ^ (u128::from(index) << 16), payload);
        }
    }

    fn apply_rtcp(&self, payload: &mut [u8], numbers: Numbers) {
        // The same counter block, with an index of 31 bits (RFC 3711 §4.1.1).
        self.apply_rtp(payload, numbers);
    }

    /// Two octets of zeros, SSRC, roll-over counter and sequence number, with the salt (RFC 7714 §8.1).
    fn rtp_nonce(&self, Numbers { ssrc, index }: Numbers) -> Nonce {
        self.nonce(u128::from(ssrc) << 48 | u128::from(index))
    }

    /// The same with the index of RTCP (RFC 7714 §9.1).
    fn rtcp_nonce(&self, numbers: Numbers) -> Nonce {
        self.rtp_nonce(numbers)
    }

    fn nonce(&self, numbers: u128) -> Nonce {
        let octets = (self.salt ^ numbers).to_be_bytes();
        Nonce::assume_unique_for_key(octets.last_chunk().copied().unwrap_or_default())
    }

    fn write_mki(&self, place: &mut [u8]) {
        if let Some(mki) = self.mki {
            mki.write(place);
        }
    }

    fn check_mki(&self, octets: &[u8]) -> Result<(), SrtpError> {
        if self.mki.is_none_or(|mki| mki.is(octets)) { Ok(()) } else { Err(SrtpError::Mki) }
    }
}

/// What is authenticated besides the encrypted part of RTCP: its header and the index word (RFC 7714 §9.2).
fn rtcp_aad(header: &[u8], word: [u8; INDEX]) -> [u8; RTCP_HEADER + INDEX] {
    let mut aad = [0; RTCP_HEADER + INDEX];
    let (into_header, into_word) = aad.split_at_mut(RTCP_HEADER);
    copy(into_header, header);
    copy(into_word, &word);
    aad
}

fn rollover(numbers: Numbers) -> [u8; 4] {
    ((numbers.index >> 16) as u32).to_be_bytes()
}

fn check_tag(expected: &[u8; 20], got: &[u8]) -> Result<(), SrtpError> {
    let expected = expected.get(..got.len()).unwrap_or_default();
    if bool::from(expected.ct_eq(got)) { Ok(()) } else { Err(SrtpError::Authentication) }
}

/// As much as there is place for.
fn copy(place: &mut [u8], from: &[u8]) {
    if let Some(from) = from.get(..place.len()) {
        place.copy_from_slice(from);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u8> =
            text.chars().filter_map(|digit| digit.to_digit(16)).map(|digit| digit as u8).collect();
        digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
    }

    /// RFC 7714's keys of 16 or 32 octets, and its salt.
    fn transform(suite: Suite) -> Transform {
        let mut salt = [0; 14];
        salt[..12].copy_from_slice(b"Quid pro quo");
        let key = core::array::from_fn(|i| i as u8);
        Transform::new(suite, suite.rtp_tag(), &key, &[0; 20], &salt, None).unwrap()
    }

    /// §16.1.1, §16.1.2, §16.2.1, §16.2.2.
    #[test]
    fn rtp_of_rfc_7714() {
        let packet =
            [&hex("8040f17b 8041f8d3 5501a0b2")[..], b"Gallia est omnis divisa in partes tres"].concat();
        let numbers = Numbers { ssrc: 0x5501_a0b2, index: 0xf17b };
        for (suite, expected) in [
            (
                Suite::AEAD_AES_128_GCM,
                "8040f17b 8041f8d3 5501a0b2 f24de3a3 fb34de6c acba861c 9d7e4bca be633bd5 0d294e6f 42a5f47a 51c7d19b
                 36de3adf 8833899d 7f27beb1 6a9152cf 765ee439 0cce",
            ),
            (
                Suite::AEAD_AES_256_GCM,
                "8040f17b 8041f8d3 5501a0b2 32b1de78 a822fe12 ef9f78fa 332e33aa b1801238 9a58e2f3 b50b2a02 76ffae0f
                 1ba63799 b87b7aa3 db36dfff d6b0f9bb 7878d7a7 6c13",
            ),
        ] {
            let mut buffer = [&packet[..], &[0; 16]].concat();
            transform(suite).protect_rtp(&mut buffer, 12, numbers).unwrap();
            assert_eq!(buffer, hex(expected), "{suite}");
            transform(suite).unprotect_rtp(&mut buffer, 12, numbers).unwrap();
            assert_eq!(buffer[..packet.len()], packet);
        }
    }

    /// §17.1 to §17.4: encrypted, and authenticated only.
    #[test]
    fn rtcp_of_rfc_7714() {
        let packet = "81c8000d 4d617273 4e545031 4e545032 52545020 0000042a 0000e930 4c756e61 deadbeef deadbeef deadbeef
                      deadbeef deadbeef";
        let packet = hex(packet);
        let numbers = Numbers { ssrc: 0x4d61_7273, index: 0x5d4 };
        let clear = |tag: &str| [&packet[..], &hex(tag), &hex("000005d4")].concat();
        for (suite, encrypt, expected) in [
            (
                Suite::AEAD_AES_128_GCM,
                true,
                hex("81c8000d 4d617273 63e94885 dcdab67c a727d766 2f6b7e99 7ff5c0f7 6c06f32d c676a5f1 730d6fda 4ce09b46
                     86303ded 0bb9275b c84aa458 96cf4d2f c5abf872 45d9eade 800005d4"),
            ),
            (
                Suite::AEAD_AES_256_GCM,
                true,
                hex("81c8000d 4d617273 d50ae4d1 f5ce5d30 4ba297e4 7d470c28 2c3ece5d bffe0a50 a2eaa5c1 110555be 8415f658
                     c61de047 6f1b6fad 1d1eb30c 4446839f 57ff6f6c b26ac3be 800005d4"),
            ),
            (Suite::AEAD_AES_128_GCM, false, clear("841dd968 3dd78ec9 2ae58790 125f62b3")),
            (Suite::AEAD_AES_256_GCM, false, clear("91db4afb feee5a97 8fab4393 ed2615fe")),
        ] {
            let mut buffer = [&packet[..], &[0; 20]].concat();
            let transform = transform(suite);
            transform.protect_rtcp(&mut buffer, encrypt, numbers).unwrap();
            assert_eq!(buffer, expected, "{suite} {encrypt}");
            assert_eq!(transform.rtcp_index(&buffer), Some((0x5d4, encrypt)));
            transform.unprotect_rtcp(&mut buffer, encrypt, numbers).unwrap();
            assert_eq!(buffer[..packet.len()], packet);
        }
    }
}
