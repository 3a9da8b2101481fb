//! Where a packet for a destination of others leads, if anywhere. Stands behind the filter and trusts nothing it let through:
//! no guest reaches the loopback interface, the link, a group, or the tunnel itself by way of this machine.
//!
//!   own address                    → the loopback interface
//!   fd7a:115c:a1e0:b1a:0:site:v4   → that IPv4 address, in a site's own network (4via6)
//!   anything else that is served   → as it is
//!
//! An address that carries an IPv4 address inside (NAT64, 6to4) is judged by that one too, and then must be a public one.

use crate::Netstack;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub(crate) const VIA: [u8; 10] = [0xfd, 0x7a, 0x11, 0x5c, 0xa1, 0xe0, 0x0b, 0x1a, 0, 0];
const TUNNEL: [u8; 6] = [0xfd, 0x7a, 0x11, 0x5c, 0xa1, 0xe0];
const NAT64: [u8; 12] = [0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0];
const METADATA: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);

/// Whether this node has an address on offer to others: what is advertised and approved, nothing else.
pub type Offered = Box<dyn Fn(IpAddr) -> bool + Send>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lead {
    Own,
    /// An address of the engine, for programs of this computer.
    Service,
    /// To be dialled as this address.
    Foreign(IpAddr),
    Nowhere,
}

impl Netstack {
    /// What is served beside own addresses; open flows stay (see `cut_flows`).
    pub fn set_offered(&mut self, offered: Option<Offered>) {
        self.offered = offered;
    }

    pub(crate) fn lead(&self, dst: IpAddr) -> Lead {
        if self.addresses.contains(&dst) {
            return Lead::Own;
        }
        if self.services.contains(&dst) {
            return Lead::Service;
        }
        match &self.offered {
            Some(offered) if offered(dst) => target(dst).map_or(Lead::Nowhere, Lead::Foreign),
            _ => Lead::Nowhere,
        }
    }
}

/// The address to dial for a destination that is served; none for one that is never dialled.
pub(crate) fn target(dst: IpAddr) -> Option<IpAddr> {
    match dst {
        IpAddr::V4(METADATA) => Some(dst),
        IpAddr::V4(ip) => is_dialled_v4(ip).then_some(dst),
        IpAddr::V6(ip) => target_v6(ip),
    }
}

fn target_v6(ip: Ipv6Addr) -> Option<IpAddr> {
    let octets = ip.octets();
    let inside = |at: usize| -> Ipv4Addr {
        [octets[at], octets[at + 1], octets[at + 2], octets[at + 3]].into()
    };
    if octets.starts_with(&VIA) {
        return is_dialled_v4(inside(12)).then_some(inside(12).into());
    }
    let carried = match octets {
        _ if octets.starts_with(&NAT64) => Some(inside(12)),
        [0x20, 0x02, ..] => Some(inside(2)),
        _ => None,
    };
    let refused = match carried {
        Some(v4) => !is_dialled_v4(v4) || v4.is_private(),
        // Unspecified, loopback and IPv4 addresses in disguise are all in ::/8.
        None => octets[0] == 0,
    };
    let linked = ip.is_unicast_link_local() || (octets[0] == 0xfe && octets[1] & 0xc0 == 0xc0);
    let dialled = !refused && !linked && !ip.is_multicast() && !octets.starts_with(&TUNNEL);
    dialled.then_some(ip.into())
}

fn is_dialled_v4(ip: Ipv4Addr) -> bool {
    let [a, b, ..] = ip.octets();
    let tunnel = a == 100 && b & 0xc0 == 64;
    !(a == 0 || ip.is_loopback() || ip.is_link_local() || tunnel || a >= 224)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Option<String> {
        target(text.parse().unwrap()).map(|ip| ip.to_string())
    }

    #[test]
    fn what_is_never_dialled_is_refused_in_every_disguise() {
        for v4 in [
            "0.0.0.0",
            "0.1.2.3",
            "127.0.0.1",
            "127.255.255.255",
            "169.254.0.1",
            "100.64.0.1",
            "100.100.100.100",
            "100.127.255.255",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
        ] {
            let hex = u32::from(v4.parse::<Ipv4Addr>().unwrap());
            let (high, low) = (hex >> 16, hex & 0xffff);
            for text in [
                v4.to_owned(),
                format!("::ffff:{v4}"),
                format!("::{v4}"),
                format!("64:ff9b::{v4}"),
                format!("2002:{high:x}:{low:x}::1"),
                format!("fd7a:115c:a1e0:b1a:0:7:{high:x}:{low:x}"),
            ] {
                assert_eq!(of(&text), None, "{text}");
            }
        }
        for text in [
            "::",
            "::1",
            "::ffff:8.8.8.8",
            "::8.8.8.8",
            "64:ff9b::10.0.0.1",
            "64:ff9b::169.254.169.254",
            "64:ff9b:1::8.8.8.8",
            "2002:a00:1::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "fd7a:115c:a1e0::53",
            "fd7a:115c:a1e0:b1a:1:0:a00:1",
            "fd7a:115c:a1e0:b1a:0:7:a9fe:a9fe",
        ] {
            assert_eq!(of(text), None, "{text}");
        }
    }

    #[test]
    fn networks_of_all_other_kinds_are_dialled_as_they_are() {
        for text in [
            "10.0.0.1",
            "192.168.1.1",
            "8.8.8.8",
            "100.63.255.255",
            "100.128.0.0",
            "223.255.255.255",
            "169.254.169.254",
            "2001:4860:4860::8888",
            "fd00::1",
            "64:ff9b::808:808",
            "2002:808:808::1",
        ] {
            assert_eq!(of(text).as_deref(), Some(text));
        }
    }

    #[test]
    fn a_4via6_address_is_dialled_as_the_address_inside() {
        assert_eq!(
            of("fd7a:115c:a1e0:b1a:0:7:a01:203").as_deref(),
            Some("10.1.2.3")
        );
    }
}
