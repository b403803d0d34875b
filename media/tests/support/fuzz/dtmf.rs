//! Digits that come: telephone events in any order, bodies of INFO requests, and sound. A digit is reported once and
//! ended, a body is what is written for what was read, and the detector does not care how sound is cut.

use sidetone_hal::time::{Duration, Instant};
use sidetone_media::dtmf::{Detected, Detector, DtmfReceiver, InfoKind};

pub fn run(data: &[u8]) {
    let Some((choice, data)) = data.split_first() else { return };
    match choice & 3 {
        0 => events(data),
        1 | 2 => bodies(data),
        _ => sound(data),
    }
}

/// Seven octets a packet: the time since the one before, its timestamp, its payload.
fn events(data: &[u8]) {
    let mut receiver = DtmfReceiver::new();
    let (mut now, mut packets, mut digits) = (Instant::from_millis(1000), 0, 0);
    for packet in data.chunks(7) {
        let &[wait, high, low, ref payload @ ..] = packet else { break };
        now += Duration::from_millis(u64::from(wait) * 4);
        if receiver.poll_timeout().is_some_and(|due| due <= now) {
            digits += usize::from(receiver.handle_event_timeout(now).is_some());
            assert!(receiver.poll_timeout().is_none_or(|due| due > now));
        }
        packets += 1;
        let heard = receiver.receive_event(now, u32::from(u16::from_be_bytes([high, low])) << 8, payload);
        digits += usize::from(heard.is_some());
    }
    now += Duration::from_secs(60);
    digits += usize::from(receiver.handle_event_timeout(now).is_some());
    assert!(receiver.sounding().is_none() && digits <= packets, "{digits} digits of {packets} packets");
}

fn bodies(data: &[u8]) {
    for kind in InfoKind::ALL {
        let Some(event) = kind.read(data) else { continue };
        let key = if event.code == 16 { Some('!') } else { event.digit() };
        let duration = event.duration.unwrap_or(Duration::from_millis(100));
        if let Some(body) = key.and_then(|key| kind.write(key, duration)) {
            assert_eq!(kind.read(&body).map(|read| read.code), Some(event.code));
        }
    }
    if let Ok(text) = core::str::from_utf8(data)
        && let Some(kind) = InfoKind::from_content_type(text)
    {
        assert_eq!(InfoKind::from_content_type(kind.content_type()), Some(kind));
    }
}

fn sound(data: &[u8]) {
    let pcm: Vec<i16> = data.as_chunks().0.iter().map(|octets| i16::from_le_bytes(*octets)).collect();
    // Repeated, so that a few octets are long enough to be a digit.
    let pcm = pcm.repeat((1600 / pcm.len().max(1)).clamp(1, 400));
    let (mut whole, mut cut) = (Detector::new(8000), Detector::new(8000));
    let (mut heard, mut again) = (Vec::new(), Vec::new());
    for frame in pcm.chunks(160) {
        whole.process(frame);
        heard.extend(core::iter::from_fn(|| whole.poll_event()));
        for piece in frame.chunks(7) {
            cut.process(piece);
            again.extend(core::iter::from_fn(|| cut.poll_event()));
        }
    }
    assert_eq!(heard, again);
    let mut sounding = None;
    for event in heard {
        match event {
            Detected::Begin { digit } => assert_eq!(sounding.replace(digit), None),
            Detected::End { digit, .. } => assert_eq!(sounding.take(), Some(digit)),
        }
    }
    assert_eq!(whole.sounding(), sounding);
}

pub fn seeds() -> Vec<Vec<u8>> {
    let sample = |n: u32| {
        let t = f64::from(n) / 8000.0 * core::f64::consts::TAU;
        (((770.0 * t).sin() + (1336.0 * t).sin()) * 8000.0).round() as i16
    };
    let tone: Vec<u8> = (0..320).flat_map(|n| sample(n).to_le_bytes()).collect();
    let events = [
        [5, 0, 1, 5, 10, 0, 160],
        [5, 0, 1, 5, 10, 1, 64],
        [5, 0, 1, 5, 0x8a, 1, 224],
        [99, 0, 9, 16, 0x80, 0, 9],
    ];
    let with = |choice: u8, octets: &[u8]| [&[choice], octets].concat();
    vec![
        with(0, &events.concat()),
        with(1, b"Signal=5\r\nDuration=160\r\n"),
        with(1, b"Signal= *\nDuration = 100"),
        with(1, b"11"),
        with(2, &[5, 0x8a, 3, 0x20]),
        with(2, b"application/dtmf-relay;x=1"),
        with(3, &tone),
    ]
}
