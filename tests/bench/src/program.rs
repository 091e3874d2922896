//! The program as a process, and just enough HTTP to talk to it.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// How long anything may take before a measurement is given up.
const PATIENCE: Duration = Duration::from_secs(600);

/// Clock ticks in a second (sysconf(3), `_SC_CLK_TCK`): of all kernels for the processors we know.
const TICKS: f64 = 100.0;

/// The time that a process and all its threads have used of the processors, in seconds (proc(5), `utime` and `stime`).
pub(crate) fn computed_s(process: u32) -> Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    // After the name, which may hold anything, the state is the first field and the times are the 12th and 13th.
    let (_, after) = stat.rsplit_once(')').context("a name")?;
    let mut times = after.split_whitespace().skip(11).map(str::parse::<u64>);
    let mut ticks = || anyhow::Ok(times.next().context("a time")??);
    Ok((ticks()? + ticks()?) as f64 / TICKS)
}

/// A running `chatstats serve`, ended with the value.
pub(crate) struct Program {
    child: Child,
    pub(crate) address: String,
    pub(crate) token: String,
    /// From the start of the process to the line that it listens.
    pub(crate) ready_ms: f64,
}

impl Program {
    pub(crate) fn start(program: &Path, data_dir: &Path) -> Result<Program> {
        let started = Instant::now();
        let mut child = Command::new(program)
            .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(data_dir)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("start {}", program.display()))?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("its output")?).read_line(&mut line)?;
        let ready_ms = started.elapsed().as_secs_f64() * 1e3;
        let (address, token) = line
            .trim()
            .strip_prefix("listening on http://")
            .and_then(|url| url.split_once("/?token="))
            .with_context(|| format!("understand {line:?}"))?;
        Ok(Program {
            child,
            address: address.to_owned(),
            token: token.to_owned(),
            ready_ms,
        })
    }

    /// The head of a request with everything the guard asks for.
    pub(crate) fn head(&self, method: &str, path: &str, length: usize) -> String {
        let (address, token) = (&self.address, &self.token);
        format!(
            "{method} {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\nContent-Length: {length}\r\n\r\n"
        )
    }

    pub(crate) fn connect(&self) -> Result<TcpStream> {
        let stream = TcpStream::connect(&self.address)?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    pub(crate) fn get(&self, path: &str) -> Result<String> {
        self.request("GET", path, "")
    }

    pub(crate) fn post(&self, path: &str, body: &str) -> Result<String> {
        self.request("POST", path, body)
    }

    fn request(&self, method: &str, path: &str, body: &str) -> Result<String> {
        let mut stream = self.connect()?;
        stream.write_all(self.head(method, path, body.len()).as_bytes())?;
        stream.write_all(body.as_bytes())?;
        let answer = Answer::read(&mut BufReader::new(stream))?;
        if !answer.head.starts_with("HTTP/1.1 2") {
            bail!("{method} {path}: {}", answer.head);
        }
        Ok(String::from_utf8_lossy(&answer.body).into_owned())
    }

    /// Asks until it is so.
    pub(crate) fn until(&self, is_so: impl Fn() -> Result<bool>) -> Result<()> {
        let started = Instant::now();
        while !is_so()? {
            if started.elapsed() > PATIENCE {
                bail!("gave up waiting");
            }
            std::thread::sleep(Duration::from_millis(50)); // a process of its own is watched, not one of ours
        }
        Ok(())
    }

    /// Starts a run over everything, anew, and answers its id once the first of its tasks is done.
    pub(crate) fn start_run(&self) -> Result<String> {
        let run = self.post("/api/analysis/runs", r#"{"kind":"historic"}"#)?;
        let id = serde_json::from_str::<Value>(&run)?["id"].to_string();
        self.until(|| Ok(self.run(&id)?["success"].as_u64() > Some(0)))?;
        Ok(id)
    }

    /// How far a run is.
    pub(crate) fn run(&self, id: &str) -> Result<Value> {
        Ok(serde_json::from_str(
            &self.get(&format!("/api/analysis/runs/{id}"))?,
        )?)
    }

    /// Waits until it does nothing: until what came before has had its consequences.
    pub(crate) fn until_idle(&self) -> Result<()> {
        /// So much of a second is nothing.
        const IDLE_S: f64 = 0.02;
        let before = std::cell::Cell::new(0.0);
        self.until(|| {
            std::thread::sleep(Duration::from_secs(1)); // a process of its own is watched, not one of ours
            let computed_s = self.computed_s()?;
            Ok(computed_s - before.replace(computed_s) <= IDLE_S)
        })
    }

    /// The time it has used of the processors.
    pub(crate) fn computed_s(&self) -> Result<f64> {
        computed_s(self.child.id())
    }

    pub(crate) fn memory_kib(&self) -> Result<u64> {
        self.status_kib("VmRSS:")
    }

    pub(crate) fn peak_memory_kib(&self) -> Result<u64> {
        self.status_kib("VmHWM:")
    }

    fn status_kib(&self, field: &str) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix(field))
            .context("a memory figure")?;
        Ok(line.trim().trim_end_matches(" kB").parse()?)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An answer with a length.
pub(crate) struct Answer {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn read(stream: &mut impl BufRead) -> Result<Answer> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if stream.read_line(&mut head)? == 0 {
                bail!("the connection ended in a head: {head:?}");
            }
        }
        let length = head.lines().find_map(|line| {
            line.to_ascii_lowercase()
                .strip_prefix("content-length:")
                .map(str::to_owned)
        });
        let mut body = vec![0; length.context("a length")?.trim().parse()?];
        stream.read_exact(&mut body)?;
        Ok(Answer { head, body })
    }
}
