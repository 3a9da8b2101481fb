//! The tunnel device of this computer. It is gone with this process; addresses, routes and "up" are others' business.
//!
//!   read, write   ten bytes (dataplane/src/vnet.rs), then one packet or, where the system has offloads, up to 64 KiB that are many
//!
//! Linux has TCP offloads both ways and UDP's from 6.2 on. macOS and Windows carry one packet a call behind the same interface, the ten
//! bytes zero: that file passes `cargo check` and was never run.

#[cfg(any(target_os = "linux", target_os = "android"))]
mod linux;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod segments;
#[cfg(any(target_os = "linux", target_os = "android"))]
pub use linux::{Bell, Tun};
#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod one_by_one;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub use one_by_one::{Bell, Tun};

use std::io;

/// Bytes before each packet.
pub const HEADER: usize = 10;
/// Room that a read needs.
pub const READ_BYTES: usize = HEADER + 65_535;

/// What to make.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// At most 15 bytes; with `%d` the system counts.
    pub name: String,
    pub mtu: u16,
}

/// What the device merges and cuts by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offloads {
    pub tcp: bool,
    pub udp: bool,
}

/// Why a device failed, as far as its owner cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Nothing to read now, or no room to write.
    Wait,
    /// The device is there but not up.
    Down,
    /// The packet was refused.
    Refused,
    /// There is no such device any more.
    Gone,
}

/// What an error of reading or writing means.
pub fn trouble(error: &io::Error) -> Trouble {
    #[cfg(unix)]
    match error.raw_os_error() {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        Some(libc::EBADFD) => return Trouble::Gone,
        Some(libc::EBADF | libc::ENODEV | libc::ENXIO) => return Trouble::Gone,
        Some(libc::EIO) => return Trouble::Down,
        Some(libc::ENOBUFS | libc::ENOMEM) => return Trouble::Wait,
        _ => {}
    }
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => Trouble::Wait,
        _ => Trouble::Refused,
    }
}
