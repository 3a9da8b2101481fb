//! The filter against a brute-force oracle written from the rules' text, and its memory of flows.

mod support;

use std::net::IpAddr;

use dataplane::filter::{Dst, Filter, Match, Reason, Table, Verdict};
use dataplane::ip::{self, Parsed};
use dataplane::prefix::{IpSet, Prefix};
use support::Rng;

#[derive(Clone)]
struct Rule {
    protos: Vec<u8>,
    srcs: Vec<(IpAddr, u8)>,
    dsts: Vec<((IpAddr, u8), u16, u16)>,
}

fn within(prefix: (IpAddr, u8), ip: IpAddr) -> bool {
    let bits = |ip: IpAddr| -> Vec<bool> {
        let octets = match ip {
            IpAddr::V4(ip) => ip.octets().to_vec(),
            IpAddr::V6(ip) => ip.octets().to_vec(),
        };
        octets
            .iter()
            .flat_map(|byte| (0..8).rev().map(move |n| byte >> n & 1 == 1))
            .collect()
    };
    prefix.0.is_ipv4() == ip.is_ipv4()
        && bits(prefix.0)[..usize::from(prefix.1)] == bits(ip)[..usize::from(prefix.1)]
}

/// The text of the rules, as plain as it can be.
fn oracle(rules: &[Rule], local: &[(IpAddr, u8)], shut: bool, packet: &Parsed, l4: &[u8]) -> bool {
    let link_local = match packet.dst {
        IpAddr::V4(ip) => ip.octets()[..2] == [169, 254] && ip.octets() != [169, 254, 169, 254],
        IpAddr::V6(ip) => ip.segments()[0] & 0xffc0 == 0xfe80,
    };
    if packet.dst.is_multicast() || link_local || packet.proto == ip::UNKNOWN {
        return false;
    }
    if packet.proto == ip::FRAGMENT {
        return true;
    }
    if !local.iter().any(|net| within(*net, packet.dst)) {
        return false;
    }
    let pair = |rule: &Rule| {
        rule.srcs.iter().any(|src| within(*src, packet.src))
            && rule.dsts.iter().any(|dst| within(dst.0, packet.dst))
    };
    let full = |rule: &Rule, ports: &dyn Fn(u16, u16) -> bool| {
        rule.protos.contains(&packet.proto)
            && rule.srcs.iter().any(|src| within(*src, packet.src))
            && rule
                .dsts
                .iter()
                .any(|dst| within(dst.0, packet.dst) && ports(dst.1, dst.2))
    };
    let by_port = |first: u16, last: u16| first <= packet.dst_port && packet.dst_port <= last;
    match packet.proto {
        ip::ICMP if matches!(l4[0], 3 | 11 | 12) || (l4[0] == 0 && l4[1] == 0) => true,
        ip::ICMPV6 if matches!(l4[0], 1..=4) || (l4[0] == 129 && l4[1] == 0) => true,
        ip::ICMP | ip::ICMPV6 => !shut && rules.iter().any(pair),
        ip::TCP if packet.tcp_flags & (ip::SYN | ip::ACK) != ip::SYN => true,
        ip::TCP | ip::UDP | ip::SCTP => !shut && rules.iter().any(|rule| full(rule, &by_port)),
        ip::TSMP => true,
        _ => {
            !shut
                && rules
                    .iter()
                    .any(|rule| full(rule, &|first, last| first == 0 && last == 65_535))
        }
    }
}

fn ips() -> Vec<IpAddr> {
    [
        "100.64.0.1",
        "100.64.0.2",
        "100.64.0.3",
        "10.0.0.1",
        "10.0.1.1",
        "8.8.8.8",
        "224.0.0.1",
        "169.254.169.254",
        "169.254.1.1",
        "fd7a:115c:a1e0::1",
        "fd7a:115c:a1e0::2",
        "fd00::1",
        "2001:db8::1",
        "fe80::1",
        "ff02::1",
    ]
    .map(|text| text.parse().unwrap())
    .to_vec()
}

fn prefix(rng: &mut Rng, ips: &[IpAddr]) -> (IpAddr, u8) {
    let ip = *rng.pick(ips);
    let lengths: &[u8] = if ip.is_ipv4() {
        &[0, 8, 10, 24, 31, 32]
    } else {
        &[0, 7, 10, 48, 64, 127, 128]
    };
    (ip, *rng.pick(lengths))
}

fn table(rules: &[Rule], local: &[(IpAddr, u8)], shields_up: bool) -> Table {
    let make = |one: &(IpAddr, u8)| Prefix::new(one.0, one.1).unwrap();
    let matches = rules
        .iter()
        .map(|rule| {
            let dsts = rule
                .dsts
                .iter()
                .map(|dst| Dst {
                    prefix: make(&dst.0),
                    first: dst.1,
                    last: dst.2,
                })
                .collect();
            Match::new(&rule.protos, rule.srcs.iter().map(make), dsts)
        })
        .collect();
    Table {
        matches,
        local: IpSet::new(local.iter().map(make)),
        shields_up,
    }
}

#[test]
fn the_filter_agrees_with_the_text_of_the_rules_on_random_cases() {
    let mut rng = Rng(20_261_122);
    let ips = ips();
    let ports = [0u16, 1, 22, 53, 80, 443, 65_535];
    let protos = [1u8, 6, 17, 58, 132, 99, 2, 47, 50];
    let (mut cases, mut accepted) = (0, 0);
    for _ in 0..600 {
        let rules: Vec<Rule> = (0..rng.below(5))
            .map(|_| Rule {
                protos: (0..1 + rng.below(4)).map(|_| *rng.pick(&protos)).collect(),
                srcs: (0..1 + rng.below(3))
                    .map(|_| prefix(&mut rng, &ips))
                    .collect(),
                dsts: (0..1 + rng.below(3))
                    .map(|_| {
                        let (one, other) = (*rng.pick(&ports), *rng.pick(&ports));
                        (prefix(&mut rng, &ips), one.min(other), one.max(other))
                    })
                    .collect(),
            })
            .collect();
        let local: Vec<_> = (0..1 + rng.below(3))
            .map(|_| prefix(&mut rng, &ips))
            .collect();
        let (shields, jailed) = (rng.below(8) == 0, rng.below(8) == 0);
        let mut filter = Filter::default();
        filter.set_table(table(&rules, &local, shields), |_| jailed);
        for _ in 0..250 {
            let (src, mut dst) = (*rng.pick(&ips), *rng.pick(&ips));
            while dst.is_ipv4() != src.is_ipv4() {
                dst = *rng.pick(&ips);
            }
            let proto = *rng.pick(&[
                1u8,
                6,
                6,
                6,
                17,
                17,
                58,
                132,
                99,
                2,
                47,
                ip::UNKNOWN,
                ip::FRAGMENT,
            ]);
            let packet = Parsed {
                proto,
                src,
                dst,
                src_port: *rng.pick(&ports),
                dst_port: *rng.pick(&ports),
                tcp_flags: if proto == 6 {
                    *rng.pick(&[0x02u8, 0x12, 0x10, 0x04, 0x11, 0x2a, 0x00])
                } else {
                    0
                },
                total_len: 60,
                l4: 20,
            };
            let l4 = [
                *rng.pick(&[0u8, 1, 2, 3, 4, 8, 11, 12, 128, 129]),
                rng.below(2) as u8,
                0,
                0,
                0,
                0,
                0,
                0,
            ];
            let want = oracle(&rules, &local, shields || jailed, &packet, &l4);
            let got = filter.check_in(&packet, &l4, jailed, 0) == Verdict::Accept;
            assert_eq!(got, want, "{packet:?} {l4:?} shut {}", shields || jailed);
            cases += 1;
            accepted += u32::from(got);
        }
    }
    assert!(
        cases >= 100_000 && accepted > 10_000 && accepted < 120_000,
        "{accepted} of {cases}"
    );
}

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
    }
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
    assert_eq!(filter.check_in(&syn, &[], false, 0), Verdict::Accept);
    assert_eq!(filter.check_in(&other, &[], false, 0), Verdict::Accept);
    let cut = filter.set_table(open(&[81]), never);
    assert_eq!(cut.len(), 1);
    assert_eq!((cut[0].src_port, cut[0].dst_port), (4000, 80));
    assert_eq!(
        filter.check_in(&data, &[], false, 0),
        Verdict::Drop(Reason::Cut)
    );
    let kept = packet(6, PEER, ME, (4000, 81), ip::ACK);
    assert_eq!(filter.check_in(&kept, &[], false, 0), Verdict::Accept);
    // Answers to our own flows were never judged by rules and go on.
    let ours = packet(6, PEER, ME, (443, 50_000), ip::ACK);
    assert_eq!(filter.check_in(&ours, &[], false, 0), Verdict::Accept);
    assert!(filter.set_table(open(&[80, 81]), never).is_empty());
    assert_eq!(
        filter.check_in(&data, &[], false, 0),
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
    assert_eq!(filter.check_in(&theirs, &[], false, 0), Verdict::Accept);
    assert_eq!(filter.check_out(&answer, 0), Verdict::Accept);
    assert_eq!(filter.set_table(open(&[]), never).len(), 1);
    assert_eq!(filter.check_out(&answer, 1), Verdict::Accept);
    assert_eq!(
        filter.check_in(&theirs, &[], false, 1),
        Verdict::Drop(Reason::Rules)
    );
    // What we begin ourselves is another matter.
    let question = packet(17, ME, PEER, (6000, 53), 0);
    let reply = packet(17, PEER, ME, (53, 6000), 0);
    assert_eq!(
        filter.check_in(&reply, &[], false, 1),
        Verdict::Drop(Reason::Rules)
    );
    filter.check_out(&question, 1);
    assert_eq!(filter.check_in(&reply, &[], false, 1), Verdict::Accept);
    filter.set_table(open(&[]), never);
    assert_eq!(
        filter.check_in(&reply, &[], false, 1),
        Verdict::Accept,
        "a policy reload keeps our flows"
    );
    let mut shields = open(&[]);
    shields.shields_up = true;
    filter.set_table(shields, never);
    assert_eq!(
        filter.check_in(&reply, &[], false, 1),
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
    assert_eq!(filter.check_in(&syn, &[], false, 0), Verdict::Accept);
    assert_eq!(
        filter.set_engine_ports(vec![], never).len(),
        1,
        "and is cut when the service goes"
    );
    assert_eq!(
        filter.check_in(&syn, &[], false, 0),
        Verdict::Drop(Reason::ShieldsUp)
    );
}

#[test]
fn a_peer_that_becomes_jailed_loses_its_flows() {
    let mut filter = Filter::default();
    filter.set_table(open(&[80]), never);
    let syn = packet(6, PEER, ME, (4000, 80), ip::SYN);
    assert_eq!(filter.check_in(&syn, &[], false, 0), Verdict::Accept);
    assert_eq!(
        filter
            .rejudge(|ip| ip == PEER.parse::<IpAddr>().unwrap())
            .len(),
        1
    );
    assert_eq!(
        filter.check_in(&syn, &[], true, 0),
        Verdict::Drop(Reason::ShieldsUp)
    );
}

#[test]
fn the_default_table_lets_nothing_in() {
    let mut filter = Filter::default();
    for proto in [1u8, 6, 17, 58, 132, 99, 47] {
        let packet = packet(proto, PEER, ME, (1, 1), ip::SYN);
        assert_eq!(
            filter.check_in(&packet, &[8, 0], false, 0),
            Verdict::Drop(Reason::NotLocal),
            "{proto}"
        );
    }
}
