//! Events of what steers packets, and locks of files.

use device::policy;
use napi::Status;
use napi::threadsafe_function::{
    ThreadsafeFunction, ThreadsafeFunctionCallMode, UnknownReturnValue,
};
use napi_derive::napi;

use crate::guard::{bad, guard, io};

/// Called with bits: 1 links and addresses, 2 rules, 4 routes of the table, 8 the firewall.
type Tell = ThreadsafeFunction<u32, UnknownReturnValue, u32, Status, false, true, 64>;

/// Whether `PolicyMonitor` works on this system.
#[napi]
pub fn policy_monitor_supported() -> bool {
    policy::SUPPORTED
}

/// Watches until `stop`; does not keep the process alive. Throws `not-supported` where the system has no such events.
#[napi]
pub struct PolicyMonitor {
    inner: Option<policy::PolicyMonitor>,
}

#[napi]
impl PolicyMonitor {
    #[napi(constructor)]
    pub fn new(table: u32, tell: Tell) -> napi::Result<PolicyMonitor> {
        guard(|| {
            let table = u8::try_from(table).map_err(|_| bad("not a table"))?;
            let started = policy::PolicyMonitor::start(table, move |news| {
                let bits = u32::from(news.links)
                    | u32::from(news.rules) << 1
                    | u32::from(news.routes) << 2
                    | u32::from(news.firewall) << 3;
                tell.call(bits, ThreadsafeFunctionCallMode::NonBlocking);
            });
            started
                .map(|inner| PolicyMonitor { inner: Some(inner) })
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

/// Takes the lock of an open file without waiting; false: another process has it.
#[napi]
pub fn lock_file(fd: i32) -> napi::Result<bool> {
    guard(|| policy::lock_file(fd).map_err(|error| io(&error)))
}
