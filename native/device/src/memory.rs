//! Gives memory back that only the start needed: pages of program files that can be read again, and free heap.
//!
//! A process keeps every page of its program that it ever touched, and an engine that idles for days touches few of those of its
//! start. Pages without a change of ours are let go; the next use finds them in the system's file cache.

/// Bytes of program and library pages that were resident before and are not any more. 0 where the system has no such call.
#[cfg(target_os = "linux")]
pub fn give_back() -> usize {
    let Ok(text) = std::fs::read_to_string("/proc/self/smaps") else {
        return 0;
    };
    let mut released = 0;
    for area in untouched_file_areas(&text) {
        // SAFETY: the area is a private mapping of a file, not writable, and none of its pages differs from the file, so the same
        // bytes come back when it is read or executed again.
        let result = unsafe {
            libc::madvise(
                std::ptr::without_provenance_mut(area.start),
                area.end - area.start,
                libc::MADV_DONTNEED,
            )
        };
        if result == 0 {
            released += area.resident;
        }
    }
    #[cfg(target_env = "gnu")]
    // SAFETY: has no arguments that matter, and may be called from any thread.
    unsafe {
        libc::malloc_trim(0);
    }
    released
}

#[cfg(not(target_os = "linux"))]
pub fn give_back() -> usize {
    0
}

#[cfg(any(target_os = "linux", test))]
#[derive(Debug, PartialEq, Eq)]
struct Area {
    start: usize,
    end: usize,
    resident: usize,
}

/// Areas of /proc/self/smaps that map a file privately, cannot be written, and hold no page of our own (relocated data does).
#[cfg(any(target_os = "linux", test))]
fn untouched_file_areas(smaps: &str) -> Vec<Area> {
    let mut areas = Vec::new();
    let mut current: Option<Area> = None;
    for line in smaps.lines() {
        let (head, rest) = line.split_once(' ').unwrap_or((line, ""));
        if let Some(name) = head.strip_suffix(':') {
            let value = rest.trim().trim_end_matches(" kB").parse::<usize>();
            match (name, value, &mut current) {
                ("Rss", Ok(kb), Some(area)) => area.resident = kb * 1024,
                ("Anonymous", Ok(1..), Some(_)) => current = None,
                ("VmFlags", _, Some(area)) if area.resident > 0 => areas.extend(current.take()),
                _ => {}
            }
            continue;
        }
        current = None;
        let mut words = rest.split_ascii_whitespace();
        let (permissions, path) = (words.next().unwrap_or(""), words.nth(3).unwrap_or(""));
        let range = head.split_once('-').and_then(|(start, end)| {
            let parse = |text| usize::from_str_radix(text, 16).ok();
            Some((parse(start)?, parse(end)?))
        });
        if let Some((start, end)) = range
            && matches!(permissions, "r--p" | "r-xp")
            && path.starts_with('/')
            && !path.starts_with("/dev/")
        {
            current = Some(Area {
                start,
                end,
                resident: 0,
            });
        }
    }
    areas
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMAPS: &str = "\
00400000-00500000 r-xp 00000000 08:01 17   /usr/bin/node
Rss:                 800 kB
Anonymous:             0 kB
VmFlags: rd ex mr mw me
00500000-00600000 r--p 00100000 08:01 17   /usr/bin/node
Rss:                 400 kB
Anonymous:             4 kB
VmFlags: rd mr mw me ac
00600000-00700000 rw-p 00200000 08:01 17   /usr/bin/node
Rss:                 400 kB
Anonymous:             0 kB
VmFlags: rd wr mr mw me ac
00700000-00800000 r--p 00000000 00:00 0
Rss:                 400 kB
Anonymous:             0 kB
VmFlags: rd
00800000-00900000 r--s 00000000 00:05 9    /dev/shm/x
Rss:                 400 kB
Anonymous:             0 kB
VmFlags: rd
00900000-00a00000 r--p 00000000 08:01 18   /usr/lib/a name (deleted)
Rss:                   0 kB
Anonymous:             0 kB
VmFlags: rd
rubbish
zz-yy r-xp 0 0 0 /x
VmFlags: rd
";

    #[test]
    fn only_unchanged_pages_of_files_are_named() {
        let want = Area {
            start: 0x400000,
            end: 0x500000,
            resident: 800 * 1024,
        };
        assert_eq!(untouched_file_areas(SMAPS), [want]);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_program_goes_on_after_its_pages_were_let_go() {
        assert!(give_back() > 0);
        let sum: u64 = (0..1000u64).map(|n| n.to_string().len() as u64).sum();
        assert_eq!(sum, 10 + 90 * 2 + 900 * 3);
        assert!(std::fs::read_to_string("/proc/self/status").is_ok());
    }
}
