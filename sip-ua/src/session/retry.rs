//! An INVITE of ours that was refused for what can be mended: it goes once more otherwise (RFC 3261 §8.1.3.5, RFC 4028
//! §7.4).

use super::config::{OPTIONS, TIMER};
use crate::call::{Call, Phase};
use crate::context::{Context, add_options};
use crate::exchange::ExchangeId;
use alloc::format;
use alloc::vec::Vec;
use sidetone_hal::time::Instant;
use sidetone_sip_core::header::{CSeq, HeaderName, MinSe, Require, SessionExpires, Supported, Unsupported};
use sidetone_sip_core::{Headers, Request, Response, StatusCode, Text, Uri};

/// How often an INVITE is mended, whatever for: a chain of proxies may raise the session interval one after the other.
const MAX_RETRIES: u8 = 6;

/// What was mended already.
#[derive(Clone, Copy, Default)]
pub(super) struct Retries {
    count: u8,
    dropped: bool,
    added: bool,
}

/// What is changed.
enum Mend {
    /// A longer session interval (422).
    Interval(u32),
    /// Without these extensions (420).
    Without(Vec<Text>),
    /// With these extensions (421).
    With(Vec<&'static str>),
    /// By `sip` instead of `sips` (416).
    Sip(Uri),
}

impl Call {
    /// Sends an INVITE that was refused once more, if what it was refused for can be mended. Whether it goes.
    pub(super) fn retry_refused(
        &mut self,
        context: &mut Context,
        now: Instant,
        exchange: ExchangeId,
        response: &Response,
    ) -> bool {
        let Some(request) = context.exchanges.get(&exchange).map(|exchange| exchange.request.clone()) else {
            return false;
        };
        let config = context.session_config(self.account);
        let Phase::Outgoing(outgoing) = &mut self.phase else { return false };
        let retries = &mut outgoing.retries;
        if self.ended || retries.count >= MAX_RETRIES {
            return false;
        }
        let mend = match response.status {
            StatusCode::SESSION_INTERVAL_TOO_SMALL => longer(&request, response).map(Mend::Interval),
            StatusCode::BAD_EXTENSION if !retries.dropped => {
                retries.dropped = true;
                unsupported(&request, response).map(Mend::Without)
            }
            StatusCode::EXTENSION_REQUIRED if !retries.added => {
                retries.added = true;
                required(&request, response).map(Mend::With)
            }
            StatusCode::UNSUPPORTED_URI_SCHEME if config.sips_fallback => as_sip(&request.uri).map(Mend::Sip),
            _ => None,
        };
        let (Some(mend), Ok(CSeq { seq, .. })) = (mend, request.headers.require()) else { return false };
        retries.count += 1;
        self.drop_early(context, now);
        context.retry(now, exchange, seq.saturating_add(1), |request| match mend {
            Mend::Interval(seconds) => raise_interval(&mut request.headers, seconds),
            Mend::Without(options) => {
                without(&mut request.headers, &options);
                if options.iter().any(|option| option.eq_ignore_ascii_case(TIMER)) {
                    request.headers.remove(&HeaderName::SESSION_EXPIRES);
                    request.headers.remove(&HeaderName::MIN_SE);
                }
            }
            Mend::With(options) => {
                if options.contains(&TIMER) && !request.headers.contains(&HeaderName::SESSION_EXPIRES) {
                    request.headers.push(&SessionExpires::new(config.timer.interval()));
                }
                add_options::<Supported>(&mut request.headers, options.into_iter());
            }
            Mend::Sip(uri) => request.uri = uri,
        })
    }
}

/// The session interval that a 422 asks for, if it is longer than what was offered.
pub(super) fn longer(request: &Request, response: &Response) -> Option<u32> {
    let MinSe { seconds: least, .. } = response.headers.get::<MinSe>()?.ok()?;
    let offered = request.headers.get::<SessionExpires>()?.ok()?.seconds;
    (least > offered).then_some(least)
}

/// Asks for a session interval that a 422 named. The refresher stays as it was asked for.
pub(super) fn raise_interval(headers: &mut Headers, seconds: u32) {
    let mut expires = SessionExpires::new(seconds);
    if let Some(Ok(before)) = headers.get::<SessionExpires>() {
        expires.params = before.params;
    }
    headers.set(&expires);
    headers.set(&MinSe::new(seconds));
}

/// What a 420 calls unsupported of what the request names.
fn unsupported(request: &Request, response: &Response) -> Option<Vec<Text>> {
    let Unsupported(named) = response.headers.get::<Unsupported>()?.ok()?;
    let Require(required) = request.headers.get::<Require>().and_then(Result::ok).unwrap_or_default();
    let Supported(supported) = request.headers.get::<Supported>().and_then(Result::ok).unwrap_or_default();
    let ours = |option: &Text| required.iter().chain(&supported).any(|own| own.eq_ignore_ascii_case(option));
    let dropped: Vec<Text> = named.into_iter().filter(ours).collect();
    (!dropped.is_empty()).then_some(dropped)
}

/// What a 421 requires, if we have all of it and did not say so.
fn required(request: &Request, response: &Response) -> Option<Vec<&'static str>> {
    let Require(wanted) = response.headers.get::<Require>()?.ok()?;
    let known = |wanted: &Text| OPTIONS.into_iter().find(|option| wanted.eq_ignore_ascii_case(option));
    let options: Vec<&'static str> = wanted.iter().map(known).collect::<Option<_>>()?;
    let said = |option: &&str| crate::context::names_option::<Supported>(&request.headers, option);
    (!options.iter().all(said)).then_some(options)
}

fn as_sip(uri: &Uri) -> Option<Uri> {
    let rest = uri.as_str().get("sips:".len()..).filter(|_| uri.is_sips())?;
    format!("sip:{rest}").parse().ok()
}

/// Takes options out of Require and Supported.
fn without(headers: &mut Headers, options: &[Text]) {
    let kept = |set: Vec<Text>| -> Vec<Text> {
        set.into_iter().filter(|own| !options.iter().any(|gone| gone.eq_ignore_ascii_case(own))).collect()
    };
    let Require(required) = headers.get::<Require>().and_then(Result::ok).unwrap_or_default();
    let Supported(supported) = headers.get::<Supported>().and_then(Result::ok).unwrap_or_default();
    let (required, supported) = (kept(required), kept(supported));
    headers.remove(&HeaderName::REQUIRE);
    headers.remove(&HeaderName::SUPPORTED);
    if !required.is_empty() {
        headers.push(&Require(required));
    }
    if !supported.is_empty() {
        headers.push(&Supported(supported));
    }
}
