//! The program as a command: arguments in, exit code and output out.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::Home;

/// What became of a command.
#[derive(Debug)]
pub struct Ran {
    /// The exit code; none if a signal ended it.
    pub code: Option<i32>,
    /// What it wrote to standard output.
    pub out: String,
    /// What it wrote to standard error.
    pub err: String,
}

/// A command with the data directory of `home` that has not been started.
///
/// It is the program that cargo built beside these tests, or the one that the variable `CHATSTATS_BIN` names (a
/// release build, an installed one). Nothing of the caller's own settings reaches it, and its time zone is UTC.
#[must_use]
pub fn chatstats(home: &Home, arguments: &[&str]) -> Command {
    let mut command = Command::new(program());
    let own = std::env::vars_os().map(|(name, _)| name);
    for name in own.filter(|name| name.to_string_lossy().starts_with("CHATSTATS_")) {
        command.env_remove(name);
    }
    command
        .args(arguments)
        .env("CHATSTATS_DATA_DIR", home.data())
        .env("TZ", "UTC")
        .stdin(Stdio::null());
    command
}

/// Runs a command to its end.
///
/// # Panics
///
/// If it cannot be started or writes something that is no text.
pub fn finish(command: &mut Command) -> Ran {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    Ran {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).expect("text"),
        err: String::from_utf8(output.stderr).expect("text"),
    }
}

impl Ran {
    /// Standard output as JSON.
    ///
    /// # Panics
    ///
    /// If it is none.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

fn program() -> PathBuf {
    std::env::var_os("CHATSTATS_BIN").map_or_else(built, PathBuf::from)
}

/// Beside the test binary's folder: cargo puts binaries into `target/PROFILE` and tests into `deps` below it.
fn built() -> PathBuf {
    let test = std::env::current_exe().expect("the test's own path");
    let folder = test
        .parent()
        .and_then(|deps| deps.parent())
        .expect("target/PROFILE/deps");
    let program = folder.join("chatstats-under-test");
    assert!(
        program.exists(),
        "{} is not there; run these tests with cargo",
        program.display()
    );
    program
}
