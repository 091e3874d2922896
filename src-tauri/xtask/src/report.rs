use std::process::Command;
use std::time::Instant;

use anyhow::{Result, anyhow, bail};

use crate::tally::{self, Tally};
use crate::{failures, process};

/// Steps that all run, also after one has failed: whoever waits for minutes wants to see everything at once.
pub(crate) struct Report {
    wanted: Vec<String>,
    steps: Vec<Step>,
    known: Vec<&'static str>,
}

struct Step {
    name: &'static str,
    seconds: f64,
    tally: Tally,
    /// What the test runner itself said at its end.
    summary: Vec<String>,
    /// What it said of each test that did not hold.
    failures: Vec<String>,
    error: Option<anyhow::Error>,
}

impl Report {
    /// Only the steps named in `wanted` run; all if it is empty.
    pub(crate) fn new(wanted: &[String]) -> Report {
        Report {
            wanted: wanted.to_vec(),
            steps: Vec::new(),
            known: Vec::new(),
        }
    }

    /// Whether a step of this name is to run.
    pub(crate) fn wants(&self, name: &str) -> bool {
        self.wanted.is_empty() || self.wanted.iter().any(|wanted| wanted == name)
    }

    /// Runs a step and keeps its outcome.
    pub(crate) fn step(&mut self, name: &'static str, work: impl FnOnce() -> Result<()>) {
        self.keep(name, |step| step.error = work().err());
    }

    /// Runs a test runner and counts what it reports.
    pub(crate) fn tests(&mut self, name: &'static str, command: impl FnOnce() -> Result<Command>) {
        self.keep(name, |step| {
            let ran = command().and_then(|mut command| process::tee(&mut command));
            step.error = match ran {
                Err(error) => Some(error),
                Ok((printed, outcome)) => {
                    (step.tally, step.summary) = tally::count(&printed);
                    if outcome.is_err() {
                        step.failures = failures::of(&printed);
                    }
                    outcome
                        .err()
                        .or_else(|| (step.tally.passed == 0).then(|| anyhow!("not one test ran")))
                }
            };
            // A runner that broke off has no failed test to show for it; the sum must not look clean.
            if step.error.is_some() && step.tally.failed == 0 {
                step.tally.failed = 1;
            }
        });
    }

    fn keep(&mut self, name: &'static str, work: impl FnOnce(&mut Step)) {
        self.known.push(name);
        if !self.wants(name) {
            return;
        }
        eprintln!("\n── {name}");
        let started = Instant::now();
        let mut step = Step {
            name,
            seconds: 0.0,
            tally: Tally::default(),
            summary: Vec::new(),
            failures: Vec::new(),
            error: None,
        };
        work(&mut step);
        step.seconds = started.elapsed().as_secs_f64();
        if let Some(error) = &step.error {
            eprintln!("error: {error:#}");
        }
        self.steps.push(step);
    }

    /// Prints what the runners said, what failed and why, and a line for each step, and returns the sum of all tests.
    ///
    /// # Errors
    ///
    /// A step failed, or one was asked for that does not exist.
    pub(crate) fn finish(self) -> (Tally, Result<()>) {
        println!();
        for Step { name, summary, .. } in &self.steps {
            for line in summary {
                println!("{name}: {line}");
            }
        }
        // Once more, and last: of a long log the end may be all that is kept.
        for Step { name, failures, .. } in &self.steps {
            for line in failures {
                println!("{name}: {line}");
            }
        }
        let mut sum = Tally::default();
        println!();
        for step in &self.steps {
            println!("{}", step.line());
            sum += step.tally;
        }
        let outcome = self.outcome();
        (sum, outcome)
    }

    fn outcome(&self) -> Result<()> {
        if let Some(unknown) = self
            .wanted
            .iter()
            .find(|wanted| !self.known.contains(&wanted.as_str()))
        {
            bail!("there is no step {unknown}; there are {}", self.known.join(", "));
        }
        let failed: Vec<_> = self
            .steps
            .iter()
            .filter(|step| step.error.is_some())
            .map(|step| step.name)
            .collect();
        if !failed.is_empty() {
            bail!("failed: {}", failed.join(", "));
        }
        Ok(())
    }
}

impl Step {
    fn line(&self) -> String {
        let Step {
            name, seconds, tally, ..
        } = self;
        let mark = if self.error.is_none() { "ok" } else { "FAILED" };
        let mut line = format!("{mark:<6} {name:<10} {seconds:>7.1} s");
        if *tally != Tally::default() {
            line += &format!("  {} passed, {} failed", tally.passed, tally.failed);
        }
        if tally.left_out > 0 {
            line += &format!(", {} left out", tally.left_out);
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_step_fails_the_whole_and_the_next_one_still_runs() {
        let mut report = Report::new(&[]);
        report.step("first", || bail!("broken"));
        let mut ran = false;
        report.step("second", || {
            ran = true;
            Ok(())
        });
        let (sum, outcome) = report.finish();
        assert!(ran);
        assert_eq!(
            outcome.map_err(|error| error.to_string()),
            Err("failed: first".to_owned())
        );
        assert_eq!(sum, Tally::default(), "a step that is no test adds no test");
    }

    #[test]
    fn a_test_step_that_cannot_start_counts_as_a_failure() {
        let mut report = Report::new(&[]);
        report.tests("rust", || bail!("no runner"));
        let (sum, outcome) = report.finish();
        assert_eq!(sum.failed, 1);
        assert!(outcome.is_err());
    }

    #[test]
    fn a_step_nobody_knows_is_an_error_and_not_an_empty_success() {
        let mut report = Report::new(&["rsut".to_owned()]);
        report.step("rust", || Ok(()));
        assert!(report.finish().1.is_err());
    }
}
