//! The Node-API face: decodes arguments, hands commands to the packet thread, wakes JavaScript once a batch of records.
//!
//! No panic crosses: every entry runs under `guard`. Errors are texts "code: sentence"; main/engine/io/native.ts splits them.
//! Nothing here decides anything.

// A test build has no module registration, which alone uses the entries.
#![cfg_attr(test, allow(dead_code))]

mod echo;
mod forwards;
mod guard;
mod links;
mod memory;
mod network;
mod peercred;
mod plane;
mod policy;
mod tun;
mod wire;
mod xattr;
