//! Flows whose packets go another way from now on, because another machine carries the network that they lead to.
//!
//! Nobody knows whether the new way can carry an old connection: a router that keeps addresses as they are can, one
//! that puts its own in their place has never heard of it and answers with a reset. So each is asked at once, and
//! either goes on or ends, instead of waiting for what the old way swallowed.

use crate::Netstack;
use std::net::IpAddr;
use std::time::Instant;

impl Netstack {
    /// The other end of every TCP flow, by a number that holds until the next call of anything else.
    pub fn remotes(&self) -> Vec<(usize, IpAddr)> {
        let flows = self.flows.slots.iter();
        flows.map(|(slot, f)| (slot, f.key.remote.ip())).collect()
    }

    /// What these flows wait for is due now: data and handshakes go out again, a quiet connection is probed.
    pub fn hurry_flows(&mut self, slots: &[usize]) {
        for &slot in slots {
            if let Some(flow) = self.flows.slots.get_mut(slot) {
                flow.tcp().hurry();
                self.flows.mark_dirty(slot);
            }
        }
    }

    /// Resets these flows: nobody carries what they lead to.
    pub fn lose_flows(&mut self, now: Instant, slots: &[usize]) {
        self.counters.flows_cut += slots.len() as u64;
        for &slot in slots {
            self.reset_flow(now, slot);
        }
    }
}
