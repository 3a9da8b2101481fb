//! Keeps panics and bad arguments from crossing into JavaScript as anything but an error with a code.

use std::net::{IpAddr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use napi::{Error, Result, Status};
use packet_loop::thread::Dead;

static HOOK: Once = Once::new();

/// Runs one entry; a panic inside becomes `native-failed`.
pub fn guard<R>(entry: impl FnOnce() -> Result<R>) -> Result<R> {
    // The default hook prints a backtrace with this machine's paths; the error says what is to be said.
    HOOK.call_once(|| std::panic::set_hook(Box::new(|_| {})));
    catch_unwind(AssertUnwindSafe(entry))
        .unwrap_or_else(|_| Err(fail("native-failed", "panic in the add-on")))
}

/// An error of this code.
pub fn fail(code: &str, message: &str) -> Error {
    Error::new(Status::GenericFailure, format!("{code}: {message}"))
}

pub fn dead(_: Dead) -> Error {
    fail("native-failed", "the packet thread is gone")
}

pub fn bad(what: &str) -> Error {
    fail("bad-argument", what)
}

/// An I/O failure, with the two codes that callers treat apart.
pub fn io(error: &std::io::Error) -> Error {
    let code = match error.kind() {
        std::io::ErrorKind::AddrInUse => "address-in-use",
        std::io::ErrorKind::PermissionDenied => "access-denied",
        std::io::ErrorKind::Unsupported => "not-supported",
        _ => "io",
    };
    fail(code, &error.to_string())
}

pub fn parse_ip(text: &str) -> Result<IpAddr> {
    text.parse().map_err(|_| bad("not an IP address"))
}

pub fn parse_addr(ip: &str, port: u32) -> Result<SocketAddr> {
    let port = u16::try_from(port).map_err(|_| bad("not a port"))?;
    Ok(SocketAddr::new(parse_ip(ip)?, port))
}

pub fn parse_key(bytes: &[u8]) -> Result<[u8; 32]> {
    bytes.try_into().map_err(|_| bad("a key has 32 bytes"))
}
