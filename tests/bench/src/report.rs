//! Figures, and how they are shown.

use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;

/// What a figure should be.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Goal {
    /// Nothing: it tells the size of another.
    None,
    /// At least so much.
    AtLeast(f64),
    /// At most so much.
    AtMost(f64),
}

impl Goal {
    fn is_met(self, value: f64) -> bool {
        match self {
            Goal::None => true,
            Goal::AtLeast(least) => value >= least,
            Goal::AtMost(most) => value <= most,
        }
    }
}

/// One figure.
#[derive(Clone, Debug, Serialize)]
struct Figure {
    name: String,
    value: f64,
    unit: &'static str,
    goal: Goal,
    met: bool,
}

/// All figures of a run.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Report {
    figures: Vec<Figure>,
}

impl Report {
    /// Adds a figure and shows it at once: a run takes minutes.
    pub(crate) fn add(&mut self, name: impl Into<String>, value: f64, unit: &'static str, goal: Goal) {
        let figure = Figure {
            name: name.into(),
            value,
            unit,
            goal,
            met: goal.is_met(value),
        };
        eprintln!("{}", figure.row());
        self.figures.push(figure);
    }

    /// Prints the table and writes the JSON.
    pub(crate) fn write(&self, out: &Path) -> Result<()> {
        println!("{:<64} {:>12} {:<8} {:<12}", "figure", "value", "unit", "goal");
        for figure in &self.figures {
            println!("{}", figure.row());
        }
        if let Some(folder) = out.parent() {
            std::fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
        }
        let json = serde_json::to_vec_pretty(self)?;
        std::fs::write(out, json).with_context(|| format!("write {}", out.display()))?;
        println!("written to {}", out.display());
        Ok(())
    }
}

impl Figure {
    fn row(&self) -> String {
        let goal = match self.goal {
            Goal::None => String::new(),
            Goal::AtLeast(least) => format!(">= {least}"),
            Goal::AtMost(most) => format!("<= {most}"),
        };
        let verdict = if self.met { "" } else { "  MISSED" };
        let Figure {
            name, value, unit, ..
        } = self;
        format!("{name:<64} {value:>12.3} {unit:<8} {goal:<12}{verdict}")
    }
}

/// The median; 0 of nothing.
pub(crate) fn median(values: &mut [f64]) -> f64 {
    percentile(values, 0.5)
}

/// The value below which a share of the values lies; 0 of nothing.
pub(crate) fn percentile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let last = values.len().saturating_sub(1);
    values
        .get((last as f64 * share).round() as usize)
        .copied()
        .unwrap_or(0.0)
}
