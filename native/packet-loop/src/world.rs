//! Everything the packet thread owns, and the turn of its loop. Commands are closures over it.

use std::collections::HashSet;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use dataplane::derp::RelayQueue;
use dataplane::event::{Event, Sink};
use dataplane::filter::Table;
use dataplane::peers::{Path, PeerSpec};
use dataplane::pipeline::{Config, Pipeline, Via};
use dataplane::prefix::IpSet;
use dataplane::tunnel::Key;
use device::udp::{Options, Udp};
use mio::{Events, Registry, Token};
use netstack::{Netstack, PacketOut};

use crate::moves::Moves;
use crate::peer_relay::PeerRelay;
use crate::records::{self, Packed};
use crate::ring::Ring;

pub const WAKER: Token = Token(0);
const UDP4: Token = Token(1);
const UDP6: Token = Token(2);
const RELAY4: Token = Token(3);
const RELAY6: Token = Token(4);
/// The netstack's tokens start here.
const FIRST_STACK_TOKEN: usize = 16;
/// Relay frames of one record.
const RELAY_RECORD: usize = 64 << 10;
/// Packets to ourselves that may wait for the next turn; TCP sends again what is lost.
const OWN_PACKETS: usize = 1024;

/// What to set up once.
#[derive(Clone, Debug)]
pub struct Setup {
    pub port: u16,
    pub udp: Options,
    pub mtu: usize,
    pub seed: u64,
}

/// A change of the wanted tables; what is None stays.
#[derive(Default)]
pub struct Tables {
    pub own: Option<Vec<IpAddr>>,
    pub upserts: Vec<PeerSpec>,
    pub removes: Vec<Key>,
    pub filter: Option<Table>,
}

type FlowEnds = (u8, SocketAddr, SocketAddr);

/// The packet thread's state. `now` is the time of the current turn.
pub struct World {
    pub pipeline: Pipeline,
    pub udp: Udp,
    pub stack: Netstack,
    relay: RelayQueue,
    pub peer_relay: PeerRelay,
    options: Options,
    /// Inbound flows that lost their permission in this turn.
    cuts: Vec<FlowEnds>,
    moves: Moves,
    /// Packets of the netstack to our own addresses, for the netstack.
    own_packets: Vec<Vec<u8>>,
    ring: Arc<Ring>,
    registry: Registry,
    pub now: Instant,
    readable4: bool,
    readable6: bool,
}

/// The pipeline's output, spread over the thread's other parts.
struct Io<'a> {
    udp: &'a mut Udp,
    stack: &'a mut Netstack,
    cuts: &'a mut Vec<FlowEnds>,
    relay: &'a mut RelayQueue,
    ring: &'a Ring,
    now: Instant,
}

impl Sink for Io<'_> {
    #[inline]
    fn udp(&mut self, to: SocketAddr, datagram: &[u8]) {
        self.udp.push(to, datagram);
    }
    #[inline]
    fn geneve(&mut self, to: SocketAddr, header: [u8; 8], datagram: &[u8]) {
        self.udp.push_headed(to, &header, datagram);
    }
    fn relay(&mut self, region: u32, to: &Key, packet: &[u8]) -> bool {
        self.relay.push(region, to, packet)
    }
    #[inline]
    fn deliver(&mut self, peer: Option<u32>, packet: &[u8]) {
        match peer {
            Some(peer) => self.stack.handle_packet_of(self.now, peer, packet),
            None => self.stack.handle_packet(self.now, packet),
        }
    }
    fn unclaimed(&mut self, from: SocketAddr, datagram: &[u8]) {
        if !self.ring.push(
            records::UNCLAIMED,
            true,
            &[Packed::new(from).bytes(), datagram],
        ) {
            self.ring.count_drop();
        }
    }
    fn cut(&mut self, proto: u8, from: SocketAddr, to: SocketAddr) {
        self.cuts.push((proto, from, to));
    }
    fn refused(&mut self, proto: u8, from: SocketAddr, to: SocketAddr) {
        self.stack.reject_flow(self.now, proto, (from, to), false);
    }
    fn event(&mut self, event: Event) {
        records::push_event(self.ring, &event);
    }
}

/// Splits a World into its pipeline and the pipeline's output.
macro_rules! split {
    ($world:ident) => {
        (
            &mut $world.pipeline,
            &mut Io {
                udp: &mut $world.udp,
                stack: &mut $world.stack,
                cuts: &mut $world.cuts,
                relay: &mut $world.relay,
                ring: &$world.ring,
                now: $world.now,
            },
        )
    };
}

impl World {
    pub fn new(setup: &Setup, registry: Registry, ring: Arc<Ring>) -> io::Result<World> {
        let now = Instant::now();
        let mut udp = Udp::bind(setup.port, setup.udp)?;
        udp.register(&registry, UDP4, UDP6)?;
        let stack_config = netstack::Config {
            mtu: setup.mtu,
            ..netstack::Config::default()
        };
        let stack_config = match device::descriptors::limit() {
            Some(descriptors) => stack_config.within(descriptors),
            None => stack_config,
        };
        let stack = Netstack::new(
            stack_config,
            registry.try_clone()?,
            FIRST_STACK_TOKEN,
            setup.seed,
        )?;
        let pipeline = Pipeline::new(
            Config {
                mtu: setup.mtu,
                seed: setup.seed,
            },
            now,
        );
        Ok(World {
            pipeline,
            udp,
            stack,
            relay: RelayQueue::default(),
            peer_relay: PeerRelay::default(),
            options: setup.udp,
            cuts: Vec::new(),
            moves: Moves::default(),
            own_packets: Vec::new(),
            ring,
            registry,
            now,
            readable4: true,
            readable6: true,
        })
    }

    /// How long the thread may sleep.
    pub fn timeout(&self) -> Option<Duration> {
        if self.readable4 || self.readable6 || self.peer_relay.is_readable() {
            return Some(Duration::ZERO);
        }
        let now = Instant::now();
        let pipeline = self
            .pipeline
            .next_timeout()
            .map(|at| at.saturating_duration_since(now));
        let moves = self
            .moves
            .next_timeout()
            .map(|at| at.saturating_duration_since(now));
        [pipeline, self.stack.next_timeout(now), moves]
            .into_iter()
            .flatten()
            .min()
    }

    /// Notes what the system reported; true when commands wait.
    pub fn note_ready(&mut self, events: &Events) -> bool {
        self.now = Instant::now();
        let mut commands = false;
        for event in events {
            match event.token() {
                WAKER => commands = true,
                UDP4 => self.readable4 = true,
                UDP6 => self.readable6 = true,
                RELAY4 => self.peer_relay.readable[0] = true,
                RELAY6 => self.peer_relay.readable[1] = true,
                _ => self.stack.handle_ready(self.now, event),
            }
        }
        commands
    }

    /// One turn: datagrams in, timers, packets of the netstack out, all batches sent.
    pub fn turn(&mut self) {
        let World {
            pipeline,
            udp,
            stack,
            cuts,
            relay,
            ring,
            now,
            readable4,
            readable6,
            ..
        } = self;
        let now = *now;
        for (v6, readable) in [(false, readable4), (true, readable6)] {
            if *readable {
                *readable = udp.receive(v6, |udp, from, datagram| {
                    let mut io = Io {
                        udp,
                        stack,
                        cuts,
                        relay,
                        ring,
                        now,
                    };
                    pipeline.handle_datagram(now, Via::Direct(from), datagram, &mut io);
                });
            }
        }
        if self.pipeline.next_timeout().is_some_and(|at| at <= now) {
            let (pipeline, io) = split!(self);
            pipeline.handle_timeout(now, io);
        }
        self.moves
            .handle_timeout(now, &self.pipeline, &mut self.stack);
        self.peer_relay.turn(now, &self.ring);
        self.cut_flows();
        self.send_stack();
        self.finish();
    }

    fn cut_flows(&mut self) {
        if self.cuts.is_empty() {
            return;
        }
        let cuts: HashSet<FlowEnds> = self.cuts.drain(..).collect();
        self.stack.cut_flows(self.now, |flow| {
            flow.inbound && cuts.contains(&(flow.proto, flow.from, flow.to))
        });
    }

    fn send_stack(&mut self) {
        let World {
            pipeline,
            udp,
            stack,
            relay,
            own_packets,
            ring,
            now,
            ..
        } = self;
        stack.poll(
            *now,
            &mut Out {
                pipeline,
                sent: Sent {
                    udp,
                    relay,
                    own_packets,
                    ring,
                },
                now: *now,
            },
        );
        for packet in self.own_packets.drain(..) {
            self.stack.handle_packet(self.now, &packet);
        }
        while let Some(event) = self.stack.take_event() {
            match event {
                netstack::Event::AskedNoMore { from, to } => {
                    if !self.stack.has_udp_flow(from, to) {
                        self.pipeline.forget_asked(from, to);
                    }
                }
                other => records::push_stack_event(&self.ring, other),
            }
        }
    }

    /// Sends what is gathered and tells what is to be told.
    fn finish(&mut self) {
        self.udp.flush();
        for (to, why) in self.udp.take_errors() {
            records::push_send_error(&self.ring, to, why);
        }
        if !self.relay.is_empty() {
            let ring = &self.ring;
            self.relay.drain(|region, frames| {
                let mut taken = 0;
                while taken < frames.len() {
                    let end = whole_frames(frames, taken, RELAY_RECORD);
                    if !ring.push(
                        records::RELAY_FRAMES,
                        true,
                        &[&region.to_be_bytes(), &frames[taken..end]],
                    ) {
                        break;
                    }
                    taken = end;
                }
                taken
            });
        }
    }

    pub fn set_private_key(&mut self, key: Option<Key>) {
        let now = self.now;
        let (pipeline, io) = split!(self);
        match key {
            Some(key) => pipeline.replace_private_key(now, key, io),
            None => pipeline.set_private_key(None),
        }
    }

    /// Puts new tables in force, the filter first: a new peer never meets the old rules. Flows of others that are no longer
    /// permitted end here, whatever the filter remembers of them.
    pub fn set_tables(&mut self, tables: Tables) {
        if let Some(own) = tables.own {
            self.stack.set_addresses(&own);
            self.pipeline.set_own(own);
        }
        let now = self.now;
        if let Some(filter) = &tables.filter {
            self.set_offered(&filter.local);
        }
        let jailed = tables.upserts.iter().any(|peer| peer.jailed);
        let rejudge = tables.filter.is_some() || !tables.removes.is_empty() || jailed;
        let before = Moves::before(
            &self.pipeline,
            &self.stack,
            &tables.upserts,
            &tables.removes,
        );
        let (pipeline, io) = split!(self);
        if let Some(filter) = tables.filter {
            pipeline.set_filter(filter, io);
        }
        pipeline.set_peers(now, tables.upserts, &tables.removes, io);
        if let Some(before) = before {
            self.moves
                .after(now, &self.pipeline, &mut self.stack, before);
        }
        if rejudge {
            let World {
                pipeline, stack, ..
            } = self;
            stack.cut_flows(now, |flow| {
                flow.inbound && !pipeline.permits(flow.proto, flow.from, flow.to)
            });
        }
    }

    /// The netstack judges for itself what is served beside own addresses.
    fn set_offered(&mut self, local: &IpSet) {
        let local = local.clone();
        self.stack
            .set_offered(Some(Box::new(move |ip| local.contains(ip))));
    }

    pub fn set_engine_ports(&mut self, ports: Vec<u16>) {
        self.stack.set_engine_ports(&ports);
        let (pipeline, io) = split!(self);
        pipeline.set_engine_ports(ports, io);
    }

    pub fn set_path(&mut self, peer: &Key, path: Path) {
        let now = self.now;
        let (pipeline, io) = split!(self);
        pipeline.set_path(now, peer, path, io);
    }

    pub fn send_udp(&mut self, to: SocketAddr, datagram: &[u8]) {
        self.udp.push(to, datagram);
    }

    pub fn relay_frames(&mut self, region: u32, frames: BytesMut) {
        let now = self.now;
        let (pipeline, io) = split!(self);
        pipeline.handle_relay_frames(now, region, frames, io);
    }

    pub fn ping_tsmp(&mut self, id: u32, to: IpAddr) {
        let now = self.now;
        let (pipeline, io) = split!(self);
        pipeline.ping_tsmp(now, id, to, io);
    }

    /// Sockets on which we relay for others; the port that they got.
    pub fn relay_listen(&mut self, port: u16) -> io::Result<u16> {
        self.peer_relay
            .listen(&self.registry, (RELAY4, RELAY6), port, self.options)
    }

    /// New sockets, on the first of `ports` that is free; the port that it became.
    pub fn rebind(&mut self, ports: &[u16]) -> io::Result<u16> {
        self.udp.rebind(ports)?;
        self.udp.register(&self.registry, UDP4, UDP6)?;
        self.readable4 = true;
        self.readable6 = true;
        Ok(self.udp.port())
    }

    /// Every count by name.
    pub fn each_counter(&self, mut see: impl FnMut(&str, u64)) {
        self.pipeline.counters.each(&mut see);
        let udp = &self.udp.counters;
        let forwarded = &self.peer_relay.forwarder.counters;
        for (name, value) in [
            ("udp_out_runs", udp.udp_out_runs),
            ("udp_out_bytes", udp.udp_out_bytes),
            ("udp_out_full", udp.udp_out_full),
            ("udp_out_errors", udp.udp_out_errors),
            ("udp_out_unsplit", udp.udp_out_unsplit),
            ("udp_in_runs", udp.udp_in_runs),
            ("udp_in_bytes", udp.udp_in_bytes),
            ("udp_in_errors", udp.udp_in_errors),
            ("relay_dropped", self.relay.dropped),
            ("peer_relay_forwarded_packets", forwarded.relayed_packets),
            ("peer_relay_forwarded_bytes", forwarded.relayed_bytes),
            ("peer_relay_held", forwarded.held),
            ("peer_relay_refused", forwarded.refused),
            ("peer_relay_control_flood", forwarded.control_flood),
            ("events_dropped", self.ring.dropped()),
        ] {
            see(name, value);
        }
        for (name, value) in self.stack.counters().rows() {
            see(&format!("stack_{name}"), value);
        }
    }
}

/// What the netstack sends goes through the pipeline at once.
struct Out<'a> {
    pipeline: &'a mut Pipeline,
    sent: Sent<'a>,
    now: Instant,
}

impl PacketOut for Out<'_> {
    #[inline]
    fn send(&mut self, packet: &[u8]) {
        self.pipeline.send_packet(self.now, packet, &mut self.sent);
    }
    #[inline]
    fn largest_to(&mut self, to: IpAddr) -> Option<usize> {
        Some(self.pipeline.largest_to(to))
    }
    #[inline]
    fn largest_from(&mut self, from: IpAddr) -> Option<usize> {
        Some(self.pipeline.largest_from(from))
    }
}

/// Output of the pipeline while the netstack is being polled: sending ends no flow, and delivers only to ourselves, later.
struct Sent<'a> {
    udp: &'a mut Udp,
    relay: &'a mut RelayQueue,
    own_packets: &'a mut Vec<Vec<u8>>,
    ring: &'a Ring,
}

impl Sink for Sent<'_> {
    #[inline]
    fn udp(&mut self, to: SocketAddr, datagram: &[u8]) {
        self.udp.push(to, datagram);
    }
    #[inline]
    fn geneve(&mut self, to: SocketAddr, header: [u8; 8], datagram: &[u8]) {
        self.udp.push_headed(to, &header, datagram);
    }
    fn relay(&mut self, region: u32, to: &Key, packet: &[u8]) -> bool {
        self.relay.push(region, to, packet)
    }
    fn deliver(&mut self, _peer: Option<u32>, packet: &[u8]) {
        if self.own_packets.len() < OWN_PACKETS {
            self.own_packets.push(packet.to_vec());
        }
    }
    fn unclaimed(&mut self, _from: SocketAddr, _datagram: &[u8]) {}
    fn cut(&mut self, _proto: u8, _from: SocketAddr, _to: SocketAddr) {}
    fn refused(&mut self, _proto: u8, _from: SocketAddr, _to: SocketAddr) {}
    fn event(&mut self, event: Event) {
        records::push_event(self.ring, &event);
    }
}

/// End of the last whole frame within `limit` bytes from `start`; at least one frame.
fn whole_frames(frames: &[u8], start: usize, limit: usize) -> usize {
    let mut end = start;
    while let Some(head) = frames.get(end..end + 5) {
        let next = end + 5 + u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
        if next > frames.len() || (end > start && next - start > limit) {
            break;
        }
        end = next;
    }
    if end == start { frames.len() } else { end }
}
