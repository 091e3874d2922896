//! Where the entries come from: the server that runs, or the log itself.

use std::io;
use std::ops::Bound;

use anyhow::Result;
use chatstats_bus::{Bus, StreamId, StreamInfo, StreamKey};
use chatstats_model::{BusStatus, EntryPage, StreamEntry, StreamReach};
use form_urlencoded::Serializer;

use super::PAGE;
use crate::cli::address::token_of;
use crate::cli::client::{Client, escaped};
use crate::config::Config;
use crate::data_dir::{DataDir, find_running};
use crate::events::{self, EVENTS_FILE};
use crate::scan::{Stretch, Wanted, reach, scan};

/// See the module.
pub(in crate::cli) enum Source {
    /// The server that runs on the data directory.
    Server(Client),
    /// The log, in Redis or in the file. The file's directory is held: no server runs meanwhile.
    Log { bus: Bus, held: Option<DataDir> },
    /// No server runs, and nothing was ever published.
    Nothing,
}

impl Source {
    /// Finds it. A Redis that was asked for with this command comes first, then a server, then what the settings say.
    pub(in crate::cli) async fn open(config: &Config) -> Result<Self> {
        let redis = config.redis_url.as_ref();
        if !redis.is_some_and(|said| said.is_flag())
            && let Some(running) = find_running(&config.data_dir)
        {
            let token = token_of(config, &running)?;
            return Ok(Self::Server(Client::connect(&running.url, token.as_str()).await?));
        }
        let held = match redis {
            Some(_) => None,
            None if !config.data_dir.join(EVENTS_FILE).exists() => return Ok(Self::Nothing),
            None => Some(DataDir::hold(&config.data_dir)?),
        };
        let bus = events::open(config).await?;
        Ok(Self::Log { bus, held })
    }

    /// How long a stream is, and how far it reaches.
    pub(super) async fn reach(&mut self, key: &StreamKey) -> Result<StreamReach> {
        match self {
            Self::Server(client) => {
                let path = format!("/api/bus/streams/{}", escaped(key.as_str()));
                client.get(&path).await
            }
            Self::Log { bus, .. } => Ok(reach(key, &bus.info(key).await?)),
            Self::Nothing => Ok(reach(key, &StreamInfo::default())),
        }
    }

    /// Reads a stretch to its end, and hands on what is wanted of it.
    pub(super) async fn each(
        &mut self,
        key: &StreamKey,
        mut stretch: Stretch,
        wanted: &Wanted,
        mut take: impl FnMut(StreamEntry) -> io::Result<()>,
    ) -> Result<()> {
        let mut missing = stretch.count;
        while missing > 0 {
            stretch.count = missing.min(PAGE);
            let page = self.page(key, stretch, wanted).await?;
            missing -= page.entries.len();
            page.entries.into_iter().try_for_each(&mut take)?;
            let Some(next) = page.next else { return Ok(()) };
            let next = Bound::Excluded(next.parse()?);
            match stretch.reverse {
                true => stretch.to = next,
                false => stretch.from = next,
            }
        }
        Ok(())
    }

    /// How the bus fares, and how many events it keeps; none if there is none.
    pub(in crate::cli) async fn status(&mut self) -> Result<Option<BusStatus>> {
        match self {
            Self::Server(client) => Ok(Some(client.get("/api/bus").await?)),
            Self::Log { bus, .. } => {
                let length = bus.len(&StreamKey::events()).await;
                let mut status = bus.status();
                match length {
                    Ok(length) => status.length = length,
                    Err(error) => status.problem = Some(error.to_string()),
                }
                Ok(Some(status))
            }
            Self::Nothing => Ok(None),
        }
    }

    /// Lets go of it.
    pub(in crate::cli) async fn close(self) -> Result<()> {
        if let Self::Log { bus, held } = self {
            bus.shutdown().await;
            drop(bus);
            drop(held);
        }
        Ok(())
    }

    async fn page(&mut self, key: &StreamKey, stretch: Stretch, wanted: &Wanted) -> Result<EntryPage> {
        match self {
            Self::Server(client) => client.get(&path(key, stretch, wanted)).await,
            Self::Log { bus, .. } => Ok(scan(bus, key, stretch, wanted).await?),
            Self::Nothing => Ok(EntryPage {
                entries: Vec::new(),
                next: None,
            }),
        }
    }
}

fn path(key: &StreamKey, stretch: Stretch, wanted: &Wanted) -> String {
    let mut query = Serializer::new(String::new());
    query
        .append_pair("count", &stretch.count.to_string())
        .append_pair("reverse", &stretch.reverse.to_string());
    for (name, end) in [("from", stretch.from), ("to", stretch.to)] {
        if let Some(text) = end_text(end) {
            query.append_pair(name, &text);
        }
    }
    for (name, value) in wanted.given() {
        query.append_pair(name, value);
    }
    format!(
        "/api/bus/streams/{}/entries?{}",
        escaped(key.as_str()),
        query.finish()
    )
}

fn end_text(end: Bound<StreamId>) -> Option<String> {
    match end {
        Bound::Included(id) => Some(id.to_string()),
        Bound::Excluded(id) => Some(format!("({id}")),
        Bound::Unbounded => None,
    }
}
