//! Gathers datagrams into runs that one system call can send: same destination, equal size but for a shorter last one.
//!
//! A run holds at most 64 segments and 65,000 bytes, the limits of UDP segmentation offload.

use std::net::SocketAddr;

/// Room for one run; IP and UDP headers of the whole must still fit 64 KiB.
pub const RUN_BYTES: usize = 65_000;
pub const RUN_SEGMENTS: usize = 64;

/// One run: `bytes` cut every `segment` bytes gives the datagrams.
pub struct Run<'a> {
    pub to: SocketAddr,
    pub bytes: &'a [u8],
    pub segment: usize,
}

/// The run being gathered for one socket.
pub struct Batch {
    bytes: Vec<u8>,
    to: Option<SocketAddr>,
    segment: usize,
    count: usize,
    /// A shorter datagram was added: nothing may follow it.
    closed: bool,
}

impl Default for Batch {
    fn default() -> Batch {
        Batch {
            bytes: Vec::with_capacity(RUN_BYTES),
            to: None,
            segment: 0,
            count: 0,
            closed: false,
        }
    }
}

impl Batch {
    /// Whether the datagram can join the run at hand; if not, the run must be taken first.
    #[inline]
    pub fn accepts(&self, to: SocketAddr, len: usize, max_segments: usize) -> bool {
        match self.to {
            None => true,
            Some(current) => {
                current == to
                    && !self.closed
                    && len > 0
                    && len <= self.segment
                    && self.count < max_segments.min(RUN_SEGMENTS)
                    && self.bytes.len() + len <= RUN_BYTES
            }
        }
    }

    /// Adds a datagram that is accepted.
    #[inline]
    pub fn push(&mut self, to: SocketAddr, datagram: &[u8]) {
        self.join(to, datagram.len());
        self.bytes.extend_from_slice(datagram);
    }

    /// Adds a datagram of two parts; together they are accepted.
    #[inline]
    pub fn push_headed(&mut self, to: SocketAddr, header: &[u8], rest: &[u8]) {
        self.join(to, header.len() + rest.len());
        self.bytes.extend_from_slice(header);
        self.bytes.extend_from_slice(rest);
    }

    #[inline]
    fn join(&mut self, to: SocketAddr, len: usize) {
        if self.to.is_none() {
            self.to = Some(to);
            self.segment = len;
        }
        self.closed = len < self.segment || len == 0;
        self.count += 1;
    }

    /// Gives the run to `send` and starts anew.
    pub fn take(&mut self, send: impl FnOnce(Run<'_>)) {
        if let Some(to) = self.to.take() {
            send(Run {
                to,
                bytes: &self.bytes,
                segment: self.segment,
            });
        }
        self.bytes.clear();
        self.count = 0;
        self.closed = false;
    }

    pub fn is_empty(&self) -> bool {
        self.to.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_has_one_destination_and_only_its_last_datagram_may_be_shorter() {
        let [a, b]: [SocketAddr; 2] =
            ["127.0.0.1:1", "127.0.0.1:2"].map(|text| text.parse().unwrap());
        let mut batch = Batch::default();
        assert!(batch.accepts(a, 100, 64));
        batch.push(a, &[1; 100]);
        assert!(
            !batch.accepts(b, 100, 64) && !batch.accepts(a, 101, 64) && !batch.accepts(a, 0, 64)
        );
        assert!(
            !batch.accepts(a, 100, 1),
            "without offload each datagram goes alone"
        );
        batch.push(a, &[2; 100]);
        batch.push(a, &[3; 7]);
        assert!(!batch.accepts(a, 7, 64));
        let mut seen = 0;
        batch.take(|run| {
            assert_eq!((run.to, run.segment, run.bytes.len()), (a, 100, 207));
            seen += 1;
        });
        batch.take(|_| seen += 1);
        assert_eq!(seen, 1);
        batch.push(a, &[]);
        assert!(!batch.accepts(a, 0, 64));
    }

    #[test]
    fn a_run_stays_within_the_limits_of_the_kernel() {
        let to = "127.0.0.1:1".parse().unwrap();
        for len in [1usize, 80, 1312, 1452, 9000, 65_000] {
            let mut batch = Batch::default();
            let datagram = vec![0; len];
            let mut count = 0;
            while batch.accepts(to, len, 64) {
                batch.push(to, &datagram);
                count += 1;
            }
            assert!(count <= 64 && count * len <= RUN_BYTES && count >= 1);
        }
    }
}
