//! Prefix tables (longest match) and address sets (merged ranges). Families never mix.
//!
//! `PrefixTable` holds one hash map per prefix length in use, longest first: a tailnet has a few lengths only (hosts,
//! some subnets, a default), so a lookup is one or two probes, and one peer's change costs only its own prefixes.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::net::IpAddr;

/// A multiplicative hash for keys that no stranger chooses (routes come from control, indices are ours).
#[derive(Default, Clone)]
pub struct QuickHasher(u64);

impl Hasher for QuickHasher {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0u8; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word));
        }
    }
    fn write_u8(&mut self, value: u8) {
        self.write_u64(u64::from(value));
    }
    fn write_u32(&mut self, value: u32) {
        self.write_u64(u64::from(value));
    }
    fn write_u64(&mut self, value: u64) {
        let mixed = u128::from(self.0.rotate_left(5) ^ value ^ 0x5851_f42d_4c95_7f2d)
            * 0x9e37_79b9_7f4a_7c15;
        self.0 = (mixed >> 64) as u64 ^ mixed as u64;
    }
    fn write_u128(&mut self, value: u128) {
        self.write_u64(value as u64);
        self.write_u64((value >> 64) as u64);
    }
    fn write_usize(&mut self, value: usize) {
        self.write_u64(value as u64);
    }
}

pub type QuickMap<K, V> = HashMap<K, V, BuildHasherDefault<QuickHasher>>;

/// An address with the number of leading bits that count. Host bits are cleared at construction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Prefix {
    v6: bool,
    bits: u8,
    /// IPv4 in the low 32 bits.
    base: u128,
}

fn key(ip: IpAddr) -> (bool, u128) {
    match ip {
        IpAddr::V4(ip) => (false, u128::from(u32::from(ip))),
        IpAddr::V6(ip) => (true, u128::from(ip)),
    }
}

fn mask(v6: bool, bits: u8) -> u128 {
    let width = if v6 { 128 } else { 32 };
    let free = width - u32::from(bits);
    let all = if v6 { u128::MAX } else { u128::from(u32::MAX) };
    if free >= 128 {
        0
    } else {
        (all >> free) << free & all
    }
}

impl Prefix {
    /// None when there are more bits than the family has.
    pub fn new(ip: IpAddr, bits: u8) -> Option<Prefix> {
        let (v6, base) = key(ip);
        if bits > if v6 { 128 } else { 32 } {
            return None;
        }
        Some(Prefix {
            v6,
            bits,
            base: base & mask(v6, bits),
        })
    }

    pub fn host(ip: IpAddr) -> Prefix {
        let (v6, base) = key(ip);
        Prefix {
            v6,
            bits: if v6 { 128 } else { 32 },
            base,
        }
    }

    /// The address of a prefix that is a single one.
    pub fn as_host(&self) -> Option<IpAddr> {
        match (self.v6, self.bits) {
            (false, 32) => Some(IpAddr::V4((self.base as u32).into())),
            (true, 128) => Some(IpAddr::V6(self.base.into())),
            _ => None,
        }
    }

    pub(crate) fn is_v6(&self) -> bool {
        self.v6
    }

    pub(crate) fn bits(&self) -> u8 {
        self.bits
    }

    /// The address as a number, IPv4 in the low 32 bits.
    pub(crate) fn base(&self) -> u128 {
        self.base
    }

    /// The bits that count, as a number like `base`.
    pub(crate) fn mask(&self) -> u128 {
        mask(self.v6, self.bits)
    }

    pub fn contains(&self, ip: IpAddr) -> bool {
        let (v6, base) = key(ip);
        v6 == self.v6 && base & mask(v6, self.bits) == self.base
    }

    fn last(&self) -> u128 {
        let width_mask = if self.v6 {
            u128::MAX
        } else {
            u128::from(u32::MAX)
        };
        self.base | (!mask(self.v6, self.bits) & width_mask)
    }
}

struct Level {
    bits: u8,
    mask: u128,
    map: QuickMap<u128, Vec<u32>>,
}

/// Prefix → owners. One prefix may have several owners (two peers offering one subnet); order of insertion is kept.
#[derive(Default)]
pub struct PrefixTable {
    v4: Vec<Level>,
    v6: Vec<Level>,
}

impl PrefixTable {
    pub fn insert(&mut self, prefix: Prefix, owner: u32) {
        let levels = if prefix.v6 {
            &mut self.v6
        } else {
            &mut self.v4
        };
        let at = levels.partition_point(|level| level.bits > prefix.bits);
        if levels.get(at).is_none_or(|level| level.bits != prefix.bits) {
            let level = Level {
                bits: prefix.bits,
                mask: mask(prefix.v6, prefix.bits),
                map: QuickMap::default(),
            };
            levels.insert(at, level);
        }
        let owners = levels[at].map.entry(prefix.base).or_default();
        if !owners.contains(&owner) {
            owners.push(owner);
        }
    }

    pub fn remove(&mut self, prefix: Prefix, owner: u32) {
        let levels = if prefix.v6 {
            &mut self.v6
        } else {
            &mut self.v4
        };
        let at = levels.partition_point(|level| level.bits > prefix.bits);
        let Some(level) = levels.get_mut(at).filter(|level| level.bits == prefix.bits) else {
            return;
        };
        if let Some(owners) = level.map.get_mut(&prefix.base) {
            owners.retain(|other| *other != owner);
            if owners.is_empty() {
                level.map.remove(&prefix.base);
            }
        }
        if level.map.is_empty() {
            levels.remove(at);
        }
    }

    /// Whether `ip` is an entry by itself, not merely inside a wider prefix.
    pub fn holds_host(&self, ip: IpAddr) -> bool {
        let (v6, base) = key(ip);
        let levels = if v6 { &self.v6 } else { &self.v4 };
        levels.first().is_some_and(|level| {
            level.bits == if v6 { 128 } else { 32 } && level.map.contains_key(&base)
        })
    }

    /// Owners of the most specific prefix that holds `ip`; empty when none does.
    pub fn lookup(&self, ip: IpAddr) -> &[u32] {
        let (v6, base) = key(ip);
        let levels = if v6 { &self.v6 } else { &self.v4 };
        for level in levels {
            if let Some(owners) = level.map.get(&(base & level.mask)) {
                return owners;
            }
        }
        &[]
    }
}

/// A set of addresses as sorted ranges that neither touch nor overlap; membership is a binary search.
#[derive(Default, Clone, Debug)]
pub struct IpSet {
    v4: Vec<(u32, u32)>,
    v6: Vec<(u128, u128)>,
}

fn merge<T: Copy + Ord>(mut ranges: Vec<(T, T)>, next: impl Fn(T) -> Option<T>) -> Vec<(T, T)> {
    ranges.sort_unstable();
    let mut out: Vec<(T, T)> = Vec::with_capacity(ranges.len());
    for (first, last) in ranges {
        match out.last_mut() {
            Some(top) if next(top.1).is_none_or(|after| first <= after) => top.1 = top.1.max(last),
            _ => out.push((first, last)),
        }
    }
    out
}

impl IpSet {
    pub fn new(prefixes: impl IntoIterator<Item = Prefix>) -> IpSet {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for prefix in prefixes {
            if prefix.v6 {
                v6.push((prefix.base, prefix.last()));
            } else {
                v4.push((prefix.base as u32, prefix.last() as u32));
            }
        }
        IpSet {
            v4: merge(v4, |x| x.checked_add(1)),
            v6: merge(v6, |x| x.checked_add(1)),
        }
    }

    pub fn contains(&self, ip: IpAddr) -> bool {
        fn within<T: Copy + Ord>(ranges: &[(T, T)], x: T) -> bool {
            let at = ranges.partition_point(|range| range.1 < x);
            ranges.get(at).is_some_and(|range| range.0 <= x)
        }
        match ip {
            IpAddr::V4(ip) => within(&self.v4, u32::from(ip)),
            IpAddr::V6(ip) => within(&self.v6, u128::from(ip)),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.v4.is_empty() && self.v6.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix(text: &str) -> Prefix {
        let (ip, bits) = text.split_once('/').unwrap();
        Prefix::new(ip.parse().unwrap(), bits.parse().unwrap()).unwrap()
    }

    #[test]
    fn the_most_specific_prefix_wins_and_leaves_no_trace_when_removed() {
        let mut table = PrefixTable::default();
        table.insert(prefix("0.0.0.0/0"), 1);
        table.insert(prefix("10.0.0.0/8"), 2);
        table.insert(prefix("10.1.2.3/32"), 3);
        table.insert(prefix("::/0"), 4);
        let at = |text: &str, table: &PrefixTable| table.lookup(text.parse().unwrap()).to_vec();
        assert_eq!(at("10.1.2.3", &table), [3]);
        assert_eq!(at("10.1.2.4", &table), [2]);
        assert_eq!(at("8.8.8.8", &table), [1]);
        assert_eq!(at("fd7a::1", &table), [4]);
        table.remove(prefix("10.1.2.3/32"), 3);
        assert_eq!(at("10.1.2.3", &table), [2]);
        table.remove(prefix("0.0.0.0/0"), 9);
        assert_eq!(at("8.8.8.8", &table), [1]);
        table.remove(prefix("0.0.0.0/0"), 1);
        assert!(at("8.8.8.8", &table).is_empty());
    }

    #[test]
    fn sets_merge_neighbours_and_reach_both_ends() {
        let set =
            IpSet::new(["10.0.0.0/25", "10.0.0.128/25", "255.255.255.255/32", "::/0"].map(prefix));
        assert_eq!(set.v4.len(), 2);
        for (text, want) in [
            ("10.0.0.255", true),
            ("10.0.1.0", false),
            ("255.255.255.255", true),
            ("ffff::", true),
        ] {
            assert_eq!(set.contains(text.parse().unwrap()), want, "{text}");
        }
        assert!(IpSet::new(["0.0.0.0/0"].map(prefix)).contains("255.255.255.255".parse().unwrap()));
        assert!(IpSet::default().is_empty());
    }
}
