//! What is found in files, folders and archives, and what is said of everything else.

mod collect;

use std::fs;
use std::io::Write;
use std::path::Path;

use chatstats_import::{ImportError, Options, find, sources};
use collect::{options, read_path};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

const CHAT: &str = "30.01.2019, 20:49 - Ann: hello\n30.01.2019, 20:50 - Bob: hi\n";
const RESULT: &str = r#"{"name":"N","type":"private_group","id":4,"messages":[]}"#;

fn zip_with(path: &Path, entries: &[(&str, &[u8])]) {
    let mut zip = ZipWriter::new(fs::File::create(path).expect("a file"));
    for (name, bytes) in entries {
        zip.start_file(*name, SimpleFileOptions::default())
            .expect("an entry");
        zip.write_all(bytes).expect("its bytes");
    }
    zip.finish().expect("an archive");
}

#[test]
fn a_folder_gives_the_exports_in_it_and_counts_the_rest() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    fs::create_dir(path.join("a")).expect("a folder");
    fs::write(path.join("a/strange name.dat"), CHAT).expect("a file");
    fs::write(path.join("a/IMG.jpg"), b"\xFF\xD8\xFF").expect("a file");
    fs::write(path.join("b.json"), RESULT).expect("a file");
    fs::write(path.join("notes.txt"), "nothing\n").expect("a file");
    zip_with(
        &path.join("WhatsApp Chat - Ann.zip"),
        &[
            ("_chat.txt", CHAT.as_bytes()),
            ("__MACOSX/._chat.txt", b"x"),
            ("a.jpg", b"\xFF\xD8"),
        ],
    );
    let found = find(path, &options()).expect("exports");
    let seen: Vec<_> = found
        .exports
        .iter()
        .map(|export| (export.source, export.entry.as_deref()))
        .collect();
    assert_eq!(
        seen,
        [
            ("whatsapp", Some("_chat.txt")),
            ("whatsapp", None),
            ("telegram", None)
        ]
    );
    assert_eq!(found.skipped, 3);
    assert!(found.unreadable.is_empty());

    let only = Options {
        source: Some("telegram".to_owned()),
        ..options()
    };
    assert_eq!(find(path, &only).expect("exports").exports.len(), 1);
}

#[test]
fn a_chat_in_a_zip_is_read_and_named_after_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("WhatsApp Chat - Ann (2).zip");
    zip_with(&path, &[("_chat.txt", CHAT.as_bytes())]);
    let (got, outcome) = read_path(&path, &options());
    outcome.expect("a chat");
    assert_eq!(got.records.len(), 2);
    assert_eq!(got.chats[0].title.as_deref(), Some("Ann"));
    assert_eq!(
        got.records
            .iter()
            .map(|record| record.is_from_me)
            .collect::<Vec<_>>(),
        [false, true]
    );
}

#[test]
fn a_damaged_archive_beside_a_chat_does_not_keep_the_chat_from_being_read() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("broken.zip"), b"PK\x03\x04 and nothing more").expect("a file");
    fs::write(folder.path().join("chat.txt"), CHAT).expect("a file");
    let found = find(folder.path(), &options()).expect("exports");
    assert_eq!(found.exports.len(), 1);
    assert!(
        matches!(found.unreadable[..], [ImportError::Damaged { .. }]),
        "{:?}",
        found.unreadable
    );
}

#[test]
fn a_damaged_entry_gives_what_came_before() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("chat.zip");
    let mut zip = ZipWriter::new(fs::File::create(&path).expect("a file"));
    let stored = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    zip.start_file("_chat.txt", stored).expect("an entry");
    zip.write_all(CHAT.as_bytes()).expect("its bytes");
    zip.finish().expect("an archive");
    let mut bytes = fs::read(&path).expect("the archive");
    let at = bytes
        .windows(5)
        .position(|window| window == b"hello")
        .expect("the text");
    bytes[at] = b'j';
    fs::write(&path, bytes).expect("a file");
    let (got, outcome) = read_path(&path, &options());
    assert!(!got.records.is_empty());
    assert!(
        matches!(outcome, Err(ImportError::Damaged { format: "zip", .. })),
        "{outcome:?}"
    );
}

#[test]
fn what_is_no_export_is_told_what_it_looks_like_and_what_to_do() {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, bytes, words) in [
        ("empty.txt", &b""[..], "empty"),
        ("photo", b"\xFF\xD8\xFF\xE0", "JPEG"),
        ("msgstore.db.crypt15", b"\x01\x02\x03\x00", "encrypted backup"),
        ("chat.db", b"SQLite format 3\0", "SQLite"),
        (
            "messages.html",
            b"<!DOCTYPE html><div class=\"page_wrap\">",
            "Machine-readable JSON",
        ),
        ("page.html", b"<html><body>hello", "web page"),
        ("other.json", b"{\"a\": 1}", "JSON"),
        ("notes.txt", b"hello\nworld\n", "no line begins with a date"),
        ("data.bin", b"\x00\x01\x02\x03", "binary"),
    ] {
        let path = folder.path().join(name);
        fs::write(&path, bytes).expect("a file");
        match find(&path, &options()) {
            Err(error @ ImportError::Unrecognised { .. }) => {
                assert!(error.to_string().contains(words), "{error}");
            }
            other => panic!("{name}: {other:?}"),
        }
    }
}

#[test]
fn an_empty_folder_a_missing_file_and_an_unknown_source_are_errors() {
    let folder = tempfile::tempdir().expect("a folder");
    assert!(matches!(
        find(folder.path(), &options()),
        Err(ImportError::Unrecognised { .. })
    ));
    assert!(matches!(
        find(&folder.path().join("none"), &options()),
        Err(ImportError::Io { .. })
    ));
    let unknown = Options {
        source: Some("icq".to_owned()),
        ..options()
    };
    match find(folder.path(), &unknown) {
        Err(error) => assert!(error.to_string().contains("whatsapp"), "{error}"),
        Ok(found) => panic!("{found:?}"),
    }
}

#[cfg(unix)]
#[test]
fn a_link_to_its_own_folder_does_not_lead_in_circles() {
    let folder = tempfile::tempdir().expect("a folder");
    std::os::unix::fs::symlink(folder.path(), folder.path().join("again")).expect("a link");
    fs::write(folder.path().join("chat.txt"), CHAT).expect("a file");
    assert_eq!(find(folder.path(), &options()).expect("exports").exports.len(), 1);
}

#[test]
fn every_source_says_how_to_get_an_export() {
    for source in sources() {
        assert!(
            source.how.ends_with('.') && source.how.len() > 40,
            "{}",
            source.name
        );
    }
}

#[test]
fn a_locked_archive_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("locked.zip");
    zip_with(&path, &[("_chat.txt", CHAT.as_bytes())]);
    let mut bytes = fs::read(&path).expect("the archive");
    // Bit 0 of the flags: encrypted. Once before the entry, once in the directory.
    for (signature, offset) in [(b"PK\x03\x04", 6), (b"PK\x01\x02", 8)] {
        let at = bytes
            .windows(4)
            .position(|window| window == signature)
            .expect("a header");
        bytes[at + offset] |= 1;
    }
    fs::write(&path, bytes).expect("a file");
    match find(&path, &options()) {
        Err(error) => assert!(error.to_string().contains("password"), "{error}"),
        Ok(found) => panic!("{found:?}"),
    }
}

#[test]
fn an_entry_larger_than_its_archive_says_is_not_believed() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("chat.zip");
    zip_with(&path, &[("_chat.txt", CHAT.repeat(10_000).as_bytes())]);
    let mut export = find(&path, &options()).expect("exports").exports.remove(0);
    // As an archive would that understates it.
    export.size_bytes = 100_000;
    let mut collected = collect::Collected::default();
    let outcome = chatstats_import::read(&export, &options(), &mut collected);
    assert!(matches!(outcome, Err(ImportError::Damaged { .. })), "{outcome:?}");
    assert!(
        (1..20_000).contains(&collected.records.len()),
        "{}",
        collected.records.len()
    );
}
