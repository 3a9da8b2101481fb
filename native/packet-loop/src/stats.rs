//! Counts of every peer, packed for JavaScript: 32 B key, then ten u64 BE in the order of `encode`.
//! main/engine/dataplane/stats.ts reads it; both sides change together.

use dataplane::peers::Peers;

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
