//! The contract of both engines, on the servers.

use chatstats_bus::{Bus, RedisSettings, Settings};

use crate::contract::Engine;
use crate::servers::{Kind, Server, Setup};

/// A bus on a server.
pub(crate) async fn open(server: &Server, kept: u64) -> Bus {
    open_at(&server.url(), kept).await
}

/// A bus at an address.
pub(crate) async fn open_at(url: &str, kept: u64) -> Bus {
    let url = url.to_owned();
    Bus::open(Settings::Redis(RedisSettings { url, kept }))
        .await
        .expect("an address")
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
