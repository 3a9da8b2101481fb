//! Extended attributes of open files: set by descriptor, so that no name and no link is looked at.

use std::ffi::CString;
use std::io;

/// Whether this system's files can have any that are set here.
pub fn supported() -> bool {
    cfg!(any(target_os = "linux", target_os = "android"))
}

/// Sets the attribute `name` of the open file `fd`. A file system without attributes is an error of kind `Unsupported`.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub fn set(fd: i32, name: &str, value: &[u8]) -> io::Result<()> {
    let name = CString::new(name).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    // SAFETY: a C string, and a pointer to `value.len()` readable bytes; any descriptor number is a valid argument.
    let result =
        unsafe { libc::fsetxattr(fd, name.as_ptr(), value.as_ptr().cast(), value.len(), 0) };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub fn set(_fd: i32, name: &str, _value: &[u8]) -> io::Result<()> {
    CString::new(name).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    Err(io::Error::from(io::ErrorKind::Unsupported))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(any(target_os = "linux", target_os = "android"))]
    #[test]
    fn what_is_set_can_be_read() {
        use std::os::fd::AsRawFd;
        let path = std::env::temp_dir().join(format!("bowline-xattr-{}", std::process::id()));
        let file = std::fs::File::create(&path).unwrap();
        let result = set(file.as_raw_fd(), "user.xdg.origin.url", b"http://a/");
        std::fs::remove_file(&path).unwrap();
        match result {
            Ok(()) => {
                let mut out = [0u8; 64];
                // SAFETY: a C string, and a buffer of the length that is told.
                let length = unsafe {
                    libc::fgetxattr(
                        file.as_raw_fd(),
                        c"user.xdg.origin.url".as_ptr(),
                        out.as_mut_ptr().cast(),
                        out.len(),
                    )
                };
                assert_eq!(&out[..length as usize], b"http://a/");
            }
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::Unsupported),
        }
    }

    #[test]
    fn bad_descriptors_and_names_are_errors() {
        assert!(set(-1, "user.xdg.origin.url", b"x").is_err());
        assert_eq!(
            set(-1, "user.\0", b"x").unwrap_err().kind(),
            io::ErrorKind::InvalidInput
        );
    }
}
