//! A look through an export before it is imported, where the database holds chats of its source already: who
//! writes in it, and a spread of its messages to recognise its chats by.

use std::collections::{BTreeMap, HashSet};

use chatstats_import::{ChatHead, Export, ImportError, Options, Record, Sink, SinkError, read};
use chatstats_model::{Kind, LeftOut, Timestamp};

use super::batch::{Stop, Target};
use crate::keys::{LOOSE_BYTES, loose};

/// Messages sampled of each chat: with this many, a chat that shares a tenth of its messages is met for certain.
const SAMPLES_MAX: usize = 512;

/// Senders remembered of each chat.
const SENDERS_MAX: usize = 2_000;

/// Chats without an id that are sampled. Only odd exports have more than one.
const CHATS_MAX: usize = 200;

/// A sampled message.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    pub(super) loose: [u8; LOOSE_BYTES],
    pub(super) sender: Option<String>,
    pub(super) sent: Timestamp,
}

/// What the look found of one chat.
#[derive(Clone, Debug, Default)]
pub(super) struct ChatSample {
    pub(super) samples: Vec<Sample>,
    pub(super) senders: HashSet<String>,
}

/// What the look found: by the chat's place in the export, only chats without an id, and everybody's keys.
#[derive(Clone, Debug, Default)]
pub(super) struct Samples {
    pub(super) chats: BTreeMap<usize, ChatSample>,
    pub(super) senders: HashSet<String>,
}

/// Looks through `export`. Costs a reading of the file, and is left out where there is nothing to compare with.
pub(super) fn take(target: &Target<'_>, export: &Export, options: &Options) -> Result<Samples, ImportError> {
    let source = target.source;
    let known = target.store.read_blocking(move |reader| reader.chat_keys(source));
    let known = known.map_err(|e| ImportError::Sink(Box::new(Stop::Store(e))))?;
    let mut sampler = Sampler {
        target: *target,
        found: Samples::default(),
        chat: None,
        place: 0,
        every: 1,
        met: 0,
    };
    if !known.is_empty() {
        read(export, options, &mut sampler)?;
    }
    Ok(sampler.found)
}

struct Sampler<'t> {
    target: Target<'t>,
    found: Samples,
    /// The place of the chat being read, if it is sampled.
    chat: Option<usize>,
    place: usize,
    /// Every how many messages one is taken: doubled whenever there are too many, so that they stay spread.
    every: usize,
    met: usize,
}

impl Sink for Sampler<'_> {
    fn chat(&mut self, head: ChatHead) -> Result<(), SinkError> {
        let sampled = head.key.is_none() && self.found.chats.len() < CHATS_MAX;
        self.chat = sampled.then_some(self.place);
        (self.place, self.every, self.met) = (self.place + 1, 1, 0);
        Ok(())
    }

    fn message(&mut self, record: Record) -> Result<(), SinkError> {
        self.target.go_on()?;
        let sender = record.sender.as_ref().map(|s| s.key.clone());
        if let Some(sender) = &sender
            && self.found.senders.len() < SENDERS_MAX
            && !self.found.senders.contains(sender)
        {
            self.found.senders.insert(sender.clone());
        }
        let Some(place) = self.chat else { return Ok(()) };
        if record.kind == Kind::System || record.key.is_some() {
            return Ok(());
        }
        self.met += 1;
        let chat = self.found.chats.entry(place).or_default();
        if let Some(sender) = &sender
            && chat.senders.len() < SENDERS_MAX
        {
            chat.senders.insert(sender.clone());
        }
        if self.met.is_multiple_of(self.every) {
            chat.samples.push(Sample {
                loose: loose(&record),
                sender,
                sent: record.timestamp,
            });
            if chat.samples.len() >= 2 * SAMPLES_MAX {
                let mut index = 0;
                chat.samples.retain(|_| {
                    index += 1;
                    index % 2 == 0
                });
                self.every *= 2;
            }
        }
        Ok(())
    }

    fn left_out(&mut self, _: LeftOut) -> Result<(), SinkError> {
        self.target.go_on()?;
        Ok(())
    }

    fn progress(&mut self, _: u64) -> Result<(), SinkError> {
        self.target.progress(0)
    }
}
