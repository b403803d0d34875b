//! How media is encrypted: what a line of the other side and our policy come to (RFC 4568, RFC 5763, and RFC 8643 for
//! those that are offered in a line of speech in the clear).

use super::description::{Line, Profile};
use super::{Dtls, LocalMedia, Negotiated, SdpError};
use crate::srtp::{Sdes, SrtpKeys, SrtpPolicy};

/// Our policy, and the keys that were said.
#[derive(Clone, Default)]
pub(super) struct Security {
    policy: SrtpPolicy,
    sdes: Option<Sdes>,
    /// An offer that must be encrypted is made with DTLS, whether there is `sdes` or not.
    dtls_first: bool,
}

/// How the media of a line is encrypted.
pub(super) enum Keying {
    /// Not at all.
    None,
    /// With keys from SDP; the value of our `a=crypto` line if this is an answer of ours.
    Sdes(Option<String>, Box<SrtpKeys>),
    /// With keys that DTLS will give.
    Dtls(Dtls),
}

impl Keying {
    pub(super) fn keys(&self) -> Option<SrtpKeys> {
        if let Self::Sdes(_, keys) = self { Some((**keys).clone()) } else { None }
    }

    pub(super) fn dtls(&self) -> Option<Dtls> {
        if let Self::Dtls(dtls) = self { Some(dtls.clone()) } else { None }
    }

    /// The value of `a=setup` in our answer.
    pub(super) const fn setup(&self) -> Option<&'static str> {
        match self {
            Self::Dtls(Dtls { active: true, .. }) => Some("active"),
            Self::Dtls(_) => Some("passive"),
            Self::None | Self::Sdes(..) => None,
        }
    }

    pub(super) fn into_line(self) -> Option<String> {
        if let Self::Sdes(line, _) = self { line } else { None }
    }
}

impl Security {
    pub(super) const fn new(policy: SrtpPolicy, sdes: Option<Sdes>) -> Self {
        Self { policy, sdes, dtls_first: false }
    }

    pub(super) const fn set_dtls_first(&mut self, first: bool) {
        self.dtls_first = first;
    }

    /// The profile of our first offer.
    pub(super) fn proto(&self, local: &LocalMedia) -> &'static str {
        match self.policy {
            SrtpPolicy::Compulsory
                if local.fingerprint.is_some() && (self.sdes.is_none() || self.dtls_first) =>
            {
                "UDP/TLS/RTP/SAVP"
            }
            SrtpPolicy::Compulsory => "RTP/SAVP",
            SrtpPolicy::Off | SrtpPolicy::Optional => "RTP/AVP",
        }
    }

    /// The `a=crypto` and `a=setup` of an offer with this profile.
    pub(super) fn offer(
        &mut self,
        proto: &str,
        local: &LocalMedia,
        current: Option<&Negotiated>,
    ) -> (Vec<String>, Option<&'static str>) {
        let profile = Profile::of(proto);
        if profile.is_some_and(|profile| profile.dtls) {
            return (Vec::new(), local.fingerprint.as_ref().map(|_| "actpass"));
        }
        // A session that was agreed on without stays so until the other side offers it.
        let is_secure = profile.is_some_and(|profile| profile.secure);
        let wanted = is_secure || current.is_none_or(|current| current.srtp.is_some());
        let sdes = self.sdes.as_mut().filter(|_| wanted && self.policy != SrtpPolicy::Off);
        let lines = sdes.map(Sdes::offer).unwrap_or_default();
        let dtls = !is_secure
            && self.policy != SrtpPolicy::Off
            && local.fingerprint.is_some()
            && current.is_none_or(|current| current.dtls.is_some());
        (lines, dtls.then_some("actpass"))
    }

    /// Chooses for an offer's line.
    pub(super) fn answer(
        &mut self,
        line: &Line,
        local: &LocalMedia,
        current: Option<&Negotiated>,
    ) -> Result<Keying, SdpError> {
        let profile = self.profile(line, local)?;
        if profile.dtls {
            return dtls(line, local, current).map(Keying::Dtls);
        }
        // RFC 8643 §3.1: of both ways DTLS is better; but what there is goes on.
        let has_sdes = current.is_some_and(|current| current.srtp.is_some());
        if !has_sdes
            && self.is_opportunistic(line, profile, local)
            && let Ok(dtls) = dtls(line, local, current)
        {
            return Ok(Keying::Dtls(dtls));
        }
        let lines = line.crypto.iter().map(String::as_str);
        let usable = !line.crypto.is_empty() && self.policy != SrtpPolicy::Off;
        match self.sdes.as_mut().filter(|_| usable) {
            Some(sdes) => match sdes.answer(lines) {
                Ok((line, keys)) => Ok(Keying::Sdes(Some(line), Box::new(keys))),
                Err(error) => self.without(line, profile, local, error.to_string()),
            },
            None => self.without(line, profile, local, "there is no a=crypto line".into()),
        }
    }

    /// Takes an answer's line.
    pub(super) fn accept(
        &mut self,
        line: &Line,
        local: &LocalMedia,
        current: Option<&Negotiated>,
    ) -> Result<Keying, SdpError> {
        let profile = self.profile(line, local)?;
        if profile.dtls || self.is_opportunistic(line, profile, local) {
            return dtls(line, local, current).map(Keying::Dtls);
        }
        let usable = !line.crypto.is_empty() && self.policy != SrtpPolicy::Off;
        match self.sdes.as_mut().filter(|_| usable) {
            // A key that does not fit is no call in the clear: the other side would encrypt.
            Some(sdes) => match sdes.accept(line.crypto.iter().map(String::as_str)) {
                Ok(keys) => Ok(Keying::Sdes(None, Box::new(keys))),
                Err(error) => Err(SdpError::Security(error.to_string())),
            },
            None => self.without(line, profile, local, "the answer has no a=crypto line".into()),
        }
    }

    pub(super) fn rollback(&mut self) {
        if let Some(sdes) = &mut self.sdes {
            sdes.rollback();
        }
    }

    pub(super) fn rekey(&mut self) {
        if let Some(sdes) = &mut self.sdes {
            sdes.rekey();
        }
    }

    /// A profile that we speak.
    fn profile(&self, line: &Line, local: &LocalMedia) -> Result<Profile, SdpError> {
        let spoken = |profile: &Profile| match (profile.secure, profile.dtls) {
            (false, _) => true,
            (true, false) => self.policy != SrtpPolicy::Off && self.sdes.is_some(),
            (true, true) => self.policy != SrtpPolicy::Off && local.fingerprint.is_some(),
        };
        line.profile.filter(spoken).ok_or_else(|| self.transport(line, local))
    }

    /// Whether a line of speech in the clear has what DTLS needs, and so wants encryption (RFC 8643 §3).
    fn is_opportunistic(&self, line: &Line, profile: Profile, local: &LocalMedia) -> bool {
        let ours = self.policy != SrtpPolicy::Off && local.fingerprint.is_some();
        ours && !profile.secure && !line.fingerprints.is_empty() && line.setup.is_some()
    }

    fn transport(&self, line: &Line, local: &LocalMedia) -> SdpError {
        let clear = self.policy != SrtpPolicy::Compulsory;
        let secure = self.policy != SrtpPolicy::Off;
        let (sdes, dtls) = (secure && self.sdes.is_some(), secure && local.fingerprint.is_some());
        let expected = match (clear, sdes, dtls) {
            (true, true, true) => {
                "RTP/AVP, RTP/AVPF, RTP/SAVP, RTP/SAVPF, UDP/TLS/RTP/SAVP or UDP/TLS/RTP/SAVPF"
            }
            (true, true, false) => "RTP/AVP, RTP/AVPF, RTP/SAVP or RTP/SAVPF",
            (true, false, true) => "RTP/AVP, RTP/AVPF, UDP/TLS/RTP/SAVP or UDP/TLS/RTP/SAVPF",
            (true, false, false) => "RTP/AVP or RTP/AVPF",
            (false, true, true) => "RTP/SAVP, RTP/SAVPF, UDP/TLS/RTP/SAVP or UDP/TLS/RTP/SAVPF",
            (false, false, true) => "UDP/TLS/RTP/SAVP or UDP/TLS/RTP/SAVPF",
            (false, _, false) => "RTP/SAVP or RTP/SAVPF",
        };
        SdpError::Transport { got: line.proto.clone(), expected }
    }

    /// There are no keys: whether that will do.
    fn without(
        &self,
        line: &Line,
        profile: Profile,
        local: &LocalMedia,
        why: String,
    ) -> Result<Keying, SdpError> {
        match (profile.secure, self.policy) {
            (true, _) => Err(SdpError::Security(why)),
            (false, SrtpPolicy::Compulsory) => Err(self.transport(line, local)),
            (false, _) => Ok(Keying::None),
        }
    }
}

/// Which side begins (RFC 5763 §5): who was told `active` before stays it (RFC 8842 §5.3), and whoever may choose is.
fn dtls(line: &Line, local: &LocalMedia, current: Option<&Negotiated>) -> Result<Dtls, SdpError> {
    if line.fingerprints.is_empty() {
        return Err(SdpError::Security("there is no a=fingerprint line".into()));
    }
    // On a port of its own RTCP would need a handshake of its own (RFC 5764 §4.2).
    if !(line.rtcp_mux && local.rtcp_mux) {
        return Err(SdpError::Security("keys by DTLS need a=rtcp-mux".into()));
    }
    let before = current.and_then(|current| current.dtls.as_ref()).map(|dtls| dtls.active);
    let setup = line.setup.as_deref().unwrap_or("actpass");
    let active = match setup.to_ascii_lowercase().as_str() {
        "actpass" => before.unwrap_or(true),
        "passive" => true,
        "active" => false,
        other => return Err(SdpError::Security(format!("a=setup:{other}"))),
    };
    Ok(Dtls { active, fingerprints: line.fingerprints.clone() })
}
