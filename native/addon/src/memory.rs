//! `giveBackMemory`: see device::memory.

use device::memory;
use napi_derive::napi;

use crate::guard::guard;

/// Lets go of program pages that can be read again, and of free heap; gives the bytes that were resident.
#[napi]
pub fn give_back_memory() -> napi::Result<f64> {
    guard(|| Ok(memory::give_back() as f64))
}
