//! Key presses that the user sends: which way they go, and those in INFO requests until the other side took them.

use super::command::Reply;
use super::media::MediaCommand;
use super::task::Task;
use super::{Error, negotiation::Audio};
use crate::info::{MAX_INFOS, content_type};
use crate::{CallId, CommandError};
use core::time::Duration;
use sidetone_media::dtmf::{DtmfCall, DtmfMode, InfoKind};
use sidetone_media::stream::DtmfWay;
use sidetone_sip_core::StatusCode;
use std::collections::VecDeque;
use std::string::String;

/// Key presses of a call that go in INFO requests.
#[derive(Default)]
pub(super) struct InfoKeys {
    waiting: VecDeque<Batch>,
    /// The other side refused one: from now on it counts as one that takes none.
    refused: bool,
}

/// What one command of the user has left to be taken.
struct Batch {
    digits: VecDeque<char>,
    duration: Duration,
    /// Whether they may sound in the speech if they are refused.
    may_sound: bool,
    /// None if they went another way too, which answers for them.
    reply: Option<Reply<()>>,
}

impl InfoKeys {
    fn len(&self) -> usize {
        self.waiting.iter().map(|batch| batch.digits.len()).sum()
    }

    /// The other side took the oldest.
    fn accepted(&mut self) {
        let Some(first) = self.waiting.front_mut() else { return };
        first.digits.pop_front();
        if first.digits.is_empty()
            && let Some(reply) = self.waiting.pop_front().and_then(|batch| batch.reply)
        {
            reply.send(Ok(())).ok();
        }
    }

    /// The call is over.
    pub(super) fn end(self) {
        for reply in self.waiting.into_iter().filter_map(|batch| batch.reply) {
            reply.send(Err(CommandError::NoSuchCall.into())).ok();
        }
    }
}

impl Task {
    /// Sends key presses the way that the account's mode and the call leave.
    pub(super) fn send_digits(&mut self, call: CallId, digits: String, reply: Reply<()>) {
        let config = self.audio_config(self.agent.call_account(call)).dtmf;
        let takes_info = self.agent.call_takes_info(call);
        let Some(slot) = self.slots.get_mut(&call) else {
            reply.send(Err(CommandError::NoSuchCall.into())).ok();
            return;
        };
        let Some((audio, agreed)) = slot.audio.as_ref().and_then(|audio| Some((audio, audio.agreed()?)))
        else {
            reply.send(Err(Error::NoMedia)).ok();
            return;
        };
        let paths = config.mode.paths(&DtmfCall {
            events_negotiated: agreed.events,
            info_allowed: takes_info && !slot.keys.refused,
            codec_passes_tones: agreed.tones,
            info: config.info,
        });
        let sounds = paths.events || paths.inband;
        let (sounds_reply, info_reply) = if sounds { (Some(reply), None) } else { (None, Some(reply)) };
        if let Some(reply) = sounds_reply {
            let way = paths.inband.then_some(DtmfWay::Speech);
            sound(audio, digits.clone(), config.duration, way, reply);
        }
        if let Some(kind) = paths.info {
            let may_sound = config.mode != DtmfMode::Info && agreed.tones && !sounds;
            let batch = Batch {
                digits: digits.chars().collect(),
                duration: config.duration,
                may_sound,
                reply: info_reply,
            };
            self.send_infos(call, kind, batch);
        }
    }

    fn send_infos(&mut self, call: CallId, kind: InfoKind, batch: Batch) {
        let now = self.io.now();
        let Some(slot) = self.slots.get_mut(&call) else { return };
        let mut result = match slot.keys.len() + batch.digits.len() <= MAX_INFOS {
            true => Ok(()),
            false => Err(CommandError::QueueFull(MAX_INFOS)),
        };
        if result.is_ok() {
            let bodies = batch.digits.iter().filter_map(|digit| kind.write(*digit, batch.duration));
            for body in bodies {
                result =
                    result.and_then(|()| self.agent.send_info(now, call, content_type(kind), body.into()));
            }
        }
        match (result, batch.reply) {
            (Ok(()), reply) if !batch.digits.is_empty() => {
                slot.keys.waiting.push_back(Batch { reply, ..batch });
            }
            (result, Some(reply)) => drop(reply.send(result.map_err(Error::from))),
            (Err(error), None) => tracing::debug!(%call, %error, "no INFO for a key press"),
            (Ok(()), None) => {}
        }
    }

    /// The other side took the oldest key press that went in an INFO.
    pub(super) fn info_accepted(&mut self, call: CallId) {
        if let Some(slot) = self.slots.get_mut(&call) {
            slot.keys.accepted();
        }
    }

    /// The other side refused an INFO: the key presses that wait sound in the speech where that is allowed.
    pub(super) fn info_refused(&mut self, call: CallId, status: StatusCode) {
        tracing::info!(%call, %status, "key presses in INFO are not taken");
        let Some(slot) = self.slots.get_mut(&call) else { return };
        slot.keys.refused = true;
        for batch in slot.keys.waiting.drain(..) {
            let Batch { digits, duration, may_sound, reply: Some(reply) } = batch else { continue };
            match slot.audio.as_ref().filter(|_| may_sound) {
                Some(audio) => sound(audio, digits.into_iter().collect(), duration, None, reply),
                None => drop(reply.send(Err(Error::Refused(status)))),
            }
        }
    }
}

fn sound(audio: &Audio, digits: String, duration: Duration, way: Option<DtmfWay>, reply: Reply<()>) {
    audio.command(reply, |reply| MediaCommand::Dtmf { digits, duration, way, reply });
}
