use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use chatstats_server::Overrides;
use tauri::{AppHandle, Manager, RunEvent};
use tauri_plugin_window_state::StateFlags;
use tokio::sync::mpsc;

use crate::args::{self, Request, Start};
use crate::page::Page;
use crate::server::Server;
use crate::{intake, menu, signals, window};

/// Opens the window on a server of its own, imports what `start` names, and returns the exit code once the window is closed.
///
/// If the program runs already, this call hands the files over to it and ends the process with 0.
///
/// # Errors
///
/// Whatever keeps the server or the window from starting, with a text for people. The window is not shown then.
pub(crate) fn run(start: Start) -> Result<i32> {
    let runtime = tokio::runtime::Runtime::new().context("start the background threads")?;
    // One set of threads for the shell and the server.
    tauri::async_runtime::set(runtime.handle().clone());

    let (handover, handed_over) = mpsc::channel(HANDOVERS_MAX);
    let app = build(handover)?;
    // Only now: a second start has left by here, and must not find the first one's data directory locked.
    let overrides = Overrides {
        listen: start.listen,
        data_dir: start.data_dir,
        ..Overrides::default()
    };
    let server = Server::open(overrides)?;
    let entry_url = server.entry_url();
    app.manage(Page::default());
    app.manage(menu::Zoom::default());
    app.manage(server);
    app.state::<Server>().start(&runtime, app.handle());
    // Before there is a window to see: whoever sees it may ask it to leave.
    signals::leave_when_asked(&runtime, app.handle()).context("listen for signals")?;
    let import = intake::begin(app.handle(), start.paths);
    window::open(&app, &entry_url, import)?;
    runtime.spawn(take_over(app.handle().clone(), handed_over));

    Ok(app.run_return(move |app, event| {
        if let RunEvent::Exit = event {
            app.state::<Server>().stop();
        }
    }))
}

/// The program without its window. A second start ends in here.
fn build(handover: mpsc::Sender<Vec<PathBuf>>) -> Result<tauri::App> {
    tauri::Builder::default()
        .plugin(tauri_plugin_single_instance::init(
            move |_, arguments, directory| {
                accept(&handover, arguments, &directory);
            },
        ))
        .plugin(
            tauri_plugin_window_state::Builder::new()
                .with_state_flags(StateFlags::SIZE | StateFlags::POSITION | StateFlags::MAXIMIZED)
                .build(),
        )
        .menu(menu::build)
        .on_menu_event(menu::chosen)
        .build(tauri::generate_context!())
        .context("prepare the window")
}

/// Second starts that wait until the first one is ready. More than a person makes while a window opens.
const HANDOVERS_MAX: usize = 64;

/// Called in the first process when the program is started again.
fn accept(handover: &mpsc::Sender<Vec<PathBuf>>, arguments: Vec<String>, directory: &str) {
    let arguments = arguments.into_iter().skip(1).map(OsString::from);
    // The second process has said itself what is wrong with its arguments; all that is left to do here is to come forward.
    let paths = match args::parse(arguments, Path::new(directory)) {
        Request::Open(start) => start.paths,
        Request::Print(_) | Request::WrongUse(_) => Vec::new(),
    };
    if let Err(error) = handover.try_send(paths) {
        tracing::warn!(%error, "a second start could not be taken over");
    }
}

/// Brings the window forward for each second start and imports what it brought.
async fn take_over(app: AppHandle, mut handed_over: mpsc::Receiver<Vec<PathBuf>>) {
    while let Some(paths) = handed_over.recv().await {
        window::bring_forward(&app);
        intake::import(&app, paths);
    }
}
