//! Files to import, and databases that are full already.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Result;
use chatstats_import::corpus::conversation;
use chatstats_import::corpus::telegram::write_chat;
use chatstats_import::corpus::whatsapp::{Style, write as write_whatsapp};
use tempfile::TempDir;

use crate::import::import_into;

/// A chat of `messages` lines as WhatsApp writes it.
pub(crate) fn whatsapp(folder: &Path, messages: usize) -> Result<PathBuf> {
    let path = folder.join("WhatsApp Chat with everybody.txt");
    let mut out = BufWriter::new(File::create(&path)?);
    write_whatsapp(Style::AndroidBritish, conversation(1).take(messages), &mut out)?;
    out.flush()?;
    Ok(path)
}

/// The same as Telegram writes it.
pub(crate) fn telegram(folder: &Path, messages: usize) -> Result<PathBuf> {
    let path = folder.join("result.json");
    let mut out = BufWriter::new(File::create(&path)?);
    write_chat("everybody", conversation(1).take(messages), &mut out)?;
    out.flush()?;
    Ok(path)
}

/// A data directory with one chat of `messages`, which are not analysed: neither beside what is measured, nor with memory
/// that this needs.
pub(crate) fn filled(messages: usize) -> Result<TempDir> {
    let folder = tempfile::tempdir()?;
    std::fs::write(folder.path().join("config.toml"), "analyse_on_seal = false\n")?;
    let file = telegram(folder.path(), messages)?;
    import_into(folder.path(), &file)?;
    std::fs::remove_file(file)?;
    Ok(folder)
}
