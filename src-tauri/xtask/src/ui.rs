//! The page's project: its packages and its build, each made only when it is out of date.

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use anyhow::{Context, Result};

use crate::{layout, process};

/// Installs the packages that the lock file names, unless that very lock file has been installed.
///
/// # Errors
///
/// npm fails.
pub(crate) fn install() -> Result<()> {
    let ui = layout::ui();
    let lock = fs::read(ui.join("package-lock.json")).context("read ui/package-lock.json")?;
    // Inside, so that it goes when the folder goes.
    let installed = ui.join("node_modules").join(".installed-lock.json");
    if fs::read(&installed).is_ok_and(|installed| installed == lock) {
        return Ok(());
    }
    process::run(process::npm(&ui).args(["ci", "--no-audit", "--no-fund"]))?;
    fs::write(&installed, lock).context("note which packages are installed")
}

/// Builds the page into `ui/build`, where the server takes it from, unless nothing has changed since.
///
/// # Errors
///
/// npm fails.
pub(crate) fn build() -> Result<()> {
    install()?;
    let ui = layout::ui();
    if let Some(built) = modified(&ui.join("build").join("index.html"))
        && sources(&ui)?.is_some_and(|changed| changed < built)
    {
        return Ok(());
    }
    process::run(process::npm(&ui).args(["run", "build"]))
}

/// When a source of the page last changed.
fn sources(ui: &Path) -> Result<Option<SystemTime>> {
    let mut newest = None;
    for folder in ["src", "static"] {
        for file in layout::files_below(&ui.join(folder), &|_| true)? {
            newest = newest.max(modified(&file));
        }
    }
    for file in fs::read_dir(ui).context("list ui")? {
        let path = file.context("list ui")?.path();
        if path.is_file() {
            newest = newest.max(modified(&path));
        }
    }
    Ok(newest)
}

fn modified(file: &Path) -> Option<SystemTime> {
    fs::metadata(file).and_then(|metadata| metadata.modified()).ok()
}
