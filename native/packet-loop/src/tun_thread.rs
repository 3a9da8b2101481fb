//! The second thread: packets of this computer's programs to peers. It alone reads the device and sends for it; everything else is
//! the packet thread's.
//!
//!   read (to 64 KiB or what there is) → lock: judge, route, seal each segment → unlock → send runs, answer what goes nowhere
//!
//! It wakes the packet thread for what that has to do: a nearer timer, a packet for the netstack.

use std::io;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use dataplane::event::{Event, Sink};
use dataplane::guard::Bucket;
use dataplane::icmp;
use dataplane::ip::{self, Parsed};
use dataplane::outbound::Sent;
use dataplane::split::Segments;
use dataplane::tunnel::Key;
use dataplane::vnet::{self, VnetHeader};
use device::sender::Sender;
use device::tun::{Bell, READ_BYTES, Trouble, trouble};
use device::udp::{Lent, UdpCounters};
use mio::Waker;

use crate::core::{Core, SharedCore};
use crate::records;
use crate::ring::Ring;
use crate::tun_counters::add;
use crate::tun_side::{Device, SERVICES};

/// A batch ends with so many packets, or so many bytes.
const BATCH_PACKETS: usize = 128;
const BATCH_BYTES: usize = 64 << 10;
/// Read errors in a row after which the device is given up.
const READ_ERRORS: u32 = 64;
/// Pause after a read that failed for no reason that waiting would show the end of.
const ERROR_PAUSE: Duration = Duration::from_millis(20);

/// What the thread shares with the packet thread.
pub struct Parts {
    pub core: SharedCore,
    pub ring: Arc<Ring>,
    pub waker: Arc<Waker>,
    pub lent: Arc<Lent>,
}

pub struct TunThread {
    device: Arc<Device>,
    parts: Parts,
    sender: Sender,
    buffer: Vec<u8>,
    /// Where each packet of the batch lies in the buffer.
    packets: Vec<(usize, usize)>,
    /// For programs whose packets go nowhere.
    answers: Vec<Vec<u8>>,
    unreachable: Bucket,
    told: Bucket,
    read_errors: u32,
}

impl TunThread {
    pub fn start(
        device: Arc<Device>,
        bell: Arc<Bell>,
        stop: Arc<AtomicBool>,
        parts: Parts,
    ) -> io::Result<JoinHandle<()>> {
        let ring = Arc::clone(&parts.ring);
        let mut thread = TunThread {
            device,
            sender: Sender::new(Arc::clone(&parts.lent)),
            parts,
            buffer: vec![0; BATCH_BYTES + READ_BYTES],
            packets: Vec::with_capacity(BATCH_PACKETS),
            answers: Vec::new(),
            unreachable: Bucket::new(50.0, 50.0),
            told: Bucket::new(5.0, 10.0),
            read_errors: 0,
        };
        std::thread::Builder::new()
            .name("bowline-tun".into())
            .spawn(move || {
                let run = AssertUnwindSafe(|| thread.run(&bell, &stop));
                if catch_unwind(run).is_err() {
                    records::push_failed(&ring, "native-failed", "tunnel thread panicked");
                }
            })
    }

    fn run(&mut self, bell: &Bell, stop: &AtomicBool) {
        while !stop.load(Ordering::Acquire) {
            if !self.read() {
                return;
            }
            if !self.packets.is_empty() {
                self.send();
            } else if let Err(error) = self.device.tun.wait(bell)
                && error.kind() != io::ErrorKind::Interrupted
            {
                return self.device.tell_gone(&error.to_string());
            }
        }
    }

    /// Fills the buffer with what there is; false when the device is gone.
    fn read(&mut self) -> bool {
        self.packets.clear();
        let mut filled = 0;
        while filled < BATCH_BYTES && self.packets.len() < BATCH_PACKETS {
            match self.device.tun.read(&mut self.buffer[filled..]) {
                Ok(len) => {
                    self.read_errors = 0;
                    self.packets.push((filled, filled + len));
                    filled += len;
                }
                Err(error) => match trouble(&error) {
                    Trouble::Wait => return true,
                    Trouble::Gone => {
                        self.device.tell_gone(&error.to_string());
                        return false;
                    }
                    Trouble::Down | Trouble::Refused => return self.note_error(&error),
                },
            }
            if filled > BATCH_BYTES / 2 {
                break;
            }
        }
        true
    }

    fn note_error(&mut self, error: &io::Error) -> bool {
        add(&self.device.counters.tun_in_errors, 1);
        self.read_errors += 1;
        if self.read_errors >= READ_ERRORS {
            self.device.tell_gone(&error.to_string());
            return false;
        }
        std::thread::sleep(ERROR_PAUSE);
        true
    }

    fn send(&mut self) {
        let now = Instant::now();
        let shared = self.parts.core.clone();
        let mut core = shared.lock();
        let before = core.pipeline.next_timeout();
        let packets = std::mem::take(&mut self.packets);
        let mut buffer = std::mem::take(&mut self.buffer);
        for &(start, end) in &packets {
            self.send_one(now, &mut core, &mut buffer[start..end]);
        }
        (self.packets, self.buffer) = (packets, buffer);
        core.drain_relay(&self.parts.ring);
        let after = core.pipeline.next_timeout();
        let sooner = match (before, after) {
            (Some(before), Some(after)) => after < before,
            (None, Some(_)) => true,
            _ => false,
        };
        let wake = sooner || !core.for_stack.is_empty();
        drop(core);
        if wake {
            let _ = self.parts.waker.wake();
        }
        self.sender.flush();
        for (to, why) in self.sender.take_errors() {
            records::push_send_error(&self.parts.ring, to, why);
        }
        for answer in self.answers.drain(..) {
            self.device.write(&answer, 1);
        }
        let counters = &self.device.counters;
        add(&counters.tun_in_batches, 1);
        let sent = std::mem::take(&mut self.sender.counters);
        note_sent(&self.device, &sent);
    }

    fn send_one(&mut self, now: Instant, core: &mut Core, bytes: &mut [u8]) {
        let device = Arc::clone(&self.device);
        let counters = &device.counters;
        let bad = |why: usize| add(&counters.tun_bad_header, why);
        let Some((head, packet)) = bytes.split_first_chunk_mut::<{ vnet::LEN }>() else {
            return bad(1);
        };
        let Ok(header) = VnetHeader::read(head) else {
            return bad(1);
        };
        let Ok(mut segments) = Segments::new(&header, packet) else {
            return bad(1);
        };
        let Ok(parsed) = ip::parse(segments.packet()) else {
            return bad(1);
        };
        if header.kind.is_none() && parsed.total_len != segments.packet().len() {
            return bad(1);
        }
        let count = segments.len();
        add(&counters.tun_in_packets, count);
        add(&counters.tun_in_bytes, segments.packet().len());
        add(&counters.tun_in_super, usize::from(count > 1));
        if SERVICES.contains(&parsed.dst) {
            return self.give_stack(core, &mut segments);
        }
        let pipeline = &mut core.pipeline;
        let src = parsed.src;
        if !pipeline.own().contains(&src) && !pipeline.filter().table().local.contains(src) {
            return add(&counters.tun_foreign_source, count);
        }
        let mut sink = Sends {
            sender: &mut self.sender,
            relay: &mut core.relay,
            ring: &self.parts.ring,
        };
        let whole = segments.packet();
        if pipeline.send_segments(now, &parsed, &mut segments, &mut sink) == Sent::NoRoute {
            add(&counters.tun_no_route, count);
            self.answer_unreachable(now, &parsed, whole);
        }
    }

    fn give_stack(&mut self, core: &mut Core, segments: &mut Segments<'_>) {
        let counters = &self.device.counters;
        let mut packet = BytesMut::new();
        while segments.append_next(&mut packet) {
            match core.keep_for_stack(&packet) {
                true => add(&counters.tun_to_engine, 1),
                false => add(&counters.tun_to_engine_dropped, 1),
            }
            packet.clear();
        }
    }

    /// A program learns at once that nobody takes its packets, rather than by waiting.
    fn answer_unreachable(&mut self, now: Instant, parsed: &Parsed, packet: &[u8]) {
        if self.told.take(now) {
            let from = SocketAddr::new(parsed.src, parsed.src_port);
            let to = SocketAddr::new(parsed.dst, parsed.dst_port);
            records::push_no_route(&self.parts.ring, parsed.proto, from, to);
        }
        if !self.unreachable.take(now) {
            return;
        }
        if let Some(answer) = icmp::prohibited(parsed, packet) {
            self.answers.push([&[0; vnet::LEN][..], &answer].concat());
        }
    }
}

fn note_sent(device: &Device, sent: &UdpCounters) {
    let counters = &device.counters;
    for (count, more) in [
        (&counters.tun_udp_runs, sent.udp_out_runs),
        (&counters.tun_udp_bytes, sent.udp_out_bytes),
        (&counters.tun_udp_full, sent.udp_out_full),
        (&counters.tun_udp_errors, sent.udp_out_errors),
        (&counters.tun_udp_unsplit, sent.udp_out_unsplit),
    ] {
        add(count, more as usize);
    }
}

/// Output of the pipeline on this thread: sending delivers nothing and ends no flow.
struct Sends<'a> {
    sender: &'a mut Sender,
    relay: &'a mut dataplane::derp::RelayQueue,
    ring: &'a Ring,
}

impl Sink for Sends<'_> {
    #[inline]
    fn udp(&mut self, to: SocketAddr, datagram: &[u8]) {
        self.sender.push(to, datagram);
    }
    #[inline]
    fn geneve(&mut self, to: SocketAddr, header: [u8; 8], datagram: &[u8]) {
        self.sender.push_headed(to, &header, datagram);
    }
    fn relay(&mut self, region: u32, to: &Key, packet: &[u8]) -> bool {
        self.relay.push(region, to, packet)
    }
    fn deliver(&mut self, _peer: Option<u32>, _packet: &[u8], _parsed: &Parsed) {}
    fn unclaimed(&mut self, _from: SocketAddr, _datagram: &[u8]) {}
    fn cut(&mut self, _proto: u8, _from: SocketAddr, _to: SocketAddr) {}
    fn refused(&mut self, _proto: u8, _from: SocketAddr, _to: SocketAddr) {}
    fn event(&mut self, event: Event) {
        records::push_event(self.ring, &event);
    }
}
