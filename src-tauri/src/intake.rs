use std::path::PathBuf;

use tauri::{AppHandle, Manager};

use crate::dialogs;
use crate::page::{self, Event};
use crate::server::Server;

/// Starts an import and tells the page which, wherever the files came from: a second start, the menu, a drop.
///
/// Returns at once. No paths is no import: a dialog closed without a choice.
pub(crate) fn import(app: &AppHandle, paths: Vec<PathBuf>) {
    if let Some(id) = begin(app, paths) {
        page::tell(app, Event::Imported { id });
    }
}

/// Starts an import in the background and returns its id; a person hears why if it does not start.
pub(crate) fn begin(app: &AppHandle, paths: Vec<PathBuf>) -> Option<i64> {
    if paths.is_empty() {
        return None;
    }
    app.state::<Server>()
        .import(paths)
        .inspect_err(|error| {
            tracing::warn!(error = format!("{error:#}"), "an import did not start");
            dialogs::report(app, "The import did not start", &format!("{error:#}"));
        })
        .ok()
}
