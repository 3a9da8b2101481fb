//! A network changes hands under an open connection: packet threads on loopback, one that asks and two that carry.
#![cfg(unix)]

mod support;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use dataplane::peers::{Path, PeerSpec};
use dataplane::prefix::Prefix;
use packet_loop::world::Tables;
use support::{Node, node};

/// `a` with a connection through `b`, which carries a network for it, and the service's end of that connection.
fn connected() -> (Node, Node, UnixStream, TcpStream) {
    let (mut a, b) = (node(1), node(2));
    a.know(&b);
    b.know(&a);
    a.hand(&b, true);
    let service = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = service.local_addr().unwrap().port();
    let mut stream = a.dial(8, SocketAddr::new(b.ip, port));
    let (mut served, _) = service.accept().unwrap();
    served.write_all(b"x").unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    stream.read_exact(&mut [0]).unwrap();
    (a, b, stream, served)
}

impl Node {
    /// Gives a peer the network, or takes it.
    fn hand(&self, peer: &Node, carries: bool) {
        let network = vec![Prefix::new(peer.ip, 31).unwrap()];
        let spec = PeerSpec {
            key: peer.key,
            jailed: false,
            bare: false,
            sources: if carries { network.clone() } else { Vec::new() },
            routes: if carries { network } else { Vec::new() },
        };
        let (key, addr) = (peer.key, peer.addr);
        self.thread.cast(move |world| {
            world.set_tables(Tables {
                upserts: vec![spec],
                ..Tables::default()
            });
            world.set_path(&key, Path::direct(addr));
        });
    }
}

/// Whether the connection ends, rather than bringing anything.
fn ends(mut stream: UnixStream) -> bool {
    match stream.read(&mut [0]) {
        Ok(count) => count == 0,
        Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
    }
}

#[test]
fn a_quiet_connection_that_the_new_carrier_does_not_know_ends_at_once() {
    let (a, b, stream, _served) = connected();
    let mut c = node(3);
    c.ip = b.ip;
    c.know(&a);
    a.hand(&b, false);
    a.hand(&c, true);
    assert!(ends(stream));
}

#[test]
fn a_connection_goes_on_through_a_carrier_that_knows_it() {
    let (a, b, mut stream, mut served) = connected();
    a.hand(&b, false);
    a.hand(&b, true);
    served.write_all(b"y").unwrap();
    let mut byte = [0];
    stream.read_exact(&mut byte).unwrap();
    assert_eq!(byte, *b"y");
    stream.write_all(b"z").unwrap();
    served.read_exact(&mut byte).unwrap();
    assert_eq!(byte, *b"z");
}

#[test]
fn a_connection_that_nobody_carries_any_more_ends_after_a_while() {
    let (a, b, stream, _served) = connected();
    a.hand(&b, false);
    assert!(ends(stream));
}
