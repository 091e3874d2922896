use std::io;

use tauri::AppHandle;
use tokio::runtime::Runtime;

/// Ends the program the way closing its window does when the system or a person asks from outside: SIGTERM, SIGINT, Ctrl-C.
///
/// Once this returns, no such request is lost. Until then they end the process at once, which harms no data.
///
/// # Errors
///
/// The operating system refuses.
pub(crate) fn leave_when_asked(runtime: &Runtime, app: &AppHandle) -> io::Result<()> {
    let asked = runtime.block_on(async { asked_to_leave() })?;
    let app = app.clone();
    runtime.spawn(async move {
        asked.await;
        app.exit(0);
    });
    Ok(())
}

#[cfg(unix)]
fn asked_to_leave() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

#[cfg(windows)]
fn asked_to_leave() -> io::Result<impl Future<Output = ()>> {
    let mut interrupt = tokio::signal::windows::ctrl_c()?;
    Ok(async move {
        interrupt.recv().await;
    })
}
