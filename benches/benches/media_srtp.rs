//! SRTP: protects a packet of 172 octets (20 ms of G.711) and opens it again, beside libsrtp.

#![allow(clippy::expect_used, reason = "a benchmark stops on what should not happen")]

use core::hint::black_box;
use criterion::{Criterion, criterion_group, criterion_main};
use sidetone_benches::peer::libsrtp::Session;
use sidetone_hal::rng::Rng;
use sidetone_media::srtp::{Inbound, MasterKey, Outbound, SrtpConfig, Suite};

/// Octets of the RTP packet.
const PACKET: usize = 172;
/// With the room that libsrtp wants behind a packet, protected or not.
type Buffer = [u8; PACKET + 320];

/// The next packet of a stream.
fn write(buffer: &mut Buffer, sequence: u16) {
    buffer[..2].copy_from_slice(&[0x80, 0]);
    buffer[2..4].copy_from_slice(&sequence.to_be_bytes());
    buffer[4..12].copy_from_slice(&[0, 0, 1, 0, 1, 2, 3, 4]);
}

fn media_srtp(criterion: &mut Criterion) {
    let suites = [
        Suite::AES_CM_128_HMAC_SHA1_80,
        Suite::AES_256_CM_HMAC_SHA1_80,
        Suite::AEAD_AES_128_GCM,
        Suite::AEAD_AES_256_GCM,
    ];
    for suite in suites {
        let mut group = criterion.benchmark_group(format!("SRTP, 172 octets, {suite}"));
        let key = MasterKey::random(suite, &mut Rng::from_u64(1));
        let (mut sequence, mut buffer) = (0_u16, [0x55; PACKET + 320]);
        let config = SrtpConfig::default();
        let (mut out, mut into) = (Outbound::new(&key, &config), Inbound::new(&key, &config));
        group.bench_function("sidetone", |b| {
            b.iter(|| {
                sequence = sequence.wrapping_add(1);
                write(&mut buffer, sequence);
                let sent = out.protect_rtp(black_box(&mut buffer), PACKET).expect("protected");
                let opened = into.unprotect_rtp(black_box(&mut buffer[..sent])).expect("opened");
                assert_eq!(opened, PACKET);
            });
        });
        let octets = [key.key(), key.salt()].concat();
        let peers = Session::outbound(suite.as_str(), &octets).zip(Session::inbound(suite.as_str(), &octets));
        if let Some((mut out, mut into)) = peers {
            let mut sequence = 0_u16;
            group.bench_function("libsrtp", |b| {
                b.iter(|| {
                    sequence = sequence.wrapping_add(1);
                    write(&mut buffer, sequence);
                    let sent = out.pass(black_box(&mut buffer), PACKET);
                    assert_eq!(into.pass(black_box(&mut buffer), sent), PACKET);
                });
            });
        }
        group.finish();
    }
}

criterion_group!(benches, media_srtp);
criterion_main!(benches);
