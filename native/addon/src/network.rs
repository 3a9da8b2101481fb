//! What networks this machine is on: see device::network.

use device::network::{self, DefaultRoute};
use napi_derive::napi;

use crate::guard::{guard, io};

#[napi(object)]
pub struct InterfaceAddress {
    pub name: String,
    pub ip: String,
    pub prefix: u32,
    pub internal: bool,
    pub up: bool,
}

#[napi(object)]
pub struct Route {
    pub interface: String,
    pub gateway: Option<String>,
    pub source: Option<String>,
}

#[napi(object)]
pub struct NetworkState {
    pub interfaces: Vec<InterfaceAddress>,
    pub default_route4: Option<Route>,
    pub default_route6: Option<Route>,
}

impl From<DefaultRoute> for Route {
    fn from(route: DefaultRoute) -> Route {
        Route {
            interface: route.interface,
            gateway: route.gateway.map(|ip| ip.to_string()),
            source: route.source.map(|ip| ip.to_string()),
        }
    }
}

/// Whether `networkState` works on this system.
#[napi]
pub fn network_state_supported() -> bool {
    network::SUPPORTED
}

/// Addresses, and the way to the world for each family, as sockets with this mark would go. Throws `io`, `not-supported`.
#[napi]
pub fn network_state(mark: Option<u32>) -> napi::Result<NetworkState> {
    guard(|| {
        let state = network::current(mark).map_err(|error| io(&error))?;
        let interfaces = state.addresses.into_iter().map(|one| InterfaceAddress {
            name: one.interface,
            ip: one.ip.to_string(),
            prefix: u32::from(one.prefix),
            internal: one.loopback,
            up: one.up,
        });
        Ok(NetworkState {
            interfaces: interfaces.collect(),
            default_route4: state.default4.map(Route::from),
            default_route6: state.default6.map(Route::from),
        })
    })
}
