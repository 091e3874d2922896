//! One instant, in microseconds, written as ISO 8601 in UTC.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use ts_rs::TS;

/// An instant in microseconds since 1970-01-01T00:00:00Z.
///
/// On the wire: ISO 8601 UTC, `2024-01-31T09:30:00Z`, with three or six decimals where they are not zero.
/// Read from text: RFC 3339 with any offset; without an offset it is taken as UTC.
/// Range: the years 0001 to 9999.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, TS)]
#[ts(export, type = "string")]
pub struct Timestamp(i64);

/// Why a text or a number is not a [`Timestamp`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimestampError(String);

impl std::fmt::Display for TimestampError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{:?} is not a time: expected ISO 8601, such as 2024-01-31T09:30:00Z",
            self.0
        )
    }
}

impl std::error::Error for TimestampError {}

/// 0001-01-01T00:00:00Z and 9999-12-30T00:00:00Z: what four-digit years can write, less a day for offsets.
const MIN_US: i64 = -62_135_596_800_000_000;
const MAX_US: i64 = 253_402_128_000_000_000;

impl Timestamp {
    /// From microseconds since the epoch; `None` outside the years 0001 to 9999.
    pub fn from_micros(us: i64) -> Option<Self> {
        (MIN_US..=MAX_US).contains(&us).then_some(Self(us))
    }

    /// From seconds since the epoch; `None` outside the years 0001 to 9999.
    pub fn from_seconds(s: i64) -> Option<Self> {
        s.checked_mul(1_000_000).and_then(Self::from_micros)
    }

    /// Microseconds since the epoch.
    pub fn as_micros(self) -> i64 {
        self.0
    }

    /// Appends the wire form to `out`. Cheaper than going through [`ToString`]: history streams a million of them.
    pub fn write_to(self, out: &mut Vec<u8>) {
        let (days, us_of_day) = (
            self.0.div_euclid(86_400_000_000),
            self.0.rem_euclid(86_400_000_000),
        );
        let (year, month, day) = civil_from_days(days);
        let (secs, us) = (us_of_day / 1_000_000, us_of_day % 1_000_000);
        digits(out, year, 4);
        out.push(b'-');
        digits(out, month, 2);
        out.push(b'-');
        digits(out, day, 2);
        out.push(b'T');
        digits(out, secs / 3600, 2);
        out.push(b':');
        digits(out, secs / 60 % 60, 2);
        out.push(b':');
        digits(out, secs % 60, 2);
        if us != 0 {
            out.push(b'.');
            if us % 1000 == 0 {
                digits(out, us / 1000, 3)
            } else {
                digits(out, us, 6)
            }
        }
        out.push(b'Z');
    }
}

fn digits(out: &mut Vec<u8>, value: i64, width: u32) {
    for place in (0..width).rev() {
        out.push(b'0' + (value / 10_i64.pow(place) % 10) as u8);
    }
}

/// Days since 1970-01-01 to (year, month, day) in the proleptic Gregorian calendar.
/// Counts in eras of 400 years (146,097 days) that start on 1 March, so that the leap day is an era's last.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

impl std::fmt::Display for Timestamp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut out = Vec::with_capacity(27);
        self.write_to(&mut out);
        f.write_str(std::str::from_utf8(&out).map_err(|_| std::fmt::Error)?)
    }
}

impl std::str::FromStr for Timestamp {
    type Err = TimestampError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || TimestampError(text.chars().take(64).collect());
        let us = match text.parse::<jiff::Timestamp>() {
            Ok(instant) => instant.as_microsecond(),
            Err(_) => {
                let civil: jiff::civil::DateTime = text.parse().map_err(|_| error())?;
                let zoned = civil.to_zoned(jiff::tz::TimeZone::UTC).map_err(|_| error())?;
                zoned.timestamp().as_microsecond()
            }
        };
        Self::from_micros(us).ok_or_else(error)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Timestamp;
            fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
                f.write_str("an ISO 8601 time, such as 2024-01-31T09:30:00Z")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Timestamp, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(text: &str, want: &str) {
        let parsed: Timestamp = text.parse().expect(text);
        assert_eq!(parsed.to_string(), want, "{text}");
        assert_eq!(want.parse::<Timestamp>().expect(want), parsed);
    }

    #[test]
    fn reads_offsets_and_writes_utc() {
        round_trip("2024-02-29T23:59:59Z", "2024-02-29T23:59:59Z");
        round_trip("2024-03-01T00:30:00+01:00", "2024-02-29T23:30:00Z");
        round_trip("2024-01-01T12:00:00.000000", "2024-01-01T12:00:00Z");
        round_trip("2024-01-01T12:00:00.250", "2024-01-01T12:00:00.250Z");
        round_trip("2024-01-01 12:00:00.000001Z", "2024-01-01T12:00:00.000001Z");
        round_trip("1969-12-31T23:59:59.5Z", "1969-12-31T23:59:59.500Z");
        round_trip("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z");
    }

    #[test]
    fn agrees_with_a_calendar_library_over_all_years() {
        for day in (-719_162..2_932_895).step_by(97) {
            let ours = Timestamp::from_seconds(day * 86_400 + 3_661).expect("in range");
            let theirs = jiff::Timestamp::from_second(day * 86_400 + 3_661).expect("in range");
            assert_eq!(ours.to_string(), theirs.to_string());
        }
    }

    #[test]
    fn refuses_what_is_no_time() {
        for text in [
            "",
            "yesterday",
            "2024-13-01T00:00:00Z",
            "2024-02-30T00:00:00Z",
            "-000001-01-01T00:00:00Z",
        ] {
            assert!(text.parse::<Timestamp>().is_err(), "{text}");
        }
        assert!(Timestamp::from_seconds(i64::MAX).is_none());
    }
}
