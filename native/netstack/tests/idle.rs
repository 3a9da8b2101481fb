//! What flows cost while nothing happens. Alone in its binary: it measures the whole process.

mod support;

use netstack::ProxyKind;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;
use support::*;

#[test]
fn idle_flows_cost_no_wake_ups_and_little_memory() {
    let (tx, kept) = std::sync::mpsc::channel::<TcpStream>();
    let port = server(move |mut stream| {
        stream.write_all(b"hello").unwrap();
        let _ = tx.send(stream);
    });
    let lab = Lab::new();
    let proxy = lab.proxy(ProxyKind::Socks5);
    let before = resident();
    let streams: Vec<TcpStream> = (0..150)
        .map(|_| {
            let mut stream = socks_connect(proxy, "b.test", port).unwrap();
            stream.read_exact(&mut [0; 5]).unwrap();
            stream
        })
        .collect();
    std::thread::sleep(Duration::from_millis(100));
    let grown = resident().saturating_sub(before);
    // Four rings a flow, a megabyte each at first; only touched pages may count.
    assert!(grown < 40_000_000, "{grown} B for 150 idle flows");
    // Timers that nobody needs any more (handshake: a second; loss probe: 0.2 s) are let run out, not taken back.
    std::thread::sleep(Duration::from_millis(1500));
    let wakes = lab.on(|w| w.wake_ups);
    std::thread::sleep(Duration::from_millis(500));
    let woken = lab.on(|w| w.wake_ups) - wakes;
    assert!(woken < 20, "{woken} wake-ups in half a second");
    drop((streams, kept));
}

/// Resident bytes of this process; 0 where the kernel does not tell.
fn resident() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = text.split(' ').nth(1).and_then(|n| n.parse::<usize>().ok());
    pages.unwrap_or(0) * 4096
}
