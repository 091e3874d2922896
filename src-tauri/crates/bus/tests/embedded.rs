//! The embedded log keeps its promises.

mod contract;

use std::path::PathBuf;

use chatstats_bus::{Bus, EmbeddedSettings, Settings};
use contract::Engine;

contract::contract!(Embedded);

struct Embedded {
    folder: tempfile::TempDir,
}

impl Engine for Embedded {
    async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        Self { folder }
    }

    async fn open(&self, kept: u64) -> Bus {
        let path = self.path();
        Bus::open(Settings::Embedded(EmbeddedSettings { path, clock, kept }))
            .await
            .expect("opened")
    }

    async fn open_beside(&self, bus: &Bus) -> Bus {
        bus.clone() // The file belongs to one process: all who publish in it share its log.
    }
}

impl Embedded {
    fn path(&self) -> PathBuf {
        self.folder.path().join("events.db")
    }
}

fn clock() -> u64 {
    let since_1970 = std::time::SystemTime::UNIX_EPOCH.elapsed().expect("after 1970");
    u64::try_from(since_1970.as_millis()).expect("before the year 584 million")
}
