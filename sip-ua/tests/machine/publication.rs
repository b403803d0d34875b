//! Publications (RFC 3903), against a server that keeps tags.

use crate::support::{Harness, uri};
use sidetone_hal::time::Duration;
use sidetone_sip_core::header::{ContentType, Expires, MinExpires, SipETag, SipIfMatch};
use sidetone_sip_core::{Method, Request, StatusCode};
use sidetone_sip_ua::{Event, PublicationId, PublicationState, PublishRequest};

const WAIT: Duration = Duration::from_secs(4000);

fn publish(harness: &mut Harness) -> PublicationId {
    let account = harness.account();
    let kind = ContentType::from_static("application", "pidf+xml");
    let request =
        PublishRequest::new(uri("sip:alice@192.0.2.2"), "presence".parse().unwrap(), kind, &b"open"[..]);
    harness.agent.publish(harness.now, account, request).unwrap()
}

/// Answers with a tag.
fn grant(harness: &mut Harness, request: &Request, tag: &'static str, seconds: u32) {
    let mut response = request.response(StatusCode::OK, Some("server"));
    response.headers.push(&SipETag(tag.into()));
    response.headers.push(&Expires(seconds));
    harness.put(response);
}

fn tag(request: &Request) -> Option<String> {
    request.headers.get::<SipIfMatch>().map(|tag| tag.unwrap().0.to_string())
}

fn states(harness: &mut Harness) -> Vec<PublicationState> {
    let events = std::iter::from_fn(|| harness.agent.poll_event());
    events
        .filter_map(|event| match event {
            Event::Publication { state, .. } => Some(state),
            _ => None,
        })
        .collect()
}

#[test]
fn a_state_is_published_refreshed_changed_and_taken_back_by_its_tags() {
    let mut harness = Harness::new();
    let id = publish(&mut harness);
    let first = harness.wait_request(Method::PUBLISH, WAIT);
    assert_eq!((tag(&first), &first.body[..]), (None, &b"open"[..]));
    grant(&mut harness, &first, "t1", 600);
    assert_eq!(states(&mut harness), [PublicationState::Published { expires: Duration::from_secs(600) }]);
    let before = harness.now;
    let refresh = harness.wait_request(Method::PUBLISH, WAIT);
    let waited = harness.now.saturating_since(before);
    assert!((450..=540).contains(&waited.as_secs()), "{waited:?}");
    assert_eq!((tag(&refresh).as_deref(), refresh.body.len()), (Some("t1"), 0));
    // A change that comes before the answer waits for the new tag.
    let kind = ContentType::from_static("application", "pidf+xml");
    harness.agent.republish(harness.now, id, kind, b"closed"[..].into()).unwrap();
    grant(&mut harness, &refresh, "t2", 600);
    let change = harness.wait_request(Method::PUBLISH, WAIT);
    assert_eq!((tag(&change).as_deref(), &change.body[..]), (Some("t2"), &b"closed"[..]));
    grant(&mut harness, &change, "t3", 600);
    harness.agent.unpublish(harness.now, id).unwrap();
    let removal = harness.wait_request(Method::PUBLISH, WAIT);
    assert_eq!(tag(&removal).as_deref(), Some("t3"));
    assert_eq!(removal.headers.require::<Expires>().unwrap().0, 0);
    assert!(removal.body.is_empty());
    grant(&mut harness, &removal, "t4", 0);
    assert_eq!(states(&mut harness).last(), Some(&PublicationState::Ended { status: None }));
    assert!(harness.agent.is_idle());
}

#[test]
fn a_server_that_lost_the_state_is_told_all_of_it() {
    let mut harness = Harness::new();
    publish(&mut harness);
    let first = harness.wait_request(Method::PUBLISH, WAIT);
    grant(&mut harness, &first, "t1", 600);
    let refresh = harness.wait_request(Method::PUBLISH, WAIT);
    harness.put(refresh.response(StatusCode::CONDITIONAL_REQUEST_FAILED, Some("server")));
    let anew = harness.wait_request(Method::PUBLISH, WAIT);
    assert_eq!((tag(&anew), &anew.body[..]), (None, &b"open"[..]));
}

#[test]
fn too_short_a_time_is_lengthened_and_a_refusal_ends_it() {
    let mut harness = Harness::new();
    publish(&mut harness);
    let first = harness.wait_request(Method::PUBLISH, WAIT);
    let mut brief = first.response(StatusCode::INTERVAL_TOO_BRIEF, Some("server"));
    brief.headers.push(&MinExpires(7200));
    harness.put(brief);
    let longer = harness.wait_request(Method::PUBLISH, WAIT);
    assert_eq!(longer.headers.require::<Expires>().unwrap().0, 7200);
    harness.put(longer.response(StatusCode::BAD_EVENT, Some("server")));
    assert_eq!(states(&mut harness), [PublicationState::Ended { status: Some(StatusCode::BAD_EVENT) }]);
}

#[test]
fn a_server_in_trouble_is_asked_again_later_with_the_whole_state() {
    let mut harness = Harness::new();
    publish(&mut harness);
    let first = harness.wait_request(Method::PUBLISH, WAIT);
    harness.put(first.response(StatusCode::SERVER_INTERNAL_ERROR, Some("server")));
    let state = states(&mut harness);
    assert!(matches!(state[..], [PublicationState::Waiting { .. }]), "{state:?}");
    let again = harness.wait_request(Method::PUBLISH, WAIT);
    assert_eq!(again.body, "open");
}
