//! RTP payloads of RFC 4867: bandwidth-efficient (§4.3) and octet-aligned (§4.4), any number of frames.
#![expect(
    clippy::indexing_slicing,
    reason = "all lengths are checked before the first bit is read or written"
)]

use super::decoder::Decoder as FrameDecoder;
use super::encoder::Encoder as FrameEncoder;
use super::{FRAME_SAMPLES, Format, Frame, FrameType, Mode, SPEC};
use crate::{CodecError, CodecSpec, Encoded};

/// The widths of a payload's parts, in bits.
#[derive(Clone, Copy)]
struct Layout {
    /// Mode request, with what fills it up.
    header: usize,
    /// An entry of the table of contents.
    entry: usize,
    /// A frame begins at a multiple of this.
    align: usize,
}

impl Layout {
    const fn of(format: &Format) -> Self {
        if format.octet_align {
            Self { header: 8, entry: 8, align: 8 }
        } else {
            Self { header: 4, entry: 6, align: 1 }
        }
    }

    /// Bits of a frame.
    const fn frame(self, kind: FrameType) -> usize {
        kind.bits().next_multiple_of(self.align)
    }

    /// Octets of a payload with `count` frames of a mode.
    const fn octets(self, count: usize, mode: Mode) -> usize {
        (self.header + count * (self.entry + self.frame(FrameType::Speech(mode)))).div_ceil(8)
    }
}

/// No mode is requested.
const NO_REQUEST: u8 = 15;

/// Writes a payload frame by frame.
struct Packer<'a> {
    out: &'a mut [u8],
    layout: Layout,
    /// Frames for which there is room in the table of contents, and those written.
    planned: usize,
    count: usize,
    /// Where the next frame goes.
    at: usize,
}

impl<'a> Packer<'a> {
    /// `out` has room for `planned` frames.
    fn new(format: &Format, request: Option<Mode>, planned: usize, out: &'a mut [u8]) -> Self {
        out.fill(0);
        let layout = Layout::of(format);
        write_bits(out, 0, request.map_or(NO_REQUEST, Mode::number), 4);
        Self { out, layout, planned, count: 0, at: layout.header + planned * layout.entry }
    }

    fn push(&mut self, frame: &Frame, good: bool) {
        let entry = self.layout.header + self.count * self.layout.entry;
        if self.count > 0 {
            write_bits(self.out, entry - self.layout.entry, 1, 1);
        }
        write_bits(self.out, entry + 1, frame.kind().number() << 1 | u8::from(good), 5);
        self.count += 1;
        let bits = frame.kind().bits();
        for (octet, first) in frame.octets().iter().zip((0..bits).step_by(8)) {
            let width = (bits - first).min(8);
            write_bits(self.out, self.at + first, octet >> (8 - width), width);
        }
        self.at += self.layout.frame(frame.kind());
    }

    /// Closes the gap that frames planned but not written have left; returns the octets.
    fn finish(self) -> usize {
        let gap = (self.planned - self.count) * self.layout.entry;
        let from = self.layout.header + self.planned * self.layout.entry;
        if gap > 0 {
            for bit in from..self.at {
                let value = read_bits(self.out, bit, 1);
                clear_bit(self.out, bit);
                clear_bit(self.out, bit - gap);
                write_bits(self.out, bit - gap, value, 1);
            }
        }
        (self.at - gap).div_ceil(8)
    }
}

/// Writes the low `width` bits of `value` where there are zeros.
fn write_bits(out: &mut [u8], at: usize, value: u8, width: usize) {
    for i in 0..width {
        let bit = value >> (width - 1 - i) & 1;
        out[(at + i) / 8] |= bit << (7 - (at + i) % 8);
    }
}

fn clear_bit(out: &mut [u8], at: usize) {
    out[at / 8] &= !(0x80 >> (at % 8));
}

/// Reads `width` bits, 8 at most.
fn read_bits(payload: &[u8], at: usize, width: usize) -> u8 {
    (at..at + width).fold(0, |value, bit| value << 1 | (payload[bit / 8] >> (7 - bit % 8) & 1))
}

/// Puts frames into one payload; returns its octets. `request` is the mode that we want to receive (CMR).
///
/// # Errors
/// [`CodecError::OutputTooShort`] if the payload does not fit, [`CodecError::PayloadLength`] if there is no frame.
pub fn pack(
    format: &Format,
    request: Option<Mode>,
    frames: &[Frame],
    out: &mut [u8],
) -> Result<usize, CodecError> {
    if frames.is_empty() {
        return Err(CodecError::PayloadLength { got: 0, expected: "at least one frame" });
    }
    let layout = Layout::of(format);
    let bits =
        frames.iter().fold(layout.header, |bits, frame| bits + layout.entry + layout.frame(frame.kind()));
    let needed = bits.div_ceil(8);
    let got = out.len();
    let out = out.get_mut(..needed).ok_or(CodecError::OutputTooShort { needed, got })?;
    let mut packer = Packer::new(format, request, frames.len(), out);
    frames.iter().for_each(|frame| packer.push(frame, true));
    Ok(packer.finish())
}

/// The frames of a payload, in order, each with whether it is undamaged (Q bit).
#[derive(Clone, Debug)]
pub struct Frames<'a> {
    payload: &'a [u8],
    octet_align: bool,
    count: usize,
    next: usize,
    at: usize,
}

/// Takes a payload apart: the mode that the other side wants to receive, and the frames.
///
/// # Errors
/// [`CodecError::FrameType`] for a frame type that is not AMR's, [`CodecError::PayloadLength`] if the payload is not
/// exactly as long as its table of contents says.
pub fn unpack<'a>(format: &Format, payload: &'a [u8]) -> Result<(Option<Mode>, Frames<'a>), CodecError> {
    let layout = Layout::of(format);
    let got = payload.len();
    let length = |expected| CodecError::PayloadLength { got, expected };
    let mut count = 0;
    let mut bits = layout.header;
    loop {
        let entry = layout.header + count * layout.entry;
        if entry + layout.entry > got * 8 {
            return Err(length("an RFC 4867 payload with a whole table of contents"));
        }
        count += 1;
        bits += layout.entry + layout.frame(frame_type(payload, entry)?);
        if read_bits(payload, entry, 1) == 0 {
            break;
        }
    }
    if bits.div_ceil(8) != got {
        return Err(length("the octets that the table of contents of the RFC 4867 payload adds up to"));
    }
    let request = Mode::from_number(read_bits(payload, 0, 4));
    let at = layout.header + count * layout.entry;
    Ok((request, Frames { payload, octet_align: format.octet_align, count, next: 0, at }))
}

fn frame_type(payload: &[u8], entry: usize) -> Result<FrameType, CodecError> {
    let number = read_bits(payload, entry + 1, 4);
    FrameType::from_number(number).ok_or(CodecError::FrameType { got: number, expected: "0 to 8, or 15" })
}

impl Iterator for Frames<'_> {
    type Item = (Frame, bool);

    fn next(&mut self) -> Option<Self::Item> {
        if self.next == self.count {
            return None;
        }
        let layout =
            Layout::of(if self.octet_align { &Format::OCTET_ALIGNED } else { &Format::BANDWIDTH_EFFICIENT });
        let entry = layout.header + self.next * layout.entry;
        self.next += 1;
        let kind = frame_type(self.payload, entry).ok()?;
        let good = read_bits(self.payload, entry + 5, 1) == 1;
        let mut octets = [0; 31];
        for (octet, first) in octets.iter_mut().zip((0..kind.bits()).step_by(8)) {
            let width = (kind.bits() - first).min(8);
            *octet = read_bits(self.payload, self.at + first, width) << (8 - width);
        }
        self.at += layout.frame(kind);
        Some((Frame::new(kind, &octets[..kind.octets()])?, good))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.count - self.next, Some(self.count - self.next))
    }
}

impl ExactSizeIterator for Frames<'_> {}

/// Turns samples into RTP payloads.
#[derive(Clone, Debug)]
pub struct Encoder {
    frames: FrameEncoder,
    format: Format,
    mode: Mode,
    /// Where the mode is to go.
    wanted: Mode,
    /// Frames since the first, to the base of two: when the mode may change.
    odd: bool,
    dtx: bool,
    request: Option<Mode>,
}

impl Default for Encoder {
    /// The fastest mode, bandwidth-efficient, without DTX.
    fn default() -> Self {
        Self::new(Mode::Mr1220, Format::default(), false)
    }
}

impl Encoder {
    /// An encoder at rest. A mode that the format does not allow becomes the next slower one that it does.
    #[must_use]
    pub fn new(mode: Mode, format: Format, dtx: bool) -> Self {
        let mode = format.nearest(mode);
        Self { frames: FrameEncoder::new(dtx), format, mode, wanted: mode, odd: false, dtx, request: None }
    }

    /// The mode that the next frame is encoded in.
    #[must_use]
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// Changes the mode, as soon and as far as the format allows: what the other side requests
    /// ([`Decoder::mode_request`]) or the network's state asks for.
    pub fn set_mode(&mut self, mode: Mode) {
        self.wanted = mode;
    }

    /// Whether silence is described (SID, 3GPP TS 26.092) instead of sent, from the next frame on. The voice activity
    /// detector begins anew.
    pub const fn set_dtx(&mut self, dtx: bool) {
        if self.dtx != dtx {
            self.dtx = dtx;
            self.frames.set_dtx(dtx);
        }
    }

    /// The mode that we ask the other side to send (CMR), from the next payload on.
    pub const fn set_request(&mut self, request: Option<Mode>) {
        self.request = request;
    }

    /// Encodes one frame.
    pub fn encode_frame(&mut self, pcm: &[i16; FRAME_SAMPLES]) -> Frame {
        if self.format.mode_change_period < 2 || !self.odd {
            self.mode = self.format.step(self.mode, self.wanted);
        }
        self.odd = !self.odd;
        self.frames.encode_frame(self.mode, pcm)
    }

    /// The mode of the widest frame that the next ones can be.
    fn widest(&self) -> Mode {
        self.mode.max(self.format.nearest(self.wanted))
    }
}

impl crate::Encoder for Encoder {
    fn spec(&self) -> &'static CodecSpec {
        &SPEC
    }

    fn encode(&mut self, pcm: &[i16], out: &mut [u8]) -> Result<Encoded, CodecError> {
        let (frames, rest) = pcm.as_chunks::<FRAME_SAMPLES>();
        if frames.is_empty() || !rest.is_empty() {
            return Err(CodecError::PartialFrame { frame: FRAME_SAMPLES, got: pcm.len() });
        }
        let needed = Layout::of(&self.format).octets(frames.len(), self.widest());
        let got = out.len();
        let out = out.get_mut(..needed).ok_or(CodecError::OutputTooShort { needed, got })?;
        let mut packer = Packer::new(&self.format.clone(), self.request, frames.len(), out);
        let mut taken = 0;
        for pcm in frames {
            let frame = self.encode_frame(pcm);
            taken += 1;
            match frame.kind() {
                FrameType::Speech(_) => packer.push(&frame, true),
                FrameType::Sid => {
                    packer.push(&frame, true);
                    break;
                }
                FrameType::NoData => break,
            }
        }
        let octets = if packer.count == 0 { 0 } else { packer.finish() };
        Ok(Encoded { octets, samples: taken * FRAME_SAMPLES })
    }

    fn set_dtx(&mut self, on: bool) {
        Self::set_dtx(self, on);
    }

    fn reset(&mut self) {
        *self = Self { request: self.request, ..Self::new(self.wanted, self.format, self.dtx) };
    }
}

/// Turns RTP payloads into samples.
#[derive(Clone, Debug, Default)]
pub struct Decoder {
    frames: FrameDecoder,
    format: Format,
    request: Option<Mode>,
}

impl Decoder {
    /// A decoder at rest.
    #[must_use]
    pub const fn new(format: Format) -> Self {
        Self { frames: FrameDecoder::new(), format, request: None }
    }

    /// The mode that the other side asked for in the last payload (CMR); give it to [`Encoder::set_mode`].
    #[must_use]
    pub const fn mode_request(&self) -> Option<Mode> {
        self.request
    }

    /// Decodes one frame; [`Frame::NO_DATA`] is one that was lost or not sent.
    pub fn decode_frame(&mut self, frame: &Frame, pcm: &mut [i16; FRAME_SAMPLES]) {
        self.frames.decode_frame(frame, pcm);
    }

    /// The first `count` frames of a buffer.
    fn frames_of(pcm: &mut [i16], count: usize) -> Result<&mut [[i16; FRAME_SAMPLES]], CodecError> {
        let got = pcm.len();
        let needed = count * FRAME_SAMPLES;
        let pcm = pcm.get_mut(..needed).ok_or(CodecError::OutputTooShort { needed, got })?;
        Ok(pcm.as_chunks_mut().0)
    }
}

impl crate::Decoder for Decoder {
    fn spec(&self) -> &'static CodecSpec {
        &SPEC
    }

    fn decode(&mut self, payload: &[u8], pcm: &mut [i16]) -> Result<usize, CodecError> {
        if payload.is_empty() {
            let frames = Self::frames_of(pcm, 1)?;
            frames.iter_mut().for_each(|pcm| self.frames.decode_frame(&Frame::NO_DATA, pcm));
            return Ok(FRAME_SAMPLES);
        }
        let (request, frames) = unpack(&self.format, payload)?;
        let pcm = Self::frames_of(pcm, frames.len())?;
        self.request = request;
        for ((frame, good), pcm) in frames.zip(&mut *pcm) {
            if good {
                self.frames.decode_frame(&frame, pcm);
            } else {
                self.frames.decode_damaged(&frame, pcm);
            }
        }
        Ok(pcm.len() * FRAME_SAMPLES)
    }

    fn conceal(&mut self, pcm: &mut [i16]) -> Result<usize, CodecError> {
        let got = pcm.len();
        let (frames, rest) = pcm.as_chunks_mut::<FRAME_SAMPLES>();
        if frames.is_empty() || !rest.is_empty() {
            return Err(CodecError::PartialFrame { frame: FRAME_SAMPLES, got });
        }
        frames.iter_mut().for_each(|pcm| self.frames.decode_frame(&Frame::NO_DATA, pcm));
        Ok(got)
    }

    fn is_resting(&self) -> bool {
        self.frames.is_resting()
    }

    fn reset(&mut self) {
        *self = Self::new(self.format);
    }
}

/// Stands for a format that cannot be had: every call says why.
#[cfg(feature = "alloc")]
pub(super) struct Refused(pub CodecError);

#[cfg(feature = "alloc")]
impl crate::Encoder for Refused {
    fn spec(&self) -> &'static CodecSpec {
        &SPEC
    }

    fn encode(&mut self, _: &[i16], _: &mut [u8]) -> Result<Encoded, CodecError> {
        Err(self.0)
    }

    fn reset(&mut self) {}
}

#[cfg(feature = "alloc")]
impl crate::Decoder for Refused {
    fn spec(&self) -> &'static CodecSpec {
        &SPEC
    }

    fn decode(&mut self, _: &[u8], _: &mut [i16]) -> Result<usize, CodecError> {
        Err(self.0)
    }

    fn conceal(&mut self, _: &mut [i16]) -> Result<usize, CodecError> {
        Err(self.0)
    }

    fn reset(&mut self) {}
}
