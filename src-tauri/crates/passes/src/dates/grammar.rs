//! Words to what they say: a day, a time of day, or a length of time. Knows no calendar.

use super::words::Word::{self, *};
use super::words::{Length, Part};

/// What a text says about when.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    /// The day, or a longer time.
    pub(super) day: Option<Day>,
    /// A second day: "Tuesday or Wednesday".
    pub(super) or: Option<Day>,
    /// "before": the day itself is too late.
    pub(super) before: bool,
    /// The time of day.
    pub(super) time: Option<Time>,
    /// The part of the day.
    pub(super) part: Option<Part>,
    /// A length of time in minutes, from the writing on.
    pub(super) minutes: Option<i64>,
}

/// A day, or a longer time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Day {
    /// Days from the writing on.
    From(i64),
    /// The next such day of the week.
    Weekday(i8),
    /// Such a day in this week: "this Friday".
    ThisWeekday(i8),
    /// "next Friday": languages differ.
    NextWeekday(i8),
    /// A day of this month or the next.
    OfMonth(i8),
    /// Year (0 if none was said), month, day.
    Date(i16, i8, i8),
    /// This week, month or year (0) or the next (1), to its end.
    Whole(Length, i8),
    /// Weeks, months or years from the writing on.
    After(i64, Length),
}

/// A time of day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Time {
    /// Hours and minutes; whether before noon or after was not said.
    Twelve(i8, i8),
    /// An hour of 24, and minutes.
    Full(i8, i8),
    /// The last second of the day, said as a time: "before midnight".
    Midnight,
    /// The last second of the day, said as the end of it.
    EndOfDay,
}

/// What `words` say.
pub(super) fn read(words: &[Word]) -> Said {
    let mut said = Said::default();
    let mut at = 0;
    while at < words.len() {
        let rest = &words[at..];
        let before = at.checked_sub(1).map_or(Stop, |before| words[before]);
        let found = length_of_time(before, rest)
            .or_else(|| day(before, rest))
            .or_else(|| time(before, rest));
        let Some((found, length)) = found else {
            at += 1;
            continue;
        };
        if before != No && word(rest, length) != No {
            said.note(found, before);
        }
        at += length;
    }
    said
}

/// An expression.
enum Found {
    Day(Day, Option<Part>),
    Time(Time, Option<Part>),
    Minutes(i64),
}

impl Said {
    /// The first of each kind counts.
    fn note(&mut self, found: Found, before: Word) {
        match found {
            Found::Day(day, part) if self.day.is_none() => {
                self.day = Some(day);
                self.before = before == Before;
                self.part = self.part.or(part);
            }
            Found::Day(day, _) if before == Or => self.or = Some(day),
            Found::Day(..) => {}
            Found::Time(time, part) => {
                self.time = self.time.or(Some(time));
                self.part = self.part.or(part);
            }
            Found::Minutes(minutes) => self.minutes = self.minutes.or(Some(minutes)),
        }
    }
}

/// The word at `at`; what comes after the end is like punctuation.
fn word(words: &[Word], at: usize) -> Word {
    words.get(at).copied().unwrap_or(Stop)
}

/// "in two hours".
fn length_of_time(before: Word, rest: &[Word]) -> Option<(Found, usize)> {
    let (number, unit) = match (before, word(rest, 0), word(rest, 1)) {
        (In, HalfOf, Unit(Length::Hour)) => return Some((Found::Minutes(30), 2)),
        // "in a minute" is no minute, it is "soon".
        (In, One, Unit(Length::Minute)) => return None,
        (In, One, Unit(unit)) => (1, unit),
        (In, Number(number), Unit(unit)) => (i64::from(number), unit),
        _ => return None,
    };
    let found = match unit {
        Length::Minute => Found::Minutes(number),
        Length::Hour => Found::Minutes(number * 60),
        unit => Found::Day(Day::After(number, unit), None),
    };
    Some((found, 2))
}

/// A day, with the part of it that follows: "Friday night".
fn day(before: Word, rest: &[Word]) -> Option<(Found, usize)> {
    match (word(rest, 0), word(rest, 1)) {
        (DayPart(days, part), _) => return Some((Found::Day(Day::From(days.into()), Some(part)), 1)),
        (This, Part(part)) => return Some((Found::Day(Day::From(0), Some(part)), 2)),
        _ => {}
    }
    let (day, length) = relative(before, rest)
        .or_else(|| weekday(before, rest))
        .or_else(|| date(before, rest))?;
    match word(rest, length) {
        Part(part) => Some((Found::Day(day, Some(part)), length + 1)),
        _ => Some((Found::Day(day, None), length)),
    }
}

/// "tomorrow", "next week", "the end of the month".
fn relative(before: Word, rest: &[Word]) -> Option<(Day, usize)> {
    let whole = |unit, count| {
        matches!(unit, Length::Week | Length::Month | Length::Year).then_some(Day::Whole(unit, count))
    };
    Some(match (word(rest, 0), word(rest, 1), word(rest, 2)) {
        (Word::Day(days), _, _) => (Day::From(days.into()), 1),
        (End, Unit(unit), Next) | (End, Next, Unit(unit)) => (whole(unit, 1)?, 3),
        (End, This, Unit(unit)) => (whole(unit, 0)?, 3),
        (End, Unit(unit), _) => (whole(unit, 0)?, 2),
        (Unit(unit), Next, _) | (Next, Unit(unit), _) => (whole(unit, 1)?, 2),
        (This, Unit(unit), _) => (whole(unit, 0)?, 2),
        (Next, Weekend, _) | (Weekend, Next, _) => (Day::Whole(Length::Week, 1), 2),
        (This, Weekend, _) => (Day::Whole(Length::Week, 0), 2),
        (Weekend, _, _) if leads(before) => (Day::Whole(Length::Week, 0), 1),
        _ => return None,
    })
}

/// "Friday", "next Friday", "Friday the 17th".
fn weekday(before: Word, rest: &[Word]) -> Option<(Day, usize)> {
    Some(match (word(rest, 0), word(rest, 1), word(rest, 2)) {
        (Next, Weekday(day) | WeekdayPerhaps(day), _) => (Day::NextWeekday(day), 2),
        (This, Weekday(day) | WeekdayPerhaps(day), _) => (Day::ThisWeekday(day), 2),
        (Weekday(day), Next, Unit(Length::Week)) => (Day::NextWeekday(day), 3),
        (Weekday(day), Next, _) => (Day::NextWeekday(day), 2),
        (Weekday(_), Ordinal(day), after) if !is_month(after) => (Day::OfMonth(day), 2),
        (Weekday(day), _, _) => (Day::Weekday(day), 1),
        (WeekdayPerhaps(day), next, _)
            if leads(before) || matches!(next, At | Part(_) | Clock(..) | Clock24(..)) =>
        {
            (Day::Weekday(day), 1)
        }
        _ => return None,
    })
}

/// "the 5th", "June 1st", "3 July 2025", "on 25/12".
fn date(before: Word, rest: &[Word]) -> Option<(Day, usize)> {
    let (month, day, length) = match (word(rest, 0), word(rest, 1), word(rest, 2)) {
        (Date(year, month, day), _, _) if year != 0 || leads(before) => {
            return Some((Day::Date(year, month, day), 1));
        }
        (Ordinal(day), Month(month) | MonthPerhaps(month), _)
        | (Month(month) | MonthPerhaps(month), Ordinal(day), _) => (month, day, 2),
        (Number(day), Month(month) | MonthPerhaps(month), _) | (Month(month), Number(day), _) => {
            (month, small(day)?, 2)
        }
        (MonthPerhaps(month), Number(day), _) if leads(before) => (month, small(day)?, 2),
        // As German writes it: "3. Juni".
        (Number(day), Stop, Month(month)) => (month, small(day)?, 3),
        (Ordinal(day), next, _) if leads(before) && next != Other => return Some((Day::OfMonth(day), 1)),
        _ => return None,
    };
    match word(rest, length) {
        Number(year @ 1000..) => Some((Day::Date(i16::try_from(year).ok()?, month, day), length + 1)),
        _ => Some((Day::Date(0, month, day), length)),
    }
}

/// A time, with the part of the day that follows: "8 in the evening".
fn time(before: Word, rest: &[Word]) -> Option<(Found, usize)> {
    let (time, length) = on_the_clock(before, rest)?;
    match word(rest, length) {
        Part(part) => Some((Found::Time(time, Some(part)), length + 1)),
        _ => Some((Found::Time(time, None), length)),
    }
}

fn on_the_clock(before: Word, rest: &[Word]) -> Option<(Time, usize)> {
    Some(match (word(rest, 0), word(rest, 1)) {
        (Noon, _) => (Time::Full(12, 0), 1),
        (Midnight, _) => (Time::Midnight, 1),
        (EndOfDay, _) => (Time::EndOfDay, 1),
        (Number(hour), half @ (Am | Pm)) => (of_twelve(small(hour)?, 0, half)?, 2),
        (Clock(hour, minute) | Dotted(hour, minute), half @ (Am | Pm)) => (of_twelve(hour, minute, half)?, 2),
        (Dotted(hour, minute), OClock) => (hours(hour, minute)?, 2),
        (Clock(hour, minute) | Clock24(hour, minute), OClock) => (hours(hour, minute)?, 2),
        (Dotted(hour, minute), _) if before == At => (hours(hour, minute)?, 1),
        (Clock(hour, minute), _) => (Time::Twelve(hour, minute), 1),
        (Clock24(hour, minute), _) => (Time::Full(hour, minute), 1),
        (Number(hour), OClock) => (hours(small(hour)?, 0)?, 2),
        (HalfPast, Number(hour @ 1..=12)) => (Time::Twelve(small(hour)?, 30), 2),
        (QuarterPast, Number(hour @ 1..=12)) => (Time::Twelve(small(hour)?, 15), 2),
        (QuarterTo, Number(hour @ 1..=12)) => (Time::Twelve(hour_before(hour)?, 45), 2),
        (HalfTo, Number(hour @ 1..=12)) => (Time::Twelve(hour_before(hour)?, 30), 2),
        (Number(hour), next) if matches!(before, At | By | Before) && ends_a_time(next) => {
            (hours(small(hour)?, 0)?, 1)
        }
        _ => return None,
    })
}

fn hours(hour: i8, minute: i8) -> Option<Time> {
    match hour {
        1..=12 => Some(Time::Twelve(hour, minute)),
        0 | 13..=23 => Some(Time::Full(hour, minute)),
        _ => None,
    }
}

fn of_twelve(hour: i8, minute: i8, half: Word) -> Option<Time> {
    let from = if half == Pm { 12 } else { 0 };
    (1..=12)
        .contains(&hour)
        .then_some(Time::Full(hour % 12 + from, minute))
}

fn hour_before(hour: u16) -> Option<i8> {
    small(if hour == 1 { 12 } else { hour - 1 })
}

/// What may follow a bare number that is an hour: "at 5 tomorrow", but not "at 5 Main Street".
fn ends_a_time(next: Word) -> bool {
    matches!(
        next,
        Stop | Word::Day(_) | DayPart(..) | Weekday(_) | On | This | Next | Part(_)
    )
}

/// What makes a date of what could be something else.
fn leads(before: Word) -> bool {
    matches!(before, On | By | Before | At)
}

fn is_month(word: Word) -> bool {
    matches!(word, Month(_) | MonthPerhaps(_))
}

fn small(number: u16) -> Option<i8> {
    i8::try_from(number).ok()
}
