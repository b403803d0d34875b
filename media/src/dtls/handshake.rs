//! One DTLS association: datagrams in and out, and the keys that come of it.

use super::fingerprint::has_fingerprint;
use super::{DtlsError, DtlsIdentity};
use crate::srtp::{MasterKey, SrtpKeys, Suite};
use dimpl::{Config, Dtls, Output, SrtpProfile};
use sidetone_hal::time::{Duration, Instant};
use std::collections::VecDeque;
use std::sync::Arc;

/// Datagrams that wait to be sent at most: more than the longest flight.
const DATAGRAMS: usize = 16;
/// The engine's own limit of a datagram is 1150 octets.
const BUFFER: usize = 2048;
/// Outputs of the engine that one call looks at; a flight has fewer.
const OUTPUTS: usize = 64;

/// A DTLS association at the ports of RTP.
pub struct Handshake {
    engine: Dtls,
    /// The engine has a clock of its own kind: where it began, and what ours was then.
    began: (std::time::Instant, Instant),
    /// What SDP says of the other side's certificate.
    fingerprints: Vec<String>,
    active: bool,
    verified: bool,
    keys: Option<SrtpKeys>,
    timeout: Option<Instant>,
    outgoing: VecDeque<Vec<u8>>,
    event: Option<HandshakeEvent>,
    /// The keys were given.
    done: bool,
    over: bool,
    buffer: Vec<u8>,
}

/// What a [`Handshake`] comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HandshakeEvent {
    /// The other side is who SDP says, and these are the keys. Later datagrams are to be passed on all the same: the
    /// last flight may have been lost.
    Keys(SrtpKeys),
    /// There will be no keys.
    Failed(DtlsError),
    /// The other side ended the association. Keys stay good.
    Closed,
}

impl Handshake {
    /// Begins, as client if `active`; the other side must have a certificate with one of these fingerprints (the value
    /// of `a=fingerprint`).
    #[must_use]
    pub fn new(identity: &DtlsIdentity, active: bool, fingerprints: &[String], now: Instant) -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "the engine's zero; all that it sees later is counted from there"
        )]
        let zero = std::time::Instant::now();
        let mut engine = Dtls::new_12(Arc::new(Config::default()), identity.0.certificate.clone(), zero);
        engine.set_active(active);
        let mut handshake = Self {
            engine,
            began: (zero, now),
            fingerprints: fingerprints.to_vec(),
            active,
            verified: false,
            keys: None,
            timeout: Some(now),
            outgoing: VecDeque::new(),
            event: None,
            done: false,
            over: false,
            buffer: vec![0; BUFFER],
        };
        handshake.handle_timeout(now);
        handshake
    }

    /// The fingerprints that it was begun with.
    #[must_use]
    pub fn fingerprints(&self) -> &[String] {
        &self.fingerprints
    }

    /// A datagram came that [is DTLS](super::is_dtls).
    pub fn handle_datagram(&mut self, now: Instant, datagram: &[u8]) {
        if self.over {
            return;
        }
        let now = self.engine_time(now);
        let result = self.engine.handle_timeout(now).and_then(|()| {
            self.drain_all();
            self.engine.handle_packet(datagram)
        });
        self.after(result);
    }

    /// Goes on at a time that [`poll_timeout`](Self::poll_timeout) said: repeats what may have been lost.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.over || self.timeout.is_none_or(|at| at > now) {
            return;
        }
        self.timeout = None;
        let now = self.engine_time(now);
        let result = self.engine.handle_timeout(now);
        self.after(result);
    }

    /// When to call [`handle_timeout`](Self::handle_timeout).
    #[must_use]
    pub const fn poll_timeout(&self) -> Option<Instant> {
        self.timeout
    }

    /// The next datagram to send.
    pub fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        self.outgoing.pop_front()
    }

    /// What came of it, once.
    pub const fn poll_event(&mut self) -> Option<HandshakeEvent> {
        self.event.take()
    }

    fn engine_time(&self, now: Instant) -> std::time::Instant {
        let (zero, start) = self.began;
        zero + now.saturating_since(start)
    }

    fn after(&mut self, result: Result<(), dimpl::Error>) {
        self.drain_all();
        if let Err(error) = result {
            self.fail(DtlsError::Handshake(error.to_string()));
        }
    }

    fn fail(&mut self, error: DtlsError) {
        // An association that has given its keys may end without harm.
        if !self.over && !self.done {
            self.event = Some(HandshakeEvent::Failed(error));
        }
        self.over = true;
        self.timeout = None;
    }

    fn drain_all(&mut self) {
        let mut buffer = core::mem::take(&mut self.buffer);
        for _ in 0..OUTPUTS {
            if self.over || !self.drain(&mut buffer) {
                break;
            }
        }
        self.buffer = buffer;
    }

    /// Takes one output; false after the last.
    fn drain(&mut self, buffer: &mut Vec<u8>) -> bool {
        let size = buffer.len();
        match self.engine.poll_output(buffer) {
            Output::Packet(packet) if self.outgoing.len() < DATAGRAMS => {
                self.outgoing.push_back(packet.to_vec());
            }
            // Never more than a datagram has.
            Output::BufferTooSmall { needed } if needed > size && needed <= 65_536 => {
                buffer.resize(needed, 0);
            }
            Output::BufferTooSmall { .. } => return false,
            Output::Timeout(at) => {
                let (zero, start) = self.began;
                // Its clock is finer than ours: a microsecond later than too early.
                let wait = at.saturating_duration_since(zero) + Duration::from_micros(1);
                self.timeout = Some(start + wait);
                return false;
            }
            Output::PeerCert(certificate) => {
                if self.fingerprints.iter().any(|value| has_fingerprint(certificate, value)) {
                    self.verified = true;
                    self.tell();
                } else {
                    self.fail(DtlsError::Fingerprint);
                }
            }
            Output::KeyingMaterial(material, profile) => match self.read(&material, profile) {
                Some(keys) => {
                    self.keys = Some(keys);
                    self.tell();
                }
                None => self.fail(DtlsError::NoProfile),
            },
            Output::Connected => {}
            Output::CloseNotify => {
                self.event.get_or_insert(HandshakeEvent::Closed);
                self.over = true;
                self.timeout = None;
            }
            // The association is for keys alone.
            _ => {}
        }
        true
    }

    /// Gives the keys, once the certificate is the right one.
    fn tell(&mut self) {
        if self.verified
            && let Some(keys) = self.keys.take()
        {
            self.done = true;
            self.event = Some(HandshakeEvent::Keys(keys));
        }
    }

    /// RFC 5764 §4.2: the client's key, the server's key, the client's salt, the server's salt.
    fn read(&self, material: &[u8], profile: SrtpProfile) -> Option<SrtpKeys> {
        let suite = match profile {
            SrtpProfile::AES128_CM_SHA1_80 => Suite::AES_CM_128_HMAC_SHA1_80,
            SrtpProfile::AEAD_AES_128_GCM => Suite::AEAD_AES_128_GCM,
            SrtpProfile::AEAD_AES_256_GCM => Suite::AEAD_AES_256_GCM,
            _ => return None,
        };
        let (client_key, rest) = material.split_at_checked(suite.key_length())?;
        let (server_key, rest) = rest.split_at_checked(suite.key_length())?;
        let (client_salt, rest) = rest.split_at_checked(suite.salt_length())?;
        let server_salt = rest.get(..suite.salt_length())?;
        let client = MasterKey::new(suite, client_key, client_salt).ok()?;
        let server = MasterKey::new(suite, server_key, server_salt).ok()?;
        Some(match self.active {
            true => SrtpKeys { send: client, receive: server },
            false => SrtpKeys { send: server, receive: client },
        })
    }
}

impl core::fmt::Debug for Handshake {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Handshake")
            .field("active", &self.active)
            .field("over", &self.over)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::super::is_dtls;
    use super::*;

    const FAR: Duration = Duration::from_secs(90);

    fn identity() -> DtlsIdentity {
        DtlsIdentity::generate().unwrap()
    }

    /// Runs both in virtual time; `lost` says which datagrams are.
    fn run(mut sides: [Handshake; 2], lost: impl Fn(usize) -> bool) -> [Option<HandshakeEvent>; 2] {
        let mut events = [None, None];
        let (mut now, mut sent) = (Instant::from_millis(5), 0);
        let end = now + FAR;
        while now < end {
            let mut quiet = true;
            for from in [0, 1] {
                while let Some(datagram) = sides[from].poll_transmit() {
                    assert!(is_dtls(&datagram) && datagram.len() <= 1200, "{}", datagram.len());
                    quiet = false;
                    sent += 1;
                    if !lost(sent) {
                        sides[1 - from].handle_datagram(now, &datagram);
                    }
                }
                events[from] = events[from].take().or_else(|| sides[from].poll_event());
            }
            if events.iter().all(Option::is_some) {
                break;
            }
            if quiet {
                let next = sides.iter().filter_map(Handshake::poll_timeout).min();
                let Some(next) = next else { break };
                now = next.max(now + Duration::from_millis(1));
                sides.iter_mut().for_each(|side| side.handle_timeout(now));
            }
        }
        events
    }

    fn pair(promised: [&str; 2], identities: [&DtlsIdentity; 2]) -> [Handshake; 2] {
        let now = Instant::from_millis(5);
        [
            Handshake::new(identities[0], true, &[promised[1].to_owned()], now),
            Handshake::new(identities[1], false, &[promised[0].to_owned()], now),
        ]
    }

    #[test]
    fn both_sides_have_the_same_keys() {
        let (a, b) = (identity(), identity());
        let events = run(pair([a.fingerprint(), b.fingerprint()], [&a, &b]), |_| false);
        let [Some(HandshakeEvent::Keys(a)), Some(HandshakeEvent::Keys(b))] = events else {
            panic!("{events:?}")
        };
        assert!(a.send == b.receive && a.receive == b.send && a.send != a.receive);
    }

    #[test]
    fn lost_datagrams_are_repeated() {
        let (a, b) = (identity(), identity());
        for every in 2..5 {
            let sides = pair([a.fingerprint(), b.fingerprint()], [&a, &b]);
            let events = run(sides, |sent| sent < 10 && sent % every == 1);
            assert!(
                matches!(events, [Some(HandshakeEvent::Keys(_)), Some(HandshakeEvent::Keys(_))]),
                "{events:?}"
            );
        }
    }

    #[test]
    fn another_certificate_than_promised_gives_no_keys() {
        let (a, b, other) = (identity(), identity(), identity());
        let events = run(pair([a.fingerprint(), other.fingerprint()], [&a, &b]), |_| false);
        assert_eq!(events[0], Some(HandshakeEvent::Failed(DtlsError::Fingerprint)));
        let events = run(pair([other.fingerprint(), b.fingerprint()], [&a, &b]), |_| false);
        assert_eq!(events[1], Some(HandshakeEvent::Failed(DtlsError::Fingerprint)));
    }

    #[test]
    fn who_never_answers_is_given_up_in_bounded_time() {
        let a = identity();
        let mut side = Handshake::new(&a, true, &[], Instant::ZERO);
        let mut sent = 0;
        while let Some(at) = side.poll_timeout() {
            assert!(at < Instant::ZERO + FAR, "{at:?}");
            side.handle_timeout(at);
            while side.poll_transmit().is_some() {
                sent += 1;
            }
        }
        assert!(matches!(side.poll_event(), Some(HandshakeEvent::Failed(DtlsError::Handshake(_)))));
        assert!((2..30).contains(&sent), "{sent}");
    }

    #[test]
    fn noise_changes_nothing() {
        let (a, b) = (identity(), identity());
        let mut sides = pair([a.fingerprint(), b.fingerprint()], [&a, &b]);
        for length in 0..200 {
            for side in &mut sides {
                side.handle_datagram(Instant::from_millis(6), &vec![22; length]);
            }
        }
        let events = run(sides, |_| false);
        assert!(
            matches!(events, [Some(HandshakeEvent::Keys(_)), Some(HandshakeEvent::Keys(_))]),
            "{events:?}"
        );
    }
}
