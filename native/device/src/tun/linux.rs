//! The Linux device: made by tun-rs with a header before each packet, then told by us to leave congestion marks to us too.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use tun_rs::{DeviceBuilder, SyncDevice};

use super::{Offloads, Wanted};

/// Packets that wait for us. Super-packets count as one: this is for small ones.
const QUEUE: u32 = 1000;
/// As many segments of 1312 B as fit one run to the network (batch.rs): one read is one send.
const SEGMENTS: u32 = 49;

pub struct Tun {
    device: SyncDevice,
    name: String,
    index: u32,
    offloads: Offloads,
}

impl Tun {
    /// Makes the device; `AlreadyExists` when another program has one of that name.
    pub fn open(wanted: &Wanted) -> io::Result<Tun> {
        let device = DeviceBuilder::new()
            .name(&wanted.name)
            .mtu(wanted.mtu)
            .offload(true)
            .tx_queue_len(QUEUE)
            .enable(false)
            .build_sync()
            .map_err(|error| match error.raw_os_error() {
                Some(libc::EBUSY) => io::Error::new(io::ErrorKind::AlreadyExists, error),
                Some(libc::ENOENT | libc::ENODEV | libc::ENXIO) => {
                    io::Error::new(io::ErrorKind::Unsupported, error)
                }
                _ => error,
            })?;
        device.set_nonblocking(true)?;
        let offloads = Offloads {
            tcp: true,
            udp: device.udp_gso(),
        };
        allow_marks(&device, offloads);
        // One that somebody made beforehand ends with this process too.
        // SAFETY: an ioctl by value on a live descriptor.
        unsafe { libc::ioctl(device.as_raw_fd(), libc::TUNSETPERSIST as _, 0) };
        let (name, index) = (device.name()?, device.if_index()?);
        super::segments::limit(index, SEGMENTS);
        Ok(Tun {
            device,
            name,
            index,
            offloads,
        })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn index(&self) -> u32 {
        self.index
    }

    pub fn offloads(&self) -> Offloads {
        self.offloads
    }

    /// One packet with its header; the buffer has `READ_BYTES`.
    pub fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.device.recv(buffer)
    }

    /// One packet with its header.
    pub fn write(&self, packet: &[u8]) -> io::Result<usize> {
        self.device.send(packet)
    }

    /// Waits until there is something to read or the bell rang.
    pub fn wait(&self, bell: &Bell) -> io::Result<()> {
        let of = |fd| libc::pollfd {
            fd,
            events: libc::POLLIN,
            revents: 0,
        };
        let mut both = [of(self.device.as_raw_fd()), of(bell.0.as_raw_fd())];
        // SAFETY: two valid entries of descriptors that outlive the call.
        match unsafe { libc::poll(both.as_mut_ptr(), 2, -1) } {
            -1 => Err(io::Error::last_os_error()),
            _ => Ok(()),
        }
    }
}

/// Segments with congestion marks may come merged too; a kernel that knows nothing of it cuts them itself.
fn allow_marks(device: &SyncDevice, offloads: Offloads) {
    let tcp = libc::TUN_F_CSUM | libc::TUN_F_TSO4 | libc::TUN_F_TSO6 | libc::TUN_F_TSO_ECN;
    let udp = libc::TUN_F_USO4 | libc::TUN_F_USO6;
    let flags = if offloads.udp { tcp | udp } else { tcp };
    // SAFETY: an ioctl by value on a live descriptor.
    unsafe {
        libc::ioctl(
            device.as_raw_fd(),
            libc::TUNSETOFFLOAD as _,
            flags as libc::c_ulong,
        )
    };
}

/// Wakes a thread that waits for the device.
pub struct Bell(OwnedFd);

impl Bell {
    pub fn new() -> io::Result<Bell> {
        // SAFETY: no pointers.
        let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: a new descriptor that nobody else has.
        Ok(Bell(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// The thread wakes now, and whenever it waits from here on.
    pub fn ring(&self) {
        let one = 1u64.to_ne_bytes();
        // SAFETY: eight bytes to a live descriptor.
        unsafe { libc::write(self.0.as_raw_fd(), one.as_ptr().cast(), one.len()) };
    }
}
