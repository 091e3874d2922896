//! The sink that stores: batches go to the writer while the next is being read.

use std::collections::HashSet;

use chatstats_import::{ChatHead, Record, Sender, Sink, SinkError};
use chatstats_model::{ChatId, Counts, ImportId, ImportReceipt, Kind, LeftOut};
use chatstats_store::{ImportCheckpoint, Lane, Later, NewMessage, Put, StoreError, Write};

use super::batch::{Stop, Target};
use super::resolve::Hints;
use crate::keys::{self, Keys};

/// Records in one batch. A live post waits for no more than one batch: some tens of milliseconds.
const BATCH_RECORDS: usize = 2_000;

/// Text in one batch, in bytes: for exports of very long messages.
const BATCH_BYTES: usize = 1 << 20;

/// Chats a receipt names.
const RECEIPT_CHATS_MAX: usize = 100;

/// A chat as it goes to the writer.
#[derive(Clone)]
struct Chat {
    key: String,
    title: Option<String>,
}

struct Item {
    key: Vec<u8>,
    chat: usize,
    sender: Option<usize>,
    record: Record,
}

/// What one transaction stores.
#[derive(Default)]
struct Batch {
    chats: Vec<Chat>,
    senders: Vec<Sender>,
    items: Vec<Item>,
    left_out: Vec<LeftOut>,
    bytes: usize,
}

/// What became of a batch.
struct Stored {
    counts: Counts,
    chats: Vec<ChatId>,
}

/// Stores one export.
pub(super) struct Committer<'c> {
    target: Target<'c>,
    import: ImportId,
    hints: Hints,
    receipt: &'c mut ImportReceipt,
    checkpoint: ImportCheckpoint,
    /// Events read, of which the first `skip` were committed by an earlier run.
    events: u64,
    skip: u64,
    chats_met: HashSet<ChatId>,
    /// The chat being read: its place in the export, its head, and its name once that is settled.
    place: Option<usize>,
    head: ChatHead,
    chat: Option<Chat>,
    keys: Keys,
    batch: Batch,
    under_way: Option<Later<Stored>>,
}

impl<'c> Committer<'c> {
    pub(super) fn new(
        target: Target<'c>,
        import: ImportId,
        hints: Hints,
        receipt: &'c mut ImportReceipt,
        checkpoint: ImportCheckpoint,
    ) -> Self {
        let skip = checkpoint.records_done;
        let chats_met = receipt
            .files
            .last()
            .map(|f| f.chat_ids.iter().copied().collect())
            .unwrap_or_default();
        Committer {
            target,
            import,
            hints,
            receipt,
            checkpoint,
            events: 0,
            skip,
            chats_met,
            place: None,
            head: ChatHead::default(),
            chat: None,
            keys: Keys::default(),
            batch: Batch::default(),
            under_way: None,
        }
    }

    /// Stores the rest and marks the export as done.
    pub(super) fn finish(mut self) -> Result<(), Stop> {
        self.send()?;
        self.settle()
    }

    /// Hands the batch over. The one before must be stored: its counts are part of what this one writes down.
    fn send(&mut self) -> Result<(), Stop> {
        self.settle()?;
        let batch = std::mem::take(&mut self.batch);
        let mut receipt = self.receipt.clone();
        let (import, source) = (self.import, self.target.source);
        let mut met = self.chats_met.clone();
        let checkpoint = ImportCheckpoint {
            records_done: self.events,
            ..self.checkpoint.clone()
        };
        let later = self.target.store.write_later(Lane::Bulk, move |write| {
            let stored = store(write, source, &batch)?;
            enter(&mut receipt, &mut met, &stored);
            write.advance_import(import, &receipt, &checkpoint, &batch.left_out)?;
            Ok(stored)
        })?;
        self.under_way = Some(later);
        Ok(())
    }

    /// Waits for the batch under way and enters it into the receipt.
    pub(super) fn settle(&mut self) -> Result<(), Stop> {
        let Some(later) = self.under_way.take() else {
            return Ok(());
        };
        let stored = later.wait()?;
        enter(self.receipt, &mut self.chats_met, &stored);
        let counts = self.receipt.totals;
        self.target.running.update(|progress| progress.counts = counts);
        Ok(())
    }

    fn is_new(&mut self) -> bool {
        self.events += 1;
        self.events > self.skip
    }

    fn sent_if_full(&mut self) -> Result<(), SinkError> {
        let count = self.batch.items.len() + self.batch.left_out.len();
        if count >= BATCH_RECORDS || self.batch.bytes >= BATCH_BYTES {
            self.send().map_err(Box::new)?;
        }
        Ok(())
    }

    /// The running chat's index in the batch.
    fn chat_in_batch(&mut self, first: &Record) -> usize {
        let place = self.place.unwrap_or(0);
        if self.chat.is_none() {
            let (key, title) = self.chat_name(place, first);
            self.chat = Some(Chat { key, title });
            self.batch.chats.extend(self.chat.clone());
        } else if self.batch.chats.is_empty() {
            self.batch.chats.extend(self.chat.clone());
        }
        self.batch.chats.len() - 1
    }

    /// A chat without an id keeps the name that an interrupted run gave it.
    fn chat_name(&mut self, place: usize, first: &Record) -> (String, Option<String>) {
        if let Some(key) = self.checkpoint.chat_keys.get(place).filter(|key| !key.is_empty()) {
            return (key.clone(), None);
        }
        let (key, title) = self.hints.chat(place, &self.head, || first_name(first));
        if self.head.key.is_none() {
            self.checkpoint.chat_keys.resize(place, String::new());
            self.checkpoint.chat_keys.push(key.clone());
        }
        (key, title)
    }

    fn sender_in_batch(&mut self, sender: Sender) -> usize {
        // Few people write at a time: the last ones are found at once.
        if let Some(index) = self.batch.senders.iter().rposition(|known| *known == sender) {
            return index;
        }
        self.batch.senders.push(sender);
        self.batch.senders.len() - 1
    }
}

impl Sink for Committer<'_> {
    fn chat(&mut self, head: ChatHead) -> Result<(), SinkError> {
        self.place = Some(self.place.map_or(0, |place| place + 1));
        self.head = head;
        self.chat = None;
        self.keys = Keys::default();
        Ok(())
    }

    fn message(&mut self, mut record: Record) -> Result<(), SinkError> {
        self.target.go_on()?;
        let place = self.place.unwrap_or(0);
        if let Some(sender) = &mut record.sender {
            self.hints
                .sender(place, &sender.key)
                .to_owned()
                .clone_into(&mut sender.key);
        }
        let sender_key = record.sender.as_ref().map(|s| s.key.as_str());
        record.is_from_me = self.hints.is_from_me(sender_key, record.is_from_me);
        let key = self.keys.next(&record, sender_key);
        let chat = self.chat_in_batch(&record);
        if !self.is_new() {
            return Ok(());
        }
        let sender = record.sender.take().map(|sender| self.sender_in_batch(sender));
        self.batch.bytes += record.content.len();
        self.batch.items.push(Item {
            key,
            chat,
            sender,
            record,
        });
        self.sent_if_full()
    }

    fn left_out(&mut self, left_out: LeftOut) -> Result<(), SinkError> {
        self.target.go_on()?;
        if !self.is_new() {
            return Ok(());
        }
        self.batch.bytes += left_out.excerpt.len();
        self.batch.left_out.push(left_out);
        self.sent_if_full()
    }

    fn progress(&mut self, done: u64) -> Result<(), SinkError> {
        self.target.progress(done)
    }
}

/// A name for a chat that has neither id nor title.
pub(super) fn first_name(first: &Record) -> String {
    keys::loose(first)[1..]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn enter(receipt: &mut ImportReceipt, met: &mut HashSet<ChatId>, stored: &Stored) {
    let mut counts = stored.counts;
    counts.chats = stored.chats.iter().filter(|id| met.insert(**id)).count() as u64;
    if let Some(file) = receipt.files.last_mut() {
        file.counts += counts;
        for id in &stored.chats {
            if file.chat_ids.len() < RECEIPT_CHATS_MAX && !file.chat_ids.contains(id) {
                file.chat_ids.push(*id);
            }
        }
    }
    receipt.totals += counts;
}

fn store(write: &mut Write<'_>, source: &str, batch: &Batch) -> Result<Stored, StoreError> {
    let chats = batch
        .chats
        .iter()
        .map(|chat| write.chat(source, &chat.key, chat.title.as_deref()))
        .collect::<Result<Vec<_>, _>>()?;
    let mut senders = vec![None; batch.senders.len()];
    let mut counts = Counts {
        left_out: batch.left_out.len() as u64,
        ..Counts::default()
    };
    for item in &batch.items {
        let record = &item.record;
        let sender = match item.sender {
            Some(index) => match senders[index] {
                Some((ids, me)) if me || !record.is_from_me => Some(ids),
                _ => {
                    let Sender { key, name } = &batch.senders[index];
                    let sent_us = record.timestamp.as_micros();
                    let ids = write.identity(source, key, name, record.is_from_me, sent_us)?;
                    senders[index] = Some((ids, record.is_from_me));
                    Some(ids)
                }
            },
            None => None,
        };
        let reply_key = record.reply_to.as_deref().map(keys::own);
        let mut message = NewMessage {
            key: &item.key,
            key_is_certain: false,
            sender,
            is_from_me: record.is_from_me,
            kind: record.kind,
            sent: record.timestamp,
            content: &record.content,
            reply_key: reply_key.as_deref(),
            edited: record.edited_at,
            reactions: &record.reactions,
            attachments: &record.attachments,
        };
        let mut put = write.put(chats[item.chat], &message)?;
        let instead;
        if put == Put::Taken {
            instead = keys::instead(&item.key, record.timestamp);
            message.key = &instead;
            put = write.put(chats[item.chat], &message)?;
        }
        match put {
            Put::Unchanged | Put::Changed(_) | Put::Taken => counts.duplicates += 1,
            Put::Inserted(_) if record.kind == Kind::System => counts.system += 1,
            Put::Inserted(_) => counts.messages += 1,
        }
    }
    counts.records = counts.messages + counts.system + counts.duplicates + counts.left_out;
    Ok(Stored { counts, chats })
}

#[cfg(test)]
mod tests {
    use chatstats_model::Timestamp;
    use chatstats_store::Store;

    use super::super::queue::Running;
    use super::*;

    /// Between two records, however much of the file is read by then: a file of one line is read in one go.
    #[test]
    fn an_import_stops_at_the_next_record() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(folder.path()).expect("a store");
        let running = Running::new(ImportId(1));
        let target = Target {
            store: &store,
            running: &running,
            source: "test",
            bytes_before: 0,
        };
        let (mut receipt, checkpoint) = (ImportReceipt::default(), ImportCheckpoint::default());
        let mut sink = Committer::new(target, ImportId(1), Hints::default(), &mut receipt, checkpoint);
        let record = || Record {
            key: None,
            sender: None,
            is_from_me: false,
            content: "text".to_owned(),
            timestamp: Timestamp::default(),
            kind: Kind::Text,
            reply_to: None,
            edited_at: None,
            reactions: Vec::new(),
            attachments: Vec::new(),
        };
        sink.chat(ChatHead::default()).expect("goes on");
        sink.message(record()).expect("goes on");
        running.cancel();
        let stopped = sink.message(record()).map_err(Stop::from_sink);
        assert!(matches!(stopped, Err(Stop::Stopped)), "{stopped:?}");
    }
}
