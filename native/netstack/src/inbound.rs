//! Inbound TCP: a SYN is answered only after the local connection it leads to has been made.
//!
//!   SYN → engine port: handshake, then a socket pair goes up as an event
//!       → other port:  dial the loopback interface, keep the SYN; then accept, or answer with a reset
//!
//! While the dial is under way a connection costs one descriptor and a copy of its SYN; the rings come after.

use crate::Netstack;
use crate::flow::{FlowKey, Handshake, Wires};
use crate::local::LocalSocket;
use crate::packet::{Header, TCP};
use crate::splice::Splice;
use crate::timers::Due;
use crate::tokens::Source;
use crate::types::{Accept, Event};
use mio::net::TcpStream;
use smoltcp::iface::SocketSet;
use smoltcp::wire::TcpPacket;
use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

const LOCAL_DIAL_TIMEOUT: Duration = Duration::from_secs(5);

pub(crate) struct InboundDial {
    pub key: FlowKey,
    syn: Vec<u8>,
    stream: TcpStream,
    token: usize,
    /// Where to try next if this fails.
    rest: VecDeque<SocketAddr>,
    deadline: Instant,
}

/// How a connection attempt stands.
pub(crate) enum Progress {
    Pending,
    Connected,
    Failed(std::io::Error),
}

/// Looks at a non-blocking connect; also right after it was begun, since loopback answers at once.
pub(crate) fn progress(stream: &TcpStream) -> Progress {
    match stream.take_error() {
        Ok(Some(e)) | Err(e) => return Progress::Failed(e),
        Ok(None) => {}
    }
    match stream.peer_addr() {
        Ok(_) => Progress::Connected,
        Err(e) if e.kind() == std::io::ErrorKind::NotConnected => Progress::Pending,
        Err(e) => Progress::Failed(e),
    }
}

impl Netstack {
    pub(crate) fn handle_tcp(&mut self, now: Instant, header: &Header, packet: &[u8]) {
        let payload = &packet[header.payload.clone()];
        let Ok(tcp) = TcpPacket::new_checked(payload) else {
            self.counters.drop_malformed += 1;
            return;
        };
        let key = FlowKey {
            local: SocketAddr::new(header.dst, tcp.dst_port()),
            remote: SocketAddr::new(header.src, tcp.src_port()),
        };
        if let Some(slot) = self.flows.find(&key) {
            let wires = Wires {
                iface: &mut self.iface,
                now: self.clock.smol(now),
                scratch: &mut self.scratch,
                mtu: self.config.mtu,
                out: &mut self.queue,
            };
            self.flows.slots[slot].handle_packet(packet, wires);
            self.flows.mark_dirty(slot);
            return;
        }
        if !self.accepts(header.dst) {
            self.counters.drop_not_ours += 1;
            return;
        }
        if !tcp.syn() || tcp.ack() || tcp.rst() || tcp.fin() {
            self.answer_reset(now, packet);
            return;
        }
        if key.local.port() == 0 || key.remote.port() == 0 {
            self.counters.drop_malformed += 1;
            return;
        }
        if !tcp.verify_checksum(&header.src.into(), &header.dst.into()) {
            self.counters.drop_checksum += 1;
            return;
        }
        self.handle_syn(now, key, packet);
    }

    pub(crate) fn accepts(&self, dst: IpAddr) -> bool {
        self.config.accept == Accept::Any || self.addresses.contains(&dst)
    }

    fn handle_syn(&mut self, now: Instant, key: FlowKey, syn: &[u8]) {
        if self.dial_by_key.contains_key(&key) {
            return;
        }
        if self.flows.slots.len() + self.dials.len() >= self.config.max_flows {
            self.counters.drop_flow_limit += 1;
            return;
        }
        let own = self.addresses.contains(&key.local.ip());
        if own && self.engine_ports.contains(&key.local.port()) {
            self.open_inbound(now, key, syn, Handshake::Engine);
            return;
        }
        let client = self.dials_per_client.get(&key.remote.ip()).copied();
        let per_client = self.config.max_dials * 2 / 3;
        if self.dials.len() >= self.config.max_dials || client.unwrap_or(0) >= per_client.max(1) {
            self.counters.drop_dial_limit += 1;
            return;
        }
        let port = key.local.port();
        let v4 = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let v6 = SocketAddr::from((Ipv6Addr::LOCALHOST, port));
        let targets = match key.local.ip() {
            _ if !own => vec![key.local],
            IpAddr::V4(_) => vec![v4],
            IpAddr::V6(_) => vec![v6, v4],
        };
        self.dial_inbound(now, key, syn.to_vec(), targets.into());
    }

    fn dial_inbound(
        &mut self,
        now: Instant,
        key: FlowKey,
        syn: Vec<u8>,
        mut targets: VecDeque<SocketAddr>,
    ) {
        while let Some(target) = targets.pop_front() {
            let Some((stream, token)) = self.connect(target) else {
                continue;
            };
            if let Progress::Failed(_) = progress(&stream) {
                self.tokens.free(token);
                continue;
            }
            let deadline = now + LOCAL_DIAL_TIMEOUT;
            let slot = self.dials.insert(InboundDial {
                key,
                syn,
                stream,
                token,
                rest: targets,
                deadline,
            });
            self.tokens.set(token, Source::InboundDial(slot));
            self.dial_by_key.insert(key, slot);
            *self.dials_per_client.entry(key.remote.ip()).or_insert(0) += 1;
            self.timers.set(deadline, Due::InboundDial(slot));
            self.inbound_dial_ready(now, slot);
            return;
        }
        self.counters.inbound_refused += 1;
        self.answer_reset(now, &syn);
    }

    /// Begins a non-blocking connect and registers it. `None` when that failed at once.
    pub(crate) fn connect(&mut self, target: SocketAddr) -> Option<(TcpStream, usize)> {
        let mut stream = match TcpStream::connect(target) {
            Ok(stream) => stream,
            Err(_) => {
                self.counters.dials_failed += 1;
                return None;
            }
        };
        let _ = stream.set_nodelay(true);
        let token = self.tokens.add(Source::Nobody);
        let interest = mio::Interest::READABLE | mio::Interest::WRITABLE;
        let registered = self
            .registry
            .register(&mut stream, self.tokens.mio(token), interest);
        if registered.is_err() {
            self.tokens.free(token);
            self.counters.drop_no_descriptor += 1;
            return None;
        }
        Some((stream, token))
    }

    pub(crate) fn inbound_dial_ready(&mut self, now: Instant, slot: usize) {
        let Some(dial) = self.dials.get(slot) else {
            return;
        };
        match progress(&dial.stream) {
            Progress::Pending => {}
            Progress::Connected => self.accept_inbound(now, slot),
            Progress::Failed(_) => self.retry_inbound(now, slot),
        }
    }

    pub(crate) fn inbound_dial_due(&mut self, now: Instant, slot: usize) {
        let late = self.dials.get(slot).is_some_and(|d| d.deadline <= now);
        if late {
            self.retry_inbound(now, slot);
        }
    }

    fn retry_inbound(&mut self, now: Instant, slot: usize) {
        if let Some(dial) = self.take_dial(slot) {
            self.tokens.free(dial.token);
            self.counters.dials_failed += 1;
            self.dial_inbound(now, dial.key, dial.syn, dial.rest);
        }
    }

    pub(crate) fn take_dial(&mut self, slot: usize) -> Option<InboundDial> {
        let dial = self.dials.try_remove(slot)?;
        self.dial_by_key.remove(&dial.key);
        let client = dial.key.remote.ip();
        if let Some(count) = self.dials_per_client.get_mut(&client) {
            *count -= 1;
            if *count == 0 {
                self.dials_per_client.remove(&client);
            }
        }
        Some(dial)
    }

    fn accept_inbound(&mut self, now: Instant, slot: usize) {
        let Some(dial) = self.take_dial(slot) else {
            return;
        };
        let local = dial.stream.local_addr().ok();
        let opened = self.open_inbound(now, dial.key, &dial.syn, Handshake::Spliced);
        let Some(slot) = opened else {
            self.tokens.free(dial.token);
            return;
        };
        if let Some(local) = local {
            self.owners.insert((TCP, local), dial.key.remote);
            self.flows.slots[slot].owner_of = Some(local);
        }
        let limit = self.config.tcp_buffer_start;
        self.attach(
            slot,
            Splice::new(LocalSocket::Tcp(dial.stream), dial.token, limit),
        );
    }

    /// Drops a dial under way and tells the peer by a reset.
    pub(crate) fn cut_dial(&mut self, now: Instant, slot: usize) {
        if let Some(dial) = self.take_dial(slot) {
            self.tokens.free(dial.token);
            self.answer_reset(now, &dial.syn);
        }
    }

    /// A flow on an engine port is open: give one end of a socket pair to the owner.
    pub(crate) fn hand_up_inbound(&mut self, now: Instant, slot: usize) {
        let Some((splice, fd)) = self.pair() else {
            self.reset_flow(now, slot);
            return;
        };
        let key = self.flows.slots[slot].key;
        self.attach(slot, splice);
        self.next_inbound += 1;
        self.events.push_back(Event::Inbound {
            id: self.next_inbound,
            from: key.remote,
            to: key.local,
            fd,
        });
    }

    /// A registered socket pair, ready to splice, and the end for the owner.
    pub(crate) fn pair(&mut self) -> Option<(Splice, std::os::fd::OwnedFd)> {
        let Ok((mut socket, fd)) = LocalSocket::pair() else {
            self.counters.drop_no_descriptor += 1;
            return None;
        };
        let token = self.tokens.add(Source::Nobody);
        if socket
            .register(&self.registry, self.tokens.mio(token))
            .is_err()
        {
            self.tokens.free(token);
            self.counters.drop_no_descriptor += 1;
            return None;
        }
        let splice = Splice::new(socket, token, self.config.tcp_buffer_start);
        Some((splice, fd))
    }

    /// Answers a packet that belongs to no flow; smoltcp makes the reset, with an empty socket set.
    fn answer_reset(&mut self, now: Instant, packet: &[u8]) {
        let mut link = crate::link::Link {
            rx: Some(packet),
            sink: &mut self.queue,
            scratch: &mut self.scratch,
            mtu: self.config.mtu,
            sent: 0,
        };
        let mut nobody = SocketSet::new(Vec::new());
        self.iface
            .poll_ingress_single(self.clock.smol(now), &mut link, &mut nobody);
    }
}
