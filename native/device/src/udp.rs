//! The UDP sockets of the data plane, IPv4 and IPv6 on one port: batched by segmentation offload out and by receive offload
//! in where the system has them (quinn-udp), one datagram a call where not.
//!
//! A send that fails for the offload's sake (EIO, EINVAL: a network card or tunnel without it) is done again one by one, and
//! quinn-udp stops offloading on that socket. A full socket buffer is waited for briefly, then the run is dropped and counted.

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use mio::event::Source;
use mio::net::UdpSocket;
use mio::{Interest, Registry, Token};
use quinn_udp::{RecvMeta, Transmit, UdpSockRef};

use crate::batch::{Batch, Run};
pub use crate::socket::Options;
use crate::socket::{Bound, bind_pair};

/// One receive buffer: the greatest run that receive offload makes.
const RECV_BYTES: usize = 65_536;
/// Runs taken by one system call.
const RECV_RUNS: usize = 8;
const FULL_PATIENCE: Duration = Duration::from_millis(2);
/// A destination that fails again for the same reason within this time is told once.
const SAME_ERROR: Duration = Duration::from_millis(250);
const ERRORS_KEPT: usize = 64;
/// Receive errors in a row after which the socket is left alone until something arrives.
const RECEIVE_ERRORS: u32 = 64;

/// Why a datagram could not be sent, as far as path finding cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendError {
    Unreachable,
    Permission,
    /// The socket itself is of no use any more: it takes another one.
    Broken,
    TooBig,
    Full,
    Other,
}

#[derive(Clone, Debug, Default)]
pub struct UdpCounters {
    pub udp_out_runs: u64,
    pub udp_out_bytes: u64,
    pub udp_out_full: u64,
    pub udp_out_errors: u64,
    pub udp_out_unsplit: u64,
    pub udp_in_runs: u64,
    pub udp_in_bytes: u64,
    pub udp_in_errors: u64,
}

struct One {
    bound: Arc<Bound>,
    batch: Batch,
}

/// The sockets, IPv4 first, for another thread that sends. Whoever sends holds the lock, so that they can be closed at once.
#[derive(Default)]
pub struct Lent(pub(crate) RwLock<[Option<Arc<Bound>>; 2]>);

impl Lent {
    fn set(&self, sockets: [Option<Arc<Bound>>; 2]) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = sockets;
    }
}

/// Both sockets with their batches.
pub struct Udp {
    v4: Option<One>,
    v6: Option<One>,
    options: Options,
    lent: Arc<Lent>,
    buffers: Vec<BytesMut>,
    /// Runs that were read, and how many of them were taken.
    runs: usize,
    taken: usize,
    meta: [RecvMeta; RECV_RUNS],
    errors: Errors,
    receive_errors: u32,
    pub counters: UdpCounters,
}

/// Destinations that failed: what is to be told, and what was told lately.
#[derive(Default)]
pub(crate) struct Errors {
    pub(crate) untold: Vec<(SocketAddr, SendError)>,
    told: Vec<(SocketAddr, SendError, Instant)>,
}

impl Errors {
    pub(crate) fn note(&mut self, to: SocketAddr, why: SendError) {
        let now = Instant::now();
        self.told
            .retain(|(_, _, at)| now.duration_since(*at) < SAME_ERROR);
        let is_known = |known: &SocketAddr, reason: SendError| *known == to && reason == why;
        if self.told.iter().any(|(addr, why, _)| is_known(addr, *why))
            || self.told.len() >= ERRORS_KEPT
        {
            return;
        }
        self.told.push((to, why, now));
        self.untold.push((to, why));
    }
}

impl Udp {
    /// Binds both families on `port`; port 0 or one that is taken gives any port. A family may be missing.
    pub fn bind(port: u16, options: Options) -> io::Result<Udp> {
        let (v4, v6) = open(&[port], &options)?;
        Ok(Udp {
            v4,
            v6,
            options,
            lent: Arc::default(),
            buffers: Vec::new(),
            runs: 0,
            taken: 0,
            meta: [RecvMeta::default(); RECV_RUNS],
            errors: Errors::default(),
            receive_errors: 0,
            counters: UdpCounters::default(),
        })
    }

    /// Closes the sockets and binds anew, on the first of `ports` that is free, else on any; a family that came since is there
    /// from now on. The caller registers again. After a failure there are no sockets.
    pub fn rebind(&mut self, ports: &[u16]) -> io::Result<()> {
        self.lent.set([None, None]);
        self.v4 = None;
        self.v6 = None;
        self.errors = Errors::default();
        (self.v4, self.v6) = open(ports, &self.options)?;
        Ok(())
    }

    pub fn port(&self) -> u16 {
        let one = self.v4.as_ref().or(self.v6.as_ref());
        one.and_then(|one| one.bound.socket.local_addr().ok())
            .map_or(0, |addr| addr.port())
    }

    pub fn has_v6(&self) -> bool {
        self.v6.is_some()
    }

    pub fn register(&mut self, registry: &Registry, v4: Token, v6: Token) -> io::Result<()> {
        for (one, token) in [(&mut self.v4, v4), (&mut self.v6, v6)] {
            // Nobody else has them before they are registered.
            let bound = one.as_mut().and_then(|one| Arc::get_mut(&mut one.bound));
            if let Some(bound) = bound {
                let interest = Interest::READABLE;
                bound.socket.register(registry, token, interest)?;
            }
        }
        let share = |one: &Option<One>| one.as_ref().map(|one| Arc::clone(&one.bound));
        self.lent.set([share(&self.v4), share(&self.v6)]);
        Ok(())
    }

    /// The sockets as they are at any time, for a `Sender` on another thread.
    pub fn lent(&self) -> Arc<Lent> {
        Arc::clone(&self.lent)
    }

    /// Marks the sockets, and those that replace them; none = no mark.
    pub fn set_mark(&mut self, mark: Option<u32>) -> io::Result<()> {
        // Even "no mark" asks for rights.
        if mark == self.options.mark {
            return Ok(());
        }
        for one in [&self.v4, &self.v6].into_iter().flatten() {
            one.bound.set_mark(mark.unwrap_or(0))?;
        }
        self.options.mark = mark;
        Ok(())
    }

    /// Puts a datagram into its socket's run, sending the run before it when it does not fit.
    #[inline]
    pub fn push(&mut self, to: SocketAddr, datagram: &[u8]) {
        if let Some(batch) = self.room(to, datagram.len()) {
            batch.push(to, datagram);
        }
    }

    /// The same for a datagram of two parts.
    #[inline]
    pub fn push_headed(&mut self, to: SocketAddr, header: &[u8], rest: &[u8]) {
        if let Some(batch) = self.room(to, header.len() + rest.len()) {
            batch.push_headed(to, header, rest);
        }
    }

    /// The run that a datagram of `len` bytes may join; none without a socket of that family.
    #[inline]
    fn room(&mut self, to: SocketAddr, len: usize) -> Option<&mut Batch> {
        let one = if to.is_ipv4() {
            &mut self.v4
        } else {
            &mut self.v6
        };
        let Some(one) = one else {
            self.counters.udp_out_errors += 1;
            self.errors.note(to, SendError::Unreachable);
            return None;
        };
        let max_segments = one.bound.state.max_gso_segments();
        if !one.batch.accepts(to, len, max_segments) {
            flush(one, &mut self.errors, &mut self.counters);
        }
        Some(&mut one.batch)
    }

    /// Sends what is gathered.
    pub fn flush(&mut self) {
        for one in [&mut self.v4, &mut self.v6].into_iter().flatten() {
            flush(one, &mut self.errors, &mut self.counters);
        }
    }

    /// Destinations that failed since the last call, with why.
    pub fn take_errors(&mut self) -> Vec<(SocketAddr, SendError)> {
        std::mem::take(&mut self.errors.untold)
    }

    /// Reads one batch from the IPv4 or IPv6 socket and gives every datagram with its memory to `each`; false when the socket
    /// had nothing more.
    pub fn receive(&mut self, v6: bool, each: impl FnMut(&mut Udp, SocketAddr, BytesMut)) -> bool {
        let more = self.read(v6);
        self.take(each);
        more
    }

    /// The first half of `receive`, which waits for nobody but the system.
    pub fn read(&mut self, v6: bool) -> bool {
        let one = if v6 { &mut self.v6 } else { &mut self.v4 };
        (self.runs, self.taken) = (0, 0);
        let Some(one) = one else { return false };
        let buffers = &mut self.buffers;
        buffers.resize_with(RECV_RUNS, BytesMut::new);
        buffers.iter_mut().for_each(refill);
        let result = {
            let mut slices: [IoSliceMut<'_>; RECV_RUNS] = {
                let mut rest = buffers.iter_mut();
                std::array::from_fn(|_| {
                    IoSliceMut::new(rest.next().map_or(&mut [][..], |buffer| &mut buffer[..]))
                })
            };
            let Bound { socket, state } = &*one.bound;
            let meta = &mut self.meta;
            socket.try_io(|| state.recv(UdpSockRef::from(socket), &mut slices, meta))
        };
        match result {
            Ok(count) => {
                self.receive_errors = 0;
                self.runs = count;
                // On Linux fewer runs than asked for means that the socket ran dry; the next arrival is a new readiness event.
                !cfg!(target_os = "linux") || count == RECV_RUNS
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => false,
            Err(_) => {
                // An ICMP error of an earlier send surfaces here; the next read goes on.
                self.counters.udp_in_errors += 1;
                self.receive_errors += 1;
                !self.receive_errors.is_multiple_of(RECEIVE_ERRORS)
            }
        }
    }

    /// The second half of `receive`.
    fn take(&mut self, mut each: impl FnMut(&mut Udp, SocketAddr, BytesMut)) {
        while self.take_run(&mut each) {}
    }

    /// Gives the datagrams of the next run that was read to `each`; false when there is none.
    pub fn take_run(&mut self, mut each: impl FnMut(&mut Udp, SocketAddr, BytesMut)) -> bool {
        if self.taken == self.runs {
            return false;
        }
        let at = self.taken;
        self.taken += 1;
        let meta = self.meta[at];
        let mut buffer = std::mem::take(&mut self.buffers[at]);
        self.counters.udp_in_runs += 1;
        self.counters.udp_in_bytes += meta.len as u64;
        split_run(&mut buffer, &meta, |from, datagram| {
            each(self, from, datagram);
        });
        self.buffers[at] = buffer;
        true
    }
}

fn open(ports: &[u16], options: &Options) -> io::Result<(Option<One>, Option<One>)> {
    let (v4, v6) = bind_pair(ports, options)?;
    let one = |bound: Bound| One {
        bound: Arc::new(bound),
        batch: Batch::default(),
    };
    Ok((v4.map(one), v6.map(one)))
}

/// Cuts a received run into its datagrams, without copying; an empty datagram is one too.
fn split_run(buffer: &mut BytesMut, meta: &RecvMeta, mut each: impl FnMut(SocketAddr, BytesMut)) {
    let from = unmapped(meta.addr);
    let mut run = buffer.split_to(meta.len.min(buffer.len()));
    if run.is_empty() {
        each(from, run);
        return;
    }
    let stride = meta.stride.max(1);
    while run.len() > stride {
        each(from, run.split_to(stride));
    }
    each(from, run);
}

fn unmapped(addr: SocketAddr) -> SocketAddr {
    match addr.ip() {
        IpAddr::V6(ip) => ip
            .to_ipv4_mapped()
            .map_or(addr, |ip| SocketAddr::new(IpAddr::V4(ip), addr.port())),
        IpAddr::V4(_) => addr,
    }
}

/// Makes a receive buffer whole again: the same memory when nobody holds a piece of it, else new memory.
fn refill(buffer: &mut BytesMut) {
    if buffer.len() == RECV_BYTES {
        return;
    }
    buffer.clear();
    if buffer.capacity() >= RECV_BYTES || buffer.try_reclaim(RECV_BYTES) {
        // SAFETY: this memory was made by `BytesMut::zeroed(RECV_BYTES)` below and `try_reclaim` never allocates, so all
        // RECV_BYTES of it were initialised then and have only been written since.
        unsafe { buffer.set_len(RECV_BYTES) };
    } else {
        *buffer = BytesMut::zeroed(RECV_BYTES);
    }
}

fn flush(one: &mut One, errors: &mut Errors, counters: &mut UdpCounters) {
    let One { bound, batch } = one;
    batch.take(|run| {
        counters.udp_out_runs += 1;
        counters.udp_out_bytes += run.bytes.len() as u64;
        if let Err(why) = send_run(bound, &run, counters) {
            counters.udp_out_errors += 1;
            if why == SendError::Full {
                counters.udp_out_full += 1;
            } else {
                errors.note(run.to, why);
            }
        }
    });
}

pub(crate) fn send_run(
    bound: &Bound,
    run: &Run<'_>,
    counters: &mut UdpCounters,
) -> Result<(), SendError> {
    let several = run.bytes.len() > run.segment;
    // A socket that was refused once says so; a sender that gathered before it did learns it here.
    if several && bound.state.max_gso_segments() < 2 {
        return send_each(bound, run);
    }
    match send(bound, run.to, run.bytes, several.then_some(run.segment)) {
        Err(error) if several && offload_refused(&error) => {
            counters.udp_out_unsplit += 1;
            send_each(bound, run)
        }
        Err(error) => Err(reason(&error)),
        Ok(()) => Ok(()),
    }
}

fn send_each(bound: &Bound, run: &Run<'_>) -> Result<(), SendError> {
    let mut result = Ok(());
    for datagram in run.bytes.chunks(run.segment.max(1)) {
        if let Err(error) = send(bound, run.to, datagram, None) {
            result = Err(reason(&error));
        }
    }
    result
}

fn send(
    Bound { socket, state }: &Bound,
    to: SocketAddr,
    bytes: &[u8],
    segment: Option<usize>,
) -> io::Result<()> {
    let transmit = Transmit {
        destination: to,
        ecn: None,
        contents: bytes,
        segment_size: segment,
        src_ip: None,
    };
    let mut waited = false;
    loop {
        match state.try_send(UdpSockRef::from(socket), &transmit) {
            Err(error) if is_full(&error) && !waited => {
                waited = true;
                wait_writable(socket, FULL_PATIENCE);
            }
            other => return other,
        }
    }
}

fn is_full(error: &io::Error) -> bool {
    #[cfg(unix)]
    if error.raw_os_error() == Some(libc::ENOBUFS) {
        return true;
    }
    error.kind() == io::ErrorKind::WouldBlock
}

fn offload_refused(error: &io::Error) -> bool {
    #[cfg(unix)]
    return matches!(
        error.raw_os_error(),
        Some(libc::EIO | libc::EINVAL | libc::EMSGSIZE)
    );
    #[cfg(not(unix))]
    return error.kind() == io::ErrorKind::InvalidInput;
}

fn reason(error: &io::Error) -> SendError {
    #[cfg(unix)]
    match error.raw_os_error() {
        Some(libc::EMSGSIZE) => return SendError::TooBig,
        Some(libc::EHOSTUNREACH | libc::ENETUNREACH | libc::ENETDOWN | libc::EADDRNOTAVAIL) => {
            return SendError::Unreachable;
        }
        Some(libc::EPIPE | libc::ENOTCONN | libc::EBADF | libc::ENOTSOCK) => {
            return SendError::Broken;
        }
        _ => {}
    }
    match error.kind() {
        io::ErrorKind::PermissionDenied => SendError::Permission,
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
            SendError::Unreachable
        }
        _ if is_full(error) => SendError::Full,
        _ => SendError::Other,
    }
}

#[cfg(unix)]
fn wait_writable(socket: &UdpSocket, patience: Duration) {
    use std::os::fd::AsRawFd;
    let mut poll = libc::pollfd {
        fd: socket.as_raw_fd(),
        events: libc::POLLOUT,
        revents: 0,
    };
    // SAFETY: one valid pollfd of a descriptor that outlives the call.
    unsafe { libc::poll(&mut poll, 1, patience.as_millis() as libc::c_int) };
}

#[cfg(not(unix))]
fn wait_writable(_socket: &UdpSocket, patience: Duration) {
    std::thread::sleep(patience);
}
