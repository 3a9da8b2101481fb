//! Two pipelines back to back in memory: sessions, paths, delivery, and what must not be delivered.

mod support;

use std::time::{Duration, Instant};

use bytes::BytesMut;
use dataplane::event::{Activity, Event};
use dataplane::ip;
use dataplane::peers::{Path, PeerSpec};
use dataplane::pipeline::Via;
use dataplane::tsmp::{self, Message};
use dataplane::tunnel::{Gate, Identity, Opened, Tunnel};
use support::{Node, Rng, carry, host, pair, settle, tcp, udp};

#[test]
fn packets_of_every_size_arrive_as_they_were_sent_with_the_padding_cut() {
    let now = Instant::now();
    let (mut a, mut b) = pair(now);
    for len in 0..=1232 {
        let packet = udp(a.ip, b.ip, (5000, 80), len);
        a.send(now, &packet);
        settle(now, &mut a, &mut b);
        assert_eq!(b.out.delivered.pop().as_deref(), Some(&packet[..]), "payload of {len}");
        let packet = udp(a.ip6, b.ip6, (5000, 80), len);
        a.send(now, &packet);
        settle(now, &mut a, &mut b);
        assert_eq!(b.out.delivered.pop().as_deref(), Some(&packet[..]), "payload of {len}, IPv6");
    }
    assert_eq!(b.pipeline.counters.in_malformed, 0);
}

#[test]
fn sealed_packets_are_padded_to_sixteen_but_not_beyond_the_mtu() {
    let now = Instant::now();
    let (mut a, mut b) = pair(now);
    a.send(now, &udp(a.ip, b.ip, (1, 80), 0));
    settle(now, &mut a, &mut b);
    for (len, want) in [(0usize, 32), (4, 32), (5, 48), (1232, 1264), (1245, 1280), (1251, 1280), (1252, 1280)] {
        a.send(now, &udp(a.ip, b.ip, (1, 80), len));
        assert_eq!(a.out.udp.pop().unwrap().1.len(), want + 32, "payload of {len}");
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
    assert_eq!((a.out.delivered, b.out.delivered), (vec![back], vec![there]));
}

#[test]
fn an_inner_source_of_somebody_else_is_dropped_even_when_a_wider_prefix_holds_it() {
    let now = Instant::now();
    let (mut a, mut b) = pair(now);
    let mut wide = a.spec();
    wide.sources.push(support::any4());
    let other = Node::new(3, now);
    b.pipeline.set_peers(now, vec![wide, other.spec()], &[], &mut b.out);
    a.pipeline.set_own(vec![a.ip]);
    for (src, passes) in [(a.ip, true), (other.ip, false), ("8.8.8.8".parse().unwrap(), true), (a.ip, true)] {
        a.send(now, &udp(src, b.ip, (1, 80), 4));
        settle(now, &mut a, &mut b);
        assert_eq!(b.out.delivered.pop().is_some(), passes, "{src}");
    }
    assert_eq!(b.pipeline.counters.in_bad_source, 1);
    // A peer that goes gives its prefixes back to the wider one.
    b.pipeline.set_peers(now, vec![], &[other.key], &mut b.out);
    a.send(now, &udp(other.ip, b.ip, (1, 80), 4));
    settle(now, &mut a, &mut b);
    assert_eq!(b.out.delivered.len(), 1);
}

#[test]
fn an_initiation_of_an_unknown_peer_is_held_and_replayed_when_the_peer_arrives() {
    let now = Instant::now();
    let (mut a, mut b) = (Node::new(1, now), Node::new(2, now));
    a.add_peer(now, b.spec(), Path::Direct(b.addr));
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
fn a_path_of_both_sends_twice_and_the_copy_is_refused_as_a_replay() {
    let now = Instant::now();
    let (mut a, mut b) = pair(now);
    a.pipeline.set_path(now, &b.key, Path::Both(b.addr, 3), &mut a.out);
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
    let paths = [Path::Relay(1), Path::Both(b.addr, 1), Path::Direct(b.addr), Path::Relay(2), Path::Direct(b.addr)];
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
    assert!(a.out.events.contains(&Event::Activity { peer: b.key, activity: Activity::Sending }));
    a.pipeline.set_path(now + Duration::from_millis(5), &b.key, Path::Direct(b.addr), &mut a.out);
    settle(now, &mut a, &mut b);
    assert_eq!(b.out.delivered, [packet]);
}

#[test]
fn a_single_flipped_bit_anywhere_in_a_message_delivers_nothing() {
    let now = Instant::now();
    let (mut a, mut b) = pair(now);
    a.send(now, &udp(a.ip, b.ip, (1, 80), 9));
    settle(now, &mut a, &mut b);
    b.out.delivered.clear();
    a.send(now, &udp(a.ip, b.ip, (1, 80), 9));
    let sealed = a.out.udp.pop().unwrap().1;
    for bit in 0..sealed.len() * 8 {
        let mut forged = sealed.clone();
        forged[bit / 8] ^= 1 << (bit % 8);
        b.receive(now, Via::Direct(a.addr), &forged);
    }
    assert!(b.out.delivered.is_empty());
    b.receive(now, Via::Direct(a.addr), &sealed);
    assert_eq!(b.out.delivered.len(), 1, "the true one still passes");
    b.receive(now, Via::Direct(a.addr), &sealed);
    assert_eq!(b.out.delivered.len(), 1, "and only once");
}

#[test]
fn flipped_bits_in_handshakes_make_no_session_and_the_true_ones_still_do() {
    let now = Instant::now();
    let (mut a, mut b) = pair(now);
    a.send(now, &udp(a.ip, b.ip, (1, 80), 9));
    let init = a.out.udp.pop().unwrap().1;
    for bit in 0..init.len() * 8 {
        let mut forged = init.clone();
        forged[bit / 8] ^= 1 << (bit % 8);
        b.receive(now, Via::Direct(a.addr), &forged);
        // The last 16 bytes are the cookie's mac2, which is not looked at while nothing is flooded.
        assert!(b.out.udp.is_empty() || bit / 8 >= 132, "bit {bit}");
        if !b.out.udp.is_empty() {
            break;
        }
    }
    let response = b.out.udp.pop().unwrap().1;
    for bit in 0..(response.len() - 16) * 8 {
        let mut forged = response.clone();
        forged[bit / 8] ^= 1 << (bit % 8);
        a.receive(now, Via::Direct(b.addr), &forged);
        assert!(a.out.udp.is_empty(), "bit {bit}");
    }
    a.receive(now, Via::Direct(b.addr), &response);
    settle(now, &mut a, &mut b);
    assert_eq!(b.out.delivered.len(), 1);
}

#[test]
fn rubbish_of_every_size_and_the_empty_datagram_are_survived() {
    let now = Instant::now();
    let (mut a, mut b) = pair(now);
    a.send(now, &udp(a.ip, b.ip, (1, 80), 9));
    settle(now, &mut a, &mut b);
    let mut rng = Rng(7);
    let noise = rng.bytes(65_535);
    for len in 0..=65_535usize {
        let mut datagram = noise[..len].to_vec();
        if len >= 4 && len % 3 != 0 {
            datagram[..4].copy_from_slice(&[(len % 5) as u8, 0, 0, 0]);
        }
        b.receive(now, Via::Direct(a.addr), &datagram);
        if len < 2000 {
            b.receive(now, Via::Relay { region: 1, from: a.key }, &datagram);
            let run = BytesMut::from(&datagram[..]);
            b.pipeline.handle_relay_frames(now, 1, run, &mut b.out);
        }
    }
    b.out.delivered.clear();
    let packet = udp(a.ip, b.ip, (1, 80), 9);
    a.send(now, &packet);
    settle(now, &mut a, &mut b);
    assert_eq!(b.out.delivered, [packet]);
}

#[test]
fn a_flood_of_handshakes_from_one_address_gets_cookies_and_leaves_honest_peers_working() {
    let now = Instant::now();
    let (mut a, mut b) = pair(now);
    let evil = Identity::new([9; 32]);
    let mut tunnel = evil.tunnel(&b.key);
    let from = "198.51.100.1:1".parse().unwrap();
    for _ in 0..2000 {
        let init = tunnel.handshake().unwrap();
        b.receive(now, Via::Direct(from), &init);
    }
    assert_eq!(b.pipeline.counters.in_unknown_peer, 100, "the limit of one address");
    assert_eq!(b.pipeline.counters.in_cookie_sent, 200, "cookies are bounded too");
    assert!(b.out.udp.iter().all(|(to, message)| *to == from && message[0] == 3 && message.len() == 64));
    assert_eq!(b.out.events, [Event::UnknownPeer { key: *evil.public() }]);
    b.out.udp.clear();
    let packet = udp(a.ip, b.ip, (1, 80), 9);
    a.send(now, &packet);
    settle(now, &mut a, &mut b);
    assert_eq!(b.out.delivered, [packet]);
}

#[test]
fn a_flood_from_many_addresses_is_bounded_and_leaves_relays_working() {
    let now = Instant::now();
    let (mut a, mut b) = (Node::new(1, now), Node::new(2, now));
    a.add_peer(now, b.spec(), Path::Relay(1));
    b.add_peer(now, a.spec(), Path::Relay(1));
    b.open(&[80]);
    let evil = Identity::new([9; 32]);
    let mut tunnel = evil.tunnel(&b.key);
    for n in 0..2000u32 {
        let init = tunnel.handshake().unwrap();
        let from = std::net::SocketAddr::new(std::net::Ipv4Addr::from(0x0a00_0000 + n).into(), 1);
        b.receive(now, Via::Direct(from), &init);
    }
    assert_eq!(b.pipeline.counters.in_unknown_peer, 500);
    assert_eq!(b.pipeline.counters.in_flood, 1500);
    let packet = udp(a.ip, b.ip, (1, 80), 9);
    a.send(now, &packet);
    settle(now, &mut a, &mut b);
    assert_eq!(b.out.delivered, [packet]);
    // The counts of sources are forgotten by themselves, so they cannot grow for ever.
    assert!(b.pipeline.next_timeout().unwrap() <= now + Duration::from_secs(1));
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
    assert!(a.out.events.contains(&Event::Activity { peer: b.key, activity: Activity::Idle }));
    assert!(a.pipeline.next_timeout().unwrap() > now + Duration::from_secs(5));
    a.out.events.clear();
    a.send(now, &udp(a.ip, b.ip, (1, 80), 9));
    assert_eq!(a.out.events, [Event::Activity { peer: b.key, activity: Activity::Sending }]);
}

#[test]
fn tsmp_pings_are_answered_and_never_delivered() {
    let now = Instant::now();
    let (mut a, mut b) = pair(now);
    b.pipeline.set_engine_ports(vec![41112], &mut b.out);
    a.pipeline.ping_tsmp(now, 77, b.ip, &mut a.out);
    settle(now, &mut a, &mut b);
    let pong = a.out.events.iter().find(|event| matches!(event, Event::Pong { .. }));
    assert!(matches!(pong, Some(Event::Pong { id: 77, peer_api_port: Some(41112), .. })));
    assert!(a.out.delivered.is_empty() && b.out.delivered.is_empty());
    a.pipeline.ping_tsmp(now, 78, "100.64.9.9".parse().unwrap(), &mut a.out);
    assert!(a.out.events.contains(&Event::PingFailed { id: 78 }));
}

/// A peer of `b` by hand, that can seal any bytes as an inner packet.
fn raw_peer(now: Instant, b: &mut Node, sources: &[std::net::IpAddr]) -> (Tunnel, std::net::SocketAddr) {
    let identity = Identity::new([77; 32]);
    let from = "192.0.2.77:1".parse().unwrap();
    let hosts: Vec<_> = sources.iter().copied().map(host).collect();
    let spec = PeerSpec { key: *identity.public(), jailed: false, sources: hosts.clone(), routes: hosts };
    b.add_peer(now, spec, Path::Direct(from));
    let mut tunnel = identity.tunnel(&b.key);
    let init = tunnel.handshake().unwrap();
    b.receive(now, Via::Direct(from), &init);
    let (_, response) = b.out.udp.pop().unwrap();
    let Gate::Pass(response) = identity.verify(b.addr, BytesMut::from(&response[..])) else { panic!("refused") };
    let Opened::Reply { packet, .. } = tunnel.open_handshake(response) else { panic!("no session") };
    b.receive(now, Via::Direct(from), &packet);
    (tunnel, from)
}

#[test]
fn a_disco_key_advertisement_is_told_and_swallowed_before_the_filter() {
    let now = Instant::now();
    let (a, mut b) = pair(now);
    let peer = "100.64.0.77".parse().unwrap();
    let (mut tunnel, from) = raw_peer(now, &mut b, &[peer]);
    b.pipeline.set_filter(dataplane::filter::Table::default(), &mut b.out);
    let packet = tsmp::encode(&Message::DiscoKey([5; 32]), peer, b.ip).unwrap();
    let sealed = tunnel.seal(BytesMut::from(&packet[..])).unwrap();
    b.receive(now, Via::Direct(from), &sealed);
    assert!(b.out.events.iter().any(|event| matches!(event, Event::DiscoKey { disco, .. } if *disco == [5; 32])));
    assert!(b.out.delivered.is_empty());
    // Somebody else's name makes it nothing.
    let packet = tsmp::encode(&Message::DiscoKey([6; 32]), a.ip, b.ip).unwrap();
    let sealed = tunnel.seal(BytesMut::from(&packet[..])).unwrap();
    b.receive(now, Via::Direct(from), &sealed);
    assert_eq!(b.pipeline.counters.in_bad_source, 1);
    // TSMP of this host's own programs never leaves.
    b.send(now, &tsmp::encode(&Message::DiscoKey([7; 32]), b.ip, peer).unwrap());
    assert_eq!(b.pipeline.counters.out_malformed, 1);
}

#[test]
fn an_authenticated_peer_that_sends_rubbish_inside_delivers_nothing() {
    let now = Instant::now();
    let (_, mut b) = pair(now);
    let peer = "100.64.0.77".parse().unwrap();
    let (mut tunnel, from) = raw_peer(now, &mut b, &[peer]);
    let mut rng = Rng(3);
    for len in 0..1500usize {
        let mut inner = rng.bytes(len);
        if let Some(first) = inner.first_mut() {
            *first = [0x45, 0x60, 0x4f, 0x00][len % 4];
        }
        let sealed = tunnel.seal(BytesMut::from(&inner[..])).unwrap();
        b.receive(now, Via::Direct(from), &sealed);
    }
    assert!(b.out.delivered.is_empty());
    let good = udp(peer, b.ip, (1, 80), 4);
    let mut padded = good.clone();
    padded.resize(1280, 0xee);
    let sealed = tunnel.seal(BytesMut::from(&padded[..])).unwrap();
    b.receive(now, Via::Direct(from), &sealed);
    assert_eq!(b.out.delivered, [good], "all behind the packet's own length is cut");
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
    assert_eq!(ours.map(|one| (one.outbound, one.reason, one.from, one.to)), Some((true, b'A', from, to)));
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
    a.add_peer(now, b.spec(), Path::Direct(b.addr));
    b.add_peer(now, a.spec(), Path::Direct(a.addr));
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
fn stun_and_disco_go_up_and_nothing_else_does() {
    let now = Instant::now();
    let (a, mut b) = pair(now);
    let mut stun = vec![1, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42];
    stun.resize(32, 0);
    let mut disco = b"TS\xf0\x9f\x92\xac".to_vec();
    disco.resize(124, 1);
    for datagram in [&stun[..], &disco, &[0; 40], &[], b"hello"] {
        b.receive(now, Via::Direct(a.addr), datagram);
    }
    assert_eq!(b.out.unclaimed, [stun, disco]);
}

#[test]
fn a_removed_peer_is_gone_with_its_sessions() {
    let now = Instant::now();
    let (mut a, mut b) = pair(now);
    a.send(now, &udp(a.ip, b.ip, (1, 80), 9));
    settle(now, &mut a, &mut b);
    b.out.delivered.clear();
    b.pipeline.set_peers(now, vec![], &[a.key], &mut b.out);
    a.send(now, &udp(a.ip, b.ip, (1, 80), 9));
    settle(now, &mut a, &mut b);
    assert!(b.out.delivered.is_empty());
    assert_eq!(b.pipeline.counters.in_unknown_index, 1);
    b.send(now, &udp(b.ip, a.ip, (1, 80), 9));
    assert_eq!(b.pipeline.counters.out_no_route, 1);
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
        specs.push(PeerSpec { key, jailed: false, sources: vec![host(ip)], routes: vec![host(ip)] });
    }
    hub.pipeline.set_peers(now, specs, &[], &mut hub.out);
    let mut a = Node::new(2, now);
    a.add_peer(now, hub.spec(), Path::Direct(hub.addr));
    hub.add_peer(now, a.spec(), Path::Direct(a.addr));
    let packet = udp(a.ip, hub.ip, (1, 80), 9);
    a.send(now, &packet);
    settle(now, &mut a, &mut hub);
    assert_eq!(hub.out.delivered, [packet]);
    assert_eq!(hub.pipeline.peers().iter().filter(|peer| peer.tunnel.is_some()).count(), 1);
}
