//! The first look at a file: which shape its headers have, how to read their dates, and who writes in it.

use super::authors::Authors;
use super::clock_words::ClockWords;
use super::dates::{self, Evidence};
use super::header::{Header, Shape};
use crate::Options;
use crate::clock::Day;
use chatstats_model::DateOrder;

/// Shapes that are told apart. A file has one and perhaps a few look-alikes.
const SHAPES_MAX: usize = 32;

/// The first header of a file has its shape, unless at least this many times as many headers have another one:
/// a chat that was pasted into a message may be longer than the rest, but not that much.
const OUTWEIGHS: u64 = 20;

/// Lines among which a chat has its first header: a heading or the end of a message may be before it.
const FIRST_LINES: u64 = 3;

/// Headers of one shape that make a chat of a file that begins with something else.
const HEADERS_MIN: u64 = 3;

/// What was seen of a file.
#[derive(Debug, Default)]
pub(super) struct Survey {
    tallies: Vec<Tally>,
    last: usize,
}

#[derive(Debug)]
struct Tally {
    shape: Shape,
    count: u64,
    first_line: u64,
    dates: Evidence,
    words: ClockWords,
    authors: Authors,
}

/// How the headers of a file are written.
#[derive(Debug)]
pub(super) struct Style {
    pub(super) shape: Shape,
    pub(super) order: DateOrder,
    pub(super) words: ClockWords,
}

/// What a file's survey says.
pub(super) struct Findings {
    pub(super) style: Style,
    pub(super) authors: Authors,
    pub(super) notes: Vec<String>,
}

impl Survey {
    /// Takes a line that has the form of a header.
    pub(super) fn add(&mut self, line_number: u64, header: &Header) {
        if self
            .tallies
            .get(self.last)
            .is_none_or(|tally| tally.shape != header.shape)
        {
            let Some(at) = self.position(line_number, header.shape) else {
                return;
            };
            self.last = at;
        }
        let tally = &mut self.tallies[self.last];
        tally.count += 1;
        tally.dates.add(header);
        tally.words.add(header);
        tally.authors.add(header.rest);
    }

    fn position(&mut self, line_number: u64, shape: Shape) -> Option<usize> {
        let known = self.tallies.iter().position(|tally| tally.shape == shape);
        if known.is_none() && self.tallies.len() < SHAPES_MAX {
            self.tallies.push(Tally {
                shape,
                count: 0,
                first_line: line_number,
                dates: Evidence::default(),
                words: ClockWords::default(),
                authors: Authors::default(),
            });
            return Some(self.tallies.len() - 1);
        }
        known
    }

    /// Whether this is a chat: one that begins with a header, or has several of one shape.
    pub(super) fn is_chat(&self) -> bool {
        let begins = |tally: &Tally| tally.first_line <= FIRST_LINES;
        self.tallies
            .iter()
            .any(|tally| begins(tally) || tally.count >= HEADERS_MIN)
    }

    /// The style of the file; none if no line has the form of a header.
    pub(super) fn conclude(mut self, options: &Options) -> Option<Findings> {
        let most = self.tallies.iter().map(|tally| tally.count).max()?;
        let at = self
            .tallies
            .iter()
            .position(|tally| tally.count * OUTWEIGHS >= most)?;
        let tally = self.tallies.swap_remove(at);
        let (order, open) = tally.dates.conclude(&tally.shape, options.date_order);
        let mut notes: Vec<String> = open.into_iter().collect();
        if let Some(other) = self.tallies.iter().min_by_key(|other| other.first_line) {
            let count: u64 = self.tallies.iter().map(|other| other.count).sum();
            let lines = if count == 1 {
                "1 line looks like a header"
            } else {
                &format!("{count} lines look like headers")
            };
            let first = other.first_line;
            notes.push(format!(
                "{lines} of another style, kept as text of the message above (the first: line {first})."
            ));
        }
        let style = Style {
            shape: tally.shape,
            order,
            words: tally.words,
        };
        Some(Findings {
            style,
            authors: tally.authors.settle(),
            notes,
        })
    }
}

impl Style {
    /// The day and the hour that a header of this style means; none if there is no such day.
    pub(super) fn day_and_hour(&self, header: &Header) -> Option<(Day, u8)> {
        let day = dates::day(header.date, self.order, self.shape.year)?;
        Some((day, self.words.hour(header)))
    }
}
