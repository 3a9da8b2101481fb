//! Two packet threads on loopback: a ping, a stream each way through the netstacks, a panic that does not leave its thread.
#![cfg(unix)]

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener};
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

struct Node {
    thread: PacketThread,
    key: Key,
    ip: IpAddr,
    addr: SocketAddr,
    seen: Vec<(u8, Vec<u8>)>,
}

fn node(number: u8) -> Node {
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
    fn know(&self, other: &Node) {
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
    fn record(&mut self, kind: u8) -> Vec<u8> {
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

    fn dial(&mut self, id: u64, to: SocketAddr) -> UnixStream {
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

#[test]
fn two_threads_ping_and_carry_a_stream_whole() {
    let (mut a, b) = (node(1), node(2));
    a.know(&b);
    b.know(&a);
    let to = b.ip;
    a.thread.cast(move |world| world.ping_tsmp(7, to));
    assert_eq!(a.record(records::PONG)[..4], 7u32.to_be_bytes());
    let service = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = service.local_addr().unwrap().port();
    let served = std::thread::spawn(move || {
        let (mut stream, _) = service.accept().unwrap();
        let mut got = Vec::new();
        stream.read_to_end(&mut got).unwrap();
        stream.write_all(b"done").unwrap();
        got
    });
    let mut stream = a.dial(8, SocketAddr::new(b.ip, port));
    let sent: Vec<u8> = (0..3_000_000u32).map(|n| (n % 251) as u8).collect();
    stream.write_all(&sent).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    assert_eq!(answer, b"done");
    assert!(served.join().unwrap() == sent);
}

#[test]
fn a_panic_ends_the_thread_becomes_a_record_and_later_calls_say_so() {
    let mut a = node(3);
    a.thread.cast(|_| panic!("a test's panic"));
    let failed = a.record(records::FAILED);
    assert!(String::from_utf8_lossy(&failed).contains("a test's panic"));
    assert!(a.thread.call(|world| world.udp.port()).is_err());
}

#[test]
fn an_idle_thread_sleeps_and_stops_when_told() {
    let mut a = node(4);
    let timeout = a.thread.call(|world| world.pipeline.next_timeout());
    assert_eq!(timeout, Ok(None));
    a.thread.stop();
    a.thread.stop();
}

#[test]
fn descriptors_that_nobody_takes_are_closed_with_the_ring() {
    let (mut a, b) = (node(5), node(6));
    a.know(&b);
    b.know(&a);
    let service = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = SocketAddr::new(b.ip, service.local_addr().unwrap().port());
    a.thread.cast(move |world| {
        let now = world.now;
        world.stack.dial(now, 1, to, Duration::from_secs(5));
    });
    let (mut accepted, _) = service.accept().unwrap();
    // The record may still be on its way; stopping drops ring and descriptor together.
    std::thread::sleep(Duration::from_millis(50));
    a.thread.stop();
    drop(a);
    drop(b);
    accepted
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    let mut buffer = [0u8; 1];
    assert!(!matches!(accepted.read(&mut buffer), Ok(1..)));
}

/// Whether the other end of an accepted stream was cut; waits for that.
fn ends(stream: &mut std::net::TcpStream) -> bool {
    let patience = Some(Duration::from_secs(60));
    stream.set_read_timeout(patience).unwrap();
    let ended = stream.read(&mut [0]);
    !matches!(&ended, Ok(1..)) && !ended.is_err_and(|e| e.kind() == std::io::ErrorKind::WouldBlock)
}

#[test]
fn open_flows_of_a_peer_end_with_its_permission_and_with_its_place_on_the_list() {
    let (mut a, b) = (node(7), node(8));
    a.know(&b);
    b.know(&a);
    let service = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = SocketAddr::new(b.ip, service.local_addr().unwrap().port());
    let _first = a.dial(1, to);
    let (mut first, _) = service.accept().unwrap();
    let local = IpSet::new([Prefix::host(b.ip)]);
    b.thread.cast(move |world| {
        world.set_tables(Tables {
            filter: Some(Table {
                rules: Rules::new(Vec::new()),
                local,
                shields_up: false,
            }),
            ..Tables::default()
        });
    });
    assert!(ends(&mut first));
    b.know(&a);
    let _second = a.dial(2, to);
    let (mut second, _) = service.accept().unwrap();
    let key = a.key;
    b.thread.cast(move |world| {
        world.set_tables(Tables {
            removes: vec![key],
            ..Tables::default()
        });
    });
    assert!(ends(&mut second));
    let left = b
        .thread
        .call(|world| world.stack.counters().flows_open)
        .unwrap();
    assert_eq!(left, 0);
}
