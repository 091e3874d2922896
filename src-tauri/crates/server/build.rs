//! Makes a build of the pages (`ui/build`) part of the next build of the server.

use std::path::Path;

fn main() {
    let pages = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../ui/build");
    // Cargo watches only what exists: without the folder it would either never look again or build every time.
    // Where the sources are read-only there is nothing to watch for.
    let _ = std::fs::create_dir_all(&pages);
    println!("cargo::rerun-if-changed={}", pages.display());
}
