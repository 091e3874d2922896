//! What the sinks of an import share: where it goes, and why it stops.

use chatstats_import::SinkError;
use chatstats_store::{Store, StoreError};

use super::queue::Running;

/// Where an export's records go.
#[derive(Clone, Copy)]
pub(super) struct Target<'t> {
    pub(super) store: &'t Store,
    pub(super) running: &'t Running,
    pub(super) source: &'static str,
    /// Bytes of the exports before this one.
    pub(super) bytes_before: u64,
}

impl Target<'_> {
    /// Asked at each record: an error when the import is to stop.
    pub(super) fn go_on(&self) -> Result<(), SinkError> {
        if self.running.should_stop() {
            return Err(Box::new(Stop::Stopped));
        }
        Ok(())
    }

    /// Notes the progress; an error when the import is to stop.
    pub(super) fn progress(&self, done: u64) -> Result<(), SinkError> {
        self.go_on()?;
        let done = self.bytes_before + done;
        self.running.update(|progress| progress.bytes_done = done);
        Ok(())
    }
}

/// Why an import ends before its files do.
#[derive(Debug, thiserror::Error)]
pub(super) enum Stop {
    /// The user cancelled it, or the program ends.
    #[error("the import was stopped")]
    Stopped,
    /// The database's.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Stop {
    /// Back from its way through the importer.
    pub(super) fn from_sink(error: SinkError) -> Stop {
        match error.downcast::<Stop>() {
            Ok(stop) => *stop,
            Err(other) => Stop::Store(StoreError::Invalid(other.to_string())),
        }
    }
}
