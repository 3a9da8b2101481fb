//! One peer's WireGuard session behind four verbs: seal, open, tick, handshake. The only file that knows gotatun, so that
//! another engine can stand in its place; vectors and traps are tested against these verbs.
//!
//! `Tunn` does the handshake, replay window, timers, cookies and rekeying. It checks neither the inner source nor cuts the
//! padding (the pipeline does), and its clock moves only with `tick`: whoever feeds a tunnel that has rested ticks it first.
//! It is made at a peer's first traffic and kept for as long as the peer is in the map: it holds the greatest handshake
//! timestamp, without which an old initiation could be replayed.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::BytesMut;
use gotatun::noise::handshake::parse_handshake_anon;
use gotatun::noise::index_table::IndexTable;
use gotatun::noise::rate_limiter::RateLimiter;
use gotatun::noise::{Tunn, TunnResult};
use gotatun::packet::{Packet, WgKind};
use gotatun::tun::MtuWatcher;
use gotatun::x25519::{PublicKey, StaticSecret};

pub type Key = [u8; 32];

pub const INIT_LEN: usize = 148;
pub const RESPONSE_LEN: usize = 92;
pub const COOKIE_LEN: usize = 64;
/// Header 16 B and tag 16 B around the padded packet.
pub const DATA_OVERHEAD: usize = 32;

/// Handshakes a second from one source address before cookies are asked for.
const HANDSHAKES_PER_SOURCE: u64 = 100;

/// Our own static key with what depends on it.
pub struct Identity {
    secret: StaticSecret,
    public: PublicKey,
    limiter: Arc<RateLimiter>,
    indices: IndexTable,
}

/// A handshake message that passed mac1 and the rate limit.
pub struct Verified(WgKind);

/// What became of a handshake message at the gate.
pub enum Gate {
    Pass(Verified),
    /// Too many from there: this cookie reply goes back the way the message came.
    Cookie(Packet),
    Refused,
}

/// The tunnel gave up: it has neither session nor handshake, and starts anew at the next packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resting;

/// What opening a datagram gave.
pub enum Opened {
    /// An inner packet, padding included; empty for a keepalive.
    Packet(Packet),
    /// A handshake message to send to the peer.
    Reply {
        packet: Packet,
        session: bool,
    },
    Nothing,
    Failed,
}

impl Identity {
    pub fn new(secret: Key) -> Identity {
        let secret = StaticSecret::from(secret);
        let public = PublicKey::from(&secret);
        let limiter = Arc::new(RateLimiter::new(&public, HANDSHAKES_PER_SOURCE));
        Identity {
            secret,
            public,
            limiter,
            indices: IndexTable::from_os_rng(),
        }
    }

    pub fn public(&self) -> &Key {
        self.public.as_bytes()
    }

    /// Whether a session of ours still uses this receiver index.
    pub fn index_in_use(&self, index: u32) -> bool {
        self.indices.in_use(index)
    }

    /// Forgets the counts of the past second; without it they would grow for ever.
    pub fn reset_rate_counts(&self) {
        self.limiter.try_reset_count();
    }

    /// Checks mac1 and the rate of an initiation or response from `source` (synthetic for relayed ones).
    pub fn verify(&self, source: SocketAddr, datagram: BytesMut) -> Gate {
        match self
            .limiter
            .verify_packet(source, Packet::from_bytes(datagram))
        {
            Ok(kind) => Gate::Pass(Verified(kind)),
            Err(TunnResult::WriteToNetwork(cookie)) => Gate::Cookie(cookie.into()),
            Err(_) => Gate::Refused,
        }
    }

    /// The sender's static key inside a verified initiation; costs a key agreement (60 µs).
    pub fn sender(&self, verified: &Verified) -> Option<Key> {
        let WgKind::HandshakeInit(init) = &verified.0 else {
            return None;
        };
        parse_handshake_anon(&self.secret, &self.public, init)
            .ok()
            .map(|half| half.peer_static_public)
    }

    /// A tunnel to `peer`; costs a key agreement (120 µs) and 19 KB.
    pub fn tunnel(&self, peer: &Key) -> Tunnel {
        let tunn = Tunn::new(
            self.secret.clone(),
            PublicKey::from(*peer),
            None,
            None,
            self.indices.clone(),
            Arc::clone(&self.limiter),
        );
        Tunnel {
            tunn: Box::new(tunn),
            queued: false,
        }
    }
}

/// The session state with one peer.
pub struct Tunnel {
    tunn: Box<Tunn>,
    queued: bool,
}

impl Tunnel {
    /// Encrypts a padded inner packet. Without a session the packet waits inside and an initiation may come out.
    pub fn seal(&mut self, packet: BytesMut) -> Option<Packet> {
        match self
            .tunn
            .encapsulate_with_session(Packet::from_bytes(packet))
        {
            Ok(sealed) => Some(sealed.into()),
            Err(packet) => {
                self.queued = true;
                self.tunn
                    .handle_outgoing_packet(packet, None)
                    .map(Packet::from)
            }
        }
    }

    /// Opens a transport datagram (type 4), in place.
    #[inline]
    pub fn open(&mut self, datagram: BytesMut) -> Opened {
        match Packet::from_bytes(datagram).try_into_wg() {
            Ok(WgKind::Data(data)) => match self.tunn.handle_incoming_packet(WgKind::Data(data)) {
                TunnResult::WriteToTunnel(packet) => Opened::Packet(packet),
                _ => Opened::Failed,
            },
            _ => Opened::Failed,
        }
    }

    /// Feeds a verified handshake message.
    pub fn open_handshake(&mut self, verified: Verified) -> Opened {
        self.finish(verified.0)
    }

    /// Feeds a cookie reply (type 3).
    pub fn open_cookie(&mut self, datagram: BytesMut) -> Opened {
        match Packet::from_bytes(datagram).try_into_wg() {
            Ok(kind @ WgKind::CookieReply(_)) => self.finish(kind),
            _ => Opened::Failed,
        }
    }

    fn finish(&mut self, kind: WgKind) -> Opened {
        match self.tunn.handle_incoming_packet(kind) {
            TunnResult::WriteToNetwork(reply) => Opened::Reply {
                packet: reply.into(),
                session: true,
            },
            TunnResult::Done => Opened::Nothing,
            TunnResult::WriteToTunnel(packet) => Opened::Packet(packet),
            TunnResult::Err(_) => Opened::Failed,
        }
    }

    /// Sends what waited for a session; call after each message from the peer.
    pub fn flush(&mut self, mut send: impl FnMut(Packet)) {
        if !self.queued {
            return;
        }
        self.queued = false;
        // The packets were padded before they were queued: a limit of nothing keeps them as they are.
        let mut no_padding = MtuWatcher::new(0);
        for sealed in self.tunn.get_queued_packets(&mut no_padding) {
            if matches!(sealed, WgKind::HandshakeInit(_)) {
                self.queued = true;
            }
            send(sealed.into());
        }
    }

    /// Moves the tunnel's clock; what comes out goes to the peer. `Err` when it gave up and rests.
    pub fn tick(&mut self) -> Result<Option<Packet>, Resting> {
        match self.tunn.update_timers() {
            Ok(out) => Ok(out.map(Packet::from)),
            Err(_) => {
                self.queued = false;
                Err(Resting)
            }
        }
    }

    /// An initiation now, even while another is under way.
    pub fn handshake(&mut self) -> Option<Packet> {
        self.tunn
            .format_handshake_initiation(true)
            .map(Packet::from)
    }

    pub fn has_session(&self) -> bool {
        self.tunn.has_active_session()
    }

    pub fn has_queued(&self) -> bool {
        self.queued
    }
}
