//! The task's part of audio: offers and answers between the agent's events and each call's negotiator.

use super::call::{CallEvent, NewCall};
use super::command::{Command, Reply};
use super::media::{MediaCommand, MediaParts, Notice, StreamSettings};
use super::negotiation::Audio;
use super::task::Task;
use super::{Error, ports};
use crate::{
    AccountId, AudioConfig, CallId, CallRequest, CommandError, EarlyDialogId, Event, HoldMusic, LookupId,
    Refusal,
};
use bytes::Bytes;
use sidetone_hal::audio::AudioPort;
use sidetone_hal::net::{IpAddr, SocketAddr};
use sidetone_hal::rng::Rng;
use sidetone_media::Negotiated;
use sidetone_media::resample::is_pcm_rate;
use sidetone_media::sdp::{Direction, Negotiator, SdpError};
use sidetone_media::srtp::{Sdes, SrtpPolicy};
use sidetone_sip_core::{NameAddr, StatusCode};
use std::borrow::Cow;
use std::boxed::Box;
#[cfg(feature = "dtls")]
use {super::dtls::Failure, std::format, std::string::String};

/// A call that waits for the address of its next hop.
pub(super) struct PendingCall {
    account: AccountId,
    request: CallRequest,
    audio: Box<dyn AudioPort>,
    reply: Reply<NewCall>,
}

impl Task {
    pub(super) async fn handle_audio_command(&mut self, command: Command) {
        match command {
            Command::Call { account, request, audio, reply } => {
                self.begin_call(PendingCall { account, request: *request, audio, reply }).await;
            }
            Command::Answer { call, audio, reply } => {
                let result = self.answer(call, audio).await;
                reply.send(result).ok();
            }
            Command::Hold { call, hold, reply } => self.hold(call, hold, reply),
            Command::Dtmf { call, digits, reply } => self.send_digits(call, digits, reply),
            Command::Audio { call, make, reply } => {
                self.media_command(call, reply, |reply| MediaCommand::Audio { make, reply });
            }
            Command::Processing { call, processing, reply } => {
                self.media_command(call, reply, |reply| MediaCommand::Processing { processing, reply });
            }
            Command::Stats { call, reply } => {
                self.media_command(call, reply, |reply| MediaCommand::Stats { reply });
            }
            // The others were taken by the caller of this.
            _ => {}
        }
    }

    /// Our own address in the offer depends on where the call goes, so the next hop's address comes first.
    async fn begin_call(&mut self, call: PendingCall) {
        match self.agent.find_next_hop(self.io.now(), call.account, &call.request.to) {
            // `Event::NextHop` follows, at once where nobody has to be asked.
            Ok(lookup) => drop(self.pending.insert(lookup, call)),
            // The call fails in the agent, which says why.
            Err(_) => self.place_call(call, None).await,
        }
    }

    /// The agent located the server that a call goes to first, or found none: then the call fails in the agent.
    pub(super) async fn next_hop(&mut self, lookup: LookupId, addresses: &[SocketAddr]) {
        if let Some(call) = self.pending.remove(&lookup) {
            self.place_call(call, addresses.first().copied()).await;
        }
    }

    async fn place_call(&mut self, call: PendingCall, toward: Option<SocketAddr>) {
        let PendingCall { account, request, audio, reply } = call;
        let result = self.try_call(account, request, audio, toward).await;
        reply.send(result).ok();
    }

    async fn try_call(
        &mut self,
        account: AccountId,
        request: CallRequest,
        port: Box<dyn AudioPort>,
        toward: Option<SocketAddr>,
    ) -> Result<NewCall, Error> {
        if let Some(toward) = toward {
            self.io.learn_route(self.agent.endpoint_mut(), toward);
        }
        let protocol = self.agent.account_config(account).map(|config| config.transport);
        let to = request.to.clone();
        let protocol = to.transport().or(protocol).ok_or(CommandError::NoSuchAccount)?;
        let local = self.agent.endpoint().local_address(protocol, toward).ok_or(Error::NoRoute)?;
        let mut audio = self.open_audio(local.ip(), Some(account), port).await?;
        let offer = audio.negotiator.offer(Direction::SendRecv);
        let id = self.agent.call_with(self.io.now(), account, request.with_offer(offer.into()))?;
        let new = self.open_slot(id, Some(account), NameAddr::new(to)).ok_or(Error::Closed)?;
        if let Some(slot) = self.slots.get_mut(&id) {
            slot.audio = Some(audio);
        }
        Ok(new)
    }

    /// Sockets at `ip` and a negotiator for a call. Session descriptions name the public address of the account, where
    /// it has one: the RTP ports of a NAT are not known, but symmetric RTP at the other side needs none (RFC 4961).
    async fn open_audio(
        &mut self,
        ip: IpAddr,
        account: Option<AccountId>,
        port: Box<dyn AudioPort>,
    ) -> Result<Audio, Error> {
        let rate = port.format().sample_rate;
        if !is_pcm_rate(rate) {
            return Err(Error::SampleRate(rate));
        }
        let mut rng = self.agent.endpoint_mut().rng().fork();
        let marked = self.ports.clone().marked_as(&self.audio_config(account));
        let ports = ports::open(ip, &marked, rng.next_u32()).await?;
        let negotiator = self.negotiator(ip, account, (ports.rtp_port, ports.rtp_port + 1), &mut rng);
        let config = self.audio_config(account);
        let stream = StreamSettings {
            delay: config.delay,
            processing: config.processing,
            silence: config.silence,
            rtcp: config.rtcp.clone(),
            dtmf: config.dtmf.stream,
            rest_while_inactive: config.rest_while_inactive,
            on_hold: match &config.on_hold {
                HoldMusic::Sound(sound) => Some(sound.clone()),
                HoldMusic::Silence | HoldMusic::Server(_) => None,
            },
        };
        let parts = MediaParts {
            ports,
            port,
            rng,
            stream,
            jobs: self.job_sender.clone(),
            #[cfg(feature = "dtls")]
            keying: (config.dtls != SrtpPolicy::Off)
                .then(|| super::dtls::Keying::new(self.identity.clone(), config.dtls_limit)),
        };
        Ok(Audio::new(negotiator, parts))
    }

    /// How an account's calls sound. A call to a user whom no account matches sounds as the user agent says, and is
    /// encrypted as strictly as anybody's: of the user agent and the accounts in their order, the first that is the
    /// strictest counts.
    pub(super) fn audio_config(&self, account: Option<AccountId>) -> Cow<'_, AudioConfig> {
        let own = |account| self.agent.account_config(account)?.audio.as_ref();
        if let Some(account) = account {
            return Cow::Borrowed(own(account).unwrap_or(&self.audio));
        }
        let strictest =
            self.accounts.ids().into_iter().filter_map(own).fold(&self.audio, |strictest, audio| {
                if audio.encryption() > strictest.encryption() { audio } else { strictest }
            });
        Cow::Owned(self.audio.clone().encrypted_as(strictest))
    }

    /// A session with nothing said yet, of media at `ip` and the RTP and RTCP `ports`.
    fn negotiator(
        &self,
        ip: IpAddr,
        account: Option<AccountId>,
        ports: (u16, u16),
        rng: &mut Rng,
    ) -> Negotiator {
        let config = self.audio_config(account);
        let mut description = config.description.clone();
        description.dtmf &= config.dtmf.mode.offers_events();
        let public = account.and_then(|account| self.agent.media_address(account));
        // An address of the other family is not that of these sockets.
        description.address = public.filter(|public| public.is_ipv4() == ip.is_ipv4()).unwrap_or(ip);
        (description.rtp_port, description.rtcp_port) = ports;
        let sdes =
            (config.srtp != SrtpPolicy::Off).then(|| Sdes::new(config.srtp_suites.clone(), rng.fork()));
        #[cfg(feature = "dtls")]
        if config.dtls != SrtpPolicy::Off {
            description.fingerprint = Some(self.identity.fingerprint().into());
            description.rtcp_mux = true;
        }
        // RFC 8866 §5.2: a number of 63 bits is understood by every peer.
        let negotiator =
            Negotiator::new(description, rng.next_u64() >> 1).with_srtp(config.encryption(), sdes);
        #[cfg(feature = "dtls")]
        let negotiator = negotiator.with_dtls_first(config.dtls == SrtpPolicy::Compulsory);
        negotiator
    }

    /// Why an incoming call's offer can only be refused: then nobody needs to be rung for it.
    pub(super) fn refusal(&mut self, call: CallId, offer: &[u8]) -> Option<Refusal> {
        let ip = self.agent.call_local_address(call)?.ip();
        let account = self.agent.call_account(call);
        let mut rng = self.agent.endpoint_mut().rng().fork();
        // What is said here is not sent: any port will do.
        let mut negotiator = self.negotiator(ip, account, (9, 10), &mut rng);
        let error = negotiator.answer(offer, Direction::SendRecv).err()?;
        tracing::info!(%call, %error, "the offer cannot be used");
        Some(Refusal::from(&error))
    }

    async fn answer(&mut self, call: CallId, port: Box<dyn AudioPort>) -> Result<(), Error> {
        let local = self.agent.call_local_address(call).ok_or(CommandError::NoSuchCall)?;
        let offer = match self.slots.get_mut(&call) {
            Some(slot) if slot.audio.is_none() => slot.offer.take(),
            Some(_) => return Err(CommandError::WrongState.into()),
            None => return Err(CommandError::NoSuchCall.into()),
        };
        let account = self.agent.call_account(call);
        let mut audio = self.open_audio(local.ip(), account, port).await?;
        let now = self.io.now();
        let negotiated = match offer {
            Some(offer) => match audio.negotiator.answer(&offer, Direction::SendRecv) {
                Ok((answer, negotiated)) => {
                    self.agent.answer(now, call, answer.into())?;
                    Some(negotiated)
                }
                Err(error) => {
                    self.agent.reject(now, call, &error)?;
                    return Err(error.into());
                }
            },
            None => {
                let offer = audio.negotiator.offer(Direction::SendRecv);
                self.agent.answer(now, call, offer.into())?;
                None
            }
        };
        let slot = self.slots.get_mut(&call).ok_or(CommandError::NoSuchCall)?;
        if let Some(negotiated) = negotiated {
            audio.agree(call, negotiated, &slot.events);
        }
        slot.audio = Some(audio);
        Ok(())
    }

    fn hold(&mut self, call: CallId, hold: bool, reply: Reply<()>) {
        if !hold {
            self.end_music(call);
        }
        let Some(slot) = self.slots.get_mut(&call) else {
            reply.send(Err(CommandError::NoSuchCall.into())).ok();
            return;
        };
        let Some(audio) = slot.audio.as_mut().filter(|_| slot.established) else {
            reply.send(Err(CommandError::WrongState.into())).ok();
            return;
        };
        if let Some(offer) = audio.begin_change(hold, reply) {
            self.reoffer(call, offer);
        }
    }

    pub(super) fn reoffer(&mut self, call: CallId, offer: Bytes) {
        let result = self.agent.reoffer(self.io.now(), call, offer);
        let Some(audio) = self.slots.get_mut(&call).and_then(|slot| slot.audio.as_mut()) else { return };
        match result {
            Ok(()) => {}
            // `Event::OfferDue` comes when there is room for it.
            Err(CommandError::OfferPending) => audio.change_failed(StatusCode::REQUEST_PENDING, true),
            Err(_) => audio.change_failed(StatusCode::CALL_DOES_NOT_EXIST, false),
        }
    }

    fn media_command<T>(
        &self,
        call: CallId,
        reply: Reply<T>,
        command: impl FnOnce(Reply<T>) -> MediaCommand,
    ) {
        match self.slots.get(&call).map(|slot| &slot.audio) {
            Some(Some(audio)) => audio.command(reply, command),
            Some(None) => drop(reply.send(Err(Error::NoMedia))),
            None => drop(reply.send(Err(CommandError::NoSuchCall.into()))),
        }
    }

    pub(super) fn media_notice(&mut self, call: CallId, notice: Notice) {
        // The call may be over meanwhile.
        let Some(slot) = self.slots.get_mut(&call) else { return };
        let Some(audio) = &mut slot.audio else { return };
        match notice {
            Notice::KeysEnding => {
                if let Some(offer) = audio.begin_rekey() {
                    self.reoffer(call, offer);
                }
            }
            // Some servers have early media described and begin only when the call is answered.
            #[cfg(feature = "dtls")]
            Notice::NoKeys(Failure::Silence) if !slot.established => audio.restart_keying(),
            #[cfg(feature = "dtls")]
            Notice::NoKeys(failure) => {
                let reason: String = match failure {
                    Failure::Silence => "no keys for SRTP: the other side does not answer DTLS".into(),
                    Failure::Refused(reason) => format!("no keys for SRTP: {reason}"),
                };
                tracing::info!(%call, reason, "the call cannot be encrypted");
                self.agent.abandon(self.io.now(), call, &reason).ok();
            }
        }
    }

    /// The change under way is over: another one may wait for that.
    fn change_over(&mut self, call: CallId) {
        let audio = self.slots.get_mut(&call).and_then(|slot| slot.audio.as_mut());
        if let Some(offer) = audio.and_then(Audio::rekey_due) {
            self.reoffer(call, offer);
        }
    }

    pub(super) fn handle_audio_event(&mut self, event: Event) {
        match event {
            Event::Progress { call, early, early_media, body, .. } => {
                self.progress(call, early, early_media, body);
            }
            Event::EarlyDialogEnded { call, early } => {
                if let Some(slot) = self.slots.get_mut(&call)
                    && slot.heard.take_if(|heard| *heard == early).is_some()
                {
                    // What was heard came from there.
                    slot.events.send(CallEvent::Ringing { early_media: false });
                }
            }
            Event::Answered { call, body } => self.answered(call, body),
            Event::Confirmed { call } => {
                if let Some(slot) = self.slots.get_mut(&call) {
                    slot.establish();
                }
            }
            Event::InfoAccepted { call } => self.info_accepted(call),
            Event::InfoRefused { call, status } => self.info_refused(call, status),
            Event::Offer { call, body } => self.offered(call, body),
            Event::Answer { call, body } => self.answer_came(call, body),
            Event::OfferRejected { call, status, again } => {
                if let Some(audio) = self.slots.get_mut(&call).and_then(|slot| slot.audio.as_mut()) {
                    audio.change_failed(status, again);
                }
                self.change_over(call);
            }
            Event::OfferDue { call } => {
                let audio = self.slots.get_mut(&call).and_then(|slot| slot.audio.as_mut());
                if let Some(offer) = audio.and_then(Audio::offer_change) {
                    self.reoffer(call, offer);
                }
            }
            // An offer is answered at once here, so none is ever withdrawn; the others were taken before.
            _ => {}
        }
    }

    fn progress(
        &mut self,
        call: CallId,
        early: Option<EarlyDialogId>,
        early_media: bool,
        body: Option<Bytes>,
    ) {
        let Some(slot) = self.slots.get_mut(&call) else { return };
        let Some(audio) = &mut slot.audio else { return };
        if let Some(body) = body {
            match audio.negotiator.accept_answer(&body) {
                Ok(negotiated) => audio.agree(call, negotiated, &slot.events),
                // The final answer decides; until then there is a ring-back tone.
                Err(error) => tracing::debug!(%error, "early media"),
            }
        }
        let early_media = early_media && audio.is_running();
        if early_media {
            slot.heard = early;
        }
        slot.events.send(CallEvent::Ringing { early_media });
    }

    fn answered(&mut self, call: CallId, body: Option<Bytes>) {
        let Some(slot) = self.slots.get_mut(&call) else { return };
        let Some(audio) = &mut slot.audio else { return };
        let agreed = match body {
            Some(body) => audio.negotiator.accept_answer(&body).map(Some),
            // The answer came early, and is not repeated.
            None if audio.is_running() => Ok(None),
            None => Err(SdpError::NoAudio),
        };
        match agreed {
            Ok(negotiated) => {
                if let Some(negotiated) = negotiated {
                    audio.agree(call, negotiated, &slot.events);
                }
                slot.establish();
            }
            Err(error) => {
                tracing::info!(%error, "the answer cannot be used");
                self.agent.hangup(self.io.now(), call).ok();
            }
        }
    }

    fn offered(&mut self, call: CallId, body: Option<Bytes>) {
        let now = self.io.now();
        let Some(slot) = self.slots.get_mut(&call) else { return };
        let Some(audio) = &mut slot.audio else { return };
        let wanted = audio.wanted();
        let answer: Result<(Bytes, Option<Negotiated>), SdpError> = match body {
            Some(body) => audio
                .negotiator
                .answer(&body, wanted)
                .map(|(answer, negotiated)| (answer.into(), Some(negotiated))),
            None => Ok((audio.negotiator.offer(wanted).into(), None)),
        };
        match answer {
            Ok((answer, negotiated)) => {
                if self.agent.answer_offer(now, call, answer).is_ok()
                    && let Some(negotiated) = negotiated
                {
                    audio.agree(call, negotiated, &slot.events);
                }
            }
            Err(error) => {
                tracing::debug!(%error, "the offer cannot be used");
                self.agent.reject_offer(now, call, &error).ok();
            }
        }
    }

    fn answer_came(&mut self, call: CallId, body: Option<Bytes>) {
        let Some(slot) = self.slots.get_mut(&call) else { return };
        let Some(audio) = &mut slot.audio else { return };
        let negotiated = body.ok_or(SdpError::NoAudio).and_then(|body| audio.negotiator.accept_answer(&body));
        match negotiated {
            Ok(negotiated) => {
                if audio.change_agreed(call, negotiated, &slot.events) {
                    self.begin_music(call);
                }
            }
            Err(error) => {
                tracing::debug!(%error, "the answer cannot be used");
                audio.change_failed(Refusal::from(&error).status, false);
                if !audio.is_running() {
                    // The first answer, in an ACK: without it there is no session.
                    self.agent.hangup(self.io.now(), call).ok();
                }
            }
        }
        self.change_over(call);
    }
}
