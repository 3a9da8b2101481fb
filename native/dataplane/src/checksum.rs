//! The Internet checksum (RFC 1071), summed eight bytes at a time in the machine's own order: the sum of words is the same in
//! either order but for a swap at the end.

use std::net::IpAddr;

/// The sum of `bytes` as big-endian words, at most 0xffff, so that sums can be added. Pieces but the last have even lengths.
#[inline]
pub fn sum(bytes: &[u8]) -> u64 {
    let mut total = 0u128;
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        total += u128::from(u64::from_le_bytes(*word));
    }
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    total += u128::from(u64::from_le_bytes(last));
    let part = |at: u32| (total >> at) as u64 & 0xffff_ffff;
    u64::from(folded(part(0) + part(32) + part(64)).swap_bytes())
}

/// A sum in 16 bits.
#[inline]
pub fn folded(mut sum: u64) -> u16 {
    while sum > 0xffff {
        sum = (sum >> 16) + (sum & 0xffff);
    }
    sum as u16
}

/// The sum of the pseudo-header of a UDP, TCP or ICMPv6 message of `length` bytes.
#[inline]
pub fn pseudo(src: IpAddr, dst: IpAddr, proto: u8, length: usize) -> u64 {
    let address = |ip: IpAddr| match ip {
        IpAddr::V4(ip) => sum(&ip.octets()),
        IpAddr::V6(ip) => sum(&ip.octets()),
    };
    address(src) + address(dst) + u64::from(proto) + length as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(bytes: &[u8]) -> u16 {
        let words = bytes.chunks(2).map(|pair| {
            let low = pair.get(1).copied().unwrap_or(0);
            u64::from(u16::from_be_bytes([pair[0], low]))
        });
        folded(words.sum())
    }

    #[test]
    fn sums_as_word_by_word_at_every_length() {
        let bytes: Vec<u8> = (0..3000u32).map(|n| (n * 37 + n / 7) as u8).collect();
        for len in 0..bytes.len() {
            assert_eq!(sum(&bytes[..len]), u64::from(plain(&bytes[..len])), "{len}");
        }
        assert_eq!(sum(&[0xff; 65_535]), u64::from(plain(&[0xff; 65_535])));
    }

    #[test]
    fn the_pseudo_header_is_that_of_the_rfc() {
        let (src, dst) = ("10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap());
        let bytes = [10, 0, 0, 1, 10, 0, 0, 2, 0, 6, 0, 40];
        assert_eq!(folded(pseudo(src, dst, 6, 40)), plain(&bytes));
    }
}
