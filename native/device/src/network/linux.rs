//! Asks rtnetlink for links, addresses and the way to the world.
//!
//! The way is found as the kernel finds it, rules and tables of other programs included: by asking for the route to an
//! address far away. Nothing is sent there.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use super::netlink::{self, HEADER, Row};
use super::{Address, DefaultRoute, FAR4, FAR6, NetworkState};

const RTM_GETLINK: u16 = 18;
const RTM_GETADDR: u16 = 22;
const RTM_GETROUTE: u16 = 26;
const NLM_F_REQUEST: u16 = 1;
const NLM_F_DUMP: u16 = 0x300;
const RTA_DST: u16 = 1;
const RTA_MARK: u16 = 16;
/// A signal may come in between.
const TRIES: usize = 3;
const ANSWER_BYTES: usize = 32 << 10;
/// The kernel answers at once; this is for one that does not.
const PATIENCE: libc::timeval = libc::timeval {
    tv_sec: 2,
    tv_usec: 0,
};

/// What this machine's networks are just now; `mark` is that of our own sockets, which rules may go by.
pub fn current(mark: Option<u32>) -> io::Result<NetworkState> {
    let mut last = io::Error::from(io::ErrorKind::Interrupted);
    for _ in 0..TRIES {
        match Asker::new().and_then(|mut asker| asker.state(mark)) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => last = error,
            other => return other,
        }
    }
    Err(last)
}

struct Asker {
    socket: OwnedFd,
    sequence: u32,
    buffer: Vec<u8>,
}

struct Link {
    name: String,
    up: bool,
    loopback: bool,
}

impl Asker {
    fn new() -> io::Result<Asker> {
        let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC;
        // SAFETY: a plain system call; the result is checked.
        let fd = unsafe { libc::socket(libc::AF_NETLINK, kind, libc::NETLINK_ROUTE) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: new and nobody else's.
        let socket = unsafe { OwnedFd::from_raw_fd(fd) };
        let size = std::mem::size_of::<libc::timeval>() as libc::socklen_t;
        let patience = PATIENCE;
        let patience = (&raw const patience).cast();
        // SAFETY: a live descriptor and a pointer to one timeval with its size.
        unsafe { libc::setsockopt(fd, libc::SOL_SOCKET, libc::SO_RCVTIMEO, patience, size) };
        Ok(Asker {
            socket,
            sequence: 0,
            buffer: vec![0; ANSWER_BYTES],
        })
    }

    fn state(&mut self, mark: Option<u32>) -> io::Result<NetworkState> {
        let mut links = HashMap::new();
        self.ask(RTM_GETLINK, NLM_F_DUMP, &[0; 16], &mut |row| {
            if let Row::Link {
                index,
                name,
                up,
                loopback,
            } = row
            {
                links.insert(index, Link { name, up, loopback });
            }
        })?;
        let mut addresses = Vec::new();
        self.ask(RTM_GETADDR, NLM_F_DUMP, &[0; 8], &mut |row| {
            let Row::Address { index, ip, prefix } = row else {
                return;
            };
            if let Some(link) = links.get(&index) {
                addresses.push(Address {
                    interface: link.name.clone(),
                    ip,
                    prefix,
                    loopback: link.loopback,
                    up: link.up,
                });
            }
        })?;
        let default4 = self.way(IpAddr::V4(FAR4), mark, &links)?;
        let default6 = self.way(IpAddr::V6(FAR6), mark, &links)?;
        Ok(NetworkState {
            addresses,
            default4,
            default6,
        })
    }

    /// How packets get to `far`; None when they do not.
    fn way(
        &mut self,
        far: IpAddr,
        mark: Option<u32>,
        links: &HashMap<u32, Link>,
    ) -> io::Result<Option<DefaultRoute>> {
        let (family, octets) = match far {
            IpAddr::V4(ip) => (libc::AF_INET as u8, ip.octets().to_vec()),
            IpAddr::V6(ip) => (libc::AF_INET6 as u8, ip.octets().to_vec()),
        };
        let mut body = vec![0; 12];
        body[0] = family;
        body[1] = 8 * octets.len() as u8;
        attribute(&mut body, RTA_DST, &octets);
        if let Some(mark) = mark {
            attribute(&mut body, RTA_MARK, &mark.to_ne_bytes());
        }
        let mut found = None;
        let asked = self.ask(RTM_GETROUTE, 0, &body, &mut |row| {
            let Row::Route {
                index,
                gateway,
                source,
            } = row
            else {
                return;
            };
            if let Some(link) = links.get(&index).filter(|link| !link.loopback) {
                found = Some(DefaultRoute {
                    interface: link.name.clone(),
                    gateway,
                    source,
                });
            }
        });
        match asked {
            Ok(()) => Ok(found),
            // No way there: unreachable by a rule, by the lack of a route, or a family that the kernel was built without.
            Err(error) if error.kind() != io::ErrorKind::Interrupted => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Sends one question and gives the rows of its answer to `see`.
    fn ask(
        &mut self,
        kind: u16,
        flags: u16,
        body: &[u8],
        see: &mut dyn FnMut(Row),
    ) -> io::Result<()> {
        self.sequence += 1;
        let length = (HEADER + body.len()) as u32;
        let mut message = length.to_ne_bytes().to_vec();
        message.extend_from_slice(&kind.to_ne_bytes());
        message.extend_from_slice(&(NLM_F_REQUEST | flags).to_ne_bytes());
        message.extend_from_slice(&self.sequence.to_ne_bytes());
        message.extend_from_slice(&[0; 4]);
        message.extend_from_slice(body);
        let (fd, bytes) = (self.socket.as_raw_fd(), message.as_ptr().cast());
        // SAFETY: the message is readable for its whole length.
        if unsafe { libc::send(fd, bytes, message.len(), 0) } < 0 {
            return Err(io::Error::last_os_error());
        }
        let is_dump = flags & NLM_F_DUMP == NLM_F_DUMP;
        let asked = self.sequence;
        loop {
            let mut end = (!is_dump).then_some(0);
            let answer = self.receive()?;
            netlink::each_message(answer, |kind, sequence, body| {
                if sequence != asked {
                    return;
                }
                match netlink::read_row(kind, body) {
                    Some(Row::End(errno)) => end = Some(errno),
                    Some(row) => see(row),
                    None => {}
                }
            });
            match end {
                None => {}
                Some(0) => return Ok(()),
                Some(errno) => return Err(io::Error::from_raw_os_error(errno)),
            }
        }
    }

    fn receive(&mut self) -> io::Result<&[u8]> {
        let (buffer, size) = (self.buffer.as_mut_ptr().cast(), self.buffer.len());
        // SAFETY: the buffer is writable for its whole length.
        let got = unsafe { libc::recv(self.socket.as_raw_fd(), buffer, size, 0) };
        if got < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(&self.buffer[..got as usize])
    }
}

fn attribute(body: &mut Vec<u8>, kind: u16, value: &[u8]) {
    body.extend_from_slice(&(4 + value.len() as u16).to_ne_bytes());
    body.extend_from_slice(&kind.to_ne_bytes());
    body.extend_from_slice(value);
    body.resize(body.len().next_multiple_of(4), 0);
}
