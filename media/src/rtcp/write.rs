//! Writing RTCP into a caller's buffer.

use super::{BYE, RECEIVER_REPORT, ReportBlock, SENDER_REPORT, SOURCE_DESCRIPTION, SdesItem, SenderInfo};

/// The buffer is too short for the packet; nothing of it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an RTCP packet of {needed} octets does not fit into {left}")]
pub struct Space {
    /// Octets of the packet.
    pub needed: usize,
    /// Octets that are left.
    pub left: usize,
}

/// Puts packets one after the other; the first should be a report (RFC 3550 §6.1).
#[derive(Debug)]
pub struct Writer<'a> {
    buffer: &'a mut [u8],
    at: usize,
}

impl<'a> Writer<'a> {
    /// Writes from the start of `buffer`.
    pub const fn new(buffer: &'a mut [u8]) -> Self {
        Self { buffer, at: 0 }
    }

    /// Octets written.
    #[must_use]
    pub const fn finish(self) -> usize {
        self.at
    }

    /// A report of one who sends (§6.4.1); at most 31 blocks are written.
    ///
    /// # Errors
    /// It does not fit.
    pub fn sender_report(
        &mut self,
        ssrc: u32,
        info: &SenderInfo,
        blocks: &[ReportBlock],
    ) -> Result<(), Space> {
        let blocks = blocks.get(..31).unwrap_or(blocks);
        let mut packet = self.packet(blocks.len() as u8, SENDER_REPORT, 24 + 24 * blocks.len())?;
        packet.word(ssrc);
        packet.word((info.ntp >> 32) as u32);
        packet.word(info.ntp as u32);
        packet.word(info.rtp_timestamp);
        packet.word(info.packets);
        packet.word(info.octets);
        blocks.iter().for_each(|block| packet.block(block));
        Ok(())
    }

    /// A report of one who only receives (§6.4.2); at most 31 blocks are written.
    ///
    /// # Errors
    /// It does not fit.
    pub fn receiver_report(&mut self, ssrc: u32, blocks: &[ReportBlock]) -> Result<(), Space> {
        let blocks = blocks.get(..31).unwrap_or(blocks);
        let mut packet = self.packet(blocks.len() as u8, RECEIVER_REPORT, 4 + 24 * blocks.len())?;
        packet.word(ssrc);
        blocks.iter().for_each(|block| packet.block(block));
        Ok(())
    }

    /// Our canonical name (§6.5.1); at most 255 octets of it are written.
    ///
    /// # Errors
    /// It does not fit.
    pub fn source_description(&mut self, ssrc: u32, cname: &str) -> Result<(), Space> {
        let name = cut(cname);
        // The item, at least one zero that ends the chunk, and zeros to a whole word.
        let mut packet = self.packet(1, SOURCE_DESCRIPTION, 4 + (2 + name.len() + 1).next_multiple_of(4))?;
        packet.word(ssrc);
        packet.octets(&[SdesItem::CNAME, name.len() as u8]);
        packet.octets(name);
        Ok(())
    }

    /// The source ends (§6.6); at most 255 octets of the reason are written.
    ///
    /// # Errors
    /// It does not fit.
    pub fn bye(&mut self, ssrc: u32, reason: &str) -> Result<(), Space> {
        let reason = cut(reason);
        let text = if reason.is_empty() { 0 } else { (1 + reason.len()).next_multiple_of(4) };
        let mut packet = self.packet(1, BYE, 4 + text)?;
        packet.word(ssrc);
        if !reason.is_empty() {
            packet.octets(&[reason.len() as u8]);
            packet.octets(reason);
        }
        Ok(())
    }

    /// The header of a packet with `body` octets, a multiple of four, and a cursor over its zeroed body.
    fn packet(&mut self, count: u8, kind: u8, body: usize) -> Result<Body<'_>, Space> {
        let left = self.buffer.len() - self.at;
        let short = Space { needed: 4 + body, left };
        let place = self.buffer.get_mut(self.at..self.at + 4 + body).ok_or(short)?;
        place.fill(0);
        self.at += 4 + body;
        let mut packet = Body { rest: place };
        packet.octets(&[0x80 | count, kind]);
        packet.octets(&((body / 4) as u16).to_be_bytes());
        Ok(packet)
    }
}

struct Body<'a> {
    rest: &'a mut [u8],
}

impl Body<'_> {
    fn octets(&mut self, octets: &[u8]) {
        let rest = core::mem::take(&mut self.rest);
        if let Some((place, rest)) = rest.split_at_mut_checked(octets.len()) {
            place.copy_from_slice(octets);
            self.rest = rest;
        }
    }

    fn word(&mut self, word: u32) {
        self.octets(&word.to_be_bytes());
    }

    fn block(&mut self, block: &ReportBlock) {
        self.word(block.ssrc);
        let lost = block.cumulative_lost.clamp(-0x80_0000, 0x7f_ffff) as u32 & 0xff_ffff;
        self.word((u32::from(block.fraction_lost) << 24) | lost);
        self.word(block.highest_sequence);
        self.word(block.jitter);
        self.word(block.last_sender_report);
        self.word(block.delay_since_last_sender_report);
    }
}

/// As many whole characters as fit into 255 octets.
fn cut(text: &str) -> &[u8] {
    let end = (0..=text.len().min(255)).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    text.get(..end).unwrap_or_default().as_bytes()
}
