//! A userspace network stack on a packet tunnel: local programs reach peers through proxies, peers reach
//! local services, and the engine gets streams as descriptors. One thread, no locks, no clock of its own.
//!
//! ```text
//!   tunnel packets ─ handle_packet → flow table ─ TCP (one smoltcp socket a flow) ⇄ splice ⇄ local sockets
//!                                  ├ UDP flows ⇄ local sockets, SOCKS associations
//!                                  └ ICMP echo, errors
//!   poller events ── handle_ready → listeners, proxy clients, splices, relays
//!   poll: timers, then every dirty flow; packets leave through `PacketOut`
//! ```
//!
//! The owner's loop: wait at most `next_timeout`, feed packets and events, `poll`, drain `take_event`.
//! Nothing is sent except by `poll`. Packets must be source-checked and filtered before they come here.
//! Invariants: every table has a bound in `Config`; hostile bytes are counted and dropped, never a panic;
//! every `ProxyRequest` and `ForwardRequest` gets one `answer_proxy`, every `dial` one `DialDone`, every ping a `Pong` or `PingLost`;
//! a socket edge is consumed only by reading or writing until it would block.
//! Alone it has the tunnel's addresses, or beside the system's stack (`beside`).
//! For others: `inbound` (TCP), `udp`, `echo`; where a packet may lead is `guard`'s, how much a peer may hold `guests`'s.
//! Descriptors handed up are Unix socket pairs: a reset by the peer shows there as the end of the stream.

mod association;
mod beside;
mod client;
mod counters;
mod cut;
mod echo;
mod engine_datagram;
mod exchange;
mod flow;
mod flow_table;
mod forward;
mod guard;
mod guests;
mod http_proxy;
mod icmp;
mod inbound;
mod link;
mod listener;
mod local;
mod moved;
mod netstack;
mod packet;
mod race;
mod reassembly;
mod relay;
mod served;
mod socks5;
mod splice;
mod timers;
mod tokens;
mod types;
mod udp;
mod udp_client;

pub use beside::{Seen, is_of_site, is_passed_on};
pub use counters::Counters;
pub use forward::ForwardCount;
pub use guard::Offered;
pub use netstack::Netstack;
pub use served::Served;
pub use types::{
    Config, DialError, Event, FlowInfo, PacketOut, ProxyAnswer, ProxyKind, RefuseCode,
};
