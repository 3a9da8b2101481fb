//! The pipeline alone, in memory, on one core: seal, path, open, source check, filter; beside bare seal and open of the cipher.
//!
//!   pipe                 five interleaved rounds each of bare, 1 and 1,000 peers; one JSON row a line
//!   pipe pipe N          one sample with N peers: {"gbps": …}
//!   pipe bare            one sample of the cipher alone
//!
//! Goodput counts inner packets of 1280 B, there only (no acknowledgements). With 1,000 peers the traffic goes round over 16
//! of them and the tables hold all.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use dataplane::event::{Event, Sink};
use dataplane::filter::{Dst, Match, Rules, Table};
use dataplane::ip;
use dataplane::ip::Parsed;
use dataplane::peers::{Path, PeerSpec};
use dataplane::pipeline::{Config, Pipeline, Via};
use dataplane::prefix::{IpSet, Prefix};
use dataplane::tunnel::{Identity, Key};

const PACKET: usize = 1280;
const BATCH: usize = 44;
const SAMPLE: Duration = Duration::from_millis(1500);
const BUSY_PEERS: usize = 16;

/// Gathers datagrams as the batched socket does: one run of bytes, cut at equal sizes.
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
    fn geneve(&mut self, to: SocketAddr, header: [u8; 8], datagram: &[u8]) {
        self.udp(to, &[&header[..], datagram].concat());
    }
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

fn side(number: u32, now: Instant) -> Side {
    let mut secret = [0u8; 32];
    secret[..4].copy_from_slice(&(number + 1).to_be_bytes());
    secret[31] = 64;
    let mut pipeline = Pipeline::new(Config::default(), now);
    pipeline.set_private_key(Some(secret));
    let v4 = Ipv4Addr::from(0x6440_0001 + number);
    pipeline.set_own(vec![v4.into()]);
    let key = *Identity::new(secret).public();
    Side {
        pipeline,
        key,
        ip: v4.into(),
        addr: SocketAddr::new(v4.into(), 41641),
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

fn table(own: IpAddr) -> Table {
    let any = Prefix::new(Ipv4Addr::UNSPECIFIED.into(), 0).unwrap();
    let dsts = vec![Dst {
        prefix: any,
        first: 0,
        last: u16::MAX,
    }];
    Table {
        rules: Rules::new(vec![Match::new(&[6, 17], [any], dsts)]),
        local: IpSet::new([Prefix::host(own)]),
        shields_up: false,
    }
}

fn packet(src: IpAddr, dst: IpAddr) -> Vec<u8> {
    let mut out = Vec::new();
    assert!(ip::push_header(&mut out, ip::TCP, src, dst, PACKET - 20));
    out.resize(PACKET, 0x5a);
    out[20..24].copy_from_slice(&[0x30, 0x39, 0, 80]);
    out[32] = 5 << 4;
    out[33] = ip::ACK;
    out
}

/// Hands everything on the wire of `from` to `to`, as the receive path does: pieces of one buffer, nothing copied.
fn carry(now: Instant, from: &mut Side, to: &mut Side) -> bool {
    let lengths = std::mem::take(&mut from.wire.lengths);
    let mut run = from.wire.run.split();
    for length in &lengths {
        let datagram = run.split_to(*length);
        to.pipeline
            .handle_datagram(now, Via::Direct(from.addr), datagram, &mut to.wire);
    }
    let moved = !lengths.is_empty();
    from.wire.lengths = lengths;
    from.wire.lengths.clear();
    drop(run);
    from.wire.run.reserve(BATCH * (PACKET + 64));
    moved
}

/// Gb/s of inner packets through one sender with `peers` peers and the receivers of its traffic.
fn pipe(peers: usize) -> f64 {
    let start = Instant::now();
    let mut hub = side(0, start);
    let mut specs = Vec::new();
    let mut ends: Vec<Side> = (1..=peers.min(BUSY_PEERS) as u32)
        .map(|number| side(number, start))
        .collect();
    for end in &ends {
        specs.push(spec(end.key, end.ip));
    }
    for number in ends.len() as u32 + 1..=peers as u32 {
        let mut key = [7u8; 32];
        key[..4].copy_from_slice(&number.to_be_bytes());
        specs.push(spec(key, Ipv4Addr::from(0x6440_0001 + number).into()));
    }
    let hub_table = table(hub.ip);
    hub.pipeline.set_filter(hub_table, &mut hub.wire);
    hub.pipeline.set_peers(start, specs, &[], &mut hub.wire);
    for end in &mut ends {
        // Each receiver knows as many peers as the sender.
        let mut others = vec![spec(hub.key, hub.ip)];
        others.extend((1..peers as u32).map(|number| {
            let mut key = [9u8; 32];
            key[..4].copy_from_slice(&number.to_be_bytes());
            spec(key, Ipv4Addr::from(0x6450_0001 + number).into())
        }));
        end.pipeline.set_peers(start, others, &[], &mut end.wire);
        end.pipeline.set_filter(table(end.ip), &mut end.wire);
        end.pipeline
            .set_path(start, &hub.key, Path::direct(hub.addr), &mut end.wire);
        hub.pipeline
            .set_path(start, &end.key, Path::direct(end.addr), &mut hub.wire);
    }
    let packets: Vec<Vec<u8>> = ends.iter().map(|end| packet(hub.ip, end.ip)).collect();
    for (end, packet) in ends.iter_mut().zip(&packets) {
        hub.pipeline.send_packet(start, packet, &mut hub.wire);
        while carry(start, &mut hub, end) | carry(start, end, &mut hub) {}
        assert_eq!(end.wire.delivered, PACKET as u64, "no session");
        end.wire.delivered = 0;
    }
    let start = Instant::now();
    let mut now = start;
    while now - start < SAMPLE {
        for (end, packet) in ends.iter_mut().zip(&packets) {
            for _ in 0..BATCH {
                hub.pipeline.send_packet(now, packet, &mut hub.wire);
            }
            carry(now, &mut hub, end);
        }
        now = Instant::now();
    }
    let bytes: u64 = ends.iter().map(|end| end.wire.delivered).sum();
    bytes as f64 * 8.0 / (now - start).as_secs_f64() / 1e9
}

/// Gb/s of bare seal and open of the same packets with the cipher on one core.
fn bare() -> f64 {
    use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
    let key = LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, &[3; 32]).unwrap());
    let mut buffer = vec![0x5au8; PACKET];
    let start = Instant::now();
    let (mut bytes, mut counter) = (0u64, 0u64);
    while start.elapsed() < SAMPLE {
        for _ in 0..BATCH {
            let mut nonce = [0u8; 12];
            nonce[4..].copy_from_slice(&counter.to_le_bytes());
            counter += 1;
            let tag = key.seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::empty(),
                &mut buffer,
            );
            buffer.extend_from_slice(tag.unwrap().as_ref());
            let len = key
                .open_in_place(
                    Nonce::assume_unique_for_key(nonce),
                    Aad::empty(),
                    &mut buffer,
                )
                .unwrap()
                .len();
            buffer.truncate(len);
            bytes += len as u64;
        }
    }
    bytes as f64 * 8.0 / start.elapsed().as_secs_f64() / 1e9
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["bare"] => println!("{{\"gbps\":{:.3}}}", bare()),
        ["pipe", peers] => println!(
            "{{\"gbps\":{:.3}}}",
            pipe(peers.parse().expect("a number of peers"))
        ),
        _ => {
            for peers in [1, 1000] {
                let rounds: Vec<(f64, f64)> = (0..5).map(|_| (pipe(peers), bare())).collect();
                let ours = median(rounds.iter().map(|round| round.0).collect());
                let peer = median(rounds.iter().map(|round| round.1).collect());
                let ratios = || rounds.iter().map(|round| round.0 / round.1);
                let worst = ratios().fold(f64::INFINITY, f64::min);
                println!(
                    "{{\"name\":\"pipe-{peers}\",\"better\":\"higher\",\"ours\":{ours:.3},\"peer\":{peer:.3},\"unit\":\"Gb/s\",\"ratio\":{:.3},\"runs\":{},\"worst_ratio\":{worst:.3}}}",
                    median(ratios().collect()),
                    rounds.len()
                );
            }
        }
    }
}
