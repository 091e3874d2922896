//! Running other programs, and saying which one failed.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, ExitStatus, Stdio};

use anyhow::{Context, Result, bail};

use crate::layout;

/// The cargo that runs this, in the checkout. On CI the lock file is taken as it is.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(layout::root());
    command
}

/// `npm` in a folder. On Windows it is a script, which only the command interpreter starts.
pub(crate) fn npm(folder: &std::path::Path) -> Command {
    let mut command = if cfg!(windows) {
        let mut command = Command::new("cmd");
        command.args(["/C", "npm"]);
        command
    } else {
        Command::new("npm")
    };
    command.current_dir(folder);
    command
}

/// True where a machine and not a person waits.
pub(crate) fn on_ci() -> bool {
    std::env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false")
}

/// Whether `name` can be started from here.
pub(crate) fn is_installed(name: &str) -> bool {
    let Some(path) = std::env::var_os("PATH") else {
        return false;
    };
    std::env::split_paths(&path).any(|folder| {
        ["", ".exe", ".cmd"]
            .iter()
            .any(|suffix| folder.join(format!("{name}{suffix}")).is_file())
    })
}

/// Runs a command with our own output and no input.
///
/// # Errors
///
/// It cannot be started, or ends with anything but 0.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = announce(command).stdin(Stdio::null()).status();
    succeeded(command, status.with_context(|| not_started(command))?)
}

/// Runs a command and returns what it prints on standard output.
///
/// # Errors
///
/// As [`run`]; the error holds what it printed on standard error.
pub(crate) fn capture(command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| not_started(command))?;
    if !output.status.success() {
        bail!(
            "`{}` failed:\n{}",
            line(command),
            String::from_utf8_lossy(&output.stderr).trim_end()
        );
    }
    String::from_utf8(output.stdout).with_context(|| format!("`{}` prints no text", line(command)))
}

/// Runs a command, shows all it prints as it comes, and returns it with the outcome.
///
/// # Errors
///
/// It cannot be started. That it fails is in the outcome: what it printed is wanted either way.
pub(crate) fn tee(command: &mut Command) -> Result<(String, Result<()>)> {
    announce(command)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().with_context(|| not_started(command))?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let (printed, complained) = std::thread::scope(|scope| {
        let stderr = scope.spawn(|| stderr.map_or_else(String::new, |pipe| pass_on(pipe, std::io::stderr())));
        let printed = stdout.map_or_else(String::new, |pipe| pass_on(pipe, std::io::stdout()));
        (printed, stderr.join().unwrap_or_default())
    });
    let status = child
        .wait()
        .with_context(|| format!("wait for `{}`", line(command)))?;
    Ok((printed + &complained, succeeded(command, status)))
}

fn pass_on(pipe: impl Read, mut to: impl Write) -> String {
    let mut all = String::new();
    let mut reader = BufReader::new(pipe);
    let mut bytes = Vec::new();
    while reader.read_until(b'\n', &mut bytes).is_ok_and(|count| count > 0) {
        let text = String::from_utf8_lossy(&bytes);
        // Nobody may be reading any more; the tests go on and are counted.
        let _ = to.write_all(text.as_bytes());
        all.push_str(&text);
        bytes.clear();
    }
    all
}

fn announce(command: &mut Command) -> &mut Command {
    eprintln!("\n$ {}", line(command));
    command
}

fn succeeded(command: &Command, status: ExitStatus) -> Result<()> {
    if !status.success() {
        bail!("`{}` failed: {status}", line(command));
    }
    Ok(())
}

fn not_started(command: &Command) -> String {
    format!("start `{}`", line(command))
}

/// The command as a person would type it, without the folder of the program.
fn line(command: &Command) -> String {
    let program = std::path::Path::new(command.get_program());
    let name = program.file_stem().unwrap_or(program.as_os_str());
    let words = std::iter::once(name).chain(command.get_args());
    words
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}
