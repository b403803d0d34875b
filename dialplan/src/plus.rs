//! Numbers that begin with `+`, as the KX-UT670 shows and dials them.

use alloc::string::{String, ToString};

/// What stands in place of `+` where the telephone is. All three may be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PlusCodes {
    /// What a call to another country begins with (`INTERNATIONAL_ACCESS_CODE`): at most 8 of `0` to `9`, `*`, `#`.
    pub international: String,
    /// The own country (`COUNTRY_CALLING_CODE`): at most 8 digits.
    pub country: String,
    /// What a call to another area begins with (`NATIONAL_ACCESS_CODE`): at most 8 of `0` to `9`, `*`, `#`.
    pub national: String,
}

impl PlusCodes {
    /// The codes.
    #[must_use]
    pub fn new(
        international: impl Into<String>,
        country: impl Into<String>,
        national: impl Into<String>,
    ) -> Self {
        Self { international: international.into(), country: country.into(), national: national.into() }
    }

    /// Whether none is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.international.is_empty() && self.country.is_empty() && self.national.is_empty()
    }

    /// A caller's number as it is shown: the first `+` is replaced by the international code, or dropped when there is none.
    #[must_use]
    pub fn shown(&self, number: &str) -> String {
        number.replacen('+', &self.international, 1)
    }

    /// A caller's number as it is dialled from the log: one of the own country without the country, the national code in front;
    /// others as they are shown. A number without `+` stays as it is.
    #[must_use]
    pub fn dialled(&self, number: &str) -> String {
        let Some(global) = number.strip_prefix('+') else { return number.to_string() };
        match global.strip_prefix(self.country.as_str()).filter(|_| !self.country.is_empty()) {
            Some(national) => crate::rule::prefixed(&self.national, national),
            None => self.shown(number),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_with_a_plus_is_shown_and_dialled_by_the_codes() {
        let codes = PlusCodes::new("00", "49", "0");
        for (number, shown, dialled) in [
            ("+4930123", "004930123", "030123"),
            ("+12015550123", "0012015550123", "0012015550123"),
            ("201", "201", "201"),
            ("2+01", "20001", "2+01"),
        ] {
            assert_eq!((codes.shown(number).as_str(), codes.dialled(number).as_str()), (shown, dialled));
        }
        let none = PlusCodes::default();
        assert_eq!((none.shown("+4930").as_str(), none.dialled("+4930").as_str()), ("4930", "4930"));
    }
}
