//! Who is in a conference, document by document (RFC 4575 §4.6).

use super::{ConferenceInfo, Description, Endpoint, MAX_PARTS, MAX_USERS, Scope, State, User};
use crate::package::Merge;
use crate::package::version::Versions;
use alloc::string::String;
use alloc::vec::Vec;

/// Who is in a conference, by the documents of one subscription.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Roster {
    versions: Versions,
    /// The conference's URI.
    pub entity: String,
    /// What the conference is about.
    pub description: Description,
    /// How it stands.
    pub state: State,
    /// The conference is over.
    pub is_over: bool,
    /// [`MAX_USERS`] at most.
    users: Vec<User>,
}

impl Roster {
    /// Takes in a document (RFC 4575 §4.6). O(n·m) in the users that are known and those of the document.
    ///
    /// Of [`Merge::Gap`] ask for the whole state, by a refresh of the subscription; until then the roster may lack
    /// somebody, or show somebody who went.
    pub fn merge(&mut self, document: ConferenceInfo) -> Merge {
        let is_whole = document.scope != Scope::Partial;
        let merged = self.versions.take(document.version, is_whole);
        if merged == Merge::Stale {
            return merged;
        }
        if is_whole {
            let versions = core::mem::take(&mut self.versions);
            *self = Self { versions, is_over: document.scope == Scope::Deleted, ..Self::default() };
        }
        if !document.entity.is_empty() {
            self.entity = document.entity;
        }
        if let Some(change) = document.description {
            merge_option(&mut self.description.display_text, change.display_text);
            merge_option(&mut self.description.subject, change.subject);
            merge_option(&mut self.description.maximum_user_count, change.maximum_user_count);
            if !change.uris.is_empty() {
                self.description.uris = change.uris;
            }
        }
        if let Some(change) = document.state {
            merge_option(&mut self.state.user_count, change.user_count);
            merge_option(&mut self.state.active, change.active);
            merge_option(&mut self.state.locked, change.locked);
        }
        if let Some((scope, users)) = document.users {
            if scope != Scope::Partial {
                self.users.clear();
            }
            users.into_iter().for_each(|user| self.merge_user(user));
        }
        merged
    }

    fn merge_user(&mut self, user: User) {
        let known = self.users.iter().position(|other| other.entity == user.entity);
        match (user.scope, known) {
            (Scope::Deleted, _) => self.users.retain(|other| other.entity != user.entity),
            (Scope::Partial, Some(index)) => {
                if let Some(known) = self.users.get_mut(index) {
                    known.merge(user);
                }
            }
            (Scope::Full, Some(index)) => {
                if let Some(known) = self.users.get_mut(index) {
                    *known = user.whole();
                }
            }
            (_, None) if self.users.len() < MAX_USERS => self.users.push(user.whole()),
            (_, None) => {}
        }
    }

    /// Whether the whole state came, and nothing was lost since.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.versions.is_whole()
    }

    /// Forgets everything, as at the beginning of a new subscription, whose versions begin anew.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Everybody who is told of, in the order in which they came up.
    #[must_use]
    pub fn users(&self) -> &[User] {
        &self.users
    }

    /// Those who take part.
    pub fn present(&self) -> impl Iterator<Item = &User> {
        self.users.iter().filter(|user| user.is_present())
    }
}

impl User {
    /// What is known with what changed.
    fn merge(&mut self, change: Self) {
        merge_option(&mut self.display_text, change.display_text);
        if !change.roles.is_empty() {
            self.roles = change.roles;
        }
        for endpoint in change.endpoints {
            let known = self.endpoints.iter().position(|other| other.entity == endpoint.entity);
            match (endpoint.scope, known) {
                (Scope::Deleted, _) => self.endpoints.retain(|other| other.entity != endpoint.entity),
                (Scope::Partial, Some(index)) => {
                    if let Some(known) = self.endpoints.get_mut(index) {
                        known.merge(endpoint);
                    }
                }
                (Scope::Full, Some(index)) => {
                    if let Some(known) = self.endpoints.get_mut(index) {
                        *known = endpoint;
                    }
                }
                (_, None) if self.endpoints.len() < MAX_PARTS => self.endpoints.push(endpoint.whole()),
                (_, None) => {}
            }
        }
    }

    /// As it is kept: nothing deleted is in it, and it is all that is known.
    fn whole(mut self) -> Self {
        self.scope = Scope::Full;
        self.endpoints.retain(|endpoint| endpoint.scope != Scope::Deleted);
        self.endpoints = self.endpoints.into_iter().map(Endpoint::whole).collect();
        self
    }
}

impl Endpoint {
    fn merge(&mut self, change: Self) {
        merge_option(&mut self.display_text, change.display_text);
        merge_option(&mut self.status, change.status);
        merge_option(&mut self.joined, change.joined);
        merge_option(&mut self.left, change.left);
        merge_option(&mut self.call, change.call);
        for media in change.media {
            if let Some(known) = self.media.iter_mut().find(|other| other.id == media.id) {
                *known = media;
            } else if self.media.len() < MAX_PARTS {
                self.media.push(media);
            }
        }
    }

    fn whole(mut self) -> Self {
        self.scope = Scope::Full;
        self
    }
}

fn merge_option<T>(known: &mut Option<T>, change: Option<T>) {
    if change.is_some() {
        *known = change;
    }
}
