//! In which order a file writes day, month and year: told by the whole file, not by one line.

use chatstats_model::DateOrder;

use super::header::{DayPartPlace, Header, Shape, YearPlace};
use crate::clock::Day;

/// The day that three numbers mean in a given order; none if there is no such day.
///
/// Two-digit years are of this century: WhatsApp began in 2009. Years beyond 2400 are of the Buddhist calendar.
/// Years before 1970 are of a calendar this program does not know.
pub(super) fn day(numbers: [u16; 3], order: DateOrder, place: YearPlace) -> Option<Day> {
    let [a, b, c] = numbers;
    let (year, month, day) = match order {
        DateOrder::Dmy => (c, b, a),
        DateOrder::Mdy => (c, a, b),
        DateOrder::Ymd => (a, b, c),
    };
    let year = match place {
        YearPlace::Short => year + 2000,
        _ if year > 2400 => year - 543,
        _ => year,
    };
    if year < 1970 {
        None
    } else {
        Day::new(year, month, day)
    }
}

/// 2009-01-01, the year WhatsApp began, in days since 1970: a reading with earlier dates is a wrong one.
const FIRST_DAY: i64 = 14_245;

/// People talk on days that follow one another, not on the third of each month: a reading that takes this many times
/// as long as another one is a wrong one, given as many dates as [`DATES_MIN`].
const STRETCHES: i64 = 8;

/// Dates that it takes to compare how long two readings are.
const DATES_MIN: u64 = 4;

/// What the dates of a file say about their order.
#[derive(Debug, Default)]
pub(super) struct Evidence {
    readings: Vec<Reading>,
    last: Option<[u16; 3]>,
    /// How often the date changed.
    changes: u64,
    padded: bool,
    unpadded: bool,
}

/// The dates so far, in one order.
#[derive(Debug)]
struct Reading {
    order: DateOrder,
    /// Dates that do not exist.
    impossible: u64,
    /// Times a date was before the one above it, and by how many days in all.
    back: u64,
    back_days: i64,
    last: Option<i64>,
    /// Equal for readings of equal days.
    fingerprint: i64,
    first_day: i64,
    last_day: i64,
}

impl Evidence {
    /// Takes the next header of the file.
    pub(super) fn add(&mut self, header: &Header) {
        self.padded |= header.padded;
        self.unpadded |= header.unpadded;
        if self.last.replace(header.date) == Some(header.date) {
            return;
        }
        if self.readings.is_empty() {
            self.readings = orders(header.shape.year)
                .iter()
                .map(|order| Reading::new(*order))
                .collect();
        }
        self.changes += 1;
        for reading in &mut self.readings {
            reading.add(day(header.date, reading.order, header.shape.year).map(|day| day.days));
        }
    }

    /// The order, and a sentence for the receipt where the file left it open.
    pub(super) fn conclude(&self, shape: &Shape, asked: Option<DateOrder>) -> (DateOrder, Option<String>) {
        let least = self.readings.iter().map(|r| r.impossible).min().unwrap_or(0);
        let possible: Vec<&Reading> = self.readings.iter().filter(|r| r.impossible == least).collect();
        match asked {
            None => self.choose(&possible, shape),
            Some(asked) if possible.iter().any(|r| r.order == asked) => (asked, None),
            Some(asked) => {
                let (order, _) = self.choose(&possible, shape);
                let (asked, read) = (words(asked), words(order));
                let note =
                    format!("The dates cannot be read as {asked}, as was asked: they were read as {read}.");
                (order, Some(note))
            }
        }
    }

    /// Among readings without impossible dates: files are written in order, and people talk day after day.
    fn choose(&self, possible: &[&Reading], shape: &Shape) -> (DateOrder, Option<String>) {
        let Some(best) = possible.iter().min_by_key(|r| (r.back, r.back_days)) else {
            return (DateOrder::Dmy, None);
        };
        let others_go_back = possible
            .iter()
            .all(|r| r.order == best.order || r.back > best.back);
        let all_same = possible.iter().all(|r| r.fingerprint == best.fingerprint);
        if all_same || others_go_back {
            return (best.order, None);
        }
        let as_good = |r: &&&Reading| (r.back, r.back_days) == (best.back, best.back_days);
        let equal: Vec<&Reading> = possible.iter().filter(as_good).copied().collect();
        match shortest(&equal) {
            Some(order) if equal.len() > 1 && self.changes >= DATES_MIN => (order, None),
            Some(order) => (order, Some(open_note(order, possible))),
            None => {
                let order = self.guess(&equal, shape);
                (order, Some(open_note(order, possible)))
            }
        }
    }

    /// Nothing in the order of the lines decides: what is usual does.
    fn guess(&self, equal: &[&Reading], shape: &Shape) -> DateOrder {
        let offered = |order| equal.iter().any(|r| r.order == order);
        if !offered(DateOrder::Dmy) {
            return equal.first().map_or(DateOrder::Dmy, |r| r.order);
        }
        // No language writes the month first with dots, or with dashes and the year last.
        if !offered(DateOrder::Mdy) || shape.date_separators[0] != '/' {
            return DateOrder::Dmy;
        }
        // Short dates without zeros and with AM and PM are how the one country writes that puts the month first.
        let twelve_hours = shape.day_part != DayPartPlace::Nowhere;
        if twelve_hours && shape.year == YearPlace::Short && self.unpadded && !self.padded {
            return DateOrder::Mdy;
        }
        DateOrder::Dmy
    }
}

/// The reading in which the file spans much less time than in all others.
fn shortest(readings: &[&Reading]) -> Option<DateOrder> {
    let span = |r: &Reading| r.last_day - r.first_day;
    let best = readings.iter().min_by_key(|r| span(r))?;
    let limit = STRETCHES * span(best).max(1);
    readings
        .iter()
        .all(|r| r.order == best.order || span(r) > limit)
        .then_some(best.order)
}

impl Reading {
    fn new(order: DateOrder) -> Self {
        Self {
            order,
            impossible: 0,
            back: 0,
            back_days: 0,
            last: None,
            fingerprint: 0,
            first_day: i64::MAX,
            last_day: i64::MIN,
        }
    }

    fn add(&mut self, day: Option<i64>) {
        let Some(day) = day.filter(|day| *day >= FIRST_DAY) else {
            self.impossible += 1;
            return;
        };
        self.fingerprint = self.fingerprint.wrapping_mul(31).wrapping_add(day);
        if let Some(last) = self.last.replace(day)
            && day < last
        {
            self.back += 1;
            self.back_days += last - day;
        }
        self.first_day = self.first_day.min(day);
        self.last_day = self.last_day.max(day);
    }
}

fn orders(place: YearPlace) -> &'static [DateOrder] {
    match place {
        YearPlace::First => &[DateOrder::Ymd],
        YearPlace::Last => &[DateOrder::Dmy, DateOrder::Mdy],
        YearPlace::Short => &[DateOrder::Dmy, DateOrder::Mdy, DateOrder::Ymd],
    }
}

fn open_note(order: DateOrder, possible: &[&Reading]) -> String {
    let others: Vec<&str> = possible
        .iter()
        .filter(|r| r.order != order)
        .map(|r| name(r.order))
        .collect();
    format!(
        "The dates of this file can be read in more than one way; they were read as {}. If that is wrong, import it \
         again with --date-order {}.",
        words(order),
        others.join(" or ")
    )
}

fn words(order: DateOrder) -> &'static str {
    match order {
        DateOrder::Dmy => "day, month, year",
        DateOrder::Mdy => "month, day, year",
        DateOrder::Ymd => "year, month, day",
    }
}

fn name(order: DateOrder) -> &'static str {
    match order {
        DateOrder::Dmy => "dmy",
        DateOrder::Mdy => "mdy",
        DateOrder::Ymd => "ymd",
    }
}
