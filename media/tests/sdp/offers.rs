//! What offers and answers say of codecs, numbers, packet times, and of what goes beside speech.

use core::net::SocketAddr;
use sidetone_codecs::{CodecChoice, amr, g729, ilbc, l16, opus, pcma, pcmu};
use sidetone_media::Direction::{SendOnly, SendRecv};
use sidetone_media::Negotiated;
use sidetone_media::sdp::{
    Bandwidth, Format, LocalMedia, Negotiator, ReceiverRtt, Redundancy, RtcpXr, SdpError, SideFormat,
};

const US: [u8; 4] = [192, 0, 2, 1];

fn choice(text: &str) -> CodecChoice {
    let rate = if text.starts_with("G722") { 16_000 } else { 8000 };
    CodecChoice::parse(text, rate).unwrap()
}

fn local(codecs: &[&str]) -> LocalMedia {
    LocalMedia::new(US.into(), 4000, codecs.iter().map(|text| choice(text)))
}

fn negotiator(local: &LocalMedia) -> Negotiator {
    Negotiator::new(local.clone(), 1)
}

/// An offer of audio with these formats and attributes.
fn offer(formats: &str, attributes: &[&str]) -> String {
    let attributes: String = attributes.iter().map(|line| format!("{line}\r\n")).collect();
    format!(
        "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\nm=audio 6000 RTP/AVP {formats}\r\n{attributes}"
    )
}

fn answer(local: &LocalMedia, offer: &str) -> (String, Negotiated) {
    let (text, agreed) = negotiator(local).answer(offer.as_bytes(), SendRecv).unwrap();
    (String::from_utf8(text).unwrap(), agreed)
}

fn refused(local: &LocalMedia, offer: &str) -> SdpError {
    negotiator(local).answer(offer.as_bytes(), SendRecv).unwrap_err()
}

fn offered(local: &LocalMedia) -> String {
    String::from_utf8(negotiator(local).offer(SendRecv)).unwrap()
}

fn lines<'a>(text: &'a str, start: &str) -> Vec<&'a str> {
    text.lines().filter(|line| line.starts_with(start)).collect()
}

fn side(payload_type: u8, clock: u32) -> SideFormat {
    SideFormat { payload_type, clock }
}

#[test]
fn one_codec_with_two_sets_of_parameters_is_two_formats() {
    let ours =
        local(&["AMR;octet-align=1", "AMR", "iLBC;mode=20", "iLBC", "G723", "G723;bitrate=5.3", "PCMU"]);
    let text = offered(&ours);
    assert_eq!(lines(&text, "m="), ["m=audio 4000 RTP/AVP 96 97 98 99 4 0 101"]);
    let fmtp = ["a=fmtp:96 octet-align=1", "a=fmtp:98 mode=20", "a=fmtp:99 mode=30"];
    assert_eq!(lines(&text, "a=fmtp:")[..3], fmtp);

    // The other side has AMR in both forms under its own numbers, the one we like less first.
    let theirs = offer(
        "110 111 112",
        &[
            "a=rtpmap:110 AMR/8000",
            "a=rtpmap:111 AMR/8000/1",
            "a=fmtp:111 octet-align=1; mode-change-capability=2",
            "a=rtpmap:112 iLBC/8000",
            "a=fmtp:112 mode=20",
        ],
    );
    let (text, agreed) = answer(&ours, &theirs);
    assert_eq!(lines(&text, "m="), ["m=audio 4000 RTP/AVP 110 111 112"]);
    assert_eq!(lines(&text, "a=fmtp:"), ["a=fmtp:111 octet-align=1", "a=fmtp:112 mode=20"]);
    assert_eq!((agreed.payload_type, agreed.fmtp.get("octet-align")), (110, Some(0)));
    // Our order puts the aligned form first.
    let mut own = ours.clone();
    own.own_order = true;
    let (text, agreed) = answer(&own, &theirs);
    assert_eq!(lines(&text, "m="), ["m=audio 4000 RTP/AVP 111 110 112"]);
    assert_eq!((agreed.payload_type, agreed.fmtp.get("octet-align")), (111, Some(1)));
    // One who has but one form takes it wherever it stands.
    let (text, _) = answer(&local(&["AMR;octet-align=1"]), &theirs);
    assert_eq!(lines(&text, "m="), ["m=audio 4000 RTP/AVP 111"]);
}

#[test]
fn parameters_are_matched_by_the_rules_of_each_format() {
    for (ours, map, theirs, said, sent) in [
        // G.729: Annex B if both (RFC 4856 §2.1.9).
        ("G729", "G729/8000", "annexb=no", Some("annexb=no"), "annexb=no"),
        ("G729;annexb=no", "G729/8000", "", Some("annexb=no"), "annexb=no"),
        ("G729", "G729/8000", "annexb=yes", None, ""),
        // iLBC: 30 ms if either (RFC 3952 §5).
        ("iLBC;mode=20", "iLBC/8000", "mode=30", Some("mode=30"), "mode=30"),
        ("iLBC;mode=20", "ilbc/8000", "mode=20", Some("mode=20"), "mode=20"),
        ("iLBC;mode=20", "iLBC/8000", "", Some("mode=30"), "mode=30"),
        // G.723.1: Annex A if both; each rate is its sender's.
        ("G723", "G723/8000", "annexa=no", Some("bitrate=6.3;annexa=no"), "bitrate=6.3;annexa=no"),
        (
            "G723",
            "G723/8000",
            "annexa=no;bitrate=5.3",
            Some("bitrate=6.3;annexa=no"),
            "bitrate=5.3;annexa=no",
        ),
        // AMR: the answer repeats the form and has of the modes those of both (RFC 4867 §8.3.1).
        ("AMR", "AMR/8000", "octet-align=1", Some("octet-align=1"), "octet-align=1"),
        ("AMR;mode-set=0,2,4,7", "AMR/8000", "mode-set=2,7", Some("mode-set=2,7"), "mode-set=2,7"),
        ("AMR", "AMR/8000", "mode-change-period=2", Some("mode-change-period=2"), "mode-change-period=2"),
    ] {
        let rtpmap = format!("a=rtpmap:97 {map}");
        let fmtp = format!("a=fmtp:97 {theirs}");
        let attributes = if theirs.is_empty() { vec![&*rtpmap] } else { vec![&*rtpmap, &*fmtp] };
        let (text, agreed) = answer(&local(&[ours]), &offer("97", &attributes));
        let expected: Vec<String> = said.iter().map(|said| format!("a=fmtp:97 {said}")).collect();
        assert_eq!(lines(&text, "a=fmtp:97"), expected, "{ours} {theirs}");
        assert_eq!(agreed.fmtp.to_string(), sent, "{ours} {theirs}");
    }
    // Opus: each says what it wants to hear (RFC 7587 §7.1).
    let theirs = "a=fmtp:97 maxplaybackrate=16000; stereo=1; useinbandfec=0";
    let (text, agreed) = answer(&local(&["opus"]), &offer("97", &["a=rtpmap:97 opus/48000/2", theirs]));
    let said = "a=fmtp:97 maxplaybackrate=8000;sprop-maxcapturerate=8000;useinbandfec=1";
    assert_eq!(lines(&text, "a=fmtp:97"), [said]);
    let of = |fmtp: &sidetone_codecs::Fmtp| ["maxplaybackrate", "useinbandfec"].map(|name| fmtp.get(name));
    assert_eq!(of(&agreed.fmtp), [Some(16_000), Some(0)]);
    assert_eq!(of(&agreed.receive[0].fmtp), [Some(8000), Some(1)]);
    // Parameters that leave nothing in common make it another format.
    for (ours, theirs) in [
        ("AMR;mode-set=0", "mode-set=7"),
        ("AMR", "crc=1"),
        ("AMR", "interleaving=4"),
        ("AMR", "octet-align=2"),
    ] {
        let theirs = format!("a=fmtp:97 {theirs}");
        let error = refused(&local(&[ours]), &offer("97", &["a=rtpmap:97 AMR/8000", &theirs]));
        assert_eq!((error.status(), error.warning()), (488, 305), "{ours} {theirs}");
    }
}

/// G.726 has two orders of its bits in an octet, and a name for each (RFC 3551 §4.5.4); so has every other name its
/// meaning. What peers write wrong beside a static number can mean nothing else.
#[test]
fn names_are_taken_as_they_are_meant() {
    let has = |codec: &str, number: &str, map: &str| {
        let rtpmap = format!("a=rtpmap:{number} {map}");
        negotiator(&local(&[codec])).answer(offer(number, &[&rtpmap]).as_bytes(), SendRecv).is_ok()
    };
    for (codec, number, map, expected) in [
        ("PCMU", "0", "pcmu/8000", true),
        ("PCMU", "100", "PCMU/8000/1", true),
        ("PCMU", "100", "PCMU/16000", false),
        ("PCMU", "100", "PCMU/8000/2", false),
        ("PCMA", "0", "PCMA/8000", true),
        ("PCMU", "0", "PCMA/8000", false),
        ("G722", "9", "G722/8000", true),
        ("G722", "9", "G722/16000", true),
        ("G722", "96", "G722/16000", false),
        ("G729", "18", "G729A/8000", true),
        ("G729", "18", "g729ab/8000", true),
        ("G729", "96", "G729A/8000", false),
        ("PCMU", "0", "nonsense", true),
        ("PCMU", "96", "nonsense", false),
    ] {
        assert_eq!(has(codec, number, map), expected, "{codec} {number} {map}");
    }
}

#[test]
fn wished_payload_types_are_used_where_they_are_free() {
    let mut ours = local(&["iLBC", "AMR", "PCMU"]);
    ours.payload_types = vec![(&ilbc::SPEC, 106), (&amr::SPEC, 106), (&pcmu::SPEC, 110)];
    ours.dtmf_payload_type = 96;
    let text = offered(&ours);
    // Two wishes for one number: the first counts, the other gets the first that nobody wishes for.
    assert_eq!(lines(&text, "m="), ["m=audio 4000 RTP/AVP 106 97 110 96"]);
    assert_eq!(lines(&text, "a=rtpmap:96"), ["a=rtpmap:96 telephone-event/8000"]);
}

/// RFC 3264 §8.3.2: a number never changes its meaning, and §6.1: each side has its own numbers.
#[test]
fn numbers_keep_their_meaning() {
    let ours = local(&["AMR", "iLBC", "PCMU"]);
    let mut we = negotiator(&ours);
    let text = String::from_utf8(we.offer(SendRecv)).unwrap();
    assert_eq!(lines(&text, "m="), ["m=audio 4000 RTP/AVP 96 97 0 101"]);
    // They answer with numbers of their own.
    let reply = offer("111 112", &["a=rtpmap:111 iLBC/8000", "a=rtpmap:112 telephone-event/8000"]);
    let agreed = we.accept_answer(reply.as_bytes()).unwrap();
    assert_eq!((agreed.codec, agreed.payload_type), (&ilbc::SPEC, 111));
    assert_eq!(agreed.receive, [Format::new(97, &ilbc::SPEC)]);
    assert_eq!((agreed.dtmf_payload_type, agreed.dtmf_receive_payload_type), (Some(112), Some(101)));
    assert_eq!((agreed.events, agreed.remote_events), (vec![side(101, 8000)], vec![side(112, 8000)]));

    // Their 96 is iLBC; ours is AMR and stays it. A number that is new to us we take as it is.
    let theirs = offer(
        "96 97 100 101",
        &["a=rtpmap:96 iLBC/8000", "a=rtpmap:97 AMR/8000", "a=rtpmap:100 PCMU/8000", "a=rtpmap:101 CN/16000"],
    );
    let (text, agreed) = we.answer(theirs.as_bytes(), SendRecv).unwrap();
    let text = String::from_utf8(text).unwrap();
    assert_eq!(lines(&text, "m="), ["m=audio 4000 RTP/AVP 97 96 100"]);
    assert_eq!(
        lines(&text, "a=rtpmap:"),
        ["a=rtpmap:97 iLBC/8000", "a=rtpmap:96 AMR/8000", "a=rtpmap:100 PCMU/8000"]
    );
    assert_eq!((agreed.payload_type, agreed.receive[0].payload_type), (96, 97));
    // The next offer has the latest number of each, and a codec that comes anew one that was never used.
    let mut more = ours;
    more.codecs.push(choice("opus"));
    we.set_local(more);
    let text = String::from_utf8(we.offer(SendRecv)).unwrap();
    assert_eq!(lines(&text, "m="), ["m=audio 4000 RTP/AVP 96 97 100 98 101 99"]);
}

#[test]
fn packet_times_fit_the_codec() {
    // What is said is what the first codec can do; what is sent is what the other side wants, within that.
    for (codec, wish, said) in [
        ("PCMU", 20, "a=ptime:20"),
        ("PCMU", 0, ""),
        ("iLBC", 20, "a=ptime:30"),
        ("iLBC;mode=20", 30, "a=ptime:20"),
        ("iLBC;mode=20", 40, "a=ptime:40"),
        ("G723", 20, "a=ptime:30"),
        ("G723", 60, "a=ptime:60"),
        ("G729", 30, "a=ptime:30"),
        ("G722", 30, "a=ptime:30"),
        ("PCMU", 200, "a=ptime:60"),
    ] {
        let mut ours = local(&[codec]);
        ours.ptime = wish;
        assert_eq!(lines(&offered(&ours), "a=ptime").concat(), said, "{codec} {wish}");
    }
    let map = ["a=rtpmap:97 iLBC/8000", "a=fmtp:97 mode=20"];
    for (codec, attributes, sent, most) in [
        ("PCMU", &["a=ptime:30"][..], 30, None),
        ("PCMU", &["a=ptime:200"], 60, None),
        ("PCMU", &["a=ptime:30", "a=maxptime:20"], 20, Some(20)),
        ("PCMU", &["a=maxptime:150"], 20, Some(150)),
        ("PCMU", &["a=maxptime:1000"], 20, Some(255)),
        ("PCMU", &["a=ptime:20.5", "a=maxptime:x"], 20, None),
        ("iLBC;mode=20", &[map[0], map[1], "a=ptime:40"], 40, None),
        ("iLBC;mode=20", &[map[0], map[1], "a=ptime:30"], 20, None),
        ("iLBC", &[map[0], map[1], "a=ptime:20"], 30, None),
    ] {
        let (_, agreed) = answer(&local(&[codec]), &offer("0 97", attributes));
        assert_eq!((agreed.ptime, agreed.max_ptime), (sent, most), "{codec} {attributes:?}");
    }
    let mut silent = local(&["PCMU"]);
    (silent.ptime, silent.max_ptime) = (0, 0);
    let (text, agreed) = answer(&silent, &offer("0", &[]));
    assert!(!text.contains("ptime") && agreed.ptime == pcmu::SPEC.default_ptime);
}

/// RFC 4733 §2.1: events have the clock of the speech.
#[test]
fn telephone_events_at_the_clock_of_each_codec() {
    let mut ours = local(&["opus", "PCMU"]);
    ours.codecs.push((&l16::L16_16000).into());
    let text = offered(&ours);
    assert_eq!(lines(&text, "m="), ["m=audio 4000 RTP/AVP 96 0 97 101 98 99"]);
    assert_eq!(lines(&text, "a=rtpmap:101"), ["a=rtpmap:101 telephone-event/8000"]);
    assert_eq!(lines(&text, "a=rtpmap:98"), ["a=rtpmap:98 telephone-event/48000"]);

    let three = [
        "a=rtpmap:96 opus/48000/2",
        "a=rtpmap:101 telephone-event/48000",
        "a=rtpmap:99 telephone-event/16000",
        "a=rtpmap:100 telephone-event/8000",
    ];
    let (text, agreed) = answer(&local(&["opus", "PCMU"]), &offer("96 0 101 99 100", &three));
    assert_eq!(lines(&text, "m="), ["m=audio 4000 RTP/AVP 96 0 101 100"]);
    assert_eq!((agreed.codec, agreed.dtmf_payload_type), (&opus::SPEC, Some(101)));
    assert_eq!(agreed.events, [side(101, 48_000), side(100, 8000)]);
    let (_, agreed) = answer(&local(&["PCMU"]), &offer("96 0 101 99 100", &three));
    assert_eq!((agreed.dtmf_payload_type, agreed.dtmf_receive_payload_type), (Some(100), Some(100)));

    // One who has events at 8000 Hz alone is heard; to it we send none at a clock that is not the speech's.
    let (text, agreed) = answer(&local(&["opus"]), &offer("96 100", &[three[0], three[3]]));
    assert_eq!(lines(&text, "m="), ["m=audio 4000 RTP/AVP 96 100"]);
    assert_eq!((agreed.dtmf_payload_type, agreed.events), (None, vec![side(100, 8000)]));
    let mut none = local(&["PCMU"]);
    none.dtmf = false;
    let (text, agreed) = answer(&none, &offer("0 100", &[three[3]]));
    assert!(!text.contains("telephone-event") && agreed.dtmf_payload_type.is_none());
    assert!(!offered(&none).contains("telephone-event"));
}

#[test]
fn comfort_noise_goes_with_codecs_that_have_none() {
    let mut ours = local(&["PCMU", "G729"]);
    ours.comfort_noise = true;
    assert_eq!(lines(&offered(&ours), "m="), ["m=audio 4000 RTP/AVP 0 18 13 101"]);
    let (text, agreed) = answer(&ours, &offer("0 13", &[]));
    assert_eq!(lines(&text, "m="), ["m=audio 4000 RTP/AVP 0 13"]);
    assert_eq!((agreed.noise_payload_type, agreed.noise), (Some(13), vec![side(13, 8000)]));
    let (_, agreed) = answer(&ours, &offer("18 0 13", &[]));
    assert_eq!((agreed.codec, agreed.noise_payload_type), (&g729::SPEC, None));
    let (text, agreed) = answer(&local(&["PCMU"]), &offer("0 13", &[]));
    assert_eq!((lines(&text, "m=")[0], agreed.noise), ("m=audio 4000 RTP/AVP 0", vec![]));
    ours.codecs = vec![(&g729::SPEC).into()];
    assert!(!offered(&ours).contains("CN/8000"));
}

#[test]
fn redundancy_is_agreed_on() {
    let mut ours = local(&["PCMA", "PCMU"]);
    ours.redundancy = 2;
    let text = offered(&ours);
    assert_eq!(lines(&text, "m="), ["m=audio 4000 RTP/AVP 8 0 96 101"]);
    assert_eq!(
        lines(&text, "a=rtpmap:96").concat() + lines(&text, "a=fmtp:96")[0],
        "a=rtpmap:96 red/8000a=fmtp:96 8/8/8"
    );
    let red = ["a=rtpmap:121 red/8000/1", "a=fmtp:121 0/0"];
    let (text, agreed) = answer(&ours, &offer("121 0 8", &red));
    assert_eq!(lines(&text, "m="), ["m=audio 4000 RTP/AVP 0 8 121"]);
    assert_eq!(lines(&text, "a=fmtp:121"), ["a=fmtp:121 0/0"]);
    assert_eq!(agreed.codec, &pcmu::SPEC);
    let expected = Redundancy { payload_type: 121, receive_payload_type: 121, generations: 1 };
    assert_eq!(agreed.redundancy, Some(expected));
    // Who has none passes it over.
    let (text, agreed) = answer(&local(&["PCMU"]), &offer("121 0", &red));
    assert_eq!((lines(&text, "m="), agreed.redundancy), (vec!["m=audio 4000 RTP/AVP 0"], None));
}

#[test]
fn rtcp_is_where_both_say() {
    let mut ours = local(&["PCMU"]);
    let at = |text: &str| Some(text.parse::<SocketAddr>().unwrap());
    for (attributes, rtcp) in [
        (&[][..], at("192.0.2.9:6001")),
        (&["a=rtcp:7000"], at("192.0.2.9:7000")),
        (&["a=rtcp:7000 IN IP4 192.0.2.10"], at("192.0.2.10:7000")),
        (&["a=rtcp:0"], None),
        (&["a=rtcp:7000 IN IP6 2001:db8::1"], None),
        (&["a=rtcp:x"], at("192.0.2.9:6001")),
        (&["a=rtcp-mux"], at("192.0.2.9:6001")),
    ] {
        assert_eq!(answer(&ours, &offer("0", attributes)).1.remote_rtcp, rtcp, "{attributes:?}");
    }
    (ours.rtcp_mux, ours.rtcp_reduced_size) = (true, true);
    let text = offered(&ours);
    assert_eq!(lines(&text, "a=rtcp"), ["a=rtcp-mux", "a=rtcp-rsize"]);
    let (text, agreed) = answer(&ours, &offer("0", &["a=rtcp-mux", "a=rtcp:7000"]));
    assert_eq!((agreed.rtcp_mux, agreed.remote_rtcp), (true, at("192.0.2.9:6000")));
    assert_eq!(lines(&text, "a=rtcp"), ["a=rtcp-mux"]);
    let (text, agreed) = answer(&ours, &offer("0", &["a=rtcp-rsize"]));
    assert_eq!((agreed.rtcp_mux, agreed.rtcp_reduced_size), (false, true));
    assert_eq!(lines(&text, "a=rtcp"), ["a=rtcp-rsize"]);
}

#[test]
fn extended_reports_are_those_that_both_want() {
    let mut ours = local(&["PCMU"]);
    ours.rtcp_xr = RtcpXr::parse("rcvr-rtt=sender stat-summary=loss,jitt voip-metrics");
    assert_eq!(
        lines(&offered(&ours), "a=rtcp-xr"),
        ["a=rtcp-xr:rcvr-rtt=sender stat-summary=loss,jitt voip-metrics"]
    );
    // At the level of the session, as linphone says it.
    let asked = "s=-\r\na=rtcp-xr:rcvr-rtt=all:10000 stat-summary=loss,dup,jitt,TTL voip-metrics";
    let theirs = offer("0", &[]).replace("s=-", asked);
    let (_, agreed) = answer(&ours, &theirs);
    assert_eq!(agreed.rtcp_xr.receiver_rtt, Some(ReceiverRtt::Sender));
    assert_eq!(agreed.rtcp_xr.to_string(), "rcvr-rtt=sender stat-summary=loss,jitt voip-metrics");
    // The line's own counts more; and nothing is sent that was not asked for.
    let (_, agreed) = answer(&ours, &(theirs.clone() + "a=rtcp-xr:stat-summary=dup\r\n"));
    assert!(agreed.rtcp_xr.is_empty());
    assert!(answer(&ours, &offer("0", &[])).1.rtcp_xr.is_empty());
    assert!(answer(&local(&["PCMU"]), &theirs).1.rtcp_xr.is_empty());
}

#[test]
fn bandwidth_is_written_and_read() {
    let mut ours = local(&["PCMU"]);
    ours.bandwidth.application_specific = Some(100);
    ours.bandwidth.rtcp_receivers = Some(0);
    let text = offered(&ours);
    assert_eq!(lines(&text, "b="), ["b=AS:100", "b=RR:0"]);
    assert!(text.find("b=AS").unwrap() > text.find("m=audio").unwrap());
    let theirs = offer("0", &["b=AS:64", "b=TIAS:50780", "b=X-YZ:1", "b=RS:oops"])
        .replace("s=-", "s=-\r\nb=CT:1000\r\nb=RS:800\r\nb=AS:500");
    let mut expected = Bandwidth::default();
    expected.application_specific = Some(64);
    expected.transport_independent = Some(50_780);
    expected.rtcp_senders = Some(800);
    assert_eq!(answer(&ours, &theirs).1.remote_bandwidth, expected);
}

/// RFC 6947, RFC 4091: two families, in one line or in two; and none that we have.
#[test]
fn address_families() {
    let v6 = "c=IN IP6 2001:db8::9";
    let six = offer("0", &[]).replace("c=IN IP4 192.0.2.9", v6);
    let ours = local(&["PCMU"]);
    let error = refused(&ours, &six);
    assert_eq!((error.status(), error.warning()), (488, 301));
    assert_eq!(
        error.to_string(),
        "cannot send audio there: c= says 2001:db8::9, an IPv4 address was expected"
    );
    let network = refused(&ours, &six.replace("c=IN IP6", "c=ATM NSAP"));
    assert_eq!((network.status(), network.warning()), (488, 300));
    let multicast = refused(&ours, &offer("0", &[]).replace("c=IN IP4 192.0.2.9", "c=IN IP4 224.2.1.1/127"));
    assert_eq!((multicast.status(), multicast.warning()), (488, 330));
    // An IPv4 address in the clothes of the other family is one.
    let mapped = six.replace("2001:db8::9", "::ffff:192.0.2.9");
    assert_eq!(answer(&ours, &mapped).1.remote_rtp, Some("192.0.2.9:6000".parse().unwrap()));

    // An alternative in the same line.
    let both = six.clone() + "a=altc:1 IP6 2001:db8::9 6000\r\na=altc:2 IP4 192.0.2.9 6002\r\n";
    let (text, agreed) = answer(&ours, &both);
    assert_eq!(agreed.remote_rtp, Some("192.0.2.9:6002".parse().unwrap()));
    assert_eq!(lines(&text, "c="), ["c=IN IP4 192.0.2.1"]);
    // A group of two lines (ANAT).
    let anat = six.replace("s=-", "s=-\r\na=group:ANAT 1 2").replace("m=audio 6000", "m=audio 6004")
        + "a=mid:1\r\nm=audio 6000 RTP/AVP 0\r\nc=IN IP4 192.0.2.9\r\na=mid:2\r\n";
    let (text, agreed) = answer(&ours, &anat);
    assert_eq!(agreed.remote_rtp, Some("192.0.2.9:6000".parse().unwrap()));
    assert_eq!(lines(&text, "m="), ["m=audio 0 RTP/AVP 0", "m=audio 4000 RTP/AVP 0"]);

    // Both families are open here: offers say so, and answers take the other side's.
    let mut two = local(&["PCMU"]);
    two.alternative = Some("2001:db8::1".parse().unwrap());
    let text = offered(&two);
    assert_eq!(lines(&text, "a=altc"), ["a=altc:1 IP4 192.0.2.1 4000", "a=altc:2 IP6 2001:db8::1 4000"]);
    let (text, agreed) = answer(&two, &six);
    assert_eq!(lines(&text, "c="), ["c=IN IP6 2001:db8::1"]);
    assert_eq!(agreed.remote_rtp, Some("[2001:db8::9]:6000".parse().unwrap()));
    let mut we = negotiator(&two);
    we.offer(SendRecv);
    we.accept_answer(six.as_bytes()).unwrap();
    let text = String::from_utf8(we.offer(SendRecv)).unwrap();
    assert_eq!(lines(&text, "c="), ["c=IN IP6 2001:db8::1"], "what was chosen stays");
}

#[test]
fn the_origin_and_the_name_of_the_session_are_ours_to_say() {
    let mut ours = local(&["PCMU"]);
    (ours.origin_user, ours.session_name) = ("alice".into(), "Desk 7".into());
    let text = offered(&ours);
    assert_eq!(lines(&text, "o="), ["o=alice 0 0 IN IP4 192.0.2.1"]);
    assert_eq!(lines(&text, "s="), ["s=Desk 7"]);
    for wrong in ["", " ", "two words", "a\r\nm=audio 1 RTP/AVP 0", "t\tb"] {
        (ours.origin_user, ours.session_name) = (wrong.into(), wrong.into());
        let text = offered(&ours);
        assert!(lines(&text, "o=")[0].starts_with("o=- 0 0 "), "{wrong:?}");
        assert_eq!((lines(&text, "m=").len(), lines(&text, "s=").len()), (1, 1), "{wrong:?}");
    }
}

#[test]
fn what_is_not_looked_at_may_be_wrong() {
    let ours = local(&["PCMU"]);
    let good = offer("0", &[]);
    for odd in [
        // ICE, BUNDLE and whatever else a browser's gateway leaves in.
        good.clone()
            + "a=ice-ufrag:8hhY\r\na=ice-pwd:asd88fgpdd777uzjYhagZg\r\na=candidate:1 1 UDP 2130706431 10.0.1.1 8998 typ host\r\n\
               a=mid:0\r\na=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\na=ssrc:1 cname:x\r\na=x\r\na=:\r\n",
        good.replace("s=-", "s="),
        good.replace("s=-\r\n", ""),
        good.replace("t=0 0", "t=0"),
        good.replace("t=0 0", "t=yesterday\r\nr=x\r\nz=x\r\nk=clear:x\r\ne=x\r\np=x\r\nu=x\r\ni=x"),
        good.replace("\r\n", "\n"),
        good.replace("\r\n", " \r\n"),
        good.clone() + "\r\n\r\n",
        good.replace("c=IN IP4 192.0.2.9", "c=IN  IP4  192.0.2.9"),
        good.replace("m=audio 6000", "m=audio 6000/2"),
        good.clone() + "y=unknown line\r\n",
        good.replace("AVP 0", "AVP 0 0 x 200 -1 0"),
    ] {
        let (_, agreed) = answer(&ours, &odd);
        assert_eq!((agreed.codec, agreed.receive.len()), (&pcmu::SPEC, 1), "{odd}");
    }
    // A name in Latin-1.
    let mut latin = good.clone().into_bytes();
    let at = good.find("s=-").unwrap() + 2;
    latin[at] = 0xe9;
    assert!(negotiator(&ours).answer(&latin, SendRecv).is_ok());
}

#[test]
fn what_is_wrong_is_named_with_its_status_and_warning() {
    let ours = local(&["PCMU"]);
    let good = offer("0", &[]);
    for (bad, status, warning) in [
        (String::new(), 400, 399),
        ("hello".into(), 400, 399),
        (good.replace("v=0\r\n", ""), 400, 399),
        (good.replace("v=0", "v=1"), 400, 399),
        (good.replace("m=audio 6000", "m=audio 70000"), 400, 399),
        (good.replace("m=audio 6000 RTP/AVP 0", "m=audio 6000"), 400, 399),
        (good.replace("o=- 1 1", "o=- 1"), 400, 399),
        (good.replace("c=IN IP4 192.0.2.9\r\n", ""), 400, 399),
        (good.replace("192.0.2.9\r\nt", "host.example\r\nt"), 488, 301),
        (good.replace("c=IN IP4 192", "c=IN IP4 192.0.2"), 488, 301),
        (good.replace("m=audio", "m=video"), 488, 304),
        (good.replace("RTP/AVP", "RTP/SAVP"), 488, 302),
        (good.replace("RTP/AVP", "udp"), 488, 302),
        (good.replace("AVP 0", "AVP 8 18"), 488, 305),
        (good.replace("AVP 0", "AVP 99"), 488, 305),
    ] {
        let error = refused(&ours, &bad);
        assert_eq!((error.status(), error.warning()), (status, warning), "{error}\n{bad}");
        assert!(!error.to_string().is_empty());
    }
    // Errors of the text name the line, counted in the text that came.
    let error = refused(&ours, &good.replace("m=audio 6000", "m=audio x")).to_string();
    assert!(error.contains("line 6"), "{error}");
}

#[test]
fn limits_of_octets_lines_streams_and_formats() {
    let ours = local(&["PCMU"]);
    let good = offer("0", &[]);
    let too_long = |text: String, expected: &str| match refused(&ours, &text) {
        SdpError::TooLong { what, got, most } => {
            assert!(what == expected && got > most, "{what} {got} {most}")
        }
        other => panic!("{other}"),
    };
    too_long(good.clone() + &"a=x:".repeat(20_000), "octets");
    too_long(good.clone() + &"a=x\r\n".repeat(3000), "lines");
    too_long(good.clone() + &"m=video 1 RTP/AVP 31\r\n".repeat(32), "m= lines");
    // Formats beyond the limit are not looked at; those within are.
    let many: Vec<String> = (1..=200).map(|number| (number % 128).to_string()).collect();
    let (text, agreed) = answer(&ours, &offer(&format!("0 {}", many.join(" ")), &[]));
    assert_eq!((lines(&text, "m=")[0], agreed.receive.len()), ("m=audio 4000 RTP/AVP 0", 1));
    // The longest that is read takes no longer than its length asks for.
    let worst = offer("0 1 2 3", &vec!["a=fmtp:0 x=1;y=2"; 1980]);
    assert!(worst.len() > 30_000);
    let (_, agreed) = answer(&ours, &worst);
    assert_eq!(agreed.codec, &pcmu::SPEC);
}

/// An offer of ours that was answered early and answered again by another phone that rang too.
#[test]
fn a_second_answer_to_one_offer_counts() {
    let mut we = negotiator(&local(&["PCMU", "PCMA"]));
    we.offer(SendRecv);
    let early = we.accept_answer(offer("8", &[]).as_bytes()).unwrap();
    assert_eq!(early.codec, &pcma::SPEC);
    let other = offer("0", &["a=sendonly"]).replace("192.0.2.9", "192.0.2.10");
    let last = we.accept_answer(other.as_bytes()).unwrap();
    assert_eq!(last.codec, &pcmu::SPEC);
    assert_eq!(last.remote_rtp, Some("192.0.2.10:6000".parse().unwrap()));
    assert_eq!(last.direction, sidetone_media::Direction::RecvOnly);
}

/// The other side ends the stream in its answer to our hold, as some old phones do: the call goes on without.
#[test]
fn an_answer_may_end_the_stream() {
    let mut we = negotiator(&local(&["PCMU"]));
    we.offer(SendRecv);
    let rejected = offer("0", &[]).replace("m=audio 6000", "m=audio 0");
    assert!(matches!(we.accept_answer(rejected.as_bytes()), Err(SdpError::AnswerMismatch(_))));
    we.accept_answer(offer("0", &[]).as_bytes()).unwrap();
    we.offer(SendOnly);
    let agreed = we.accept_answer(rejected.as_bytes()).unwrap();
    assert_eq!((agreed.direction, agreed.remote_rtp), (sidetone_media::Direction::Inactive, None));
    assert!(!we.is_offer_pending());
    we.offer(SendRecv);
    let agreed = we.accept_answer(offer("0", &[]).as_bytes()).unwrap();
    assert_eq!(agreed.direction, SendRecv);
}
