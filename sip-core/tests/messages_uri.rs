//! URIs: the grammar, the parts, and the comparison table of RFC 3261 §19.1.4.

#![allow(clippy::panic, reason = "a test may fail so")]

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
        ("tel:+1-201-555-0123", "tel:+12015550123"),
        ("ISBN:2983792873", "isbn:2983792873"),
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
        ("sip:a@b;method=INVITE", "sip:a@b"),
        ("sip:a@b", "sips:a@b"),
        ("sip:a%3Bb@c", "sip:a;b@c"),
        ("sip:a:x@b", "sip:a@b"),
        ("sip:a:x@b", "sip:a:X@b"),
        ("sip:b", "sip:a@b"),
        ("tel:+12015550123;phone-context=a", "tel:+12015550123"),
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
