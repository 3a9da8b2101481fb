//! Clients of UDP forwards: each address that sends to one is a flow of its own, with a source port of its own.
//!
//!   asking (a few datagrams wait) → tunnel | connected socket of this machine | engine | refused for a while
//!
//! Only the place that was sent to may answer. A client that rests is forgotten after two minutes, after 30 s when its
//! place is a port 53; its next datagram asks anew.

use crate::Netstack;
use crate::association::Bound;
use crate::client::Asker;
use crate::engine_datagram::Back;
use crate::flow::FlowKey;
use crate::forward::Door;
use crate::guests::Guest;
use crate::packet::UDP;
use crate::timers::Due;
use crate::tokens::Source;
use crate::types::{Event, ProxyAnswer};
use crate::udp::UdpEnd;
use slab::Slab;
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

const MAX_WAITING: usize = 4;
const TURN: usize = 64;
/// How long a refusal holds before the client's next datagram asks again.
const REFUSED: Duration = Duration::from_secs(2);

enum Way {
    Asking { request: u64, waiting: Vec<Vec<u8>> },
    Tunnel(FlowKey),
    System(Bound),
    Engine(SocketAddr),
    Refused,
}

struct UdpClient {
    forward: usize,
    address: SocketAddr,
    way: Way,
    last: Instant,
    idle: Duration,
    serial: u64,
}

#[derive(Default)]
pub(crate) struct UdpClients {
    slots: Slab<UdpClient>,
    by_place: HashMap<(usize, SocketAddr), usize>,
}

impl UdpClients {
    /// How many clients a forward has.
    pub fn count(&self, forward: usize) -> usize {
        let of = |(_, c): &(usize, &UdpClient)| c.forward == forward;
        self.slots.iter().filter(of).count()
    }
}

impl Netstack {
    /// Datagrams have come to a forward.
    pub(crate) fn udp_forward_ready(&mut self, now: Instant, slot: usize) {
        let mut buffer = std::mem::take(&mut self.datagram);
        buffer.resize(1 << 16, 0);
        for turn in 0..=TURN {
            let Some(Door::Udp(bound)) = self.forwards.get(slot).map(|f| &f.door) else {
                break;
            };
            if turn == TURN {
                self.again.push_back(Source::Forward(slot));
                break;
            }
            match bound.socket.recv_from(&mut buffer) {
                Ok((n, from)) => self.handle_udp_client(now, slot, from, &buffer[..n]),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                // A client that went away is told here once; the socket goes on.
                Err(_) => {}
            }
        }
        self.datagram = buffer;
    }

    fn handle_udp_client(
        &mut self,
        now: Instant,
        forward: usize,
        from: SocketAddr,
        payload: &[u8],
    ) {
        let Some(&slot) = self.udp_clients.by_place.get(&(forward, from)) else {
            return self.add_udp_client(now, forward, from, payload);
        };
        let client = &mut self.udp_clients.slots[slot];
        if !matches!(client.way, Way::Refused) {
            client.last = now;
        }
        match &mut client.way {
            Way::Asking { waiting, .. } if waiting.len() < MAX_WAITING => {
                waiting.push(payload.to_vec());
            }
            Way::Asking { .. } | Way::Refused => self.counters.drop_udp_full += 1,
            _ => self.send_udp_client(now, slot, payload),
        }
    }

    fn add_udp_client(
        &mut self,
        now: Instant,
        forward: usize,
        address: SocketAddr,
        payload: &[u8],
    ) {
        if self.udp_clients.slots.len() >= self.config.max_udp_clients {
            self.counters.drop_udp_limit += 1;
            let slots = self.udp_clients.slots.iter();
            match slots.min_by_key(|(_, c)| c.last).map(|(slot, _)| slot) {
                Some(oldest) => self.drop_udp_client(oldest),
                None => return,
            }
        }
        let serial = self.new_serial();
        let entry = self.udp_clients.slots.vacant_key();
        let request = self.new_request(now, Asker::UdpClient(entry));
        let waiting = vec![payload.to_vec()];
        let idle = self.config.udp_idle;
        self.udp_clients.slots.insert(UdpClient {
            forward,
            address,
            way: Way::Asking { request, waiting },
            last: now,
            idle,
            serial,
        });
        self.udp_clients.by_place.insert((forward, address), entry);
        self.forwards[forward].total += 1;
        let forward = self.forwards[forward].id;
        self.events.push_back(Event::ForwardRequest {
            id: request,
            forward,
            from: address,
        });
    }

    pub(crate) fn answer_udp_client(
        &mut self,
        now: Instant,
        slot: usize,
        request: u64,
        answer: ProxyAnswer,
    ) {
        let Some(waiting) = self.take_waiting(slot, request) else {
            return;
        };
        let (way, port) = match answer {
            ProxyAnswer::Tunnel { addresses, port } => (self.tunnel_way(&addresses, port), port),
            ProxyAnswer::System { addresses, port } => {
                (self.system_way(slot, &addresses, port), port)
            }
            ProxyAnswer::Engine { to } => (Some(Way::Engine(to)), to.port()),
            ProxyAnswer::Refuse { .. } => (None, 0),
        };
        let is_refused = way.is_none();
        let client = &mut self.udp_clients.slots[slot];
        client.way = way.unwrap_or(Way::Refused);
        client.last = now;
        client.idle = match port {
            _ if is_refused => REFUSED,
            53 => self.config.dns_idle,
            _ => self.config.udp_idle,
        };
        self.timers.set(now + client.idle, Due::UdpClient(slot));
        if is_refused {
            self.counters.proxy_refused += 1;
            return;
        }
        for payload in &waiting {
            self.send_udp_client(now, slot, payload);
        }
    }

    /// The datagrams that wait for the answer to `request`; none if the client is another one or has its answer.
    fn take_waiting(&mut self, slot: usize, wanted: u64) -> Option<Vec<Vec<u8>>> {
        match &mut self.udp_clients.slots.get_mut(slot)?.way {
            Way::Asking { request, waiting } if *request == wanted => Some(std::mem::take(waiting)),
            _ => None,
        }
    }

    fn tunnel_way(&mut self, addresses: &[IpAddr], port: u16) -> Option<Way> {
        for ip in addresses {
            let Some(own) = self.own_address_for(*ip) else {
                continue;
            };
            let key = self.free_key(UDP, own, SocketAddr::new(*ip, port))?;
            self.udp.reserved.insert(key.local);
            return Some(Way::Tunnel(key));
        }
        None
    }

    fn system_way(&mut self, slot: usize, addresses: &[IpAddr], port: u16) -> Option<Way> {
        let to = SocketAddr::new(*addresses.first()?, port);
        let any: IpAddr = match to.ip() {
            IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let bound = self.bind_udp(SocketAddr::new(any, 0), Source::UdpClient(slot));
        let bound = bound.ok()?;
        if bound.socket.connect(to).is_err() {
            self.tokens.free(bound.token);
            return None;
        }
        Some(Way::System(bound))
    }

    fn send_udp_client(&mut self, now: Instant, slot: usize, payload: &[u8]) {
        let client = &self.udp_clients.slots[slot];
        match &client.way {
            Way::Tunnel(key) => {
                let key = *key;
                match self.udp.by_key.get(&key).copied() {
                    Some(flow) => self.udp.slots[flow].touch(now),
                    None if self.udp_room(Guest::Address(key.remote.ip())) => {
                        let guest = Guest::Address(key.remote.ip());
                        self.insert_udp(now, guest, key, UdpEnd::Client(slot), None);
                    }
                    None => {
                        self.counters.drop_udp_limit += 1;
                        return;
                    }
                }
                self.send_udp(key, payload);
            }
            Way::System(bound) => {
                if bound.socket.send(payload).is_err() {
                    self.counters.drop_udp_full += 1;
                }
            }
            Way::Engine(to) => {
                let (from, to) = (client.address, *to);
                let serial = client.serial;
                self.tell_datagram(now, Back::UdpClient { slot, serial }, (from, to), payload);
            }
            Way::Asking { .. } | Way::Refused => {}
        }
    }

    /// Answers by the system's own network.
    pub(crate) fn udp_client_ready(&mut self, now: Instant, slot: usize) {
        let mut buffer = std::mem::take(&mut self.datagram);
        buffer.resize(1 << 16, 0);
        for turn in 0..=TURN {
            let way = self.udp_clients.slots.get(slot).map(|c| &c.way);
            let Some(Way::System(bound)) = way else {
                break;
            };
            if turn == TURN {
                self.again.push_back(Source::UdpClient(slot));
                break;
            }
            match bound.socket.recv(&mut buffer) {
                Ok(n) => self.deliver_udp_client(now, slot, &buffer[..n]),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => {}
            }
        }
        self.datagram = buffer;
    }

    /// An answer, from wherever this client may have one.
    pub(crate) fn deliver_udp_client(&mut self, now: Instant, slot: usize, payload: &[u8]) {
        let Some(client) = self.udp_clients.slots.get_mut(slot) else {
            return;
        };
        client.last = now;
        let door = self.forwards.get(client.forward).map(|f| &f.door);
        if let Some(Door::Udp(bound)) = door
            && bound.socket.send_to(payload, client.address).is_err()
        {
            self.counters.drop_udp_full += 1;
        }
    }

    pub(crate) fn is_udp_client(&self, slot: usize, serial: u64) -> bool {
        self.udp_clients.slots.get(slot).map(|c| c.serial) == Some(serial)
    }

    pub(crate) fn udp_client_due(&mut self, now: Instant, slot: usize) {
        let Some(client) = self.udp_clients.slots.get(slot) else {
            return;
        };
        let end = client.last + client.idle;
        match client.way {
            // The request has a time of its own.
            Way::Asking { .. } => {}
            _ if end > now => self.timers.set(end, Due::UdpClient(slot)),
            _ => self.drop_udp_client(slot),
        }
    }

    /// No decision came in time; the next datagram asks again.
    pub(crate) fn forget_udp_client(&mut self, slot: usize, request: u64) {
        if self.take_waiting(slot, request).is_some() {
            self.drop_udp_client(slot);
        }
    }

    /// The flow in the tunnel has ended (idle, cut, or to make room for another).
    pub(crate) fn udp_client_lost_flow(&mut self, slot: usize) {
        self.drop_udp_client(slot);
    }

    fn drop_udp_client(&mut self, slot: usize) {
        let Some(client) = self.udp_clients.slots.try_remove(slot) else {
            return;
        };
        let place = (client.forward, client.address);
        self.udp_clients.by_place.remove(&place);
        match client.way {
            Way::Tunnel(key) => {
                self.udp.reserved.remove(&key.local);
                if let Some(&flow) = self.udp.by_key.get(&key) {
                    self.remove_udp(flow);
                }
            }
            Way::System(bound) => self.tokens.free(bound.token),
            _ => {}
        }
    }

    pub(crate) fn drop_udp_clients_of(&mut self, forward: usize) {
        let found = self.udp_clients.slots.iter();
        let found = found.filter(|(_, c)| c.forward == forward);
        let slots: Vec<usize> = found.map(|(slot, _)| slot).collect();
        for slot in slots {
            self.drop_udp_client(slot);
        }
    }

    /// Every client asks anew at its next datagram.
    pub(crate) fn forget_udp_clients(&mut self) {
        let found = self.udp_clients.slots.iter();
        let decided = found.filter(|(_, c)| !matches!(c.way, Way::Asking { .. }));
        let slots: Vec<usize> = decided.map(|(slot, _)| slot).collect();
        for slot in slots {
            self.drop_udp_client(slot);
        }
    }
}
