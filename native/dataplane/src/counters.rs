//! Counts of everything that is dropped or noteworthy, by name; read whole, never reset.

use crate::peers::UdpAddr;
use crate::pipeline::Via;

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
    in_geneve_refused,
    in_no_key,
    in_unknown_index,
    strays_answered,
    in_bad_mac,
    in_cookie_sent,
    in_flood,
    in_unknown_peer,
    in_open_failed,
    in_malformed,
    in_bad_source,
    in_filtered,
    in_filtered_rules,
    in_filtered_shields_up,
    in_filtered_not_local,
    in_filtered_icmp,
    in_filtered_fragment,
    in_filtered_unknown_proto,
    in_filtered_martian,
    in_filtered_cut,
    in_held_fragments,
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
    disco_keys_told,
    in_direct4_packets,
    in_direct4_bytes,
    in_direct6_packets,
    in_direct6_bytes,
    in_peer_relay4_packets,
    in_peer_relay4_bytes,
    in_peer_relay6_packets,
    in_peer_relay6_bytes,
    in_relayed_packets,
    in_relayed_bytes,
    out_direct4_packets,
    out_direct4_bytes,
    out_direct6_packets,
    out_direct6_bytes,
    out_peer_relay4_packets,
    out_peer_relay4_bytes,
    out_peer_relay6_packets,
    out_peer_relay6_bytes,
    out_relayed_packets,
    out_relayed_bytes,
}

/// Which row of counts an address belongs to.
enum Way {
    Direct4,
    Direct6,
    PeerRelay4,
    PeerRelay6,
}

fn way(to: UdpAddr) -> Way {
    match (to.vni != 0, to.addr.ip().to_canonical().is_ipv4()) {
        (false, true) => Way::Direct4,
        (false, false) => Way::Direct6,
        (true, true) => Way::PeerRelay4,
        (true, false) => Way::PeerRelay6,
    }
}

impl Counters {
    /// Counts a WireGuard message that came.
    #[inline]
    pub(crate) fn came(&mut self, via: &Via, len: usize) {
        let from = match via {
            Via::Direct(from) => Some(UdpAddr::from(*from)),
            Via::PeerRelay(from) => Some(*from),
            Via::Relay { .. } => None,
        };
        let (packets, bytes) = match from.map(way) {
            Some(Way::Direct4) => (&mut self.in_direct4_packets, &mut self.in_direct4_bytes),
            Some(Way::Direct6) => (&mut self.in_direct6_packets, &mut self.in_direct6_bytes),
            Some(Way::PeerRelay4) => (
                &mut self.in_peer_relay4_packets,
                &mut self.in_peer_relay4_bytes,
            ),
            Some(Way::PeerRelay6) => (
                &mut self.in_peer_relay6_packets,
                &mut self.in_peer_relay6_bytes,
            ),
            None => (&mut self.in_relayed_packets, &mut self.in_relayed_bytes),
        };
        *packets += 1;
        *bytes += len as u64;
    }

    /// Counts a WireGuard message that went out; `to` is none for one that a relay takes.
    #[inline]
    pub(crate) fn went(&mut self, to: Option<UdpAddr>, len: usize) {
        let (packets, bytes) = match to.map(way) {
            Some(Way::Direct4) => (&mut self.out_direct4_packets, &mut self.out_direct4_bytes),
            Some(Way::Direct6) => (&mut self.out_direct6_packets, &mut self.out_direct6_bytes),
            Some(Way::PeerRelay4) => (
                &mut self.out_peer_relay4_packets,
                &mut self.out_peer_relay4_bytes,
            ),
            Some(Way::PeerRelay6) => (
                &mut self.out_peer_relay6_packets,
                &mut self.out_peer_relay6_bytes,
            ),
            None => (&mut self.out_relayed_packets, &mut self.out_relayed_bytes),
        };
        *packets += 1;
        *bytes += len as u64;
    }
}
