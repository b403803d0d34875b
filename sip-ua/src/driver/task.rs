//! The task that owns the agent and its sockets.

use super::account::AccountPath;
use super::account_state::{AccountState, AccountStates};
use super::call::{CallEvent, Called, NewCall, event_channel};
use super::command::{Command, NewAccount};
use super::features::{Dropped, Features};
use super::multicast::{Group, MulticastOptions};
use super::slot::Slot;
use super::{Error, IncomingCall, UserAgentEvent};
#[cfg(feature = "media")]
use crate::LookupId;
use crate::{
    AccountConfig, AccountId, Agent, AgentConfig, CallId, Event, Invite, Query, QueryId, RegistrationState,
};
use bytes::Bytes;
use core::time::Duration;
use sidetone_hal::net::{IpAddr, Protocol, SocketAddr};
use sidetone_hal::time::Instant;
#[cfg(feature = "tls")]
use sidetone_sip_core::driver::TlsHandle;
use sidetone_sip_core::driver::{DriverConfig, Io, IoEvent};
use sidetone_sip_core::locate::{Answer, RecordData};
use sidetone_sip_core::trace::Tap;
use sidetone_sip_core::{Input, NameAddr, StatusCode, Uri};
use std::boxed::Box;
use std::collections::BTreeMap;
use std::string::ToString;
use std::vec::Vec;
use tokio::sync::{mpsc, oneshot, watch};

/// What the builder collected.
pub(super) struct Setup {
    pub(super) driver: DriverConfig,
    pub(super) config: AgentConfig,
    pub(super) tap: Option<Box<dyn Tap>>,
    /// The group whose SUBSCRIBE requests are taken.
    pub(super) group: Option<(SocketAddr, MulticastOptions)>,
    #[cfg(feature = "media")]
    pub(super) ports: super::ports::PortOptions,
    #[cfg(feature = "media")]
    pub(super) audio: crate::AudioConfig,
}

/// Commands, events and finished look-ups that may wait.
const QUEUE: usize = 64;
/// How long hanging up and un-registering may take when the user agent is dropped.
const DROP_BOUND: Duration = Duration::from_secs(2);

/// The handle's ends of the channels, and where the sockets are.
pub(super) struct Started {
    pub(super) commands: mpsc::Sender<Command>,
    pub(super) events: mpsc::Receiver<UserAgentEvent>,
    pub(super) local: watch::Receiver<LocalAddresses>,
    #[cfg(feature = "tls")]
    pub(super) tls: TlsHandle,
}

/// Where each transport is bound.
pub(super) type LocalAddresses = Vec<(Protocol, SocketAddr)>;

/// Opens the sockets and starts the task.
pub(super) async fn start(setup: Setup) -> Result<Started, Error> {
    #[cfg(feature = "dtls")]
    let identity = sidetone_media::dtls::DtlsIdentity::generate()?;
    let mut io = Io::bind(&setup.driver)
        .map_err(|source| Error::Io { what: "the SIP sockets".to_string(), source })?;
    let group = setup.group.map(|(group, options)| Group::join(group, &options)).transpose()?;
    let mut agent = Agent::new(setup.config);
    agent.endpoint_mut().set_tap(setup.tap);
    io.attach(agent.endpoint_mut());
    agent.locator_mut().set_dns(io.resolver().has_servers());
    let (local_sender, local) = watch::channel(local_addresses(&io));
    #[cfg(feature = "tls")]
    let tls = io.tls_handle();
    let (command_sender, commands) = mpsc::channel(QUEUE);
    let (events, event_receiver) = mpsc::channel(QUEUE);
    let (job_sender, jobs) = mpsc::channel(QUEUE);
    let (dropped_sender, dropped) = mpsc::unbounded_channel();
    let task = Task {
        agent,
        io,
        group,
        commands,
        command_sender: command_sender.downgrade(),
        events,
        jobs,
        job_sender,
        dropped,
        dropped_sender,
        features: Features::default(),
        accounts: AccountStates::default(),
        local: local_sender,
        slots: BTreeMap::new(),
        closing: None,
        #[cfg(feature = "media")]
        pending: BTreeMap::new(),
        #[cfg(feature = "media")]
        music: BTreeMap::new(),
        #[cfg(feature = "media")]
        ports: setup.ports,
        #[cfg(feature = "media")]
        audio: setup.audio,
        #[cfg(feature = "dtls")]
        identity,
    };
    tokio::spawn(task.run());
    Ok(Started {
        commands: command_sender,
        events: event_receiver,
        local,
        #[cfg(feature = "tls")]
        tls,
    })
}

pub(super) struct Task {
    pub(super) agent: Agent,
    pub(super) io: Io,
    group: Option<Group>,
    commands: mpsc::Receiver<Command>,
    /// Weak, so that the channel closes with the last handle.
    pub(super) command_sender: mpsc::WeakSender<Command>,
    pub(super) events: mpsc::Sender<UserAgentEvent>,
    jobs: mpsc::Receiver<Job>,
    pub(super) job_sender: mpsc::Sender<Job>,
    /// What lost its handle: each comes once, so the queue is bounded by the handles there are.
    dropped: mpsc::UnboundedReceiver<Dropped>,
    pub(super) dropped_sender: mpsc::UnboundedSender<Dropped>,
    pub(super) features: Features,
    pub(super) accounts: AccountStates,
    local: watch::Sender<LocalAddresses>,
    pub(super) slots: BTreeMap<CallId, Slot>,
    closing: Option<Closing>,
    /// Calls that wait for their next hop's address, for our own in its session description. There are never more than
    /// the locator has look-ups.
    #[cfg(feature = "media")]
    pub(super) pending: BTreeMap<LookupId, super::audio::PendingCall>,
    /// The calls on hold that a music server plays to, or is to.
    #[cfg(feature = "media")]
    pub(super) music: BTreeMap<CallId, crate::MusicOnHold>,
    #[cfg(feature = "media")]
    pub(super) ports: super::ports::PortOptions,
    #[cfg(feature = "media")]
    pub(super) audio: crate::AudioConfig,
    /// Who we are to the other side of a call whose keys come by DTLS.
    #[cfg(feature = "dtls")]
    pub(super) identity: sidetone_media::dtls::DtlsIdentity,
}

/// What was done beside the task.
pub(super) enum Job {
    /// DNS was asked for the agent.
    Answer { query: QueryId, answer: Answer },
    /// A call's media has something to say.
    #[cfg(feature = "media")]
    Media { call: CallId, notice: super::media::Notice },
}

/// What comes to the group, if there is one.
async fn heard(group: &mut Option<Group>) -> (SocketAddr, Bytes) {
    match group {
        Some(group) => group.next().await,
        None => core::future::pending().await,
    }
}

/// The end is near.
struct Closing {
    /// When it comes at the latest.
    at: Instant,
    done: Vec<oneshot::Sender<()>>,
}

fn local_addresses(io: &Io) -> LocalAddresses {
    let each = [Protocol::Udp, Protocol::Tcp, Protocol::Tls, Protocol::Ws, Protocol::Wss];
    let of = |protocol| io.local_addresses(protocol).into_iter().map(move |address| (protocol, address));
    each.into_iter().flat_map(of).collect()
}

impl Task {
    async fn run(mut self) {
        loop {
            self.drain().await;
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
                // What handles ask for is bounded by those who wait for it; the network's turn comes then.
                biased;
                Some(command) = self.commands.recv() => self.handle_command(command).await,
                Some(dropped) = self.dropped.recv() => self.handle_dropped(dropped),
                Some(job) = self.jobs.recv() => self.handle_job(job),
                () = self.events.closed(), if self.closing.is_none() => self.close(DROP_BOUND, None),
                event = self.io.next(self.agent.endpoint_mut(), deadline) => {
                    let now = self.io.now();
                    match event {
                        IoEvent::Input(input) => self.agent.handle_input(now, input),
                        IoEvent::Timeout => self.agent.handle_timeout(now),
                    }
                }
                (source, payload) = heard(&mut self.group) => self.handle_multicast(source, payload),
            }
        }
        self.io.flush(self.agent.endpoint_mut());
        for done in self.closing.into_iter().flat_map(|closing| closing.done) {
            // Nobody waits when the user agent was dropped.
            done.send(()).ok();
        }
    }

    /// A request that came to the group is as one to the socket that answers it.
    fn handle_multicast(&mut self, source: SocketAddr, payload: Bytes) {
        self.io.learn_route(self.agent.endpoint_mut(), source);
        if let Some((flow, _)) = self.agent.endpoint_mut().datagram_flow(Some(source)) {
            let input = Input::Datagram { flow, source, payload };
            self.agent.handle_input(self.io.now(), input);
        }
    }

    /// Takes what the agent has to say; bytes and connections go out with the next wait.
    async fn drain(&mut self) {
        loop {
            while let Some(query) = self.agent.poll_query() {
                self.look_up(query);
            }
            match self.agent.poll_event() {
                #[cfg(feature = "media")]
                Some(Event::NextHop { lookup, addresses }) => self.next_hop(lookup, &addresses).await,
                Some(event) => self.handle_event(event),
                None => return,
            }
        }
    }

    fn look_up(&self, query: Query) {
        let (resolver, jobs) = (self.io.resolver(), self.job_sender.clone());
        tokio::spawn(async move {
            let answer = resolver.query(&query).await;
            // An error means that the user agent has ended meanwhile.
            jobs.send(Job::Answer { query: query.id, answer }).await.ok();
        });
    }

    fn handle_job(&mut self, job: Job) {
        match job {
            Job::Answer { query, answer } => {
                if let Answer::Records { records, additional } = &answer {
                    records.iter().chain(additional).for_each(|record| self.learn_record(&record.data));
                }
                self.agent.handle_answer(self.io.now(), query, answer);
            }
            #[cfg(feature = "media")]
            Job::Media { call, notice } => self.media_notice(call, notice),
        }
    }

    async fn handle_command(&mut self, command: Command) {
        let now = self.io.now();
        match command {
            Command::AddAccount { config, reply } => {
                let register = config.register;
                self.learn_hop(config.proxy.as_ref().unwrap_or(&config.aor));
                config.further_servers().for_each(|server| self.learn_hop(server));
                config.locate.static_records.iter().for_each(|record| self.learn_record(&record.data));
                let added = self.agent.add_account(*config).map_err(Error::from).map(|id| {
                    let state = self.accounts.add(id);
                    if register {
                        self.agent.register(now, id).ok();
                    }
                    NewAccount { id, state }
                });
                self.drain().await;
                reply.send(added).ok();
            }
            Command::Register { account, reply } => {
                let result = self.agent.register(now, account).map_err(Error::from);
                self.drain().await;
                reply.send(result).ok();
            }
            Command::Unregister { account, reply } => {
                let result = self.agent.unregister(now, account).map_err(Error::from);
                self.drain().await;
                reply.send(result).ok();
            }
            Command::Ring { call, reply } => {
                reply.send(self.agent.ring(now, call).map_err(Error::from)).ok();
            }
            Command::Work(work) => work(self, now),
            Command::Reject { call, refusal, reply } => {
                reply.send(self.agent.reject(now, call, refusal).map_err(Error::from)).ok();
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
        let Some(event) = self.handle_feature_event(event) else { return };
        #[cfg(feature = "media")]
        if self.music_event(&event) {
            return;
        }
        match event {
            Event::Registration { account, state } => {
                if matches!(state, RegistrationState::Failed { .. }) {
                    self.change_ports(account);
                }
                let path = self.account_path(account);
                self.accounts.set(account, AccountState { registration: state.clone(), path });
                // The state can be read at any time: a full queue loses nothing that counts.
                self.events.try_send(UserAgentEvent::Registration { account, state }).ok();
            }
            Event::Binding { account, place, state } => {
                self.events.try_send(UserAgentEvent::Binding { account, place, state }).ok();
            }
            Event::ServerTime { account, time } => {
                self.events.try_send(UserAgentEvent::ServerTime { account, time }).ok();
            }
            Event::FlowFailed { account, cause } => {
                self.accounts.lose_path(account);
                self.events.try_send(UserAgentEvent::FlowFailed { account, cause }).ok();
            }
            Event::PublicAddress { account, address } => {
                self.events.try_send(UserAgentEvent::PublicAddress { account, address }).ok();
            }
            Event::Incoming { call, account, invite } => {
                let Invite { from, to, uri, offer, replaces, join, headers, source } = *invite;
                let called = Called { to, uri, replaces, join, headers, source };
                #[cfg(feature = "media")]
                if let Some(refusal) = offer.as_ref().and_then(|offer| self.refusal(call, offer)) {
                    // The caller may have given up meanwhile: then there is nothing to refuse.
                    self.agent.reject(self.io.now(), call, refusal).ok();
                    return;
                }
                let new = self.open_slot(call, account, from);
                #[cfg(feature = "media")]
                if let Some(slot) = self.slots.get_mut(&call) {
                    slot.offer = offer;
                }
                #[cfg(not(feature = "media"))]
                drop(offer);
                self.announce(new, called);
            }
            Event::Ended { call, cause } => {
                if let Some(slot) = self.slots.remove(&call) {
                    slot.end(cause);
                }
            }
            Event::Redirected { call, targets, ask, .. } => {
                if let Some(slot) = self.slots.get(&call) {
                    slot.events.send(CallEvent::Redirected { targets, ask });
                }
            }
            Event::RemoteIdentity { call, identity } => {
                if let Some(slot) = self.slots.get(&call) {
                    slot.events.send(CallEvent::RemoteIdentity(identity));
                }
            }
            Event::Content { call, kind, body } => {
                self.events.try_send(UserAgentEvent::Content { call, kind: *kind, body }).ok();
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

    /// How the account's registrar is reached now.
    fn account_path(&self, account: AccountId) -> Option<AccountPath> {
        let source = self.agent.account_path(account)?;
        Some(AccountPath {
            protocol: source.protocol,
            remote: source.remote,
            #[cfg(feature = "tls")]
            tls: self.io.tls_session(source.flow).cloned(),
        })
    }

    /// After a failed registration: another UDP port, if the account wants that.
    fn change_ports(&mut self, account: AccountId) {
        let wanted = |config: &AccountConfig| config.new_port_on_failure && config.transport == Protocol::Udp;
        if !self.agent.account_config(account).is_some_and(wanted) || self.closing.is_some() {
            return;
        }
        for flow in self.io.udp_flows() {
            if let Err(error) = self.io.rebind(self.agent.endpoint_mut(), flow) {
                tracing::warn!(%error, "no other port after a failed registration");
            }
        }
        self.local.send_replace(local_addresses(&self.io));
        // Accounts that are registered over the same socket have another Contact now.
        self.agent.local_address_changed(self.io.now());
    }

    fn announce(&mut self, new: Option<NewCall>, called: Called) {
        let Some(new) = new else { return };
        let call = new.id;
        if self.closing.is_some()
            || self.events.try_send(UserAgentEvent::Incoming(IncomingCall::new(new, called))).is_err()
        {
            // The caller may have given up meanwhile: then there is nothing to refuse.
            self.agent.reject(self.io.now(), call, StatusCode::BUSY_HERE).ok();
        }
    }

    /// A place for a call's events, and what its handle is made from; none when every handle is gone.
    pub(super) fn open_slot(
        &mut self,
        id: CallId,
        account: Option<AccountId>,
        remote: NameAddr,
    ) -> Option<NewCall> {
        let (sender, events) = event_channel();
        self.slots.insert(id, Slot::new(sender));
        let commands = self.command_sender.upgrade();
        let dropped = self.dropped_sender.clone();
        commands.map(|commands| NewCall { id, account, remote, events, commands, dropped })
    }

    /// Tells the endpoint our address towards a numeric next hop.
    pub(super) fn learn_hop(&mut self, uri: &Uri) {
        if let Some(ip) = uri.host().and_then(|host| host.ip()) {
            let address = SocketAddr::new(ip, uri.port().unwrap_or(5060));
            self.io.learn_route(self.agent.endpoint_mut(), address);
        }
    }

    /// Tells the endpoint our address towards one that DNS gave.
    fn learn_record(&mut self, data: &RecordData) {
        let ip = match data {
            RecordData::A(address) => IpAddr::V4(*address),
            RecordData::Aaaa(address) => IpAddr::V6(*address),
            RecordData::Naptr(_) | RecordData::Srv(_) => return,
        };
        self.io.learn_route(self.agent.endpoint_mut(), SocketAddr::new(ip, 5060));
    }

    fn close(&mut self, bound: Duration, done: Option<oneshot::Sender<()>>) {
        let now = self.io.now();
        let at = now + bound;
        let calls: Vec<CallId> = self.slots.keys().copied().collect();
        for call in calls {
            self.agent.hangup(now, call).ok();
        }
        for account in self.accounts.ids() {
            let config = self.agent.account_config(account);
            match config.is_none_or(|config| config.registration.unregister_at_close) {
                true => self.agent.unregister(now, account).ok(),
                false => self.agent.leave_registered(now, account).ok(),
            };
        }
        let closing = self.closing.get_or_insert(Closing { at, done: Vec::new() });
        closing.at = closing.at.min(at);
        closing.done.extend(done);
    }
}
