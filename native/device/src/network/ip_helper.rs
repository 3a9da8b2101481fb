//! Reads rows of the Windows IP helper, as its tables, answers and change notices hold them. Pure: bytes in, rows out.
//!
//! ```text
//! MIB_UNICASTIPADDRESS_ROW (80 B)   address at 0, interface index u32 at 40, prefix u8 at 60, state of double detection u32 at 64
//! MIB_IPFORWARD_ROW2 (104 B)        interface index u32 at 8, destination at 12 with its prefix u8 at 40, next hop at 44
//! SOCKADDR_INET (28 B)              family u16; IPv4 at 4, IPv6 at 8                                            little-endian
//! table                             count u32, padding to 8, rows
//! ```
//! Source: netioapi.h, ws2ipdef.h; https://learn.microsoft.com/windows/win32/api/netioapi/.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub const ADDRESS_ROW: usize = 80;
pub const ROUTE_ROW: usize = 104;
pub const SOCKADDR: usize = 28;
const TABLE_HEAD: usize = 8;

const AF_INET: u16 = 2;
const AF_INET6: u16 = 23;
/// Deprecated or preferred: checked, and its network is there.
const USABLE: [u32; 2] = [3, 4];

/// One address of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressRow {
    pub index: u32,
    pub ip: IpAddr,
    pub prefix: u8,
}

/// A way: by which interface, and to whom there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteRow {
    pub index: u32,
    pub gateway: Option<IpAddr>,
}

/// The usable addresses of a table.
pub fn addresses(table: &[u8]) -> Vec<AddressRow> {
    let count = table.get(..4).map_or(0, |_| u32_at(table, 0)) as usize;
    let rows = table.get(TABLE_HEAD..).unwrap_or_default();
    let rows = rows.chunks_exact(ADDRESS_ROW).take(count);
    rows.filter_map(read_address).collect()
}

/// One row; None when it is no address that can be used now.
pub fn read_address(row: &[u8]) -> Option<AddressRow> {
    let row = row.get(..ADDRESS_ROW)?;
    let ip = read_sockaddr(row)?;
    USABLE.contains(&u32_at(row, 64)).then(|| AddressRow {
        index: u32_at(row, 40),
        ip,
        prefix: row[60],
    })
}

/// The way that a row names.
pub fn read_route(row: &[u8]) -> Option<RouteRow> {
    let row = row.get(..ROUTE_ROW)?;
    Some(RouteRow {
        index: u32_at(row, 8),
        gateway: read_sockaddr(&row[44..]).filter(|ip| !ip.is_unspecified()),
    })
}

pub fn read_sockaddr(bytes: &[u8]) -> Option<IpAddr> {
    let bytes = bytes.get(..SOCKADDR)?;
    match u16::from_le_bytes([bytes[0], bytes[1]]) {
        AF_INET => Some(Ipv4Addr::from(<[u8; 4]>::try_from(&bytes[4..8]).ok()?).into()),
        AF_INET6 => Some(Ipv6Addr::from(<[u8; 16]>::try_from(&bytes[8..24]).ok()?).into()),
        _ => None,
    }
}

/// An address as the IP helper takes it.
pub fn sockaddr(ip: IpAddr) -> [u8; SOCKADDR] {
    let mut out = [0; SOCKADDR];
    match ip {
        IpAddr::V4(ip) => {
            out[..2].copy_from_slice(&AF_INET.to_le_bytes());
            out[4..8].copy_from_slice(&ip.octets());
        }
        IpAddr::V6(ip) => {
            out[..2].copy_from_slice(&AF_INET6.to_le_bytes());
            out[8..24].copy_from_slice(&ip.octets());
        }
    }
    out
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}
