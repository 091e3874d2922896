use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::json;

use crate::test::cargo;
use crate::{layout, process, setup, ui};

/// The bundler, prebuilt by its authors; of the same release line as the `tauri` crate.
const BUNDLER: &str = "@tauri-apps/cli@2.12";

/// Builds both programs for release and packs them for this system.
///
/// # Errors
///
/// Something is missing, or a build fails.
pub(crate) fn dist() -> Result<()> {
    setup::for_desktop()?;
    ui::build()?;
    process::run(cargo("build").args(["--release", "--package", "chatstats-server"]))?;
    let headless = layout::program("release", "chatstats")?;

    let mut bundler = process::npm(&layout::root().join("src-tauri"));
    bundler.args(["exec", "--yes", "--package", BUNDLER, "--", "tauri", "build"]);
    bundler.args(["--bundles", bundles()?, "--config", &with_headless(&headless)]);
    bundler.env("CARGO_TARGET_DIR", layout::target()?);
    process::run(&mut bundler)?;
    list(&headless)
}

fn bundles() -> Result<&'static str> {
    match std::env::consts::OS {
        "linux" => Ok("deb,rpm"),
        "macos" => Ok("dmg"),
        "windows" => Ok("msi"),
        other => bail!("no packages are made for {other}"),
    }
}

/// Linux packages carry the headless program beside the desktop one. Its place depends on the target directory, so it is
/// not in `tauri.conf.json`.
fn with_headless(headless: &Path) -> String {
    let files = json!({ "/usr/bin/chatstats": headless });
    json!({ "bundle": { "linux": { "deb": { "files": files }, "rpm": { "files": files } } } }).to_string()
}

fn list(headless: &Path) -> Result<()> {
    let made = |path: &Path| {
        path.extension()
            .is_some_and(|extension| ["deb", "rpm", "dmg", "msi"].iter().any(|kind| extension == *kind))
    };
    let packages = layout::files_below(&layout::target()?.join("release").join("bundle"), &made)?;
    let desktop = layout::program("release", "chatstats-desktop")?;
    println!();
    for file in [headless.to_owned(), desktop].into_iter().chain(packages) {
        let bytes = std::fs::metadata(&file)
            .with_context(|| format!("find {}", file.display()))?
            .len();
        println!(
            "{:>7.1} MiB  {}",
            bytes as f64 / (1024.0 * 1024.0),
            file.display()
        );
    }
    Ok(())
}
