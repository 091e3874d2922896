//! Where the author ends and the text begins: names hold colons too, and lines of the app have no author.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::cursor::is_mark;

/// The longest author looked for. Names of contacts are free text; beyond this length a line is one of the app.
const AUTHOR_BYTES_MAX: usize = 256;

/// Colons of one line that are tried as the end of the author.
const CANDIDATES_MAX: usize = 4;

/// Names that are remembered, real and apparent. The largest groups have some thousand members; what is seen only
/// once is forgotten first.
const NAMES_MAX: usize = 20_000;

/// A name that stands before a colon this often is one, whatever it looks like.
const RECURRING: u32 = 3;

/// How often everything before a colon was seen in a file.
#[derive(Debug, Default)]
pub(super) struct Authors {
    seen: HashMap<Box<str>, u32, RandomState>,
    /// Names with a colon in them, by what stands before their first colon.
    with_colon: HashMap<Box<str>, Box<str>, RandomState>,
}

impl Authors {
    /// Notes what could be an author in what follows a header.
    pub(super) fn add(&mut self, rest: &str) {
        for end in candidates(rest) {
            let name = &rest[..end];
            match self.seen.get_mut(name) {
                Some(count) => *count = count.saturating_add(1),
                None => {
                    if self.seen.len() >= NAMES_MAX {
                        self.seen.retain(|_, count| *count > 1);
                    }
                    if self.seen.len() < NAMES_MAX {
                        self.seen.insert(name.into(), 1);
                    }
                }
            }
        }
    }

    /// To be called when all lines were added: tells names with colons from texts with colons.
    pub(super) fn settle(mut self) -> Self {
        for (name, count) in self.seen.iter().filter(|(_, count)| **count >= RECURRING) {
            let Some(colon) = name.find(": ") else { continue };
            // Who is called "Mum: work" has nearly all the lines that "Mum" seems to have.
            if u64::from(*count) * 10 < u64::from(self.count(&name[..colon])) * 9 {
                continue;
            }
            let longest = self.with_colon.entry(name[..colon].into()).or_default();
            if longest.len() < name.len() {
                *longest = name.clone();
            }
        }
        self
    }

    /// Author and text of what follows a header, or none for a line of the app itself.
    pub(super) fn split<'a>(&self, rest: &'a str) -> Option<(&'a str, &'a str)> {
        let Some(first) = candidates(rest).next() else {
            return self.split_empty(rest);
        };
        if !self.with_colon.is_empty()
            && let Some(name) = self.with_colon.get(&rest[..first])
            && let Some(after) = rest.strip_prefix(&**name)
        {
            // "Mum: work joined" is about her, and not by her.
            return after.strip_prefix(": ").map(|text| (&rest[..name.len()], text));
        }
        if self.is_app_line(&rest[..first]) {
            return None;
        }
        Some((&rest[..first], &rest[first + 2..]))
    }

    /// The authors, if there are no more than `max`; apparent ones are among them where nothing tells them apart.
    pub(super) fn at_most(&self, max: usize) -> Option<Vec<&str>> {
        let is_author = |name: &str| {
            self.split(&format!("{name}: "))
                .is_some_and(|(author, _)| author == name)
        };
        let mut names: Vec<&str> = Vec::new();
        for name in self.seen.keys().filter(|name| is_author(name)) {
            if names.len() == max {
                return None;
            }
            names.push(name);
        }
        Some(names)
    }

    /// `Name:` and nothing more is a message without text on its first line, if the name is one that wrote elsewhere.
    fn split_empty<'a>(&self, rest: &'a str) -> Option<(&'a str, &'a str)> {
        let name = rest.strip_suffix(':')?;
        (self.count(name) > 0).then_some((name, ""))
    }

    /// `Ann changed the subject to "a: b"`: a colon within quotes, or a sentence about somebody who writes here.
    fn is_app_line(&self, before_colon: &str) -> bool {
        let count = self.count(before_colon);
        if count >= RECURRING {
            return false;
        }
        clean(before_colon).is_empty()
            || quote_is_open(before_colon)
            || (count <= 1 && self.is_about_somebody(before_colon))
    }

    fn is_about_somebody(&self, sentence: &str) -> bool {
        let spaces = sentence.match_indices(' ').map(|(at, _)| at);
        let words = spaces.clone().count() + 1;
        spaces
            .enumerate()
            .any(|(at, end)| words - at > 3 && self.count(&sentence[..end]) >= 2)
    }

    fn count(&self, name: &str) -> u32 {
        self.seen.get(name).copied().unwrap_or(0)
    }
}

/// A name without the invisible marks around it.
pub(super) fn clean(name: &str) -> &str {
    name.trim_matches(is_mark)
}

fn candidates(rest: &str) -> impl Iterator<Item = usize> + '_ {
    let head = &rest.as_bytes()[..rest.len().min(AUTHOR_BYTES_MAX + 2)];
    memchr::memchr_iter(b':', head)
        .filter(|at| head.get(at + 1) == Some(&b' '))
        .take(CANDIDATES_MAX)
}

fn quote_is_open(text: &str) -> bool {
    let count = |c: char| text.matches(c).count();
    let german = count('„');
    let curly = if german > 0 {
        german > count('“') + count('”')
    } else {
        count('“') > count('”')
    };
    curly || count('"') % 2 == 1 || count('«') > count('»') || count('「') > count('」')
}
