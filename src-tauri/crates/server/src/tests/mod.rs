//! The server as its clients see it: a real one on a free port, spoken to over plain sockets.

mod guard;
mod pipelining;
mod shutdown;
mod streams;

use chatstats_model::{ChatId, IncomingMessages};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::config::{Config, Overrides};

/// A running server with a data directory of its own.
struct Server {
    app: App,
    shutdown: CancellationToken,
    serving: JoinHandle<anyhow::Result<()>>,
    dir: TempDir,
}

impl Server {
    fn start() -> Self {
        Self::start_with("")
    }

    /// Starts one whose `config.toml` has this text.
    fn start_with(config_toml: &str) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::write(dir.path().join("config.toml"), config_toml).expect("written");
        Self::start_in(dir)
    }

    fn start_in(dir: TempDir) -> Self {
        let overrides = Overrides {
            listen: Some("127.0.0.1:0".to_owned()),
            data_dir: Some(dir.path().to_owned()),
            ..Overrides::default()
        };
        let config = Config::load(overrides).expect("settings");
        let app = tokio::task::block_in_place(|| Handle::current().block_on(App::open(config)));
        let app = app.expect("opened");
        let shutdown = CancellationToken::new();
        let serving = tokio::spawn({
            let (app, shutdown) = (app.clone(), shutdown.clone());
            async move { app.serve(shutdown).await }
        });
        Self {
            app,
            shutdown,
            serving,
            dir,
        }
    }

    /// Shuts it down and gives the data directory back.
    async fn stop(self) -> TempDir {
        self.shutdown.cancel();
        self.serving.await.expect("no panic").expect("shut down");
        self.dir
    }

    fn port(&self) -> u16 {
        self.app.addr().port()
    }

    fn token(&self) -> String {
        self.app.state().guard.tokens().current().as_str().to_owned()
    }

    /// Sends these bytes and returns all that comes back until the server closes.
    async fn raw(&self, request: &str) -> String {
        let mut socket = TcpStream::connect(self.app.addr()).await.expect("connected");
        socket.write_all(request.as_bytes()).await.expect("sent");
        let mut answer = Vec::new();
        // A refusal may come with a reset, when the server has not read everything.
        let _ = socket.read_to_end(&mut answer).await;
        String::from_utf8(answer).expect("text")
    }

    /// A request with the right `Host` and token. `headers` are whole lines.
    async fn ask(&self, method: &str, target: &str, headers: &str) -> String {
        self.raw(&self.request(method, target, headers, "close")).await
    }

    fn request(&self, method: &str, target: &str, headers: &str, connection: &str) -> String {
        format!(
            "{method} {target} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nAuthorization: Bearer {}\r\n\
             Connection: {connection}\r\n{headers}\r\n",
            self.port(),
            self.token(),
        )
    }

    /// Opens an event stream.
    async fn stream(&self, target: &str, headers: &str) -> Events {
        let mut socket = TcpStream::connect(self.app.addr()).await.expect("connected");
        let request = self.request("GET", target, headers, "keep-alive");
        socket.write_all(request.as_bytes()).await.expect("sent");
        let mut events = Events {
            lines: BufReader::new(socket),
            head: String::new(),
        };
        loop {
            let line = events.line().await.expect("a whole head");
            if line.is_empty() {
                return events;
            }
            events.head.push_str(&line);
            events.head.push('\n');
        }
    }

    /// Stores messages with these texts as one post. The first word of a text is its key.
    async fn post(&self, chat: &str, texts: impl IntoIterator<Item = String>) -> ChatId {
        let messages: Vec<_> = texts.into_iter().map(|text| message(&text)).collect();
        let post = json!({"source": "test", "chat": {"key": chat, "title": chat}, "messages": messages});
        let post: IncomingMessages = serde_json::from_value(post).expect("valid");
        self.app.state().ingest.post(post).await.expect("stored").chat_id
    }

    async fn post_numbers(&self, chat: &str, numbers: impl IntoIterator<Item = usize>) -> ChatId {
        self.post(chat, numbers.into_iter().map(|n| n.to_string())).await
    }
}

fn message(text: &str) -> Value {
    json!({
        "key": text.split(' ').next(), "sender": {"key": "ann", "name": "Ann"}, "content": text,
        "timestamp": "2024-01-01T12:00:00Z",
    })
}

fn status(answer: &str) -> u16 {
    answer
        .split(' ')
        .nth(1)
        .and_then(|code| code.parse().ok())
        .unwrap_or_else(|| panic!("no answer: {answer:?}"))
}

/// The client's end of an event stream.
struct Events {
    lines: BufReader<TcpStream>,
    head: String,
}

/// One event; comments and hints are left out.
#[derive(Debug, Default, PartialEq, Eq)]
struct Event {
    name: String,
    id: String,
    data: String,
}

impl Events {
    /// The next event; `None` once the stream has ended.
    async fn next(&mut self) -> Option<Event> {
        let mut event = Event::default();
        loop {
            let line = self.line().await?;
            match line.split_once(": ") {
                Some(("event", name)) => event.name = name.to_owned(),
                Some(("id", id)) => event.id = id.to_owned(),
                Some(("data", data)) if event.data.is_empty() => event.data = data.to_owned(),
                Some(("retry", _)) => {}
                _ if line.is_empty() && event == Event::default() => {}
                _ if line.is_empty() => return Some(event),
                _ => panic!("not a line of an event: {line:?}"),
            }
        }
    }

    /// The next event that is no heartbeat, which has to be of this name.
    async fn expect(&mut self, name: &str) -> Event {
        loop {
            let event = self.next().await.expect("not over");
            if event.name != "heartbeat" {
                assert_eq!(event.name, name, "{event:?}");
                return event;
            }
        }
    }

    async fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = self.lines.read_line(&mut line).await.ok()?;
        (read > 0 && line.ends_with('\n')).then(|| line.trim_end_matches(['\r', '\n']).to_owned())
    }
}

impl Event {
    fn json(&self) -> Value {
        serde_json::from_str(&self.data).unwrap_or_else(|error| panic!("{error}: {}", self.data))
    }

    /// The texts of the messages it tells of.
    fn texts(&self) -> Vec<String> {
        let json = self.json();
        let messages = json["messages"].as_array().expect("messages");
        messages
            .iter()
            .map(|m| m["content"].as_str().expect("a text").to_owned())
            .collect()
    }

    /// Those texts, as numbers.
    fn numbers(&self) -> Vec<usize> {
        self.texts()
            .iter()
            .map(|text| text.parse().expect("a number"))
            .collect()
    }
}
