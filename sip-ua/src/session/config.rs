//! What an account's calls use of the extensions to INVITE.

use sidetone_hal::time::Duration;
use sidetone_sip_core::header::Refresher;

/// How far an extension is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExtensionUse {
    /// Not at all: it is not named, and a request that requires it is answered 420.
    #[default]
    Off,
    /// With every peer that has it too.
    Supported,
    /// Our requests require it; a call to us without it is answered 421. A call of ours that is answered 420 for it is
    /// tried once more without (RFC 3261 §8.1.3.5).
    Required,
}

impl ExtensionUse {
    /// Whether it is used with those that have it.
    #[must_use]
    pub const fn is_on(self) -> bool {
        !matches!(self, Self::Off)
    }
}

/// Session timers (RFC 4028): a call that nobody refreshes ends by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionTimerConfig {
    /// Off by default.
    pub usage: ExtensionUse,
    /// The interval to ask for, in whole seconds: 1800 s by default. The phones allow 30 to 65535 s; peers that follow
    /// the RFC refuse less than 90 s by 422, and are then asked for what they want.
    pub expires: Duration,
    /// The shortest interval that is taken, in whole seconds: 90 s by default (RFC 4028 §5). A shorter `expires` is taken
    /// as well.
    pub min_se: Duration,
    /// Who refreshes. In our INVITE it is named as it stands. Of a call to us that leaves it open `Uac` makes this side
    /// refresh, for the settings of phones mean themselves by it, and `Uas` the caller. `None`, the default: the other
    /// side of a call of ours chooses, and a caller who can refreshes its own.
    pub refresher: Option<Refresher>,
    /// By which request this side refreshes (Panasonic's `SIP_SESSION_METHOD`).
    pub method: RefreshMethod,
}

/// By which request a session is refreshed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RefreshMethod {
    /// UPDATE where the other side says that it takes it (Allow), for that says nothing of media; else a re-INVITE with
    /// what we said last. The default.
    #[default]
    Auto,
    /// A re-INVITE always.
    Invite,
    /// UPDATE, whatever the other side says; a re-INVITE once it has refused that (405, 501).
    Update,
}

impl Default for SessionTimerConfig {
    fn default() -> Self {
        Self {
            usage: ExtensionUse::Off,
            expires: Duration::from_secs(1800),
            min_se: Duration::from_secs(90),
            refresher: None,
            method: RefreshMethod::Auto,
        }
    }
}

impl SessionTimerConfig {
    /// Session timers as far as `usage` says, with the defaults.
    #[must_use]
    pub fn new(usage: ExtensionUse) -> Self {
        Self { usage, ..Self::default() }
    }

    /// The same with another interval to ask for.
    #[must_use]
    pub const fn with_expires(mut self, expires: Duration) -> Self {
        self.expires = expires;
        self
    }

    /// The same with another shortest interval.
    #[must_use]
    pub const fn with_min_se(mut self, min_se: Duration) -> Self {
        self.min_se = min_se;
        self
    }

    /// The same with a refresher.
    #[must_use]
    pub const fn with_refresher(mut self, refresher: Refresher) -> Self {
        self.refresher = Some(refresher);
        self
    }

    /// The same, refreshing by another request.
    #[must_use]
    pub const fn with_method(mut self, method: RefreshMethod) -> Self {
        self.method = method;
        self
    }

    /// The interval to ask for, in seconds.
    pub(crate) fn interval(&self) -> u32 {
        u32::try_from(self.expires.as_secs()).unwrap_or(u32::MAX)
    }

    /// The shortest interval that is taken, in seconds.
    pub(crate) fn shortest(&self) -> u32 {
        u32::try_from(self.min_se.as_secs()).unwrap_or(u32::MAX).min(self.interval())
    }
}

/// What an account's calls use of the extensions to INVITE. UPDATE (RFC 3311) is always there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionConfig {
    /// Session timers (RFC 4028). Off by default.
    pub timer: SessionTimerConfig,
    /// Reliable provisional responses (RFC 3262): on, every one but 100 is sent reliably to a caller that can take that.
    /// Off by default. What others send reliably in spite of that is acknowledged all the same.
    pub reliable: ExtensionUse,
    /// Whether the PRACK of a reliable answer to our offer waits for T1/2 for another offer of ours
    /// ([`reoffer`](crate::Agent::reoffer)), which then goes in it (RFC 3262 §5): to settle on one codec, or to hold, with
    /// who does not take UPDATE. Off by default: PRACKs go at once, and offers by UPDATE.
    pub offer_in_prack: bool,
    /// Whether our requests say that a changed From or To is understood (RFC 4916 `from-change`). On by default.
    pub connected_identity: bool,
    /// Whether a call to a `sips` address that is refused for its scheme (416) is tried again as `sip`, which nothing
    /// protects. Off by default.
    pub sips_fallback: bool,
}

impl Default for SessionConfig {
    fn default() -> Self {
        Self {
            timer: SessionTimerConfig::default(),
            reliable: ExtensionUse::Off,
            offer_in_prack: false,
            connected_identity: true,
            sips_fallback: false,
        }
    }
}

impl SessionConfig {
    /// The same with session timers.
    #[must_use]
    pub const fn with_timer(mut self, timer: SessionTimerConfig) -> Self {
        self.timer = timer;
        self
    }

    /// The same with reliable provisional responses.
    #[must_use]
    pub const fn with_reliable(mut self, reliable: ExtensionUse) -> Self {
        self.reliable = reliable;
        self
    }

    /// The same, PRACKs waiting for offers of ours.
    #[must_use]
    pub const fn with_offer_in_prack(mut self) -> Self {
        self.offer_in_prack = true;
        self
    }

    /// The same, `sips` addresses tried as `sip` after a 416.
    #[must_use]
    pub const fn with_sips_fallback(mut self) -> Self {
        self.sips_fallback = true;
        self
    }

    /// The use of the extension with this option tag.
    pub(crate) fn usage(&self, option: &str) -> ExtensionUse {
        let is = |name: &str| option.eq_ignore_ascii_case(name);
        if is(RELIABLE) {
            self.reliable
        } else if is(TIMER) {
            self.timer.usage
        } else if is(FROM_CHANGE) && self.connected_identity {
            ExtensionUse::Supported
        } else {
            ExtensionUse::Off
        }
    }
}

/// The option tag of reliable provisional responses (RFC 3262 §4).
pub(crate) const RELIABLE: &str = "100rel";
/// The option tag of session timers (RFC 4028 §3).
pub(crate) const TIMER: &str = "timer";
/// The option tag of connected identity (RFC 4916 §4).
pub(crate) const FROM_CHANGE: &str = "from-change";
/// Those that a call's settings turn on and off.
pub(crate) const OPTIONS: [&str; 3] = [RELIABLE, TIMER, FROM_CHANGE];
