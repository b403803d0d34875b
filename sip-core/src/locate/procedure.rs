//! RFC 3263 §4 from its beginning to a list of targets, by what is known so far.
//!
//! The procedure keeps no state between runs: what it would need and does not know it lists, and it is run again when
//! that is known. So every rule stands in one place, and an answer from a cache, from configured records or from DNS is
//! the same to it.

use super::LocateError;
use super::options::{AddressOrder, SrvWithoutNaptr};
use super::record::{Key, Naptr, QueryKind, RecordData, Service, Srv};
use super::request::LocateRequest;
use crate::transport::Target;
use crate::uri::Host;
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use sidetone_hal::net::{IpAddr, Protocol, SocketAddr};

/// What is known about a question, SRV and NAPTR records in the order in which they are to be tried.
#[derive(Clone, Debug)]
pub(super) enum Known {
    Records(Arc<[RecordData]>),
    Nothing,
    Failed,
}

/// NAPTR records that lead to NAPTR records: followed so often in one run, so that no zone keeps us busy.
const MAX_REWRITES: u8 = 8;

/// What a step came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    /// Something is not known yet.
    Unknown,
    /// There are no such records.
    Nothing,
    /// The domain says that it has no such service.
    Refused,
    /// Records; whether there are addresses is another question.
    Some,
}

impl Found {
    /// What two steps came to together: as the stronger one.
    const fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Unknown, _) | (_, Self::Unknown) => Self::Unknown,
            (Self::Some, _) | (_, Self::Some) => Self::Some,
            (Self::Refused, _) | (_, Self::Refused) => Self::Refused,
            (Self::Nothing, Self::Nothing) => Self::Nothing,
        }
    }
}

/// One run.
pub(super) struct Procedure<'a> {
    request: &'a LocateRequest,
    known: &'a mut dyn FnMut(&Key) -> Option<Known>,
    /// What has to be known for another run.
    missing: Vec<Key>,
    targets: Vec<Target>,
    /// Hosts whose addresses are not known yet.
    unknown_hosts: usize,
    rewrites: u8,
    /// A question that could not be answered.
    failed: bool,
    most: usize,
}

/// What a run came to.
pub(super) enum Outcome {
    /// It cannot go on without these, at least one.
    Missing(Vec<Key>),
    /// The targets, in order; at least one.
    Targets(Vec<Target>),
    /// There are none.
    Failed(LocateError),
}

impl<'a> Procedure<'a> {
    /// Runs the procedure by what `known` says; it says nothing about what is not known.
    pub(super) fn run(
        request: &'a LocateRequest,
        known: &'a mut dyn FnMut(&Key) -> Option<Known>,
    ) -> Outcome {
        let most = request.options.targets();
        let mut run = Self {
            request,
            known,
            missing: Vec::new(),
            targets: Vec::new(),
            unknown_hosts: 0,
            rewrites: 0,
            failed: false,
            most,
        };
        let result = run.locate();
        if !run.missing.is_empty() {
            return Outcome::Missing(run.missing);
        }
        run.targets.truncate(most);
        match result {
            Ok(_) if !run.targets.is_empty() => Outcome::Targets(run.targets),
            Err(error) => Outcome::Failed(error),
            Ok(Found::Refused) => Outcome::Failed(LocateError::NotAvailable),
            Ok(_) if run.failed => Outcome::Failed(LocateError::Dns),
            Ok(_) => Outcome::Failed(LocateError::NoAddress),
        }
    }

    fn locate(&mut self) -> Result<Found, LocateError> {
        let request = self.request;
        let transport = request.wanted_transport()?;
        let port = request.port.filter(|port| *port != 0);
        let name = match &request.host {
            Host::Name(name) => super::record::normal(name).ok_or(LocateError::Name)?,
            address => {
                let protocol = transport.unwrap_or_else(|| request.default_transport());
                let port = port.unwrap_or_else(|| request.default_port(protocol));
                self.targets.extend(address.ip().map(|ip| self.target(protocol, ip, port)));
                return Ok(Found::Some);
            }
        };
        if let Some(port) = port {
            let protocol = transport.unwrap_or_else(|| request.default_transport());
            return Ok(self.addresses(&name, port, protocol));
        }
        let protocol = match transport {
            Some(protocol) => {
                match self.service(&name, protocol) {
                    Found::Nothing => {}
                    found => return Ok(found),
                }
                protocol
            }
            None => match self.any_transport(&name) {
                (Found::Nothing, protocol) => protocol,
                (found, _) => return Ok(found),
            },
        };
        Ok(self.addresses(&name, request.default_port(protocol), protocol))
    }

    /// Whatever transport the domain offers (RFC 3263 §4.1), and the one to use if it has addresses only.
    fn any_transport(&mut self, name: &str) -> (Found, Protocol) {
        let request = self.request;
        let options = &request.options;
        let mut protocol = request.default_transport();
        if options.naptr {
            match self.naptr(name, &mut protocol) {
                // Perhaps it had NAPTR records that lead to nothing. Then `protocol` is theirs (§4.2: "the transport
                // protocol selected previously"), and SRV records are looked for all the same.
                Found::Nothing => {}
                found => return (found, protocol),
            }
        }
        let wanted = |protocol: &Protocol| match options.srv_without_naptr {
            _ if request.secure => true,
            SrvWithoutNaptr::Every => true,
            SrvWithoutNaptr::Scheme => !protocol.is_secure(),
            SrvWithoutNaptr::Udp => *protocol == Protocol::Udp,
        };
        let mut all = Found::Nothing;
        for candidate in options.usable(request.secure).filter(wanted) {
            if self.is_enough() {
                break;
            }
            all = match self.service(name, candidate) {
                // That says nothing about the transport that the name's address would be used with.
                Found::Refused if candidate != protocol => all,
                found => all.and(found),
            };
        }
        (all, protocol)
    }

    /// The services that the NAPTR records of a name offer. Only those of the lowest order that has one count (RFC 3403
    /// §4.1). `first` becomes the transport of the first that leads somewhere, or of the last that might have.
    fn naptr(&mut self, name: &str, first: &mut Protocol) -> Found {
        let records = match self.records(QueryKind::Naptr, name) {
            Ok(records) => records,
            Err(found) => return found,
        };
        let mut order = None;
        let mut all = Found::Nothing;
        for naptr in records.iter().filter_map(as_naptr) {
            let Some((next, protocol)) = self.next_step(naptr) else { continue };
            if *order.get_or_insert(naptr.order) != naptr.order || self.is_enough() {
                break;
            }
            if let Some(protocol) = protocol.filter(|_| all == Found::Nothing) {
                *first = protocol;
            }
            let found = match (next, protocol) {
                (Next::Srv, Some(protocol)) => self.servers(&naptr.replacement, protocol),
                (Next::Address, Some(protocol)) => {
                    self.addresses(&naptr.replacement, self.request.default_port(protocol), protocol)
                }
                _ if self.rewrites < MAX_REWRITES => {
                    self.rewrites += 1;
                    self.naptr(&naptr.replacement, first)
                }
                _ => Found::Nothing,
            };
            all = all.and(found);
        }
        all
    }

    /// What a NAPTR record leads to, and over which transport; `None` for one that is of no use.
    fn next_step(&self, naptr: &Naptr) -> Option<(Next, Option<Protocol>)> {
        if !naptr.regexp.is_empty() {
            return None;
        }
        let protocol = Service::parse(&naptr.service).and_then(Service::protocol);
        let usable = protocol.filter(|protocol| {
            self.request.options.usable(self.request.secure).any(|usable| usable == *protocol)
        });
        match naptr.flags.as_str() {
            "s" | "S" => Some((Next::Srv, Some(usable?))),
            "a" | "A" => Some((Next::Address, Some(usable?))),
            "" if naptr.service.is_empty() => Some((Next::Naptr, None)),
            "" => Some((Next::Naptr, Some(usable?))),
            _ => None,
        }
    }

    /// The servers of a domain for one transport (RFC 3263 §4.2).
    fn service(&mut self, name: &str, protocol: Protocol) -> Found {
        if !self.request.options.srv {
            return Found::Nothing;
        }
        let name = format!("{}{name}", self.request.options.prefixes.of(protocol));
        self.servers(&name, protocol)
    }

    /// The servers that the SRV records of a name give.
    fn servers(&mut self, name: &str, protocol: Protocol) -> Found {
        let records = match self.records(QueryKind::Srv, name) {
            Ok(records) => records,
            Err(found) => return found,
        };
        if let [RecordData::Srv(only)] = &*records
            && only.target == "."
        {
            return Found::Refused;
        }
        let mut unknown = false;
        for srv in records.iter().filter_map(as_srv) {
            if self.is_enough() {
                break;
            }
            let port = if srv.port == 0 { self.request.default_port(protocol) } else { srv.port };
            unknown |= self.addresses(&srv.target, port, protocol) == Found::Unknown;
        }
        if unknown { Found::Unknown } else { Found::Some }
    }

    /// The addresses of a host, each with this port and transport.
    fn addresses(&mut self, host: &str, port: u16, protocol: Protocol) -> Found {
        if let Ok(ip) = host.parse::<IpAddr>() {
            let target = self.target(protocol, ip, port);
            self.add(target);
            return Found::Some;
        }
        let kinds: &[QueryKind] = match self.request.options.address_order {
            AddressOrder::Ipv4First => &[QueryKind::A, QueryKind::Aaaa],
            AddressOrder::Ipv6First => &[QueryKind::Aaaa, QueryKind::A],
            AddressOrder::Ipv4Only => &[QueryKind::A],
            AddressOrder::Ipv6Only => &[QueryKind::Aaaa],
        };
        let mut unknown = false;
        let mut some = false;
        for &kind in kinds {
            match self.records(kind, host) {
                Ok(records) => {
                    some = true;
                    for ip in records.iter().filter_map(as_address) {
                        let target = self.target(protocol, ip, port);
                        self.add(target);
                    }
                }
                Err(found) => unknown |= found == Found::Unknown,
            }
        }
        self.unknown_hosts += usize::from(unknown);
        match (unknown, some) {
            (true, _) => Found::Unknown,
            (false, true) => Found::Some,
            (false, false) => Found::Nothing,
        }
    }

    fn records(&mut self, kind: QueryKind, name: &str) -> Result<Arc<[RecordData]>, Found> {
        // What is no name has no records.
        let key = Key::new(kind, name).ok_or(Found::Nothing)?;
        match (self.known)(&key) {
            Some(Known::Records(records)) => Ok(records),
            Some(Known::Nothing) => Err(Found::Nothing),
            Some(Known::Failed) => {
                self.failed = true;
                Err(Found::Nothing)
            }
            None => {
                if !self.missing.contains(&key) {
                    self.missing.push(key);
                }
                Err(Found::Unknown)
            }
        }
    }

    /// Whether there are as many targets as are wanted, if each host has one address.
    const fn is_enough(&self) -> bool {
        self.targets.len() + self.unknown_hosts >= self.most
    }

    fn add(&mut self, target: Target) {
        if self.targets.len() < self.most && !self.targets.contains(&target) {
            self.targets.push(target);
        }
    }

    fn target(&self, protocol: Protocol, ip: IpAddr, port: u16) -> Target {
        let mut target = Target::new(protocol, SocketAddr::new(ip, port));
        target.domain = self.request.domain.clone();
        target
    }
}

/// What follows a NAPTR record.
enum Next {
    Srv,
    Address,
    Naptr,
}

pub(super) const fn as_naptr(data: &RecordData) -> Option<&Naptr> {
    if let RecordData::Naptr(naptr) = data { Some(naptr) } else { None }
}

pub(super) const fn as_srv(data: &RecordData) -> Option<&Srv> {
    if let RecordData::Srv(srv) = data { Some(srv) } else { None }
}

const fn as_address(data: &RecordData) -> Option<IpAddr> {
    match data {
        RecordData::A(address) => Some(IpAddr::V4(*address)),
        RecordData::Aaaa(address) => Some(IpAddr::V6(*address)),
        RecordData::Naptr(_) | RecordData::Srv(_) => None,
    }
}
