//! How fast two stacks talk to each other in memory, on one thread, without loss: ours against stock smoltcp 0.14.0.
//!
//! Each case runs in interleaved pairs, with the order changed each time; the figure is the median of the per-pair ratios, of
//! gigabits a second of processor time, so that a busy machine disturbs it little. Prints one JSON line a case and fails below the
//! floor. `cargo run --release [-- PAIRS [CASE]]`; `-- ours|stock CASE` does 100 MB of one stack, for a profiler.

use std::time::Duration;

const FLOOR: f64 = 0.95;

#[derive(Clone, Copy)]
struct Case {
    name: &'static str,
    buffer: usize,
    streams: usize,
    /// Bytes of a segment the device will cut up, if any.
    offload: usize,
    cubic: bool,
}

const CASES: [Case; 8] = [
    Case { name: "256k", buffer: 256 << 10, streams: 1, offload: 0, cubic: true },
    Case { name: "1m", buffer: 1 << 20, streams: 1, offload: 0, cubic: true },
    Case { name: "4m", buffer: 4 << 20, streams: 1, offload: 0, cubic: true },
    Case { name: "1m-4-streams", buffer: 1 << 20, streams: 4, offload: 0, cubic: true },
    Case { name: "1m-offload", buffer: 1 << 20, streams: 1, offload: 32 * 1240 + 40, cubic: true },
    Case { name: "1m-no-control", buffer: 1 << 20, streams: 1, offload: 0, cubic: false },
    Case { name: "4m-no-control", buffer: 4 << 20, streams: 1, offload: 0, cubic: false },
    Case { name: "1m-offload-no-control", buffer: 1 << 20, streams: 1, offload: 32 * 1240 + 40, cubic: false },
];

macro_rules! stack {
    ($module:ident) => {
        mod $module {
            use super::{Case, Duration};
            use std::collections::VecDeque;
            use ::$module::iface::{Config, Interface, SocketHandle, SocketSet};
            use ::$module::phy::{self, ChecksumCapabilities, Device, DeviceCapabilities, Medium};
            use ::$module::socket::tcp::{CongestionControl, Socket, SocketBuffer};
            use ::$module::time::Instant;
            use ::$module::wire::{HardwareAddress, IpAddress, IpCidr};

            struct Nic {
                inbox: VecDeque<Vec<u8>>,
                outbox: Vec<Vec<u8>>,
                pool: Vec<Vec<u8>>,
                offload: usize,
            }

            impl Device for Nic {
                type RxToken<'a> = Rx;
                type TxToken<'a> = Tx<'a>;

                fn capabilities(&self) -> DeviceCapabilities {
                    let mut caps = DeviceCapabilities::default();
                    caps.max_transmission_unit = 1280;
                    caps.medium = Medium::Ip;
                    if self.offload > 0 {
                        caps.checksum = ChecksumCapabilities::ignored();
                        caps.segmentation.tcpv4 = std::num::NonZeroUsize::new(self.offload);
                    }
                    caps
                }

                fn receive(&mut self, _: Instant) -> Option<(Rx, Tx<'_>)> {
                    let packet = self.inbox.pop_front()?;
                    Some((Rx(packet), Tx { outbox: &mut self.outbox, pool: &mut self.pool }))
                }

                fn transmit(&mut self, _: Instant) -> Option<Tx<'_>> {
                    Some(Tx { outbox: &mut self.outbox, pool: &mut self.pool })
                }
            }

            struct Rx(Vec<u8>);

            thread_local! {
                static USED: std::cell::RefCell<Vec<Vec<u8>>> = const { std::cell::RefCell::new(Vec::new()) };
            }

            impl phy::RxToken for Rx {
                fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
                    let result = f(&self.0);
                    USED.with(|used| used.borrow_mut().push(self.0));
                    result
                }
            }

            struct Tx<'a> {
                outbox: &'a mut Vec<Vec<u8>>,
                pool: &'a mut Vec<Vec<u8>>,
            }

            impl phy::TxToken for Tx<'_> {
                fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
                    let mut packet = self
                        .pool
                        .pop()
                        .or_else(|| USED.with(|used| used.borrow_mut().pop()))
                        .unwrap_or_default();
                    packet.resize(len, 0);
                    let result = f(&mut packet);
                    self.outbox.push(packet);
                    result
                }
            }

            struct Node {
                nic: Nic,
                iface: Interface,
                sockets: SocketSet<'static>,
                handles: Vec<SocketHandle>,
            }

            fn node(case: &Case, host: u8) -> Node {
                let mut nic = Nic { inbox: VecDeque::new(), outbox: Vec::new(), pool: Vec::new(), offload: case.offload };
                let mut iface = Interface::new(Config::new(HardwareAddress::Ip), &mut nic, Instant::ZERO);
                iface.update_ip_addrs(|addrs| addrs.push(IpCidr::new(IpAddress::v4(10, 0, 0, host), 24)).unwrap());
                let mut sockets = SocketSet::new(Vec::new());
                let handles = (0..case.streams)
                    .map(|_| {
                        let mut socket = Socket::new(
                            SocketBuffer::new(vec![0; case.buffer]),
                            SocketBuffer::new(vec![0; case.buffer]),
                        );
                        socket.set_ack_delay(None);
                        socket.set_congestion_control(if case.cubic {
                            CongestionControl::Cubic
                        } else {
                            CongestionControl::None
                        });
                        sockets.add(socket)
                    })
                    .collect();
                Node { nic, iface, sockets, handles }
            }

            /// Gigabits a second of processor time, over `run` of it (or over so many bytes).
            pub fn run(case: &Case, run: Duration, bytes: usize) -> f64 {
                let mut a = node(case, 1);
                let mut b = node(case, 2);
                for i in 0..case.streams {
                    let port = 1000 + i as u16;
                    b.sockets.get_mut::<Socket>(b.handles[i]).listen(port).unwrap();
                    a.sockets
                        .get_mut::<Socket>(a.handles[i])
                        .connect(a.iface.context(), (IpAddress::v4(10, 0, 0, 2), port), 50000 + i as u16)
                        .unwrap();
                }
                let begin = super::cpu();
                let mut got = 0usize;
                // The stacks' clock is made up, so that each run does the same work.
                let mut micros = 0;
                loop {
                    let spent = super::cpu() - begin;
                    if spent >= run || got >= bytes {
                        return got as f64 * 8.0 / spent.as_secs_f64() / 1e9;
                    }
                    micros += 200;
                    let now = Instant::from_micros(micros);
                    a.iface.poll(now, &mut a.nic, &mut a.sockets);
                    for &handle in &a.handles {
                        let socket = a.sockets.get_mut::<Socket>(handle);
                        while socket.can_send() {
                            let _ = socket.send(|buffer| (buffer.len(), ()));
                        }
                    }
                    a.iface.poll(now, &mut a.nic, &mut a.sockets);
                    b.nic.inbox.extend(a.nic.outbox.drain(..));
                    b.iface.poll(now, &mut b.nic, &mut b.sockets);
                    for &handle in &b.handles {
                        let socket = b.sockets.get_mut::<Socket>(handle);
                        while socket.can_recv() {
                            got += socket.recv(|buffer| (buffer.len(), buffer.len())).unwrap();
                        }
                    }
                    b.iface.poll(now, &mut b.nic, &mut b.sockets);
                    a.nic.inbox.extend(b.nic.outbox.drain(..));
                }
            }
        }
    };
}

stack!(patched);
stack!(stock);

/// Processor time of this thread.
fn cpu() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a local of the right type.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() {
    let mut args = std::env::args().skip(1);
    let first = args.next().unwrap_or_else(|| "21".into());
    let only = args.next();
    if first == "ours" || first == "stock" {
        let case = CASES.iter().find(|case| Some(case.name) == only.as_deref()).expect("a case");
        let run = if first == "ours" { patched::run } else { stock::run };
        println!("{:.2} Gb/CPU-s", run(case, Duration::MAX, 100_000_000));
        return;
    }
    let pairs: usize = first.parse().expect("number of pairs");
    let length = Duration::from_millis(250);
    let mut low = false;
    for case in CASES.iter().filter(|case| only.as_ref().is_none_or(|name| name == case.name)) {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for pair in 0..pairs {
            if pair % 2 == 0 {
                ours.push(patched::run(case, length, usize::MAX));
                theirs.push(stock::run(case, length, usize::MAX));
            } else {
                theirs.push(stock::run(case, length, usize::MAX));
                ours.push(patched::run(case, length, usize::MAX));
            }
        }
        let ratios: Vec<f64> = ours.iter().zip(&theirs).map(|(a, b)| a / b).collect();
        let worst = ratios.iter().copied().fold(f64::INFINITY, f64::min);
        let ratio = median(ratios);
        println!(
            r#"{{"name": "smoltcp-{}", "better": "higher", "ours": {:.2}, "peer": {:.2}, "unit": "Gb/CPU-s", "ratio": {ratio:.3}, "worst": {worst:.3}, "runs": {pairs}}}"#,
            case.name,
            median(ours),
            median(theirs)
        );
        low |= ratio < FLOOR;
    }
    if low {
        eprintln!("below {FLOOR} of stock");
        std::process::exit(1);
    }
}
