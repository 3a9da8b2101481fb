//! TSMP, the small messages between stacks: IP protocol 99 straight behind the IP header.
//!
//!   0x21 '!'  rejected flow: proto 1 | reason 1 | src port 2 | dst port 2 | [flags 1: 1 = perhaps], of the flow as its opener sent it
//!   0x70 'p'  ping: 8 opaque bytes          0x6f 'o'  pong: the same 8 bytes | [PeerAPI port 2]
//!   0x61 'a'  disco key advertisement: 32 bytes
//!
//! Integers big-endian, ports of a reject from the view of the flow's opener. Source: Tailscale net/packet/tsmp.go.

use std::net::IpAddr;

use crate::ip;

pub const REASON_ACL: u8 = b'A';
pub const REASON_SHIELDS_UP: u8 = b'S';

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    Reject {
        proto: u8,
        reason: u8,
        src_port: u16,
        dst_port: u16,
        /// The sender is not sure that it is why the flow fails.
        maybe_broken: bool,
    },
    Ping([u8; 8]),
    Pong([u8; 8], Option<u16>),
    DiscoKey([u8; 32]),
}

/// The message in the bytes behind the IP header; None for kinds that we do not know.
pub fn decode(body: &[u8]) -> Option<Message> {
    let (kind, rest) = body.split_first()?;
    match kind {
        b'!' if rest.len() >= 6 => Some(Message::Reject {
            proto: rest[0],
            reason: rest[1],
            src_port: u16::from_be_bytes([rest[2], rest[3]]),
            dst_port: u16::from_be_bytes([rest[4], rest[5]]),
            maybe_broken: rest.get(6).is_some_and(|flags| flags & 1 != 0),
        }),
        b'p' => Some(Message::Ping(rest.get(..8)?.try_into().ok()?)),
        b'o' => {
            let port = rest
                .get(8..10)
                .map(|port| u16::from_be_bytes([port[0], port[1]]));
            Some(Message::Pong(rest.get(..8)?.try_into().ok()?, port))
        }
        b'a' => Some(Message::DiscoKey(rest.get(..32)?.try_into().ok()?)),
        _ => None,
    }
}

/// A whole IP packet with the message, or None when the addresses are of two families.
pub fn encode(message: &Message, src: IpAddr, dst: IpAddr) -> Option<Vec<u8>> {
    let mut body = Vec::with_capacity(33);
    match message {
        Message::Reject {
            proto,
            reason,
            src_port,
            dst_port,
            maybe_broken,
        } => {
            body.extend_from_slice(&[b'!', *proto, *reason]);
            body.extend_from_slice(&src_port.to_be_bytes());
            body.extend_from_slice(&dst_port.to_be_bytes());
            if *maybe_broken {
                body.push(1);
            }
        }
        Message::Ping(data) => {
            body.push(b'p');
            body.extend_from_slice(data);
        }
        Message::Pong(data, port) => {
            body.push(b'o');
            body.extend_from_slice(data);
            body.extend_from_slice(&port.unwrap_or(0).to_be_bytes());
        }
        Message::DiscoKey(key) => {
            body.push(b'a');
            body.extend_from_slice(key);
        }
    }
    let mut out = Vec::with_capacity(40 + body.len());
    if !ip::push_header(&mut out, ip::TSMP, src, dst, body.len()) {
        return None;
    }
    out.extend_from_slice(&body);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_back_as_they_went_and_short_ones_are_refused() {
        let src = "100.64.0.1".parse().unwrap();
        let dst = "100.64.0.2".parse().unwrap();
        for message in [
            Message::Reject {
                proto: 6,
                reason: REASON_ACL,
                src_port: 4000,
                dst_port: 80,
                maybe_broken: false,
            },
            Message::Reject {
                proto: 6,
                reason: REASON_SHIELDS_UP,
                src_port: 1,
                dst_port: 2,
                maybe_broken: true,
            },
            Message::Ping([7; 8]),
            Message::Pong([8; 8], Some(41112)),
            Message::DiscoKey([9; 32]),
        ] {
            let packet = encode(&message, src, dst).unwrap();
            let parsed = ip::parse(&packet).unwrap();
            assert_eq!(parsed.proto, ip::TSMP);
            assert_eq!(decode(&packet[parsed.l4..parsed.total_len]), Some(message));
        }
        assert_eq!(decode(b""), None);
        assert_eq!(decode(b"p1234567"), None);
        assert_eq!(
            decode(b"o12345678"),
            Some(Message::Pong(*b"12345678", None))
        );
        assert_eq!(decode(b"z"), None);
        assert_eq!(
            encode(&Message::Ping([0; 8]), src, "::1".parse().unwrap()),
            None
        );
    }
}
