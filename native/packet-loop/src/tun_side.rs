//! The packet thread's end of the tunnel device: what peers send to this computer's programs, and the device's coming and going.
//!
//!   a packet of a peer, after the filter → netstack: what that owns, and what it passes on for others
//!                                        → device: everything else, merged over one batch
//!                                        → dropped: for the engine's own addresses, or passed on to where nobody's may go

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use dataplane::flows::Flow;
use dataplane::ip::Parsed;
use dataplane::merge::Merger;
use device::tun::{Bell, Offloads, Trouble, Tun, Wanted, trouble};
use netstack::{Netstack, Seen, is_of_site, is_passed_on};

use crate::records;
use crate::ring::Ring;
use crate::tun_counters::{TunCounters, add};
use crate::tun_thread::{self, TunThread};

/// A run of full packets is worth a call by itself.
const WRITE_BYTES: usize = 32 << 10;

/// Where programs of this computer reach the engine.
pub const SERVICES: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 100)),
    IpAddr::V6(Ipv6Addr::new(0xfd7a, 0x115c, 0xa1e0, 0, 0, 0, 0, 0x53)),
];

/// What the owner learns of an open device.
#[derive(Clone, Debug)]
pub struct Opened {
    pub name: String,
    pub index: u32,
    pub offloads: Offloads,
}

/// A device that both threads use. Its end is told once.
pub struct Device {
    pub tun: Tun,
    pub counters: Arc<TunCounters>,
    ring: Arc<Ring>,
    gone: AtomicBool,
}

impl Device {
    /// Tells that the device is of no use any more; later calls say nothing.
    pub fn tell_gone(&self, why: &str) {
        if !self.gone.swap(true, Ordering::AcqRel) {
            records::push_tun_gone(&self.ring, why);
        }
    }

    /// Writes one packet with its header, which stands for `count`.
    pub fn write(&self, packet: &[u8], count: usize) {
        let counters = &self.counters;
        match self.tun.write(packet) {
            Ok(_) => {
                add(&counters.tun_out_packets, count);
                add(&counters.tun_out_bytes, packet.len());
                add(&counters.tun_out_super, usize::from(count > 1));
            }
            Err(error) => match trouble(&error) {
                Trouble::Gone => self.tell_gone(&error.to_string()),
                Trouble::Down => add(&counters.tun_out_down, count),
                Trouble::Wait | Trouble::Refused => add(&counters.tun_out_errors, count),
            },
        }
    }
}

pub struct TunSide {
    device: Arc<Device>,
    bell: Arc<Bell>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    merger: Merger,
    own: Vec<IpAddr>,
    /// Whether the system passes on what is for other machines, and not the netstack.
    by_system: bool,
    /// Whose the last packet was; a batch is mostly one flow.
    last: Option<(Flow, bool)>,
}

enum Whose {
    Stack,
    System,
    Nobody,
}

impl TunSide {
    /// Makes the device and starts its thread.
    pub fn open(
        wanted: &Wanted,
        own: Vec<IpAddr>,
        by_system: bool,
        parts: tun_thread::Parts,
        counters: Arc<TunCounters>,
    ) -> io::Result<(TunSide, Opened)> {
        let tun = Tun::open(wanted)?;
        let opened = Opened {
            name: tun.name().to_owned(),
            index: tun.index(),
            offloads: tun.offloads(),
        };
        let device = Arc::new(Device {
            tun,
            counters,
            ring: Arc::clone(&parts.ring),
            gone: AtomicBool::new(false),
        });
        let bell = Arc::new(Bell::new()?);
        let stop = Arc::new(AtomicBool::new(false));
        let thread = TunThread::start(
            Arc::clone(&device),
            Arc::clone(&bell),
            Arc::clone(&stop),
            parts,
        )?;
        let offloads = opened.offloads;
        let side = TunSide {
            device,
            bell,
            stop,
            thread: Some(thread),
            merger: Merger::new(offloads.tcp, offloads.udp),
            own,
            by_system,
            last: None,
        };
        Ok((side, opened))
    }

    pub fn set_own(&mut self, own: Vec<IpAddr>) {
        self.own = own;
    }

    pub fn set_forwarding(&mut self, by_system: bool) {
        self.by_system = by_system;
    }

    /// A new turn: flows may have come or gone since.
    pub fn begin(&mut self) {
        self.last = None;
    }

    /// Takes a packet of a peer, unless it is the netstack's: then false.
    pub fn take(&mut self, stack: &Netstack, packet: &[u8], parsed: &Parsed) -> bool {
        match self.whose(stack, packet, parsed) {
            Whose::Stack => return false,
            Whose::System => self.merger.push(packet, parsed),
            Whose::Nobody => add(&self.device.counters.tun_out_refused, 1),
        }
        true
    }

    fn whose(&mut self, stack: &Netstack, packet: &[u8], parsed: &Parsed) -> Whose {
        let dst = parsed.dst;
        if !self.own.contains(&dst) {
            if SERVICES.contains(&dst) {
                return Whose::Nobody;
            }
            if !self.by_system || is_of_site(dst) {
                return Whose::Stack;
            }
            if !is_passed_on(dst) {
                return Whose::Nobody;
            }
        }
        let flow = Flow::of(parsed);
        let has_ports = flow.src_port != 0;
        let owned = match self.last {
            Some((last, owned)) if has_ports && last == flow => owned,
            _ => stack.owns(&Seen {
                proto: parsed.proto,
                from: SocketAddr::new(parsed.src, parsed.src_port),
                to: SocketAddr::new(parsed.dst, parsed.dst_port),
                packet,
                l4: parsed.l4,
            }),
        };
        self.last = Some((flow, owned));
        match owned {
            true => Whose::Stack,
            false => Whose::System,
        }
    }

    /// Takes a packet of the netstack when it is an answer to a program of this computer.
    pub fn take_answer(&mut self, packet: &[u8]) -> bool {
        let is_answer = match packet.first().map(|first| first >> 4) {
            Some(4) => packet.get(12..16) == Some(&[100, 100, 100, 100][..]),
            Some(6) => packet.get(8..24).is_some_and(|src| match SERVICES[1] {
                IpAddr::V6(service) => *src == service.octets(),
                IpAddr::V4(_) => false,
            }),
            _ => false,
        };
        if is_answer && let Ok(parsed) = dataplane::ip::parse(packet) {
            self.merger.push(packet, &parsed);
        }
        is_answer
    }

    /// Whether what was gathered is worth writing before the batch ends.
    pub fn has_enough(&self) -> bool {
        self.merger.bytes() >= WRITE_BYTES
    }

    /// Writes what was gathered.
    pub fn flush(&mut self) {
        let device = &self.device;
        self.merger
            .take(|packet, count| device.write(packet, count));
    }
}

impl Drop for TunSide {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        self.bell.ring();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
