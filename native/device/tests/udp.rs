//! The UDP sockets against the real loopback.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytes::BytesMut;
use device::udp::{Options, Udp};

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
    for _ in 0..10_000 {
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
        for _ in 0..10_000 {
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
    a.rebind(port).unwrap();
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
