//! Alert-Info and Call-Info as servers write them, of which not all follow a grammar.

use alloc::vec::Vec;
use core::ops::Deref;
use sidetone_sip_core::header::{Header, Info, InfoSource};
use sidetone_sip_core::{Headers, Params};

/// Lines of one name that are looked at; the servers send one or two.
const MAX_LINES: usize = 8;

/// Every value of `H`, and of a line that cannot be read as one its `name=value` parts at least: `<http://pbx>;info=Auto Answer`
/// lacks quotes and is deployed all the same.
pub(super) fn values<H: Header + Deref<Target = Info>>(headers: &Headers) -> impl Iterator<Item = Info> {
    let readable = headers.all::<H>().take(MAX_LINES).filter_map(Result::ok).map(|value| Info::clone(&value));
    let name = H::NAME;
    // Whoever wants such values read strictly wants no guesses either.
    let most = if headers.leniency().bare_info_values { MAX_LINES } else { 0 };
    let lines = headers.raw_all(&name).take(most).filter(|line| !is_readable::<H>(line));
    let broken: Vec<Info> = lines.filter_map(parts).collect();
    readable.chain(broken)
}

fn is_readable<H: Header>(line: &[u8]) -> bool {
    let mut alone = Headers::new();
    alone.push_raw(H::NAME, line).is_ok() && alone.all::<H>().all(|value| value.is_ok())
}

/// The parameters of a line, cut at its semicolons.
fn parts(line: &[u8]) -> Option<Info> {
    let text = core::str::from_utf8(line).ok()?;
    let mut params = Params::new();
    for part in text.split(';') {
        let Some((name, value)) = part.split_once('=') else { continue };
        let name = name.trim();
        if name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') && !name.is_empty() {
            params.set(name, value.trim().trim_matches('"'));
        }
    }
    (!params.is_empty()).then_some(Info { source: InfoSource::None, params })
}
