//! The one window, and the wall around the page in it: only the program's own pages open here.

use anyhow::{Context, Result};
use tauri::webview::{NewWindowResponse, PageLoadEvent};
use tauri::{
    AppHandle, DragDropEvent, Manager, Url, WebviewUrl, WebviewWindow, WebviewWindowBuilder, WindowEvent,
};

use crate::intake;
use crate::page::{self, Event};

/// Opens the window at `entry_url`, the server's address with its token; on the page of `import` if there is one.
///
/// # Errors
///
/// The address does not parse, or the system refuses a window.
pub(crate) fn open(app: &tauri::App, entry_url: &str, import: Option<i64>) -> Result<()> {
    let mut entry: Url = entry_url.parse().context("read the server's own address")?;
    if let Some(id) = import {
        entry.set_path(&page::path_of_import(id));
    }
    let home = entry.origin();
    let window = WebviewWindowBuilder::new(app, LABEL, WebviewUrl::External(entry))
        .title("ChatStats")
        .inner_size(1180.0, 760.0)
        .min_inner_size(480.0, 400.0)
        .on_navigation(move |url| url.origin() == home || leave_to_browser(url))
        // A page's `target="_blank"` must not open a bare window without menu and guard.
        .on_new_window(|url, _| {
            leave_to_browser(&url);
            NewWindowResponse::Deny
        })
        .on_page_load(|window, load| {
            if load.event() == PageLoadEvent::Finished {
                page::loaded(window.app_handle());
            }
        })
        .build()
        .context("open the window")?;
    let app = app.handle().clone();
    window.on_window_event(move |event| dropped(&app, event));
    Ok(())
}

/// The window, unless it has been closed.
pub(crate) fn main(app: &AppHandle) -> Option<WebviewWindow> {
    app.get_webview_window(LABEL)
}

/// Puts the window before all others, also if it was minimised.
pub(crate) fn bring_forward(app: &AppHandle) {
    let Some(window) = main(app) else { return };
    let moved = window
        .unminimize()
        .and_then(|()| window.show())
        .and_then(|()| window.set_focus());
    if let Err(error) = moved {
        tracing::warn!(%error, "the window could not come forward");
    }
}

const LABEL: &str = "main";

/// Opens a link outside, and says that it does not open inside.
///
/// Messages hold links that others wrote, so only what a browser or a mail program expects goes out: `file:` or a custom
/// scheme could start anything.
fn leave_to_browser(url: &Url) -> bool {
    if may_leave(url) {
        if let Err(error) = open::that_detached(url.as_str()) {
            tracing::warn!(%error, "the system opened no browser");
        }
    } else {
        // The address itself is somebody's message; the scheme says enough.
        tracing::warn!(scheme = url.scheme(), "a link was not opened");
    }
    false
}

fn may_leave(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https" | "mailto")
}

fn dropped(app: &AppHandle, event: &WindowEvent) {
    let WindowEvent::DragDrop(drag) = event else {
        return;
    };
    match drag {
        DragDropEvent::Enter { .. } => page::tell(app, Event::Drag { over: true }),
        DragDropEvent::Leave => page::tell(app, Event::Drag { over: false }),
        DragDropEvent::Drop { paths, .. } => {
            page::tell(app, Event::Drag { over: false });
            intake::import(app, paths.clone());
        }
        // `Over` comes with every move of the pointer and says nothing new.
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_web_and_mail_links_leave_for_other_programs() {
        for (url, leaves) in [
            ("https://example.org/a?b=c", true),
            ("http://example.org/", true),
            ("mailto:ada@example.org", true),
            ("file:///etc/passwd", false),
            ("javascript:alert(1)", false),
            ("vscode://open?url=x", false),
        ] {
            assert_eq!(
                may_leave(&url.parse().expect("a literal address")),
                leaves,
                "{url}"
            );
        }
    }
}
