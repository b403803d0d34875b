//! Texts (MESSAGE) between the users, by way of each one's queue, while the telephones come and go.

use crate::phone::Phone;
use core::time::Duration;
use sidetone_hal::time::Instant;
use sidetone_sip_core::header::ContentType;
use sidetone_sip_core::{Headers, Method, Response, StatusCode};
use sidetone_sip_ua::feature::outbox::{Outbox, OutboxConfig, TextId, TextOutcome};
use sidetone_sip_ua::{IncomingId, IncomingRequest, OutgoingRequest, RegistrationState, RequestId};
use std::collections::BTreeMap;

pub struct Texts {
    outbox: Outbox,
    under_way: BTreeMap<RequestId, TextId>,
    /// To whom, and what.
    written: Vec<(String, String)>,
    /// From whom, and what.
    came: Vec<(String, String)>,
    /// The telephone has unregistered, or is about to register again.
    is_away: bool,
}

impl Default for Texts {
    fn default() -> Self {
        let mut config = OutboxConfig::default();
        config.again = Duration::from_secs(4);
        Self {
            outbox: Outbox::new(config),
            under_way: BTreeMap::new(),
            written: Vec::new(),
            came: Vec::new(),
            is_away: false,
        }
    }
}

impl Texts {
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.outbox.deadline()
    }

    /// Nothing waits to be sent.
    pub fn is_empty(&self) -> bool {
        self.outbox.waiting().next().is_none()
    }

    /// All that was written to somebody has come, once or more often, and in its order.
    pub fn check_came(&self, writer: &str, to: &Self, reader: &str) {
        let mut came: Vec<&str> = Vec::new();
        for (_, text) in to.came.iter().filter(|(from, _)| from == writer) {
            if !came.contains(&&**text) {
                came.push(text);
            }
        }
        let written: Vec<&str> =
            self.written.iter().filter(|(to, _)| to == reader).map(|(_, text)| &**text).collect();
        assert_eq!(came, written, "what {writer} wrote to {reader}");
    }
}

impl Phone {
    pub fn text(&mut self, choice: u32) -> bool {
        match choice {
            5..=7 => {
                let to = self.somebody();
                self.count += 1;
                let text = format!("{} {}", self.name, self.count);
                self.note(format!("writes {text} to {to}"));
                self.texts.outbox.push(0, to, &text).unwrap();
                self.texts.written.push((to.into(), text));
                self.send_texts();
                true
            }
            _ if self.texts.is_away => {
                self.come_back();
                true
            }
            _ if self.is_registered => {
                self.note("goes away".into());
                self.texts.is_away = true;
                self.texts.outbox.reachable(0, false);
                self.agent.unregister(self.now, self.account).unwrap();
                true
            }
            _ => false,
        }
    }

    /// Registers again, if it has not.
    pub fn come_back(&mut self) {
        if core::mem::take(&mut self.texts.is_away) {
            self.note("comes back".into());
            self.agent.register(self.now, self.account).unwrap();
            self.handle_events();
        }
    }

    pub fn text_registration(&mut self, state: &RegistrationState) {
        self.texts.outbox.reachable(0, state.is_registered() && !self.texts.is_away);
        self.send_texts();
    }

    pub fn send_texts(&mut self) {
        while let Some(text) = self.texts.outbox.next(self.now) {
            let kind = ContentType::from_static("text", "plain");
            let request = OutgoingRequest::new(Method::MESSAGE).with_body(kind, text.text);
            let to = self.uri(&text.to);
            let request = self.agent.request(self.now, self.account, &to, request).unwrap();
            self.texts.under_way.insert(request, text.id);
        }
    }

    pub fn text_answered(&mut self, request: RequestId, status: StatusCode, response: Option<&Response>) {
        let id = self.texts.under_way.remove(&request).expect("a request has one answer");
        // Silence may have been an answer that was lost: such a text comes twice.
        self.count(if response.is_some() { "answered" } else { "silence" });
        let outcome = self.texts.outbox.answered(self.now, id, status, None);
        assert!(matches!(outcome, Some(TextOutcome::Sent | TextOutcome::Waits)), "{}: {status:?}", self.name);
        self.count(if outcome == Some(TextOutcome::Sent) { "sent" } else { "waits" });
        self.send_texts();
    }

    pub fn text_came(&mut self, id: IncomingId, incoming: &IncomingRequest) {
        let request = &incoming.request;
        assert_eq!(request.method, Method::MESSAGE, "{}: nobody asked for it", self.name);
        let from: sidetone_sip_core::header::From = request.headers.require().unwrap();
        let from = from.0.uri.user().unwrap().into_owned();
        let text = String::from_utf8(request.body.to_vec()).unwrap();
        self.texts.came.push((from, text));
        self.agent.respond(self.now, id, StatusCode::OK, &Headers::new(), None).unwrap();
    }
}
