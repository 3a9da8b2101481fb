//! The TCP flows: found by their two ends, pumped when dirty, woken by timers.

use crate::Netstack;
use crate::flow::{Flow, FlowKey, Handshake, Pumped, Wires, new_socket, ring_size};
use crate::guests::{Guest, share};
use crate::packet::TCP;
use crate::splice::Splice;
use crate::timers::Due;
use crate::tokens::Source;
use crate::types::{DialError, PacketOut};
use slab::Slab;
use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// A socket that says "now" but has nothing to send is asked again after this.
const SHORTEST_WAIT: Duration = Duration::from_millis(1);
/// Packets that the flows of one guest send in one poll before those of others get their turn.
const GUEST_TURN: usize = 1024;
/// Ports of connections of ours, while nobody else has these addresses.
pub(crate) const EPHEMERAL_FIRST: u16 = 32768;
const EPHEMERAL_END: u32 = 61_000;
/// The same while the system's own programs have them too: beyond the ports that it gives them.
pub(crate) const BESIDE_SYSTEM_FIRST: u16 = 61_000;
const BESIDE_SYSTEM_END: u32 = 65_536;

#[derive(Default)]
pub(crate) struct FlowTable {
    pub slots: Slab<Box<Flow>>,
    pub by_key: HashMap<FlowKey, usize>,
    /// Where the last packet went; most packets go where the one before them went.
    last: Option<(FlowKey, usize)>,
    pub dirty: VecDeque<usize>,
    /// What the flows of each guest have sent in this poll.
    turns: HashMap<Guest, usize>,
    /// Inbound handshakes in order of arrival; may name flows that have moved on.
    half_open: VecDeque<FlowKey>,
    half_open_count: usize,
}

impl FlowTable {
    pub fn find(&mut self, key: &FlowKey) -> Option<usize> {
        match self.last {
            Some((last, slot)) if last == *key => Some(slot),
            _ => {
                let slot = *self.by_key.get(key)?;
                self.last = Some((*key, slot));
                Some(slot)
            }
        }
    }

    pub fn mark_dirty(&mut self, slot: usize) {
        if let Some(flow) = self.slots.get_mut(slot)
            && !flow.dirty
        {
            flow.dirty = true;
            self.dirty.push_back(slot);
        }
    }
}

impl Netstack {
    /// Opens the listening half of an inbound flow and feeds it the SYN. `None` when the SYN was not acceptable.
    pub(crate) fn open_inbound(
        &mut self,
        now: Instant,
        guest: Guest,
        key: FlowKey,
        syn: &[u8],
        handshake: Handshake,
    ) -> Option<usize> {
        self.make_room_half_open(now, guest);
        let size = ring_size(&self.config, self.flows.slots.len())
            .min(self.guests.ring_size(guest, &self.config));
        let mut socket = new_socket(&self.config, size);
        socket.listen(key.local).ok()?;
        let mut flow = Box::new(Flow::new(key, true, socket, handshake));
        flow.guest = Some((guest, 2 * size));
        flow.handshake_until = Some(now + HANDSHAKE_TIMEOUT);
        flow.handle_packet(
            syn,
            Wires {
                iface: &mut self.iface,
                now: self.clock.smol(now),
                scratch: &mut self.scratch,
                mtu: self.config.mtu,
                out: &mut self.queue,
            },
        );
        flow.tcp().remote_endpoint()?;
        self.counters.flows_inbound += 1;
        self.flows.half_open.push_back(key);
        self.flows.half_open_count += 1;
        self.guests.change(guest, |usage| {
            usage.flows += 1;
            usage.half_open += 1;
            usage.ring_bytes += 2 * size;
        });
        Some(self.insert_flow(now, flow))
    }

    /// Starts an outbound flow; its end is told to the race.
    pub(crate) fn open_outbound(
        &mut self,
        now: Instant,
        remote: SocketAddr,
        race: usize,
    ) -> Result<usize, DialError> {
        let local_ip = self
            .own_address_for(remote.ip())
            .ok_or(DialError::NoAddress)?;
        if self.flows.slots.len() >= self.config.max_flows {
            self.counters.drop_flow_limit += 1;
            return Err(DialError::Limit);
        }
        let key = self
            .free_key(TCP, local_ip, remote)
            .ok_or(DialError::Limit)?;
        let size = ring_size(&self.config, self.flows.slots.len());
        let mut socket = new_socket(&self.config, size);
        socket
            .connect(self.iface.context(), key.remote, key.local)
            .map_err(|_| DialError::NoAddress)?;
        let flow = Box::new(Flow::new(key, false, socket, Handshake::Race(race)));
        self.counters.flows_outbound += 1;
        Ok(self.insert_flow(now, flow))
    }

    fn insert_flow(&mut self, now: Instant, flow: Box<Flow>) -> usize {
        let (key, until) = (flow.key, flow.handshake_until);
        let slot = self.flows.slots.insert(flow);
        self.flows.by_key.insert(key, slot);
        self.flows.last = None;
        self.flows.mark_dirty(slot);
        self.counters.flows_open = self.flows.slots.len() as u64;
        if let Some(at) = until {
            self.timers.set(at.max(now), Due::Flow(slot));
        }
        slot
    }

    /// Ends the oldest unfinished handshake, of the guest if that one holds its share, else of all when the table is full.
    fn make_room_half_open(&mut self, now: Instant, guest: Guest) {
        let table = &mut self.flows;
        let is_half = |slots: &Slab<Box<Flow>>, by_key: &HashMap<FlowKey, usize>, key: &FlowKey| {
            let slot = by_key.get(key).copied()?;
            let flow = &slots[slot];
            (flow.inbound && flow.handshake.is_some()).then_some((slot, flow.guest))
        };
        while let Some(front) = table.half_open.front()
            && is_half(&table.slots, &table.by_key, front).is_none()
        {
            table.half_open.pop_front();
        }
        let crowded = self.guests.of(guest).half_open >= share(self.config.max_half_open);
        if !crowded && table.half_open_count < self.config.max_half_open {
            return;
        }
        let oldest = table.half_open.iter().enumerate().find_map(|(at, key)| {
            let (slot, whose) = is_half(&table.slots, &table.by_key, key)?;
            let fits = !crowded || whose.is_some_and(|(whose, _)| whose == guest);
            fits.then_some((at, slot))
        });
        if let Some((at, slot)) = oldest {
            table.half_open.remove(at);
            self.counters.drop_half_open += 1;
            self.reset_flow(now, slot);
        }
    }

    /// A source port for `remote` that no flow uses, chosen from a random start.
    pub(crate) fn free_key(
        &mut self,
        proto: u8,
        local: IpAddr,
        remote: SocketAddr,
    ) -> Option<FlowKey> {
        let first = self.first_port;
        let end = match first {
            BESIDE_SYSTEM_FIRST => BESIDE_SYSTEM_END,
            _ => EPHEMERAL_END,
        };
        let count = (end - u32::from(first)) as u16;
        let start = (self.random() % u64::from(count)) as u16;
        (0..count).find_map(|step| {
            let port = first + ((u32::from(start) + u32::from(step)) % u32::from(count)) as u16;
            let key = FlowKey {
                local: SocketAddr::new(local, port),
                remote,
            };
            let used = match proto {
                TCP => self.flows.by_key.contains_key(&key),
                _ => self.udp.is_in_use(&key),
            };
            (!used).then_some(key)
        })
    }

    /// A new poll: every guest has its whole turn again.
    pub(crate) fn begin_turns(&mut self) {
        self.flows.turns.clear();
    }

    /// Pumps every dirty flow once; those of a guest whose turn is over stay dirty. Returns the packets sent.
    pub(crate) fn pump_flows(&mut self, now: Instant, out: &mut dyn PacketOut) -> usize {
        let mut sent = 0;
        for _ in 0..self.flows.dirty.len() {
            let Some(slot) = self.flows.dirty.pop_front() else {
                break;
            };
            let flow = self.flows.slots.get(slot);
            let guest = flow.and_then(|flow| flow.guest).map(|(guest, _)| guest);
            let turn = guest.and_then(|guest| self.flows.turns.get(&guest));
            if turn.is_some_and(|sent| *sent >= GUEST_TURN) {
                self.flows.dirty.push_back(slot);
                continue;
            }
            let packets = self.pump_flow(now, slot, out);
            if let Some(guest) = guest.filter(|_| packets > 0) {
                *self.flows.turns.entry(guest).or_default() += packets;
            }
            sent += packets;
        }
        sent
    }

    fn pump_flow(&mut self, now: Instant, slot: usize, out: &mut dyn PacketOut) -> usize {
        let mut sent = 0;
        let Some(flow) = self.flows.slots.get_mut(slot) else {
            return 0;
        };
        flow.dirty = false;
        let smol_now = self.clock.smol(now);
        let wires = Wires {
            iface: &mut self.iface,
            now: smol_now,
            scratch: &mut self.scratch,
            mtu: self.config.mtu,
            out,
        };
        match flow.pump(wires, &mut sent) {
            Pumped::Rest => {
                let wait = self.iface.poll_delay(smol_now, &flow.sockets);
                if let Some(wait) = wait {
                    let wait = Duration::from_micros(wait.total_micros()).max(SHORTEST_WAIT);
                    let at = now + wait;
                    if flow.timer_at.is_none_or(|set| at < set || set <= now) {
                        flow.timer_at = Some(at);
                        self.timers.set(at, Due::Flow(slot));
                    }
                }
            }
            Pumped::More => self.flows.mark_dirty(slot),
            Pumped::Ready => {
                self.flow_ready(now, slot);
                self.flows.mark_dirty(slot);
            }
            Pumped::Finished => {
                self.counters.flows_finished += 1;
                self.remove_flow(slot, false);
            }
            Pumped::Reset => {
                self.counters.flows_reset += 1;
                self.flow_refused(now, slot, DialError::Refused);
            }
        }
        sent
    }

    pub(crate) fn flow_due(&mut self, now: Instant, slot: usize) {
        let Some(flow) = self.flows.slots.get_mut(slot) else {
            return;
        };
        if flow.timer_at.is_some_and(|at| at <= now) {
            flow.timer_at = None;
        }
        let late = flow.handshake_until.is_some_and(|at| at <= now);
        if late && flow.handshake.is_some() {
            self.reset_flow(now, slot);
        } else {
            self.flows.mark_dirty(slot);
        }
    }

    /// Attaches the local side of a flow whose handshake is done.
    fn flow_ready(&mut self, now: Instant, slot: usize) {
        let Some(flow) = self.flows.slots.get_mut(slot) else {
            return;
        };
        flow.handshake_until = None;
        let handshake = flow.handshake.take();
        if let Some((guest, _)) = flow.guest {
            self.flows.half_open_count -= 1;
            self.guests.change(guest, |usage| usage.half_open -= 1);
        }
        match handshake {
            Some(Handshake::Engine) => self.hand_up_inbound(now, slot),
            Some(Handshake::Race(race)) => self.race_won_tunnel(now, race, slot),
            Some(Handshake::Spliced) | None => {}
        }
    }

    pub(crate) fn attach(&mut self, slot: usize, splice: Splice) {
        if let Some(flow) = self.flows.slots.get_mut(slot) {
            self.tokens.set(splice.token, Source::Flow(slot));
            flow.splice = Some(splice);
            self.flows.mark_dirty(slot);
        }
    }

    /// Sends a reset to the peer and to the local side, tells the race if there is one, and forgets the flow.
    pub(crate) fn reset_flow(&mut self, now: Instant, slot: usize) {
        self.end_flow(now, slot, DialError::Cancelled);
    }

    pub(crate) fn end_flow(&mut self, now: Instant, slot: usize, why: DialError) {
        let Some(flow) = self.flows.slots.get_mut(slot) else {
            return;
        };
        flow.tcp().abort();
        let wires = Wires {
            iface: &mut self.iface,
            now: self.clock.smol(now),
            scratch: &mut self.scratch,
            mtu: self.config.mtu,
            out: &mut self.queue,
        };
        flow.egress(wires, &mut 0);
        self.counters.flows_reset += 1;
        self.flow_refused(now, slot, why);
    }

    /// The flow is over without a handshake or by a reset: tell the race, or reset the local side.
    fn flow_refused(&mut self, now: Instant, slot: usize, why: DialError) {
        let race = self.remove_flow(slot, true);
        if let Some(race) = race {
            self.race_lost_tunnel(now, race, slot, why);
        }
    }

    /// Forgets a flow; with `abort` its local side is reset, else closed. Returns the race that waits for it.
    pub(crate) fn remove_flow(&mut self, slot: usize, abort: bool) -> Option<usize> {
        let mut flow = self.flows.slots.try_remove(slot)?;
        self.flows.by_key.remove(&flow.key);
        self.flows.last = None;
        self.counters.flows_open = self.flows.slots.len() as u64;
        if let Some(splice) = flow.splice.take() {
            self.tokens.free(splice.token);
            if abort {
                splice.socket.abort();
            }
        }
        if let Some(local) = flow.owner_of {
            self.owners.remove(&(TCP, local));
        }
        if let Some((guest, ring_bytes)) = flow.guest {
            let half_open = usize::from(flow.handshake.is_some());
            self.flows.half_open_count -= half_open;
            self.guests.change(guest, |usage| {
                usage.flows -= 1;
                usage.half_open -= half_open;
                usage.ring_bytes -= ring_bytes;
            });
        }
        match flow.handshake {
            Some(Handshake::Race(race)) => Some(race),
            _ => None,
        }
    }
}
