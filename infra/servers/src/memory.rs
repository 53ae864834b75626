//! Whether servers can have their data in memory, without anybody lacking it.

#[cfg(target_os = "linux")]
pub use linux::has_plenty;

/// Other systems have no folder for that.
#[cfg(not(target_os = "linux"))]
pub fn has_plenty(_: &std::path::Path) -> bool {
    false
}

#[cfg(target_os = "linux")]
mod linux {
    use std::fs::OpenOptions;
    use std::os::unix::fs::OpenOptionsExt as _;
    use std::path::Path;

    /// What has to be free in `folder`, and twice of it in all.
    const PLENTY_BYTES: u64 = 4 << 30;

    /// Returns whether `folder`, which is in memory, has room for the data of servers.
    pub fn has_plenty(folder: &Path) -> bool {
        available_bytes().is_some_and(|available| available >= 2 * PLENTY_BYTES)
            && free_bytes(folder).is_some_and(|free| free >= PLENTY_BYTES)
            && goes_round_the_cache(folder)
    }

    fn available_bytes() -> Option<u64> {
        let told = std::fs::read_to_string("/proc/meminfo").ok()?;
        let line = told.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
        let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
        Some(kib * 1024)
    }

    #[expect(unsafe_code, reason = "the standard library does not tell free space")]
    #[expect(clippy::useless_conversion, reason = "these are narrower elsewhere")]
    fn free_bytes(folder: &Path) -> Option<u64> {
        let path = std::ffi::CString::new(folder.as_os_str().as_encoded_bytes()).ok()?;
        // SAFETY: all zeros is a valid value of this struct of numbers.
        let mut told: libc::statvfs = unsafe { std::mem::zeroed() };
        // SAFETY: the path ends in a zero and both live through the call.
        let outcome = unsafe { libc::statvfs(path.as_ptr(), &raw mut told) };
        (outcome == 0).then(|| u64::from(told.f_bavail).saturating_mul(u64::from(told.f_frsize)))
    }

    /// MinIO asks that of its disk, and older kernels do not have it in memory.
    fn goes_round_the_cache(folder: &Path) -> bool {
        let Ok(probe) = tempfile::NamedTempFile::new_in(folder) else { return false };
        OpenOptions::new().write(true).custom_flags(libc::O_DIRECT).open(probe.path()).is_ok()
    }
}
