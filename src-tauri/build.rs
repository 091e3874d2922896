//! Bakes `tauri.conf.json` and, on Windows, the icon and manifest into the program.

fn main() {
    tauri_build::build();
}
