//! IP headers read and written by hand: enough to route a packet to its flow, and to send UDP and ICMP.
//!
//! Reading checks lengths and, for IPv4, the header checksum; TCP's own checksum is smoltcp's business.
//! All integers are big-endian. Sources: RFC 791, 8200, 768, 1071.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::Range;

pub(crate) const TCP: u8 = 6;
pub(crate) const UDP: u8 = 17;
pub(crate) const ICMP: u8 = 1;
pub(crate) const ICMPV6: u8 = 58;
const FRAGMENT_V6: u8 = 44;
const V4_HEADER: usize = 20;
const V6_HEADER: usize = 40;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Malformed {
    Length,
    Version,
    Checksum,
    Address,
}

/// One piece of a fragmented datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fragment {
    pub id: u32,
    /// In bytes, a multiple of 8.
    pub offset: usize,
    pub more: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Header {
    pub src: IpAddr,
    pub dst: IpAddr,
    pub protocol: u8,
    /// Where the payload of the last header lies in the packet.
    pub payload: Range<usize>,
    pub fragment: Option<Fragment>,
}

fn be16(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

fn be32(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// Reads the IP header; bytes after the stated length are ignored.
pub(crate) fn parse(packet: &[u8]) -> Result<Header, Malformed> {
    let header = match packet.first().map(|b| b >> 4) {
        Some(4) => parse_v4(packet)?,
        Some(6) => parse_v6(packet)?,
        _ => return Err(Malformed::Version),
    };
    let sane = |ip: &IpAddr| !ip.is_unspecified() && !ip.is_multicast() && !ip.is_loopback();
    if !sane(&header.src) || !sane(&header.dst) {
        return Err(Malformed::Address);
    }
    Ok(header)
}

fn parse_v4(packet: &[u8]) -> Result<Header, Malformed> {
    if packet.len() < V4_HEADER {
        return Err(Malformed::Length);
    }
    let start = usize::from(packet[0] & 15) * 4;
    let end = usize::from(be16(packet, 2));
    if start < V4_HEADER || end < start || end > packet.len() {
        return Err(Malformed::Length);
    }
    if checksum(0, &packet[..start]) != 0 {
        return Err(Malformed::Checksum);
    }
    let flags = be16(packet, 6);
    let fragment = (flags & 0x3fff != 0).then(|| Fragment {
        id: u32::from(be16(packet, 4)),
        offset: usize::from(flags & 0x1fff) * 8,
        more: flags & 0x2000 != 0,
    });
    let v4 = |at: usize| Ipv4Addr::from(be32(packet, at));
    if v4(12).is_broadcast() || v4(16).is_broadcast() {
        return Err(Malformed::Address);
    }
    Ok(Header {
        src: v4(12).into(),
        dst: v4(16).into(),
        protocol: packet[9],
        payload: start..end,
        fragment,
    })
}

fn parse_v6(packet: &[u8]) -> Result<Header, Malformed> {
    if packet.len() < V6_HEADER {
        return Err(Malformed::Length);
    }
    let end = V6_HEADER + usize::from(be16(packet, 4));
    if end > packet.len() {
        return Err(Malformed::Length);
    }
    let v6 = |at: usize| {
        let mut octets = [0; 16];
        octets.copy_from_slice(&packet[at..at + 16]);
        Ipv6Addr::from(octets)
    };
    let mut header = Header {
        src: v6(8).into(),
        dst: v6(24).into(),
        protocol: packet[6],
        payload: V6_HEADER..end,
        fragment: None,
    };
    if header.protocol == FRAGMENT_V6 {
        if end - V6_HEADER < 8 {
            return Err(Malformed::Length);
        }
        let field = be16(packet, V6_HEADER + 2);
        header.protocol = packet[V6_HEADER];
        header.payload = V6_HEADER + 8..end;
        header.fragment = Some(Fragment {
            id: be32(packet, V6_HEADER + 4),
            offset: usize::from(field & !7),
            more: field & 1 != 0,
        });
    }
    Ok(header)
}

/// The Internet checksum of `bytes`, continued from `sum`; 0 over data with a right checksum in it.
pub(crate) fn checksum(sum: u64, bytes: &[u8]) -> u16 {
    let mut sum = sum;
    let mut words = bytes.chunks_exact(4);
    for word in &mut words {
        sum += u64::from(be32(word, 0));
    }
    let mut rest = [0; 4];
    rest[..words.remainder().len()].copy_from_slice(words.remainder());
    sum += u64::from(u32::from_be_bytes(rest));
    while sum > 0xffff {
        sum = (sum >> 16) + (sum & 0xffff);
    }
    !(sum as u16)
}

/// The pseudo-header's part of a UDP, TCP or ICMPv6 checksum.
pub(crate) fn pseudo(src: IpAddr, dst: IpAddr, protocol: u8, length: usize) -> u64 {
    let address = |ip: IpAddr| -> u64 {
        match ip {
            IpAddr::V4(ip) => u64::from(u32::from(ip)),
            IpAddr::V6(ip) => ip
                .octets()
                .chunks_exact(4)
                .map(|c| u64::from(be32(c, 0)))
                .sum(),
        }
    };
    address(src) + address(dst) + u64::from(protocol) + length as u64
}

/// A UDP header and payload with its checksum.
pub(crate) fn udp_datagram(src: SocketAddr, dst: SocketAddr, payload: &[u8]) -> Option<Vec<u8>> {
    let length = 8 + payload.len();
    let mut datagram = Vec::with_capacity(length);
    datagram.extend_from_slice(&src.port().to_be_bytes());
    datagram.extend_from_slice(&dst.port().to_be_bytes());
    datagram.extend_from_slice(&u16::try_from(length).ok()?.to_be_bytes());
    datagram.extend_from_slice(&[0, 0]);
    datagram.extend_from_slice(payload);
    let sum = match checksum(pseudo(src.ip(), dst.ip(), UDP, length), &datagram) {
        0 => 0xffff,
        sum => sum,
    };
    datagram[6..8].copy_from_slice(&sum.to_be_bytes());
    Some(datagram)
}

/// Ports and payload of a UDP datagram whose checksum is right (or absent, on IPv4).
pub(crate) fn read_udp(
    header: &Header,
    datagram: &[u8],
) -> Result<(u16, u16, Range<usize>), Malformed> {
    if datagram.len() < 8 {
        return Err(Malformed::Length);
    }
    let length = usize::from(be16(datagram, 4));
    if length < 8 || length > datagram.len() {
        return Err(Malformed::Length);
    }
    let stated = be16(datagram, 6);
    let absent = stated == 0 && header.src.is_ipv4();
    let sum = pseudo(header.src, header.dst, UDP, length);
    if !absent && checksum(sum, &datagram[..length]) != 0 {
        return Err(Malformed::Checksum);
    }
    Ok((be16(datagram, 0), be16(datagram, 2), 8..length))
}

/// Wraps `payload` in IP headers, in fragments if it does not fit, and hands each packet to `send`.
pub(crate) fn send_ip(
    (src, dst): (IpAddr, IpAddr),
    (protocol, id): (u8, u32),
    mtu: usize,
    payload: &[u8],
    mut send: impl FnMut(&[u8]),
) {
    let header = if src.is_ipv4() { V4_HEADER } else { V6_HEADER };
    let whole = header + payload.len() <= mtu;
    let extra = if whole || src.is_ipv4() { 0 } else { 8 };
    let step = if whole {
        payload.len().max(1)
    } else {
        (mtu - header - extra) & !7
    };
    let mut offset = 0;
    let mut packet = Vec::with_capacity(header + extra + step);
    loop {
        let piece = &payload[offset..payload.len().min(offset + step)];
        let more = offset + piece.len() < payload.len();
        packet.clear();
        match (src, dst) {
            (IpAddr::V4(src), IpAddr::V4(dst)) => {
                let flags = (offset / 8) as u16 | if more { 0x2000 } else { 0 };
                push_v4(&mut packet, (src, dst), (protocol, id as u16), flags, piece);
            }
            (IpAddr::V6(src), IpAddr::V6(dst)) => {
                let next = if whole { protocol } else { FRAGMENT_V6 };
                push_v6(&mut packet, (src, dst), next, extra + piece.len());
                if !whole {
                    packet.extend_from_slice(&[protocol, 0]);
                    packet.extend_from_slice(&((offset as u16) | u16::from(more)).to_be_bytes());
                    packet.extend_from_slice(&id.to_be_bytes());
                }
            }
            _ => return,
        }
        packet.extend_from_slice(piece);
        send(&packet);
        offset += piece.len();
        if !more {
            return;
        }
    }
}

fn push_v4(
    packet: &mut Vec<u8>,
    (src, dst): (Ipv4Addr, Ipv4Addr),
    (protocol, id): (u8, u16),
    flags: u16,
    payload: &[u8],
) {
    packet.extend_from_slice(&[0x45, 0]);
    packet.extend_from_slice(&((V4_HEADER + payload.len()) as u16).to_be_bytes());
    packet.extend_from_slice(&id.to_be_bytes());
    packet.extend_from_slice(&flags.to_be_bytes());
    packet.extend_from_slice(&[64, protocol, 0, 0]);
    packet.extend_from_slice(&src.octets());
    packet.extend_from_slice(&dst.octets());
    let sum = checksum(0, packet);
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
}

fn push_v6(packet: &mut Vec<u8>, (src, dst): (Ipv6Addr, Ipv6Addr), next: u8, length: usize) {
    packet.extend_from_slice(&[0x60, 0, 0, 0]);
    packet.extend_from_slice(&(length as u16).to_be_bytes());
    packet.extend_from_slice(&[next, 64]);
    packet.extend_from_slice(&src.octets());
    packet.extend_from_slice(&dst.octets());
}
