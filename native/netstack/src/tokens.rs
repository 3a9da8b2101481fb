//! Poll tokens of the netstack's sockets: a token names a table and a slot in it.
//!
//! A connection keeps its token when it changes hands (client → flow), so it is registered only once.
//! An event for a token that has found a new owner is harmless: edges only mean "try again".

use slab::Slab;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    Listener(usize),
    Client(usize),
    Flow(usize),
    InboundDial(usize),
    /// A system connection attempt of a race.
    Race(usize),
    /// A side of a relay: 0 is the client, 1 the destination.
    Relay(usize, usize),
    Udp(usize),
    /// The control connection of a UDP association.
    AssociationControl(usize),
    AssociationSocket(usize),
    /// The socket of a UDP forward.
    Forward(usize),
    /// The way out of this machine of a UDP forward's client.
    UdpClient(usize),
    /// The ping socket; of IPv6 when true.
    Echo(bool),
    /// Registered, and not yet given to anyone.
    Nobody,
}

pub(crate) struct Tokens {
    first: usize,
    slots: Slab<Source>,
}

impl Tokens {
    pub fn new(first: usize) -> Tokens {
        Tokens {
            first,
            slots: Slab::new(),
        }
    }

    pub fn add(&mut self, source: Source) -> usize {
        self.slots.insert(source)
    }

    pub fn set(&mut self, token: usize, source: Source) {
        if let Some(slot) = self.slots.get_mut(token) {
            *slot = source;
        }
    }

    pub fn free(&mut self, token: usize) {
        self.slots.try_remove(token);
    }

    pub fn mio(&self, token: usize) -> mio::Token {
        mio::Token(self.first + token)
    }

    pub fn find(&self, token: mio::Token) -> Option<Source> {
        self.slots.get(token.0.checked_sub(self.first)?).copied()
    }
}
