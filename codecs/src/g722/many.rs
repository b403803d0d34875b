//! Several channels at a time: eight bands side by side in the lanes of vectors.
//!
//! What is a vector instruction for the two bands of one channel is the same instruction for four channels.
#![expect(clippy::indexing_slicing, reason = "fixed arrays; lanes and samples are bounded by the loops")]

use super::Mode;
use super::adpcm::{Lanes, Poles, ZeroLanes};
use super::bands::{Band, Lower, Upper, dequantise, limit, output, quantise};
use super::decoder::Decoder;
use super::encoder::Encoder;
use super::qmf::BLOCK;

/// Channels that fill the lanes; the lower band of each is in an even lane, the upper one in the odd lane after it.
const CHANNELS: usize = 4;

/// Encodes as many pairs of samples of each channel as the shortest of all slices holds; returns the octets
/// written for each.
///
/// The result is that of [`Encoder::encode_pairs`] for each channel. Four channels together take less time than
/// four calls.
pub fn encode_many(encoders: &mut [Encoder], pcm: &[&[i16]], out: &mut [&mut [u8]]) -> usize {
    let pairs = pcm.iter().map(|pcm| pcm.len() / 2);
    let octets = pairs.chain(out.iter().map(|out| out.len())).min().unwrap_or(0);
    let groups = encoders.chunks_mut(CHANNELS).zip(pcm.chunks(CHANNELS)).zip(out.chunks_mut(CHANNELS));
    for ((encoders, pcm), out) in groups {
        match (encoders.first_chunk_mut(), pcm.first_chunk(), out.first_chunk_mut()) {
            (Some(encoders), Some(pcm), Some(out)) => encode_four(encoders, pcm, out, octets),
            _ => {
                for ((encoder, pcm), out) in encoders.iter_mut().zip(pcm).zip(out) {
                    encoder.encode_pairs(pcm, &mut out[..octets]);
                }
            }
        }
    }
    octets
}

fn encode_four(
    encoders: &mut [Encoder; CHANNELS],
    pcm: &[&[i16]; CHANNELS],
    out: &mut [&mut [u8]; CHANNELS],
    octets: usize,
) {
    for start in (0..octets).step_by(BLOCK) {
        let count = BLOCK.min(octets - start);
        let mut samples = [[0; 2 * CHANNELS]; BLOCK];
        for (channel, encoder) in encoders.iter_mut().enumerate() {
            let (mut lower, mut upper) = ([0; BLOCK], [0; BLOCK]);
            encoder.split.split(&pcm[channel][2 * start..2 * (start + count)], &mut lower, &mut upper);
            for (n, samples) in samples.iter_mut().enumerate() {
                samples[2 * channel] = lower[n];
                samples[2 * channel + 1] = upper[n];
            }
        }
        let used = encoders.each_ref().map(|encoder| encoder.mode.used_bits());
        let codes = encode_lanes(
            encoders.each_mut().map(|encoder| [&mut encoder.lower, &mut encoder.upper]),
            &samples,
            count,
        );
        for (channel, out) in out.iter_mut().enumerate() {
            for (out, codes) in out[start..start + count].iter_mut().zip(&codes) {
                *out = codes[channel] & used[channel];
            }
        }
    }
}

fn encode_lanes(
    mut bands: [[&mut Band; 2]; CHANNELS],
    samples: &[Lanes; BLOCK],
    count: usize,
) -> [[u8; CHANNELS]; BLOCK] {
    let mut work = Work::load(&bands);
    let mut codes = [[0; CHANNELS]; BLOCK];
    for n in 0..count {
        let mut differences = [0; 2 * CHANNELS];
        for (channel, code) in codes[n].iter_mut().enumerate() {
            let (lower, upper) = (2 * channel, 2 * channel + 1);
            let error = |lane: usize| samples[n][lane].saturating_sub(work.poles.prediction[lane]);
            let (lower_error, upper_error) = (error(lower), error(upper));
            let (lower_code, difference) = quantise::<Lower>(lower_error, &mut work.log_scales[lower]);
            let (upper_code, upper_difference) = quantise::<Upper>(upper_error, &mut work.log_scales[upper]);
            differences[lower] = difference;
            differences[upper] = upper_difference;
            *code = upper_code << 6 | lower_code;
        }
        work.advance(&differences);
    }
    work.store(&mut bands);
    codes
}

/// Decodes as many octets of each channel as the shortest of all slices allows; returns the samples written for
/// each.
///
/// The result is that of [`Decoder::decode_pairs`] for each channel. Four channels together take less time than
/// four calls.
pub fn decode_many(decoders: &mut [Decoder], octets: &[&[u8]], pcm: &mut [&mut [i16]]) -> usize {
    let pairs = pcm.iter().map(|pcm| pcm.len() / 2);
    let count = pairs.chain(octets.iter().map(|octets| octets.len())).min().unwrap_or(0);
    let groups = decoders.chunks_mut(CHANNELS).zip(octets.chunks(CHANNELS)).zip(pcm.chunks_mut(CHANNELS));
    for ((decoders, octets), pcm) in groups {
        match (decoders.first_chunk_mut(), octets.first_chunk(), pcm.first_chunk_mut()) {
            (Some(decoders), Some(octets), Some(pcm)) => decode_four(decoders, octets, pcm, count),
            _ => {
                for ((decoder, octets), pcm) in decoders.iter_mut().zip(octets).zip(pcm) {
                    decoder.decode_pairs(&octets[..count], pcm);
                }
            }
        }
    }
    2 * count
}

fn decode_four(
    decoders: &mut [Decoder; CHANNELS],
    octets: &[&[u8]; CHANNELS],
    pcm: &mut [&mut [i16]; CHANNELS],
    all: usize,
) {
    for start in (0..all).step_by(BLOCK) {
        let count = BLOCK.min(all - start);
        let octets = octets.map(|octets| &octets[start..start + count]);
        let modes = decoders.each_ref().map(|decoder| decoder.mode);
        let samples = decode_lanes(
            decoders.each_mut().map(|decoder| [&mut decoder.lower, &mut decoder.upper]),
            octets,
            modes,
        );
        for (channel, decoder) in decoders.iter_mut().enumerate() {
            let mut lower = core::array::from_fn(|n| samples[n][2 * channel]);
            let mut upper = core::array::from_fn(|n| samples[n][2 * channel + 1]);
            decoder.finish(&mut lower, &mut upper, &mut pcm[channel][2 * start..2 * (start + count)]);
        }
    }
}

fn decode_lanes(
    mut bands: [[&mut Band; 2]; CHANNELS],
    octets: [&[u8]; CHANNELS],
    modes: [Mode; CHANNELS],
) -> [Lanes; BLOCK] {
    let mut work = Work::load(&bands);
    let mut samples = [[0; 2 * CHANNELS]; BLOCK];
    let mut differences = [[0; 2 * CHANNELS]; BLOCK];
    for (channel, octets) in octets.iter().enumerate() {
        let (lower, upper) = (2 * channel, 2 * channel + 1);
        let [mut log_scale, mut upper_log_scale] = [work.log_scales[lower], work.log_scales[upper]];
        for ((&octet, samples), differences) in octets.iter().zip(&mut samples).zip(&mut differences) {
            samples[lower] = output(modes[channel], octet, log_scale);
            differences[lower] = dequantise::<Lower>(octet, &mut log_scale);
            differences[upper] = dequantise::<Upper>(octet >> 6, &mut upper_log_scale);
        }
        work.log_scales[lower] = log_scale;
        work.log_scales[upper] = upper_log_scale;
    }
    for (samples, differences) in samples.iter_mut().zip(&differences).take(octets[0].len()) {
        let predictions = work.poles.prediction;
        work.advance(differences);
        for lane in 0..2 * CHANNELS {
            let lower = samples[lane].saturating_add(predictions[lane]);
            samples[lane] = limit(if lane % 2 == 0 { lower } else { work.poles.reconstructed[lane] });
        }
    }
    work.store(&mut bands);
    samples
}

/// Eight bands at work.
struct Work {
    poles: Poles,
    zeros: ZeroLanes,
    predictions: Lanes,
    log_scales: [i32; 2 * CHANNELS],
}

impl Work {
    fn load(bands: &[[&mut Band; 2]; CHANNELS]) -> Self {
        let mut zeros = ZeroLanes::new();
        let mut log_scales = [0; 2 * CHANNELS];
        for (lane, band) in bands.as_flattened().iter().enumerate() {
            band.load_lane(&mut zeros, lane);
            log_scales[lane] = band.log_scale().into();
        }
        let poles = Poles::load(bands.as_flattened().iter().map(|band| &band.poles));
        Self { poles, zeros, predictions: [0; 2 * CHANNELS], log_scales }
    }

    fn store(&self, bands: &mut [[&mut Band; 2]; CHANNELS]) {
        self.poles.store(bands.as_flattened_mut().iter_mut().map(|band| &mut band.poles));
        for (lane, band) in bands.as_flattened_mut().iter_mut().enumerate() {
            band.store_lane(&self.zeros, lane);
            band.set_log_scale(self.log_scales[lane] as i16);
        }
    }

    #[inline(always)]
    fn advance(&mut self, differences: &Lanes) {
        self.zeros.advance(differences, &mut self.predictions);
        self.poles.advance_lanes(differences, &self.predictions);
    }
}
