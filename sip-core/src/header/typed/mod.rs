//! The typed headers, one file per family.

mod address;
mod auth;
mod basic;
mod content;
mod date;
mod notice;
mod options;
mod via;

pub use address::{
    Contact, From, NameAddr, PAssertedIdentity, Path, RecordRoute, ReferTo, ReplyTo, Route, To,
};
pub use auth::{Authorization, ProxyAuthenticate, ProxyAuthorization, WwwAuthenticate};
pub use basic::{
    CSeq, CallId, ContentLength, Expires, MaxForwards, MinExpires, Organization, Server, Subject, UserAgent,
};
pub use content::{Accept, ContentType};
pub use date::Date;
pub use notice::{Reason, RetryAfter, Warning};
pub use options::{Allow, ProxyRequire, Require, Supported, Unsupported};
pub use via::{Via, ViaTransport};

/// Implements [`Header::emit`](crate::Header::emit) by the type's `Display`.
macro_rules! emit_display {
    () => {
        fn emit(&self, out: &mut crate::emit::Emitter) {
            // The emitter takes whatever it is given.
            let _ = core::fmt::Write::write_fmt(out, format_args!("{self}"));
        }
    };
}
use emit_display;
