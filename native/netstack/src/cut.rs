//! Flows ended from above: a changed filter, a changed address, a reject by the peer.

use crate::Netstack;
use crate::flow::{FlowKey, Handshake};
use crate::packet::{TCP, UDP};
use crate::relay::Relay;
use crate::types::{DialError, FlowInfo};
use crate::udp::UdpEnd;
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

fn info(proto: u8, key: FlowKey, inbound: bool) -> FlowInfo {
    let (from, to) = match inbound {
        true => (key.remote, key.local),
        false => (key.local, key.remote),
    };
    FlowInfo {
        proto,
        from,
        to,
        inbound,
    }
}

impl Netstack {
    /// The node's own addresses; the whole wanted set. Flows of an address that is gone are reset.
    pub fn set_addresses(&mut self, addresses: &[IpAddr]) {
        if self.addresses == addresses {
            return;
        }
        let before = std::mem::replace(&mut self.addresses, addresses.to_vec());
        let gone: Vec<IpAddr> = before
            .into_iter()
            .filter(|ip| !addresses.contains(ip))
            .collect();
        if gone.is_empty() {
            return;
        }
        self.cut_flows(Instant::now(), |flow| {
            let own = if flow.inbound { flow.to } else { flow.from };
            gone.contains(&own.ip())
        });
        let associations: Vec<usize> = self.associations.iter().map(|(slot, _)| slot).collect();
        for slot in associations {
            self.forget_routes(slot);
            self.leave_sources(slot, &gone);
        }
        self.forget_udp_clients();
    }

    /// Resets every flow, TCP and UDP, either direction, for which `cut` says true. Returns how many.
    /// A filter change wants: `|f| f.inbound && !allowed(f)`.
    pub fn cut_flows(&mut self, now: Instant, mut cut: impl FnMut(&FlowInfo) -> bool) -> usize {
        let flows = self.flows.slots.iter();
        let flows: Vec<usize> = flows
            .filter(|(_, f)| cut(&info(TCP, f.key, f.inbound)))
            .map(|(slot, _)| slot)
            .collect();
        let dials: Vec<usize> = self
            .dials
            .iter()
            .filter(|(_, d)| cut(&info(TCP, d.wanted.key, true)))
            .map(|(slot, _)| slot)
            .collect();
        let udp: Vec<usize> = self
            .udp
            .slots
            .iter()
            .filter(|(_, f)| {
                let inbound = matches!(f.end, UdpEnd::Local { .. });
                cut(&info(UDP, f.key, inbound))
            })
            .map(|(slot, _)| slot)
            .collect();
        let count = flows.len() + dials.len() + udp.len();
        self.counters.flows_cut += count as u64;
        for slot in flows {
            self.reset_flow(now, slot);
        }
        for slot in dials {
            self.cut_dial(now, slot);
        }
        for slot in udp {
            self.remove_udp(slot);
        }
        count
    }

    /// What was decided for proxy and forward clients counts no more: connections past the tunnel that leave this machine
    /// are reset, and every destination of datagrams is asked for anew at its next one.
    pub fn forget_decisions(&mut self, now: Instant) {
        self.cut_relays(Relay::leaves_machine);
        let associations: Vec<usize> = self.associations.iter().map(|(slot, _)| slot).collect();
        for slot in associations {
            self.forget_routes(slot);
        }
        self.forget_udp_clients();
        self.lose_races_by_system(now);
    }

    /// A reject from the peer (TSMP): `from` and `to` are those of our packet it is about. Ends a connection
    /// attempt as blocked; an open flow is left alone. `maybe_broken` rejects are no verdict. True if it mattered.
    pub fn reject_flow(
        &mut self,
        now: Instant,
        proto: u8,
        (from, to): (SocketAddr, SocketAddr),
        maybe_broken: bool,
    ) -> bool {
        let key = FlowKey {
            local: from,
            remote: to,
        };
        let Some(&slot) = self.flows.by_key.get(&key) else {
            return false;
        };
        let dialling = matches!(self.flows.slots[slot].handshake, Some(Handshake::Race(_)));
        if proto != TCP || maybe_broken || !dialling {
            return false;
        }
        self.end_flow(now, slot, DialError::Blocked);
        true
    }
}
