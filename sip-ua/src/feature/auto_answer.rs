//! Calls that answer themselves: intercom, Call-Info and Alert-Info answer-after, barge.
