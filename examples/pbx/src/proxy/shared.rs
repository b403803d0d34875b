//! Shared lines: calls that go out on an appearance, come in on one, and held ones that another telephone takes.
//!
//! To take a held call over is done by the telephones, as with pickup: the far end gets an INVITE with Replaces of the call
//! that is held, and hangs that up (RFC 3891).

use super::Proxy;
use super::forward::{NewInvite, contact_target};
use super::inspect::{Parties, Refusal};
use super::journey::Journey;
use crate::call_config::{MAX_GROUP_MEMBERS, RingGroup};
use crate::dialogs::Direction;
use crate::shared_lines::{CallEnd, Ends, LineState, device, device_of};
use sidetone_hal::time::{Duration, Instant};
use sidetone_media::sdp::{Direction as Flow, audio_direction};
use sidetone_sip_core::header::{
    CallId, CallInfo, Contact, Header, PAssertedIdentity, Replaces, Require, Supported,
};
use sidetone_sip_core::{Headers, Method, NameAddr, Request, Response, Source, StatusCode, Target, Uri};
use sidetone_sip_ua::feature::shared_line::{AppearanceState, AppearanceTable, Taken, alert_info};
use sidetone_sip_ua::package::call_info::Appearance;

impl Proxy {
    /// A number whose calls several users share, with so many appearances, 1 to 64: it rings at all of them, and each of
    /// their telephones that subscribes to `call-info` shows what becomes of them. A user may have the number as the
    /// account's name, whose telephones share it then. A ring group of that number is replaced; at most
    /// [`MAX_GROUP_MEMBERS`] share a line. False when there are too many lines.
    pub fn add_shared_line<S: Into<String>>(
        &mut self,
        number: &str,
        members: impl IntoIterator<Item = S>,
        appearances: u16,
    ) -> bool {
        let mut members: Vec<String> = members.into_iter().map(Into::into).take(MAX_GROUP_MEMBERS).collect();
        if self.authenticator.has_account(number) && !members.iter().any(|member| member == number) {
            members.truncate(MAX_GROUP_MEMBERS - 1);
            members.push(number.into());
        }
        if !self.shared.add(number, members.clone(), appearances) {
            return false;
        }
        self.add_ring_group(number, RingGroup::new(members));
        true
    }

    /// A shared line that changed, as it is now.
    pub fn poll_line(&mut self) -> Option<LineState> {
        self.shared.poll_change()
    }

    /// The appearances of a shared line.
    #[must_use]
    pub fn line(&self, number: &str) -> Option<&AppearanceTable> {
        self.shared.table(number)
    }

    /// A telephone is about to dial on an appearance of a line, or on the first that is idle. `holder` names the telephone
    /// as the INVITE will: the user of its From, a blank, and host and port of its Contact. After `lasts`, a minute at
    /// most, the appearance is idle again if no INVITE came.
    ///
    /// # Errors
    /// Somebody else has it, or there is no such line or appearance.
    pub fn seize_line(
        &mut self,
        now: Instant,
        number: &str,
        index: Option<u16>,
        holder: &str,
        lasts: Duration,
    ) -> Result<u16, Taken> {
        self.shared.seize(now, number, index, holder, lasts)
    }

    /// Whoever seized an appearance does not dial after all.
    pub fn release_line(&mut self, number: &str, index: u16, holder: &str) {
        self.shared.release(number, index, holder);
    }

    /// What is known of dialogs that changed goes to the lines, and on to the owner.
    pub(super) fn pump_dialogs(&mut self) {
        while let Some(dialog) = self.dialogs.poll_change() {
            self.shared.on_dialog(&dialog);
            if self.dialog_changes.len() >= super::MAX_EVENTS {
                self.dialog_changes.pop_front();
            }
            self.dialog_changes.push_back(dialog);
        }
    }

    /// A call of an account: on an appearance of a line that it shares, to take a held one, or neither.
    pub(super) fn forward_on_line(
        &mut self,
        now: Instant,
        invite: NewInvite<'_>,
        callee: String,
    ) -> Result<(), Refusal> {
        if let Some(named) = self.named_on_line(&invite) {
            return self.forward_named(now, invite, named);
        }
        let holder = device(&invite.request.headers);
        let seized = || self.shared.seized_by(&holder).map(|(line, index)| (line.to_owned(), index));
        let Some((line, index)) = self.line_of(&invite, &callee).or_else(seized) else {
            return self.forward_call(now, invite, callee);
        };
        let (call_id, from_tag) = (invite.parties.call_id.clone(), invite.parties.from_tag.clone());
        if !self.dialogs.has_room(invite.caller) {
            return Err(StatusCode::SERVICE_UNAVAILABLE.into());
        }
        let result = if callee == line {
            self.retrieve(now, invite, &line, index, &holder)
        } else {
            let uri = invite.request.uri.address_of_record().to_string();
            if !self.shared.outgoing(&line, index, (&call_id, &from_tag), &holder, &uri) {
                return Err(Refusal::reason(StatusCode::BUSY_HERE, "Somebody Has That Appearance"));
            }
            self.forward_call(now, invite, callee)
        };
        if result.is_err() {
            self.shared.ended((&call_id, &from_tag));
        }
        result
    }

    /// The line that an INVITE is about, of those that its caller shares, and the appearance.
    fn line_of(&self, invite: &NewInvite<'_>, callee: &str) -> Option<(String, u16)> {
        let headers = &invite.request.headers;
        let index = Appearance::index_of(headers)?;
        let infos = headers.all::<CallInfo>().filter_map(Result::ok);
        let named = infos.filter(|info| info.params.get("appearance-index").is_some());
        let named = named.filter_map(|info| Some(info.uri()?.user()?.into_owned()));
        let candidates = named.chain([callee.to_owned(), invite.caller.to_owned()]);
        let mut shared = candidates.filter(|line| self.shared.shares(line, invite.caller));
        shared.next().map(|line| (line, index))
    }

    /// A telephone wants the held call of an appearance.
    pub(super) fn retrieve(
        &mut self,
        now: Instant,
        invite: NewInvite<'_>,
        line: &str,
        index: u16,
        holder: &str,
    ) -> Result<(), Refusal> {
        let none = || Refusal::reason(StatusCode::BUSY_HERE, "No Call To Take There");
        let (held, ends) = self.shared.retrievable(line, index).ok_or_else(none)?;
        let held = CallId::from(held);
        let Ends { near, far } = ends.clone();
        let Some(telephone) = far.telephone.filter(|_| far.replaces) else {
            return Err(Refusal::reason(StatusCode::NOT_ACCEPTABLE_HERE, "The Other Side Cannot Be Moved"));
        };
        let (call_id, from_tag) = (invite.parties.call_id.clone(), invite.parties.from_tag.clone());
        self.shared.retrieving(line, index, (&call_id, &from_tag), holder);
        invite.request.headers.set(&Replaces::new(held, far.tag, near.tag));
        invite.request.headers.push(&Require::from_iter(["replaces"]));
        self.forward_direct(now, invite, &far.user, telephone)
    }

    /// A call comes to a line: it takes an appearance, unless it is of none.
    pub(super) fn take_appearance(&mut self, journey: &Journey, number: &str) -> Result<(), Refusal> {
        if !self.shared.is_line(number) {
            return Ok(());
        }
        if !self.dialogs.has_room(&journey.caller) {
            return Err(StatusCode::SERVICE_UNAVAILABLE.into());
        }
        let from = journey.caller_address();
        let taken = self.shared.incoming(number, journey.parties(), &from);
        taken.map(|_| ()).ok_or_else(|| Refusal::reason(StatusCode::BUSY_HERE, "The Line Is In Use"))
    }

    /// Says in a request to a user which appearance it is about: theirs and nobody else's. Whoever is called by a line sees
    /// its number.
    pub(super) fn mark_line(&self, request: &mut Request, journey: &Journey, user: &str) {
        strip_appearances(&mut request.headers);
        for call in self.shared.of_call(journey.parties()) {
            let mut address = journey.asked().address_of_record();
            address.set_user(Some(&call.line));
            match call.side {
                Direction::Recipient if self.shared.shares(&call.line, user) => {
                    let named = Appearance::new(call.index, AppearanceState::Alerting);
                    request.headers.push(&named.write(&address));
                    if self.shared.is_bridged(&call.line, user)
                        && let Some(alert) = alert_info(call.index)
                    {
                        request.headers.push(&alert);
                    }
                }
                Direction::Recipient => {}
                Direction::Initiator => request.headers.push(&PAssertedIdentity(NameAddr::new(address))),
            }
        }
    }

    /// A telephone of `user` answered a call that may be on a line.
    pub(super) fn answered_on_line(
        &mut self,
        now: Instant,
        journey: &Journey,
        request: &Request,
        response: &Response,
        (user, to_tag): (&str, &str),
    ) {
        if self.shared.of_call(journey.parties()).next().is_none() {
            return;
        }
        let (_, from_tag) = journey.parties();
        let callee = CallEnd {
            tag: to_tag.into(),
            user: user.into(),
            telephone: self.callee_telephone(now, user, response),
            replaces: takes_replaces(&response.headers),
        };
        let caller = CallEnd {
            tag: from_tag.into(),
            user: journey.caller.clone(),
            telephone: contact(&request.headers).map(|uri| (uri, Source::target(journey.source()))),
            replaces: takes_replaces(&request.headers),
        };
        let ends = |side| match side {
            Direction::Initiator => Ends { near: caller.clone(), far: callee.clone() },
            Direction::Recipient => Ends { near: callee.clone(), far: caller.clone() },
        };
        self.shared.answered(journey.parties(), &device_of(user, &response.headers), ends);
    }

    /// A change of a session went through: the end that offered it may hold.
    pub(super) fn offered_on_line(&mut self, parties: &Parties, request: &Request) {
        if !matches!(request.method, Method::INVITE | Method::UPDATE) || request.body.is_empty() {
            return;
        }
        let Ok(flow) = audio_direction(&request.body) else { return };
        let holds = matches!(flow, Flow::SendOnly | Flow::Inactive);
        let states = Appearance::all(&request.headers).unwrap_or_default();
        let private = states.iter().any(|told| told.state == Some(AppearanceState::HeldPrivate));
        self.shared.offered(&parties.call_id, &parties.from_tag, holds, private);
    }

    fn callee_telephone(&self, now: Instant, user: &str, response: &Response) -> Option<(Uri, Target)> {
        let uri = contact(&response.headers)?;
        let bindings = self.location.bindings(now, user);
        let known = bindings.iter().find(|binding| binding.contact == uri).map(|binding| binding.target());
        let target = known.or_else(|| contact_target(&uri, None))?;
        Some((uri, target))
    }
}

fn contact(headers: &Headers) -> Option<Uri> {
    match headers.get::<Contact>() {
        Some(Ok(Contact::Addr(address))) => Some(address.uri.to_request_uri()),
        _ => None,
    }
}

fn takes_replaces(headers: &Headers) -> bool {
    let supported = headers.get::<Supported>().and_then(Result::ok);
    supported.is_some_and(|options| options.0.iter().any(|option| option.eq_ignore_ascii_case("replaces")))
}

/// An appearance that a caller named means something to this server alone.
fn strip_appearances(headers: &mut Headers) {
    let told = Appearance::all(headers).unwrap_or_default();
    if told.is_empty() {
        return;
    }
    let others: Vec<CallInfo> = headers
        .all::<CallInfo>()
        .filter_map(Result::ok)
        .filter(|info| info.params.get("appearance-index").is_none())
        .collect();
    headers.remove(&CallInfo::NAME);
    others.iter().for_each(|info| headers.push(info));
}
