//! Remote target: taken from Contact, refreshed by re-INVITE (RFC 3261 §12.2).

use super::Dialog;
use sidetone_sip_core::header::Contact;
use sidetone_sip_core::{Headers, Uri};

impl Dialog {
    /// Takes the Contact of a target refresh request that was accepted, or of the 2xx to one of ours.
    pub(crate) fn refresh_target(&mut self, headers: &Headers) {
        if let Some(target) = contact(headers) {
            self.target = super::own(target);
        }
    }
}

/// The first Contact that is an address.
pub(super) fn contact(headers: &Headers) -> Option<Uri> {
    headers.all::<Contact>().find_map(|contact| match contact {
        Ok(Contact::Addr(address)) => Some(address.uri),
        Ok(Contact::Star) | Err(_) => None,
    })
}
