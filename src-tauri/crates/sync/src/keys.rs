//! The keys under which messages are stored: what makes importing again change no total.
//!
//! A source's own id is the key where there is one. Where there is none, a message is known by its minute, its
//! content and its sender, and by how many equal ones came before it: a multiset, so that two equal messages in
//! one minute are two, in whatever order and overlap files are imported. Minutes, because one phone's export has
//! seconds and another's of the same chat has not.

use std::collections::HashMap;
use std::hash::Hasher;

use chatstats_import::Record;
use siphasher::sip::SipHasher24;

/// First byte of a key that the source gave.
const OWN: u8 = b'=';

/// First byte of a key made from content.
const CONTENT: u8 = b'#';

/// Bytes of a content key that do not depend on the sender: the tag, the minute and the hash of the content.
pub(crate) const LOOSE_BYTES: usize = 1 + MINUTE_BYTES + 8;

/// Bytes of the minute, which comes first so that a chat's keys go into the index in about the order of its file:
/// at its end, and not all over it.
const MINUTE_BYTES: usize = 5;

/// Counters of equal messages kept at once. They matter only within a minute; a file jumps back at most an hour
/// (when summer time ends) or a few days (phones with wrong clocks).
const COUNTERS_MAX: usize = 200_000;

/// A key given by the source.
pub(crate) fn own(key: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(key.len() + 1);
    out.push(OWN);
    out.extend_from_slice(key.as_bytes());
    out
}

/// The key of a message whose own key another message has: exports of two accounts, kept on one computer, number
/// the messages of a chat each in its own way.
pub(crate) fn instead(key: &[u8], sent: chatstats_model::Timestamp) -> Vec<u8> {
    let mut out = Vec::with_capacity(key.len() + 9);
    out.extend_from_slice(key);
    out.push(0); // in no id of a source
    out.extend_from_slice(&sent.as_micros().to_be_bytes());
    out
}

/// The part of a content key that is the same whatever the other side calls the sender.
pub(crate) fn loose(record: &Record) -> [u8; LOOSE_BYTES] {
    let minute = record.timestamp.as_micros().div_euclid(60_000_000);
    let mut hasher = SipHasher24::new(); // fixed keys: stored hashes must mean the same for ever
    hasher.write(record.content.as_bytes());
    // Shifted, so that minutes before 1970 sort before those after; five bytes reach beyond the year 9999.
    let shifted = (minute + (1 << (8 * MINUTE_BYTES - 1))).to_be_bytes();
    let mut out = [CONTENT; LOOSE_BYTES];
    out[1..=MINUTE_BYTES].copy_from_slice(&shifted[8 - MINUTE_BYTES..]);
    out[1 + MINUTE_BYTES..].copy_from_slice(&hasher.finish().to_be_bytes());
    out
}

/// Hands out keys to the records of one chat, in the order of its file.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    seen: HashMap<([u8; LOOSE_BYTES], u32), u32>,
}

impl Keys {
    /// The key of the next record. `sender` is the key of its sender in the chat it goes to.
    pub(crate) fn next(&mut self, record: &Record, sender: Option<&str>) -> Vec<u8> {
        if let Some(key) = &record.key {
            return own(key);
        }
        if self.seen.len() >= COUNTERS_MAX {
            self.seen.clear();
        }
        let (loose, sender) = (loose(record), sender_hash(sender));
        let count = self.seen.entry((loose, sender)).or_insert(0);
        let mut key = Vec::with_capacity(LOOSE_BYTES + 6);
        key.extend_from_slice(&loose);
        key.extend_from_slice(&sender.to_be_bytes());
        // The first is by far the most frequent: it needs no number.
        if *count > 0 {
            key.extend_from_slice(&count.to_be_bytes());
        }
        *count += 1;
        key
    }
}

fn sender_hash(sender: Option<&str>) -> u32 {
    let mut hasher = SipHasher24::new();
    hasher.write(sender.unwrap_or_default().as_bytes());
    hasher.write_u8(u8::from(sender.is_some()));
    hasher.finish() as u32
}
