//! What strangers, forgers, floods and peers with bad intentions may not achieve.

mod support;

use std::time::{Duration, Instant};

use bytes::BytesMut;
use dataplane::event::Event;
use dataplane::peers::{Path, PeerSpec};
use dataplane::pipeline::Via;
use dataplane::tsmp::{self, Message};
use dataplane::tunnel::{Gate, Identity, Opened, Tunnel};
use support::{Node, Rng, host, pair, settle, udp};

#[test]
fn an_inner_source_of_somebody_else_is_dropped_even_when_a_wider_prefix_holds_it() {
    let now = Instant::now();
    let (mut a, mut b) = pair(now);
    let mut wide = a.spec();
    wide.sources.push(support::any4());
    let other = Node::new(3, now);
    b.pipeline
        .set_peers(now, vec![wide, other.spec()], &[], &mut b.out);
    a.pipeline.set_own(vec![a.ip]);
    for (src, passes) in [
        (a.ip, true),
        (other.ip, false),
        ("8.8.8.8".parse().unwrap(), true),
        (a.ip, true),
    ] {
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
            b.receive(
                now,
                Via::Relay {
                    region: 1,
                    from: a.key,
                },
                &datagram,
            );
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
    assert_eq!(
        b.pipeline.counters.in_unknown_peer, 100,
        "the limit of one address"
    );
    assert_eq!(
        b.pipeline.counters.in_cookie_sent, 200,
        "cookies are bounded too"
    );
    assert!(
        b.out
            .udp
            .iter()
            .all(|(to, message)| *to == from && message[0] == 3 && message.len() == 64)
    );
    assert_eq!(
        b.out.events,
        [Event::UnknownPeer {
            key: *evil.public()
        }]
    );
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

/// A peer of `b` by hand, that can seal any bytes as an inner packet.
fn raw_peer(
    now: Instant,
    b: &mut Node,
    sources: &[std::net::IpAddr],
) -> (Tunnel, std::net::SocketAddr) {
    let identity = Identity::new([77; 32]);
    let from = "192.0.2.77:1".parse().unwrap();
    let hosts: Vec<_> = sources.iter().copied().map(host).collect();
    let spec = PeerSpec {
        key: *identity.public(),
        jailed: false,
        bare: false,
        sources: hosts.clone(),
        routes: hosts,
    };
    b.add_peer(now, spec, Path::direct(from));
    let mut tunnel = identity.tunnel(&b.key);
    let init = tunnel.handshake().unwrap();
    b.receive(now, Via::Direct(from), &init);
    let (_, response) = b.out.udp.pop().unwrap();
    let Gate::Pass(response) = identity.verify(b.addr, BytesMut::from(&response[..])) else {
        panic!("refused")
    };
    let Opened::Reply { packet, .. } = tunnel.open_handshake(response) else {
        panic!("no session")
    };
    b.receive(now, Via::Direct(from), &packet);
    (tunnel, from)
}

#[test]
fn a_disco_key_advertisement_is_told_and_swallowed_before_the_filter() {
    let now = Instant::now();
    let (a, mut b) = pair(now);
    let peer = "100.64.0.77".parse().unwrap();
    let (mut tunnel, from) = raw_peer(now, &mut b, &[peer]);
    b.pipeline
        .set_filter(dataplane::filter::Table::default(), &mut b.out);
    let packet = tsmp::encode(&Message::DiscoKey([5; 32]), peer, b.ip).unwrap();
    let sealed = tunnel.seal(BytesMut::from(&packet[..])).unwrap();
    b.receive(now, Via::Direct(from), &sealed);
    assert!(
        b.out
            .events
            .iter()
            .any(|event| matches!(event, Event::DiscoKey { disco, .. } if *disco == [5; 32]))
    );
    assert!(b.out.delivered.is_empty());
    // Somebody else's name makes it nothing.
    let packet = tsmp::encode(&Message::DiscoKey([6; 32]), a.ip, b.ip).unwrap();
    let sealed = tunnel.seal(BytesMut::from(&packet[..])).unwrap();
    b.receive(now, Via::Direct(from), &sealed);
    assert_eq!(b.pipeline.counters.in_bad_source, 1);
    // TSMP of this host's own programs never leaves.
    b.send(
        now,
        &tsmp::encode(&Message::DiscoKey([7; 32]), b.ip, peer).unwrap(),
    );
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
    assert_eq!(
        b.out.delivered,
        [good],
        "all behind the packet's own length is cut"
    );
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

/// One inner packet, sealed by a peer that writes what it likes.
fn inject(
    now: Instant,
    packet: &[u8],
    b: &mut Node,
    (tunnel, from): &mut (Tunnel, std::net::SocketAddr),
) {
    let sealed = tunnel.seal(BytesMut::from(packet)).unwrap();
    b.receive(now, Via::Direct(*from), &sealed);
}

#[test]
fn packets_in_the_name_of_others_are_dropped_and_told_with_the_peer_folded_and_within_a_rate() {
    let now = Instant::now();
    let (a, mut b) = pair(now);
    let peer = "100.64.0.77".parse().unwrap();
    let mut raw = raw_peer(now, &mut b, &[peer]);
    b.out.events.clear();
    for port in 0..1000 {
        inject(now, &udp(a.ip, b.ip, (port, 80), 4), &mut b, &mut raw);
    }
    // An exit node may use any source, but none of ours and none that is nobody's.
    let key = *Identity::new([77; 32]).public();
    let mut wide = PeerSpec {
        key,
        jailed: false,
        bare: false,
        sources: vec![host(peer), support::any4(), support::any6()],
        routes: vec![host(peer)],
    };
    b.pipeline
        .set_peers(now, vec![wide.clone()], &[], &mut b.out);
    for text in ["127.0.0.1", "0.0.0.0", "255.255.255.255", "224.0.0.1"] {
        inject(
            now,
            &udp(text.parse().unwrap(), b.ip, (1, 80), 4),
            &mut b,
            &mut raw,
        );
    }
    for text in ["::1", "::", "ff02::1", "::ffff:127.0.0.1"] {
        inject(
            now,
            &udp(text.parse().unwrap(), b.ip6, (1, 80), 4),
            &mut b,
            &mut raw,
        );
    }
    inject(now, &udp(b.ip, b.ip, (1, 80), 4), &mut b, &mut raw);
    assert!(b.out.delivered.is_empty());
    assert_eq!(b.pipeline.counters.in_bad_source, 1009);
    let told: Vec<_> = b
        .out
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Rejected(one) => Some(one),
            _ => None,
        })
        .collect();
    assert!(told.len() <= 60 && told.iter().all(|one| one.peer == key && one.reason == b'B'));
    let of_a = told.iter().filter(|one| one.from.ip() == a.ip).count();
    assert_eq!(of_a, 1, "a thousand alike are one");
    let later = now + Duration::from_secs(2);
    b.out.events.clear();
    wide.sources.truncate(1);
    b.pipeline.set_peers(later, vec![wide], &[], &mut b.out);
    inject(later, &udp(a.ip, b.ip, (1, 80), 4), &mut b, &mut raw);
    let count = b.out.events.iter().find_map(|event| match event {
        Event::Rejected(one) => Some(one.count),
        _ => None,
    });
    assert_eq!(
        count,
        Some(1000),
        "with the number of those that were not told"
    );
    inject(later, &udp(peer, b.ip, (1, 80), 4), &mut b, &mut raw);
    assert_eq!(b.out.delivered.len(), 1, "the tunnel is alive");
}

#[test]
fn a_peer_cannot_make_up_refusals_of_what_we_never_sent() {
    let now = Instant::now();
    let (_, mut b) = pair(now);
    let peer = "100.64.0.77".parse().unwrap();
    let mut raw = raw_peer(now, &mut b, &[peer]);
    b.out.events.clear();
    let reject = |src_port: u16, maybe_broken: bool| {
        let (proto, reason, dst_port) = (6, b'A', 443);
        let message = Message::Reject {
            proto,
            reason,
            src_port,
            dst_port,
            maybe_broken,
        };
        tsmp::encode(&message, peer, "100.64.0.2".parse().unwrap()).unwrap()
    };
    for port in 0..100 {
        inject(now, &reject(port, false), &mut b, &mut raw);
    }
    let told = |event: &Event| matches!(event, Event::Rejected(_));
    assert!(b.out.refused.is_empty() && !b.out.events.iter().any(told));
    b.send(
        now,
        &support::tcp(b.ip, peer, (4000, 443), dataplane::ip::SYN, 0),
    );
    inject(now, &reject(4000, true), &mut b, &mut raw);
    assert!(b.out.refused.is_empty(), "the peer is not sure itself");
    inject(now, &reject(4000, false), &mut b, &mut raw);
    assert_eq!(b.out.refused.len(), 1);
}

#[test]
fn any_bytes_inside_the_tunnel_leave_it_alive_and_what_it_remembers_bounded() {
    let now = Instant::now();
    let (_, mut b) = pair(now);
    let peer = "100.64.0.77".parse().unwrap();
    let mut raw = raw_peer(now, &mut b, &[peer]);
    let templates = [
        udp(peer, b.ip, (4000, 80), 64),
        support::tcp(peer, b.ip, (4000, 80), dataplane::ip::SYN, 32),
        tsmp::encode(&Message::Ping([1; 8]), peer, b.ip).unwrap(),
        {
            let mut error = Vec::new();
            assert!(dataplane::ip::push_header(
                &mut error,
                dataplane::ip::ICMP,
                peer,
                b.ip,
                40
            ));
            error.extend([3, 4, 0, 0, 0, 0, 5, 0]);
            error.extend(udp(b.ip, peer, (80, 4000), 4));
            error
        },
    ];
    let mut rng = Rng(20_261_123);
    for _ in 0..60_000 {
        let mut packet = rng.pick(&templates).clone();
        for _ in 0..1 + rng.below(4) {
            // Not the source: those end earlier.
            let at = rng.below(packet.len() as u64) as usize;
            if !(12..16).contains(&at) {
                packet[at] = rng.next() as u8;
            }
        }
        if rng.below(8) == 0 {
            packet.truncate(rng.below(packet.len() as u64 + 1) as usize);
        }
        inject(now, &packet, &mut b, &mut raw);
        b.out.delivered.clear();
        b.out.udp.clear();
        b.out.events.clear();
    }
    let counters = &b.pipeline.counters;
    for (name, count) in [
        ("malformed", counters.in_malformed),
        ("rules", counters.in_filtered_rules),
        ("icmp", counters.in_filtered_icmp),
        ("unknown", counters.in_filtered_unknown_proto),
        ("not local", counters.in_filtered_not_local),
        ("held", counters.in_held_fragments),
        ("delivered", counters.in_delivered),
    ] {
        assert!(count > 0, "{name} never happened");
    }
    inject(now, &udp(peer, b.ip, (9, 80), 4), &mut b, &mut raw);
    assert_eq!(b.out.delivered.len(), 1);
}
