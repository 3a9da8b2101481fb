//! Tells when somebody changes what steers packets here: links and addresses, routing rules, routes of one table, tables of the
//! firewall. Linux alone: two netlink sockets on a thread of their own; changes within 20 ms are told once.
//!
//! ```text
//! NETLINK_ROUTE       links, addresses, routes and rules of both families
//! NETLINK_NETFILTER   NFNLGRP_NFTABLES: whatever is committed to nf_tables; needs CAP_NET_ADMIN
//! ```
//! Source: Linux include/uapi/linux/{rtnetlink,netfilter/nfnetlink}.h.

/// What changed since the last call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct News {
    pub links: bool,
    pub rules: bool,
    pub routes: bool,
    pub firewall: bool,
}

#[cfg(target_os = "linux")]
mod imp {
    use super::News;
    use crate::network::netlink::each_message;
    use std::io;
    use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread::JoinHandle;
    use std::time::Duration;

    const SETTLE: Duration = Duration::from_millis(20);
    /// Groups as bits: links, IPv4 and IPv6 addresses and routes, IPv4 rules (8), IPv6 rules (19).
    const ROUTE_GROUPS: u32 = (libc::RTMGRP_LINK
        | libc::RTMGRP_IPV4_IFADDR
        | libc::RTMGRP_IPV4_ROUTE
        | libc::RTMGRP_IPV6_IFADDR
        | libc::RTMGRP_IPV6_ROUTE) as u32
        | 1 << 7
        | 1 << 18;
    /// Group 7 of netfilter.
    const NFTABLES_GROUP: u32 = 1 << 6;
    const LINKS_AND_ADDRESSES: [u16; 4] = [16, 17, 20, 21];
    const ROUTES: [u16; 2] = [24, 25];
    const RULES: [u16; 2] = [32, 33];
    /// Where a route's message has its table.
    const TABLE_AT: usize = 4;

    /// Watches until dropped.
    pub struct PolicyMonitor {
        stop: Arc<AtomicBool>,
        wake: OwnedFd,
        thread: Option<JoinHandle<()>>,
    }

    impl PolicyMonitor {
        /// `table`: the one whose routes are of interest. Without the right to hear of the firewall the rest is told.
        pub fn start(
            table: u8,
            mut tell: impl FnMut(News) + Send + 'static,
        ) -> io::Result<PolicyMonitor> {
            let routes = netlink(libc::NETLINK_ROUTE, ROUTE_GROUPS)?;
            let firewall = netlink(libc::NETLINK_NETFILTER, NFTABLES_GROUP).ok();
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
                .name("bowline-policy".into())
                .spawn(move || {
                    let run = std::panic::AssertUnwindSafe(|| {
                        watch(
                            &routes,
                            firewall.as_ref(),
                            &waker,
                            &stopped,
                            |bytes, news| {
                                note(bytes, table, news);
                            },
                            &mut tell,
                        );
                    });
                    let _ = std::panic::catch_unwind(run);
                })?;
            Ok(PolicyMonitor {
                stop,
                wake,
                thread: Some(thread),
            })
        }
    }

    impl Drop for PolicyMonitor {
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

    fn netlink(protocol: i32, groups: u32) -> io::Result<OwnedFd> {
        let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
        // SAFETY: a plain system call; the result is checked.
        let fd = unsafe { libc::socket(libc::AF_NETLINK, kind, protocol) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: new and nobody else's.
        let socket = unsafe { OwnedFd::from_raw_fd(fd) };
        // SAFETY: all-zero is a valid sockaddr_nl.
        let mut addr: libc::sockaddr_nl = unsafe { std::mem::zeroed() };
        addr.nl_family = libc::AF_NETLINK as u16;
        addr.nl_groups = groups;
        let size = std::mem::size_of::<libc::sockaddr_nl>() as libc::socklen_t;
        // SAFETY: the address is a whole sockaddr_nl of that size.
        if unsafe { libc::bind(fd, (&raw const addr).cast(), size) } != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(socket)
    }

    fn watch(
        routes: &OwnedFd,
        firewall: Option<&OwnedFd>,
        wake: &OwnedFd,
        stop: &AtomicBool,
        note: impl Fn(&[u8], &mut News),
        tell: &mut dyn FnMut(News),
    ) {
        let mut buffer = vec![0u8; 65_536];
        loop {
            let mut polls = [Some(routes), Some(wake), firewall].map(|fd| libc::pollfd {
                fd: fd.map_or(-1, AsRawFd::as_raw_fd),
                events: libc::POLLIN,
                revents: 0,
            });
            // SAFETY: three valid pollfds of descriptors that outlive the call; a negative one is passed over.
            unsafe { libc::poll(polls.as_mut_ptr(), 3, -1) };
            if stop.load(Ordering::Acquire) {
                return;
            }
            std::thread::sleep(SETTLE);
            let mut news = News::default();
            while let Some(bytes) = read(routes, &mut buffer) {
                match bytes {
                    // The kernel had more than the socket could hold.
                    [] => {
                        (news.links, news.rules, news.routes) = (true, true, true);
                    }
                    bytes => note(bytes, &mut news),
                }
            }
            while let Some(socket) = firewall {
                if read(socket, &mut buffer).is_none() {
                    break;
                }
                news.firewall = true;
            }
            if stop.load(Ordering::Acquire) {
                return;
            }
            if news != News::default() {
                tell(news);
            }
        }
    }

    /// One batch of messages; empty: some were lost. None: no more.
    fn read<'a>(socket: &OwnedFd, buffer: &'a mut [u8]) -> Option<&'a [u8]> {
        let (at, size) = (buffer.as_mut_ptr().cast(), buffer.len());
        // SAFETY: the buffer is writable for its whole length.
        let got = unsafe { libc::recv(socket.as_raw_fd(), at, size, 0) };
        if got > 0 {
            return Some(&buffer[..got as usize]);
        }
        let lost = io::Error::last_os_error().raw_os_error() == Some(libc::ENOBUFS);
        (got < 0 && lost).then_some(&[])
    }

    /// What the messages in `bytes` tell of.
    pub(super) fn note(bytes: &[u8], table: u8, news: &mut News) {
        each_message(bytes, |kind, _, body| {
            news.links |= LINKS_AND_ADDRESSES.contains(&kind);
            news.rules |= RULES.contains(&kind);
            news.routes |= ROUTES.contains(&kind) && body.get(TABLE_AT) == Some(&table);
        });
    }
}

#[cfg(not(target_os = "linux"))]
mod imp {
    use super::News;
    use std::io;

    /// Not available on this system.
    pub struct PolicyMonitor;

    impl PolicyMonitor {
        pub fn start(
            _table: u8,
            _tell: impl FnMut(News) + Send + 'static,
        ) -> io::Result<PolicyMonitor> {
            Err(io::Error::from(io::ErrorKind::Unsupported))
        }
    }
}

pub use imp::PolicyMonitor;

/// Whether `PolicyMonitor` works on this system.
pub const SUPPORTED: bool = cfg!(target_os = "linux");

/// Takes the lock of an open file for this process alone, without waiting; false: another has it. Given back when the file is closed,
/// by death too.
#[cfg(unix)]
pub fn lock_file(fd: i32) -> std::io::Result<bool> {
    // SAFETY: a plain system call on a number; the result is checked.
    if unsafe { libc::flock(fd, libc::LOCK_EX | libc::LOCK_NB) } == 0 {
        return Ok(true);
    }
    match std::io::Error::last_os_error() {
        error if error.kind() == std::io::ErrorKind::WouldBlock => Ok(false),
        error => Err(error),
    }
}

/// Not available on this system.
#[cfg(not(unix))]
pub fn lock_file(_fd: i32) -> std::io::Result<bool> {
    Err(std::io::Error::from(std::io::ErrorKind::Unsupported))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::os::fd::AsRawFd;

    fn message(kind: u16, body: &[u8]) -> Vec<u8> {
        let mut bytes = ((16 + body.len()) as u32).to_ne_bytes().to_vec();
        bytes.extend_from_slice(&kind.to_ne_bytes());
        bytes.resize(16, 0);
        bytes.extend_from_slice(body);
        bytes
    }

    fn told(bytes: &[u8]) -> News {
        let mut news = News::default();
        imp::note(bytes, 52, &mut news);
        news
    }

    #[test]
    fn rules_links_and_routes_of_the_one_table_are_told_apart() {
        let rules = News {
            rules: true,
            ..News::default()
        };
        let routes = News {
            routes: true,
            ..News::default()
        };
        assert_eq!(told(&message(33, &[0; 12])), rules);
        assert_eq!(
            told(&message(25, &[2, 32, 0, 0, 52, 3, 0, 1, 0, 0, 0, 0])),
            routes
        );
        assert_eq!(
            told(&message(24, &[2, 32, 0, 0, 254, 3, 0, 1, 0, 0, 0, 0])),
            News::default()
        );
        assert!(told(&message(17, &[0; 16])).links);
        assert_eq!(told(&message(24, &[2, 32])), News::default());
        assert_eq!(told(&[1, 2, 3]), News::default());
    }

    #[test]
    fn a_monitor_starts_and_ends() {
        drop(PolicyMonitor::start(52, |_| {}).unwrap());
    }

    #[test]
    fn one_file_is_locked_once() {
        let path = std::env::temp_dir().join(format!("bowline-lock-{}", std::process::id()));
        let first = std::fs::File::create(&path).unwrap();
        let second = std::fs::File::open(&path).unwrap();
        assert!(lock_file(first.as_raw_fd()).unwrap());
        assert!(!lock_file(second.as_raw_fd()).unwrap());
        drop(first);
        assert!(lock_file(second.as_raw_fd()).unwrap());
        std::fs::remove_file(path).unwrap();
        assert!(lock_file(-1).is_err());
    }
}
