use crate::{
    socket::tcp::RttEstimator,
    time::{Duration, Instant},
};

use super::Controller;

// Constants for the Cubic congestion control algorithm.
// See RFC 9438.
const BETA_CUBIC: f64 = 0.7;
const C: f64 = 0.4;
// RFC 9438 §4.3: α_cubic = 3(1-β)/(1+β). ~0.5294 for β=0.7.
const ALPHA_CUBIC: f64 = 3.0 * (1.0 - BETA_CUBIC) / (1.0 + BETA_CUBIC);

const DEFAULT_MSS: usize = 1024;

#[derive(Debug, Clone, Copy)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
struct Before {
    cwnd: usize,
    ssthresh: usize,
    w_max: usize,
    cwnd_prior: usize,
    epoch: Option<Epoch>,
}

// One stage of congestion avoidance (RFC 9438 §4.2).
#[derive(Debug, Clone, Copy)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
struct Epoch {
    start: Instant,
    last_ack: Instant,
    k: f64,     // seconds until the curve is back at w_max
    w_est: f64, // RFC 9438 §4.3 reno-friendly window, integrated per ACK
}

#[derive(Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Cubic {
    w_max: usize, // window size prior to loss
    cwnd: usize,
    carry: f64, // part of a byte by which cwnd has grown
    mss: usize,
    ssthresh: usize,
    rwnd: usize,
    cwnd_prior: usize, // cwnd at the most recent congestion event; gates α_cubic

    // Begins with the first ACK in congestion avoidance after a congestion event.
    epoch: Option<Epoch>,
    // The next epoch follows a timeout (or no congestion event at all): RFC 9438 §4.8 wants W_max = cwnd and K = 0.
    flat_epoch: bool,
    // No data has been acknowledged yet: the window is still the initial one.
    initial: bool,
    // Set on RTO, cleared when new data is ACKed. While set, further RTOs
    // are retransmissions of the same segment and must not reduce ssthresh
    // again (RFC 5681 section 3.1).
    in_rto_recovery: bool,
    // State before the last reduction, until it is undone.
    before: Option<Before>,
}

impl Cubic {
    pub fn new() -> Cubic {
        let cwnd = super::initial_window(DEFAULT_MSS);
        Cubic {
            w_max: cwnd,
            cwnd,
            carry: 0.0,
            mss: DEFAULT_MSS,
            rwnd: 64 * DEFAULT_MSS,
            ssthresh: usize::MAX,
            cwnd_prior: cwnd,
            epoch: None,
            flat_epoch: true,
            initial: true,
            in_rto_recovery: false,
            before: None,
        }
    }

    fn keep(&mut self) {
        self.before = Some(Before {
            cwnd: self.cwnd,
            ssthresh: self.ssthresh,
            w_max: self.w_max,
            cwnd_prior: self.cwnd_prior,
            epoch: self.epoch,
        });
    }

    // RFC 9438 §4.2: K = cbrt((W_max - cwnd_epoch) / C), in windows of MSS.
    fn new_epoch(&mut self, now: Instant) -> Epoch {
        let k = if self.flat_epoch || self.cwnd >= self.w_max {
            self.w_max = self.cwnd;
            0.0
        } else {
            cube_root((self.w_max - self.cwnd) as f64 / (C * self.mss as f64))
        };
        self.flat_epoch = false;
        self.carry = 0.0;
        Epoch {
            start: now,
            last_ack: now,
            k,
            w_est: self.cwnd as f64,
        }
    }

    fn grow(&mut self, bytes: f64) {
        let sum = self.carry + bytes;
        let whole = sum as usize;
        self.carry = sum - whole as f64;
        self.cwnd = (self.cwnd + whole).min(self.rwnd).max(self.mss);
    }

    // Congestion avoidance, RFC 9438 §4.2 to §4.5.
    fn avoid(&mut self, now: Instant, len: usize, rtt: &RttEstimator) {
        let mut epoch = match self.epoch {
            Some(epoch) => epoch,
            None => self.new_epoch(now),
        };
        let srtt = rtt.smoothed_rtt().unwrap_or(0).max(1000) as i64;

        // RFC 9438 §4.2: time in which the window was not used does not count.
        let gap = now.total_micros() - epoch.last_ack.total_micros();
        if gap > 2 * srtt + 100_000 {
            epoch.start += Duration::from_micros((gap - srtt) as u64);
        }
        epoch.last_ack = now;

        let t = (now.total_micros() - epoch.start.total_micros()).max(0);
        let c = C * self.mss as f64;
        let w_max = self.w_max as f64;
        let cwnd = self.cwnd as f64;
        let acked = len.min(self.cwnd) as f64;

        // RFC 9438 §4.3: W_est grows as Reno would on average, and as Reno does once it has made up the reduction.
        let alpha = if epoch.w_est >= self.cwnd_prior as f64 {
            1.0
        } else {
            ALPHA_CUBIC
        };
        epoch.w_est += alpha * self.mss as f64 * acked / cwnd;
        self.epoch = Some(epoch);

        let x = t as f64 / 1e6 - epoch.k;
        if c * x * x * x + w_max < epoch.w_est {
            if epoch.w_est > cwnd {
                self.grow(epoch.w_est - cwnd - self.carry);
            }
            return;
        }
        // RFC 9438 §4.2: towards the value of the curve one RTT ahead, by no more than half a window a round trip.
        let x = (t + srtt) as f64 / 1e6 - epoch.k;
        let target = (c * x * x * x + w_max).min(1.5 * cwnd);
        if target > cwnd {
            self.grow((target - cwnd) / cwnd * acked);
        }
    }
}

impl Controller for Cubic {
    fn window(&self) -> usize {
        self.cwnd
    }

    fn on_ack(&mut self, now: Instant, len: usize, rtt: &RttEstimator) {
        // RFC 9438 only acts on ACKs of new data.
        if len == 0 {
            return;
        }
        self.initial = false;

        // New data was ACKed: a timer-based loss episode, if any, is over.
        self.in_rto_recovery = false;

        let mut len = len;
        if self.cwnd < self.ssthresh {
            // Slow start: by the bytes acknowledged (RFC 3465), up to ssthresh.
            let inc = len.min(self.ssthresh - self.cwnd);
            self.cwnd = self.cwnd.saturating_add(inc).min(self.rwnd).max(self.mss);
            len -= inc;
            if len == 0 {
                return;
            }
        }
        if self.cwnd < self.rwnd {
            self.avoid(now, len, rtt);
        }
    }

    fn on_loss(&mut self, _now: Instant, in_flight: usize) {
        self.keep();
        // RFC 9438 §4.3: remember the cwnd at this congestion event so W_est can
        // detect when it has recovered and switch α_cubic to 1.
        self.cwnd_prior = self.cwnd;

        // RFC 9438 §4.7: fast convergence. If loss happened at a smaller cwnd than before, a new
        // flow has come: lower the plateau further to make room.
        self.w_max = if self.cwnd < self.w_max && !self.flat_epoch {
            ((self.cwnd as f64) * (1.0 + BETA_CUBIC) / 2.0) as usize
        } else {
            self.cwnd
        };

        self.ssthresh = ((in_flight as f64 * BETA_CUBIC) as usize).max(2 * self.mss);
        self.cwnd = self.ssthresh.min(self.rwnd);
        self.epoch = None;
        self.flat_epoch = false;
        self.initial = false;
    }

    fn on_rto(&mut self, _now: Instant, in_flight: usize) {
        // RFC 5681: when the retransmission timer fires for a segment that has
        // already been retransmitted by the timer (no new data was ACKed since
        // the previous RTO), ssthresh is held constant.
        if !self.in_rto_recovery {
            self.keep();
            self.ssthresh = ((in_flight as f64 * BETA_CUBIC) as usize).max(2 * self.mss);
            self.cwnd_prior = self.cwnd;
            self.in_rto_recovery = true;
        }

        self.cwnd = self.mss;
        self.carry = 0.0;

        // RFC 9438 §4.8: defer W_max and K reset to the start of the next CA stage.
        self.epoch = None;
        self.flat_epoch = true;
        self.initial = false;
    }

    fn undo(&mut self) {
        if let Some(before) = self.before.take() {
            self.cwnd = self.cwnd.max(before.cwnd);
            self.ssthresh = self.ssthresh.max(before.ssthresh);
            self.w_max = before.w_max;
            self.cwnd_prior = before.cwnd_prior;
            self.epoch = before.epoch;
            self.flat_epoch = before.epoch.is_none();
            self.in_rto_recovery = false;
        }
    }

    fn set_mss(&mut self, mss: usize) {
        self.mss = mss;
        if self.initial {
            self.cwnd = super::initial_window(mss);
            self.w_max = self.cwnd;
            self.cwnd_prior = self.cwnd;
        }
    }

    fn set_remote_window(&mut self, remote_window: usize) {
        if self.rwnd < remote_window {
            self.rwnd = remote_window;
        }
    }
}

/// Efficient cube root using f64 bit tricks and Newton-Raphson.
///
/// a = mantissa * 2^e
///
/// cbrt(a) = cbrt(mantissa * 2^e)
/// cbrt(a) = cbrt(mantissa) * cbrt(2^e)
/// -> cbrt(2^e) = 2^(e/3)
///     -> e = 3q + r
///   -> 2^(e/3) = 2^(3q + r)
///   -> 2^(e/3) = 2^q * 2^(r/3)
/// cbrt(a) = cbrt(mantissa) * 2^q * 2^(r/3)
///
/// Floats are constructed from a mantissa and expontnet component.
/// Cbrt of a float can be achieved by cbrt of these two components.
///
/// The mantissa is always between 1 and 2, putting the cbrt between 1
/// and 1.2599. The slope of the curve between those two points is
/// almost a straight line, so a linear interpolatoin between those
/// two points gives an error less than 2%.
///
///
/// The exponent `e` of `2^e` has two parts, tt's quotient and remainder: `e = 3q + r`.
/// Which means cbrt `2^e` is cbrt `2^3q * 2^r` which becomes `2^q * 2^(r/3)`.
///
/// The remainder operation means `r` can only be 0, 1, or 2, so we can calaculate
/// `2^(r/3)` ahead of time.
///
/// Multiplying everything gets us a pretty close answer to the true cbrt.
/// `cbrt(a) = cbrt(mantissa) * 2^q * 2^(r/3)`
///
/// One or two Newton-Raphson iterations reduce any error enough not to matter.
fn cube_root(a: f64) -> f64 {
    if !(a >= f64::MIN_POSITIVE && a.is_finite()) {
        return 0.0;
    }

    const POW2_REM_OVER_3: [f64; 3] = [1.0, 1.2599210498948732, 1.5874010519681994];

    // decompose a into IEEE-754 components
    let bits = a.to_bits();

    // extract mantissa, get rough cbrt using linear interpolation
    let m = f64::from_bits((bits & 0x000F_FFFF_FFFF_FFFF) | 0x3FF0_0000_0000_0000);
    let cbrt_m = m.mul_add(0.2599, 0.7401);

    // extract exponent, break into quotient and remainder
    // e = 3q + r where r ∈ {0, 1, 2}
    let e = (((bits >> 52) & 0x7FF) as i64) - 1023;
    let q = e.div_euclid(3);
    let r = e.rem_euclid(3) as usize;

    // calculate 2^q efficiently by constructing f64 from bits
    let pow2q = f64::from_bits(((q + 1023) as u64) << 52);

    // add cbrt mantissa and other component back in:
    // cbrt mantiassa * 2^q * 2^(r/3)
    let x = cbrt_m * pow2q * POW2_REM_OVER_3[r];

    // a single iteration should bring us close enough
    (2.0 * x + a / (x * x)) / 3.0
}

#[cfg(test)]
mod test {
    use crate::{socket::tcp::RttEstimator, time::Instant};

    use super::*;

    const MSS: usize = 1024;

    fn ack(cubic: &mut Cubic, len: usize, now: Instant) {
        cubic.on_ack(now, len, &rtte())
    }

    fn rtte() -> RttEstimator {
        RttEstimator::default()
    }

    #[test]
    fn congestion_avoidance_works() {
        let mut cubic = Cubic::new();
        cubic.set_mss(MSS);

        // Post-fast-recovery state: cwnd = ssthresh = w_max * beta. (The epoch now starts with the first ACK after.)
        cubic.w_max = MSS * 32;
        cubic.flat_epoch = false;
        cubic.cwnd = (MSS * 32 * 7) / 10;
        cubic.ssthresh = cubic.cwnd;

        // CA at small time intervals should grow by less than 1 MSS per ACK.
        for i in 1..10 {
            let initial_cwnd = cubic.window();
            ack(&mut cubic, MSS, Instant::from_millis(i));
            assert!(cubic.window() < initial_cwnd + MSS);
        }

        // CA approaches w_max as t approaches K, and exceeds it past K.
        let pre = cubic.window();
        // (A window acknowledged each 100 ms: growth is by bytes, and no more than the curve in the time.)
        for i in 1..60 {
            let window = cubic.window();
            ack(&mut cubic, window, Instant::from_millis(i * 100));
        }
        assert!(cubic.window() >= cubic.w_max);
        assert!(cubic.window() > pre);

        // RFC 9438 §4.2: the target is clamped to 1.5 * cwnd
        let pre = cubic.window();
        ack(&mut cubic, MSS, Instant::from_millis(100_000));
        assert!(cubic.window() <= pre + MSS);
        assert!(cubic.window() >= pre);

        // CA should still cap at the receive window once enough ACKs accrue.
        for i in 0..200 {
            let window = cubic.window();
            ack(&mut cubic, window, Instant::from_millis(100_000 + i * 100));
        }
        assert_eq!(cubic.window(), cubic.rwnd);
    }

    #[test]
    fn fast_recovery_works() {
        let mut cubic = Cubic::new();
        cubic.set_mss(MSS);
        cubic.cwnd = MSS * 32;

        // ssthresh = flight_size * beta_cubic, cwnd = ssthresh: recovery is limited by pipe, so nothing is added for duplicate
        // ACKs and nothing deflated at the end, and the sender reports each episode once.
        let initial_cwnd = cubic.window();
        let in_flight = initial_cwnd / 2;
        let expected_ssthresh = (in_flight as f64 * BETA_CUBIC) as usize;
        cubic.on_loss(Instant::from_millis(0), in_flight);
        assert_eq!(cubic.ssthresh, expected_ssthresh);
        assert_eq!(cubic.cwnd, expected_ssthresh);
        assert_eq!(cubic.w_max, initial_cwnd);
        assert!(cubic.epoch.is_none());

        // the epoch starts with the first ACK after recovery
        ack(&mut cubic, MSS, Instant::from_millis(10));
        assert_eq!(cubic.epoch.unwrap().start, Instant::from_millis(10));
    }

    #[test]
    fn undo_restores_the_window() {
        let mut cubic = Cubic::new();
        cubic.set_mss(MSS);
        cubic.cwnd = MSS * 32;
        let (ssthresh, w_max) = (cubic.ssthresh, cubic.w_max);
        cubic.on_loss(Instant::from_millis(0), MSS * 32);
        assert!(cubic.window() < MSS * 32);
        cubic.undo();
        assert_eq!(
            (cubic.window(), cubic.ssthresh, cubic.w_max),
            (MSS * 32, ssthresh, w_max)
        );
        // Only once.
        cubic.cwnd = MSS;
        cubic.undo();
        assert_eq!(cubic.window(), MSS);
    }

    #[test]
    fn zero_length_ack_changes_nothing() {
        let mut cubic = Cubic::new();
        cubic.set_mss(MSS);
        cubic.cwnd = MSS * 32;
        cubic.on_loss(Instant::from_millis(0), cubic.cwnd);

        let cwnd = cubic.window();
        let ssthresh = cubic.ssthresh;

        // Accepted segments that acknowledge no new data (window updates,
        // data segments from the remote) must not change the window.
        ack(&mut cubic, 0, Instant::from_millis(1));
        assert_eq!(cubic.window(), cwnd);
        assert_eq!(cubic.ssthresh, ssthresh);
        assert!(cubic.epoch.is_none());
    }

    #[test]
    fn growth_does_not_depend_on_how_acks_are_cut() {
        let run = |parts: usize| {
            let mut cubic = Cubic::new();
            cubic.set_mss(MSS);
            cubic.set_remote_window(MSS * 1000);
            cubic.cwnd = MSS * 32;
            cubic.on_loss(Instant::from_millis(0), MSS * 32);
            for round in 0..50 {
                let window = cubic.window();
                for _ in 0..parts {
                    ack(&mut cubic, window / parts, Instant::from_millis(round * 20));
                }
            }
            cubic.window() as f64
        };
        let (one, many) = (run(1), run(20));
        assert!((one / many - 1.0).abs() < 0.1, "{one} {many}");
    }

    #[test]
    fn repeated_rto_holds_ssthresh() {
        let mut cubic = Cubic::new();
        cubic.set_mss(MSS);
        cubic.cwnd = MSS * 32;

        // First RTO reduces ssthresh based on the flight size.
        cubic.on_rto(Instant::from_millis(0), MSS * 32);
        let ssthresh = cubic.ssthresh;
        assert_eq!(ssthresh, (32.0 * MSS as f64 * BETA_CUBIC) as usize);

        // Until new data is ACKed, further RTOs are retransmissions of the
        // same segment and must hold ssthresh constant instead of collapsing
        // it towards the minimum.
        cubic.on_rto(Instant::from_millis(1), MSS);
        assert_eq!(cubic.ssthresh, ssthresh);

        // Once new data is ACKed, the next RTO is a fresh loss detection
        // and reduces ssthresh again.
        ack(&mut cubic, MSS, Instant::from_millis(2));
        cubic.on_rto(Instant::from_millis(3), MSS * 4);
        assert_eq!(cubic.ssthresh, (4.0 * MSS as f64 * BETA_CUBIC) as usize);
    }

    #[test]
    fn slow_start_works() {
        let mut cubic = Cubic::new();
        cubic.set_mss(MSS);
        cubic.cwnd = MSS * 32;
        cubic.ssthresh = MSS * 16;

        // we enter slow start upon major loss (an RTO)
        // window resets to MSS, ssthresh becomes a fraction of the inflight bytes,
        // the epoch is cleared so any later CA uses a fresh epoch,
        // and w_max is preserved (RFC 9438 §4.8 defers it to the next CA stage).
        let w_max_before_rto = cubic.w_max;
        let inflight = cubic.window();
        cubic.on_rto(Instant::from_millis(0), inflight);
        assert_eq!(cubic.ssthresh, (inflight as f64 * BETA_CUBIC) as usize);
        assert_eq!(cubic.window(), MSS);
        assert!(cubic.epoch.is_none());
        assert_eq!(cubic.w_max, w_max_before_rto);

        // slow start grows by the bytes acknowledged, not by an MSS per ACK (batched reads give few ACKs)
        let initial_cwnd = cubic.window();
        for i in 0..10 {
            let initial_cwnd = cubic.window();
            let now = Instant::from_millis(i);
            ack(&mut cubic, MSS * 2, now);
            assert_eq!(cubic.window(), initial_cwnd + MSS * 2);
        }
        assert_eq!(cubic.window(), initial_cwnd + MSS * 20);
        cubic.cwnd = MSS * 2;

        // slow start uses the number of ACKed bytes if they're less than the MSS
        let initial_cwnd = cubic.window();
        for i in 0..10 {
            let initial_cwnd = cubic.window();
            let now = Instant::from_millis(10 + i);
            ack(&mut cubic, MSS / 2, now);
            assert_eq!(cubic.window(), initial_cwnd + MSS / 2);
        }
        assert_eq!(cubic.window(), initial_cwnd + MSS / 2 * 10);

        // slow start transitions to congestion avoidance at ssthresh
        let initial_cwnd = cubic.window();
        cubic.ssthresh = initial_cwnd + MSS;
        ack(&mut cubic, MSS, Instant::from_millis(30));
        assert_eq!(cubic.window(), initial_cwnd + MSS);
        assert_eq!(cubic.ssthresh, initial_cwnd + MSS);
    }

    #[test]
    fn progress_to_ca_via_rto() {
        let mut cubic = Cubic::new();
        cubic.set_mss(MSS);

        let mut time = 0;

        // slow start from default state
        let initial_cwnd = cubic.window();
        for _ in 0..30 {
            time += 1;
            ack(&mut cubic, MSS, Instant::from_millis(time));
        }
        assert_eq!(cubic.window(), initial_cwnd + MSS * 30);
        assert!(cubic.window() < cubic.ssthresh);

        // rto: cwnd resets to MSS and sstresh reduces
        let rto_cwnd = cubic.window();
        cubic.on_rto(Instant::from_millis(time), rto_cwnd);
        assert_eq!(cubic.window(), MSS);
        assert_eq!(cubic.ssthresh, (rto_cwnd as f64 * BETA_CUBIC) as usize);

        // slow start again until cwnd reaches new ssthresh
        while cubic.window() < cubic.ssthresh {
            time += 1;
            let initial_cwnd = cubic.window();
            ack(&mut cubic, MSS, Instant::from_millis(time));
            // (slow start now stops at ssthresh exactly, and the rest of the ACK counts for CA)
            assert!(cubic.window() > initial_cwnd && cubic.window() <= initial_cwnd + MSS);
        }
        assert!(cubic.window() >= cubic.ssthresh);
        assert!(cubic.window() < cubic.ssthresh + MSS);

        // ca: first CA ACK starts a fresh epoch with W_max = cwnd and K = 0.
        time += 1;
        let cwnd_at_ca_entry = cubic.window();
        ack(&mut cubic, MSS, Instant::from_millis(time));
        assert!(cubic.w_max.abs_diff(cwnd_at_ca_entry) < MSS);
        assert_eq!(cubic.epoch.unwrap().k, 0.0);
        assert!(cubic.window() >= cwnd_at_ca_entry);
    }

    #[test]
    fn progress_to_ca_via_loss() {
        let mut cubic = Cubic::new();
        cubic.set_mss(MSS);

        let mut time = 0;

        // slow start from default state
        let initial_cwnd = cubic.window();
        for _ in 0..30 {
            time += 1;
            ack(&mut cubic, MSS, Instant::from_millis(time));
        }
        assert_eq!(cubic.window(), initial_cwnd + MSS * 30);
        assert!(cubic.window() < cubic.ssthresh);

        // loss: ssthresh = cwnd * beta, cwnd = ssthresh (no inflation for duplicate ACKs, the epoch starts later)
        time += 1;
        let loss_cwnd = cubic.window();
        let expected_ssthresh = (loss_cwnd as f64 * BETA_CUBIC) as usize;
        cubic.on_loss(Instant::from_millis(time), loss_cwnd);
        assert_eq!(cubic.ssthresh, expected_ssthresh);
        assert_eq!(cubic.window(), expected_ssthresh);

        // ca: subsequent ACKs follow the cubic curve
        time += 1;
        let initial_cwnd = cubic.window();
        ack(&mut cubic, MSS, Instant::from_millis(time));
        assert!(cubic.window() >= initial_cwnd);
    }

    #[test]
    fn fast_convergence_reduces_w_max() {
        let mut cubic = Cubic::new();
        cubic.set_mss(MSS);
        cubic.w_max = MSS * 50;
        cubic.cwnd = MSS * 30;
        cubic.flat_epoch = false;

        // Loss while cwnd < w_max (a new competing flow) should pull w_max down.
        let w_max_prev = cubic.w_max;
        cubic.on_loss(Instant::from_millis(0), cubic.cwnd);
        assert!(cubic.w_max < w_max_prev);
    }

    #[test]
    fn test_cube_root() {
        let mut max_err = 0.0;
        let mut max_err_at = 0;
        let mut max_err_expected = 0.0;
        let mut max_err_found = 0.0;

        for i in (1..1_000_000).step_by(99) {
            let found = cube_root(i as f64);
            let expected = (i as f64).cbrt();
            let err = (found - expected).abs() / expected;

            if err > max_err {
                max_err = err;
                max_err_at = i;
                max_err_found = found;
                max_err_expected = expected;
            }
        }

        assert!(
            max_err < 0.0005,
            "cube_root({max_err_at}) = {max_err_found}, expected ~{max_err_expected}, rel err {max_err:.3e}"
        );
    }
}
