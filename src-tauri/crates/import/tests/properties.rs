//! What holds for all files: nothing is lost, nothing panics, and what is written comes back.

mod collect;

use chatstats_import::Options;
use chatstats_import::corpus::whatsapp::{STYLES, Style};
use chatstats_import::corpus::{conversation, telegram};
use chatstats_model::DateOrder;
use collect::{options, read_bytes};
use proptest::prelude::*;

/// 2010-01-01 to 2098-12-31: what two-digit years can say of WhatsApp's time.
const SECONDS: std::ops::Range<i64> = 1_262_304_000..4_070_908_800;

fn order(style: Style) -> DateOrder {
    match style {
        Style::IosUs | Style::AndroidUs => DateOrder::Mdy,
        Style::AndroidSwedish | Style::AndroidKorean => DateOrder::Ymd,
        _ => DateOrder::Dmy,
    }
}

fn text() -> impl Strategy<Value = String> {
    let line = "[^\r\n\u{200B}-\u{200F}\u{202A}-\u{202E}\u{2066}-\u{2069}\u{FEFF}\u{61C}]{0,40}";
    prop::collection::vec(line, 1..4).prop_map(|lines| lines.join("\n"))
}

/// Something between a chat and rubbish.
fn rubbish() -> impl Strategy<Value = Vec<u8>> {
    let header = (0..STYLES.len(), SECONDS).prop_map(|(style, seconds)| {
        let mut bytes = Vec::new();
        STYLES[style].write_header(seconds, &mut bytes).expect("memory");
        bytes
    });
    let piece = prop_oneof![
        3 => header,
        2 => Just(b"\n".to_vec()),
        1 => Just(b"Ann: ".to_vec()),
        1 => Just(b"[1/1/19, 1:1:1] : ".to_vec()),
        1 => "[0-9/.:, \\-\\[\\]apmAPM\u{200E}\u{202F}\u{660}-\u{669}]{0,24}".prop_map(String::into_bytes),
        1 => prop::collection::vec(1_u8.., 0..12),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_date_time_author_and_text_in_any_style_comes_back(
        style in 0..STYLES.len(),
        mut times in prop::collection::vec(SECONDS, 1..6),
        authors in prop::collection::vec("[\\p{L}\\p{N}🦊😀]{1,12}( [\\p{L}\\p{N}.'()+-]{1,12})?", 6),
        texts in prop::collection::vec(text(), 6),
    ) {
        times.sort_unstable();
        let style = STYLES[style];
        let mut bytes = Vec::new();
        for ((time, author), text) in times.iter().zip(&authors).zip(&texts) {
            style.write_header(*time, &mut bytes).expect("memory");
            bytes.extend_from_slice(format!("{author}: {text}\n").as_bytes());
        }
        let options = Options {
            date_order: Some(order(style)),
            source: Some("whatsapp".to_owned()),
            ..options()
        };
        let (got, outcome) = read_bytes("chat.txt", &bytes, &options);
        prop_assert!(outcome.is_ok());
        prop_assert_eq!(got.left_out.len(), 0);
        prop_assert_eq!(got.records.len(), times.len());
        let with_seconds = matches!(style, Style::IosUs | Style::IosGerman);
        for (((record, time), author), text) in got.records.iter().zip(&times).zip(&authors).zip(&texts) {
            let time = if with_seconds { *time } else { time - time % 60 };
            prop_assert_eq!(record.timestamp.as_micros() / 1_000_000, time);
            prop_assert_eq!(record.sender.as_ref().map(|sender| &sender.name), Some(author));
            prop_assert_eq!(&record.content, text);
        }
    }

    #[test]
    fn every_line_of_any_file_is_kept_or_listed(bytes in rubbish()) {
        prop_assume!(!bytes.starts_with(&[0xFF, 0xFE]) && !bytes.starts_with(&[0xFE, 0xFF]));
        let options = Options { source: Some("whatsapp".to_owned()), ..options() };
        let (got, outcome) = read_bytes("chat.txt", &bytes, &options);
        if outcome.is_ok() {
            let text = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
            let lines = text.split(|byte| *byte == b'\n').count();
            let in_records: usize = got.records.iter().map(|record| 1 + record.content.matches('\n').count()).sum();
            // Only empty lines before the first message are neither; 0xA0 is a space where a line is no UTF-8.
            let is_blank = |line: &&[u8]| {
                String::from_utf8_lossy(line).trim().is_empty()
                    || line.iter().all(|byte| *byte == 0xA0 || byte.is_ascii() && char::from(*byte).is_whitespace())
            };
            let first = if got.records.is_empty() { lines } else { lines - in_records };
            let blank = text
                .split(|byte| *byte == b'\n')
                .take(first)
                .filter(is_blank)
                .count();
            prop_assert_eq!(in_records + got.left_out.len() + blank, lines);
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        for source in [None, Some("whatsapp"), Some("telegram")] {
            let options = Options { source: source.map(str::to_owned), ..options() };
            let _either = read_bytes("file", &bytes, &options);
        }
    }

    #[test]
    fn a_telegram_export_cut_anywhere_gives_a_beginning_of_the_whole(cut in 0.0..1.0_f64, seed in 0_u64..1000) {
        let mut bytes = Vec::new();
        telegram::write_chat("x", conversation(seed).take(20), &mut bytes).expect("memory");
        let options = Options { source: Some("telegram".to_owned()), ..options() };
        let (whole, _) = read_bytes("result.json", &bytes, &options);
        let length = (bytes.len() as f64 * cut) as usize;
        let (part, outcome) = read_bytes("result.json", &bytes[..length], &options);
        prop_assert!(outcome.is_err());
        prop_assert!(whole.records.starts_with(&part.records));
    }

    #[test]
    fn a_telegram_export_with_any_byte_changed_gives_the_others_or_says_where_it_breaks(
        at in 0.2..1.0_f64,
        byte in any::<u8>(),
        seed in 0_u64..1000,
    ) {
        let mut bytes = Vec::new();
        telegram::write_chat("x", conversation(seed).take(20), &mut bytes).expect("memory");
        let options = Options { source: Some("telegram".to_owned()), ..options() };
        let (whole, _) = read_bytes("result.json", &bytes, &options);
        let at = (bytes.len() as f64 * at) as usize;
        bytes[at] = byte;
        let (got, outcome) = read_bytes("result.json", &bytes, &options);
        // A quote or a bracket can end a record early; then the rest is listed, or the file is said to be damaged.
        let same = got.records.iter().filter(|record| whole.records.contains(record)).count();
        prop_assert!(outcome.is_err() || same + got.left_out.len() + 2 >= whole.records.len());
    }
}
