//! Disco keys told inside the tunnel: once behind each new session, to peers that understand it, without waking anything.

mod support;

use std::time::Instant;

use dataplane::event::{Activity, Event};
use dataplane::peers::Path;
use support::{Node, pair, settle, udp};

fn told(node: &Node) -> Vec<[u8; 32]> {
    let disco = |event: &Event| match event {
        Event::DiscoKey { disco, .. } => Some(*disco),
        _ => None,
    };
    node.out.events.iter().filter_map(disco).collect()
}

#[test]
fn both_sides_learn_the_others_key_once_a_session() {
    let now = Instant::now();
    let (mut a, mut b) = pair(now);
    a.pipeline.set_disco_key(Some([0xa1; 32]));
    b.pipeline.set_disco_key(Some([0xb2; 32]));
    for n in 0..20 {
        a.send(now, &udp(a.ip, b.ip, (n, 80), 9));
        settle(now, &mut a, &mut b);
        b.send(now, &udp(b.ip, a.ip, (n, 80), 9));
        settle(now, &mut a, &mut b);
    }
    assert_eq!(told(&a), [[0xb2; 32]]);
    assert_eq!(told(&b), [[0xa1; 32]]);
    assert_eq!((a.out.delivered.len(), b.out.delivered.len()), (20, 20));
    assert_eq!(a.pipeline.counters.disco_keys_told, 1);
}

#[test]
fn telling_a_key_is_no_traffic_of_ours() {
    let now = Instant::now();
    let (mut a, mut b) = pair(now);
    b.pipeline.set_disco_key(Some([0xb2; 32]));
    a.send(now, &udp(a.ip, b.ip, (1, 81), 9));
    settle(now, &mut a, &mut b);
    assert_eq!(told(&a), [[0xb2; 32]]);
    let sending = Event::Activity {
        peer: a.key,
        activity: Activity::Sending,
    };
    assert!(!b.out.events.contains(&sending));
}

#[test]
fn peers_that_speak_wireguard_alone_and_nodes_without_a_key_are_left_alone() {
    let now = Instant::now();
    let (mut a, mut b) = pair(now);
    a.pipeline.set_disco_key(Some([0xa1; 32]));
    let mut bare = b.spec();
    bare.bare = true;
    a.add_peer(now, bare, Path::direct(b.addr));
    a.send(now, &udp(a.ip, b.ip, (1, 80), 9));
    settle(now, &mut a, &mut b);
    assert!(told(&a).is_empty() && told(&b).is_empty());
    assert_eq!(b.out.delivered.len(), 1);
}
