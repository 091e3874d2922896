//! Finding the server that runs.

use anyhow::{Result, bail};

use crate::config::Config;
use crate::data_dir::{Running, find_running};
use crate::token::{self, Token};

/// The server that runs on the data directory.
pub(super) fn running(config: &Config) -> Result<Running> {
    match find_running(&config.data_dir) {
        Some(running) => Ok(running),
        None => bail!(
            "no ChatStats runs with the data directory {}. Start it with `chatstats serve`, or open the app.",
            config.data_dir.display()
        ),
    }
}

/// Its address, with the token that lets a browser in.
pub(super) fn entry_url(config: &Config) -> Result<String> {
    let running = running(config)?;
    let token = token_of(config, &running)?;
    Ok(format!("{}?token={}", running.url, token.as_str()))
}

/// The token that lets one in.
pub(super) fn token_of(config: &Config, running: &Running) -> Result<Token> {
    match &config.token {
        Some(token) => Ok(token.clone()),
        None if running.own_token => bail!(
            "that ChatStats was started with a token of its own, which only its starter knows; set CHATSTATS_TOKEN to it"
        ),
        None => Ok(token::kept(&config.data_dir)?),
    }
}
