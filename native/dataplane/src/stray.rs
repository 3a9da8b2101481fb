//! Data of a session that we do not have: its sender still holds one with this node as it was before it was started anew, and
//! would send into it for 15 s before it asks for another. So we ask: one initiation to the peer that the packet must be of,
//! by the relay that named its sender, or the address that the peer's packets go to; any other address is told, since path
//! finding may know whose it is. Nothing in the packet is believed: whoever makes one up has us greet a peer of the map, seldom.

use std::time::{Duration, Instant};

use crate::event::{Event, Sink};
use crate::peers::{Path, UdpAddr};
use crate::pipeline::{Pipeline, Via};

/// As close as one peer is asked; it answers no faster itself.
const SPACING: Duration = Duration::from_secs(5);

impl Pipeline {
    /// Takes note of data whose receiver index is nobody's.
    pub(crate) fn handle_stray<S: Sink>(&mut self, now: Instant, via: &Via, sink: &mut S) {
        self.counters.in_unknown_index += 1;
        // Looking for the peer of an address, and making it a tunnel, both cost something.
        if !self.strays.take(now) {
            return;
        }
        let Some(slot) = self.peer_at(via) else {
            if let Via::Direct(from) = via {
                sink.event(Event::Stray { from: *from });
            }
            return;
        };
        let (Some(identity), Some(peer)) = (&self.identity, self.peers.get_mut(slot)) else {
            return;
        };
        let asked = peer
            .last_init
            .is_some_and(|at| now.saturating_duration_since(at) < SPACING);
        let held = peer
            .tunnel
            .as_ref()
            .is_some_and(|tunnel| tunnel.has_session());
        if asked || held || peer.before.is_some() {
            return;
        }
        if peer.tunnel.is_none() {
            peer.tunnel = Some(identity.tunnel(&peer.key));
        }
        if self.initiate(now, slot, Some(via), sink) {
            self.counters.strays_answered += 1;
        }
    }

    /// The peer that a datagram came from, as far as its way tells.
    fn peer_at(&mut self, via: &Via) -> Option<u32> {
        let at = match via {
            Via::Relay { from, .. } => return self.peers.slot_of(from),
            Via::Direct(addr) => UdpAddr::from(*addr),
            Via::PeerRelay(at) => *at,
        };
        self.peers
            .iter_slots_mut()
            .find(|(_, peer)| matches!(peer.path, Path::Udp(to) | Path::Both(to, _) if to == at))
            .map(|(slot, _)| slot)
    }
}
