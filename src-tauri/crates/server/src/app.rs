//! The server as a value: opened, asked for its address, run, shut down.

use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use anyhow::Context;
use chatstats_analysis::{Analysis, Arrivals};
use chatstats_bus::Bus;
use chatstats_hub::Hub;
use chatstats_model::{ImportId, ImportOptions, Timestamp};
use chatstats_store::{CommitListener, Store};
use chatstats_sync::{ImportSettings, Imports, ImportsError, Ingest, Publisher, Tracker, TrackerSettings};
use tokio_util::sync::CancellationToken;

use crate::analysis;
use crate::api::Backgrounds;
use crate::assets::Pages;
use crate::config::Config;
use crate::data_dir::{DataDir, Running};
use crate::error::StartError;
use crate::events;
use crate::guard::Guard;
use crate::listen;
use crate::llm::Llm;
use crate::metrics::Sampling;
use crate::process;
use crate::site::Site;
use crate::sse::Streams;
use crate::token::Tokens;

/// The program without its window: holds the data directory, the database and the port. A cheap handle; the data
/// directory is free again when the last one is gone.
#[derive(Clone)]
pub struct App(Arc<Inner>);

struct Inner {
    state: AppState,
    addr: SocketAddr,
    /// Taken by [`App::serve`].
    listener: Mutex<Option<TcpListener>>,
    // Dropped last: until then nobody else may open the database.
    data_dir: DataDir,
}

/// What every request may use. Cheap handles all.
#[derive(Clone)]
pub(crate) struct AppState {
    pub(crate) store: Store,
    pub(crate) hub: Hub,
    pub(crate) bus: Bus,
    pub(crate) ingest: Ingest,
    pub(crate) imports: Imports,
    pub(crate) tracker: Tracker,
    pub(crate) analysis: Analysis,
    pub(crate) llm: Llm,
    pub(crate) backgrounds: Backgrounds,
    /// Where uploads lie until they are imported.
    pub(crate) uploads_dir: Arc<PathBuf>,
    pub(crate) streams: Streams,
    pub(crate) sampling: Sampling,
    pub(crate) config: Arc<Config>,
    pub(crate) guard: Arc<Guard>,
    pub(crate) pages: Arc<Pages>,
    pub(crate) started: Instant,
}

impl App {
    /// Takes the data directory, opens the database and the event log and takes the port, in this order. Clients can
    /// connect from now on; they are answered once [`serve`](Self::serve) runs, which must be in the same runtime.
    /// Blocks its thread while it works: meant for `block_on`, before there is anything else to do.
    ///
    /// # Errors
    ///
    /// See [`StartError`]; its text is for people.
    pub async fn open(config: Config) -> Result<Self, StartError> {
        process::prepare();
        let data_dir = DataDir::hold(&config.data_dir)?;
        let store = Store::open(data_dir.path())?;
        let tokens = Tokens::open(data_dir.path(), config.token.clone())?;
        let bus = events::open(&config).await?;
        let listener = listen::bind(config.listen)?;
        let addr = listener.local_addr().map_err(|source| StartError::Listen {
            addr: config.listen,
            source,
        })?;
        let hub = Hub::new();
        let tracker = Tracker::new(
            store.clone(),
            TrackerSettings {
                gap_minutes: config.conversation_gap_minutes,
                now: Arc::new(now),
            },
        );
        let arrivals = Arrivals::default();
        // The hub first: a screen is told of a message before anybody is of what it ends.
        let listeners: Vec<Arc<dyn CommitListener>> = vec![
            Arc::new(Publisher::new(hub.clone())),
            Arc::new(tracker.clone()),
            Arc::new(arrivals.clone()),
        ];
        store.on_commit(Arc::new(listeners));
        warn_of(&config);
        let uploads_dir = data_dir.path().join(UPLOADS_DIR);
        let imports = start_imports(&store, data_dir.path())?;
        let llm = Llm::start(&store, &config.llm, &config.analysis.zone)?;
        let analysis = analysis::start(store.clone(), bus.clone(), &config.analysis, &llm, arrivals).await?;
        let state = AppState {
            ingest: Ingest::new(store.clone()),
            store,
            hub,
            bus,
            imports,
            tracker,
            analysis,
            llm,
            backgrounds: Backgrounds::default(),
            uploads_dir: Arc::new(uploads_dir),
            streams: Streams::default(),
            sampling: Sampling::default(),
            guard: Arc::new(Guard::new(&config, addr.port(), tokens)),
            pages: Arc::new(Pages::load()),
            config: Arc::new(config),
            started: Instant::now(),
        };
        let app = Self(Arc::new(Inner {
            state,
            addr,
            listener: Mutex::new(Some(listener)),
            data_dir,
        }));
        // Before anybody reads the address: who has it may ask for the server by its data directory as well.
        app.0.data_dir.announce(&Running {
            pid: std::process::id(),
            url: app.url(),
            own_token: app.0.state.config.token.is_some(),
        })?;
        Ok(app)
    }

    #[cfg(test)]
    pub(crate) fn state(&self) -> &AppState {
        &self.0.state
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.0.addr
    }

    /// The address that lets a browser in. It holds the token: never log it.
    pub fn entry_url(&self) -> String {
        let token = self.0.state.guard.tokens().current();
        format!("{}?token={}", self.url(), token.as_str())
    }

    /// Starts an import of files and folders in the background. Works inside and outside an async runtime, and
    /// waits for one small write.
    ///
    /// # Errors
    ///
    /// No paths, too many imports waiting, or the database's.
    pub fn import(&self, paths: Vec<PathBuf>) -> Result<ImportId, ImportsError> {
        Ok(self
            .0
            .state
            .imports
            .queue_blocking(paths, ImportOptions::default())?
            .id)
    }

    /// Answers requests until `shutdown` is cancelled; then ends the streams, finishes what is being written and
    /// returns. Can be called once.
    ///
    /// # Errors
    ///
    /// A second call, or the operating system taking the port away.
    pub async fn serve(&self, shutdown: CancellationToken) -> anyhow::Result<()> {
        let Inner {
            state,
            listener,
            data_dir,
            ..
        } = &*self.0;
        let listener = listener.lock().unwrap_or_else(PoisonError::into_inner).take();
        let listener = listener.context("the server runs already, or has run")?;
        tracing::info!(addr = %self.0.addr, data_dir = %data_dir.path().display(), "listening");

        let site = Arc::new(Site::new(state.clone()));
        let heart = tokio::spawn({
            let (streams, every) = (state.streams.clone(), state.config.heartbeat);
            async move { streams.keep_beating(every).await }
        });
        let tracking = tokio::spawn({
            let (tracker, bus, shutdown) = (state.tracker.clone(), state.bus.clone(), shutdown.clone());
            async move {
                tokio::select! {
                    () = tracker.run(&bus) => {}
                    () = shutdown.cancelled() => {}
                }
            }
        });
        let ending = async {
            shutdown.cancelled().await;
            state.streams.pulse().close();
            // While requests in progress finish. An import that one of them asks for now is for the next start.
            let imports = state.imports.clone();
            tokio::task::spawn_blocking(move || imports.shutdown()).await
        };
        let (accepted, stopped) = tokio::join!(listen::accept(listener, site, shutdown.clone()), ending);
        tracing::debug!("requests, streams and imports have ended");
        heart.abort();
        stopped.context("stop the imports")?;
        tracking.await.context("stop the tracker")?;
        state.sampling.shutdown().await;
        state.llm.stop();
        tracing::debug!("the tracker has ended");
        // The streams have ended and the imports too: nobody asks for anything, and nobody else publishes.
        analysis::shutdown(&state.analysis, &state.bus, state.store.clone()).await?;
        data_dir.retract();
        tracing::info!("shut down");
        accepted.context("accept connections")
    }

    fn url(&self) -> String {
        format!("http://{}/", reachable(self.0.addr))
    }
}

/// The folder for uploads in the data directory.
const UPLOADS_DIR: &str = "uploads";

/// Takes up unfinished imports of the data directory, and waits for new ones.
pub(crate) fn start_imports(store: &Store, data_dir: &Path) -> Result<Imports, StartError> {
    let settings = ImportSettings {
        uploads_dir: data_dir.join(UPLOADS_DIR),
        now,
    };
    Imports::start(store.clone(), settings).map_err(|e| StartError::Imports(e.to_string()))
}

fn now() -> Timestamp {
    let since_epoch = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp::from_micros(since_epoch.as_micros() as i64).unwrap_or_default()
}

/// The address a browser on this machine can use: a server that listens everywhere is reached on the loopback too.
fn reachable(addr: SocketAddr) -> SocketAddr {
    match addr.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => {
            SocketAddr::new(std::net::Ipv4Addr::LOCALHOST.into(), addr.port())
        }
        IpAddr::V6(ip) if ip.is_unspecified() => {
            SocketAddr::new(std::net::Ipv6Addr::LOCALHOST.into(), addr.port())
        }
        _ => addr,
    }
}

fn warn_of(config: &Config) {
    if !config.listen.ip().is_loopback() {
        tracing::warn!(
            addr = %config.listen,
            "other machines can connect, and what they send and get is not encrypted; put a TLS proxy in front"
        );
    }
}
