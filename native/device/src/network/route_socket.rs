//! Reads messages of a BSD route socket as macOS sends them. Pure: bytes in, rows out; whatever makes no sense is left out.
//!
//! ```text
//! every message   length u16, version u8 (5), type u8                                             little-endian
//! route           index u16 at 4, flags u32 at 8, addrs u32 at 12, seq u32 at 20, errno u32 at 24; addresses from 92 on
//! address         addrs u32 at 4, flags u32 at 8, index u16 at 12
//! addresses       one for each bit of `addrs`, lowest first: length u8, family u8, …; padded to 4, a length of 0 takes 4
//! ```
//! Source: XNU bsd/net/route.h, bsd/net/if.h, bsd/net/if_dl.h.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Kinds;

const VERSION: u8 = 5;
const RTM_ADD: u8 = 1;
const RTM_DELETE: u8 = 2;
const RTM_CHANGE: u8 = 3;
const RTM_GET: u8 = 4;
const RTM_NEWADDR: u8 = 0xc;
const RTM_DELADDR: u8 = 0xd;
const RTM_IFINFO: u8 = 0xe;
const RTM_IFINFO2: u8 = 0x12;

const RTF_UP: u32 = 1;
const RTF_REJECT: u32 = 8;
const RTF_LLINFO: u32 = 0x400;
const RTF_BLACKHOLE: u32 = 0x1000;
const RTF_WASCLONED: u32 = 0x2_0000;

const RTA_DST: u32 = 1;
const RTA_GATEWAY: u32 = 2;
const RTA_IFP: u32 = 0x10;
const RTA_IFA: u32 = 0x20;

const ROUTE_HEADER: usize = 92;
const AF_INET: u8 = 2;
const AF_LINK: u8 = 18;
const AF_INET6: u8 = 30;

/// The answer to a question for the way to an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    pub index: u16,
    /// The interface's name, where the answer has it.
    pub name: Option<String>,
    pub gateway: Option<IpAddr>,
    pub source: Option<IpAddr>,
}

/// One address of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Addr {
    Ip(IpAddr),
    Link {
        index: u16,
        name: String,
    },
    /// None of use here; takes its place.
    Other,
}

/// Gives each message to `see`. A length that lies ends the batch.
pub fn each_message<'a>(mut bytes: &'a [u8], mut see: impl FnMut(&'a [u8])) {
    while bytes.len() >= 4 {
        let length = usize::from(u16_at(bytes, 0));
        if length < 4 || length > bytes.len() {
            return;
        }
        if bytes[2] == VERSION {
            see(&bytes[..length]);
        }
        bytes = &bytes[length..];
    }
}

/// Which kinds of things the messages in `bytes` tell of. Routes that the kernel makes of others by itself, one for each
/// neighbour, are none.
pub fn note_kinds(bytes: &[u8], kinds: &mut Kinds) {
    each_message(bytes, |message| match message[3] {
        RTM_ADD | RTM_DELETE | RTM_CHANGE if message.len() >= 12 => {
            kinds.routes |= u32_at(message, 8) & (RTF_LLINFO | RTF_WASCLONED) == 0;
        }
        RTM_NEWADDR | RTM_DELADDR => kinds.addresses = true,
        RTM_IFINFO | RTM_IFINFO2 => kinds.links = true,
        _ => {}
    });
}

/// The way in the answer to the question with this number; None for no way, and for other messages.
pub fn read_way(bytes: &[u8], sequence: u32) -> Option<Way> {
    let mut found = None;
    each_message(bytes, |message| {
        if message.len() < ROUTE_HEADER || message[3] != RTM_GET || u32_at(message, 20) != sequence
        {
            return;
        }
        let flags = u32_at(message, 8);
        let usable = flags & RTF_UP != 0 && flags & (RTF_REJECT | RTF_BLACKHOLE) == 0;
        if u32_at(message, 24) != 0 || !usable {
            return;
        }
        let mut way = Way {
            index: u16_at(message, 4),
            name: None,
            gateway: None,
            source: None,
        };
        let addrs = u32_at(message, 12);
        each_address(addrs, &message[ROUTE_HEADER..], |bit, addr| {
            match (bit, addr) {
                (RTA_GATEWAY, Addr::Ip(ip)) => way.gateway = Some(ip),
                (RTA_IFA, Addr::Ip(ip)) => way.source = Some(ip),
                (RTA_IFP, Addr::Link { name, .. }) if !name.is_empty() => way.name = Some(name),
                _ => {}
            }
        });
        found = Some(way);
    });
    found
}

/// Gives the addresses that `addrs` names, each with its bit.
pub fn each_address(addrs: u32, mut bytes: &[u8], mut see: impl FnMut(u32, Addr)) {
    for bit in (0..8).map(|n| 1u32 << n).filter(|bit| addrs & bit != 0) {
        let Some(&length) = bytes.first() else { return };
        let length = usize::from(length);
        // The last one may lack its padding.
        let size = length.next_multiple_of(4).max(4).min(bytes.len());
        see(bit, read_address(&bytes[..length.min(bytes.len())]));
        bytes = &bytes[size..];
    }
}

fn read_address(bytes: &[u8]) -> Addr {
    let Some(&family) = bytes.get(1) else {
        return Addr::Other;
    };
    match family {
        AF_INET if bytes.len() >= 8 => {
            Addr::Ip(Ipv4Addr::new(bytes[4], bytes[5], bytes[6], bytes[7]).into())
        }
        AF_INET6 if bytes.len() >= 24 => {
            let mut octets = [0; 16];
            octets.copy_from_slice(&bytes[8..24]);
            // The kernel keeps the interface inside of link-local addresses.
            if octets[0] == 0xfe && octets[1] & 0xc0 == 0x80 {
                octets[2..4].fill(0);
            }
            Addr::Ip(Ipv6Addr::from(octets).into())
        }
        AF_LINK if bytes.len() >= 8 => {
            let name = bytes.get(8..8 + usize::from(bytes[5])).unwrap_or_default();
            Addr::Link {
                index: u16_at(bytes, 2),
                name: String::from_utf8_lossy(name).into_owned(),
            }
        }
        _ => Addr::Other,
    }
}

/// A question for the way to an address, as it goes into a route socket.
pub fn question(far: IpAddr, sequence: u32) -> Vec<u8> {
    let mut out = vec![0; ROUTE_HEADER];
    match far {
        IpAddr::V4(ip) => {
            out.extend_from_slice(&[16, AF_INET, 0, 0]);
            out.extend_from_slice(&ip.octets());
            out.extend_from_slice(&[0; 8]);
        }
        IpAddr::V6(ip) => {
            out.extend_from_slice(&[28, AF_INET6, 0, 0, 0, 0, 0, 0]);
            out.extend_from_slice(&ip.octets());
            out.extend_from_slice(&[0; 4]);
        }
    }
    // Room for the interface's name in the answer is asked for by naming none.
    out.extend_from_slice(&[20, AF_LINK]);
    out.resize(out.len() + 18, 0);
    let length = out.len() as u16;
    out[..2].copy_from_slice(&length.to_le_bytes());
    out[2] = VERSION;
    out[3] = RTM_GET;
    out[12..16].copy_from_slice(&(RTA_DST | RTA_IFP).to_le_bytes());
    out[20..24].copy_from_slice(&sequence.to_le_bytes());
    out
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}
