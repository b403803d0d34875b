//! What the proxy writes into its Record-Route: a signed note of where the two ends of a dialog are reached.
//!
//! A request inside a dialog brings the note back in its Route (RFC 3261 §16.4, §16.12), so the proxy keeps no state
//! per dialog, sends to the flow that each end really used (its NAT or TCP connection), and forwards nothing for
//! somebody who made up a Route: the note is bound to the Call-ID and only an authenticated INVITE gets one.

use sha2::{Digest, Sha256};
use sidetone_hal::net::{FlowId, IpAddr, Ipv4Addr, Ipv6Addr, Protocol, SocketAddr};
use sidetone_hal::rng::Rng;
use sidetone_sip_core::Target;

/// Makes and checks tickets; the key lives as long as the process.
pub(crate) struct TicketOffice {
    key: [u8; 32],
}

impl TicketOffice {
    pub(crate) fn new(rng: &mut Rng) -> Self {
        let mut key = [0; 32];
        rng.fill(&mut key);
        Self { key }
    }

    /// The ticket of the dialog that a request with this Call-ID and From tag opens.
    pub(crate) fn issue(&self, call_id: &str, caller_tag: &str, caller: &Target, callee: &Target) -> String {
        let mut note = self.mac::<TAG>(&[b"tag", caller_tag.as_bytes()]).to_vec();
        write_hop(&mut note, caller);
        write_hop(&mut note, callee);
        let mac = self.mac::<MAC>(&[b"note", &note, call_id.as_bytes()]);
        note.extend_from_slice(&mac);
        note.iter().flat_map(|byte| [hex(byte >> 4), hex(byte & 15)]).collect()
    }

    /// Where a request of the dialog goes, by who sends it: `from_tag` tells caller and callee apart.
    ///
    /// `None` when the ticket is not ours, is for another Call-ID, or was changed.
    pub(crate) fn redeem(&self, ticket: &str, call_id: &str, from_tag: &str) -> Option<Target> {
        if ticket.len() > MAX_TEXT {
            return None;
        }
        let bytes = unhex(ticket)?;
        let (note, mac) = bytes.split_at_checked(bytes.len().checked_sub(MAC)?)?;
        let expected = self.mac::<MAC>(&[b"note", note, call_id.as_bytes()]);
        // Without an early exit, so that the time tells nothing about the first wrong byte.
        let wrong = expected.iter().zip(mac).fold(0, |wrong, (a, b)| wrong | (a ^ b));
        if wrong != 0 {
            return None;
        }
        let mut note = Reader(note);
        let from_caller = note.take(TAG)? == self.mac::<TAG>(&[b"tag", from_tag.as_bytes()]);
        let (caller, callee) = (note.hop()?, note.hop()?);
        Some(if from_caller { callee } else { caller })
    }

    /// `N` bytes of SHA-256 over the key and the length-prefixed parts. Cut short, it cannot be extended.
    fn mac<const N: usize>(&self, parts: &[&[u8]]) -> [u8; N] {
        let mut hash = Sha256::new_with_prefix(self.key);
        for part in parts {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        let digest = hash.finalize();
        let mut out = [0; N];
        for (to, from) in out.iter_mut().zip(digest) {
            *to = from;
        }
        out
    }
}

/// Bytes of the caller's tag kept, and of the signature: 80 bits against guessing while a call lasts.
const TAG: usize = 4;
const MAC: usize = 10;
/// Two IPv6 hops in hexadecimal.
const MAX_TEXT: usize = 2 * (TAG + 2 * HOP_V6 + MAC);
const HOP_V6: usize = 1 + 8 + 16 + 2;

fn write_hop(out: &mut Vec<u8>, hop: &Target) {
    let protocol = match hop.protocol {
        Protocol::Udp => 0,
        Protocol::Tcp => 1,
        Protocol::Tls => 2,
        Protocol::Ws => 3,
        Protocol::Wss => 4,
    };
    let flow = if hop.flow.is_some() { 0x40 } else { 0 };
    match hop.address.ip() {
        IpAddr::V4(ip) => {
            out.push(protocol | flow);
            out.extend_from_slice(&hop.flow.map_or(0, |flow| flow.0).to_le_bytes());
            out.extend_from_slice(&ip.octets());
        }
        IpAddr::V6(ip) => {
            out.push(protocol | flow | 0x80);
            out.extend_from_slice(&hop.flow.map_or(0, |flow| flow.0).to_le_bytes());
            out.extend_from_slice(&ip.octets());
        }
    }
    out.extend_from_slice(&hop.address.port().to_le_bytes());
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn hop(&mut self) -> Option<Target> {
        let [head] = self.array()?;
        let protocol = match head & 0x0f {
            0 => Protocol::Udp,
            1 => Protocol::Tcp,
            2 => Protocol::Tls,
            3 => Protocol::Ws,
            4 => Protocol::Wss,
            _ => return None,
        };
        let flow = FlowId(u64::from_le_bytes(self.array()?));
        let ip = if head & 0x80 == 0 {
            IpAddr::V4(Ipv4Addr::from(self.array::<4>()?))
        } else {
            IpAddr::V6(Ipv6Addr::from(self.array::<16>()?))
        };
        let port = u16::from_le_bytes(self.array()?);
        let target = Target::new(protocol, SocketAddr::new(ip, port));
        Some(if head & 0x40 == 0 { target } else { target.on(flow) })
    }
}

fn hex(nibble: u8) -> char {
    char::from_digit(u32::from(nibble), 16).unwrap_or('0')
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return None };
    pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hops() -> (Target, Target) {
        let caller = Target::new(Protocol::Tcp, "192.0.2.7:40000".parse().unwrap()).on(FlowId(u64::MAX));
        let callee = Target::new(Protocol::Udp, "[2001:db8::9]:5060".parse().unwrap());
        (caller, callee)
    }

    #[test]
    fn a_ticket_leads_to_the_other_end() {
        let office = TicketOffice::new(&mut Rng::from_u64(1));
        let (caller, callee) = hops();
        let ticket = office.issue("call-1", "tag-a", &caller, &callee);
        assert_eq!(office.redeem(&ticket, "call-1", "tag-a"), Some(callee));
        assert_eq!(office.redeem(&ticket, "call-1", "tag-b"), Some(caller));
    }

    #[test]
    fn a_ticket_of_another_call_or_key_or_a_changed_one_is_worth_nothing() {
        let office = TicketOffice::new(&mut Rng::from_u64(1));
        let (caller, callee) = hops();
        let ticket = office.issue("call-1", "tag-a", &caller, &callee);
        assert_eq!(office.redeem(&ticket, "call-2", "tag-a"), None);
        assert_eq!(TicketOffice::new(&mut Rng::from_u64(2)).redeem(&ticket, "call-1", "tag-a"), None);
        for at in 0..ticket.len() {
            let mut changed = ticket.clone().into_bytes();
            changed[at] = if changed[at] == b'0' { b'1' } else { b'0' };
            let changed = String::from_utf8(changed).unwrap();
            assert_eq!(office.redeem(&changed, "call-1", "tag-a"), None, "changed at {at}");
            assert_eq!(office.redeem(&ticket[..at], "call-1", "tag-a"), None, "cut at {at}");
        }
        for junk in ["", "zz", "é", &"0".repeat(MAX_TEXT), &"0".repeat(MAX_TEXT + 2)] {
            assert_eq!(office.redeem(junk, "call-1", "tag-a"), None);
        }
    }
}
