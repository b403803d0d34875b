//! What a caller prefers and what an element can: Accept-Contact, Reject-Contact, Request-Disposition, Feature-Caps,
//! Answer-Mode, Priv-Answer-Mode, Resource-Priority (RFC 3841 §9, RFC 6809, RFC 5373, RFC 4412).

use super::options::options;
use super::word::word_headers;

word_headers! {
    /// One value of Accept-Contact: the features that the called telephone should have (RFC 3841 §9.2).
    ///
    /// ```
    /// use sidetone_sip_core::header::AcceptContact;
    /// let wanted: AcceptContact = r#"*;audio;methods="INVITE,BYE";explicit;require"#.parse().unwrap();
    /// assert!(wanted.is_required() && wanted.is_explicit() && wanted.params.has("audio"));
    /// ```
    AcceptContact {
        /// Always `*`.
        contact: token
    } = ACCEPT_CONTACT, list: true;

    /// One value of Reject-Contact: the features that the called telephone must not have (RFC 3841 §9.2).
    RejectContact {
        /// Always `*`.
        contact: token
    } = REJECT_CONTACT, list: true;

    /// One value of Feature-Caps: what an element on the path can do for the dialog (RFC 6809).
    FeatureCaps {
        /// Always `*`.
        contact: token
    } = FEATURE_CAPS, list: true;

    /// Answer-Mode: whether the call is to answer itself (RFC 5373).
    AnswerMode {
        /// `Auto`, `Manual` or another.
        mode: token
    } = ANSWER_MODE, list: false;

    /// Priv-Answer-Mode: as Answer-Mode, from somebody with the right to be heard at once (RFC 5373).
    PrivAnswerMode {
        /// `Auto`, `Manual` or another.
        mode: token
    } = PRIV_ANSWER_MODE, list: false;
}

impl AcceptContact {
    /// Whether a telephone that says it lacks a feature must not be called.
    #[must_use]
    pub fn is_required(&self) -> bool {
        self.params.has("require")
    }

    /// Whether a telephone that says nothing of a feature counts as lacking it.
    #[must_use]
    pub fn is_explicit(&self) -> bool {
        self.params.has("explicit")
    }
}

macro_rules! mode {
    ($($name:ident),+) => {$(
        impl $name {
            /// Whether the call is to answer itself.
            #[must_use]
            pub fn is_auto(&self) -> bool {
                self.mode.eq_ignore_ascii_case("Auto")
            }

            /// Whether the call must be refused rather than be answered in another way.
            #[must_use]
            pub fn is_required(&self) -> bool {
                self.params.has("require")
            }
        }
    )+};
}

mode!(AnswerMode, PrivAnswerMode);

options! {
    /// Request-Disposition: how servers are to treat the request: `proxy`, `redirect`, `fork`, `no-fork`, `cancel`,
    /// `parallel`, `sequential`, `queue` and their opposites (RFC 3841 §9.1).
    RequestDisposition = REQUEST_DISPOSITION;
    /// Resource-Priority: the call's rank, as `wps.3` (RFC 4412 §3.1).
    ResourcePriority = RESOURCE_PRIORITY;
    /// Accept-Resource-Priority: the ranks that an element knows (RFC 4412 §3.2).
    AcceptResourcePriority = ACCEPT_RESOURCE_PRIORITY;
}
