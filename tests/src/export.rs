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

/// A WhatsApp export of `conversations` stretches of `messages` messages each, hours apart, by Ann and Bob. Each stretch
/// begins with a promise of Ann's and goes on about something of its own, in English.
#[must_use]
pub fn whatsapp_conversations(conversations: usize, messages: usize) -> String {
    let mut text = String::with_capacity(conversations * messages * 64);
    for conversation in 0..conversations {
        // Eight a day, in months of 28 days; the year first, which can be read in one way only.
        let (day, hour) = (conversation / 8, conversation % 8 * 3);
        let (year, month, day) = (2010 + day / 336, 1 + day % 336 / 28, 1 + day % 28);
        for number in 0..messages {
            let (minute, second) = (number / 60, number % 60);
            let says = match number {
                0 => format!("Ann: I will send you the pictures of lake{conversation} tomorrow"),
                odd if odd % 2 == 1 => format!("Bob: lake{conversation} is great, I love the water there"),
                even => format!("Ann: and what did you think of the weather in part {even}?"),
            };
            // Writing to a string does not fail.
            let _ = writeln!(
                text,
                "[{year}-{month:02}-{day:02}, {hour:02}:{minute:02}:{second:02}] {says}"
            );
        }
    }
    text
}
