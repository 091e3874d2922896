//! What tasks to be lent work on, read and packed: several short ones in one entry.

use std::sync::Arc;

use chatstats_bus::{Fields, FieldsError};
use chatstats_store::{Claimed, Reader, StoreError};

use super::pack::Packer;
use super::task::{Asked, LentTask, LentTasks, Try, fields};
use crate::analysis::Inner;
use crate::plan::Plan;

/// What is read in one look, of a reader that others wait for: so many conversations, and no further one beyond so many
/// messages. Some milliseconds; a look for each would begin with an empty cache.
const READ_AT_ONCE: usize = 64;
const READ_MESSAGES_MAX: usize = 4_000;

/// Tasks that travel in one entry, and the messages of all of them: what an entry costs Redis and both its sides, whatever is
/// in it, is as much as some ten messages cost who computes, and ten or twenty milliseconds later the others have something
/// to do, too.
pub(super) const TOGETHER_MAX: usize = 16;
const TOGETHER_MESSAGES_MAX: usize = 1_000;

/// Some tasks that were to be lent, and where they go.
pub(super) struct Parcel {
    pub(super) tasks: Vec<Claimed>,
    pub(super) way: Way,
}

pub(super) enum Way {
    /// To the workers.
    Out(Fields),
    /// It is too large to travel.
    TooLarge(FieldsError),
    /// Nowhere: late messages made its conversation part of another, which has a task of its own.
    Gone,
}

/// Reads what the first of some tasks work on, and packs it, on a reader's thread; answers how many those are.
///
/// # Errors
///
/// The database's; then nothing is packed.
pub(super) async fn parcels(inner: &Inner, tasks: &[Claimed]) -> Result<(Vec<Parcel>, usize), StoreError> {
    let tasks = &tasks[..tasks.len().min(READ_AT_ONCE)];
    let mut asked = Vec::with_capacity(tasks.len());
    for task in tasks {
        asked.push((*task, inner.plan_of_later(task).await?));
    }
    let zone = inner.settings.zone.clone();
    let packed = move |reader: &Reader| {
        let mut parcels = Parcels::new(zone.iana_name().unwrap_or("UTC"));
        let (mut count, mut messages) = (0, 0);
        for (task, plan) in &asked {
            count += 1;
            messages += parcels.add(reader, *task, plan)?;
            if messages >= READ_MESSAGES_MAX {
                break;
            }
        }
        Ok((parcels.packed(), count))
    };
    inner.store.read(packed).await
}

/// Packs tasks: those beside each other that are short, and ask for the same, in one parcel.
struct Parcels<'z> {
    zone: &'z str,
    packed: Vec<Parcel>,
    /// What goes into the next, with what is asked for.
    next: Vec<(Claimed, LentTask<'static>)>,
    plan: Option<&'z Arc<Plan>>,
}

impl<'z> Parcels<'z> {
    fn new(zone: &'z str) -> Self {
        Self {
            zone,
            packed: Vec::new(),
            next: Vec::new(),
            plan: None,
        }
    }

    /// Reads a task, and answers how many messages it has.
    fn add(&mut self, reader: &Reader, task: Claimed, plan: &'z Arc<Plan>) -> Result<usize, StoreError> {
        let id = task.conversation_id;
        let Some(found) = reader.conversation_work_in(id, plan.known(), Packer::for_about)? else {
            let (tasks, way) = (vec![task], Way::Gone);
            self.packed.push(Parcel { tasks, way });
            return Ok(0);
        };
        let lent = LentTask {
            conversation: id,
            fingerprint: found.fingerprint,
            is_group: found.is_group,
            known: found.known,
            messages: found.messages.packed(),
        };
        // One that was tried before travels alone: whatever it does to a worker is done to no other.
        let is_first = |task: &Claimed| task.attempt <= 1;
        let count = lent.messages.len();
        let goes_along = self.plan.is_some_and(|of| Arc::ptr_eq(of, plan))
            && self.next.len() < TOGETHER_MAX
            && is_first(&task)
            && self.next.iter().all(|(task, _)| is_first(task))
            && self.messages() + count <= TOGETHER_MESSAGES_MAX;
        if !goes_along {
            self.pack();
        }
        self.plan = Some(plan);
        self.next.push((task, lent));
        Ok(count)
    }

    fn messages(&self) -> usize {
        self.next.iter().map(|(_, task)| task.messages.len()).sum()
    }

    fn packed(mut self) -> Vec<Parcel> {
        self.pack();
        self.packed
    }

    fn pack(&mut self) {
        let (tasks, lent): (Vec<_>, Vec<_>) = std::mem::take(&mut self.next).into_iter().unzip();
        let Some(plan) = self.plan.take().filter(|_| !tasks.is_empty()) else {
            return;
        };
        let passes = plan.versions().iter();
        let asked = Asked {
            zone: self.zone,
            passes: passes.map(|pass| (pass.name.as_str(), pass.version)).collect(),
        };
        match parcel(&tasks, &asked, &lent) {
            Way::TooLarge(_) if tasks.len() > 1 => {
                for (task, lent) in tasks.into_iter().zip(&lent) {
                    let way = parcel(&[task], &asked, std::slice::from_ref(lent));
                    self.packed.push(Parcel {
                        tasks: vec![task],
                        way,
                    });
                }
            }
            way => self.packed.push(Parcel { tasks, way }),
        }
    }
}

fn parcel(tasks: &[Claimed], asked: &Asked<'_>, lent: &[LentTask<'_>]) -> Way {
    let of = |task: &Claimed| Try {
        id: task.id,
        attempt: task.attempt,
    };
    let about: Vec<_> = tasks.iter().map(of).collect();
    let (asked, tasks) = (asked.clone(), lent);
    let bytes = tasks.iter().map(LentTask::bytes).sum();
    fields(&about, &LentTasks { asked, tasks }, bytes).map_or_else(Way::TooLarge, Way::Out)
}
