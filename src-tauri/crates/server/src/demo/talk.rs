//! Invents a year of talk from a chat's people and lines. The same chat and day give the same talk.

use jiff::{ToSpan, Zoned};

use super::people::DemoChat;

/// Days the demo reaches back.
const DAYS: i64 = 400;

/// One invented message.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Line {
    pub(super) at: Zoned,
    pub(super) sender: &'static str,
    pub(super) text: String,
}

/// The chat's messages, the oldest first.
pub(super) fn year(chat: &DemoChat, now: &Zoned) -> Vec<Line> {
    let mut dice = Dice(
        chat.title
            .bytes()
            .fold(0x9E37_79B9, |seed, byte| seed.rotate_left(7) ^ u64::from(byte)),
    );
    let mut lines = Vec::new();
    for days_ago in (0..DAYS).rev() {
        if dice.below(100) >= chat.busy_percent {
            continue;
        }
        let hour = [7, 8, 12, 13, 17, 18, 19, 20, 21, 22][dice.below(10) as usize];
        let start = now
            .checked_sub(days_ago.days())
            .and_then(|day| day.start_of_day()?.checked_add(hour.hours()));
        if let Ok(start) = start {
            conversation(chat, start, &mut dice, &mut lines);
        }
    }
    lines.retain(|line| line.at < *now);
    lines
}

/// A topic's lines in their order, with here and there a reaction in between.
fn conversation(chat: &DemoChat, start: Zoned, dice: &mut Dice, lines: &mut Vec<Line>) {
    let topic = chat.topics[dice.below(chat.topics.len() as u64) as usize];
    let mut at = start;
    let mut last = usize::MAX;
    for (index, (speaker, text)) in topic.iter().enumerate() {
        // Who starts changes from time to time; the roles in a topic stay with whoever has them.
        let shift = if chat.people.len() > 2 {
            dice.below(2) as usize
        } else {
            0
        };
        let speaker = (speaker + shift) % chat.people.len();
        let pause_s = if speaker == last {
            4 + dice.below(30)
        } else {
            15 + dice.below(420)
        };
        let Ok(next) = at.checked_add((pause_s as i64).seconds()) else {
            return;
        };
        at = next;
        last = speaker;
        lines.push(Line {
            at: at.clone(),
            sender: chat.people[speaker],
            text: (*text).to_owned(),
        });
        if index > 0 && dice.below(9) == 0 {
            let other = (speaker + 1) % chat.people.len();
            let Ok(next) = at.checked_add(((5 + dice.below(60)) as i64).seconds()) else {
                return;
            };
            at = next;
            last = other;
            let text = chat.asides[dice.below(chat.asides.len() as u64) as usize];
            lines.push(Line {
                at: at.clone(),
                sender: chat.people[other],
                text: text.to_owned(),
            });
        }
    }
}

/// Xorshift: fair enough for small talk, and the same everywhere.
struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides.max(1)
    }
}
