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

/// Sends `event` to the page. One that is still loading listens to nothing yet; it is told where to go once it has loaded.
pub(crate) fn tell(app: &AppHandle, event: Event) {
    let page = app.state::<Page>();
    let mut state = page.0.lock().unwrap_or_else(PoisonError::into_inner);
    match (&mut *state, event) {
        (State::Loaded, event) => run(app, &event.script()),
        (State::Loading { import }, Event::Imported { id }) => *import = Some(id),
        // There is nothing to highlight in an empty window.
        (State::Loading { .. }, Event::Drag { .. }) => {}
    }
}

/// The page has loaded: if an import began meanwhile, it goes there.
pub(crate) fn loaded(app: &AppHandle) {
    let page = app.state::<Page>();
    let mut state = page.0.lock().unwrap_or_else(PoisonError::into_inner);
    if let State::Loading { import: Some(id) } = *state {
        run(app, &format!("window.location.replace('{}')", path_of_import(id)));
    }
    *state = State::Loaded;
}

/// Where the page shows the progress and the receipt of an import.
pub(crate) fn path_of_import(id: i64) -> String {
    format!("/imports/{id}")
}

/// Whether the page can be told anything yet.
#[derive(Default)]
pub(crate) struct Page(Mutex<State>);

enum State {
    /// The newest import since the window opened is the one to show.
    Loading {
        import: Option<i64>,
    },
    Loaded,
}

impl Default for State {
    fn default() -> Self {
        State::Loading { import: None }
    }
}

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
