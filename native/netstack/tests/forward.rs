//! Forwards, TCP and UDP, and what local programs say to the engine itself.

mod support;

use netstack::{Config, DialError, Event, ForwardCount, ProxyKind};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream, UdpSocket};
use std::os::unix::net::UnixStream;
use std::time::Duration;
use support::*;

fn connect(to: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(to).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

fn udp_socket(to: SocketAddr) -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(to).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

fn receive(socket: &UdpSocket) -> Vec<u8> {
    let mut buffer = vec![0; 65536];
    let n = socket.recv(&mut buffer).unwrap();
    buffer.truncate(n);
    buffer
}

fn counts(lab: &Lab, id: u32) -> ForwardCount {
    lab.on(move |w| {
        let all = w.a.forward_counts();
        all.into_iter().find(|c| c.id == id).unwrap()
    })
}

#[test]
fn a_forward_carries_bytes_both_ways_and_counts_its_connections() {
    let port = echo_server();
    let lab = Lab::new();
    for (id, host) in [(1, "b.test"), (2, "b6.test"), (3, "system.test")] {
        let door = lab.forward(id, false, (host, port));
        let mut stream = connect(door);
        let mut sender = stream.try_clone().unwrap();
        let sending = std::thread::spawn(move || {
            send_pattern(&mut sender, 9, 4 << 20);
            sender.shutdown(Shutdown::Write).unwrap();
        });
        assert_eq!(check_pattern(&mut stream, 9), 4 << 20, "{host}");
        sending.join().unwrap();
        lab.wait_for(move |w| {
            let found = w.a.forward_counts().into_iter().find(|c| c.id == id);
            (found
                == Some(ForwardCount {
                    id,
                    open: 0,
                    total: 1,
                }))
            .then_some(())
        });
    }
}

#[test]
fn what_a_client_says_before_the_way_is_open_is_not_lost() {
    let port = server(|mut stream| {
        let mut got = String::new();
        stream.read_to_string(&mut got).unwrap();
        stream.write_all(got.as_bytes()).unwrap();
    });
    let lab = Lab::new();
    // The first address leads nowhere, so that the way opens late; the client has said all by then.
    let door = lab.forward(1, false, ("both.test", port));
    let mut stream = connect(door);
    stream.write_all(b"said early").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "said early");
}

#[test]
fn a_forward_that_leads_nowhere_resets_its_client_and_tells_why() {
    let lab = Lab::new();
    let refused = lab.forward(1, false, ("b.test", closed_port()));
    let mut stream = connect(refused);
    let error = stream.read(&mut [0; 1]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    let told = lab.wait_for(|w| {
        let mut told = w.events_a.iter();
        told.find_map(|e| match e {
            Event::ForwardFailed { forward: 1, error } => Some(*error),
            _ => None,
        })
    });
    assert_eq!(told, DialError::Refused);
    // A refusal was the owner's own, who needs not be told.
    let forbidden = lab.forward(2, false, ("forbidden.test", 80));
    let error = connect(forbidden).read(&mut [0; 1]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert_eq!(counts(&lab, 2).open, 0);
}

#[test]
fn a_forward_without_a_decision_ends_in_time() {
    let quick = Config {
        request_timeout: Duration::from_millis(100),
        ..Config::default()
    };
    let lab = Lab::with(quick, Config::default());
    let door = lab.forward(1, false, ("never.test", 80));
    let error = connect(door).read(&mut [0; 1]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    let udp = lab.forward(2, true, ("never.test", 80));
    let socket = udp_socket(udp);
    socket.send(b"x").unwrap();
    lab.wait_for(|w| {
        let all = w.a.forward_counts();
        let one = all.iter().find(|c| c.id == 2).unwrap();
        (one.total == 1 && one.open == 0).then_some(())
    });
}

#[test]
fn nothing_listens_beyond_this_machine_or_where_another_does() {
    let lab = Lab::new();
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let address: SocketAddr = address.parse().unwrap();
        for udp in [false, true] {
            let kind = lab.on(move |w| w.a.listen_forward(9, udp, address).unwrap_err().kind());
            assert_eq!(kind, ErrorKind::InvalidInput, "{address}");
        }
    }
    for udp in [false, true] {
        let taken = lab.forward(1, udp, ("b.test", 80));
        let kinds = lab.on(move |w| {
            [
                w.a.listen_forward(2, udp, taken).unwrap_err().kind(),
                w.a.listen_forward(1, udp, "127.0.0.1:0".parse().unwrap())
                    .unwrap_err()
                    .kind(),
            ]
        });
        assert_eq!(kinds, [ErrorKind::AddrInUse, ErrorKind::AlreadyExists]);
        assert!(lab.on(|w| w.a.close_forward(w.now, 1)));
        assert!(!lab.on(|w| w.a.close_forward(w.now, 1)));
        lab.on(move |w| w.a.listen_forward(2, udp, taken).unwrap());
        lab.on(|w| w.a.close_forward(w.now, 2));
    }
}

#[test]
fn closing_a_forward_ends_what_came_by_it_and_nothing_else() {
    let port = echo_server();
    let lab = Lab::new();
    let first = lab.forward(1, false, ("b.test", port));
    let second = lab.forward(2, false, ("b.test", port));
    let outside = lab.forward(3, false, ("system.test", port));
    let waiting = lab.forward(4, false, ("never.test", port));
    let mut streams: Vec<TcpStream> = [first, second, outside, waiting].map(connect).into();
    for stream in &mut streams[..3] {
        stream.write_all(b"x").unwrap();
        stream.read_exact(&mut [0; 1]).unwrap();
    }
    for id in [1, 3, 4] {
        assert_eq!(counts(&lab, id).open, 1, "{id}");
        lab.on(move |w| w.a.close_forward(w.now, id));
    }
    for at in [0, 2, 3] {
        let error = streams[at].read(&mut [0; 1]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{at}");
    }
    streams[1].write_all(b"y").unwrap();
    streams[1].read_exact(&mut [0; 1]).unwrap();
    assert!(TcpStream::connect(first).is_err());
}

#[test]
fn datagrams_of_a_forward_find_their_way_back_to_each_client() {
    let port = udp_echo();
    let lab = Lab::new();
    for (id, host) in [(1, "b.test"), (2, "b6.test"), (3, "system.test")] {
        let door = lab.forward(id, true, (host, port));
        let clients: Vec<UdpSocket> = (0..8).map(|_| udp_socket(door)).collect();
        for (i, client) in clients.iter().enumerate() {
            // 20,000 B travel in fragments.
            for size in [0, 1, 1200, 20_000] {
                let payload = vec![i as u8; size];
                client.send(&payload).unwrap();
                assert!(receive(client) == payload, "{host} {i} {size}");
            }
        }
        assert_eq!(
            counts(&lab, id),
            ForwardCount {
                id,
                open: 8,
                total: 8
            }
        );
    }
    assert_eq!(lab.on(|w| w.a.counters().udp_open), 16);
    lab.on(|w| [1, 2, 3].map(|id| w.a.close_forward(w.now, id)));
    assert_eq!(lab.on(|w| w.a.counters().udp_open), 0);
}

#[test]
fn clients_of_a_udp_forward_are_forgotten_when_they_rest_and_bounded_in_number() {
    let port = udp_echo();
    let few = Config {
        max_udp_clients: 4,
        udp_idle: Duration::from_millis(300),
        ..Config::default()
    };
    let lab = Lab::with(few, Config::default());
    for (id, host) in [(1, "b.test"), (2, "system.test")] {
        let door = lab.forward(id, true, (host, port));
        let clients: Vec<UdpSocket> = (0..7).map(|_| udp_socket(door)).collect();
        for client in &clients {
            client.send(b"x").unwrap();
            assert_eq!(receive(client), b"x");
        }
        assert!(counts(&lab, id).open <= 4);
        lab.wait_for(move |w| {
            let all = w.a.forward_counts();
            let one = all.iter().find(|c| c.id == id).unwrap();
            (one.open == 0 && w.a.counters().udp_open == 0).then_some(())
        });
        // Whoever was forgotten begins anew.
        clients[0].send(b"again").unwrap();
        assert_eq!(receive(&clients[0]), b"again");
    }
}

#[test]
fn a_refused_udp_client_asks_again_later() {
    let port = udp_echo();
    let lab = Lab::new();
    let door = lab.forward(1, true, ("forbidden.test", port));
    let client = udp_socket(door);
    client.send(b"one").unwrap();
    lab.wait_for(|w| (w.a.counters().proxy_refused == 1).then_some(()));
    lab.on(move |w| w.places.insert(1, ("b.test", port)));
    client
        .set_read_timeout(Some(Duration::from_millis(100)))
        .unwrap();
    let mut buffer = [0; 16];
    let end = std::time::Instant::now() + PATIENCE;
    loop {
        client.send(b"two").unwrap();
        if let Ok(n) = client.recv(&mut buffer) {
            assert_eq!(&buffer[..n], b"two");
            return;
        }
        assert!(std::time::Instant::now() < end, "was never asked again");
    }
}

#[test]
fn only_the_place_that_was_sent_to_may_answer() {
    let port = udp_echo();
    let lab = Lab::new();
    let door = lab.forward(1, true, ("b.test", port));
    let client = udp_socket(door);
    client.send(b"mine").unwrap();
    assert_eq!(receive(&client), b"mine");
    // Another port of the same peer, to the very source port of the flow: it leads to the loopback interface.
    lab.on(move |w| {
        w.tap = Some(Box::new(move |to_b, packet| {
            if to_b || packet[9] != 17 {
                return vec![packet];
            }
            let mut forged = packet.clone();
            forged[20..22].copy_from_slice(&(port ^ 1).to_be_bytes());
            // No checksum: IPv4 allows it.
            forged[26..28].fill(0);
            vec![forged, packet]
        }));
    });
    client.send(b"again").unwrap();
    assert_eq!(receive(&client), b"again");
    client.send(b"third").unwrap();
    assert_eq!(receive(&client), b"third");
}

#[test]
fn a_program_can_speak_with_the_engine_by_every_way() {
    let lab = Lab::new();
    let proxy = lab.proxy(ProxyKind::Both);
    let door = lab.forward(1, false, ("engine.test", 53));
    let by_socks = std::thread::spawn(move || socks_connect(proxy, "engine.test", 53).unwrap());
    let mut streams = vec![by_socks.join().unwrap(), connect(door)];
    for stream in &mut streams {
        let near = stream.local_addr().unwrap();
        stream.write_all(b"question").unwrap();
        let engine = lab.wait_for(move |w| {
            let is_it = |e: &Event| matches!(e, Event::Inbound { from, .. } if *from == near);
            let at = w.events_a.iter().position(is_it)?;
            match w.events_a.swap_remove(at) {
                Event::Inbound { to, fd, .. } => {
                    assert_eq!(to, "100.100.100.100:53".parse().unwrap());
                    Some(fd)
                }
                _ => None,
            }
        });
        let mut engine = UnixStream::from(engine);
        engine.set_nonblocking(false).unwrap();
        engine.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut got = [0; 8];
        engine.read_exact(&mut got).unwrap();
        assert_eq!(&got, b"question");
        engine.write_all(b"answer").unwrap();
        drop(engine);
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "answer");
    }
}

/// Waits for a datagram to the engine with these bytes; its number.
fn engine_datagram(lab: &Lab, wanted: &'static [u8]) -> u64 {
    lab.wait_for(move |w| {
        w.events_a.iter().find_map(|e| match e {
            Event::Datagram { id, to, bytes, .. } if bytes == wanted => {
                assert_eq!(*to, "100.100.100.100:53".parse().unwrap());
                Some(*id)
            }
            _ => None,
        })
    })
}

#[test]
fn a_datagram_for_the_engine_has_at_most_one_answer() {
    let few = Config {
        max_engine_datagrams: 2,
        ..Config::default()
    };
    let lab = Lab::with(few, Config::default());
    let door = lab.forward(1, true, ("engine.test", 53));
    let client = udp_socket(door);
    client.send(b"first").unwrap();
    let first = engine_datagram(&lab, b"first");
    client.send(b"second").unwrap();
    let second = engine_datagram(&lab, b"second");
    // Two wait for their answers: a third is dropped.
    client.send(b"third").unwrap();
    lab.wait_for(|w| (w.a.counters().drop_udp_limit == 1).then_some(()));
    lab.on(move |w| {
        w.a.answer_datagram(w.now, second, b"to the second");
        w.a.answer_datagram(w.now, second, b"once more");
        w.a.answer_datagram(w.now, 999, b"to nobody");
        w.a.answer_datagram(w.now, first, b"to the first");
    });
    assert_eq!(receive(&client), b"to the second");
    assert_eq!(receive(&client), b"to the first");
    // An answer to a client that is gone, whose place in the table somebody else may have.
    client.send(b"fourth").unwrap();
    let fourth = engine_datagram(&lab, b"fourth");
    lab.on(|w| w.a.close_forward(w.now, 1));
    let door = lab.forward(1, true, ("engine.test", 53));
    let other = udp_socket(door);
    other.send(b"fifth").unwrap();
    let fifth = engine_datagram(&lab, b"fifth");
    lab.on(move |w| {
        w.a.answer_datagram(w.now, fourth, b"not yours");
        w.a.answer_datagram(w.now, fifth, b"yours");
    });
    assert_eq!(receive(&other), b"yours");
}

#[test]
fn forgotten_decisions_are_asked_for_anew() {
    let (port, other) = (udp_echo(), echo_server());
    let lab = Lab::new();
    let door = lab.forward(1, true, ("system.test", port));
    let client = udp_socket(door);
    client.send(b"one").unwrap();
    assert_eq!(receive(&client), b"one");
    // To this machine itself, which is no way past the tunnel.
    let stay = lab.forward(2, false, ("system.test", other));
    let mut stream = connect(stay);
    stream.write_all(b"x").unwrap();
    stream.read_exact(&mut [0; 1]).unwrap();
    lab.on(move |w| {
        w.places.insert(1, ("forbidden.test", port));
        w.a.forget_decisions(w.now);
    });
    client.send(b"two").unwrap();
    lab.wait_for(|w| (w.a.counters().proxy_refused == 1).then_some(()));
    stream.write_all(b"y").unwrap();
    stream.read_exact(&mut [0; 1]).unwrap();
}

#[test]
fn the_answer_to_a_client_that_went_never_reaches_the_next_one() {
    let port = echo_server();
    let lab = Lab::new();
    lab.on(|w| w.events_a.clear());
    let proxy = lab.proxy(ProxyKind::Socks5);
    // Asks, and goes by a reset: its slot is free.
    let gone = std::thread::spawn(move || {
        let mut stream = connect(proxy);
        stream
            .write_all(b"\x05\x01\x00\x05\x01\x00\x03\x0anever.test\x00\x50")
            .unwrap();
        let mut greeting = [0; 2];
        stream.read_exact(&mut greeting).unwrap();
        stream
    });
    let stream = gone.join().unwrap();
    lab.wait_for(|w| (w.a.counters().proxy_requests == 1).then_some(()));
    socket2::SockRef::from(&stream)
        .set_linger(Some(Duration::ZERO))
        .unwrap();
    drop(stream);
    lab.wait_for(|w| (w.a.counters().clients_open == 0).then_some(()));
    let door = lab.forward(1, false, ("never.test", 80));
    let mut next = connect(door);
    lab.wait_for(|w| (w.a.counters().proxy_requests == 2).then_some(()));
    // Questions are numbered from one: this is the first one's answer, and then the second's.
    lab.on(|w| w.a.answer_proxy(w.now, 1, answer("forbidden.test", 80)));
    lab.on(move |w| w.a.answer_proxy(w.now, 2, answer("b.test", port)));
    next.write_all(b"x").unwrap();
    next.read_exact(&mut [0; 1]).unwrap();
}
