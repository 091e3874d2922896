//! A place in a stream: what `id:` carries and `Last-Event-ID` brings back.

use std::fmt;

use chatstats_model::{ChatId, Rev};

/// A place in the messages of one chat. On the wire it is opaque; inside it is the database's epoch, the chat and
/// the position up to which the reader has everything. The epoch keeps the numbers of one database from being taken
/// for those of another, restored or made anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place<'a> {
    pub(crate) epoch: &'a str,
    pub(crate) chat: ChatId,
    pub(crate) rev: Rev,
}

impl<'a> Place<'a> {
    /// Reads an id back; `None` if it is none of ours.
    pub(crate) fn parse(id: &'a str) -> Option<Self> {
        let mut parts = id.rsplitn(3, '-');
        let rev = number(parts.next()?)?;
        let chat = number(parts.next()?)?;
        Some(Self {
            epoch: parts.next()?,
            chat: ChatId(chat),
            rev: Rev(rev),
        })
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.epoch, self.chat, self.rev)
    }
}

fn number(digits: &str) -> Option<i64> {
    digits
        .bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_comes_back_as_it_went() {
        let place = Place {
            epoch: "7f-3a",
            chat: ChatId(12),
            rev: Rev(93_452),
        };
        assert_eq!(place.to_string(), "7f-3a-12-93452");
        assert_eq!(Place::parse("7f-3a-12-93452"), Some(place));
        for id in [
            "",
            "1",
            "1-2",
            "x-1-",
            "x--1",
            "x-1-2a",
            "x-1-99999999999999999999",
            "x-+1-2",
        ] {
            assert_eq!(Place::parse(id), None, "{id}");
        }
    }
}
