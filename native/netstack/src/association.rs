//! SOCKS5 UDP ASSOCIATE: datagrams of a proxy client, each destination decided once by the owner.
//!
//!   destination: asking (a few datagrams wait) → tunnel flow | system socket | refused
//!
//! The association lives as long as the TCP connection that asked for it. Only the client's own address
//! may use it, and only destinations that were sent to may answer.

use crate::Netstack;
use crate::client::Asker;
use crate::engine_datagram::Back;
use crate::flow::FlowKey;
use crate::guests::Guest;
use crate::packet::UDP;
use crate::socks5;
use crate::tokens::Source;
use crate::types::{Event, ProxyAnswer, ProxyKind};
use crate::udp::UdpEnd;
use mio::net::{TcpStream, UdpSocket};
use std::collections::HashMap;
use std::io::{self, Read};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Instant;

const MAX_ROUTES: usize = 256;
const MAX_WAITING: usize = 4;
const TURN: usize = 64;

/// A destination as the client named it.
type Place = (String, u16);

enum Route {
    /// `request` is the number of the question.
    Asking {
        request: u64,
        waiting: Vec<Vec<u8>>,
    },
    Tunnel(FlowKey),
    System(SocketAddr),
    Engine(SocketAddr),
    Refused,
}

pub(crate) struct Bound {
    pub socket: UdpSocket,
    pub token: usize,
}

impl Bound {
    pub fn address(&self) -> Option<SocketAddr> {
        self.socket.local_addr().ok()
    }
}

pub(crate) struct Association {
    control: Option<(TcpStream, usize)>,
    near: Bound,
    client_ip: IpAddr,
    /// Learnt from the first datagram.
    client: Option<SocketAddr>,
    routes: HashMap<Place, Route>,
    /// Our source addresses in the tunnel, by family.
    sources: [Option<SocketAddr>; 2],
    /// Sockets for destinations outside the tunnel, by family.
    outside: [Option<Bound>; 2],
    /// Another one for each association.
    serial: u64,
}

fn family(ip: IpAddr) -> usize {
    usize::from(ip.is_ipv6())
}

impl Association {
    /// Where its client sends to.
    pub fn address(&self) -> Option<SocketAddr> {
        self.near.address()
    }
}

impl Netstack {
    pub(crate) fn bind_udp(&mut self, address: SocketAddr, source: Source) -> io::Result<Bound> {
        let mut socket = UdpSocket::bind(address)?;
        let token = self.tokens.add(source);
        let interest = mio::Interest::READABLE;
        let token_of = self.tokens.mio(token);
        if let Err(e) = self.registry.register(&mut socket, token_of, interest) {
            self.tokens.free(token);
            return Err(e);
        }
        Ok(Bound { socket, token })
    }

    pub(crate) fn is_association(&self, slot: usize, serial: u64) -> bool {
        self.associations.get(slot).map(|a| a.serial) == Some(serial)
    }

    /// Makes an association; returns its slot and the address the client has to send to.
    pub(crate) fn open_association(
        &mut self,
        near: &io::Result<SocketAddr>,
        client: &io::Result<SocketAddr>,
    ) -> Option<(usize, SocketAddr)> {
        let (Ok(near), Ok(client)) = (near, client) else {
            return None;
        };
        let bound = self
            .bind_udp(SocketAddr::new(near.ip(), 0), Source::Nobody)
            .ok()?;
        let address = bound.socket.local_addr().ok()?;
        let token = bound.token;
        let serial = self.new_serial();
        let slot = self.associations.insert(Association {
            control: None,
            near: bound,
            client_ip: client.ip(),
            client: None,
            routes: HashMap::new(),
            sources: [None; 2],
            outside: [None, None],
            serial,
        });
        self.tokens.set(token, Source::AssociationSocket(slot));
        Some((slot, address))
    }

    pub(crate) fn keep_control(&mut self, slot: usize, stream: TcpStream, token: usize) {
        self.associations[slot].control = Some((stream, token));
        self.tokens.set(token, Source::AssociationControl(slot));
        self.association_control_ready(slot);
    }

    /// The end of the control connection ends the association.
    pub(crate) fn association_control_ready(&mut self, slot: usize) {
        let Some(association) = self.associations.get_mut(slot) else {
            return;
        };
        let Some((stream, _)) = &mut association.control else {
            return;
        };
        let mut chunk = [0; 256];
        for _ in 0..16 {
            match stream.read(&mut chunk) {
                Ok(n) if n > 0 => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return,
                _ => break,
            }
        }
        self.close_association(slot);
    }

    pub(crate) fn close_association(&mut self, slot: usize) {
        let Some(association) = self.associations.try_remove(slot) else {
            return;
        };
        let control = association.control.map(|(_, token)| token);
        let outside = association.outside.into_iter().flatten().map(|b| b.token);
        for token in control.into_iter().chain(outside) {
            self.tokens.free(token);
        }
        self.tokens.free(association.near.token);
        for route in association.routes.into_values() {
            if let Route::Tunnel(key) = route
                && let Some(&flow) = self.udp.by_key.get(&key)
            {
                self.remove_udp(flow);
            }
        }
        for source in association.sources.into_iter().flatten() {
            self.udp.reserved.remove(&source);
        }
    }

    /// Datagrams from the client, or answers from outside the tunnel.
    pub(crate) fn association_ready(&mut self, now: Instant, slot: usize) {
        let mut buffer = std::mem::take(&mut self.datagram);
        buffer.resize(1 << 16, 0);
        for _ in 0..TURN {
            let Some(association) = self.associations.get_mut(slot) else {
                break;
            };
            match association.near.socket.recv_from(&mut buffer) {
                Ok((n, from)) => self.handle_client_datagram(now, slot, from, &buffer[..n]),
                Err(_) => break,
            }
        }
        for _ in 0..TURN {
            if !self.handle_outside_datagram(slot, &mut buffer) {
                self.datagram = buffer;
                return;
            }
        }
        self.again.push_back(Source::AssociationSocket(slot));
        self.datagram = buffer;
    }

    fn handle_client_datagram(
        &mut self,
        now: Instant,
        slot: usize,
        from: SocketAddr,
        bytes: &[u8],
    ) {
        let association = &mut self.associations[slot];
        if from.ip() != association.client_ip || association.client.is_some_and(|c| c != from) {
            self.counters.drop_not_ours += 1;
            return;
        }
        let Some((host, port, at)) = socks5::parse_datagram(bytes) else {
            self.counters.drop_malformed += 1;
            return;
        };
        association.client = Some(from);
        let payload = &bytes[at..];
        let place = (host, port);
        match association.routes.get_mut(&place) {
            Some(Route::Asking { waiting, .. }) if waiting.len() < MAX_WAITING => {
                waiting.push(payload.to_vec());
            }
            Some(Route::Tunnel(key)) => {
                let key = *key;
                self.send_association(now, slot, key, payload);
            }
            Some(Route::System(to)) => {
                let to = *to;
                self.send_outside(slot, to, payload);
            }
            Some(Route::Engine(to)) => {
                let to = *to;
                self.tell_association_datagram(now, slot, to, payload);
            }
            Some(Route::Asking { .. } | Route::Refused) => self.counters.drop_udp_full += 1,
            None => self.ask_route(now, slot, place, payload),
        }
    }

    fn ask_route(&mut self, now: Instant, slot: usize, place: Place, payload: &[u8]) {
        if self.associations[slot].routes.len() >= MAX_ROUTES {
            self.counters.drop_udp_limit += 1;
            return;
        }
        let id = self.new_request(now, Asker::Association(slot));
        let waiting = vec![payload.to_vec()];
        let (host, port) = place.clone();
        let asking = Route::Asking {
            request: id,
            waiting,
        };
        self.associations[slot].routes.insert(place, asking);
        self.events.push_back(Event::ProxyRequest {
            id,
            via: ProxyKind::Socks5,
            host,
            port,
        });
    }

    pub(crate) fn answer_association(
        &mut self,
        now: Instant,
        slot: usize,
        request: u64,
        answer: ProxyAnswer,
    ) {
        let Some((place, waiting)) = self.take_asking(slot, request) else {
            return;
        };
        let route = match answer {
            ProxyAnswer::Tunnel { addresses, port } => self.tunnel_route(slot, &addresses, port),
            ProxyAnswer::System { addresses, port } => addresses
                .first()
                .map(|ip| Route::System(SocketAddr::new(*ip, port))),
            ProxyAnswer::Engine { to } => Some(Route::Engine(to)),
            ProxyAnswer::Refuse { .. } => None,
        };
        match &route {
            Some(Route::Tunnel(key)) => {
                for payload in &waiting {
                    self.send_association(now, slot, *key, payload);
                }
            }
            Some(Route::System(to)) => {
                for payload in &waiting {
                    self.send_outside(slot, *to, payload);
                }
            }
            Some(Route::Engine(to)) => {
                for payload in &waiting {
                    self.tell_association_datagram(now, slot, *to, payload);
                }
            }
            _ => self.counters.proxy_refused += 1,
        }
        if let Some(association) = self.associations.get_mut(slot) {
            association
                .routes
                .insert(place, route.unwrap_or(Route::Refused));
        }
    }

    /// Addresses in the tunnel that are no longer ours; the next datagram takes a present one.
    pub(crate) fn leave_sources(&mut self, slot: usize, gone: &[IpAddr]) {
        let Some(association) = self.associations.get_mut(slot) else {
            return;
        };
        for source in &mut association.sources {
            if let Some(local) = source.take_if(|local| gone.contains(&local.ip())) {
                self.udp.reserved.remove(&local);
            }
        }
    }

    /// No decision came in time; the next datagram asks again.
    pub(crate) fn forget_route(&mut self, slot: usize, request: u64) {
        self.take_asking(slot, request);
    }

    fn take_asking(&mut self, slot: usize, wanted: u64) -> Option<(Place, Vec<Vec<u8>>)> {
        let routes = &mut self.associations.get_mut(slot)?.routes;
        let is_wanted =
            |r: &Route| matches!(r, Route::Asking { request, .. } if *request == wanted);
        let place = routes.iter().find(|(_, r)| is_wanted(r))?.0.clone();
        match routes.remove(&place)? {
            Route::Asking { waiting, .. } => Some((place, waiting)),
            _ => None,
        }
    }

    fn tunnel_route(&mut self, slot: usize, addresses: &[IpAddr], port: u16) -> Option<Route> {
        for ip in addresses {
            let Some(own) = self.own_address_for(*ip) else {
                continue;
            };
            let remote = SocketAddr::new(*ip, port);
            let known = self.associations.get(slot)?.sources[family(*ip)];
            let local = match known {
                Some(local) => local,
                None => {
                    let local = self.free_key(UDP, own, remote)?.local;
                    self.udp.reserved.insert(local);
                    self.associations[slot].sources[family(*ip)] = Some(local);
                    local
                }
            };
            return Some(Route::Tunnel(FlowKey { local, remote }));
        }
        None
    }

    fn send_association(&mut self, now: Instant, slot: usize, key: FlowKey, payload: &[u8]) {
        match self.udp.by_key.get(&key).copied() {
            Some(flow) => self.udp.slots[flow].touch(now),
            None if self.udp_room(Guest::Address(key.remote.ip())) => {
                let guest = Guest::Address(key.remote.ip());
                self.insert_udp(now, guest, key, UdpEnd::Association(slot), None);
            }
            None => {
                self.counters.drop_udp_limit += 1;
                return;
            }
        }
        self.send_udp(key, payload);
    }

    fn tell_association_datagram(
        &mut self,
        now: Instant,
        slot: usize,
        to: SocketAddr,
        payload: &[u8],
    ) {
        let association = &self.associations[slot];
        let serial = association.serial;
        let from = association.client.unwrap_or(to);
        let back = Back::Association {
            slot,
            serial,
            from: to,
        };
        self.tell_datagram(now, back, (from, to), payload);
    }

    /// Every destination is decided anew at its next datagram; what came from outside by the old ways is not read.
    pub(crate) fn forget_routes(&mut self, slot: usize) {
        let Some(association) = self.associations.get_mut(slot) else {
            return;
        };
        let outside: Vec<usize> = association
            .outside
            .iter_mut()
            .filter_map(|b| b.take().map(|b| b.token))
            .collect();
        let mut flows = Vec::new();
        association.routes.retain(|_, route| {
            if let Route::Tunnel(key) = route {
                flows.push(*key);
            }
            matches!(route, Route::Asking { .. })
        });
        for token in outside {
            self.tokens.free(token);
        }
        for key in flows {
            if let Some(&flow) = self.udp.by_key.get(&key) {
                self.remove_udp(flow);
            }
        }
    }

    /// An answer from the tunnel, for the association's client.
    pub(crate) fn deliver_association(&mut self, slot: usize, from: SocketAddr, payload: &[u8]) {
        let Some(association) = self.associations.get_mut(slot) else {
            return;
        };
        let Some(client) = association.client else {
            return;
        };
        let bytes = socks5::encode_datagram(from, payload);
        if association.near.socket.send_to(&bytes, client).is_err() {
            self.counters.drop_udp_full += 1;
        }
    }

    fn send_outside(&mut self, slot: usize, to: SocketAddr, payload: &[u8]) {
        let side = family(to.ip());
        if self.associations[slot].outside[side].is_none() {
            let any: IpAddr = match side {
                0 => Ipv4Addr::UNSPECIFIED.into(),
                _ => Ipv6Addr::UNSPECIFIED.into(),
            };
            let bound = self.bind_udp(SocketAddr::new(any, 0), Source::AssociationSocket(slot));
            self.associations[slot].outside[side] = bound.ok();
        }
        let sent = self.associations[slot].outside[side]
            .as_ref()
            .is_some_and(|b| b.socket.send_to(payload, to).is_ok());
        if !sent {
            self.counters.drop_udp_full += 1;
        }
    }

    /// Passes on one datagram per family from outside; false when there is none.
    fn handle_outside_datagram(&mut self, slot: usize, buffer: &mut [u8]) -> bool {
        let mut any = false;
        for side in 0..2 {
            let Some(association) = self.associations.get_mut(slot) else {
                return false;
            };
            let Some(bound) = &association.outside[side] else {
                continue;
            };
            let Ok((n, from)) = bound.socket.recv_from(buffer) else {
                continue;
            };
            any = true;
            let known = |r: &Route| matches!(r, Route::System(to) if *to == from);
            if association.routes.values().any(known) {
                self.deliver_association(slot, from, &buffer[..n]);
            } else {
                self.counters.drop_not_ours += 1;
            }
        }
        any
    }
}
