//! Two TCP sockets joined by two lossy one-way paths, in virtual time: nothing sleeps, and a seed repeats a run exactly.
//!
//! Each step advances the clock to the next arrival or timer, delivers what is due, polls both ends and lets the application
//! read and write (and polls again, as room made by an acknowledgement must be seen). If there is neither a packet under way nor
//! a timer, the connection is dead, and the step says so.
#![allow(dead_code)]

use std::cell::Cell;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::phy::{self, ChecksumCapabilities, Device, DeviceCapabilities, Medium};
use smoltcp::socket::tcp::{self, CongestionControl};
use smoltcp::time::Instant;
use smoltcp::wire::{HardwareAddress, IpAddress, IpCidr};

pub const MTU: usize = 1280;

/// SplitMix64.
#[derive(Clone)]
pub struct Rng(u64);

impl Rng {
    pub fn new(seed: u64) -> Rng {
        Rng(seed.wrapping_mul(0x2545_f491_4f6c_dd1d) ^ 0x9e37_79b9_7f4a_7c15)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// True once in `1 / p`.
    pub fn chance(&mut self, p: f64) -> bool {
        p > 0.0 && ((self.next() >> 11) as f64) < p * (1u64 << 53) as f64
    }

    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
}

/// One direction of the link.
#[derive(Clone, Copy)]
pub struct Path {
    /// One-way delay, microseconds.
    pub delay: i64,
    /// Bits a second; `None`: no serialisation, whole windows arrive at once.
    pub rate: Option<u64>,
    /// Bytes that wait for the rate; more are dropped at the tail.
    pub queue: usize,
    pub loss: f64,
    pub duplicate: f64,
    /// Share of packets that take `late_by` microseconds longer (up to that, if `late_varies`).
    pub late: f64,
    pub late_by: i64,
    pub late_varies: bool,
}

impl Path {
    pub fn clean(delay_ms: i64) -> Path {
        Path {
            delay: delay_ms * 1000,
            rate: None,
            queue: usize::MAX,
            loss: 0.0,
            duplicate: 0.0,
            late: 0.0,
            late_by: 0,
            late_varies: false,
        }
    }
}

struct Wire {
    path: Path,
    rng: Rng,
    /// Nanoseconds at which the rate is free again.
    busy: i64,
    /// Packets in order of arrival, and those that come late.
    queue: VecDeque<(i64, Vec<u8>)>,
    late: BinaryHeap<Reverse<(i64, u64, Vec<u8>)>>,
    count: u64,
    dropped: u64,
}

impl Wire {
    fn new(path: Path, seed: u64) -> Wire {
        Wire {
            path,
            rng: Rng::new(seed),
            busy: 0,
            queue: VecDeque::new(),
            late: BinaryHeap::new(),
            count: 0,
            dropped: 0,
        }
    }

    fn push(&mut self, now: i64, packet: Vec<u8>, pool: &mut Vec<Vec<u8>>) {
        self.count += 1;
        let mut leaves = now * 1000;
        if let Some(rate) = self.path.rate {
            let waiting = (self.busy - leaves).max(0) as u128 * rate as u128 / 8_000_000_000;
            if waiting as usize + packet.len() > self.path.queue {
                self.dropped += 1;
                pool.push(packet);
                return;
            }
            leaves = leaves.max(self.busy) + packet.len() as i64 * 8_000_000_000 / rate as i64;
            self.busy = leaves;
        }
        if self.rng.chance(self.path.loss) {
            self.dropped += 1;
            pool.push(packet);
            return;
        }
        let mut at = leaves / 1000 + self.path.delay;
        if self.rng.chance(self.path.duplicate) {
            self.late
                .push(Reverse((at + 1, self.count, packet.clone())));
        }
        if self.rng.chance(self.path.late) {
            at += if self.path.late_varies {
                self.rng.below(self.path.late_by as u64 + 1) as i64
            } else {
                self.path.late_by
            };
            self.late.push(Reverse((at, self.count, packet)));
        } else {
            self.queue.push_back((at, packet));
        }
    }

    fn next(&self) -> Option<i64> {
        let queue = self.queue.front().map(|(at, _)| *at);
        let late = self.late.peek().map(|Reverse((at, _, _))| *at);
        [queue, late].into_iter().flatten().min()
    }

    fn pop(&mut self, now: i64) -> Option<Vec<u8>> {
        let next = self.next().filter(|at| *at <= now)?;
        if self.queue.front().is_some_and(|(at, _)| *at == next) {
            self.queue.pop_front().map(|(_, packet)| packet)
        } else {
            self.late.pop().map(|Reverse((_, _, packet))| packet)
        }
    }
}

/// A network device: what was received and not yet processed, what was sent and is not yet on the wire.
pub struct Nic {
    pub inbox: VecDeque<Vec<u8>>,
    pub outbox: Vec<Vec<u8>>,
    pub pool: Vec<Vec<u8>>,
}

impl Device for Nic {
    type RxToken<'a> = Rx;
    type TxToken<'a> = Tx<'a>;

    fn capabilities(&self) -> DeviceCapabilities {
        let mut caps = DeviceCapabilities::default();
        caps.max_transmission_unit = MTU;
        caps.medium = Medium::Ip;
        caps.checksum = ChecksumCapabilities::ignored();
        caps
    }

    fn receive(&mut self, _: Instant) -> Option<(Rx, Tx<'_>)> {
        let packet = self.inbox.pop_front()?;
        Some((
            Rx(packet),
            Tx {
                outbox: &mut self.outbox,
                pool: &mut self.pool,
            },
        ))
    }

    fn transmit(&mut self, _: Instant) -> Option<Tx<'_>> {
        Some(Tx {
            outbox: &mut self.outbox,
            pool: &mut self.pool,
        })
    }
}

pub struct Rx(Vec<u8>);

impl phy::RxToken for Rx {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(&self.0)
    }
}

pub struct Tx<'a> {
    outbox: &'a mut Vec<Vec<u8>>,
    pool: &'a mut Vec<Vec<u8>>,
}

impl phy::TxToken for Tx<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let mut packet = self.pool.pop().unwrap_or_default();
        packet.resize(len, 0);
        let result = f(&mut packet);
        self.outbox.push(packet);
        result
    }
}

pub struct Node {
    pub nic: Nic,
    pub iface: Interface,
    pub sockets: SocketSet<'static>,
    pub handle: SocketHandle,
}

impl Node {
    pub fn socket(&mut self) -> &mut tcp::Socket<'static> {
        self.sockets.get_mut(self.handle)
    }

    fn poll(&mut self, now: Instant) {
        self.iface.poll(now, &mut self.nic, &mut self.sockets);
    }
}

#[derive(Clone, Copy)]
pub struct Setup {
    pub there: Path,
    pub back: Path,
    pub buffer: usize,
    pub control: CongestionControl,
    pub sack: bool,
    pub timestamps: bool,
    pub seed: u64,
    /// Where the random generator of both interfaces starts (initial sequence numbers).
    pub iss_seed: u64,
    /// Microseconds for which the receivers read nothing, and read, in turn.
    pub pause: Option<i64>,
}

impl Setup {
    pub fn new(there: Path, back: Path, seed: u64) -> Setup {
        Setup {
            there,
            back,
            buffer: 1 << 20,
            control: CongestionControl::Cubic,
            sack: true,
            timestamps: false,
            seed,
            iss_seed: seed,
            pause: None,
        }
    }
}

thread_local! {
    static CLOCK_MS: Cell<u32> = const { Cell::new(0) };
}

pub struct Pair {
    pub now: i64,
    pub a: Node,
    pub b: Node,
    there: Wire,
    back: Wire,
    sack: bool,
    /// The application wants to be called at multiples of this.
    pause: Option<i64>,
    /// Steps without progress of the clock.
    stuck: u32,
}

fn node(setup: &Setup, host: u8) -> Node {
    let mut nic = Nic {
        inbox: VecDeque::new(),
        outbox: Vec::new(),
        pool: Vec::new(),
    };
    let mut config = Config::new(HardwareAddress::Ip);
    config.random_seed = setup.iss_seed.wrapping_mul(31).wrapping_add(host as u64);
    let mut iface = Interface::new(config, &mut nic, Instant::ZERO);
    iface.update_ip_addrs(|addrs| {
        addrs
            .push(IpCidr::new(IpAddress::v4(10, 0, 0, host), 24))
            .unwrap()
    });
    let mut socket = tcp::Socket::new(
        tcp::SocketBuffer::new(vec![0; setup.buffer]),
        tcp::SocketBuffer::new(vec![0; setup.buffer]),
    );
    socket.set_congestion_control(setup.control);
    if setup.timestamps {
        socket.set_tsval_generator(Some(|| CLOCK_MS.with(Cell::get)));
    }
    let mut sockets = SocketSet::new(Vec::new());
    let handle = sockets.add(socket);
    Node {
        nic,
        iface,
        sockets,
        handle,
    }
}

/// Blank the SACK-permitted option of a SYN.
fn forbid_sack(packet: &mut [u8]) {
    let tcp = 20;
    if packet.len() < tcp + 20 || packet[tcp + 13] & 2 == 0 {
        return;
    }
    let end = tcp + (packet[tcp + 12] >> 4) as usize * 4;
    let mut at = tcp + 20;
    while at < end {
        match packet[at] {
            0 => break,
            1 => at += 1,
            4 => {
                packet[at] = 1;
                packet[at + 1] = 1;
                at += 2;
            }
            _ => at += packet[at + 1] as usize,
        }
    }
}

impl Pair {
    pub fn new(setup: &Setup) -> Pair {
        let mut a = node(setup, 1);
        let mut b = node(setup, 2);
        b.socket().listen(80).unwrap();
        let Node {
            iface,
            sockets,
            handle,
            ..
        } = &mut a;
        sockets
            .get_mut::<tcp::Socket>(*handle)
            .connect(iface.context(), (IpAddress::v4(10, 0, 0, 2), 80), 50000)
            .unwrap();
        Pair {
            now: 0,
            a,
            b,
            there: Wire::new(setup.there, setup.seed * 2 + 1),
            back: Wire::new(setup.back, setup.seed * 2 + 2),
            sack: setup.sack,
            pause: setup.pause,
            stuck: 0,
        }
    }

    pub fn packets(&self) -> (u64, u64) {
        (self.there.count, self.there.dropped)
    }

    /// One step; `app` serves each end, and `meddle` sees each packet as it is sent (from A?).
    pub fn step(
        &mut self,
        app: &mut dyn FnMut(bool, i64, &mut tcp::Socket<'static>),
        meddle: &mut dyn FnMut(bool, &mut Vec<u8>) -> Vec<Vec<u8>>,
    ) -> Result<(), String> {
        let now = Instant::from_micros(self.now);
        CLOCK_MS.with(|clock| clock.set((self.now / 1000) as u32));
        while let Some(packet) = self.there.pop(self.now) {
            self.b.nic.inbox.push_back(packet);
        }
        while let Some(packet) = self.back.pop(self.now) {
            self.a.nic.inbox.push_back(packet);
        }
        for (is_a, node, wire) in [
            (true, &mut self.a, &mut self.there),
            (false, &mut self.b, &mut self.back),
        ] {
            node.poll(now);
            app(is_a, self.now, node.socket());
            node.poll(now);
            let Nic { outbox, pool, .. } = &mut node.nic;
            for mut packet in outbox.drain(..) {
                if !self.sack {
                    forbid_sack(&mut packet);
                }
                for extra in meddle(is_a, &mut packet) {
                    wire.push(self.now, extra, pool);
                }
                wire.push(self.now, packet, pool);
            }
        }
        let at = |node: &mut Node| {
            node.iface
                .poll_at(now, &node.sockets)
                .map(|at| at.total_micros())
        };
        let next = [
            self.there.next(),
            self.back.next(),
            at(&mut self.a),
            at(&mut self.b),
            self.pause.map(|pause| (self.now / pause + 1) * pause),
        ]
        .into_iter()
        .flatten()
        .min();
        let states = format_args!(
            "A {} B {}",
            self.a.socket().state(),
            self.b.socket().state()
        )
        .to_string();
        match next {
            None => {
                return Err(format!(
                    "no packet and no timer at {} us: {states}",
                    self.now
                ));
            }
            Some(next) if next > self.now => {
                self.now = next;
                self.stuck = 0;
            }
            Some(_) => {
                self.stuck += 1;
                if self.stuck > 10_000 {
                    return Err(format!("polls for ever at {} us: {states}", self.now));
                }
            }
        }
        Ok(())
    }
}

/// The pattern of all byte-exact transfers; the two directions start at different places of it.
fn pattern(at: usize, buffer: &mut [u8]) {
    for (i, byte) in buffer.iter_mut().enumerate() {
        let x = (at + i) as u32;
        *byte = (x.wrapping_mul(0x9e37_79b9) >> 24) as u8 ^ (x >> 16) as u8;
    }
}

/// One direction of a transfer with an end.
struct Stream {
    total: usize,
    base: usize,
    written: usize,
    read: usize,
    finished: bool,
}

impl Stream {
    fn write(&mut self, socket: &mut tcp::Socket) {
        while self.written < self.total && socket.can_send() {
            let at = self.base + self.written;
            let left = self.total - self.written;
            let n = socket
                .send(|buffer| {
                    let n = buffer.len().min(left);
                    pattern(at, &mut buffer[..n]);
                    (n, n)
                })
                .unwrap();
            if n == 0 {
                break;
            }
            self.written += n;
        }
        if self.written == self.total && socket.may_send() {
            socket.close();
        }
    }

    fn read(&mut self, socket: &mut tcp::Socket) -> Result<(), String> {
        loop {
            let at = self.base + self.read;
            let result = socket.recv(|buffer| {
                let mut want = vec![0; buffer.len()];
                pattern(at, &mut want);
                (buffer.len(), (buffer.len(), want == *buffer))
            });
            match result {
                Ok((0, _)) => return Ok(()),
                Ok((n, true)) => self.read += n,
                Ok((_, false)) => return Err(format!("wrong bytes after {}", self.read)),
                Err(tcp::RecvError::Finished) => {
                    if !self.finished && self.read != self.total {
                        return Err(format!("ended after {} of {} bytes", self.read, self.total));
                    }
                    self.finished = true;
                    return Ok(());
                }
                Err(tcp::RecvError::InvalidState) => return Ok(()),
            }
        }
    }
}

fn no_meddling(_: bool, _: &mut Vec<u8>) -> Vec<Vec<u8>> {
    Vec::new()
}

/// Send `there` bytes from A to B and `back` bytes from B to A, close both ways, check every byte; microseconds until both have
/// all and A's side is closed.
pub fn transfer(setup: &Setup, there: usize, back: usize, limit_s: i64) -> Result<i64, String> {
    transfer_meddled(setup, there, back, limit_s, &mut no_meddling)
}

pub fn transfer_meddled(
    setup: &Setup,
    there: usize,
    back: usize,
    limit_s: i64,
    meddle: &mut dyn FnMut(bool, &mut Vec<u8>) -> Vec<Vec<u8>>,
) -> Result<i64, String> {
    let mut pair = Pair::new(setup);
    let stream = |total, base| Stream {
        total,
        base,
        written: 0,
        read: 0,
        finished: false,
    };
    let mut ab = stream(there, 0);
    let mut ba = stream(back, 77_777);
    loop {
        let mut bad = Ok(());
        let now = pair.now;
        pair.step(
            &mut |is_a, _, socket| {
                let (out, inn) = if is_a {
                    (&mut ab, &mut ba)
                } else {
                    (&mut ba, &mut ab)
                };
                let reads = setup.pause.is_none_or(|pause| now / pause % 2 == 1);
                if reads && let Err(why) = inn.read(socket) {
                    bad = Err(why);
                }
                out.write(socket);
            },
            meddle,
        )
        .map_err(|why| {
            format!(
                "{why}; A wrote {} B read {} ({}), B wrote {} A read {} ({})",
                ab.written, ab.read, ab.finished, ba.written, ba.read, ba.finished
            )
        })?;
        bad?;
        let over = |state| matches!(state, tcp::State::Closed | tcp::State::TimeWait);
        let (state_a, state_b) = (pair.a.socket().state(), pair.b.socket().state());
        if ab.finished && ba.finished && over(state_a) && over(state_b) {
            return Ok(now);
        }
        if pair.now > limit_s * 1_000_000 {
            return Err(format!(
                "not over after {limit_s} s: A {state_a} B {state_b}, {} of {there} and {} of {back} bytes",
                ab.read, ba.read
            ));
        }
    }
}

/// Megabits a second from A to B over `seconds` of endless sending.
pub fn throughput(setup: &Setup, seconds: i64) -> f64 {
    let mut pair = Pair::new(setup);
    let mut got = 0u64;
    while pair.now < seconds * 1_000_000 {
        pair.step(
            &mut |is_a, _, socket| {
                if is_a {
                    while socket.can_send() {
                        let _ = socket.send(|buffer| (buffer.len(), ()));
                    }
                } else {
                    while socket.can_recv() {
                        got += socket.recv(|buffer| (buffer.len(), buffer.len())).unwrap() as u64;
                    }
                }
            },
            &mut no_meddling,
        )
        .unwrap();
    }
    got as f64 * 8.0 / (seconds * 1_000_000) as f64
}

/// The whole set, if `BOWLINE_FULL=1`.
pub fn full() -> bool {
    std::env::var_os("BOWLINE_FULL").is_some_and(|value| value == "1")
}

pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The sequence number of the first SYN of A, for this `iss_seed`.
pub fn first_sequence(setup: &Setup) -> u32 {
    let tiny = Setup {
        buffer: 16,
        ..*setup
    };
    let mut pair = Pair::new(&tiny);
    pair.a.poll(Instant::ZERO);
    let syn = &pair.a.nic.outbox[0];
    u32::from_be_bytes(syn[24..28].try_into().unwrap())
}

/// Offset of the TCP options of an IPv4 packet, and their end.
pub fn tcp_options(packet: &[u8]) -> (usize, usize) {
    (40, 20 + (packet[32] >> 4) as usize * 4)
}
