//! Bounds on what strangers can cost us: token buckets, and the ring that holds handshakes of peers not yet known.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::BytesMut;

use crate::pipeline::Via;
use crate::tunnel::Key;

/// Allows `rate` a second with bursts of `burst`.
pub struct Bucket {
    rate: f64,
    burst: f64,
    tokens: f64,
    at: Option<Instant>,
}

impl Bucket {
    pub fn new(rate: f64, burst: f64) -> Bucket {
        Bucket {
            rate,
            burst,
            tokens: burst,
            at: None,
        }
    }

    pub fn take(&mut self, now: Instant) -> bool {
        let passed = self
            .at
            .map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        self.at = Some(now);
        self.tokens = (self.tokens + passed.as_secs_f64() * self.rate).min(self.burst);
        if self.tokens < 1.0 {
            return false;
        }
        self.tokens -= 1.0;
        true
    }
}

const RING_ENTRIES: usize = 64;
const RING_AGE: Duration = Duration::from_secs(1);

struct Held {
    at: Instant,
    key: Key,
    via: Via,
    datagram: BytesMut,
}

/// Initiations of unknown peers: 64 at most, 1 s at most, replayed when the peer arrives.
#[derive(Default)]
pub struct UnknownRing {
    held: VecDeque<Held>,
    announced: VecDeque<(Key, Instant)>,
}

impl UnknownRing {
    /// Keeps the datagram; true when this key is to be announced (at most once a second).
    pub fn hold(&mut self, now: Instant, key: Key, via: Via, datagram: BytesMut) -> bool {
        self.expire(now);
        // One a key: a retry is newer and the older one would be refused as a replay after it.
        self.held.retain(|held| held.key != key);
        if self.held.len() >= RING_ENTRIES {
            self.held.pop_front();
        }
        self.held.push_back(Held {
            at: now,
            key,
            via,
            datagram,
        });
        if self.announced.iter().any(|(known, _)| *known == key) {
            return false;
        }
        if self.announced.len() >= RING_ENTRIES {
            return false;
        }
        self.announced.push_back((key, now));
        true
    }

    /// What is held for `key`, if it is not too old.
    pub fn take(&mut self, now: Instant, key: &Key) -> Option<(Via, BytesMut)> {
        self.expire(now);
        let at = self.held.iter().position(|held| held.key == *key)?;
        self.held.remove(at).map(|held| (held.via, held.datagram))
    }

    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    fn expire(&mut self, now: Instant) {
        let old = |at: Instant| now.saturating_duration_since(at) > RING_AGE;
        while self.held.front().is_some_and(|held| old(held.at)) {
            self.held.pop_front();
        }
        while self.announced.front().is_some_and(|(_, at)| old(*at)) {
            self.announced.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u8) -> Key {
        [n; 32]
    }

    fn via() -> Via {
        Via::Direct("127.0.0.1:1".parse().unwrap())
    }

    #[test]
    fn the_ring_is_bounded_in_number_and_age_and_announces_a_key_once_a_second() {
        let mut ring = UnknownRing::default();
        let start = Instant::now();
        assert!(ring.hold(start, key(1), via(), BytesMut::new()));
        assert!(!ring.hold(start, key(1), via(), BytesMut::new()));
        for n in 2..200 {
            ring.hold(start, key(n), via(), BytesMut::new());
        }
        assert_eq!((ring.held.len(), ring.announced.len()), (64, 64));
        assert!(ring.take(start, &key(1)).is_none());
        assert!(ring.take(start, &key(199)).is_some());
        let later = start + Duration::from_millis(1001);
        assert!(ring.take(later, &key(198)).is_none() && ring.is_empty());
        assert!(ring.hold(later, key(1), via(), BytesMut::new()));
    }

    #[test]
    fn a_bucket_lets_the_burst_through_and_then_the_rate() {
        let mut bucket = Bucket::new(10.0, 5.0);
        let start = Instant::now();
        assert_eq!((0..20).filter(|_| bucket.take(start)).count(), 5);
        let later = start + Duration::from_millis(200);
        assert_eq!((0..20).filter(|_| bucket.take(later)).count(), 2);
    }
}
