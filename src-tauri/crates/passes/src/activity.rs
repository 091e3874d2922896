//! Who wrote how much, who began, and how long answers took.

use chatstats_model::{Kind, Message, Timestamp};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use ts_rs::TS;
use unicode_segmentation::UnicodeSegmentation;

use crate::pass::json;
use crate::person::{ByPerson, beyond_limit};
use crate::text::{prose, written};
use crate::{Cadence, Input, Pass, PassError, Person};

/// The pass.
#[derive(Clone, Copy, Debug)]
pub struct ActivityPass;

/// The night lasts from 23:00 to 07:00 in the user's zone: an answer that had to wait for the morning says nothing
/// about how quick somebody is.
const NIGHT_FROM_HOUR: i64 = 23;
const NIGHT_TO_HOUR: i64 = 7;

/// A burst is a run of at least three messages by one person, each within a minute of the one before.
const BURST_MESSAGES_MIN: u64 = 3;
const BURST_GAP_S_MAX: u64 = 60;

/// Who writes again after ten minutes without an answer writes twice. Sooner it is still the same thought.
const DOUBLE_TEXT_MINUTES_MIN: u64 = 10;

/// Result of the pass `activity`. Lines of the app itself count for nothing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Activity {
    /// Messages of all people.
    #[ts(type = "number")]
    pub messages: u64,
    /// From the first message to the last.
    #[ts(type = "number")]
    pub duration_s: u64,
    /// Who wrote first.
    pub started_by: Option<Person>,
    /// Who wrote last.
    pub ended_by: Option<Person>,
    /// Those who wrote most, the busiest first, at most [`PEOPLE_MAX`](crate::PEOPLE_MAX).
    pub people: Vec<PersonActivity>,
    /// The rest, summed up.
    pub others: Option<OthersActivity>,
}

/// What one person did in a conversation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct PersonActivity {
    /// The person.
    #[serde(flatten)]
    pub person: Person,
    /// What the person did.
    #[serde(flatten)]
    pub counts: ActivityCounts,
}

/// What those did who are not listed one by one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct OthersActivity {
    /// How many they are.
    #[ts(type = "number")]
    pub count: u64,
    /// What they did, all together.
    #[serde(flatten)]
    pub counts: ActivityCounts,
}

/// What somebody did in a conversation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct ActivityCounts {
    /// Messages of every kind, calls and deleted ones included.
    #[ts(type = "number")]
    pub messages: u64,
    /// Unicode scalar values of what was written, captions included. Placeholders of the app are not writing.
    #[ts(type = "number")]
    pub characters: u64,
    /// Words of what was written, by Unicode's rules (UAX #29): a Han character is one. Addresses and mentions are none.
    #[ts(type = "number")]
    pub words: u64,
    /// Messages that are pictures, videos, voice notes, stickers or files.
    #[ts(type = "number")]
    pub media: u64,
    /// Calls, missed ones included.
    #[ts(type = "number")]
    pub calls: u64,
    /// The first message.
    pub first: Option<Timestamp>,
    /// The last message.
    pub last: Option<Timestamp>,
    /// Answers by day: from a message to the next by another person.
    pub replies: Option<ReplyTimes>,
    /// Answers for which the other waited into or through the night, from 23:00 to 07:00 in the user's zone.
    pub night_replies: Option<ReplyTimes>,
    /// Runs of three messages and more without another's in between, each within 60 seconds of the one before.
    #[ts(type = "number")]
    pub bursts: u64,
    /// Times the person wrote again, ten minutes or more after the own last message, unanswered.
    #[ts(type = "number")]
    pub double_texts: u64,
}

/// How long answers took, in whole seconds, rounded down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct ReplyTimes {
    /// How many answers.
    #[ts(type = "number")]
    pub count: u64,
    /// The median; of an even number the lower of the two in the middle.
    #[ts(type = "number")]
    pub median_s: u64,
    /// The fastest.
    #[ts(type = "number")]
    pub fastest_s: u64,
    /// All together: with `count`, means over many conversations are exact.
    #[ts(type = "number")]
    pub total_s: u64,
}

impl Pass for ActivityPass {
    fn name(&self) -> &'static str {
        "activity"
    }

    fn version(&self) -> u32 {
        1
    }

    fn about(&self) -> &'static str {
        "Who wrote how much, who began, how long answers took."
    }

    fn cadence(&self) -> Cadence {
        Cadence::Live
    }

    fn priority(&self) -> u8 {
        50
    }

    fn run(&self, input: &Input<'_>) -> Result<String, PassError> {
        json(&activity(input.messages, input.zone))
    }
}

/// Counts what the people of a conversation did. Messages are ordered by time, then id.
pub(crate) fn activity(messages: &[Message], zone: &TimeZone) -> Activity {
    let mut people = ByPerson::<Tally>::new();
    let mut result = Activity::default();
    let mut previous: Option<Previous> = None;
    let mut began = None;
    for message in messages {
        let Some(person) = Person::of(message) else {
            continue;
        };
        let tally = people.of(person);
        tally.count(message);
        let run = match &previous {
            Some(before) if before.person == person => tally.went_on(before, message.timestamp),
            Some(before) => {
                tally.replied(before.at, message.timestamp, zone);
                1
            }
            None => 1,
        };
        result.messages += 1;
        result.started_by.get_or_insert(person);
        result.ended_by = Some(person);
        let since = *began.get_or_insert(message.timestamp);
        result.duration_s = seconds(since, message.timestamp);
        previous = Some(Previous {
            person,
            at: message.timestamp,
            run,
        });
    }
    let mut listed = people.ranked(|tally| tally.counts.messages);
    result.others = others(beyond_limit(&mut listed));
    result.people = listed
        .into_iter()
        .map(|(person, tally)| PersonActivity {
            person,
            counts: tally.finish(),
        })
        .collect();
    result
}

fn others(rest: Vec<(Person, Tally)>) -> Option<OthersActivity> {
    let count = rest.len() as u64;
    let sum = rest.into_iter().map(|(_, tally)| tally).reduce(Tally::plus)?;
    Some(OthersActivity {
        count,
        counts: sum.finish(),
    })
}

/// The message before, by whomever.
struct Previous {
    person: Person,
    at: Timestamp,
    /// How many messages of that person have come in a row, each within [`BURST_GAP_S_MAX`].
    run: u64,
}

#[derive(Debug, Default)]
struct Tally {
    /// All but the reply times, which are known at the end.
    counts: ActivityCounts,
    day_waits_s: Vec<u64>,
    night_waits_s: Vec<u64>,
}

impl Tally {
    fn count(&mut self, message: &Message) {
        let counts = &mut self.counts;
        counts.messages += 1;
        counts.media += u64::from(message.kind == Kind::Media);
        counts.calls += u64::from(message.kind == Kind::Call);
        counts.first.get_or_insert(message.timestamp);
        counts.last = Some(message.timestamp);
        if let Some(text) = written(message) {
            counts.characters += text.chars().count() as u64;
            counts.words += prose(text).unicode_words().count() as u64;
        }
    }

    /// The same person's next message. Returns how long the run of quick messages is by now.
    fn went_on(&mut self, before: &Previous, at: Timestamp) -> u64 {
        let gap_s = seconds(before.at, at);
        self.counts.double_texts += u64::from(gap_s >= DOUBLE_TEXT_MINUTES_MIN * 60);
        if gap_s > BURST_GAP_S_MAX {
            return 1;
        }
        let run = before.run + 1;
        self.counts.bursts += u64::from(run == BURST_MESSAGES_MIN);
        run
    }

    fn replied(&mut self, asked: Timestamp, at: Timestamp, zone: &TimeZone) {
        let waits = if touches_night(asked, at, zone) {
            &mut self.night_waits_s
        } else {
            &mut self.day_waits_s
        };
        waits.push(seconds(asked, at));
    }

    fn plus(mut self, other: Tally) -> Tally {
        let (sum, more) = (&mut self.counts, other.counts);
        sum.messages += more.messages;
        sum.characters += more.characters;
        sum.words += more.words;
        sum.media += more.media;
        sum.calls += more.calls;
        sum.first = sum.first.min(more.first);
        sum.last = sum.last.max(more.last);
        sum.bursts += more.bursts;
        sum.double_texts += more.double_texts;
        self.day_waits_s.extend(other.day_waits_s);
        self.night_waits_s.extend(other.night_waits_s);
        self
    }

    fn finish(mut self) -> ActivityCounts {
        self.counts.replies = reply_times(self.day_waits_s);
        self.counts.night_replies = reply_times(self.night_waits_s);
        self.counts
    }
}

fn reply_times(mut waits_s: Vec<u64>) -> Option<ReplyTimes> {
    waits_s.sort_unstable();
    Some(ReplyTimes {
        count: waits_s.len() as u64,
        median_s: *waits_s.get(waits_s.len().saturating_sub(1) / 2)?,
        fastest_s: *waits_s.first()?,
        total_s: waits_s.iter().sum(),
    })
}

fn seconds(from: Timestamp, to: Timestamp) -> u64 {
    let us = to.as_micros().saturating_sub(from.as_micros());
    u64::try_from(us / 1_000_000).unwrap_or(0)
}

/// Whether any of the time from `from` to `to` is night. It is not where both lie in the day of the same date.
fn touches_night(from: Timestamp, to: Timestamp, zone: &TimeZone) -> bool {
    match (day(from, zone), day(to, zone)) {
        (Some(from), Some(to)) => from != to,
        _ => true,
    }
}

/// The date, in days since 1970, where `at` is in its day and not in the night.
fn day(at: Timestamp, zone: &TimeZone) -> Option<i64> {
    let utc_s = at.as_micros().div_euclid(1_000_000);
    let instant = jiff::Timestamp::from_second(utc_s).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    let local_s = utc_s + i64::from(zone.to_offset(instant).seconds());
    let hour = local_s.rem_euclid(86_400) / 3_600;
    (NIGHT_TO_HOUR..NIGHT_FROM_HOUR)
        .contains(&hour)
        .then(|| local_s.div_euclid(86_400))
}

#[cfg(test)]
mod tests;
