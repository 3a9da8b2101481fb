//! What each peer that uses this machine holds of it, so that none holds all: a guest gets two thirds of a table at most, and
//! own connections always find room. Memory goes by halves: the more a guest holds, the smaller its next rings are.
//!
//! A guest is a peer, whatever addresses stand behind it; packets without one are told apart by address.

use crate::types::Config;
use std::collections::HashMap;
use std::net::IpAddr;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Guest {
    Peer(u32),
    Address(IpAddr),
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Usage {
    /// Dials under way.
    pub dials: usize,
    /// Inbound TCP flows, those in a handshake too.
    pub flows: usize,
    pub half_open: usize,
    pub udp: usize,
    /// Echo requests passed on that wait for an answer.
    pub echoes: usize,
    /// Both rings of all flows.
    pub ring_bytes: usize,
}

#[derive(Default)]
pub(crate) struct Guests {
    table: HashMap<Guest, Usage>,
    total: Usage,
}

/// How much of `most` one guest may hold.
pub(crate) fn share(most: usize) -> usize {
    (most * 2 / 3).max(1)
}

/// The smallest ring: a few packets.
const LEAST_RING: usize = 16 << 10;
/// A guest's next flow gets this part of what it may still have.
const PART: usize = 64;

impl Guests {
    pub fn of(&self, guest: Guest) -> Usage {
        self.table.get(&guest).copied().unwrap_or_default()
    }

    /// Applies `change` to what the guest holds and to what all hold.
    pub fn change(&mut self, guest: Guest, change: impl Fn(&mut Usage)) {
        let usage = self.table.entry(guest).or_default();
        change(usage);
        if *usage == Usage::default() {
            self.table.remove(&guest);
        }
        change(&mut self.total);
    }

    /// Whether the guest may open one more flow; a part of the table stays for our own.
    pub fn has_flow_room(&self, guest: Guest, config: &Config) -> bool {
        let usage = self.of(guest);
        let held = |usage: Usage| usage.flows + usage.dials;
        held(usage) < share(config.max_flows)
            && held(self.total) < config.max_flows - config.max_flows / 8
    }

    /// Size in bytes of each of the two rings of the guest's next flow.
    pub fn ring_size(&self, guest: Guest, config: &Config) -> usize {
        let left = |most: usize, held: usize| most.saturating_sub(held) / PART / 2;
        let own = left(config.guest_memory, self.of(guest).ring_bytes);
        let all = left(2 * config.guest_memory, self.total.ring_bytes);
        let size = own.min(all).max(LEAST_RING);
        (1 << size.ilog2()).min(config.tcp_buffer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_of_a_guest_and_of_all_stays_bounded_however_many_flows_they_open() {
        let config = Config::default();
        let mut guests = Guests::default();
        let mut sizes = Vec::new();
        for peer in 0..4 {
            while guests.has_flow_room(Guest::Peer(peer), &config) {
                let size = guests.ring_size(Guest::Peer(peer), &config);
                sizes.push(size);
                guests.change(Guest::Peer(peer), |u| {
                    u.flows += 1;
                    u.ring_bytes += 2 * size;
                });
            }
            let floor = share(config.max_flows) * 2 * LEAST_RING;
            assert!(guests.of(Guest::Peer(peer)).ring_bytes <= config.guest_memory + floor);
        }
        assert_eq!(sizes[0], config.tcp_buffer);
        assert_eq!(guests.of(Guest::Peer(0)).flows, share(config.max_flows));
        assert_eq!(guests.total.flows, config.max_flows * 7 / 8);
        let floor = config.max_flows * 2 * LEAST_RING;
        assert!(guests.total.ring_bytes <= 2 * config.guest_memory + floor);
    }

    #[test]
    fn who_holds_nothing_is_forgotten() {
        let mut guests = Guests::default();
        guests.change(Guest::Peer(1), |u| u.udp += 1);
        guests.change(Guest::Peer(1), |u| u.udp -= 1);
        assert!(guests.table.is_empty());
        assert_eq!(guests.total, Usage::default());
    }
}
