//! Exports to import.

use std::fmt::Write;

/// A WhatsApp export of `messages` messages by three people, each of them different, some seconds apart.
/// The texts are `word 0`, `word 1` and so on.
#[must_use]
pub fn whatsapp_export(word: &str, messages: usize) -> String {
    let mut text = String::with_capacity(messages * 48);
    for number in 0..messages {
        let author = ["Ann", "Bob", "Cem"][number % 3];
        // Fifteen seconds apart, in months of 28 days; the year first, which can be read in one way only.
        let second = number * 15;
        let (day, hour) = (second / 86_400, second / 3_600 % 24);
        let (year, month, day) = (2020 + day / 336, 1 + day % 336 / 28, 1 + day % 28);
        let (minute, second) = (second / 60 % 60, second % 60);
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "[{year}-{month:02}-{day:02}, {hour:02}:{minute:02}:{second:02}] {author}: {word} {number}"
        );
    }
    text
}
