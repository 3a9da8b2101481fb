//! Outbound half of the pipeline: inner packets to datagrams.

use std::net::IpAddr;
use std::time::Instant;

use bytes::BytesMut;

use crate::event::{Activity, Event, Sink};
use crate::filter::Verdict;
use crate::geneve;
use crate::ip::{self, Parsed};
use crate::peers::{Path, UdpAddr};
use crate::pipeline::{PingWait, Pipeline, Via};
use crate::renewal;
use crate::split::Segments;
use crate::tsmp::{self, Message};

/// Largest inner packet over a relay, in bytes. Two of our nodes agree on it by the MSS of their handshake; a stock peer
/// stays at the MTU of its own tunnel.
pub const RELAY_MTU: usize = 8192;

/// WireGuard pads to so many bytes.
const PADDING: usize = 16;

/// What became of packets of this computer's programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    Yes,
    /// Nobody takes packets to there: no peer, or no exit node.
    NoRoute,
    Dropped,
}

/// Whether an address is of the ranges that control servers give nodes, and no IPv4 host behind a router in IPv6 clothes.
fn is_tailnet(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.octets()[0] == 100 && ip.octets()[1] & 0xc0 == 64,
        IpAddr::V6(ip) => {
            let part = ip.segments();
            part[..3] == [0xfd7a, 0x115c, 0xa1e0] && part[3] != 0xb1a
        }
    }
}

impl Pipeline {
    /// Sends one inner packet of this node to the peer that its destination belongs to.
    pub fn send_packet<S: Sink>(&mut self, now: Instant, packet: &[u8], sink: &mut S) {
        let parsed = match ip::parse(packet) {
            Ok(parsed) if parsed.proto != ip::TSMP => parsed,
            _ => {
                self.counters.out_malformed += 1;
                return;
            }
        };
        let now_sec = self.now_sec(now);
        if self.filter.check_out(&parsed, packet, now_sec) != Verdict::Accept {
            self.counters.out_filtered += 1;
            return;
        }
        self.route_and_seal(now, &parsed, &packet[..parsed.total_len], sink);
    }

    /// Sends the segments of one packet of this computer's programs; judged and routed once for all of them.
    pub fn send_segments<S: Sink>(
        &mut self,
        now: Instant,
        parsed: &Parsed,
        segments: &mut Segments<'_>,
        sink: &mut S,
    ) -> Sent {
        if parsed.proto == ip::TSMP {
            self.counters.out_malformed += 1;
            return Sent::Dropped;
        }
        let now_sec = self.now_sec(now);
        if self.filter.check_out(parsed, segments.packet(), now_sec) != Verdict::Accept {
            self.counters.out_filtered += 1;
            return Sent::Dropped;
        }
        let Some(slot) = self.peers.route(parsed.dst) else {
            self.counters.out_no_route += 1;
            return Sent::NoRoute;
        };
        loop {
            self.scratch.reserve(self.config.mtu + PADDING);
            if !segments.append_next(&mut self.scratch) {
                return Sent::Yes;
            }
            if !self.seal_scratch(now, slot, sink) {
                return Sent::Dropped;
            }
        }
    }

    /// The largest packet that the way to `to` carries now: a relay takes whole frames of any size, and each costs it the
    /// same place in a short queue, so there large ones are better.
    #[inline]
    pub fn largest_to(&mut self, to: IpAddr) -> usize {
        let slot = self.peers.route(to);
        match slot
            .and_then(|slot| self.peers.get(slot))
            .map(|peer| peer.path)
        {
            Some(Path::Relay(_)) => RELAY_MTU.max(self.config.mtu),
            _ => self.config.mtu,
        }
    }

    /// The largest packet that the host at `to` may be asked to send: a peer itself knows what its way to us carries, hosts in
    /// networks behind it do not.
    #[inline]
    pub fn largest_from(&self, to: IpAddr) -> usize {
        if is_tailnet(to) && self.peers.is_host_route(to) {
            RELAY_MTU.max(self.config.mtu)
        } else {
            self.config.mtu
        }
    }

    /// Sends a packet that the pipeline itself made; the flow memory does not learn of it.
    pub(crate) fn send_own<S: Sink>(&mut self, now: Instant, packet: &[u8], sink: &mut S) -> bool {
        match ip::parse(packet) {
            Ok(parsed) => self.route_and_seal(now, &parsed, packet, sink),
            Err(_) => false,
        }
    }

    #[inline]
    fn route_and_seal<S: Sink>(
        &mut self,
        now: Instant,
        parsed: &Parsed,
        packet: &[u8],
        sink: &mut S,
    ) -> bool {
        // Peers' routes may be as wide as a default route: own addresses come first.
        if self.own.contains(&parsed.dst) {
            self.counters.out_self += 1;
            sink.deliver(None, packet, parsed);
            return true;
        }
        let Some(slot) = self.peers.route(parsed.dst) else {
            self.counters.out_no_route += 1;
            return false;
        };
        self.seal(now, slot, packet, sink)
    }

    pub(crate) fn seal<S: Sink>(
        &mut self,
        now: Instant,
        slot: u32,
        packet: &[u8],
        sink: &mut S,
    ) -> bool {
        // Everything split off before was dropped by the tunnel, so this reclaims the same memory.
        self.scratch.reserve(packet.len() + PADDING);
        self.scratch.extend_from_slice(packet);
        self.seal_scratch(now, slot, sink)
    }

    /// Seals the packet that `scratch` holds, and leaves that empty.
    pub(crate) fn seal_scratch<S: Sink>(&mut self, now: Instant, slot: u32, sink: &mut S) -> bool {
        if self.before.is_some() {
            let packet = self.scratch.split();
            if self.send_before(now, slot, &packet, sink) {
                return true;
            }
            self.scratch.reserve(packet.len() + PADDING);
            self.scratch.extend_from_slice(&packet);
        }
        let len = self.scratch.len();
        let padded = len.next_multiple_of(PADDING).min(self.config.mtu).max(len);
        self.scratch.resize(padded, 0);
        let plain = self.scratch.split();
        let Some(identity) = &self.identity else {
            self.counters.out_no_key += 1;
            return false;
        };
        let Some(peer) = self.peers.get_mut(slot) else {
            return false;
        };
        if peer.tunnel.is_none() {
            peer.tunnel = Some(identity.tunnel(&peer.key));
        }
        if !peer.sending {
            peer.sending = true;
            sink.event(Event::Activity {
                peer: peer.key,
                activity: Activity::Sending,
            });
        }
        peer.last_data = Some(now);
        renewal::remember(peer, now, &plain[..len]);
        self.wake(now, slot, sink);
        let Some(tunnel) = self
            .peers
            .get_mut(slot)
            .and_then(|peer| peer.tunnel.as_mut())
        else {
            return false;
        };
        if let Some(sealed) = tunnel.seal(plain) {
            self.transmit(now, slot, &sealed, None, sink);
        }
        self.counters.out_packets += 1;
        true
    }

    /// Sends one WireGuard message to a peer over its path; `reply_to` serves when there is none yet.
    pub(crate) fn transmit<S: Sink>(
        &mut self,
        now: Instant,
        slot: u32,
        message: &[u8],
        reply_to: Option<&Via>,
        sink: &mut S,
    ) {
        let Some(peer) = self.peers.get_mut(slot) else {
            return;
        };
        if message.len() >= 8 && (message[0] == 1 || message[0] == 2) {
            let index = u32::from_le_bytes([message[4], message[5], message[6], message[7]]);
            self.by_index.insert(index, slot);
            if message[0] == 1 {
                peer.handshaking = true;
                peer.last_init = Some(now);
            }
        }
        let len = message.len() as u64;
        let (direct, mut relay) = match peer.path {
            Path::Udp(to) => (Some(to), None),
            Path::Relay(region) => (None, Some(region)),
            Path::Both(to, region) => (Some(to), Some(region)),
            Path::None => (None, None),
        };
        // An answer also goes back the way the peer's own authenticated handshake came a moment ago: our path may be
        // older than its last move. Nothing is remembered of it.
        let mut back = None;
        match reply_to {
            Some(Via::Relay { region, .. }) => relay = relay.or(Some(*region)),
            Some(Via::Direct(from)) => back = Some(UdpAddr::from(*from)),
            Some(Via::PeerRelay(from)) => back = Some(*from),
            _ => {}
        }
        let back = back.filter(|back| direct != Some(*back));
        if direct.is_none() && relay.is_none() && back.is_none() {
            peer.stats.dropped_no_path += 1;
            peer.last_init = None;
            self.counters.out_no_path += 1;
            return;
        }
        peer.stats.tx_bytes += len;
        peer.stats.tx_packets += 1;
        for to in [direct, back].into_iter().flatten() {
            if to.vni == 0 {
                sink.udp(to.addr, message);
            } else {
                sink.geneve(to.addr, geneve::wireguard_header(to.vni), message);
            }
            self.counters.went(Some(to), message.len());
        }
        if let Some(region) = relay {
            if sink.relay(region, &peer.key, message) {
                self.counters.went(None, message.len());
            } else {
                peer.stats.dropped_relay += 1;
                self.counters.out_relay_dropped += 1;
            }
        }
    }

    /// Tells a peer our disco key in a session that was just made, so that both find a path even when the server that should
    /// tell it is away. It is no traffic: it neither wakes a path nor keeps one awake.
    pub(crate) fn tell_disco_key<S: Sink>(&mut self, now: Instant, slot: u32, sink: &mut S) {
        let (disco, own) = (self.disco, &self.own);
        let Some(peer) = self.peers.get_mut(slot) else {
            return;
        };
        peer.untold = false;
        let (Some(disco), false) = (disco, peer.bare) else {
            return;
        };
        let Some(packet) = peer.routes.iter().find_map(|prefix| {
            let to = prefix.as_host()?;
            let from = own.iter().find(|ip| ip.is_ipv4() == to.is_ipv4())?;
            tsmp::encode(&Message::DiscoKey(disco), *from, to)
        }) else {
            return;
        };
        let Some(tunnel) = peer.tunnel.as_mut().filter(|tunnel| tunnel.has_session()) else {
            return;
        };
        let mut plain = BytesMut::from(&packet[..]);
        plain.resize(packet.len().next_multiple_of(16), 0);
        if let Some(sealed) = tunnel.seal(plain) {
            self.counters.disco_keys_told += 1;
            self.transmit(now, slot, &sealed, None, sink);
        }
    }

    /// Sends what a tunnel held until it had a session.
    pub(crate) fn flush_queued<S: Sink>(&mut self, now: Instant, slot: u32, sink: &mut S) {
        let Some(tunnel) = self
            .peers
            .get_mut(slot)
            .and_then(|peer| peer.tunnel.as_mut())
        else {
            return;
        };
        if !tunnel.has_queued() {
            return;
        }
        let mut ready = Vec::new();
        tunnel.flush(|sealed| ready.push(sealed));
        for sealed in ready {
            self.transmit(now, slot, &sealed, None, sink);
        }
    }

    /// Asks the stack of the peer behind `to`; answers come as `Event::Pong` or `Event::PingFailed` under `id`.
    pub fn ping_tsmp<S: Sink>(&mut self, now: Instant, id: u32, to: IpAddr, sink: &mut S) {
        let bytes = self.ping_bytes();
        let src = self
            .own
            .iter()
            .copied()
            .find(|own| own.is_ipv4() == to.is_ipv4());
        let packet = src.and_then(|src| tsmp::encode(&Message::Ping(bytes), src, to));
        let sent = packet.is_some_and(|packet| self.send_own(now, &packet, sink));
        if sent {
            self.pings.insert(bytes, PingWait { id, sent: now });
        } else {
            sink.event(Event::PingFailed { id });
        }
    }
}
