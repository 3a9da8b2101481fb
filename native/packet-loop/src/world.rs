//! Everything the packet thread owns, and the turn of its loop. Commands are closures over it.

use std::collections::HashSet;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use dataplane::filter::Table;
use dataplane::peers::{Path, PeerSpec};
use dataplane::pipeline::{Config, Pipeline, Via};
use dataplane::prefix::IpSet;
use dataplane::tunnel::Key;
use device::tun::Wanted;
use device::udp::{Options, Udp};
use mio::{Events, Registry, Token, Waker};
use netstack::Netstack;

use crate::core::SharedCore;
use crate::moves::Moves;
use crate::peer_relay::PeerRelay;
use crate::records;
use crate::ring::Ring;
use crate::sinks::{FlowEnds, Io, Out, Sent};
use crate::tun_counters::TunCounters;
use crate::tun_side::{Opened, SERVICES, TunSide};
use crate::tun_thread::Parts;

pub const WAKER: Token = Token(0);
const UDP4: Token = Token(1);
const UDP6: Token = Token(2);
const RELAY4: Token = Token(3);
const RELAY6: Token = Token(4);
/// The netstack's tokens start here.
const FIRST_STACK_TOKEN: usize = 16;

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

/// The packet thread's state. `now` is the time of the current turn.
pub struct World {
    pub core: SharedCore,
    pub udp: Udp,
    pub stack: Netstack,
    tun: Option<TunSide>,
    tun_counters: Arc<TunCounters>,
    /// Whether the system passes on what peers send to other machines, while there is a device.
    forwards_by_system: bool,
    pub peer_relay: PeerRelay,
    options: Options,
    /// Inbound flows that lost their permission in this turn.
    cuts: Vec<FlowEnds>,
    moves: Moves,
    /// Packets of the netstack to our own addresses, for the netstack.
    own_packets: Vec<Vec<u8>>,
    ring: Arc<Ring>,
    registry: Registry,
    waker: Arc<Waker>,
    pub now: Instant,
    readable4: bool,
    readable6: bool,
}

impl World {
    pub fn new(
        setup: &Setup,
        registry: Registry,
        waker: Arc<Waker>,
        ring: Arc<Ring>,
    ) -> io::Result<World> {
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
            core: SharedCore::new(pipeline),
            udp,
            stack,
            tun: None,
            tun_counters: Arc::default(),
            forwards_by_system: true,
            peer_relay: PeerRelay::default(),
            options: setup.udp,
            cuts: Vec::new(),
            moves: Moves::default(),
            own_packets: Vec::new(),
            ring,
            registry,
            waker,
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
            .core
            .lock()
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
        let now = self.now;
        if let Some(tun) = &mut self.tun {
            tun.begin();
        }
        self.take_from_device();
        for v6 in [false, true] {
            let readable = if v6 { self.readable6 } else { self.readable4 };
            if readable {
                self.receive(v6);
            }
        }
        let is_due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        if is_due(self.core.lock().pipeline.next_timeout()) {
            self.with_pipeline(|pipeline, io| pipeline.handle_timeout(now, io));
        }
        if is_due(self.moves.next_timeout()) {
            let core = self.core.lock();
            self.moves
                .handle_timeout(now, &core.pipeline, &mut self.stack);
        }
        self.peer_relay.turn(now, &self.ring);
        self.cut_flows();
        self.send_stack();
        self.finish();
    }

    /// Reads one batch from a socket without the lock, then takes it. What is for programs is written as soon as it is worth
    /// a call, so that they work on it while the rest is opened.
    fn receive(&mut self, v6: bool) {
        let more = self.udp.read(v6);
        match v6 {
            false => self.readable4 = more,
            true => self.readable6 = more,
        }
        while self.take_runs() {
            if let Some(tun) = &mut self.tun {
                tun.flush();
            }
        }
    }

    /// Takes runs that were read, until the device has enough to write; false when none are left.
    fn take_runs(&mut self) -> bool {
        let World {
            core,
            udp,
            stack,
            tun,
            cuts,
            ring,
            now,
            ..
        } = self;
        let now = *now;
        let mut core = core.lock();
        let core = &mut *core;
        loop {
            let was_there = udp.take_run(|udp, from, datagram| {
                let mut io = Io {
                    udp,
                    stack,
                    tun: tun.as_mut(),
                    cuts,
                    relay: &mut core.relay,
                    ring,
                    now,
                };
                core.pipeline
                    .handle_datagram(now, Via::Direct(from), datagram, &mut io);
            });
            if !was_there {
                return false;
            }
            if tun.as_ref().is_some_and(TunSide::has_enough) {
                return true;
            }
        }
    }

    /// Programs' packets to the engine's own addresses.
    fn take_from_device(&mut self) {
        if self.tun.is_none() {
            return;
        }
        let packets = std::mem::take(&mut self.core.lock().for_stack);
        for packet in packets {
            self.stack.handle_packet(self.now, &packet);
        }
    }

    /// Runs `call` on the pipeline, with its output spread over this thread's other parts.
    fn with_pipeline<R>(&mut self, call: impl FnOnce(&mut Pipeline, &mut Io<'_>) -> R) -> R {
        let mut core = self.core.lock();
        let core = &mut *core;
        let mut io = Io {
            udp: &mut self.udp,
            stack: &mut self.stack,
            tun: self.tun.as_mut(),
            cuts: &mut self.cuts,
            relay: &mut core.relay,
            ring: &self.ring,
            now: self.now,
        };
        call(&mut core.pipeline, &mut io)
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
            core,
            udp,
            stack,
            tun,
            own_packets,
            ring,
            now,
            ..
        } = self;
        let mut core = core.lock();
        let core = &mut *core;
        stack.poll(
            *now,
            &mut Out {
                pipeline: &mut core.pipeline,
                sent: Sent {
                    udp,
                    relay: &mut core.relay,
                    own_packets,
                    ring,
                },
                tun: tun.as_mut(),
                now: *now,
            },
        );
        for packet in own_packets.drain(..) {
            stack.handle_packet(*now, &packet);
        }
        while let Some(event) = stack.take_event() {
            match event {
                netstack::Event::AskedNoMore { from, to } => {
                    if !stack.has_udp_flow(from, to) {
                        core.pipeline.forget_asked(from, to);
                    }
                }
                other => records::push_stack_event(ring, other),
            }
        }
    }

    /// Sends what is gathered and tells what is to be told.
    fn finish(&mut self) {
        self.udp.flush();
        for (to, why) in self.udp.take_errors() {
            records::push_send_error(&self.ring, to, why);
        }
        self.core.lock().drain_relay(&self.ring);
        if let Some(tun) = &mut self.tun {
            tun.flush();
        }
    }

    pub fn set_private_key(&mut self, key: Option<Key>) {
        let now = self.now;
        self.with_pipeline(|pipeline, io| match key {
            Some(key) => pipeline.replace_private_key(now, key, io),
            None => pipeline.set_private_key(None),
        });
    }

    /// Puts new tables in force, the filter first: a new peer never meets the old rules. Flows of others that are no longer
    /// permitted end here, whatever the filter remembers of them.
    pub fn set_tables(&mut self, tables: Tables) {
        if let Some(own) = tables.own {
            self.stack.set_addresses(&own);
            if let Some(tun) = &mut self.tun {
                tun.set_own(own.clone());
            }
            self.core.lock().pipeline.set_own(own);
        }
        let now = self.now;
        if let Some(filter) = &tables.filter {
            self.set_offered(&filter.local);
        }
        let jailed = tables.upserts.iter().any(|peer| peer.jailed);
        let rejudge = tables.filter.is_some() || !tables.removes.is_empty() || jailed;
        let before = Moves::before(
            &self.core.lock().pipeline,
            &self.stack,
            &tables.upserts,
            &tables.removes,
        );
        self.with_pipeline(|pipeline, io| {
            if let Some(filter) = tables.filter {
                pipeline.set_filter(filter, io);
            }
            pipeline.set_peers(now, tables.upserts, &tables.removes, io);
        });
        let core = self.core.lock();
        if let Some(before) = before {
            self.moves
                .after(now, &core.pipeline, &mut self.stack, before);
        }
        if rejudge {
            self.stack.cut_flows(now, |flow| {
                flow.inbound && !core.pipeline.permits(flow.proto, flow.from, flow.to)
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
        self.with_pipeline(|pipeline, io| pipeline.set_engine_ports(ports, io));
    }

    pub fn set_path(&mut self, peer: &Key, path: Path) {
        let now = self.now;
        self.with_pipeline(|pipeline, io| pipeline.set_path(now, peer, path, io));
    }

    pub fn send_udp(&mut self, to: SocketAddr, datagram: &[u8]) {
        self.udp.push(to, datagram);
    }

    pub fn relay_frames(&mut self, region: u32, frames: BytesMut) {
        let now = self.now;
        self.with_pipeline(|pipeline, io| pipeline.handle_relay_frames(now, region, frames, io));
    }

    pub fn ping_tsmp(&mut self, id: u32, to: IpAddr) {
        let now = self.now;
        self.with_pipeline(|pipeline, io| pipeline.ping_tsmp(now, id, to, io));
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

    /// Makes the tunnel device and takes it into use; sessions, paths and flows stay as they are. One at most.
    pub fn open_tun(&mut self, wanted: &Wanted) -> io::Result<Opened> {
        if self.tun.is_some() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let own = self.core.lock().pipeline.own().to_vec();
        let parts = Parts {
            core: self.core.clone(),
            ring: Arc::clone(&self.ring),
            waker: Arc::clone(&self.waker),
            lent: self.udp.lent(),
        };
        let counters = Arc::clone(&self.tun_counters);
        let (side, opened) = TunSide::open(wanted, own, self.forwards_by_system, parts, counters)?;
        self.stack.set_beside_system(Some(SERVICES.to_vec()));
        self.tun = Some(side);
        Ok(opened)
    }

    /// Gives the device back to the system, which forgets it; idempotent.
    pub fn close_tun(&mut self) {
        if self.tun.take().is_none() {
            return;
        }
        self.stack
            .cut_flows(self.now, |flow| SERVICES.contains(&flow.to.ip()));
        self.core.lock().for_stack.clear();
        self.stack.set_beside_system(None);
    }

    /// Who passes on what peers send to other machines, while there is a device: the system, or the netstack.
    pub fn set_forwarding(&mut self, by_system: bool) {
        self.forwards_by_system = by_system;
        if let Some(tun) = &mut self.tun {
            tun.set_forwarding(by_system);
        }
    }

    /// Marks the sockets to the network, and all that replace them; none = no mark.
    pub fn set_mark(&mut self, mark: Option<u32>) -> io::Result<()> {
        self.udp.set_mark(mark)?;
        self.peer_relay.set_mark(mark)?;
        self.options.mark = mark;
        Ok(())
    }

    /// Every count by name.
    pub fn each_counter(&self, mut see: impl FnMut(&str, u64)) {
        let core = self.core.lock();
        core.pipeline.counters.each(&mut see);
        self.tun_counters.each(&mut see);
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
            ("relay_dropped", core.relay.dropped),
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
