//! What becomes of calls that come in: rung, answered by itself, refused, sent elsewhere; and how calls of ours are shown
//! to others. The rules are [`sidetone_sip_ua::feature`]'s; here they meet the telephone.

use super::entry::Entry;
use super::served::{Served, dnd_told, forward_told};
use super::stored::Origin;
use super::{
    Call, CallRef, CallTones, ConnectedId, Firmware, Habits, Mode, NetworkConferenceConfig, Peer,
    PickupCodes, Sound,
};
use sidetone_dialplan::{HotlineConfig, PlusCodes};
use sidetone_hal::audio::AudioPath;
use sidetone_hal::time::{Duration, Instant};
use sidetone_sip_core::{Headers, NameAddr, StatusCode, Uri};
use sidetone_sip_ua::Refusal;
use sidetone_sip_ua::feature::acd::AcdConfig;
use sidetone_sip_ua::feature::alert::{AlertConfig, Ring};
use sidetone_sip_ua::feature::anonymity::{AnonymityConfig, Presentation, Presented};
use sidetone_sip_ua::feature::auto_answer::AnswerPlan;
use sidetone_sip_ua::feature::call_completion::CallCompletionConfig;
use sidetone_sip_ua::feature::do_not_disturb::DndConfig;
use sidetone_sip_ua::feature::forward::{ForwardConfig, ForwardKind, ForwardedCall, Redirect};
use sidetone_sip_ua::feature::hook_flash::FlashKey;
use sidetone_sip_ua::feature::identity::{IdentityConfig, PartyIdentity};
use sidetone_sip_ua::feature::number;
use sidetone_sip_ua::feature::redial::RedialConfig;
use sidetone_sip_ua::feature::screening::{IncomingCall, Screening, ScreeningConfig};
use sidetone_sip_ua::feature::{Rejection, Scope, Scoped, ServerCode, TimeOfDay};

/// How long the tone of an intercom call plays before it is answered.
const WARNING: Duration = Duration::from_secs(1);

/// What becomes of an account's calls.
#[derive(Clone, Debug)]
pub struct AccountPolicy {
    /// Who the account is.
    pub own: NameAddr,
    /// How calls come in. Its do not disturb and forwards are those of [`CallPolicy`].
    pub screening: ScreeningConfig,
    /// Which headers say who calls.
    pub identity: IdentityConfig,
    /// Whether our calls are anonymous.
    pub anonymity: AnonymityConfig,
    /// What is dialled by itself.
    pub hotline: HotlineConfig,
    /// The number of the voice mail; empty for none.
    pub voice_mail: String,
    /// What it shares with its server.
    pub served: Served,
    /// How its person is an agent of a call centre; `None` where there is no such one.
    pub acd: Option<AcdConfig>,
    /// Conferences of the server; without, the telephone joins calls itself.
    pub conference: Option<NetworkConferenceConfig>,
    /// What is dialled to take calls that ring elsewhere.
    pub pickup: PickupCodes,
    /// Who the other side of a call of ours turns out to be.
    pub connected: ConnectedId,
    /// For how long the server is asked to tell of a guest; `None` where there is none.
    pub hoteling: Option<Duration>,
}

impl AccountPolicy {
    /// Everything as by default.
    #[must_use]
    pub fn new(own: NameAddr) -> Self {
        Self {
            own,
            screening: ScreeningConfig::default(),
            identity: IdentityConfig::default(),
            anonymity: AnonymityConfig::default(),
            hotline: HotlineConfig::default(),
            voice_mail: String::new(),
            served: Served::default(),
            acd: None,
            conference: None,
            pickup: PickupCodes::default(),
            connected: ConnectedId::default(),
            hoteling: None,
        }
    }
}

/// What becomes of calls.
#[derive(Clone, Debug, Default)]
pub struct CallPolicy {
    /// In the order of the accounts.
    pub accounts: Vec<AccountPolicy>,
    /// Do not disturb.
    pub dnd: Scoped<DndConfig>,
    /// The forwards.
    pub forward: Scoped<ForwardConfig>,
    /// How calls ring.
    pub alert: AlertConfig,
    /// Calls that are placed again.
    pub redial: RedialConfig,
    /// What the flash key does in a call.
    pub flash: FlashKey,
    /// Whether a call has a soft key that has the server record it.
    pub record_key: bool,
    /// What is dialled when waiting calls are switched on or off.
    pub waiting_code: ServerCode,
    /// The time between two tones that remind of a call on hold; none without such tones.
    pub hold_tone: Option<Duration>,
    /// Whether that tone goes on once it began.
    pub hold_tone_goes_on: bool,
    /// The tones that frame calls.
    pub tones: CallTones,
    /// Whether the two others go on when the person leaves a conference on the telephone.
    pub keep_conference: bool,
    /// Calls that are completed when the other side is free.
    pub completion: CallCompletionConfig,
    /// What stands in place of a caller's `+`; `None` leaves it.
    pub plus: Option<PlusCodes>,
    /// What the telephone does at certain moments.
    pub habits: Habits,
}

impl CallPolicy {
    /// What becomes of a call to an account, counted from 0, while there are so many others; and who calls. `None` for an
    /// account that nobody set up.
    #[must_use]
    pub fn screen(
        &self,
        account: usize,
        invitation: &Invitation,
        calls: usize,
        now: TimeOfDay,
    ) -> Option<(Screening, PartyIdentity)> {
        let (policy, screening) = self.of(account)?;
        let caller = policy.identity.caller(&invitation.headers, invitation.trusted, &());
        let verdict = screening.screen(policy.incoming(invitation, &caller, calls, now));
        Some((verdict, caller))
    }

    /// Where a call goes that nobody has answered in time; `None` lets it ring on.
    #[must_use]
    pub fn unanswered(&self, account: usize, invitation: &Invitation, now: TimeOfDay) -> Option<Redirect> {
        let (policy, screening) = self.of(account)?;
        let caller = policy.identity.caller(&invitation.headers, invitation.trusted, &());
        screening.unanswered(policy.incoming(invitation, &caller, 0, now))
    }

    fn of(&self, account: usize) -> Option<(&AccountPolicy, ScreeningConfig)> {
        let policy = self.accounts.get(account)?;
        let index = u32::try_from(account).unwrap_or(u32::MAX);
        let mut screening = policy.screening.clone();
        screening.dnd = self.dnd.of(index).clone();
        screening.forward = self.forward.of(index).clone();
        // What the server does is not done here a second time (YLA-074).
        screening.dnd.at_server |= policy.served.do_not_disturb().is_some();
        screening.forward.at_server |= policy.served.forwards();
        Some((policy, screening))
    }
}

impl AccountPolicy {
    const fn incoming<'a>(
        &'a self,
        invitation: &'a Invitation,
        caller: &'a PartyIdentity,
        calls: usize,
        now: TimeOfDay,
    ) -> IncomingCall<'a> {
        IncomingCall {
            headers: &invitation.headers,
            request_uri: &invitation.request_uri,
            own: &self.own,
            caller,
            trusted: invitation.trusted,
            calls,
            now,
        }
    }
}

/// A call that comes in, as the user agent tells of it.
#[derive(Clone, Debug)]
pub struct Invitation {
    /// The headers of the INVITE.
    pub headers: Headers,
    /// Whom it is for.
    pub request_uri: Uri,
    /// Whether it came from the account's own server.
    pub trusted: bool,
}

/// What becomes of a call that comes in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It rings, or will answer itself: [`Command::Answer`](super::Command::Answer) follows.
    Ring(CallRef),
    /// It is refused so: busy, not wanted, sent elsewhere (302).
    Refuse(Refusal),
    /// It is told that it rings, and then refused so: sent elsewhere by a busy phone (YLC-219).
    RingAndRefuse(Refusal),
    /// Nobody answers.
    Ignore,
}

/// What a ringing call still waits for.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    invitation: Option<Box<Invitation>>,
    forward_at: Option<Instant>,
    answer_at: Option<(Instant, AnswerPlan)>,
    /// Why it ends, where that is not the person's refusal.
    pub(super) refusal: Option<Refusal>,
    /// Whether a waiting call is told of by a tone.
    silent: bool,
    /// What rings; `None` is silence.
    ring: Option<Sound>,
    /// Who has forwarded the call, in words.
    pub(super) forwarded_by: Option<String>,
}

impl Default for Waiting {
    fn default() -> Self {
        Self {
            invitation: None,
            forward_at: None,
            answer_at: None,
            refusal: None,
            silent: false,
            ring: Some(Sound::Ring),
            forwarded_by: None,
        }
    }
}

impl Waiting {
    /// Whether the call was told of by an INVITE of somebody else's.
    pub(super) const fn came_in(&self) -> bool {
        self.invitation.is_some()
    }

    /// When there is something to do.
    pub(super) fn due(&self) -> Option<Instant> {
        let answer = self.answer_at.map(|(at, _)| at);
        self.forward_at.into_iter().chain(answer).min()
    }
}

impl Firmware {
    /// Somebody calls on `account`, counted from 0.
    pub fn invited(&mut self, now: Instant, account: usize, invitation: Invitation) -> Verdict {
        let account = account.min(self.accounts.len().saturating_sub(1));
        let index = u32::try_from(account).unwrap_or(u32::MAX);
        let calls = match self.free_line(account) {
            Some(_) => self.calls.iter().filter(|call| !call.hung_up).count(),
            // No line is free, however few calls there are.
            None => usize::MAX,
        };
        let now_there = self.time_of_day(now);
        let Some((screening, caller)) = self.policy.screen(account, &invitation, calls, now_there) else {
            return self.ring_plainly(account, &Invitation::peer_of(&invitation.headers));
        };
        let alert = self.policy.alert.ring_unless_answered(&invitation.headers, None);
        let mut waiting = Waiting { ring: ring_of(&alert.ring), ..Waiting::default() };
        match screening {
            Screening::Reject(_, rejection) => return Verdict::Refuse(refusal_of(&rejection)),
            Screening::Redirect(redirect) => {
                let ring_first = redirect.ring_first;
                let refusal = Refusal::from(redirect.status).with_headers(redirect.headers);
                return if ring_first { Verdict::RingAndRefuse(refusal) } else { Verdict::Refuse(refusal) };
            }
            Screening::Ignore => return Verdict::Ignore,
            Screening::Answer(plan) => {
                let mut after = Duration::from_secs(plan.after.into());
                if plan.tone {
                    after = after.max(WARNING);
                    waiting.ring = Some(Sound::Warning);
                }
                waiting.answer_at = Some((now + after, plan));
            }
            Screening::Ring(plan) => {
                waiting.forward_at = plan.forward_after.map(|after| now + after);
                waiting.silent = plan.waiting && !plan.waiting_tone;
            }
            _ => {}
        }
        waiting.forwarded_by = self.forwarded_by(&invitation.headers);
        waiting.invitation = Some(Box::new(invitation));
        self.call_return.called_by(&caller, index);
        let mut peer = peer_of(&caller);
        if let Some(plus) = self.policy.plus.as_ref().filter(|_| number::is_number(&peer.number)) {
            peer.number = plus.shown(&peer.number);
        }
        let Some(id) = self.incoming(account, peer) else {
            return Verdict::Refuse(StatusCode::BUSY_HERE.into());
        };
        self.change(id, |call| call.waiting = waiting);
        Verdict::Ring(id)
    }

    fn ring_plainly(&mut self, account: usize, peer: &Peer) -> Verdict {
        match self.incoming(account, peer.clone()) {
            Some(call) => Verdict::Ring(call),
            None => Verdict::Refuse(StatusCode::BUSY_HERE.into()),
        }
    }

    /// How a call that rings is refused: as the person wants it, or sent elsewhere.
    #[must_use]
    pub fn refusal(&self, call: CallRef) -> Refusal {
        let Some(call) = self.find(call) else { return StatusCode::BUSY_HERE.into() };
        let by_person = || {
            let policy = self.policy.accounts.get(call.account);
            policy.map_or_else(
                || StatusCode::BUSY_HERE.into(),
                |policy| refusal_of(&policy.screening.refusal()),
            )
        };
        call.waiting.refusal.clone().unwrap_or_else(by_person)
    }

    /// How a call of ours from `account` says who we are.
    #[must_use]
    pub fn presented(&self, account: usize) -> Presented {
        let policy = self.policy.accounts.get(account);
        policy.map(|policy| policy.anonymity.present(&policy.own, Presentation::Default)).unwrap_or_default()
    }

    /// The DND key: on, or off.
    pub(super) fn toggle_dnd(&mut self, now: Instant) {
        self.toggle_dnd_of(now, self.account);
    }

    /// The same of an account, counted from 0.
    pub(super) fn toggle_dnd_of(&mut self, now: Instant, account: usize) {
        if self.ask_dnd(now, account) {
            return;
        }
        let index = index_of(account);
        let on = self.policy.dnd.press(index);
        let code = self.policy.dnd.of(index).code.switched(on).map(str::to_owned);
        self.notify(now, dnd_told(on).to_owned());
        if let Some(code) = code {
            self.place(now, account, code);
        }
    }

    /// Whether an account is not to be disturbed.
    pub(super) fn dnd_is_on(&self, account: usize) -> bool {
        self.served_dnd(account).unwrap_or_else(|| self.policy.dnd.shows_icon(index_of(account)))
    }

    /// Whether any account takes a call while there is another.
    #[must_use]
    pub fn call_waiting(&self) -> bool {
        self.policy.accounts.iter().any(|account| account.screening.call_waiting.enabled)
    }

    /// Switches waiting calls on or off, for every account, and tells the server by a code, where one is set (YLA-030).
    pub fn set_call_waiting(&mut self, now: Instant, on: bool) {
        for account in &mut self.policy.accounts {
            account.screening.call_waiting.enabled = on;
        }
        self.notify(now, if on { "Call waiting is on" } else { "Call waiting is off" }.to_owned());
        if let Some(code) = self.policy.waiting_code.switched(on).map(str::to_owned) {
            self.call(now, code);
        }
    }

    /// Whether do not disturb is shown.
    pub(super) fn shows_dnd(&self) -> bool {
        self.dnd_is_on(self.account)
    }

    /// Whether an account forwards calls: one icon for all three cases (YLA-092).
    pub(super) fn forwards(&self, account: usize) -> bool {
        if let Some(on) = self.served_forwards(account) {
            return on;
        }
        let forward = self.policy.forward.of(index_of(account));
        forward.always.enabled || forward.busy.enabled || forward.no_answer.enabled
    }

    /// Whether a forward is shown.
    pub(super) fn shows_forward(&self) -> bool {
        self.forwards(self.account)
    }

    /// Whether an account forwards calls of this kind.
    pub(super) fn forwards_when(&self, account: usize, kind: ForwardKind) -> bool {
        match self.served_forward(account, kind) {
            Some((on, _)) => on,
            None => self.policy.forward.of(index_of(account)).rule(kind).enabled,
        }
    }

    /// A forward key of an account, counted from 0: switches this forward off, or on when it has a target. Without one it is
    /// asked for.
    pub(super) fn forward_key(&mut self, now: Instant, account: usize, kind: ForwardKind) {
        let (on, has_target) = self.served_forward(account, kind).unwrap_or_else(|| {
            let rule = self.policy.forward.of(index_of(account)).rule(kind);
            (rule.enabled, !rule.target.is_empty())
        });
        if on || has_target {
            self.set_forward(now, account, kind, !on, None);
        } else {
            self.enter(Entry::Forward(account, kind));
        }
    }

    /// Calls of an account say who calls, or do not any more.
    pub(super) fn toggle_anonymity(&mut self, now: Instant, account: usize) {
        let Some(policy) = self.policy.accounts.get_mut(account) else { return };
        policy.anonymity.enabled = !policy.anonymity.enabled;
        let told = if policy.anonymity.enabled { "Calls are anonymous" } else { "Calls are not anonymous" };
        let code = policy.anonymity.code.switched(policy.anonymity.enabled).map(str::to_owned);
        self.notify(now, told.to_owned());
        if let Some(code) = code {
            self.place(now, account, code);
        }
    }

    /// Anonymous callers of an account are refused, or are not any more.
    pub(super) fn toggle_anonymous_rejection(&mut self, now: Instant, account: usize) {
        let Some(policy) = self.policy.accounts.get_mut(account) else { return };
        let rejection = &mut policy.screening.anonymous;
        rejection.enabled = !rejection.enabled;
        let told = match rejection.enabled {
            true => "Anonymous callers are refused",
            false => "Anonymous callers are not refused",
        };
        let code = rejection.code.switched(rejection.enabled).map(str::to_owned);
        self.notify(now, told.to_owned());
        if let Some(code) = code {
            self.place(now, account, code);
        }
    }

    /// Forwards the calls of an account of this kind, to another number than before if one is given, or none any more.
    pub(super) fn set_forward(
        &mut self,
        now: Instant,
        account: usize,
        kind: ForwardKind,
        on: bool,
        target: Option<String>,
    ) {
        if self.ask_forward(now, account, kind, on, target.as_deref()) {
            return;
        }
        let (place, account) = (account, index_of(account));
        let mut forward = self.policy.forward.of(account).clone();
        let rule = match kind {
            ForwardKind::Always => &mut forward.always,
            ForwardKind::Busy => &mut forward.busy,
            ForwardKind::NoAnswer => &mut forward.no_answer,
        };
        rule.enabled = on;
        if let Some(target) = target {
            rule.target = target;
        }
        let told = forward_told(kind, on, &rule.target);
        let code = forward.code(kind, on);
        match self.policy.forward.scope {
            Scope::Phone => self.policy.forward.phone = forward,
            Scope::Custom => drop(self.policy.forward.set(account, forward)),
        }
        self.notify(now, told);
        if let Some(code) = code {
            self.place(now, place, code);
        }
    }

    /// Sends a call that rings on to another number (DIN-067).
    pub(super) fn deflect(&mut self, now: Instant, call: CallRef, target: &str) {
        let Some(found) = self.find(call).filter(|call| call.is_ringing()) else { return };
        let policy = self.policy.accounts.get(found.account);
        let forward = self.policy.forward.of(u32::try_from(found.account).unwrap_or(u32::MAX));
        let redirect = policy.zip(found.waiting.invitation.as_deref()).map(|(policy, invitation)| {
            let forwarded = ForwardedCall {
                headers: &invitation.headers,
                request_uri: &invitation.request_uri,
                own: &policy.own,
            };
            forward.deflect(target, forwarded).map_err(|refused| refused.to_string())
        });
        match redirect {
            Some(Ok(redirect)) => {
                let refusal = Refusal::from(redirect.status).with_headers(redirect.headers);
                self.change(call, |call| call.waiting.refusal = Some(refusal));
                self.reject(call);
            }
            Some(Err(refused)) => self.notify(now, refused),
            None => {}
        }
    }

    /// Calls that have rung long enough answer themselves, or go elsewhere.
    pub(super) fn handle_waiting(&mut self, now: Instant) {
        let due: Vec<CallRef> = self
            .calls
            .iter()
            .filter(|call| call.is_ringing() && call.waiting.due().is_some_and(|at| at <= now))
            .map(Call::id)
            .collect();
        for id in due {
            let Some(call) = self.calls.iter_mut().find(|call| call.id == id) else { continue };
            if let Some((_, plan)) = call.waiting.answer_at.take_if(|(at, _)| *at <= now) {
                self.answer_by_itself(id, plan);
                continue;
            }
            call.waiting.forward_at = None;
            let (account, invitation) = (call.account, call.waiting.invitation.clone());
            if let Some(refusal) =
                invitation.and_then(|invitation| self.unanswered(now, account, &invitation))
            {
                self.change(id, |call| call.waiting.refusal = Some(refusal));
                self.reject(id);
            }
        }
    }

    fn answer_by_itself(&mut self, id: CallRef, plan: AnswerPlan) {
        if self.path.is_none() {
            self.path = Some(AudioPath::Speaker);
        }
        self.answer(id);
        self.muted = plan.muted;
    }

    fn unanswered(&self, now: Instant, account: usize, invitation: &Invitation) -> Option<Refusal> {
        let redirect = self.policy.unanswered(account, invitation, self.time_of_day(now))?;
        Some(Refusal::from(redirect.status).with_headers(redirect.headers))
    }

    fn time_of_day(&self, now: Instant) -> TimeOfDay {
        let moment = self.clock.map(|clock| clock.moment(now));
        moment.and_then(|moment| TimeOfDay::new(moment.hour, moment.minute)).unwrap_or(TimeOfDay::MIDNIGHT)
    }

    /// How the phone rings now, if it does.
    pub(super) fn ring_sound(&self) -> Option<Sound> {
        // Somebody who was waited for is free: a tone calls the person back to the phone.
        // And somebody rings at an extension that is watched.
        let offer = (self.is_offered() || self.pickup_sounds()).then_some(Sound::Warning);
        let Some(call) = self.waiting().and_then(|id| self.find(id)) else { return offer };
        if self.ringer_silent { None } else { call.waiting.ring }
    }

    /// Whether a tone tells of a call that waits.
    pub(super) fn waiting_sound(&self) -> Option<Sound> {
        let call = self.waiting().and_then(|id| self.find(id))?;
        (!call.waiting.silent).then_some(Sound::CallWaiting)
    }

    /// A call of ours has failed: it may be placed again after a while.
    pub(super) fn redial_later(&mut self, now: Instant, call: &Call, status: Option<u16>) {
        let (Some(number), Some(status)) = (&call.dialled, status.and_then(StatusCode::new)) else { return };
        // The number stands for itself: the redial tells only targets apart.
        let Ok(target) = Uri::sip(Some(number), "invalid", None) else { return };
        if self.redial.failed(now, &self.policy.redial, &target, status) {
            self.redial_number = Some((call.account, number.clone()));
        }
    }

    /// The countdown to the next try is over, or the person does not want to wait.
    pub(super) fn redial_now(&mut self, now: Instant) {
        if !matches!(self.mode, Mode::Idle | Mode::Ended { .. }) {
            self.redial.stop();
            return;
        }
        if self.redial.at_once().is_some()
            && let Some((account, number)) = self.redial_number.clone()
            && let Some(number) = self.stored(now, account, number, Origin::Sent)
        {
            self.place(now, account, number);
        }
    }

    /// What the screen says of a call that will be placed again.
    pub(super) fn redial_notice(&self, now: Instant) -> Option<String> {
        let (due, (_, number)) = self.redial.deadline().zip(self.redial_number.as_ref())?;
        let left = due.saturating_since(now).as_micros().div_ceil(1_000_000);
        Some(format!("Calls {number} again in {left} s"))
    }

    /// Calls whoever called last (call return).
    pub(super) fn return_call(&mut self, now: Instant) {
        let Some((uri, account)) = self.call_return.target() else { return };
        let mut number = number::of_uri(uri).unwrap_or_else(|| uri.to_string());
        if let Some(plus) = &self.policy.plus {
            number = plus.dialled(&number);
        }
        let account = usize::try_from(account).unwrap_or(usize::MAX);
        let account = account.min(self.accounts.len().saturating_sub(1));
        if let Some(number) = self.stored(now, account, number, Origin::History) {
            self.place(now, account, number);
        }
    }

    pub(super) fn can_return(&self) -> bool {
        self.call_return.target().is_some()
    }
}

/// An account as the rules count them.
fn index_of(account: usize) -> u32 {
    u32::try_from(account).unwrap_or(u32::MAX)
}

impl Invitation {
    fn peer_of(headers: &Headers) -> Peer {
        peer_of(&IdentityConfig::default().caller(headers, false, &()))
    }
}

/// Who is at an address.
pub(crate) fn peer_at(address: &NameAddr) -> Peer {
    let user = address.uri.user().map(|user| user.into_owned());
    let host = || address.uri.host().map(|host| host.to_string()).unwrap_or_default();
    Peer { name: address.display_name.as_ref().map(ToString::to_string), number: user.unwrap_or_else(host) }
}

fn peer_of(caller: &PartyIdentity) -> Peer {
    Peer {
        name: caller.name.as_ref().map(ToString::to_string),
        number: caller.number.clone().unwrap_or_else(|| caller.label.to_string()),
    }
}

pub(crate) fn refusal_of(rejection: &Rejection) -> Refusal {
    Refusal::from(rejection.status).with_headers(rejection.headers.clone())
}

/// What rings. A sound behind a URL is not fetched: the usual ring takes its place (YLB-081).
fn ring_of(ring: &Ring) -> Option<Sound> {
    match ring {
        Ring::BuiltIn(number) => Some(Sound::Melody(*number)),
        Ring::Bellcore(number) => Some(Sound::Bellcore(*number)),
        Ring::Silent => None,
        _ => Some(Sound::Ring),
    }
}
