//! A link between two network namespaces with delay and independent loss each way.
//!
//!     lossy-link NAMESPACE-A NAMESPACE-B DEVICE
//!
//! Makes a TUN device of that name in both namespaces and carries packets from one to the other. Prints `ready`, then takes
//! lines on standard input: `set DELAY_US LOSS_PPM SEED` (each way; the random series starts anew) and `stats`, which prints
//! one line of JSON. Ends when standard input closes. Linux, root.
//!
//! Each way is one thread: it waits for a packet or for the moment the oldest one is due, never both busily. A packet that
//! finds the queue full is dropped and counted apart from the loss that was asked for.

use std::collections::VecDeque;
use std::ffi::CString;
use std::io::{self, BufRead, Write};
use std::os::fd::RawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Packets that may wait in one direction: 4 Gb/s at 20 ms are under 7,000 of 1500 B.
const QUEUE_PACKETS: usize = 50_000;
const PACKET_BYTES: usize = 2048;

const TUNSETIFF: libc::c_ulong = 0x4004_54ca;

#[derive(Default)]
struct Shared {
    delay_us: AtomicU64,
    loss_ppm: AtomicU64,
    seed: AtomicU64,
    generation: AtomicU64,
}

#[derive(Default)]
struct Counts {
    passed: AtomicU64,
    lost: AtomicU64,
    overflowed: AtomicU64,
}

fn check(result: libc::c_int, what: &str) -> libc::c_int {
    if result < 0 {
        eprintln!("lossy-link: {what}: {}", io::Error::last_os_error());
        std::process::exit(1);
    }
    result
}

/// Enters a named namespace and opens a TUN device there. The descriptor stays tied to that namespace.
fn open_tun(namespace: &str, device: &str) -> RawFd {
    let path = CString::new(format!("/var/run/netns/{namespace}")).expect("a name without zero bytes");
    // SAFETY: the paths are NUL-terminated and outlive the calls; `request` has the layout and size of struct ifreq.
    unsafe {
        let ns = check(libc::open(path.as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC), namespace);
        check(libc::setns(ns, libc::CLONE_NEWNET), "enter the namespace");
        libc::close(ns);
        let tun = check(
            libc::open(c"/dev/net/tun".as_ptr(), libc::O_RDWR | libc::O_NONBLOCK | libc::O_CLOEXEC),
            "/dev/net/tun",
        );
        let mut request = [0u8; 40];
        for (to, from) in request.iter_mut().zip(device.bytes().take(15)) {
            *to = from;
        }
        let flags = (libc::IFF_TUN | libc::IFF_NO_PI) as u16;
        request[16..18].copy_from_slice(&flags.to_ne_bytes());
        check(libc::ioctl(tun, TUNSETIFF as _, request.as_mut_ptr()), "make the TUN device");
        tun
    }
}

struct Packet {
    due: Instant,
    bytes: Vec<u8>,
}

struct Direction {
    from: RawFd,
    to: RawFd,
    salt: u64,
    shared: Arc<Shared>,
    counts: Arc<Counts>,
}

impl Direction {
    fn run(self) {
        let mut queue: VecDeque<Packet> = VecDeque::with_capacity(QUEUE_PACKETS);
        let mut spare: Vec<Vec<u8>> = Vec::new();
        let mut random = 1u64;
        let mut generation = u64::MAX;
        loop {
            wait(self.from, queue.front().map(|packet| packet.due));
            let now = Instant::now();
            let current = self.shared.generation.load(Ordering::Acquire);
            if current != generation {
                generation = current;
                random = self.shared.seed.load(Ordering::Relaxed).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ self.salt | 1;
            }
            let due = now + Duration::from_micros(self.shared.delay_us.load(Ordering::Relaxed));
            let loss_ppm = self.shared.loss_ppm.load(Ordering::Relaxed);
            for _ in 0..64 {
                let mut bytes = spare.pop().unwrap_or_else(|| vec![0; PACKET_BYTES]);
                bytes.resize(PACKET_BYTES, 0);
                // SAFETY: the buffer is PACKET_BYTES long and lives through the call.
                let size = unsafe { libc::read(self.from, bytes.as_mut_ptr().cast(), PACKET_BYTES) };
                let Ok(size) = usize::try_from(size) else {
                    spare.push(bytes);
                    break;
                };
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                if random % 1_000_000 < loss_ppm {
                    self.counts.lost.fetch_add(1, Ordering::Relaxed);
                    spare.push(bytes);
                } else if queue.len() >= QUEUE_PACKETS {
                    self.counts.overflowed.fetch_add(1, Ordering::Relaxed);
                    spare.push(bytes);
                } else {
                    bytes.truncate(size);
                    queue.push_back(Packet { due, bytes });
                }
            }
            let now = Instant::now();
            while queue.front().is_some_and(|packet| packet.due <= now) {
                let Some(packet) = queue.pop_front() else { break };
                // SAFETY: the buffer lives through the call.
                unsafe { libc::write(self.to, packet.bytes.as_ptr().cast(), packet.bytes.len()) };
                self.counts.passed.fetch_add(1, Ordering::Relaxed);
                if spare.len() < 4096 {
                    spare.push(packet.bytes);
                }
            }
        }
    }
}

/// Blocks until the descriptor is readable or the moment has come.
fn wait(fd: RawFd, until: Option<Instant>) {
    let mut poll = libc::pollfd {
        fd,
        events: libc::POLLIN,
        revents: 0,
    };
    let left = until.map_or(Duration::from_millis(100), |due| due.saturating_duration_since(Instant::now()));
    let timeout = libc::timespec {
        tv_sec: left.as_secs() as _,
        tv_nsec: left.subsec_nanos() as _,
    };
    // SAFETY: both structures live through the call; no signal mask is given.
    unsafe { libc::ppoll(&mut poll, 1, &timeout, std::ptr::null()) };
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [a, b, device] = words.as_slice() else {
        eprintln!("usage: lossy-link NAMESPACE-A NAMESPACE-B DEVICE");
        std::process::exit(2);
    };
    // SAFETY: prctl with these arguments touches no memory. Timers of this process fire within a microsecond or so.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1) };
    let (fd_a, fd_b) = (open_tun(a, device), open_tun(b, device));
    let shared = Arc::new(Shared::default());
    let counts = [Arc::new(Counts::default()), Arc::new(Counts::default())];
    for (index, (from, to)) in [(fd_a, fd_b), (fd_b, fd_a)].into_iter().enumerate() {
        let way = Direction {
            from,
            to,
            salt: 0x5851_f42d_4c95_7f2d * (index as u64 + 1),
            shared: shared.clone(),
            counts: counts[index].clone(),
        };
        std::thread::spawn(move || way.run());
    }
    println!("ready");
    for line in io::stdin().lock().lines().map_while(Result::ok) {
        let parts: Vec<&str> = line.split_whitespace().collect();
        match parts.as_slice() {
            ["set", delay_us, loss_ppm, seed] => {
                shared.delay_us.store(delay_us.parse().unwrap_or(0), Ordering::Relaxed);
                shared.loss_ppm.store(loss_ppm.parse().unwrap_or(0), Ordering::Relaxed);
                shared.seed.store(seed.parse().unwrap_or(1), Ordering::Relaxed);
                shared.generation.fetch_add(1, Ordering::Release);
                println!("set");
            }
            ["stats"] => {
                let text: Vec<String> = counts
                    .iter()
                    .map(|way| {
                        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
                        format!(
                            "{{\"passed\":{},\"lost\":{},\"overflowed\":{}}}",
                            read(&way.passed),
                            read(&way.lost),
                            read(&way.overflowed)
                        )
                    })
                    .collect();
                println!("[{}]", text.join(","));
            }
            _ => println!("unknown"),
        }
        let _ = io::stdout().flush();
    }
}
