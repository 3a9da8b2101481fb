//! Makes the pair of UDP sockets: one port for both families, large buffers, marks, fragments allowed or not.
//!
//! A port that is taken, in either family, gives another one: peers learn ports, they do not expect them.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use mio::net::UdpSocket;
use quinn_udp::{UdpSockRef, UdpSocketState};
use socket2::{Domain, Protocol, Socket, Type};

/// What the kernel may hold for us; it often gives less.
const BUFFER_BYTES: usize = 7 << 20;
const BIND_TRIES: usize = 16;

/// How sockets are made.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// 127.0.0.1 and ::1 only.
    pub loopback_only: bool,
    /// Set the don't-fragment bit. Off: a network with a small MTU splits packets, which is slow but works.
    pub dont_fragment: bool,
    /// SO_MARK on Linux, so that routing rules can tell our packets from tunnelled ones.
    pub mark: Option<u32>,
}

/// A bound, non-blocking socket with what quinn-udp found out about it.
pub struct Bound {
    pub socket: UdpSocket,
    pub state: UdpSocketState,
}

/// IPv4 and IPv6 on one port, the first of `ports` that is free, else any; either family may be missing, not both.
pub fn bind_pair(ports: &[u16], options: &Options) -> io::Result<(Option<Bound>, Option<Bound>)> {
    let any = std::iter::repeat_n(0, BIND_TRIES);
    let mut last = io::Error::from(io::ErrorKind::AddrInUse);
    for port in ports.iter().copied().chain(any) {
        match bind_both(port, options) {
            Err(error) if is_taken(&error) => last = error,
            other => return other,
        }
    }
    Err(last)
}

fn bind_both(port: u16, options: &Options) -> io::Result<(Option<Bound>, Option<Bound>)> {
    let (any4, any6) = if options.loopback_only {
        (Ipv4Addr::LOCALHOST, Ipv6Addr::LOCALHOST)
    } else {
        (Ipv4Addr::UNSPECIFIED, Ipv6Addr::UNSPECIFIED)
    };
    let v4 = bind_one(SocketAddr::new(IpAddr::V4(any4), port), options);
    if let Err(error) = &v4
        && is_taken(error)
    {
        return v4.map(|_| (None, None));
    }
    let port = match &v4 {
        Ok(bound) => bound.socket.local_addr()?.port(),
        Err(_) => port,
    };
    match (
        v4,
        bind_one(SocketAddr::new(IpAddr::V6(any6), port), options),
    ) {
        (Ok(v4), Ok(v6)) => Ok((Some(v4), Some(v6))),
        (_, Err(error)) if is_taken(&error) => Err(error),
        // A machine without that family.
        (Ok(v4), Err(_)) => Ok((Some(v4), None)),
        (Err(_), Ok(v6)) => Ok((None, Some(v6))),
        (Err(error), Err(_)) => Err(error),
    }
}

/// Whether another port may do; some systems keep ports for themselves.
fn is_taken(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied
    )
}

fn bind_one(addr: SocketAddr, options: &Options) -> io::Result<Bound> {
    let socket = Socket::new(Domain::for_address(addr), Type::DGRAM, Some(Protocol::UDP))?;
    if addr.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    enlarge(&socket);
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if let Some(mark) = options.mark {
        socket.set_mark(mark)?;
    }
    socket.bind(&addr.into())?;
    let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
    if !options.dont_fragment {
        allow_fragments(&socket, addr.is_ipv6());
    }
    Ok(Bound {
        socket: UdpSocket::from_std(socket.into()),
        state,
    })
}

impl Bound {
    /// SO_MARK from here on; 0 = none.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub fn set_mark(&self, mark: u32) -> io::Result<()> {
        socket2::SockRef::from(&self.socket).set_mark(mark)
    }

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    pub fn set_mark(&self, mark: u32) -> io::Result<()> {
        match mark {
            0 => Ok(()),
            _ => Err(io::ErrorKind::Unsupported.into()),
        }
    }
}

/// Buffers as large as the system gives; root may go beyond its limit.
fn enlarge(socket: &Socket) {
    let _ = socket.set_recv_buffer_size(BUFFER_BYTES);
    let _ = socket.set_send_buffer_size(BUFFER_BYTES);
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if socket
        .recv_buffer_size()
        .is_ok_and(|size| size < BUFFER_BYTES)
    {
        set_int(
            socket,
            libc::SOL_SOCKET,
            libc::SO_RCVBUFFORCE,
            BUFFER_BYTES as libc::c_int,
        );
        set_int(
            socket,
            libc::SOL_SOCKET,
            libc::SO_SNDBUFFORCE,
            BUFFER_BYTES as libc::c_int,
        );
    }
}

/// quinn-udp sets the don't-fragment bit; this takes it back.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn allow_fragments(socket: &Socket, v6: bool) {
    if v6 {
        set_int(
            socket,
            libc::IPPROTO_IPV6,
            libc::IPV6_MTU_DISCOVER,
            libc::IPV6_PMTUDISC_DONT,
        );
        set_int(socket, libc::IPPROTO_IPV6, libc::IPV6_DONTFRAG, 0);
    } else {
        set_int(
            socket,
            libc::IPPROTO_IP,
            libc::IP_MTU_DISCOVER,
            libc::IP_PMTUDISC_DONT,
        );
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn allow_fragments(_socket: &Socket, _v6: bool) {}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn set_int(socket: &Socket, level: libc::c_int, name: libc::c_int, value: libc::c_int) {
    use std::os::fd::AsRawFd;
    let size = std::mem::size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: a live descriptor and a pointer to one int with its size. A refusal leaves the option as it was.
    unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            name,
            (&raw const value).cast(),
            size,
        )
    };
}
