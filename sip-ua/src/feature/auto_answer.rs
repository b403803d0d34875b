//! Calls that answer themselves: intercom, Call-Info and Alert-Info answer-after, Answer-Mode (RFC 5373), barge.

use super::{Rejection, info};
use alloc::format;
use alloc::string::String;
use sidetone_sip_core::header::{AlertInfo, AnswerMode, CallInfo, Info, PrivAnswerMode};
use sidetone_sip_core::{HeaderName, Headers, StatusCode, Uri};

/// The longest ringing before an automatic answer that a caller may ask for: longer than a call rings anywhere, and far from
/// where sums of seconds overflow.
pub const MAX_ANSWER_AFTER: u32 = 600;

/// That the caller wants the call to answer itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AnswerRequest {
    /// After so many seconds of ringing.
    pub after: u32,
    /// Whether the call is to be refused when it cannot be so (`require`, RFC 5373).
    pub required: bool,
    /// Whether it comes in Priv-Answer-Mode: from somebody who claims the right to be heard at once (RFC 5373).
    pub privileged: bool,
}

impl AnswerRequest {
    const fn after(after: u32) -> Self {
        let after = if after < MAX_ANSWER_AFTER { after } else { MAX_ANSWER_AFTER };
        Self { after, required: false, privileged: false }
    }
}

/// Whether an INVITE asks to be answered automatically, in any of the deployed forms: `answer-after=N` in Call-Info or Alert-Info;
/// `info=alert-autoanswer` (with `delay=N`), `Auto Answer`, `Ring Answer`, `ring-answer`, `Intercom`, `Direct-Intercom`, as a keyword
/// or as `info`; Answer-Mode and Priv-Answer-Mode; `P-Auto-Answer: normal`; `intercom=true` in the Request-URI.
#[must_use]
pub fn requested(headers: &Headers, request_uri: Option<&Uri>) -> Option<AnswerRequest> {
    if let Some(Ok(mode)) = headers.get::<PrivAnswerMode>()
        && mode.is_auto()
    {
        return Some(AnswerRequest { after: 0, required: mode.is_required(), privileged: true });
    }
    if let Some(Ok(mode)) = headers.get::<AnswerMode>()
        && mode.is_auto()
    {
        return Some(AnswerRequest { after: 0, required: mode.is_required(), privileged: false });
    }
    let by_uri = || {
        let value = request_uri?.param("intercom")?;
        value.is_none_or(|value| value.eq_ignore_ascii_case("true")).then_some(AnswerRequest::after(0))
    };
    asked_by_info(headers).or_else(|| by_p_auto_answer(headers)).or_else(by_uri)
}

/// The same by Call-Info and Alert-Info alone. A number of seconds counts before a keyword without one.
pub(super) fn asked_by_info(headers: &Headers) -> Option<AnswerRequest> {
    let seconds = |info: &Info| info.params.get("answer-after")?.trim().parse().ok();
    let call = || info::values::<CallInfo>(headers);
    let alert = || info::values::<AlertInfo>(headers);
    call()
        .find_map(|info| seconds(&info))
        .or_else(|| alert().find_map(|info| seconds(&info)))
        .or_else(|| call().find_map(|info| by_word(&info)))
        .or_else(|| alert().find_map(|info| by_word(&info)))
        .map(AnswerRequest::after)
}

fn by_word(info: &Info) -> Option<u32> {
    const WORDS: [&str; 4] = ["autoanswer", "ringanswer", "intercom", "directintercom"];
    let named = info.info();
    let asks = [named.as_deref(), info.keyword()].into_iter().flatten().any(|word| {
        let letters =
            word.bytes().filter(u8::is_ascii_alphabetic).map(|byte| char::from(byte.to_ascii_lowercase()));
        let letters: String = letters.take(32).collect();
        WORDS.contains(&letters.strip_prefix("alert").unwrap_or(&letters))
    });
    let delay = || info.params.get("delay").and_then(|delay| delay.trim().parse().ok()).unwrap_or_default();
    asks.then(delay)
}

/// `P-Auto-Answer: normal` or `forced`, of push-to-talk servers.
fn by_p_auto_answer(headers: &Headers) -> Option<AnswerRequest> {
    let value = headers.raw(&HeaderName::from_static("P-Auto-Answer"))?;
    let value = core::str::from_utf8(value).ok()?.split(';').next()?.trim();
    let privileged = value.eq_ignore_ascii_case("forced");
    let asked = privileged || ["normal", "auto", "true"].iter().any(|word| value.eq_ignore_ascii_case(word));
    asked.then_some(AnswerRequest { after: 0, required: false, privileged })
}

/// Whether a caller forbids that the call answers itself: `Answer-Mode: Manual` (RFC 5373).
fn forbidden(headers: &Headers) -> bool {
    let manual = |mode: &AnswerMode| mode.mode.eq_ignore_ascii_case("Manual");
    matches!(headers.get::<AnswerMode>(), Some(Ok(mode)) if manual(&mode))
}

/// The telephone's own automatic answer, for an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AutoAnswerConfig {
    /// Whether every call is answered (Yealink `account.X.auto_answer`, Dinstar "Auto Answer", SayHi "Auto answer"). Default: no.
    pub enabled: bool,
    /// After so many seconds (Yealink `features.auto_answer_delay`, 1 to 4, default 1; Dinstar "Auto Answer Delay", 0 to 5, 0;
    /// Panasonic `AUTO_ANS_RING_TIM`, 0 to 15, 5). Default 1.
    pub delay: u32,
    /// Whether our microphone is off then (Yealink `account.X.auto_answer_mute_enable`). Default: yes.
    pub mute: bool,
    /// Whether a call is answered so only while there is no other (DIN-049). Default: yes. Yealink answers several (YLA-048).
    pub idle_only: bool,
}

impl Default for AutoAnswerConfig {
    fn default() -> Self {
        Self { enabled: false, delay: 1, mute: true, idle_only: true }
    }
}

impl AutoAnswerConfig {
    /// The same, on or off.
    #[must_use]
    pub const fn enabled(mut self, enabled: bool) -> Self {
        self.enabled = enabled;
        self
    }
}

/// Calls that ask to be answered: intercom (Yealink `features.intercom.*`; Dinstar, whose mute is off as well).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct IntercomConfig {
    /// Whether they are answered; else they are refused (`features.intercom.allow`, Dinstar "Active"). Default: yes.
    pub allow: bool,
    /// Whether our microphone is off then (`features.intercom.mute`). Default: no.
    pub mute: bool,
    /// Whether a tone warns of it (`features.intercom.tone`). Default: yes.
    pub tone: bool,
    /// Whether it is answered during another call, which is held then; else it waits as any other (`features.intercom.barge`).
    /// Default: no.
    pub barge: bool,
    /// How it is refused when it is not allowed. Default 486, the "busy signal" of YLA-132.
    pub refusal: StatusCode,
    /// Whether it only rings when it is not allowed, instead of being refused. Default: no.
    pub ring_instead: bool,
    /// Whether Priv-Answer-Mode barges whatever is set (RFC 5373). Only for callers whom a server has checked. Default: no.
    pub trust_privileged: bool,
}

impl Default for IntercomConfig {
    fn default() -> Self {
        Self {
            allow: true,
            mute: false,
            tone: true,
            barge: false,
            refusal: StatusCode::BUSY_HERE,
            ring_instead: false,
            trust_privileged: false,
        }
    }
}

/// What becomes of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AutoAnswer {
    /// It rings, or waits beside the call that is there.
    Ring,
    /// It answers itself.
    Answer(AnswerPlan),
    /// It is refused.
    Reject(Rejection),
}

/// How a call answers itself. It is always on the loudspeaker (DIN-049, DIN-094).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AnswerPlan {
    /// After so many seconds of ringing; 0 for no ring at all.
    pub after: u32,
    /// The microphone is off until the user switches it on.
    pub muted: bool,
    /// A tone warns of it, before the answer.
    pub tone: bool,
    /// The call that is there is held first.
    pub hold_current: bool,
}

/// Whether a call answers itself. `calls`: how many others are up or ring.
#[must_use]
pub fn decide(
    auto: &AutoAnswerConfig,
    intercom: &IntercomConfig,
    headers: &Headers,
    request_uri: Option<&Uri>,
    calls: usize,
) -> AutoAnswer {
    if forbidden(headers) {
        let required = matches!(headers.get::<AnswerMode>(), Some(Ok(mode)) if mode.is_required());
        // Only a telephone that answers everything has no other way than to refuse.
        return if required && auto.enabled {
            AutoAnswer::Reject(Rejection::new(StatusCode::FORBIDDEN).with_reason("Manual Answer Forbidden"))
        } else {
            AutoAnswer::Ring
        };
    }
    if let Some(asked) = requested(headers, request_uri) {
        return by_request(intercom, asked, calls);
    }
    if auto.enabled && (calls == 0 || !auto.idle_only) {
        let after = auto.delay.min(MAX_ANSWER_AFTER);
        return AutoAnswer::Answer(AnswerPlan {
            after,
            muted: auto.mute,
            tone: false,
            hold_current: calls > 0,
        });
    }
    AutoAnswer::Ring
}

fn by_request(intercom: &IntercomConfig, asked: AnswerRequest, calls: usize) -> AutoAnswer {
    let privileged = asked.privileged && intercom.trust_privileged;
    let free = calls == 0 || intercom.barge || privileged;
    if (intercom.allow || privileged) && free {
        let (muted, tone) = (intercom.mute, intercom.tone);
        return AutoAnswer::Answer(AnswerPlan { after: asked.after, muted, tone, hold_current: calls > 0 });
    }
    if asked.required {
        let rejection = Rejection::new(StatusCode::FORBIDDEN).with_reason("Automatic Answer Forbidden");
        return AutoAnswer::Reject(rejection);
    }
    if intercom.allow || intercom.ring_instead {
        return AutoAnswer::Ring;
    }
    AutoAnswer::Reject(Rejection::new(intercom.refusal))
}

/// What the 200 says of how the call was answered, when the INVITE had Answer-Mode (RFC 5373).
#[must_use]
pub fn answered_headers(invite: &Headers, automatically: bool) -> Headers {
    let mut headers = Headers::new();
    let mode = if automatically { "Auto" } else { "Manual" };
    if invite.contains(&HeaderName::ANSWER_MODE) {
        headers.push(&AnswerMode::new(mode));
    }
    if invite.contains(&HeaderName::PRIV_ANSWER_MODE) {
        headers.push(&PrivAnswerMode::new(mode));
    }
    headers
}

/// How we ask others to answer an intercom call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum IntercomForm {
    /// `Call-Info: <sip:host>;answer-after=0`, which nearly all telephones know. The default.
    #[default]
    CallInfo,
    /// `Alert-Info: <http://host>;info=alert-autoanswer;delay=0`.
    AlertInfo,
    /// A keyword in Alert-Info, as `Ring Answer` (Polycom), `Intercom` (Panasonic) or `Auto Answer`.
    Keyword(String),
    /// `Answer-Mode: Auto` (RFC 5373).
    AnswerMode,
    /// `intercom=true` in the Request-URI (Yealink).
    UriParam,
    /// A code in front of the extension, by which the server knows; no header (DIN-095: `*998` and `100`).
    Code(String),
}

/// What an intercom call is placed with.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct IntercomCall {
    /// Whom to call.
    pub to: Uri,
    /// Headers of the INVITE.
    pub headers: Headers,
}

impl IntercomForm {
    /// The INVITE of an intercom call.
    #[must_use]
    pub fn call(&self, to: &Uri) -> IntercomCall {
        let mut call = IntercomCall { to: to.clone(), headers: Headers::new() };
        match self {
            Self::CallInfo => {
                if let Ok(host) = Uri::sip(None, to.host_str(), None) {
                    call.headers.push(&CallInfo::new(host).with("answer-after", "0"));
                }
            }
            Self::AlertInfo => {
                if let Ok(host) = Uri::parse(format!("http://{}", to.host_str())) {
                    let info = AlertInfo::new(host).with("info", "alert-autoanswer");
                    call.headers.push(&info.with("delay", "0"));
                }
            }
            Self::Keyword(word) => call.headers.push(&AlertInfo(Info::keyword_only(word.as_str()))),
            Self::AnswerMode => call.headers.push(&AnswerMode::new("Auto")),
            Self::UriParam => call.to.set_param("intercom", Some("true")),
            Self::Code(code) => {
                let user = format!("{code}{}", to.user().unwrap_or_default());
                call.to.set_user(Some(&user));
            }
        }
        call
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn headers(name: &'static str, value: &str) -> Headers {
        let mut headers = Headers::new();
        headers.push_raw(HeaderName::from_static(name), value).unwrap();
        headers
    }

    fn after(name: &'static str, value: &str) -> Option<u32> {
        requested(&headers(name, value), None).map(|asked| asked.after)
    }

    #[test]
    fn every_deployed_form_is_understood() {
        for (name, value, seconds) in [
            ("Alert-Info", "Auto Answer", Some(0)),
            ("Alert-Info", "info = alert-autoanswer", Some(0)),
            ("Alert-Info", "answer-after = 0", Some(0)),
            ("Alert-Info", "Answer-After = 0", Some(0)),
            ("Alert-Info", "<sip:pbx>;info=alert-autoanswer;delay=2", Some(2)),
            ("Alert-Info", "<http://example.com>;info=alert-autoanswer", Some(0)),
            ("Alert-Info", "<http://example.com>;info=Auto Answer", Some(0)),
            ("Alert-Info", "info=Auto Answer", Some(0)),
            ("Alert-Info", "Ring Answer", Some(0)),
            ("Alert-Info", "Ring-Answer", Some(0)),
            ("Alert-Info", "ring-answer", Some(0)),
            ("Alert-Info", "Intercom", Some(0)),
            ("Alert-Info", "info=intercom", Some(0)),
            ("Alert-Info", "<http://www.notused.com>;info=alert-intercom", Some(0)),
            ("Alert-Info", "Direct-Intercom", Some(0)),
            ("Alert-Info", "alert-autoanswer", Some(0)),
            ("Alert-Info", "info=family", None),
            ("Alert-Info", "Bellcore-dr1", None),
            ("Alert-Info", "answer-after=soon", None),
            ("Call-Info", "<sip:broadworks.net>;answer-after=0", Some(0)),
            ("Call-Info", "<sip:127.0.0.1>;answer-after=7", Some(7)),
            ("Call-Info", ";answer-after=0", Some(0)),
            ("Call-Info", "answer-after=0", Some(0)),
            ("Call-Info", "<uri>;answer-after=0", Some(0)),
            ("Call-Info", "<sip:127.0.0.1>;info=alert-autoanswer;delay=0", Some(0)),
            ("Call-Info", "<sip:h>;answer-after=99999", Some(MAX_ANSWER_AFTER)),
            ("Call-Info", "<http://h/photo.jpg>;purpose=icon", None),
            ("Answer-Mode", "Auto", Some(0)),
            ("Answer-Mode", "Manual", None),
            ("Priv-Answer-Mode", "Auto;require", Some(0)),
            ("P-Auto-Answer", "normal", Some(0)),
            ("P-Auto-Answer", "no", None),
        ] {
            assert_eq!(after(name, value), seconds, "{name}: {value}");
        }
        let uri: Uri = "sip:alice@example.com;intercom=true".parse().unwrap();
        assert!(requested(&Headers::new(), Some(&uri)).is_some());
        let uri: Uri = "sip:alice@example.com;intercom=false".parse().unwrap();
        assert_eq!(requested(&Headers::new(), Some(&uri)), None);
    }

    #[test]
    fn a_number_of_seconds_counts_before_a_keyword() {
        let mut both = headers("Alert-Info", "Ring Answer");
        both.push_raw(HeaderName::CALL_INFO, "<sip:h>;answer-after=4").unwrap();
        assert_eq!(requested(&both, None).unwrap().after, 4);
    }

    #[test]
    fn an_intercom_call_is_answered_as_set() {
        let intercom = headers("Call-Info", "<sip:h>;answer-after=0");
        let usual = IntercomConfig::default();
        let plan = |muted, tone, hold_current| {
            AutoAnswer::Answer(AnswerPlan { after: 0, muted, tone, hold_current })
        };
        let reject = AutoAnswer::Reject(Rejection::new(StatusCode::BUSY_HERE));
        let off = IntercomConfig { allow: false, barge: true, mute: true, ..usual.clone() };
        for (config, calls, decision) in [
            (usual.clone(), 0, plan(false, true, false)),
            (usual.clone(), 1, AutoAnswer::Ring),
            (IntercomConfig { mute: true, tone: false, ..usual.clone() }, 0, plan(true, false, false)),
            (IntercomConfig { barge: true, ..usual.clone() }, 1, plan(false, true, true)),
            (off.clone(), 0, reject.clone()),
            (off.clone(), 1, reject),
            (IntercomConfig { ring_instead: true, ..off }, 0, AutoAnswer::Ring),
        ] {
            let auto = AutoAnswerConfig::default();
            assert_eq!(decide(&auto, &config, &intercom, None, calls), decision, "{config:?} {calls}");
        }
    }

    #[test]
    fn an_account_answers_every_call_when_set() {
        let (intercom, none) = (IntercomConfig::default(), Headers::new());
        let auto = AutoAnswerConfig::default().enabled(true);
        let answer = |auto: &AutoAnswerConfig, calls| decide(auto, &intercom, &none, None, calls);
        let plan = AnswerPlan { after: 1, muted: true, tone: false, hold_current: false };
        assert_eq!(answer(&auto, 0), AutoAnswer::Answer(plan));
        assert_eq!(answer(&auto, 1), AutoAnswer::Ring);
        let several = AutoAnswerConfig { idle_only: false, ..auto };
        assert_eq!(answer(&several, 1), AutoAnswer::Answer(AnswerPlan { hold_current: true, ..plan }));
        assert_eq!(answer(&AutoAnswerConfig::default(), 0), AutoAnswer::Ring);
    }

    #[test]
    fn answer_mode_is_obeyed_or_refused_with_403() {
        let phrase = |decision: AutoAnswer| match decision {
            AutoAnswer::Reject(rejection) => (rejection.status.code(), String::from(rejection.phrase())),
            other => panic!("{other:?}"),
        };
        let usual = IntercomConfig::default();
        let off = IntercomConfig { allow: false, ..usual.clone() };
        let on = AutoAnswerConfig::default().enabled(true);
        let required = headers("Answer-Mode", "Auto;require");
        let refused = decide(&AutoAnswerConfig::default(), &off, &required, None, 0);
        assert_eq!(phrase(refused), (403, "Automatic Answer Forbidden".into()));
        let refused = decide(&on, &usual, &headers("Answer-Mode", "Manual;require"), None, 0);
        assert_eq!(phrase(refused), (403, "Manual Answer Forbidden".into()));
        assert_eq!(decide(&on, &usual, &headers("Answer-Mode", "Manual"), None, 0), AutoAnswer::Ring);
        let privileged = headers("Priv-Answer-Mode", "Auto");
        assert_eq!(decide(&on, &usual, &privileged, None, 1), AutoAnswer::Ring);
        let trusting = IntercomConfig { trust_privileged: true, ..usual };
        assert!(
            matches!(decide(&on, &trusting, &privileged, None, 1), AutoAnswer::Answer(plan) if plan.hold_current)
        );
        let said = answered_headers(&required, false);
        assert_eq!(said.require::<AnswerMode>().unwrap().mode, "Manual");
        assert!(answered_headers(&Headers::new(), true).is_empty());
    }

    #[test]
    fn every_form_of_ours_is_understood_by_ourselves() {
        let to: Uri = "sip:100@pbx.example.com".parse().unwrap();
        for (form, line) in [
            (IntercomForm::CallInfo, "<sip:pbx.example.com>;answer-after=0"),
            (IntercomForm::AlertInfo, "<http://pbx.example.com>;info=alert-autoanswer;delay=0"),
            (IntercomForm::Keyword("Ring Answer".into()), "Ring Answer"),
            (IntercomForm::AnswerMode, "Auto"),
        ] {
            let call = form.call(&to);
            let lines: Vec<_> = call.headers.iter().map(|(_, value)| value.to_vec()).collect();
            assert_eq!(lines, [line.as_bytes()]);
            assert!(requested(&call.headers, Some(&call.to)).is_some(), "{form:?}");
        }
        let call = IntercomForm::UriParam.call(&to);
        assert!(requested(&call.headers, Some(&call.to)).is_some());
        assert_eq!(IntercomForm::Code("*998".into()).call(&to).to.as_str(), "sip:*998100@pbx.example.com");
    }
}
