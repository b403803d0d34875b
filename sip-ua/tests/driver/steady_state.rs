//! While two calls talk, nothing allocates: not the media tasks, not the agents that wait beside them.

use core::time::Duration;
use sidetone_hal::audio::{AudioFormat, AudioPort};
use sidetone_sip_ua::{AccountConfig, CallEvent, Protocol, UserAgent, UserAgentEvent};
use tokio::sync::watch;

/// Counts the frames for the ear.
struct Counter(watch::Sender<u32>);

impl AudioPort for Counter {
    fn format(&self) -> AudioFormat {
        AudioFormat::NARROWBAND
    }

    fn read(&mut self, captured: &mut [i16]) {
        captured.fill(1000);
    }

    fn write(&mut self, _playout: &[i16]) {
        self.0.send_modify(|frames| *frames += 1);
    }
}

#[test]
fn talking_allocates_nothing() {
    // One thread, so that the counter sees every task.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (frames, mut heard) = watch::channel(0);
    let agents = runtime.block_on(async {
        let localhost = "127.0.0.1:0".parse().unwrap();
        let alice = UserAgent::builder().bind_udp(localhost).build().await.unwrap();
        let mut bob = UserAgent::builder().bind_udp(localhost).build().await.unwrap();
        let config = AccountConfig::parse("sip:alice@127.0.0.1").unwrap().without_registration();
        let account = alice.add_account(config).await.unwrap();
        let target = format!("sip:bob@{}", bob.local_addr(Protocol::Udp).unwrap());
        let mut call = account.call(target, Counter(watch::channel(0).0)).await.unwrap();
        let Some(UserAgentEvent::Incoming(incoming)) = bob.next_event().await else { panic!("no call") };
        let answered = incoming.answer(Counter(frames)).await.unwrap();
        while call.next_event().await != Some(CallEvent::Established) {}
        (alice, bob, call, answered)
    });
    let mut run_until = |frame: u32| {
        runtime.block_on(async {
            let enough = heard.wait_for(|frames| *frames >= frame);
            tokio::time::timeout(Duration::from_secs(60), enough).await.expect("the audio flows").unwrap();
        });
    };
    // Queues and buffers take their size in the first second.
    run_until(100);
    let allocations = allocation_counter::measure(|| run_until(300));
    assert_eq!(allocations.count_total, 0, "{allocations:?}");
    let stats = runtime.block_on(agents.2.stats()).unwrap();
    assert!(stats.packets_sent > 100 && stats.packets_received > 100, "{stats:?}");
}
