//! Puts packets that follow each other in one flow together again, so that a TUN device with offloads takes up to 64 KiB at
//! once and the kernel looks at headers once. The inverse of `split`.
//!
//!   TCP   same headers but for sequence, identification and sums; payloads of one size, the last may be shorter; a push ends it
//!   UDP   the same without sequence, where the device takes it
//!   else  goes as it is
//!
//! What is merged has sums that were verified here: the kernel believes what it is told of a merged packet. Packets of one flow
//! never change places; different flows may. Nothing is held back: the owner takes everything at the end of each batch.

use crate::checksum::{folded, pseudo, sum};
use crate::ip::{self, Parsed};
use crate::vnet::{self, Kind, VnetHeader};

/// An IP packet's length has 16 bits.
const MOST_BYTES: usize = 65_535;
/// As many datagrams as every kernel takes in one.
const MOST_DATAGRAMS: usize = 64;
/// Runs that may still grow; more flows than these at once are rare in one batch.
const OPEN: usize = 16;
/// Buffers kept for the next batch.
const KEPT: usize = 32;

const PSH: u8 = 0x08;
const ECE: u8 = 0x40;
const DONT_FRAGMENT: u8 = 0x40;

/// What can be merged of one packet: where its parts lie.
#[derive(Clone, Copy)]
struct Piece {
    tcp: bool,
    v4: bool,
    l4: usize,
    payload: usize,
    len: usize,
}

impl Piece {
    fn size(&self) -> usize {
        self.len - self.payload
    }
}

struct Run {
    /// Header of the device, then the packet.
    bytes: Vec<u8>,
    piece: Option<Piece>,
    count: usize,
    verified: bool,
    next_sequence: u32,
    last_ident: u16,
    pushed: bool,
}

/// Gathers the packets of one batch.
pub struct Merger {
    tcp: bool,
    udp: bool,
    runs: Vec<Run>,
    /// Of `runs`, those that may grow, the newest last.
    open: Vec<usize>,
    spare: Vec<Vec<u8>>,
    bytes: usize,
}

fn be16(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

fn be32(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// Looks at a packet alone.
fn piece(packet: &[u8], parsed: &Parsed) -> Option<Piece> {
    let v4 = parsed.dst.is_ipv4();
    let plain = match v4 {
        true => parsed.l4 == 20 && be16(packet, 6) & 0xbfff == 0,
        false => parsed.l4 == 40,
    };
    if !plain || parsed.total_len != packet.len() {
        return None;
    }
    let l4 = &packet[parsed.l4..];
    let header_len = match parsed.proto {
        ip::TCP if l4.len() >= 20 => {
            let flags = l4[13] & !(PSH | ECE);
            let len = usize::from(l4[12] >> 4) * 4;
            (flags == ip::ACK && len >= 20 && l4[12] & 15 == 0).then_some(len)?
        }
        ip::UDP if l4.len() >= 8 && usize::from(be16(l4, 4)) == l4.len() && be16(l4, 6) != 0 => 8,
        _ => return None,
    };
    (header_len < l4.len()).then_some(Piece {
        tcp: parsed.proto == ip::TCP,
        v4,
        l4: parsed.l4,
        payload: parsed.l4 + header_len,
        len: packet.len(),
    })
}

/// Whether two packets are of one flow, by the bytes of addresses and ports. Both have the same version.
fn same_flow(a: &[u8], b: &[u8], v4: bool) -> bool {
    match v4 {
        true => a[9] == b[9] && a[12..24] == b[12..24],
        false => a[6] == b[6] && a[8..44] == b[8..44],
    }
}

/// Whether headers are equal wherever they must be. The flow is the same.
fn same_headers(a: &[u8], b: &[u8], piece: &Piece) -> bool {
    let ip = match piece.v4 {
        true => a[..2] == b[..2] && a[6..9] == b[6..9],
        false => a[..4] == b[..4] && a[7] == b[7],
    };
    let (x, y) = (&a[piece.l4..piece.payload], &b[piece.l4..piece.payload]);
    ip && (!piece.tcp
        || (x[8..13] == y[8..13]
            && x[13] & !PSH == y[13] & !PSH
            && x[14..16] == y[14..16]
            && x[18..] == y[18..]))
}

/// Whether the identification of an IPv4 packet lets it follow: one that may not be split has none (RFC 6864).
fn may_follow(packet: &[u8], last: u16) -> bool {
    packet[6] & DONT_FRAGMENT != 0 || be16(packet, 4) == last.wrapping_add(1)
}

/// Whether the sums of a packet are right.
fn verify(packet: &[u8], parsed: &Parsed) -> bool {
    let l4 = &packet[parsed.l4..];
    let header = parsed.dst.is_ipv6() || folded(sum(&packet[..parsed.l4])) == 0xffff;
    let total = pseudo(parsed.src, parsed.dst, parsed.proto, l4.len()) + sum(l4);
    header && folded(total) == 0xffff
}

impl Merger {
    /// What the device takes merged.
    pub fn new(tcp: bool, udp: bool) -> Merger {
        Merger {
            tcp,
            udp,
            runs: Vec::new(),
            open: Vec::new(),
            spare: Vec::new(),
            bytes: 0,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Bytes of packets that wait.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Adds one whole packet without anything behind it.
    pub fn push(&mut self, packet: &[u8], parsed: &Parsed) {
        self.bytes += packet.len();
        let v4 = parsed.dst.is_ipv4();
        let has_ports = packet.len() >= parsed.l4 + 4 && matches!(parsed.proto, ip::TCP | ip::UDP);
        let plain = parsed.l4 == if v4 { 20 } else { 40 };
        if !has_ports || !plain {
            self.begin(packet, None);
            return;
        }
        let wanted = if parsed.proto == ip::TCP {
            self.tcp
        } else {
            self.udp
        };
        let piece = piece(packet, parsed).filter(|_| wanted);
        let found = self.open.iter().rposition(|at| {
            let run = &self.runs[*at];
            run.piece.is_some_and(|piece| piece.v4 == v4)
                && same_flow(&run.bytes[vnet::LEN..], packet, v4)
        });
        let Some(place) = found else {
            self.begin(packet, piece);
            return;
        };
        let run = &mut self.runs[self.open[place]];
        let joined = piece.is_some_and(|piece| run.join(packet, parsed, &piece));
        if !joined {
            self.open.remove(place);
            self.begin(packet, piece);
        } else if self.runs[self.open[place]].is_closed() {
            self.open.remove(place);
        }
    }

    fn begin(&mut self, packet: &[u8], piece: Option<Piece>) {
        let mut bytes = self.spare.pop().unwrap_or_default();
        bytes.extend_from_slice(&[0; vnet::LEN]);
        bytes.extend_from_slice(packet);
        let pushed = piece.is_some_and(|piece| piece.tcp && packet[piece.l4 + 13] & PSH != 0);
        if piece.is_some() && !pushed {
            if self.open.len() == OPEN {
                self.open.remove(0);
            }
            self.open.push(self.runs.len());
        }
        let sequence = piece
            .filter(|piece| piece.tcp)
            .map_or(0, |piece| be32(packet, piece.l4 + 4));
        self.runs.push(Run {
            bytes,
            piece,
            count: 1,
            verified: false,
            next_sequence: sequence.wrapping_add(piece.map_or(0, |piece| piece.size() as u32)),
            last_ident: packet.get(4..6).map_or(0, |ident| be16(ident, 0)),
            pushed,
        });
    }

    /// Gives everything, in order: what to write with how many packets that is.
    pub fn take(&mut self, mut write: impl FnMut(&[u8], usize)) {
        self.open.clear();
        self.bytes = 0;
        for mut run in self.runs.drain(..) {
            run.finish();
            write(&run.bytes, run.count);
            if self.spare.len() < KEPT {
                run.bytes.clear();
                self.spare.push(run.bytes);
            }
        }
    }
}

impl Run {
    fn packet(&self) -> &[u8] {
        &self.bytes[vnet::LEN..]
    }

    fn is_closed(&self) -> bool {
        let Some(piece) = &self.piece else {
            return true;
        };
        let uneven = self.packet().len() != piece.payload + piece.size() * self.count;
        uneven || self.pushed || (!piece.tcp && self.count >= MOST_DATAGRAMS)
    }

    /// Adds a packet of the same flow to this run, if it is what comes next.
    fn join(&mut self, packet: &[u8], parsed: &Parsed, next: &Piece) -> bool {
        let Some(first) = self.piece else {
            return false;
        };
        let fits = next.tcp == first.tcp
            && next.payload == first.payload
            && next.size() <= first.size()
            && self.packet().len() + next.size() <= MOST_BYTES
            && (!next.tcp || be32(packet, next.l4 + 4) == self.next_sequence)
            && (!next.v4 || may_follow(packet, self.last_ident))
            && same_headers(self.packet(), packet, &first);
        if !fits || !verify(packet, parsed) {
            return false;
        }
        if !self.verified {
            let lone = Parsed {
                total_len: first.len,
                ..*parsed
            };
            if !verify(self.packet(), &lone) {
                return false;
            }
            self.verified = true;
        }
        self.bytes.extend_from_slice(&packet[next.payload..]);
        self.count += 1;
        self.next_sequence = self.next_sequence.wrapping_add(next.size() as u32);
        self.last_ident = self.last_ident.wrapping_add(1);
        self.pushed = next.tcp && packet[next.l4 + 13] & PSH != 0;
        true
    }

    /// Makes the headers those of the whole.
    fn finish(&mut self) {
        let (Some(piece), true) = (self.piece, self.count > 1) else {
            return;
        };
        let (head, packet) = self.bytes.split_at_mut(vnet::LEN);
        let l4_len = packet.len() - piece.l4;
        let parsed = ip::parse(packet);
        let (proto, sum_at) = match piece.tcp {
            true => (ip::TCP, 16),
            false => (ip::UDP, 6),
        };
        let kind = match (piece.tcp, piece.v4) {
            (true, true) => Kind::Tcp4,
            (true, false) => Kind::Tcp6,
            (false, _) => Kind::Udp,
        };
        if piece.v4 {
            let total = packet.len() as u16;
            packet[2..4].copy_from_slice(&total.to_be_bytes());
            packet[10..12].fill(0);
            let header_sum = !folded(sum(&packet[..piece.l4]));
            packet[10..12].copy_from_slice(&header_sum.to_be_bytes());
        } else {
            packet[4..6].copy_from_slice(&(l4_len as u16).to_be_bytes());
        }
        let l4 = &mut packet[piece.l4..];
        if piece.tcp && self.pushed {
            l4[13] |= PSH;
        }
        if !piece.tcp {
            l4[4..6].copy_from_slice(&(l4_len as u16).to_be_bytes());
        }
        // The kernel finishes the sum, of each segment if it must cut again.
        let partial = parsed.map_or(0, |parsed| {
            folded(pseudo(parsed.src, parsed.dst, proto, l4_len))
        });
        l4[sum_at..sum_at + 2].copy_from_slice(&partial.to_be_bytes());
        let header = VnetHeader {
            kind: Some(kind),
            needs_sum: true,
            header_len: piece.payload as u16,
            segment: piece.size() as u16,
            sum_start: piece.l4 as u16,
            sum_offset: sum_at as u16,
        };
        head.copy_from_slice(&header.write());
    }
}
