//! Peers and paths that lie: nothing may panic, spin, or leave data in flight without a timer (the socket asserts the last in
//! builds with debug assertions, and arithmetic is checked there too).

mod link;

use link::{Path, Rng, Setup, full, tcp_options, transfer, transfer_meddled};

fn path() -> Path {
    Path {
        loss: 0.01,
        ..Path::clean(10)
    }
}

fn setup(seed: u64) -> Setup {
    Setup {
        buffer: 64 << 10,
        timestamps: seed % 2 == 1,
        ..Setup::new(path(), path(), seed)
    }
}

fn seeds(some: u64, all: u64) -> std::ops::Range<u64> {
    0..if full() { all } else { some }
}

fn word(packet: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(packet[at..at + 4].try_into().unwrap())
}

/// A pure ACK with these SACK blocks in place of its options.
fn with_blocks(packet: &[u8], blocks: &[(u32, u32)]) -> Vec<u8> {
    let mut out = packet[..40].to_vec();
    out.extend([1, 1, 5, 2 + 8 * blocks.len() as u8]);
    for (left, right) in blocks {
        out.extend(left.to_be_bytes());
        out.extend(right.to_be_bytes());
    }
    let len = out.len();
    out[2..4].copy_from_slice(&(len as u16).to_be_bytes());
    out[32] = (((len - 20) / 4) as u8) << 4;
    out
}

fn is_pure_ack(packet: &[u8]) -> bool {
    packet[33] == 0x10 && tcp_options(packet).1 == packet.len()
}

/// What was SACKed and then thrown away must still arrive: RFC 2018, section 8.
#[test]
fn a_peer_that_reneges_gets_all_bytes_again() {
    for seed in seeds(40, 400) {
        let mut rng = Rng::new(seed);
        let mut meddle = |from_a: bool, packet: &mut Vec<u8>| {
            if !from_a && is_pure_ack(packet) && rng.chance(0.03) {
                // Says that it has what it has not: from somewhere above the ACK to far ahead.
                let ack = word(packet, 28);
                let from = ack.wrapping_add(rng.below(3) as u32 * 1240);
                let to = from.wrapping_add(1 + rng.below(30_000) as u32);
                *packet = with_blocks(packet, &[(from, to)]);
            }
            Vec::new()
        };
        transfer_meddled(&setup(seed), 150_000, 0, 300, &mut meddle)
            .unwrap_or_else(|why| panic!("seed {seed}: {why}"));
    }
}

#[test]
fn random_blocks_do_no_harm() {
    for seed in seeds(40, 400) {
        let mut rng = Rng::new(seed);
        let mut meddle = |_: bool, packet: &mut Vec<u8>| {
            let mut extra = Vec::new();
            if is_pure_ack(packet) && rng.chance(0.3) {
                let ack = word(packet, 28);
                let blocks: Vec<(u32, u32)> = (0..1 + rng.below(3))
                    .map(|_| match rng.below(4) {
                        // Anywhere; about the ACK; below it (a DSACK); backwards.
                        0 => (rng.next() as u32, rng.next() as u32),
                        1 => {
                            let left = ack.wrapping_add(rng.below(4000) as u32);
                            (left, left.wrapping_add(rng.below(60) as u32))
                        }
                        2 => {
                            let left = ack.wrapping_sub(rng.below(4000) as u32);
                            (left, left.wrapping_add(rng.below(4000) as u32))
                        }
                        _ => (
                            ack.wrapping_add(2000),
                            ack.wrapping_add(rng.below(2000) as u32),
                        ),
                    })
                    .collect();
                extra.push(with_blocks(packet, &blocks));
            }
            extra
        };
        transfer_meddled(&setup(seed), 150_000, 50_000, 300, &mut meddle)
            .unwrap_or_else(|why| panic!("seed {seed}: {why}"));
    }
}

/// Copies of real segments with wild sequence numbers, acknowledgements, windows and flags. A reset or a close may be believed, so
/// the transfer need not end well; it must not panic or spin.
#[test]
fn forged_segments_break_nothing_but_the_connection() {
    let mut ended = 0;
    let seeds = seeds(60, 4000);
    let count = seeds.end;
    for seed in seeds {
        let mut rng = Rng::new(seed);
        let mut meddle = |_: bool, packet: &mut Vec<u8>| {
            let mut extra = Vec::new();
            if rng.chance(0.2) {
                let mut copy = packet.clone();
                for _ in 0..1 + rng.below(3) {
                    let near = (rng.below(20_000) as u32).wrapping_sub(10_000);
                    match rng.below(6) {
                        0 => {
                            let seq = word(&copy, 24).wrapping_add(near);
                            copy[24..28].copy_from_slice(&seq.to_be_bytes());
                        }
                        1 => {
                            let ack = word(&copy, 28).wrapping_add(near);
                            copy[28..32].copy_from_slice(&ack.to_be_bytes());
                        }
                        2 => {
                            let field = 24 + 4 * rng.below(2) as usize;
                            copy[field..field + 4]
                                .copy_from_slice(&(rng.next() as u32).to_be_bytes());
                        }
                        3 => copy[34..36].copy_from_slice(&(rng.next() as u16).to_be_bytes()),
                        4 => copy[34..36].fill(0),
                        _ => {
                            // Seldom a reset or a SYN, or there would be little left to try.
                            let flags = [0x10, 0x11, 0x18, 0x10, 0x18, 0x12, 0x14];
                            let kinds = if rng.chance(0.1) { 7 } else { 5 };
                            copy[33] = flags[rng.below(kinds) as usize];
                        }
                    }
                }
                extra.push(copy);
            }
            extra
        };
        match transfer_meddled(&setup(seed), 60_000, 20_000, 120, &mut meddle) {
            Ok(_) => ended += 1,
            Err(why) => assert!(!why.contains("for ever"), "seed {seed}: {why}"),
        }
    }
    println!("{ended} of {count} transfers came through");
}

/// A path that mangles headers at random.
#[test]
fn mangled_headers_do_not_panic() {
    for seed in seeds(60, 4000) {
        let mut rng = Rng::new(seed);
        let mut meddle = |_: bool, packet: &mut Vec<u8>| {
            if rng.chance(0.05) {
                let at = 20 + rng.below(packet.len().min(80) as u64 - 20) as usize;
                packet[at] ^= 1 << rng.below(8);
            }
            Vec::new()
        };
        if let Err(why) = transfer_meddled(&setup(seed), 60_000, 20_000, 60, &mut meddle) {
            assert!(!why.contains("for ever"), "seed {seed}: {why}");
        }
    }
}

/// The same transfers without meddling, so that the tests above cannot pass by never getting anywhere.
#[test]
fn honest_transfers_come_through() {
    for seed in 0..4 {
        transfer(&setup(seed), 150_000, 50_000, 60).unwrap();
    }
}
