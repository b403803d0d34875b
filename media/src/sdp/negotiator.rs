//! Offer and answer (RFC 3264).

use super::description::{Description, Line};
use super::{DTMF_PAYLOAD_TYPE, Direction, Format, LocalMedia, Negotiated};
use core::net::IpAddr;
use sdp_types::{Attribute, Connection, Media, Origin, Session};
use sidetone_codecs::{CodecChoice, CodecSpec, Fmtp, find_static};

/// The name of the format that carries digits (RFC 4733 §7.1.1), and its only clock that we speak.
const TELEPHONE_EVENT: (&str, u32) = ("telephone-event", 8000);
/// Where dynamic payload types begin (RFC 3551 §6).
const FIRST_DYNAMIC: u8 = 96;

/// Why a description was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SdpError {
    /// The text is not SDP.
    #[error("malformed SDP: {0}")]
    Malformed(String),
    /// The text is longer than anything that a phone sends.
    #[error("SDP with {got} {what}, at most {most} are accepted")]
    TooLong {
        /// What there is too much of.
        what: &'static str,
        /// How many there are.
        got: usize,
        /// How many may be.
        most: usize,
    },
    /// Audio is to go to an address that we do not send to.
    #[error("cannot send audio there: {0}")]
    Address(String),
    /// The description has no audio stream over RTP.
    #[error("no m=audio line with RTP/AVP")]
    NoAudio,
    /// The description has audio, but no codec that we have too.
    #[error("no codec in common; the other side has {0}")]
    NoCommonCodec(String),
    /// The answer does not belong to our offer.
    #[error("the answer does not fit the offer: {0}")]
    AnswerMismatch(&'static str),
    /// An offer came while our own waits for its answer.
    #[error("an offer of ours is not answered yet")]
    OfferPending,
    /// An answer came, but we offered nothing.
    #[error("no offer of ours to answer")]
    NoOffer,
}

impl SdpError {
    /// The SIP status that refuses the description (RFC 3261 §21.4.26, RFC 6337 §3.4).
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::Malformed(_) | Self::TooLong { .. } | Self::NoOffer => 400,
            Self::Address(_) | Self::NoAudio | Self::NoCommonCodec(_) | Self::AnswerMismatch(_) => 488,
            Self::OfferPending => 491,
        }
    }

    /// The code for a Warning header that goes with the status (RFC 3261 §20.43).
    #[must_use]
    pub const fn warning(&self) -> u16 {
        match self {
            Self::Address(_) => 301,
            Self::NoAudio => 304,
            Self::NoCommonCodec(_) => 305,
            _ => 399,
        }
    }
}

/// One side of a session's offers and answers: knows what was said, and so what may be said next.
///
/// Payload types, the order of `m=` lines and the origin stay the same for the session's life, and the
/// version goes up when, and only when, the description changes (RFC 3264 §8).
#[derive(Clone, Debug)]
pub struct Negotiator {
    local: LocalMedia,
    session_id: u64,
    version: u64,
    /// What the description of `version` said, without the origin.
    said: Option<(Connection, Vec<Media>)>,
    /// Which number means what, since it was first said.
    formats: Vec<Format>,
    dtmf_payload_type: Option<u8>,
    /// The `m=` lines of the session; offers repeat them all.
    lines: Vec<Slot>,
    audio: usize,
    exchange: Exchange,
    current: Option<Negotiated>,
}

/// One `m=` line as both sides know it.
#[derive(Clone, Debug)]
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

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Exchange {
    /// Nothing was said, or the other side's offer was answered last.
    Idle,
    /// Our offer, with this direction, waits.
    Offered(Direction),
    /// Our offer was answered; another answer to it may come (early media, then 200; or a fork).
    Answered(Direction),
}

impl Negotiator {
    /// A session with nothing said yet. `session_id` must be unique for the host: a random number, or the time.
    #[must_use]
    pub fn new(local: LocalMedia, session_id: u64) -> Self {
        Self {
            local,
            // The origin's numbers must fit a signed 64-bit integer for some readers.
            session_id: session_id >> 1,
            version: 0,
            said: None,
            formats: Vec::new(),
            dtmf_payload_type: None,
            lines: Vec::new(),
            audio: 0,
            exchange: Exchange::Idle,
            current: None,
        }
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

    /// What the last complete exchange agreed on.
    #[must_use]
    pub const fn current(&self) -> Option<&Negotiated> {
        self.current.as_ref()
    }

    /// Whether an offer of ours waits for its answer.
    #[must_use]
    pub const fn is_offer_pending(&self) -> bool {
        matches!(self.exchange, Exchange::Offered(_))
    }

    /// A first or another offer. It waits for [`accept_answer`](Self::accept_answer) or
    /// [`rollback`](Self::rollback); an earlier one that waits is forgotten.
    pub fn offer(&mut self, direction: Direction) -> Vec<u8> {
        self.number_formats();
        let formats: Vec<Format> =
            self.local.codecs.iter().filter_map(|choice| self.format_of(choice.codec)).collect();
        let dtmf = self.dtmf_payload_type.filter(|_| self.local.dtmf);
        if self.lines.is_empty() {
            let fmt = String::new();
            self.lines.push(Slot { media: "audio".into(), proto: "RTP/AVP".into(), fmt });
            self.audio = 0;
        }
        self.exchange = Exchange::Offered(direction);
        self.describe(&formats, dtmf, direction, true)
    }

    /// Answers an offer: the text to send back, and what is agreed on by it. `want` is what we would do if
    /// the other side did not mind.
    ///
    /// # Errors
    /// [`SdpError::status`] says which SIP response refuses the offer; the session stays as it was.
    pub fn answer(&mut self, offer: &[u8], want: Direction) -> Result<(Vec<u8>, Negotiated), SdpError> {
        if self.is_offer_pending() {
            return Err(SdpError::OfferPending);
        }
        let description = Description::parse(offer)?;
        let (index, line, formats) = self.choose(&description)?;
        let remote_rtp = line.rtp()?;
        let offered =
            Direction::new(line.direction.sends(), line.direction.receives() && remote_rtp.is_some());
        let direction = want.intersection(offered.reverse());
        // Only a line that is there already may be switched off by port 0 (RFC 3264 §8.2).
        let enabled = line.port != 0;
        let direction = if enabled { direction } else { Direction::Inactive };
        let first = formats.first().copied().ok_or_else(|| no_common_codec(line))?;
        let dtmf = telephone_event(line).filter(|_| self.local.dtmf);
        let to_send = common(line, &self.local.codecs, Fmtp::agree);
        let to_send = to_send.iter().find(|format| format.payload_type == first.payload_type);

        let negotiated = Negotiated {
            codec: first.codec,
            payload_type: first.payload_type,
            fmtp: to_send.map_or(first.fmtp, |format| format.fmtp),
            dtmf_payload_type: dtmf,
            receive: formats.clone(),
            dtmf_receive_payload_type: dtmf,
            remote_rtp,
            remote_rtcp: line.rtcp(),
            direction,
            remote_hold: !offered.receives(),
            ptime: self.ptime(first.codec, line),
        };
        self.lines = description.lines.iter().map(Slot::of).collect();
        self.audio = index;
        for format in &formats {
            self.remember(*format);
        }
        self.dtmf_payload_type = dtmf.or(self.dtmf_payload_type);
        self.exchange = Exchange::Idle;
        self.current = Some(negotiated.clone());
        Ok((self.describe(&formats, dtmf, direction, enabled), negotiated))
    }

    /// Takes the answer to our offer. It may come again, in a 200 after a 183 or from another branch.
    ///
    /// # Errors
    /// The answer cannot be used; the session stays as it was before the offer, which still waits.
    pub fn accept_answer(&mut self, answer: &[u8]) -> Result<Negotiated, SdpError> {
        let (Exchange::Offered(asked) | Exchange::Answered(asked)) = self.exchange else {
            return Err(SdpError::NoOffer);
        };
        let description = Description::parse(answer)?;
        if description.lines.len() != self.lines.len() {
            return Err(SdpError::AnswerMismatch("another number of m= lines"));
        }
        let line = description.lines.get(self.audio).ok_or(SdpError::NoAudio)?;
        if !line.is_rtp_audio() {
            return Err(SdpError::AnswerMismatch("m=audio became something else"));
        }
        if line.port == 0 {
            return Err(SdpError::AnswerMismatch("audio was rejected"));
        }
        // The answer's order says what the other side wants to get (RFC 3264 §6.1).
        let send: Vec<Format> = common(line, &self.local.codecs, Fmtp::agree);
        let first = *send.first().ok_or_else(|| no_common_codec(line))?;
        let remote_rtp = line.rtp()?;
        let answered =
            Direction::new(line.direction.sends(), line.direction.receives() && remote_rtp.is_some());
        let dtmf = telephone_event(line).filter(|_| self.local.dtmf);
        let negotiated = Negotiated {
            codec: first.codec,
            payload_type: first.payload_type,
            fmtp: first.fmtp,
            dtmf_payload_type: dtmf,
            receive: send.iter().filter_map(|format| self.format_of(format.codec)).collect(),
            dtmf_receive_payload_type: self.dtmf_payload_type.filter(|_| dtmf.is_some()),
            remote_rtp,
            remote_rtcp: line.rtcp(),
            direction: asked.intersection(answered.reverse()),
            remote_hold: asked.sends() && !answered.receives(),
            ptime: self.ptime(first.codec, line),
        };
        self.exchange = Exchange::Answered(asked);
        self.current = Some(negotiated.clone());
        Ok(negotiated)
    }

    /// Our offer was refused, or it met one from the other side: what was agreed on before holds.
    pub fn rollback(&mut self) {
        self.exchange = Exchange::Idle;
        if self.current.is_none() {
            self.lines.clear();
        }
    }

    /// The line to use, and what it has in common with us in the order that counts.
    fn choose<'a>(&self, offer: &'a Description) -> Result<(usize, &'a Line, Vec<Format>), SdpError> {
        let audio = || offer.lines.iter().enumerate().filter(|(_, line)| line.is_rtp_audio());
        if let Some(current) = &self.current
            && let Some((index, line)) = audio().find(|(index, _)| *index == self.audio)
        {
            let formats = if line.port == 0 { current.receive.clone() } else { self.ordered(line) };
            return Ok((index, line, formats));
        }
        audio()
            .filter(|(_, line)| line.port != 0)
            .map(|(index, line)| (index, line, self.ordered(line)))
            .find(|(_, _, formats)| !formats.is_empty())
            .ok_or_else(|| {
                audio()
                    .find(|(_, line)| line.port != 0)
                    .map_or(SdpError::NoAudio, |(_, line)| no_common_codec(line))
            })
    }

    fn ordered(&self, line: &Line) -> Vec<Format> {
        let mut formats = common(line, &self.local.codecs, Fmtp::answer);
        if self.local.own_order {
            formats.sort_by_key(|format| {
                self.local.codecs.iter().position(|choice| choice.codec == format.codec)
            });
        }
        formats
    }

    /// What the other side wants, within what the codec and we can do.
    fn ptime(&self, codec: &CodecSpec, line: &Line) -> u8 {
        let (least, most) = codec.ptime_range;
        let wanted = line.ptime.unwrap_or(self.local.ptime);
        let most = line.max_ptime.unwrap_or(most).clamp(least, most);
        // Whole frames, and whole 10 ms, for that is how audio is taken from the microphone.
        let unit = ((codec.frame_samples as u32 * 1000 / codec.sample_rate) as u8).max(10);
        (wanted.clamp(least, most) / unit * unit).max(unit)
    }

    fn format_of(&self, codec: &CodecSpec) -> Option<Format> {
        self.formats.iter().copied().find(|format| format.codec == codec)
    }

    fn remember(&mut self, format: Format) {
        match self.formats.iter_mut().find(|known| known.codec == format.codec) {
            Some(known) => *known = format,
            None => self.formats.push(format),
        }
    }

    /// Gives every codec of ours a number that nothing else has.
    fn number_formats(&mut self) {
        for &CodecChoice { codec, fmtp } in &self.local.codecs.clone() {
            if self.format_of(codec).is_none() {
                let number = codec.payload_type.filter(|number| self.is_free(*number));
                if let Some(payload_type) = number.or_else(|| self.free_dynamic()) {
                    self.formats.push(Format { payload_type, codec, fmtp });
                }
            }
        }
        if self.local.dtmf && self.dtmf_payload_type.is_none() {
            let usual = Some(DTMF_PAYLOAD_TYPE).filter(|number| self.is_free(*number));
            self.dtmf_payload_type = usual.or_else(|| self.free_dynamic());
        }
    }

    fn free_dynamic(&self) -> Option<u8> {
        (FIRST_DYNAMIC..128).find(|number| *number != DTMF_PAYLOAD_TYPE && self.is_free(*number))
    }

    fn is_free(&self, number: u8) -> bool {
        self.dtmf_payload_type != Some(number)
            && self.formats.iter().all(|format| format.payload_type != number)
    }

    /// Writes a description of all lines, with audio as given and the rest refused.
    fn describe(
        &mut self,
        formats: &[Format],
        dtmf: Option<u8>,
        direction: Direction,
        enabled: bool,
    ) -> Vec<u8> {
        let connection = Connection::from_ip_addr(self.local.address);
        let medias: Vec<Media> = self
            .lines
            .iter()
            .enumerate()
            .map(|(index, slot)| {
                if index == self.audio && enabled {
                    self.audio_line(&slot.proto, formats, dtmf, direction)
                } else {
                    media(&slot.media, 0, &slot.proto, &slot.fmt)
                }
            })
            .collect();
        let now = (connection, medias);
        if self.said.as_ref().is_some_and(|said| *said != now) {
            self.version += 1;
        }
        let (connection, medias) = now.clone();
        self.said = Some(now);
        let session = Session {
            connection: Some(connection),
            medias,
            ..Session::new(origin(self.session_id, self.version, self.local.address), "-")
        };
        let mut text = Vec::with_capacity(512);
        // Writing to memory cannot fail.
        let _ = session.write(&mut text);
        text
    }

    fn audio_line(&self, proto: &str, formats: &[Format], dtmf: Option<u8>, direction: Direction) -> Media {
        let numbers: Vec<String> =
            formats.iter().map(|format| format.payload_type).chain(dtmf).map(|n| n.to_string()).collect();
        let mut line = media("audio", self.local.rtp_port, proto, &numbers.join(" "));
        let mut add = |name: &str, value: String| line.attributes.push(Attribute::with_value(name, value));
        for Format { payload_type, codec, fmtp } in formats {
            let channels = if codec.channels == 1 { String::new() } else { format!("/{}", codec.channels) };
            add("rtpmap", format!("{payload_type} {}/{}{channels}", codec.name, codec.rtp_clock));
            if fmtp.says_something() {
                add("fmtp", format!("{payload_type} {fmtp}"));
            }
        }
        if let Some(number) = dtmf {
            add("rtpmap", format!("{number} {}/{}", TELEPHONE_EVENT.0, TELEPHONE_EVENT.1));
            add("fmtp", format!("{number} 0-15"));
        }
        add("ptime", self.local.ptime.to_string());
        if self.local.rtp_port.checked_add(1) != Some(self.local.rtcp_port) {
            add("rtcp", self.local.rtcp_port.to_string());
        }
        line.attributes.push(Attribute::new(direction.as_str()));
        line
    }
}

/// What a line and we have in common, in the line's order and with its numbers; `parameters` makes those of a format
/// from ours and theirs.
fn common(line: &Line, ours: &[CodecChoice], parameters: fn(&Fmtp, &Fmtp) -> Option<Fmtp>) -> Vec<Format> {
    let mut formats: Vec<Format> = Vec::new();
    for remote in &line.formats {
        let same = |codec: &'static CodecSpec| match &remote.map {
            Some((name, clock, channels)) => codec.is(name, *clock, *channels),
            None => Some(codec) == find_static(remote.payload_type),
        };
        let Some(CodecChoice { codec, fmtp: wanted }) = ours.iter().find(|choice| same(choice.codec)) else {
            continue;
        };
        if formats.iter().any(|format| format.codec == *codec) {
            continue;
        }
        // Parameters that we cannot do make it another format (RFC 3264 §6.1).
        let Ok(theirs) = Fmtp::parse(codec.fmtp, &remote.fmtp) else { continue };
        if let Some(fmtp) = parameters(wanted, &theirs) {
            formats.push(Format { payload_type: remote.payload_type, codec, fmtp });
        }
    }
    formats
}

fn telephone_event(line: &Line) -> Option<u8> {
    let (name, clock) = TELEPHONE_EVENT;
    let is_event = |map: &(String, u32, u8)| map.0.eq_ignore_ascii_case(name) && map.1 == clock;
    line.formats
        .iter()
        .find(|format| format.map.as_ref().is_some_and(is_event))
        .map(|format| format.payload_type)
}

fn no_common_codec(line: &Line) -> SdpError {
    let names = line.formats.iter().map(|format| match &format.map {
        Some((name, clock, _)) => format!("{name}/{clock}"),
        None => format!("payload type {}", format.payload_type),
    });
    SdpError::NoCommonCodec(names.collect::<Vec<_>>().join(", "))
}

fn origin(session_id: u64, version: u64, address: IpAddr) -> Origin {
    Origin::with_ip_addr(session_id, version, address)
}

fn media(name: &str, port: u16, proto: &str, fmt: &str) -> Media {
    Media {
        media: name.into(),
        port,
        num_ports: None,
        proto: proto.into(),
        fmt: fmt.into(),
        media_title: None,
        connections: Vec::new(),
        bandwidths: Vec::new(),
        key: None,
        attributes: Vec::new(),
    }
}
