//! `chatstats url`

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use super::{DataDirOption, address};

#[derive(Debug, Args)]
pub(super) struct Url {
    #[command(flatten)]
    data_dir: DataDirOption,
}

impl Url {
    pub(super) fn run(self) -> Result<ExitCode> {
        println!("{}", address::entry_url(&self.data_dir.config()?)?);
        Ok(ExitCode::SUCCESS)
    }
}
