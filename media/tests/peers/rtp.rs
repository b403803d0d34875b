//! Our RTP and RTCP as others see them, and theirs as we do: tshark and ffmpeg, where they are installed.
//!
//! `SIDETONE_REQUIRE_PEERS=1` makes a missing one fail.

use crate::common::{address, negotiated, sine};
use core::net::SocketAddr;
use sidetone_codecs::pcmu;
use sidetone_hal::rng::Rng;
use sidetone_hal::time::{Duration, Instant};
use sidetone_media::rtcp::{DelaySinceLast, StatisticsSummary, Writer};
use sidetone_media::sdp::{Redundancy, RtcpXr};
use sidetone_media::{Channel, Stream, StreamConfig};
use std::net::UdpSocket;
use std::process::{Child, Command, Stdio};

/// Whether a program is there; if not, its Debian package is named.
fn found(program: &str, package: &str) -> bool {
    let there =
        Command::new(program).arg("-version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    assert!(
        there || std::env::var_os("SIDETONE_REQUIRE_PEERS").is_none(),
        "{program} (package {package}) is missing"
    );
    if !there {
        eprintln!("not tested: {program} (package {package}) is missing");
    }
    there
}

/// A capture of datagrams to 192.0.2.2, with link type 228 (raw IPv4).
fn capture(datagrams: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let mut file = Vec::new();
    for word in [0xa1b2_c3d4_u32, 0x0002_0004, 0, 0, 65_535, 228] {
        let word = if word == 0x0002_0004 { 0x0004_0002 } else { word };
        file.extend(word.to_le_bytes());
    }
    for (i, (port, payload)) in datagrams.iter().enumerate() {
        let (udp, ip) = ((8 + payload.len()) as u16, (28 + payload.len()) as u16);
        for word in [1_000_000 + i as u32, 0, ip.into(), ip.into()] {
            file.extend(word.to_le_bytes());
        }
        let [high, low] = ip.to_be_bytes();
        file.extend([0x45, 0, high, low, 0, i as u8, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2]);
        for number in [*port, *port, udp, 0] {
            file.extend(number.to_be_bytes());
        }
        file.extend(payload);
    }
    file
}

/// Everything a stream with extended reports and redundancy sends in 30 s while a tenth of what it gets is lost.
fn sent() -> Vec<(u16, Vec<u8>)> {
    let mut agreed = negotiated(&pcmu::SPEC, address(2, 4000));
    agreed.rtcp_xr = RtcpXr::parse("rcvr-rtt=all stat-summary voip-metrics");
    agreed.redundancy = Some(Redundancy { payload_type: 121, receive_payload_type: 121, generations: 1 });
    let mut stream = Stream::new(StreamConfig::new(agreed, "phone@192.0.2.1", Rng::from_u64(5)));
    let mut sent = Vec::new();
    for tick in 0..3000_u64 {
        let now = Instant::from_millis(tick * 10);
        let index = (tick / 2) as u16;
        if tick % 2 == 0 && (index == 0 || !index.is_multiple_of(10)) {
            let packet = sidetone_media::rtp::Packet {
                payload_type: 0,
                marker: false,
                sequence: index,
                timestamp: u32::from(index) * 160,
                ssrc: 77,
                payload: &[0xff; 160],
            };
            let mut octets = [0; 172];
            packet.write(&mut octets).unwrap();
            stream.handle_rtp(now, address(2, 4000), &octets);
        }
        stream.capture(now, &[0; 80]);
        stream.playout(now, &mut [0; 80]);
        if stream.poll_timeout().is_some_and(|at| at <= now) {
            stream.handle_timeout(now);
        }
        if tick == 2999 {
            stream.close(now);
        }
        while let Some(packet) = stream.poll_transmit() {
            let port = if packet.channel == Channel::Rtp { 4000 } else { 4001 };
            sent.push((port, packet.payload.to_vec()));
        }
    }
    // Every kind of block and packet at once.
    let mut out = [0; 512];
    let mut writer = Writer::new(&mut out);
    writer.receiver_report(9, &[]).unwrap();
    let names = [
        (1, "a@192.0.2.1"),
        (2, "Alice"),
        (3, "a@example.org"),
        (4, "+49"),
        (5, "here"),
        (6, "Sidetone"),
        (7, "-"),
    ];
    writer.source_descriptions(&[(9, &names), (10, &[(1, "b")])]).unwrap();
    writer.application(9, 3, *b"side", &[1, 2, 3]).unwrap();
    let mut report = writer.extended_report(9).unwrap();
    report.receiver_reference_time(0x0123_4567_89ab_cdef).unwrap();
    let entry = DelaySinceLast { ssrc: 10, last_receiver_report: 4, delay_since_last_receiver_report: 5 };
    report.delays_since_last(&[entry, entry]).unwrap();
    report.statistics(&StatisticsSummary { ssrc: 10, end: 9, lost: Some(4), ..Default::default() }).unwrap();
    writer.byes(&[9, 10], "done").unwrap();
    let length = writer.finish();
    sent.push((4001, out[..length].to_vec()));
    sent
}

#[test]
fn tshark_finds_nothing_malformed_and_reads_what_we_wrote() {
    if !found("tshark", "tshark") {
        return;
    }
    let path = std::env::temp_dir().join(format!("sidetone-rtp-{}.pcap", std::process::id()));
    let sent = sent();
    std::fs::write(&path, capture(&sent)).unwrap();
    let fields = [
        "udp.dstport",
        "_ws.malformed",
        "rtcp.pt",
        "rtcp.length_check",
        "rtcp.xr.bt",
        "rtcp.xr.voipmetrics.moslq",
        "rtcp.xr.voipmetrics.gmin",
        "rtp.p_type",
        "_ws.expert.message",
        "rtcp.sdes.text",
    ];
    let mut command = Command::new("tshark");
    command.arg("-r").arg(&path).args([
        "-d",
        "udp.port==4000,rtp",
        "-d",
        "udp.port==4001,rtcp",
        "-T",
        "fields",
    ]);
    command.args(["-o", "rtp.rfc2198_payload_type:121"]);
    for field in fields {
        command.args(["-e", field]);
    }
    let output = command.stderr(Stdio::piped()).output().unwrap();
    std::fs::remove_file(&path).ok();
    let (text, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split('\t').collect()).collect();
    assert_eq!(rows.len(), sent.len(), "{errors}");
    let mut metrics = 0;
    for (row, (port, octets)) in rows.iter().zip(&sent) {
        assert_eq!(row[0], port.to_string());
        assert_eq!(row[1], "", "malformed: {row:?} {octets:02x?}");
        if *port == 4001 {
            // The lengths of the packets of a compound add up.
            assert!(!row[3].contains("False") && !row[3].contains('0'), "{row:?}");
            assert!(row[2].starts_with("200,202,") || row[2].starts_with("201,202,"), "{row:?}");
            assert!(!row[8].to_lowercase().contains("malformed"), "{row:?}");
            metrics += usize::from(row[4].split(',').any(|kind| kind == "7"));
        } else {
            assert!(row[7].split(',').any(|kind| kind == "121"), "{row:?}");
        }
    }
    assert!(metrics > 3, "{metrics} reports with VoIP metrics");
    let last = rows.last().unwrap();
    assert_eq!(last[2], "201,202,204,207,203");
    assert_eq!(last[4], "4,5,6");
    assert!(last[9].contains("Sidetone"), "{last:?}");
    let report = rows.iter().rev().find(|row| !row[5].is_empty()).expect("a report with a MOS");
    let mos: f32 = report[5].split(',').next().unwrap().parse().unwrap();
    // tshark shows it in tenths.
    assert!((2.9..4.0).contains(&(if mos > 5.0 { mos / 10.0 } else { mos })), "{report:?}");
    assert_eq!(report[6], "16");
}

/// A child that ends with the test.
struct Peer(Child);

impl Drop for Peer {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Two sockets: an even port, and the one above it.
fn sockets() -> (UdpSocket, UdpSocket, SocketAddr) {
    for _ in 0..100 {
        let rtp = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
        let address = rtp.local_addr().unwrap();
        if address.port().is_multiple_of(2)
            && let Ok(rtcp) = UdpSocket::bind(("127.0.0.1", address.port() + 1))
        {
            return (rtp, rtcp, address);
        }
    }
    panic!("no pair of ports");
}

#[test]
fn ffmpeg_is_heard_and_its_reports_are_answered() {
    if !found("ffmpeg", "ffmpeg") {
        return;
    }
    let (rtp, rtcp, ours) = sockets();
    let (spare, spare_rtcp, theirs) = sockets();
    drop((spare, spare_rtcp));
    let target = format!(
        "rtp://{ours}?localrtpport={}&localrtcpport={}&pkt_size=172",
        theirs.port(),
        theirs.port() + 1
    );
    let mut command = Command::new("ffmpeg");
    command.args([
        "-hide_banner",
        "-loglevel",
        "error",
        "-re",
        "-f",
        "lavfi",
        "-i",
        "sine=frequency=1000:sample_rate=8000",
    ]);
    command.args(["-af", "volume=8", "-ac", "1", "-c:a", "pcm_mulaw", "-f", "rtp", &target]);
    let peer =
        Peer(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());

    let mut agreed = negotiated(&pcmu::SPEC, theirs);
    agreed.rtcp_xr = RtcpXr::parse("voip-metrics");
    let mut stream = Stream::new(StreamConfig::new(agreed, "phone@127.0.0.1", Rng::from_u64(3)));
    for socket in [&rtp, &rtcp] {
        socket.set_nonblocking(true).unwrap();
    }
    let begin = std::time::Instant::now();
    let (mut ticks, mut ear, mut reports, mut sender_reports) = (0_u64, Vec::new(), 0, 0);
    let mut buffer = [0; 2048];
    // Until enough was heard and reported; 40 s at most.
    while (ear.len() < 8000 * 8 || reports < 1 || sender_reports < 1) && begin.elapsed().as_secs() < 40 {
        let now = Instant::ZERO + begin.elapsed();
        while let Ok((length, source)) = rtp.recv_from(&mut buffer) {
            stream.handle_rtp(now, source, &buffer[..length]);
        }
        while let Ok((length, source)) = rtcp.recv_from(&mut buffer) {
            sender_reports += usize::from(buffer[1] == 200);
            stream.handle_rtcp(now, source, &buffer[..length]);
        }
        while Duration::from_millis(ticks * 10) <= begin.elapsed() {
            let captured: [i16; 80] = core::array::from_fn(|i| sine(440.0, ticks * 80 + i as u64));
            let mut playout = [0; 80];
            stream.capture(now, &captured);
            stream.playout(now, &mut playout);
            ear.extend(playout);
            ticks += 1;
        }
        if stream.poll_timeout().is_some_and(|at| at <= now) {
            stream.handle_timeout(now);
        }
        while let Some(packet) = stream.poll_transmit() {
            let socket = if packet.channel == Channel::Rtp { &rtp } else { &rtcp };
            reports += usize::from(packet.channel == Channel::Rtcp);
            socket.send_to(packet.payload, packet.destination).ok();
        }
        std::thread::yield_now();
    }
    drop(peer);
    let stats = stream.stats();
    assert!(stats.packets_received > 200 && stats.packets_refused == 0, "{stats:?}");
    assert!(reports >= 1 && sender_reports >= 1, "{reports} reports, {sender_reports} sender reports");
    // The tone is in what was played, once it began.
    let heard =
        ear.chunks_exact(400).filter(|window| sidetone_media::tone::level(window, 8000, 1000.0) > 1000.0);
    let heard = heard.count();
    assert!(heard * 2 > ear.len() / 400, "{heard} of {} windows, {stats:?}", ear.len() / 400);
    assert!(stats.mos() > 3.0, "{stats:?}");
}
