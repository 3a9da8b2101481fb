//! Data of sessions that this node no longer has: it was started anew, and the other side does not know.

mod support;

use std::time::{Duration, Instant};

use dataplane::peers::Path;
use dataplane::pipeline::Via;
use support::{Node, pair, settle, udp};

/// `b` as it comes back after it was started anew: the same key, no session.
fn reborn(now: Instant, b: &Node, a: &Node, path: Path) -> Node {
    let mut again = Node::new(2, now);
    assert_eq!(again.key, b.key);
    again.add_peer(now, a.spec(), path);
    again.open(&[80]);
    again
}

fn joined(now: Instant) -> (Node, Node) {
    let (mut a, mut b) = pair(now);
    a.send(now, &udp(a.ip, b.ip, (1, 80), 9));
    settle(now, &mut a, &mut b);
    assert_eq!(b.out.delivered.len(), 1);
    (a, b)
}

#[test]
fn a_node_that_was_started_anew_asks_for_a_session_at_the_first_packet_of_the_old_one() {
    let now = Instant::now();
    let (mut a, b) = joined(now);
    let mut b = reborn(now, &b, &a, Path::direct(a.addr));
    let later = now + Duration::from_secs(1);
    a.send(later, &udp(a.ip, b.ip, (1, 80), 9));
    settle(later, &mut a, &mut b);
    assert!(b.out.delivered.is_empty());
    assert_eq!(b.pipeline.counters.strays_answered, 1);
    a.send(later, &udp(a.ip, b.ip, (1, 80), 9));
    settle(later, &mut a, &mut b);
    assert_eq!(b.out.delivered.len(), 1);
}

#[test]
fn it_asks_by_the_relay_that_named_the_sender_while_it_knows_no_way_of_its_own() {
    let now = Instant::now();
    let (mut a, b) = joined(now);
    let mut b = reborn(now, &b, &a, Path::None);
    a.pipeline.set_path(now, &b.key, Path::Relay(1), &mut a.out);
    let later = now + Duration::from_secs(1);
    a.send(later, &udp(a.ip, b.ip, (1, 80), 9));
    settle(later, &mut a, &mut b);
    a.send(later, &udp(a.ip, b.ip, (1, 80), 9));
    settle(later, &mut a, &mut b);
    assert_eq!(b.out.delivered.len(), 1);
}

#[test]
fn a_flood_of_such_packets_has_it_ask_once_in_five_seconds() {
    let now = Instant::now();
    let (a, mut b) = pair(now);
    let mut stray = vec![4, 0, 0, 0];
    stray.resize(64, 7);
    let mut asked = Vec::new();
    for ms in 0..20_000u64 {
        let now = now + Duration::from_millis(ms);
        b.receive(now, Via::Direct(a.addr), &stray);
        asked.extend(b.out.udp.drain(..).map(|_| ms));
    }
    assert_eq!(asked, [0, 5_000, 10_000, 15_000]);
}

#[test]
fn strangers_and_peers_with_a_session_are_not_asked() {
    let now = Instant::now();
    let (a, mut b) = joined(now);
    let mut stray = vec![4, 0, 0, 0];
    stray.resize(64, 7);
    let later = now + Duration::from_secs(20);
    b.out.udp.clear();
    b.receive(later, Via::Direct(a.addr), &stray);
    b.receive(
        later,
        Via::Direct("198.51.100.9:41641".parse().unwrap()),
        &stray,
    );
    let relayed = Via::Relay {
        region: 1,
        from: [9; 32],
    };
    b.receive(later, relayed, &stray);
    assert!(b.out.udp.is_empty());
    assert_eq!(b.pipeline.counters.strays_answered, 0);
    assert_eq!(b.pipeline.counters.in_unknown_index, 3);
}
