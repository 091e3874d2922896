//! Where things are.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::process;

/// The checkout.
pub(crate) fn root() -> &'static Path {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.ancestors()
        .nth(2)
        .expect("this crate lies two folders deep in the checkout")
}

/// The page's project.
pub(crate) fn ui() -> PathBuf {
    root().join("ui")
}

/// Where cargo builds, which a person may have moved.
///
/// # Errors
///
/// `cargo metadata` fails, as it does when a manifest is broken.
pub(crate) fn target() -> Result<PathBuf> {
    let printed = process::capture(process::cargo().args(["metadata", "--no-deps", "--format-version=1"]))?;
    let metadata: serde_json::Value = serde_json::from_str(&printed).context("read cargo's metadata")?;
    let target = metadata["target_directory"]
        .as_str()
        .context("find the target directory in cargo's metadata")?;
    Ok(PathBuf::from(target))
}

/// A program that cargo has built.
///
/// # Errors
///
/// As [`target`].
pub(crate) fn program(profile_folder: &str, name: &str) -> Result<PathBuf> {
    Ok(target()?
        .join(profile_folder)
        .join(format!("{name}{}", std::env::consts::EXE_SUFFIX)))
}

/// Files below `folder` whose path satisfies `wanted`, sorted. A folder that is not there holds none.
///
/// # Errors
///
/// A folder that is there cannot be read.
pub(crate) fn files_below(folder: &Path, wanted: &dyn Fn(&Path) -> bool) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        if !folder.exists() {
            continue;
        }
        let entries = std::fs::read_dir(&folder).with_context(|| format!("list {}", folder.display()))?;
        for entry in entries {
            let path = entry
                .with_context(|| format!("list {}", folder.display()))?
                .path();
            if path.is_dir() {
                folders.push(path);
            } else if wanted(&path) {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}
