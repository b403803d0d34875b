//! One picture: a row a codec, each with its name and the spectrogram of its output.

use realfft::RealFftPlanner;
use realfft::num_complex::Complex;
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use embedded_graphics::mono_font::MonoTextStyle;
use embedded_graphics::mono_font::ascii::FONT_6X10;
use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::*;
use embedded_graphics::text::Text;

const WIDTH: usize = 1000;
const LABEL: usize = 180;
const ROW: usize = 84;
const GAP: usize = 4;
/// The spectrum goes from 0 Hz at the bottom to this at the top.
const TOP_HZ: f32 = 8000.0;
/// dB from black to white.
const RANGE: f32 = 70.0;

pub struct Sheet {
    pixels: Vec<[u8; 3]>,
    rows: usize,
    /// Seconds from the left end to the right.
    seconds: f32,
    /// The strongest bin of the original, in dB.
    peak: f32,
}

impl Sheet {
    /// An empty sheet whose scales are those of this recording.
    pub fn new(original: &[i16], rate: u32) -> Self {
        let seconds = original.len() as f32 / rate as f32;
        let peak = spectra(original, rate, 200, seconds).into_iter().flatten().fold(f32::MIN, f32::max);
        Self { pixels: Vec::new(), rows: 0, seconds, peak }
    }

    pub fn row(&mut self, name: &str, detail: &str, pcm: &[i16], rate: u32) {
        let top = self.rows * (ROW + GAP);
        self.rows += 1;
        self.pixels.resize(WIDTH * self.rows * (ROW + GAP), [16, 16, 20]);
        for (x, spectrum) in spectra(pcm, rate, WIDTH - LABEL, self.seconds).into_iter().enumerate() {
            for y in 0..ROW {
                let hertz = (ROW - 1 - y) as f32 / ROW as f32 * TOP_HZ;
                let bin = (hertz / (rate as f32 / 2.0) * (spectrum.len() - 1) as f32) as usize;
                let level = spectrum.get(bin).map_or(0.0, |level| 1.0 + (level - self.peak) / RANGE);
                self.pixels[(top + y) * WIDTH + LABEL + x] = colour(level.clamp(0.0, 1.0));
            }
        }
        let white = MonoTextStyle::new(&FONT_6X10, Rgb888::new(235, 235, 235));
        let grey = MonoTextStyle::new(&FONT_6X10, Rgb888::new(150, 150, 160));
        let y = top as i32 + ROW as i32 / 2;
        let Ok(_) = Text::new(name, Point::new(8, y - 2), white).draw(self);
        let Ok(_) = Text::new(detail, Point::new(8, y + 11), grey).draw(self);
    }

    pub fn save(&self, path: &Path) -> Result<(), String> {
        let failed = |error: &dyn core::fmt::Display| format!("{}: {error}", path.display());
        let file = File::create(path).map_err(|error| failed(&error))?;
        let height = (self.rows * (ROW + GAP)) as u32;
        let mut encoder = png::Encoder::new(BufWriter::new(file), WIDTH as u32, height);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        let mut writer = encoder.write_header().map_err(|error| failed(&error))?;
        writer.write_image_data(self.pixels.as_flattened()).map_err(|error| failed(&error))
    }
}

impl OriginDimensions for Sheet {
    fn size(&self) -> Size {
        Size::new(WIDTH as u32, (self.rows * (ROW + GAP)) as u32)
    }
}

impl DrawTarget for Sheet {
    type Color = Rgb888;
    type Error = core::convert::Infallible;

    fn draw_iter<I: IntoIterator<Item = Pixel<Rgb888>>>(&mut self, pixels: I) -> Result<(), Self::Error> {
        for Pixel(at, colour) in pixels {
            if let (Ok(x @ 0..WIDTH), Ok(y)) = (usize::try_from(at.x), usize::try_from(at.y))
                && let Some(pixel) = self.pixels.get_mut(y * WIDTH + x)
            {
                *pixel = [colour.r(), colour.g(), colour.b()];
            }
        }
        Ok(())
    }
}

/// `columns` spectra in dB over this many seconds, each of 32 ms under a Hann window.
fn spectra(pcm: &[i16], rate: u32, columns: usize, seconds: f32) -> Vec<Vec<f32>> {
    let window = rate as usize * 32 / 1000;
    let fft = RealFftPlanner::<f32>::new().plan_fft_forward(window);
    let mut output = fft.make_output_vec();
    let column = |column: usize| {
        let start = (column as f32 / columns as f32 * seconds * rate as f32) as usize;
        let mut input: Vec<f32> = (0..window)
            .map(|i| {
                let hann = 0.5 - 0.5 * (core::f32::consts::TAU * i as f32 / window as f32).cos();
                pcm.get(start + i).map_or(0.0, |sample| f32::from(*sample) * hann)
            })
            .collect();
        // The lengths are those that the plan was made for.
        let _ = fft.process(&mut input, &mut output);
        output
            .iter()
            .map(|bin: &Complex<f32>| 10.0 * (bin.norm_sqr() / window as f32 + 1e-3).log10())
            .collect()
    };
    (0..columns).map(column).collect()
}

/// Black, violet, orange, white.
fn colour(level: f32) -> [u8; 3] {
    const STOPS: [[f32; 3]; 4] =
        [[8.0, 8.0, 20.0], [110.0, 30.0, 120.0], [240.0, 120.0, 40.0], [255.0, 250.0, 220.0]];
    let place = level * (STOPS.len() - 1) as f32;
    let left = (place as usize).min(STOPS.len() - 2);
    let part = place - left as f32;
    core::array::from_fn(|i| (STOPS[left][i] + (STOPS[left + 1][i] - STOPS[left][i]) * part) as u8)
}
