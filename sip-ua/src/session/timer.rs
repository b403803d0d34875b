//! Session timers (RFC 4028): how long a session lasts that nobody refreshes, who refreshes it, and its end.

use super::SessionConfig;
use super::config::{ExtensionUse, RefreshMethod, TIMER};
use super::offers::Offering;
use super::reinvite::push_abilities;
use super::retry::{longer, raise_interval};
use crate::call::{Call, Phase};
use crate::context::{Context, Timer, add_options, names_option};
use crate::event::{AccountId, EndCause, EndedBy};
use crate::exchange::{ExchangeId, Owner};
use crate::focus;
use alloc::boxed::Box;
use bytes::Bytes;
use sidetone_hal::time::{Duration, Instant};
use sidetone_sip_core::header::{ContentType, MinSe, Refresher, Require, SessionExpires, Supported};
use sidetone_sip_core::{Headers, Method, Request, Response, StatusCode};

/// The shortest interval where nobody names one (RFC 4028 §5).
const DEFAULT_MIN_SE: u32 = 90;
/// A BYE goes out that long before the end at most (RFC 4028 §10).
const MAX_MARGIN: Duration = Duration::from_secs(32);
/// A refresh that had to wait or was refused is tried again after half of what is left, but not sooner than this.
const LEAST_WAIT: Duration = Duration::from_secs(1);

/// The timer of a session that has one.
pub(super) struct SessionTimer {
    /// The agreed interval in seconds.
    interval: u32,
    /// The shortest one that anybody on the way takes, as far as we were told.
    min_se: u32,
    /// We refresh.
    ours: bool,
    /// When the session ends by a BYE unless it is refreshed.
    end: Instant,
    /// Our refresh under way.
    pub(super) refreshing: Option<ExchangeId>,
    /// Our last session description, for a refresh by re-INVITE; kept only where we refresh.
    sdp: Option<Bytes>,
    /// The other side has refused to be refreshed by UPDATE.
    update_refused: bool,
}

impl SessionTimer {
    fn new(now: Instant, interval: u32, ours: bool) -> Self {
        let end = now + lifetime(interval);
        Self {
            interval,
            min_se: DEFAULT_MIN_SE,
            ours,
            end,
            refreshing: None,
            sdp: None,
            update_refused: false,
        }
    }

    /// What our requests say of the timer (RFC 4028 §7.4): the roles stay, whoever sends the request.
    pub(super) fn push(&self, headers: &mut Headers) {
        let refresher = if self.ours { Refresher::Uac } else { Refresher::Uas };
        headers.set(&SessionExpires::new(self.interval).with_refresher(refresher));
        if self.min_se > DEFAULT_MIN_SE {
            headers.set(&MinSe::new(self.min_se));
        }
        add_options::<Supported>(headers, [TIMER].into_iter());
    }
}

/// From a refresh until the BYE: the margin is 32 s, or a third of a short interval (RFC 4028 §10).
fn lifetime(interval: u32) -> Duration {
    let interval = Duration::from_secs(interval.into());
    interval - (interval / 3).min(MAX_MARGIN)
}

/// What an INVITE that makes a call says of the timer (RFC 4028 §7.1).
pub(super) fn push_request(headers: &mut Headers, config: &SessionConfig) {
    let timer = &config.timer;
    if !timer.usage.is_on() {
        return;
    }
    let expires = SessionExpires::new(timer.interval());
    headers.set(&match timer.refresher {
        Some(refresher) => expires.with_refresher(refresher),
        None => expires,
    });
    if timer.shortest() > DEFAULT_MIN_SE {
        headers.set(&MinSe::new(timer.shortest()));
    }
    if timer.usage == ExtensionUse::Required {
        add_options::<Require>(headers, [TIMER].into_iter());
    }
}

/// The 422 to an INVITE or UPDATE whose session interval is shorter than we take (RFC 4028 §9). Only one who knows the
/// timer gets it: of others the interval is a proxy's, and is raised instead.
pub(crate) fn too_short(
    context: &mut Context,
    account: Option<AccountId>,
    request: &Request,
) -> Option<Response> {
    let config = context.session_config(account).timer;
    let asked = request.headers.get::<SessionExpires>()?.ok()?;
    let refused = config.usage.is_on()
        && asked.seconds < config.shortest()
        && names_option::<Supported>(&request.headers, TIMER);
    if !refused {
        return None;
    }
    let mut response = context.response(request, StatusCode::SESSION_INTERVAL_TOO_SMALL, None);
    response.headers.push(&MinSe::new(config.shortest()));
    Some(response)
}

impl Call {
    /// Agrees on a timer in the 2xx to an INVITE or UPDATE of the other side (RFC 4028 §9), the `first` of the call or a
    /// later one.
    pub(super) fn agree_timer(
        &mut self,
        context: &mut Context,
        now: Instant,
        request: &Headers,
        response: &mut Headers,
        first: bool,
    ) {
        let config = context.session_config(self.account).timer;
        let Phase::Up(session) = &mut self.phase else { return };
        if !config.usage.is_on() || session.is_leaving() {
            return;
        }
        let asked = request.get::<SessionExpires>().and_then(Result::ok);
        if asked.is_none() && !first {
            return self.keep_timer(context, now, response);
        }
        let least = request.get::<MinSe>().and_then(Result::ok).map_or(0, |least| least.seconds);
        let knows = names_option::<Supported>(request, TIMER) || names_option::<Require>(request, TIMER);
        // An interval may be made shorter, but not than anybody on the way takes, and not longer.
        let wanted = asked.as_ref().map_or(u32::MAX, |asked| asked.seconds).min(config.interval());
        let interval = wanted.max(least).max(config.shortest());
        // Roles are named as in the request: the other side is the client here.
        let refresher = match asked.as_ref().and_then(SessionExpires::refresher) {
            _ if !knows => Refresher::Uas,
            Some(refresher) => refresher,
            None if config.refresher == Some(Refresher::Uac) => Refresher::Uas,
            None => Refresher::Uac,
        };
        response.set(&SessionExpires::new(interval).with_refresher(refresher));
        if refresher == Refresher::Uac {
            add_options::<Require>(response, [TIMER].into_iter());
        }
        add_options::<Supported>(response, [TIMER].into_iter());
        self.start_timer(context, now, interval, refresher == Refresher::Uas, least);
    }

    /// A request within the call that says nothing of the timer changes nothing of it: it may have been sent before there
    /// was one. The 2xx says how it stands, which may start it anew at the other side: we wait for longer, and do not
    /// refresh later.
    fn keep_timer(&mut self, context: &mut Context, now: Instant, response: &mut Headers) {
        let Phase::Up(session) = &mut self.phase else { return };
        let Some(timer) = &mut session.timer else { return };
        // Roles are named as in the request.
        let refresher = if timer.ours { Refresher::Uas } else { Refresher::Uac };
        response.set(&SessionExpires::new(timer.interval).with_refresher(refresher));
        if !timer.ours {
            add_options::<Require>(response, [TIMER].into_iter());
            timer.end = now + lifetime(timer.interval);
            context.deadlines.set(Timer::Session(self.id), timer.end);
        }
    }

    /// Takes what the 2xx to an INVITE or UPDATE of ours says of the timer (RFC 4028 §7.2): without a word there is none.
    pub(super) fn hear_timer(
        &mut self,
        context: &mut Context,
        now: Instant,
        asked: &Headers,
        answer: &Headers,
    ) {
        let Phase::Up(session) = &mut self.phase else { return };
        // The other side may add it by itself, but not for somebody who did not name the option.
        if session.is_leaving() || !names_option::<Supported>(asked, TIMER) {
            return;
        }
        match answer.get::<SessionExpires>() {
            Some(Ok(agreed)) if agreed.seconds > 0 => {
                // A server that does not say who refreshes leaves it to who is sure to know of it.
                let ours = agreed.refresher() != Some(Refresher::Uas);
                let least = asked.get::<MinSe>().and_then(Result::ok).map_or(0, |least| least.seconds);
                self.start_timer(context, now, agreed.seconds, ours, least);
            }
            _ => {
                session.timer = None;
                context.deadlines.stop(Timer::Session(self.id));
            }
        }
    }

    fn start_timer(&mut self, context: &mut Context, now: Instant, interval: u32, ours: bool, least: u32) {
        let Phase::Up(session) = &mut self.phase else { return };
        let mut timer = SessionTimer::new(now, interval, ours);
        if let Some(before) = session.timer.take() {
            timer.min_se = before.min_se;
            timer.refreshing = before.refreshing;
            timer.update_refused = before.update_refused;
            timer.sdp = before.sdp.filter(|_| ours);
        }
        timer.min_se = timer.min_se.max(least);
        let due = if ours { now + Duration::from_secs(interval.into()) / 2 } else { timer.end };
        session.timer = Some(Box::new(timer));
        context.deadlines.set(Timer::Session(self.id), due);
    }

    /// Our session description is this from now on.
    pub(super) fn keep_local(&mut self, body: &Bytes) {
        if let Phase::Up(session) = &mut self.phase
            && let Some(timer) = &mut session.timer
            && timer.ours
            && !body.is_empty()
        {
            timer.sdp = Some(body.clone());
        }
    }

    /// A refresh is due, or the end.
    pub(crate) fn session_due(&mut self, context: &mut Context, now: Instant) {
        let Phase::Up(session) = &mut self.phase else { return };
        let Some(timer) = &session.timer else { return };
        if self.ended || session.is_leaving() {
            return;
        }
        let end = timer.end;
        if now >= end {
            self.end(context, EndCause::new(EndedBy::Timeout, None, "the session was not refreshed"));
            return self.send_bye(context, now);
        }
        if timer.ours && timer.refreshing.is_none() && !self.refresh(context, now) {
            return self.refresh_later(context, now);
        }
        context.deadlines.set(Timer::Session(self.id), end);
    }

    /// Sends a refresh: an UPDATE as far as the settings allow and the other side takes it, else a re-INVITE with what we
    /// said last. Whether it could be sent.
    fn refresh(&mut self, context: &mut Context, now: Instant) -> bool {
        let Phase::Up(session) = &mut self.phase else { return false };
        if !session.may_offer() {
            return false;
        }
        let by_update = match context.session_config(self.account).timer.method {
            RefreshMethod::Auto => session.peer.update,
            RefreshMethod::Invite => false,
            RefreshMethod::Update => !session.timer.as_ref().is_some_and(|timer| timer.update_refused),
        };
        if by_update {
            let exchange = self.send_update(context, now, None, None);
            self.refreshing(exchange);
            return exchange.is_some();
        }
        let Some(timer) = &session.timer else { return false };
        let Some(sdp) = timer.sdp.clone() else { return false };
        let mut invite = session.dialog.request(Method::INVITE);
        timer.push(&mut invite.request.headers);
        if self.focus {
            focus::announce(&mut invite.request);
        }
        push_abilities(context, &mut invite.request.headers, self.account);
        invite.request.set_body(&ContentType::SDP, sdp);
        let exchange =
            context.start(now, Owner::Reinvite(self.id), self.account, invite, self.protocol, true);
        session.offers.offering = Offering::Sent(exchange);
        self.refreshing(Some(exchange));
        true
    }

    fn refreshing(&mut self, exchange: Option<ExchangeId>) {
        if let Phase::Up(session) = &mut self.phase
            && let Some(timer) = &mut session.timer
        {
            timer.refreshing = exchange;
        }
    }

    /// Whether an exchange is our refresh, which is over now.
    pub(super) fn take_refresh(&mut self, exchange: ExchangeId) -> bool {
        let Phase::Up(session) = &mut self.phase else { return false };
        let Some(timer) = &mut session.timer else { return false };
        timer.refreshing.take_if(|refresh| *refresh == exchange).is_some()
    }

    /// Our refresh was refused, and the session stays for what is left of its time. One who does not take UPDATE gets a
    /// re-INVITE; else it is tried again.
    pub(super) fn refresh_refused(&mut self, context: &mut Context, now: Instant, status: StatusCode) {
        let Phase::Up(session) = &mut self.phase else { return };
        let foreign = matches!(status, StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED);
        if foreign {
            let method = context.session_config(self.account).timer.method;
            let known = core::mem::replace(&mut session.peer.update, false);
            let Some(timer) = &mut session.timer else { return };
            let first = !core::mem::replace(&mut timer.update_refused, true);
            let tried = match method {
                RefreshMethod::Auto => known,
                RefreshMethod::Invite => false,
                RefreshMethod::Update => first,
            };
            if tried && self.refresh(context, now) {
                return;
            }
        }
        self.refresh_later(context, now);
    }

    fn refresh_later(&mut self, context: &mut Context, now: Instant) {
        let Phase::Up(session) = &mut self.phase else { return };
        let Some(timer) = &session.timer else { return };
        let wait = (timer.end.saturating_since(now) / 2).max(LEAST_WAIT);
        context.deadlines.set(Timer::Session(self.id), (now + wait).min(timer.end));
    }

    /// A request of ours within the call was answered 422: it goes again with the interval asked for. Whether it does.
    pub(super) fn raise_interval(
        &mut self,
        context: &mut Context,
        now: Instant,
        exchange: ExchangeId,
        response: &Response,
    ) -> bool {
        if response.status != StatusCode::SESSION_INTERVAL_TOO_SMALL {
            return false;
        }
        let Phase::Up(session) = &mut self.phase else { return false };
        let request = context.exchanges.get(&exchange).map(|exchange| &exchange.request);
        let Some(least) = request.and_then(|request| longer(request, response)) else { return false };
        if let Some(timer) = &mut session.timer {
            (timer.interval, timer.min_se) = (least, least);
        }
        let seq = session.dialog.next_seq();
        context.retry(now, exchange, seq, |request| raise_interval(&mut request.headers, least))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_margin_is_a_third_of_a_short_interval_and_32_s_of_a_long_one() {
        assert_eq!(lifetime(90), Duration::from_secs(60));
        assert_eq!(lifetime(96), Duration::from_secs(64));
        assert_eq!(lifetime(1800), Duration::from_secs(1768));
        assert_eq!(lifetime(1), Duration::from_secs(1) - Duration::from_secs(1) / 3);
    }
}
