//! Events that wait to be fetched, in memory taken once.

use super::StreamEvent;
use std::collections::VecDeque;

/// Events that wait at most; further ones are lost until some are fetched.
const EVENTS: usize = 64;

#[derive(Debug)]
pub(super) struct Events {
    queue: VecDeque<StreamEvent>,
}

impl Events {
    pub(super) fn new() -> Self {
        Self { queue: VecDeque::with_capacity(EVENTS) }
    }

    pub(super) fn push(&mut self, event: StreamEvent) {
        if self.queue.len() < EVENTS {
            self.queue.push_back(event);
        }
    }

    pub(super) fn pop(&mut self) -> Option<StreamEvent> {
        self.queue.pop_front()
    }
}
