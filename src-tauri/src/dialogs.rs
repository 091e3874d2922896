//! The dialogs of the operating system: what went wrong, and which files to import.

use std::path::PathBuf;

use rfd::{AsyncFileDialog, FileHandle};
use tauri::{AppHandle, WebviewWindow};
use tokio::sync::oneshot;

/// Shows an error and waits until it is closed. Needs no window and no event loop, and must not be called inside one.
pub(crate) fn show_error(title: &str, text: &str) {
    system::show(&printable(title), &printable(text));
}

/// Shows an error while the window is open, without holding up whoever found it.
pub(crate) fn report(app: &AppHandle, title: &str, text: &str) {
    tauri::async_runtime::spawn(show_error_in_loop(app, title, text));
}

/// Shows an error while the window is open; the future ends when the person has closed it.
pub(crate) fn show_error_in_loop(
    app: &AppHandle,
    title: &str,
    text: &str,
) -> impl Future<Output = ()> + Send + 'static {
    let (title, text) = (printable(title), printable(text));
    let (closing, closed) = oneshot::channel();
    // Dialogs are made on the main thread, the only one that GTK and macOS allow.
    let queued = app.run_on_main_thread(move || system::show_in_loop(&title, &text, closing));
    async move {
        if queued.is_err() || closed.await.is_err() {
            tracing::warn!("an error went unseen: the program is ending");
        }
    }
}

/// Lets the person pick export files; empty if they changed their mind. Call it on the main thread.
///
/// All files are offered: formats are recognised by content, not by name.
pub(crate) fn pick_files(window: &WebviewWindow) -> impl Future<Output = Vec<PathBuf>> + Send + 'static {
    let picking = AsyncFileDialog::new()
        .set_parent(window)
        .set_title("Import chat exports")
        .pick_files();
    async move { paths(picking.await) }
}

/// Lets the person pick folders that hold an export; empty if they changed their mind. Call it on the main thread.
pub(crate) fn pick_folders(window: &WebviewWindow) -> impl Future<Output = Vec<PathBuf>> + Send + 'static {
    let picking = AsyncFileDialog::new()
        .set_parent(window)
        .set_title("Import a folder")
        .pick_folders();
    async move { paths(picking.await) }
}

fn paths(picked: Option<Vec<FileHandle>>) -> Vec<PathBuf> {
    picked
        .unwrap_or_default()
        .into_iter()
        .map(PathBuf::from)
        .collect()
}

/// A text without NUL, which would end the program where the toolkit makes a C string of it.
fn printable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// Error dialogs by GTK itself. rfd 0.17 runs its own on a second thread, which waits for ever while the main thread
/// shows no window yet, and hands the text to GTK as a format string.
#[cfg(target_os = "linux")]
mod system {
    use std::cell::RefCell;

    use gtk::prelude::{DialogExt, GtkWindowExt, WidgetExt};
    use tokio::sync::oneshot;

    pub(super) fn show(title: &str, text: &str) {
        let dialog = error(title, text);
        dialog.run();
        dialog.close();
    }

    pub(super) fn show_in_loop(title: &str, text: &str, closing: oneshot::Sender<()>) {
        let closing = RefCell::new(Some(closing));
        let dialog = error(title, text);
        dialog.connect_response(move |dialog, _| {
            dialog.close();
            if let Some(closing) = closing.take() {
                // Nobody may be waiting: the dialog was only to be seen.
                let _ = closing.send(());
            }
        });
        dialog.show();
    }

    fn error(title: &str, text: &str) -> gtk::MessageDialog {
        gtk::MessageDialog::builder()
            .title("ChatStats")
            .message_type(gtk::MessageType::Error)
            .buttons(gtk::ButtonsType::Close)
            .text(title)
            .secondary_text(text)
            .window_position(gtk::WindowPosition::Center)
            .build()
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use rfd::{AsyncMessageDialog, MessageDialog, MessageLevel};
    use tokio::sync::oneshot;

    pub(super) fn show(title: &str, text: &str) {
        MessageDialog::new()
            .set_level(MessageLevel::Error)
            .set_title(title)
            .set_description(text)
            .show();
    }

    pub(super) fn show_in_loop(title: &str, text: &str, closing: oneshot::Sender<()>) {
        let dialog = AsyncMessageDialog::new()
            .set_level(MessageLevel::Error)
            .set_title(title)
            .set_description(text)
            .show();
        tauri::async_runtime::spawn(async move {
            dialog.await;
            // Nobody may be waiting: the dialog was only to be seen.
            let _ = closing.send(());
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_ends_early_in_the_toolkit() {
        assert_eq!(printable("a\0b"), "a\u{fffd}b");
    }
}
