//! What promises and requests look like, a file per language. The rules are data; `find.rs` reads them.

mod de;
mod en;
mod es;
mod fr;
mod it;
mod pt;

use super::{Act, CommitmentKind};
use crate::dates::Language;

/// What is known of a language. All words are in lower case, parted by one space, apostrophes as '.
pub(super) struct Rules {
    pub(super) language: Language,
    /// What begins a promise or a request.
    pub(super) cues: &'static [Cue],
    /// What may stand between a cue and its verb.
    pub(super) between: &'static [&'static str],
    /// What may stand before a cue that begins its sentence.
    pub(super) openers: &'static [&'static str],
    /// Verbs, with what must follow them, that are worth noting.
    pub(super) acts: &'static [(&'static str, Act)],
    /// What may stand before a verb as part of its word: "t'" in "t'envoyer".
    pub(super) prefixes: &'static [&'static str],
    /// What may stand behind a verb as part of its word: "me" in "enviarme".
    pub(super) suffixes: &'static [&'static str],
    /// Phrases that mean something else: a sentence with one of them says nothing.
    pub(super) idioms: &'static [&'static str],
    /// Before a cue of a promise: doubt, conditions, other people's words.
    pub(super) no_promise_before: &'static [&'static str],
    /// After a cue of a promise: conditions, negation.
    pub(super) no_promise_after: &'static [&'static str],
    /// Those of them that begin an indirect question: after "check" they are no condition.
    pub(super) whether: &'static [&'static str],
    /// Before a cue of a request: other people's words.
    pub(super) no_request_before: &'static [&'static str],
    /// At the start of a sentence that asks for an answer, not for a deed.
    pub(super) questions: &'static [&'static str],
    /// The person written to: "you".
    pub(super) you: &'static [&'static str],
    /// "please".
    pub(super) please: &'static [&'static str],
    /// What says that something has been done.
    pub(super) done: &'static [(&'static str, Act)],
    /// In the same sentence: it has not, or somebody else did it.
    pub(super) not_done: &'static [&'static str],
    /// Words that two sentences share without being about the same.
    pub(super) common: &'static [&'static str],
}

/// What begins a promise or a request.
#[derive(Clone, Copy)]
pub(super) struct Cue {
    pub(super) phrase: &'static str,
    pub(super) kind: CommitmentKind,
    pub(super) then: Then,
    pub(super) need: Need,
    /// Whether it counts only at the start of a sentence, or after openers.
    pub(super) at_start: bool,
}

/// What must follow a cue.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    /// A verb of `acts`.
    Act,
    /// A verb of `acts`, somewhere.
    ActLater,
    /// The verb is in the cue.
    Is(Act),
}

/// What a sentence must have besides.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// Nothing.
    Nothing,
    /// One word more behind the verb.
    Object,
    /// A due date.
    Due,
    /// The person written to, or a due date.
    YouOrDue,
    /// "please", or the writer ("me", "us"), or a due date.
    Favour,
}

const fn promise(phrase: &'static str) -> Cue {
    Cue {
        phrase,
        kind: CommitmentKind::Promise,
        then: Then::Act,
        need: Need::Nothing,
        at_start: false,
    }
}

const fn request(phrase: &'static str) -> Cue {
    Cue {
        phrase,
        kind: CommitmentKind::Request,
        then: Then::Act,
        need: Need::Object,
        at_start: false,
    }
}

impl Cue {
    const fn at_start(self) -> Self {
        Self {
            at_start: true,
            ..self
        }
    }

    const fn later(self) -> Self {
        Self {
            then: Then::ActLater,
            need: Need::Nothing,
            ..self
        }
    }

    const fn is(self, act: Act) -> Self {
        Self {
            then: Then::Is(act),
            need: Need::Nothing,
            ..self
        }
    }

    const fn needs(self, need: Need) -> Self {
        Self { need, ..self }
    }
}

/// The rules of a language.
pub(super) fn rules(language: Language) -> &'static Rules {
    match language {
        Language::En => &en::RULES,
        Language::De => &de::RULES,
        Language::Es => &es::RULES,
        Language::Fr => &fr::RULES,
        Language::Pt => &pt::RULES,
        Language::It => &it::RULES,
    }
}

/// What is said with these, or with laughter, is not taken as said.
pub(super) const JOKES: &[&str] = &["jk", "kidding", "lmfao"];
