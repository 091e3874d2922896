//! `chatstats open`

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;

use super::{DataDirOption, address};

#[derive(Debug, Args)]
pub(super) struct Open {
    #[command(flatten)]
    data_dir: DataDirOption,
}

impl Open {
    pub(super) fn run(self) -> Result<ExitCode> {
        let url = address::entry_url(&self.data_dir.config()?)?;
        open::that_detached(url).context("no browser could be opened; `chatstats url` prints the address")?;
        Ok(ExitCode::SUCCESS)
    }
}
