//! The filter's memory: of flows that came in and of what we sent, over changes of its table. See oracle.rs for the rules.

mod support;

use std::net::IpAddr;

use dataplane::filter::{Filter, Reason, Sender, Table, Verdict};
use dataplane::ip::{self, Parsed};

fn packet(proto: u8, src: &str, dst: &str, ports: (u16, u16), tcp_flags: u8) -> Parsed {
    Parsed {
        proto,
        src: src.parse().unwrap(),
        dst: dst.parse().unwrap(),
        src_port: ports.0,
        dst_port: ports.1,
        tcp_flags,
        total_len: 60,
        l4: 20,
        more: false,
    }
}

fn from(jailed: bool) -> Sender<'static> {
    let carries = &|_| true;
    Sender { jailed, carries }
}

const ME: &str = "100.64.0.1";
const PEER: &str = "100.64.0.2";

fn open(ports: &[u16]) -> Table {
    support::open_ports(&[ME.parse().unwrap()], ports)
}

fn never(_: IpAddr) -> bool {
    false
}

#[test]
fn a_table_that_closes_a_port_cuts_the_flows_that_it_had_let_in() {
    let mut filter = Filter::default();
    filter.set_table(open(&[80, 81]), never);
    let syn = packet(6, PEER, ME, (4000, 80), ip::SYN);
    let data = packet(6, PEER, ME, (4000, 80), ip::ACK);
    let other = packet(6, PEER, ME, (4000, 81), ip::SYN);
    assert_eq!(
        filter.check_in(&syn, &[0; 60], from(false), 0),
        Verdict::Accept
    );
    assert_eq!(
        filter.check_in(&other, &[0; 60], from(false), 0),
        Verdict::Accept
    );
    let cut = filter.set_table(open(&[81]), never);
    assert_eq!(cut.len(), 1);
    assert_eq!((cut[0].src_port, cut[0].dst_port), (4000, 80));
    assert_eq!(
        filter.check_in(&data, &[0; 60], from(false), 0),
        Verdict::Drop(Reason::Cut)
    );
    let kept = packet(6, PEER, ME, (4000, 81), ip::ACK);
    assert_eq!(
        filter.check_in(&kept, &[0; 60], from(false), 0),
        Verdict::Accept
    );
    // Answers to our own flows were never judged by rules and go on.
    let ours = packet(6, PEER, ME, (443, 50_000), ip::ACK);
    assert_eq!(
        filter.check_in(&ours, &[0; 60], from(false), 0),
        Verdict::Accept
    );
    assert!(filter.set_table(open(&[80, 81]), never).is_empty());
    assert_eq!(
        filter.check_in(&data, &[0; 60], from(false), 0),
        Verdict::Accept,
        "open again"
    );
}

#[test]
fn closing_a_datagram_port_ends_its_flows_even_where_we_had_answered() {
    let mut filter = Filter::default();
    filter.set_table(open(&[5000]), never);
    let theirs = packet(17, PEER, ME, (4000, 5000), 0);
    let answer = packet(17, ME, PEER, (5000, 4000), 0);
    assert_eq!(
        filter.check_in(&theirs, &[0; 60], from(false), 0),
        Verdict::Accept
    );
    assert_eq!(filter.check_out(&answer, &[0; 60], 0), Verdict::Accept);
    assert_eq!(filter.set_table(open(&[]), never).len(), 1);
    assert_eq!(filter.check_out(&answer, &[0; 60], 1), Verdict::Accept);
    assert_eq!(
        filter.check_in(&theirs, &[0; 60], from(false), 1),
        Verdict::Drop(Reason::Rules)
    );
    // What we begin ourselves is another matter.
    let question = packet(17, ME, PEER, (6000, 53), 0);
    let reply = packet(17, PEER, ME, (53, 6000), 0);
    assert_eq!(
        filter.check_in(&reply, &[0; 60], from(false), 1),
        Verdict::Drop(Reason::Rules)
    );
    filter.check_out(&question, &[0; 60], 1);
    assert_eq!(
        filter.check_in(&reply, &[0; 60], from(false), 1),
        Verdict::Accept
    );
    filter.set_table(open(&[]), never);
    assert_eq!(
        filter.check_in(&reply, &[0; 60], from(false), 1),
        Verdict::Accept,
        "a policy reload keeps our flows"
    );
    filter.forget_asked(
        format!("{ME}:6000").parse().unwrap(),
        format!("{PEER}:53").parse().unwrap(),
    );
    assert_eq!(
        filter.check_in(&reply, &[0; 60], from(false), 1),
        Verdict::Drop(Reason::Rules),
        "nothing of ours waits for it"
    );
    filter.check_out(&question, &[0; 60], 1);
    let mut shields = open(&[]);
    shields.shields_up = true;
    filter.set_table(shields, never);
    assert_eq!(
        filter.check_in(&reply, &[0; 60], from(false), 1),
        Verdict::Drop(Reason::ShieldsUp)
    );
}

#[test]
fn engine_ports_need_no_rule_but_an_own_address() {
    let mut filter = Filter::default();
    let mut shields = open(&[]);
    shields.shields_up = true;
    filter.set_table(shields, never);
    filter.set_own(vec![ME.parse().unwrap()]);
    filter.set_engine_ports(vec![41112], never);
    let syn = packet(6, PEER, ME, (4000, 41112), ip::SYN);
    assert_eq!(
        filter.check_in(&syn, &[0; 60], from(false), 0),
        Verdict::Accept
    );
    assert_eq!(
        filter.set_engine_ports(vec![], never).len(),
        1,
        "and is cut when the service goes"
    );
    assert_eq!(
        filter.check_in(&syn, &[0; 60], from(false), 0),
        Verdict::Drop(Reason::ShieldsUp)
    );
}

#[test]
fn a_peer_that_becomes_jailed_loses_its_flows() {
    let mut filter = Filter::default();
    filter.set_table(open(&[80]), never);
    let syn = packet(6, PEER, ME, (4000, 80), ip::SYN);
    assert_eq!(
        filter.check_in(&syn, &[0; 60], from(false), 0),
        Verdict::Accept
    );
    assert_eq!(
        filter
            .rejudge(|ip| ip == PEER.parse::<IpAddr>().unwrap())
            .len(),
        1
    );
    assert_eq!(
        filter.check_in(&syn, &[0; 60], from(true), 0),
        Verdict::Drop(Reason::ShieldsUp)
    );
}

#[test]
fn the_default_table_lets_nothing_in() {
    let mut filter = Filter::default();
    for proto in [1u8, 6, 17, 58, 132, 99, 47] {
        let packet = packet(proto, PEER, ME, (1, 1), ip::SYN);
        assert_eq!(
            filter.check_in(&packet, &[8; 60], from(false), 0),
            Verdict::Drop(Reason::NotLocal),
            "{proto}"
        );
    }
}

/// An ICMP error of `who` to `to` about `packet`.
fn error(who: IpAddr, to: IpAddr, packet: &[u8]) -> Vec<u8> {
    let (proto, kind) = match who {
        IpAddr::V4(_) => (ip::ICMP, [3, 4]),
        IpAddr::V6(_) => (ip::ICMPV6, [2, 0]),
    };
    let mut out = Vec::new();
    assert!(ip::push_header(&mut out, proto, who, to, 8 + packet.len()));
    out.extend([kind[0], kind[1], 0, 0, 0, 0, 5, 0]);
    out.extend(packet);
    out
}

fn passes(filter: &mut Filter, packet: &[u8], jailed: bool, now_sec: u64) -> bool {
    let parsed = ip::parse(packet).unwrap();
    filter.check_in(&parsed, packet, from(jailed), now_sec) == Verdict::Accept
}

#[test]
fn a_packet_too_big_for_a_flow_of_ours_comes_in_whoever_began_it() {
    for (me, peer) in [(ME, PEER), ("fd7a::1", "fd7a::2")] {
        let (me, peer): (IpAddr, IpAddr) = (me.parse().unwrap(), peer.parse().unwrap());
        let mut filter = Filter::default();
        filter.set_table(support::open_ports(&[me], &[80, 53]), never);
        let ours = support::tcp(me, peer, (40_000, 443), ip::SYN, 0);
        let data = support::tcp(me, peer, (40_000, 443), ip::ACK, 1000);
        assert!(
            !passes(&mut filter, &error(peer, me, &data), false, 0),
            "nobody asked"
        );
        filter.check_out(&ip::parse(&ours).unwrap(), &ours, 0);
        assert!(passes(&mut filter, &error(peer, me, &data), false, 0));
        // Quoted in part only, as most routers do.
        let head = &data[..data.len() - 1000 - 12];
        assert!(
            passes(&mut filter, &error(peer, me, head), true, 0),
            "jailed peers may answer too"
        );
        let answer = support::tcp(me, peer, (80, 5000), ip::ACK, 9);
        assert!(!passes(&mut filter, &error(peer, me, &answer), false, 0));
        let theirs = support::tcp(peer, me, (5000, 80), ip::SYN, 0);
        assert!(passes(&mut filter, &theirs, false, 0));
        assert!(passes(&mut filter, &error(peer, me, &answer), false, 0));
        let question = support::udp(me, peer, (6000, 53), 9);
        assert!(!passes(&mut filter, &error(peer, me, &question), false, 0));
        filter.check_out(&ip::parse(&question).unwrap(), &question, 0);
        assert!(passes(&mut filter, &error(peer, me, &question), false, 0));
        let forged = support::udp(peer, me, (6000, 53), 9);
        assert!(
            !passes(&mut filter, &error(peer, me, &forged), false, 0),
            "not from us"
        );
        filter.set_table(support::open_ports(&[me], &[]), never);
        assert!(
            !passes(&mut filter, &error(peer, me, &answer), false, 0),
            "cut"
        );
        assert!(
            passes(&mut filter, &error(peer, me, &data), false, 0),
            "ours goes on"
        );
    }
}

#[test]
fn an_error_is_believed_of_the_peer_alone_that_carries_what_it_is_about() {
    let mut filter = Filter::default();
    filter.set_table(open(&[]), never);
    let (me, peer): (IpAddr, IpAddr) = (ME.parse().unwrap(), PEER.parse().unwrap());
    let syn = support::tcp(me, peer, (40_000, 443), ip::SYN, 0);
    filter.check_out(&ip::parse(&syn).unwrap(), &syn, 0);
    let packet = error("100.64.0.9".parse().unwrap(), me, &syn);
    let parsed = ip::parse(&packet).unwrap();
    for (carries, want) in [
        (false, Verdict::Drop(Reason::Icmp)),
        (true, Verdict::Accept),
    ] {
        let from = Sender {
            jailed: false,
            carries: &|dst| carries && dst == peer,
        };
        assert_eq!(filter.check_in(&parsed, &packet, from, 0), want);
    }
}

fn echo(proto: u8, kind: u8, src: &str, dst: &str, ident: u16) -> Vec<u8> {
    let mut out = Vec::new();
    let (src, dst) = (src.parse().unwrap(), dst.parse().unwrap());
    assert!(ip::push_header(&mut out, proto, src, dst, 8));
    out.extend([kind, 0, 0, 0]);
    out.extend(ident.to_be_bytes());
    out.extend([0, 1]);
    out
}

#[test]
fn an_echo_reply_comes_in_for_an_echo_of_ours_and_not_for_ever() {
    let mut filter = Filter::default();
    filter.set_table(open(&[]), never);
    let asked = echo(ip::ICMP, 8, ME, PEER, 7);
    let reply = echo(ip::ICMP, 0, PEER, ME, 7);
    assert!(!passes(&mut filter, &reply, false, 0));
    filter.check_out(&ip::parse(&asked).unwrap(), &asked, 0);
    assert!(passes(&mut filter, &reply, false, 5));
    assert!(!passes(
        &mut filter,
        &echo(ip::ICMP, 0, PEER, ME, 8),
        false,
        5
    ));
    assert!(!passes(
        &mut filter,
        &echo(ip::ICMP, 0, "100.64.0.9", ME, 7),
        false,
        5
    ));
    assert!(!passes(&mut filter, &reply, false, 200));
}

/// A datagram in fragments of 1200 bytes: UDP from port 4000 to `port`.
fn pieces(port: u16, id: u16) -> Vec<Vec<u8>> {
    let whole = support::udp(
        PEER.parse().unwrap(),
        ME.parse().unwrap(),
        (4000, port),
        3000,
    );
    let body = &whole[20..];
    let count = body.chunks(1200).count();
    let cut = |(at, part): (usize, &[u8])| {
        let mut out = whole[..20].to_vec();
        out[2..4].copy_from_slice(&((20 + part.len()) as u16).to_be_bytes());
        out[4..6].copy_from_slice(&id.to_be_bytes());
        let more = u16::from(at + 1 < count) << 13;
        out[6..8].copy_from_slice(&((at * 150) as u16 + more).to_be_bytes());
        out.extend(part);
        out
    };
    body.chunks(1200).enumerate().map(cut).collect()
}

fn let_through(filter: &mut Filter, pieces: &[Vec<u8>], now_sec: u64) -> Vec<Vec<u8>> {
    let mut out = Vec::new();
    for piece in pieces {
        if passes(filter, piece, false, now_sec) {
            out.push(piece.clone());
        }
        out.extend(std::iter::from_fn(|| filter.take_released()));
    }
    out
}

#[test]
fn a_fragmented_datagram_passes_whole_in_any_order_if_its_first_piece_may() {
    for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2], [2, 0, 1]] {
        let mut filter = Filter::default();
        filter.set_table(open(&[5000]), never);
        let all = pieces(5000, 1);
        let sent: Vec<_> = order.iter().map(|at| all[*at].clone()).collect();
        let mut got = let_through(&mut filter, &sent, 0);
        got.sort();
        let mut want = all;
        want.sort();
        assert_eq!(got, want, "{order:?}");
        let shut: Vec<_> = order
            .iter()
            .map(|at| pieces(5001, 2)[*at].clone())
            .collect();
        assert!(let_through(&mut filter, &shut, 0).is_empty(), "{order:?}");
    }
}

#[test]
fn what_is_remembered_of_fragments_ends_with_time_and_with_the_table() {
    let mut filter = Filter::default();
    filter.set_table(open(&[5000]), never);
    let all = pieces(5000, 1);
    assert_eq!(let_through(&mut filter, &all[..1], 0).len(), 1);
    assert_eq!(let_through(&mut filter, &all[1..2], 29).len(), 1);
    assert!(let_through(&mut filter, &all[2..], 31).is_empty());
    assert!(
        let_through(&mut filter, &all[..1], 40).len() == 1,
        "what waited too long is gone"
    );
    filter.set_table(open(&[5000]), never);
    assert!(let_through(&mut filter, &all[1..2], 41).is_empty());
}

#[test]
fn a_flood_of_pieces_without_a_first_is_bounded_and_takes_the_place_of_one_source_alone() {
    let mut filter = Filter::default();
    filter.set_table(open(&[5000]), never);
    let honest = pieces(5000, 1);
    assert!(let_through(&mut filter, &honest[1..], 0).is_empty());
    let mut refused = 0;
    for id in 0..2000u16 {
        let mut piece = pieces(5000, id)[1].clone();
        piece[15] = 9;
        let parsed = ip::parse(&piece).unwrap();
        let verdict = filter.check_in(&parsed, &piece, from(false), 0);
        refused += u32::from(verdict == Verdict::Drop(Reason::Fragment));
    }
    assert!(refused > 1900, "{refused}");
    assert_eq!(let_through(&mut filter, &honest[..1], 0).len(), 3);
}
