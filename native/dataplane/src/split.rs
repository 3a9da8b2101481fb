//! Cuts a packet of up to 64 KiB, as a TUN device with offloads gives it, into packets of the tunnel's size.
//!
//!   one packet     → itself, its checksum finished where the kernel left that to us
//!   TCP, UDP super → headers copied to each; lengths, IPv4 identification (+1 each), sequence number, checksums made right;
//!                    FIN and PSH stay with the last segment, CWR with the first
//!
//! Every number in the header before the packet may lie: one that does not fit the packet is an error, never a panic.
//! Source: RFC 9293, 3168, 768, 791, 8200.

use std::net::IpAddr;

use bytes::BytesMut;

use crate::checksum::{folded, pseudo, sum};
use crate::ip;
use crate::vnet::{Kind, VnetHeader};

const CWR: u8 = 0x80;
const PSH: u8 = 0x08;
const TCP_SUM: usize = 16;
const UDP_SUM: usize = 6;

/// The header before a packet does not fit it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadHeader;

/// The segments of one packet, in order.
#[derive(Debug)]
pub struct Segments<'a> {
    packet: &'a [u8],
    /// None = the packet as it is.
    cut: Option<Cut>,
    /// Payload already given; in a packet that is one, 1 when it was.
    given: usize,
    count: usize,
}

#[derive(Clone, Copy, Debug)]
struct Cut {
    ends: (IpAddr, IpAddr),
    tcp: bool,
    /// Where the transport header and the payload begin.
    l4: usize,
    payload: usize,
    segment: usize,
    ident: u16,
    sequence: u32,
    flags: u8,
}

impl<'a> Segments<'a> {
    /// Reads the headers of what the device gave. The packet is changed where its checksum was left to be finished.
    pub fn new(header: &VnetHeader, packet: &'a mut [u8]) -> Result<Segments<'a>, BadHeader> {
        if let Some(kind) = header.kind {
            let cut = Cut::new(kind, header, packet)?;
            return Ok(Segments {
                packet,
                cut: Some(cut),
                given: 0,
                count: 0,
            });
        }
        if header.needs_sum {
            finish_sum(header, packet)?;
        }
        Ok(Segments {
            packet,
            cut: None,
            given: 0,
            count: 0,
        })
    }

    /// The packet as it was read: headers right but for lengths and sums, which are of the whole.
    pub fn packet(&self) -> &'a [u8] {
        self.packet
    }

    /// How many packets this makes.
    pub fn len(&self) -> usize {
        match &self.cut {
            None => 1,
            Some(cut) => (self.packet.len() - cut.payload).div_ceil(cut.segment),
        }
    }

    pub fn is_empty(&self) -> bool {
        false
    }

    /// Appends the next segment to `out`; false when there is none left.
    #[inline]
    pub fn append_next(&mut self, out: &mut BytesMut) -> bool {
        let Some(cut) = &self.cut else {
            if self.given == 0 {
                out.extend_from_slice(self.packet);
            }
            self.given += 1;
            return self.given == 1;
        };
        let start = cut.payload + self.given;
        if start >= self.packet.len() {
            return false;
        }
        let end = (start + cut.segment).min(self.packet.len());
        let base = out.len();
        out.extend_from_slice(&self.packet[..cut.payload]);
        out.extend_from_slice(&self.packet[start..end]);
        let is_last = end == self.packet.len();
        cut.fix(&mut out[base..], self.given, self.count, is_last);
        self.given += end - start;
        self.count += 1;
        true
    }
}

impl Cut {
    fn new(kind: Kind, header: &VnetHeader, packet: &[u8]) -> Result<Cut, BadHeader> {
        let parsed = ip::parse(packet).map_err(|_| BadHeader)?;
        let is_v4 = parsed.dst.is_ipv4();
        let tcp = kind != Kind::Udp;
        let proto = if tcp { ip::TCP } else { ip::UDP };
        let family_fits = match kind {
            Kind::Tcp4 => is_v4,
            Kind::Tcp6 => !is_v4,
            Kind::Udp => true,
        };
        // A fragment, or a header between, has another protocol here.
        if !family_fits || parsed.proto != proto || parsed.total_len != packet.len() || parsed.more
        {
            return Err(BadHeader);
        }
        let l4 = parsed.l4;
        let header_len = match tcp {
            true => usize::from(*packet.get(l4 + 12).ok_or(BadHeader)? >> 4) * 4,
            false => 8,
        };
        let payload = l4 + header_len;
        let long_enough = header_len >= if tcp { 20 } else { 8 };
        let sum_offset = if tcp { TCP_SUM } else { UDP_SUM };
        let sum_fits =
            usize::from(header.sum_start) == l4 && usize::from(header.sum_offset) == sum_offset;
        if !long_enough || payload >= packet.len() || header.segment == 0 || !sum_fits {
            return Err(BadHeader);
        }
        let be32 = |at: usize| {
            u32::from_be_bytes([packet[at], packet[at + 1], packet[at + 2], packet[at + 3]])
        };
        Ok(Cut {
            ends: (parsed.src, parsed.dst),
            tcp,
            l4,
            payload,
            segment: usize::from(header.segment),
            ident: u16::from_be_bytes([packet[4], packet[5]]),
            sequence: be32(l4 + 4),
            flags: if tcp { packet[l4 + 13] } else { 0 },
        })
    }

    /// Makes the headers of one segment right; `given` bytes and `count` segments of the payload went before it.
    #[inline]
    fn fix(&self, out: &mut [u8], given: usize, count: usize, is_last: bool) {
        let l4_len = out.len() - self.l4;
        if self.ends.1.is_ipv4() {
            let total = out.len() as u16;
            out[2..4].copy_from_slice(&total.to_be_bytes());
            let ident = self.ident.wrapping_add(count as u16);
            out[4..6].copy_from_slice(&ident.to_be_bytes());
            out[10..12].fill(0);
            let header_sum = !folded(sum(&out[..self.l4]));
            out[10..12].copy_from_slice(&header_sum.to_be_bytes());
        } else {
            out[4..6].copy_from_slice(&(l4_len as u16).to_be_bytes());
        }
        let l4 = &mut out[self.l4..];
        let (proto, sum_at) = if self.tcp {
            let sequence = self.sequence.wrapping_add(given as u32);
            l4[4..8].copy_from_slice(&sequence.to_be_bytes());
            let mut flags = self.flags;
            if !is_last {
                flags &= !(ip::FIN | PSH);
            }
            if count > 0 {
                flags &= !CWR;
            }
            l4[13] = flags;
            (ip::TCP, TCP_SUM)
        } else {
            l4[4..6].copy_from_slice(&(l4_len as u16).to_be_bytes());
            (ip::UDP, UDP_SUM)
        };
        l4[sum_at..sum_at + 2].fill(0);
        let total = pseudo(self.ends.0, self.ends.1, proto, l4_len) + sum(l4);
        put_sum(&mut l4[sum_at..], folded(total), self.tcp);
    }
}

/// A sum of nothing means "no checksum" to UDP, which therefore writes its other zero.
#[inline]
fn put_sum(place: &mut [u8], sum: u16, tcp: bool) {
    let sum = match !sum {
        0 if !tcp => 0xffff,
        sum => sum,
    };
    place[..2].copy_from_slice(&sum.to_be_bytes());
}

/// The place of the sum holds that of the pseudo-header: the rest is added, from `sum_start` on.
fn finish_sum(header: &VnetHeader, packet: &mut [u8]) -> Result<(), BadHeader> {
    let start = usize::from(header.sum_start);
    let at = usize::from(header.sum_offset);
    let rest = packet.get_mut(start..).ok_or(BadHeader)?;
    if at + 2 > rest.len() || !at.is_multiple_of(2) {
        return Err(BadHeader);
    }
    let total = folded(sum(rest));
    put_sum(&mut rest[at..], total, at != UDP_SUM);
    Ok(())
}
