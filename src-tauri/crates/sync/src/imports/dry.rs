//! The sink of a dry run: counts what a real one would, and writes nothing but the receipt.

use chatstats_import::{ChatHead, Record, Sink, SinkError};
use chatstats_model::{ChatId, ImportId, ImportReceipt, Kind, LeftOut};
use chatstats_store::{ImportCheckpoint, KeySet, Lane, Probe, Stored};

use super::batch::{Stop, Target};
use super::commit::first_name;
use super::resolve::Hints;
use crate::keys::{self, Keys};

/// Keys looked up together.
const BATCH_KEYS: usize = 2_000;

/// Counts one export.
pub(super) struct Dry<'d> {
    target: Target<'d>,
    hints: Hints,
    receipt: &'d mut ImportReceipt,
    /// Keys met in this very export, by the place of their chat.
    seen: KeySet,
    places: Vec<String>,
    place: Option<usize>,
    head: ChatHead,
    /// The chat being read: its place among distinct keys, and its row where it has one.
    chat: Option<(usize, Option<ChatId>)>,
    keys: Keys,
    /// Messages to look up, and whether each is a system line.
    batch: Vec<(Probe, bool)>,
    import: ImportId,
    left_out: Vec<LeftOut>,
}

impl<'d> Dry<'d> {
    pub(super) fn new(
        target: Target<'d>,
        import: ImportId,
        hints: Hints,
        receipt: &'d mut ImportReceipt,
    ) -> Result<Self, Stop> {
        Ok(Dry {
            target,
            hints,
            receipt,
            seen: KeySet::new()?,
            places: Vec::new(),
            place: None,
            head: ChatHead::default(),
            chat: None,
            keys: Keys::default(),
            batch: Vec::new(),
            import,
            left_out: Vec::new(),
        })
    }

    fn open_chat(&mut self, first: &Record) -> Result<(), Stop> {
        let (key, _) = self
            .hints
            .chat(self.place.unwrap_or(0), &self.head, || first_name(first));
        let place = self
            .places
            .iter()
            .position(|known| *known == key)
            .unwrap_or_else(|| {
                self.places.push(key.clone());
                self.count(|counts| counts.chats += 1);
                self.places.len() - 1
            });
        let source = self.target.source;
        let row = self.target.store.read_blocking(move |reader| {
            Ok(reader
                .chat_keys(source)?
                .into_iter()
                .find(|(_, k)| *k == key)
                .map(|(id, _)| id))
        })?;
        self.chat = Some((place, row));
        Ok(())
    }

    /// Looks up the keys gathered so far, all of one chat.
    fn look_up(&mut self) -> Result<(), Stop> {
        let (mut probes, kinds): (Vec<Probe>, Vec<bool>) =
            std::mem::take(&mut self.batch).into_iter().unzip();
        let Some((place, row)) = self.chat else {
            return Ok(());
        };
        if let Some(chat) = row {
            let stored = self.stored(chat, &probes)?;
            for (probe, stored) in probes.iter_mut().zip(stored) {
                if stored == Stored::Taken {
                    probe.key = keys::instead(&probe.key, probe.sent);
                }
            }
            let stored = self.stored(chat, &probes)?;
            for (probe, stored) in probes.iter().zip(stored) {
                // What is stored is met already.
                if stored != Stored::No {
                    self.seen.insert(place, &probe.key)?;
                }
            }
        }
        for (probe, is_system) in probes.into_iter().zip(kinds) {
            let is_new = self.seen.insert(place, &probe.key)?;
            self.count(|counts| match (is_new, is_system) {
                (false, _) => counts.duplicates += 1,
                (true, true) => counts.system += 1,
                (true, false) => counts.messages += 1,
            });
        }
        let counts = self.receipt.totals;
        self.target.running.update(|progress| progress.counts = counts);
        Ok(())
    }

    fn stored(&self, chat: ChatId, probes: &[Probe]) -> Result<Vec<Stored>, Stop> {
        let probes = probes.to_vec();
        Ok(self
            .target
            .store
            .read_blocking(move |reader| reader.stored(chat, &probes))?)
    }

    fn count(&mut self, add: impl Fn(&mut chatstats_model::Counts)) {
        if let Some(file) = self.receipt.files.last_mut() {
            add(&mut file.counts);
        }
        add(&mut self.receipt.totals);
    }
}

impl Sink for Dry<'_> {
    fn chat(&mut self, head: ChatHead) -> Result<(), SinkError> {
        self.look_up().map_err(Box::new)?;
        self.place = Some(self.place.map_or(0, |place| place + 1));
        (self.head, self.chat, self.keys) = (head, None, Keys::default());
        Ok(())
    }

    fn message(&mut self, record: Record) -> Result<(), SinkError> {
        self.target.go_on()?;
        if self.chat.is_none() {
            self.open_chat(&record).map_err(Box::new)?;
        }
        let place = self.place.unwrap_or(0);
        let sender = record
            .sender
            .as_ref()
            .map(|s| self.hints.sender(place, &s.key).to_owned());
        let key = self.keys.next(&record, sender.as_deref());
        self.count(|counts| counts.records += 1);
        let is_system = record.kind == Kind::System;
        self.batch.push((
            Probe {
                key,
                sent: record.timestamp,
                content: record.content,
                sender,
            },
            is_system,
        ));
        if self.batch.len() >= BATCH_KEYS {
            self.look_up().map_err(Box::new)?;
        }
        Ok(())
    }

    fn left_out(&mut self, left_out: LeftOut) -> Result<(), SinkError> {
        self.target.go_on()?;
        self.count(|counts| {
            counts.records += 1;
            counts.left_out += 1;
        });
        self.left_out.push(left_out);
        if self.left_out.len() >= BATCH_KEYS {
            self.write_down().map_err(Box::new)?;
        }
        Ok(())
    }

    fn progress(&mut self, done: u64) -> Result<(), SinkError> {
        self.target.progress(done)
    }
}

impl Dry<'_> {
    /// Looks up what is left at the end.
    pub(super) fn finish(mut self) -> Result<(), Stop> {
        self.look_up()?;
        self.write_down()
    }

    /// Adds to the list of what was left out. Without a checkpoint: a dry run that is cut off starts anew.
    fn write_down(&mut self) -> Result<(), Stop> {
        let (import, receipt) = (self.import, self.receipt.clone());
        let left_out = std::mem::take(&mut self.left_out);
        let write = move |write: &mut chatstats_store::Write<'_>| {
            write.advance_import(import, &receipt, &ImportCheckpoint::default(), &left_out)
        };
        Ok(self.target.store.write_blocking(Lane::Bulk, write)?)
    }
}
