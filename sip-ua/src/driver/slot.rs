//! The task's record of a call.

#[cfg(feature = "media")]
use super::call::CallEvent;
use super::call::CallEventSender;
use crate::EndCause;

pub(super) struct Slot {
    pub(super) events: CallEventSender,
    /// The offer of an incoming call that is not answered yet.
    #[cfg(feature = "media")]
    pub(super) offer: Option<bytes::Bytes>,
    #[cfg(feature = "media")]
    pub(super) audio: Option<super::negotiation::Audio>,
    /// Key presses that go in INFO requests.
    #[cfg(feature = "media")]
    pub(super) keys: super::keys::InfoKeys,
    /// The early dialog whose sound is heard before the answer.
    #[cfg(feature = "media")]
    pub(super) heard: Option<crate::EarlyDialogId>,
    /// Whether the user was told that the call is up.
    #[cfg(feature = "media")]
    pub(super) established: bool,
}

impl Slot {
    pub(super) fn new(events: CallEventSender) -> Self {
        Self {
            events,
            #[cfg(feature = "media")]
            offer: None,
            #[cfg(feature = "media")]
            audio: None,
            #[cfg(feature = "media")]
            keys: super::keys::InfoKeys::default(),
            #[cfg(feature = "media")]
            heard: None,
            #[cfg(feature = "media")]
            established: false,
        }
    }

    /// Tells that the call is up, once.
    #[cfg(feature = "media")]
    pub(super) fn establish(&mut self) {
        if !core::mem::replace(&mut self.established, true) {
            self.events.send(CallEvent::Established);
        }
    }

    pub(super) fn end(self, cause: EndCause) {
        #[cfg(feature = "media")]
        {
            self.keys.end();
            if let Some(audio) = self.audio {
                audio.end();
            }
        }
        self.events.end(cause);
    }
}
