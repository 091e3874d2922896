use std::process::Command;

use anyhow::Result;

use crate::report::Report;
use crate::test::cargo;
use crate::{bindings, layout, licences, process, setup, ui};

/// Everything that must be clean, apart from the tests.
///
/// # Errors
///
/// Something is not, or what checks it is missing.
pub(crate) fn check(wanted: &[String]) -> Result<()> {
    setup::for_desktop()?;
    // The server embeds the page: without it, nothing that depends on the server compiles.
    ui::build()?;
    let mut report = Report::new(wanted);
    report.step("fmt", || {
        process::run(process::cargo().args(["fmt", "--all", "--check"]))
    });
    report.step("clippy", || {
        process::run(cargo("clippy").args(["--workspace", "--all-targets", "--", "-D", "warnings"]))
    });
    report.step("licences", licences::check);
    report.step("unused", unused_dependencies);
    report.step("bindings", bindings_drift);
    report.step("ui", || {
        process::run(process::npm(&layout::ui()).args(["run", "check"]))
    });
    report.finish().1
}

fn unused_dependencies() -> Result<()> {
    let machete = setup::cargo_tool("cargo-machete", "0.9.2")?;
    process::run(
        Command::new(machete)
            .current_dir(layout::root())
            .args(["--skip-target-dir"]),
    )
}

fn bindings_drift() -> Result<()> {
    let exported = bindings::fresh_folder()?;
    let mut export = cargo("test");
    export.args(["--quiet", "--lib"]);
    for package in bindings::PACKAGES {
        export.args(["--package", package]);
    }
    export.env(bindings::FOLDER_VARIABLE, &exported);
    process::run(&mut export)?;
    bindings::compare(&exported)
}
