//! One `a=crypto` line (RFC 4568 §9.1).

use super::super::{MAX_RTP_LIFETIME, MasterKey, Mki, Suite};
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use core::fmt;
use zeroize::Zeroizing;

/// The longest value that is looked at; real ones have about 100 octets.
const MAX_OCTETS: usize = 512;
/// Tags have nine digits at most.
const MAX_TAG: u32 = 999_999_999;
/// The least window that `WSH` may ask for (RFC 4568 §6.3.7).
const LEAST_WINDOW: u32 = 64;

/// RFC 4568 §6.1 asks for padding; some leave it away.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// An `a=crypto` line: what stands behind `crypto:`.
///
/// ```
/// use sidetone_media::srtp::{CryptoLine, Suite};
/// let text = "1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj|2^20|1:4";
/// let line = CryptoLine::parse(text)?;
/// assert_eq!((line.tag, line.key.suite()), (1, Suite::AES_CM_128_HMAC_SHA1_80));
/// assert_eq!((line.key.lifetime(), line.key.mki().map(|mki| mki.octets())), (1 << 20, Some(4)));
/// assert_eq!(line.to_value(), text);
/// # Ok::<(), sidetone_media::srtp::SdesError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CryptoLine {
    /// What an answer names the line by: 0 to 999999999.
    pub tag: u32,
    /// Suite, key, lifetime and MKI.
    pub key: MasterKey,
}

impl CryptoLine {
    /// Reads what stands behind `crypto:`.
    ///
    /// # Errors
    /// The line is malformed, of a suite that we do not have, or asks for what we do not do. The error never has the
    /// key in it.
    pub fn parse(value: &str) -> Result<Self, SdesError> {
        if value.len() > MAX_OCTETS {
            return Err(SdesError::Malformed { tag: None, what: "longer than 512 octets" });
        }
        let mut words = value.split_ascii_whitespace();
        let tag = words
            .next()
            .and_then(read_tag)
            .ok_or(SdesError::Malformed { tag: None, what: "no tag of 1-9 digits" })?;
        let malformed = |what| SdesError::Malformed { tag: Some(tag), what };
        let name = words.next().ok_or_else(|| malformed("no crypto suite"))?;
        let Ok(suite) = name.parse::<Suite>() else { return Err(SdesError::unknown_suite(tag, name)) };
        let keys = words.next().ok_or_else(|| malformed("no key"))?;
        if keys.contains(';') {
            return Err(SdesError::Unsupported { tag, what: "several master keys" });
        }
        for parameter in words {
            check_session_parameter(tag, parameter)?;
        }
        let (method, information) = keys.split_once(':').ok_or_else(|| malformed("no key method"))?;
        if !method.eq_ignore_ascii_case("inline") {
            return Err(SdesError::Unsupported { tag, what: "a key method other than inline" });
        }
        Ok(Self { tag, key: read_key(suite, information).map_err(malformed)? })
    }

    /// The value of the attribute. It has the key: not for logs.
    #[must_use]
    pub fn to_value(&self) -> String {
        let key_and_salt = Zeroizing::new([self.key.key(), self.key.salt()].concat());
        let inline = Zeroizing::new(BASE64.encode(&*key_and_salt));
        let mut value = format!("{} {} inline:{}", self.tag, self.key.suite(), &*inline);
        let lifetime = self.key.lifetime();
        if lifetime != MAX_RTP_LIFETIME {
            value += &match lifetime.is_power_of_two() {
                true => format!("|2^{}", lifetime.trailing_zeros()),
                false => format!("|{lifetime}"),
            };
        }
        if let Some(mki) = self.key.mki() {
            value += &format!("|{}:{}", mki.value(), mki.octets());
        }
        value
    }
}

fn read_tag(text: &str) -> Option<u32> {
    let digits = (1..=9).contains(&text.len()) && text.bytes().all(|octet| octet.is_ascii_digit());
    text.parse().ok().filter(|tag| digits && *tag <= MAX_TAG)
}

/// `key||salt ["|" lifetime] ["|" MKI ":" length]`
fn read_key(suite: Suite, information: &str) -> Result<MasterKey, &'static str> {
    let mut parts = information.split('|');
    let octets =
        Zeroizing::new(BASE64.decode(parts.next().unwrap_or_default()).map_err(|_| "the key is no base64")?);
    let mut key =
        MasterKey::from_octets(suite, &octets).map_err(|_| "key and salt have not the suite's length")?;
    let mut next = parts.next();
    if let Some(text) = next.filter(|text| !text.contains(':')) {
        let packets = read_lifetime(text).ok_or("the lifetime is no number of packets up to 2^48")?;
        key = key.with_lifetime(packets);
        next = parts.next();
    }
    if let Some(text) = next {
        let mki = text
            .split_once(':')
            .and_then(|(value, length)| Mki::new(value.parse().ok()?, length.parse().ok()?));
        key = key.with_mki(Some(mki.ok_or("the MKI is no value:length that fits")?));
    }
    match parts.next() {
        None => Ok(key),
        Some(_) => Err("more than a lifetime and an MKI behind the key"),
    }
}

fn read_lifetime(text: &str) -> Option<u64> {
    let packets = match text.strip_prefix("2^") {
        Some(exponent) => 1_u64.checked_shl(exponent.parse().ok()?)?,
        None => text.parse().ok()?,
    };
    // RFC 4568 §6.1 has 2^48 as the greatest; more would be a promise that nobody can keep.
    Some(packets).filter(|packets| (1..=MAX_RTP_LIFETIME).contains(packets))
}

/// Those that change nothing for us are taken, all else refuses the line (RFC 4568 §6.3, §7.1.2).
fn check_session_parameter(tag: u32, parameter: &str) -> Result<(), SdesError> {
    let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
    let what = match name {
        "KDR" if value.parse() == Ok(0_u8) => return Ok(()),
        "KDR" => "a key derivation rate (KDR)",
        // A hint of how far packets may be out of order.
        "WSH" if value.parse::<u32>().is_ok_and(|window| window >= LEAST_WINDOW) => return Ok(()),
        "WSH" => {
            return Err(SdesError::Malformed { tag: Some(tag), what: "WSH is no number of at least 64" });
        }
        "UNENCRYPTED_SRTP" => "UNENCRYPTED_SRTP: the speech would be in the clear",
        "UNENCRYPTED_SRTCP" => "UNENCRYPTED_SRTCP: the reports would be in the clear",
        "UNAUTHENTICATED_SRTP" => "UNAUTHENTICATED_SRTP: anyone could change the speech",
        "FEC_ORDER" | "FEC_KEY" => "forward error correction (FEC_ORDER, FEC_KEY)",
        // An extension that may be ignored says so by its first character.
        _ if name.starts_with('-') => return Ok(()),
        _ => "a session parameter that must be understood and is not",
    };
    Err(SdesError::Unsupported { tag, what })
}

/// Why a line, or a whole offer or answer, cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SdesError {
    /// The line is not as RFC 4568 §9.1 has it.
    #[error("a=crypto{}: {what}", Tag(*.tag))]
    Malformed {
        /// Its tag, if that could be read.
        tag: Option<u32>,
        /// What is wrong.
        what: &'static str,
    },
    /// The suite is not one of [`Suite::ALL`].
    #[error("a=crypto:{tag}: suite {suite} is not supported{reason}")]
    UnknownSuite {
        /// The line's tag.
        tag: u32,
        /// Its suite, cut off after 40 characters.
        suite: String,
        /// Why not, if it is a known one.
        reason: &'static str,
    },
    /// The line asks for something that we do not do.
    #[error("a=crypto:{tag}: {what} is not supported")]
    Unsupported {
        /// The line's tag.
        tag: u32,
        /// What.
        what: &'static str,
    },
    /// The suite is known, but switched off here.
    #[error("a=crypto:{tag}: suite {suite} is switched off")]
    SwitchedOff {
        /// The line's tag.
        tag: u32,
        /// Its suite.
        suite: Suite,
    },
    /// No line of the offer can be used.
    #[error("no usable a=crypto line ({})", List(.0))]
    NoneUsable(Vec<Self>),
    /// The answer has a tag or suite that was not offered.
    #[error("a=crypto:{tag} {suite} answers nothing that was offered")]
    NotOffered {
        /// The answer's tag.
        tag: u32,
        /// The answer's suite.
        suite: Suite,
    },
    /// An answer without an offer of ours.
    #[error("a=crypto answers, but nothing was offered")]
    NoOffer,
}

impl SdesError {
    fn unknown_suite(tag: u32, name: &str) -> Self {
        let reason = match name {
            "F8_128_HMAC_SHA1_80" => {
                ": the f8 mode is made for UMTS bearers with bit errors, counter mode is what every peer has too"
            }
            _ if name.starts_with("SEED_") => ": SEED (RFC 5669) is not implemented",
            _ => "",
        };
        Self::UnknownSuite { tag, suite: name.chars().take(40).collect(), reason }
    }
}

struct Tag(Option<u32>);

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |tag| write!(f, ":{tag}"))
    }
}

struct List<'a>(&'a [SdesError]);

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("there is none");
        }
        for (i, error) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str("; ")?;
            }
            write!(f, "{error}")?;
        }
        Ok(())
    }
}
