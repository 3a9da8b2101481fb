//! Inbound half of the pipeline: datagrams to inner packets. Everything here may be hostile: it is counted and dropped.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant, SystemTime};

use bytes::{Buf, BytesMut};

use crate::classify::{Kind, classify};
use crate::crowd::{self, Held};
use crate::derp;
use crate::event::{Activity, Event, Rejected, Sink, relay_source};
use crate::filter::{Reason, Sender, Verdict};
use crate::geneve;
use crate::ip::{self, Parsed};
use crate::peers::UdpAddr;
use crate::pipeline::{Pipeline, Via};
use crate::refusals;
use crate::tsmp::{self, Message};
use crate::tunnel::{COOKIE_LEN, Gate, INIT_LEN, Key, Opened, RESPONSE_LEN, Verified};

const PROOF_EVERY: Duration = Duration::from_secs(2);
const RATE_COUNTS: Duration = Duration::from_secs(1);

/// Sources that are no host's.
fn is_nobody(src: IpAddr) -> bool {
    match src {
        IpAddr::V4(ip) => {
            ip.is_multicast() || ip.is_loopback() || ip.is_unspecified() || ip.is_broadcast()
        }
        IpAddr::V6(ip) => {
            ip.is_multicast()
                || ip.is_loopback()
                || ip.is_unspecified()
                || ip.to_ipv4_mapped().is_some()
        }
    }
}

fn le32(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

impl Pipeline {
    /// Takes one datagram as it came; its memory is used for decryption.
    #[inline]
    pub fn handle_datagram<S: Sink>(
        &mut self,
        now: Instant,
        via: Via,
        datagram: BytesMut,
        sink: &mut S,
    ) {
        self.counters.in_datagrams += 1;
        match classify(&datagram) {
            Kind::WireGuard => {
                self.counters.came(&via, datagram.len());
                self.handle_wireguard(now, via, datagram, sink);
            }
            Kind::Stun | Kind::Disco | Kind::GeneveDisco => match via {
                Via::Direct(from) => sink.unclaimed(from, &datagram),
                Via::PeerRelay(_) | Via::Relay { .. } => self.counters.in_other += 1,
            },
            Kind::GeneveWireGuard => self.handle_geneve(now, via, datagram, sink),
            Kind::Other => self.counters.in_other += 1,
        }
    }

    /// Takes what a peer relay forwarded. Who sent it is WireGuard's to prove: the session number alone proves nothing.
    fn handle_geneve<S: Sink>(
        &mut self,
        now: Instant,
        via: Via,
        mut datagram: BytesMut,
        sink: &mut S,
    ) {
        let (Via::Direct(addr), Some(header)) = (via, geneve::parse(&datagram)) else {
            self.counters.in_other += 1;
            return;
        };
        datagram.advance(geneve::LEN);
        if header.control || header.vni == 0 || classify(&datagram) != Kind::WireGuard {
            self.counters.in_geneve_refused += 1;
            return;
        }
        let via = Via::PeerRelay(UdpAddr {
            addr,
            vni: header.vni,
        });
        self.counters.came(&via, datagram.len());
        self.handle_wireguard(now, via, datagram, sink);
    }

    /// Takes a run of whole RecvPacket frames from a relay; a frame that makes no sense ends the run.
    pub fn handle_relay_frames<S: Sink>(
        &mut self,
        now: Instant,
        region: u32,
        mut run: BytesMut,
        sink: &mut S,
    ) {
        loop {
            let mut at = 0;
            match derp::next_frame(&run, &mut at) {
                Ok(Some(frame)) => {
                    self.counters.in_relay_frames += 1;
                    let mut packet = run.split_to(frame.end);
                    packet.advance(frame.start);
                    self.handle_datagram(
                        now,
                        Via::Relay {
                            region,
                            from: frame.key,
                        },
                        packet,
                        sink,
                    );
                }
                Ok(None) => return,
                Err(derp::NoFrame) => {
                    self.counters.in_relay_garbage += 1;
                    return;
                }
            }
        }
    }

    #[inline]
    fn handle_wireguard<S: Sink>(
        &mut self,
        now: Instant,
        via: Via,
        datagram: BytesMut,
        sink: &mut S,
    ) {
        match (datagram[0], datagram.len()) {
            (4, _) => self.handle_data(now, via, datagram, sink),
            (1, INIT_LEN) | (2, RESPONSE_LEN) => self.handle_handshake(now, via, datagram, sink),
            (3, COOKIE_LEN) => {
                let slot = self.by_index.get(&le32(&datagram, 4)).copied();
                match slot
                    .and_then(|slot| self.peers.get_mut(slot))
                    .and_then(|peer| peer.tunnel.as_mut())
                {
                    Some(tunnel) => {
                        if matches!(tunnel.open_cookie(datagram), Opened::Failed) {
                            self.counters.in_open_failed += 1;
                        }
                    }
                    None => self.counters.in_unknown_index += 1,
                }
            }
            _ => self.counters.in_other += 1,
        }
    }

    fn handle_data<S: Sink>(&mut self, now: Instant, via: Via, datagram: BytesMut, sink: &mut S) {
        let len = datagram.len() as u64;
        let index = le32(&datagram, 4);
        let (slot, old) = match (self.by_index.get(&index), &self.before) {
            (Some(&slot), _) => (slot, false),
            (None, Some(before)) if before.by_index.contains_key(&index) => {
                (before.by_index[&index], true)
            }
            _ => return self.handle_stray(now, &via, sink),
        };
        if !old {
            self.catch_up(now, slot, sink);
        }
        let Some(peer) = self.peers.get_mut(slot) else {
            return;
        };
        let tunnel = if old {
            peer.before.as_mut().map(|old| &mut old.tunnel)
        } else {
            peer.tunnel.as_mut()
        };
        let Some(tunnel) = tunnel else {
            return;
        };
        let Opened::Packet(packet) = tunnel.open(datagram) else {
            self.counters.in_open_failed += 1;
            return;
        };
        let queued = !old && tunnel.has_queued();
        let renewed = !old && peer.before.is_some();
        let untold = !old && peer.untold;
        if old && let Some(before) = peer.before.as_mut() {
            before.hear(now);
        }
        peer.stats.rx_bytes += len;
        peer.stats.rx_packets += 1;
        if let Via::Direct(from) = via {
            let fresh = |(at, when): (SocketAddr, Instant)| {
                at == from && now.saturating_duration_since(when) < PROOF_EVERY
            };
            if !peer.direct_proof.is_some_and(fresh) {
                peer.direct_proof = Some((from, now));
                sink.event(Event::DirectProof {
                    peer: peer.key,
                    from,
                });
            }
        }
        if untold {
            self.tell_disco_key(now, slot, sink);
        }
        if queued {
            self.flush_queued(now, slot, sink);
        }
        if renewed {
            self.repeat_doubtful(now, slot, sink);
        }
        if !packet.is_empty() {
            self.handle_inner(now, slot, &packet, sink);
        }
    }

    /// Brings a tunnel's clock up to date before it is fed, without counting that as traffic.
    fn catch_up<S: Sink>(&mut self, now: Instant, slot: u32, sink: &mut S) {
        let stale = self.peers.get(slot).is_some_and(|peer| {
            peer.timed != crate::peers::Timed::Busy
                || peer.ticked.is_none_or(|at| {
                    now.saturating_duration_since(at) >= crate::pipeline::BUSY_TICK
                })
        });
        if stale {
            self.wake(now, slot, sink);
        }
    }

    fn handle_inner<S: Sink>(&mut self, now: Instant, slot: u32, packet: &[u8], sink: &mut S) {
        let Ok(parsed) = ip::parse(packet) else {
            self.counters.in_malformed += 1;
            return;
        };
        let packet = &packet[..parsed.total_len];
        let owned = self.peers.owns_source(slot, parsed.src);
        let Some(peer) = self.peers.get_mut(slot) else {
            return;
        };
        if !owned || self.own.contains(&parsed.src) || is_nobody(parsed.src) {
            peer.stats.dropped_source += 1;
            self.counters.in_bad_source += 1;
            let peer = peer.key;
            self.tell_refused(now, peer, &parsed, refusals::BAD_SOURCE, sink);
            return;
        }
        peer.last_data = Some(now);
        if !peer.receiving {
            peer.receiving = true;
            sink.event(Event::Activity {
                peer: peer.key,
                activity: Activity::Receiving,
            });
        }
        if parsed.proto == ip::TSMP {
            self.handle_tsmp(now, slot, &parsed, &packet[parsed.l4..], sink);
            return;
        }
        let jailed = peer.jailed;
        let now_sec = self.now_sec(now);
        let peers = &self.peers;
        let from = Sender {
            jailed,
            carries: &|dst| peers.carrier(dst) == Some(slot),
        };
        match self.filter.check_in(&parsed, packet, from, now_sec) {
            Verdict::Accept => {
                self.counters.in_delivered += 1;
                sink.deliver(Some(slot), packet, &parsed);
                while let Some(held) = self.filter.take_released() {
                    if let Ok(parsed) = ip::parse(&held) {
                        self.counters.in_delivered += 1;
                        sink.deliver(Some(slot), &held, &parsed);
                    }
                }
            }
            Verdict::Hold => self.counters.in_held_fragments += 1,
            Verdict::Drop(reason) => self.refuse(now, slot, &parsed, reason, sink),
        }
    }

    /// Tells of a packet that a peer sent and that was not let in.
    fn tell_refused<S: Sink>(
        &mut self,
        now: Instant,
        peer: Key,
        parsed: &Parsed,
        reason: u8,
        sink: &mut S,
    ) {
        let one = Rejected {
            peer,
            outbound: false,
            proto: parsed.proto,
            reason,
            from: SocketAddr::new(parsed.src, parsed.src_port),
            to: SocketAddr::new(parsed.dst, parsed.dst_port),
            count: 1,
        };
        if let Some(one) = self.refusals.take(now, self.now_sec(now), one) {
            sink.event(Event::Rejected(one));
        }
    }

    /// Counts a refused packet; a refused IPv4 TCP SYN is answered, so that its opener need not wait.
    fn refuse<S: Sink>(
        &mut self,
        now: Instant,
        slot: u32,
        parsed: &Parsed,
        why: Reason,
        sink: &mut S,
    ) {
        self.count_refused(why);
        let Some(peer) = self.peers.get_mut(slot) else {
            return;
        };
        peer.stats.dropped_filter += 1;
        let peer = peer.key;
        let Some(letter) = refusals::letter(why) else {
            return;
        };
        self.tell_refused(now, peer, parsed, letter, sink);
        if !parsed.is_tcp_syn() || !parsed.dst.is_ipv4() || !self.rejects.take(now) {
            return;
        }
        let message = Message::Reject {
            proto: parsed.proto,
            reason: match why {
                Reason::ShieldsUp => tsmp::REASON_SHIELDS_UP,
                _ => tsmp::REASON_ACL,
            },
            src_port: parsed.src_port,
            dst_port: parsed.dst_port,
            maybe_broken: false,
        };
        if let Some(packet) = tsmp::encode(&message, parsed.dst, parsed.src)
            && self.send_own(now, &packet, sink)
        {
            self.counters.rejects_sent += 1;
        }
    }

    fn count_refused(&mut self, why: Reason) {
        let counters = &mut self.counters;
        counters.in_filtered += 1;
        *match why {
            Reason::Rules => &mut counters.in_filtered_rules,
            Reason::ShieldsUp => &mut counters.in_filtered_shields_up,
            Reason::NotLocal => &mut counters.in_filtered_not_local,
            Reason::Icmp => &mut counters.in_filtered_icmp,
            Reason::Fragment => &mut counters.in_filtered_fragment,
            Reason::UnknownProto => &mut counters.in_filtered_unknown_proto,
            Reason::Cut => &mut counters.in_filtered_cut,
            Reason::Martian | Reason::Multicast | Reason::LinkLocal => {
                &mut counters.in_filtered_martian
            }
        } += 1;
    }

    fn handle_tsmp<S: Sink>(
        &mut self,
        now: Instant,
        slot: u32,
        parsed: &Parsed,
        body: &[u8],
        sink: &mut S,
    ) {
        let Some(peer) = self.peers.get(slot).map(|peer| peer.key) else {
            return;
        };
        match tsmp::decode(body) {
            Some(Message::Ping(bytes)) if self.own.contains(&parsed.dst) => {
                let pong = Message::Pong(bytes, self.peer_api_port);
                if let Some(packet) = tsmp::encode(&pong, parsed.dst, parsed.src) {
                    self.send_own(now, &packet, sink);
                }
            }
            Some(Message::Pong(bytes, port)) => {
                if let Some(wait) = self.pings.remove(&bytes) {
                    let latency_us = now
                        .saturating_duration_since(wait.sent)
                        .as_micros()
                        .min(u128::from(u32::MAX)) as u32;
                    sink.event(Event::Pong {
                        id: wait.id,
                        latency_us,
                        peer_api_port: port.filter(|port| *port != 0),
                    });
                }
            }
            Some(Message::Reject {
                proto,
                reason,
                src_port,
                dst_port,
                maybe_broken,
            }) => {
                let from = SocketAddr::new(parsed.dst, src_port);
                let to = SocketAddr::new(parsed.src, dst_port);
                // Only of what we sent: nobody may make up refusals.
                if maybe_broken || !self.filter.began(proto, from, to) {
                    self.counters.in_other += 1;
                    return;
                }
                sink.refused(proto, from, to);
                let one = Rejected {
                    peer,
                    outbound: true,
                    proto,
                    reason,
                    from,
                    to,
                    count: 1,
                };
                if let Some(one) = self.refusals.take(now, self.now_sec(now), one) {
                    sink.event(Event::Rejected(one));
                }
            }
            Some(Message::DiscoKey(disco)) => sink.event(Event::DiscoKey { peer, disco }),
            Some(Message::Ping(_)) | None => self.counters.in_other += 1,
        }
    }

    fn handle_handshake<S: Sink>(
        &mut self,
        now: Instant,
        via: Via,
        datagram: BytesMut,
        sink: &mut S,
    ) {
        let Some(identity) = &self.identity else {
            self.counters.in_no_key += 1;
            return;
        };
        self.rate_counts_at.get_or_insert(now + RATE_COUNTS);
        if self.rate_counts_at.is_some_and(|at| at <= now) {
            identity.reset_rate_counts();
            self.rate_counts_at = Some(now + RATE_COUNTS);
        }
        let source = match via {
            Via::Direct(from) => from,
            Via::PeerRelay(from) => from.addr,
            Via::Relay { from, .. } => relay_source(&from),
        };
        let init = datagram[0] == 1;
        let receiver = le32(&datagram, 8);
        let len = datagram.len() as u64;
        let copy = init.then(|| BytesMut::from(&datagram[..]));
        let verified = match identity.verify(source, datagram) {
            Gate::Pass(verified) => verified,
            Gate::Cookie(cookie) => {
                if self.cookies.take(now) {
                    self.counters.in_cookie_sent += 1;
                    send_back(&via, &cookie, sink);
                }
                return;
            }
            Gate::Refused => {
                self.counters.in_bad_mac += 1;
                return;
            }
        };
        let slot = if let Some(copy) = copy {
            let bucket = match via {
                Via::Direct(_) | Via::PeerRelay(_) => &mut self.direct_handshakes,
                Via::Relay { .. } => &mut self.relay_handshakes,
            };
            if !bucket.take(now) {
                self.counters.in_flood += 1;
                return;
            }
            let Some(key) = identity.sender(&verified) else {
                self.counters.in_open_failed += 1;
                return;
            };
            let Some(slot) = self.peers.slot_of(&key) else {
                self.hold_unknown(now, key, via, copy, sink);
                return;
            };
            slot
        } else {
            let Some(&slot) = self.by_index.get(&receiver) else {
                self.counters.in_unknown_index += 1;
                return;
            };
            slot
        };
        if init && let Some(peer) = self.peers.get_mut(slot) {
            let due = peer.answered.map(|at| at + crowd::SPACING);
            if let Some(due) = due.filter(|due| *due > now) {
                let key = peer.key;
                let held = Held {
                    key,
                    via,
                    verified,
                    len,
                };
                self.crowd.hold(due, held);
                return;
            }
        }
        self.finish_handshake(now, slot, via, verified, len, sink);
    }

    /// Feeds the initiations that waited for others of their peers.
    pub(crate) fn answer_crowd<S: Sink>(&mut self, now: Instant, sink: &mut S) {
        for held in self.crowd.take_due(now) {
            if let Some(slot) = self.peers.slot_of(&held.key) {
                self.finish_handshake(now, slot, held.via, held.verified, held.len, sink);
            }
        }
    }

    fn finish_handshake<S: Sink>(
        &mut self,
        now: Instant,
        slot: u32,
        via: Via,
        verified: Verified,
        len: u64,
        sink: &mut S,
    ) {
        let (Some(identity), Some(peer)) = (&self.identity, self.peers.get_mut(slot)) else {
            return;
        };
        if peer.tunnel.is_none() {
            peer.tunnel = Some(identity.tunnel(&peer.key));
        }
        self.wake(now, slot, sink);
        let Some(peer) = self.peers.get_mut(slot) else {
            return;
        };
        let Some(tunnel) = peer.tunnel.as_mut() else {
            return;
        };
        match tunnel.open_handshake(verified) {
            Opened::Reply { packet, .. } => {
                peer.handshaking = false;
                peer.answered = Some(now);
                peer.stats.rx_bytes += len;
                peer.stats.rx_packets += 1;
                peer.stats.last_handshake_ms = wall_ms();
                peer.untold = true;
                // A session of ours that was answered gets its first packet now, one that we answered when data comes.
                let usable = packet.first() == Some(&4);
                sink.event(Event::Handshake { peer: peer.key });
                self.transmit(now, slot, &packet, Some(&via), sink);
                if usable {
                    self.tell_disco_key(now, slot, sink);
                }
                self.flush_queued(now, slot, sink);
                self.repeat_doubtful(now, slot, sink);
            }
            _ => self.counters.in_open_failed += 1,
        }
    }

    fn hold_unknown<S: Sink>(
        &mut self,
        now: Instant,
        key: Key,
        via: Via,
        datagram: BytesMut,
        sink: &mut S,
    ) {
        self.counters.in_unknown_peer += 1;
        if self.unknown.hold(now, key, via, datagram) {
            sink.event(Event::UnknownPeer { key });
        }
    }
}

/// Cookie replies go the way the message came: its sender has no other address yet.
fn send_back<S: Sink>(via: &Via, message: &[u8], sink: &mut S) {
    match via {
        Via::Direct(from) => sink.udp(*from, message),
        Via::PeerRelay(from) => {
            sink.geneve(from.addr, geneve::wireguard_header(from.vni), message);
        }
        Via::Relay { region, from } => {
            sink.relay(*region, from, message);
        }
    }
}

fn wall_ms() -> u64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_millis() as u64)
}
