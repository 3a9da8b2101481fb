//! Two pipelines back to back in memory: sessions, paths, delivery, and what must not be delivered.

mod support;

use std::net::IpAddr;
use std::time::{Duration, Instant};

use dataplane::event::{Activity, Event};
use dataplane::ip;
use dataplane::outbound::RELAY_MTU;
use dataplane::peers::{Path, PeerSpec};
use dataplane::pipeline::Via;

use bytes::BytesMut;
use dataplane::tunnel::{Gate, Identity, Opened, Tunnel};
use support::{Node, carry, host, pair, secret, settle, tcp, udp};

#[test]
fn packets_of_every_size_arrive_as_they_were_sent_with_the_padding_cut() {
    let now = Instant::now();
    let (mut a, mut b) = pair(now);
    for len in 0..=1232 {
        let packet = udp(a.ip, b.ip, (5000, 80), len);
        a.send(now, &packet);
        settle(now, &mut a, &mut b);
        assert_eq!(
            b.out.delivered.pop().as_deref(),
            Some(&packet[..]),
            "payload of {len}"
        );
        let packet = udp(a.ip6, b.ip6, (5000, 80), len);
        a.send(now, &packet);
        settle(now, &mut a, &mut b);
        assert_eq!(
            b.out.delivered.pop().as_deref(),
            Some(&packet[..]),
            "payload of {len}, IPv6"
        );
    }
    assert_eq!(b.pipeline.counters.in_malformed, 0);
}

#[test]
fn sealed_packets_are_padded_to_sixteen_but_not_beyond_the_mtu() {
    let now = Instant::now();
    let (mut a, mut b) = pair(now);
    a.send(now, &udp(a.ip, b.ip, (1, 80), 0));
    settle(now, &mut a, &mut b);
    for (len, want) in [
        (0usize, 32),
        (4, 32),
        (5, 48),
        (1232, 1264),
        (1245, 1280),
        (1251, 1280),
        (1252, 1280),
    ] {
        a.send(now, &udp(a.ip, b.ip, (1, 80), len));
        assert_eq!(
            a.out.udp.pop().unwrap().1.len(),
            want + 32,
            "payload of {len}"
        );
    }
}

#[test]
fn large_packets_are_for_relays_alone_and_asked_for_from_peers_themselves_alone() {
    let now = Instant::now();
    let (mut a, b) = pair(now);
    let mtu = 1280;
    let beyond: IpAddr = "192.168.7.1".parse().unwrap();
    let prefixes = vec![host(b.ip), host(b.ip6), host(beyond)];
    let spec = PeerSpec {
        key: b.key,
        jailed: false,
        bare: false,
        sources: prefixes.clone(),
        routes: prefixes,
    };
    a.pipeline.set_peers(now, vec![spec], &[], &mut a.out);
    for (path, want) in [
        (Path::None, mtu),
        (Path::direct(b.addr), mtu),
        (Path::both(b.addr, 1), mtu),
        (Path::Relay(1), RELAY_MTU),
    ] {
        a.pipeline.set_path(now, &b.key, path, &mut a.out);
        assert_eq!(a.pipeline.largest_to(b.ip), want, "{path:?}");
        assert_eq!(a.pipeline.largest_to(b.ip6), want, "{path:?}");
    }
    assert_eq!(a.pipeline.largest_from(b.ip), RELAY_MTU);
    assert_eq!(a.pipeline.largest_from(b.ip6), RELAY_MTU);
    for other in [
        beyond,
        "100.99.99.99".parse().unwrap(),
        "8.8.8.8".parse().unwrap(),
    ] {
        assert_eq!(a.pipeline.largest_from(other), mtu, "{other}");
    }
}

#[test]
fn packets_that_waited_for_the_session_arrive_in_order() {
    let now = Instant::now();
    let (mut a, mut b) = pair(now);
    let packets: Vec<_> = (0..40).map(|n| udp(a.ip, b.ip, (n, 80), 10)).collect();
    packets.iter().for_each(|packet| a.send(now, packet));
    assert_eq!(a.out.udp.len(), 1, "one initiation and nothing else");
    settle(now, &mut a, &mut b);
    assert_eq!(b.out.delivered, packets);
    assert!(a.out.events.contains(&Event::Handshake { peer: b.key }));
    assert!(b.out.events.contains(&Event::Handshake { peer: a.key }));
}

#[test]
fn both_sides_may_start_at_once() {
    let now = Instant::now();
    let (mut a, mut b) = pair(now);
    let (there, back) = (udp(a.ip, b.ip, (1, 80), 5), udp(b.ip, a.ip, (2, 80), 6));
    a.send(now, &there);
    b.send(now, &back);
    settle(now, &mut a, &mut b);
    assert_eq!(
        (a.out.delivered, b.out.delivered),
        (vec![back], vec![there])
    );
}

#[test]
fn an_initiation_of_an_unknown_peer_is_held_and_replayed_when_the_peer_arrives() {
    let now = Instant::now();
    let (mut a, mut b) = (Node::new(1, now), Node::new(2, now));
    a.add_peer(now, b.spec(), Path::direct(b.addr));
    b.open(&[80]);
    let packet = udp(a.ip, b.ip, (1, 80), 9);
    a.send(now, &packet);
    carry(now, &mut a, &mut b);
    assert_eq!(b.out.events, [Event::UnknownPeer { key: a.key }]);
    b.pipeline.set_peers(now, vec![a.spec()], &[], &mut b.out);
    settle(now, &mut a, &mut b);
    assert_eq!(b.out.delivered, [packet]);
    assert!(!b.out.events.contains(&Event::UnknownPeer { key: b.key }));
}

#[test]
fn initiations_that_waited_together_leave_the_session_in_use_alone() {
    let now = Instant::now();
    let (a, mut b) = (Node::new(1, now), Node::new(2, now));
    b.add_peer(now, a.spec(), Path::direct(a.addr));
    b.open(&[80]);
    let identity = Identity::new(secret(1));
    let mut tunnel = identity.tunnel(&b.key);
    let from = Via::Direct(a.addr);
    let init = tunnel.handshake().unwrap();
    b.receive(now, from, &init);
    let to = b.addr;
    let answer = |tunnel: &mut Tunnel, reply: &[u8]| {
        let Gate::Pass(reply) = identity.verify(to, BytesMut::from(reply)) else {
            panic!("no handshake");
        };
        tunnel.open_handshake(reply)
    };
    assert!(matches!(
        answer(&mut tunnel, &b.out.udp.pop().unwrap().1),
        Opened::Reply { .. }
    ));
    let packet = udp(a.ip, b.ip, (1, 80), 4);
    let sealed = tunnel.seal(BytesMut::from(&packet[..])).unwrap();

    let later = now + Duration::from_secs(60);
    let repeated: Vec<_> = (0..12).map(|_| tunnel.handshake().unwrap()).collect();
    repeated
        .iter()
        .for_each(|init| b.receive(later, from, init));
    b.receive(later, from, &sealed);
    assert_eq!(b.out.delivered, [packet], "the session before still opens");
    assert_eq!(b.out.udp.len(), 1, "the first is answered");
    let due = b.pipeline.next_timeout().unwrap();
    assert!(due <= later + Duration::from_millis(20));
    b.pipeline
        .handle_timeout(later + Duration::from_millis(20), &mut b.out);
    assert_eq!(b.out.udp.len(), 2, "and the newest");
    let newest = b.out.udp.pop().unwrap().1;
    assert!(matches!(answer(&mut tunnel, &newest), Opened::Reply { .. }));
    assert_eq!(b.pipeline.counters.in_open_failed, 0);
}

#[test]
fn a_handshake_over_a_relay_is_answered_there_before_a_path_is_known() {
    let now = Instant::now();
    let (mut a, mut b) = (Node::new(1, now), Node::new(2, now));
    a.add_peer(now, b.spec(), Path::Relay(7));
    b.add_peer(now, a.spec(), Path::None);
    b.open(&[80]);
    let packet = udp(a.ip, b.ip, (1, 80), 9);
    a.send(now, &packet);
    settle(now, &mut a, &mut b);
    assert_eq!(b.out.delivered, [packet]);
    assert_eq!(b.pipeline.counters.out_no_path, 0);
}

#[test]
fn a_handshake_of_a_peer_that_moved_is_answered_where_it_came_from() {
    let now = Instant::now();
    let (mut a, mut b) = (Node::new(1, now), Node::new(2, now));
    let old: std::net::SocketAddr = "198.51.100.9:4".parse().unwrap();
    a.add_peer(now, b.spec(), Path::direct(b.addr));
    b.add_peer(now, a.spec(), Path::direct(old));
    a.send(now, &udp(a.ip, b.ip, (1, 80), 9));
    let (_, init) = a.out.udp.pop().unwrap();
    b.receive(now, Via::Direct(a.addr), &init);
    let to: Vec<_> = b.out.udp.iter().map(|(to, _)| *to).collect();
    assert_eq!(to, [old, a.addr], "the known way and the way it came");
    b.out.udp.clear();
    b.send(now, &udp(b.ip, a.ip, (80, 1), 9));
    assert!(
        b.out.udp.iter().all(|(to, _)| *to == old),
        "no roaming: only the path table moves data"
    );
}

#[test]
fn a_path_of_both_sends_twice_and_the_copy_is_refused_as_a_replay() {
    let now = Instant::now();
    let (mut a, mut b) = pair(now);
    a.pipeline
        .set_path(now, &b.key, Path::both(b.addr, 3), &mut a.out);
    let packets: Vec<_> = (0..20).map(|n| udp(a.ip, b.ip, (n, 80), 10)).collect();
    for packet in &packets {
        a.send(now, packet);
        settle(now, &mut a, &mut b);
    }
    assert_eq!(b.out.delivered, packets, "each once, in order");
    assert!(b.pipeline.counters.in_open_failed >= 19);
}

#[test]
fn a_path_that_changes_under_traffic_loses_and_doubles_nothing() {
    let now = Instant::now();
    let (mut a, mut b) = pair(now);
    let paths = [
        Path::Relay(1),
        Path::both(b.addr, 1),
        Path::direct(b.addr),
        Path::Relay(2),
        Path::direct(b.addr),
    ];
    let mut sent = Vec::new();
    for n in 0..200u16 {
        if n % 20 == 0 {
            let path = paths[usize::from(n / 20) % paths.len()];
            a.pipeline.set_path(now, &b.key, path, &mut a.out);
        }
        let packet = udp(a.ip, b.ip, (n, 80), 10);
        a.send(now, &packet);
        sent.push(packet);
        settle(now, &mut a, &mut b);
    }
    assert_eq!(b.out.delivered, sent);
}

#[test]
fn a_handshake_without_a_path_goes_out_as_soon_as_there_is_one() {
    let now = Instant::now();
    let (mut a, mut b) = pair(now);
    a.pipeline.set_path(now, &b.key, Path::None, &mut a.out);
    let packet = udp(a.ip, b.ip, (1, 80), 3);
    a.send(now, &packet);
    assert!(a.out.udp.is_empty());
    assert!(a.out.events.contains(&Event::Activity {
        peer: b.key,
        activity: Activity::Sending
    }));
    a.pipeline.set_path(
        now + Duration::from_millis(5),
        &b.key,
        Path::direct(b.addr),
        &mut a.out,
    );
    settle(now, &mut a, &mut b);
    assert_eq!(b.out.delivered, [packet]);
}

#[test]
fn a_peer_is_lazy_until_traffic_and_rests_again_after_it() {
    let start = Instant::now();
    let (mut a, mut b) = pair(start);
    assert!(a.pipeline.peers().iter().all(|peer| peer.tunnel.is_none()));
    assert_eq!(a.pipeline.next_timeout(), None, "nothing to wake for");
    a.send(start, &udp(a.ip, b.ip, (1, 80), 9));
    settle(start, &mut a, &mut b);
    assert!(a.pipeline.next_timeout().unwrap() <= start + Duration::from_millis(250));
    let mut now = start;
    let mut wakes = 0;
    while now < start + Duration::from_secs(50) {
        now = a.pipeline.next_timeout().unwrap().max(now);
        a.pipeline.handle_timeout(now, &mut a.out);
        wakes += 1;
    }
    assert!(wakes < 100, "{wakes} wake-ups in 50 s");
    assert!(a.out.events.contains(&Event::Activity {
        peer: b.key,
        activity: Activity::Idle
    }));
    assert!(a.pipeline.next_timeout().unwrap() > now + Duration::from_secs(5));
    a.out.events.clear();
    a.send(now, &udp(a.ip, b.ip, (1, 80), 9));
    assert_eq!(
        a.out.events,
        [Event::Activity {
            peer: b.key,
            activity: Activity::Sending
        }]
    );
}

#[test]
fn tsmp_pings_are_answered_and_never_delivered() {
    let now = Instant::now();
    let (mut a, mut b) = pair(now);
    b.pipeline.set_engine_ports(vec![41112], &mut b.out);
    a.pipeline.ping_tsmp(now, 77, b.ip, &mut a.out);
    settle(now, &mut a, &mut b);
    let pong = a
        .out
        .events
        .iter()
        .find(|event| matches!(event, Event::Pong { .. }));
    assert!(matches!(
        pong,
        Some(Event::Pong {
            id: 77,
            peer_api_port: Some(41112),
            ..
        })
    ));
    assert!(a.out.delivered.is_empty() && b.out.delivered.is_empty());
    a.pipeline
        .ping_tsmp(now, 78, "100.64.9.9".parse().unwrap(), &mut a.out);
    assert!(a.out.events.contains(&Event::PingFailed { id: 78 }));
}

#[test]
fn a_refused_syn_is_rejected_to_its_opener_whose_flow_is_ended() {
    let now = Instant::now();
    let (mut a, mut b) = pair(now);
    a.send(now, &tcp(a.ip, b.ip, (4000, 81), ip::SYN, 0));
    settle(now, &mut a, &mut b);
    assert!(b.out.delivered.is_empty());
    let from = std::net::SocketAddr::new(a.ip, 4000);
    let to = std::net::SocketAddr::new(b.ip, 81);
    assert_eq!(a.out.refused, [(6, from, to)]);
    let ours = a.out.events.iter().find_map(|event| match event {
        Event::Rejected(reject) => Some(*reject),
        _ => None,
    });
    assert_eq!(
        ours.map(|one| (one.outbound, one.reason, one.from, one.to)),
        Some((true, b'A', from, to))
    );
    // IPv6 and UDP are dropped in silence.
    a.out.refused.clear();
    a.send(now, &tcp(a.ip6, b.ip6, (4000, 81), ip::SYN, 0));
    a.send(now, &udp(a.ip, b.ip, (4000, 81), 1));
    settle(now, &mut a, &mut b);
    assert!(a.out.refused.is_empty());
}

#[test]
fn without_a_filter_nothing_new_comes_in_and_answers_do() {
    let now = Instant::now();
    let (mut a, mut b) = (Node::new(1, now), Node::new(2, now));
    a.add_peer(now, b.spec(), Path::direct(b.addr));
    b.add_peer(now, a.spec(), Path::direct(a.addr));
    a.send(now, &udp(a.ip, b.ip, (53, 80), 9));
    settle(now, &mut a, &mut b);
    assert!(b.out.delivered.is_empty());
    // Local nets known, still no rule: our own question opens the way for its answer only.
    b.open(&[]);
    b.send(now, &udp(b.ip, a.ip, (80, 53), 1));
    settle(now, &mut a, &mut b);
    a.send(now, &udp(a.ip, b.ip, (53, 80), 9));
    a.send(now, &udp(a.ip, b.ip, (54, 80), 9));
    settle(now, &mut a, &mut b);
    assert_eq!(b.out.delivered, [udp(a.ip, b.ip, (53, 80), 9)]);
}

#[test]
fn another_private_key_ends_every_session() {
    let now = Instant::now();
    let (mut a, mut b) = pair(now);
    a.send(now, &udp(a.ip, b.ip, (1, 80), 9));
    settle(now, &mut a, &mut b);
    b.pipeline.set_private_key(None);
    b.out.delivered.clear();
    a.send(now, &udp(a.ip, b.ip, (1, 80), 9));
    settle(now, &mut a, &mut b);
    assert!(b.out.delivered.is_empty());
    b.send(now, &udp(b.ip, a.ip, (1, 80), 9));
    assert_eq!(b.pipeline.counters.out_no_key, 1);
}

#[test]
fn a_thousand_peers_share_one_pipeline_and_each_reaches_it_under_its_own_name() {
    let now = Instant::now();
    let mut hub = Node::new(1, now);
    hub.open(&[80]);
    let mut specs = Vec::new();
    for n in 0..1000u32 {
        let ip = std::net::Ipv4Addr::from(0x6440_1000 + n).into();
        let mut key = [0u8; 32];
        key[..4].copy_from_slice(&n.to_be_bytes());
        specs.push(PeerSpec {
            key,
            jailed: false,
            bare: false,
            sources: vec![host(ip)],
            routes: vec![host(ip)],
        });
    }
    hub.pipeline.set_peers(now, specs, &[], &mut hub.out);
    let mut a = Node::new(2, now);
    a.add_peer(now, hub.spec(), Path::direct(hub.addr));
    hub.add_peer(now, a.spec(), Path::direct(a.addr));
    let packet = udp(a.ip, hub.ip, (1, 80), 9);
    a.send(now, &packet);
    settle(now, &mut a, &mut hub);
    assert_eq!(hub.out.delivered, [packet]);
    assert_eq!(
        hub.pipeline
            .peers()
            .iter()
            .filter(|peer| peer.tunnel.is_some())
            .count(),
        1
    );
}

#[test]
fn a_packet_to_our_own_address_comes_back_even_when_a_peer_routes_everything() {
    let now = Instant::now();
    let (mut a, b) = pair(now);
    let mut exit = b.spec();
    exit.routes.push(support::any4());
    a.pipeline.set_peers(now, vec![exit], &[], &mut a.out);
    let packet = udp(a.ip, a.ip, (1, 80), 9);
    a.send(now, &packet);
    assert_eq!(a.out.delivered, [packet]);
    assert!(a.out.udp.is_empty());
}

/// A pair that has talked, of which `a` now has another key that `b` does not know yet.
fn renewed(now: Instant) -> (Node, Node, [u8; 32]) {
    let (mut a, mut b) = pair(now);
    a.send(now, &udp(a.ip, b.ip, (4000, 80), 1));
    settle(now, &mut a, &mut b);
    b.send(now, &udp(b.ip, a.ip, (80, 4000), 1));
    settle(now, &mut a, &mut b);
    a.out.delivered.clear();
    b.out.delivered.clear();
    let mut secret = [9u8; 32];
    secret[0] &= 248;
    secret[31] = secret[31] & 127 | 64;
    a.pipeline.replace_private_key(now, secret, &mut a.out);
    let key = *Identity::new(secret).public();
    (a, b, key)
}

/// What control does at the peer: the old key goes, the new one comes.
fn learn(now: Instant, b: &mut Node, a: &mut Node, key: [u8; 32]) {
    let old = std::mem::replace(&mut a.key, key);
    b.pipeline
        .set_peers(now, vec![a.spec()], &[old], &mut b.out);
    b.pipeline
        .set_path(now, &key, Path::direct(a.addr), &mut b.out);
}

#[test]
fn a_new_key_leaves_the_sessions_of_the_one_before_usable_both_ways() {
    let now = Instant::now();
    let (mut a, mut b, _) = renewed(now);
    let (there, back) = (
        udp(a.ip, b.ip, (4000, 80), 7),
        udp(b.ip, a.ip, (80, 4000), 8),
    );
    a.send(now, &there);
    b.send(now, &back);
    settle(now, &mut a, &mut b);
    assert_eq!(b.out.delivered, [there]);
    assert_eq!(a.out.delivered, [back]);
}

#[test]
fn what_is_sent_while_the_peer_has_dropped_the_old_session_arrives_with_the_new_one() {
    let now = Instant::now();
    let (mut a, mut b, key) = renewed(now);
    // What greets the peer before it knows the new key is lost, as with a stock peer.
    a.out.udp.clear();
    learn(now, &mut b, &mut a, key);
    // Else the packet itself has it ask for a session (stray.rs).
    b.pipeline.set_path(now, &key, Path::None, &mut b.out);
    let packet = udp(a.ip, b.ip, (4000, 80), 7);
    a.send(now, &packet);
    settle(now, &mut a, &mut b);
    assert!(b.out.delivered.is_empty());
    // The next look at its timers asks the peer again.
    let later = now + Duration::from_millis(260);
    a.pipeline.handle_timeout(later, &mut a.out);
    settle(later, &mut a, &mut b);
    assert_eq!(b.out.delivered.last(), Some(&packet));
    let next = udp(a.ip, b.ip, (4000, 80), 9);
    a.send(later, &next);
    settle(later, &mut a, &mut b);
    assert_eq!(b.out.delivered.last(), Some(&next));
}

#[test]
fn what_was_sent_after_the_peer_learnt_of_a_key_that_we_did_not_use_yet_arrives_with_it() {
    let now = Instant::now();
    let (mut a, mut b) = pair(now);
    a.send(now, &udp(a.ip, b.ip, (4000, 80), 1));
    settle(now, &mut a, &mut b);
    b.out.delivered.clear();
    let mut secret = [9u8; 32];
    secret[0] &= 248;
    secret[31] = secret[31] & 127 | 64;
    learn(now, &mut b, &mut a, *Identity::new(secret).public());
    let later = now + Duration::from_secs(2);
    let packet = udp(a.ip, b.ip, (4000, 80), 7);
    a.send(later, &packet);
    settle(later, &mut a, &mut b);
    assert!(b.out.delivered.is_empty());
    a.pipeline.replace_private_key(later, secret, &mut a.out);
    settle(later, &mut a, &mut b);
    assert_eq!(b.out.delivered, [packet]);
}

#[test]
fn a_peer_that_learns_of_the_new_key_first_and_speaks_first_is_answered() {
    let now = Instant::now();
    let (mut a, mut b, key) = renewed(now);
    a.out.udp.clear();
    learn(now, &mut b, &mut a, key);
    let lost = udp(a.ip, b.ip, (4000, 80), 7);
    a.send(now, &lost);
    settle(now, &mut a, &mut b);
    let question = udp(b.ip, a.ip, (80, 4000), 8);
    b.send(now, &question);
    settle(now, &mut a, &mut b);
    assert_eq!(a.out.delivered, [question]);
    assert_eq!(b.out.delivered.last(), Some(&lost));
}

#[test]
fn the_sessions_of_the_key_before_end_after_a_minute_and_with_the_key() {
    let now = Instant::now();
    let (mut a, mut b, _) = renewed(now);
    settle(now, &mut a, &mut b);
    let back = udp(b.ip, a.ip, (80, 4000), 8);
    let later = now + Duration::from_secs(61);
    a.pipeline.handle_timeout(later, &mut a.out);
    b.send(later, &back);
    settle(later, &mut a, &mut b);
    assert!(a.out.delivered.is_empty());
    let (mut a, mut b, _) = renewed(now);
    a.pipeline.set_private_key(None);
    b.send(now, &back);
    settle(now, &mut a, &mut b);
    assert!(a.out.delivered.is_empty());
}
