//! Uploads: parts of a form, written to a folder of their own until they are imported.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use axum::extract::Multipart;
use axum::extract::multipart::Field;
use chatstats_model::{DateOrder, ImportOptions};
use tokio::io::AsyncWriteExt;

use crate::problem::ApiError;

/// What one upload may write to disk, in bytes: larger exports are imported from where they lie.
const UPLOAD_BYTES_MAX: u64 = 32 << 30;

/// Files in one upload: a folder with all the media of a busy chat.
const FILES_MAX: usize = 50_000;

/// The longest text field, in bytes.
const FIELD_BYTES_MAX: usize = 4_096;

/// Parts of a file's name that count; a deeper one is cut.
const DEPTH_MAX: usize = 16;

/// The longest part of a file's name, in bytes: what file systems take.
const PART_BYTES_MAX: usize = 255;

/// A received upload. Deleted when dropped, unless it was [kept](Upload::keep).
pub(crate) struct Upload {
    folder: PathBuf,
    tops: BTreeSet<PathBuf>,
    files: usize,
    bytes: u64,
    kept: bool,
    /// What the form's text fields say.
    pub(crate) options: ImportOptions,
}

impl Upload {
    /// Writes the form's files below `uploads_dir`.
    pub(crate) async fn receive(uploads_dir: &Path, mut parts: Multipart) -> Result<Upload, ApiError> {
        let folder = new_folder(uploads_dir).await?;
        let options = ImportOptions::default();
        let mut upload = Upload {
            folder,
            tops: BTreeSet::new(),
            files: 0,
            bytes: 0,
            kept: false,
            options,
        };
        let broken = |e: axum::extract::multipart::MultipartError| {
            ApiError::bad_request("body", format!("The upload broke off: {}.", e.body_text()))
        };
        while let Some(field) = parts.next_field().await.map_err(broken)? {
            match field.file_name().map(str::to_owned) {
                Some(name) => upload.file(&name, field).await?,
                None => upload.text(field).await?,
            }
        }
        if upload.tops.is_empty() {
            return Err(ApiError::bad_request(
                "file",
                "The form holds no file. Send one or more parts named file.",
            ));
        }
        Ok(upload)
    }

    /// The files and folders to import.
    pub(crate) fn paths(&self) -> Vec<PathBuf> {
        self.tops.iter().cloned().collect()
    }

    /// The import deletes it from now on.
    pub(crate) fn keep(mut self) {
        self.kept = true;
    }

    async fn file(&mut self, name: &str, mut field: Field<'_>) -> Result<(), ApiError> {
        self.files += 1;
        if self.files > FILES_MAX {
            let detail =
                format!("The upload has more than {FILES_MAX} files. Import the folder by its path instead.");
            return Err(ApiError::bad_request("file", detail));
        }
        let parts = safe_parts(name);
        // Files of a folder stay together; single files each get a folder, since two may have one name.
        let (top, path) = match parts.as_slice() {
            [] => {
                return Err(ApiError::bad_request(
                    "file",
                    format!("{name:?} is not a file name."),
                ));
            }
            [one] => {
                let path = self.folder.join(self.files.to_string()).join(one);
                (path.clone(), path)
            }
            [first, ..] => {
                let tree = self.folder.join("tree");
                (
                    tree.join(first),
                    parts.iter().fold(tree, |path, part| path.join(part)),
                )
            }
        };
        if let Some(parent) = path.parent() {
            tokio::fs::create_dir_all(parent)
                .await
                .map_err(|e| disk_error(&e))?;
        }
        let mut file = tokio::fs::File::create(&path).await.map_err(|e| disk_error(&e))?;
        loop {
            let chunk = field.chunk().await;
            let chunk = chunk.map_err(|e| {
                ApiError::bad_request("body", format!("The upload broke off: {}.", e.body_text()))
            })?;
            let Some(chunk) = chunk else { break };
            self.bytes += chunk.len() as u64;
            if self.bytes > UPLOAD_BYTES_MAX {
                return Err(ApiError::TooLarge {
                    bytes_max: UPLOAD_BYTES_MAX,
                });
            }
            file.write_all(&chunk).await.map_err(|e| disk_error(&e))?;
        }
        file.flush().await.map_err(|e| disk_error(&e))?;
        self.tops.insert(top);
        Ok(())
    }

    async fn text(&mut self, mut field: Field<'_>) -> Result<(), ApiError> {
        let name = field.name().unwrap_or_default().to_owned();
        let mut value = Vec::new();
        while let Ok(Some(chunk)) = field.chunk().await {
            value.extend_from_slice(&chunk);
            if value.len() > FIELD_BYTES_MAX {
                let detail = format!("The field {name} is longer than {FIELD_BYTES_MAX} bytes.");
                return Err(ApiError::bad_request("field", detail));
            }
        }
        let value = String::from_utf8(value);
        let value =
            value.map_err(|_| ApiError::bad_request("field", format!("The field {name} is not UTF-8.")))?;
        let text = (!value.is_empty()).then(|| value.clone());
        match name.as_str() {
            "source" => self.options.source = text,
            "me" => self.options.me = text,
            "timezone" => self.options.timezone = text,
            "date_order" => self.options.date_order = text.as_deref().map(date_order).transpose()?,
            "dry_run" => self.options.dry_run = matches!(value.as_str(), "true" | "1" | "on"),
            _ => {
                return Err(ApiError::bad_request(
                    "field",
                    format!(
                        "The form has a field {name:?}, which is not one of \
                source, me, timezone, date_order, dry_run and file."
                    ),
                ));
            }
        }
        Ok(())
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if !self.kept
            && let Err(e) = std::fs::remove_dir_all(&self.folder)
        {
            tracing::warn!(error = %e, "a broken upload could not be deleted; the next start tries again");
        }
    }
}

/// A new folder of its own below `uploads_dir`.
pub(crate) async fn new_folder(uploads_dir: &Path) -> Result<PathBuf, ApiError> {
    let folder = uploads_dir.join(random_name().map_err(|e| disk_error(&e))?);
    tokio::fs::create_dir_all(&folder)
        .await
        .map_err(|e| disk_error(&e))?;
    Ok(folder)
}

fn random_name() -> std::io::Result<String> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(std::io::Error::other)?;
    Ok(format!("{:016x}", u64::from_le_bytes(bytes)))
}

pub(crate) fn disk_error(error: &std::io::Error) -> ApiError {
    tracing::error!(%error, "an upload could not be written");
    if error.kind() == std::io::ErrorKind::StorageFull {
        ApiError::DiskFull
    } else {
        ApiError::Disk
    }
}

fn date_order(word: &str) -> Result<DateOrder, ApiError> {
    match word {
        "dmy" => Ok(DateOrder::Dmy),
        "mdy" => Ok(DateOrder::Mdy),
        "ymd" => Ok(DateOrder::Ymd),
        _ => Err(ApiError::bad_request(
            "date_order",
            format!("{word:?} is not one of dmy, mdy and ymd."),
        )),
    }
}

/// The parts of a name as a browser sends it, with nothing that leads out of the folder.
fn safe_parts(name: &str) -> Vec<String> {
    let parts = name.split(['/', '\\']).map(|part| part.replace('\0', ""));
    let parts = parts.filter(|part| !part.is_empty() && part != "." && part != "..");
    parts
        .map(|part| part.chars().take(PART_BYTES_MAX / 4).collect())
        .take(DEPTH_MAX)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::safe_parts;

    #[test]
    fn names_cannot_lead_out_of_the_folder() {
        assert_eq!(safe_parts("a.txt"), ["a.txt"]);
        assert_eq!(safe_parts("../../etc/passwd"), ["etc", "passwd"]);
        assert_eq!(safe_parts("C:\\x\\..\\y.txt"), ["C:", "x", "y.txt"]);
        assert_eq!(safe_parts("/"), Vec::<String>::new());
        assert!(safe_parts(&"ä".repeat(1_000))[0].len() <= 255);
    }
}
