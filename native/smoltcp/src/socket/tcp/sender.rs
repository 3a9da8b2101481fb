//! The sending half of loss recovery: which bytes are outstanding, which are lost, when to say so.
//!
//! RFC 2018 and 2883 (SACK, DSACK), 5681, 6298, 6582 (NewReno, where the peer has no SACK), 6675 (pipe), 8985 (RACK-TLP).
//!
//! Every transmitted segment is one [`Record`] until the peer is known to have it. Records live in two queues:
//!
//! ```text
//!   una                                                       snd_nxt
//!    |  holes: sorted; Sent, Lost or Resent  |  fresh: in order of transmission, nothing above was delivered  |
//! ```
//!
//! `holes` lies wholly below `fresh`. A byte between `una` and `snd_nxt` in neither queue was selectively acknowledged. On a
//! clean path segments are pushed on the back of `fresh` and popped from its front, and nothing else happens. Segments of one size
//! sent at one moment (a burst, or what a device cuts up itself) share a record of `fresh` until something happens to one of them.
//!
//! The counters: `pipe` = bytes of records Sent or Resent, `lost` = bytes of records Lost,
//! SACKed = `snd_nxt` − `una` − `pipe` − `lost`. The congestion window is always compared with [`Sender::pipe`].
//!
//! A SACK block is rounded inward to whole records, so that a peer cannot make us split them: the number of records is bounded
//! by what we sent ourselves. No step is more than linear in the number of outstanding records.

use alloc::collections::VecDeque;

use super::RttEstimator;
use super::congestion::Controller;
use crate::time::{Duration, Instant};
use crate::wire::TcpSeqNumber;

mod repair;
#[cfg(test)]
mod test;

/// RFC 8985 (7.2): what the peer's delayed acknowledgement may add when a single segment is out.
const TLP_MAX_ACK_DELAY: i64 = 200_000;
/// RFC 8985 (7.2): the probe timeout while there is no RTT measurement.
const TLP_INITIAL: i64 = 1_000_000;
/// Slack on top of two round trips, so that an acknowledgement in the same tick wins.
const TLP_SLACK: i64 = 2_000;
/// Length of one bucket of the windowed minimum RTT.
const MIN_RTT_BUCKET: i64 = 10_000_000;
/// RFC 8985 (6.2, step 4): recoveries after which the reordering window falls back to a quarter of the minimum RTT.
const REO_PERSIST: u8 = 16;
const REO_MULT_MAX: u8 = 16;
/// RFC 5681 (3.2): duplicate acknowledgements that mean a loss.
const DUP_THRESH: u8 = 3;

/// `b - a`, for `a` not after `b`.
#[inline]
fn span(a: TcpSeqNumber, b: TcpSeqNumber) -> usize {
    debug_assert!(a <= b);
    b.0.wrapping_sub(a.0) as u32 as usize
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Transmitted once since it was last known lost or new; presumed on its way.
    Sent,
    /// Presumed gone; waits for retransmission.
    Lost,
    /// Retransmitted; presumed on its way.
    Resent,
}

/// One transmitted segment (or what is left of it). A FIN shares the record of the data it was sent with. In `fresh` it may be a run
/// of whole segments of `piece` bytes each, all sent at the same moment.
#[derive(Debug, Clone, Copy)]
struct Record {
    start: TcpSeqNumber,
    end: TcpSeqNumber,
    /// Microseconds of the last transmission.
    sent: i64,
    piece: u32,
    state: State,
    ever_resent: bool,
}

impl Record {
    #[inline]
    fn len(&self) -> usize {
        span(self.start, self.end)
    }

    /// The first segment of a run.
    #[inline]
    fn first(&self) -> Record {
        Record {
            end: self.start + self.len().min(self.piece as usize),
            ..*self
        }
    }

    /// RFC 8985 (6.2): RACK_sent_after, the other way round.
    #[inline]
    fn sent_before(&self, (sent, end): (i64, TcpSeqNumber)) -> bool {
        self.sent < sent || (self.sent == sent && self.end < end)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// No loss is being repaired; the window grows.
    Open,
    /// Repair begun by RACK or by duplicate acknowledgements, until `recovery_point` is acknowledged.
    Recovery,
    /// Repair begun by the retransmission timer, in slow start, until `recovery_point` is acknowledged.
    Loss,
}

/// A loss probe that is out (RFC 8985, section 7).
#[derive(Debug, Clone, Copy)]
struct Probe {
    end: TcpSeqNumber,
    /// Whether the probe was a retransmission rather than new data.
    resent: bool,
    /// The probed record was answered too soon for the probe: the original had arrived.
    needless: bool,
}

/// The smallest RTT of the last 10 to 20 seconds.
#[derive(Debug, Clone, Copy)]
struct MinRtt {
    current: u32,
    previous: u32,
    since: i64,
}

impl MinRtt {
    const NONE: u32 = u32::MAX;

    const fn new() -> MinRtt {
        MinRtt {
            current: Self::NONE,
            previous: Self::NONE,
            since: 0,
        }
    }

    #[inline]
    fn sample(&mut self, now: i64, rtt: u32) {
        let age = now - self.since;
        if age >= MIN_RTT_BUCKET {
            self.previous = if age >= 2 * MIN_RTT_BUCKET {
                Self::NONE
            } else {
                self.current
            };
            self.current = rtt;
            self.since = now;
        } else if rtt < self.current {
            self.current = rtt;
        }
    }

    #[inline]
    fn get(&self) -> Option<i64> {
        let min = self.current.min(self.previous);
        (min != Self::NONE).then_some(min as i64)
    }
}

/// What one acknowledgement delivered.
#[derive(Default)]
struct Delivered {
    bytes: usize,
    /// RTT and end of the latest sent record that was never retransmitted.
    rtt: Option<(i64, TcpSeqNumber)>,
    rtt_sent: i64,
    /// Something that was retransmitted is among it.
    resent: bool,
    /// Highest end of a delivered record.
    high: Option<TcpSeqNumber>,
    /// A mark or a retransmission turned out to be needless.
    spurious: bool,
}

/// An acceptable acknowledgement, as [`Sender::on_ack`] wants it.
pub(super) struct Ack<'a> {
    pub now: Instant,
    /// `una` before and after this acknowledgement.
    pub una_before: TcpSeqNumber,
    pub una: TcpSeqNumber,
    pub snd_nxt: TcpSeqNumber,
    /// SACK blocks, or `None` if SACK was not negotiated.
    pub sack: Option<&'a [Option<(u32, u32)>; 3]>,
    /// RFC 5681 (2): no data, no window change, nothing newly acknowledged, data outstanding.
    pub duplicate: bool,
    pub mss: usize,
}

#[derive(Debug)]
pub(super) struct Sender {
    fresh: VecDeque<Record>,
    holes: VecDeque<Record>,
    pipe: usize,
    lost: usize,
    /// No record of `holes` below this index is Lost.
    lost_from: usize,
    /// `pipe` after the last transmission: how much of the window was really used.
    peak: usize,

    phase: Phase,
    recovery_point: TcpSeqNumber,
    /// The first retransmission of an episode leaves at once, whatever the window (RFC 6675, section 5, step 4.3).
    resend_now: bool,

    /// RFC 8985: transmission time and end of the latest sent record that was delivered; its RTT.
    rack: Option<(i64, TcpSeqNumber)>,
    rack_rtt: i64,
    /// RFC 8985: RACK.fack, the highest sequence number delivered.
    fack: TcpSeqNumber,
    reordering_seen: bool,
    reo_mult: u8,
    reo_persist: u8,
    /// The reordering window grows once a round trip: not before this is acknowledged.
    reo_round: Option<TcpSeqNumber>,
    reorder_at: Option<Instant>,
    min_rtt: MinRtt,
    /// One sample a round trip goes to the estimator: the next is of a record beyond this.
    rtt_seq: TcpSeqNumber,

    /// Records marked lost in this episode, and how many of the marks proved needless.
    marked: u32,
    spurious: u32,
    /// Retransmissions known needless from their timing, whose DSACK is still to come.
    dsack_expected: u32,
    /// The last episode can still be undone, until `undo_until` is acknowledged (`None`: the episode is still on).
    undo_open: bool,
    undo_until: Option<TcpSeqNumber>,
    /// When the retransmission timer fired, until the first acknowledgement after.
    rto_at: Option<i64>,

    /// Last transmission of new data or advance of `una`: the probe timeout counts from here.
    last_activity: i64,
    probe: Option<Probe>,

    /// NewReno (no SACK): duplicates seen, and bytes they say have left the network.
    dup_acks: u8,
    credit: usize,
    /// NewReno: no fast retransmission for duplicates at or below the last episode (RFC 6582, section 3.2, step 2).
    reno_after: Option<TcpSeqNumber>,
}

impl Sender {
    pub const fn new() -> Sender {
        Sender {
            fresh: VecDeque::new(),
            holes: VecDeque::new(),
            pipe: 0,
            lost: 0,
            lost_from: 0,
            peak: 0,
            phase: Phase::Open,
            recovery_point: TcpSeqNumber(0),
            resend_now: false,
            rack: None,
            rack_rtt: 0,
            fack: TcpSeqNumber(0),
            reordering_seen: false,
            reo_mult: 1,
            reo_persist: 0,
            reo_round: None,
            reorder_at: None,
            min_rtt: MinRtt::new(),
            rtt_seq: TcpSeqNumber(0),
            marked: 0,
            spurious: 0,
            dsack_expected: 0,
            undo_open: false,
            undo_until: None,
            rto_at: None,
            last_activity: 0,
            probe: None,
            dup_acks: 0,
            credit: 0,
            reno_after: None,
        }
    }

    /// Forget everything of the last connection but the memory of the queues.
    pub fn clear(&mut self) {
        let mut fresh = core::mem::take(&mut self.fresh);
        let mut holes = core::mem::take(&mut self.holes);
        fresh.clear();
        holes.clear();
        *self = Sender {
            fresh,
            holes,
            ..Sender::new()
        };
    }

    /// Start counting at the first byte of data; `syn_rtt` is the RTT of the handshake where it can be told.
    pub fn start(&mut self, now: Instant, first: TcpSeqNumber, syn_rtt: Option<Duration>) {
        self.fack = first;
        self.rtt_seq = first;
        if let Some(rtt) = syn_rtt {
            let rtt = rtt.total_micros().min(u32::MAX as u64 - 1) as u32;
            self.min_rtt.sample(now.total_micros(), rtt);
        }
    }

    /// Bytes presumed to be in the network.
    #[inline]
    pub fn pipe(&self) -> usize {
        self.pipe.saturating_sub(self.credit)
    }

    /// The Lost record to be sent again next, if the window `cwnd` lets it go.
    #[inline]
    pub fn to_resend(&self, cwnd: usize) -> Option<(TcpSeqNumber, TcpSeqNumber)> {
        if self.lost == 0 {
            return None;
        }
        let pipe = self.pipe();
        if pipe < cwnd || pipe == 0 || self.resend_now {
            self.first_lost().map(|i| {
                let record = &self.holes[i];
                (record.start, record.end)
            })
        } else {
            None
        }
    }

    fn first_lost(&self) -> Option<usize> {
        (self.lost_from..self.holes.len()).find(|&i| self.holes[i].state == State::Lost)
    }

    /// The last record, which a loss probe repeats when there is nothing new to send.
    pub fn last_record(&self) -> Option<(TcpSeqNumber, TcpSeqNumber)> {
        self.fresh.back().map(|run| {
            let len = run.len().min(run.piece as usize);
            (run.end - len, run.end)
        })
    }

    /// Whether nothing new was sent or acknowledged at this very moment: a cheap look before [`Sender::probe_at`].
    #[inline]
    pub fn quiet(&self, now: Instant) -> bool {
        now.total_micros() > self.last_activity
    }

    /// When the loss probe is due (RFC 8985, section 7.2), if one is to be sent at all. `rto` is when the retransmission timer
    /// expires: the probe never comes later.
    #[inline]
    pub fn probe_at(
        &self,
        sack: bool,
        rto: Option<Instant>,
        rtte: &RttEstimator,
    ) -> Option<Instant> {
        if !sack
            || self.phase != Phase::Open
            || self.probe.is_some()
            || self.fresh.is_empty()
            || !self.holes.is_empty()
        {
            return None;
        }
        let mut timeout = match rtte.smoothed_rtt() {
            Some(srtt) => 2 * srtt as i64 + TLP_SLACK,
            None => TLP_INITIAL,
        };
        if self.fresh.len() == 1 && self.pipe <= self.fresh[0].piece as usize {
            timeout += TLP_MAX_ACK_DELAY;
        }
        let at = Instant::from_micros(self.last_activity + timeout);
        Some(match rto {
            Some(rto) if rto < at => rto,
            _ => at,
        })
    }

    /// When the reordering timer is due (RFC 8985, section 6.2, step 5).
    #[inline]
    pub fn reorder_at(&self) -> Option<Instant> {
        self.reorder_at
    }

    /// New data `start..end` was handed to the device, as one segment or as segments of `mss` bytes; `fin` if it ends in a FIN.
    #[inline]
    pub fn on_send(
        &mut self,
        now: Instant,
        start: TcpSeqNumber,
        end: TcpSeqNumber,
        mss: usize,
        fin: bool,
    ) {
        let sent = now.total_micros();
        let len = span(start, end);
        self.pipe += len;
        self.peak = self.pipe;
        self.last_activity = sent;
        let mss = mss.max(1);
        if len <= mss && !fin {
            self.push_run(start, end, len, sent);
            return;
        }
        // Whole segments, then what is left over, with the FIN.
        let mut rest = (len - fin as usize) % mss + fin as usize;
        if rest == fin as usize && fin {
            rest += mss.min(len - 1);
        }
        let middle = end - rest;
        if start < middle {
            self.push_run(start, middle, mss, sent);
        }
        if rest > 0 {
            self.fresh.push_back(Record {
                start: middle,
                end,
                sent,
                piece: rest as u32,
                state: State::Sent,
                ever_resent: false,
            });
        }
    }

    /// Whole segments of `piece` bytes: more of the last run, or a new one.
    #[inline]
    fn push_run(&mut self, start: TcpSeqNumber, end: TcpSeqNumber, piece: usize, sent: i64) {
        if let Some(run) = self.fresh.back_mut()
            && run.sent == sent
            && run.piece as usize == piece
            && run.end == start
            && !run.ever_resent
        {
            run.end = end;
            return;
        }
        self.fresh.push_back(Record {
            start,
            end,
            sent,
            piece: piece as u32,
            state: State::Sent,
            ever_resent: false,
        });
    }

    /// The first segment of `fresh`.
    #[inline]
    fn first_fresh(&self) -> Option<Record> {
        self.fresh.front().map(Record::first)
    }

    /// Take the first segment of `fresh` out of the queue; the counters are the caller's affair.
    fn pop_fresh(&mut self) -> Option<Record> {
        let run = self.fresh.front_mut()?;
        let first = run.first();
        run.start = first.end;
        if run.start == run.end {
            self.fresh.pop_front();
        }
        Some(first)
    }

    /// `start..end`, the first `end - start` bytes of the record that [`Sender::to_resend`] named, was handed to the device.
    pub fn on_resend(&mut self, now: Instant, start: TcpSeqNumber, end: TcpSeqNumber) {
        let Some(i) = self.first_lost() else {
            debug_assert!(false, "nothing was lost");
            return;
        };
        let record = &mut self.holes[i];
        debug_assert!(record.start == start && end <= record.end);
        let rest = *record;
        let len = span(start, end);
        record.end = end;
        record.sent = now.total_micros();
        record.state = State::Resent;
        record.ever_resent = true;
        self.lost -= len;
        self.pipe += len;
        self.peak = self.pipe;
        self.resend_now = false;
        self.lost_from = i + 1;
        // The segment came out short (the ring turned, or the MTU fell).
        if end < rest.end {
            self.holes.insert(i + 1, Record { start: end, ..rest });
        }
    }

    /// New data beyond the congestion window, already told by [`Sender::on_send`], was a loss probe.
    pub fn on_probe_new(&mut self, snd_nxt: TcpSeqNumber) {
        self.probe = Some(Probe {
            end: snd_nxt,
            resent: false,
            needless: false,
        });
    }

    /// The last record was sent again as a loss probe.
    pub fn on_probe_last(&mut self, now: Instant, snd_nxt: TcpSeqNumber) {
        if let Some((start, end)) = self.last_record()
            && let Some(run) = self.fresh.back_mut()
        {
            let record = Record {
                start,
                sent: now.total_micros(),
                state: State::Resent,
                ever_resent: true,
                piece: span(start, end) as u32,
                ..*run
            };
            if run.start == start {
                *run = record;
            } else {
                run.end = start;
                self.fresh.push_back(record);
            }
        }
        self.probe = Some(Probe {
            end: snd_nxt,
            resent: true,
            needless: false,
        });
    }

    /// Take an acceptable acknowledgement: remove what it delivers, judge what is lost, tell the controller.
    #[inline]
    pub fn on_ack(&mut self, ack: &Ack, rtte: &mut RttEstimator, cc: &mut dyn Controller) {
        let advanced = ack.una > ack.una_before;
        let clean = advanced
            && self.phase == Phase::Open
            && self.holes.is_empty()
            && self.probe.is_none()
            && self.reorder_at.is_none()
            && !self.undo_open
            && matches!(ack.sack, Some([None, _, _]));
        if !clean {
            self.on_ack_slow(ack, advanced, rtte, cc);
            return;
        }

        let now = ack.now.total_micros();
        let before = self.pipe;
        let mut last = None;
        while let Some(record) = self.fresh.front() {
            if record.end > ack.una {
                break;
            }
            self.pipe -= record.len();
            last = Some(*record);
            self.fresh.pop_front();
        }
        if let Some(run) = self.fresh.front()
            && run.start < ack.una
        {
            let run = *run;
            // Part of a run; timed if a whole segment is among it.
            if self.trim_fresh(ack.una) >= run.piece as usize {
                last = Some(Record {
                    end: ack.una,
                    ..run
                });
            }
        }
        if let Some(record) = last
            && !record.ever_resent
        {
            let rtt = now - record.sent;
            if self.rack.is_none_or(|rack| !record.sent_before(rack)) {
                self.rack = Some((record.sent, record.end));
                self.rack_rtt = rtt;
            }
            self.sample_rtt(now, rtt, record.end, ack.snd_nxt, rtte);
        }
        self.last_activity = now;
        self.fack = ack.una;
        // RFC 5681 (3.1), RFC 7661: a window that is not used does not grow.
        if self.peak >= cc.window() / 2 {
            cc.on_ack(ack.now, before - self.pipe, rtte);
        }
    }

    fn on_ack_slow(
        &mut self,
        ack: &Ack,
        advanced: bool,
        rtte: &mut RttEstimator,
        cc: &mut dyn Controller,
    ) {
        let now = ack.now.total_micros();
        let phase_before = self.phase;
        // As known before this acknowledgement, which may be the first to tell anything.
        let min_rtt = self.min_rtt.get();
        let mut delivered = Delivered::default();

        if advanced {
            self.last_activity = now;
            self.take_below(ack.una, now, &mut delivered);
        }
        if let Some(blocks) = ack.sack {
            self.take_blocks(ack, blocks, now, &mut delivered);
        }
        if self.fack < ack.una {
            self.fack = ack.una;
        }
        if let Some(high) = delivered.high
            && self.fack < high
        {
            self.fack = high;
        }
        // Karn: an acknowledgement that covers a retransmission may have waited for it, so it times nothing.
        if let Some((rtt, end)) = delivered.rtt
            && !delivered.resent
        {
            self.sample_rtt(now, rtt, end, ack.snd_nxt, rtte);
        }
        if delivered.spurious {
            self.widen_reordering(ack.una, ack.snd_nxt);
        }

        if advanced && let Some(rto_at) = self.rto_at.take() {
            // The head was acknowledged sooner than its retransmission could have been: the timer was too early.
            if self.phase == Phase::Loss && min_rtt.is_some_and(|min| now - rto_at < min) {
                self.undo_rto(cc);
            }
        }
        self.try_undo(cc);
        if self.phase != Phase::Open && ack.una >= self.recovery_point {
            self.leave_episode(ack.snd_nxt);
        }
        if self.undo_until.is_some_and(|until| ack.una > until) {
            self.undo_open = false;
            self.undo_until = None;
        }
        if self.reo_round.is_some_and(|round| ack.una >= round) {
            self.reo_round = None;
        }

        let newly_lost = match ack.sack {
            Some(_) => {
                let flight = span(ack.una, ack.snd_nxt);
                self.detect(now, flight, ack.mss, rtte)
            }
            None => self.on_ack_reno(ack, advanced, delivered.bytes),
        };
        self.after_marks(newly_lost, ack.now, ack.una_before, ack.snd_nxt, cc);
        self.judge_probe(ack, cc);

        if delivered.bytes > 0
            && (phase_before == Phase::Loss
                || (phase_before == Phase::Open && self.peak >= cc.window() / 2))
            && self.phase != Phase::Recovery
        {
            // Without SACK one acknowledgement can jump over much that had long arrived: RFC 3465 (2.3).
            let bytes = if phase_before == Phase::Loss && ack.sack.is_none() {
                delivered.bytes.min(ack.mss)
            } else {
                delivered.bytes
            };
            cc.on_ack(ack.now, bytes, rtte);
        }
        self.check(ack.una, ack.snd_nxt);
    }

    #[inline]
    fn sample_rtt(
        &mut self,
        now: i64,
        rtt: i64,
        end: TcpSeqNumber,
        snd_nxt: TcpSeqNumber,
        rtte: &mut RttEstimator,
    ) {
        let rtt = rtt.clamp(1, u32::MAX as i64 - 1) as u32;
        self.min_rtt.sample(now, rtt);
        if end > self.rtt_seq {
            self.rtt_seq = snd_nxt;
            rtte.sample(rtt);
        }
    }

    /// Take out all below `una`.
    fn take_below(&mut self, una: TcpSeqNumber, now: i64, delivered: &mut Delivered) {
        while let Some(&record) = self.holes.front() {
            if record.end > una {
                break;
            }
            self.holes.pop_front();
            self.lost_from = self.lost_from.saturating_sub(1);
            self.deliver(&record, true, now, delivered);
        }
        if let Some(record) = self.holes.front_mut()
            && record.start < una
        {
            let cut = span(record.start, una);
            record.start = una;
            match record.state {
                State::Lost => self.lost -= cut,
                State::Sent | State::Resent => self.pipe -= cut,
            }
            delivered.bytes += cut;
        }
        while let Some(record) = self.first_fresh() {
            if record.end > una {
                break;
            }
            self.pop_fresh();
            self.deliver(&record, false, now, delivered);
        }
        delivered.bytes += self.trim_fresh(una);
    }

    /// Cut the first fresh record at `una`.
    #[inline]
    fn trim_fresh(&mut self, una: TcpSeqNumber) -> usize {
        let Some(run) = self.fresh.front_mut() else {
            return 0;
        };
        if run.start >= una {
            return 0;
        }
        let cut = span(run.start, una);
        self.pipe -= cut;
        run.start = una;
        // In the middle of a segment: what is left of it is a record of its own, so that the run is whole segments still.
        let over = cut as u32 % run.piece;
        if over != 0 && run.len() > (run.piece - over) as usize {
            let piece = run.piece - over;
            let record = Record {
                end: una + piece as usize,
                piece,
                ..*run
            };
            run.start = record.end;
            self.fresh.push_front(record);
        }
        cut
    }

    fn take_blocks(
        &mut self,
        ack: &Ack,
        blocks: &[Option<(u32, u32)>; 3],
        now: i64,
        delivered: &mut Delivered,
    ) {
        let una = ack.una.0 as u32;
        let flight = span(ack.una, ack.snd_nxt) as u32;
        for (i, block) in blocks.iter().enumerate() {
            let Some((left, right)) = *block else { break };
            // Offsets from `una`, so that no block, however wild, is compared across half the sequence space.
            let (from, to) = (left.wrapping_sub(una), right.wrapping_sub(una));
            if i == 0 && Self::is_dsack(ack, (left, right), blocks[1]) {
                self.on_dsack(TcpSeqNumber(right as i32), delivered);
                continue;
            }
            if from < to && to <= flight {
                self.take_range(
                    ack.una + from as usize,
                    ack.una + to as usize,
                    now,
                    delivered,
                );
            }
        }
    }

    /// RFC 2883 (4): a first block at or below the acknowledgement, or inside the second, tells of a duplicate.
    fn is_dsack(ack: &Ack, (left, right): (u32, u32), second: Option<(u32, u32)>) -> bool {
        let una = ack.una.0 as u32;
        let len = right.wrapping_sub(left);
        let below = una.wrapping_sub(right);
        let reach = 1 << 30;
        if len == 0 || len >= reach {
            return false;
        }
        if below < reach {
            return true;
        }
        second.is_some_and(|(left2, right2)| {
            let len2 = right2.wrapping_sub(left2);
            left.wrapping_sub(left2) < len2 && right.wrapping_sub(left2) <= len2
        })
    }

    fn on_dsack(&mut self, right: TcpSeqNumber, delivered: &mut Delivered) {
        if let Some(probe) = &mut self.probe
            && probe.resent
            && probe.end == right
        {
            probe.needless = true;
            return;
        }
        if self.dsack_expected > 0 {
            self.dsack_expected -= 1;
            return;
        }
        if self.undo_open && self.marked > 0 {
            self.spurious += 1;
            delivered.spurious = true;
        }
    }

    /// Take out the whole records inside `left..right`.
    fn take_range(
        &mut self,
        left: TcpSeqNumber,
        right: TcpSeqNumber,
        now: i64,
        delivered: &mut Delivered,
    ) {
        let from = self.holes.partition_point(|record| record.start < left);
        let mut to = from;
        while to < self.holes.len() && self.holes[to].end <= right {
            let record = self.holes[to];
            self.deliver(&record, true, now, delivered);
            to += 1;
        }
        if to > from {
            self.holes.drain(from..to);
            if self.lost_from > from {
                self.lost_from -= (self.lost_from - from).min(to - from);
            }
        }
        while let Some(record) = self.first_fresh() {
            if record.end > right {
                break;
            }
            self.pop_fresh();
            if record.start >= left {
                self.deliver(&record, false, now, delivered);
            } else {
                self.holes.push_back(record);
            }
        }
    }

    /// A record has arrived, by cumulative or selective acknowledgement. It is out of its queue already.
    fn deliver(&mut self, record: &Record, hole: bool, now: i64, delivered: &mut Delivered) {
        let len = record.len();
        match record.state {
            State::Lost => self.lost -= len,
            State::Sent | State::Resent => self.pipe -= len,
        }
        delivered.bytes += len;
        if delivered.high.is_none_or(|high| high < record.end) {
            delivered.high = Some(record.end);
        }
        // RFC 8985 (6.2, step 3): late below something delivered, and never sent twice.
        if hole && !record.ever_resent && record.end < self.fack {
            self.reordering_seen = true;
        }
        if record.state == State::Lost {
            self.spurious += 1;
            if self.phase == Phase::Recovery {
                delivered.spurious = true;
            }
        }
        let rtt = now - record.sent;
        if record.ever_resent {
            delivered.resent = true;
            // RFC 8985 (6.2, step 2): ambiguous. Sooner than any round trip: the original was on its way, not lost.
            if record.state == State::Lost {
                return;
            }
            if self.min_rtt.get().is_some_and(|min| rtt < min) {
                if let Some(probe) = &mut self.probe
                    && probe.resent
                    && probe.end == record.end
                {
                    probe.needless = true;
                } else {
                    self.spurious += 1;
                    self.dsack_expected += 1;
                    if self.phase == Phase::Recovery {
                        delivered.spurious = true;
                    }
                }
                return;
            }
        } else if delivered.rtt.is_none() || record.sent >= delivered.rtt_sent {
            delivered.rtt = Some((rtt, record.end));
            delivered.rtt_sent = record.sent;
        }
        if self.rack.is_none_or(|rack| !record.sent_before(rack)) {
            self.rack = Some((record.sent, record.end));
            self.rack_rtt = rtt;
        }
    }

    #[cfg(test)]
    pub fn dup_acks(&mut self) -> &mut u8 {
        &mut self.dup_acks
    }

    /// The invariants of the header comment, in builds with debug assertions.
    #[cfg(not(debug_assertions))]
    #[inline]
    fn check(&self, _una: TcpSeqNumber, _snd_nxt: TcpSeqNumber) {}

    #[cfg(debug_assertions)]
    fn check(&self, una: TcpSeqNumber, snd_nxt: TcpSeqNumber) {
        // Whole on small queues; on large ones often enough to be sure and seldom enough to be quick.
        let records = self.holes.len() + self.fresh.len();
        if records > 64 && !(una.0 as u32 / 1000).is_multiple_of(61) {
            return;
        }
        let (mut pipe, mut lost, mut at) = (0, 0, una);
        for (i, record) in self.holes.iter().chain(self.fresh.iter()).enumerate() {
            assert!(record.start >= at && record.end > record.start && record.end <= snd_nxt);
            at = record.end;
            assert!(record.len() <= record.piece as usize || i >= self.holes.len());
            assert!(
                record.len() <= record.piece as usize || record.len() % record.piece as usize == 0
            );
            match record.state {
                State::Lost => {
                    lost += record.len();
                    assert!(i >= self.lost_from && i < self.holes.len());
                }
                State::Sent | State::Resent => pipe += record.len(),
            }
        }
        assert!(pipe == self.pipe && lost == self.lost);
        assert!(self.phase == Phase::Open || una < self.recovery_point);
    }
}
