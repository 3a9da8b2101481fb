//! Packet threads of a test: nodes that know each other, their records, and connections through them.
#![allow(dead_code)]

use std::net::{IpAddr, SocketAddr};
use std::os::fd::FromRawFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dataplane::filter::{Dst, Match, Rules, Table};
use dataplane::peers::{Path, PeerSpec};
use dataplane::prefix::{IpSet, Prefix};
use dataplane::tunnel::{Identity, Key};
use device::udp::Options;
use packet_loop::records;
use packet_loop::ring::{MAX_RECORD, Ring};
use packet_loop::thread::PacketThread;
use packet_loop::world::{Setup, Tables};

pub struct Node {
    pub thread: PacketThread,
    pub key: Key,
    pub ip: IpAddr,
    pub addr: SocketAddr,
    seen: Vec<(u8, Vec<u8>)>,
}

pub fn node(number: u8) -> Node {
    let mut secret = [number; 32];
    secret[0] &= 248;
    secret[31] = 64;
    let udp = Options {
        loopback_only: true,
        ..Options::default()
    };
    let setup = Setup {
        port: 0,
        udp,
        mtu: 1280,
        seed: u64::from(number),
    };
    let thread = PacketThread::start(&setup, Arc::new(Ring::new(Box::new(|| {})))).unwrap();
    thread.cast(move |world| world.set_private_key(Some(secret)));
    let addr = SocketAddr::new("127.0.0.1".parse().unwrap(), thread.port());
    let ip = format!("100.64.0.{number}").parse().unwrap();
    let key = *Identity::new(secret).public();
    Node {
        thread,
        key,
        ip,
        addr,
        seen: Vec::new(),
    }
}

impl Node {
    pub fn know(&self, other: &Node) {
        let host = vec![Prefix::host(other.ip)];
        let any = Prefix::new("0.0.0.0".parse().unwrap(), 0).unwrap();
        let dst = Dst {
            prefix: any,
            first: 0,
            last: u16::MAX,
        };
        let tables = Tables {
            own: Some(vec![self.ip]),
            upserts: vec![PeerSpec {
                key: other.key,
                jailed: false,
                bare: false,
                sources: host.clone(),
                routes: host,
            }],
            removes: Vec::new(),
            filter: Some(Table {
                rules: Rules::new(vec![Match::new(&[6], [any], vec![dst])]),
                local: IpSet::new([Prefix::host(self.ip)]),
                shields_up: false,
            }),
        };
        let (key, addr) = (other.key, other.addr);
        self.thread.cast(move |world| {
            world.set_tables(tables);
            world.set_path(&key, Path::direct(addr));
        });
    }

    /// The body of the next record of this kind, within a minute.
    pub fn record(&mut self, kind: u8) -> Vec<u8> {
        let start = Instant::now();
        let mut buffer = vec![0; MAX_RECORD];
        while start.elapsed() < Duration::from_secs(60) {
            if let Some(at) = self.seen.iter().position(|one| one.0 == kind) {
                return self.seen.remove(at).1;
            }
            let taken = self.thread.drain(&mut buffer);
            let mut rest = &buffer[..taken];
            while rest.len() > 4 {
                let end = 4 + u32::from_be_bytes(rest[..4].try_into().unwrap()) as usize;
                self.seen.push((rest[4], rest[5..end].to_vec()));
                rest = &rest[end..];
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        panic!("no record of kind {kind}; seen {:?}", self.seen);
    }

    pub fn dial(&mut self, id: u64, to: SocketAddr) -> UnixStream {
        self.thread.cast(move |world| {
            let now = world.now;
            world.stack.dial(now, id, to, Duration::from_secs(5));
        });
        let done = self.record(records::DIAL_DONE);
        let fd = i32::from_be_bytes(done[4..8].try_into().unwrap());
        assert!(fd >= 0, "{}", String::from_utf8_lossy(&done[8..]));
        // SAFETY: the record owned this descriptor and gave it to us.
        let stream = unsafe { UnixStream::from_raw_fd(fd) };
        stream.set_nonblocking(false).unwrap();
        stream
    }
}
