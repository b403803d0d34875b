//! What the screen says, before it is drawn: the same for every size of screen, and readable by a test or a screen reader.

use super::call::clock_of;
use super::entry::Entry;
use super::keys::Soft;
use super::programmable::Face;
use super::transfer::{Step, Transfer};
use super::{Account, Call, CallState, Firmware, Mode, Registration, VOLUME_MAX};
use sidetone_hal::audio::AudioPath;
use sidetone_hal::keypad::Key;
use sidetone_hal::time::Instant;
use sidetone_sip_ua::feature::forward::ForwardKind;
use std::borrow::Cow;

/// The content of a screen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Screen {
    /// The account that is shown, by its label.
    pub label: String,
    /// `08:05`; empty before the time is known.
    pub clock: String,
    /// The signs in the status bar.
    pub icons: Vec<Icon>,
    /// The middle.
    pub body: Body,
    /// Further calls, one line each.
    pub others: Vec<String>,
    /// The soft keys below the screen.
    pub soft: [Option<SoftKey>; 4],
    /// The line keys beside the screen.
    pub lines: Vec<LineLabel>,
    /// The volume bar, 0 to 10, while it is adjusted.
    pub volume: Option<u8>,
}

/// The middle of a screen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Body {
    /// What goes on, in a word or two.
    pub title: String,
    /// The most important line: the time, the number, the other side.
    pub main: String,
    /// Up to three lines below it.
    pub details: Vec<String>,
    /// What it feels like.
    pub tone: Tone,
}

/// The mood of a screen, which colour screens show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tone {
    /// Nothing goes on.
    #[default]
    Calm,
    /// A number is entered, or a call is being made.
    Busy,
    /// Somebody calls.
    Ringing,
    /// A call is up.
    Talking,
    /// A call is held.
    Held,
    /// Something went wrong.
    Failed,
}

/// A sign in the status bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Icon {
    /// The account is registered.
    Registered,
    /// It is registering.
    Registering,
    /// Its registration failed.
    RegisterFailed,
    /// It does not register.
    RegisterOff,
    /// The account is registered by a way that is encrypted; in a call: speech is encrypted.
    Secure,
    /// The microphone is off.
    Muted,
    /// The handset is used.
    Handset,
    /// The loudspeaker is used.
    Speaker,
    /// The headset is used.
    Headset,
    /// Calls were missed.
    Missed,
    /// Messages wait.
    Messages,
    /// Do not disturb is on.
    Dnd,
    /// Calls are forwarded.
    Forward,
    /// The server records the call.
    Recording,
}

/// A soft key as the screen labels it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SoftKey(pub Cow<'static, str>);

/// A line key as the screen labels it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LineLabel {
    /// The account, or the other side of the call; empty for a key without a line.
    pub text: String,
    /// The mood of its call.
    pub tone: Tone,
    /// Whether there is a call on it.
    pub busy: bool,
    /// Whether its account is registered.
    pub registered: bool,
}

impl Icon {
    /// In words, for the text of the screen.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Registered => "registered",
            Self::Registering => "registering",
            Self::RegisterFailed => "register failed",
            Self::RegisterOff => "not registered",
            Self::Secure => "secure",
            Self::Muted => "muted",
            Self::Handset => "handset",
            Self::Speaker => "speaker",
            Self::Headset => "headset",
            Self::Missed => "missed",
            Self::Messages => "messages",
            Self::Dnd => "do not disturb",
            Self::Forward => "forward",
            Self::Recording => "recording",
        }
    }
}

impl Screen {
    /// The screen in lines of text: status bar, title, main line, details, other calls, volume, soft keys. Empty
    /// parts are left out.
    #[must_use]
    pub fn text(&self) -> Vec<String> {
        let icons = self.icons.iter().map(|icon| format!("[{}]", icon.name())).collect::<Vec<_>>().join(" ");
        let status = [self.label.as_str(), &icons, &self.clock];
        let mut lines = vec![join(&status, "  ")];
        lines.push(self.body.title.clone());
        lines.push(self.body.main.clone());
        lines.extend(self.body.details.iter().cloned());
        lines.extend(self.others.iter().cloned());
        lines.extend(self.volume.map(|level| format!("Volume {level}/{VOLUME_MAX}")));
        let soft: Vec<_> = self.soft.iter().flatten().map(|key| format!("<{}>", key.0)).collect();
        lines.push(soft.join(" "));
        lines.retain(|line| !line.is_empty());
        lines
    }
}

fn join(parts: &[&str], between: &str) -> String {
    parts.iter().copied().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(between)
}

/// Looks at the telephone and says what its screen shows.
pub(super) fn compose(phone: &Firmware, now: Instant) -> Screen {
    let moment = phone.clock.map(|clock| clock.moment(now));
    let (body, shown) = match &phone.mode {
        Mode::Idle => (idle(phone, now), None),
        Mode::Dial => (dialling(phone), None),
        Mode::Ended { title, details, sound } => {
            let tone = if sound.is_some() { Tone::Failed } else { Tone::Calm };
            let body = Body { title: String::new(), main: title.clone(), details: details.clone(), tone };
            (body, None)
        }
        Mode::Call(call) => phone
            .find(*call)
            .map_or_else(|| (Body::default(), None), |call| (calling(phone, call, now), Some(call.id))),
    };
    let joined = |call: &Call| {
        shown.is_some_and(|shown| phone.conference.contains(&shown) && phone.conference.contains(&call.id))
    };
    let others = phone.calls.iter().filter(|call| Some(call.id) != shown && !call.hung_up && !joined(call));
    Screen {
        label: phone.account_label().map(|account| account.label.clone()).unwrap_or_default(),
        clock: moment.map(|moment| moment.time()).unwrap_or_default(),
        icons: icons(phone),
        body,
        others: phone
            .notice
            .iter()
            .chain(&phone.page)
            .cloned()
            .chain(phone.asked())
            .chain(phone.completion_told())
            .chain(phone.pickup_told())
            .chain(phone.redial_notice(now))
            .chain(others.map(|call| format!("{}: {}", state_of(call), call.peer.title())))
            .collect(),
        soft: phone.soft_keys().map(|soft| soft.map(|soft| SoftKey(soft_label(phone, soft)))),
        lines: (1..=phone.model.lines).map(|line| line_label(phone, line)).collect(),
        volume: phone.overlay.then_some(if phone.path.is_some() {
            phone.talk_volume
        } else {
            phone.ring_volume
        }),
    }
}

fn soft_label(phone: &Firmware, soft: Soft) -> Cow<'static, str> {
    let given = match soft {
        Soft::Given(number) => phone.programmed(Key::Soft(number)),
        _ => None,
    };
    given.map_or_else(|| Cow::Borrowed(soft.label()), |given| phone.face(given).text.into())
}

fn icons(phone: &Firmware) -> Vec<Icon> {
    let mut icons = Vec::new();
    icons.extend(phone.account_label().map(|account| match account.registration {
        Registration::Off => Icon::RegisterOff,
        Registration::Registering => Icon::Registering,
        Registration::Registered => Icon::Registered,
        Registration::Failed(_) => Icon::RegisterFailed,
    }));
    let is_secure = |account: &Account| account.secure && account.registration == Registration::Registered;
    // In a call the padlock is about its speech: signalling alone keeps nobody from listening.
    let secure = match phone.mode {
        Mode::Call(call) => phone.find(call).is_some_and(|call| call.encrypted),
        _ => phone.account_label().is_some_and(is_secure),
    };
    if secure {
        icons.push(Icon::Secure);
    }
    icons.extend(phone.path.map(|path| match path {
        AudioPath::Handset => Icon::Handset,
        AudioPath::Headset => Icon::Headset,
        AudioPath::Speaker => Icon::Speaker,
    }));
    if phone.muted {
        icons.push(Icon::Muted);
    }
    if phone.missed > 0 {
        icons.push(Icon::Missed);
    }
    if phone.messages_wait() {
        icons.push(Icon::Messages);
    }
    if phone.shows_dnd() {
        icons.push(Icon::Dnd);
    }
    if phone.shows_recording() {
        icons.push(Icon::Recording);
    }
    if phone.shows_forward() {
        icons.push(Icon::Forward);
    }
    icons
}

fn idle(phone: &Firmware, now: Instant) -> Body {
    if let Some(text) =
        phone.hot_desk_body().or_else(|| phone.text_body()).or_else(|| phone.recordings_body())
    {
        return text;
    }
    let moment = phone.clock.map(|clock| clock.moment(now));
    let mut details = Vec::new();
    match phone.missed {
        0 => {}
        1 => details.push("1 missed call".to_owned()),
        count => details.push(format!("{count} missed calls")),
    }
    details.extend(phone.messages_told());
    details.extend(phone.texts_told());
    details.extend(phone.agent_line());
    details.extend(phone.guest_line());
    if let Some(Registration::Failed(reason)) = phone.account_label().map(|account| &account.registration) {
        details.push(reason.clone());
    }
    Body {
        title: moment.map(|moment| moment.date()).unwrap_or_default(),
        main: moment.map(|moment| moment.time()).unwrap_or_default(),
        details,
        tone: Tone::Calm,
    }
}

fn dialling(phone: &Firmware) -> Body {
    let title = match phone.dialler.digits().is_empty() {
        _ if phone.dialler.is_forbidden() => "Forbidden Number",
        _ if phone.dials_for_transfer() => "Transfer to",
        _ if matches!(phone.entry, Some(Entry::AgentReason(_))) => "Reason",
        _ if phone.entry == Some(Entry::DeskUser) => "User",
        _ if matches!(phone.entry, Some(Entry::GuestUser(_))) => "Guest",
        _ if matches!(phone.entry, Some(Entry::DeskPassword | Entry::GuestPassword(_))) => "Password",
        _ if matches!(phone.entry, Some(Entry::Pickup(_))) => "Pickup from",
        _ if matches!(phone.entry, Some(Entry::Forward(_, ForwardKind::Busy))) => "Forward while busy to",
        _ if matches!(phone.entry, Some(Entry::Forward(_, ForwardKind::NoAnswer))) => "Forward unanswered to",
        _ if phone.entry.is_some() => "Forward to",
        true => "Enter number",
        false => "Dial",
    };
    Body {
        title: title.to_owned(),
        main: match phone.entry {
            Some(Entry::DeskPassword | Entry::GuestPassword(_)) => "*".repeat(phone.dialler.digits().len()),
            _ => phone.dialler.digits().to_owned(),
        },
        details: phone.dialler.rule().map(str::to_owned).into_iter().collect(),
        tone: Tone::Busy,
    }
}

fn calling(phone: &Firmware, call: &Call, now: Instant) -> Body {
    let mut details = Vec::new();
    let title = call.peer.title();
    if call.peer.number != title {
        details.push(call.peer.number.clone());
    }
    if let Some(duration) = call.duration(now) {
        let codec = call.codec.map(|codec| format!("  {codec}")).unwrap_or_default();
        details.push(format!("{}{codec}", clock_of(duration)));
    }
    details.extend(call.waiting.forwarded_by.iter().filter(|_| call.is_ringing()).cloned());
    details.extend(call.server.charge());
    if !call.received.is_empty() {
        details.push(format!("Received {}", call.received));
    } else if !call.sent.is_empty() {
        details.push(format!("Sent {}", phone.sent_shown(call, now)));
    }
    if phone.accounts.len() > 1
        && call.is_ringing()
        && let Some(account) = phone.accounts.get(call.account)
    {
        details.push(format!("to {}", account.label));
    }
    details.extend(
        call.transferred_by.iter().filter(|_| !call.is_up()).map(|by| format!("transferred by {by}")),
    );
    if let Some(Transfer { call: transferred, step: Step::Asked { to, status, .. } }) = &phone.transfer
        && *transferred == call.id
    {
        let how = match status {
            Some(180) => "rings".to_owned(),
            Some(status) => status.to_string(),
            None => "…".to_owned(),
        };
        let details = vec![format!("to {to}"), how];
        return Body { title: "Transferring".to_owned(), main: title.to_owned(), details, tone: Tone::Busy };
    }
    if let Some(to) = &call.redirected {
        let details = vec![format!("sends you to {}", to.title()), "Follow?".to_owned()];
        return Body { title: "Redirected".to_owned(), main: title.to_owned(), details, tone: Tone::Busy };
    }
    let tone = match call.state {
        CallState::Ringing => Tone::Ringing,
        CallState::Talking if !call.remote_hold => Tone::Talking,
        CallState::Talking | CallState::Held => Tone::Held,
        _ => Tone::Busy,
    };
    if phone.conference.contains(&call.id) {
        let title = if call.state == CallState::Held { "Conference on hold" } else { "Conference" };
        let names = phone.conference_names().join(", ");
        return Body { title: title.to_owned(), main: names, details, tone };
    }
    if call.is_up() && !call.people.is_empty() {
        let title = if call.state == CallState::Held { "Conference on hold" } else { "Conference" };
        return Body { title: title.to_owned(), main: call.people.join(", "), details, tone };
    }
    Body { title: state_of(call).to_owned(), main: title.to_owned(), details, tone }
}

const fn state_of(call: &Call) -> &'static str {
    match call.state {
        CallState::Calling if call.redirected.is_some() => "Redirected",
        CallState::Calling => "Calling",
        CallState::Alerting { .. } => "Ringing",
        CallState::Ringing => "Incoming call",
        CallState::Answering => "Answering",
        _ if call.page.is_some() => "Paging",
        CallState::Talking if call.remote_hold => "Held by the other side",
        CallState::Talking => "Talking",
        CallState::Held => "On hold",
    }
}

fn line_label(phone: &Firmware, line: u8) -> LineLabel {
    if let Some(programmed) = phone.programmed(Key::Line(line)) {
        let Face { text, tone, .. } = phone.face(programmed);
        return LineLabel { text, tone, busy: tone != Tone::Calm, registered: true };
    }
    let account = phone.account_of(line).and_then(|account| phone.accounts.get(account));
    let call = phone.calls.iter().find(|call| call.line == Some(line));
    let text = match (call, account) {
        (Some(call), _) => call.peer.title().to_owned(),
        (None, Some(account)) => account.label.clone(),
        (None, None) => String::new(),
    };
    let tone = match call.map(|call| call.state) {
        Some(CallState::Ringing) => Tone::Ringing,
        Some(CallState::Talking) => Tone::Talking,
        Some(CallState::Held) => Tone::Held,
        Some(_) => Tone::Busy,
        None => Tone::Calm,
    };
    let registered = account.is_some_and(|account| account.registration == Registration::Registered);
    LineLabel { text, tone, busy: call.is_some(), registered }
}
