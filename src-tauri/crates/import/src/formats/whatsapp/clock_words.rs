//! Words for the parts of the day that are in no table: what they mean shows in the order of the file.

use super::day_part::{self, DayPart};
use super::header::Header;

/// The words beside the times of a file that are in no table.
///
/// With two of them and no hour above 12 they are AM and PM of a language unknown here. Within one day AM comes
/// first, so the word that more often follows the other on the same day is PM.
#[derive(Debug, Default)]
pub(super) struct ClockWords {
    words: Vec<u32>,
    /// Changes on one date from the first word to the second, less those from the second to the first.
    forward: i64,
    last: Option<([u16; 3], u32)>,
    /// Hours above 12, or more than two words: not the words of a clock of 12 hours.
    other: bool,
}

impl ClockWords {
    /// Takes the next header of the file.
    pub(super) fn add(&mut self, header: &Header) {
        let DayPart::Unknown(word) = header.day_part else {
            return;
        };
        if !self.words.contains(&word) {
            self.other |= self.words.len() == 2;
            if !self.other {
                self.words.push(word);
            }
        }
        self.other |= header.hour > 12;
        if let Some((date, before)) = self.last.replace((header.date, word))
            && date == header.date
            && before != word
        {
            self.forward += if self.words.first() == Some(&before) {
                1
            } else {
                -1
            };
        }
    }

    /// The hour of the day that a header means, 0 to 23.
    pub(super) fn hour(&self, header: &Header) -> u8 {
        let part = match (header.day_part, self.words.as_slice()) {
            (DayPart::Unknown(word), [first, second]) if !self.other => {
                let pm = if self.forward >= 0 { second } else { first };
                if word == *pm { DayPart::Pm } else { DayPart::Am }
            }
            (part, _) => part,
        };
        day_part::hour(header.hour, part)
    }
}
