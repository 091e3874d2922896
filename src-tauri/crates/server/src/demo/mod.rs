//! The demo set: invented chats of the last year, to look around with. Written as the exports a person would have,
//! and imported like them, so that it shows what the program does and not what a picture of it does.

mod people;
mod talk;
mod telegram;
mod whatsapp;

use std::path::{Path, PathBuf};

use chatstats_model::ImportOptions;
use jiff::Zoned;

use crate::api::upload::{disk_error, new_folder};
use crate::problem::ApiError;

/// The user's name in the demo chats.
const ME: &str = "Sam Rivers";

/// Writes the demo's exports to a folder of their own below `uploads_dir`.
pub(crate) async fn write(uploads_dir: &Path) -> Result<(Vec<PathBuf>, ImportOptions), ApiError> {
    let folder = new_folder(uploads_dir).await?;
    let now = Zoned::now();
    let files = tokio::task::spawn_blocking(move || exports(&now));
    let files = files.await.map_err(|_| ApiError::Disk)?;
    let mut paths = Vec::with_capacity(files.len());
    for (index, (name, text)) in files.into_iter().enumerate() {
        // One folder each, as uploads have: the name of the file is the chat's title.
        let folder = folder.join(index.to_string());
        tokio::fs::create_dir_all(&folder)
            .await
            .map_err(|e| disk_error(&e))?;
        let path = folder.join(name);
        tokio::fs::write(&path, text).await.map_err(|e| disk_error(&e))?;
        paths.push(path);
    }
    Ok((
        paths,
        ImportOptions {
            me: Some(ME.into()),
            ..ImportOptions::default()
        },
    ))
}

/// File names and contents, the chats ending shortly before `now`.
fn exports(now: &Zoned) -> Vec<(String, String)> {
    let (telegram, whatsapp): (Vec<_>, Vec<_>) = people::CHATS.iter().partition(|chat| chat.on_telegram);
    let mut files: Vec<_> = whatsapp
        .into_iter()
        .map(|chat| {
            (
                format!("WhatsApp Chat with {}.txt", chat.title),
                whatsapp::export(&talk::year(chat, now)),
            )
        })
        .collect();
    let chats: Vec<_> = telegram
        .into_iter()
        .map(|chat| (chat, talk::year(chat, now)))
        .collect();
    files.push(("result.json".into(), telegram::export(&chats)));
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_demo_is_the_same_for_the_same_day_and_ends_before_it() {
        let now: Zoned = "2026-03-05T12:00:00[UTC]".parse().expect("a time");
        let files = exports(&now);
        assert_eq!(files, exports(&now));
        assert!(files.len() >= 4);
        for chat in people::CHATS {
            let lines = talk::year(chat, &now);
            assert!(lines.len() > 100, "{} has {} messages", chat.title, lines.len());
            assert!(lines.windows(2).all(|w| w[0].at <= w[1].at));
            assert!(lines.iter().all(|line| line.at < now));
        }
    }
}
