//! Two or more pipelines in memory, joined by queues that a test may read, change and lose.
#![allow(dead_code)]

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use bytes::BytesMut;
use dataplane::derp::{RECV_PACKET, RelayQueue};
use dataplane::event::{Event, Sink};
use dataplane::filter::{Dst, Match, Rules, Table};
use dataplane::ip;
use dataplane::ip::Parsed;
use dataplane::peers::{Path, PeerSpec};
use dataplane::pipeline::{Config, Pipeline, Via};
use dataplane::prefix::{IpSet, Prefix};
use dataplane::tunnel::{Identity, Key};

/// A small generator, so that tests need no crate and a seed replays.
pub struct Rng(pub u64);

impl Rng {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
    pub fn below(&mut self, limit: u64) -> u64 {
        (self.next() >> 11) % limit
    }
    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next() as u8).collect()
    }
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len() as u64) as usize]
    }
}

/// What a pipeline put out.
#[derive(Default)]
pub struct Out {
    pub udp: Vec<(SocketAddr, Vec<u8>)>,
    pub relay: RelayQueue,
    pub delivered: Vec<Vec<u8>>,
    pub unclaimed: Vec<Vec<u8>>,
    pub cut: Vec<(u8, SocketAddr, SocketAddr)>,
    pub refused: Vec<(u8, SocketAddr, SocketAddr)>,
    pub events: Vec<Event>,
}

impl Sink for Out {
    fn udp(&mut self, to: SocketAddr, datagram: &[u8]) {
        self.udp.push((to, datagram.to_vec()));
    }
    fn geneve(&mut self, to: SocketAddr, header: [u8; 8], datagram: &[u8]) {
        self.udp.push((to, [&header[..], datagram].concat()));
    }
    fn relay(&mut self, region: u32, to: &Key, packet: &[u8]) -> bool {
        self.relay.push(region, to, packet)
    }
    fn deliver(&mut self, _peer: Option<u32>, packet: &[u8], _parsed: &Parsed) {
        self.delivered.push(packet.to_vec());
    }
    fn unclaimed(&mut self, _from: SocketAddr, datagram: &[u8]) {
        self.unclaimed.push(datagram.to_vec());
    }
    fn cut(&mut self, proto: u8, from: SocketAddr, to: SocketAddr) {
        self.cut.push((proto, from, to));
    }
    fn refused(&mut self, proto: u8, from: SocketAddr, to: SocketAddr) {
        self.refused.push((proto, from, to));
    }
    fn event(&mut self, event: Event) {
        self.events.push(event);
    }
}

pub struct Node {
    pub key: Key,
    pub ip: IpAddr,
    pub ip6: IpAddr,
    pub addr: SocketAddr,
    pub pipeline: Pipeline,
    pub out: Out,
}

pub fn host(ip: IpAddr) -> Prefix {
    Prefix::host(ip)
}

pub fn any4() -> Prefix {
    Prefix::new("0.0.0.0".parse().unwrap(), 0).unwrap()
}

pub fn any6() -> Prefix {
    Prefix::new("::".parse().unwrap(), 0).unwrap()
}

/// A table that lets everybody reach these ports of every protocol with ports.
pub fn open_ports(local: &[IpAddr], ports: &[u16]) -> Table {
    let dsts = ports
        .iter()
        .flat_map(|port| {
            [any4(), any6()].map(|prefix| Dst {
                prefix,
                first: *port,
                last: *port,
            })
        })
        .collect();
    Table {
        rules: Rules::new(vec![Match::new(&[6, 17], [any4(), any6()], dsts)]),
        local: IpSet::new(local.iter().copied().map(host)),
        shields_up: false,
    }
}

/// The private key of a node.
pub fn secret(index: u8) -> Key {
    let mut secret = [index; 32];
    secret[0] &= 248;
    secret[31] = secret[31] & 127 | 64;
    secret
}

impl Node {
    pub fn new(index: u8, now: Instant) -> Node {
        let secret = secret(index);
        let mut pipeline = Pipeline::new(
            Config {
                mtu: 1280,
                seed: u64::from(index),
            },
            now,
        );
        pipeline.set_private_key(Some(secret));
        let ip: IpAddr = format!("100.64.0.{index}").parse().unwrap();
        let ip6: IpAddr = format!("fd7a:115c:a1e0::{index:x}").parse().unwrap();
        pipeline.set_own(vec![ip, ip6]);
        let addr = format!("192.0.2.{index}:41641").parse().unwrap();
        Node {
            key: *Identity::new(secret).public(),
            ip,
            ip6,
            addr,
            pipeline,
            out: Out::default(),
        }
    }

    pub fn spec(&self) -> PeerSpec {
        let hosts = vec![host(self.ip), host(self.ip6)];
        PeerSpec {
            key: self.key,
            jailed: false,
            bare: false,
            sources: hosts.clone(),
            routes: hosts,
        }
    }

    pub fn add_peer(&mut self, now: Instant, spec: PeerSpec, path: Path) {
        let key = spec.key;
        self.pipeline.set_peers(now, vec![spec], &[], &mut self.out);
        self.pipeline.set_path(now, &key, path, &mut self.out);
    }

    pub fn open(&mut self, ports: &[u16]) {
        let table = open_ports(&[self.ip, self.ip6], ports);
        self.pipeline.set_filter(table, &mut self.out);
    }

    pub fn send(&mut self, now: Instant, packet: &[u8]) {
        self.pipeline.send_packet(now, packet, &mut self.out);
    }

    pub fn receive(&mut self, now: Instant, via: Via, datagram: &[u8]) {
        self.pipeline
            .handle_datagram(now, via, BytesMut::from(datagram), &mut self.out);
    }
}

/// Two nodes that know each other, on direct paths, with port 80 open both ways.
pub fn pair(now: Instant) -> (Node, Node) {
    let (mut a, mut b) = (Node::new(1, now), Node::new(2, now));
    a.add_peer(now, b.spec(), Path::direct(b.addr));
    b.add_peer(now, a.spec(), Path::direct(a.addr));
    a.open(&[80]);
    b.open(&[80]);
    (a, b)
}

/// Carries everything between two nodes until both are quiet.
pub fn settle(now: Instant, a: &mut Node, b: &mut Node) {
    for _ in 0..50 {
        let moved = carry(now, a, b) + carry(now, b, a);
        if moved == 0 {
            return;
        }
    }
    panic!("the nodes never fall silent");
}

/// Carries what `from` put out to `to`; how many datagrams.
pub fn carry(now: Instant, from: &mut Node, to: &mut Node) -> usize {
    let datagrams = std::mem::take(&mut from.out.udp);
    let mut moved = datagrams.len();
    for (dst, datagram) in datagrams {
        assert_eq!(dst, to.addr);
        to.receive(now, Via::Direct(from.addr), &datagram);
    }
    let mut runs = Vec::new();
    from.out.relay.drain(|region, frames| {
        runs.push((region, frames.to_vec()));
        frames.len()
    });
    for (region, frames) in runs {
        let mut run = BytesMut::from(&frames[..]);
        let mut at = 0;
        while at < run.len() {
            let length = u32::from_be_bytes(run[at + 1..at + 5].try_into().unwrap()) as usize;
            assert_eq!(run[at + 5..at + 37], to.key);
            run[at] = RECV_PACKET;
            run[at + 5..at + 37].copy_from_slice(&from.key);
            at += 5 + length;
            moved += 1;
        }
        to.pipeline
            .handle_relay_frames(now, region, run, &mut to.out);
    }
    moved
}

/// A UDP packet of `len` payload bytes, checksum zero.
pub fn udp(src: IpAddr, dst: IpAddr, ports: (u16, u16), len: usize) -> Vec<u8> {
    let mut out = Vec::new();
    assert!(ip::push_header(&mut out, ip::UDP, src, dst, 8 + len));
    out.extend_from_slice(&ports.0.to_be_bytes());
    out.extend_from_slice(&ports.1.to_be_bytes());
    out.extend_from_slice(&((8 + len) as u16).to_be_bytes());
    out.extend_from_slice(&[0, 0]);
    out.extend((0..len).map(|n| n as u8));
    out
}

/// A TCP segment without options.
pub fn tcp(src: IpAddr, dst: IpAddr, ports: (u16, u16), flags: u8, len: usize) -> Vec<u8> {
    let mut out = Vec::new();
    assert!(ip::push_header(&mut out, ip::TCP, src, dst, 20 + len));
    let start = out.len();
    out.extend_from_slice(&ports.0.to_be_bytes());
    out.extend_from_slice(&ports.1.to_be_bytes());
    out.resize(start + 20, 0);
    out[start + 12] = 5 << 4;
    out[start + 13] = flags;
    out.extend((0..len).map(|n| n as u8));
    out
}
