//! Tells when links, addresses or routes of this machine change, and when it woke up. Linux: a netlink socket and a timer that
//! the kernel cancels at every jump of the clock, on a thread of their own; changes within 20 ms are told once.

use std::io;
use std::time::Duration;

use crate::network::Kinds;

/// What happened since the last call; several at once are common.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changed {
    pub network: Kinds,
    /// The machine was asleep.
    pub slept: bool,
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod imp {
    use super::Changed;
    use crate::network::Kinds;
    use std::io;
    use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread::JoinHandle;
    use std::time::Duration;

    /// Messages that come close together are one change.
    const SETTLE: Duration = Duration::from_millis(20);
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
            // Without it the engine sees sleep by its own timers, later.
            let jumps = jump_timer().ok();
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
                        watch(&socket, jumps.as_ref(), &waker, &stopped, &mut tell)
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

    fn watch(
        socket: &OwnedFd,
        jumps: Option<&OwnedFd>,
        wake: &OwnedFd,
        stop: &AtomicBool,
        tell: &mut dyn FnMut(Changed),
    ) {
        let mut buffer = vec![0u8; 65_536];
        let mut asleep = time_asleep();
        loop {
            let mut polls = [Some(socket), Some(wake), jumps].map(|fd| libc::pollfd {
                fd: fd.map_or(-1, AsRawFd::as_raw_fd),
                events: libc::POLLIN,
                revents: 0,
            });
            // SAFETY: three valid pollfds of descriptors that outlive the call; a negative one is passed over.
            unsafe { libc::poll(polls.as_mut_ptr(), 3, -1) };
            if stop.load(Ordering::Acquire) {
                return;
            }
            let mut changed = Changed::default();
            if let Some(jumps) = jumps.filter(|_| polls[2].revents != 0) {
                arm(jumps);
                let now = time_asleep();
                changed.slept = super::is_sleep(asleep, now);
                asleep = now;
            }
            if polls[0].revents != 0 {
                std::thread::sleep(SETTLE);
                while read(socket, &mut buffer, &mut changed.network) {}
            }
            if stop.load(Ordering::Acquire) {
                return;
            }
            if changed != Changed::default() {
                tell(changed);
            }
        }
    }

    /// A timer that never fires by itself: the kernel cancels it whenever the wall clock jumps, waking from sleep included.
    fn jump_timer() -> io::Result<OwnedFd> {
        let flags = libc::TFD_CLOEXEC | libc::TFD_NONBLOCK;
        // SAFETY: a plain system call; the result is checked.
        let fd = unsafe { libc::timerfd_create(libc::CLOCK_REALTIME, flags) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: new and nobody else's.
        let timer = unsafe { OwnedFd::from_raw_fd(fd) };
        if arm(&timer) {
            Ok(timer)
        } else {
            Err(io::Error::last_os_error())
        }
    }

    /// Sets the timer for the end of time, and takes its news.
    fn arm(timer: &OwnedFd) -> bool {
        // SAFETY: all-zero is a valid itimerspec.
        let mut at: libc::itimerspec = unsafe { std::mem::zeroed() };
        at.it_value.tv_sec = libc::time_t::MAX;
        let flags = libc::TFD_TIMER_ABSTIME | libc::TFD_TIMER_CANCEL_ON_SET;
        let mut count = [0u8; 8];
        // SAFETY: a live descriptor, eight writable bytes, a whole itimerspec; no old value is asked for.
        unsafe {
            libc::read(timer.as_raw_fd(), count.as_mut_ptr().cast(), count.len());
            libc::timerfd_settime(
                timer.as_raw_fd(),
                flags,
                &raw const at,
                std::ptr::null_mut(),
            ) == 0
        }
    }

    /// How long this machine has slept since it was started.
    fn time_asleep() -> Duration {
        let all = clock(libc::CLOCK_BOOTTIME);
        all.saturating_sub(clock(libc::CLOCK_MONOTONIC))
    }

    fn clock(id: libc::clockid_t) -> Duration {
        let mut time = libc::timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        // SAFETY: one writable timespec. Both clocks exist since Linux 2.6.39; a failure leaves zero.
        unsafe { libc::clock_gettime(id, &raw mut time) };
        Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
    }

    /// Reads one batch of messages into `changed`; false when there are no more.
    fn read(socket: &OwnedFd, buffer: &mut [u8], kinds: &mut Kinds) -> bool {
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
                *kinds = Kinds {
                    links: true,
                    addresses: true,
                    routes: true,
                };
            }
            return lost;
        }
        crate::network::netlink::note_kinds(&buffer[..got as usize], kinds);
        got > 0
    }
}

#[cfg(target_os = "macos")]
use crate::network::darwin as imp;
#[cfg(windows)]
use crate::network::windows as imp;

#[cfg(not(any(
    target_os = "linux",
    target_os = "android",
    target_os = "macos",
    windows
)))]
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
pub const SUPPORTED: bool = crate::network::SUPPORTED;

/// Whether the time asleep grew by more than what two clocks differ by when they are read one after the other.
#[cfg_attr(not(any(target_os = "linux", target_os = "android")), allow(dead_code))]
fn is_sleep(before: Duration, after: Duration) -> bool {
    after.saturating_sub(before) >= Duration::from_secs(1)
}

/// Whether a failure to start means that the system has no such events.
pub fn is_unsupported(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::Unsupported
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_asleep_that_grew_is_sleep_and_a_clock_that_was_set_is_not() {
        let hours = |n: u64| Duration::from_secs(3600 * n);
        assert!(is_sleep(hours(2), hours(3)));
        assert!(!is_sleep(hours(2), hours(2) + Duration::from_millis(1)));
        assert!(!is_sleep(hours(2), hours(1)));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_monitor_starts_and_ends() {
        let monitor = LinkMonitor::start(|_| {}).unwrap();
        drop(monitor);
    }
}
