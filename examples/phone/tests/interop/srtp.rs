//! SRTP with other people's: baresip (libre's own SRTP) in calls, FFmpeg's both ways, SIPp for what is said in SDP.
//!
//! Debian's SIPp is built without TLS, and so without its SRTP: it offers and reads keys here, and sends no media.

use crate::peers::baresip::{Baresip, Microphone};
use crate::peers::ffmpeg::{finish, start, text};
use crate::peers::kamailio::Kamailio;
use crate::peers::phone::{Phone, expect};
use crate::peers::sipp::Sipp;
use crate::peers::sound::{
    Analysis, LONG, RATE, Scene, read_wav, tone, wait_for_scene, wait_for_stretch, write_tone, write_wav,
};
use crate::peers::{BARESIP, CC, FFMPEG, KAMAILIO, Needs, Outcome, SIPP, SOON, Stage, free_port, trial};
use core::net::{Ipv4Addr, SocketAddr};
use core::time::Duration;
use libtest_mimic::{Failed, Trial};
use sidetone_codecs::pcmu;
use sidetone_hal::rng::Rng;
use sidetone_hal::time::Instant;
use sidetone_media::srtp::{CryptoLine, MasterKey, SrtpKeys, Suite};
use sidetone_media::{Negotiated, Stream, StreamConfig};
use std::net::UdpSocket;
use std::path::Path;

const PHONE_HZ: f64 = 435.0;
const PEER_HZ: f64 = 1005.0;
/// What each side of a call must hear of the other, in seconds.
const HEARD: f64 = 5.0;
const TICK: Duration = Duration::from_millis(10);
/// How long FFmpeg may take for all it does, on a machine that does other things too.
const BOUND: Duration = Duration::from_secs(60);

pub(crate) fn trials() -> Vec<Trial> {
    const CALL: &[Needs] = &[KAMAILIO, BARESIP];
    const DTLS: &[Needs] = &[KAMAILIO, BARESIP, CC];
    vec![
        trial("phone_calls_baresip_over_srtp", CALL, |stage| {
            phone_calls(stage, "--srtp compulsory", SDES_ALWAYS)
        }),
        trial("phone_offers_baresip_srtp_and_it_takes_it", CALL, |stage| {
            phone_calls(stage, "--srtp optional", SDES)
        }),
        trial("baresip_calls_phone_over_srtp", CALL, |stage| {
            baresip_calls(stage, "--srtp compulsory", SDES_ALWAYS)
        }),
        trial("baresip_offers_phone_srtp_and_it_takes_it", CALL, |stage| {
            baresip_calls(stage, "--srtp optional", SDES)
        }),
        trial("phone_calls_baresip_with_keys_by_dtls", DTLS, |stage| {
            phone_calls(stage, "--dtls compulsory", BY_DTLS)
        }),
        // RFC 8643, in a line that is RTP/AVP: baresip's dtls_srtp takes only the four secure profiles, its srtp this.
        trial("phone_offers_baresip_keys_of_both_kinds", CALL, |stage| {
            phone_calls(stage, "--dtls optional --srtp optional", SDES)
        }),
        trial("baresip_calls_phone_with_keys_by_dtls", DTLS, |stage| {
            baresip_calls(stage, "--dtls optional", BY_DTLS)
        }),
        trial("a_held_call_keeps_its_dtls_association", DTLS, |stage| {
            held(stage, "--dtls compulsory", BY_DTLS)
        }),
        trial("phone_calls_baresip_that_has_no_srtp", CALL, without),
        trial("a_held_call_stays_encrypted", CALL, |stage| held(stage, "--srtp compulsory", SDES_ALWAYS)),
        trial("ffmpeg_hears_us_over_srtp_80", &[FFMPEG], |stage| {
            speak(stage, Suite::AES_CM_128_HMAC_SHA1_80)
        }),
        trial("ffmpeg_hears_us_over_srtp_32", &[FFMPEG], |stage| {
            speak(stage, Suite::AES_CM_128_HMAC_SHA1_32)
        }),
        trial("we_hear_ffmpeg_over_srtp_80", &[FFMPEG], |stage| hear(stage, Suite::AES_CM_128_HMAC_SHA1_80)),
        trial("we_hear_ffmpeg_over_srtp_32", &[FFMPEG], |stage| hear(stage, Suite::AES_CM_128_HMAC_SHA1_32)),
        trial("sipp_offers_three_keys_as_a_cp860", &[SIPP], |stage| {
            sipp(stage, "compulsory", "uac_srtp.xml")
        }),
        trial("sipp_offers_three_keys_and_encryption_is_optional", &[SIPP], |stage| {
            sipp(stage, "optional", "uac_srtp.xml")
        }),
    ]
}

/// How baresip encrypts: its module, the account's `mediaenc`, and what it says once it does.
#[derive(Clone, Copy)]
struct Encryption {
    module: &'static str,
    kind: &'static str,
    done: &'static str,
    suites: &'static [Suite],
}

const SDES: Encryption = Encryption {
    module: "srtp",
    kind: "srtp",
    done: "SRTP is Enabled",
    suites: &[Suite::AES_CM_128_HMAC_SHA1_80],
};
const SDES_ALWAYS: Encryption = Encryption { kind: "srtp-mand", ..SDES };
const BY_DTLS: Encryption = Encryption {
    module: "dtls_srtp",
    kind: "dtls_srtp",
    done: "verified sha-256 fingerprint OK",
    suites: &[Suite::AES_CM_128_HMAC_SHA1_80, Suite::AEAD_AES_128_GCM, Suite::AEAD_AES_256_GCM],
};

fn account(server: &Kamailio) -> String {
    format!(
        "--account sip:alice:alice-secret@127.0.0.1:{} --codecs PCMU --local-port {}",
        server.port,
        free_port()
    )
}

fn encrypted(stage: &Stage, server: &Kamailio, how: Encryption) -> Result<Baresip, Failed> {
    let Encryption { module, kind, .. } = how;
    Baresip::start_encrypted((module, kind), stage, "bob", server.port, &Microphone::Tone(PEER_HZ))
}

fn phone_calls(stage: &Stage, policy: &str, how: Encryption) -> Outcome {
    let server = Kamailio::start(stage)?;
    let mut bob = encrypted(stage, &server, how)?;
    let (play, record) = (stage.path("play.wav"), stage.path("heard-by-phone.wav"));
    write_tone(&play, PHONE_HZ, LONG)?;
    let arguments = format!(
        "{} {policy} --headless call sip:bob@127.0.0.1:{} --play {} --record {}",
        account(&server),
        server.port,
        play.display(),
        record.display()
    );
    let mut phone = Phone::start(stage, "phone", &arguments)?;
    bob.wait_for("CALL_ESTABLISHED", SOON)?;
    bob.wait_for_line(how.done, SOON)?;
    heard_both_ways(&bob, &record)?;
    phone.interrupt();
    let call = phone.finish_call(SOON)?;
    bob.wait_for("CALL_CLOSED", SOON)?;
    expect(&call, "/codec", "PCMU")?;
    expect_suite(&call, how)?;
    compare(bob, &record)
}

/// In SDP the first that both have; by DTLS the server's choice.
fn expect_suite(call: &serde_json::Value, how: Encryption) -> Outcome {
    let said = call["srtp"].as_str();
    if how.suites.iter().any(|suite| said == Some(suite.as_str())) {
        return Ok(());
    }
    Err(format!("the suite is {said:?}, expected one of {:?}", how.suites).into())
}

/// Waits until each has heard enough of the other.
fn heard_both_ways(bob: &Baresip, record: &Path) -> Outcome {
    wait_for_stretch("heard by the phone", record, PEER_HZ, HEARD)?;
    bob.wait_for_stretch(PHONE_HZ, HEARD)
}

fn compare(bob: Baresip, record: &Path) -> Outcome {
    Analysis::new(&read_wav(record)?, PEER_HZ).expect_stretch("heard by the phone", PEER_HZ, HEARD)?;
    let recording = bob.recording()?;
    bob.quit()?;
    Analysis::new(&read_wav(&recording)?, PHONE_HZ).expect_stretch("heard by baresip", PHONE_HZ, HEARD)
}

fn answering_phone(stage: &Stage, server: &Kamailio, more: &str) -> Result<Phone, Failed> {
    let arguments = format!("{} --headless answer --count 1 --ring-for 1s {more}", account(server));
    let phone = Phone::start(stage, "phone", &arguments)?;
    server.wait_until_known("alice")?;
    Ok(phone)
}

fn baresip_calls(stage: &Stage, policy: &str, how: Encryption) -> Outcome {
    let server = Kamailio::start(stage)?;
    let (play, record) = (stage.path("play.wav"), stage.path("heard-by-phone.wav"));
    write_tone(&play, PHONE_HZ, LONG)?;
    let more = format!("{policy} --play {} --record {}", play.display(), record.display());
    let mut phone = answering_phone(stage, &server, &more)?;
    let mut bob = encrypted(stage, &server, how)?;
    bob.dial(&format!("sip:alice@127.0.0.1:{}", server.port))?;
    bob.wait_for("CALL_ESTABLISHED", SOON)?;
    bob.wait_for_line(how.done, SOON)?;
    heard_both_ways(&bob, &record)?;
    bob.command("hangup", "")?;
    bob.wait_for("CALL_CLOSED", SOON)?;
    let call = phone.finish_call(SOON)?;
    expect_suite(&call, how)?;
    compare(bob, &record)
}

/// Optional: a call in the clear. Compulsory: no call.
fn without(stage: &Stage) -> Outcome {
    let server = Kamailio::start(stage)?;
    let mut bob = Baresip::start(stage, "bob", server.port, &Microphone::Tone(PEER_HZ))?;
    let record = stage.path("heard-by-phone.wav");
    let call = |policy: &str, name: &str| {
        let arguments = format!(
            "{} --srtp {policy} --headless call sip:bob@127.0.0.1:{} --record {}",
            account(&server),
            server.port,
            record.display()
        );
        Phone::start(stage, name, &arguments)
    };
    let mut phone = call("optional", "optional")?;
    wait_for_stretch("heard by the phone", &record, PEER_HZ, 2.0)?;
    phone.interrupt();
    phone.finish_call(SOON)?;
    bob.wait_for("CALL_CLOSED", SOON)?;
    Analysis::new(&read_wav(&record)?, PEER_HZ).expect_stretch("heard by the phone", PEER_HZ, 2.0)?;
    let calls = call("compulsory", "compulsory")?.expect_exit(1, SOON)?;
    let [call] = &calls[..] else { return Err(format!("{} calls", calls.len()).into()) };
    expect(call, "/established", false)
}

/// A hold and its end are re-offers: the keys stay, and so do the counters.
fn held(stage: &Stage, policy: &str, how: Encryption) -> Outcome {
    let server = Kamailio::start(stage)?;
    let mut bob = encrypted(stage, &server, how)?;
    let record = stage.path("heard-by-phone.wav");
    let arguments = format!(
        "{} {policy} --headless call sip:bob@127.0.0.1:{} --record {} --hold 3s:3s",
        account(&server),
        server.port,
        record.display()
    );
    let mut phone = Phone::start(stage, "phone", &arguments)?;
    bob.wait_for("CALL_ESTABLISHED", SOON)?;
    wait_for_scene("heard by the phone", &record, PEER_HZ, Scene::Again)?;
    phone.interrupt();
    let call = phone.finish_call(SOON)?;
    expect(&call, "/holds", 1)?;
    let heard = Analysis::new(&read_wav(&record)?, PEER_HZ);
    heard.expect_hold("heard by the phone", 2.0)?;
    match heard.heard() > 4.0 {
        true => Ok(()),
        false => Err(format!("{} s of baresip's tone", heard.heard()).into()),
    }
}

fn sipp(stage: &Stage, policy: &str, file: &str) -> Outcome {
    let port = free_port();
    let arguments = format!(
        "--account sip:phone@127.0.0.1:{port} --no-register --local-port {port} --srtp {policy} --codecs PCMU \
         --headless answer --count 1 --ring-for 100ms"
    );
    let mut phone = Phone::start(stage, "phone", &arguments)?;
    phone.wait_for_port(port)?;
    let remote = format!("127.0.0.1:{port}");
    Sipp::start(stage, file, free_port(), Some(&remote), &["-m", "1", "-s", "phone"])?
        .expect_success(SOON)?;
    phone.finish_call(SOON).map(|_| ())
}

fn local(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

/// Our end of a session with FFmpeg. Its one key is for the way that speech goes.
fn stream(key: &MasterKey, theirs: u16) -> Stream {
    let mut agreed = Negotiated::new(&pcmu::SPEC, 0, local(theirs));
    agreed.srtp = Some(SrtpKeys { send: key.clone(), receive: key.clone() });
    Stream::new(StreamConfig::new(agreed, "sidetone@127.0.0.1", Rng::from_u64(1)))
}

/// FFmpeg reads a description with our key and records what we send.
fn speak(stage: &Stage, suite: Suite) -> Outcome {
    let key = MasterKey::random(suite, &mut Rng::from_u64(3));
    let (ours, theirs) = (UdpSocket::bind(local(0))?, free_port());
    let (sdp, wav) = (stage.path("session.sdp"), stage.path("heard.wav"));
    let line = CryptoLine { tag: 1, key: key.clone() }.to_value();
    let description = format!(
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio {theirs} RTP/SAVP 0\r\n\
         a=crypto:{line}\r\na=rtpmap:0 PCMU/8000\r\n"
    );
    std::fs::write(&sdp, description)?;
    let arguments = ["-protocol_whitelist", "file,udp,rtp,srtp", "-i", text(&sdp), "-t", "2", text(&wav)];
    let mut ffmpeg = start(stage, &arguments)?;
    ffmpeg.wait_for_udp_port(theirs, BOUND)?;
    let mut stream = stream(&key, theirs);
    let started = std::time::Instant::now();
    let mut now = Instant::ZERO;
    for frame in tone(PHONE_HZ, RATE, BOUND).chunks_exact(80) {
        now += TICK;
        stream.capture(now, frame);
        if stream.poll_timeout().is_some_and(|at| at <= now) {
            stream.handle_timeout(now);
        }
        while let Some(packet) = stream.poll_transmit() {
            // FFmpeg may be gone already, which the kernel tells the next who sends.
            let _ = ours.send_to(packet.payload, packet.destination);
        }
        // Until the next frame is due, or FFmpeg has what it wanted.
        if ffmpeg.wait((now - Instant::ZERO).saturating_sub(started.elapsed())).is_ok() {
            break;
        }
    }
    finish(ffmpeg)?;
    Analysis::new(&read_wav(&wav)?, PHONE_HZ).expect_tone("heard by FFmpeg", PHONE_HZ, 1.8)
}

fn receive(socket: &UdpSocket, into: &mut Vec<Vec<u8>>) {
    let mut datagram = [0; 2048];
    while let Ok(length) = socket.recv(&mut datagram) {
        into.push(datagram[..length].to_vec());
    }
}

/// FFmpeg sends with a key that it is told; RTCP too.
fn hear(stage: &Stage, suite: Suite) -> Outcome {
    // By the name of SDP FFmpeg has a tag of 32 bits on RTCP too, against RFC 4568 section 6.2.2; by that of DTLS 80.
    let name = match suite {
        Suite::AES_CM_128_HMAC_SHA1_32 => "SRTP_AES128_CM_HMAC_SHA1_32",
        _ => suite.as_str(),
    };
    let key = MasterKey::random(suite, &mut Rng::from_u64(4));
    let value = CryptoLine { tag: 1, key: key.clone() }.to_value();
    let secret = value.rsplit(':').next().unwrap_or_default();
    let (ours, theirs) = (free_port(), free_port());
    let (rtp, rtcp) = (UdpSocket::bind(local(ours))?, UdpSocket::bind(local(ours + 1))?);
    let wav = stage.path("tone.wav");
    write_tone(&wav, PEER_HZ, Duration::from_secs(2))?;
    let url = format!("srtp://127.0.0.1:{ours}?localrtpport={theirs}&pkt_size=182");
    let mut ffmpeg = start(
        stage,
        &[
            "-re",
            "-i",
            text(&wav),
            "-c:a",
            "pcm_mulaw",
            "-ar",
            "8000",
            "-ac",
            "1",
            "-f",
            "rtp",
            "-srtp_out_suite",
            name,
            "-srtp_out_params",
            secret,
            &url,
        ],
    )?;
    rtp.set_read_timeout(Some(TICK))?;
    rtcp.set_nonblocking(true)?;
    let (mut packets, mut reports) = (Vec::new(), Vec::new());
    let started = std::time::Instant::now();
    loop {
        let ended = ffmpeg.wait(Duration::ZERO).is_ok();
        let before = packets.len();
        receive(&rtp, &mut packets);
        receive(&rtcp, &mut reports);
        // Looked at after the end: whatever was sent is in the socket by then.
        if ended && packets.len() == before {
            break;
        }
        if started.elapsed() > BOUND {
            return Err(format!("ffmpeg still sends after {BOUND:?}").into());
        }
    }

    // Each packet comes when its timestamp says, so that a slow machine changes nothing.
    let stamp = |packet: &[u8]| u32::from_be_bytes(packet[4..8].try_into().unwrap());
    let first = stamp(packets.first().ok_or("not one packet came")?);
    let mut stream = stream(&key, theirs);
    let (mut now, mut heard) = (Instant::ZERO, Vec::new());
    let mut packets = packets.iter().peekable();
    let mut left = 30;
    while left > 0 {
        let ticks = (now - Instant::ZERO).as_millis() as u32 * 8;
        while let Some(packet) = packets.next_if(|packet| stamp(packet).wrapping_sub(first) <= ticks) {
            stream.handle_rtp(now, local(theirs), packet);
        }
        now += TICK;
        let mut pcm = [0; 80];
        stream.playout(now, &mut pcm);
        heard.extend_from_slice(&pcm);
        left -= u32::from(packets.peek().is_none());
    }
    for report in &reports {
        stream.handle_rtcp(now, local(theirs + 1), report);
    }
    finish(ffmpeg)?;
    let stats = stream.stats();
    if stats.packets_refused > 0 || stats.packets_received < 95 || reports.is_empty() {
        return Err(format!("{stats:?}").into());
    }
    let wav = stage.path("heard.wav");
    write_wav(&wav, 8000, &heard)?;
    Analysis::new(&read_wav(&wav)?, PEER_HZ).expect_tone("heard by us", PEER_HZ, 1.7)
}
