//! Which fragmented datagrams may pass: the first fragment is judged like a whole packet, later ones follow it. One that
//! overtook its first waits for it; all is bounded, by number, by bytes and by time, and one source cannot take it all.
//!
//!   first   judged ──▶ remembered as let in or refused, 30 s; what waited for it goes the same way
//!   later   let in ──▶ passes      refused ──▶ dropped      unknown ──▶ waits 3 s at most
//!
//! Putting together, and what overlaps, is the business of whoever takes the packets (RFC 5722).

use std::collections::VecDeque;
use std::net::IpAddr;

use crate::flows::Lru;
use crate::ip::{self, Parsed};

/// Datagrams whose first fragment was let in; apart from the refused, which anybody may send any number of.
const JUDGED: usize = 2048;
const REFUSED: usize = 512;
const JUDGED_SEC: u64 = 30;
const HELD_SEC: u64 = 3;
const HELD_BYTES: usize = 1 << 20;
/// More than the largest datagram has.
const HELD_BYTES_OF_ONE: usize = 96 << 10;
/// What a held packet costs beside its bytes.
const OVERHEAD: usize = 128;

/// One fragmented datagram. IPv6 tells them apart without the protocol, which only the first fragment knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Datagram {
    src: IpAddr,
    dst: IpAddr,
    proto: u8,
    id: u32,
}

impl Datagram {
    fn of(parsed: &Parsed, packet: &[u8]) -> Option<Datagram> {
        let (proto, id) = ip::fragment_id(packet)?;
        Some(Datagram {
            src: parsed.src,
            dst: parsed.dst,
            proto,
            id,
        })
    }
}

struct Held {
    datagram: Datagram,
    since_sec: u64,
    packet: Vec<u8>,
}

/// What becomes of a later fragment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Later {
    Pass,
    Refuse,
    /// Its first fragment is not here yet.
    Wait,
}

pub struct Fragments {
    /// Second of the first fragment.
    let_in: Lru<Datagram, u64>,
    refused: Lru<Datagram, u64>,
    held: VecDeque<Held>,
    held_bytes: usize,
    released: VecDeque<Vec<u8>>,
}

impl Default for Fragments {
    fn default() -> Fragments {
        Fragments {
            let_in: Lru::new(JUDGED),
            refused: Lru::new(REFUSED),
            held: VecDeque::new(),
            held_bytes: 0,
            released: VecDeque::new(),
        }
    }
}

impl Fragments {
    /// Notes how a first fragment was judged. What waited for one that is let in comes out of `take_released`.
    pub fn first(&mut self, parsed: &Parsed, packet: &[u8], let_in: bool, now_sec: u64) {
        let Some(datagram) = Datagram::of(parsed, packet) else {
            return;
        };
        if let_in {
            self.refused.remove(&datagram);
            self.let_in.insert(datagram, now_sec);
        } else {
            self.let_in.remove(&datagram);
            self.refused.insert(datagram, now_sec);
        }
        if self.held.is_empty() {
            return;
        }
        self.expire(now_sec);
        let (mine, others) = std::mem::take(&mut self.held)
            .into_iter()
            .partition(|held| held.datagram == datagram);
        self.held = others;
        let mine: VecDeque<Held> = mine;
        for held in mine {
            self.held_bytes -= held.packet.len() + OVERHEAD;
            if let_in {
                self.released.push_back(held.packet);
            }
        }
    }

    pub fn later(&mut self, parsed: &Parsed, packet: &[u8], now_sec: u64) -> Later {
        let Some(datagram) = Datagram::of(parsed, packet) else {
            return Later::Refuse;
        };
        let fresh = |since: &u64| now_sec.saturating_sub(*since) < JUDGED_SEC;
        if self.let_in.get(&datagram).is_some_and(fresh) {
            return Later::Pass;
        }
        if self.refused.get(&datagram).is_some_and(fresh) {
            return Later::Refuse;
        }
        self.hold(datagram, packet, now_sec)
    }

    fn hold(&mut self, datagram: Datagram, packet: &[u8], now_sec: u64) -> Later {
        self.expire(now_sec);
        let cost = packet.len() + OVERHEAD;
        let of_one: usize = self
            .held
            .iter()
            .filter(|held| held.datagram.src == datagram.src)
            .map(|held| held.packet.len() + OVERHEAD)
            .sum();
        if of_one + cost > HELD_BYTES_OF_ONE {
            return Later::Refuse;
        }
        while self.held_bytes + cost > HELD_BYTES {
            self.drop_oldest();
        }
        self.held_bytes += cost;
        self.held.push_back(Held {
            datagram,
            since_sec: now_sec,
            packet: packet.to_vec(),
        });
        Later::Wait
    }

    /// A fragment that waited and may pass, in the order in which they came.
    #[inline]
    pub fn take_released(&mut self) -> Option<Vec<u8>> {
        self.released.pop_front()
    }

    /// Forgets all: what was let in by rules that are gone does not count.
    pub fn clear(&mut self) {
        *self = Fragments::default();
    }

    fn expire(&mut self, now_sec: u64) {
        let old = |held: &Held| now_sec.saturating_sub(held.since_sec) >= HELD_SEC;
        while self.held.front().is_some_and(old) {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        if let Some(held) = self.held.pop_front() {
            self.held_bytes -= held.packet.len() + OVERHEAD;
        }
    }
}
