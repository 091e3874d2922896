//! When something is due: reads expressions such as "by Friday", "tomorrow at 6pm" or "in two hours" against the
//! instant at which they were written.
//!
//! Pure. Understands what people write about the near future, and prefers no answer to a doubtful one: what lies in
//! the past, repeats ("every Monday"), begins rather than ends ("after Friday") or can be read in two ways ("5/6") is
//! no due date.

mod grammar;
mod lex;
mod resolve;
mod words;

use chatstats_model::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// The languages whose rules are here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Language {
    /// English.
    En,
    /// German.
    De,
    /// Spanish.
    Es,
    /// French.
    Fr,
    /// Portuguese.
    Pt,
    /// Italian.
    It,
}

impl Language {
    /// All of them.
    pub(crate) const ALL: [Self; 6] = [Self::En, Self::De, Self::Es, Self::Fr, Self::Pt, Self::It];

    /// By its ISO 639-1 code, in lower case; what follows a hyphen (`pt-BR`) does not matter.
    pub(crate) fn of(code: &str) -> Option<Self> {
        let code = code.split(['-', '_']).next().unwrap_or_default();
        Self::ALL.into_iter().find(|language| language.code() == code)
    }

    /// Its ISO 639-1 code.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::De => "de",
            Self::Es => "es",
            Self::Fr => "fr",
            Self::Pt => "pt",
            Self::It => "it",
        }
    }
}

/// An instant by which something is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Due {
    /// The last second of what was said: "by Friday" is Friday at 23:59:59 in the zone, "at 6pm" is 18:00:00.
    /// Never before the instant at which it was written.
    pub(crate) at: Timestamp,
    /// How exactly it was said.
    pub(crate) precision: DuePrecision,
}

/// How exactly a due date was said. What is shown of it should be no more exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "lowercase")]
#[ts(export)]
pub enum DuePrecision {
    /// A time on the clock, or a number of minutes or hours from then.
    Minute,
    /// A part of a day: its end. Mornings end at 12:00, afternoons at 18:00, evenings with the day.
    Part,
    /// A day.
    Day,
    /// A week or a weekend; its last day is Sunday.
    Week,
    /// A month.
    Month,
    /// A year.
    Year,
}

/// Texts are read up to here, in bytes: longer sentences are pasted documents.
const TEXT_MAX: usize = 1_000;

/// When that is, if `text`, written at `sent` by somebody in `zone`, says when. Of several days the first counts,
/// and of two joined by "or" the later one.
pub(crate) fn due(text: &str, sent: Timestamp, zone: &TimeZone, language: Language) -> Option<Due> {
    let sent = jiff::Timestamp::from_microsecond(sent.as_micros())
        .ok()?
        .to_zoned(zone.clone());
    let text = &text[..text.floor_char_boundary(TEXT_MAX)];
    let said = grammar::read(&lex::words(text, language));
    resolve::resolve(&said, &sent, language)
}

#[cfg(test)]
mod tests;
