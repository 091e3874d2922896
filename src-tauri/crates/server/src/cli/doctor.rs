//! `chatstats doctor`

use std::process::ExitCode;

use anyhow::Result;
use chatstats_model::Backend;
use chatstats_store::{DATABASE_FILE, Store};
use clap::Args;

use super::events::Source;
use super::{DataDirOption, address};
use crate::config::Config;
use crate::data_dir::{DataDir, find_running};

#[derive(Debug, Args)]
pub(super) struct Doctor {
    #[command(flatten)]
    data_dir: DataDirOption,
}

/// One look: what was looked at, and what was found. `Err` is something to mend.
type Finding = (&'static str, Result<String, String>);

impl Doctor {
    pub(super) fn run(self) -> Result<ExitCode> {
        let config = self.data_dir.config()?;
        let mut findings = vec![("data directory", Ok(config.data_dir.display().to_string()))];
        if config.data_dir.exists() {
            findings.push(("permissions", permissions(&config)));
            findings.push(("server", Ok(server(&config))));
            findings.push(("database", database(&config)));
            findings.push(("events", events(&config)));
        } else {
            findings.push(("database", Ok("none yet; the first start makes it".into())));
        }
        findings.push((
            "time zone",
            Ok(jiff::tz::TimeZone::system()
                .iana_name()
                .unwrap_or("unknown")
                .to_owned()),
        ));
        findings.push(("language model", Ok(language_model(&config.llm))));
        Ok(ExitCode::from(if print(&findings) { 0 } else { super::FAILED }))
    }
}

fn print(findings: &[Finding]) -> bool {
    for (what, found) in findings {
        match found {
            Ok(found) => println!("ok     {what}: {found}"),
            Err(wrong) => println!("wrong  {what}: {wrong}"),
        }
    }
    findings.iter().all(|(_, found)| found.is_ok())
}

fn server(config: &Config) -> String {
    match find_running(&config.data_dir) {
        Some(running) => format!("process {} answers at {}", running.pid, running.url),
        None => "not running".into(),
    }
}

/// Which model is asked, and what people must know of it.
fn language_model(settings: &chatstats_llm::Settings) -> String {
    if !settings.enabled {
        return "off".into();
    }
    let known = settings.warning();
    let known = known.unwrap_or_else(|| "It runs on this computer: nothing leaves it.".into());
    format!("{}. {known}", settings.model)
}

/// A full check takes as long as the database is large, and needs it for itself.
fn database(config: &Config) -> Result<String, String> {
    let path = config.data_dir.join(DATABASE_FILE);
    if !path.exists() {
        return Ok("none yet; the first start makes it".into());
    }
    if find_running(&config.data_dir).is_some() {
        return Ok("in use by the server; stop it to have it checked".into());
    }
    let held = DataDir::hold(&config.data_dir).map_err(|e| e.to_string())?;
    let store = Store::open(held.path()).map_err(|e| e.to_string())?;
    let damage = store
        .read_blocking(|reader| reader.check())
        .map_err(|e| e.to_string())?;
    let (chats, messages) = store
        .read_blocking(|reader| reader.counts())
        .map_err(|e| e.to_string())?;
    if damage.is_empty() {
        Ok(format!("sound: {messages} messages in {chats} chats"))
    } else {
        Err(damage.join("; "))
    }
}

/// Where events are kept, whether that answers, and how many there are.
fn events(config: &Config) -> Result<String, String> {
    if let Some(running) = find_running(&config.data_dir)
        && address::token_of(config, &running).is_err()
    {
        return Ok("kept by the server, which was started with a token of its own and is not asked".into());
    }
    let status = async {
        let mut source = Source::open(config).await?;
        let status = source.status().await?;
        source.close().await?;
        anyhow::Ok(status)
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let status = runtime.map_err(|e| e.to_string())?.block_on(status);
    let Some(status) = status.map_err(|e| format!("{e:#}"))? else {
        return Ok("none yet; the first start makes their log".into());
    };
    let place = match (status.backend, status.address) {
        (Backend::Embedded, _) => "in a file".to_owned(),
        (Backend::Redis, None) => "in Redis".to_owned(),
        (Backend::Redis, Some(address)) => format!("in Redis at {address}"),
    };
    match status.problem {
        Some(problem) => Err(format!("{place}: {problem}")),
        None => Ok(format!("{place}: {} kept", status.length)),
    }
}

#[cfg(unix)]
fn permissions(config: &Config) -> Result<String, String> {
    use std::os::unix::fs::PermissionsExt;
    let mut open = Vec::new();
    let entries = std::fs::read_dir(&config.data_dir).map_err(|e| e.to_string())?;
    for entry in entries.flatten() {
        let mode = match entry.metadata() {
            Ok(found) => found.permissions().mode(),
            // It was of a moment, as a log of the database is.
            Err(gone) if gone.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error.to_string()),
        };
        if mode & 0o077 != 0 {
            open.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    if open.is_empty() {
        return Ok("closed to others".into());
    }
    Err(format!(
        "others can read {}. Run chmod -R go= on the data directory.",
        open.join(", ")
    ))
}

#[cfg(not(unix))]
fn permissions(_: &Config) -> Result<String, String> {
    Ok("those of your user folder".into())
}
