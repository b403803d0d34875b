//! Which of the streams that come in is the page that plays: packets in, decisions out.

use super::{Ignored, PageRules, PhoneState, Priority};
use crate::rtp::Packet;
use core::net::SocketAddr;
use sidetone_hal::time::{Duration, Instant};
use std::collections::VecDeque;

/// Packets of one source that make a page: a single stray one makes none.
const PROBATION: u8 = 2;
/// A stray packet is forgotten after this, and another source may begin.
const STRAY: Duration = Duration::from_millis(100);
/// Events that wait at most; the oldest goes.
const MAX_EVENTS: usize = 32;

/// Why a page ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PageEnd {
    /// Its sender stopped.
    Stopped,
    /// A page of a higher priority took its place.
    Replaced {
        /// Of that one.
        by: Priority,
    },
    /// What the phone does now has a higher priority.
    Refused(Ignored),
    /// [`Selector::dismiss`] was called.
    Dismissed,
}

/// What is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PageEvent {
    /// A page plays from now on.
    Started {
        /// The number of its listening address.
        priority: Priority,
        /// Who sends it.
        source: SocketAddr,
    },
    /// A page is not played; said once for each, until something changes.
    Ignored {
        /// The number of its listening address.
        priority: Priority,
        /// Who sends it.
        source: SocketAddr,
        /// Why.
        reason: Ignored,
    },
    /// The page that played does so no longer.
    Ended {
        /// The number of its listening address.
        priority: Priority,
        /// Why.
        reason: PageEnd,
    },
}

/// What to do with a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PacketFate {
    /// It is of the page that plays.
    Play,
    /// It is the first of a page that plays from now on.
    Begin,
    /// It is not to be heard.
    Drop,
}

/// Who sends to a listening address.
#[derive(Clone, Copy, Debug)]
struct Sender {
    source: SocketAddr,
    ssrc: u32,
    last: Instant,
    packets: u8,
    /// The user ended it.
    dismissed: bool,
    /// What was told of it.
    told: Option<Ignored>,
}

/// Decides about pages. It knows neither sockets nor sound: [`PageListener`](super::PageListener) has it and plays.
///
/// A page is a source that sends to one of the listening addresses; the first of two sources at one address counts, for
/// as long as it sends. A page that had to be ignored plays from where it is as soon as the rules allow it.
#[derive(Clone, Debug)]
pub struct Selector {
    rules: PageRules,
    timeout: Duration,
    phone: PhoneState,
    senders: Vec<Option<Sender>>,
    playing: Option<Priority>,
    events: VecDeque<PageEvent>,
}

impl Selector {
    /// For `addresses` listening addresses. A page is over when nothing of it comes for `timeout`.
    #[must_use]
    pub fn new(addresses: usize, rules: PageRules, timeout: Duration) -> Self {
        Self {
            rules,
            timeout,
            phone: PhoneState::default(),
            senders: vec![None; addresses],
            playing: None,
            events: VecDeque::with_capacity(MAX_EVENTS),
        }
    }

    /// The page that plays.
    #[must_use]
    pub const fn playing(&self) -> Option<Priority> {
        self.playing
    }

    /// An RTP packet came to the listening address of this priority.
    pub fn handle(
        &mut self,
        now: Instant,
        priority: Priority,
        source: SocketAddr,
        packet: &Packet<'_>,
    ) -> PacketFate {
        self.handle_timeout(now);
        let timeout = self.timeout;
        let Some(place) = self.place(priority) else { return PacketFate::Drop };
        let lifetime =
            |sender: &Sender| if sender.packets < PROBATION { STRAY.min(timeout) } else { timeout };
        let known = place.filter(|sender| now - sender.last < lifetime(sender));
        let mut sender = match known {
            Some(sender) if (sender.source, sender.ssrc) == (source, packet.ssrc) => sender,
            // Another one talks at the same address, and was first.
            Some(_) => return PacketFate::Drop,
            None => Sender { source, ssrc: packet.ssrc, last: now, packets: 0, dismissed: false, told: None },
        };
        sender.last = now;
        sender.packets = (sender.packets + 1).min(PROBATION);
        let fate = self.judge(priority, &mut sender);
        if let Some(place) = self.place(priority) {
            *place = Some(sender);
        }
        fate
    }

    fn judge(&mut self, priority: Priority, sender: &mut Sender) -> PacketFate {
        if self.playing == Some(priority) {
            return PacketFate::Play;
        }
        if sender.packets < PROBATION || sender.dismissed {
            return PacketFate::Drop;
        }
        let source = sender.source;
        match self.rules.judge(self.phone, self.playing, priority) {
            Ok(()) => {
                self.end(PageEnd::Replaced { by: priority });
                sender.told = None;
                self.playing = Some(priority);
                self.push(PageEvent::Started { priority, source });
                PacketFate::Begin
            }
            Err(reason) => {
                if sender.told.replace(reason) != Some(reason) {
                    self.push(PageEvent::Ignored { priority, source, reason });
                }
                PacketFate::Drop
            }
        }
    }

    /// A call began or ended, and so on: a page that may not play any more ends.
    pub fn set_phone(&mut self, now: Instant, phone: PhoneState) {
        self.handle_timeout(now);
        self.phone = phone;
        self.judge_again();
    }

    /// The settings changed: a page that may not play any more ends.
    pub fn set_rules(&mut self, now: Instant, rules: PageRules) {
        self.handle_timeout(now);
        self.rules = rules;
        self.judge_again();
    }

    fn judge_again(&mut self) {
        if let Some(playing) = self.playing
            && let Err(reason) = self.rules.judge(self.phone, None, playing)
        {
            self.end(PageEnd::Refused(reason));
        }
    }

    /// The user has heard enough: the page that plays ends, and is not heard again until its sender pauses.
    pub fn dismiss(&mut self, now: Instant) {
        self.handle_timeout(now);
        if let Some(Some(sender)) = self.playing.and_then(|priority| self.place(priority)) {
            sender.dismissed = true;
        }
        self.end(PageEnd::Dismissed);
    }

    /// When to call [`handle_timeout`](Self::handle_timeout).
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let index = usize::from(self.playing?.checked_sub(1)?);
        self.senders.get(index)?.map(|sender| sender.last + self.timeout)
    }

    /// Ends the page whose sender fell silent.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.poll_timeout().is_some_and(|at| at <= now) {
            self.end(PageEnd::Stopped);
        }
    }

    /// What was decided next.
    pub fn poll_event(&mut self) -> Option<PageEvent> {
        self.events.pop_front()
    }

    fn place(&mut self, priority: Priority) -> Option<&mut Option<Sender>> {
        self.senders.get_mut(usize::from(priority.checked_sub(1)?))
    }

    fn end(&mut self, reason: PageEnd) {
        if let Some(priority) = self.playing.take() {
            self.push(PageEvent::Ended { priority, reason });
        }
    }

    fn push(&mut self, event: PageEvent) {
        if self.events.len() == MAX_EVENTS {
            self.events.pop_front();
        }
        self.events.push_back(event);
    }
}
