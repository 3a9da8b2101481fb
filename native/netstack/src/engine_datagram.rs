//! Datagrams of local programs for a service of the engine itself: one event up, at most one answer down.

use crate::Netstack;
use crate::flow::FlowKey;
use crate::timers::Due;
use crate::types::Event;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// An answer that takes longer helps nobody.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where the answer to a datagram goes. A serial tells the asker from one that has its slot later.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Back {
    /// `from` is the place that was asked, which the answer names as its source.
    Association {
        slot: usize,
        serial: u64,
        from: SocketAddr,
    },
    UdpClient {
        slot: usize,
        serial: u64,
    },
    /// A program of this computer that asked an address of the engine through the device.
    Service(FlowKey),
}

impl Netstack {
    pub(crate) fn tell_datagram(
        &mut self,
        now: Instant,
        back: Back,
        (from, to): (SocketAddr, SocketAddr),
        payload: &[u8],
    ) {
        if self.engine_datagrams.len() >= self.config.max_engine_datagrams {
            self.counters.drop_udp_limit += 1;
            return;
        }
        let id = self.new_serial();
        self.engine_datagrams.insert(id, back);
        self.timers.set(now + PATIENCE, Due::EngineDatagram(id));
        let bytes = payload.to_vec();
        self.events.push_back(Event::Datagram {
            id,
            from,
            to,
            bytes,
        });
    }

    /// The answer to an `Event::Datagram`; an unknown or late id is ignored, and so is a second answer.
    pub fn answer_datagram(&mut self, now: Instant, id: u64, payload: &[u8]) {
        match self.engine_datagrams.remove(&id) {
            Some(Back::Association { slot, serial, from }) if self.is_association(slot, serial) => {
                self.deliver_association(slot, from, payload);
            }
            Some(Back::UdpClient { slot, serial }) if self.is_udp_client(slot, serial) => {
                self.deliver_udp_client(now, slot, payload);
            }
            Some(Back::Service(key)) if self.services.contains(&key.local.ip()) => {
                self.send_udp(key, payload);
            }
            Some(_) | None => {}
        }
    }
}
