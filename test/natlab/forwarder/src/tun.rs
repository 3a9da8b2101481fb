//! TUN devices in named network namespaces.

use std::ffi::CString;
use std::io;
use std::os::fd::RawFd;

const TUNSETIFF: libc::c_ulong = 0x4004_54ca;

fn check(result: libc::c_int, what: &str) -> Result<libc::c_int, String> {
    if result < 0 {
        Err(format!("{what}: {}", io::Error::last_os_error()))
    } else {
        Ok(result)
    }
}

/// Enters a named namespace and opens a TUN device there. The descriptor stays tied to that namespace.
pub fn open(namespace: &str, device: &str) -> Result<RawFd, String> {
    let path = CString::new(format!("/var/run/netns/{namespace}")).map_err(|_| "a name with a zero byte".to_string())?;
    // SAFETY: the paths are NUL-terminated and outlive the calls; `request` has the layout and size of struct ifreq.
    unsafe {
        let space = check(libc::open(path.as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC), namespace)?;
        check(libc::setns(space, libc::CLONE_NEWNET), "enter the namespace")?;
        libc::close(space);
        let tun = check(
            libc::open(c"/dev/net/tun".as_ptr(), libc::O_RDWR | libc::O_NONBLOCK | libc::O_CLOEXEC),
            "/dev/net/tun",
        )?;
        let mut request = [0u8; 40];
        for (to, from) in request.iter_mut().zip(device.bytes().take(15)) {
            *to = from;
        }
        let flags = (libc::IFF_TUN | libc::IFF_NO_PI) as u16;
        request[16..18].copy_from_slice(&flags.to_ne_bytes());
        check(libc::ioctl(tun, TUNSETIFF as _, request.as_mut_ptr()), "make the TUN device")?;
        Ok(tun)
    }
}

/// Blocks until the descriptor is readable or the time is over.
pub fn wait(fd: RawFd, time: std::time::Duration) {
    let mut poll = libc::pollfd {
        fd,
        events: libc::POLLIN,
        revents: 0,
    };
    let timeout = libc::timespec {
        tv_sec: time.as_secs() as _,
        tv_nsec: time.subsec_nanos() as _,
    };
    // SAFETY: both structures live through the call; no signal mask is given.
    unsafe { libc::ppoll(&mut poll, 1, &timeout, std::ptr::null()) };
}

/// Bytes of one packet, or `None` when there is none to be read.
pub fn read(fd: RawFd, buffer: &mut [u8]) -> Option<usize> {
    // SAFETY: the buffer lives through the call and is as long as said.
    let size = unsafe { libc::read(fd, buffer.as_mut_ptr().cast(), buffer.len()) };
    usize::try_from(size).ok()
}

pub fn write(fd: RawFd, packet: &[u8]) {
    // SAFETY: the buffer lives through the call. A packet that the device does not take is lost, as on a real line.
    unsafe { libc::write(fd, packet.as_ptr().cast(), packet.len()) };
}
