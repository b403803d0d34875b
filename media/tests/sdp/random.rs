//! Two negotiators and a hundred random re-offers: whatever each side can do and wants, what they agree on fits together.

use core::net::SocketAddr;
use sidetone_codecs::{Agree, CodecChoice, Fmtp};
use sidetone_hal::rng::Rng;
use sidetone_media::Direction;
use sidetone_media::sdp::{
    Bandwidth, HoldStyle, LocalMedia, Negotiated, Negotiator, RtcpXr, SdpError, SideFormat,
};
use sidetone_media::srtp::{Sdes, SrtpPolicy, Suite};
use std::collections::HashMap;

const CODECS: &[(&str, u32)] = &[
    ("PCMU", 8000),
    ("PCMA", 8000),
    ("G722", 16_000),
    ("G729", 8000),
    ("G729;annexb=no", 8000),
    ("G723", 8000),
    ("G723;bitrate=5.3", 8000),
    ("iLBC;mode=20", 8000),
    ("iLBC;mode=30", 8000),
    ("AMR", 8000),
    ("AMR;octet-align=1", 8000),
    ("AMR;octet-align=1;mode-set=0,2,4,7", 8000),
    ("AMR;mode-set=7;mode-change-period=2", 8000),
    ("opus", 16_000),
    ("opus", 8000),
    ("L16", 16_000),
];
const DIRECTIONS: [Direction; 5] =
    [Direction::SendRecv, Direction::SendRecv, Direction::SendOnly, Direction::RecvOnly, Direction::Inactive];

fn pick<'a, T>(rng: &mut Rng, of: &'a [T]) -> &'a T {
    &of[rng.below(of.len() as u32) as usize]
}

fn chance(rng: &mut Rng, percent: u32) -> bool {
    rng.below(100) < percent
}

/// Anything that a side may be able to do.
fn local(rng: &mut Rng, host: u8) -> LocalMedia {
    let count = 1 + rng.below(8);
    let codecs: Vec<CodecChoice> = (0..count)
        .map(|_| {
            let (text, rate) = pick(rng, CODECS);
            CodecChoice::parse(text, *rate).unwrap()
        })
        .collect();
    let mut local =
        LocalMedia::new([192, 0, 2, host].into(), 1024 + 2 * rng.below(20_000) as u16, codecs.clone());
    if chance(rng, 20) {
        local.rtcp_port = local.rtp_port + 7;
    }
    local.own_order = chance(rng, 30);
    local.dtmf = chance(rng, 80);
    local.dtmf_payload_type = *pick(rng, &[101, 101, 96, 97, 127]);
    local.ptime = *pick(rng, &[0, 10, 20, 30, 40, 60]);
    local.max_ptime = *pick(rng, &[0, 20, 60, 200]);
    local.rtcp_mux = chance(rng, 30);
    local.rtcp_reduced_size = chance(rng, 30);
    local.comfort_noise = chance(rng, 40);
    local.redundancy = rng.below(4) as u8;
    if chance(rng, 30) {
        local.rtcp_xr = RtcpXr::parse("rcvr-rtt=all stat-summary=loss voip-metrics");
    }
    if chance(rng, 30) {
        local.hold_style = HoldStyle::ZeroAddress;
    }
    if chance(rng, 30) {
        let mut bandwidth = Bandwidth::default();
        bandwidth.application_specific = Some(64 + rng.below(100));
        local.bandwidth = bandwidth;
    }
    if chance(rng, 30) {
        local.payload_types = codecs.iter().map(|choice| (choice.codec, 96 + rng.below(32) as u8)).collect();
    }
    local
}

struct Side {
    negotiator: Negotiator,
    host: u8,
    /// What each number meant when it was first said.
    meanings: HashMap<u8, String>,
    said: String,
    version: u64,
}

impl Side {
    fn new(rng: &mut Rng, host: u8, policy: SrtpPolicy) -> Self {
        let suites = if chance(rng, 50) { Suite::USUAL.to_vec() } else { Suite::ALL.to_vec() };
        let sdes = Sdes::new(suites, rng.fork());
        let negotiator = Negotiator::new(local(rng, host), rng.next_u64()).with_srtp(policy, Some(sdes));
        Self { negotiator, host, meanings: HashMap::new(), said: String::new(), version: 0 }
    }

    /// Holds a text of this side against all that it said before.
    fn check_text(&mut self, text: &[u8]) {
        let text = core::str::from_utf8(text).unwrap();
        let (mut rest, mut version) = (String::new(), 0);
        for line in text.lines() {
            if let Some(origin) = line.strip_prefix("o=") {
                version = origin.split(' ').nth(2).unwrap().parse().unwrap();
            } else {
                rest.push_str(line);
                rest.push('\n');
            }
            if let Some((number, meaning)) =
                line.strip_prefix("a=rtpmap:").and_then(|map| map.split_once(' '))
            {
                let known = self.meanings.entry(number.parse().unwrap()).or_insert_with(|| meaning.into());
                assert_eq!(known, meaning, "{number} means something else now\n{text}");
            }
        }
        let media: Vec<&str> = text.lines().filter(|line| line.starts_with("m=")).collect();
        assert_eq!(media.len(), 1, "{text}");
        let mut numbers: Vec<&str> = media[0].split(' ').skip(3).collect();
        let count = numbers.len();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), count, "a number stands twice\n{text}");
        if !self.said.is_empty() {
            let expected = self.version + u64::from(rest != self.said);
            assert_eq!(version, expected, "the version goes with the text\n{}\n---\n{rest}", self.said);
        }
        (self.said, self.version) = (rest, version);
    }

    fn port(&self) -> u16 {
        self.negotiator.local().rtp_port
    }
}

/// What differs is what each side tells of itself, or a sender that keeps more than it must.
fn fits(sent: &Fmtp, heard: &Fmtp, rules: &[sidetone_codecs::Rule]) -> bool {
    rules.iter().all(|rule| {
        let (sent, heard) = (sent.get(rule.name).unwrap(), heard.get(rule.name).unwrap());
        match rule.agree {
            Agree::Own => true,
            Agree::Common => sent & !heard == 0,
            Agree::Least => sent <= heard,
            // The length of iLBC's frames is that of the payload too.
            Agree::Most if rule.name != "mode" => sent >= heard,
            _ => sent == heard,
        }
    })
}

/// What one sends is what the other hears.
fn check_way(from: &Negotiated, to: &Negotiated) {
    let heard = to.receive.iter().find(|format| format.payload_type == from.payload_type);
    let heard = heard.unwrap_or_else(|| panic!("{} is sent, {:?} is heard", from.payload_type, to.receive));
    assert_eq!(heard.codec, from.codec);
    assert!(fits(&from.fmtp, &heard.fmtp, from.codec.fmtp), "{:?} {:?}", from.fmtp, heard.fmtp);
    let clock = from.codec.rtp_clock;
    let side = |number: u8| SideFormat { payload_type: number, clock };
    assert!(from.dtmf_payload_type.is_none_or(|number| to.events.contains(&side(number))));
    assert!(from.noise_payload_type.is_none_or(|number| to.noise.contains(&side(number))));
    assert_eq!(
        from.redundancy.map(|red| red.payload_type),
        to.redundancy.map(|red| red.receive_payload_type)
    );
    assert_eq!(from.srtp.as_ref().map(|keys| &keys.send), to.srtp.as_ref().map(|keys| &keys.receive));
    // Frames of the codec, and no more than it can do.
    let (least, most) = from.codec.ptime_range;
    assert!((least..=most.max(30)).contains(&from.ptime), "{} ms of {:?}", from.ptime, from.codec);
    assert_eq!(from.direction.sends(), to.direction.receives());
}

fn check(one: &Side, ours: &Negotiated, other: &Side, theirs: &Negotiated) {
    check_way(ours, theirs);
    check_way(theirs, ours);
    assert_eq!(ours.codec, theirs.codec);
    assert_eq!((ours.rtcp_mux, ours.rtcp_reduced_size), (theirs.rtcp_mux, theirs.rtcp_reduced_size));
    for (agreed, peer) in [(ours, other), (theirs, one)] {
        let expected = SocketAddr::from(([192, 0, 2, peer.host], peer.port()));
        // One who holds by the zero address takes nothing; all others are where they say.
        assert!(agreed.remote_rtp.is_none_or(|address| address == expected));
        assert!(agreed.remote_rtp.is_some() || !agreed.direction.sends());
        assert_eq!(agreed.remote_rtp.is_some(), agreed.remote_rtcp.is_some());
        let rtcp = SocketAddr::new(expected.ip(), peer.negotiator.local().rtcp_port);
        let rtcp = if agreed.rtcp_mux { expected } else { rtcp };
        assert!(agreed.remote_rtcp.is_none_or(|address| address == rtcp));
    }
}

/// One exchange; whether it came to an agreement.
fn exchange(rng: &mut Rng, offering: &mut Side, answering: &mut Side) -> bool {
    let before = (offering.negotiator.current().cloned(), answering.negotiator.current().cloned());
    let wanted = *pick(rng, &DIRECTIONS);
    let offer = offering.negotiator.offer(wanted);
    offering.check_text(&offer);
    if chance(rng, 5) {
        // It crossed with another one, and is made anew.
        offering.negotiator.rollback();
        let again = offering.negotiator.offer(wanted);
        offering.check_text(&again);
        return exchange_of(rng, offering, answering, &again, &before);
    }
    exchange_of(rng, offering, answering, &offer, &before)
}

fn exchange_of(
    rng: &mut Rng,
    offering: &mut Side,
    answering: &mut Side,
    offer: &[u8],
    before: &(Option<Negotiated>, Option<Negotiated>),
) -> bool {
    let want = *pick(rng, &DIRECTIONS);
    let (answer, theirs) = match answering.negotiator.answer(offer, want) {
        Ok(answered) => answered,
        Err(error) => {
            let expected = matches!(
                error,
                SdpError::NoCommonCodec(_) | SdpError::Security(_) | SdpError::Transport { .. }
            );
            assert!(expected, "{error}\n{}", String::from_utf8_lossy(offer));
            assert_eq!(answering.negotiator.current(), before.1.as_ref());
            offering.negotiator.rollback();
            assert_eq!(offering.negotiator.current(), before.0.as_ref());
            return false;
        }
    };
    answering.check_text(&answer);
    let ours = offering.negotiator.accept_answer(&answer).unwrap_or_else(|error| {
        let (offer, answer) = (String::from_utf8_lossy(offer), String::from_utf8_lossy(&answer));
        panic!("{error}\n{offer}\n---\n{answer}")
    });
    if chance(rng, 20) {
        assert_eq!(offering.negotiator.accept_answer(&answer), Ok(ours.clone()), "the same answer again");
    }
    check(offering, &ours, answering, &theirs);
    true
}

#[test]
fn a_hundred_random_re_offers_always_fit_together() {
    let policies = [SrtpPolicy::Off, SrtpPolicy::Optional, SrtpPolicy::Optional, SrtpPolicy::Compulsory];
    let (mut agreed, mut refused, mut encrypted) = (0, 0, 0);
    for seed in 0..50 {
        let mut rng = Rng::from_u64(seed);
        let mut sides = [1, 2].map(|host| {
            Side::new(&mut Rng::from_u64(seed * 2 + host), host as u8, *pick(&mut rng, &policies))
        });
        for _ in 0..100 {
            let [one, other] = &mut sides;
            let (offering, answering) = if chance(&mut rng, 50) { (one, other) } else { (other, one) };
            for side in [&mut *offering, &mut *answering] {
                if chance(&mut rng, 15) {
                    side.negotiator.set_local(local(&mut rng, side.host));
                }
                if chance(&mut rng, 5) {
                    side.negotiator.rekey();
                }
            }
            match exchange(&mut rng, offering, answering) {
                true => agreed += 1,
                false => refused += 1,
            }
            encrypted += u32::from(offering.negotiator.current().is_some_and(|agreed| agreed.srtp.is_some()));
        }
    }
    println!("{agreed} agreed, {refused} refused, {encrypted} encrypted");
    assert!(agreed > 2000 && refused > 200 && encrypted > 500, "{agreed} {refused} {encrypted}");
}
