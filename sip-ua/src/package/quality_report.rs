//! The package `vq-rtcpxr` (RFC 6035): how a call sounded, published at its end.
//!
//! The body itself is `sidetone_media::quality::VqReport`. Here is what a call adds to it: who took part, and which
//! dialog it was. A report is sent once, by PUBLISH to a collector or by NOTIFY to whoever subscribed; it says what
//! was, so nothing is refreshed, and the entity-tag of the answer to the PUBLISH is of no use.

use sidetone_sip_core::header::{ContentType, Event};

/// The name of the package, as Event has it.
pub const EVENT: &str = "vq-rtcpxr";
/// The type of its body.
pub const CONTENT_TYPE: ContentType = ContentType::from_static("application", "vq-rtcpxr");

/// The Event header of the PUBLISH or NOTIFY.
#[must_use]
pub fn event() -> Event {
    Event::new(EVENT)
}

#[cfg(feature = "media")]
pub use call::ReportedCall;

#[cfg(feature = "media")]
mod call {
    use alloc::format;
    use alloc::string::{String, ToString};
    use core::net::SocketAddr;
    use sidetone_media::quality::{DialogId, Endpoint, QualityReport, VqReport, VqTime};
    use sidetone_sip_core::NameAddr;

    /// The call that a report is about.
    #[derive(Clone, Debug, PartialEq)]
    #[non_exhaustive]
    pub struct ReportedCall {
        /// Call-ID.
        pub call_id: String,
        /// Our tag.
        pub local_tag: String,
        /// The other side's tag; `None` when it never answered.
        pub remote_tag: Option<String>,
        /// Who we are in it.
        pub local: NameAddr,
        /// With whom it was.
        pub remote: NameAddr,
        /// We called.
        pub is_outgoing: bool,
        /// Where our media was, and its source.
        pub local_media: Option<(SocketAddr, Option<u32>)>,
        /// Where the other side's was.
        pub remote_media: Option<(SocketAddr, Option<u32>)>,
        /// Our hardware address.
        pub local_mac: Option<[u8; 6]>,
        /// When it began and ended, in seconds since 1970, UTC; `None` without a clock that is set.
        pub times: Option<(u64, u64)>,
    }

    impl ReportedCall {
        /// A call by its dialog and who took part.
        #[must_use]
        pub fn new(
            call_id: &str,
            local_tag: &str,
            local: NameAddr,
            remote: NameAddr,
            is_outgoing: bool,
        ) -> Self {
            Self {
                call_id: call_id.into(),
                local_tag: local_tag.into(),
                remote_tag: None,
                local,
                remote,
                is_outgoing,
                local_media: None,
                remote_media: None,
                local_mac: None,
                times: None,
            }
        }

        /// The same with the other side's tag.
        #[must_use]
        pub fn with_remote_tag(mut self, tag: &str) -> Self {
            self.remote_tag = Some(tag.into());
            self
        }

        /// The report at the end of the call (RFC 6035 §4.6.1). Names and URIs are given, tags and other parameters
        /// are not.
        #[must_use]
        pub fn report(&self, quality: &QualityReport) -> VqReport {
            let name = |address: &NameAddr| {
                let mut plain = address.clone();
                plain.params = Default::default();
                plain.to_string()
            };
            let media = |(address, ssrc): (SocketAddr, Option<u32>)| Endpoint {
                ip: address.ip(),
                port: Some(address.port()),
                ssrc,
            };
            let mut report = VqReport::call_term(self.call_id.as_str(), quality);
            report.local_id = name(&self.local);
            report.remote_id = name(&self.remote);
            report.orig_id = name(if self.is_outgoing { &self.local } else { &self.remote });
            report.local_address = self.local_media.map(media);
            report.remote_address = self.remote_media.map(media);
            report.local_mac = self
                .local_mac
                .map(|[a, b, c, d, e, f]| format!("{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}"));
            if let Some((start, stop)) = self.times {
                (report.local.start, report.local.stop) = (Some(VqTime(start)), Some(VqTime(stop)));
            }
            // From is who called, whichever side that is.
            let ours = Some(self.local_tag.clone());
            let (from_tag, to_tag) = if self.is_outgoing {
                (ours, self.remote_tag.clone())
            } else {
                (self.remote_tag.clone(), ours)
            };
            report.dialog = Some(DialogId { call_id: self.call_id.clone(), to_tag, from_tag });
            report
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;
        use sidetone_codecs::pcmu;
        use sidetone_media::quality::CallQuality;

        fn call(is_outgoing: bool) -> ReportedCall {
            let address = |text: &str| text.parse::<NameAddr>().unwrap();
            let local = address("Alice <sip:alice@example.org>;tag=ours");
            let remote = address("<sip:bill@example.net>");
            let mut call = ReportedCall::new("6dg37f1890463", "ours", local, remote, is_outgoing);
            call.local_media = Some(("192.0.2.100:5000".parse().unwrap(), Some(0x1a3b_5c7d)));
            call.local_mac = Some([0, 0, 0x5e, 0, 0x53, 1]);
            call.times = Some((1_097_432_623, 1_097_432_700));
            call.with_remote_tag("theirs")
        }

        #[test]
        fn a_report_names_the_call_and_its_sides() {
            let quality = QualityReport::new(CallQuality::new(&pcmu::SPEC), None);
            let out = call(true).report(&quality);
            let text = out.to_string();
            for line in [
                "VQSessionReport: CallTerm\r\n",
                "CallID: 6dg37f1890463\r\n",
                "LocalID: \"Alice\" <sip:alice@example.org>\r\n",
                "RemoteID: <sip:bill@example.net>\r\n",
                "OrigID: \"Alice\" <sip:alice@example.org>\r\n",
                "LocalMAC: 00:00:5e:00:53:01\r\n",
                "DialogID: 6dg37f1890463;to-tag=theirs;from-tag=ours\r\n",
            ] {
                assert!(text.contains(line), "{line:?} in\n{text}");
            }
            let again: VqReport = text.parse().unwrap();
            assert_eq!((&again.dialog, &again.local_address), (&out.dialog, &out.local_address));
            let came = call(false).report(&quality).to_string();
            assert!(came.contains("OrigID: <sip:bill@example.net>\r\n"), "{came}");
            assert!(came.contains("to-tag=ours;from-tag=theirs"), "{came}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn the_names_are_those_of_the_rfc() {
        assert_eq!(event().to_string(), "vq-rtcpxr");
        assert_eq!(CONTENT_TYPE.to_string(), "application/vq-rtcpxr");
    }
}
