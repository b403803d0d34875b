//! What is on the wire, watched from outside: which calls ring, and whether a 481 has a reason.

use bytes::Bytes;
use sidetone_hal::net::{FlowId, SocketAddr, Transmit};
use sidetone_hal::sim::Node;
use sidetone_hal::time::Instant;
use sidetone_sip_core::header::{CSeq, CallId, Expires, From, Replaces, SubscriptionState, To};
use sidetone_sip_core::sim::{Machine, SipNode};
use sidetone_sip_core::{Headers, Limits, Message, Method, StatusCode, Uri};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

/// A call that rings somewhere, as a lamp that shows it would know it.
#[derive(Clone, Debug)]
pub struct Ringing {
    pub caller: String,
    pub called: String,
    pub replaces: String,
}

#[derive(Default)]
pub struct Wire {
    /// Call-IDs of which something has ended: a BYE, a CANCEL, a refusal, a last NOTIFY, an end of a subscription.
    ended: BTreeSet<String>,
    /// The last calls that began to ring.
    pub ringing: VecDeque<Ringing>,
    /// Call-IDs of INVITEs with Replaces, and whose place they take.
    replacing: BTreeMap<String, String>,
    /// What the callers call the calls of these Call-IDs.
    tokens: BTreeMap<String, String>,
    /// Calls that are over for one of their users, even if the wire has not heard of it: a BYE may have to wait for an ACK.
    pub over: BTreeSet<String>,
    /// How many of each status there were.
    pub statuses: BTreeMap<u16, u32>,
    /// 481s that nothing explains.
    pub wrong: Vec<String>,
}

impl Wire {
    fn see(&mut self, payload: &[u8]) {
        // Most of what is said needs no look.
        let looked = [&b"BYE "[..], b"CANCEL ", b"NOTIFY ", b"SUBSCRIBE ", b"INVITE ", b"SIP/2.0 "];
        if !looked.iter().any(|start| payload.starts_with(start)) {
            return;
        }
        let message = Message::parse(Bytes::copy_from_slice(payload), &Limits::default()).unwrap();
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
                if request.method == Method::INVITE {
                    let body = String::from_utf8_lossy(&request.body);
                    let token = body.split(' ').next().unwrap_or_default().to_owned();
                    self.tokens.insert(id.clone(), token);
                }
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
                        self.ended.contains(id)
                            || self.tokens.get(id).is_some_and(|token| self.over.contains(token))
                    };
                    if !known(&id) && !other.is_some_and(known) {
                        self.wrong.push(String::from_utf8_lossy(payload).into_owned());
                    }
                }
                if cseq.method == Method::INVITE && response.status.code() >= 300 {
                    self.ended.insert(id);
                }
            }
        }
    }

    /// The caller has heard that it rings. Before, it cannot know which dialog somebody wants to replace.
    fn hear(&mut self, payload: &[u8]) {
        if !payload.starts_with(b"SIP/2.0 180 ") {
            return;
        }
        let Ok(Message::Response(response)) =
            Message::parse(Bytes::copy_from_slice(payload), &Limits::default())
        else {
            panic!("it was parsed before")
        };
        let (id, headers) = (call_id(&response.headers), &response.headers);
        let (from, to): (From, To) = (headers.require().unwrap(), headers.require().unwrap());
        // To the caller its own tag is the `to`.
        let tags = (from.tag().unwrap(), to.tag().unwrap());
        let replaces = format!("{id};to-tag={};from-tag={}", tags.0, tags.1);
        if self.ringing.iter().any(|known| known.replaces == replaces) {
            return;
        }
        let user = |uri: &Uri| uri.user().unwrap().into_owned();
        let (caller, called) = (user(&from.0.uri), user(&to.0.uri));
        self.ringing.push_back(Ringing { caller, called, replaces });
        if self.ringing.len() > 3 {
            self.ringing.pop_front();
        }
    }
}

fn call_id(headers: &Headers) -> String {
    headers.require::<CallId>().unwrap().as_str().to_owned()
}

/// A node whose messages are seen as they are sent.
pub struct Seen<M> {
    pub node: SipNode<M>,
    pub wire: Rc<RefCell<Wire>>,
}

impl<M: Machine> Node for Seen<M> {
    fn handle_datagram(&mut self, now: Instant, flow: FlowId, source: SocketAddr, payload: &[u8]) {
        self.wire.borrow_mut().hear(payload);
        self.node.handle_datagram(now, flow, source, payload);
    }

    fn handle_timeout(&mut self, now: Instant) {
        Node::handle_timeout(&mut self.node, now);
    }

    fn poll_transmit(&mut self) -> Option<Transmit> {
        let transmit = self.node.poll_transmit()?;
        self.wire.borrow_mut().see(&transmit.payload);
        Some(transmit)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        Node::poll_timeout(&self.node)
    }
}
