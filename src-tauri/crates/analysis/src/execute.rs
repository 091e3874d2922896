//! One try of one task: the passes, one after the other.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use chatstats_model::{ConversationId, Message};
use chatstats_passes::{Input, Pass, PassError, Results};
use chatstats_store::{Covered, NewResult};
use jiff::tz::TimeZone;

use crate::plan::Plan;

/// What a task works on: everything a worker needs, also one on another machine.
#[derive(Clone, Debug)]
pub(crate) struct Work {
    pub(crate) conversation: ConversationId,
    /// The conversation's fingerprint at the time its messages were read.
    pub(crate) fingerprint: i64,
    pub(crate) messages: Vec<Message>,
    pub(crate) is_group: bool,
    /// Results that are current, and need not be computed again.
    pub(crate) known: Vec<(String, String)>,
}

/// How the passes ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) results: Vec<NewResult>,
    /// All passes have a result, and which set they are.
    pub(crate) covered: Option<Covered>,
    /// What went wrong, and whether another try could end otherwise.
    pub(crate) error: Option<(String, Again)>,
}

/// Whether to try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Again {
    /// After a while, a bounded number of times.
    Yes,
    /// Another try would end the same way.
    No,
    /// After this time, as often as it takes.
    Later(Duration),
}

/// Runs the passes of a plan, and calls `between` before each. A pass that fails does not keep those from running that do
/// not need it; what was found is kept in any case.
pub(crate) fn execute(work: &Work, plan: &Plan, zone: &TimeZone, between: impl Fn()) -> Outcome {
    let passes = plan.passes();
    let mut outcome = Outcome::default();
    let mut results = Results::default();
    let mut failed: Vec<&str> = Vec::new();
    for (index, pass) in passes.iter().enumerate() {
        let is_needed = passes[index..]
            .iter()
            .any(|later| later.needs().contains(&pass.name()));
        if let Some((_, json)) = work.known.iter().find(|(name, _)| name == pass.name()) {
            if is_needed {
                results.insert(pass.name(), json.clone());
            }
            continue;
        }
        if pass.needs().iter().any(|needed| failed.contains(needed)) {
            failed.push(pass.name());
            continue;
        }
        between();
        match run(*pass, work, &results, zone) {
            Ok(json) => {
                if is_needed {
                    results.insert(pass.name(), json.clone());
                }
                outcome.results.push(NewResult {
                    conversation_id: work.conversation,
                    pass: pass.name().into(),
                    version: pass.version(),
                    fingerprint: work.fingerprint,
                    json,
                });
            }
            Err((error, again)) => {
                failed.push(pass.name());
                outcome.note(format!("{}: {error}", pass.name()), again);
            }
        }
    }
    let set = plan.set().filter(|_| failed.is_empty());
    outcome.covered = set.map(|set| Covered {
        set,
        fingerprint: work.fingerprint,
    });
    outcome
}

fn run(
    pass: &'static dyn Pass,
    work: &Work,
    results: &Results,
    zone: &TimeZone,
) -> Result<String, (String, Again)> {
    let input = Input {
        messages: &work.messages,
        is_group: work.is_group,
        zone,
        results,
    };
    match catch_unwind(AssertUnwindSafe(|| pass.run(&input))) {
        Ok(Ok(json)) => Ok(json),
        Ok(Err(PassError::Transient(error))) => Err((error, Again::Yes)),
        Ok(Err(PassError::Permanent(error))) => Err((error, Again::No)),
        Ok(Err(PassError::NotNow { error, wait })) => Err((error, Again::Later(wait))),
        Err(panic) => Err((format!("panicked: {}", words(panic.as_ref())), Again::Yes)),
    }
}

impl Outcome {
    /// The first error stands; that another try helps with one of several is enough to try again.
    fn note(&mut self, error: String, again: Again) {
        match &mut self.error {
            None => self.error = Some((error, again)),
            Some((_, known)) => match (*known, again) {
                (Again::No, better) | (Again::Later(_), better @ Again::Yes) => *known = better,
                _ => {}
            },
        }
    }
}

/// What a panic said.
fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a word")
}

/// `wanted`, with the passes they need, those that others need first.
pub(crate) fn in_order(wanted: &[&'static dyn Pass], known: &[&'static dyn Pass]) -> Vec<&'static dyn Pass> {
    fn add(
        pass: &'static dyn Pass,
        known: &[&'static dyn Pass],
        ordered: &mut Vec<&'static dyn Pass>,
        depth: usize,
    ) {
        // A circle of needs is a mistake in the passes; it must not be one that never ends.
        if depth > known.len() || ordered.iter().any(|there| there.name() == pass.name()) {
            return;
        }
        for needed in pass.needs() {
            if let Some(needed) = known.iter().find(|other| other.name() == *needed) {
                add(*needed, known, ordered, depth + 1);
            }
        }
        ordered.push(pass);
    }
    let mut ordered = Vec::new();
    let mut by_priority = wanted.to_vec();
    by_priority.sort_by_key(|pass| std::cmp::Reverse(pass.priority()));
    for pass in by_priority {
        add(pass, known, &mut ordered, 0);
    }
    ordered
}
