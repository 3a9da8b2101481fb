//! How many files, sockets and the like this process may have open.

/// None where the system sets no such bound.
#[cfg(unix)]
pub fn limit() -> Option<usize> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: writes to the struct that is borrowed for the call.
    let asked = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) };
    (asked == 0).then(|| usize::try_from(limit.rlim_cur).unwrap_or(usize::MAX))
}

#[cfg(not(unix))]
pub fn limit() -> Option<usize> {
    None
}
