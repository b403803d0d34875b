//! Between the handset and the calls: one call is spoken to, the others are silent, and the phone adds its own tones.

use super::playout::Playout;
use super::{FORMAT, FRAME_SAMPLES, RATE, RecorderTap, TonePlayer};
use crate::config::Tones;
use crate::firmware::{Audio, CallRef, VOLUME_MAX};
use rtrb::{Producer, RingBuffer};
use sidetone_hal::audio::{AudioFormat, AudioPort};
use sidetone_media::level::{VOLUME_RANGE, Volume};
use tokio::sync::mpsc;

/// Samples in a ring between the mixer and a call: 100 ms.
const RING: usize = 10 * FRAME_SAMPLES;
/// Orders that wait for the mixer's next frame.
const MAX_ORDERS: usize = 64;

/// A call's audio port.
#[derive(Debug)]
pub struct CallPort {
    microphone: Playout,
    ear: Producer<i16>,
}

/// The mixer's end of a call.
#[derive(Debug)]
struct Line {
    /// `None` for pages, which are heard beside whatever else there is.
    call: Option<CallRef>,
    microphone: Producer<i16>,
    ear: Playout,
}

#[derive(Debug)]
enum Order {
    Add(Line),
    Audio(Audio),
    Beep(char),
    /// Both sides of this call go to the tap, as long as it is heard; nothing is recorded without.
    Record(Option<(CallRef, RecorderTap)>),
    PauseRecording(bool),
}

/// Tells the mixer what to do.
#[derive(Clone, Debug)]
pub struct MixerHandle {
    orders: mpsc::Sender<Order>,
}

/// Mixes for one handset. [`Mixer::frame`] is to be called every 10 ms.
#[derive(Debug)]
pub struct Mixer<P> {
    device: P,
    lines: Vec<Line>,
    orders: mpsc::Receiver<Order>,
    audio: Option<Audio>,
    tones: TonePlayer,
    /// Of the microphone: mute. Of the ear: the volume.
    microphone: Volume,
    ear: Volume,
    /// The call that is recorded.
    recording: Option<(CallRef, RecorderTap)>,
}

impl MixerHandle {
    /// The audio port for a call, to be given to the user agent.
    #[must_use]
    pub fn port(&self, call: CallRef) -> CallPort {
        self.add(Some(call))
    }

    /// The audio port for pages: what is written to it is heard, and its microphone is silent.
    #[must_use]
    pub fn page_port(&self) -> CallPort {
        self.add(None)
    }

    fn add(&self, call: Option<CallRef>) -> CallPort {
        let (to_call, microphone) = RingBuffer::new(RING);
        let (ear, from_call) = RingBuffer::new(RING);
        let line = Line {
            call,
            microphone: to_call,
            ear: Playout::new(from_call, FRAME_SAMPLES, 2 * FRAME_SAMPLES),
        };
        self.order(Order::Add(line));
        CallPort { microphone: Playout::new(microphone, FRAME_SAMPLES, 2 * FRAME_SAMPLES), ear }
    }

    /// What ear and microphone do from now on.
    pub fn set(&self, audio: Audio) {
        self.order(Order::Audio(audio));
    }

    /// Lets the person hear the key that was pressed.
    pub fn beep(&self, digit: char) {
        self.order(Order::Beep(digit));
    }

    /// Records a call; a recording of another one ends.
    pub fn record(&self, call: CallRef, tap: RecorderTap) {
        self.order(Order::Record(Some((call, tap))));
    }

    /// The recording pauses, or goes on.
    pub fn pause_recording(&self, paused: bool) {
        self.order(Order::PauseRecording(paused));
    }

    /// Nothing is recorded any more.
    pub fn stop_recording(&self) {
        self.order(Order::Record(None));
    }

    fn order(&self, order: Order) {
        if self.orders.try_send(order).is_err() {
            tracing::warn!("the sound task is gone or does not keep up; the phone may be silent");
        }
    }
}

impl<P: AudioPort> Mixer<P> {
    /// A mixer for a handset, with these tones.
    pub fn new(device: P, tones: Tones) -> (Self, MixerHandle) {
        let (sender, orders) = mpsc::channel(MAX_ORDERS);
        let (mut microphone, mut ear) = (Volume::new(RATE), Volume::new(RATE));
        microphone.set_muted(true);
        ear.set_muted(true);
        let tones = TonePlayer::new(tones);
        let (lines, audio, recording) = (Vec::new(), None, None);
        let mixer = Self { device, lines, orders, audio, tones, microphone, ear, recording };
        (mixer, MixerHandle { orders: sender })
    }

    /// Moves 10 ms of sound. Returns whether there is still somebody who gives orders.
    pub fn frame(&mut self) -> bool {
        let open = self.take_orders();
        self.lines.retain(|line| !line.ear.is_over());
        let mut captured = [0; FRAME_SAMPLES];
        let mut playout = [0_i16; FRAME_SAMPLES];
        self.device.read(&mut captured);
        // A muted microphone sends silence, so that the other side's clock goes on.
        self.microphone.process(&mut captured);
        let active = self.audio.and_then(|audio| audio.call);
        for line in &mut self.lines {
            let mut heard = [0; FRAME_SAMPLES];
            line.ear.read(&mut heard);
            if line.call.is_none() || line.call == active {
                for (out, heard) in playout.iter_mut().zip(heard) {
                    *out = out.saturating_add(heard);
                }
            }
            if line.call.is_some() && line.call == active {
                for sample in captured {
                    let _ = line.microphone.push(sample);
                }
                if let Some((recorded, tap)) = &mut self.recording
                    && Some(*recorded) == active
                {
                    tap.push(&captured, &heard);
                }
            }
        }
        self.tones.mix(&mut playout);
        self.ear.process(&mut playout);
        self.device.write(&playout);
        open
    }

    fn take_orders(&mut self) -> bool {
        loop {
            match self.orders.try_recv() {
                Ok(Order::Add(line)) => self.lines.push(line),
                Ok(Order::Beep(digit)) => self.tones.beep(digit),
                Ok(Order::Record(recording)) => self.recording = recording,
                Ok(Order::PauseRecording(paused)) => {
                    if let Some((_, tap)) = &mut self.recording {
                        tap.pause(paused);
                    }
                }
                Ok(Order::Audio(audio)) => {
                    let before = self.audio.and_then(|audio| audio.call);
                    if let Some(line) = self.lines.iter_mut().find(|line| line.call == audio.call)
                        && audio.call.is_some()
                        && audio.call != before
                    {
                        line.ear.flush();
                    }
                    self.tones.set(audio.sound);
                    self.microphone.set_muted(audio.muted);
                    self.ear.set_muted(audio.volume == 0);
                    self.ear.set_db(decibel(audio.volume));
                    self.audio = Some(audio);
                }
                Err(mpsc::error::TryRecvError::Empty) => return true,
                Err(mpsc::error::TryRecvError::Disconnected) => return !self.lines.is_empty(),
            }
        }
    }
}

impl AudioPort for CallPort {
    fn format(&self) -> AudioFormat {
        FORMAT
    }

    fn read(&mut self, captured: &mut [i16]) {
        self.microphone.read(captured);
    }

    fn write(&mut self, playout: &[i16]) {
        for sample in playout {
            let _ = self.ear.push(*sample);
        }
    }
}

/// What a volume of 1 to [`VOLUME_MAX`] means: from -12 dB to the most that there is, +12 dB, in equal steps to both sides
/// of the middle, where sound passes as it is; 0 is silent.
fn decibel(volume: u8) -> f32 {
    const MIDDLE: f32 = VOLUME_MAX as f32 / 2.0;
    (f32::from(volume.min(VOLUME_MAX)) - MIDDLE) * VOLUME_RANGE.1 / MIDDLE
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::firmware::{Firmware, FirmwareConfig, Peer, Sound};
    use crate::models::ES620;
    use sidetone_hal::audio::AudioPath;
    use std::sync::{Arc, Mutex};

    /// A microphone that says 1000 all the time, and an ear that remembers.
    #[derive(Clone, Default)]
    struct Head(Arc<Mutex<Vec<i16>>>);

    impl AudioPort for Head {
        fn format(&self) -> AudioFormat {
            FORMAT
        }
        fn read(&mut self, captured: &mut [i16]) {
            captured.fill(1000);
        }
        fn write(&mut self, playout: &[i16]) {
            *self.0.lock().expect("not poisoned") = playout.to_vec();
        }
    }

    fn two_calls() -> (CallRef, CallRef) {
        let mut phone = Firmware::new(FirmwareConfig::new(&ES620, vec!["a".to_owned()]));
        let mut call = || phone.incoming(0, Peer::default()).expect("a line");
        (call(), call())
    }

    fn audio(call: Option<CallRef>) -> Audio {
        Audio { call, sound: None, muted: false, path: AudioPath::Handset, volume: 5 }
    }

    #[test]
    fn a_page_is_heard_beside_a_call_and_without_one() {
        let head = Head::default();
        let ear = || head.0.lock().expect("not poisoned").first().copied();
        let (first, _) = two_calls();
        let (mut mixer, handle) = Mixer::new(head.clone(), Tones::default());
        let (mut call, mut page) = (handle.port(first), handle.page_port());
        let mut spoken = [0; FRAME_SAMPLES];
        for (active, heard) in [(None, 22), (Some(first), 33), (None, 22)] {
            handle.set(audio(active));
            for _ in 0..8 {
                call.write(&[11; FRAME_SAMPLES]);
                page.write(&[22; FRAME_SAMPLES]);
                mixer.frame();
                page.read(&mut spoken);
            }
            assert_eq!(ear(), Some(heard), "{active:?}");
            assert_eq!(spoken, [0; FRAME_SAMPLES], "nobody speaks to a page");
        }
    }

    #[test]
    fn only_the_active_call_is_heard_and_spoken_to() {
        let head = Head::default();
        let ear = || head.0.lock().expect("not poisoned").first().copied();
        let (first, second) = two_calls();
        let (mut mixer, handle) = Mixer::new(head.clone(), Tones::default());
        let (mut a, mut b) = (handle.port(first), handle.port(second));
        handle.set(audio(Some(first)));
        let mut spoken = ([0; FRAME_SAMPLES], [0; FRAME_SAMPLES]);
        for _ in 0..8 {
            a.write(&[11; FRAME_SAMPLES]);
            b.write(&[22; FRAME_SAMPLES]);
            assert!(mixer.frame());
            a.read(&mut spoken.0);
            b.read(&mut spoken.1);
        }
        assert_eq!((ear(), spoken.0[0], spoken.1[0]), (Some(11), 1000, 0));
        handle.set(Audio { muted: true, ..audio(Some(second)) });
        for _ in 0..8 {
            a.write(&[11; FRAME_SAMPLES]);
            b.write(&[22; FRAME_SAMPLES]);
            mixer.frame();
            a.read(&mut spoken.0);
            b.read(&mut spoken.1);
        }
        assert_eq!((ear(), spoken.0[0], spoken.1[0]), (Some(22), 0, 0));
        drop((a, b));
        for _ in 0..20 {
            mixer.frame();
        }
        assert_eq!(mixer.lines.len(), 0, "calls that are over leave nothing behind");
        drop(handle);
        assert!(!mixer.frame());
    }

    #[test]
    fn tones_play_without_a_call_and_volume_goes_from_silence_to_clipping() {
        let head = Head::default();
        let power = || head.0.lock().expect("not poisoned").iter().map(|s| i64::from(*s).pow(2)).sum::<i64>();
        let (mut mixer, handle) = Mixer::new(head.clone(), Tones::default());
        handle.set(Audio { sound: Some(Sound::DialTone), ..audio(None) });
        for _ in 0..5 {
            mixer.frame();
        }
        let middle = power();
        assert!(middle > FRAME_SAMPLES as i64 * 300 * 300, "{middle}");
        handle.set(Audio { sound: Some(Sound::DialTone), volume: VOLUME_MAX, ..audio(None) });
        for _ in 0..5 {
            mixer.frame();
        }
        assert!(power() > 8 * middle, "{middle} became {}", power());
        handle.set(Audio { sound: Some(Sound::DialTone), volume: 0, ..audio(None) });
        for _ in 0..3 {
            mixer.frame();
        }
        assert_eq!(power(), 0);
        assert_eq!([0, 5, VOLUME_MAX, 255].map(decibel), [-12.0, 0.0, 12.0, 12.0]);
    }
}
