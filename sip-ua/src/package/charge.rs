//! Advice of charge (3GPP TS 24.647): what a call costs.
//!
//! The network sends documents in INFO requests, in the answers to the call, and in the BYE or the answer to it; a
//! telephone says in the Accept header of its INVITE that it wants them. BroadWorks sends the same documents.
//!
//! ```
//! use sidetone_sip_ua::package::charge::{AdviceOfCharge, CallCharge};
//! let body = br#"<?xml version="1.0"?><aoc xmlns="http://uri.etsi.org/ngn/params/xml/simservs/aoc"><aoc-d>
//!   <charging-info>subtotal</charging-info><recorded-charges><recorded-currency-units><currency-id>EUR</currency-id>
//!   <currency-amount>0.6</currency-amount></recorded-currency-units></recorded-charges></aoc-d></aoc>"#;
//! let mut charge = CallCharge::default();
//! charge.apply(AdviceOfCharge::parse(body).unwrap());
//! assert_eq!(charge.text().unwrap(), "0.60 EUR");
//! ```

use super::PackageError;
use super::xml::{self, child, child_text, error_at};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;
use roxmltree::Node;
use sidetone_hal::time::Duration;
use sidetone_sip_core::header::ContentType;

/// The type of the body.
pub const CONTENT_TYPE: ContentType = ContentType::from_static("application", "vnd.etsi.aoc+xml");

const NAMESPACE: &str = "http://uri.etsi.org/ngn/params/xml/simservs/aoc";
/// Characters of a currency, a code or an arrangement that are kept; a display shows less.
const MAX_WORD: usize = 64;

/// A document (TS 24.647 Annex D).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AdviceOfCharge {
    /// AOC-S: what the call will cost.
    pub tariff: Option<Tariff>,
    /// AOC-D: what it cost so far.
    pub during: Option<Recorded>,
    /// AOC-E: what it cost.
    pub end: Option<Recorded>,
}

/// What a call will cost (TS 24.647 §C.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tariff {
    /// As it was agreed: a code of the network's.
    SpecialArrangement(String),
    /// By item.
    Items(Vec<(ChargedItem, Rate)>),
}

/// What is charged (TS 24.647 §C.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChargedItem {
    /// The call.
    Basic,
    /// That it was tried.
    Attempt,
    /// That it was answered.
    Setup,
    /// What the network did beside it.
    Services,
}

/// How it is charged (TS 24.647 §C.2.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rate {
    /// So much for so long.
    Time {
        /// How much.
        price: Price,
        /// For how long.
        per: Duration,
    },
    /// So much, however long.
    Flat(Price),
    /// Nothing.
    Free,
    /// A code of the network's.
    SpecialCode(String),
    /// The network does not say.
    NotAvailable,
}

/// What a call cost (TS 24.647 §C.3, §C.4).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recorded {
    /// How much.
    pub cost: Cost,
    /// Everything is in it; else, what was charged so far. Always so at the end of a call.
    pub is_total: bool,
    /// How it is billed, as `normal-charging`.
    pub billing: Option<String>,
}

/// How much a call cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cost {
    /// An amount.
    Price(Price),
    /// Nothing.
    Free,
    /// The network does not say.
    NotAvailable,
}

/// An amount of a currency, or of charging units.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Price {
    /// How much.
    pub amount: Amount,
    /// Of what: a code of ISO 4217, as `EUR`; `None` for charging units, which documents call `UNIT`.
    pub currency: Option<String>,
}

/// An amount, in millionths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount(pub u64);

/// Digits behind the point that are kept: tariffs have three or four.
const DIGITS: usize = 6;

impl FromStr for Amount {
    type Err = ();

    /// `0.25`, and `0,25`. Digits beyond the sixth behind the point are left out.
    fn from_str(text: &str) -> Result<Self, ()> {
        let (whole, digits) = text.split_once(['.', ',']).unwrap_or((text, ""));
        let is_number = whole.bytes().chain(digits.bytes()).all(|byte| byte.is_ascii_digit());
        if whole.len() + digits.len() == 0 || !is_number {
            return Err(());
        }
        let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().map_err(|_| ())? };
        let digits: String = digits.chars().chain("000000".chars()).take(DIGITS).collect();
        let millionths: u64 = digits.parse().map_err(|_| ())?;
        whole.checked_mul(1_000_000).and_then(|value| value.checked_add(millionths)).map(Self).ok_or(())
    }
}

impl fmt::Display for Amount {
    /// Without zeros at the end; [`Formatter::precision`](fmt::Formatter::precision) is the least of digits behind
    /// the point.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = format!("{:06}", self.0 % 1_000_000);
        let kept = digits.trim_end_matches('0').len().max(f.precision().unwrap_or_default().min(DIGITS));
        write!(f, "{}", self.0 / 1_000_000)?;
        match digits.get(..kept) {
            Some("") | None => Ok(()),
            Some(digits) => write!(f, ".{digits}"),
        }
    }
}

impl Price {
    /// An amount of a currency.
    #[must_use]
    pub fn new(amount: Amount, currency: &str) -> Self {
        Self { amount, currency: Some(currency.into()) }
    }

    /// Charging units.
    #[must_use]
    pub const fn units(count: u32) -> Self {
        Self { amount: Amount(count as u64 * 1_000_000), currency: None }
    }
}

impl fmt::Display for Price {
    /// `0.60 EUR`, `3 units`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.currency {
            Some(currency) if currency.is_empty() => write!(f, "{:.2}", self.amount),
            Some(currency) => write!(f, "{:.2} {currency}", self.amount),
            None if self.amount == Amount(1_000_000) => f.write_str("1 unit"),
            None => write!(f, "{} units", self.amount),
        }
    }
}

impl fmt::Display for Cost {
    /// As a telephone shows it: `0.60 EUR`, `free`, `not available`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Price(price) => price.fmt(f),
            Self::Free => f.write_str("free"),
            Self::NotAvailable => f.write_str("not available"),
        }
    }
}

impl fmt::Display for Rate {
    /// As a telephone shows it: `0.09 EUR per 60 s`, `free`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Time { price, per } => {
                let seconds = Amount(u64::try_from(per.as_micros()).unwrap_or(u64::MAX));
                write!(f, "{price} per {seconds} s")
            }
            Self::Flat(price) => price.fmt(f),
            Self::Free => f.write_str("free"),
            Self::SpecialCode(code) => write!(f, "tariff {code}"),
            Self::NotAvailable => f.write_str("not available"),
        }
    }
}

impl Recorded {
    /// What a call cost so far.
    #[must_use]
    pub const fn so_far(cost: Cost) -> Self {
        Self { cost, is_total: false, billing: None }
    }

    /// What a call cost in all.
    #[must_use]
    pub const fn total(cost: Cost) -> Self {
        Self { cost, is_total: true, billing: None }
    }
}

impl AdviceOfCharge {
    /// What a call will cost.
    #[must_use]
    pub fn start(tariff: Tariff) -> Self {
        Self { tariff: Some(tariff), ..Self::default() }
    }

    /// What it cost so far.
    #[must_use]
    pub fn during(recorded: Recorded) -> Self {
        Self { during: Some(recorded), ..Self::default() }
    }

    /// What it cost.
    #[must_use]
    pub fn end(recorded: Recorded) -> Self {
        Self { end: Some(Recorded { is_total: true, ..recorded }), ..Self::default() }
    }

    /// Reads a body.
    ///
    /// # Errors
    /// It is no such document, or has an amount or a time that is no number.
    pub fn parse(body: &[u8]) -> Result<Self, PackageError> {
        let text = xml::loose_text(body);
        let parsed = xml::parse(&text, "aoc")?;
        let root = parsed.root_element();
        Ok(Self {
            tariff: child(root, "aoc-s").map(read_tariff).transpose()?.flatten(),
            during: child(root, "aoc-d").map(|node| read_recorded(node, false)).transpose()?,
            end: child(root, "aoc-e").map(|node| read_recorded(node, true)).transpose()?,
        })
    }

    /// The document.
    #[must_use]
    pub fn write(&self) -> String {
        let mut writer = xml::Writer::new();
        writer.open("aoc").attr("xmlns", NAMESPACE);
        if let Some(tariff) = &self.tariff {
            writer.open("aoc-s");
            match tariff {
                Tariff::SpecialArrangement(code) => {
                    writer.leaf("special-arrangement", code);
                }
                Tariff::Items(items) => {
                    writer.open("charged-items");
                    for (item, rate) in items {
                        writer.open(item.name());
                        write_rate(&mut writer, rate);
                        writer.close();
                    }
                    writer.close();
                }
            }
            writer.close();
        }
        if let Some(recorded) = &self.during {
            writer.open("aoc-d").leaf("charging-info", if recorded.is_total { "total" } else { "subtotal" });
            write_recorded(&mut writer, recorded);
        }
        if let Some(recorded) = &self.end {
            writer.open("aoc-e");
            write_recorded(&mut writer, recorded);
        }
        writer.finish()
    }
}

/// What a call costs, by the documents that came in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallCharge {
    tariff: Option<Tariff>,
    cost: Option<Cost>,
    is_final: bool,
}

impl CallCharge {
    /// Takes in a document. What came at the end of the call stays, whatever comes late.
    pub fn apply(&mut self, advice: AdviceOfCharge) {
        if advice.tariff.is_some() {
            self.tariff = advice.tariff;
        }
        if let Some(recorded) = advice.during
            && !self.is_final
        {
            self.cost = Some(recorded.cost);
        }
        if let Some(recorded) = advice.end {
            (self.cost, self.is_final) = (Some(recorded.cost), true);
        }
    }

    /// What it cost, so far or in all.
    #[must_use]
    pub const fn cost(&self) -> Option<&Cost> {
        self.cost.as_ref()
    }

    /// Whether the cost is all that there will be.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        self.is_final
    }

    /// What it will cost.
    #[must_use]
    pub const fn tariff(&self) -> Option<&Tariff> {
        self.tariff.as_ref()
    }

    /// As a telephone shows it: the cost, or else the tariff of the call.
    #[must_use]
    pub fn text(&self) -> Option<String> {
        if let Some(cost) = &self.cost {
            return Some(cost.to_string());
        }
        match self.tariff.as_ref()? {
            Tariff::SpecialArrangement(code) => Some(format!("tariff {code}")),
            Tariff::Items(items) => {
                let basic = items.iter().find(|(item, _)| *item == ChargedItem::Basic);
                basic.or_else(|| items.first()).map(|(_, rate)| rate.to_string())
            }
        }
    }
}

impl ChargedItem {
    const ALL: [Self; 4] = [Self::Basic, Self::Attempt, Self::Setup, Self::Services];

    const fn name(self) -> &'static str {
        match self {
            Self::Basic => "basic",
            Self::Attempt => "communication-attempt",
            Self::Setup => "communication-setup",
            Self::Services => "services",
        }
    }
}

/// The scales of a time, in hundredths of a second.
const SCALES: [(&str, u64); 7] = [
    ("one-hundredth-second", 1),
    ("one-tenth-second", 10),
    ("one-second", 100),
    ("ten-seconds", 1_000),
    ("one-minute", 6_000),
    ("one-hour", 360_000),
    ("twenty-four-hours", 8_640_000),
];

fn read_tariff(node: Node<'_, '_>) -> Result<Option<Tariff>, PackageError> {
    if let Some(items) = child(node, "charged-items") {
        let mut read = Vec::new();
        for item in ChargedItem::ALL {
            if let Some(rate) = child(items, item.name()) {
                read.push((item, read_rate(rate)?));
            }
        }
        return Ok(Some(Tariff::Items(read)));
    }
    Ok(child_text(node, "special-arrangement").map(|code| Tariff::SpecialArrangement(word(code))))
}

fn read_rate(node: Node<'_, '_>) -> Result<Rate, PackageError> {
    if let Some(time) = child(node, "price-time") {
        let per = child(time, "length-time-unit")
            .ok_or_else(|| error_at(time, "<price-time> needs the element <length-time-unit>"))?;
        return Ok(Rate::Time { price: read_price(time)?, per: read_time(per)? });
    }
    if let Some(flat) = child(node, "flat-rate") {
        return Ok(Rate::Flat(read_price(flat)?));
    }
    if child(node, "free-charge").is_some() {
        return Ok(Rate::Free);
    }
    Ok(child_text(node, "special-code").map_or(Rate::NotAvailable, |code| Rate::SpecialCode(word(code))))
}

fn read_time(node: Node<'_, '_>) -> Result<Duration, PackageError> {
    let count = child_text(node, "time-unit").unwrap_or("1");
    let count: u64 =
        count.parse().map_err(|_| error_at(node, &format!("time-unit is {count:?}, expected a number")))?;
    let name = child_text(node, "scale").unwrap_or("one-second");
    let scale = SCALES.iter().find(|(known, _)| *known == name);
    let (_, hundredths) = scale.ok_or_else(|| {
        error_at(node, &format!("scale is {name:?}, expected one-second, one-minute or another"))
    })?;
    Ok(Duration::from_millis(count.saturating_mul(*hundredths).saturating_mul(10)))
}

fn read_recorded(node: Node<'_, '_>, is_end: bool) -> Result<Recorded, PackageError> {
    let is_total =
        is_end || child_text(node, "charging-info").is_none_or(|info| !info.eq_ignore_ascii_case("subtotal"));
    let charges = child(node, "recorded-charges");
    let cost = match charges {
        Some(charges) => match child(charges, "recorded-currency-units") {
            Some(units) => Cost::Price(read_price(units)?),
            None if child(charges, "free-charge").is_some() => Cost::Free,
            None => Cost::NotAvailable,
        },
        None => Cost::NotAvailable,
    };
    Ok(Recorded { cost, is_total, billing: child_text(node, "billing-id").map(word) })
}

fn read_price(node: Node<'_, '_>) -> Result<Price, PackageError> {
    let text = child_text(node, "currency-amount").unwrap_or_default();
    let amount = text.parse().map_err(|()| {
        let place = child(node, "currency-amount").unwrap_or(node);
        error_at(place, &format!("currency-amount is {text:?}, expected a number as 0.25"))
    })?;
    let currency = match child_text(node, "currency-id") {
        Some(unit) if ["UNIT", "UNITS"].iter().any(|known| known.eq_ignore_ascii_case(unit)) => None,
        // Without a currency it is money of one that nobody names, not units.
        currency => Some(currency.map(word).unwrap_or_default()),
    };
    Ok(Price { amount, currency })
}

/// The beginning of a text.
fn word(text: &str) -> String {
    text.chars().take(MAX_WORD).collect()
}

fn write_rate(writer: &mut xml::Writer, rate: &Rate) {
    match rate {
        Rate::Time { price, per } => {
            writer.open("price-time");
            write_price(writer, price);
            let hundredths = u64::try_from(per.as_millis() / 10).unwrap_or(u64::MAX);
            // The largest scale in which the time is a whole number.
            let fits = SCALES.iter().rev().find(|(_, scale)| hundredths % scale == 0);
            let (name, scale) = fits.copied().unwrap_or(("one-hundredth-second", 1));
            writer.open("length-time-unit").leaf("time-unit", hundredths / scale).leaf("scale", name).close();
            writer.close();
        }
        Rate::Flat(price) => {
            writer.open("flat-rate");
            write_price(writer, price);
            writer.close();
        }
        Rate::Free => {
            writer.open("free-charge").close();
        }
        Rate::SpecialCode(code) => {
            writer.leaf("special-code", code);
        }
        Rate::NotAvailable => {
            writer.open("not-available").close();
        }
    }
}

/// What is in an `aoc-d` or `aoc-e`, and its end.
fn write_recorded(writer: &mut xml::Writer, recorded: &Recorded) {
    writer.open("recorded-charges");
    match &recorded.cost {
        Cost::Price(price) => {
            writer.open("recorded-currency-units");
            write_price(writer, price);
            writer.close();
        }
        Cost::Free => {
            writer.open("free-charge").close();
        }
        Cost::NotAvailable => {
            writer.open("not-available").close();
        }
    }
    writer.close();
    if let Some(billing) = &recorded.billing {
        writer.leaf("billing-id", billing);
    }
    writer.close();
}

fn write_price(writer: &mut xml::Writer, price: &Price) {
    match price.currency.as_deref() {
        Some("") => {}
        Some(currency) => {
            writer.leaf("currency-id", currency);
        }
        None => {
            writer.leaf("currency-id", "UNIT");
        }
    }
    writer.leaf("currency-amount", price.amount);
}

/// The first document of charge among these bodies, for a message whose body has several parts.
///
/// # Errors
/// Those of [`AdviceOfCharge::parse`].
pub fn find<'a>(
    bodies: impl IntoIterator<Item = (&'a ContentType, &'a [u8])>,
) -> Result<Option<AdviceOfCharge>, PackageError> {
    let mut bodies = bodies.into_iter();
    bodies.find(|(kind, _)| kind.is(&CONTENT_TYPE)).map(|(_, body)| AdviceOfCharge::parse(body)).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn read(inner: &str) -> AdviceOfCharge {
        AdviceOfCharge::parse(document(inner).as_bytes()).unwrap()
    }

    fn document(inner: &str) -> String {
        format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?><aoc xmlns=\"{NAMESPACE}\">{inner}</aoc>")
    }

    fn euro(millionths: u64) -> Price {
        Price::new(Amount(millionths), "EUR")
    }

    /// DIN-020: BroadWorks sends the documents of TS 24.647.
    #[test]
    fn the_cost_of_a_call_grows_and_then_stays() {
        let during = |amount: &str| {
            read(&format!(
                "<aoc-d><charging-info>subtotal</charging-info><recorded-charges><recorded-currency-units>\
                 <currency-id>EUR</currency-id><currency-amount>{amount}</currency-amount></recorded-currency-units>\
                 </recorded-charges><billing-id>normal-charging</billing-id></aoc-d>"
            ))
        };
        let told = during("0.12").during.unwrap();
        assert_eq!((&told.cost, told.is_total), (&Cost::Price(euro(120_000)), false));
        assert_eq!(told.billing.as_deref(), Some("normal-charging"));
        let mut charge = CallCharge::default();
        assert_eq!(charge.text(), None);
        charge.apply(during("0.12"));
        charge.apply(during("0,2"));
        assert_eq!((charge.text().as_deref(), charge.is_final()), (Some("0.20 EUR"), false));
        charge.apply(AdviceOfCharge::end(Recorded::so_far(Cost::Price(euro(245_000)))));
        charge.apply(during("9"));
        assert_eq!((charge.text().as_deref(), charge.is_final()), (Some("0.245 EUR"), true));
        assert_eq!(charge.cost(), Some(&Cost::Price(euro(245_000))));
    }

    #[test]
    fn tariffs_are_read_by_item() {
        let advice = read(
            "<aoc-s><charged-items><basic><price-time><currency-id>EUR</currency-id><currency-amount>0.09\
             </currency-amount><length-time-unit><time-unit>6</time-unit><scale>ten-seconds</scale></length-time-unit>\
             <charging-type>step-function</charging-type></price-time></basic><communication-attempt><free-charge/>\
             </communication-attempt><communication-setup><flat-rate><currency-id>EUR</currency-id><currency-amount>\
             0.1</currency-amount></flat-rate></communication-setup><services><not-available/></services>\
             </charged-items></aoc-s>",
        );
        let per = Duration::from_secs(60);
        let items = vec![
            (ChargedItem::Basic, Rate::Time { price: euro(90_000), per }),
            (ChargedItem::Attempt, Rate::Free),
            (ChargedItem::Setup, Rate::Flat(euro(100_000))),
            (ChargedItem::Services, Rate::NotAvailable),
        ];
        assert_eq!(advice.tariff, Some(Tariff::Items(items)));
        let mut charge = CallCharge::default();
        charge.apply(advice);
        assert_eq!(charge.text().as_deref(), Some("0.09 EUR per 60 s"));
        charge.apply(AdviceOfCharge::during(Recorded::so_far(Cost::Free)));
        assert_eq!(charge.text().as_deref(), Some("free"));
        assert!(charge.tariff().is_some());
        let mut special = CallCharge::default();
        special.apply(read("<aoc-s><special-arrangement>7</special-arrangement></aoc-s>"));
        assert_eq!(special.text().as_deref(), Some("tariff 7"));
    }

    #[test]
    fn what_is_written_reads_back() {
        let rates = vec![
            (ChargedItem::Basic, Rate::Time { price: euro(1), per: Duration::from_millis(150) }),
            (ChargedItem::Attempt, Rate::Flat(Price::units(2))),
            (ChargedItem::Setup, Rate::SpecialCode("<5>".into())),
            (ChargedItem::Services, Rate::Free),
        ];
        let nameless = Price { amount: Amount(5), currency: Some(String::new()) };
        for advice in [
            AdviceOfCharge::start(Tariff::Items(rates)),
            AdviceOfCharge::start(Tariff::SpecialArrangement("1".into())),
            AdviceOfCharge::during(Recorded::total(Cost::Price(nameless))),
            AdviceOfCharge::during(Recorded {
                billing: Some("credit".into()),
                ..Recorded::so_far(Cost::NotAvailable)
            }),
            AdviceOfCharge::end(Recorded::total(Cost::Price(Price::units(3)))),
            AdviceOfCharge::end(Recorded::total(Cost::Free)),
        ] {
            assert_eq!(
                AdviceOfCharge::parse(advice.write().as_bytes()).unwrap(),
                advice,
                "{}",
                advice.write()
            );
        }
    }

    #[test]
    fn amounts_are_shown_as_people_write_them() {
        let shown = |text: &str| text.parse().map(|amount| Price::new(amount, "EUR").to_string());
        assert_eq!(shown("0"), Ok("0.00 EUR".into()));
        assert_eq!(shown("12"), Ok("12.00 EUR".into()));
        assert_eq!(shown(".5"), Ok("0.50 EUR".into()));
        assert_eq!(shown("1.2345678901"), Ok("1.234567 EUR".into()));
        for wrong in ["", ".", "-1", "1e3", "0x1", "1.2.3", "99999999999999999999", "18446744073710"] {
            assert_eq!(shown(wrong), Err(()), "{wrong}");
        }
        assert_eq!(Price::units(1).to_string(), "1 unit");
        assert_eq!(Price::units(12).to_string(), "12 units");
        let unit = read(
            "<aoc-e><recorded-charges><recorded-currency-units><currency-id>unit</currency-id>\
            <currency-amount>12</currency-amount></recorded-currency-units></recorded-charges></aoc-e>",
        );
        assert_eq!(unit.end.unwrap().cost, Cost::Price(Price::units(12)));
    }

    #[test]
    fn the_part_of_charge_is_found() {
        let body = document("<aoc-e/>");
        let sdp = ContentType::SDP;
        let found = find([(&sdp, &b"v=0"[..]), (&CONTENT_TYPE, body.as_bytes())]).unwrap().unwrap();
        assert_eq!(found.end.unwrap().cost, Cost::NotAvailable);
        assert_eq!(find([(&sdp, &b"v=0"[..])]).unwrap(), None);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        let error = |inner: &str| AdviceOfCharge::parse(document(inner).as_bytes()).unwrap_err();
        let price =
            "<recorded-currency-units><currency-amount>much</currency-amount></recorded-currency-units>";
        let wrong = error(&format!("\n<aoc-e><recorded-charges>\n{price}</recorded-charges></aoc-e>"));
        assert_eq!((wrong.line, wrong.column), (3, 26));
        assert!(wrong.what.contains("\"much\""), "{wrong}");
        let basic = |inner: &str| {
            error(&format!("<aoc-s><charged-items><basic>{inner}</basic></charged-items></aoc-s>"))
        };
        let amount = "<currency-amount>1</currency-amount>";
        assert!(basic(&format!("<price-time>{amount}</price-time>")).what.contains("length-time-unit"));
        let time =
            |inner| format!("<price-time>{amount}<length-time-unit>{inner}</length-time-unit></price-time>");
        assert!(basic(&time("<scale>one-year</scale>")).what.contains("one-year"));
        assert!(basic(&time("<time-unit>-1</time-unit>")).what.contains("time-unit"));
        AdviceOfCharge::parse(b"").unwrap_err();
        AdviceOfCharge::parse(b"<cost/>").unwrap_err();
        let endless = time("<time-unit>18446744073709551615</time-unit><scale>twenty-four-hours</scale>");
        let text = read(&format!("<aoc-s><charged-items><basic>{endless}</basic></charged-items></aoc-s>"));
        let mut charge = CallCharge::default();
        charge.apply(text);
        assert!(charge.text().is_some());
    }
}
