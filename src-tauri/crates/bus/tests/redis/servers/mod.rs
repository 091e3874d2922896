//! Real servers for tests: each on a port of its own, in a folder of its own, and gone with the test that started it.

mod process;
mod programs;
mod proxy;
mod tls;

use std::path::PathBuf;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Cmd, FromRedisValue};
use tempfile::TempDir;

use process::Process;
pub(crate) use programs::{python, redis_cli};
pub(crate) use proxy::{Proxy, Trick};
pub(crate) use tls::Certificates;

/// How often another port is tried: others may take the one that was free a moment ago.
const TRIES: usize = 20;

/// Which program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Redis,
    Valkey,
}

/// How a server is to be.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    kind: Kind,
    options: Vec<String>,
    password: Option<&'static str>,
    certificates: Option<Certificates>,
}

/// A server that runs, or was killed.
pub(crate) struct Server {
    setup: Setup,
    folder: TempDir,
    port: u16,
    process: Option<Process>,
}

impl Setup {
    /// One that keeps nothing on disk, and asks for no password.
    pub(crate) fn new(kind: Kind) -> Self {
        Self {
            kind,
            options: Vec::new(),
            password: None,
            certificates: None,
        }
    }

    /// With options, as on its command line.
    pub(crate) fn with<const N: usize>(mut self, options: [&str; N]) -> Self {
        self.options.extend(options.map(str::to_owned));
        self
    }

    /// That has everything it acknowledged also after it was killed.
    pub(crate) fn durable(self) -> Self {
        self.with(["--appendonly", "yes", "--appendfsync", "always"])
    }

    /// That wants a password.
    pub(crate) fn with_password(mut self, password: &'static str) -> Self {
        self.password = Some(password);
        self.with(["--requirepass", password])
    }

    /// That speaks TLS.
    pub(crate) fn with_tls(mut self, certificates: Certificates) -> Self {
        self.certificates = Some(certificates);
        self
    }

    /// That follows another.
    pub(crate) fn replica_of(self, master: &Server) -> Self {
        self.with(["--replicaof", "127.0.0.1", &master.port.to_string()])
    }
}

impl Server {
    /// Starts it, and waits until it is ready.
    pub(crate) async fn start(setup: Setup) -> Self {
        for _ in 0..TRIES {
            let folder = tempfile::tempdir().expect("a folder");
            let mut this = Self {
                setup: setup.clone(),
                folder,
                port: process::free_port(),
                process: None,
            };
            if this.run().await {
                return this;
            }
        }
        panic!("{:?} does not start, on {TRIES} ports", setup.kind);
    }

    /// Ends it as `kill -9` does.
    pub(crate) fn kill(&mut self) {
        self.process = None;
    }

    /// Starts it again on its port, with what it has on disk.
    pub(crate) async fn restart(&mut self) {
        self.kill();
        assert!(self.run().await, "{:?} does not start again", self.setup.kind);
    }

    /// Removes what it has on disk, while it does not run.
    pub(crate) fn lose_data(&mut self) {
        assert!(self.process.is_none(), "it runs");
        for name in ["appendonlydir", "dump.rdb"] {
            let path = self.folder.path().join(name);
            let _ = std::fs::remove_dir_all(&path); // It may be a file, or not there.
            let _ = std::fs::remove_file(&path);
        }
    }

    /// Its address, with the password.
    pub(crate) fn url(&self) -> String {
        self.url_with(self.setup.password)
    }

    /// Its address, with a password of one's choice.
    pub(crate) fn url_with(&self, password: Option<&str>) -> String {
        let password = password
            .map(|password| format!(":{password}@"))
            .unwrap_or_default();
        let (scheme, query) = match &self.setup.certificates {
            Some(certificates) => ("rediss", format!("?ca={}", certificates.authority().display())),
            None => ("redis", String::new()),
        };
        format!("{scheme}://{password}127.0.0.1:{}/0{query}", self.port)
    }

    /// Its address over its Unix socket.
    pub(crate) fn unix_url(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Asks it something, over a connection of the test's own.
    pub(crate) async fn ask<T: FromRedisValue>(&self, words: &[&str]) -> T {
        self.try_ask(words)
            .await
            .unwrap_or_else(|error| panic!("{words:?}: {error}"))
    }

    /// As [`ask`](Self::ask), where it may refuse.
    pub(crate) async fn try_ask<T: FromRedisValue>(&self, words: &[&str]) -> redis::RedisResult<T> {
        let mut command = Cmd::new();
        command.arg(words);
        command.query_async(&mut self.connect().await?).await
    }

    /// Asks it several things in one step.
    pub(crate) async fn ask_all(&self, step: &redis::Pipeline) {
        let mut conn = self.connect().await.expect("connected");
        step.exec_async(&mut conn).await.expect("done");
    }

    async fn connect(&self) -> redis::RedisResult<MultiplexedConnection> {
        let config = AsyncConnectionConfig::new()
            .set_response_timeout(None)
            .set_connection_timeout(None);
        let client = redis::Client::open(self.unix_url())?;
        let mut conn = client
            .get_multiplexed_async_connection_with_config(&config)
            .await?;
        if let Some(password) = self.setup.password {
            redis::cmd("AUTH").arg(password).exec_async(&mut conn).await?;
        }
        Ok(conn)
    }

    /// The connections that the bus has to it, a line for each.
    pub(crate) async fn bus_connections(&self) -> Vec<String> {
        let list: String = self.ask(&["CLIENT", "LIST"]).await;
        let ours = list.lines().filter(|line| line.contains("name=chatstats-bus"));
        ours.map(str::to_owned).collect()
    }

    async fn run(&mut self) -> bool {
        let port = self.port.to_string();
        let mut options = match &self.setup.certificates {
            Some(certificates) => certificates.options(&port),
            None => vec!["--port".to_owned(), port],
        };
        let folder = self.folder.path().display().to_string();
        let socket = self.socket().display().to_string();
        let own = [
            "--bind",
            "127.0.0.1",
            "--dir",
            &folder,
            "--unixsocket",
            &socket,
            "--save",
            "",
        ];
        options.extend(own.map(str::to_owned));
        options.extend(self.setup.options.clone());
        let program = programs::server(self.setup.kind);
        self.process = Process::start(&program, options).await;
        self.process.is_some()
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }
}
