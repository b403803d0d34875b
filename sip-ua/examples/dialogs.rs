//! 100 000 established dialogs held open by two agents in memory, no sockets: how much resident memory each takes.
//!
//! ```text
//! cargo run --release -p sidetone-sip-ua --no-default-features --features std --example dialogs -- [DIALOGS]
//! ```
//!
//! Each call is one dialog at the caller and one at the called side, so both are counted. Time is virtual: the
//! transactions of 1000 calls run for their 32 s and end before the next 1000. Resident memory is read on Linux only
//! (`/proc`); what is on the heap is counted everywhere.

use bytes::Bytes;
use core::error::Error;
use sidetone_hal::net::{FlowId, Protocol, SocketAddr};
use sidetone_hal::time::{Duration, Instant};
use sidetone_sip_core::{FlowRequest, Input, Uri};
use sidetone_sip_ua::{AccountConfig, Agent, AgentConfig, CallId, CallState, Event};

const SDP: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0 8 101\r\n\
                   a=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\n";
/// Calls that are set up at a time.
const BATCH: usize = 1000;

struct Side {
    agent: Agent,
    flow: FlowId,
    address: SocketAddr,
}

impl Side {
    fn new(seed: u8, address: &str, calls: usize) -> Result<Self, Box<dyn Error>> {
        let address = address.parse()?;
        let mut config = AgentConfig::new([seed; 32]);
        config.max_calls = calls;
        config.endpoint.max_transactions = 4 * calls + BATCH;
        let mut agent = Agent::new(config);
        let flow = agent.endpoint_mut().bind(Protocol::Udp, address);
        Ok(Self { agent, flow, address })
    }
}

/// Two agents with calls between them.
struct Pair {
    alice: Side,
    bob: Side,
    calls: Vec<CallId>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let dialogs: usize = std::env::args().nth(1).map_or(Ok(100_000), |count| count.parse())?;
    let calls = dialogs.div_ceil(2);
    let start = resident();
    let mut pair = Ok(None);
    let heap = allocation_counter::measure(|| pair = establish(calls, BATCH).map(Some));
    let Some(pair) = pair? else { return Err("nothing was measured".into()) };
    let after = resident();
    let up = pair.up();
    let each = |bytes: u64| bytes / (2 * up as u64).max(1);
    println!("{up} calls are up: {} dialogs", 2 * up);
    println!(
        "held open: resident {after} KiB, {start} KiB at the start, {} bytes for each dialog",
        each(after.saturating_sub(start) * 1024)
    );
    println!(
        "of these on the heap: {} bytes in {} allocations for each dialog",
        each(heap.bytes_current.unsigned_abs()),
        each(heap.count_current.unsigned_abs()),
    );
    if up != calls {
        return Err("not every call is up".into());
    }
    if pair.hang_up()? { Ok(()) } else { Err("a BYE did not find its dialog".into()) }
}

/// Makes calls, `batch` at a time, and lets their transactions end.
fn establish(calls: usize, batch: usize) -> Result<Pair, Box<dyn Error>> {
    let mut alice = Side::new(1, "192.0.2.1:5060", calls)?;
    let mut bob = Side::new(2, "192.0.2.2:5060", calls)?;
    let account =
        alice.agent.add_account(AccountConfig::parse("sip:alice@192.0.2.2")?.without_registration())?;
    let mut now = Instant::from_millis(1000);
    let mut ids = Vec::with_capacity(calls);
    for n in 0..calls {
        let to: Uri = format!("sip:{n}@192.0.2.2").parse()?;
        ids.push(alice.agent.call(now, account, &to, Some(Bytes::from_static(SDP.as_bytes())))?);
        if n % batch == batch - 1 || n == calls - 1 {
            exchange(&mut alice, &mut bob, now)?;
            // The transactions of these end before the next calls begin, as they do under a load that a real server bears.
            now += Duration::from_secs(70);
            pass(&mut alice, &mut bob, now)?;
        }
    }
    // Every transaction ends; the calls stay.
    now += Duration::from_secs(120);
    pass(&mut alice, &mut bob, now)?;
    Ok(Pair { alice, bob, calls: ids })
}

impl Pair {
    /// The calls that are established.
    fn up(&self) -> usize {
        let is_up = |id: &&CallId| self.alice.agent.call_state(**id) == Some(CallState::Established);
        self.calls.iter().filter(is_up).count()
    }

    /// Ends every call; whether nothing is left on either side, which shows that each BYE found its dialog.
    fn hang_up(mut self) -> Result<bool, Box<dyn Error>> {
        // Later than anything that happened before.
        let mut now = Instant::from_millis(1_000_000_000_000);
        for ids in self.calls.chunks(BATCH) {
            for id in ids {
                self.alice.agent.hangup(now, *id)?;
            }
            exchange(&mut self.alice, &mut self.bob, now)?;
            now += Duration::from_secs(70);
            pass(&mut self.alice, &mut self.bob, now)?;
        }
        Ok(self.alice.agent.is_idle() && self.bob.agent.is_idle())
    }
}

/// Carries messages both ways until there are none, and answers each call.
fn exchange(alice: &mut Side, bob: &mut Side, now: Instant) -> Result<(), Box<dyn Error>> {
    loop {
        let mut some = false;
        for turn in 0..2 {
            let (from, to) = if turn == 0 { (&mut *alice, &mut *bob) } else { (&mut *bob, &mut *alice) };
            while let Some(transmit) = from.agent.poll_transmit() {
                some = true;
                let payload = Bytes::copy_from_slice(&transmit.payload);
                to.agent.handle_input(now, Input::Datagram { flow: to.flow, source: from.address, payload });
            }
            while let Some(request) = from.agent.poll_flow() {
                if let FlowRequest::Connect { .. } = request {
                    return Err("no message is too long for UDP here".into());
                }
            }
            while let Some(event) = from.agent.poll_event() {
                some = true;
                if let Event::Incoming { call, .. } = event {
                    from.agent.answer(now, call, Bytes::from_static(SDP.as_bytes()))?;
                }
            }
        }
        if !some {
            return Ok(());
        }
    }
}

/// Lets time pass on both sides.
fn pass(alice: &mut Side, bob: &mut Side, end: Instant) -> Result<(), Box<dyn Error>> {
    loop {
        let next =
            [&*alice, &*bob].into_iter().filter_map(|side| side.agent.poll_timeout()).map(|(at, _)| at).min();
        let Some(at) = next.filter(|at| *at <= end) else { return Ok(()) };
        alice.agent.handle_timeout(at);
        bob.agent.handle_timeout(at);
        exchange(alice, bob, at)?;
    }
}

/// Resident memory in KiB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

    use super::*;

    /// What a dialog takes with its share of the tables and of what the transactions left, most of it text.
    #[test]
    fn a_dialog_that_is_held_open_takes_less_than_a_kibibyte() {
        const CALLS: usize = 2000;
        let mut pair = None;
        let heap = allocation_counter::measure(|| pair = Some(establish(CALLS, 100).unwrap()));
        let pair = pair.unwrap();
        assert_eq!(pair.up(), CALLS);
        let each = heap.bytes_current / (2 * CALLS as i64);
        assert!((100..1024).contains(&each), "{each} bytes for each dialog");
        assert!(pair.hang_up().unwrap(), "each BYE finds its dialog");
    }
}
