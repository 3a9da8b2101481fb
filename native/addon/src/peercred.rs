//! Who is at the other end of a local socket.

use device::peercred;
use napi_derive::napi;

use crate::guard::guard;

#[napi(object)]
pub struct PeerCredentials {
    pub pid: u32,
    pub uid: u32,
    pub gid: u32,
}

/// Credentials of the process at the other end of the connected Unix socket `fd`; null when there are none to be had.
#[napi]
pub fn peer_credentials(fd: i32) -> napi::Result<Option<PeerCredentials>> {
    guard(|| {
        let found = peercred::peer_credentials(fd);
        Ok(found.map(|one| PeerCredentials {
            pid: one.pid,
            uid: one.uid,
            gid: one.gid,
        }))
    })
}
