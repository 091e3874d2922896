//! Words for the part of the day: AM and PM, in the writing of each language.

use super::cursor::is_mark;

/// What a word beside a time says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DayPart {
    /// There is no word.
    None,
    /// Before noon.
    Am,
    /// After noon.
    Pm,
    /// Around noon: 11 is before, 1 is after it.
    Noon,
    /// A word that is not in the table, by its hash. What it means shows in the order of the file.
    Unknown(u32),
}

/// Without dots, spaces and marks, in small letters. From the Unicode CLDR's day periods, and what is seen in exports.
const AM: &[&str] = &[
    "am",
    "上午",
    "凌晨",
    "清晨",
    "早上",
    "오전",
    "午前",
    "ص",
    "قظ",
    "قبلازظهر",
    "قبلدوپہر",
    "לפנה״צ",
    "לפנהצ",
    "πμ",
    "öö",
    "ap",
    "fm",
    "de",
    "dop",
    "vm",
    "дп",
    "sa",
    "pg",
    "проб",
    "to",
    "पूर्वाह्न",
    "मपू",
    "ਪੂਦੁ",
    "ಪೂರ್ವಾಹ್ನ",
    "முற்பகல்",
    "ก่อนเที่ยง",
];
const PM: &[&str] = &[
    "pm",
    "下午",
    "傍晚",
    "晚上",
    "半夜",
    "오후",
    "午後",
    "م",
    "بظ",
    "بعدازظهر",
    "بعددوپہر",
    "אחה״צ",
    "אחהצ",
    "μμ",
    "ös",
    "ip",
    "em",
    "du",
    "odp",
    "pop",
    "nm",
    "пп",
    "ch",
    "ptg",
    "слоб",
    "tk",
    "अपराह्न",
    "मउ",
    "ਬਾਦੁ",
    "ಅಪರಾಹ್ನ",
    "பிற்பகல்",
    "หลังเที่ยง",
];
const NOON: &[&str] = &["中午"];

/// What `words` beside a time say.
pub(super) fn of(words: &str) -> DayPart {
    match words {
        "" | " " | ", " => return DayPart::None,
        " AM" | " AM " | "\u{202F}AM" | "\u{202F}AM " | " am " => return DayPart::Am,
        " PM" | " PM " | "\u{202F}PM" | "\u{202F}PM " | " pm " => return DayPart::Pm,
        _ => {}
    }
    let letter =
        |c: &char| !(c.is_whitespace() || is_mark(*c) || matches!(c, '.' | ',' | '،' | '、' | '日' | '일'));
    let word: String = words
        .chars()
        .filter(letter)
        .flat_map(char::to_lowercase)
        .collect();
    match word.as_str() {
        "" => DayPart::None,
        word if AM.contains(&word) => DayPart::Am,
        word if PM.contains(&word) => DayPart::Pm,
        word if NOON.contains(&word) => DayPart::Noon,
        word => DayPart::Unknown(hash(word)),
    }
}

/// The hour of the day, 0 to 23. Some systems put AM and PM after times of 24 hours: those are right as they stand.
pub(super) fn hour(hour: u8, part: DayPart) -> u8 {
    match (part, hour) {
        (_, 24) | (DayPart::Am, 12) => 0,
        (DayPart::Pm, 0..12) | (DayPart::Noon, 0..5) => hour + 12,
        _ => hour,
    }
}

/// FNV-1a; never zero, which stands for no word.
fn hash(word: &str) -> u32 {
    let hash = word.bytes().fold(0x811C_9DC5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    hash.max(1)
}
