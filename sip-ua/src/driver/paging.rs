//! Multicast paging on tokio: [`Paging`] listens and plays, [`OutgoingPage`] sends.

use super::Error;
use super::frame_clock::FrameClock;
use super::multicast::MulticastOptions;
use core::task::{Context, Poll};
use sidetone_codecs::CodecSpec;
use sidetone_hal::audio::AudioPort;
use sidetone_hal::net::SocketAddr;
use sidetone_hal::rng::Rng;
use sidetone_media::page::{
    self, ListenConfig, PageAddress, PageEvent, PageListener, PageRules, PhoneState, Priority,
};
use sidetone_media::{Stream, StreamStats};
use sidetone_sip_core::driver;
use std::boxed::Box;
use std::vec;
use std::vec::Vec;
use tokio::io::ReadBuf;
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, oneshot};

/// Events that wait for a slow reader; newer ones are dropped then.
const QUEUED_EVENTS: usize = 64;
/// Commands that may wait.
const QUEUED_COMMANDS: usize = 16;
/// The largest datagram that is looked at.
const DATAGRAM: usize = 2048;
/// Failures of receiving in a row after which a socket is left alone until the next wake-up.
const ATTEMPTS: usize = 4;

enum Command {
    Phone(PhoneState),
    Rules(PageRules),
    Dismiss,
    Stats(oneshot::Sender<Option<StreamStats>>),
}

/// Listens to pages and plays them. Dropping it stops that.
///
/// ```no_run
/// # async fn example(speaker: impl sidetone_sip_ua::AudioPort + 'static) -> Result<(), Box<dyn std::error::Error>> {
/// use sidetone_media::page::{ListenAddress, ListenConfig, PageEvent, PhoneState};
/// use sidetone_sip_ua::{MulticastOptions, Paging};
///
/// let row = ListenAddress { address: Some("224.5.6.20:10008".parse()?), label: "Paging1".into() };
/// let mut paging = Paging::listen(ListenConfig::new(vec![row], 8000), MulticastOptions::default(), speaker)?;
/// paging.set_phone(PhoneState { call: true, ..PhoneState::default() }).await?;
/// while let Some(event) = paging.next_event().await {
///     if let PageEvent::Started { priority, .. } = event {
///         println!("page of priority {priority}");
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Paging {
    commands: mpsc::Sender<Command>,
    events: mpsc::Receiver<PageEvent>,
}

impl Paging {
    /// Joins the groups of `config` and plays pages on `audio`, which is written to only while a page plays. To be
    /// called on a tokio runtime. [`ListenConfig::pcm_rate`] is set to the rate of `audio`.
    ///
    /// # Errors
    /// [`Error::Page`], [`Error::Io`] when a group cannot be joined.
    pub fn listen(
        mut config: ListenConfig,
        options: MulticastOptions,
        audio: impl AudioPort + 'static,
    ) -> Result<Self, Error> {
        config.pcm_rate = audio.format().sample_rate;
        let listener = PageListener::new(config, Rng::from_seed(driver::seed()))?;
        let groups = listener
            .addresses()
            .map(|(priority, address)| Ok(Group { priority, socket: options.listen(address.socket())? }))
            .collect::<Result<Vec<_>, Error>>()?;
        let (command_sender, commands) = mpsc::channel(QUEUED_COMMANDS);
        let (events, event_receiver) = mpsc::channel(QUEUED_EVENTS);
        let samples = audio.format().samples_per_frame();
        let task = Task {
            listener,
            groups,
            first: 0,
            audio: Box::new(audio),
            events,
            clock: FrameClock::new(),
            playout: vec![0; samples],
        };
        tokio::spawn(task.run(commands));
        Ok(Self { commands: command_sender, events: event_receiver })
    }

    /// What happens next; `None` after the end. Cancel-safe.
    pub async fn next_event(&mut self) -> Option<PageEvent> {
        self.events.recv().await
    }

    /// Tells what the phone is busy with: the rules depend on it.
    ///
    /// # Errors
    /// [`Error::Closed`].
    pub async fn set_phone(&self, phone: PhoneState) -> Result<(), Error> {
        self.tell(Command::Phone(phone)).await
    }

    /// Other rules from now on.
    ///
    /// # Errors
    /// [`Error::Closed`].
    pub async fn set_rules(&self, rules: PageRules) -> Result<(), Error> {
        self.tell(Command::Rules(rules)).await
    }

    /// Ends the page that plays; it is not heard again until its sender pauses.
    ///
    /// # Errors
    /// [`Error::Closed`].
    pub async fn dismiss(&self) -> Result<(), Error> {
        self.tell(Command::Dismiss).await
    }

    /// What was counted of the page that plays or played last.
    ///
    /// # Errors
    /// [`Error::Closed`].
    pub async fn stats(&self) -> Result<Option<StreamStats>, Error> {
        let (reply, answer) = oneshot::channel();
        self.tell(Command::Stats(reply)).await?;
        answer.await.map_err(|_| Error::Closed)
    }

    async fn tell(&self, command: Command) -> Result<(), Error> {
        self.commands.send(command).await.map_err(|_| Error::Closed)
    }
}

/// The socket of a listening address.
struct Group {
    priority: Priority,
    socket: UdpSocket,
}

struct Task {
    listener: PageListener,
    groups: Vec<Group>,
    /// The group that is asked first, another one each time.
    first: usize,
    audio: Box<dyn AudioPort>,
    events: mpsc::Sender<PageEvent>,
    clock: FrameClock,
    playout: Vec<i16>,
}

impl Task {
    async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        let mut buffer = vec![0; DATAGRAM];
        loop {
            let plays = self.listener.playing().is_some();
            tokio::select! {
                biased;
                () = self.clock.tick(), if plays => self.frames(),
                command = commands.recv() => match command {
                    Some(command) => self.handle_command(command),
                    None => return,
                },
                (priority, source, length) = receive(&self.groups, self.first, &mut buffer) => {
                    self.first = self.first.wrapping_add(1);
                    let datagram = buffer.get(..length).unwrap_or_default();
                    self.listener.handle_rtp(self.clock.now(), priority, source, datagram);
                }
            }
            if !plays && self.listener.playing().is_some() {
                self.clock.restart();
            }
            while let Some(event) = self.listener.poll_event() {
                if let Err(error) = self.events.try_send(event) {
                    tracing::debug!(%error, "page event dropped");
                }
            }
        }
    }

    fn frames(&mut self) {
        while let Some(now) = self.clock.due() {
            if self.listener.playout(now, &mut self.playout) {
                self.audio.write(&self.playout);
            }
        }
    }

    fn handle_command(&mut self, command: Command) {
        let now = self.clock.now();
        match command {
            Command::Phone(phone) => self.listener.set_phone(now, phone),
            Command::Rules(rules) => self.listener.set_rules(now, rules),
            Command::Dismiss => self.listener.dismiss(now),
            // Who asked may be gone.
            Command::Stats(reply) => drop(reply.send(self.listener.stats())),
        }
    }
}

/// The next datagram of any group. Cancel-safe.
async fn receive(groups: &[Group], first: usize, buffer: &mut [u8]) -> (Priority, SocketAddr, usize) {
    core::future::poll_fn(|cx| {
        let start = if groups.is_empty() { 0 } else { first % groups.len() };
        let (before, after) = groups.split_at(start);
        for group in after.iter().chain(before) {
            if let Poll::Ready((source, length)) = poll_receive(&group.socket, cx, buffer) {
                return Poll::Ready((group.priority, source, length));
            }
        }
        Poll::Pending
    })
    .await
}

fn poll_receive(socket: &UdpSocket, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<(SocketAddr, usize)> {
    for _ in 0..ATTEMPTS {
        let mut filled = ReadBuf::new(buffer);
        match socket.poll_recv_from(cx, &mut filled) {
            Poll::Ready(Ok(source)) => return Poll::Ready((source, filled.filled().len())),
            Poll::Ready(Err(error)) => tracing::debug!(%error, "multicast socket"),
            Poll::Pending => return Poll::Pending,
        }
    }
    Poll::Pending
}

/// A page that we send. Dropping it stops that.
#[derive(Debug)]
pub struct OutgoingPage {
    stop: mpsc::Sender<oneshot::Sender<StreamStats>>,
}

impl OutgoingPage {
    /// Sends what `audio` captures to `address` in `codec`, in packets of its usual time, until it is dropped. To be
    /// called on a tokio runtime.
    ///
    /// # Errors
    /// [`Error::Page`] when listeners could not know the codec, [`Error::Io`].
    pub fn start(
        address: PageAddress,
        codec: &'static CodecSpec,
        options: MulticastOptions,
        audio: impl AudioPort + 'static,
    ) -> Result<Self, Error> {
        let format = audio.format();
        let rng = Rng::from_seed(driver::seed());
        let stream = page::sender(address, codec, format.sample_rate, rng)?;
        let socket = options.send(address.socket())?;
        let (stop, stopped) = mpsc::channel(1);
        let captured = vec![0; format.samples_per_frame()];
        let sender = Sender { stream, socket, audio: Box::new(audio), captured, clock: FrameClock::new() };
        tokio::spawn(sender.run(stopped));
        Ok(Self { stop })
    }

    /// Stops, and says what was sent.
    ///
    /// # Errors
    /// [`Error::Closed`] when the runtime is shut down.
    pub async fn stop(self) -> Result<StreamStats, Error> {
        let (reply, answer) = oneshot::channel();
        self.stop.send(reply).await.map_err(|_| Error::Closed)?;
        answer.await.map_err(|_| Error::Closed)
    }
}

struct Sender {
    stream: Stream,
    socket: UdpSocket,
    audio: Box<dyn AudioPort>,
    captured: Vec<i16>,
    clock: FrameClock,
}

impl Sender {
    async fn run(mut self, mut stopped: mpsc::Receiver<oneshot::Sender<StreamStats>>) {
        loop {
            tokio::select! {
                () = self.clock.tick() => self.frames(),
                reply = stopped.recv() => {
                    if let Some(reply) = reply {
                        // Who asked may be gone.
                        reply.send(self.stream.stats()).ok();
                    }
                    return;
                }
            }
        }
    }

    fn frames(&mut self) {
        while let Some(now) = self.clock.due() {
            self.audio.read(&mut self.captured);
            self.stream.capture(now, &self.captured);
            while let Some(packet) = self.stream.poll_transmit() {
                // A packet that the system does not take now would be late in any case.
                if let Err(error) = self.socket.try_send(packet.payload) {
                    tracing::trace!(%error, "page packet dropped");
                }
            }
            while self.stream.poll_event().is_some() {}
        }
    }
}
