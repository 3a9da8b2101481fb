//! The local end of a flow: a TCP connection of this machine, or one end of a socket pair for the engine.

use mio::net::{TcpStream, UnixStream};
use mio::{Interest, Registry, Token};
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::time::Duration;

pub(crate) enum LocalSocket {
    Tcp(TcpStream),
    Pair(UnixStream),
}

impl LocalSocket {
    /// Makes a socket pair; the other end is non-blocking and belongs to the caller.
    pub fn pair() -> io::Result<(LocalSocket, OwnedFd)> {
        let (ours, theirs) = UnixStream::pair()?;
        let theirs: std::os::unix::net::UnixStream = theirs.into();
        Ok((LocalSocket::Pair(ours), theirs.into()))
    }

    pub fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        retry(|| match self {
            LocalSocket::Tcp(s) => (&*s).read(buffer),
            LocalSocket::Pair(s) => (&*s).read(buffer),
        })
    }

    pub fn write(&self, buffer: &[u8]) -> io::Result<usize> {
        retry(|| match self {
            LocalSocket::Tcp(s) => (&*s).write(buffer),
            LocalSocket::Pair(s) => (&*s).write(buffer),
        })
    }

    /// A connection to another machine.
    pub fn is_far(&self) -> bool {
        match self {
            LocalSocket::Tcp(s) => s.peer_addr().is_ok_and(|a| !a.ip().is_loopback()),
            LocalSocket::Pair(_) => false,
        }
    }

    pub fn shutdown_write(&self) {
        // A socket that is gone already needs no shutdown.
        let _ = match self {
            LocalSocket::Tcp(s) => s.shutdown(Shutdown::Write),
            LocalSocket::Pair(s) => s.shutdown(Shutdown::Write),
        };
    }

    /// Closes so that the other side sees a reset, where the socket kind knows one.
    pub fn abort(self) {
        if let LocalSocket::Tcp(stream) = &self {
            let _ = socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO));
        }
    }

    pub fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        let interest = Interest::READABLE | Interest::WRITABLE;
        match self {
            LocalSocket::Tcp(s) => registry.register(s, token, interest),
            LocalSocket::Pair(s) => registry.register(s, token, interest),
        }
    }
}

fn retry(mut call: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match call() {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            other => return other,
        }
    }
}
