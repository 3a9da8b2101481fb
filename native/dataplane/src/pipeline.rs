//! The pipeline: inner packets out, datagrams in, timers between. Pure but for the tunnel's own clock: no socket, no
//! thread; time comes as an argument and output goes to a `Sink`.
//!
//!   out  inner packet → own checks and flow memory → route → seal → path → udp | relay
//!   in   datagram → classify → receiver index or handshake → open → cut padding → source → TSMP → filter → deliver
//!
//! `outbound.rs` and `inbound.rs` hold the two directions, this file the state, the tables and the timers. One thread has
//! it while there is no tunnel device; two take turns at it, a batch at a time, while there is (packet-loop/src/core.rs).

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use bytes::BytesMut;

use crate::counters::Counters;
use crate::crowd::Crowd;
use crate::event::{Activity, Event, Sink};
use crate::filter::{Filter, Table};
use crate::flows::Flow;
use crate::guard::{Bucket, UnknownRing};
use crate::peers::{Path, PeerSpec, Peers, Timed, UdpAddr};
use crate::prefix::QuickMap;
use crate::refusals::Refusals;
use crate::renewal::Before;
use crate::tunnel::{Identity, Key, Resting};

/// Timers of busy peers; the WireGuard state machine wants about this.
pub const BUSY_TICK: Duration = Duration::from_millis(250);
const RESTING_TICK: Duration = Duration::from_secs(10);
/// Beyond every timer that traffic arms (keepalive 10 s, new handshake 15.3 s).
const BUSY_FOR: Duration = Duration::from_secs(20);
const IDLE_AFTER: Duration = Duration::from_secs(45);
const PING_PATIENCE: Duration = Duration::from_secs(10);
/// Shortest time between two initiations to one peer when its path changes.
const INIT_SPACING: Duration = Duration::from_millis(100);

/// Where a datagram came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Via {
    Direct(SocketAddr),
    /// In a session of a peer relay at that address.
    PeerRelay(UdpAddr),
    Relay {
        region: u32,
        from: Key,
    },
}

/// What to set up once.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// Largest inner packet, bytes; padding never goes beyond it.
    pub mtu: usize,
    /// Seeds the eight bytes of TSMP pings; any value.
    pub seed: u64,
}

impl Default for Config {
    fn default() -> Config {
        Config { mtu: 1280, seed: 0 }
    }
}

pub(crate) struct PingWait {
    pub id: u32,
    pub sent: Instant,
}

pub struct Pipeline {
    pub(crate) config: Config,
    pub(crate) identity: Option<Identity>,
    pub(crate) peers: Peers,
    /// Receiver index → slot.
    pub(crate) by_index: QuickMap<u32, u32>,
    /// What is left of our key before, after that was replaced.
    pub(crate) before: Option<Before>,
    pub(crate) own: Vec<IpAddr>,
    pub(crate) peer_api_port: Option<u16>,
    /// Ours, for peers to learn inside the tunnel.
    pub(crate) disco: Option<Key>,
    pub(crate) filter: Filter,
    pub(crate) unknown: UnknownRing,
    /// Strangers' handshakes over UDP: each costs a key agreement.
    pub(crate) direct_handshakes: Bucket,
    /// The same from relays, apart, so that a flood over UDP leaves them working.
    pub(crate) relay_handshakes: Bucket,
    pub(crate) cookies: Bucket,
    /// Data of sessions that we do not have.
    pub(crate) strays: Bucket,
    pub(crate) rejects: Bucket,
    pub(crate) refusals: Refusals,
    pub(crate) rate_counts_at: Option<Instant>,
    pub(crate) crowd: Crowd,
    pub(crate) scratch: BytesMut,
    pub(crate) pings: HashMap<[u8; 8], PingWait>,
    ping_state: u64,
    pub(crate) start: Instant,
    busy: Vec<u32>,
    resting: Vec<u32>,
    busy_at: Option<Instant>,
    resting_at: Option<Instant>,
    pub counters: Counters,
}

impl Pipeline {
    pub fn new(config: Config, now: Instant) -> Pipeline {
        Pipeline {
            config,
            identity: None,
            peers: Peers::default(),
            by_index: QuickMap::default(),
            before: None,
            own: Vec::new(),
            peer_api_port: None,
            disco: None,
            filter: Filter::default(),
            unknown: UnknownRing::default(),
            direct_handshakes: Bucket::new(500.0, 500.0),
            relay_handshakes: Bucket::new(500.0, 500.0),
            cookies: Bucket::new(200.0, 200.0),
            strays: Bucket::new(50.0, 50.0),
            rejects: Bucket::new(50.0, 50.0),
            refusals: Refusals::default(),
            rate_counts_at: None,
            crowd: Crowd::default(),
            scratch: BytesMut::with_capacity(8192),
            pings: HashMap::new(),
            ping_state: config.seed | 1,
            start: now,
            busy: Vec::new(),
            resting: Vec::new(),
            busy_at: None,
            resting_at: None,
            counters: Counters::default(),
        }
    }

    /// Our static key; another one, or none, ends every session. See `replace_private_key` for one that takes over.
    pub fn set_private_key(&mut self, secret: Option<Key>) {
        self.identity = secret.map(Identity::new);
        self.by_index.clear();
        self.forget_before();
        self.forget_timers();
        for peer in self.peers.iter_mut() {
            peer.tunnel = None;
            peer.handshaking = false;
            peer.timed = Timed::Never;
        }
    }

    /// No peer is looked at any more; each must be woken anew.
    pub(crate) fn forget_timers(&mut self) {
        self.busy.clear();
        self.resting.clear();
    }

    /// Our disco key, told to each peer behind every new session from here on.
    pub fn set_disco_key(&mut self, disco: Option<Key>) {
        self.disco = disco;
    }

    /// Own tunnel addresses.
    pub fn set_own(&mut self, own: Vec<IpAddr>) {
        self.filter.set_own(own.clone());
        self.own = own;
    }

    /// Adds, changes and removes peers. Handshakes that were held for a new one are replayed.
    pub fn set_peers<S: Sink>(
        &mut self,
        now: Instant,
        upserts: Vec<PeerSpec>,
        removes: &[Key],
        sink: &mut S,
    ) {
        for key in removes {
            if let Some(slot) = self.peers.remove(key) {
                self.by_index.retain(|_, owner| *owner != slot);
                if let Some(before) = &mut self.before {
                    before.by_index.retain(|_, owner| *owner != slot);
                }
                self.busy.retain(|other| *other != slot);
                self.resting.retain(|other| *other != slot);
            }
        }
        let mut replays = Vec::new();
        let mut jailed = false;
        for spec in upserts {
            jailed |= spec.jailed;
            let key = spec.key;
            if self.peers.upsert(spec)
                && let Some(held) = self.unknown.take(now, &key)
            {
                replays.push(held);
            }
        }
        if jailed {
            let peers = &self.peers;
            let cut = self.filter.rejudge(|ip| peers.is_jailed(ip));
            report_cut(&cut, sink);
        }
        for (via, datagram) in replays {
            self.handle_datagram(now, via, datagram, sink);
        }
    }

    /// A whole filter table; flows that it no longer permits are cut before this returns.
    pub fn set_filter<S: Sink>(&mut self, table: Table, sink: &mut S) {
        let peers = &self.peers;
        let cut = self.filter.set_table(table, |ip| peers.is_jailed(ip));
        report_cut(&cut, sink);
    }

    /// Whether an inbound flow may go on: it is our own, or its source is still a peer's and the rules would let it start.
    pub fn permits(&self, proto: u8, from: SocketAddr, to: SocketAddr) -> bool {
        let flow = Flow {
            proto,
            src: from.ip(),
            src_port: from.port(),
            dst: to.ip(),
            dst_port: to.port(),
        };
        let jailed = self.peers.is_jailed(flow.src);
        self.own.contains(&flow.src)
            || (self.peers.has_source(flow.src) && self.filter.permits_flow(&flow, jailed))
    }

    /// A datagram flow of ours is over: nothing answers it any more, and what comes is judged by the rules.
    pub fn forget_asked(&mut self, from: SocketAddr, to: SocketAddr) {
        self.filter.forget_asked(from, to);
    }

    /// TCP ports of the engine's own services; the first one is announced in pongs.
    pub fn set_engine_ports<S: Sink>(&mut self, ports: Vec<u16>, sink: &mut S) {
        self.peer_api_port = ports.first().copied();
        let peers = &self.peers;
        let cut = self
            .filter
            .set_engine_ports(ports, |ip| peers.is_jailed(ip));
        report_cut(&cut, sink);
    }

    /// Which way a peer's packets go from here on. A handshake that waits is sent again over the new path.
    pub fn set_path<S: Sink>(&mut self, now: Instant, key: &Key, path: Path, sink: &mut S) {
        let Some(slot) = self.peers.slot_of(key) else {
            return;
        };
        let Some(peer) = self.peers.get_mut(slot) else {
            return;
        };
        let changed = peer.path != path;
        peer.path = path;
        let spaced = peer
            .last_init
            .is_none_or(|at| now.saturating_duration_since(at) >= INIT_SPACING);
        if changed && path != Path::None && peer.handshaking && spaced {
            self.initiate(now, slot, None, sink);
        }
    }

    /// Asks a peer that has a tunnel for a session now; whether something went out. `reply_to` serves while there is no path.
    pub(crate) fn initiate<S: Sink>(
        &mut self,
        now: Instant,
        slot: u32,
        reply_to: Option<&Via>,
        sink: &mut S,
    ) -> bool {
        self.wake(now, slot, sink);
        let init = self
            .peers
            .get_mut(slot)
            .and_then(|peer| peer.tunnel.as_mut())
            .and_then(|tunnel| tunnel.handshake());
        if let Some(init) = &init {
            self.transmit(now, slot, init, reply_to, sink);
        }
        init.is_some()
    }

    pub fn own(&self) -> &[IpAddr] {
        &self.own
    }

    pub fn peers(&self) -> &Peers {
        &self.peers
    }

    pub fn filter(&self) -> &Filter {
        &self.filter
    }

    /// Eight bytes that no earlier ping of ours had.
    pub(crate) fn ping_bytes(&mut self) -> [u8; 8] {
        self.ping_state = self
            .ping_state
            .wrapping_mul(0xd134_2543_de82_ef95)
            .wrapping_add(1);
        (self.ping_state ^ (self.ping_state >> 29)).to_be_bytes()
    }

    pub(crate) fn now_sec(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.start).as_secs()
    }

    /// Puts a peer among the busy ones and brings its tunnel's clock up to date.
    pub(crate) fn wake<S: Sink>(&mut self, now: Instant, slot: u32, sink: &mut S) {
        let Some(peer) = self.peers.get_mut(slot) else {
            return;
        };
        if peer.timed != Timed::Busy {
            peer.timed = Timed::Busy;
            self.busy.push(slot);
            self.busy_at.get_or_insert(now + BUSY_TICK);
        }
        if peer
            .ticked
            .is_none_or(|at| now.saturating_duration_since(at) >= BUSY_TICK)
        {
            self.tick(now, slot, sink);
        }
    }

    /// Moves one tunnel's clock; false when the tunnel gave up.
    fn tick<S: Sink>(&mut self, now: Instant, slot: u32, sink: &mut S) -> bool {
        let Some(peer) = self.peers.get_mut(slot) else {
            return false;
        };
        peer.ticked = Some(now);
        let Some(tunnel) = peer.tunnel.as_mut() else {
            return false;
        };
        match tunnel.tick() {
            Ok(Some(packet)) => {
                self.transmit(now, slot, &packet, None, sink);
                true
            }
            Ok(None) => true,
            Err(Resting) => {
                peer.handshaking = false;
                false
            }
        }
    }

    /// When `handle_timeout` wants to be called next.
    pub fn next_timeout(&self) -> Option<Instant> {
        let pings = self
            .pings
            .values()
            .map(|wait| wait.sent + PING_PATIENCE)
            .min();
        let before = self.before.as_ref().map(|before| before.until);
        [
            self.busy_at,
            self.resting_at,
            self.rate_counts_at,
            self.crowd.next_timeout(),
            pings,
            before,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Does what is due.
    pub fn handle_timeout<S: Sink>(&mut self, now: Instant, sink: &mut S) {
        if self.rate_counts_at.is_some_and(|at| at <= now) {
            self.rate_counts_at = None;
            if let Some(identity) = &self.identity {
                identity.reset_rate_counts();
            }
        }
        if self.busy_at.is_some_and(|at| at <= now) {
            let slots = std::mem::take(&mut self.busy);
            self.tick_all(now, slots, sink);
            self.busy_at = (!self.busy.is_empty()).then_some(now + BUSY_TICK);
        }
        if self.resting_at.is_some_and(|at| at <= now) {
            let slots = std::mem::take(&mut self.resting);
            self.resting_at = None;
            self.tick_all(now, slots, sink);
            self.drop_dead_indices();
        }
        self.answer_crowd(now, sink);
        self.expire_before(now);
        self.expire_pings(now, sink);
    }

    fn tick_all<S: Sink>(&mut self, now: Instant, slots: Vec<u32>, sink: &mut S) {
        for slot in slots {
            let alive = self.tick(now, slot, sink);
            self.greet(now, slot, sink);
            let Some(peer) = self.peers.get_mut(slot) else {
                continue;
            };
            let quiet = peer.last_data.map(|at| now.saturating_duration_since(at));
            if (peer.sending || peer.receiving) && quiet.is_none_or(|quiet| quiet >= IDLE_AFTER) {
                peer.sending = false;
                peer.receiving = false;
                sink.event(Event::Activity {
                    peer: peer.key,
                    activity: Activity::Idle,
                });
            }
            let busy = peer.handshaking
                || quiet.is_some_and(|quiet| quiet < BUSY_FOR)
                || peer
                    .tunnel
                    .as_ref()
                    .is_some_and(|tunnel| tunnel.has_queued());
            peer.timed = match (alive, busy) {
                (true, true) => Timed::Busy,
                (true, false) => Timed::Resting,
                _ if peer.sending || peer.receiving => Timed::Resting,
                _ => Timed::Never,
            };
            match peer.timed {
                Timed::Busy => self.busy.push(slot),
                Timed::Resting => {
                    self.resting.push(slot);
                    self.resting_at.get_or_insert(now + RESTING_TICK);
                }
                Timed::Never => {}
            }
        }
        // One that was ticked as resting and turned busy needs the faster clock.
        if !self.busy.is_empty() {
            self.busy_at.get_or_insert(now + BUSY_TICK);
        }
    }

    fn drop_dead_indices(&mut self) {
        if let Some(identity) = &self.identity {
            self.by_index
                .retain(|index, _| identity.index_in_use(*index));
        }
    }

    fn expire_pings<S: Sink>(&mut self, now: Instant, sink: &mut S) {
        self.pings.retain(|_, wait| {
            let late = now.saturating_duration_since(wait.sent) >= PING_PATIENCE;
            if late {
                sink.event(Event::PingFailed { id: wait.id });
            }
            !late
        });
    }
}

fn report_cut<S: Sink>(cut: &[Flow], sink: &mut S) {
    for flow in cut {
        let from = SocketAddr::new(flow.src, flow.src_port);
        sink.cut(flow.proto, from, SocketAddr::new(flow.dst, flow.dst_port));
    }
}
