//! Facts as packed records. All integers big-endian; an address is family u8 (4, 6) | ip 4 or 16 B | port u16.
//!
//!    1 unclaimed     address | datagram                  9 inbound stream  fd i32 | from address | to address
//!    2 relay frames  region u32 | SendPacket frames     10 rejected        peer 32 | outbound u8 | proto u8 | reason u8 | count u32 | from | to
//!    3 activity      peer 32 | 0 sending 1 in 2 idle    11 disco key       peer 32 | disco 32
//!    4 handshake     peer 32                            12 dial done       id u32 | fd i32 (-1: failed) | code text
//!    5 unknown peer  key 32                             13 pong            id u32 | latency µs u32 | PeerAPI port u16 (0 none)
//!    6 direct proof  peer 32 | address                  14 failed          code u8 length | code | message
//!    7 send error    address | 0 unreachable 1 perm 2   15 ping failed     id u32
//!    8 proxy request id u32 | 0 socks5 1 http | port u16 | host text
//!   16 relay control address | datagram, from the sockets on which we relay for others
//!   17 forward request id u32 | forward u32 | from address
//!   18 forward failed  forward u32 | code text
//!   19 datagram        id u32 | from address | to address | bytes, for the engine itself
//!   20 exchanged       id u32 | 1 answered 0 not | bytes
//!   24 echo wanted     number u16 | address with port 0
//!   30 tun gone        why text
//!   31 no route        proto u8 | from | to, of a program's packet that nobody takes
//!   28 unanswered      address to which a connection through the tunnel had no answer
//!
//! main/engine/dataplane/records.ts reads them; both sides change together.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsRawFd, IntoRawFd};

use dataplane::event::{Activity, Event};
use device::udp::SendError;

use crate::ring::Ring;

pub const UNCLAIMED: u8 = 1;
pub const RELAY_FRAMES: u8 = 2;
pub const ACTIVITY: u8 = 3;
pub const HANDSHAKE: u8 = 4;
pub const UNKNOWN_PEER: u8 = 5;
pub const DIRECT_PROOF: u8 = 6;
pub const SEND_ERROR: u8 = 7;
pub const PROXY_REQUEST: u8 = 8;
pub const INBOUND_STREAM: u8 = 9;
pub const REJECTED: u8 = 10;
pub const DISCO_KEY: u8 = 11;
pub const DIAL_DONE: u8 = 12;
pub const PONG: u8 = 13;
pub const FAILED: u8 = 14;
pub const PING_FAILED: u8 = 15;
pub const RELAY_CONTROL: u8 = 16;
pub const FORWARD_REQUEST: u8 = 17;
pub const FORWARD_FAILED: u8 = 18;
pub const ENGINE_DATAGRAM: u8 = 19;
pub const EXCHANGED: u8 = 20;
pub const ECHO_WANTED: u8 = 24;
pub const UNANSWERED: u8 = 28;
pub const STRAY: u8 = 29;
pub const TUN_GONE: u8 = 30;
pub const NO_ROUTE: u8 = 31;

/// An address in at most 19 bytes.
pub struct Packed {
    bytes: [u8; 19],
    len: usize,
}

impl Packed {
    pub fn new(addr: SocketAddr) -> Packed {
        let mut bytes = [0; 19];
        let len = match addr.ip() {
            IpAddr::V4(ip) => {
                bytes[0] = 4;
                bytes[1..5].copy_from_slice(&ip.octets());
                5
            }
            IpAddr::V6(ip) => {
                bytes[0] = 6;
                bytes[1..17].copy_from_slice(&ip.octets());
                17
            }
        };
        bytes[len..len + 2].copy_from_slice(&addr.port().to_be_bytes());
        Packed {
            bytes,
            len: len + 2,
        }
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// Puts a fact of the pipeline into the ring.
pub fn push_event(ring: &Ring, event: &Event) {
    match event {
        Event::Activity { peer, activity } => {
            let kind = match activity {
                Activity::Sending => 0,
                Activity::Receiving => 1,
                Activity::Idle => 2,
            };
            ring.push(ACTIVITY, false, &[peer, &[kind]])
        }
        Event::Handshake { peer } => ring.push(HANDSHAKE, false, &[peer]),
        Event::UnknownPeer { key } => ring.push(UNKNOWN_PEER, false, &[key]),
        Event::DirectProof { peer, from } => {
            ring.push(DIRECT_PROOF, false, &[peer, Packed::new(*from).bytes()])
        }
        Event::Stray { from } => ring.push(STRAY, false, &[Packed::new(*from).bytes()]),
        Event::Rejected(one) => {
            let flags = [u8::from(one.outbound), one.proto, one.reason];
            let count = one.count.to_be_bytes();
            let (from, to) = (Packed::new(one.from), Packed::new(one.to));
            ring.push(
                REJECTED,
                false,
                &[&one.peer, &flags, &count, from.bytes(), to.bytes()],
            )
        }
        Event::DiscoKey { peer, disco } => ring.push(DISCO_KEY, false, &[peer, disco]),
        Event::Pong {
            id,
            latency_us,
            peer_api_port,
        } => {
            let port = peer_api_port.unwrap_or(0).to_be_bytes();
            ring.push(
                PONG,
                false,
                &[&id.to_be_bytes(), &latency_us.to_be_bytes(), &port],
            )
        }
        Event::PingFailed { id } => ring.push(PING_FAILED, false, &[&id.to_be_bytes()]),
    };
}

/// Puts a fact of the netstack into the ring. A descriptor that finds no room is closed.
pub fn push_stack_event(ring: &Ring, event: netstack::Event) {
    use netstack::{Event, ProxyKind};
    match event {
        Event::ProxyRequest {
            id,
            via,
            host,
            port,
        } => {
            let via = u8::from(via == ProxyKind::Http);
            ring.push(
                PROXY_REQUEST,
                false,
                &[&short(id), &[via], &port.to_be_bytes(), host.as_bytes()],
            );
        }
        Event::ForwardRequest { id, forward, from } => {
            let from = Packed::new(from);
            let parts: [&[u8]; 3] = [&short(id), &forward.to_be_bytes(), from.bytes()];
            ring.push(FORWARD_REQUEST, false, &parts);
        }
        Event::ForwardFailed { forward, error } => {
            let parts: [&[u8]; 2] = [&forward.to_be_bytes(), error.code().as_bytes()];
            ring.push(FORWARD_FAILED, false, &parts);
        }
        Event::Datagram {
            id,
            from,
            to,
            bytes,
        } => {
            let (from, to) = (Packed::new(from), Packed::new(to));
            let parts: [&[u8]; 4] = [&short(id), from.bytes(), to.bytes(), &bytes];
            if !ring.push(ENGINE_DATAGRAM, true, &parts) {
                ring.count_drop();
            }
        }
        Event::Inbound {
            id: _,
            from,
            to,
            fd,
        } => {
            let (from, to) = (Packed::new(from), Packed::new(to));
            if ring.push(
                INBOUND_STREAM,
                false,
                &[&fd.as_raw_fd().to_be_bytes(), from.bytes(), to.bytes()],
            ) {
                let _ = fd.into_raw_fd();
            }
        }
        Event::DialDone { id, result: Ok(fd) } => {
            if ring.push(
                DIAL_DONE,
                false,
                &[&short(id), &fd.as_raw_fd().to_be_bytes()],
            ) {
                let _ = fd.into_raw_fd();
            }
        }
        Event::DialDone {
            id,
            result: Err(why),
        } => {
            ring.push(
                DIAL_DONE,
                false,
                &[&short(id), &(-1i32).to_be_bytes(), why.code().as_bytes()],
            );
        }
        Event::Exchanged { id, answer } => {
            let bytes = answer.as_deref().unwrap_or_default();
            ring.push(
                EXCHANGED,
                false,
                &[&short(id), &[u8::from(answer.is_some())], bytes],
            );
        }
        // The thread's own business.
        Event::AskedNoMore { .. } => {}
        Event::Unanswered { to } => {
            ring.push(UNANSWERED, false, &[Packed::new(to).bytes()]);
        }
        Event::Pong { id, latency } => {
            let micros = latency.as_micros().min(u128::from(u32::MAX)) as u32;
            ring.push(PONG, false, &[&short(id), &micros.to_be_bytes(), &[0, 0]]);
        }
        Event::PingLost { id } => {
            ring.push(PING_FAILED, false, &[&short(id)]);
        }
        Event::EchoWanted { id, to } => {
            let to = Packed::new(SocketAddr::new(to, 0));
            ring.push(ECHO_WANTED, false, &[&id.to_be_bytes(), to.bytes()]);
        }
    }
}

/// Ids are given out by this side's callers or counted from zero: they fit 32 bits.
fn short(id: u64) -> [u8; 4] {
    (id as u32).to_be_bytes()
}

pub fn push_send_error(ring: &Ring, to: SocketAddr, why: SendError) {
    let code = match why {
        SendError::Unreachable => 0,
        SendError::Permission => 1,
        SendError::Broken => 3,
        _ => 2,
    };
    ring.push(SEND_ERROR, false, &[Packed::new(to).bytes(), &[code]]);
}

pub fn push_failed(ring: &Ring, code: &str, message: &str) {
    let code = &code.as_bytes()[..code.len().min(255)];
    let message = &message.as_bytes()[..message.len().min(4096)];
    ring.push(FAILED, false, &[&[code.len() as u8], code, message]);
}

/// The tunnel device is of no use any more.
pub fn push_tun_gone(ring: &Ring, why: &str) {
    ring.push(TUN_GONE, false, &[&why.as_bytes()[..why.len().min(512)]]);
}

/// A program's packet had nowhere to go.
pub fn push_no_route(ring: &Ring, proto: u8, from: SocketAddr, to: SocketAddr) {
    let (from, to) = (Packed::new(from), Packed::new(to));
    ring.push(NO_ROUTE, false, &[&[proto], from.bytes(), to.bytes()]);
}

/// Closes the descriptors in records that will not be read.
pub fn close_descriptors(mut records: &[u8]) {
    while records.len() >= 5 {
        let length = u32::from_be_bytes([records[0], records[1], records[2], records[3]]) as usize;
        let Some(body) = records.get(5..4 + length) else {
            return;
        };
        let at = match records[4] {
            INBOUND_STREAM => 0,
            DIAL_DONE => 4,
            _ => usize::MAX,
        };
        if let Some(fd) = at.checked_add(4).and_then(|end| body.get(at..end)) {
            close(i32::from_be_bytes([fd[0], fd[1], fd[2], fd[3]]));
        }
        records = &records[4 + length..];
    }
}

#[cfg(unix)]
fn close(fd: i32) {
    use std::os::fd::FromRawFd;
    if fd >= 0 {
        // SAFETY: the record owned this descriptor and is gone with this call.
        drop(unsafe { std::os::fd::OwnedFd::from_raw_fd(fd) });
    }
}

#[cfg(not(unix))]
fn close(_fd: i32) {}
