//! The netstack beside the system's own: while the tunnel is a device of this computer, the system's stack has the tunnel's
//! addresses, and this one only what it began itself, the engine's ports, and the engine's own addresses.
//!
//!   a program of this computer → service address: TCP 53 goes up as a stream, UDP 53 as a datagram, echo is answered, the rest refused
//!   a peer → a flow of ours, begun before or since; a port of the engine; an address that carries one of another site (4via6)
//!
//! Ports of our own connections then lie beyond those that systems give to programs.

use crate::Netstack;
use crate::engine_datagram::Back;
use crate::flow::FlowKey;
use crate::flow_table::{BESIDE_SYSTEM_FIRST, EPHEMERAL_FIRST};
use crate::guard;
use crate::icmp::{Unreachable, quoted};
use crate::packet::{self, ICMP, ICMPV6, TCP, UDP};
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

pub(crate) const DNS: u16 = 53;

/// A packet as its reader saw it: ends with port 0 where there are none, and where the transport header begins.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    pub proto: u8,
    pub from: SocketAddr,
    pub to: SocketAddr,
    pub packet: &'a [u8],
    pub l4: usize,
}

/// Whether packets of others may be passed on to this address: never this machine's own, the link's, a group's or the tunnel's.
pub fn is_passed_on(dst: IpAddr) -> bool {
    guard::target(dst).is_some()
}

/// Whether this address carries one of another site, which no system knows.
pub fn is_of_site(dst: IpAddr) -> bool {
    matches!(dst, IpAddr::V6(ip) if ip.octets().starts_with(&guard::VIA))
}

impl Netstack {
    /// Shares the tunnel's addresses with the system, and serves these others to its programs; none = has all alone. Open
    /// flows stay.
    pub fn set_beside_system(&mut self, services: Option<Vec<IpAddr>>) {
        self.first_port = match services {
            Some(_) => BESIDE_SYSTEM_FIRST,
            None => EPHEMERAL_FIRST,
        };
        self.services = services.unwrap_or_default();
    }

    /// Whether a packet of a peer is this stack's and not the system's.
    pub fn owns(&self, seen: &Seen<'_>) -> bool {
        let key = FlowKey {
            local: seen.to,
            remote: seen.from,
        };
        match seen.proto {
            TCP => {
                let engine = self.engine_ports.contains(&key.local.port())
                    && self.addresses.contains(&key.local.ip());
                engine || self.has_tcp(&key)
            }
            UDP => self.udp.by_key.contains_key(&key),
            ICMP | ICMPV6 => self.owns_icmp(seen),
            _ => packet::parse(seen.packet).is_ok_and(|header| self.reassembly.expects(&header)),
        }
    }

    fn has_tcp(&self, key: &FlowKey) -> bool {
        self.flows.by_key.contains_key(key) || self.dial_by_key.contains_key(key)
    }

    fn owns_icmp(&self, seen: &Seen<'_>) -> bool {
        let Some(message @ [kind, _, _, _, i0, i1, s0, s1, ..]) = seen.packet.get(seen.l4..) else {
            return false;
        };
        match (seen.proto, kind) {
            (ICMP, 0) | (ICMPV6, 129) => {
                let ident = u16::from_be_bytes([*i0, *i1]);
                let ping = self.pings.get(&u16::from_be_bytes([*s0, *s1]));
                ident == self.ping_ident && ping.is_some_and(|ping| ping.to == seen.from.ip())
            }
            (ICMP, 3 | 4 | 11 | 12) | (ICMPV6, 1..=4) => {
                quoted(&message[8..]).is_some_and(|(proto, key)| match proto {
                    TCP => self.has_tcp(&key),
                    UDP => self.udp.by_key.contains_key(&key),
                    _ => false,
                })
            }
            _ => false,
        }
    }

    /// A datagram for an address of the engine.
    pub(crate) fn handle_service_udp(&mut self, now: Instant, key: FlowKey, payload: &[u8]) {
        if key.local.port() == DNS {
            let ends = (key.remote, key.local);
            self.tell_datagram(now, Back::Service(key), ends, payload);
        } else {
            self.send_udp_unreachable(key, Unreachable::Port);
        }
    }
}
