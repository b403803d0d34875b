//! Where calls go that are not answered here: always, busy, no answer.
