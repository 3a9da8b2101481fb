//! Forwards: a loopback port of this machine that leads to a place which the owner names at each connection.
//!
//! A TCP connection asks like a proxy request, with nothing read from it before the way is open, so that early data
//! waits in the system's buffers. Datagrams are in `udp_client`. Nothing listens beyond loopback.

use crate::Netstack;
use crate::association::Bound;
use crate::listener::Serves;
use crate::tokens::Source;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

const MAX_FORWARDS: usize = 512;

pub(crate) enum Door {
    /// Slot of the listener.
    Tcp(usize),
    Udp(Bound),
}

pub(crate) struct Forward {
    pub id: u32,
    pub door: Door,
    /// Every open connection holds a clone.
    pub open: Arc<()>,
    pub total: u64,
}

impl Forward {
    /// Where it takes datagrams.
    pub fn udp_address(&self) -> Option<SocketAddr> {
        match &self.door {
            Door::Udp(bound) => bound.address(),
            Door::Tcp(_) => None,
        }
    }
}

/// Counts of one forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ForwardCount {
    pub id: u32,
    /// Connections, or clients of a UDP forward, that are open.
    pub open: usize,
    pub total: u64,
}

impl Netstack {
    /// Opens a forward with a number of the owner's; port 0 means any. Returns the address it got.
    pub fn listen_forward(
        &mut self,
        id: u32,
        udp: bool,
        address: SocketAddr,
    ) -> io::Result<SocketAddr> {
        if !address.ip().is_loopback() {
            let why = "a forward listens on this machine alone";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        }
        if self.forwards.iter().any(|(_, f)| f.id == id) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        if self.forwards.len() >= MAX_FORWARDS {
            return Err(io::Error::other("too many forwards"));
        }
        let open = Arc::new(());
        let (door, bound) = if udp {
            let socket = self.bind_udp(address, Source::Nobody)?;
            let bound = socket.socket.local_addr()?;
            (Door::Udp(socket), bound)
        } else {
            let (slot, bound) = self.listen(Serves::Forward(id, open.clone()), address)?;
            (Door::Tcp(slot), bound)
        };
        let total = 0;
        let slot = self.forwards.insert(Forward {
            id,
            door,
            open,
            total,
        });
        if let Door::Udp(bound) = &self.forwards[slot].door {
            self.tokens.set(bound.token, Source::Forward(slot));
        }
        Ok(bound)
    }

    /// Closes a forward and resets what came by it. False if there is none.
    pub fn close_forward(&mut self, now: Instant, id: u32) -> bool {
        let found = self.forwards.iter().find(|(_, f)| f.id == id);
        let Some(slot) = found.map(|(slot, _)| slot) else {
            return false;
        };
        let forward = self.forwards.remove(slot);
        match forward.door {
            Door::Tcp(listener) => self.close_listener(listener),
            Door::Udp(bound) => {
                self.tokens.free(bound.token);
                self.drop_udp_clients_of(slot);
            }
        }
        self.drop_forward_clients(now, &forward.open);
        self.cut_relays(|relay| relay.is_counted_by(&forward.open));
        let counted = self.flows.slots.iter().filter(|(_, flow)| {
            let counted = flow.splice.as_ref().and_then(|s| s.counted.as_ref());
            counted.is_some_and(|c| Arc::ptr_eq(c, &forward.open))
        });
        let flows: Vec<usize> = counted.map(|(slot, _)| slot).collect();
        for flow in flows {
            self.reset_flow(now, flow);
        }
        true
    }

    /// What is open at each forward, and what ever was.
    pub fn forward_counts(&self) -> Vec<ForwardCount> {
        let count = |(slot, f): (usize, &Forward)| {
            let open = match f.door {
                // The listener holds a clone too, and so does the table.
                Door::Tcp(_) => Arc::strong_count(&f.open).saturating_sub(2),
                Door::Udp(_) => self.udp_clients.count(slot),
            };
            let (id, total) = (f.id, f.total);
            ForwardCount { id, open, total }
        };
        self.forwards.iter().map(count).collect()
    }

    pub(crate) fn count_forward(&mut self, serves: &Serves) {
        let Serves::Forward(id, _) = serves else {
            return;
        };
        if let Some((_, forward)) = self.forwards.iter_mut().find(|(_, f)| f.id == *id) {
            forward.total += 1;
        }
    }
}
