//! The Geneve header around what goes through a peer relay, 8 bytes:
//!
//!   version 2 bits | option length 6 bits (both 0) | control 0x80 | protocol 2 B | vni 3 B | 0
//!
//! Source: Tailscale net/packet/geneve.go, read 2026-08.

/// Bytes of the header.
pub const LEN: usize = 8;
pub const MAX_VNI: u32 = 0x00ff_ffff;
/// Between a node and the relay itself: never on what is forwarded.
const CONTROL: u8 = 0x80;

/// The header before WireGuard in session `vni`.
pub fn wireguard_header(vni: u32) -> [u8; LEN] {
    let [_, a, b, c] = vni.to_be_bytes();
    [0, 0, 0x7a, 0x12, a, b, c, 0]
}

/// What a header says, as far as anybody here needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    pub vni: u32,
    pub control: bool,
    /// Of the two protocols: disco rather than WireGuard.
    pub disco: bool,
}

/// The header at the front of a datagram; None when it has none that we speak. Options are not spoken.
#[inline]
pub fn parse(datagram: &[u8]) -> Option<Header> {
    let head = datagram.first_chunk::<LEN>()?;
    let protocol = [head[2], head[3]];
    if head[0] != 0 || head[1] & !CONTROL != 0 || head[7] != 0 || head[2] != 0x7a {
        return None;
    }
    Some(Header {
        vni: u32::from_be_bytes([0, head[4], head[5], head[6]]),
        control: head[1] == CONTROL,
        disco: match protocol[1] {
            0x11 => true,
            0x12 => false,
            _ => return None,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_says_its_session_and_nothing_else_is_taken_for_one() {
        for vni in [1, 0x0001_0203, MAX_VNI] {
            let found = parse(&wireguard_header(vni)).unwrap();
            assert_eq!((found.vni, found.control, found.disco), (vni, false, false));
        }
        let bind = [0, 0x80, 0x7a, 0x11, 0, 0, 9, 0];
        let found = parse(&bind).unwrap();
        assert!(found.control && found.disco && found.vni == 9);
        for bit in 0..64 {
            let mut bytes = wireguard_header(5);
            bytes[bit / 8] ^= 1 << (bit % 8);
            let is_vni = (32..56).contains(&bit);
            let is_control = bit == 15;
            assert_eq!(parse(&bytes).is_some(), is_vni || is_control, "bit {bit}");
        }
        assert_eq!(parse(&bind[..7]), None);
        assert_eq!(parse(&[]), None);
    }
}
