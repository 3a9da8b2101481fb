//! Two netstacks back to back in memory on one thread, as the packet thread runs one of them.
//!
//! `a` has the proxies, `b` the services. Tests act at the edges with ordinary blocking sockets and run
//! commands on the lab's thread. Proxy requests are answered by a small table: `b.test`, `b6.test` and
//! addresses of the tunnel go through it, `system.test` is this machine, `forbidden.test` is not allowed.
#![allow(dead_code)]

use netstack::{Config, Event, Netstack, PacketOut, ProxyAnswer, ProxyKind, RefuseCode};
use std::collections::{HashMap, VecDeque};
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A slow machine under a sanitizer is no failure: waits end by facts, and this only when there will be none.
pub const PATIENCE: Duration = Duration::from_secs(120);

pub const A4: &str = "100.64.0.1";
pub const A6: &str = "fd7a:115c:a1e0::1";
pub const B4: &str = "100.64.0.2";
pub const B6: &str = "fd7a:115c:a1e0::2";

const B_FIRST: usize = 1 << 40;
const WAKER: mio::Token = mio::Token(usize::MAX);

/// Gets each packet and whether it goes to `b`; returns what is delivered in its place.
pub type Tap = Box<dyn FnMut(bool, Vec<u8>) -> Vec<Vec<u8>> + Send>;
type Command = Box<dyn FnOnce(&mut World) + Send>;

#[derive(Default)]
pub struct Wire(pub VecDeque<Vec<u8>>);

impl PacketOut for Wire {
    fn send(&mut self, packet: &[u8]) {
        assert!(packet.len() <= 1280, "packet of {} B", packet.len());
        self.0.push_back(packet.to_vec());
    }
}

/// What a path allows: the largest packet to ask for, and the largest to send.
#[derive(Clone, Copy)]
pub struct PacketSizes {
    pub accept: usize,
    pub send: usize,
}

/// Flat buffer in place of `Wire`: no allocation a packet, for the speed example.
#[derive(Default)]
pub struct Batch {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    /// What the path allows, where it is not the MTU.
    pub sizes: Option<PacketSizes>,
}

impl PacketOut for Batch {
    fn send(&mut self, packet: &[u8]) {
        self.bytes.extend_from_slice(packet);
        self.ends.push(self.bytes.len());
    }
    fn largest_to(&mut self, _to: IpAddr) -> Option<usize> {
        self.sizes.map(|sizes| sizes.send)
    }
    fn largest_from(&mut self, _from: IpAddr) -> Option<usize> {
        self.sizes.map(|sizes| sizes.accept)
    }
}

impl Batch {
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    pub fn drain(&mut self, mut each: impl FnMut(&[u8])) {
        let mut start = 0;
        for &end in &self.ends {
            each(&self.bytes[start..end]);
            start = end;
        }
        self.ends.clear();
        self.bytes.clear();
    }
}

pub struct World {
    pub a: Netstack,
    pub b: Netstack,
    pub now: Instant,
    /// Events that are not proxy requests.
    pub events_a: Vec<Event>,
    pub events_b: Vec<Event>,
    pub tap: Option<Tap>,
    /// Where the forwards lead.
    pub places: HashMap<u32, (&'static str, u16)>,
    pub wake_ups: u64,
    pub a_out: Batch,
    pub b_out: Batch,
}

pub struct Lab {
    commands: Sender<Command>,
    waker: mio::Waker,
    thread: Option<JoinHandle<()>>,
    stop: Sender<()>,
}

/// A tap that sees and may change each packet, and drops those for which `keep` says false.
pub fn keep(mut keep: impl FnMut(bool, &mut Vec<u8>) -> bool + Send + 'static) -> Option<Tap> {
    Some(Box::new(move |to_b, mut packet| {
        match keep(to_b, &mut packet) {
            true => vec![packet],
            false => Vec::new(),
        }
    }))
}

pub fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

pub fn answer(host: &str, port: u16) -> ProxyAnswer {
    let refuse = |code| ProxyAnswer::Refuse {
        code,
        message: "said the table".into(),
    };
    let addresses = match host {
        "b.test" => vec![ip(B4)],
        "b6.test" => vec![ip(B6)],
        // The first address leads nowhere.
        "both.test" => vec![ip("100.64.9.9"), ip(B4)],
        "system.test" => {
            let addresses = vec![ip("127.0.0.1")];
            return ProxyAnswer::System { addresses, port };
        }
        "engine.test" => {
            let to = SocketAddr::new(ip("100.100.100.100"), port);
            return ProxyAnswer::Engine { to };
        }
        "forbidden.test" => return refuse(RefuseCode::NotAllowed),
        _ => match host.parse() {
            Ok(ip) => vec![ip],
            Err(_) => return refuse(RefuseCode::NoSuchHost),
        },
    };
    ProxyAnswer::Tunnel { addresses, port }
}

impl World {
    fn handle(&mut self, event: &mio::event::Event) {
        let stack = match event.token().0 >= B_FIRST {
            true => &mut self.b,
            false => &mut self.a,
        };
        stack.handle_ready(self.now, event);
    }

    /// Lets packets pass to and fro until both are quiet, or for a bounded number of rounds.
    pub fn settle(&mut self) {
        for _ in 0..16 {
            self.now = Instant::now();
            self.a.poll(self.now, &mut self.a_out);
            self.b.poll(self.now, &mut self.b_out);
            if self.a_out.is_empty() && self.b_out.is_empty() {
                break;
            }
            let World { a, b, tap, now, .. } = self;
            let limit = |out: &Batch| out.sizes.map_or(1280, |sizes| sizes.send.max(1280));
            let limits = (limit(&self.b_out), limit(&self.a_out));
            let mut pass = |to_b: bool, packet: &[u8]| {
                let limit = if to_b { limits.1 } else { limits.0 };
                assert!(packet.len() <= limit, "packet of {} B", packet.len());
                let target = if to_b { &mut *b } else { &mut *a };
                match tap {
                    None => target.handle_packet(*now, packet),
                    Some(tap) => {
                        for packet in tap(to_b, packet.to_vec()) {
                            target.handle_packet(*now, &packet);
                        }
                    }
                }
            };
            self.a_out.drain(|packet| pass(true, packet));
            self.b_out.drain(|packet| pass(false, packet));
            self.drain_events();
        }
        self.drain_events();
    }

    fn drain_events(&mut self) {
        while let Some(event) = self.a.take_event() {
            match event {
                Event::ProxyRequest { id, host, port, .. } => {
                    if host != "never.test" {
                        self.a.answer_proxy(self.now, id, answer(&host, port));
                    }
                }
                Event::ForwardRequest { id, forward, from } => {
                    assert!(from.ip().is_loopback());
                    let (host, port) = self.places[&forward];
                    if host != "never.test" {
                        self.a.answer_proxy(self.now, id, answer(host, port));
                    }
                }
                other => self.events_a.push(other),
            }
        }
        while let Some(event) = self.b.take_event() {
            self.events_b.push(event);
        }
    }

    fn timeout(&self) -> Option<Duration> {
        let now = Instant::now();
        let times = [self.a.next_timeout(now), self.b.next_timeout(now)];
        times.into_iter().flatten().min()
    }
}

fn run(mut world: World, mut poll: mio::Poll, commands: Receiver<Command>, stop: Receiver<()>) {
    let mut events = mio::Events::with_capacity(1024);
    loop {
        let timeout = world.timeout();
        match poll.poll(&mut events, timeout) {
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
            other => other.unwrap(),
        }
        world.wake_ups += 1;
        world.now = Instant::now();
        for event in &events {
            if event.token() != WAKER {
                world.handle(event);
            }
        }
        while let Ok(command) = commands.try_recv() {
            command(&mut world);
        }
        world.settle();
        if stop.try_recv() != Err(std::sync::mpsc::TryRecvError::Empty) {
            return;
        }
    }
}

impl Lab {
    pub fn new() -> Lab {
        Lab::with(Config::default(), Config::default())
    }

    pub fn with(config_a: Config, config_b: Config) -> Lab {
        let poll = mio::Poll::new().unwrap();
        let registry = |p: &mio::Poll| p.registry().try_clone().unwrap();
        let mut a = Netstack::new(config_a, registry(&poll), 0, 1).unwrap();
        let mut b = Netstack::new(config_b, registry(&poll), B_FIRST, 2).unwrap();
        a.set_addresses(&[ip(A4), ip(A6)]);
        b.set_addresses(&[ip(B4), ip(B6)]);
        let waker = mio::Waker::new(poll.registry(), WAKER).unwrap();
        let (commands, received) = channel();
        let (stop, stopped) = channel();
        let world = World {
            a,
            b,
            now: Instant::now(),
            events_a: Vec::new(),
            events_b: Vec::new(),
            tap: None,
            places: HashMap::new(),
            wake_ups: 0,
            a_out: Batch::default(),
            b_out: Batch::default(),
        };
        let thread = std::thread::spawn(move || run(world, poll, received, stopped));
        Lab {
            commands,
            waker,
            thread: Some(thread),
            stop,
        }
    }

    /// Runs `f` on the lab's thread and returns what it returns.
    pub fn on<R: Send + 'static>(&self, f: impl FnOnce(&mut World) -> R + Send + 'static) -> R {
        let (tx, rx) = channel();
        let run: Command = Box::new(move |world| {
            let _ = tx.send(f(world));
        });
        self.commands.send(run).unwrap();
        self.waker.wake().unwrap();
        rx.recv_timeout(PATIENCE)
            .expect("the lab's thread has died")
    }

    /// Asks again and again until `f` gives something.
    pub fn wait_for<R: Send + 'static>(
        &self,
        f: impl Fn(&mut World) -> Option<R> + Send + Clone + 'static,
    ) -> R {
        let end = Instant::now() + PATIENCE;
        loop {
            let f = f.clone();
            if let Some(found) = self.on(move |w| f(w)) {
                return found;
            }
            assert!(Instant::now() < end, "waited in vain");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    pub fn proxy(&self, kind: ProxyKind) -> SocketAddr {
        self.on(move |w| {
            w.a.listen_proxy(kind, "127.0.0.1:0".parse().unwrap())
                .unwrap()
        })
    }
}

impl Lab {
    /// Opens a forward of `a`; its address.
    pub fn forward(&self, id: u32, udp: bool, to: (&'static str, u16)) -> SocketAddr {
        self.on(move |w| {
            w.places.insert(id, to);
            let any = "127.0.0.1:0".parse().unwrap();
            w.a.listen_forward(id, udp, any).unwrap()
        })
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let _ = self.stop.send(());
        let _ = self.waker.wake();
        let ended = self.thread.take().unwrap().join();
        if !std::thread::panicking() {
            ended.expect("the lab's thread has panicked");
        }
    }
}

/// A listener on 127.0.0.1 whose connections are handled by `serve`, each on its own thread.
pub fn server(serve: impl Fn(TcpStream) + Send + Clone + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            let serve = serve.clone();
            std::thread::spawn(move || serve(stream));
        }
    });
    port
}

pub fn echo_server() -> u16 {
    server(|mut stream| {
        let mut copy = stream.try_clone().unwrap();
        let _ = std::io::copy(&mut copy, &mut stream);
        let _ = stream.shutdown(std::net::Shutdown::Write);
    })
}

/// A service that sends every datagram back; its port.
pub fn udp_echo() -> u16 {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let mut buffer = vec![0; 65536];
        while let Ok((n, from)) = socket.recv_from(&mut buffer) {
            let _ = socket.send_to(&buffer[..n], from);
        }
    });
    port
}

/// A port of the loopback interface where nothing listens.
pub fn closed_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// Connects through a SOCKS5 proxy; the reply code if it is not 0.
pub fn socks_connect(proxy: SocketAddr, host: &str, port: u16) -> Result<TcpStream, u8> {
    let mut stream = TcpStream::connect(proxy).unwrap();
    stream.set_nodelay(true).unwrap();
    // A stall must end a test, and a machine with much else to do must not.
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    let mut request = vec![5, 1, 0, 5, 1, 0, 3, host.len() as u8];
    request.extend_from_slice(host.as_bytes());
    request.extend_from_slice(&port.to_be_bytes());
    stream.write_all(&request).unwrap();
    let mut reply = [0; 2 + 4];
    stream.read_exact(&mut reply).unwrap();
    assert_eq!(reply[..2], [5, 0]);
    let rest = if reply[5] == 4 { 18 } else { 6 };
    stream.read_exact(&mut vec![0; rest]).unwrap();
    match reply[3] {
        0 => Ok(stream),
        code => Err(code),
    }
}

/// A stream of bytes that a shifted or repeated piece would show up in (xorshift64).
pub struct Pattern(pub u64);

impl Pattern {
    pub fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            chunk.copy_from_slice(&self.0.to_le_bytes()[..chunk.len()]);
        }
    }
}

/// Writes `total` bytes of pattern `seed`, a multiple of 8.
pub fn send_pattern(stream: &mut TcpStream, seed: u64, total: usize) {
    let mut pattern = Pattern(seed);
    let mut left = total;
    let mut chunk = vec![0; 64 << 10];
    while left > 0 {
        let n = left.min(chunk.len());
        pattern.fill(&mut chunk[..n]);
        stream.write_all(&chunk[..n]).unwrap();
        left -= n;
    }
}

/// Reads to the end of the stream and checks it against the pattern; the bytes read.
pub fn check_pattern(stream: &mut impl Read, seed: u64) -> usize {
    let mut pattern = Pattern(seed);
    let mut total = 0;
    let mut got = vec![0; 64 << 10];
    let mut want = vec![0; 64 << 10];
    loop {
        let mut have = 0;
        while have < got.len() {
            match stream.read(&mut got[have..]).unwrap() {
                0 => break,
                n => have += n,
            }
        }
        pattern.fill(&mut want[..have.next_multiple_of(8)]);
        assert!(got[..have] == want[..have], "wrong bytes after {total}");
        total += have;
        if have < got.len() {
            return total;
        }
    }
}
