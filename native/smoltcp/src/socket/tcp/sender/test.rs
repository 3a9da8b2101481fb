use super::*;
use std::vec::Vec;

const MSS: usize = 1000;
const RTT: i64 = 20_000;

/// A window that never limits, and what it was told.
#[derive(Default)]
struct Calls {
    acked: usize,
    losses: usize,
    timeouts: usize,
    undone: usize,
}

impl Controller for Calls {
    fn window(&self) -> usize {
        1 << 20
    }

    fn on_ack(&mut self, _: Instant, len: usize, _: &RttEstimator) {
        self.acked += len;
    }

    fn on_loss(&mut self, _: Instant, _: usize) {
        self.losses += 1;
    }

    fn on_rto(&mut self, _: Instant, _: usize) {
        self.timeouts += 1;
    }

    fn undo(&mut self) {
        self.undone += 1;
    }
}

struct Lab {
    sender: Sender,
    rtte: RttEstimator,
    calls: Calls,
    una: TcpSeqNumber,
    nxt: TcpSeqNumber,
    base: TcpSeqNumber,
}

/// Sequence numbers in whole segments from the start.
fn lab() -> Lab {
    // The sequence numbers wrap inside each test.
    let base = TcpSeqNumber(-2500);
    let mut sender = Sender::new();
    sender.start(Instant::ZERO, base, None);
    Lab {
        sender,
        rtte: RttEstimator::default(),
        calls: Calls::default(),
        una: base,
        nxt: base,
        base,
    }
}

impl Lab {
    fn send(&mut self, at: i64, segments: usize) {
        for _ in 0..segments {
            let end = self.nxt + MSS;
            self.sender
                .on_send(Instant::from_micros(at), self.nxt, end, MSS, false);
            self.nxt = end;
        }
    }

    /// Acknowledge the segments below `una` and the blocks, at `at`.
    fn ack(&mut self, at: i64, una: usize, blocks: &[(usize, usize)]) {
        let raw: Vec<(u32, u32)> = blocks
            .iter()
            .map(|&(l, r)| {
                (
                    (self.base + l * MSS).0 as u32,
                    (self.base + r * MSS).0 as u32,
                )
            })
            .collect();
        self.ack_raw(at, self.base + una * MSS, &raw, true);
    }

    fn ack_raw(&mut self, at: i64, una: TcpSeqNumber, blocks: &[(u32, u32)], sack: bool) {
        let mut ranges = [None; 3];
        for (range, block) in ranges.iter_mut().zip(blocks) {
            *range = Some(*block);
        }
        let ack = Ack {
            now: Instant::from_micros(at),
            una_before: self.una,
            una,
            snd_nxt: self.nxt,
            sack: sack.then_some(&ranges),
            duplicate: una == self.una,
            mss: MSS,
        };
        self.una = una;
        self.sender.on_ack(&ack, &mut self.rtte, &mut self.calls);
        self.sender.check(self.una, self.nxt);
    }

    fn timeout(&mut self, at: i64) {
        self.sender.on_rto(
            Instant::from_micros(at),
            self.una,
            self.nxt,
            self.nxt,
            MSS,
            &mut self.calls,
        );
    }

    /// Send again whatever is lost; the segments' numbers.
    fn resend(&mut self, at: i64) -> Vec<usize> {
        let mut sent = Vec::new();
        while let Some((start, end)) = self.sender.to_resend(1 << 20) {
            self.sender.on_resend(Instant::from_micros(at), start, end);
            sent.push((start - self.base) / MSS);
        }
        sent
    }
}

/// A connection with a known RTT and nothing in flight, segment 0 acknowledged.
fn warm() -> Lab {
    let mut lab = lab();
    lab.send(0, 1);
    lab.ack(RTT, 1, &[]);
    lab
}

#[test]
fn a_clean_path_is_push_and_pop() {
    let mut lab = warm();
    lab.send(100_000, 10);
    // One burst, one record.
    assert_eq!((lab.sender.pipe, lab.sender.fresh.len()), (10 * MSS, 1));
    lab.send(100_001, 2);
    assert_eq!((lab.sender.pipe, lab.sender.fresh.len()), (12 * MSS, 2));
    lab.ack(120_000, 6, &[]);
    assert_eq!((lab.sender.pipe, lab.sender.fresh.len()), (7 * MSS, 2));
    lab.ack(120_000, 11, &[]);
    assert_eq!((lab.sender.pipe, lab.sender.fresh.len()), (2 * MSS, 1));
    assert!(lab.sender.holes.is_empty());
    assert_eq!(lab.calls.losses, 0);
    assert_eq!(lab.sender.min_rtt.get(), Some(RTT));
}

#[test]
fn three_segments_above_a_hole_mark_it_at_once() {
    let mut lab = warm();
    lab.send(100_000, 6);
    lab.ack(120_000, 1, &[(2, 3)]);
    assert_eq!(lab.resend(120_000), []);
    // One segment above the hole could be reordering: a quarter of the RTT is granted.
    assert_eq!(
        lab.sender.reorder_at(),
        Some(Instant::from_micros(100_000 + RTT + RTT / 4))
    );
    lab.ack(120_010, 1, &[(2, 5)]);
    assert_eq!(lab.sender.phase, Phase::Recovery);
    assert_eq!(lab.resend(120_010), [1]);
    assert_eq!(lab.calls.losses, 1);
    // The rest arrives, then the repair.
    lab.ack(120_020, 1, &[(2, 7)]);
    lab.ack(140_010, 7, &[]);
    assert_eq!(lab.sender.phase, Phase::Open);
    assert_eq!((lab.sender.pipe, lab.sender.lost), (0, 0));
    assert_eq!((lab.calls.losses, lab.calls.undone), (1, 0));
}

#[test]
fn a_lost_retransmission_is_sent_again_without_a_timeout() {
    let mut lab = warm();
    lab.send(100_000, 6);
    lab.ack(120_000, 1, &[(2, 7)]);
    assert_eq!(lab.resend(120_000), [1]);
    lab.send(120_100, 1);
    // What was sent after the retransmission has arrived.
    lab.ack(140_100, 1, &[(2, 8)]);
    assert_eq!(lab.resend(140_100), [1]);
    // One reduction for the episode.
    assert_eq!(lab.calls.losses, 1);
}

#[test]
fn the_reordering_timer_marks_what_is_late() {
    let mut lab = warm();
    lab.send(100_000, 3);
    lab.ack(120_000, 1, &[(2, 3)]);
    let at = lab.sender.reorder_at().unwrap();
    lab.sender
        .on_reorder_timer(at, lab.una, lab.nxt, MSS, &lab.rtte, &mut lab.calls);
    assert_eq!(lab.resend(at.total_micros()), [1]);
}

#[test]
fn needless_repairs_are_undone_and_widen_the_window() {
    let mut lab = warm();
    lab.send(100_000, 6);
    lab.ack(120_000, 1, &[(2, 7)]);
    assert_eq!(lab.resend(120_000), [1]);
    // The original comes 5 ms late: sooner than the retransmission can have been answered.
    lab.ack(125_000, 7, &[]);
    assert_eq!((lab.calls.losses, lab.calls.undone), (1, 1));
    assert_eq!(lab.sender.phase, Phase::Open);
    assert!(lab.sender.reordering_seen);
    assert_eq!(lab.sender.reo_mult, 2);
    // From now on three segments above a hole mean little.
    lab.send(200_000, 6);
    lab.ack(220_000, 7, &[(8, 13)]);
    assert_eq!(lab.resend(220_000), []);
    assert!(lab.sender.reorder_at().is_some());
}

#[test]
fn a_duplicate_report_undoes_too() {
    let mut lab = warm();
    lab.send(100_000, 6);
    lab.ack(120_000, 1, &[(2, 7)]);
    assert_eq!(lab.resend(120_000), [1]);
    // Not to be told from an answer to the retransmission...
    lab.ack(141_000, 7, &[]);
    assert_eq!(lab.calls.undone, 0);
    // ...but for the DSACK.
    lab.ack(142_000, 7, &[(1, 2)]);
    assert_eq!(lab.calls.undone, 1);
}

#[test]
fn a_duplicate_report_of_a_finished_episode_comes_too_late() {
    let mut lab = warm();
    lab.send(100_000, 6);
    lab.ack(120_000, 1, &[(2, 7)]);
    lab.resend(120_000);
    lab.ack(141_000, 7, &[]);
    lab.send(150_000, 4);
    lab.ack(170_000, 9, &[]);
    lab.ack(170_100, 11, &[(1, 2)]);
    assert_eq!(lab.calls.undone, 0);
}

#[test]
fn blocks_are_rounded_inward() {
    let mut lab = warm();
    lab.send(100_000, 4);
    let base = lab.base;
    let at = |segments: usize, more: usize| (base + segments * MSS + more).0 as u32;
    // From the middle of segment 1 to the middle of segment 3: only segment 2 is whole.
    let block = (at(1, 500), at(3, 500));
    lab.ack_raw(120_000, lab.una, &[block], true);
    assert_eq!(lab.sender.pipe, 3 * MSS);
    assert_eq!((lab.sender.holes.len(), lab.sender.fresh.len()), (1, 1));
    // Slivers split nothing.
    for i in 0..900 {
        let block = (at(3, i), at(3, i + 100));
        lab.ack_raw(120_000, lab.una, &[block], true);
    }
    assert_eq!((lab.sender.holes.len(), lab.sender.fresh.len()), (1, 1));
}

#[test]
fn wild_blocks_are_ignored() {
    let mut lab = warm();
    lab.send(100_000, 4);
    let una = lab.una.0 as u32;
    let half = 1 << 31;
    let offsets = [
        0,
        1,
        half,
        half - 1,
        half + 5000,
        4001,
        5000,
        u32::MAX,
        u32::MAX - 5000,
    ];
    for left in offsets {
        for right in offsets {
            // (Offsets from `una`, of which none makes a block inside the four segments.)
            let (left, right) = (una.wrapping_add(left), una.wrapping_add(right));
            lab.ack_raw(120_000, lab.una, &[(left, right), (right, left)], true);
        }
    }
    assert_eq!(lab.sender.pipe, 4 * MSS);
    assert_eq!(lab.calls.losses, 0);
}

#[test]
fn a_timeout_marks_all_and_keeps_what_was_sacked() {
    let mut lab = warm();
    lab.send(100_000, 5);
    lab.ack(120_000, 1, &[(3, 4)]);
    lab.timeout(400_000);
    assert_eq!((lab.sender.pipe, lab.sender.lost), (0, 4 * MSS));
    assert_eq!(lab.resend(400_000), [1, 2, 4, 5]);
    assert_eq!(lab.calls.timeouts, 1);
}

#[test]
fn a_peer_that_reneged_gets_all_again() {
    let mut lab = warm();
    lab.send(100_000, 5);
    // All but nothing is acknowledged: the head is SACKed and not acknowledged.
    lab.ack(120_000, 1, &[(1, 6)]);
    assert_eq!((lab.sender.pipe, lab.sender.lost), (0, 0));
    lab.timeout(400_000);
    assert_eq!(lab.resend(400_000), [1, 2, 3, 4, 5]);
}

#[test]
fn a_timeout_that_came_too_early_is_undone() {
    let mut lab = warm();
    lab.send(100_000, 5);
    lab.timeout(400_000);
    let (start, end) = lab.sender.to_resend(MSS).unwrap();
    lab.sender
        .on_resend(Instant::from_micros(400_000), start, end);
    // The acknowledgement of the original was on its way.
    lab.ack(401_000, 2, &[]);
    assert_eq!((lab.calls.timeouts, lab.calls.undone), (1, 1));
    assert_eq!(lab.sender.phase, Phase::Open);
    assert_eq!((lab.sender.pipe, lab.sender.lost), (4 * MSS, 0));
    assert_eq!(lab.resend(401_000), []);
}

#[test]
fn acknowledgements_of_retransmissions_time_nothing() {
    let mut lab = warm();
    let before = lab.rtte.smoothed_rtt();
    lab.send(100_000, 2);
    lab.timeout(5_000_000);
    let (start, end) = lab.sender.to_resend(MSS).unwrap();
    lab.sender
        .on_resend(Instant::from_micros(5_000_000), start, end);
    // Segment 2 was sent once, 5 s ago; what was waited for is segment 1.
    lab.ack(5_000_000 + RTT, 3, &[]);
    assert_eq!(lab.rtte.smoothed_rtt(), before);
}

#[test]
fn the_probe_comes_after_two_round_trips_and_before_the_timer() {
    let mut lab = warm();
    assert_eq!(lab.sender.probe_at(true, None, &lab.rtte), None);
    lab.send(100_000, 3);
    let at = |micros| Some(Instant::from_micros(micros));
    assert_eq!(
        lab.sender.probe_at(true, None, &lab.rtte),
        at(100_000 + 2 * RTT + TLP_SLACK)
    );
    assert_eq!(
        lab.sender.probe_at(true, at(120_000), &lab.rtte),
        at(120_000)
    );
    assert_eq!(lab.sender.probe_at(false, None, &lab.rtte), None);
    // A single segment waits for the peer's delayed acknowledgement.
    lab.ack(120_000, 3, &[]);
    assert_eq!(
        lab.sender.probe_at(true, None, &lab.rtte),
        at(120_000 + 2 * RTT + TLP_SLACK + TLP_MAX_ACK_DELAY)
    );
    // One probe at a time.
    lab.sender
        .on_probe_last(Instant::from_micros(170_000), lab.nxt);
    assert_eq!(lab.sender.probe_at(true, None, &lab.rtte), None);
}

#[test]
fn a_probe_that_repaired_a_loss_costs_one_reduction() {
    let mut lab = warm();
    lab.send(100_000, 1);
    lab.sender
        .on_probe_last(Instant::from_micros(342_000), lab.nxt);
    lab.ack(342_000 + RTT, 2, &[]);
    lab.send(400_000, 1);
    lab.ack(420_000, 3, &[]);
    assert_eq!(lab.calls.losses, 1);
}

#[test]
fn a_needless_probe_costs_nothing() {
    let mut lab = warm();
    lab.send(100_000, 1);
    lab.sender
        .on_probe_last(Instant::from_micros(342_000), lab.nxt);
    // Both the original and the probe have arrived.
    lab.ack(342_000 + RTT, 2, &[(1, 2)]);
    lab.send(400_000, 1);
    lab.ack(420_000, 3, &[]);
    assert_eq!(lab.calls.losses, 0);
}

#[test]
fn without_sack_the_third_duplicate_and_partial_acks_mark() {
    let mut lab = lab();
    lab.send(0, 1);
    lab.ack_raw(RTT, lab.base + MSS, &[], false);
    lab.send(100_000, 8);
    let una = lab.una;
    for i in 0..2 {
        lab.ack_raw(120_000 + i, una, &[], false);
        // Limited transmit: each duplicate lets one more segment go.
        assert_eq!(lab.sender.pipe(), (7 - i as usize) * MSS);
    }
    assert_eq!(lab.resend(120_002), []);
    lab.ack_raw(120_003, una, &[], false);
    assert_eq!(lab.resend(120_003), [1]);
    // Segment 4 was lost as well.
    lab.ack_raw(140_003, una + 3 * MSS, &[], false);
    assert_eq!(lab.resend(140_003), [4]);
    assert_eq!(lab.calls.losses, 1);
    lab.ack_raw(160_003, lab.nxt, &[], false);
    assert_eq!((lab.sender.phase, lab.sender.pipe()), (Phase::Open, 0));
}

#[test]
fn a_fin_shares_the_record_of_the_data_before_it() {
    let mut lab = warm();
    let (start, end) = (lab.nxt, lab.nxt + 2 * MSS + 1);
    lab.sender
        .on_send(Instant::from_micros(100_000), start, end, MSS, true);
    lab.nxt = end;
    assert_eq!(lab.sender.fresh.len(), 2);
    assert_eq!(lab.sender.last_record(), Some((start + MSS, end)));
    // The data is acknowledged, the FIN is not.
    lab.ack(120_000, 3, &[]);
    assert_eq!((lab.sender.pipe, lab.sender.fresh.len()), (1, 1));
}

#[test]
fn clear_forgets_all_but_the_memory() {
    let mut lab = warm();
    lab.send(100_000, 100);
    lab.timeout(400_000);
    let capacity = lab.sender.holes.capacity();
    lab.sender.clear();
    assert_eq!(
        (lab.sender.pipe, lab.sender.lost, lab.sender.phase),
        (0, 0, Phase::Open)
    );
    assert_eq!(lab.sender.holes.capacity(), capacity);
    assert_eq!(lab.sender.to_resend(1 << 20), None);
}

#[test]
fn a_run_cut_in_the_middle_of_a_segment_keeps_its_segments() {
    let mut lab = warm();
    lab.send(100_000, 5);
    // Half of segment 2 is acknowledged.
    let una = lab.base + 2 * MSS + 500;
    lab.ack_raw(120_000, una, &[], true);
    assert_eq!(lab.sender.pipe, 3 * MSS + 500);
    // Segments 3 and 4 are reported as they were sent.
    let block = ((lab.base + 3 * MSS).0 as u32, (lab.base + 5 * MSS).0 as u32);
    lab.ack_raw(120_001, una, &[block], true);
    assert_eq!(lab.sender.pipe, MSS + 500);
    assert_eq!(lab.sender.holes.len(), 1);
}

#[test]
fn a_probe_takes_the_last_segment_of_a_run() {
    let mut lab = warm();
    lab.send(100_000, 5);
    let last = (lab.base + 5 * MSS, lab.base + 6 * MSS);
    assert_eq!(lab.sender.last_record(), Some(last));
    lab.sender
        .on_probe_last(Instant::from_micros(142_000), lab.nxt);
    assert_eq!(lab.sender.fresh.len(), 2);
    lab.sender.check(lab.una, lab.nxt);
    // It was the last that was missing: no more than one reduction, and no record is left.
    lab.ack(120_000, 5, &[]);
    lab.ack(162_000, 6, &[]);
    assert_eq!((lab.sender.pipe, lab.sender.fresh.len()), (0, 0));
}

#[test]
fn a_large_segment_is_recorded_piece_by_piece() {
    let mut lab = warm();
    // As a device with segmentation offload takes it: 4 segments and a part, with the FIN.
    let (start, end) = (lab.nxt, lab.nxt + 4 * MSS + 301);
    lab.sender
        .on_send(Instant::from_micros(100_000), start, end, MSS, true);
    lab.nxt = end;
    assert_eq!(lab.sender.last_record(), Some((start + 4 * MSS, end)));
    lab.ack(120_000, 1, &[(2, 5)]);
    assert_eq!(lab.sender.pipe, 301);
    assert_eq!(lab.resend(120_000), [1]);
    // Nothing but whole segments and a FIN: the FIN is with the last.
    let mut lab = warm();
    let (start, end) = (lab.nxt, lab.nxt + 2 * MSS + 1);
    lab.sender
        .on_send(Instant::from_micros(100_000), start, end, MSS, true);
    assert_eq!(lab.sender.last_record(), Some((start + MSS, end)));
    // A FIN alone.
    let mut lab = warm();
    let (start, end) = (lab.nxt, lab.nxt + 1);
    lab.sender
        .on_send(Instant::from_micros(100_000), start, end, MSS, true);
    assert_eq!(lab.sender.last_record(), Some((start, end)));
}
