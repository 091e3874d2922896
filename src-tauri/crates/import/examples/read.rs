//! Reads exports and prints what they hold: `cargo run -p chatstats-import --example read -- [--all] PATH…`.

use std::path::Path;
use std::time::Instant;

use chatstats_import::{ChatHead, Options, Record, Sink, SinkError, find, read};
use chatstats_model::{Kind, LeftOut};

#[derive(Default)]
struct Print {
    all: bool,
    messages: u64,
    system: u64,
    left_out: u64,
    progress: u64,
}

impl Sink for Print {
    fn chat(&mut self, chat: ChatHead) -> Result<(), SinkError> {
        println!("  chat {:?} {:?}", chat.key, chat.title);
        Ok(())
    }

    fn message(&mut self, record: Record) -> Result<(), SinkError> {
        *(if record.kind == Kind::System {
            &mut self.system
        } else {
            &mut self.messages
        }) += 1;
        if self.all {
            let name = record.sender.map(|sender| sender.name).unwrap_or_default();
            let me = if record.is_from_me { " (me)" } else { "" };
            println!(
                "    {} {:?} {name}{me}: {:?}",
                record.timestamp, record.kind, record.content
            );
        }
        Ok(())
    }

    fn left_out(&mut self, left_out: LeftOut) -> Result<(), SinkError> {
        self.left_out += 1;
        if self.all || self.left_out <= 3 {
            println!(
                "    left out: {}: {}: {:?}",
                left_out.place, left_out.reason, left_out.excerpt
            );
        }
        Ok(())
    }

    fn progress(&mut self, done: u64) -> Result<(), SinkError> {
        assert!(done >= self.progress, "progress never goes back");
        self.progress = done;
        Ok(())
    }
}

fn main() {
    let options = Options {
        source: None,
        me: None,
        timezone: jiff::tz::TimeZone::UTC,
        date_order: None,
    };
    let (flags, paths): (Vec<_>, Vec<_>) = std::env::args().skip(1).partition(|argument| argument == "--all");
    for path in paths {
        let found = match find(Path::new(&path), &options) {
            Ok(found) => found,
            Err(error) => {
                println!("{error}");
                continue;
            }
        };
        for export in found.exports {
            let mut print = Print {
                all: !flags.is_empty(),
                ..Print::default()
            };
            let start = Instant::now();
            let result = read(&export, &options, &mut print);
            let seconds = start.elapsed().as_secs_f64();
            let Print {
                messages,
                system,
                left_out,
                ..
            } = print;
            println!(
                "{} {:?} [{}]: {messages} messages, {system} system, {left_out} left out; {:.0} MB/s; {result:?}",
                export.path.display(),
                export.entry,
                export.source,
                export.size_bytes as f64 / 1e6 / seconds
            );
        }
    }
}
