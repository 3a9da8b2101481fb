//! The peer table: keys, prefixes, paths, sessions and counts, one slot a peer. A delta touches only the peers it names.

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use crate::prefix::{Prefix, PrefixTable, QuickMap};
use crate::renewal::{OldSession, Recent};
use crate::tunnel::{Key, Tunnel};

/// A UDP address; with a session number it is that of a peer relay, which forwards in that session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UdpAddr {
    pub addr: SocketAddr,
    /// 1 to 2^24 - 1; 0 = the peer itself is there.
    pub vni: u32,
}

impl From<SocketAddr> for UdpAddr {
    fn from(addr: SocketAddr) -> UdpAddr {
        UdpAddr { addr, vni: 0 }
    }
}

/// Which way a peer's packets go; pushed whole, replaced whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Path {
    #[default]
    None,
    /// The peer itself or its peer relay.
    Udp(UdpAddr),
    Relay(u32),
    /// An address whose trust is not yet proven or has run out: packets go both ways.
    Both(UdpAddr, u32),
}

impl Path {
    /// Straight to the peer alone.
    pub fn direct(to: SocketAddr) -> Path {
        Path::Udp(to.into())
    }

    /// Straight to the peer and by a relay region.
    pub fn both(to: SocketAddr, region: u32) -> Path {
        Path::Both(to.into(), region)
    }
}

/// A peer as control describes it.
#[derive(Clone, Debug)]
pub struct PeerSpec {
    pub key: Key,
    pub jailed: bool,
    /// Speaks WireGuard alone: our own messages inside the tunnel mean nothing to it.
    pub bare: bool,
    /// What the peer may use as inner source.
    pub sources: Vec<Prefix>,
    /// What we send to it.
    pub routes: Vec<Prefix>,
}

/// Counts of one peer; bytes are WireGuard messages on the wire.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stats {
    pub rx_bytes: u64,
    pub tx_bytes: u64,
    pub rx_packets: u64,
    pub tx_packets: u64,
    /// Wall clock, ms since 1970; 0 = never.
    pub last_handshake_ms: u64,
    pub dropped_source: u64,
    pub dropped_filter: u64,
    pub dropped_no_path: u64,
    pub dropped_relay: u64,
}

/// How often a peer's timers are looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Timed {
    /// Not at all: no session and no handshake.
    #[default]
    Never,
    /// Every 10 s: a session without traffic, whose keys must still expire.
    Resting,
    /// Every 250 ms.
    Busy,
}

pub struct Peer {
    pub key: Key,
    pub jailed: bool,
    pub bare: bool,
    pub sources: Vec<Prefix>,
    pub routes: Vec<Prefix>,
    pub path: Path,
    pub tunnel: Option<Tunnel>,
    /// The session of our key before, for a while after that was replaced.
    pub before: Option<OldSession>,
    pub recent: Option<Box<Recent>>,
    pub stats: Stats,
    /// The inner source last proven to be this peer's, and the table's generation in which it was.
    proven_source: Option<(IpAddr, u64)>,
    pub timed: Timed,
    pub ticked: Option<Instant>,
    pub last_data: Option<Instant>,
    pub sending: bool,
    pub receiving: bool,
    pub handshaking: bool,
    /// It made a session with us and has not been told our disco key in it yet.
    pub untold: bool,
    pub last_init: Option<Instant>,
    /// When a handshake with the peer last made a session.
    pub answered: Option<Instant>,
    pub direct_proof: Option<(SocketAddr, Instant)>,
}

impl Peer {
    fn new(spec: PeerSpec) -> Peer {
        Peer {
            key: spec.key,
            jailed: spec.jailed,
            bare: spec.bare,
            sources: spec.sources,
            routes: spec.routes,
            path: Path::None,
            tunnel: None,
            before: None,
            recent: None,
            stats: Stats::default(),
            proven_source: None,
            timed: Timed::Never,
            ticked: None,
            last_data: None,
            sending: false,
            receiving: false,
            handshaking: false,
            untold: false,
            last_init: None,
            answered: None,
            direct_proof: None,
        }
    }
}

#[derive(Default)]
pub struct Peers {
    slots: Vec<Option<Box<Peer>>>,
    free: Vec<u32>,
    by_key: QuickMap<Key, u32>,
    sources: PrefixTable,
    routes: PrefixTable,
    last_route: Option<(IpAddr, u32)>,
    /// Counts changes of prefixes.
    generation: u64,
}

impl Peers {
    pub fn len(&self) -> usize {
        self.by_key.len()
    }

    pub fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }

    pub fn slot_of(&self, key: &Key) -> Option<u32> {
        self.by_key.get(key).copied()
    }

    #[inline]
    pub fn get(&self, slot: u32) -> Option<&Peer> {
        self.slots.get(slot as usize)?.as_deref()
    }

    #[inline]
    pub fn get_mut(&mut self, slot: u32) -> Option<&mut Peer> {
        self.slots.get_mut(slot as usize)?.as_deref_mut()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Peer> {
        self.slots.iter().filter_map(|slot| slot.as_deref())
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Peer> {
        self.slots.iter_mut().filter_map(|slot| slot.as_deref_mut())
    }

    pub fn iter_slots_mut(&mut self) -> impl Iterator<Item = (u32, &mut Peer)> {
        self.slots
            .iter_mut()
            .enumerate()
            .filter_map(|(slot, peer)| Some((slot as u32, peer.as_deref_mut()?)))
    }

    /// Adds or changes a peer; true when it is new. Its session and path stay as they are.
    pub fn upsert(&mut self, spec: PeerSpec) -> bool {
        self.forget_caches();
        if let Some(slot) = self.slot_of(&spec.key) {
            self.unlink(slot);
            if let Some(peer) = self.slots[slot as usize].as_deref_mut() {
                peer.jailed = spec.jailed;
                peer.bare = spec.bare;
                peer.sources = spec.sources;
                peer.routes = spec.routes;
            }
            self.link(slot);
            return false;
        }
        let key = spec.key;
        let peer = Some(Box::new(Peer::new(spec)));
        let slot = match self.free.pop() {
            Some(slot) => {
                self.slots[slot as usize] = peer;
                slot
            }
            None => {
                self.slots.push(peer);
                (self.slots.len() - 1) as u32
            }
        };
        self.by_key.insert(key, slot);
        self.link(slot);
        true
    }

    /// Takes a peer out, with its session; gives back its slot's number.
    pub fn remove(&mut self, key: &Key) -> Option<u32> {
        let slot = self.by_key.remove(key)?;
        self.forget_caches();
        self.unlink(slot);
        self.slots[slot as usize] = None;
        self.free.push(slot);
        Some(slot)
    }

    /// The peer that packets to `dst` go to.
    #[inline]
    pub fn route(&mut self, dst: IpAddr) -> Option<u32> {
        if let Some((ip, slot)) = self.last_route
            && ip == dst
        {
            return Some(slot);
        }
        let slot = *self.routes.lookup(dst).first()?;
        self.last_route = Some((dst, slot));
        Some(slot)
    }

    /// The peer that packets to `dst` go to, for a question that comes seldom.
    pub fn carrier(&self, dst: IpAddr) -> Option<u32> {
        self.routes.lookup(dst).first().copied()
    }

    /// Whether `dst` is a single address of a peer rather than a host in a network behind one.
    #[inline]
    pub fn is_host_route(&self, dst: IpAddr) -> bool {
        self.routes.holds_host(dst)
    }

    /// Whether `src` belongs to this peer: the most specific prefix that holds it names the peer as an owner.
    #[inline]
    pub fn owns_source(&mut self, slot: u32, src: IpAddr) -> bool {
        let Some(peer) = self.slots[slot as usize].as_deref_mut() else {
            return false;
        };
        if peer.proven_source == Some((src, self.generation)) {
            return true;
        }
        let owns = self.sources.lookup(src).contains(&slot);
        if owns {
            peer.proven_source = Some((src, self.generation));
        }
        owns
    }

    /// Whether `ip` belongs to any peer.
    pub fn has_source(&self, ip: IpAddr) -> bool {
        !self.sources.lookup(ip).is_empty()
    }

    /// Whether the peer that `ip` belongs to may only answer us.
    pub fn is_jailed(&self, ip: IpAddr) -> bool {
        self.sources
            .lookup(ip)
            .iter()
            .any(|slot| self.get(*slot).is_some_and(|peer| peer.jailed))
    }

    fn forget_caches(&mut self) {
        self.last_route = None;
        self.generation += 1;
    }

    fn link(&mut self, slot: u32) {
        let Some(peer) = self.slots[slot as usize].as_deref() else {
            return;
        };
        peer.sources
            .iter()
            .for_each(|prefix| self.sources.insert(*prefix, slot));
        peer.routes
            .iter()
            .for_each(|prefix| self.routes.insert(*prefix, slot));
    }

    fn unlink(&mut self, slot: u32) {
        let Some(peer) = self.slots[slot as usize].as_deref() else {
            return;
        };
        peer.sources
            .iter()
            .for_each(|prefix| self.sources.remove(*prefix, slot));
        peer.routes
            .iter()
            .for_each(|prefix| self.routes.remove(*prefix, slot));
    }
}
