//! DERP frames that carry WireGuard packets: made here ready for the relay's stream, and read here as they came.
//!
//!   frame  type 1 | length u32 BE | key 32 | packet      04 = SendPacket (to that key), 05 = RecvPacket (from that key)
//!
//! Outgoing frames gather per region in a bounded run; when it is full a packet is dropped, as a full queue does.

use std::collections::BTreeMap;

pub const SEND_PACKET: u8 = 4;
pub const RECV_PACKET: u8 = 5;
const HEADER: usize = 5;
const KEY: usize = 32;
/// The relay refuses packets beyond this.
const MAX_PACKET: usize = 65_536;
/// Bytes that may wait for one region between two drains: half a second at 16 Mb/s, ten packets' trips at 1 Gb/s.
pub const REGION_BYTES: usize = 1 << 20;

/// The bytes are no RecvPacket frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoFrame;

/// One received packet inside a run of frames.
#[derive(Debug, PartialEq, Eq)]
pub struct Frame {
    pub key: [u8; KEY],
    /// Range of the packet in the run.
    pub start: usize,
    pub end: usize,
}

/// The next RecvPacket frame at `*at`, which moves behind it; `Ok(None)` at the end, `Err` when the rest makes no sense.
pub fn next_frame(run: &[u8], at: &mut usize) -> Result<Option<Frame>, NoFrame> {
    let rest = run.get(*at..).unwrap_or_default();
    if rest.is_empty() {
        return Ok(None);
    }
    if rest.len() < HEADER + KEY || rest[0] != RECV_PACKET {
        return Err(NoFrame);
    }
    let length = u32::from_be_bytes([rest[1], rest[2], rest[3], rest[4]]) as usize;
    if !(KEY..=KEY + MAX_PACKET).contains(&length) || rest.len() < HEADER + length {
        return Err(NoFrame);
    }
    let mut key = [0u8; KEY];
    key.copy_from_slice(&rest[HEADER..HEADER + KEY]);
    let start = *at + HEADER + KEY;
    *at += HEADER + length;
    Ok(Some(Frame {
        key,
        start,
        end: *at,
    }))
}

/// Outgoing frames by region, in order of region.
#[derive(Default)]
pub struct RelayQueue {
    regions: BTreeMap<u32, Vec<u8>>,
    pub dropped: u64,
}

impl RelayQueue {
    /// Adds one SendPacket frame; false when it was dropped because the region's run is full.
    pub fn push(&mut self, region: u32, to: &[u8; KEY], packet: &[u8]) -> bool {
        let run = self.regions.entry(region).or_default();
        if packet.len() > MAX_PACKET || run.len() + HEADER + KEY + packet.len() > REGION_BYTES {
            self.dropped += 1;
            return false;
        }
        run.push(SEND_PACKET);
        run.extend_from_slice(&((KEY + packet.len()) as u32).to_be_bytes());
        run.extend_from_slice(to);
        run.extend_from_slice(packet);
        true
    }

    pub fn is_empty(&self) -> bool {
        self.regions.values().all(Vec::is_empty)
    }

    /// Gives each region's whole frames to `take`, which answers how many leading bytes it took (whole frames only).
    pub fn drain(&mut self, mut take: impl FnMut(u32, &[u8]) -> usize) {
        self.regions.retain(|region, run| {
            if run.is_empty() {
                return false;
            }
            let taken = take(*region, run).min(run.len());
            run.drain(..taken);
            true
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_read_whole_and_nonsense_ends_the_run() {
        let mut run = Vec::new();
        for len in [0usize, 1, 1312] {
            run.push(RECV_PACKET);
            run.extend_from_slice(&((KEY + len) as u32).to_be_bytes());
            run.extend_from_slice(&[len as u8; KEY]);
            run.extend_from_slice(&vec![0xab; len]);
        }
        let mut at = 0;
        for len in [0usize, 1, 1312] {
            let frame = next_frame(&run, &mut at).unwrap().unwrap();
            assert_eq!(
                (frame.end - frame.start, frame.key),
                (len, [len as u8; KEY])
            );
        }
        assert_eq!(next_frame(&run, &mut at), Ok(None));
        let mut at = 0;
        assert_eq!(next_frame(&run[..36], &mut at), Err(NoFrame));
        assert_eq!(next_frame(&[4; 64], &mut at), Err(NoFrame));
        assert_eq!(
            next_frame(&[5, 0xff, 0xff, 0xff, 0xff, 0], &mut at),
            Err(NoFrame)
        );
        let mut short = run.clone();
        short[4] = 31;
        assert_eq!(next_frame(&short, &mut 0), Err(NoFrame));
    }

    #[test]
    fn a_full_region_drops_and_counts_and_others_go_on() {
        let mut queue = RelayQueue::default();
        let packet = [0u8; 1312];
        let mut sent = 0;
        while queue.push(1, &[1; 32], &packet) {
            sent += 1;
        }
        assert_eq!(queue.dropped, 1);
        assert!(sent > 700 && queue.push(2, &[2; 32], &packet));
        let mut seen = Vec::new();
        queue.drain(|region, bytes| {
            seen.push((region, bytes.len()));
            bytes.len()
        });
        assert_eq!(seen, [(1, sent * 1349), (2, 1349)]);
        assert!(queue.is_empty() && queue.push(1, &[1; 32], &packet));
    }
}
