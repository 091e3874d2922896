//! What several passes need to know of a text.

use std::borrow::Cow;

use chatstats_model::{Kind, Message};

/// What a person wrote in a message: the text, or the caption of a picture. None for everything whose text comes from
/// the app, such as calls and the placeholder of a deleted message.
pub(crate) fn written(message: &Message) -> Option<&str> {
    let by_hand = matches!(message.kind, Kind::Text | Kind::Media | Kind::Other);
    let text = message.content.as_str();
    (by_hand && !text.trim().is_empty()).then_some(text)
}

/// The longest piece of text that starts a message and has at most `max` bytes.
pub(crate) fn head(text: &str, max: usize) -> &str {
    &text[..text.floor_char_boundary(max)]
}

/// A text without addresses, e-mail addresses and mentions. A line break stands in the place of each, so that the words
/// around it are not neighbours.
pub(crate) fn prose(text: &str) -> Cow<'_, str> {
    // Every address has one of these: most messages are passed on as they are.
    if memchr::memchr3(b'@', b'/', b'.', text.as_bytes()).is_none() {
        return Cow::Borrowed(text);
    }
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let space = first.is_whitespace();
        let end = rest
            .find(|c: char| c.is_whitespace() != space)
            .unwrap_or(rest.len());
        let piece = &rest[..end];
        rest = match name_in_isolates(rest) {
            Some(end) => {
                kept.push('\n');
                &rest[end..]
            }
            None if !space && is_address(piece) => {
                kept.push('\n');
                &rest[end..]
            }
            None => {
                kept.push_str(piece);
                &rest[end..]
            }
        };
    }
    Cow::Owned(kept)
}

/// Where a mention ends that WhatsApp wrote as `@`, FIRST STRONG ISOLATE, a name with spaces, POP DIRECTIONAL ISOLATE.
fn name_in_isolates(text: &str) -> Option<usize> {
    let name = text.strip_prefix("@\u{2068}")?;
    let end = name.find('\u{2069}')?;
    Some(text.len() - name.len() + end + '\u{2069}'.len_utf8())
}

fn is_address(word: &str) -> bool {
    let word = word.trim_start_matches(['(', '<', '[', '"', '\'', '*', '_']);
    word.contains("://") || is_host(word) || is_mention(word)
}

/// `www.` and a name, or a name with a path behind it, as in `youtu.be/xyz`.
fn is_host(word: &str) -> bool {
    if word
        .get(..4)
        .is_some_and(|start| start.eq_ignore_ascii_case("www."))
    {
        return true;
    }
    let Some((host, _)) = word.split_once('/') else {
        return false;
    };
    let Some((_, domain)) = host.rsplit_once('.') else {
        return false;
    };
    domain.len() >= 2 && domain.bytes().all(|byte| byte.is_ascii_alphabetic())
}

/// `@name` and `name@host`; not a lone `@`, nor what ends in one.
fn is_mention(word: &str) -> bool {
    word.find('@')
        .is_some_and(|at| word[at + 1..].starts_with(|c: char| c.is_alphanumeric() || c == '_'))
}

/// Whether a word in lower case is laughter, as in `hahaha`, `jajaja` or `xD`: a sound, in no language.
pub(crate) fn is_laughter(word: &str) -> bool {
    const SYLLABLES: [&str; 16] = [
        "ha", "he", "hi", "ho", "ah", "eh", "ja", "je", "ji", "hah", "lo", "ol", "rs", "kk", "ww", "xd",
    ];
    if matches!(
        word,
        "lol" | "lmao" | "rofl" | "xd" | "lul" | "hah" | "heh" | "mdr" | "ptdr"
    ) {
        return true;
    }
    let mut letters = word.chars().collect::<Vec<_>>();
    letters.sort_unstable();
    letters.dedup();
    word.len() >= 4 && letters.len() <= 2 && SYLLABLES.iter().any(|syllable| word.starts_with(syllable))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_mentions_leave_a_line_break() {
        for (text, want) in [
            ("plain words", "plain words"),
            ("see https://example.org/a?b=c now", "see \n now"),
            ("(www.example.org) yes.", "\n yes."),
            ("youtu.be/xyz is fun", "\n is fun"),
            ("either/or, 1/2, a.m./p.m.", "either/or, 1/2, a.m./p.m."),
            ("ask @anna_b or me@example.org", "ask \n or \n"),
            ("@\u{2068}Anna Berg\u{2069} hi", "\n hi"),
            ("@\u{2068}open", "@\u{2068}open"),
            ("3 @ 5 EUR each.", "3 @ 5 EUR each."),
        ] {
            assert_eq!(prose(text), want, "{text}");
        }
    }

    #[test]
    fn laughter_is_told_from_words() {
        for word in [
            "haha", "hahaha", "hahahah", "jajaja", "hehe", "lol", "lololol", "kkkk", "wwww", "rsrs",
        ] {
            assert!(is_laughter(word), "{word}");
        }
        for word in ["hat", "noon", "mama", "hello", "ha", "jam", "look", "hihi2"] {
            assert!(!is_laughter(word), "{word}");
        }
    }

    #[test]
    fn a_head_never_cuts_a_character() {
        assert_eq!(head("äöü", 3), "ä");
        assert_eq!(head("abc", 9), "abc");
    }
}
