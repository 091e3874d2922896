//! Settings: flag over variable over `config.toml` in the data directory over default.

use std::net::{Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::time::Duration;

use chatstats_bus::ENTRIES_KEPT;
use chatstats_model::CONVERSATION_GAP_MINUTES;
use chatstats_store::CONVERSATION_GAP_MINUTES_MAX;
use jiff::tz::TimeZone;
use serde::Deserialize;

use crate::analysis::{self, AnalysisConfig};
use crate::error::{ConfigError, StartError};
use crate::guard::{AllowedHost, AllowedOrigin};
use crate::token::Token;

/// The name of the settings file in the data directory.
const CONFIG_FILE: &str = "config.toml";

/// Where the server listens unless told otherwise.
const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8765);

/// Seconds between heartbeats unless told otherwise.
const DEFAULT_HEARTBEAT_S: f64 = 30.0;

/// Shorter beats would be a load, longer ones outlast the patience of proxies and of browsers.
const HEARTBEAT_S_RANGE: std::ops::RangeInclusive<f64> = 0.05..=3_600.0;

/// How many events may be kept. With fewer, a page that reconnects would find gaps; more would make a file of
/// gigabytes that nobody reads.
const EVENTS_KEPT_RANGE: std::ops::RangeInclusive<u64> = 100..=10_000_000;

/// What the command line says. Everything else comes from variables, `config.toml` and defaults.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// `host:port`; port 0 takes a free one.
    pub listen: Option<String>,
    /// The folder that holds everything the program keeps.
    pub data_dir: Option<PathBuf>,
    /// A Redis to share events through.
    pub redis_url: Option<String>,
    /// A token for this run, instead of the kept one.
    pub token: Option<String>,
    /// Seconds between heartbeats on event streams.
    pub heartbeat_s: Option<f64>,
}

/// The settings in force.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where to listen.
    pub listen: SocketAddr,
    /// The folder that holds everything the program keeps.
    pub data_dir: PathBuf,
    /// Between heartbeats.
    pub heartbeat: Duration,
    /// About how many events each stream of the event log keeps.
    pub events_kept: u64,
    /// The pause that ends a conversation, in minutes.
    pub conversation_gap_minutes: u32,
    /// How conversations are analysed.
    pub(crate) analysis: AnalysisConfig,
    /// The language model; off unless the user switches it on.
    pub(crate) llm: chatstats_llm::Settings,
    /// A Redis to share events through.
    pub(crate) redis_url: Option<Said>,
    pub(crate) token: Option<Token>,
    pub(crate) allowed_hosts: Vec<AllowedHost>,
    pub(crate) allowed_origins: Vec<AllowedOrigin>,
}

/// `config.toml`. A key that is not one of these is an error: a setting that is misspelt must not pass silently.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    listen: Option<String>,
    redis_url: Option<String>,
    token: Option<String>,
    heartbeat_s: Option<f64>,
    events_kept: Option<u64>,
    conversation_gap_minutes: Option<u64>,
    time_zone: Option<String>,
    analyse_on_seal: Option<bool>,
    #[serde(default)]
    passes_off: Vec<String>,
    workers: Option<u64>,
    #[serde(default)]
    llm: chatstats_llm::Settings,
    #[serde(default)]
    allowed_hosts: Vec<String>,
    #[serde(default)]
    allowed_origins: Vec<String>,
}

impl Config {
    /// Reads the settings of this process.
    ///
    /// # Errors
    ///
    /// A setting that cannot be used, an unknown key in `config.toml`, or that file being unreadable.
    pub fn load(overrides: Overrides) -> Result<Self, StartError> {
        Self::load_with(overrides, |name| std::env::var(name).ok())
    }

    /// As [`Config::load`], with the variables of `env`.
    fn load_with(flags: Overrides, env: impl Fn(&str) -> Option<String>) -> Result<Self, StartError> {
        // An empty variable is one that was meant to be unset.
        let env = |name: &str| env(name).filter(|value| !value.is_empty());
        let data_dir = match flags
            .data_dir
            .or_else(|| env("CHATSTATS_DATA_DIR").map(PathBuf::from))
        {
            Some(dir) => dir,
            None => default_data_dir()?,
        };
        let path = data_dir.join(CONFIG_FILE);
        let file = read(&path)?;
        let sources = Sources {
            env: &env,
            path: &path,
        };

        let listen = sources.pick("listen", flags.listen, file.listen);
        let listen = listen.map_or(Ok(DEFAULT_LISTEN), |said| said.parse(address))?;
        let heartbeat_s = sources.pick(
            "heartbeat_s",
            flags.heartbeat_s.map(|s| s.to_string()),
            file.heartbeat_s.map(|s| s.to_string()),
        );
        let heartbeat_s = heartbeat_s.map_or(Ok(DEFAULT_HEARTBEAT_S), |said| said.parse(heartbeat))?;
        let events_kept = sources.pick("events_kept", None, file.events_kept.map(|kept| kept.to_string()));
        let events_kept = events_kept.map_or(Ok(ENTRIES_KEPT), |said| said.parse(kept))?;
        let gap = file.conversation_gap_minutes.map(|minutes| minutes.to_string());
        let gap = sources.pick("conversation_gap_minutes", None, gap);
        let gap = gap.map_or(Ok(CONVERSATION_GAP_MINUTES), |said| said.parse(gap_minutes))?;
        let token = sources.pick("token", flags.token, file.token);
        let token = token.map(|said| said.parse(Token::parse)).transpose()?;
        let zone = sources.pick("time_zone", None, file.time_zone);
        let workers = file.workers.map(|workers| workers.to_string());
        let workers = sources.pick("workers", None, workers);
        let redis_url = sources.pick("redis_url", flags.redis_url, file.redis_url);
        let are_others = redis_url.is_some();
        let in_file = |key: &str| format!("{}, {key}", path.display());
        Ok(Self {
            listen,
            heartbeat: Duration::from_secs_f64(heartbeat_s),
            events_kept,
            conversation_gap_minutes: gap,
            analysis: AnalysisConfig {
                zone: zone.map_or(Ok(TimeZone::system()), |said| said.parse(analysis::zone))?,
                on_seal: file.analyse_on_seal.unwrap_or(true),
                passes_off: analysis::passes_off(file.passes_off).map_err(|problem| ConfigError {
                    place: in_file("passes_off"),
                    problem,
                })?,
                workers: workers
                    .map(|said| said.parse(|text| analysis::workers(text, are_others)))
                    .transpose()?,
            },
            llm: llm(file.llm).map_err(|problem| ConfigError {
                place: in_file("llm"),
                problem,
            })?,
            redis_url,
            token,
            allowed_hosts: all(&file.allowed_hosts, &in_file("allowed_hosts"), AllowedHost::parse)?,
            allowed_origins: all(
                &file.allowed_origins,
                &in_file("allowed_origins"),
                AllowedOrigin::parse,
            )?,
            data_dir,
        })
    }
}

/// Where settings other than flags are said.
struct Sources<'a, E> {
    env: &'a E,
    path: &'a Path,
}

/// A value, and where it was said.
#[derive(Clone)]
pub(crate) struct Said {
    pub(crate) place: String,
    pub(crate) value: String,
}

impl Said {
    /// Whether it was typed with this command, and is not a setting that stands.
    pub(crate) fn is_flag(&self) -> bool {
        self.place.starts_with("--")
    }
}

// A value may hold a password, which must not reach a log by way of a derived `Debug`.
impl std::fmt::Debug for Said {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Said({}, …)", self.place)
    }
}

impl<E: Fn(&str) -> Option<String>> Sources<'_, E> {
    fn pick(&self, key: &str, flag: Option<String>, file: Option<String>) -> Option<Said> {
        let variable = format!("CHATSTATS_{}", key.to_ascii_uppercase());
        let said = |place: String| move |value| Said { place, value };
        flag.map(said(format!("--{}", key.replace('_', "-"))))
            .or_else(|| (self.env)(&variable).map(said(variable)))
            .or_else(|| file.map(said(format!("{}, {key}", self.path.display()))))
    }
}

impl Said {
    fn parse<T>(self, parse: impl Fn(&str) -> Result<T, String>) -> Result<T, ConfigError> {
        parse(&self.value).map_err(|problem| ConfigError {
            place: self.place,
            problem,
        })
    }
}

fn all<T>(
    values: &[String],
    place: &str,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Result<Vec<T>, ConfigError> {
    let problem = |problem| ConfigError {
        place: place.to_owned(),
        problem,
    };
    values.iter().map(|value| parse(value).map_err(problem)).collect()
}

fn read(path: &Path) -> Result<File, StartError> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(File::default()),
        Err(source) => {
            return Err(StartError::Io {
                path: path.to_owned(),
                source,
            });
        }
    };
    let unusable = |error: toml::de::Error| ConfigError {
        place: path.display().to_string(),
        // The full text would quote the line, and with it perhaps the token.
        problem: error.message().to_owned(),
    };
    Ok(toml::from_str(&text).map_err(unusable)?)
}

fn default_data_dir() -> Result<PathBuf, ConfigError> {
    let dirs = directories::ProjectDirs::from("org", "ChatStats", "chatstats");
    dirs.map(|dirs| dirs.data_dir().to_owned())
        .ok_or_else(|| ConfigError {
            place: "--data-dir".to_owned(),
            problem: "no home directory was found; say where to keep the data".to_owned(),
        })
}

fn address(text: &str) -> Result<SocketAddr, String> {
    let found = text.to_socket_addrs().ok().and_then(|mut found| {
        // `localhost` may mean both; the printed address is an IPv4 one.
        let all: Vec<_> = found.by_ref().collect();
        all.iter().find(|addr| addr.is_ipv4()).or(all.first()).copied()
    });
    found.ok_or_else(|| format!("{text:?} is not an address to listen on; it looks like 127.0.0.1:8765"))
}

fn heartbeat(text: &str) -> Result<f64, String> {
    let seconds = text
        .parse()
        .ok()
        .filter(|seconds| HEARTBEAT_S_RANGE.contains(seconds));
    seconds.ok_or_else(|| {
        let (min, max) = (HEARTBEAT_S_RANGE.start(), HEARTBEAT_S_RANGE.end());
        format!("{text:?} is not a number of seconds from {min} to {max}")
    })
}

fn kept(text: &str) -> Result<u64, String> {
    let kept = text.parse().ok().filter(|kept| EVENTS_KEPT_RANGE.contains(kept));
    kept.ok_or_else(|| {
        let (min, max) = (EVENTS_KEPT_RANGE.start(), EVENTS_KEPT_RANGE.end());
        format!("{text:?} is not a number of events from {min} to {max}")
    })
}

/// A table that is switched off may be half filled in.
fn llm(settings: chatstats_llm::Settings) -> Result<chatstats_llm::Settings, String> {
    if settings.enabled {
        settings.check().map_err(|error| error.to_string())?;
    }
    Ok(settings)
}

fn gap_minutes(text: &str) -> Result<u32, String> {
    let range = 1..=CONVERSATION_GAP_MINUTES_MAX;
    let minutes = text.parse().ok().filter(|minutes| range.contains(minutes));
    minutes.ok_or_else(|| {
        format!("{text:?} is not a number of minutes from 1 to {CONVERSATION_GAP_MINUTES_MAX}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(flags: Overrides, env: &[(&str, &str)], file: Option<&str>) -> Result<Config, StartError> {
        let dir = tempfile::tempdir().expect("a folder");
        if let Some(text) = file {
            std::fs::write(dir.path().join(CONFIG_FILE), text).expect("written");
        }
        let flags = Overrides {
            data_dir: Some(dir.path().to_owned()),
            ..flags
        };
        let get = |name: &str| {
            env.iter()
                .find(|(n, _)| *n == name)
                .map(|(_, value)| (*value).to_owned())
        };
        Config::load_with(flags, get)
    }

    fn flag(listen: &str) -> Overrides {
        Overrides {
            listen: Some(listen.to_owned()),
            ..Overrides::default()
        }
    }

    #[test]
    fn a_flag_beats_a_variable_beats_the_file_beats_the_default() {
        let env = [("CHATSTATS_LISTEN", "127.0.0.1:2")];
        let file = Some("listen = \"127.0.0.1:3\"\nheartbeat_s = 5");
        let port = |config: Result<Config, StartError>| config.expect("valid").listen.port();
        assert_eq!(port(load(flag("127.0.0.1:1"), &env, file)), 1);
        assert_eq!(port(load(Overrides::default(), &env, file)), 2);
        assert_eq!(
            port(load(Overrides::default(), &[("CHATSTATS_LISTEN", "")], file)),
            3
        );
        assert_eq!(port(load(Overrides::default(), &[], None)), 8765);
        assert_eq!(
            load(Overrides::default(), &[], file).expect("valid").heartbeat,
            Duration::from_secs(5)
        );
        assert_eq!(
            load(Overrides::default(), &[], None).expect("valid").heartbeat,
            Duration::from_secs(30)
        );
    }

    #[test]
    fn a_mistake_is_told_with_its_place() {
        type Case<'a> = (&'a [(&'a str, &'a str)], Option<&'a str>, &'a [&'a str]);
        let cases: &[Case] = &[
            (
                &[("CHATSTATS_LISTEN", "nonsense")],
                None,
                &["CHATSTATS_LISTEN", "nonsense"],
            ),
            (
                &[("CHATSTATS_HEARTBEAT_S", "0")],
                None,
                &["CHATSTATS_HEARTBEAT_S", "0"],
            ),
            (
                &[("CHATSTATS_HEARTBEAT_S", "NaN")],
                None,
                &["CHATSTATS_HEARTBEAT_S"],
            ),
            (&[("CHATSTATS_TOKEN", "two words")], None, &["CHATSTATS_TOKEN"]),
            (&[], Some("events_kept = 1"), &["config.toml, events_kept", "100"]),
            (
                &[],
                Some("conversation_gap_minutes = 0"),
                &["config.toml, conversation_gap_minutes", "10080"],
            ),
            (
                &[],
                Some("time_zone = \"Berlin\""),
                &["config.toml, time_zone", "Berlin"],
            ),
            (&[], Some("workers = 257"), &["config.toml, workers", "256"]),
            (&[], Some("workers = 0"), &["config.toml, workers", "redis_url"]),
            (
                &[],
                Some("passes_off = [\"language\"]"),
                &["config.toml, passes_off", "topics"],
            ),
            (&[], Some("[llm]\nenabeld = true"), &["config.toml", "enabeld"]),
            (&[], Some("[llm]\nenabled = true"), &["config.toml, llm", "model"]),
            (
                &[],
                Some("[llm]\nenabled = true\nmodel = \"m\"\nbase_url = \"https://elsewhere.example/v1\""),
                &[
                    "config.toml, llm",
                    "elsewhere.example",
                    "may_leave_machine = true",
                ],
            ),
            (&[], Some("lisen = \"127.0.0.1:3\""), &["config.toml", "lisen"]),
            (&[], Some("listen = 3"), &["config.toml"]),
            (
                &[],
                Some("allowed_origins = [\"*\"]"),
                &["config.toml, allowed_origins", "*"],
            ),
            (
                &[],
                Some("allowed_origins = [\"http://a/b\"]"),
                &["allowed_origins", "http://a/b"],
            ),
            (
                &[],
                Some("allowed_hosts = [\"*\"]"),
                &["config.toml, allowed_hosts", "*"],
            ),
        ];
        for (env, file, wanted) in cases {
            let error = load(Overrides::default(), env, *file)
                .expect_err("refused")
                .to_string();
            assert!(wanted.iter().all(|part| error.contains(part)), "{error}");
        }
    }

    #[test]
    fn the_language_model_is_off_unless_switched_on() {
        let llm = |file: &str| load(Overrides::default(), &[], Some(file)).expect("valid").llm;
        assert!(!llm("").enabled);
        assert!(!llm("[llm]\nmodel = \"m\"\nbase_url = \"https://elsewhere.example\"").enabled);
        let on = llm("[llm]\nenabled = true\nmodel = \"m\"");
        assert!(on.enabled && !on.leaves_machine());
    }

    #[test]
    fn settings_that_are_printed_do_not_tell_the_password_of_redis() {
        let env = [("CHATSTATS_REDIS_URL", "redis://:very-secret@localhost")];
        let config = load(Overrides::default(), &env, None).expect("valid");
        assert!(!format!("{config:?}").contains("very-secret"));
        assert!(format!("{config:?}").contains("CHATSTATS_REDIS_URL"));
    }

    #[test]
    fn a_broken_file_does_not_put_the_token_into_the_message() {
        let error = load(Overrides::default(), &[], Some("token = \"very-secret\" x")).expect_err("refused");
        assert!(!format!("{error} {error:?}").contains("very-secret"), "{error}");
    }
}
