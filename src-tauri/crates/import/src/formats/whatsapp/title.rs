//! What the name of a file or folder says about the chat in it.

use std::path::Path;

use crate::Export;

/// Words between the program's name and the chat's in `WhatsApp Chat with Ann.txt`, in the languages it is most used
/// in; languages that write ` - ` instead need none.
const CONNECTING: &[&str] = &[
    "with",
    "mit",
    "con",
    "avec",
    "com",
    "met",
    "с",
    "з",
    "z",
    "ze",
    "s",
    "se",
    "ile",
    "dengan",
    "med",
    "cu",
    "với",
    "मध्ये",
];

/// The chat's title, from the entry's name, the file's or the folder's: the first that has the form of one.
pub(super) fn of(export: &Export) -> Option<String> {
    let entry = export.entry.as_deref().map(Path::new);
    let folder = export.path.parent();
    [entry, Some(export.path.as_path()), folder]
        .into_iter()
        .flatten()
        .find_map(|path| {
            let name = path.file_name()?.to_str()?;
            from_name(name)
        })
}

fn from_name(name: &str) -> Option<String> {
    let stem = name
        .strip_suffix(".txt")
        .or_else(|| name.strip_suffix(".zip"))
        .unwrap_or(name);
    let stem = without_copy_number(stem.trim());
    let at = stem.find("WhatsApp")?;
    if let Some((_, title)) = stem[at..].split_once(" - ") {
        return title_from(title);
    }
    let words = stem[at..].match_indices(' ').map(|(space, _)| at + space + 1);
    let after = |start: usize| {
        let (word, title) = stem[start..].split_once(' ')?;
        CONNECTING.contains(&word).then_some(title)
    };
    words.into_iter().find_map(after).and_then(title_from)
}

fn title_from(title: &str) -> Option<String> {
    let title = title.trim();
    (!title.is_empty()).then(|| title.to_owned())
}

/// Browsers put ` (1)` behind the name of a file that is there already.
fn without_copy_number(stem: &str) -> &str {
    let cut = stem.strip_suffix(')').and_then(|rest| rest.rsplit_once(" ("));
    match cut {
        Some((name, number)) if !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => stem,
    }
}

#[cfg(test)]
mod tests {
    use super::from_name;

    #[test]
    fn titles_are_found_in_the_names_of_many_languages() {
        for (name, want) in [
            ("WhatsApp Chat with Ann Lee.txt", Some("Ann Lee")),
            ("WhatsApp Chat - Book club (2024).zip", Some("Book club")),
            ("WhatsApp Chat with Ann (1).txt", Some("Ann")),
            ("WhatsApp-Chat mit Jörg.txt", Some("Jörg")),
            ("Chat de WhatsApp con Ana con C.txt", Some("Ana con C")),
            ("Discussion WhatsApp avec Zoë.txt", Some("Zoë")),
            ("Чат WhatsApp с Анна.txt", Some("Анна")),
            ("_chat.txt", None),
            ("WhatsApp.zip", None),
            ("notes with Ann.txt", None),
        ] {
            assert_eq!(from_name(name).as_deref(), want, "{name}");
        }
    }
}
