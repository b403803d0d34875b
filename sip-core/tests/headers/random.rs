//! Typed headers with random values: what is read is written so that it reads the same, what is built is read
//! as it was built, and nothing panics.

use bytes::Bytes;
use core::fmt::Debug;
use core::time::Duration;
use proptest::prelude::*;
use sidetone_sip_core::header::*;
use sidetone_sip_core::{Emitter, Header, HeaderName, Headers, Method, NameAddr, Params, Uri};

/// Values near the grammar of many headers, to be cut up and put together.
const SEEDS: &[&str] = &[
    "\"Mr. \\\"W\\\" Watson\" <sip:watson:pw@h.example.com:5060;transport=tcp?Reason=SIP%3Bcause%3D302>;q=0.7;tag=1;x=\"a;b\"",
    "<http://h/Bellcore-dr1>;info=alert-autoanswer;delay=0, Bellcore-dr2, info = two words;x=y, ;answer-after=0",
    "Alice M\u{fc}ller <sip:alice:pw@atlanta.com>;tag=1928301774",
    "sip:alice@h;tag=1;x=\"a,b\"",
    "12345@149.112.118.3;to-tag=12345;from-tag=54321;early-only;local-tag=1;remote-tag=2",
    "active;expires=600000;reason=\"no resource\";retry-after=5",
    "776656 1 INVITE",
    "54.21 0.08",
    "1800;refresher=uac",
    "56a390f3d2b7310023a2;encoding=hex;purpose=foo, \"text\";content=x",
    "ab30317f1a784dc48ff824d0d3715d86;remote=47755a9de7794ba387653f2099600ef2",
    "..sv5CTo05/1CW+=;info=<https://example.com/c.cer;v=1,2>;alg=ES256;ppt=\"shaken\"",
    "*;audio;methods=\"INVITE,BYE\";q=1.0;explicit;require, *;+sip.instance=\"<urn:uuid:1>\"",
    "gzip;q=1.0, identity;q=0.5, *;q=0",
    "header;id;critical",
    "icid-value=1234bc9876e;icid-generated-at=192.0.6.8;ccf=[2001:db8::1]",
    "<id%40x@example.com>",
    "multipart/mixed;boundary=\"b 1\", text/*",
    "SIP;cause=200;text=\"Call completed elsewhere\", Q.850;cause=16",
    "SIP/2.0/TLS [2001:db8::9]:5061;branch=z9hG4bKnashds8;rport, SIP / 2.0 / UDP h;received=10.0.0.1",
    "307 isi.edu:5060 \"no \\\"x\\\"\", 301 h \"y\"",
    "Digest realm=\"a \\\"b\\\"\", nonce=\"n\", qop=\"auth,auth-int\", algorithm=SHA-256, stale=true",
    "Digest username=\"a\", realm=\"r\", nonce=\"n\", uri=\"sip:example.com\", response=\"6629fae49393a05397450978507c4ef1\", qop=auth, nc=00000001, cnonce=\"c\"",
    "Sat, 13 Nov 2010 23:29:00 GMT",
    "120 (I'm \\(not\\) in (a) meeting);duration=60",
    "70710@saturn.bell-tel.com, a\"<b@c",
    "<sip:UserA@ims.example.com>;index=1.1;rc=1, <tel:+1-201-555-0123;phone-context=x>;index=1.2;mp=1.1",
    "urn:urn-7:3gpp-service.ims.icsi.mmtel",
    "1.0",
    "70",
    "false;x",
    "emergency",
    "dialog;id=7;sla",
    "100rel, timer",
    "INVITE, ACK",
    "sendrecv, gated",
    "",
];

/// Bytes that mean something somewhere.
const SPICE: &[u8] = b"\t \"\\<>;,:=?@[]%/*.+-0129aZ()\0\x7f\xff\xc3\xa9'!~{}|#&$^_`";

#[derive(Clone, Debug)]
enum Edit {
    Put(prop::sample::Index, prop::sample::Index),
    Cut(prop::sample::Index, u8),
    Move(prop::sample::Index, u8, prop::sample::Index),
    Flip(prop::sample::Index, u8),
    Paste(prop::sample::Index, prop::sample::Index),
}

fn edit() -> impl Strategy<Value = Edit> {
    let at = any::<prop::sample::Index>;
    prop_oneof![
        (at(), at()).prop_map(|(to, what)| Edit::Put(to, what)),
        (at(), 1_u8..12).prop_map(|(from, len)| Edit::Cut(from, len)),
        (at(), 1_u8..12, at()).prop_map(|(from, len, to)| Edit::Move(from, len, to)),
        (at(), 0_u8..8).prop_map(|(byte, bit)| Edit::Flip(byte, bit)),
        (at(), at()).prop_map(|(to, what)| Edit::Paste(to, what)),
    ]
}

/// A value near the grammar: a seed with a few edits.
fn near() -> impl Strategy<Value = Vec<u8>> {
    (prop::sample::select(SEEDS), prop::collection::vec(edit(), 0..5)).prop_map(|(seed, edits)| {
        let mut text = seed.as_bytes().to_vec();
        for edit in edits {
            match edit {
                Edit::Put(to, what) => text.insert(to.index(text.len() + 1), *what.get(SPICE)),
                Edit::Cut(from, len) if !text.is_empty() => {
                    let from = from.index(text.len());
                    text.drain(from..(from + usize::from(len)).min(text.len()));
                }
                Edit::Move(from, len, to) if !text.is_empty() => {
                    let from = from.index(text.len());
                    let piece = text[from..(from + usize::from(len)).min(text.len())].to_vec();
                    let to = to.index(text.len() + 1);
                    text.splice(to..to, piece);
                }
                Edit::Flip(byte, bit) if !text.is_empty() => {
                    let byte = byte.index(text.len());
                    text[byte] ^= 1 << bit;
                }
                Edit::Paste(to, what) => {
                    let to = to.index(text.len() + 1);
                    text.splice(to..to, what.get(SEEDS).bytes());
                }
                _ => {}
            }
        }
        // A header value is one line.
        text.retain(|byte| !matches!(byte, b'\r' | b'\n'));
        text
    })
}

/// What a header is when it is written and read again.
fn again<H: Header>(header: &H) -> Result<H, sidetone_sip_core::ParseError> {
    let mut out = Emitter::new();
    header.emit(&mut out);
    H::parse(&out.into_bytes())
}

/// Every value that can be read is written so that it reads the same.
fn same<H: Header + PartialEq + Debug>(value: &[u8]) {
    let mut headers = Headers::new();
    if headers.push_raw(H::NAME, value).is_ok() {
        for header in headers.all::<H>().flatten() {
            assert_eq!(again(&header).as_ref(), Ok(&header), "{}: {}", H::NAME, value.escape_ascii());
        }
    }
}

macro_rules! same {
    ($value:expr; $($header:ident),+ $(,)?) => {{
        $(same::<$header>($value);)+
        let named = [$(<$header as Header>::NAME),+];
        typed_names().filter(|typed| !named.contains(typed)).collect::<Vec<HeaderName>>()
    }};
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_read_is_written_so_that_it_reads_the_same(value in near()) {
        let missing = same!(&value;
            Accept, AcceptContact, AcceptEncoding, AcceptLanguage, AcceptResourcePriority, AlertInfo,
            Allow, AllowEvents, AnswerMode, AuthenticationInfo, Authorization, CSeq, CallId, CallInfo,
            Contact, ContentDisposition, ContentEncoding, ContentId, ContentLanguage, ContentLength,
            ContentType, Date, Diversion, ErrorInfo, Event, Expires, FeatureCaps, FlowTimer, From,
            Geolocation, GeolocationError, GeolocationRouting, HistoryInfo, Identity, InReplyTo,
            InfoPackage, Join, MaxBreadth, MaxForwards, MimeVersion, MinExpires, MinSe, Organization,
            PAccessNetworkInfo, PAssertedIdentity, PAssertedService, PAssociatedUri, PCalledPartyId,
            PChargingFunctionAddresses, PChargingVector, PEarlyMedia, PMediaAuthorization,
            PPreferredIdentity, PPreferredService, PProfileKey, PServedUser, PUserDatabase,
            PVisitedNetworkId, Path, PermissionMissing, Priority, PrivAnswerMode, Privacy,
            ProxyAuthenticate, ProxyAuthenticationInfo, ProxyAuthorization, ProxyRequire, RAck, RSeq,
            Reason, RecordRoute, RecvInfo, ReferEventsAt, ReferSub, ReferTo, ReferredBy, RejectContact,
            RemotePartyId, Replaces, ReplyTo, RequestDisposition, Require, ResourcePriority,
            RetryAfter, Route, SecurityClient, SecurityServer, SecurityVerify, Server, ServiceRoute,
            SessionExpires, SessionId, SipETag, SipIfMatch, Subject, SubscriptionState, Supported,
            SuppressIfMatch, TargetDialog, Timestamp, To, Unsupported, UserAgent, UserToUser, Via,
            Warning, WwwAuthenticate,
        );
        prop_assert_eq!(missing, Vec::<HeaderName>::new());
    }

    #[test]
    fn what_is_written_once_is_written_the_same_again(value in near()) {
        let value = Bytes::from(value);
        for name in typed_names() {
            if let Some(Ok(written)) = check_typed(&name, &value) {
                let again = check_typed(&name, &written);
                prop_assert_eq!(again, Some(Ok(written.clone())), "{}: {}", name, value.escape_ascii());
            }
        }
    }

    #[test]
    fn any_bytes_are_an_error_at_most(value in prop::collection::vec(any::<u8>(), 0..200)) {
        let value = Bytes::from(value);
        for name in typed_names() {
            let _ = check_typed(&name, &value);
        }
    }
}

/// A text of any characters, spaces at its ends aside.
fn text() -> impl Strategy<Value = String> {
    any::<String>().prop_map(|text| text.trim().replace(['\r', '\n'], ""))
}

/// A token.
fn token() -> impl Strategy<Value = String> {
    "[-.!%*_+`'~a-zA-Z0-9]{1,12}"
}

/// Parameters with any values.
fn parameters() -> impl Strategy<Value = Params> {
    prop::collection::vec(("x[a-z0-9]{1,6}", prop::option::of(text())), 0..4).prop_map(|list| {
        let mut params = Params::new();
        for (name, value) in list {
            match value {
                Some(value) => params.set(&name, &value),
                None => params.set_flag(&name),
            }
        }
        params
    })
}

fn uri() -> impl Strategy<Value = Uri> {
    (text(), "[a-z][a-z0-9]{0,8}", prop::option::of(any::<u16>()), prop::option::of(text())).prop_map(
        |(user, host, port, param)| {
            let user = Some(user.as_str()).filter(|user| !user.is_empty());
            let mut uri = Uri::sip(user, &host, port).unwrap();
            if let Some(param) = param.filter(|param| !param.is_empty()) {
                uri.set_param("x", Some(&param));
                assert_eq!(uri.param("x").flatten().map(str::is_empty), Some(false));
            }
            uri
        },
    )
}

fn address() -> impl Strategy<Value = NameAddr> {
    (prop::option::of(text()), uri(), parameters()).prop_map(|(name, uri, params)| NameAddr {
        display_name: name.filter(|name| !name.is_empty()).map(Into::into),
        uri,
        params,
    })
}

macro_rules! built {
    ($header:expr) => {{
        let header = $header;
        prop_assert_eq!(again(&header), Ok(header));
    }};
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn words_with_parameters_read_as_they_were_built(word in token(), any in text(), params in parameters()) {
        let params = || params.clone();
        built!(Event { package: word.as_str().into(), params: params() });
        built!(SubscriptionState { state: word.as_str().into(), params: params() });
        built!(ContentDisposition { kind: word.as_str().into(), params: params() });
        built!(AcceptContact { contact: "*".into(), params: params() });
        built!(AnswerMode { mode: word.as_str().into(), params: params() });
        built!(SecurityClient { mechanism: word.as_str().into(), params: params() });
        built!(InfoPackage { package: word.as_str().into(), params: params() });
        built!(Reason { protocol: word.as_str().into(), params: params() });
        built!(ReferSub { subscribe: word.len() > 3, params: params() });
        // These may be any text, in quotes.
        built!(UserToUser { data: any.as_str().into(), params: params() });
        built!(PVisitedNetworkId { network: any.as_str().into(), params: params() });
        built!(PAccessNetworkInfo { access: any.as_str().into(), params: params() });
        built!(Identity { passport: any.as_str().into(), info: Some("https://h/c".parse().unwrap()), params: params() });
        built!(AlertInfo(Info { source: InfoSource::Uri("http://h/a.wav".parse().unwrap()), params: params() }));
        built!(Privacy::from_iter([word.as_str(), "id"]));
        built!(AcceptEncoding(vec![Choice { name: word.as_str().into(), params: params() }, Choice::new("*")]));
        built!(RecvInfo::from_iter([word.as_str(), "b"]));
        built!(AllowEvents::from_iter([word.as_str(), "b"]));
        if !params().is_empty() {
            built!(PChargingVector(params()));
            built!(CallInfo(Info { source: InfoSource::None, params: params() }));
        }
    }

    #[test]
    fn keywords_read_as_they_were_built(keyword in text(), params in parameters()) {
        let source = match keyword.parse::<Uri>() {
            Ok(uri) => InfoSource::Uri(uri),
            Err(_) => InfoSource::Keyword(keyword.as_str().into()),
        };
        built!(AlertInfo(Info { source, params }));
    }

    #[test]
    fn addresses_read_as_they_were_built(address in address(), index in prop::collection::vec(any::<u32>(), 1..6), reason in text()) {
        built!(Diversion(address.clone()).with_reason(&reason).with_counter(index[0]));
        built!(RemotePartyId(address.clone()).with_party("calling"));
        built!(ReferredBy(address.clone()));
        built!(PPreferredIdentity(address.clone()));
        built!(ServiceRoute(address.clone()));
        built!(Geolocation(address.clone()));
        let index: HistoryIndex = index.iter().map(u32::to_string).collect::<Vec<_>>().join(".").parse().unwrap();
        let reason = Reason::sip(302, &reason);
        let entry = HistoryInfo::at(address.uri, &index)
            .with_target(&HistoryTarget::Contact(index.child(1)))
            .with_reason(&reason);
        prop_assert_eq!(entry.reason(), Some(Ok(reason)));
        prop_assert_eq!(entry.index(), Some(index));
        built!(entry);
    }

    #[test]
    fn dialogs_and_numbers_read_as_they_were_built(
        id in "[-.!%*_+`'~()<>:/?{}a-zA-Z0-9]{1,20}(@[a-z0-9.]{1,10})?", tags in (token(), text()), params in parameters(),
        numbers in any::<(u32, u32)>(), uuids in any::<(u128, u128)>(), times in any::<(u32, u32)>(),
    ) {
        let call_id = CallId::from(id.as_str());
        built!(Replaces { params: params.clone(), ..Replaces::new(call_id.clone(), tags.0.as_str(), tags.1.as_str()) });
        built!(Join { params: params.clone(), ..Join::new(call_id.clone(), tags.0.as_str(), tags.1.as_str()) });
        built!(TargetDialog { params: params.clone(), ..TargetDialog::new(call_id.clone(), tags.1.as_str(), tags.0.as_str()) });
        built!(InReplyTo(vec![call_id.clone(), call_id]));
        built!(SessionExpires { seconds: numbers.0, params: params.clone() }.with_refresher(Refresher::Uas));
        built!(MinSe { seconds: numbers.0, params });
        built!(RAck { rseq: numbers.0, cseq: numbers.1, method: Method::INVITE });
        built!(RSeq(numbers.0));
        built!(FlowTimer(numbers.1));
        built!(SessionId::new(uuids.0, uuids.1));
        built!(MimeVersion { major: numbers.0, minor: numbers.1 });
        let micros = |micros: u32| Duration::from_micros(u64::from(micros) * 1_000);
        let stamp = Timestamp::new(micros(times.0)).with_delay(micros(times.1));
        prop_assert_eq!((stamp.sent(), stamp.delay()), (micros(times.0), Some(micros(times.1))));
        built!(stamp);
    }
}
