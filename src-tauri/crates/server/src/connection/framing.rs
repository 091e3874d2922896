//! Where a request ends, for those requests of which that is beyond doubt (RFC 9112, section 6.3).

use std::ops::Range;

use hyper::header::{HeaderName, HeaderValue};
use hyper::{Method, Request, Uri};

/// Header lines of a request whose end is looked for. Browsers send some twenty.
const HEADERS_MAX: usize = 64;

/// What bytes begin with.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Framed {
    /// A head that is not over yet.
    Partial,
    /// A request whose end is certain. Its body need not be there yet.
    Request(Frame),
    /// Something else: whatever follows, nobody but hyper may say where a request begins.
    Unclear,
}

/// A request among bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) head_bytes: usize,
    pub(super) body_bytes: u64,
    pub(super) is_post: bool,
    target: Range<usize>,
}

impl Frame {
    pub(super) fn bytes(&self) -> u64 {
        self.body_bytes.saturating_add(self.head_bytes as u64)
    }

    /// The address in the bytes that the frame is of, if it is one.
    pub(super) fn uri(&self, bytes: &[u8]) -> Option<Uri> {
        Uri::try_from(bytes.get(self.target.clone())?).ok()
    }
}

/// Looks at bytes that begin where a request does.
pub(super) fn frame(bytes: &[u8]) -> Framed {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut request = httparse::Request::new(&mut headers);
    let head_bytes = match request.parse(bytes) {
        Ok(httparse::Status::Complete(head_bytes)) => head_bytes,
        Ok(httparse::Status::Partial) => return Framed::Partial,
        Err(_) => return Framed::Unclear,
    };
    let (Some(method), Some(target), Some(1)) = (request.method, request.path, request.version) else {
        return Framed::Unclear;
    };
    if method == "CONNECT" {
        return Framed::Unclear;
    }
    let mut body_bytes = None;
    for header in request.headers.iter() {
        let is = |name| header.name.eq_ignore_ascii_case(name);
        if is("content-length") {
            let Some(bytes) = length(header.value).filter(|_| body_bytes.is_none()) else {
                return Framed::Unclear;
            };
            body_bytes = Some(bytes);
        } else if is("connection") {
            // It may end here, or change its protocol, or say something about other headers.
            if !header.value.eq_ignore_ascii_case(b"keep-alive") {
                return Framed::Unclear;
            }
        } else if is("transfer-encoding") || is("expect") || is("upgrade") {
            return Framed::Unclear;
        }
    }
    let target_at = target.as_ptr() as usize - bytes.as_ptr() as usize;
    Framed::Request(Frame {
        head_bytes,
        body_bytes: body_bytes.unwrap_or_default(),
        is_post: method == "POST",
        target: target_at..target_at + target.len(),
    })
}

/// The request that a head is of, as hyper would make it; none where hyper would refuse it.
pub(super) fn post(uri: Uri, head: &[u8]) -> Option<Request<()>> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut parsed = httparse::Request::new(&mut headers);
    if !parsed.parse(head).ok()?.is_complete() {
        return None;
    }
    let mut request = Request::new(());
    *request.method_mut() = Method::POST;
    *request.uri_mut() = uri;
    let map = request.headers_mut();
    map.reserve(parsed.headers.len());
    for header in parsed.headers.iter() {
        let name = HeaderName::from_bytes(header.name.as_bytes()).ok()?;
        map.append(name, HeaderValue::from_bytes(header.value).ok()?);
    }
    Some(request)
}

/// Digits and nothing else, of what no overflow can come.
fn length(value: &[u8]) -> Option<u64> {
    /// A petabyte has as many.
    const DIGITS_MAX: usize = 16;
    if !(1..=DIGITS_MAX).contains(&value.len()) || !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(value).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(text: &str) -> Option<(usize, u64, bool)> {
        match frame(text.as_bytes()) {
            Framed::Request(frame) => Some((frame.head_bytes, frame.body_bytes, frame.is_post)),
            Framed::Partial | Framed::Unclear => None,
        }
    }

    #[test]
    fn what_is_certain_is_framed() {
        let head = "POST /a?b=c HTTP/1.1\r\nHost: x\r\nConnection: Keep-Alive\r\nCONTENT-length:  5 \r\n\r\n";
        assert_eq!(framed(head), Some((head.len(), 5, true)));
        assert_eq!(
            framed(&format!("{head}body and more")),
            Some((head.len(), 5, true))
        );
        let Framed::Request(frame) = frame(head.as_bytes()) else {
            panic!("framed before");
        };
        assert_eq!(frame.uri(head.as_bytes()), Some(Uri::from_static("/a?b=c")));
        let get = "\r\nGET / HTTP/1.1\r\n\r\n";
        assert_eq!(framed(get), Some((get.len(), 0, false)));
    }

    #[test]
    fn what_is_not_over_is_partial() {
        let head = "POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\n";
        for end in 0..head.len() {
            assert_eq!(frame(&head.as_bytes()[..end]), Framed::Partial, "{end}");
        }
    }

    #[test]
    fn what_may_be_read_in_two_ways_is_unclear() {
        for lines in [
            "Content-Length: 5\r\nContent-Length: 5",
            "Content-Length: 5\r\nContent-Length: 6",
            "Content-Length: 5, 5",
            "Content-Length: +5",
            "Content-Length: -5",
            "Content-Length: 0x5",
            "Content-Length: 5 5",
            "Content-Length:",
            "Content-Length: 99999999999999999999",
            "Content-Length : 5",
            "Content-Length: 5\r\nTransfer-Encoding: chunked",
            "transfer-encoding: identity",
            "Expect: 100-continue",
            "Upgrade: h2c",
            "Connection: close",
            "Connection: keep-alive, close",
            "Connection: upgrade",
            "Connection: content-length",
            " folded: 1",
            "no colon",
            "a: \0",
        ] {
            let request = format!("POST / HTTP/1.1\r\n{lines}\r\n\r\n");
            assert_eq!(frame(request.as_bytes()), Framed::Unclear, "{lines}");
        }
        for line in [
            "POST / HTTP/1.0",
            "POST / HTTP/2.0",
            "POST /",
            "POST  / HTTP/1.1",
            "CONNECT a:1 HTTP/1.1",
            "PRI * HTTP/2.0",
        ] {
            assert_eq!(
                frame(format!("{line}\r\n\r\n").as_bytes()),
                Framed::Unclear,
                "{line}"
            );
        }
        let many = "a: b\r\n".repeat(HEADERS_MAX + 1);
        assert_eq!(
            frame(format!("GET / HTTP/1.1\r\n{many}\r\n").as_bytes()),
            Framed::Unclear
        );
    }

    #[test]
    fn a_head_becomes_the_request_that_hyper_makes_of_it() {
        let head = b"POST /x HTTP/1.1\r\nHost: h\r\nA: 1\r\na:\t2 \r\nB: \xff\r\n\r\n";
        let request = post(Uri::from_static("/x"), head).expect("a request");
        assert_eq!((request.method(), request.uri().path()), (&Method::POST, "/x"));
        let values: Vec<_> = request.headers().get_all("a").iter().collect();
        assert_eq!(values, ["1", "2"]);
        assert_eq!(request.headers()["b"].as_bytes(), b"\xff");
        assert_eq!(request.headers().len(), 4);
    }
}
