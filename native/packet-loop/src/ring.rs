//! The bounded ring of records between the packet thread and JavaScript.
//!
//!   record  length u32 BE (of what follows) | kind u8 | body
//!
//! The producer wakes the reader once when the ring was empty; the reader drains whole records into its own buffer. A record
//! that finds no room is dropped and counted, relay frames stay with their bounded queue instead.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// All records together.
const RING_BYTES: usize = 4 << 20;
/// Bulk (datagrams, relay frames) leaves this much room for facts.
const FACT_BYTES: usize = 1 << 20;
/// No record is larger; readers need a buffer of this size.
pub const MAX_RECORD: usize = 128 << 10;

#[derive(Default)]
struct Bytes {
    data: Vec<u8>,
    read: usize,
}

pub struct Ring {
    bytes: Mutex<Bytes>,
    /// A wake-up is under way that no drain has answered.
    woken: AtomicBool,
    /// The producer holds back bulk until the next drain.
    starved: AtomicBool,
    dropped: AtomicU64,
    wake: Box<dyn Fn() + Send + Sync>,
}

impl Ring {
    /// `wake` is called from the packet thread and must not block.
    pub fn new(wake: Box<dyn Fn() + Send + Sync>) -> Ring {
        Ring {
            bytes: Mutex::default(),
            woken: AtomicBool::new(false),
            starved: AtomicBool::new(false),
            dropped: AtomicU64::new(0),
            wake,
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Bytes> {
        self.bytes
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Adds one record; false when there was no room. `bulk` records leave room for facts and are not counted as dropped.
    pub fn push(&self, kind: u8, bulk: bool, parts: &[&[u8]]) -> bool {
        let length = 1 + parts.iter().map(|part| part.len()).sum::<usize>();
        let limit = if bulk {
            RING_BYTES - FACT_BYTES
        } else {
            RING_BYTES
        };
        {
            let mut bytes = self.lock();
            if length + 4 > MAX_RECORD || bytes.data.len() - bytes.read + length + 4 > limit {
                drop(bytes);
                if bulk {
                    self.starved.store(true, Ordering::Release);
                } else {
                    self.dropped.fetch_add(1, Ordering::Relaxed);
                }
                return false;
            }
            bytes.data.extend_from_slice(&(length as u32).to_be_bytes());
            bytes.data.push(kind);
            parts
                .iter()
                .for_each(|part| bytes.data.extend_from_slice(part));
        }
        if !self.woken.swap(true, Ordering::AcqRel) {
            (self.wake)();
        }
        true
    }

    /// Copies whole records into `out` and returns how many bytes; 0 when there are none. Second: whether the producer waits
    /// for room and wants to be told.
    pub fn drain(&self, out: &mut [u8]) -> (usize, bool) {
        self.woken.store(false, Ordering::Release);
        let mut bytes = self.lock();
        let mut end = bytes.read;
        while let Some(head) = bytes.data.get(end..end + 4) {
            let length = 4 + u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize;
            if end + length - bytes.read > out.len() {
                break;
            }
            end += length;
        }
        let (start, taken) = (bytes.read, end - bytes.read);
        out[..taken].copy_from_slice(&bytes.data[start..end]);
        bytes.read = end;
        if bytes.read == bytes.data.len() {
            bytes.data.clear();
            bytes.data.shrink_to(RING_BYTES / 4);
            bytes.read = 0;
        } else if bytes.read > RING_BYTES / 2 {
            let read = std::mem::take(&mut bytes.read);
            bytes.data.drain(..read);
        }
        (taken, self.starved.swap(false, Ordering::AcqRel))
    }

    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    pub fn count_drop(&self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for Ring {
    /// Descriptors in records that nobody took are closed.
    fn drop(&mut self) {
        let mut buffer = vec![0; MAX_RECORD];
        loop {
            let (taken, _) = self.drain(&mut buffer);
            if taken == 0 {
                return;
            }
            crate::records::close_descriptors(&buffer[..taken]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;

    #[test]
    fn one_wake_up_a_batch_and_whole_records_only() {
        let wakes = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&wakes);
        let ring = Ring::new(Box::new(move || {
            counted.fetch_add(1, Ordering::Relaxed);
        }));
        for n in 0..100u8 {
            assert!(ring.push(1, false, &[&[n], &[0; 9]]));
        }
        assert_eq!(wakes.load(Ordering::Relaxed), 1);
        let mut buffer = [0u8; 100];
        let (taken, _) = ring.drain(&mut buffer);
        assert_eq!(taken, 90, "six records of 15 bytes fit 100");
        assert!(ring.push(2, false, &[]));
        assert_eq!(wakes.load(Ordering::Relaxed), 2);
        let mut total = taken;
        while let (taken @ 1.., _) = ring.drain(&mut buffer) {
            total += taken;
        }
        assert_eq!(total, 100 * 15 + 5);
    }

    #[test]
    fn bulk_leaves_room_for_facts_and_full_means_dropped() {
        let ring = Ring::new(Box::new(|| {}));
        let datagram = vec![0; 60_000];
        while ring.push(1, true, &[&datagram]) {}
        assert_eq!(ring.dropped(), 0);
        assert!(ring.push(3, false, &[&[1; 32]]));
        let mut buffer = vec![0; MAX_RECORD];
        assert!(ring.drain(&mut buffer).1, "the producer asked to be told");
        assert!(!ring.drain(&mut buffer).1);
        while ring.push(1, false, &[&datagram]) {}
        assert_eq!(ring.dropped(), 1);
        assert!(!ring.push(1, false, &[&vec![0; MAX_RECORD]]));
    }
}
