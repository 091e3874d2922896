//! People of a conversation, and how a result lists them.

use chatstats_model::{ContactId, Kind, Message};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// How many people a result lists. A result is a row that is read as a whole, and a group can have thousands of
/// members; those beyond the limit are summed up.
pub const PEOPLE_MAX: usize = 32;

/// Somebody who wrote in a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Person {
    /// The contact.
    pub contact_id: ContactId,
    /// Whether this is the user.
    pub is_me: bool,
}

impl Person {
    /// Who wrote a message; none for lines of the app itself.
    pub(crate) fn of(message: &Message) -> Option<Person> {
        if message.kind == Kind::System {
            return None;
        }
        let contact_id = message.sender_id?;
        let is_me = message.is_from_me;
        Some(Person { contact_id, is_me })
    }
}

/// What each person of a conversation has, by person.
#[derive(Debug)]
pub(crate) struct ByPerson<T> {
    rows: Vec<(Person, T)>,
    places: std::collections::HashMap<Person, usize, foldhash::fast::FixedState>,
}

impl<T: Default> ByPerson<T> {
    pub(crate) fn new() -> Self {
        ByPerson {
            rows: Vec::new(),
            places: Default::default(),
        }
    }

    /// A person's place, the same for the whole conversation: the order in which people first wrote.
    pub(crate) fn place(&mut self, person: Person) -> usize {
        *self.places.entry(person).or_insert_with(|| {
            self.rows.push((person, T::default()));
            self.rows.len() - 1
        })
    }

    pub(crate) fn of(&mut self, person: Person) -> &mut T {
        let place = self.place(person);
        &mut self.rows[place].1
    }

    /// Everybody, by falling weight. Of equals the lower contact goes first, so that the order depends on nothing but
    /// the messages.
    pub(crate) fn ranked(mut self, weight: impl Fn(&T) -> u64) -> Vec<(Person, T)> {
        self.rows
            .sort_by_key(|(person, row)| (std::cmp::Reverse(weight(row)), *person));
        self.rows
    }
}

/// Takes those off the end who are too many to be listed.
pub(crate) fn beyond_limit<T>(ranked: &mut Vec<(Person, T)>) -> Vec<(Person, T)> {
    ranked.split_off(ranked.len().min(PEOPLE_MAX))
}
