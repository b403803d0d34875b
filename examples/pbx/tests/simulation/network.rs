//! The network between the phones and the PBX, in tokio's paused time.

use crate::phone::Phone;
use crate::wire::Wire;
use bytes::Bytes;
use core::cell::RefCell;
use sidetone_hal::net::{FlowId, SocketAddr};
use sidetone_hal::rng::Rng;
use sidetone_hal::sim::ladder::Ladder;
use sidetone_hal::sim::{Fate, Link, LinkConfig};
use sidetone_hal::time::{Duration, Instant};
use sidetone_sip_core::Input;
use sidetone_sip_core::driver::{MemoryDatagram, MemoryNetwork};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

/// Rows of the ladder.
const ROWS: usize = 4000;

/// Where the proxy is.
pub const PBX: &str = "127.0.0.1:5060";

pub struct Network {
    pub memory: MemoryNetwork,
    pub phones: Vec<Phone>,
    pub wire: Rc<RefCell<Wire>>,
    pub now: Instant,
    origin: tokio::time::Instant,
    /// From and to each phone. The PBX and its extensions are one machine: nothing is lost between them.
    links: BTreeMap<(SocketAddr, bool), Link>,
    under_way: BTreeMap<(Instant, u64), MemoryDatagram>,
    count: u64,
    /// When SIP was last sent.
    busy_at: Instant,
    rows: VecDeque<Row>,
    /// Every message with its time and fate, where it is wanted.
    pub trace: Option<Vec<String>>,
    /// From and to here nothing arrives.
    pub unplugged: Option<SocketAddr>,
}

enum Row {
    Datagram { at: Instant, datagram: MemoryDatagram, lost: bool },
    Note { at: Instant, who: &'static str, text: String },
}

#[expect(clippy::disallowed_methods, reason = "the clock is paused: it is the simulation's own")]
fn paused_now() -> tokio::time::Instant {
    tokio::time::Instant::now()
}

impl Network {
    pub fn new(memory: MemoryNetwork, phones: Vec<Phone>, wire: Rc<RefCell<Wire>>, rng: &mut Rng) -> Self {
        let config = LinkConfig {
            jitter: Duration::from_millis(20),
            loss: 0.1,
            reorder: 0.1,
            reorder_by: Duration::from_millis(800),
            duplicate: 0.1,
            ..LinkConfig::with_latency(Duration::from_millis(20))
        };
        let ends = phones.iter().flat_map(|phone| [(phone.address, false), (phone.address, true)]);
        let links = ends.map(|end| (end, Link::new(config, rng.fork()))).collect();
        Self {
            memory,
            phones,
            wire,
            now: Instant::ZERO,
            origin: paused_now(),
            links,
            under_way: BTreeMap::new(),
            count: 0,
            busy_at: Instant::ZERO,
            rows: VecDeque::new(),
            trace: None,
            unplugged: None,
        }
    }

    /// Lets time pass.
    pub async fn pass(&mut self, duration: Duration) {
        let end = self.now + duration;
        loop {
            self.collect();
            let phones = self.phones.iter().filter_map(Phone::poll_timeout);
            let first = self.under_way.keys().next().map(|(at, _)| *at);
            let next = phones.chain(first).min().unwrap_or(end).min(end);
            tokio::select! {
                biased;
                () = self.memory.sent() => {}
                () = tokio::time::sleep_until(self.origin + next.saturating_since(Instant::ZERO)) => {}
            }
            let micros = self.origin.elapsed().as_micros();
            self.now = Instant::from_micros(u64::try_from(micros).unwrap());
            while let Some(entry) = self.under_way.first_entry()
                && entry.key().0 <= self.now
            {
                let datagram = entry.remove();
                self.arrive(datagram);
                self.collect();
            }
            for phone in &mut self.phones {
                if phone.poll_timeout().is_some_and(|at| at <= self.now) {
                    phone.handle_timeout(self.now);
                }
            }
            if self.now >= end {
                self.collect();
                return;
            }
        }
    }

    /// Lets time pass until no SIP was sent for so long; false when that does not happen within `most`.
    pub async fn quiet(&mut self, silence: Duration, most: Duration) -> bool {
        let until = self.now + most;
        self.busy_at = self.now;
        while self.now < self.busy_at + silence || self.phones.iter().any(|phone| !phone.texts.is_empty()) {
            if self.now >= until {
                return false;
            }
            self.pass(Duration::from_secs(1)).await;
        }
        true
    }

    /// Takes what everybody has to send and to say.
    fn collect(&mut self) {
        while let Some(datagram) = self.memory.poll_sent() {
            self.send(datagram);
        }
        for place in 0..self.phones.len() {
            let phone = &mut self.phones[place];
            let (source, name) = (phone.address, phone.name);
            for text in core::mem::take(&mut phone.notes) {
                self.row(Row::Note { at: self.now, who: name, text });
            }
            while let Some(transmit) = self.phones[place].agent.poll_transmit() {
                let mut payload = Bytes::copy_from_slice(&transmit.payload);
                if self.phones[place].is_plain {
                    payload = without_replaces(&payload);
                }
                self.send(MemoryDatagram { source, destination: transmit.destination, payload });
            }
        }
    }

    fn send(&mut self, datagram: MemoryDatagram) {
        // Keep-alives are no news.
        if datagram.payload.first().is_some_and(u8::is_ascii_alphabetic) {
            self.busy_at = self.now;
        }
        let ends = [(datagram.source, false), (datagram.destination, true)];
        let mut arrivals = vec![self.now];
        let mut inside = true;
        for end in ends {
            if let Some(link) = self.links.get_mut(&end) {
                inside = false;
                arrivals = match link.send(self.now, datagram.payload.len()) {
                    Fate::Arrives { at, again } => core::iter::once(at).chain(again).collect(),
                    Fate::Lost(_) => Vec::new(),
                };
            }
        }
        if !inside {
            self.wire.borrow_mut().see(&datagram.payload);
        }
        if self.unplugged.is_some_and(|here| [datagram.source, datagram.destination].contains(&here)) {
            arrivals.clear();
        }
        if let Some(trace) = &mut self.trace {
            let MemoryDatagram { source, destination, payload } = &datagram;
            let (now, text) = (self.now, String::from_utf8_lossy(payload));
            trace.push(format!("{now} {source} {destination} {arrivals:?}\n{text}"));
        }
        self.row(Row::Datagram { at: self.now, datagram: datagram.clone(), lost: arrivals.is_empty() });
        for at in arrivals {
            self.count += 1;
            self.under_way.insert((at, self.count), datagram.clone());
        }
    }

    fn arrive(&mut self, datagram: MemoryDatagram) {
        let phone = self.phones.iter_mut().find(|phone| phone.address == datagram.destination);
        if let Some(phone) = phone {
            let MemoryDatagram { source, payload, .. } = datagram;
            self.wire.borrow_mut().hear(&payload);
            phone.handle_input(self.now, Input::Datagram { flow: FlowId(0), source, payload });
        } else {
            assert!(self.memory.deliver(datagram), "somebody is there");
        }
    }

    fn row(&mut self, row: Row) {
        if self.rows.len() >= ROWS {
            self.rows.pop_front();
        }
        self.rows.push_back(row);
    }

    /// What happened last, for who reads it.
    pub fn ladder(&self) -> String {
        let mut ladder = Ladder::new(ROWS);
        for phone in &self.phones {
            ladder.column(phone.name);
        }
        let name = |address: SocketAddr| {
            let phone = self.phones.iter().find(|phone| phone.address == address);
            let server = if address.port() == 5060 { "pbx" } else { "extensions" };
            phone.map_or(server, |phone| phone.name)
        };
        for row in &self.rows {
            match row {
                Row::Datagram { at, datagram, lost } => {
                    let Some(label) = label(&datagram.payload) else { continue };
                    let from = ladder.column(name(datagram.source));
                    let to = ladder.column(name(datagram.destination));
                    if *lost {
                        ladder.lost(*at, from, to, &label);
                    } else {
                        ladder.arrow(*at, from, to, &label);
                    }
                }
                Row::Note { at, who, text } => {
                    let column = ladder.column(who);
                    ladder.note(*at, column, text);
                }
            }
        }
        ladder.to_string()
    }
}

/// What a phone sends that does not know Replaces.
fn without_replaces(payload: &Bytes) -> Bytes {
    if !payload.starts_with(b"INVITE ") {
        return payload.clone();
    }
    let text = core::str::from_utf8(payload).unwrap();
    let line = |line: &str| {
        let supported = line.starts_with("Supported:");
        if supported { line.replace("replaces", "nothing") } else { line.to_owned() }
    };
    Bytes::from(text.split("\r\n").map(line).collect::<Vec<_>>().join("\r\n"))
}

/// `INVITE 7`, `200 INVITE 7`, and the first letters of the Call-ID.
fn label(payload: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(payload);
    let header = |name: &str| {
        let value = text.lines().find_map(|line| line.strip_prefix(name));
        value.map(|value| value.trim().to_owned()).unwrap_or_default()
    };
    let cseq = header("CSeq:");
    let (seq, method) = cseq.split_once(' ')?;
    let status = text.strip_prefix("SIP/2.0 ").map(|rest| rest[..4].to_owned()).unwrap_or_default();
    let id = header("Call-ID:");
    Some(format!("{status}{method} {seq} {}", id.get(..4).unwrap_or(&id)))
}
