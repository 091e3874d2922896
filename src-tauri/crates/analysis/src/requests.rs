//! What a request for a run comes to.

use std::collections::HashSet;

use chatstats_model::{RunKind, RunRequest};
use chatstats_passes::Pass;
use chatstats_store::{NewRun, PassVersion, Selection, TaskLane};

use crate::analysis::AnalysisError;
use crate::execute::in_order;

/// Chats that a run may be restricted to: who picks more wants all.
const CHATS_MAX: usize = 10_000;

/// A run that was asked for, checked.
#[derive(Clone)]
pub(crate) struct Asked {
    pub(crate) run: NewRun,
    pub(crate) selection: Selection,
}

/// Checks a request.
pub(crate) fn check(request: RunRequest, enabled: &[&'static dyn Pass]) -> Result<Asked, AnalysisError> {
    let invalid = |text: String| Err(AnalysisError::Invalid(text));
    let passes = passes(&request.passes, enabled)?;
    if request.chats.len() > CHATS_MAX {
        return invalid(format!(
            "chats has more than {CHATS_MAX} entries; leave it out to take all."
        ));
    }
    match request.kind {
        RunKind::Retry => return invalid("kind \"retry\" is made by retrying dead letters.".to_owned()),
        RunKind::Chat if request.chats.is_empty() => {
            return invalid("kind \"chat\" needs chats: the ids of one or more.".to_owned());
        }
        RunKind::Conversation if request.conversation_id.is_none() => {
            return invalid("kind \"conversation\" needs conversation_id.".to_owned());
        }
        _ => {}
    }
    let mut seen = HashSet::new();
    let mut chats = request.chats;
    chats.retain(|&chat| seen.insert(chat));
    let selection = Selection {
        chats: chats.clone(),
        conversation: request
            .conversation_id
            .filter(|_| request.kind == RunKind::Conversation),
        lacking: lacking(request.kind, &passes),
        set: set(&passes),
    };
    let run = NewRun {
        kind: request.kind,
        chats,
        passes: passes.iter().map(|pass| pass.name().to_owned()).collect(),
    };
    Ok(Asked { run, selection })
}

/// What a run covers with the workers of one lane; none if they have nothing to do for it.
pub(crate) fn selection_of(run: &NewRun, passes: &[&'static dyn Pass], lane: TaskLane) -> Option<Selection> {
    let passes = of_lane(passes, lane);
    (!passes.is_empty()).then(|| Selection {
        chats: run.chats.clone(),
        conversation: None,
        lacking: lacking(run.kind, &passes),
        set: set(&passes),
    })
}

/// The passes of which a conversation must lack a result to be covered by a run; none where it need not.
fn lacking(kind: RunKind, passes: &[&'static dyn Pass]) -> Vec<PassVersion> {
    if is_anew(kind) {
        Vec::new()
    } else {
        versions(passes)
    }
}

/// A number for a set of passes that compute, by names and versions (FNV-1a): a conversation keeps the one it was
/// covered by last. None for a set that waits too; it would take turns with the other.
pub(crate) fn set(passes: &[&'static dyn Pass]) -> Option<i64> {
    const BASIS: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x100_0000_01b3;
    if passes.iter().any(|pass| pass.waits()) {
        return None;
    }
    let mut names: Vec<_> = passes
        .iter()
        .map(|pass| format!("{}:{};", pass.name(), pass.version()))
        .collect();
    names.sort_unstable();
    let mix = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(PRIME);
    Some(names.concat().bytes().fold(BASIS, mix) as i64)
}

/// Whether a run computes what is current anew.
pub(crate) fn is_anew(kind: RunKind) -> bool {
    matches!(kind, RunKind::Historic | RunKind::Conversation)
}

/// The passes of a lane; those they need may be of another, and come with them.
pub(crate) fn of_lane(passes: &[&'static dyn Pass], lane: TaskLane) -> Vec<&'static dyn Pass> {
    let waits = lane == TaskLane::Wait;
    passes
        .iter()
        .copied()
        .filter(|pass| pass.waits() == waits)
        .collect()
}

pub(crate) fn versions(passes: &[&'static dyn Pass]) -> Vec<PassVersion> {
    let version = |pass: &&'static dyn Pass| PassVersion {
        name: pass.name().to_owned(),
        version: pass.version(),
    };
    passes.iter().map(version).collect()
}

/// The passes of these names with those they need, in their order; all that are switched on if none is named.
pub(crate) fn passes(
    names: &[String],
    enabled: &[&'static dyn Pass],
) -> Result<Vec<&'static dyn Pass>, AnalysisError> {
    if names.is_empty() {
        return Ok(in_order(enabled, enabled));
    }
    let find = |name: &String| {
        let found = enabled.iter().copied().find(|pass| pass.name() == name);
        found.ok_or_else(|| {
            let there: Vec<_> = enabled.iter().map(|pass| pass.name()).collect();
            AnalysisError::Invalid(format!(
                "There is no pass {name:?} that is switched on; there are {}.",
                there.join(", ")
            ))
        })
    };
    let wanted = names.iter().map(find).collect::<Result<Vec<_>, _>>()?;
    Ok(in_order(&wanted, enabled))
}
