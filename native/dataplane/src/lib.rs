//! Bowline's data plane: moves packets between a tailnet's peers and this node. Pure: no Node, no sockets, no threads.
//! See ../README.md for the boundary, the threads and the traps.

#![forbid(unsafe_code)]

pub mod checksum;
pub mod classify;
pub mod counters;
pub mod crowd;
pub mod derp;
pub mod event;
pub mod filter;
pub mod flows;
pub mod forward;
pub mod fragments;
pub mod geneve;
pub mod guard;
pub mod icmp;
mod inbound;
pub mod ip;
pub mod merge;
pub mod outbound;
pub mod peers;
pub mod pipeline;
pub mod prefix;
pub mod refusals;
pub mod renewal;
pub mod rules;
pub mod split;
mod stray;
pub mod tsmp;
pub mod tunnel;
pub mod vnet;
