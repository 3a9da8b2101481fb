//! Reads the headers of one inner packet: addresses, protocol, ports, flags. Never allocates, never panics.
//!
//! What cannot be judged safely has protocol `UNKNOWN` (an IPv6 extension chain other than one Fragment header, a
//! first fragment too short for its ports, a later fragment low enough to overwrite them, an IPv4 packet that names its own
//! route); the filter drops it. A later fragment has protocol `FRAGMENT` and no ports: the first one is judged for it.
//!
//! Source: RFC 791, 8200, 1858; Tailscale's net/packet decides the same way, and peers rely on it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub const UNKNOWN: u8 = 0;
pub const ICMP: u8 = 1;
pub const IGMP: u8 = 2;
pub const TCP: u8 = 6;
pub const UDP: u8 = 17;
pub const IPV6_FRAGMENT: u8 = 44;
pub const ICMPV6: u8 = 58;
pub const TSMP: u8 = 99;
pub const SCTP: u8 = 132;
/// Stands for a later fragment; the real protocol number 255 is mapped to `UNKNOWN`.
pub const FRAGMENT: u8 = 255;

pub const FIN: u8 = 0x01;
pub const SYN: u8 = 0x02;
pub const RST: u8 = 0x04;
pub const ACK: u8 = 0x10;

/// A later fragment below this offset could overwrite a transport header: 60 bytes of IPv4 header and 20 of TCP.
const MIN_FRAGMENT_OFFSET_BYTES: usize = 80;

/// A first fragment with less than that has one purpose: to hide what its datagram is.
const MIN_FIRST_FRAGMENT_BYTES: usize = 10;

/// What the headers of a packet say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parsed {
    /// `UNKNOWN` and `FRAGMENT` are not wire values, see above.
    pub proto: u8,
    pub src: IpAddr,
    pub dst: IpAddr,
    /// 0 where the protocol has no ports.
    pub src_port: u16,
    pub dst_port: u16,
    /// TCP only.
    pub tcp_flags: u8,
    /// Bytes of the packet by its own header; what lies behind is padding.
    pub total_len: usize,
    /// Offset of the transport header.
    pub l4: usize,
    /// The first of several fragments.
    pub more: bool,
}

/// Why bytes are no IP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    Short,
    Version,
    Length,
}

impl Parsed {
    /// SYN set, ACK clear: the start of a flow.
    pub fn is_tcp_syn(&self) -> bool {
        self.proto == TCP && self.tcp_flags & (SYN | ACK) == SYN
    }
}

/// Reads the headers of `packet`, which may have padding behind the packet's own length.
pub fn parse(packet: &[u8]) -> Result<Parsed, Malformed> {
    match packet.first().ok_or(Malformed::Short)? >> 4 {
        4 => parse4(packet),
        6 => parse6(packet),
        _ => Err(Malformed::Version),
    }
}

fn be16(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

fn parse4(packet: &[u8]) -> Result<Parsed, Malformed> {
    if packet.len() < 20 {
        return Err(Malformed::Short);
    }
    let header_len = usize::from(packet[0] & 15) * 4;
    let total_len = usize::from(be16(packet, 2));
    if header_len < 20 || total_len < header_len || total_len > packet.len() {
        return Err(Malformed::Length);
    }
    let octets = |at: usize| {
        IpAddr::V4(Ipv4Addr::new(
            packet[at],
            packet[at + 1],
            packet[at + 2],
            packet[at + 3],
        ))
    };
    let mut parsed = Parsed {
        proto: packet[9],
        src: octets(12),
        dst: octets(16),
        src_port: 0,
        dst_port: 0,
        tcp_flags: 0,
        total_len,
        l4: header_len,
        more: false,
    };
    let fragment = be16(packet, 6);
    let offset_bytes = usize::from(fragment & 0x1fff) * 8;
    parsed.more = offset_bytes == 0 && fragment & 0x2000 != 0;
    if header_len > 20 && is_source_routed(&packet[20..header_len]) {
        parsed.proto = UNKNOWN;
    } else if offset_bytes > 0 {
        parsed.proto = later_fragment(offset_bytes);
    } else {
        if parsed.proto == ICMPV6 {
            parsed.proto = UNKNOWN;
        }
        parse_transport(packet, &mut parsed);
    }
    Ok(parsed)
}

fn parse6(packet: &[u8]) -> Result<Parsed, Malformed> {
    if packet.len() < 40 {
        return Err(Malformed::Short);
    }
    let total_len = 40 + usize::from(be16(packet, 4));
    if total_len > packet.len() {
        return Err(Malformed::Length);
    }
    let octets = |at: usize| {
        let mut bytes = [0u8; 16];
        bytes.copy_from_slice(&packet[at..at + 16]);
        IpAddr::V6(Ipv6Addr::from(bytes))
    };
    let mut parsed = Parsed {
        proto: packet[6],
        src: octets(8),
        dst: octets(24),
        src_port: 0,
        dst_port: 0,
        tcp_flags: 0,
        total_len,
        l4: 40,
        more: false,
    };
    if parsed.proto == IPV6_FRAGMENT {
        if total_len < 48 {
            parsed.proto = UNKNOWN;
            return Ok(parsed);
        }
        parsed.proto = packet[40];
        parsed.l4 = 48;
        let word = be16(packet, 42);
        let offset_bytes = usize::from(word & 0xfff8);
        if offset_bytes > 0 {
            parsed.proto = later_fragment(offset_bytes);
            return Ok(parsed);
        }
        parsed.more = word & 1 != 0;
    }
    if is_extension(parsed.proto) || parsed.proto == ICMP {
        parsed.proto = UNKNOWN;
        return Ok(parsed);
    }
    parse_transport(packet, &mut parsed);
    Ok(parsed)
}

/// Protocol and identification by which the fragments of one datagram belong together; None for what is no fragment. IPv6
/// has no protocol in it. `packet` was parsed.
pub fn fragment_id(packet: &[u8]) -> Option<(u8, u32)> {
    match packet.first()? >> 4 {
        4 => Some((packet[9], u32::from(be16(packet, 4)))),
        _ if packet.len() >= 48 && packet[6] == IPV6_FRAGMENT => {
            let id = [packet[44], packet[45], packet[46], packet[47]];
            Some((IPV6_FRAGMENT, u32::from_be_bytes(id)))
        }
        _ => None,
    }
}

/// Whether IPv4 options hold a source route: no honest packet has one, and who obeys it sends on what is not for him.
fn is_source_routed(options: &[u8]) -> bool {
    let mut rest = options;
    while let [kind, tail @ ..] = rest {
        rest = match (kind, tail.first()) {
            (0, _) => return false,
            (1, _) => tail,
            (131 | 137, _) => return true,
            (_, Some(len)) if *len >= 2 => rest.get(usize::from(*len)..).unwrap_or(&[]),
            _ => return false,
        };
    }
    false
}

fn later_fragment(offset_bytes: usize) -> u8 {
    if offset_bytes < MIN_FRAGMENT_OFFSET_BYTES {
        UNKNOWN
    } else {
        FRAGMENT
    }
}

/// IPv6 next-header values that are not a transport: only one Fragment header is understood, in front.
fn is_extension(next: u8) -> bool {
    matches!(next, 0 | 43 | 44 | 51 | 60 | 135 | 139 | 140 | 253 | 254)
}

fn parse_transport(packet: &[u8], parsed: &mut Parsed) {
    let body = &packet[parsed.l4..parsed.total_len];
    let need = match parsed.proto {
        TCP => 20,
        UDP | ICMPV6 | ICMP => 8,
        SCTP => 12,
        // The number stands for something else inside this engine.
        FRAGMENT => usize::MAX,
        _ => 0,
    };
    let need = if parsed.more {
        need.max(MIN_FIRST_FRAGMENT_BYTES)
    } else {
        need
    };
    if body.len() < need {
        parsed.proto = UNKNOWN;
        return;
    }
    match parsed.proto {
        TCP => {
            parsed.tcp_flags = body[13] & 0x3f;
            if usize::from(body[12] >> 4) < 5
                || usize::from(body[12] >> 4) * 4 > body.len() && !parsed.more
            {
                parsed.proto = UNKNOWN;
                return;
            }
        }
        UDP | SCTP => {}
        _ => return,
    }
    parsed.src_port = be16(body, 0);
    parsed.dst_port = be16(body, 2);
}

/// Ones' complement sum of RFC 1071 over `bytes`, starting from `sum`.
pub fn checksum_add(mut sum: u32, bytes: &[u8]) -> u32 {
    let mut pairs = bytes.chunks_exact(2);
    for pair in &mut pairs {
        sum += u32::from(u16::from_be_bytes([pair[0], pair[1]]));
    }
    if let [last] = pairs.remainder() {
        sum += u32::from(*last) << 8;
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum
}

/// Writes an IP header for `payload_len` bytes of `proto` into `out`; both addresses are of one family.
pub fn push_header(
    out: &mut Vec<u8>,
    proto: u8,
    src: IpAddr,
    dst: IpAddr,
    payload_len: usize,
) -> bool {
    match (src, dst) {
        (IpAddr::V4(src), IpAddr::V4(dst)) => {
            let Ok(total) = u16::try_from(20 + payload_len) else {
                return false;
            };
            let start = out.len();
            out.extend_from_slice(&[0x45, 0]);
            out.extend_from_slice(&total.to_be_bytes());
            out.extend_from_slice(&[0, 0, 0, 0, 64, proto, 0, 0]);
            out.extend_from_slice(&src.octets());
            out.extend_from_slice(&dst.octets());
            let sum = !(checksum_add(0, &out[start..start + 20]) as u16);
            out[start + 10..start + 12].copy_from_slice(&sum.to_be_bytes());
            true
        }
        (IpAddr::V6(src), IpAddr::V6(dst)) => {
            let Ok(length) = u16::try_from(payload_len) else {
                return false;
            };
            out.extend_from_slice(&[0x60, 0, 0, 0]);
            out.extend_from_slice(&length.to_be_bytes());
            out.extend_from_slice(&[proto, 64]);
            out.extend_from_slice(&src.octets());
            out.extend_from_slice(&dst.octets());
            true
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp4(flags: u8, len: usize) -> Vec<u8> {
        let mut out = Vec::new();
        let [src, dst] = ["100.64.0.1", "100.64.0.2"].map(|text| text.parse().unwrap());
        assert!(push_header(&mut out, TCP, src, dst, len));
        let mut body = vec![0u8; len];
        body[0..4].copy_from_slice(&[0x12, 0x34, 0, 80]);
        body[12] = 5 << 4;
        body[13] = flags;
        out.extend_from_slice(&body);
        out
    }

    #[test]
    fn reads_a_tcp_syn_and_ignores_padding() {
        let mut packet = tcp4(SYN, 20);
        packet.extend_from_slice(&[0; 8]);
        let parsed = parse(&packet).unwrap();
        assert!(parsed.is_tcp_syn());
        assert_eq!(
            (
                parsed.src_port,
                parsed.dst_port,
                parsed.total_len,
                parsed.l4
            ),
            (0x1234, 80, 40, 20)
        );
        assert_eq!(checksum_add(0, &packet[..20]), 0xffff);
    }

    #[test]
    fn refuses_lengths_that_lie() {
        let packet = tcp4(SYN, 20);
        assert_eq!(parse(&packet[..39]), Err(Malformed::Length));
        assert_eq!(parse(&packet[..19]), Err(Malformed::Short));
        assert_eq!(parse(&[]), Err(Malformed::Short));
        assert_eq!(parse(&[0x50; 40]), Err(Malformed::Version));
        let mut low = packet.clone();
        low[0] = 0x44;
        assert_eq!(parse(&low), Err(Malformed::Length));
    }

    #[test]
    fn low_later_fragments_are_unknown_and_high_ones_pass_as_fragments() {
        let mut packet = tcp4(SYN, 20);
        for (units, proto) in [
            (1u16, UNKNOWN),
            (9, UNKNOWN),
            (10, FRAGMENT),
            (0x1fff, FRAGMENT),
        ] {
            packet[6..8].copy_from_slice(&units.to_be_bytes());
            assert_eq!(parse(&packet).unwrap().proto, proto);
        }
    }

    #[test]
    fn never_panics_on_any_prefix_of_any_bytes() {
        let mut state = 1u64;
        for _ in 0..20_000 {
            let mut bytes = [0u8; 72];
            for byte in &mut bytes {
                state = state
                    .wrapping_mul(6364136223846793005)
                    .wrapping_add(1442695040888963407);
                *byte = (state >> 56) as u8;
            }
            bytes[0] = if state & 1 == 0 { 0x45 } else { 0x60 };
            bytes[2] = 0;
            bytes[4] = 0;
            for len in [0, 1, 19, 20, 28, 40, 47, 48, 72] {
                if let Ok(parsed) = parse(&bytes[..len]) {
                    assert!(parsed.total_len <= len && parsed.l4 <= len.max(48));
                }
            }
        }
    }
}
