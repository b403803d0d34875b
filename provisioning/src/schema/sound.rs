//! The rows about how an account's calls sound where the telephone's own settings do not count, and the ports of RTP.

use super::table::row;
use super::{Access, Kind, Setting};

/// The settings of an account, and after them those of the telephone.
pub(super) const SOUND: &[Setting] = {
    use Access::Administrator as Admin;
    use Kind::{Bool, Choice, Integer, OptionalInteger, OptionalMilliseconds, SecondsOrZero, Text};
    const RESTART: bool = true;
    const CODE_POINT: Kind = OptionalInteger { min: 0, max: 63 };
    const DELAY: Kind = OptionalMilliseconds { min: 0, max: 500 };
    &[
        row(
            "account.N.jitter",
            Choice(&["phone", "adaptive", "fixed"]),
            "phone",
            Admin,
            RESTART,
            "The delay against jitter of this account's calls: as `media.jitter`, or its own.",
        ),
        row(
            "account.N.jitter_min",
            DELAY,
            "",
            Admin,
            RESTART,
            "The least; nothing takes `media.jitter_min`.",
        ),
        row(
            "account.N.jitter_normal",
            DELAY,
            "",
            Admin,
            RESTART,
            "The fixed one, or the one at the beginning; nothing takes `media.jitter_normal`.",
        ),
        row("account.N.jitter_max", DELAY, "", Admin, RESTART, "The most; nothing takes `media.jitter_max`."),
        row(
            "account.N.rtcp",
            Choice(&["phone", "on", "off"]),
            "phone",
            Admin,
            RESTART,
            "Whether reports about this account's calls are sent; `phone` as `media.rtcp` says.",
        ),
        row(
            "account.N.rtcp_interval",
            SecondsOrZero { min: 5, max: 65_535 },
            "0",
            Admin,
            RESTART,
            "The least time between them; 0 takes `media.rtcp_interval`.",
        ),
        row(
            "account.N.rtp_dscp",
            CODE_POINT,
            "",
            Admin,
            RESTART,
            "The DiffServ code point of this account's speech; nothing takes `media.dscp`.",
        ),
        row(
            "account.N.rtcp_dscp",
            CODE_POINT,
            "",
            Admin,
            RESTART,
            "That of the reports about it; nothing takes the speech's.",
        ),
        row(
            "account.N.payload_types",
            Text { max: 256 },
            "",
            Admin,
            RESTART,
            "The RTP payload types of codecs that have none for good, as `iLBC=106 G726-32=102`; others get free ones.",
        ),
        row(
            "account.N.sdp_user",
            Text { max: 32 },
            "-",
            Admin,
            RESTART,
            "The user in the `o=` line of session descriptions.",
        ),
        row(
            "media.external_ports",
            Text { max: 255 },
            "",
            Admin,
            RESTART,
            "The RTP ports that a router forwards, one for each of the telephone's channels, between blanks; they take the place of `media.port`. Nothing, or zeros, means none.",
        ),
        row(
            "media.dtmf_ends",
            Integer { min: 1, max: 3 },
            "3",
            Admin,
            RESTART,
            "How often the last packet of a digit is sent (RFC 4733).",
        ),
        row(
            "media.pcmu_always",
            Bool,
            "false",
            Admin,
            RESTART,
            "Whether PCMU comes behind the codecs of an account that has it not.",
        ),
    ]
};
