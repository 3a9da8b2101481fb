//! One link: a thread each way, which waits for a packet or for the moment the oldest one is due, never both busily.
//!
//! Settings: `delay_us` each way, `jitter_us` more at random for each packet (so they overtake each other), `loss_ppm`,
//! `seed` (the random series start anew), `mtu` (longer packets vanish without a word; 0 = none), `udp` (`both`, `out`,
//! `in`, `none`: the ways that let UDP pass), and those of the NAT. A packet that finds the queue full is dropped and
//! counted apart from the loss that was asked for.

use std::collections::VecDeque;
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::nat::{Nat, Verdict};
use crate::tun;

/// Packets that may wait in one direction: 4 Gb/s at 20 ms are under 7,000 of 1500 B.
const QUEUE_PACKETS: usize = 50_000;
const PACKET_BYTES: usize = 2048;
const IDLE_WAIT: Duration = Duration::from_secs(3600);
const OUT: usize = 0;
const UDP: u8 = 17;

#[derive(Clone, Copy, Default)]
struct Settings {
    delay_us: u64,
    jitter_us: u64,
    loss_ppm: u64,
    seed: u64,
    /// Grows when the random series is to start anew.
    series: u64,
    mtu: usize,
    no_udp: [bool; 2],
    has_nat: bool,
}

#[derive(Default)]
struct Counts {
    passed: AtomicU64,
    /// Lost because loss was asked for.
    lost: AtomicU64,
    /// Refused by the NAT, a closed way or the packet size.
    refused: AtomicU64,
    overflowed: AtomicU64,
}

pub struct Link {
    settings: Mutex<Settings>,
    generation: AtomicU64,
    nat: Mutex<Nat>,
    counts: [Counts; 2],
}

impl Link {
    pub fn start(inside: RawFd, outside: RawFd) -> Arc<Link> {
        let link = Arc::new(Link {
            settings: Mutex::default(),
            generation: AtomicU64::new(0),
            nat: Mutex::new(Nat::new()),
            counts: Default::default(),
        });
        for way in [0, 1] {
            let direction = Direction {
                way,
                fds: [inside, outside],
                link: link.clone(),
                queue: VecDeque::new(),
                spare: Vec::new(),
                random: 1,
            };
            std::thread::spawn(move || direction.run());
        }
        link
    }

    /// Takes `NAME=VALUE` words. On an error the words before it hold.
    pub fn set(&self, words: &[&str]) -> Result<(), String> {
        let mut settings = self.settings.lock().unwrap();
        for word in words {
            let (name, value) = word.split_once('=').ok_or_else(|| format!("no value in {word}"))?;
            let number = || value.parse::<u64>().map_err(|_| format!("no number in {word}"));
            match name {
                "delay_us" => settings.delay_us = number()?,
                "jitter_us" => settings.jitter_us = number()?,
                "loss_ppm" => settings.loss_ppm = number()?,
                "seed" => {
                    settings.seed = number()?;
                    settings.series += 1;
                }
                "mtu" => settings.mtu = number()? as usize,
                "udp" => {
                    settings.no_udp = match value {
                        "both" => [false, false],
                        "out" => [false, true],
                        "in" => [true, false],
                        "none" => [true, true],
                        _ => return Err(format!("no such way: {value}")),
                    }
                }
                _ => {
                    self.nat.lock().unwrap().set(name, value)?;
                    settings.has_nat = true;
                }
            }
        }
        self.generation.fetch_add(1, Ordering::Release);
        Ok(())
    }

    pub fn rebind(&self) {
        self.nat.lock().unwrap().forget();
    }

    pub fn stats(&self) -> String {
        let ways: Vec<String> = self
            .counts
            .iter()
            .map(|way| {
                let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
                format!(
                    "{{\"passed\":{},\"lost\":{},\"refused\":{},\"overflowed\":{}}}",
                    read(&way.passed),
                    read(&way.lost),
                    read(&way.refused),
                    read(&way.overflowed)
                )
            })
            .collect();
        format!("[{}]", ways.join(","))
    }
}

struct Packet {
    due: Instant,
    to: RawFd,
    bytes: Vec<u8>,
}

struct Direction {
    /// 0 outward, 1 inward.
    way: usize,
    fds: [RawFd; 2],
    link: Arc<Link>,
    queue: VecDeque<Packet>,
    spare: Vec<Vec<u8>>,
    random: u64,
}

impl Direction {
    fn run(mut self) {
        let mut generation = u64::MAX;
        let mut settings = Settings::default();
        loop {
            let left = self
                .queue
                .front()
                .map_or(IDLE_WAIT, |packet| packet.due.saturating_duration_since(Instant::now()));
            tun::wait(self.fds[self.way], left);
            let current = self.link.generation.load(Ordering::Acquire);
            if current != generation {
                generation = current;
                let series = settings.series;
                settings = *self.link.settings.lock().unwrap();
                if settings.series != series || self.random == 1 {
                    self.random = settings.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (0x5851_f42d_4c95_7f2d * (self.way as u64 + 1)) | 1;
                }
            }
            for _ in 0..64 {
                if !self.take(&settings) {
                    break;
                }
            }
            self.send_due();
        }
    }

    /// Reads one packet; false when there is none.
    fn take(&mut self, settings: &Settings) -> bool {
        let mut bytes = self.spare.pop().unwrap_or_default();
        bytes.resize(PACKET_BYTES, 0);
        let Some(size) = tun::read(self.fds[self.way], &mut bytes) else {
            self.spare.push(bytes);
            return false;
        };
        bytes.truncate(size);
        let is_lost = self.chance() % 1_000_000 < settings.loss_ppm;
        let link = self.link.clone();
        let counts = &link.counts[self.way];
        match self.route(settings, &mut bytes) {
            Some(_) if is_lost => counts.lost.fetch_add(1, Ordering::Relaxed),
            Some(_) if self.queue.len() >= QUEUE_PACKETS => counts.overflowed.fetch_add(1, Ordering::Relaxed),
            Some(to) => {
                self.enqueue(settings, to, bytes);
                return true;
            }
            None => counts.refused.fetch_add(1, Ordering::Relaxed),
        };
        self.spare.push(bytes);
        true
    }

    /// Where the packet goes, changed as the NAT does; `None` = nowhere.
    fn route(&self, settings: &Settings, bytes: &mut [u8]) -> Option<RawFd> {
        let other = self.fds[1 - self.way];
        if (settings.mtu != 0 && bytes.len() > settings.mtu) || (settings.no_udp[self.way] && is_udp(bytes)) {
            return None;
        }
        if !settings.has_nat {
            return Some(other);
        }
        let mut nat = self.link.nat.lock().unwrap();
        match if self.way == OUT { nat.outward(bytes) } else { nat.inward(bytes) } {
            Verdict::Pass => Some(other),
            Verdict::Back => Some(self.fds[self.way]),
            Verdict::Drop => None,
        }
    }

    fn enqueue(&mut self, settings: &Settings, to: RawFd, bytes: Vec<u8>) {
        let jitter_us = if settings.jitter_us == 0 {
            0
        } else {
            self.chance() % settings.jitter_us
        };
        let due = Instant::now() + Duration::from_micros(settings.delay_us + jitter_us);
        let after = self.queue.iter().rev().take_while(|packet| packet.due > due).count();
        self.queue.insert(self.queue.len() - after, Packet { due, to, bytes });
    }

    fn send_due(&mut self) {
        let now = Instant::now();
        while self.queue.front().is_some_and(|packet| packet.due <= now) {
            let Some(packet) = self.queue.pop_front() else { break };
            tun::write(packet.to, &packet.bytes);
            self.link.counts[self.way].passed.fetch_add(1, Ordering::Relaxed);
            if self.spare.len() < 4096 {
                self.spare.push(packet.bytes);
            }
        }
    }

    fn chance(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }
}

fn is_udp(packet: &[u8]) -> bool {
    match packet.first().map(|first| first >> 4) {
        Some(4) => packet.get(9) == Some(&UDP),
        Some(6) => packet.get(6) == Some(&UDP),
        _ => false,
    }
}
