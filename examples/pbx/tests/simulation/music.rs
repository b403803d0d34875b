//! Hold with music from the PBX's music number (RFC 7088).

use crate::phone::Phone;
use sidetone_sip_ua::{CallId, CallState, CommandError, Event, MusicOnHold, MusicStep};
use std::collections::{BTreeMap, BTreeSet};

/// The music's number.
pub const MUSIC: &str = "*45";

#[derive(Default)]
pub struct HoldMusic {
    /// By the held call.
    playing: BTreeMap<CallId, MusicOnHold>,
    /// Calls to the music, until they are over.
    calls: BTreeSet<CallId>,
}

impl Phone {
    /// Calls to the music that are up.
    pub fn music_calls(&self) -> impl Iterator<Item = CallId> {
        self.music.calls.iter().copied()
    }

    /// Each of them is for a call that is held.
    pub fn check_music(&self) {
        let wanted: BTreeSet<CallId> = self.music.playing.values().map(MusicOnHold::music).collect();
        assert_eq!(self.music.calls, wanted, "{}", self.name);
        for (held, music) in &self.music.playing {
            assert!(self.calls[held].held, "{}: music for who is not held", self.name);
            assert_eq!(self.agent.call_state(music.music()), Some(CallState::Established), "{}", self.name);
        }
    }

    /// Holds with music, or takes back who hears it.
    pub fn hold_with_music(&mut self) -> bool {
        if let Some(call) = self.music.playing.keys().next().copied()
            && self.rng.chance(0.5)
        {
            self.end_music(call);
            return true;
        }
        let Some(call) = self.up_with(|line| !line.held && line.wanted.is_none()) else { return false };
        if self.has_music(call) {
            return false;
        }
        let token = self.calls[&call].token.clone();
        let ours = self.body(&token, false);
        self.note(format!("plays music ({token})"));
        let server = self.uri(MUSIC);
        let music = MusicOnHold::begin(&mut self.agent, self.now, call, &server, &ours).unwrap();
        self.music.calls.insert(music.music());
        self.music.playing.insert(call, music);
        true
    }

    /// Whether the other side of a call hears music, or is about to.
    pub fn has_music(&self, call: CallId) -> bool {
        self.music.playing.contains_key(&call)
    }

    fn end_music(&mut self, call: CallId) {
        if !self.calls[&call].held {
            // It has not begun to play.
            self.count("leaves-early");
            let music = self.music.playing.get_mut(&call).unwrap();
            music.leave(&mut self.agent, self.now);
            if music.is_over() {
                self.music.playing.remove(&call);
            }
            return;
        }
        let music = self.music.playing.remove(&call).unwrap();
        let line = self.calls.get_mut(&call).unwrap();
        line.wanted = Some(false);
        let token = line.token.clone();
        self.note(format!("resumes ({token}) from music"));
        let ours = self.body(&token, false);
        match music.resume(&mut self.agent, self.now, &ours) {
            Ok(()) | Err(CommandError::OfferPending) => {}
            Err(error) => panic!("{}: {error}", self.name),
        }
    }

    /// Whether an event was the music's alone.
    pub fn music_event(&mut self, event: &Event) -> bool {
        for held in self.music.playing.keys().copied().collect::<Vec<_>>() {
            let music = self.music.playing.get_mut(&held).unwrap();
            let step = music.handle_event(&mut self.agent, self.now, event);
            let is_over = music.is_over();
            if is_over {
                self.music.playing.remove(&held);
            }
            match step {
                MusicStep::Taken => {
                    // The other side has the music's offer, or has refused it: it is told what is true.
                    if is_over {
                        self.hold(held, false);
                    }
                    self.music_ended(event);
                    return true;
                }
                MusicStep::Playing => {
                    self.count("music");
                    self.calls.get_mut(&held).unwrap().held = true;
                    return true;
                }
                // The user holds without music, or goes on doing so.
                MusicStep::Over(_) => {
                    self.count("silence");
                    self.music_ended(event);
                    if self.agent.call_state(held) == Some(CallState::Established) {
                        self.hold(held, true);
                    }
                    return true;
                }
                _ => {}
            }
        }
        self.music_ended(event)
    }

    /// A call to the music is over.
    fn music_ended(&mut self, event: &Event) -> bool {
        match event {
            Event::Ended { call, .. } => self.music.calls.remove(call),
            Event::Answered { call, .. } | Event::Progress { call, .. } | Event::Confirmed { call } => {
                self.music.calls.contains(call)
            }
            _ => false,
        }
    }
}
