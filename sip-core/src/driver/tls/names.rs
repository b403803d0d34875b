//! Which names a certificate has, and whether one of them is the wanted one: RFC 5922 §7, RFC 5280 §4.2.1.6.
//!
//! rustls judges signatures, chains and dates; it knows no SIP. What is read here was read by it before, so a
//! certificate whose structure is wrong never gets here.

use crate::uri::{Scheme, Uri};
use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const OBJECT_IDENTIFIER: u8 = 0x06;
const OCTET_STRING: u8 = 0x04;
const UTF8_STRING: u8 = 0x0c;
const PRINTABLE_STRING: u8 = 0x13;
const TELETEX_STRING: u8 = 0x14;
const IA5_STRING: u8 = 0x16;
/// `[0]`, explicit: the version of a certificate.
const VERSION: u8 = 0xa0;
/// `[3]`, explicit: the extensions.
const EXTENSIONS: u8 = 0xa3;
/// `[2]`, `[6]` and `[7]` of GeneralName.
const DNS_NAME: u8 = 0x82;
const URI: u8 = 0x86;
const IP_ADDRESS: u8 = 0x87;
/// id-at-commonName, 2.5.4.3.
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
/// id-ce-subjectAltName, 2.5.29.17.
const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];

/// The names in a certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Names {
    /// The last, and so the most specific, common name of the subject.
    pub(super) common_name: Option<String>,
    /// The same of the issuer.
    pub(super) issuer: Option<String>,
    pub(super) uris: Vec<String>,
    pub(super) dns: Vec<String>,
    pub(super) addresses: Vec<IpAddr>,
    /// Whether there is a subjectAltName at all.
    alternative: bool,
}

/// What counts as a match beyond RFC 5922.
#[derive(Clone, Copy, Debug)]
pub(super) struct NameRules {
    /// The common name, when there is no subjectAltName (RFC 5922 §7.1 step 2).
    pub(super) common_name: bool,
    /// `*.example.com` for one more label, which RFC 5922 §7.2 forbids.
    pub(super) wildcards: bool,
    /// For secure WebSocket, whose rules are HTTP's (RFC 6455 §4.1, RFC 2818 §3.1): DNS names count although there
    /// are SIP URIs.
    pub(super) web: bool,
}

impl Names {
    /// Reads the names; none when the bytes are no certificate.
    pub(super) fn read(certificate: &[u8]) -> Option<Self> {
        let mut outer = Der(Der(certificate).take(SEQUENCE)?);
        let mut fields = Der(outer.take(SEQUENCE)?);
        fields.take_if(VERSION);
        // Serial number, signature algorithm.
        fields.next()?;
        fields.next()?;
        let mut names = Self { issuer: common_name(fields.take(SEQUENCE)?), ..Self::default() };
        // Validity.
        fields.next()?;
        names.common_name = common_name(fields.take(SEQUENCE)?);
        // The key, and two identifiers that nobody uses.
        while let Some((tag, value)) = fields.next() {
            if tag == EXTENSIONS {
                names.read_extensions(value);
            }
        }
        Some(names)
    }

    fn read_extensions(&mut self, extensions: &[u8]) {
        let Some(list) = Der(extensions).take(SEQUENCE) else { return };
        for extension in Der(list).all(SEQUENCE) {
            let mut extension = Der(extension);
            if extension.take(OBJECT_IDENTIFIER) != Some(SUBJECT_ALT_NAME) {
                continue;
            }
            self.alternative = true;
            // A BOOLEAN may say that the extension is critical.
            let value = core::iter::from_fn(|| extension.next()).find(|(tag, _)| *tag == OCTET_STRING);
            let Some(names) = value.and_then(|(_, value)| Der(value).take(SEQUENCE)) else { continue };
            let mut names = Der(names);
            while let Some((tag, value)) = names.next() {
                self.add(tag, value);
            }
        }
    }

    fn add(&mut self, tag: u8, value: &[u8]) {
        match tag {
            DNS_NAME => self.dns.extend(text(value)),
            URI => self.uris.extend(text(value)),
            IP_ADDRESS => {
                let v4 = <[u8; 4]>::try_from(value).map(|octets| IpAddr::V4(Ipv4Addr::from(octets)));
                let v6 = || <[u8; 16]>::try_from(value).map(|octets| IpAddr::V6(Ipv6Addr::from(octets)));
                self.addresses.extend(v4.or_else(|_| v6()));
            }
            _ => {}
        }
    }

    /// RFC 5922 §7.1: the SIP domains that the certificate speaks for. `sip` URIs without a user part; if there are
    /// none, DNS names; if there is no subjectAltName and `rules` allow it, the common name.
    pub(super) fn sip_domains(&self, common_name: bool) -> Vec<String> {
        let uris: Vec<String> = self.uris.iter().filter_map(|uri| sip_domain(uri)).collect();
        if !uris.is_empty() {
            return uris;
        }
        if self.alternative {
            return self.dns.clone();
        }
        self.common_name.iter().filter(|_| common_name).cloned().collect()
    }

    /// RFC 5922 §7.2: whether the certificate is for the domain.
    pub(super) fn is_for_domain(&self, domain: &str, rules: NameRules) -> bool {
        let names = match self.alternative && rules.web {
            true => &self.dns,
            false => &self.sip_domains(rules.common_name),
        };
        names.iter().any(|name| is_same(name, domain, rules.wildcards))
    }

    /// Whether the certificate is for the address, for targets that have no domain.
    pub(super) fn is_for_address(&self, address: IpAddr, rules: NameRules) -> bool {
        let named = || {
            let name = self.common_name.as_deref().filter(|_| rules.common_name && !self.alternative);
            name.and_then(|name| name.parse().ok()) == Some(address)
        };
        self.addresses.contains(&address) || named()
    }
}

/// For the log: what the certificate has.
impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let none = "none";
        write!(f, "common name {:?}", self.common_name.as_deref().unwrap_or(none))?;
        for uri in &self.uris {
            write!(f, ", URI {uri:?}")?;
        }
        for name in &self.dns {
            write!(f, ", DNS {name:?}")?;
        }
        for address in &self.addresses {
            write!(f, ", IP {address}")?;
        }
        write!(f, ", issued by {:?}", self.issuer.as_deref().unwrap_or(none))
    }
}

/// RFC 5922 §7.1 step 1: the host of a `sip` URI; a URI with a user part speaks for one user, not for the domain.
fn sip_domain(uri: &str) -> Option<String> {
    let uri = Uri::parse(uri).ok()?;
    let is_domain = uri.scheme() == Scheme::Sip && uri.user_escaped().is_none();
    is_domain.then(|| uri.host_str().to_owned())
}

/// DNS names compare without case; the dot of the root does not count.
fn is_same(name: &str, wanted: &str, wildcards: bool) -> bool {
    let (name, wanted) = (name.strip_suffix('.').unwrap_or(name), wanted.strip_suffix('.').unwrap_or(wanted));
    if name.eq_ignore_ascii_case(wanted) {
        return !name.is_empty();
    }
    if !wildcards {
        return false;
    }
    // A wildcard stands for one whole label, and not for every name of a top level.
    let parent = name.strip_prefix("*.").filter(|parent| parent.contains('.'));
    let wanted_parent = wanted.split_once('.').filter(|(label, _)| !label.is_empty());
    match (parent, wanted_parent) {
        (Some(parent), Some((_, wanted))) => parent.eq_ignore_ascii_case(wanted),
        _ => false,
    }
}

/// The last common name of a Name: a SEQUENCE of SETs of pairs.
fn common_name(name: &[u8]) -> Option<String> {
    let pairs = Der(name).all(SET).flat_map(|set| Der(set).all(SEQUENCE));
    let values = pairs.filter_map(|pair| {
        let mut pair = Der(pair);
        (pair.take(OBJECT_IDENTIFIER)? == COMMON_NAME).then(|| pair.next()).flatten()
    });
    let known = values
        .filter(|(tag, _)| matches!(*tag, UTF8_STRING | PRINTABLE_STRING | TELETEX_STRING | IA5_STRING));
    known.filter_map(|(_, value)| text(value)).last()
}

fn text(value: &[u8]) -> Option<String> {
    core::str::from_utf8(value).ok().map(ToOwned::to_owned)
}

/// What is left of a run of DER values (X.690 §10), each a tag of one octet, a length, and contents.
#[derive(Clone, Copy)]
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (&tag, rest) = self.0.split_first()?;
        let (&first, mut rest) = rest.split_first()?;
        let mut length = usize::from(first);
        if first >= 0x80 {
            // Four octets of length are more than any certificate has.
            let octets = usize::from(first & 0x7f);
            let (digits, after) = rest.split_at_checked(octets).filter(|_| (1..=4).contains(&octets))?;
            length = digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit));
            rest = after;
        }
        let (value, after) = rest.split_at_checked(length)?;
        self.0 = after;
        Some((tag, value))
    }

    /// The contents of the next value, which must have this tag.
    fn take(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.next().filter(|(found, _)| *found == tag).map(|(_, value)| value)
    }

    /// The same, if it is there.
    fn take_if(&mut self, tag: u8) {
        if self.0.first() == Some(&tag) {
            self.next();
        }
    }

    /// The contents of every value with this tag.
    fn all(mut self, tag: u8) -> impl Iterator<Item = &'a [u8]> {
        core::iter::from_fn(move || self.next())
            .filter(move |(found, _)| *found == tag)
            .map(|(_, value)| value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn certificate(common_name: &str, names: &[rcgen::SanType]) -> Names {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(rcgen::DnType::OrganizationName, "an organisation");
        params.distinguished_name.push(rcgen::DnType::CommonName, common_name);
        params.subject_alt_names = names.to_vec();
        Names::read(params.self_signed(&key).unwrap().der()).unwrap()
    }

    fn uri(uri: &str) -> rcgen::SanType {
        rcgen::SanType::URI(uri.try_into().unwrap())
    }

    fn dns(name: &str) -> rcgen::SanType {
        rcgen::SanType::DnsName(name.try_into().unwrap())
    }

    const STRICT: NameRules = NameRules { common_name: false, wildcards: false, web: false };
    const DEPLOYED: NameRules = NameRules { common_name: true, ..STRICT };
    const WEB: NameRules = NameRules { common_name: true, wildcards: true, web: true };

    #[test]
    fn sip_uris_go_before_dns_names_and_those_before_the_common_name() {
        let all =
            certificate("c.example", &[dns("d.example"), uri("sip:u.example"), uri("SIP:v.example:5061")]);
        assert_eq!(all.sip_domains(true), ["u.example", "v.example"]);
        assert!(!all.is_for_domain("d.example", DEPLOYED) && all.is_for_domain("d.example", WEB));
        let others = [uri("sips:s.example"), uri("sip:bob@u.example"), uri("https://w.example")];
        let dns_only = certificate("c.example", &[&others[..], &[dns("d.example")]].concat());
        assert_eq!(dns_only.sip_domains(true), ["d.example"]);
        assert_eq!(dns_only.uris, ["sips:s.example", "sip:bob@u.example", "https://w.example"]);
        let neither = certificate("c.example", &others);
        assert_eq!(
            neither.sip_domains(true),
            [""; 0],
            "a subjectAltName is there, so the common name is nothing"
        );
        let old = certificate("c.example", &[]);
        assert_eq!((old.sip_domains(true), old.sip_domains(false)), (vec!["c.example".to_owned()], vec![]));
        assert_eq!(old.issuer.as_deref(), Some("c.example"));
    }

    #[test]
    fn domains_match_without_case_and_without_wildcards() {
        let names = certificate("c.example", &[dns("A.Example"), dns("*.b.example"), dns("*.example")]);
        for (domain, strict, web) in [
            ("a.example", true, true),
            ("A.EXAMPLE.", true, true),
            ("c.example", false, false),
            ("x.b.example", false, true),
            ("x.y.b.example", false, false),
            ("b.example", false, false),
            (".b.example", false, false),
            ("", false, false),
        ] {
            assert_eq!(names.is_for_domain(domain, STRICT), strict, "{domain}");
            assert_eq!(names.is_for_domain(domain, WEB), web, "{domain} with wildcards");
        }
    }

    #[test]
    fn addresses_match_addresses() {
        let (v4, v6) = ("192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap());
        let names = certificate("192.0.2.9", &[rcgen::SanType::IpAddress(v4), rcgen::SanType::IpAddress(v6)]);
        assert!(names.is_for_address(v4, STRICT) && names.is_for_address(v6, STRICT));
        assert!(!names.is_for_address("192.0.2.9".parse().unwrap(), DEPLOYED));
        let old = certificate("192.0.2.9", &[]);
        assert!(old.is_for_address("192.0.2.9".parse().unwrap(), DEPLOYED));
        assert!(!old.is_for_address("192.0.2.9".parse().unwrap(), STRICT));
        let as_dns = certificate("c.example", &[dns("192.0.2.1")]);
        assert!(!as_dns.is_for_address(v4, DEPLOYED), "RFC 5280: a DNS name is no address");
    }

    #[test]
    fn whatever_the_bytes_are_reading_ends() {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(["a.example".to_owned()]).unwrap();
        params.subject_alt_names.push(uri("sip:a.example"));
        let good = params.self_signed(&key).unwrap().der().to_vec();
        for at in 0..good.len() {
            assert!(Names::read(&good[..at]).is_none(), "cut at {at}");
            for value in [0, 0x7f, 0x80, 0x84, 0xff] {
                let mut bad = good.clone();
                bad[at] = value;
                let _ = Names::read(&bad);
            }
        }
    }
}
