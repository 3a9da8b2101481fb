//! Windows: tables, answers and notices of the IP helper. Checked by the compiler; never run here.

use std::ffi::c_void;
use std::io;
use std::net::IpAddr;
use std::sync::Mutex;

use super::ip_helper::{self, ADDRESS_ROW, ROUTE_ROW, SOCKADDR};
use super::{Address, DefaultRoute, FAR4, FAR6, Kinds, NetworkState};
use crate::links::Changed;

const AF_UNSPEC: u16 = 0;
const TABLE_HEAD: usize = 8;

type Notice = unsafe extern "system" fn(*const c_void, *const c_void, i32);

#[link(name = "iphlpapi")]
unsafe extern "system" {
    fn GetUnicastIpAddressTable(family: u16, table: *mut *mut u8) -> u32;
    fn FreeMibTable(table: *const c_void);
    fn GetBestRoute2(
        luid: *const c_void,
        index: u32,
        source: *const u8,
        destination: *const u8,
        options: u32,
        best_route: *mut u64,
        best_source: *mut u32,
    ) -> u32;
    fn NotifyIpInterfaceChange(
        family: u16,
        call: Notice,
        context: *const c_void,
        initial: u8,
        handle: *mut *mut c_void,
    ) -> u32;
    fn NotifyUnicastIpAddressChange(
        family: u16,
        call: Notice,
        context: *const c_void,
        initial: u8,
        handle: *mut *mut c_void,
    ) -> u32;
    fn NotifyRouteChange2(
        family: u16,
        call: Notice,
        context: *const c_void,
        initial: u8,
        handle: *mut *mut c_void,
    ) -> u32;
    fn CancelMibChangeNotify2(handle: *const c_void) -> u32;
}

/// What this machine's networks are just now. Interfaces are named by their index.
pub fn current(_mark: Option<u32>) -> io::Result<NetworkState> {
    let mut table: *mut u8 = std::ptr::null_mut();
    // SAFETY: the table is freed below; the result is checked.
    check(unsafe { GetUnicastIpAddressTable(AF_UNSPEC, &raw mut table) })?;
    // SAFETY: a table begins with its count and holds that many rows.
    let rows = unsafe {
        let count = table.cast::<u32>().read_unaligned() as usize;
        let size = TABLE_HEAD + count * ADDRESS_ROW;
        ip_helper::addresses(std::slice::from_raw_parts(table, size))
    };
    // SAFETY: made by the system, not used any more.
    unsafe { FreeMibTable(table.cast()) };
    let addresses = rows.into_iter().map(|row| Address {
        interface: name_of(row.index),
        ip: row.ip,
        prefix: row.prefix,
        loopback: row.ip.is_loopback(),
        up: true,
    });
    Ok(NetworkState {
        addresses: addresses.collect(),
        default4: way(FAR4.into()),
        default6: way(FAR6.into()),
    })
}

fn name_of(index: u32) -> String {
    format!("if{index}")
}

fn check(code: u32) -> io::Result<()> {
    match code {
        0 => Ok(()),
        code => Err(io::Error::from_raw_os_error(code as i32)),
    }
}

fn way(far: IpAddr) -> Option<DefaultRoute> {
    let destination = ip_helper::sockaddr(far);
    let mut route = [0u64; ROUTE_ROW / 8];
    let mut source = [0u32; SOCKADDR / 4];
    // SAFETY: every pointer is to room of the size that the call fills or reads; no interface and no source are named.
    let code = unsafe {
        GetBestRoute2(
            std::ptr::null(),
            0,
            std::ptr::null(),
            destination.as_ptr(),
            0,
            route.as_mut_ptr(),
            source.as_mut_ptr(),
        )
    };
    check(code).ok()?;
    let route: Vec<u8> = route.iter().flat_map(|word| word.to_le_bytes()).collect();
    let source: Vec<u8> = source.iter().flat_map(|word| word.to_le_bytes()).collect();
    let row = ip_helper::read_route(&route)?;
    Some(DefaultRoute {
        interface: name_of(row.index),
        gateway: row.gateway,
        source: ip_helper::read_sockaddr(&source),
    })
}

type Tell = Mutex<Box<dyn FnMut(Changed) + Send>>;

/// Watches until dropped. Sleep is not told: the app and the engine's timers see it.
pub struct LinkMonitor {
    handles: Vec<*mut c_void>,
    /// What the notices call; its address is theirs until they are cancelled.
    tell: *mut Tell,
}

// SAFETY: the handles are the system's and may be cancelled from any thread; what is called is behind a lock.
unsafe impl Send for LinkMonitor {}

impl LinkMonitor {
    pub fn start(tell: impl FnMut(Changed) + Send + 'static) -> io::Result<LinkMonitor> {
        let tell: Box<Tell> = Box::new(Mutex::new(Box::new(tell)));
        let mut monitor = LinkMonitor {
            handles: Vec::new(),
            tell: Box::into_raw(tell),
        };
        let context: *const c_void = monitor.tell.cast();
        for (subscribe, call) in [
            (
                NotifyIpInterfaceChange as unsafe extern "system" fn(_, _, _, _, _) -> _,
                links as Notice,
            ),
            (NotifyUnicastIpAddressChange, addresses),
            (NotifyRouteChange2, routes),
        ] {
            let mut handle = std::ptr::null_mut();
            // SAFETY: the context lives until the notices are cancelled, in `drop`.
            check(unsafe { subscribe(AF_UNSPEC, call, context, 0, &raw mut handle) })?;
            monitor.handles.push(handle);
        }
        Ok(monitor)
    }
}

impl Drop for LinkMonitor {
    fn drop(&mut self) {
        for handle in self.handles.drain(..) {
            // SAFETY: a live subscription; the call waits until no notice is under way.
            unsafe { CancelMibChangeNotify2(handle) };
        }
        // SAFETY: made by Box::into_raw; nobody calls it any more.
        drop(unsafe { Box::from_raw(self.tell) });
    }
}

unsafe extern "system" fn links(context: *const c_void, _row: *const c_void, _kind: i32) {
    // SAFETY: the context of our own subscription.
    unsafe {
        told(context, |kinds| kinds.links = true);
    }
}

unsafe extern "system" fn addresses(context: *const c_void, _row: *const c_void, _kind: i32) {
    // SAFETY: the context of our own subscription.
    unsafe {
        told(context, |kinds| kinds.addresses = true);
    }
}

unsafe extern "system" fn routes(context: *const c_void, _row: *const c_void, _kind: i32) {
    // SAFETY: the context of our own subscription.
    unsafe {
        told(context, |kinds| kinds.routes = true);
    }
}

/// # Safety
/// `context` is that of a live monitor.
unsafe fn told(context: *const c_void, mark: impl FnOnce(&mut Kinds)) {
    let mut network = Kinds::default();
    mark(&mut network);
    // SAFETY: by the contract.
    let tell = unsafe { &*context.cast::<Tell>() };
    let call = std::panic::AssertUnwindSafe(|| {
        if let Ok(mut tell) = tell.lock() {
            tell(Changed {
                network,
                slept: false,
            });
        }
    });
    let _ = std::panic::catch_unwind(call);
}
