//! The licences and origins of all dependencies, against `deny.toml`.
//!
//! `cargo deny` checks the same file and more on CI. It takes longer to build than all of this project's own crates, so
//! the two rules that a change breaks most easily are checked here as well.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context, Result, bail};
use serde_json::Value;
use spdx::{Expression, LicenseReq};

use crate::{layout, process};

/// How cargo's metadata names a package of a registry; a fork straight from git starts otherwise. No other registry is
/// configured, so this is the one that cargo knows by itself.
const REGISTRY: &str = "registry+";

/// Checks every package in the lock file, for whichever system it is.
///
/// # Errors
///
/// A licence is not on the list in `deny.toml`, a package has none, or one does not come from the registry.
pub(crate) fn check() -> Result<()> {
    let rules = Rules::read()?;
    let printed =
        process::capture(process::cargo().args(["metadata", "--format-version=1", "--all-features"]))?;
    let metadata: Value = serde_json::from_str(&printed).context("read cargo's metadata")?;
    let packages = metadata["packages"]
        .as_array()
        .context("find the packages in cargo's metadata")?;
    let wrong: Vec<String> = packages
        .iter()
        .filter_map(|package| rules.broken_by(package))
        .collect();
    if !wrong.is_empty() {
        bail!("{}", wrong.join("\n"));
    }
    eprintln!(
        "{} packages, all from the registry under licences that deny.toml allows",
        packages.len()
    );
    Ok(())
}

struct Rules {
    allowed: BTreeSet<String>,
}

impl Rules {
    fn read() -> Result<Rules> {
        let text = fs::read_to_string(layout::root().join("deny.toml")).context("read deny.toml")?;
        let rules: toml::Table = toml::from_str(&text).context("read deny.toml")?;
        let allowed = rules["licenses"]["allow"]
            .as_array()
            .context("find licenses.allow in deny.toml")?;
        Ok(Rules {
            allowed: allowed
                .iter()
                .filter_map(|name| Some(name.as_str()?.to_owned()))
                .collect(),
        })
    }

    /// What is wrong with a package, in a line for people.
    fn broken_by(&self, package: &Value) -> Option<String> {
        let (name, version) = (package["name"].as_str()?, package["version"].as_str()?);
        match package["source"].as_str() {
            // A member of this workspace.
            None => return None,
            Some(source) if source.starts_with(REGISTRY) => {}
            Some(source) => return Some(format!("{name} {version} comes from {source}")),
        }
        let Some(licence) = package["license"].as_str() else {
            return Some(format!("{name} {version} names no licence"));
        };
        match self.allow(licence) {
            Ok(true) => None,
            Ok(false) => Some(format!("{name} {version} is under {licence}")),
            Err(error) => Some(format!("{name} {version}: {error:#}")),
        }
    }

    fn allow(&self, licence: &str) -> Result<bool> {
        // Crates of old write `MIT/Apache-2.0`, which means either.
        let expression = Expression::parse(&licence.replace('/', " OR "))
            .map_err(|error| anyhow::anyhow!("{licence} is no licence expression: {}", error.reason))?;
        Ok(expression.evaluate(|requirement: &LicenseReq| self.allowed.contains(&requirement.to_string())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> Rules {
        Rules {
            allowed: ["MIT", "Apache-2.0 WITH LLVM-exception"]
                .map(str::to_owned)
                .into(),
        }
    }

    #[test]
    fn one_allowed_side_of_a_choice_is_enough_and_both_sides_of_a_demand_are_needed() {
        for (licence, allowed) in [
            ("MIT", true),
            ("MIT OR GPL-3.0-only", true),
            ("GPL-3.0-only/MIT", true),
            ("MIT AND GPL-3.0-only", false),
            ("Apache-2.0", false),
            ("Apache-2.0 WITH LLVM-exception", true),
        ] {
            assert_eq!(
                rules().allow(licence).expect("a valid expression"),
                allowed,
                "{licence}"
            );
        }
        assert!(rules().allow("my own words").is_err());
    }

    #[test]
    fn a_package_from_elsewhere_or_without_a_licence_is_refused() {
        let package = |source, licence| serde_json::json!({"name": "x", "version": "1.0.0", "source": source, "license": licence});
        assert_eq!(rules().broken_by(&package(Some(REGISTRY), Some("MIT"))), None);
        assert!(rules().broken_by(&package(Some(REGISTRY), None)).is_some());
        assert!(
            rules()
                .broken_by(&package(Some("git+https://example.org/x"), Some("MIT")))
                .is_some()
        );
    }
}
