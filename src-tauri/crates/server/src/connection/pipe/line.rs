//! The line of what was begun: who may join it, and who is called from it.

use axum::body::Body;
use bytes::BytesMut;
use hyper::{Method, Request};

use super::{
    AHEAD_BYTES_MAX, AHEAD_REQUESTS_MAX, Asked, Begun, Called, HELD_HEAD_BYTES_MAX, Progress,
    REQUEST_BYTES_MAX, Stage, State,
};
use crate::connection::framing::{Framed, frame, post};
use crate::turn::Turn;

impl<S> State<S> {
    pub(super) fn called<B>(&mut self, request: &Request<B>) -> Called {
        let stage = std::mem::replace(&mut self.stage, Stage::Answering);
        match stage {
            Stage::Handed(Some(ticket)) => match self.line.pop_front() {
                Some(begun) if begun.ticket == ticket && is_ticket(request, ticket) => {
                    self.line_bytes -= begun.bytes;
                    self.asked = Some(begun.asked);
                    Called::Begun(match begun.answer {
                        Progress::Coming(answer) => answer,
                        Progress::Ready(response) => Box::pin(std::future::ready(response)),
                    })
                }
                _ => Called::Unknown,
            },
            Stage::Free | Stage::Answering if !self.is_plain => Called::Unknown,
            Stage::Handed(None) | Stage::Free | Stage::Answering => {
                let turn = Turn::default();
                self.asked = (request.method() == Method::POST).then(|| Asked {
                    uri: request.uri().clone(),
                    turn: turn.clone(),
                });
                Called::Fresh(turn)
            }
        }
    }

    pub(super) fn push(&mut self, begun: Begun) {
        self.line_bytes += begun.bytes;
        self.line.push_back(begun);
    }

    /// The newest in the line, if the next must not be begun yet. No other is waited for: hyper polls the oldest.
    pub(super) fn take_unsettled(&mut self) -> Option<Begun> {
        let begun = self.line.pop_back_if(|begun| !begun.is_settled())?;
        self.line_bytes -= begun.bytes;
        Some(begun)
    }

    /// The newest that was begun, if another may be begun behind it.
    pub(super) fn newest(&self) -> Option<&Asked> {
        match self.line.back() {
            Some(begun) => Some(&begun.asked).filter(|_| begun.is_settled()),
            None if self.stage == Stage::Answering => {
                self.asked.as_ref().filter(|asked| asked.turn.is_passed())
            }
            None => None,
        }
    }

    /// The request that is to be begun now, and what it took.
    pub(super) fn next_ahead(&mut self) -> Option<(Request<Body>, Asked, usize)> {
        if self.raw.is_empty() || !self.reads_on() || !self.is_at_boundary() || self.is_closing {
            return None;
        }
        self.is_barred = true;
        let framed = match frame(&self.raw) {
            Framed::Request(framed) if framed.is_post && framed.bytes() <= REQUEST_BYTES_MAX => framed,
            // Hyper waits for its end no longer than for any other.
            Framed::Partial if self.raw.len() < HELD_HEAD_BYTES_MAX => {
                self.is_barred = false;
                return None;
            }
            _ => return None,
        };
        let bytes = framed.bytes() as usize;
        if self.raw.len() < bytes {
            self.is_barred = false;
            return None;
        }
        let uri = framed.uri(&self.raw)?;
        // Another address is another queue, where it could overtake.
        if uri.path() != self.newest()?.uri.path() {
            return None;
        }
        let mut request = post(uri.clone(), self.raw.get(..framed.head_bytes)?)?;
        self.is_barred = false;
        let turn = Turn::default();
        request.extensions_mut().insert(turn.clone());
        let body = self.raw.split_to(bytes).freeze().slice(framed.head_bytes..);
        if self.raw.is_empty() {
            self.raw = BytesMut::new();
        }
        Some((request.map(|()| Body::from(body)), Asked { uri, turn }, bytes))
    }

    /// Whether more is to be read while an answer is being made.
    pub(super) fn reads_on(&self) -> bool {
        if self.line.len() >= AHEAD_REQUESTS_MAX || self.line_bytes + self.raw.len() >= AHEAD_BYTES_MAX {
            return false;
        }
        // Something has to be read in any case, or nobody notices that the client has left.
        self.raw.is_empty() || (!self.is_barred && !self.is_closing && self.newest().is_some())
    }

    /// Whether hyper was told to wait for something that is there now.
    pub(super) fn is_wanted(&mut self) -> bool {
        match self.stage {
            Stage::Free if self.line.is_empty() && (self.raw.is_empty() || self.is_closing) => false,
            Stage::Free => std::mem::take(&mut self.is_withheld),
            Stage::Answering => self.has_stopped && self.reads_on() && std::mem::take(&mut self.has_stopped),
            Stage::Handed(_) => false,
        }
    }

    /// Whether what hyper was handed ends with a request.
    pub(super) fn is_at_boundary(&self) -> bool {
        !self.is_plain && self.body_left == 0 && self.handing.is_empty()
    }
}

fn is_ticket<B>(request: &Request<B>, ticket: u64) -> bool {
    let number = request.uri().path().strip_prefix('/');
    number.and_then(|number| number.parse().ok()) == Some(ticket)
}
