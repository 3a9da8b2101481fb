//! UDP and ICMP: loopback services, SOCKS associations, fragments, echo.

mod support;

use netstack::{Config, Event, ProxyKind};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;
use support::*;

/// Opens an association; the control connection, a socket, and where to send.
fn associate(proxy: SocketAddr) -> (TcpStream, UdpSocket) {
    let mut control = TcpStream::connect(proxy).unwrap();
    control
        .write_all(&[5, 1, 0, 5, 3, 0, 1, 0, 0, 0, 0, 0, 0])
        .unwrap();
    let mut reply = [0; 12];
    control.read_exact(&mut reply).unwrap();
    assert_eq!(reply[..6], [5, 0, 5, 0, 0, 1]);
    let port = u16::from_be_bytes([reply[10], reply[11]]);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(("127.0.0.1", port)).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    (control, socket)
}

fn datagram(host: &str, port: u16, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 0, 3, host.len() as u8];
    bytes.extend_from_slice(host.as_bytes());
    bytes.extend_from_slice(&port.to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

/// The payload of the next answer, whose header must name an address.
fn answer(socket: &UdpSocket) -> Vec<u8> {
    let mut buffer = vec![0; 65536];
    let n = socket.recv(&mut buffer).unwrap();
    let skip = if buffer[3] == 1 { 10 } else { 22 };
    buffer[skip..n].to_vec()
}

#[test]
fn an_association_carries_datagrams_of_any_size_by_both_families() {
    let port = udp_echo();
    let lab = Lab::new();
    let (control, socket) = associate(lab.proxy(ProxyKind::Both));
    // 20,000 B do not fit the tunnel's MTU and travel in fragments.
    for host in ["b.test", "b6.test", "system.test", B4] {
        for size in [0, 1, 1200, 20_000] {
            let payload: Vec<u8> = (0..size).map(|i| (i * 31) as u8).collect();
            socket.send(&datagram(host, port, &payload)).unwrap();
            assert!(answer(&socket) == payload, "{host} {size}");
        }
    }
    socket
        .send(&datagram("forbidden.test", port, b"x"))
        .unwrap();
    lab.wait_for(|w| (w.a.counters().proxy_refused == 1).then_some(()));
    assert!(lab.on(|w| w.a.counters().udp_open) >= 2);
    drop(control);
    lab.wait_for(|w| (w.a.counters().udp_open == 0).then_some(()));
}

#[test]
fn an_association_leaves_an_address_that_is_no_longer_ours() {
    let service = UdpSocket::bind("127.0.0.1:0").unwrap();
    service.set_read_timeout(Some(PATIENCE)).unwrap();
    let port = service.local_addr().unwrap().port();
    let lab = Lab::new();
    let (_control, socket) = associate(lab.proxy(ProxyKind::Socks5));
    let owner = || {
        socket.send(&datagram("b.test", port, b"hello")).unwrap();
        let (_, from) = service.recv_from(&mut [0; 16]).unwrap();
        lab.on(move |w| w.b.flow_owner(17, from)).unwrap().ip()
    };
    assert_eq!(owner(), ip(A4));
    let next = ip("100.64.0.77");
    lab.on(move |w| w.a.set_addresses(&[next]));
    assert_eq!(owner(), next);
}

#[test]
fn idle_udp_flows_end_and_full_tables_drop_the_oldest() {
    let port = udp_echo();
    let few = Config {
        max_udp_flows: 8,
        udp_idle: Duration::from_millis(150),
        ..Config::default()
    };
    let lab = Lab::with(Config::default(), few);
    let proxy = lab.proxy(ProxyKind::Socks5);
    let associations: Vec<_> = (0..6).map(|_| associate(proxy)).collect();
    for (i, (_, socket)) in associations.iter().enumerate() {
        socket.send(&datagram("b.test", port, b"four")).unwrap();
        // One client may hold two thirds of the table: five of eight.
        if i < 5 {
            assert_eq!(answer(socket), b"four");
        }
    }
    lab.wait_for(|w| (w.b.counters().drop_udp_limit == 1).then_some(()));
    assert!(lab.on(|w| w.b.counters().udp_open) <= 5);
    lab.wait_for(|w| (w.b.counters().udp_open == 0).then_some(()));
}

#[test]
fn the_same_source_port_is_kept_where_it_is_free() {
    let service = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = service.local_addr().unwrap().port();
    let lab = Lab::new();
    let (_control, socket) = associate(lab.proxy(ProxyKind::Socks5));
    socket.send(&datagram("b.test", port, b"hello")).unwrap();
    let (_, from) = service.recv_from(&mut [0; 16]).unwrap();
    let owner = lab.on(move |w| w.b.flow_owner(17, from)).unwrap();
    assert_eq!(owner.ip(), ip(A4));
    if owner.port() != from.port() {
        let taken = UdpSocket::bind(("127.0.0.1", owner.port()));
        assert!(taken.is_err(), "port {} was free", owner.port());
    }
}

#[test]
fn echo_is_answered_for_own_addresses_only() {
    let lab = Lab::new();
    for (id, (to, size)) in [(B4, 0), (B4, 56), (B6, 1200), (B6, 8000), ("100.64.0.9", 8)]
        .into_iter()
        .enumerate()
    {
        lab.on(move |w| w.a.ping_icmp(w.now, id as u64, ip(to), size));
    }
    let seen = lab.wait_for(|w| {
        let pongs = w.events_a.iter().filter_map(|e| match e {
            Event::Pong { id, latency } => Some((*id, *latency)),
            _ => None,
        });
        let pongs: Vec<_> = pongs.collect();
        (pongs.len() == 4).then_some(pongs)
    });
    let mut ids: Vec<u64> = seen.iter().map(|p| p.0).collect();
    ids.sort();
    assert_eq!(ids, [0, 1, 2, 3]);
    assert!(seen.iter().all(|p| p.1 < Duration::from_secs(1)));
    // The fifth is told as lost when its time is up.
    let lost = lab.on(|w| {
        let mut wire = Wire::default();
        w.a.poll(w.now + Duration::from_secs(11), &mut wire);
        w.a.take_event()
    });
    assert!(matches!(lost, Some(Event::PingLost { id: 4 })), "{lost:?}");
}

#[test]
fn an_unreachable_error_ends_a_dial() {
    let lab = Lab::new();
    let proxy = lab.proxy(ProxyKind::Socks5);
    // Every SYN to `b` is answered by "host unreachable" in place of its delivery.
    lab.on(|w| {
        let (quote, quoted) = std::sync::mpsc::channel::<Vec<u8>>();
        w.tap = keep(move |to_b, packet| {
            if to_b && packet[9] == 6 {
                // The last SYNs may come when nobody waits for them any more.
                let _ = quote.send(packet.clone());
            }
            !to_b
        });
        w.events_b.clear();
        QUOTED.lock().unwrap().replace(quoted);
    });
    let client = std::thread::spawn(move || socks_connect(proxy, "b.test", 80));
    let quoted = QUOTED.lock().unwrap().take().unwrap();
    let packet = quoted.recv_timeout(PATIENCE).unwrap();
    lab.on(move |w| {
        let mut error = vec![
            0x45, 0, 0, 0, 0, 0, 0, 0, 64, 1, 0, 0, 100, 64, 0, 2, 100, 64, 0, 1,
        ];
        error.extend_from_slice(&[3, 1, 0, 0, 0, 0, 0, 0]);
        error.extend_from_slice(&packet[..28]);
        let length = error.len() as u16;
        error[2..4].copy_from_slice(&length.to_be_bytes());
        let sum = internet_sum(&error[..20]);
        error[10..12].copy_from_slice(&sum);
        let sum = internet_sum(&error[20..]);
        error[22..24].copy_from_slice(&sum);
        w.a.handle_packet(w.now, &error);
    });
    assert_eq!(client.join().unwrap().unwrap_err(), 4);
}

static QUOTED: std::sync::Mutex<Option<std::sync::mpsc::Receiver<Vec<u8>>>> =
    std::sync::Mutex::new(None);

fn internet_sum(bytes: &[u8]) -> [u8; 2] {
    let words = bytes.chunks(2);
    let mut sum: u32 = words
        .map(|p| u32::from(p[0]) << 8 | u32::from(*p.get(1).unwrap_or(&0)))
        .sum();
    while sum > 0xffff {
        sum = (sum >> 16) + (sum & 0xffff);
    }
    (!(sum as u16)).to_be_bytes()
}
