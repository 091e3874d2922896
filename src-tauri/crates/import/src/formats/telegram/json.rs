//! A reader of JSON that is larger than memory: walks through objects and arrays, and hands out one value at a time.
//!
//! It checks only what it needs to find the end of a value; the values themselves are parsed by serde_json. So a
//! record that is wrong in itself spoils no other.

use std::io::{self, Read};

/// What is read at once.
const CHUNK_BYTES: usize = 128 * 1024;

/// How deep a value may be nested, at most the bits of [`Brackets`]. An export has about ten levels.
const DEPTH_MAX: u32 = 128;

/// No key that means anything is longer.
const KEY_BYTES_MAX: usize = 1024;

/// Bytes that are shown of a value that was not taken.
const EXCERPT_BYTES: usize = 1024;

const BYTE_ORDER_MARK: [u8; 3] = [0xEF, 0xBB, 0xBF];

/// Reads the text of one JSON document.
pub(super) struct Json<R> {
    read: R,
    buffer: Vec<u8>,
    /// The next byte, and the end of what was read.
    at: usize,
    end: usize,
    /// Where a value begins that is being collected, and the bytes up to which it stays in the buffer.
    kept: Option<(usize, usize)>,
    /// The beginning of the last value that was not taken.
    excerpt: Vec<u8>,
    /// Bytes before the buffer.
    passed: u64,
}

/// Why a document cannot be read on.
#[derive(Debug)]
pub(super) enum JsonError {
    /// It could not be read.
    Io(io::Error),
    /// It ends in its middle.
    CutShort,
    /// Something else than JSON, after so many bytes.
    Syntax(u64),
}

/// One value as it stands.
pub(super) enum Value<'a> {
    /// Its bytes.
    Whole(&'a [u8]),
    /// It is larger than what was asked for: its first bytes.
    TooLarge(&'a [u8]),
}

/// The brackets that are open: one bit each, set for a brace.
#[derive(Default)]
struct Brackets {
    depth: u32,
    braces: u128,
}

impl Brackets {
    /// False if the value is nested too deep.
    fn push(&mut self, brace: bool) -> bool {
        self.depth += 1;
        self.braces = self.braces << 1 | u128::from(brace);
        self.depth <= DEPTH_MAX
    }

    /// False if another bracket is open, or none.
    fn pop(&mut self, brace: bool) -> bool {
        let matches = self.depth > 0 && (self.braces & 1 == 1) == brace;
        self.depth = self.depth.saturating_sub(1);
        self.braces >>= 1;
        matches
    }
}

type Result<T> = std::result::Result<T, JsonError>;

impl<R: Read> Json<R> {
    pub(super) fn new(read: R) -> Self {
        Self {
            read,
            buffer: vec![0; CHUNK_BYTES],
            at: 0,
            end: 0,
            kept: None,
            excerpt: Vec::new(),
            passed: 0,
        }
    }

    /// Checks that nothing follows the document.
    pub(super) fn finish(&mut self) -> Result<()> {
        match self.peek()? {
            None => Ok(()),
            Some(_) => Err(self.syntax()),
        }
    }

    /// The first byte of the next value, after spaces (and a byte order mark); none at the end of the document.
    pub(super) fn peek(&mut self) -> Result<Option<u8>> {
        loop {
            while self.at < self.end {
                let byte = self.buffer[self.at];
                let first = self.passed == 0 && self.at == 0;
                if first && self.buffer[..self.end].starts_with(&BYTE_ORDER_MARK) {
                    self.at += BYTE_ORDER_MARK.len();
                } else if byte.is_ascii_whitespace() {
                    self.at += 1;
                } else {
                    return Ok(Some(byte));
                }
            }
            if !self.fill()? {
                return Ok(None);
            }
        }
    }

    /// Steps into an object or an array whose opening bracket is next.
    pub(super) fn enter(&mut self, bracket: u8) -> Result<()> {
        self.expect(bracket)
    }

    /// The next key of the object that was entered; none at its end, which is passed.
    pub(super) fn next_key(&mut self) -> Result<Option<String>> {
        if !self.next_of(b'}')? {
            return Ok(None);
        }
        if self.peek()? != Some(b'"') {
            return Err(self.syntax());
        }
        let key = match self.value(KEY_BYTES_MAX)? {
            Value::Whole(bytes) => serde_json::from_slice(bytes).unwrap_or_default(),
            Value::TooLarge(_) => String::new(),
        };
        self.expect(b':')?;
        Ok(Some(key))
    }

    /// Whether the array that was entered has another element; its end is passed.
    pub(super) fn next_element(&mut self) -> Result<bool> {
        self.next_of(b']')
    }

    /// Takes the next value, of at most `max_bytes`; a larger one is passed over.
    pub(super) fn value(&mut self, max_bytes: usize) -> Result<Value<'_>> {
        self.peek()?.ok_or(JsonError::CutShort)?;
        self.kept = Some((self.at, max_bytes));
        let passed = self.pass_value();
        let from = self.kept.take().map(|(from, _)| from);
        match (passed, from) {
            (Ok(()), Some(from)) if self.at - from <= max_bytes => {
                Ok(Value::Whole(&self.buffer[from..self.at]))
            }
            (passed, from) => {
                // Otherwise its beginning was put aside when it was let go.
                if let Some(from) = from {
                    self.put_aside(from);
                }
                passed.map(|()| Value::TooLarge(&self.excerpt))
            }
        }
    }

    /// Passes over the next value.
    pub(super) fn skip(&mut self) -> Result<()> {
        self.peek()?.ok_or(JsonError::CutShort)?;
        self.pass_value()
    }

    /// The beginning of the value that could not be taken.
    pub(super) fn excerpt(&self) -> &[u8] {
        &self.excerpt
    }

    fn put_aside(&mut self, from: usize) {
        self.excerpt.clear();
        self.excerpt
            .extend_from_slice(&self.buffer[from..self.end.min(from + EXCERPT_BYTES)]);
    }

    fn syntax(&self) -> JsonError {
        JsonError::Syntax(self.passed + self.at as u64)
    }

    fn expect(&mut self, wanted: u8) -> Result<()> {
        match self.peek()? {
            Some(byte) if byte == wanted => {
                self.at += 1;
                Ok(())
            }
            Some(_) => Err(self.syntax()),
            None => Err(JsonError::CutShort),
        }
    }

    fn next_of(&mut self, close: u8) -> Result<bool> {
        // A comma in front of the first element does no harm.
        if self.peek()? == Some(b',') {
            self.at += 1;
        }
        match self.peek()? {
            None => Err(JsonError::CutShort),
            Some(byte) if byte == close => {
                self.at += 1;
                Ok(false)
            }
            Some(_) => Ok(true),
        }
    }

    /// Moves behind the value that is next.
    fn pass_value(&mut self) -> Result<()> {
        let mut open = Brackets::default();
        loop {
            let Some(byte) = self.next_structural(open.depth == 0)? else {
                return Err(JsonError::CutShort);
            };
            let fits = match byte {
                b'"' => {
                    self.pass_string()?;
                    true
                }
                b'{' | b'[' => open.push(byte == b'{'),
                b'}' | b']' => open.pop(byte == b'}'),
                _ => true,
            };
            if !fits {
                return Err(self.syntax());
            }
            if open.depth == 0 {
                return Ok(());
            }
        }
    }

    /// Takes the next quote or bracket. At the top, a number or a word is taken as a whole, and its first byte returned.
    fn next_structural(&mut self, top: bool) -> Result<Option<u8>> {
        if top && matches!(self.buffer[self.at], b'0'..=b'9' | b'-' | b't' | b'f' | b'n') {
            return self.pass_word().map(Some);
        }
        loop {
            let found = self.buffer[self.at..self.end]
                .iter()
                .position(|byte| matches!(byte, b'"' | b'{' | b'}' | b'[' | b']'));
            match found {
                Some(at) if top && at > 0 => return Err(self.syntax()),
                Some(at) => {
                    self.at += at + 1;
                    return Ok(Some(self.buffer[self.at - 1]));
                }
                None => self.at = self.end,
            }
            if !self.fill()? {
                return Ok(None);
            }
        }
    }

    fn pass_word(&mut self) -> Result<u8> {
        let first = self.buffer[self.at];
        loop {
            while self.at < self.end {
                if matches!(
                    self.buffer[self.at],
                    b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t'
                ) {
                    return Ok(first);
                }
                self.at += 1;
            }
            if !self.fill()? {
                return Ok(first);
            }
        }
    }

    fn pass_string(&mut self) -> Result<()> {
        loop {
            let Some(found) = memchr::memchr3(b'"', b'\\', b'\n', &self.buffer[self.at..self.end]) else {
                self.at = self.end;
                if !self.fill()? {
                    return Err(JsonError::CutShort);
                }
                continue;
            };
            self.at += found;
            match self.buffer[self.at] {
                b'"' => {
                    self.at += 1;
                    return Ok(());
                }
                // No string holds one. A quote is missing, and what follows would be taken for its opposite: records
                // would vanish in one long string.
                b'\n' => return Err(self.syntax()),
                _ => {}
            }
            // An escape: the byte after the backslash is never the end.
            self.at += 1;
            if self.at == self.end && !self.fill()? {
                return Err(JsonError::CutShort);
            }
            self.at += 1;
        }
    }

    /// Reads on. False at the end of the document.
    fn fill(&mut self) -> Result<bool> {
        if let Some((from, max_bytes)) = self.kept
            && self.at - from > max_bytes
        {
            self.put_aside(from);
            self.kept = None;
        }
        let keep = self.kept.map_or(self.at, |(from, _)| from);
        self.buffer.copy_within(keep..self.end, 0);
        self.passed += keep as u64;
        self.at -= keep;
        self.end -= keep;
        self.kept = self.kept.map(|(_, max_bytes)| (0, max_bytes));
        if self.end == self.buffer.len() {
            self.buffer.resize(self.end + CHUNK_BYTES.max(self.end), 0);
        }
        loop {
            match self.read.read(&mut self.buffer[self.end..]) {
                Ok(count) => {
                    self.end += count;
                    return Ok(count > 0);
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(JsonError::Io(e)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives one byte at a time, so that every boundary is met.
    struct Drip<'a>(&'a [u8]);

    impl Read for Drip<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let Some((first, rest)) = self.0.split_first() else {
                return Ok(0);
            };
            buffer[0] = *first;
            self.0 = rest;
            Ok(1)
        }
    }

    fn elements(text: &str, max_bytes: usize) -> Vec<std::result::Result<String, String>> {
        let mut json = Json::new(Drip(text.as_bytes()));
        let mut out = Vec::new();
        json.enter(b'[').expect("an array");
        while json.next_element().expect("an element or the end") {
            let owned = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            out.push(match json.value(max_bytes).expect("a value") {
                Value::Whole(bytes) => Ok(owned(bytes)),
                Value::TooLarge(bytes) => Err(owned(bytes)),
            });
        }
        json.finish().expect("nothing more");
        out
    }

    #[test]
    fn values_of_all_kinds_are_found_at_every_boundary() {
        let text = r#" [ {"a":[1,"}\"]"]} , "x\\" ,-1.5e3,true, null ,[] ] "#;
        let want = [r#"{"a":[1,"}\"]"]}"#, r#""x\\""#, "-1.5e3", "true", "null", "[]"];
        assert_eq!(elements(text, 100), want.map(|text| Ok(text.to_owned())));
    }

    #[test]
    fn a_value_beyond_the_limit_is_passed_over_and_its_beginning_shown() {
        let long = "x".repeat(3 * CHUNK_BYTES);
        let got = elements(&format!(r#"[1,"{long}",{:>5000},2]"#, "{}"), 4096);
        assert_eq!((&got[0], &got[3]), (&Ok("1".to_owned()), &Ok("2".to_owned())));
        let shown = got[1].as_ref().expect_err("too large");
        assert!(shown.starts_with("\"xxx") && shown.len() == EXCERPT_BYTES);
        assert_eq!(
            got[2],
            Ok("{}".to_owned()),
            "spaces before a value are not part of it"
        );
    }

    #[test]
    fn a_value_without_end_does_not_take_the_memory() {
        for opening in ["[", "[\"", "[[[", "[1"] {
            let filling = if opening == "[1" { b'1' } else { b' ' };
            let endless = opening.as_bytes().chain(io::repeat(filling).take(64 << 20));
            let mut json = Json::new(endless);
            json.enter(b'[').expect("an array");
            let ended = json.next_element().and_then(|_| json.value(4096).map(|_| ()));
            assert!(ended.is_err() || opening == "[1", "{opening}");
            assert!(
                json.buffer.len() <= 4 * CHUNK_BYTES,
                "{opening}: {}",
                json.buffer.len()
            );
        }
    }

    #[test]
    fn brackets_that_do_not_match_and_strings_with_line_breaks_are_errors() {
        for text in ["[{]}]", "[\"a\nb\"]", "[}]", "[x]"] {
            let mut json = Json::new(text.as_bytes());
            json.enter(b'[').expect("an array");
            assert!(matches!(json.value(100), Err(JsonError::Syntax(_))), "{text}");
        }
        let deep = "[".repeat(1000);
        assert!(matches!(
            Json::new(deep.as_bytes()).value(10_000),
            Err(JsonError::Syntax(_))
        ));
    }
}
