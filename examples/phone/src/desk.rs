//! A desk: the firmware with a user agent behind it and a panel in front of it, driven by one task.

mod bridged;
mod calls;
mod charge;
mod features;
mod guest;
mod keys;
mod lines;
mod outbox;
mod picture;
mod plug_and_play;
mod recorder;
mod serving;
pub(crate) mod watching;

pub(crate) use picture::name as lamp_name;
pub use picture::{LampView, Picture};

#[cfg(feature = "sound-card")]
use crate::audio::SoundCard;
use crate::audio::{BrowserEnd, HandsetEnd, Mixer, MixerHandle, RecorderFolder, handset};
use crate::config::{Config, Guest, Pages, Room, Tones};
use crate::firmware::{
    CallRef, Command, Firmware, FirmwareConfig, Invitation, Painter, Registration, SharedLineConfig, Signal,
    Verdict, WallClock, peer_at as peer, shared_lines,
};
use crate::models::Model;
use calls::{Called, Order, Report};
use charge::Charges;
use core::time::Duration;
use outbox::KeptTexts;
use sidetone_codecs::CodecSpec;
use sidetone_hal::audio::{AudioPath, AudioPort, FRAME};
use sidetone_hal::display::Framebuffer;
use sidetone_hal::hook::HookState;
use sidetone_hal::keypad::Key;
use sidetone_hal::time::Instant;
use sidetone_hal::{Event, keypad::KeyEvent};
use sidetone_media::page::{ListenConfig, PageEnd, PageEvent, PhoneState};
use sidetone_sip_ua::package::feature_sync::{FeatureRequest, SetHoteling};
use sidetone_sip_ua::{
    Account, CallHandle, CallId, Conference, Error, IncomingCall, MulticastOptions, Paging,
    RegistrationState, UserAgent, UserAgentEvent,
};
use std::collections::HashMap;
use std::time::SystemTime;
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::MissedTickBehavior;

/// What panels and calls report and the desk has not looked at yet; who has more waits.
const QUEUE: usize = 256;
/// The furthest that a place on earth is from UTC, in minutes: 14 hours.
const MAX_OFFSET: i32 = 14 * 60;

/// What a panel reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PanelInput {
    /// A person did something.
    Event(Event),
    /// The local time is so many minutes east of UTC.
    Offset(i32),
}

/// The panel's side of a desk.
#[derive(Debug)]
pub struct DeskPanel {
    /// What the page calls the phone.
    pub title: String,
    /// Which telephone it is.
    pub model: &'static Model,
    /// What the phone shows; the latest only, so a slow panel misses pictures and nothing waits for it.
    pub pictures: watch::Receiver<Picture>,
    /// What persons do.
    pub input: mpsc::Sender<PanelInput>,
    /// The handset's other end.
    pub handset: BrowserEnd,
}

/// A desk that runs.
#[derive(Debug)]
pub struct Desk {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
    accounts: Vec<Account>,
    reload: watch::Receiver<Option<bool>>,
    signals: mpsc::Sender<Signal>,
    profile: watch::Receiver<Option<String>>,
}

impl Desk {
    /// Puts a phone on a desk: adds its accounts to the user agent, and starts the tasks of phone and sound.
    ///
    /// # Errors
    /// An account is wrong.
    pub async fn start(config: &Config, agent: UserAgent, title: &str) -> Result<(Self, DeskPanel), Error> {
        let mut accounts = Vec::new();
        for account in &config.accounts {
            accounts.push(agent.add_account(account.clone()).await?);
        }
        let (phone_end, browser_end) = handset();
        let sound = sound(config, phone_end)?;
        let paging = listen(&config.pages, &sound)?;

        let mut set_up = FirmwareConfig::new(config.model, config.labels());
        set_up.dialling.clone_from(&config.dialling.usual);
        set_up.account_dialling.clone_from(&config.dialling.accounts);
        set_up.stored = config.dialling.stored;
        set_up.transfer = config.calls.transfer;
        set_up.keys.clone_from(&config.keys.keys);
        set_up.policy = config.calls.policy(&config.accounts);
        let firmware = Firmware::new(set_up);
        let (input, inputs) = mpsc::channel(QUEUE);
        let (reports, reported) = mpsc::channel(QUEUE);
        let (tell, told) = mpsc::channel(QUEUE);
        let (stop, stopping) = watch::channel(false);
        #[expect(clippy::disallowed_methods, reason = "the driver's clock")]
        let started = tokio::time::Instant::now();
        let mut run = Run {
            firmware,
            agent,
            accounts: accounts.clone(),
            calls: HashMap::new(),
            handles: HashMap::new(),
            conference: None,
            reload: watch::Sender::new(None),
            ids: HashMap::new(),
            sound,
            reports,
            painter: Painter::new(config.model),
            frame: Framebuffer::new(config.model.screen),
            pictures: watch::Sender::new(Picture::default()),
            started,
            offset: 0,
            room: config.media.room,
            pages: config.pages.clone(),
            page_codec: config.keys.page_codec,
            tell: tell.clone(),
            awaited: None,
            paging,
            busy: PhoneState::default(),
            speaks: false,
            path: AudioPath::Handset,
            servers: HashMap::new(),
            guests: HashMap::new(),
            recorder: config.recorder.clone(),
            plays: None,
            signals: tell.clone(),
            lines: shared_lines(&config.keys.keys),
            seizures: HashMap::new(),
            bridges: HashMap::new(),
            guest: config.guest.clone(),
            charges: Charges::default(),
            outbox: KeptTexts::new(config),
            voice_line: (0..accounts.len()).map(|index| config.calls.mailbox(index).voice_line).collect(),
        };
        run.watch_lines();
        for (index, account) in config.accounts.iter().enumerate() {
            // Nothing will tell that it can send.
            if !account.register {
                run.firmware.reachable(run.now(), index, true);
            }
        }
        run.restore_texts().await;
        let reload = run.reload.subscribe();
        keys::watch(&config.keys, |account| config.calls.blf_expires(account), &accounts, &tell);
        for (index, account) in accounts.iter().enumerate() {
            if let Some(lasts) = config.calls.mwi(index) {
                tokio::spawn(watching::messages(
                    account.clone(),
                    index,
                    lasts,
                    config.calls.mailbox(index),
                    tell.clone(),
                ));
            }
        }
        run.serve(&tell);
        let (found, profile) = watch::channel(None);
        if config.plug_and_play.enabled {
            tokio::spawn(plug_and_play::ask(config.clone(), found, tell.clone()));
        }
        run.set_clock();
        run.show();
        let pictures = run.pictures.subscribe();
        let task = tokio::spawn(run.run(inputs, reported, told, stopping));
        let panel =
            DeskPanel { title: title.to_owned(), model: config.model, pictures, input, handset: browser_end };
        Ok((Self { stop, task, accounts, reload, signals: tell, profile }, panel))
    }

    /// The accounts, in the order of the settings.
    #[must_use]
    pub fn accounts(&self) -> &[Account] {
        &self.accounts
    }

    /// Waits until a server wants the settings read again, and says whether it wants a restart; never, when the desk is
    /// gone. No call is left then.
    pub async fn reload(&mut self) -> bool {
        match self.reload.wait_for(Option::is_some).await.map(|wanted| *wanted) {
            Ok(wanted) => wanted.unwrap_or_default(),
            Err(_) => core::future::pending().await,
        }
    }

    /// Has a text sent by an account, counted from 0, as soon as it is reachable. What becomes of it the screen says.
    pub async fn write_text(&self, account: usize, to: impl Into<String>, text: impl Into<String>) {
        let signal = Signal::WriteText { account, to: to.into(), text: text.into() };
        // An error would be a panic of the task.
        let _ = self.signals.send(signal).await;
    }

    /// Where the network said that the phone's settings are (plug and play); the newest only.
    #[must_use]
    pub fn profile(&self) -> Option<String> {
        self.profile.borrow().clone()
    }

    /// Hangs up, takes the registrations back, and ends.
    pub async fn shutdown(self) {
        self.stop.send_replace(true);
        // An error would be a panic of the task, which ends it just as well.
        let _ = self.task.await;
    }
}

/// Starts the sound of the handset: a sound card if the settings name one, else the browser.
fn sound(config: &Config, browser: HandsetEnd) -> Result<MixerHandle, Error> {
    #[cfg(feature = "sound-card")]
    if let Some(name) = &config.sound_card {
        let name = Some(name.as_str()).filter(|name| !name.is_empty());
        let wrong =
            |error| Error::Io { what: "the sound card".to_owned(), source: std::io::Error::other(error) };
        return Ok(mix(SoundCard::open(name).map_err(wrong)?, config.tones.clone()));
    }
    #[cfg(not(feature = "sound-card"))]
    let _ = config;
    Ok(mix(browser, config.tones.clone()))
}

/// Listens to pages, if the settings name any.
fn listen(pages: &Pages, sound: &MixerHandle) -> Result<Option<Paging>, Error> {
    if pages.listen.iter().all(|row| row.address.is_none()) {
        return Ok(None);
    }
    let port = sound.page_port();
    let mut config = ListenConfig::new(pages.listen.clone(), port.format().sample_rate);
    config.rules = pages.rules;
    let mut options = MulticastOptions::default();
    options.interface_v4 = pages.interface;
    Paging::listen(config, options, port).map(Some)
}

fn mix(device: impl AudioPort + 'static, tones: Tones) -> MixerHandle {
    let (mixer, sound) = Mixer::new(device, tones);
    tokio::spawn(play(mixer));
    sound
}

/// Moves sound every 10 ms until nobody gives orders any more.
async fn play<P: AudioPort>(mut mixer: Mixer<P>) {
    let mut clock = tokio::time::interval(FRAME);
    // Frames that a busy machine missed are made up for, so that as many go out as come in.
    clock.set_missed_tick_behavior(MissedTickBehavior::Burst);
    loop {
        clock.tick().await;
        if !mixer.frame() {
            return;
        }
    }
}

/// The task of a desk.
struct Run {
    firmware: Firmware,
    agent: UserAgent,
    accounts: Vec<Account>,
    calls: HashMap<CallRef, mpsc::Sender<Order>>,
    /// Those of the calls that are on their way or up.
    handles: HashMap<CallRef, CallHandle>,
    conference: Option<Conference>,
    reload: watch::Sender<Option<bool>>,
    /// The calls that came in, as the user agent names them.
    ids: HashMap<CallRef, CallId>,
    sound: MixerHandle,
    reports: mpsc::Sender<Report>,
    painter: Painter,
    frame: Framebuffer,
    pictures: watch::Sender<Picture>,
    started: tokio::time::Instant,
    offset: i32,
    room: Room,
    pages: Pages,
    page_codec: Option<&'static CodecSpec>,
    tell: mpsc::Sender<Signal>,
    /// The task that watches whoever is waited for.
    awaited: Option<JoinHandle<()>>,
    paging: Option<Paging>,
    /// What pages know of the phone.
    busy: PhoneState,
    /// Whether they know that a page is spoken here.
    speaks: bool,
    /// Where the person listened last.
    path: AudioPath,
    /// What asks the accounts' servers, by the accounts that share features with theirs.
    servers: HashMap<usize, mpsc::Sender<Box<FeatureRequest>>>,
    /// The same for guests.
    guests: HashMap<usize, mpsc::Sender<Box<SetHoteling>>>,
    /// Where calls are recorded to, if they are.
    recorder: Option<RecorderFolder>,
    /// The task that plays a recording.
    plays: Option<AbortHandle>,
    /// Where what goes on beside calls is told.
    signals: mpsc::Sender<Signal>,
    /// The shared lines of the keys.
    lines: Vec<SharedLineConfig>,
    /// Who asks for an appearance of one: at most one for each.
    seizures: HashMap<(usize, u16), AbortHandle>,
    /// The tasks of those that are bridged lines.
    bridges: HashMap<usize, bridged::Bridge>,
    /// Where it is kept who has taken the telephone over.
    guest: Option<Guest>,
    /// What calls cost, until it is known which call is meant.
    charges: Charges,
    /// What keeps texts over a restart.
    outbox: KeptTexts,
    /// Of each account, whether only messages of the voice mail count.
    voice_line: Vec<bool>,
}

impl Run {
    async fn run(
        mut self,
        mut inputs: mpsc::Receiver<PanelInput>,
        mut reported: mpsc::Receiver<Report>,
        mut told: mpsc::Receiver<Signal>,
        mut stop: watch::Receiver<bool>,
    ) {
        loop {
            let now = self.now();
            let wait = self.firmware.poll_timeout(now).map(|(at, _)| at.saturating_since(now));
            tokio::select! {
                Some(input) = inputs.recv() => self.input(input),
                Some(report) = reported.recv() => match report {
                    Report::Handle(call, handle) => {
                        self.charge_known(handle.id(), call);
                        self.handles.insert(call, handle);
                    }
                    Report::Signal(call, signal) => self.report(call, signal),
                },
                Some(signal) = told.recv() => self.firmware.handle_signal(self.now(), signal),
                event = self.agent.next_event() => match event {
                    Some(event) => self.agent_event(event),
                    None => return,
                },
                Some(event) = page_event(&mut self.paging) => self.page_event(&event),
                () = sleep(wait) => self.firmware.handle_timeout(self.now()),
                _ = stop.wait_for(|stop| *stop) => break,
            }
            self.keep_texts().await;
            self.obey().await;
            self.follow_path();
            self.tell_pages().await;
            self.sound.set(self.firmware.audio());
            self.show();
        }
        self.agent.shutdown().await;
    }

    fn now(&self) -> Instant {
        Instant::from_micros(u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX))
    }

    fn input(&mut self, input: PanelInput) {
        match input {
            PanelInput::Event(event) => {
                if let Event::Key(KeyEvent { key: Key::Digit(digit), pressed: true }) = event {
                    self.sound.beep(digit);
                }
                self.firmware.handle_event(self.now(), event);
            }
            PanelInput::Offset(minutes) => {
                self.offset = minutes.clamp(-MAX_OFFSET, MAX_OFFSET);
                self.set_clock();
            }
        }
    }

    #[expect(clippy::disallowed_methods, reason = "the driver reads the clock for the firmware")]
    fn set_clock(&mut self) {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let seconds = i64::try_from(since.as_secs()).unwrap_or(0) + i64::from(self.offset) * 60;
        self.firmware.set_clock(WallClock::new(self.now(), seconds));
    }

    fn report(&mut self, call: CallRef, signal: Signal) {
        let on = self.firmware.line_of_call(call);
        if matches!(signal, Signal::Ended { .. }) {
            self.charge_over(call);
            self.tell_line(call, &signal, on);
            self.calls.remove(&call);
            self.handles.remove(&call);
            self.ids.remove(&call);
        }
        let begins = matches!(signal, Signal::Established { .. } | Signal::Ringing { early_media: true, .. });
        self.firmware.handle_signal(self.now(), signal.clone());
        if !matches!(signal, Signal::Ended { .. }) {
            self.tell_line(call, &signal, on);
        }
        if begins {
            self.process(call);
        }
    }

    fn agent_event(&mut self, event: UserAgentEvent) {
        match event {
            UserAgentEvent::Registration { account, state } => {
                let place = self.accounts.iter().position(|known| known.id() == account);
                if let Some(account) = place {
                    let path = self.accounts.get(account).and_then(Account::path);
                    let secure = path.is_some_and(|path| path.is_secure());
                    self.firmware.handle_signal(self.now(), Signal::Secure { account, secure });
                    let state = registration(state);
                    self.firmware.handle_signal(self.now(), Signal::Registration { account, state });
                }
            }
            UserAgentEvent::Incoming(call) => self.incoming(call),
            UserAgentEvent::Referred(refer) => self.referred(refer),
            UserAgentEvent::Request(received) => self.requested(received),
            UserAgentEvent::Content { call, kind, body } => self.content(call, &kind, &body),
            UserAgentEvent::Subscribe(incoming) => self.subscribed(incoming),
            event => {
                if let Some(line) = notice(&event) {
                    eprintln!("sidetone-phone: {line}");
                }
            }
        }
    }

    fn incoming(&mut self, call: IncomingCall) {
        let account = self.accounts.iter().position(|known| Some(known.id()) == call.account());
        let account = account.unwrap_or(0);
        let replaced = call.replaces().and_then(|id| self.name_of(id));
        let replacing = replaced.and_then(|replaced| self.firmware.replacing(replaced, peer(call.from())));
        let joined = call.joins().and_then(|id| self.name_of(id));
        let joining = joined.map(|joined| self.firmware.joining(joined, peer(call.from())));
        let verdict = match (replacing, joining) {
            (Some(id), _) | (None, Some(Ok(id))) => Verdict::Ring(id),
            (None, Some(Err(status))) => Verdict::Refuse(status.into()),
            (None, None) => {
                let server = self.accounts.get(account).and_then(Account::path).map(|path| path.remote.ip());
                let trusted = server
                    .is_some_and(|server| server.to_canonical() == call.source().remote.ip().to_canonical());
                let (headers, request_uri) = (call.headers().clone(), call.uri().clone());
                self.firmware.invited(self.now(), account, Invitation { headers, request_uri, trusted })
            }
        };
        match verdict {
            Verdict::Ring(id) => {
                self.firmware.rings_on_line(id, call.headers());
                let (orders, ordered) = mpsc::channel(QUEUE);
                self.calls.insert(id, orders);
                self.ids.insert(id, call.id());
                let account = self.accounts.get(account).cloned();
                let (sound, reports) = (self.sound.clone(), self.reports.clone());
                tokio::spawn(calls::incoming(call, account, id, sound, ordered, reports));
            }
            Verdict::Refuse(refusal) => {
                tokio::spawn(async move {
                    // The caller may be gone already.
                    let _ = call.reject_with(refusal).await;
                });
            }
            Verdict::RingAndRefuse(refusal) => {
                tokio::spawn(async move {
                    // The caller may be gone already.
                    let _ = call.ring().await;
                    let _ = call.reject_with(refusal).await;
                });
            }
            // Nothing is sent until the caller gives up.
            Verdict::Ignore => drop(tokio::spawn(async move {
                let mut call = call;
                call.ended().await;
            })),
        }
    }

    /// Does what the firmware wants done.
    async fn obey(&mut self) {
        while let Some(command) = self.firmware.poll_command() {
            match command {
                Command::DismissPage => {
                    if let Some(paging) = &self.paging
                        && let Err(error) = paging.dismiss().await
                    {
                        tracing::warn!(%error, "the page goes on");
                    }
                }
                Command::Call { call, account, number } => self.dial(call, account, Called::Number(number)),
                Command::CallOnLine { call, account, number, line, index } => {
                    self.call_on_line((call, account), &number, line, index)
                }
                Command::SeizeLine { line, index } => self.seize_line(line, index),
                Command::ReleaseLine { line, index } => self.release_line(line, index),
                Command::MarkHold { call, line, index, private } => {
                    if let Some(headers) = self.hold_headers(line, index, private) {
                        self.order(call, Order::MarkHold(headers));
                    }
                }
                Command::Transfer { call, number } => self.transfer(call, features::Target::Number(number)),
                Command::Join(calls) => self.join(&calls).await,
                Command::Intercom { call, account, number, form } => {
                    self.call_intercom(call, account, number, &form)
                }
                Command::Page { call, address } => self.speak(call, address),
                Command::Await { account, number } => self.wait_for(account, number),
                Command::AwaitNoMore => self.wait_for_nobody(),
                Command::PickUp { call, account, pickup } => self.pick_up(call, account, pickup),
                Command::BringIn { call, focus, order } => self.bring_in(call, focus, order),
                Command::Reload { reboot } => {
                    let what = if reboot { "a restart" } else { "the settings read again" };
                    eprintln!("sidetone-phone: the server wants {what} (check-sync)");
                    self.reload.send_replace(Some(reboot));
                }
                Command::ClearAccounts => self.clear_accounts(),
                Command::SignIn { user, password } => self.sign_in(&user, password.expose()),
                Command::SendText { id, account, to, text } => self.send_text(id, account, to, text),
                Command::RecordHere { call, order } => self.record_here(call, order),
                Command::ListRecordings => self.list_recordings(),
                Command::PlayRecording(name) => self.play_recording(name),
                Command::AskGuest { account, request } => self.ask_guest(account, request),
                Command::Record { call, on } => self.record(call, on),
                Command::Flash { call, kind } => self.flash(call, kind),
                Command::AskServer { account, request } => self.ask_server(account, request),
                Command::Split => self.split().await,
                Command::TransferTo { call, to } => self.transfer(call, features::Target::Call(to)),
                Command::Answer(call) => self.order(call, Order::Answer),
                Command::Reject(call) => self.order(call, Order::Reject(self.firmware.refusal(call))),
                Command::HangUp(call) => self.order(call, Order::HangUp),
                Command::SendToRoom { call, account, room } => self.send_to_room(call, account, room),
                Command::Follow(call) => self.order(call, Order::Follow),
                Command::Withdraw(call) => self.order(call, Order::Withdraw),
                Command::Hold(call) => self.order(call, Order::Hold),
                Command::Resume(call) => self.order(call, Order::Resume),
                Command::Dtmf { call, digit } => self.order(call, Order::Dtmf(digit)),
            }
        }
    }

    /// Has a call do something.
    fn order(&self, call: CallRef, order: Order) {
        if let Some(orders) = self.calls.get(&call)
            && let Err(order) = orders.try_send(order)
        {
            tracing::debug!(%call, ?order, "the call is over, or takes no more orders");
        }
    }

    fn page_event(&mut self, event: &PageEvent) {
        let title = match event {
            PageEvent::Started { priority, .. } => Some(self.pages.title(*priority)),
            // The other page has told of itself.
            PageEvent::Ended { reason: PageEnd::Replaced { .. }, .. } => return,
            PageEvent::Ended { .. } => None,
            _ => return,
        };
        self.firmware.handle_signal(self.now(), Signal::Page(title));
    }

    /// Pages may have to be silent while somebody talks, and have to while a page is spoken here.
    async fn tell_pages(&mut self) {
        let Some(paging) = &self.paging else { return };
        let speaks = self.firmware.speaks_page();
        if speaks != self.speaks {
            self.speaks = speaks;
            let mut rules = self.pages.rules;
            rules.ignore_all |= speaks;
            if let Err(error) = paging.set_rules(rules).await {
                tracing::warn!(%error, "pages do not know about ours");
            }
        }
        let busy = PhoneState { call: !self.calls.is_empty(), ..PhoneState::default() };
        if busy != self.busy {
            self.busy = busy;
            if let Err(error) = paging.set_phone(busy).await {
                tracing::warn!(%error, "pages do not know about calls");
            }
        }
    }

    /// Every call's microphone is processed as it suits the place where the person speaks.
    fn follow_path(&mut self) {
        let path = self.firmware.audio().path;
        if path != self.path {
            self.path = path;
            for call in self.calls.keys() {
                self.process(*call);
            }
        }
    }

    fn process(&self, call: CallRef) {
        self.order(call, Order::Process(self.room.processing(self.path)));
    }

    fn dial(&mut self, call: CallRef, account: usize, called: Called) {
        let presented = self.firmware.presented(account);
        let Some(account) = self.accounts.get(account).cloned() else { return };
        let called = called.presented(&account, presented);
        let (orders, ordered) = mpsc::channel(QUEUE);
        self.calls.insert(call, orders);
        tokio::spawn(calls::outgoing(
            account,
            called,
            call,
            self.sound.clone(),
            ordered,
            self.reports.clone(),
        ));
    }

    /// Shows what changed.
    fn show(&mut self) {
        let screen = self.firmware.screen(self.now());
        self.painter.paint(&screen, &mut self.frame);
        let changed = self.frame.take_damage().is_some();
        let hook = self.firmware.hook() == HookState::OffHook;
        let lamps = self.firmware.lamps();
        let ringing = self.firmware.audio().sound.is_some_and(crate::firmware::Sound::is_ring);
        let frame = changed.then_some(&self.frame);
        self.pictures.send_if_modified(|picture| picture.update(frame, &screen, hook, ringing, lamps));
    }
}

/// The next thing that happens to a page; never, where nobody listens.
async fn page_event(paging: &mut Option<Paging>) -> Option<PageEvent> {
    match paging {
        Some(paging) => paging.next_event().await,
        None => core::future::pending().await,
    }
}

async fn sleep(wait: Option<Duration>) {
    match wait {
        Some(wait) => tokio::time::sleep(wait).await,
        None => core::future::pending().await,
    }
}

/// What a user agent reports beside registrations and calls, in words for a log.
pub(crate) fn notice(event: &UserAgentEvent) -> Option<String> {
    match event {
        UserAgentEvent::FlowFailed { account, cause } => {
            Some(format!("{account}: the way to the registrar is lost ({cause}); it registers anew"))
        }
        UserAgentEvent::PublicAddress { account, address } => {
            Some(format!("{account}: the public address is {address}"))
        }
        _ => None,
    }
}

fn registration(state: RegistrationState) -> Registration {
    match state {
        RegistrationState::Registering => Registration::Registering,
        RegistrationState::Registered { .. } => Registration::Registered,
        RegistrationState::Failed { status, reason, .. } => {
            let status = status.map(|status| format!("{} ", status.code())).unwrap_or_default();
            Registration::Failed(format!("{status}{reason}"))
        }
        _ => Registration::Off,
    }
}
