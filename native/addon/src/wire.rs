//! Sockets that are kept out of the tunnel, for Node to go on with: see device::wire. Whoever gets a descriptor owns it.

use device::wire::Steer;
use napi::Result;
use napi_derive::napi;

use crate::guard::{guard, io, parse_addr};

/// How a socket is kept out of the tunnel: `mark` on Linux, `interface` on macOS.
#[napi(object)]
pub struct WireWay {
    pub mark: Option<u32>,
    pub interface: Option<u32>,
}

impl From<WireWay> for Steer {
    fn from(way: WireWay) -> Steer {
        Steer {
            mark: way.mark,
            interface: way.interface,
        }
    }
}

/// A TCP socket that is not connected. Throws `access-denied` where this user may not steer sockets, `not-supported` elsewhere.
#[napi]
pub fn open_stream_socket(v6: bool, way: WireWay) -> Result<i32> {
    guard(|| give(imp::stream(v6, way.into())))
}

/// A bound UDP socket; port 0 gives any. Throws as above, and `address-in-use`, `io`.
#[napi]
pub fn open_datagram_socket(ip: String, port: u32, way: WireWay) -> Result<i32> {
    guard(|| give(imp::datagram(parse_addr(&ip, port)?, way.into())))
}

/// The same for a socket that lives: its next packet goes the new way. The descriptor stays its owner's.
#[napi]
pub fn steer_socket(fd: i32, way: WireWay) -> Result<()> {
    guard(|| imp::steer(fd, way.into()).map_err(|error| io(&error)))
}

fn give(made: std::io::Result<i32>) -> Result<i32> {
    made.map_err(|error| io(&error))
}

#[cfg(unix)]
mod imp {
    use std::io;
    use std::net::SocketAddr;
    use std::os::fd::IntoRawFd;

    use device::wire::{self, Steer};

    pub fn stream(v6: bool, want: Steer) -> io::Result<i32> {
        Ok(wire::stream(v6, want)?.into_raw_fd())
    }

    pub fn datagram(at: SocketAddr, want: Steer) -> io::Result<i32> {
        Ok(wire::datagram(at, want)?.into_raw_fd())
    }

    pub use wire::steer;
}

#[cfg(not(unix))]
mod imp {
    use std::io;
    use std::net::SocketAddr;

    use device::wire::Steer;

    pub fn stream(_v6: bool, _want: Steer) -> io::Result<i32> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub fn datagram(_at: SocketAddr, _want: Steer) -> io::Result<i32> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub fn steer(_fd: i32, _want: Steer) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
