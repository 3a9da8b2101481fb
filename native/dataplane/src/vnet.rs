//! The ten bytes that a TUN device with offloads has before every packet (virtio-net header, in the machine's order):
//!
//!   flags u8 (1 checksum to be finished, 2 checksum is right) | type u8 (0 one packet, 1 TCPv4, 4 TCPv6, 5 UDP; 0x80 with CWR)
//!   header length u16 | segment size u16 | start of what is summed u16 | place of the sum behind it u16
//!
//! The header length that the kernel gives is a hint and is not read: on forwarded packets it may be that of the whole packet.
//! Source: Virtual I/O Device specification 1.2, 5.1.6; Linux include/uapi/linux/virtio_net.h.

pub const LEN: usize = 10;

const NEEDS_SUM: u8 = 1;
const WITH_ECN: u8 = 0x80;

/// What is cut into segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Tcp4,
    Tcp6,
    Udp,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VnetHeader {
    /// None = one packet.
    pub kind: Option<Kind>,
    pub needs_sum: bool,
    pub header_len: u16,
    pub segment: u16,
    pub sum_start: u16,
    pub sum_offset: u16,
}

/// A kind that nobody asked the kernel for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownKind;

impl VnetHeader {
    pub fn read(bytes: &[u8; LEN]) -> Result<VnetHeader, UnknownKind> {
        let u16_at = |at: usize| u16::from_ne_bytes([bytes[at], bytes[at + 1]]);
        let kind = match bytes[1] & !WITH_ECN {
            0 => None,
            1 => Some(Kind::Tcp4),
            4 => Some(Kind::Tcp6),
            5 => Some(Kind::Udp),
            _ => return Err(UnknownKind),
        };
        Ok(VnetHeader {
            kind,
            needs_sum: bytes[0] & NEEDS_SUM != 0,
            header_len: u16_at(2),
            segment: u16_at(4),
            sum_start: u16_at(6),
            sum_offset: u16_at(8),
        })
    }

    pub fn write(&self) -> [u8; LEN] {
        let mut out = [0; LEN];
        out[0] = u8::from(self.needs_sum) * NEEDS_SUM;
        out[1] = match self.kind {
            None => 0,
            Some(Kind::Tcp4) => 1,
            Some(Kind::Tcp6) => 4,
            Some(Kind::Udp) => 5,
        };
        let fields = [
            self.header_len,
            self.segment,
            self.sum_start,
            self.sum_offset,
        ];
        for (place, field) in out[2..].chunks_exact_mut(2).zip(fields) {
            place.copy_from_slice(&field.to_ne_bytes());
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes_and_refuses_unknown_kinds() {
        for kind in [None, Some(Kind::Tcp4), Some(Kind::Tcp6), Some(Kind::Udp)] {
            let header = VnetHeader {
                kind,
                needs_sum: kind.is_some(),
                header_len: 52,
                segment: 1228,
                sum_start: 20,
                sum_offset: 16,
            };
            assert_eq!(VnetHeader::read(&header.write()), Ok(header));
        }
        let mut bytes = [0; LEN];
        for kind in [2u8, 3, 6, 0x7f] {
            bytes[1] = kind;
            assert_eq!(VnetHeader::read(&bytes), Err(UnknownKind));
        }
        bytes[1] = 0x81;
        assert_eq!(VnetHeader::read(&bytes).unwrap().kind, Some(Kind::Tcp4));
    }
}
