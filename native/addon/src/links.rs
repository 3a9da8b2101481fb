//! Link, address and route events of the system.

use device::links;
use napi::Status;
use napi::threadsafe_function::{
    ThreadsafeFunction, ThreadsafeFunctionCallMode, UnknownReturnValue,
};
use napi_derive::napi;

use crate::guard::{guard, io};

/// Called with bits: 1 links, 2 addresses, 4 routes, 8 the machine slept.
type Tell = ThreadsafeFunction<u32, UnknownReturnValue, u32, Status, false, true, 64>;

/// Whether `LinkMonitor` works on this system.
#[napi]
pub fn link_monitor_supported() -> bool {
    links::SUPPORTED
}

/// Watches until `stop`; does not keep the process alive. Throws `not-supported` where the system has no such events.
#[napi]
pub struct LinkMonitor {
    inner: Option<links::LinkMonitor>,
}

#[napi]
impl LinkMonitor {
    #[napi(constructor)]
    pub fn new(tell: Tell) -> napi::Result<LinkMonitor> {
        guard(|| {
            let started = links::LinkMonitor::start(move |changed| {
                let bits = u32::from(changed.network.links)
                    | u32::from(changed.network.addresses) << 1
                    | u32::from(changed.network.routes) << 2
                    | u32::from(changed.slept) << 3;
                tell.call(bits, ThreadsafeFunctionCallMode::NonBlocking);
            });
            started
                .map(|inner| LinkMonitor { inner: Some(inner) })
                .map_err(|error| io(&error))
        })
    }

    #[napi]
    pub fn stop(&mut self) -> napi::Result<()> {
        guard(|| {
            self.inner = None;
            Ok(())
        })
    }
}
