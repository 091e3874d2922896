//! Which terms set a conversation apart within its chat.
//!
//! The measure is the log-odds ratio with an informative Dirichlet prior of B. L. Monroe, M. P. Colaresi and K. M. Quinn,
//! "Fightin' Words: Lexical Feature Selection and Evaluation for Identifying the Content of Political Conflict",
//! Political Analysis 16 (2008), 372–403, section 3.4. For a term that occurs *y* times among the *n* terms of the
//! conversation, and *y'* times among the *n'* of the chat's other conversations, with the prior *α* of the term and *α₀*
//! of all terms:
//!
//! > δ = ln((y + α) / (n + α₀ − y − α)) − ln((y' + α) / (n' + α₀ − y' − α))
//! >
//! > σ² ≈ 1 / (y + α) + 1 / (y' + α)
//!
//! The score is δ / σ: how many standard deviations the term's odds here lie above those elsewhere. The prior is the
//! term's share in the whole chat, which draws common words towards zero; it is at least [`PRIOR_MIN`], because what
//! occurs nowhere else would otherwise be all variance.
//!
//! What is compared with is the sum over all conversations of the chat, this one included, and it is taken out again here:
//! so the score does not depend on the order in which conversations came.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::{TermCount, Topics};

/// How many topics a conversation has: what fits under it on the screen.
pub const TOPICS_MAX: usize = 8;

/// The weight of the prior (α₀) in terms: a tenth of the chat's, but no more than those of about ten conversations.
const PRIOR_SHARE: f64 = 0.1;
const PRIOR_MAX: f64 = 1_000.0;

/// The least prior of one term.
const PRIOR_MIN: f64 = 0.5;

/// Below this many standard deviations a term does not set the conversation apart.
const SCORE_MIN: f64 = 1.5;

/// A term that sets a conversation apart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Topic {
    /// The term.
    pub term: String,
    /// How often it was said in the conversation.
    #[ts(type = "number")]
    pub count: u64,
    /// By how many standard deviations it is more common here than in the rest of the chat; two decimals. 0 in a chat's
    /// only conversation, whose topics are what was said most.
    pub score: f64,
}

/// Ranks the terms of a conversation, the most telling first, at most [`TOPICS_MAX`].
///
/// `chat_total` is the sum of [`Topics::total`], and `chat_count` of a term the sum of its counts, over the current
/// results of all conversations of the chat, this one included.
pub fn rank(topics: &Topics, chat_total: u64, chat_count: impl Fn(&str) -> u64) -> Vec<Topic> {
    let elsewhere = chat_total.saturating_sub(topics.total);
    let scored = topics.terms.iter().map(|term| {
        let score = match elsewhere {
            0 => 0.0,
            _ => score(term, topics.total, chat_count(&term.term), elsewhere),
        };
        (term, (score * 100.0).round() / 100.0)
    });
    let mut ranked: Vec<_> = scored
        .filter(|(_, score)| elsewhere == 0 || *score >= SCORE_MIN)
        .collect();
    ranked.sort_by(|(a, a_score), (b, b_score)| b_score.total_cmp(a_score).then_with(|| a.preference(b)));
    let mut chosen: Vec<Topic> = Vec::new();
    for (term, score) in ranked {
        choose(&mut chosen, term, score);
    }
    chosen.truncate(TOPICS_MAX);
    chosen
}

fn score(term: &TermCount, total: u64, chat_count: u64, elsewhere: u64) -> f64 {
    let (here, there) = (term.count as f64, chat_count.saturating_sub(term.count) as f64);
    let (n_here, n_there) = (total as f64, elsewhere as f64);
    let all = n_here + n_there;
    let prior_all = (all * PRIOR_SHARE).min(PRIOR_MAX);
    let prior = (prior_all * (here + there) / all).max(PRIOR_MIN);
    let log_odds = |y: f64, n: f64| {
        let others = n + prior_all - y - prior;
        ((y + prior) / others.max(PRIOR_MIN)).ln()
    };
    let variance = 1.0 / (here + prior) + 1.0 / (there + prior);
    (log_odds(here, n_here) - log_odds(there, n_there)) / variance.sqrt()
}

/// Adds a term, unless it says the same as one that is there already: of "surprise", "party" and "surprise party" only
/// the phrase stays, if it is at least half of what was said of the word.
fn choose(chosen: &mut Vec<Topic>, term: &TermCount, score: f64) {
    let topic = Topic {
        term: term.term.clone(),
        count: term.count,
        score,
    };
    let first = chosen
        .iter()
        .position(|other| has_word(&other.term, &topic.term) || has_word(&topic.term, &other.term));
    let Some(first) = first else {
        return chosen.push(topic);
    };
    let word = &chosen[first];
    if has_word(&topic.term, &word.term) && topic.count * 2 >= word.count {
        chosen.retain(|other| !has_word(&topic.term, &other.term));
        chosen.insert(first, topic);
    }
}

/// Whether a phrase has the word.
fn has_word(phrase: &str, word: &str) -> bool {
    phrase
        .split_once(' ')
        .is_some_and(|(first, second)| first == word || second == word)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// A chat's conversations, from their terms, and the topics of one of them.
    fn topics_of(chat: &[&Topics], index: usize) -> Vec<Topic> {
        let mut counts = BTreeMap::<&str, u64>::new();
        for term in chat.iter().flat_map(|topics| &topics.terms) {
            *counts.entry(&term.term).or_default() += term.count;
        }
        let total = chat.iter().map(|topics| topics.total).sum();
        rank(chat[index], total, |term| counts.get(term).copied().unwrap_or(0))
    }

    fn terms(counts: &[(&str, u64)]) -> Topics {
        let term = |(term, count): &(&str, u64)| TermCount {
            term: (*term).to_owned(),
            count: *count,
            people: 1,
        };
        Topics {
            terms: counts.iter().map(term).collect(),
            total: counts.iter().map(|(_, count)| count).sum(),
        }
    }

    fn names(topics: &[Topic]) -> Vec<&str> {
        topics.iter().map(|topic| topic.term.as_str()).collect()
    }

    #[test]
    fn what_everybody_says_always_is_no_topic() {
        let usual = terms(&[("work", 10), ("dinner", 10), ("train", 10)]);
        let special = terms(&[("work", 10), ("dinner", 10), ("wedding", 6), ("train", 9)]);
        let mut chat = vec![&usual; 40];
        chat.push(&special);
        assert_eq!(names(&topics_of(&chat, 40)), ["wedding"]);
        assert_eq!(topics_of(&chat, 0), []);
    }

    #[test]
    fn more_of_the_same_is_more_telling() {
        let usual = terms(&[("work", 10), ("dinner", 10), ("train", 10), ("cake", 1)]);
        let special = terms(&[("cake", 8), ("wedding", 2), ("work", 10)]);
        let mut chat = vec![&usual; 40];
        chat.push(&special);
        let found = topics_of(&chat, 40);
        assert_eq!(names(&found), ["cake", "wedding"]);
        assert!(found[0].score > found[1].score);
    }

    #[test]
    fn the_order_of_conversations_changes_nothing() {
        let a = terms(&[("boat", 4), ("work", 3)]);
        let b = terms(&[("work", 9), ("tax", 5)]);
        let c = terms(&[("work", 7), ("cat", 2), ("boat", 1)]);
        assert_eq!(topics_of(&[&a, &b, &c], 0), topics_of(&[&c, &b, &a], 2));
    }

    #[test]
    fn an_only_conversation_has_what_was_said_most() {
        let only = terms(&[("boat", 2), ("sea", 4), ("wind", 2)]);
        assert_eq!(names(&topics_of(&[&only], 0)), ["sea", "boat", "wind"]);
    }

    #[test]
    fn a_phrase_stands_for_its_words() {
        let only = terms(&[("party", 3), ("surprise", 3), ("surprise party", 3), ("cake", 1)]);
        assert_eq!(names(&topics_of(&[&only], 0)), ["surprise party", "cake"]);
        let only = terms(&[("party", 9), ("surprise party", 2)]);
        assert_eq!(names(&topics_of(&[&only], 0)), ["party"]);
    }

    #[test]
    fn there_are_never_too_many() {
        let words: Vec<String> = (0..30).map(|i| format!("word{i:02}")).collect();
        let counts: Vec<(&str, u64)> = words.iter().map(|word| (word.as_str(), 2)).collect();
        let usual = terms(&[("work", 5_000)]);
        assert_eq!(topics_of(&[&terms(&counts), &usual], 0).len(), TOPICS_MAX);
    }

    #[test]
    fn counts_that_do_not_add_up_are_borne() {
        // The chat's sums are read beside the result: a moment later they may be of another state.
        let topics = terms(&[("boat", 4)]);
        assert_eq!(rank(&topics, 0, |_| 0).len(), 1);
        assert!(rank(&topics, 100, |_| 0)[0].score.is_finite());
        assert!(rank(&topics, 5, |_| u64::MAX).is_empty());
        assert_eq!(rank(&terms(&[]), 10, |_| 1), []);
    }
}
