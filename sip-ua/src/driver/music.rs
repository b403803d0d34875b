//! The task's part of music on hold by a music server: begins when a hold takes effect, ends with it.

use super::call::CallEvent;
use super::task::Task;
use crate::{CallId, Event, HoldMusic, MusicOnHold, MusicStep};
use alloc::vec::Vec;

impl Task {
    /// A hold of ours took effect: the other side hears the music server of its account, if there is one.
    pub(super) fn begin_music(&mut self, held: CallId) {
        let account = self.agent.call_account(held);
        let HoldMusic::Server(server) = self.audio_config(account).on_hold.clone() else { return };
        let Some(audio) = self.slots.get(&held).and_then(|slot| slot.audio.as_ref()) else { return };
        if !audio.is_held() || self.music.contains_key(&held) {
            return;
        }
        let origin = audio.negotiator.origin();
        self.learn_hop(&server);
        let now = self.io.now();
        match MusicOnHold::begin(&mut self.agent, now, held, &server, origin.as_bytes()) {
            Ok(music) => drop(self.music.insert(held, music)),
            Err(error) => tracing::info!(call = %held, %error, "no music on hold"),
        }
    }

    /// The call is to be described by ourselves again: the server is hung up.
    pub(super) fn end_music(&mut self, held: CallId) {
        let Some(music) = self.music.get_mut(&held) else { return };
        music.leave(&mut self.agent, self.io.now());
        let (version, over) = (music.version(), music.is_over());
        if over {
            self.music.remove(&held);
        }
        self.describe_after(held, version);
    }

    fn describe_after(&mut self, held: CallId, version: u64) {
        let Some(slot) = self.slots.get_mut(&held) else { return };
        if let Some(audio) = &mut slot.audio {
            audio.negotiator.version_used(version);
        }
        slot.events.send(CallEvent::MusicOnHold(false));
    }

    /// Whether an event was a music server's, or what it has to do with one. O(n) in the calls that hear music.
    pub(super) fn music_event(&mut self, event: &Event) -> bool {
        let now = self.io.now();
        let mut taken = false;
        let mut over: Vec<(CallId, u64)> = Vec::new();
        if let Event::Offer { call, .. } = event {
            // The held side wants something else: we answer for ourselves.
            self.end_music(*call);
        }
        for (held, music) in &mut self.music {
            let step = music.handle_event(&mut self.agent, now, event);
            taken |= step != MusicStep::NotMine;
            match step {
                MusicStep::Playing => {
                    if let Some(slot) = self.slots.get(held) {
                        slot.events.send(CallEvent::MusicOnHold(true));
                        if let Some(audio) = &slot.audio {
                            audio.stand_aside();
                        }
                    }
                }
                MusicStep::Over(status) => {
                    tracing::info!(call = %held, ?status, "the music on hold is over");
                    over.push((*held, music.version()));
                }
                _ => {}
            }
        }
        self.music.retain(|_, music| !music.is_over());
        for (held, version) in over {
            self.describe_after(held, version);
            let audio = self.slots.get_mut(&held).and_then(|slot| slot.audio.as_mut());
            if let Some(offer) = audio.and_then(super::negotiation::Audio::begin_again) {
                self.reoffer(held, offer);
            }
        }
        taken
    }
}
