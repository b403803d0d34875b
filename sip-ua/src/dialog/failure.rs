//! What a refusal of a request within a dialog ends: the request alone, the usage that it belongs to, or the dialog
//! with all its usages (RFC 5057 §5.1).

use sidetone_sip_core::{Method, StatusCode};

/// How far a refusal reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reach {
    /// The request came to nothing; everything else stays as it was.
    Transaction,
    /// The usage is over: the call, if the request is one of the call's.
    Usage,
    /// The other side is not there any more: the dialog is over with every usage.
    Dialog,
}

impl Reach {
    /// What the final response `status` to a request with `method` ends. Our own timeout counts as a 408.
    pub(crate) fn of(status: StatusCode, method: &Method) -> Self {
        match status.code() {
            // Not there, gone, or not to be reached by this target and route any more.
            404 | 410 | 416 | 482..=485 | 502 | 604 => Self::Dialog,
            408 | 480 | 481 => Self::Usage,
            // Who takes a call takes INVITE; the other methods may be missing.
            405 | 501 if *method == Method::INVITE => Self::Usage,
            489 if *method == Method::NOTIFY || *method == Method::SUBSCRIBE => Self::Usage,
            _ => Self::Transaction,
        }
    }

    /// Whether the usage does not live on.
    pub(crate) fn ends_usage(self) -> bool {
        self >= Self::Usage
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;

    #[test]
    fn each_class_of_refusal_reaches_as_far_as_rfc_5057_says() {
        let reach = |code, method: &Method| Reach::of(StatusCode::new(code).unwrap(), method);
        for code in [301, 400, 401, 402, 403, 406, 407, 413, 415, 420, 422, 423, 486, 487, 488, 491, 493, 500]
        {
            assert_eq!(reach(code, &Method::INVITE), Reach::Transaction, "{code}");
        }
        for code in [503, 504, 513, 580, 600, 603, 606, 499] {
            assert_eq!(reach(code, &Method::UPDATE), Reach::Transaction, "{code}");
        }
        for code in [408, 480, 481] {
            assert_eq!(reach(code, &Method::UPDATE), Reach::Usage, "{code}");
        }
        for code in [404, 410, 416, 482, 483, 484, 485, 502, 604] {
            assert_eq!(reach(code, &Method::INFO), Reach::Dialog, "{code}");
        }
        assert_eq!(reach(405, &Method::INVITE), Reach::Usage);
        assert_eq!(reach(501, &Method::UPDATE), Reach::Transaction);
        assert_eq!(reach(489, &Method::SUBSCRIBE), Reach::Usage);
        assert!(Reach::Dialog.ends_usage() && !Reach::Transaction.ends_usage());
    }
}
