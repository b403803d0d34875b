//! Who the other side is, and who we are, when that changes within a call (RFC 4916, RFC 3325 §9.1).

use crate::call::Call;
use crate::context::Context;
use crate::error::CommandError;
use crate::event::{Event, RemoteIdentity};
use alloc::boxed::Box;
use alloc::vec::Vec;
use sidetone_hal::time::Instant;
use sidetone_sip_core::header::{From, HeaderName, PAssertedIdentity, RemotePartyId};
use sidetone_sip_core::{Headers, NameAddr, Request};

impl Call {
    /// Tells who the other side is where a message says so, once for each identity. `from` is a changed From.
    pub(super) fn hear_identity(&mut self, context: &mut Context, headers: &Headers, from: Option<NameAddr>) {
        let said = digest(headers);
        if from.is_none() && (said == 0 || said == self.identity) {
            return;
        }
        self.identity = said;
        let asserted: Vec<NameAddr> =
            headers.all::<PAssertedIdentity>().flatten().map(|PAssertedIdentity(address)| address).collect();
        let remote_party = headers.get::<RemotePartyId>().and_then(Result::ok);
        if from.is_some() || !asserted.is_empty() || remote_party.is_some() {
            let identity = Box::new(RemoteIdentity { from, asserted, remote_party });
            self.tell(context, Event::RemoteIdentity { call: self.id, identity });
        }
    }

    /// The same of a request within the call's dialog, whose From may have changed.
    pub(super) fn hear_requester(&mut self, context: &mut Context, request: &Request) {
        let Some(Ok(from)) = request.headers.get::<From>() else { return };
        let Some(side) = self.side_of(from.tag().unwrap_or_default()) else { return };
        let changed = side.dialog.hear_remote(&from).then(|| {
            let mut address = from.0.clone();
            address.params.remove("tag");
            address
        });
        self.hear_identity(context, &request.headers, changed);
    }

    /// Names ourselves otherwise from now on, and says so in an UPDATE.
    pub(crate) fn update_identity(
        &mut self,
        context: &mut Context,
        now: Instant,
        address: NameAddr,
    ) -> Result<(), CommandError> {
        let session = self.session()?;
        if session.is_leaving() {
            return Err(CommandError::NoSuchCall);
        }
        // RFC 4916 §4.4.1: who does not know the option takes a changed From for another dialog.
        if !session.peer.from_change || !session.peer.update {
            return Err(CommandError::Unsupported);
        }
        session.dialog.set_local(address);
        self.send_update(context, now, None, None);
        Ok(())
    }
}

/// A number for what the headers say of an identity; 0 for nothing. Whoever finds two identities with the same one has
/// the change not told: FNV-1a, for a call keeps four bytes of this and no texts.
pub(super) fn digest(headers: &Headers) -> u32 {
    let values = [HeaderName::P_ASSERTED_IDENTITY, HeaderName::REMOTE_PARTY_ID];
    let bytes = values.iter().flat_map(|name| headers.raw_all(name)).flatten();
    bytes.fold(0, |hash: u32, byte| {
        let hash = if hash == 0 { 0x811c_9dc5 } else { hash };
        (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
    })
}

/// What an incoming call's INVITE says already.
pub(super) fn known(request: &Request) -> u32 {
    digest(&request.headers)
}
