//! Wanted tables as one packed message from JavaScript. Integers big-endian; `n×` is preceded by its count.
//!
//!   flags u8 (1 own addresses follow, 2 filter follows)
//!   [own      n u16 × ip]
//!   removes   n u32 × key 32
//!   upserts   n u32 × (key 32 | flags u8 (1 jailed, 2 bare WireGuard) | sources n u32 × prefix | routes n u32 × prefix)
//!   [filter   shields up u8 | local nets n u32 × prefix
//!             rules n u32 × (protos n u16 × u8 | srcs n u32 × prefix | dsts n u32 × (prefix | first u16 | last u16))]
//!   ip = family u8 (4, 6) | 4 or 16 B          prefix = ip | bits u8
//!
//! A message that does not decode whole changes nothing. main/engine/dataplane/tables.ts writes it.

use std::net::IpAddr;

use dataplane::filter::{Dst, Match, Rules, Table};
use dataplane::peers::PeerSpec;
use dataplane::prefix::{IpSet, Prefix};
use dataplane::tunnel::Key;

use crate::world::Tables;

/// The message is cut short or says something impossible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadTables;

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8], BadTables> {
        let (head, rest) = self.0.split_at_checked(len).ok_or(BadTables)?;
        self.0 = rest;
        Ok(head)
    }
    fn array<const N: usize>(&mut self) -> Result<[u8; N], BadTables> {
        self.take(N)?.try_into().map_err(|_| BadTables)
    }
    fn u8(&mut self) -> Result<u8, BadTables> {
        Ok(self.array::<1>()?[0])
    }
    fn u16(&mut self) -> Result<u16, BadTables> {
        Ok(u16::from_be_bytes(self.array()?))
    }
    fn u32(&mut self) -> Result<usize, BadTables> {
        Ok(u32::from_be_bytes(self.array()?) as usize)
    }
    fn ip(&mut self) -> Result<IpAddr, BadTables> {
        match self.u8()? {
            4 => Ok(IpAddr::from(self.array::<4>()?)),
            6 => Ok(IpAddr::from(self.array::<16>()?)),
            _ => Err(BadTables),
        }
    }
    fn prefix(&mut self) -> Result<Prefix, BadTables> {
        let ip = self.ip()?;
        Prefix::new(ip, self.u8()?).ok_or(BadTables)
    }
    /// `count` items; no memory is reserved ahead for a count that lies.
    fn many<T>(
        &mut self,
        count: usize,
        read: impl Fn(&mut Self) -> Result<T, BadTables>,
    ) -> Result<Vec<T>, BadTables> {
        let mut out = Vec::with_capacity(count.min(self.0.len()));
        for _ in 0..count {
            out.push(read(self)?);
        }
        Ok(out)
    }
    fn prefixes(&mut self) -> Result<Vec<Prefix>, BadTables> {
        let count = self.u32()?;
        self.many(count, Reader::prefix)
    }
}

/// Reads a whole message.
pub fn decode(message: &[u8]) -> Result<Tables, BadTables> {
    let mut reader = Reader(message);
    let flags = reader.u8()?;
    let mut tables = Tables::default();
    if flags & 1 != 0 {
        let count = usize::from(reader.u16()?);
        tables.own = Some(reader.many(count, Reader::ip)?);
    }
    let count = reader.u32()?;
    tables.removes = reader.many(count, Reader::array::<32>)?;
    let count = reader.u32()?;
    tables.upserts = reader.many(count, peer)?;
    if flags & 2 != 0 {
        tables.filter = Some(filter(&mut reader)?);
    }
    if reader.0.is_empty() {
        Ok(tables)
    } else {
        Err(BadTables)
    }
}

fn peer(reader: &mut Reader<'_>) -> Result<PeerSpec, BadTables> {
    let key: Key = reader.array()?;
    let flags = reader.u8()?;
    Ok(PeerSpec {
        key,
        jailed: flags & 1 != 0,
        bare: flags & 2 != 0,
        sources: reader.prefixes()?,
        routes: reader.prefixes()?,
    })
}

fn filter(reader: &mut Reader<'_>) -> Result<Table, BadTables> {
    let shields_up = reader.u8()? != 0;
    let local = IpSet::new(reader.prefixes()?);
    let count = reader.u32()?;
    let matches = reader.many(count, |reader| {
        let protos = usize::from(reader.u16()?);
        let protos = reader.take(protos)?;
        let srcs = reader.prefixes()?;
        let count = reader.u32()?;
        let dsts = reader.many(count, |reader| {
            Ok(Dst {
                prefix: reader.prefix()?,
                first: reader.u16()?,
                last: reader.u16()?,
            })
        })?;
        Ok(Match::new(protos, srcs, dsts))
    })?;
    Ok(Table {
        rules: Rules::new(matches),
        local,
        shields_up,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Vec<u8> {
        let ip = [4, 100, 64, 0, 1];
        let prefix = [&ip[..], &[32]].concat();
        let one = 1u32.to_be_bytes();
        let dst = [&prefix[..], &80u16.to_be_bytes(), &443u16.to_be_bytes()].concat();
        [
            &[3u8][..],
            &1u16.to_be_bytes(),
            &ip,
            &one,
            &[7; 32],
            &one,
            &[8; 32],
            &[1],
            &one,
            &prefix,
            &one,
            &prefix,
            &[0],
            &one,
            &prefix,
            &one,
            &2u16.to_be_bytes(),
            &[6, 17],
            &one,
            &prefix,
            &one,
            &dst,
        ]
        .concat()
    }

    #[test]
    fn a_whole_message_is_read_and_any_cut_or_tail_is_refused() {
        let message = sample();
        let tables = decode(&message).unwrap();
        assert_eq!(tables.own.unwrap().len(), 1);
        assert_eq!(tables.removes, [[7; 32]]);
        assert!(tables.upserts[0].jailed && tables.upserts[0].routes.len() == 1);
        assert_eq!(tables.filter.unwrap().rules.len(), 1);
        for end in 0..message.len() {
            assert!(decode(&message[..end]).is_err());
        }
        assert!(decode(&[&message[..], &[0]].concat()).is_err());
    }

    #[test]
    fn counts_that_lie_and_flipped_bits_neither_panic_nor_eat_memory() {
        assert!(decode(&[0, 0xff, 0xff, 0xff, 0xff]).is_err());
        let message = sample();
        for bit in 0..message.len() * 8 {
            let mut bytes = message.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let _ = decode(&bytes);
        }
    }
}
