//! What the pipeline cannot decide or wants known: facts for the engine, and where its output goes.

use std::net::{IpAddr, SocketAddr};

use crate::ip::Parsed;
use crate::tunnel::Key;

/// How a peer's traffic changed: edges, never one a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activity {
    /// First packet out after rest.
    Sending,
    /// First packet in after rest.
    Receiving,
    /// None either way for 45 s.
    Idle,
}

/// A flow that was refused, here or by a peer. Addresses and ports as the flow's opener sent them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rejected {
    pub peer: Key,
    /// True when a peer refused ours, false when our filter refused theirs.
    pub outbound: bool,
    pub proto: u8,
    /// TSMP's reason letter, or one of ours (`refusals.rs`).
    pub reason: u8,
    pub from: SocketAddr,
    pub to: SocketAddr,
    /// Packets that were refused alike since this was last told; 1 at first.
    pub count: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    Activity {
        peer: Key,
        activity: Activity,
    },
    /// A WireGuard session was made.
    Handshake {
        peer: Key,
    },
    /// A valid handshake of a key that is not in the table.
    UnknownPeer {
        key: Key,
    },
    /// Authenticated data came from this address.
    DirectProof {
        peer: Key,
        from: SocketAddr,
    },
    /// Data of a session that we do not have came from an address that no peer's packets go to.
    Stray {
        from: SocketAddr,
    },
    Rejected(Rejected),
    DiscoKey {
        peer: Key,
        disco: Key,
    },
    Pong {
        id: u32,
        latency_us: u32,
        peer_api_port: Option<u16>,
    },
    /// A ping had no answer in time or no way to go.
    PingFailed {
        id: u32,
    },
}

/// Where the pipeline's output goes. All bytes are borrowed until return.
pub trait Sink {
    /// One datagram for the network.
    fn udp(&mut self, to: SocketAddr, datagram: &[u8]);
    /// One datagram for a peer relay: header, then WireGuard.
    fn geneve(&mut self, to: SocketAddr, header: [u8; 8], datagram: &[u8]);
    /// One WireGuard packet for a relay; false when it was dropped.
    fn relay(&mut self, region: u32, to: &Key, packet: &[u8]) -> bool;
    /// One inner packet for this node, checked and filtered, with what its headers say; `peer` is the slot of its sender, none
    /// when that is this node.
    fn deliver(&mut self, peer: Option<u32>, packet: &[u8], parsed: &Parsed);
    /// A STUN or disco datagram for path finding.
    fn unclaimed(&mut self, from: SocketAddr, datagram: &[u8]);
    /// An inbound flow that is no longer permitted: its local end is to be reset.
    fn cut(&mut self, proto: u8, from: SocketAddr, to: SocketAddr);
    /// An outbound flow of ours that the peer refused.
    fn refused(&mut self, proto: u8, from: SocketAddr, to: SocketAddr);
    fn event(&mut self, event: Event);
}

/// A synthetic source address for what a relay brought from `key`: stable, one a peer, in no network.
pub fn relay_source(key: &Key) -> SocketAddr {
    let mut octets = [0u8; 16];
    octets[0] = 0xfc;
    octets[1..].copy_from_slice(&key[..15]);
    SocketAddr::new(IpAddr::from(octets), 1)
}
