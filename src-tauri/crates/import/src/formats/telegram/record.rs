//! From Telegram's record to the program's own.

use std::borrow::Cow;

use chatstats_model::{Attachment, Kind, Reaction, Timestamp};

use super::row::{RawReaction, Row, Word};
use super::service;
use crate::clock::{Clock, Day};
use crate::{Record, Sender};

/// The name shown for accounts that no longer exist: the export gives none.
const DELETED_ACCOUNT: &str = "Deleted Account";

/// The record of a row, without telling whether it is the user's own. The error says what the row lacks.
pub(super) fn record(row: &Row, clock: &mut Clock) -> Result<Record, String> {
    let timestamp =
        time(row.date_unixtime.as_ref(), row.date.as_deref(), clock).ok_or("has no date that can be read")?;
    let edited_at = time(row.edited_unixtime.as_ref(), row.edited.as_deref(), clock);
    let service = match row.kind.as_deref() {
        Some("service") => true,
        Some(_) => false,
        None => return Err("has no type".to_owned()),
    };
    let (kind, content, attachments) = if service {
        (Kind::System, service::content(row), Vec::new())
    } else {
        body(row)
    };
    Ok(Record {
        key: row.id.map(|id| id.to_string()),
        sender: if service { None } else { sender(row) },
        is_from_me: false,
        content,
        timestamp,
        kind,
        // A reply to another chat's message has a number that means something else here.
        reply_to: row
            .reply_to_message_id
            .filter(|_| row.reply_to_peer_id.is_none())
            .map(|id| id.to_string()),
        edited_at,
        reactions: row.reactions.iter().map(reaction).collect(),
        attachments,
    })
}

fn time(unix: Option<&Word>, local: Option<&str>, clock: &mut Clock) -> Option<Timestamp> {
    if let Some(Word(seconds)) = unix
        && let Ok(seconds) = seconds.parse()
    {
        // Zero stands for never: messages that were not edited have it in some versions.
        return Timestamp::from_seconds(seconds).filter(|_| seconds != 0);
    }
    let local = local?.as_bytes();
    // 2024-01-15T10:30:00, and nothing else.
    let number = |from: usize, to: usize| -> Option<u16> {
        std::str::from_utf8(local.get(from..to)?).ok()?.parse().ok()
    };
    let day = Day::new(number(0, 4)?, number(5, 7)?, number(8, 10)?)?;
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    if hour > 23 || minute > 59 || second > 60 || day.days == 0 {
        return None;
    }
    clock.instant(day, hour as u8, minute as u8, second.min(59) as u8)
}

fn sender(row: &Row) -> Option<Sender> {
    let id = row.from_id.as_ref().map(|id| account(&id.0).into_owned());
    match (id, row.from.as_deref()) {
        (Some(key), name) => Some(Sender {
            key,
            name: name.unwrap_or(DELETED_ACCOUNT).to_owned(),
        }),
        (None, Some(name)) => Some(Sender {
            key: name.to_owned(),
            name: name.to_owned(),
        }),
        (None, None) => None,
    }
}

/// Old versions wrote the bare number of a user.
pub(super) fn account(id: &str) -> Cow<'_, str> {
    if id.bytes().all(|b| b.is_ascii_digit()) {
        Cow::Owned(format!("user{id}"))
    } else {
        Cow::Borrowed(id)
    }
}

fn body(row: &Row) -> (Kind, String, Vec<Attachment>) {
    let text = if row.text.0.is_empty() {
        &row.text_entities.0
    } else {
        &row.text.0
    };
    if let Some((words, kind, name)) = other(row) {
        let content = if text.is_empty() {
            words
        } else {
            text.clone().into_owned()
        };
        let attachment = Attachment {
            name,
            kind: Some(kind.to_owned()),
            ..Attachment::default()
        };
        return (Kind::Other, content, vec![attachment]);
    }
    let attachments: Vec<Attachment> = photo(row).into_iter().chain(file(row)).collect();
    let kind = match attachments.is_empty() {
        false => Kind::Media,
        true if row.invoice_information.is_some() || text.is_empty() => Kind::Other,
        true => Kind::Text,
    };
    (kind, text.clone().into_owned(), attachments)
}

/// What has fields of its own instead of a text: its words, what it is, and its name.
fn other(row: &Row) -> Option<(String, &'static str, Option<String>)> {
    if let Some(poll) = &row.poll {
        let answers: String = poll
            .answers
            .iter()
            .map(|answer| format!("\n- {}", answer.text))
            .collect();
        return Some((
            format!("{}{answers}", poll.question),
            "poll",
            Some(poll.question.clone()),
        ));
    }
    if let Some(card) = &row.contact_information {
        let name = format!("{} {}", card.first_name, card.last_name)
            .trim()
            .to_owned();
        let words = format!("{name} {}", card.phone_number).trim().to_owned();
        return Some((words, "contact", Some(name)));
    }
    if row.location_information.is_some() {
        let place = row.place_name.as_deref().map(str::to_owned);
        return Some((place.clone().unwrap_or_default(), "location", place));
    }
    row.game_title
        .as_ref()
        .map(|title| (title.clone(), "game", Some(title.clone())))
}

fn photo(row: &Row) -> Option<Attachment> {
    let path = row.photo.as_deref()?;
    Some(Attachment {
        name: exported(path),
        kind: Some("image".to_owned()),
        media_type: None,
        size_bytes: row.photo_file_size,
    })
}

fn file(row: &Row) -> Option<Attachment> {
    if row.file.is_none() && row.media_type.is_none() {
        return None;
    }
    let mime = row.mime_type.as_deref();
    let kind = match row.media_type.as_deref() {
        Some("sticker") => "sticker",
        Some("video_message" | "video_file") => "video",
        Some("voice_message") => "voice",
        Some("animation") => "animation",
        Some("audio_file") => "audio",
        Some(other) => other,
        None => {
            let family = mime.and_then(|mime| mime.split('/').next());
            family
                .filter(|family| matches!(*family, "image" | "video" | "audio"))
                .unwrap_or("document")
        }
    };
    let name = row.file_name.as_deref().map(str::to_owned);
    Some(Attachment {
        name: name.or_else(|| row.file.as_deref().and_then(exported)),
        kind: Some(kind.to_owned()),
        media_type: mime.map(str::to_owned),
        size_bytes: row.file_size,
    })
}

/// The path of an exported file. Where it was not exported, a sentence in parentheses says why.
fn exported(path: &str) -> Option<String> {
    (!path.starts_with('(')).then(|| path.to_owned())
}

fn reaction(raw: &RawReaction) -> Reaction {
    let senders: Vec<String> = raw
        .recent
        .iter()
        .filter_map(|reactor| reactor.from.clone())
        .collect();
    let name = raw
        .emoji
        .clone()
        .or_else(|| raw.document_id.clone())
        .or_else(|| raw.kind.clone());
    Reaction {
        emoji: name.unwrap_or_default(),
        count: raw.count.max(u32::try_from(senders.len()).unwrap_or(u32::MAX)),
        senders,
    }
}
