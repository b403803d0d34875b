//! What no input may do to media: the bodies of the fuzz targets in `media/fuzz`, which `tests/fuzz_replay.rs` runs on the
//! kept corpora and on seeded changes of them. Each file is one target, with the inputs that it begins with.
#![allow(dead_code, unreachable_pub, reason = "each user has its own part")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail so"
)]

pub mod dtmf;
pub mod jitter;
pub mod rtcp;
pub mod rtp;
pub mod sdp;
pub mod srtp;

/// What is done with an input.
pub type Target = fn(&[u8]);
/// Inputs to begin with.
pub type Seeds = fn() -> Vec<Vec<u8>>;

/// Every target by its name, which is that of its corpus.
pub const TARGETS: [(&str, Target, Seeds); 6] = [
    ("dtmf", dtmf::run, dtmf::seeds),
    ("jitter", jitter::run, jitter::seeds),
    ("rtp", rtp::run, rtp::seeds),
    ("rtcp", rtcp::run, rtcp::seeds),
    ("sdp", sdp::run, sdp::seeds),
    ("srtp", srtp::run, srtp::seeds),
];

/// Cuts an input into datagrams: an octet says how long the next is.
pub fn datagrams(mut data: &[u8]) -> impl Iterator<Item = &[u8]> {
    core::iter::from_fn(move || {
        let (&length, rest) = data.split_first()?;
        let (datagram, rest) = rest.split_at(usize::from(length).min(rest.len()));
        data = rest;
        Some(datagram)
    })
}

/// Joins datagrams of up to 255 octets to an input.
pub fn joined(datagrams: &[Vec<u8>]) -> Vec<u8> {
    let mut data = Vec::new();
    for datagram in datagrams {
        data.push(u8::try_from(datagram.len()).unwrap());
        data.extend(datagram);
    }
    data
}
