//! A running `chatstats serve`.

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, WaitId, WaitIdOptions, kill_process, waitid};

use crate::{Client, EventStream, Home, PATIENCE, chatstats, eventually};

/// A server in a process of its own. Killed when dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    addr: SocketAddr,
    token: String,
}

/// How a server is asked to end.
#[derive(Clone, Copy, Debug)]
pub enum Signal {
    /// What service managers send.
    Terminate,
    /// What Ctrl-C sends.
    Interrupt,
}

/// How a server ended.
#[derive(Clone, Copy, Debug)]
pub struct Ended {
    /// Its exit code; none if a signal ended it.
    pub code: Option<i32>,
    /// From the signal to the exit.
    pub took: Duration,
}

impl Server {
    /// Starts one on a free port and waits until it answers.
    ///
    /// # Panics
    ///
    /// If it does not start; with what it wrote to standard error.
    #[must_use]
    pub fn start(home: &Home) -> Server {
        Server::spawn(home, chatstats(home, &["serve", "--listen", "127.0.0.1:0"]))
    }

    /// Starts one at the address of one that has ended, for the clients that come back.
    ///
    /// # Panics
    ///
    /// As [`Server::start`].
    #[must_use]
    pub fn start_at(home: &Home, addr: SocketAddr) -> Server {
        Server::spawn(home, chatstats(home, &["serve", "--listen", &addr.to_string()]))
    }

    /// Starts this command, which is to be a `serve`.
    ///
    /// # Panics
    ///
    /// As [`Server::start`].
    #[must_use]
    pub fn spawn(home: &Home, mut command: Command) -> Server {
        let stderr = OpenOptions::new().create(true).append(true).open(home.stderr());
        command.stderr(stderr.expect("a file")).stdout(Stdio::piped());
        let mut child = command
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let line = first_line(child.stdout.take().expect("it was asked for"));
        let Some((addr, token)) = address(&line) else {
            // Nothing may outlive the test, also not what did not start as it should.
            let _ = child.kill();
            let _ = child.wait();
            let said = std::fs::read_to_string(home.stderr()).unwrap_or_default();
            panic!("not the line that serve prints: {line:?}; it said: {said}");
        };
        Server { child, addr, token }
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The token it printed.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it has a connection to its event log: it starts although a Redis takes long to answer.
    ///
    /// # Panics
    ///
    /// If it never has.
    #[must_use]
    pub fn with_its_log(self) -> Server {
        eventually("a connection to the event log", || {
            self.client().get("/api/bus")["problem"].is_null().then_some(())
        });
        self
    }

    /// A client with the token, on a connection of its own.
    #[must_use]
    pub fn client(&self) -> Client {
        Client::new(self.addr, &self.token)
    }

    /// Opens an event stream.
    ///
    /// # Panics
    ///
    /// If the answer is not a stream.
    #[must_use]
    pub fn stream(&self, target: &str) -> EventStream {
        self.stream_with(target, "")
    }

    /// As [`Server::stream`], with whole lines of headers.
    ///
    /// # Panics
    ///
    /// If the answer is not a stream.
    #[must_use]
    pub fn stream_with(&self, target: &str, headers: &str) -> EventStream {
        let opened = EventStream::open(self.addr, &self.token, target, headers).expect("an answer");
        opened.unwrap_or_else(|answer| panic!("{target}: {answer:?}"))
    }

    /// `kill -9`, in whatever it is doing. The address can be used for the next.
    ///
    /// # Panics
    ///
    /// If it had ended already.
    pub fn kill(mut self) -> SocketAddr {
        assert_eq!(self.child.try_wait().expect("a child"), None, "ended by itself");
        self.child.kill().expect("killed");
        self.child.wait().expect("a child");
        self.addr
    }

    /// Sends a signal and waits for the end.
    ///
    /// # Panics
    ///
    /// If it does not end.
    pub fn end(mut self, signal: Signal) -> Ended {
        let signal = match signal {
            Signal::Terminate => rustix::process::Signal::TERM,
            Signal::Interrupt => rustix::process::Signal::INT,
        };
        let pid = Pid::from_child(&self.child);
        let (tell, told) = mpsc::channel();
        // Left for `wait` to collect: until then nobody else can get the number, and the signal goes to nobody else.
        std::thread::spawn(move || {
            let _ = waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT);
            tell.send(Instant::now())
        });
        let asked = Instant::now();
        kill_process(pid, signal).expect("a child");
        let ended = told.recv_timeout(PATIENCE).expect("it ends");
        let status: ExitStatus = self.child.wait().expect("a child");
        Ended {
            code: status.code(),
            took: ended - asked,
        }
    }

    /// Ends it as a person would, and checks that all is well.
    ///
    /// # Panics
    ///
    /// If it ends with anything but 0.
    pub fn stop(self) {
        let ended = self.end(Signal::Terminate);
        assert_eq!(ended.code, Some(0), "{ended:?}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail where it has ended and was waited for; that is fine.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The first line; nothing if the process ends without one.
fn first_line(stdout: ChildStdout) -> String {
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        let mut lines = BufReader::new(stdout);
        let mut line = String::new();
        let _ = lines.read_line(&mut line);
        let _ = tell.send(line);
        // The pipe stays open to the end: a second line would otherwise be an error in the program.
        let _ = std::io::copy(&mut lines, &mut std::io::sink());
    });
    told.recv_timeout(PATIENCE).expect("a line or the end")
}

fn address(line: &str) -> Option<(SocketAddr, String)> {
    let rest = line.strip_prefix("listening on http://")?.strip_suffix('\n')?;
    let (addr, token) = rest.split_once("/?token=")?;
    Some((addr.parse().ok()?, token.to_owned()))
}
