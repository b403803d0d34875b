//! Who the other side of a call turns out to be (YLA-060): what the network asserts, what the other side says of itself, or
//! nothing but who was dialled.

use super::{CallRef, Firmware, peer_at};
use sidetone_sip_ua::RemoteIdentity;

/// What counts of what is heard of the other side of a call of ours (YLA-070).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ConnectedId {
    /// What the network asserts, or else what the other side says.
    #[default]
    Any,
    /// What the network asserts: P-Asserted-Identity, or else Remote-Party-ID.
    Asserted,
    /// Nothing: who was dialled stays.
    Dialled,
    /// The From of an UPDATE of the other side (RFC 4916).
    Update,
}

impl Firmware {
    /// A message of a call says who the other side is.
    pub(super) fn other_side_is(&mut self, call: CallRef, identity: &RemoteIdentity) {
        let Some(found) = self.find(call) else { return };
        let rule = self.policy.accounts.get(found.account).map(|policy| policy.connected);
        // Who calls us is not who was dialled.
        let rule = rule.filter(|_| found.dialled.is_some()).unwrap_or_default();
        let asserted = identity.asserted.first().or(identity.remote_party.as_deref());
        let from = identity.from.as_ref();
        let address = match rule {
            ConnectedId::Any => asserted.or(from),
            ConnectedId::Asserted => asserted,
            ConnectedId::Dialled => None,
            ConnectedId::Update => from,
        };
        if let Some(peer) = address.map(peer_at) {
            self.change(call, |call| call.peer = peer);
        }
    }
}
