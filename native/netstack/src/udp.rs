//! UDP flows: an own table by 5-tuple, one connected socket an inbound flow.
//!
//! A datagram to an own address goes to 127.0.0.1 and the same port, from the same source port if that is
//! free, so that the service can tell its callers apart; one to a served address goes there from any port. An idle flow
//! ends after two minutes, after 30 s if port 53 is at either end. With the table full, the flow that has rested longest
//! makes room. What the system says of a destination goes back as ICMP.

use crate::Netstack;
use crate::flow::FlowKey;
use crate::guard::Lead;
use crate::guests::{Guest, share};
use crate::icmp::Unreachable;
use crate::packet::{Header, Malformed, UDP, read_udp, send_ip, udp_datagram};
use crate::timers::Due;
use crate::tokens::Source;
use crate::types::{Event, PacketOut};
use mio::net::UdpSocket;
use slab::Slab;
use std::collections::{HashMap, HashSet};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

/// Datagrams read from one socket before the others get their turn, and from all sockets of one guest.
const TURN: usize = 64;
const GUEST_TURN: usize = 1024;
/// Answers that may wait for `poll`, in bytes; what comes beyond stays in its socket until they are sent.
const MAX_WAITING: usize = 4 << 20;

pub(crate) enum UdpEnd {
    /// Inbound: a connected socket of this machine.
    Local { socket: UdpSocket, token: usize },
    /// Outbound, for a SOCKS association.
    Association(usize),
    /// Outbound, for a client of a UDP forward.
    Client(usize),
    /// Outbound, for a question of the engine.
    Exchange(u64),
}

pub(crate) struct UdpFlow {
    pub key: FlowKey,
    pub end: UdpEnd,
    guest: Guest,
    last: Instant,
    idle: Duration,
    owner_of: Option<SocketAddr>,
}

impl UdpFlow {
    pub fn touch(&mut self, now: Instant) {
        self.last = now;
    }
}

#[derive(Default)]
pub(crate) struct UdpTable {
    pub slots: Slab<UdpFlow>,
    pub by_key: HashMap<FlowKey, usize>,
    /// Tunnel source addresses of associations and of clients of forwards.
    pub reserved: HashSet<SocketAddr>,
}

impl UdpTable {
    pub fn is_in_use(&self, key: &FlowKey) -> bool {
        self.reserved.contains(&key.local) || self.by_key.contains_key(key)
    }
}

/// A local socket from the same source port if possible, connected to `target`. One that would be its own target, which only an unused
/// port can, is refused: it would answer the peer with the peer's words.
fn local_socket(source_port: u16, target: SocketAddr) -> io::Result<UdpSocket> {
    let unspecified: IpAddr = match target {
        SocketAddr::V4(t) if t.ip().is_loopback() => Ipv4Addr::LOCALHOST.into(),
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => std::net::Ipv6Addr::UNSPECIFIED.into(),
    };
    // A privileged source port is rarely ours to bind; any free one serves then.
    let socket = UdpSocket::bind(SocketAddr::new(unspecified, source_port))
        .or_else(|_| UdpSocket::bind(SocketAddr::new(unspecified, 0)))?;
    if socket.local_addr()? == target {
        return Err(io::ErrorKind::ConnectionRefused.into());
    }
    socket.connect(target)?;
    Ok(socket)
}

impl Netstack {
    pub(crate) fn handle_udp(
        &mut self,
        now: Instant,
        guest: Guest,
        header: &Header,
        packet: &[u8],
    ) {
        let datagram = &packet[header.payload.clone()];
        let (src, dst, range) = match read_udp(header, datagram) {
            Ok(read) => read,
            Err(Malformed::Checksum) => return self.counters.drop_checksum += 1,
            Err(_) => return self.counters.drop_malformed += 1,
        };
        let key = FlowKey {
            local: SocketAddr::new(header.dst, dst),
            remote: SocketAddr::new(header.src, src),
        };
        if self.services.contains(&header.dst) {
            self.counters.udp_in += 1;
            self.handle_service_udp(now, key, &datagram[range]);
            return;
        }
        let slot = match self.udp.by_key.get(&key) {
            Some(&slot) => slot,
            None => match self.open_udp_inbound(now, guest, key) {
                Some(slot) => slot,
                None => return,
            },
        };
        self.counters.udp_in += 1;
        let flow = &mut self.udp.slots[slot];
        flow.last = now;
        let payload = &datagram[range];
        match &flow.end {
            UdpEnd::Local { socket, .. } => {
                if let Err(e) = socket.send(payload) {
                    self.note_udp_error(slot, &e);
                }
            }
            UdpEnd::Association(association) => {
                let association = *association;
                self.deliver_association(association, key.remote, payload);
            }
            UdpEnd::Client(client) => {
                let client = *client;
                self.deliver_udp_client(now, client, payload);
            }
            UdpEnd::Exchange(id) => {
                let id = *id;
                self.end_exchange(id, Some(payload.to_vec()));
            }
        }
    }

    fn note_udp_error(&mut self, slot: usize, error: &io::Error) {
        let key = self.udp.slots[slot].key;
        if !self.tell_unreachable(key, error.kind()) {
            self.counters.drop_udp_full += 1;
        }
    }

    /// Tells the sender of a datagram what the system said of its destination; false when that is nothing of the kind.
    fn tell_unreachable(&mut self, key: FlowKey, why: io::ErrorKind) -> bool {
        let unreachable = match why {
            // Nobody listens on that port (any more).
            io::ErrorKind::ConnectionRefused => Unreachable::Port,
            io::ErrorKind::NetworkUnreachable => Unreachable::Network,
            io::ErrorKind::HostUnreachable => Unreachable::Host,
            io::ErrorKind::PermissionDenied => Unreachable::Prohibited,
            _ => return false,
        };
        self.send_udp_unreachable(key, unreachable);
        true
    }

    fn open_udp_inbound(&mut self, now: Instant, guest: Guest, key: FlowKey) -> Option<usize> {
        let lead = self.lead(key.local.ip());
        if lead == Lead::Nowhere {
            self.counters.drop_not_ours += 1;
            return None;
        }
        if key.local.port() == 0 || key.remote.port() == 0 {
            self.counters.drop_malformed += 1;
            return None;
        }
        let (source_port, target) = match lead {
            Lead::Foreign(to) => (0, SocketAddr::new(to, key.local.port())),
            _ => {
                let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, key.local.port()));
                (key.remote.port(), loopback)
            }
        };
        if self.is_own_udp(target) {
            self.tell_unreachable(key, io::ErrorKind::ConnectionRefused);
            return None;
        }
        if !self.udp_room(guest) {
            self.counters.drop_udp_limit += 1;
            return None;
        }
        let mut socket = match local_socket(source_port, target) {
            Ok(socket) => socket,
            Err(e) => {
                if !self.tell_unreachable(key, e.kind()) {
                    self.counters.drop_no_descriptor += 1;
                }
                return None;
            }
        };
        let token = self.tokens.add(Source::Nobody);
        let registered =
            self.registry
                .register(&mut socket, self.tokens.mio(token), mio::Interest::READABLE);
        if registered.is_err() {
            self.tokens.free(token);
            self.counters.drop_no_descriptor += 1;
            return None;
        }
        let owner_of = socket.local_addr().ok().filter(|_| lead == Lead::Own);
        let end = UdpEnd::Local { socket, token };
        let slot = self.insert_udp(now, guest, key, end, owner_of);
        self.tokens.set(token, Source::Udp(slot));
        if let Some(local) = owner_of {
            self.owners.insert((UDP, local), key.remote);
        }
        Some(slot)
    }

    /// Whether `guest` may have another flow; the longest idle one is closed if the table is full.
    pub(crate) fn udp_room(&mut self, guest: Guest) -> bool {
        if self.guests.of(guest).udp >= share(self.config.max_udp_flows) {
            return false;
        }
        if self.udp.slots.len() >= self.config.max_udp_flows {
            let oldest = self.udp.slots.iter().min_by_key(|(_, f)| f.last);
            let Some(oldest) = oldest.map(|(slot, _)| slot) else {
                return false;
            };
            self.counters.drop_udp_limit += 1;
            self.remove_udp(oldest);
        }
        true
    }

    pub(crate) fn insert_udp(
        &mut self,
        now: Instant,
        guest: Guest,
        key: FlowKey,
        end: UdpEnd,
        owner_of: Option<SocketAddr>,
    ) -> usize {
        let dns = key.local.port() == 53 || key.remote.port() == 53;
        let idle = match dns {
            true => self.config.dns_idle,
            false => self.config.udp_idle,
        };
        let slot = self.udp.slots.insert(UdpFlow {
            key,
            end,
            guest,
            last: now,
            idle,
            owner_of,
        });
        self.udp.by_key.insert(key, slot);
        self.guests.change(guest, |usage| usage.udp += 1);
        self.timers.set(now + idle, Due::Udp(slot));
        self.counters.udp_open = self.udp.slots.len() as u64;
        slot
    }

    pub(crate) fn remove_udp(&mut self, slot: usize) {
        let Some(flow) = self.udp.slots.try_remove(slot) else {
            return;
        };
        self.udp.by_key.remove(&flow.key);
        self.guests.change(flow.guest, |usage| usage.udp -= 1);
        if let Some(local) = flow.owner_of {
            self.owners.remove(&(UDP, local));
        }
        if !matches!(flow.end, UdpEnd::Local { .. }) {
            let (from, to) = (flow.key.local, flow.key.remote);
            self.events.push_back(Event::AskedNoMore { from, to });
        }
        match flow.end {
            UdpEnd::Local { token, .. } => self.tokens.free(token),
            UdpEnd::Client(client) => self.udp_client_lost_flow(client),
            UdpEnd::Exchange(id) => self.end_exchange(id, None),
            UdpEnd::Association(_) => {}
        }
        self.counters.udp_open = self.udp.slots.len() as u64;
    }

    /// Whether a UDP flow of ours, or of a peer, has these ends.
    pub fn has_udp_flow(&self, local: SocketAddr, remote: SocketAddr) -> bool {
        self.udp.by_key.contains_key(&FlowKey { local, remote })
    }

    pub(crate) fn udp_due(&mut self, now: Instant, slot: usize) {
        let Some(flow) = self.udp.slots.get(slot) else {
            return;
        };
        let end = flow.last + flow.idle;
        if end <= now {
            self.remove_udp(slot);
        } else {
            self.timers.set(end, Due::Udp(slot));
        }
    }

    /// The local service has answered.
    pub(crate) fn udp_ready(&mut self, now: Instant, slot: usize) {
        let mut buffer = std::mem::take(&mut self.datagram);
        buffer.resize(1 << 16, 0);
        let guest = self.udp.slots.get(slot).map(|flow| flow.guest);
        let crowd = guest.map_or(1, |guest| self.guests.of(guest).udp.max(1));
        let most = (GUEST_TURN / crowd).clamp(1, TURN);
        for turn in 0..=most {
            let Some(flow) = self.udp.slots.get_mut(slot) else {
                break;
            };
            let UdpEnd::Local { socket, .. } = &flow.end else {
                break;
            };
            if turn == most || self.queue.len() > MAX_WAITING {
                self.again.push_back(Source::Udp(slot));
                break;
            }
            match socket.recv(&mut buffer) {
                Ok(n) => {
                    flow.last = now;
                    let key = flow.key;
                    self.send_udp(key, &buffer[..n]);
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => {
                    self.note_udp_error(slot, &e);
                    break;
                }
            }
        }
        self.datagram = buffer;
    }

    /// Sends one datagram into the tunnel, in fragments if it is larger than the MTU.
    pub(crate) fn send_udp(&mut self, key: FlowKey, payload: &[u8]) {
        let Some(datagram) = udp_datagram(key.local, key.remote, payload) else {
            self.counters.drop_malformed += 1;
            return;
        };
        self.counters.udp_out += 1;
        let id = self.random() as u32;
        let queue = &mut self.queue;
        let ends = (key.local.ip(), key.remote.ip());
        send_ip(ends, (UDP, id), self.config.mtu, &datagram, |packet| {
            queue.send(packet);
        });
    }
}
