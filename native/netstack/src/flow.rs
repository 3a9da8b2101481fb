//! One TCP flow: a smoltcp socket alone in its set, and the local side it is spliced to.
//!
//!   handshake → open → (half-closed either way) → gone
//!
//! smoltcp searches a socket set linearly, so each flow has its own and is found by the table's hash.
//! The flow is gone when smoltcp is in TIME-WAIT or closed and the local side has everything; a packet
//! that comes later is answered with a reset, which at that point hurts nobody.

use crate::guests::Guest;
use crate::link::Link;
use crate::splice::{LocalReset, Splice};
use crate::types::{Config, PacketOut};
use smoltcp::iface::{Interface, SocketHandle, SocketSet};
use smoltcp::socket::tcp::{self, State};
use smoltcp::time::{Duration as SmolDuration, Instant as SmolInstant};
use std::net::SocketAddr;
use std::time::Instant;

/// Packets one flow may send in one poll before the others get their turn.
const EGRESS_BURST: usize = 512;
/// Quiet time after which a peer is asked whether it is still there, and when it is given up.
const KEEP_ALIVE: SmolDuration = SmolDuration::from_secs(600);
const GIVE_UP: SmolDuration = SmolDuration::from_secs(960);
/// The same once both sides have finished and only the last acknowledgement is missing.
const GIVE_UP_CLOSING: SmolDuration = SmolDuration::from_secs(60);

/// A flow's two ends as the tunnel sees them: `local` is ours (or a forwarded destination).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct FlowKey {
    pub local: SocketAddr,
    pub remote: SocketAddr,
}

/// What is to happen when the handshake is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Handshake {
    /// Inbound; the local side is connected already.
    Spliced,
    /// Inbound, on an engine port.
    Engine,
    /// Outbound attempt of this race.
    Race(usize),
}

/// What one pump found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pumped {
    /// Nothing further until a packet, an edge or the timer.
    Rest,
    /// The burst is used up; there is more to send.
    More,
    /// The handshake is done; the table must attach the local side.
    Ready,
    Finished,
    Reset,
}

pub(crate) struct Flow {
    pub key: FlowKey,
    pub inbound: bool,
    /// Who opened an inbound flow, and what its rings count for.
    pub guest: Option<(Guest, usize)>,
    pub sockets: SocketSet<'static>,
    pub handle: SocketHandle,
    /// `None` once the flow is open.
    pub handshake: Option<Handshake>,
    /// An unfinished inbound handshake ends here.
    pub handshake_until: Option<Instant>,
    pub splice: Option<Splice>,
    /// Local source address of an inbound flow's connection, for `flow_owner`.
    pub owner_of: Option<SocketAddr>,
    pub dirty: bool,
    pub timer_at: Option<Instant>,
    remote_fin: bool,
}

/// What a pump needs of the netstack around the flow.
pub(crate) struct Wires<'a> {
    pub iface: &'a mut Interface,
    pub now: SmolInstant,
    pub scratch: &'a mut Vec<u8>,
    pub mtu: usize,
    pub out: &'a mut dyn PacketOut,
}

/// Ring size for the next flow when `open` are open already. Memory is only touched by data that waits,
/// but all of it could be: this keeps the worst case of a full table under a gigabyte.
pub(crate) fn ring_size(config: &Config, open: usize) -> usize {
    let size = match open {
        0..64 => config.tcp_buffer,
        64..512 => config.tcp_buffer / 4,
        512..2048 => config.tcp_buffer / 16,
        _ => config.tcp_buffer / 64,
    };
    size.max(16 << 10).min(config.tcp_buffer.max(4096))
}

pub(crate) fn new_socket(config: &Config, size: usize) -> tcp::Socket<'static> {
    let ring = || tcp::SocketBuffer::new(vec![0; size]);
    let mut socket = tcp::Socket::new(ring(), ring());
    socket.set_ack_delay(Some(SmolDuration::from_micros(
        config.ack_delay.as_micros() as u64,
    )));
    socket.set_nagle_enabled(false);
    socket.set_keep_alive(Some(KEEP_ALIVE));
    socket.set_timeout(Some(GIVE_UP));
    socket
}

impl Flow {
    pub fn new(
        key: FlowKey,
        inbound: bool,
        socket: tcp::Socket<'static>,
        handshake: Handshake,
    ) -> Flow {
        let mut sockets = SocketSet::new(Vec::with_capacity(1));
        let handle = sockets.add(socket);
        Flow {
            key,
            inbound,
            guest: None,
            sockets,
            handle,
            handshake: Some(handshake),
            handshake_until: None,
            splice: None,
            owner_of: None,
            dirty: false,
            timer_at: None,
            remote_fin: false,
        }
    }

    pub fn tcp(&mut self) -> &mut tcp::Socket<'static> {
        self.sockets.get_mut(self.handle)
    }

    /// The largest packet to send, and in a handshake the largest to ask for.
    fn mtu(&self, wires: &mut Wires) -> usize {
        let remote = self.key.remote.ip();
        let largest = if self.handshake.is_some() {
            wires.out.largest_from(remote)
        } else {
            wires.out.largest_to(remote)
        };
        largest.unwrap_or(wires.mtu)
    }

    /// Feeds one packet that belongs to this flow.
    pub fn handle_packet(&mut self, packet: &[u8], mut wires: Wires) {
        let mtu = self.mtu(&mut wires);
        wires.iface.set_max_transmission_unit(mtu);
        let mut link = Link {
            rx: Some(packet),
            sink: wires.out,
            scratch: wires.scratch,
            mtu,
            sent: 0,
        };
        wires
            .iface
            .poll_ingress_single(wires.now, &mut link, &mut self.sockets);
        self.observe();
    }

    fn observe(&mut self) {
        let state = self.tcp().state();
        self.remote_fin |= matches!(
            state,
            State::CloseWait | State::LastAck | State::Closing | State::TimeWait
        );
    }

    /// Moves data both ways and sends what may be sent. Adds the packets sent to `sent`.
    pub fn pump(&mut self, wires: Wires, sent: &mut usize) -> Pumped {
        self.observe();
        if self.handshake.is_some() && self.tcp().may_send() {
            return Pumped::Ready;
        }
        if self.splice().is_err() {
            self.tcp().abort();
        }
        let full = self.egress(wires, sent);
        self.observe();
        if let Some(end) = self.ended() {
            return end;
        }
        if full { Pumped::More } else { Pumped::Rest }
    }

    fn splice(&mut self) -> Result<(), LocalReset> {
        let remote_fin = self.remote_fin;
        let tcp = self.sockets.get_mut::<tcp::Socket>(self.handle);
        let Some(splice) = &mut self.splice else {
            return Ok(());
        };
        if self.handshake.is_some() {
            return Ok(());
        }
        splice.pump_down(tcp)?;
        if remote_fin && !tcp.can_recv() {
            splice.finish_down();
        }
        splice.pump_up(tcp)?;
        // A client whose one request was sent says nothing more; the end of the answer ends it all.
        let said_all = splice.local_done || (splice.up_left == Some(0) && splice.remote_done);
        if said_all && splice.first_up.is_empty() && tcp.may_send() {
            tcp.close();
        }
        if splice.remote_done && !tcp.may_send() {
            tcp.set_timeout(Some(GIVE_UP_CLOSING));
        }
        Ok(())
    }

    /// Sends until nothing more may be sent; true when the burst ran out first.
    pub fn egress(&mut self, mut wires: Wires, sent: &mut usize) -> bool {
        let mtu = self.mtu(&mut wires);
        wires.iface.set_max_transmission_unit(mtu);
        let mut link = Link {
            rx: None,
            sink: wires.out,
            scratch: wires.scratch,
            mtu,
            sent: 0,
        };
        // One call sends at most one packet.
        for _ in 0..EGRESS_BURST {
            let before = link.sent;
            wires
                .iface
                .poll_egress(wires.now, &mut link, &mut self.sockets);
            if link.sent == before {
                *sent += link.sent;
                return false;
            }
        }
        *sent += link.sent;
        true
    }

    fn ended(&mut self) -> Option<Pumped> {
        let tcp = self.sockets.get_mut::<tcp::Socket>(self.handle);
        match tcp.state() {
            State::Closed | State::TimeWait if self.remote_fin => {
                let delivered = self.splice.as_ref().is_none_or(|s| s.remote_done);
                delivered.then_some(Pumped::Finished)
            }
            State::Closed => Some(Pumped::Reset),
            State::TimeWait => Some(Pumped::Finished),
            _ => None,
        }
    }
}
