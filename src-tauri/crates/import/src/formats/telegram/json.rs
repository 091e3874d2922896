//! A reader of JSON that is larger than memory: walks through objects and arrays, and hands out one value at a time.
//!
//! It checks only what it needs to find the end of a value; the values themselves are parsed by serde_json. So a
//! record that is wrong in itself spoils no other.

use std::io::{self, Read};

/// What is read at once.
const CHUNK_BYTES: usize = 128 * 1024;

/// How deep a value may be nested. An export has about ten levels.
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
    /// Where a value begins that is being collected: must stay in the buffer.
    kept_from: Option<usize>,
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

type Result<T> = std::result::Result<T, JsonError>;

impl<R: Read> Json<R> {
    pub(super) fn new(read: R) -> Self {
        Self {
            read,
            buffer: vec![0; CHUNK_BYTES],
            at: 0,
            end: 0,
            kept_from: None,
            excerpt: Vec::new(),
            passed: 0,
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
        self.kept_from = Some(self.at);
        let whole = self.pass_value(max_bytes);
        let from = self.kept_from.take();
        match (whole, from) {
            (Ok(true), Some(from)) => Ok(Value::Whole(&self.buffer[from..self.at])),
            (Ok(_), _) => Ok(Value::TooLarge(&self.excerpt)),
            (Err(e), from) => {
                self.show(from.unwrap_or(self.end));
                Err(e)
            }
        }
    }

    /// Passes over the next value.
    pub(super) fn skip(&mut self) -> Result<()> {
        self.peek()?.ok_or(JsonError::CutShort)?;
        self.pass_value(usize::MAX).map(|_| ())
    }

    /// The beginning of the value that could not be taken.
    pub(super) fn excerpt(&self) -> &[u8] {
        &self.excerpt
    }

    fn show(&mut self, from: usize) {
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

    /// Moves behind the value that is next. False if it grew beyond `max_bytes` and is no longer in the buffer.
    fn pass_value(&mut self, max_bytes: usize) -> Result<bool> {
        let mut depth = 0_u32;
        let mut whole = true;
        loop {
            let Some(byte) = self.next_structural(depth == 0)? else {
                return Err(JsonError::CutShort);
            };
            match byte {
                b'"' => self.pass_string(max_bytes, &mut whole)?,
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth = depth.checked_sub(1).ok_or_else(|| self.syntax())?,
                _ => {}
            }
            if depth > DEPTH_MAX {
                return Err(self.syntax());
            }
            self.release_if_larger(max_bytes, &mut whole);
            if depth == 0 {
                return Ok(whole);
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

    fn pass_string(&mut self, max_bytes: usize, whole: &mut bool) -> Result<()> {
        loop {
            let Some(found) = memchr::memchr2(b'"', b'\\', &self.buffer[self.at..self.end]) else {
                self.at = self.end;
                self.release_if_larger(max_bytes, whole);
                if !self.fill()? {
                    return Err(JsonError::CutShort);
                }
                continue;
            };
            self.at += found;
            if self.buffer[self.at] == b'"' {
                self.at += 1;
                return Ok(());
            }
            // An escape: the byte after the backslash is never the end.
            self.at += 1;
            if self.at == self.end && !self.fill()? {
                return Err(JsonError::CutShort);
            }
            self.at += 1;
        }
    }

    fn release_if_larger(&mut self, max_bytes: usize, whole: &mut bool) {
        if let Some(from) = self.kept_from
            && self.at - from > max_bytes
        {
            self.show(from);
            self.kept_from = None;
            *whole = false;
        }
    }

    /// Reads on. False at the end of the document.
    fn fill(&mut self) -> Result<bool> {
        let keep = self.kept_from.unwrap_or(self.at);
        self.buffer.copy_within(keep..self.end, 0);
        self.passed += keep as u64;
        self.at -= keep;
        self.end -= keep;
        self.kept_from = self.kept_from.map(|_| 0);
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
