//! Text to words: digits are read here, everything else is looked up in the language's lexicon.

use super::Language;
use super::words::{Lexicon, Word, lexicon};

/// What `text` says, word by word. Fillers are left out.
pub(super) fn words(text: &str, language: Language) -> Vec<Word> {
    let text = text.to_lowercase().replace(['’', '‘', '`'], "'");
    let tokens = tokens(&text);
    let plain: Vec<&str> = tokens.iter().map(|token| token.text()).collect();
    let mut words = Vec::with_capacity(tokens.len());
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        let (word, length) = meaning(token, &plain[at..], lexicon(language));
        if word != Word::Filler {
            words.push(word);
        }
        at += length;
    }
    words
}

fn meaning(token: &Token<'_>, rest: &[&str], lexicon: &Lexicon) -> (Word, usize) {
    match token {
        Token::Known(word) => (*word, 1),
        Token::Letters(_) => lexicon.longest(rest).unwrap_or((Word::Other, 1)),
    }
}

/// A piece of text.
enum Token<'a> {
    /// Letters, with apostrophes inside.
    Letters(&'a str),
    /// Digits or punctuation.
    Known(Word),
}

impl<'a> Token<'a> {
    /// What phrases are compared with: what is no word is never part of one.
    fn text(&self) -> &'a str {
        match self {
            Self::Letters(text) => text,
            Self::Known(_) => "",
        }
    }
}

fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut rest = text;
    let mut before = ' ';
    while let Some(first) = rest.chars().next() {
        let length = if first.is_ascii_digit() {
            let (word, length) = number(rest, before);
            tokens.push(Token::Known(word));
            length
        } else if first.is_alphabetic() {
            let (token, length) = letters(rest, tokens.last());
            tokens.push(token);
            length
        } else {
            if !first.is_whitespace() && !matches!(first, '-' | '\'' | '"' | '~' | '*' | '_') {
                tokens.push(Token::Known(Word::Stop));
            }
            first.len_utf8()
        };
        before = rest[..length].chars().next_back().unwrap_or(' ');
        rest = &rest[length..];
    }
    tokens
}

fn letters<'a>(rest: &'a str, last: Option<&Token<'_>>) -> (Token<'a>, usize) {
    // Only after a digit: elsewhere "p.m" could end a sentence.
    if matches!(
        last,
        Some(Token::Known(Word::Number(_) | Word::Clock(..) | Word::Dotted(..)))
    ) {
        for (text, word) in [
            ("a.m.", Word::Am),
            ("p.m.", Word::Pm),
            ("a.m", Word::Am),
            ("p.m", Word::Pm),
        ] {
            if rest.starts_with(text) {
                return (Token::Known(word), text.len());
            }
        }
    }
    let end = rest
        .find(|c: char| !c.is_alphanumeric() && c != '\'')
        .unwrap_or(rest.len());
    (Token::Letters(rest[..end].trim_end_matches('\'')), end)
}

/// The digits at the start of `rest`, with what belongs to them, and their length in bytes.
fn number(rest: &str, before: char) -> (Word, usize) {
    let (word, length) = clock_or_date(rest).unwrap_or_else(|| plain_number(rest));
    let after = rest[length..].chars().next().unwrap_or(' ');
    // Money, shares, amounts, versions and identifiers are no dates.
    let foreign = |c: char| matches!(c, '$' | '€' | '£' | '%' | '#' | '+' | '/' | '@' | '=' | '_');
    let decimal = |c: char| matches!(c, '.' | ',' | ':') && next_is_digit(&rest[length + 1..]);
    if foreign(before) || before.is_alphabetic() || foreign(after) || decimal(after) {
        (Word::Other, length)
    } else {
        (word, length)
    }
}

fn next_is_digit(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit())
}

/// Digits with something between: `2024-06-02`, `25.12.2024`, `25/12`, `18:30`, `18h30`.
fn clock_or_date(rest: &str) -> Option<(Word, usize)> {
    let (first, mark, mut at) = digits(rest).and_then(|(n, at)| Some((n, rest[at..].chars().next()?, at)))?;
    if mark == 'h' {
        let (minutes, length) = digits(&rest[at + 1..]).unwrap_or((0, 0));
        at += 1 + length;
        let ends = !rest[at..].starts_with(char::is_alphanumeric);
        return clock(rest, first, minutes)
            .filter(|_| ends)
            .map(|word| (word, at));
    }
    if !matches!(mark, ':' | '.' | '/' | '-') {
        return None;
    }
    let (second, length) = digits(&rest[at + 1..])?;
    let two_digits = length == 2;
    at += 1 + length;
    match rest[at..].strip_prefix(mark).map(digits) {
        Some(Some((third, length))) => triple(mark, first, second, third).map(|word| (word, at + 1 + length)),
        // A second mark without digits after it: `5.12.` is a date, `5.12` is not.
        Some(None) if mark == '.' && (!two_digits || second <= 12) => {
            day_month(first, second).map(|(day, month)| (Word::Date(0, month, day), at + 1))
        }
        _ if two_digits || mark == '/' => pair(rest, mark, first, second).map(|word| (word, at)),
        _ => None,
    }
}

fn pair(rest: &str, mark: char, first: u16, second: u16) -> Option<Word> {
    match mark {
        ':' => clock(rest, first, second),
        '.' => clock(rest, first, second).map(|_| Word::Dotted(first as i8, second as i8)),
        '/' => either_order(first, second).map(|(day, month)| Word::Date(0, month, day)),
        _ => None,
    }
}

/// A leading zero, 0 and 13 to 23 say that the hours are 24.
fn clock(rest: &str, hours: u16, minutes: u16) -> Option<Word> {
    let full = hours == 0 || hours > 12 || rest.starts_with('0');
    let word = if full { Word::Clock24 } else { Word::Clock };
    (hours < 24 && minutes < 60).then_some(word(hours as i8, minutes as i8))
}

fn triple(mark: char, first: u16, second: u16, third: u16) -> Option<Word> {
    let year = |year: u16| {
        if year < 100 {
            year as i16 + 2000
        } else {
            year as i16
        }
    };
    if first > 1_000 {
        let (day, month) = day_month(third, second)?;
        return Some(Word::Date(first as i16, month, day));
    }
    let (day, month) = match mark {
        '.' => day_month(first, second)?,
        _ => either_order(first, second)?,
    };
    Some(Word::Date(year(third), month, day))
}

fn day_month(day: u16, month: u16) -> Option<(i8, i8)> {
    ((1..=31).contains(&day) && (1..=12).contains(&month)).then_some((day as i8, month as i8))
}

/// Which of two numbers is the month, where only one reading is possible.
fn either_order(first: u16, second: u16) -> Option<(i8, i8)> {
    match (day_month(first, second), day_month(second, first)) {
        (Some(one), Some(other)) if one != other => None,
        (one, other) => one.or(other),
    }
}

/// Digits alone, or an ordinal: `5`, `5th`.
fn plain_number(rest: &str) -> (Word, usize) {
    let Some((number, length)) = digits(rest) else {
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        return (Word::Other, end);
    };
    let suffix = ["st", "nd", "rd", "th", "er", "º", "ª", "°"]
        .into_iter()
        .find(|suffix| {
            rest[length..]
                .strip_prefix(suffix)
                .is_some_and(|after| !after.starts_with(char::is_alphanumeric))
        });
    match suffix {
        Some(suffix) if (1..=31).contains(&number) => (Word::Ordinal(number as i8), length + suffix.len()),
        Some(suffix) => (Word::Other, length + suffix.len()),
        None => (Word::Number(number), length),
    }
}

/// Up to four digits; more are no part of a date.
fn digits(text: &str) -> Option<(u16, usize)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    (1..=4)
        .contains(&end)
        .then(|| text[..end].parse().ok().map(|number| (number, end)))?
}
