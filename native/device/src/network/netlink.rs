//! Reads rtnetlink messages. Pure: bytes in, rows out; whatever makes no sense is left out.
//!
//! ```text
//! message    length u32, type u16, flags u16, sequence u32, port u32; body; padded to 4           native-endian
//! link       family u8, pad u8, type u16, index i32, flags u32, change u32; attributes
//! address    family u8, prefix u8, flags u8, scope u8, index u32; attributes
//! route      family u8, dst bits u8, src bits u8, tos u8, table u8, protocol u8, scope u8, type u8, flags u32; attributes
//! attribute  length u16 (its head included), type u16; value; padded to 4
//! ```
//! Source: Linux include/uapi/linux/{netlink,rtnetlink,if_link,if_addr}.h.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Kinds;

pub const HEADER: usize = 16;

const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const RTM_NEWLINK: u16 = 16;
const RTM_DELLINK: u16 = 17;
const RTM_NEWADDR: u16 = 20;
const RTM_DELADDR: u16 = 21;
const RTM_NEWROUTE: u16 = 24;
const RTM_DELROUTE: u16 = 25;

const IFLA_IFNAME: u16 = 3;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_FLAGS: u16 = 8;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RTA_PREFSRC: u16 = 7;
const RTA_VIA: u16 = 18;
/// The upper bits of an attribute's type are flags.
const ATTRIBUTE_TYPE: u16 = 0x3fff;

const IFF_UP: u32 = 1;
const IFF_LOOPBACK: u32 = 8;
const IFF_RUNNING: u32 = 0x40;
/// Not usable yet, or never: duplicate address detection goes on, or failed.
const IFA_F_UNUSABLE: u32 = 0x40 | 0x08;
const RTN_UNICAST: u8 = 1;
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;

/// What one message says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Row {
    Link {
        index: u32,
        name: String,
        up: bool,
        loopback: bool,
    },
    Address {
        index: u32,
        ip: IpAddr,
        prefix: u8,
    },
    /// The answer to a question for the way to one address.
    Route {
        index: u32,
        gateway: Option<IpAddr>,
        source: Option<IpAddr>,
    },
    /// The end of an answer: 0, or an errno.
    End(i32),
}

/// Gives each message's type, sequence number and body to `see`. A length that lies ends the batch.
pub fn each_message<'a>(mut bytes: &'a [u8], mut see: impl FnMut(u16, u32, &'a [u8])) {
    while let Some(head) = bytes.get(..HEADER) {
        let length = u32_at(head, 0) as usize;
        if length < HEADER {
            return;
        }
        let end = length.min(bytes.len());
        see(u16_at(head, 4), u32_at(head, 8), &bytes[HEADER..end]);
        bytes = length
            .checked_next_multiple_of(4)
            .and_then(|next| bytes.get(next..))
            .unwrap_or_default();
    }
}

/// Which kinds of things the messages in `bytes` tell of.
pub fn note_kinds(bytes: &[u8], kinds: &mut Kinds) {
    each_message(bytes, |kind, _, _| match kind {
        RTM_NEWLINK | RTM_DELLINK => kinds.links = true,
        RTM_NEWADDR | RTM_DELADDR => kinds.addresses = true,
        RTM_NEWROUTE | RTM_DELROUTE => kinds.routes = true,
        _ => {}
    });
}

/// Reads the body of one message; None for what is of no use here.
pub fn read_row(kind: u16, body: &[u8]) -> Option<Row> {
    match kind {
        NLMSG_DONE => Some(Row::End(0)),
        NLMSG_ERROR => Some(Row::End(
            (u32_at(body.get(..4)?, 0) as i32)
                .checked_neg()
                .unwrap_or(0),
        )),
        RTM_NEWLINK => read_link(body),
        RTM_NEWADDR => read_address(body),
        RTM_NEWROUTE => read_route(body),
        _ => None,
    }
}

fn read_link(body: &[u8]) -> Option<Row> {
    let head = body.get(..16)?;
    let flags = u32_at(head, 8);
    let mut name = None;
    each_attribute(&body[16..], |kind, value| {
        if kind == IFLA_IFNAME {
            let end = value.iter().position(|byte| *byte == 0);
            name = Some(String::from_utf8_lossy(&value[..end.unwrap_or(value.len())]).into_owned());
        }
    });
    Some(Row::Link {
        index: u32_at(head, 4),
        name: name?,
        up: flags & (IFF_UP | IFF_RUNNING) == IFF_UP | IFF_RUNNING,
        loopback: flags & IFF_LOOPBACK != 0,
    })
}

fn read_address(body: &[u8]) -> Option<Row> {
    let head = body.get(..8)?;
    let (family, prefix) = (head[0], head[1]);
    let mut flags = u32::from(head[2]);
    let (mut local, mut peer) = (None, None);
    each_attribute(&body[8..], |kind, value| match kind {
        IFA_LOCAL => local = ip_of(family, value),
        IFA_ADDRESS => peer = ip_of(family, value),
        IFA_FLAGS if value.len() == 4 => flags = u32_at(value, 0),
        _ => {}
    });
    if flags & IFA_F_UNUSABLE != 0 {
        return None;
    }
    Some(Row::Address {
        index: u32_at(head, 4),
        // On a point-to-point link the other attribute is the far end.
        ip: local.or(peer)?,
        prefix,
    })
}

fn read_route(body: &[u8]) -> Option<Row> {
    let head = body.get(..12)?;
    let (family, kind) = (head[0], head[7]);
    if kind != RTN_UNICAST {
        return None;
    }
    let (mut index, mut gateway, mut source) = (None, None, None);
    each_attribute(&body[12..], |kind, value| match kind {
        RTA_OIF if value.len() == 4 => index = Some(u32_at(value, 0)),
        RTA_GATEWAY => gateway = ip_of(family, value),
        // IPv4 by a gateway that has IPv6 alone.
        RTA_VIA if value.len() > 2 => gateway = ip_of(u16_at(value, 0) as u8, &value[2..]),
        RTA_PREFSRC => source = ip_of(family, value),
        _ => {}
    });
    Some(Row::Route {
        index: index?,
        gateway,
        source,
    })
}

fn each_attribute<'a>(mut bytes: &'a [u8], mut see: impl FnMut(u16, &'a [u8])) {
    while let Some(head) = bytes.get(..4) {
        let length = usize::from(u16_at(head, 0));
        let Some(value) = bytes.get(4..length) else {
            return;
        };
        see(u16_at(head, 2) & ATTRIBUTE_TYPE, value);
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
}

fn ip_of(family: u8, value: &[u8]) -> Option<IpAddr> {
    match family {
        AF_INET => Some(Ipv4Addr::from(<[u8; 4]>::try_from(value).ok()?).into()),
        AF_INET6 => Some(Ipv6Addr::from(<[u8; 16]>::try_from(value).ok()?).into()),
        _ => None,
    }
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_ne_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_ne_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}
