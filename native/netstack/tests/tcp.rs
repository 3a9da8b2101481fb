//! TCP through two netstacks: from a SOCKS client on one side to a loopback service on the other.

mod support;

use netstack::{Config, ProxyKind};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};
use support::*;

const MB: usize = 1_000_000;

#[test]
fn a_hundred_megabytes_arrive_byte_exact_each_way() {
    let port = server(|mut stream| {
        let mut reader = stream.try_clone().unwrap();
        let up = std::thread::spawn(move || check_pattern(&mut reader, 7));
        send_pattern(&mut stream, 9, 100 * MB);
        stream.shutdown(Shutdown::Write).unwrap();
        assert_eq!(up.join().unwrap(), 100 * MB);
    });
    let lab = Lab::new();
    let proxy = lab.proxy(ProxyKind::Socks5);
    let mut stream = socks_connect(proxy, "b.test", port).unwrap();
    let mut reader = stream.try_clone().unwrap();
    let down = std::thread::spawn(move || check_pattern(&mut reader, 9));
    send_pattern(&mut stream, 7, 100 * MB);
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(down.join().unwrap(), 100 * MB);
    lab.wait_for(|w| {
        let (a, b) = (w.a.counters(), w.b.counters());
        (a.flows_open == 0 && b.flows_open == 0).then_some(())
    });
    assert_eq!(lab.on(|w| w.b.counters().flows_reset), 0);
}

/// Runs 20 MB to `b` while the path's size changes with every 200 packets; gives the largest seen and how many came.
fn with_changing_sizes(accept_a: usize, accept_b: usize) -> (usize, usize) {
    use std::sync::{Arc, Mutex};
    let port = server(|mut stream| {
        assert_eq!(check_pattern(&mut stream, 7), 20 * MB);
        stream.write_all(b"!").unwrap();
    });
    let lab = Lab::new();
    let seen = Arc::new(Mutex::new((0usize, 0u32, 3u64)));
    let tapped = seen.clone();
    lab.on(move |w| {
        w.a_out.sizes = Some(PacketSizes {
            accept: accept_a,
            send: 8192,
        });
        w.b_out.sizes = Some(PacketSizes {
            accept: accept_b,
            send: 8192,
        });
        // One packet in a hundred is lost, so that large ones are sent again when only small ones may be.
        w.tap = keep(move |to_b, packet| {
            let mut seen = tapped.lock().unwrap();
            seen.0 = seen.0.max(packet.len());
            seen.1 += 1;
            seen.2 = seen
                .2
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            !to_b || packet.len() < 1000 || !(seen.2 >> 33).is_multiple_of(100)
        });
    });
    let proxy = lab.proxy(ProxyKind::Socks5);
    let mut stream = socks_connect(proxy, "b.test", port).unwrap();
    let mut reader = stream.try_clone().unwrap();
    let sender = std::thread::spawn(move || {
        send_pattern(&mut stream, 7, 20 * MB);
        stream.shutdown(Shutdown::Write).unwrap();
    });
    while !sender.is_finished() {
        let packets = seen.lock().unwrap().1;
        let send = if (packets / 200).is_multiple_of(2) {
            8192
        } else {
            1280
        };
        lab.on(move |w| {
            for out in [&mut w.a_out, &mut w.b_out] {
                out.sizes = out.sizes.map(|sizes| PacketSizes { send, ..sizes });
            }
        });
        std::thread::sleep(Duration::from_millis(1));
    }
    sender.join().unwrap();
    let mut last = [0];
    reader.read_exact(&mut last).unwrap();
    let (largest, packets, _) = *seen.lock().unwrap();
    (largest, packets as usize)
}

#[test]
fn segments_follow_the_size_that_the_path_carries_now_and_nothing_is_lost() {
    let (largest, packets) = with_changing_sizes(8192, 8192);
    assert!(
        (7000..=8192).contains(&largest),
        "largest packet {largest} B"
    );
    assert!(packets > 20 * MB / 8192, "{packets} packets");
}

#[test]
fn a_peer_that_did_not_ask_for_large_segments_gets_none() {
    let (largest, _) = with_changing_sizes(8192, 1280);
    assert!(largest <= 1280, "largest packet {largest} B");
}

#[test]
fn half_close_works_in_both_directions() {
    // The service answers only after it has seen the end of the request.
    let port = server(|mut stream| {
        let mut all = Vec::new();
        stream.read_to_end(&mut all).unwrap();
        all.reverse();
        stream.write_all(&all).unwrap();
    });
    // This one ends its own side first and then counts what comes.
    let counting = server(|mut stream| {
        stream.write_all(b"hello").unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut all = Vec::new();
        stream.read_to_end(&mut all).unwrap();
        assert_eq!(all.len(), 3000);
    });
    let lab = Lab::new();
    let proxy = lab.proxy(ProxyKind::Both);
    let mut stream = socks_connect(proxy, "b.test", port).unwrap();
    stream.write_all(b"abcdef").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "fedcba");

    let mut stream = socks_connect(proxy, "b6.test", counting).unwrap();
    let mut hello = Vec::new();
    stream.read_to_end(&mut hello).unwrap();
    assert_eq!(hello, b"hello");
    for _ in 0..3 {
        stream.write_all(&[1; 1000]).unwrap();
    }
    drop(stream);
    lab.wait_for(|w| (w.b.counters().flows_finished == 2).then_some(()));
    assert_eq!(lab.on(|w| w.b.counters().flows_reset), 0);
}

#[test]
fn a_closed_port_is_refused_at_once() {
    let port = closed_port();
    let lab = Lab::new();
    let proxy = lab.proxy(ProxyKind::Socks5);
    let start = Instant::now();
    for host in ["b.test", "b6.test", "system.test"] {
        assert_eq!(socks_connect(proxy, host, port).unwrap_err(), 5, "{host}");
    }
    assert!(
        start.elapsed() < Config::default().connect_timeout,
        "{:?}",
        start.elapsed()
    );
    assert_eq!(lab.on(|w| w.b.counters().inbound_refused), 2);
}

#[test]
fn two_hundred_flows_run_side_by_side() {
    let port = echo_server();
    let lab = Lab::new();
    let proxy = lab.proxy(ProxyKind::Socks5);
    let clients: Vec<_> = (0..200u64)
        .map(|i| {
            std::thread::spawn(move || {
                let mut stream = socks_connect(proxy, "b.test", port).unwrap();
                let mut reader = stream.try_clone().unwrap();
                let down = std::thread::spawn(move || check_pattern(&mut reader, i + 1));
                send_pattern(&mut stream, i + 1, 200_000);
                stream.shutdown(Shutdown::Write).unwrap();
                assert_eq!(down.join().unwrap(), 200_000);
            })
        })
        .collect();
    for client in clients {
        client.join().unwrap();
    }
    lab.wait_for(|w| (w.b.counters().flows_finished == 200).then_some(()));
}

#[test]
fn the_death_of_the_service_resets_the_client() {
    let port = server(|mut stream| {
        let mut some = [0; 1000];
        stream.read_exact(&mut some).unwrap();
        // Closing with unread data makes the kernel send a reset.
        drop(stream);
    });
    let lab = Lab::new();
    let proxy = lab.proxy(ProxyKind::Socks5);
    let mut stream = socks_connect(proxy, "b.test", port).unwrap();
    let error = loop {
        if let Err(e) = stream.write_all(&[0; 65536]) {
            break e.kind();
        }
    };
    assert!(
        matches!(error, ErrorKind::ConnectionReset | ErrorKind::BrokenPipe),
        "{error:?}"
    );
    lab.wait_for(|w| {
        let (a, b) = (w.a.counters(), w.b.counters());
        (a.flows_open == 0 && b.flows_open == 0).then_some(())
    });
}

#[test]
fn a_client_that_vanishes_resets_the_service() {
    let (tx, ended) = std::sync::mpsc::channel();
    let port = server(move |mut stream| {
        let mut buffer = [0; 65536];
        let end = loop {
            // The client reads nothing and goes away with data waiting.
            if let Err(e) = stream.write(&buffer) {
                break e.kind();
            }
            buffer[0] = 1;
        };
        tx.send(end).unwrap();
    });
    let lab = Lab::new();
    let proxy = lab.proxy(ProxyKind::Socks5);
    let stream = socks_connect(proxy, "b.test", port).unwrap();
    std::thread::sleep(Duration::from_millis(50));
    drop(stream);
    let end = ended.recv_timeout(PATIENCE).unwrap();
    assert!(
        matches!(end, ErrorKind::ConnectionReset | ErrorKind::BrokenPipe),
        "{end:?}"
    );
}

#[test]
fn a_slow_reader_stops_the_sender_with_bounded_memory() {
    let (tx, streams) = std::sync::mpsc::channel::<TcpStream>();
    let port = server(move |stream| tx.send(stream).unwrap());
    let small = Config {
        tcp_buffer: 64 << 10,
        ..Config::default()
    };
    let lab = Lab::with(small.clone(), small);
    let proxy = lab.proxy(ProxyKind::Socks5);
    let mut stream = socks_connect(proxy, "b.test", port).unwrap();
    let service = streams.recv_timeout(PATIENCE).unwrap();
    // Kernel buffers of the four sockets take some megabytes; nothing else may.
    stream.set_nonblocking(true).unwrap();
    let chunk = vec![0; 65536];
    let mut taken = 0;
    let mut quiet = 0;
    while quiet < 50 {
        match stream.write(&chunk) {
            Ok(n) => (taken, quiet) = (taken + n, 0),
            Err(e) => {
                assert_eq!(e.kind(), ErrorKind::WouldBlock);
                quiet += 1;
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    }
    assert!(taken < 40 * MB, "{taken} B were taken without a reader");
    // The reader wakes up: all of it arrives, and the rest too.
    stream.set_nonblocking(false).unwrap();
    let reader = std::thread::spawn(move || {
        let mut service = service;
        let mut total = 0;
        let mut buffer = vec![0; 65536];
        loop {
            match service.read(&mut buffer).unwrap() {
                0 => return total,
                n => total += n,
            }
        }
    });
    stream.write_all(&vec![0; 5 * MB]).unwrap();
    drop(stream);
    assert_eq!(reader.join().unwrap(), taken + 5 * MB);
}

#[test]
fn the_tunnel_address_behind_a_loopback_source_is_known() {
    let (tx, peers) = std::sync::mpsc::channel();
    let port = server(move |mut stream| {
        tx.send(stream.peer_addr().unwrap()).unwrap();
        let _ = stream.read(&mut [0; 8]);
    });
    let lab = Lab::new();
    let proxy = lab.proxy(ProxyKind::Socks5);
    let stream = socks_connect(proxy, "b.test", port).unwrap();
    let peer = peers.recv_timeout(PATIENCE).unwrap();
    let owner = lab.on(move |w| w.b.flow_owner(6, peer)).unwrap();
    assert_eq!(owner.ip(), ip(A4));
    drop(stream);
    lab.wait_for(move |w| w.b.flow_owner(6, peer).is_none().then_some(()));
}

#[test]
fn bytes_stay_exact_when_packets_are_lost_late_and_doubled() {
    let port = echo_server();
    let lab = Lab::new();
    let proxy = lab.proxy(ProxyKind::Socks5);
    lab.on(|w| {
        let mut count = 0u64;
        let mut held: [Option<Vec<u8>>; 2] = [None, None];
        w.tap = Some(Box::new(move |to_b, packet| {
            count += 1;
            let held = &mut held[usize::from(to_b)];
            match (held.take(), count % 400) {
                (Some(earlier), _) => vec![packet, earlier],
                (None, 17) => Vec::new(),
                (None, 90 | 290) => {
                    *held = Some(packet);
                    Vec::new()
                }
                (None, 150) => vec![packet.clone(), packet],
                (None, _) => vec![packet],
            }
        }));
    });
    let mut stream = socks_connect(proxy, "b.test", port).unwrap();
    let mut reader = stream.try_clone().unwrap();
    let down = std::thread::spawn(move || check_pattern(&mut reader, 3));
    send_pattern(&mut stream, 3, 2 * MB);
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(down.join().unwrap(), 2 * MB);
}
