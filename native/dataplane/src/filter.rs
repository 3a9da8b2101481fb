//! The packet filter: which inbound packets may pass. Default deny; without a table nothing new comes in.
//!
//! Order of judgement, inbound: multicast, link-local and impossible destinations, unknown protocol, later fragment, local
//! nets, then by protocol. TCP is judged at its SYN only, UDP and SCTP by the memory of our own outbound flows or by rules,
//! ICMP errors and echo replies by what we sent, other ICMP needs any rule for the pair of addresses, TSMP passes, any
//! other protocol needs a rule that names it with all ports. Outbound packets pass the first checks and are remembered.
//!
//! Stricter than the stateless original, all of it on purpose (tests/oracle.rs names each):
//!   flows that a rule let in are remembered: a new table cuts those it no longer permits, and our answers to them never
//!     open the way for more
//!   an ICMP error must quote a packet of a flow that we know, and come from the peer that carries its destination
//!   an echo reply must answer an echo of ours
//!   messages that mean something on one link alone (redirects, neighbour discovery) never pass, whatever the rules say
//!   a later fragment passes behind its first one alone
//!   no packet for loopback, no address at all or an IPv4 host in IPv6 clothes; no source routes; no ICMPv6 in IPv4
//!
//! Source: Tailscale's wgengine/filter, as interoperating peers expect it; README "Filter".

use std::net::{IpAddr, SocketAddr};

use crate::flows::{Flow, Lru};
use crate::fragments::{Fragments, Later};
use crate::icmp::{self, Kind};
use crate::ip::{self, Parsed};
use crate::prefix::IpSet;
pub use crate::rules::{Dst, Match, Rules};

/// Reversed outbound UDP and SCTP flows; the original keeps 512.
pub const OUTBOUND_FLOWS: usize = 4096;
/// Reversed outbound TCP connections and flows of protocols without ports: an ICMP error may be about one of them.
pub const SENT_FLOWS: usize = 8192;
/// Hosts that we sent an echo, by its identifier.
pub const ECHOES: usize = 1024;
/// An answer to an echo that comes later is nobody's any more.
const ECHO_SEC: u64 = 120;
/// Inbound flows that a rule let in.
pub const INBOUND_FLOWS: usize = 16_384;
/// An inbound datagram flow unused for so long no longer keeps our packets from opening the way back.
const INBOUND_DATAGRAM_REST_SEC: u64 = 120;

/// A whole rule table; the default one lets nothing in.
#[derive(Clone, Debug, Default)]
pub struct Table {
    pub rules: Rules,
    /// Destinations that are ours; all others are dropped before any rule.
    pub local: IpSet,
    /// No new inbound flow at all; rejects say so.
    pub shields_up: bool,
}

/// Why a packet does not pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    Multicast,
    LinkLocal,
    UnknownProto,
    NotLocal,
    Rules,
    ShieldsUp,
    /// A flow that an earlier table let in and the current one does not.
    Cut,
    /// A destination that no packet from the tunnel may have.
    Martian,
    /// An ICMP error or echo reply that answers nothing of ours, or ICMP that has no place in a tunnel.
    Icmp,
    /// A later fragment whose first one was refused, or one too many.
    Fragment,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Accept,
    /// A later fragment that waits for its first one; see `take_released`.
    Hold,
    Drop(Reason),
}

/// What is known of the peer that a packet came from.
#[derive(Clone, Copy)]
pub struct Sender<'a> {
    /// It may only answer us.
    pub jailed: bool,
    /// Whether our packets to this address go to that peer.
    pub carries: &'a dyn Fn(IpAddr) -> bool,
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
    outbound: Lru<Flow, ()>,
    sent: Lru<Flow, ()>,
    /// Second of the last echo; source port = its identifier.
    echoes: Lru<Flow, u64>,
    inbound: Lru<Flow, Inbound>,
    fragments: Fragments,
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
            sent: Lru::new(SENT_FLOWS),
            echoes: Lru::new(ECHOES),
            inbound: Lru::new(INBOUND_FLOWS),
            fragments: Fragments::default(),
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
        self.fragments.clear();
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

    /// Judges a packet from a peer whose source address was proven. When it is let in, fragments that waited for it come
    /// out of `take_released`.
    pub fn check_in(
        &mut self,
        parsed: &Parsed,
        packet: &[u8],
        from: Sender,
        now_sec: u64,
    ) -> Verdict {
        if parsed.proto == ip::FRAGMENT {
            return match (
                check_common(parsed),
                self.fragments.later(parsed, packet, now_sec),
            ) {
                (Err(reason), _) => Verdict::Drop(reason),
                (_, Later::Pass) => Verdict::Accept,
                (_, Later::Wait) => Verdict::Hold,
                (_, Later::Refuse) => Verdict::Drop(Reason::Fragment),
            };
        }
        let verdict = self.judge(parsed, packet, from, now_sec);
        if parsed.more {
            let let_in = verdict == Verdict::Accept;
            self.fragments.first(parsed, packet, let_in, now_sec);
        }
        verdict
    }

    /// The next fragment that waited for one that was let in.
    #[inline]
    pub fn take_released(&mut self) -> Option<Vec<u8>> {
        self.fragments.take_released()
    }

    fn judge(&mut self, parsed: &Parsed, packet: &[u8], from: Sender, now_sec: u64) -> Verdict {
        if let Err(reason) = check_common(parsed) {
            return Verdict::Drop(reason);
        }
        if is_impossible(parsed.dst) {
            return Verdict::Drop(Reason::Martian);
        }
        if !self.table.local.contains(parsed.dst) {
            return Verdict::Drop(Reason::NotLocal);
        }
        match parsed.proto {
            ip::TCP => self.check_tcp(parsed, from.jailed, now_sec),
            ip::UDP | ip::SCTP => self.check_datagram(parsed, from.jailed, now_sec),
            ip::TSMP => Verdict::Accept,
            ip::ICMP | ip::ICMPV6 => self.check_icmp(parsed, &packet[parsed.l4..], from, now_sec),
            _ if self.permits(&Flow::of(parsed), from.jailed) => Verdict::Accept,
            _ => self.deny(from.jailed),
        }
    }

    fn check_icmp(&mut self, parsed: &Parsed, l4: &[u8], from: Sender, now_sec: u64) -> Verdict {
        let passes = match icmp::kind(parsed.proto, l4) {
            Kind::Error => icmp::quoted(l4).is_some_and(|about| {
                about.src == parsed.dst && (from.carries)(about.dst) && self.knows(&about, now_sec)
            }),
            Kind::EchoReply => self.echoed(
                &Flow {
                    src_port: icmp::echo_ident(l4),
                    ..Flow::of(parsed)
                },
                now_sec,
            ),
            Kind::LinkOnly => false,
            Kind::EchoRequest | Kind::Other => {
                let shut = self.shut(from.jailed);
                if shut || !self.table.rules.permit_pair(parsed.src, parsed.dst) {
                    return self.deny(from.jailed);
                }
                true
            }
        };
        match passes {
            true => Verdict::Accept,
            false => Verdict::Drop(Reason::Icmp),
        }
    }

    /// Whether we sent packets of this flow, named as ours: one that we began, or answers to one that came in.
    fn knows(&mut self, ours: &Flow, now_sec: u64) -> bool {
        let theirs = ours.reversed();
        let came_in = self.inbound.get(&theirs).is_some_and(|state| !state.cut);
        match ours.proto {
            ip::ICMP | ip::ICMPV6 => {
                let answer = Flow {
                    src_port: ours.src_port,
                    dst_port: 0,
                    ..theirs
                };
                self.echoed(&answer, now_sec)
            }
            ip::UDP | ip::SCTP => came_in || self.outbound.get(&theirs).is_some(),
            _ => came_in || self.sent.touch(&theirs).is_some(),
        }
    }

    /// Forgets that we sent datagrams from here to there.
    pub fn forget_asked(&mut self, from: SocketAddr, to: SocketAddr) {
        self.outbound.remove(&answer_of(ip::UDP, from, to));
    }

    /// Whether we began this flow: a connection by its SYN, anything else by its packets.
    pub fn began(&self, proto: u8, from: SocketAddr, to: SocketAddr) -> bool {
        let answer = answer_of(proto, from, to);
        match proto {
            ip::UDP | ip::SCTP => self.outbound.get(&answer).is_some(),
            _ => self.sent.get(&answer).is_some(),
        }
    }

    fn echoed(&self, answer: &Flow, now_sec: u64) -> bool {
        let fresh = |sent: &u64| now_sec.saturating_sub(*sent) < ECHO_SEC;
        self.echoes.get(answer).is_some_and(fresh)
    }

    /// Judges a packet of ours and remembers its flow, so that answers may come in.
    pub fn check_out(&mut self, parsed: &Parsed, packet: &[u8], now_sec: u64) -> Verdict {
        if let Err(reason) = check_common(parsed) {
            return Verdict::Drop(reason);
        }
        match parsed.proto {
            ip::UDP | ip::SCTP => self.remember_datagram(Flow::of(parsed).reversed(), now_sec),
            ip::TCP if !parsed.is_tcp_syn() => {}
            ip::FRAGMENT => {}
            ip::ICMP | ip::ICMPV6 => {
                let l4 = &packet[parsed.l4..];
                if icmp::kind(parsed.proto, l4) == Kind::EchoRequest {
                    let src_port = icmp::echo_ident(l4);
                    let answer = Flow {
                        src_port,
                        ..Flow::of(parsed).reversed()
                    };
                    self.echoes.insert(answer, now_sec);
                }
            }
            _ => self.sent.insert(Flow::of(parsed).reversed(), ()),
        }
        Verdict::Accept
    }

    fn remember_datagram(&mut self, answer: Flow, now_sec: u64) {
        if self.outbound.touch(&answer).is_some() {
            return;
        }
        let answers_them = self.inbound.get(&answer).is_some_and(|state| {
            now_sec.saturating_sub(state.seen_sec) < INBOUND_DATAGRAM_REST_SEC
        });
        if !answers_them {
            self.outbound.insert(answer, ());
        }
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
        if !self.permits_flow(&flow, jailed) {
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
        self.table
            .rules
            .permit(flow.proto, flow.src, flow.dst, flow.dst_port)
    }
}

/// The flow of what answers packets of ours.
fn answer_of(proto: u8, from: SocketAddr, to: SocketAddr) -> Flow {
    Flow {
        proto,
        src: to.ip(),
        src_port: to.port(),
        dst: from.ip(),
        dst_port: from.port(),
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

/// Addresses that stand for no host of a network, or for one of this machine alone.
fn is_impossible(dst: IpAddr) -> bool {
    match dst {
        IpAddr::V4(dst) => dst.is_loopback() || dst.is_unspecified() || dst.is_broadcast(),
        IpAddr::V6(dst) => {
            dst.is_loopback() || dst.is_unspecified() || dst.to_ipv4_mapped().is_some()
        }
    }
}
