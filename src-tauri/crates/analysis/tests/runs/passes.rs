//! Passes that behave as they are told.

use std::collections::HashMap;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use chatstats_passes::{Input, Pass, PassError};

/// So slow that some tens of tasks are more than are handed out ahead.
const SLOWLY: Duration = Duration::from_millis(10);

/// What a try does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Does {
    Well,
    /// Well, after [`SLOWLY`].
    Slowly,
    Panic,
    Transient,
    Permanent,
    /// Waits until [`Told::release`].
    Hang,
    NotNow,
}

type Plan = Box<dyn Fn(&str, u32) -> Does + Send + Sync>;

/// A pass that does as the plan says: by the first message's text and the number of the try.
pub(crate) struct Told {
    name: &'static str,
    plan: Plan,
    tries: Mutex<HashMap<String, u32>>,
    released: Mutex<bool>,
    rang: Condvar,
}

/// A pass that does as the plan says.
pub(crate) fn told(
    name: &'static str,
    plan: impl Fn(&str, u32) -> Does + Send + Sync + 'static,
) -> &'static Told {
    Box::leak(Box::new(Told {
        name,
        plan: Box::new(plan),
        tries: Mutex::default(),
        released: Mutex::default(),
        rang: Condvar::new(),
    }))
}

impl Told {
    /// How often it was tried on the conversation that begins with this text.
    pub(crate) fn tries(&self, text: &str) -> u32 {
        let tries = self.tries.lock().unwrap_or_else(PoisonError::into_inner);
        tries.get(text).copied().unwrap_or(0)
    }

    /// How often it was tried in all.
    pub(crate) fn all_tries(&self) -> u32 {
        self.tries
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .values()
            .sum()
    }

    /// Lets those that hang go on.
    pub(crate) fn release(&self) {
        *self.released.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.rang.notify_all();
    }

    fn hang(&self) {
        let released = self.released.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.rang.wait_while(released, |released| !*released);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }
}

impl Pass for Told {
    fn name(&self) -> &'static str {
        self.name
    }

    fn version(&self) -> u32 {
        1
    }

    fn about(&self) -> &'static str {
        "Does as it is told."
    }

    fn run(&self, input: &Input<'_>) -> Result<String, PassError> {
        let text = input.messages[0].content.clone();
        let attempt = {
            let mut tries = self.tries.lock().unwrap_or_else(PoisonError::into_inner);
            let tries = tries.entry(text.clone()).or_default();
            *tries += 1;
            *tries
        };
        match (self.plan)(&text, attempt) {
            Does::Well => {}
            Does::Slowly => std::thread::sleep(SLOWLY),
            // Without the hook, which would print five hundred backtraces in the middle of a run.
            Does::Panic => std::panic::resume_unwind(Box::new("told to panic")),
            Does::Transient => return Err(PassError::Transient("told to fail".to_owned())),
            Does::Permanent => return Err(PassError::Permanent("told to fail for good".to_owned())),
            Does::Hang => self.hang(),
            Does::NotNow => {
                return Err(PassError::NotNow {
                    error: "told to wait".to_owned(),
                    wait: Duration::from_millis(50),
                });
            }
        }
        Ok(format!("{{\"messages\":{}}}", input.messages.len()))
    }
}
