//! Where the pipeline's output goes on the packet thread.

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use dataplane::derp::RelayQueue;
use dataplane::event::{Event, Sink};
use dataplane::ip::Parsed;
use dataplane::pipeline::Pipeline;
use dataplane::tunnel::Key;
use device::udp::Udp;
use netstack::{Netstack, PacketOut};

use crate::records::{self, Packed};
use crate::ring::Ring;
use crate::tun_side::TunSide;

/// Packets to ourselves that may wait for the next turn; TCP sends again what is lost.
const OWN_PACKETS: usize = 1024;

pub type FlowEnds = (u8, SocketAddr, SocketAddr);

/// The pipeline's output, spread over the thread's other parts.
pub struct Io<'a> {
    pub udp: &'a mut Udp,
    pub stack: &'a mut Netstack,
    pub tun: Option<&'a mut TunSide>,
    pub cuts: &'a mut Vec<FlowEnds>,
    pub relay: &'a mut RelayQueue,
    pub ring: &'a Ring,
    pub now: Instant,
}

impl Sink for Io<'_> {
    #[inline]
    fn udp(&mut self, to: SocketAddr, datagram: &[u8]) {
        self.udp.push(to, datagram);
    }
    #[inline]
    fn geneve(&mut self, to: SocketAddr, header: [u8; 8], datagram: &[u8]) {
        self.udp.push_headed(to, &header, datagram);
    }
    fn relay(&mut self, region: u32, to: &Key, packet: &[u8]) -> bool {
        self.relay.push(region, to, packet)
    }
    #[inline]
    fn deliver(&mut self, peer: Option<u32>, packet: &[u8], parsed: &Parsed) {
        if let (Some(tun), Some(_)) = (&mut self.tun, peer)
            && tun.take(self.stack, packet, parsed)
        {
            return;
        }
        match peer {
            Some(peer) => self.stack.handle_packet_of(self.now, peer, packet),
            None => self.stack.handle_packet(self.now, packet),
        }
    }
    fn unclaimed(&mut self, from: SocketAddr, datagram: &[u8]) {
        if !self.ring.push(
            records::UNCLAIMED,
            true,
            &[Packed::new(from).bytes(), datagram],
        ) {
            self.ring.count_drop();
        }
    }
    fn cut(&mut self, proto: u8, from: SocketAddr, to: SocketAddr) {
        self.cuts.push((proto, from, to));
    }
    fn refused(&mut self, proto: u8, from: SocketAddr, to: SocketAddr) {
        self.stack.reject_flow(self.now, proto, (from, to), false);
    }
    fn event(&mut self, event: Event) {
        records::push_event(self.ring, &event);
    }
}

/// What the netstack sends goes through the pipeline at once.
pub struct Out<'a> {
    pub pipeline: &'a mut Pipeline,
    pub sent: Sent<'a>,
    pub tun: Option<&'a mut TunSide>,
    pub now: Instant,
}

impl PacketOut for Out<'_> {
    #[inline]
    fn send(&mut self, packet: &[u8]) {
        if let Some(tun) = &mut self.tun
            && tun.take_answer(packet)
        {
            return;
        }
        self.pipeline.send_packet(self.now, packet, &mut self.sent);
    }
    #[inline]
    fn largest_to(&mut self, to: IpAddr) -> Option<usize> {
        Some(self.pipeline.largest_to(to))
    }
    #[inline]
    fn largest_from(&mut self, from: IpAddr) -> Option<usize> {
        Some(self.pipeline.largest_from(from))
    }
}

/// Output of the pipeline while the netstack is being polled: sending ends no flow, and delivers only to ourselves, later.
pub struct Sent<'a> {
    pub udp: &'a mut Udp,
    pub relay: &'a mut RelayQueue,
    pub own_packets: &'a mut Vec<Vec<u8>>,
    pub ring: &'a Ring,
}

impl Sink for Sent<'_> {
    #[inline]
    fn udp(&mut self, to: SocketAddr, datagram: &[u8]) {
        self.udp.push(to, datagram);
    }
    #[inline]
    fn geneve(&mut self, to: SocketAddr, header: [u8; 8], datagram: &[u8]) {
        self.udp.push_headed(to, &header, datagram);
    }
    fn relay(&mut self, region: u32, to: &Key, packet: &[u8]) -> bool {
        self.relay.push(region, to, packet)
    }
    fn deliver(&mut self, _peer: Option<u32>, packet: &[u8], _parsed: &Parsed) {
        if self.own_packets.len() < OWN_PACKETS {
            self.own_packets.push(packet.to_vec());
        }
    }
    fn unclaimed(&mut self, _from: SocketAddr, _datagram: &[u8]) {}
    fn cut(&mut self, _proto: u8, _from: SocketAddr, _to: SocketAddr) {}
    fn refused(&mut self, _proto: u8, _from: SocketAddr, _to: SocketAddr) {}
    fn event(&mut self, event: Event) {
        records::push_event(self.ring, &event);
    }
}
