//! Which of our addresses a peer talks to: what a socket bound to every address sends from.

use hashbrown::HashMap;
use sidetone_hal::net::{IpAddr, SocketAddr};

/// Peer → our address. Bounded: of many peers, those of the latest traffic are remembered.
pub(super) struct Routes {
    /// Used since the last turn.
    young: HashMap<SocketAddr, IpAddr>,
    /// Used before; forgotten at the next turn.
    old: HashMap<SocketAddr, IpAddr>,
    /// Entries at most, `young` and `old` together.
    max: usize,
}

impl Routes {
    pub(super) fn new(max: usize) -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), max }
    }

    /// A datagram of `remote` came to `local`. Whether that is news.
    pub(super) fn learn(&mut self, remote: SocketAddr, local: IpAddr) -> bool {
        if let Some(known) = self.young.get_mut(&remote) {
            return core::mem::replace(known, local) != local;
        }
        let news = self.old.get(&remote) != Some(&local);
        self.insert(remote, local);
        news
    }

    /// Our address towards `remote`, as far as it is known.
    pub(super) fn toward(&mut self, remote: SocketAddr) -> Option<IpAddr> {
        if let Some(local) = self.young.get(&remote) {
            return Some(*local);
        }
        let local = *self.old.get(&remote)?;
        self.insert(remote, local);
        Some(local)
    }

    /// `remote` is not reached from the address that was known.
    pub(super) fn forget(&mut self, remote: SocketAddr) {
        self.young.remove(&remote);
        self.old.remove(&remote);
    }

    fn insert(&mut self, remote: SocketAddr, local: IpAddr) {
        if self.young.len() >= self.max.div_ceil(2) {
            self.old = core::mem::take(&mut self.young);
        }
        if self.max > 0 {
            self.young.insert(remote, local);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], port))
    }

    #[test]
    fn what_is_used_stays_and_the_rest_goes() {
        let (a, b) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        let mut routes = Routes::new(100);
        assert!(routes.learn(peer(1), a) && !routes.learn(peer(1), a));
        assert!(routes.learn(peer(1), b), "another address is news");
        for port in 1000..11_000 {
            routes.learn(peer(port), a);
            assert_eq!(routes.toward(peer(1)), Some(b), "{port}");
            assert!(routes.young.len() + routes.old.len() <= 100);
        }
        assert_eq!(routes.toward(peer(1000)), None);
        assert_eq!(routes.toward(peer(10_999)), Some(a));
        routes.forget(peer(1));
        assert_eq!(routes.toward(peer(1)), None);
    }

    #[test]
    fn a_table_of_no_entries_stays_empty() {
        let mut routes = Routes::new(0);
        routes.learn(peer(1), IpAddr::from([10, 0, 0, 1]));
        assert_eq!(routes.toward(peer(1)), None);
    }
}
