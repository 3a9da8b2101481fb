//! Tells the kernel how many segments one packet of a device may have: a netlink message of one attribute, without an answer
//! that matters. Source: Linux rtnetlink(7), IFLA_GSO_MAX_SEGS.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

const IFLA_GSO_MAX_SEGS: u16 = 40;
const RTM_NEWLINK: u16 = 16;
const REQUEST: u16 = 1;
const MESSAGE: usize = 16 + 16 + 8;

fn message(index: u32, most: u32) -> [u8; MESSAGE] {
    let mut out = [0; MESSAGE];
    out[..4].copy_from_slice(&(MESSAGE as u32).to_ne_bytes());
    out[4..6].copy_from_slice(&RTM_NEWLINK.to_ne_bytes());
    out[6..8].copy_from_slice(&REQUEST.to_ne_bytes());
    out[20..24].copy_from_slice(&index.to_ne_bytes());
    out[32..34].copy_from_slice(&8u16.to_ne_bytes());
    out[34..36].copy_from_slice(&IFLA_GSO_MAX_SEGS.to_ne_bytes());
    out[36..40].copy_from_slice(&most.to_ne_bytes());
    out
}

/// At most `most` segments come in one packet from here on; a kernel that refuses leaves it as it was.
pub fn limit(index: u32, most: u32) {
    // SAFETY: no pointers.
    let fd = unsafe {
        libc::socket(
            libc::AF_NETLINK,
            libc::SOCK_RAW | libc::SOCK_CLOEXEC,
            libc::NETLINK_ROUTE,
        )
    };
    if fd < 0 {
        return;
    }
    // SAFETY: a new descriptor that nobody else has.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    let bytes = message(index, most);
    // SAFETY: readable bytes and their length; an unbound netlink socket sends to the kernel.
    unsafe { libc::send(socket.as_raw_fd(), bytes.as_ptr().cast(), bytes.len(), 0) };
}
