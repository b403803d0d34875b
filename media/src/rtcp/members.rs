//! Who takes part in a session, as the intervals of RTCP need it (RFC 3550 §6.3.3 to §6.3.5, §6.3.7).

use sidetone_hal::time::{Duration, Instant};

/// The most participants that are known by name; those beyond are not counted.
pub const MAX_MEMBERS: usize = 64;
/// Intervals of silence after which one is no longer a member (§6.3.5).
const MEMBER_INTERVALS: u32 = 5;
/// Intervals after which one is no longer a sender.
const SENDER_INTERVALS: u32 = 2;

#[derive(Clone, Copy, Debug)]
struct Member {
    ssrc: u32,
    heard: Instant,
    /// When media came last.
    sent: Option<Instant>,
}

/// The other participants of a session, in memory taken once.
#[derive(Clone, Debug)]
pub struct Members {
    table: Vec<Member>,
}

impl Members {
    /// Nobody.
    #[must_use]
    pub fn new() -> Self {
        Self { table: Vec::with_capacity(MAX_MEMBERS) }
    }

    /// Something of `ssrc` came: media if `media`, else a report or a mention as a contributing source.
    pub fn heard(&mut self, now: Instant, ssrc: u32, media: bool) {
        if let Some(member) = self.table.iter_mut().find(|member| member.ssrc == ssrc) {
            member.heard = now;
            if media {
                member.sent = Some(now);
            }
        } else if self.table.len() < MAX_MEMBERS {
            self.table.push(Member { ssrc, heard: now, sent: media.then_some(now) });
        }
    }

    /// `ssrc` said BYE.
    pub fn left(&mut self, ssrc: u32) {
        self.table.retain(|member| member.ssrc != ssrc);
    }

    /// Forgets who was silent too long; `interval` is the mean time between reports.
    pub fn expire(&mut self, now: Instant, interval: Duration) {
        self.table.retain_mut(|member| {
            member.sent = member.sent.filter(|at| now - *at < interval * SENDER_INTERVALS);
            now - member.heard < interval * MEMBER_INTERVALS
        });
    }

    /// How many others there are.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.table.len() as u32
    }

    /// How many of them send.
    #[must_use]
    pub fn senders(&self) -> u32 {
        self.table.iter().filter(|member| member.sent.is_some()).count() as u32
    }
}

impl Default for Members {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_counted_forgotten_and_bounded() {
        let interval = Duration::from_secs(5);
        let mut members = Members::new();
        for second in 0..60 {
            let now = Instant::from_millis(second * 1000);
            members.heard(now, 1, true);
            if second < 20 {
                members.heard(now, 2, second < 5);
            }
            members.expire(now, interval);
            let expected = match second {
                0..5 => (2, 2),
                5..14 => (2, 2),
                14..44 => (2, 1),
                _ => (1, 1),
            };
            assert_eq!((members.count(), members.senders()), expected, "second {second}");
        }
        members.left(1);
        assert_eq!(members.count(), 0);
        for ssrc in 0..1000 {
            members.heard(Instant::ZERO, ssrc, false);
        }
        assert_eq!(members.count() as usize, MAX_MEMBERS);
    }
}
