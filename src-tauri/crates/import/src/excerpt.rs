//! How something that was left out is shown on a receipt.

use chatstats_model::LeftOut;

/// Characters of the original that a receipt shows: enough to recognise the place in an editor.
const EXCERPT_CHARS: usize = 200;

/// A line of the receipt.
pub(crate) fn left_out(place: String, reason: impl Into<String>, original: &str) -> LeftOut {
    LeftOut {
        place,
        reason: reason.into(),
        excerpt: original.chars().take(EXCERPT_CHARS).collect(),
    }
}
