//! The UDP sockets against the real loopback.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytes::BytesMut;
use device::udp::{Options, SendError, Udp};

fn pair() -> (Udp, Udp) {
    let options = Options {
        loopback_only: true,
        ..Options::default()
    };
    (
        Udp::bind(0, options).unwrap(),
        Udp::bind(0, options).unwrap(),
    )
}

fn receive_until(udp: &mut Udp, count: usize) -> Vec<Vec<u8>> {
    let mut seen = Vec::new();
    for _ in 0..300_000 {
        udp.receive(false, |_, _, datagram| seen.push(datagram.to_vec()));
        if seen.len() >= count {
            break;
        }
        std::thread::sleep(Duration::from_micros(100));
    }
    seen
}

#[test]
fn datagrams_of_every_size_arrive_whole_and_in_order() {
    let (mut a, mut b) = pair();
    let to = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), b.port());
    let sizes = [
        1312usize, 1312, 1312, 80, 0, 0, 1, 1312, 65_507, 1312, 9000, 9000, 5,
    ];
    for (n, size) in sizes.iter().enumerate() {
        a.push(to, &vec![n as u8; *size]);
    }
    a.flush();
    let seen = receive_until(&mut b, sizes.len());
    let got: Vec<(usize, u8)> = seen
        .iter()
        .map(|one| (one.len(), one.first().copied().unwrap_or(0)))
        .collect();
    let want: Vec<(usize, u8)> = sizes
        .iter()
        .enumerate()
        .map(|(n, size)| (*size, if *size == 0 { 0 } else { n as u8 }))
        .collect();
    assert_eq!(got, want);
    assert!(a.take_errors().is_empty());
}

#[test]
fn pieces_kept_by_the_receiver_are_not_overwritten() {
    let (mut a, mut b) = pair();
    let to = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), b.port());
    let mut kept: Vec<BytesMut> = Vec::new();
    for round in 0..40u8 {
        (0..3).for_each(|_| a.push(to, &[round; 1000]));
        a.flush();
        let want = kept.len() + 3;
        for _ in 0..300_000 {
            b.receive(false, |_, _, datagram| kept.push(datagram));
            if kept.len() >= want {
                break;
            }
            std::thread::sleep(Duration::from_micros(50));
        }
    }
    assert_eq!(kept.len(), 120);
    for (n, piece) in kept.iter().enumerate() {
        assert!(piece.iter().all(|byte| *byte == (n / 3) as u8) && piece.len() == 1000);
    }
}

#[test]
fn a_taken_port_falls_back_to_any_and_rebinding_keeps_the_port() {
    let (mut a, _b) = pair();
    let other = Udp::bind(
        a.port(),
        Options {
            loopback_only: true,
            ..Options::default()
        },
    )
    .unwrap();
    assert_ne!(other.port(), a.port());
    let port = a.port();
    a.rebind(&[port]).unwrap();
    assert_eq!(a.port(), port);
}

#[test]
fn a_destination_that_cannot_be_reached_is_reported_once() {
    let (mut a, _b) = pair();
    let to: SocketAddr = "203.0.113.1:9".parse().unwrap();
    for _ in 0..3 {
        a.push(to, &[1]);
        a.flush();
    }
    assert!(a.take_errors().len() <= 1);
}

#[test]
fn the_first_free_port_of_several_is_taken_for_both_families() {
    let (mut a, b) = pair();
    let mine = a.port();
    a.rebind(&[b.port(), mine]).unwrap();
    assert_eq!(a.port(), mine);
    a.rebind(&[b.port(), b.port()]).unwrap();
    assert_ne!(a.port(), b.port());
    assert_ne!(a.port(), 0);
}

#[test]
fn a_socket_works_on_after_it_was_bound_anew() {
    let (mut a, mut b) = pair();
    let (to, port) = (SocketAddr::from(([127, 0, 0, 1], b.port())), b.port());
    for round in 0..20u8 {
        b.rebind(&[port]).unwrap();
        assert_eq!(b.port(), port);
        a.push(to, &[round; 100]);
        a.flush();
        assert_eq!(receive_until(&mut b, 1), vec![vec![round; 100]]);
    }
}

#[test]
fn nothing_that_arrives_or_fails_ends_the_receiving() {
    let (mut a, mut b) = pair();
    let to = SocketAddr::from(([127, 0, 0, 1], b.port()));
    // Refused sends come back as ICMP errors, which some systems show at the next read.
    let closed = SocketAddr::from(([127, 0, 0, 1], 9));
    let mut want = Vec::new();
    for round in 0..200usize {
        b.push(closed, &[1]);
        b.push(SocketAddr::from(([203, 0, 113, 9], 0)), &[1]);
        b.push(to, &vec![7; 70_000]);
        b.flush();
        for size in [0, 1, 0, 1200, 0] {
            a.push(to, &vec![round as u8; size]);
            want.push(size);
        }
        a.flush();
    }
    let got = receive_until(&mut b, want.len());
    assert_eq!(got.iter().map(Vec::len).collect::<Vec<_>>(), want);
}

#[test]
fn a_datagram_that_is_too_large_is_told_and_the_next_one_goes_out() {
    let (mut a, mut b) = pair();
    let to = SocketAddr::from(([127, 0, 0, 1], b.port()));
    a.push(to, &vec![1; 65_508]);
    a.flush();
    assert_eq!(a.take_errors(), vec![(to, SendError::TooBig)]);
    a.push(to, &[2; 5]);
    a.flush();
    assert_eq!(receive_until(&mut b, 1), vec![vec![2; 5]]);
}

#[test]
fn a_failure_that_goes_on_is_told_now_and_then_and_every_destination_once() {
    let (mut a, _b) = pair();
    let mut told = 0;
    for _ in 0..1000 {
        for host in 1..=3u8 {
            a.push(
                SocketAddr::from(([127, 0, 0, 1], u16::from(host))),
                &vec![0; 65_508],
            );
            a.flush();
        }
        told += a.take_errors().len();
    }
    assert!((3..300).contains(&told), "{told} of 3000");
}
