//! Places in a stream.

use std::fmt;
use std::str::FromStr;

/// The id of an entry, `milliseconds-sequence` (Redis Streams, "Entry IDs"): both are whole numbers from 0 to
/// 2⁶⁴-1, and ids grow from entry to entry. `0-0` is no entry's: it is the place before all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId {
    /// Milliseconds since 1970, by the clock of whoever keeps the log.
    pub ms: u64,
    /// Tells entries of one millisecond apart.
    pub seq: u64,
}

/// A text that is no id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a stream id: it looks like 1700000000000-0")]
pub struct StreamIdError(String);

impl StreamId {
    /// Before every entry.
    pub const ZERO: Self = Self { ms: 0, seq: 0 };

    /// The last there can be.
    pub const MAX: Self = Self {
        ms: u64::MAX,
        seq: u64::MAX,
    };

    /// From its two numbers.
    pub const fn new(ms: u64, seq: u64) -> Self {
        Self { ms, seq }
    }

    /// The id directly after this one; `None` after the last.
    pub fn next(self) -> Option<Self> {
        match self.seq.checked_add(1) {
            Some(seq) => Some(Self { seq, ..self }),
            None => Some(Self::new(self.ms.checked_add(1)?, 0)),
        }
    }

    /// The id directly before this one; `None` before the first.
    pub fn prev(self) -> Option<Self> {
        match self.seq.checked_sub(1) {
            Some(seq) => Some(Self { seq, ..self }),
            None => Some(Self::new(self.ms.checked_sub(1)?, u64::MAX)),
        }
    }

    /// Reads the end of a range: milliseconds alone mean the last id of that millisecond. (Reading with `parse`,
    /// they mean the first.)
    ///
    /// # Errors
    ///
    /// The text is not an id.
    pub fn parse_end(text: &str) -> Result<Self, StreamIdError> {
        Self::read(text, u64::MAX)
    }

    /// As 16 bytes that sort as ids do.
    pub fn to_bytes(self) -> [u8; 16] {
        ((u128::from(self.ms) << 64) | u128::from(self.seq)).to_be_bytes()
    }

    /// From [`to_bytes`](Self::to_bytes).
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        let both = u128::from_be_bytes(bytes);
        Self::new((both >> 64) as u64, both as u64)
    }

    fn read(text: &str, seq: u64) -> Result<Self, StreamIdError> {
        let number = |digits: &str| {
            let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            plain.then(|| digits.parse().ok()).flatten()
        };
        let read = match text.split_once('-') {
            Some((ms, seq)) => number(ms).zip(number(seq)),
            None => number(text).map(|ms| (ms, seq)),
        };
        let (ms, seq) = read.ok_or_else(|| StreamIdError(text.chars().take(50).collect()))?;
        Ok(Self { ms, seq })
    }
}

impl FromStr for StreamId {
    type Err = StreamIdError;

    fn from_str(text: &str) -> Result<Self, StreamIdError> {
        Self::read(text, 0)
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.ms, self.seq)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_as_redis_reads_them() {
        assert_eq!("0".parse(), Ok(StreamId::ZERO));
        assert_eq!("5".parse(), Ok(StreamId::new(5, 0)));
        assert_eq!(StreamId::parse_end("5"), Ok(StreamId::new(5, u64::MAX)));
        assert_eq!("5-7".parse(), Ok(StreamId::new(5, 7)));
        assert_eq!(StreamId::parse_end("5-7"), Ok(StreamId::new(5, 7)));
        assert_eq!(
            "18446744073709551615-18446744073709551615".parse(),
            Ok(StreamId::MAX)
        );
        for wrong in [
            "",
            "-",
            "5-",
            "-5",
            "+5",
            "5-+7",
            "5-7-9",
            "$",
            "18446744073709551616",
            "５",
        ] {
            assert!(wrong.parse::<StreamId>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn neighbours_and_bytes_keep_the_order() {
        let edge = StreamId::new(5, u64::MAX);
        assert_eq!(edge.next(), Some(StreamId::new(6, 0)));
        assert_eq!(StreamId::new(6, 0).prev(), Some(edge));
        assert_eq!(StreamId::MAX.next(), None);
        assert_eq!(StreamId::ZERO.prev(), None);
        assert!(edge.to_bytes() < StreamId::new(6, 0).to_bytes());
        assert_eq!(StreamId::from_bytes(edge.to_bytes()), edge);
    }
}
