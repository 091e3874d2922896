//! Sentences to promises and requests: reads the rules.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use chatstats_model::Timestamp;
use jiff::tz::TimeZone;

use super::rules::{Cue, JOKES, Need, Rules, Then, rules};
use super::sentences::Sentence;
use super::{Act, CommitmentKind};
use crate::dates::{Due, Language, due};
use crate::text::is_laughter;

/// A promise or a request in a sentence.
pub(super) struct Hit {
    pub(super) kind: CommitmentKind,
    pub(super) act: Act,
    pub(super) due: Option<Due>,
    pub(super) language: Language,
}

/// When and where a message was written, and in which languages it may be.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    pub(super) sent: Timestamp,
    pub(super) zone: &'a TimeZone,
    pub(super) languages: &'a [Language],
}

/// The languages in which `text` holds what could begin a promise or a request, or say that something is done. Cheap:
/// in most messages that is none, and they are read no further.
pub(super) fn could_be_in(text: &str, languages: &[Language]) -> Vec<Language> {
    let at_word_start = |start: usize| !text[..start].ends_with(char::is_alphanumeric);
    let at_word_end = |end: usize| !text[end..].starts_with(char::is_alphanumeric);
    let mut found = Vec::new();
    for phrase in PREFILTER.automaton.find_overlapping_iter(text) {
        let languages_of_phrase = &PREFILTER.languages[phrase.pattern().as_usize()];
        if at_word_start(phrase.start()) && at_word_end(phrase.end()) {
            found.extend(languages_of_phrase);
        }
    }
    languages
        .iter()
        .copied()
        .filter(|language| found.contains(language))
        .collect()
}

/// The promise or request in a sentence. Where languages share a cue, the one that also reads a date wins.
pub(super) fn find(sentence: &Sentence<'_>, context: Context<'_>) -> Option<Hit> {
    if sentence
        .words
        .iter()
        .any(|word| is_laughter(word) || JOKES.contains(&word.as_str()))
    {
        return None;
    }
    let mut best: Option<Hit> = None;
    for &language in context.languages {
        let hit = Reading {
            sentence,
            rules: rules(language),
            context,
        }
        .hit();
        match (&best, &hit) {
            (None, Some(_)) => best = hit,
            (Some(known), Some(new)) if known.due.is_none() && new.due.is_some() => best = hit,
            _ => {}
        }
    }
    best
}

/// A sentence under the rules of one language.
struct Reading<'a> {
    sentence: &'a Sentence<'a>,
    rules: &'static Rules,
    context: Context<'a>,
}

impl Reading<'_> {
    fn hit(&self) -> Option<Hit> {
        let words = &self.sentence.words;
        (0..words.len()).find_map(|at| {
            let cues = CUES[self.rules.language as usize].get(words[at].as_str())?;
            cues.iter().find_map(|cue| self.hit_at(at, cue))
        })
    }

    fn hit_at(&self, at: usize, cue: &Cue) -> Option<Hit> {
        let end = phrase_end(&self.sentence.words, at, cue.phrase)?;
        let (act, after) = self.act(end, cue)?;
        let idiom = || has_any(&self.sentence.words, self.rules.idioms);
        if !self.stands_right(at, cue) || !self.is_meant(at, end, cue) || idiom() {
            return None;
        }
        let language = self.rules.language;
        let due = due(self.sentence.text, self.context.sent, self.context.zone, language);
        let hit = Hit {
            kind: cue.kind,
            act,
            due,
            language,
        };
        self.has_what_it_needs(end, after, cue.need, due).then_some(hit)
    }

    /// The deed that follows a cue, and where the words behind it begin.
    fn act(&self, end: usize, cue: &Cue) -> Option<(Act, usize)> {
        let words = &self.sentence.words;
        match cue.then {
            Then::Is(act) => Some((act, end)),
            Then::ActLater => (end..words.len()).find_map(|at| self.act_at(at)),
            Then::Act => {
                let between = |word: &String| self.rules.between.contains(&word.as_str());
                // A word that may stand between can also be a verb's first: both are tried.
                let last = end + words[end..].iter().take_while(|word| between(word)).count();
                (end..=last).rev().find_map(|at| self.act_at(at))
            }
        }
    }

    fn act_at(&self, at: usize) -> Option<(Act, usize)> {
        let words = &self.sentence.words;
        let word = words.get(at)?;
        let acts = &ACTS[self.rules.language as usize];
        let bare = self
            .rules
            .prefixes
            .iter()
            .find_map(|prefix| word.strip_prefix(prefix))
            .unwrap_or(word);
        let without = |suffix: &&str| bare.strip_suffix(*suffix).filter(|stem| acts.contains_key(stem));
        let stem = self.rules.suffixes.iter().find_map(without);
        longest(acts, words, at, bare).or_else(|| longest(acts, words, at, stem?))
    }

    fn stands_right(&self, at: usize, cue: &Cue) -> bool {
        let opens = |word: &String| self.rules.openers.contains(&word.as_str());
        // After a name and a comma a sentence begins as well: "Anna, remind me to …".
        let after_address = at > 0 && at <= 2 && self.sentence.pauses[at];
        !cue.at_start || after_address || self.sentence.words[..at].iter().all(opens)
    }

    /// No doubt, no condition, no quotation, no question about something else.
    fn is_meant(&self, at: usize, end: usize, cue: &Cue) -> bool {
        let words = &self.sentence.words;
        let (before, after) = (&words[..at], &words[end..]);
        let asks_else = self.sentence.asks && at > 0 && self.rules.questions.contains(&words[0].as_str());
        match cue.kind {
            _ if asks_else => false,
            CommitmentKind::Promise => {
                !has_any(before, self.rules.no_promise_before) && !self.is_conditional(after)
            }
            CommitmentKind::Request => !has_any(before, self.rules.no_request_before),
        }
    }

    /// "I'll call you if I'm late" promises nothing; "I'll check if it's open" does.
    fn is_conditional(&self, after: &[String]) -> bool {
        let first = after
            .iter()
            .take(3)
            .find_map(|word| ACTS[self.rules.language as usize].get(word.as_str()));
        let asks = first.is_some_and(|acts| acts.iter().any(|(_, act)| *act == Act::Ask));
        let conditions = self.rules.no_promise_after.iter();
        conditions
            .filter(|phrase| !(asks && self.rules.whether.contains(phrase)))
            .any(|phrase| contains(after, phrase))
    }

    fn has_what_it_needs(&self, end: usize, after: usize, need: Need, due: Option<Due>) -> bool {
        let words = &self.sentence.words;
        let among = |list: &[&str]| words[end..].iter().any(|word| list.contains(&word.as_str()));
        match need {
            Need::Nothing => true,
            Need::Object => after < words.len() || has_any(words, self.rules.please),
            Need::Due => due.is_some(),
            Need::YouOrDue => due.is_some() || among(self.rules.you),
            Need::Favour => due.is_some() || among(self.rules.please),
        }
    }
}

/// The first words of a sentence that say that something is done, and what.
pub(super) fn done_in(words: &[String], language: Language) -> Option<(Act, Range<usize>)> {
    let done = &DONE[language as usize];
    (0..words.len()).find_map(|at| {
        let (act, end) = longest(done, words, at, &words[at])?;
        Some((act, at..end))
    })
}

/// The longest of `phrases` whose first word is `first` and whose others follow the word at `at`, and its end.
fn longest(phrases: &Acts, words: &[String], at: usize, first: &str) -> Option<(Act, usize)> {
    phrases.get(first)?.iter().find_map(|(rest, act)| match rest {
        None => Some((*act, at + 1)),
        Some(rest) => phrase_end(words, at + 1, rest).map(|end| (*act, end)),
    })
}

/// Whether a word alone is a verb of the rules.
pub(super) fn is_verb(word: &str, language: Language) -> bool {
    let phrases = ACTS[language as usize].get(word);
    phrases.is_some_and(|phrases| phrases.iter().any(|(rest, _)| rest.is_none()))
}

/// Where `phrase` ends, if it stands at `at`.
pub(super) fn phrase_end(words: &[String], at: usize, phrase: &str) -> Option<usize> {
    let mut end = at;
    for part in phrase.split(' ') {
        if words.get(end)? != part {
            return None;
        }
        end += 1;
    }
    Some(end)
}

/// Whether one of `phrases` stands in `words`.
pub(super) fn has_any(words: &[String], phrases: &[&str]) -> bool {
    phrases.iter().any(|phrase| contains(words, phrase))
}

fn contains(words: &[String], phrase: &str) -> bool {
    // Taken apart once, and not at each word: most words are not its first.
    let first = phrase.split(' ').next().unwrap_or_default();
    let begins = |at: &usize| words[*at] == first;
    (0..words.len())
        .filter(begins)
        .any(|at| phrase_end(words, at, phrase).is_some())
}

/// What may follow a verb's first word, the longest first.
type Acts = HashMap<&'static str, Vec<(Option<&'static str>, Act)>>;

/// Each language's cues by their first word, the longest first.
static CUES: LazyLock<Vec<HashMap<&'static str, Vec<Cue>>>> = LazyLock::new(|| {
    let by_first = |language| {
        let mut cues: HashMap<_, Vec<Cue>> = HashMap::new();
        for cue in rules(language).cues {
            let first = cue.phrase.split(' ').next().unwrap_or_default();
            cues.entry(first).or_default().push(*cue);
        }
        cues.values_mut()
            .for_each(|cues| cues.sort_by_key(|cue| std::cmp::Reverse(cue.phrase.len())));
        cues
    };
    Language::ALL.into_iter().map(by_first).collect()
});

/// Each language's verbs.
static ACTS: LazyLock<Vec<Acts>> = LazyLock::new(|| {
    Language::ALL
        .map(|language| by_first(rules(language).acts))
        .into()
});

/// Each language's words for what is done.
static DONE: LazyLock<Vec<Acts>> = LazyLock::new(|| {
    Language::ALL
        .map(|language| by_first(rules(language).done))
        .into()
});

fn by_first(phrases: &'static [(&'static str, Act)]) -> Acts {
    let mut acts = Acts::new();
    for (phrase, act) in phrases {
        let (first, rest) = phrase
            .split_once(' ')
            .map_or((*phrase, None), |(first, rest)| (first, Some(rest)));
        acts.entry(first).or_default().push((rest, *act));
    }
    for phrases in acts.values_mut() {
        phrases.sort_by_key(|(rest, _)| std::cmp::Reverse(rest.map_or(0, str::len)));
    }
    acts
}

/// Finds the beginnings of cues and of words of fulfilment, in all languages at once.
struct Prefilter {
    automaton: AhoCorasick,
    /// Of each phrase.
    languages: Vec<Vec<Language>>,
}

static PREFILTER: LazyLock<Prefilter> = LazyLock::new(|| {
    let mut phrases: BTreeMap<String, Vec<Language>> = BTreeMap::new();
    for language in Language::ALL {
        let rules = rules(language);
        let cues = rules.cues.iter().map(|cue| cue.phrase);
        for phrase in cues.chain(rules.done.iter().map(|(phrase, _)| *phrase)) {
            // The first two words decide; more of them would only make the automaton larger.
            let head = phrase.splitn(3, ' ').take(2).collect::<Vec<_>>().join(" ");
            // Apostrophes are typed in two ways.
            for head in [head.replace('\'', "’"), head] {
                let languages = phrases.entry(head).or_default();
                if languages.last() != Some(&language) {
                    languages.push(language);
                }
            }
        }
    }
    let automaton = AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .kind(Some(AhoCorasickKind::DFA))
        .build(phrases.keys())
        .expect("the rules are some hundred short phrases, far below the automaton's limits");
    Prefilter {
        automaton,
        languages: phrases.into_values().collect(),
    }
});
