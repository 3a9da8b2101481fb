//! Questions of the engine to somebody inside the tunnel: one datagram out, the first answer from that very place in.
//!
//! Each goes from a port of its own, which nobody else answers at. Without an answer it ends with its time.

use crate::Netstack;
use crate::flow::FlowKey;
use crate::guests::Guest;
use crate::timers::Due;
use crate::types::Event;
use crate::udp::UdpEnd;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

const MAX_EXCHANGES: usize = 256;

impl Netstack {
    /// Sends `payload` from a free port of ours to `to`; ends with `Event::Exchanged`.
    pub fn exchange_udp(
        &mut self,
        now: Instant,
        id: u64,
        to: SocketAddr,
        payload: &[u8],
        patience: Duration,
    ) {
        let Some(key) = self.exchange_key(to) else {
            self.events.push_back(Event::Exchanged { id, answer: None });
            return;
        };
        let guest = Guest::Address(to.ip());
        let slot = self.insert_udp(now, guest, key, UdpEnd::Exchange(id), None);
        self.exchanges.insert(id, slot);
        self.timers.set(now + patience, Due::Exchange(id));
        self.send_udp(key, payload);
    }

    fn exchange_key(&mut self, to: SocketAddr) -> Option<FlowKey> {
        let own = self.own_address_for(to.ip())?;
        let room = self.exchanges.len() < MAX_EXCHANGES && to.port() != 0;
        if !room || !self.udp_room(Guest::Address(to.ip())) {
            self.counters.drop_udp_limit += 1;
            return None;
        }
        for _ in 0..64 {
            let first = u64::from(self.first_port);
            let port = first + self.random() % (65_536 - first);
            let key = FlowKey {
                local: SocketAddr::new(own, port as u16),
                remote: to,
            };
            if !self.udp.is_in_use(&key) {
                return Some(key);
            }
        }
        None
    }

    /// The flow of an exchange has got its answer, or is gone without one.
    pub(crate) fn end_exchange(&mut self, id: u64, answer: Option<Vec<u8>>) {
        if let Some(slot) = self.exchanges.remove(&id) {
            self.events.push_back(Event::Exchanged { id, answer });
            self.remove_udp(slot);
        }
    }
}
