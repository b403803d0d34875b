//! A user agent server to be measured: answers each INVITE with 180 and 200, repeats the 200 until the ACK, and answers
//! BYE, in one thread. For SIPp's built-in scenario `uac`; `benches/uas.sh` measures it beside others.
//!
//! ```text
//! cargo run --release -p sidetone-sip-core --example uas_bench -- --transport udp --listen 127.0.0.1:5060
//! ```
//!
//! With `--calls N` it reports after N calls, reports again when their last transaction has ended, and stops. Processor
//! time and resident memory are the operating system's figures (`/proc`), so they are there on Linux only.

use core::error::Error;
use core::net::SocketAddr;
use core::time::Duration;
use sidetone_sip_core::driver::{self, DriverConfig, Io, IoEvent};
use sidetone_sip_core::header::{Allow, CallId, Contact, ContentType, To};
use sidetone_sip_core::{
    Endpoint, EndpointConfig, Event, Instant, Method, Protocol, Request, Response, StatusCode, TransactionId,
};
use std::collections::{BTreeMap, HashMap};

/// T1 and T2 of the repeated 200 (RFC 3261 §13.3.1.4).
const T1: Duration = Duration::from_millis(500);
const T2: Duration = Duration::from_secs(4);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let (protocol, listen, calls) = arguments()?;
    let mut config = EndpointConfig::new(driver::seed());
    // 2 500 calls/s keep 160 000 transactions alive for their 32 s; four times as many fit.
    config.max_transactions = 640_000;
    let mut endpoint = Endpoint::new(config);
    let sockets = match protocol {
        Protocol::Udp => {
            let mut sockets = DriverConfig::new().udp(listen);
            // Some thousand messages may come in one burst.
            sockets.read_queue = 4096;
            sockets
        }
        _ => DriverConfig::new().tcp(listen),
    };
    let mut io = Io::bind(&sockets)?;
    io.attach(&mut endpoint);
    let local = io.udp_addresses().first().or_else(|| io.tcp_addresses().first()).copied().unwrap_or(listen);
    let start = Usage::now();
    println!("listening at {local} over {protocol}; resident {} KiB", start.resident);

    let mut server = Server::new(local, protocol)?;
    let mut reported = false;
    loop {
        while let Some(event) = endpoint.poll_event() {
            server.handle(&mut endpoint, io.now(), event)?;
        }
        if calls.is_some_and(|calls| server.ended >= calls) {
            if !reported {
                reported = true;
                report("after the last call", &server, &start);
            }
            if endpoint.transaction_count() == 0 && server.open.is_empty() {
                report("after the last transaction", &server, &start);
                println!("{:?}", endpoint.counters());
                return Ok(());
            }
        }
        let next = server.repeats.first_key_value().map(|((at, _), _)| *at);
        let deadline = endpoint.poll_timeout().map(|(at, _)| at).into_iter().chain(next).min();
        match io.next(&mut endpoint, deadline).await {
            IoEvent::Input(input) => endpoint.handle_input(io.now(), input),
            IoEvent::Timeout => {
                let now = io.now();
                endpoint.handle_timeout(now);
                server.repeat(&mut endpoint, now);
            }
        }
    }
}

/// What was asked for: the transport, where to listen, after how many calls to stop.
fn arguments() -> Result<(Protocol, SocketAddr, Option<u64>), Box<dyn Error>> {
    let (mut protocol, mut listen, mut calls) = (Protocol::Udp, "127.0.0.1:5060".parse()?, None);
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("{name} needs a value"))?;
        match (name.as_str(), value.as_str()) {
            ("--transport", "udp") => protocol = Protocol::Udp,
            ("--transport", "tcp") => protocol = Protocol::Tcp,
            ("--listen", value) => listen = value.parse()?,
            ("--calls", value) => calls = Some(value.parse()?),
            _ => {
                let usage = "uas_bench [--transport udp|tcp] [--listen ADDRESS:PORT] [--calls N]";
                return Err(format!("not understood: {name} {value}; {usage}").into());
            }
        }
    }
    Ok((protocol, listen, calls))
}

/// The calls and what their answers have in common.
struct Server {
    contact: Contact,
    allow: Allow,
    body: bytes::Bytes,
    open: HashMap<String, Call>,
    /// When which call's 200 is sent again.
    repeats: BTreeMap<(Instant, u64), String>,
    begun: u64,
    ended: u64,
}

/// A call that was answered, until its BYE.
struct Call {
    tag: String,
    /// The 200 that no ACK has come for, and the next interval of its repetition.
    unacknowledged: Option<Unacknowledged>,
}

struct Unacknowledged {
    transaction: TransactionId,
    response: Response,
    repeat: (Instant, u64),
    interval: Duration,
    until: Instant,
}

impl Server {
    fn new(local: SocketAddr, protocol: Protocol) -> Result<Self, Box<dyn Error>> {
        let transport = if protocol == Protocol::Tcp { ";transport=tcp" } else { "" };
        let contact = format!("<sip:bench@{local}{transport}>").parse()?;
        let ip = local.ip();
        let body = format!(
            "v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
        );
        Ok(Self {
            contact,
            allow: Allow([Method::INVITE, Method::ACK, Method::BYE, Method::CANCEL, Method::OPTIONS].into()),
            body: body.into(),
            open: HashMap::new(),
            repeats: BTreeMap::new(),
            begun: 0,
            ended: 0,
        })
    }

    fn handle(&mut self, endpoint: &mut Endpoint, now: Instant, event: Event) -> Result<(), Box<dyn Error>> {
        match event {
            Event::Request { transaction, request, .. } => {
                let call_id = request.headers.require::<CallId>()?;
                let call_id = call_id.as_str();
                if request.method == Method::INVITE {
                    self.invite(endpoint, now, transaction, &request, call_id);
                } else if request.method == Method::BYE {
                    let known = self.end(call_id, &request);
                    let status = if known { StatusCode::OK } else { StatusCode::CALL_DOES_NOT_EXIST };
                    answer(endpoint, now, transaction, request.response(status, None));
                } else if request.method == Method::OPTIONS {
                    let mut response = request.response(StatusCode::OK, Some("bench"));
                    response.headers.push(&self.allow);
                    answer(endpoint, now, transaction, response);
                } else {
                    let mut response = request.response(StatusCode::METHOD_NOT_ALLOWED, Some("bench"));
                    response.headers.push(&self.allow);
                    answer(endpoint, now, transaction, response);
                }
            }
            Event::Ack { request, .. } => {
                let call_id = request.headers.require::<CallId>()?;
                if let Some(call) = self.open.get_mut(call_id.as_str())
                    && let Some(unacknowledged) = call.unacknowledged.take()
                {
                    self.repeats.remove(&unacknowledged.repeat);
                }
            }
            Event::Cancelled { transaction, request } => {
                // The INVITE was answered at once, so as a rule there is nothing to cancel.
                let response = request.response(StatusCode::REQUEST_TERMINATED, Some("bench"));
                answer(endpoint, now, transaction, response);
            }
            _ => {}
        }
        Ok(())
    }

    fn invite(
        &mut self,
        endpoint: &mut Endpoint,
        now: Instant,
        transaction: TransactionId,
        request: &Request,
        call_id: &str,
    ) {
        if self.open.contains_key(call_id) {
            let response = request.response(StatusCode::OK, None);
            return answer(endpoint, now, transaction, response);
        }
        let tag: String = endpoint.rng().hex::<16>().into_iter().map(char::from).collect();
        let mut ringing = request.response(StatusCode::RINGING, Some(&tag));
        ringing.headers.push(&self.contact);
        answer(endpoint, now, transaction, ringing);
        let mut response = request.response(StatusCode::OK, Some(&tag));
        response.headers.push(&self.contact);
        response.headers.push(&self.allow);
        response.set_body(&ContentType::SDP, self.body.clone());
        answer(endpoint, now, transaction, response.clone());
        self.begun += 1;
        let repeat = (now + T1, self.begun);
        self.repeats.insert(repeat, call_id.to_owned());
        let unacknowledged =
            Some(Unacknowledged { transaction, response, repeat, interval: T1, until: now + T1 * 64 });
        self.open.insert(call_id.to_owned(), Call { tag, unacknowledged });
    }

    /// A BYE. False when there is no such call.
    fn end(&mut self, call_id: &str, bye: &Request) -> bool {
        let ours = |call: &Call| {
            let to = bye.headers.require::<To>();
            to.is_ok_and(|to| to.tag() == Some(&call.tag))
        };
        if !self.open.get(call_id).is_some_and(ours) {
            return false;
        }
        if let Some(call) = self.open.remove(call_id)
            && let Some(unacknowledged) = call.unacknowledged
        {
            self.repeats.remove(&unacknowledged.repeat);
        }
        self.ended += 1;
        true
    }

    /// Sends the answers again that were not acknowledged in time.
    fn repeat(&mut self, endpoint: &mut Endpoint, now: Instant) {
        while let Some(first) = self.repeats.first_entry().filter(|first| first.key().0 <= now) {
            let (_, number) = *first.key();
            let call_id = first.remove();
            let Some(call) = self.open.get_mut(&call_id) else { continue };
            let Some(unacknowledged) = &mut call.unacknowledged else { continue };
            if unacknowledged.until <= now {
                // Nobody is there any more.
                self.open.remove(&call_id);
                self.ended += 1;
                continue;
            }
            answer(endpoint, now, unacknowledged.transaction, unacknowledged.response.clone());
            unacknowledged.interval = (unacknowledged.interval * 2).min(T2);
            unacknowledged.repeat = (now + unacknowledged.interval, number);
            self.repeats.insert(unacknowledged.repeat, call_id);
        }
    }
}

/// An answer that cannot be sent is repeated or forgotten by its receiver.
fn answer(endpoint: &mut Endpoint, now: Instant, transaction: TransactionId, response: Response) {
    if let Err(error) = endpoint.respond(now, transaction, response) {
        eprintln!("{transaction}: {error}");
    }
}

fn report(when: &str, server: &Server, start: &Usage) {
    let now = Usage::now();
    let calls = server.ended.max(1);
    let per_call = |from: Duration, to: Duration| (to - from).as_secs_f64() * 1e6 / calls as f64;
    println!(
        "{when}: {} calls; user {:.1} us/call, system {:.1} us/call; resident {} KiB, {} KiB at start",
        server.ended,
        per_call(start.user, now.user),
        per_call(start.system, now.system),
        now.resident,
        start.resident
    );
}

/// What the operating system has accounted to this process.
struct Usage {
    user: Duration,
    system: Duration,
    /// Resident memory in KiB.
    resident: u64,
}

impl Usage {
    fn now() -> Self {
        // Linux counts in hundredths of a second for programs, whatever its own clock does.
        let tick = Duration::from_millis(10);
        let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
        // After the name in parentheses, which may have spaces: fields 3 and on.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks =
            |field: usize| fields.get(field - 3).and_then(|ticks| ticks.parse().ok()).unwrap_or_default();
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let resident = resident.and_then(|line| line.split_whitespace().next()?.parse().ok());
        Self { user: tick * ticks(14), system: tick * ticks(15), resident: resident.unwrap_or_default() }
    }
}
