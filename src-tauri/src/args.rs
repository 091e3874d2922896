use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// What the program was asked to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// Open the window.
    Open(Start),
    /// Print a text and leave.
    Print(String),
    /// Say what is wrong and leave with exit code 2.
    WrongUse(String),
}

/// How to start.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Start {
    /// Files and folders to import.
    pub(crate) paths: Vec<PathBuf>,
    /// The address to listen on, instead of the one in the settings.
    pub(crate) listen: Option<String>,
    /// The data directory, instead of the one in the settings.
    pub(crate) data_dir: Option<PathBuf>,
}

/// More paths than a person selects in a file manager; the rest is refused, not silently cut.
const PATHS_MAX: usize = 1_000;

/// Reads the arguments that follow the program's name; relative paths are taken from `directory`.
///
/// The second start of the program passes through here too: its arguments arrive in the first one, with its directory.
pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>, directory: &Path) -> Request {
    let mut start = Start::default();
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        match argument.to_str() {
            Some("--") => {
                start
                    .paths
                    .extend(arguments.by_ref().map(|path| directory.join(path)));
            }
            Some("--help" | "-h") => return Request::Print(HELP.to_owned()),
            Some("--version" | "-V") => return Request::Print(version()),
            // Old versions of macOS start a program from the Finder with its process serial number.
            Some(text) if text.starts_with("-psn_") => {}
            Some(text) if text.starts_with('-') => {
                if let Err(why) = option(&mut start, text, &mut arguments, directory) {
                    return Request::WrongUse(why);
                }
            }
            _ => start.paths.push(directory.join(argument)),
        }
    }
    if start.paths.len() > PATHS_MAX {
        return Request::WrongUse(format!(
            "{} files at once; at most {PATHS_MAX} are taken",
            start.paths.len()
        ));
    }
    Request::Open(start)
}

/// Takes `--name value` or `--name=value`.
fn option(
    start: &mut Start,
    text: &str,
    rest: &mut impl Iterator<Item = OsString>,
    directory: &Path,
) -> Result<(), String> {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, Some(OsString::from(value))),
        None => (text, None),
    };
    if !["--listen", "--data-dir"].contains(&name) {
        return Err(format!("unknown option {name}; --help lists what there is"));
    }
    let Some(value) = value.or_else(|| rest.next()) else {
        return Err(format!("{name} needs a value"));
    };
    if name == "--data-dir" {
        start.data_dir = Some(directory.join(value));
    } else {
        start.listen = Some(
            value
                .into_string()
                .map_err(|_| format!("{name} needs an address such as 127.0.0.1:0"))?,
        );
    }
    Ok(())
}

fn version() -> String {
    format!("chatstats-desktop {}", env!("CARGO_PKG_VERSION"))
}

const HELP: &str = "\
ChatStats: your chats, read and counted on your own machine.

Usage: chatstats-desktop [OPTIONS] [FILE OR FOLDER…]

The files are imported. If ChatStats is open already, its window takes them.

Options:
      --listen ADDRESS  listen there instead of 127.0.0.1:8765
      --data-dir DIR    keep everything there
  -h, --help            print this
  -V, --version         print the version

The variables and the config.toml of `chatstats serve` count here too.";

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(arguments: &[&str]) -> Request {
        parse(arguments.iter().map(OsString::from), Path::new("/home/ada"))
    }

    fn open(paths: &[&str]) -> Request {
        Request::Open(Start {
            paths: paths.iter().map(PathBuf::from).collect(),
            ..Start::default()
        })
    }

    #[test]
    fn relative_files_are_taken_from_the_directory_of_whoever_asked() {
        assert_eq!(
            parsed(&["chat.txt", "/media/export.zip"]),
            open(&["/home/ada/chat.txt", "/media/export.zip"])
        );
    }

    #[test]
    fn a_file_may_begin_with_a_dash_after_two_dashes() {
        assert_eq!(
            parsed(&["--", "-h", "--"]),
            open(&["/home/ada/-h", "/home/ada/--"])
        );
    }

    #[test]
    fn options_take_their_value_in_either_form() {
        let expected = Request::Open(Start {
            paths: vec![PathBuf::from("/home/ada/chat.txt")],
            listen: Some("127.0.0.1:0".to_owned()),
            data_dir: Some(PathBuf::from("/home/ada/data")),
        });
        assert_eq!(
            parsed(&["--listen", "127.0.0.1:0", "--data-dir=data", "chat.txt"]),
            expected
        );
    }

    #[test]
    fn an_unknown_option_or_one_without_its_value_is_wrong_use_and_not_a_file() {
        assert!(matches!(parsed(&["--fullscreen"]), Request::WrongUse(why) if why.contains("--fullscreen")));
        assert!(matches!(parsed(&["--listen"]), Request::WrongUse(why) if why.contains("--listen")));
    }

    #[test]
    fn too_many_files_are_refused_rather_than_cut() {
        let many = vec!["chat.txt"; PATHS_MAX + 1];
        assert!(matches!(parsed(&many), Request::WrongUse(_)));
        assert!(matches!(parsed(&many[1..]), Request::Open(start) if start.paths.len() == PATHS_MAX));
    }
}
