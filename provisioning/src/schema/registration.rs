//! The rows about how an account registers, and at which servers.

use super::table::row;
use super::{Access, Kind, Setting};

/// The settings of an account.
pub(super) const REGISTRATION: &[Setting] = {
    use Access::Administrator as Admin;
    use Kind::{Bool, Choice, Integer, OptionalInteger, Seconds, SecondsOrZero, SipUri};
    const LIVE: bool = false;
    &[
        row(
            "account.N.registrar",
            SipUri,
            "",
            Admin,
            LIVE,
            "Where the account registers, with the port; nothing takes the host of the address of record.",
        ),
        row(
            "account.N.proxy",
            SipUri,
            "",
            Admin,
            LIVE,
            "Where its calls go, where that is another server than the registrar.",
        ),
        row("account.N.server2_proxy", SipUri, "", Admin, LIVE, "The same for `server2`."),
        row(
            "account.N.server2_expires",
            Seconds { min: 0, max: u32::MAX },
            "0",
            Admin,
            LIVE,
            "The lifetime asked for at `server2`; 0 takes `expires`.",
        ),
        row(
            "account.N.server_retries",
            OptionalInteger { min: 0, max: 20 },
            "",
            Admin,
            LIVE,
            "How often a request is repeated over UDP to a server that says nothing, while there is another one to try; nothing waits for 64 times T1.",
        ),
        row(
            "account.N.server_probe",
            Seconds { min: 10, max: 2_147_483_647 },
            "120",
            Admin,
            LIVE,
            "How often it is tried whether the first server is back while `server2` has taken over.",
        ),
        row(
            "account.N.failback",
            Choice(&["avoid", "new-requests", "dns-ttl", "registration", "duration"]),
            "avoid",
            Admin,
            LIVE,
            "When the first address behind a server's name is used again after another one took over: not while it counts as failed, with every request, when its DNS record runs out, with the next registration, or after `failback_time`.",
        ),
        row(
            "account.N.failback_time",
            SecondsOrZero { min: 60, max: 65_535 },
            "3600",
            Admin,
            LIVE,
            "With `failback` as `duration`: after which time; 0 not before the other address fails.",
        ),
        row(
            "account.N.register_on_failover",
            Bool,
            "false",
            Admin,
            LIVE,
            "Whether a request that goes to another address of its server is sent there only after a registration.",
        ),
        row(
            "account.N.register_refresh",
            Integer { min: 0, max: 100 },
            "0",
            Admin,
            LIVE,
            "After how many percent of its lifetime a registration is refreshed; 0 draws it between 50 and 90.",
        ),
        row(
            "account.N.register_every",
            SecondsOrZero { min: 20, max: 86_400 },
            "0",
            Admin,
            LIVE,
            "How often a registration is refreshed, whatever its lifetime; 0 as `register_refresh` says.",
        ),
        row(
            "account.N.register_retry",
            SecondsOrZero { min: 10, max: 86_400 },
            "0",
            Admin,
            LIVE,
            "The time from a registration that failed to the next attempt; 0 begins with 30 s and doubles it up to half an hour.",
        ),
        row(
            "account.N.register_stops_on_403",
            Bool,
            "false",
            Admin,
            LIVE,
            "Whether no further attempt follows a 403.",
        ),
        row(
            "account.N.register_expires_in",
            Choice(&["header", "contact", "both"]),
            "header",
            Admin,
            LIVE,
            "Where a REGISTER says the lifetime: in the header Expires, in the parameter of Contact, or in both.",
        ),
        row(
            "account.N.unregister_first",
            Bool,
            "false",
            Admin,
            LIVE,
            "Whether what an earlier run may have registered is taken back first.",
        ),
        row(
            "account.N.unregister_at_close",
            Bool,
            "true",
            Admin,
            LIVE,
            "Whether the registration is taken back when the phone ends.",
        ),
        row(
            "account.N.send_mac",
            Choice(&["off", "header", "user-agent"]),
            "off",
            Admin,
            LIVE,
            "Whether a REGISTER says `phone.mac`: in a header `Mac`, or in User-Agent.",
        ),
        row(
            "account.N.call_unregistered",
            Bool,
            "true",
            Admin,
            LIVE,
            "Whether calls can be made while the account is not registered.",
        ),
    ]
};
