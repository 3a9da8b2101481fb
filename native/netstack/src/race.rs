//! Outbound connections: several addresses raced with a head start for the earlier ones (RFC 8305, 5).
//!
//! An attempt is a flow in the tunnel or a connection by the system. The first to succeed wins, the others
//! are reset; when all have failed, the most telling error is reported at once.

use crate::Netstack;
use crate::inbound::{Progress, progress};
use crate::local::LocalSocket;
use crate::splice::Splice;
use crate::timers::Due;
use crate::tokens::Source;
use crate::types::{DialError, Event};
use mio::net::TcpStream;
use std::collections::VecDeque;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

/// Who gets the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The proxy client in this slot.
    Client(usize),
    /// A `dial` of the owner, with its number.
    Dial(u64),
}

enum Attempt {
    Tunnel(usize),
    System { stream: TcpStream, token: usize },
}

pub(crate) struct Race {
    purpose: Purpose,
    waiting: VecDeque<SocketAddr>,
    running: Vec<Attempt>,
    by_system: bool,
    /// What was tried last.
    last: Option<SocketAddr>,
    next_at: Instant,
    deadline: Instant,
    worst: DialError,
}

/// The more it says about the destination, the higher.
fn weight(error: DialError) -> u8 {
    match error {
        DialError::Cancelled => 0,
        DialError::TimedOut => 1,
        DialError::NoAddress => 2,
        DialError::Unreachable => 3,
        DialError::Limit => 4,
        DialError::Refused => 5,
        DialError::Blocked => 6,
    }
}

fn from_io(error: &std::io::Error) -> DialError {
    match error.kind() {
        ErrorKind::ConnectionRefused => DialError::Refused,
        ErrorKind::TimedOut => DialError::TimedOut,
        ErrorKind::AddrNotAvailable => DialError::NoAddress,
        _ => DialError::Unreachable,
    }
}

impl Netstack {
    pub(crate) fn start_race(
        &mut self,
        now: Instant,
        purpose: Purpose,
        addresses: impl IntoIterator<Item = SocketAddr>,
        by_system: bool,
        timeout: Duration,
    ) -> usize {
        let slot = self.races.insert(Race {
            purpose,
            waiting: addresses.into_iter().take(16).collect(),
            running: Vec::new(),
            by_system,
            last: None,
            next_at: now,
            deadline: now + timeout,
            worst: DialError::Cancelled,
        });
        self.timers.set(now + timeout, Due::Race(slot));
        slot
    }

    /// Begins what is due; ends the race if nothing is left. The race's owner must know its slot by now.
    pub(crate) fn advance_race(&mut self, now: Instant, slot: usize) {
        loop {
            let Some(race) = self.races.get_mut(slot) else {
                return;
            };
            if now >= race.deadline {
                let error = match race.running.is_empty() {
                    true => race.worst,
                    false => DialError::TimedOut,
                };
                return self.lose_race(now, slot, error);
            }
            if !race.running.is_empty() && now < race.next_at {
                return;
            }
            let Some(address) = race.waiting.pop_front() else {
                if race.running.is_empty() {
                    let error = match race.worst {
                        DialError::Cancelled => DialError::NoAddress,
                        known => known,
                    };
                    self.lose_race(now, slot, error);
                }
                return;
            };
            race.next_at = now + self.config.attempt_delay;
            let (next_at, more) = (race.next_at, !race.waiting.is_empty());
            if more {
                self.timers.set(next_at, Due::Race(slot));
            }
            self.begin_attempt(now, slot, address);
        }
    }

    fn begin_attempt(&mut self, now: Instant, slot: usize, address: SocketAddr) {
        self.races[slot].last = Some(address);
        let own = self.addresses.contains(&address.ip());
        let by_system = own || self.races[slot].by_system;
        let begun = if by_system {
            let target = match (own, address.ip()) {
                (true, IpAddr::V4(_)) => SocketAddr::from((Ipv4Addr::LOCALHOST, address.port())),
                (true, IpAddr::V6(_)) => SocketAddr::from((Ipv6Addr::LOCALHOST, address.port())),
                (false, _) => address,
            };
            self.begin_system(slot, target)
        } else {
            self.open_outbound(now, address, slot).map(Attempt::Tunnel)
        };
        match begun {
            Ok(attempt) => {
                self.races[slot].running.push(attempt);
                self.race_stream_ready(now, slot);
            }
            Err(error) => self.note_race_error(slot, error),
        }
    }

    fn begin_system(&mut self, slot: usize, target: SocketAddr) -> Result<Attempt, DialError> {
        let (stream, token) = self.connect(target).map_err(|_| DialError::Unreachable)?;
        self.tokens.set(token, Source::Race(slot));
        Ok(Attempt::System { stream, token })
    }

    fn note_race_error(&mut self, slot: usize, error: DialError) {
        if let Some(race) = self.races.get_mut(slot)
            && weight(error) > weight(race.worst)
        {
            race.worst = error;
        }
    }

    /// Looks at all system attempts of a race.
    pub(crate) fn race_stream_ready(&mut self, now: Instant, slot: usize) {
        let mut at = 0;
        while let Some(race) = self.races.get_mut(slot) {
            let state = match race.running.get(at) {
                None => break,
                Some(Attempt::Tunnel(_)) => Progress::Pending,
                Some(Attempt::System { stream, .. }) => progress(stream),
            };
            match state {
                Progress::Pending => at += 1,
                Progress::Connected => {
                    let attempt = race.running.swap_remove(at);
                    return self.win_race(now, slot, attempt);
                }
                Progress::Failed(e) => {
                    if let Attempt::System { token, .. } = race.running.swap_remove(at) {
                        self.tokens.free(token);
                    }
                    self.attempt_failed(now, slot, from_io(&e));
                }
            }
        }
    }

    fn attempt_failed(&mut self, now: Instant, slot: usize, error: DialError) {
        self.note_race_error(slot, error);
        if let Some(race) = self.races.get_mut(slot) {
            race.next_at = now;
            self.timers.set(now, Due::Race(slot));
        }
    }

    pub(crate) fn race_won_tunnel(&mut self, now: Instant, slot: usize, flow: usize) {
        let Some(race) = self.races.get_mut(slot) else {
            return self.reset_flow(now, flow);
        };
        race.running
            .retain(|a| !matches!(a, Attempt::Tunnel(f) if *f == flow));
        self.win_race(now, slot, Attempt::Tunnel(flow));
    }

    pub(crate) fn race_lost_tunnel(
        &mut self,
        now: Instant,
        slot: usize,
        flow: usize,
        why: DialError,
    ) {
        if let Some(race) = self.races.get_mut(slot) {
            let before = race.running.len();
            race.running
                .retain(|a| !matches!(a, Attempt::Tunnel(f) if *f == flow));
            if race.running.len() != before {
                self.attempt_failed(now, slot, why);
                self.advance_race(now, slot);
            }
        }
    }

    fn win_race(&mut self, now: Instant, slot: usize, winner: Attempt) {
        let race = self.races.remove(slot);
        self.drop_attempts(now, race.running);
        match (race.purpose, winner) {
            (Purpose::Client(client), Attempt::Tunnel(flow)) => {
                self.client_to_flow(now, client, flow);
            }
            (Purpose::Client(client), Attempt::System { stream, token }) => {
                self.client_to_system(client, stream, token);
            }
            (Purpose::Dial(id), Attempt::Tunnel(flow)) => {
                let result = match self.pair() {
                    Some((splice, fd)) => {
                        self.attach(flow, splice);
                        Ok(fd)
                    }
                    None => {
                        self.reset_flow(now, flow);
                        Err(DialError::Limit)
                    }
                };
                self.events.push_back(Event::DialDone { id, result });
            }
            (Purpose::Dial(id), Attempt::System { stream, token }) => {
                let result = match self.pair() {
                    Some((splice, fd)) => {
                        self.start_relay(splice, Splice::new(LocalSocket::Tcp(stream), token, 0));
                        Ok(fd)
                    }
                    None => {
                        self.tokens.free(token);
                        Err(DialError::Limit)
                    }
                };
                self.events.push_back(Event::DialDone { id, result });
            }
        }
    }

    fn lose_race(&mut self, now: Instant, slot: usize, error: DialError) {
        let race = self.races.remove(slot);
        self.drop_attempts(now, race.running);
        if let (DialError::TimedOut, false, Some(to)) = (error, race.by_system, race.last)
            && !self.addresses.contains(&to.ip())
        {
            self.events.push_back(Event::Unanswered { to });
        }
        match race.purpose {
            Purpose::Client(client) => self.client_failed(now, client, error),
            Purpose::Dial(id) => self.events.push_back(Event::DialDone {
                id,
                result: Err(error),
            }),
        }
    }

    /// Ends every race of connections by the system: another way may be the right one now.
    pub(crate) fn lose_races_by_system(&mut self, now: Instant) {
        let found = self.races.iter().filter(|(_, race)| race.by_system);
        let slots: Vec<usize> = found.map(|(slot, _)| slot).collect();
        for slot in slots {
            self.lose_race(now, slot, DialError::Cancelled);
        }
    }

    /// Ends a race whose client has gone away, without telling anyone.
    pub(crate) fn cancel_race(&mut self, now: Instant, slot: usize) {
        if let Some(race) = self.races.try_remove(slot) {
            self.drop_attempts(now, race.running);
        }
    }

    fn drop_attempts(&mut self, now: Instant, attempts: Vec<Attempt>) {
        for attempt in attempts {
            match attempt {
                // The race is forgotten already, so the flow's end is not reported to it.
                Attempt::Tunnel(flow) => self.reset_flow(now, flow),
                Attempt::System { token, .. } => self.tokens.free(token),
            }
        }
    }
}
