use std::path::PathBuf;

use tauri::{AppHandle, Manager};

use crate::dialogs;
use crate::page::{self, Event};
use crate::server::Server;

/// Starts an import and tells the page which, wherever the files came from: arguments, a second start, the menu, a drop.
///
/// Returns at once. No paths is no import: a dialog closed without a choice.
pub(crate) fn import(app: &AppHandle, paths: Vec<PathBuf>) {
    if paths.is_empty() {
        return;
    }
    match app.state::<Server>().import(paths) {
        Ok(id) => page::tell(app, &Event::Imported { id }),
        Err(error) => {
            tracing::warn!(error = format!("{error:#}"), "an import did not start");
            dialogs::report(app, "The import did not start", &format!("{error:#}"));
        }
    }
}
