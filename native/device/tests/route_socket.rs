//! The readers of macOS's route socket and of Windows's IP helper: bytes from public sources, named at each, and noise. Neither
//! system was at hand: their glue was never compiled, and never run.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use device::network::route_socket::{Addr, Way, each_address, note_kinds, question, read_way};
use device::network::{Kinds, ip_helper};

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let value = |digit: u8| (digit as char).to_digit(16).unwrap() as u8;
    digits
        .chunks_exact(2)
        .map(|two| value(two[0]) << 4 | value(two[1]))
        .collect()
}

fn addresses(addrs: u32, bytes: &[u8]) -> Vec<Addr> {
    let mut out = Vec::new();
    each_address(addrs, bytes, |_, addr| out.push(addr));
    out
}

/// Source: golang/net route/address_darwin_test.go @ 2dab271, "route -n add -inet6 fd84:1b4e:6281:: …%utun4319" and others,
/// recorded on macOS.
#[test]
fn addresses_of_route_messages_are_read() {
    let lan = hex("10 02 00 00 c0 a8 56 00 00 00 00 00 00 00 00 00
         14 12 04 00 06 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
         07 ff ff ff ff ff ff");
    let link = |index, name: &str| Addr::Link {
        index,
        name: name.into(),
    };
    assert_eq!(
        addresses(7, &lan),
        [Addr::Ip(ip("192.168.86.0")), link(4, ""), Addr::Other]
    );
    let tunnel = hex("10 02 00 00 64 71 00 00 00 00 00 00 00 00 00 00
         14 12 21 00 01 08 00 00 75 74 75 6e 34 33 31 39 00 00 00 00
         06 02 00 00 ff ff 00 00");
    assert_eq!(
        addresses(7, &tunnel)[..2],
        [Addr::Ip(ip("100.113.0.0")), link(33, "utun4319")]
    );
    let scoped = hex(
        "1c 1e 00 00 00 00 00 00 fd 84 1b 4e 62 81 00 00 00 00 00 00 00 00 00 00 00 00 00 00
         1c 1e 00 00 00 00 00 00 fe 80 00 21 00 00 00 00 f2 2f 4b ff fe 09 3b ff 00 00 00 00
         0e 1e 00 00 00 00 00 00 ff ff ff ff ff ff 00 00",
    );
    assert_eq!(
        addresses(7, &scoped)[..2],
        [
            Addr::Ip(ip("fd84:1b4e:6281::")),
            Addr::Ip(ip("fe80::f22f:4bff:fe09:3bff"))
        ]
    );
    // golang/go#70528: the kernel makes addresses of length 0.
    let empty = hex("00 1e 00 00
         1c 1e 00 00 00 00 00 00 fe 80 00 21 00 00 00 00 f2 2f 4b ff fe 09 3b ff 00 00 00 00");
    assert_eq!(
        addresses(3, &empty),
        [Addr::Other, Addr::Ip(ip("fe80::f22f:4bff:fe09:3bff"))]
    );
}

/// Source: golang/go#70528, comment 2498692877, in golang/net route/address_darwin_test.go @ 2dab271: the whole answer to a
/// question for the default route, recorded on macOS with a default route by a point-to-point link.
#[test]
fn the_answer_to_a_question_for_the_default_route_is_read() {
    let answer = hex("84 00 05 04 01 00 00 00 03 08 00 01 15 00 00 00
         1b 01 00 00 f5 5a 00 00 03 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
         00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
         00 00 00 00 00 00 00 00 00 00 00 00 10 02 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 02 00 00
         14 12 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00");
    assert_eq!(answer.len(), 0x84);
    // That program numbered its question 23285; the kernel's word at 24 is an error number, 3: no such process, no route.
    assert_eq!(read_way(&answer, 23_285), None);
    let mut found = answer.clone();
    found[24] = 0;
    let way = Way {
        index: 1,
        name: None,
        gateway: None,
        source: None,
    };
    assert_eq!(read_way(&found, 23_285), Some(way));
    assert_eq!(read_way(&found, 7), None, "somebody else's question");
    assert_eq!(read_way(&found[..0x83], 23_285), None, "cut off");
}

#[test]
fn gateway_source_and_name_of_an_answer_are_told() {
    let mut answer = vec![0; 92];
    answer[2..6].copy_from_slice(&[5, 4, 6, 0]);
    answer[8] = 3;
    answer[12] = 0x32;
    answer[20] = 9;
    for part in [
        "10 02 00 00 c0 a8 01 01 00 00 00 00 00 00 00 00",
        "14 12 06 00 06 03 06 00 65 6e 30 ac 87 a3 19 7f 82 00 00 00",
        "10 02 00 00 c0 a8 01 05 00 00 00 00 00 00 00 00",
    ] {
        answer.extend(hex(part));
    }
    let length = answer.len() as u16;
    answer[..2].copy_from_slice(&length.to_le_bytes());
    let way = Way {
        index: 6,
        name: Some("en0".into()),
        gateway: Some(ip("192.168.1.1")),
        source: Some(ip("192.168.1.5")),
    };
    assert_eq!(read_way(&answer, 9), Some(way));
    answer[8] |= 8;
    assert_eq!(read_way(&answer, 9), None, "a route that refuses");
}

/// Source: tailscale net/netmon/netmon_darwin_test.go @ 0267fe8 (issue 1416): a multicast membership ended, recorded on macOS.
#[test]
fn only_links_addresses_and_routes_of_people_are_changes() {
    let kinds = |bytes: &[u8]| {
        let mut kinds = Kinds::default();
        note_kinds(bytes, &mut kinds);
        kinds
    };
    let membership = hex("32 00 05 10 30 00 00 00 00 00 00 00 04 00 00 00
         14 12 04 00 06 03 06 00 65 6e 30 ac 87 a3 19 7f 82 00 00 00
         0e 12 00 00 00 00 06 00 91 e0 f0 01 00 00");
    assert_eq!(kinds(&membership), Kinds::default());
    let message = |kind: u8, flags: u32| {
        let mut out = vec![0; 92];
        out[..4].copy_from_slice(&[92, 0, 5, kind]);
        out[8..12].copy_from_slice(&flags.to_le_bytes());
        out
    };
    let all = [
        message(0xc, 0),
        membership,
        message(0xe, 0),
        message(1, 0x803),
    ]
    .concat();
    let every = Kinds {
        links: true,
        addresses: true,
        routes: true,
    };
    assert_eq!(kinds(&all), every);
    assert_eq!(
        kinds(&message(1, 0x2_0405)),
        Kinds::default(),
        "a neighbour"
    );
    let mut other = message(0xc, 0);
    other[2] = 4;
    assert_eq!(kinds(&other), Kinds::default(), "another version");
}

#[test]
fn a_question_names_its_address_and_its_number() {
    for far in [
        IpAddr::V4(Ipv4Addr::new(6, 6, 6, 6)),
        IpAddr::V6(Ipv6Addr::LOCALHOST),
    ] {
        let bytes = question(far, 77);
        assert_eq!(
            usize::from(u16::from_le_bytes([bytes[0], bytes[1]])),
            bytes.len()
        );
        assert_eq!(bytes.len() % 4, 0);
        assert_eq!(&bytes[20..24], &77u32.to_le_bytes());
        assert_eq!(addresses(0x11, &bytes[92..])[0], Addr::Ip(far));
    }
}

/// Sizes and places of the fields: wireguard-windows tunnel/winipcfg/types_test_64.go (MibUnicastIPAddressRow 80 B,
/// MibIPforwardRow2 104 B), which checks them on Windows.
#[test]
fn rows_of_the_ip_helper_are_read() {
    let mut row = vec![0; ip_helper::ADDRESS_ROW];
    row[..28].copy_from_slice(&ip_helper::sockaddr(ip("192.168.1.5")));
    row[40] = 12;
    row[60] = 24;
    row[64] = 4;
    let want = ip_helper::AddressRow {
        index: 12,
        ip: ip("192.168.1.5"),
        prefix: 24,
    };
    let mut tentative = row.clone();
    tentative[64] = 1;
    let table = [&[3, 0, 0, 0, 0, 0, 0, 0][..], &row, &tentative, &row].concat();
    assert_eq!(ip_helper::addresses(&table), [want.clone(), want.clone()]);
    assert_eq!(
        ip_helper::addresses(&table[..100]),
        [want],
        "a count that lies"
    );

    let mut route = vec![0; ip_helper::ROUTE_ROW];
    route[8] = 12;
    let on_link = ip_helper::read_route(&route).unwrap();
    assert_eq!((on_link.index, on_link.gateway), (12, None));
    route[44..72].copy_from_slice(&ip_helper::sockaddr(ip("fe80::1")));
    assert_eq!(
        ip_helper::read_route(&route).unwrap().gateway,
        Some(ip("fe80::1"))
    );
    route[44..72].copy_from_slice(&ip_helper::sockaddr(ip("0.0.0.0")));
    assert_eq!(ip_helper::read_route(&route).unwrap().gateway, None);
}

#[test]
fn noise_never_breaks_the_readers() {
    let mut seed = 0x2545_f491_4f6c_dd1du64;
    let mut next = move || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    for round in 0..200_000usize {
        let mut bytes: Vec<u8> = (0..round % 211).map(|_| next() as u8).collect();
        if bytes.len() >= 4 && round % 2 == 0 {
            let length = bytes.len().min(next() as usize % 256) as u8;
            bytes[..4].copy_from_slice(&[length, 0, 5, [1, 4, 12, 14][round / 2 % 4]]);
        }
        note_kinds(&bytes, &mut Kinds::default());
        let number = bytes.get(20..24).map_or(0, |four| {
            u32::from_le_bytes([four[0], four[1], four[2], four[3]])
        });
        read_way(&bytes, number);
        each_address(next() as u32, &bytes, |_, _| {});
        ip_helper::addresses(&bytes);
        ip_helper::read_route(&bytes);
    }
}
