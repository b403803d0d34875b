//! The package `x-broadworks-hoteling`: who uses a telephone as guest. Who wants to says so in the body of a SUBSCRIBE, is asked
//! for the password of his account by a nonce in the next NOTIFY, and says it again with what proves it.

use super::{Content, States};
use crate::command::{Command, Guest, ask};
use sidetone_hal::rng::Rng;
use sidetone_sip_core::Uri;
use sidetone_sip_ua::package::feature_sync::{HOTELING_CONTENT_TYPE, HotelingEvent, SetHoteling};
use std::sync::Arc;

/// What one telephone is told of its guest.
pub(super) struct GuestTeller {
    user: Arc<str>,
    /// The user's address, whose host a guest's gets.
    address: Uri,
    rng: Rng,
    /// The nonce that the next document has; each is good for one answer.
    asks: Option<String>,
    expects: Option<String>,
}

impl GuestTeller {
    pub(super) fn new(user: Arc<str>, address: &Uri, rng: Rng) -> Self {
        Self { user, address: address.address_of_record(), rng, asks: None, expects: None }
    }

    pub(super) async fn full(&mut self, states: &States) -> Content {
        let user = String::from(&*self.user);
        let features = ask(&states.commands, |reply| Command::Features { user, reply }).await;
        let mut event = HotelingEvent::default();
        event.guest = features.and_then(|features| features.guest).map(|guest| {
            let mut address = self.address.clone();
            address.set_user(Some(&guest));
            let text = address.to_string();
            text.split_once(':').map(|(_, address)| address.to_owned()).unwrap_or(text)
        });
        event.nonce = self.asks.take();
        (HOTELING_CONTENT_TYPE, event.write().into_bytes().into())
    }

    /// Does what the body of a SUBSCRIBE asks for.
    pub(super) async fn ask(&mut self, states: &States, body: &[u8]) {
        let request = match SetHoteling::parse(body) {
            Ok(request) => request,
            Err(error) => return tracing::debug!(%error, "a guest that cannot be read"),
        };
        let guest = match (request.guest, request.response) {
            (None, _) => None,
            (Some(_), None) => {
                let nonce: String = self.rng.hex::<32>().iter().map(|byte| char::from(*byte)).collect();
                self.expects = Some(nonce.clone());
                self.asks = Some(nonce);
                return;
            }
            (Some(guest), Some((nonce, response))) => {
                if self.expects.take().as_ref() != Some(&nonce) {
                    return tracing::info!(user = &*self.user, "a guest answers no question of ours");
                }
                Some(Guest { user: user_of(&guest), nonce, response })
            }
        };
        let desk = String::from(&*self.user);
        let set = ask(&states.commands, |reply| Command::SetGuest { desk, guest, reply });
        if set.await != Some(true) {
            tracing::info!(user = &*self.user, "a guest is not let in");
        }
    }
}

/// The user of an address, with its scheme or without.
fn user_of(address: &str) -> String {
    let address = address.trim();
    let address = address.strip_prefix("sip:").unwrap_or(address);
    address.split_once('@').map_or(address, |(user, _)| user).to_owned()
}
