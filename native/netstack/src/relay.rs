//! Relays between a proxy client and a connection by the system, outside the tunnel.
//!
//! The same edge-triggered rules as in `splice`, with one buffer each way in place of the rings.

use crate::Netstack;
use crate::local::LocalSocket;
use crate::splice::Splice;
use crate::tokens::Source;
use std::io::ErrorKind;
use std::sync::Arc;

const BUFFER: usize = 64 << 10;
/// Buffers one direction may move before the rest of the netstack gets its turn.
const TURN: usize = 16;

/// One direction: bytes read from one side and not yet written to the other.
#[derive(Default)]
struct Pipe {
    bytes: Vec<u8>,
    at: usize,
    /// The reading side has ended, and the writing side was told.
    closed: bool,
}

pub(crate) struct Relay {
    sides: [Splice; 2],
    /// `pipes[i]` reads from `sides[i]`.
    pipes: [Pipe; 2],
}

/// A side broke: both are reset.
struct Broken;

impl Pipe {
    /// Moves what can be moved; true when it stopped only because its turn was over.
    fn run(&mut self, from: &mut Splice, to: &mut Splice) -> Result<bool, Broken> {
        for _ in 0..TURN {
            while self.at < self.bytes.len() {
                if !to.writable {
                    return Ok(false);
                }
                match to.socket.write(&self.bytes[self.at..]) {
                    Ok(n) => self.at += n,
                    Err(e) if e.kind() == ErrorKind::WouldBlock => to.writable = false,
                    Err(_) => return Err(Broken),
                }
            }
            if from.local_done {
                if !self.closed {
                    to.socket.shutdown_write();
                    self.closed = true;
                }
                return Ok(false);
            }
            if !from.readable || from.up_left == Some(0) {
                self.rest();
                return Ok(false);
            }
            self.fill(from)?;
        }
        Ok(true)
    }

    fn fill(&mut self, from: &mut Splice) -> Result<(), Broken> {
        let most = from.up_left.unwrap_or(u64::MAX).min(BUFFER as u64) as usize;
        self.at = 0;
        self.bytes.resize(most, 0);
        let read = from.socket.read(&mut self.bytes);
        self.bytes.truncate(*read.as_ref().unwrap_or(&0));
        match read {
            Ok(0) => from.local_done = true,
            Ok(n) => {
                if let Some(left) = &mut from.up_left {
                    *left -= n as u64;
                }
            }
            Err(e) if e.kind() == ErrorKind::WouldBlock => from.readable = false,
            Err(_) => return Err(Broken),
        }
        Ok(())
    }

    /// An idle relay keeps no buffer.
    fn rest(&mut self) {
        self.bytes = Vec::new();
        self.at = 0;
    }
}

impl Relay {
    /// One of its ends is a connection to another machine.
    pub fn leaves_machine(&self) -> bool {
        self.sides.iter().any(|side| side.socket.is_far())
    }

    /// A connection that this counts.
    pub fn is_counted_by(&self, open: &Arc<()>) -> bool {
        let counted = |s: &Splice| s.counted.as_ref().is_some_and(|c| Arc::ptr_eq(c, open));
        self.sides.iter().any(counted)
    }
}

impl Netstack {
    /// Resets both ends of every relay for which `cut` says true.
    pub(crate) fn cut_relays(&mut self, mut cut: impl FnMut(&Relay) -> bool) {
        let found = self.relays.iter().filter(|(_, relay)| cut(relay));
        let slots: Vec<usize> = found.map(|(slot, _)| slot).collect();
        for slot in slots {
            let relay = self.relays.remove(slot);
            for side in relay.sides {
                self.tokens.free(side.token);
                LocalSocket::abort(side.socket);
            }
        }
    }

    /// Joins two connected sockets; the first one's queued bytes go out before anything else.
    pub(crate) fn start_relay(&mut self, mut near: Splice, far: Splice) {
        let up = Pipe {
            bytes: std::mem::take(&mut near.first_up),
            ..Pipe::default()
        };
        let down = Pipe {
            bytes: std::mem::take(&mut near.first_down),
            ..Pipe::default()
        };
        let tokens = [near.token, far.token];
        let slot = self.relays.insert(Box::new(Relay {
            sides: [near, far],
            pipes: [up, down],
        }));
        for (side, token) in tokens.into_iter().enumerate() {
            self.tokens.set(token, Source::Relay(slot, side));
        }
        self.pump_relay(slot);
    }

    pub(crate) fn relay_ready(&mut self, slot: usize, side: usize, event: &mio::event::Event) {
        if let Some(relay) = self.relays.get_mut(slot) {
            relay.sides[side].handle_ready(event);
            self.pump_relay(slot);
        }
    }

    pub(crate) fn pump_relay(&mut self, slot: usize) {
        let Some(relay) = self.relays.get_mut(slot) else {
            return;
        };
        let [near, far] = &mut relay.sides;
        let [up, down] = &mut relay.pipes;
        let (more_up, more_down) = (up.run(near, far), down.run(far, near));
        let broken = more_up.is_err() || more_down.is_err();
        if more_up.unwrap_or(false) || more_down.unwrap_or(false) {
            self.again.push_back(Source::Relay(slot, 0));
        }
        // A client whose one request was sent has nothing more to say; the answer ends the relay.
        let up_done = up.closed || (near.up_left == Some(0) && up.at == up.bytes.len());
        if broken || (up_done && down.closed) {
            let relay = self.relays.remove(slot);
            for side in relay.sides {
                self.tokens.free(side.token);
                if broken {
                    LocalSocket::abort(side.socket);
                }
            }
        }
    }
}
