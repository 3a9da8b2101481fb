//! Counts of everything that is dropped or noteworthy, by name; read whole, never reset.

use std::net::SocketAddr;

macro_rules! counters {
    ($($name:ident),* $(,)?) => {
        /// Counts since start.
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct Counters { $(pub $name: u64),* }

        impl Counters {
            /// Every count with its name.
            pub fn each(&self, mut see: impl FnMut(&'static str, u64)) {
                $(see(stringify!($name), self.$name);)*
            }
        }
    };
}

counters! {
    in_datagrams,
    in_relay_frames,
    in_relay_garbage,
    in_other,
    in_geneve,
    in_no_key,
    in_unknown_index,
    in_bad_mac,
    in_cookie_sent,
    in_flood,
    in_unknown_peer,
    in_open_failed,
    in_malformed,
    in_bad_source,
    in_filtered,
    in_delivered,
    out_packets,
    out_malformed,
    out_filtered,
    out_no_route,
    out_no_path,
    out_no_key,
    out_relay_dropped,
    out_self,
    rejects_sent,
    in_direct4_packets,
    in_direct4_bytes,
    in_direct6_packets,
    in_direct6_bytes,
    in_relayed_packets,
    in_relayed_bytes,
    out_direct4_packets,
    out_direct4_bytes,
    out_direct6_packets,
    out_direct6_bytes,
    out_relayed_packets,
    out_relayed_bytes,
}

impl Counters {
    /// Counts a WireGuard message that came; `from` is none for one that a relay brought.
    #[inline]
    pub(crate) fn came(&mut self, from: Option<SocketAddr>, len: usize) {
        let (packets, bytes) = match from.map(|from| from.ip().to_canonical().is_ipv4()) {
            Some(true) => (&mut self.in_direct4_packets, &mut self.in_direct4_bytes),
            Some(false) => (&mut self.in_direct6_packets, &mut self.in_direct6_bytes),
            None => (&mut self.in_relayed_packets, &mut self.in_relayed_bytes),
        };
        *packets += 1;
        *bytes += len as u64;
    }

    /// Counts a WireGuard message that went out; `to` is none for one that a relay takes.
    #[inline]
    pub(crate) fn went(&mut self, to: Option<SocketAddr>, len: usize) {
        let (packets, bytes) = match to.map(|to| to.ip().to_canonical().is_ipv4()) {
            Some(true) => (&mut self.out_direct4_packets, &mut self.out_direct4_bytes),
            Some(false) => (&mut self.out_direct6_packets, &mut self.out_direct6_bytes),
            None => (&mut self.out_relayed_packets, &mut self.out_relayed_bytes),
        };
        *packets += 1;
        *bytes += len as u64;
    }
}
