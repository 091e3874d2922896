//! The token that lets somebody in: made at first start, kept in the data directory, replaced by `token --rotate`.

use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use subtle::ConstantTimeEq;

use crate::data_dir::write_private;
use crate::error::StartError;

/// The token's file name in the data directory.
const TOKEN_FILE: &str = "token";

/// Random bytes in a token: as strong as the strongest keys in use, and nobody types it.
const TOKEN_BYTES: usize = 32;

/// A token: letters, digits and `-._~`, so that it stands in addresses, headers and cookies as it is.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Token(String);

// A token must not reach a log by way of a derived `Debug`.
impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}

impl Token {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        if text.is_empty() || !text.bytes().all(plain) {
            return Err("a token consists of letters, digits and - . _ ~".to_owned());
        }
        Ok(Self(text.to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether `offered` is this token. Takes the same time wherever they differ.
    fn matches(&self, offered: &[u8]) -> bool {
        self.0.as_bytes().ct_eq(offered).into()
    }

    fn random() -> std::io::Result<Self> {
        let mut bytes = [0; TOKEN_BYTES];
        getrandom::fill(&mut bytes).map_err(std::io::Error::other)?;
        Ok(Self(URL_SAFE_NO_PAD.encode(bytes)))
    }
}

/// The token in force: the one of this run, or the one in the file as it is at the moment.
pub(crate) struct Tokens {
    current: Mutex<Current>,
    /// None for a token of this run only.
    file: Option<PathBuf>,
}

struct Current {
    token: Token,
    stamp: Option<Stamp>,
}

/// Tells one version of the file from the next. A rotation replaces the file, so its number changes as well.
#[derive(PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    number: u64,
}

/// What came of a look at the offered token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Checked {
    /// It is the token.
    pub(crate) right: bool,
    /// The token was replaced since the last look: whoever came in with the old one must go.
    pub(crate) rotated: bool,
}

impl Tokens {
    /// The token of this run if there is one, else the kept one, made if there is none.
    pub(crate) fn open(data_dir: &Path, of_this_run: Option<Token>) -> Result<Self, StartError> {
        if let Some(token) = of_this_run {
            return Ok(Self {
                current: Mutex::new(Current { token, stamp: None }),
                file: None,
            });
        }
        let token = kept(data_dir)?;
        let file = data_dir.join(TOKEN_FILE);
        let stamp = stamp(&file);
        Ok(Self {
            current: Mutex::new(Current { token, stamp }),
            file: Some(file),
        })
    }

    /// The token in force.
    pub(crate) fn current(&self) -> Token {
        self.current
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .token
            .clone()
    }

    /// Compares with the token in force. Looks at the file's stamp each time (a microsecond), so that a token that
    /// was rotated away is refused at once, and not only when somebody comes with the new one.
    pub(crate) fn check(&self, offered: Option<&[u8]>) -> Checked {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let rotated = self.refresh(&mut current);
        let right = offered.is_some_and(|offered| current.token.matches(offered));
        Checked { right, rotated }
    }

    fn refresh(&self, current: &mut Current) -> bool {
        let Some(file) = &self.file else { return false };
        let now = stamp(file);
        // A file that is away for the moment, or half written by hand, changes nothing.
        if now.is_none() || now == current.stamp {
            return false;
        }
        let Some(token) = read(file) else { return false };
        current.stamp = now;
        let rotated = token != current.token;
        current.token = token;
        rotated
    }
}

/// The kept token, made if there is none.
pub(crate) fn kept(data_dir: &Path) -> Result<Token, StartError> {
    let file = data_dir.join(TOKEN_FILE);
    match std::fs::read_to_string(&file) {
        Ok(text) => Token::parse(text.trim()).map_err(|problem| {
            let problem = format!("{problem}; make a new one with `chatstats token --rotate`");
            StartError::Io {
                path: file,
                source: std::io::Error::other(problem),
            }
        }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => rotate(data_dir),
        Err(source) => Err(StartError::Io { path: file, source }),
    }
}

/// Replaces the kept token. A running server uses the new one from its next request on.
pub(crate) fn rotate(data_dir: &Path) -> Result<Token, StartError> {
    let file = data_dir.join(TOKEN_FILE);
    let made = Token::random().and_then(|token| {
        write_private(&file, format!("{}\n", token.as_str()).as_bytes())?;
        Ok(token)
    });
    made.map_err(StartError::io(file))
}

fn read(file: &Path) -> Option<Token> {
    Token::parse(std::fs::read_to_string(file).ok()?.trim()).ok()
}

fn stamp(file: &Path) -> Option<Stamp> {
    let meta = std::fs::metadata(file).ok()?;
    Some(Stamp {
        modified: meta.modified().ok(),
        number: number(&meta),
    })
}

#[cfg(unix)]
fn number(meta: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(meta)
}

#[cfg(not(unix))]
fn number(meta: &Metadata) -> u64 {
    meta.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_is_made_once_and_kept() {
        let dir = tempfile::tempdir().expect("a folder");
        let first = kept(dir.path()).expect("made");
        assert_eq!(first.as_str().len(), 43, "32 bytes in base64url");
        assert_eq!(kept(dir.path()).expect("kept"), first);
    }

    #[test]
    fn after_a_rotation_only_the_new_token_is_right() {
        let dir = tempfile::tempdir().expect("a folder");
        let tokens = Tokens::open(dir.path(), None).expect("opened");
        let old = tokens.current();
        let check = |token: &Token| tokens.check(Some(token.as_str().as_bytes()));
        assert_eq!(
            check(&old),
            Checked {
                right: true,
                rotated: false
            }
        );
        let new = rotate(dir.path()).expect("rotated");
        assert_eq!(
            check(&old),
            Checked {
                right: false,
                rotated: true
            }
        );
        assert_eq!(
            check(&new),
            Checked {
                right: true,
                rotated: false
            }
        );
        assert_eq!(
            tokens.check(None),
            Checked {
                right: false,
                rotated: false
            }
        );
    }

    #[test]
    fn a_token_of_this_run_is_not_kept() {
        let dir = tempfile::tempdir().expect("a folder");
        let token = Token::parse("of-this-run").expect("valid");
        let tokens = Tokens::open(dir.path(), Some(token)).expect("opened");
        rotate(dir.path()).expect("rotated");
        assert!(tokens.check(Some(b"of-this-run")).right);
        assert!(!tokens.check(Some(b"of-this-ru")).right);
        assert!(!tokens.check(Some(b"of-this-run-")).right);
        assert!(!tokens.check(Some(b"")).right);
    }

    #[test]
    fn the_token_is_not_in_the_debug_form() {
        let token = Token::parse("very-secret").expect("valid");
        assert_eq!(format!("{token:?}"), "Token(…)");
    }
}
