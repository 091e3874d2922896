//! The body of a stream of the bus: what its log has, then what comes, for ever.

use std::borrow::Cow;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use chatstats_bus::{Entry, Fields, Item, Notice, Tail};
use http_body::{Body, Frame};

use super::pulse::{Beat, Listening};
use super::{GATHER_BYTES, OpenStream, frame};

/// The body. A client that is slow costs no more than a page of the log: the tail reads on when it is asked to.
pub(crate) struct BusBody {
    tail: Tail,
    pulse: Listening,
    open: OpenStream,
    begun: bool,
}

impl BusBody {
    pub(crate) fn new(tail: Tail, pulse: Listening, open: OpenStream) -> Self {
        Self {
            tail,
            pulse,
            open,
            begun: false,
        }
    }

    /// What is to be sent next; none at the end.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if !self.begun {
            self.begun = true;
            return Poll::Ready(Some(frame::retry_hint()));
        }
        // The heartbeat first, so that a stream under full load has a pulse too.
        match self.pulse.poll(cx) {
            Poll::Ready(Beat::Frame(frame)) => return Poll::Ready(Some(frame)),
            Poll::Ready(Beat::End) => return Poll::Ready(None),
            Poll::Pending => {}
        }
        let told = ready!(self.tail.poll_gather(cx, GATHER_BYTES, render));
        if let Some(came) = told.came {
            self.open.told(came);
        }
        Poll::Ready(Some(told.bytes))
    }
}

impl Body for BusBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let this = self.get_mut();
        let next = ready!(this.poll_next(cx));
        Poll::Ready(next.map(|bytes| {
            this.open.sent(bytes.len());
            Ok(Frame::data(bytes))
        }))
    }
}

/// An entry's names and values as text, for JSON: a name that comes twice keeps its first place and its last value,
/// as in a dictionary, and what is no UTF-8 gets replacement characters.
pub(crate) fn as_text(fields: &Fields) -> Vec<(Cow<'_, str>, Cow<'_, str>)> {
    let mut all: Vec<(Cow<'_, str>, Cow<'_, str>)> = Vec::new();
    for (name, value) in fields.iter() {
        let (name, value) = (String::from_utf8_lossy(name), String::from_utf8_lossy(value));
        match all.iter_mut().find(|(known, _)| *known == name) {
            Some(known) => known.1 = value,
            None => all.push((name, value)),
        }
    }
    all
}

fn render(item: &Item) -> Bytes {
    match item {
        Item::Entry(entry) => entry.frame(event).clone(),
        Item::Notice(Notice::Gap) => frame::error(
            "gap",
            "Events are missing here: the log lost them, or has dropped them for newer ones.",
        ),
        Item::Notice(Notice::Away(said)) => frame::error(
            "bus_away",
            &format!("No events can be read for now ({said}). The stream goes on as soon as they can."),
        ),
    }
}

/// An unnamed event, which is `message` to an EventSource.
fn event(entry: &Entry) -> Bytes {
    // Names and quotes take some more than the fields themselves.
    let mut out = Vec::with_capacity(64 + entry.fields.size_bytes() * 5 / 4);
    out.extend_from_slice(b"data: {");
    for (index, (name, value)) in as_text(&entry.fields).iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        frame::json(&mut out, name);
        out.push(b':');
        frame::json(&mut out, value);
    }
    out.push(b'}');
    frame::end_with_id(&mut out, &entry.id);
    out.into()
}

#[cfg(test)]
mod tests {
    use chatstats_bus::StreamId;

    use super::*;

    fn frame_of(fields: &[(&[u8], &[u8])]) -> String {
        let fields = Fields::new(fields.iter().copied()).expect("small");
        let rendered = event(&Entry::new(StreamId::new(7, 1), fields));
        String::from_utf8(rendered.to_vec()).expect("text")
    }

    #[test]
    fn an_entry_is_one_line_of_strings_in_its_own_order() {
        let frame = frame_of(&[
            (b"type", b"progress"),
            (b"scope", b"task:1"),
            (b"message", b"two\nlines, \"quoted\""),
            (b"progress", b"0.5"),
        ]);
        assert_eq!(
            frame,
            "data: {\"type\":\"progress\",\"scope\":\"task:1\",\"message\":\"two\\nlines, \\\"quoted\\\"\",\
             \"progress\":\"0.5\"}\nid: 7-1\n\n"
        );
    }

    #[test]
    fn a_name_that_comes_twice_keeps_its_last_value_and_bytes_that_are_no_text_are_replaced() {
        let frame = frame_of(&[(b"a", b"1"), (b"\xff", b"\0"), (b"a", b"\xfe2")]);
        assert_eq!(
            frame,
            "data: {\"a\":\"\u{fffd}2\",\"\u{fffd}\":\"\\u0000\"}\nid: 7-1\n\n"
        );
    }

    #[test]
    fn notices_are_named_and_carry_no_id() {
        for (notice, code) in [
            (Notice::Gap, "gap"),
            (Notice::Away("refused\n\nid: 1-1".to_owned()), "bus_away"),
        ] {
            let frame = render(&Item::Notice(notice));
            let text = std::str::from_utf8(&frame).expect("text");
            let start = format!("event: error\ndata: {{\"code\":\"{code}\",\"message\":\"");
            assert!(text.starts_with(&start) && !text.contains("\nid:"), "{text}");
        }
    }
}
