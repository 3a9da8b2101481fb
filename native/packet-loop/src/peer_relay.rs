//! The sockets on which this node relays for others. What is forwarded never leaves the packet thread; control messages go
//! up as records, and the engine's answers come down as datagrams.

use std::io;
use std::net::SocketAddr;
use std::time::Instant;

use dataplane::forward::{Forwarder, Verdict};
use device::udp::{Options, Udp};
use mio::{Registry, Token};

use crate::records::{self, Packed};
use crate::ring::Ring;

/// Bytes of one session in `rows`: vni u32 | twice: idle ms u32 (all ones: never heard) | packets u64 | bytes u64.
pub const ROW: usize = 4 + 2 * 20;

#[derive(Default)]
pub struct PeerRelay {
    udp: Option<Udp>,
    pub readable: [bool; 2],
    pub forwarder: Forwarder,
}

impl PeerRelay {
    /// Opens the sockets, on another port too when that one is taken; the port that it became.
    pub fn listen(
        &mut self,
        registry: &Registry,
        tokens: (Token, Token),
        port: u16,
        options: Options,
    ) -> io::Result<u16> {
        self.close();
        let mut udp = Udp::bind(port, options)?;
        udp.register(registry, tokens.0, tokens.1)?;
        self.readable = [true; 2];
        let bound = udp.port();
        self.udp = Some(udp);
        Ok(bound)
    }

    /// Marks the sockets; new ones are made with the mark of their options.
    pub fn set_mark(&mut self, mark: Option<u32>) -> io::Result<()> {
        match &mut self.udp {
            Some(udp) => udp.set_mark(mark),
            None => Ok(()),
        }
    }

    /// Closes the sockets and forgets the sessions.
    pub fn close(&mut self) {
        self.udp = None;
        self.readable = [false; 2];
        self.forwarder.clear();
    }

    pub fn is_readable(&self) -> bool {
        self.udp.is_some() && (self.readable[0] || self.readable[1])
    }

    /// Binds the ends of a session, and forwards what waited for that.
    pub fn bind(&mut self, now: Instant, vni: u32, ends: [Option<SocketAddr>; 2]) {
        if let Some(udp) = &mut self.udp {
            self.forwarder
                .set(now, vni, ends, |to, datagram| udp.push(to, datagram));
        }
    }

    pub fn send(&mut self, to: SocketAddr, datagram: &[u8]) {
        if let Some(udp) = &mut self.udp {
            udp.push(to, datagram);
        }
    }

    /// Reads one batch from each readable socket, forwards, and sends.
    pub fn turn(&mut self, now: Instant, ring: &Ring) {
        let Some(udp) = &mut self.udp else { return };
        let forwarder = &mut self.forwarder;
        for (v6, readable) in [false, true].into_iter().zip(&mut self.readable) {
            if !*readable {
                continue;
            }
            *readable = udp.receive(v6, |udp, from, datagram| {
                match forwarder.handle(now, from, &datagram) {
                    Verdict::Forward(to) => udp.push(to, &datagram),
                    Verdict::Up => {
                        let from = Packed::new(from);
                        let parts = [from.bytes(), &datagram];
                        if !ring.push(records::RELAY_CONTROL, true, &parts) {
                            ring.count_drop();
                        }
                    }
                    Verdict::Held | Verdict::Drop => {}
                }
            });
        }
        udp.flush();
        // Whoever a datagram did not reach will ask again: no path of ours depends on it.
        udp.take_errors();
    }

    /// Every session, packed.
    pub fn rows(&self, now: Instant) -> Vec<u8> {
        let mut out = Vec::new();
        for (vni, ends) in self.forwarder.iter() {
            out.extend_from_slice(&vni.to_be_bytes());
            for end in ends {
                let idle = end.heard.map_or(u32::MAX, |at| {
                    let ms = now.saturating_duration_since(at).as_millis();
                    ms.min(u128::from(u32::MAX - 1)) as u32
                });
                out.extend_from_slice(&idle.to_be_bytes());
                out.extend_from_slice(&end.packets.to_be_bytes());
                out.extend_from_slice(&end.bytes.to_be_bytes());
            }
        }
        out
    }
}
