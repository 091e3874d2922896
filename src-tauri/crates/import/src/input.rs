//! Opens an export, be it a file or an entry of a zip, as one stream of bytes that counts itself.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::rc::Rc;

use zip::ZipArchive;
use zip::result::ZipError;

use crate::{Export, ImportError, Sink};

/// Bytes between two reports of progress: a few hundred a second at full speed, and a cancel is heard at once.
const PROGRESS_EVERY_BYTES: u64 = 256 * 1024;

/// An open export. Ends with an error when an archive's entry grows beyond the size it declares: nothing is
/// believed about an archive that lies, and a bomb cannot go on for ever.
pub(crate) struct Input<'a> {
    read: Box<dyn Read + 'a>,
    left: u64,
    done: Rc<Cell<u64>>,
}

/// How far an [`Input`] is, for whoever has handed the input itself on.
pub(crate) struct Position {
    done: Rc<Cell<u64>>,
    reported: u64,
    size: u64,
}

/// Opens `export` and hands it to `f`. The archive an entry is in lives only that long.
pub(crate) fn with<T>(
    export: &Export,
    f: impl FnOnce(Input<'_>, Position) -> Result<T, ImportError>,
) -> Result<T, ImportError> {
    let file = File::open(&export.path).map_err(|e| io_error(export, e))?;
    let done = Rc::new(Cell::new(0));
    let position = Position {
        done: done.clone(),
        reported: 0,
        size: export.size_bytes,
    };
    match &export.entry {
        // A file that is still being written may be longer by now; reading to its end is right.
        None => f(
            Input {
                read: Box::new(file),
                left: u64::MAX,
                done,
            },
            position,
        ),
        Some(name) => {
            let mut archive = open_zip(&export.path, file)?;
            let entry = archive.by_name(name).map_err(|e| zip_error(&export.path, e))?;
            f(
                Input {
                    read: Box::new(entry),
                    left: export.size_bytes,
                    done,
                },
                position,
            )
        }
    }
}

/// Reads an archive's directory.
pub(crate) fn open_zip(path: &Path, file: File) -> Result<ZipArchive<io::BufReader<File>>, ImportError> {
    ZipArchive::new(io::BufReader::new(file)).map_err(|e| zip_error(path, e))
}

/// Says what is wrong with an archive.
pub(crate) fn zip_error(path: &Path, error: ZipError) -> ImportError {
    let path = path.display().to_string();
    match error {
        ZipError::Io(source) => ImportError::Io { path, source },
        ZipError::UnsupportedArchive(reason) if reason == ZipError::PASSWORD_REQUIRED => {
            ImportError::Unrecognised {
                path,
                looks_like: "an archive locked with a password".to_owned(),
                what_to_do: "Unpack it with its password and hand over the folder".to_owned(),
            }
        }
        other => ImportError::Damaged {
            path,
            format: "zip",
            detail: format!("{other}. Export or copy it again, or unpack it and hand over the folder"),
        },
    }
}

/// Says why reading stopped: what is inside an archive is damaged, what is on a disk could not be read.
pub(crate) fn io_error(export: &Export, source: io::Error) -> ImportError {
    let damaged = matches!(
        source.kind(),
        io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof
    );
    if export.entry.is_some() && damaged {
        let detail = format!("{source}. What came before was read; export or copy it again for the rest");
        return ImportError::Damaged {
            path: export.label(),
            format: "zip",
            detail,
        };
    }
    ImportError::Io {
        path: export.label(),
        source,
    }
}

impl Export {
    /// The file, and the entry within it.
    pub(crate) fn label(&self) -> String {
        match &self.entry {
            Some(entry) => format!("{} ({entry})", self.path.display()),
            None => self.path.display().to_string(),
        }
    }
}

impl Read for Input<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.read.read(buffer)?;
        self.left = self.left.checked_sub(count as u64).ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                "the entry is larger than the archive says",
            )
        })?;
        self.done.set(self.done.get() + count as u64);
        Ok(count)
    }
}

impl Position {
    /// Reports to `sink` if enough was read since the last time.
    pub(crate) fn report(&mut self, sink: &mut dyn Sink) -> Result<(), ImportError> {
        let done = self.done.get().min(self.size);
        if done < self.reported + PROGRESS_EVERY_BYTES {
            return Ok(());
        }
        self.reported = done;
        sink.progress(done).map_err(ImportError::Sink)
    }

    /// As [`Position::report`] for a pass that only looks: the sink may cancel, and hears of no progress yet.
    pub(crate) fn report_nothing(&mut self, sink: &mut dyn Sink) -> Result<(), ImportError> {
        if self.done.get() < self.reported + PROGRESS_EVERY_BYTES {
            return Ok(());
        }
        self.reported = self.done.get();
        sink.progress(0).map_err(ImportError::Sink)
    }
}
