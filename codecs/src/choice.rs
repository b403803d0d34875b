//! A codec as one side of a call wants it.

use crate::{ALL, CodecSpec, Fmtp, FmtpError};
use core::fmt;

/// A codec with the format parameters that this side wants: what it says in an offer.
///
/// ```
/// use sidetone_codecs::CodecChoice;
/// let choice = CodecChoice::parse("amr; octet-align=1", 8000)?;
/// assert_eq!((choice.codec.name, choice.fmtp.get("octet-align")), ("AMR", Some(1)));
/// assert_eq!(choice.to_string(), "AMR;octet-align=1");
/// # Ok::<(), sidetone_codecs::ChoiceError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodecChoice {
    /// The codec.
    pub codec: &'static CodecSpec,
    /// What is wanted of it.
    pub fmtp: Fmtp,
}

impl CodecChoice {
    /// Reads a name as in `a=rtpmap` and, behind `;`, parameters as in `a=fmtp`. Of two codecs with one name, the one
    /// at `sample_rate` is meant.
    ///
    /// # Errors
    /// [`ChoiceError`] says which part is wrong. It does not repeat the text.
    pub fn parse(text: &str, sample_rate: u32) -> Result<Self, ChoiceError> {
        let (name, parameters) = text.split_once(';').unwrap_or((text, ""));
        let known = |codec: &&CodecSpec| {
            codec.sample_rate == sample_rate && codec.name.eq_ignore_ascii_case(name.trim())
        };
        let codec = ALL.iter().copied().find(known).ok_or(ChoiceError::Codec)?;
        let mut choice = Self::from(codec);
        for parameter in parameters.split(';').filter(|parameter| !parameter.trim().is_empty()) {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            match choice.fmtp.read(name, value) {
                Some(Ok(())) => {}
                Some(Err(error)) => return Err(ChoiceError::Value(error)),
                None => return Err(ChoiceError::Parameter(codec)),
            }
        }
        Ok(choice)
    }
}

impl From<&'static CodecSpec> for CodecChoice {
    /// With what the codec's own code wants ([`CodecSpec::wanted`]).
    fn from(codec: &'static CodecSpec) -> Self {
        Self { codec, fmtp: codec.wanted() }
    }
}

impl fmt::Display for CodecChoice {
    /// As [`CodecChoice::parse`] reads it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.codec.name)?;
        if self.fmtp.says_something() { write!(f, ";{}", self.fmtp) } else { Ok(()) }
    }
}

/// Text that is no [`CodecChoice`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChoiceError {
    /// This build has no codec of that name at that sample rate.
    Codec,
    /// The codec has no parameter of that name.
    Parameter(&'static CodecSpec),
    /// A parameter cannot have that value.
    Value(FmtpError),
}

impl fmt::Display for ChoiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Codec => f.write_str("no such codec at this sample rate"),
            Self::Parameter(codec) => {
                write!(f, "{} has no such format parameter: expected", codec.name)?;
                if codec.fmtp.is_empty() {
                    return f.write_str(" none");
                }
                codec.fmtp.iter().try_for_each(|rule| write!(f, " {}", rule.name))
            }
            Self::Value(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for ChoiceError {}

#[cfg(all(test, feature = "amr", feature = "g729", feature = "opus", feature = "pcmu"))]
mod tests {
    extern crate std;
    use super::*;
    use std::string::ToString;

    #[test]
    fn names_and_parameters_are_read_and_written_back() {
        for text in ["PCMU", "G729;annexb=no", "AMR;octet-align=1;mode-set=0,2,4,7"] {
            assert_eq!(CodecChoice::parse(text, 8000).expect(text).to_string(), text);
        }
        let loose = CodecChoice::parse(" g729 ; AnnexB = no ;", 8000).expect("good");
        assert_eq!(loose.to_string(), "G729;annexb=no");
    }

    #[test]
    fn a_rate_tells_codecs_of_one_name_apart() {
        for (rate, said) in [(8000, Some(8000)), (16_000, Some(16_000))] {
            let choice = CodecChoice::parse("opus", rate).expect("there");
            assert_eq!((choice.codec.sample_rate, choice.fmtp.get("maxplaybackrate")), (rate, said));
        }
    }

    #[test]
    fn errors_say_which_part_is_wrong() {
        for (text, said) in [
            ("PCMX", "no such codec at this sample rate"),
            ("", "no such codec at this sample rate"),
            ("G722", "no such codec at this sample rate"),
            ("G729;annexc=no", "G729 has no such format parameter: expected annexb"),
            ("PCMU;annexb=no", "PCMU has no such format parameter: expected none"),
            ("G729;annexb=maybe", "format parameter `annexb`: expected yes or no"),
        ] {
            assert_eq!(CodecChoice::parse(text, 8000).expect_err(text).to_string(), said);
        }
    }
}
