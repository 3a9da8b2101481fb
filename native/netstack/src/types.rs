//! The words this crate shares with its caller: configuration, events, answers, errors.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::time::Duration;

/// Takes one IP packet for the tunnel, borrowed until return: at most `Config::mtu` bytes, or what `largest_to` allows.
///
/// Sizes are of whole IP packets of TCP, in bytes; none = `Config::mtu`. They may change between packets.
pub trait PacketOut {
    fn send(&mut self, packet: &[u8]);
    /// The largest that the way to a host carries now.
    fn largest_to(&mut self, _to: IpAddr) -> Option<usize> {
        None
    }
    /// The largest that a host may be told to send us; ours all are read.
    fn largest_from(&mut self, _from: IpAddr) -> Option<usize> {
        None
    }
}

/// Sizes and limits. Every table of the netstack is bounded by one of these.
#[derive(Debug, Clone)]
pub struct Config {
    /// Largest IP packet of the tunnel, in bytes.
    pub mtu: usize,
    /// TCP ring size in bytes, each way, while few flows are open; rings shrink as the table fills.
    pub tcp_buffer: usize,
    /// How much of the send ring a new flow may fill before it has shown that it needs more.
    pub tcp_buffer_start: usize,
    /// How long an acknowledgement may wait for company.
    pub ack_delay: Duration,
    /// Open TCP flows, both directions together; one peer may hold two thirds, all peers seven eighths.
    pub max_flows: usize,
    /// Inbound flows whose handshake is not finished; the oldest makes room. One peer may hold two thirds.
    pub max_half_open: usize,
    /// Dials under way for inbound connections; one peer may hold two thirds.
    pub max_dials: usize,
    /// UDP flows, both directions together; one peer may hold two thirds.
    pub max_udp_flows: usize,
    /// Echo requests of peers that wait for an answer from elsewhere; one peer may hold two thirds.
    pub max_echoes: usize,
    /// Bytes that the rings of one peer's inbound flows may have, and of all peers twice as many; smallest rings come on top.
    pub guest_memory: usize,
    /// Proxy clients that have not been connected yet, and UDP associations.
    pub max_clients: usize,
    /// Clients of all UDP forwards together; the one that has rested longest makes room.
    pub max_udp_clients: usize,
    /// Datagrams for the engine that wait for an answer.
    pub max_engine_datagrams: usize,
    /// Time a proxy client has to send its whole request, and the decision has to come.
    pub request_timeout: Duration,
    /// Time all connection attempts of one proxy request have together.
    pub connect_timeout: Duration,
    /// Head start of one address over the next.
    pub attempt_delay: Duration,
    pub udp_idle: Duration,
    /// Idle time of a UDP flow to or from port 53.
    pub dns_idle: Duration,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            mtu: 1280,
            tcp_buffer: 1 << 20,
            tcp_buffer_start: 256 << 10,
            ack_delay: Duration::from_millis(10),
            max_flows: 8192,
            max_half_open: 512,
            max_dials: 2048,
            max_udp_flows: 2048,
            max_echoes: 256,
            guest_memory: 128 << 20,
            max_clients: 1024,
            max_udp_clients: 1024,
            max_engine_datagrams: 1024,
            request_timeout: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(5),
            attempt_delay: Duration::from_millis(300),
            udp_idle: Duration::from_secs(120),
            dns_idle: Duration::from_secs(30),
        }
    }
}

/// Descriptors that stay for everything else in the process.
const SPARE_DESCRIPTORS: usize = 256;

impl Config {
    /// The same with tables so small that a process with so many descriptors never runs out of them.
    pub fn within(self, descriptors: usize) -> Config {
        let rest = descriptors.saturating_sub(SPARE_DESCRIPTORS);
        let part = |most: usize, of: usize| most.min((rest / of).max(16));
        Config {
            max_flows: part(self.max_flows, 2),
            max_dials: part(self.max_dials, 8),
            max_udp_flows: part(self.max_udp_flows, 8),
            max_clients: part(self.max_clients, 16),
            max_udp_clients: part(self.max_udp_clients, 16),
            ..self
        }
    }
}

/// Language of a proxy listener, and of one request (`Both` never appears in a request).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProxyKind {
    Socks5,
    Http,
    /// Told apart by the first byte.
    Both,
}

/// What the netstack wants its owner to know or decide.
#[derive(Debug)]
pub enum Event {
    /// A proxy client wants a destination; answer with `answer_proxy` within `Config::request_timeout`.
    ProxyRequest {
        id: u64,
        via: ProxyKind,
        host: String,
        port: u16,
    },
    /// A connection, or the first datagram of a client, at a forward; answer as to a `ProxyRequest`.
    ForwardRequest {
        id: u64,
        forward: u32,
        from: SocketAddr,
    },
    /// A connection at a forward was allowed and did not come about; its client has been reset.
    ForwardFailed { forward: u32, error: DialError },
    /// A datagram for a service of the engine itself; `answer_datagram` within 10 s gets back to `from`.
    Datagram {
        id: u64,
        from: SocketAddr,
        to: SocketAddr,
        bytes: Vec<u8>,
    },
    /// TCP accepted on an engine port, or of a proxy client that wants a service of the engine; `fd` is a non-blocking stream socket owned by the receiver.
    Inbound {
        id: u64,
        from: SocketAddr,
        to: SocketAddr,
        fd: OwnedFd,
    },
    /// The end of a `dial`; `fd` as in `Inbound`.
    DialDone {
        id: u64,
        result: Result<OwnedFd, DialError>,
    },
    /// The end of an `exchange_udp`; without an answer when none came in time, or it could not be asked.
    Exchanged { id: u64, answer: Option<Vec<u8>> },
    /// A UDP flow of ours is over: what still comes is no answer any more.
    AskedNoMore { from: SocketAddr, to: SocketAddr },
    /// A connection through the tunnel was not answered in time, neither by a refusal.
    Unanswered { to: SocketAddr },
    /// The answer to `ping_icmp`.
    Pong { id: u64, latency: Duration },
    /// No answer to `ping_icmp` within 10 s, or it could not be sent.
    PingLost { id: u64 },
    /// A peer's echo request that the system does not let us send ourselves; answer with `answer_echo` within 5 s.
    EchoWanted { id: u16, to: IpAddr },
}

/// Why a connection through the tunnel, or outside it, did not come about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DialError {
    Refused,
    Unreachable,
    TimedOut,
    /// We have no address of the destination's family, or were given no destination.
    NoAddress,
    /// The peer's policy rejected it, said by a TSMP reject.
    Blocked,
    /// A table is full, or the system is out of descriptors.
    Limit,
    /// The asker went away, or the flow was cut.
    Cancelled,
}

impl DialError {
    /// Stable code string.
    pub fn code(self) -> &'static str {
        match self {
            DialError::Refused => "refused",
            DialError::Unreachable => "unreachable",
            DialError::TimedOut => "timed-out",
            DialError::NoAddress => "no-address",
            DialError::Blocked => "blocked",
            DialError::Limit => "limit",
            DialError::Cancelled => "cancelled",
        }
    }

    /// One short clause for people.
    pub fn text(self) -> &'static str {
        match self {
            DialError::Refused => "connection refused",
            DialError::Unreachable => "destination unreachable",
            DialError::TimedOut => "no answer in time; bowline blocked says what is known of it",
            DialError::NoAddress => "no usable address",
            DialError::Blocked => "blocked by the peer's policy",
            DialError::Limit => "too many connections",
            DialError::Cancelled => "cancelled",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefuseCode {
    NoSuchHost,
    NotAllowed,
    Unreachable,
}

/// What to do with a proxy request.
#[derive(Debug, Clone)]
pub enum ProxyAnswer {
    /// Through the tunnel; addresses are tried in order, `Config::attempt_delay` apart.
    Tunnel {
        addresses: Vec<IpAddr>,
        port: u16,
    },
    /// By the system's own network.
    System {
        addresses: Vec<IpAddr>,
        port: u16,
    },
    /// To the engine itself, as the place that was asked for: TCP as `Event::Inbound`, datagrams as `Event::Datagram`.
    Engine {
        to: SocketAddr,
    },
    Refuse {
        code: RefuseCode,
        message: String,
    },
}

/// One flow, as seen by `cut_flows`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlowInfo {
    /// IP protocol number: 6 or 17.
    pub proto: u8,
    /// Whoever sent the first packet.
    pub from: SocketAddr,
    pub to: SocketAddr,
    /// The first packet came from the tunnel.
    pub inbound: bool,
}
