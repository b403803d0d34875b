//! The key that calls the last caller back.

use super::identity::PartyIdentity;
use sidetone_sip_core::Uri;

/// Remembers the last caller of an account or telephone (Yealink key type 7, Dinstar "Call Return").
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CallReturn {
    last: Option<(Uri, u32)>,
}

impl CallReturn {
    /// Nobody has called.
    #[must_use]
    pub const fn new() -> Self {
        Self { last: None }
    }

    /// Somebody calls the account, whether the call is taken or not. An anonymous caller cannot be called back: the key then
    /// has nobody, so that it does not call somebody else by surprise.
    pub fn called_by(&mut self, caller: &PartyIdentity, account: u32) {
        self.last = caller.uri.clone().map(|uri| (uri, account));
    }

    /// Whom to call, and on which account.
    #[must_use]
    pub fn target(&self) -> Option<(&Uri, u32)> {
        self.last.as_ref().map(|(uri, account)| (uri, *account))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feature::identity::IdentityConfig;
    use sidetone_sip_core::{HeaderName, Headers};

    #[test]
    fn the_last_caller_is_called_and_never_an_older_one() {
        let mut key = CallReturn::new();
        assert_eq!(key.target(), None);
        for (from, target) in [
            ("<sip:a@h>;tag=1", Some("sip:a@h")),
            ("<sip:b@h>;tag=1", Some("sip:b@h")),
            ("<sip:anonymous@anonymous.invalid>;tag=1", None),
        ] {
            let mut headers = Headers::new();
            headers.push_raw(HeaderName::FROM, from).unwrap();
            key.called_by(&IdentityConfig::default().caller(&headers, true, &()), 3);
            assert_eq!(
                key.target().map(|(uri, account)| (uri.as_str(), account)),
                target.map(|uri| (uri, 3))
            );
        }
    }
}
