//! Why the server could not start, in words for people.

use std::net::SocketAddr;
use std::path::PathBuf;

use chatstats_bus::BusError;
use chatstats_store::OpenError;

/// Why [`App::open`](crate::App::open) or [`Config::load`](crate::Config::load) failed. Its text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Another program listens there.
    #[error(
        "The address {addr} is taken by another program, perhaps by a ChatStats with another data directory. \
         Close that program, or choose another port, for example with --listen 127.0.0.1:0 (any free one) or \
         listen = \"127.0.0.1:8766\" in config.toml."
    )]
    PortTaken {
        /// The address that was asked for.
        addr: SocketAddr,
    },
    /// The address cannot be listened on.
    #[error("Cannot listen on {addr}: {source}. Choose another address with --listen or in config.toml.")]
    Listen {
        /// The address that was asked for.
        addr: SocketAddr,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// Another process holds the data directory.
    #[error(
        "The data directory {dir} is in use by another ChatStats{}. Close that one first, or choose another \
         directory with --data-dir.", pid.map_or(String::new(), |pid| format!(" (process {pid})"))
    )]
    DataDirLocked {
        /// The directory.
        dir: PathBuf,
        /// The process that holds it, where it can be told.
        pid: Option<u32>,
    },
    /// The database is damaged, too new or out of reach.
    #[error(transparent)]
    Database(#[from] OpenError),
    /// The event log cannot be opened.
    #[error("Events cannot be kept: {0}.")]
    Events(BusError),
    /// Analysis could not take up what was left.
    #[error("Analysis could not be started: {0}")]
    Analysis(String),
    /// The language model cannot be asked from this machine.
    #[error("The language model cannot be used: {0}")]
    Llm(String),
    /// A setting is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The imports could not be taken up.
    #[error("The imports could not be taken up: {0}")]
    Imports(String),
    /// A file or folder of the data directory cannot be made, read or written.
    #[error("{path}: {source}. Check that the folder exists, belongs to you and that the disk is not full.")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
}

impl StartError {
    /// For `map_err`: the error of an operation on `path`.
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }
}

/// A setting that cannot be used: where it was said, and what is wrong with it.
#[derive(Debug, thiserror::Error)]
#[error("{place}: {problem}")]
pub struct ConfigError {
    /// `--listen`, `CHATSTATS_LISTEN` or the path of `config.toml` with the key.
    pub place: String,
    /// What is wrong, and what would be right.
    pub problem: String,
}
