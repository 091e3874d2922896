use std::time::Duration;

use chatstats_bus::{Bus, Entry, Filter, Item, Notice, Start, StreamKey, Tail};

use super::soon;

/// A follower of the events, and all it was told.
pub(super) struct Witness {
    tail: Tail,
    /// The numbers that it was told since the last gap.
    heard: Vec<u64>,
    pub(super) gaps: usize,
    pub(super) aways: usize,
}

impl Witness {
    pub(super) async fn follow(bus: &Bus, start: Start) -> Self {
        let tail = bus.follow(&StreamKey::events(), Filter::All, start).await;
        Self {
            tail: tail.expect("followed"),
            heard: Vec::new(),
            gaps: 0,
            aways: 0,
        }
    }

    /// Listens until it was told this number, and checks that each number came once and in order.
    pub(super) async fn hear(&mut self, until: u64) -> &[u64] {
        while self.heard.last() != Some(&until) {
            match soon(self.tail.recv()).await {
                Item::Entry(entry) => self.take(number(&entry)),
                Item::Notice(Notice::Away(_)) => self.aways += 1,
                Item::Notice(Notice::Gap) => self.gap(),
            }
        }
        &self.heard
    }

    /// Listens to so many more, if as many come at once.
    pub(super) async fn hear_some(&mut self, count: u64) {
        for _ in 0..count {
            let next = tokio::time::timeout(Duration::from_millis(1), self.tail.recv());
            match next.await {
                Ok(Item::Entry(entry)) => self.take(number(&entry)),
                Ok(Item::Notice(Notice::Away(_))) => self.aways += 1,
                Ok(Item::Notice(Notice::Gap)) => self.gap(),
                Err(_) => return,
            }
        }
    }

    /// Listens until it is told of a gap; answers the numbers that it was told before.
    pub(super) async fn hear_gap(&mut self) -> Vec<u64> {
        let gaps = self.gaps;
        let mut before = Vec::new();
        while self.gaps == gaps {
            match soon(self.tail.recv()).await {
                Item::Entry(entry) => self.take(number(&entry)),
                Item::Notice(Notice::Away(_)) => self.aways += 1,
                Item::Notice(Notice::Gap) => {
                    before = self.heard.clone();
                    self.gap();
                }
            }
        }
        before
    }

    /// Listens until it is told that Redis is away; answers why.
    pub(super) async fn hear_away(&mut self) -> String {
        loop {
            match soon(self.tail.recv()).await {
                Item::Entry(entry) => self.take(number(&entry)),
                Item::Notice(Notice::Gap) => self.gap(),
                Item::Notice(Notice::Away(why)) => {
                    self.aways += 1;
                    return why;
                }
            }
        }
    }

    fn take(&mut self, number: u64) {
        let is_next = self.heard.last().is_none_or(|last| last + 1 == number);
        assert!(is_next, "{number} after {:?}, without a gap", self.heard.last());
        self.heard.push(number);
    }

    fn gap(&mut self) {
        self.gaps += 1;
        self.heard.clear();
    }
}

pub(super) fn number(entry: &Entry) -> u64 {
    let text = entry.fields.text("n").expect("an event with a number");
    text.parse().expect("a number")
}
