//! Where the accounts are reached: the location service of RFC 3261 §10.
//!
//! [`LocationStore`] is the seam for a product: a store backed by a database or shared between nodes takes the place of
//! [`MemoryStore`]. Its calls are made inside the state machine, so they must not block: a database is written
//! behind and read ahead.

use hashbrown::HashMap;
use sidetone_hal::net::{FlowId, Protocol, SocketAddr};
use sidetone_hal::time::{Duration, Instant};
use sidetone_sip_core::{Target, Uri};
use std::collections::BTreeSet;

/// One contact of one account (RFC 3261 §10.3).
#[derive(Clone, Debug, PartialEq)]
pub struct Binding {
    /// The Contact's URI, as it goes into the Request-URI of a request to this device.
    pub contact: Uri,
    /// Preference in thousandths, 0 to 1000 (`q`; 1000 when the Contact has none).
    pub q: u16,
    /// When the binding ends.
    pub expires: Instant,
    /// Call-ID of the REGISTER that wrote the binding.
    pub call_id: String,
    /// CSeq number of the REGISTER that wrote the binding.
    pub cseq: u32,
    /// The socket or connection the REGISTER came on: requests go back the same way, through the client's NAT.
    pub flow: FlowId,
    /// Transport of that flow.
    pub protocol: Protocol,
    /// The address the REGISTER came from.
    pub remote: SocketAddr,
}

impl Binding {
    /// The way to the device.
    #[must_use]
    pub fn target(&self) -> Target {
        Target::new(self.protocol, self.remote).on(self.flow)
    }

    /// Whole seconds left at `now`, rounded up, so that a live binding never shows 0.
    #[must_use]
    pub fn seconds_left(&self, now: Instant) -> u32 {
        let left = self.expires.saturating_since(now) + Duration::from_micros(999_999);
        u32::try_from(left.as_secs()).unwrap_or(u32::MAX)
    }
}

/// Bindings by account.
///
/// `user` is the user part of the address of record, unescaped: all domains that the PBX serves are one name space.
pub trait LocationStore: Send {
    /// The account's bindings that are alive at `now`, in the order in which they were first written.
    fn bindings(&self, now: Instant, user: &str) -> Vec<Binding>;

    /// Makes `bindings` the account's only bindings; an empty list removes the account from the store.
    fn replace(&mut self, user: &str, bindings: Vec<Binding>);

    /// Removes one binding that has ended by `now` and returns it with its account; `None` when there is none left.
    fn expire(&mut self, now: Instant) -> Option<(String, Binding)>;

    /// When the next binding ends.
    fn next_expiry(&self) -> Option<Instant>;
}

/// Bindings in memory; they are lost with the process.
///
/// `bindings` is O(1) in the number of accounts, `replace` and `expire` are O(log n): a hash table holds the
/// bindings, an ordered set holds each account's soonest deadline.
#[derive(Debug, Default)]
pub struct MemoryStore {
    accounts: HashMap<String, Vec<Binding>>,
    deadlines: BTreeSet<(Instant, String)>,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many accounts have a binding.
    #[must_use]
    pub fn len(&self) -> usize {
        self.accounts.len()
    }

    /// Whether no account has a binding.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.accounts.is_empty()
    }
}

impl LocationStore for MemoryStore {
    fn bindings(&self, now: Instant, user: &str) -> Vec<Binding> {
        let all = self.accounts.get(user).map_or(&[][..], Vec::as_slice);
        all.iter().filter(|binding| binding.expires > now).cloned().collect()
    }

    fn replace(&mut self, user: &str, bindings: Vec<Binding>) {
        if let Some(old) = self.accounts.get(user).and_then(|old| soonest(old)) {
            self.deadlines.remove(&(old, String::from(user)));
        }
        match soonest(&bindings) {
            None => {
                self.accounts.remove(user);
            }
            Some(deadline) => {
                self.deadlines.insert((deadline, String::from(user)));
                self.accounts.insert(String::from(user), bindings);
            }
        }
    }

    fn expire(&mut self, now: Instant) -> Option<(String, Binding)> {
        let (_, user) = self.deadlines.first().filter(|(deadline, _)| *deadline <= now)?.clone();
        let mut bindings = self.accounts.get(&user)?.clone();
        let (at, _) = bindings.iter().enumerate().min_by_key(|(_, binding)| binding.expires)?;
        let ended = bindings.remove(at);
        self.replace(&user, bindings);
        Some((user, ended))
    }

    fn next_expiry(&self) -> Option<Instant> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }
}

fn soonest(bindings: &[Binding]) -> Option<Instant> {
    bindings.iter().map(|binding| binding.expires).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binding(contact: &str, expires: u64) -> Binding {
        Binding {
            contact: contact.parse().unwrap(),
            q: 1000,
            expires: Instant::from_millis(expires * 1000),
            call_id: String::from("c"),
            cseq: 1,
            flow: FlowId(1),
            protocol: Protocol::Udp,
            remote: "192.0.2.1:5060".parse().unwrap(),
        }
    }

    #[test]
    fn bindings_end_lazily_and_by_deadline() {
        let mut store = MemoryStore::new();
        store.replace("alice", vec![binding("sip:a@192.0.2.1", 60), binding("sip:a@192.0.2.2", 30)]);
        store.replace("bob", vec![binding("sip:b@192.0.2.3", 45)]);
        assert_eq!(store.next_expiry(), Some(Instant::from_millis(30_000)));

        // Nobody called `expire` yet, but the ended binding is no longer told.
        let at_40 = Instant::from_millis(40_000);
        assert_eq!(store.bindings(at_40, "alice"), [binding("sip:a@192.0.2.1", 60)]);

        let ended = core::iter::from_fn(|| store.expire(Instant::from_millis(60_000)));
        let ended: Vec<_> = ended.map(|(user, binding)| (user, binding.contact.to_string())).collect();
        let expected =
            [("alice", "sip:a@192.0.2.2"), ("bob", "sip:b@192.0.2.3"), ("alice", "sip:a@192.0.2.1")];
        assert_eq!(ended, expected.map(|(user, contact)| (String::from(user), String::from(contact))));
        assert!(store.is_empty());
        assert_eq!(store.next_expiry(), None);
    }

    #[test]
    fn replacing_moves_the_deadline() {
        let mut store = MemoryStore::new();
        store.replace("alice", vec![binding("sip:a@192.0.2.1", 30)]);
        store.replace("alice", vec![binding("sip:a@192.0.2.1", 90)]);
        assert_eq!(store.next_expiry(), Some(Instant::from_millis(90_000)));
        assert_eq!(store.expire(Instant::from_millis(89_999)), None);
        store.replace("alice", Vec::new());
        assert_eq!((store.next_expiry(), store.len()), (None, 0));
    }

    #[test]
    fn seconds_left_round_up() {
        let binding = binding("sip:a@192.0.2.1", 10);
        assert_eq!(binding.seconds_left(Instant::from_millis(1)), 10);
        assert_eq!(binding.seconds_left(Instant::from_millis(9_999)), 1);
        assert_eq!(binding.seconds_left(Instant::from_millis(10_000)), 0);
    }
}
