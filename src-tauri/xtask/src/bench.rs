use anyhow::Result;

use crate::test::cargo;
use crate::{process, setup, ui};

/// Builds everything for release and measures it. Arguments go to the bench program.
///
/// # Errors
///
/// The build fails, or the bench does.
pub(crate) fn bench(arguments: &[String]) -> Result<()> {
    setup::for_server()?;
    ui::build()?;
    // The bench starts the program itself.
    process::run(cargo("build").args(["--release", "--package", "chatstats-server"]))?;
    let mut bench = cargo("run");
    bench
        .args([
            "--release",
            "--package",
            "chatstats-bench",
            "--bin",
            "bench",
            "--",
        ])
        .args(arguments);
    process::run(&mut bench)
}
