//! Copies between a local socket and the rings of a TCP flow, with no buffer in between.
//!
//! Readiness is edge-triggered: `readable` and `writable` stay set until the socket said it would block
//! (or moved less than asked, which means the same for a stream). A read of 0 is the end of the local
//! side; any other failure is a reset.

use crate::local::LocalSocket;
use smoltcp::socket::tcp;
use std::io;
use std::sync::Arc;

/// The local side of one flow, with what is known about its readiness.
pub(crate) struct Splice {
    pub socket: LocalSocket,
    pub token: usize,
    pub readable: bool,
    pub read_closed: bool,
    pub writable: bool,
    /// The local side has sent all it ever will.
    pub local_done: bool,
    /// Everything of the remote side was delivered and the local side was told so.
    pub remote_done: bool,
    /// Goes to the local side before anything of the remote's.
    pub first_down: Vec<u8>,
    /// Goes to the remote side before anything else of the local's.
    pub first_up: Vec<u8>,
    /// Bytes of the local side that may still go up; what comes after is left unread.
    pub up_left: Option<u64>,
    /// How much of the send ring may be filled; grows with use.
    pub up_limit: usize,
    up_since_growth: usize,
    /// Of a connection at a forward: counts it as open.
    pub counted: Option<Arc<()>>,
}

/// The local side is broken: reset the flow.
pub(crate) struct LocalReset;

impl Splice {
    /// The flags start set: the first try finds out.
    pub fn new(socket: LocalSocket, token: usize, up_limit: usize) -> Splice {
        Splice {
            socket,
            token,
            readable: true,
            read_closed: true,
            writable: true,
            local_done: false,
            remote_done: false,
            first_down: Vec::new(),
            first_up: Vec::new(),
            up_left: None,
            up_limit,
            up_since_growth: 0,
            counted: None,
        }
    }

    /// Takes an edge from the poller.
    pub fn handle_ready(&mut self, event: &mio::event::Event) {
        self.readable |= event.is_readable() || event.is_read_closed() || event.is_error();
        self.read_closed |= event.is_read_closed() || event.is_error();
        self.writable |= event.is_writable() || event.is_write_closed() || event.is_error();
    }

    /// Moves what the remote sent to the local side, as far as that takes it.
    pub fn pump_down(&mut self, tcp: &mut tcp::Socket) -> Result<(), LocalReset> {
        while self.writable && !self.first_down.is_empty() {
            match self.socket.write(&self.first_down) {
                Ok(n) => drop(self.first_down.drain(..n)),
                Err(e) => self.note_write_error(&e)?,
            }
        }
        while self.writable && self.first_down.is_empty() && tcp.can_recv() {
            let socket = &self.socket;
            let moved = tcp.recv(|ring| match socket.write(ring) {
                Ok(n) => (n, Ok(n < ring.len())),
                Err(e) => (0, Err(e)),
            });
            match moved {
                Ok(Ok(short)) => self.writable = !short,
                Ok(Err(e)) => self.note_write_error(&e)?,
                Err(_) => break,
            }
        }
        Ok(())
    }

    fn note_write_error(&mut self, error: &io::Error) -> Result<(), LocalReset> {
        if error.kind() != io::ErrorKind::WouldBlock {
            return Err(LocalReset);
        }
        self.writable = false;
        Ok(())
    }

    /// Tells the local side that the remote has finished; call once all of its data was delivered.
    pub fn finish_down(&mut self) {
        if !self.remote_done && self.first_down.is_empty() {
            self.socket.shutdown_write();
            self.remote_done = true;
        }
    }

    /// Fills the send ring from the local side. Waits until a quarter of the allowance is free, since
    /// many small refills cost far more than a few large ones.
    pub fn pump_up(&mut self, tcp: &mut tcp::Socket) -> Result<(), LocalReset> {
        if !tcp.may_send() {
            return Ok(());
        }
        if !self.first_up.is_empty() {
            if let Ok(n) = tcp.send_slice(&self.first_up) {
                self.first_up.drain(..n);
            }
            if !self.first_up.is_empty() {
                return Ok(());
            }
        }
        let limit = self.up_limit.min(tcp.send_capacity());
        if limit.saturating_sub(tcp.send_queue()) < limit / 4 {
            return Ok(());
        }
        while self.readable && !self.local_done && self.up_left != Some(0) {
            let room = limit.saturating_sub(tcp.send_queue());
            let room = room.min(self.up_left.unwrap_or(u64::MAX).min(1 << 30) as usize);
            if room == 0 {
                break;
            }
            let socket = &self.socket;
            let moved = tcp.send(|ring| {
                let asked = ring.len().min(room);
                match socket.read(&mut ring[..asked]) {
                    Ok(n) => (n, Ok((n, asked))),
                    Err(e) => (0, Err(e)),
                }
            });
            match moved {
                Ok(Ok((0, _))) => self.local_done = true,
                Ok(Ok((n, asked))) => self.note_read(n, n < asked, tcp.send_capacity()),
                Ok(Err(e)) if e.kind() == io::ErrorKind::WouldBlock => {
                    self.readable = false;
                    self.read_closed = false;
                }
                Ok(Err(_)) => return Err(LocalReset),
                Err(_) => break,
            }
        }
        Ok(())
    }

    fn note_read(&mut self, n: usize, short: bool, capacity: usize) {
        if short && !self.read_closed {
            self.readable = false;
        }
        if let Some(left) = &mut self.up_left {
            *left -= n as u64;
        }
        self.up_since_growth += n;
        if self.up_since_growth >= 2 * self.up_limit && self.up_limit < capacity {
            self.up_limit = (self.up_limit * 2).min(capacity);
            self.up_since_growth = 0;
        }
    }
}
