//! Offer and answer (RFC 3264).

use super::describe::{self, AudioLine};
use super::description::{Description, Line};
use super::formats::{self, COMFORT_NOISE, COMFORT_NOISE_TYPE, Match, Ours, REDUNDANCY, TELEPHONE_EVENT};
use super::numbers::{Meaning, Numbers};
use super::security::{Keying, Security};
use super::{Direction, Format, HoldStyle, LocalMedia, Negotiated, Redundancy, RtcpXr, SdpError, SideFormat};
use crate::srtp::{Sdes, SrtpPolicy};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use sdp_types::{Connection, Media};
use sidetone_codecs::Fmtp;

/// The most packets back that redundancy repeats, whatever is wished.
const MAX_GENERATIONS: u8 = 4;

/// One side of a session's offers and answers: knows what was said, and so what may be said next.
///
/// Payload types, the order of `m=` lines and the origin stay the same for the session's life, and the
/// version goes up when, and only when, the description changes (RFC 3264 §8).
#[derive(Clone)]
pub struct Negotiator {
    local: LocalMedia,
    session_id: u64,
    version: u64,
    /// What the description of `version` said, without the origin.
    said: Option<(Connection, Vec<Media>)>,
    /// Which number means what, since it was first said.
    numbers: Numbers,
    /// The `m=` lines of the session; offers repeat them all.
    lines: Vec<Slot>,
    audio: usize,
    /// Our offer that waits, or was answered last and may be answered again (early media, then 200; or a fork).
    offer: Option<Offer>,
    security: Security,
    /// The address that the other side chose of ours.
    address: Option<IpAddr>,
    current: Option<Negotiated>,
}

/// One `m=` line as both sides know it.
#[derive(Clone)]
struct Slot {
    media: String,
    proto: String,
    fmt: String,
}

impl Slot {
    fn of(line: &Line) -> Self {
        Self { media: line.media.clone(), proto: line.proto.clone(), fmt: line.fmt.clone() }
    }
}

/// What an offer of ours said.
#[derive(Clone)]
struct Offer {
    direction: Direction,
    answered: bool,
    formats: Vec<Format>,
    events: Vec<SideFormat>,
    noise: Vec<SideFormat>,
    /// Number and clock.
    redundancy: Option<SideFormat>,
}

/// A line of an offer that we take.
struct Choice<'a> {
    index: usize,
    line: &'a Line,
    rtp: Option<SocketAddr>,
    matches: Vec<Match>,
    keying: Keying,
    security: Security,
}

impl Negotiator {
    /// A session with nothing said yet, and without encryption. `session_id` must be unique for the host: a random
    /// number, or the time.
    #[must_use]
    pub fn new(local: LocalMedia, session_id: u64) -> Self {
        Self {
            local,
            // The origin's numbers must fit a signed 64-bit integer for some readers.
            session_id: session_id >> 1,
            version: 0,
            said: None,
            numbers: Numbers::default(),
            lines: Vec::new(),
            audio: 0,
            offer: None,
            security: Security::default(),
            address: None,
            current: None,
        }
    }

    /// The same session with encryption: keys come by `sdes`, or by DTLS where [`LocalMedia::fingerprint`] is told. An
    /// offer of [`SrtpPolicy::Compulsory`] is made with DTLS if `sdes` is none; one of [`SrtpPolicy::Optional`] has what
    /// either needs in a line of speech in the clear (RFC 8643), and DTLS is taken where a line has both.
    #[must_use]
    pub fn with_srtp(mut self, policy: SrtpPolicy, sdes: Option<Sdes>) -> Self {
        self.security = Security::new(policy, sdes);
        self
    }

    /// The same session, whose offer of [`SrtpPolicy::Compulsory`] is made with DTLS even if keys may come by SDP too.
    #[must_use]
    pub const fn with_dtls_first(mut self, first: bool) -> Self {
        self.security.set_dtls_first(first);
        self
    }

    /// What we can do.
    #[must_use]
    pub const fn local(&self) -> &LocalMedia {
        &self.local
    }

    /// Changes what we can do; the next offer or answer says it.
    pub fn set_local(&mut self, local: LocalMedia) {
        self.local = local;
    }

    /// The next offer brings new keys (RFC 4568 §7.1.4), where keys come by SDP.
    pub fn rekey(&mut self) {
        self.security.rekey();
    }

    /// What the last complete exchange agreed on.
    #[must_use]
    pub const fn current(&self) -> Option<&Negotiated> {
        self.current.as_ref()
    }

    /// Whether an offer of ours waits for its answer.
    #[must_use]
    pub fn is_offer_pending(&self) -> bool {
        self.offer.as_ref().is_some_and(|offer| !offer.answered)
    }

    /// A first or another offer. It waits for [`accept_answer`](Self::accept_answer) or
    /// [`rollback`](Self::rollback); an earlier one that waits is forgotten.
    ///
    /// It has keys in it if [`with_srtp`](Self::with_srtp) says so: not for logs.
    pub fn offer(&mut self, direction: Direction) -> Vec<u8> {
        if self.lines.is_empty() {
            let proto = self.security.proto(&self.local).into();
            self.lines.push(Slot { media: "audio".into(), proto, fmt: String::new() });
            self.audio = 0;
        }
        let offer = self.number_offer(direction);
        let proto = self.lines.get(self.audio).map_or("", |slot| slot.proto.as_str());
        let (crypto, setup) = self.security.offer(proto, &self.local, self.current.as_ref());
        let receive_payload_type = offer.redundancy.map(|red| red.payload_type);
        let line = AudioLine {
            formats: offer.formats.clone(),
            events: offer.events.clone(),
            noise: offer.noise.clone(),
            redundancy: receive_payload_type.map(|payload_type| Redundancy {
                payload_type,
                receive_payload_type: payload_type,
                generations: self.local.redundancy.min(MAX_GENERATIONS),
            }),
            direction,
            crypto,
            setup,
            rtcp_mux: self.local.rtcp_mux,
            rtcp_reduced_size: self.local.rtcp_reduced_size,
            alternative: true,
        };
        self.offer = Some(offer);
        self.describe(Some(&line), direction)
    }

    /// Answers an offer: the text to send back, and what is agreed on by it. `want` is what we would do if
    /// the other side did not mind.
    ///
    /// The text has a key in it if the agreement has: not for logs.
    ///
    /// # Errors
    /// [`SdpError::status`] says which SIP response refuses the offer; the session stays as it was.
    pub fn answer(&mut self, offer: &[u8], want: Direction) -> Result<(Vec<u8>, Negotiated), SdpError> {
        if self.is_offer_pending() {
            return Err(SdpError::OfferPending);
        }
        let description = Description::parse(offer)?;
        let Some(choice) = self.choose(&description)? else { return self.switch_off(&description) };
        let (line, rtp) = (choice.line, choice.rtp);
        let mut numbers = self.numbers.clone();
        numbers.begin();
        let keep = self.kept_numbers();
        let mut formats = Vec::new();
        let mut first = None;
        for matched in &choice.matches {
            let (wanted, said) = (matched.wanted, matched.receive());
            let meaning = Meaning::Codec(matched.codec);
            let number = numbers.answer(meaning, matched.payload_type, Some(wanted), Some(said), &keep);
            if let Some(payload_type) = number {
                formats.push(Format { payload_type, codec: matched.codec, fmtp: said });
                first = first.or(Some(*matched));
            }
        }
        let first = first.ok_or_else(|| no_common_codec(line))?;
        let clock = first.codec.rtp_clock;
        let remote_events = self.remote_sides(line, TELEPHONE_EVENT, self.local.dtmf);
        let remote_noise = self.remote_sides(line, COMFORT_NOISE, self.local.comfort_noise);
        let mut answer_sides = |remote: &[SideFormat], meaning: fn(u32) -> Meaning| -> Vec<SideFormat> {
            let spoken =
                |side: &SideFormat| formats.iter().any(|format| format.codec.rtp_clock == side.clock);
            // Many say events at 8000 Hz only, whatever the codec: better those than none.
            let any = remote.iter().any(spoken);
            let ours = remote.iter().filter(|side| spoken(side) || !any).filter_map(|side| {
                let number = numbers.answer(meaning(side.clock), side.payload_type, None, None, &keep)?;
                Some(SideFormat { payload_type: number, clock: side.clock })
            });
            ours.collect()
        };
        let events = answer_sides(&remote_events, Meaning::Events);
        let noise = answer_sides(&remote_noise, Meaning::Noise);
        let redundancy = self.remote_redundancy(line, clock).and_then(|(theirs, generations)| {
            let ours = numbers.answer(Meaning::Redundancy(clock), theirs, None, None, &keep)?;
            Some(Redundancy { payload_type: theirs, receive_payload_type: ours, generations })
        });
        let offered = Direction::new(line.direction.sends(), line.direction.receives() && rtp.is_some());
        let negotiated = Negotiated {
            receive: formats.clone(),
            events: events.clone(),
            noise: noise.clone(),
            redundancy,
            direction: want.intersection(offered.reverse()),
            remote_hold: !offered.receives(),
            ..self.agreement(line, rtp, &first, &choice.keying)
        };
        let negotiated = with_sides(negotiated, &remote_events, &remote_noise);
        let setup = choice.keying.setup();
        let crypto = choice.keying.into_line();
        let answer = AudioLine {
            formats,
            events,
            noise,
            redundancy,
            direction: negotiated.direction,
            crypto: crypto.into_iter().collect(),
            setup,
            rtcp_mux: negotiated.rtcp_mux,
            rtcp_reduced_size: negotiated.rtcp_reduced_size,
            alternative: false,
        };
        (self.audio, self.security, self.numbers) = (choice.index, choice.security, numbers);
        self.lines = description.lines.iter().map(Slot::of).collect();
        self.address = rtp.and_then(|rtp| self.local.address_like(rtp.ip())).or(self.address);
        self.offer = None;
        self.current = Some(negotiated.clone());
        Ok((self.describe(Some(&answer), want), negotiated))
    }

    /// Takes the answer to our offer. It may come twice: early, and in the final response.
    ///
    /// # Errors
    /// The answer cannot be used; the session stays as it was before the offer, which still waits.
    pub fn accept_answer(&mut self, answer: &[u8]) -> Result<Negotiated, SdpError> {
        let Some(offer) = &self.offer else { return Err(SdpError::NoOffer) };
        let description = Description::parse(answer)?;
        if description.lines.len() != self.lines.len() {
            return Err(SdpError::AnswerMismatch("another number of m= lines"));
        }
        let line = description.lines.get(self.audio).ok_or(SdpError::NoAudio)?;
        if !line.is_audio() {
            return Err(SdpError::AnswerMismatch("m=audio became something else"));
        }
        if line.port == 0 {
            let Some(current) = &mut self.current else {
                return Err(SdpError::AnswerMismatch("audio was rejected"));
            };
            // The other side ended a stream that was there.
            switched_off(current);
            let negotiated = current.clone();
            self.answered();
            return Ok(negotiated);
        }
        if line.profile.is_none() {
            return Err(SdpError::AnswerMismatch("m=audio is not over RTP"));
        }
        let rtp = line.rtp(&self.local)?;
        let ours = |format: &Format| Ours {
            codec: format.codec,
            fmtp: format.fmtp,
            payload_type: Some(format.payload_type),
        };
        let ours: Vec<Ours> = offer.formats.iter().map(ours).collect();
        // The answer's order says what the other side wants to get (RFC 3264 §6.1).
        let matches = formats::common(line, &ours);
        let first = *matches.first().ok_or_else(|| no_common_codec(line))?;
        let mut security = self.security.clone();
        let keying = security.accept(line, &self.local, self.current.as_ref())?;
        let receive = matches.iter().filter_map(|matched| {
            let payload_type = offer.formats.get(matched.ours)?.payload_type;
            Some(Format { payload_type, codec: matched.codec, fmtp: matched.receive() })
        });
        // With numbers of its own an answer does not tell which of several formats of one codec it takes: it may send any.
        let others = offer.formats.iter().enumerate().filter_map(|(index, format)| {
            let taken = matches.iter().any(|matched| matched.ours == index);
            let fmtp = matches.iter().find_map(|matched| matched.receive_as(format.codec, &format.fmtp));
            fmtp.filter(|_| !taken).map(|fmtp| Format { fmtp, ..*format })
        });
        let receive: Vec<Format> = receive.chain(others).collect();
        let remote_events = self.remote_sides(line, TELEPHONE_EVENT, self.local.dtmf);
        let remote_noise = self.remote_sides(line, COMFORT_NOISE, self.local.comfort_noise);
        let both = |ours: &[SideFormat], theirs: &[SideFormat]| -> Vec<SideFormat> {
            let answered = |side: &&SideFormat| theirs.iter().any(|theirs| theirs.clock == side.clock);
            ours.iter().filter(answered).copied().collect()
        };
        let clock = first.codec.rtp_clock;
        let redundancy = offer.redundancy.filter(|red| red.clock == clock).and_then(|red| {
            let (payload_type, generations) = self.remote_redundancy(line, clock)?;
            Some(Redundancy { payload_type, receive_payload_type: red.payload_type, generations })
        });
        let answered = Direction::new(line.direction.sends(), line.direction.receives() && rtp.is_some());
        let negotiated = Negotiated {
            receive,
            events: both(&offer.events, &remote_events),
            noise: both(&offer.noise, &remote_noise),
            redundancy,
            direction: offer.direction.intersection(answered.reverse()),
            remote_hold: offer.direction.sends() && !answered.receives(),
            ..self.agreement(line, rtp, &first, &keying)
        };
        let negotiated = with_sides(negotiated, &remote_events, &remote_noise);
        self.security = security;
        self.address = rtp.and_then(|rtp| self.local.address_like(rtp.ip())).or(self.address);
        self.current = Some(negotiated.clone());
        self.answered();
        Ok(negotiated)
    }

    /// Our origin as it stands (RFC 8866 §5.2), for who describes the session in our place.
    #[must_use]
    pub fn origin(&self) -> String {
        let text = describe::origin(&self.local, self.session_id, self.version);
        format!("o={text}\r\n")
    }

    /// Somebody described the session in our place, up to this version: the next description of ours has a higher one,
    /// whatever it says.
    pub fn version_used(&mut self, version: u64) {
        self.version = self.version.max(version.saturating_add(1));
        self.said = None;
    }

    /// Our offer was refused, or it met one from the other side: what was agreed on before holds.
    pub fn rollback(&mut self) {
        self.offer = None;
        self.security.rollback();
        if self.current.is_none() {
            self.lines.clear();
        }
    }

    fn answered(&mut self) {
        if let Some(offer) = &mut self.offer {
            offer.answered = true;
        }
    }

    /// The line to take, and what it has in common with us in the order that counts; none if the other side switches
    /// off what there was (RFC 3264 §8.2).
    fn choose<'a>(&self, offer: &'a Description) -> Result<Option<Choice<'a>>, SdpError> {
        let mut lines: Vec<(usize, &Line)> = offer.lines.iter().enumerate().collect();
        // The stream that there is goes on if it can.
        if self.current.is_some() {
            lines.sort_by_key(|(index, _)| *index != self.audio);
        }
        let mut refused = None;
        for (index, line) in lines {
            if line.is_audio() && line.port != 0 {
                match self.take(index, line) {
                    Ok(choice) => return Ok(Some(choice)),
                    Err(error) => refused = refused.or(Some(error)),
                }
            }
        }
        let has_ended = self.current.is_some() && offer.lines.iter().all(|line| line.port == 0);
        if has_ended { Ok(None) } else { Err(refused.unwrap_or(SdpError::NoAudio)) }
    }

    fn take<'a>(&self, index: usize, line: &'a Line) -> Result<Choice<'a>, SdpError> {
        let mut security = self.security.clone();
        let keying = security.answer(line, &self.local, self.current.as_ref())?;
        let rtp = line.rtp(&self.local)?;
        let mut matches = formats::common(line, &self.choices());
        if matches.is_empty() {
            return Err(no_common_codec(line));
        }
        if self.local.own_order {
            matches.sort_by_key(|matched| matched.ours);
        }
        Ok(Choice { index, line, rtp, matches, keying, security })
    }

    /// The other side has switched every stream off.
    fn switch_off(&mut self, offer: &Description) -> Result<(Vec<u8>, Negotiated), SdpError> {
        let current = self.current.as_mut().ok_or(SdpError::NoAudio)?;
        switched_off(current);
        let negotiated = current.clone();
        self.lines = offer.lines.iter().map(Slot::of).collect();
        self.offer = None;
        Ok((self.describe(None, Direction::Inactive), negotiated))
    }

    /// What one line of the other side settles by itself; the rest is the caller's.
    fn agreement(&self, line: &Line, rtp: Option<SocketAddr>, first: &Match, keying: &Keying) -> Negotiated {
        let anywhere = (Ipv4Addr::UNSPECIFIED, 0).into();
        let rtcp_mux = line.rtcp_mux && self.local.rtcp_mux;
        let fmtp = first.send();
        let ptime = line.ptime.unwrap_or(self.local.ptime);
        Negotiated {
            fmtp,
            remote_rtp: rtp,
            remote_rtcp: rtp.and_then(|rtp| if rtcp_mux { Some(rtp) } else { line.rtcp(rtp) }),
            rtcp_mux,
            rtcp_reduced_size: line.rtcp_reduced_size && self.local.rtcp_reduced_size,
            rtcp_xr: if self.local.rtcp_xr.is_empty() {
                RtcpXr::default()
            } else {
                line.rtcp_xr.intersection(self.local.rtcp_xr)
            },
            srtp: keying.keys(),
            dtls: keying.dtls(),
            remote_bandwidth: line.bandwidth,
            ptime: formats::ptime(first.codec, &fmtp, ptime, line.max_ptime),
            max_ptime: line.max_ptime,
            ..Negotiated::new(first.codec, first.payload_type, anywhere)
        }
    }

    /// What the other side has of a format beside the codecs, at the clock of each codec of ours and at 8000 Hz.
    fn remote_sides(&self, line: &Line, name: &str, wanted: bool) -> Vec<SideFormat> {
        let mut sides: Vec<SideFormat> = Vec::new();
        let clocks = self.local.codecs.iter().map(|choice| choice.codec.rtp_clock);
        for clock in clocks.chain([8000]).filter(|_| wanted) {
            let known = sides.iter().any(|side| side.clock == clock);
            if let Some(format) = formats::side(line, name, clock).filter(|_| !known) {
                sides.push(SideFormat { payload_type: format.payload_type, clock });
            }
        }
        sides
    }

    /// The other side's number for redundancy, and how many packets back both want.
    fn remote_redundancy(&self, line: &Line, clock: u32) -> Option<(u8, u8)> {
        let ours = self.local.redundancy.min(MAX_GENERATIONS);
        let format = formats::side(line, REDUNDANCY, clock).filter(|_| ours > 0)?;
        let theirs = format.fmtp.bytes().filter(|octet| *octet == b'/').count().clamp(1, ours.into());
        Some((format.payload_type, theirs as u8))
    }

    /// The formats that our codecs make, each once.
    fn choices(&self) -> Vec<Ours> {
        let mut choices: Vec<Ours> = Vec::new();
        for choice in &self.local.codecs {
            let is_same = |known: &Ours| {
                known.codec == choice.codec && formats::same_format(&known.fmtp, &choice.fmtp, choice.codec)
            };
            if !choices.iter().any(is_same) {
                choices.push(Ours { codec: choice.codec, fmtp: choice.fmtp, payload_type: None });
            }
        }
        choices
    }

    /// The numbers that are wished for, which others are not to have.
    fn kept_numbers(&self) -> Vec<u8> {
        let wished = self.local.payload_types.iter().map(|(_, number)| *number);
        wished.chain(Some(self.local.dtmf_payload_type).filter(|_| self.local.dtmf)).collect()
    }

    /// Gives everything that we can do a number that nothing else has.
    fn number_offer(&mut self, direction: Direction) -> Offer {
        let (choices, keep) = (self.choices(), self.kept_numbers());
        let numbers = &mut self.numbers;
        numbers.begin();
        let mut formats: Vec<Format> = Vec::new();
        for Ours { codec, fmtp, .. } in &choices {
            let wishes = self.local.payload_types.iter().filter(|(wished, _)| *wished == *codec);
            let wishes: Vec<u8> = wishes.map(|(_, number)| *number).chain(codec.payload_type).collect();
            let is_choice =
                |said: &Fmtp| choices.iter().any(|other| other.codec == *codec && other.fmtp == *said);
            if let Some((payload_type, fmtp)) = numbers.offer(codec, *fmtp, is_choice, &wishes, &keep) {
                formats.push(Format { payload_type, codec, fmtp });
            }
        }
        let mut clocks: Vec<u32> = Vec::new();
        for Format { codec, .. } in &formats {
            if !clocks.contains(&codec.rtp_clock) {
                clocks.push(codec.rtp_clock);
            }
        }
        let is_noisy = |clock: &u32| {
            let noisy =
                |format: &Format| format.codec.rtp_clock == *clock && !formats::has_own_noise(format.codec);
            self.local.comfort_noise && formats.iter().any(noisy)
        };
        let noise = clocks.iter().copied().filter(is_noisy).filter_map(|clock| {
            let wish = if clock == 8000 { &[COMFORT_NOISE_TYPE][..] } else { &[] };
            Some(SideFormat { payload_type: numbers.side(Meaning::Noise(clock), wish, &keep)?, clock })
        });
        let noise = noise.collect();
        let red_clock = clocks.first().copied().filter(|_| self.local.redundancy > 0);
        let redundancy = red_clock.and_then(|clock| {
            Some(SideFormat { payload_type: numbers.side(Meaning::Redundancy(clock), &[], &keep)?, clock })
        });
        // The number that is wished for goes to the usual clock, which many say alone whatever the codec.
        clocks.retain(|clock| *clock != 8000);
        clocks.insert(0, 8000);
        let events = clocks.into_iter().filter(|_| self.local.dtmf).filter_map(|clock| {
            let wish = [self.local.dtmf_payload_type];
            Some(SideFormat { payload_type: numbers.side(Meaning::Events(clock), &wish, &keep)?, clock })
        });
        let events = events.collect();
        Offer { direction, answered: false, formats, events, noise, redundancy }
    }

    /// Writes a description of all lines, with audio as given and the rest refused. `want` is what we would do if the
    /// other side did not mind.
    fn describe(&mut self, audio: Option<&AudioLine>, want: Direction) -> Vec<u8> {
        let known = [Some(self.local.address), self.local.alternative];
        let address = self.address.filter(|address| known.contains(&Some(*address)));
        let address = address.unwrap_or(self.local.address);
        let is_zero = audio.is_some() && !want.receives() && self.local.hold_style == HoldStyle::ZeroAddress;
        let zero = match address {
            IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        };
        let connection = Connection::from_ip_addr(if is_zero { zero } else { address });
        let medias = self.lines.iter().enumerate().map(|(index, slot)| match audio {
            Some(audio) if index == self.audio => audio.media(&slot.proto, &self.local),
            _ => describe::media(&slot.media, 0, &slot.proto, &slot.fmt),
        });
        let now = (connection, medias.collect::<Vec<Media>>());
        if self.said.as_ref().is_some_and(|said| *said != now) {
            self.version += 1;
        }
        let (connection, medias) = now.clone();
        self.said = Some(now);
        describe::text(&self.local, self.session_id, self.version, connection, medias)
    }
}

impl core::fmt::Debug for Negotiator {
    /// Without what was said, which may have keys in it.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Negotiator")
            .field("local", &self.local)
            .field("version", &self.version)
            .field("offer_pending", &self.is_offer_pending())
            .field("current", &self.current)
            .finish_non_exhaustive()
    }
}

fn switched_off(agreed: &mut Negotiated) {
    (agreed.direction, agreed.remote_hold) = (Direction::Inactive, true);
    (agreed.remote_rtp, agreed.remote_rtcp) = (None, None);
}

/// Fills in the numbers that go with the codec that is sent.
fn with_sides(agreed: Negotiated, events: &[SideFormat], noise: &[SideFormat]) -> Negotiated {
    let clock = agreed.codec.rtp_clock;
    let at_clock =
        |sides: &[SideFormat]| sides.iter().find(|side| side.clock == clock).map(|side| side.payload_type);
    // Noise beside a codec that has its own would be made twice.
    let noise = at_clock(noise).filter(|_| !formats::has_own_noise(agreed.codec));
    Negotiated {
        dtmf_payload_type: at_clock(events),
        dtmf_receive_payload_type: at_clock(&agreed.events),
        noise_payload_type: noise,
        remote_events: events.to_vec(),
        ..agreed
    }
}

fn no_common_codec(line: &Line) -> SdpError {
    let names = line.formats.iter().map(|format| match &format.map {
        Some((name, clock, _)) => format!("{name}/{clock}"),
        None => format!("payload type {}", format.payload_type),
    });
    SdpError::NoCommonCodec(names.collect::<Vec<_>>().join(", "))
}
