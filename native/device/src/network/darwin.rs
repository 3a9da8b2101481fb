//! macOS: getifaddrs, and a route socket for questions and news. Checked by the compiler; never run here.

use std::ffi::CStr;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::thread::JoinHandle;
use std::time::Duration;

use super::{Address, DefaultRoute, FAR4, FAR6, Kinds, NetworkState, route_socket};
use crate::links::Changed;

const ANSWER_BYTES: usize = 2048;
const PATIENCE: libc::timeval = libc::timeval {
    tv_sec: 1,
    tv_usec: 0,
};
/// Messages of others that may come before our answer.
const OTHERS: usize = 64;
const SETTLE: Duration = Duration::from_millis(20);

/// What this machine's networks are just now.
pub fn current(_mark: Option<u32>) -> io::Result<NetworkState> {
    let addresses = addresses()?;
    let route = |far: IpAddr| -> io::Result<Option<DefaultRoute>> {
        let Some(way) = ask(far)? else {
            return Ok(None);
        };
        let interface = way.name.or_else(|| name_of(way.index));
        Ok(interface.map(|interface| DefaultRoute {
            interface,
            gateway: way.gateway,
            source: way.source,
        }))
    };
    Ok(NetworkState {
        default4: route(FAR4.into())?,
        default6: route(FAR6.into())?,
        addresses,
    })
}

fn addresses() -> io::Result<Vec<Address>> {
    let mut list: *mut libc::ifaddrs = std::ptr::null_mut();
    // SAFETY: the list is freed below; the result is checked.
    if unsafe { libc::getifaddrs(&raw mut list) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let mut out = Vec::new();
    let mut at = list;
    while !at.is_null() {
        // SAFETY: an entry of the list, alive until it is freed.
        let entry = unsafe { &*at };
        at = entry.ifa_next;
        let up = (libc::IFF_UP | libc::IFF_RUNNING) as u32;
        // SAFETY: pointers of a live entry.
        let (ip, mask) = unsafe { (ip_of(entry.ifa_addr), ip_of(entry.ifa_netmask)) };
        if let Some(ip) = ip {
            out.push(Address {
                // SAFETY: a name with its terminating zero.
                interface: unsafe { CStr::from_ptr(entry.ifa_name) }
                    .to_string_lossy()
                    .into_owned(),
                ip,
                prefix: mask.map_or(0, ones),
                loopback: entry.ifa_flags & libc::IFF_LOOPBACK as u32 != 0,
                up: entry.ifa_flags & up == up,
            });
        }
    }
    // SAFETY: made by getifaddrs, not used any more.
    unsafe { libc::freeifaddrs(list) };
    Ok(out)
}

/// # Safety
/// Null, or a whole socket address of the family that it names.
unsafe fn ip_of(addr: *const libc::sockaddr) -> Option<IpAddr> {
    if addr.is_null() {
        return None;
    }
    // SAFETY: by the contract; the family says which structure it is.
    unsafe {
        match i32::from((*addr).sa_family) {
            libc::AF_INET => {
                let four = &*addr.cast::<libc::sockaddr_in>();
                Some(Ipv4Addr::from(u32::from_be(four.sin_addr.s_addr)).into())
            }
            libc::AF_INET6 => {
                let six = &*addr.cast::<libc::sockaddr_in6>();
                Some(Ipv6Addr::from(six.sin6_addr.s6_addr).into())
            }
            _ => None,
        }
    }
}

fn ones(mask: IpAddr) -> u8 {
    match mask {
        IpAddr::V4(ip) => u32::from(ip).leading_ones() as u8,
        IpAddr::V6(ip) => u128::from(ip).leading_ones() as u8,
    }
}

fn name_of(index: u16) -> Option<String> {
    let mut name = [0; libc::IF_NAMESIZE];
    // SAFETY: room for a name of the greatest size.
    let found = unsafe { libc::if_indextoname(u32::from(index), name.as_mut_ptr()) };
    // SAFETY: not null: a name with its terminating zero.
    (!found.is_null()).then(|| {
        unsafe { CStr::from_ptr(found) }
            .to_string_lossy()
            .into_owned()
    })
}

fn route_socket() -> io::Result<OwnedFd> {
    // SAFETY: a plain system call; the result is checked.
    let fd = unsafe { libc::socket(libc::PF_ROUTE, libc::SOCK_RAW, 0) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: new and nobody else's.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    // SAFETY: a live descriptor.
    unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) };
    Ok(socket)
}

fn ask(far: IpAddr) -> io::Result<Option<route_socket::Way>> {
    let socket = route_socket()?;
    let fd = socket.as_raw_fd();
    let size = std::mem::size_of::<libc::timeval>() as libc::socklen_t;
    let patience = PATIENCE;
    let patience = (&raw const patience).cast();
    // SAFETY: a live descriptor and a pointer to one timeval with its size.
    unsafe { libc::setsockopt(fd, libc::SOL_SOCKET, libc::SO_RCVTIMEO, patience, size) };
    let sequence = std::process::id();
    let question = route_socket::question(far, sequence);
    // SAFETY: the question is readable for its whole length.
    if unsafe { libc::write(fd, question.as_ptr().cast(), question.len()) } < 0 {
        // No such route.
        return Ok(None);
    }
    let mut answer = vec![0u8; ANSWER_BYTES];
    for _ in 0..OTHERS {
        let got = read(&socket, &mut answer)?;
        if let Some(way) = route_socket::read_way(got, sequence) {
            return Ok(Some(way));
        }
    }
    Ok(None)
}

fn read<'a>(socket: &OwnedFd, buffer: &'a mut [u8]) -> io::Result<&'a [u8]> {
    let (bytes, size) = (buffer.as_mut_ptr().cast(), buffer.len());
    // SAFETY: the buffer is writable for its whole length.
    let got = unsafe { libc::read(socket.as_raw_fd(), bytes, size) };
    if got < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(&buffer[..got as usize])
}

/// Watches until dropped. Sleep is not told: the app and the engine's timers see it.
pub struct LinkMonitor {
    wake: Option<OwnedFd>,
    thread: Option<JoinHandle<()>>,
}

impl LinkMonitor {
    pub fn start(mut tell: impl FnMut(Changed) + Send + 'static) -> io::Result<LinkMonitor> {
        let socket = route_socket()?;
        let mut ends = [0; 2];
        // SAFETY: room for two descriptors.
        if unsafe { libc::pipe(ends.as_mut_ptr()) } != 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: both are new and nobody else's.
        let [stop, wake] = ends.map(|fd| unsafe { OwnedFd::from_raw_fd(fd) });
        let thread = std::thread::Builder::new()
            .name("bowline-links".into())
            .spawn(move || {
                let run = std::panic::AssertUnwindSafe(|| watch(&socket, &stop, &mut tell));
                let _ = std::panic::catch_unwind(run);
            })?;
        Ok(LinkMonitor {
            wake: Some(wake),
            thread: Some(thread),
        })
    }
}

impl Drop for LinkMonitor {
    fn drop(&mut self) {
        // Its other end becomes readable.
        self.wake = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn poll(polls: &mut [libc::pollfd; 2], timeout_ms: i32) {
    // SAFETY: two valid pollfds of descriptors that outlive the call.
    unsafe { libc::poll(polls.as_mut_ptr(), 2, timeout_ms) };
}

fn watch(socket: &OwnedFd, stop: &OwnedFd, tell: &mut dyn FnMut(Changed)) {
    let mut buffer = vec![0u8; ANSWER_BYTES];
    loop {
        let mut polls = [socket, stop].map(|fd| libc::pollfd {
            fd: fd.as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        });
        poll(&mut polls, -1);
        std::thread::sleep(SETTLE);
        let mut network = Kinds::default();
        loop {
            polls.iter_mut().for_each(|one| one.revents = 0);
            poll(&mut polls, 0);
            if polls[1].revents != 0 {
                return;
            }
            if polls[0].revents == 0 {
                break;
            }
            let Ok(got) = read(socket, &mut buffer) else {
                break;
            };
            route_socket::note_kinds(got, &mut network);
        }
        if network != Kinds::default() {
            tell(Changed {
                network,
                slept: false,
            });
        }
    }
}
