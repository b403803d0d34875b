//! Character classes of RFC 3261 §25.1, one bit each, in a table made when compiled.

/// `token`.
pub(crate) const TOKEN: u16 = 1;
/// `unreserved` / `user-unreserved`: what the user part of a URI is made of, beside escapes.
pub(crate) const USER: u16 = 1 << 1;
/// What the password of a URI is made of, beside escapes.
pub(crate) const PASSWORD: u16 = 1 << 2;
/// `paramchar` of a URI parameter, beside escapes, and `=` (see [`crate::Uri`] on leniency).
pub(crate) const URI_PARAM: u16 = 1 << 3;
/// `hnv-unreserved` / `unreserved` of the headers of a URI, with their `=` and `&`, beside escapes.
pub(crate) const URI_HEADER: u16 = 1 << 4;
/// `uric`: what an absolute URI of another scheme is made of, beside escapes.
pub(crate) const URIC: u16 = 1 << 5;
/// Letters, digits, `-`, `.`, `_`: host names (RFC 3261 has no `_`, the world does).
pub(crate) const HOST: u16 = 1 << 6;
/// What a header parameter's unquoted value is made of: `token`, `host`, and what ends nothing.
pub(crate) const VALUE: u16 = 1 << 7;
/// What an unquoted display name is made of: `token`, space, tab and non-ASCII.
pub(crate) const DISPLAY: u16 = 1 << 8;
/// What a Call-ID is made of: `word` and `@`.
pub(crate) const CALL_ID: u16 = 1 << 9;
/// Letters, digits, `+`, `-`, `.`: URI schemes.
pub(crate) const SCHEME: u16 = 1 << 10;

static CLASSES: [u16; 256] = table();

#[expect(clippy::indexing_slicing, reason = "computed when compiled")]
const fn table() -> [u16; 256] {
    const SETS: &[(u16, &[u8])] = &[
        (TOKEN, b"-.!%*_+`'~"),
        (USER, b"-_.!~*'()&=+$,;?/"),
        (PASSWORD, b"-_.!~*'()&=+$,"),
        (URI_PARAM, b"-_.!~*'()[]/:&+$="),
        (URI_HEADER, b"-_.!~*'()[]/?:+$=&"),
        (URIC, b"-_.!~*'();/?:@&=+$,[]#"),
        (HOST, b"-._"),
        (VALUE, b"-.!%*_+`'~[]:/@=?&$#()^{}|"),
        (DISPLAY, b"-.!%*_+`'~ \t"),
        (CALL_ID, b"-.!%*_+`'~()<>:\\\"/[]?{}@"),
        (SCHEME, b"+-."),
    ];
    const LETTERS: u16 =
        TOKEN | USER | PASSWORD | URI_PARAM | URI_HEADER | URIC | HOST | VALUE | DISPLAY | SCHEME | CALL_ID;
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        if (byte as u8).is_ascii_alphanumeric() {
            table[byte] = LETTERS;
        } else if byte >= 0x80 {
            table[byte] = DISPLAY;
        }
        byte += 1;
    }
    let mut set = 0;
    while set < SETS.len() {
        let (class, members) = SETS[set];
        let mut member = 0;
        while member < members.len() {
            table[members[member] as usize] |= class;
            member += 1;
        }
        set += 1;
    }
    table
}

/// Whether the byte is in one of the classes.
#[inline]
#[expect(clippy::indexing_slicing, reason = "a byte is below 256, the length of the table")]
pub(crate) const fn is(byte: u8, classes: u16) -> bool {
    CLASSES[byte as usize] & classes != 0
}

/// How many bytes at the front are in one of the classes. Four at a time.
#[inline]
pub(crate) fn span(bytes: &[u8], classes: u16) -> usize {
    let (fours, rest) = bytes.as_chunks::<4>();
    let mut at = 0;
    for [a, b, c, d] in fours {
        if !is(*a, classes) {
            return at;
        } else if !is(*b, classes) {
            return at + 1;
        } else if !is(*c, classes) {
            return at + 2;
        } else if !is(*d, classes) {
            return at + 3;
        }
        at += 4;
    }
    at + rest.iter().position(|&byte| !is(byte, classes)).unwrap_or(rest.len())
}

/// Where the first such byte is: as `memchr`, without a call, which costs more than it saves over the few bytes of a header
/// value. Eight at a time.
#[inline]
pub(crate) fn find(byte: u8, bytes: &[u8]) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let (words, rest) = bytes.as_chunks::<8>();
    for (at, word) in words.iter().enumerate() {
        // What is looked for becomes zero, and the lowest zero is the first that borrows into its high bit.
        let word = u64::from_le_bytes(*word) ^ (ONES * u64::from(byte));
        let found = word.wrapping_sub(ONES) & !word & (ONES << 7);
        if found != 0 {
            return Some(at * 8 + found.trailing_zeros() as usize / 8);
        }
    }
    rest.iter().position(|&other| other == byte).map(|at| words.len() * 8 + at)
}

/// Whether every byte is in one of the classes.
#[inline]
pub(crate) fn all(bytes: &[u8], classes: u16) -> bool {
    bytes.iter().all(|&byte| is(byte, classes))
}

/// Where the first byte is that is neither in the classes nor part of a `%HH` escape.
#[inline]
pub(crate) fn escaped_error(bytes: &[u8], classes: u16) -> Option<usize> {
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        if is(byte, classes) && byte != b'%' {
            at += 1;
        } else if byte == b'%' && escape_at(bytes, at).is_some() {
            at += 3;
        } else {
            return Some(at);
        }
    }
    None
}

/// The byte that the escape `%HH` at `at` stands for.
pub(crate) fn escape_at(bytes: &[u8], at: usize) -> Option<u8> {
    match bytes.get(at..at + 3)? {
        [b'%', high, low] => {
            let high = char::from(*high).to_digit(16)?;
            let low = char::from(*low).to_digit(16)?;
            u8::try_from(high * 16 + low).ok()
        }
        _ => None,
    }
}

/// Space or tab.
#[inline]
pub(crate) const fn is_space(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

/// The bytes without spaces and tabs at both ends.
#[inline]
pub(crate) fn trim(mut bytes: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = bytes
        && is_space(*first)
    {
        bytes = rest;
    }
    while let [rest @ .., last] = bytes
        && is_space(*last)
    {
        bytes = rest;
    }
    bytes
}

/// A decimal number of any length; larger than `u32::MAX` becomes that. `None` when it is not all digits.
#[inline]
pub(crate) fn saturating_number(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() {
        return None;
    }
    // So few cannot overflow.
    if digits.len() < 10 {
        let mut value = 0;
        for digit in digits {
            let digit = digit.wrapping_sub(b'0');
            if digit > 9 {
                return None;
            }
            value = value * 10 + u32::from(digit);
        }
        return Some(value);
    }
    digits.iter().try_fold(0_u32, |value, digit| {
        let digit = char::from(*digit).to_digit(10)?;
        Some(value.saturating_mul(10).saturating_add(digit))
    })
}

/// A decimal number that fits; leading zeros are legal (RFC 4475 §3.1.1.1).
#[inline]
pub(crate) fn number(digits: &[u8]) -> Option<u32> {
    let value = saturating_number(digits)?;
    // Only a number that did not fit saturates, except the largest itself.
    let fits = value < u32::MAX || trim_zeros(digits) == b"4294967295";
    fits.then_some(value)
}

fn trim_zeros(mut digits: &[u8]) -> &[u8] {
    while let [b'0', rest @ ..] = digits {
        digits = rest;
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_follow_the_grammar() {
        assert!(all(b"az09AZ-.!%*_+`'~", TOKEN) && !is(b'@', TOKEN) && !is(b' ', TOKEN) && !is(0x80, TOKEN));
        assert!(!is(b'@', USER) && !is(b'%', USER) && is(b';', USER));
        assert_eq!(escaped_error(b"a%40b", USER), None);
        assert_eq!(escaped_error(b"a%4gb", USER), Some(1));
        assert_eq!(escaped_error(b"a%4", USER), Some(1));
        assert_eq!(escape_at(b"%fF", 0), Some(255));
    }

    #[test]
    fn a_byte_is_found_where_it_is_first() {
        let text = b">>ab\x3dc\x3fd>\xbe\x00\xffe>fgh:i";
        for byte in 0..=255 {
            for begin in 0..text.len() {
                let part = text.get(begin..).unwrap_or_default();
                let first = part.iter().position(|&other| other == byte);
                assert_eq!(find(byte, part), first, "{byte} from {begin}");
            }
        }
    }

    #[test]
    fn numbers_never_wrap() {
        assert_eq!((number(b"123456789"), number(b"1234567890")), (Some(123_456_789), Some(1_234_567_890)));
        assert_eq!((saturating_number(b"12/4"), saturating_number(b"12:4")), (None, None));
        assert_eq!(number(b"0009"), Some(9));
        assert_eq!(number(b"4294967295"), Some(u32::MAX));
        assert_eq!(number(b"0004294967295"), Some(u32::MAX));
        assert_eq!(number(b"4294967296"), None);
        assert_eq!(saturating_number(b"99999999999999999999"), Some(u32::MAX));
        assert_eq!((number(b""), number(b"-1"), number(b"1a")), (None, None, None));
    }
}
