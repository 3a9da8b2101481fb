//! Sessions of peer relays: what goes out wrapped, what comes in is unwrapped, and nothing forged in a header is believed.

mod support;

use std::net::SocketAddr;
use std::time::Instant;

use dataplane::geneve;
use dataplane::peers::{Path, UdpAddr};
use dataplane::pipeline::Via;
use support::{Node, Rng, pair, udp};

fn relay_addr() -> SocketAddr {
    "192.0.2.99:7777".parse().unwrap()
}

fn by_relay(vni: u32) -> Path {
    let addr = relay_addr();
    Path::Udp(UdpAddr { addr, vni })
}

/// Plays the relay: forwards what each node sent in session `vni` to the other until both are quiet.
fn forward(now: Instant, a: &mut Node, b: &mut Node, vni: u32) -> usize {
    let mut moved = 0;
    loop {
        let (from_a, from_b) = (
            std::mem::take(&mut a.out.udp),
            std::mem::take(&mut b.out.udp),
        );
        if from_a.is_empty() && from_b.is_empty() {
            return moved;
        }
        for (node, datagrams) in [(&mut *b, from_a), (&mut *a, from_b)] {
            for (to, datagram) in datagrams {
                assert_eq!(to, relay_addr(), "everything goes by the relay");
                let header = geneve::parse(&datagram).expect("a header");
                assert_eq!(
                    (header.vni, header.control, header.disco),
                    (vni, false, false)
                );
                node.receive(now, Via::Direct(relay_addr()), &datagram);
                moved += 1;
            }
        }
    }
}

#[test]
fn two_nodes_talk_through_a_session_of_a_peer_relay() {
    let now = Instant::now();
    let (mut a, mut b) = pair(now);
    a.pipeline.set_path(now, &b.key, by_relay(77), &mut a.out);
    b.pipeline.set_path(now, &a.key, by_relay(77), &mut b.out);
    let packets: Vec<_> = (0..30).map(|n| udp(a.ip, b.ip, (n, 80), 1252)).collect();
    packets.iter().for_each(|packet| a.send(now, packet));
    assert!(forward(now, &mut a, &mut b, 77) >= 32);
    assert_eq!(b.out.delivered, packets);
    let counters = &b.pipeline.counters;
    assert!(counters.in_peer_relay4_packets >= 31);
    assert_eq!(counters.in_direct4_packets, 0);
    assert_eq!(
        a.pipeline.largest_to(b.ip),
        1280,
        "a peer relay takes no large packets"
    );
    assert!(
        !b.out
            .events
            .iter()
            .any(|event| matches!(event, dataplane::event::Event::DirectProof { .. })),
        "data through a relay proves no direct address"
    );
}

#[test]
fn an_answer_to_a_handshake_goes_back_the_way_it_came_even_before_there_is_a_path() {
    let now = Instant::now();
    let (mut a, mut b) = pair(now);
    a.pipeline.set_path(now, &b.key, by_relay(5), &mut a.out);
    b.pipeline.set_path(now, &a.key, Path::None, &mut b.out);
    a.send(now, &udp(a.ip, b.ip, (1, 80), 9));
    assert!(forward(now, &mut a, &mut b, 5) >= 2);
    assert_eq!(b.out.delivered.len(), 1);
}

#[test]
fn headers_that_no_relay_would_forward_are_counted_and_dropped() {
    let now = Instant::now();
    let (mut a, mut b) = pair(now);
    a.pipeline.set_path(now, &b.key, by_relay(5), &mut a.out);
    a.send(now, &udp(a.ip, b.ip, (1, 80), 9));
    let (_, init) = a.out.udp.pop().unwrap();
    let from = Via::Direct(relay_addr());
    let mut control = init.clone();
    control[1] = 0x80;
    let mut nobody = init.clone();
    nobody[4..7].fill(0);
    let twice = [&geneve::wireguard_header(9)[..], &init].concat();
    for (count, forged) in [
        control,
        nobody,
        twice,
        init[..8].to_vec(),
        init[..30].to_vec(),
    ]
    .iter()
    .enumerate()
    {
        b.receive(now, from, forged);
        assert_eq!(b.pipeline.counters.in_geneve_refused, count as u64 + 1);
    }
    b.receive(
        now,
        Via::Relay {
            region: 1,
            from: a.key,
        },
        &init,
    );
    assert_eq!(
        b.pipeline.counters.in_other, 1,
        "no DERP relay carries such"
    );
    assert!(b.out.udp.is_empty(), "nothing forged is answered");
    b.receive(now, from, &init);
    assert_eq!(
        b.out.udp.len(),
        2,
        "the true one is: by the path and back the way it came"
    );
}

#[test]
fn no_bytes_in_a_header_do_harm() {
    let now = Instant::now();
    let (mut a, mut b) = pair(now);
    a.pipeline.set_path(now, &b.key, by_relay(5), &mut a.out);
    a.send(now, &udp(a.ip, b.ip, (1, 80), 9));
    let (_, init) = a.out.udp.pop().unwrap();
    let mut rng = Rng(11);
    for _ in 0..20_000 {
        let mut forged = init.clone();
        for _ in 0..=rng.below(3) {
            let at = rng.below(16) as usize;
            forged[at] ^= 1 << rng.below(8);
        }
        forged.truncate(rng.below(forged.len() as u64 + 1) as usize);
        b.receive(now, Via::Direct(relay_addr()), &forged);
    }
    assert!(b.out.delivered.is_empty());
}
