//! A place on the disk for one test: the data directory, the exports to import, what the program said.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// A `config.toml` of a server that analyses nothing by itself: else it is one of the event log's followers, and
/// works beside what a test measures.
pub const NO_FOLLOWERS: &str = "analyse_on_seal = false\n";

/// A folder that is gone after the test. Several starts of the server, one after the other, may use one home.
#[derive(Debug)]
pub struct Home(TempDir);

impl Home {
    /// An empty one.
    ///
    /// # Panics
    ///
    /// If no folder can be made.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "making a folder is no default")]
    pub fn new() -> Home {
        Home(TempDir::with_prefix("chatstats-it-").expect("a folder"))
    }

    /// The data directory. The program makes it.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.0.path().join("data")
    }

    /// Writes a file beside the data directory and returns its path.
    ///
    /// # Panics
    ///
    /// If it cannot be written.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, content).expect("a file");
        path
    }

    /// Writes `config.toml` into the data directory.
    ///
    /// # Panics
    ///
    /// If it cannot be written.
    pub fn config(&self, text: &str) {
        std::fs::create_dir_all(self.data()).expect("a folder");
        std::fs::write(self.data().join("config.toml"), text).expect("a file");
    }

    /// Where the servers of this home write what they say on standard error, one after the other.
    #[must_use]
    pub fn stderr(&self) -> PathBuf {
        self.0.path().join("stderr.log")
    }

    /// Every file and folder below the data directory, itself included.
    ///
    /// # Panics
    ///
    /// If a folder cannot be read. What goes away meanwhile is passed over.
    #[must_use]
    pub fn everything(&self) -> Vec<PathBuf> {
        let mut found = vec![self.data()];
        let mut next = 0;
        while let Some(path) = found.get(next).cloned() {
            next += 1;
            if path.is_dir() {
                found.extend(entries(&path));
            }
        }
        found
    }
}

fn entries(dir: &Path) -> Vec<PathBuf> {
    match std::fs::read_dir(dir) {
        Ok(entries) => entries.flatten().map(|entry| entry.path()).collect(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(error) => panic!("{}: {error}", dir.display()),
    }
}
