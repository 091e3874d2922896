//! Writes a generated export to standard output:
//! `cargo run --release -p chatstats-import --features corpus --example write -- STYLE MESSAGES`,
//! where STYLE is `telegram` or the number (0 to 9) of a WhatsApp style.

use std::io::{self, BufWriter, Write};

use chatstats_import::corpus::{conversation, telegram, whatsapp};

fn main() -> io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (Some(style), Some(messages)) = (arguments.next(), arguments.next()) else {
        return Err(io::Error::other("two arguments: STYLE MESSAGES"));
    };
    let messages = messages.parse().map_err(io::Error::other)?;
    let lines = conversation(1).take(messages);
    let mut out = BufWriter::with_capacity(1 << 20, io::stdout().lock());
    match style
        .parse::<usize>()
        .ok()
        .and_then(|number| whatsapp::STYLES.get(number))
    {
        Some(style) => whatsapp::write(*style, lines, &mut out)?,
        None => telegram::write_chat("Generated", lines, &mut out)?,
    }
    out.flush()
}
