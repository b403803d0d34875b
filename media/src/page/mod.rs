//! Multicast paging: a phone speaks to all that listen to a multicast address, without any signalling.
//!
//! [`PageListener`] receives: it has a list of addresses, whose places in the list are their priorities, and plays what
//! [`PageRules`] allow while the phone rings, talks or plays another page. [`sender`] makes the stream of a phone that
//! pages. Both are machines; sockets that join groups are in `sidetone-sip-ua`.
//!
//! A page is plain RTP (RFC 3550) with static payload types (RFC 3551), since no one says what dynamic ones mean; it
//! begins with its second packet and is over when none has come for a second. There is no RTCP.

mod address;
mod listener;
mod rules;
mod selector;
#[cfg(test)]
mod tests;

pub use address::{PageAddress, PageAddressError};
pub use listener::{ListenAddress, ListenConfig, PageError, PageListener};
pub use rules::{Barge, Ignored, LOWEST_PRIORITY, PageRules, PhoneState, Priority};
pub use selector::{PacketFate, PageEnd, PageEvent, Selector};

use crate::stream::DtmfHearing;
use crate::{Direction, Negotiated, Stream, StreamConfig};
use sidetone_codecs::CodecSpec;
use sidetone_hal::rng::Rng;

/// The stream of a phone that pages: [`Stream::capture`] what is said every 10 ms, and send what
/// [`Stream::poll_transmit`] gives. `pcm_rate` is the microphone's.
///
/// # Errors
/// [`PageError::Codec`], [`PageError::Rate`].
pub fn sender(
    address: PageAddress,
    codec: &'static CodecSpec,
    pcm_rate: u32,
    rng: Rng,
) -> Result<Stream, PageError> {
    if !crate::resample::is_pcm_rate(pcm_rate) {
        return Err(PageError::Rate(pcm_rate));
    }
    let payload_type = codec.payload_type.ok_or(PageError::Codec(codec.name))?;
    let mut negotiated = Negotiated::new(codec, payload_type, address.socket());
    negotiated.direction = Direction::SendOnly;
    negotiated.remote_rtcp = None;
    let mut config = StreamConfig::new(negotiated, "page", rng);
    without_digits(&mut config);
    config.pcm_rate = pcm_rate;
    // What comes from a group's address is no reason to send elsewhere.
    config.symmetric = false;
    Ok(Stream::new(config))
}

/// A page has no digits, neither as events nor in the speech.
fn without_digits(config: &mut StreamConfig) {
    config.dtmf.hearing = DtmfHearing::Events;
    let negotiated = &mut config.negotiated;
    (negotiated.dtmf_payload_type, negotiated.dtmf_receive_payload_type) = (None, None);
    negotiated.events.clear();
    negotiated.remote_events.clear();
}
