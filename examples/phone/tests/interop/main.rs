//! The phone and the media crate with programs that others wrote, with a second phone of ours, and under attack.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test stops on what should not happen"
)]

mod baresip_features;
mod chromium;
mod ffmpeg;
mod hold_music;
mod hostile;
mod kamailio_baresip;
mod linphone;
mod lists;
mod mixed;
mod odd;
mod packages;
mod paging;
#[path = "../peers/mod.rs"]
mod peers;
mod plug_and_play;
mod presence;
mod ringing;
mod rooms;
mod sdp;
mod session_timer;
mod sipp;
mod srtp;
mod two_phones;
mod wideband;

use libtest_mimic::Trial;
use std::process::ExitCode;

/// `cargo test -p sidetone-phone --test interop -- sipp` runs one subject.
fn main() -> ExitCode {
    // Those that take little of the machine are together: beside one that takes much, they would leave room unused.
    let subjects: [(&str, Vec<Trial>); 22] = [
        ("ffmpeg", ffmpeg::trials()),
        ("chromium", chromium::trials()),
        ("two_phones", two_phones::trials()),
        ("hostile", hostile::trials()),
        ("kamailio_baresip", kamailio_baresip::trials()),
        ("baresip_features", baresip_features::trials()),
        ("linphone", linphone::trials()),
        ("rooms", rooms::trials()),
        ("hold_music", hold_music::trials()),
        ("ringing", ringing::trials()),
        ("mixed", mixed::trials()),
        ("srtp", srtp::trials()),
        ("wideband", wideband::trials()),
        ("sdp", sdp::trials()),
        ("paging", paging::trials()),
        ("packages", packages::trials()),
        ("presence", presence::trials()),
        ("lists", lists::trials()),
        ("plug_and_play", plug_and_play::trials()),
        ("odd", odd::trials()),
        ("session_timer", session_timer::trials()),
        ("sipp", sipp::trials()),
    ];
    let named = |(subject, trials): (&'static str, Vec<Trial>)| {
        trials.into_iter().map(move |trial| trial.with_kind(subject))
    };
    peers::run(subjects.into_iter().flat_map(named).collect())
}
