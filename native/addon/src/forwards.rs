//! The part of a data plane that leads local programs to a place: forwards, and datagrams for the engine itself.

use std::net::SocketAddr;
use std::time::Duration;

use napi::bindgen_prelude::Buffer;
use napi_derive::napi;
use netstack::ProxyAnswer;

use crate::guard::{bad, dead, guard, io, parse_addr};
use crate::plane::{Address, Plane};

#[napi(object)]
pub struct ForwardCount {
    pub id: u32,
    /// Connections, or clients of a UDP forward, that are open.
    pub open: u32,
    pub total: f64,
}

#[napi]
impl Plane {
    /// A loopback port whose connections ask with this number where they lead to.
    #[napi]
    pub fn listen_forward(
        &self,
        id: u32,
        udp: bool,
        ip: String,
        port: u32,
    ) -> napi::Result<Address> {
        guard(|| {
            let addr = parse_addr(&ip, port)?;
            let bound = self
                .thread()?
                .call(move |world| world.stack.listen_forward(id, udp, addr))
                .map_err(dead)?;
            bound.map(Address::from).map_err(|error| io(&error))
        })
    }

    /// Closes a forward and what is open by it; false if there is none of this number.
    #[napi]
    pub fn close_forward(&self, id: u32) -> napi::Result<bool> {
        guard(|| {
            let closed = self.thread()?.call(move |world| {
                let now = world.now;
                world.stack.close_forward(now, id)
            });
            closed.map_err(dead)
        })
    }

    #[napi]
    pub fn forward_counts(&self) -> napi::Result<Vec<ForwardCount>> {
        guard(|| {
            let counts = self
                .thread()?
                .call(|world| world.stack.forward_counts())
                .map_err(dead)?;
            let row = |one: netstack::ForwardCount| ForwardCount {
                id: one.id,
                open: one.open as u32,
                total: one.total as f64,
            };
            Ok(counts.into_iter().map(row).collect())
        })
    }

    /// Closes the proxy listener at this address; its clients stay.
    #[napi]
    pub fn close_proxy(&self, ip: String, port: u32) -> napi::Result<bool> {
        guard(|| {
            let addr = parse_addr(&ip, port)?;
            let closed = self
                .thread()?
                .call(move |world| world.stack.close_proxy(addr));
            closed.map_err(dead)
        })
    }

    /// The PAC file of the HTTP proxies.
    #[napi]
    pub fn set_pac(&self, pac: Option<String>) -> napi::Result<()> {
        guard(|| {
            self.thread()?.cast(|world| world.stack.set_pac(pac));
            Ok(())
        })
    }

    /// The decision on a request: it is for the engine itself, at this address.
    #[napi]
    pub fn answer_proxy_engine(&self, id: u32, ip: String, port: u32) -> napi::Result<()> {
        guard(|| {
            let to: SocketAddr = parse_addr(&ip, port)?;
            self.thread()?.cast(move |world| {
                let now = world.now;
                let answer = ProxyAnswer::Engine { to };
                world.stack.answer_proxy(now, u64::from(id), answer);
            });
            Ok(())
        })
    }

    /// The answer to a datagram for the engine.
    #[napi]
    pub fn answer_datagram(&self, id: u32, bytes: Buffer) -> napi::Result<()> {
        guard(|| {
            if bytes.len() > 65_507 {
                return Err(bad("no datagram is so large"));
            }
            let bytes = bytes.to_vec();
            self.thread()?.cast_lossy(move |world| {
                let now = world.now;
                world.stack.answer_datagram(now, u64::from(id), &bytes);
            });
            Ok(())
        })
    }

    /// What was decided for proxy and forward clients counts no more.
    #[napi]
    pub fn forget_decisions(&self) -> napi::Result<()> {
        guard(|| {
            self.thread()?.cast(|world| {
                let now = world.now;
                world.stack.forget_decisions(now);
            });
            Ok(())
        })
    }

    /// One datagram through the tunnel; the first answer from there, or that there is none, comes as a record.
    #[napi]
    pub fn exchange_udp(
        &self,
        id: u32,
        ip: String,
        port: u32,
        datagram: Buffer,
        timeout_ms: u32,
    ) -> napi::Result<()> {
        guard(|| {
            let to = parse_addr(&ip, port)?;
            if datagram.len() > 65_507 {
                return Err(bad("no datagram is so large"));
            }
            let datagram = datagram.to_vec();
            let patience = Duration::from_millis(u64::from(timeout_ms));
            self.thread()?.cast(move |world| {
                let now = world.now;
                world
                    .stack
                    .exchange_udp(now, u64::from(id), to, &datagram, patience);
            });
            Ok(())
        })
    }
}
