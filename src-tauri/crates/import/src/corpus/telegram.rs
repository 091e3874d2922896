//! The conversation as Telegram Desktop exports it: one chat, or a whole account.

use std::io::{self, Write};

use chatstats_model::Kind;
use serde_json::json;

use super::{AUTHORS, Expected, Line, LineKind};

/// The account whose export [`write_account`] writes: the first author's.
pub const USER_ID: i64 = 100;

/// Writes `lines` as the export of one group.
pub fn write_chat(
    title: &str,
    lines: impl IntoIterator<Item = Line>,
    out: &mut impl Write,
) -> io::Result<()> {
    write_one(title, 900, lines, out)
}

/// Writes an export of a whole account with one chat for each of `chats`, the last one among those that were left.
pub fn write_account<L: IntoIterator<Item = Line>>(
    chats: Vec<(String, L)>,
    out: &mut impl Write,
) -> io::Result<()> {
    write!(
        out,
        "{{\n \"about\": \"All of it.\",\n \"personal_information\": {{\"user_id\": {USER_ID}, \"first_name\": \"Ann\"}},\n \
         \"chats\": {{\"about\": \"Chats.\", \"list\": ["
    )?;
    let last = chats.len().saturating_sub(1);
    for (number, (title, lines)) in chats.into_iter().enumerate() {
        match number {
            0 if last == 0 => out.write_all(b"]}, \"left_chats\": {\"list\": [")?,
            0 => {}
            number if number == last => out.write_all(b"]}, \"left_chats\": {\"list\": [")?,
            _ => out.write_all(b",")?,
        }
        write_one(&title, 1_000 + number as i64, lines, out)?;
    }
    out.write_all(b"]}\n}\n")
}

/// What a reader must make of `line`.
pub fn expected(line: &Line) -> Expected {
    let (kind, content) = match line.kind {
        LineKind::Text => (Kind::Text, line.text.clone()),
        LineKind::Media => (Kind::Media, String::new()),
        LineKind::Deleted => (Kind::Text, "…".to_owned()),
        LineKind::Call => (Kind::System, format!("{} called: 1:05 minutes", line.author)),
        LineKind::System => (Kind::System, format!("{} pinned a message", line.author)),
    };
    let author = (kind != Kind::System).then_some(line.author);
    Expected {
        author,
        seconds: line.seconds,
        content,
        kind,
    }
}

fn write_one(
    title: &str,
    id: i64,
    lines: impl IntoIterator<Item = Line>,
    out: &mut impl Write,
) -> io::Result<()> {
    let title = json!(title);
    write!(
        out,
        "{{\n \"name\": {title},\n \"type\": \"private_supergroup\",\n \"id\": {id},\n \"messages\": ["
    )?;
    for (number, line) in lines.into_iter().enumerate() {
        out.write_all(if number == 0 { b"\n  " } else { b",\n  " })?;
        write_line(number + 1, &line, out)?;
    }
    out.write_all(b"\n ]\n}")
}

fn write_line(id: usize, line: &Line, out: &mut impl Write) -> io::Result<()> {
    let expected = expected(line);
    let user = AUTHORS
        .iter()
        .position(|author| *author == line.author)
        .unwrap_or(0) as i64
        + USER_ID;
    let date = jiff::Timestamp::from_second(line.seconds).map_err(io::Error::other)?;
    let date = date.strftime("%Y-%m-%dT%H:%M:%S");
    let author = json!(line.author);
    write!(
        out,
        "{{\"id\": {id}, \"date\": \"{date}\", \"date_unixtime\": \"{}\", ",
        line.seconds
    )?;
    if expected.kind == Kind::System {
        let action = if line.kind == LineKind::Call {
            "phone_call"
        } else {
            "pin_message"
        };
        let duration = if line.kind == LineKind::Call {
            "\"duration_seconds\": 65, "
        } else {
            ""
        };
        return write!(
            out,
            "\"type\": \"service\", \"actor\": {author}, \"actor_id\": \"user{user}\", \"action\": \"{action}\", \
             {duration}\"text\": \"\", \"text_entities\": []}}"
        );
    }
    write!(
        out,
        "\"type\": \"message\", \"from\": {author}, \"from_id\": \"user{user}\", "
    )?;
    if line.kind == LineKind::Media {
        out.write_all(
            b"\"photo\": \"photos/photo_1.jpg\", \"photo_file_size\": 4711, \"width\": 4, \"height\": 3, ",
        )?;
    }
    match expected.content.split_once(' ') {
        // The first word in bold: a text of pieces.
        Some((bold, rest)) if id.is_multiple_of(5) => {
            let pieces = json!([{"type": "bold", "text": bold}, format!(" {rest}")]);
            write!(out, "\"text\": {pieces}}}")
        }
        _ => write!(out, "\"text\": {}}}", json!(expected.content)),
    }
}
