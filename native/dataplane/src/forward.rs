//! What this node forwards for others as their peer relay: sessions of two addresses each, between which datagrams go
//! unread. Pure. The engine decides who may have a session and which addresses are bound; here it is only looked up.
//!
//!   in   Geneve, not control ──session of that number, from one of its two bound addresses──▶ out to the other
//!        Geneve control, STUN ──within a budget──▶ up to the engine                            all else: counted, dropped
//!
//! One datagram in is at most one out, of the same bytes: nothing here amplifies. A client sends its first ping right behind the
//! message that binds it, which takes a turn through the engine: a few small datagrams of a session wait for that.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

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

/// Datagrams of a session that may wait until their sender is bound; beyond, the oldest goes.
const HELD: usize = 4;
const HELD_BYTES: usize = 256;
const HELD_FOR: Duration = Duration::from_secs(1);

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
    /// Waits for its sender to be bound.
    Held,
    Drop,
}

#[derive(Clone, Debug, Default)]
pub struct ForwardCounters {
    pub relayed_packets: u64,
    pub relayed_bytes: u64,
    pub held: u64,
    pub refused: u64,
    pub control_flood: u64,
}

struct Held {
    at: Instant,
    from: SocketAddr,
    bytes: Vec<u8>,
}

struct Session {
    ends: [End; 2],
    held: VecDeque<Held>,
}

pub struct Forwarder {
    sessions: QuickMap<u32, Session>,
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
    /// Makes a session known and binds its ends; counts of a known one go on. What waited for that goes to `send`.
    pub fn set(
        &mut self,
        now: Instant,
        vni: u32,
        addrs: [Option<SocketAddr>; 2],
        mut send: impl FnMut(SocketAddr, &[u8]),
    ) {
        let session = self.sessions.entry(vni).or_insert_with(|| Session {
            ends: [UNBOUND; 2],
            held: VecDeque::new(),
        });
        for (end, addr) in session.ends.iter_mut().zip(addrs) {
            end.addr = addr;
        }
        for held in std::mem::take(&mut session.held) {
            if now.saturating_duration_since(held.at) < HELD_FOR
                && let Verdict::Forward(to) = self.forward(now, held.from, vni, &held.bytes)
            {
                send(to, &held.bytes);
            }
        }
    }

    pub fn remove(&mut self, vni: u32) {
        self.sessions.remove(&vni);
    }

    pub fn clear(&mut self) {
        self.sessions.clear();
    }

    pub fn iter(&self) -> impl Iterator<Item = (u32, &[End; 2])> {
        self.sessions
            .iter()
            .map(|(vni, session)| (*vni, &session.ends))
    }

    #[inline]
    pub fn handle(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) -> Verdict {
        let verdict = match geneve::parse(datagram) {
            Some(header) if !header.control => self.forward(now, from, header.vni, datagram),
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
    fn forward(&mut self, now: Instant, from: SocketAddr, vni: u32, datagram: &[u8]) -> Verdict {
        let Some(Session { ends: [a, b], held }) = self.sessions.get_mut(&vni) else {
            return Verdict::Drop;
        };
        let len = datagram.len();
        let (end, other) = match (a.addr, b.addr) {
            (Some(one), Some(other)) if one == from => (a, other),
            (Some(other), Some(one)) if one == from => (b, other),
            _ if len <= HELD_BYTES => {
                if held.len() == HELD {
                    held.pop_front();
                }
                let bytes = datagram.to_vec();
                held.push_back(Held {
                    at: now,
                    from,
                    bytes,
                });
                self.counters.held += 1;
                return Verdict::Held;
            }
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
