//! Ordinary traffic between two hosts, at little cost of its own: what benches send through a tunnel.
//!
//!     serve PORT                                    both families, until ended; prints `ready`
//!     tcp get|put HOST PORT BYTES STREAMS           that many bytes over all streams together
//!     udp HOST PORT SIZE PER-SECOND SECONDS         datagrams with SIZE bytes of payload, evenly spread
//!     rtt HOST PORT SECONDS INTERVAL-US             small datagrams that come back
//!     frame DEVICE TEXT                             one raw frame that no rule of the kernel sees (a mark in a record)
//!
//! Each prints one line of JSON; times in seconds, round trips in milliseconds. At PORT the server speaks TCP, one line
//! from the client first (`get BYTES`, `put BYTES`, `udp SIZE`), and echoes UDP. Linux.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const CHUNK_BYTES: usize = 256 * 1024;
/// Datagrams of one system call at most.
const BATCH: usize = 64;
const MAX_DATAGRAM: usize = 2048;
/// Datagrams go out in bursts of what is due after this time.
const BURST_EVERY: Duration = Duration::from_micros(250);
/// Silence after which the last datagram has come.
const QUIET: Duration = Duration::from_millis(300);
static SOCKET_BUFFER: libc::c_int = 8 << 20;
/// Of raw frames: for experiments of one's own (IEEE 802).
const ETHERTYPE: u16 = 0x88b5;

type Answer = Result<String, String>;

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

fn number(word: &str) -> Result<u64, String> {
    word.parse().map_err(|_| format!("{word} is no number"))
}

fn main() -> ExitCode {
    // SAFETY: prctl with these arguments touches no memory. Timers fire within a microsecond or so.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1) };
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let answer = match words[..] {
        ["serve", port] => serve(port),
        ["tcp", verb, host, port, bytes, streams] => tcp(verb, &address(host, port), bytes, streams),
        ["udp", host, port, size, rate, seconds] => udp(host, &address(host, port), size, rate, seconds),
        ["rtt", host, port, seconds, interval] => rtt(&address(host, port), seconds, interval),
        ["frame", device, mark] => frame(device, mark),
        _ => Err("words as at the top of natlab-traffic.rs".to_string()),
    };
    match answer {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

fn address(host: &str, port: &str) -> String {
    if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

// --- the far end ---

fn serve(port: &str) -> Answer {
    let listener = TcpListener::bind(format!("[::]:{port}")).map_err(text)?;
    let echo = UdpSocket::bind(format!("[::]:{port}")).map_err(text)?;
    thread::spawn(move || {
        let mut buffer = [0u8; MAX_DATAGRAM];
        loop {
            if let Ok((size, from)) = echo.recv_from(&mut buffer) {
                let _ = echo.send_to(&buffer[..size], from);
            }
        }
    });
    println!("ready");
    for stream in listener.incoming().flatten() {
        thread::spawn(move || {
            if let Err(why) = answer(stream) {
                eprintln!("{why}");
            }
        });
    }
    Ok(String::new())
}

fn answer(stream: TcpStream) -> Result<(), String> {
    let _ = stream.set_nodelay(true);
    let mut reader = BufReader::new(stream.try_clone().map_err(text)?);
    let mut line = String::new();
    reader.read_line(&mut line).map_err(text)?;
    let words: Vec<&str> = line.split_whitespace().collect();
    match words[..] {
        ["get", bytes] => send(&stream, number(bytes)?).map_err(text),
        ["put", bytes] => {
            let got = drain(&mut reader, number(bytes)?).map_err(text)?;
            writeln!(&stream, "{got}").map_err(text)
        }
        ["udp", size] => count_datagrams(&stream, number(size)? as usize),
        _ => Err(format!("a client said {line}")),
    }
}

/// Counts datagrams at a port that the client is told, until the client's line and then silence.
fn count_datagrams(stream: &TcpStream, size: usize) -> Result<(), String> {
    let socket = UdpSocket::bind("[::]:0").map_err(text)?;
    widen(&socket, libc::SO_RCVBUFFORCE);
    socket.set_read_timeout(Some(QUIET)).map_err(text)?;
    writeln!(&*stream, "{}", socket.local_addr().map_err(text)?.port()).map_err(text)?;
    let has_ended = Arc::new(AtomicBool::new(false));
    let ended = Arc::clone(&has_ended);
    let control = stream.try_clone().map_err(text)?;
    thread::spawn(move || {
        let _ = BufReader::new(control).read_line(&mut String::new());
        ended.store(true, Ordering::Release);
    });
    let mut batch = Batch::new(MAX_DATAGRAM);
    let mut count = 0u64;
    loop {
        let was_told = has_ended.load(Ordering::Acquire);
        let got = batch.receive(&socket, size);
        count += got.unwrap_or(0);
        if got.is_none() && was_told {
            break;
        }
    }
    writeln!(&*stream, "{count}").map_err(text)
}

fn widen(socket: &UdpSocket, option: libc::c_int) {
    // SAFETY: the value is an int that lives through the call. Without the right it stays as it was.
    unsafe { libc::setsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, option, (&raw const SOCKET_BUFFER).cast(), 4) };
}

/// Buffers for many datagrams in one system call.
struct Batch {
    bytes: Vec<u8>,
    size: usize,
}

impl Batch {
    fn new(size: usize) -> Batch {
        Batch {
            bytes: vec![0x5a; size * BATCH],
            size,
        }
    }

    /// Messages over the buffers; they hold pointers into `self` and into `parts`.
    fn messages(&mut self, parts: &mut [libc::iovec; BATCH]) -> [libc::mmsghdr; BATCH] {
        // SAFETY: all-zero is a valid value of these plain structures.
        let mut messages: [libc::mmsghdr; BATCH] = unsafe { std::mem::zeroed() };
        for (i, (part, message)) in parts.iter_mut().zip(messages.iter_mut()).enumerate() {
            part.iov_base = self.bytes[i * self.size..].as_mut_ptr().cast();
            part.iov_len = self.size;
            message.msg_hdr.msg_iov = part;
            message.msg_hdr.msg_iovlen = 1;
        }
        messages
    }

    /// How many of that size came; `None` after silence.
    fn receive(&mut self, socket: &UdpSocket, size: usize) -> Option<u64> {
        // SAFETY: all-zero is a valid iovec; messages and parts live through the call, buffers are as long as said.
        let mut parts: [libc::iovec; BATCH] = unsafe { std::mem::zeroed() };
        let mut messages = self.messages(&mut parts);
        let got = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                messages.as_mut_ptr(),
                BATCH as _,
                libc::MSG_WAITFORONE as _,
                std::ptr::null_mut(),
            )
        };
        if got <= 0 {
            return None;
        }
        Some(
            messages[..got as usize]
                .iter()
                .filter(|message| message.msg_len as usize == size)
                .count() as u64,
        )
    }

    /// Sends so many; how many the kernel took.
    fn send(&mut self, socket: &UdpSocket, count: usize) -> usize {
        // SAFETY: as above; the socket is connected, so that no message needs a name.
        let mut parts: [libc::iovec; BATCH] = unsafe { std::mem::zeroed() };
        let mut messages = self.messages(&mut parts);
        let sent = unsafe { libc::sendmmsg(socket.as_raw_fd(), messages.as_mut_ptr(), count.min(BATCH) as _, 0) };
        usize::try_from(sent).unwrap_or(0)
    }
}

fn send(mut stream: &TcpStream, bytes: u64) -> io::Result<()> {
    let chunk = vec![0x5a; CHUNK_BYTES];
    let mut left = bytes;
    while left > 0 {
        let size = left.min(CHUNK_BYTES as u64) as usize;
        stream.write_all(&chunk[..size])?;
        left -= size as u64;
    }
    Ok(())
}

fn drain(from: &mut impl Read, bytes: u64) -> io::Result<u64> {
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut got = 0;
    while got < bytes {
        let size = from.read(&mut chunk)?;
        if size == 0 {
            break;
        }
        got += size as u64;
    }
    Ok(got)
}

// --- the near end ---

fn tcp(verb: &str, to: &str, bytes: &str, streams: &str) -> Answer {
    let (bytes, streams) = (number(bytes)?, number(streams)?.max(1));
    let each = bytes / streams;
    let connected: Vec<TcpStream> = (0..streams)
        .map(|_| TcpStream::connect(to).map_err(text))
        .collect::<Result<_, _>>()?;
    let start = Instant::now();
    let workers: Vec<_> = connected
        .into_iter()
        .map(|stream| {
            let verb = verb.to_string();
            thread::spawn(move || one_stream(&verb, &stream, each))
        })
        .collect();
    let mut moved = 0;
    for worker in workers {
        moved += worker.join().map_err(|_| "a stream broke down".to_string())??;
    }
    Ok(format!(r#"{{"bytes":{moved},"seconds":{:.6}}}"#, start.elapsed().as_secs_f64()))
}

fn one_stream(verb: &str, stream: &TcpStream, bytes: u64) -> Result<u64, String> {
    let mut writer = stream;
    writeln!(writer, "{verb} {bytes}").map_err(text)?;
    if verb == "get" {
        return drain(&mut writer, bytes).map_err(text);
    }
    send(stream, bytes).map_err(text)?;
    read_number(&mut BufReader::new(stream))
}

fn read_number(from: &mut impl BufRead) -> Result<u64, String> {
    let mut line = String::new();
    from.read_line(&mut line).map_err(text)?;
    number(line.trim())
}

fn udp(host: &str, to: &str, size: &str, rate: &str, seconds: &str) -> Answer {
    let (size, rate) = (number(size)? as usize, number(rate)?);
    let time = Duration::from_secs_f64(seconds.parse().map_err(text)?);
    let control = TcpStream::connect(to).map_err(text)?;
    let mut replies = BufReader::new(control.try_clone().map_err(text)?);
    writeln!(&control, "udp {size}").map_err(text)?;
    let port = read_number(&mut replies)?;
    let socket = UdpSocket::bind("[::]:0").map_err(text)?;
    let socket = if host.contains(':') {
        socket
    } else {
        UdpSocket::bind("0.0.0.0:0").map_err(text)?
    };
    socket.connect(address(host, &port.to_string())).map_err(text)?;
    widen(&socket, libc::SO_SNDBUFFORCE);
    let mut batch = Batch::new(size);
    let start = Instant::now();
    let mut sent = 0u64;
    while start.elapsed() < time {
        let due = ((start.elapsed() + BURST_EVERY).as_secs_f64() * rate as f64) as u64;
        while sent < due && start.elapsed() < time {
            sent += batch.send(&socket, (due - sent) as usize) as u64;
        }
        thread::sleep(BURST_EVERY.saturating_sub(Duration::from_secs_f64((start.elapsed().as_secs_f64()) % BURST_EVERY.as_secs_f64())));
    }
    let took = start.elapsed().as_secs_f64();
    writeln!(&control, "end").map_err(text)?;
    let received = read_number(&mut replies)?;
    Ok(format!(r#"{{"sent":{sent},"received":{received},"seconds":{took:.6}}}"#))
}

fn rtt(to: &str, seconds: &str, interval: &str) -> Answer {
    let time = Duration::from_secs_f64(seconds.parse().map_err(text)?);
    let interval = Duration::from_micros(number(interval)?);
    let socket = UdpSocket::bind(if to.starts_with('[') { "[::]:0" } else { "0.0.0.0:0" }).map_err(text)?;
    socket.connect(to).map_err(text)?;
    socket.set_read_timeout(Some(QUIET)).map_err(text)?;
    let start = Instant::now();
    let sender = socket.try_clone().map_err(text)?;
    let sending = thread::spawn(move || {
        let mut count = 0u64;
        while start.elapsed() < time {
            let now = start.elapsed().as_nanos() as u64;
            count += u64::from(sender.send(&now.to_be_bytes()).is_ok());
            thread::sleep(interval);
        }
        count
    });
    let mut times: Vec<f64> = Vec::new();
    let mut buffer = [0u8; 64];
    // What comes later than a second after the end is lost.
    while start.elapsed() < time + Duration::from_secs(1) {
        if let (Ok(8), now) = (socket.recv(&mut buffer), start.elapsed().as_nanos() as u64) {
            let then = u64::from_be_bytes(buffer[..8].try_into().map_err(|_| "a short answer")?);
            times.push(now.saturating_sub(then) as f64 / 1e6);
        }
    }
    let sent = sending.join().map_err(|_| "the sender broke down".to_string())?;
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times.get((times.len() as f64 * share) as usize).copied().unwrap_or(f64::NAN);
    if times.is_empty() {
        return Err(format!("none of {sent} came back"));
    }
    Ok(format!(
        r#"{{"sent":{sent},"received":{},"p50":{:.4},"p95":{:.4},"p99":{:.4}}}"#,
        times.len(),
        at(0.5),
        at(0.95),
        at(0.99)
    ))
}

fn frame(device: &str, mark: &str) -> Answer {
    let mut bytes = vec![0xff; 12];
    bytes.extend(ETHERTYPE.to_be_bytes());
    bytes.extend(mark.bytes());
    bytes.resize(bytes.len().max(60), 0);
    let name = std::ffi::CString::new(device).map_err(text)?;
    // SAFETY: the name is NUL-terminated; `to` is a plain structure that lives through the call, as do the bytes.
    unsafe {
        let index = libc::if_nametoindex(name.as_ptr());
        let socket = libc::socket(
            libc::AF_PACKET,
            libc::SOCK_RAW | libc::SOCK_CLOEXEC,
            libc::c_int::from(ETHERTYPE.to_be()),
        );
        let mut to: libc::sockaddr_ll = std::mem::zeroed();
        to.sll_family = libc::AF_PACKET as _;
        to.sll_ifindex = index as _;
        to.sll_halen = 6;
        let sent = libc::sendto(
            socket,
            bytes.as_ptr().cast(),
            bytes.len(),
            0,
            (&raw const to).cast(),
            size_of::<libc::sockaddr_ll>() as _,
        );
        if sent < 0 {
            return Err(format!("{device}: {}", io::Error::last_os_error()));
        }
    }
    Ok(String::new())
}
