//! Chats that an import is writing to.
//!
//! Between two batches of an import a chat is cut off somewhere. What would be sealed there goes on in the next
//! batch, and would be announced more than once; so the chats of an import are left alone until it is quiet.

use std::collections::HashSet;
use std::time::Duration;

use chatstats_model::ChatId;
use tokio::time::Instant;

/// How long no import must have written: longer than one takes to read its next batch, on a slow disk too.
const QUIET: Duration = Duration::from_secs(1);

/// How long a chat is left alone at most, however long the import takes: what is announced then and goes on is
/// announced again, as any conversation that changes after its seal.
const HELD_MAX: Duration = Duration::from_secs(60);

/// Chats that are left alone, and until when.
#[derive(Debug, Default)]
pub(super) struct Hold {
    chats: HashSet<ChatId>,
    /// An import has written since the last look.
    has_news: bool,
    until: Option<(Instant, Instant)>,
}

impl Hold {
    /// An import wrote to these.
    pub(super) fn note(&mut self, chats: impl Iterator<Item = ChatId>) {
        self.chats.extend(chats);
        self.has_news = true;
    }

    /// The chats that are left alone.
    pub(super) fn chats(&self) -> HashSet<ChatId> {
        self.chats.clone()
    }

    /// When to look again; none if nothing is held.
    pub(super) fn ends_at(&self) -> Option<Instant> {
        self.until.map(|(quiet, at_last)| quiet.min(at_last))
    }

    /// Looks at the clock; true if chats were let go.
    pub(super) fn look(&mut self, now: Instant) -> bool {
        if std::mem::take(&mut self.has_news) {
            let at_last = self.until.map_or(now + HELD_MAX, |(_, at_last)| at_last);
            self.until = Some((now + QUIET, at_last));
        }
        let is_over = self.ends_at().is_some_and(|end| end <= now);
        if is_over {
            self.until = None;
            self.chats.clear();
        }
        is_over
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hold(hold: &mut Hold, chat: i64) {
        hold.note([ChatId(chat)].into_iter());
    }

    #[test]
    fn chats_are_held_until_imports_are_quiet() {
        let (mut held, start) = (Hold::default(), Instant::now());
        assert!(!held.look(start));
        assert_eq!(held.ends_at(), None);
        hold(&mut held, 1);
        assert!(!held.look(start));
        hold(&mut held, 2);
        assert!(!held.look(start + QUIET / 2));
        assert!(!held.look(start + QUIET), "it wrote again in between");
        assert_eq!(held.chats(), HashSet::from([ChatId(1), ChatId(2)]));
        assert!(held.look(start + QUIET / 2 + QUIET));
        assert_eq!(held.chats(), HashSet::new());
        assert_eq!(held.ends_at(), None);
    }

    #[test]
    fn an_import_that_goes_on_and_on_is_not_waited_for() {
        let (mut held, start) = (Hold::default(), Instant::now());
        let step = QUIET / 2;
        let mut now = start;
        let let_go = std::iter::repeat_with(|| {
            hold(&mut held, 1);
            let is_over = held.look(now);
            now += step;
            is_over
        });
        let steps = let_go.take_while(|is_over| !is_over).count();
        assert_eq!(
            steps as u32,
            HELD_MAX.as_millis() as u32 / step.as_millis() as u32
        );
    }
}
