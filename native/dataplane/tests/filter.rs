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
