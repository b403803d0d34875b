//! Typed headers: the examples of their RFCs, what servers send besides, and what is refused.

use bytes::Bytes;
use sidetone_sip_core::HeaderName;
use sidetone_sip_core::header::{check_typed, typed_names};

fn name(name: &str) -> HeaderName {
    name.parse().unwrap()
}

/// What a value of a header is when it is written again.
fn written(header: &str, value: &str) -> String {
    let value = Bytes::copy_from_slice(value.as_bytes());
    match check_typed(&name(header), &value) {
        None => panic!("{header} has no type"),
        Some(Err(error)) => panic!("{header}: {}: {error}", value.escape_ascii()),
        Some(Ok(written)) => String::from_utf8(written.to_vec()).unwrap(),
    }
}

/// Examples that are written as they were read.
const SAME: &[(&str, &[&str])] = &[
    ("Accept", &["application/sdp;level=1, application/x-private, text/html", ""]),
    ("Accept-Encoding", &["gzip", "gzip;q=1.0, identity;q=0.5, *;q=0", ""]),
    ("Accept-Language", &["da, en-gb;q=0.8, en;q=0.7"]),
    (
        "Alert-Info",
        &[
            "<http://www.example.com/sounds/moo.wav>",
            "<urn:alert:service:call-waiting>, <urn:alert:source:external>",
            "<file://Bellcore-dr1>",
        ],
    ),
    ("Allow", &["INVITE, ACK, OPTIONS, CANCEL, BYE"]),
    ("Allow-Events", &["presence, presence.winfo, message-summary, spirits-INDPs"]),
    ("Answer-Mode", &["Auto;require", "Manual"]),
    ("Call-ID", &["f81d4fae-7dec-11d0-a765-00a0c91e6bf6@biloxi.com"]),
    (
        "Call-Info",
        &[
            "<http://wwww.example.com/alice/photo.jpg>;purpose=icon, <http://www.example.com/alice/>;purpose=info",
            "<sip:alice@example.com>;appearance-index=1;appearance-state=active",
        ],
    ),
    (
        "Contact",
        &[
            "\"Mr. Watson\" <sip:watson@worcester.bell-telephone.com>;q=0.7;expires=3600, \"Mr. Watson\" <mailto:watson@bell-telephone.com>;q=0.1",
            "*",
        ],
    ),
    ("Content-Disposition", &["session", "alert;handling=optional"]),
    ("Content-Encoding", &["gzip"]),
    ("Content-ID", &["<1234567890@example.com>"]),
    ("Content-Language", &["fr", "fr, en"]),
    (
        "Content-Type",
        &["application/sdp", "text/html;charset=ISO-8859-4", "multipart/mixed;boundary=\"b 1\""],
    ),
    ("CSeq", &["4711 INVITE"]),
    ("Date", &["Sat, 13 Nov 2010 23:29:00 GMT"]),
    (
        "Diversion",
        &[
            "<sip:+19195551002@a.example>;reason=user-busy;privacy=\"full\";counter=4, \"Alice\" <sip:alice@b.example>;reason=\"do-not-disturb\";screen=no;limit=2",
        ],
    ),
    ("Error-Info", &["<sip:not-in-service-recording@atlanta.com>"]),
    (
        "Event",
        &[
            "presence",
            "dialog;id=1",
            "refer;id=93809824",
            "message-summary",
            "dialog;sla",
            "as-feature-event",
            "line-seize",
        ],
    ),
    ("Expires", &["5"]),
    ("Feature-Caps", &["*;+g.3gpp.trf=\"<sip:trf3.operator3.com>\""]),
    ("Flow-Timer", &["120"]),
    (
        "Geolocation",
        &[
            "<sips:3sdefrhy2jj7@lis.atlanta.example.com>",
            "<cid:target123@atlanta.example.com>, <https://lis.example.com/x>",
        ],
    ),
    ("Geolocation-Error", &["200;code=\"Permission To Use Location Information\""]),
    ("Geolocation-Routing", &["no", "yes"]),
    (
        "History-Info",
        &[
            "<sip:UserA@ims.example.com>;index=1;foo=bar",
            "<sip:UserA@ims.example.com?Reason=SIP%3Bcause%3D302>;index=1.1, <sip:UserB@example.com?Privacy=history&Reason=SIP%3Bcause%3D486>;index=1.2;mp=1.1, <sip:45432@192.168.0.3>;index=1.3;rc=1.2",
            "<sip:bob@192.0.2.4?Reason=Q.850%3Bcause%3D17%3Btext%3D%22user%20busy%22>;index=1.1.2;np=1.1",
        ],
    ),
    (
        "Identity",
        &[
            "eyJhbGciOiJFUzI1NiIsInR5cCI6InBhc3Nwb3J0IiwieDV1IjoiaHR0cHM6Ly9j.eyJkZXN0Ijp7InVyaSI6WyJzaXA6YWxpY2VAZXhhbXBs.rq3pjT1hoRwakEGjHCnWSwUnshd0-zJ6F1V;info=<https://biloxi.example.org/biloxi.cert>;alg=ES256",
            "..sv5CTo05KqpSmtHt3dcEiO/1CWTSZtnG3iV+1nmurLXV/HmtyNS7Ltrg9dlxkWzo;info=<https://example.com/c.cer;v=1,2>;alg=ES256;ppt=\"shaken\"",
        ],
    ),
    ("In-Reply-To", &["70710@saturn.bell-tel.com, 17320@saturn.bell-tel.com", "a\"<b@c"]),
    ("Info-Package", &["foo", "conference;x=1"]),
    ("Join", &["12adf2f34456gs5;to-tag=12345;from-tag=54321", "98asdh20ld@a.b;to-tag=1;from-tag=0;x=y"]),
    ("Max-Breadth", &["60"]),
    ("Max-Forwards", &["6"]),
    ("MIME-Version", &["1.0"]),
    ("Min-Expires", &["60"]),
    ("Min-SE", &["60", "3600;lr"]),
    ("Organization", &["Boxes by Bob"]),
    (
        "P-Access-Network-Info",
        &[
            "3GPP-UTRAN-TDD;utran-cell-id-3gpp=234151D0FCE11",
            "IEEE-802.11;i-wlan-node-id=00BA5550EEFF, ADSL;dsl-location=\"a,b\";np",
        ],
    ),
    ("P-Asserted-Identity", &["\"Cullen Jennings\" <sip:fluffy@cisco.com>, <tel:+14085264000>"]),
    ("P-Asserted-Service", &["urn:urn-7:3gpp-service.ims.icsi.mmtel, urn:urn-7:x"]),
    ("P-Preferred-Service", &["urn:urn-7:3gpp-service.exampletelephony.version1"]),
    ("P-Profile-Key", &["<sip:chatroom-!.*!@example.com>"]),
    ("P-Served-User", &["<sip:user@example.com>;sescase=orig;regstate=reg"]),
    ("P-User-Database", &["<aaa://host.example.com;transport=tcp>"]),
    ("Refer-Events-At", &["<sips:vPT3izGmo8NTxhPADRZvEAY22BKx@example.com;gr>"]),
    ("P-Associated-URI", &["<sip:user1@example.com>, <tel:+1-201-555-0123>"]),
    ("P-Called-Party-ID", &["<sip:user1-business@example.com>"]),
    (
        "P-Charging-Function-Addresses",
        &["ccf=192.1.1.1;ccf=192.1.1.2;ecf=192.1.1.3;ecf=192.1.1.4", "ccf=[5555:b99:c88:d77:e66::1]"],
    ),
    ("P-Charging-Vector", &["icid-value=1234bc9876e;icid-generated-at=192.0.6.8;orig-ioi=home1.net"]),
    ("P-Early-Media", &["supported", "sendrecv, gated"]),
    ("P-Media-Authorization", &["0020000100100101706466312e686f6d65312e6e6574000c02013331533134363231"]),
    ("P-Preferred-Identity", &["\"Cullen Jennings\" <sip:fluffy@cisco.com>"]),
    (
        "P-Visited-Network-ID",
        &["other.net, \"Visited network number 1\"", "\"Visited network number 1\";x=y"],
    ),
    ("Path", &["<sip:P3.FOREIGN.ELSEWHERE.COM;lr>, <sip:P1.EXAMPLEVISITED.COM;lr>"]),
    ("Permission-Missing", &["<sip:C@example.com>"]),
    ("Priority", &["emergency", "non-urgent"]),
    ("Priv-Answer-Mode", &["Auto;require"]),
    ("Privacy", &["id", "header;session;critical", "none"]),
    ("Proxy-Require", &["foo"]),
    ("RAck", &["776656 1 INVITE", "4294967295 0 X-METHOD"]),
    (
        "Reason",
        &[
            "SIP;cause=200;text=\"Call completed elsewhere\"",
            "Q.850;cause=16;text=\"Terminated\", SIP;cause=600;text=\"Busy Everywhere\"",
        ],
    ),
    ("Record-Route", &["<sip:server10.biloxi.com;lr>, <sip:bigbox3.site3.atlanta.com;lr>"]),
    ("Recv-Info", &["P, R", "foo;x=1, bar", ""]),
    ("Refer-Sub", &["false", "true;x=y"]),
    (
        "Refer-To",
        &[
            "<sip:alice@atlanta.example.com>",
            "<sip:bob@biloxi.example.net?Accept-Contact=sip:bobsdesk.biloxi.example.net&Call-ID=55432%40alicepc.atlanta.example.com>",
            "<sip:dave@denver.example.org?Replaces=12345%40192.168.118.3%3Bto-tag%3D12345%3Bfrom-tag%3D5FFE-3994>",
            "<sip:carol@cleveland.example.org;method=SUBSCRIBE>",
        ],
    ),
    (
        "Referred-By",
        &[
            "<sip:referrer@referrer.example>;cid=\"20398823.2UWQFN309shb3@referrer.example\"",
            "\"R\" <sip:r@ref.example>",
        ],
    ),
    ("Reject-Contact", &["*;actor=\"msg-taker\";video", "*;mobility=\"fixed\""]),
    (
        "Accept-Contact",
        &[
            "*;audio;require",
            "*;methods=\"INVITE,BYE\";class=\"business\";q=1.0, *;+sip.instance=\"<urn:uuid:1>\";explicit",
        ],
    ),
    (
        "Remote-Party-ID",
        &["\"John Doe\" <sip:jdoe@foo.com>;party=calling;id-type=subscriber;privacy=full;screen=yes"],
    ),
    (
        "Replaces",
        &[
            "98732@sip.example.com;to-tag=ff87ff;from-tag=r33th4x0r",
            "87134@171.161.34.23;to-tag=24796;from-tag=0;early-only",
        ],
    ),
    ("Reply-To", &["\"Bob\" <sip:bob@biloxi.com>"]),
    ("Request-Disposition", &["proxy, recurse, parallel"]),
    ("Require", &["100rel"]),
    ("Resource-Priority", &["wps.3, dsn.flash", "q735.1"]),
    ("Accept-Resource-Priority", &["dsn.flash-override, dsn.flash"]),
    ("Retry-After", &["18000;duration=3600", "120 (I'm in a meeting)"]),
    ("Route", &["<sip:bigbox3.site3.atlanta.com;lr>, <sip:server10.biloxi.com;lr>"]),
    ("RSeq", &["988789"]),
    (
        "Security-Client",
        &["digest, tls;q=0.2", "ipsec-3gpp;alg=hmac-sha-1-96;spi-c=1111;spi-s=2222;port-c=5062;port-s=5064"],
    ),
    ("Security-Server", &["ipsec-ike;q=0.1, tls;q=0.2"]),
    ("Security-Verify", &["tls;q=0.2;d-ver=\"0000000000000000000000000000a1b2\""]),
    ("Server", &["HomeServer v2"]),
    ("Service-Route", &["<sip:P2.HOME.EXAMPLE.COM;lr>, <sip:HSP.HOME.EXAMPLE.COM;lr>"]),
    ("Session-Expires", &["4000;refresher=uac", "1800"]),
    (
        "Session-ID",
        &[
            "ab30317f1a784dc48ff824d0d3715d86;remote=47755a9de7794ba387653f2099600ef2",
            "f81d4fae7dec11d0a76500a0c91e6bf6",
        ],
    ),
    ("SIP-ETag", &["dx200xyz"]),
    ("SIP-If-Match", &["ddiv8mma"]),
    ("Subject", &["Need more boxes"]),
    (
        "Subscription-State",
        &[
            "active;expires=600000",
            "terminated;reason=rejected",
            "pending;expires=599;retry-after=5",
            "terminated;reason=noresource",
        ],
    ),
    ("Supported", &["100rel, timer", ""]),
    ("Suppress-If-Match", &["b4cf7", "*"]),
    ("Target-Dialog", &["fa77as7dad8-sd98ajzz@host.example.com;remote-tag=6472;local-tag=kkaz-"]),
    ("Timestamp", &["54", "54.21", "54.21 0.08", "54 .5", "54. 1."]),
    ("To", &["\"The Operator\" <sip:operator@cs.columbia.edu>;tag=287447"]),
    ("Unsupported", &["foo"]),
    ("User-Agent", &["Softphone Beta1.5"]),
    (
        "User-to-User",
        &[
            "56a390f3d2b7310023a2;encoding=hex;purpose=foo;content=bar",
            "\"a text, with; all\";encoding=x",
            "1, 2",
        ],
    ),
    ("Via", &["SIP/2.0/UDP 192.0.2.1:5060;received=192.0.2.207;branch=z9hG4bK77asjd"]),
    (
        "Warning",
        &[
            "307 isi.edu \"Session parameter 'foo' not understood\", 301 isi.edu \"Incompatible network address type 'E.164'\"",
        ],
    ),
];

#[test]
fn the_rfcs_examples_are_written_as_they_were_read() {
    for (header, values) in SAME {
        for value in *values {
            assert_eq!(written(header, value), *value, "{header}");
        }
    }
}

#[test]
fn every_typed_header_has_an_example() {
    let digest = [
        "WWW-Authenticate",
        "Authorization",
        "Proxy-Authenticate",
        "Proxy-Authorization",
        "Authentication-Info",
        "Proxy-Authentication-Info",
        "Content-Length",
        "From",
    ];
    for typed in typed_names() {
        let there = SAME.iter().any(|(header, _)| name(header) == typed) || digest.contains(&typed.as_str());
        assert!(there, "{typed}");
    }
}

#[test]
fn forms_that_servers_and_telephones_send() {
    for (header, value, expected) in [
        ("Alert-Info", "<sip:x>;info=alert-autoanswer", "<sip:x>;info=alert-autoanswer"),
        ("Alert-Info", "info=alert-autoanswer", "info=alert-autoanswer"),
        ("Alert-Info", "info = alert-autoanswer", "info=alert-autoanswer"),
        ("Alert-Info", "Answer-After = 0", "Answer-After=0"),
        ("Alert-Info", ";answer-after=0", "answer-after=0"),
        ("Alert-Info", "Bellcore-dr1", "Bellcore-dr1"),
        ("Alert-Info", "<Bellcore-dr1>", "Bellcore-dr1"),
        ("Alert-Info", "\"Bellcore-dr1\"", "Bellcore-dr1"),
        ("Alert-Info", "127.0.0.1/Bellcore-dr2", "127.0.0.1/Bellcore-dr2"),
        ("Alert-Info", "http://127.0.0.1/Bellcore-dr1", "<http://127.0.0.1/Bellcore-dr1>"),
        ("Alert-Info", "Auto Answer", "Auto Answer"),
        ("Alert-Info", "info=info text;x-line-id=0", "info=\"info text\";x-line-id=0"),
        ("Alert-Info", "<http://h/a.wav> ; info = x , ringtone-2", "<http://h/a.wav>;info=x, ringtone-2"),
        ("Alert-Info", "; late-ring", ";late-ring"),
        ("Alert-Info", "<a;b>", "\"a;b\""),
        ("Call-Info", "sip:pbx;answer-after=3", "<sip:pbx>;answer-after=3"),
        ("Call-Info", "<uri>; answer-after=0", "uri;answer-after=0"),
        ("Privacy", "id, header", "id;header"),
        ("Event", "dialog ; id = 7", "dialog;id=7"),
        ("Session-Expires", " 1800 ; refresher = UAS", "1800;refresher=UAS"),
        ("Session-Expires", "99999999999", "4294967295"),
        ("Replaces", "a@b ; from-tag = 2 ; to-tag=1", "a@b;to-tag=1;from-tag=2"),
        (
            "Identity",
            "\"ZYNBbHC00VMZr2kZt6VmCvPonWJMGvQTBDqghoWeLxJfzB2a1pxAr3VgrB0SsSAa\"",
            "ZYNBbHC00VMZr2kZt6VmCvPonWJMGvQTBDqghoWeLxJfzB2a1pxAr3VgrB0SsSAa",
        ),
        ("Identity", "a.b.c ; alg=ES256 ; info=<https://c>", "a.b.c;info=<https://c>;alg=ES256"),
        (
            "P-Charging-Vector",
            "icid-value=\"AyretyU0dm+6O2IrT5tAFrbHLso=023551024\";orig-ioi=h",
            "icid-value=\"AyretyU0dm+6O2IrT5tAFrbHLso=023551024\";orig-ioi=h",
        ),
        ("Refer-Sub", "FALSE", "false"),
        ("MIME-Version", "1 . 0", "1.0"),
        ("Diversion", "sip:a@b;reason=no-answer", "<sip:a@b>;reason=no-answer"),
        ("Subscription-State", "Active ; Expires=3600", "Active;Expires=3600"),
        ("RAck", "  1\t2   PRACK ", "1 2 PRACK"),
    ] {
        assert_eq!(written(header, value), expected, "{header}: {value}");
    }
}

#[test]
fn what_is_refused() {
    for (header, values) in [
        ("Alert-Info", &["", "   ", "<sip:x", "\"x", ";", "<sip:x> y"][..]),
        ("Accept-Encoding", &["gzip;", "gzip,,br", "g zip"]),
        ("Content-Disposition", &["", ";handling=optional", "a b"]),
        ("Content-ID", &["", "x@y", "<x@y", "<>", "<a b>", "<a<b>"]),
        ("Diversion", &["", "<sip:a@b", "reason=x"]),
        ("Event", &["", "a b", ";id=1", "dialog,refer"]),
        ("Flow-Timer", &["", "-1", "x", "1.5"]),
        (
            "Identity",
            &[
                "",
                ";info=<https://c>",
                "a;info=<https://c",
                "a;info=<>",
                "a;info=<https://c>;info=<https://d>",
                "a b",
            ],
        ),
        ("In-Reply-To", &["", "a,,b", "a b", ","]),
        ("Join", &["", "a;to-tag=1", "a;to-tag=1;to-tag=2;from-tag=3", "a b;to-tag=1;from-tag=2"]),
        ("Max-Breadth", &["", "a"]),
        ("MIME-Version", &["", "1", "1.", ".0", "1.0.0", "a.b"]),
        ("Min-SE", &["", "x", "90 s"]),
        ("P-Visited-Network-ID", &["", "\"a", "a b"]),
        ("Priority", &["", "very urgent", "a;b"]),
        ("Privacy", &["", ";", "id;;user", "a b"]),
        ("RAck", &["", "1 INVITE", "1 2", "1 2 3 4", "4294967296 1 INVITE", "-1 1 INVITE", "1 1INVITE"]),
        ("Reason", &["", ";cause=1"]),
        ("Recv-Info", &["a,,b", "a b"]),
        ("Refer-Sub", &["", "yes", "1", "true false"]),
        ("Referred-By", &["", "<sip:a", "x y"]),
        (
            "Replaces",
            &[
                "",
                "a@b",
                "a@b;to-tag=1",
                "a@b;from-tag=1",
                "a@b;to-tag;from-tag=1",
                "a@b;to-tag=1;from-tag=2;from-tag=3",
                ";to-tag=1;from-tag=2",
            ],
        ),
        ("RSeq", &["", "4294967296", "x"]),
        ("Security-Client", &["", "tls;", "a b"]),
        ("Session-Expires", &["", "refresher=uac", "x;refresher=uac", "1800;"]),
        (
            "Session-ID",
            &[
                "",
                "f81d4fae7dec11d0a76500a0c91e6bf",
                "g81d4fae7dec11d0a76500a0c91e6bf6",
                "+81d4fae7dec11d0a76500a0c91e6bf6",
                "F81D4FAE7DEC11D0A76500A0C91E6BF6",
                "f81d4fae-7dec-11d0-a765-00a0c91e6bf6",
            ],
        ),
        ("Subscription-State", &["", "active;", "a b", ";expires=1"]),
        ("Suppress-If-Match", &["", "a b"]),
        ("Target-Dialog", &["a;local-tag=1", "a;remote-tag=1", "a;to-tag=1;from-tag=2"]),
        ("Timestamp", &["", ".5", "x", "1 x", "1.2.3", "1  2  3", "-1"]),
        ("User-to-User", &["", ";encoding=hex", "a b"]),
        ("Allow-Events", &["a b", "a,,b"]),
    ] {
        for value in values {
            let bytes = Bytes::copy_from_slice(value.as_bytes());
            let result = check_typed(&name(header), &bytes).unwrap();
            assert!(result.is_err(), "{header}: {value:?} is written {result:?}");
        }
    }
}
