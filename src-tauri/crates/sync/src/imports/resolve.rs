//! Which chat of the database a chat of an export is.
//!
//! A source's own id decides where there is one. Where there is none, the messages do: an export whose messages
//! are largely in a chat already is that chat, whatever it is called there, and also when the other side exported
//! it and calls the people differently. Failing that, the title decides.

use std::collections::{BTreeMap, HashMap, HashSet};

use chatstats_import::ChatHead;
use chatstats_model::ChatId;
use chatstats_store::{Reader, Store, StoreError};

use super::sample::{ChatSample, Sample, Samples};

/// Key of a chat that only its title tells apart.
const BY_TITLE: &str = "title:";

/// Key of a chat without a title: its first message tells it apart.
const BY_FIRST: &str = "first:";

/// Messages that must be found before a chat counts as recognised, where there are as many.
const MATCHES_MIN: usize = 3;

/// Samples tried on every chat, to find those worth a closer look.
const FIRST_LOOK: usize = 32;

/// What is known of an export before it is read.
#[derive(Clone, Debug, Default)]
pub(super) struct Hints {
    /// Chats that were recognised, by their place in the export.
    known: BTreeMap<usize, Known>,
    /// The user's own keys among the senders; empty if none of them is known to be the user.
    own: HashSet<String>,
}

/// A chat that was recognised.
#[derive(Clone, Debug, Default)]
struct Known {
    key: String,
    /// From the export's senders to those of the database.
    aliases: HashMap<String, String>,
}

impl Hints {
    /// The key and title under which a chat is stored. `first` names a chat that has nothing else.
    pub(super) fn chat(
        &self,
        place: usize,
        head: &ChatHead,
        first: impl FnOnce() -> String,
    ) -> (String, Option<String>) {
        if let Some(key) = &head.key {
            return (key.clone(), head.title.clone());
        }
        if let Some(known) = self.known.get(&place) {
            // It keeps its title: the other side's export is called by the user's own name.
            return (known.key.clone(), None);
        }
        match &head.title {
            Some(title) => (format!("{BY_TITLE}{title}"), head.title.clone()),
            None => (format!("{BY_FIRST}{}", first()), None),
        }
    }

    /// The key under which a sender is stored.
    pub(super) fn sender<'k>(&'k self, place: usize, key: &'k str) -> &'k str {
        self.known
            .get(&place)
            .and_then(|known| known.aliases.get(key))
            .map_or(key, String::as_str)
    }

    /// Whether the user is the sender. What the user told of himself before overrules what a file suggests.
    pub(super) fn is_from_me(&self, sender: Option<&str>, suggested: bool) -> bool {
        match sender {
            Some(sender) if !self.own.is_empty() => self.own.contains(sender),
            _ => suggested,
        }
    }
}

/// Compares what was sampled with the database. With `me_is_told` the user named himself in this very import.
pub(super) fn hints(
    store: &Store,
    source: &'static str,
    samples: &Samples,
    me_is_told: bool,
) -> Result<Hints, StoreError> {
    if samples.senders.is_empty() && samples.chats.is_empty() {
        return Ok(Hints::default());
    }
    let samples = samples.clone();
    store.read_blocking(move |reader| {
        let mut hints = Hints::default();
        let chats = reader.chat_keys(source)?;
        let chats: Vec<_> = chats
            .into_iter()
            .filter(|(_, k)| k.starts_with(BY_TITLE) || k.starts_with(BY_FIRST))
            .collect();
        for (place, sample) in &samples.chats {
            if let Some(known) = recognise(reader, &chats, sample)? {
                hints.known.insert(*place, known);
            }
        }
        if !me_is_told {
            let aliased: HashSet<&str> = hints
                .known
                .values()
                .flat_map(|known| known.aliases.values())
                .map(String::as_str)
                .collect();
            let is_here = |key: &String| samples.senders.contains(key) || aliased.contains(key.as_str());
            let own: HashSet<String> = reader
                .own_identity_keys(source)?
                .into_iter()
                .filter(is_here)
                .collect();
            hints.own = own;
        }
        Ok(hints)
    })
}

fn recognise(
    reader: &Reader,
    chats: &[(ChatId, String)],
    sample: &ChatSample,
) -> Result<Option<Known>, StoreError> {
    let mut best: Option<(usize, ChatId, &String)> = None;
    for (chat, key) in chats {
        let step = (sample.samples.len() / FIRST_LOOK).max(1);
        let first: Vec<&Sample> = sample.samples.iter().step_by(step).collect();
        if matches(reader, *chat, &first)? == 0 {
            continue;
        }
        let Some((oldest, newest)) = reader.time_range(*chat)? else {
            continue;
        };
        // Seconds may be missing on either side.
        let minute = |t: chatstats_model::Timestamp| t.as_micros().div_euclid(60_000_000);
        let range = minute(oldest)..=minute(newest);
        let shared: Vec<&Sample> = sample
            .samples
            .iter()
            .filter(|s| range.contains(&minute(s.sent)))
            .collect();
        let matched = matches(reader, *chat, &shared)?;
        let enough = matched >= MATCHES_MIN.min(sample.samples.len()) && matched * 2 >= shared.len();
        if enough && best.is_none_or(|(most, ..)| matched > most) {
            best = Some((matched, *chat, key));
        }
    }
    let Some((_, chat, key)) = best else {
        return Ok(None);
    };
    Ok(Some(Known {
        key: key.clone(),
        aliases: aliases(reader, chat, sample)?,
    }))
}

fn matches(reader: &Reader, chat: ChatId, samples: &[&Sample]) -> Result<usize, StoreError> {
    let mut count = 0;
    for sample in samples {
        count += usize::from(!reader.senders_by_key_prefix(chat, &sample.loose, 1)?.is_empty());
    }
    Ok(count)
}

/// Who is who, where the export calls people differently: for each sender the database's chat does not know, the
/// one who wrote most of the same messages there.
fn aliases(
    reader: &Reader,
    chat: ChatId,
    sample: &ChatSample,
) -> Result<HashMap<String, String>, StoreError> {
    let members: HashSet<String> = reader.member_keys(chat)?.into_iter().collect();
    let mut votes: HashMap<&str, HashMap<String, usize>> = HashMap::new();
    for sample in &sample.samples {
        let Some(sender) = sample.sender.as_deref().filter(|s| !members.contains(*s)) else {
            continue;
        };
        // Only messages that one person alone wrote in that minute say who it was.
        if let [Some(known)] = reader.senders_by_key_prefix(chat, &sample.loose, 2)?.as_slice() {
            *votes.entry(sender).or_default().entry(known.clone()).or_default() += 1;
        }
    }
    let mut aliases = HashMap::new();
    for (sender, by_known) in votes {
        let total: usize = by_known.values().sum();
        let most = by_known.into_iter().max_by_key(|(_, count)| *count);
        if let Some((known, count)) = most
            && count * 3 >= total * 2
            && !sample.senders.contains(&known)
        {
            aliases.insert(sender.to_owned(), known);
        }
    }
    Ok(aliases)
}
