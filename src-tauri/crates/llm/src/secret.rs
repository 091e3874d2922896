//! A text that is shown to nobody.

use std::fmt;

use serde::Deserialize;

/// A key to somebody else's server. It is in no log and in no error: printed, it is dots.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Keeps a text to itself.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }

    /// A text of elsewhere without the secret: some servers repeat a wrong key in their answer.
    pub(crate) fn blot(&self, text: &str) -> String {
        if self.0.is_empty() {
            return text.to_owned();
        }
        text.replace(&self.0, "…")
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_printed_nowhere() {
        let secret = Secret::new("sk-12345".into());
        assert_eq!(format!("{secret:?}"), "…");
        assert_eq!(secret.blot("the key sk-12345 is wrong"), "the key … is wrong");
        assert_eq!(Secret::new(String::new()).blot("as it is"), "as it is");
    }
}
