//! Keys in SDP (RFC 4568): which `a=crypto` lines are offered, which one is answered, and which keys come out.
//!
//! The keys travel in the clear inside the description: the signalling must be protected (TLS), or who reads it can
//! hear the call.

mod line;

pub use line::{CryptoLine, SdesError};

use super::{MasterKey, SrtpKeys, Suite};
use sidetone_hal::rng::Rng;

/// The most lines of a description that are looked at.
const MAX_LINES: usize = 16;

/// Whether calls are encrypted; what is stricter is greater.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SrtpPolicy {
    /// Never: `RTP/AVP` is offered, `RTP/SAVP` refused, and `a=crypto` in an `RTP/AVP` line ignored.
    #[default]
    Off,
    /// If the other side does too: `RTP/AVP` with `a=crypto` is offered (what most telephones call optional or best
    /// effort); an answer without it makes a call in the clear. Offers of `RTP/SAVP`, or of `RTP/AVP` with
    /// `a=crypto`, are answered with encryption, others without.
    Optional,
    /// Always: `RTP/SAVP` is offered, and what comes without usable `a=crypto` refused.
    Compulsory,
}

/// One side's `a=crypto` lines through the offers and answers of a session.
///
/// A re-offer repeats the keys, so that what flows goes on without a break. If the other side changes its key in an
/// offer, ours changes with it: both sides then count from zero. [`rekey`](Self::rekey) makes the next offer bring new
/// keys.
#[derive(Clone, Debug)]
pub struct Sdes {
    suites: Vec<Suite>,
    rng: Rng,
    /// The lines of our last offer, until it is answered or taken back. An answer may come again.
    offered: Vec<CryptoLine>,
    /// What was agreed on: our key, and the other side's.
    agreed: Option<SrtpKeys>,
    /// Keys that were said for suites that were not chosen; they may be said again.
    spare: Vec<MasterKey>,
    /// The next offer is to bring new keys; and the one that waits for its answer does.
    rekey: bool,
    rekeying: bool,
}

impl Sdes {
    /// A session with nothing said yet, with these suites, what we like best first; keys are made with `rng`.
    /// [`Suite::NULL_HMAC_SHA1_80`] has no name in SDP and is left out.
    #[must_use]
    pub fn new(suites: impl IntoIterator<Item = Suite>, rng: Rng) -> Self {
        let mut known: Vec<Suite> = Vec::new();
        for suite in suites.into_iter().filter(|suite| Suite::ALL.contains(suite)) {
            if !known.contains(&suite) {
                known.push(suite);
            }
        }
        Self {
            suites: known,
            rng,
            offered: Vec::new(),
            agreed: None,
            spare: Vec::new(),
            rekey: false,
            rekeying: false,
        }
    }

    /// The values of the `a=crypto` lines of an offer. They have keys in them: not for logs.
    pub fn offer(&mut self) -> Vec<String> {
        let mut suites = self.suites.clone();
        // What is used already is offered first, so that a hold does not change it.
        if let Some(agreed) = self.agreed.as_ref().map(|keys| keys.send.suite()) {
            suites.sort_by_key(|suite| *suite != agreed);
        }
        let lines =
            suites.into_iter().zip(1..).map(|(suite, tag)| CryptoLine { tag, key: self.own_key(suite) });
        let lines: Vec<CryptoLine> = lines.collect();
        self.rekeying = self.rekey;
        self.spare = lines.iter().map(|line| line.key.clone()).collect();
        self.offered = lines;
        self.offered.iter().map(CryptoLine::to_value).collect()
    }

    /// Answers the lines of an offer: the value of our one `a=crypto` line, and the keys. The first line that we can
    /// use is taken, for the offerer's order counts (RFC 4568 §5.1.2).
    ///
    /// # Errors
    /// No line can be used; the error says why not of each.
    pub fn answer<'a>(
        &mut self,
        lines: impl IntoIterator<Item = &'a str>,
    ) -> Result<(String, SrtpKeys), SdesError> {
        let theirs = self.choose(lines)?;
        let suite = theirs.key.suite();
        let send = match &self.agreed {
            Some(keys) if keys.receive == theirs.key && keys.send.suite() == suite => keys.send.clone(),
            _ => MasterKey::random(suite, &mut self.rng),
        };
        let keys = SrtpKeys { send, receive: theirs.key };
        self.agreed = Some(keys.clone());
        self.offered.clear();
        self.spare.clear();
        Ok((CryptoLine { tag: theirs.tag, key: keys.send.clone() }.to_value(), keys))
    }

    /// Takes the lines of the answer to our offer. It may come again, in a 200 after a 183 or from another branch.
    ///
    /// # Errors
    /// Nothing was offered, or no line can be used, or it answers nothing that was offered.
    pub fn accept<'a>(&mut self, lines: impl IntoIterator<Item = &'a str>) -> Result<SrtpKeys, SdesError> {
        if self.offered.is_empty() {
            return Err(SdesError::NoOffer);
        }
        let theirs = self.choose(lines)?;
        let (tag, suite) = (theirs.tag, theirs.key.suite());
        let ours = self.offered.iter().find(|line| line.tag == tag && line.key.suite() == suite);
        let ours = ours.ok_or(SdesError::NotOffered { tag, suite })?;
        let keys = SrtpKeys { send: ours.key.clone(), receive: theirs.key };
        self.rekey &= !core::mem::take(&mut self.rekeying);
        self.agreed = Some(keys.clone());
        Ok(keys)
    }

    /// Our offer was refused, or answered without encryption: what was agreed on before holds.
    pub fn rollback(&mut self) {
        self.rekeying = false;
        self.offered.clear();
        self.spare.clear();
    }

    /// The next offer brings new keys.
    pub const fn rekey(&mut self) {
        self.rekey = true;
    }

    /// What was agreed on last.
    #[must_use]
    pub const fn agreed(&self) -> Option<&SrtpKeys> {
        self.agreed.as_ref()
    }

    fn own_key(&mut self, suite: Suite) -> MasterKey {
        let known = self.agreed.iter().map(|keys| &keys.send).chain(&self.spare);
        let known = known.filter(|_| !self.rekey).find(|key| key.suite() == suite).cloned();
        known.unwrap_or_else(|| MasterKey::random(suite, &mut self.rng))
    }

    fn choose<'a>(&self, lines: impl IntoIterator<Item = &'a str>) -> Result<CryptoLine, SdesError> {
        let mut refused = Vec::new();
        for line in lines.into_iter().take(MAX_LINES) {
            match CryptoLine::parse(line) {
                Ok(line) if self.suites.contains(&line.key.suite()) => return Ok(line),
                Ok(line) => refused.push(SdesError::SwitchedOff { tag: line.tag, suite: line.key.suite() }),
                Err(error) => refused.push(error),
            }
        }
        Err(SdesError::NoneUsable(refused))
    }
}

#[cfg(test)]
mod tests;
