//! Text as a message carries it: UTF-8, and never a line end.

use crate::error::{InvalidValue, ParseError, ParseErrorKind};
use alloc::borrow::Cow;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use bytes::Bytes;
use core::fmt;
use core::ops::Deref;

/// UTF-8 text without CR and LF, shared with the message it was read from.
///
/// Every string inside a URI or a typed header is a `Text`, so that no value can end its header line and
/// begin another: a header injection cannot be written down. It dereferences to `str`, and a clone copies a
/// pointer.
///
/// ```
/// use sidetone_sip_core::Text;
/// assert_eq!(Text::from("Alice"), "Alice");
/// assert_eq!(Text::from("Alice\r\nContact: <sip:mallory@example.com>"), "Alice  Contact: <sip:mallory@example.com>");
/// assert!(Text::new("a\nb").is_err());
/// ```
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text(Bytes);

impl Text {
    /// No characters.
    pub const EMPTY: Self = Self(Bytes::new());

    /// The text, if it has no CR and no LF. (`Text::from` replaces them by spaces instead.)
    ///
    /// # Errors
    /// The text has a CR or an LF.
    pub fn new(text: &str) -> Result<Self, InvalidValue> {
        match line_end(text.as_bytes()) {
            Some(at) => Err(InvalidValue { at }),
            None => Ok(Self(Bytes::copy_from_slice(text.as_bytes()))),
        }
    }

    /// Text from the program itself, without a copy.
    ///
    /// # Panics
    /// The text has a CR or an LF; in a constant, the compiler says so.
    #[must_use]
    pub const fn from_static(text: &'static str) -> Self {
        let mut rest = text.as_bytes();
        while let [first, tail @ ..] = rest {
            assert!(*first != b'\r' && *first != b'\n', "a text has no line ends");
            rest = tail;
        }
        Self(Bytes::from_static(text.as_bytes()))
    }

    /// The text that `bytes` holds, without a copy.
    ///
    /// # Errors
    /// It is not UTF-8, or has a CR or LF.
    pub fn from_utf8(bytes: Bytes) -> Result<Self, ParseError> {
        check(&bytes)?;
        Ok(Self(bytes))
    }

    /// The text that `bytes` holds; what is not UTF-8 becomes U+FFFD, CR and LF become spaces.
    #[must_use]
    pub fn from_utf8_lossy(bytes: &Bytes) -> Self {
        match Self::from_utf8(bytes.clone()) {
            Ok(text) => text,
            Err(_) => Self::from(String::from_utf8_lossy(bytes).as_ref()),
        }
    }

    /// The part of `source` that `part` is. `part` must be a sub-slice of `source`.
    /// An error's place is counted in `part`.
    #[inline]
    pub(crate) fn slice(source: &Bytes, part: &[u8]) -> Result<Self, ParseError> {
        check(part)?;
        Ok(Self(sub(source, part)))
    }

    /// As [`Text::slice`], for bytes that a grammar has shown to be visible ASCII.
    #[inline]
    pub(crate) fn slice_ascii(source: &Bytes, part: &[u8]) -> Self {
        debug_assert!(
            part.is_ascii() && line_end(part).is_none(),
            "the grammar lets only visible ASCII through"
        );
        Self(sub(source, part))
    }

    /// The same for the whole of `token`.
    pub(crate) fn token(token: Bytes) -> Self {
        debug_assert!(token.is_ascii() && line_end(&token).is_none(), "a token is visible ASCII");
        Self(token)
    }

    /// The part of `source` that `part` is; what is not UTF-8 becomes U+FFFD when `lossy` says so.
    #[inline]
    pub(crate) fn slice_lossy(source: &Bytes, part: &[u8], lossy: bool) -> Result<Self, ParseError> {
        match Self::slice(source, part) {
            Err(error) if lossy && error.kind == ParseErrorKind::Utf8 => {
                Ok(Self::from(String::from_utf8_lossy(part).as_ref()))
            }
            done => done,
        }
    }

    /// The text as a string slice.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Always `Ok`: each constructor checked it. Checking again costs less than an unsafe block would.
        core::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// How many bytes it has.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it has no characters.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A part of the text; empty if the range does not begin and end at characters.
    pub(crate) fn part(&self, range: core::ops::Range<usize>) -> &str {
        self.0.get(range).and_then(|part| core::str::from_utf8(part).ok()).unwrap_or_default()
    }

    /// The shared bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &Bytes {
        &self.0
    }

    /// The shared bytes, without a copy.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        self.0
    }
}

/// Whether bytes are a text: UTF-8 without line ends.
fn check(bytes: &[u8]) -> Result<(), ParseError> {
    if is_plain(bytes) {
        return Ok(());
    }
    if let Some(at) = line_end(bytes) {
        return Err(ParseError::new(ParseErrorKind::LineEnd, at));
    }
    core::str::from_utf8(bytes)
        .map(drop)
        .map_err(|error| ParseError::new(ParseErrorKind::Utf8, error.valid_up_to()))
}

/// Whether bytes are ASCII without control characters, as nearly all text is. Eight at a time.
#[inline]
fn is_plain(bytes: &[u8]) -> bool {
    const HIGH: u64 = 0x8080_8080_8080_8080;
    const SPACES: u64 = 0x2020_2020_2020_2020;
    // A byte below a space borrows from its high bit, one beyond ASCII has it; without either nothing borrows.
    let odd = |word: [u8; 8]| {
        let word = u64::from_le_bytes(word);
        (word | word.wrapping_sub(SPACES)) & HIGH
    };
    let (words, rest) = bytes.as_chunks::<8>();
    let mut last = [b' '; 8];
    last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
    words.iter().fold(odd(last), |all, word| all | odd(*word)) == 0
}

/// Where `part`, a sub-slice of `source`, begins in it.
#[inline]
pub(crate) fn offset(source: &[u8], part: &[u8]) -> usize {
    (part.as_ptr() as usize).saturating_sub(source.as_ptr() as usize).min(source.len())
}

/// `part` as a slice that shares `source`'s memory; `part` must be a sub-slice of `source`.
#[inline]
pub(crate) fn sub(source: &Bytes, part: &[u8]) -> Bytes {
    let start = offset(source, part);
    source.slice(start..(start + part.len()).min(source.len()))
}

/// Where the first CR or LF is. Eight bytes at a time while the line may still be a usual one, for which a call of `memchr2`
/// costs more than it saves.
#[inline]
pub(crate) fn line_end(bytes: &[u8]) -> Option<usize> {
    const USUAL: usize = 128;
    const ONES: u64 = 0x0101_0101_0101_0101;
    const ABOVE_CR: u64 = ONES * (b'\r' as u64 + 1);
    let mut at = 0;
    for word in bytes.as_chunks::<8>().0.iter().take(USUAL / 8) {
        // A byte up to CR borrows into its high bit; the lowest that does is the first.
        let word = u64::from_le_bytes(*word);
        let low = word.wrapping_sub(ABOVE_CR) & !word & (ONES << 7);
        if low != 0 {
            let first = at + low.trailing_zeros() as usize / 8;
            if let Some(b'\r' | b'\n') = bytes.get(first) {
                return Some(first);
            }
            // A tab, or what no message should have.
            break;
        }
        at += 8;
    }
    memchr::memchr2(b'\r', b'\n', bytes.get(at..)?).map(|found| at + found)
}

/// `text` with a space for each CR and LF.
pub(crate) fn one_line(text: &str) -> Cow<'_, str> {
    match line_end(text.as_bytes()) {
        None => Cow::Borrowed(text),
        Some(_) => Cow::Owned(text.replace(['\r', '\n'], " ")),
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        match one_line(text) {
            Cow::Borrowed(text) => Self(Bytes::copy_from_slice(text.as_bytes())),
            Cow::Owned(text) => Self(Bytes::from(text)),
        }
    }
}

impl From<&String> for Text {
    fn from(text: &String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        if line_end(text.as_bytes()).is_some() { Self::from(text.as_str()) } else { Self(Bytes::from(text)) }
    }
}

impl From<Cow<'_, str>> for Text {
    fn from(text: Cow<'_, str>) -> Self {
        match text {
            Cow::Borrowed(text) => Self::from(text),
            Cow::Owned(text) => Self::from(text),
        }
    }
}

impl From<Text> for String {
    fn from(text: Text) -> Self {
        text.as_str().to_string()
    }
}

impl From<Text> for Vec<u8> {
    fn from(text: Text) -> Self {
        text.0.to_vec()
    }
}

impl Deref for Text {
    type Target = str;
    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for Text {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<[u8]> for Text {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        self.0 == other.as_bytes()
    }
}

impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        self.0 == other.as_bytes()
    }
}

impl PartialEq<String> for Text {
    fn eq(&self, other: &String) -> bool {
        self.0 == other.as_bytes()
    }
}

impl PartialEq<Text> for str {
    fn eq(&self, other: &Text) -> bool {
        other == self
    }
}

impl PartialEq<Text> for &str {
    fn eq(&self, other: &Text) -> bool {
        other == *self
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn line_ends_are_found_wherever_they_are() {
        for len in 0..300 {
            for filler in [b'a', b'\t', 0, 0x0E, 0x7F, 0x80, 0xFF] {
                let mut text = vec![filler; len];
                assert_eq!(line_end(&text), None, "{len} of {filler}");
                for at in (0..len).rev() {
                    if let Some(byte) = text.get_mut(at) {
                        *byte = if at % 2 == 0 { b'\r' } else { b'\n' };
                    }
                    assert_eq!(line_end(&text), Some(at), "{len} of {filler}");
                }
            }
        }
    }
}
