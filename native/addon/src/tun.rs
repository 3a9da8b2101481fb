//! The tunnel device of a data plane, the mark on its sockets, and who passes packets on.

use device::tun::Wanted;
use napi_derive::napi;

use crate::guard::{bad, dead, fail, guard, io};
use crate::plane::Plane;

#[napi(object)]
pub struct TunDevice {
    pub name: String,
    pub index: u32,
    /// Many TCP segments, many datagrams, go to and from the system in one piece.
    pub tcp_offload: bool,
    pub udp_offload: bool,
}

/// An interface's name in every system, with the one place that the system counts in.
fn is_name(name: &str) -> bool {
    let plain = name.replace("%d", "0");
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    (1..=15).contains(&name.len()) && plain.chars().all(fits) && !matches!(name, "." | "..")
}

#[napi]
impl Plane {
    /// Makes the device, which is not up and has no addresses; "already-running" when it is there, or another program's.
    #[napi]
    pub fn open_tun(&self, name: String, mtu: u32) -> napi::Result<TunDevice> {
        guard(|| {
            if !is_name(&name) {
                return Err(bad("not a name of a device"));
            }
            let mtu = mtu.clamp(1280, 9000) as u16;
            let wanted = Wanted { name, mtu };
            let opened = self
                .thread()?
                .call(move |world| world.open_tun(&wanted))
                .map_err(dead)?;
            let opened = opened.map_err(|error| match error.kind() {
                std::io::ErrorKind::AlreadyExists => fail("already-running", &error.to_string()),
                _ => io(&error),
            })?;
            Ok(TunDevice {
                name: opened.name,
                index: opened.index,
                tcp_offload: opened.offloads.tcp,
                udp_offload: opened.offloads.udp,
            })
        })
    }

    /// The device is gone when this returns; idempotent.
    #[napi]
    pub fn close_tun(&self) -> napi::Result<()> {
        guard(|| self.thread()?.call(|world| world.close_tun()).map_err(dead))
    }

    /// Who passes on what peers send to other machines while there is a device: the system, else the netstack.
    #[napi]
    pub fn set_forwarding(&self, by_system: bool) -> napi::Result<()> {
        guard(|| {
            self.thread()?
                .cast(move |world| world.set_forwarding(by_system));
            Ok(())
        })
    }

    /// SO_MARK of the sockets to the network, and of those that replace them; none = no mark.
    #[napi]
    pub fn set_mark(&self, mark: Option<u32>) -> napi::Result<()> {
        guard(|| {
            let set = self
                .thread()?
                .call(move |world| world.set_mark(mark))
                .map_err(dead)?;
            set.map_err(|error| io(&error))
        })
    }
}
