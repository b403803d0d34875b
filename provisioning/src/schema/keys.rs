//! The rows about keys that may be given a function: line keys, soft keys, and some of the keys with a cap.

use super::table::row;
use super::{Access, Kind, Setting};

/// The longest number or code, as for every other number of the settings.
const NUMBER: Kind = Kind::Text { max: 32 };

/// Every function that a key can have. The phone knows what each of them does.
const FUNCTIONS: &[&str] = &[
    "line",
    "none",
    "blf",
    "blf-blind",
    "blf-attended",
    "blf-ask",
    "blf-list",
    "shared-line",
    "bridged-line",
    "speed-dial",
    "prefix",
    "dtmf",
    "pickup",
    "group-pickup",
    "park",
    "retrieve",
    "intercom",
    "paging",
    "dnd",
    "forward",
    "forward-busy",
    "forward-no-answer",
    "transfer",
    "conference",
    "room",
    "hold",
    "redial",
    "call-return",
    "voice-mail",
    "anonymous",
    "record",
    "recorder",
    "guest",
    "anonymous-rejection",
    "hot-desking",
    "acd",
    "texts",
];

/// The settings of keys.
pub(super) const KEYS: &[Setting] = {
    use Access::{Administrator as Admin, User};
    use Kind::{Choice, Integer, Text};
    const RESTART: bool = true;
    &[
        row(
            "key.N.type",
            Choice(FUNCTIONS),
            "line",
            User,
            RESTART,
            "What the key does; `line` leaves it what it is without settings: a line, or what its cap says.",
        ),
        row(
            "key.N.value",
            Text { max: 99 },
            "",
            User,
            RESTART,
            "What it does that with: the extension, number, prefix, digits, code, or multicast address with its port.",
        ),
        row(
            "key.N.account",
            Integer { min: 0, max: 8 },
            "0",
            User,
            RESTART,
            "The account that it does that with; 0 is the one that is chosen on the screen.",
        ),
        row(
            "key.N.label",
            Text { max: 99 },
            "",
            User,
            RESTART,
            "Its label; nothing takes one from the function.",
        ),
        row(
            "key.N.extension",
            NUMBER,
            "",
            User,
            RESTART,
            "The code that it dials before the value: to take a call (nothing takes `keys.pickup_code`), park one, or speak at once.",
        ),
        row(
            "keys.pickup_code",
            NUMBER,
            "",
            Admin,
            RESTART,
            "What a key dials before an extension to take a call that rings there; nothing replaces the call (RFC 3891).",
        ),
        row(
            "keys.barge_in_code",
            NUMBER,
            "",
            Admin,
            RESTART,
            "What it dials before the extension to join its call; nothing calls the extension.",
        ),
        row(
            "keys.retrieve_code",
            NUMBER,
            "",
            Admin,
            RESTART,
            "What it dials before the extension to fetch a call that is parked there; nothing dials what the server tells.",
        ),
        row(
            "keys.park",
            Choice(&["transfer", "dtmf", "call"]),
            "transfer",
            Admin,
            RESTART,
            "How a key parks: the call is transferred to the orbit, its number is sent as digits, or called beside the call.",
        ),
        row(
            "keys.intercom",
            Choice(&["call-info", "alert-info", "ring-answer", "intercom", "answer-mode", "uri-param"]),
            "call-info",
            Admin,
            RESTART,
            "How the call of an intercom key without a code asks to be answered at once.",
        ),
        row(
            "paging.codec",
            Choice(&["PCMU", "PCMA", "G722"]),
            "PCMU",
            Admin,
            RESTART,
            "What a paging key sends.",
        ),
        row(
            "account.N.blf_list",
            Text { max: 195 },
            "",
            Admin,
            RESTART,
            "The list of extensions that the server keeps for `blf-list` keys, as a name or a URI (RFC 4662).",
        ),
        row(
            "account.N.blf_list_pickup_code",
            NUMBER,
            "",
            Admin,
            RESTART,
            "What such a key dials before the extension to take a call; nothing takes `keys.pickup_code`.",
        ),
        row(
            "account.N.blf_list_barge_in_code",
            NUMBER,
            "",
            Admin,
            RESTART,
            "What it dials before the extension to join its call; nothing takes `keys.barge_in_code`.",
        ),
    ]
};
