//! A conversation of some people about nothing.

use super::Random;

/// Who talks: names with colons, emoji, quotes, digits, and letters from the right.
pub const AUTHORS: [&str; 8] = [
    "Ann",
    "Jürgen Müller-Lüdenscheidt",
    "🦊",
    "Zoë 🙈 🙈",
    "Work: does this go through?",
    "+49 151 2345678",
    "שרה לוי",
    "O'Neil (plumber)",
];

/// 2019-03-01T08:00:00Z.
const START_S: i64 = 1_551_427_200;

const WORDS: [&str; 40] = [
    "yes",
    "no",
    "maybe",
    "tomorrow",
    "train",
    "coffee",
    "the",
    "a",
    "and",
    "later",
    "meeting",
    "Straße",
    "naïve",
    "déjà",
    "42",
    "3.5",
    "10:15",
    "http://example.org/?q=a:b",
    "note:",
    "re:",
    "😀",
    "👨‍👩‍👧",
    "🎉🎉",
    "שלום",
    "مرحبا",
    "こんにちは",
    "добрый",
    "день",
    "ok",
    "lol",
    "…",
    "—",
    "\"quoted\"",
    "<3",
    "[sic]",
    "(later)",
    "50%",
    "C:\\temp",
    "*bold*",
    "why?",
];

/// Lines that look like headers or nearly so, of a style no corpus is written in.
const LOOK_ALIKES: [&str; 5] = [
    "[1.9.2019, 00:00:00] Peter: this was written elsewhere",
    "2/11/19: arrival",
    "12/12/19 14:48 Ann: no dash here",
    "3/4",
    "- a list: with a colon",
];

/// One line of a conversation, however it will be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Who wrote it, or whom a line of the app is about.
    pub author: &'static str,
    /// Seconds since 1970.
    pub seconds: i64,
    /// The words; empty for what has none.
    pub text: String,
    /// What it is.
    pub kind: LineKind,
}

/// What a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineKind {
    /// Words.
    Text,
    /// A picture that was left out of the export.
    Media,
    /// Deleted by its author.
    Deleted,
    /// A call.
    Call,
    /// A line of the app.
    System,
}

/// Lines without end; take as many as are needed. Times never go back, and gaps are of seconds to hours.
pub fn conversation(seed: u64) -> Conversation {
    Conversation {
        random: Random::new(seed),
        seconds: START_S,
    }
}

/// See [`conversation`].
#[derive(Clone, Debug)]
pub struct Conversation {
    random: Random,
    seconds: i64,
}

impl Iterator for Conversation {
    type Item = Line;

    fn next(&mut self) -> Option<Line> {
        let random = &mut self.random;
        // Mostly within minutes, now and then after hours.
        let gap_s = if random.below(40) == 0 {
            random.below(30_000)
        } else {
            random.below(90)
        };
        self.seconds += gap_s as i64;
        let kind = match random.below(100) {
            0..92 => LineKind::Text,
            92..96 => LineKind::Media,
            96 => LineKind::Deleted,
            97 => LineKind::Call,
            _ => LineKind::System,
        };
        let author = random.one_of(&AUTHORS);
        let text = if kind == LineKind::Text {
            text(random)
        } else {
            String::new()
        };
        Some(Line {
            author,
            seconds: self.seconds,
            text,
            kind,
        })
    }
}

fn text(random: &mut Random) -> String {
    let mut text = sentence(random);
    while random.below(8) == 0 {
        text.push('\n');
        match random.below(4) {
            0 => {}
            1 => text.push_str(random.one_of(&LOOK_ALIKES)),
            _ => text.push_str(&sentence(random)),
        }
    }
    text
}

fn sentence(random: &mut Random) -> String {
    let mut sentence = String::with_capacity(96);
    for at in 0..1 + random.below(14) {
        if at > 0 {
            sentence.push(' ');
        }
        sentence.push_str(random.one_of(&WORDS));
    }
    sentence
}
