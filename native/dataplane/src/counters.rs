//! Counts of everything that is dropped or noteworthy, by name; read whole, never reset.

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
}
