//! Which refused packets are told as events: the first of a kind at once, its repetitions once a second with their number,
//! all of it within a rate. So a flood of one peer costs little and hides neither other peers' nor our own refusals long.

use std::time::Instant;

use crate::event::Rejected;
use crate::filter::Reason;
use crate::flows::{Flow, Lru};
use crate::guard::Bucket;
use crate::tsmp;

/// Reason letters that no peer sends: the destination is not ours to take packets for.
pub const NOT_LOCAL: u8 = b'N';
/// The inner source belongs to somebody else.
pub const BAD_SOURCE: u8 = b'B';

const KINDS: usize = 256;

#[derive(Clone, Copy)]
struct Told {
    sec: u64,
    /// Since then.
    untold: u32,
}

pub struct Refusals {
    theirs: Bucket,
    ours: Bucket,
    told: Lru<(Flow, u8, bool), Told>,
}

impl Default for Refusals {
    fn default() -> Refusals {
        Refusals {
            theirs: Bucket::new(20.0, 50.0),
            ours: Bucket::new(20.0, 50.0),
            told: Lru::new(KINDS),
        }
    }
}

impl Refusals {
    /// The event to tell of this refusal, with the number of those like it; None when it waits for the next one.
    pub fn take(&mut self, now: Instant, now_sec: u64, one: Rejected) -> Option<Rejected> {
        let kind = Flow {
            proto: one.proto,
            src: one.from.ip(),
            src_port: 0,
            dst: one.to.ip(),
            dst_port: one.to.port(),
        };
        let key = (kind, one.reason, one.outbound);
        if let Some(told) = self.told.touch(&key)
            && told.sec == now_sec
        {
            told.untold += 1;
            return None;
        }
        let bucket = match one.outbound {
            true => &mut self.ours,
            false => &mut self.theirs,
        };
        let count = 1 + self.told.get(&key).map_or(0, |told| told.untold);
        let takes = bucket.take(now);
        let untold = if takes { 0 } else { count };
        let sec = now_sec;
        self.told.insert(key, Told { sec, untold });
        takes.then_some(Rejected { count, ..one })
    }
}

/// The letter under which a reason is told; None for what is only counted.
pub fn letter(why: Reason) -> Option<u8> {
    match why {
        Reason::Rules => Some(tsmp::REASON_ACL),
        Reason::ShieldsUp => Some(tsmp::REASON_SHIELDS_UP),
        Reason::NotLocal => Some(NOT_LOCAL),
        _ => None,
    }
}
