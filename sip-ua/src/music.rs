//! Music on hold from a music server: the server's sound goes to the held side directly, we only introduce them (RFC 7088, in
//! the order of RFC 3725 flow I: the server offers, the held side answers).

use crate::agent::Agent;
use crate::error::CommandError;
use crate::event::{CallId, Event};
use alloc::format;
use alloc::string::String;
use bytes::Bytes;
use sidetone_hal::time::Instant;
use sidetone_sip_core::{StatusCode, Uri};

/// A held call that hears a music server.
///
/// ```text
/// us -> server   INVITE without an offer
/// server -> us   200 with its offer
/// us -> held     re-INVITE with that offer, sendonly
/// held -> us     200 with its answer
/// us -> server   ACK with that answer
/// ```
///
/// Every event of the agent goes through [`MusicOnHold::handle_event`] first, until it says [`MusicStep::Over`] or
/// [`MusicOnHold::resume`] ends it.
#[derive(Debug)]
pub struct MusicOnHold {
    held: CallId,
    music: CallId,
    /// The origin of our descriptions towards the held side (`o=`), which must stay the same but for its version (RFC 3264
    /// §8).
    origin: Origin,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The server is called.
    Calling,
    /// Its offer is with the held side.
    Offered,
    Playing,
    /// The music is over, but the held side has not answered its offer yet.
    Leaving,
    Over,
}

/// What an event meant for the music.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MusicStep {
    /// Nothing: the event is the user's.
    NotMine,
    /// It was the music's, and nobody else has to see it.
    Taken,
    /// The held side hears the music from now on.
    Playing,
    /// There is no music, or no more, with the status that the server or the held side gave. The held call goes on as its
    /// last description says: after [`MusicStep::Playing`] it needs one of ours.
    Over(Option<StatusCode>),
}

impl MusicOnHold {
    /// Calls the music server for an established call. `ours` is the description that we sent last in that call.
    ///
    /// # Errors
    /// As [`Agent::call`]; [`CommandError::WrongState`] when `ours` has no origin.
    pub fn begin(
        agent: &mut Agent,
        now: Instant,
        held: CallId,
        server: &Uri,
        ours: &[u8],
    ) -> Result<Self, CommandError> {
        let account = agent.call_account(held).ok_or(CommandError::NoSuchAccount)?;
        let origin = Origin::of(ours).ok_or(CommandError::WrongState)?;
        let music = agent.call(now, account, server, None)?;
        Ok(Self { held, music, origin, stage: Stage::Calling })
    }

    /// The call to the music server.
    #[must_use]
    pub const fn music(&self) -> CallId {
        self.music
    }

    /// The version of the newest description that the held side got (`o=`): what describes the session next has a higher one.
    #[must_use]
    pub const fn version(&self) -> u64 {
        self.origin.version
    }

    /// Whether no event means anything to it any more.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Over)
    }

    /// Hangs up at the server. The held side is told nothing: the next offer or answer of ours does that. While an offer of
    /// the music's is with it, [`MusicOnHold::handle_event`] goes on taking what comes of that.
    pub fn leave(&mut self, agent: &mut Agent, now: Instant) {
        if self.stage == Stage::Leaving {
            return;
        }
        let offered = self.stage == Stage::Offered;
        self.stop(agent, now, None);
        if offered {
            self.stage = Stage::Leaving;
        }
    }

    /// Looks at an event of the agent.
    pub fn handle_event(&mut self, agent: &mut Agent, now: Instant, event: &Event) -> MusicStep {
        match event {
            Event::Answered { call, body } if *call == self.music => match body {
                Some(offer) => self.offer(agent, now, offer),
                None => self.stop(agent, now, Some(StatusCode::NOT_ACCEPTABLE_HERE)),
            },
            Event::Answer { call, body: Some(answer) }
                if *call == self.held && self.stage == Stage::Offered =>
            {
                if agent.answer_offer(now, self.music, answer.clone()).is_err() {
                    return self.stop(agent, now, None);
                }
                self.stage = Stage::Playing;
                MusicStep::Playing
            }
            Event::OfferRejected { call, status, .. }
                if *call == self.held && self.stage == Stage::Offered =>
            {
                self.stop(agent, now, Some(*status))
            }
            Event::Answer { call, .. } | Event::OfferRejected { call, .. }
                if *call == self.held && self.stage == Stage::Leaving =>
            {
                self.stage = Stage::Over;
                MusicStep::Taken
            }
            Event::Ended { call, .. } if *call == self.held && self.stage == Stage::Leaving => {
                self.stage = Stage::Over;
                MusicStep::NotMine
            }
            Event::Ended { call, .. } if *call == self.music && self.stage == Stage::Leaving => {
                MusicStep::Taken
            }
            Event::Ended { call, cause } if *call == self.music => {
                self.stage = Stage::Over;
                MusicStep::Over(cause.status)
            }
            Event::Ended { call, .. } if *call == self.held => {
                self.stop(agent, now, None);
                MusicStep::NotMine
            }
            Event::Progress { call, .. } | Event::Confirmed { call } if *call == self.music => {
                MusicStep::Taken
            }
            // A server that changes its mind: the music goes on as it was.
            Event::Offer { call, .. } if *call == self.music => {
                // The offer may have been withdrawn.
                let _ = agent.reject_offer(now, self.music, StatusCode::NOT_ACCEPTABLE_HERE);
                MusicStep::Taken
            }
            _ => MusicStep::NotMine,
        }
    }

    /// Takes the held side back with a description of ours, whose origin becomes that of the call's, and hangs up at the
    /// server.
    ///
    /// # Errors
    /// As [`Agent::reoffer`]; the music ends all the same.
    pub fn resume(mut self, agent: &mut Agent, now: Instant, ours: &[u8]) -> Result<(), CommandError> {
        let offer = self.origin.next(ours);
        self.stop(agent, now, None);
        agent.reoffer(now, self.held, offer)
    }

    fn offer(&mut self, agent: &mut Agent, now: Instant, offer: &Bytes) -> MusicStep {
        let towards = self.origin.next(sendonly(offer).as_bytes());
        match agent.reoffer(now, self.held, towards) {
            Ok(()) => {
                self.stage = Stage::Offered;
                MusicStep::Taken
            }
            Err(_) => self.stop(agent, now, Some(StatusCode::REQUEST_PENDING)),
        }
    }

    /// Hangs up at the server; its end is not told any more.
    fn stop(&mut self, agent: &mut Agent, now: Instant, status: Option<StatusCode>) -> MusicStep {
        self.stage = Stage::Over;
        // It may be over already.
        let _ = agent.hangup(now, self.music);
        MusicStep::Over(status)
    }
}

/// An origin line of a session description (RFC 8866 §5.2), and how often it was changed.
#[derive(Debug)]
struct Origin {
    user: String,
    session: String,
    version: u64,
    address: String,
}

impl Origin {
    fn of(description: &[u8]) -> Option<Self> {
        let text = core::str::from_utf8(description).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("o="))?;
        let mut words = line.split_ascii_whitespace();
        let (user, session) = (words.next()?.into(), words.next()?.into());
        let version = words.next()?.parse().ok()?;
        let address = words.collect::<alloc::vec::Vec<_>>().join(" ");
        (!address.is_empty()).then_some(Self { user, session, version, address })
    }

    /// A description as the next one of this origin.
    fn next(&mut self, description: &[u8]) -> Bytes {
        self.version = self.version.saturating_add(1);
        let line = format!("o={} {} {} {}", self.user, self.session, self.version, self.address);
        map_lines(description, |old| if old.starts_with("o=") { Some(line.clone()) } else { None }).into()
    }
}

/// The same description with every stream sent only: who is held hears and is not heard.
fn sendonly(description: &[u8]) -> String {
    let told = map_lines(description, |line| match line {
        "a=sendrecv" | "a=recvonly" => Some("a=sendonly".into()),
        _ => None,
    });
    if told.contains("a=sendonly") || told.contains("a=inactive") {
        return told;
    }
    // Without a word it would be sendrecv; a line at the end belongs to the last stream, and music has one.
    format!("{told}a=sendonly\r\n")
}

fn map_lines(description: &[u8], change: impl Fn(&str) -> Option<String>) -> String {
    let text = String::from_utf8_lossy(description);
    let mut out = String::with_capacity(text.len() + 16);
    for line in text.lines() {
        match change(line) {
            Some(other) => out.push_str(&other),
            None => out.push_str(line),
        }
        out.push_str("\r\n");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offer_keeps_its_origin_and_counts_on() {
        let mut origin = Origin::of(b"v=0\r\no=alice 7 3 IN IP4 192.0.2.1\r\ns=-\r\n").unwrap();
        let theirs = b"v=0\r\no=music 1 1 IN IP4 192.0.2.9\r\ns=-\r\nm=audio 4000 RTP/AVP 0\r\n";
        let text = String::from_utf8(origin.next(sendonly(theirs).as_bytes()).to_vec()).unwrap();
        assert!(
            text.contains("o=alice 7 4 IN IP4 192.0.2.1\r\n") && text.ends_with("a=sendonly\r\n"),
            "{text}"
        );
        assert!(origin.next(b"o=x 1 1 IN IP4 1.2.3.4\n").starts_with(b"o=alice 7 5 "));
        assert!(Origin::of(b"v=0\r\n").is_none() && Origin::of(b"o=a b c\r\n").is_none());
        assert!(!sendonly(b"a=sendrecv\r\n").contains("sendrecv"));
        assert_eq!(sendonly(b"a=inactive\r\n"), "a=inactive\r\n");
    }
}
