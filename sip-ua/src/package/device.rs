//! The packages `ua-profile` (RFC 6080) and `check-sync`: where a phone's settings are, and that they changed.
//!
//! A phone out of the box sends a SUBSCRIBE for `ua-profile` to a multicast address, and whoever knows it answers
//! with a NOTIFY that has a URL ("plug and play"). Later, a NOTIFY of `check-sync` and its like makes it fetch again
//! or restart.
//!
//! ```
//! use sidetone_sip_core::Headers;
//! use sidetone_sip_ua::package::device::{DeviceEvent, ProfileRequest, pnp_uri};
//! let request = ProfileRequest::new("sidetone", "reference", "0.1");
//! assert_eq!(
//!     request.event().to_string(),
//!     "ua-profile;profile-type=device;vendor=\"sidetone\";model=\"reference\";version=\"0.1\""
//! );
//! let mac = [0x00, 0x15, 0x65, 0x11, 0x3a, 0x42];
//! assert_eq!(pnp_uri(mac, None).unwrap().as_str(), "sip:MAC%3A001565113a42@224.0.1.75");
//! let mut headers = Headers::new();
//! headers.push_raw(sidetone_sip_core::HeaderName::EVENT, "check-sync;reboot=true").unwrap();
//! let event = DeviceEvent::read(&headers, &[][..].into(), None).unwrap();
//! assert_eq!(event, Some(DeviceEvent::Resync { reboot: Some(true) }));
//! ```

use super::PackageError;
use super::xml::loose_text;
use alloc::borrow::Cow;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use bytes::Bytes;
use core::fmt::Write as _;
use core::net::Ipv4Addr;
use sidetone_sip_core::header::{ContentType, Event};
use sidetone_sip_core::{Headers, Limits, Part, Uri};

/// The name of the package for settings, as Event has it.
pub const PROFILE_EVENT: &str = "ua-profile";
/// The name by which most servers tell a phone that its settings changed, as Event has it.
pub const CHECK_SYNC_EVENT: &str = "check-sync";
/// Where a phone out of the box asks: `sip.mcast.net`.
pub const PNP_ADDRESS: Ipv4Addr = Ipv4Addr::new(224, 0, 1, 75);
/// The port there.
pub const PNP_PORT: u16 = 5060;
/// The type of a body that is a URL, as a phone's Accept names it.
pub const URL_TYPE: ContentType = ContentType::from_static("application", "url");
/// URLs of a notification at most; further ones are left out.
pub const MAX_URLS: usize = 8;
/// Octets of a URL at most; the Panasonic KX-UT670 takes 500.
pub const MAX_URL: usize = 1024;

const TEXT_TYPES: [ContentType; 3] =
    [URL_TYPE, ContentType::TEXT, ContentType::from_static("text", "uri-list")];
const EXTERNAL: ContentType = ContentType::from_static("message", "external-body");

/// Whose settings are meant (RFC 6080 §5.2, `profile-type`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProfileType {
    /// The telephone's.
    #[default]
    Device,
    /// A user's.
    User,
    /// The network's that the telephone is in.
    LocalNetwork,
    /// Another, as the `application` of older drafts.
    Other(String),
}

/// What a SUBSCRIBE for settings says of the telephone, in its Event header.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProfileRequest {
    /// Whose settings are meant.
    pub kind: ProfileType,
    /// Who made it.
    pub vendor: String,
    /// Which it is.
    pub model: String,
    /// Of its firmware.
    pub version: String,
}

impl ProfileRequest {
    /// The settings of a telephone.
    #[must_use]
    pub fn new(vendor: &str, model: &str, version: &str) -> Self {
        let kind = ProfileType::Device;
        Self { kind, vendor: vendor.into(), model: model.into(), version: version.into() }
    }

    /// The same for other settings.
    #[must_use]
    pub fn with_kind(mut self, kind: ProfileType) -> Self {
        self.kind = kind;
        self
    }

    /// The Event header. Vendor, model and version are in quotes, as RFC 6080 §5.2 has them and servers look for
    /// them.
    #[must_use]
    pub fn event(&self) -> Event {
        let kind = match &self.kind {
            ProfileType::Device => "device",
            ProfileType::User => "user",
            ProfileType::LocalNetwork => "local-network",
            ProfileType::Other(name) => name,
        };
        let mut event = Event::new(PROFILE_EVENT);
        event.params.set("profile-type", kind);
        let mut text = event.to_string();
        for (name, value) in [("vendor", &self.vendor), ("model", &self.model), ("version", &self.version)] {
            // Backslashes would be read differently by servers that look with an expression of their own.
            let clean = value.chars().filter(|c| !c.is_control() && !matches!(c, '"' | '\\'));
            let _ = write!(text, ";{name}=\"{}\"", clean.collect::<String>());
        }
        text.parse().unwrap_or(event)
    }

    /// What a SUBSCRIBE for settings says, for a server; `None` when it is for another package.
    #[must_use]
    pub fn of(event: &Event) -> Option<Self> {
        if !event.package.eq_ignore_ascii_case(PROFILE_EVENT) {
            return None;
        }
        let value = |name: &str| event.params.get(name).map(Cow::into_owned).unwrap_or_default();
        let kind = value("profile-type");
        let kind = match kind.to_ascii_lowercase().as_str() {
            "" | "device" => ProfileType::Device,
            "user" => ProfileType::User,
            "local-network" => ProfileType::LocalNetwork,
            _ => ProfileType::Other(kind),
        };
        Some(Self { kind, vendor: value("vendor"), model: value("model"), version: value("version") })
    }
}

/// Whom a phone out of the box asks, and who it says it is: the Request-URI, To and From of its SUBSCRIBE, as Yealink
/// and snom send them. To another host than [`PNP_ADDRESS`] when one is set (DIN-149).
///
/// # Errors
/// The host is none.
pub fn pnp_uri(mac: [u8; 6], host: Option<&str>) -> Result<Uri, PackageError> {
    let mut user = String::from("MAC:");
    mac.iter().for_each(|octet| {
        let _ = write!(user, "{octet:02x}");
    });
    let multicast = PNP_ADDRESS.to_string();
    let host = host.unwrap_or(&multicast);
    Uri::sip(Some(&user), host, None)
        .map_err(|error| PackageError::new(1, 1, format!("the server of plug and play, {host:?}: {error}")))
}

/// The hardware address that a phone out of the box says it has, for a server.
#[must_use]
pub fn mac_of(uri: &Uri) -> Option<[u8; 6]> {
    let user = uri.user()?;
    let (prefix, digits) = user.split_at_checked(4)?;
    if prefix.eq_ignore_ascii_case("MAC:") { parse_mac(digits) } else { None }
}

/// A hardware address: twelve hexadecimal digits, in capitals or not, with colons, hyphens or nothing between them.
#[must_use]
pub fn parse_mac(text: &str) -> Option<[u8; 6]> {
    let digits: Vec<_> = text.chars().filter(|c| !matches!(c, ':' | '-')).map(|c| c.to_digit(16)).collect();
    if digits.len() != 12 {
        return None;
    }
    let mut mac = [0_u8; 6];
    for (octet, pair) in mac.iter_mut().zip(digits.chunks_exact(2)) {
        let [Some(high), Some(low)] = *pair else { return None };
        *octet = u8::try_from(high * 16 + low).ok()?;
    }
    Some(mac)
}

/// What a NOTIFY wants of the telephone as a device.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeviceEvent {
    /// Look whether the settings changed.
    Resync {
        /// Restart for it, or do not; `None` when it is not said, and the phone's own rule is in force.
        reboot: Option<bool>,
    },
    /// Restart.
    Reboot,
    /// Where the settings are, or what they are.
    Profile(Profile),
}

/// What a notification of `ua-profile` brings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Profile {
    /// Where the settings are to be fetched, the first first.
    pub urls: Vec<String>,
    /// The settings themselves, when the body has them.
    pub content: Option<(ContentType, Bytes)>,
    /// Seconds within which they are to be in force (RFC 6080 §5.2, `effective-by`).
    pub effective_by: Option<u32>,
}

impl DeviceEvent {
    /// What a NOTIFY wants of the device, by its headers and body; `None` when it is about something else. A `resync`
    /// name that is set is the only one that makes the phone look for settings; else `check-sync` and `resync` are
    /// known.
    ///
    /// # Errors
    /// The Event header cannot be read, or the body of an `ua-profile` has neither a URL nor settings.
    pub fn read(headers: &Headers, body: &Bytes, resync: Option<&str>) -> Result<Option<Self>, PackageError> {
        let error = |what: String| PackageError::new(1, 1, what);
        let Some(event) = headers.get::<Event>() else { return Ok(None) };
        let event = event.map_err(|wrong| error(format!("Event: {wrong}")))?;
        let is = |name: &str| event.package.eq_ignore_ascii_case(name);
        if is(PROFILE_EVENT) {
            let kind = headers.get::<ContentType>().transpose();
            let kind = kind.map_err(|wrong| error(format!("Content-Type: {wrong}")))?;
            let mut profile = Profile::read(kind.as_ref(), body)?;
            profile.effective_by = event.params.get("effective-by").and_then(|seconds| seconds.parse().ok());
            return Ok(Some(Self::Profile(profile)));
        }
        let wants_resync = match resync {
            Some(name) => is(name),
            None => is(CHECK_SYNC_EVENT) || is("resync"),
        };
        if wants_resync {
            let reboot = event.params.raw("reboot").map(|_| {
                let value = event.params.get("reboot").unwrap_or_default();
                !matches!(value.trim().to_ascii_lowercase().as_str(), "false" | "0" | "no")
            });
            return Ok(Some(Self::Resync { reboot }));
        }
        // The names of Sipura's, later Cisco's, small business phones, which others took up.
        let wants_reboot = ["reboot", "restart", "reboot_now", "restart_now"].into_iter().any(is);
        Ok(wants_reboot.then_some(Self::Reboot))
    }
}

impl Profile {
    /// A place from which to fetch the settings.
    #[must_use]
    pub fn new(url: &str) -> Self {
        Self { urls: [url.into()].into(), ..Self::default() }
    }

    /// The body of a notification, and its type: the URLs, one a line.
    #[must_use]
    pub fn write(&self) -> (ContentType, String) {
        (URL_TYPE, self.urls.join("\r\n"))
    }

    fn read(kind: Option<&ContentType>, body: &Bytes) -> Result<Self, PackageError> {
        let mut profile = Self::default();
        profile.take(kind.unwrap_or(&URL_TYPE), body, true)?;
        if profile.urls.is_empty() && profile.content.is_none() {
            return Err(PackageError::new(1, 1, "expected a URL of tftp, ftp, http or https, found none"));
        }
        Ok(profile)
    }

    /// Takes in a body or a part of one.
    fn take(&mut self, kind: &ContentType, body: &Bytes, is_whole: bool) -> Result<(), PackageError> {
        if TEXT_TYPES.iter().any(|known| known.is(kind)) {
            for (index, line) in loose_text(body).lines().enumerate() {
                let line = line.trim().trim_matches(['<', '>', '"']);
                if !line.is_empty() && !line.starts_with('#') {
                    let number = u32::try_from(index + 1).unwrap_or(u32::MAX);
                    self.keep(line).map_err(|what| PackageError::new(number, 1, what))?;
                }
            }
            return Ok(());
        }
        if EXTERNAL.is(kind) {
            // RFC 4483 §4: the URL may be folded, and its spaces mean nothing.
            let url = kind.params.get("url").unwrap_or_default();
            let url: String = url.chars().filter(|c| !c.is_whitespace()).collect();
            return self.keep(&url).map_err(|what| PackageError::new(1, 1, what));
        }
        let several = Part::new(kind, body.clone())
            .multipart(&Limits::default())
            .map_err(|error| PackageError::new(1, 1, format!("multipart body: {error}")))?;
        match several {
            Some(several) if is_whole => {
                for part in several.parts {
                    let kind = part.kind().unwrap_or(ContentType::TEXT);
                    self.take(&kind, &part.body, false)?;
                }
            }
            Some(_) => {}
            None if !body.is_empty() => {
                self.content.get_or_insert_with(|| (kind.clone(), body.clone()));
            }
            None => {}
        }
        Ok(())
    }

    fn keep(&mut self, url: &str) -> Result<(), String> {
        let scheme = url.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
        let is_known =
            scheme.is_some_and(|scheme| ["tftp", "ftp", "http", "https"].contains(&scheme.as_str()));
        if !is_known || url.len() > MAX_URL || url.contains(|c: char| c.is_control() || c.is_whitespace()) {
            let shown: String = url.chars().take(80).collect();
            return Err(format!(
                "expected a URL of tftp, ftp, http or https in at most {MAX_URL} octets, found {shown:?}"
            ));
        }
        if self.urls.len() < MAX_URLS {
            self.urls.push(url.into());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sidetone_sip_core::HeaderName;

    fn headers(event: &str, kind: Option<&str>) -> Headers {
        let mut headers = Headers::new();
        headers.push_raw(HeaderName::EVENT, event).unwrap();
        kind.into_iter().for_each(|kind| headers.push_raw(HeaderName::CONTENT_TYPE, kind).unwrap());
        headers
    }

    fn event(text: &str, resync: Option<&str>) -> Option<DeviceEvent> {
        DeviceEvent::read(&headers(text, None), &Bytes::new(), resync).unwrap()
    }

    fn profile(kind: &str, body: &'static str) -> Result<Profile, PackageError> {
        let read = DeviceEvent::read(
            &headers("ua-profile", Some(kind)),
            &Bytes::from_static(body.as_bytes()),
            None,
        )?;
        let Some(DeviceEvent::Profile(profile)) = read else { panic!("a profile") };
        Ok(profile)
    }

    /// YLC-314.
    #[test]
    fn a_check_sync_says_whether_to_restart() {
        assert_eq!(event("check-sync;reboot=true", None), Some(DeviceEvent::Resync { reboot: Some(true) }));
        assert_eq!(
            event("check-sync;reboot=\"false\"", None),
            Some(DeviceEvent::Resync { reboot: Some(false) })
        );
        assert_eq!(event("Check-Sync", None), Some(DeviceEvent::Resync { reboot: None }));
        assert_eq!(event("check-sync;reboot", None), Some(DeviceEvent::Resync { reboot: Some(true) }));
        assert_eq!(event("resync", None), Some(DeviceEvent::Resync { reboot: None }));
        assert_eq!(event("reboot", None), Some(DeviceEvent::Reboot));
        assert_eq!(event("talk", None), None);
        assert_eq!(DeviceEvent::read(&Headers::new(), &Bytes::new(), None).unwrap(), None);
        assert!(
            DeviceEvent::read(&headers(";;", None), &Bytes::new(), None).unwrap_err().what.contains("Event")
        );
    }

    /// PAA-059, PAB-283.
    #[test]
    fn a_name_that_is_set_is_the_only_one() {
        assert_eq!(event("my-sync", Some("my-sync")), Some(DeviceEvent::Resync { reboot: None }));
        assert_eq!(event("check-sync", Some("my-sync")), None);
        assert_eq!(event("resync", Some("resync")), Some(DeviceEvent::Resync { reboot: None }));
        assert_eq!(event("check-sync", Some("resync")), None);
    }

    /// DIN-149, YLC-313, YLA-200.
    #[test]
    fn a_phone_out_of_the_box_says_what_it_is() {
        let request = ProfileRequest::new("a \"b\\\r\n", "T28P", "2.60").with_kind(ProfileType::User);
        let text = request.event().to_string();
        assert_eq!(text, "ua-profile;profile-type=user;vendor=\"a b\";model=\"T28P\";version=\"2.60\"");
        // As a Yealink sends it.
        let yealink: Event =
            "ua-profile;profile-type=\"device\";vendor=\"yealink\";model=\"T28P\";version=\"2.60.0.40\""
                .parse()
                .unwrap();
        assert_eq!(ProfileRequest::of(&yealink), Some(ProfileRequest::new("yealink", "T28P", "2.60.0.40")));
        let old: Event = "ua-profile;profile-type=\"application\";model=\"440HD\"".parse().unwrap();
        assert_eq!(ProfileRequest::of(&old).unwrap().kind, ProfileType::Other("application".into()));
        assert_eq!(ProfileRequest::of(&Event::new("dialog")), None);
        let mac = [0, 0x15, 0x65, 0xab, 0xcd, 0xef];
        assert_eq!(mac_of(&pnp_uri(mac, None).unwrap()), Some(mac));
        let other = pnp_uri(mac, Some("pnp.example.com")).unwrap();
        assert_eq!(other.as_str(), "sip:MAC%3A001565abcdef@pnp.example.com");
        assert!(pnp_uri(mac, Some("not a host")).unwrap_err().what.contains("plug and play"));
        for wrong in [
            "sip:1000@a",
            "sip:a",
            "sip:MAC%3A00156@a",
            "sip:MAC%3Axx1565abcdef@a",
            "sip:%C3%BC%C3%BC%C3%BC@a",
        ] {
            assert_eq!(mac_of(&Uri::parse(wrong).unwrap()), None, "{wrong}");
        }
    }

    #[test]
    fn the_place_of_the_settings_is_read_in_every_form() {
        assert_eq!(
            profile("application/url", "http://10.0.0.1/prov/{mac}.cfg").unwrap(),
            Profile::new("http://10.0.0.1/prov/{mac}.cfg")
        );
        let two = profile("text/plain", "\r\n<https://a/x>\r\n# why\r\ntftp://b\0").unwrap();
        assert_eq!(two.urls, ["https://a/x", "tftp://b"]);
        let kind = "message/external-body;access-type=\"URL\";expiration=\"Mon, 24 June 2002 09:00:00 GMT\";\
            URL=\"http://www.example.com/the index.txt\"";
        assert_eq!(
            profile(kind, "Content-Type: text/plain\r\n\r\n").unwrap().urls,
            ["http://www.example.com/theindex.txt"]
        );
        let parts = "--b\r\nContent-Type: application/url\r\n\r\nhttp://a/1\r\n\
            --b\r\nContent-Type: application/x-cfg\r\n\r\nkey = 1\r\n--b--\r\n";
        let mixed = profile("multipart/mixed;boundary=b", parts).unwrap();
        assert_eq!(mixed.urls, ["http://a/1"]);
        assert_eq!(mixed.content.unwrap().1, "key = 1");
        let settings = profile("application/service-user-profile+xml", "<service/>").unwrap();
        assert_eq!(settings.content.unwrap().1, "<service/>");
        let (kind, body) = two_urls().write();
        assert_eq!((kind.to_string().as_str(), body.as_str()), ("application/url", "http://a\r\nhttp://b"));
        let soon = DeviceEvent::read(
            &headers("ua-profile;effective-by=30", None),
            &Bytes::from_static(b"http://a"),
            None,
        );
        assert_eq!(
            soon.unwrap(),
            Some(DeviceEvent::Profile(Profile { effective_by: Some(30), ..Profile::new("http://a") }))
        );
    }

    fn two_urls() -> Profile {
        Profile { urls: ["http://a".into(), "http://b".into()].into(), ..Profile::default() }
    }

    #[test]
    fn other_schemes_and_endless_urls_are_refused() {
        for wrong in
            ["", "file:///etc/passwd", "javascript:alert(1)", "10.0.0.1", "http://a b", "http://a\u{1}"]
        {
            let error = profile("application/url", wrong).unwrap_err();
            assert!(error.what.contains("expected a URL"), "{wrong:?}: {error}");
        }
        assert_eq!(profile("text/plain", "http://a\r\nfile://b").unwrap_err().line, 2);
        let long = format!("http://{}", "a".repeat(MAX_URL));
        assert!(Profile::read(None, &long.into()).is_err());
        let many = "http://a\n".repeat(1000);
        assert_eq!(Profile::read(None, &many.into()).unwrap().urls.len(), MAX_URLS);
        assert!(profile("message/external-body", "x").is_err());
        assert!(profile("multipart/mixed", "x").is_err());
        assert!(profile("application/x-cfg", "").is_err());
    }
}
