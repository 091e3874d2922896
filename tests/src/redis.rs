//! A Redis of one's own: the server and the client that are in `PATH`.

use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::eventually;

/// A running `redis-server` on a free port of the loopback. Killed when dropped.
#[derive(Debug)]
pub struct Redis {
    child: Child,
    addr: SocketAddr,
    dir: TempDir,
    password: Option<&'static str>,
    keeps: Keeps,
}

/// Where a server keeps its data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keeps {
    /// In a file: it is there again after a kill.
    InFile,
    /// Nowhere: nothing else takes the processors than what it is asked for.
    InMemory,
}

impl Redis {
    /// Starts one that keeps its data in a file, and waits until it answers.
    ///
    /// # Panics
    ///
    /// If there is no `redis-server`, or it does not start.
    #[must_use]
    pub fn start() -> Redis {
        Redis::start_with(None)
    }

    /// As [`Redis::start`], and nobody gets in without this password.
    ///
    /// # Panics
    ///
    /// As [`Redis::start`].
    #[must_use]
    pub fn start_with(password: Option<&'static str>) -> Redis {
        Redis::start_as(password, Keeps::InFile)
    }

    /// As [`Redis::start`], without a file: one that is measured.
    ///
    /// # Panics
    ///
    /// As [`Redis::start`].
    #[must_use]
    pub fn in_memory() -> Redis {
        Redis::start_as(None, Keeps::InMemory)
    }

    /// The id of its process.
    #[must_use]
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    fn start_as(password: Option<&'static str>, keeps: Keeps) -> Redis {
        let dir = TempDir::with_prefix("chatstats-redis-").expect("a folder");
        loop {
            let addr = free_address();
            let mut child = spawn(addr, &dir, password, keeps);
            if has_started(&mut child, addr, password) {
                return Redis {
                    child,
                    addr,
                    dir,
                    password,
                    keeps,
                };
            }
        }
    }

    /// Its address, without the password.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Its address, with the password.
    #[must_use]
    pub fn url(&self) -> String {
        match self.password {
            None => format!("redis://{}", self.addr),
            Some(password) => format!("redis://:{password}@{}", self.addr),
        }
    }

    /// Runs `redis-cli` with these arguments and returns what it prints.
    ///
    /// # Panics
    ///
    /// If there is none, or it fails.
    pub fn cli(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().expect("redis-cli is installed");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success() && !said.starts_with("ERR"),
            "{arguments:?}: {said} {output:?}"
        );
        said.trim_end().to_owned()
    }

    /// `kill -9`. What was acknowledged is in its file, where it has one.
    ///
    /// # Panics
    ///
    /// If it had ended already.
    pub fn kill(&mut self) {
        assert_eq!(self.child.try_wait().expect("a child"), None, "ended by itself");
        self.child.kill().expect("killed");
        self.child.wait().expect("a child");
    }

    /// Starts it again with its data, at the same address.
    ///
    /// # Panics
    ///
    /// As [`Redis::start`].
    pub fn start_again(&mut self) {
        self.child = spawn(self.addr, &self.dir, self.password, self.keeps);
        let has_started = has_started(&mut self.child, self.addr, self.password);
        assert!(has_started, "redis-server ended");
    }

    /// Starts it again without its data, at the same address.
    ///
    /// # Panics
    ///
    /// As [`Redis::start`].
    pub fn start_empty(&mut self) {
        self.dir = TempDir::with_prefix("chatstats-redis-").expect("a folder");
        self.start_again();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        client(self.addr, self.password, arguments)
    }
}

fn client(addr: SocketAddr, password: Option<&str>, arguments: &[&str]) -> Command {
    let mut command = Command::new("redis-cli");
    command.args(["-h", "127.0.0.1", "-p", &addr.port().to_string()]);
    command.env_remove("REDISCLI_AUTH").args(arguments);
    if let Some(password) = password {
        command.env("REDISCLI_AUTH", password);
    }
    command
}

/// Waits until it answers. False if it ends instead: another process has taken its address.
fn has_started(child: &mut Child, addr: SocketAddr, password: Option<&str>) -> bool {
    eventually("an answer of redis-server", || {
        if child.try_wait().expect("a child").is_some() {
            return Some(false);
        }
        let ping = client(addr, password, &["ping"]).output();
        let answer = ping.expect("redis-cli is installed").stdout;
        answer.starts_with(b"PONG").then_some(true)
    })
}

impl Drop for Redis {
    fn drop(&mut self) {
        // Both fail where it has ended and was waited for; that is fine.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(addr: SocketAddr, dir: &TempDir, password: Option<&str>, keeps: Keeps) -> Child {
    let appends = match keeps {
        Keeps::InFile => "yes",
        Keeps::InMemory => "no",
    };
    let mut command = Command::new("redis-server");
    command
        .args(["--bind", "127.0.0.1", "--port", &addr.port().to_string()])
        .args(["--appendonly", appends, "--save", "", "--maxclients", "5000"])
        // By default it keeps what it writes back while the disk is slow, and a kill loses it. What the system was given
        // survives.
        .args(["--appendfsync", "no"])
        .arg("--dir")
        .arg(dir.path())
        .stdout(Stdio::null());
    if let Some(password) = password {
        command.args(["--requirepass", password]);
    }
    command.spawn().expect("redis-server is installed")
}

/// An address that nobody listens on. Another process may take it in between.
fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address")
}
