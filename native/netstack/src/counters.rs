//! Counters of one netstack. They only grow, except the `_open` ones, which are gauges.

/// Plain numbers, read by the owner at any time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counters {
    pub packets_in: u64,
    pub packets_out: u64,
    /// Calls of `poll`; `packets_in / polls` tells how well wake-ups are shared.
    pub polls: u64,
    /// Most packets sent by one `poll`.
    pub max_burst: u64,
    pub flows_open: u64,
    pub flows_inbound: u64,
    pub flows_outbound: u64,
    pub flows_finished: u64,
    /// Flows ended by a reset from either side.
    pub flows_reset: u64,
    /// Flows ended by `cut_flows` or by a changed address.
    pub flows_cut: u64,
    /// Inbound connections answered with a reset because nothing listens.
    pub inbound_refused: u64,
    pub dials_failed: u64,
    pub proxy_requests: u64,
    pub proxy_refused: u64,
    pub clients_open: u64,
    pub udp_open: u64,
    pub udp_in: u64,
    pub udp_out: u64,
    pub icmp_echo: u64,
    /// Echo requests of peers passed on to other machines, and those of them that were answered.
    pub echo_passed: u64,
    pub echo_answered: u64,
    /// Peers told that a destination cannot be reached.
    pub icmp_unreachable: u64,
    pub drop_malformed: u64,
    pub drop_checksum: u64,
    pub drop_fragment: u64,
    pub drop_not_ours: u64,
    pub drop_protocol: u64,
    pub drop_flow_limit: u64,
    pub drop_dial_limit: u64,
    pub drop_half_open: u64,
    pub drop_client_limit: u64,
    pub drop_udp_limit: u64,
    pub drop_udp_full: u64,
    pub drop_echo_limit: u64,
    /// Echo requests to other machines that nobody here may send.
    pub drop_echo_unable: u64,
    pub drop_no_descriptor: u64,
}

impl Counters {
    /// All counters with their names, in declaration order.
    pub fn rows(&self) -> Vec<(&'static str, u64)> {
        macro_rules! rows { ($($name:ident),* $(,)?) => { vec![$((stringify!($name), self.$name)),*] } }
        rows!(
            packets_in,
            packets_out,
            polls,
            max_burst,
            flows_open,
            flows_inbound,
            flows_outbound,
            flows_finished,
            flows_reset,
            flows_cut,
            inbound_refused,
            dials_failed,
            proxy_requests,
            proxy_refused,
            clients_open,
            udp_open,
            udp_in,
            udp_out,
            icmp_echo,
            echo_passed,
            echo_answered,
            icmp_unreachable,
            drop_malformed,
            drop_checksum,
            drop_fragment,
            drop_not_ours,
            drop_protocol,
            drop_flow_limit,
            drop_dial_limit,
            drop_half_open,
            drop_client_limit,
            drop_udp_limit,
            drop_udp_full,
            drop_echo_limit,
            drop_echo_unable,
            drop_no_descriptor,
        )
    }
}
