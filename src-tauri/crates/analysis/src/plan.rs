//! Which passes are run over conversations, with what would else be worked out for each of them anew.

use chatstats_passes::Pass;
use chatstats_store::PassVersion;

use crate::requests;

/// The passes of many tasks.
pub(crate) struct Plan {
    passes: Vec<&'static dyn Pass>,
    versions: Vec<PassVersion>,
    set: Option<i64>,
    is_anew: bool,
}

impl Plan {
    /// These passes, those that others need first; whether current results are computed anew.
    pub(crate) fn new(passes: Vec<&'static dyn Pass>, is_anew: bool) -> Self {
        Self {
            versions: requests::versions(&passes),
            set: requests::set(&passes),
            passes,
            is_anew,
        }
    }

    /// The passes, in their order.
    pub(crate) fn passes(&self) -> &[&'static dyn Pass] {
        &self.passes
    }

    /// As results know them, in the same order.
    pub(crate) fn versions(&self) -> &[PassVersion] {
        &self.versions
    }

    /// Those of which a current result is taken as it is.
    pub(crate) fn known(&self) -> &[PassVersion] {
        if self.is_anew { &[] } else { &self.versions }
    }

    /// The number that stands for all of them; see [`requests::set`].
    pub(crate) fn set(&self) -> Option<i64> {
        self.set
    }
}
