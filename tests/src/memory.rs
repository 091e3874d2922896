//! What the kernel tells of a process's memory (`man 5 proc`).

/// Forgets the peak so far, and returns what the process holds now, in KiB.
///
/// # Panics
///
/// If it is not one's own child.
#[must_use]
pub fn restart_peak(pid: u32) -> u64 {
    std::fs::write(format!("/proc/{pid}/clear_refs"), "5").expect("one's own child");
    field(pid, "VmRSS:")
}

/// The most it has held since, in KiB.
///
/// # Panics
///
/// As [`restart_peak`].
#[must_use]
pub fn peak_kib(pid: u32) -> u64 {
    field(pid, "VmHWM:")
}

fn field(pid: u32, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("one's own child");
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
    kib.and_then(|kib| kib.parse().ok()).expect("a number of KiB")
}
