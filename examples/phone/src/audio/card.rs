//! A sound card as the handset (feature `sound-card`).
//!
//! The card's clock fills and empties two rings, the phone's clock does the same from the other side, and no two clocks are
//! alike: each way a [`Drift`] gives a few samples in a million more or less, so that the rings neither run dry nor over. Rings
//! are lock-free, and the card's callbacks neither wait nor allocate.

use super::{FORMAT, RATE};
use core::sync::atomic::{AtomicUsize, Ordering};
use cpal::traits::{DeviceTrait as _, HostTrait as _, StreamTrait as _};
use cpal::{
    BufferSize, FromSample, Sample as _, SampleFormat, SizedSample, SupportedBufferSize,
    SupportedStreamConfig,
};
use rtrb::{Consumer, Producer, RingBuffer};
use sidetone_hal::audio::{AudioFormat, AudioPort};
use sidetone_media::resample::{Drift, DriftControl, MAX_DRIFT_PPM, Resampler};
use std::sync::Arc;
use std::sync::mpsc;

/// Sound that a ring holds, in frames of 10 ms.
const RING_FRAMES: usize = 50;
/// What waits in a ring beyond the card's own blocks, in frames of 10 ms: our task wakes up late at times.
const SPARE_FRAMES: usize = 2;

/// A sound card that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CardError {
    /// There is none, or none of that name.
    #[error("no sound card {0:?} for {1}; there are: {2}")]
    None(String, &'static str, String),
    /// It cannot be opened.
    #[error("the sound card's {what}: {source}")]
    Card {
        /// Microphone or ear.
        what: &'static str,
        /// In the words of the system.
        source: cpal::Error,
    },
    /// Its rate cannot be changed to the phone's.
    #[error("the sound card runs at {0} Hz: expected 8000 to 192000")]
    Rate(u32),
}

/// A sound card that runs. It stops when this is dropped.
#[derive(Debug)]
pub struct SoundCard {
    microphone: Microphone,
    ear: Ear,
    /// The thread that owns the card's streams ends when this is gone.
    _alive: mpsc::Sender<()>,
}

/// The task's ends of both rings, and the rates of the card.
struct Opened {
    microphone: (Consumer<i16>, u32, Arc<AtomicUsize>),
    ear: (Producer<i16>, u32, Arc<AtomicUsize>),
}

impl SoundCard {
    /// Opens the system's sound card, or the one of this name, both for listening and speaking.
    ///
    /// # Errors
    /// [`CardError`] says what is missing; names that are there are told.
    pub fn open(name: Option<&str>) -> Result<Self, CardError> {
        let (alive, over) = mpsc::channel::<()>();
        let (opened, answer) = mpsc::sync_channel(1);
        let name = name.map(str::to_owned);
        // Streams stay in the thread that made them; not every system lets them move.
        std::thread::spawn(move || match streams(name.as_deref()) {
            Ok((opened_card, streams)) => {
                if opened.send(Ok(opened_card)).is_ok() {
                    // An error is what we wait for: the port is gone.
                    let _ = over.recv();
                }
                drop(streams);
            }
            // Nobody waits for the answer any more.
            Err(error) => drop(opened.send(Err(error))),
        });
        let gone = || CardError::None(String::new(), "both", "the thread ended".to_owned());
        let Opened { microphone, ear } = answer.recv().map_err(|_| gone())??;
        Ok(Self { microphone: Microphone::new(microphone)?, ear: Ear::new(ear)?, _alive: alive })
    }

    /// By how much the clocks of microphone and ear differ from ours, in parts in a million, as far as is known.
    #[must_use]
    pub const fn drift_ppm(&self) -> (f32, f32) {
        (self.microphone.control.drift_ppm(), -self.ear.control.drift_ppm())
    }
}

impl AudioPort for SoundCard {
    fn format(&self) -> AudioFormat {
        FORMAT
    }

    fn read(&mut self, captured: &mut [i16]) {
        self.microphone.read(captured);
    }

    fn write(&mut self, playout: &[i16]) {
        self.ear.write(playout);
    }
}

/// From the card's ring to frames of ours.
#[derive(Debug)]
struct Microphone {
    ring: Consumer<i16>,
    drift: Drift,
    control: DriftControl,
    resampler: Resampler,
    /// The most samples that the card brought at once.
    block: Arc<AtomicUsize>,
    /// Samples of 10 ms at the card's rate; room for them before and after the drift.
    frame: usize,
    taken: Vec<i16>,
    even: Vec<i16>,
    running: bool,
}

impl Microphone {
    fn new((ring, rate, block): (Consumer<i16>, u32, Arc<AtomicUsize>)) -> Result<Self, CardError> {
        let resampler = Resampler::new(rate, RATE).map_err(|_| CardError::Rate(rate))?;
        let frame = (rate / 100) as usize;
        let control = DriftControl::new(rate, frame * SPARE_FRAMES);
        let (taken, even) = (vec![0; frame + spare(frame)], vec![0; frame]);
        Ok(Self { ring, drift: Drift::new(), control, resampler, block, frame, taken, even, running: false })
    }

    fn read(&mut self, captured: &mut [i16]) {
        let target = target(&self.block, self.frame);
        let stored = self.ring.slots();
        if !self.running && stored >= target {
            self.drop_oldest(stored - target);
            self.begin();
        } else if stored > target * 3 {
            // The machine stood still: old sound is worth nothing.
            self.drop_oldest(stored - target);
            self.begin();
        }
        let stored = self.ring.slots();
        self.control.set_target(target);
        if self.running {
            self.drift.set_ppm(self.control.update(stored));
        }
        let needed = self.drift.needed(self.frame).min(self.taken.len());
        if !self.running || stored < needed {
            self.running = false;
            captured.fill(0);
            return;
        }
        let taken = self.taken.get_mut(..needed).unwrap_or_default();
        taken.iter_mut().for_each(|sample| *sample = self.ring.pop().unwrap_or_default());
        self.drift.process(taken, &mut self.even);
        self.resampler.process(&self.even, captured);
    }

    fn begin(&mut self) {
        self.running = true;
        self.control.restart();
    }

    fn drop_oldest(&mut self, count: usize) {
        if let Ok(chunk) = self.ring.read_chunk(count) {
            chunk.commit_all();
        }
    }
}

/// From frames of ours to the card's ring.
#[derive(Debug)]
struct Ear {
    ring: Producer<i16>,
    drift: Drift,
    control: DriftControl,
    resampler: Resampler,
    /// The most samples that the card took at once.
    block: Arc<AtomicUsize>,
    frame: usize,
    even: Vec<i16>,
    given: Vec<i16>,
}

impl Ear {
    fn new((ring, rate, block): (Producer<i16>, u32, Arc<AtomicUsize>)) -> Result<Self, CardError> {
        let resampler = Resampler::new(RATE, rate).map_err(|_| CardError::Rate(rate))?;
        let frame = (rate / 100) as usize;
        let control = DriftControl::new(rate, frame * SPARE_FRAMES);
        let (even, given) = (vec![0; frame], vec![0; frame + spare(frame)]);
        Ok(Self { ring, drift: Drift::new(), control, resampler, block, frame, even, given })
    }

    fn write(&mut self, playout: &[i16]) {
        let target = target(&self.block, self.frame);
        let mut stored = self.ring.buffer().capacity() - self.ring.slots();
        if stored == 0 {
            // At the beginning, and when we were late: silence first, so that it does not run dry at once again.
            for _ in 0..target {
                let _ = self.ring.push(0);
            }
            stored = target;
            self.control.restart();
        }
        if stored > target * 3 {
            // The card stood still; what it plays late is delay for the whole call.
            self.control.restart();
            return;
        }
        self.control.set_target(target);
        self.drift.set_ppm(self.control.update(stored));
        let count = self.resampler.process(playout, &mut self.even);
        let even = self.even.get(..count).unwrap_or_default();
        let made = self.drift.process(even, &mut self.given).written;
        for sample in self.given.iter().take(made) {
            let _ = self.ring.push(*sample);
        }
    }
}

/// By how many samples a frame may be longer or shorter when the clocks are as far apart as can be.
fn spare(frame: usize) -> usize {
    (frame as f32 * MAX_DRIFT_PPM * 1e-6) as usize + 2
}

/// What is to wait in a ring: a block of the card, and some time for us.
fn target(block: &AtomicUsize, frame: usize) -> usize {
    (block.load(Ordering::Relaxed) + SPARE_FRAMES * frame).min(RING_FRAMES * frame / 4)
}

/// Opens both ways. The streams run for as long as they live.
fn streams(name: Option<&str>) -> Result<(Opened, [cpal::Stream; 2]), CardError> {
    let host = cpal::default_host();
    let find = |what: &'static str, system: Option<cpal::Device>| {
        let named = |device: &cpal::Device| device.id().is_ok_and(|id| Some(id.id()) == name);
        let found = match name {
            None => system,
            Some(_) => host.devices().ok().and_then(|mut devices| devices.find(named)),
        };
        found.ok_or_else(|| {
            let names = host.devices().ok().into_iter().flatten().filter_map(|device| device.id().ok());
            let names: Vec<_> = names.map(|id| id.id().to_owned()).collect();
            CardError::None(name.unwrap_or("default").to_owned(), what, names.join(", "))
        })
    };
    let input = find("the microphone", host.default_input_device())?;
    let output = find("the ear", host.default_output_device())?;
    let wrong = |what| move |source| CardError::Card { what, source };
    let config = input.default_input_config().map_err(wrong("microphone"))?;
    let (stream, microphone) = capture(&input, &config).map_err(wrong("microphone"))?;
    stream.play().map_err(wrong("microphone"))?;
    let config = output.default_output_config().map_err(wrong("ear"))?;
    let (playing, ear) = playback(&output, &config).map_err(wrong("ear"))?;
    playing.play().map_err(wrong("ear"))?;
    Ok((Opened { microphone, ear }, [stream, playing]))
}

/// Blocks of 10 ms where the card has them.
fn stream_config(config: &SupportedStreamConfig) -> cpal::StreamConfig {
    let mut wanted = config.config();
    let frames = config.sample_rate() / 100;
    if let SupportedBufferSize::Range { min, max } = config.buffer_size()
        && (*min..=*max).contains(&frames)
    {
        wanted.buffer_size = BufferSize::Fixed(frames);
    }
    wanted
}

fn ring(rate: u32) -> (Producer<i16>, Consumer<i16>) {
    RingBuffer::new(RING_FRAMES * (rate / 100).max(1) as usize)
}

type Captured = (Consumer<i16>, u32, Arc<AtomicUsize>);
type Played = (Producer<i16>, u32, Arc<AtomicUsize>);

fn capture(
    device: &cpal::Device,
    config: &SupportedStreamConfig,
) -> Result<(cpal::Stream, Captured), cpal::Error> {
    let rate = config.sample_rate();
    let (producer, consumer) = ring(rate);
    let block = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&block);
    let stream = match config.sample_format() {
        SampleFormat::F32 => capture_as::<f32>(device, config, producer, seen),
        SampleFormat::I32 => capture_as::<i32>(device, config, producer, seen),
        SampleFormat::U8 => capture_as::<u8>(device, config, producer, seen),
        // Every card has 16 bits, if only by its driver's conversion.
        _ => capture_as::<i16>(device, config, producer, seen),
    }?;
    Ok((stream, (consumer, rate, block)))
}

fn capture_as<T>(
    device: &cpal::Device,
    config: &SupportedStreamConfig,
    mut ring: Producer<i16>,
    block: Arc<AtomicUsize>,
) -> Result<cpal::Stream, cpal::Error>
where
    T: SizedSample + Send + 'static,
    i16: FromSample<T>,
{
    let channels = usize::from(config.channels()).max(1);
    let take = move |samples: &[T], _: &cpal::InputCallbackInfo| {
        block.fetch_max(samples.len() / channels, Ordering::Relaxed);
        // The first channel: a second one is the same microphone, or none.
        for frame in samples.chunks_exact(channels) {
            if let Some(sample) = frame.first() {
                // A full ring means that the phone stands still.
                let _ = ring.push(i16::from_sample(*sample));
            }
        }
    };
    device.build_input_stream(stream_config(config), take, |error| tell("microphone", &error), None)
}

fn playback(
    device: &cpal::Device,
    config: &SupportedStreamConfig,
) -> Result<(cpal::Stream, Played), cpal::Error> {
    let rate = config.sample_rate();
    let (producer, consumer) = ring(rate);
    let block = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&block);
    let stream = match config.sample_format() {
        SampleFormat::F32 => playback_as::<f32>(device, config, consumer, seen),
        SampleFormat::I32 => playback_as::<i32>(device, config, consumer, seen),
        SampleFormat::U8 => playback_as::<u8>(device, config, consumer, seen),
        _ => playback_as::<i16>(device, config, consumer, seen),
    }?;
    Ok((stream, (producer, rate, block)))
}

fn playback_as<T>(
    device: &cpal::Device,
    config: &SupportedStreamConfig,
    mut ring: Consumer<i16>,
    block: Arc<AtomicUsize>,
) -> Result<cpal::Stream, cpal::Error>
where
    T: SizedSample + FromSample<i16> + Send + 'static,
{
    let channels = usize::from(config.channels()).max(1);
    let give = move |samples: &mut [T], _: &cpal::OutputCallbackInfo| {
        block.fetch_max(samples.len() / channels, Ordering::Relaxed);
        for frame in samples.chunks_exact_mut(channels) {
            frame.fill(T::from_sample(ring.pop().unwrap_or_default()));
        }
    };
    device.build_output_stream(stream_config(config), give, |error| tell("ear", &error), None)
}

fn tell(what: &str, error: &cpal::Error) {
    tracing::warn!(%error, "the sound card's {what}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::f64::consts::TAU;

    /// A card at `rate` whose clock is `ppm` fast, looped from ear to microphone, against our clock of 10 ms.
    struct Loop {
        microphone: Microphone,
        ear: Ear,
        to_card: Consumer<i16>,
        from_card: Producer<i16>,
        rate: f64,
        block: usize,
        due: f64,
        now: f64,
        dry: usize,
    }

    impl Loop {
        fn new(rate: u32, ppm: f64, block: usize) -> Self {
            let (ear, to_card) = ring(rate);
            let (from_card, microphone) = ring(rate);
            let seen = || Arc::new(AtomicUsize::new(block));
            Self {
                microphone: Microphone::new((microphone, rate, seen())).expect("a rate"),
                ear: Ear::new((ear, rate, seen())).expect("a rate"),
                to_card,
                from_card,
                rate: f64::from(rate) * (1.0 + ppm * 1e-6),
                block,
                due: 0.0,
                now: 0.0,
                dry: 0,
            }
        }

        fn frame(&mut self, spoken: &[i16], heard: &mut [i16]) {
            self.ear.write(spoken);
            self.microphone.read(heard);
            self.now += 0.01;
            while self.due <= self.now {
                for _ in 0..self.block {
                    let sample = self.to_card.pop();
                    self.dry += usize::from(sample.is_err());
                    let _ = self.from_card.push(sample.unwrap_or_default());
                }
                self.due += self.block as f64 / self.rate;
            }
        }
    }

    #[test]
    fn a_card_that_drifts_is_heard_without_a_gap() {
        for (rate, ppm, block) in
            [(48_000, 300.0, 480), (48_000, -300.0, 1024), (44_100, 150.0, 441), (16_000, -300.0, 171)]
        {
            let mut card = Loop::new(rate, ppm, block);
            let (mut heard, mut at) = (Vec::new(), 0_u32);
            for tick in 0..8000 {
                let spoken: [i16; 160] = core::array::from_fn(|_| {
                    at += 1;
                    (8000.0 * (TAU * 500.0 * f64::from(at) / 16_000.0).sin()) as i16
                });
                let mut frame = [0; 160];
                card.frame(&spoken, &mut frame);
                if tick == 200 {
                    card.dry = 0;
                }
                if tick >= 200 {
                    heard.extend(frame);
                }
            }
            assert_eq!(card.dry, 0, "{rate} Hz, {ppm} ppm");
            // The slope of the tone is 8000 * 2 pi * 500 / 16000 = 1571 a sample: a gap or a step would be steeper.
            let steepest = heard.windows(2).map(|pair| pair[0].abs_diff(pair[1])).max();
            assert!(steepest < Some(1700), "{rate} Hz, {ppm} ppm: {steepest:?}");
            let loudest = heard.chunks(160).map(|f| f.iter().map(|s| s.unsigned_abs()).max()).min();
            assert!(loudest > Some(Some(7500)), "{rate} Hz, {ppm} ppm: {loudest:?}");
            let found = (card.microphone.control.drift_ppm(), -card.ear.control.drift_ppm());
            assert!((f64::from(found.0) - ppm).abs() < 80.0, "{rate} Hz, {ppm} ppm: {found:?}");
            assert!((f64::from(found.1) - ppm).abs() < 80.0, "{rate} Hz, {ppm} ppm: {found:?}");
        }
    }

    #[test]
    fn a_machine_that_stood_still_is_soon_in_time_again() {
        let mut card = Loop::new(48_000, 0.0, 480);
        for _ in 0..100 {
            card.frame(&[100; 160], &mut [0; 160]);
        }
        // Our task sleeps for 400 ms; the card goes on.
        card.now += 0.4;
        let mut heard = [0; 160];
        for _ in 0..20 {
            card.frame(&[100; 160], &mut heard);
        }
        assert_eq!(heard, [100; 160]);
        let stored = card.microphone.ring.slots();
        assert!(stored <= 5 * 480, "{stored}");
    }
}
