//! Which passes run: the user switches them off and on while the program runs.

use std::sync::{Arc, PoisonError, RwLock};

use chatstats_passes::Pass;
use chatstats_store::{Lane, Store, StoreError};

use crate::analysis::AnalysisError;

/// The name under which the database keeps which passes are switched off: their names, as JSON.
const MARK: &str = "passes_switched_off";

/// Passes, those that others need before these.
pub(crate) type Passes = Arc<[&'static dyn Pass]>;

/// The switches, as they stand.
pub(crate) struct Switches {
    /// Every pass there is.
    known: Vec<&'static dyn Pass>,
    /// Those that the settings leave: what may run.
    available: Vec<&'static dyn Pass>,
    /// What the user switched off, also by names that are known no more, and what runs.
    now: RwLock<(Vec<String>, Passes)>,
    /// Held while a switch is moved: two at a time could each leave the other without what it needs.
    moving: tokio::sync::Mutex<()>,
}

impl Switches {
    /// As the last start left them. What `off_by_settings` names cannot be switched on.
    pub(crate) async fn read(
        store: &Store,
        known: &[&'static dyn Pass],
        off_by_settings: &[String],
    ) -> Result<Self, StoreError> {
        let mark = store.read(|reader| reader.mark(MARK)).await?;
        let off = mark.as_deref().map_or_else(Vec::new, names);
        let available = without(known, off_by_settings);
        let runs = without(&available, &off).into();
        Ok(Self {
            known: known.to_vec(),
            available,
            now: RwLock::new((off, runs)),
            moving: tokio::sync::Mutex::default(),
        })
    }

    /// Every pass there is.
    pub(crate) fn known(&self) -> &[&'static dyn Pass] {
        &self.known
    }

    /// Those that may run: of runs from before a switch was moved, too.
    pub(crate) fn available(&self) -> &[&'static dyn Pass] {
        &self.available
    }

    /// Those that are switched on.
    pub(crate) fn enabled(&self) -> Passes {
        self.now.read().unwrap_or_else(PoisonError::into_inner).1.clone()
    }

    /// Whether a pass is switched off by the settings.
    pub(crate) fn is_off_by_settings(&self, name: &str) -> bool {
        !self.available.iter().any(|pass| pass.name() == name)
    }

    /// Moves a switch, and answers once that is written down.
    pub(crate) async fn set(&self, store: &Store, name: &str, enabled: bool) -> Result<(), AnalysisError> {
        let _turn = self.moving.lock().await;
        let pass = self.known.iter().copied().find(|pass| pass.name() == name);
        let pass = pass.ok_or_else(|| AnalysisError::Missing(format!("pass {name:?}")))?;
        let mut off = self.off();
        off.retain(|other| other != name);
        if enabled {
            self.check_on(pass, &off)?;
        } else {
            self.check_off(pass)?;
            off.push(name.to_owned());
        }
        let json = serde_json::to_string(&off).unwrap_or_default();
        store
            .write_analysis(Lane::Live, 0, move |write| write.set_mark(MARK, &json))
            .await?;
        tracing::info!(pass = name, enabled, "a pass was switched");
        let runs = without(&self.available, &off).into();
        *self.now.write().unwrap_or_else(PoisonError::into_inner) = (off, runs);
        Ok(())
    }

    fn off(&self) -> Vec<String> {
        self.now.read().unwrap_or_else(PoisonError::into_inner).0.clone()
    }

    /// The settings win, and a pass does not run without those it needs.
    fn check_on(&self, pass: &'static dyn Pass, off: &[String]) -> Result<(), AnalysisError> {
        let name = pass.name();
        if self.is_off_by_settings(name) {
            return Err(AnalysisError::OffBySettings(name));
        }
        let runs = without(&self.available, off);
        if runs.iter().any(|other| other.name() == name) {
            return Ok(());
        }
        let needs = pass.needs().iter().copied();
        let missing: Vec<_> = needs
            .filter(|needed| !runs.iter().any(|other| other.name() == *needed))
            .collect();
        Err(AnalysisError::Needs {
            pass: name,
            missing: missing.join(", "),
        })
    }

    /// A pass that another needs is not switched off alone: the other would fail each time.
    fn check_off(&self, pass: &'static dyn Pass) -> Result<(), AnalysisError> {
        let name = pass.name();
        let enabled = self.enabled();
        let needed_by: Vec<_> = enabled
            .iter()
            .filter(|other| other.needs().contains(&name))
            .map(|other| other.name())
            .collect();
        if needed_by.is_empty() {
            return Ok(());
        }
        Err(AnalysisError::Needed {
            pass: name,
            by: needed_by.join(", "),
        })
    }
}

/// `passes` without those of these names, and without those that need one of them.
fn without(passes: &[&'static dyn Pass], off: &[String]) -> Vec<&'static dyn Pass> {
    let is_off = |pass: &&'static dyn Pass| off.iter().any(|name| name == pass.name());
    let mut left: Vec<_> = passes.iter().copied().filter(|pass| !is_off(pass)).collect();
    loop {
        let names: Vec<_> = left.iter().map(|pass| pass.name()).collect();
        left.retain(|pass| pass.needs().iter().all(|needed| names.contains(needed)));
        if left.len() == names.len() {
            return left;
        }
    }
}

/// The names in a mark; an unreadable one says nothing, and then all run.
fn names(mark: &str) -> Vec<String> {
    serde_json::from_str(mark).unwrap_or_else(|error| {
        tracing::error!(%error, "which passes are switched off is not known; all run");
        Vec::new()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(off: &[&str]) -> Vec<&'static str> {
        let off: Vec<_> = off.iter().map(|&name| name.to_owned()).collect();
        let left = without(chatstats_passes::all(), &off);
        left.iter().map(|pass| pass.name()).collect()
    }

    #[test]
    fn what_needs_a_pass_that_is_off_does_not_run_either() {
        assert_eq!(left(&[]).len(), chatstats_passes::all().len());
        assert!(!left(&["activity"]).contains(&"activity"));
        let without_language = left(&["language"]);
        assert!(without_language.contains(&"activity"));
        assert!(!without_language.contains(&"topics"), "it needs language");
        assert_eq!(left(&["of an older version"]), left(&[]));
    }

    #[test]
    fn an_unreadable_mark_switches_nothing_off() {
        assert_eq!(names("[\"topics\"]"), ["topics"]);
        assert!(names("nonsense").is_empty());
    }
}
