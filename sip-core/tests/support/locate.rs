//! A locator, the zone that answers its questions, and virtual time.

#![allow(dead_code, reason = "each test crate uses its part")]

use sidetone_hal::time::Duration;
use sidetone_sip_core::locate::{
    Answer, LocateError, LocateEvent, LocateOptions, LocateRequest, Locator, LocatorConfig, Naptr, Query,
    QueryKind, Record, RecordData, Srv, StaticRecords,
};
use sidetone_sip_core::{Instant, Rng, Target};

pub(crate) const HOUR: Duration = Duration::from_secs(3600);

/// A locator and the DNS that it asks.
pub(crate) struct World {
    pub(crate) locator: Locator,
    pub(crate) now: Instant,
    pub(crate) zone: Vec<Record>,
    /// Names that exist without a record of the type asked for give NoData; these give no answer at all.
    pub(crate) dead: Vec<&'static str>,
    pub(crate) options: LocateOptions,
    /// What was asked, as `SRV _sip._udp.example.com`.
    pub(crate) asked: Vec<String>,
    /// Whether answers bring the addresses of SRV targets along.
    pub(crate) additional: bool,
}

impl World {
    pub(crate) fn new(zone: &[&str]) -> Self {
        Self::with(zone, LocateOptions::default())
    }

    pub(crate) fn with(zone: &[&str], options: LocateOptions) -> Self {
        Self {
            locator: Locator::new(LocatorConfig::default(), Rng::from_u64(7)),
            now: Instant::from_millis(1000),
            zone: zone.iter().map(|line| record(line)).collect(),
            dead: Vec::new(),
            options,
            asked: Vec::new(),
            additional: false,
        }
    }

    pub(crate) fn advance(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
    }

    /// The answer of the zone.
    fn answer(&self, query: &Query) -> Answer {
        if self.dead.iter().any(|dead| *dead == &*query.name) {
            return Answer::Failed;
        }
        let named: Vec<&Record> = self.zone.iter().filter(|record| *record.name == *query.name).collect();
        let records: Vec<Record> =
            named.iter().filter(|record| record.data.kind() == query.kind).copied().cloned().collect();
        if !records.is_empty() {
            let about = |record: &&Record| match &record.data {
                RecordData::A(_) | RecordData::Aaaa(_) => self.additional && query.kind == QueryKind::Srv,
                _ => false,
            };
            let additional = self.zone.iter().filter(about).cloned().collect();
            return Answer::Records { records, additional };
        }
        let ttl = Some(Duration::from_secs(60));
        if named.is_empty() { Answer::NameError { ttl } } else { Answer::NoData { ttl } }
    }

    pub(crate) fn locate(&mut self, uri: &str) -> Result<Vec<String>, LocateError> {
        let request = LocateRequest::uri(&uri.parse().unwrap())?;
        self.run(request)
    }

    pub(crate) fn run(&mut self, request: LocateRequest) -> Result<Vec<String>, LocateError> {
        let targets = self.targets(request.with_options(self.options.clone()))?;
        Ok(targets.iter().map(|target| format!("{} {}", target.protocol, target.address)).collect())
    }

    pub(crate) fn targets(&mut self, request: LocateRequest) -> Result<Vec<Target>, LocateError> {
        let id = self.locator.locate(self.now, request).unwrap();
        self.asked.clear();
        while let Some(query) = self.locator.poll_query() {
            self.asked.push(format!("{} {}", query.kind, query.name));
            let answer = self.answer(&query);
            self.locator.handle_answer(self.now, query.id, answer);
        }
        let event = self.locator.poll_event().expect("each look-up ends");
        assert!(self.locator.is_idle() && self.locator.poll_timeout().is_none());
        match event {
            LocateEvent::Located { id: of, targets } => {
                assert_eq!(of, id);
                assert!(!targets.is_empty());
                Ok(targets)
            }
            LocateEvent::Failed { id: of, reason } => {
                assert_eq!(of, id);
                Err(reason)
            }
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn asked(&self) -> Vec<&str> {
        self.asked.iter().map(String::as_str).collect()
    }
}

/// A line of a zone file without class: `name ttl type data`, strings without quotes, `-` for an empty one.
pub(crate) fn record(line: &str) -> Record {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let text = |index: usize| fields[index].trim_matches('-').to_owned();
    let number = |index: usize| fields[index].parse::<u16>().unwrap();
    let name = |index: usize| if fields[index] == "." { ".".to_owned() } else { text(index) };
    let data = match fields[2] {
        "NAPTR" => RecordData::Naptr(Naptr {
            order: number(3),
            preference: number(4),
            flags: text(5),
            service: text(6),
            regexp: text(7),
            replacement: name(8),
        }),
        "SRV" => {
            RecordData::Srv(Srv { priority: number(3), weight: number(4), port: number(5), target: name(6) })
        }
        "A" => RecordData::A(fields[3].parse().unwrap()),
        "AAAA" => RecordData::Aaaa(fields[3].parse().unwrap()),
        other => panic!("{other}"),
    };
    Record::new(fields[0], Duration::from_secs(fields[1].parse().unwrap()), data)
}

pub(crate) fn fixed(lines: &[&str]) -> StaticRecords {
    let mut records = StaticRecords::new();
    lines.iter().for_each(|line| records.push(record(line)).unwrap());
    records
}

/// The example of Yealink's manual (YLB-011 to YLB-013).
pub(crate) const YEALINK: [&str; 6] = [
    "yealink.pbx.com 300 NAPTR 90 50 s SIP+D2T - _sip._tcp.yealink.pbx.com",
    "yealink.pbx.com 300 NAPTR 100 50 s SIP+D2U - _sip._udp.yealink.pbx.com",
    "_sip._tcp.yealink.pbx.com 300 SRV 0 1 5060 server1.yealink.pbx.com",
    "_sip._tcp.yealink.pbx.com 300 SRV 0 2 5060 server2.yealink.pbx.com",
    "server1.yealink.pbx.com 300 A 192.168.1.13",
    "server2.yealink.pbx.com 300 A 192.168.1.14",
];

/// What an administrator has configured for the same domain.
pub(crate) const CONFIGURED: [&str; 4] = [
    "yealink.pbx.com 300 NAPTR 1 1 S SIP+D2T - _sip._tcp.yealink.pbx.com",
    "_sip._tcp.yealink.pbx.com 300 SRV 0 2 5070 server.yealink.pbx.com",
    "_sip._tcp.yealink.pbx.com 300 SRV 0 1 5080 192.0.2.99",
    "server.yealink.pbx.com 300 A 192.0.2.98",
];
