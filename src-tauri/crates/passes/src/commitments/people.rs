//! Who is asked, and who may have done it.

use chatstats_model::{ContactId, Message};

use super::sentences::Sentence;
use super::{Commitment, CommitmentKind};
use crate::pass::Input;

/// The person a request is made to, as far as it is clear.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) contact: Option<ContactId>,
    pub(super) me: bool,
}

/// Between two people it is the other one. In a group it is who is answered or addressed by name, or nobody.
pub(super) fn asked(input: &Input<'_>, request: &Message, sentence: &Sentence<'_>) -> Asked {
    let others = || {
        input
            .messages
            .iter()
            .filter(|message| !same_sender(message, request))
    };
    let asked = if !input.is_group {
        others().find(|message| message.is_from_me || message.sender_id.is_some())
    } else if let Some(answered) = request.reply_to {
        others().find(|message| message.id == answered)
    } else {
        others().find(|message| {
            message
                .sender
                .as_deref()
                .is_some_and(|name| is_addressed(name, sentence))
        })
    };
    match asked {
        Some(message) => Asked {
            contact: message.sender_id,
            me: message.is_from_me,
        },
        None => Asked {
            contact: None,
            me: !input.is_group && !request.is_from_me,
        },
    }
}

fn same_sender(one: &Message, other: &Message) -> bool {
    same_person(
        (one.sender_id, one.is_from_me),
        (other.sender_id, other.is_from_me),
    )
}

/// "Anna, can you …", "@Anna can you …", "can you …, Anna?": the first name at either end of the sentence.
fn is_addressed(name: &str, sentence: &Sentence<'_>) -> bool {
    let Some(first) = name.split_whitespace().next().map(str::to_lowercase) else {
        return false;
    };
    let words = &sentence.words;
    let at_start = words.iter().take(2).position(|word| *word == first);
    let apart =
        |at: usize| sentence.pauses.get(at + 1).is_none_or(|pause| *pause) || sentence.text.contains('@');
    at_start.is_some_and(apart) || (words.last() == Some(&first) && sentence.pauses.last() == Some(&true))
}

/// Whether what that person did can fulfil it: the one who promised, the one who was asked, or, where that is not
/// clear, anybody but the one who asked.
pub(super) fn may_fulfil(commitment: &Commitment, by: Option<ContactId>, by_me: bool) -> bool {
    let author = same_person((commitment.by, commitment.by_me), (by, by_me));
    match commitment.kind {
        CommitmentKind::Promise => author,
        CommitmentKind::Request if commitment.to_me => by_me,
        CommitmentKind::Request if commitment.to.is_some() => !by_me && commitment.to == by,
        CommitmentKind::Request => !author && (by_me || by.is_some()),
    }
}

/// The user is one person under whatever contact; others are who the source says they are.
fn same_person(one: (Option<ContactId>, bool), other: (Option<ContactId>, bool)) -> bool {
    match (one.1, other.1) {
        (true, true) => true,
        (false, false) => one.0.is_some() && one.0 == other.0,
        _ => false,
    }
}
