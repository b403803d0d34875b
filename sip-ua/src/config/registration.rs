//! What a REGISTER says, and when it is sent.

use super::{RefreshRule, RetryRule};
use alloc::string::String;
use core::fmt;

/// How an account registers.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct RegistrationConfig {
    /// When a binding is refreshed.
    pub refresh: RefreshRule,
    /// When a REGISTER that failed is tried again.
    pub retry: RetryRule,
    /// Where the lifetime is asked for (Panasonic's `ADD_EXPIRES_HEADER`). Taking a binding back always uses the header.
    pub expires_in: ExpiresIn,
    /// Whether proxies may put themselves into the Path (RFC 3327 §5.1). On by default.
    pub path: bool,
    /// Whether the Service-Route of the 2xx is kept and used on requests outside of dialogs (RFC 3608 §5). On by default.
    pub service_route: bool,
    /// Whether the first REGISTER takes back what an earlier run may have left (Panasonic's `USE_DEL_REG_OPEN`). Off by
    /// default.
    pub unregister_first: bool,
    /// Whether the driver takes bindings back when it closes (Panasonic's `USE_DEL_REG_CLOSE`). On by default.
    pub unregister_at_close: bool,
    /// The device's MAC address, if it is to be sent, and where. `None` by default.
    pub mac: Option<SendMac>,
}

impl Default for RegistrationConfig {
    fn default() -> Self {
        Self {
            refresh: RefreshRule::default(),
            retry: RetryRule::default(),
            expires_in: ExpiresIn::Header,
            path: true,
            service_route: true,
            unregister_first: false,
            unregister_at_close: true,
            mac: None,
        }
    }
}

impl RegistrationConfig {
    /// As Panasonic's telephones: a refresh at 90 %, failures tried again every 10 s, never after 403, no binding taken
    /// back at the end.
    #[must_use]
    pub fn panasonic() -> Self {
        Self {
            refresh: RefreshRule::Percent(90),
            retry: RetryRule::panasonic(),
            unregister_at_close: false,
            ..Self::default()
        }
    }

    /// The same with another refresh rule.
    #[must_use]
    pub const fn with_refresh(mut self, refresh: RefreshRule) -> Self {
        self.refresh = refresh;
        self
    }

    /// The same with another retry rule.
    #[must_use]
    pub const fn with_retry(mut self, retry: RetryRule) -> Self {
        self.retry = retry;
        self
    }

    /// The same, which says the device's MAC address.
    #[must_use]
    pub fn with_mac(mut self, mac: SendMac) -> Self {
        self.mac = Some(mac);
        self
    }
}

/// Where a REGISTER says what lifetime it asks for. RFC 3261 §10.2.1.1 allows both places.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ExpiresIn {
    /// In the Expires header. The default.
    #[default]
    Header,
    /// In the `expires` parameter of Contact.
    Contact,
    /// In both.
    Both,
}

/// The device's MAC address in a REGISTER, by which provisioning servers and PBXs tell devices apart. No standard says
/// where; the manuals do not either, so it can be told.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SendMac {
    /// The address.
    pub mac: [u8; 6],
    /// Where it goes.
    pub place: MacPlace,
}

/// Where a REGISTER says the MAC address.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MacPlace {
    /// In a header of this name, as `00:15:65:12:ab:cd`. A name that no header can have is not sent.
    Header(String),
    /// After the product in User-Agent, as `00156512abcd`.
    UserAgent,
}

impl SendMac {
    /// In the header `Mac`, as many telephones have it.
    #[must_use]
    pub fn in_header(mac: [u8; 6]) -> Self {
        Self { mac, place: MacPlace::Header(String::from("Mac")) }
    }

    /// After the product in User-Agent.
    #[must_use]
    pub const fn in_user_agent(mac: [u8; 6]) -> Self {
        Self { mac, place: MacPlace::UserAgent }
    }

    /// The address in hexadecimal with this between its bytes.
    pub(crate) fn text(&self, separator: &str) -> String {
        let mut text = String::with_capacity(17);
        for (at, byte) in self.mac.iter().enumerate() {
            let separator = if at == 0 { "" } else { separator };
            // Writing to a string does not fail.
            let _ = fmt::write(&mut text, format_args!("{separator}{byte:02x}"));
        }
        text
    }
}
