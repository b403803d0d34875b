//! Several agents on a perfect network without delay, and a ladder of what they say to each other.

use bytes::Bytes;
use sidetone_hal::net::{FlowId, Protocol, SocketAddr};
use sidetone_hal::time::{Duration, Instant};
use sidetone_sip_core::{Input, Limits, Message, Request};
use sidetone_sip_ua::{AccountConfig, AccountId, Agent, AgentConfig, CallId, Event};
use std::fmt::Write;

/// One message, as a ladder shows it.
#[derive(Clone, Debug)]
pub struct Arrow {
    pub from: &'static str,
    pub to: &'static str,
    pub message: Message,
}

impl Arrow {
    /// `INVITE`, or `200 INVITE`.
    pub fn label(&self) -> String {
        match &self.message {
            Message::Request(request) => request.method.to_string(),
            Message::Response(response) => {
                let cseq: sidetone_sip_core::header::CSeq = response.headers.require().unwrap();
                format!("{} {}", response.status.code(), cseq.method)
            }
        }
    }
}

pub struct Party {
    pub name: &'static str,
    pub agent: Agent,
    pub account: AccountId,
    pub address: SocketAddr,
    flow: FlowId,
}

pub struct Net {
    pub now: Instant,
    pub parties: Vec<Party>,
    pub ladder: Vec<Arrow>,
}

impl Net {
    /// Agents with these names, each with one account that does not register, at `192.0.2.1` and so on.
    pub fn new(names: &[&'static str], config: impl Fn(&'static str, &mut AgentConfig)) -> Self {
        let parties = names.iter().zip(1_u8..).map(|(&name, number)| {
            let mut settings = AgentConfig::new([number; 32]);
            config(name, &mut settings);
            let mut agent = Agent::new(settings);
            let address: SocketAddr = format!("192.0.2.{number}:5060").parse().unwrap();
            let flow = agent.endpoint_mut().bind(Protocol::Udp, address);
            let account = AccountConfig::parse(&format!("sip:{name}@192.0.2.{number}")).unwrap();
            let account = agent.add_account(account.without_registration()).unwrap();
            Party { name, agent, account, address, flow }
        });
        Self { now: Instant::from_millis(1000), parties: parties.collect(), ladder: Vec::new() }
    }

    pub fn party(&mut self, name: &str) -> &mut Party {
        self.parties.iter_mut().find(|party| party.name == name).unwrap()
    }

    pub fn uri(&mut self, name: &str) -> sidetone_sip_core::Uri {
        let address = self.party(name).address;
        format!("sip:{name}@{address}").parse().unwrap()
    }

    /// Does something at a party, and delivers all that follows from it at once.
    pub fn at<T>(&mut self, name: &str, action: impl FnOnce(Instant, &mut Agent, AccountId) -> T) -> T {
        let now = self.now;
        let party = self.party(name);
        let result = action(now, &mut party.agent, party.account);
        self.settle();
        result
    }

    /// Delivers until nobody has anything to say.
    pub fn settle(&mut self) {
        let now = self.now;
        while let Some((from, transmit)) = self
            .parties
            .iter_mut()
            .enumerate()
            .find_map(|(index, party)| Some((index, party.agent.poll_transmit()?)))
        {
            let payload = Bytes::copy_from_slice(&transmit.payload);
            let message = Message::parse(payload.clone(), &Limits::default()).unwrap();
            message.validate().unwrap();
            let source = self.parties[from].address;
            let from = self.parties[from].name;
            let receiver = self.parties.iter_mut().find(|party| party.address == transmit.destination);
            let Some(receiver) = receiver else { panic!("{} is nobody", transmit.destination) };
            self.ladder.push(Arrow { from, to: receiver.name, message });
            receiver.agent.handle_input(now, Input::Datagram { flow: receiver.flow, source, payload });
        }
    }

    /// Moves time on; everybody wakes when they asked for it.
    pub fn advance(&mut self, duration: Duration) {
        let end = self.now + duration;
        while let Some(at) =
            self.parties.iter().filter_map(|party| party.agent.poll_timeout()).map(|(at, _)| at).min()
        {
            if at > end {
                break;
            }
            self.now = self.now.max(at);
            let now = self.now;
            self.parties.iter_mut().for_each(|party| party.agent.handle_timeout(now));
            self.settle();
        }
        self.now = end;
    }

    /// All events of a party so far.
    pub fn events(&mut self, name: &str) -> Vec<Event> {
        let party = self.party(name);
        std::iter::from_fn(|| party.agent.poll_event()).collect()
    }

    /// What was said since the last look, one arrow a line.
    pub fn said(&mut self) -> Vec<String> {
        self.ladder
            .drain(..)
            .map(|arrow| format!("{} -> {}: {}", arrow.from, arrow.to, arrow.label()))
            .collect()
    }

    /// The last request of that method.
    pub fn last_request(&self, method: &str) -> &Request {
        let found = self.ladder.iter().rev().find_map(|arrow| match &arrow.message {
            Message::Request(request) if request.method.as_str() == method => Some(request),
            _ => None,
        });
        found.unwrap_or_else(|| panic!("no {method} was sent:\n{}", self.picture()))
    }

    /// The ladder in words.
    pub fn picture(&self) -> String {
        let mut text = String::new();
        for arrow in &self.ladder {
            writeln!(text, "{:>8} -> {:<8} {}", arrow.from, arrow.to, arrow.label()).unwrap();
        }
        text
    }

    /// A call that is up: the caller's and the called side's name for it.
    pub fn call(&mut self, caller: &str, called: &str) -> (CallId, CallId) {
        let to = self.uri(called);
        let offer = Bytes::from_static(crate::support::OFFER.as_bytes());
        let out = self.at(caller, |now, agent, account| agent.call(now, account, &to, Some(offer)).unwrap());
        let incoming = self.events(called).into_iter().find_map(|event| match event {
            Event::Incoming { call, .. } => Some(call),
            _ => None,
        });
        let incoming = incoming.unwrap();
        self.at(called, |now, agent, _| {
            agent.ring(now, incoming).unwrap();
            agent.answer(now, incoming, Bytes::from_static(crate::support::ANSWER.as_bytes())).unwrap();
        });
        self.events(caller);
        self.events(called);
        (out, incoming)
    }
}
