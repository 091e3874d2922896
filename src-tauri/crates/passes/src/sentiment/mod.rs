//! How a conversation feels, where that can be told.

mod lexicon;
mod vader;

use chatstats_model::{Message, MessageId};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::pass::json;
use crate::person::{ByPerson, beyond_limit};
use crate::text::{head, prose, written};
use crate::{Input, Language, Pass, PassError, Person};

/// The pass.
#[derive(Clone, Copy, Debug)]
pub struct SentimentPass;

/// So much of a message is scored, in bytes: a page. What is longer was pasted.
const TEXT_BYTES_MAX: usize = 2_000;

/// From here on, on either side of zero, a text is positive or negative: the authors' own threshold, in 1/10,000.
const FELT_MIN: i64 = 500;

/// In a language without a lexicon so many messages must have an emoji that says something: one heart is a habit.
const EMOJI_MESSAGES_MIN: u64 = 3;

/// Result of the pass `sentiment`. Scores go from -1, most negative, to 1, most positive, with four decimals.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Sentiment {
    /// What the scores are made of; none where nothing could be scored, and then there are no scores.
    pub source: Option<SentimentSource>,
    /// The mean of the scored messages.
    pub mean: Option<f64>,
    /// Messages scored. Lines of the app, deleted messages, calls and mere addresses are not.
    #[ts(type = "number")]
    pub messages: u64,
    /// Those with a score of 0.05 or more.
    #[ts(type = "number")]
    pub positive: u64,
    /// Those between.
    #[ts(type = "number")]
    pub neutral: u64,
    /// Those with a score of -0.05 or less.
    #[ts(type = "number")]
    pub negative: u64,
    /// The most positive message, the first of equals; none if none is positive.
    pub highest: Option<ScoredMessage>,
    /// The most negative message, the first of equals; none if none is negative.
    pub lowest: Option<ScoredMessage>,
    /// Those who wrote most of the scored messages, at most [`PEOPLE_MAX`](crate::PEOPLE_MAX).
    pub people: Vec<PersonSentiment>,
    /// The rest, summed up.
    pub others: Option<OthersSentiment>,
}

/// What scores are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "lowercase")]
#[ts(export)]
pub enum SentimentSource {
    /// English words and emoji: VADER.
    Words,
    /// Emoji alone, because there is no lexicon for the language. Messages without are not scored.
    Emoji,
}

/// A message and its score.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct ScoredMessage {
    /// The message.
    pub message_id: MessageId,
    /// Its score.
    pub score: f64,
}

/// How somebody wrote.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct PersonSentiment {
    /// The person.
    #[serde(flatten)]
    pub person: Person,
    /// The person's messages that were scored.
    #[ts(type = "number")]
    pub messages: u64,
    /// Their mean.
    pub mean: f64,
}

/// How those wrote who are not listed one by one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct OthersSentiment {
    /// How many they are.
    #[ts(type = "number")]
    pub count: u64,
    /// Their messages that were scored.
    #[ts(type = "number")]
    pub messages: u64,
    /// The mean of those messages.
    pub mean: f64,
}

impl Pass for SentimentPass {
    fn name(&self) -> &'static str {
        "sentiment"
    }

    fn version(&self) -> u32 {
        1
    }

    fn about(&self) -> &'static str {
        "How it feels, from negative to positive: English words, and emoji in every language."
    }

    fn priority(&self) -> u8 {
        30
    }

    fn needs(&self) -> &'static [&'static str] {
        &["language"]
    }

    fn run(&self, input: &Input<'_>) -> Result<String, PassError> {
        let language: Language = input.results.get("language")?;
        json(&sentiment(input.messages, language.language.as_deref()))
    }
}

/// Scores a conversation.
pub(crate) fn sentiment(messages: &[Message], language: Option<&str>) -> Sentiment {
    let source = match language {
        Some("en") => SentimentSource::Words,
        _ => SentimentSource::Emoji,
    };
    let mut total = Sum::default();
    let mut people = ByPerson::<Sum>::new();
    let mut result = Sentiment::default();
    for message in messages {
        let Some(person) = Person::of(message) else {
            continue;
        };
        let Some(score) = written(message).and_then(|text| score(text, source)) else {
            continue;
        };
        total.add(score);
        people.of(person).add(score);
        result.note(message.id, score);
    }
    if source == SentimentSource::Emoji && total.messages < EMOJI_MESSAGES_MIN || total.messages == 0 {
        return Sentiment::default();
    }
    let mut listed = people.ranked(|sum| sum.messages);
    result.others = others(beyond_limit(&mut listed));
    result.people = listed.into_iter().map(listed_person).collect();
    result.source = Some(source);
    result.mean = Some(total.mean());
    result.messages = total.messages;
    result
}

impl Sentiment {
    fn note(&mut self, message_id: MessageId, score_e4: i64) {
        let score = score_e4 as f64 / 1e4;
        let scored = Some(ScoredMessage { message_id, score });
        if score_e4 >= FELT_MIN {
            self.positive += 1;
            if self.highest.is_none_or(|highest| score > highest.score) {
                self.highest = scored;
            }
        } else if score_e4 <= -FELT_MIN {
            self.negative += 1;
            if self.lowest.is_none_or(|lowest| score < lowest.score) {
                self.lowest = scored;
            }
        } else {
            self.neutral += 1;
        }
    }
}

fn listed_person((person, sum): (Person, Sum)) -> PersonSentiment {
    PersonSentiment {
        person,
        messages: sum.messages,
        mean: sum.mean(),
    }
}

fn others(rest: Vec<(Person, Sum)>) -> Option<OthersSentiment> {
    let count = rest.len() as u64;
    let sum = rest.into_iter().map(|(_, sum)| sum).reduce(Sum::plus)?;
    Some(OthersSentiment {
        count,
        messages: sum.messages,
        mean: sum.mean(),
    })
}

/// The score of a text in 1/10,000; none for one that has nothing to score.
fn score(text: &str, source: SentimentSource) -> Option<i64> {
    let text = prose(head(text, TEXT_BYTES_MAX));
    let compound = match source {
        SentimentSource::Words if text.trim().is_empty() => return None,
        SentimentSource::Words => vader::scores(&text).compound,
        SentimentSource::Emoji => {
            let emoji: String = text.chars().filter(|c| lexicon::emoji(*c).is_some()).collect();
            // Most emoji show things: a football says nothing about how somebody feels.
            Some(vader::scores(&emoji).compound).filter(|compound| *compound != 0.0)?
        }
    };
    Some((compound * 1e4).round() as i64)
}

/// Scores in 1/10,000: whole numbers add up to the same in every order.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    messages: u64,
    scores_e4: i64,
}

impl Sum {
    fn add(&mut self, score_e4: i64) {
        self.messages += 1;
        self.scores_e4 += score_e4;
    }

    fn plus(self, other: Sum) -> Sum {
        Sum {
            messages: self.messages + other.messages,
            scores_e4: self.scores_e4 + other.scores_e4,
        }
    }

    /// With four decimals.
    fn mean(&self) -> f64 {
        (self.scores_e4 as f64 / self.messages.max(1) as f64).round() / 1e4
    }
}

#[cfg(test)]
mod tests {
    use chatstats_model::Kind;

    use super::*;
    use crate::PEOPLE_MAX;
    use crate::samples::{message, turns};

    #[test]
    fn messages_are_scored_and_counted() {
        let found = sentiment(
            &turns(&[
                "I love it",
                "the table is brown",
                "that is horrible",
                "this is great, I love it",
            ]),
            Some("en"),
        );
        assert_eq!(
            (found.messages, found.positive, found.neutral, found.negative),
            (4, 2, 1, 1)
        );
        assert_eq!(found.source, Some(SentimentSource::Words));
        assert_eq!(found.highest.map(|message| message.message_id.0), Some(30));
        assert_eq!(found.lowest.map(|message| message.message_id.0), Some(20));
        let means: Vec<_> = found
            .people
            .iter()
            .map(|row| (row.person.contact_id.0, row.mean))
            .collect();
        // 0.6369 and -0.5423 by the user, 0 and 0.8519 by the other.
        assert_eq!(means, [(1, 0.0473), (2, 0.426)]);
        assert_eq!(found.mean, Some(0.2366));
    }

    #[test]
    fn what_is_not_writing_is_not_scored() {
        let mut deleted = message(0, 1, "I hate that this message was deleted");
        deleted.kind = Kind::Deleted;
        let mut system = message(1, 1, "Contact 2 left, how terrible");
        system.kind = Kind::System;
        let mut call = message(2, 1, "Terrible missed call");
        call.kind = Kind::Call;
        let link = message(3, 2, "https://example.org/horrible?a!!!");
        let mention = message(4, 2, "@lovely");
        assert_eq!(
            sentiment(&[deleted, system, call, link, mention], Some("en")),
            Sentiment::default()
        );
    }

    #[test]
    fn another_language_is_scored_by_its_emoji_or_not_at_all() {
        let german = sentiment(&turns(&["wie schrecklich", "gut", "die love"]), Some("de"));
        assert_eq!(german, Sentiment::default());
        let rare = sentiment(&turns(&["schön 😍", "ja", "nein 😭"]), Some("de"));
        assert_eq!(rare, Sentiment::default());
        let lines = ["schön 😍", "ja ⚽", "nein 😭", "😊😊", "love"];
        let found = sentiment(&turns(&lines), Some("de"));
        assert_eq!(found.source, Some(SentimentSource::Emoji));
        assert_eq!((found.messages, found.positive, found.negative), (3, 2, 1));
        assert_eq!(sentiment(&turns(&lines), None), found);
    }

    #[test]
    fn a_long_text_is_scored_by_its_beginning() {
        let text = format!("I love it. {}", "but ".repeat(100_000));
        assert_eq!(sentiment(&[message(0, 1, &text)], Some("en")).positive, 1);
    }

    #[test]
    fn a_large_group_is_listed_up_to_the_limit() {
        let messages: Vec<_> = (0..100).map(|i| message(i, i + 1, "great")).collect();
        let found = sentiment(&messages, Some("en"));
        let others = found.others.expect("more people than are listed");
        assert_eq!(
            (found.people.len(), others.count),
            (PEOPLE_MAX, 100 - PEOPLE_MAX as u64)
        );
        assert_eq!(found.mean, Some(others.mean));
    }
}
