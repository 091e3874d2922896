//! The contract of both engines, on the servers.

use std::time::Duration;

use chatstats_bus::{Bus, BusError, RedisSettings, Settings};

use crate::contract::{Engine, fill, key, soon};
use crate::servers::{Kind, Server, Setup};

/// A bus on a server.
pub(crate) async fn open(server: &Server, kept: u64) -> Bus {
    open_at(&server.url(), kept).await
}

/// A bus at an address where somebody answers.
pub(crate) async fn open_at(url: &str, kept: u64) -> Bus {
    let bus = open_away(url, kept).await;
    // It is open although the first connection takes long, as on a machine that stalls.
    soon(async {
        while bus.status().problem.is_some() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    bus
}

/// A bus at an address where nobody may answer, or nobody is let in.
pub(crate) async fn open_away(url: &str, kept: u64) -> Bus {
    let url = url.to_owned();
    Bus::open(Settings::Redis(RedisSettings { url, kept }))
        .await
        .expect("an address")
}

/// Asks until there is a connection again: a question waits only a moment for one that was just lost.
pub(crate) async fn once_back<T>(mut ask: impl AsyncFnMut() -> Result<T, BusError>) -> T {
    soon(async {
        loop {
            match ask().await {
                Err(BusError::Away(_)) => tokio::time::sleep(Duration::from_millis(10)).await,
                answer => return answer.expect("an answer"),
            }
        }
    })
    .await
}

macro_rules! on {
    ($module:ident, $kind:ident) => {
        mod $module {
            use super::*;
            use crate::contract;

            struct $kind(Server);

            impl Engine for $kind {
                async fn start() -> Self {
                    Self(Server::start(Setup::new(Kind::$kind)).await)
                }

                async fn open(&self, kept: u64) -> Bus {
                    open(&self.0, kept).await
                }

                async fn open_beside(&self, _: &Bus) -> Bus {
                    open(&self.0, contract::KEEP_ALL).await
                }
            }

            contract::contract!($kind);
        }
    };
}

on!(redis, Redis);
on!(valkey, Valkey);

/// Where an entry is a node of its own, Redis cuts a hundred at once at most: fewer than a batch adds.
#[tokio::test]
async fn a_stream_is_kept_short_also_where_redis_cuts_little_at_once() {
    const KEPT: u64 = 1_000;
    /// Entries from one cut to the next.
    const ADDED: u64 = 64;
    let nodes = Setup::new(Kind::Redis).with(["--stream-node-max-entries", "1"]);
    let server = Server::start(nodes).await;
    let bus = open(&server, KEPT).await;
    fill(&bus, 0..20_000).await;
    let length = bus.len(&key()).await.expect("read");
    assert!((KEPT..KEPT + ADDED).contains(&length), "{length}");
}
