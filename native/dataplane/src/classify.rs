//! Tells the kinds of outer datagram apart by their first bytes. They cannot be mistaken for one another: WireGuard's
//! first four bytes are `01..04 00 00 00`.
//!
//!   STUN    top two bits zero, byte 1 = 1 (binding), magic cookie 2112a442 at 4..8, 20 B or more
//!   Geneve  8 B header of a peer relay, protocol 7a11 (disco) or 7a12 (WireGuard)
//!   disco   "TS💬" = 54 53 f0 9f 92 ac, 62 B or more

use crate::geneve;

const DISCO_MAGIC: [u8; 6] = [0x54, 0x53, 0xf0, 0x9f, 0x92, 0xac];
const STUN_COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const DISCO_MIN: usize = 62;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Stun,
    Disco,
    GeneveDisco,
    GeneveWireGuard,
    WireGuard,
    /// Nothing that we speak, the empty datagram too.
    Other,
}

/// The kind of one datagram from the network.
pub fn classify(datagram: &[u8]) -> Kind {
    let [first, second, rest @ ..] = datagram else {
        return Kind::Other;
    };
    if matches!(first, 1..=4) && *second == 0 && rest.len() >= 30 && rest[..2] == [0, 0] {
        return Kind::WireGuard;
    }
    if datagram.len() >= 20 && first & 0xc0 == 0 && *second == 1 && datagram[4..8] == STUN_COOKIE {
        return Kind::Stun;
    }
    if let Some(header) = geneve::parse(datagram) {
        return if header.disco {
            Kind::GeneveDisco
        } else {
            Kind::GeneveWireGuard
        };
    }
    if datagram.len() >= DISCO_MIN && datagram[..6] == DISCO_MAGIC {
        return Kind::Disco;
    }
    Kind::Other
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sized(head: &[u8], len: usize) -> Vec<u8> {
        let mut out = head.to_vec();
        out.resize(len, 0);
        out
    }

    #[test]
    fn tells_the_kinds_apart() {
        assert_eq!(classify(&[]), Kind::Other);
        assert_eq!(classify(&[4]), Kind::Other);
        assert_eq!(classify(&sized(&[4], 32)), Kind::WireGuard);
        assert_eq!(classify(&sized(&[4], 31)), Kind::Other);
        assert_eq!(classify(&sized(&[5], 148)), Kind::Other);
        assert_eq!(
            classify(&sized(&[1, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42], 20)),
            Kind::Stun
        );
        assert_eq!(
            classify(&sized(&[1, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42], 19)),
            Kind::Other
        );
        assert_eq!(classify(&sized(&DISCO_MAGIC, 62)), Kind::Disco);
        assert_eq!(classify(&sized(&DISCO_MAGIC, 61)), Kind::Other);
        assert_eq!(
            classify(&sized(&[0, 0x80, 0x7a, 0x11], 70)),
            Kind::GeneveDisco
        );
        assert_eq!(
            classify(&sized(&[0, 0, 0x7a, 0x12], 8)),
            Kind::GeneveWireGuard
        );
    }

    #[test]
    fn every_size_from_nothing_to_the_greatest_is_answered() {
        for len in 0..=65_535usize {
            let byte = (len % 251) as u8;
            classify(&vec![byte; len][..len.min(70)]);
        }
        assert_eq!(classify(&vec![0xff; 65_535]), Kind::Other);
    }
}
