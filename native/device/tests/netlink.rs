//! The reader of rtnetlink messages: messages as Linux 6 sends them, and noise.

use std::net::IpAddr;

use device::network::Kinds;
use device::network::netlink::{Row, each_message, note_kinds, read_row};

fn message(kind: u16, length: u32, size: usize) -> Vec<u8> {
    let mut out = length.to_ne_bytes().to_vec();
    out.extend_from_slice(&kind.to_ne_bytes());
    out.resize(size, 0);
    out
}

fn attribute(out: &mut Vec<u8>, kind: u16, value: &[u8]) {
    out.extend_from_slice(&(4 + value.len() as u16).to_ne_bytes());
    out.extend_from_slice(&kind.to_ne_bytes());
    out.extend_from_slice(value);
    out.resize(out.len().next_multiple_of(4), 0);
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn kinds_of_messages_are_told_apart_and_lying_lengths_end_the_batch() {
    let mut kinds = Kinds::default();
    note_kinds(
        &[message(16, 18, 20), message(24, 16, 16)].concat(),
        &mut kinds,
    );
    assert!(kinds.links && !kinds.addresses && kinds.routes);
    let mut kinds = Kinds::default();
    note_kinds(
        &[message(1, 3, 16), message(20, 16, 16)].concat(),
        &mut kinds,
    );
    assert_eq!(kinds, Kinds::default());
    note_kinds(&message(20, u32::MAX, 16), &mut kinds);
    assert!(kinds.addresses);
}

#[test]
fn a_link_has_a_name_and_is_up_only_with_its_cable_in() {
    let link = |flags: u32| {
        let mut body = vec![0, 0, 1, 0];
        body.extend_from_slice(&7i32.to_ne_bytes());
        body.extend_from_slice(&flags.to_ne_bytes());
        body.extend_from_slice(&[0; 4]);
        attribute(&mut body, 3, b"eth0\0");
        read_row(16, &body)
    };
    let name = "eth0".to_string();
    let row = |up, loopback| {
        Some(Row::Link {
            index: 7,
            name: name.clone(),
            up,
            loopback,
        })
    };
    assert_eq!(link(0x1_1043), row(true, false));
    assert_eq!(link(0x1003), row(false, false));
    assert_eq!(link(0x49), row(true, true));
}

#[test]
fn an_address_is_the_near_end_of_its_link_and_usable() {
    let address = |family: u8, bits: u8, flags: u32, own: &[u8], far: &[u8]| {
        let mut body = vec![family, bits, 0x80, 0];
        body.extend_from_slice(&3u32.to_ne_bytes());
        attribute(&mut body, 1, far);
        if !own.is_empty() {
            attribute(&mut body, 2, own);
        }
        attribute(&mut body, 8, &flags.to_ne_bytes());
        read_row(20, &body)
    };
    let row = |text: &str, prefix| {
        Some(Row::Address {
            index: 3,
            ip: ip(text),
            prefix,
        })
    };
    assert_eq!(
        address(2, 32, 0x80, &[10, 0, 0, 2], &[10, 0, 0, 1]),
        row("10.0.0.2", 32)
    );
    let six = "2001:db8::1"
        .parse::<std::net::Ipv6Addr>()
        .unwrap()
        .octets();
    assert_eq!(address(10, 64, 0x80, &[], &six), row("2001:db8::1", 64));
    assert_eq!(
        address(10, 64, 0x40, &[], &six),
        None,
        "still being checked for doubles"
    );
    assert_eq!(address(10, 64, 0x08, &[], &six), None, "a double");
    assert_eq!(address(2, 32, 0x80, &[1, 2], &[1]), None, "too short");
}

#[test]
fn a_route_tells_interface_gateway_and_source() {
    let route = |family: u8, kind: u8, attributes: &[(u16, &[u8])]| {
        let mut body = vec![family, 32, 0, 0, 254, 0, 0, kind, 0, 2, 0, 0];
        for (kind, value) in attributes {
            attribute(&mut body, *kind, value);
        }
        read_row(24, &body)
    };
    let index = 5u32.to_ne_bytes();
    let want = |gateway, source| {
        Some(Row::Route {
            index: 5,
            gateway,
            source,
        })
    };
    assert_eq!(
        route(
            2,
            1,
            &[(4, &index), (5, &[10, 0, 0, 1]), (7, &[10, 0, 0, 2])]
        ),
        want(Some(ip("10.0.0.1")), Some(ip("10.0.0.2")))
    );
    assert_eq!(route(2, 1, &[(4, &index)]), want(None, None));
    let mut via = 10u16.to_ne_bytes().to_vec();
    via.extend_from_slice(&"fe80::1".parse::<std::net::Ipv6Addr>().unwrap().octets());
    assert_eq!(
        route(2, 1, &[(4, &index), (18, &via)]),
        want(Some(ip("fe80::1")), None)
    );
    assert_eq!(route(2, 7, &[(4, &index)]), None, "an unreachable route");
    assert_eq!(route(2, 1, &[]), None, "no interface");
}

#[test]
fn an_error_is_the_end_with_its_number() {
    assert_eq!(read_row(2, &(-101i32).to_ne_bytes()), Some(Row::End(101)));
    assert_eq!(read_row(2, &i32::MIN.to_ne_bytes()), Some(Row::End(0)));
    assert_eq!(read_row(3, &[]), Some(Row::End(0)));
}

#[test]
fn noise_never_breaks_the_reader() {
    let mut seed = 0x9e37_79b9_7f4a_7c15u64;
    let mut next = move || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    for round in 0..200_000usize {
        let mut bytes: Vec<u8> = (0..round % 97).map(|_| next() as u8).collect();
        // Half of them get a head that leads on.
        if bytes.len() >= 16 && round % 2 == 0 {
            let (length, kind) = (next() as u8 % 100, [2, 3, 16, 20, 24][round % 5]);
            bytes[..6].copy_from_slice(&[length, 0, 0, 0, kind, 0]);
        }
        each_message(&bytes, |kind, _, body| {
            read_row(kind, body);
        });
    }
}

#[test]
#[cfg(target_os = "linux")]
fn this_machine_has_a_loopback_address() {
    let state = device::network::current(None).unwrap();
    let found = state.addresses.iter().find(|one| one.loopback);
    assert!(found.is_some_and(|one| one.ip.is_loopback()));
}
