//! Looks at what was handed over and tells which exports are in it, by their content.

use std::fs::{self, File};
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};

use zip::ZipArchive;
use zip::result::ZipError;

use crate::lines::{take_head, take_readable_head};
use crate::{Export, ImportError, Options, formats, input, looks};

/// How deep folders are searched: a full Telegram export has its parts three folders down.
const DEPTH_MAX: usize = 16;

/// Files of a folder, and entries of a zip, that are looked at. An export with media of ten years has some tens of
/// thousands.
const FILES_MAX: usize = 200_000;

/// Names that media beside a chat have: not opened, as opening a hundred thousand of them takes minutes.
const MEDIA_EXTENSIONS: &[&str] = &[
    "jpg", "jpeg", "png", "webp", "gif", "heic", "mp4", "mov", "3gp", "avi", "mkv", "webm", "opus", "ogg",
    "oga", "mp3", "m4a", "aac", "wav", "amr", "pdf", "vcf", "tgs", "docx", "xlsx", "pptx", "apk", "exe",
    "css", "js",
];

/// What was found.
#[derive(Debug, Default)]
pub struct Found {
    /// The exports, in the order of their names.
    pub exports: Vec<Export>,
    /// How many other files there were: media beside a chat, and what no format knows.
    pub skipped: u64,
    /// Files within a folder that could not be looked into, such as a damaged zip. The others are read all the same.
    pub unreadable: Vec<ImportError>,
}

/// Finds the exports in a file, a folder (with its folders) or a zip.
///
/// With [`Options::source`] only exports of that source are found, and a single text file is taken as one whatever it
/// looks like. Links to folders are not followed.
///
/// # Errors
///
/// [`ImportError::Io`] if `path` cannot be read, [`ImportError::Unrecognised`] if nothing in it is an export, with
/// what it looks like and what to do.
pub fn find(path: &Path, options: &Options) -> Result<Found, ImportError> {
    let wanted = match options.source.as_deref() {
        None | Some("" | "auto") => None,
        Some(name) => {
            let unknown = || formats::unknown_source(path.display().to_string(), name);
            Some(formats::by_name(name).ok_or_else(unknown)?)
        }
    };
    let mut search = Search {
        wanted,
        found: Found::default(),
        seen: 0,
        locked: None,
    };
    if fs::metadata(path).map_err(|e| unreadable(path, e))?.is_dir() {
        search.folder(path, 0)?;
        if search.found.exports.is_empty() {
            return Err(search.nothing_in(path, "a folder"));
        }
    } else {
        search.only_file(path)?;
    }
    Ok(search.found)
}

struct Search {
    wanted: Option<&'static str>,
    found: Found,
    seen: usize,
    /// The archive that was last found to be locked.
    locked: Option<PathBuf>,
}

impl Search {
    /// A file that was named itself: if it is no export, that is an error.
    fn only_file(&mut self, path: &Path) -> Result<(), ImportError> {
        let (head, size_bytes) = head_of(path)?;
        if is_zip(&head) {
            self.zip(path)?;
            return if self.found.exports.is_empty() {
                Err(self.nothing_in(path, "a zip"))
            } else {
                Ok(())
            };
        }
        let recognised = self
            .recognise(&head)
            .or(self.wanted.filter(|_| !head.is_empty() && !head.contains(&0)));
        let Some(source) = recognised else {
            let name = path
                .file_name()
                .map(|name| name.to_string_lossy())
                .unwrap_or_default();
            let (looks_like, what_to_do) = looks::like(&name, &head);
            return Err(ImportError::Unrecognised {
                path: path.display().to_string(),
                looks_like,
                what_to_do,
            });
        };
        self.found.exports.push(Export {
            path: path.to_owned(),
            entry: None,
            source,
            size_bytes,
        });
        Ok(())
    }

    fn folder(&mut self, path: &Path, depth: usize) -> Result<(), ImportError> {
        let entries = fs::read_dir(path).map_err(|e| unreadable(path, e))?;
        let mut paths: Vec<PathBuf> = Vec::new();
        for entry in entries {
            paths.push(entry.map_err(|e| unreadable(path, e))?.path());
        }
        // Parts of one export should come in the order of their names, on every system.
        paths.sort();
        for path in paths {
            if self.seen >= FILES_MAX {
                return Err(too_many(&path));
            }
            self.seen += 1;
            let result = match fs::symlink_metadata(&path) {
                Ok(data) if data.is_dir() && is_hidden_copy(&path.to_string_lossy()) => Ok(()),
                Ok(data) if data.is_dir() && depth < DEPTH_MAX => self.folder(&path, depth + 1),
                Ok(data) if data.is_file() || (data.is_symlink() && path.is_file()) => {
                    self.one_of_many(&path)
                }
                Ok(_) => {
                    self.found.skipped += 1;
                    Ok(())
                }
                Err(e) => Err(unreadable(&path, e)),
            };
            // One folder or file that is closed to the user does not keep the others from being read.
            self.found.unreadable.extend(result.err());
        }
        Ok(())
    }

    fn one_of_many(&mut self, path: &Path) -> Result<(), ImportError> {
        if is_media(&path.to_string_lossy()) {
            self.found.skipped += 1;
            return Ok(());
        }
        let (head, size_bytes) = head_of(path)?;
        if is_zip(&head) {
            return self.zip(path);
        }
        match self.recognise(&head) {
            Some(source) => self.found.exports.push(Export {
                path: path.to_owned(),
                entry: None,
                source,
                size_bytes,
            }),
            None => self.found.skipped += 1,
        }
        Ok(())
    }

    fn zip(&mut self, path: &Path) -> Result<(), ImportError> {
        let file = File::open(path).map_err(|e| unreadable(path, e))?;
        let mut archive = input::open_zip(path, file)?;
        if archive.len() > FILES_MAX {
            return Err(too_many(path));
        }
        let mut names: Vec<String> = archive
            .file_names()
            .flatten()
            .map(|name| name.into_owned())
            .collect();
        self.found.skipped += archive.len().saturating_sub(names.len()) as u64;
        names.sort();
        for name in names {
            if is_media(&name) {
                self.found.skipped += 1;
            } else if !name.ends_with('/') && !is_hidden_copy(&name) {
                self.entry(path, &mut archive, name);
            }
        }
        Ok(())
    }

    fn entry<R: Read + Seek>(&mut self, path: &Path, archive: &mut ZipArchive<R>, name: String) {
        let (size_bytes, head) = match archive.by_name(&name) {
            Ok(mut entry) => (entry.size(), take_readable_head(&mut entry)),
            Err(error @ ZipError::UnsupportedArchive(ZipError::PASSWORD_REQUIRED)) => {
                // Said once: all entries of an archive have one password.
                if self.locked.as_deref() != Some(path) {
                    self.locked = Some(path.to_owned());
                    self.found.unreadable.push(input::zip_error(path, error));
                }
                return;
            }
            Err(_) => {
                self.found.skipped += 1;
                return;
            }
        };
        match self.recognise(&head) {
            Some(source) => {
                let (path, entry) = (path.to_owned(), Some(name));
                self.found.exports.push(Export {
                    path,
                    entry,
                    source,
                    size_bytes,
                })
            }
            None => self.found.skipped += 1,
        }
    }

    fn recognise(&self, head: &[u8]) -> Option<&'static str> {
        formats::recognise(head).filter(|source| self.wanted.is_none_or(|wanted| wanted == *source))
    }

    fn nothing_in(&mut self, path: &Path, container: &str) -> ImportError {
        if let Some(error) = self.found.unreadable.pop() {
            return error;
        }
        let count = self.found.skipped;
        ImportError::Unrecognised {
            path: path.display().to_string(),
            looks_like: format!("{container} with {count} files, none of which is a chat"),
            what_to_do:
                "Looked for was a WhatsApp chat (_chat.txt, WhatsApp Chat with ….txt) and Telegram's \
                         result.json. Hand over one of those, or a folder or zip that holds it"
                    .to_owned(),
        }
    }
}

fn head_of(path: &Path) -> Result<(Vec<u8>, u64), ImportError> {
    let read = || {
        let mut file = File::open(path)?;
        let size_bytes = file.metadata()?.len();
        Ok((take_head(&mut file.by_ref())?, size_bytes))
    };
    read().map_err(|e| unreadable(path, e))
}

fn is_zip(head: &[u8]) -> bool {
    head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06")
}

fn is_media(name: &str) -> bool {
    let extension = name
        .rsplit_once('.')
        .map(|(_, extension)| extension.to_ascii_lowercase());
    extension.is_some_and(|extension| MEDIA_EXTENSIONS.contains(&extension.as_str()))
}

/// What macOS puts beside every file of an archive: its own notes about it, under the same name.
fn is_hidden_copy(name: &str) -> bool {
    let file_name = name.rsplit('/').next().unwrap_or(name);
    name.starts_with("__MACOSX/") || file_name == "__MACOSX" || file_name.starts_with("._")
}

fn unreadable(path: &Path, source: io::Error) -> ImportError {
    ImportError::Io {
        path: path.display().to_string(),
        source,
    }
}

fn too_many(path: &Path) -> ImportError {
    ImportError::Unrecognised {
        path: path.display().to_string(),
        looks_like: format!("it lies among more than {FILES_MAX} files"),
        what_to_do: "Hand over the folder of the export itself".to_owned(),
    }
}
