//! Bodies of event packages from peers that are broken or hostile: nothing panics, and whatever is read can be written,
//! read and written again to the same text.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use bytes::Bytes;
use sidetone_hal::rng::Rng;
use sidetone_sip_core::header::{ContentType, Event, SubscriptionState};
use sidetone_sip_core::{HeaderName, Headers, Uri};
use sidetone_sip_ua::package::call_info::{Appearance, Seizure, SharedLine};
use sidetone_sip_ua::package::charge::{AdviceOfCharge, CallCharge};
use sidetone_sip_ua::package::conference_info::{ConferenceInfo, Roster};
use sidetone_sip_ua::package::device::{DeviceEvent, ProfileRequest, mac_of};
use sidetone_sip_ua::package::feature_sync::{
    self, FeatureEvent, FeatureRequest, HotelingEvent, SetHoteling,
};
use sidetone_sip_ua::package::message_summary::MessageSummary;
use sidetone_sip_ua::package::presence::Presence;
use sidetone_sip_ua::package::reg_info::{RegInfo, Registrations};
use sidetone_sip_ua::package::sipfrag::Progress;

/// Seeds of each sample; each is one body with a few changes.
const ROUNDS: u64 = 2000;

const SAMPLES: [&str; 10] = [
    "Messages-Waiting: yes\r\nMessage-Account: sip:a@example.com\r\nVoice-Message: 4/8 (1/2)\r\nFax-Message: 0/1\r\n\r\nTo: b\r\nSubject: c\r\n",
    "SIP/2.0 486 Busy Here\r\nReason: Q.850;cause=17\r\nContent-Length: 0\r\n\r\n",
    "<?xml version=\"1.0\"?><presence xmlns=\"urn:ietf:params:xml:ns:pidf\" entity=\"sip:a@b\"><tuple id=\"t\"><status>\
     <basic>open</basic></status><contact priority=\"0.8\">sip:a@c</contact><note>here</note><timestamp>2001-10-27T16:49:29Z\
     </timestamp></tuple><note>n</note><person><activities><on-the-phone/><other>dnd</other><tv/></activities></person></presence>",
    "<reginfo xmlns=\"urn:ietf:params:xml:ns:reginfo\" version=\"7\" state=\"partial\"><registration aor=\"sip:a@b\" id=\"r\" \
     state=\"active\"><contact id=\"c\" state=\"active\" event=\"shortened\" expires=\"9\" q=\"0.5\" callid=\"x\" cseq=\"3\"><uri>\
     sip:a@c</uri><display-name>A</display-name><pub-gruu uri=\"sip:a;gr=1\"/><temp-gruu uri=\"sip:t;gr\" first-cseq=\"3\"/>\
     </contact></registration></reginfo>",
    "<conference-info entity=\"sip:c@d\" state=\"full\" version=\"4\"><conference-description><subject>s</subject><conf-uris>\
     <entry><uri>tel:1</uri><purpose>p</purpose></entry></conf-uris><maximum-user-count>9</maximum-user-count>\
     </conference-description><conference-state><user-count>1</user-count><locked>0</locked></conference-state><users>\
     <user entity=\"sip:u@v\"><roles><entry>r</entry></roles><endpoint entity=\"sip:e\" state=\"partial\"><status>on-hold\
     </status><joining-method>dialed-in</joining-method><media id=\"1\"><type>audio</type><status>sendrecv</status></media>\
     <call-info><sip><call-id>i</call-id><from-tag>f</from-tag><to-tag>t</to-tag></sip></call-info></endpoint></user></users>\
     </conference-info>",
    "<ForwardingEvent><device>1</device><forwardingType>forwardNoAns</forwardingType><forwardStatus>true</forwardStatus>\
     <forwardTo>2</forwardTo><ringCount>4</ringCount></ForwardingEvent>",
    "<SetAgentState><device/><requestedAgentState>notReady</requestedAgentState><extensions><privateData><private \
     xmlns:p=\"x\"><p:AgentNotReadyReasonValue>5</p:AgentNotReadyReasonValue></private></privateData></extensions><agentID>a\
     </agentID></SetAgentState>",
    "<aoc><aoc-s><charged-items><basic><price-time><currency-id>EUR</currency-id><currency-amount>0.09</currency-amount>\
     <length-time-unit><time-unit>3</time-unit><scale>ten-seconds</scale></length-time-unit></price-time></basic><services>\
     <special-code>7</special-code></services></charged-items></aoc-s><aoc-d><charging-info>subtotal</charging-info>\
     <recorded-charges><recorded-currency-units><currency-id>UNIT</currency-id><currency-amount>12</currency-amount>\
     </recorded-currency-units></recorded-charges><billing-id>b</billing-id></aoc-d></aoc>",
    "<SetHoteling><guestAddress>g</guestAddress><authenticationData><nonce>n</nonce><response>r</response>\
     </authenticationData></SetHoteling>",
    "<HotelingEvent><guestAddress>g</guestAddress><authenticationData><nonce>n</nonce></authenticationData></HotelingEvent>",
];

/// Values of headers that are read beside bodies.
const VALUES: [&str; 6] = [
    "<sip:a>;appearance-index=1;appearance-state=held;appearance-uri=\"\\\"B\\\" <sip:b@c>\"",
    "<sip:a>;appearance-index=*;appearance-state=idle, <sip:a>;appearance-index=2",
    "ua-profile;profile-type=\"device\";vendor=\"v\";model=\"m\";version=\"1\";effective-by=3",
    "check-sync;reboot=true",
    "message/external-body;access-type=\"URL\";URL=\"http://a/b\"",
    "multipart/mixed;boundary=b",
];

/// Changes a few octets: another, gone, doubled, or the end cut off; often to one that means something.
fn change(text: &[u8], rng: &mut Rng) -> Vec<u8> {
    let mut body = text.to_vec();
    for _ in 0..=rng.below(4) {
        let at = rng.below(u32::try_from(body.len()).unwrap().max(1)) as usize;
        let marks = b"<>/\"'&;:=\r\n\0 -9*,()[]\xff";
        let mark = marks[rng.below(marks.len() as u32) as usize];
        match rng.below(6) {
            0 if at < body.len() => body[at] = mark,
            1 => body.insert(at, mark),
            2 if at < body.len() => {
                body.remove(at);
            }
            3 if at < body.len() => body[at] ^= 1 << rng.below(8),
            4 => {
                let piece = body[at..(at + rng.below(40) as usize).min(body.len())].to_vec();
                body.splice(at..at, piece);
            }
            _ => body.truncate(at.max(body.len() / 2)),
        }
    }
    body
}

/// What was read, written, read and written again is the same.
macro_rules! stays {
    ($body:expr, $parse:expr, $write:expr) => {
        match $parse($body) {
            Ok(read) => {
                let written = $write(&read);
                let again = $parse(written.as_ref()).unwrap_or_else(|error| {
                    panic!(
                        "{error}: {:?} was written as {:?}",
                        String::from_utf8_lossy($body),
                        String::from_utf8_lossy(written.as_ref())
                    )
                });
                let twice = $write(&again);
                assert_eq!(
                    String::from_utf8_lossy(twice.as_ref()),
                    String::from_utf8_lossy(written.as_ref()),
                    "from {:?}",
                    String::from_utf8_lossy($body)
                );
                1
            }
            Err(error) => {
                assert!(error.line > 0 && error.column > 0 && !error.what.is_empty());
                0
            }
        }
    };
}

/// Reads a body as everything that there is; says how often that was possible.
fn read_all(body: &[u8]) -> u64 {
    let none = |_: &_| "<none/>".to_string();
    let mut read = stays!(body, MessageSummary::parse, MessageSummary::write);
    read += stays!(body, Progress::parse, Progress::write);
    read += stays!(body, Presence::parse, Presence::write);
    read += stays!(body, RegInfo::parse, RegInfo::write);
    read += stays!(body, ConferenceInfo::parse, ConferenceInfo::write);
    read += stays!(body, AdviceOfCharge::parse, AdviceOfCharge::write);
    read += stays!(body, HotelingEvent::parse, HotelingEvent::write);
    read += stays!(body, SetHoteling::parse, SetHoteling::write);
    read += stays!(body, FeatureEvent::parse, |event: &Option<FeatureEvent>| {
        event.as_ref().map_or_else(|| none(&()), FeatureEvent::write)
    });
    read += stays!(body, FeatureRequest::parse, |request: &Option<FeatureRequest>| {
        request.as_ref().map_or_else(|| none(&()), FeatureRequest::write)
    });
    if let Ok(document) = RegInfo::parse(body) {
        let mut known = Registrations::default();
        let _ = known.merge(document.clone());
        let _ = known.merge(document);
    }
    if let Ok(document) = ConferenceInfo::parse(body) {
        let mut roster = Roster::default();
        let _ = roster.merge(document.clone());
        let _ = roster.merge(document);
        assert!(roster.present().count() <= roster.users().len());
    }
    if let Ok(presence) = Presence::parse(body) {
        let _ = (presence.state(), presence.note(), presence.contact());
    }
    if let Ok(advice) = AdviceOfCharge::parse(body) {
        let mut charge = CallCharge::default();
        charge.apply(advice);
        let _ = charge.text();
    }
    read
}

#[test]
fn changed_bodies_are_read_or_refused_and_what_is_read_stays() {
    let mut read = 0;
    for (number, sample) in SAMPLES.iter().enumerate() {
        assert!(read_all(sample.as_bytes()) > 0, "{sample}");
        for round in 0..ROUNDS {
            let mut rng = Rng::from_u64(number as u64 * ROUNDS + round);
            read += read_all(&change(sample.as_bytes(), &mut rng));
        }
    }
    // Most changes break XML; enough must not, or nothing was tried.
    assert!(read > SAMPLES.len() as u64 * ROUNDS / 5, "only {read} bodies were read");
}

#[test]
fn every_beginning_of_a_body_is_read_or_refused() {
    for sample in SAMPLES {
        (0..sample.len()).for_each(|end| {
            read_all(&sample.as_bytes()[..end]);
        });
    }
}

#[test]
fn changed_headers_are_read_or_refused_and_what_is_read_stays() {
    let server = Uri::parse("sip:as.example.com").unwrap();
    let body = Bytes::from_static(b"--b\r\nContent-Type: application/url\r\n\r\nhttp://a/1\r\n--b--\r\n");
    let mut read = 0;
    for (number, value) in VALUES.iter().enumerate() {
        for round in 0..ROUNDS {
            let mut rng = Rng::from_u64(number as u64 * ROUNDS + round);
            let value = change(value.as_bytes(), &mut rng);
            let mut headers = Headers::new();
            if headers.push_raw(HeaderName::CALL_INFO, &value).is_err() {
                continue;
            }
            headers.push_raw(HeaderName::EVENT, &value).unwrap();
            headers.push_raw(HeaderName::CONTENT_TYPE, &value).unwrap();
            if let Ok(told) = Appearance::all(&headers) {
                let mut line = SharedLine::default();
                line.apply(&told);
                let mut again = Headers::new();
                told.iter().for_each(|appearance| again.push(&appearance.write(&server)));
                assert_eq!(Appearance::all(&again).unwrap(), told, "{}", String::from_utf8_lossy(&value));
                read += told.len();
            }
            let _ = Seizure::of(&SubscriptionState::active(15), &headers);
            let _ = DeviceEvent::read(&headers, &body, None);
            if let Some(Ok(event)) = headers.get::<Event>()
                && let Some(request) = ProfileRequest::of(&event)
            {
                let written = request.event();
                assert_eq!(ProfileRequest::of(&written).unwrap().event(), written);
            }
            if let Some(Ok(kind)) = headers.get::<ContentType>() {
                let mut profile = Headers::new();
                profile.push_raw(HeaderName::EVENT, "ua-profile").unwrap();
                profile.push(&kind);
                let _ = DeviceEvent::read(&profile, &body, None);
                let _ = feature_sync::read_events(&kind, &body);
            }
            if let Ok(uri) = Uri::parse(&value) {
                let _ = mac_of(&uri);
            }
        }
    }
    assert!(read > 500, "only {read} appearances were read");
}
