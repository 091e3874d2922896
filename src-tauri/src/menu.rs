//! The native menu: what it holds and what its items do.

use std::sync::{Mutex, PoisonError};

use tauri::menu::{AboutMetadata, Menu, MenuBuilder, MenuEvent, MenuItem, Submenu, SubmenuBuilder};
use tauri::{AppHandle, Manager, WebviewWindow};

use crate::server::Server;
use crate::{dialogs, editing, intake, window};

/// The menu bar, in the order each system expects.
pub(crate) fn build(app: &AppHandle) -> tauri::Result<Menu<tauri::Wry>> {
    let menu = MenuBuilder::new(app);
    #[cfg(target_os = "macos")]
    let menu = menu.item(&application(app)?);
    menu.items(&[&file(app)?, &editing::menu(app)?, &view(app)?, &help(app)?])
        .build()
}

/// Does what the chosen item says. Runs on the main thread.
pub(crate) fn chosen(app: &AppHandle, event: MenuEvent) {
    let Some(window) = window::main(app) else { return };
    let outcome = match event.id().as_ref() {
        "import-files" => import_picked(app, dialogs::pick_files(&window)),
        "import-folder" => import_picked(app, dialogs::pick_folders(&window)),
        "open-in-browser" => open_in_browser(app),
        "quit" => {
            app.exit(0);
            Ok(())
        }
        "reload" => window.reload(),
        "zoom-in" => zoom(app, &window, |factor| factor * ZOOM_STEP),
        "zoom-out" => zoom(app, &window, |factor| factor / ZOOM_STEP),
        "zoom-reset" => zoom(app, &window, |_| 1.0),
        "full-screen" => window
            .is_fullscreen()
            .and_then(|full| window.set_fullscreen(!full)),
        other => editing::chosen(&window, other),
    };
    if let Err(error) = outcome {
        tracing::warn!(%error, item = event.id().as_ref(), "a menu item did nothing");
    }
}

/// How much larger than designed the page is drawn.
pub(crate) struct Zoom(Mutex<f64>);

impl Default for Zoom {
    fn default() -> Self {
        Zoom(Mutex::new(1.0))
    }
}

/// Browsers step by about this much.
const ZOOM_STEP: f64 = 1.1;
/// Smaller is unreadable, larger leaves no room for a line of text in the smallest window.
const ZOOM_RANGE: (f64, f64) = (0.5, 3.0);

#[cfg(target_os = "macos")]
fn application(app: &AppHandle) -> tauri::Result<Submenu<tauri::Wry>> {
    SubmenuBuilder::new(app, "ChatStats")
        .about(Some(about()))
        .separator()
        .services()
        .separator()
        .hide()
        .hide_others()
        .show_all()
        .separator()
        .item(&item(app, "quit", "Quit ChatStats", Some("Cmd+Q"))?)
        .build()
}

fn file(app: &AppHandle) -> tauri::Result<Submenu<tauri::Wry>> {
    let file = SubmenuBuilder::new(app, "&File")
        .item(&item(app, "import-files", "&Import…", Some("CmdOrCtrl+O"))?)
        .item(&item(
            app,
            "import-folder",
            "Import &Folder…",
            Some("CmdOrCtrl+Shift+O"),
        )?)
        .separator()
        .item(&item(app, "open-in-browser", "Open in &Browser", None)?);
    #[cfg(target_os = "macos")]
    let file = file.separator().close_window();
    #[cfg(not(target_os = "macos"))]
    let file = file
        .separator()
        .item(&item(app, "quit", "&Quit", Some("Ctrl+Q"))?);
    file.build()
}

fn view(app: &AppHandle) -> tauri::Result<Submenu<tauri::Wry>> {
    let full_screen_key = if cfg!(target_os = "macos") {
        "Ctrl+Cmd+F"
    } else {
        "F11"
    };
    SubmenuBuilder::new(app, "&View")
        .item(&item(app, "reload", "&Reload", Some("CmdOrCtrl+R"))?)
        .separator()
        .item(&item(app, "zoom-in", "Zoom &In", Some("CmdOrCtrl+="))?)
        .item(&item(app, "zoom-out", "Zoom &Out", Some("CmdOrCtrl+-"))?)
        .item(&item(app, "zoom-reset", "&Actual Size", Some("CmdOrCtrl+0"))?)
        .separator()
        .item(&item(app, "full-screen", "&Full Screen", Some(full_screen_key))?)
        .build()
}

fn help(app: &AppHandle) -> tauri::Result<Submenu<tauri::Wry>> {
    SubmenuBuilder::new(app, "&Help")
        .about_with_text("&About ChatStats", Some(about()))
        .build()
}

fn about() -> AboutMetadata<'static> {
    AboutMetadata {
        name: Some("ChatStats".to_owned()),
        version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        comments: Some("Your chats, read and counted on your own machine.".to_owned()),
        license: Some("MIT".to_owned()),
        ..AboutMetadata::default()
    }
}

/// One item, with its keys if it has any.
pub(crate) fn item(
    app: &AppHandle,
    id: &str,
    text: &str,
    keys: Option<&str>,
) -> tauri::Result<MenuItem<tauri::Wry>> {
    MenuItem::with_id(app, id, text, true, keys)
}

fn import_picked(
    app: &AppHandle,
    picked: impl Future<Output = Vec<std::path::PathBuf>> + Send + 'static,
) -> tauri::Result<()> {
    let app = app.clone();
    // Ends when the dialog is closed, and every dialog closes with the program.
    tauri::async_runtime::spawn(async move { intake::import(&app, picked.await) });
    Ok(())
}

fn open_in_browser(app: &AppHandle) -> tauri::Result<()> {
    Ok(open::that_detached(app.state::<Server>().entry_url())?)
}

fn zoom(app: &AppHandle, window: &WebviewWindow, change: impl Fn(f64) -> f64) -> tauri::Result<()> {
    let state = app.state::<Zoom>();
    let mut factor = state.0.lock().unwrap_or_else(PoisonError::into_inner);
    *factor = change(*factor).clamp(ZOOM_RANGE.0, ZOOM_RANGE.1);
    window.set_zoom(*factor)
}
