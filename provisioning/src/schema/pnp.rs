//! The rows about plug and play: how the phone asks the network where its settings are.

use super::table::row;
use super::{Access, Kind, Setting};

/// Plug and play, and the hardware address by which servers know the telephone.
pub(super) const PNP: &[Setting] = {
    use Access::Administrator as Admin;
    use Kind::{Bool, Integer, IpAddress, Seconds, Text};
    const RESTART: bool = true;
    &[
        row(
            "phone.mac",
            Text { max: 17 },
            "",
            Admin,
            RESTART,
            "The hardware address, as in `00:15:65:11:3a:42`: servers know the telephone by it.",
        ),
        row(
            "pnp.enabled",
            Bool,
            "false",
            Admin,
            RESTART,
            "Whether the phone asks the network at its start where its settings are; takes `phone.mac`.",
        ),
        row(
            "pnp.server",
            Text { max: 99 },
            "",
            Admin,
            RESTART,
            "The server that is asked; nothing asks the group 224.0.1.75.",
        ),
        row(
            "pnp.port",
            Integer { min: 1, max: 65_535 },
            "5060",
            Admin,
            RESTART,
            "The port at which it is asked.",
        ),
        row(
            "pnp.interval",
            Seconds { min: 0, max: 604_800 },
            "0",
            Admin,
            RESTART,
            "How often it is asked again; 0 asks at the start only.",
        ),
        row(
            "pnp.interface",
            IpAddress,
            "",
            Admin,
            RESTART,
            "The interface by which it is asked, by its IPv4 address; nothing takes the system's choice.",
        ),
    ]
};
