//! A slow, obvious matcher: rules as lists of parts, tried one after the other with backtracking. It shares nothing with the crate.

use core::fmt::Write as _;

/// A part of a rule.
#[derive(Clone, Debug)]
pub(crate) enum Part {
    /// One of these keys; as often as there are, if it is repeated. What is written for it.
    Keys { keys: Keys, repeated: bool, text: String },
    /// Parts, and what goes out instead of what they took.
    Instead { before: Vec<Self>, after: String },
}

#[derive(Clone, Debug)]
pub(crate) enum Keys {
    Digit,
    Of(Vec<char>),
}

impl Keys {
    fn has(&self, key: char) -> bool {
        match self {
            Self::Digit => key.is_ascii_digit(),
            Self::Of(keys) => keys.contains(&key),
        }
    }

    /// The same for a regular expression.
    pub(crate) fn regex(&self) -> String {
        match self {
            Self::Digit => "[0-9]".to_owned(),
            Self::Of(keys) => format!("[{}]", keys.iter().collect::<String>()),
        }
    }
}

/// Writes the parts as a digit map has them.
pub(crate) fn written(parts: &[Part]) -> String {
    let mut all = String::new();
    for part in parts {
        match part {
            Part::Keys { text, repeated, .. } => {
                write!(all, "{text}{}", if *repeated { "." } else { "" }).unwrap()
            }
            Part::Instead { before, after } => write!(all, "<{}:{after}>", written(before)).unwrap(),
        }
    }
    all
}

/// What goes out if the parts match the whole number; earlier ones take as much as they can.
pub(crate) fn matches(parts: &[Part], number: &[char]) -> Option<String> {
    let Some((first, rest)) = parts.split_first() else { return number.is_empty().then(String::new) };
    let most = match first {
        Part::Keys { repeated: false, .. } => 1,
        _ => number.len(),
    };
    for length in (0..=most.min(number.len())).rev() {
        let (taken, left) = number.split_at(length);
        if !takes(first, taken) {
            continue;
        }
        if let Some(out) = matches(rest, left) {
            return Some(match first {
                Part::Instead { after, .. } => after.clone() + &out,
                Part::Keys { .. } => taken.iter().collect::<String>() + &out,
            });
        }
    }
    None
}

fn takes(part: &Part, taken: &[char]) -> bool {
    match part {
        Part::Keys { keys, .. } => !taken.is_empty() && taken.iter().all(|key| keys.has(*key)),
        Part::Instead { before, .. } => matches(before, taken).is_some(),
    }
}

/// Whether the parts match the number with at least one more key behind it. No set of keys is empty, so whatever is missing can be
/// pressed.
pub(crate) fn goes_on(parts: &[Part], number: &[char]) -> bool {
    fn from(parts: &[Part], number: &[char]) -> bool {
        let Some((Part::Keys { keys, repeated, .. }, rest)) = parts.split_first() else { return false };
        let Some((key, left)) = number.split_first() else { return true };
        keys.has(*key) && (from(rest, left) || *repeated && (left.is_empty() || from(parts, left)))
    }
    from(&flat(parts), number)
}

fn flat(parts: &[Part]) -> Vec<Part> {
    let keys = |part: &Part| match part {
        Part::Keys { .. } => vec![part.clone()],
        Part::Instead { before, .. } => flat(before),
    };
    parts.iter().flat_map(keys).collect()
}
