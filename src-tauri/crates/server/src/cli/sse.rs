//! The client's end of an event stream.

use anyhow::{Context, Result, bail};
use bytes::{Buf, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Incoming;

use super::client::Client;

/// The longest line, in bytes: the largest entry of a stream with every byte of it escaped.
const LINE_BYTES_MAX: usize = 64 << 20;

/// An open stream.
pub(super) struct EventStream {
    body: Incoming,
    lines: Lines,
    // The connection ends with it.
    _client: Client,
}

/// An event that carries data.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Event {
    /// Empty where the stream gives none.
    pub(super) name: String,
    pub(super) id: String,
    pub(super) data: String,
}

impl EventStream {
    pub(super) fn new(body: Incoming, client: Client) -> Self {
        Self {
            body,
            lines: Lines::default(),
            _client: client,
        }
    }

    /// The next event; none once the stream has ended. An event that was cut off is none. Cancel safe.
    pub(super) async fn next(&mut self) -> Result<Option<Event>> {
        loop {
            if let Some(event) = self.lines.event()? {
                return Ok(Some(event));
            }
            let Some(frame) = self.body.frame().await else {
                return Ok(None);
            };
            let frame = frame.context("read the events of the running ChatStats")?;
            if let Some(bytes) = frame.data_ref() {
                self.lines.unread.extend_from_slice(bytes);
            }
        }
    }
}

/// Bytes that become lines, and lines that become events.
#[derive(Default)]
struct Lines {
    unread: BytesMut,
    /// So many bytes of them hold no end of a line.
    looked_at: usize,
    event: Event,
}

impl Lines {
    /// The next event that is there as a whole.
    fn event(&mut self) -> Result<Option<Event>> {
        while let Some(line) = self.line()? {
            let (field, value) = line.split_once(": ").unwrap_or((&line, ""));
            match field {
                "" if self.event.data.is_empty() => self.event = Event::default(),
                "" => return Ok(Some(std::mem::take(&mut self.event))),
                "event" => value.clone_into(&mut self.event.name),
                "id" => value.clone_into(&mut self.event.id),
                // Ours have one line of data.
                "data" => value.clone_into(&mut self.event.data),
                _ => {}
            }
        }
        Ok(None)
    }

    fn line(&mut self) -> Result<Option<String>> {
        let end = self.unread[self.looked_at..]
            .iter()
            .position(|byte| *byte == b'\n');
        let Some(end) = end.map(|end| self.looked_at + end) else {
            self.looked_at = self.unread.len();
            if self.looked_at > LINE_BYTES_MAX {
                bail!("the running ChatStats sent a line of more than {LINE_BYTES_MAX} bytes");
            }
            return Ok(None);
        };
        let line = self.unread.split_to(end);
        self.unread.advance(1);
        self.looked_at = 0;
        let line =
            String::from_utf8(line.into()).context("understand the events of the running ChatStats")?;
        Ok(Some(line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_the_same_however_they_are_cut() {
        let stream =
            "retry: 1000\n\nevent: heartbeat\ndata: {}\n\ndata: {\"a\":\"b: c\"}\nid: 1-0\n\nevent: error\n";
        let wanted = [("heartbeat", "", "{}"), ("", "1-0", "{\"a\":\"b: c\"}")];
        for size in 1..stream.len() {
            let mut lines = Lines::default();
            let mut events = Vec::new();
            for part in stream.as_bytes().chunks(size) {
                lines.unread.extend_from_slice(part);
                while let Some(event) = lines.event().expect("text") {
                    events.push(event);
                }
            }
            let events: Vec<_> = events.iter().map(|e| (&*e.name, &*e.id, &*e.data)).collect();
            assert_eq!(events, wanted, "in parts of {size}");
        }
    }
}
