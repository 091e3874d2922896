//! Tells what a file is that is none of the exports, and what its owner can do about it.

/// Signatures of files that people take for an export, in the order in which they are tried.
const BINARIES: &[(&[u8], &str, &str)] = &[
    (
        b"SQLite format 3\0",
        "an SQLite database, such as an app keeps for itself",
        "Export the chat from the app instead: in WhatsApp or Telegram, open it and choose Export chat",
    ),
    (b"\xFF\xD8\xFF", "a picture (JPEG)", ONLY_TEXT),
    (b"\x89PNG", "a picture (PNG)", ONLY_TEXT),
    (b"GIF8", "a picture (GIF)", ONLY_TEXT),
    (b"%PDF", "a PDF document", ONLY_TEXT),
    (b"OggS", "a sound", ONLY_TEXT),
    (b"ID3", "a sound", ONLY_TEXT),
    (b"Rar!", "a RAR archive", "Unpack it and hand over the folder"),
    (
        b"7z\xBC\xAF",
        "a 7-Zip archive",
        "Unpack it and hand over the folder",
    ),
    (
        b"\x1F\x8B",
        "a gzip archive",
        "Unpack it and hand over what is in it",
    ),
    (
        b"PK\x03\x04",
        "a zip archive inside an archive",
        "Unpack the outer one and hand over the folder",
    ),
    (b"SQLCipher", "an encrypted database", EXPORT_INSTEAD),
];

const ONLY_TEXT: &str =
    "Hand over the export itself: for WhatsApp the .txt or .zip, for Telegram result.json";

const EXPORT_INSTEAD: &str = "It cannot be read without the app's key. Export the chat from the app instead: open it and \
                              choose Export chat";

/// What a file looks like that begins with `head`, and what to do.
pub(crate) fn like(name: &str, head: &[u8]) -> (String, String) {
    let owned = |looks: &str, to_do: &str| (looks.to_owned(), to_do.to_owned());
    if head.is_empty() {
        return owned(
            "it is empty",
            "Export the chat again; if it stays empty, copy the file again",
        );
    }
    let lower = name.to_ascii_lowercase();
    if lower.contains(".crypt") {
        return owned("it looks like WhatsApp's encrypted backup", EXPORT_INSTEAD);
    }
    if let Some((_, looks, to_do)) = BINARIES.iter().find(|(sign, ..)| head.starts_with(sign)) {
        return (format!("it looks like {looks}"), (*to_do).to_owned());
    }
    if head.get(4..8) == Some(b"ftyp") {
        return owned("it looks like a video or a sound", ONLY_TEXT);
    }
    let text = String::from_utf8_lossy(head);
    let start = text.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{FEFF}');
    if start.starts_with('<') {
        return html(&text);
    }
    if start.starts_with(['{', '[']) {
        return owned(
            "it is JSON, but without what a Telegram export has (\"messages\" with \"date_unixtime\" or \"from_id\")",
            "From Telegram Desktop, hand over result.json of an export in the format “Machine-readable JSON”",
        );
    }
    if head.contains(&0) {
        return owned("it is binary, and of no kind this program knows", ONLY_TEXT);
    }
    owned(
        "it is text, but no line begins with a date, a time and a dash or bracket, as those of a WhatsApp export do",
        "In WhatsApp, open the chat, its menu, More, Export chat, and hand over the file as it is",
    )
}

fn html(text: &str) -> (String, String) {
    let telegram = text.contains("tgme_") || text.contains("Exported Data") || text.contains("page_wrap");
    if telegram {
        let looks = "it looks like Telegram's export in the format HTML";
        let to_do = "Export again from Telegram Desktop and choose the format “Machine-readable JSON”, then hand over \
                     result.json";
        return (looks.to_owned(), to_do.to_owned());
    }
    ("it looks like a web page".to_owned(), ONLY_TEXT.to_owned())
}
