//! The package `conference` (RFC 4575): who is in a room.

use super::{Content, States};
use bytes::Bytes;
use sidetone_sip_ua::package::conference_info::{
    CONTENT_TYPE, ConferenceInfo, Endpoint, EndpointStatus, MediaStatus, Scope, State, User,
};
use std::sync::Arc;

/// What a subscription to a room was told.
pub(super) struct RoomTeller {
    pub(super) room: Arc<str>,
    pub(super) entity: String,
    /// RFC 4575 §5.2: each document has the next number, from 1.
    version: u32,
    /// Who was in it then.
    told: Vec<User>,
}

impl RoomTeller {
    pub(super) const fn new(room: Arc<str>, entity: String) -> Self {
        Self { room, entity, version: 0, told: Vec::new() }
    }

    /// Everybody.
    pub(super) fn full(&mut self, states: &States) -> Content {
        let (users, state) = self.now(states);
        self.told.clone_from(&users);
        self.write(Scope::Full, users, state)
    }

    /// Who came, went, or calls another time than before (RFC 4575 §4.4); nothing when that is known. O(n²) in the people of
    /// a room, who are 32 at most.
    pub(super) fn changes(&mut self, states: &States) -> Option<Content> {
        let (users, state) = self.now(states);
        let gone = self.told.iter().filter(|known| users.iter().all(|user| user.entity != known.entity));
        let gone: Vec<User> = gone.map(|known| User::new(&known.entity).with_scope(Scope::Deleted)).collect();
        let changed = users.iter().filter(|user| !self.told.contains(user)).cloned();
        let changes: Vec<User> = gone.into_iter().chain(changed).collect();
        self.told = users;
        (!changes.is_empty()).then(|| self.write(Scope::Partial, changes, state))
    }

    fn now(&self, states: &States) -> (Vec<User>, State) {
        let members = states.lock().rooms.get(&*self.room).cloned().unwrap_or_default();
        let mut state = State::default();
        state.user_count = u32::try_from(members.len()).ok();
        state.active = Some(!members.is_empty());
        // Who calls twice is one user with two endpoints.
        let mut users: Vec<User> = Vec::new();
        for member in &members {
            let known = users.iter().position(|user| user.entity == *member);
            let calls = known.and_then(|at| users.get(at)).map_or(0, |user| user.endpoints.len());
            let endpoint = Endpoint::new(&format!("{member};call={calls}"), EndpointStatus::Connected);
            let endpoint = endpoint.with_media("1", "audio", MediaStatus::SendRecv);
            match known.and_then(|at| users.get_mut(at)) {
                Some(user) => user.endpoints.push(endpoint),
                None => users.push(User::new(member).with_endpoint(endpoint)),
            }
        }
        (users, state)
    }

    fn write(&mut self, scope: Scope, users: Vec<User>, state: State) -> Content {
        self.version = self.version.wrapping_add(1);
        let mut info = ConferenceInfo::new(&self.entity, self.version, scope).with_users(scope, users);
        info.state = Some(state);
        (CONTENT_TYPE, Bytes::from(info.write()))
    }
}
