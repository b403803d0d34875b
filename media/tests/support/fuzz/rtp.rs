//! Packets of a stream in any order: what is read is written so that it reads the same, and a stream plays on.

use super::{datagrams, joined};
use sidetone_codecs::{pcma, pcmu};
use sidetone_hal::rng::Rng;
use sidetone_hal::time::{Duration, Instant};
use sidetone_media::redundancy::{RedundantSender, blocks};
use sidetone_media::rtp::{HeaderExtras, Packet};
use sidetone_media::sdp::{Format, Redundancy};
use sidetone_media::{Negotiated, Stream, StreamConfig};

pub fn run(data: &[u8]) {
    let peer = "192.0.2.2:4000".parse().unwrap();
    let mut agreed = Negotiated::new(&pcmu::SPEC, 0, peer);
    agreed.receive.push(Format::new(8, &pcma::SPEC));
    agreed.rtcp_mux = true;
    agreed.redundancy = Some(Redundancy { payload_type: 121, receive_payload_type: 121, generations: 2 });
    let mut stream = Stream::new(StreamConfig::new(agreed, "a@b", Rng::from_u64(1)));
    let mut now = Instant::from_millis(1000);
    let mut pcm = [0; 80];
    for datagram in datagrams(data).take(200) {
        one(datagram);
        // The first octet of a packet's stamp says when it comes, too.
        now += Duration::from_millis(u64::from(datagram.get(7).copied().unwrap_or(20) % 64));
        stream.handle_rtp(now, peer, datagram);
        stream.playout(now, &mut pcm);
        stream.capture(now, &pcm);
        if stream.poll_timeout().is_some_and(|at| at <= now) {
            stream.handle_timeout(now);
        }
        while stream.poll_transmit().is_some() {}
        while stream.poll_event().is_some() {}
    }
    let stats = stream.stats();
    assert!(stats.concealed <= stats.played && (1.0..=4.5).contains(&stats.mos()), "{stats:?}");
    assert!((0.0..=100.0).contains(&stats.loss_percent()), "{stats:?}");
}

fn one(datagram: &[u8]) {
    let Ok(packet) = Packet::parse(datagram) else { return };
    let extras = HeaderExtras::parse(datagram).expect("what is a packet has a header");
    let contributors: Vec<u32> = extras.contributors().collect();
    let extension = extras.extension.map(|extension| (extension.profile, extension.data));
    if let Some(extension) = extras.extension {
        assert!(extension.elements().map(|(_, data)| data.len()).sum::<usize>() <= extension.data.len());
    }
    let mut out = [0; 600];
    let length = packet.write_with(&contributors, extension, &mut out).expect("it was shorter");
    assert_eq!(Packet::parse(&out[..length]), Ok(packet));
    assert_eq!(length + usize::from(extras.padding), datagram.len());
    if let Ok(blocks) = blocks(packet.payload) {
        // All but the last are in the order of their age.
        let all: Vec<_> = blocks.collect();
        assert!(all.last().is_some_and(|primary| (primary.back, primary.offset) == (0, 0)));
        assert!(all.windows(2).all(|pair| pair[0].back == pair[1].back + 1));
    }
}

pub fn seeds() -> Vec<Vec<u8>> {
    let packet = |payload_type, i: u16, payload: &[u8]| {
        let packet = Packet {
            payload_type,
            marker: i == 0,
            sequence: 65_530_u16.wrapping_add(i),
            timestamp: (u32::MAX - 200).wrapping_add(u32::from(i) * 160),
            ssrc: 7,
            payload,
        };
        let mut out = vec![0; 255];
        let length =
            packet.write_with(&[1, 2][..usize::from(i % 3)], Some((0xbede, &[0x10, 1, 0, 0])), &mut out);
        out.truncate(length.unwrap());
        out
    };
    let plain: Vec<_> = (0..4).map(|i| packet(i as u8 % 2 * 8, i, &[0x55; 80])).collect();
    let events: Vec<_> =
        (0..4).map(|i| packet(101, i, &[5, if i == 3 { 0x8a } else { 10 }, 0, 160])).collect();
    let mut sender = RedundantSender::new(2);
    let redundant = (0..4).map(|i| {
        let mut out = [0; 250];
        let length = sender.write(0, i, u32::from(i) * 160, &[i as u8; 40], &mut out).unwrap();
        packet(121, i, &out[..length])
    });
    let redundant: Vec<_> = redundant.collect();
    vec![joined(&plain), joined(&events), joined(&redundant), vec![12, 0x80, 0], vec![0, 0, 1, 0x80]]
}
