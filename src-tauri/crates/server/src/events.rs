//! Opening the event bus as the settings say: in Redis, or in a file in the data directory.

use std::time::{SystemTime, UNIX_EPOCH};

use chatstats_bus::{Bus, EmbeddedSettings, RedisSettings, Settings};

use crate::config::Config;
use crate::error::{ConfigError, StartError};

/// The event log's file in the data directory.
pub(crate) const EVENTS_FILE: &str = "events.db";

/// Opens the bus. Without Redis, the data directory must be there, and held by this process.
///
/// # Errors
///
/// The address of Redis is none, which is a wrong setting; or the file cannot be opened. A Redis that cannot be
/// reached is no error: it is tried again until it can.
pub(crate) async fn open(config: &Config) -> Result<Bus, StartError> {
    let kept = config.events_kept;
    let Some(said) = &config.redis_url else {
        let settings = EmbeddedSettings {
            path: config.data_dir.join(EVENTS_FILE),
            clock: now_ms,
            kept,
        };
        let opened = Bus::open(Settings::Embedded(settings)).await;
        return opened.map_err(StartError::Events);
    };
    let settings = RedisSettings {
        url: said.value.clone(),
        kept,
    };
    let opened = Bus::open(Settings::Redis(settings)).await;
    Ok(opened.map_err(|error| ConfigError {
        place: said.place.clone(),
        problem: error.to_string(),
    })?)
}

fn now_ms() -> u64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since_epoch.as_millis() as u64
}
