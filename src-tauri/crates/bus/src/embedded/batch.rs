//! Entries in a row, as they are stored.

use std::sync::Arc;

use bytes::{Buf, BufMut, Bytes};

use crate::{Entry, Fields, FieldsError, StreamId};

/// Entries in one batch at most. Trimming drops whole batches, so this bounds how far it is from the mark.
pub(super) const BATCH_ENTRIES: usize = 256;

/// A batch ends where it would get larger than this, in bytes: who wants one entry reads a whole batch. A larger
/// entry is a batch of its own.
const BATCH_BYTES: usize = 64 << 10;

const ID_BYTES: usize = size_of::<[u8; 16]>();

/// Before each entry's fields stand its id and their length.
const HEAD_BYTES: usize = ID_BYTES + size_of::<u32>();

/// A batch, to be stored.
pub(super) struct Batch {
    /// The id of its last entry.
    pub(super) last: StreamId,
    /// How many entries it holds.
    pub(super) count: u64,
    /// The entries, packed.
    pub(super) bytes: Vec<u8>,
}

/// Packs entries into batches, in order.
pub(super) fn pack(entries: &[Arc<Entry>]) -> impl Iterator<Item = Batch> {
    let mut rest = entries;
    std::iter::from_fn(move || {
        let mut size = 0;
        let fits = |entry: &&Arc<Entry>| {
            let is_first = size == 0;
            size += HEAD_BYTES + entry.fields.size_bytes();
            is_first || size <= BATCH_BYTES
        };
        let count = rest.iter().take(BATCH_ENTRIES).take_while(fits).count();
        let (batch, others) = rest.split_at(count);
        rest = others;
        let last = batch.last()?.id;
        let mut bytes = Vec::with_capacity(size);
        for entry in batch {
            bytes.put_slice(&entry.id.to_bytes());
            bytes.put_u32_le(entry.fields.size_bytes() as u32);
            bytes.put_slice(entry.fields.packed());
        }
        Some(Batch {
            last,
            count: count as u64,
            bytes,
        })
    })
}

/// The entries of a batch, in order. They share its memory.
pub(super) fn unpack(bytes: Vec<u8>) -> Result<Vec<Arc<Entry>>, FieldsError> {
    let mut rest = Bytes::from(bytes);
    let mut entries = Vec::new();
    while !rest.is_empty() {
        if rest.len() < HEAD_BYTES {
            return Err(FieldsError::Damaged);
        }
        let id = StreamId::from_bytes(rest.get_u128().to_be_bytes());
        let len = rest.get_u32_le() as usize;
        if rest.len() < len {
            return Err(FieldsError::Damaged);
        }
        let fields = Fields::from_packed(rest.split_to(len))?;
        entries.push(Arc::new(Entry::new(id, fields)));
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(sizes: &[usize]) -> Vec<Arc<Entry>> {
        let entry = |(index, size): (usize, &usize)| {
            let fields = Fields::new([("n", vec![b'x'; *size])]).expect("fits");
            Arc::new(Entry::new(StreamId::new(7, index as u64), fields))
        };
        sizes.iter().enumerate().map(entry).collect()
    }

    #[test]
    fn batches_hold_all_entries_in_order_within_their_limits() {
        for sizes in [
            vec![],
            vec![1],
            vec![1; 1_000],
            vec![70_000, 1, 70_000, 70_000],
            vec![3_000; 50],
        ] {
            let entries = entries(&sizes);
            let batches: Vec<_> = pack(&entries).collect();
            let mut found = Vec::new();
            for batch in &batches {
                let unpacked = unpack(batch.bytes.clone()).expect("whole");
                assert_eq!(unpacked.len() as u64, batch.count);
                assert!(unpacked.len() <= BATCH_ENTRIES);
                assert!(unpacked.len() == 1 || batch.bytes.len() <= BATCH_BYTES);
                assert_eq!(unpacked.last().map(|entry| entry.id), Some(batch.last));
                found.extend(unpacked);
            }
            let told = |entries: &[Arc<Entry>]| -> Vec<_> {
                entries
                    .iter()
                    .map(|entry| (entry.id, entry.fields.clone()))
                    .collect()
            };
            assert_eq!(told(&found), told(&entries));
        }
    }

    #[test]
    fn a_batch_that_was_cut_is_noticed() {
        let batch = pack(&entries(&[3, 3])).next().expect("one batch");
        let whole_entry = batch.bytes.len() / 2;
        for cut in 1..batch.bytes.len() {
            let cut_off = unpack(batch.bytes[..cut].to_vec());
            assert_eq!(cut_off.is_err(), cut != whole_entry, "cut at {cut}");
        }
    }
}
