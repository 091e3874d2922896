//! What an entry says: names and values, both byte strings, in order.

use bytes::{BufMut, Bytes, BytesMut};

/// The most that the fields of one entry may take, in bytes, names and values together. Events are small; what is
/// larger belongs into the database.
pub const ENTRY_BYTES_MAX: usize = 8 << 20;

/// The most fields of one entry: each costs a look-up in what reads it.
pub const FIELDS_MAX: usize = 1_000;

/// The fields of an entry, packed into one buffer: cheap to clone, and stored as it is. As in Redis, a name may come
/// twice, and neither names nor values need be text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields(Bytes);

/// Why fields were not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FieldsError {
    /// An entry must say something: Redis refuses empty ones.
    #[error("an entry has at least one field")]
    Empty,
    /// Over [`FIELDS_MAX`].
    #[error("an entry has at most {FIELDS_MAX} fields")]
    TooMany,
    /// Over [`ENTRY_BYTES_MAX`].
    #[error("the fields of an entry take at most {ENTRY_BYTES_MAX} bytes")]
    TooLarge,
    /// Bytes that were not written by us.
    #[error("a stored entry is damaged")]
    Damaged,
}

/// Before each name and each value stands its length.
const LENGTH_BYTES: usize = size_of::<u32>();

impl Fields {
    /// Packs names and values.
    ///
    /// # Errors
    ///
    /// There are none, too many, or they are too large.
    pub fn new<N: AsRef<[u8]>, V: AsRef<[u8]>>(
        fields: impl IntoIterator<Item = (N, V)>,
    ) -> Result<Self, FieldsError> {
        let mut packed = BytesMut::new();
        let mut count = 0;
        for (name, value) in fields {
            count += 1;
            let (name, value) = (name.as_ref(), value.as_ref());
            if count > FIELDS_MAX {
                return Err(FieldsError::TooMany);
            }
            if packed.len() + name.len() + value.len() > ENTRY_BYTES_MAX {
                return Err(FieldsError::TooLarge);
            }
            for part in [name, value] {
                packed.put_u32_le(part.len() as u32);
                packed.put_slice(part);
            }
        }
        if count == 0 {
            return Err(FieldsError::Empty);
        }
        Ok(Self(packed.freeze()))
    }

    /// Packs names and values, one after the other, of an entry that Redis keeps: what others wrote there has no limit.
    pub(crate) fn pack_read<'a>(parts: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut packed = BytesMut::new();
        for part in parts {
            // Redis' own limit, 512 MB for one string, fits.
            packed.put_u32_le(part.len() as u32);
            packed.put_slice(part);
        }
        Self(packed.freeze())
    }

    /// From what [`packed`](Self::packed) gave.
    ///
    /// # Errors
    ///
    /// The bytes are of elsewhere, or damaged.
    pub fn from_packed(packed: Bytes) -> Result<Self, FieldsError> {
        let mut rest = Parts(&packed);
        let count = rest.by_ref().count();
        if rest.0.is_empty() && count > 0 && count.is_multiple_of(2) {
            Ok(Self(packed))
        } else {
            Err(FieldsError::Damaged)
        }
    }

    /// As one byte string, to be stored.
    pub fn packed(&self) -> &Bytes {
        &self.0
    }

    /// Names and values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> + Clone {
        let mut parts = Parts(&self.0);
        std::iter::from_fn(move || parts.next().zip(parts.next()))
    }

    /// The value of a field; of several of the name the last, which is what a dictionary would keep.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.iter()
            .filter(|(found, _)| *found == name.as_bytes())
            .last()
            .map(|(_, value)| value)
    }

    /// As [`get`](Self::get), where the value is text.
    pub fn text(&self, name: &str) -> Option<&str> {
        std::str::from_utf8(self.get(name)?).ok()
    }

    /// About how much memory it takes, in bytes.
    pub fn size_bytes(&self) -> usize {
        self.0.len()
    }
}

/// Walks over parts that each have their length before them; stops where the bytes make no sense.
#[derive(Clone)]
struct Parts<'a>(&'a [u8]);

impl<'a> Iterator for Parts<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let (len, rest) = self.0.split_first_chunk::<LENGTH_BYTES>()?;
        let (part, rest) = rest.split_at_checked(u32::from_le_bytes(*len) as usize)?;
        self.0 = rest;
        Some(part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_bytes_come_back_in_order() {
        let fields = [(&b"type"[..], &b"x\ny"[..]), (b"", b"\0\xff"), (b"type", b"")];
        let packed = Fields::new(fields).expect("fits");
        assert_eq!(packed.iter().collect::<Vec<_>>(), fields);
        assert_eq!(packed.text("type"), Some(""));
        assert_eq!(packed.get(""), Some(&b"\0\xff"[..]));
        assert_eq!(packed.text(""), None, "not text");
        let again = Fields::from_packed(packed.packed().clone());
        assert_eq!(again, Ok(packed));
    }

    #[test]
    fn what_is_too_much_or_damaged_is_refused() {
        let none: [(&str, &str); 0] = [];
        assert_eq!(Fields::new(none), Err(FieldsError::Empty));
        let many = (0..=FIELDS_MAX).map(|n| (n.to_string(), ""));
        assert_eq!(Fields::new(many), Err(FieldsError::TooMany));
        let large = vec![0; ENTRY_BYTES_MAX + 1];
        assert_eq!(Fields::new([("a", large)]), Err(FieldsError::TooLarge));
        let good = Fields::new([("a", "b")]).expect("fits");
        for cut in 0..good.packed().len() {
            let damaged = Fields::from_packed(good.packed().slice(..cut));
            assert_eq!(damaged, Err(FieldsError::Damaged), "cut at {cut}");
        }
    }
}
