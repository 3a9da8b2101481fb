//! Initiations of one peer that come all at once: it repeated them while this machine slept, and they waited in the sockets. The
//! first is answered, and of the others the newest, 20 ms later: the peer believes an answer to its newest alone, and every
//! answer makes a session that pushes one out of the few that a tunnel keeps, the one in use among them.

use std::time::{Duration, Instant};

use crate::pipeline::Via;
use crate::tunnel::{Key, Verified};

/// As close as initiations of one peer are answered.
pub const SPACING: Duration = Duration::from_millis(20);

/// An initiation that waits.
pub struct Held {
    pub key: Key,
    pub via: Via,
    pub verified: Verified,
    pub len: u64,
}

/// What waits, at most one a peer of the map.
#[derive(Default)]
pub struct Crowd {
    held: Vec<Held>,
    at: Option<Instant>,
}

impl Crowd {
    /// Holds the newest of its peer until `at`, or until what waits already is due.
    pub fn hold(&mut self, at: Instant, one: Held) {
        self.held.retain(|held| held.key != one.key);
        self.held.push(one);
        self.at.get_or_insert(at);
    }

    pub fn next_timeout(&self) -> Option<Instant> {
        self.at
    }

    /// What is due, in the order in which it came.
    pub fn take_due(&mut self, now: Instant) -> Vec<Held> {
        if self.at.is_none_or(|at| at > now) {
            return Vec::new();
        }
        self.at = None;
        std::mem::take(&mut self.held)
    }
}
