//! In steady state the jitter buffer allocates nothing: neither through jitter, loss and steps, nor in pauses.

use sidetone_hal::rng::Rng;
use sidetone_hal::time::{Duration, Instant};
use sidetone_media::jitter::trace::{Network, Slot};
use sidetone_media::jitter::{DelayLimits, Incoming, JitterBuffer, PayloadDecoder};

/// Decodes to a tone without state.
struct Tone;

impl PayloadDecoder for Tone {
    fn decode(&mut self, _: u8, payload: &[u8], pcm: &mut [i16]) -> usize {
        let count = payload.len().min(pcm.len());
        for (i, sample) in pcm[..count].iter_mut().enumerate() {
            *sample = if i % 50 < 25 { 6000 } else { -6000 };
        }
        count
    }

    fn conceal(&mut self, wanted: usize, pcm: &mut [i16]) -> usize {
        pcm[..wanted].fill(100);
        wanted
    }
}

#[test]
fn jitter_loss_pauses_and_steps_allocate_nothing() {
    let network = Network {
        reorder: 0.05,
        duplicate: 0.05,
        burst: Some(3.0),
        ..Network::new(Duration::from_millis(80), 0.05)
    };
    let trace = network.trace(20, 6000, &mut Rng::from_u64(3));
    let mut arrivals = Vec::new();
    for (slot, i) in trace.slots.iter().zip(0_u64..) {
        // Pauses, and a path that gets longer.
        let Slot::Packet { delay, again, .. } = *slot else { continue };
        let longer = Duration::from_millis(if i % 1000 > 600 { 90 } else { 0 });
        for delay in [Some(delay), again].into_iter().flatten().filter(|_| i % 200 < 180) {
            arrivals.push((Instant::from_millis(1000 + i * 20) + delay + longer, i));
        }
    }
    arrivals.sort_unstable();
    let mut jitter = JitterBuffer::new(8000, DelayLimits::default());
    let mut next = 0;
    let mut run = |jitter: &mut JitterBuffer, ticks: core::ops::Range<u64>| {
        for tick in ticks {
            let now = Instant::from_millis(1000 + tick * 10);
            while let Some(&(at, i)) = arrivals.get(next).filter(|(at, _)| *at <= now) {
                next += 1;
                let packet = Incoming {
                    sequence: 65_536 + i,
                    timestamp: i as u32 * 160,
                    clock: 8000,
                    codec: 0,
                    marker: i % 200 == 0,
                    recovered: false,
                    payload: &[0; 160],
                };
                jitter.insert(at, &packet);
            }
            jitter.pull(now, &mut Tone, &mut [0; 80]);
        }
    };
    run(&mut jitter, 0..100);
    let counted = allocation_counter::measure(|| run(&mut jitter, 100..12_000));
    assert_eq!((counted.count_total, counted.bytes_total), (0, 0), "{counted:?}");
    let stats = jitter.stats();
    assert!(stats.shortened > 10 && stats.lengthened > 5 && stats.concealed > 8000, "{stats:?}");
    assert!(stats.spurts > 25 && stats.duplicate > 50, "{stats:?}");
}
