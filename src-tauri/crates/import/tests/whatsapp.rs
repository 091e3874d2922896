//! WhatsApp's text format: every way to write a header that is known, and what stands behind it.

mod collect;

use chatstats_import::{ImportError, Options, Record};
use chatstats_model::{DateOrder, Kind};
use collect::{Collected, options, read_bytes};

fn read(text: &str) -> Collected {
    let (collected, outcome) = read_bytes("_chat.txt", text.as_bytes(), &options());
    outcome.expect("a chat");
    collected
}

fn notes(text: &str, options: &Options) -> Vec<String> {
    read_bytes("_chat.txt", text.as_bytes(), options)
        .1
        .expect("a chat")
        .notes
}

fn author(record: &Record) -> Option<&str> {
    record.sender.as_ref().map(|sender| sender.name.as_str())
}

fn times(records: &[Record]) -> Vec<String> {
    records
        .iter()
        .map(|record| record.timestamp.to_string())
        .collect()
}

/// Two headers of one style, for 2019-01-30T20:49 (and perhaps 12 seconds) and 2019-02-01T00:08.
const STYLES: &[(&str, &str)] = &[
    ("[1/30/19, 8:49:12 PM] ", "[2/1/19, 12:08:00 AM] "),
    ("[1/30/19, 8:49:12\u{202F}PM] ", "[2/1/19, 12:08:00\u{202F}AM] "),
    ("\u{200E}[30.01.19, 20:49:12] ", "[01.02.19, 00:08:00] "),
    ("[\u{200E}30/1/2019, 20:49:12] ", "[\u{200E}1/2/2019, 0:08:00] "),
    ("\u{FEFF}[30/01/2019 20:49] ", "[01/02/2019 00:08] "),
    ("[2019-01-30, 8:49:12 p.m.] ", "[2019-02-01, 12:08:00 a.m.] "),
    ("[2019/1/30 下午8:49:12] ", "[2019/2/1 上午12:08:00] "),
    ("[2019-01-30 20 h 49 min 12 s] ", "[2019-02-01 00 h 08 min 00 s] "),
    ("[30.1.2019 klo 20.49.12] ", "[1.2.2019 klo 0.08.00] "),
    ("[30.01.19 kl. 20.49.12] ", "[01.02.19 kl. 00.08.00] "),
    ("[30/01/2019 à 20:49:12] ", "[01/02/2019 à 00:08:00] "),
    ("[30‏/1‏/2019، 8:49:12 م] ", "[1‏/2‏/2019، 12:08:00 ص] "),
    ("1/30/19, 8:49 PM - ", "2/1/19, 12:08 AM - "),
    ("1/30/19, 8:49\u{202F}PM - ", "2/1/19, 12:08\u{202F}AM - "),
    ("1/30/19, 8:49:12 PM – ", "2/1/19, 12:08:00 AM – "),
    ("30/01/19, 8:49 pm - ", "01/02/19, 12:08 am - "),
    ("30/1/2019, 8:49 p. m. - ", "1/2/2019, 12:08 a. m. - "),
    ("30/1/2019, 8:49 p.\u{A0}m. - ", "1/2/2019, 12:08 a.\u{A0}m. - "),
    ("01/30/2019, 08:49 p. m. - ", "02/01/2019, 00:08 a. m. - "),
    ("30/01/2019, 20:49 PM - ", "01/02/2019, 00:08 AM - "),
    ("30.01.19, 20:49 - ", "01.02.19, 00:08 - "),
    ("30.1.2019 klo 20.49 - ", "1.2.2019 klo 0.08 - "),
    ("30/01/2019 à 20:49 - ", "01/02/2019 à 00:08 - "),
    ("30/01/2019 às 20:49 - ", "01/02/2019 às 00:08 - "),
    ("30.01.19 um 20:49 - ", "01.02.19 um 00:08 - "),
    ("30-01-2019 20:49 - ", "01-02-2019 00:08 - "),
    ("30.1.19 г., 20:49 ч. - ", "1.2.19 г., 00:08 ч. - "),
    ("30. 1. 2019 20:49 - ", "1. 2. 2019 0:08 - "),
    ("2019. 01. 30. 20:49 - ", "2019. 02. 01. 0:08 - "),
    ("2019. 1. 30. 오후 8:49 - ", "2019. 2. 1. 오전 12:08 - "),
    ("2019年1月30日 20:49 - ", "2019年2月1日 0:08 - "),
    ("2019-01-30 20:49 - ", "2019-02-01 00:08 - "),
    ("2019/01/30, 20:49 - ", "2019/02/01, 00:08 - "),
    ("2019-01-30 20 h 49 - ", "2019-02-01 00 h 08 - "),
    ("30/1/2562 20:49 - ", "1/2/2562 00:08 - "),
    ("٣٠‏/١‏/٢٠١٩، ٨:٤٩ م - ", "١‏/٢‏/٢٠١٩، ١٢:٠٨ ص - "),
    ("३०/१/१९, ८:४९ pm - ", "१/२/१९, १२:०८ am - "),
    ("۳۰/۰۱/۲۰۱۹، ۲۰:۴۹ - ", "۰۱/۰۲/۲۰۱۹، ۰۰:۰۸ - "),
    ("30.1.2019 20:49 – ", "1.2.2019 0:08 – "),
];

#[test]
fn every_known_header_is_read() {
    for (first, second) in STYLES {
        let text = format!("{first}Ann: one\ntwo\n{second}Bob Lee: three: four\n{second}Ann joined\n");
        let got = read(&text);
        let first_time = if got.records[0].timestamp.to_string().ends_with(":12Z") {
            "2019-01-30T20:49:12Z"
        } else {
            "2019-01-30T20:49:00Z"
        };
        let second_time = "2019-02-01T00:08:00Z";
        assert_eq!(
            times(&got.records),
            [first_time, second_time, second_time],
            "{first}"
        );
        let contents: Vec<&str> = got.records.iter().map(|record| record.content.as_str()).collect();
        assert_eq!(contents, ["one\ntwo", "three: four", "Ann joined"], "{first}");
        let authors: Vec<_> = got.records.iter().map(author).collect();
        assert_eq!(authors, [Some("Ann"), Some("Bob Lee"), None], "{first}");
        assert!(got.left_out.is_empty(), "{first}");
    }
}

#[test]
fn unknown_words_for_the_parts_of_the_day_are_told_by_the_order_of_the_file() {
    let got = read(
        "30/1/2019, 8:00 foo - A: a\n30/1/2019, 1:00 bar - A: b\n31/1/2019, 9:00 foo - A: c\n31/1/2019, 12:30 bar - A: d\n",
    );
    let want = [
        "2019-01-30T08:00:00Z",
        "2019-01-30T13:00:00Z",
        "2019-01-31T09:00:00Z",
        "2019-01-31T12:30:00Z",
    ];
    assert_eq!(times(&got.records), want);
}

#[test]
fn lines_of_another_shape_are_text_and_the_receipt_says_so() {
    let text = "[17.9.2019, 16:37:47] Ann: one\n[1.9.19, 00:00:00] Bob: quoted\n2/11/19: Arrival\n\n[17.09.2019, 16:38:06] Bob: x\n";
    let got = read(text);
    assert_eq!(got.records.len(), 2);
    assert_eq!(
        got.records[0].content,
        "one\n[1.9.19, 00:00:00] Bob: quoted\n2/11/19: Arrival\n"
    );
    let notes = notes(text, &options());
    assert!(notes[0].contains("line 2"), "{notes:?}");
}

#[test]
fn a_header_with_an_impossible_date_is_text() {
    let got = read("30.01.2019, 20:49 - A: a\n31.02.2019, 20:49 - A: b\n01.03.2019, 10:00 - A: c\n");
    assert_eq!(got.records.len(), 2);
    assert_eq!(got.records[0].content, "a\n31.02.2019, 20:49 - A: b");
}

#[test]
fn what_is_before_the_first_header_is_listed() {
    let got = read("\nThis is my chat\n30.01.2019, 20:49 - A: a\n");
    assert_eq!(got.records.len(), 1);
    assert_eq!(got.left_out.len(), 1);
    assert_eq!(
        (got.left_out[0].place.as_str(), got.left_out[0].excerpt.as_str()),
        ("line 2", "This is my chat")
    );
}

#[test]
fn the_order_of_dates_is_told_by_the_whole_file() {
    let order = |lines: &[&str]| {
        let text: String = lines
            .iter()
            .map(|date| format!("{date}, 20:49 - A: a\n"))
            .collect();
        let notes = notes(&text, &options());
        (times(&read(&text).records)[0][..10].to_owned(), notes.len())
    };
    // A day above 12, in the last line.
    assert_eq!(
        order(&["03/04/19", "04/04/19", "13/04/19"]),
        ("2019-04-03".to_owned(), 0)
    );
    assert_eq!(
        order(&["03/04/19", "03/05/19", "03/13/19"]),
        ("2019-03-04".to_owned(), 0)
    );
    // Only one reading never goes back.
    assert_eq!(
        order(&["10/02/19", "05/03/19", "01/04/19"]),
        ("2019-02-10".to_owned(), 0)
    );
    // Days that follow one another.
    assert_eq!(
        order(&["3/4/19", "3/5/19", "3/6/19", "3/7/19"]),
        ("2019-03-04".to_owned(), 0)
    );
    // Nothing tells: the usual, and a note.
    assert_eq!(order(&["3/4/19"]), ("2019-04-03".to_owned(), 1));
    // Both readings are the same day.
    assert_eq!(order(&["5/5/19"]), ("2019-05-05".to_owned(), 0));
}

#[test]
fn the_order_that_is_asked_for_holds_where_the_file_allows_it() {
    let asked = |text: &str, order| {
        let options = Options {
            date_order: Some(order),
            ..options()
        };
        let (got, outcome) = read_bytes("_chat.txt", text.as_bytes(), &options);
        (
            times(&got.records)[0][..10].to_owned(),
            outcome.expect("a chat").notes.len(),
        )
    };
    let open = "3/4/19, 20:49 - A: a\n";
    assert_eq!(asked(open, DateOrder::Mdy), ("2019-03-04".to_owned(), 0));
    assert_eq!(asked(open, DateOrder::Dmy), ("2019-04-03".to_owned(), 0));
    assert_eq!(
        asked("13/4/19, 20:49 - A: a\n", DateOrder::Mdy),
        ("2019-04-13".to_owned(), 1)
    );
}

#[test]
fn names_hold_colons_and_lines_of_the_app_have_no_author() {
    let mut text = String::new();
    for hour in 10..22 {
        text += &format!(
            "30.01.2019, {hour}:00 - Mum: work: hello\n30.01.2019, {hour}:01 - Ann: at {hour}: this\n"
        );
    }
    text += "30.01.2019, 22:00 - Ann changed the subject from \"x: y\" to \"a: b\"\n";
    text += "30.01.2019, 22:01 - Ann changed the description to this: nothing\n";
    text += "30.01.2019, 22:02 - Mum: work left\n";
    text += "30.01.2019, 22:03 - Ann:.\n";
    text += "30.01.2019, 22:04 - Ann:\nbelow\n";
    text += "30.01.2019, 22:05 - Eve “the cat”: hi\n";
    let got = read(&text);
    let seen: Vec<_> = got
        .records
        .iter()
        .map(|record| (author(record), record.content.as_str()))
        .collect();
    assert_eq!(
        seen[..2],
        [(Some("Mum: work"), "hello"), (Some("Ann"), "at 10: this")]
    );
    assert_eq!(
        seen[24..],
        [
            (None, "Ann changed the subject from \"x: y\" to \"a: b\""),
            (None, "Ann changed the description to this: nothing"),
            (None, "Mum: work left"),
            (None, "Ann:."),
            (Some("Ann"), "\nbelow"),
            (Some("Eve “the cat”"), "hi"),
        ]
    );
    let system = got
        .records
        .iter()
        .filter(|record| record.kind == Kind::System)
        .count();
    assert_eq!(system, 4);
}

#[test]
fn placeholders_tell_what_a_message_is_and_stay_its_text() {
    for (text, kind, name) in [
        ("<Media omitted>", Kind::Media, None),
        ("<Medien ausgeschlossen>", Kind::Media, None),
        ("<Без медиафайлов>", Kind::Media, None),
        ("\u{200E}image omitted", Kind::Media, None),
        ("\u{200E}imagen omitida", Kind::Media, None),
        (
            "IMG-20200101-WA0001.jpg (file attached)",
            Kind::Media,
            Some("IMG-20200101-WA0001.jpg"),
        ),
        (
            "IMG-20200101-WA0001.jpg (irgendwas)\nlook",
            Kind::Media,
            Some("IMG-20200101-WA0001.jpg"),
        ),
        (
            "\u{200E}My plan.pdf (Datei angehängt)",
            Kind::Media,
            Some("My plan.pdf"),
        ),
        (
            "\u{200E}<attached: 00000012-PHOTO-2020-01-01.jpg>",
            Kind::Media,
            Some("00000012-PHOTO-2020-01-01.jpg"),
        ),
        (
            "so nice \u{200E}<Anhang: 1-AUDIO.opus>",
            Kind::Media,
            Some("1-AUDIO.opus"),
        ),
        (
            "plan.pdf • \u{200E}12 pages \u{200E}document omitted",
            Kind::Media,
            Some("plan.pdf"),
        ),
        ("This message was deleted", Kind::Deleted, None),
        ("\u{200E}You deleted this message.", Kind::Deleted, None),
        ("Diese Nachricht wurde gelöscht.", Kind::Deleted, None),
        ("\u{200E}Missed voice call", Kind::Call, None),
        ("location: https://maps.google.com/?q=1.5,2.5", Kind::Other, None),
        ("see draft.pdf (old)", Kind::Text, None),
        ("<3", Kind::Text, None),
        ("<b>bold</b>", Kind::Text, None),
        ("if a <x and y> b", Kind::Text, None),
        ("hello \u{200E}<This message was edited>", Kind::Text, None),
        (
            "\u{200E}Messages and calls are end-to-end encrypted.",
            Kind::System,
            None,
        ),
    ] {
        let got = read(&format!(
            "[30.01.2019, 20:49:00] Ann: {text}\n[30.01.2019, 20:50:00] Bob: x\n"
        ));
        let record = &got.records[0];
        assert_eq!((record.kind, record.content.as_str()), (kind, text));
        assert_eq!(
            record.attachments.first().and_then(|a| a.name.as_deref()),
            name,
            "{text}"
        );
        assert_eq!(
            record.attachments.is_empty(),
            !matches!(kind, Kind::Media | Kind::Other),
            "{text}"
        );
    }
}

#[test]
fn line_ends_belong_to_the_file_and_line_breaks_to_the_text() {
    let got = read("[30.01.2019, 20:49:00] A: a\r\nb\n\nc \r\n[30.01.2019, 20:50:00] A:  d  \r\n");
    let contents: Vec<_> = got.records.iter().map(|record| record.content.as_str()).collect();
    assert_eq!(contents, ["a\nb\n\nc ", " d  "]);
}

#[test]
fn a_message_beyond_the_limit_is_cut_and_the_rest_is_listed() {
    let text = format!(
        "30.01.2019, 20:49 - A: {}\nmore\n30.01.2019, 20:50 - B: end\n",
        "é".repeat(1 << 20)
    );
    let got = read(&text);
    assert_eq!(got.records.len(), 2);
    assert_eq!(got.records[0].content.len(), 1 << 20);
    assert_eq!(got.records[1].content, "end");
    assert_eq!(got.left_out.len(), 1);
    assert!(
        got.left_out[0].reason.contains(&((1 << 20) + 5).to_string()),
        "{:?}",
        got.left_out[0]
    );
}

#[test]
fn the_user_is_known_by_name_or_by_the_name_of_the_file() {
    let text = "30.01.2019, 20:49 - Ann: a\n30.01.2019, 20:50 - Bob: b\n30.01.2019, 20:51 - Ann: c\n";
    let mine = |name: &str, me: Option<&str>| {
        let options = Options {
            me: me.map(str::to_owned),
            ..options()
        };
        let (got, _) = read_bytes(name, text.as_bytes(), &options);
        let mine: Vec<bool> = got.records.iter().map(|record| record.is_from_me).collect();
        (mine, got.chats[0].title.clone())
    };
    assert_eq!(mine("chat.txt", None), (vec![false; 3], None));
    assert_eq!(mine("chat.txt", Some(" ann ")).0, [true, false, true]);
    assert_eq!(
        mine("WhatsApp Chat with Ann.txt", None),
        (vec![false, true, false], Some("Ann".to_owned()))
    );
    assert_eq!(mine("WhatsApp Chat with Cat.txt", None).0, [false; 3]);
}

#[test]
fn latin_1_is_read_and_noted() {
    let bytes = b"30.01.2019, 20:49 - J\xF6rg: gr\xFC\xDFe\n30.01.2019, 20:50 - Ann: hi\n";
    let (got, outcome) = read_bytes("chat.txt", bytes, &options());
    assert_eq!(
        (author(&got.records[0]), got.records[0].content.as_str()),
        (Some("Jörg"), "grüße")
    );
    assert!(outcome.expect("a chat").notes[0].contains("UTF-8"));
}

#[test]
fn a_text_without_headers_is_damaged_if_it_is_said_to_be_a_chat() {
    let options = Options {
        source: Some("whatsapp".to_owned()),
        ..options()
    };
    let (_, outcome) = read_bytes("chat.txt", b"hello\nworld\n", &options);
    assert!(matches!(outcome, Err(ImportError::Damaged { .. })), "{outcome:?}");
}
