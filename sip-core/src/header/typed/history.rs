//! History-Info: where a request was sent before it came here, and why it moved on (RFC 7044).

use super::address::address;
use super::notice::Reason;
use super::privacy::Privacy;
use crate::error::{ParseError, ParseErrorKind};
use crate::header::{Header, Headers};
use crate::parse::class;
use crate::uri::Uri;
use alloc::string::ToString;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

address! {
    /// One value of History-Info: a URI that the request was sent to, with its place in the tree of retargetings.
    ///
    /// ```
    /// use sidetone_sip_core::header::{HistoryInfo, HistoryTarget};
    /// let entry: HistoryInfo =
    ///     "<sip:bob@192.0.2.5?Reason=SIP%3Bcause%3D302&Privacy=history>;index=1.2.1;rc=1.2".parse().unwrap();
    /// assert_eq!(entry.index().unwrap().to_string(), "1.2.1");
    /// assert_eq!(entry.target(), Some(HistoryTarget::Contact("1.2".parse().unwrap())));
    /// assert_eq!(entry.reason().unwrap().unwrap().cause(), Some(302));
    /// assert!(entry.privacy().unwrap().unwrap().has("history"));
    /// ```
    HistoryInfo = HISTORY_INFO, list: true;
}

/// How a target was found (RFC 7044 §10.2), with the index of the entry whose URI it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HistoryTarget {
    /// `rc`: from a Contact that is bound to the address, or a redirection.
    Contact(HistoryIndex),
    /// `mp`: to another user, as a forwarding does.
    Mapped(HistoryIndex),
    /// `np`: as the request was, to the next hop.
    Unchanged(HistoryIndex),
}

impl HistoryInfo {
    /// An entry for `uri` at `index`.
    #[must_use]
    pub fn at(uri: Uri, index: &HistoryIndex) -> Self {
        let mut entry = Self::new(uri);
        entry.params.set("index", &index.to_string());
        entry
    }

    /// The same, saying how the target was found.
    #[must_use]
    pub fn with_target(mut self, target: &HistoryTarget) -> Self {
        let (name, index) = match target {
            HistoryTarget::Contact(index) => ("rc", index),
            HistoryTarget::Mapped(index) => ("mp", index),
            HistoryTarget::Unchanged(index) => ("np", index),
        };
        self.params.set(name, &index.to_string());
        self
    }

    /// The same with the reason for which the request left this target, kept in the URI.
    #[must_use]
    pub fn with_reason(mut self, reason: &Reason) -> Self {
        self.uri.push_header(reason);
        self
    }

    /// The same with what of the entry must be hidden, kept in the URI.
    #[must_use]
    pub fn with_privacy(mut self, privacy: &Privacy) -> Self {
        self.uri.push_header(privacy);
        self
    }

    /// The place in the tree; `None` when it is missing or wrong.
    #[must_use]
    pub fn index(&self) -> Option<HistoryIndex> {
        self.params.get("index")?.parse().ok()
    }

    /// How the target was found.
    #[must_use]
    pub fn target(&self) -> Option<HistoryTarget> {
        let index = |name: &str| self.params.get(name)?.parse().ok();
        index("rc")
            .map(HistoryTarget::Contact)
            .or_else(|| index("mp").map(HistoryTarget::Mapped))
            .or_else(|| index("np").map(HistoryTarget::Unchanged))
    }

    /// The first reason in the URI's headers: why the request moved on.
    #[must_use]
    pub fn reason(&self) -> Option<Result<Reason, ParseError>> {
        self.embedded()
    }

    /// The privacy in the URI's headers.
    #[must_use]
    pub fn privacy(&self) -> Option<Result<Privacy, ParseError>> {
        self.embedded()
    }

    fn embedded<H: Header>(&self) -> Option<Result<H, ParseError>> {
        self.uri.header_fields().map_or_else(|error| Some(Err(error)), |headers: Headers| headers.get())
    }
}

/// The place of an entry in the tree of History-Info: `1`, `1.1`, `1.2.1` (RFC 7044 §10.3). Ordered as the entries are.
///
/// ```
/// use sidetone_sip_core::header::HistoryIndex;
/// let first: HistoryIndex = "1".parse().unwrap();
/// assert_eq!(first.child(1).to_string(), "1.1");
/// assert_eq!("1.2.1".parse::<HistoryIndex>().unwrap().parent().unwrap().to_string(), "1.2");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HistoryIndex(Vec<u32>);

impl HistoryIndex {
    /// Levels that an index may have: a request has no more hops than Max-Forwards lets it.
    const MOST: usize = 256;

    /// The first entry of a request: `1`.
    #[must_use]
    pub fn first() -> Self {
        Self(alloc::vec![1])
    }

    /// The `number`th target that this one was sent on to.
    #[must_use]
    pub fn child(&self, number: u32) -> Self {
        let mut index = self.0.clone();
        index.push(number);
        Self(index)
    }

    /// The entry that this one came from; `None` for the first.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        match self.0.as_slice() {
            [parent @ .., _] if !parent.is_empty() => Some(Self(parent.to_vec())),
            _ => None,
        }
    }

    /// The numbers, from the root on.
    #[must_use]
    pub fn numbers(&self) -> &[u32] {
        &self.0
    }
}

impl FromStr for HistoryIndex {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Self, ParseError> {
        let numbers = text.split('.').take(Self::MOST + 1).map(|number| class::number(number.as_bytes()));
        match numbers.collect::<Option<Vec<_>>>() {
            Some(numbers) if numbers.len() <= Self::MOST => Ok(Self(numbers)),
            Some(_) => Err(ParseError::new(ParseErrorKind::Range, 0)),
            None => Err(ParseError::new(ParseErrorKind::Number, 0)),
        }
    }
}

impl fmt::Display for HistoryIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().enumerate().try_for_each(|(at, number)| {
            f.write_str(if at == 0 { "" } else { "." })?;
            number.fmt(f)
        })
    }
}
