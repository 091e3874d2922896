//! What has to be known about the screen before the first window toolkit call, and after the last.

use std::process::ExitCode;

use anyhow::Result;

/// Fails with a text for people where no window can be shown; without this check the toolkit would panic.
#[cfg(not(target_os = "linux"))]
pub(crate) fn prepare() -> Result<()> {
    Ok(())
}

/// Fails with a text for people where no window can be shown; without this check the toolkit would panic.
///
/// On a machine without a GPU this call starts the program anew, in the same process, with [`NO_DMABUF`] set.
#[cfg(target_os = "linux")]
pub(crate) fn prepare() -> Result<()> {
    if !has_gpu() && std::env::var_os(NO_DMABUF).is_none() {
        start_again_without_dmabuf();
    }
    gtk::init().map_err(|_| {
        anyhow::anyhow!(
            "There is no display to open a window on. On a machine without one, run `chatstats serve` \
             and open the address it prints in a browser."
        )
    })
}

/// Keeps WebKit from passing frames through GPU buffers. Where those are emulated, it saves a quarter of the memory
/// and most of the processor time.
#[cfg(target_os = "linux")]
const NO_DMABUF: &str = "WEBKIT_DISABLE_DMABUF_RENDERER";

#[cfg(target_os = "linux")]
fn has_gpu() -> bool {
    std::path::Path::new("/dev/dri").exists()
}

/// Replaces the running program by itself with the variable set; returns only if that fails.
///
/// Setting a variable in a running process is not safe once threads may read it, so it is set from outside. `exec` keeps
/// the process id: whoever started the program still holds the right one.
#[cfg(target_os = "linux")]
fn start_again_without_dmabuf() {
    use std::os::unix::process::CommandExt;

    let Ok(program) = std::env::current_exe() else {
        return;
    };
    let error = std::process::Command::new(program)
        .args(std::env::args_os().skip(1))
        .env(NO_DMABUF, "1")
        .exec();
    // Slower drawing is no reason not to start.
    eprintln!("chatstats-desktop: cannot start again with {NO_DMABUF}=1: {error}");
}

/// Ends the program that had a window toolkit; whatever has to be written must be written by now.
#[cfg(not(target_os = "linux"))]
pub(crate) fn leave(code: u8) -> ExitCode {
    ExitCode::from(code)
}

/// Ends the process at once; whatever has to be written must be written by now.
///
/// Libraries do not get to clean up. The toolkit leaves a thread behind that reads keys from the X server, and nothing ends it:
/// a key that is released while the libraries of X clean up made it crash.
#[cfg(target_os = "linux")]
pub(crate) fn leave(code: u8) -> ExitCode {
    signal_hook::low_level::exit(code.into())
}
