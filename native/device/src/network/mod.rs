//! What networks this machine is on: its addresses, and the way that packets for the world take, one for each family.
//!
//! Each system has a pure reader of what its kernel says (netlink.rs, route_socket.rs, ip_helper.rs), which is tested and
//! fuzzed on every system, and thin glue that asks the kernel.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub mod ip_helper;
pub mod netlink;
pub mod route_socket;

#[cfg(target_os = "macos")]
pub(crate) mod darwin;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod linux;
#[cfg(windows)]
pub(crate) mod windows;

#[cfg(target_os = "macos")]
pub use darwin::current;
#[cfg(any(target_os = "linux", target_os = "android"))]
pub use linux::current;
#[cfg(windows)]
pub use windows::current;

/// Anywhere in the world that nobody has a route of its own for; nothing is sent there.
#[allow(dead_code)]
const FAR4: Ipv4Addr = Ipv4Addr::new(6, 6, 6, 6);
#[allow(dead_code)]
const FAR6: Ipv6Addr = Ipv6Addr::new(0x2600, 0, 0, 0, 0, 0, 0, 1);

/// What kinds of things changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kinds {
    pub links: bool,
    pub addresses: bool,
    pub routes: bool,
}

/// One address of one interface. An interface without an address is not told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    pub interface: String,
    pub ip: IpAddr,
    pub prefix: u8,
    pub loopback: bool,
    /// Switched on, and its cable or radio is connected.
    pub up: bool,
}

/// The way to the world for one family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefaultRoute {
    pub interface: String,
    /// Absent: the world is reached on the link itself, as with point-to-point links.
    pub gateway: Option<IpAddr>,
    /// The address that packets leave with, where the system says it.
    pub source: Option<IpAddr>,
}

/// All of it at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetworkState {
    pub addresses: Vec<Address>,
    pub default4: Option<DefaultRoute>,
    pub default6: Option<DefaultRoute>,
}

/// Whether `current` works on this system.
pub const SUPPORTED: bool = cfg!(any(
    target_os = "linux",
    target_os = "android",
    target_os = "macos",
    windows
));

/// Not available on this system.
#[cfg(not(any(
    target_os = "linux",
    target_os = "android",
    target_os = "macos",
    windows
)))]
pub fn current(_mark: Option<u32>) -> std::io::Result<NetworkState> {
    Err(std::io::Error::from(std::io::ErrorKind::Unsupported))
}
