//! The pipeline with and without many rules and many peers, in memory, on one core; the packets of pipe.rs and the same way
//! through it, but for what the filter has to know.
//!
//!   filter rules N         one sample, N rules at the receiver       {"gbps", "new_flow_ns", "apply_ms", "cut_ms"}
//!   filter peers N         one sample, N peers and a rule for each   the same
//!
//! `new_flow_ns`: judging a SYN that no flow is known of, half of them refused. `apply_ms`: taking a table of so many rules
//! with 4000 open flows. `cut_ms`: taking one that closes all of those.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use dataplane::event::{Event, Sink};
use dataplane::filter::{Dst, Filter, Match, Rules, Sender, Table};
use dataplane::ip;
use dataplane::ip::Parsed;
use dataplane::peers::{Path, PeerSpec};
use dataplane::pipeline::{Config, Pipeline, Via};
use dataplane::prefix::{IpSet, Prefix};
use dataplane::tunnel::{Identity, Key};

const PACKET: usize = 1280;
const BATCH: usize = 44;
const SAMPLE: Duration = Duration::from_millis(1500);
const FLOWS: u16 = 64;
const OPEN_FLOWS: u32 = 4000;

#[derive(Default)]
struct Wire {
    run: BytesMut,
    lengths: Vec<usize>,
    delivered: u64,
}

impl Sink for Wire {
    #[inline]
    fn udp(&mut self, _to: SocketAddr, datagram: &[u8]) {
        self.run.extend_from_slice(datagram);
        self.lengths.push(datagram.len());
    }
    fn geneve(&mut self, _to: SocketAddr, _header: [u8; 8], _datagram: &[u8]) {}
    fn relay(&mut self, _region: u32, _to: &Key, _packet: &[u8]) -> bool {
        false
    }
    #[inline]
    fn deliver(&mut self, _peer: Option<u32>, packet: &[u8], _parsed: &Parsed) {
        self.delivered += packet.len() as u64;
    }
    fn unclaimed(&mut self, _from: SocketAddr, _datagram: &[u8]) {}
    fn cut(&mut self, _proto: u8, _from: SocketAddr, _to: SocketAddr) {}
    fn refused(&mut self, _proto: u8, _from: SocketAddr, _to: SocketAddr) {}
    fn event(&mut self, _event: Event) {}
}

struct Side {
    pipeline: Pipeline,
    key: Key,
    ip: IpAddr,
    addr: SocketAddr,
    wire: Wire,
}

fn node_ip(number: u32) -> IpAddr {
    Ipv4Addr::from(0x6440_0001 + number).into()
}

fn side(number: u32, now: Instant) -> Side {
    let mut secret = [number as u8 + 1; 32];
    secret[31] = 64;
    let mut pipeline = Pipeline::new(Config::default(), now);
    pipeline.set_private_key(Some(secret));
    let ip = node_ip(number);
    pipeline.set_own(vec![ip]);
    Side {
        pipeline,
        key: *Identity::new(secret).public(),
        ip,
        addr: SocketAddr::new(ip, 41641),
        wire: Wire::default(),
    }
}

fn spec(key: Key, ip: IpAddr) -> PeerSpec {
    let host = vec![Prefix::host(ip)];
    PeerSpec {
        key,
        jailed: false,
        bare: false,
        sources: host.clone(),
        routes: host,
    }
}

/// A rule that lets one node reach one port of ours, as a server makes them of a person's grants.
fn rule(own: IpAddr, node: u32, port: u16) -> Match {
    let dst = Dst {
        prefix: Prefix::host(own),
        first: port,
        last: port,
    };
    Match::new(&[6, 17], [Prefix::host(node_ip(node))], vec![dst])
}

/// `count` rules, each about another node or port; the sender's own comes last.
fn table(own: IpAddr, count: u32, ports: &[u16]) -> Table {
    let others =
        (0..count.saturating_sub(1)).map(|n| rule(own, 100 + n % 3000, 1000 + (n / 3000) as u16));
    let ours = ports.iter().map(|port| rule(own, 0, *port));
    Table {
        rules: Rules::new(others.chain(ours).collect()),
        local: IpSet::new([Prefix::host(own)]),
        shields_up: false,
    }
}

fn packet(
    src: IpAddr,
    dst: IpAddr,
    ports: (u16, u16),
    proto: u8,
    flags: u8,
    len: usize,
) -> Vec<u8> {
    let mut out = Vec::new();
    assert!(ip::push_header(&mut out, proto, src, dst, len - 20));
    out.resize(len, 0x5a);
    out[20..22].copy_from_slice(&ports.0.to_be_bytes());
    out[22..24].copy_from_slice(&ports.1.to_be_bytes());
    out[32] = 5 << 4;
    out[33] = flags;
    out
}

fn carry(now: Instant, from: &mut Side, to: &mut Side) -> bool {
    let lengths = std::mem::take(&mut from.wire.lengths);
    let mut run = from.wire.run.split();
    for length in &lengths {
        let datagram = run.split_to(*length);
        let via = Via::Direct(from.addr);
        to.pipeline
            .handle_datagram(now, via, datagram, &mut to.wire);
    }
    let moved = !lengths.is_empty();
    from.wire.lengths = lengths;
    from.wire.lengths.clear();
    drop(run);
    from.wire.run.reserve(BATCH * (PACKET + 64));
    moved
}

/// Time that this program has had on a processor, so that others on the machine count for little; else time passed.
fn worked(since: Instant) -> Duration {
    let text = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    let ns = text.split(' ').next().and_then(|word| word.parse().ok());
    ns.map_or_else(|| since.elapsed(), Duration::from_nanos)
}

/// Gb/s from one node to another over 64 flows, half TCP and half UDP, one new flow a batch.
fn goodput(rules: u32, peers: u32) -> f64 {
    let start = Instant::now();
    let (mut a, mut b) = (side(0, start), side(1, start));
    let mut all = vec![spec(a.key, a.ip)];
    all.extend((1..peers).map(|number| {
        let mut key = [9u8; 32];
        key[..4].copy_from_slice(&number.to_be_bytes());
        spec(key, node_ip(100 + number))
    }));
    b.pipeline.set_peers(start, all, &[], &mut b.wire);
    b.pipeline
        .set_filter(table(b.ip, rules, &[80]), &mut b.wire);
    b.pipeline
        .set_path(start, &a.key, Path::direct(a.addr), &mut b.wire);
    a.pipeline
        .set_peers(start, vec![spec(b.key, b.ip)], &[], &mut a.wire);
    a.pipeline
        .set_path(start, &b.key, Path::direct(b.addr), &mut a.wire);
    let flows: Vec<Vec<u8>> = (0..FLOWS)
        .map(|n| match n % 2 {
            0 => packet(a.ip, b.ip, (20_000 + n, 80), ip::TCP, ip::ACK, PACKET),
            _ => packet(a.ip, b.ip, (20_000 + n, 80), ip::UDP, 0, PACKET),
        })
        .collect();
    a.pipeline.send_packet(start, &flows[1], &mut a.wire);
    while carry(start, &mut a, &mut b) | carry(start, &mut b, &mut a) {}
    assert_eq!(b.wire.delivered, PACKET as u64, "no session");
    b.wire.delivered = 0;
    let start = Instant::now();
    let (mut now, mut turn) = (start, 0usize);
    let before = worked(start);
    while now - start < SAMPLE {
        for _ in 0..16 {
            let fresh = packet(a.ip, b.ip, (turn as u16, 80), ip::TCP, ip::SYN, 60);
            a.pipeline.send_packet(now, &fresh, &mut a.wire);
            for n in 0..BATCH {
                let flow = &flows[(turn + n) % flows.len()];
                a.pipeline.send_packet(now, flow, &mut a.wire);
            }
            turn += BATCH + 1;
            carry(now, &mut a, &mut b);
        }
        now = Instant::now();
    }
    b.wire.delivered as f64 * 8.0 / (worked(start) - before).as_secs_f64() / 1e9
}

/// Nanoseconds to judge the first packet of a flow; every second one is to a port that is shut.
fn new_flow_ns(rules: u32) -> f64 {
    let (src, dst) = (node_ip(0), node_ip(1));
    let mut filter = Filter::default();
    filter.set_table(table(dst, rules, &[80]), |_| false);
    let from = Sender {
        jailed: false,
        carries: &|_| true,
    };
    let syns: Vec<Vec<u8>> = (0..20_000u32)
        .map(|n| {
            packet(
                src,
                dst,
                (n as u16, if n % 2 == 0 { 80 } else { 81 }),
                ip::TCP,
                ip::SYN,
                60,
            )
        })
        .collect();
    let start = Instant::now();
    let before = worked(start);
    for syn in &syns {
        let parsed = ip::parse(syn).unwrap();
        std::hint::black_box(filter.check_in(&parsed, syn, from, 0));
    }
    (worked(start) - before).as_nanos() as f64 / syns.len() as f64
}

/// Milliseconds to take a new table with 4000 flows open: one that keeps them, and one that closes them all.
fn apply_ms(rules: u32) -> (f64, f64) {
    let (src, dst) = (node_ip(0), node_ip(1));
    let mut filter = Filter::default();
    filter.set_table(table(dst, rules, &[80]), |_| false);
    let from = Sender {
        jailed: false,
        carries: &|_| true,
    };
    for n in 0..OPEN_FLOWS {
        let syn = packet(src, dst, (n as u16, 80), ip::TCP, ip::SYN, 60);
        filter.check_in(&ip::parse(&syn).unwrap(), &syn, from, 0);
    }
    let timed = |filter: &mut Filter, ports: &[u16], cut: usize| {
        let start = Instant::now();
        let table = table(dst, rules, ports);
        assert_eq!(filter.set_table(table, |_| false).len(), cut);
        start.elapsed().as_secs_f64() * 1e3
    };
    let kept = timed(&mut filter, &[80, 81], 0);
    (kept, timed(&mut filter, &[81], OPEN_FLOWS as usize))
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let number = |text: &str| text.parse().expect("a number");
    let (rules, peers) = match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["rules", n] => (number(n), 1),
        ["peers", n] => (number(n), number(n)),
        _ => panic!("filter rules N | filter peers N"),
    };
    let gbps = goodput(rules, peers);
    let (apply, cut) = apply_ms(rules);
    println!(
        "{{\"gbps\":{gbps:.3},\"new_flow_ns\":{:.0},\"apply_ms\":{apply:.2},\"cut_ms\":{cut:.2}}}",
        new_flow_ns(rules)
    );
}
