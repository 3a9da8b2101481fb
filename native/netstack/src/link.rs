//! The smoltcp device: hands in at most one packet and passes what comes out straight to a `PacketOut`.

use crate::types::PacketOut;
use smoltcp::phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::time::Instant;

/// One poll's view of the tunnel. Lives for one call into smoltcp.
pub(crate) struct Link<'a> {
    pub rx: Option<&'a [u8]>,
    pub sink: &'a mut dyn PacketOut,
    /// Reused for every packet; its content between packets means nothing.
    pub scratch: &'a mut Vec<u8>,
    pub mtu: usize,
    pub sent: usize,
}

pub(crate) struct Rx<'a>(&'a [u8]);

pub(crate) struct Tx<'a> {
    sink: &'a mut dyn PacketOut,
    scratch: &'a mut Vec<u8>,
    sent: &'a mut usize,
}

impl RxToken for Rx<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(self.0)
    }
}

impl TxToken for Tx<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        if self.scratch.len() < len {
            self.scratch.resize(len, 0);
        }
        let packet = &mut self.scratch[..len];
        let result = f(packet);
        self.sink.send(packet);
        *self.sent += 1;
        result
    }
}

impl Device for Link<'_> {
    type RxToken<'b>
        = Rx<'b>
    where
        Self: 'b;
    type TxToken<'b>
        = Tx<'b>
    where
        Self: 'b;

    fn receive(&mut self, _: Instant) -> Option<(Rx<'_>, Tx<'_>)> {
        let packet = self.rx.take()?;
        let tx = Tx {
            sink: self.sink,
            scratch: self.scratch,
            sent: &mut self.sent,
        };
        Some((Rx(packet), tx))
    }

    fn transmit(&mut self, _: Instant) -> Option<Tx<'_>> {
        Some(Tx {
            sink: self.sink,
            scratch: self.scratch,
            sent: &mut self.sent,
        })
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut caps = DeviceCapabilities::default();
        caps.medium = Medium::Ip;
        caps.max_transmission_unit = self.mtu;
        caps
    }
}

/// Packets made outside `poll`, waiting for it. Bounded by one reply per packet handled.
#[derive(Default)]
pub(crate) struct Queue {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Queue {
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Bytes that wait.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Sends everything, in order, and says how many packets that were.
    pub fn flush(&mut self, out: &mut dyn PacketOut) -> usize {
        let mut start = 0;
        for &end in &self.ends {
            out.send(&self.bytes[start..end]);
            start = end;
        }
        let sent = self.ends.len();
        self.ends.clear();
        self.bytes.clear();
        if self.bytes.capacity() > 1 << 20 {
            self.bytes.shrink_to(1 << 16);
        }
        sent
    }
}

impl PacketOut for Queue {
    fn send(&mut self, packet: &[u8]) {
        self.bytes.extend_from_slice(packet);
        self.ends.push(self.bytes.len());
    }
}
