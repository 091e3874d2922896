use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use chatstats_server::{App, Config, LogGuard, Overrides};
use tauri::AppHandle;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::dialogs;

/// The server inside this process.
pub(crate) struct Server {
    app: App,
    shutdown: CancellationToken,
    serving: Mutex<Option<JoinHandle<()>>>,
    _log: LogGuard,
}

impl Server {
    /// Takes the data directory and the port. What `overrides` leaves open comes from where `chatstats serve` has it:
    /// variables and `config.toml`.
    ///
    /// # Errors
    ///
    /// A port in use, a directory another process holds, a damaged database or setting; each with a text for people.
    pub(crate) fn open(overrides: Overrides) -> Result<Server> {
        let config = Config::load(overrides)?;
        let log = chatstats_server::start_log(&config.data_dir)?;
        let app = tauri::async_runtime::block_on(App::open(config))?;
        Ok(Server {
            app,
            shutdown: CancellationToken::new(),
            serving: Mutex::new(None),
            _log: log,
        })
    }

    /// The address that lets a browser in. It holds the token: never log it.
    pub(crate) fn entry_url(&self) -> String {
        self.app.entry_url()
    }

    /// Starts importing in the background and returns the import's id.
    pub(crate) fn import(&self, paths: Vec<PathBuf>) -> Result<i64> {
        Ok(self.app.import(paths)?.0)
    }

    /// Answers requests until [`Server::stop`]. If it ends before, the person is told and the program leaves with 1.
    pub(crate) fn start(&self, runtime: &Runtime, app: &AppHandle) {
        let (server, shutdown, app) = (self.app.clone(), self.shutdown.clone(), app.clone());
        let serving = runtime.spawn(async move {
            let outcome = server.serve(shutdown.clone()).await;
            if let Err(error) = &outcome {
                tracing::error!(error = format!("{error:#}"), "the server ended");
            }
            if !shutdown.is_cancelled() {
                let why = outcome
                    .err()
                    .map_or_else(|| "It ended by itself.".to_owned(), |error| format!("{error:#}"));
                dialogs::show_error_in_loop(&app, "ChatStats has to close", &why).await;
                app.exit(1);
            }
        });
        *self.serving.lock().unwrap_or_else(PoisonError::into_inner) = Some(serving);
    }

    /// Ends all streams, writes what is pending and returns when that is done, after [`STOP_S_MAX`] at the latest.
    pub(crate) fn stop(&self) {
        self.shutdown.cancel();
        let Some(serving) = self.serving.lock().unwrap_or_else(PoisonError::into_inner).take() else {
            return;
        };
        let ended = tauri::async_runtime::block_on(async {
            tokio::time::timeout(Duration::from_secs(STOP_S_MAX), serving).await
        });
        if ended.is_err() {
            tracing::warn!(
                seconds = STOP_S_MAX,
                "the server did not stop in time; the database is safe all the same"
            );
        }
    }
}

/// A person who closes a window does not expect the process to linger. What was committed survives any end.
const STOP_S_MAX: u64 = 5;
