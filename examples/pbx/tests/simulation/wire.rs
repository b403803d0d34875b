//! What is on the wire, watched from outside: whether a 481 has a reason.

use bytes::Bytes;
use sidetone_sip_core::header::{CSeq, CallId, Expires, From, Replaces, SubscriptionState, To};
use sidetone_sip_core::{Headers, Limits, Message, Method, StatusCode, Uri};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Calls that ring, as far as they are remembered.
const RINGING: usize = 3;

/// A call that rings somewhere, as a lamp that shows it would know it.
#[derive(Clone, Debug)]
pub struct Ringing {
    pub caller: String,
    pub called: String,
    pub replaces: String,
}

#[derive(Default)]
pub struct Wire {
    /// The last calls that began to ring.
    pub ringing: VecDeque<Ringing>,
    /// Call-IDs of which something has ended: a BYE, a CANCEL, a refusal, a last NOTIFY, an end of a subscription.
    ended: BTreeSet<String>,
    /// Call-IDs of INVITEs with Replaces, and whose place they take.
    replacing: BTreeMap<String, String>,
    /// Call-IDs of calls of which their caller has heard that they ring, or more: before, it knows no dialog of them that
    /// somebody could take.
    heard: BTreeSet<String>,
    /// Call-IDs of calls that are over for one of their users, even if the wire has not heard of it: a BYE may have to wait
    /// for an ACK.
    pub over: BTreeSet<String>,
    /// Calls that somebody answered, by Call-ID with the tag.
    answered: BTreeMap<String, String>,
    /// How many calls two answered at one moment: the caller keeps one and hangs up the other, and not always the one whose
    /// 200 passed the proxy first.
    pub answered_twice: u32,
    /// Whose telephone is, or was, without a network.
    pub unplugged: Option<&'static str>,
    /// How many of each status there were.
    pub statuses: BTreeMap<u16, u32>,
    /// 481s that nothing explains.
    pub wrong: Vec<String>,
}

impl Wire {
    /// A phone has received this.
    pub fn hear(&mut self, payload: &Bytes) {
        if payload.starts_with(b"SIP/2.0 1") || payload.starts_with(b"SIP/2.0 2") {
            let Ok(Message::Response(response)) = Message::parse(payload.clone(), &Limits::default()) else {
                panic!("it was parsed before")
            };
            let id = call_id(&response.headers);
            let cseq: CSeq = response.headers.require().unwrap();
            let to: To = response.headers.require().unwrap();
            if response.status == StatusCode::OK && cseq.method == Method::INVITE {
                let tag = to.tag().unwrap_or_default();
                // Who called answers the other's re-INVITE, by his own tag, which is no other answer.
                let first = self.answered.entry(id.clone()).or_insert_with(|| tag.to_owned());
                let from: From = response.headers.require().unwrap();
                self.answered_twice += u32::from(first != tag && from.tag() != Some(&**first));
            }
            if response.status == StatusCode::RINGING {
                self.rings(&id, &response.headers);
            }
            if response.status != StatusCode::TRYING {
                self.heard.insert(id);
            }
        }
    }

    /// The caller has heard that it rings. Before, it cannot know which dialog somebody wants to replace.
    fn rings(&mut self, id: &str, headers: &Headers) {
        let (from, to): (From, To) = (headers.require().unwrap(), headers.require().unwrap());
        // To the caller its own tag is the `to`.
        let replaces = format!("{id};to-tag={};from-tag={}", from.tag().unwrap(), to.tag().unwrap());
        if self.ringing.iter().any(|known| known.replaces == replaces) {
            return;
        }
        let user = |uri: &Uri| uri.user().unwrap().into_owned();
        let (caller, called) = (user(&from.0.uri), user(&to.0.uri));
        self.ringing.push_back(Ringing { caller, called, replaces });
        if self.ringing.len() > RINGING {
            self.ringing.pop_front();
        }
    }

    pub fn see(&mut self, payload: &Bytes) {
        // Most of what is said needs no look.
        let looked = [&b"BYE "[..], b"CANCEL ", b"NOTIFY ", b"SUBSCRIBE ", b"INVITE ", b"SIP/2.0 "];
        if !looked.iter().any(|start| payload.starts_with(start)) {
            return;
        }
        let message = Message::parse(payload.clone(), &Limits::default()).unwrap();
        message.validate().unwrap();
        match message {
            Message::Request(request) => {
                let id = call_id(&request.headers);
                let ends = match &request.method {
                    method if *method == Method::BYE || *method == Method::CANCEL => true,
                    method if *method == Method::NOTIFY => {
                        request.headers.require::<SubscriptionState>().unwrap().is_terminated()
                    }
                    method if *method == Method::SUBSCRIBE => {
                        request.headers.get::<Expires>().is_some_and(|expires| expires.unwrap().0 == 0)
                    }
                    _ => false,
                };
                if let Some(Ok(replaces)) = request.headers.get::<Replaces>() {
                    self.replacing.insert(id.clone(), replaces.call_id.as_str().to_owned());
                }
                if ends {
                    self.ended.insert(id);
                }
            }
            Message::Response(response) => {
                *self.statuses.entry(response.status.code()).or_default() += 1;
                let id = call_id(&response.headers);
                let cseq: CSeq = response.headers.require().unwrap();
                if response.status == StatusCode::CALL_DOES_NOT_EXIST {
                    let other = self.replacing.get(&id).filter(|_| cseq.method == Method::INVITE);
                    let known = |id: &String| {
                        self.ended.contains(id) || self.over.contains(id) || !self.heard.contains(id)
                    };
                    let ended = self.ended.contains(&id) || self.over.contains(&id);
                    if !ended && !other.is_some_and(known) {
                        self.wrong.push(String::from_utf8_lossy(payload).into_owned());
                    }
                }
                if cseq.method == Method::INVITE && response.status.code() >= 300 {
                    self.ended.insert(id);
                }
            }
        }
    }
}

fn call_id(headers: &Headers) -> String {
    headers.require::<CallId>().unwrap().as_str().to_owned()
}
