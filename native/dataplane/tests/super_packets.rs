//! Super-packets of a tunnel device: what is merged is what is cut again, what lies is refused, and sums are right.

use std::net::IpAddr;

use bytes::BytesMut;
use dataplane::checksum::{folded, pseudo, sum};
use dataplane::ip;
use dataplane::merge::Merger;
use dataplane::split::Segments;
use dataplane::vnet::{self, Kind, VnetHeader};

const FIN: u8 = 1;
const SYN: u8 = 2;
const RST: u8 = 4;
const PSH: u8 = 8;
const ACK: u8 = 16;
const URG: u8 = 32;
const ECE: u8 = 64;
const CWR: u8 = 128;

/// Numbers that look random and are the same each time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % sides.max(1) as u64) as usize
    }
    fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.roll(256) as u8).collect()
    }
}

#[derive(Clone)]
struct Flow {
    v6: bool,
    udp: bool,
    tos: u8,
    ttl: u8,
    dont_fragment: bool,
    ident: u16,
    port: u16,
    sequence: u32,
    options: Vec<u8>,
    window: u16,
}

impl Flow {
    fn roll(dice: &mut Dice, port: u16) -> Flow {
        let options = 4 * dice.roll(4);
        Flow {
            v6: dice.roll(2) == 0,
            udp: dice.roll(4) == 0,
            tos: dice.roll(256) as u8,
            ttl: 1 + dice.roll(255) as u8,
            dont_fragment: dice.roll(2) == 0,
            ident: dice.roll(65_536) as u16,
            port,
            sequence: (dice.roll(1 << 31) as u32) << 1,
            options: dice.bytes(options),
            window: dice.roll(65_536) as u16,
        }
    }

    fn header_len(&self) -> usize {
        let ip = if self.v6 { 40 } else { 20 };
        ip + if self.udp { 8 } else { 20 + self.options.len() }
    }

    /// The next packet of the flow, with right sums.
    fn packet(&mut self, payload: &[u8], flags: u8) -> Vec<u8> {
        let mut out = if self.v6 {
            let tos = self.tos;
            let mut out = vec![0x60 | tos >> 4, tos << 4, 1, 2, 0, 0, 6, self.ttl];
            let ends = ["fd7a:115c:a1e0::1", "fd7a:115c:a1e0::2"];
            for end in ends {
                let IpAddr::V6(ip) = end.parse().unwrap() else {
                    unreachable!()
                };
                out.extend_from_slice(&ip.octets());
            }
            out
        } else {
            let mut out = vec![0x45, self.tos, 0, 0, 0, 0, 0, 0, self.ttl, 6, 0, 0];
            out[4..6].copy_from_slice(&self.ident.to_be_bytes());
            out[6] = if self.dont_fragment { 0x40 } else { 0 };
            out.extend_from_slice(&[100, 64, 0, 1, 100, 64, 0, 2]);
            out
        };
        let l4 = out.len();
        out.extend_from_slice(&self.port.to_be_bytes());
        out.extend_from_slice(&443u16.to_be_bytes());
        if self.udp {
            out[if self.v6 { 6 } else { 9 }] = 17;
            out.extend_from_slice(&((8 + payload.len()) as u16).to_be_bytes());
            out.extend_from_slice(&[0, 0]);
        } else {
            out.extend_from_slice(&self.sequence.to_be_bytes());
            out.extend_from_slice(&77u32.to_be_bytes());
            out.push(((20 + self.options.len()) as u8 / 4) << 4);
            out.push(flags);
            out.extend_from_slice(&self.window.to_be_bytes());
            out.extend_from_slice(&[0, 0, 0, 0]);
            out.extend_from_slice(&self.options);
        }
        out.extend_from_slice(payload);
        let total = out.len();
        if self.v6 {
            out[4..6].copy_from_slice(&((total - l4) as u16).to_be_bytes());
        } else {
            out[2..4].copy_from_slice(&(total as u16).to_be_bytes());
            let header_sum = !folded(sum(&out[..20]));
            out[10..12].copy_from_slice(&header_sum.to_be_bytes());
        }
        let at = l4 + if self.udp { 6 } else { 16 };
        let l4_sum = !folded(whole_sum(&out));
        let l4_sum = if self.udp && l4_sum == 0 {
            0xffff
        } else {
            l4_sum
        };
        out[at..at + 2].copy_from_slice(&l4_sum.to_be_bytes());
        self.ident = self.ident.wrapping_add(1);
        self.sequence = self.sequence.wrapping_add(payload.len() as u32);
        out
    }
}

/// Sum over pseudo-header and transport; 0xffff when it is right.
fn whole_sum(packet: &[u8]) -> u64 {
    let parsed = ip::parse(packet).unwrap();
    let l4 = &packet[parsed.l4..];
    pseudo(parsed.src, parsed.dst, parsed.proto, l4.len()) + sum(l4)
}

fn is_right(packet: &[u8]) -> bool {
    let v4 = packet[0] >> 4 == 4;
    folded(whole_sum(packet)) == 0xffff && (!v4 || folded(sum(&packet[..20])) == 0xffff)
}

fn merge(merger: &mut Merger, packets: &[Vec<u8>]) -> Vec<(Vec<u8>, usize)> {
    for packet in packets {
        merger.push(packet, &ip::parse(packet).unwrap());
    }
    let mut out = Vec::new();
    merger.take(|bytes, count| out.push((bytes.to_vec(), count)));
    assert!(merger.is_empty() && merger.bytes() == 0);
    out
}

fn split(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut bytes = bytes.to_vec();
    let (head, packet) = bytes.split_first_chunk_mut::<{ vnet::LEN }>().unwrap();
    let mut segments = Segments::new(&VnetHeader::read(head).unwrap(), packet).unwrap();
    let mut out = Vec::new();
    let (mut one, count) = (BytesMut::new(), segments.len());
    while segments.append_next(&mut one) {
        out.push(one.split().to_vec());
    }
    assert_eq!(out.len(), count);
    out
}

/// A packet without what differs by right: identification of packets that may not be split.
fn essence(packet: &[u8]) -> Vec<u8> {
    let mut out = packet.to_vec();
    if out[0] >> 4 == 4 && out[6] & 0x40 != 0 {
        out[4..6].fill(0);
        out[10..12].fill(0);
    }
    out
}

fn port_of(packet: &[u8]) -> u16 {
    ip::parse(packet).unwrap().src_port
}

#[test]
fn what_was_merged_comes_apart_as_it_was_whatever_the_flows() {
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let mut merger = Merger::new(true, true);
    let mut merged = 0;
    for _ in 0..400 {
        let count = 1 + dice.roll(6) as u16;
        let mut flows: Vec<Flow> = (0..count)
            .map(|n| Flow::roll(&mut dice, 1000 + n))
            .collect();
        let size = 1 + dice.roll(1200);
        let mut packets = Vec::new();
        for _ in 0..1 + dice.roll(120) {
            let flow = dice.roll(flows.len());
            let flow = &mut flows[flow];
            let len = match dice.roll(12) {
                0 => dice.roll(1200),
                1 => 0,
                _ => size,
            };
            let flags = match dice.roll(30) {
                0 => ACK | FIN,
                1 => SYN,
                2 => ACK | RST,
                3 => ACK | URG,
                4 => ACK | CWR,
                5 => ACK | ECE,
                6..9 => ACK | PSH,
                _ => ACK,
            };
            match dice.roll(40) {
                0 => flow.sequence = flow.sequence.wrapping_add(5),
                1 => flow.ident = flow.ident.wrapping_add(9),
                2 => flow.tos ^= 3,
                3 => flow.window ^= 1,
                _ => {}
            }
            let payload = dice.bytes(len);
            let mut packet = flow.packet(&payload, flags);
            if dice.roll(50) == 0 {
                let last = packet.len() - 1;
                packet[last] ^= 0x55;
            }
            packets.push(packet);
        }
        let out = merge(&mut merger, &packets);
        merged += packets.len() - out.len();
        assert_eq!(out.iter().map(|one| one.1).sum::<usize>(), packets.len());
        assert!(out.iter().all(|one| one.0.len() <= vnet::LEN + 65_535));
        let apart: Vec<Vec<u8>> = out.iter().flat_map(|(bytes, _)| split(bytes)).collect();
        for port in 1000..1000 + count {
            let of = |all: &[Vec<u8>]| -> Vec<Vec<u8>> {
                let mine = all.iter().filter(|packet| port_of(packet) == port);
                mine.map(|packet| essence(packet)).collect()
            };
            assert_eq!(of(&packets), of(&apart));
        }
    }
    assert!(
        merged > 5000,
        "the mix must have something to merge: {merged}"
    );
}

#[test]
fn a_wrong_sum_is_never_hidden_in_a_merged_packet() {
    for bad in 0..3 {
        let mut flow = Flow::roll(&mut Dice(7), 9);
        flow.udp = false;
        let mut packets: Vec<Vec<u8>> = (0..3).map(|n| flow.packet(&[n; 500], ACK)).collect();
        packets[bad][60] ^= 1;
        let out = merge(&mut Merger::new(true, true), &packets);
        let apart: Vec<Vec<u8>> = out.iter().flat_map(|(bytes, _)| split(bytes)).collect();
        assert_eq!(apart.len(), 3);
        for (n, packet) in apart.iter().enumerate() {
            assert_eq!(
                is_right(packet),
                n != bad,
                "packet {n} of a batch where {bad} is bad"
            );
        }
    }
}

#[test]
fn a_long_run_fills_packets_up_to_64_kib_and_a_device_without_udp_gets_datagrams_one_by_one() {
    let mut flow = Flow::roll(&mut Dice(3), 9);
    (flow.udp, flow.options) = (false, vec![1; 12]);
    let packets: Vec<Vec<u8>> = (0..200).map(|_| flow.packet(&[5; 1228], ACK)).collect();
    let out = merge(&mut Merger::new(true, true), &packets);
    assert!(out.len() <= 4, "{} packets", out.len());
    flow.udp = true;
    let packets: Vec<Vec<u8>> = (0..200).map(|_| flow.packet(&[5; 1200], 0)).collect();
    assert_eq!(merge(&mut Merger::new(true, false), &packets).len(), 200);
    let out = merge(&mut Merger::new(true, true), &packets);
    assert!(out.len() <= 5 && out.iter().all(|one| one.1 <= 64));
}

/// A super-packet as the kernel makes it: lengths of the whole, the sum that of the pseudo-header.
fn super_packet(flow: &mut Flow, payload: &[u8], flags: u8, segment: u16) -> (VnetHeader, Vec<u8>) {
    let header_len = flow.header_len();
    let mut packet = flow.packet(payload, flags);
    let l4 = if flow.v6 { 40 } else { 20 };
    let at = if flow.udp { 6 } else { 16 };
    packet[l4 + at..l4 + at + 2].fill(0);
    let header = VnetHeader {
        kind: Some(match (flow.udp, flow.v6) {
            (true, _) => Kind::Udp,
            (false, false) => Kind::Tcp4,
            (false, true) => Kind::Tcp6,
        }),
        needs_sum: true,
        header_len: header_len as u16,
        segment,
        sum_start: l4 as u16,
        sum_offset: at as u16,
    };
    (header, packet)
}

#[test]
fn segments_have_right_sums_lengths_numbers_and_flags_and_carry_every_byte() {
    let mut dice = Dice(99);
    for _ in 0..300 {
        let mut flow = Flow::roll(&mut dice, 9);
        let (first_sequence, first_ident) = (flow.sequence, flow.ident);
        let len = 1 + dice.roll(60_000);
        let payload = dice.bytes(len);
        let segment = 1 + dice.roll(1400).max(len / 900);
        let flags = ACK | PSH | FIN | CWR;
        let (header, mut packet) = super_packet(&mut flow, &payload, flags, segment as u16);
        let mut segments = Segments::new(&header, &mut packet).unwrap();
        let count = segments.len();
        assert_eq!(count, len.div_ceil(segment));
        let (mut carried, mut one, mut n) = (Vec::new(), BytesMut::new(), 0);
        while segments.append_next(&mut one) {
            let parsed = ip::parse(&one).unwrap();
            assert_eq!(parsed.total_len, one.len());
            assert!(is_right(&one));
            let body = &one[flow.header_len()..];
            if !flow.udp {
                let l4 = &one[parsed.l4..];
                let sequence = u32::from_be_bytes(l4[4..8].try_into().unwrap());
                assert_eq!(sequence, first_sequence.wrapping_add(carried.len() as u32));
                let last = n + 1 == count;
                let expected =
                    ACK | if last { PSH | FIN } else { 0 } | if n == 0 { CWR } else { 0 };
                assert_eq!(l4[13], expected);
            }
            if !flow.v6 {
                let ident = u16::from_be_bytes([one[4], one[5]]);
                assert_eq!(ident, first_ident.wrapping_add(n as u16));
            }
            carried.extend_from_slice(body);
            n += 1;
            one.clear();
        }
        assert!(carried == payload && n == count);
    }
}

#[test]
fn a_lone_packet_gets_the_sum_that_was_left_to_us() {
    let mut dice = Dice(5);
    for _ in 0..200 {
        let mut flow = Flow::roll(&mut dice, 9);
        let len = dice.roll(1200);
        let payload = dice.bytes(len);
        let right = flow.packet(&payload, ACK);
        let mut packet = right.clone();
        let parsed = ip::parse(&packet).unwrap();
        let at = parsed.l4 + if flow.udp { 6 } else { 16 };
        let partial = pseudo(
            parsed.src,
            parsed.dst,
            parsed.proto,
            packet.len() - parsed.l4,
        );
        packet[at..at + 2].copy_from_slice(&folded(partial).to_be_bytes());
        let header = VnetHeader {
            needs_sum: true,
            sum_start: parsed.l4 as u16,
            sum_offset: (at - parsed.l4) as u16,
            ..VnetHeader::default()
        };
        let mut segments = Segments::new(&header, &mut packet).unwrap();
        let mut out = BytesMut::new();
        assert!(segments.append_next(&mut out) && !segments.append_next(&mut BytesMut::new()));
        assert_eq!(out[..], right[..]);
    }
}

#[test]
fn headers_that_lie_are_refused_or_cut_within_the_packet_and_nothing_panics() {
    let mut dice = Dice(1234);
    let mut refused = 0;
    for _ in 0..20_000 {
        let mut flow = Flow::roll(&mut dice, 9);
        let len = dice.roll(300);
        let payload = dice.bytes(len);
        let (mut header, mut packet) = super_packet(&mut flow, &payload, ACK, 100);
        for _ in 0..1 + dice.roll(3) {
            let wild = [0, 1, 7, 19, 20, 40, 65_535, dice.roll(65_536)][dice.roll(8)] as u16;
            match dice.roll(8) {
                0 => header.segment = wild,
                1 => header.sum_start = wild,
                2 => header.sum_offset = wild,
                3 => header.kind = [None, Some(Kind::Tcp4), Some(Kind::Tcp6)][dice.roll(3)],
                4 => header.kind = Some(Kind::Udp),
                5 => packet.truncate(dice.roll(packet.len() + 1)),
                _ if packet.is_empty() => {}
                _ => {
                    let at = dice.roll(packet.len().min(64));
                    packet[at] = dice.roll(256) as u8;
                }
            }
        }
        let whole = packet.len();
        let Ok(mut segments) = Segments::new(&header, &mut packet) else {
            refused += 1;
            continue;
        };
        let (mut one, mut total) = (BytesMut::new(), 0);
        while segments.append_next(&mut one) {
            assert!(one.len() <= whole);
            total += 1;
            one.clear();
        }
        assert!(total <= whole.max(1));
    }
    assert!(refused > 5000, "{refused}");
}

#[test]
fn packets_of_any_kind_go_through_the_merger_as_they_are() {
    let mut dice = Dice(4321);
    let mut merger = Merger::new(true, true);
    for _ in 0..3000 {
        let mut packets = Vec::new();
        for _ in 0..1 + dice.roll(8) {
            let len = 20 + dice.roll(200);
            let mut packet = dice.bytes(len);
            packet[0] = [0x45, 0x46, 0x4f, 0x60][dice.roll(4)];
            if packet[0] == 0x60 && len >= 40 {
                packet[4..6].copy_from_slice(&((len - 40) as u16).to_be_bytes());
                packet[6] = [6, 17, 44, 58][dice.roll(4)];
            } else {
                packet[2..4].copy_from_slice(&(len as u16).to_be_bytes());
                packet[9] = [6, 17, 1, 99][dice.roll(4)];
            }
            if ip::parse(&packet).is_ok() {
                packets.push(packet);
            }
        }
        let out = merge(&mut merger, &packets);
        let apart: Vec<Vec<u8>> = out
            .iter()
            .map(|(bytes, _)| bytes[vnet::LEN..].to_vec())
            .collect();
        assert_eq!(apart, packets);
    }
}
