//! The tunnel device in a network namespace of this test: a node with the device and one without are joined by loopback, and the
//! kernel's own programs talk through it. Needs root and /dev/net/tun; says so and passes where it has neither.
#![cfg(target_os = "linux")]

mod support;

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::Command;
use std::time::{Duration, Instant};

use device::tun::Wanted;
use packet_loop::records;
use support::{Node, node};

const PATIENCE: Duration = Duration::from_secs(60);

/// A namespace for this thread and those that it starts; false where that is not allowed.
fn alone() -> bool {
    // SAFETY: no pointers; the thread ends with its test.
    let own = unsafe { libc::unshare(libc::CLONE_NEWNET) } == 0;
    let can = own && std::fs::exists("/dev/net/tun").unwrap_or(false) && ip("link set lo up");
    if !can {
        println!("skipped: needs root, network namespaces, /dev/net/tun and ip");
    }
    can
}

fn ip(words: &str) -> bool {
    let run = Command::new("ip").args(words.split(' ')).status();
    run.is_ok_and(|status| status.success())
}

/// A node with a device, one without, and the programs' way to the second.
fn pair(number: u8) -> Option<(Node, Node)> {
    let (a, b) = (node(number), node(number + 1));
    a.know(&b);
    b.know(&a);
    open(&a).then_some((a, b))
}

fn open(a: &Node) -> bool {
    let wanted = Wanted {
        name: "bwl%d".into(),
        mtu: 1280,
    };
    let opened = a.thread.call(move |world| world.open_tun(&wanted)).unwrap();
    let Ok(opened) = opened else {
        println!("skipped: no device: {opened:?}");
        return false;
    };
    assert!(opened.index > 1 && opened.name.starts_with("bwl") && opened.offloads.tcp);
    let (own, name) = (a.ip, opened.name);
    ip(&format!("addr add {own}/32 dev {name}"))
        && ip(&format!("link set {name} up"))
        && ip(&format!("route add 100.64.0.0/10 dev {name}"))
}

fn counter(node: &Node, wanted: &'static str) -> u64 {
    node.thread
        .call(move |world| {
            let mut found = 0;
            world.each_counter(|name, value| found += u64::from(name == wanted) * value);
            found
        })
        .unwrap()
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn pattern(len: u32) -> Vec<u8> {
    (0..len).map(|n| (n * 31 + n / 251) as u8).collect()
}

#[test]
fn programs_send_and_get_whole_streams_through_the_device_in_super_packets() {
    if !alone() {
        return;
    }
    let Some((a, mut b)) = pair(10) else { return };
    // Out: a program of this computer to a service behind the other node.
    let service = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = SocketAddr::new(b.ip, service.local_addr().unwrap().port());
    let sent = pattern(6_000_000);
    let want = sent.clone();
    let served = std::thread::spawn(move || {
        let (mut stream, _) = service.accept().unwrap();
        let mut got = Vec::new();
        stream.read_to_end(&mut got).unwrap();
        stream.write_all(&got[..1000]).unwrap();
        got == want
    });
    let mut stream = TcpStream::connect_timeout(&to, PATIENCE).unwrap();
    stream.write_all(&sent).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    assert!(answer == sent[..1000] && served.join().unwrap());
    assert!(
        counter(&a, "tun_in_super") > 0,
        "the kernel gave super-packets"
    );
    // In: the other node dials a listener that has the tunnel's address in the kernel.
    let listener = TcpListener::bind(SocketAddr::new(a.ip, 0)).unwrap();
    let mut stream = b.dial(1, listener.local_addr().unwrap());
    let (mut accepted, from) = listener.accept().unwrap();
    assert_eq!(from.ip(), b.ip);
    let sent = pattern(6_000_000);
    let want = sent.clone();
    let read = std::thread::spawn(move || {
        let mut got = Vec::new();
        accepted.read_to_end(&mut got).unwrap();
        got == want
    });
    stream.write_all(&sent).unwrap();
    drop(stream);
    assert!(read.join().unwrap());
    assert!(counter(&a, "tun_out_super") > 0, "segments were merged");
}

#[test]
fn flows_of_the_netstack_go_on_while_the_device_comes_and_goes() {
    if !alone() {
        return;
    }
    let (mut a, b) = (node(12), node(13));
    a.know(&b);
    b.know(&a);
    let service = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = SocketAddr::new(b.ip, service.local_addr().unwrap().port());
    let mut stream = a.dial(1, to);
    let (mut accepted, _) = service.accept().unwrap();
    let mut exchange = |word: &[u8]| {
        stream.write_all(word).unwrap();
        let mut got = vec![0; word.len()];
        accepted.read_exact(&mut got).unwrap();
        assert_eq!(got, word);
        accepted.write_all(word).unwrap();
        stream.read_exact(&mut got).unwrap();
        assert_eq!(got, word);
    };
    exchange(b"before");
    for turn in 0..3 {
        if !open(&a) {
            return;
        }
        exchange(b"beside the system");
        let program = TcpStream::connect_timeout(&to, PATIENCE).unwrap();
        drop((program, service.accept().unwrap()));
        let wanted = Wanted {
            name: "bwl9".into(),
            mtu: 1280,
        };
        let second = a.thread.call(move |world| world.open_tun(&wanted)).unwrap();
        assert_eq!(second.unwrap_err().kind(), ErrorKind::AlreadyExists);
        a.thread.call(|world| world.close_tun()).unwrap();
        assert!(
            !ip("route get 100.64.0.13"),
            "turn {turn}: the device is gone"
        );
        exchange(b"alone again");
    }
}

#[test]
fn a_program_learns_at_once_that_nobody_takes_its_packets_and_foreign_sources_are_dropped() {
    if !alone() {
        return;
    }
    let Some((mut a, _b)) = pair(14) else { return };
    let nowhere: SocketAddr = "100.99.0.1:80".parse().unwrap();
    let start = Instant::now();
    let refused = TcpStream::connect_timeout(&nowhere, PATIENCE).unwrap_err();
    assert_ne!(refused.kind(), ErrorKind::TimedOut);
    assert!(start.elapsed() < PATIENCE);
    let told = a.record(records::NO_ROUTE);
    assert_eq!(told[0], 6);
    assert!(counter(&a, "tun_no_route") > 0);
    assert!(ip("addr add 10.9.9.9/32 dev lo"));
    let socket = UdpSocket::bind("10.9.9.9:0").unwrap();
    socket.send_to(b"spoofed", "100.64.0.15:9").unwrap();
    until("the foreign source to be counted", || {
        counter(&a, "tun_foreign_source") > 0
    });
}

#[test]
fn the_engines_address_answers_programs_of_this_computer_over_both_transports() {
    if !alone() {
        return;
    }
    let Some((mut a, _b)) = pair(16) else { return };
    let dns: SocketAddr = "100.100.100.100:53".parse().unwrap();
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.connect(dns).unwrap();
    socket.send(b"question").unwrap();
    let record = a.record(records::ENGINE_DATAGRAM);
    assert!(record.ends_with(b"question"));
    let id = u64::from(u32::from_be_bytes(record[..4].try_into().unwrap()));
    a.thread.cast(move |world| {
        let now = world.now;
        world.stack.answer_datagram(now, id, b"answer");
    });
    let mut got = [0; 64];
    let len = socket.recv(&mut got).unwrap();
    assert_eq!(&got[..len], b"answer");
    let mut stream = TcpStream::connect_timeout(&dns, PATIENCE).unwrap();
    stream.write_all(b"asked over TCP").unwrap();
    let record = a.record(records::INBOUND_STREAM);
    let fd = i32::from_be_bytes(record[..4].try_into().unwrap());
    // SAFETY: the record owned this descriptor and gave it to us.
    let mut up =
        unsafe { <std::os::unix::net::UnixStream as std::os::fd::FromRawFd>::from_raw_fd(fd) };
    up.set_nonblocking(false).unwrap();
    let mut got = [0; 14];
    up.read_exact(&mut got).unwrap();
    assert_eq!(&got, b"asked over TCP");
    let other = TcpStream::connect_timeout(&"100.100.100.100:80".parse().unwrap(), PATIENCE);
    assert_eq!(other.unwrap_err().kind(), ErrorKind::ConnectionRefused);
}

#[test]
fn a_device_that_vanishes_is_told_once_and_can_be_made_again() {
    if !alone() {
        return;
    }
    let Some((mut a, b)) = pair(18) else { return };
    assert!(ip("link del bwl0"));
    let why = a.record(records::TUN_GONE);
    assert!(!why.is_empty());
    a.thread.call(|world| world.close_tun()).unwrap();
    assert!(open(&a));
    let service = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = SocketAddr::new(b.ip, service.local_addr().unwrap().port());
    TcpStream::connect_timeout(&to, PATIENCE).unwrap();
}

#[test]
fn sockets_carry_the_mark_and_so_do_those_that_replace_them() {
    if !alone() {
        return;
    }
    let a = node(20);
    a.thread
        .call(|world| world.set_mark(Some(0x80000)))
        .unwrap()
        .unwrap();
    a.thread.call(|world| world.rebind(&[0])).unwrap().unwrap();
    // Marked packets have no way there, others do.
    let rules = [
        "add preference 100 fwmark 0x80000/0xff0000 lookup 77",
        "add preference 200 lookup local",
        "del preference 0",
    ];
    assert!(ip("route add unreachable 127.0.0.9/32 table 77"));
    assert!(rules.iter().all(|rule| ip(&format!("rule {rule}"))));
    let socket = UdpSocket::bind("127.0.0.9:0").unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let to = socket.local_addr().unwrap();
    let send = |word: &'static [u8]| {
        a.thread
            .call(move |world| world.send_udp(to, word))
            .unwrap()
    };
    let flushed = counter(&a, "udp_out_runs");
    send(b"marked");
    until("the marked one to be sent", || {
        counter(&a, "udp_out_runs") > flushed
    });
    a.thread
        .call(|world| world.set_mark(None))
        .unwrap()
        .unwrap();
    send(b"plain");
    let mut got = [0; 16];
    assert_eq!(socket.recv(&mut got).unwrap(), b"plain".len());
}
