//! Typed headers: what they say and how they are built, sets and lists over several lines, and what is forgiven.

use bytes::Bytes;
use core::time::Duration;
use sidetone_sip_core::header::*;
use sidetone_sip_core::{HeaderName, Headers, Leniency, Method, Text, Uri};

#[test]
fn rings_and_answers_as_asked() {
    let alert = |text: &str| text.parse::<AlertInfo>().unwrap();
    for (text, after) in [
        ("<sip:x>;info=alert-autoanswer", Some(0)),
        ("<sip:x>;info=alert-autoanswer;delay=5", Some(5)),
        ("info = alert-autoanswer", Some(0)),
        ("info=\"Auto Answer\"", Some(0)),
        ("Auto Answer", Some(0)),
        ("<alert-autoanswer>", Some(0)),
        ("auto-answer", Some(0)),
        ("answer-after = 0", Some(0)),
        ("Answer-After=3", Some(3)),
        ("<http://h/;x>;answer-after=7", Some(7)),
        ("answer-after=soon", None),
        ("Bellcore-dr1", None),
        ("info=family;x-line-id=0", None),
        ("Autoanswering", None),
        ("<sip:autoanswer>", None),
    ] {
        assert_eq!(alert(text).answer_after(), after, "{text}");
    }
    for (text, ring) in [
        ("Bellcore-dr1", Some(1)),
        ("<Bellcore-dr5>", Some(5)),
        ("bellcore-DR2", Some(2)),
        ("127.0.0.1/Bellcore-dr3", Some(3)),
        ("<http://127.0.0.1/Bellcore-dr4>;x=y", Some(4)),
        ("<file://Bellcore-dr2>", Some(2)),
        ("info=Bellcore-dr3", Some(3)),
        ("Bellcore-drx", None),
        ("Bellcore-dr300", None),
        ("ringtone-2", None),
    ] {
        assert_eq!(alert(text).bellcore(), ring, "{text}");
    }
    assert_eq!(alert("ringtone-2").keyword(), Some("ringtone-2"));
    assert_eq!(alert("info=info text;x-line-id=0").info().as_deref(), Some("info text"));
    assert_eq!(
        alert("<http://192.168.0.12:8080/Custom.wav>").uri().unwrap().as_str(),
        "http://192.168.0.12:8080/Custom.wav"
    );
    let call: CallInfo = "<http://h/a.jpg>;purpose=icon".parse().unwrap();
    assert_eq!(call.purpose().as_deref(), Some("icon"));
    let intercom = CallInfo::new("sip:pbx".parse().unwrap()).with("answer-after", "0");
    assert_eq!(intercom.to_string(), "<sip:pbx>;answer-after=0");
}

#[test]
fn dialogs_are_named_from_the_receivers_side() {
    let replaces: Replaces = "12345@h;to-tag=local;from-tag=remote".parse().unwrap();
    assert!(
        replaces.matches(&"12345@h".into(), "local", "remote")
            && !replaces.matches(&"12345@h".into(), "remote", "local")
    );
    assert!(
        !replaces.matches(&"12345@H".into(), "local", "remote")
            && !replaces.matches(&"12345@h".into(), "LOCAL", "remote")
    );
    assert!(!replaces.early_only() && replaces.with_early_only().early_only());
    let target: TargetDialog = "a;local-tag=theirs;remote-tag=mine".parse().unwrap();
    assert!(target.matches(&"a".into(), "mine", "theirs"));
    let join = Join::new("a".into(), "1", "2");
    assert_eq!(join.to_string(), "a;to-tag=1;from-tag=2");
    // A tag that came from elsewhere cannot break out.
    let evil = Replaces::new("a".into(), "1;early-only", "2\r\nX: y");
    assert_eq!(evil.to_string(), "a;to-tag=\"1;early-only\";from-tag=\"2  X: y\"");
    assert_eq!(evil.to_string().parse::<Replaces>().unwrap().to_tag, "1;early-only");
}

#[test]
fn subscriptions_sessions_and_acknowledgements() {
    let state: SubscriptionState = "terminated;reason=probation;retry-after=30".parse().unwrap();
    assert!(state.is_terminated() && !state.is_active());
    assert_eq!(
        (state.reason().as_deref(), state.retry_after(), state.expires()),
        (Some("probation"), Some(30), None)
    );
    assert_eq!(SubscriptionState::active(60).to_string(), "active;expires=60");
    assert_eq!(SubscriptionState::pending(60).expires(), Some(60));
    assert_eq!(
        SubscriptionState::terminated("timeout").with("retry-after", "1").to_string(),
        "terminated;reason=timeout;retry-after=1"
    );
    let event = Event::new("refer").with_id("93809824");
    assert!(
        event.matches(&"refer;id=93809824".parse().unwrap()) && !event.matches(&"refer".parse().unwrap())
    );
    assert!(!event.matches(&"Refer;id=93809824".parse().unwrap()), "byte by byte (RFC 6665 §8.2.1)");
    let session: SessionExpires = "90;refresher=UAC".parse().unwrap();
    assert_eq!((session.seconds, session.refresher()), (90, Some(Refresher::Uac)));
    assert_eq!("90;refresher=x".parse::<SessionExpires>().unwrap().refresher(), None);
    assert_eq!(MinSe::new(90).to_string(), "90");
    let rack = RAck { rseq: 1, cseq: 2, method: Method::INVITE };
    assert_eq!(rack.to_string().parse(), Ok(rack));
    let stamp = Timestamp::new(Duration::from_micros(1_000_250));
    assert_eq!(stamp.to_string(), "1.000250");
    let stamp: Timestamp = "54.2 0.0005".parse().unwrap();
    assert_eq!(
        (stamp.sent(), stamp.delay()),
        (Duration::from_millis(54_200), Some(Duration::from_micros(500)))
    );
    assert_eq!(
        "99999999999999999999.1234567890123".parse::<Timestamp>().unwrap().sent(),
        Duration::new(u64::MAX, 123_456_789)
    );
    assert!(ReferSub::new(false).to_string() == "false" && AllowEvents::from_iter(["dialog"]).has("Dialog"));
    assert_eq!(SipETag::from("a").to_string(), *SipIfMatch::from("a"));
}

#[test]
fn callers_and_their_history() {
    let diversion = Diversion::new("sip:a@b".parse().unwrap()).with_reason("no-answer").with_counter(3);
    assert_eq!(diversion.to_string(), "<sip:a@b>;reason=no-answer;counter=3");
    assert_eq!("<sip:a@b>".parse::<Diversion>().unwrap().counter(), 1);
    let hidden: RemotePartyId = "<sip:a@b>;privacy=name-full".parse().unwrap();
    assert!(hidden.hides("uri"));
    let name_only: RemotePartyId = "<sip:a@b>;privacy=name;party=called".parse().unwrap();
    assert!(name_only.hides("name") && !name_only.hides("uri") && !name_only.is_screened());
    assert_eq!(
        RemotePartyId::new("sip:a@b".parse().unwrap()).with_party("calling").to_string(),
        "<sip:a@b>;party=calling"
    );

    let first = HistoryIndex::first();
    let bob: Uri = "sip:bob@example.com".parse().unwrap();
    let entry = HistoryInfo::at(bob, &first.child(2))
        .with_target(&HistoryTarget::Mapped(first.clone()))
        .with_reason(&Reason::sip(486, "Busy Here"))
        .with_privacy(&Privacy::from_iter(["history"]));
    let text = "<sip:bob@example.com?Reason=SIP%3Bcause%3D486%3Btext%3D%22Busy%20Here%22&Privacy=history>;index=1.2;mp=1";
    assert_eq!(entry.to_string(), text);
    let entry: HistoryInfo = text.parse().unwrap();
    assert_eq!(
        (entry.index(), entry.target()),
        (Some(first.child(2)), Some(HistoryTarget::Mapped(first.clone())))
    );
    assert_eq!(entry.reason().unwrap().unwrap().text().as_deref(), Some("Busy Here"));
    assert!(entry.privacy().unwrap().unwrap().has("history"));
    assert!("1.10".parse::<HistoryIndex>().unwrap() > "1.9".parse().unwrap());
    assert_eq!((first.parent(), first.child(1).parent()), (None, Some(first)));
    for wrong in ["", ".", "1.", "1..2", "a", "1.-1", "99999999999"] {
        assert!(wrong.parse::<HistoryIndex>().is_err(), "{wrong}");
    }
    assert!("1.".repeat(300).trim_end_matches('.').parse::<HistoryIndex>().is_err());

    let referred: ReferredBy = "<sip:r@ref.example>;cid=\"2UWQFN309shb3@ref.example\"".parse().unwrap();
    assert_eq!(referred.cid().as_deref(), Some("2UWQFN309shb3@ref.example"));
    assert_eq!("id;user".parse::<Privacy>().unwrap(), Privacy::from_iter(["id", "user"]));
}

#[test]
fn choices_fit_as_the_rfc_says() {
    let languages: AcceptLanguage = "da, en-gb;q=0.8, en;q=0.7, *;q=0.1".parse().unwrap();
    for (tag, q) in [
        ("da", 1000),
        ("DA-dk", 1000),
        ("en-gb", 800),
        ("en-us", 700),
        ("en", 700),
        ("english", 100),
        ("fr", 100),
    ] {
        assert_eq!(languages.q(tag), q, "{tag}");
    }
    let codings: AcceptEncoding = "gzip;q=0.5, identity".parse().unwrap();
    assert_eq!((codings.q("GZIP"), codings.q("identity"), codings.q("br")), (500, 1000, 0));
    assert_eq!("a;q=.5, b;q=1.001, c;q=x".parse::<AcceptEncoding>().unwrap().q("a"), 500);
}

#[test]
fn identifiers_data_and_signatures() {
    let id = SessionId::new(0xf81d_4fae_7dec_11d0_a765_00a0_c91e_6bf6, SessionId::NIL);
    assert_eq!(id.to_string(), "f81d4fae7dec11d0a76500a0c91e6bf6;remote=00000000000000000000000000000000");
    assert_eq!(id.remote(), Some(0));
    assert_eq!("f81d4fae7dec11d0a76500a0c91e6bf6;remote=x".parse::<SessionId>().unwrap().remote(), None);

    let uui: UserToUser = "56a390f3d2b7310023a2;purpose=isdn-uui;content=isdn-uui".parse().unwrap();
    assert_eq!(uui.decoded().unwrap(), [0x56, 0xa3, 0x90, 0xf3, 0xd2, 0xb7, 0x31, 0x00, 0x23, 0xa2]);
    assert_eq!((uui.purpose().as_deref(), uui.content().as_deref()), (Some("isdn-uui"), Some("isdn-uui")));
    assert_eq!("abc".parse::<UserToUser>().unwrap().decoded(), None);
    assert_eq!(
        "\"abc\";encoding=text".parse::<UserToUser>().unwrap().decoded().as_deref(),
        Some(&b"abc"[..])
    );
    assert_eq!(UserToUser::hex(&[0, 255]).decoded().unwrap(), [0, 255]);

    let identity: Identity = "h.c.s;info=<https://c>;alg=ES256;ppt=shaken".parse().unwrap();
    assert_eq!((identity.parts(), identity.is_compact()), (Some(("h", "c", "s")), false));
    assert_eq!(identity.ppt().as_deref(), Some("shaken"));
    assert_eq!("..s;info=<https://c>".parse::<Identity>().unwrap().parts(), Some(("", "", "s")));
    assert_eq!(Identity::new("..s", "https://c".parse().unwrap()).to_string(), "..s;info=<https://c>");

    let charging: PChargingFunctionAddresses =
        "ccf=192.1.1.1; CCF=192.1.1.2; ecf=\"192.1.1.3\"".parse().unwrap();
    assert_eq!(charging.addresses("ccf").collect::<Vec<_>>(), ["192.1.1.1", "192.1.1.2"]);
    assert_eq!(charging.addresses("ecf").collect::<Vec<_>>(), ["192.1.1.3"]);
    let vector = PChargingVector::new("a b");
    assert_eq!((vector.to_string().as_str(), vector.icid().as_deref()), ("icid-value=\"a b\"", Some("a b")));
    assert!("ADSL;network-provided".parse::<PAccessNetworkInfo>().unwrap().is_network_provided());
    let early: PEarlyMedia = "sendonly, gated, inactive".parse().unwrap();
    assert_eq!(early.directions().collect::<Vec<_>>(), [MediaDirection::SendOnly, MediaDirection::Inactive]);
    assert_eq!("tls;q=0.2".parse::<SecurityServer>().unwrap().q(), Some(200));
    assert!("Auto;require".parse::<AnswerMode>().unwrap().is_required());
    assert!("auto".parse::<PrivAnswerMode>().unwrap().is_auto());
    let id: ContentId = "<a%b@c>".parse().unwrap();
    assert_eq!(id.to_uri().unwrap().as_str(), "cid:a%25b@c");
    assert!(
        id.is_named_by(&"CID:a%25b%40c".parse().unwrap()) && !id.is_named_by(&"cid:a@c".parse().unwrap())
    );
}

#[test]
fn sets_are_joined_over_lines_and_lists_taken_apart() {
    let mut headers = Headers::new();
    for (name, value) in [
        ("u", "dialog, presence"),
        ("Allow-Events", "refer"),
        ("Privacy", "id"),
        ("Privacy", "user;critical"),
        ("In-Reply-To", "1, 2"),
        ("In-Reply-To", "3"),
        ("Recv-Info", ""),
        ("d", "no-fork"),
        ("a", "*;audio, *;video"),
        ("x", "1800;refresher=uas"),
        ("Diversion", "<sip:b,x@h>;reason=\"a,b\",<sip:a@h>"),
        ("Security-Server", "tls, digest;q=0.1"),
        ("b", "<sip:r@h>"),
        ("o", "refer"),
        ("Alert-Info", "<http://h/a,b.wav>, Bellcore-dr1"),
    ] {
        headers.push_raw(name.parse().unwrap(), value).unwrap();
    }
    assert_eq!(
        headers.require::<AllowEvents>().unwrap(),
        AllowEvents::from_iter(["dialog", "presence", "refer"])
    );
    assert_eq!(headers.require::<Privacy>().unwrap(), Privacy::from_iter(["id", "user", "critical"]));
    assert_eq!(headers.require::<InReplyTo>().unwrap().0.len(), 3);
    assert_eq!(headers.require::<RecvInfo>().unwrap(), RecvInfo::default());
    assert!(headers.require::<RequestDisposition>().unwrap().has("no-fork"));
    assert_eq!(headers.all::<AcceptContact>().count(), 2);
    assert_eq!(headers.require::<SessionExpires>().unwrap().refresher(), Some(Refresher::Uas));
    let diversions: Vec<_> = headers.all::<Diversion>().map(Result::unwrap).collect();
    assert_eq!((diversions.len(), diversions[0].reason().as_deref()), (2, Some("a,b")));
    assert_eq!(
        headers.all::<SecurityServer>().map(|value| value.unwrap().q()).collect::<Vec<_>>(),
        [None, Some(100)]
    );
    assert_eq!(headers.require::<ReferredBy>().unwrap().uri.as_str(), "sip:r@h");
    assert_eq!(headers.require::<Event>().unwrap().package, "refer");
    assert_eq!(
        headers.all::<AlertInfo>().map(|alert| alert.unwrap().bellcore()).collect::<Vec<_>>(),
        [None, Some(1)]
    );
}

#[test]
fn sets_have_a_bound() {
    let many = |separator: &str| Bytes::from(vec!["a"; 300].join(separator));
    for header in ["Allow-Events", "In-Reply-To", "Recv-Info", "Accept-Encoding"] {
        assert!(check_typed(&header.parse().unwrap(), &many(",")).unwrap().is_err(), "{header}");
    }
    assert!(check_typed(&HeaderName::PRIVACY, &many(";")).unwrap().is_err());
}

#[test]
fn nothing_that_is_set_can_begin_a_header() {
    let evil = "x\r\nEvil: 1";
    let mut headers = Headers::new();
    headers.push(&Event::new(evil).with_id(evil));
    headers.push(&SubscriptionState::terminated(evil));
    headers.push(&Priority::from(evil));
    headers.push(&UserToUser::new(evil));
    headers.push(&AlertInfo(Info::keyword_only(evil).with(evil, evil)));
    headers.push(&Replaces::new(evil.into(), evil, evil));
    headers.push(&ContentId(Text::from(evil)));
    headers.push(&Privacy::from_iter([evil]));
    headers.push(&HistoryInfo::new("sip:a@b".parse().unwrap()).with_reason(&Reason::sip(1, evil)));
    for (name, value) in headers.iter() {
        assert!(!value.contains(&b'\r') && !value.contains(&b'\n'), "{name}");
    }
}

#[test]
fn what_is_forgiven_has_a_name() {
    for (leniency, header, forgiven) in [
        (
            "bare_info_values",
            "Alert-Info",
            &["Bellcore-dr1", "info=x", ";x", "sip:a@b", "\"a\"", "<Bellcore-dr1>", "Auto Answer"][..],
        ),
        ("bare_info_values", "Call-Info", &["answer-after = 0"]),
        ("commas_in_privacy", "Privacy", &["id, header"]),
        ("old_identity", "Identity", &["\"abc\";info=<https://c>", "a.b.c;alg=ES256"]),
        ("saturating_numbers", "Session-Expires", &["99999999999"]),
        ("any_parameter_values", "User-to-User", &["a:b"]),
        ("any_parameter_values", "Event", &["dialog;x=[1"]),
        ("empty_parameters", "Event", &["dialog;;id=1"]),
        ("empty_parameters", "Replaces", &["a@b;;to-tag=1;from-tag=2;"]),
        ("any_call_ids", "Replaces", &["a,b;to-tag=1;from-tag=2"]),
        ("non_utf8_text", "P-Visited-Network-ID", &["\"\u{fc}\""]),
        ("local_numbers_without_context", "P-Associated-URI", &["<tel:7042>"]),
    ] {
        for value in forgiven {
            // One byte of a character alone is no UTF-8.
            let value: Vec<u8> = value.bytes().filter(|byte| *byte != 0xc3).collect();
            let mut headers = Headers::new();
            headers.push_raw(header.parse().unwrap(), &value).unwrap();
            let reads = |headers: &Headers| match header {
                "Alert-Info" => headers.require::<AlertInfo>().is_ok(),
                "Call-Info" => headers.require::<CallInfo>().is_ok(),
                "Privacy" => headers.require::<Privacy>().is_ok(),
                "Identity" => headers.require::<Identity>().is_ok(),
                "Session-Expires" => headers.require::<SessionExpires>().is_ok(),
                "User-to-User" => headers.require::<UserToUser>().is_ok(),
                "Event" => headers.require::<Event>().is_ok(),
                "Replaces" => headers.require::<Replaces>().is_ok(),
                "P-Visited-Network-ID" => headers.require::<PVisitedNetworkId>().is_ok(),
                "P-Associated-URI" => headers.require::<PAssociatedUri>().is_ok(),
                _ => panic!("{header}"),
            };
            let shown = value.escape_ascii();
            headers.set_leniency(&Leniency::STRICT);
            assert!(!reads(&headers), "strict: {header}: {shown}");
            let mut one = Leniency::STRICT;
            assert!(one.set(leniency, true));
            headers.set_leniency(&one);
            assert!(reads(&headers), "{leniency}: {header}: {shown}");
            let mut others = Leniency::LENIENT;
            others.set(leniency, false);
            headers.set_leniency(&others);
            assert!(!reads(&headers), "without {leniency}: {header}: {shown}");
        }
    }
}
