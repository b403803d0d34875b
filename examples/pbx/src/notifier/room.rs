//! The package `conference` (RFC 4575): who is in a room.

use super::{Content, States};
use bytes::Bytes;
use sidetone_sip_ua::package::conference_info::{
    CONTENT_TYPE, ConferenceInfo, Endpoint, EndpointStatus, MediaStatus, Scope, User,
};
use std::sync::Arc;

/// What a subscription to a room was told.
pub(super) struct RoomTeller {
    pub(super) room: Arc<str>,
    pub(super) entity: String,
    /// RFC 4575 §5.2: each document has the next number, from 1.
    pub(super) version: u32,
}

impl RoomTeller {
    /// Rooms are small: each document has all of it.
    pub(super) fn full(&mut self, states: &States) -> Content {
        let members = states.lock().rooms.get(&*self.room).cloned().unwrap_or_default();
        self.version = self.version.wrapping_add(1);
        // Who calls twice is one user with two endpoints.
        let mut users: Vec<User> = Vec::new();
        for (at, member) in members.iter().enumerate() {
            let endpoint = Endpoint::new(&format!("{member};call={at}"), EndpointStatus::Connected);
            let endpoint = endpoint.with_media("1", "audio", MediaStatus::SendRecv);
            match users.iter_mut().find(|user| user.entity == *member) {
                Some(user) => user.endpoints.push(endpoint),
                None => users.push(User::new(member).with_endpoint(endpoint)),
            }
        }
        let mut info =
            ConferenceInfo::new(&self.entity, self.version, Scope::Full).with_users(Scope::Full, users);
        let mut state = sidetone_sip_ua::package::conference_info::State::default();
        state.user_count = u32::try_from(members.len()).ok();
        state.active = Some(!members.is_empty());
        info.state = Some(state);
        (CONTENT_TYPE, Bytes::from(info.write()))
    }
}
