//! What the bodies of a call's messages hold: the session description, and what stands beside it.

use crate::call::Call;
use crate::context::Context;
use crate::event::Event;
use alloc::boxed::Box;
use bytes::Bytes;
use sidetone_sip_core::header::{ContentType, HeaderName};
use sidetone_sip_core::{Limits, Part, Response};

/// The session description of a response: its body, or the part of a multipart body that is one (RFC 5621 §3.1). A body
/// without a type is against the rules, and one whose type does not read may be anything; a session description is the
/// only guess.
pub(super) fn description_of(response: &Response) -> Option<Bytes> {
    if response.body.is_empty() {
        return None;
    }
    match response.headers.get::<ContentType>() {
        Some(Ok(kind)) if kind.is(&ContentType::SDP) => Some(response.body.clone()),
        Some(Ok(_)) => {
            let found = response.content().find(&ContentType::SDP, &Limits::default());
            found.ok().flatten().map(|part| part.body).filter(|body| !body.is_empty())
        }
        Some(Err(_)) | None => Some(response.body.clone()),
    }
}

impl Call {
    /// Tells of each part of a body whose type the account takes beside session descriptions. A body that does not read is
    /// passed over: nothing of the call depends on it. Also after the end of the call, for the answer to our BYE comes then.
    pub(super) fn hear_content(&self, context: &mut Context, content: &Part) {
        if content.body.is_empty() || !content.headers.contains(&HeaderName::CONTENT_TYPE) {
            return;
        }
        let Some(account) = self.account.and_then(|id| context.accounts.get(&id)) else { return };
        for kind in &account.config.accept {
            if let Ok(Some(part)) = content.find(kind, &Limits::default())
                && !part.body.is_empty()
            {
                let (call, kind) = (self.id, Box::new(kind.clone()));
                context.events.push_back(Event::Content { call, kind, body: part.body });
            }
        }
    }
}
