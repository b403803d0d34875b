//! URIs: the grammar, the parts, and the comparison table of RFC 3261 §19.1.4.

use sidetone_sip_core::header::{Replaces, Subject};
use sidetone_sip_core::{Host, Protocol, Scheme, Uri};

fn uri(text: &str) -> Uri {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn the_equal_pairs_of_the_rfc() {
    for (a, b) in [
        ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;security=on"),
        ("sip:carol@chicago.com;newparam=5", "sip:carol@chicago.com;security=on"),
        (
            "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
            "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
        ),
        (
            "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
            "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
        ),
        ("sip:[2001:db8::1]", "sip:[2001:DB8:0:0::1]"),
        ("sip:a@b;lr", "sip:a@b;LR"),
        ("sip:a@b?t=x&Subject=y", "sip:a@b?subject=y&To=x"),
        ("tel:+1-201-555-0123", "tel:+12015550123"),
        ("tel:+1(201)555.0123", "TEL:+1-201-5550123"),
        ("tel:863-1234;phone-context=+1-914-555", "tel:8631234;Phone-Context=+1914555"),
        ("tel:7042;phone-context=Example.COM", "tel:7042;phone-context=example.com"),
        ("tel:+12015550123;ext=1-2;isub=a", "tel:+12015550123;ISUB=A;ext=12"),
        ("tel:*6aB#;phone-context=x", "tel:*6Ab#;phone-context=X"),
        ("ISBN:2983792873", "isbn:2983792873"),
        // A parameter that is there twice, which RFC 3261 §19.1.1 forbids: the first counts.
        ("sip:a@b;user=a;user=b", "sip:a@b;user=a;user=b"),
        ("sip:a@b;user=a;user=b", "sip:a@b;USER=A"),
        ("sip:a@b;x=1;x=2", "sip:a@b;x=1;x=3"),
        ("tel:+1;ext=1;ext=2", "tel:+1;ext=1;ext=2"),
        ("tel:+1;ext=1;ext=2", "tel:+1;ext=1"),
        ("tel:1;phone-context=+1;phone-context=a.b", "tel:1;phone-context=+1"),
    ] {
        assert_eq!(uri(a), uri(b));
        assert_eq!(uri(b), uri(a));
    }
}

#[test]
fn the_unequal_pairs_of_the_rfc() {
    for (a, b) in [
        ("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"),
        ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
        ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"),
        ("sip:a@b;maddr=1.2.3.4", "sip:a@b"),
        ("sip:a@b;user=phone", "sip:a@b"),
        ("sip:a@b;ttl=1", "sip:a@b"),
        ("sip:a@b;user=a;user=b", "sip:a@b;user=b"),
        ("sip:a@b;user=a;user=b", "sip:a@b;user=b;user=a"),
        ("tel:+1;ext=1;ext=2", "tel:+1;ext=2"),
        ("sip:a@b;method=INVITE", "sip:a@b"),
        ("sip:a@b", "sips:a@b"),
        ("sip:a%3Bb@c", "sip:a;b@c"),
        ("sip:a:x@b", "sip:a@b"),
        ("sip:a:x@b", "sip:a:X@b"),
        ("sip:b", "sip:a@b"),
        ("sip:a@b?x=1&x=1&y=2", "sip:a@b?x=1&y=2&y=2"),
        ("sip:a@b?x=a", "sip:a@b?x=A"),
        ("sip:a@b?x=a%26y=c", "sip:a@b?x=a&y=c"),
        ("sip:a@b;x=%3D", "sip:a@b;x=1"),
        ("tel:+12015550123;phone-context=a", "tel:+12015550123"),
        ("tel:12015550123", "tel:+12015550123"),
        ("tel:7042;phone-context=1-2.example", "tel:7042;phone-context=12.example"),
        ("tel:7042;phone-context=a;x=1-2", "tel:7042;phone-context=a;x=12"),
        ("tel:1;isub=1-2", "tel:1;isub=12"),
        ("tel:+1", "sip:+1@b;user=phone"),
        ("isbn:1", "isbn:2"),
    ] {
        assert_ne!(uri(a), uri(b));
        assert_ne!(uri(b), uri(a));
    }
}

#[test]
fn parts_of_every_kind() {
    let full = uri("sips:al%20ice:p%3ass@[2001:db8::1]:5061;transport=tls;lr;x=a=b?subject=hi&to=x");
    assert_eq!(full.scheme(), Scheme::Sips);
    assert_eq!(full.user().as_deref(), Some("al ice"));
    assert_eq!(full.password().as_deref(), Some("p:ss"));
    assert_eq!(full.host(), Some(Host::V6("2001:db8::1".parse().unwrap())));
    assert_eq!((full.host_str(), full.port()), ("[2001:db8::1]", Some(5061)));
    assert_eq!(
        full.params().collect::<Vec<_>>(),
        [("transport", Some("tls")), ("lr", None), ("x", Some("a=b"))]
    );
    assert_eq!((full.transport(), full.is_lr()), (Some(Protocol::Tls), true));
    assert_eq!(full.headers(), Some("subject=hi&to=x"));
    assert_eq!(full.without_params().as_str(), "sips:al%20ice:p%3ass@[2001:db8::1]:5061");
    assert_eq!(full.without_headers().headers(), None);
    assert_eq!(uri("sip:a@b;method=INVITE;lr?x=y").to_request_uri().as_str(), "sip:a@b;lr");
    assert_eq!(
        uri("sip:user;par=u%40example.net@example.com").user().as_deref(),
        Some("user;par=u@example.net")
    );
    assert_eq!(uri("sip:null-%00-null@example.com").user().as_deref(), Some("null-\0-null"));
    assert_eq!(uri("sip:%ff@example.com").user().as_deref(), Some("%ff"), "not UTF-8: stays escaped");
    assert_eq!(uri("sip:a%2541@b").user().as_deref(), Some("a%41"), "undone once");
    assert!(uri("sip:a@b;%6C%72").is_lr());
    assert_eq!(uri("sip:192.0.2.4").host(), Some(Host::V4("192.0.2.4".parse().unwrap())));
    let other = uri("nobodyKnowsThisScheme:totallyopaquecontent");
    assert_eq!((other.scheme(), other.host()), (Scheme::Other("nobodyKnowsThisScheme"), None));
}

#[test]
fn edits_keep_the_rest() {
    let mut edited = uri("sip:a@h;x=1;y?s=t");
    edited.set_param("X", Some("a b;c"));
    edited.set_param("transport", Some("tcp"));
    edited.remove_param("y");
    assert_eq!(edited.as_str(), "sip:a@h;X=a%20b%3Bc;transport=tcp?s=t");
    edited.set_user(Some("bob@home"));
    edited.set_host(&"example.org".parse().unwrap(), Some(5080));
    assert_eq!(edited.as_str(), "sip:bob%40home@example.org:5080;X=a%20b%3Bc;transport=tcp?s=t");
    edited.set_user(None);
    assert_eq!(edited.without_params().as_str(), "sip:example.org:5080");
    let built = Uri::sip(Some("1000#"), "2001:db8::1", Some(5060)).unwrap();
    assert_eq!(built.as_str(), "sip:1000%23@[2001:db8::1]:5060");
    assert_eq!(
        uri("sip:%61l%3Bice:pw@EXAMPLE.com:5070;lr?x=y").address_of_record().as_str(),
        "sip:al%3Bice@example.com:5070"
    );
}

/// RFC 3261 §25.1: what each part may have unescaped, byte by byte.
#[test]
fn each_part_escapes_what_it_must_and_no_more() {
    const UNRESERVED: &str = "abcxyzABCXYZ0189-_.!~*'()";
    let every: String = (1..128_u8).map(char::from).collect();
    let kept = |escaped: &str| {
        let mut kept = Vec::new();
        let mut bytes = escaped.bytes();
        while let Some(byte) = bytes.next() {
            if byte == b'%' {
                assert!(
                    bytes
                        .next()
                        .is_some_and(|digit| digit.is_ascii_hexdigit() && !digit.is_ascii_lowercase())
                );
                assert!(
                    bytes
                        .next()
                        .is_some_and(|digit| digit.is_ascii_hexdigit() && !digit.is_ascii_lowercase())
                );
            } else {
                kept.push(byte);
            }
        }
        kept
    };
    let expected = |more: &str| {
        let plain = |byte: &u8| {
            byte.is_ascii_alphanumeric()
                || UNRESERVED.as_bytes().contains(byte)
                || more.as_bytes().contains(byte)
        };
        (1..128_u8).filter(plain).collect::<Vec<_>>()
    };
    let mut built = Uri::sip(Some(&every), "h", None).unwrap();
    assert_eq!(kept(built.user_escaped().unwrap()), expected("&=+$,;?/"));
    assert_eq!(built.user().as_deref(), Some(every.as_str()));
    built.set_user(Some("b"));
    built.set_param("p", Some(&every));
    assert_eq!(kept(built.param("p").unwrap().unwrap()), expected("[]/:&+$"));
    built.remove_param("p");
    built.push_raw_header(&sidetone_sip_core::HeaderName::from_static("Subject"), every.as_bytes());
    assert_eq!(kept(built.headers().unwrap().strip_prefix("Subject=").unwrap()), expected("[]/?:+$"));
    // Undone once, and written the same again.
    built.set_user(Some("100%25"));
    assert_eq!((built.user_escaped(), built.user().as_deref()), (Some("100%2525"), Some("100%25")));
    let utf8 = Uri::sip(Some("Zo\u{eb}"), "h", None).unwrap();
    assert_eq!((utf8.as_str(), utf8.user().as_deref()), ("sip:Zo%C3%AB@h", Some("Zo\u{eb}")));
}

#[test]
fn headers_of_a_uri() {
    let mut refer = uri(
        "sip:dave@denver.example.org?Replaces=12345%40192.168.118.3%3Bto-tag%3D12345%3Bfrom-tag%3D5FFE-3994&body=a%20b",
    );
    let headers = refer.header_fields().unwrap();
    let replaces: Replaces = headers.require().unwrap();
    assert_eq!((&*replaces.to_tag, &*replaces.from_tag), ("12345", "5FFE-3994"));
    assert_eq!(headers.raw(&"Body".parse().unwrap()), Some(&b"a b"[..]));
    refer = refer.without_headers();
    refer.push_header(&replaces);
    refer.push_header(&Subject::from("a & b = c"));
    assert_eq!(
        refer.as_str(),
        "sip:dave@denver.example.org?Replaces=12345%40192.168.118.3%3Bto-tag%3D12345%3Bfrom-tag%3D5FFE-3994&Subject=a%20%26%20b%20%3D%20c"
    );
    assert_eq!(refer.header_fields().unwrap().require::<Subject>().unwrap(), Subject::from("a & b = c"));
    assert!(uri("sip:a@b?x").header_fields().unwrap().contains(&"X".parse().unwrap()));
    assert!(
        uri("sip:a@b").header_fields().unwrap().is_empty()
            && uri("urn:a").header_fields().unwrap().is_empty()
    );
    for evil in [
        "sip:a@b?Subject=x%0D%0AEvil:%201",
        "sip:a@b?x%0a=1",
        "sip:a@b?=x",
        "sip:a@b?a%20b=c",
        "sip:a@b?a&&b",
    ] {
        assert!(uri(evil).header_fields().is_err(), "{evil}");
    }
    let mut other = uri("tel:+1");
    other.push_header(&Subject::from("x"));
    assert_eq!(other.as_str(), "tel:+1");
}

/// RFC 3261 §19.1.6, RFC 3966 §3 and §6.
#[test]
fn telephone_numbers() {
    let foo: Host = "foo.com".parse().unwrap();
    for (tel, sip) in [
        ("tel:+358-555-1234567;postd=pp22", "sip:+358-555-1234567;postd=pp22@foo.com;user=phone"),
        ("tel:+358-555-1234567;POSTD=PP22", "sip:+358-555-1234567;postd=pp22@foo.com;user=phone"),
        (
            "tel:+358-555-1234567;postd=pp22;isub=1411",
            "sip:+358-555-1234567;isub=1411;postd=pp22@foo.com;user=phone",
        ),
        (
            "tel:+358-555-1234567;phone-context=5;tsp=a.b",
            "sip:+358-555-1234567;phone-context=5;tsp=a.b@foo.com;user=phone",
        ),
        ("tel:+1-201-555-0123", "sip:+1-201-555-0123@foo.com;user=phone"),
        ("tel:7042;phone-context=example.com", "sip:7042;phone-context=example.com@foo.com;user=phone"),
        ("tel:863-1234;phone-context=+1-914-555", "sip:863-1234;phone-context=+1-914-555@foo.com;user=phone"),
        (
            "tel:*21#;phone-context=x;b;a=[1]:2",
            "sip:*21%23;phone-context=x;a=%5b1%5d%3a2;b@foo.com;user=phone",
        ),
        ("tel:1;x=%40%2f", "sip:1;x=%40%2f@foo.com;user=phone"),
    ] {
        let tel = uri(tel);
        let phone = tel.to_phone(&foo, None).unwrap();
        assert!(phone.as_str().eq_ignore_ascii_case(sip), "{phone} {sip}");
        assert_eq!(phone.to_tel().unwrap(), tel);
        assert_eq!(phone.phone_number(), tel.phone_number());
    }
    assert_eq!(uri("tel:+358-555-1234567;postd=pp22").phone_number().as_deref(), Some("+3585551234567"));
    assert_eq!(uri("sip:+1(201)555@h:5070;user=PHONE").phone_number().as_deref(), Some("+1201555"));
    assert_eq!(
        uri("tel:1").to_phone(&"2001:db8::1".parse().unwrap(), Some(5070)).unwrap().as_str(),
        "sip:1@[2001:db8::1]:5070;user=phone"
    );
    for none in ["sip:+1@h", "sip:bob@h;user=phone", "sip:h;user=phone", "sip:+1@h;user=ip", "urn:a"] {
        assert_eq!((uri(none).to_tel(), uri(none).phone_number()), (None, None), "{none}");
    }
    assert_eq!(uri("sip:+1@h").to_phone(&foo, None), None);
    assert_eq!(Uri::tel("+1-201-555-0123").unwrap(), uri("tel:+12015550123"));
    assert!(Uri::tel("bob").is_err() && Uri::tel("+1 2").is_err());
}

#[test]
fn what_is_no_uri() {
    for bad in [
        "",
        "sip",
        "sip:",
        ":a",
        "1sip:a",
        "sip:@b",
        "sip:a@",
        "sip:a@b@c",
        "sip:a b@c",
        "sip:a@b:",
        "sip:a@b:x",
        "sip:a@b:65536",
        "sip:a@b;",
        "sip:a@b;;c",
        "sip:a@b;=c",
        "sip:a@b;c=",
        "sip:a@b?",
        "sip:a@[::1",
        "sip:a@::1",
        "sip:a@[1:2]",
        "sip:a%4@b",
        "sip:a%zz@b",
        "sip:böb@c",
        "sip:a@b>",
        "<sip:a@b>",
        "sip:a@b\r\n",
        "sip:a@[2001:db8:::1]",
        "tel:",
        "tel:abcxyz",
        "tel:1+2",
        "tel:+",
        "tel:+-",
        "tel:()",
        "tel:+1a",
        "tel:+1*",
        "tel:+1?subject=x",
        "tel:1;",
        "tel:1;=x",
        "tel:1;a=b c",
        "urn:",
        "urn:a b",
        "sip:a@-b",
        "sip:a@.b",
    ] {
        assert!(Uri::parse(bad).is_err(), "{bad:?}");
    }
    let long = format!("sip:{}@h", "a".repeat(70_000));
    assert_eq!(Uri::parse(long).unwrap_err().status().code(), 414);
}
