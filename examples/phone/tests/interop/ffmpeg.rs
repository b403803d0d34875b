//! The media crate with FFmpeg over RTP, one codec at a time, each way: do the two mean the same bits, names, clocks?
//!
//! Debian's FFmpeg has no encoder for G.729, iLBC and AMR; these go one way.

use crate::peers::ffmpeg::Coder::{Decoder, Encoder};
use crate::peers::ffmpeg::{coder_trial, finish, listen, start, text};
use crate::peers::sound::{Analysis, RATE, read_wav, share_at, tone, write_tone, write_wav};
use crate::peers::{Outcome, Stage, free_port};
use core::net::{Ipv4Addr, SocketAddr};
use core::time::Duration;
use libtest_mimic::{Failed, Trial};
use sidetone_codecs::{CodecChoice, g7231};
use sidetone_hal::rng::Rng;
use sidetone_hal::time::Instant;
use sidetone_media::rtp::Packet;
use sidetone_media::sdp::{LocalMedia, Negotiator};
use sidetone_media::{Channel, Direction, Negotiated, Stream, StreamConfig, StreamEvent};
use std::net::UdpSocket;
use std::path::Path;

/// High enough that neighbours in the wrong order, as in G.726 of the other packing, are no tone any more.
const HERTZ: f64 = 1020.0;
const SECONDS: u32 = 2;
/// What must be heard of that: codecs take up to 40 ms to begin, and FFmpeg may come late to the first packets.
const HEARD: f64 = 1.9;
const TICK: Duration = Duration::from_millis(10);
/// How long FFmpeg may take for all it does, on a machine that does other things too.
const BOUND: Duration = Duration::from_secs(60);

/// A trial of [`speak()`]: its name, FFmpeg's decoder, our codec and its sample rate.
macro_rules! speak {
    ($name:literal, $decoder:literal, $codec:literal, $rate:literal) => {
        coder_trial($name, Decoder($decoder), |stage| speak(stage, $decoder, $codec, $rate))
    };
}

/// A trial of [`hear()`]: its name, FFmpeg's encoder, our codec and its sample rate.
macro_rules! hear {
    ($name:literal, $encoder:literal, $codec:literal, $rate:literal) => {
        coder_trial($name, Encoder($encoder), |stage| hear(stage, $encoder, $codec, $rate))
    };
}

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        speak!("ffmpeg_hears_us_in_pcmu", "pcm_mulaw", "PCMU", 8000),
        speak!("ffmpeg_hears_us_in_pcma", "pcm_alaw", "PCMA", 8000),
        speak!("ffmpeg_hears_us_in_l16", "pcm_s16be", "L16", 8000),
        speak!("ffmpeg_hears_us_in_g722", "g722", "G722", 16_000),
        speak!("ffmpeg_hears_us_in_g726_16", "g726le", "G726-16", 8000),
        speak!("ffmpeg_hears_us_in_g726_24", "g726le", "G726-24", 8000),
        speak!("ffmpeg_hears_us_in_g726_32", "g726le", "G726-32", 8000),
        speak!("ffmpeg_hears_us_in_g726_40", "g726le", "G726-40", 8000),
        speak!("ffmpeg_hears_us_in_aal2_g726_16", "g726", "AAL2-G726-16", 8000),
        speak!("ffmpeg_hears_us_in_aal2_g726_24", "g726", "AAL2-G726-24", 8000),
        speak!("ffmpeg_hears_us_in_aal2_g726_32", "g726", "AAL2-G726-32", 8000),
        speak!("ffmpeg_hears_us_in_aal2_g726_40", "g726", "AAL2-G726-40", 8000),
        speak!("ffmpeg_hears_us_in_g723_at_6_3", "g723_1", "G723;bitrate=6.3", 8000),
        speak!("ffmpeg_hears_us_in_g723_at_5_3", "g723_1", "G723;bitrate=5.3", 8000),
        speak!("ffmpeg_hears_us_in_g729", "g729", "G729;annexb=no", 8000),
        speak!("ffmpeg_hears_us_in_ilbc_20", "ilbc", "iLBC;mode=20", 8000),
        speak!("ffmpeg_hears_us_in_ilbc_30", "ilbc", "iLBC;mode=30", 8000),
        speak!("ffmpeg_hears_us_in_amr", "amrnb", "AMR;octet-align=1", 8000),
        speak!("ffmpeg_hears_us_in_opus_at_8_khz", "libopus", "opus", 8000),
        speak!("ffmpeg_hears_us_in_opus_at_16_khz", "libopus", "opus", 16_000),
        hear!("we_hear_ffmpeg_in_pcmu", "pcm_mulaw", "PCMU", 8000),
        hear!("we_hear_ffmpeg_in_pcma", "pcm_alaw", "PCMA", 8000),
        hear!("we_hear_ffmpeg_in_l16", "pcm_s16be", "L16", 8000),
        hear!("we_hear_ffmpeg_in_g722", "g722", "G722", 16_000),
        hear!("we_hear_ffmpeg_in_g726_16", "g726le", "G726-16", 8000),
        hear!("we_hear_ffmpeg_in_g726_24", "g726le", "G726-24", 8000),
        hear!("we_hear_ffmpeg_in_g726_32", "g726le", "G726-32", 8000),
        hear!("we_hear_ffmpeg_in_g726_40", "g726le", "G726-40", 8000),
        hear!("we_hear_ffmpeg_in_aal2_g726_16", "g726", "AAL2-G726-16", 8000),
        hear!("we_hear_ffmpeg_in_aal2_g726_24", "g726", "AAL2-G726-24", 8000),
        hear!("we_hear_ffmpeg_in_aal2_g726_32", "g726", "AAL2-G726-32", 8000),
        hear!("we_hear_ffmpeg_in_aal2_g726_40", "g726", "AAL2-G726-40", 8000),
        coder_trial("we_hear_frames_of_ffmpeg_in_g723", Encoder("g723_1"), hear_g723),
        hear!("we_hear_ffmpeg_in_opus_at_8_khz", "libopus", "opus", 8000),
        hear!("we_hear_ffmpeg_in_opus_at_16_khz", "libopus", "opus", 16_000),
    ]
}

/// The sockets of one end of a session, for RTP and RTCP.
struct Sockets {
    port: u16,
    rtp: UdpSocket,
    rtcp: UdpSocket,
}

impl Sockets {
    fn bind() -> Result<Self, Failed> {
        let open = |port| UdpSocket::bind((Ipv4Addr::LOCALHOST, port));
        let pair = |port| std::io::Result::Ok(Self { port, rtp: open(port)?, rtcp: open(port + 1)? });
        loop {
            match pair(free_port()) {
                // Another thread's child has a copy of the socket that found the port free, until it becomes FFmpeg.
                Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {}
                bound => return Ok(bound?),
            }
        }
    }
}

fn local(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

/// Our description of one side with one codec.
fn negotiator(codec: &str, rate: u32, port: u16) -> Negotiator {
    let choice = CodecChoice::parse(codec, rate).expect("a codec of ours");
    let mut media = LocalMedia::new(Ipv4Addr::LOCALHOST.into(), port, [choice]);
    media.dtmf = false;
    media.ptime = choice.codec.default_ptime.max(20);
    Negotiator::new(media, 1)
}

fn stream(agreed: Negotiated) -> Stream {
    Stream::new(StreamConfig::new(agreed, "sidetone@127.0.0.1", Rng::from_u64(1)))
}

/// We speak until FFmpeg, which reads an offer of ours as its session, has heard enough.
fn speak(stage: &Stage, decoder: &str, codec: &str, rate: u32) -> Outcome {
    let (ours, theirs) = (Sockets::bind()?, free_port());
    let offer = negotiator(codec, rate, theirs).offer(Direction::SendRecv);
    let (_, agreed) = negotiator(codec, rate, ours.port).answer(&offer, Direction::SendRecv)?;
    let (sdp, wav) = (stage.path("session.sdp"), stage.path("heard.wav"));
    println!("{}", String::from_utf8_lossy(&offer));
    std::fs::write(&sdp, &offer)?;
    // FFmpeg 5.1 decodes G.729, but does not know that it is payload type 18. Its own Opus decoder strays from the
    // normative one in SILK (78 % of the energy is the tone where libopus has 99.9 %, of the same packets).
    let named = Some(decoder).filter(|decoder| ["g729", "libopus"].contains(decoder));
    let mut ffmpeg = listen(stage, named, &sdp, &wav, SECONDS)?;
    ffmpeg.wait_for_udp_port(theirs, BOUND)?;

    let mut stream = stream(agreed);
    let speech = tone(HERTZ, rate, BOUND);
    let started = std::time::Instant::now();
    let mut now = Instant::ZERO;
    for frame in speech.chunks_exact(rate as usize / 100) {
        now += TICK;
        stream.capture(now, frame);
        if stream.poll_timeout().is_some_and(|at| at <= now) {
            stream.handle_timeout(now);
        }
        while let Some(packet) = stream.poll_transmit() {
            let socket = if packet.channel == Channel::Rtp { &ours.rtp } else { &ours.rtcp };
            // FFmpeg may be gone already, which the kernel tells the next who sends.
            let _ = socket.send_to(packet.payload, packet.destination);
        }
        // Until the next frame is due, or FFmpeg has what it wanted.
        if ffmpeg.wait((now - Instant::ZERO).saturating_sub(started.elapsed())).is_ok() {
            break;
        }
    }
    finish(ffmpeg)?;
    let stats = stream.stats();
    println!("{codec}: {} packets with {} octets sent", stats.packets_sent, stats.octets_sent);
    expect_tone(&wav, &format!("FFmpeg, {codec}"))
}

/// FFmpeg speaks, and we read the session that it describes.
fn hear(stage: &Stage, encoder: &str, codec: &str, rate: u32) -> Outcome {
    let (ours, theirs) = (Sockets::bind()?, free_port());
    let (wav, sdp) = (stage.path("tone.wav"), stage.path("session.sdp"));
    write_tone(&wav, HERTZ, Duration::from_secs(SECONDS.into()))?;
    let choice = CodecChoice::parse(codec, rate).map_err(|error| error.to_string())?;
    let spec = choice.codec;
    // Left alone, FFmpeg fills an Ethernet frame: 180 ms of G.711. Phones send 20.
    let octets = match encoder {
        // Never more than a frame.
        "libopus" => 500,
        _ => 12 + spec.octets(20),
    };
    let url = format!("rtp://127.0.0.1:{}?localrtpport={theirs}&pkt_size={octets}", ours.port);
    let (rate_text, bits) = (rate.to_string(), spec.bit_rate.to_string());
    let mut arguments = vec!["-re", "-i", text(&wav), "-c:a", encoder, "-ar", &rate_text, "-ac", "1"];
    if encoder.starts_with("g726") {
        arguments.extend(["-b:a", &bits]);
    }
    arguments.extend(["-rtpflags", "send_bye", "-f", "rtp", "-sdp_file", text(&sdp), &url]);
    let mut ffmpeg = start(stage, &arguments)?;

    let mut packets = Vec::new();
    let started = std::time::Instant::now();
    ours.rtp.set_read_timeout(Some(TICK))?;
    loop {
        let ended = ffmpeg.wait(Duration::ZERO).is_ok();
        let before = packets.len();
        receive(&ours.rtp, &mut packets);
        // Looked at after the end: whatever was sent is in the socket by then.
        if ended && packets.len() == before {
            break;
        }
        if started.elapsed() > BOUND {
            return Err(format!("ffmpeg still sends after {BOUND:?}").into());
        }
    }
    finish(ffmpeg)?;
    let mut reports = Vec::new();
    ours.rtcp.set_nonblocking(true)?;
    receive(&ours.rtcp, &mut reports);

    let said = std::fs::read(&sdp)?;
    println!("{}", String::from_utf8_lossy(&said));
    let (_, mut agreed) = negotiator(codec, rate, ours.port).answer(&said, Direction::SendRecv)?;
    // FFmpeg describes what it sends as its receiver would: the address in there is ours.
    (agreed.remote_rtp, agreed.remote_rtcp) = (Some(local(theirs)), Some(local(theirs + 1)));
    play(stage, &format!("we, {codec}"), agreed, &packets, &reports)
}

fn receive(socket: &UdpSocket, into: &mut Vec<Vec<u8>>) {
    let mut datagram = [0; 2000];
    while let Ok(length) = socket.recv(&mut datagram) {
        into.push(datagram[..length].to_vec());
    }
}

/// Each packet comes when its timestamp says, so that a slow machine changes nothing and a wrong clock much.
fn play(stage: &Stage, who: &str, agreed: Negotiated, rtp: &[Vec<u8>], rtcp: &[Vec<u8>]) -> Outcome {
    let (source, clock, rate) =
        (agreed.remote_rtp.unwrap(), agreed.codec.rtp_clock, agreed.codec.sample_rate);
    let control = agreed.remote_rtcp.unwrap();
    let mut stream = stream(agreed);
    let stamp = |packet: &Vec<u8>| Packet::parse(packet).map(|packet| packet.timestamp);
    let first = stamp(rtp.first().ok_or("not one packet came")?)?;
    let (mut now, mut heard) = (Instant::from_millis(1000), Vec::new());
    let start = now;
    let mut packets = rtp.iter().peekable();
    let mut left = 30;
    while left > 0 {
        let due = |packet: &&Vec<u8>| {
            let ticks = stamp(packet).unwrap_or(first).wrapping_sub(first);
            start + Duration::from_secs_f64(f64::from(ticks) / f64::from(clock)) <= now
        };
        while let Some(packet) = packets.next_if(due) {
            stream.handle_rtp(now, source, packet);
        }
        now += TICK;
        let mut frame = vec![0; rate as usize / 100];
        stream.playout(now, &mut frame);
        heard.extend(frame);
        left -= u32::from(packets.peek().is_none());
    }
    for report in rtcp {
        stream.handle_rtcp(now, control, report);
    }
    let stats = stream.stats();
    println!("{who}: {stats:?}");
    if (stats.packets_refused, stats.packets_lost, stats.packets_dropped) != (0, 0, 0) {
        return Err(format!("{who}: packets were refused, lost or dropped: {stats:?}").into());
    }
    let bye = core::iter::from_fn(|| stream.poll_event()).any(|event| event == StreamEvent::Bye);
    if !bye && !rtcp.is_empty() {
        return Err(format!("{who}: FFmpeg's BYE was not understood").into());
    }
    let wav = stage.path("heard.wav");
    write_wav(&wav, rate, &heard)?;
    expect_tone(&wav, who)
}

/// The tone, all of it, and nearly alone.
fn expect_tone(wav: &Path, who: &str) -> Outcome {
    let heard = read_wav(wav)?;
    let middle = heard.len() / 2;
    let second =
        heard.get(middle.saturating_sub(4000)..middle + 4000).ok_or_else(|| format!("{who}: too short"))?;
    let share = share_at(second, RATE, HERTZ);
    println!("{who}: {:.2} % of the energy is the tone", share * 100.0);
    let analysis = Analysis::new(&heard, HERTZ);
    // FFmpeg 5.1's G.726 at 40 kbit/s is not ITU-T's: of the codes of the ITU-T STL it makes speech with an SNR of
    // 7 dB, at the other rates of 35 dB. Ours gives the STL's bits; what is left of the tone is FFmpeg's noise.
    if who.ends_with("G726-40") {
        let enough = share > 0.9 && analysis.heard() > HEARD * 0.9;
        return if enough { Ok(()) } else { Err(format!("{who}: {:.2} s of tone", analysis.heard()).into()) };
    }
    if share < 0.95 {
        return Err(format!("{who}: {:.2} % of the energy is the tone", share * 100.0).into());
    }
    analysis.expect_tone(who, HERTZ, HEARD)
}

/// FFmpeg encodes G.723.1 but puts it into no RTP packets ("Unsupported codec g723_1"): the packets are ours here,
/// the frames FFmpeg's.
fn hear_g723(stage: &Stage) -> Outcome {
    let (wav, raw) = (stage.path("tone.wav"), stage.path("tone.g723"));
    write_tone(&wav, HERTZ, Duration::from_secs(SECONDS.into()))?;
    let arguments = ["-i", text(&wav), "-c:a", "g723_1", "-b:a", "6300", "-f", "g723_1", text(&raw)];
    finish(start(stage, &arguments)?)?;
    let frames = std::fs::read(&raw)?;
    let packets = frames.chunks_exact(24).enumerate().map(|(n, frame)| {
        // RFC 3551 section 4.5.3: the two low bits of a frame at 6.3 kbit/s are 00.
        assert_eq!(frame[0] & 3, 0, "frame {n}");
        let packet = Packet {
            payload_type: 4,
            marker: n == 0,
            sequence: n as u16,
            timestamp: n as u32 * 240,
            ssrc: 7,
            payload: frame,
        };
        let mut octets = vec![0; 12 + frame.len()];
        packet.write(&mut octets).expect("room for it");
        octets
    });
    let packets: Vec<_> = packets.collect();
    let agreed = Negotiated::new(&g7231::SPEC, 4, local(9));
    play(stage, "we, G723", agreed, &packets, &[])
}
