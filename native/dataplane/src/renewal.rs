//! A new static key while sessions of the one before go on: what is under way when a sign-in is renewed is not lost.
//!
//!   new key → initiations with it, every 250 ms, to peers that were talked to lately
//!   until one is answered: packets go out in the session before; those that nobody sends again are also kept, shortly
//!   answered → all goes the new way, and what was kept since the peer was last heard in the old session is sent once more
//!   a minute later the old sessions are forgotten
//!
//! A peer drops the session before at the moment when it learns of the new key, and says nothing; that may even be before
//! we are told that the new key is good. So the newest small packets to each peer are always remembered, and after the
//! change a packet may arrive twice, as IP allows. TCP segments are not kept: TCP sends them again by itself.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::BytesMut;

use crate::event::Sink;
use crate::ip;
use crate::peers::{Peer, Timed};
use crate::pipeline::{BUSY_TICK, Pipeline};
use crate::prefix::QuickMap;
use crate::tunnel::{Identity, Key, Tunnel};

/// How long the sessions of the key before are kept.
const GRACE: Duration = Duration::from_secs(60);
/// Peers that were talked to within this time get an initiation at once.
const TALKED: Duration = Duration::from_secs(60);
/// What was sent so long before the peer was last heard may have been under way when it was.
const UNDER_WAY: Duration = Duration::from_millis(500);
/// How much sooner than we a peer may learn of our new key.
const SOONER: Duration = Duration::from_millis(1500);
const KEPT_PACKETS: usize = 64;
const RECENT_PACKETS: usize = 16;
const RECENT_BYTES: usize = 192;
const KEPT_BYTES: usize = 64 * 1024;

/// The receiver indices of the key before, and until when they count.
pub(crate) struct Before {
    pub by_index: QuickMap<u32, u32>,
    pub until: Instant,
}

/// The newest small packets to a peer that nobody sends again by himself: pings, questions, voice.
pub struct Recent {
    packets: [(Option<Instant>, u8, [u8; RECENT_BYTES]); RECENT_PACKETS],
    next: usize,
}

impl Recent {
    fn new() -> Box<Recent> {
        Box::new(Recent {
            packets: [(None, 0, [0; RECENT_BYTES]); RECENT_PACKETS],
            next: 0,
        })
    }

    fn since(&self, since: Option<Instant>) -> impl Iterator<Item = (Instant, &[u8])> {
        let (newer, older) = self.packets.split_at(self.next);
        older
            .iter()
            .chain(newer)
            .filter_map(move |(sent, len, bytes)| {
                let sent = (*sent)?;
                let fits = since.is_none_or(|since| sent >= since);
                fits.then_some((sent, &bytes[..usize::from(*len)]))
            })
    }
}

/// Remembers a packet to a peer, if it is of the kind that is worth it.
#[inline]
pub(crate) fn remember(peer: &mut Peer, now: Instant, packet: &[u8]) {
    let proto = match packet.first().map(|first| first >> 4) {
        Some(4) => packet.get(9),
        Some(6) => packet.get(6),
        _ => None,
    };
    if packet.len() > RECENT_BYTES || proto.is_none_or(|proto| *proto == ip::TCP) {
        return;
    }
    let recent = peer.recent.get_or_insert_with(Recent::new);
    let (sent, len, bytes) = &mut recent.packets[recent.next];
    *sent = Some(now);
    *len = packet.len() as u8;
    bytes[..packet.len()].copy_from_slice(packet);
    recent.next = (recent.next + 1) % RECENT_PACKETS;
}

/// One peer's session of the key before.
pub struct OldSession {
    pub(crate) tunnel: Tunnel,
    heard: Option<Instant>,
    kept: VecDeque<(Instant, Box<[u8]>)>,
    kept_bytes: usize,
}

impl OldSession {
    fn new(tunnel: Tunnel) -> OldSession {
        OldSession {
            tunnel,
            heard: None,
            kept: VecDeque::new(),
            kept_bytes: 0,
        }
    }

    /// The peer has spoken in it.
    pub(crate) fn hear(&mut self, now: Instant) {
        self.heard = Some(now);
    }

    fn keep(&mut self, now: Instant, packet: &[u8]) {
        self.kept_bytes += packet.len();
        self.kept.push_back((now, packet.into()));
        while self.kept.len() > KEPT_PACKETS || self.kept_bytes > KEPT_BYTES {
            if let Some((_, packet)) = self.kept.pop_front() {
                self.kept_bytes -= packet.len();
            }
        }
    }

    /// What the peer may not have got.
    fn take_doubtful(&mut self) -> Vec<Box<[u8]>> {
        self.kept_bytes = 0;
        let since = self.heard.and_then(|at| at.checked_sub(UNDER_WAY));
        self.kept
            .drain(..)
            .filter(|(sent, _)| since.is_none_or(|since| *sent >= since))
            .map(|(_, packet)| packet)
            .collect()
    }
}

/// A peer that has the new key's session no longer needs the old one to send.
fn is_replaced(peer: &Peer) -> bool {
    peer.tunnel.as_ref().is_some_and(Tunnel::has_session)
}

impl Pipeline {
    /// Another static key of ours in place of the present one, whose sessions are led over to it.
    pub fn replace_private_key<S: Sink>(&mut self, now: Instant, secret: Key, sink: &mut S) {
        let identity = Identity::new(secret);
        match &self.identity {
            None => return self.set_private_key(Some(secret)),
            Some(present) if present.public() == identity.public() => return,
            Some(_) => {}
        }
        let by_index = std::mem::take(&mut self.by_index);
        self.identity = Some(identity);
        self.forget_timers();
        let mut talked = Vec::new();
        for (slot, peer) in self.peers.iter_slots_mut() {
            peer.handshaking = false;
            peer.timed = Timed::Never;
            peer.last_init = None;
            peer.answered = None;
            peer.before = peer
                .tunnel
                .take()
                .filter(Tunnel::has_session)
                .map(OldSession::new);
            if let (Some(old), Some(recent)) = (peer.before.as_mut(), &peer.recent) {
                for (sent, packet) in recent.since(now.checked_sub(SOONER)) {
                    old.keep(sent, packet);
                }
            }
            let lately = peer
                .last_data
                .is_some_and(|at| now.saturating_duration_since(at) < TALKED);
            if peer.before.is_some() && lately {
                talked.push(slot);
            }
        }
        self.before = Some(Before {
            by_index,
            until: now + GRACE,
        });
        for slot in talked {
            self.greet(now, slot, sink);
            self.wake(now, slot, sink);
        }
    }

    /// Asks a peer for a session of the new key, unless there is one or it was asked a moment ago.
    pub(crate) fn greet<S: Sink>(&mut self, now: Instant, slot: u32, sink: &mut S) {
        let (Some(identity), Some(peer)) = (&self.identity, self.peers.get_mut(slot)) else {
            return;
        };
        let asked = peer
            .last_init
            .is_some_and(|at| now.saturating_duration_since(at) < BUSY_TICK * 4 / 5);
        if peer.before.is_none() || is_replaced(peer) || asked {
            return;
        }
        let tunnel = peer
            .tunnel
            .get_or_insert_with(|| identity.tunnel(&peer.key));
        if let Some(init) = tunnel.handshake() {
            self.transmit(now, slot, &init, None, sink);
        }
    }

    /// Sends a packet in the session of the key before, where the new key has none yet; false when there is no such session.
    pub(crate) fn send_before<S: Sink>(
        &mut self,
        now: Instant,
        slot: u32,
        packet: &[u8],
        sink: &mut S,
    ) -> bool {
        let mtu = self.config.mtu;
        let Some(peer) = self.peers.get_mut(slot) else {
            return false;
        };
        if is_replaced(peer) {
            return false;
        }
        let Some(old) = peer.before.as_mut().filter(|old| old.tunnel.has_session()) else {
            return false;
        };
        peer.last_data = Some(now);
        if ip::parse(packet).is_ok_and(|parsed| parsed.proto != ip::TCP) {
            old.keep(now, packet);
        }
        let padded = packet.len().next_multiple_of(16).min(mtu).max(packet.len());
        let mut plain = BytesMut::with_capacity(padded);
        plain.extend_from_slice(packet);
        plain.resize(padded, 0);
        let sealed = old.tunnel.seal(plain);
        // A session that has just ended would greet with the key before: only data goes out.
        if let Some(sealed) = sealed.filter(|sealed| sealed.first() == Some(&4)) {
            self.transmit(now, slot, &sealed, None, sink);
        }
        self.greet(now, slot, sink);
        self.wake(now, slot, sink);
        self.counters.out_packets += 1;
        true
    }

    /// Sends once more what the peer may not have got, as soon as there is a session of the new key.
    pub(crate) fn repeat_doubtful<S: Sink>(&mut self, now: Instant, slot: u32, sink: &mut S) {
        let Some(peer) = self.peers.get_mut(slot).filter(|peer| is_replaced(peer)) else {
            return;
        };
        let doubtful = match peer.before.as_mut() {
            Some(old) => old.take_doubtful(),
            None => return,
        };
        for packet in doubtful {
            self.seal(now, slot, &packet, sink);
        }
    }

    /// Forgets the sessions of the key before when their time is over.
    pub(crate) fn expire_before(&mut self, now: Instant) {
        if self
            .before
            .as_ref()
            .is_some_and(|before| before.until <= now)
        {
            self.forget_before();
        }
    }

    pub(crate) fn forget_before(&mut self) {
        self.before = None;
        for peer in self.peers.iter_mut() {
            peer.before = None;
        }
    }
}
