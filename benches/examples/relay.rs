//! A relay of RTP on sockets, and what it costs beside rtpengine in user space.
//!
//! `relay serve 200` relays 200 calls on one thread, over `sidetone_media::relay` and batches of system calls as in
//! `sidetone-sip-core`'s driver. `relay measure 200 10` sends through it 20 ms packets both ways for 10 s and divides the
//! processor time of its process by the packets that came out; then the same through `rtpengine` (Debian package
//! `rtpengine-daemon`), if it is installed.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a measurement stops on what should not happen, and reads the clock"
)]

use core::cell::RefCell;
use core::net::{Ipv4Addr, SocketAddr};
use core::time::Duration;
use quinn_udp::{BATCH_SIZE, RecvMeta, UdpSocketState};
use sidetone_hal::time::Instant;
use sidetone_media::Channel;
use sidetone_media::relay::{Party, Relay, Side};
use sidetone_media::rtp::Packet;
use std::io::{self, BufRead, BufReader, IoSliceMut, Write};
use std::net::UdpSocket as StdSocket;
use std::process::{Child, Command, Stdio};
use std::rc::Rc;
use tokio::io::Interest;
use tokio::net::UdpSocket;

/// The largest datagram that is relayed.
const DATAGRAM: usize = 2048;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, default: usize| arguments.get(at).map_or(default, |text| text.parse().unwrap());
    match arguments.first().map(String::as_str) {
        Some("serve") => serve(number(1, 1)),
        Some("measure") => measure(number(1, 200), Duration::from_secs(number(2, 10) as u64)),
        _ => eprintln!("usage: relay serve CALLS | relay measure CALLS SECONDS"),
    }
}

/// Reads `A B` for each call from standard input, the addresses of its parties, and answers with the two ports to send
/// to; then relays until standard input ends.
fn serve(calls: usize) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let tasks = tokio::task::LocalSet::new();
    tasks.block_on(&runtime, async {
        let batch = Rc::new(RefCell::new(Batch::new().unwrap()));
        let mut lines = io::stdin().lines();
        for _ in 0..calls {
            let line = lines.next().unwrap().unwrap();
            let (a, b) = line.split_once(' ').unwrap();
            let call = Call::new(a.parse().unwrap(), b.parse().unwrap()).await;
            println!("{} {}", call.a.local_addr().unwrap().port(), call.b.local_addr().unwrap().port());
            let call = Rc::new(call);
            for side in [Side::A, Side::B] {
                tokio::task::spawn_local(Rc::clone(&call).run(side, Rc::clone(&batch)));
            }
        }
        drop(lines);
        tokio::task::spawn_blocking(|| io::stdin().lines().next().is_none()).await.unwrap();
    });
}

/// One call: a socket for each side.
struct Call {
    relay: RefCell<Relay>,
    a: UdpSocket,
    b: UdpSocket,
    origin: std::time::Instant,
}

impl Call {
    async fn new(a: SocketAddr, b: SocketAddr) -> Self {
        let bind = || UdpSocket::bind((Ipv4Addr::LOCALHOST, 0));
        let relay = RefCell::new(Relay::new(Party::new(a), Party::new(b)));
        Self { relay, a: bind().await.unwrap(), b: bind().await.unwrap(), origin: std::time::Instant::now() }
    }

    const fn socket(&self, side: Side) -> &UdpSocket {
        match side {
            Side::A => &self.a,
            Side::B => &self.b,
        }
    }

    async fn run(self: Rc<Self>, side: Side, batch: Rc<RefCell<Batch>>) {
        let socket = self.socket(side);
        loop {
            socket.readable().await.unwrap();
            let now = Instant::ZERO + self.origin.elapsed();
            let (mut batch, mut relay) = (batch.borrow_mut(), self.relay.borrow_mut());
            let received = socket.try_io(Interest::READABLE, || {
                batch.receive(socket, |source, buffer, length| {
                    if let Some(on) = relay.forward(now, side, Channel::Rtp, source, buffer, length) {
                        // What the system does not take now would be late.
                        let out = buffer.get(..on.length).unwrap_or_default();
                        let _ = self.socket(on.side).try_send_to(out, on.destination);
                    }
                })
            });
            // Nothing there, or an ICMP error of an earlier packet: wait for the next.
            drop(received);
        }
    }
}

/// Space for the datagrams of one system call.
struct Batch {
    state: UdpSocketState,
    space: Vec<u8>,
}

impl Batch {
    fn new() -> io::Result<Self> {
        // The constructor glues datagrams of the socket that it is given together: that socket is none of ours.
        let none_of_ours = StdSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        Ok(Self {
            state: UdpSocketState::new((&none_of_ours).into())?,
            space: vec![0; DATAGRAM * BATCH_SIZE],
        })
    }

    fn receive(
        &mut self,
        socket: &UdpSocket,
        mut take: impl FnMut(SocketAddr, &mut [u8], usize),
    ) -> io::Result<()> {
        let mut meta = [RecvMeta::default(); BATCH_SIZE];
        let mut chunks = self.space.chunks_exact_mut(DATAGRAM);
        let mut buffers: [_; BATCH_SIZE] =
            core::array::from_fn(|_| IoSliceMut::new(chunks.next().unwrap_or_default()));
        let count = self.state.recv(socket.into(), &mut buffers, &mut meta)?;
        for (meta, buffer) in meta.iter().zip(&mut buffers).take(count) {
            take(meta.addr, buffer, meta.len);
        }
        // A batch that was not full has emptied the socket.
        if count < BATCH_SIZE { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
    }
}

fn measure(calls: usize, time: Duration) {
    let parties = || {
        let bind = |_| {
            let socket = StdSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            socket.set_nonblocking(true).unwrap();
            socket
        };
        (0..calls).map(|_| [0, 1].map(bind)).collect::<Vec<_>>()
    };
    let pairs = parties();
    let (relay, ports) = start_ours(&pairs);
    report("sidetone", relay, &pairs, &ports, time);
    let pairs = parties();
    match start_rtpengine(&pairs) {
        Ok((relay, ports)) => report("rtpengine", relay, &pairs, &ports, time),
        Err(error) => eprintln!("rtpengine skipped: {error} (Debian package rtpengine-daemon)"),
    }
}

fn start_ours(pairs: &[[StdSocket; 2]]) -> (Child, Vec<[u16; 2]>) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["serve", &pairs.len().to_string()]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut answers = BufReader::new(child.stdout.take().unwrap()).lines();
    let ports = pairs.iter().map(|[a, b]| {
        let (a, b) = (a.local_addr().unwrap(), b.local_addr().unwrap());
        writeln!(child.stdin.as_mut().unwrap(), "{a} {b}").unwrap();
        let line = answers.next().unwrap().unwrap();
        let (a, b) = line.split_once(' ').unwrap();
        [a.parse().unwrap(), b.parse().unwrap()]
    });
    let ports = ports.collect();
    (child, ports)
}

/// rtpengine's "ng" protocol: a cookie and a bencoded dictionary in a datagram.
fn start_rtpengine(pairs: &[[StdSocket; 2]]) -> io::Result<(Child, Vec<[u16; 2]>)> {
    let control = StdSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    control.set_read_timeout(Some(Duration::from_millis(500)))?;
    let spare = StdSocket::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
    let listen = format!("--listen-ng={spare}");
    let mut command = Command::new("rtpengine");
    // No kernel table: all in user space, on one thread.
    command.args(["--foreground", "--log-stderr", "--log-level=3", "--table=-1", "--num-threads=1"]);
    command.args(["--interface=127.0.0.1", &listen, "--port-min=40000", "--port-max=59999"]);
    let child = command.stderr(Stdio::null()).stdout(Stdio::null()).spawn()?;
    control.connect(spare)?;
    let ask = |cookie: String, dictionary: String| -> io::Result<String> {
        let mut answer = vec![0; 65_536];
        for _ in 0..20 {
            // Refused until it listens.
            if control.send(format!("{cookie} {dictionary}").as_bytes()).is_ok()
                && let Ok(length) = control.recv(&mut answer)
            {
                return Ok(String::from_utf8_lossy(answer.get(..length).unwrap_or_default()).into_owned());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Err(io::ErrorKind::TimedOut.into())
    };
    let text = |text: &str| format!("{}:{text}", text.len());
    let sdp = |socket: &StdSocket| {
        let port = socket.local_addr().unwrap().port();
        format!(
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio {port} RTP/AVP 0\r\n"
        )
    };
    let port_in = |answer: &str| -> io::Result<u16> {
        let line = answer.split("m=audio ").nth(1).and_then(|rest| rest.split(' ').next());
        line.and_then(|port| port.parse().ok()).ok_or_else(|| io::Error::other(answer.to_owned()))
    };
    let mut ports = Vec::new();
    for (n, [a, b]) in pairs.iter().enumerate() {
        let call = text(&format!("call{n}"));
        let offer = format!("d7:call-id{call}7:command5:offer8:from-tag1:a3:sdp{}e", text(&sdp(a)));
        let to_b = port_in(&ask(format!("o{n}"), offer)?)?;
        let answer =
            format!("d7:call-id{call}7:command6:answer8:from-tag1:a3:sdp{}6:to-tag1:be", text(&sdp(b)));
        let to_a = port_in(&ask(format!("a{n}"), answer)?)?;
        // The offer that B gets names the port that B sends to.
        ports.push([to_a, to_b]);
    }
    Ok((child, ports))
}

fn report(name: &str, mut relay: Child, pairs: &[[StdSocket; 2]], ports: &[[u16; 2]], time: Duration) {
    // A second to find their parties.
    run(pairs, ports, Duration::from_secs(1), 0);
    let before = processor_time(relay.id());
    let (sent, received) = run(pairs, ports, time, 50);
    let used = processor_time(relay.id()) - before;
    let each = used.as_secs_f64() * 1e6 / received.max(1) as f64;
    println!(
        "{name}: {} calls, {sent} packets in, {received} out, {:.2} s of a processor: {each:.2} us a packet, {:.0} packets per core and second",
        pairs.len(),
        used.as_secs_f64(),
        1e6 / each,
    );
    relay.kill().unwrap();
    relay.wait().unwrap();
}

/// Each party sends a packet every 20 ms; how many were sent, and how many came.
fn run(pairs: &[[StdSocket; 2]], ports: &[[u16; 2]], time: Duration, first: u16) -> (u64, u64) {
    let (mut sent, mut received, mut datagram) = (0, 0, [0; DATAGRAM]);
    let start = std::time::Instant::now();
    for n in 0.. {
        let due = Duration::from_millis(20) * n;
        if due > time {
            break;
        }
        std::thread::sleep(due.saturating_sub(start.elapsed()));
        let sequence = first.wrapping_add(n as u16);
        let mut out = [0; 172];
        for (pair, ports) in pairs.iter().zip(ports) {
            for ((socket, port), ssrc) in pair.iter().zip(ports).zip([1, 2]) {
                let timestamp = u32::from(sequence) * 160;
                let payload = &[0xff; 160];
                let packet = Packet { payload_type: 0, marker: false, sequence, timestamp, ssrc, payload };
                packet.write(&mut out).unwrap();
                sent += u64::from(socket.send_to(&out, (Ipv4Addr::LOCALHOST, *port)).is_ok());
            }
        }
        for socket in pairs.iter().flatten() {
            while socket.recv(&mut datagram).is_ok() {
                received += 1;
            }
        }
    }
    (sent, received)
}

/// User and system time of a process (`proc(5)`: fields 14 and 15, in ticks of 10 ms).
fn processor_time(process: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|text| text.parse::<u64>().ok()).unwrap_or_default();
    Duration::from_millis(10 * (ticks(11) + ticks(12)))
}
