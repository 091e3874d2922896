//! Whether what was promised or asked for was done, as far as one conversation shows it.

use chatstats_model::{Message, MessageId};

use super::find::{done_in, has_any, is_verb};
use super::people::may_fulfil;
use super::rules::rules;
use super::sentences::Sentence;
use super::{Act, Commitment, Commitments, DoneSignal, FOUND_MAX, SIGNALS_MAX, StatusInConversation};
use crate::dates::Language;

/// "Done" alone belongs to what was said at most so many messages before.
const DIRECTLY_MAX: usize = 4;
/// A file is what somebody meant to send if it comes at most so many messages later.
const ATTACHMENT_MAX: usize = 6;
/// A request and the promise that answers it lie at most so many messages apart, and are done together.
const PAIR_MAX: usize = 3;
/// Words by which a commitment is recognised again.
const WORDS_MAX: usize = 8;

/// The commitments of a conversation while it is read.
#[derive(Default)]
pub(super) struct Open {
    /// With the place of their message.
    found: Vec<(usize, Commitment)>,
    signals: Vec<DoneSignal>,
    left_out: u32,
}

impl Open {
    /// Notes what the message at `index` promises or asks for.
    pub(super) fn add(&mut self, index: usize, found: Vec<Commitment>) {
        for commitment in found {
            if self.found.len() < FOUND_MAX {
                self.found.push((index, commitment));
            } else {
                self.left_out += 1;
            }
        }
    }

    /// Somebody says in the message at `index` that something is done.
    pub(super) fn signal(&mut self, index: usize, signal: DoneSignal) {
        let fulfilled = self.fulfilled(index, &signal);
        for &at in &fulfilled {
            done(&mut self.found[at].1, signal.message_id);
        }
        // What names no thing can only be understood where it was said.
        if fulfilled.is_empty() && signal.act != Act::Any && !signal.words.is_empty() {
            if self.signals.len() < SIGNALS_MAX {
                self.signals.push(signal);
            } else {
                self.left_out += 1;
            }
        }
    }

    /// A file soon after "I'll send you the file" is that file.
    pub(super) fn attachments(&mut self, index: usize, message: &Message) {
        let is_file = |kind: &str| {
            !matches!(
                kind,
                "sticker" | "animation" | "contact" | "location" | "poll" | "voice"
            )
        };
        if !message
            .attachments
            .iter()
            .any(|file| is_file(file.kind.as_deref().unwrap_or_default()))
        {
            return;
        }
        for (at, commitment) in &mut self.found {
            let sends = commitment.act == Act::Send && is_open(commitment) && index - *at <= ATTACHMENT_MAX;
            if sends && may_fulfil(commitment, message.sender_id, message.is_from_me) {
                done(commitment, message.id);
            }
        }
    }

    /// The result.
    pub(super) fn finish(self) -> Commitments {
        let found = self.found.into_iter().map(|(_, commitment)| commitment).collect();
        Commitments {
            found,
            signals: self.signals,
            left_out: self.left_out,
        }
    }

    /// The places of what a signal fulfils: what it names, or, if it names nothing, what was said last.
    fn fulfilled(&self, index: usize, signal: &DoneSignal) -> Vec<usize> {
        let waits = |at: &usize| {
            let commitment = &self.found[*at].1;
            is_open(commitment) && may_fulfil(commitment, signal.by, signal.by_me)
        };
        let waiting: Vec<usize> = (0..self.found.len()).filter(waits).collect();
        if !signal.words.is_empty() {
            let named = |at: &usize| is_about(&self.found[*at].1, signal);
            return waiting.into_iter().filter(named).collect();
        }
        let fits = |at: &usize| match signal.act {
            Act::Any => index - self.found[*at].0 <= DIRECTLY_MAX,
            act => agree(self.found[*at].1.act, act),
        };
        let fitting: Vec<usize> = waiting.into_iter().filter(fits).collect();
        let Some(&last) = fitting.last() else {
            return Vec::new();
        };
        let pair = |at: &usize| {
            let (one, other) = (&self.found[*at], &self.found[last]);
            other.0 - one.0 <= PAIR_MAX && agree(one.1.act, other.1.act)
        };
        fitting.into_iter().filter(pair).collect()
    }
}

fn is_open(commitment: &Commitment) -> bool {
    commitment.status_in_conversation == StatusInConversation::Open
}

fn done(commitment: &mut Commitment, by: MessageId) {
    commitment.status_in_conversation = StatusInConversation::Done;
    commitment.done_by = Some(by);
}

/// Whether a signal names what a commitment is about: the same kind of deed, and more than half of the words of the
/// one that has fewer.
pub(super) fn is_about(commitment: &Commitment, signal: &DoneSignal) -> bool {
    let shared = commitment
        .words
        .iter()
        .filter(|word| signal.words.contains(word))
        .count();
    let fewer = commitment.words.len().min(signal.words.len());
    agree(commitment.act, signal.act) && shared * 2 > fewer
}

/// Whether two kinds of deeds may be one deed: what is bought is often said to be brought.
fn agree(one: Act, other: Act) -> bool {
    use Act::{Any, Ask, Bring, Buy, Call, Do, Fix, Send, Tell};
    one == other
        || matches!(
            (one, other),
            (_, Any)
                | (Buy, Bring)
                | (Bring, Buy)
                | (Do, Fix)
                | (Fix, Do)
                | (Send, Bring)
                | (Tell, Call)
                | (Call, Tell)
                | (Tell, Ask)
                | (Ask, Tell)
                | (Ask, Call)
        )
}

/// What a sentence says to be done, and of what.
pub(super) fn said_done(sentence: &Sentence<'_>, languages: &[Language]) -> Option<(Act, Vec<String>)> {
    if sentence.asks {
        return None;
    }
    languages.iter().find_map(|&language| {
        let rules = rules(language);
        let words = &sentence.words;
        let (act, range) = done_in(words, language)?;
        // What another clause says is another matter: "called the plumber, he comes on Monday".
        let clause = (range.end..words.len())
            .find(|at| sentence.pauses[*at])
            .unwrap_or(words.len());
        if has_any(&words[..clause], rules.not_done) {
            return None;
        }
        let rest: Vec<String> = [&words[..range.start], &words[range.end..]].concat();
        Some((act, content_words(&rest, language)))
    })
}

/// The words that say what a sentence is about, without the endings of plurals, each once.
pub(super) fn content_words(words: &[String], language: Language) -> Vec<String> {
    let rules = rules(language);
    let mut content: Vec<String> = Vec::new();
    for word in words {
        let says_little =
            word.chars().count() < 3 || word.contains('\'') || word.starts_with(char::is_numeric);
        let listed = rules.common.contains(&word.as_str()) || rules.openers.contains(&word.as_str());
        if says_little || listed || is_verb(word, language) {
            continue;
        }
        let stem = word
            .strip_suffix('s')
            .filter(|stem| stem.chars().count() > 2)
            .unwrap_or(word);
        if content.len() < WORDS_MAX && !content.iter().any(|known| known == stem) {
            content.push(stem.to_owned());
        }
    }
    content
}
