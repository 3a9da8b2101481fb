//! SOCKS5 as a server: pure codec (RFC 1928), no authentication.
//!
//!   greeting  05 | n | n methods                      → 05 | 00, or 05 | ff
//!   request   05 | command | 00 | address             → 05 | reply | 00 | bound address
//!   datagram  00 00 | fragment 00 | address | payload (UDP, both ways)
//!   address   01 | 4 B | port   or   03 | n | n B | port   or   04 | 16 B | port

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

pub(crate) const VERSION: u8 = 5;
pub(crate) const CONNECT: u8 = 1;
pub(crate) const ASSOCIATE: u8 = 3;

pub(crate) const GREETING_OK: [u8; 2] = [VERSION, 0];
pub(crate) const GREETING_NO_METHOD: [u8; 2] = [VERSION, 0xff];

pub(crate) mod reply {
    pub const OK: u8 = 0;
    pub const FAILURE: u8 = 1;
    pub const NOT_ALLOWED: u8 = 2;
    pub const NETWORK_UNREACHABLE: u8 = 3;
    pub const HOST_UNREACHABLE: u8 = 4;
    pub const REFUSED: u8 = 5;
    pub const BAD_COMMAND: u8 = 7;
    pub const BAD_ADDRESS: u8 = 8;
}

/// A parse of bytes that may still be arriving.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Parsed<T> {
    /// More bytes are needed.
    Partial,
    /// The value, and how many bytes it took.
    Done(T, usize),
    /// Not acceptable; with the reply code that says why.
    Bad(u8),
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub command: u8,
    /// An address in text form, or a name.
    pub host: String,
    pub port: u16,
}

/// `Done(true)` when the client offers to go without authentication.
pub(crate) fn parse_greeting(bytes: &[u8]) -> Parsed<bool> {
    match bytes {
        [] => Parsed::Partial,
        [VERSION, count, methods @ ..] => {
            let count = usize::from(*count);
            match methods.get(..count) {
                Some(offered) => Parsed::Done(offered.contains(&0), 2 + count),
                None => Parsed::Partial,
            }
        }
        [VERSION] => Parsed::Partial,
        _ => Parsed::Bad(reply::FAILURE),
    }
}

pub(crate) fn parse_request(bytes: &[u8]) -> Parsed<Request> {
    let [version, command, _, rest @ ..] = bytes else {
        return Parsed::Partial;
    };
    if *version != VERSION {
        return Parsed::Bad(reply::FAILURE);
    }
    match parse_address(rest) {
        Parsed::Partial => Parsed::Partial,
        Parsed::Bad(code) => Parsed::Bad(code),
        Parsed::Done((host, port), used) => Parsed::Done(
            Request {
                command: *command,
                host,
                port,
            },
            3 + used,
        ),
    }
}

fn parse_address(bytes: &[u8]) -> Parsed<(String, u16)> {
    let [kind, rest @ ..] = bytes else {
        return Parsed::Partial;
    };
    let (skip, length) = match (kind, rest.first()) {
        (1, _) => (0, 4),
        (4, _) => (0, 16),
        (3, Some(0)) => return Parsed::Bad(reply::FAILURE),
        (3, Some(n)) => (1, usize::from(*n)),
        (3, None) => return Parsed::Partial,
        _ => return Parsed::Bad(reply::BAD_ADDRESS),
    };
    let Some(body) = rest.get(skip..skip + length + 2) else {
        return Parsed::Partial;
    };
    let (address, port) = body.split_at(length);
    let host = match address.len() {
        4 if *kind == 1 => {
            let octets: [u8; 4] = address.try_into().unwrap_or_default();
            Ipv4Addr::from(octets).to_string()
        }
        16 if *kind == 4 => {
            let octets: [u8; 16] = address.try_into().unwrap_or_default();
            Ipv6Addr::from(octets).to_string()
        }
        _ => match std::str::from_utf8(address) {
            Ok(name) if is_host(name) => name.to_owned(),
            _ => return Parsed::Bad(reply::FAILURE),
        },
    };
    let port = u16::from_be_bytes([port[0], port[1]]);
    Parsed::Done((host, port), 1 + skip + length + 2)
}

/// A host that may be passed on: no spaces, control characters or other surprises.
pub(crate) fn is_host(host: &str) -> bool {
    let plain = |c: char| !c.is_control() && !c.is_whitespace() && !"/\\@?#\"<>".contains(c);
    !host.is_empty() && host.len() <= 255 && host.chars().all(plain)
}

fn push_address(bytes: &mut Vec<u8>, address: SocketAddr) {
    match address.ip() {
        IpAddr::V4(ip) => {
            bytes.push(1);
            bytes.extend_from_slice(&ip.octets());
        }
        IpAddr::V6(ip) => {
            bytes.push(4);
            bytes.extend_from_slice(&ip.octets());
        }
    }
    bytes.extend_from_slice(&address.port().to_be_bytes());
}

pub(crate) fn encode_reply(code: u8, bound: SocketAddr) -> Vec<u8> {
    let mut bytes = vec![VERSION, code, 0];
    push_address(&mut bytes, bound);
    bytes
}

/// The error reply, whose bound address means nothing.
pub(crate) fn encode_error(code: u8) -> Vec<u8> {
    encode_reply(code, SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)))
}

/// Host, port and where the payload starts; `None` for anything malformed or fragmented.
pub(crate) fn parse_datagram(bytes: &[u8]) -> Option<(String, u16, usize)> {
    let [_, _, 0, rest @ ..] = bytes else {
        return None;
    };
    match parse_address(rest) {
        Parsed::Done((host, port), used) => Some((host, port, 3 + used)),
        _ => None,
    }
}

pub(crate) fn encode_datagram(from: SocketAddr, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 0];
    push_address(&mut bytes, from);
    bytes.extend_from_slice(payload);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_partial_until_its_last_byte() {
        let mut bytes = vec![5, 1, 0, 3, 4];
        bytes.extend_from_slice(b"host\x01\xbb");
        for end in 0..bytes.len() {
            assert_eq!(parse_request(&bytes[..end]), Parsed::Partial);
        }
        let request = Request {
            command: CONNECT,
            host: "host".into(),
            port: 443,
        };
        assert_eq!(parse_request(&bytes), Parsed::Done(request, bytes.len()));
    }

    #[test]
    fn names_with_control_characters_are_refused() {
        let bytes = b"\x05\x01\x00\x03\x04a\r\nb\x00\x50";
        assert_eq!(parse_request(bytes), Parsed::Bad(reply::FAILURE));
    }

    #[test]
    fn a_datagram_round_trips_for_both_families() {
        for text in ["100.64.0.1:53", "[fd7a::1]:53"] {
            let from: SocketAddr = text.parse().unwrap();
            let bytes = encode_datagram(from, b"payload");
            let (host, port, at) = parse_datagram(&bytes).unwrap();
            assert_eq!((host, port), (from.ip().to_string(), 53));
            assert_eq!(&bytes[at..], b"payload");
        }
    }

    #[test]
    fn a_greeting_without_our_method_is_told_apart() {
        assert_eq!(parse_greeting(&[5, 1, 2]), Parsed::Done(false, 3));
        assert_eq!(parse_greeting(&[5, 2, 2, 0, 9]), Parsed::Done(true, 4));
        assert_eq!(parse_greeting(&[4]), Parsed::Bad(reply::FAILURE));
    }
}
