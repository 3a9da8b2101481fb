//! The packet thread: one loop over the UDP sockets, the pipeline and the netstack. Commands come down as closures in
//! batches, facts go up as packed records through a bounded ring with one wake-up a batch. While there is a tunnel device, a
//! second thread reads that and sends for it (`tun_thread`); `core` is what both need.

pub mod core;
mod moves;
pub mod peer_relay;
pub mod records;
pub mod ring;
mod sinks;
pub mod stats;
pub mod tables;
pub mod thread;
pub mod tun_counters;
pub mod tun_side;
mod tun_thread;
pub mod world;
