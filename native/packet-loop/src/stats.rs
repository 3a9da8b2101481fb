//! Counts packed for JavaScript, integers big-endian. main/engine/dataplane/stats.ts reads them; both sides change together.
//!
//!   a peer         key 32 | ten u64 in the order of `encode`
//!   what we serve  from | to | TCP flows u32 | UDP flows u32      (an address: family u8 (4, 6) | 16 B, IPv4 in the first four)

use std::net::IpAddr;

use dataplane::peers::Peers;
use netstack::Served;

/// Bytes of one peer.
pub const ROW: usize = 32 + 10 * 8;

/// One row a peer, in order of slot.
pub fn encode(peers: &Peers) -> Vec<u8> {
    let mut out = Vec::with_capacity(peers.len() * ROW);
    for peer in peers.iter() {
        let stats = &peer.stats;
        out.extend_from_slice(&peer.key);
        for value in [
            stats.rx_bytes,
            stats.tx_bytes,
            stats.rx_packets,
            stats.tx_packets,
            stats.last_handshake_ms,
            stats.dropped_source,
            stats.dropped_filter,
            stats.dropped_no_path,
            stats.dropped_relay,
            u64::from(peer.tunnel.is_some()),
        ] {
            out.extend_from_slice(&value.to_be_bytes());
        }
    }
    out
}

/// One row a pair of addresses.
pub fn encode_served(rows: &[Served]) -> Vec<u8> {
    let mut out = Vec::with_capacity(rows.len() * (2 * 17 + 8));
    for row in rows {
        for ip in [row.from, row.to] {
            let mut octets = [0; 16];
            match ip {
                IpAddr::V4(ip) => octets[..4].copy_from_slice(&ip.octets()),
                IpAddr::V6(ip) => octets = ip.octets(),
            }
            out.push(if ip.is_ipv4() { 4 } else { 6 });
            out.extend_from_slice(&octets);
        }
        out.extend_from_slice(&row.tcp.to_be_bytes());
        out.extend_from_slice(&row.udp.to_be_bytes());
    }
    out
}
