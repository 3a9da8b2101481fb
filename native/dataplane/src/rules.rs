//! The rules of a filter table and the question "does any rule let this through". Pure, built once a table, then read.
//!
//! A few rules are gone through one by one. Many are found by whichever is rarest of: rules whose sources hold the packet's
//! source, destinations that hold its destination, destinations that name its port. So a table of ten thousand rules
//! costs a new flow about what ten cost, unless all of them are alike in all three.
//!
//! A prefix is looked up as in `prefix::PrefixTable`, a level a prefix length in use; here a level is one sorted list,
//! since a table is replaced whole and never changed.

use std::net::IpAddr;

use crate::ip;
use crate::prefix::{IpSet, Prefix};

/// Up to so many destinations of all rules together, looking them up costs more than going through them.
const FEW: usize = 12;

/// One destination of a rule: addresses and inclusive ports.
#[derive(Clone, Debug)]
pub struct Dst {
    pub prefix: Prefix,
    pub first: u16,
    pub last: u16,
}

/// One rule: any of these sources to any of these destinations by any of these protocols.
#[derive(Clone, Debug)]
pub struct Match {
    protos: [u64; 4],
    /// As given; taken when the rule becomes part of a table.
    prefixes: Vec<Prefix>,
    srcs: IpSet,
    dsts: Vec<Dst>,
}

impl Match {
    pub fn new(protos: &[u8], srcs: impl IntoIterator<Item = Prefix>, dsts: Vec<Dst>) -> Match {
        let mut bits = [0u64; 4];
        for proto in protos {
            bits[usize::from(proto >> 6)] |= 1 << (proto & 63);
        }
        let prefixes: Vec<Prefix> = srcs.into_iter().collect();
        Match {
            protos: bits,
            srcs: IpSet::new(prefixes.iter().copied()),
            prefixes,
            dsts,
        }
    }

    fn names(&self, proto: u8) -> bool {
        self.protos[usize::from(proto >> 6)] >> (proto & 63) & 1 == 1
    }
}

/// What is asked of the rules.
#[derive(Clone, Copy)]
struct Question {
    src: IpAddr,
    dst: IpAddr,
    what: What,
}

#[derive(Clone, Copy)]
enum What {
    /// A protocol with ports, to this port.
    Port(u8, u16),
    /// A protocol without: only destinations with all ports count.
    Proto(u8),
    /// Any rule for the pair of addresses.
    Pair,
}

/// Numbers by prefix: sorted, a level a length.
#[derive(Clone, Debug, Default)]
struct Index(Vec<Level>);

#[derive(Clone, Debug)]
struct Level {
    v6: bool,
    mask: u128,
    entries: Vec<(u128, u32)>,
}

impl Index {
    fn new(mut all: Vec<(Prefix, u32)>) -> Index {
        all.sort_unstable_by_key(|(prefix, number)| {
            (prefix.is_v6(), prefix.bits(), prefix.base(), *number)
        });
        let mut levels: Vec<Level> = Vec::new();
        let mut last = None;
        for (prefix, number) in all {
            let kind = (prefix.is_v6(), prefix.bits());
            if last != Some(kind) {
                last = Some(kind);
                levels.push(Level {
                    v6: kind.0,
                    mask: prefix.mask(),
                    entries: Vec::new(),
                });
            }
            if let Some(level) = levels.last_mut() {
                level.entries.push((prefix.base(), number));
            }
        }
        Index(levels)
    }

    /// The numbers of every prefix that holds `ip`.
    fn at(&self, ip: IpAddr) -> impl Iterator<Item = &[(u128, u32)]> {
        let host = Prefix::host(ip);
        let levels = self.0.iter().filter(move |level| level.v6 == host.is_v6());
        levels.map(move |level| {
            let base = host.base() & level.mask;
            let start = level.entries.partition_point(|entry| entry.0 < base);
            let rest = &level.entries[start..];
            &rest[..rest.partition_point(|entry| entry.0 == base)]
        })
    }
}

/// All rules of a table.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    matches: Vec<Match>,
    /// Each destination of each rule: (rule, destination).
    units: Vec<(u32, u32)>,
    /// Sources → rules.
    by_src: Index,
    /// Destinations → units.
    by_dst: Index,
    /// Units that name one port, by port.
    by_port: Vec<(u16, u32)>,
    /// Units that name several.
    ranges: Vec<u32>,
}

impl Rules {
    pub fn new(mut matches: Vec<Match>) -> Rules {
        let mut units = Vec::new();
        let (mut srcs, mut dsts) = (Vec::new(), Vec::new());
        let (mut by_port, mut ranges) = (Vec::new(), Vec::new());
        for (at, rule) in matches.iter_mut().enumerate() {
            let at = at as u32;
            srcs.extend(
                std::mem::take(&mut rule.prefixes)
                    .into_iter()
                    .map(|prefix| (prefix, at)),
            );
            for (n, dst) in rule.dsts.iter().enumerate() {
                let unit = units.len() as u32;
                units.push((at, n as u32));
                dsts.push((dst.prefix, unit));
                if dst.first == dst.last {
                    by_port.push((dst.first, unit));
                } else {
                    ranges.push(unit);
                }
            }
        }
        by_port.sort_unstable();
        Rules {
            matches,
            units,
            by_src: Index::new(srcs),
            by_dst: Index::new(dsts),
            by_port,
            ranges,
        }
    }

    pub fn len(&self) -> usize {
        self.matches.len()
    }

    pub fn is_empty(&self) -> bool {
        self.matches.is_empty()
    }

    /// Whether a rule lets this start; `dst_port` counts for protocols with ports.
    pub fn permit(&self, proto: u8, src: IpAddr, dst: IpAddr, dst_port: u16) -> bool {
        let what = match proto {
            ip::TCP | ip::UDP | ip::SCTP => What::Port(proto, dst_port),
            _ => What::Proto(proto),
        };
        self.any(Question { src, dst, what })
    }

    /// Whether any rule is about this pair of addresses, whatever protocols and ports it names.
    pub fn permit_pair(&self, src: IpAddr, dst: IpAddr) -> bool {
        let what = What::Pair;
        self.any(Question { src, dst, what })
    }

    fn any(&self, asked: Question) -> bool {
        if self.units.len() <= FEW {
            return (0..self.units.len()).any(|unit| self.unit(unit as u32, &asked));
        }
        let by_dst: usize = self.by_dst.at(asked.dst).map(<[_]>::len).sum();
        let (ported, by_port) = self.ported(&asked);
        let most = by_dst.min(by_port);
        let by_src = self.cost_by_src(asked.src, most);
        if by_src < most {
            self.by_src.at(asked.src).flatten().any(|(_, rule)| {
                let rule = &self.matches[*rule as usize];
                rule.dsts.iter().any(|dst| fits(rule, dst, &asked))
            })
        } else if by_port < by_dst {
            let singles = ported.iter().map(|(_, unit)| unit);
            singles
                .chain(&self.ranges)
                .any(|unit| self.unit(*unit, &asked))
        } else {
            let units = self.by_dst.at(asked.dst).flatten();
            units.into_iter().any(|(_, unit)| self.unit(*unit, &asked))
        }
    }

    /// Destinations to look at when going by the source; stops counting beyond `most`.
    fn cost_by_src(&self, src: IpAddr, most: usize) -> usize {
        let mut cost = 0;
        for (_, rule) in self.by_src.at(src).flatten() {
            cost += self.matches[*rule as usize].dsts.len();
            if cost > most {
                break;
            }
        }
        cost
    }

    /// Units that name just the port that is asked for, and how many there are to look at when going by ports.
    fn ported(&self, asked: &Question) -> (&[(u16, u32)], usize) {
        let singles = match asked.what {
            What::Port(_, port) => {
                let rest = &self.by_port[self.by_port.partition_point(|one| one.0 < port)..];
                &rest[..rest.partition_point(|one| one.0 == port)]
            }
            What::Proto(_) => &[],
            What::Pair => return (&[], usize::MAX),
        };
        (singles, singles.len() + self.ranges.len())
    }

    fn unit(&self, unit: u32, asked: &Question) -> bool {
        let (rule, dst) = self.units[unit as usize];
        let rule = &self.matches[rule as usize];
        fits(rule, &rule.dsts[dst as usize], asked)
    }
}

fn fits(rule: &Match, dst: &Dst, asked: &Question) -> bool {
    let named = match asked.what {
        What::Port(proto, port) => rule.names(proto) && (dst.first..=dst.last).contains(&port),
        What::Proto(proto) => rule.names(proto) && dst.first == 0 && dst.last == u16::MAX,
        What::Pair => true,
    };
    named && dst.prefix.contains(asked.dst) && rule.srcs.contains(asked.src)
}
