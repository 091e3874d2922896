//! The grammar of a header: what stands before the author of a message.
//!
//! There are about a hundred variants, one for each locale of two programs, and new ones with each release. None
//! is listed here. A header is three numbers that can be a date, something between, a time, perhaps a word for the
//! part of the day, and a bracket or a dash; how exactly a line does it is its [`Shape`]. A file was written by one
//! program in one locale, so all its headers have one shape, and lines of another shape are text.

use super::cursor::{Cursor, Number};
use super::day_part::{self, DayPart};

/// A header taken apart, before it is known in which order its date is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header<'a> {
    pub(super) shape: Shape,
    /// The date's numbers as they stand.
    pub(super) date: [u16; 3],
    /// 0 to 24, as it stands.
    pub(super) hour: u8,
    pub(super) minute: u8,
    pub(super) second: u8,
    pub(super) day_part: DayPart,
    /// Whether the date has a zero before a digit, and whether it has a digit that could have had one.
    pub(super) padded: bool,
    pub(super) unpadded: bool,
    /// What follows: author and text, or a line of the app itself.
    pub(super) rest: &'a str,
}

/// How a header is written: equal for all headers of one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    /// `[…] Name` of iOS, otherwise `… - Name` of Android.
    pub(super) bracket: bool,
    pub(super) year: YearPlace,
    pub(super) date_separators: [char; 2],
    pub(super) time_separator: char,
    pub(super) seconds: bool,
    pub(super) day_part: DayPartPlace,
    /// A comma between date and time.
    comma: bool,
    /// A word between date and time, by its hash: zero if there is none.
    word: u32,
    /// Hyphen or en dash.
    dash: char,
    /// The zero of the digits' script.
    zero: char,
}

/// Where the year stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum YearPlace {
    /// Four digits, first.
    First,
    /// Four digits, last.
    Last,
    /// Two digits, so either.
    Short,
}

/// Where the word for the part of the day stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DayPartPlace {
    Nowhere,
    Before,
    After,
}

/// Characters a header may have between date and time, or between the time and the dash. The longest known are
/// below 20; a sentence is not a header.
const WORDS_CHARS_MAX: usize = 28;

/// Takes a line apart; none if it does not begin as a header does.
pub(super) fn parse(line: &str) -> Option<Header<'_>> {
    let mut cursor = Cursor::new(line);
    cursor.skip_marks();
    let bracket = cursor.eat(b'[');
    if bracket {
        cursor.skip_marks();
    }
    let (numbers, date_separators) = date(&mut cursor)?;
    let between = between(&mut cursor)?;
    let time = time(&mut cursor)?;
    let (after, dash) = end(&mut cursor, bracket)?;

    let (day_part, place) = match (between.day_part, after) {
        (DayPart::None, DayPart::None) => (DayPart::None, DayPartPlace::Nowhere),
        (before, DayPart::None) => (before, DayPartPlace::Before),
        (DayPart::None, after) => (after, DayPartPlace::After),
        _ => return None,
    };
    let small = |number: &Number| number.digits <= 2 && number.value < 10;
    let shape = Shape {
        bracket,
        year: year_place(&numbers)?,
        date_separators,
        time_separator: time.separator,
        seconds: time.second.is_some(),
        day_part: place,
        comma: between.comma,
        word: between.word,
        dash,
        zero: numbers[0].zero,
    };
    Some(Header {
        shape,
        date: numbers.map(|number| number.value),
        hour: time.hour,
        minute: time.minute,
        second: time.second.unwrap_or(0),
        day_part,
        padded: numbers.iter().any(|n| small(n) && n.digits == 2),
        unpadded: numbers.iter().any(|n| small(n) && n.digits == 1),
        rest: cursor.rest(),
    })
}

fn year_place(numbers: &[Number; 3]) -> Option<YearPlace> {
    match numbers.map(|number| number.digits) {
        [4, 1 | 2, 1 | 2] => Some(YearPlace::First),
        [1 | 2, 1 | 2, 4] => Some(YearPlace::Last),
        [1 | 2, 1 | 2, 1 | 2] => Some(YearPlace::Short),
        _ => None,
    }
}

fn date(cursor: &mut Cursor) -> Option<([Number; 3], [char; 2])> {
    let first = cursor.number()?;
    let one = date_separator(cursor)?;
    let second = cursor.number()?;
    let two = date_separator(cursor)?;
    let third = cursor.number()?;
    (first.zero == second.zero && second.zero == third.zero).then_some(([first, second, third], [one, two]))
}

/// One sign, with spaces and marks around it: `/`, `. `, `-`, `年`.
fn date_separator(cursor: &mut Cursor) -> Option<char> {
    cursor.skip_blanks();
    let sign = cursor.peek()?;
    if !matches!(
        sign,
        '/' | '.' | '-' | '\u{2010}'..='\u{2013}' | '年' | '月' | '년' | '월' | '、' | '・' | '·'
    ) {
        return None;
    }
    cursor.advance(sign);
    if !cursor.at_digit() {
        cursor.skip_blanks();
    }
    Some(sign)
}

struct Between {
    comma: bool,
    word: u32,
    day_part: DayPart,
}

/// From the date to the time: a comma, spaces, words such as `klo`, a part of the day.
fn between(cursor: &mut Cursor) -> Option<Between> {
    let start = cursor.rest();
    let mut chars = 0;
    while !cursor.at_digit() {
        let c = cursor.peek().filter(|c| is_wordy(*c))?;
        cursor.advance(c);
        chars += 1;
        if chars > WORDS_CHARS_MAX {
            return None;
        }
    }
    let words = &start[..start.len() - cursor.rest().len()];
    let comma = words.contains([',', '،', '、']);
    match day_part::of(words) {
        DayPart::None if words.is_empty() => None,
        DayPart::Unknown(word) => Some(Between {
            comma,
            word,
            day_part: DayPart::None,
        }),
        day_part => Some(Between {
            comma,
            word: 0,
            day_part,
        }),
    }
}

/// Letters, dots, commas, spaces and marks. No sign that text is made of.
fn is_wordy(c: char) -> bool {
    if c.is_ascii() {
        c.is_ascii_alphabetic() || matches!(c, ' ' | ',' | '.' | '\'')
    } else {
        !c.is_control() && !matches!(c, '\u{2010}'..='\u{2015}' | '\u{2212}')
    }
}

struct Time {
    hour: u8,
    minute: u8,
    second: Option<u8>,
    separator: char,
}

fn time(cursor: &mut Cursor) -> Option<Time> {
    let hour = two_digits(cursor, 24)?;
    let separator = time_separator(cursor)?;
    let minute = two_digits(cursor, 59)?;
    let before_seconds = cursor.byte();
    let second = match before_seconds {
        b':' | b'.' if separator.is_ascii_punctuation() => {
            cursor.eat(before_seconds);
            // `14.05.` may end with a dot.
            if cursor.at_digit() {
                Some(two_digits(cursor, 60)?.min(59))
            } else {
                None
            }
        }
        _ if cursor.eat_str(" min ") => Some(two_digits(cursor, 60)?.min(59)),
        _ => None,
    };
    Some(Time {
        hour,
        minute,
        second,
        separator,
    })
}

/// `:` or `.`, or the ` h ` of Canadian French.
fn time_separator(cursor: &mut Cursor) -> Option<char> {
    if cursor.eat(b':') {
        return Some(':');
    }
    if cursor.eat(b'.') {
        return Some('.');
    }
    cursor.skip_blanks();
    let c = cursor
        .peek()
        .filter(|c| matches!(c, 'h' | ':' | '：' | '時' | '时' | '시'))?;
    cursor.advance(c);
    cursor.skip_blanks();
    Some(c)
}

fn two_digits(cursor: &mut Cursor, max: u16) -> Option<u8> {
    let number = cursor.number()?;
    (number.digits <= 2 && number.value <= max).then_some(number.value as u8)
}

/// From the time to the end of the header: perhaps a part of the day, then `]`, or a dash and a space.
fn end(cursor: &mut Cursor, bracket: bool) -> Option<(DayPart, char)> {
    let start = cursor.rest();
    for _ in 0..=WORDS_CHARS_MAX {
        let c = cursor.peek()?;
        let words = &start[..start.len() - cursor.rest().len()];
        if bracket && c == ']' {
            cursor.advance(c);
            cursor.eat(b' ');
            return Some((day_part::of(words), ']'));
        }
        if !bracket
            && matches!(c, '-' | '\u{2010}'..='\u{2015}' | '\u{2212}')
            && words.ends_with(char::is_whitespace)
        {
            cursor.advance(c);
            let space = cursor.eat(b' ') || cursor.eat_str("\u{A0}") || cursor.rest().is_empty();
            return space.then(|| (day_part::of(words), c));
        }
        if !is_wordy(c) {
            return None;
        }
        cursor.advance(c);
    }
    None
}
