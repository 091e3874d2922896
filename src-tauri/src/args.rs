use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// What the program was asked to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// Open the window and import these, if any.
    Open(Vec<PathBuf>),
    /// Print a text and leave.
    Print(String),
    /// Say what is wrong and leave with exit code 2.
    WrongUse(String),
}

/// More paths than a person selects in a file manager; the rest is refused, not silently cut.
const PATHS_MAX: usize = 1_000;

/// Reads the arguments that follow the program's name; relative paths are taken from `directory`.
///
/// The second start of the program passes through here too: its arguments arrive in the first one, with its directory.
pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>, directory: &Path) -> Request {
    let mut paths = Vec::new();
    let mut options_ended = false;
    for argument in arguments {
        match argument.to_str() {
            Some("--") if !options_ended => options_ended = true,
            Some("--help" | "-h") if !options_ended => return Request::Print(HELP.to_owned()),
            Some("--version" | "-V") if !options_ended => return Request::Print(version()),
            // Old versions of macOS start a program from the Finder with its process serial number.
            Some(text) if !options_ended && text.starts_with("-psn_") => {}
            Some(text) if !options_ended && text.starts_with('-') => {
                return Request::WrongUse(format!("unknown option {text}; --help lists what there is"));
            }
            _ => paths.push(directory.join(argument)),
        }
    }
    if paths.len() > PATHS_MAX {
        return Request::WrongUse(format!(
            "{} files at once; at most {PATHS_MAX} are taken",
            paths.len()
        ));
    }
    Request::Open(paths)
}

fn version() -> String {
    format!("chatstats-desktop {}", env!("CARGO_PKG_VERSION"))
}

const HELP: &str = "\
ChatStats: your chats, read and counted on your own machine.

Usage: chatstats-desktop [FILE OR FOLDER…]

The files are imported. If ChatStats is open already, its window takes them.

Options:
  -h, --help     print this
  -V, --version  print the version

Settings come from CHATSTATS_LISTEN, CHATSTATS_DATA_DIR and the other variables of `chatstats serve --help`,
and from config.toml in the data directory.";

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(arguments: &[&str]) -> Request {
        parse(arguments.iter().map(OsString::from), Path::new("/home/ada"))
    }

    #[test]
    fn relative_files_are_taken_from_the_directory_of_whoever_asked() {
        let expected = vec![
            PathBuf::from("/home/ada/chat.txt"),
            PathBuf::from("/media/export.zip"),
        ];
        assert_eq!(
            parsed(&["chat.txt", "/media/export.zip"]),
            Request::Open(expected)
        );
    }

    #[test]
    fn a_file_may_begin_with_a_dash_after_two_dashes() {
        assert_eq!(
            parsed(&["--", "-h"]),
            Request::Open(vec![PathBuf::from("/home/ada/-h")])
        );
    }

    #[test]
    fn an_unknown_option_is_wrong_use_and_not_a_file() {
        assert!(matches!(parsed(&["--fullscreen"]), Request::WrongUse(why) if why.contains("--fullscreen")));
    }

    #[test]
    fn too_many_files_are_refused_rather_than_cut() {
        let many = vec!["chat.txt"; PATHS_MAX + 1];
        assert!(matches!(parsed(&many), Request::WrongUse(_)));
        assert!(matches!(parsed(&many[1..]), Request::Open(paths) if paths.len() == PATHS_MAX));
    }
}
