//! What touches the system: UDP sockets with segmentation offload, the tunnel device, peer credentials of a local socket, link events,
//! networks, echoes, memory, descriptors, extended attributes, sockets that are kept out of the tunnel.

pub mod batch;
pub mod descriptors;
pub mod echo;
pub mod links;
pub mod memory;
pub mod network;
pub mod peercred;
pub mod policy;
pub mod sender;
mod socket;
pub mod tun;
pub mod udp;
pub mod wire;
pub mod xattr;
