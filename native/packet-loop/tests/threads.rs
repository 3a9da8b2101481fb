//! Two packet threads on loopback: a ping, a stream each way through the netstacks, a panic that does not leave its thread.
#![cfg(unix)]

mod support;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use dataplane::filter::{Rules, Table};
use dataplane::prefix::{IpSet, Prefix};
use packet_loop::records;
use packet_loop::world::Tables;
use support::node;

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
    let timeout = a
        .thread
        .call(|world| world.core.lock().pipeline.next_timeout());
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
