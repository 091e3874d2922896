//! What one client of a messages stream was told, over all its connections, and whether that is right.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::{Event, EventStream, Message};

/// A message as a client is told of it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Told {
    /// Its id.
    pub id: i64,
    /// Its time. Times of whole seconds, all that tests post, sort as text.
    pub timestamp: String,
    /// Its text.
    pub content: String,
    /// When it was edited.
    pub edited_at: Option<String>,
}

/// All of it.
#[derive(Debug, Default)]
pub struct Transcript {
    /// The last full `initial`.
    pub initial: Vec<Told>,
    /// What came after it, in `update` and in resumed `initial`.
    pub later: Vec<Told>,
    /// The id of the last whole event that had one: what a client comes back with.
    pub last_id: Option<String>,
    /// How often it was resumed.
    pub resumed: usize,
    /// What the last `initial` said the chat holds.
    pub total: u64,
}

#[derive(Deserialize)]
struct Data {
    messages: Vec<Told>,
    #[serde(default)]
    resumed: bool,
    #[serde(default)]
    total: Option<u64>,
}

impl Transcript {
    /// Enters an event.
    ///
    /// # Panics
    ///
    /// If the stream says `error`, or something that it may not.
    pub fn enter(&mut self, event: &Event) {
        match event.name.as_str() {
            "initial" | "update" => {
                let data: Data = serde_json::from_str(&event.data).expect("the data of a messages stream");
                assert!(event.id.is_some(), "without an id: {}", event.name);
                self.last_id.clone_from(&event.id);
                self.messages(event.name == "initial", data);
            }
            "ready" | "heartbeat" => assert_eq!(event.id, None, "{event:?}"),
            _ => panic!("{event:?}"),
        }
    }

    /// Reads until `enough`; false if the stream ends before.
    pub fn follow(&mut self, stream: &mut EventStream, enough: impl Fn(&Transcript) -> bool) -> bool {
        while !enough(self) {
            match stream.next_event() {
                Some(event) => self.enter(&event),
                None => return false,
            }
        }
        true
    }

    /// How many messages it was told of, each as often as it was told.
    #[must_use]
    pub fn count(&self) -> usize {
        self.initial.len() + self.later.len()
    }

    /// Checks that it holds exactly `posted`, each once and in order.
    ///
    /// # Panics
    ///
    /// If it does not.
    pub fn check<'m>(&self, posted: impl IntoIterator<Item = &'m Message>) {
        self.check_order();
        let mut balance: BTreeMap<(String, String), i64> = BTreeMap::new();
        for message in posted {
            *balance
                .entry((message.content(), message.timestamp()))
                .or_default() -= 1;
        }
        for told in self.initial.iter().chain(&self.later) {
            let key = (told.content.clone(), told.timestamp.clone());
            *balance.entry(key).or_default() += 1;
        }
        balance.retain(|_, balance| *balance != 0);
        let some: Vec<_> = balance.iter().take(5).collect();
        assert!(
            some.is_empty(),
            "{} wrong; too few (-) or too many of {some:?}",
            balance.len()
        );
    }

    /// Checks the order alone: `initial` by time, then id; what comes later in the order it was taken.
    ///
    /// # Panics
    ///
    /// If it is another.
    pub fn check_order(&self) {
        let by_time = |a: &Told, b: &Told| (&a.timestamp, a.id) < (&b.timestamp, b.id);
        assert!(self.initial.is_sorted_by(by_time), "the initial is out of order");
        let newest = self.initial.iter().map(|told| told.id).max();
        let later = self.later.iter().map(|told| told.id);
        let ids: Vec<i64> = newest.into_iter().chain(later).collect();
        let disorder = ids.windows(2).find(|pair| pair[0] >= pair[1]);
        assert_eq!(disorder, None, "the updates are out of order");
    }

    fn messages(&mut self, is_initial: bool, data: Data) {
        if is_initial {
            self.total = data.total.expect("an initial tells the total");
            self.resumed += usize::from(data.resumed);
        }
        if is_initial && !data.resumed {
            self.initial = data.messages;
            self.later.clear();
        } else {
            self.later.extend(data.messages);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Post;

    fn told(id: i64, content: &str) -> Told {
        Told {
            id,
            timestamp: "2024-01-01T00:00:00Z".to_owned(),
            content: content.to_owned(),
            edited_at: None,
        }
    }

    fn holds(initial: &[(i64, &str)], later: &[(i64, &str)]) -> bool {
        let posted = Post::to("chat").with("a", 0).with("b", 0).messages;
        let all = |messages: &[(i64, &str)]| messages.iter().map(|(id, text)| told(*id, text)).collect();
        let transcript = Transcript {
            initial: all(initial),
            later: all(later),
            ..Transcript::default()
        };
        std::panic::catch_unwind(|| transcript.check(&posted)).is_ok()
    }

    #[test]
    fn whatever_is_missing_double_or_out_of_order_is_noticed() {
        assert!(holds(&[(1, "a"), (2, "b")], &[]) && holds(&[(1, "b")], &[(2, "a")]));
        assert!(!holds(&[(1, "a")], &[]), "one is missing");
        assert!(!holds(&[(1, "a"), (2, "b")], &[(3, "b")]), "one came twice");
        assert!(!holds(&[(1, "a")], &[(2, "c")]), "one is another");
        assert!(!holds(&[(2, "a"), (1, "b")], &[]), "the initial is out of order");
        assert!(!holds(&[], &[(2, "a"), (1, "b")]), "the updates are out of order");
        assert!(
            !holds(&[(2, "a")], &[(1, "b")]),
            "an update is older than the initial"
        );
    }
}
