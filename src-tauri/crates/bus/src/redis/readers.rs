//! The streams that are followed, each with its one reader.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chatstats_model::FollowedStream;
use tokio::task::JoinHandle;

use super::link::Link;
use super::reader::Reader;
use super::watch::Place;
use crate::live::Live;
use crate::{BusError, Entry, StreamKey};

/// How many streams may be followed at once: each has a connection of its own, of which Redis allows 10,000 for all its
/// clients.
const READERS_MAX: usize = 64;

/// Followers that are not woken at once: what so many do with an entry takes the processors for longer than [`GIVE_WAY`].
const CROWD: usize = 256;

/// How long they are left asleep. Redis answers its readers first and then whoever published, and that program would
/// only be given a processor once the crowd is done with its entry: with two processors, an XADD took twice as long
/// beside 1,000 followers as beside one. Less than the runtime's timer can tell, so the thread sleeps, not the task.
const GIVE_WAY: Duration = Duration::from_micros(50);

/// All readers.
pub(super) struct Readers {
    pub(super) link: Arc<Link>,
    streams: Mutex<HashMap<StreamKey, Followed>>,
    read: AtomicU64,
    lag_us: AtomicU64,
}

struct Followed {
    live: Live,
    reader: JoinHandle<()>,
}

impl Readers {
    pub(super) fn new(link: Arc<Link>) -> Self {
        Self {
            link,
            streams: Mutex::default(),
            read: AtomicU64::new(0),
            lag_us: AtomicU64::new(0),
        }
    }

    /// The followers of a stream. The first starts its reader, at the newest entry there is now.
    pub(super) async fn live(self: Arc<Self>, key: StreamKey) -> Result<Live, BusError> {
        // Nobody begins to follow a Redis that is away, whether or not others wait for it.
        self.link.now()?;
        if let Some(followed) = self.lock().get(&key) {
            return Ok(followed.live.clone());
        }
        let reach = self.link.reach(&key).await?;
        let mut streams = self.lock();
        // Somebody else may have been faster; and their reader is not behind what was seen just now by more than it will
        // read in a moment.
        if let Some(followed) = streams.get(&key) {
            return Ok(followed.live.clone());
        }
        make_room(&mut streams)?;
        let live = Live::at(reach.info.newest);
        let reader = Reader::new(Arc::clone(&self), key.clone(), Place::at(reach));
        let link = Arc::clone(&self.link);
        let reader = tokio::spawn(async move {
            tokio::select! {
                () = reader.run() => {}
                () = link.closed() => {}
            }
        });
        streams.insert(
            key,
            Followed {
                live: live.clone(),
                reader,
            },
        );
        Ok(live)
    }

    /// Tells the followers of a stream something.
    pub(super) fn tell(&self, key: &StreamKey, what: impl FnOnce(&Live)) {
        let live = self.lock().get(key).map(|followed| followed.live.clone());
        if let Some(live) = live {
            what(&live);
        }
    }

    /// Tells the followers of a stream of new entries.
    pub(super) fn publish(&self, key: &StreamKey, entries: &[Arc<Entry>]) {
        self.tell(key, |live| {
            let told = live.publish(entries);
            if told.woken() >= CROWD {
                std::thread::sleep(GIVE_WAY);
            }
        });
        self.read.fetch_add(entries.len() as u64, Ordering::Relaxed);
        if let Some(newest) = entries.last() {
            // The clocks of two machines may disagree: less than nothing is nothing.
            let now_us = jiff::Timestamp::now().as_microsecond();
            let id_us = i64::try_from(newest.id.ms)
                .unwrap_or(i64::MAX)
                .saturating_mul(1_000);
            let lag_us = u64::try_from(now_us.saturating_sub(id_us)).unwrap_or(0);
            self.lag_us.store(lag_us, Ordering::Relaxed);
        }
    }

    /// Whether anybody follows a stream.
    pub(super) fn is_followed(&self, key: &StreamKey) -> bool {
        self.lock()
            .get(key)
            .is_some_and(|followed| !followed.live.is_unused())
    }

    /// Forgets a stream that nobody follows; answers whether it did, so that its reader may end.
    pub(super) fn forget(&self, key: &StreamKey) -> bool {
        let mut streams = self.lock();
        // With the lock, so that nobody begins to follow a stream whose reader ends.
        let is_unused = streams.get(key).is_none_or(|followed| followed.live.is_unused());
        if is_unused {
            streams.remove(key);
        }
        is_unused
    }

    /// Waits until all readers have ended, once the link is closed.
    pub(super) async fn ended(&self) {
        let all: Vec<_> = self.lock().drain().map(|(_, followed)| followed.reader).collect();
        for reader in all {
            let _ = reader.await; // It panicked: the panic was reported when it did.
        }
    }

    /// What is followed.
    pub(super) fn streams(&self) -> Vec<FollowedStream> {
        let all: Vec<_> = self
            .lock()
            .iter()
            .map(|(key, followed)| (key.clone(), followed.live.clone()))
            .collect();
        // Counted without the lock: there may be thousands of filters.
        let all = all.into_iter().map(|(key, live)| FollowedStream {
            key: key.to_string(),
            subscribers: live.followers(),
            newest: live.place().id.to_string(),
        });
        all.filter(|stream| stream.subscribers > 0).collect()
    }

    /// Entries handed to followers.
    pub(super) fn read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    /// How old the newest entry was when it was handed on, in milliseconds.
    pub(super) fn lag_ms(&self) -> f64 {
        self.lag_us.load(Ordering::Relaxed) as f64 / 1_000.0
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<StreamKey, Followed>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes room for one more: readers without followers, which linger for those who come back, go first.
fn make_room(streams: &mut HashMap<StreamKey, Followed>) -> Result<(), BusError> {
    if streams.len() >= READERS_MAX {
        streams.retain(|_, followed| {
            let is_used = !followed.live.is_unused();
            if !is_used {
                followed.reader.abort();
            }
            is_used
        });
    }
    if streams.len() >= READERS_MAX {
        return Err(BusError::TooManyStreams(READERS_MAX));
    }
    Ok(())
}
