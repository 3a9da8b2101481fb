//! What a peer relay forwards and what it does not.

mod support;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use dataplane::forward::{Forwarder, Verdict};
use dataplane::geneve::wireguard_header;
use support::Rng;

fn addr(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn data(vni: u32, len: usize) -> Vec<u8> {
    let mut out = wireguard_header(vni).to_vec();
    out.resize(8 + len, 7);
    out
}

#[test]
fn datagrams_go_between_the_two_bound_addresses_and_nowhere_else() {
    let now = Instant::now();
    let (a, b, c) = (
        addr("192.0.2.1:1"),
        addr("[2001:db8::2]:2"),
        addr("192.0.2.3:3"),
    );
    let mut forwarder = Forwarder::default();
    assert_eq!(forwarder.handle(now, a, &data(5, 40)), Verdict::Drop);
    forwarder.set(now, 5, [Some(a), None], |_, _| panic!("nothing waits"));
    assert_eq!(
        forwarder.handle(now, a, &data(5, 400)),
        Verdict::Drop,
        "the other end is not bound"
    );
    forwarder.set(now, 5, [Some(a), Some(b)], |_, _| panic!("nothing waits"));
    assert_eq!(forwarder.handle(now, a, &data(5, 40)), Verdict::Forward(b));
    assert_eq!(
        forwarder.handle(now, b, &data(5, 1300)),
        Verdict::Forward(a)
    );
    assert_eq!(
        forwarder.handle(now, c, &data(5, 400)),
        Verdict::Drop,
        "a stranger that guessed the number"
    );
    assert_eq!(
        forwarder.handle(now, addr("192.0.2.1:9"), &data(5, 400)),
        Verdict::Drop
    );
    assert_eq!(forwarder.handle(now, a, &data(6, 40)), Verdict::Drop);
    assert_eq!(
        (
            forwarder.counters.relayed_packets,
            forwarder.counters.refused
        ),
        (2, 5)
    );
    let (_, ends) = forwarder.iter().next().unwrap();
    assert_eq!(
        (ends[0].packets, ends[0].bytes, ends[1].bytes),
        (1, 48, 1308)
    );
    forwarder.remove(5);
    assert_eq!(forwarder.handle(now, a, &data(5, 40)), Verdict::Drop);
}

#[test]
fn a_ping_that_comes_before_its_sender_is_bound_waits_for_that() {
    let now = Instant::now();
    let (a, b, c) = (
        addr("192.0.2.1:1"),
        addr("192.0.2.2:2"),
        addr("192.0.2.3:3"),
    );
    let mut forwarder = Forwarder::default();
    assert_eq!(
        forwarder.handle(now, a, &data(5, 120)),
        Verdict::Drop,
        "no such session"
    );
    let mut sent = Vec::new();
    forwarder.set(now, 5, [None, None], |_, _| panic!("nothing waits"));
    for from in [a, b, c] {
        assert_eq!(forwarder.handle(now, from, &data(5, 120)), Verdict::Held);
    }
    forwarder.set(now, 5, [Some(a), None], |_, _| {
        panic!("the other end is not bound")
    });
    forwarder.set(now, 5, [Some(a), Some(b)], |to, bytes| {
        sent.push((to, bytes.to_vec()))
    });
    assert_eq!(sent, [(b, data(5, 120)), (a, data(5, 120))]);
    // Few wait, and not for long.
    forwarder.set(now, 6, [None, None], |_, _| {});
    for n in 0..100 {
        forwarder.handle(now, a, &data(6, n));
    }
    sent.clear();
    forwarder.set(now, 6, [Some(a), Some(b)], |to, bytes| {
        sent.push((to, bytes.to_vec()))
    });
    assert_eq!(sent.len(), 4);
    forwarder.set(now, 7, [None, None], |_, _| {});
    forwarder.handle(now, a, &data(7, 120));
    let late = now + Duration::from_secs(1);
    forwarder.set(late, 7, [Some(a), Some(b)], |_, _| panic!("too late"));
}

#[test]
fn control_messages_go_up_within_a_budget_and_large_ones_never() {
    let now = Instant::now();
    let from = addr("192.0.2.1:1");
    let mut forwarder = Forwarder::default();
    let mut bind = vec![0, 0x80, 0x7a, 0x11, 0, 0, 5, 0];
    bind.resize(160, 1);
    let mut up = 0;
    for _ in 0..2000 {
        up += u64::from(forwarder.handle(now, from, &bind) == Verdict::Up);
    }
    assert_eq!(up, 500);
    assert_eq!(forwarder.counters.control_flood, 1500);
    let later = now + Duration::from_secs(2);
    assert_eq!(forwarder.handle(later, from, &bind), Verdict::Up);
    bind.resize(513, 1);
    assert_eq!(forwarder.handle(later, from, &bind), Verdict::Drop);
    let wireguard_control = [0, 0x80, 0x7a, 0x12, 0, 0, 5, 0];
    assert_eq!(
        forwarder.handle(later, from, &wireguard_control),
        Verdict::Drop
    );
}

#[test]
fn rubbish_of_every_kind_moves_nothing() {
    let now = Instant::now();
    let (a, b) = (addr("192.0.2.1:1"), addr("192.0.2.2:2"));
    let mut forwarder = Forwarder::default();
    forwarder.set(now, 5, [Some(a), Some(b)], |_, _| panic!("nothing waits"));
    let mut rng = Rng(3);
    for _ in 0..50_000 {
        let len = rng.below(80) as usize;
        let bytes = rng.bytes(len);
        let verdict = forwarder.handle(now, a, &bytes);
        assert!(!matches!(verdict, Verdict::Forward(to) if to != b));
    }
    for len in 0..8 {
        assert_eq!(
            forwarder.handle(now, a, &wireguard_header(5)[..len]),
            Verdict::Drop
        );
    }
}
