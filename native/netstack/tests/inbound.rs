//! Flows from the tunnel and what ends them from above: engine ports, cuts, rejects, floods, limits.

mod support;

use netstack::{Config, Event, ProxyKind};
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};
use support::*;

#[test]
fn an_engine_port_hands_up_a_stream() {
    let lab = Lab::new();
    lab.on(|w| w.b.set_engine_ports(&[4242]));
    let proxy = lab.proxy(ProxyKind::Socks5);
    let mut client = socks_connect(proxy, "b.test", 4242).unwrap();
    let (from, to, fd) = lab.wait_for(|w| match w.events_b.pop()? {
        Event::Inbound { from, to, fd, .. } => Some((from, to, fd)),
        _ => None,
    });
    assert_eq!((from.ip(), to), (ip(A4), SocketAddr::new(ip(B4), 4242)));
    let mut engine = UnixStream::from(fd);
    engine.set_nonblocking(false).unwrap();
    client.write_all(b"question").unwrap();
    let mut got = [0; 8];
    engine.read_exact(&mut got).unwrap();
    assert_eq!(&got, b"question");
    engine.write_all(b"answer").unwrap();
    drop(engine);
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "answer");
}

#[test]
fn a_service_on_the_v6_loopback_gets_v6_flows() {
    let Ok(listener) = TcpListener::bind("[::1]:0") else {
        return;
    };
    let port = listener.local_addr().unwrap().port();
    let lab = Lab::new();
    let proxy = lab.proxy(ProxyKind::Socks5);
    let mut stream = socks_connect(proxy, "b6.test", port).unwrap();
    let (mut service, peer) = listener.accept().unwrap();
    assert!(peer.is_ipv6());
    service.write_all(b"six").unwrap();
    drop(service);
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "six");
}

#[test]
fn a_cut_resets_both_sides_of_the_flows_it_names() {
    let (kept, cut) = (echo_server(), echo_server());
    let lab = Lab::new();
    let proxy = lab.proxy(ProxyKind::Socks5);
    let mut to_keep = socks_connect(proxy, "b.test", kept).unwrap();
    let mut to_cut = socks_connect(proxy, "b.test", cut).unwrap();
    let count = lab.on(move |w| w.b.cut_flows(w.now, |f| f.inbound && f.to.port() == cut));
    assert_eq!(count, 1);
    assert!(to_cut.read(&mut [0]).is_err());
    to_keep.write_all(b"x").unwrap();
    to_keep.read_exact(&mut [0]).unwrap();
    // A changed own address cuts what used it.
    lab.on(|w| w.b.set_addresses(&[ip(B6)]));
    assert!(to_keep.read(&mut [0]).is_err());
    lab.wait_for(|w| (w.a.counters().flows_open == 0).then_some(()));
}

#[test]
fn a_reject_ends_a_dial_as_not_allowed() {
    let lab = Lab::new();
    let proxy = lab.proxy(ProxyKind::Socks5);
    lab.on(|w| {
        // Every SYN is rejected in the way the peer's filter would.
        w.tap = keep(|to_b, packet| !(to_b && packet[9] == 6));
    });
    let client = std::thread::spawn(move || socks_connect(proxy, "b.test", 4321));
    lab.wait_for(|w| (w.a.counters().flows_open == 1).then_some(()));
    let rejected = lab.on(|w| {
        let to = SocketAddr::new(ip(B4), 4321);
        (0..=u16::MAX)
            .map(|port| SocketAddr::new(ip(A4), port))
            .filter(|from| w.a.reject_flow(w.now, 6, (*from, to), false))
            .count()
    });
    assert_eq!(rejected, 1);
    assert_eq!(client.join().unwrap().unwrap_err(), 2);
}

/// A SYN from `100.64.7.x` (or any source) to `b`, with right checksums.
fn syn(source: u32, source_port: u16, port: u16) -> Vec<u8> {
    let mut packet = vec![0u8; 40];
    packet[0] = 0x45;
    packet[3] = 40;
    packet[8] = 64;
    packet[9] = 6;
    packet[12..16].copy_from_slice(&source.to_be_bytes());
    packet[16..20].copy_from_slice(&0x6440_0002u32.to_be_bytes());
    packet[20..22].copy_from_slice(&source_port.to_be_bytes());
    packet[22..24].copy_from_slice(&port.to_be_bytes());
    packet[32] = 0x50;
    packet[33] = 2;
    packet[34] = 0xff;
    let sum = |bytes: &[u8], start: u32| {
        let mut sum = start;
        for pair in bytes.chunks(2) {
            sum += u32::from(pair[0]) << 8 | u32::from(pair[1]);
        }
        while sum > 0xffff {
            sum = (sum >> 16) + (sum & 0xffff);
        }
        !(sum as u16)
    };
    let ip_sum = sum(&packet[..20], 0);
    packet[10..12].copy_from_slice(&ip_sum.to_be_bytes());
    let pseudo = (0..4).map(|i| {
        let at = 12 + 2 * i;
        u32::from(packet[at]) << 8 | u32::from(packet[at + 1])
    });
    let start = pseudo.sum::<u32>() + 6 + 20;
    let tcp_sum = sum(&packet[20..], start);
    packet[36..38].copy_from_slice(&tcp_sum.to_be_bytes());
    packet
}

#[test]
fn a_syn_flood_is_bounded_and_real_connections_get_through() {
    let few = Config {
        max_half_open: 64,
        ..Config::default()
    };
    let port = echo_server();
    let lab = Lab::with(Config::default(), few);
    lab.on(|w| w.b.set_engine_ports(&[4242]));
    let proxy = lab.proxy(ProxyKind::Socks5);
    lab.on(move |w| {
        // The answers must not reach `a`, whose resets would end the flood.
        w.tap = keep(|to_b, packet| to_b || packet[16..20] == [100, 64, 0, 1]);
        for i in 0..5000u32 {
            let target = if i % 2 == 0 { 4242 } else { port };
            let packet = syn(0x6440_0700 + i % 250, 1000 + (i / 250) as u16, target);
            w.b.handle_packet(w.now, &packet);
            if i % 100 == 0 {
                w.settle();
            }
        }
    });
    let counters = lab.on(|w| w.b.counters().clone());
    assert!(counters.flows_open <= 64, "{counters:?}");
    assert!(counters.drop_half_open > 4000, "{counters:?}");
    for _ in 0..20 {
        let mut stream = socks_connect(proxy, "b.test", port).unwrap();
        stream.write_all(b"x").unwrap();
        stream.read_exact(&mut [0]).unwrap();
    }
    assert!(lab.on(|w| w.events_b.is_empty()));
}

#[test]
fn unfinished_handshakes_are_forgotten() {
    let port = echo_server();
    let lab = Lab::new();
    lab.on(move |w| {
        w.tap = keep(|_, _| false);
        w.b.handle_packet(w.now, &syn(0x6440_0701, 1000, port));
        w.settle();
        assert_eq!(w.b.counters().flows_open, 1);
        let later = w.now + Duration::from_secs(11);
        let mut wire = Wire::default();
        w.b.poll(later, &mut wire);
        assert_eq!(w.b.counters().flows_open, 0);
        w.now = later;
    });
}

#[test]
fn a_peer_with_its_share_of_flows_gets_no_more_and_keeps_what_it_has() {
    let few = Config {
        max_flows: 15,
        ..Config::default()
    };
    let port = echo_server();
    let quick = Config {
        connect_timeout: Duration::from_millis(200),
        ..Config::default()
    };
    let lab = Lab::with(quick, few);
    let proxy = lab.proxy(ProxyKind::Socks5);
    let mut streams: Vec<_> = (0..10)
        .map(|_| socks_connect(proxy, "b.test", port).unwrap())
        .collect();
    assert_eq!(socks_connect(proxy, "b.test", port).unwrap_err(), 4);
    for stream in &mut streams {
        stream.write_all(b"x").unwrap();
        stream.read_exact(&mut [0]).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        assert_eq!(stream.read(&mut [0]).unwrap(), 0);
    }
    lab.wait_for(|w| (w.b.counters().flows_open == 0).then_some(()));
    socks_connect(proxy, "b.test", port).unwrap();
}

#[test]
fn foreign_destinations_are_accepted_only_on_wish() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    // This machine's own address on some other interface stands for a subnet.
    let probe = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
    let outside = match probe
        .connect("192.0.2.1:9")
        .and_then(|()| probe.local_addr())
    {
        Ok(address) if !address.ip().is_loopback() => address.ip(),
        _ => return,
    };
    let Ok(subnet) = TcpListener::bind((outside, 0)) else {
        return;
    };
    let subnet_port = subnet.local_addr().unwrap().port();
    let quick = Config {
        connect_timeout: Duration::from_millis(300),
        ..Config::default()
    };
    let lab = Lab::with(quick, Config::default());
    let proxy = lab.proxy(ProxyKind::Socks5);
    let host = outside.to_string();
    assert_eq!(socks_connect(proxy, &host, subnet_port).unwrap_err(), 4);
    lab.on(|w| w.b.set_offered(Some(Box::new(|_| true))));
    let mut stream = socks_connect(proxy, &host, subnet_port).unwrap();
    let (mut service, _) = subnet.accept().unwrap();
    service.write_all(b"subnet").unwrap();
    drop(service);
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "subnet");
    // Own addresses lead to loopback as before.
    socks_connect(proxy, "b.test", port).unwrap();
}

#[test]
fn a_service_that_speaks_first_is_heard_without_delay() {
    let port = server(|mut stream| stream.write_all(b"220 hello").unwrap());
    let lab = Lab::new();
    let proxy = lab.proxy(ProxyKind::Socks5);
    let mut times: Vec<Duration> = (0..20)
        .map(|_| {
            let start = Instant::now();
            let mut stream = socks_connect(proxy, "b.test", port).unwrap();
            stream.read_exact(&mut [0; 9]).unwrap();
            start.elapsed()
        })
        .collect();
    times.sort();
    // A delayed acknowledgement of the handshake would cost 10 ms each time.
    assert!(times[0] < Duration::from_millis(8), "{times:?}");
}

#[test]
fn dials_that_hang_are_bounded_per_client_and_time_out() {
    // A backlog of one, filled: further connections to it hang.
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
    socket.bind(&any.into()).unwrap();
    socket.listen(0).unwrap();
    let port = socket.local_addr().unwrap().as_socket().unwrap().port();
    let to = SocketAddr::from(([127, 0, 0, 1], port));
    let mut fill = Vec::new();
    while let Ok(stream) = std::net::TcpStream::connect_timeout(&to, Duration::from_millis(100)) {
        fill.push(stream);
    }
    let few = Config {
        max_dials: 6,
        ..Config::default()
    };
    let lab = Lab::with(Config::default(), few);
    lab.on(move |w| {
        w.tap = keep(|_, _| false);
        for source in [0x6440_0701, 0x6440_0702, 0x6440_0703] {
            for source_port in 1000..1010 {
                // The second copy is a retransmission.
                for _ in 0..2 {
                    w.b.handle_packet(w.now, &syn(source, source_port, port));
                }
            }
        }
        // Four for the first client (two thirds of six), then two for the second.
        assert_eq!(w.b.counters().drop_dial_limit, (6 + 8 + 10) * 2);
        assert_eq!(w.b.counters().inbound_refused, 0);
        let mut wire = Wire::default();
        w.b.poll(w.now + Duration::from_secs(6), &mut wire);
        assert_eq!(w.b.counters().inbound_refused, 6);
        assert_eq!(wire.0.len(), 6);
        assert!(wire.0.iter().all(|p| p[33] & 4 != 0), "not all are resets");
    });
}
