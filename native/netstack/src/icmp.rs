//! ICMP by hand: echo to own addresses is answered, to served ones passed on (`echo`), our own echo is timed, errors end a
//! dial in progress, and guests are told what cannot be reached.
//!
//!   echo         type 8 / 128 | 0 | sum | id | seq | data  → type 0 / 129
//!   unreachable  type 3 / 1 | code | sum | 4 B unused | the packet it is about
//!
//! An error is believed only for a flow whose handshake is not done (RFC 5927). Sources: RFC 792, 4443.

use crate::Netstack;
use crate::flow::{FlowKey, Handshake};
use crate::guard::Lead;
use crate::guests::Guest;
use crate::packet::{self, Header, ICMP, ICMPV6, TCP, UDP, checksum, pseudo, send_ip};
use crate::timers::Due;
use crate::types::{DialError, Event, PacketOut};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

const PING_TIMEOUT: Duration = Duration::from_secs(10);
const MAX_PINGS: usize = 256;
const MAX_ECHO: usize = 65_000;

pub(crate) struct Ping {
    id: u64,
    pub to: IpAddr,
    sent: Instant,
}

/// What a router would say of a destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unreachable {
    Network,
    Host,
    Port,
    Prohibited,
}

/// How much of a packet an error quotes at most: the error fits the smallest packet that everybody takes.
const MOST_QUOTED: usize = 548;

struct Types {
    protocol: u8,
    echo: u8,
    echo_reply: u8,
    unreachable: u8,
    port_code: u8,
}

fn types(ip: IpAddr) -> Types {
    match ip {
        IpAddr::V4(_) => Types {
            protocol: ICMP,
            echo: 8,
            echo_reply: 0,
            unreachable: 3,
            port_code: 3,
        },
        IpAddr::V6(_) => Types {
            protocol: ICMPV6,
            echo: 128,
            echo_reply: 129,
            unreachable: 1,
            port_code: 4,
        },
    }
}

fn code(ip: IpAddr, unreachable: Unreachable) -> u8 {
    let (v4, v6) = match unreachable {
        Unreachable::Network => (0, 0),
        Unreachable::Host => (1, 3),
        Unreachable::Port => (3, 4),
        Unreachable::Prohibited => (13, 1),
    };
    if ip.is_ipv4() { v4 } else { v6 }
}

fn sum_start(protocol: u8, src: IpAddr, dst: IpAddr, length: usize) -> u64 {
    match protocol {
        ICMPV6 => pseudo(src, dst, ICMPV6, length),
        _ => 0,
    }
}

impl Netstack {
    pub(crate) fn handle_icmp(
        &mut self,
        now: Instant,
        guest: Guest,
        header: &Header,
        packet: &[u8],
    ) {
        let message = &packet[header.payload.clone()];
        let types = types(header.src);
        if message.len() < 8 {
            self.counters.drop_malformed += 1;
            return;
        }
        let sum = sum_start(header.protocol, header.src, header.dst, message.len());
        if checksum(sum, message) != 0 {
            self.counters.drop_checksum += 1;
            return;
        }
        let kind = message[0];
        if kind == types.echo {
            match self.lead(header.dst) {
                Lead::Own | Lead::Service => {
                    self.counters.icmp_echo += 1;
                    self.send_echo_reply((header.dst, header.src), &message[4..]);
                }
                Lead::Foreign(to) => {
                    let ends = (header.dst, header.src);
                    self.pass_echo(now, guest, ends, to, &message[4..]);
                }
                Lead::Nowhere => self.counters.drop_not_ours += 1,
            }
        } else if kind == types.echo_reply {
            self.handle_pong(now, header.src, message);
        } else if kind == types.unreachable {
            let refused = message[1] == types.port_code;
            self.handle_unreachable(now, refused, &message[8..]);
        } else {
            self.counters.drop_protocol += 1;
        }
    }

    /// `rest` is everything of the request after the checksum.
    pub(crate) fn send_echo_reply(&mut self, ends: (IpAddr, IpAddr), rest: &[u8]) {
        self.send_icmp(ends, [types(ends.0).echo_reply, 0], rest);
    }

    /// `rest` is everything after the checksum.
    fn send_icmp(&mut self, ends: (IpAddr, IpAddr), [kind, code]: [u8; 2], rest: &[u8]) {
        let protocol = types(ends.0).protocol;
        let mut message = Vec::with_capacity(4 + rest.len());
        message.extend_from_slice(&[kind, code, 0, 0]);
        message.extend_from_slice(rest);
        let start = sum_start(protocol, ends.0, ends.1, message.len());
        let sum = checksum(start, &message);
        message[2..4].copy_from_slice(&sum.to_be_bytes());
        let id = self.random() as u32;
        let queue = &mut self.queue;
        send_ip(ends, (protocol, id), self.config.mtu, &message, |packet| {
            queue.send(packet);
        });
    }

    /// Sends an ICMP echo with `size` bytes of data; answered by `Event::Pong` or `Event::PingLost`.
    pub fn ping_icmp(&mut self, now: Instant, id: u64, to: IpAddr, size: usize) {
        let own = self.own_address_for(to);
        let (Some(own), true) = (own, self.pings.len() < MAX_PINGS) else {
            self.events.push_back(Event::PingLost { id });
            return;
        };
        self.next_ping = self.next_ping.wrapping_add(1);
        let seq = self.next_ping;
        self.pings.insert(seq, Ping { id, to, sent: now });
        self.timers.set(now + PING_TIMEOUT, Due::Ping(seq));
        let mut rest = Vec::with_capacity(4 + size);
        rest.extend_from_slice(&self.ping_ident.to_be_bytes());
        rest.extend_from_slice(&seq.to_be_bytes());
        rest.extend((0..size.min(MAX_ECHO)).map(|i| i as u8));
        self.send_icmp((own, to), [types(to).echo, 0], &rest);
    }

    fn handle_pong(&mut self, now: Instant, from: IpAddr, message: &[u8]) {
        let ident = u16::from_be_bytes([message[4], message[5]]);
        let seq = u16::from_be_bytes([message[6], message[7]]);
        let known = self.pings.get(&seq).is_some_and(|p| p.to == from);
        if ident != self.ping_ident || !known {
            self.counters.drop_not_ours += 1;
            return;
        }
        if let Some(ping) = self.pings.remove(&seq) {
            let latency = now.saturating_duration_since(ping.sent);
            let id = ping.id;
            self.events.push_back(Event::Pong { id, latency });
        }
    }

    pub(crate) fn ping_due(&mut self, now: Instant, seq: u16) {
        let late = |p: &Ping| p.sent + PING_TIMEOUT <= now;
        if self.pings.get(&seq).is_some_and(late)
            && let Some(ping) = self.pings.remove(&seq)
        {
            self.events.push_back(Event::PingLost { id: ping.id });
        }
    }

    fn handle_unreachable(&mut self, now: Instant, refused: bool, about: &[u8]) {
        let Some((protocol, key)) = quoted(about) else {
            self.counters.drop_malformed += 1;
            return;
        };
        if protocol != TCP {
            return;
        }
        let Some(&slot) = self.flows.by_key.get(&key) else {
            return;
        };
        if matches!(self.flows.slots[slot].handshake, Some(Handshake::Race(_))) {
            let why = match refused {
                true => DialError::Refused,
                false => DialError::Unreachable,
            };
            self.end_flow(now, slot, why);
        }
    }

    /// Tells a guest that the destination of its packet `about` cannot be reached.
    pub(crate) fn send_unreachable(&mut self, key: FlowKey, why: Unreachable, about: &[u8]) {
        let ends = (key.local.ip(), key.remote.ip());
        let mut rest = vec![0; 4];
        rest.extend_from_slice(&about[..about.len().min(MOST_QUOTED)]);
        self.counters.icmp_unreachable += 1;
        self.send_icmp(ends, [types(ends.0).unreachable, code(ends.0, why)], &rest);
    }

    /// The same for a datagram, of which the headers are quoted.
    pub(crate) fn send_udp_unreachable(&mut self, key: FlowKey, why: Unreachable) {
        let Some(datagram) = packet::udp_datagram(key.remote, key.local, &[]) else {
            return;
        };
        let mut about = Vec::new();
        let ends = (key.remote.ip(), key.local.ip());
        send_ip(ends, (UDP, 0), self.config.mtu, &datagram, |packet| {
            about.extend_from_slice(packet);
        });
        self.send_unreachable(key, why, &about);
    }
}

/// The protocol and ends of a packet of ours that an error quotes; it may be cut short after 8 bytes of payload.
pub(crate) fn quoted(about: &[u8]) -> Option<(u8, FlowKey)> {
    let (src, dst, protocol, at): (IpAddr, IpAddr, u8, usize) = match about.first()? >> 4 {
        4 => {
            let octets = |at: usize| -> Option<[u8; 4]> { about.get(at..at + 4)?.try_into().ok() };
            let at = usize::from(about[0] & 15) * 4;
            let (src, dst) = (octets(12)?, octets(16)?);
            (src.into(), dst.into(), *about.get(9)?, at.max(20))
        }
        6 => {
            let octets =
                |at: usize| -> Option<[u8; 16]> { about.get(at..at + 16)?.try_into().ok() };
            let (src, dst) = (octets(8)?, octets(24)?);
            (src.into(), dst.into(), *about.get(6)?, 40)
        }
        _ => return None,
    };
    let ports = about.get(at..at + 4)?;
    let port = |at: usize| u16::from_be_bytes([ports[at], ports[at + 1]]);
    let key = FlowKey {
        local: SocketAddr::new(src, port(0)),
        remote: SocketAddr::new(dst, port(2)),
    };
    Some((protocol, key))
}
