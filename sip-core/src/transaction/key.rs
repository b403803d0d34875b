//! What makes a message belong to a transaction (RFC 3261 §17.1.3 and §17.2.3), also for RFC 2543 peers.
//!
//! A key is a keyed hash of the fields to compare (SipHash-2-4 with 128 bits): 16 bytes whatever a peer sends, and no
//! peer can choose branches whose keys collide or crowd one bucket.

use crate::header::{CSeq, CallId, From, HeaderName, Via};
use crate::{Essentials, Headers, Host, Method, Request};
use alloc::string::String;
use core::fmt::Write as _;
use core::hash::{BuildHasherDefault, Hasher};
use sidetone_hal::rng::Rng;
use siphasher::sip128::{Hasher128, SipHasher24};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key(u64, u64);

impl core::hash::Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0);
    }
}

/// A map by key needs no further hashing.
pub(crate) type KeyMap<V> = hashbrown::HashMap<Key, V, BuildHasherDefault<Half>>;

/// One half of a key is its hash.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Half(u64);

impl Hasher for Half {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.first_chunk().map_or(0, |first| u64::from_le_bytes(*first));
    }
    fn write_u64(&mut self, half: u64) {
        self.0 = half;
    }
    fn finish(&self) -> u64 {
        self.0
    }
}

/// Makes keys.
#[derive(Clone)]
pub(crate) struct Keys {
    /// A hasher that has read nothing but its secret.
    empty: SipHasher24,
}

impl Keys {
    pub(crate) fn new(rng: &mut Rng) -> Self {
        let mut secret = [0; 16];
        rng.fill(&mut secret);
        Self { empty: SipHasher24::new_with_key(&secret) }
    }

    /// RFC 3261 §17.1.3: our branch and the method.
    pub(crate) fn client(&self, branch: &str, method: &Method) -> Key {
        self.begin(Kind::Client).field(branch).field(method.as_str()).key()
    }

    /// RFC 3261 §17.2.3: the server transaction that a request belongs to, as if its method were `method`: INVITE
    /// for an ACK, and for a CANCEL to find what it cancels. `essentials` are those of the request as it came.
    pub(crate) fn server(&self, request: &Request, essentials: &Essentials, method: &Method) -> Key {
        let via = &essentials.via;
        let fields = if let Some(branch) = via.branch().filter(|branch| is_rfc3261(branch)) {
            self.begin(Kind::Server).field(branch)
        } else {
            // The To tag is left out: it differs between an INVITE and its ACK, and what it would tell apart
            // already differs in CSeq.
            self.begin(Kind::Rfc2543)
                .field(request.uri.as_str())
                .field(essentials.from.tag().unwrap_or_default())
                .field(essentials.call_id.as_str())
                .number(essentials.cseq.seq)
                .field(via.branch().unwrap_or_default())
        };
        fields.sent_by(via).field(method.as_str()).key()
    }

    /// RFC 3261 §8.2.2.2: what two requests have in common that are one, and came by two ways.
    pub(crate) fn merged(&self, essentials: &Essentials) -> Key {
        self.begin(Kind::Merged)
            .field(essentials.from.tag().unwrap_or_default())
            .field(essentials.call_id.as_str())
            .number(essentials.cseq.seq)
            .field(essentials.cseq.method.as_str())
            .key()
    }

    /// The To tag of a response without state (RFC 3261 §8.2.7): the same for each repetition of its request, and
    /// known again in the ACK. `None` when the headers do not tell.
    pub(crate) fn stateless_tag(&self, headers: &Headers) -> Option<String> {
        let via = headers.get::<Via>()?.ok()?;
        let call_id = headers.raw(&HeaderName::CALL_ID)?;
        let fields = self.begin(Kind::Tag).field(via.branch().unwrap_or_default()).sent_by(&via);
        let Key(half, _) = fields.field(call_id).key();
        let mut tag = String::with_capacity(16);
        // Writing to memory does not fail.
        let _ = write!(tag, "{half:016x}");
        Some(tag)
    }

    /// RFC 3261 §16.3 step 4 and RFC 5393 §4.2: what a proxy's choice of the next hop hangs on, as digits for a branch.
    /// The method is none of it, so that ACK and CANCEL have their INVITE's.
    pub(crate) fn loop_mark(&self, request: &Request) -> String {
        let headers = &request.headers;
        let mut fields = self.begin(Kind::Loop).field(request.uri.as_str());
        if let Some(Ok(From(from))) = headers.get::<From>() {
            fields = fields.field(from.tag().unwrap_or_default());
        }
        if let Some(Ok(call_id)) = headers.get::<CallId>() {
            fields = fields.field(call_id.as_str());
        }
        if let Some(Ok(cseq)) = headers.get::<CSeq>() {
            fields = fields.number(cseq.seq);
        }
        for name in [HeaderName::ROUTE, HeaderName::PROXY_REQUIRE, HeaderName::PROXY_AUTHORIZATION] {
            fields = headers.raw_all(&name).fold(fields.field(name.as_str()), Fields::field);
        }
        let Key(half, _) = fields.key();
        let mut mark = String::with_capacity(16);
        // Writing to memory does not fail.
        let _ = write!(mark, "{half:016x}");
        mark
    }

    const fn begin(&self, kind: Kind) -> Fields {
        Fields { hasher: self.empty, kind }
    }
}

/// Fields on their way into a key.
struct Fields {
    hasher: SipHasher24,
    kind: Kind,
}

impl Fields {
    /// No field holds a byte 0xFF that could shift the next: it is not in UTF-8, and a raw header value that has it is
    /// the last field of its kind or one of a list.
    fn field(mut self, value: impl AsRef<[u8]>) -> Self {
        self.hasher.write(value.as_ref());
        self.hasher.write_u8(0xff);
        self
    }

    fn number(mut self, value: u32) -> Self {
        self.hasher.write_u32(value);
        self
    }

    fn sent_by(mut self, via: &Via) -> Self {
        self.hasher.write_u16(via.port.unwrap_or_default());
        self.hasher.write_u8(match &via.host {
            Host::V4(_) => 4,
            Host::V6(_) => 6,
            Host::Name(_) => 0,
        });
        match &via.host {
            Host::V4(address) => self.field(address.octets()),
            Host::V6(address) => self.field(address.octets()),
            Host::Name(name) if name.bytes().any(|byte| byte.is_ascii_uppercase()) => {
                self.field(name.to_ascii_lowercase())
            }
            Host::Name(name) => self.field(name.as_bytes()),
        }
    }

    fn key(mut self) -> Key {
        // Keys of different kinds never meet.
        self.hasher.write_u8(self.kind as u8);
        let hash = self.hasher.finish128();
        Key(hash.h1, hash.h2)
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

#[derive(Clone, Copy)]
enum Kind {
    Client,
    Server,
    Rfc2543,
    Merged,
    Tag,
    Loop,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_ends_where_it_ends() {
        let keys = Keys::new(&mut Rng::from_u64(1));
        let join =
            |parts: &[&str]| parts.iter().fold(keys.begin(Kind::Client), |all, part| all.field(part)).key();
        assert_ne!(join(&["ab", "c"]), join(&["a", "bc"]));
        assert_ne!(join(&["ab"]), join(&["ab", ""]));
        assert_eq!(join(&["ab", "c"]), keys.begin(Kind::Client).field("ab").field("c").key());
        let other = Keys::new(&mut Rng::from_u64(2));
        assert_ne!(
            keys.client("z9hG4bK1", &Method::BYE),
            other.client("z9hG4bK1", &Method::BYE),
            "the key matters"
        );
    }
}
