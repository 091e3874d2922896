//! The words of dates, a file per language. Grammar is shared: a language says what its phrases mean.

mod de;
mod en;
mod es;
mod fr;
mod it;
mod pt;

use std::collections::HashMap;
use std::sync::LazyLock;

use super::Language;

/// What a word or phrase means to a date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// A day, counted from the day of writing: "today" is 0.
    Day(i8),
    /// A part of such a day: "tonight".
    DayPart(i8, Part),
    /// A day of the week, Monday is 0.
    Weekday(i8),
    /// What may be a day of the week and may be another word: "sat".
    WeekdayPerhaps(i8),
    /// A month, January is 1.
    Month(i8),
    /// What may be a month and may be another word: "may".
    MonthPerhaps(i8),
    /// A part of the day: "morning".
    Part(Part),
    /// A unit of time, after a number or after "next".
    Unit(Length),
    /// The weekend.
    Weekend,
    /// A number.
    Number(u16),
    /// "a", "an": a number only before a unit.
    One,
    /// "half an", before "hour".
    HalfOf,
    /// Hours and minutes as digits; perhaps of twelve hours: "6:30".
    Clock(i8, i8),
    /// Hours and minutes that can only be of 24 hours: "18:30", "06:30".
    Clock24(i8, i8),
    /// Hours and minutes, or a decimal fraction: "18.30".
    Dotted(i8, i8),
    /// Year (0 if none was written), month, day.
    Date(i16, i8, i8),
    /// "5th".
    Ordinal(i8),
    /// Before a length of time: "in", "within".
    In,
    /// Before a time of day.
    At,
    /// Up to and including.
    By,
    /// Up to and excluding.
    Before,
    /// Before a day.
    On,
    /// Between two days.
    Or,
    /// "next", before or after what it belongs to.
    Next,
    /// "this".
    This,
    /// Makes what stands beside it no due date: "last", "ago", "since", "every", "after".
    No,
    /// "end of".
    End,
    /// "end of the day", also as EOD.
    EndOfDay,
    /// "half past".
    HalfPast,
    /// "quarter past".
    QuarterPast,
    /// "quarter to".
    QuarterTo,
    /// Half an hour before the hour: German "halb".
    HalfTo,
    /// After an hour before noon.
    Am,
    /// After an hour after noon.
    Pm,
    /// After an hour: "o'clock".
    OClock,
    /// 12:00.
    Noon,
    /// The end of the day.
    Midnight,
    /// Says nothing and stands in between: "the".
    Filler,
    /// Anything else.
    Other,
    /// Punctuation.
    Stop,
}

/// A part of a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Until 12:00.
    Morning,
    /// Until 18:00.
    Afternoon,
    /// Until the end of the day.
    Evening,
}

/// A unit of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Length {
    /// Sixty seconds.
    Minute,
    /// Sixty minutes.
    Hour,
    /// A calendar day.
    Day,
    /// Monday to Sunday.
    Week,
    /// A calendar month.
    Month,
    /// A calendar year.
    Year,
}

/// What a language says: its phrases in lower case, their words parted by one space, apostrophes as '.
pub(super) type Phrases = &'static [(&'static str, Word)];

/// The phrases of a language, by their first word, the longest first.
pub(super) struct Lexicon(HashMap<&'static str, Vec<(Vec<&'static str>, Word)>>);

impl Lexicon {
    /// What the longest phrase at the start of `words` means, and how many words it has.
    pub(super) fn longest(&self, words: &[&str]) -> Option<(Word, usize)> {
        let phrases = self.0.get(words.first()?)?;
        let (phrase, word) = phrases.iter().find(|(phrase, _)| words.starts_with(phrase))?;
        Some((*word, phrase.len()))
    }

    fn new(phrases: Phrases) -> Self {
        let mut by_first: HashMap<_, Vec<_>> = HashMap::new();
        for (phrase, word) in phrases {
            let words: Vec<_> = phrase.split(' ').collect();
            by_first.entry(words[0]).or_default().push((words, *word));
        }
        for phrases in by_first.values_mut() {
            phrases.sort_by_key(|(words, _)| std::cmp::Reverse(words.len()));
        }
        Self(by_first)
    }
}

/// The lexicon of a language.
pub(super) fn lexicon(language: Language) -> &'static Lexicon {
    static EN: LazyLock<Lexicon> = LazyLock::new(|| Lexicon::new(en::PHRASES));
    static DE: LazyLock<Lexicon> = LazyLock::new(|| Lexicon::new(de::PHRASES));
    static ES: LazyLock<Lexicon> = LazyLock::new(|| Lexicon::new(es::PHRASES));
    static FR: LazyLock<Lexicon> = LazyLock::new(|| Lexicon::new(fr::PHRASES));
    static PT: LazyLock<Lexicon> = LazyLock::new(|| Lexicon::new(pt::PHRASES));
    static IT: LazyLock<Lexicon> = LazyLock::new(|| Lexicon::new(it::PHRASES));
    match language {
        Language::En => &EN,
        Language::De => &DE,
        Language::Es => &ES,
        Language::Fr => &FR,
        Language::Pt => &PT,
        Language::It => &IT,
    }
}
