//! Writing RTCP into a caller's buffer.

use super::xr::{self, DelaySinceLast, StatisticsSummary, VoipMetrics};
use super::{
    APPLICATION, BYE, EXTENDED_REPORT, RECEIVER_REPORT, ReportBlock, SENDER_REPORT, SOURCE_DESCRIPTION,
    SdesItem, SenderInfo,
};

/// An item of a source description to write: its kind, as [`SdesItem::TOOL`], and its text, of which at most 255 octets
/// are written.
pub type SdesText<'a> = (u8, &'a str);

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
        self.source_descriptions(&[(ssrc, &[(SdesItem::CNAME, cname)])])
    }

    /// Names of several sources, as a mixer has them (§6.5); each should begin with its canonical name. At most 31
    /// chunks are written.
    ///
    /// # Errors
    /// It does not fit.
    pub fn source_descriptions(&mut self, chunks: &[(u32, &[SdesText<'_>])]) -> Result<(), Space> {
        let chunks = chunks.get(..31).unwrap_or(chunks);
        // The items, at least one zero that ends the chunk, and zeros to a whole word.
        let items = |items: &[SdesText<'_>]| items.iter().map(|(_, text)| 2 + cut(text).len()).sum::<usize>();
        let length = |texts: &[SdesText<'_>]| 4 + (items(texts) + 1).next_multiple_of(4);
        let body = chunks.iter().map(|(_, texts)| length(texts)).sum();
        let mut packet = self.packet(chunks.len() as u8, SOURCE_DESCRIPTION, body)?;
        for (ssrc, texts) in chunks {
            packet.word(*ssrc);
            for (kind, text) in *texts {
                let text = cut(text);
                packet.octets(&[*kind, text.len() as u8]);
                packet.octets(text);
            }
            packet.skip(length(texts) - 4 - items(texts));
        }
        Ok(())
    }

    /// The source ends (§6.6); at most 255 octets of the reason are written.
    ///
    /// # Errors
    /// It does not fit.
    pub fn bye(&mut self, ssrc: u32, reason: &str) -> Result<(), Space> {
        self.byes(&[ssrc], reason)
    }

    /// Several sources end, as when a mixer stops (§6.6); at most 31 are written.
    ///
    /// # Errors
    /// It does not fit.
    pub fn byes(&mut self, sources: &[u32], reason: &str) -> Result<(), Space> {
        let (sources, reason) = (sources.get(..31).unwrap_or(sources), cut(reason));
        let text = if reason.is_empty() { 0 } else { (1 + reason.len()).next_multiple_of(4) };
        let mut packet = self.packet(sources.len() as u8, BYE, 4 * sources.len() + text)?;
        sources.iter().for_each(|ssrc| packet.word(*ssrc));
        if !reason.is_empty() {
            packet.octets(&[reason.len() as u8]);
            packet.octets(reason);
        }
        Ok(())
    }

    /// Something that an application defines (§6.7). `subtype` is 0 to 31; `data` is filled with zeros to whole words.
    ///
    /// # Errors
    /// It does not fit.
    pub fn application(&mut self, ssrc: u32, subtype: u8, name: [u8; 4], data: &[u8]) -> Result<(), Space> {
        let mut packet = self.packet(subtype & 31, APPLICATION, 8 + data.len().next_multiple_of(4))?;
        packet.word(ssrc);
        packet.octets(&name);
        packet.octets(data);
        Ok(())
    }

    /// Begins an extended report (RFC 3611 §2); blocks are added to what this returns.
    ///
    /// # Errors
    /// It does not fit.
    pub fn extended_report(&mut self, ssrc: u32) -> Result<ExtendedReport<'_, 'a>, Space> {
        let start = self.at;
        self.packet(0, EXTENDED_REPORT, 4)?.word(ssrc);
        Ok(ExtendedReport { writer: self, start })
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

/// An extended report that blocks are added to; it grows with each.
#[derive(Debug)]
pub struct ExtendedReport<'w, 'a> {
    writer: &'w mut Writer<'a>,
    start: usize,
}

impl ExtendedReport<'_, '_> {
    /// Our clock, for who asks how far away we are (RFC 3611 §4.4).
    ///
    /// # Errors
    /// It does not fit; nothing of the block was written.
    pub fn receiver_reference_time(&mut self, ntp: u64) -> Result<(), Space> {
        self.block(xr::RECEIVER_REFERENCE_TIME, 0, 2, [(ntp >> 32) as u32, ntp as u32].into_iter())
    }

    /// The answer to one such (§4.5).
    ///
    /// # Errors
    /// It does not fit; nothing of the block was written.
    pub fn delay_since_last(&mut self, entry: &DelaySinceLast) -> Result<(), Space> {
        self.delays_since_last(core::slice::from_ref(entry))
    }

    /// The answers to several (§4.5).
    ///
    /// # Errors
    /// They do not fit; nothing of the block was written.
    pub fn delays_since_last(&mut self, entries: &[DelaySinceLast]) -> Result<(), Space> {
        let words = entries.iter().flat_map(|entry| {
            [entry.ssrc, entry.last_receiver_report, entry.delay_since_last_receiver_report]
        });
        self.block(xr::DELAY_SINCE_LAST, 0, 3 * entries.len(), words)
    }

    /// A summary of statistics (§4.6).
    ///
    /// # Errors
    /// It does not fit; nothing of the block was written.
    pub fn statistics(&mut self, summary: &StatisticsSummary) -> Result<(), Space> {
        let (flags, words) = summary.write();
        self.block(xr::STATISTICS, flags, words.len(), words.into_iter())
    }

    /// What the call is like (§4.7).
    ///
    /// # Errors
    /// It does not fit; nothing of the block was written.
    pub fn voip_metrics(&mut self, metrics: &VoipMetrics) -> Result<(), Space> {
        let words = metrics.write();
        self.block(xr::VOIP_METRICS, 0, words.len(), words.into_iter())
    }

    fn block(
        &mut self,
        kind: u8,
        specific: u8,
        count: usize,
        words: impl Iterator<Item = u32>,
    ) -> Result<(), Space> {
        let Writer { buffer, at } = &mut *self.writer;
        let length = 4 + 4 * count;
        let short = Space { needed: length, left: buffer.len() - *at };
        let place = buffer.get_mut(*at..*at + length).ok_or(short)?;
        let mut body = Body { rest: place };
        body.octets(&[kind, specific]);
        body.octets(&(count as u16).to_be_bytes());
        words.for_each(|word| body.word(word));
        *at += length;
        // The packet is longer now.
        let whole = ((*at - self.start) / 4 - 1) as u16;
        if let Some(place) = buffer.get_mut(self.start + 2..self.start + 4) {
            place.copy_from_slice(&whole.to_be_bytes());
        }
        Ok(())
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

    /// Leaves zeros.
    fn skip(&mut self, count: usize) {
        let rest = core::mem::take(&mut self.rest);
        self.rest = rest.get_mut(count..).unwrap_or_default();
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
