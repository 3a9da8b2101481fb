//! The packet filter: which inbound packets may pass. Default deny; without a table nothing new comes in.
//!
//! Order of judgement, inbound: length, multicast and link-local destinations, unknown protocol, later fragment,
//! local nets, then by protocol. TCP is judged at its SYN only, UDP and SCTP by the memory of our own outbound flows or
//! by rules, ICMP replies and errors pass, other ICMP needs any rule for the pair of addresses, TSMP passes, any other
//! protocol needs a rule that names it with all ports. Outbound packets pass the first checks and are remembered.
//!
//! Stricter than the stateless original in one thing: flows that a rule let in are remembered, so that a new table
//! cuts those it no longer permits, and so that our answers to them never open the way for more.
//!
//! Source: Tailscale's wgengine/filter, as interoperating peers expect it; README "Filter".

use std::net::IpAddr;

use crate::flows::{Flow, Lru};
use crate::ip::{self, Parsed};
use crate::prefix::{IpSet, Prefix};

/// Reversed outbound UDP and SCTP flows; the original keeps 512.
pub const OUTBOUND_FLOWS: usize = 4096;
/// Inbound flows that a rule let in.
pub const INBOUND_FLOWS: usize = 16_384;
/// An inbound datagram flow unused for so long no longer keeps our packets from opening the way back.
const INBOUND_DATAGRAM_REST_SEC: u64 = 120;

/// One destination of a rule: addresses and inclusive ports.
#[derive(Clone, Debug)]
pub struct Dst {
    pub prefix: Prefix,
    pub first: u16,
    pub last: u16,
}

/// One rule: any of these sources to any of these destinations by any of these protocols.
#[derive(Clone, Debug)]
pub struct Match {
    protos: [u64; 4],
    srcs: IpSet,
    dsts: Vec<Dst>,
}

impl Match {
    pub fn new(protos: &[u8], srcs: impl IntoIterator<Item = Prefix>, dsts: Vec<Dst>) -> Match {
        let mut bits = [0u64; 4];
        for proto in protos {
            bits[usize::from(proto >> 6)] |= 1 << (proto & 63);
        }
        Match {
            protos: bits,
            srcs: IpSet::new(srcs),
            dsts,
        }
    }

    fn names(&self, proto: u8) -> bool {
        self.protos[usize::from(proto >> 6)] >> (proto & 63) & 1 == 1
    }
}

/// A whole rule table; the default one lets nothing in.
#[derive(Clone, Debug, Default)]
pub struct Table {
    pub matches: Vec<Match>,
    /// Destinations that are ours; all others are dropped before any rule.
    pub local: IpSet,
    /// No new inbound flow at all; rejects say so.
    pub shields_up: bool,
}

/// Why a packet does not pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    Malformed,
    Multicast,
    LinkLocal,
    UnknownProto,
    NotLocal,
    Rules,
    ShieldsUp,
    /// A flow that an earlier table let in and the current one does not.
    Cut,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Accept,
    Drop(Reason),
}

#[derive(Clone, Copy, Debug)]
struct Inbound {
    /// Second of the last packet that was judged by rules (datagrams) or of the SYN.
    seen_sec: u64,
    /// Table generation that last permitted it.
    generation: u64,
    cut: bool,
}

/// The filter with its memory of flows.
pub struct Filter {
    table: Table,
    own: Vec<IpAddr>,
    engine_ports: Vec<u16>,
    outbound: Lru<()>,
    inbound: Lru<Inbound>,
    cut_flows: usize,
    generation: u64,
}

impl Default for Filter {
    fn default() -> Filter {
        Filter {
            table: Table::default(),
            own: Vec::new(),
            engine_ports: Vec::new(),
            outbound: Lru::new(OUTBOUND_FLOWS),
            inbound: Lru::new(INBOUND_FLOWS),
            cut_flows: 0,
            generation: 1,
        }
    }
}

impl Filter {
    /// Puts a whole table in force and returns the remembered inbound flows that it no longer permits.
    pub fn set_table(&mut self, table: Table, jailed: impl Fn(IpAddr) -> bool) -> Vec<Flow> {
        if table.shields_up && !self.table.shields_up {
            self.outbound.clear();
        }
        self.table = table;
        self.rejudge(jailed)
    }

    /// Own addresses: engine ports on them are open without rules.
    pub fn set_own(&mut self, own: Vec<IpAddr>) {
        self.own = own;
    }

    /// TCP ports of the engine's own services, which do their own authorisation.
    pub fn set_engine_ports(
        &mut self,
        ports: Vec<u16>,
        jailed: impl Fn(IpAddr) -> bool,
    ) -> Vec<Flow> {
        self.engine_ports = ports;
        self.rejudge(jailed)
    }

    pub fn table(&self) -> &Table {
        &self.table
    }

    /// Judges every remembered inbound flow again; call when a peer becomes jailed.
    pub fn rejudge(&mut self, jailed: impl Fn(IpAddr) -> bool) -> Vec<Flow> {
        self.generation += 1;
        let mut newly_cut = Vec::new();
        let mut changes = Vec::new();
        for (flow, state) in self.inbound.iter() {
            let permitted = self.permits_flow(flow, jailed(flow.src));
            if !permitted && !state.cut {
                newly_cut.push(*flow);
            }
            if permitted == state.cut {
                changes.push((*flow, !permitted));
            }
        }
        for (flow, cut) in changes {
            if let Some(state) = self.inbound.touch(&flow) {
                state.cut = cut;
            }
        }
        self.cut_flows = self.inbound.iter().filter(|(_, state)| state.cut).count();
        newly_cut
    }

    /// Judges a packet from a peer whose source address was proven. `l4` is the packet from its transport header on.
    pub fn check_in(&mut self, packet: &Parsed, l4: &[u8], jailed: bool, now_sec: u64) -> Verdict {
        if let Err(reason) = check_common(packet) {
            return Verdict::Drop(reason);
        }
        if packet.proto == ip::FRAGMENT {
            return Verdict::Accept;
        }
        if !self.table.local.contains(packet.dst) {
            return Verdict::Drop(Reason::NotLocal);
        }
        match packet.proto {
            ip::TCP => self.check_tcp(packet, jailed, now_sec),
            ip::UDP | ip::SCTP => self.check_datagram(packet, jailed, now_sec),
            ip::TSMP => Verdict::Accept,
            ip::ICMP | ip::ICMPV6 => {
                if is_icmp_answer(packet.proto, l4)
                    || (!self.shut(jailed) && self.any_rule(packet.src, packet.dst))
                {
                    Verdict::Accept
                } else {
                    self.deny(jailed)
                }
            }
            _ if self.permits(&Flow::of(packet), jailed) => Verdict::Accept,
            _ => self.deny(jailed),
        }
    }

    /// Judges a packet of ours and remembers its flow, so that answers may come in.
    pub fn check_out(&mut self, packet: &Parsed, now_sec: u64) -> Verdict {
        if let Err(reason) = check_common(packet) {
            return Verdict::Drop(reason);
        }
        if matches!(packet.proto, ip::UDP | ip::SCTP) {
            let answer = Flow::of(packet).reversed();
            if self.outbound.touch(&answer).is_none() {
                let theirs = self.inbound.get(&answer);
                let answers_them = theirs.is_some_and(|state| {
                    now_sec.saturating_sub(state.seen_sec) < INBOUND_DATAGRAM_REST_SEC
                });
                if !answers_them {
                    self.outbound.insert(answer, ());
                }
            }
        }
        Verdict::Accept
    }

    fn check_tcp(&mut self, packet: &Parsed, jailed: bool, now_sec: u64) -> Verdict {
        let syn = packet.is_tcp_syn();
        if !syn && self.cut_flows == 0 {
            return Verdict::Accept;
        }
        let flow = Flow::of(packet);
        if !syn {
            let cut = self.inbound.get(&flow).is_some_and(|state| state.cut);
            return if cut {
                Verdict::Drop(Reason::Cut)
            } else {
                Verdict::Accept
            };
        }
        if !self.engine_port(&flow) && !self.permits(&flow, jailed) {
            return self.deny(jailed);
        }
        self.remember(flow, now_sec);
        Verdict::Accept
    }

    fn check_datagram(&mut self, packet: &Parsed, jailed: bool, now_sec: u64) -> Verdict {
        let flow = Flow::of(packet);
        if self.outbound.touch(&flow).is_some() {
            return Verdict::Accept;
        }
        let generation = self.generation;
        if let Some(state) = self.inbound.touch(&flow)
            && state.generation == generation
            && !state.cut
            && !jailed
        {
            state.seen_sec = now_sec;
            return Verdict::Accept;
        }
        if !self.permits(&flow, jailed) {
            return self.deny(jailed);
        }
        self.remember(flow, now_sec);
        Verdict::Accept
    }

    fn remember(&mut self, flow: Flow, now_sec: u64) {
        let was_cut = self.inbound.get(&flow).is_some_and(|state| state.cut);
        self.inbound.insert(
            flow,
            Inbound {
                seen_sec: now_sec,
                generation: self.generation,
                cut: false,
            },
        );
        if was_cut {
            self.cut_flows -= 1;
        }
    }

    /// Whether a flow of a peer may start now: by a rule, or because the engine's own service judges for itself.
    pub fn permits_flow(&self, flow: &Flow, jailed: bool) -> bool {
        self.engine_port(flow) || self.permits(flow, jailed)
    }

    fn engine_port(&self, flow: &Flow) -> bool {
        flow.proto == ip::TCP
            && self.engine_ports.contains(&flow.dst_port)
            && self.own.contains(&flow.dst)
    }

    fn shut(&self, jailed: bool) -> bool {
        jailed || self.table.shields_up
    }

    fn deny(&self, jailed: bool) -> Verdict {
        Verdict::Drop(if self.shut(jailed) {
            Reason::ShieldsUp
        } else {
            Reason::Rules
        })
    }

    /// Whether the rules let this flow start.
    fn permits(&self, flow: &Flow, jailed: bool) -> bool {
        if self.shut(jailed) || !self.table.local.contains(flow.dst) {
            return false;
        }
        let ported = matches!(flow.proto, ip::TCP | ip::UDP | ip::SCTP);
        self.table.matches.iter().any(|rule| {
            rule.names(flow.proto)
                && rule.dsts.iter().any(|dst| {
                    let ports = if ported {
                        (dst.first..=dst.last).contains(&flow.dst_port)
                    } else {
                        dst.first == 0 && dst.last == u16::MAX
                    };
                    ports && dst.prefix.contains(flow.dst)
                })
                && rule.srcs.contains(flow.src)
        })
    }

    fn any_rule(&self, src: IpAddr, dst: IpAddr) -> bool {
        let hits = |rule: &Match| {
            rule.dsts.iter().any(|to| to.prefix.contains(dst)) && rule.srcs.contains(src)
        };
        self.table.matches.iter().any(hits)
    }
}

/// The checks that hold in both directions.
fn check_common(packet: &Parsed) -> Result<(), Reason> {
    if packet.dst.is_multicast() {
        return Err(Reason::Multicast);
    }
    let link_local = match packet.dst {
        IpAddr::V4(dst) => dst.is_link_local() && dst.octets() != [169, 254, 169, 254],
        IpAddr::V6(dst) => dst.is_unicast_link_local(),
    };
    if link_local {
        return Err(Reason::LinkLocal);
    }
    if packet.proto == ip::UNKNOWN {
        return Err(Reason::UnknownProto);
    }
    Ok(())
}

/// Echo replies and errors answer something of ours.
fn is_icmp_answer(proto: u8, l4: &[u8]) -> bool {
    let (Some(kind), Some(code)) = (l4.first(), l4.get(1)) else {
        return false;
    };
    match proto {
        ip::ICMP => matches!(kind, 3 | 11 | 12) || (*kind == 0 && *code == 0),
        _ => matches!(kind, 1..=4) || (*kind == 129 && *code == 0),
    }
}
