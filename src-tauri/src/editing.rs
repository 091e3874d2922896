//! The Edit menu. Only Linux needs code: elsewhere the system's own items work on whatever has the focus.

use tauri::menu::{Submenu, SubmenuBuilder};
use tauri::{AppHandle, WebviewWindow};

/// Undo to Select All, by the system's own items; macOS needs them for the keys to work in the page.
#[cfg(not(target_os = "linux"))]
pub(crate) fn menu(app: &AppHandle) -> tauri::Result<Submenu<tauri::Wry>> {
    SubmenuBuilder::new(app, "&Edit")
        .undo()
        .redo()
        .separator()
        .cut()
        .copy()
        .paste()
        .select_all()
        .build()
}

/// Does nothing: the system handles its own items.
#[cfg(not(target_os = "linux"))]
pub(crate) fn chosen(_: &WebviewWindow, _: &str) -> tauri::Result<()> {
    Ok(())
}

/// Undo to Select All. The ready-made items press keys through X11, which Wayland does not have; these ask WebKit.
///
/// They carry no keys: WebKit handles them in the page, and a key in the menu would take them away from it.
#[cfg(target_os = "linux")]
pub(crate) fn menu(app: &AppHandle) -> tauri::Result<Submenu<tauri::Wry>> {
    let mut edit = SubmenuBuilder::new(app, "&Edit");
    for (command, text) in COMMANDS {
        edit = edit.item(&crate::menu::item(app, command, text, None)?);
    }
    edit.build()
}

/// WebKit's names for its editing commands, and ours for people.
#[cfg(target_os = "linux")]
const COMMANDS: [(&str, &str); 6] = [
    ("Undo", "&Undo"),
    ("Redo", "&Redo"),
    ("Cut", "Cu&t"),
    ("Copy", "&Copy"),
    ("Paste", "&Paste"),
    ("SelectAll", "Select &All"),
];

/// Has WebKit edit, if `id` is one of its commands.
#[cfg(target_os = "linux")]
pub(crate) fn chosen(window: &WebviewWindow, id: &str) -> tauri::Result<()> {
    use webkit2gtk::WebViewExt;

    let Some((command, _)) = COMMANDS.iter().find(|(command, _)| *command == id) else {
        return Ok(());
    };
    window.with_webview(move |webview| webview.inner().execute_editing_command(command))
}
