//! Tells when links, addresses or routes of this machine change. Linux: a netlink socket on its own thread, changes within
//! 50 ms told once. Other systems: not supported here; the engine looks at its interfaces from time to time instead.

use std::io;

/// What changed since the last call; several at once are common.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changed {
    pub links: bool,
    pub addresses: bool,
    pub routes: bool,
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod imp {
    use super::Changed;
    use std::io;
    use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread::JoinHandle;
    use std::time::Duration;

    /// Messages that come close together are one change.
    const SETTLE: Duration = Duration::from_millis(50);
    const GROUPS: u32 = (libc::RTMGRP_LINK
        | libc::RTMGRP_IPV4_IFADDR
        | libc::RTMGRP_IPV4_ROUTE
        | libc::RTMGRP_IPV6_IFADDR
        | libc::RTMGRP_IPV6_ROUTE) as u32;

    /// Watches until dropped.
    pub struct LinkMonitor {
        stop: Arc<AtomicBool>,
        wake: OwnedFd,
        thread: Option<JoinHandle<()>>,
    }

    impl LinkMonitor {
        pub fn start(mut tell: impl FnMut(Changed) + Send + 'static) -> io::Result<LinkMonitor> {
            let socket = netlink()?;
            // SAFETY: eventfd makes a new descriptor, owned from here on.
            let wake = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
            if wake < 0 {
                return Err(io::Error::last_os_error());
            }
            // SAFETY: the descriptor is new and nobody else's.
            let wake = unsafe { OwnedFd::from_raw_fd(wake) };
            let stop = Arc::new(AtomicBool::new(false));
            let (stopped, waker) = (Arc::clone(&stop), wake.try_clone()?);
            let thread = std::thread::Builder::new()
                .name("bowline-links".into())
                .spawn(move || {
                    let run = std::panic::AssertUnwindSafe(|| {
                        watch(&socket, &waker, &stopped, &mut tell)
                    });
                    let _ = std::panic::catch_unwind(run);
                })?;
            Ok(LinkMonitor {
                stop,
                wake,
                thread: Some(thread),
            })
        }
    }

    impl Drop for LinkMonitor {
        fn drop(&mut self) {
            self.stop.store(true, Ordering::Release);
            let one = 1u64.to_ne_bytes();
            // SAFETY: eight readable bytes, as an eventfd wants.
            unsafe { libc::write(self.wake.as_raw_fd(), one.as_ptr().cast(), one.len()) };
            if let Some(thread) = self.thread.take() {
                let _ = thread.join();
            }
        }
    }

    fn netlink() -> io::Result<OwnedFd> {
        let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
        // SAFETY: a plain system call; the result is checked.
        let fd = unsafe { libc::socket(libc::AF_NETLINK, kind, libc::NETLINK_ROUTE) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: new and nobody else's.
        let socket = unsafe { OwnedFd::from_raw_fd(fd) };
        // SAFETY: all-zero is a valid sockaddr_nl.
        let mut addr: libc::sockaddr_nl = unsafe { std::mem::zeroed() };
        addr.nl_family = libc::AF_NETLINK as u16;
        addr.nl_groups = GROUPS;
        let size = std::mem::size_of::<libc::sockaddr_nl>() as libc::socklen_t;
        // SAFETY: the address is a whole sockaddr_nl of that size.
        if unsafe { libc::bind(fd, (&raw const addr).cast(), size) } != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(socket)
    }

    fn watch(socket: &OwnedFd, wake: &OwnedFd, stop: &AtomicBool, tell: &mut dyn FnMut(Changed)) {
        let mut buffer = vec![0u8; 65_536];
        loop {
            let mut polls = [socket, wake].map(|fd| libc::pollfd {
                fd: fd.as_raw_fd(),
                events: libc::POLLIN,
                revents: 0,
            });
            // SAFETY: two valid pollfds of descriptors that outlive the call.
            unsafe { libc::poll(polls.as_mut_ptr(), 2, -1) };
            if stop.load(Ordering::Acquire) {
                return;
            }
            std::thread::sleep(SETTLE);
            let mut changed = Changed::default();
            while read(socket, &mut buffer, &mut changed) {}
            if stop.load(Ordering::Acquire) {
                return;
            }
            if changed != Changed::default() {
                tell(changed);
            }
        }
    }

    /// Reads one batch of messages into `changed`; false when there are no more.
    fn read(socket: &OwnedFd, buffer: &mut [u8], changed: &mut Changed) -> bool {
        // SAFETY: the buffer is writable for its whole length.
        let got = unsafe {
            libc::recv(
                socket.as_raw_fd(),
                buffer.as_mut_ptr().cast(),
                buffer.len(),
                0,
            )
        };
        if got < 0 {
            // The kernel had more than the socket could hold: anything may have changed.
            let lost = io::Error::last_os_error().raw_os_error() == Some(libc::ENOBUFS);
            if lost {
                *changed = Changed {
                    links: true,
                    addresses: true,
                    routes: true,
                };
            }
            return lost;
        }
        super::note_messages(&buffer[..got as usize], changed);
        got > 0
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod imp {
    use super::Changed;
    use std::io;

    /// Not available on this system.
    pub struct LinkMonitor;

    impl LinkMonitor {
        pub fn start(_tell: impl FnMut(Changed) + Send + 'static) -> io::Result<LinkMonitor> {
            Err(io::Error::from(io::ErrorKind::Unsupported))
        }
    }
}

pub use imp::LinkMonitor;

/// Whether `LinkMonitor` works on this system.
pub const SUPPORTED: bool = cfg!(any(target_os = "linux", target_os = "android"));

/// Kinds of the netlink messages in `bytes`: header of 16 B (length u32, type u16, …) native-endian, padded to 4.
#[cfg_attr(not(any(target_os = "linux", target_os = "android")), allow(dead_code))]
fn note_messages(mut bytes: &[u8], changed: &mut Changed) {
    while bytes.len() >= 16 {
        let length = u32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize;
        match u16::from_ne_bytes([bytes[4], bytes[5]]) {
            16 | 17 => changed.links = true,
            20 | 21 => changed.addresses = true,
            24 | 25 => changed.routes = true,
            _ => {}
        }
        if length < 16 {
            return;
        }
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
}

/// Whether a failure to start means that the system has no such events.
pub fn is_unsupported(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::Unsupported
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn netlink_messages_are_told_apart_and_lying_lengths_end_the_batch() {
        let message = |kind: u16, length: u32, size: usize| {
            let mut out = length.to_ne_bytes().to_vec();
            out.extend_from_slice(&kind.to_ne_bytes());
            out.resize(size, 0);
            out
        };
        let mut changed = Changed::default();
        note_messages(
            &[message(16, 18, 20), message(24, 16, 16)].concat(),
            &mut changed,
        );
        assert_eq!(
            changed,
            Changed {
                links: true,
                addresses: false,
                routes: true
            }
        );
        let mut changed = Changed::default();
        note_messages(
            &[message(1, 3, 16), message(20, 16, 16)].concat(),
            &mut changed,
        );
        assert_eq!(changed, Changed::default());
        note_messages(&message(20, u32::MAX, 16), &mut changed);
        assert!(changed.addresses);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_monitor_starts_and_ends() {
        let monitor = LinkMonitor::start(|_| {}).unwrap();
        drop(monitor);
    }
}
