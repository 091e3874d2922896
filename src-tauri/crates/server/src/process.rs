//! What the process asks of the operating system before anything else.

/// Makes every file of this process private to its user, and lets it hold as many connections as it may.
/// Call it first in `main`; calling it again changes nothing.
pub fn prepare() {
    #[cfg(unix)]
    unix();
}

#[cfg(unix)]
fn unix() {
    use rustix::fs::Mode;
    use rustix::process::{Resource, getrlimit, setrlimit, umask};
    // SQLite and the log make files of their own: the mask is the one place that holds for them too.
    umask(Mode::RWXG | Mode::RWXO);
    // The soft limit is often 1,024, and each stream is a descriptor. Where it cannot be raised, connections beyond
    // it wait to be accepted.
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    let _ = setrlimit(Resource::Nofile, limit);
}
