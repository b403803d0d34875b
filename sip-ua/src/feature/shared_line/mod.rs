//! Shared lines: a number whose calls several telephones have in common. Its appearances are the calls that it can have at
//! a time, numbered from 1; each telephone has a key and a lamp for them.
//!
//! One model serves the ways in which servers do it: an [`AppearanceState`] for each appearance, seen from one telephone
//! ([`AppearanceView`]) with its light ([`LineLamps`]).
//!
//! - [`LineKeys`]: the telephone's side of BroadSoft's shared call appearances (BroadWorks SIP Access Side Extensions,
//!   §2 to §4), which Panasonic's and Yealink's telephones have too. A key press becomes a [`LineAction`].
//! - [`BridgedLine`]: what the same keys hear and say where the line is one of bridged appearances
//!   (draft-anil-sipping-bla, the package `dialog` with `sla`).
//! - [`AppearanceTable`]: the server's side of any of them: who has which appearance, one winner for each.
//!
//! Nothing here sends anything. The messages, in their order:
//!
//! ```text
//! telephone                                                   server
//!   SUBSCRIBE sip:500@server, Event: call-info                  200, NOTIFY with Call-Info of each appearance
//!   (key) SUBSCRIBE, Event: line-seize, Expires: 15,            200, NOTIFY active: dial tone
//!         Call-Info: <sip:500@server>;appearance-index=1        or 480, NOTIFY terminated: somebody else has it
//!   (digits) INVITE, Call-Info: …;appearance-index=1            NOTIFY line-seize terminated; NOTIFY call-info to all
//!   (hold) INVITE in the dialog, a=sendonly                     NOTIFY call-info: held
//!   (private hold) the same with …;appearance-state=held-private  NOTIFY call-info: held-private
//!   (key at another telephone) INVITE sip:500@server, Call-Info: …;appearance-index=1    the held call moves there
//! ```

mod bridged;
mod keys;
mod lamps;
mod table;

pub use bridged::{
    BargeIn, BridgedLine, Takeover, alert_info, appearance_of, called_appearance, event as bridged_event,
    is_bridged,
};
pub use keys::{LineAction, LineKeys, Refused};
pub use lamps::{AppearanceView, LineLamps};
pub use table::{AppearanceTable, MAX_HOLDER, Taken};

pub use crate::package::call_info::AppearanceState;
