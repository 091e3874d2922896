//! HTTP as bytes: requests may be as wrong as a test wants them, answers are read as they are.

use std::io::{self, BufRead, Read, Write};
use std::net::{SocketAddr, TcpStream};

use crate::PATIENCE;

/// The status of an answer that has no body, and does not say so (RFC 9110, section 15.3.5).
const NO_CONTENT: u16 = 204;

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: String,
}

/// Sends these bytes on a connection of their own and reads until the server closes it. None if it says nothing.
///
/// # Panics
///
/// If no connection is made, or the server neither answers nor closes.
#[must_use]
pub fn raw(addr: SocketAddr, request: &[u8]) -> Option<Answer> {
    let mut socket = connect(addr).expect("a connection");
    // A server that has heard enough may close before everything is sent; what counts is what it says.
    let _ = socket.write_all(request);
    let mut bytes = Vec::new();
    if let Err(error) = socket.read_to_end(&mut bytes) {
        assert_ne!(error.kind(), io::ErrorKind::WouldBlock, "no answer and no end");
    }
    let mut rest = bytes.as_slice();
    let mut answer = Answer::read_head(&mut rest).ok()?;
    answer.body = text(rest.to_vec()).expect("text");
    Some(answer)
}

impl Answer {
    /// The header of this name, which is in lower case; several of a name are joined by `, `.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<String> {
        let of_name = self.headers.iter().filter(|(n, _)| n == name);
        of_name
            .map(|(_, value)| value.clone())
            .reduce(|all, next| format!("{all}, {next}"))
    }

    /// The body as JSON.
    ///
    /// # Panics
    ///
    /// If it is none.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The `code` of a problem, which has to be one (RFC 9457).
    ///
    /// # Panics
    ///
    /// If the answer is no problem, or says another status than it has.
    #[must_use]
    pub fn problem(&self) -> String {
        assert_eq!(
            self.header("content-type").as_deref(),
            Some("application/problem+json"),
            "{self:?}"
        );
        let problem = self.json();
        assert_eq!(problem["status"], self.status, "{self:?}");
        assert!(
            problem["detail"]
                .as_str()
                .is_some_and(|detail| !detail.is_empty()),
            "{self:?}"
        );
        problem["code"].as_str().expect("a word").to_owned()
    }

    /// Reads status and headers.
    pub(crate) fn read_head(from: &mut impl BufRead) -> io::Result<Answer> {
        let status = line(from)?;
        let status = status.split(' ').nth(1).and_then(|code| code.parse().ok());
        let status = status.ok_or_else(|| io::Error::other("no status"))?;
        let mut headers = Vec::new();
        loop {
            let line = line(from)?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line
                .split_once(": ")
                .ok_or_else(|| io::Error::other("no header"))?;
            headers.push((name.to_ascii_lowercase(), value.to_owned()));
        }
        let body = String::new();
        Ok(Answer {
            status,
            headers,
            body,
        })
    }

    /// Reads a whole answer of a connection that stays open.
    pub(crate) fn read(from: &mut impl BufRead) -> io::Result<Answer> {
        let mut answer = Answer::read_head(from)?;
        if answer.status == NO_CONTENT {
            return Ok(answer);
        }
        let length = answer.header("content-length").and_then(|text| text.parse().ok());
        let mut body = vec![0; length.ok_or_else(|| io::Error::other("no length"))?];
        from.read_exact(&mut body)?;
        answer.body = text(body)?;
        Ok(answer)
    }
}

/// A connection on which nothing is waited for longer than [`PATIENCE`].
///
/// # Errors
///
/// None is made.
pub fn connect(addr: SocketAddr) -> io::Result<TcpStream> {
    let socket = TcpStream::connect(addr)?;
    socket.set_nodelay(true)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.set_write_timeout(Some(PATIENCE))?;
    Ok(socket)
}

fn line(from: &mut impl BufRead) -> io::Result<String> {
    let mut line = Vec::new();
    from.read_until(b'\n', &mut line)?;
    if line.pop() != Some(b'\n') {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    line.pop_if(|byte| *byte == b'\r');
    text(line)
}

fn text(bytes: Vec<u8>) -> io::Result<String> {
    String::from_utf8(bytes).map_err(io::Error::other)
}
