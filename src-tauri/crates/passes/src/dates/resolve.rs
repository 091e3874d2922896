//! What was said to an instant, on the calendar of a zone.

use chatstats_model::Timestamp;
use jiff::civil;
use jiff::{Span, ToSpan, Zoned};

use super::grammar::{Day, Said, Time};
use super::words::{Length, Part};
use super::{Due, DuePrecision, Language};

/// A date without a year is meant for the months to come; one that would be further off than this was rather meant
/// for the past.
const AHEAD_MAX_DAYS: i32 = 275;
/// Hours before this one are not meant unless said with "am" or as 24 hours.
const WAKING_HOUR: i8 = 7;
/// The last second of a day.
const DAY_END: civil::Time = civil::time(23, 59, 59, 0);

/// The instant, if it is neither past nor off the calendar.
pub(super) fn resolve(said: &Said, sent: &Zoned, language: Language) -> Option<Due> {
    let (at, precision) = match (said.minutes, said.day) {
        (Some(minutes), None | Some(Day::From(0))) => (
            sent.checked_add(Span::new().try_minutes(minutes).ok()?).ok()?,
            DuePrecision::Minute,
        ),
        (_, Some(day)) => {
            let (at, precision) = on_day(said, day, sent, language)?;
            (at.to_zoned(sent.time_zone().clone()).ok()?, precision)
        }
        (None, None) => {
            let (at, precision) = next_time(said, sent, language)?;
            (at.to_zoned(sent.time_zone().clone()).ok()?, precision)
        }
    };
    let at = Timestamp::from_micros(at.timestamp().as_microsecond())?;
    (at.as_micros() >= sent.timestamp().as_microsecond()).then_some(Due { at, precision })
}

fn on_day(
    said: &Said,
    day: Day,
    sent: &Zoned,
    language: Language,
) -> Option<(civil::DateTime, DuePrecision)> {
    let (mut date, precision) = date(day, sent.date(), language)?;
    if let Some((other, _)) = said.or.and_then(|day| self::date(day, sent.date(), language)) {
        date = date.max(other);
    }
    let time = said.time.filter(|_| precision == DuePrecision::Day);
    if let Some((time, precision)) = time.and_then(|time| time_on(time, said.part, date, sent, language)) {
        return Some((date.to_datetime(time), precision));
    }
    if said.before {
        let last = start(day, date, precision)?.yesterday().ok()?;
        return Some((last.to_datetime(DAY_END), precision));
    }
    match said.part.filter(|_| precision == DuePrecision::Day) {
        Some(part) => Some((date.to_datetime(part_end(part)), DuePrecision::Part)),
        None => Some((date.to_datetime(DAY_END), precision)),
    }
}

/// The first day of what ends with `last`.
fn start(day: Day, last: civil::Date, precision: DuePrecision) -> Option<civil::Date> {
    match (precision, day) {
        (DuePrecision::Week, _) => last.checked_sub(6.days()).ok(),
        (DuePrecision::Month, _) => Some(last.first_of_month()),
        (DuePrecision::Year, _) => Some(last.first_of_year()),
        _ => Some(last),
    }
}

/// The last day of what is meant.
fn date(day: Day, today: civil::Date, language: Language) -> Option<(civil::Date, DuePrecision)> {
    let weekday = i64::from(today.weekday().to_monday_zero_offset());
    let days = |days: i64| today.checked_add(Span::new().try_days(days).ok()?).ok();
    let until = |day: i8| (i64::from(day) - weekday).rem_euclid(7);
    let date = match day {
        Day::From(count) => days(count),
        Day::Weekday(day) => days((until(day) + 6) % 7 + 1),
        Day::ThisWeekday(day) => days(until(day)),
        // In English "next Friday" is the one of next week; elsewhere it is the next to come.
        Day::NextWeekday(day) if language == Language::En => days(7 - weekday + i64::from(day)),
        Day::NextWeekday(day) => days((until(day) + 6) % 7 + 1),
        Day::OfMonth(day) => day_of_month(day, today),
        Day::Date(0, month, day) => without_year(month, day, today),
        Day::Date(year, month, day) => civil::Date::new(year, month, day).ok(),
        Day::Whole(unit, count) => return whole(unit, i64::from(count), today),
        Day::After(count, unit) => today.checked_add(length(count, unit)?).ok(),
    };
    Some((date?, DuePrecision::Day))
}

fn length(count: i64, unit: Length) -> Option<Span> {
    match unit {
        Length::Day => Span::new().try_days(count).ok(),
        Length::Week => Span::new().try_weeks(count).ok(),
        Length::Month => Span::new().try_months(count).ok(),
        Length::Year => Span::new().try_years(count).ok(),
        Length::Minute | Length::Hour => None,
    }
}

/// This week, month or year, or the next.
fn whole(unit: Length, count: i64, today: civil::Date) -> Option<(civil::Date, DuePrecision)> {
    let within = today.checked_add(length(count, unit)?).ok()?;
    match unit {
        Length::Week => {
            let left = 6 - i64::from(within.weekday().to_monday_zero_offset());
            Some((within.checked_add(left.days()).ok()?, DuePrecision::Week))
        }
        Length::Month => Some((within.last_of_month(), DuePrecision::Month)),
        Length::Year => Some((within.last_of_year(), DuePrecision::Year)),
        Length::Minute | Length::Hour | Length::Day => None,
    }
}

/// The next such day of a month that has it; of three months in a row two have 31 days.
fn day_of_month(day: i8, today: civil::Date) -> Option<civil::Date> {
    (0..=2_i64).find_map(|months| {
        let month = today.first_of_month().checked_add(months.months()).ok()?;
        let date = civil::Date::new(month.year(), month.month(), day).ok()?;
        (date > today).then_some(date)
    })
}

fn without_year(month: i8, day: i8, today: civil::Date) -> Option<civil::Date> {
    [today.year(), today.year().saturating_add(1)]
        .into_iter()
        .find_map(|year| {
            let date = civil::Date::new(year, month, day).ok()?;
            let ahead = today.until(date).ok()?.get_days();
            (0..=AHEAD_MAX_DAYS).contains(&ahead).then_some(date)
        })
}

/// The time on a day that was said; none where it could be in the morning as well as in the evening.
fn time_on(
    time: Time,
    part: Option<Part>,
    date: civil::Date,
    sent: &Zoned,
    language: Language,
) -> Option<(civil::Time, DuePrecision)> {
    let (hour, minute) = match settled(time, part, language) {
        Time::Midnight => return Some((DAY_END, DuePrecision::Minute)),
        Time::EndOfDay => return Some((DAY_END, DuePrecision::Day)),
        Time::Full(hour, minute) => (hour, minute),
        Time::Twelve(hour, minute) if date == sent.date() => {
            let hours = [hour % 12, hour % 12 + 12];
            let later =
                |hour: &i8| civil::Time::new(*hour, minute, 0, 0).is_ok_and(|time| time > sent.time());
            (
                hours
                    .into_iter()
                    .filter(|hour| *hour >= WAKING_HOUR)
                    .find(later)?,
                minute,
            )
        }
        Time::Twelve(hour @ 1..=6, minute) => (hour + 12, minute),
        Time::Twelve(7 | 8, _) => return None,
        Time::Twelve(hour, minute) => (hour, minute),
    };
    Some((civil::Time::new(hour, minute, 0, 0).ok()?, DuePrecision::Minute))
}

/// A time without a day: its next occurrence.
fn next_time(said: &Said, sent: &Zoned, language: Language) -> Option<(civil::DateTime, DuePrecision)> {
    let hours = match settled(said.time?, said.part, language) {
        Time::Midnight => return Some((sent.date().to_datetime(DAY_END), DuePrecision::Minute)),
        Time::EndOfDay => return Some((sent.date().to_datetime(DAY_END), DuePrecision::Day)),
        Time::Full(hour, minute) => [(hour, minute), (hour, minute)],
        Time::Twelve(hour, minute) => [(hour % 12, minute), (hour % 12 + 12, minute)],
    };
    let meant = |(hour, minute): (i8, i8)| {
        let time = civil::Time::new(hour, minute, 0, 0).ok()?;
        (hour >= WAKING_HOUR || hours[0] == hours[1]).then_some(time)
    };
    [sent.date(), sent.date().tomorrow().ok()?]
        .into_iter()
        .flat_map(|date| {
            hours
                .into_iter()
                .filter_map(meant)
                .map(move |time| date.to_datetime(time))
        })
        .find(|at| *at > sent.datetime())
        .map(|at| (at, DuePrecision::Minute))
}

/// An hour of twelve becomes one of 24 where the part of the day was said, or where twelve hours are not usual.
fn settled(time: Time, part: Option<Part>, language: Language) -> Time {
    match (time, part) {
        (Time::Twelve(hour, minute), Some(Part::Morning)) => Time::Full(hour, minute),
        (Time::Twelve(12, minute), Some(Part::Evening)) => Time::Full(23, minute.max(59)),
        (Time::Twelve(hour, minute), Some(_)) => Time::Full(hour % 12 + 12, minute),
        (Time::Twelve(hour, minute), None) if minute != 0 && language != Language::En => {
            Time::Full(hour, minute)
        }
        _ => time,
    }
}

fn part_end(part: Part) -> civil::Time {
    match part {
        Part::Morning => civil::time(12, 0, 0, 0),
        Part::Afternoon => civil::time(18, 0, 0, 0),
        Part::Evening => DAY_END,
    }
}
