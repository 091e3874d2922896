use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Result, bail};

use crate::report::Report;
use crate::{bindings, layout, process, setup, ui};

/// Runs every test there is, in one target directory and one profile, and prints the sum.
///
/// The exit code says whether all of them held. Something missing is a failure: nothing is skipped.
///
/// # Errors
///
/// The set-up or the build fails, so that nothing could be tested.
pub(crate) fn test(wanted: &[String]) -> Result<ExitCode> {
    setup::for_tests()?;
    let python = setup::python()?;
    ui::build()?;
    let exported = bindings::fresh_folder()?;
    process::run(cargo("build").arg("--workspace"))?;

    let mut report = Report::new(wanted);
    report.tests("rust", || {
        let mut command = cargo("test");
        // Exported next to the checked-in ones and not over them, or drift would repair itself unseen.
        command
            .args(["--workspace", "--no-fail-fast"])
            .env(bindings::FOLDER_VARIABLE, &exported)
            .env("CHATSTATS_PYTHON", &python);
        Ok(command)
    });
    if report.wants("rust") {
        report.step("bindings", || bindings::compare(&exported));
    }
    report.tests("ui", || {
        let mut command = process::npm(&layout::ui());
        command.args(["run", "test"]);
        Ok(command)
    });
    report.tests("e2e", || node_tests("e2e"));
    if cfg!(target_os = "linux") {
        report.tests("desktop", || node_tests("desktop"));
    }
    let (sum, outcome) = report.finish();
    let code = outcome.map_or_else(crate::failed, |()| ExitCode::SUCCESS);
    println!("\n{} passed, {} failed", sum.passed, sum.failed);
    Ok(code)
}

/// Cargo as CI wants it: with the lock file as it is.
pub(crate) fn cargo(subcommand: &str) -> Command {
    let mut command = process::cargo();
    command.arg(subcommand);
    if process::on_ci() {
        command.arg("--locked");
    }
    command
}

/// All `*.spec.mjs` in a folder of `tests`, with the programs they drive in the environment.
fn node_tests(folder: &str) -> Result<Command> {
    let is_test = |path: &Path| path.to_string_lossy().ends_with(".spec.mjs");
    let files = layout::files_below(&layout::root().join("tests").join(folder), &is_test)?;
    if files.is_empty() {
        bail!("tests/{folder} holds no *.spec.mjs");
    }
    let mut command = Command::new("node");
    command
        .current_dir(layout::root())
        // One file at a time: each drives a browser or a window, and the machine may have two cores.
        .args(["--test", "--test-concurrency=1", "--test-reporter=spec"])
        .args(files)
        .env("CHATSTATS_BIN", layout::program("debug", "chatstats")?)
        .env(
            "CHATSTATS_DESKTOP_BIN",
            layout::program("debug", "chatstats-desktop")?,
        );
    Ok(command)
}
