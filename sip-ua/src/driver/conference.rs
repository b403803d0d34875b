//! A conference of calls on this machine: their far ends and their audio ports hear each other.

use super::call::CallHandle;
use super::frame_clock::FrameClock;
use super::leg_port::{self, LegWire};
use super::{Error, UserAgent};
use crate::{CallId, CommandError};
use sidetone_hal::audio::{AudioFormat, AudioPort, FRAME};
use sidetone_media::mix::{LegConfig, LegId, Meter, Mixer, MixerConfig};
use sidetone_media::resample::Resampler;
use std::boxed::Box;
use std::vec;
use std::vec::Vec;
use tokio::sync::{mpsc, oneshot};

/// Calls in a conference at most, beside the person here.
const MAX_CALLS: usize = 32;
/// Frames without a word of any call after which the mixer looks for one seldom: 200 ms, and then every 200 ms.
const QUIET_FRAMES: u32 = 20;
/// Commands that may wait.
const QUEUED_COMMANDS: usize = 16;

type Reply<T> = oneshot::Sender<Result<T, Error>>;

enum Command {
    Join { member: Box<Member>, reply: Reply<()> },
    Leave { call: CallId, reply: Reply<()> },
    Muted { call: CallId, muted: bool, reply: Reply<()> },
    Gain { call: CallId, gain: f32, reply: Reply<()> },
    Members { reply: Reply<Vec<(CallId, Meter)>> },
    End { reply: Reply<()> },
}

/// Calls that are joined: everybody hears everybody else. Dropping it parts them; each call gets the audio port back
/// that it had before.
///
/// The audio ports of the calls are one party, the person here: what they capture is added up, and each of them plays
/// what all far ends say. The far ends hear the person and each other. A call that ends leaves the conference, and its
/// port goes with it. Each way through the conference takes 20 ms more than a call alone.
#[derive(Debug)]
pub struct Conference {
    commands: mpsc::Sender<Command>,
}

impl UserAgent {
    /// Joins calls of this user agent, of whatever accounts.
    ///
    /// # Errors
    /// [`Error::NoMedia`] when a call has no audio yet, [`Error::Command`] when one is over, [`Error::Mix`] when there
    /// are more than 32, [`Error::Closed`]. No call is changed then.
    pub async fn conference<'a>(
        &self,
        calls: impl IntoIterator<Item = &'a CallHandle>,
    ) -> Result<Conference, Error> {
        Conference::new(calls).await
    }
}

impl Conference {
    /// As [`UserAgent::conference`].
    ///
    /// # Errors
    /// As [`UserAgent::conference`].
    pub async fn new<'a>(calls: impl IntoIterator<Item = &'a CallHandle>) -> Result<Self, Error> {
        let mut members = Vec::new();
        for call in calls {
            if members.iter().any(|member: &Member| member.call.is_same(call)) {
                continue;
            }
            match Member::take(call).await {
                Ok(member) => members.push(member),
                Err(error) => {
                    give_back(members).await;
                    return Err(error);
                }
            }
        }
        // The mix loses nothing of what any of them can say or play.
        let rate = members.iter().map(|member| member.format.sample_rate).max();
        let mut config = MixerConfig::phone(rate.unwrap_or(AudioFormat::NARROWBAND.sample_rate));
        config.max_legs = MAX_CALLS + 1;
        let mut mixer = Mixer::new(config)?;
        let own = mixer.join(LegConfig::new(config.sample_rate))?;
        let samples = mixer.frame_samples(own)?;
        let mut task = Task {
            mixer,
            own,
            members: Vec::new(),
            clock: FrameClock::new(),
            quiet: 0,
            captured: vec![0; samples],
            said: vec![0; samples],
        };
        for member in &mut members {
            if let Err(error) = task.add(member) {
                give_back(members).await;
                return Err(error);
            }
        }
        task.members = members;
        let (sender, commands) = mpsc::channel(QUEUED_COMMANDS);
        tokio::spawn(task.run(commands));
        Ok(Self { commands: sender })
    }

    /// Another call joins.
    ///
    /// # Errors
    /// As [`UserAgent::conference`]; [`Error::Command`] also when it is in the conference already.
    pub async fn join(&self, call: &CallHandle) -> Result<(), Error> {
        let member = Box::new(Member::take(call).await?);
        self.ask(|reply| Command::Join { member, reply }).await
    }

    /// A call leaves, and is a call of its own again.
    ///
    /// # Errors
    /// [`Error::Command`] when it is not in the conference, [`Error::Closed`].
    pub async fn leave(&self, call: CallId) -> Result<(), Error> {
        self.ask(|reply| Command::Leave { call, reply }).await
    }

    /// The others do not hear the far end of this call, or do again.
    ///
    /// # Errors
    /// As [`Conference::leave`].
    pub async fn set_muted(&self, call: CallId, muted: bool) -> Result<(), Error> {
        self.ask(|reply| Command::Muted { call, muted, reply }).await
    }

    /// How loud the others hear the far end of this call: a factor of 0 to
    /// [`MAX_GAIN`](sidetone_media::mix::MAX_GAIN).
    ///
    /// # Errors
    /// As [`Conference::leave`], [`Error::Mix`].
    pub async fn set_gain(&self, call: CallId, gain: f32) -> Result<(), Error> {
        self.ask(|reply| Command::Gain { call, gain, reply }).await
    }

    /// The calls, and how loud their far ends are.
    ///
    /// # Errors
    /// [`Error::Closed`].
    pub async fn members(&self) -> Result<Vec<(CallId, Meter)>, Error> {
        self.ask(|reply| Command::Members { reply }).await
    }

    /// Parts the calls, and returns when each has its own port again.
    ///
    /// # Errors
    /// [`Error::Closed`].
    pub async fn end(self) -> Result<(), Error> {
        self.ask(|reply| Command::End { reply }).await
    }

    async fn ask<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Result<T, Error> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(command(reply)).await.map_err(|_| Error::Closed)?;
        answer.await.map_err(|_| Error::Closed)?
    }
}

/// A call whose audio port is a wire to the conference.
struct Member {
    call: CallHandle,
    format: AudioFormat,
    wire: LegWire,
    /// The far end in the mix.
    leg: Option<LegId>,
    /// The port that the call had, and the way to and from the mix's rate.
    port: Box<dyn AudioPort>,
    up: Option<Resampler>,
    down: Option<Resampler>,
    frame: Vec<i16>,
}

impl Member {
    /// Takes a call's port from it, and gives it the end of a wire.
    async fn take(call: &CallHandle) -> Result<Self, Error> {
        let (sender, wire) = oneshot::channel();
        let make = move |format| {
            let (port, wire) = leg_port::pair(format);
            // Who asked may be gone; the wire is cut then.
            sender.send(wire).ok();
            Box::new(port) as Box<dyn AudioPort>
        };
        let port = call.exchange_audio(Box::new(make)).await?;
        let wire = wire.await.map_err(|_| Error::Closed)?;
        let format = port.format();
        let frame = vec![0; format.samples_per_frame()];
        Ok(Self { call: call.clone(), format, wire, leg: None, port, up: None, down: None, frame })
    }

    /// Gives the call its port back.
    async fn part(self) {
        // The call may be over.
        self.call.set_audio(self.port).await.ok();
    }
}

async fn give_back(members: Vec<Member>) {
    for member in members {
        member.part().await;
    }
}

struct Task {
    mixer: Mixer,
    /// The person here.
    own: LegId,
    members: Vec<Member>,
    clock: FrameClock,
    /// Frames since a call gave one: calls that rest give none.
    quiet: u32,
    /// A frame of one port at the rate of the mix, and the sum of all.
    captured: Vec<i16>,
    said: Vec<i16>,
}

impl Task {
    async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        loop {
            tokio::select! {
                biased;
                () = self.clock.tick(), if self.quiet < QUIET_FRAMES => {
                    while self.clock.due().is_some() {
                        self.frame();
                    }
                }
                () = tokio::time::sleep(FRAME * QUIET_FRAMES), if self.quiet >= QUIET_FRAMES => {
                    self.clock.restart();
                    self.frame();
                }
                command = commands.recv() => match command {
                    Some(Command::End { reply }) => {
                        give_back(self.members).await;
                        // Who asked may be gone.
                        reply.send(Ok(())).ok();
                        return;
                    }
                    Some(command) => self.handle(command).await,
                    None => return give_back(self.members).await,
                },
            }
        }
    }

    async fn handle(&mut self, command: Command) {
        match command {
            Command::Join { mut member, reply } => {
                let result = self.add(&mut member);
                match result {
                    Ok(()) => self.members.push(*member),
                    Err(_) => member.part().await,
                }
                reply.send(result).ok();
            }
            Command::Leave { call, reply } => {
                let index = self.members.iter().position(|member| member.call.id() == call);
                let result = match index.map(|index| self.members.swap_remove(index)) {
                    Some(member) => {
                        if let Some(leg) = member.leg {
                            self.mixer.leave(leg).ok();
                        }
                        member.part().await;
                        Ok(())
                    }
                    None => Err(CommandError::NoSuchCall.into()),
                };
                reply.send(result).ok();
            }
            Command::Muted { call, muted, reply } => {
                let result = self.leg(call).and_then(|leg| Ok(self.mixer.set_muted(leg, muted)?));
                reply.send(result).ok();
            }
            Command::Gain { call, gain, reply } => {
                let result = self.leg(call).and_then(|leg| Ok(self.mixer.set_gain(leg, gain)?));
                reply.send(result).ok();
            }
            Command::Members { reply } => {
                let meter = |member: &Member| Some((member.call.id(), self.mixer.meter(member.leg?).ok()?));
                reply.send(Ok(self.members.iter().filter_map(meter).collect())).ok();
            }
            // Taken by the caller of this.
            Command::End { .. } => {}
        }
    }

    fn leg(&self, call: CallId) -> Result<LegId, Error> {
        let member = self.members.iter().find(|member| member.call.id() == call);
        Ok(member.and_then(|member| member.leg).ok_or(CommandError::NoSuchCall)?)
    }

    /// Gives a member its place in the mix.
    fn add(&mut self, member: &mut Member) -> Result<(), Error> {
        if self.members.iter().any(|known| known.call.is_same(&member.call)) {
            return Err(CommandError::WrongState.into());
        }
        let (rate, mix) = (member.format.sample_rate, self.mixer.config().sample_rate);
        member.leg = Some(self.mixer.join(LegConfig::new(rate))?);
        if rate != mix {
            // The mixer took the rate, so it can be changed.
            (member.up, member.down) = (Resampler::new(rate, mix).ok(), Resampler::new(mix, rate).ok());
        }
        Ok(())
    }

    /// 10 ms.
    fn frame(&mut self) {
        // A member whose wire is cut has no call any more.
        let mixer = &mut self.mixer;
        self.members.retain(|member| {
            let cut = member.wire.is_cut();
            if let Some(leg) = member.leg.filter(|_| cut) {
                mixer.leave(leg).ok();
            }
            !cut
        });
        self.said.fill(0);
        self.quiet = self.quiet.saturating_add(1);
        for member in &mut self.members {
            let Some(leg) = member.leg else { continue };
            if member.wire.read(&mut member.frame) {
                mixer.speak(leg, &member.frame).ok();
                self.quiet = 0;
            }
            member.port.read(&mut member.frame);
            let captured = match &mut member.up {
                Some(up) => {
                    up.process(&member.frame, &mut self.captured);
                    &self.captured
                }
                None => &member.frame,
            };
            self.said.iter_mut().zip(captured).for_each(|(sum, sample)| *sum = sum.saturating_add(*sample));
        }
        mixer.speak(self.own, &self.said).ok();
        mixer.mix();
        for member in &mut self.members {
            if let Some(heard) = member.leg.and_then(|leg| mixer.hear(leg).ok()) {
                member.wire.write(heard.pcm);
            }
            let Ok(heard) = mixer.hear(self.own) else { continue };
            match &mut member.down {
                Some(down) => {
                    down.process(heard.pcm, &mut member.frame);
                    member.port.write(&member.frame);
                }
                None => member.port.write(heard.pcm),
            }
        }
    }
}
