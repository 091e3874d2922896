//! The walls between the crates: arrows run one way, and each crate does without what it is kept free of. A new
//! arrow is a decision, and is made here as well.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

/// The crates of the workspace, and which others of it each may use.
const ARROWS: &[(&str, &[&str])] = &[
    ("chatstats-model", &[]),
    ("chatstats-import", &["chatstats-model"]),
    ("chatstats-store", &["chatstats-fold", "chatstats-model"]),
    ("chatstats-fold", &[]),
    ("chatstats-ring", &[]),
    ("chatstats-hub", &["chatstats-model", "chatstats-ring"]),
    (
        "chatstats-bus",
        &["chatstats-fold", "chatstats-model", "chatstats-ring"],
    ),
    ("chatstats-passes", &["chatstats-model"]),
    ("chatstats-llm", &["chatstats-model", "chatstats-passes"]),
    (
        "chatstats-analysis",
        &[
            "chatstats-model",
            "chatstats-passes",
            "chatstats-store",
            "chatstats-bus",
        ],
    ),
    (
        "chatstats-sync",
        &[
            "chatstats-model",
            "chatstats-import",
            "chatstats-store",
            "chatstats-hub",
            "chatstats-bus",
        ],
    ),
    (
        "chatstats-server",
        &[
            "chatstats-model",
            "chatstats-import",
            "chatstats-store",
            "chatstats-hub",
            "chatstats-bus",
            "chatstats-passes",
            "chatstats-analysis",
            "chatstats-llm",
            "chatstats-sync",
        ],
    ),
    ("chatstats-desktop", &["chatstats-server", "chatstats-model"]),
    ("xtask", &[]),
];

/// What lies outside: tests and benchmarks may use anything, and nothing may use them.
const OUTSIDE: &[&str] = &["chatstats-tests", "chatstats-bench"];

/// What a crate does without, directly and by way of others. A name that ends in `*` stands for all that begin so.
const ABSENT: &[(&str, &[&str])] = &[
    (
        "chatstats-model",
        &[
            "tokio*", "futures*", "axum*", "hyper*", "rusqlite", "socket2", "mio", "tempfile", "zip",
        ],
    ),
    (
        "chatstats-import",
        &["tokio*", "futures*", "axum*", "hyper*", "rusqlite", "tauri*"],
    ),
    (
        "chatstats-store",
        &["axum*", "hyper*", "http", "tower*", "tauri*"],
    ),
    (
        "chatstats-hub",
        &["tokio*", "axum*", "hyper*", "rusqlite", "tauri*"],
    ),
    ("chatstats-bus", &["axum*", "hyper*", "http", "tower*", "tauri*"]),
    (
        "chatstats-passes",
        &[
            "tokio*", "futures*", "axum*", "hyper*", "http", "rusqlite", "tauri*",
        ],
    ),
    (
        "chatstats-analysis",
        &["axum*", "hyper*", "http", "tower*", "tauri*"],
    ),
    ("chatstats-llm", &["axum*", "rusqlite", "tauri*"]),
    ("chatstats-sync", &["axum*", "hyper*", "http", "tower*", "tauri*"]),
    ("chatstats-server", &["tauri*", "gtk*", "webkit2gtk*", "wry"]),
];

#[test]
fn there_is_no_new_arrow_between_the_crates() {
    let allowed: BTreeMap<_, _> = ARROWS.iter().copied().collect();
    for (name, uses) in arrows() {
        if OUTSIDE.contains(&name.as_str()) {
            continue;
        }
        let allowed = allowed.get(name.as_str());
        let allowed = allowed.unwrap_or_else(|| panic!("{name} is new: which crates may it use?"));
        for used in uses {
            assert!(
                allowed.contains(&used.as_str()),
                "a new arrow: {name} uses {used}"
            );
        }
    }
}

#[test]
fn the_crates_that_the_walls_name_exist() {
    let arrows = arrows();
    for (name, _) in ARROWS {
        assert!(arrows.contains_key(*name), "{name}");
    }
}

#[test]
fn each_crate_does_without_what_it_is_kept_free_of() {
    for (name, absent) in ABSENT {
        let built_from = built_from(name);
        for unwanted in *absent {
            let matches = |used: &&String| match unwanted.strip_suffix('*') {
                Some(start) => used.starts_with(start),
                None => used == unwanted,
            };
            let found = built_from.iter().find(matches);
            assert_eq!(found, None, "{name} must do without {unwanted}");
        }
    }
}

#[test]
fn only_the_desktop_names_tauri() {
    for package in packages() {
        let name = text(&package["name"]);
        let tauri = all(&package["dependencies"])
            .map(|used| text(&used["name"]))
            .find(|n| n.starts_with("tauri"));
        assert_eq!(tauri.is_some(), name == "chatstats-desktop", "{name}: {tauri:?}");
    }
}

/// The crates of the workspace, and which others of it each uses, also to build and to test.
fn arrows() -> BTreeMap<String, BTreeSet<String>> {
    let packages = packages();
    let names: BTreeSet<String> = packages.iter().map(|package| text(&package["name"])).collect();
    let uses = |package: &Value| -> BTreeSet<String> {
        let used = all(&package["dependencies"]).map(|used| text(&used["name"]));
        used.filter(|used| names.contains(used) && *used != text(&package["name"]))
            .collect()
    };
    packages
        .iter()
        .map(|package| (text(&package["name"]), uses(package)))
        .collect()
}

/// The packages of the workspace as their manifests have them.
fn packages() -> Vec<Value> {
    let metadata = cargo(&["metadata", "--format-version", "1", "--no-deps"]);
    let metadata: Value = serde_json::from_str(&metadata).expect("JSON");
    all(&metadata["packages"]).cloned().collect()
}

/// The names of everything a crate is built from on this platform, itself included.
fn built_from(name: &str) -> BTreeSet<String> {
    let arguments = [
        "tree",
        "--locked",
        "--package",
        name,
        "--edges",
        "normal",
        "--prefix",
        "none",
    ];
    let tree = cargo(&arguments);
    let names: BTreeSet<_> = tree
        .lines()
        .filter_map(|line| line.split(' ').next().map(str::to_owned))
        .collect();
    assert!(names.contains(name), "not its tree: {tree}");
    names
}

fn cargo(arguments: &[&str]) -> String {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output();
    let output = output.expect("cargo runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("text")
}

fn all(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().expect("a list").iter()
}

fn text(value: &Value) -> String {
    value.as_str().expect("text").to_owned()
}
