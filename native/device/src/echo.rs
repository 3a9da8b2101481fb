//! ICMP echo over IPv4 without rights: the system's ping socket, where it lets this user have one.
//!
//! Linux asks `net.ipv4.ping_group_range` and numbers the requests by socket itself; macOS lets everybody and shows the IP
//! header in front of an answer (never run here). Windows has no such socket.
//! Answers are told apart by sender, sequence number and payload.

use std::io;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use crate::wire::Steer;

/// One request: to whom, and what it carries (the answer carries it back).
pub struct Echo {
    pub to: Ipv4Addr,
    pub payload: Vec<u8>,
}

const HEADER_BYTES: usize = 8;
const ECHO_REQUEST: u8 = 8;
const ECHO_REPLY: u8 = 0;

/// Round trips in the order of the requests; None: no answer in time. Blocks for at most `timeout`.
/// Errors: `PermissionDenied`, `Unsupported` where this user may not ask.
#[cfg(unix)]
pub fn ask(echoes: &[Echo], timeout: Duration, way: Steer) -> io::Result<Vec<Option<Duration>>> {
    use socket2::{Domain, Protocol, Socket, Type};
    use std::net::{SocketAddr, UdpSocket};

    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::ICMPV4))?;
    crate::wire::steer_socket(&socket, false, way)?;
    let socket: UdpSocket = socket.into();
    let deadline = Instant::now() + timeout;
    let mut sent = Vec::with_capacity(echoes.len());
    for (sequence, echo) in echoes.iter().enumerate() {
        let request = request(sequence as u16, &echo.payload);
        sent.push(Instant::now());
        // One without a way to it just gets no answer.
        let _ = socket.send_to(&request, SocketAddr::from((echo.to, 0)));
    }
    let mut found: Vec<Option<Duration>> = vec![None; echoes.len()];
    let mut buffer = [0u8; 2048];
    while found.contains(&None) {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        socket.set_read_timeout(Some(left))?;
        match socket.recv_from(&mut buffer) {
            Ok((length, SocketAddr::V4(from))) => {
                if let Some(index) = answered(&buffer[..length], *from.ip(), echoes) {
                    found[index].get_or_insert(sent[index].elapsed());
                }
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
                ) =>
            {
                break;
            }
            // "No such host" of one of them: the others may still answer.
            Err(_) => {}
        }
    }
    Ok(found)
}

#[cfg(not(unix))]
pub fn ask(_echoes: &[Echo], _timeout: Duration, _way: Steer) -> io::Result<Vec<Option<Duration>>> {
    Err(io::ErrorKind::Unsupported.into())
}

fn request(sequence: u16, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![ECHO_REQUEST, 0, 0, 0, 0, 0];
    out.extend_from_slice(&sequence.to_be_bytes());
    out.extend_from_slice(payload);
    let sum = checksum(&out);
    out[2..4].copy_from_slice(&sum.to_be_bytes());
    out
}

/// Which request an answer belongs to.
fn answered(datagram: &[u8], from: Ipv4Addr, echoes: &[Echo]) -> Option<usize> {
    // An echo reply begins with 0, an IPv4 header with 4 and its length in words.
    let skip = match datagram.first()? >> 4 {
        4 => usize::from(datagram[0] & 15) * 4,
        _ => 0,
    };
    let icmp = datagram.get(skip..)?;
    if icmp.len() < HEADER_BYTES || icmp[0] != ECHO_REPLY {
        return None;
    }
    let index = usize::from(u16::from_be_bytes([icmp[6], icmp[7]]));
    let echo = echoes.get(index)?;
    (echo.to == from && icmp[HEADER_BYTES..] == echo.payload).then_some(index)
}

/// The Internet checksum, RFC 1071.
fn checksum(bytes: &[u8]) -> u16 {
    let words = bytes
        .chunks(2)
        .map(|pair| u32::from(pair[0]) << 8 | pair.get(1).map_or(0, |&low| u32::from(low)));
    let mut sum: u32 = words.sum();
    while sum >> 16 != 0 {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TO: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 1);

    fn echoes() -> Vec<Echo> {
        let echo = |payload: &[u8]| Echo {
            to: TO,
            payload: payload.to_vec(),
        };
        vec![echo(b"1a"), echo(b"2a")]
    }

    #[test]
    fn a_request_sums_up_to_nothing() {
        for payload in [&b""[..], b"1a", b"odd"] {
            assert_eq!(checksum(&request(7, payload)), 0);
        }
    }

    #[test]
    fn an_answer_is_known_by_sender_number_and_payload() {
        let mut answer = request(1, b"2a");
        answer[0] = ECHO_REPLY;
        assert_eq!(answered(&answer, TO, &echoes()), Some(1));
        let mut with_header = vec![0x45];
        with_header.resize(20, 0);
        with_header.extend_from_slice(&answer);
        assert_eq!(answered(&with_header, TO, &echoes()), Some(1));
        assert_eq!(answered(&answer, Ipv4Addr::LOCALHOST, &echoes()), None);
        assert_eq!(answered(&request(1, b"2a"), TO, &echoes()), None);
        answer[7] = 0;
        assert_eq!(answered(&answer, TO, &echoes()), None);
        answer[7] = 9;
        assert_eq!(answered(&answer, TO, &echoes()), None);
    }

    #[test]
    fn rubbish_answers_nothing() {
        for length in 0..40 {
            for first in [0u8, 3, 0x45, 0x4f, 0xff] {
                let mut rubbish = vec![first];
                rubbish.resize(length, 0xff);
                assert_eq!(answered(&rubbish, TO, &echoes()), None);
            }
        }
    }

    #[test]
    fn loopback_answers_where_this_user_may_ask() {
        let echo = Echo {
            to: Ipv4Addr::LOCALHOST,
            payload: b"bowline".to_vec(),
        };
        match ask(&[echo], Duration::from_secs(30), Steer::default()) {
            Ok(found) => assert!(found[0].is_some()),
            Err(error) => assert!(matches!(
                error.kind(),
                io::ErrorKind::PermissionDenied | io::ErrorKind::Unsupported
            )),
        }
    }
}
