//! What both threads need, behind one lock that is taken once a batch and never while the system is asked for anything.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dataplane::derp::RelayQueue;
use dataplane::pipeline::Pipeline;

use crate::records;
use crate::ring::Ring;

/// Relay frames of one record.
const RELAY_RECORD: usize = 64 << 10;
/// Packets from the device that may wait for the netstack.
const FOR_STACK: usize = 1024;

pub struct Core {
    pub pipeline: Pipeline,
    pub relay: RelayQueue,
    /// Packets of programs to the engine's own addresses.
    pub for_stack: Vec<Vec<u8>>,
}

/// The lock, for each thread.
#[derive(Clone)]
pub struct SharedCore(Arc<Mutex<Core>>);

impl SharedCore {
    pub fn new(pipeline: Pipeline) -> SharedCore {
        SharedCore(Arc::new(Mutex::new(Core {
            pipeline,
            relay: RelayQueue::default(),
            for_stack: Vec::new(),
        })))
    }

    pub fn lock(&self) -> MutexGuard<'_, Core> {
        // A panic under the lock ends the data plane; what still runs until then needs no whole state.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Core {
    /// Keeps a packet for the netstack; false when too many wait.
    pub fn keep_for_stack(&mut self, packet: &[u8]) -> bool {
        let room = self.for_stack.len() < FOR_STACK;
        if room {
            self.for_stack.push(packet.to_vec());
        }
        room
    }

    /// Hands relay frames up; what finds no room waits for the next time.
    pub fn drain_relay(&mut self, ring: &Ring) {
        if self.relay.is_empty() {
            return;
        }
        self.relay.drain(|region, frames| {
            let mut taken = 0;
            while taken < frames.len() {
                let end = whole_frames(frames, taken, RELAY_RECORD);
                if !ring.push(
                    records::RELAY_FRAMES,
                    true,
                    &[&region.to_be_bytes(), &frames[taken..end]],
                ) {
                    break;
                }
                taken = end;
            }
            taken
        });
    }
}

/// End of the last whole frame within `limit` bytes from `start`; at least one frame.
fn whole_frames(frames: &[u8], start: usize, limit: usize) -> usize {
    let mut end = start;
    while let Some(head) = frames.get(end..end + 5) {
        let next = end + 5 + u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
        if next > frames.len() || (end > start && next - start > limit) {
            break;
        }
        end = next;
    }
    if end == start { frames.len() } else { end }
}
