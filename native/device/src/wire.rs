//! Sockets for the engine's own connections while the whole computer is on the tunnel: made here, since Node can say nothing of a
//! socket before it connects, and handed to Node, which does the rest.
//!
//! What keeps them out of the tunnel: on Linux a mark, which routing rules look at for every packet; on macOS the interface that
//! they are bound to (never run here). Elsewhere Node takes no descriptors, so there are none.

/// How a socket is kept out of the tunnel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Steer {
    /// SO_MARK; 0 is none. Linux alone.
    pub mark: Option<u32>,
    /// The number of an interface; 0 is none. macOS alone.
    pub interface: Option<u32>,
}

#[cfg(unix)]
pub use unix::{datagram, steer, steer_socket, stream};

#[cfg(unix)]
mod unix {
    use super::Steer;
    use socket2::{Domain, Protocol, SockRef, Socket, Type};
    use std::io;
    use std::net::SocketAddr;
    use std::os::fd::{BorrowedFd, OwnedFd, RawFd};

    /// A TCP socket that is not connected. `PermissionDenied` where this user may set no mark.
    pub fn stream(v6: bool, want: Steer) -> io::Result<OwnedFd> {
        let domain = if v6 { Domain::IPV6 } else { Domain::IPV4 };
        let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        steer_socket(&socket, v6, want)?;
        Ok(socket.into())
    }

    /// A UDP socket, bound; port 0 gives any.
    pub fn datagram(at: SocketAddr, want: Steer) -> io::Result<OwnedFd> {
        let socket = Socket::new(Domain::for_address(at), Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_nonblocking(true)?;
        steer_socket(&socket, at.is_ipv6(), want)?;
        socket.bind(&at.into())?;
        Ok(socket.into())
    }

    /// The same for a socket that lives already: its next packet goes the new way.
    pub fn steer(fd: RawFd, want: Steer) -> io::Result<()> {
        if fd < 0 {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        // SAFETY: borrowed for this call alone; a number that is nobody's makes the system calls fail.
        let borrowed = unsafe { BorrowedFd::borrow_raw(fd) };
        let socket = SockRef::from(&borrowed);
        let v6 = socket.local_addr()?.is_ipv6();
        steer_socket(&socket, v6, want)
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub fn steer_socket(socket: &Socket, _v6: bool, want: Steer) -> io::Result<()> {
        if want.interface.is_some() {
            return Err(io::ErrorKind::Unsupported.into());
        }
        want.mark.map_or(Ok(()), |mark| socket.set_mark(mark))
    }

    #[cfg(any(target_os = "macos", target_os = "ios"))]
    pub fn steer_socket(socket: &Socket, v6: bool, want: Steer) -> io::Result<()> {
        if want.mark.is_some() {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let Some(index) = want.interface else {
            return Ok(());
        };
        let index = std::num::NonZeroU32::new(index);
        if v6 {
            socket.bind_device_by_index_v6(index)
        } else {
            socket.bind_device_by_index_v4(index)
        }
    }

    #[cfg(not(any(
        target_os = "linux",
        target_os = "android",
        target_os = "macos",
        target_os = "ios"
    )))]
    pub fn steer_socket(_socket: &Socket, _v6: bool, want: Steer) -> io::Result<()> {
        if want == Steer::default() {
            Ok(())
        } else {
            Err(io::ErrorKind::Unsupported.into())
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
    use std::os::fd::AsRawFd;

    #[test]
    fn a_datagram_socket_is_bound_and_carries() {
        for ip in [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()] {
            let Ok(fd) = datagram(SocketAddr::new(ip, 0), Steer::default()) else {
                continue;
            };
            let socket = UdpSocket::from(fd);
            assert_ne!(socket.local_addr().unwrap().port(), 0);
            assert_eq!(socket.local_addr().unwrap().ip(), ip);
        }
    }

    #[test]
    fn an_address_that_is_not_ours_is_an_error() {
        let theirs = SocketAddr::from(([192, 0, 2, 1], 0));
        assert!(datagram(theirs, Steer::default()).is_err());
    }

    #[test]
    fn what_is_no_socket_is_not_steered() {
        assert!(steer(-1, Steer::default()).is_err());
        assert!(steer(9_999, Steer::default()).is_err());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_mark_is_on_the_socket_where_this_user_may() {
        let want = Steer {
            mark: Some(0x8_0000),
            interface: None,
        };
        match stream(false, want) {
            Ok(fd) => {
                let socket = socket2::SockRef::from(&fd);
                assert_eq!(socket.mark().unwrap(), 0x8_0000);
                let none = Steer {
                    mark: Some(0),
                    interface: None,
                };
                steer(fd.as_raw_fd(), none).unwrap();
                assert_eq!(socket.mark().unwrap(), 0);
            }
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied),
        }
    }
}
