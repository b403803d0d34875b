//! The telephone's side of BroadSoft's shared call appearances: keys and lamps of one line.

use super::AppearanceView;
use crate::package::call_info::{
    Appearance, AppearanceState, MAX_APPEARANCES, SEIZE_EXPIRES, Seizure, SharedLine,
};
use alloc::collections::BTreeMap;
use alloc::string::String;
use sidetone_hal::time::{Duration, Instant};
use sidetone_sip_core::header::CallInfo;
use sidetone_sip_core::{Headers, Uri};

/// How long the server may take with a seizure, above the time that it lasts: that of a SUBSCRIBE without an answer.
const PATIENCE: Duration = Duration::from_secs(32);

/// The keys of one shared line. What the server and the calls tell goes in, what a press means comes out.
///
/// Every operation is O(log n) in the appearances, except [`LineKeys::notified`], which is linear.
///
/// ```
/// use sidetone_hal::time::Instant;
/// use sidetone_sip_ua::feature::shared_line::{AppearanceState, LineAction, LineKeys};
/// use sidetone_sip_ua::package::call_info::{Appearance, Seizure};
/// let mut keys = LineKeys::new(2);
/// let now = Instant::ZERO;
/// keys.notified(&[Appearance::others(AppearanceState::Idle)]);
/// assert_eq!(keys.press(now, 1), LineAction::Seize(1));
/// assert_eq!(keys.seizure(now, 1, &Seizure::Granted(Some(1))), LineAction::DialTone(1));
/// assert!(keys.dial(1), "the INVITE may go, with `call_info(1, …)`");
/// ```
#[derive(Clone, Debug)]
pub struct LineKeys {
    appearances: u16,
    line: SharedLine,
    known: bool,
    /// How long a seizure holds; `None` without end.
    seized_for: Option<Duration>,
    barges_in: bool,
    own: BTreeMap<u16, Own>,
}

/// What we have an appearance for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Own {
    /// The server was asked.
    Seizing { until: Instant },
    /// There is a dial tone.
    Seized { until: Option<Instant> },
    /// A call of ours.
    Call(AppearanceState),
    /// The held call of somebody else, which we have asked for.
    Retrieving,
}

/// What follows from a key, from the server's word, or from the time.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LineAction {
    /// Nothing.
    None,
    /// Subscribe to `line-seize` for [`SEIZE_EXPIRES`] seconds, with [`LineKeys::seize_headers`] and without trying again.
    /// [`LineKeys::seizure`] wants to know what comes of it.
    Seize(u16),
    /// End that subscription: nobody dials.
    Release(u16),
    /// The appearance is ours: a dial tone. [`LineKeys::dial`] comes with the number.
    DialTone(u16),
    /// No dial tone, or no longer.
    Refused(u16, Refused),
    /// Answer the call that rings.
    Answer(u16),
    /// Take our held call back, by a re-INVITE.
    Resume(u16),
    /// Our call is on this appearance, and is not held.
    Show(u16),
    /// Take the call that is held elsewhere: an INVITE to the line's own address with [`LineKeys::call_info`].
    Retrieve(u16),
    /// Be mixed with the call that another telephone has ([`LineKeys::with_barge_in`]).
    BargeIn(u16),
}

/// Why an appearance is not ours.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refused {
    /// Somebody else uses it, or every one.
    InUse,
    /// Somebody else holds its call for himself.
    Private,
    /// The server said no, or took it away; its reason, if it told one.
    Server(Option<String>),
    /// Nobody dialled in time, or the server did not answer.
    TimedOut,
}

impl LineKeys {
    /// A line with so many appearances, 1 to [`MAX_APPEARANCES`], of which nothing is known yet.
    #[must_use]
    pub fn new(appearances: u16) -> Self {
        Self {
            appearances: appearances.clamp(1, MAX_APPEARANCES),
            line: SharedLine::default(),
            known: false,
            seized_for: Some(Duration::from_secs(u64::from(SEIZE_EXPIRES))),
            barges_in: false,
            own: BTreeMap::new(),
        }
    }

    /// The same where a seizure holds until it is given back, as with [bridged lines](super::BridgedLine).
    #[must_use]
    pub const fn without_seizure_time(mut self) -> Self {
        self.seized_for = None;
        self
    }

    /// The same where the key of a call that another telephone has barges into it.
    #[must_use]
    pub const fn with_barge_in(mut self) -> Self {
        self.barges_in = true;
        self
    }

    /// How many appearances it has.
    #[must_use]
    pub const fn appearances(&self) -> u16 {
        self.appearances
    }

    /// What a NOTIFY of `call-info` told ([`Appearance::all`]).
    pub fn notified(&mut self, told: &[Appearance]) {
        self.line.apply(told);
        self.known = true;
    }

    /// The subscription to `call-info` is gone: nothing is known of what others do.
    pub fn forget(&mut self) {
        self.line = SharedLine::default();
        self.known = false;
    }

    /// An appearance as this telephone sees it.
    #[must_use]
    pub fn view(&self, index: u16) -> AppearanceView {
        let told = self.line.state(index);
        let (state, here) = match self.own.get(&index) {
            Some(Own::Seizing { .. } | Own::Seized { .. }) => (AppearanceState::Seized, true),
            // That others are in it the server alone knows.
            Some(Own::Call(AppearanceState::Active)) if told == AppearanceState::BridgeActive => (told, true),
            Some(Own::Call(AppearanceState::Held)) if told == AppearanceState::BridgeHeld => (told, true),
            Some(Own::Call(state)) => (*state, true),
            Some(Own::Retrieving) | None => (told, false),
        };
        let uri = self.line.uri(index).map(Into::into);
        AppearanceView { index, state, here, uri, known: self.known }
    }

    /// All appearances.
    pub fn views(&self) -> impl Iterator<Item = AppearanceView> + '_ {
        (1..=self.appearances).map(|index| self.view(index))
    }

    /// The key of the line as a whole: what asks most for an answer first, then our held call, then one that is held
    /// elsewhere, then a free appearance.
    pub fn press_line(&mut self, now: Instant) -> LineAction {
        use AppearanceState as State;
        let rank = |view: &AppearanceView| match (view.state, view.here) {
            (State::Alerting, true) => Some(0),
            (State::Held | State::HeldPrivate | State::BridgeHeld, true) => Some(1),
            (State::Held | State::BridgeHeld, false) => Some(2),
            _ => None,
        };
        let ranked = self.views().filter_map(|view| Some((rank(&view)?, view.index)));
        match ranked.min() {
            Some((_, index)) => self.press(now, index),
            None => self.off_hook(now),
        }
    }

    /// The handset is lifted for this line: the first free appearance is seized.
    pub fn off_hook(&mut self, now: Instant) -> LineAction {
        let free =
            |index: &u16| !self.own.contains_key(index) && self.line.state(*index) == AppearanceState::Idle;
        match (1..=self.appearances).find(free) {
            Some(index) => self.press(now, index),
            None => LineAction::Refused(0, Refused::InUse),
        }
    }

    /// The key of an appearance.
    pub fn press(&mut self, now: Instant, index: u16) -> LineAction {
        use AppearanceState as State;
        if index == 0 || index > self.appearances {
            return LineAction::None;
        }
        match self.own.get(&index) {
            Some(Own::Seizing { .. } | Own::Seized { .. }) => return self.on_hook(index),
            Some(Own::Call(State::Alerting)) => return LineAction::Answer(index),
            Some(Own::Call(State::Held | State::HeldPrivate)) => return LineAction::Resume(index),
            Some(Own::Call(_)) => return LineAction::Show(index),
            Some(Own::Retrieving) => return LineAction::None,
            None => {}
        }
        match self.line.state(index) {
            State::Idle => {
                let until = now + self.seized_for.unwrap_or_default() + PATIENCE;
                self.own.insert(index, Own::Seizing { until });
                LineAction::Seize(index)
            }
            State::Held | State::BridgeHeld => {
                self.own.insert(index, Own::Retrieving);
                LineAction::Retrieve(index)
            }
            State::Active | State::BridgeActive if self.barges_in => {
                self.own.insert(index, Own::Retrieving);
                LineAction::BargeIn(index)
            }
            State::HeldPrivate => LineAction::Refused(index, Refused::Private),
            _ => LineAction::Refused(index, Refused::InUse),
        }
    }

    /// What became of the subscription to `line-seize` for an appearance: a NOTIFY ([`Seizure::of`]), or
    /// [`Seizure::Refused`] for a SUBSCRIBE that was refused and a subscription that ended.
    pub fn seizure(&mut self, now: Instant, index: u16, what: &Seizure) -> LineAction {
        let own = self.own.get(&index);
        if !matches!(own, Some(Own::Seizing { .. } | Own::Seized { .. })) {
            // Once the INVITE is out the server ends the subscription, which changes nothing.
            return LineAction::None;
        }
        let begins = matches!(own, Some(Own::Seizing { .. }));
        match what {
            Seizure::Pending => LineAction::None,
            Seizure::Refused(reason) => {
                self.own.remove(&index);
                LineAction::Refused(index, Refused::Server(reason.clone()))
            }
            Seizure::Granted(number) => {
                // The server may give another one than was asked for.
                let got = number.filter(|number| (1..=self.appearances).contains(number)).unwrap_or(index);
                if got != index && self.own.contains_key(&got) {
                    self.own.remove(&index);
                    return LineAction::Release(index);
                }
                self.own.remove(&index);
                let until = self.seized_for.map(|time| now + time);
                self.own.insert(got, Own::Seized { until });
                if begins { LineAction::DialTone(got) } else { LineAction::None }
            }
        }
    }

    /// The number is dialled. True when the INVITE may go: it then has [`LineKeys::call_info`], and the subscription to
    /// `line-seize` need not be ended. False when the appearance is not ours.
    pub fn dial(&mut self, index: u16) -> bool {
        let seized = matches!(self.own.get(&index), Some(Own::Seized { .. }));
        if seized {
            self.own.insert(index, Own::Call(AppearanceState::Progressing));
        }
        seized
    }

    /// The handset is put down on an appearance that is not dialled on.
    pub fn on_hook(&mut self, index: u16) -> LineAction {
        match self.own.get(&index) {
            Some(Own::Seizing { .. } | Own::Seized { .. }) => {
                self.own.remove(&index);
                LineAction::Release(index)
            }
            _ => LineAction::None,
        }
    }

    /// An INVITE came for an appearance ([`Appearance::index_of`]): it rings here.
    pub fn incoming(&mut self, index: u16) {
        if (1..=self.appearances).contains(&index) {
            self.own.insert(index, Own::Call(AppearanceState::Alerting));
        }
    }

    /// Our call on an appearance was answered, on either side; a call that was held elsewhere is ours.
    pub fn answered(&mut self, index: u16) {
        self.change(index, AppearanceState::Active);
    }

    /// Our call was held, so that everybody may take it or for ourselves (`private`).
    pub fn held(&mut self, index: u16, private: bool) {
        self.change(index, if private { AppearanceState::HeldPrivate } else { AppearanceState::Held });
    }

    /// Our held call goes on.
    pub fn resumed(&mut self, index: u16) {
        self.change(index, AppearanceState::Active);
    }

    /// Our call on an appearance is over, or somebody else has it.
    pub fn ended(&mut self, index: u16) {
        if matches!(self.own.get(&index), Some(Own::Call(_) | Own::Retrieving)) {
            self.own.remove(&index);
        }
    }

    /// The next seizure whose time is over; [`LineAction::None`] when there is none. Its subscription is to be ended.
    pub fn handle_timeout(&mut self, now: Instant) -> LineAction {
        let over = self.own.iter().find(|(_, own)| own.until().is_some_and(|until| until <= now));
        let Some(index) = over.map(|(index, _)| *index) else { return LineAction::None };
        self.own.remove(&index);
        LineAction::Refused(index, Refused::TimedOut)
    }

    /// When [`handle_timeout`](Self::handle_timeout) has something to do.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.own.values().filter_map(Own::until).min()
    }

    /// The Call-Info of an INVITE on an appearance, with the line's address.
    #[must_use]
    pub fn call_info(index: u16, line: &Uri) -> CallInfo {
        Appearance::named(index).write(line)
    }

    /// The headers of the SUBSCRIBE to `line-seize`.
    #[must_use]
    pub fn seize_headers(index: u16, line: &Uri) -> Headers {
        let mut headers = Headers::new();
        headers.push(&Self::call_info(index, line));
        headers
    }

    /// The headers of the re-INVITE that holds the call of an appearance, or takes it back (`None`).
    #[must_use]
    pub fn hold_headers(index: u16, line: &Uri, hold: Option<bool>) -> Headers {
        let state = match hold {
            Some(true) => AppearanceState::HeldPrivate,
            Some(false) => AppearanceState::Held,
            None => AppearanceState::Active,
        };
        let mut headers = Headers::new();
        headers.push(&Appearance::new(index, state).write(line));
        headers
    }

    fn change(&mut self, index: u16, state: AppearanceState) {
        if let Some(own @ (Own::Call(_) | Own::Retrieving)) = self.own.get_mut(&index) {
            *own = Own::Call(state);
        }
    }
}

impl Own {
    const fn until(&self) -> Option<Instant> {
        match self {
            Self::Seizing { until } => Some(*until),
            Self::Seized { until } => *until,
            Self::Call(_) | Self::Retrieving => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feature::shared_line::LineLamps;
    use crate::package::blf::{Blink, Colour, Lamp};
    use AppearanceState as State;
    use alloc::string::ToString;

    fn keys(told: &[Appearance]) -> LineKeys {
        let mut keys = LineKeys::new(3);
        keys.notified(&[Appearance::others(State::Idle)]);
        keys.notified(told);
        keys
    }

    fn at(seconds: u64) -> Instant {
        Instant::from_millis(1_000 * seconds)
    }

    fn lamp(keys: &LineKeys, index: u16) -> Lamp {
        LineLamps::COMMON.lamp(&keys.view(index))
    }

    #[test]
    fn a_dial_tone_comes_with_the_server_s_word_and_not_before() {
        let mut keys = keys(&[]);
        assert_eq!(keys.press(at(0), 1), LineAction::Seize(1));
        assert!(!keys.dial(1), "the server has not decided");
        assert_eq!(keys.seizure(at(0), 1, &Seizure::Pending), LineAction::None);
        assert_eq!(keys.seizure(at(1), 1, &Seizure::Granted(None)), LineAction::DialTone(1));
        assert_eq!(keys.seizure(at(1), 1, &Seizure::Granted(None)), LineAction::None, "a refresh");
        assert_eq!(lamp(&keys, 1), Lamp::steady(Colour::Green));
        assert!(keys.dial(1) && !keys.dial(1));
        // The server ends the subscription when the INVITE came.
        assert_eq!(keys.seizure(at(2), 1, &Seizure::Refused(None)), LineAction::None);
        keys.answered(1);
        assert_eq!((keys.view(1).state, keys.view(1).here), (State::Active, true));
        assert_eq!(keys.poll_timeout(), None);
    }

    #[test]
    fn a_seizure_is_refused_given_back_or_runs_out() {
        let mut keys = keys(&[]);
        assert_eq!(keys.press(at(0), 2), LineAction::Seize(2));
        let refused = Seizure::Refused(Some("noresource".into()));
        let why = Refused::Server(Some("noresource".into()));
        assert_eq!(keys.seizure(at(0), 2, &refused), LineAction::Refused(2, why));
        assert_eq!(lamp(&keys, 2), Lamp::OFF);
        assert_eq!(keys.press(at(0), 2), LineAction::Seize(2));
        assert_eq!(keys.press(at(0), 2), LineAction::Release(2));
        assert_eq!(keys.on_hook(2), LineAction::None);

        assert_eq!(keys.press(at(0), 2), LineAction::Seize(2));
        assert_eq!(keys.seizure(at(3), 2, &Seizure::Granted(Some(2))), LineAction::DialTone(2));
        assert_eq!(keys.poll_timeout(), Some(at(18)));
        assert_eq!(keys.handle_timeout(at(17)), LineAction::None);
        assert_eq!(keys.handle_timeout(at(18)), LineAction::Refused(2, Refused::TimedOut));
        assert!(!keys.dial(2));
        // A server that does not answer.
        assert_eq!(keys.press(at(20), 2), LineAction::Seize(2));
        assert_eq!(keys.handle_timeout(at(67)), LineAction::Refused(2, Refused::TimedOut));
    }

    #[test]
    fn the_server_may_give_another_appearance_than_was_asked_for() {
        let mut keys = keys(&[]);
        assert_eq!(keys.press(at(0), 1), LineAction::Seize(1));
        assert_eq!(keys.seizure(at(0), 1, &Seizure::Granted(Some(3))), LineAction::DialTone(3));
        assert!(!keys.dial(1) && keys.dial(3));
        assert_eq!(keys.press(at(0), 1), LineAction::Seize(1));
        // It is ours already: one of both is too much.
        assert_eq!(keys.seizure(at(0), 1, &Seizure::Granted(Some(3))), LineAction::Release(1));
    }

    #[test]
    fn what_others_do_shows_and_decides_what_a_press_means() {
        let told = [(1, State::Held), (2, State::HeldPrivate), (3, State::Active)];
        let mut keys = keys(&told.map(|(index, state)| Appearance::new(index, state)));
        assert_eq!(lamp(&keys, 1), Lamp::blinking(Colour::Red, Blink::Slow));
        assert_eq!(lamp(&keys, 2), Lamp::steady(Colour::Red));
        assert_eq!(keys.press(at(0), 2), LineAction::Refused(2, Refused::Private));
        assert_eq!(keys.press(at(0), 3), LineAction::Refused(3, Refused::InUse));
        assert_eq!(keys.off_hook(at(0)), LineAction::Refused(0, Refused::InUse));
        assert_eq!(keys.press_line(at(0)), LineAction::Retrieve(1));
        assert_eq!(keys.press(at(0), 1), LineAction::None, "it is under way");
        assert!(!keys.view(1).here);
        keys.answered(1);
        keys.notified(&[Appearance::new(1, State::Active)]);
        assert_eq!(lamp(&keys, 1), Lamp::steady(Colour::Green));
        let mut barging = keys.clone().with_barge_in();
        assert_eq!(barging.press(at(0), 3), LineAction::BargeIn(3));
        barging.answered(3);
        assert!(barging.view(3).here);
        barging.ended(3);
        assert_eq!((barging.view(3).state, barging.view(3).here), (State::Active, false), "it goes on there");
        keys.forget();
        assert_eq!(lamp(&keys, 1), Lamp::steady(Colour::Green), "our own call is known");
        assert_eq!(lamp(&keys, 3), Lamp::OFF);
        assert_eq!(keys.press(at(0), 0), LineAction::None);
        assert_eq!(keys.press(at(0), 4), LineAction::None);
    }

    #[test]
    fn a_call_that_rings_is_answered_held_and_lost_to_another_telephone() {
        let mut keys = keys(&[Appearance::new(1, State::Alerting).with_uri("sip:carol@x")]);
        assert_eq!(keys.press(at(0), 1), LineAction::Refused(1, Refused::InUse), "it does not ring here");
        keys.incoming(1);
        assert_eq!(lamp(&keys, 1), Lamp::blinking(Colour::Red, Blink::Fast));
        assert_eq!(keys.press_line(at(0)), LineAction::Answer(1));
        keys.answered(1);
        assert_eq!(keys.press(at(0), 1), LineAction::Show(1));
        keys.held(1, false);
        assert_eq!(lamp(&keys, 1), Lamp::blinking(Colour::Green, Blink::Slow));
        assert_eq!(keys.press_line(at(0)), LineAction::Resume(1));
        keys.resumed(1);
        keys.held(1, true);
        assert_eq!(keys.view(1).state, State::HeldPrivate);
        keys.notified(&[Appearance::new(1, State::Active).with_uri("sip:carol@x")]);
        keys.ended(1);
        let view = keys.view(1);
        assert_eq!((view.state, view.here, view.uri.as_deref()), (State::Active, false, Some("sip:carol@x")));
        keys.answered(1);
        assert!(!keys.view(1).here, "what is not ours does not become so");
    }

    #[test]
    fn the_headers_name_the_appearance() {
        let line = Uri::parse("sip:500@pbx").unwrap();
        assert_eq!(LineKeys::call_info(2, &line).to_string(), "<sip:500@pbx>;appearance-index=2");
        let private = LineKeys::hold_headers(2, &line, Some(true));
        assert_eq!(Appearance::all(&private).unwrap(), [Appearance::new(2, State::HeldPrivate)]);
        let resumed = LineKeys::hold_headers(2, &line, None);
        assert_eq!(Appearance::all(&resumed).unwrap(), [Appearance::new(2, State::Active)]);
    }
}
