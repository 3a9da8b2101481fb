//! Sends datagrams on borrowed sockets from a thread of its own: gathers runs without any system call, then sends them all.

use std::net::SocketAddr;
use std::sync::{Arc, PoisonError};

use crate::batch::{RUN_BYTES, RUN_SEGMENTS, Run};
use crate::udp::{Errors, Lent, SendError, UdpCounters, send_run};

struct Head {
    to: SocketAddr,
    start: usize,
    segment: usize,
    count: usize,
    /// A shorter datagram was added: nothing may follow it.
    closed: bool,
}

/// What one thread sends.
pub struct Sender {
    lent: Arc<Lent>,
    bytes: Vec<u8>,
    heads: Vec<Head>,
    errors: Errors,
    pub counters: UdpCounters,
}

impl Sender {
    pub fn new(lent: Arc<Lent>) -> Sender {
        Sender {
            lent,
            bytes: Vec::new(),
            heads: Vec::new(),
            errors: Errors::default(),
            counters: UdpCounters::default(),
        }
    }

    #[inline]
    pub fn push(&mut self, to: SocketAddr, datagram: &[u8]) {
        self.join(to, datagram.len());
        self.bytes.extend_from_slice(datagram);
    }

    /// The same for a datagram of two parts.
    #[inline]
    pub fn push_headed(&mut self, to: SocketAddr, header: &[u8], rest: &[u8]) {
        self.join(to, header.len() + rest.len());
        self.bytes.extend_from_slice(header);
        self.bytes.extend_from_slice(rest);
    }

    #[inline]
    fn join(&mut self, to: SocketAddr, len: usize) {
        let end = self.bytes.len();
        match self.heads.last_mut() {
            Some(head)
                if head.to == to
                    && !head.closed
                    && (1..=head.segment).contains(&len)
                    && head.count < RUN_SEGMENTS
                    && end - head.start + len <= RUN_BYTES =>
            {
                head.closed = len < head.segment;
                head.count += 1;
            }
            _ => self.heads.push(Head {
                to,
                start: end,
                segment: len,
                count: 1,
                closed: len == 0,
            }),
        }
    }

    /// Sends what is gathered.
    pub fn flush(&mut self) {
        let sockets = self.lent.0.read().unwrap_or_else(PoisonError::into_inner);
        let mut end = self.bytes.len();
        let ends: Vec<usize> = self
            .heads
            .iter()
            .rev()
            .map(|head| std::mem::replace(&mut end, head.start))
            .collect();
        for (head, end) in self.heads.iter().zip(ends.into_iter().rev()) {
            let run = Run {
                to: head.to,
                bytes: &self.bytes[head.start..end],
                segment: head.segment,
            };
            self.counters.udp_out_runs += 1;
            self.counters.udp_out_bytes += run.bytes.len() as u64;
            let result = match &sockets[usize::from(head.to.is_ipv6())] {
                Some(bound) => send_run(bound, &run, &mut self.counters),
                None => Err(SendError::Unreachable),
            };
            if let Err(why) = result {
                self.counters.udp_out_errors += 1;
                match why {
                    SendError::Full => self.counters.udp_out_full += 1,
                    _ => self.errors.note(head.to, why),
                }
            }
        }
        self.heads.clear();
        self.bytes.clear();
    }

    /// Destinations that failed since the last call, with why.
    pub fn take_errors(&mut self) -> Vec<(SocketAddr, SendError)> {
        std::mem::take(&mut self.errors.untold)
    }
}
