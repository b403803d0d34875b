//! Flows of a client behind NATs and edge proxies (RFC 5626), and addresses that lead to one device only (RFC 5627).

use alloc::string::String;
use alloc::vec::Vec;
use sidetone_sip_core::Uri;

/// Settings of RFC 5626 and RFC 5627. An account without them registers as RFC 3261 has it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Outbound {
    /// The instance id, the value of `+sip.instance` without the angle brackets: `urn:uuid:` and a UUID that stays the
    /// same over restarts (RFC 5626 §4.1).
    pub instance: String,
    /// Whether flows are registered: `reg-id` in Contact and the option tag `outbound` (RFC 5626 §4.2). On by default.
    pub flows: bool,
    /// Further edge proxies beside [`AccountConfig::proxy`](crate::AccountConfig::proxy): a flow is registered over each
    /// (RFC 5626 §4.2.1 asks for two at least). None by default.
    pub proxies: Vec<Uri>,
    /// Whether a GRUU is asked for, and used as the Contact of calls when the registrar gives one (RFC 5627 §4). On by
    /// default.
    pub gruu: bool,
}

impl Outbound {
    /// One flow, with GRUU, for this instance id (`urn:uuid:…`).
    #[must_use]
    pub fn new(instance: impl Into<String>) -> Self {
        Self { instance: instance.into(), flows: true, proxies: Vec::new(), gruu: true }
    }

    /// The instance id that RFC 4122 and RFC 5626 §4.1 make of a UUID.
    ///
    /// ```
    /// use sidetone_sip_ua::Outbound;
    /// assert_eq!(Outbound::of_uuid(0x1234).instance, "urn:uuid:00000000-0000-0000-0000-000000001234");
    /// ```
    #[must_use]
    pub fn of_uuid(uuid: u128) -> Self {
        let text = alloc::format!("{uuid:032x}");
        let part = |from: usize, to: usize| text.get(from..to).unwrap_or_default();
        Self::new(alloc::format!(
            "urn:uuid:{}-{}-{}-{}-{}",
            part(0, 8),
            part(8, 12),
            part(12, 16),
            part(16, 20),
            part(20, 32)
        ))
    }

    /// The same with one more edge proxy.
    #[must_use]
    pub fn with_proxy(mut self, proxy: Uri) -> Self {
        self.proxies.push(proxy);
        self
    }

    /// The same without GRUU.
    #[must_use]
    pub const fn without_gruu(mut self) -> Self {
        self.gruu = false;
        self
    }

    /// The same without flows: only the instance id is sent, for GRUU.
    #[must_use]
    pub const fn without_flows(mut self) -> Self {
        self.flows = false;
        self
    }
}
