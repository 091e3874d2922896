//! Reading what Redis replies.

use std::sync::Arc;

use redis::Value;

use super::fault::{Fault, checked};
use crate::{Entry, Fields, StreamId, StreamInfo};

/// A stream, as `XINFO STREAM` tells of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Reach {
    pub(super) info: StreamInfo,
    /// Entries since the stream began, those that are gone with them. None before Redis 7.
    pub(super) added: Option<u64>,
}

impl Reach {
    /// Of a stream that does not exist.
    pub(super) fn of_nothing() -> Self {
        Self {
            added: Some(0),
            ..Self::default()
        }
    }
}

/// The entries of an XRANGE.
pub(super) fn entries(reply: Value) -> Result<Vec<Arc<Entry>>, Fault> {
    array(reply)?.into_iter().map(entry).collect()
}

/// The entries of an XREAD of one stream; none if there was nothing.
pub(super) fn read(reply: Value) -> Result<Vec<Arc<Entry>>, Fault> {
    if reply == Value::Nil {
        return Ok(Vec::new());
    }
    let stream = array(reply)?.pop().ok_or_else(|| strange("XREAD"))?;
    entries(array(stream)?.pop().ok_or_else(|| strange("XREAD"))?)
}

/// An EXEC that did everything.
pub(super) fn all_done(reply: Value) -> Result<(), Fault> {
    array(reply)?
        .into_iter()
        .try_for_each(|one| checked(one).map(drop))
}

/// Who owes how many entries, of an XPENDING without a range.
pub(super) fn owing(reply: Value) -> Result<Vec<(String, usize)>, Fault> {
    match array(reply)?.into_iter().nth(3) {
        None => Err(strange("XPENDING")),
        Some(Value::Nil) => Ok(Vec::new()),
        Some(owing) => array(owing)?
            .into_iter()
            .map(|one| match &array(one)?[..] {
                [owner, count] => {
                    let count = text(count).parse().map_err(|_| strange("XPENDING"))?;
                    Ok((text(owner), count))
                }
                _ => Err(strange("XPENDING")),
            })
            .collect(),
    }
}

/// What is owed and by whom, of an XPENDING with a range.
pub(super) fn owed(reply: Value) -> Result<Vec<(StreamId, String)>, Fault> {
    array(reply)?
        .into_iter()
        .map(|one| match &array(one)?[..] {
            [entry, owner, ..] => Ok((id(entry)?, text(owner))),
            _ => Err(strange("XPENDING")),
        })
        .collect()
}

/// Up to where entries were given to a group, of an XINFO GROUPS; none if there is no such group.
pub(super) fn last_delivered(reply: Value, group: &str) -> Result<Option<StreamId>, Fault> {
    for one in array(reply)? {
        let (mut is_it, mut last) = (false, None);
        let mut parts = array(one)?.into_iter();
        while let (Some(name), Some(value)) = (parts.next(), parts.next()) {
            match bytes(&name) {
                b"name" => is_it = bytes(&value) == group.as_bytes(),
                b"last-delivered-id" => last = Some(id(&value)?),
                _ => {}
            }
        }
        if is_it {
            return Ok(last);
        }
    }
    Ok(None)
}

/// A list of names.
pub(super) fn texts(reply: Value) -> Result<Vec<String>, Fault> {
    Ok(array(reply)?.iter().map(text).collect())
}

fn text(reply: &Value) -> String {
    String::from_utf8_lossy(bytes(reply)).into_owned()
}

/// The answer to TIME, in milliseconds.
pub(super) fn time_ms(reply: Value) -> Result<u64, Fault> {
    let parts = array(reply)?;
    let part =
        |index: usize| -> Option<u64> { std::str::from_utf8(bytes(parts.get(index)?)).ok()?.parse().ok() };
    let (seconds, us) = part(0).zip(part(1)).ok_or_else(|| strange("the time"))?;
    Ok(seconds.saturating_mul(1_000).saturating_add(us / 1_000))
}

/// An id, as XADD answers it.
pub(super) fn id(reply: &Value) -> Result<StreamId, Fault> {
    let text = match reply {
        Value::BulkString(bytes) => std::str::from_utf8(bytes).ok(),
        Value::SimpleString(text) => Some(text.as_str()),
        _ => None,
    };
    text.and_then(|text| text.parse().ok())
        .ok_or_else(|| strange("an id"))
}

/// A number.
pub(super) fn number(reply: &Value) -> Result<u64, Fault> {
    match reply {
        Value::Int(number) => u64::try_from(*number).ok(),
        _ => None,
    }
    .ok_or_else(|| strange("a number"))
}

/// An `XINFO STREAM`, of a stream that need not exist.
pub(super) fn reach_or_nothing(reply: Value) -> Result<Reach, Fault> {
    match checked(reply) {
        Ok(reply) => reach(reply),
        Err(Fault::Refused(text)) if text.contains("no such key") => Ok(Reach::of_nothing()),
        Err(fault) => Err(fault),
    }
}

fn reach(reply: Value) -> Result<Reach, Fault> {
    let mut reach = Reach::default();
    let mut parts = array(reply)?.into_iter();
    while let (Some(name), Some(value)) = (parts.next(), parts.next()) {
        let info = &mut reach.info;
        match bytes(&name) {
            b"length" => info.length = number(&value)?,
            b"last-generated-id" => info.newest = id(&value)?,
            b"entries-added" => reach.added = Some(number(&value)?),
            b"first-entry" => info.first = entry_id(value)?,
            b"last-entry" => info.last = entry_id(value)?,
            _ => {}
        }
    }
    let info = &mut reach.info;
    if reach.added != Some(info.length) {
        info.trimmed_through = match info.first {
            Some(first) => first.prev().unwrap_or_default(),
            None => info.newest,
        };
    }
    Ok(reach)
}

fn entry(reply: Value) -> Result<Arc<Entry>, Fault> {
    let mut parts = array(reply)?.into_iter();
    let (Some(id_part), Some(fields)) = (parts.next(), parts.next()) else {
        return Err(strange("an entry"));
    };
    let fields = array(fields)?;
    let fields = Fields::pack_read(fields.iter().map(bytes));
    Ok(Arc::new(Entry::new(id(&id_part)?, fields)))
}

fn entry_id(reply: Value) -> Result<Option<StreamId>, Fault> {
    if reply == Value::Nil {
        return Ok(None);
    }
    let parts = array(reply)?;
    parts.first().map(id).transpose()
}

fn array(reply: Value) -> Result<Vec<Value>, Fault> {
    match reply {
        Value::Array(values) => Ok(values),
        Value::ServerError(error) => Err(Fault::from(&error)),
        _ => Err(strange("a list")),
    }
}

fn bytes(reply: &Value) -> &[u8] {
    match reply {
        Value::BulkString(bytes) => bytes,
        Value::SimpleString(text) => text.as_bytes(),
        Value::Okay => b"OK",
        _ => &[],
    }
}

/// Whoever answers is not Redis, or not one that is known here.
fn strange(wanted: &str) -> Fault {
    Fault::Lost(format!("its reply is not understood: {wanted} was expected"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    fn xinfo(length: i64, added: Option<i64>, first: Option<&str>) -> Value {
        let entry = |id| Value::Array(vec![text(id), Value::Array(vec![text("a"), text("b")])]);
        let mut parts = vec![
            text("length"),
            Value::Int(length),
            text("last-generated-id"),
            text("9-1"),
        ];
        parts.extend([text("first-entry"), first.map_or(Value::Nil, entry)]);
        if let Some(added) = added {
            parts.extend([text("entries-added"), Value::Int(added)]);
        }
        Value::Array(parts)
    }

    #[test]
    fn how_far_a_stream_was_trimmed_is_known_from_its_counts() {
        for (length, added, first, wanted) in [
            (3, Some(3), Some("5-0"), "0-0"),
            (3, Some(4), Some("5-1"), "5-0"),
            (3, Some(4), Some("5-0"), "4-18446744073709551615"),
            (0, Some(4), None, "9-1"),
            (3, None, Some("5-1"), "5-0"),
        ] {
            let reach = reach(xinfo(length, added, first)).expect("well formed");
            assert_eq!(reach.info.trimmed_through.to_string(), wanted);
            assert_eq!(reach.info.newest, StreamId::new(9, 1));
        }
    }

    #[test]
    fn who_owes_what_is_read() {
        let ids = [text("1-1"), text("2-0")];
        let owing = |names: &[&str]| {
            let one = |name: &&str| Value::Array(vec![text(name), text("3")]);
            Value::Array(names.iter().map(one).collect())
        };
        let summary = |owing| Value::Array([vec![Value::Int(3)], ids.to_vec(), vec![owing]].concat());
        let found = super::owing(summary(owing(&["a", "b"]))).expect("well formed");
        assert_eq!(found, [("a".to_owned(), 3), ("b".to_owned(), 3)]);
        assert_eq!(super::owing(summary(Value::Nil)), Ok(Vec::new()));
        let row = |id: &Value| Value::Array(vec![id.clone(), text("a"), Value::Int(7), Value::Int(1)]);
        let found = owed(Value::Array(ids.iter().map(row).collect())).expect("well formed");
        let a = || "a".to_owned();
        assert_eq!(found, [(StreamId::new(1, 1), a()), (StreamId::new(2, 0), a())]);
        for strange in [Value::Nil, text("x"), Value::Array(vec![text("x")])] {
            assert!(
                matches!(super::owing(strange.clone()), Err(Fault::Lost(_))),
                "{strange:?}"
            );
            assert!(
                matches!(owed(strange.clone()), Err(Fault::Lost(_))),
                "{strange:?}"
            );
        }
    }

    #[test]
    fn strange_replies_are_no_panics() {
        let strange = [
            Value::Int(3),
            text("x"),
            Value::Array(vec![text("1-1")]),
            Value::Array(vec![Value::Array(vec![text("x"), Value::Array(vec![])])]),
            Value::Array(vec![Value::Array(vec![text("1-1"), Value::Nil])]),
        ];
        for reply in strange {
            assert!(matches!(entries(reply.clone()), Err(Fault::Lost(_))), "{reply:?}");
        }
        for reply in [Value::Int(3), Value::Array(vec![]), Value::Array(vec![text("x")])] {
            assert!(matches!(read(reply.clone()), Err(Fault::Lost(_))), "{reply:?}");
        }
        assert_eq!(read(Value::Nil).expect("nothing").len(), 0);
    }
}
