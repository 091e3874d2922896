//! What a conversation is about: its terms, and which of them set it apart within its chat.

mod rank;
mod terms;

use std::collections::HashMap;

use chatstats_model::Message;
use foldhash::fast::FixedState;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

pub use rank::{TOPICS_MAX, Topic, rank};

use crate::pass::json;
use crate::person::ByPerson;
use crate::stopwords::StopWords;
use crate::text::written;
use crate::{Input, Language, Pass, PassError, Person};
use terms::{Term, each_term};

/// The pass.
#[derive(Clone, Copy, Debug)]
pub struct TopicsPass;

/// How many terms a conversation keeps. The chat's sums are made of them, and they are most of what analysis stores.
pub const TERMS_MAX: usize = 48;

/// How many different terms are counted. A conversation without a pause can have a million messages; what first
/// comes after so many different terms is not what it is about.
const TERMS_SEEN_MAX: usize = 50_000;

/// Two words that met once may have met by chance.
const PHRASE_COUNT_MIN: u64 = 2;

/// People are counted up to here for each term.
const PEOPLE_COUNTED_MAX: usize = u64::BITS as usize;

/// Result of the pass `topics`: what the conversation's topics, and its chat's, are computed from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Topics {
    /// Words and phrases, those said most first, at most [`TERMS_MAX`].
    pub terms: Vec<TermCount>,
    /// How often any term was said, those included that are not listed.
    #[ts(type = "number")]
    pub total: u64,
}

/// How often a term was said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export, optional_fields)]
pub struct TermCount {
    /// A word or two, in lower case.
    pub term: String,
    /// How often; left out where it is 1, as it mostly is.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    #[ts(as = "Option<f64>")]
    pub count: u64,
    /// By how many people, up to 64; left out where it is 1.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    #[ts(as = "Option<f64>")]
    pub people: u64,
}

impl TermCount {
    /// Orders terms: what was said more, then by more people, then the longer one, because long words are rarer.
    fn preference(&self, other: &Self) -> std::cmp::Ordering {
        let key = |term: &Self| (term.count, term.people, term.term.chars().count());
        key(other)
            .cmp(&key(self))
            .then_with(|| self.term.cmp(&other.term))
    }
}

fn one() -> u64 {
    1
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes fields by reference"
)]
fn is_one(count: &u64) -> bool {
    *count == 1
}

impl Pass for TopicsPass {
    fn name(&self) -> &'static str {
        "topics"
    }

    fn version(&self) -> u32 {
        1
    }

    fn about(&self) -> &'static str {
        "Words and phrases that set the conversation apart within its chat."
    }

    fn priority(&self) -> u8 {
        20
    }

    fn needs(&self) -> &'static [&'static str] {
        &["language"]
    }

    fn run(&self, input: &Input<'_>) -> Result<String, PassError> {
        let language: Language = input.results.get("language")?;
        json(&topics(input.messages, language.language.as_deref()))
    }
}

/// Counts the terms of a conversation.
pub(crate) fn topics(messages: &[Message], language: Option<&str>) -> Topics {
    let stop = StopWords::of(language);
    let mut seen = Seen::default();
    let mut people = ByPerson::<()>::new();
    for message in messages {
        let (Some(person), Some(text)) = (Person::of(message), written(message)) else {
            continue;
        };
        // Those beyond the limit share the last bit.
        let bit = 1 << people.place(person).min(PEOPLE_COUNTED_MAX - 1);
        each_term(text, stop, |term| seen.count(term, bit));
    }
    seen.finish()
}

/// The terms so far.
#[derive(Default)]
struct Seen {
    terms: HashMap<String, Tally, FixedState>,
    total: u64,
    /// A phrase is put together here before it is looked up.
    phrase: String,
}

struct Tally {
    count: u64,
    people: u64,
    is_phrase: bool,
}

impl Seen {
    fn count(&mut self, term: Term<'_>, person: u64) {
        self.total += 1;
        let (term, is_phrase) = match term {
            Term::Word(word) => (word, false),
            Term::Phrase(first, second) => {
                self.phrase.clear();
                self.phrase.extend([first, " ", second]);
                (self.phrase.as_str(), true)
            }
        };
        if let Some(tally) = self.terms.get_mut(term) {
            tally.count += 1;
            tally.people |= person;
        } else if self.terms.len() < TERMS_SEEN_MAX {
            let (count, people) = (1, person);
            let tally = Tally {
                count,
                people,
                is_phrase,
            };
            self.terms.insert(term.to_owned(), tally);
        }
    }

    fn finish(self) -> Topics {
        let telling = |tally: &Tally| !tally.is_phrase || tally.count >= PHRASE_COUNT_MIN;
        let counted = self.terms.into_iter().filter(|(_, tally)| telling(tally));
        let mut terms: Vec<_> = counted
            .map(|(term, tally)| TermCount {
                term,
                count: tally.count,
                people: u64::from(tally.people.count_ones()),
            })
            .collect();
        terms.sort_unstable_by(TermCount::preference);
        terms.truncate(TERMS_MAX);
        Topics {
            terms,
            total: self.total,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{message, turns};

    #[test]
    fn terms_are_counted_with_the_people_who_said_them() {
        let found = topics(
            &turns(&[
                "The boat leaves at six",
                "which boat?",
                "the ice cream boat",
                "ice cream!",
            ]),
            Some("en"),
        );
        let rows: Vec<_> = found
            .terms
            .iter()
            .map(|term| (term.term.as_str(), term.count, term.people))
            .collect();
        let want = [
            ("boat", 3, 2),
            ("ice cream", 2, 2),
            ("cream", 2, 2),
            ("ice", 2, 2),
            ("leaves", 1, 1),
            ("six", 1, 1),
        ];
        assert_eq!(rows, want);
        // Beside those listed: "boat leaves" and "cream boat", which were said once.
        assert_eq!(found.total, 13);
    }

    #[test]
    fn a_result_is_short_and_comes_back_whole() {
        let found = topics(&turns(&["boat", "boat trip"]), Some("en"));
        let text = serde_json::to_string(&found).expect("plain data");
        let want = r#"{"terms":[{"term":"boat","count":2,"people":2},{"term":"trip"}],"total":4}"#;
        assert_eq!(text, want);
        assert_eq!(
            serde_json::from_str::<Topics>(&text).expect("just written"),
            found
        );
    }

    #[test]
    fn a_long_conversation_keeps_what_was_said_most() {
        let mut messages: Vec<_> = (0..2_000).map(|i| message(i, 1, &format!("w{i}x"))).collect();
        messages.push(message(2_000, 1, "w7x"));
        let found = topics(&messages, None);
        assert_eq!((found.terms.len(), found.total), (TERMS_MAX, 2_001));
        assert_eq!(found.terms[0].term, "w7x");
    }

    #[test]
    fn people_are_counted_up_to_the_limit() {
        let messages: Vec<_> = (0..100).map(|i| message(i, i + 1, "boat")).collect();
        assert_eq!(topics(&messages, None).terms[0].people, PEOPLE_COUNTED_MAX as u64);
    }
}
