//! `chatstats token [--rotate]`

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use super::DataDirOption;
use crate::token;

#[derive(Debug, Args)]
pub(super) struct TokenCommand {
    /// Replace it: whoever knows only the old one is out at once, also on a running server
    #[arg(long)]
    rotate: bool,
    #[command(flatten)]
    data_dir: DataDirOption,
}

impl TokenCommand {
    pub(super) fn run(self) -> Result<ExitCode> {
        let config = self.data_dir.config()?;
        crate::data_dir::make_private(&config.data_dir)?;
        let token = if self.rotate {
            token::rotate(&config.data_dir)?
        } else {
            token::kept(&config.data_dir)?
        };
        println!("{}", token.as_str());
        Ok(ExitCode::SUCCESS)
    }
}
