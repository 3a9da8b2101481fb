//! The netstack as its owner sees it: packets and edges in, packets and events out.

use crate::association::Association;
use crate::client::{Asker, Client};
use crate::counters::Counters;
use crate::echo::Echoes;
use crate::engine_datagram::Back;
use crate::flow::FlowKey;
use crate::flow_table::{EPHEMERAL_FIRST, FlowTable};
use crate::forward::Forward;
use crate::guard::{Lead, Offered};
use crate::guests::{Guest, Guests};
use crate::icmp::Ping;
use crate::inbound::InboundDial;
use crate::link::{Link, Queue};
use crate::listener::Listener;
use crate::packet::{self, ICMP, ICMPV6, Malformed, TCP, UDP};
use crate::race::{Purpose, Race};
use crate::reassembly::{Discarded, Reassembly};
use crate::relay::Relay;
use crate::timers::{Due, Timers};
use crate::tokens::{Source, Tokens};
use crate::types::{Config, Event, PacketOut};
use crate::udp::UdpTable;
use crate::udp_client::UdpClients;
use mio::Registry;
use slab::Slab;
use smoltcp::iface::{Config as IfaceConfig, Interface};
use smoltcp::time::Instant as SmolInstant;
use smoltcp::wire::HardwareAddress;
use std::collections::{HashMap, HashSet, VecDeque};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

/// Rounds over the dirty flows in one `poll`: a handshake that ends in one is spliced in the next.
const ROUNDS: usize = 2;

/// smoltcp counts microseconds from a beginning of its own.
pub(crate) struct Clock {
    base: Instant,
}

impl Clock {
    pub fn smol(&self, now: Instant) -> SmolInstant {
        let since = now.saturating_duration_since(self.base);
        SmolInstant::from_micros(since.as_micros() as i64)
    }
}

/// See the crate's head.
pub struct Netstack {
    pub(crate) config: Config,
    pub(crate) registry: Registry,
    pub(crate) tokens: Tokens,
    pub(crate) clock: Clock,
    pub(crate) iface: Interface,
    pub(crate) scratch: Vec<u8>,
    pub(crate) datagram: Vec<u8>,
    pub(crate) queue: Queue,
    pub(crate) addresses: Vec<IpAddr>,
    /// Addresses of the engine itself, for programs of this computer alone.
    pub(crate) services: Vec<IpAddr>,
    pub(crate) first_port: u16,
    pub(crate) engine_ports: HashSet<u16>,
    pub(crate) flows: FlowTable,
    pub(crate) timers: Timers,
    /// Which remote address stands behind a local source address, by IP protocol.
    pub(crate) owners: HashMap<(u8, SocketAddr), SocketAddr>,
    pub(crate) dials: Slab<InboundDial>,
    pub(crate) dial_by_key: HashMap<FlowKey, usize>,
    pub(crate) guests: Guests,
    pub(crate) offered: Option<Offered>,
    pub(crate) races: Slab<Race>,
    pub(crate) listeners: Slab<Listener>,
    pub(crate) pac: Option<String>,
    pub(crate) clients: Slab<Client>,
    pub(crate) relays: Slab<Box<Relay>>,
    pub(crate) associations: Slab<Association>,
    pub(crate) forwards: Slab<Forward>,
    pub(crate) udp_clients: UdpClients,
    pub(crate) engine_datagrams: HashMap<u64, Back>,
    /// Flows of questions of the engine, by the number of the question.
    pub(crate) exchanges: HashMap<u64, usize>,
    pub(crate) requests: HashMap<u64, Asker>,
    pub(crate) udp: UdpTable,
    pub(crate) reassembly: Reassembly,
    pub(crate) echoes: Echoes,
    pub(crate) pings: HashMap<u16, Ping>,
    pub(crate) ping_ident: u16,
    pub(crate) next_ping: u16,
    pub(crate) next_request: u64,
    pub(crate) next_inbound: u64,
    next_serial: u64,
    /// Sockets that had more to give when their turn was over.
    pub(crate) again: VecDeque<Source>,
    pub(crate) events: VecDeque<Event>,
    pub(crate) counters: Counters,
    random: u64,
}

impl Netstack {
    /// Uses poll tokens from `first_token` up. `seed` should differ at every start; it need not be secret.
    pub fn new(
        config: Config,
        registry: Registry,
        first_token: usize,
        seed: u64,
    ) -> io::Result<Netstack> {
        let mut scratch = vec![0; config.mtu];
        let mut iface_config = IfaceConfig::new(HardwareAddress::Ip);
        iface_config.random_seed = seed;
        let mut link = Link {
            rx: None,
            sink: &mut Queue::default(),
            scratch: &mut scratch,
            mtu: config.mtu,
            sent: 0,
        };
        let mut iface = Interface::new(iface_config, &mut link, SmolInstant::ZERO);
        // Which destinations are ours is decided before a packet gets to smoltcp.
        iface.set_any_ip(true);
        let mut stack = Netstack {
            config,
            registry,
            tokens: Tokens::new(first_token),
            clock: Clock {
                base: Instant::now(),
            },
            iface,
            scratch,
            datagram: Vec::new(),
            queue: Queue::default(),
            addresses: Vec::new(),
            services: Vec::new(),
            first_port: EPHEMERAL_FIRST,
            engine_ports: HashSet::new(),
            flows: FlowTable::default(),
            timers: Timers::default(),
            owners: HashMap::new(),
            dials: Slab::new(),
            dial_by_key: HashMap::new(),
            guests: Guests::default(),
            offered: None,
            races: Slab::new(),
            listeners: Slab::new(),
            pac: None,
            clients: Slab::new(),
            relays: Slab::new(),
            associations: Slab::new(),
            forwards: Slab::new(),
            udp_clients: UdpClients::default(),
            engine_datagrams: HashMap::new(),
            exchanges: HashMap::new(),
            requests: HashMap::new(),
            udp: UdpTable::default(),
            reassembly: Reassembly::default(),
            echoes: Echoes::default(),
            pings: HashMap::new(),
            ping_ident: 0,
            next_ping: 0,
            next_request: 0,
            next_inbound: 0,
            next_serial: 0,
            again: VecDeque::new(),
            events: VecDeque::new(),
            counters: Counters::default(),
            random: seed,
        };
        stack.ping_ident = stack.random() as u16;
        Ok(stack)
    }

    /// Ports, identifications: numbers that need to differ, not to be secret (splitmix64).
    pub(crate) fn random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Tells a thing from one that was in its slot before.
    pub(crate) fn new_serial(&mut self) -> u64 {
        self.next_serial += 1;
        self.next_serial
    }

    /// What HTTP proxies have as /proxy.pac from now on: at most 64 KiB, so that it fits a socket at once.
    pub fn set_pac(&mut self, pac: Option<String>) {
        self.pac = pac.filter(|text| text.len() <= 64 << 10);
    }

    /// TCP to these ports of own addresses goes up as `Event::Inbound`; the whole wanted set.
    pub fn set_engine_ports(&mut self, ports: &[u16]) {
        self.engine_ports = ports.iter().copied().collect();
    }

    /// Our source address towards `to`.
    pub(crate) fn own_address_for(&self, to: IpAddr) -> Option<IpAddr> {
        let same_family = |own: &&IpAddr| own.is_ipv4() == to.is_ipv4();
        self.addresses.iter().find(same_family).copied()
    }

    /// Takes one IP packet from the tunnel of a peer, known by any number of its own. Replies wait for `poll`.
    pub fn handle_packet_of(&mut self, now: Instant, peer: u32, packet: &[u8]) {
        self.take_packet(now, Some(Guest::Peer(peer)), packet);
    }

    /// The same without a peer: limits are by the source's address.
    pub fn handle_packet(&mut self, now: Instant, packet: &[u8]) {
        self.take_packet(now, None, packet);
    }

    fn take_packet(&mut self, now: Instant, guest: Option<Guest>, packet: &[u8]) {
        self.counters.packets_in += 1;
        let header = match packet::parse(packet) {
            Ok(header) => header,
            Err(Malformed::Checksum) => return self.counters.drop_checksum += 1,
            Err(_) => return self.counters.drop_malformed += 1,
        };
        let guest = guest.unwrap_or(Guest::Address(header.src));
        if let Some(fragment) = header.fragment {
            if self.lead(header.dst) == Lead::Nowhere {
                self.counters.drop_not_ours += 1;
                return;
            }
            let piece = &packet[header.payload.clone()];
            match self.reassembly.add(now, guest, &header, fragment, piece) {
                Ok(Some(whole)) => {
                    if let Ok(header) = packet::parse(&whole) {
                        self.dispatch(now, guest, &header, &whole);
                    }
                }
                Ok(None) => {}
                Err(Discarded) => self.counters.drop_fragment += 1,
            }
            return;
        }
        self.dispatch(now, guest, &header, &packet[..header.payload.end]);
    }

    fn dispatch(&mut self, now: Instant, guest: Guest, header: &packet::Header, packet: &[u8]) {
        match header.protocol {
            TCP => self.handle_tcp(now, guest, header, packet),
            UDP => self.handle_udp(now, guest, header, packet),
            ICMP if header.src.is_ipv4() => self.handle_icmp(now, guest, header, packet),
            ICMPV6 if header.src.is_ipv6() => self.handle_icmp(now, guest, header, packet),
            _ => self.counters.drop_protocol += 1,
        }
    }

    /// Takes an event of the poller; one whose token is not ours is ignored.
    pub fn handle_ready(&mut self, now: Instant, event: &mio::event::Event) {
        match self.tokens.find(event.token()) {
            Some(Source::Flow(slot)) => {
                if let Some(splice) = self.flows.slots.get_mut(slot).map(|f| &mut f.splice)
                    && let Some(splice) = splice
                {
                    splice.handle_ready(event);
                }
                self.flows.mark_dirty(slot);
            }
            Some(Source::Relay(slot, side)) => self.relay_ready(slot, side, event),
            Some(source) => self.source_ready(now, source),
            None => {}
        }
    }

    fn source_ready(&mut self, now: Instant, source: Source) {
        match source {
            Source::Listener(slot) => self.listener_ready(now, slot),
            Source::Client(slot) => self.client_ready(now, slot),
            Source::InboundDial(slot) => self.inbound_dial_ready(now, slot),
            Source::Race(slot) => self.race_stream_ready(now, slot),
            Source::Udp(slot) => self.udp_ready(now, slot),
            Source::AssociationControl(slot) => self.association_control_ready(slot),
            Source::AssociationSocket(slot) => self.association_ready(now, slot),
            Source::Relay(slot, _) => self.pump_relay(slot),
            Source::Forward(slot) => self.udp_forward_ready(now, slot),
            Source::UdpClient(slot) => self.udp_client_ready(now, slot),
            Source::Echo(v6) => self.echo_ready(v6),
            Source::Flow(slot) => self.flows.mark_dirty(slot),
            Source::Nobody => {}
        }
    }

    /// Runs what is due and sends everything that may be sent.
    pub fn poll(&mut self, now: Instant, out: &mut dyn PacketOut) {
        while let Some(due) = self.timers.take_due(now) {
            self.handle_due(now, due);
        }
        for _ in 0..self.again.len() {
            if let Some(source) = self.again.pop_front() {
                self.source_ready(now, source);
            }
        }
        let mut sent = self.queue.flush(out);
        self.begin_turns();
        for _ in 0..ROUNDS {
            sent += self.pump_flows(now, out);
            sent += self.queue.flush(out);
        }
        self.counters.polls += 1;
        self.counters.packets_out += sent as u64;
        self.counters.max_burst = self.counters.max_burst.max(sent as u64);
    }

    fn handle_due(&mut self, now: Instant, due: Due) {
        match due {
            Due::Flow(slot) => self.flow_due(now, slot),
            Due::InboundDial(slot) => self.inbound_dial_due(now, slot),
            Due::Race(slot) => self.advance_race(now, slot),
            Due::Client(slot) => self.client_due(now, slot),
            Due::Request(id) => self.request_due(now, id),
            Due::Listener(slot) => self.listener_ready(now, slot),
            Due::Udp(slot) => self.udp_due(now, slot),
            Due::UdpClient(slot) => self.udp_client_due(now, slot),
            Due::EngineDatagram(id) => drop(self.engine_datagrams.remove(&id)),
            Due::Exchange(id) => self.end_exchange(id, None),
            Due::Ping(seq) => self.ping_due(now, seq),
            Due::Echo(number) => self.echo_due(now, number),
        }
    }

    /// How long the owner may wait before the next `poll`; `None` means until something happens.
    pub fn next_timeout(&self, now: Instant) -> Option<Duration> {
        if !self.flows.dirty.is_empty() || !self.queue.is_empty() || !self.again.is_empty() {
            return Some(Duration::ZERO);
        }
        self.timers.next(now)
    }

    /// Connects to `to` through the tunnel; ends with `Event::DialDone`.
    pub fn dial(&mut self, now: Instant, id: u64, to: SocketAddr, timeout: Duration) {
        let race = self.start_race(now, Purpose::Dial(id), [to], false, timeout);
        self.advance_race(now, race);
    }

    /// The tunnel address behind a source address on the loopback interface, for an inbound flow.
    pub fn flow_owner(&self, proto: u8, local: SocketAddr) -> Option<SocketAddr> {
        self.owners.get(&(proto, local)).copied()
    }

    pub fn take_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    pub fn counters(&self) -> &Counters {
        &self.counters
    }
}
