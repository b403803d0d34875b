//! What a line of the other side and we have in common.

use super::description::{Line, RemoteFormat};
use sidetone_codecs::{Agree, CodecSpec, Fmtp, find_static};

/// The name of the format that carries digits (RFC 4733 §7.1.1).
pub(super) const TELEPHONE_EVENT: &str = "telephone-event";
/// Comfort noise (RFC 3389 §5).
pub(super) const COMFORT_NOISE: &str = "CN";
/// The static number of comfort noise at 8000 Hz.
pub(super) const COMFORT_NOISE_TYPE: u8 = 13;
/// Redundancy (RFC 2198 §5).
pub(super) const REDUNDANCY: &str = "red";

/// A codec of ours, as a negotiation looks at it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ours {
    pub(super) codec: &'static CodecSpec,
    pub(super) fmtp: Fmtp,
    /// Our number, where we have said one.
    pub(super) payload_type: Option<u8>,
}

/// A codec that both have.
#[derive(Clone, Copy, Debug)]
pub(super) struct Match {
    /// Its place among ours.
    pub(super) ours: usize,
    pub(super) codec: &'static CodecSpec,
    /// What we want of it.
    pub(super) wanted: Fmtp,
    /// The other side's number.
    pub(super) payload_type: u8,
    /// The other side's parameters.
    theirs: Fmtp,
}

impl Match {
    /// What comes to us goes by if the other side takes this codec for another format of ours; none if it cannot.
    pub(super) fn receive_as(&self, codec: &CodecSpec, offered: &Fmtp) -> Option<Fmtp> {
        if self.codec == codec { offered.answer(&self.theirs) } else { None }
    }

    /// The parameters that we send by.
    pub(super) fn send(&self) -> Fmtp {
        self.wanted.agree(&self.theirs).unwrap_or(self.wanted)
    }

    /// The parameters that we say in an answer, and that what comes to us goes by.
    pub(super) fn receive(&self) -> Fmtp {
        self.wanted.answer(&self.theirs).unwrap_or(self.wanted)
    }
}

/// The codecs that both have, in the line's order. Each of ours is matched at most once: with the very same parameters,
/// else with those that make payloads of the same shape, else with any that fit; and among these with the number that we
/// said.
pub(super) fn common(line: &Line, ours: &[Ours]) -> Vec<Match> {
    let mut matched: Vec<Option<Match>> = vec![None; line.formats.len()];
    let mut left: Vec<(usize, Ours)> = ours.iter().copied().enumerate().collect();
    let is_number = |ours: &Ours, remote: &RemoteFormat| ours.payload_type == Some(remote.payload_type);
    let is_exact = |ours: &Ours, theirs: &Fmtp| same_format(&ours.fmtp, theirs, ours.codec);
    type Pass<'a> = &'a dyn Fn(&Ours, &RemoteFormat, &Fmtp) -> bool;
    let passes: [Pass<'_>; 6] = [
        &|ours, remote, theirs| is_number(ours, remote) && is_exact(ours, theirs),
        &|ours, _, theirs| is_exact(ours, theirs),
        &|ours, remote, theirs| is_number(ours, remote) && same_shape(&ours.fmtp, theirs, ours.codec),
        &|ours, _, theirs| same_shape(&ours.fmtp, theirs, ours.codec),
        &|ours, remote, _| is_number(ours, remote),
        &|_, _, _| true,
    ];
    for fits in passes {
        left.retain(|(index, ours)| {
            let found = line.formats.iter().zip(&mut matched).find_map(|(remote, slot)| {
                if slot.is_some() || !means(remote, ours.codec) {
                    return None;
                }
                // Parameters that we cannot do make it another format (RFC 3264 §6.1).
                let theirs = Fmtp::parse(ours.codec.fmtp, &remote.fmtp).ok()?;
                let fits = fits(ours, remote, &theirs) && ours.fmtp.agree(&theirs).is_some();
                fits.then_some((remote.payload_type, theirs, slot))
            });
            let Some((payload_type, theirs, slot)) = found else { return true };
            let Ours { codec, fmtp: wanted, .. } = *ours;
            *slot = Some(Match { ours: *index, codec, wanted, payload_type, theirs });
            false
        });
    }
    matched.into_iter().flatten().collect()
}

/// Whether two sets of parameters make one format: each side tells its own wish in what else they differ.
pub(super) fn same_format(one: &Fmtp, other: &Fmtp, codec: &CodecSpec) -> bool {
    codec.fmtp.iter().all(|rule| rule.agree == Agree::Own || one.get(rule.name) == other.get(rule.name))
}

/// Whether an answer may have the one to an offer of the other as it is: what it must repeat is equal.
fn same_shape(one: &Fmtp, other: &Fmtp, codec: &CodecSpec) -> bool {
    let repeats = |agree| matches!(agree, Agree::Same | Agree::Offer);
    codec.fmtp.iter().all(|rule| !repeats(rule.agree) || one.get(rule.name) == other.get(rule.name))
}

fn means(remote: &RemoteFormat, codec: &'static CodecSpec) -> bool {
    let fixed = find_static(remote.payload_type) == Some(codec);
    match &remote.map {
        // A static number with another clock (G722/16000) or a longer name (G729A) is a common mistake, and can mean
        // nothing else.
        Some((name, clock, channels)) => {
            codec.is(name, *clock, *channels) || fixed && begins(name, codec.name)
        }
        None => fixed,
    }
}

fn begins(name: &str, with: &str) -> bool {
    name.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with))
}

/// The other side's number for a format beside the codecs.
pub(super) fn side<'a>(line: &'a Line, name: &str, clock: u32) -> Option<&'a RemoteFormat> {
    let is = |map: &(String, u32, u8)| map.0.eq_ignore_ascii_case(name) && map.1 == clock;
    let fixed = |format: &RemoteFormat| {
        format.payload_type == COMFORT_NOISE_TYPE && name == COMFORT_NOISE && clock == 8000
    };
    line.formats.iter().find(|format| format.map.as_ref().map_or_else(|| fixed(format), is))
}

/// Whether a codec has comfort noise of its own, and so none of RFC 3389's (its §1).
pub(super) fn has_own_noise(codec: &CodecSpec) -> bool {
    ["G729", "G723", "AMR", "opus"].iter().any(|name| codec.name.eq_ignore_ascii_case(name))
}

/// Milliseconds of a codec's frame with these parameters, and whole 10 ms, for that is how audio is taken.
fn frame_millis(codec: &CodecSpec, fmtp: &Fmtp) -> u8 {
    // iLBC has frames of two lengths (RFC 3952 §5).
    let mode = fmtp.get("mode").filter(|mode| (10..=200).contains(mode));
    let frame = mode.unwrap_or_else(|| codec.frame_samples as u32 * 1000 / codec.sample_rate.max(1));
    (frame as u8).max(10)
}

/// The milliseconds in a packet nearest to those wanted that a codec can do, and of at most so many.
pub(super) fn ptime(codec: &CodecSpec, fmtp: &Fmtp, wanted: u8, most: Option<u8>) -> u8 {
    let (least, longest) = codec.ptime_range;
    let longest = most.unwrap_or(longest).clamp(least, longest);
    let wanted = if wanted == 0 { codec.default_ptime } else { wanted };
    let unit = frame_millis(codec, fmtp);
    (wanted.clamp(least, longest) / unit * unit).max(unit)
}
