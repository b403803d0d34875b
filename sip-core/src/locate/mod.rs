//! Server location (RFC 3263): from a URI to the targets to try, one after the other.
//!
//! [`Locator`] is a machine: it asks questions that somebody else puts to DNS (`driver::Resolver` does), and is told
//! the answers and the time. It keeps answers for as long as they hold, and remembers which targets failed.
//!
//! ```
//! use sidetone_sip_core::locate::{Answer, LocateEvent, LocateRequest, Locator, LocatorConfig, Record, Srv};
//! use sidetone_sip_core::{Instant, Rng};
//! use std::{net::Ipv4Addr, time::Duration};
//!
//! let mut locator = Locator::new(LocatorConfig::default(), Rng::from_u64(1));
//! let now = Instant::from_millis(0);
//! let uri = "sip:bob@example.com;transport=udp".parse().unwrap();
//! locator.locate(now, LocateRequest::uri(&uri)?)?;
//! let hour = Duration::from_secs(3600);
//! while let Some(query) = locator.poll_query() {
//!     let answer = match (query.kind.to_string().as_str(), &*query.name) {
//!         ("SRV", "_sip._udp.example.com") => {
//!             let srv = Srv { port: 5070, target: "server.example.com".into(), ..Srv::default() };
//!             Answer::records(vec![Record::new(&*query.name, hour, srv)])
//!         }
//!         ("A", name) => Answer::records(vec![Record::new(name, hour, Ipv4Addr::new(192, 0, 2, 1))]),
//!         _ => Answer::NoData { ttl: None },
//!     };
//!     locator.handle_answer(now, query.id, answer);
//! }
//! let Some(LocateEvent::Located { targets, .. }) = locator.poll_event() else { panic!() };
//! assert_eq!(targets[0].address, "192.0.2.1:5070".parse().unwrap());
//! assert_eq!(targets[0].domain.as_deref(), Some("example.com"));
//! # Ok::<(), sidetone_sip_core::locate::LocateError>(())
//! ```

mod answer;
mod blacklist;
mod event;
mod fixed;
mod options;
mod order;
mod procedure;
mod record;
mod request;
mod stand_in;
mod stored;

pub use event::{LocateError, LocateEvent, LookupId};
pub use fixed::{StaticRecordError, StaticRecords};
pub use options::{
    AddressOrder, CacheMode, LocateOptions, LocatorConfig, SrvOrder, SrvPrefixes, SrvWithoutNaptr,
    StaticOrder,
};
pub use order::order_srv;
pub use record::{Answer, Naptr, Query, QueryId, QueryKind, Record, RecordData, Service, Srv};
pub use request::LocateRequest;

use crate::transport::Target;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;
use answer::Reading;
use blacklist::Blacklist;
use core::fmt;
use core::time::Duration;
use procedure::{Known, Outcome, Procedure, as_naptr, as_srv};
use record::Key;
use sidetone_hal::rng::Rng;
use sidetone_hal::time::Instant;
use stand_in::StandIns;
use stored::{Cache, Stored};

/// What a locator counted since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LocateCounters {
    /// Look-ups begun.
    pub lookups: u64,
    /// Questions put to DNS.
    pub queries: u64,
    /// Answers taken from the cache, positive and negative.
    pub cached: u64,
    /// Answers taken from configured records.
    pub configured: u64,
    /// Questions that were not answered in time.
    pub timeouts: u64,
}

struct Lookup {
    request: LocateRequest,
    /// What DNS, cache or configuration said so far.
    known: BTreeMap<Key, Known>,
    queries: usize,
}

/// A question under way.
struct Pending {
    key: Key,
    deadline: Instant,
    waiting: Vec<LookupId>,
}

/// The machine. See the [module](self).
///
/// Memory is bounded by [`LocatorConfig`]. A look-up costs O(r log n) for r records and n cache entries.
pub struct Locator {
    config: LocatorConfig,
    rng: Rng,
    lookups: BTreeMap<LookupId, Lookup>,
    pending: BTreeMap<QueryId, Pending>,
    by_key: BTreeMap<Key, QueryId>,
    deadlines: BTreeSet<(Instant, QueryId)>,
    queries: VecDeque<Query>,
    events: VecDeque<LocateEvent>,
    cache: Cache,
    stand_ins: StandIns,
    blacklist: Blacklist,
    dns: bool,
    counters: LocateCounters,
    last_lookup: u64,
    last_query: u64,
}

impl Locator {
    /// A locator that knows nothing yet. `rng` draws the order of SRV records.
    #[must_use]
    pub fn new(config: LocatorConfig, rng: Rng) -> Self {
        Self {
            cache: Cache::new(config.cache_entries),
            blacklist: Blacklist::new(config.blacklist_entries),
            config,
            rng,
            lookups: BTreeMap::new(),
            pending: BTreeMap::new(),
            by_key: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            queries: VecDeque::new(),
            events: VecDeque::new(),
            stand_ins: StandIns::default(),
            dns: true,
            counters: LocateCounters::default(),
            last_lookup: 0,
            last_query: 0,
        }
    }

    /// Begins a look-up; [`Locator::poll_event`] tells its end, at once when nothing has to be asked: for a numeric
    /// host, or when the cache has everything.
    ///
    /// # Errors
    /// [`LocateError::TooManyLookups`].
    pub fn locate(&mut self, now: Instant, request: LocateRequest) -> Result<LookupId, LocateError> {
        if self.lookups.len() + self.events.len() >= self.config.max_lookups {
            return Err(LocateError::TooManyLookups);
        }
        self.last_lookup += 1;
        self.counters.lookups += 1;
        let id = LookupId(self.last_lookup);
        self.lookups.insert(id, Lookup { request, known: BTreeMap::new(), queries: 0 });
        self.advance(now, id);
        Ok(id)
    }

    /// Forgets a look-up; no event of it follows. Questions under way are answered into the cache all the same.
    pub fn cancel(&mut self, id: LookupId) {
        self.lookups.remove(&id);
        self.events.retain(|event| {
            let (LocateEvent::Located { id: of, .. } | LocateEvent::Failed { id: of, .. }) = event;
            *of != id
        });
    }

    /// The next question for DNS.
    pub fn poll_query(&mut self) -> Option<Query> {
        self.queries.pop_front()
    }

    /// The next end of a look-up.
    pub fn poll_event(&mut self) -> Option<LocateEvent> {
        self.events.pop_front()
    }

    /// When [`Locator::handle_timeout`] is to be called: a question's time is over.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// Time passed. Early or repeated calls change nothing.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(&(at, id)) = self.deadlines.first().filter(|(at, _)| *at <= now) {
            self.deadlines.remove(&(at, id));
            self.counters.timeouts += 1;
            // A question that nobody took is not asked any more.
            self.queries.retain(|query| query.id != id);
            self.handle_answer(now, id, Answer::Failed);
        }
    }

    /// The answer to a question. One that comes twice, or too late, changes nothing.
    pub fn handle_answer(&mut self, now: Instant, query: QueryId, answer: Answer) {
        let Some(Pending { key, deadline, waiting }) = self.pending.remove(&query) else { return };
        self.deadlines.remove(&(deadline, query));
        self.by_key.remove(&key);
        let Reading { answered, until, additional } = Reading::new(&self.config, now, &key, answer);
        for &id in &waiting {
            let Some(lookup) = self.lookups.get(&id) else { continue };
            let (options, draw) = (lookup.request.options.clone(), lookup.request.draw);
            if options.cache == CacheMode::AnswersAndAdditional {
                for (key, stored, until) in &additional {
                    self.cache.put(now, key.clone(), stored.clone(), *until);
                }
            }
            let stand_in = match &answered {
                Some(Stored::Records(_)) => None,
                _ => self.stand_in(now, &key, &options, draw),
            };
            if options.cache != CacheMode::Off
                && stand_in.is_none()
                && let Some(stored) = &answered
            {
                self.cache.put(now, key.clone(), stored.clone(), until);
            }
            let known = match (stand_in, &answered) {
                (Some(known), _) => known,
                (None, Some(stored)) => ordered(stored.clone(), &options, draw, &mut self.rng),
                (None, None) => Known::Failed,
            };
            let extra: Vec<(Key, Known)> = additional
                .iter()
                .map(|(key, stored, _)| (key.clone(), ordered(stored.clone(), &options, draw, &mut self.rng)))
                .collect();
            if let Some(lookup) = self.lookups.get_mut(&id) {
                lookup.known.insert(key.clone(), known);
                for (key, known) in extra {
                    lookup.known.entry(key).or_insert(known);
                }
            }
        }
        if waiting.iter().all(|id| !self.lookups.contains_key(id)) {
            // Everybody gave up; the next one will not have to ask.
            if let Some(stored) = answered {
                self.cache.put(now, key, stored, until);
            }
        }
        for id in waiting {
            self.advance(now, id);
        }
    }

    /// A target did not answer, could not be connected to, or answered 503 with a Retry-After: for this time, or
    /// [`LocatorConfig::blacklist`], look-ups give it behind all others.
    pub fn failed(&mut self, now: Instant, target: &Target, retry_after: Option<Duration>) {
        let time = retry_after.unwrap_or(self.config.blacklist).min(self.config.max_blacklist);
        self.blacklist.add(now, target.protocol, target.address, now + time);
    }

    /// A target answered: it comes last no more.
    pub fn succeeded(&mut self, target: &Target) {
        self.blacklist.remove(target.protocol, target.address);
    }

    /// Whether a target comes last.
    #[must_use]
    pub fn is_blacklisted(&self, now: Instant, target: &Target) -> bool {
        self.blacklist.has(now, target.protocol, target.address)
    }

    /// Whether there are DNS servers. Without any, configured records are always used, whatever their TTL, and only
    /// addresses are asked for: a hosts file may have them. At first there are.
    pub const fn set_dns(&mut self, available: bool) {
        self.dns = available;
    }

    /// Forgets every answer and every failure: another network has others.
    pub fn clear(&mut self) {
        self.cache.clear();
        self.blacklist.clear();
        self.stand_ins.clear();
    }

    /// Answers in the cache, those whose time is over included until they are asked for.
    #[must_use]
    pub fn cached(&self) -> usize {
        self.cache.len()
    }

    /// Targets on the blacklist, those whose time is over included until room is needed.
    #[must_use]
    pub fn blacklisted(&self) -> usize {
        self.blacklist.len()
    }

    /// Whether no look-up is under way.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.lookups.is_empty() && self.pending.is_empty() && self.events.is_empty()
    }

    /// What was counted.
    #[must_use]
    pub const fn counters(&self) -> LocateCounters {
        self.counters
    }

    /// Runs a look-up as far as it goes.
    fn advance(&mut self, now: Instant, id: LookupId) {
        loop {
            let Some(lookup) = self.lookups.get(&id) else { return };
            let outcome = Procedure::run(&lookup.request, &mut |key| lookup.known.get(key).cloned());
            let missing = match outcome {
                Outcome::Missing(missing) => missing,
                Outcome::Targets(targets) => return self.finish(now, id, Ok(targets)),
                Outcome::Failed(reason) => return self.finish(now, id, Err(reason)),
            };
            let mut asked = false;
            for key in missing {
                if let Some(known) = self.obtain(now, id, &key)
                    && let Some(lookup) = self.lookups.get_mut(&id)
                {
                    lookup.known.insert(key, known);
                } else {
                    asked = true;
                }
            }
            if asked {
                return;
            }
        }
    }

    /// What is known about a question without asking; otherwise it is asked.
    fn obtain(&mut self, now: Instant, id: LookupId, key: &Key) -> Option<Known> {
        let lookup = self.lookups.get(&id)?;
        let (options, draw) = (lookup.request.options.clone(), lookup.request.draw);
        let asked = lookup.queries;
        if options.static_order == StaticOrder::StaticFirst || !self.dns {
            if let Some((stored, _)) = options.static_records.answer(key) {
                self.counters.configured += 1;
                return Some(ordered(stored, &options, draw, &mut self.rng));
            }
            if !self.dns && matches!(key.kind, QueryKind::Naptr | QueryKind::Srv) {
                return Some(Known::Nothing);
            }
        }
        if options.cache != CacheMode::Off {
            if self.stand_ins.has(now, key, &options.static_records)
                && let Some((stored, _)) = options.static_records.answer(key)
            {
                self.counters.configured += 1;
                return Some(ordered(stored, &options, draw, &mut self.rng));
            }
            if let Some(stored) = self.cache.get(now, key) {
                if stored == Stored::Nothing
                    && let Some(known) = self.stand_in(now, key, &options, draw)
                {
                    return Some(known);
                }
                self.counters.cached += 1;
                return Some(ordered(stored, &options, draw, &mut self.rng));
            }
        }
        if asked >= self.config.max_queries {
            return Some(Known::Failed);
        }
        if let Some(lookup) = self.lookups.get_mut(&id) {
            lookup.queries += 1;
        }
        if let Some(pending) = self.by_key.get(key).and_then(|query| self.pending.get_mut(query)) {
            if !pending.waiting.contains(&id) {
                pending.waiting.push(id);
            }
            return None;
        }
        self.last_query += 1;
        self.counters.queries += 1;
        let query = QueryId(self.last_query);
        let deadline = now + self.config.query_timeout;
        self.by_key.insert(key.clone(), query);
        self.deadlines.insert((deadline, query));
        self.pending.insert(query, Pending { key: key.clone(), deadline, waiting: [id].into() });
        self.queries.push_back(Query { id: query, name: key.name.clone(), kind: key.kind });
        None
    }

    fn finish(&mut self, now: Instant, id: LookupId, result: Result<Vec<Target>, LocateError>) {
        let Some(Lookup { request, .. }) = self.lookups.remove(&id) else { return };
        let event = match result {
            Ok(mut targets) => {
                self.add_configured(&request, &mut targets);
                // A stable sort: within those that failed and those that did not, the order stays.
                targets.sort_by_key(|target| self.blacklist.has(now, target.protocol, target.address));
                LocateEvent::Located { id, targets }
            }
            Err(reason) => LocateEvent::Failed { id, reason },
        };
        self.events.push_back(event);
    }

    /// Behind what DNS gave, what is configured: for the case that none of DNS's targets can be reached.
    fn add_configured(&mut self, request: &LocateRequest, targets: &mut Vec<Target>) {
        let options = &request.options;
        if options.static_records.is_empty() || options.static_order != StaticOrder::DnsFirst {
            return;
        }
        let rng = &mut self.rng;
        let mut configured = |key: &Key| {
            let stored = options.static_records.answer(key).map_or(Stored::Nothing, |(stored, _)| stored);
            Some(ordered(stored, options, request.draw, rng))
        };
        if let Outcome::Targets(more) = Procedure::run(request, &mut configured) {
            for target in more {
                if targets.len() < options.targets() && !targets.contains(&target) {
                    targets.push(target);
                }
            }
        }
    }

    /// Configured records in place of an answer that has none, from now on for their TTL.
    fn stand_in(
        &mut self,
        now: Instant,
        key: &Key,
        options: &LocateOptions,
        draw: Option<u64>,
    ) -> Option<Known> {
        let (stored, ttl) = options.static_records.answer(key)?;
        self.counters.configured += 1;
        if options.cache != CacheMode::Off {
            self.stand_ins.add(now, key, &options.static_records, now + ttl);
        }
        Some(ordered(stored, options, draw, &mut self.rng))
    }
}

impl fmt::Debug for Locator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Locator")
            .field("lookups", &self.lookups.len())
            .field("pending", &self.pending.len())
            .field("cached", &self.cache.len())
            .field("blacklisted", &self.blacklist.len())
            .finish_non_exhaustive()
    }
}

/// Records in the order in which this look-up tries them.
fn ordered(stored: Stored, options: &LocateOptions, draw: Option<u64>, rng: &mut Rng) -> Known {
    let records = match stored {
        Stored::Nothing => return Known::Nothing,
        Stored::Records(records) => records,
    };
    match records.first() {
        Some(RecordData::Srv(_)) if records.len() > 1 => {
            let mut srv: Vec<Srv> = records.iter().filter_map(|data| as_srv(data).cloned()).collect();
            match draw {
                None => order_srv(&mut srv, options.srv_order, rng),
                Some(draw) => {
                    // DNS servers turn records round.
                    srv.sort_by(|a, b| (&a.target, a.port, a.weight).cmp(&(&b.target, b.port, b.weight)));
                    order_srv(&mut srv, options.srv_order, &mut Rng::from_u64(draw));
                }
            }
            Known::Records(srv.into_iter().map(RecordData::Srv).collect())
        }
        Some(RecordData::Naptr(_)) if records.len() > 1 => {
            let mut naptr: Vec<Naptr> = records.iter().filter_map(|data| as_naptr(data).cloned()).collect();
            order::order_naptr(&mut naptr);
            Known::Records(naptr.into_iter().map(RecordData::Naptr).collect())
        }
        Some(_) => Known::Records(records),
        None => Known::Nothing,
    }
}
