//! Inbound TCP: a SYN is answered only after the connection it leads to has been made.
//!
//!   SYN → engine port:       handshake, then a socket pair goes up as an event
//!       → other own port:    dial the loopback interface, keep the SYN; then accept, or answer with a reset
//!       → served address:    dial it; then accept, or answer as a router would: a reset when it refused, ICMP when
//!                            there is no way to it. A full table answers nothing: the SYN comes again by itself.
//!
//! While the dial is under way a connection costs one descriptor and a copy of its SYN; the rings come after.

use crate::Netstack;
use crate::beside::DNS;
use crate::flow::{FlowKey, Handshake, Wires};
use crate::guard::Lead;
use crate::guests::{Guest, share};
use crate::icmp::Unreachable;
use crate::local::LocalSocket;
use crate::packet::{Header, TCP};
use crate::splice::Splice;
use crate::timers::Due;
use crate::tokens::Source;
use crate::types::Event;
use mio::net::TcpStream;
use smoltcp::iface::SocketSet;
use smoltcp::wire::TcpPacket;
use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

const LOCAL_DIAL_TIMEOUT: Duration = Duration::from_secs(5);
/// A place that says nothing holds a dial for so long: four SYNs of most systems.
const FOREIGN_DIAL_TIMEOUT: Duration = Duration::from_secs(10);

/// A connection that a guest wants.
pub(crate) struct Wanted {
    pub key: FlowKey,
    pub guest: Guest,
    syn: Vec<u8>,
    /// Leads to another machine.
    foreign: bool,
    /// Where to try next.
    rest: VecDeque<SocketAddr>,
}

pub(crate) struct InboundDial {
    pub wanted: Wanted,
    stream: TcpStream,
    token: usize,
    deadline: Instant,
}

/// How a connection attempt stands.
pub(crate) enum Progress {
    Pending,
    Connected,
    Failed(io::Error),
}

/// Looks at a non-blocking connect; also right after it was begun, since loopback answers at once.
pub(crate) fn progress(stream: &TcpStream) -> Progress {
    match stream.take_error() {
        Ok(Some(e)) | Err(e) => return Progress::Failed(e),
        Ok(None) => {}
    }
    match stream.peer_addr() {
        Ok(_) => Progress::Connected,
        Err(e) if e.kind() == io::ErrorKind::NotConnected => Progress::Pending,
        Err(e) => Progress::Failed(e),
    }
}

impl Netstack {
    pub(crate) fn handle_tcp(
        &mut self,
        now: Instant,
        guest: Guest,
        header: &Header,
        packet: &[u8],
    ) {
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
        let lead = self.lead(header.dst);
        if lead == Lead::Nowhere {
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
        self.handle_syn(now, guest, lead, key, packet);
    }

    fn handle_syn(&mut self, now: Instant, guest: Guest, lead: Lead, key: FlowKey, syn: &[u8]) {
        if self.dial_by_key.contains_key(&key) {
            return;
        }
        let full = self.flows.slots.len() + self.dials.len() >= self.config.max_flows;
        if full || !self.guests.has_flow_room(guest, &self.config) {
            self.counters.drop_flow_limit += 1;
            return;
        }
        let port = key.local.port();
        let engine = match lead {
            Lead::Own => self.engine_ports.contains(&port),
            Lead::Service => port == DNS,
            _ => false,
        };
        if engine {
            self.open_inbound(now, guest, key, syn, Handshake::Engine);
            return;
        }
        if lead == Lead::Service {
            self.answer_reset(now, syn);
            return;
        }
        let own = self.guests.of(guest).dials;
        if self.dials.len() >= self.config.max_dials || own >= share(self.config.max_dials) {
            self.counters.drop_dial_limit += 1;
            return;
        }
        let v4 = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let v6 = SocketAddr::from((Ipv6Addr::LOCALHOST, port));
        let (foreign, targets) = match (lead, key.local.ip()) {
            (Lead::Foreign(to), _) => (true, vec![SocketAddr::new(to, port)]),
            (_, IpAddr::V4(_)) => (false, vec![v4]),
            (_, IpAddr::V6(_)) => (false, vec![v6, v4]),
        };
        // What listens for this computer's own programs is not for peers.
        let targets = targets.into_iter().filter(|to| !self.is_own_listener(*to));
        let wanted = Wanted {
            key,
            guest,
            syn: syn.to_vec(),
            foreign,
            rest: targets.collect(),
        };
        self.dial_inbound(now, wanted, io::ErrorKind::ConnectionRefused);
    }

    /// Tries the places that are left; `why` is how the last one failed.
    fn dial_inbound(&mut self, now: Instant, mut wanted: Wanted, mut why: io::ErrorKind) {
        while let Some(target) = wanted.rest.pop_front() {
            let (stream, token) = match self.connect(target) {
                Ok(begun) => begun,
                Err(e) => {
                    why = e.kind();
                    continue;
                }
            };
            if let Progress::Failed(e) = progress(&stream) {
                self.tokens.free(token);
                why = e.kind();
                continue;
            }
            let patience = match wanted.foreign {
                true => FOREIGN_DIAL_TIMEOUT,
                false => LOCAL_DIAL_TIMEOUT,
            };
            let (key, guest) = (wanted.key, wanted.guest);
            let deadline = now + patience;
            let slot = self.dials.insert(InboundDial {
                wanted,
                stream,
                token,
                deadline,
            });
            self.tokens.set(token, Source::InboundDial(slot));
            self.dial_by_key.insert(key, slot);
            self.guests.change(guest, |usage| usage.dials += 1);
            self.timers.set(deadline, Due::InboundDial(slot));
            self.inbound_dial_ready(now, slot);
            return;
        }
        self.counters.inbound_refused += 1;
        self.refuse_inbound(now, &wanted, why);
    }

    /// Answers a SYN whose connection did not come about.
    fn refuse_inbound(&mut self, now: Instant, wanted: &Wanted, why: io::ErrorKind) {
        let unreachable = match why {
            _ if !wanted.foreign => None,
            io::ErrorKind::NetworkUnreachable | io::ErrorKind::AddrNotAvailable => {
                Some(Unreachable::Network)
            }
            io::ErrorKind::HostUnreachable | io::ErrorKind::TimedOut => Some(Unreachable::Host),
            io::ErrorKind::PermissionDenied => Some(Unreachable::Prohibited),
            io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionReset => None,
            // No descriptor or no memory here: nothing is known of the place.
            _ => return,
        };
        match unreachable {
            None => self.answer_reset(now, &wanted.syn),
            Some(unreachable) => self.send_unreachable(wanted.key, unreachable, &wanted.syn),
        }
    }

    /// Begins a non-blocking connect and registers it.
    pub(crate) fn connect(&mut self, target: SocketAddr) -> io::Result<(TcpStream, usize)> {
        let mut stream = TcpStream::connect(target).inspect_err(|_| {
            self.counters.dials_failed += 1;
        })?;
        let _ = stream.set_nodelay(true);
        let token = self.tokens.add(Source::Nobody);
        let interest = mio::Interest::READABLE | mio::Interest::WRITABLE;
        let registered = self
            .registry
            .register(&mut stream, self.tokens.mio(token), interest);
        if let Err(e) = registered {
            self.tokens.free(token);
            self.counters.drop_no_descriptor += 1;
            return Err(e);
        }
        Ok((stream, token))
    }

    pub(crate) fn inbound_dial_ready(&mut self, now: Instant, slot: usize) {
        let Some(dial) = self.dials.get(slot) else {
            return;
        };
        match progress(&dial.stream) {
            Progress::Pending => {}
            Progress::Connected => self.accept_inbound(now, slot),
            Progress::Failed(e) => self.retry_inbound(now, slot, e.kind()),
        }
    }

    pub(crate) fn inbound_dial_due(&mut self, now: Instant, slot: usize) {
        let late = self.dials.get(slot).is_some_and(|d| d.deadline <= now);
        if late {
            self.retry_inbound(now, slot, io::ErrorKind::TimedOut);
        }
    }

    fn retry_inbound(&mut self, now: Instant, slot: usize, why: io::ErrorKind) {
        if let Some(dial) = self.take_dial(slot) {
            self.tokens.free(dial.token);
            self.counters.dials_failed += 1;
            self.dial_inbound(now, dial.wanted, why);
        }
    }

    pub(crate) fn take_dial(&mut self, slot: usize) -> Option<InboundDial> {
        let dial = self.dials.try_remove(slot)?;
        self.dial_by_key.remove(&dial.wanted.key);
        self.guests
            .change(dial.wanted.guest, |usage| usage.dials -= 1);
        Some(dial)
    }

    fn accept_inbound(&mut self, now: Instant, slot: usize) {
        let Some(dial) = self.take_dial(slot) else {
            return;
        };
        let Wanted {
            key,
            guest,
            syn,
            foreign,
            ..
        } = dial.wanted;
        let local = dial.stream.local_addr().ok().filter(|_| !foreign);
        let opened = self.open_inbound(now, guest, key, &syn, Handshake::Spliced);
        let Some(slot) = opened else {
            self.tokens.free(dial.token);
            return;
        };
        if let Some(local) = local {
            self.owners.insert((TCP, local), key.remote);
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
            self.answer_reset(now, &dial.wanted.syn);
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
