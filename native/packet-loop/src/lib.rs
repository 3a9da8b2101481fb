//! The packet thread of userspace mode: one loop over the UDP sockets, the pipeline and the netstack. Commands come down as
//! closures in batches, facts go up as packed records through a bounded ring with one wake-up a batch.

mod moves;
pub mod peer_relay;
pub mod records;
pub mod ring;
pub mod stats;
pub mod tables;
pub mod thread;
pub mod world;
