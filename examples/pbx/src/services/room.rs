//! Conference rooms: whoever calls the number hears the others.
//!
//! To telephones it is the focus of a conference (RFC 4579): its Contact says so, by a REFER to it somebody else is called or put
//! out, within a call with it or outside of any, and its state agent tells who is in it.
//!
//! A room is there while somebody is in it. The sound is mixed by [`Conference`]; the stage of a member plays into the
//! mix, so that a tone at one is heard by all.

use super::music::Music;
use super::recording::{self, Recordables};
use super::stage::{Stage, stage};
use super::{Services, established};
use crate::event::PbxEvent;
use hashbrown::HashMap;
use sidetone_hal::audio::AudioFormat;
use sidetone_media::tone::{Part, Tone};
use sidetone_sip_core::{Method, StatusCode, Uri};
use sidetone_sip_ua::{CallHandle, Conference, Error, IncomingCall, IncomingRefer};
use std::sync::{Arc, Mutex, PoisonError};

/// Callers in a room at most, whatever its settings say: what a [`Conference`] takes.
pub const MAX_ROOM: usize = 32;

/// A conference room.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct RoomConfig {
    /// Callers at a time, at most [`MAX_ROOM`]; more are answered 486. Default 16.
    pub members: usize,
    /// What somebody who is alone hears.
    pub music: Music,
    /// Whether two rising notes tell that somebody joins, and two falling ones that somebody leaves. Default true.
    pub tones: bool,
    /// Who may have it call somebody. Default [`RoomControl::Accounts`], who could call the room, and the others, themselves.
    pub control: RoomControl,
}

/// Whose REFER a room obeys: to call somebody, or, from those in it alone, to put somebody out (`method=BYE`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum RoomControl {
    /// Nobody's.
    Nobody,
    /// That of those who are in it, within their call.
    Members,
    /// That of every account, also outside of any call.
    #[default]
    Accounts,
}

impl Default for RoomConfig {
    fn default() -> Self {
        Self { members: 16, music: Music::melody(), tones: true, control: RoomControl::default() }
    }
}

const JOINED: Tone = Tone {
    parts: &[Part { hertz: &[523.3], millis: 120 }, Part { hertz: &[784.0], millis: 160 }],
    once: true,
};
const LEFT: Tone = Tone {
    parts: &[Part { hertz: &[784.0], millis: 120 }, Part { hertz: &[523.3], millis: 160 }],
    once: true,
};

/// The rooms that somebody is in, by their numbers.
#[derive(Default)]
pub(crate) struct Rooms {
    rooms: Mutex<HashMap<String, Arc<Room>>>,
}

impl Rooms {
    fn find(&self, name: &str) -> Option<Arc<Room>> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// In how many rooms somebody is.
    pub(super) fn len(&self) -> usize {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

#[derive(Default)]
struct Room {
    state: tokio::sync::Mutex<RoomState>,
    /// Seats that are taken; those who are about to join count.
    seats: Mutex<usize>,
}

#[derive(Default)]
struct RoomState {
    mix: Option<Conference>,
    members: Vec<Member>,
    next: u64,
}

struct Member {
    number: u64,
    caller: Uri,
    call: CallHandle,
    stage: Stage,
}

/// A place in a room, which is free again when this is dropped.
struct Seat {
    services: Arc<Services>,
    name: String,
    config: RoomConfig,
    room: Arc<Room>,
    member: Option<u64>,
}

pub(super) async fn serve(
    services: Arc<Services>,
    number: &str,
    config: &RoomConfig,
    incoming: IncomingCall,
    recordables: &Recordables,
) -> Result<(), Error> {
    let Some(mut seat) = Seat::take(&services, number, config) else {
        return incoming.reject(StatusCode::BUSY_HERE).await;
    };
    let caller = incoming.from().uri.address_of_record();
    incoming.be_focus().await?;
    // The wide band for those who have it: the mixer changes the rate for the others.
    let (stage, port) = stage(AudioFormat::WIDEBAND);
    let mut call = incoming.answer(port).await?;
    if !established(&mut call).await {
        return Ok(());
    }
    seat.join(&call.handle(), caller, stage.clone()).await?;
    recording::attend(&services, recordables, call, &stage, number).await;
    Ok(())
}

/// Somebody wants something of a room, which is theirs to want.
pub(super) async fn referred(
    services: Arc<Services>,
    number: &str,
    config: &RoomConfig,
    refer: IncomingRefer,
    recordables: &Recordables,
) -> Result<(), Error> {
    let within = refer.call().is_some();
    let may = match config.control {
        RoomControl::Nobody => false,
        RoomControl::Members => within,
        RoomControl::Accounts => true,
    };
    if !may {
        return refer.reject(StatusCode::FORBIDDEN).await;
    }
    match refer.target().method == Method::BYE {
        true => put_out(&services, number, refer).await,
        false => fetch(services, number, config, refer, recordables).await,
    }
}

/// Somebody in a room wants another one out of it: all calls of that user end.
async fn put_out(services: &Services, number: &str, refer: IncomingRefer) -> Result<(), Error> {
    let target = refer.target();
    let (asks, leaves) = (target.from.uri.user(), target.to.uri.user());
    let room = services.rooms.find(number);
    let mut calls = Vec::new();
    let mut is_member = refer.call().is_some();
    if let Some(room) = room {
        let state = room.state.lock().await;
        is_member |= state.members.iter().any(|member| member.caller.user() == asks);
        let leaving = state.members.iter().filter(|member| member.caller.user() == leaves);
        calls.extend(leaving.map(|member| member.call.clone()));
    }
    drop((asks, leaves));
    if !is_member {
        return refer.reject(StatusCode::FORBIDDEN).await;
    }
    if calls.is_empty() {
        return refer.reject(StatusCode::NOT_FOUND).await;
    }
    // First, for it may be their own call by which they ask.
    let told = refer.finish(StatusCode::OK).await;
    for call in calls {
        // They may have gone.
        call.hangup().await.ok();
    }
    told
}

/// The room calls somebody.
async fn fetch(
    services: Arc<Services>,
    number: &str,
    config: &RoomConfig,
    refer: IncomingRefer,
    recordables: &Recordables,
) -> Result<(), Error> {
    let Some(mut seat) = Seat::take(&services, number, config) else {
        return refer.reject(StatusCode::BUSY_HERE).await;
    };
    let fetched = refer.target().to.uri.address_of_record();
    let (stage, port) = stage(AudioFormat::WIDEBAND);
    let mut call = refer.accept_as_focus(port).await?;
    if !established(&mut call).await {
        return Ok(());
    }
    seat.join(&call.handle(), fetched, stage.clone()).await?;
    recording::attend(&services, recordables, call, &stage, number).await;
    Ok(())
}

impl Seat {
    fn take(services: &Arc<Services>, number: &str, config: &RoomConfig) -> Option<Self> {
        let mut rooms = services.rooms.rooms.lock().unwrap_or_else(PoisonError::into_inner);
        let room = Arc::clone(rooms.entry(number.into()).or_default());
        let mut seats = room.seats.lock().unwrap_or_else(PoisonError::into_inner);
        if *seats >= config.members.min(MAX_ROOM) {
            return None;
        }
        *seats += 1;
        drop(seats);
        Some(Self {
            services: Arc::clone(services),
            name: number.into(),
            config: config.clone(),
            room,
            member: None,
        })
    }

    async fn join(&mut self, call: &CallHandle, caller: Uri, stage: Stage) -> Result<(), Error> {
        let mut state = self.room.state.lock().await;
        match &state.mix {
            Some(mix) => mix.join(call).await?,
            None => state.mix = Some(Conference::new([call]).await?),
        }
        if state.members.is_empty() {
            stage.start(stage.music(&self.config.music));
        } else {
            state.members.iter().for_each(|member| member.stage.stop());
            if self.config.tones {
                stage.start(stage.tone(JOINED));
            }
        }
        let number = state.next;
        state.next += 1;
        state.members.push(Member { number, caller, call: call.clone(), stage });
        self.member = Some(number);
        self.services.tell(state.event(&self.name));
        Ok(())
    }
}

impl RoomState {
    fn event(&self, room: &str) -> PbxEvent {
        let members = self.members.iter().map(|member| member.caller.to_string()).collect();
        PbxEvent::RoomChanged { room: room.into(), members }
    }

    fn leave(&mut self, number: u64, config: &RoomConfig) {
        self.members.retain(|member| member.number != number);
        match self.members.as_slice() {
            // The mixer ends with the last.
            [] => self.mix = None,
            [alone] => {
                let music = alone.stage.music(&config.music);
                if config.tones {
                    alone.stage.start_then(alone.stage.tone(LEFT), music);
                } else {
                    alone.stage.start(music);
                }
            }
            [first, ..] if config.tones => first.stage.start(first.stage.tone(LEFT)),
            _ => {}
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut rooms = self.services.rooms.rooms.lock().unwrap_or_else(PoisonError::into_inner);
        let mut seats = self.room.seats.lock().unwrap_or_else(PoisonError::into_inner);
        *seats -= 1;
        if *seats == 0 {
            rooms.remove(&self.name);
        }
        drop((seats, rooms));
        let Some(number) = self.member else { return };
        let (room, services) = (Arc::clone(&self.room), Arc::clone(&self.services));
        let (name, config) = (core::mem::take(&mut self.name), self.config.clone());
        // Without a runtime everything ends anyway.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                let mut state = room.state.lock().await;
                state.leave(number, &config);
                let event = state.event(&name);
                services.tell(event);
            });
        }
    }
}
