//! The task that owns the agent and its sockets.

use super::account_state::AccountStates;
use super::call::{CallEvent, NewCall, event_channel};
use super::command::{Command, NewAccount};
use super::slot::Slot;
use super::{Error, IncomingCall, UserAgentEvent};
use crate::resolve::default_port;
use crate::{Agent, AgentConfig, CallId, Event, Invite, Query, QueryId};
use core::time::Duration;
#[cfg(feature = "media")]
use sidetone_codecs::CodecChoice;
use sidetone_hal::net::{Protocol, SocketAddr};
use sidetone_hal::time::Instant;
use sidetone_sip_core::driver::{DriverConfig, Io, IoEvent};
use sidetone_sip_core::trace::Tap;
use sidetone_sip_core::{NameAddr, StatusCode, Uri};
use std::boxed::Box;
use std::collections::BTreeMap;
use std::string::ToString;
use std::vec::Vec;
use tokio::sync::{mpsc, oneshot};

/// What the builder collected.
pub(super) struct Setup {
    pub(super) udp: Vec<SocketAddr>,
    pub(super) tcp: Vec<SocketAddr>,
    pub(super) config: AgentConfig,
    pub(super) tap: Option<Box<dyn Tap>>,
    #[cfg(feature = "media")]
    pub(super) rtp_ports: Option<core::ops::RangeInclusive<u16>>,
    #[cfg(feature = "media")]
    pub(super) codecs: Vec<CodecChoice>,
}

/// Commands, events and finished look-ups that may wait.
const QUEUE: usize = 64;
/// How long hanging up and un-registering may take when the user agent is dropped.
const DROP_BOUND: Duration = Duration::from_secs(2);

/// The handle's ends of the channels, and where the sockets are.
pub(super) type Started =
    (mpsc::Sender<Command>, mpsc::Receiver<UserAgentEvent>, Vec<(Protocol, SocketAddr)>);

/// Opens the sockets and starts the task.
pub(super) async fn start(setup: Setup) -> Result<Started, Error> {
    let mut config = DriverConfig::new();
    config.udp = setup.udp;
    config.tcp = setup.tcp;
    let mut io =
        Io::bind(&config).map_err(|source| Error::Io { what: "the SIP sockets".to_string(), source })?;
    let mut agent = Agent::new(setup.config);
    agent.endpoint_mut().set_tap(setup.tap);
    io.attach(agent.endpoint_mut());
    let udp = io.udp_addresses().into_iter().map(|address| (Protocol::Udp, address));
    let tcp = io.tcp_addresses().iter().map(|&address| (Protocol::Tcp, address));
    let local = udp.chain(tcp).collect();
    let (command_sender, commands) = mpsc::channel(QUEUE);
    let (events, event_receiver) = mpsc::channel(QUEUE);
    let (job_sender, jobs) = mpsc::channel(QUEUE);
    let (dropped_sender, dropped) = mpsc::unbounded_channel();
    let task = Task {
        agent,
        io,
        commands,
        command_sender: command_sender.downgrade(),
        events,
        jobs,
        job_sender,
        dropped,
        dropped_sender,
        accounts: AccountStates::default(),
        slots: BTreeMap::new(),
        closing: None,
        #[cfg(feature = "media")]
        rtp_ports: setup.rtp_ports,
        #[cfg(feature = "media")]
        codecs: setup.codecs,
    };
    tokio::spawn(task.run());
    Ok((command_sender, event_receiver, local))
}

pub(super) struct Task {
    pub(super) agent: Agent,
    pub(super) io: Io,
    commands: mpsc::Receiver<Command>,
    /// Weak, so that the channel closes with the last handle.
    command_sender: mpsc::WeakSender<Command>,
    events: mpsc::Sender<UserAgentEvent>,
    jobs: mpsc::Receiver<Job>,
    pub(super) job_sender: mpsc::Sender<Job>,
    /// Calls whose handle was dropped: each call comes once, so the queue is bounded by the calls there are.
    dropped: mpsc::UnboundedReceiver<CallId>,
    dropped_sender: mpsc::UnboundedSender<CallId>,
    accounts: AccountStates,
    pub(super) slots: BTreeMap<CallId, Slot>,
    closing: Option<Closing>,
    #[cfg(feature = "media")]
    pub(super) rtp_ports: Option<core::ops::RangeInclusive<u16>>,
    #[cfg(feature = "media")]
    pub(super) codecs: Vec<CodecChoice>,
}

/// What was done beside the task.
pub(super) enum Job {
    /// A host was looked up for the agent.
    Answer { query: QueryId, addresses: Vec<SocketAddr> },
    /// The next hop of a call was looked up, for our own address in its session description.
    #[cfg(feature = "media")]
    Call { call: super::audio::PendingCall, toward: Option<SocketAddr> },
}

/// The end is near.
struct Closing {
    /// When it comes at the latest.
    at: Instant,
    done: Vec<oneshot::Sender<()>>,
}

impl Task {
    async fn run(mut self) {
        loop {
            self.drain();
            let now = self.io.now();
            if let Some(closing) = &self.closing
                && (self.agent.is_idle() || closing.at <= now)
            {
                break;
            }
            let deadline = self.agent.poll_timeout().map(|(at, _)| at);
            let deadline =
                [deadline, self.closing.as_ref().map(|closing| closing.at)].into_iter().flatten().min();
            tokio::select! {
                event = self.io.next(self.agent.endpoint_mut(), deadline) => {
                    let now = self.io.now();
                    match event {
                        IoEvent::Input(input) => self.agent.handle_input(now, input),
                        IoEvent::Timeout => self.agent.handle_timeout(now),
                    }
                }
                Some(command) = self.commands.recv() => self.handle_command(command).await,
                Some(job) = self.jobs.recv() => self.handle_job(job).await,
                Some(call) = self.dropped.recv() => self.hang_up_dropped(call),
                () = self.events.closed(), if self.closing.is_none() => self.close(DROP_BOUND, None),
            }
        }
        self.io.flush(self.agent.endpoint_mut());
        for done in self.closing.into_iter().flat_map(|closing| closing.done) {
            // Nobody waits when the user agent was dropped.
            done.send(()).ok();
        }
    }

    /// Takes what the agent has to say; bytes and connections go out with the next wait.
    fn drain(&mut self) {
        while let Some(query) = self.agent.poll_query() {
            self.look_up(query);
        }
        while let Some(event) = self.agent.poll_event() {
            self.handle_event(event);
        }
    }

    fn look_up(&self, query: Query) {
        let (resolver, jobs) = (self.io.resolver(), self.job_sender.clone());
        tokio::spawn(async move {
            let port = query.port.unwrap_or_else(|| default_port(query.protocol));
            let addresses = match resolver.resolve(&query.host, port).await {
                Ok(addresses) => addresses,
                Err(error) => {
                    tracing::debug!(%error, "look-up");
                    Vec::new()
                }
            };
            // An error means that the user agent has ended meanwhile.
            jobs.send(Job::Answer { query: query.id, addresses }).await.ok();
        });
    }

    async fn handle_job(&mut self, job: Job) {
        match job {
            Job::Answer { query, addresses } => {
                for address in &addresses {
                    self.io.learn_route(self.agent.endpoint_mut(), *address);
                }
                self.agent.handle_answer(self.io.now(), query, addresses);
            }
            #[cfg(feature = "media")]
            Job::Call { call, toward } => self.place_call(call, toward).await,
        }
    }

    async fn handle_command(&mut self, command: Command) {
        let now = self.io.now();
        match command {
            Command::AddAccount { config, reply } => {
                let register = config.register;
                self.learn_hop(config.proxy.as_ref().unwrap_or(&config.aor));
                let added = self.agent.add_account(config).map_err(Error::from).map(|id| {
                    let state = self.accounts.add(id);
                    if register {
                        self.agent.register(now, id).ok();
                    }
                    NewAccount { id, state }
                });
                self.drain();
                reply.send(added).ok();
            }
            Command::Register { account, reply } => {
                let result = self.agent.register(now, account).map_err(Error::from);
                self.drain();
                reply.send(result).ok();
            }
            Command::Unregister { account, reply } => {
                let result = self.agent.unregister(now, account).map_err(Error::from);
                self.drain();
                reply.send(result).ok();
            }
            Command::Ring { call, reply } => {
                reply.send(self.agent.ring(now, call).map_err(Error::from)).ok();
            }
            Command::Reject { call, status, reply } => {
                reply.send(self.agent.reject(now, call, status).map_err(Error::from)).ok();
            }
            Command::Hangup { call, reply } => {
                reply.send(self.agent.hangup(now, call).map_err(Error::from)).ok();
            }
            Command::Shutdown { bound, reply } => self.close(bound, Some(reply)),
            #[cfg(feature = "media")]
            command => self.handle_audio_command(command).await,
        }
    }

    fn handle_event(&mut self, event: Event) {
        match event {
            Event::Registration { account, state } => {
                self.accounts.set(account, &state);
                // The state can be read at any time: a full queue loses nothing that counts.
                self.events.try_send(UserAgentEvent::Registration { account, state }).ok();
            }
            Event::Incoming { call, account, invite } => {
                let Invite { from, to, uri, offer } = *invite;
                let new = self.open_slot(call, account, from);
                #[cfg(feature = "media")]
                if let Some(slot) = self.slots.get_mut(&call) {
                    slot.offer = offer;
                }
                #[cfg(not(feature = "media"))]
                drop(offer);
                self.announce(new, to, uri);
            }
            Event::Ended { call, cause } => {
                if let Some(slot) = self.slots.remove(&call) {
                    slot.end(cause);
                }
            }
            Event::Dtmf { call, digit, .. } => {
                if let Some(slot) = self.slots.get(&call) {
                    slot.events.send(CallEvent::Dtmf(digit));
                }
            }
            #[cfg(feature = "media")]
            event => self.handle_audio_event(event),
            #[cfg(not(feature = "media"))]
            _ => {}
        }
    }

    fn announce(&mut self, new: Option<NewCall>, to: NameAddr, uri: Uri) {
        let Some(new) = new else { return };
        let call = new.id;
        if self.closing.is_some()
            || self.events.try_send(UserAgentEvent::Incoming(IncomingCall::new(new, to, uri))).is_err()
        {
            // The caller may have given up meanwhile: then there is nothing to refuse.
            self.agent.reject(self.io.now(), call, StatusCode::BUSY_HERE).ok();
        }
    }

    /// A place for a call's events, and what its handle is made from; none when every handle is gone.
    pub(super) fn open_slot(
        &mut self,
        id: CallId,
        account: Option<crate::AccountId>,
        remote: NameAddr,
    ) -> Option<NewCall> {
        let (sender, events) = event_channel();
        self.slots.insert(id, Slot::new(sender));
        let commands = self.command_sender.upgrade();
        let dropped = self.dropped_sender.clone();
        commands.map(|commands| NewCall { id, account, remote, events, commands, dropped })
    }

    fn hang_up_dropped(&mut self, call: CallId) {
        // The call may be over already.
        self.agent.hangup(self.io.now(), call).ok();
    }

    /// Tells the endpoint our address towards a numeric next hop.
    pub(super) fn learn_hop(&mut self, uri: &Uri) {
        if let Some(ip) = uri.host().and_then(|host| host.ip()) {
            let address = SocketAddr::new(ip, uri.port().unwrap_or(5060));
            self.io.learn_route(self.agent.endpoint_mut(), address);
        }
    }

    fn close(&mut self, bound: Duration, done: Option<oneshot::Sender<()>>) {
        let now = self.io.now();
        let at = now + bound;
        let calls: Vec<CallId> = self.slots.keys().copied().collect();
        for call in calls {
            self.agent.hangup(now, call).ok();
        }
        for account in self.accounts.ids() {
            self.agent.unregister(now, account).ok();
        }
        let closing = self.closing.get_or_insert(Closing { at, done: Vec::new() });
        closing.at = closing.at.min(at);
        closing.done.extend(done);
    }
}
