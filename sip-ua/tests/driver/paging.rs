//! Multicast pages between tasks on the loopback interface: heard, ranked, dismissed, barging into calls.

use sidetone_codecs::pcmu;
use sidetone_hal::audio::{AudioFormat, AudioPort};
use sidetone_media::page::{
    Barge, Ignored, ListenAddress, ListenConfig, PageAddress, PageEnd, PageEvent, PageRules, PhoneState,
};
use sidetone_media::tone::Goertzel;
use sidetone_sip_ua::{MulticastOptions, OutgoingPage, Paging};
use std::net::{Ipv4Addr, UdpSocket};
use std::time::Duration;
use tokio::sync::watch;

/// More than anything here takes on a busy machine; a failure, not a pause.
const BOUND: Duration = Duration::from_secs(60);

/// Says a tone, and tells the share of it in the last 100 ms that were heard.
struct Device {
    rate: u32,
    at: u32,
    window: Vec<i16>,
    heard: watch::Sender<f32>,
}

fn device(rate: u32) -> (Device, watch::Receiver<f32>) {
    let (heard, receiver) = watch::channel(0.0);
    (Device { rate, at: 0, window: Vec::new(), heard }, receiver)
}

impl AudioPort for Device {
    fn format(&self) -> AudioFormat {
        AudioFormat::new(self.rate).unwrap()
    }

    fn read(&mut self, captured: &mut [i16]) {
        for sample in captured {
            let turns = f64::from(self.at) * 600.0 / f64::from(self.rate);
            *sample = (8000.0 * (turns * std::f64::consts::TAU).sin()) as i16;
            self.at = (self.at + 1) % self.rate;
        }
    }

    fn write(&mut self, playout: &[i16]) {
        self.window.extend_from_slice(playout);
        if self.window.len() >= self.rate as usize / 10 {
            let mut goertzel = Goertzel::new(self.rate, 600.0);
            goertzel.add(&self.window);
            self.heard.send_replace(goertzel.share());
            self.window.clear();
        }
    }
}

/// Two addresses that nobody else uses now: each has a port that the system chose.
fn groups() -> [PageAddress; 2] {
    [(); 2].map(|()| {
        let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let [high, low] = port.to_be_bytes();
        PageAddress::new((Ipv4Addr::new(239, 195, high, low), port).into()).unwrap()
    })
}

fn loopback() -> MulticastOptions {
    let mut options = MulticastOptions::default();
    options.interface_v4 = Some(Ipv4Addr::LOCALHOST);
    options
}

fn listen(groups: &[PageAddress], rules: PageRules, rate: u32) -> (Paging, watch::Receiver<f32>) {
    let row = |address: &PageAddress| ListenAddress { address: Some(*address), label: address.to_string() };
    let mut config = ListenConfig::new(groups.iter().map(row).collect(), 8000);
    config.rules = rules;
    let (device, heard) = device(rate);
    (Paging::listen(config, loopback(), device).unwrap(), heard)
}

fn page(group: PageAddress, rate: u32) -> OutgoingPage {
    OutgoingPage::start(group, &pcmu::SPEC, loopback(), device(rate).0).unwrap()
}

async fn event(paging: &mut Paging) -> PageEvent {
    let event = tokio::time::timeout(BOUND, paging.next_event()).await;
    event.unwrap_or_else(|_| panic!("no page event within {BOUND:?}")).expect("paging runs")
}

async fn started(paging: &mut Paging, wanted: u8) {
    match event(paging).await {
        PageEvent::Started { priority, source } => {
            assert_eq!((priority, source.ip()), (wanted, Ipv4Addr::LOCALHOST.into()));
        }
        other => panic!("{other:?} instead of page {wanted}"),
    }
}

async fn tone(heard: &mut watch::Receiver<f32>) {
    heard.mark_unchanged();
    tokio::time::timeout(BOUND, heard.wait_for(|share| *share > 0.95)).await.expect("a tone").unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn every_listener_hears_a_page_at_its_own_rate() {
    let groups = groups();
    let mut phones = [8000, 16_000, 48_000].map(|rate| listen(&groups, PageRules::default(), rate));
    let page = page(groups[1], 16_000);
    for (paging, heard) in &mut phones {
        started(paging, 2).await;
        tone(heard).await;
    }
    let sent = page.stop().await.unwrap();
    assert!(sent.packets_sent > 5, "{sent:?}");
    for (paging, _) in &mut phones {
        assert_eq!(event(paging).await, PageEvent::Ended { priority: 2, reason: PageEnd::Stopped });
        assert!(paging.stats().await.unwrap().unwrap().packets_received > 5);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn priorities_calls_and_the_user_decide() {
    let groups = groups();
    let rules = PageRules::default();
    let (mut paging, mut heard) = listen(&groups, rules, 8000);
    let _low = page(groups[1], 8000);
    started(&mut paging, 2).await;
    let high = page(groups[0], 8000);
    assert_eq!(
        event(&mut paging).await,
        PageEvent::Ended { priority: 2, reason: PageEnd::Replaced { by: 1 } }
    );
    started(&mut paging, 1).await;
    assert!(matches!(
        event(&mut paging).await,
        PageEvent::Ignored { priority: 2, reason: Ignored::Page, .. }
    ));
    tone(&mut heard).await;
    drop(high);
    assert_eq!(event(&mut paging).await, PageEvent::Ended { priority: 1, reason: PageEnd::Stopped });
    started(&mut paging, 2).await;

    // A call of priority 1 begins.
    let mut strict = rules;
    strict.barge = Barge::Priority(1);
    paging.set_rules(strict).await.unwrap();
    paging.set_phone(PhoneState { call: true, ..PhoneState::default() }).await.unwrap();
    let refused = PageEnd::Refused(Ignored::Call);
    assert_eq!(event(&mut paging).await, PageEvent::Ended { priority: 2, reason: refused });
    assert!(matches!(
        event(&mut paging).await,
        PageEvent::Ignored { priority: 2, reason: Ignored::Call, .. }
    ));
    paging.set_phone(PhoneState::default()).await.unwrap();
    started(&mut paging, 2).await;
    paging.dismiss().await.unwrap();
    assert_eq!(event(&mut paging).await, PageEvent::Ended { priority: 2, reason: PageEnd::Dismissed });
    let nothing = tokio::time::timeout(Duration::from_millis(200), paging.next_event()).await;
    assert!(nothing.is_err(), "{nothing:?}");
}
