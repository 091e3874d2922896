use std::process::{Command, Stdio};

#[cfg(not(unix))]
use anyhow::bail;
use anyhow::{Context, Result};

use crate::{layout, process, setup, ui};

/// Builds and opens the app, or serves where there is no display. Other arguments go to the program.
///
/// # Errors
///
/// Something is missing and cannot be installed, the build fails, or the program does.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let release = arguments.iter().any(|argument| argument == "--release");
    let passed_on = arguments
        .iter()
        .filter(|argument| *argument != "--release" && *argument != "--");
    let (package, name) = if has_display() {
        setup::for_desktop()?;
        ("chatstats-desktop", "chatstats-desktop")
    } else {
        setup::for_server()?;
        ("chatstats-server", "chatstats")
    };
    ui::build()?;
    let mut build = process::cargo();
    build.args(["build", "--package", package, "--bin", name]);
    if release {
        build.arg("--release");
    }
    process::run(&mut build)?;

    let mut program = Command::new(layout::program(if release { "release" } else { "debug" }, name)?);
    if name == "chatstats" {
        eprintln!("\nThere is no display here: serving instead. Open the address below in a browser.");
        program.arg("serve");
    }
    become_program(program.args(passed_on).stdin(Stdio::null()))
}

fn has_display() -> bool {
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    !cfg!(target_os = "linux") || set("DISPLAY") || set("WAYLAND_DISPLAY")
}

/// Replaces this process, so that signals meant for the program reach it.
#[cfg(unix)]
fn become_program(program: &mut Command) -> Result<()> {
    use std::os::unix::process::CommandExt;

    let error = program.exec();
    Err(error).with_context(|| format!("start {}", program.get_program().display()))
}

/// Runs the program; Ctrl-C reaches both.
#[cfg(not(unix))]
fn become_program(program: &mut Command) -> Result<()> {
    let status = program
        .status()
        .with_context(|| format!("start {}", program.get_program().display()))?;
    if !status.success() {
        bail!("the program ended with {status}");
    }
    Ok(())
}
