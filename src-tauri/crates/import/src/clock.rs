//! Turns times that are written without a zone into instants, a few nanoseconds each.

use chatstats_model::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};

/// A wall clock of one zone, read in the order of a file.
pub(crate) struct Clock {
    zone: TimeZone,
    /// The hour (days since the epoch, hour) that was asked for last, and the zone's offset throughout it.
    hour: Option<((i64, u8), i64)>,
    last_s: i64,
}

/// A date that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Day {
    /// Since 1970-01-01.
    pub(crate) days: i64,
    year: i16,
    month: i8,
    day: i8,
}

impl Day {
    /// None if there is no such day, or it is outside the years 1 to 9998.
    pub(crate) fn new(year: u16, month: u16, day: u16) -> Option<Self> {
        let (year, month, day) = (
            i16::try_from(year).ok()?,
            i8::try_from(month).ok()?,
            i8::try_from(day).ok()?,
        );
        if !(1..=9998).contains(&year) {
            return None;
        }
        let date = jiff::civil::Date::new(year, month, day).ok()?;
        let days = (date - jiff::civil::date(1970, 1, 1)).get_days();
        Some(Self {
            days: i64::from(days),
            year,
            month,
            day,
        })
    }
}

impl Clock {
    pub(crate) fn new(zone: TimeZone) -> Self {
        Self {
            zone,
            hour: None,
            last_s: i64::MIN,
        }
    }

    /// The instant at which the clock showed this. A time that a shift forward skipped is read as if it had not been
    /// skipped. Of a time that came twice, the first is taken unless the record before was later already: files are
    /// written in order.
    ///
    /// `hour` is 0 to 23, `minute` and `second` 0 to 59.
    pub(crate) fn instant(&mut self, day: Day, hour: u8, minute: u8, second: u8) -> Option<Timestamp> {
        let wall_s = day.days * 86_400 + i64::from(hour) * 3_600 + i64::from(minute) * 60 + i64::from(second);
        let offset_s = match self.hour {
            Some((known, offset_s)) if known == (day.days, hour) => offset_s,
            _ => self.look_up(day, hour, minute, second, wall_s)?,
        };
        self.last_s = wall_s - offset_s;
        Timestamp::from_seconds(self.last_s)
    }

    fn look_up(&mut self, day: Day, hour: u8, minute: u8, second: u8, wall_s: i64) -> Option<i64> {
        let at = |minute: u8, second: u8| {
            let wall = DateTime::new(
                day.year,
                day.month,
                day.day,
                hour as i8,
                minute as i8,
                second as i8,
                0,
            )
            .ok()?;
            Some(self.zone.to_ambiguous_timestamp(wall).offset())
        };
        if let (AmbiguousOffset::Unambiguous { offset: first }, AmbiguousOffset::Unambiguous { offset: last }) =
            (at(0, 0)?, at(59, 59)?)
            && first == last
        {
            let offset_s = i64::from(first.seconds());
            self.hour = Some(((day.days, hour), offset_s));
            return Some(offset_s);
        }
        Some(match at(minute, second)? {
            AmbiguousOffset::Unambiguous { offset } => offset.seconds().into(),
            AmbiguousOffset::Gap { before, .. } => before.seconds().into(),
            AmbiguousOffset::Fold { before, after } => {
                let first = i64::from(before.seconds());
                if wall_s - first < self.last_s && wall_s - i64::from(after.seconds()) >= self.last_s {
                    after.seconds().into()
                } else {
                    first
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instants(zone: &str, walls: &[(u16, u16, u16, u8, u8)]) -> Vec<String> {
        let mut clock = Clock::new(TimeZone::get(zone).expect("a zone"));
        let instant = |&(y, mo, d, h, mi): &(u16, u16, u16, u8, u8)| {
            let day = Day::new(y, mo, d).expect("a day");
            clock.instant(day, h, mi, 0).expect("in range").to_string()
        };
        walls.iter().map(instant).collect()
    }

    #[test]
    fn local_times_follow_the_zone_through_the_year() {
        let walls = [(2024, 1, 15, 12, 0), (2024, 1, 15, 12, 59), (2024, 7, 15, 12, 0)];
        let want = [
            "2024-01-15T11:00:00Z",
            "2024-01-15T11:59:00Z",
            "2024-07-15T10:00:00Z",
        ];
        assert_eq!(instants("Europe/Berlin", &walls), want);
    }

    #[test]
    fn a_skipped_hour_is_read_with_the_offset_before_it() {
        assert_eq!(
            instants("Europe/Berlin", &[(2024, 3, 31, 2, 30)]),
            ["2024-03-31T01:30:00Z"]
        );
    }

    #[test]
    fn an_hour_that_comes_twice_is_told_apart_by_the_order_of_the_file() {
        let walls = [
            (2024, 10, 27, 2, 10),
            (2024, 10, 27, 2, 50),
            (2024, 10, 27, 2, 5),
            (2024, 10, 27, 2, 40),
        ];
        let want = [
            "2024-10-27T00:10:00Z",
            "2024-10-27T00:50:00Z",
            "2024-10-27T01:05:00Z",
            "2024-10-27T01:40:00Z",
        ];
        assert_eq!(instants("Europe/Berlin", &walls), want);
    }

    #[test]
    fn zones_that_shift_by_half_an_hour_are_right_within_the_hour() {
        let walls = [(2024, 10, 6, 1, 59), (2024, 10, 6, 2, 40), (2024, 4, 7, 1, 20)];
        let want = [
            "2024-10-05T15:29:00Z",
            "2024-10-05T15:40:00Z",
            "2024-04-06T14:20:00Z",
        ];
        assert_eq!(instants("Australia/Lord_Howe", &walls), want);
    }

    #[test]
    fn days_that_do_not_exist_are_refused() {
        for (y, m, d) in [
            (2023, 2, 29),
            (2024, 13, 1),
            (2024, 0, 1),
            (0, 1, 1),
            (9999, 1, 1),
            (2024, 4, 31),
        ] {
            assert!(Day::new(y, m, d).is_none(), "{y}-{m}-{d}");
        }
    }
}
