//! Plug and play: telephones out of the box ask the group 224.0.1.75 where their settings are, and are told (RFC 6080).

use crate::event::PbxEvent;
use core::net::{Ipv4Addr, SocketAddr};
use sidetone_sip_core::Request;
use sidetone_sip_core::header::{Event, From};
use sidetone_sip_ua::package::device::{
    PNP_ADDRESS, PNP_PORT, PROFILE_EVENT, Profile, ProfileRequest, mac_of,
};
use sidetone_sip_ua::{
    AgentConfig, Error, IncomingSubscription, MulticastOptions, UserAgent, UserAgentEvent, WatcherEvent,
    WatcherState,
};
use std::sync::Arc;
use tokio::sync::{Semaphore, broadcast, watch};
use tokio::time::Duration;

/// Telephones that are told at a time. Each takes a second; those beyond ask again by themselves.
const MAX_ASKING: usize = 256;
/// How long a telephone that this server has nothing for is left without an answer: longer than it asks. A refusal would keep
/// it from hearing another server of the group.
const SILENCE: Duration = Duration::from_secs(40);

/// What telephones are told that ask for their settings.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PlugAndPlay {
    /// Where the settings are. `{mac}`, `{vendor}`, `{model}` and `{version}` stand for the telephone's own; the hardware address
    /// has twelve lower-case digits.
    pub url: String,
    /// The interface whose telephones are told, by its address; without one the system's routes choose.
    pub interface: Option<Ipv4Addr>,
    /// The group that telephones ask; 224.0.1.75:5060.
    pub group: SocketAddr,
}

impl PlugAndPlay {
    /// Tells every telephone this.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        let group = SocketAddr::new(PNP_ADDRESS.into(), PNP_PORT);
        Self { url: url.into(), interface: None, group }
    }

    /// The same at one interface.
    #[must_use]
    pub const fn with_interface(mut self, interface: Ipv4Addr) -> Self {
        self.interface = Some(interface);
        self
    }

    /// The same for those that ask another group.
    #[must_use]
    pub const fn with_group(mut self, group: SocketAddr) -> Self {
        self.group = group;
        self
    }

    pub(crate) async fn agent(&self, seed: [u8; 32]) -> Result<UserAgent, Error> {
        let mut config = AgentConfig::new(seed);
        config.user_agent = concat!("sidetone-pbx/", env!("CARGO_PKG_VERSION")).into();
        config.packages = vec![PROFILE_EVENT.into()];
        config.max_subscriptions = MAX_ASKING;
        let mut options = MulticastOptions::default();
        options.interface_v4 = self.interface;
        let ip = self.interface.unwrap_or(Ipv4Addr::UNSPECIFIED);
        let builder = UserAgent::builder().config(config).bind_udp(SocketAddr::new(ip.into(), 0));
        builder.multicast(self.group, options).build().await
    }

    /// Answers until `stop`.
    pub(crate) async fn serve(
        self,
        mut agent: UserAgent,
        events: broadcast::Sender<PbxEvent>,
        mut stop: watch::Receiver<()>,
    ) {
        let places = Arc::new(Semaphore::new(MAX_ASKING));
        loop {
            let event = tokio::select! {
                biased;
                event = agent.next_event() => event,
                _ = stop.changed() => break,
            };
            let asking = match event {
                Some(UserAgentEvent::Subscribe(asking)) => asking,
                Some(_) => continue,
                None => return,
            };
            let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
            let told = self.answer(asking.request());
            if let Some((event, _)) = &told {
                // Nobody has to listen.
                events.send(event.clone()).ok();
            }
            tokio::spawn(async move {
                match told {
                    Some((_, profile)) => tell(asking, &profile).await,
                    None => {
                        tokio::time::sleep(SILENCE).await;
                        drop(asking);
                    }
                }
                drop(place);
            });
        }
        agent.shutdown().await;
    }

    /// What a telephone is told; none when it does not say which it is.
    fn answer(&self, request: &Request) -> Option<(PbxEvent, Profile)> {
        let event = request.headers.get::<Event>()?.ok()?;
        let phone = ProfileRequest::of(&event)?;
        let from = request.headers.get::<From>().and_then(Result::ok);
        let mac = mac_of(&request.uri).or_else(|| mac_of(&from?.0.uri))?;
        let mac: String = mac.iter().map(|octet| format!("{octet:02x}")).collect();
        let url = expand(&self.url, &mac, &phone);
        let profile = Profile::new(&url);
        let event = PbxEvent::Provisioned { mac, vendor: phone.vendor, model: phone.model, url };
        Some((event, profile))
    }
}

async fn tell(asking: IncomingSubscription, profile: &Profile) {
    let (kind, body) = profile.write();
    match asking.accept(WatcherState::Active, Some((kind.clone(), body.clone().into()))).await {
        Ok(mut watcher) => {
            // Whoever asks for longer than once is told anew each time it comes back.
            while let Some(event) = watcher.next_event().await {
                if let WatcherEvent::Refreshed(..) = event
                    && let Err(error) = watcher.notify(kind.clone(), body.clone()).await
                {
                    tracing::debug!(%error, "plug and play");
                }
            }
        }
        Err(error) => tracing::debug!(%error, "plug and play"),
    }
}

/// What a telephone says of itself is no more than a word in a URL.
fn expand(template: &str, mac: &str, phone: &ProfileRequest) -> String {
    let word = |text: &str| -> String {
        let kept = text.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
        kept.take(64).collect()
    };
    template
        .replace("{mac}", mac)
        .replace("{vendor}", &word(&phone.vendor))
        .replace("{model}", &word(&phone.model))
        .replace("{version}", &word(&phone.version))
}

#[cfg(test)]
mod tests {
    use super::*;
    use sidetone_sip_core::{Limits, Message};

    /// The request is a Grandstream GRP2612W's, as the GS-Plug-n-Play Responder of B. Walker has it.
    const GRANDSTREAM: &str = "SUBSCRIBE sip:MAC%3AC074AD112233@224.0.1.75 SIP/2.0\r\n\
        Via: SIP/2.0/UDP 192.168.1.2:5080;branch=z9hG4bK1611133778;rport\r\n\
        From: <sip:MAC%3AC074AD112233@224.0.1.75>;tag=395400190\r\n\
        To: <sip:MAC%3AC074AD112233@224.0.1.75>\r\n\
        Call-ID: 490431573-5080-1@BJC.BGI.IG.DA\r\nCSeq: 20000 SUBSCRIBE\r\n\
        Contact: <sip:192.168.1.2:5080>\r\nMax-Forwards: 70\r\n\
        User-Agent: Grandstream GRP2612W 1.0.5.67\r\nExpires: 0\r\nSupported: replaces, path\r\n\
        Event: ua-profile;profile-type=\"device\";vendor=\"Grandstream\";model=\"GRP2612W\";version=\"1.0.5.67\"\r\n\
        Accept: application/url\r\nContent-Length: 0\r\n\r\n";

    fn request(text: &str) -> Request {
        match Message::parse(text.as_bytes().to_vec().into(), &Limits::default()).unwrap() {
            Message::Request(request) => request,
            Message::Response(_) => panic!("a request"),
        }
    }

    #[test]
    fn a_telephone_is_told_its_own_place() {
        let place = PlugAndPlay::new("http://192.0.2.1/{vendor}/{model}/{mac}.cfg?v={version}");
        let (event, profile) = place.answer(&request(GRANDSTREAM)).unwrap();
        let url = "http://192.0.2.1/Grandstream/GRP2612W/c074ad112233.cfg?v=1.0.5.67";
        assert_eq!(profile, Profile::new(url));
        let PbxEvent::Provisioned { mac, vendor, .. } = event else { panic!("{event:?}") };
        assert_eq!((mac.as_str(), vendor.as_str()), ("c074ad112233", "Grandstream"));
    }

    #[test]
    fn what_a_telephone_says_of_itself_stays_a_word() {
        let odd = GRANDSTREAM.replace("GRP2612W\";", "../../{mac}?x=1#y\";");
        let (_, profile) = PlugAndPlay::new("http://h/{model}/{mac}").answer(&request(&odd)).unwrap();
        assert_eq!(profile.urls, ["http://h/....macx1y/c074ad112233"]);
        assert!(PlugAndPlay::new("http://h/").answer(&request(&GRANDSTREAM.replace("MAC%3A", ""))).is_none());
    }
}
