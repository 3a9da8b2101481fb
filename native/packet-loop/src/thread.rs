//! The packet thread's life: start, commands, stop. No panic leaves it: one ends the thread and becomes a `failed` record.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use mio::{Events, Poll, Waker};

use crate::records;
use crate::ring::Ring;
use crate::world::{Setup, WAKER, World};

type Command = Box<dyn FnOnce(&mut World) + Send>;

/// Commands that may wait; beyond, those that may be lost (datagrams) are.
const MAX_WAITING: usize = 4096;
/// Relay bytes that may wait.
const MAX_RELAY_WAITING: usize = 4 << 20;
const CALL_PATIENCE: Duration = Duration::from_secs(5);

struct Shared {
    commands: Mutex<Vec<Command>>,
    waker: Arc<Waker>,
    stop: AtomicBool,
    dead: AtomicBool,
    relay_waiting: AtomicUsize,
}

/// Why a call had no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dead;

/// The owner's end. Dropping it stops the thread and waits for it.
pub struct PacketThread {
    shared: Arc<Shared>,
    ring: Arc<Ring>,
    thread: Option<JoinHandle<()>>,
    port: u16,
}

impl PacketThread {
    /// Binds the sockets and starts the thread.
    pub fn start(setup: &Setup, ring: Arc<Ring>) -> io::Result<PacketThread> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
        let registry = poll.registry().try_clone()?;
        let world = World::new(setup, registry, Arc::clone(&waker), Arc::clone(&ring))?;
        let port = world.udp.port();
        let shared = Arc::new(Shared {
            commands: Mutex::default(),
            waker,
            stop: AtomicBool::new(false),
            dead: AtomicBool::new(false),
            relay_waiting: AtomicUsize::new(0),
        });
        let (theirs, facts) = (Arc::clone(&shared), Arc::clone(&ring));
        let thread = std::thread::Builder::new()
            .name("bowline-packets".into())
            .spawn(move || body(poll, world, &theirs, &facts))?;
        Ok(PacketThread {
            shared,
            ring,
            thread: Some(thread),
            port,
        })
    }

    /// The port that was bound at start.
    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn ring(&self) -> &Ring {
        &self.ring
    }

    /// Has the thread run `command` soon, in order.
    pub fn cast(&self, command: impl FnOnce(&mut World) + Send + 'static) {
        let mut commands = self
            .shared
            .commands
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        commands.push(Box::new(command));
        let first = commands.len() == 1;
        drop(commands);
        if first {
            let _ = self.shared.waker.wake();
        }
    }

    /// Like `cast`, for what may be lost when the thread is far behind.
    pub fn cast_lossy(&self, command: impl FnOnce(&mut World) + Send + 'static) -> bool {
        let waiting = self
            .shared
            .commands
            .lock()
            .map_or(0, |commands| commands.len());
        if waiting >= MAX_WAITING {
            self.ring.count_drop();
            return false;
        }
        self.cast(command);
        true
    }

    /// Hands relay frames over, unless too many wait already.
    pub fn cast_relay(&self, region: u32, frames: bytes::BytesMut) -> bool {
        let size = frames.len();
        if self.shared.relay_waiting.fetch_add(size, Ordering::Relaxed) > MAX_RELAY_WAITING {
            self.shared.relay_waiting.fetch_sub(size, Ordering::Relaxed);
            self.ring.count_drop();
            return false;
        }
        let shared = Arc::clone(&self.shared);
        self.cast(move |world| {
            shared.relay_waiting.fetch_sub(size, Ordering::Relaxed);
            world.relay_frames(region, frames);
        });
        true
    }

    /// Has the thread run `ask` and waits for the answer.
    pub fn call<R: Send + 'static>(
        &self,
        ask: impl FnOnce(&mut World) -> R + Send + 'static,
    ) -> Result<R, Dead> {
        if self.shared.dead.load(Ordering::Acquire) {
            return Err(Dead);
        }
        let (answer, wait) = mpsc::sync_channel(1);
        self.cast(move |world| {
            let _ = answer.send(ask(world));
        });
        wait.recv_timeout(CALL_PATIENCE).map_err(|_| Dead)
    }

    /// Copies records into `out`; see `Ring::drain`.
    pub fn drain(&self, out: &mut [u8]) -> usize {
        let (taken, starved) = self.ring.drain(out);
        if starved {
            let _ = self.shared.waker.wake();
        }
        taken
    }

    /// Ends the thread and waits for it; idempotent.
    pub fn stop(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
        let _ = self.shared.waker.wake();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for PacketThread {
    fn drop(&mut self) {
        self.stop();
    }
}

fn body(mut poll: Poll, mut world: World, shared: &Shared, ring: &Ring) {
    let outcome = catch_unwind(AssertUnwindSafe(|| run(&mut poll, &mut world, shared)));
    shared.dead.store(true, Ordering::Release);
    // Waiting callers learn at once that nobody will answer.
    drop(std::mem::take(
        &mut *shared
            .commands
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner()),
    ));
    match outcome {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            records::push_failed(ring, "native-failed", &format!("packet thread: {error}"))
        }
        Err(payload) => {
            let text = payload.downcast_ref::<&str>().map(ToString::to_string);
            let text = text
                .or_else(|| payload.downcast_ref::<String>().cloned())
                .unwrap_or_default();
            records::push_failed(
                ring,
                "native-failed",
                &format!("packet thread panicked: {text}"),
            );
        }
    }
}

fn run(poll: &mut Poll, world: &mut World, shared: &Shared) -> io::Result<()> {
    let mut events = Events::with_capacity(1024);
    while !shared.stop.load(Ordering::Acquire) {
        match poll.poll(&mut events, world.timeout()) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            other => other?,
        }
        if world.note_ready(&events) {
            let commands = std::mem::take(
                &mut *shared
                    .commands
                    .lock()
                    .unwrap_or_else(|poisoned| poisoned.into_inner()),
            );
            commands.into_iter().for_each(|command| command(world));
        }
        world.turn();
    }
    Ok(())
}
