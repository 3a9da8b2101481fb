//! Random and mutated packets: nothing may panic, nothing may grow without end.

mod support;

use netstack::ProxyKind;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream, UdpSocket};
use support::*;

struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % sides
    }

    fn mutate(&mut self, packet: &mut Vec<u8>) {
        for _ in 0..=self.roll(4) {
            let header = packet.len().min(60);
            match self.roll(8) {
                0 if !packet.is_empty() => packet.truncate(self.roll(packet.len() + 1)),
                1 => packet.extend((0..self.roll(64)).map(|i| i as u8)),
                2..5 if header > 0 => {
                    let at = self.roll(header);
                    packet[at] = self.roll(256) as u8;
                }
                5..7 if header > 0 => {
                    let at = self.roll(header);
                    packet[at] ^= 1 << self.roll(8);
                }
                _ if !packet.is_empty() => {
                    let at = self.roll(packet.len());
                    packet[at] = [0, 1, 0x7f, 0x80, 0xff][self.roll(5)];
                }
                _ => {}
            }
        }
        packet.truncate(1280);
        if self.roll(4) != 0 {
            mend(packet);
        }
    }
}

/// Makes checksums right again, so that a mutation gets past them.
fn mend(packet: &mut [u8]) {
    let sum = |start: u64, bytes: &[u8]| {
        let mut sum = start;
        for pair in bytes.chunks(2) {
            sum += u64::from(pair[0]) << 8 | u64::from(*pair.get(1).unwrap_or(&0));
        }
        while sum > 0xffff {
            sum = (sum >> 16) + (sum & 0xffff);
        }
        (!(sum as u16)).to_be_bytes()
    };
    let (start, end, ends, protocol) = match packet.first().map(|b| b >> 4) {
        Some(4) if packet.len() >= 20 => {
            let start = usize::from(packet[0] & 15) * 4;
            let end = usize::from(packet[2]) << 8 | usize::from(packet[3]);
            if start < 20 || start > packet.len() {
                return;
            }
            packet[10..12].fill(0);
            let s = sum(0, &packet[..start]);
            packet[10..12].copy_from_slice(&s);
            (start, end.min(packet.len()), 12..20, packet[9])
        }
        Some(6) if packet.len() >= 40 => {
            let end = 40 + (usize::from(packet[4]) << 8 | usize::from(packet[5]));
            (40, end.min(packet.len()), 8..40, packet[6])
        }
        _ => return,
    };
    if end < start {
        return;
    }
    let at = match protocol {
        6 => 16,
        17 => 6,
        1 | 58 => 2,
        _ => return,
    };
    if start + at + 2 > end {
        return;
    }
    let pseudo = match protocol {
        1 => 0,
        _ => {
            let pairs = packet[ends].chunks(2);
            let ends: u64 = pairs.map(|p| u64::from(p[0]) << 8 | u64::from(p[1])).sum();
            ends + u64::from(protocol) + (end - start) as u64
        }
    };
    packet[start + at..start + at + 2].fill(0);
    let s = sum(pseudo, &packet[start..end]);
    packet[start + at..start + at + 2].copy_from_slice(&s);
}

fn busy_lab(seed: u64, mutations_in: usize) {
    let port = echo_server();
    let lab = Lab::new();
    lab.on(|w| w.b.set_engine_ports(&[4242]));
    let proxy = lab.proxy(ProxyKind::Both);
    lab.on(move |w| {
        let mut dice = Dice(seed | 1);
        w.tap = keep(move |_, packet| {
            if dice.roll(mutations_in) == 0 {
                dice.mutate(packet);
            }
            !packet.is_empty()
        });
    });
    let forward = lab.forward(1, false, ("b.test", port));
    let datagrams = lab.forward(2, true, ("b.test", 4243));
    let noise = UdpSocket::bind("127.0.0.1:0").unwrap();
    let clients: Vec<_> = (0..12u8)
        .map(|i| {
            std::thread::spawn(move || {
                let host = if i % 2 == 0 { "b.test" } else { "b6.test" };
                let opened = match i % 3 {
                    0 => Ok(TcpStream::connect(forward).unwrap()),
                    _ => socks_connect(proxy, host, port),
                };
                let Ok(mut stream) = opened else {
                    return;
                };
                let timeout = Some(std::time::Duration::from_millis(500));
                let _ = stream.set_write_timeout(timeout);
                let _ = stream.set_read_timeout(timeout);
                let mut reader = stream.try_clone().unwrap();
                let down = std::thread::spawn(move || {
                    let mut buffer = [0; 65536];
                    while matches!(reader.read(&mut buffer), Ok(n) if n > 0) {}
                });
                for _ in 0..30 {
                    if stream.write_all(&[i; 20_000]).is_err() {
                        break;
                    }
                }
                let _ = stream.shutdown(Shutdown::Write);
                down.join().unwrap();
            })
        })
        .collect();
    for size in (0..60_000).step_by(997) {
        let _ = noise.send_to(&vec![7; size], datagrams);
    }
    for client in clients {
        client.join().unwrap();
    }
    // The lab fails the test when its thread has panicked.
    let counters = lab.on(|w| w.b.counters().clone());
    assert!(counters.packets_in > 100, "{counters:?}");
}

#[test]
fn flows_under_mutation_never_panic() {
    for (seed, one_in) in [(11, 3), (12, 20), (13, 20), (14, 200)] {
        busy_lab(seed, one_in);
    }
}

#[test]
fn random_packets_never_panic_and_are_counted() {
    let port = echo_server();
    let lab = Lab::new();
    lab.on(move |w| {
        let mut dice = Dice(99);
        w.b.set_engine_ports(&[4242]);
        w.tap = keep(|_, _| false);
        let mut bases: Vec<Vec<u8>> = Vec::new();
        for protocol in [1, 6, 17, 44, 58, 99] {
            let mut v4 = vec![
                0x45, 0, 0, 0, 0, 1, 0, 0, 64, protocol, 0, 0, 100, 64, 0, 1, 100, 64, 0, 2,
            ];
            let mut v6 = vec![0x60, 0, 0, 0, 0, 60, protocol, 64];
            let address = |last: u8| {
                let mut octets = [0; 16];
                octets[..6].copy_from_slice(&[0xfd, 0x7a, 0x11, 0x5c, 0xa1, 0xe0]);
                octets[15] = last;
                octets
            };
            v6.extend_from_slice(&address(1));
            v6.extend_from_slice(&address(2));
            for base in [&mut v4, &mut v6] {
                base.extend_from_slice(&[4, 1]);
                base.extend_from_slice(&port.to_be_bytes());
                base.extend_from_slice(&[0, 0, 0, 5, 0, 0, 0, 0, 0x50, 2, 255, 255, 0, 0, 0, 0]);
                base.extend((0..40).map(|i| i as u8));
                let length = base.len() as u8;
                if base[0] == 0x45 {
                    base[3] = length;
                }
                bases.push(base.clone());
            }
        }
        for round in 0..200_000 {
            let mut packet = bases[dice.roll(bases.len())].clone();
            // Flags of all kinds, and addresses and ports that meet again.
            if packet.len() > 60 {
                let at = if packet[0] == 0x45 { 33 } else { 53 };
                packet[at] = dice.roll(64) as u8;
                let at = at - 12;
                packet[at] = dice.roll(4) as u8;
            }
            dice.mutate(&mut packet);
            w.b.handle_packet(w.now, &packet);
            if round % 64 == 0 {
                w.settle();
            }
            if round % 5000 == 0 {
                w.events_b.clear();
            }
        }
        let c = w.b.counters().clone();
        assert!(c.packets_in >= 200_000 && c.drop_malformed > 1000, "{c:?}");
        assert!(c.flows_open <= 1024 && c.udp_open <= 2048, "{c:?}");
    });
}
