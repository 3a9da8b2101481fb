//! When something is lost: finding it, and the episodes of repairing it.
//!
//! RACK (RFC 8985, section 6) where the peer has SACK, NewReno (RFC 6582) where it has not, the retransmission timer (RFC 6298)
//! for both; the price of an episode, and getting it back when the loss was none.

use super::*;

impl Sender {
    /// RFC 8985 (6.2, step 4): one quarter of the minimum RTT more, once a round trip.
    pub(super) fn widen_reordering(&mut self, una: TcpSeqNumber, snd_nxt: TcpSeqNumber) {
        self.reordering_seen = true;
        if self.reo_round.is_none_or(|round| una >= round) {
            self.reo_round = Some(snd_nxt);
            self.reo_mult = (self.reo_mult + 1).min(REO_MULT_MAX);
            self.reo_persist = REO_PERSIST;
        }
    }

    pub(super) fn reordering_window(&self, flight: usize, mss: usize, rtte: &RttEstimator) -> i64 {
        let sacked = flight.saturating_sub(self.pipe + self.lost);
        if !self.reordering_seen && (self.phase != Phase::Open || sacked > 2 * mss) {
            return 0;
        }
        let min_rtt = self.min_rtt.get().unwrap_or(self.rack_rtt);
        let window = self.reo_mult as i64 * min_rtt / 4;
        match rtte.smoothed_rtt() {
            Some(srtt) => window.min(srtt as i64),
            None => window,
        }
    }

    /// RFC 8985 (6.2, step 5): mark all that was sent well before something that has arrived; returns how many records.
    pub(super) fn detect(
        &mut self,
        now: i64,
        flight: usize,
        mss: usize,
        rtte: &RttEstimator,
    ) -> u32 {
        self.reorder_at = None;
        let Some(rack) = self.rack else { return 0 };
        let wait = self.rack_rtt + self.reordering_window(flight, mss, rtte);
        let mut earliest = i64::MAX;
        let mut newly = 0;
        if self.pipe > 0 {
            for i in 0..self.holes.len() {
                let record = &mut self.holes[i];
                if record.state == State::Lost || !record.sent_before(rack) {
                    continue;
                }
                let due = record.sent + wait;
                if due > now {
                    earliest = earliest.min(due);
                    continue;
                }
                record.state = State::Lost;
                let len = record.len();
                self.pipe -= len;
                self.lost += len;
                self.lost_from = self.lost_from.min(i);
                newly += 1;
            }
        }
        while let Some(record) = self.first_fresh() {
            if !record.sent_before(rack) {
                break;
            }
            let due = record.sent + wait;
            if due > now {
                earliest = earliest.min(due);
                break;
            }
            self.mark_fresh_front();
            newly += 1;
        }
        if earliest != i64::MAX {
            self.reorder_at = Some(Instant::from_micros(earliest));
        }
        newly
    }

    /// Move the first fresh record to the holes, as Lost.
    pub(super) fn mark_fresh_front(&mut self) {
        if let Some(mut record) = self.pop_fresh() {
            let len = record.len();
            record.state = State::Lost;
            self.pipe -= len;
            self.lost += len;
            self.lost_from = self.lost_from.min(self.holes.len());
            self.holes.push_back(record);
        }
    }

    /// The reordering timer came due.
    pub fn on_reorder_timer(
        &mut self,
        now: Instant,
        una: TcpSeqNumber,
        snd_nxt: TcpSeqNumber,
        mss: usize,
        rtte: &RttEstimator,
        cc: &mut dyn Controller,
    ) {
        let newly = self.detect(now.total_micros(), span(una, snd_nxt), mss, rtte);
        self.after_marks(newly, now, una, snd_nxt, cc);
        self.check(una, snd_nxt);
    }

    /// Account for records just marked lost; the first of an episode costs one window reduction.
    pub(super) fn after_marks(
        &mut self,
        newly: u32,
        now: Instant,
        una: TcpSeqNumber,
        snd_nxt: TcpSeqNumber,
        cc: &mut dyn Controller,
    ) {
        if self.phase != Phase::Open {
            self.marked += newly;
            return;
        }
        if self.lost == 0 {
            return;
        }
        // What was sent and lost during the last episode begins one of its own.
        let all = self
            .holes
            .iter()
            .filter(|record| record.state == State::Lost)
            .count() as u32;
        // RFC 9438 (4.6): the window may stand for the flight size, as it does not grow while it is not used.
        cc.on_loss(now, cc.window());
        self.phase = Phase::Recovery;
        self.begin_episode(snd_nxt);
        self.marked = all;
    }

    pub(super) fn begin_episode(&mut self, snd_nxt: TcpSeqNumber) {
        self.recovery_point = snd_nxt;
        self.resend_now = true;
        self.marked = 0;
        self.spurious = 0;
        self.dsack_expected = 0;
        self.undo_open = true;
        self.undo_until = None;
        self.probe = None;
    }

    pub(super) fn leave_episode(&mut self, snd_nxt: TcpSeqNumber) {
        if self.phase == Phase::Recovery && self.spurious == 0 && self.reo_persist > 0 {
            self.reo_persist -= 1;
            if self.reo_persist == 0 {
                self.reo_mult = 1;
            }
        }
        self.phase = Phase::Open;
        self.resend_now = false;
        self.dup_acks = 0;
        self.credit = 0;
        self.rto_at = None;
        self.reno_after = Some(self.recovery_point);
        // The duplicates that prove the episode needless come within a round trip.
        self.undo_until = Some(snd_nxt);
    }

    /// Undo the window reduction when every mark of the episode has proved needless.
    pub(super) fn try_undo(&mut self, cc: &mut dyn Controller) {
        if self.undo_open && self.marked > 0 && self.spurious >= self.marked {
            cc.undo();
            self.undo_open = false;
            self.undo_until = None;
            self.marked = 0;
            self.spurious = 0;
            if self.lost == 0 {
                self.phase = Phase::Open;
                self.resend_now = false;
                self.credit = 0;
                self.dup_acks = 0;
            }
        }
    }

    /// The retransmission timer was too early: nothing is lost for all we know.
    pub(super) fn undo_rto(&mut self, cc: &mut dyn Controller) {
        cc.undo();
        for record in self.holes.iter_mut() {
            if record.state == State::Lost {
                record.state = if record.ever_resent {
                    State::Resent
                } else {
                    State::Sent
                };
            }
        }
        self.pipe += self.lost;
        self.lost = 0;
        self.lost_from = self.holes.len();
        self.phase = Phase::Open;
        self.resend_now = false;
        self.undo_open = false;
        self.undo_until = None;
        self.marked = 0;
        self.spurious = 0;
    }

    /// The retransmission timer fired: all that is not SACKed is lost (RFC 6298, section 5; RFC 2018, section 8).
    ///
    /// `snd_nxt` stays where it is. If the head is missing from our records, the peer has SACKed it and then not kept it: start
    /// again from nothing, with records of `mss` bytes up to `data_end` (where a FIN stands, `snd_nxt` is one beyond).
    pub fn on_rto(
        &mut self,
        now: Instant,
        una: TcpSeqNumber,
        snd_nxt: TcpSeqNumber,
        data_end: TcpSeqNumber,
        mss: usize,
        cc: &mut dyn Controller,
    ) {
        cc.on_rto(now, cc.window());
        self.begin_episode(snd_nxt);
        self.phase = Phase::Loss;
        self.reorder_at = None;
        self.credit = 0;
        self.dup_acks = 0;
        self.rto_at = Some(now.total_micros());

        let head = self.holes.front().or(self.fresh.front());
        if head.is_none_or(|record| record.start != una) {
            self.rebuild(now, una, snd_nxt, data_end, mss);
        }
        for record in self.holes.iter_mut() {
            record.state = State::Lost;
        }
        while let Some(mut record) = self.pop_fresh() {
            record.state = State::Lost;
            self.holes.push_back(record);
        }
        self.marked = self.holes.len() as u32;
        self.lost += self.pipe;
        self.pipe = 0;
        self.lost_from = 0;
        self.check(una, snd_nxt);
    }

    /// RFC 2018 (8): after a timeout what was SACKed must be sent again if it is not acknowledged.
    pub(super) fn rebuild(
        &mut self,
        now: Instant,
        una: TcpSeqNumber,
        snd_nxt: TcpSeqNumber,
        data_end: TcpSeqNumber,
        mss: usize,
    ) {
        self.holes.clear();
        self.fresh.clear();
        self.pipe = span(una, snd_nxt);
        self.lost = 0;
        let fin = span(data_end.min(snd_nxt), snd_nxt);
        let mss = mss.max(1);
        let mut from = una;
        while from < snd_nxt {
            let left = span(from, snd_nxt);
            let len = if left <= mss + fin { left } else { mss };
            self.holes.push_back(Record {
                start: from,
                end: from + len,
                sent: now.total_micros(),
                piece: len as u32,
                state: State::Sent,
                ever_resent: true,
            });
            from += len;
        }
    }

    /// RFC 8985 (7.4): did the probe repair a loss? Then it costs one window reduction.
    pub(super) fn judge_probe(&mut self, ack: &Ack, cc: &mut dyn Controller) {
        let Some(probe) = self.probe else { return };
        if ack.una < probe.end {
            return;
        }
        if !probe.resent || probe.needless {
            self.probe = None;
        } else if ack.una > probe.end {
            self.probe = None;
            if self.phase == Phase::Open {
                cc.on_loss(ack.now, cc.window());
            }
        } else if ack.duplicate && matches!(ack.sack, Some([None, _, _])) {
            self.probe = None;
        }
    }

    /// NewReno, where the peer has no SACK (RFC 6582, and limited transmit of RFC 3042); returns how many records were marked.
    pub(super) fn on_ack_reno(&mut self, ack: &Ack, advanced: bool, bytes: usize) -> u32 {
        if advanced {
            if self.phase == Phase::Recovery {
                // Partial acknowledgement: the next head is lost too. What the duplicates stood for is now acknowledged.
                self.credit = self.credit.saturating_sub(bytes.saturating_sub(ack.mss));
                return self.mark_head();
            }
            self.dup_acks = 0;
            self.credit = 0;
            if self.reno_after.is_some_and(|after| ack.una > after) {
                self.reno_after = None;
            }
            return 0;
        }
        if !ack.duplicate && self.phase == Phase::Open {
            // Only duplicates in a row count.
            self.dup_acks = 0;
            self.credit = 0;
        }
        if !ack.duplicate || self.phase == Phase::Loss {
            return 0;
        }
        self.dup_acks = self.dup_acks.saturating_add(1);
        self.credit = (self.credit + ack.mss).min(self.pipe);
        if self.phase == Phase::Open && self.dup_acks == DUP_THRESH && self.reno_after.is_none() {
            return self.mark_head();
        }
        0
    }

    /// Mark the first outstanding record lost, if it is not marked already.
    pub(super) fn mark_head(&mut self) -> u32 {
        if let Some(record) = self.holes.front_mut() {
            if record.state == State::Lost {
                return 0;
            }
            record.state = State::Lost;
            let len = record.len();
            self.pipe -= len;
            self.lost += len;
            self.lost_from = 0;
        } else if !self.fresh.is_empty() {
            self.mark_fresh_front();
        } else {
            return 0;
        }
        1
    }
}
