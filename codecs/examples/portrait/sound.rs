//! Recordings: WAV files, sample rates, and how far a codec's output is from its input.

use std::path::Path;

/// The first channel of a WAV file, and its rate in Hz.
pub fn read(path: &Path) -> Result<(u32, Vec<i16>), String> {
    let failed = |error: hound::Error| format!("{}: {error}", path.display());
    let mut reader = hound::WavReader::open(path).map_err(failed)?;
    let spec = reader.spec();
    let channels = usize::from(spec.channels.max(1));
    let samples: Result<Vec<i16>, _> = match spec.sample_format {
        hound::SampleFormat::Int => {
            let shift = i32::from(spec.bits_per_sample) - 16;
            let sixteen = |sample: i32| if shift >= 0 { sample >> shift } else { sample << -shift };
            reader
                .samples::<i32>()
                .step_by(channels)
                .map(|sample| sample.map(|s| sixteen(s) as i16))
                .collect()
        }
        hound::SampleFormat::Float => reader
            .samples::<f32>()
            .step_by(channels)
            .map(|sample| sample.map(|s| (s * 32_767.0) as i16))
            .collect(),
    };
    let samples = samples.map_err(failed)?;
    if samples.len() < spec.sample_rate as usize / 10 {
        return Err(format!("{}: a tenth of a second at least is needed", path.display()));
    }
    Ok((spec.sample_rate, samples))
}

/// A mono WAV file.
pub fn write(path: &Path, rate: u32, pcm: &[i16]) -> Result<(), String> {
    let failed = |error: hound::Error| format!("{}: {error}", path.display());
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: rate,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(path, spec).map_err(failed)?;
    for sample in pcm {
        writer.write_sample(*sample).map_err(failed)?;
    }
    writer.finalize().map_err(failed)
}

/// Another rate, by a windowed sinc of 32 zero crossings that ends below the lower Nyquist frequency.
pub fn resample(pcm: &[i16], from: u32, to: u32) -> Vec<i16> {
    if from == to {
        return pcm.to_vec();
    }
    let ratio = f64::from(to) / f64::from(from);
    let cutoff = 0.95 * ratio.min(1.0);
    let reach = (16.0 / cutoff).ceil() as isize;
    let length = (pcm.len() as f64 * ratio) as usize;
    let at = |index: isize| {
        usize::try_from(index).ok().and_then(|index| pcm.get(index)).map_or(0.0, |s| f64::from(*s))
    };
    let sample = |n: usize| {
        let centre = n as f64 / ratio;
        let first = centre.floor() as isize;
        let sum: f64 = (first - reach + 1..=first + reach)
            .map(|index| {
                let distance = centre - index as f64;
                let window = 0.5 + 0.5 * (core::f64::consts::PI * distance / (reach as f64 + 1.0)).cos();
                at(index) * cutoff * sinc(cutoff * distance) * window
            })
            .sum();
        sum.round().clamp(-32_768.0, 32_767.0) as i16
    };
    (0..length).map(sample).collect()
}

fn sinc(x: f64) -> f64 {
    let x = core::f64::consts::PI * x;
    if x.abs() < 1e-9 { 1.0 } else { x.sin() / x }
}

/// The signal-to-noise ratio in dB at the codec's delay: the best over shifts up to 40 ms.
pub fn best_snr(original: &[i16], decoded: &[i16], rate: u32) -> f64 {
    let most = (rate as usize / 25).min(decoded.len());
    (0..most).map(|delay| snr(original, &decoded[delay..])).fold(f64::NEG_INFINITY, f64::max)
}

fn snr(original: &[i16], decoded: &[i16]) -> f64 {
    let (mut signal, mut noise) = (1e-9, 1e-9);
    for (&a, &b) in original.iter().zip(decoded) {
        signal += f64::from(a).powi(2);
        noise += (f64::from(a) - f64::from(b)).powi(2);
    }
    10.0 * (signal / noise).log10()
}
