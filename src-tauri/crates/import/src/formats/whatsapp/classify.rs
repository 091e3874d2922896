//! Tells what a message is from its text: words, or what the app wrote in place of something else.

use std::collections::HashMap;
use std::sync::LazyLock;

use chatstats_model::{Attachment, Kind};

use super::cursor::is_mark;
use super::words::{ATTACHED, CALLS, DELETED, ENCRYPTION, OMITTED};

/// The mark that iOS, and Android in some versions, put before what the app itself writes.
const APP_MARK: char = '\u{200E}';

/// Placeholders of the app are short. What is longer is looked at only for a file's name.
const PLACEHOLDER_BYTES_MAX: usize = 160;

/// The longest phrase in the tables, generously.
const PHRASE_BYTES_MAX: usize = 96;

/// What a message is, and the file it came with. `sender` and `title` tell notices of the app on iOS apart, which
/// have an author too.
pub(super) fn message(text: &str, sender: &str, title: Option<&str>) -> (Kind, Vec<Attachment>) {
    if let Some(attachment) = attached(text) {
        return (Kind::Media, vec![attachment]);
    }
    if text.len() > PLACEHOLDER_BYTES_MAX && !text.starts_with(APP_MARK) {
        return (Kind::Text, Vec::new());
    }
    let bare = text.trim_matches(|c: char| is_mark(c) || c == '.');
    match placeholder(bare) {
        Some(Placeholder::Deleted) => return (Kind::Deleted, Vec::new()),
        Some(Placeholder::Omitted(kind)) => return (Kind::Media, vec![of_kind(kind)]),
        None => {}
    }
    if is_bracketed(bare) {
        return (Kind::Media, vec![Attachment::default()]);
    }
    let marked = text.starts_with(APP_MARK);
    if is_call(bare) && (marked || bare.len() < 60) {
        return (Kind::Call, Vec::new());
    }
    if let Some(kind) = other(bare, marked) {
        return (Kind::Other, vec![of_kind(kind)]);
    }
    if marked && is_notice(bare, sender, title) {
        return (Kind::System, Vec::new());
    }
    match omitted_document(text) {
        Some(attachment) => (Kind::Media, vec![attachment]),
        None => (Kind::Text, Vec::new()),
    }
}

/// What a line without an author is.
pub(super) fn app_line(text: &str) -> Kind {
    if is_call(text.trim_matches(is_mark)) {
        Kind::Call
    } else {
        Kind::System
    }
}

enum Placeholder {
    Deleted,
    Omitted(&'static str),
}

static PLACEHOLDERS: LazyLock<HashMap<&str, Placeholder, foldhash::fast::FixedState>> = LazyLock::new(|| {
    let deleted = DELETED.iter().map(|text| (*text, Placeholder::Deleted));
    let omitted = OMITTED
        .iter()
        .map(|(text, kind)| (*text, Placeholder::Omitted(kind)));
    deleted.chain(omitted).collect()
});

fn placeholder(text: &str) -> Option<&'static Placeholder> {
    if text.len() > PHRASE_BYTES_MAX {
        return None;
    }
    PLACEHOLDERS.get(text)
}

fn is_call(text: &str) -> bool {
    // All begin with a capital letter, as few lines of text in most scripts do.
    text.starts_with(char::is_uppercase) && CALLS.iter().any(|call| text.starts_with(call))
}

fn is_notice(text: &str, sender: &str, title: Option<&str>) -> bool {
    let about_sender = text
        .strip_prefix(sender)
        .is_some_and(|after| after.starts_with(' '));
    title == Some(sender) || about_sender || ENCRYPTION.iter().any(|words| text.contains(words))
}

/// Polls, places and contacts, which have a text.
fn other(text: &str, marked: bool) -> Option<&'static str> {
    if text.starts_with("POLL:\n") || (marked && text.starts_with("POLL:")) {
        return Some("poll");
    }
    let (label, link) = text.split_once(':')?;
    let link = link.strip_prefix(' ')?;
    let is_map =
        link.starts_with("https://maps.google.com/?q=") || link.starts_with("https://foursquare.com/v/");
    (is_map && label.len() < 40).then_some("location")
}

/// `<Media omitted>` in any language: two words or more in angle brackets, and nothing that code has.
fn is_bracketed(text: &str) -> bool {
    let Some(inner) = text.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')) else {
        return false;
    };
    let mut words = 0;
    for word in inner.split(' ') {
        words += 1;
        if word.is_empty()
            || !word
                .chars()
                .all(|c| c.is_alphabetic() || (!c.is_ascii() && !c.is_control()))
        {
            return false;
        }
    }
    // Scripts without spaces write it as one word, in letters that code does not have.
    (2..=6).contains(&words) || (words == 1 && !inner.is_empty() && !inner.is_ascii())
}

/// The file of a message that names one.
fn attached(text: &str) -> Option<Attachment> {
    let last = text.trim_end_matches(is_mark);
    if last.ends_with('>') {
        return attached_on_ios(last);
    }
    // The name, then words in parentheses, then a caption on the lines below.
    let first = text.split('\n').next()?;
    let first = first.trim_matches(is_mark);
    let (name, words) = first.strip_suffix(')')?.rsplit_once(" (")?;
    let extension = extension(name)?;
    let known = ATTACHED.contains(&words) || text.starts_with(APP_MARK) || is_whatsapp_name(name);
    known.then(|| file(name, extension))
}

/// `<attached: 00000001-PHOTO-2020-01-01.jpg>`, after a caption or alone.
fn attached_on_ios(text: &str) -> Option<Attachment> {
    let (before, inner) = text.strip_suffix('>')?.rsplit_once('<')?;
    let (_, name) = inner.split_once(':')?;
    let name = name.trim_matches(|c: char| c.is_whitespace() || is_mark(c));
    let extension = extension(name)?;
    let alone = before.trim_matches(is_mark).is_empty();
    let marked = before.ends_with(APP_MARK);
    (alone || marked).then(|| file(name, extension))
}

/// `report.pdf • 12 pages document omitted`, with the app's mark before what the app wrote.
fn omitted_document(text: &str) -> Option<Attachment> {
    let (name, words) = text.rsplit_once(APP_MARK)?;
    let Some(Placeholder::Omitted(kind)) = placeholder(words) else {
        return None;
    };
    let name = name
        .split(" • ")
        .next()
        .map(|name| name.trim_matches(|c: char| is_mark(c) || c == ' '));
    let name = name.filter(|name| extension(name).is_some());
    Some(Attachment {
        name: name.map(str::to_owned),
        ..of_kind(kind)
    })
}

/// `IMG-20200101-WA0001.jpg`: the app's own way to name a file.
fn is_whatsapp_name(name: &str) -> bool {
    let mut parts = name.splitn(3, '-');
    let (Some(kind), Some(date), Some(number)) = (parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    kind.len() == 3 && date.len() == 8 && date.bytes().all(|b| b.is_ascii_digit()) && number.starts_with("WA")
}

fn extension(name: &str) -> Option<&str> {
    let (stem, extension) = name.rsplit_once('.')?;
    let plausible =
        (2..=5).contains(&extension.len()) && extension.bytes().all(|b| b.is_ascii_alphanumeric());
    (plausible && !stem.is_empty()).then_some(extension)
}

fn file(name: &str, extension: &str) -> Attachment {
    let kind = match extension.to_ascii_lowercase().as_str() {
        "jpg" | "jpeg" | "png" | "heic" => "image",
        "mp4" | "mov" | "3gp" | "avi" | "mkv" => "video",
        "opus" => "voice",
        "mp3" | "m4a" | "aac" | "ogg" | "wav" => "audio",
        "webp" => "sticker",
        "gif" => "animation",
        "vcf" => "contact",
        _ => "document",
    };
    Attachment {
        name: Some(name.to_owned()),
        ..of_kind(kind)
    }
}

fn of_kind(kind: &str) -> Attachment {
    Attachment {
        kind: Some(kind.to_owned()),
        ..Attachment::default()
    }
}
