//! What stands between the fixed header and the payload: contributing sources and header extensions
//! (RFC 3550 §5.1, §5.3.1; RFC 8285).

use super::{RtpError, reader};

/// Extensions of one octet of header each (RFC 8285 §4.2).
const ONE_BYTE: u16 = 0xbede;
/// Extensions of two octets of header each (§4.3); the low four bits are the application's.
const TWO_BYTE: u16 = 0x1000;

/// The parts of a packet's header that a phone has no need of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeaderExtras<'a> {
    contributors: &'a [u8],
    /// The extension, if the packet has one.
    pub extension: Option<Extension<'a>>,
    /// Octets of padding behind the payload.
    pub padding: u8,
}

impl<'a> HeaderExtras<'a> {
    /// Reads a datagram.
    ///
    /// # Errors
    /// It is not RTP, as [`Packet::parse`](super::Packet::parse) says.
    pub fn parse(datagram: &'a [u8]) -> Result<Self, RtpError> {
        let reader = reader(datagram)?;
        let end = super::HEADER + 4 * usize::from(reader.csrc_count());
        Ok(Self {
            contributors: datagram.get(super::HEADER..end).unwrap_or_default(),
            extension: reader.extension().map(|(profile, data)| Extension { profile, data }),
            padding: reader.padding().unwrap_or(0),
        })
    }

    /// The sources that a mixer made the payload of, 15 at most.
    pub fn contributors(&self) -> impl Iterator<Item = u32> + use<'a> {
        self.contributors.as_chunks::<4>().0.iter().map(|ssrc| u32::from_be_bytes(*ssrc))
    }
}

/// A header extension (RFC 3550 §5.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extension<'a> {
    /// What the profile defines; 0xbede and 0x1000 to 0x100f are lists of elements.
    pub profile: u16,
    /// A whole number of words.
    pub data: &'a [u8],
}

impl<'a> Extension<'a> {
    /// The elements that it lists; none if it is of another profile.
    #[must_use]
    pub const fn elements(&self) -> Elements<'a> {
        let two = self.profile & 0xfff0 == TWO_BYTE;
        let data = if two || self.profile == ONE_BYTE { self.data } else { &[] };
        Elements { data, two }
    }
}

/// The elements of an extension: identifier and data (RFC 8285). Which identifier means what, `a=extmap` says.
#[derive(Clone, Copy, Debug)]
pub struct Elements<'a> {
    data: &'a [u8],
    two: bool,
}

impl<'a> Iterator for Elements<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        loop {
            let (&first, rest) = self.data.split_first()?;
            if first == 0 {
                // Padding between elements.
                self.data = rest;
                continue;
            }
            let (id, length, rest) = if self.two {
                let (&length, rest) = rest.split_first()?;
                (first, usize::from(length), rest)
            } else {
                (first >> 4, usize::from(first & 15) + 1, rest)
            };
            // §4.2: an identifier of 15 ends the list; one of 0 with a length is not to be used.
            let ends = !self.two && id == 15;
            let Some((data, rest)) = rest.split_at_checked(length).filter(|_| !ends) else {
                self.data = &[];
                return None;
            };
            self.data = rest;
            if id == 0 {
                continue;
            }
            return Some((id, data));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Packet;
    use super::*;
    use proptest::prelude::*;

    fn list(profile: u16, data: &[u8]) -> Vec<(u8, Vec<u8>)> {
        let extension = Extension { profile, data };
        extension.elements().map(|(id, data)| (id, data.to_vec())).collect()
    }

    #[test]
    fn elements_of_one_octet() {
        // RFC 8285 §4.2: an element of one octet, one of two, padding, one of four.
        let data = [0x10, 0xff, 0x21, 1, 2, 0, 0, 0x33, 1, 2, 3, 4];
        assert_eq!(list(0xbede, &data), [(1, vec![0xff]), (2, vec![1, 2]), (3, vec![1, 2, 3, 4])]);
        assert_eq!(list(0xbede, &[0x10, 7, 0xf0, 7, 0x10, 7]), [(1, vec![7])], "15 ends the list");
        assert_eq!(list(0xbede, &[0x01, 7, 7, 0x10, 8]), [(1, vec![8])], "0 with a length is skipped");
        assert_eq!(list(0xbede, &[0x10, 7, 0x2f, 7]), [(1, vec![7])], "longer than there is");
    }

    #[test]
    fn elements_of_two_octets_and_other_profiles() {
        let data = [1, 0, 2, 1, 9, 0, 255, 2, 8, 8];
        assert_eq!(list(0x1003, &data), [(1, vec![]), (2, vec![9]), (255, vec![8, 8])]);
        assert_eq!(list(0x1000, &[1, 5, 0]), []);
        assert_eq!(list(0xabcd, &data), []);
    }

    #[test]
    fn extras_are_written_and_read() {
        let packet =
            Packet { payload_type: 0, marker: false, sequence: 1, timestamp: 2, ssrc: 3, payload: &[7; 5] };
        let mut out = [0; 64];
        let octets = packet.write_with(&[11, 12], Some((0xbede, &[0x10, 5, 0, 0])), &mut out).unwrap();
        assert_eq!(octets, 12 + 8 + 8 + 5);
        assert_eq!(Packet::parse(&out[..octets]), Ok(packet));
        let extras = HeaderExtras::parse(&out[..octets]).unwrap();
        assert_eq!(extras.contributors().collect::<Vec<_>>(), [11, 12]);
        assert_eq!(extras.extension.unwrap().elements().collect::<Vec<_>>(), [(1, &[5][..])]);
        assert_eq!(extras.padding, 0);
        let error = packet.write_with(&[1; 16], None, &mut [0; 200]);
        assert!(matches!(error, Err(RtpError::Unwritable { .. })));
    }

    proptest! {
        #[test]
        fn no_header_panics_and_the_payload_is_what_is_left(
            first in 0x80_u8..0xc0, body in proptest::collection::vec(any::<u8>(), 11..90), extension in 0_u16..12,
        ) {
            let mut datagram = vec![first];
            datagram.extend(body);
            // A length that fits often.
            let at = 12 + 4 * usize::from(first & 15) + 2;
            if let Some([high, low]) = datagram.get_mut(at..at + 2) {
                (*high, *low) = (0, extension as u8);
            }
            match (Packet::parse(&datagram), HeaderExtras::parse(&datagram)) {
                (Ok(packet), Ok(extras)) => {
                    let list = extras.extension.map_or(0, |extension| 4 + extension.data.len());
                    let sum = 12 + 4 * extras.contributors().count() + list + packet.payload.len();
                    prop_assert_eq!(sum + usize::from(extras.padding), datagram.len());
                    let inside: usize = extras.extension.map_or(0, |e| e.elements().map(|(_, data)| data.len()).sum());
                    prop_assert!(inside <= list);
                }
                (packet, extras) => prop_assert_eq!(packet.err(), extras.err()),
            }
        }
    }
}
