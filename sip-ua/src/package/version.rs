//! Versions of documents that come one after the other, of which each may tell changes only.

/// What became of a document that was to be merged into what is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[must_use = "a gap asks for the whole state"]
pub enum Merged {
    /// It is part of what is known now.
    Applied,
    /// It is not newer than what is known, and changed nothing.
    Stale,
    /// Changes before it are missing, and it changed nothing: ask for the whole state, by a refresh of the subscription.
    Gap,
}

/// What is to become of a document of this version, after the last one; `None` for a version stands for the next one, as
/// some servers leave it out.
pub(super) fn judge(last: Option<u32>, version: Option<u32>, is_full: bool) -> Merged {
    let (Some(last), Some(version)) = (last, version) else {
        return if is_full || last.is_some() { Merged::Applied } else { Merged::Gap };
    };
    match version.checked_sub(last) {
        None | Some(0) => Merged::Stale,
        Some(1) => Merged::Applied,
        Some(_) if is_full => Merged::Applied,
        Some(_) => Merged::Gap,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_apply_in_turn_and_whole_states_always_when_newer() {
        assert_eq!(judge(None, Some(7), true), Merged::Applied);
        assert_eq!(judge(None, Some(7), false), Merged::Gap);
        assert_eq!(judge(Some(7), Some(8), false), Merged::Applied);
        assert_eq!(judge(Some(7), Some(9), false), Merged::Gap);
        assert_eq!(judge(Some(7), Some(9), true), Merged::Applied);
        assert_eq!(judge(Some(7), Some(7), true), Merged::Stale);
        assert_eq!(judge(Some(7), Some(0), true), Merged::Stale);
        assert_eq!(judge(Some(7), None, false), Merged::Applied);
        assert_eq!(judge(None, None, false), Merged::Gap);
    }
}
