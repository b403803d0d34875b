//! 10 000 broken datagrams, SIP, RTP and RTCP, at a phone while a call is up. The phone must not end, must not
//! grow, and must not lose the call or its sound.

use crate::peers::phone::{Phone, expect};
use crate::peers::sound::{LONG, RATE, growing, share_at, wait_until_recorded, write_tone};
use crate::peers::{Outcome, SOON, Stage, free_port, trial};
use core::net::SocketAddr;
use core::time::Duration;
use libtest_mimic::{Failed, Trial};
use sidetone_hal::rng::Rng;
use std::collections::BTreeSet;
use std::net::UdpSocket;
use std::sync::{Arc, Mutex};
use std::time::Instant;

const DATAGRAMS: usize = 10_000;
const SEED: u64 = 0x51de_7043;
/// What the process may hold more after the attack than before it. Refused INVITEs are kept for 32 s by
/// RFC 3261, a bounded number of them.
const MAY_GROW_KIB: u64 = 32 * 1024;
const CALLER_HZ: f64 = 435.0;
const CALLED_HZ: f64 = 1005.0;

pub(crate) fn trials() -> Vec<Trial> {
    vec![trial("a_call_survives_10000_hostile_datagrams", &[], attack)]
}

fn attack(stage: &Stage) -> Outcome {
    let port = free_port();
    let loopback = |port: u16| SocketAddr::from(([127, 0, 0, 1], port));
    let (heard_by_called, heard_by_caller) =
        (stage.path("heard-by-called.wav"), stage.path("heard-by-caller.wav"));
    let (caller_says, called_says) = (stage.path("caller.wav"), stage.path("called.wav"));
    write_tone(&caller_says, CALLER_HZ, LONG)?;
    write_tone(&called_says, CALLED_HZ, LONG)?;
    let mut called = Phone::start(
        stage,
        "called",
        &format!(
            "--account sip:called@127.0.0.1:{port} --no-register --local-port {port} --headless answer --play {} --record {}",
            called_says.display(),
            heard_by_called.display()
        ),
    )?;
    called.wait_for_port(port)?;
    let relay = Relay::start(loopback(port))?;
    let mut caller = Phone::start(
        stage,
        "caller",
        &format!(
            "--account sip:caller@127.0.0.1 --no-register --local-port {} --headless call sip:called@{} --play {} --record {}",
            free_port(),
            relay.address,
            caller_says.display(),
            heard_by_caller.display()
        ),
    )?;
    relay.wait_for(b"ACK ", SOON)?;

    let media: Vec<_> =
        udp_ports(called.id())?.into_iter().filter(|other| *other != port).map(loopback).collect();
    if media.len() < 2 {
        return Err(
            format!("the phone has the UDP ports {media:?}, expected one for RTP and one for RTCP").into()
        );
    }
    let begin = Instant::now();
    // What a first call makes a process load is not growth.
    let before = resident_kib(called.id())?;
    let mut hostile = Hostile::new(relay.templates(), port)?;
    for number in 0..DATAGRAMS {
        if number % 3 == 2 {
            hostile.send_media(&media)?;
        } else {
            hostile.send_sip(&relay, loopback(port))?;
        }
        if number % 100 == 99 {
            // No flood that the kernel would drop: everything so far was read when this is answered.
            hostile.wait_until_served(loopback(port))?;
        }
    }
    let after = resident_kib(called.id())?;
    println!("{DATAGRAMS} datagrams in {:?}: {before} KiB before, {after} KiB after", begin.elapsed());
    for (who, file, hertz) in
        [("the called side", &heard_by_called, CALLER_HZ), ("the caller", &heard_by_caller, CALLED_HZ)]
    {
        let during = growing(file).map_or(0, |(_, samples)| samples.len());
        wait_until_recorded(&format!("{who}: {hertz} Hz after the attack"), file, |_, samples| {
            let since = samples.get(during..).unwrap_or_default();
            since.chunks_exact(RATE as usize * 2).any(|two_seconds| share_at(two_seconds, RATE, hertz) > 0.9)
        })?;
    }
    caller.interrupt();
    let call = caller.finish_call(SOON)?;
    expect(&call, "/cause/by", "local")?;
    let call = called.finish_call(SOON)?;
    expect(&call, "/cause/by", "remote")?;
    match after.saturating_sub(before) {
        growth if growth > MAY_GROW_KIB => Err(format!("the phone grew by {growth} KiB").into()),
        _ => Ok(()),
    }
}

/// A proxy of a few lines between caller and called phone, so that the attack knows the call's identifiers and
/// comes from the address that the called phone trusts. It puts itself on the route (RFC 3261 section 16.6).
struct Relay {
    address: SocketAddr,
    socket: UdpSocket,
    passed: Arc<Mutex<Vec<Vec<u8>>>>,
    news: std::sync::mpsc::Receiver<()>,
}

impl Relay {
    fn start(called: SocketAddr) -> Result<Self, Failed> {
        let socket = UdpSocket::bind(("127.0.0.1", 0))?;
        let address = socket.local_addr()?;
        let passed = Arc::new(Mutex::new(Vec::new()));
        let (told, news) = std::sync::mpsc::channel();
        let (own, seen) = (socket.try_clone()?, Arc::clone(&passed));
        std::thread::spawn(move || {
            let mut caller = None;
            let mut buffer = [0; 65_536];
            while let Ok((length, source)) = own.recv_from(&mut buffer) {
                let datagram = &buffer[..length];
                if source == called {
                    // Answers to the attack are nothing to the caller.
                    if let Some(caller) = caller.filter(|_| !contains(datagram, b"hostile")) {
                        let _ = own.send_to(datagram, caller);
                    }
                } else {
                    caller = Some(source);
                    let passed = on_the_route(datagram, address);
                    let _ = own.send_to(&passed, called);
                    seen.lock().unwrap().push(passed);
                    if told.send(()).is_err() {
                        return;
                    }
                }
            }
        });
        Ok(Self { address, socket, passed, news })
    }

    fn wait_for(&self, start: &[u8], bound: Duration) -> Outcome {
        let deadline = Instant::now() + bound;
        while !self.passed.lock().unwrap().iter().any(|datagram| datagram.starts_with(start)) {
            let left = deadline.saturating_duration_since(Instant::now());
            self.news.recv_timeout(left).map_err(|_| "the call was not set up")?;
        }
        Ok(())
    }

    fn templates(&self) -> Vec<Vec<u8>> {
        self.passed.lock().unwrap().clone()
    }
}

/// A caller's request with the relay's Record-Route, and without the Route that led to the relay.
fn on_the_route(datagram: &[u8], relay: SocketAddr) -> Vec<u8> {
    let text = String::from_utf8_lossy(datagram);
    let mut passed = String::new();
    for line in text.split_inclusive("\r\n").filter(|line| !line.starts_with("Route:")) {
        passed.push_str(line);
        if line.starts_with("INVITE ") {
            passed.push_str(&format!("Record-Route: <sip:{relay};lr>\r\n"));
        }
    }
    passed.into_bytes()
}

struct Hostile {
    rng: Rng,
    sip: Vec<Vec<u8>>,
    socket: UdpSocket,
    probes: u32,
}

impl Hostile {
    fn new(call: Vec<Vec<u8>>, port: u16) -> Result<Self, Failed> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let ack = call
            .iter()
            .find(|datagram| datagram.starts_with(b"ACK "))
            .map(|ack| text(ack))
            .ok_or("no ACK")?;
        let invite = call.iter().find(|d| d.starts_with(b"INVITE ")).map(|d| text(d)).ok_or("no INVITE")?;
        let mut sip: Vec<String> = vec![invite.clone(), ack.clone()];
        // Requests inside the dialog, but none that could rightly end or change it.
        for method in ["OPTIONS", "INFO", "NOTIFY", "MESSAGE", "PRACK", "UPDATE", "REFER", "FOO"] {
            let request = ack.replacen("ACK ", &format!("{method} "), 1);
            sip.push(
                request.replace(" ACK\r\n", &format!(" {method}\r\n")).replace("z9hG4bK", "z9hG4bKhostile"),
            );
        }
        // Requests of strangers, with other dialogs.
        for method in ["INVITE", "REGISTER", "OPTIONS", "BYE", "CANCEL", "SUBSCRIBE"] {
            sip.push(format!(
                "{method} sip:called@127.0.0.1:{port} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bKhostile1;rport\r\n\
                 From: \"x\" <sip:x@hostile>;tag=1\r\nTo: <sip:called@127.0.0.1:{port}>\r\nCall-ID: hostile@x\r\n\
                 CSeq: 7 {method}\r\nContact: <sip:x@127.0.0.1:9>\r\nMax-Forwards: 70\r\nContent-Type: application/sdp\r\n\
                 Authorization: Digest username=\"x\", realm=\"y\", nonce=\"z\", uri=\"sip:a\", response=\"00\", qop=auth, nc=00000001, cnonce=\"c\"\r\n\
                 Content-Length: 127\r\n\r\nv=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
                 m=audio 9 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\na=x\r\n"
            ));
        }
        // Answers to nothing that was asked.
        let answer = invite.lines().filter(|line| {
            ["Via", "From", "To", "Call-ID", "CSeq"].iter().any(|name| line.starts_with(&format!("{name}:")))
        });
        let headers: String = answer.map(|line| format!("{}\r\n", line.trim_end())).collect();
        for status in ["100 Trying", "200 OK", "401 Unauthorized", "699 x", "000 x"] {
            sip.push(format!("SIP/2.0 {status}\r\n{headers}Content-Length: 0\r\n\r\n"));
        }
        let socket = UdpSocket::bind(("127.0.0.1", 0))?;
        socket.set_read_timeout(Some(Duration::from_millis(200)))?;
        let sip = sip.into_iter().map(String::into_bytes).collect();
        Ok(Self { rng: Rng::from_u64(SEED), sip, socket, probes: 0 })
    }

    /// Half of them from the address of the call's signalling, half from a stranger's.
    fn send_sip(&mut self, relay: &Relay, to: SocketAddr) -> Outcome {
        let template = self.below(self.sip.len());
        let mut datagram = self.sip[template].clone();
        let mutations = 1 + self.below(4);
        for _ in 0..mutations {
            self.mutate_text(&mut datagram);
        }
        datagram.truncate(65_000);
        let socket = if self.below(2) == 0 { &relay.socket } else { &self.socket };
        // ICMP errors of a port that does not answer come back here; the phone's own is checked by the probe.
        let _ = socket.send_to(&datagram, to);
        Ok(())
    }

    fn send_media(&mut self, ports: &[SocketAddr]) -> Outcome {
        const RTCP: &[u8] = &[
            0x80, 200, 0, 6, 1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0,
            160, // SR
            0x81, 201, 0, 7, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
            0, // RR
            0x81, 202, 0, 3, 1, 2, 3, 4, 1, 4, b'a', b'@', b'b', b'c', 0, 0, // SDES
            0x81, 203, 0, 1, 1, 2, 3, 4, // BYE
        ];
        let mut datagram = match self.below(3) {
            0 => RTCP.to_vec(),
            1 => {
                let mut event = vec![0x80, 101, 0, 1, 0, 0, 0, 1, 9, 9, 9, 9];
                event.extend([5, 0x0a, 0x03, 0x20]);
                event
            }
            _ => {
                let mut packet = vec![0x80, 0, 0, 1, 0, 0, 0, 1, 9, 9, 9, 9];
                packet.extend([0x55; 160]);
                packet
            }
        };
        for _ in 0..=self.below(6) {
            let at = self.below(datagram.len());
            datagram[at] = self.byte();
        }
        match self.below(8) {
            0 => datagram.truncate(self.below(datagram.len() + 1)),
            1 => datagram.extend((0..self.below(1400)).map(|n| n as u8)),
            _ => {}
        }
        let to = ports[self.below(ports.len())];
        let _ = self.socket.send_to(&datagram, to);
        Ok(())
    }

    fn mutate_text(&mut self, bytes: &mut Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        let at = self.below(bytes.len());
        match self.below(9) {
            0 => bytes[at] ^= 1 << self.below(8),
            1 => bytes[at] = self.byte(),
            2 => bytes.truncate(at),
            3 => drop(bytes.drain(at..(at + 1 + self.below(40)).min(bytes.len()))),
            4 => {
                let piece = bytes[at..(at + 1 + self.below(200)).min(bytes.len())].to_vec();
                bytes.splice(at..at, piece);
            }
            5 => {
                // A number becomes another one: lengths, sequence numbers, ports, years.
                const NUMBERS: [&str; 7] =
                    ["0", "-1", "4294967296", "99999999999999999999", "00000000001", "65536", "1e9"];
                if let Some(digit) = bytes[at..].iter().position(u8::is_ascii_digit) {
                    let number = NUMBERS[self.below(NUMBERS.len())];
                    bytes.splice(at + digit..at + digit + 1, number.bytes());
                }
            }
            6 => {
                const PIECES: [&str; 10] =
                    ["\r\n", "\r\n\r\n", "\0", ";;", "\"", "<", ",", "%", "[::1", ";tag=\u{e4}\u{fffd}"];
                let piece = PIECES[self.below(PIECES.len())];
                bytes.splice(at..at, piece.bytes());
            }
            7 => {
                let fill = vec![b'a'; self.below(20_000)];
                bytes.splice(at..at, fill);
            }
            _ => {
                // One header line many times.
                let line_end = bytes[at..].iter().position(|byte| *byte == b'\n').map(|end| at + end + 1);
                if let Some(end) = line_end {
                    let start =
                        bytes[..at].iter().rposition(|byte| *byte == b'\n').map_or(0, |start| start + 1);
                    let line = bytes[start..end].repeat(self.below(400));
                    bytes.splice(end..end, line);
                }
            }
        }
    }

    fn wait_until_served(&mut self, to: SocketAddr) -> Outcome {
        self.probes += 1;
        let own = self.socket.local_addr()?;
        let call_id = format!("probe-{}", self.probes);
        let options = format!(
            "OPTIONS sip:called@{to} SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bK{call_id};rport\r\n\
             From: <sip:x@hostile>;tag=1\r\nTo: <sip:called@{to}>\r\nCall-ID: {call_id}\r\nCSeq: 1 OPTIONS\r\n\
             Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
        );
        let deadline = Instant::now() + SOON;
        let mut answer = [0; 65_536];
        while Instant::now() < deadline {
            let _ = self.socket.send_to(options.as_bytes(), to);
            while let Ok((length, source)) = self.socket.recv_from(&mut answer) {
                if source == to && contains(&answer[..length], call_id.as_bytes()) {
                    return Ok(());
                }
            }
        }
        Err("the phone does not answer OPTIONS any more".into())
    }

    fn below(&mut self, end: usize) -> usize {
        (self.rng.next_u64() % end.max(1) as u64) as usize
    }

    fn byte(&mut self) -> u8 {
        self.rng.next_u64() as u8
    }
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

/// Memory of a process that is in RAM (proc(5), `VmRSS`).
fn resident_kib(process: u32) -> Result<u64, Failed> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

/// The UDP ports of a process: its open sockets, looked up in the kernel's table.
fn udp_ports(process: u32) -> Result<BTreeSet<u16>, Failed> {
    let mut sockets = BTreeSet::new();
    for entry in std::fs::read_dir(format!("/proc/{process}/fd"))? {
        let Ok(target) = std::fs::read_link(entry?.path()) else { continue };
        let target = target.to_string_lossy().into_owned();
        sockets.extend(target.strip_prefix("socket:[").and_then(|t| t.strip_suffix(']')).map(str::to_owned));
    }
    let mut ports = BTreeSet::new();
    for table in ["/proc/net/udp", "/proc/net/udp6"] {
        for line in std::fs::read_to_string(table).unwrap_or_default().lines().skip(1) {
            let columns: Vec<_> = line.split_whitespace().collect();
            let (Some(local), Some(inode)) = (columns.get(1), columns.get(9)) else { continue };
            if sockets.contains(*inode)
                && let Some((_, port)) = local.rsplit_once(':')
            {
                ports.insert(u16::from_str_radix(port, 16)?);
            }
        }
    }
    Ok(ports)
}
