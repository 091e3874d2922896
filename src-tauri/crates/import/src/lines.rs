//! Lines of a text whose encoding nobody told us, in bounded memory.

use std::borrow::Cow;
use std::io::{self, Read};

use encoding_rs::{Encoding, UTF_16BE, UTF_16LE, WINDOWS_1252};
use encoding_rs_io::DecodeReaderBytesBuilder;

/// What is read at once.
const CHUNK_BYTES: usize = 128 * 1024;

/// The longest line that is held in memory; the rest of a longer one is only counted.
/// A little more than the longest message that is kept, so that there is something to show of what is cut.
pub(crate) const LINE_BYTES_MAX: usize = (1 << 20) + 4096;

/// How much of a file is looked at to tell its encoding and its format.
pub(crate) const HEAD_BYTES: usize = 64 * 1024;

/// Reads lines: UTF-8, UTF-16 of either order, and Windows-1252 (a superset of Latin-1) for lines that are neither.
pub(crate) struct Lines<R> {
    read: R,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    number: u64,
    /// Lines that were not valid in the file's encoding.
    pub(crate) repaired: u64,
}

/// One line without its line end.
pub(crate) struct Line<'a> {
    /// Its text.
    pub(crate) text: Cow<'a, str>,
    /// Counted from one.
    pub(crate) number: u64,
    /// Bytes beyond [`LINE_BYTES_MAX`] that are not in `text`.
    pub(crate) cut_bytes: u64,
}

/// Tells the encoding from a file's first bytes and reads its lines as text.
pub(crate) fn lines<'a>(mut read: impl Read + 'a) -> Lines<Box<dyn Read + 'a>> {
    let mut head = Vec::with_capacity(HEAD_BYTES);
    // Damage that is met here comes after what is before it, as anywhere else.
    let damage = read.by_ref().take(HEAD_BYTES as u64).read_to_end(&mut head).err();
    let encoding = utf16(&head);
    let whole = io::Cursor::new(head).chain(Damaged(damage)).chain(read);
    let read: Box<dyn Read + 'a> = match encoding {
        Some(encoding) => Box::new(
            DecodeReaderBytesBuilder::new()
                .encoding(Some(encoding))
                .build(whole),
        ),
        None => Box::new(whole),
    };
    Lines {
        read,
        buffer: vec![0; CHUNK_BYTES],
        start: 0,
        end: 0,
        number: 0,
        repaired: 0,
    }
}

/// Gives an error, or nothing.
struct Damaged(Option<io::Error>);

impl Read for Damaged {
    fn read(&mut self, _buffer: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}

/// The first [`HEAD_BYTES`], or all if there are fewer.
pub(crate) fn take_head(read: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(HEAD_BYTES);
    read.take(HEAD_BYTES as u64).read_to_end(&mut head)?;
    Ok(head)
}

/// As [`take_head`], of something that may be damaged: what can be read of it.
pub(crate) fn take_readable_head(read: &mut impl Read) -> Vec<u8> {
    let mut head = Vec::with_capacity(HEAD_BYTES);
    // What came before the damage is in `head`; the damage itself is told when the whole is read.
    let _damage = read.take(HEAD_BYTES as u64).read_to_end(&mut head);
    head
}

/// UTF-16 by its mark, or by zeros: half the bytes of Western text and all spaces and line ends have one.
fn utf16(head: &[u8]) -> Option<&'static Encoding> {
    match head {
        [0xFF, 0xFE, ..] => return Some(UTF_16LE),
        [0xFE, 0xFF, ..] => return Some(UTF_16BE),
        _ => {}
    }
    let zeros = |offset| head.iter().skip(offset).step_by(2).filter(|b| **b == 0).count();
    let (even, odd) = (zeros(0), zeros(1));
    // Binary files have zeros on both sides; text in UTF-16 has them on one.
    let enough = |many: usize, few: usize| many * 10 > head.len() && many > few * 20;
    if enough(odd, even) {
        Some(UTF_16LE)
    } else if enough(even, odd) {
        Some(UTF_16BE)
    } else {
        None
    }
}

impl<R: Read> Lines<R> {
    /// The next line, or none at the end. A line end at the end of the file begins no further line.
    pub(crate) fn next(&mut self) -> io::Result<Option<Line<'_>>> {
        let Some((range, mut cut_bytes)) = self.next_range()? else {
            return Ok(None);
        };
        self.number += 1;
        let bytes = &self.buffer[range];
        let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        let text = match simdutf8::basic::from_utf8(bytes) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => match std::str::from_utf8(bytes) {
                // The cut may have gone through the middle of a character.
                Err(e) if cut_bytes > 0 && e.error_len().is_none() => {
                    cut_bytes += (bytes.len() - e.valid_up_to()) as u64;
                    String::from_utf8_lossy(&bytes[..e.valid_up_to()])
                }
                _ => {
                    self.repaired += 1;
                    repair(bytes)
                }
            },
        };
        Ok(Some(Line {
            text,
            number: self.number,
            cut_bytes,
        }))
    }

    fn next_range(&mut self) -> io::Result<Option<(std::ops::Range<usize>, u64)>> {
        let mut searched = self.start;
        loop {
            if let Some(at) = memchr::memchr(b'\n', &self.buffer[searched..self.end]) {
                let line = self.start..searched + at;
                self.start = line.end + 1;
                return Ok(Some((line, 0)));
            }
            searched = self.end;
            if self.end - self.start >= LINE_BYTES_MAX {
                let line = self.start..self.start + LINE_BYTES_MAX;
                let cut_bytes = self.skip_line(line.end)?;
                return Ok(Some((line, cut_bytes)));
            }
            let moved = self.make_room();
            searched -= moved;
            let count = read_some(&mut self.read, &mut self.buffer[self.end..])?;
            self.end += count;
            if count == 0 {
                let line = self.start..self.end;
                self.start = self.end;
                return Ok((!line.is_empty()).then_some((line, 0)));
            }
        }
    }

    /// Moves what is left to the front and grows the buffer if it is full; returns by how much it moved.
    fn make_room(&mut self) -> usize {
        let moved = self.start;
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= moved;
        self.start = 0;
        if self.end == self.buffer.len() {
            let larger = (self.buffer.len() * 2).min(LINE_BYTES_MAX + CHUNK_BYTES);
            self.buffer.resize(larger, 0);
        }
        moved
    }

    /// Passes over the rest of a line that starts at `from`; returns its length. What is before stays in the buffer.
    fn skip_line(&mut self, from: usize) -> io::Result<u64> {
        let mut skipped = 0;
        let mut searched = from;
        loop {
            if let Some(at) = memchr::memchr(b'\n', &self.buffer[searched..self.end]) {
                self.start = searched + at + 1;
                return Ok(skipped + at as u64);
            }
            skipped += (self.end - searched) as u64;
            searched = from;
            if from == self.buffer.len() {
                self.buffer.resize(from + CHUNK_BYTES, 0);
            }
            let count = read_some(&mut self.read, &mut self.buffer[from..])?;
            self.end = from + count;
            if count == 0 {
                self.start = self.end;
                return Ok(skipped);
            }
        }
    }
}

fn read_some(read: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match read.read(buffer) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// A line with some valid multi-byte characters is UTF-8 with a flaw; one without any is of an older encoding.
fn repair(bytes: &[u8]) -> Cow<'_, str> {
    let has_utf8 = bytes.utf8_chunks().any(|chunk| !chunk.valid().is_ascii());
    if has_utf8 {
        String::from_utf8_lossy(bytes)
    } else {
        WINDOWS_1252.decode_without_bom_handling(bytes).0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(bytes: &[u8]) -> (Vec<(String, u64)>, u64) {
        let mut lines = lines(bytes);
        let mut out = Vec::new();
        while let Some(line) = lines.next().expect("reads") {
            out.push((line.text.into_owned(), line.cut_bytes));
        }
        (out, lines.repaired)
    }

    fn texts(bytes: &[u8]) -> Vec<String> {
        all(bytes).0.into_iter().map(|(text, _)| text).collect()
    }

    #[test]
    fn line_ends_of_both_kinds_end_lines_and_the_last_needs_none() {
        assert_eq!(texts(b"a\r\nb\n\nc"), ["a", "b", "", "c"]);
        assert_eq!(texts(b"a\n"), ["a"]);
        assert_eq!(texts(b""), [""; 0]);
    }

    #[test]
    fn utf_16_is_recognised_with_and_without_a_mark() {
        let text = "1/30/19, 8:49 PM - Zoë 🙈: hi\nyou";
        for big_endian in [false, true] {
            let encode = |unit: u16| {
                if big_endian {
                    unit.to_be_bytes()
                } else {
                    unit.to_le_bytes()
                }
            };
            let plain: Vec<u8> = text.encode_utf16().flat_map(encode).collect();
            let marked = [&encode(0xFEFF)[..], &plain].concat();
            for bytes in [plain, marked] {
                assert_eq!(texts(&bytes).join("\n").trim_start_matches('\u{FEFF}'), text);
            }
        }
    }

    #[test]
    fn lines_in_latin_1_and_flawed_utf_8_are_repaired_and_counted() {
        assert_eq!(
            all(b"Jos\xE9\nplain"),
            (vec![("José".into(), 0), ("plain".into(), 0)], 1)
        );
        assert_eq!(all(b"Jos\xC3\xA9 \xFF"), (vec![("José \u{FFFD}".into(), 0)], 1));
    }

    #[test]
    fn a_line_without_end_is_cut_and_the_next_one_is_whole() {
        let extra = 3 * CHUNK_BYTES + 7;
        let mut bytes = vec![b'x'; LINE_BYTES_MAX + extra];
        bytes.extend_from_slice(b"\nnext\n");
        let (lines, repaired) = all(&bytes);
        assert_eq!(repaired, 0);
        assert_eq!(lines.len(), 2);
        assert_eq!((lines[0].0.len(), lines[0].1), (LINE_BYTES_MAX, extra as u64));
        assert_eq!(lines[1], ("next".to_owned(), 0));
    }
}
