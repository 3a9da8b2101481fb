//! Who is at the other end of a local (Unix) socket: process, user and group as the kernel recorded them at connect.

/// The other end of a connected local socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// 0 where the system does not tell.
    pub pid: u32,
    pub uid: u32,
    pub gid: u32,
}

/// Credentials of the peer of the socket `fd`, or None when it is no connected local socket or the system has no such call.
/// The descriptor is only read.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub fn peer_credentials(fd: i32) -> Option<Credentials> {
    let mut cred = libc::ucred {
        pid: 0,
        uid: 0,
        gid: 0,
    };
    let mut size = std::mem::size_of::<libc::ucred>() as libc::socklen_t;
    // SAFETY: the pointers are to a ucred and its size; any descriptor number is a valid argument.
    let result = unsafe {
        libc::getsockopt(
            fd,
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut cred).cast(),
            &raw mut size,
        )
    };
    // An unconnected or other kind of socket answers with pid 0 and the ids of nobody.
    if result != 0 || size as usize != std::mem::size_of::<libc::ucred>() || cred.pid <= 0 {
        return None;
    }
    Some(Credentials {
        pid: cred.pid as u32,
        uid: cred.uid,
        gid: cred.gid,
    })
}

#[cfg(any(target_os = "macos", target_os = "freebsd"))]
pub fn peer_credentials(fd: i32) -> Option<Credentials> {
    let (mut uid, mut gid) = (0, 0);
    // SAFETY: two valid pointers; any descriptor number is a valid argument.
    let result = unsafe { libc::getpeereid(fd, &raw mut uid, &raw mut gid) };
    (result == 0).then_some(Credentials { pid: 0, uid, gid })
}

#[cfg(not(any(
    target_os = "linux",
    target_os = "android",
    target_os = "macos",
    target_os = "freebsd"
)))]
pub fn peer_credentials(_fd: i32) -> Option<Credentials> {
    None
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::fd::AsRawFd;

    #[test]
    fn a_local_socket_tells_who_is_there_and_others_do_not() {
        let (a, _b) = std::os::unix::net::UnixStream::pair().unwrap();
        let cred = peer_credentials(a.as_raw_fd()).unwrap();
        // SAFETY: getuid has no preconditions.
        assert_eq!(cred.uid, unsafe { libc::getuid() });
        #[cfg(target_os = "linux")]
        assert_eq!(cred.pid, std::process::id());
        let udp = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        assert_eq!(peer_credentials(udp.as_raw_fd()), None);
        assert_eq!(peer_credentials(-1), None);
    }
}
