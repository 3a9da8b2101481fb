//! What this node forwards for others as their peer relay: sessions of two addresses each, between which datagrams go
//! unread. Pure. The engine decides who may have a session and which addresses are bound; here it is only looked up.
//!
//!   in   Geneve, not control ──session of that number, from one of its two bound addresses──▶ out to the other
//!        Geneve control, STUN ──within a budget──▶ up to the engine                            all else: counted, dropped
//!
//! One datagram in is at most one out, of the same bytes: nothing here amplifies.

use std::net::SocketAddr;
use std::time::Instant;

use crate::classify::{Kind, classify};
use crate::geneve;
use crate::guard::Bucket;
use crate::prefix::QuickMap;

/// No message to a relay is larger.
const CONTROL_MAX: usize = 512;
/// Control messages a second that the engine is troubled with; each costs it a key agreement at worst.
const CONTROL_RATE: f64 = 500.0;

/// One end of a session.
#[derive(Clone, Copy, Debug)]
pub struct End {
    /// Where it is bound; none before its handshake.
    pub addr: Option<SocketAddr>,
    pub heard: Option<Instant>,
    pub packets: u64,
    pub bytes: u64,
}

const UNBOUND: End = End {
    addr: None,
    heard: None,
    packets: 0,
    bytes: 0,
};

/// What is to be done with a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Forward(SocketAddr),
    /// For the engine.
    Up,
    Drop,
}

#[derive(Clone, Debug, Default)]
pub struct ForwardCounters {
    pub relayed_packets: u64,
    pub relayed_bytes: u64,
    pub refused: u64,
    pub control_flood: u64,
}

pub struct Forwarder {
    sessions: QuickMap<u32, [End; 2]>,
    control: Bucket,
    pub counters: ForwardCounters,
}

impl Default for Forwarder {
    fn default() -> Forwarder {
        Forwarder {
            sessions: QuickMap::default(),
            control: Bucket::new(CONTROL_RATE, CONTROL_RATE),
            counters: ForwardCounters::default(),
        }
    }
}

impl Forwarder {
    /// Binds a session's ends; counts of a known one go on.
    pub fn set(&mut self, vni: u32, addrs: [Option<SocketAddr>; 2]) {
        let ends = self.sessions.entry(vni).or_insert([UNBOUND; 2]);
        for (end, addr) in ends.iter_mut().zip(addrs) {
            end.addr = addr;
        }
    }

    pub fn remove(&mut self, vni: u32) {
        self.sessions.remove(&vni);
    }

    pub fn clear(&mut self) {
        self.sessions.clear();
    }

    pub fn iter(&self) -> impl Iterator<Item = (u32, &[End; 2])> {
        self.sessions.iter().map(|(vni, ends)| (*vni, ends))
    }

    #[inline]
    pub fn handle(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) -> Verdict {
        let verdict = match geneve::parse(datagram) {
            Some(header) if !header.control => self.forward(now, from, header.vni, datagram.len()),
            Some(header) if header.disco && datagram.len() <= CONTROL_MAX => Verdict::Up,
            None if classify(datagram) == Kind::Stun && datagram.len() <= CONTROL_MAX => {
                Verdict::Up
            }
            _ => Verdict::Drop,
        };
        match verdict {
            Verdict::Up if !self.control.take(now) => {
                self.counters.control_flood += 1;
                Verdict::Drop
            }
            Verdict::Drop => {
                self.counters.refused += 1;
                Verdict::Drop
            }
            other => other,
        }
    }

    #[inline]
    fn forward(&mut self, now: Instant, from: SocketAddr, vni: u32, len: usize) -> Verdict {
        let Some([a, b]) = self.sessions.get_mut(&vni) else {
            return Verdict::Drop;
        };
        let (end, other) = match (a.addr, b.addr) {
            (Some(one), Some(other)) if one == from => (a, other),
            (Some(other), Some(one)) if one == from => (b, other),
            _ => return Verdict::Drop,
        };
        end.heard = Some(now);
        end.packets += 1;
        end.bytes += len as u64;
        self.counters.relayed_packets += 1;
        self.counters.relayed_bytes += len as u64;
        Verdict::Forward(other)
    }
}
