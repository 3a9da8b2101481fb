//! Puts fragmented IP datagrams together again: few, small and not for long.
//!
//! Overlapping pieces discard the whole datagram (RFC 5722). The oldest datagram makes room for a new one: of the same guest
//! if that one has its share already, else of all.

use crate::guests::Guest;
use crate::packet::{Fragment, Header, send_ip};
use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::{Duration, Instant};

const MAX_DATAGRAMS: usize = 64;
const MAX_OF_GUEST: usize = 16;
const MAX_PIECES: usize = 64;
const MAX_BYTES: usize = 65_515;
const LIFETIME: Duration = Duration::from_secs(15);

#[derive(PartialEq, Eq, Clone)]
struct Key {
    src: IpAddr,
    dst: IpAddr,
    id: u32,
}

struct Datagram {
    key: Key,
    guest: Guest,
    /// The protocol said by the first piece.
    protocol: u8,
    since: Instant,
    /// Offset and bytes, by offset, never overlapping.
    pieces: Vec<(usize, Vec<u8>)>,
    total: Option<usize>,
}

/// The piece was unacceptable, and its datagram is given up.
#[derive(Debug)]
pub(crate) struct Discarded;

#[derive(Default)]
pub(crate) struct Reassembly {
    datagrams: VecDeque<Datagram>,
}

impl Reassembly {
    /// Takes one piece; the whole IP packet once nothing is missing.
    pub fn add(
        &mut self,
        now: Instant,
        guest: Guest,
        header: &Header,
        fragment: Fragment,
        payload: &[u8],
    ) -> Result<Option<Vec<u8>>, Discarded> {
        self.datagrams.retain(|d| d.since + LIFETIME > now);
        let key = Key {
            src: header.src,
            dst: header.dst,
            id: fragment.id,
        };
        let at = match self.datagrams.iter().position(|d| d.key == key) {
            Some(at) => at,
            None => {
                self.make_room(guest);
                self.datagrams.push_back(Datagram {
                    key,
                    guest,
                    protocol: header.protocol,
                    since: now,
                    pieces: Vec::new(),
                    total: None,
                });
                self.datagrams.len() - 1
            }
        };
        match self.datagrams[at].add(header.protocol, fragment, payload) {
            Ok(false) => Ok(None),
            Err(Discarded) => {
                self.datagrams.remove(at);
                Err(Discarded)
            }
            Ok(true) => Ok(self.datagrams.remove(at).map(Datagram::into_packet)),
        }
    }

    /// Whether pieces of the same datagram are here.
    pub fn expects(&self, header: &Header) -> bool {
        let is_part = |d: &Datagram| {
            let key = &d.key;
            let id = header.fragment.map(|fragment| fragment.id);
            Some(key.id) == id && key.src == header.src && key.dst == header.dst
        };
        self.datagrams.iter().any(is_part)
    }

    fn make_room(&mut self, guest: Guest) {
        let mut own = self.datagrams.iter().enumerate();
        let oldest_own = own.find(|(_, d)| d.guest == guest).map(|(at, _)| at);
        let held = self.datagrams.iter().filter(|d| d.guest == guest).count();
        if held >= MAX_OF_GUEST {
            self.datagrams.remove(oldest_own.unwrap_or(0));
        } else if self.datagrams.len() == MAX_DATAGRAMS {
            self.datagrams.pop_front();
        }
    }
}

impl Datagram {
    /// True when complete, an error when it must be discarded.
    fn add(&mut self, protocol: u8, fragment: Fragment, payload: &[u8]) -> Result<bool, Discarded> {
        let end = fragment.offset + payload.len();
        let ragged = fragment.more && !payload.len().is_multiple_of(8);
        if payload.is_empty() || ragged || end > MAX_BYTES || self.pieces.len() == MAX_PIECES {
            return Err(Discarded);
        }
        if fragment.offset == 0 {
            self.protocol = protocol;
        }
        let at = self.pieces.partition_point(|p| p.0 < fragment.offset);
        let before = at.checked_sub(1).map(|i| &self.pieces[i]);
        let clear_before = before.is_none_or(|(o, b)| o + b.len() <= fragment.offset);
        let clear_after = self.pieces.get(at).is_none_or(|(o, _)| end <= *o);
        if !clear_before || !clear_after {
            return Err(Discarded);
        }
        if !fragment.more {
            let last = self.pieces.last().map_or(0, |(o, b)| o + b.len());
            if self.total.is_some() || last > end {
                return Err(Discarded);
            }
            self.total = Some(end);
        } else if self.total.is_some_and(|total| end > total) {
            return Err(Discarded);
        }
        self.pieces.insert(at, (fragment.offset, payload.to_vec()));
        let have: usize = self.pieces.iter().map(|(_, b)| b.len()).sum();
        Ok(self.total == Some(have))
    }

    fn into_packet(self) -> Vec<u8> {
        let payload: Vec<u8> = self.pieces.into_iter().flat_map(|(_, b)| b).collect();
        let mut whole = Vec::new();
        let ends = (self.key.src, self.key.dst);
        send_ip(ends, (self.protocol, 0), usize::MAX, &payload, |packet| {
            whole.extend_from_slice(packet);
        });
        whole
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::parse;

    fn fragments(ends: (&str, &str), payload: &[u8]) -> Vec<Vec<u8>> {
        let mut packets = Vec::new();
        let ends = (ends.0.parse().unwrap(), ends.1.parse().unwrap());
        send_ip(ends, (17, 7), 1280, payload, |p| packets.push(p.to_vec()));
        packets
    }

    fn add(table: &mut Reassembly, now: Instant, packet: &[u8]) -> Option<Vec<u8>> {
        let header = parse(packet).unwrap();
        let fragment = header.fragment.unwrap();
        let piece = &packet[header.payload.clone()];
        table
            .add(now, Guest::Peer(1), &header, fragment, piece)
            .unwrap_or(None)
    }

    #[test]
    fn pieces_in_any_order_give_the_datagram() {
        let payload: Vec<u8> = (0..5000).map(|i| (i * 7) as u8).collect();
        for ends in [("100.64.0.1", "100.64.0.2"), ("fd7a::1", "fd7a::2")] {
            let mut packets = fragments(ends, &payload);
            assert!(packets.iter().all(|p| p.len() <= 1280));
            packets.reverse();
            let mut table = Reassembly::default();
            let now = Instant::now();
            let whole = packets
                .iter()
                .find_map(|p| add(&mut table, now, p))
                .unwrap();
            let header = parse(&whole).unwrap();
            assert_eq!((header.protocol, header.fragment), (17, None));
            assert_eq!(&whole[header.payload], &payload[..]);
            assert!(table.datagrams.is_empty());
        }
    }

    #[test]
    fn overlapping_pieces_discard_the_datagram() {
        let packets = fragments(("100.64.0.1", "100.64.0.2"), &[1; 3000]);
        let mut table = Reassembly::default();
        let now = Instant::now();
        assert!(add(&mut table, now, &packets[0]).is_none());
        assert!(add(&mut table, now, &packets[0]).is_none());
        assert!(table.datagrams.is_empty());
    }

    #[test]
    fn old_pieces_are_forgotten_and_new_datagrams_make_room() {
        let mut table = Reassembly::default();
        let start = Instant::now();
        let first = &fragments(("100.64.0.1", "100.64.0.2"), &[1; 3000])[0];
        for id in 0..40u16 {
            let mut packet = first.clone();
            packet[4..6].copy_from_slice(&id.to_be_bytes());
            packet[10..12].fill(0);
            let sum = crate::packet::checksum(0, &packet[..20]);
            packet[10..12].copy_from_slice(&sum.to_be_bytes());
            add(&mut table, start, &packet);
        }
        assert_eq!(table.datagrams.len(), MAX_OF_GUEST);
        add(&mut table, start + LIFETIME * 2, first);
        assert_eq!(table.datagrams.len(), 1);
    }
}
