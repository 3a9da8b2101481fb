//! Byte-exact transfers over bad paths, with close, one way and both ways: nothing may be lost, invented, or left hanging.

mod link;

use link::{Path, Setup, first_sequence, full, transfer};
use smoltcp::socket::tcp::CongestionControl;

/// The six mixes: name, path there, path back, SACK.
fn mixes() -> [(&'static str, Path, Path, bool); 6] {
    let base = Path::clean(10);
    let loss = Path { loss: 0.02, ..base };
    let heavy = Path { loss: 0.15, ..base };
    let messy = Path {
        loss: 0.01,
        duplicate: 0.05,
        late: 0.1,
        late_by: 30_000,
        late_varies: true,
        ..base
    };
    let narrow = Path {
        rate: Some(20_000_000),
        queue: 30_000,
        loss: 0.005,
        ..base
    };
    let acks = Path { loss: 0.3, ..base };
    [
        ("loss", loss, loss, true),
        ("heavy loss", heavy, heavy, true),
        ("loss, duplication and reordering", messy, messy, true),
        (
            "lost acknowledgements",
            Path { loss: 0.01, ..base },
            acks,
            true,
        ),
        (
            "no SACK",
            Path {
                late: 0.02,
                late_by: 8_000,
                ..loss
            },
            loss,
            false,
        ),
        ("bottleneck", narrow, narrow, true),
    ]
}

fn run(seeds: std::ops::Range<u64>) {
    let mut bad = Vec::new();
    for (name, there, back, sack) in mixes() {
        let mut times = Vec::new();
        for seed in seeds.clone() {
            let setup = Setup {
                sack,
                timestamps: seed % 2 == 1,
                buffer: if seed / 2 % 2 == 0 { 64 << 10 } else { 1 << 20 },
                control: if seed / 4 % 2 == 0 {
                    CongestionControl::Cubic
                } else {
                    CongestionControl::Reno
                },
                ..Setup::new(there, back, seed)
            };
            let both = if seed / 8 % 2 == 0 { 0 } else { 150_000 };
            match transfer(&setup, 200_000 + seed as usize * 37, both, 300) {
                Ok(us) => times.push(us as f64 / 1e6),
                Err(why) => bad.push(format!("{name}, seed {seed}: {why}")),
            }
        }
        times.sort_by(f64::total_cmp);
        if let Some(last) = times.last() {
            println!(
                "{name}: median {:.2} s, worst {last:.2} s",
                times[times.len() / 2]
            );
        }
    }
    assert!(bad.is_empty(), "{} bad:\n{}", bad.len(), bad.join("\n"));
}

#[test]
fn every_byte_arrives_and_both_ends_close() {
    run(if full() { 0..500 } else { 0..32 });
}

#[test]
fn a_window_that_shuts_opens_again_though_packets_are_lost() {
    let lossy = Path {
        loss: 0.1,
        ..Path::clean(10)
    };
    let mut bad = Vec::new();
    for seed in 0..if full() { 300 } else { 30 } {
        let setup = Setup {
            buffer: if seed % 2 == 0 { 4 << 10 } else { 64 << 10 },
            sack: seed % 5 != 0,
            timestamps: seed % 3 == 0,
            pause: Some(700_000),
            ..Setup::new(lossy, lossy, seed)
        };
        let back = if seed / 2 % 2 == 0 { 0 } else { 30_000 };
        if let Err(why) = transfer(&setup, 40_000, back, 300) {
            bad.push(format!("seed {seed}: {why}"));
        }
    }
    assert!(bad.is_empty(), "{} bad:\n{}", bad.len(), bad.join("\n"));
}

#[test]
fn sequence_numbers_wrap() {
    let lossy = Path {
        loss: 0.03,
        late: 0.05,
        late_by: 15_000,
        ..Path::clean(10)
    };
    let mut tried = 0;
    for edge in [u32::MAX, i32::MAX as u32] {
        let mut found = 0;
        for iss_seed in 0u64.. {
            let setup = Setup {
                iss_seed,
                ..Setup::new(lossy, lossy, iss_seed)
            };
            // The edge lies inside the transfer.
            if edge.wrapping_sub(first_sequence(&setup)) > 400_000 {
                continue;
            }
            transfer(&setup, 500_000, 0, 300).unwrap();
            transfer(
                &Setup {
                    sack: false,
                    ..setup
                },
                500_000,
                100_000,
                300,
            )
            .unwrap();
            found += 1;
            tried += 1;
            if found == 3 {
                break;
            }
        }
    }
    assert_eq!(tried, 6);
}
