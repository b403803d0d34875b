//! SDP format parameters (`a=fmtp`) as data.

use core::fmt;

/// The most parameters that a format has.
const MOST: usize = 12;

/// One parameter that a format may carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Name as registered; compared without regard to case.
    pub name: &'static str,
    /// What may stand behind the equals sign.
    pub values: Values,
    /// What it means if it is not there.
    pub default: u32,
    /// What two sides that say different things end up with.
    pub agree: Agree,
}

/// The values of a parameter, and the number that stands for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Values {
    /// `0` or `1`.
    Flag,
    /// `no` is 0, `yes` is 1.
    YesNo,
    /// One of these words, each with its number. It is said even at its default: FFmpeg takes no iLBC without `mode`.
    OneOf(&'static [(&'static str, u32)]),
    /// A decimal number in this range, both ends included.
    Range(u32, u32),
    /// A list of numbers from 0 below this one (32 at most), as in `0,2,5`; each sets the bit of its number.
    Set(u8),
}

/// How an offer and an answer that differ in a parameter come together (RFC 3264 §6.1 and the format's own
/// registration).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Agree {
    /// They do not: it is another format.
    Same,
    /// The smaller number holds for both.
    Least,
    /// The greater number holds for both.
    Most,
    /// Each side tells what it wants to receive; the other sends by it.
    Own,
    /// The answer repeats the offer, whatever it says.
    Offer,
    /// Sets: what both have. Nothing in common is another format.
    Common,
}

/// The parameters of one format: a value for each of its rules.
#[derive(Clone, Copy)]
pub struct Fmtp {
    rules: &'static [Rule],
    values: [u32; MOST],
}

impl Fmtp {
    /// Every parameter at its default.
    #[must_use]
    pub const fn new(rules: &'static [Rule]) -> Self {
        assert!(rules.len() <= MOST, "more rules than a format holds");
        let mut values = [0; MOST];
        let mut i = 0;
        #[expect(clippy::indexing_slicing, reason = "i < rules.len() <= MOST")]
        while i < rules.len() {
            values[i] = rules[i].default;
            i += 1;
        }
        Self { rules, values }
    }

    /// Reads the part of an `a=fmtp` line behind the payload type, as in `mode=20` or
    /// `octet-align=1; mode-set=0,2,4,7`. Unknown parameters are passed over (RFC 4855 §3).
    ///
    /// # Errors
    /// [`FmtpError`] says which known parameter has a value that it cannot have.
    pub fn parse(rules: &'static [Rule], text: &str) -> Result<Self, FmtpError> {
        let mut parsed = Self::new(rules);
        for parameter in text.split(';') {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            parsed.read(name, value).unwrap_or(Ok(()))?;
        }
        Ok(parsed)
    }

    /// Reads one parameter's value; `None` if the format has no such parameter.
    pub(crate) fn read(&mut self, name: &str, value: &str) -> Option<Result<(), FmtpError>> {
        let (rule, slot) = self.slot(name.trim())?;
        Some(rule.values.read(value.trim()).map(|value| *slot = value).ok_or(FmtpError { rule }))
    }

    /// The value of a parameter; `None` if the format has no such parameter.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<u32> {
        self.pairs().find(|(rule, _)| rule.name.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Sets a parameter.
    ///
    /// # Errors
    /// [`FmtpError`] if the parameter cannot have that value. A name that the format does not have is passed
    /// over, as in [`Self::parse`].
    pub fn set(&mut self, name: &str, value: u32) -> Result<(), FmtpError> {
        if let Some((rule, slot)) = self.slot(name) {
            if !rule.values.holds(value) {
                return Err(FmtpError { rule });
            }
            *slot = value;
        }
        Ok(())
    }

    /// What holds for sending to the side that said `theirs` while this side said `self`; `None` if the two
    /// are different formats.
    #[must_use]
    pub fn agree(&self, theirs: &Self) -> Option<Self> {
        self.merge(theirs, |_, theirs| theirs)
    }

    /// What this side, whose wishes are `self`, says in its answer to an offer; `None` if the two are different
    /// formats.
    #[must_use]
    pub fn answer(&self, offer: &Self) -> Option<Self> {
        self.merge(offer, |ours, _| ours)
    }

    fn merge(&self, theirs: &Self, own: fn(u32, u32) -> u32) -> Option<Self> {
        let mut agreed = *self;
        for ((rule, slot), theirs) in self.rules.iter().zip(&mut agreed.values).zip(theirs.values) {
            *slot = match rule.agree {
                Agree::Same if *slot == theirs => theirs,
                Agree::Same => return None,
                Agree::Least => theirs.min(*slot),
                Agree::Most => theirs.max(*slot),
                Agree::Own => own(*slot, theirs),
                Agree::Offer => theirs,
                Agree::Common if *slot & theirs != 0 => *slot & theirs,
                Agree::Common => return None,
            };
        }
        Some(agreed)
    }

    /// Whether there is anything to write in `a=fmtp`.
    #[must_use]
    pub fn says_something(&self) -> bool {
        self.said().next().is_some()
    }

    fn said(&self) -> impl Iterator<Item = (&'static Rule, u32)> + use<> {
        self.pairs().filter(|(rule, value)| *value != rule.default || matches!(rule.values, Values::OneOf(_)))
    }

    fn slot(&mut self, name: &str) -> Option<(&'static Rule, &mut u32)> {
        self.rules.iter().zip(&mut self.values).find(|(rule, _)| rule.name.eq_ignore_ascii_case(name))
    }

    fn pairs(&self) -> impl Iterator<Item = (&'static Rule, u32)> + use<> {
        self.rules.iter().zip(self.values)
    }
}

impl fmt::Display for Fmtp {
    /// As it stands in `a=fmtp`: the parameters that are not at their default or must be said, with `;` between them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut between = "";
        for (rule, value) in self.said() {
            write!(f, "{between}{}=", rule.name)?;
            rule.values.write(value, f)?;
            between = ";";
        }
        Ok(())
    }
}

impl fmt::Debug for Fmtp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fmtp({self})")
    }
}

impl PartialEq for Fmtp {
    fn eq(&self, other: &Self) -> bool {
        self.pairs().eq(other.pairs())
    }
}

impl Eq for Fmtp {}

impl Values {
    fn read(self, text: &str) -> Option<u32> {
        match self {
            Self::Flag | Self::Range(..) => text.parse().ok().filter(|value| self.holds(*value)),
            Self::YesNo => Self::OneOf(YES_NO).read(text),
            Self::OneOf(words) => {
                words.iter().find(|(word, _)| word.eq_ignore_ascii_case(text)).map(|(_, value)| *value)
            }
            Self::Set(below) => text.split(',').try_fold(0, |set, member| {
                let member: u8 = member.trim().parse().ok()?;
                (member < below).then(|| set | 1 << member)
            }),
        }
    }

    fn holds(self, value: u32) -> bool {
        match self {
            Self::Flag | Self::YesNo => value <= 1,
            Self::OneOf(words) => words.iter().any(|(_, known)| *known == value),
            Self::Range(least, most) => (least..=most).contains(&value),
            Self::Set(below) => value != 0 && u64::from(value) < 1 << below,
        }
    }

    fn write(self, value: u32, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag | Self::Range(..) => write!(f, "{value}"),
            Self::YesNo => Self::OneOf(YES_NO).write(value, f),
            Self::OneOf(words) => {
                f.write_str(words.iter().find(|(_, known)| *known == value).map_or("", |(word, _)| word))
            }
            Self::Set(below) => {
                let mut between = "";
                for member in (0..below).filter(|member| value & 1 << member != 0) {
                    write!(f, "{between}{member}")?;
                    between = ",";
                }
                Ok(())
            }
        }
    }
}

const YES_NO: &[(&str, u32)] = &[("no", 0), ("yes", 1)];

/// A parameter with a value that it cannot have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FmtpError {
    rule: &'static Rule,
}

impl fmt::Display for FmtpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "format parameter `{}`: expected ", self.rule.name)?;
        match self.rule.values {
            Values::Flag => f.write_str("0 or 1"),
            Values::YesNo => f.write_str("yes or no"),
            Values::OneOf(words) => {
                f.write_str("one of")?;
                words.iter().try_for_each(|(word, _)| write!(f, " {word}"))
            }
            Values::Range(least, most) => write!(f, "a number from {least} to {most}"),
            Values::Set(below) => write!(f, "a list of numbers below {below}, with commas"),
        }
    }
}

impl core::error::Error for FmtpError {}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::string::ToString;

    const RULES: &[Rule] = &[
        Rule { name: "octet-align", values: Values::Flag, default: 0, agree: Agree::Offer },
        Rule { name: "crc", values: Values::Flag, default: 0, agree: Agree::Same },
        Rule { name: "mode-set", values: Values::Set(8), default: 0xff, agree: Agree::Common },
        Rule { name: "annexb", values: Values::YesNo, default: 1, agree: Agree::Least },
        Rule {
            name: "mode",
            values: Values::OneOf(&[("20", 20), ("30", 30)]),
            default: 30,
            agree: Agree::Most,
        },
        Rule {
            name: "maxplaybackrate",
            values: Values::Range(8000, 48_000),
            default: 48_000,
            agree: Agree::Own,
        },
    ];

    fn read(text: &str) -> Fmtp {
        Fmtp::parse(RULES, text).expect("a good line")
    }

    #[test]
    fn a_line_is_read_and_written_back() {
        let line = "octet-align=1;mode-set=0,2,7;annexb=no;mode=20;maxplaybackrate=16000";
        assert_eq!(read(line).to_string(), line);
        assert_eq!(
            read(" Octet-Align=1 ; Mode-Set = 0, 2 ,7;unknown=5;flag").to_string(),
            "octet-align=1;mode-set=0,2,7;mode=30"
        );
        assert_eq!(read("").to_string(), "mode=30");
        assert_eq!(read("mode=20").get("MODE"), Some(20));
        assert_eq!(read("").get("nothing"), None);
    }

    #[test]
    fn a_wrong_value_is_named() {
        for (line, said) in [
            ("octet-align=2", "format parameter `octet-align`: expected 0 or 1"),
            ("mode-set=8", "format parameter `mode-set`: expected a list of numbers below 8, with commas"),
            ("mode-set=", "format parameter `mode-set`: expected a list of numbers below 8, with commas"),
            ("annexb=1", "format parameter `annexb`: expected yes or no"),
            ("mode=25", "format parameter `mode`: expected one of 20 30"),
            (
                "maxplaybackrate=96000",
                "format parameter `maxplaybackrate`: expected a number from 8000 to 48000",
            ),
        ] {
            assert_eq!(Fmtp::parse(RULES, line).expect_err(line).to_string(), said);
        }
        assert!(read("").set("mode", 25).is_err());
    }

    #[test]
    fn two_sides_agree_by_the_rule_of_each_parameter() {
        let ours = read("mode-set=0,1,2;mode=20");
        let agreed = ours.agree(&read("mode-set=2,7;annexb=no;maxplaybackrate=8000")).expect("one format");
        assert_eq!(agreed.to_string(), "mode-set=2;annexb=no;mode=30;maxplaybackrate=8000");
        let answered = ours.answer(&read("octet-align=1;maxplaybackrate=8000")).expect("one format");
        assert_eq!(answered.to_string(), "octet-align=1;mode-set=0,1,2;mode=30");
        assert_eq!(ours.agree(&read("crc=1")), None);
        assert_eq!(ours.agree(&read("mode-set=7")), None);
    }
}
