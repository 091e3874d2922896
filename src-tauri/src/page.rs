use std::sync::{Mutex, PoisonError};

use tauri::{AppHandle, Manager};

use crate::window;

/// What only the shell knows and the page wants to: DOM events on the page's `window`, with the fields as `detail`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    /// `chatstats:imported`: an import has begun; the page follows it over HTTP by its id.
    Imported { id: i64 },
    /// `chatstats:drag`: files hang over the window, or no longer do.
    Drag { over: bool },
}

/// Sends `event` to the page, or keeps it until the page has loaded.
pub(crate) fn tell(app: &AppHandle, event: &Event) {
    let page = app.state::<Page>();
    let mut early = page.early.lock().unwrap_or_else(PoisonError::into_inner);
    match early.as_mut() {
        None => run(app, &event.script()),
        Some(waiting) if waiting.len() < EARLY_EVENTS_MAX => waiting.push(event.script()),
        // The page lists all imports when it opens; an event only says where to look first.
        Some(_) => tracing::warn!(?event, "the page is not there yet and enough waits for it"),
    }
}

/// Delivers what has waited for the page.
pub(crate) fn loaded(app: &AppHandle) {
    let page = app.state::<Page>();
    let mut early = page.early.lock().unwrap_or_else(PoisonError::into_inner);
    for script in early.take().unwrap_or_default() {
        run(app, &script);
    }
}

/// Events for a page that has not loaded yet; `None` once it has.
pub(crate) struct Page {
    early: Mutex<Option<Vec<String>>>,
}

impl Default for Page {
    fn default() -> Self {
        Page {
            early: Mutex::new(Some(Vec::new())),
        }
    }
}

/// As many as second starts can bring before the first page is there.
const EARLY_EVENTS_MAX: usize = 64;

impl Event {
    fn script(self) -> String {
        let (name, detail) = match self {
            Event::Imported { id } => ("chatstats:imported", serde_json::json!({ "id": id })),
            Event::Drag { over } => ("chatstats:drag", serde_json::json!({ "over": over })),
        };
        format!("window.dispatchEvent(new CustomEvent('{name}', {{ detail: {detail} }}))")
    }
}

fn run(app: &AppHandle, script: &str) {
    let Some(window) = window::main(app) else { return };
    if let Err(error) = window.eval(script) {
        tracing::warn!(%error, "the page did not hear of an event");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_dom_events_whose_detail_is_json() {
        assert_eq!(
            Event::Imported { id: 7 }.script(),
            r#"window.dispatchEvent(new CustomEvent('chatstats:imported', { detail: {"id":7} }))"#
        );
        assert_eq!(
            Event::Drag { over: false }.script(),
            r#"window.dispatchEvent(new CustomEvent('chatstats:drag', { detail: {"over":false} }))"#
        );
    }
}
