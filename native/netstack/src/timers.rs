//! One heap of deadlines for everything in the netstack.
//!
//! Entries are never taken back: whoever is named by a due entry looks at its own deadline and, if that
//! has moved, sets a new entry. A stale name is therefore harmless.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

/// Whom a deadline is for; the number is a slot in the table of that kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Due {
    Flow(usize),
    InboundDial(usize),
    Race(usize),
    Client(usize),
    Request(u64),
    Listener(usize),
    Udp(usize),
    UdpClient(usize),
    EngineDatagram(u64),
    Exchange(u64),
    Ping(u16),
    Echo(u16),
}

#[derive(Default)]
pub(crate) struct Timers {
    heap: BinaryHeap<Reverse<(Instant, Due)>>,
}

impl Timers {
    pub fn set(&mut self, at: Instant, due: Due) {
        self.heap.push(Reverse((at, due)));
    }

    pub fn take_due(&mut self, now: Instant) -> Option<Due> {
        let Reverse((at, due)) = *self.heap.peek()?;
        if at > now {
            return None;
        }
        self.heap.pop();
        Some(due)
    }

    pub fn next(&self, now: Instant) -> Option<Duration> {
        self.heap
            .peek()
            .map(|Reverse((at, _))| at.saturating_duration_since(now))
    }
}
