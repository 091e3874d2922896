//! A well-behaved client of the API.

use std::io::{self, BufReader, Write};
use std::net::{SocketAddr, TcpStream};

use serde_json::Value;

use crate::{Answer, Post, http};

/// One connection that stays open, with the token.
#[derive(Debug)]
pub struct Client {
    addr: SocketAddr,
    token: String,
    connection: Option<BufReader<TcpStream>>,
}

impl Client {
    /// Connects with its first request.
    #[must_use]
    pub fn new(addr: SocketAddr, token: &str) -> Client {
        Client {
            addr,
            token: token.to_owned(),
            connection: None,
        }
    }

    /// Asks.
    ///
    /// # Panics
    ///
    /// If no answer comes.
    pub fn ask(&mut self, method: &str, target: &str, body: &str) -> Answer {
        self.try_ask(method, target, body)
            .unwrap_or_else(|error| panic!("{method} {target}: {error}"))
    }

    /// Gets JSON.
    ///
    /// # Panics
    ///
    /// If the answer is not 200 and JSON.
    pub fn get(&mut self, target: &str) -> Value {
        let answer = self.ask("GET", target, "");
        assert_eq!(answer.status, 200, "{target}: {answer:?}");
        answer.json()
    }

    /// Posts messages and returns the chat they are in.
    ///
    /// # Panics
    ///
    /// If they are not taken.
    pub fn post(&mut self, post: &Post) -> i64 {
        self.try_post(post)
            .unwrap_or_else(|error| panic!("no answer: {error}"))
    }

    /// As [`Client::post`], where the server may be gone: then nobody knows what became of the post.
    ///
    /// # Errors
    ///
    /// No answer came.
    ///
    /// # Panics
    ///
    /// If they are not taken.
    pub fn try_post(&mut self, post: &Post) -> io::Result<i64> {
        let answer = self.try_ask("POST", "/api/live-sync/messages", &post.json())?;
        assert_eq!(answer.status, 200, "{answer:?}");
        Ok(answer.json()["chat_id"].as_i64().expect("a number"))
    }

    /// Publishes events to the bus, each `{"scope":…,"type":…,"data":{…}}`, and returns their ids.
    ///
    /// # Panics
    ///
    /// If they are not taken.
    pub fn publish(&mut self, events: &Value) -> Vec<String> {
        self.try_publish(events)
            .unwrap_or_else(|error| panic!("no answer: {error}"))
    }

    /// As [`Client::publish`], where the server may be gone: then nobody knows what became of the events.
    ///
    /// # Errors
    ///
    /// No answer came.
    ///
    /// # Panics
    ///
    /// If they are not taken.
    pub fn try_publish(&mut self, events: &Value) -> io::Result<Vec<String>> {
        let answer = self.try_ask("POST", "/api/bus/events", &events.to_string())?;
        assert_eq!(answer.status, 200, "{answer:?}");
        Ok(serde_json::from_value(answer.json()["ids"].take()).expect("a list of ids"))
    }

    /// Starts an import and returns its number.
    ///
    /// # Panics
    ///
    /// If it is not taken.
    pub fn import(&mut self, path: &std::path::Path) -> i64 {
        let body = serde_json::json!({ "path": path }).to_string();
        let answer = self.ask("POST", "/api/imports", &body);
        assert_eq!(answer.status, 202, "{answer:?}");
        answer.json()["id"].as_i64().expect("a number")
    }

    /// Waits for an import's end, and returns it.
    ///
    /// # Panics
    ///
    /// If it does not end.
    pub fn ended_import(&mut self, id: i64) -> Value {
        crate::eventually("the import's end", || {
            let import = self.get(&format!("/api/imports/{id}"));
            (import["state"] != "queued" && import["state"] != "running").then_some(import)
        })
    }

    fn try_ask(&mut self, method: &str, target: &str, body: &str) -> io::Result<Answer> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => BufReader::new(http::connect(self.addr)?),
        };
        let (addr, token, length) = (self.addr, &self.token, body.len());
        let head = format!(
            "{method} {target} HTTP/1.1\r\nHost: {addr}\r\nAuthorization: Bearer {token}\r\nContent-Length: {length}\r\n\r\n"
        );
        let socket = connection.get_mut();
        socket.write_all(head.as_bytes())?;
        socket.write_all(body.as_bytes())?;
        let answer = Answer::read(&mut connection)?;
        if answer.header("connection").as_deref() != Some("close") {
            self.connection = Some(connection);
        }
        Ok(answer)
    }
}
