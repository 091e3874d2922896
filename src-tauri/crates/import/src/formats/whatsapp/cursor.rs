//! Walks over the head of a line: numbers in any script, invisible marks, spaces of any width.

/// A place in a text.
pub(super) struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

/// A number as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Number {
    pub(super) value: u16,
    pub(super) digits: u8,
    /// The zero of its script.
    pub(super) zero: char,
}

/// The zeros of the scripts whose digits systems put into dates.
const ZEROS: [char; 13] = [
    '\u{660}', '\u{6F0}', '\u{966}', '\u{9E6}', '\u{A66}', '\u{AE6}', '\u{B66}', '\u{BE6}', '\u{C66}',
    '\u{CE6}', '\u{D66}', '\u{E50}', '\u{1040}',
];

/// Marks that steer the direction of text, and the byte order mark: they show nothing and stand anywhere.
pub(super) fn is_mark(c: char) -> bool {
    matches!(c, '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{FEFF}' | '\u{61C}')
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// What is left.
    pub(super) fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// The next byte; zero at the end, which no grammar here asks for.
    pub(super) fn byte(&self) -> u8 {
        self.text.as_bytes().get(self.at).copied().unwrap_or(0)
    }

    /// Takes `wanted` if it is next.
    pub(super) fn eat(&mut self, wanted: u8) -> bool {
        let found = self.byte() == wanted && wanted.is_ascii();
        self.at += usize::from(found);
        found
    }

    /// Takes `wanted` if it is next.
    pub(super) fn eat_str(&mut self, wanted: &str) -> bool {
        let found = self.rest().starts_with(wanted);
        self.at += if found { wanted.len() } else { 0 };
        found
    }

    /// The next character, without taking it.
    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// Takes a character that [`Cursor::peek`] returned.
    pub(super) fn advance(&mut self, c: char) {
        self.at += c.len_utf8();
    }

    pub(super) fn skip_marks(&mut self) {
        self.skip(is_mark);
    }

    pub(super) fn skip_blanks(&mut self) {
        self.skip(|c| is_mark(c) || c.is_whitespace());
    }

    fn skip(&mut self, skipped: impl Fn(char) -> bool) {
        while let Some(c) = self.peek() {
            if !skipped(c) {
                return;
            }
            self.advance(c);
        }
    }

    /// Whether a digit of any script is next.
    pub(super) fn at_digit(&self) -> bool {
        match self.byte() {
            byte if byte.is_ascii() => byte.is_ascii_digit(),
            _ => self.peek().and_then(digit).is_some(),
        }
    }

    /// A number of one to four digits, all of one script, and no digit after it.
    pub(super) fn number(&mut self) -> Option<Number> {
        let mut number = Number {
            value: 0,
            digits: 0,
            zero: '0',
        };
        loop {
            let byte = self.byte();
            let (value, zero, len) = if byte.is_ascii_digit() {
                (u16::from(byte - b'0'), '0', 1)
            } else if byte.is_ascii() {
                break;
            } else {
                let Some(c) = self.peek() else { break };
                let Some((value, zero)) = digit(c) else { break };
                (value, zero, c.len_utf8())
            };
            if number.digits == 4 || (number.digits > 0 && zero != number.zero) {
                return None;
            }
            number = Number {
                value: number.value * 10 + value,
                digits: number.digits + 1,
                zero,
            };
            self.at += len;
        }
        (number.digits > 0).then_some(number)
    }
}

fn digit(c: char) -> Option<(u16, char)> {
    if c.is_ascii_digit() {
        return Some((c as u16 - '0' as u16, '0'));
    }
    let zero = *ZEROS.iter().rev().find(|zero| **zero <= c)?;
    let value = c as u32 - zero as u32;
    (value <= 9).then_some((value as u16, zero))
}
