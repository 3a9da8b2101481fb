//! Counts of the tunnel device, which both threads make.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! counters {
    ($($name:ident),* $(,)?) => {
        /// "in" is from programs to peers, "out" from peers to programs; a super-packet counts as its packets too.
        #[derive(Debug, Default)]
        pub struct TunCounters { $(pub $name: AtomicU64),* }

        impl TunCounters {
            /// Every count with its name.
            pub fn each(&self, mut see: impl FnMut(&'static str, u64)) {
                $(see(stringify!($name), self.$name.load(Ordering::Relaxed));)*
            }
        }
    };
}

counters! {
    tun_in_packets,
    tun_in_bytes,
    tun_in_super,
    tun_in_batches,
    tun_in_errors,
    tun_bad_header,
    tun_foreign_source,
    tun_no_route,
    tun_to_engine,
    tun_to_engine_dropped,
    tun_out_packets,
    tun_out_bytes,
    tun_out_super,
    tun_out_errors,
    tun_out_down,
    tun_out_refused,
    tun_udp_runs,
    tun_udp_bytes,
    tun_udp_full,
    tun_udp_errors,
    tun_udp_unsplit,
}

/// Adds to a count.
pub fn add(count: &AtomicU64, more: usize) {
    count.fetch_add(more as u64, Ordering::Relaxed);
}
