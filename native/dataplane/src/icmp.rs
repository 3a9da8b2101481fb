//! ICMP as the filter needs it: what kind of message it is, and which packet an error is about. Never allocates.
//!
//!   type 1 | code 1 | sum 2 | rest 4 | body        an error's body is the packet that it is about, perhaps cut short
//!
//! Sources: RFC 792, 4443, 4884 (an error quotes the IP header and 8 bytes at least).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::checksum::{folded, pseudo, sum};
use crate::flows::Flow;
use crate::ip::{self, Parsed};

/// What a message means to the filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    EchoRequest,
    EchoReply,
    /// It is about a packet that somebody sent.
    Error,
    /// Redirects, neighbour and router discovery, group membership: they mean something on one link alone.
    LinkOnly,
    Other,
}

/// The kind of a message that starts at `l4`; `proto` is ICMP or ICMPv6.
pub fn kind(proto: u8, l4: &[u8]) -> Kind {
    let Some(message) = l4.first() else {
        return Kind::Other;
    };
    match (proto, message) {
        (ip::ICMP, 0) | (ip::ICMPV6, 129) => Kind::EchoReply,
        (ip::ICMP, 8) | (ip::ICMPV6, 128) => Kind::EchoRequest,
        (ip::ICMP, 3 | 11 | 12) | (ip::ICMPV6, 1..=4) => Kind::Error,
        (ip::ICMP, 5 | 9 | 10) | (ip::ICMPV6, 130..=137 | 143 | 148 | 149) => Kind::LinkOnly,
        _ => Kind::Other,
    }
}

/// The identifier of an echo, under which its answers come; 0 for one that is cut short.
pub fn echo_ident(l4: &[u8]) -> u16 {
    l4.get(4..6)
        .map_or(0, |id| u16::from_be_bytes([id[0], id[1]]))
}

/// The flow of the packet that an error quotes, as that packet was sent: an echo request has its identifier as source
/// port, protocols without ports have none. None for what cannot be told: too short, a later fragment, extension headers.
pub fn quoted(l4: &[u8]) -> Option<Flow> {
    let about = l4.get(8..)?;
    match about.first()? >> 4 {
        4 => quoted4(about),
        6 => quoted6(about),
        _ => None,
    }
}

/// How much an error quotes at most: it fits the smallest packet that everybody takes.
const MOST_QUOTED: usize = 548;

/// What a router that may not pass a packet on says to its sender, in the name of the destination; none where nothing may be said:
/// of errors, fragments and groups.
pub fn prohibited(parsed: &Parsed, packet: &[u8]) -> Option<Vec<u8>> {
    let is_error = matches!(parsed.proto, ip::ICMP | ip::ICMPV6)
        && !matches!(
            kind(parsed.proto, packet.get(parsed.l4..)?),
            Kind::EchoRequest
        );
    if is_error || parsed.proto == ip::FRAGMENT || parsed.dst.is_multicast() {
        return None;
    }
    let about = &packet[..packet.len().min(MOST_QUOTED)];
    let (from, to) = (parsed.dst, parsed.src);
    let length = 8 + about.len();
    let mut out = Vec::with_capacity(40 + length);
    let (header, proto) = match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            out.extend_from_slice(&[0x45, 0, 0, 0, 0, 0, 0, 0, 64, ip::ICMP, 0, 0]);
            out[2..4].copy_from_slice(&((20 + length) as u16).to_be_bytes());
            out.extend_from_slice(&from.octets());
            out.extend_from_slice(&to.octets());
            let header_sum = !folded(sum(&out));
            out[10..12].copy_from_slice(&header_sum.to_be_bytes());
            out.extend_from_slice(&[3, 13, 0, 0, 0, 0, 0, 0]);
            (20, ip::ICMP)
        }
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            out.extend_from_slice(&[0x60, 0, 0, 0, 0, 0, ip::ICMPV6, 64]);
            out[4..6].copy_from_slice(&(length as u16).to_be_bytes());
            out.extend_from_slice(&from.octets());
            out.extend_from_slice(&to.octets());
            out.extend_from_slice(&[1, 1, 0, 0, 0, 0, 0, 0]);
            (40, ip::ICMPV6)
        }
        _ => return None,
    };
    out.extend_from_slice(about);
    let start = match proto {
        ip::ICMPV6 => pseudo(from, to, proto, length),
        _ => 0,
    };
    let message_sum = !folded(start + sum(&out[header..]));
    out[header + 2..header + 4].copy_from_slice(&message_sum.to_be_bytes());
    Some(out)
}

fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]))
}

fn quoted4(about: &[u8]) -> Option<Flow> {
    let header = usize::from(about.first()? & 15) * 4;
    if header < 20 || be16(about, 6)? & 0x1fff != 0 {
        return None;
    }
    let ip = |at: usize| -> Option<IpAddr> {
        let octets: [u8; 4] = about.get(at..at + 4)?.try_into().ok()?;
        Some(Ipv4Addr::from(octets).into())
    };
    flow(*about.get(9)?, (ip(12)?, ip(16)?), about.get(header..)?)
}

fn quoted6(about: &[u8]) -> Option<Flow> {
    let ip = |at: usize| -> Option<IpAddr> {
        let octets: [u8; 16] = about.get(at..at + 16)?.try_into().ok()?;
        Some(Ipv6Addr::from(octets).into())
    };
    let ends = (ip(8)?, ip(24)?);
    let (next, at) = match *about.get(6)? {
        ip::IPV6_FRAGMENT if be16(about, 42)? & 0xfff8 != 0 => return None,
        ip::IPV6_FRAGMENT => (*about.get(40)?, 48),
        next => (next, 40),
    };
    flow(next, ends, about.get(at..)?)
}

fn flow(proto: u8, (src, dst): (IpAddr, IpAddr), body: &[u8]) -> Option<Flow> {
    let (src_port, dst_port) = match proto {
        ip::TCP | ip::UDP | ip::SCTP => (be16(body, 0)?, be16(body, 2)?),
        ip::ICMP | ip::ICMPV6 if kind(proto, body) == Kind::EchoRequest && body.len() >= 6 => {
            (echo_ident(body), 0)
        }
        ip::ICMP | ip::ICMPV6 => return None,
        _ => (0, 0),
    };
    Some(Flow {
        proto,
        src,
        src_port,
        dst,
        dst_port,
    })
}
