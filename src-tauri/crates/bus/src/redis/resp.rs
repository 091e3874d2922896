//! RESP 2, as Redis writes its replies: read from bytes, without a step in between where there are many.
//!
//! See "Redis serialization protocol specification" in Redis' documentation. Whatever comes, nothing is allocated by a
//! length that was only claimed.

use std::sync::Arc;

use redis::Value;

use super::fault::Fault;
use crate::{Entry, Fields, StreamId};

/// Lists within lists, at most: XINFO has five.
const DEPTH_MAX: usize = 16;

/// The longest line: a reply's kind with a number, a status or an error.
const LINE_BYTES_MAX: usize = 64 << 10;

/// Finds where a reply ends, in bytes that come bit by bit, and looks at none of them twice.
#[derive(Debug)]
pub(super) struct Scan {
    /// Values that the reply still needs.
    missing: usize,
    /// Everything before is scanned.
    at: usize,
}

/// These bytes are no reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Strange;

impl Scan {
    pub(super) fn new() -> Self {
        Self { missing: 1, at: 0 }
    }

    /// The length of the reply that `bytes` begin with, once all of it is there. `bytes` only grow from call to call.
    pub(super) fn end(&mut self, bytes: &[u8]) -> Result<Option<usize>, Strange> {
        while self.missing > 0 {
            // What is claimed may lie behind what is there.
            let Some((kind, line, after)) = bytes.get(self.at..).map(line).transpose()?.flatten() else {
                return Ok(None);
            };
            let mut end = self.at + after;
            match kind {
                b'+' | b'-' | b':' => self.missing -= 1,
                b'$' => {
                    if let Some(length) = length(line)? {
                        end = end
                            .checked_add(length)
                            .and_then(|end| end.checked_add(2))
                            .ok_or(Strange)?;
                    }
                    self.missing -= 1;
                }
                b'*' => {
                    let more = length(line)?.unwrap_or(0);
                    self.missing = (self.missing - 1).checked_add(more).ok_or(Strange)?;
                }
                _ => return Err(Strange),
            }
            self.at = end;
        }
        Ok((self.at <= bytes.len()).then_some(self.at))
    }
}

/// One reply, read value by value.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn line(&mut self) -> Result<(u8, &'a [u8]), Strange> {
        let (kind, line, after) = line(self.0)?.ok_or(Strange)?;
        self.0 = &self.0[after..];
        Ok((kind, line))
    }

    /// How many values the list has that comes next; none if it is a null.
    fn list(&mut self) -> Result<Option<usize>, Strange> {
        match self.line()? {
            (b'*', line) => length(line),
            // A null of the other kind.
            (b'$', b"-1") => Ok(None),
            _ => Err(Strange),
        }
    }

    /// Text, of whatever kind.
    fn text(&mut self) -> Result<&'a [u8], Strange> {
        match self.line()? {
            (b'+' | b':', line) => Ok(line),
            (b'$', line) => Ok(self.bulk(length(line)?)?.unwrap_or_default()),
            _ => Err(Strange),
        }
    }

    fn bulk(&mut self, length: Option<usize>) -> Result<Option<&'a [u8]>, Strange> {
        let Some(length) = length else { return Ok(None) };
        let (text, rest) = self.0.split_at_checked(length).ok_or(Strange)?;
        self.0 = rest.strip_prefix(b"\r\n").ok_or(Strange)?;
        Ok(Some(text))
    }

    fn value(&mut self, depth: usize) -> Result<Value, Strange> {
        let (kind, line) = self.line()?;
        Ok(match kind {
            b'+' if line == b"OK" => Value::Okay,
            b'+' => Value::SimpleString(String::from_utf8_lossy(line).into_owned()),
            b'-' => error(line)?,
            b':' => Value::Int(number(line)?),
            b'$' => match self.bulk(length(line)?)? {
                Some(bytes) => Value::BulkString(bytes.to_vec()),
                None => Value::Nil,
            },
            b'*' => match length(line)? {
                Some(_) if depth >= DEPTH_MAX => return Err(Strange),
                // Collected one by one: the list grows with what is there.
                Some(count) => Value::Array(
                    (0..count)
                        .map(|_| self.value(depth + 1))
                        .collect::<Result<_, _>>()?,
                ),
                None => Value::Nil,
            },
            _ => return Err(Strange),
        })
    }

    fn entries(&mut self) -> Result<Vec<Arc<Entry>>, Strange> {
        let count = self.list()?.unwrap_or(0);
        // Collected one by one: the list grows with what is there.
        (0..count).map(|_| self.entry()).collect()
    }

    fn entry(&mut self) -> Result<Arc<Entry>, Strange> {
        if self.list()? != Some(2) {
            return Err(Strange);
        }
        let id = std::str::from_utf8(self.text()?).map_err(|_| Strange)?;
        let id: StreamId = id.parse().map_err(|_| Strange)?;
        let count = self.list()?.unwrap_or(0);
        let mut is_whole = true;
        let parts = (0..count).map_while(|_| {
            let part = self.text();
            is_whole &= part.is_ok();
            part.ok()
        });
        let fields = Fields::pack_read(parts);
        is_whole.then(|| Arc::new(Entry::new(id, fields))).ok_or(Strange)
    }
}

/// A reply as a value.
pub(super) fn value(reply: &[u8]) -> Result<Value, Fault> {
    let mut reader = Reader(reply);
    Ok(reader.value(0)?)
}

/// The entries of an XREAD or XREADGROUP of one stream; none if there was nothing.
pub(super) fn read(reply: &[u8]) -> Result<Vec<Arc<Entry>>, Fault> {
    if reply.first() == Some(&b'-') {
        super::fault::checked(value(reply)?)?;
    }
    let mut reader = Reader(reply);
    match reader.list()? {
        None => Ok(Vec::new()),
        // Its name, and its entries.
        Some(1) if reader.list()? == Some(2) => {
            reader.text()?;
            Ok(reader.entries()?)
        }
        Some(_) => Err(Strange.into()),
    }
}

/// The entries of an XRANGE.
pub(super) fn entries(reply: &[u8]) -> Result<Vec<Arc<Entry>>, Fault> {
    if reply.first() != Some(&b'*') {
        super::fault::checked(value(reply)?)?;
    }
    Ok(Reader(reply).entries()?)
}

/// Begins a command of so many parts.
pub(super) fn command(to: &mut Vec<u8>, parts: usize) {
    head(to, b'*', parts);
}

/// One part of it.
pub(super) fn argument(to: &mut Vec<u8>, bytes: &[u8]) {
    head(to, b'$', bytes.len());
    to.extend_from_slice(bytes);
    to.extend_from_slice(b"\r\n");
}

fn head(to: &mut Vec<u8>, kind: u8, mut number: usize) {
    // By hand, as in `length`.
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    to.push(kind);
    to.extend_from_slice(&digits[at..]);
    to.extend_from_slice(b"\r\n");
}

/// A line: its kind, what follows that, and where the next begins.
type Line<'a> = (u8, &'a [u8], usize);

/// The first line; none if it is not whole.
fn line(bytes: &[u8]) -> Result<Option<Line<'_>>, Strange> {
    let Some((&kind, rest)) = bytes.split_first() else {
        return Ok(None);
    };
    let within = &rest[..rest.len().min(LINE_BYTES_MAX)];
    match memchr::memchr(b'\r', within) {
        None if within.len() == LINE_BYTES_MAX => Err(Strange),
        None => Ok(None),
        Some(end) => match rest.get(end + 1) {
            None => Ok(None),
            Some(b'\n') => Ok(Some((kind, &rest[..end], end + 3))),
            Some(_) => Err(Strange),
        },
    }
}

/// A length; none for a null.
fn length(line: &[u8]) -> Result<Option<usize>, Strange> {
    if line == b"-1" {
        return Ok(None);
    }
    // Digits by hand: there are two lengths for each field of each entry.
    let digit = |sum: usize, digit: &u8| {
        let digit = digit.checked_sub(b'0').filter(|digit| *digit < 10)?;
        sum.checked_mul(10)?.checked_add(usize::from(digit))
    };
    let length = line.iter().try_fold(0, digit).filter(|_| !line.is_empty());
    length.map(Some).ok_or(Strange)
}

fn number(line: &[u8]) -> Result<i64, Strange> {
    std::str::from_utf8(line)
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or(Strange)
}

/// Read by the client, whose own kind of error it becomes.
fn error(line: &[u8]) -> Result<Value, Strange> {
    let whole = [b"-", line, b"\r\n"].concat();
    redis::parse_redis_value(&whole).map_err(|_| Strange)
}

impl From<Strange> for Fault {
    /// Whoever answers is not Redis.
    fn from(_: Strange) -> Self {
        Self::Lost("its reply is not understood".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A value as Redis writes it.
    fn written(value: &Value, to: &mut Vec<u8>) {
        match value {
            Value::Nil => to.extend_from_slice(b"$-1\r\n"),
            Value::Okay => to.extend_from_slice(b"+OK\r\n"),
            Value::Int(number) => to.extend_from_slice(format!(":{number}\r\n").as_bytes()),
            Value::SimpleString(text) => to.extend_from_slice(format!("+{text}\r\n").as_bytes()),
            Value::BulkString(bytes) => {
                to.extend_from_slice(format!("${}\r\n", bytes.len()).as_bytes());
                to.extend_from_slice(bytes);
                to.extend_from_slice(b"\r\n");
            }
            Value::Array(values) => {
                to.extend_from_slice(format!("*{}\r\n", values.len()).as_bytes());
                values.iter().for_each(|value| written(value, to));
            }
            other => panic!("{other:?}"),
        }
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Nil),
            Just(Value::Okay),
            any::<i64>().prop_map(Value::Int),
            "[a-zA-Z ]{0,9}"
                .prop_filter("has a name of its own", |text| text != "OK")
                .prop_map(Value::SimpleString),
            prop::collection::vec(any::<u8>(), 0..40).prop_map(Value::BulkString),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            prop::collection::vec(inner, 0..6).prop_map(Value::Array)
        })
    }

    proptest! {
        #[test]
        fn replies_are_found_and_read_however_they_are_cut(
            values in prop::collection::vec(any_value(), 1..5),
            cuts in prop::collection::vec(1_usize..30, 1..50),
        ) {
            let mut bytes = Vec::new();
            values.iter().for_each(|value| written(value, &mut bytes));
            let (mut there, mut rest, mut found) = (Vec::new(), bytes.as_slice(), Vec::new());
            let mut scan = Scan::new();
            for cut in cuts.iter().cycle() {
                while let Some(end) = scan.end(&there).expect("replies") {
                    found.push(value(&there[..end]).expect("a reply"));
                    there.drain(..end);
                    scan = Scan::new();
                }
                if rest.is_empty() {
                    break;
                }
                let (now, later) = rest.split_at((*cut).min(rest.len()));
                there.extend_from_slice(now);
                rest = later;
            }
            prop_assert_eq!(found, values);
            prop_assert!(there.is_empty());
        }

        #[test]
        fn whatever_comes_is_a_reply_or_none_and_no_panic(bytes in prop::collection::vec(
            prop_oneof![any::<u8>(), prop::sample::select(b"*$:+-\r\n0129".to_vec())], 0..60,
        )) {
            let mut scan = Scan::new();
            if let Ok(Some(end)) = scan.end(&bytes) {
                let _either = value(&bytes[..end]);
                let _either = entries(&bytes[..end]);
                let _either = read(&bytes[..end]);
            }
            let _either = value(&bytes);
            let _either = entries(&bytes);
            let _either = read(&bytes);
        }
    }

    #[test]
    fn entries_are_read_with_whatever_they_hold() {
        let reply =
            b"*2\r\n*2\r\n$3\r\n5-1\r\n*2\r\n$1\r\na\r\n$4\r\n\r\n\0\xff\r\n*2\r\n$3\r\n5-2\r\n*-1\r\n";
        let found = entries(reply).expect("entries");
        assert_eq!(found[0].id, StreamId::new(5, 1));
        assert_eq!(found[0].fields.get("a"), Some(&b"\r\n\0\xff"[..]));
        assert_eq!(
            found[1].id,
            StreamId::new(5, 2),
            "an entry that was deleted in a group's hands"
        );
        assert!(entries(b"*0\r\n").is_ok_and(|entries| entries.is_empty()));
        assert!(matches!(entries(b"-WRONGTYPE no\r\n"), Err(Fault::WrongType)));
        assert!(matches!(entries(b":1\r\n"), Err(Fault::Lost(_))));
    }

    #[test]
    fn what_a_stream_gave_is_read_with_its_name_before_it() {
        let reply = b"*1\r\n*2\r\n$1\r\ns\r\n*1\r\n*2\r\n$3\r\n5-1\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n";
        let found = read(reply).expect("entries");
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].fields.get("a"), Some(&b"b"[..]));
        for nothing in [&b"*-1\r\n"[..], b"$-1\r\n"] {
            assert!(read(nothing).is_ok_and(|entries| entries.is_empty()));
        }
        assert!(matches!(read(b"-NOGROUP no\r\n"), Err(Fault::Refused(_))));
        for strange in [&b":1\r\n"[..], b"*0\r\n", b"*2\r\n", b"*1\r\n*1\r\n$1\r\ns\r\n"] {
            assert!(matches!(read(strange), Err(Fault::Lost(_))), "{strange:?}");
        }
    }

    #[test]
    fn commands_are_packed_as_the_client_packs_them() {
        for parts in [
            &[&b"XADD"[..], b"", b"\r\n\0"][..],
            &[&b"a"[..]; 12],
            &[&[7; 100_000][..]],
        ] {
            let mut packed = Vec::new();
            command(&mut packed, parts.len());
            parts.iter().for_each(|part| argument(&mut packed, part));
            let mut wanted = redis::Cmd::new();
            for part in parts {
                wanted.arg(*part);
            }
            assert_eq!(packed, wanted.get_packed_command());
        }
    }

    #[test]
    fn a_length_that_is_only_claimed_takes_nothing() {
        for lie in [
            &b"*999999999999\r\n"[..],
            b"$999999999999\r\nx",
            b"*1\r\n$18446744073709551615\r\n",
            b"$18446744073709551614\r\n",
        ] {
            let found = Scan::new().end(lie);
            assert!(matches!(found, Ok(None) | Err(Strange)), "{lie:?}");
            assert!(value(lie).is_err());
        }
        let deep = b"*1\r\n".repeat(100_000);
        assert!(value(&deep).is_err());
    }
}
