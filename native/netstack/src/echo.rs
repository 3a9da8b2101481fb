//! Echo requests of guests to other machines, by the system's ping sockets: one a family, opened at the first need. Where this
//! user may have none, the owner is asked (`Event::EchoWanted`), who may run the system's own program.
//!
//! A request goes out under a number of ours, and what comes back under it from that very place is the guest's answer:
//!
//!   guest's id | seq | data  →  our number as seq, same data  →  guest's id | seq | data
//!
//! The system puts its own id into what it sends and shows only answers to that. Requests are forgotten after 5 s.

use crate::Netstack;
use crate::guests::{Guest, share};
use crate::timers::Due;
use crate::tokens::Source;
use crate::types::Event;
use mio::Interest;
use mio::net::UdpSocket;
use socket2::{Domain, Protocol, Socket, Type};
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(5);
/// Requests that the owner may have in hand.
const MOST_WANTED: usize = 20;
/// Answers read in one go before packets get their turn.
const TURN: usize = 64;
const HEADER: usize = 8;

struct Waiting {
    guest: Guest,
    /// Source and destination of the answer.
    ends: (IpAddr, IpAddr),
    to: IpAddr,
    /// The request after its checksum.
    rest: Vec<u8>,
    until: Instant,
}

enum Opened {
    Socket {
        socket: UdpSocket,
        token: usize,
    },
    /// The system lets this user have none.
    Unable,
}

#[derive(Default)]
pub(crate) struct Echoes {
    /// IPv4, IPv6.
    sockets: [Option<Opened>; 2],
    waiting: HashMap<u16, Waiting>,
    next: u16,
}

fn open(v6: bool) -> io::Result<UdpSocket> {
    let (domain, protocol) = match v6 {
        false => (Domain::IPV4, Protocol::ICMPV4),
        true => (Domain::IPV6, Protocol::ICMPV6),
    };
    let socket = Socket::new(domain, Type::DGRAM, Some(protocol))?;
    socket.set_nonblocking(true)?;
    Ok(UdpSocket::from_std(socket.into()))
}

impl Netstack {
    /// Passes a guest's request on to `to`; `rest` is what follows its checksum.
    pub(crate) fn pass_echo(
        &mut self,
        now: Instant,
        guest: Guest,
        ends: (IpAddr, IpAddr),
        to: IpAddr,
        rest: &[u8],
    ) {
        let own = self.guests.of(guest).echoes;
        let most = match self.echo_socket(to.is_ipv6()) {
            Opened::Socket { .. } => self.config.max_echoes,
            Opened::Unable => self.config.max_echoes.min(MOST_WANTED),
        };
        if self.echoes.waiting.len() >= most || own >= share(most) {
            self.counters.drop_echo_limit += 1;
            return;
        }
        let number = self.echoes.free_number();
        if !self.send_echo(number, to, rest) {
            return;
        }
        self.counters.echo_passed += 1;
        let until = now + PATIENCE;
        let waiting = Waiting {
            guest,
            ends,
            to,
            rest: rest.to_vec(),
            until,
        };
        self.guests.change(guest, |usage| usage.echoes += 1);
        self.echoes.waiting.insert(number, waiting);
        self.timers.set(until, Due::Echo(number));
    }

    /// Sends it by a socket of ours or asks the owner to; false when that cannot be.
    fn send_echo(&mut self, number: u16, to: IpAddr, rest: &[u8]) -> bool {
        let v6 = to.is_ipv6();
        let Opened::Socket { socket, .. } = self.echo_socket(v6) else {
            self.events.push_back(Event::EchoWanted { id: number, to });
            return true;
        };
        let mut request = vec![if v6 { 128 } else { 8 }, 0, 0, 0, 0, 0];
        request.extend_from_slice(&number.to_be_bytes());
        request.extend_from_slice(&rest[4..]);
        if !v6 {
            let sum = crate::packet::checksum(0, &request);
            request[2..4].copy_from_slice(&sum.to_be_bytes());
        }
        let sent = socket.send_to(&request, SocketAddr::new(to, 0)).is_ok();
        if !sent {
            self.counters.drop_echo_unable += 1;
        }
        sent
    }

    /// The socket of a family, opened if it is not.
    fn echo_socket(&mut self, v6: bool) -> &Opened {
        if self.echoes.sockets[usize::from(v6)].is_none() {
            let opened = self.open_echo(v6).unwrap_or(Opened::Unable);
            self.echoes.sockets[usize::from(v6)] = Some(opened);
        }
        self.echoes.sockets[usize::from(v6)]
            .as_ref()
            .unwrap_or(&Opened::Unable)
    }

    fn open_echo(&mut self, v6: bool) -> io::Result<Opened> {
        let mut socket = open(v6)?;
        let token = self.tokens.add(Source::Echo(v6));
        let interest = Interest::READABLE;
        let registered = self
            .registry
            .register(&mut socket, self.tokens.mio(token), interest);
        if let Err(e) = registered {
            self.tokens.free(token);
            return Err(e);
        }
        Ok(Opened::Socket { socket, token })
    }

    pub(crate) fn echo_ready(&mut self, v6: bool) {
        let mut buffer = std::mem::take(&mut self.datagram);
        buffer.resize(1 << 16, 0);
        for turn in 0..=TURN {
            let Some(Opened::Socket { socket, token }) = &self.echoes.sockets[usize::from(v6)]
            else {
                break;
            };
            if turn == TURN {
                self.again.push_back(Source::Echo(v6));
                break;
            }
            match socket.recv_from(&mut buffer) {
                Ok((n, from)) => self.take_echo_reply(from.ip(), &buffer[..n]),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                // Another is opened at the next request.
                Err(_) => {
                    self.tokens.free(*token);
                    self.echoes.sockets[usize::from(v6)] = None;
                    break;
                }
            }
        }
        self.datagram = buffer;
    }

    fn take_echo_reply(&mut self, from: IpAddr, datagram: &[u8]) {
        // An IPv4 header stands in front on some systems; an answer itself begins with 0 or 129.
        let skip = match datagram.first().map(|b| b >> 4) {
            Some(4) => usize::from(datagram[0] & 15) * 4,
            _ => 0,
        };
        let Some(message) = datagram.get(skip..).filter(|m| m.len() >= HEADER) else {
            return;
        };
        let number = u16::from_be_bytes([message[6], message[7]]);
        let kind = if from.is_ipv6() { 129 } else { 0 };
        let fits = |w: &Waiting| w.to == from && w.rest[4..] == message[HEADER..];
        if message[0] == kind && self.echoes.waiting.get(&number).is_some_and(fits) {
            self.answer_echo(number, true);
        }
    }

    /// The end of an `Event::EchoWanted`, or of our own request; a number that is not waited for is ignored.
    pub fn answer_echo(&mut self, number: u16, answered: bool) {
        let Some(waiting) = self.echoes.waiting.remove(&number) else {
            return;
        };
        self.guests.change(waiting.guest, |usage| usage.echoes -= 1);
        if answered {
            self.counters.echo_answered += 1;
            self.send_echo_reply(waiting.ends, &waiting.rest);
        }
    }

    pub(crate) fn echo_due(&mut self, now: Instant, number: u16) {
        let late = |w: &Waiting| w.until <= now;
        if self.echoes.waiting.get(&number).is_some_and(late) {
            self.answer_echo(number, false);
        }
    }
}

impl Echoes {
    /// There are far fewer requests than numbers.
    fn free_number(&mut self) -> u16 {
        loop {
            self.next = self.next.wrapping_add(1);
            if !self.waiting.contains_key(&self.next) {
                return self.next;
            }
        }
    }
}
