//! Passes: what is computed of one conversation.
//!
//! Each pass is a file, a name, a version and a pure function: the same messages give the same result, to the byte,
//! on whatever machine, in whatever order conversations come. Knows no database, no events, no clock and no async.
//! What needs more than one conversation (which words set it apart within its chat, which promise a later
//! conversation fulfilled) is computed from the passes' results, by pure functions that lie beside the pass.
//!
//! A new pass is a file and a line in [`all`].

mod activity;
mod commitments;
mod dates;
mod language;
mod pass;
mod person;
#[cfg(test)]
mod samples;
mod sentiment;
mod stopwords;
mod text;
mod topics;

pub use activity::{Activity, ActivityCounts, ActivityPass, OthersActivity, PersonActivity, ReplyTimes};
pub use commitments::{
    Act, Commitment, CommitmentKind, Commitments, CommitmentsPass, DoneSignal, SettledCommitment,
    StatusInConversation, commitments, reconcile,
};
pub use dates::DuePrecision;
pub use language::{Language, LanguagePass};
pub use pass::{Cadence, Input, Pass, PassError, Results};
pub use person::{PEOPLE_MAX, Person};
pub use sentiment::{
    OthersSentiment, PersonSentiment, ScoredMessage, Sentiment, SentimentPass, SentimentSource,
};
pub use topics::{TERMS_MAX, TOPICS_MAX, TermCount, Topic, Topics, TopicsPass, rank};

/// Every pass of the program, those that others need before these.
pub fn all() -> &'static [&'static dyn Pass] {
    &[
        &ActivityPass,
        &LanguagePass,
        &SentimentPass,
        &TopicsPass,
        &CommitmentsPass,
    ]
}

/// The pass of that name.
pub fn named(name: &str) -> Option<&'static dyn Pass> {
    all().iter().copied().find(|pass| pass.name() == name)
}
