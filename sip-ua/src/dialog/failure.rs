//! What a refusal of a request within a dialog ends: the request alone, the usage that it belongs to, or the dialog
//! with all its usages (RFC 5057 §5.1, RFC 6665 §4.1.2.2 and §4.2.2).

use sidetone_sip_core::{Method, StatusCode};

/// How far a refusal reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reach {
    /// The request came to nothing; everything else stays as it was.
    Transaction,
    /// The usage is over: the call, if the request is one of the call's; the subscription, if it is one of those.
    Usage,
    /// The other side is not there any more: the dialog is over with every usage.
    Dialog,
}

impl Reach {
    /// What the final response `status` to a request with `method` ends. Our own timeout counts as a 408.
    ///
    /// For subscriptions RFC 6665 has a list of its own, which is the later and the stricter word: a refresh that meets
    /// silence (408) or a broken proxy (502) leaves the subscription as it is, until it runs out.
    pub(crate) fn of(status: StatusCode, method: &Method) -> Self {
        let (subscribe, notify) = (*method == Method::SUBSCRIBE, *method == Method::NOTIFY);
        match status.code() {
            // Not known here any more, which says nothing of other usages.
            481 => Self::Usage,
            // Whatever else a REFER is refused with speaks of its target: Asterisk answers 404 to a number that it does not
            // have.
            _ if *method == Method::REFER => Self::Transaction,
            502 if subscribe || notify => Self::Transaction,
            // Not there, gone, or not to be reached by this target and route any more.
            404 | 410 | 416 | 482..=485 | 502 | 604 => Self::Dialog,
            408 if subscribe => Self::Transaction,
            // Some drop an INFO that they do not know, and talk on.
            408 if *method == Method::INFO => Self::Transaction,
            408 | 480 => Self::Usage,
            // Who takes a call takes INVITE, and who takes a subscription its methods; the other methods may be missing.
            405 | 501 if *method == Method::INVITE || subscribe || notify => Self::Usage,
            489 if subscribe || notify => Self::Usage,
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

    const METHODS: [Method; 8] = [
        Method::INVITE,
        Method::UPDATE,
        Method::PRACK,
        Method::BYE,
        Method::INFO,
        Method::SUBSCRIBE,
        Method::NOTIFY,
        Method::REFER,
    ];

    /// Codes, and how far they reach when they answer each of [`METHODS`]: `t`ransaction, `u`sage, `d`ialog.
    const TABLE: &[(&[u16], &str)] = &[
        // Redirections within a dialog end nothing, whatever they name.
        (&[300, 301, 302, 305, 380], "tttttttt"),
        (&[400, 401, 402, 403, 406, 407, 409, 411, 412, 413, 414, 415, 417], "tttttttt"),
        (&[404, 410, 416], "dddddddt"),
        (&[405], "uttttuut"),
        (&[408], "uuuuttut"),
        (&[420, 421, 422, 423, 424, 428, 429, 430, 433, 436, 437, 438, 439, 440], "tttttttt"),
        (&[469, 470, 486, 487, 488, 491, 493, 494, 499], "tttttttt"),
        (&[480], "uuuuuuut"),
        (&[481], "uuuuuuuu"),
        (&[482, 483, 484, 485], "dddddddt"),
        (&[489], "tttttuut"),
        (&[500, 503, 504, 505, 513, 555, 580], "tttttttt"),
        (&[501], "uttttuut"),
        (&[502], "dddddttt"),
        (&[600, 603, 606, 607, 699], "tttttttt"),
        (&[604], "dddddddt"),
    ];

    #[test]
    fn each_status_reaches_as_far_as_the_table_says() {
        for (codes, reaches) in TABLE {
            for code in *codes {
                let status = StatusCode::new(*code).unwrap();
                let found: alloc::string::String = METHODS
                    .iter()
                    .map(|method| match Reach::of(status, method) {
                        Reach::Transaction => 't',
                        Reach::Usage => 'u',
                        Reach::Dialog => 'd',
                    })
                    .collect();
                assert_eq!(found, *reaches, "{code} to {METHODS:?}");
            }
        }
    }

    #[test]
    fn a_subscription_ends_by_the_codes_of_rfc_6665_and_no_others() {
        let list = [404, 405, 410, 416, 480, 481, 482, 483, 484, 485, 489, 501, 604];
        for code in 300..700 {
            let ends = Reach::of(StatusCode::new(code).unwrap(), &Method::SUBSCRIBE).ends_usage();
            assert_eq!(ends, list.contains(&code), "{code}");
        }
    }

    #[test]
    fn a_status_that_nobody_knows_ends_nothing() {
        let known = |code: u16| TABLE.iter().any(|(codes, _)| codes.contains(&code));
        for code in (300..700).filter(|code| !known(*code)) {
            for method in &METHODS {
                assert_eq!(Reach::of(StatusCode::new(code).unwrap(), method), Reach::Transaction, "{code}");
            }
        }
    }
}
