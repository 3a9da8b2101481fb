//! Serving others: destinations that are not this machine's, what is refused, what one peer may hold.

mod support;

use netstack::{Config, Event, ProxyKind};
use socket2::{Domain, Socket, Type};
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;
use support::*;

/// This machine's own address on some other interface stands for another machine. None without one.
fn outside() -> Option<IpAddr> {
    let probe = UdpSocket::bind("0.0.0.0:0").unwrap();
    let address = probe
        .connect("192.0.2.1:9")
        .and_then(|()| probe.local_addr())
        .ok()?
        .ip();
    (!address.is_loopback() && TcpListener::bind((address, 0)).is_ok()).then_some(address)
}

/// A lab whose `b` has everything on offer.
fn serving(config: Config) -> Lab {
    let quick = Config {
        connect_timeout: Duration::from_secs(60),
        ..Config::default()
    };
    let lab = Lab::with(quick, config);
    lab.on(|w| w.b.set_offered(Some(Box::new(|_| true))));
    lab
}

fn sum(bytes: &[u8], start: u32) -> u16 {
    let mut sum = start;
    for pair in bytes.chunks(2) {
        sum += u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0));
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// A packet with right checksums; `body` begins with the transport header, whose checksum lies at `at`.
fn packet(proto: u8, src: Ipv4Addr, dst: Ipv4Addr, mut body: Vec<u8>, at: usize) -> Vec<u8> {
    let mut packet = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 64, proto, 0, 0];
    packet.extend_from_slice(&src.octets());
    packet.extend_from_slice(&dst.octets());
    let length = (20 + body.len()) as u16;
    packet[2..4].copy_from_slice(&length.to_be_bytes());
    let ip_sum = sum(&packet, 0);
    packet[10..12].copy_from_slice(&ip_sum.to_be_bytes());
    let pseudo = match proto {
        1 => 0,
        _ => {
            let ends = packet[12..20].chunks(2);
            let ends: u32 = ends.map(|p| u32::from(p[0]) << 8 | u32::from(p[1])).sum();
            ends + u32::from(proto) + body.len() as u32
        }
    };
    let body_sum = sum(&body, pseudo);
    body[at..at + 2].copy_from_slice(&body_sum.to_be_bytes());
    packet.extend_from_slice(&body);
    packet
}

fn syn(src: Ipv4Addr, dst: Ipv4Addr, ports: (u16, u16)) -> Vec<u8> {
    let mut body = [ports.0.to_be_bytes(), ports.1.to_be_bytes()].concat();
    body.extend_from_slice(&[0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 0xff, 0xff, 0, 0, 0, 0]);
    packet(6, src, dst, body, 16)
}

fn datagram(src: Ipv4Addr, dst: Ipv4Addr, ports: (u16, u16)) -> Vec<u8> {
    let mut body = [ports.0.to_be_bytes(), ports.1.to_be_bytes()].concat();
    body.extend_from_slice(&[0, 12, 0, 0, b'f', b'o', b'u', b'r']);
    packet(17, src, dst, body, 6)
}

fn echo(src: Ipv4Addr, dst: Ipv4Addr, id: u16) -> Vec<u8> {
    let mut body = vec![8, 0, 0, 0];
    body.extend_from_slice(&id.to_be_bytes());
    body.extend_from_slice(&[0, 1, b'd', b'a', b't', b'a']);
    packet(1, src, dst, body, 2)
}

const PEER: Ipv4Addr = Ipv4Addr::new(100, 64, 0, 1);

#[test]
fn a_port_where_nobody_listens_does_not_answer_itself() {
    let lab = Lab::new();
    let free = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let closed = free.local_addr().unwrap().port();
    drop(free);
    let asked = datagram(PEER, Ipv4Addr::new(100, 64, 0, 2), (closed, closed));
    let open = lab.on(move |w| {
        w.b.handle_packet(w.now, &asked);
        (w.b.counters().packets_in, w.b.counters().udp_open)
    });
    assert_eq!(open, (1, 0));
}

#[test]
fn a_service_elsewhere_is_reached_refused_and_found_missing_as_by_a_router() {
    let Some(outside) = outside() else { return };
    let listener = TcpListener::bind((outside, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let lab = serving(Config::default());
    let proxy = lab.proxy(ProxyKind::Socks5);
    let mut stream = socks_connect(proxy, &outside.to_string(), port).unwrap();
    let (mut service, from) = listener.accept().unwrap();
    service.write_all(b"elsewhere").unwrap();
    let mut answer = [0; 9];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"elsewhere");
    let rows = lab.on(|w| w.b.served());
    let row = rows.first().unwrap();
    assert_eq!(
        (rows.len(), row.from, row.to, row.tcp),
        (1, ip(A4), outside, 1)
    );
    // Who is behind a connection is told of own services alone.
    assert_eq!(lab.on(move |w| w.b.flow_owner(6, from)), None);
    drop((stream, service, listener));
    assert_eq!(
        socks_connect(proxy, &outside.to_string(), port).unwrap_err(),
        5
    );
}

#[test]
fn a_place_that_says_nothing_gives_its_dial_back_and_is_told_as_unreachable() {
    let Some(outside) = outside() else { return };
    // A backlog of one, filled: further connections hang.
    let socket = Socket::new(
        Domain::for_address(SocketAddr::new(outside, 0)),
        Type::STREAM,
        None,
    )
    .unwrap();
    socket.bind(&SocketAddr::new(outside, 0).into()).unwrap();
    socket.listen(0).unwrap();
    let to = socket.local_addr().unwrap().as_socket().unwrap();
    let mut fill = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&to, Duration::from_millis(200)) {
        fill.push(stream);
    }
    let IpAddr::V4(dst) = outside else { return };
    let lab = serving(Config::default());
    lab.on(move |w| {
        w.tap = keep(|_, _| false);
        w.b.handle_packet(w.now, &syn(PEER, dst, (1000, to.port())));
        let mut wire = Wire::default();
        w.b.poll(w.now, &mut wire);
        assert_eq!((wire.0.len(), w.b.served().len()), (0, 1));
        w.b.poll(w.now + Duration::from_secs(11), &mut wire);
        assert_eq!((wire.0.len(), w.b.served().len()), (1, 0));
        let answer = &wire.0[0];
        assert_eq!(
            (answer[9], answer[20], answer[21]),
            (1, 3, 1),
            "not an ICMP host unreachable"
        );
        assert_eq!(answer[16..20], PEER.octets());
        // The SYN is quoted, so that its sender knows which.
        assert_eq!(
            answer[48..52],
            [1000u16.to_be_bytes(), to.port().to_be_bytes()].concat()[..]
        );
    });
}

#[test]
fn datagrams_go_elsewhere_and_back_and_a_closed_port_is_told() {
    let Some(IpAddr::V4(outside)) = outside() else {
        return;
    };
    let service = UdpSocket::bind((outside, 0)).unwrap();
    let port = service.local_addr().unwrap().port();
    let lab = serving(Config::default());
    lab.on(move |w| {
        w.tap = keep(|_, _| false);
        let packet = datagram(PEER, outside, (4000, port));
        w.b.handle_packet(w.now, &packet);
    });
    service.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut buffer = [0; 64];
    let (n, from) = service.recv_from(&mut buffer).unwrap();
    assert_eq!(&buffer[..n], b"four");
    lab.on(move |w| {
        let row = w.b.served()[0];
        assert_eq!((row.udp, row.to), (1, outside.into()));
    });
    service.send_to(b"answer", from).unwrap();
    lab.wait_for(|w| (w.b.counters().udp_out == 1).then_some(()));
    drop(service);
    lab.on(move |w| {
        let packet = datagram(PEER, outside, (4000, port));
        w.b.handle_packet(w.now, &packet);
    });
    lab.wait_for(|w| (w.b.counters().icmp_unreachable > 0).then_some(()));
}

#[test]
fn echo_requests_go_elsewhere_and_their_answers_come_back_as_they_were_asked() {
    let Some(IpAddr::V4(outside)) = outside() else {
        return;
    };
    let lab = serving(Config::default());
    lab.on(move |w| w.a.ping_icmp(w.now, 7, outside.into(), 40));
    // Where the system lets nobody have a ping socket the owner is asked.
    lab.wait_for(|w| {
        if let Some(Event::EchoWanted { id, .. }) = w.events_b.pop() {
            w.b.answer_echo(id, true);
            w.settle();
        }
        let pong = |e: &Event| matches!(e, Event::Pong { id: 7, .. });
        w.events_a.iter().any(pong).then_some(())
    });
    let counters = lab.on(|w| w.b.counters().clone());
    assert_eq!((counters.echo_passed, counters.echo_answered), (1, 1));
    // Answers to nothing are ignored.
    lab.on(|w| (0..=u16::MAX).for_each(|id| w.b.answer_echo(id, true)));
    assert_eq!(lab.on(|w| w.b.counters().echo_answered), 1);
}

#[test]
fn echo_requests_that_wait_are_bounded_for_a_peer_and_for_all() {
    let lab = serving(Config {
        max_echoes: 9,
        ..Config::default()
    });
    let counters = lab.on(|w| {
        w.tap = keep(|_, _| false);
        for peer in 0..3 {
            for id in 0..10 {
                // TEST-NET-3 answers nobody.
                let packet = echo(PEER, Ipv4Addr::new(203, 0, 113, 9), id);
                w.b.handle_packet_of(w.now, peer, &packet);
            }
        }
        w.b.counters().clone()
    });
    if counters.drop_echo_unable > 0 {
        return;
    }
    assert_eq!((counters.echo_passed, counters.drop_echo_limit), (9, 21));
    let again = lab.on(|w| {
        let later = w.now + Duration::from_secs(6);
        w.b.poll(later, &mut Wire::default());
        let packet = echo(PEER, Ipv4Addr::new(203, 0, 113, 9), 1);
        w.b.handle_packet_of(later, 0, &packet);
        w.b.counters().echo_passed
    });
    assert_eq!(again, 10);
}

#[test]
fn nothing_is_dialled_for_others_that_is_nobodys_to_ask_for() {
    let lab = serving(Config::default());
    lab.on(|w| {
        w.tap = keep(|_, _| false);
        let never = |i: u32| -> Ipv4Addr {
            let bases: [(u32, u32); 7] = [
                (0, 8),
                (0x7f00_0000, 8),
                (0xa9fe_0000, 16),
                (0x6440_0000, 10),
                (0xe000_0000, 4),
                (0xf000_0000, 4),
                (0xffff_ffff, 32),
            ];
            let (base, bits) = bases[i as usize % bases.len()];
            let host = i.wrapping_mul(0x9e37_79b9) & (u32::MAX.checked_shr(bits).unwrap_or(0));
            (base | host).into()
        };
        for i in 0..20_000u32 {
            let dst = never(i);
            if dst == Ipv4Addr::new(169, 254, 169, 254) || IpAddr::from(dst) == ip(B4) {
                continue;
            }
            let ports = (i as u16 | 1, (i >> 3) as u16 | 1);
            w.b.handle_packet(w.now, &syn(PEER, dst, ports));
            w.b.handle_packet(w.now, &datagram(PEER, dst, ports));
            w.b.handle_packet(w.now, &echo(PEER, dst, i as u16));
        }
        let counters = w.b.counters().clone();
        assert!(w.b.served().is_empty());
        let opened = [
            counters.udp_open,
            counters.echo_passed,
            counters.dials_failed,
        ];
        assert_eq!(opened, [0, 0, 0], "{counters:?}");
        assert_eq!(counters.flows_inbound + counters.inbound_refused, 0);
    });
}

#[test]
fn what_listens_for_own_programs_is_not_for_peers() {
    let lab = Lab::new();
    let inner = lab.on(|w| {
        let any = "127.0.0.1:0".parse().unwrap();
        w.b.listen_proxy(ProxyKind::Socks5, any).unwrap()
    });
    let proxy = lab.proxy(ProxyKind::Socks5);
    assert_eq!(socks_connect(proxy, "b.test", inner.port()).unwrap_err(), 5);
    let forward = lab.on(|w| {
        let any = "127.0.0.1:0".parse().unwrap();
        w.b.listen_forward(1, true, any).unwrap()
    });
    lab.on(move |w| {
        w.tap = keep(|_, _| false);
        let own: Ipv4Addr = B4.parse().unwrap();
        w.b.handle_packet(w.now, &datagram(PEER, own, (4000, forward.port())));
        let counters = w.b.counters();
        assert_eq!((counters.udp_open, counters.icmp_unreachable), (0, 1));
    });
}

#[test]
fn a_cut_ends_what_is_served_and_its_dials() {
    let Some(IpAddr::V4(outside)) = outside() else {
        return;
    };
    let listener = TcpListener::bind((outside, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let lab = serving(Config::default());
    let proxy = lab.proxy(ProxyKind::Socks5);
    let mut stream = socks_connect(proxy, &outside.to_string(), port).unwrap();
    let (mut service, _) = listener.accept().unwrap();
    let cut = lab.on(move |w| {
        w.b.handle_packet(w.now, &datagram(PEER, outside, (4000, port)));
        w.b.cut_flows(w.now, |f| f.inbound && f.to.ip() == IpAddr::from(outside))
    });
    assert_eq!(cut, 2);
    assert!(stream.read(&mut [0]).is_err());
    assert!(!matches!(service.read(&mut [0]), Ok(1..)));
    assert!(lab.on(|w| w.b.served().is_empty()));
}

#[test]
fn one_peer_with_a_thousand_flows_leaves_room_for_others_and_is_bounded() {
    let port = echo_server();
    let own: Ipv4Addr = B4.parse().unwrap();
    let lab = Lab::with(
        Config::default(),
        Config {
            max_flows: 900,
            ..Config::default()
        },
    );
    lab.on(move |w| {
        // The flood's answers go nowhere.
        w.tap = keep(|to_b, packet| to_b || packet[16..20] == [100, 64, 0, 1]);
        for i in 0..1000u16 {
            let from = Ipv4Addr::from(0x6440_0700 + u32::from(i % 200));
            w.b.handle_packet_of(w.now, 7, &syn(from, own, (2000 + i, port)));
            w.b.handle_packet_of(w.now, 7, &datagram(from, own, (2000 + i, 9)));
        }
    });
    let proxy = lab.proxy(ProxyKind::Socks5);
    for _ in 0..20 {
        let mut stream = socks_connect(proxy, "b.test", port).unwrap();
        stream.write_all(b"x").unwrap();
        stream.read_exact(&mut [0]).unwrap();
    }
    let counters = lab.on(|w| w.b.counters().clone());
    assert!(
        counters.drop_flow_limit + counters.drop_half_open > 0,
        "{counters:?}"
    );
    assert!(counters.flows_open <= 600 + 20, "{counters:?}");
}
