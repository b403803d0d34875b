//! What each user has set: forwarding, do not disturb, voicemail; and the codes that set it from a telephone.
//!
//! [`UserFeatures`] is the seam for a product, as [`LocationStore`](crate::LocationStore) is: its calls are made inside
//! the state machine, so they must not block.

use core::time::Duration;
use hashbrown::HashMap;
use sidetone_sip_ua::package::feature_sync::{Agent, AgentState};

/// The longest number that a call is forwarded to, in octets.
pub const MAX_TARGET: usize = 64;

/// A user's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Features {
    /// Where every call goes. Numbers and names are those of this server: it forwards to no other domain.
    pub forward_always: Option<String>,
    /// Where a call goes when the user is busy, declines it or is not to be disturbed.
    pub forward_busy: Option<String>,
    /// Where a call goes when nobody answers in time, or no telephone is registered.
    pub forward_no_answer: Option<String>,
    /// How long it rings before [`Features::forward_no_answer`] or the voicemail has the call; without it as
    /// [`CallConfig::no_answer_after`](crate::CallConfig::no_answer_after) says. 1 s to 180 s count.
    pub no_answer_after: Option<Duration>,
    /// Calls do not ring: they are busy.
    pub do_not_disturb: bool,
    /// What the user is as agent of a call centre; `None` before the first sign-in. A queue calls those alone who are ready.
    pub agent: Option<Agent>,
    /// Who uses the user's telephones as a guest: the guest's calls ring there, the user's do not, and who calls from there is
    /// the guest.
    pub guest: Option<String>,
    /// Whose telephones the user uses as a guest: the other side of that.
    pub desk: Option<String>,
    /// Calls that are not forwarded and not answered go to the voicemail, if the server has one. Default true.
    pub voicemail: bool,
}

impl Default for Features {
    fn default() -> Self {
        Self {
            forward_always: None,
            forward_busy: None,
            forward_no_answer: None,
            no_answer_after: None,
            do_not_disturb: false,
            agent: None,
            guest: None,
            desk: None,
            voicemail: true,
        }
    }
}

impl Features {
    /// Whether a queue may call the user.
    #[must_use]
    pub fn takes_queue_calls(&self) -> bool {
        self.agent.as_ref().is_some_and(|agent| agent.state == AgentState::Ready)
    }

    /// Whether every target is one that can be dialled: not empty, at most [`MAX_TARGET`] octets, no spaces.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        let targets = [&self.forward_always, &self.forward_busy, &self.forward_no_answer];
        targets.into_iter().flatten().all(|target| is_target(target))
    }
}

/// Whether a call can be forwarded to this.
pub(crate) fn is_target(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= MAX_TARGET
        && text.chars().all(|c| !c.is_whitespace() && !c.is_control())
}

/// Settings by user. A user that the store does not know has the default ones.
pub trait UserFeatures: Send {
    /// The user's settings.
    fn get(&self, user: &str) -> Features;

    /// Makes these the user's settings; false when the store cannot take them.
    fn set(&mut self, user: &str, features: Features) -> bool;
}

/// Settings in memory; they are lost with the process. Both calls are O(1). Default settings take no room.
#[derive(Debug)]
pub struct MemoryFeatures {
    users: HashMap<String, Features>,
    max_users: usize,
}

/// Users whose settings [`MemoryFeatures`] keeps: a few hundred octets each.
pub const MAX_FEATURE_USERS: usize = 100_000;

impl Default for MemoryFeatures {
    fn default() -> Self {
        Self { users: HashMap::new(), max_users: MAX_FEATURE_USERS }
    }
}

impl MemoryFeatures {
    /// Nothing is set.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same with another bound on the users that have settings.
    #[must_use]
    pub const fn with_max_users(mut self, max_users: usize) -> Self {
        self.max_users = max_users;
        self
    }
}

impl UserFeatures for MemoryFeatures {
    fn get(&self, user: &str) -> Features {
        self.users.get(user).cloned().unwrap_or_default()
    }

    fn set(&mut self, user: &str, features: Features) -> bool {
        if features == Features::default() {
            self.users.remove(user);
            return true;
        }
        if !self.users.contains_key(user) && self.users.len() >= self.max_users {
            return false;
        }
        self.users.insert(user.into(), features);
        true
    }
}

/// What is dialled to change a setting or to take a call. An empty code is none.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FeatureCodes {
    /// Then the number: every call is forwarded to it. Default `*72`.
    pub forward_always: String,
    /// No longer. Default `*73`.
    pub no_forward_always: String,
    /// Then the number: calls are forwarded to it while the user is busy. Default `*90`.
    pub forward_busy: String,
    /// No longer. Default `*91`.
    pub no_forward_busy: String,
    /// Then the number: calls that are not answered are forwarded to it. Default `*92`.
    pub forward_no_answer: String,
    /// No longer. Default `*93`.
    pub no_forward_no_answer: String,
    /// Do not disturb. Default `*78`.
    pub do_not_disturb: String,
    /// Disturb again. Default `*79`.
    pub no_do_not_disturb: String,
    /// Then the number that rings: the call is taken from it. Default `*8`.
    pub pickup: String,
    /// The longest ringing call of the user's pickup groups is taken. Default `*9`.
    pub group_pickup: String,
}

impl Default for FeatureCodes {
    fn default() -> Self {
        Self {
            forward_always: "*72".into(),
            no_forward_always: "*73".into(),
            forward_busy: "*90".into(),
            no_forward_busy: "*91".into(),
            forward_no_answer: "*92".into(),
            no_forward_no_answer: "*93".into(),
            do_not_disturb: "*78".into(),
            no_do_not_disturb: "*79".into(),
            pickup: "*8".into(),
            group_pickup: "*9".into(),
        }
    }
}

impl FeatureCodes {
    /// No code means anything.
    #[must_use]
    pub fn none() -> Self {
        Self {
            forward_always: String::new(),
            no_forward_always: String::new(),
            forward_busy: String::new(),
            no_forward_busy: String::new(),
            forward_no_answer: String::new(),
            no_forward_no_answer: String::new(),
            do_not_disturb: String::new(),
            no_do_not_disturb: String::new(),
            pickup: String::new(),
            group_pickup: String::new(),
        }
    }

    /// What a dialled number asks for; the longest code wins.
    pub(crate) fn find(&self, dialled: &str) -> Option<Code> {
        let forward = |make: fn(&mut Features, Option<String>)| {
            move |target: &str| is_target(target).then(|| Code::Forward { make, target: Some(target.into()) })
        };
        let exact = |code: &str| !code.is_empty() && dialled == code;
        let off = |make| Some(Code::Forward { make, target: None });
        if exact(&self.no_forward_always) {
            return off(|features, target| features.forward_always = target);
        }
        if exact(&self.no_forward_busy) {
            return off(|features, target| features.forward_busy = target);
        }
        if exact(&self.no_forward_no_answer) {
            return off(|features, target| features.forward_no_answer = target);
        }
        if exact(&self.do_not_disturb) || exact(&self.no_do_not_disturb) {
            return Some(Code::DoNotDisturb(exact(&self.do_not_disturb)));
        }
        if exact(&self.group_pickup) {
            return Some(Code::GroupPickup);
        }
        type Make<'a> = &'a dyn Fn(&str) -> Option<Code>;
        let (always, busy, no_answer) = (
            forward(|features, target| features.forward_always = target),
            forward(|features, target| features.forward_busy = target),
            forward(|features, target| features.forward_no_answer = target),
        );
        let pickup = |target: &str| is_target(target).then(|| Code::Pickup(target.into()));
        let prefixes: [(&str, Make<'_>); 4] = [
            (&self.forward_always, &always),
            (&self.forward_busy, &busy),
            (&self.forward_no_answer, &no_answer),
            (&self.pickup, &pickup),
        ];
        let fitting = prefixes.into_iter().filter(|(code, _)| !code.is_empty());
        let fitting =
            fitting.filter_map(|(code, make)| Some((code.len(), make, dialled.strip_prefix(code)?)));
        let (_, make, target) = fitting.max_by_key(|(length, ..)| *length)?;
        make(target)
    }
}

/// What a feature code asks for.
#[derive(Clone, Debug)]
pub(crate) enum Code {
    Forward { make: fn(&mut Features, Option<String>), target: Option<String> },
    DoNotDisturb(bool),
    Pickup(String),
    GroupPickup,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_code_wins_and_a_code_without_its_number_is_none() {
        let codes = FeatureCodes::default();
        let set = |dialled: &str| {
            let mut features = Features::default();
            match codes.find(dialled) {
                Some(Code::Forward { make, target }) => make(&mut features, target),
                Some(Code::DoNotDisturb(on)) => features.do_not_disturb = on,
                other => panic!("{dialled}: {other:?}"),
            }
            features
        };
        assert_eq!(set("*72bob").forward_always.as_deref(), Some("bob"));
        assert_eq!(set("*90201").forward_busy.as_deref(), Some("201"));
        assert_eq!(set("*92+49123").forward_no_answer.as_deref(), Some("+49123"));
        assert!(set("*78").do_not_disturb);
        assert_eq!(set("*73"), Features::default());
        assert!(matches!(codes.find("*8201"), Some(Code::Pickup(target)) if target == "201"));
        assert!(matches!(codes.find("*9"), Some(Code::GroupPickup)));
        for dialled in ["*72", "*8", "*7", "*97", "*731", "201", "", "*72a b"] {
            assert!(codes.find(dialled).is_none(), "{dialled}");
        }
        assert!(FeatureCodes::none().find("*78").is_none());
        assert!(FeatureCodes::none().find("").is_none());
    }

    #[test]
    fn the_store_keeps_what_differs_from_the_default_and_is_bounded() {
        let mut store = MemoryFeatures::new().with_max_users(1);
        let quiet = Features { do_not_disturb: true, ..Features::default() };
        assert!(store.set("alice", quiet.clone()));
        assert!(!store.set("bob", quiet.clone()));
        assert_eq!((store.get("alice"), store.get("bob")), (quiet.clone(), Features::default()));
        assert!(store.set("alice", Features::default()));
        assert!(store.set("bob", quiet));
    }
}
