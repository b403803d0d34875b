use super::*;
use core::net::SocketAddr;
use proptest::prelude::*;
use sidetone_codecs::{CodecChoice, amr, g729, ilbc, pcma, pcmu};
use sidetone_hal::rng::Rng;

/// As baresip 1.0 offers (captured).
const BARESIP: &str = "v=0\r\no=- 791264168 1112650100 IN IP4 192.0.2.2\r\ns=-\r\nc=IN IP4 192.0.2.2\r\nt=0 0\r\n\
    a=tool:baresip 1.0.0\r\nm=audio 9368 RTP/AVP 0 8 9 96 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n\
    a=rtpmap:9 G722/8000\r\na=rtpmap:96 opus/48000/2\r\na=fmtp:96 stereo=1;sprop-stereo=1\r\n\
    a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=sendrecv\r\na=label:1\r\na=rtcp-rsize\r\n\
    a=ssrc:4285872939 cname:sip:bs@127.0.0.1:25060\r\na=minptime:20\r\na=ptime:20\r\n";

/// As SIPp's built-in uac scenario offers (captured).
const SIPP: &str = "v=0\r\no=user1 53655765 2353687637 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
    m=audio 6000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n";

/// As linphone offers audio and video with RTCP feedback.
const LINPHONE: &str = "v=0\r\no=bob 3747 2461 IN IP4 198.51.100.7\r\ns=Talk\r\nc=IN IP4 198.51.100.7\r\nt=0 0\r\n\
    a=rtcp-xr:rcvr-rtt=all:10000 stat-summary=loss,dup,jitt,TTL voip-metrics\r\n\
    m=audio 7078 RTP/AVPF 96 97 98 8 0 18 101 99 100\r\na=rtpmap:96 opus/48000/2\r\na=fmtp:96 useinbandfec=1\r\n\
    a=rtpmap:97 speex/16000\r\na=fmtp:97 vbr=on\r\na=rtpmap:98 speex/8000\r\na=fmtp:98 vbr=on\r\n\
    a=fmtp:18 annexb=yes\r\na=rtpmap:101 telephone-event/48000\r\na=rtpmap:99 telephone-event/16000\r\n\
    a=rtpmap:100 telephone-event/8000\r\na=rtcp-fb:* trr-int 1000\r\na=rtcp-fb:* ccm tmmbr\r\n\
    m=video 9078 RTP/AVPF 96 97\r\na=rtpmap:96 VP8/90000\r\na=rtpmap:97 H264/90000\r\n\
    a=fmtp:97 profile-level-id=42801F\r\na=rtcp-fb:* trr-int 1000\r\n";

/// As Asterisk offers.
const ASTERISK: &str = "v=0\r\no=- 1417294034 1417294034 IN IP4 203.0.113.5\r\ns=Asterisk\r\nc=IN IP4 203.0.113.5\r\n\
    t=0 0\r\nm=audio 18072 RTP/AVP 8 0 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n\
    a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\na=maxptime:150\r\na=sendrecv\r\n";

/// As rtpengine writes behind Kamailio: its own address in both lines, and `a=rtcp`.
const RTPENGINE: &str = "v=0\r\no=- 12345 2 IN IP4 203.0.113.9\r\ns=-\r\nc=IN IP4 203.0.113.9\r\nt=0 0\r\n\
    m=audio 30000 RTP/AVP 8 101\r\nc=IN IP4 203.0.113.10\r\na=rtpmap:8 PCMA/8000\r\n\
    a=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\na=rtcp:30055 IN IP4 203.0.113.11\r\na=ptime:30\r\n";

fn local(port: u16) -> LocalMedia {
    LocalMedia::new([192, 0, 2, 1].into(), port, vec![&pcmu::SPEC, &pcma::SPEC])
}

fn negotiator() -> Negotiator {
    Negotiator::new(local(4000), 42)
}

fn answer(offer: &str) -> (String, Negotiated) {
    let (text, agreed) = negotiator().answer(offer.as_bytes(), Direction::SendRecv).unwrap();
    (String::from_utf8(text).unwrap(), agreed)
}

fn lines<'a>(text: &'a str, start: &str) -> Vec<&'a str> {
    text.lines().filter(|line| line.starts_with(start)).collect()
}

fn version(text: &[u8]) -> u64 {
    let text = core::str::from_utf8(text).unwrap();
    lines(text, "o=")[0].split(' ').nth(2).unwrap().parse().unwrap()
}

fn at(text: &str) -> Option<SocketAddr> {
    Some(text.parse().unwrap())
}

#[test]
fn an_offer_says_all_we_can() {
    let text = String::from_utf8(negotiator().offer(Direction::SendRecv)).unwrap();
    assert_eq!(
        text,
        "v=0\r\no=- 21 0 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0 8 101\r\n\
         a=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n\
         a=ptime:20\r\na=maxptime:200\r\na=sendrecv\r\n"
    );
    let mut uneven = LocalMedia::new("2001:db8::1".parse().unwrap(), 4000, vec![&pcma::SPEC]);
    (uneven.rtcp_port, uneven.dtmf, uneven.ptime) = (4444, false, 30);
    let text = String::from_utf8(Negotiator::new(uneven, 1).offer(Direction::SendOnly)).unwrap();
    assert!(text.contains("c=IN IP6 2001:db8::1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n"));
    assert!(text.ends_with("a=ptime:30\r\na=maxptime:200\r\na=rtcp:4444\r\na=sendonly\r\n"), "{text}");
}

#[test]
fn offers_of_other_products_are_answered() {
    let (text, agreed) = answer(BARESIP);
    assert_eq!(lines(&text, "m="), ["m=audio 4000 RTP/AVP 0 8 101"]);
    assert_eq!((agreed.codec, agreed.dtmf_payload_type), (&pcmu::SPEC, Some(101)));
    assert_eq!((agreed.remote_rtp, agreed.remote_rtcp), (at("192.0.2.2:9368"), at("192.0.2.2:9369")));

    let (text, agreed) = answer(SIPP);
    assert_eq!(lines(&text, "m="), ["m=audio 4000 RTP/AVP 0"]);
    assert_eq!((agreed.dtmf_payload_type, agreed.ptime), (None, 20));

    let (text, agreed) = answer(LINPHONE);
    assert_eq!(lines(&text, "m="), ["m=audio 4000 RTP/AVPF 8 0 100", "m=video 0 RTP/AVPF 96 97"]);
    assert_eq!((agreed.codec, agreed.payload_type, agreed.dtmf_payload_type), (&pcma::SPEC, 8, Some(100)));

    let (_, agreed) = answer(ASTERISK);
    assert_eq!((agreed.codec, agreed.remote_rtp), (&pcma::SPEC, at("203.0.113.5:18072")));

    let (_, agreed) = answer(RTPENGINE);
    assert_eq!((agreed.remote_rtp, agreed.remote_rtcp), (at("203.0.113.10:30000"), at("203.0.113.11:30055")));
    assert_eq!((agreed.ptime, agreed.direction, agreed.remote_hold), (30, Direction::SendRecv, false));
}

#[test]
fn two_of_us_agree() {
    let mut caller = negotiator();
    let mut callee = Negotiator::new(LocalMedia::new([192, 0, 2, 2].into(), 6000, vec![&pcma::SPEC]), 7);
    let offer = caller.offer(Direction::SendRecv);
    assert!(caller.is_offer_pending());
    let (answer, theirs) = callee.answer(&offer, Direction::SendRecv).unwrap();
    let ours = caller.accept_answer(&answer).unwrap();
    assert_eq!((ours.codec, theirs.codec), (&pcma::SPEC, &pcma::SPEC));
    assert_eq!(ours.receive, [Format::new(8, &pcma::SPEC)]);
    assert_eq!(ours.remote_rtp, at("192.0.2.2:6000"));
    assert_eq!(theirs.remote_rtcp, at("192.0.2.1:4001"));
    assert_eq!(caller.current(), Some(&ours));
    // The same answer again, as in a 200 after a 183.
    assert_eq!(caller.accept_answer(&answer), Ok(ours));
    assert_eq!(callee.accept_answer(&answer), Err(SdpError::NoOffer));
}

#[test]
fn hold_and_resume_in_both_styles() {
    let cases = [
        ("a=sendonly", "192.0.2.2", Direction::RecvOnly, true, "a=recvonly"),
        ("a=inactive", "192.0.2.2", Direction::Inactive, true, "a=inactive"),
        ("a=recvonly", "192.0.2.2", Direction::SendOnly, false, "a=sendonly"),
        ("a=sendrecv", "192.0.2.2", Direction::SendRecv, false, "a=sendrecv"),
        ("a=sendrecv", "0.0.0.0", Direction::RecvOnly, true, "a=recvonly"),
        ("a=x", "0.0.0.0", Direction::RecvOnly, true, "a=recvonly"),
    ];
    let mut negotiator = negotiator();
    negotiator.answer(BARESIP.as_bytes(), Direction::SendRecv).unwrap();
    for (attribute, address, direction, hold, said) in cases {
        let offer = BARESIP
            .replace("a=sendrecv", attribute)
            .replace("c=IN IP4 192.0.2.2", &format!("c=IN IP4 {address}"));
        let (text, agreed) = negotiator.answer(offer.as_bytes(), Direction::SendRecv).unwrap();
        assert_eq!((agreed.direction, agreed.remote_hold), (direction, hold), "{attribute} {address}");
        assert_eq!(agreed.remote_rtp.is_some(), address != "0.0.0.0");
        assert!(String::from_utf8(text).unwrap().contains(said));
    }
    // We hold, the other side confirms: that is not its hold.
    let offer = negotiator.offer(Direction::SendOnly);
    assert!(String::from_utf8(offer).unwrap().contains("a=sendonly"));
    let agreed = negotiator.accept_answer(BARESIP.replace("sendrecv", "recvonly").as_bytes()).unwrap();
    assert_eq!((agreed.direction, agreed.remote_hold), (Direction::SendOnly, false));
    negotiator.offer(Direction::SendOnly);
    let agreed = negotiator.accept_answer(BARESIP.replace("sendrecv", "inactive").as_bytes()).unwrap();
    assert_eq!((agreed.direction, agreed.remote_hold), (Direction::Inactive, true));
}

#[test]
fn a_direction_of_the_session_counts_unless_the_line_has_its_own() {
    let session = SIPP.replace("t=0 0\r\n", "t=0 0\r\na=sendonly\r\n");
    assert_eq!(answer(&session).1.direction, Direction::RecvOnly);
    assert_eq!(answer(&format!("{session}a=sendrecv\r\n")).1.direction, Direction::SendRecv);
}

#[test]
fn the_version_goes_up_when_and_only_when_something_changes() {
    let mut negotiator = negotiator();
    let first = negotiator.offer(Direction::SendRecv);
    negotiator.accept_answer(BARESIP.as_bytes()).unwrap();
    let same = negotiator.offer(Direction::SendRecv);
    assert_eq!((version(&same), &first), (version(&first), &same));
    let held = negotiator.offer(Direction::SendOnly);
    assert_eq!(version(&held), version(&first) + 1);
    negotiator.rollback();
    let (resumed, _) = negotiator.answer(BARESIP.as_bytes(), Direction::SendRecv).unwrap();
    assert_eq!(version(&resumed), version(&first) + 2);
    negotiator.set_local(local(5000));
    assert_eq!(version(&negotiator.offer(Direction::SendRecv)), version(&first) + 3);
}

#[test]
fn numbers_are_kept_and_all_lines_are_repeated() {
    let mut negotiator = negotiator();
    let odd = LINPHONE
        .replace("m=audio 7078 RTP/AVPF 96", "m=video 1 RTP/AVP 31\r\nm=audio 7078 RTP/AVP 96")
        .replace(" 8 0 18 ", " 111 0 18 ")
        .replace("a=fmtp:18 annexb=yes", "a=rtpmap:111 PCMA/8000");
    let (text, agreed) = negotiator.answer(odd.as_bytes(), Direction::SendRecv).unwrap();
    assert_eq!((agreed.codec, agreed.payload_type), (&pcma::SPEC, 111));
    let text = String::from_utf8(text).unwrap();
    let expected = ["m=video 0 RTP/AVP 31", "m=audio 4000 RTP/AVP 111 0 100", "m=video 0 RTP/AVPF 96 97"];
    assert_eq!(lines(&text, "m="), expected);
    let text = String::from_utf8(negotiator.offer(Direction::SendRecv)).unwrap();
    let expected = ["m=video 0 RTP/AVP 31", "m=audio 4000 RTP/AVP 0 111 100", "m=video 0 RTP/AVPF 96 97"];
    assert_eq!(lines(&text, "m="), expected);
}

#[test]
fn our_order_counts_if_we_want_it() {
    let mut own = local(4000);
    own.own_order = true;
    let (text, agreed) = Negotiator::new(own, 1).answer(ASTERISK.as_bytes(), Direction::SendRecv).unwrap();
    assert_eq!(agreed.codec, &pcmu::SPEC);
    assert_eq!(lines(core::str::from_utf8(&text).unwrap(), "m="), ["m=audio 4000 RTP/AVP 0 8 101"]);
}

#[test]
fn packet_times_stay_within_what_both_can_do() {
    for (said, expected) in [
        ("a=ptime:20", 20),
        ("a=ptime:30", 30),
        ("a=ptime:35.5", 30),
        ("a=ptime:100", 60),
        ("a=ptime:5", 10),
        ("a=ptime:0", 20),
        ("a=ptime:x", 20),
        ("a=maxptime:10", 10),
        ("a=ptime:60\r\na=maxptime:40", 40),
    ] {
        assert_eq!(answer(&format!("{SIPP}{said}\r\n")).1.ptime, expected, "{said}");
    }
}

#[test]
fn an_answer_may_have_other_numbers() {
    let mut negotiator = negotiator();
    negotiator.offer(Direction::SendRecv);
    let reply = SIPP.replace("AVP 0", "AVP 0 97") + "a=rtpmap:97 telephone-event/8000\r\n";
    let agreed = negotiator.accept_answer(reply.as_bytes()).unwrap();
    assert_eq!((agreed.dtmf_payload_type, agreed.dtmf_receive_payload_type), (Some(97), Some(101)));
    assert_eq!(agreed.receive, [Format::new(0, &pcmu::SPEC)]);
}

#[test]
fn refusals_say_why() {
    let refused = |offer: &str| {
        let error = negotiator().answer(offer.as_bytes(), Direction::SendRecv).unwrap_err();
        (error.status(), error.warning(), error.to_string())
    };
    assert_eq!(refused("").0, 400);
    assert_eq!(refused("v=0\r\nm=audio\r\n").0, 400);
    assert_eq!(refused(&SIPP.replace("m=audio", "m=video")), (488, 304, "no m=audio line".into()));
    assert_eq!(refused(&SIPP.replace("RTP/AVP", "RTP/SAVP")).0, 488);
    assert_eq!(refused(&SIPP.replace("6000", "0")).0, 488);
    let (status, warning, text) = refused(&SIPP.replace("AVP 0", "AVP 9 18").replace(":0 PCMU", ":9 G722"));
    assert_eq!((status, warning), (488, 305));
    assert_eq!(text, "no codec in common; the other side has G722/8000, payload type 18");
    assert_eq!(refused(&SIPP.replace("c=IN IP4 127.0.0.1\r\n", "")).0, 400);
    assert_eq!(refused(&SIPP.replace("c=IN IP4 127.0.0.1", "c=IN IP4 host.example")).1, 301);
    assert_eq!(refused(&SIPP.replace("c=IN IP4 127.0.0.1", "c=IN IP4 224.2.1.1/127")).0, 488);
    assert_eq!(refused(&("m=video 9 RTP/AVP 31\r\n".repeat(33))).0, 400);
    assert_eq!(refused(&format!("{SIPP}{}", "m=video 9 RTP/AVP 31\r\n".repeat(40))).0, 400);
    assert_eq!(refused(&format!("{SIPP}{}", "a=x\r\n".repeat(14_000))).0, 400);

    let mut negotiator = negotiator();
    negotiator.offer(Direction::SendRecv);
    assert_eq!(negotiator.answer(SIPP.as_bytes(), Direction::SendRecv), Err(SdpError::OfferPending));
    for wrong in [SIPP.replace("6000", "0"), LINPHONE.into(), SIPP.replace("m=audio", "m=text")] {
        assert!(matches!(negotiator.accept_answer(wrong.as_bytes()), Err(SdpError::AnswerMismatch(_))));
    }
    assert!(negotiator.accept_answer(SIPP.as_bytes()).is_ok(), "a wrong answer does not end the offer");
}

#[test]
fn a_stream_may_be_switched_off_and_on_by_port_0() {
    let mut negotiator = negotiator();
    negotiator.answer(BARESIP.as_bytes(), Direction::SendRecv).unwrap();
    let off = BARESIP.replace("9368", "0");
    let (text, agreed) = negotiator.answer(off.as_bytes(), Direction::SendRecv).unwrap();
    assert_eq!(lines(core::str::from_utf8(&text).unwrap(), "m="), ["m=audio 0 RTP/AVP 0 8 9 96 101"]);
    assert_eq!((agreed.direction, agreed.remote_rtp), (Direction::Inactive, None));
    let (_, agreed) = negotiator.answer(BARESIP.as_bytes(), Direction::SendRecv).unwrap();
    assert_eq!(agreed.direction, Direction::SendRecv);
}

#[test]
fn mutated_descriptions_neither_panic_nor_break_our_own_text() {
    let texts = [BARESIP, SIPP, LINPHONE, ASTERISK, RTPENGINE];
    let mut rng = Rng::from_u64(1);
    let (mut taken, mut refused) = (0, 0);
    for i in 0..20_000 {
        let mut octets = texts[i % texts.len()].as_bytes().to_vec();
        for _ in 0..rng.below(6) {
            let at = rng.below(octets.len() as u32) as usize;
            match rng.below(4) {
                0 => octets[at] = rng.next_u32() as u8,
                1 => octets[at] = b"0123456789 =/:\r\n"[rng.below(16) as usize],
                2 => drop(octets.remove(at)),
                _ => {
                    let part = octets[at..].iter().take(20).copied().collect::<Vec<_>>();
                    octets.splice(at..at, part);
                }
            }
        }
        let mut negotiator = negotiator();
        if i % 2 == 0 {
            negotiator.offer(Direction::SendRecv);
            let _ = negotiator.accept_answer(&octets);
            negotiator.rollback();
        }
        match negotiator.answer(&octets, Direction::SendRecv) {
            Ok((text, agreed)) => {
                taken += 1;
                assert!(!agreed.receive.is_empty() && (10..=60).contains(&agreed.ptime));
                let mut other = negotiator.clone();
                other.offer(Direction::SendRecv);
                // Our text is SDP that we would take ourselves, with as many lines as were offered.
                if agreed.remote_rtp.is_some() {
                    assert!(other.accept_answer(&text).is_ok(), "{}", String::from_utf8_lossy(&text));
                }
            }
            Err(error) => {
                refused += 1;
                assert!([400, 488].contains(&error.status()));
            }
        }
    }
    assert!(taken > 4000 && refused > 4000, "{taken} taken, {refused} refused");
}

proptest! {
    #[test]
    fn no_text_panics(octets in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = negotiator().answer(&octets, Direction::SendRecv);
        let mut text = b"v=0\r\n".to_vec();
        text.extend(octets);
        let _ = negotiator().answer(&text, Direction::SendRecv);
    }
}

#[test]
fn an_offer_says_what_we_want_of_each_codec() {
    let choice = |text| CodecChoice::parse(text, 8000).unwrap();
    let codecs = [choice("AMR;octet-align=1"), choice("opus"), choice("G729;annexb=no"), choice("PCMU")];
    let mut ours = Negotiator::new(LocalMedia::new([192, 0, 2, 1].into(), 4000, codecs), 1);
    let offer = String::from_utf8(ours.offer(Direction::SendRecv)).unwrap();
    assert_eq!(
        lines(&offer, "a=fmtp:"),
        [
            "a=fmtp:96 octet-align=1",
            "a=fmtp:97 maxplaybackrate=8000;sprop-maxcapturerate=8000;useinbandfec=1",
            "a=fmtp:18 annexb=no",
            "a=fmtp:101 0-15",
            "a=fmtp:98 0-15"
        ]
    );
    // One who has every codec as it comes takes AMR as we want it.
    let theirs = LocalMedia::new([192, 0, 2, 2].into(), 5000, [&amr::SPEC, &g729::SPEC]);
    let (answer, agreed) = Negotiator::new(theirs, 2).answer(offer.as_bytes(), Direction::SendRecv).unwrap();
    assert_eq!(agreed.fmtp.get("octet-align"), Some(1));
    let agreed = ours.accept_answer(&answer).unwrap();
    assert_eq!((agreed.codec, agreed.fmtp.get("octet-align")), (&amr::SPEC, Some(1)));
    assert_eq!(agreed.receive[0].fmtp.get("octet-align"), Some(1));
    assert_eq!(agreed.receive[1].fmtp.get("annexb"), Some(0));
}

#[test]
fn format_parameters_are_agreed_on() {
    let offer = "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n\
        m=audio 5000 RTP/AVP 18 97 98 99\r\na=fmtp:18 annexb=no\r\na=rtpmap:97 iLBC/8000\r\na=fmtp:97 mode=20\r\n\
        a=rtpmap:98 AMR/8000\r\na=fmtp:98 octet-align=1; mode-set=0,2,4,7\r\n\
        a=rtpmap:99 AMR/8000\r\na=fmtp:99 interleaving=30\r\n";
    let codecs = vec![&ilbc::SPEC, &amr::SPEC, &g729::SPEC];
    let mut ours = Negotiator::new(LocalMedia::new([192, 0, 2, 1].into(), 4000, codecs), 1);
    let (text, agreed) = ours.answer(offer.as_bytes(), Direction::SendRecv).unwrap();
    let text = String::from_utf8(text).unwrap();
    assert_eq!((agreed.codec, agreed.fmtp.get("annexb")), (&g729::SPEC, Some(0)));
    // iLBC: 30 ms if either side says so, and our silence says so (RFC 3952 §5).
    assert_eq!(lines(&text, "a=fmtp:97"), ["a=fmtp:97 mode=30"]);
    assert_eq!(lines(&text, "a=fmtp:18"), ["a=fmtp:18 annexb=no"]);
    assert_eq!(lines(&text, "a=fmtp:98"), ["a=fmtp:98 octet-align=1;mode-set=0,2,4,7"]);
    // What we cannot do is another format.
    assert_eq!(lines(&text, "m="), ["m=audio 4000 RTP/AVP 18 97 98"]);

    // The answer to that, as we would read it had we made the offer.
    let mut offering = Negotiator::new(LocalMedia::new([192, 0, 2, 9].into(), 5000, vec![&g729::SPEC]), 2);
    offering.offer(Direction::SendRecv);
    let answer = text.replace("RTP/AVP 18 97 98", "RTP/AVP 18");
    let agreed = offering.accept_answer(answer.as_bytes()).unwrap();
    assert_eq!(agreed.fmtp.get("annexb"), Some(0));
}
