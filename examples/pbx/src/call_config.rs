//! What the proxy does with calls beyond forwarding them: diverting, groups, pickup.

use crate::features::FeatureCodes;
use core::time::Duration;

/// Members of a [`RingGroup`] that are called; further ones are not.
pub const MAX_GROUP_MEMBERS: usize = 32;

/// How calls are treated. Plain data.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CallConfig {
    /// What is dialled to change settings and to take calls.
    pub codes: FeatureCodes,
    /// The extension that tells a caller that a setting was taken; without it the call with the code is answered 480 with
    /// a reason phrase that says so.
    pub confirmation: Option<String>,
    /// The extension of the voicemail: has the calls that are not answered and not forwarded. Default none.
    pub voicemail: Option<String>,
    /// How long a call rings before it is forwarded as not answered. Default 25 s.
    pub no_answer_after: Duration,
    /// The proxy itself follows a 3xx of a telephone to a user, group or extension of this server; otherwise, and for
    /// other addresses, the caller gets it. Default true.
    pub redirect: bool,
    /// After this time a call counts as over whose BYE never came, if it has no session timer. Default 12 h.
    pub longest_call: Duration,
    /// Who may take a ringing call by number. Default everybody.
    pub pickup: PickupScope,
}

impl Default for CallConfig {
    fn default() -> Self {
        Self {
            codes: FeatureCodes::default(),
            confirmation: None,
            voicemail: None,
            no_answer_after: Duration::from_secs(25),
            redirect: true,
            longest_call: Duration::from_secs(12 * 3600),
            pickup: PickupScope::default(),
        }
    }
}

/// Who may take a ringing call by number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PickupScope {
    /// Every user of this server.
    #[default]
    Everybody,
    /// Users who share a pickup group with the one who is called.
    Group,
}

/// In which order the members of a group are called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GroupOrder {
    /// All at once.
    #[default]
    Together,
    /// One after the other.
    OneByOne,
}

/// A number that rings at several users. Members with do not disturb or a forwarding of all calls are left out, and
/// what a member does when busy or not there is not done: the group's call is the group's.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RingGroup {
    /// The users, in their order; at most [`MAX_GROUP_MEMBERS`].
    pub members: Vec<String>,
    /// All at once, or one after the other.
    pub order: GroupOrder,
    /// How long it rings: in all, or at each member when they are called one after the other. Default 25 s.
    pub ring_for: Duration,
    /// Where the call goes then. Default nowhere.
    pub overflow: Option<String>,
    /// Only members who have signed in as agents and take calls are called. Default false.
    pub agents_only: bool,
}

impl RingGroup {
    /// A group whose members ring together.
    pub fn new<S: Into<String>>(members: impl IntoIterator<Item = S>) -> Self {
        let members = members.into_iter().map(Into::into).take(MAX_GROUP_MEMBERS).collect();
        Self {
            members,
            order: GroupOrder::Together,
            ring_for: Duration::from_secs(25),
            overflow: None,
            agents_only: false,
        }
    }

    /// A queue of a call centre: calls come to members who have signed in as agents and take calls.
    pub fn queue<S: Into<String>>(members: impl IntoIterator<Item = S>) -> Self {
        Self { agents_only: true, ..Self::new(members) }
    }

    /// One member rings after the other, each so long.
    #[must_use]
    pub const fn one_by_one(mut self, each: Duration) -> Self {
        (self.order, self.ring_for) = (GroupOrder::OneByOne, each);
        self
    }

    /// The group rings so long.
    #[must_use]
    pub const fn ring_for(mut self, time: Duration) -> Self {
        self.ring_for = time;
        self
    }

    /// Where the call goes when no member takes it.
    #[must_use]
    pub fn overflow(mut self, target: impl Into<String>) -> Self {
        self.overflow = Some(target.into());
        self
    }
}
