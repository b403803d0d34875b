//! Where a page is sent to or listened for.

use core::fmt;
use core::net::SocketAddr;
use core::str::FromStr;

/// A multicast address and port, as `224.5.6.20:10008` or `[ff15::5]:10008`.
///
/// ```
/// use sidetone_media::page::{PageAddress, PageAddressError};
/// let address: PageAddress = "224.5.6.20:10008".parse()?;
/// assert_eq!(address.to_string(), "224.5.6.20:10008");
/// assert_eq!("192.0.2.1:10008".parse::<PageAddress>(), Err(PageAddressError::NotMulticast));
/// # Ok::<(), PageAddressError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PageAddress(SocketAddr);

/// Why a text or an address is none that pages are sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PageAddressError {
    /// The text has another form.
    #[error("no address and port: expected as in 224.5.6.20:10008")]
    Syntax,
    /// The address is not of 224.0.0.0 to 239.255.255.255 or ff00::/8.
    #[error("not a multicast address: expected 224.0.0.0 to 239.255.255.255, or ff00::/8")]
    NotMulticast,
    /// The port is 0.
    #[error("port 0: expected 1 to 65535")]
    Port,
}

impl PageAddress {
    /// The group and port.
    ///
    /// # Errors
    /// [`PageAddressError::NotMulticast`], [`PageAddressError::Port`].
    pub const fn new(address: SocketAddr) -> Result<Self, PageAddressError> {
        let multicast = match &address {
            SocketAddr::V4(v4) => v4.ip().is_multicast(),
            SocketAddr::V6(v6) => v6.ip().is_multicast(),
        };
        match (multicast, address.port()) {
            (false, _) => Err(PageAddressError::NotMulticast),
            (true, 0) => Err(PageAddressError::Port),
            (true, _) => Ok(Self(address)),
        }
    }

    /// The group and port.
    #[must_use]
    pub const fn socket(&self) -> SocketAddr {
        self.0
    }
}

impl FromStr for PageAddress {
    type Err = PageAddressError;

    /// White space around is allowed, as people type it.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::new(text.trim().parse().map_err(|_| PageAddressError::Syntax)?)
    }
}

impl fmt::Display for PageAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_range_of_the_manual_is_taken_and_no_other() {
        let parse = str::parse::<PageAddress>;
        for good in ["224.0.0.0:1", "239.255.255.255:65535", " 224.5.5.6:10008 ", "[ff02::1]:5004"] {
            assert!(parse(good).is_ok(), "{good}");
        }
        for bad in ["223.255.255.255:10008", "240.0.0.0:10008", "127.0.0.1:5004", "[2001:db8::1]:5004"] {
            assert_eq!(parse(bad), Err(PageAddressError::NotMulticast), "{bad}");
        }
        for bad in ["", "224.5.5.6", "224.5.5.6:", "224.5.5:10008", "224.5.5.6:65536", "224.5.5.6:1 x"] {
            assert_eq!(parse(bad), Err(PageAddressError::Syntax), "{bad}");
        }
        assert_eq!(parse("224.5.5.6:0"), Err(PageAddressError::Port));
    }
}
