//! A NAT for IPv4 and a stateful filter for IPv6, for TCP and UDP. Pure.
//!
//! Settings: `outer` (the address outside), `mapping` and `filtering` (`endpoint`, `address`, `port`: what of the
//! destination counts, RFC 4787 §4.1 and §5), `ports` (`keep`, `random`), `hairpin` (`on`, `off`). TCP is filtered by
//! address and port whatever UDP is. IPv6 is never translated; only answers come in. Mappings live until `forget`.
//! Everything else, ICMP first, does not pass.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const TCP: u8 = 6;
const UDP: u8 = 17;
const MAX_MAPPINGS: usize = 40_000;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    Pass,
    /// Back to where it came from: two behind the same NAT.
    Back,
    Drop,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Scope {
    Endpoint,
    Address,
    Port,
}

impl Scope {
    fn parse(text: &str) -> Result<Scope, String> {
        match text {
            "endpoint" => Ok(Scope::Endpoint),
            "address" => Ok(Scope::Address),
            "port" => Ok(Scope::Port),
            _ => Err(format!("no such scope: {text}")),
        }
    }

    /// What of an address counts.
    fn of(self, (ip, port): Addr) -> Option<(IpAddr, u16)> {
        match self {
            Scope::Endpoint => None,
            Scope::Address => Some((ip, 0)),
            Scope::Port => Some((ip, port)),
        }
    }
}

type Addr = (IpAddr, u16);
type Seen = Option<(IpAddr, u16)>;

struct Mapping {
    inside: Addr,
    /// What of the destinations was sent to, as the filter sees them.
    sent_to: HashSet<Seen>,
}

pub struct Nat {
    outer: Ipv4Addr,
    mapping: Scope,
    filtering: Scope,
    keeps_ports: bool,
    hairpins: bool,
    ports: HashMap<(u8, Addr, Seen), u16>,
    mappings: HashMap<(u8, u16), Mapping>,
    flows6: HashSet<(u8, Addr, Addr)>,
    random: u64,
}

impl Nat {
    pub fn new() -> Nat {
        Nat {
            outer: Ipv4Addr::UNSPECIFIED,
            mapping: Scope::Endpoint,
            filtering: Scope::Port,
            keeps_ports: true,
            hairpins: false,
            ports: HashMap::new(),
            mappings: HashMap::new(),
            flows6: HashSet::new(),
            random: 0x2545_f491_4f6c_dd1d,
        }
    }

    pub fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        match (name, value) {
            ("outer", _) => self.outer = value.parse().map_err(|_| format!("no address: {value}"))?,
            ("mapping", _) => self.mapping = Scope::parse(value)?,
            ("filtering", _) => self.filtering = Scope::parse(value)?,
            ("ports", "keep") => self.keeps_ports = true,
            ("ports", "random") => self.keeps_ports = false,
            ("hairpin", "on") => self.hairpins = true,
            ("hairpin", "off") => self.hairpins = false,
            _ => return Err(format!("no such setting: {name}={value}")),
        }
        Ok(())
    }

    /// Forgets what it knows; new mappings get other ports than before, as after a restart with another pool.
    pub fn forget(&mut self) {
        self.ports.clear();
        self.mappings.clear();
        self.flows6.clear();
        self.keeps_ports = false;
    }

    /// A packet from inside, rewritten in place.
    pub fn outward(&mut self, packet: &mut [u8]) -> Verdict {
        let Some(head) = Head::parse(packet) else { return Verdict::Drop };
        if head.src.0.is_ipv6() {
            self.make_room();
            self.flows6.insert((head.protocol, head.src, head.dst));
            return Verdict::Pass;
        }
        let Some(port) = self.port_for(&head) else { return Verdict::Drop };
        let scope = self.filter_of(head.protocol);
        if let Some(mapping) = self.mappings.get_mut(&(head.protocol, port)) {
            mapping.sent_to.insert(scope.of(head.dst));
        }
        head.rewrite(packet, Side::Source, self.outer, port);
        if head.dst.0 != IpAddr::V4(self.outer) {
            return Verdict::Pass;
        }
        if self.hairpins && self.inward(packet) == Verdict::Pass {
            Verdict::Back
        } else {
            Verdict::Drop
        }
    }

    /// A packet from outside, rewritten in place.
    pub fn inward(&mut self, packet: &mut [u8]) -> Verdict {
        let Some(head) = Head::parse(packet) else { return Verdict::Drop };
        if head.src.0.is_ipv6() {
            return if self.flows6.contains(&(head.protocol, head.dst, head.src)) {
                Verdict::Pass
            } else {
                Verdict::Drop
            };
        }
        if head.dst.0 != IpAddr::V4(self.outer) {
            return Verdict::Drop;
        }
        let Some(mapping) = self.mappings.get(&(head.protocol, head.dst.1)) else {
            return Verdict::Drop;
        };
        if !mapping.sent_to.contains(&self.filter_of(head.protocol).of(head.src)) {
            return Verdict::Drop;
        }
        let (IpAddr::V4(ip), port) = mapping.inside else {
            return Verdict::Drop;
        };
        head.rewrite(packet, Side::Destination, ip, port);
        Verdict::Pass
    }

    fn filter_of(&self, protocol: u8) -> Scope {
        if protocol == UDP { self.filtering } else { Scope::Port }
    }

    fn port_for(&mut self, head: &Head) -> Option<u16> {
        let key = (head.protocol, head.src, self.mapping.of(head.dst));
        if let Some(port) = self.ports.get(&key) {
            return Some(*port);
        }
        self.make_room();
        let mut port = head.src.1;
        let mut is_free = self.keeps_ports && !self.mappings.contains_key(&(head.protocol, port));
        for _ in 0..1000 {
            if is_free {
                break;
            }
            self.random ^= self.random << 13;
            self.random ^= self.random >> 7;
            self.random ^= self.random << 17;
            port = 1024 + (self.random % 64_000) as u16;
            is_free = !self.mappings.contains_key(&(head.protocol, port));
        }
        if !is_free {
            return None;
        }
        let mapping = Mapping {
            inside: head.src,
            sent_to: HashSet::new(),
        };
        self.mappings.insert((head.protocol, port), mapping);
        self.ports.insert(key, port);
        Some(port)
    }

    fn make_room(&mut self) {
        if self.mappings.len() > MAX_MAPPINGS || self.flows6.len() > MAX_MAPPINGS {
            self.ports.clear();
            self.mappings.clear();
            self.flows6.clear();
        }
    }
}

enum Side {
    Source,
    Destination,
}

/// Addresses of a TCP or UDP packet; fragments are not played.
struct Head {
    protocol: u8,
    src: Addr,
    dst: Addr,
    /// Where the transport header begins.
    at: usize,
}

impl Head {
    fn parse(packet: &[u8]) -> Option<Head> {
        let (protocol, at, src, dst) = match packet.first()? >> 4 {
            4 => {
                let at = usize::from(packet[0] & 15) * 4;
                if packet.len() < at.max(20) || u16::from_be_bytes([packet[6], packet[7]]) & 0x3fff != 0 {
                    return None;
                }
                let ip = |from: usize| IpAddr::V4(Ipv4Addr::new(packet[from], packet[from + 1], packet[from + 2], packet[from + 3]));
                (packet[9], at, ip(12), ip(16))
            }
            6 => {
                if packet.len() < 40 {
                    return None;
                }
                let ip = |from: usize| {
                    <[u8; 16]>::try_from(&packet[from..from + 16])
                        .ok()
                        .map(|bytes| IpAddr::V6(Ipv6Addr::from(bytes)))
                };
                (packet[6], 40, ip(8)?, ip(24)?)
            }
            _ => return None,
        };
        let length = match protocol {
            TCP => 20,
            UDP => 8,
            _ => return None,
        };
        if packet.len() < at + length {
            return None;
        }
        let port = |from: usize| u16::from_be_bytes([packet[from], packet[from + 1]]);
        Some(Head {
            protocol,
            src: (src, port(at)),
            dst: (dst, port(at + 2)),
            at,
        })
    }

    /// Puts another IPv4 address and port in, and mends the checksums (RFC 1624).
    fn rewrite(&self, packet: &mut [u8], side: Side, ip: Ipv4Addr, port: u16) {
        let (ip_at, port_at) = match side {
            Side::Source => (12, self.at),
            Side::Destination => (16, self.at + 2),
        };
        let sum_at = self.at + if self.protocol == TCP { 16 } else { 6 };
        let has_sum = self.protocol == TCP || packet[sum_at] != 0 || packet[sum_at + 1] != 0;
        for (at, new) in [
            (ip_at, [ip.octets()[0], ip.octets()[1]]),
            (ip_at + 2, [ip.octets()[2], ip.octets()[3]]),
        ] {
            let old = [packet[at], packet[at + 1]];
            mend(packet, 10, old, new);
            if has_sum {
                mend(packet, sum_at, old, new);
            }
            packet[at..at + 2].copy_from_slice(&new);
        }
        let old = [packet[port_at], packet[port_at + 1]];
        if has_sum {
            mend(packet, sum_at, old, port.to_be_bytes());
        }
        packet[port_at..port_at + 2].copy_from_slice(&port.to_be_bytes());
    }
}

fn mend(packet: &mut [u8], at: usize, old: [u8; 2], new: [u8; 2]) {
    let sum = u32::from(!u16::from_be_bytes([packet[at], packet[at + 1]]))
        + u32::from(!u16::from_be_bytes(old))
        + u32::from(u16::from_be_bytes(new));
    let folded = (sum & 0xffff) + (sum >> 16);
    let folded = (folded & 0xffff) + (folded >> 16);
    packet[at..at + 2].copy_from_slice(&(!(folded as u16)).to_be_bytes());
}
