//! The SRTP of a stream: what is sent is protected, what is received is opened, before anything else looks at it.

use super::Channel;
use crate::sdp::Negotiated;
use crate::srtp::{Inbound, MasterKey, Outbound, SrtpConfig, SrtpError, SrtpKeys, Suite};

/// The longest datagram that is opened; longer ones pass no network that RTP is sent over.
const MAX_DATAGRAM: usize = 2048;
/// Packets that are tried with the keys of before too, once one came under the new keys: those that were overtaken.
const OVERTAKEN: u8 = 50;

/// How what is sent leaves.
#[derive(Debug, Default)]
pub(super) enum Protection {
    /// As it is.
    #[default]
    Clear,
    /// Not at all: there must be keys, and there are none yet.
    Closed,
    /// As SRTP.
    Srtp(Box<Outbound>),
}

impl Protection {
    /// Octets that it adds to a packet.
    pub(super) fn overhead(&self, channel: Channel) -> usize {
        match (self, channel) {
            (Self::Srtp(out), Channel::Rtp) => out.rtp_overhead(),
            (Self::Srtp(out), Channel::Rtcp) => out.rtcp_overhead(),
            _ => 0,
        }
    }

    /// Protects a packet in place; none if it must not be sent.
    pub(super) fn protect(&mut self, channel: Channel, buffer: &mut [u8], length: usize) -> Option<usize> {
        match (self, channel) {
            (Self::Clear, _) => Some(length),
            (Self::Closed, _) => None,
            (Self::Srtp(out), Channel::Rtp) => out.protect_rtp(buffer, length).ok(),
            (Self::Srtp(out), Channel::Rtcp) => out.protect_rtcp(buffer, length).ok(),
        }
    }

    fn is_ending(&self) -> bool {
        matches!(self, Self::Srtp(out) if out.is_ending())
    }
}

/// How what is received comes in.
#[derive(Debug, Default)]
enum Opening {
    #[default]
    Clear,
    Closed,
    Srtp(Box<Inbound>),
}

/// The receiving half, and the keys of both.
#[derive(Debug)]
pub(super) struct Secure {
    keys: Option<SrtpKeys>,
    /// The keys were given to the stream and not agreed on in SDP; only who gave them takes them away.
    given: bool,
    opening: Opening,
    /// The context of before, for packets that are still on their way, and how many it is tried for.
    before: Option<(Box<Inbound>, u8)>,
    /// Where datagrams are opened.
    opened: Vec<u8>,
    /// It was told that the keys are ending.
    told: bool,
    pub(super) unauthentic: u64,
    pub(super) replayed: u64,
}

impl Secure {
    pub(super) fn new() -> Self {
        Self {
            keys: None,
            given: false,
            opening: Opening::Clear,
            before: None,
            opened: Vec::new(),
            told: false,
            unauthentic: 0,
            replayed: 0,
        }
    }

    /// Takes over what was agreed on. `given` keys are not SDP's, and stay whatever SDP says.
    pub(super) fn agree(&mut self, negotiated: &Negotiated, protection: &mut Protection) {
        if self.given {
            return;
        }
        let needed = negotiated.dtls.is_some();
        self.set(negotiated.srtp.as_ref(), needed, protection);
    }

    /// Takes keys that do not come from SDP, or gives them back.
    pub(super) fn give(
        &mut self,
        keys: Option<&SrtpKeys>,
        negotiated: &Negotiated,
        protection: &mut Protection,
    ) {
        self.given = keys.is_some();
        match keys {
            Some(_) => self.set(keys, true, protection),
            None => self.agree(negotiated, protection),
        }
    }

    /// What stays the same goes on as it is, with its counters.
    fn set(&mut self, keys: Option<&SrtpKeys>, needed: bool, protection: &mut Protection) {
        let config = SrtpConfig::default();
        let Some(keys) = keys else {
            self.keys = None;
            self.before = None;
            (*protection, self.opening) = match needed {
                true => (Protection::Closed, Opening::Closed),
                false => (Protection::Clear, Opening::Clear),
            };
            return;
        };
        let had = |half: fn(&SrtpKeys) -> &MasterKey| self.keys.as_ref().map(half) == Some(half(keys));
        let (same_send, same_receive) = (had(|keys| &keys.send), had(|keys| &keys.receive));
        if !same_send {
            *protection = Protection::Srtp(Box::new(Outbound::new(&keys.send, &config)));
            self.told = false;
        }
        if !same_receive {
            let opening = Opening::Srtp(Box::new(Inbound::new(&keys.receive, &config)));
            if let Opening::Srtp(before) = core::mem::replace(&mut self.opening, opening) {
                self.before = Some((before, OVERTAKEN));
            }
        }
        self.keys = Some(keys.clone());
        self.opened.reserve_exact(MAX_DATAGRAM - self.opened.len().min(MAX_DATAGRAM));
    }

    /// The suite that speech is sent with; none if it goes in the clear.
    pub(super) fn suite(&self) -> Option<Suite> {
        self.keys.as_ref().map(|keys| keys.send.suite())
    }

    /// Whether datagrams come as they are.
    pub(super) const fn is_clear(&self) -> bool {
        matches!(self.opening, Opening::Clear)
    }

    /// The memory to open datagrams in; to be given back by [`put_back`](Self::put_back).
    pub(super) fn take_buffer(&mut self) -> Vec<u8> {
        core::mem::take(&mut self.opened)
    }

    pub(super) fn put_back(&mut self, buffer: Vec<u8>) {
        self.opened = buffer;
    }

    /// Opens a datagram into `buffer`. What is not authentic is counted, and false.
    pub(super) fn open(&mut self, channel: Channel, datagram: &[u8], buffer: &mut Vec<u8>) -> bool {
        if datagram.len() > MAX_DATAGRAM {
            return false;
        }
        let Opening::Srtp(inbound) = &mut self.opening else { return false };
        let first = open(inbound, channel, datagram, buffer);
        let result = match (&first, &mut self.before) {
            (Ok(()), Some((_, left))) => {
                *left = left.saturating_sub(1);
                first
            }
            (Err(_), Some((before, 1..))) => open(before, channel, datagram, buffer).or(first),
            _ => first,
        };
        match result {
            Ok(()) => return true,
            Err(SrtpError::Replayed(_) | SrtpError::Old(_)) => self.replayed += 1,
            Err(_) => self.unauthentic += 1,
        }
        false
    }

    /// Once, when the keys are coming to the end of their life.
    pub(super) fn poll_ending(&mut self, protection: &Protection) -> bool {
        let received = matches!(&self.opening, Opening::Srtp(inbound) if inbound.is_ending());
        let ending = protection.is_ending() || received;
        ending && !core::mem::replace(&mut self.told, true)
    }
}

fn open(
    inbound: &mut Inbound,
    channel: Channel,
    datagram: &[u8],
    buffer: &mut Vec<u8>,
) -> Result<(), SrtpError> {
    buffer.clear();
    buffer.extend_from_slice(datagram);
    let length = match channel {
        Channel::Rtp => inbound.unprotect_rtp(buffer)?,
        Channel::Rtcp => inbound.unprotect_rtcp(buffer)?,
    };
    buffer.truncate(length);
    Ok(())
}
