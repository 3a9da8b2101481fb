//! What is served for others just now, by who asks and where to: counted when asked for, never kept by the packet.

use crate::Netstack;
use crate::udp::UdpEnd;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

/// Open flows of one source to one destination that is not this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Served {
    pub from: IpAddr,
    pub to: IpAddr,
    /// Connections, those being made too.
    pub tcp: u32,
    pub udp: u32,
}

impl Netstack {
    /// All that is served, in no order; at most one row a flow.
    pub fn served(&self) -> Vec<Served> {
        let mut found: HashMap<(IpAddr, IpAddr), (u32, u32)> = HashMap::new();
        let mut count = |from: SocketAddr, to: SocketAddr, tcp: u32| {
            if !self.addresses.contains(&to.ip()) {
                let sums = found.entry((from.ip(), to.ip())).or_default();
                *sums = (sums.0 + tcp, sums.1 + 1 - tcp);
            }
        };
        for (_, flow) in self.flows.slots.iter().filter(|(_, flow)| flow.inbound) {
            count(flow.key.remote, flow.key.local, 1);
        }
        for (_, dial) in &self.dials {
            count(dial.wanted.key.remote, dial.wanted.key.local, 1);
        }
        for (_, flow) in &self.udp.slots {
            if matches!(flow.end, UdpEnd::Local { .. }) {
                count(flow.key.remote, flow.key.local, 0);
            }
        }
        let row = |((from, to), (tcp, udp))| Served { from, to, tcp, udp };
        found.into_iter().map(row).collect()
    }
}
