//! Sound files: every coding that is read, files that are cut or lie, players, recorders.

use core::time::Duration;
use proptest::prelude::*;
use sidetone_codecs::{g729, pcma, pcmu};
use sidetone_hal::rng::Rng;
use sidetone_media::wav::{
    Encoding, Layout, Limits, Player, Recorded, Recorder, RecorderConfig, Repeat, RingRules, Sound, WavError,
    WavFile,
};

fn chunk(id: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let mut chunk = id.to_vec();
    chunk.extend((body.len() as u32).to_le_bytes());
    chunk.extend(body);
    if body.len() % 2 == 1 {
        chunk.push(0);
    }
    chunk
}

fn fmt(tag: u16, channels: u16, rate: u32, bits: u16) -> Vec<u8> {
    let block = channels * bits.div_ceil(8);
    let mut body = Vec::new();
    body.extend(tag.to_le_bytes());
    body.extend(channels.to_le_bytes());
    body.extend(rate.to_le_bytes());
    body.extend((rate * u32::from(block)).to_le_bytes());
    body.extend(block.to_le_bytes());
    body.extend(bits.to_le_bytes());
    body
}

fn wav(fmt: &[u8], data: &[u8]) -> Vec<u8> {
    let mut body = b"WAVE".to_vec();
    body.extend(chunk(b"fmt ", fmt));
    body.extend(chunk(b"LIST", b"odd"));
    body.extend(chunk(b"data", data));
    chunk(b"RIFF", &body)
}

fn read(file: &[u8]) -> Result<Sound, WavError> {
    Sound::from_wav(file, &Limits::default())
}

const SAMPLES: [i16; 6] = [0, 256, -256, 8192, i16::MAX, i16::MIN];

#[test]
fn every_coding_is_read() {
    let bytes = |f: &dyn Fn(i16) -> Vec<u8>| SAMPLES.iter().flat_map(|s| f(*s)).collect::<Vec<u8>>();
    let wide = |s: i16, zeros: usize| [vec![0; zeros], s.to_le_bytes().to_vec()].concat();
    let cases: [(&str, Vec<u8>, Vec<u8>); 9] = [
        ("16 bit", fmt(1, 1, 8000, 16), bytes(&|s| s.to_le_bytes().to_vec())),
        ("8 bit", fmt(1, 1, 48_000, 8), bytes(&|s| vec![((s >> 8) + 128) as u8])),
        ("24 bit", fmt(1, 1, 16_000, 24), bytes(&|s| wide(s, 1))),
        ("32 bit", fmt(1, 1, 32_000, 32), bytes(&|s| wide(s, 2))),
        ("float", fmt(3, 1, 8000, 32), bytes(&|s| (f32::from(s) / 32_768.0).to_le_bytes().to_vec())),
        ("double", fmt(3, 1, 8000, 64), bytes(&|s| (f64::from(s) / 32_768.0).to_le_bytes().to_vec())),
        ("A-law", fmt(6, 1, 8000, 8), bytes(&|s| vec![pcma::encode_sample(s)])),
        ("u-law", fmt(7, 1, 8000, 8), bytes(&|s| vec![pcmu::encode_sample(s)])),
        ("20 bit in 3 octets", fmt(1, 1, 8000, 20), bytes(&|s| wide(s, 1))),
    ];
    for (name, fmt, data) in cases {
        let sound = read(&wav(&fmt, &data)).expect(name);
        assert_eq!(sound.samples().len(), SAMPLES.len(), "{name}");
        for (read, wanted) in sound.samples().iter().zip(SAMPLES) {
            let allowed = match name {
                "8 bit" => 255,
                "A-law" | "u-law" => (i32::from(wanted).abs() / 16).max(16) as u16,
                _ => 0,
            };
            assert!(read.abs_diff(wanted) <= allowed, "{name}: {wanted} was read as {read}");
        }
        // The same, as an extensible file says it.
        let mut extensible = fmt.clone();
        extensible.splice(0..2, 0xfffe_u16.to_le_bytes());
        extensible.extend([22, 0, fmt[14], fmt[15], 4, 0, 0, 0, fmt[0], fmt[1]]);
        extensible.extend([0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xaa, 0, 0x38, 0x9b, 0x71]);
        assert_eq!(read(&wav(&extensible, &data)).expect(name), sound, "{name}");
    }
}

#[test]
fn finer_samples_are_rounded_and_what_is_no_number_is_silence() {
    let odd = [f32::NAN, f32::INFINITY, -2.0, 1.0, 0.4 / 32_768.0, 0.6 / 32_768.0];
    let data: Vec<u8> = odd.iter().flat_map(|s| s.to_le_bytes()).collect();
    assert_eq!(
        read(&wav(&fmt(3, 1, 8000, 32), &data)).unwrap().samples(),
        [0, i16::MAX, i16::MIN, i16::MAX, 0, 1]
    );
    let data = [0x7f, 1, 0, 0x80, 1, 0, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff];
    assert_eq!(read(&wav(&fmt(1, 1, 8000, 24), &data)).unwrap().samples(), [1, 2, i16::MAX, 0]);
}

#[test]
fn channels_are_mixed_or_taken_one_by_one() {
    let data: Vec<u8> = [100_i16, 300, -100, -301, 5, 5].iter().flat_map(|s| s.to_le_bytes()).collect();
    let file = wav(&fmt(1, 2, 16_000, 16), &data);
    assert_eq!(read(&file).unwrap().samples(), [200, -200, 5]);
    let file = WavFile::parse(&file).unwrap();
    let channel = |number| file.channel(number).collect::<Vec<_>>();
    assert_eq!((channel(0), channel(1), channel(2)), (vec![100, -100, 5], vec![300, -301, 5], vec![0; 3]));
    assert_eq!((file.frames(), file.duration(), file.cut), (3, Duration::from_micros(187), false));
}

#[test]
fn errors_say_what_was_expected() {
    let good = |fmt: &[u8]| wav(fmt, &[0; 8]);
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (b"OggS and more".to_vec(), "no WAV file: expected \"RIFF\", a size, \"WAVE\""),
        (b"RIFF\x04\0\0\0AVI ".to_vec(), "no WAV file: expected \"RIFF\", a size, \"WAVE\""),
        (vec![], "no WAV file: expected \"RIFF\", a size, \"WAVE\""),
        (b"RI".to_vec(), "the file ends at octet 2, before its samples begin"),
        (good(&fmt(1, 1, 8000, 16))[..30].to_vec(), "the file ends at octet 30, before its samples begin"),
        (good(&fmt(0x55, 2, 44_100, 0)), "format 0x0055 with 0 bits: expected PCM"),
        (good(&fmt(1, 0, 8000, 16)), "0 channels: expected 1 to 8"),
        (good(&fmt(1, 9, 8000, 16)), "9 channels: expected 1 to 8"),
        (good(&fmt(1, 1, 3999, 16)), "3999 samples a second: expected 4000 to 192000"),
        (good(&fmt(1, 1, 8000, 16)[..14]), "no \"fmt \" chunk of 16 octets"),
        (
            chunk(b"RIFF", &[b"WAVE".to_vec(), chunk(b"data", &[0; 4])].concat()),
            "no \"fmt \" chunk of 16 octets or more before the samples",
        ),
        (wav(&fmt(1, 1, 8000, 16), &[]), "the file is empty"),
    ];
    for (file, said) in cases {
        let error = read(&file).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
    let mut wrong = fmt(1, 2, 8000, 16);
    wrong[12] = 3;
    assert_eq!(
        read(&good(&wrong)).unwrap_err().to_string(),
        "blocks of 3 octets: expected 4, for 2 channel(s)"
    );
    let limits = Limits { octets: 60, lasts: Duration::from_secs(2) };
    let long = wav(&fmt(1, 1, 4000, 8), &[0; 9000]);
    let error = Sound::from_wav(&long, &limits).unwrap_err().to_string();
    assert_eq!(error, format!("{} octets: at most 60 are allowed", long.len()));
    let error = Sound::from_wav(&long, &Limits { octets: 1 << 20, ..limits }).unwrap_err();
    assert_eq!(error.to_string(), "2.25s: at most 2s are allowed");
}

#[test]
fn files_that_lie_about_their_length_are_read_as_far_as_they_go() {
    let data: Vec<u8> = (0..100_i16).flat_map(i16::to_le_bytes).collect();
    let whole = wav(&fmt(1, 1, 8000, 16), &data);
    let begin = whole.len() - data.len();
    let with_size = |size: u32, riff: u32| {
        let mut file = whole.clone();
        file.splice(begin - 4..begin, size.to_le_bytes());
        file.splice(4..8, riff.to_le_bytes());
        file
    };
    let count = |file: &[u8]| WavFile::parse(file).unwrap().frames();
    // A stream that did not know, as ffmpeg writes to a pipe; a writer that died; one that says too much.
    assert_eq!(count(&with_size(u32::MAX, u32::MAX)), 100);
    assert_eq!(count(&with_size(0, 0)), 100);
    assert_eq!(count(&with_size(0, begin as u32 - 8)), 100);
    assert_eq!(count(&with_size(1 << 30, 1 << 30)), 100);
    assert!(WavFile::parse(&with_size(1 << 30, 1 << 30)).unwrap().cut);
    // A file that is truly empty, with something else behind.
    let mut body = b"WAVE".to_vec();
    for (id, content) in [(b"fmt ", fmt(1, 1, 8000, 16)), (b"data", vec![]), (b"LIST", vec![1; 20])] {
        body.extend(chunk(id, &content));
    }
    assert_eq!(count(&chunk(b"RIFF", &body)), 0);
}

proptest! {
    #[test]
    fn no_file_panics(mut file in proptest::collection::vec(any::<u8>(), 0..300), at in 0_usize..60, octet: u8) {
        let _ = read(&file);
        let mut good = wav(&fmt(1, 2, 8000, 16), &file);
        if let Some(place) = good.get_mut(at) {
            *place = octet;
        }
        let _ = read(&good);
        file.splice(0..0, *b"RIFF\0\0\0\0WAVEfmt ");
        let _ = read(&file);
        let _ = Sound::from_raw(&file, &g729::SPEC, &Limits::default());
    }
}

#[test]
fn ring_tones_go_by_the_telephones_rules() {
    let sayhi = RingRules::sayhi(&g729::SPEC);
    let mut encoder = g729::SPEC.encoder();
    let mut file = Vec::new();
    for n in 0..100_i32 {
        let pcm: [i16; 80] = core::array::from_fn(|i| ((n * 80 + i as i32) % 20 * 900 - 9000) as i16);
        let mut payload = [0; 10];
        let octets = encoder.encode(&pcm, &mut payload).unwrap().octets;
        file.extend_from_slice(&payload[..octets]);
    }
    let sound = sayhi.read(&file).unwrap();
    assert_eq!((sound.sample_rate(), sound.samples().len() % 80), (8000, 0));
    assert!(sound.duration() >= Duration::from_millis(900), "{:?}", sound.duration());
    let loud = sound.samples().iter().filter(|s| s.unsigned_abs() > 3000).count();
    assert!(loud * 3 > sound.samples().len(), "{loud}");
    // "less than 30k"
    let error = sayhi.read(&vec![0; 30 * 1024]).unwrap_err();
    assert_eq!(error, WavError::TooLarge { octets: 30 * 1024, most: 30 * 1024 - 1 });
    let file = wav(&fmt(1, 1, 8000, 16), &[1; 400]);
    assert_eq!(sayhi.read(&file).unwrap_err(), WavError::Raw { codec: "G729", at: 0 });
    for rules in [RingRules::YEALINK, RingRules::DINSTAR] {
        assert_eq!(rules.read(&file).unwrap().samples().len(), 200);
        assert_eq!(rules.read(b"ID3 an mp3 file").unwrap_err(), WavError::NotWav);
        let long = wav(&fmt(1, 1, 8000, 8), &vec![128; 61 * 8000]);
        assert!(matches!(rules.read(&long), Err(WavError::TooLong { .. })));
        assert!(matches!(rules.read(&vec![0; 1 << 21]), Err(WavError::TooLarge { .. })));
    }
}

fn ramp(samples: i16) -> Sound {
    Sound::new(8000, (1..=samples).collect::<Vec<i16>>()).unwrap()
}

fn played(player: &mut Player, frames: usize, frame: usize) -> (Vec<i16>, usize) {
    let (mut all, mut going) = (Vec::new(), 0);
    for _ in 0..frames {
        let mut pcm = vec![77; frame];
        going += usize::from(player.fill(&mut pcm));
        all.extend(pcm);
    }
    (all, going)
}

#[test]
fn a_player_plays_once_or_loops_with_pauses() {
    let mut once = Player::new(ramp(100), 8000, Repeat::ONCE).unwrap();
    let (heard, going) = played(&mut once, 3, 80);
    assert_eq!((heard[99], heard[100], going, once.is_over()), (100, 0, 1, true));
    once.restart(Repeat::ONCE);
    assert_eq!(played(&mut once, 3, 80).0, heard);

    let mut forever = Player::new(ramp(100), 8000, Repeat::Forever).unwrap();
    let (heard, going) = played(&mut forever, 100, 80);
    assert_eq!(going, 100);
    assert!(heard.iter().enumerate().all(|(n, sample)| usize::from(sample.unsigned_abs()) == n % 100 + 1));

    let pause = Duration::from_millis(5);
    let mut twice = Player::with_pause(ramp(100), 8000, Repeat::Times(2), pause).unwrap();
    let (heard, _) = played(&mut twice, 4, 80);
    assert_eq!(
        (heard[99], &heard[100..140], heard[140], heard[239], heard[240]),
        (100, &[0; 40][..], 1, 100, 0)
    );
    assert!(twice.is_over());
    for nothing in [
        Player::new(ramp(9), 8000, Repeat::Times(0)),
        Player::new(Sound::new(8000, []).unwrap(), 16_000, Repeat::Forever),
    ] {
        let mut nothing = nothing.unwrap();
        assert_eq!(played(&mut nothing, 3, 80), (vec![0; 240], 0));
    }
}

#[test]
fn a_player_plays_at_every_rate_and_to_the_end() {
    let tone: Vec<i16> = (0..4000).map(|n| (9000.0 * (f64::from(n) * 0.3).sin()) as i16).collect();
    for rate in [8000, 16_000, 32_000, 44_100, 48_000] {
        let sound = Sound::new(8000, tone.clone()).unwrap();
        let mut player = Player::new(sound.clone(), rate, Repeat::ONCE).unwrap();
        let frame = rate as usize / 100;
        let mut heard = Vec::new();
        loop {
            let mut pcm = vec![0; frame];
            let going = player.fill(&mut pcm);
            heard.extend(pcm);
            if !going {
                break;
            }
        }
        let energy = |pcm: &[i16]| pcm.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / f64::from(rate);
        let wanted = 0.5 * 9000.0 * 9000.0 / 2.0;
        assert!((energy(&heard) / wanted - 1.0).abs() < 0.01, "{rate}: {} of {wanted}", energy(&heard));
        assert!(heard.len() <= rate as usize * 53 / 100, "{rate}: {}", heard.len());
        let at_rate = sound.resampled(rate).unwrap();
        assert_eq!(at_rate.samples().len(), rate as usize / 2);
        assert!((energy(at_rate.samples()) / wanted - 1.0).abs() < 0.01);
    }
    assert!(Sound::new(0, [1]).is_none());
}

#[test]
fn players_and_recorders_allocate_nothing_while_they_run() {
    let sound = Sound::new(44_100, vec![5; 3000]).unwrap();
    let mut player = Player::with_pause(sound, 16_000, Repeat::Forever, Duration::from_millis(3)).unwrap();
    let mut recorder = Recorder::new(RecorderConfig::new(16_000));
    let mut pcm = [0; 160];
    player.fill(&mut pcm);
    let counted = allocation_counter::measure(|| {
        for _ in 0..1000 {
            player.fill(&mut pcm);
            recorder.push(&pcm, &pcm);
            while let Some(count) = recorder.poll_write().map(|write| write.octets.len()) {
                recorder.written(count);
            }
        }
    });
    assert_eq!((counted.count_total, counted.bytes_total), (0, 0), "{counted:?}");
}

/// A disk that writes some octets at a time.
struct Disk {
    file: Vec<u8>,
    most: usize,
}

impl Disk {
    fn write(&mut self, recorder: &mut Recorder, times: usize) {
        for _ in 0..times {
            let Some(write) = recorder.poll_write() else { return };
            let count = write.octets.len().min(self.most);
            let at = write.offset as usize;
            assert!(at <= self.file.len(), "no hole");
            self.file.resize(self.file.len().max(at + count), 0);
            self.file[at..at + count].copy_from_slice(&write.octets[..count]);
            recorder.written(count);
        }
    }
}

fn config(layout: Layout, encoding: Encoding) -> RecorderConfig {
    let mut config = RecorderConfig::new(8000);
    (config.layout, config.encoding) = (layout, encoding);
    config.header_every = Duration::from_millis(100);
    config
}

#[test]
fn both_directions_are_mixed_or_split_in_every_coding() {
    for layout in [Layout::Mixed, Layout::Split] {
        for encoding in [Encoding::Pcm(2), Encoding::ALaw, Encoding::MuLaw] {
            let mut recorder = Recorder::new(config(layout, encoding));
            let mut disk = Disk { file: Vec::new(), most: 7 };
            for n in 0..100 {
                assert_eq!(recorder.push(&[n * 100; 80], &[-3000; 80]), Recorded::Yes);
                disk.write(&mut recorder, 60);
            }
            recorder.finish();
            disk.write(&mut recorder, usize::MAX);
            assert!(recorder.is_over() && recorder.poll_write().is_none());
            assert_eq!(recorder.push(&[1], &[1]), Recorded::Ended);
            let file = WavFile::parse(&disk.file).unwrap();
            assert_eq!((file.format.encoding, file.frames(), file.cut), (encoding, 8000, false));
            assert_eq!(file.data.len() as u32, recorder.stats().octets);
            let near = |sample: i16, wanted: i16| sample.abs_diff(wanted) <= wanted.unsigned_abs() / 16 + 16;
            for n in 0..8000_usize {
                let spoken = (n / 80) as i16 * 100;
                let channel = |c: u16| file.channel(c).nth(n).unwrap();
                if n % 97 == 0 {
                    match layout {
                        Layout::Mixed => assert!(near(channel(0), spoken - 3000)),
                        Layout::Split => assert!(near(channel(0), spoken) && near(channel(1), -3000)),
                    }
                }
            }
        }
    }
}

#[test]
fn a_recording_that_is_cut_off_at_any_octet_opens_with_what_is_there() {
    for layout in [Layout::Mixed, Layout::Split] {
        for encoding in [Encoding::Pcm(2), Encoding::ALaw] {
            let mut recorder = Recorder::new(config(layout, encoding));
            let mut disk = Disk { file: Vec::new(), most: usize::MAX };
            let header = if encoding == Encoding::ALaw { 58 } else { 44 };
            let block = usize::from(encoding.octets()) * if layout == Layout::Split { 2 } else { 1 };
            // Whenever the power fails: after each write, and then at each length of the file.
            for n in 0..30 {
                recorder.push(&[n * 50 + 100; 80], &[0; 80]);
                disk.write(&mut recorder, usize::MAX);
                let file = WavFile::parse(&disk.file).unwrap();
                let there = (disk.file.len() - header) / block;
                assert!(file.frames() + 800 >= there, "frame {n}: {} of {there}", file.frames());
                assert!(!file.cut);
            }
            for length in 0..=disk.file.len() {
                let cut = &disk.file[..length];
                match WavFile::parse(cut) {
                    Ok(file) => {
                        assert!(length >= header);
                        assert!(file.frames() <= (length - header) / block, "{length}");
                        assert!(file.frames() == (length - header) / block || file.frames() >= 2400 - 800);
                        assert!(
                            file.channel(0)
                                .enumerate()
                                .all(|(n, sample)| { sample.abs_diff((n / 80) as i16 * 50 + 100) <= 100 })
                        );
                    }
                    Err(error) => {
                        assert!(length < header, "{length}: {error}");
                        assert!(
                            matches!(error, WavError::NotWav if length == 0)
                                || error == WavError::Cut(length)
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn a_disk_that_is_slow_costs_sound_but_neither_memory_nor_time_line() {
    let mut settings = config(Layout::Mixed, Encoding::Pcm(2));
    settings.buffer = Duration::from_millis(200);
    let mut recorder = Recorder::new(settings);
    let mut disk = Disk { file: Vec::new(), most: usize::MAX };
    let mut rng = Rng::from_u64(8);
    let mut left_out = 0;
    for n in 0..1000_i16 {
        left_out += u64::from(recorder.push(&[n + 1; 80], &[]) == Recorded::LeftOut);
        // Asleep for half a second now and then.
        if n % 100 < 50 && rng.chance(0.5) {
            disk.write(&mut recorder, usize::MAX);
        }
    }
    assert!((200..500).contains(&left_out), "{left_out}");
    assert_eq!(recorder.stats().left_out, left_out * 80);
    recorder.finish();
    disk.write(&mut recorder, usize::MAX);
    let file = WavFile::parse(&disk.file).unwrap();
    assert_eq!(file.frames(), 80_000, "silence took the place of what was left out");
    assert!(file.channel(0).enumerate().all(|(n, sample)| sample == 0 || sample == (n / 80) as i16 + 1));
}

#[test]
fn a_full_file_ends_and_a_failing_disk_is_told() {
    let mut settings = config(Layout::Mixed, Encoding::Pcm(2));
    settings.max_octets = 44 + 1600;
    let mut recorder = Recorder::new(settings);
    let frames = (0..20).filter(|_| recorder.push(&[9; 80], &[]) == Recorded::Yes).count();
    let mut disk = Disk { file: Vec::new(), most: 100 };
    disk.write(&mut recorder, usize::MAX);
    assert_eq!((frames, disk.file.len(), recorder.is_over(), recorder.stats().full), (10, 1644, true, true));

    let mut recorder = Recorder::new(config(Layout::Split, Encoding::MuLaw));
    recorder.push(&[9; 80], &[]);
    assert!(recorder.poll_write().is_some());
    recorder.failed();
    assert!(recorder.poll_write().is_none() && recorder.is_over() && recorder.stats().failed);
    assert_eq!(recorder.push(&[9; 80], &[]), Recorded::Ended);
    assert_eq!(pcma::decode_sample(0xd5).unsigned_abs(), 8, "the quietest of A-law");
}
