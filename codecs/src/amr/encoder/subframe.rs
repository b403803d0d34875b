//! A frame's subframes: both codebooks, the gains, and the excitation that follows from them (3GPP TS 26.090 §5.5 to
//! §5.9).
#![expect(clippy::indexing_slicing, reason = "fixed arrays, indices bounded by frame and subframe")]

use super::super::filter::{EXCITATION_PAST, repeat_pitch, synthesize};
use super::super::{FRAME_SAMPLES as FRAME, Mode, ORDER, SUBFRAME};
use super::closed_loop::Lag;
use super::codebook::{Energies, Innovation, Parameters, Request};
use super::gain::{self, Gains};
use super::operators::{convolve, part};
use super::pitch_gain::{CLIPPED, PitchGain};
use super::weighting::{Target, Weighting};
use super::{CODED, Encoder, Filters, PAST};

/// Filter memories that follow the quantised gains: of synthesis, and of its error plain and weighted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Memories {
    pub(super) synthesis: [i16; ORDER],
    pub(super) error: [i16; ORDER],
    pub(super) weighted_error: [i16; ORDER],
}

impl Memories {
    pub(super) const fn new() -> Self {
        Self { synthesis: [0; ORDER], error: [0; ORDER], weighted_error: [0; ORDER] }
    }
}

/// The subframes of a speech frame on their way.
pub(super) struct Subframes<'a> {
    pub(super) encoder: &'a mut Encoder,
    pub(super) mode: Mode,
    pub(super) filters: &'a Filters,
    pub(super) speech: &'a [i16; PAST + FRAME],
    pub(super) open: [usize; 2],
    pub(super) resonates: bool,
    pub(super) parameters: &'a mut Parameters,
    pub(super) energies: &'a mut Energies,
}

/// Past excitation, and that of the frame.
type Excitation = [i16; EXCITATION_PAST + FRAME];

/// A subframe after both codebook searches.
struct Searched {
    target: Target,
    /// The target less the pitch's part.
    rest: [i16; SUBFRAME],
    lag: Lag,
    /// The past excitation at the lag, and filtered.
    adaptive: [i16; SUBFRAME],
    adaptive_filtered: [i16; SUBFRAME],
    innovation: Innovation,
    pitch: PitchGain,
    /// The pitch gain so far, and the most it may be.
    gain: i16,
    limit: i16,
}

impl Subframes<'_> {
    /// Codes them all.
    pub(super) fn encode(mut self) {
        let mut excitation = [0; EXCITATION_PAST + FRAME];
        excitation[..EXCITATION_PAST].copy_from_slice(&self.encoder.excitation);
        if self.mode == Mode::Mr475 {
            for first in [0, 2] {
                self.encode_pair(first, &mut excitation);
            }
        } else {
            for number in 0..4 {
                self.encode_one(number, &mut excitation);
            }
        }
        self.encoder.excitation.copy_from_slice(&excitation[FRAME..]);
    }

    /// All modes but 4.75.
    fn encode_one(&mut self, number: usize, excitation: &mut Excitation) {
        let mut memories = self.encoder.memories;
        let searched = self.search(number, &memories, excitation);
        let gains =
            self.encoder.gains.quantize(self.mode, &searched.for_gains(), searched.gain, self.parameters);
        self.encoder.stability.remember(gains.pitch);
        self.synthesize(number, &searched, gains, &mut memories, excitation);
        self.encoder.memories = memories;
        self.encoder.sharpening = sharpening(gains);
    }

    /// Mode 4.75: the first subframe of two goes on with unquantised gains until those of both are known; then both are
    /// synthesised anew.
    fn encode_pair(&mut self, number: usize, excitation: &mut Excitation) {
        let before = self.encoder.memories;
        let mut memories = before;
        let mut first = self.search(number, &memories, excitation);
        let (waiting, gains) =
            self.encoder.gains.first_of_pair(&first.for_gains(), first.gain, self.parameters);
        self.encoder.stability.remember(gains.pitch);
        self.synthesize(number, &first, gains, &mut memories, excitation);

        let mut second = self.search(number + 1, &memories, excitation);
        let gains = self.encoder.gains.second_of_pair(waiting, &second.for_gains(), self.parameters);
        self.encoder.stability.remember(gains[1].pitch);

        memories = before;
        first.repeat(number, excitation);
        self.synthesize(number, &first, gains[0], &mut memories, excitation);
        second.target = self.target(number + 1, &memories, excitation);
        second.repeat(number + 1, excitation);
        self.synthesize(number + 1, &second, gains[1], &mut memories, excitation);
        self.encoder.memories = memories;
        self.encoder.sharpening = sharpening(gains[1]);
    }

    /// The target of a subframe; its residual also stands in for the excitation that is not known yet.
    fn target(&self, number: usize, memories: &Memories, excitation: &mut Excitation) -> Target {
        let speech = part(self.speech, CODED + number * SUBFRAME - ORDER);
        let weighting = Weighting::new(self.mode, &self.filters.plain[number]);
        let quantized = &self.filters.quantized[number];
        let target = weighting.target(quantized, speech, &memories.error, &memories.weighted_error);
        let start = EXCITATION_PAST + number * SUBFRAME;
        excitation[start..start + SUBFRAME].copy_from_slice(&target.residual);
        target
    }

    /// Searches both codebooks.
    fn search(&mut self, number: usize, memories: &Memories, excitation: &mut Excitation) -> Searched {
        let target = self.target(number, memories, excitation);
        let past = part(&*excitation, number * SUBFRAME);
        let (lag, code) = self.encoder.closed_loop.search(
            self.mode,
            number,
            self.open,
            past,
            &target.weighted,
            &target.impulse,
        );
        self.parameters.push(code);
        self.encoder.open_loop.refine(number, lag.whole);

        let start = EXCITATION_PAST + number * SUBFRAME;
        repeat_pitch(excitation, start, lag.whole, lag.fraction);
        let adaptive: [i16; SUBFRAME] = *part(&*excitation, start);
        let adaptive_filtered = convolve(&adaptive, &target.impulse);
        let pitch = PitchGain::new(self.mode, &target.weighted, &adaptive_filtered);
        let (gain, limit) = self.limit_pitch(pitch.gain);

        let rest = subtract(&target.weighted, &adaptive_filtered, gain);
        let innovation = Request {
            mode: self.mode,
            subframe: number,
            target: &rest,
            residual: &subtract(&target.residual, &adaptive, gain),
            impulse: &target.impulse,
            lag: lag.whole as usize,
            sharpening: if self.mode == Mode::Mr1220 { gain } else { self.encoder.sharpening }
                .saturating_mul(2),
        }
        .search(self.energies, self.parameters);
        Searched { target, rest, lag, adaptive, adaptive_filtered, innovation, pitch, gain, limit }
    }

    /// The pitch gain with which the innovation is searched, and the most that it may be quantised to.
    fn limit_pitch(&mut self, gain: i16) -> (i16, i16) {
        let clip = self.resonates && gain > CLIPPED && self.encoder.stability.too_much(gain);
        let limit = if clip { CLIPPED } else { i16::MAX };
        let gain = match self.mode {
            // 0.85.
            Mode::Mr475 | Mode::Mr515 => gain.min(13926),
            Mode::Mr1220 => gain::limited_pitch(gain.min(limit), limit, self.parameters),
            _ => gain.min(limit),
        };
        (gain, limit)
    }

    /// The excitation with these gains, and what it leaves in the filters.
    fn synthesize(
        &self,
        number: usize,
        searched: &Searched,
        gains: Gains,
        memories: &mut Memories,
        excitation: &mut Excitation,
    ) {
        let Searched { target, adaptive_filtered, innovation, .. } = searched;
        // In mode 12.2 the code vector has one bit less, and the pitch gain two.
        let (pitch, shift, code_shift) =
            if self.mode == Mode::Mr1220 { (gains.pitch >> 1, 2, 11) } else { (gains.pitch, 1, 13) };
        let start = EXCITATION_PAST + number * SUBFRAME;
        for (x, code) in excitation[start..start + SUBFRAME].iter_mut().zip(&innovation.code) {
            let sum =
                (i32::from(*x) * i32::from(pitch)).wrapping_add(i32::from(*code) * i32::from(gains.code));
            *x = (sum.wrapping_shl(1 + shift).wrapping_add(0x8000) >> 16) as i16;
        }
        let synthesis = synthesize(
            &self.filters.quantized[number],
            part::<SUBFRAME>(&*excitation, start),
            &memories.synthesis,
        );

        let end = SUBFRAME - ORDER;
        memories.synthesis.copy_from_slice(&synthesis[end..]);
        let speech = part::<SUBFRAME>(self.speech, CODED + number * SUBFRAME);
        for i in 0..ORDER {
            let at = end + i;
            memories.error[i] = speech[at].wrapping_sub(synthesis[at]);
            let pitch = (i32::from(adaptive_filtered[at]) * i32::from(gains.pitch)) >> 14;
            let code = (i32::from(innovation.filtered[at]) * i32::from(gains.code)) >> code_shift;
            memories.weighted_error[i] =
                target.weighted[at].wrapping_sub((pitch as i16).wrapping_add(code as i16));
        }
    }
}

impl Searched {
    /// What the gain quantisers look at.
    fn for_gains(&self) -> gain::Subframe<'_> {
        gain::Subframe {
            target: &self.target.weighted,
            rest: &self.rest,
            residual: &self.target.residual,
            adaptive: &self.adaptive,
            adaptive_filtered: &self.adaptive_filtered,
            innovation: &self.innovation,
            pitch: self.pitch,
            limit: self.limit,
        }
    }

    /// Takes the past excitation at the lag again, because the past has changed.
    fn repeat(&mut self, number: usize, excitation: &mut Excitation) {
        let start = EXCITATION_PAST + number * SUBFRAME;
        repeat_pitch(excitation, start, self.lag.whole, self.lag.fraction);
        self.adaptive_filtered = convolve(part(&*excitation, start), &self.target.impulse);
    }
}

/// `whole` less `part` times a gain in Q14.
fn subtract(whole: &[i16; SUBFRAME], part: &[i16; SUBFRAME], gain: i16) -> [i16; SUBFRAME] {
    let mut rest = *whole;
    for (rest, part) in rest.iter_mut().zip(part) {
        *rest = rest.wrapping_sub(((i32::from(*part) * i32::from(gain)) >> 14) as i16);
    }
    rest
}

/// How strongly the next innovation repeats itself: the pitch gain, at most 0.8.
fn sharpening(gains: Gains) -> i16 {
    gains.pitch.min(13017)
}
