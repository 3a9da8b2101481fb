//! `setFileAttribute`: see device::xattr.

use device::xattr;
use napi::bindgen_prelude::Buffer;
use napi_derive::napi;

use crate::guard::{guard, io};

#[napi]
pub fn file_attributes_supported() -> napi::Result<bool> {
    guard(|| Ok(xattr::supported()))
}

/// Sets an extended attribute of the open file `fd`; `not-supported` where its file system has none.
#[napi]
pub fn set_file_attribute(fd: i32, name: String, value: Buffer) -> napi::Result<()> {
    guard(|| xattr::set(fd, &name, &value).map_err(|error| io(&error)))
}
