//! How fast bytes go from a SOCKS client through two netstacks in memory to a loopback service.
//!
//!   cargo run --release --example speed [megabytes a stream]
//!
//! One thread runs both netstacks; client and service have their own. Prints Gb/s of goodput, packets a
//! wake-up and the netstack thread's CPU seconds per gigabyte.

#[path = "../tests/support/mod.rs"]
mod support;

use netstack::ProxyKind;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::time::Instant;
use support::*;

fn send(proxy: SocketAddr, port: u16, bytes: usize) {
    let mut stream = socks_connect(proxy, "b.test", port).expect("connected");
    let chunk = vec![7; 256 << 10];
    let mut left = bytes;
    while left > 0 {
        let n = stream.write(&chunk[..left.min(chunk.len())]).expect("sent");
        left -= n;
    }
    stream.shutdown(Shutdown::Write).expect("shut down");
    // The service closes when it has everything.
    let _ = stream.read(&mut [0; 1]);
}

fn measure(lab: &Lab, proxy: SocketAddr, port: u16, streams: usize, bytes: usize) {
    let counters = |w: &mut World| (w.b.counters().packets_in, w.wake_ups, thread_cpu());
    let before = lab.on(counters);
    let start = Instant::now();
    let clients: Vec<_> = (0..streams)
        .map(|_| std::thread::spawn(move || send(proxy, port, bytes / streams)))
        .collect();
    for client in clients {
        client.join().expect("client");
    }
    let seconds = start.elapsed().as_secs_f64();
    let after = lab.on(counters);
    let (packets, wakes) = (after.0 - before.0, (after.1 - before.1).max(1));
    println!(
        "{streams} stream(s): {:.2} Gb/s, {} packets a wake-up, {:.2} CPU-s/GB in the netstacks",
        bytes as f64 * 8e-9 / seconds,
        packets / wakes,
        (after.2 - before.2) / (bytes as f64 / 1e9)
    );
}

/// CPU seconds of the calling thread, from the kernel's own account; 0 where there is none.
fn thread_cpu() -> f64 {
    let Ok(text) = std::fs::read_to_string("/proc/thread-self/schedstat") else {
        return 0.0;
    };
    let first = text.split(' ').next().and_then(|n| n.parse::<f64>().ok());
    first.unwrap_or(0.0) / 1e9
}

fn main() {
    let megabytes: usize = std::env::args()
        .nth(1)
        .and_then(|a| a.parse().ok())
        .unwrap_or(1000);
    let port = server(|mut stream| {
        let mut buffer = vec![0; 256 << 10];
        while matches!(stream.read(&mut buffer), Ok(n) if n > 0) {}
    });
    let lab = Lab::new();
    let proxy = lab.proxy(ProxyKind::Socks5);
    for streams in [1, 4, 1, 4] {
        measure(&lab, proxy, port, streams, megabytes * 1_000_000);
    }
}
