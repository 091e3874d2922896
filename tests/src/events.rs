//! The client's end of an event stream, after the EventSource part of the HTML standard.

use std::io::{self, BufRead, BufReader, Read, Take, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

use crate::{Answer, PATIENCE, http};

/// An event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// `message` where the stream gives none.
    pub name: String,
    /// Its id, where it carries one itself.
    pub id: Option<String>,
    /// Its data, the lines joined.
    pub data: String,
    /// How many lines of data it had.
    pub data_lines: usize,
}

/// An open stream. Reads only when asked to: between two calls it is a client that does not read.
#[derive(Debug)]
pub struct EventStream {
    from: BufReader<Take<TcpStream>>,
    /// The head of the answer.
    pub head: Answer,
    /// The hint how long to wait before coming back, in milliseconds, once it was read.
    pub retry_ms: Option<u64>,
    /// When something other than a heartbeat came.
    news: Instant,
}

impl EventStream {
    /// Opens one. `headers` are whole lines. An answer that is no stream is the inner error.
    ///
    /// # Errors
    ///
    /// No answer.
    pub fn open(
        addr: SocketAddr,
        token: &str,
        target: &str,
        headers: &str,
    ) -> io::Result<Result<EventStream, Answer>> {
        let mut socket = http::connect(addr)?;
        let head = format!(
            "GET {target} HTTP/1.1\r\nHost: {addr}\r\nAuthorization: Bearer {token}\r\nAccept: text/event-stream\r\n{headers}\r\n"
        );
        socket.write_all(head.as_bytes())?;
        let mut from = BufReader::new(socket.take(u64::MAX));
        let mut head = Answer::read_head(&mut from)?;
        if head.status != 200 {
            let length = head.header("content-length").and_then(|text| text.parse().ok());
            let mut body = String::new();
            from.take(length.unwrap_or(0)).read_to_string(&mut body)?;
            head.body = body;
            return Ok(Err(head));
        }
        Ok(Ok(EventStream {
            from,
            head,
            retry_ms: None,
            news: Instant::now(),
        }))
    }

    /// Cuts the stream off after so many more bytes, wherever that is.
    pub fn cut_after(&mut self, bytes: u64) {
        self.from.get_mut().set_limit(bytes);
    }

    /// Sends something more on the connection, as no proper client would.
    ///
    /// # Errors
    ///
    /// The connection's.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.from.get_mut().get_mut().write_all(bytes)
    }

    /// The next event; none once the stream has ended. An event that was cut off is none.
    ///
    /// # Panics
    ///
    /// If nothing but heartbeats comes for longer than [`PATIENCE`], or something that is no event.
    pub fn next_event(&mut self) -> Option<Event> {
        let mut event = Event::default();
        loop {
            let line = self.line()?;
            let (field, value) = line.split_once(": ").unwrap_or((&line, ""));
            match field {
                "" if event == Event::default() => {}
                "" => {
                    if event.name.is_empty() {
                        event.name = "message".to_owned();
                    }
                    self.note(&event);
                    return Some(event);
                }
                "event" => event.name = value.to_owned(),
                "id" => event.id = Some(value.to_owned()),
                "retry" => self.retry_ms = value.parse().ok(),
                "data" => {
                    if event.data_lines > 0 {
                        event.data.push('\n');
                    }
                    event.data.push_str(value);
                    event.data_lines += 1;
                }
                _ => panic!("not a line of an event: {line:?}"),
            }
        }
    }

    /// The next event that is no heartbeat, which has to be of this name.
    ///
    /// # Panics
    ///
    /// If it is another, or the stream ends.
    pub fn expect(&mut self, name: &str) -> Event {
        loop {
            let event = self
                .next_event()
                .unwrap_or_else(|| panic!("it ended before {name}"));
            if event.name != "heartbeat" {
                assert_eq!(event.name, name, "{event:?}");
                return event;
            }
        }
    }

    fn note(&mut self, event: &Event) {
        if event.name != "heartbeat" {
            self.news = Instant::now();
        }
        assert!(self.news.elapsed() < PATIENCE, "nothing but heartbeats came");
    }

    fn line(&mut self) -> Option<String> {
        let mut line = Vec::new();
        match self.from.read_until(b'\n', &mut line) {
            Ok(_) if line.pop() == Some(b'\n') => Some(String::from_utf8(line).expect("text")),
            Ok(_) => None,
            Err(error) => {
                assert_ne!(error.kind(), io::ErrorKind::WouldBlock, "nothing came");
                None
            }
        }
    }
}

impl Read for EventStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.from.read(buffer)
    }
}

impl Event {
    /// The data as JSON.
    ///
    /// # Panics
    ///
    /// If it is none.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.data).unwrap_or_else(|error| panic!("{error}: {}", self.data))
    }
}
