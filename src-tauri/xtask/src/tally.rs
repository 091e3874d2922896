use std::ops::AddAssign;

/// Tests counted by the runners themselves.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Ran and held.
    pub(crate) passed: u64,
    /// Ran and did not hold.
    pub(crate) failed: u64,
    /// Did not run: ignored, skipped, to do.
    pub(crate) left_out: u64,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Tally) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.left_out += other.left_out;
    }
}

/// Adds up the summary lines of cargo test, vitest and `node --test` in what they have printed, and returns those lines.
pub(crate) fn count(printed: &str) -> (Tally, Vec<String>) {
    let mut tally = Tally::default();
    let mut summary = Vec::new();
    for line in without_colours(printed).lines() {
        if let Some(counted) = cargo(line).or_else(|| vitest(line)).or_else(|| node(line)) {
            tally += counted;
            summary.push(line.trim().to_owned());
        }
    }
    (tally, summary)
}

/// `test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.10s`
fn cargo(line: &str) -> Option<Tally> {
    let (_, counts) = line.trim().strip_prefix("test result: ")?.split_once(". ")?;
    Some(labelled(counts, ';'))
}

/// `Tests  1 failed | 11 passed | 2 skipped (14)`; the line above it counts files and is left alone.
fn vitest(line: &str) -> Option<Tally> {
    let counts = line.trim().strip_prefix("Tests ")?;
    let (counts, _) = counts.rsplit_once('(')?;
    Some(labelled(counts, '|'))
}

/// `ℹ pass 5` (spec) or `# pass 5` (TAP), one line for each count.
fn node(line: &str) -> Option<Tally> {
    let counted = line.strip_prefix("ℹ ").or_else(|| line.strip_prefix("# "))?;
    let (label, count) = counted.trim().split_once(' ')?;
    let count = count.parse().ok()?;
    let mut tally = Tally::default();
    match label {
        "pass" => tally.passed = count,
        "fail" | "cancelled" => tally.failed = count,
        "skipped" | "todo" => tally.left_out = count,
        _ => return None,
    }
    Some(tally)
}

fn labelled(counts: &str, separator: char) -> Tally {
    let mut tally = Tally::default();
    for part in counts.split(separator) {
        let Some((count, label)) = part.trim().split_once(' ') else {
            continue;
        };
        let Ok(count) = count.parse::<u64>() else { continue };
        match label {
            "passed" => tally.passed += count,
            "failed" => tally.failed += count,
            "ignored" | "skipped" | "todo" => tally.left_out += count,
            _ => {}
        }
    }
    tally
}

/// Drops the escape sequences with which runners colour their output.
pub(crate) fn without_colours(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character == '\u{1b}' {
            characters.by_ref().find(|inside| inside.is_ascii_alphabetic());
        } else {
            plain.push(character);
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(passed: u64, failed: u64, left_out: u64) -> Tally {
        Tally {
            passed,
            failed,
            left_out,
        }
    }

    #[test]
    fn every_binary_of_a_cargo_run_counts() {
        let printed = "running 3 tests\ntest a ... ok\n\n\
            test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out; finished in 0.00s\n\
            test result: FAILED. 4 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.10s\n";
        assert_eq!(count(printed).0, tally(7, 2, 1));
    }

    #[test]
    fn vitest_counts_tests_and_not_files() {
        let coloured = " \u{1b}[2m Test Files \u{1b}[22m \u{1b}[1m\u{1b}[32m3 passed\u{1b}[39m (3)\n\
            \u{1b}[2m      Tests \u{1b}[22m 1 failed | 11 passed | 2 skipped\u{1b}[90m (14)\u{1b}[39m\n";
        assert_eq!(count(coloured).0, tally(11, 1, 2));
    }

    #[test]
    fn both_reporters_of_node_count() {
        assert_eq!(
            count("ℹ tests 6\nℹ pass 5\nℹ fail 1\nℹ cancelled 0\nℹ skipped 0\n").0,
            tally(5, 1, 0)
        );
        assert_eq!(
            count("# tests 4\n# pass 2\n# fail 0\n# cancelled 1\n# todo 1\n").0,
            tally(2, 1, 1)
        );
    }

    #[test]
    fn words_of_a_test_are_not_taken_for_a_summary() {
        assert_eq!(
            count("5 passed the gate\nTests were run (3)\n# a comment\n").0,
            Tally::default()
        );
    }
}
