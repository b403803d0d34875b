//! The registrar's decisions (RFC 3261 §10.3): a REGISTER of an authenticated account in, new bindings and the
//! response out.

use crate::location::{Binding, LocationStore};
use sidetone_hal::time::{Duration, Instant};
use sidetone_sip_core::header::{CSeq, CallId, Contact, Expires, MinExpires};
use sidetone_sip_core::{NameAddr, Request, Response, Source, StatusCode, Uri};

/// Bounds on what an account may bind.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct RegistrarLimits {
    /// Seconds a binding lasts when the client names no time. Default 3600.
    pub default_expires: u32,
    /// A client that asks for fewer seconds is answered 423 with this number. Default 60.
    pub min_expires: u32,
    /// A client that asks for more seconds is given these. Default 7200.
    pub max_expires: u32,
    /// Contacts of one account at a time; more are refused with 403. It bounds the forks of a call too. Default 10.
    pub max_bindings: usize,
}

impl Default for RegistrarLimits {
    fn default() -> Self {
        Self { default_expires: 3600, min_expires: 60, max_expires: 7200, max_bindings: 10 }
    }
}

/// What a REGISTER changed, for the event stream.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Change {
    /// Written or refreshed, for so many seconds.
    Bound { contact: Uri, expires: u32 },
    /// Removed.
    Unbound { contact: Uri },
}

/// Carries out the REGISTER of `user`. When it fails, nothing was changed (RFC 3261 §10.3 step 7).
pub(crate) fn register(
    now: Instant,
    store: &mut dyn LocationStore,
    limits: &RegistrarLimits,
    user: &str,
    request: &Request,
    source: &Source,
) -> (Response, Vec<Change>) {
    let mut changes = Vec::new();
    let mut bindings = store.bindings(now, user);
    let outcome = update(now, &mut bindings, limits, request, source, &mut changes);
    let response = match outcome {
        Ok(()) => {
            if !changes.is_empty() {
                store.replace(user, bindings.clone());
            }
            let mut response = request.response(StatusCode::OK, None);
            for binding in &bindings {
                response.headers.push(&contact_of(now, binding));
            }
            response
        }
        Err(refusal) => {
            changes.clear();
            let mut response = request.response(refusal.status, None);
            if let Some(reason) = refusal.reason {
                response.reason = reason.into();
            }
            if refusal.status == StatusCode::INTERVAL_TOO_BRIEF {
                response.headers.push(&MinExpires(limits.min_expires));
            }
            response
        }
    };
    (response, changes)
}

struct Refusal {
    status: StatusCode,
    reason: Option<&'static str>,
}

fn refuse(status: StatusCode, reason: &'static str) -> Refusal {
    Refusal { status, reason: Some(reason) }
}

fn update(
    now: Instant,
    bindings: &mut Vec<Binding>,
    limits: &RegistrarLimits,
    request: &Request,
    source: &Source,
    changes: &mut Vec<Change>,
) -> Result<(), Refusal> {
    let bad = |reason| move |_| refuse(StatusCode::BAD_REQUEST, reason);
    let call_id = request.headers.require::<CallId>().map_err(bad("Bad Call-ID"))?;
    let cseq = request.headers.require::<CSeq>().map_err(bad("Bad CSeq"))?.seq;
    // A malformed Expires counts as absent (RFC 3261 §20.19).
    let header = request.headers.get::<Expires>().and_then(Result::ok).map(|Expires(seconds)| seconds);
    let contacts = request.headers.all::<Contact>().collect::<Result<Vec<_>, _>>();
    let contacts = contacts.map_err(bad("Bad Contact"))?;
    // A repeated or late REGISTER must not undo a later one.
    let in_order = |binding: &Binding| binding.call_id != call_id.as_str() || binding.cseq < cseq;

    if contacts.iter().any(|contact| matches!(contact, Contact::Star)) {
        if contacts.len() != 1 || header != Some(0) {
            return Err(refuse(StatusCode::BAD_REQUEST, "Contact * Needs Expires 0 And No Other Contact"));
        }
        if !bindings.iter().all(in_order) {
            return Err(refuse(StatusCode::SERVER_INTERNAL_ERROR, "CSeq Out Of Order"));
        }
        changes.extend(bindings.drain(..).map(|binding| Change::Unbound { contact: binding.contact }));
        return Ok(());
    }

    for contact in &contacts {
        let Contact::Addr(address) = contact else { continue };
        if !address.uri.is_sip() {
            return Err(refuse(StatusCode::BAD_REQUEST, "Contact Is Not A SIP URI"));
        }
        let asked = contact.expires().or(header).unwrap_or(limits.default_expires);
        if asked > 0 && asked < limits.min_expires {
            return Err(Refusal { status: StatusCode::INTERVAL_TOO_BRIEF, reason: None });
        }
        let seconds = asked.min(limits.max_expires);
        let uri = owned(&address.uri)?;
        let known = bindings.iter().position(|binding| binding.contact == uri);
        if known.and_then(|at| bindings.get(at)).is_some_and(|binding| !in_order(binding)) {
            return Err(refuse(StatusCode::SERVER_INTERNAL_ERROR, "CSeq Out Of Order"));
        }
        if seconds == 0 {
            if let Some(at) = known {
                let removed = bindings.remove(at);
                changes.push(Change::Unbound { contact: removed.contact });
            }
            continue;
        }
        let binding = Binding {
            contact: uri.clone(),
            q: contact.q().unwrap_or(1000),
            expires: now + Duration::from_secs(u64::from(seconds)),
            call_id: call_id.as_str().into(),
            cseq,
            flow: source.flow,
            protocol: source.protocol,
            remote: source.remote,
        };
        if let Some(slot) = known.and_then(|at| bindings.get_mut(at)) {
            *slot = binding;
        } else if bindings.len() < limits.max_bindings {
            bindings.push(binding);
        } else {
            return Err(refuse(StatusCode::FORBIDDEN, "Too Many Bindings"));
        }
        changes.push(Change::Bound { contact: uri, expires: seconds });
    }
    Ok(())
}

/// The URI with memory of its own: the message it is part of is not kept alive for as long as the binding.
fn owned(uri: &Uri) -> Result<Uri, Refusal> {
    Uri::parse(uri.to_request_uri().as_str()).map_err(|_| refuse(StatusCode::BAD_REQUEST, "Bad Contact"))
}

fn contact_of(now: Instant, binding: &Binding) -> Contact {
    let mut address = NameAddr::new(binding.contact.clone());
    if binding.q < 1000 {
        address.params.set("q", &format!("0.{:03}", binding.q));
    }
    address.params.set("expires", &binding.seconds_left(now).to_string());
    Contact::Addr(address)
}
