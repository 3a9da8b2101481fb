//! Devices that carry one packet a call (utun of macOS, wintun of Windows), by tun-rs. Passes `cargo check` for both and was NEVER RUN:
//! what is known of them is in tun-rs's documentation. The ten bytes before a packet are made here and mean nothing.

use std::io;

use tun_rs::{DeviceBuilder, InterruptEvent, SyncDevice};

use super::{HEADER, Offloads, Wanted};

pub struct Tun {
    device: SyncDevice,
    name: String,
    index: u32,
}

impl Tun {
    /// Makes the device. macOS takes only names of the form utunN: any other lets the system choose.
    pub fn open(wanted: &Wanted) -> io::Result<Tun> {
        let builder = DeviceBuilder::new().mtu(wanted.mtu);
        let by_name = !cfg!(target_os = "macos") || wanted.name.starts_with("utun");
        let builder = match by_name {
            true => builder.name(&wanted.name),
            false => builder,
        };
        let device = builder.build_sync()?;
        #[cfg(unix)]
        device.set_nonblocking(true)?;
        let (name, index) = (device.name()?, device.if_index()?);
        Ok(Tun {
            device,
            name,
            index,
        })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn index(&self) -> u32 {
        self.index
    }

    pub fn offloads(&self) -> Offloads {
        Offloads::default()
    }

    pub fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let (head, packet) = buffer.split_at_mut(HEADER);
        head.fill(0);
        Ok(HEADER + receive(&self.device, packet)?)
    }

    pub fn write(&self, packet: &[u8]) -> io::Result<usize> {
        let packet = packet.get(HEADER..).ok_or(io::ErrorKind::InvalidInput)?;
        Ok(HEADER + self.device.send(packet)?)
    }

    pub fn wait(&self, bell: &Bell) -> io::Result<()> {
        match self.device.wait_readable_intr(&bell.0) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => bell.0.reset(),
            other => other,
        }
    }
}

/// What there is now, without waiting.
fn receive(device: &SyncDevice, packet: &mut [u8]) -> io::Result<usize> {
    #[cfg(windows)]
    return device.try_recv(packet);
    #[cfg(unix)]
    return device.recv(packet);
}

/// Wakes a thread that waits for the device.
pub struct Bell(InterruptEvent);

impl Bell {
    pub fn new() -> io::Result<Bell> {
        Ok(Bell(InterruptEvent::new()?))
    }

    pub fn ring(&self) {
        let _ = self.0.trigger();
    }
}
