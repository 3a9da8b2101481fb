//! TCP listeners of proxies and forwards: bound by the owner's wish, drained on every edge.

use crate::Netstack;
use crate::timers::Due;
use crate::tokens::Source;
use crate::types::ProxyKind;
use mio::net::TcpListener;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Clients taken in one go before packets get their turn.
const TURN: usize = 128;
/// How long to wait when the system has no descriptor left; no new edge would come by itself.
const RETRY: Duration = Duration::from_millis(100);

/// What the clients of a listener get.
#[derive(Clone)]
pub(crate) enum Serves {
    Proxy(ProxyKind),
    /// The number of a forward, and what counts its open connections.
    Forward(u32, Arc<()>),
}

pub(crate) struct Listener {
    socket: TcpListener,
    token: usize,
    serves: Serves,
}

impl Netstack {
    /// Opens a proxy listener; port 0 means any. Returns the address it got.
    pub fn listen_proxy(&mut self, kind: ProxyKind, address: SocketAddr) -> io::Result<SocketAddr> {
        let (_, bound) = self.listen(Serves::Proxy(kind), address)?;
        Ok(bound)
    }

    /// The slot of the listener, and the address it got.
    pub(crate) fn listen(
        &mut self,
        serves: Serves,
        address: SocketAddr,
    ) -> io::Result<(usize, SocketAddr)> {
        let mut socket = TcpListener::bind(address)?;
        let bound = socket.local_addr()?;
        let token = self.tokens.add(Source::Nobody);
        let registered =
            self.registry
                .register(&mut socket, self.tokens.mio(token), mio::Interest::READABLE);
        if let Err(e) = registered {
            self.tokens.free(token);
            return Err(e);
        }
        let slot = self.listeners.insert(Listener {
            socket,
            token,
            serves,
        });
        self.tokens.set(token, Source::Listener(slot));
        Ok((slot, bound))
    }

    /// Closes the proxy listener bound to `address`; its clients stay. False if there is none.
    pub fn close_proxy(&mut self, address: SocketAddr) -> bool {
        let bound = |l: &Listener| {
            matches!(l.serves, Serves::Proxy(_))
                && l.socket.local_addr().is_ok_and(|a| a == address)
        };
        let found = self.listeners.iter().find(|(_, l)| bound(l));
        let Some(slot) = found.map(|(slot, _)| slot) else {
            return false;
        };
        self.close_listener(slot);
        true
    }

    pub(crate) fn close_listener(&mut self, slot: usize) {
        let listener = self.listeners.remove(slot);
        self.tokens.free(listener.token);
    }

    /// Whether a proxy or forward of ours listens where a dial to `target` would arrive.
    pub(crate) fn is_own_listener(&self, target: SocketAddr) -> bool {
        let listeners = self.listeners.iter();
        listeners
            .filter_map(|(_, listener)| listener.socket.local_addr().ok())
            .any(|at| arrives(target, at))
    }

    /// The same for datagrams.
    pub(crate) fn is_own_udp(&self, target: SocketAddr) -> bool {
        let forwards = self.forwards.iter().filter_map(|(_, f)| f.udp_address());
        let associations = self.associations.iter().filter_map(|(_, a)| a.address());
        forwards.chain(associations).any(|at| arrives(target, at))
    }

    pub(crate) fn listener_ready(&mut self, now: Instant, slot: usize) {
        for _ in 0..TURN {
            let Some(listener) = self.listeners.get(slot) else {
                return;
            };
            let serves = listener.serves.clone();
            match listener.socket.accept() {
                Ok((stream, _)) => {
                    self.count_forward(&serves);
                    self.add_client(now, stream, &serves);
                }
                Err(e) => match e.kind() {
                    io::ErrorKind::WouldBlock => return,
                    io::ErrorKind::ConnectionAborted | io::ErrorKind::Interrupted => {}
                    _ => {
                        self.counters.drop_no_descriptor += 1;
                        self.timers.set(now + RETRY, Due::Listener(slot));
                        return;
                    }
                },
            }
        }
        self.again.push_back(Source::Listener(slot));
    }
}

fn arrives(target: SocketAddr, listener: SocketAddr) -> bool {
    let any = listener.ip().is_unspecified() && target.ip().is_loopback();
    listener.port() == target.port() && (any || listener.ip() == target.ip())
}
