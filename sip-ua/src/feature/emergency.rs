//! Numbers that may always be called.

use super::number::{self, NumberList};
use sidetone_sip_core::header::Priority;
use sidetone_sip_core::{Headers, Uri};

/// Numbers that may be called whatever is set: do not disturb, a locked keypad, block-out rules, no registration; and calls
/// back from there that always ring.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EmergencyConfig {
    /// The numbers. Default: `112` and `911`, which every mobile network takes; add the country's own.
    pub numbers: NumberList,
}

impl Default for EmergencyConfig {
    fn default() -> Self {
        Self { numbers: ["112", "911"].into_iter().collect() }
    }
}

/// What stands in the way of a call that a user wants to place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DialBlocks {
    /// The keypad is locked (Yealink `phone_setting.phone_lock.*`).
    pub keypad_locked: bool,
    /// A block-out rule fits the number (Yealink `dialplan.block_out.*`).
    pub blocked_out: bool,
    /// The account is not registered and may not call without it.
    pub unregistered: bool,
}

impl DialBlocks {
    /// Whether anything does.
    #[must_use]
    pub const fn any(self) -> bool {
        self.keypad_locked || self.blocked_out || self.unregistered
    }
}

impl EmergencyConfig {
    /// With these numbers or patterns.
    #[must_use]
    pub const fn new(numbers: NumberList) -> Self {
        Self { numbers }
    }

    /// Whether the digits are an emergency number.
    #[must_use]
    pub fn is_emergency(&self, digits: &str) -> bool {
        self.numbers.matches(digits)
    }

    /// The same for a URI, which may also be `urn:service:sos` or one of its services (RFC 5031).
    #[must_use]
    pub fn is_emergency_uri(&self, uri: &Uri) -> bool {
        const SOS: &str = "urn:service:sos";
        let text = uri.as_str();
        let is_sos = text.get(..SOS.len()).is_some_and(|front| front.eq_ignore_ascii_case(SOS))
            && text.get(SOS.len()..).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
        is_sos || number::of_uri(uri).is_some_and(|digits| self.is_emergency(&digits))
    }

    /// Whether a call to the digits may be placed.
    #[must_use]
    pub fn may_dial(&self, digits: &str, blocks: DialBlocks) -> bool {
        !blocks.any() || self.is_emergency(digits)
    }

    /// Whether an incoming call is let through everything: one from an emergency number, or, when `trusted` says that the own
    /// server sent it, one marked as a call back from an emergency centre (`Priority: psap-callback`, RFC 7090).
    #[must_use]
    pub fn lets_in(&self, caller: Option<&str>, headers: &Headers, trusted: bool) -> bool {
        let marked = || {
            let priority = headers.get::<Priority>().and_then(Result::ok);
            priority.is_some_and(|priority| priority.0.eq_ignore_ascii_case("psap-callback"))
        };
        trusted && (marked() || caller.is_some_and(|caller| self.is_emergency(caller)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sidetone_sip_core::HeaderName;

    #[test]
    fn emergency_numbers_pass_every_block() {
        let config = EmergencyConfig::new(["112", "911", "11x", "0800911."].into_iter().collect());
        let locked = DialBlocks { keypad_locked: true, ..DialBlocks::default() };
        let barred = DialBlocks { blocked_out: true, unregistered: true, ..DialBlocks::default() };
        for (digits, allowed) in
            [("112", true), ("911", true), ("118", true), ("08009115", true), ("1120", false), ("201", false)]
        {
            for blocks in [locked, barred] {
                assert_eq!(config.may_dial(digits, blocks), allowed, "{digits}");
            }
            assert!(config.may_dial(digits, DialBlocks::default()));
        }
    }

    #[test]
    fn services_are_emergencies_too() {
        let config = EmergencyConfig::default();
        for (uri, emergency) in [
            ("urn:service:sos", true),
            ("urn:service:sos.fire", true),
            ("urn:service:sosa", false),
            ("urn:service:counseling", false),
            ("sip:112@example.com", true),
            ("tel:911;phone-context=+1", true),
            ("sip:alice@example.com", false),
        ] {
            assert_eq!(config.is_emergency_uri(&uri.parse().unwrap()), emergency, "{uri}");
        }
    }

    #[test]
    fn only_a_trusted_server_marks_calls_back() {
        let config = EmergencyConfig::default();
        let mut headers = Headers::new();
        headers.push_raw(HeaderName::PRIORITY, "psap-callback").unwrap();
        assert!(config.lets_in(Some("030"), &headers, true));
        assert!(!config.lets_in(Some("112"), &headers, false));
        assert!(config.lets_in(Some("112"), &Headers::new(), true));
        assert!(!config.lets_in(None, &Headers::new(), true));
    }
}
