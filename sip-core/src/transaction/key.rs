//! What makes a message belong to a transaction (RFC 3261 §17.1.3 and §17.2.3), also for RFC 2543 peers.
//!
//! A key is a keyed hash of the fields to compare: 16 bytes whatever a peer sends, and no peer can choose branches
//! whose keys collide or crowd one bucket.

use crate::header::Via;
use crate::{Essentials, Method, Request};
use alloc::vec::Vec;
use core::fmt::Write;
use core::hash::{BuildHasherDefault, Hasher};
use sha2::{Digest, Sha256};
use sidetone_hal::rng::Rng;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key([u8; 16]);

impl core::hash::Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(&self.0);
    }
}

/// A map by key needs no further hashing.
pub(crate) type KeyMap<V> = hashbrown::HashMap<Key, V, BuildHasherDefault<Prefix>>;

/// The first eight bytes of a key are its hash.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Prefix(u64);

impl Hasher for Prefix {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.first_chunk().map_or(0, |first| u64::from_le_bytes(*first));
    }
    fn finish(&self) -> u64 {
        self.0
    }
}

/// Makes keys.
pub(crate) struct Keys {
    secret: [u8; 32],
    scratch: Vec<u8>,
}

impl Keys {
    pub(crate) fn new(rng: &mut Rng) -> Self {
        let mut secret = [0; 32];
        rng.fill(&mut secret);
        Self { secret, scratch: Vec::new() }
    }

    /// RFC 3261 §17.1.3: our branch and the method.
    pub(crate) fn client(&mut self, branch: &str, method: &Method) -> Key {
        self.begin(Side::Client);
        self.field(branch);
        self.field(method.as_str());
        self.end()
    }

    /// RFC 3261 §17.2.3: the server transaction that a request belongs to, as if its method were `method`: INVITE
    /// for an ACK, and for a CANCEL to find what it cancels. `essentials` are those of the request as it came.
    pub(crate) fn server(&mut self, request: &Request, essentials: &Essentials, method: &Method) -> Key {
        let via = &essentials.via;
        if let Some(branch) = via.branch().filter(|branch| is_rfc3261(branch)) {
            self.begin(Side::Server);
            self.field(branch);
        } else {
            self.begin(Side::Rfc2543);
            // The To tag is left out: it differs between an INVITE and its ACK, and what it would tell apart
            // already differs in CSeq.
            self.field(&request.uri);
            self.field(essentials.from.tag().unwrap_or_default());
            self.field(essentials.call_id.as_str());
            self.field(essentials.cseq.seq);
            self.field(via.branch().unwrap_or_default());
        }
        self.field(&via.host);
        self.field(via.port.unwrap_or_default());
        self.field(method.as_str());
        self.end()
    }

    fn begin(&mut self, side: Side) {
        self.scratch.clear();
        self.scratch.push(side as u8);
    }

    fn field(&mut self, value: impl core::fmt::Display) {
        // Writing to memory does not fail, and no field holds a zero byte that could shift the next.
        let _ = write!(Scratch(&mut self.scratch), "{value}\0");
    }

    fn end(&self) -> Key {
        let digest = Sha256::new().chain_update(self.secret).chain_update(&self.scratch).finalize();
        Key(digest.first_chunk().copied().unwrap_or_default())
    }
}

/// RFC 3261 §8.1.1.7; the cookie's case is not significant to us, since some peers change it.
fn is_rfc3261(branch: &str) -> bool {
    // The cookie alone is no unique branch.
    branch.len() > Via::MAGIC_COOKIE.len()
        && branch
            .get(..Via::MAGIC_COOKIE.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(Via::MAGIC_COOKIE))
}

/// Keys of different kinds never meet.
#[derive(Clone, Copy)]
enum Side {
    Client,
    Server,
    Rfc2543,
}

struct Scratch<'a>(&'a mut Vec<u8>);

impl Write for Scratch<'_> {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}
