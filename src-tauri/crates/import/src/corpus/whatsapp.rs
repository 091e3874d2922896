//! The conversation as WhatsApp exports it, in ten styles.

use std::io::{self, Write};

use chatstats_model::Kind;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::{Expected, Line, LineKind};

/// A phone's program and locale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// `[1/30/19, 8:49:12 PM] `, with a narrow space before PM.
    IosUs,
    /// `[30.01.19, 20:49:12] `
    IosGerman,
    /// `1/30/19, 8:49 PM - `, with a narrow space before PM.
    AndroidUs,
    /// `30.01.19, 20:49 - `
    AndroidGerman,
    /// `30/01/19, 8:49 pm - `
    AndroidIndian,
    /// `30/01/2019, 20:49 - `
    AndroidBritish,
    /// `30.1.2019 klo 20.49 - `
    AndroidFinnish,
    /// `30/1/2019, 8:49 p. m. - `, with a space that does not break.
    AndroidSpanish,
    /// `2019-01-30 20:49 - `
    AndroidSwedish,
    /// `2019. 1. 30. 오후 8:49 - `
    AndroidKorean,
}

/// All of them.
pub const STYLES: [Style; 10] = [
    Style::IosUs,
    Style::IosGerman,
    Style::AndroidUs,
    Style::AndroidGerman,
    Style::AndroidIndian,
    Style::AndroidBritish,
    Style::AndroidFinnish,
    Style::AndroidSpanish,
    Style::AndroidSwedish,
    Style::AndroidKorean,
];

/// Writes `lines` as a chat file of `style`, its times in UTC.
pub fn write(style: Style, lines: impl IntoIterator<Item = Line>, out: &mut impl Write) -> io::Result<()> {
    for line in lines {
        let expected = style.expected(&line);
        if style.is_ios() && matches!(line.kind, LineKind::Media | LineKind::Deleted | LineKind::Call) {
            out.write_all("\u{200E}".as_bytes())?;
        }
        style.write_header(line.seconds, out)?;
        if let Some(author) = expected.author {
            write!(out, "{author}: ")?;
        }
        out.write_all(expected.content.as_bytes())?;
        // The program of the iPhone ends messages as Windows does, but not the lines within them.
        out.write_all(if style.is_ios() { b"\r\n" } else { b"\n" })?;
    }
    Ok(())
}

impl Style {
    /// What a reader must make of `line`.
    pub fn expected(self, line: &Line) -> Expected {
        let mark = if self.is_ios() { "\u{200E}" } else { "" };
        let (kind, content) = match line.kind {
            LineKind::Text => (Kind::Text, line.text.clone()),
            LineKind::Media if self.is_ios() => (Kind::Media, "\u{200E}image omitted".to_owned()),
            LineKind::Media => (Kind::Media, "<Media omitted>".to_owned()),
            LineKind::Deleted => (Kind::Deleted, format!("{mark}This message was deleted")),
            LineKind::Call => (Kind::Call, format!("{mark}Missed voice call")),
            LineKind::System => (
                Kind::System,
                format!("{} joined using this group's invite link", line.author),
            ),
        };
        let author = (kind != Kind::System).then_some(line.author);
        let seconds = if self.is_ios() {
            line.seconds
        } else {
            line.seconds - line.seconds.rem_euclid(60)
        };
        Expected {
            author,
            seconds,
            content,
            kind,
        }
    }

    fn is_ios(self) -> bool {
        matches!(self, Style::IosUs | Style::IosGerman)
    }

    /// Writes what stands before the author, for a time in UTC.
    pub fn write_header(self, seconds: i64, out: &mut impl Write) -> io::Result<()> {
        let time = Timestamp::from_second(seconds).map_err(io::Error::other)?;
        let time: DateTime = TimeZone::UTC.to_datetime(time);
        let (year, month, day) = (time.year(), time.month(), time.day());
        let (hour, minute, second) = (time.hour(), time.minute(), time.second());
        let (short_year, hour_12) = (year % 100, (hour + 11) % 12 + 1);
        let part = |am, pm| if hour < 12 { am } else { pm };
        match self {
            Style::IosUs => write!(
                out,
                "[{month}/{day}/{short_year:02}, {hour_12}:{minute:02}:{second:02}\u{202F}{}] ",
                part("AM", "PM")
            ),
            Style::IosGerman => {
                write!(
                    out,
                    "[{day:02}.{month:02}.{short_year:02}, {hour:02}:{minute:02}:{second:02}] "
                )
            }
            Style::AndroidUs => {
                write!(
                    out,
                    "{month}/{day}/{short_year:02}, {hour_12}:{minute:02}\u{202F}{} - ",
                    part("AM", "PM")
                )
            }
            Style::AndroidGerman => write!(
                out,
                "{day:02}.{month:02}.{short_year:02}, {hour:02}:{minute:02} - "
            ),
            Style::AndroidIndian => write!(
                out,
                "{day:02}/{month:02}/{short_year:02}, {hour_12}:{minute:02} {} - ",
                part("am", "pm")
            ),
            Style::AndroidBritish => write!(out, "{day:02}/{month:02}/{year}, {hour:02}:{minute:02} - "),
            Style::AndroidFinnish => write!(out, "{day}.{month}.{year} klo {hour}.{minute:02} - "),
            Style::AndroidSpanish => write!(
                out,
                "{day}/{month}/{year}, {hour_12}:{minute:02} {} - ",
                part("a.\u{A0}m.", "p.\u{A0}m.")
            ),
            Style::AndroidSwedish => write!(out, "{year}-{month:02}-{day:02} {hour:02}:{minute:02} - "),
            Style::AndroidKorean => {
                write!(
                    out,
                    "{year}. {month}. {day}. {} {hour_12}:{minute:02} - ",
                    part("오전", "오후")
                )
            }
        }
    }
}
