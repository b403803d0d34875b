//! What comes in: framing, checks, matching, answers that need nobody above.

use super::{Endpoint, Event};
use crate::header::{HeaderName, RetryAfter, Server as ServerHeader, To, Via};
use crate::nat::stun;
use crate::trace::Direction;
use crate::transaction::TransactionId;
use crate::transaction::key::Key;
use crate::transaction::layer::{Machine, Opening};
use crate::transaction::server::Server;
use crate::transaction::server_invite::{AckVerdict, ServerInvite};
use crate::transport::{FlowError, Path, Source, Target, default_port};
use crate::{
    Essentials, Frame, Headers, Message, Method, ParseError, ReadOptions, Request, Response, StatusCode,
    rejection,
};
use alloc::string::String;
use alloc::sync::Arc;
use bytes::Bytes;
use sidetone_hal::net::{FlowId, Protocol, SocketAddr, Transmit};
use sidetone_hal::time::Instant;

/// RFC 5626 §3.5.1: the answer to a double CRLF on a connection.
const PONG: &[u8] = b"\r\n";

impl Endpoint {
    pub(super) fn handle_datagram(&mut self, now: Instant, flow: FlowId, remote: SocketAddr, payload: Bytes) {
        // Some peers keep a NAT binding open with line ends, spaces or zeroes.
        if payload.iter().all(|byte| matches!(byte, b'\r' | b'\n' | b' ' | 0)) {
            self.layer.reports.counters.keep_alives += 1;
            return;
        }
        if stun::is_stun(&payload) {
            return self.handle_stun(now, flow, remote, payload);
        }
        let Some(protocol) = self.transports.protocol_of(flow) else { return };
        self.handle_message(now, Source { flow, protocol, remote }, payload);
    }

    pub(super) fn handle_stream(&mut self, now: Instant, flow: FlowId, bytes: &[u8]) {
        let Some(stream) = self.transports.stream_mut(flow) else { return };
        stream.touch(now);
        stream.push(bytes);
        // A message may have the connection closed under us, so it is looked up anew for each frame.
        while let Some(stream) = self.transports.stream_mut(flow) {
            let source = Source { flow, protocol: stream.protocol, remote: stream.remote };
            match stream.next_frame() {
                Ok(None) => return self.transports.bytes_came(now, flow),
                Ok(Some(Frame::Message(bytes))) => {
                    stream.message_came();
                    self.handle_message(now, source, bytes);
                }
                Ok(Some(Frame::KeepAlivePing)) => {
                    self.layer.reports.counters.keep_alives += 1;
                    let pong = Transmit { flow, destination: source.remote, payload: Arc::from(PONG) };
                    // A connection that brings bytes is up, so nothing is held back here.
                    let _ = self.transports.send(now, pong);
                }
                Ok(Some(Frame::KeepAlivePong)) => self.handle_pong(flow),
                Err(_) => {
                    // Where the next message begins is not known any more.
                    self.layer.reports.counters.malformed += 1;
                    self.drop_flow(now, flow, FlowError::Framing);
                    return;
                }
            }
        }
    }

    /// A message of a connection that keeps message boundaries.
    pub(super) fn handle_frame(&mut self, now: Instant, flow: FlowId, payload: Bytes) {
        let Some(stream) = self.transports.stream_mut(flow) else { return };
        stream.touch(now);
        let source = Source { flow, protocol: stream.protocol, remote: stream.remote };
        // RFC 7118 §5.2 has one message in each; a keep-alive is line ends alone (RFC 5626 §3.5.1).
        match &payload[..] {
            b"\r\n\r\n" => {
                self.layer.reports.counters.keep_alives += 1;
                let pong = Transmit { flow, destination: source.remote, payload: Arc::from(PONG) };
                // A connection that brings messages is up, so nothing is held back here.
                let _ = self.transports.send(now, pong);
            }
            b"\r\n" => self.handle_pong(flow),
            _ => {
                stream.message_came();
                self.handle_message(now, source, payload);
            }
        }
    }

    fn handle_message(&mut self, now: Instant, source: Source, bytes: Bytes) {
        self.transports.tap(now, Direction::Received, source.flow, source.remote, &bytes);
        let result = match Message::parse_with(bytes.clone(), &self.read_options()) {
            Ok(Message::Request(request)) => self.handle_request(now, source, request, &bytes),
            Ok(Message::Response(response)) => self.handle_response(now, source, response),
            Err(error) => {
                self.reject(now, &source, &bytes, &error);
                Err(error)
            }
        };
        match result {
            Ok(()) => self.layer.reports.counters.received += 1,
            Err(_) => self.layer.reports.counters.malformed += 1,
        }
    }

    const fn read_options(&self) -> ReadOptions {
        ReadOptions::new(self.config.limits, self.config.leniency)
    }

    /// Looks at no more than what a user agent and a proxy both must: the rest of RFC 3261 §8.2
    /// ([`Request::check`]) is for a user agent, since a proxy forwards methods, schemes and extensions that it does not
    /// know.
    fn handle_request(
        &mut self,
        now: Instant,
        source: Source,
        mut request: Request,
        bytes: &Bytes,
    ) -> Result<(), ParseError> {
        let essentials = request.check_form().inspect_err(|error| self.reject(now, &source, bytes, error))?;
        let via = essentials.via.clone();
        let path = path_back(&source, &via);
        let is_ack = request.method == Method::ACK;
        let key =
            self.keys.server(&request, &essentials, if is_ack { &Method::INVITE } else { &request.method });
        if self.config.alias && via.params.has("alias") {
            let port = via.port.unwrap_or_else(|| default_port(source.protocol));
            self.transports.set_alias(source.flow, port);
        }
        let via = self.answer_keep(&request.method, via, &mut request.headers);
        complete_via(&mut request.headers, via, &source);

        if let Some(id) = self.layer.find(&key) {
            self.handle_matched(now, id, source, request);
        } else if is_ack {
            self.handle_stray_ack(source, request, &essentials.to);
        } else if request.method == Method::CANCEL {
            let invite = self.keys.server(&request, &essentials, &Method::INVITE);
            let invite = self.layer.find(&invite);
            // A CANCEL is answered at once, so without room it needs no transaction.
            let opening = Opening::new(key, path).silent();
            let id = self.layer.insert(now, &mut self.transports, opening, |context| {
                Machine::Server(Server::new(bytes.clone(), source, context))
            });
            self.handle_cancel(now, &source, id, invite, request);
        } else {
            self.handle_new(now, Opening::new(key, path), source, request, &essentials, bytes);
        }
        Ok(())
    }

    /// A request that opens a transaction, if there is room for it.
    fn handle_new(
        &mut self,
        now: Instant,
        mut opening: Opening,
        source: Source,
        request: Request,
        essentials: &Essentials,
        bytes: &Bytes,
    ) {
        let within_dialog = essentials.to.tag().is_some();
        let room =
            self.layer.has_room() && (within_dialog || self.rate.as_mut().is_none_or(|rate| rate.take(now)));
        if !room {
            self.layer.reports.counters.refused += 1;
            return self.refuse(now, &source, &request);
        }
        let mut is_merged = false;
        if self.config.refuse_merged && !within_dialog {
            let merged: Key = self.keys.merged(essentials);
            is_merged = self.layer.is_merged(&merged);
            (opening.merged, opening.silent) = if is_merged { (None, true) } else { (Some(merged), false) };
        }
        let id = self.layer.insert(now, &mut self.transports, opening, |context| {
            if request.method == Method::INVITE {
                Machine::ServerInvite(ServerInvite::new(bytes.clone(), source, context))
            } else {
                Machine::Server(Server::new(bytes.clone(), source, context))
            }
        });
        let Some(transaction) = id else { return };
        if is_merged {
            self.layer.reports.counters.merged += 1;
            let mut response = request.response(StatusCode::LOOP_DETECTED, Some(&self.new_tag()));
            self.name_us(&mut response);
            // The peer repeats what was not answered.
            let _ = self.respond(now, transaction, response);
        } else {
            self.layer.reports.events.push_back(Event::Request { transaction, request, source });
        }
    }

    /// An ACK without transaction: of a dialog, or to a response that was sent without state.
    fn handle_stray_ack(&mut self, source: Source, request: Request, to: &To) {
        if to.tag().is_some() && to.tag() == self.keys.stateless_tag(&request.headers).as_deref() {
            self.layer.reports.counters.absorbed_acks += 1;
        } else {
            self.layer.reports.events.push_back(Event::Ack { request, source });
        }
    }

    /// A request that belongs to a transaction.
    fn handle_matched(&mut self, now: Instant, id: TransactionId, source: Source, request: Request) {
        let is_ack = request.method == Method::ACK;
        let verdict = self.layer.with(now, &mut self.transports, id, |machine, context| match machine {
            Machine::ServerInvite(machine) if is_ack => machine.handle_ack(context),
            Machine::ServerInvite(machine) => {
                machine.handle_repeat(context);
                AckVerdict::Absorbed
            }
            Machine::Server(machine) => {
                machine.handle_repeat(context);
                AckVerdict::Absorbed
            }
            // Keys of requests and of responses never meet.
            Machine::ClientInvite(_) | Machine::Client(_) => AckVerdict::Absorbed,
        });
        if verdict == Some(AckVerdict::Pass) {
            self.layer.reports.events.push_back(Event::Ack { request, source });
        }
    }

    /// RFC 3261 §9.2.
    fn handle_cancel(
        &mut self,
        now: Instant,
        source: &Source,
        id: Option<TransactionId>,
        invite: Option<TransactionId>,
        request: Request,
    ) {
        let status = if invite.is_some() { StatusCode::OK } else { StatusCode::CALL_DOES_NOT_EXIST };
        let mut response = request.response(status, Some(&self.new_tag()));
        let mut pending = false;
        if let Some(Machine::ServerInvite(machine)) = invite.and_then(|invite| self.layer.machine(invite)) {
            pending = machine.is_pending();
            if let Some(to) = machine.to() {
                response.headers.remove(&HeaderName::TO);
                // It was in a message that we sent, so it can be in another.
                let _ = response.headers.push_raw(HeaderName::TO, to);
            }
        }
        self.name_us(&mut response);
        // A CANCEL that cannot be answered is repeated or forgotten by its sender.
        let _ = match id {
            Some(id) => self.respond(now, id, response),
            None => self.send_response(now, &response, Some(source)),
        };
        if let Some(transaction) = invite.filter(|_| pending) {
            self.layer.reports.events.push_back(Event::Cancelled { transaction, request });
        }
    }

    fn handle_response(
        &mut self,
        now: Instant,
        source: Source,
        response: Response,
    ) -> Result<(), ParseError> {
        let essentials = response.essentials()?;
        let via = essentials.via;
        let key = self.keys.client(via.branch().unwrap_or_default(), &essentials.cseq.method);
        let Some(id) = self.layer.find(&key) else {
            if self.is_ours(&via) {
                self.layer.reports.events.push_back(Event::StrayResponse { response, source });
            } else {
                self.layer.reports.counters.strays += 1;
            }
            return Ok(());
        };
        let cancel = self.layer.with(now, &mut self.transports, id, |machine, context| match machine {
            Machine::ClientInvite(machine) => machine.handle_response(response, source, context),
            Machine::Client(machine) => {
                machine.handle_response(response, source, context);
                None
            }
            Machine::ServerInvite(_) | Machine::Server(_) => None,
        });
        if let Some(cancel) = cancel.flatten() {
            self.start_cancel(now, id, &cancel);
        }
        Ok(())
    }

    /// Answers a request that is wrong, if it can be answered; never an ACK (RFC 3261 §8.2.7, §17.1.1.3).
    fn reject(&mut self, now: Instant, source: &Source, bytes: &Bytes, error: &ParseError) {
        if let Some(mut response) = rejection(bytes, error, &self.config.limits) {
            // From the headers as they came, as in the ACK.
            let tag = self.keys.stateless_tag(&response.headers).unwrap_or_else(|| self.new_tag());
            let via = response.headers.get::<Via>().and_then(Result::ok);
            let has_via = via.is_some();
            if let Some(via) = via {
                complete_via(&mut response.headers, via, source);
            }
            if let Some(Ok(to)) =
                response.headers.get::<To>().filter(|to| !matches!(to, Ok(to) if to.tag().is_some()))
            {
                response.headers.set(&to.with_tag(&tag));
            }
            if has_via {
                self.answer(now, source, response);
            } else {
                self.answer_to_source(now, source, response);
            }
        }
    }

    /// Answers a request whose Via does not say where to. Not more than so many a second: who sends it may be anybody, and
    /// in another's name.
    fn answer_to_source(&mut self, now: Instant, source: &Source, mut response: Response) {
        if !self.source_answers.take(now) {
            return;
        }
        self.name_us(&mut response);
        let Source { flow, protocol, remote } = *source;
        let mut path = Path { protocol, flow, destination: remote, reconnect: None };
        if self.transports.transmit(now, &mut path, &response.to_bytes().into()).is_ok() {
            self.layer.reports.counters.answered_to_source += 1;
        }
    }

    /// There is no room for another transaction (RFC 3261 §21.5.4). No state is made: the To tag is computed, so that
    /// the ACK is known.
    fn refuse(&mut self, now: Instant, source: &Source, request: &Request) {
        let tag = self.keys.stateless_tag(&request.headers).unwrap_or_else(|| self.new_tag());
        let mut response = request.response(StatusCode::SERVICE_UNAVAILABLE, Some(&tag));
        response.headers.push(&RetryAfter::new(self.config.retry_after));
        self.answer(now, source, response);
    }

    fn answer(&mut self, now: Instant, source: &Source, mut response: Response) {
        self.name_us(&mut response);
        // The peer repeats what was not answered.
        let _ = self.send_response(now, &response, Some(source));
    }

    fn name_us(&self, response: &mut Response) {
        if let Some(name) = &self.config.user_agent {
            response.headers.push(&ServerHeader::from(name.as_str()));
        }
    }

    fn new_tag(&mut self) -> String {
        core::str::from_utf8(&self.rng.hex::<16>()).unwrap_or_default().into()
    }

    /// RFC 3261 §18.1.2: whether a Via could be one that we wrote.
    pub(super) fn is_ours(&self, via: &Via) -> bool {
        if via.host == *self.transports.websocket_host() {
            return true;
        }
        let port = via.port.unwrap_or_else(|| default_port(via.protocol().unwrap_or(Protocol::Udp)));
        via.host.ip().is_some_and(|ip| self.transports.is_ours(ip, port))
    }
}

/// RFC 3261 §18.2.2 and RFC 3581 §4: the way of the responses to a request.
pub(super) fn path_back(source: &Source, via: &Via) -> Path {
    let Source { flow, protocol, remote } = *source;
    // The sender's address keeps its scope (RFC 4007 §6), without which a link-local one leads nowhere.
    let mut sent_by = remote;
    sent_by.set_port(via.port.unwrap_or_else(|| default_port(protocol)));
    if protocol.is_reliable() {
        Path { protocol, flow, destination: remote, reconnect: Some(sent_by) }
    } else {
        let destination = if via.rport().is_some() { remote } else { sent_by };
        Path { protocol, flow, destination, reconnect: None }
    }
}

/// RFC 3261 §18.2.2 when only the Via is known: `received` and `rport` before the sent-by.
pub(super) fn target_of(via: &Via) -> Option<Target> {
    let protocol = via.protocol()?;
    let ip = via.received().or_else(|| via.host.ip())?;
    let port = via.rport().flatten().filter(|_| !protocol.is_reliable()).or(via.port);
    Some(Target::new(protocol, SocketAddr::new(ip, port.unwrap_or_else(|| default_port(protocol)))))
}

/// RFC 3261 §18.2.1 and RFC 3581 §4: where the message really came from, in its top Via.
pub(crate) fn complete_via(headers: &mut Headers, mut via: Via, source: &Source) {
    let asked = via.rport().is_some();
    if asked {
        via.set_rport(Some(source.remote.port()));
    }
    if asked || via.received().is_some() || via.host.ip() != Some(source.remote.ip()) {
        via.set_received(source.remote.ip());
        headers.replace_first(&via);
    }
}
