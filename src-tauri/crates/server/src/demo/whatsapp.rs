//! The demo's WhatsApp exports, in the Android style with the year first, which can be read in one way only.

use std::fmt::Write as _;

use super::talk::Line;

pub(super) fn export(lines: &[Line]) -> String {
    let mut out = String::new();
    if let Some(first) = lines.first() {
        let notice = "Messages and calls are end-to-end encrypted. Only people in this chat can read, listen to, or share them.";
        // Writing to a string cannot fail.
        let _ = writeln!(out, "{} - {notice}", first.at.strftime("%Y/%m/%d, %H:%M"));
    }
    for line in lines {
        let _ = writeln!(
            out,
            "{} - {}: {}",
            line.at.strftime("%Y/%m/%d, %H:%M"),
            line.sender,
            line.text
        );
    }
    out
}
