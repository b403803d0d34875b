//! Multicast pages over the loopback interface, with FFmpeg at the other end: it hears ours and we hear its.

use crate::peers::ffmpeg::{finish, start, text};
use crate::peers::process::Process;
use crate::peers::sound::{Analysis, LONG, read_wav, tone};
use crate::peers::{FFMPEG, Outcome, Stage, free_port, trial};
use core::net::Ipv4Addr;
use core::time::Duration;
use libtest_mimic::{Failed, Trial};
use sidetone_codecs::CodecChoice;
use sidetone_hal::audio::{AudioFormat, AudioPort};
use sidetone_media::page::{ListenAddress, ListenConfig, PageAddress, PageEnd, PageEvent};
use sidetone_sip_ua::{MulticastOptions, OutgoingPage, Paging};
use std::sync::{Arc, Mutex};

const HERTZ: f64 = 1020.0;
const SECONDS: u32 = 4;
/// What must be heard of that at least, with under 1 % of its frames missing: of so many, one may; FFmpeg may join late or wait for the first packets.
const HEARD: f64 = 3.5;
/// How long FFmpeg may take for all it does, on a machine that does other things too.
const BOUND: Duration = Duration::from_secs(60);

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("ffmpeg_hears_our_page_in_pcmu", &[FFMPEG], |stage| speak(stage, "PCMU", 8000)),
        trial("ffmpeg_hears_our_page_in_pcma", &[FFMPEG], |stage| speak(stage, "PCMA", 8000)),
        trial("ffmpeg_hears_our_page_in_g722", &[FFMPEG], |stage| speak(stage, "G722", 16_000)),
        trial("we_hear_a_page_of_ffmpeg_in_pcmu", &[FFMPEG], |stage| hear(stage, "pcm_mulaw", 8000)),
        trial("we_hear_a_page_of_ffmpeg_in_pcma", &[FFMPEG], |stage| hear(stage, "pcm_alaw", 8000)),
        trial("we_hear_a_page_of_ffmpeg_in_g722", &[FFMPEG], |stage| hear(stage, "g722", 16_000)),
        trial("a_page_of_ffmpeg_takes_the_place_of_a_lower_one", &[FFMPEG], priorities),
        trial("a_page_of_one_phone_is_heard_by_all_others", &[], phones),
    ]
}

/// An address of the organisation's own range (RFC 2365), which no other trial uses.
fn group() -> (PageAddress, u16) {
    let port = free_port();
    let [high, low] = port.to_be_bytes();
    (PageAddress::new((Ipv4Addr::new(239, 195, high, low), port).into()).expect("multicast"), port)
}

fn loopback() -> MulticastOptions {
    let mut options = MulticastOptions::default();
    options.interface_v4 = Some(Ipv4Addr::LOCALHOST);
    options
}

/// A microphone with a tone in it, and an ear that remembers.
#[derive(Clone)]
struct Device {
    rate: u32,
    says: Arc<Vec<i16>>,
    at: usize,
    heard: Arc<Mutex<Vec<i16>>>,
}

impl Device {
    fn new(rate: u32) -> Self {
        let says = Arc::new(tone(HERTZ, rate, LONG));
        Self { rate, says, at: 0, heard: Arc::default() }
    }
}

impl Device {
    /// The analysis reads 8 kHz; the tone is far below the half of that.
    fn narrow(&self) -> Vec<i16> {
        self.heard.lock().unwrap().iter().copied().step_by((self.rate / 8000) as usize).collect()
    }
}

impl AudioPort for Device {
    fn format(&self) -> AudioFormat {
        AudioFormat::new(self.rate).expect("a rate")
    }

    fn read(&mut self, captured: &mut [i16]) {
        captured.copy_from_slice(&self.says[self.at..self.at + captured.len()]);
        self.at += captured.len();
    }

    fn write(&mut self, playout: &[i16]) {
        self.heard.lock().unwrap().extend_from_slice(playout);
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    runtime.expect("a runtime").block_on(future)
}

async fn event(paging: &mut Paging) -> Result<PageEvent, Failed> {
    let event = tokio::time::timeout(BOUND, paging.next_event()).await;
    event.map_err(|_| format!("no page event within {BOUND:?}"))?.ok_or_else(|| "paging ended".into())
}

/// We page until FFmpeg has heard enough.
fn speak(stage: &Stage, codec: &str, rate: u32) -> Outcome {
    let (address, port) = group();
    let spec = CodecChoice::parse(codec, rate).expect("a codec of ours").codec;
    let (sdp, wav) = (stage.path("page.sdp"), stage.path("heard.wav"));
    let group = address.socket().ip();
    let payload_type = spec.payload_type.expect("a static one");
    std::fs::write(
        &sdp,
        format!(
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=page\r\nc=IN IP4 {group}/1\r\nt=0 0\r\n\
             m=audio {port} RTP/AVP {payload_type}\r\n"
        ),
    )?;
    let (sdp, out) = (text(&sdp).to_owned(), text(&wav).to_owned());
    let seconds = SECONDS.to_string();
    let arguments =
        ["-protocol_whitelist", "file,udp,rtp", "-localaddr", "127.0.0.1", "-i", &sdp, "-t", &seconds];
    let arguments = [&arguments[..], &["-ar", "8000", "-ac", "1", &out]].concat();
    let mut ffmpeg = start(stage, &arguments)?;
    ffmpeg.wait_for_udp_port(port, BOUND)?;
    let stats = block_on(async {
        let page = OutgoingPage::start(address, spec, loopback(), Device::new(rate)).expect("a page");
        let waited = tokio::task::spawn_blocking(move || ffmpeg.wait(BOUND).map(|_| ffmpeg)).await;
        let stats = page.stop().await.expect("it ran");
        finish(waited.expect("no panic")?)?;
        Ok::<_, Failed>(stats)
    })?;
    println!("{codec}: {} packets with {} octets sent", stats.packets_sent, stats.octets_sent);
    Analysis::new(&read_wav(&wav)?, HERTZ).expect_tone(&format!("FFmpeg, {codec}"), HERTZ, HEARD)
}

/// FFmpeg pages with a tone.
fn page(
    stage: &Stage,
    encoder: &str,
    (address, rate, seconds): (PageAddress, u32, u32),
) -> Result<Process, Failed> {
    let url = format!("rtp://{address}?localaddr=127.0.0.1&ttl=1&pkt_size=172");
    // In frames of 20 ms, so that `-re` paces packets: a file is read 4096 octets at a time, and 256 ms of speech in one
    // burst is more than a page may be held back.
    let sine = format!(
        "sine=frequency={HERTZ}:sample_rate={rate}:samples_per_frame={}:duration={seconds}",
        rate / 50
    );
    let arguments = ["-re", "-f", "lavfi", "-i", &sine, "-c:a", encoder, "-ac", "1", "-f", "rtp", &url];
    start(stage, &arguments)
}

fn row(address: PageAddress, label: &str) -> ListenAddress {
    ListenAddress { address: Some(address), label: label.into() }
}

/// FFmpeg pages; we play that until we have heard enough, and it stops.
fn hear(stage: &Stage, encoder: &str, rate: u32) -> Outcome {
    let (address, _) = group();
    let device = Device::new(rate);
    block_on(async {
        let config = ListenConfig::new(vec![row(address, "all")], rate);
        let mut paging = Paging::listen(config, loopback(), device.clone())?;
        let mut ffmpeg = page(stage, encoder, (address, rate, 2 * BOUND.as_secs() as u32))?;
        assert!(matches!(event(&mut paging).await?, PageEvent::Started { priority: 1, .. }));
        heard_enough(core::slice::from_ref(&device)).await?;
        ffmpeg.signal("TERM");
        assert_eq!(event(&mut paging).await?, PageEvent::Ended { priority: 1, reason: PageEnd::Stopped });
        let stats = paging.stats().await?.expect("a page was played");
        println!("{encoder}: {stats:?}");
        assert_eq!((stats.packets_refused, stats.packets_lost), (0, 0));
        // All, if the codec were wrong; some, where a busy machine hands over more at once than is kept.
        assert!(stats.packets_dropped * 20 < stats.packets_received, "{stats:?}");
        ffmpeg.wait(BOUND)
    })?;
    Analysis::new(&device.narrow(), HERTZ).expect_stretch(&format!("we, {encoder}"), HERTZ, HEARD)
}

/// Waits until each has heard the tone without holes for long enough.
async fn heard_enough(devices: &[Device]) -> Outcome {
    let started = std::time::Instant::now();
    let mut turn = tokio::time::interval(Duration::from_millis(100));
    while !devices.iter().all(|device| Analysis::frames(&device.narrow(), HERTZ).has_stretch(HEARD)) {
        turn.tick().await;
        if started.elapsed() > BOUND {
            return Err(format!("{HEARD} s of a page without holes take more than {BOUND:?}").into());
        }
    }
    Ok(())
}

/// The page of a higher priority is played at once, and the other one again when it is over.
fn priorities(stage: &Stage) -> Outcome {
    let ((high, _), (low, _)) = (group(), group());
    block_on(async {
        let config = ListenConfig::new(vec![row(high, "fire"), row(low, "lunch")], 8000);
        let mut paging = Paging::listen(config, loopback(), Device::new(8000))?;
        let long = page(stage, "pcm_mulaw", (low, 8000, 8))?;
        assert!(matches!(event(&mut paging).await?, PageEvent::Started { priority: 2, .. }));
        let short = page(stage, "pcm_alaw", (high, 8000, 2))?;
        assert_eq!(
            event(&mut paging).await?,
            PageEvent::Ended { priority: 2, reason: PageEnd::Replaced { by: 1 } }
        );
        assert!(matches!(event(&mut paging).await?, PageEvent::Started { priority: 1, .. }));
        assert!(matches!(event(&mut paging).await?, PageEvent::Ignored { priority: 2, .. }));
        assert_eq!(event(&mut paging).await?, PageEvent::Ended { priority: 1, reason: PageEnd::Stopped });
        assert!(matches!(event(&mut paging).await?, PageEvent::Started { priority: 2, .. }));
        paging.dismiss().await?;
        assert_eq!(event(&mut paging).await?, PageEvent::Ended { priority: 2, reason: PageEnd::Dismissed });
        finish(short)?;
        drop(long);
        Ok(())
    })
}

/// Without a peer: two phones listen to one page, at rates of their own.
fn phones(_: &Stage) -> Outcome {
    let (address, _) = group();
    let devices = [Device::new(8000), Device::new(16_000)];
    block_on(async {
        let mut listeners = Vec::new();
        for device in &devices {
            let config = ListenConfig::new(vec![row(address, "all")], device.rate);
            listeners.push(Paging::listen(config, loopback(), device.clone())?);
        }
        let page = OutgoingPage::start(address, &sidetone_codecs::pcmu::SPEC, loopback(), Device::new(8000))?;
        for listener in &mut listeners {
            assert!(matches!(event(listener).await?, PageEvent::Started { priority: 1, .. }));
        }
        heard_enough(&devices).await?;
        let sent = page.stop().await?;
        assert!(sent.packets_sent > 170, "{sent:?}");
        for listener in &mut listeners {
            assert_eq!(event(listener).await?, PageEvent::Ended { priority: 1, reason: PageEnd::Stopped });
        }
        Ok::<_, Failed>(())
    })?;
    for device in &devices {
        Analysis::new(&device.narrow(), HERTZ).expect_stretch(
            &format!("at {} Hz", device.rate),
            HERTZ,
            HEARD,
        )?;
    }
    Ok(())
}
